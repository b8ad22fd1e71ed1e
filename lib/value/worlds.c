/* SPDX-License-Identifier: MIT */
#include <predshard/world.h>

#include "base/env.h"
#include "base/options.h"
#include "ds/root.h"

#define DEFAULT_READERS 64u
#define MAX_READERS 4096u

struct psh_worlds {
    psh_env *env;
    pshi_root *root; /* its values are worlds, each with a reference */
};

struct psh_reader {
    pshi_root *root; /* first: pins begin here */
    psh_worlds *worlds;
    uint32_t slot;
};

static void release_world(void *world) {
    psh_world_unref(world);
}

psh_status psh_worlds_create(psh_env *env, uint32_t max_readers, psh_worlds **out) {
    psh_worlds *ws;

    if (!out)
        return PSH_E_INVALID;
    *out = NULL;
    if (!env || max_readers > MAX_READERS)
        return PSH_E_INVALID;
    ws = pshi_calloc(env, 1, sizeof *ws);
    if (!ws)
        return PSH_E_NOMEM;
    ws->env = env;
    if (pshi_root_create(env, max_readers ? max_readers : DEFAULT_READERS, release_world, &ws->root) != PSH_OK) {
        pshi_free(env, ws);
        return PSH_E_NOMEM;
    }
    *out = ws;
    return PSH_OK;
}

void psh_worlds_destroy(psh_worlds *ws) {
    if (!ws)
        return;
    pshi_root_destroy(ws->root);
    pshi_free(ws->env, ws);
}

psh_status psh_worlds_publish(psh_worlds *ws, psh_world *w) {
    psh_status st;

    if (!ws || !w)
        return PSH_E_INVALID;
    if (psh_world_epoch(w) <= pshi_root_number(ws->root))
        return PSH_E_CONFLICT;
    psh_world_ref(w);
    st = pshi_root_publish(ws->root, w, psh_world_epoch(w));
    if (st != PSH_OK)
        psh_world_unref(w);
    return st;
}

psh_world *psh_worlds_current(psh_worlds *ws) {
    return pshi_root_current(ws->root);
}

psh_status psh_worlds_get_stats(psh_worlds *ws, psh_worlds_stats *out) {
    psh_worlds_stats s = { 0 };

    if (!ws || !out)
        return PSH_E_INVALID;
    pshi_root_reclaim(ws->root);
    s.readers = pshi_root_taken(ws->root);
    s.epoch = pshi_root_number(ws->root);
    s.oldest_pinned = pshi_root_oldest(ws->root);
    s.retired = pshi_root_retired(ws->root);
    return pshi_struct_out(out, &s, sizeof s);
}

psh_status psh_reader_create(psh_worlds *ws, psh_reader **out) {
    psh_reader *r;
    psh_status st;

    if (!out)
        return PSH_E_INVALID;
    *out = NULL;
    if (!ws)
        return PSH_E_INVALID;
    r = pshi_calloc(ws->env, 1, sizeof *r);
    if (!r)
        return PSH_E_NOMEM;
    r->worlds = ws;
    r->root = ws->root;
    st = pshi_root_take(ws->root, &r->slot);
    if (st != PSH_OK) {
        pshi_free(ws->env, r);
        return st;
    }
    *out = r;
    return PSH_OK;
}

void psh_reader_destroy(psh_reader *r) {
    if (!r)
        return;
    pshi_root_give_back(r->root, r->slot);
    pshi_free(r->worlds->env, r);
}

const psh_world *psh_reader_pin(psh_reader *r) {
    return pshi_root_pin(r->root, r->slot);
}

const psh_world *psh_reader_refresh(psh_reader *r) {
    return pshi_root_refresh(r->root, r->slot);
}

void psh_reader_unpin(psh_reader *r) {
    pshi_root_unpin(r->root, r->slot);
}
