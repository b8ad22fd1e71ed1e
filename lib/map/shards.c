/* SPDX-License-Identifier: MIT */
#include "map/shards.h"

#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "map/hashing.h"

static const psh_shards_options DEFAULTS = {
    .struct_size = sizeof(psh_shards_options),
    .shards = 4096,
    .slack = 0.05,
};

psh_status psh_shards_options_init(psh_shards_options *o, uint32_t size) {
    return pshi_options_out(o, size, &DEFAULTS, sizeof DEFAULTS);
}

static psh_status check_options(const psh_shards_options *o, psh_error *err) {
    if (o->flags)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    if (o->reserved)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "reserved", "must be 0");
    if (!o->shards || o->shards > PSHI_SHARDS_MOST)
        return pshi_fail(err, PSH_E_INVALID, "shards", "must be within 1..2^24");
    if (!(o->slack > 0) || o->slack > PSHI_SHARDS_SLACK)
        return pshi_fail(err, PSH_E_INVALID, "slack", "must be above 0, at most 1e6");
    return PSH_OK;
}

psh_status psh_shards_create(psh_env *env, const psh_shards_options *options, psh_shards **out, psh_error *err) {
    psh_shards_options o = DEFAULTS;
    psh_shards *s;
    psh_status st;
    uint32_t i;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env)
        return pshi_fail(err, PSH_E_INVALID, "env", "is NULL");
    if (options && (st = pshi_options_copy(&o, sizeof o, options, err)) != PSH_OK)
        return st;
    if ((st = check_options(&o, err)) != PSH_OK)
        return st;
    s = pshi_calloc(env, 1, sizeof *s);
    if (!s)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the shards");
    s->env = env;
    s->o = o;
    s->at = pshi_alloc(env, o.shards * sizeof *s->at);
    s->loads = pshi_alloc(env, o.shards * sizeof *s->loads);
    if (!s->at || !s->loads) {
        psh_shards_destroy(s);
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the shards");
    }
    for (i = 0; i < o.shards; i++) {
        s->at[i] = PSH_NONE;
        s->loads[i] = 1;
    }
    *out = s;
    return PSH_OK;
}

void psh_shards_destroy(psh_shards *s) {
    if (!s)
        return;
    pshi_free(s->env, s->at);
    pshi_free(s->env, s->loads);
    pshi_free(s->env, s->nodes);
    pshi_free(s->env, s);
}

uint32_t psh_shards_node(const psh_shards *s, uint32_t shard) {
    if (!s || shard >= s->o.shards || s->at[shard] == PSH_NONE)
        return PSH_NONE;
    return s->nodes[s->at[shard]].node;
}

uint32_t psh_shards_shard(const psh_shards *s, uint64_t key_hash) {
    uint64_t x;

    if (!s)
        return PSH_NONE;
    x = pshi_mix64(key_hash ^ pshi_mix64(s->o.seed + UINT64_C(0x9e3779b97f4a7c15)));
    return (uint32_t)(((pshi_u128)x * s->o.shards) >> 64);
}

double psh_shards_imbalance(const psh_shards *s) {
    double most = 0;
    uint32_t i;

    for (i = 0; s && i < s->count; i++)
        if (s->nodes[i].fair > 0 && s->nodes[i].load / s->nodes[i].fair > most)
            most = s->nodes[i].load / s->nodes[i].fair;
    return most > 0 ? most : 1;
}

/* ---- changes ---- */

/** A state being made. What it holds at the end is the old one, or after a failure the new one: to be freed. */
typedef struct next_state {
    uint32_t *at;
    double *loads;
    pshi_shard_node *nodes;
    uint32_t count;
    unsigned char *raised; /* Shape [count] */
    uint32_t *places;      /* Shape [count before]: index of an old node now; PSH_NONE: gone */
} next_state;

static psh_status take_next(const psh_shards *s, size_t nodes, next_state *n, psh_error *err) {
    memset(n, 0, sizeof *n);
    n->at = pshi_alloc(s->env, s->o.shards * sizeof *n->at);
    n->loads = pshi_alloc(s->env, s->o.shards * sizeof *n->loads);
    n->nodes = pshi_calloc(s->env, nodes, sizeof *n->nodes);
    n->raised = pshi_calloc(s->env, nodes, 1);
    n->places = pshi_alloc(s->env, s->count * sizeof *n->places);
    if (!n->at || !n->loads || !n->nodes || !n->raised || !n->places)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the change");
    memcpy(n->at, s->at, s->o.shards * sizeof *n->at);
    memcpy(n->loads, s->loads, s->o.shards * sizeof *n->loads);
    return PSH_OK;
}

static void free_next(const psh_shards *s, next_state *n) {
    pshi_free(s->env, n->at);
    pshi_free(s->env, n->loads);
    pshi_free(s->env, n->nodes);
    pshi_free(s->env, n->raised);
    pshi_free(s->env, n->places);
}

static uint64_t count_moves(const psh_shards *s, const next_state *n) {
    uint64_t moves = 0;
    uint32_t i;

    for (i = 0; i < s->o.shards; i++)
        moves += s->at[i] != PSH_NONE && n->nodes[n->at[i]].node != s->nodes[s->at[i]].node;
    return moves;
}

