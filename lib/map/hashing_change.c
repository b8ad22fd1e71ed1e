/* SPDX-License-Identifier: MIT */
/*
 * Creating and changing a consistent hash. What goes and what comes in one change trade buckets without any other
 * key moving; what is left over is removed, or takes back the buckets that went last (the paper's stack R).
 */
#include "map/hashing.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"

/** A node whose weight changes. Ascending by node. */
typedef struct delta {
    uint32_t node;
    uint32_t drop; /* buckets that it still has to give */
    uint32_t add;  /* buckets that it still has to get */
} delta;

typedef struct change {
    const psh_hashing *h;
    psh_hash_node *wanted; /* Shape [n], ascending */
    size_t n;
    psh_hash_node *nodes;  /* Shape [h->count + n]: before, then after */
    psh_hash_node *after;
    uint32_t count;        /* of after */
    delta *deltas;
    uint32_t delta_count;
    uint64_t drops;
    uint64_t adds;
    uint32_t *owners;      /* Shape [h->top + adds] */
    uint32_t *gone;        /* Shape [h->gone_count + drops] */
    uint32_t *dropped;     /* Shape [drops] */
    uint32_t *popped;      /* Shape [adds] */
    uint32_t gone_count;
    uint32_t top;
} change;

static psh_status no_memory(psh_error *err) {
    return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the hash");
}

static int by_node(const void *a, const void *b) {
    const psh_hash_node *x = a, *y = b;

    return (x->node > y->node) - (x->node < y->node);
}

psh_status pshi_hash_nodes_sorted(
    psh_env *env, const psh_hash_node *nodes, size_t n, uint32_t least, psh_hash_node **out, psh_error *err) {
    psh_hash_node *copy;
    size_t bytes, i;
    int sorted = 1;

    *out = NULL;
    for (i = 0; i < n; i++) {
        if (nodes[i].node == PSH_NONE)
            return pshi_fail_at(err, PSH_E_INVALID, "nodes", i, "PSH_NONE is no node");
        if (nodes[i].weight < least || nodes[i].weight > PSHI_HASHING_WEIGHT)
            return pshi_fail_at(err, PSH_E_INVALID, "nodes", i, "the weight is out of its range");
        sorted &= !i || nodes[i - 1].node < nodes[i].node;
    }
    copy = pshi_mul_size(n, sizeof *copy, &bytes) ? NULL : pshi_alloc(env, bytes);
    if (!copy)
        return no_memory(err);
    if (n)
        memcpy(copy, nodes, bytes);
    if (!sorted)
        qsort(copy, n, sizeof *copy, by_node);
    *out = copy;
    for (i = 1; i < n; i++)
        if (copy[i - 1].node == copy[i].node)
            return pshi_fail(err, PSH_E_INVALID, "nodes", "a node stands there twice");
    return PSH_OK;
}

static psh_status check_sum(uint64_t sum, uint32_t capacity, psh_error *err) {
    if (!sum)
        return pshi_fail(err, PSH_E_STATE, "changes", "no node would be left");
    if (sum > capacity)
        return pshi_fail(err, PSH_E_LIMIT, "capacity", "the weights are more than the capacity");
    return PSH_OK;
}

static psh_status build_new(pshi_hashing_draft *d, uint64_t sum, psh_hashing **out, psh_error *err) {
    uint32_t *owners = pshi_alloc(d->env, (size_t)sum * sizeof *owners), i, k, b = 0;
    psh_status st;

    if (!owners)
        return no_memory(err);
    for (i = 0; i < d->count; i++)
        for (k = 0; k < d->nodes[i].weight; k++)
            owners[b++] = d->nodes[i].node;
    d->top = b;
    d->owners = owners;
    st = pshi_hashing_build(d, out);
    pshi_free(d->env, owners);
    return st == PSH_OK ? st : no_memory(err);
}

