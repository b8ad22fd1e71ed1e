/* SPDX-License-Identifier: MIT */
/* Following the root: to the newest world, reading only what is not held. */
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "drive/share.h"

/* The blobs of a world as they are gathered. */
typedef struct gathering {
    psh_share *s;
    pshi_holding data;
    uint64_t takes;
} gathering;

static psh_status gather_entry(void *user, const pshi_page_entry *e, psh_error *err) {
    gathering *g = user;
    pshi_blob *b = NULL;
    psh_status st;

    g->takes += pshi_share_takes(e);
    if (g->takes > g->s->o.max_bytes)
        return pshi_fail(err, PSH_E_LIMIT, "max_bytes", "the shared world takes more memory");
    st = pshi_share_fetch(g->s, NULL, e, &b, err);
    if (st != PSH_OK)
        return st;
    return pshi_holding_add(g->s, &g->data, b) == PSH_OK ? PSH_OK : pshi_share_nomem(err);
}

/* Data first, then the pages, as a holding has them. */
static psh_status join_pages(psh_share *s, pshi_holding *data, pshi_holding *pages, psh_error *err) {
    psh_status st = PSH_OK;
    size_t i;

    data->data_count = data->count;
    for (i = 0; st == PSH_OK && i < pages->count; i++) {
        pages->blobs[i]->refs++;
        st = pshi_holding_add(s, data, pages->blobs[i]);
    }
    if (st == PSH_OK)
        st = pshi_holding_index(s, data);
    return st == PSH_OK ? PSH_OK : pshi_share_nomem(err);
}

psh_status pshi_share_gather(psh_share *s, const pshi_share_root *root, pshi_holding *out, psh_error *err) {
    gathering g = { .s = s };
    pshi_holding pages = { 0 };
    psh_status st = pshi_share_walk(s, &root->now.top, NULL, &pages, gather_entry, &g, err);

    if (st == PSH_OK)
        st = join_pages(s, &g.data, &pages, err);
    pshi_holding_free(s, &pages);
    if (st != PSH_OK) {
        pshi_holding_free(s, &g.data);
        return st;
    }
    g.data.top = root->now.top;
    g.data.has_top = 1;
    *out = g.data;
    return PSH_OK;
}

static psh_status follow_root(psh_share *s, const pshi_share_root *root, psh_world **out, psh_error *err) {
    pshi_holding held = { 0 };
    psh_world *w = NULL;
    psh_status st;

    if (root->schema != s->schema_hash)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "schema", "the shared world is of another schema");
    st = pshi_share_gather(s, root, &held, err);
    if (st == PSH_OK)
        st = pshi_share_build(s, root, &held, &w, err);
    if (st != PSH_OK) {
        pshi_holding_free(s, &held);
        return st;
    }
    pshi_holding_free(s, &s->held);
    psh_world_unref(s->world);
    s->held = held;
    s->world = psh_world_ref(w);
    s->stats.epoch = root->now.epoch;
    *out = w;
    return PSH_OK;
}

/* Whether the root has something new. */
static psh_status weigh_root(const psh_share *s, const pshi_share_root *root, uint64_t fence, psh_error *err) {
    if (root->fence < fence)
        return pshi_fail(err, PSH_E_CORRUPT, "root", "went back to a fence older than one seen before");
    if (!root->now.epoch)
        return pshi_fail(err, PSH_E_NOT_FOUND, "root", "nothing was published yet");
    return root->now.epoch <= s->stats.epoch ? PSH_END : PSH_OK;
}

/* Waits for the root to move. @return PSH_OK when it did. */
static psh_status wait_root(psh_share *s, uint64_t version, int64_t wait_ns, psh_error *err) {
    psh_status st;

    pshi_share_key(s, "root");
    st = s->kv.watch(s->kv.user, s->key, version, wait_ns);
    return st == PSH_OK || st == PSH_AGAIN ? st : pshi_share_host(err, st, "kv.watch");
}

/* One look at the root. *missed: version of the root before whose blobs were not all there; then of this one. */
static psh_status catch_up_once(
    psh_share *s, uint64_t fence, uint64_t *missed, uint64_t *version, psh_world **out, psh_error *err) {
    pshi_share_root root;
    psh_status st = pshi_share_read_root(s, &root, err);
    int stands;

    if (st != PSH_OK)
        return st;
    stands = *missed && *missed == root.version;
    *missed = 0;
    *version = root.version;
    st = weigh_root(s, &root, fence, err);
    if (st == PSH_OK && stands) {
        s->distrust = 1;
        st = pshi_fail(err, PSH_E_CORRUPT, "blob", "one that the root names is gone");
    } else if (st == PSH_OK) {
        st = follow_root(s, &root, out, err);
        *missed = st == PSH_E_NOT_FOUND ? root.version : 0;
    }
    pshi_share_root_free(s, &root);
    return st;
}

/*
 * A blob may be gone because the root moved on so far, while we read, that it was collected: then the root has
 * another version by now, and its blobs are there. If the root stands still, the blob is lost.
 */
static psh_status catch_up_now(psh_share *s, psh_world **out, uint64_t *version, psh_error *err) {
    uint64_t fence = s->root_fence, missed = 0;
    psh_status st;
    uint32_t i;

    *version = 0;
    for (i = 0; i <= s->o.max_retries; i++) {
        st = catch_up_once(s, fence, &missed, version, out, err);
        if (!missed)
            return st;
    }
    return pshi_fail(err, PSH_E_CONFLICT, "root", "moved on faster than its blobs could be read");
}

static psh_status catch_up_wait(psh_share *s, int64_t wait_ns, psh_world **out, psh_error *err) {
    uint64_t version;
    psh_status st = catch_up_now(s, out, &version, err), waited;

    if ((st != PSH_END && st != PSH_E_NOT_FOUND) || !s->kv.watch || wait_ns <= 0)
        return st;
    waited = wait_root(s, version, wait_ns, err);
    if (waited != PSH_OK)
        return waited == PSH_AGAIN ? st : waited;
    return catch_up_now(s, out, &version, err);
}

psh_status psh_share_catch_up(psh_share *s, int64_t wait_ns, psh_world **out, psh_error *err) {
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    st = pshi_share_enter(s, err);
    return st == PSH_OK ? pshi_share_leave(s, catch_up_wait(s, wait_ns, out, err)) : st;
}
