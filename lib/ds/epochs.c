/* SPDX-License-Identifier: MIT */
#include <predshard/epochs.h>

#include "base/env.h"
#include "base/options.h"
#include "ds/root.h"

#define DEFAULT_READERS 64u
#define MAX_READERS 4096u

struct psh_epochs {
    psh_env *env;
    pshi_root *root;
};

struct psh_epochs_reader {
    pshi_root *root; /* first: pins begin here */
    psh_env *env;
    uint32_t slot;
};

psh_status psh_epochs_create(
    psh_env *env, uint32_t max_readers, void (*release)(void *user, void *value), void *user, psh_epochs **out) {
    psh_epochs *s;

    if (!out)
        return PSH_E_INVALID;
    *out = NULL;
    if (!env || !release || max_readers > MAX_READERS)
        return PSH_E_INVALID;
    s = pshi_calloc(env, 1, sizeof *s);
    if (!s)
        return PSH_E_NOMEM;
    s->env = env;
    if (pshi_root_create_with(env, max_readers ? max_readers : DEFAULT_READERS, release, user, &s->root) !=
        PSH_OK) {
        pshi_free(env, s);
        return PSH_E_NOMEM;
    }
    *out = s;
    return PSH_OK;
}

void psh_epochs_destroy(psh_epochs *s) {
    if (!s)
        return;
    pshi_root_destroy(s->root);
    pshi_free(s->env, s);
}

psh_status psh_epochs_publish(psh_epochs *s, void *value) {
    if (!s || !value)
        return PSH_E_INVALID;
    return pshi_root_publish(s->root, value, pshi_root_number(s->root) + 1);
}

void *psh_epochs_current(const psh_epochs *s) {
    return pshi_root_current(s->root);
}

psh_status psh_epochs_get_stats(psh_epochs *s, psh_epochs_stats *out) {
    psh_epochs_stats now = { 0 };

    if (!s || !out)
        return PSH_E_INVALID;
    pshi_root_reclaim(s->root);
    now.readers = pshi_root_taken(s->root);
    now.number = pshi_root_number(s->root);
    now.oldest_pinned = pshi_root_oldest(s->root);
    now.retired = pshi_root_retired(s->root);
    return pshi_struct_out(out, &now, sizeof now);
}

psh_status psh_epochs_reader_create(psh_epochs *s, psh_epochs_reader **out) {
    psh_epochs_reader *r;
    psh_status st;

    if (!out)
        return PSH_E_INVALID;
    *out = NULL;
    if (!s)
        return PSH_E_INVALID;
    r = pshi_calloc(s->env, 1, sizeof *r);
    if (!r)
        return PSH_E_NOMEM;
    r->env = s->env;
    r->root = s->root;
    st = pshi_root_take(s->root, &r->slot);
    if (st != PSH_OK) {
        pshi_free(s->env, r);
        return st;
    }
    *out = r;
    return PSH_OK;
}

void psh_epochs_reader_destroy(psh_epochs_reader *r) {
    if (!r)
        return;
    pshi_root_give_back(r->root, r->slot);
    pshi_free(r->env, r);
}

void *psh_epochs_pin(psh_epochs_reader *r) {
    return pshi_root_pin(r->root, r->slot);
}

void *psh_epochs_refresh(psh_epochs_reader *r) {
    return pshi_root_refresh(r->root, r->slot);
}

void psh_epochs_unpin(psh_epochs_reader *r) {
    pshi_root_unpin(r->root, r->slot);
}
