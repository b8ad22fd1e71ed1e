/* SPDX-License-Identifier: MIT */
/*
 * Publishing: blobs first, the root last. A blob that the root to be replaced names is there and stays there, since
 * no collector touches what a root of its own fence names. Any other is written, even when the store has one of its
 * name: that one may be garbage which a collector that leads no more is about to remove, by the version it listed;
 * writing gives it a version that the collector does not know.
 */
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/hash.h"
#include "drive/share.h"
#include "value/world.h"

static psh_status store_blob(psh_share *s, const pshi_blob *b, psh_error *err) {
    uint64_t version = 0;
    psh_status st;
    uint32_t i;

    pshi_share_blob_key(s, &b->name);
    for (i = 0; i < s->o.max_retries; i++) {
        st = pshi_share_set(s, version, pshi_blob_bytes(b), b->size, err);
        if (st == PSH_OK)
            s->stats.blobs_written++;
        if (st != PSH_E_CONFLICT)
            return st;
        st = pshi_share_get(s, &version, err);
        if (st != PSH_OK && st != PSH_E_NOT_FOUND)
            return st;
    }
    return pshi_share_lost(err, "blob");
}

/* Writes what the current root does not name. */
static psh_status store_blobs(psh_share *s, const pshi_holding *next, int trust, psh_error *err) {
    psh_status st = PSH_OK;
    uint64_t reused = 0;
    size_t i;

    for (i = 0; st == PSH_OK && i < next->count; i++) {
        if (trust && pshi_holding_find(&s->held, &next->blobs[i]->name))
            reused++;
        else
            st = store_blob(s, next->blobs[i], err);
    }
    s->stats.blobs_reused += reused;
    return st;
}

/* Turns the root read into the one to be written: its epoch becomes the first of those before. */
static psh_status advance_root(
    psh_share *s, pshi_share_root *root, const psh_world *w, const pshi_holding *next, psh_error *err) {
    size_t n = root->before_count + (root->now.epoch != 0), keep = s->o.keep_epochs - 1;
    pshi_epoch_name *before;

    n = n < keep ? n : keep;
    before = pshi_calloc(s->env, n, sizeof *before);
    if (!before)
        return pshi_share_nomem(err);
    if (n) {
        before[0] = root->now;
        memcpy(before + 1, root->before, (n - 1) * sizeof *before);
    }
    pshi_share_root_free(s, root);
    root->before = before;
    root->before_count = n;
    root->fence = s->fence;
    root->schema = s->schema_hash;
    root->now.time = psh_world_time(w);
    root->now.epoch = psh_world_epoch(w);
    root->now.top = next->top;
    return PSH_OK;
}

/* @return PSH_OK to go on, PSH_END: it is published already, by an attempt whose answer was lost. */
static psh_status check_publication(
    psh_share *s, const pshi_share_root *root, const psh_world *w, const pshi_holding *next, psh_error *err) {
    psh_status st = pshi_share_unfenced(s, root, err);

    if (st != PSH_OK)
        return st;
    if (root->now.epoch == psh_world_epoch(w) && root->fence == s->fence &&
        pshi_digest_order(&root->now.top, &next->top) == 0)
        return PSH_END;
    if (root->now.epoch >= psh_world_epoch(w))
        return pshi_fail(err, PSH_E_CONFLICT, "epoch", "the shared one is as high: catch up and plan again");
    return PSH_OK;
}

/* One try: from the root read to the root moved. @return PSH_E_CONFLICT, *again = 1: the race was lost. */
static psh_status try_publish(
    psh_share *s, const psh_world *w, const pshi_holding *next, int *again, psh_error *err) {
    pshi_share_root root;
    psh_status st = pshi_share_read_root(s, &root, err);
    int trust;

    *again = 0;
    if (st != PSH_OK)
        return st;
    st = check_publication(s, &root, w, next, err);
    if (st == PSH_OK) {
        trust = !s->distrust && s->held.has_top && root.now.epoch &&
                pshi_digest_order(&s->held.top, &root.now.top) == 0;
        st = store_blobs(s, next, trust, err);
        if (st == PSH_OK)
            st = advance_root(s, &root, w, next, err);
        if (st == PSH_OK) {
            st = pshi_share_write_root(s, &root, err);
            *again = st == PSH_E_CONFLICT;
        }
    }
    pshi_share_root_free(s, &root);
    return st == PSH_END ? PSH_OK : st;
}

static psh_status publish_blobs(psh_share *s, const psh_world *w, pshi_holding *next, psh_error *err) {
    psh_status st;
    uint32_t i;
    int again;

    for (i = 0; i < s->o.max_retries; i++) {
        st = try_publish(s, w, next, &again, err);
        if (!again)
            return st;
        s->stats.races_lost++;
    }
    return pshi_share_lost(err, "root");
}

/* For the next catch-up to begin from. A world is shared by count, const or not. */
static psh_world *keep_world(const psh_share *s, const psh_world *w) {
    return w->env == s->env && w->schema == s->schema ? psh_world_ref((psh_world *)(uintptr_t)w) : NULL;
}

/* Worlds of the share's own schema object, or of one with the same bytes. */
static psh_status check_schema(psh_share *s, const psh_world *w, psh_error *err) {
    psh_status st;

    if (w->schema == s->schema)
        return PSH_OK;
    psh_buffer_clear(s->out);
    st = psh_schema_save(w->schema, s->out);
    if (st != PSH_OK)
        return pshi_share_nomem(err);
    if (pshi_hash(psh_buffer_data(s->out), psh_buffer_size(s->out)) != s->schema_hash)
        return pshi_fail(err, PSH_E_INVALID, "world", "is of another schema");
    return PSH_OK;
}

static psh_status publish_now(psh_share *s, const psh_world *w, int64_t now, psh_error *err) {
    pshi_holding next;
    psh_status st;

    if (!w)
        return pshi_fail(err, PSH_E_INVALID, "world", "is NULL");
    st = check_schema(s, w, err);
    if (st == PSH_OK)
        st = pshi_share_leads(s, now, err);
    if (st == PSH_OK)
        st = pshi_share_cut(s, w, &next, err);
    if (st != PSH_OK)
        return st;
    st = publish_blobs(s, w, &next, err);
    if (st != PSH_OK) {
        pshi_holding_free(s, &next);
        return st;
    }
    pshi_holding_free(s, &s->held);
    psh_world_unref(s->world);
    s->world = keep_world(s, w);
    s->held = next;
    s->distrust = 0;
    s->stats.epoch = psh_world_epoch(w);
    return PSH_OK;
}

psh_status psh_share_publish(psh_share *s, const psh_world *world, int64_t now, psh_error *err) {
    psh_status st = pshi_share_enter(s, err);

    return st == PSH_OK ? pshi_share_leave(s, publish_now(s, world, now, err)) : st;
}