psh_status psh_hashing_create(
    psh_env *env, uint64_t seed, uint32_t capacity, const psh_hash_node *nodes, size_t n, psh_hashing **out,
    psh_error *err) {
    pshi_hashing_draft d = { .env = env, .seed = seed };
    psh_hash_node *sorted = NULL;
    uint64_t sum = 0;
    psh_status st;
    size_t i;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env || !nodes || !n)
        return pshi_fail(err, PSH_E_INVALID, env ? "nodes" : "env", "env and at least one node are needed");
    if (capacity > PSHI_HASHING_CAPACITY)
        return pshi_fail(err, PSH_E_INVALID, "capacity", "must be within 0..2^27");
    if (n > PSHI_HASHING_CAPACITY)
        return pshi_fail(err, PSH_E_LIMIT, "capacity", "the weights are more than the capacity");
    st = pshi_hash_nodes_sorted(env, nodes, n, 1, &sorted, err);
    for (i = 0; st == PSH_OK && i < n; i++)
        sum += sorted[i].weight;
    d.capacity = capacity ? capacity : sum < PSHI_HASHING_CAPACITY / 2 ? (uint32_t)sum * 2 : PSHI_HASHING_CAPACITY;
    d.count = (uint32_t)n;
    d.nodes = sorted;
    if (st == PSH_OK)
        st = check_sum(sum, d.capacity, err);
    if (st == PSH_OK)
        st = build_new(&d, sum, out, err);
    pshi_free(env, sorted);
    return st;
}

/* ---- change ---- */

static void note_delta(change *c, uint32_t node, uint32_t before, uint32_t after) {
    delta *d = &c->deltas[c->delta_count];

    if (before != after)
        c->delta_count++;
    if (before != after)
        *d = (delta){ node, before > after ? before - after : 0, after > before ? after - before : 0 };
    c->drops += before > after ? before - after : 0;
    c->adds += after > before ? after - before : 0;
}

/* Both lists ascend: one pass gives the nodes after the change, and what changes. */
static uint64_t merge_nodes(change *c) {
    uint32_t i = 0, before;
    uint64_t sum = 0;
    psh_hash_node next;
    size_t k = 0;

    while (i < c->h->count || k < c->n) {
        before = 0;
        if (k == c->n || (i < c->h->count && c->nodes[i].node < c->wanted[k].node)) {
            next = c->nodes[i++];
            before = next.weight;
        } else {
            next = c->wanted[k++];
            if (i < c->h->count && c->nodes[i].node == next.node)
                before = c->nodes[i++].weight;
            note_delta(c, next.node, before, next.weight);
        }
        if (next.weight)
            c->after[c->count++] = next;
        sum += next.weight;
    }
    return sum;
}