static psh_status reach(psh_shards *s, next_state *n, uint64_t *moves, psh_error *err) {
    pshi_placing p = { s->env, s->o.slack, s->o.shards, n->count, n->at, n->loads, n->nodes, n->raised };
    next_state old = { s->at, s->loads, s->nodes, s->count, n->raised, n->places };

    if (n->count && pshi_shards_place(&p) != PSH_OK)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the change");
    if (moves)
        *moves = n->count ? count_moves(s, n) : 0;
    s->at = n->at;
    s->loads = n->loads;
    s->nodes = n->nodes;
    s->count = n->count;
    *n = old;
    return PSH_OK;
}

static void add_node(next_state *n, psh_hash_node node, uint32_t before) {
    n->nodes[n->count].node = node.node;
    n->nodes[n->count].weight = node.weight;
    n->raised[n->count] = node.weight > before;
    n->count++;
}

/* Both lists ascend. */
static void merge_nodes(const psh_shards *s, const psh_hash_node *wanted, size_t count, next_state *n) {
    psh_hash_node next;
    uint32_t i = 0, before;
    size_t k = 0;

    while (i < s->count || k < count) {
        before = 0;
        if (k == count || (i < s->count && s->nodes[i].node < wanted[k].node))
            next = (psh_hash_node){ s->nodes[i].node, s->nodes[i].weight };
        else
            next = wanted[k++];
        if (i < s->count && s->nodes[i].node == next.node) {
            before = s->nodes[i].weight;
            n->places[i++] = next.weight ? n->count : PSH_NONE;
        }
        if (next.weight)
            add_node(n, next, before);
    }
}

static double weight_of(const pshi_shard_node *nodes, uint32_t count) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < count; i++)
        sum += nodes[i].weight;
    return sum;
}

/* A weight that rose by less than the others' is none that asks for more. */
static void lower_raised(const psh_shards *s, next_state *n) {
    double before = weight_of(s->nodes, s->count), after = weight_of(n->nodes, n->count);
    uint32_t i, to;

    for (i = 0; i < s->count; i++) {
        to = n->places[i];
        if (to != PSH_NONE && n->nodes[to].weight * before <= s->nodes[i].weight * after)
            n->raised[to] = 0;
    }
}

static psh_status set_nodes(
    psh_shards *s, const psh_hash_node *wanted, size_t count, next_state *n, uint64_t *moves, psh_error *err) {
    uint32_t i;

    merge_nodes(s, wanted, count, n);
    if (!n->count)
        return pshi_fail(err, PSH_E_STATE, "changes", "no node would be left");
    if (n->count > PSHI_SHARDS_NODES)
        return pshi_fail(err, PSH_E_LIMIT, "changes", "more than 2^20 nodes");
    lower_raised(s, n);
    for (i = 0; i < s->o.shards; i++)
        if (n->at[i] != PSH_NONE)
            n->at[i] = n->places[n->at[i]];
    return reach(s, n, moves, err);
}

psh_status psh_shards_set_nodes(
    psh_shards *s, const psh_hash_node *changes, size_t n, uint64_t *moves, psh_error *err) {
    psh_hash_node *sorted = NULL;
    next_state next;
    psh_status st;

    if (!s || (n && !changes))
        return pshi_fail(err, PSH_E_INVALID, s ? "changes" : "s", "is NULL");
    if (n > 2 * (size_t)PSHI_SHARDS_NODES)
        return pshi_fail(err, PSH_E_LIMIT, "changes", "more than 2^20 nodes");
    memset(&next, 0, sizeof next);
    st = pshi_hash_nodes_sorted(s->env, changes, n, 0, &sorted, err);
    if (st == PSH_OK)
        st = take_next(s, s->count + n, &next, err);
    if (st == PSH_OK)
        st = set_nodes(s, sorted, n, &next, moves, err);
    free_next(s, &next);
    pshi_free(s->env, sorted);
    return st;
}

static psh_status check_loads(
    const psh_shards *s, const uint32_t *shards, const double *loads, size_t n, psh_error *err) {
    size_t i;

    if (!s || (n && (!shards || !loads)))
        return pshi_fail(err, PSH_E_INVALID, !s ? "s" : shards ? "loads" : "shards", "is NULL");
    for (i = 0; i < n; i++) {
        if (shards[i] >= s->o.shards)
            return pshi_fail_at(err, PSH_E_INVALID, "shards", i, "there is no such shard");
        if (!(loads[i] >= 0) || loads[i] > PSHI_SHARDS_LOAD)
            return pshi_fail_at(err, PSH_E_INVALID, "loads", i, "must be within 0..1e290");
    }
    return PSH_OK;
}

psh_status psh_shards_set_loads(
    psh_shards *s, const uint32_t *shards, const double *loads, size_t n, uint64_t *moves, psh_error *err) {
    psh_status st = check_loads(s, shards, loads, n, err);
    next_state next;
    size_t i;

    if (st != PSH_OK)
        return st;
    st = take_next(s, s->count, &next, err);
    for (i = 0; st == PSH_OK && i < n; i++)
        next.loads[shards[i]] = loads[i] > 0 ? loads[i] : 0; /* never -0 */
    if (st == PSH_OK && s->count)
        memcpy(next.nodes, s->nodes, s->count * sizeof *next.nodes);
    next.count = s->count;
    if (st == PSH_OK)
        st = reach(s, &next, moves, err);
    free_next(s, &next);
    return st;
}
