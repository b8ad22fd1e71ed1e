/* SPDX-License-Identifier: MIT */
/* What is kept beside the current world: older epochs, and who leads. Nothing here changes what is held. */
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "drive/share.h"

/* Makes the epoch the root's current one, as gathering and building take it. @return 0: it is not kept. */
static int choose_epoch(pshi_share_root *root, uint64_t epoch) {
    size_t i;

    if (!epoch)
        return 0;
    if (root->now.epoch == epoch)
        return 1;
    for (i = 0; i < root->before_count; i++) {
        if (root->before[i].epoch != epoch)
            continue;
        root->now = root->before[i];
        return 1;
    }
    return 0;
}

static psh_status build_epoch(psh_share *s, const pshi_share_root *root, psh_world **out, psh_error *err) {
    pshi_holding blobs = { 0 };
    psh_status st;

    if (root->schema != s->schema_hash)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "schema", "the shared world is of another schema");
    st = pshi_share_gather(s, root, &blobs, err);
    if (st == PSH_OK)
        st = pshi_share_build(s, root, &blobs, out, err);
    pshi_holding_free(s, &blobs);
    return st;
}

/* One look at the root. *missed as in a catch-up: version of the root whose blobs were not all there. */
static psh_status load_once(
    psh_share *s, uint64_t epoch, uint64_t *missed, psh_world **out, psh_error *err) {
    pshi_share_root root;
    psh_status st = pshi_share_read_root(s, &root, err);
    int stands;

    if (st != PSH_OK)
        return st;
    stands = *missed && *missed == root.version;
    *missed = 0;
    if (!choose_epoch(&root, epoch)) {
        st = pshi_fail(err, PSH_E_NOT_FOUND, "epoch", "is not kept, or was never published");
    } else if (stands) {
        s->distrust = 1;
        st = pshi_fail(err, PSH_E_CORRUPT, "blob", "one that this epoch names is gone");
    } else {
        st = build_epoch(s, &root, out, err);
        *missed = st == PSH_E_NOT_FOUND ? root.version : 0;
    }
    pshi_share_root_free(s, &root);
    return st;
}

/* A blob may be gone because the epoch was given up meanwhile: then the root has another version by now. */
static psh_status load_epoch(psh_share *s, uint64_t epoch, psh_world **out, psh_error *err) {
    uint64_t missed = 0;
    psh_status st;
    uint32_t i;

    for (i = 0; i <= s->o.max_retries; i++) {
        st = load_once(s, epoch, &missed, out, err);
        if (!missed)
            return st;
    }
    return pshi_fail(err, PSH_E_CONFLICT, "root", "moved on faster than its blobs could be read");
}

psh_status psh_share_load_epoch(psh_share *s, uint64_t epoch, psh_world **out, psh_error *err) {
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    st = pshi_share_enter(s, err);
    return st == PSH_OK ? pshi_share_leave(s, load_epoch(s, epoch, out, err)) : st;
}

static psh_status list_epochs(psh_share *s, uint64_t *out, size_t capacity, size_t *count, psh_error *err) {
    pshi_share_root root;
    psh_status st = pshi_share_read_root(s, &root, err);
    size_t i;

    if (st != PSH_OK)
        return st;
    *count = root.now.epoch ? root.before_count + 1 : 0;
    for (i = 0; i < *count && i < capacity; i++)
        out[i] = i ? root.before[i - 1].epoch : root.now.epoch;
    pshi_share_root_free(s, &root);
    return PSH_OK;
}

psh_status psh_share_epochs(psh_share *s, uint64_t *out, size_t capacity, size_t *count, psh_error *err) {
    psh_status st;

    if (!count || (capacity && !out))
        return pshi_fail(err, PSH_E_INVALID, count ? "out" : "count", "is NULL");
    *count = 0;
    st = pshi_share_enter(s, err);
    return st == PSH_OK ? pshi_share_leave(s, list_epochs(s, out, capacity, count, err)) : st;
}

static psh_status read_state(psh_share *s, psh_share_state *state, psh_error *err) {
    pshi_share_root root;
    pshi_share_lead lead;
    psh_status st = pshi_share_read_root(s, &root, err);

    if (st != PSH_OK)
        return st;
    state->epoch = root.now.epoch;
    state->time = root.now.epoch ? root.now.time : PSH_TIME_NONE;
    state->fence = root.fence;
    pshi_share_root_free(s, &root);
    st = pshi_share_read_lead(s, &lead, err);
    if (st != PSH_OK)
        return st;
    state->lead_fence = lead.fence;
    state->lease_end = lead.owner[0] ? lead.lease_end : PSH_TIME_NONE;
    strcpy(state->owner, lead.owner);
    return PSH_OK;
}

psh_status psh_share_read_state(psh_share *s, psh_share_state *out, psh_error *err) {
    psh_share_state state = { .struct_size = sizeof state };
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    st = pshi_share_enter(s, err);
    if (st == PSH_OK)
        st = pshi_share_leave(s, read_state(s, &state, err));
    return st == PSH_OK ? pshi_struct_out(out, &state, sizeof state) : st;
}
