/* SPDX-License-Identifier: MIT */
/* The bytes of shards: options, nodes, where each shard is, and loads where they differ from 1. */
#include <math.h>

#include "base/env.h"
#include "base/error.h"
#include "map/shards.h"
#include "value/load.h"

#define NODE_LEAST 2u /* bytes of the shortest node: bounds the count on load */

static int is_even(const psh_shards *s) {
    uint32_t i;

    for (i = 0; i < s->o.shards; i++)
        if (s->loads[i] < 1 || s->loads[i] > 1)
            return 0;
    return 1;
}

static void encode(pshi_writer *w, const void *value) {
    const psh_shards *s = value;
    uint32_t i, before = 0;
    int even = is_even(s);

    pshi_put_var(w, s->o.shards);
    pshi_put_u64(w, s->o.seed);
    pshi_put_f64(w, s->o.slack);
    pshi_put_var(w, s->count);
    for (i = 0; i < s->count; i++) {
        pshi_put_var(w, s->nodes[i].node - before);
        pshi_put_var(w, s->nodes[i].weight);
        before = s->nodes[i].node;
    }
    for (i = 0; s->count && i < s->o.shards; i++)
        pshi_put_var(w, s->at[i]);
    pshi_put_u8(w, (uint8_t)!even);
    for (i = 0; !even && i < s->o.shards; i++)
        pshi_put_f64(w, s->loads[i]);
}

psh_status psh_shards_save(const psh_shards *s, psh_buffer *out) {
    if (!s || !out)
        return PSH_E_INVALID;
    return pshi_frame_save(out, PSHI_KIND_SHARDS, encode, s);
}

static psh_status get_nodes(psh_shards *s, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    size_t n = pshi_get_count(c, NODE_LEAST), i;
    uint64_t node = 0;
    uint32_t step;
    psh_status st = pshi_load_fits(max_bytes, n, sizeof *s->nodes, err);

    if (st != PSH_OK)
        return st;
    if (n > PSHI_SHARDS_NODES)
        return PSH_E_CORRUPT;
    s->nodes = pshi_calloc(s->env, n, sizeof *s->nodes);
    if (!s->nodes)
        return PSH_E_NOMEM;
    for (i = 0; c->status == PSH_OK && i < n; i++) {
        step = pshi_get_var32(c);
        node += step;
        s->nodes[i].node = (uint32_t)node;
        s->nodes[i].weight = pshi_get_var32(c);
        if ((i && !step) || node >= PSH_NONE || !s->nodes[i].weight || s->nodes[i].weight > 65535)
            pshi_read_bad(c);
    }
    s->count = (uint32_t)n;
    return c->status;
}

static psh_status get_shards(psh_shards *s, pshi_cursor *c) {
    uint32_t i;
    uint8_t uneven;

    if (s->count && s->o.shards > pshi_read_left(c))
        pshi_read_bad(c);
    for (i = 0; s->count && c->status == PSH_OK && i < s->o.shards; i++) {
        s->at[i] = pshi_get_var32(c);
        if (s->at[i] >= s->count)
            pshi_read_bad(c);
    }
    uneven = pshi_get_u8(c);
    if (uneven > 1)
        pshi_read_bad(c);
    for (i = 0; uneven && c->status == PSH_OK && i < s->o.shards; i++) {
        s->loads[i] = pshi_get_f64(c);
        if (!(s->loads[i] >= 0) || s->loads[i] > PSHI_SHARDS_LOAD || signbit(s->loads[i]))
            pshi_read_bad(c);
    }
    return pshi_read_end(c);
}

static psh_status get_all(
    psh_env *env, pshi_cursor *c, size_t max_bytes, psh_shards **out, psh_error *err) {
    psh_shards_options o = { .struct_size = sizeof o };
    psh_status st;

    o.shards = pshi_get_var32(c);
    o.seed = pshi_get_u64(c);
    o.slack = pshi_get_f64(c);
    if (c->status != PSH_OK)
        return c->status;
    st = pshi_load_fits(max_bytes, o.shards, sizeof *(*out)->at + sizeof *(*out)->loads, err);
    if (st == PSH_OK)
        st = pshi_load_status(psh_shards_create(env, &o, out, err), err);
    if (st == PSH_OK)
        st = get_nodes(*out, c, max_bytes, err);
    if (st == PSH_OK)
        st = get_shards(*out, c);
    return st;
}

psh_status psh_shards_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_shards **out, psh_error *err) {
    psh_shards *s = NULL;
    pshi_frame frame;
    pshi_cursor c;
    psh_status st;

    if (!env || !out)
        return pshi_fail(err, PSH_E_INVALID, "out", "env and out are needed");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_SHARDS, max_bytes, &frame, &c, err);
    if (st != PSH_OK)
        return st;
    st = get_all(env, &c, max_bytes, &s, err);
    if (st == PSH_E_CORRUPT || st == PSH_E_NOMEM)
        st = pshi_fail(err, st, "data", st == PSH_E_CORRUPT ? "no placement" : "no memory for the shards");
    pshi_frame_close(&frame);
    if (st != PSH_OK) {
        psh_shards_destroy(s);
        return st;
    }
    pshi_shards_sum(s->nodes, s->count, s->at, s->loads, s->o.shards);
    *out = s;
    return PSH_OK;
}
