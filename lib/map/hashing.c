/* SPDX-License-Identifier: MIT */
/*
 * AnchorHash (Mendelson et al. 2021, the variant with arrays A, K, W, L and stack R), made immutable: a value holds
 * A and K of gone buckets only, found by their rank among them. W, L and R follow from the order of removal, which
 * A tells, and are worked out anew for a change.
 */
#include "map/hashing.h"

#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)
#define BATCH 64u

uint64_t psh_key_hash(const void *data, size_t size) {
    return data || !size ? pshi_hash(size ? data : "", size) : 0;
}

/* x of 2^64 to n: the upper half of the product (Lemire 2019), without a division. */
static inline uint32_t to_range(uint64_t x, uint32_t n) {
    return (uint32_t)(((pshi_u128)x * n) >> 64);
}

static inline uint32_t ones(uint32_t x) {
    x -= x >> 1 & 0x55555555u;
    x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0fu;
    return x * 0x01010101u >> 24;
}

/* Gone buckets below b. */
static inline uint32_t gone_below(const psh_hashing *h, uint32_t b) {
    uint64_t word = h->words[b / 32];

    return (uint32_t)(word >> 32) + ones(~(uint32_t)word & ((UINT32_C(1) << (b % 32)) - 1));
}

static inline uint64_t mix_key(const psh_hashing *h, uint64_t key) {
    return pshi_mix64(key ^ h->mixed);
}

/* The paper's GETBUCKET from a first bucket that does not work. */
static uint32_t walk(const psh_hashing *h, uint64_t x, uint32_t b) {
    uint32_t limit = b < h->top ? h->after[gone_below(h, b)] : b, after, at, rank = 0;

    for (;;) {
        at = to_range(pshi_mix64(x + GOLDEN * (b + UINT64_C(1))), limit);
        for (;;) {
            if (pshi_hashing_works(h, at))
                return at;
            if (at < h->top)
                rank = gone_below(h, at);
            after = at < h->top ? h->after[rank] : at;
            if (after < limit)
                break;
            at = h->next[rank]; /* it went before b, so when b went another bucket stood in its place */
        }
        b = at;
        limit = after;
    }
}

uint32_t psh_hashing_find(const psh_hashing *h, uint64_t key_hash) {
    uint64_t x;
    uint32_t b;

    if (!h)
        return PSH_NONE;
    x = mix_key(h, key_hash);
    b = to_range(x, h->capacity);
    if (!pshi_hashing_works(h, b))
        b = walk(h, x, b);
    return pshi_hashing_owner(h, b);
}

/* First probes without a branch that depends on the key, then the few that missed. */
static void find_batch(const psh_hashing *h, const uint64_t *keys, uint32_t n, uint32_t *nodes) {
    uint32_t missed[BATCH], misses = 0, i, b, here;
    uint64_t x;

    for (i = 0; i < n; i++) {
        b = to_range(mix_key(h, keys[i]), h->capacity);
        nodes[i] = b;
        missed[misses] = i;
        here = b < h->top ? b : 0;
        misses += !((b < h->top) & (h->words[here / 32] >> (here % 32)));
    }
    for (i = 0; i < misses; i++) {
        x = mix_key(h, keys[missed[i]]);
        nodes[missed[i]] = walk(h, x, nodes[missed[i]]);
    }
    for (i = 0; i < n; i++)
        nodes[i] = pshi_hashing_owner(h, nodes[i]);
}

void psh_hashing_find_many(const psh_hashing *h, const uint64_t *key_hashes, size_t n, uint32_t *nodes) {
    uint32_t part;

    for (; h && key_hashes && nodes && n; n -= part, key_hashes += part, nodes += part) {
        part = n < BATCH ? (uint32_t)n : BATCH;
        find_batch(h, key_hashes, part, nodes);
    }
}

psh_hashing *psh_hashing_ref(psh_hashing *h) {
    if (h)
        pshi_ref_get(&h->refs);
    return h;
}

static void free_hashing(psh_hashing *h) {
    pshi_free(h->env, h->words);
    pshi_free(h->env, h->after);
    pshi_free(h->env, h->next);
    pshi_free(h->env, h->owners);
    pshi_free(h->env, h->nodes);
    pshi_free(h->env, h->weights);
    pshi_free(h->env, h);
}

void psh_hashing_unref(psh_hashing *h) {
    if (h && pshi_ref_put(&h->refs))
        free_hashing(h);
}

size_t psh_hashing_count(const psh_hashing *h) {
    return h ? h->count : 0;
}

size_t psh_hashing_bytes(const psh_hashing *h) {
    return h ? h->bytes : 0;
}

/* Without owners, the i-th bucket that works: the last word with at most i working ones below it, then its bits. */
static uint32_t select_working(const psh_hashing *h, uint32_t i) {
    uint32_t low = 0, high = (h->top + 31) / 32, middle, word;

    while (high - low > 1) {
        middle = low + (high - low) / 2;
        if (middle * 32 - (uint32_t)(h->words[middle] >> 32) <= i)
            low = middle;
        else
            high = middle;
    }
    word = (uint32_t)h->words[low];
    for (i -= low * 32 - (uint32_t)(h->words[low] >> 32); i; i--)
        word &= word - 1;
    for (low *= 32; !(word & 1); word >>= 1)
        low++;
    return low;
}