static delta *find_delta(const change *c, uint32_t node) {
    uint32_t low = 0, high = c->delta_count, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (c->deltas[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->delta_count && c->deltas[low].node == node ? &c->deltas[low] : NULL;
}

/* A node gives its highest buckets. */
static void collect_drops(change *c) {
    uint64_t n = 0;
    uint32_t b;
    delta *d;

    for (b = c->h->top; n < c->drops && b--;) {
        d = pshi_hashing_works(c->h, b) ? find_delta(c, c->owners[b]) : NULL;
        if (!d || !d->drop)
            continue;
        d->drop--;
        c->dropped[n++] = b;
    }
}

/* The next node that is still owed a bucket; *at goes on with the calls. */
static uint32_t next_add(change *c, uint32_t *at) {
    while (!c->deltas[*at].add)
        (*at)++;
    c->deltas[*at].add--;
    return c->deltas[*at].node;
}

static void pop_buckets(change *c, uint64_t n) {
    uint64_t i;

    for (i = 0; i < n; i++)
        c->popped[i] = c->gone_count ? c->gone[--c->gone_count] : c->top++;
}

/* A node gets its own buckets back where they are among those that return; the rest goes by node. */
static void own_popped(change *c, uint64_t n, uint32_t *at) {
    uint64_t i, left = 0;
    delta *d;

    for (i = 0; i < n; i++) {
        d = c->popped[i] < c->h->top ? find_delta(c, c->owners[c->popped[i]]) : NULL;
        if (d && d->add)
            d->add--;
        else
            c->popped[left++] = c->popped[i];
    }
    for (i = 0; i < left; i++)
        c->owners[c->popped[i]] = next_add(c, at);
}

static void change_buckets(change *c) {
    uint64_t trade = c->drops < c->adds ? c->drops : c->adds, i;
    uint32_t at = 0;

    collect_drops(c);
    for (i = 0; i < trade; i++)
        c->owners[c->dropped[i]] = next_add(c, &at);
    for (; i < c->drops; i++)
        c->gone[c->gone_count++] = c->dropped[i];
    pop_buckets(c, c->adds - trade);
    own_popped(c, c->adds - trade, &at);
}

static psh_status change_room(change *c) {
    const psh_hashing *h = c->h;
    uint32_t b;

    c->owners = pshi_alloc(h->env, (size_t)(h->top + c->adds) * sizeof *c->owners);
    c->gone = pshi_alloc(h->env, (size_t)(h->gone_count + c->drops) * sizeof *c->gone);
    c->dropped = pshi_alloc(h->env, (size_t)c->drops * sizeof *c->dropped);
    c->popped = pshi_alloc(h->env, (size_t)c->adds * sizeof *c->popped);
    if (!c->owners || !c->gone || !c->dropped || !c->popped)
        return PSH_E_NOMEM;
    for (b = 0; b < h->top; b++)
        c->owners[b] = pshi_hashing_owner(h, b);
    pshi_hashing_order(h, c->gone);
    c->gone_count = h->gone_count;
    c->top = h->top;
    return PSH_OK;
}

static psh_status build_changed(change *c, psh_hashing **out) {
    pshi_hashing_draft d = { .env = c->h->env, .seed = c->h->seed, .capacity = c->h->capacity };

    if (change_room(c) != PSH_OK)
        return PSH_E_NOMEM;
    change_buckets(c);
    d.top = c->top;
    d.gone_count = c->gone_count;
    d.gone = c->gone;
    d.owners = c->owners;
    d.nodes = c->after;
    d.count = c->count;
    return pshi_hashing_build(&d, out);
}

static psh_status run_change(change *c, psh_hashing **out, psh_error *err) {
    size_t all = c->h->count + c->n;
    psh_status st;

    c->nodes = pshi_alloc(c->h->env, all * 2 * sizeof *c->nodes);
    c->deltas = pshi_calloc(c->h->env, c->n + 1, sizeof *c->deltas);
    if (!c->nodes || !c->deltas)
        return no_memory(err);
    c->after = c->nodes + all;
    pshi_hashing_nodes(c->h, c->nodes);
    st = check_sum(merge_nodes(c), c->h->capacity, err);
    if (st != PSH_OK)
        return st;
    return build_changed(c, out) == PSH_OK ? PSH_OK : no_memory(err);
}

psh_status psh_hashing_change(
    const psh_hashing *h, const psh_hash_node *changes, size_t n, psh_hashing **out, psh_error *err) {
    change c = { .h = h, .n = n };
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!h || (n && !changes))
        return pshi_fail(err, PSH_E_INVALID, h ? "changes" : "h", "is NULL");
    if (n > UINT32_MAX)
        return pshi_fail(err, PSH_E_INVALID, "changes", "more than there are ids");
    st = n ? pshi_hash_nodes_sorted(h->env, changes, n, 0, &c.wanted, err) : PSH_OK;
    if (st == PSH_OK)
        st = run_change(&c, out, err);
    pshi_free(h->env, c.wanted);
    pshi_free(h->env, c.nodes);
    pshi_free(h->env, c.deltas);
    pshi_free(h->env, c.owners);
    pshi_free(h->env, c.gone);
    pshi_free(h->env, c.dropped);
    pshi_free(h->env, c.popped);
    return st;
}