psh_status psh_hashing_node(const psh_hashing *h, size_t i, psh_hash_node *out) {
    if (!h || !out || i >= h->count)
        return PSH_E_NOT_FOUND;
    out->node = h->nodes ? h->nodes[i] : h->first + select_working(h, (uint32_t)i);
    out->weight = h->weights ? h->weights[i] : 1;
    return PSH_OK;
}

void pshi_hashing_nodes(const psh_hashing *h, psh_hash_node *nodes) {
    uint32_t b, n = 0;

    for (b = 0; !h->nodes && b < h->top; b++)
        if (pshi_hashing_works(h, b))
            nodes[n++] = (psh_hash_node){ h->first + b, 1 };
    for (; n < h->count; n++)
        nodes[n] = (psh_hash_node){ h->nodes[n], h->weights ? h->weights[n] : 1 };
}

void pshi_hashing_order(const psh_hashing *h, uint32_t *order) {
    uint32_t b, i = 0;

    for (b = 0; i < h->gone_count; b++)
        if (!pshi_hashing_works(h, b))
            order[h->top - 1 - h->after[i++]] = b;
}

/* ---- build ---- */

static void *take(psh_hashing *h, size_t n, size_t size) {
    void *p = pshi_calloc(h->env, n, size);

    h->bytes += p ? n * size : 0;
    return p;
}

static int is_in_line(const pshi_hashing_draft *d) {
    uint32_t b;

    if (d->owners[0] >= PSH_NONE - d->top)
        return 0;
    for (b = 0; b < d->top; b++)
        if (d->owners[b] != d->owners[0] + b)
            return 0;
    return 1;
}

static int is_even(const pshi_hashing_draft *d) {
    uint32_t i;

    for (i = 0; i < d->count; i++)
        if (d->nodes[i].weight != 1)
            return 0;
    return 1;
}

static psh_status build_nodes(psh_hashing *h, const pshi_hashing_draft *d) {
    uint32_t i;

    h->count = d->count;
    h->first = d->owners[0];
    if (is_in_line(d))
        return PSH_OK;
    h->owners = take(h, d->top, sizeof *h->owners);
    h->nodes = take(h, d->count, sizeof *h->nodes);
    if (!h->owners || !h->nodes)
        return PSH_E_NOMEM;
    memcpy(h->owners, d->owners, d->top * sizeof *h->owners);
    for (i = 0; i < d->count; i++)
        h->nodes[i] = d->nodes[i].node;
    if (is_even(d))
        return PSH_OK;
    h->weights = take(h, d->count, sizeof *h->weights);
    for (i = 0; h->weights && i < d->count; i++)
        h->weights[i] = (uint16_t)d->nodes[i].weight;
    return h->weights ? PSH_OK : PSH_E_NOMEM;
}

static psh_status build_bits(psh_hashing *h, const pshi_hashing_draft *d) {
    uint32_t words = (d->top + 31) / 32, i, below = 0;

    h->words = take(h, words, sizeof *h->words);
    if (!h->words)
        return PSH_E_NOMEM;
    for (i = 0; i < words; i++)
        h->words[i] = UINT32_MAX;
    for (i = 0; i < d->gone_count; i++)
        h->words[d->gone[i] / 32] &= ~(UINT64_C(1) << (d->gone[i] % 32));
    for (i = 0; i < words; i++) {
        h->words[i] |= (uint64_t)below << 32;
        below += 32 - ones((uint32_t)h->words[i]);
    }
    return PSH_OK;
}

/* The paper's REMOVEBUCKET for each, from the state in which all below top work. */
static psh_status build_gone(psh_hashing *h, const pshi_hashing_draft *d) {
    uint32_t *w, *l, i, b, rank, n = d->top;

    if (!d->gone_count)
        return PSH_OK;
    h->after = take(h, d->gone_count, sizeof *h->after);
    h->next = take(h, d->gone_count, sizeof *h->next);
    w = pshi_alloc(h->env, 2 * (size_t)d->top * sizeof *w);
    if (!h->after || !h->next || !w) {
        pshi_free(h->env, w);
        return PSH_E_NOMEM;
    }
    l = w + d->top;
    for (i = 0; i < d->top; i++)
        w[i] = l[i] = i;
    for (i = 0; i < d->gone_count; i++) {
        b = d->gone[i];
        n--;
        rank = gone_below(h, b);
        h->after[rank] = n;
        h->next[rank] = w[n];
        w[l[b]] = w[n];
        l[w[n]] = l[b];
    }
    pshi_free(h->env, w);
    return PSH_OK;
}

psh_status pshi_hashing_build(const pshi_hashing_draft *d, psh_hashing **out) {
    psh_hashing *h = pshi_calloc(d->env, 1, sizeof *h);
    psh_status st;

    *out = NULL;
    if (!h)
        return PSH_E_NOMEM;
    pshi_ref_init(&h->refs);
    h->env = d->env;
    h->bytes = sizeof *h;
    h->seed = d->seed;
    h->mixed = pshi_mix64(d->seed + GOLDEN);
    h->capacity = d->capacity;
    h->top = d->top;
    h->gone_count = d->gone_count;
    st = build_nodes(h, d);
    if (st == PSH_OK)
        st = build_bits(h, d);
    if (st == PSH_OK)
        st = build_gone(h, d);
    if (st == PSH_OK)
        *out = h;
    else
        free_hashing(h);
    return st;
}
