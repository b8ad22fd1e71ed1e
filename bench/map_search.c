/* SPDX-License-Identifier: MIT */
/*
 * Peers over arrays: a sorted array with a branchless binary search that prefetches both next middles, and a static
 * B+ tree of 16 keys a node whose children stand where arithmetic says (as S. Slotin describes it in "Algorithms
 * for Modern Hardware" under the name S+ tree), with the vector instructions that the processor has.
 */
#include <stdlib.h>
#include <string.h>

#include "map_peers.h"
#include "tool.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* ---- sorted array ---- */

typedef struct sorted_map {
    uint64_t *keys;
    uint32_t *owners;
    uint32_t n;
} sorted_map;

static inline uint32_t sorted_find(const sorted_map *t, uint64_t key) {
    const uint64_t *base = t->keys;
    uint32_t left = t->n, half;

    while (left > 1) {
        half = left / 2;
        left -= half;
        __builtin_prefetch(base + left / 2);
        __builtin_prefetch(base + half + left / 2);
        base += (base[half] <= key) * (size_t)half;
    }
    return t->owners[base - t->keys];
}

MAP_LOOPS(sorted, sorted_map, sorted_find)

static void sorted_destroy(void *self) {
    sorted_map *t = self;

    free(t->keys);
    free(t->owners);
    free(t);
}

static uint32_t *number(uint32_t n) {
    uint32_t *x = bench_alloc(n, sizeof *x), i;

    for (i = 0; i < n; i++)
        x[i] = i;
    return x;
}

map_peer map_sorted(const uint64_t *keys, uint32_t n) {
    sorted_map *t = bench_alloc(1, sizeof *t);
    map_peer p = { "sorted_array", t, sorted_independent, sorted_dependent, sorted_destroy, 12 };

    t->keys = bench_alloc(n, sizeof *keys);
    memcpy(t->keys, keys, n * sizeof *keys);
    t->owners = number(n);
    t->n = n;
    return p;
}

/* ---- static B+ tree ---- */

#define FAN 16u

typedef struct stree {
    uint64_t *keys;        /* all levels, aligned to 64 bytes */
    void *block;
    uint32_t *owners;
    const uint64_t *level[12]; /* from the root down; the last is the leaves */
    uint32_t levels;
} stree;

static inline uint32_t rank_plain(const uint64_t *node, uint64_t key) {
    uint32_t rank = 0, i;

    for (i = 0; i < FAN; i++)
        rank += node[i] <= key;
    return rank;
}

/* Keys of a node at or below the key, level by level: child c of node i is node 17 i + c of the next level. */
#define STREE_FIND(NAME, TARGET, RANK)                                        \
    TARGET static inline uint32_t NAME(const stree *t, uint64_t key) {        \
        size_t node = 0;                                                      \
        uint32_t l;                                                           \
                                                                              \
        for (l = 0; l + 1 < t->levels; l++)                                   \
            node = node * (FAN + 1) + RANK(t->level[l] + node * FAN, key);    \
        return t->owners[node * FAN + RANK(t->level[l] + node * FAN, key) - 1]; \
    }

STREE_FIND(stree_find_plain, , rank_plain)
MAP_LOOPS(stree_plain, stree, stree_find_plain)

#if defined(__x86_64__)
#define TARGET_AVX2 __attribute__((target("avx2,popcnt")))
#define TARGET_AVX512 __attribute__((target("avx512f,popcnt")))

TARGET_AVX2 static inline uint32_t rank_avx2(const uint64_t *node, uint64_t key) {
    const __m256i top = _mm256_set1_epi64x(INT64_MIN);
    const __m256i x = _mm256_xor_si256(_mm256_set1_epi64x((long long)key), top);
    uint32_t above = 0, i;

    for (i = 0; i < FAN; i += 4) {
        __m256i k = _mm256_xor_si256(_mm256_load_si256((const __m256i *)(const void *)(node + i)), top);

        above |= (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(k, x))) << i;
    }
    return FAN - (uint32_t)__builtin_popcount(above);
}

TARGET_AVX512 static inline uint32_t rank_avx512(const uint64_t *node, uint64_t key) {
    const __m512i x = _mm512_set1_epi64((long long)key);
    uint32_t low = _mm512_cmple_epu64_mask(_mm512_load_si512(node), x);
    uint32_t high = _mm512_cmple_epu64_mask(_mm512_load_si512(node + 8), x);

    return (uint32_t)__builtin_popcount(low | high << 8);
}

STREE_FIND(stree_find_avx2, TARGET_AVX2, rank_avx2)
STREE_FIND(stree_find_avx512, TARGET_AVX512, rank_avx512)

/* The loops must have the target too, or the lookups are not inlined. */
MAP_LOOPS_FOR(TARGET_AVX2, stree_avx2, stree, stree_find_avx2)
MAP_LOOPS_FOR(TARGET_AVX512, stree_avx512, stree, stree_find_avx512)
#endif

const char *map_stree_form(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return "avx512";
    if (__builtin_cpu_supports("avx2"))
        return "avx2";
#endif
    return "plain";
}

static void choose_form(map_peer *p) {
    p->independent = stree_plain_independent;
    p->dependent = stree_plain_dependent;
#if defined(__x86_64__)
    if (strcmp(map_stree_form(), "avx512") == 0) {
        p->independent = stree_avx512_independent;
        p->dependent = stree_avx512_dependent;
    } else if (strcmp(map_stree_form(), "avx2") == 0) {
        p->independent = stree_avx2_independent;
        p->dependent = stree_avx2_dependent;
    }
#endif
}

static void stree_destroy(void *self) {
    stree *t = self;

    free(t->block);
    free(t->owners);
    free(t);
}

/* The least key below child c of a node `up` levels above the leaves; past the end: the greatest number. */
static uint64_t least_below(const uint64_t *keys, uint32_t n, size_t child, uint32_t up) {
    uint32_t i;

    for (i = 1; i < up; i++)
        child *= FAN + 1;
    return child * FAN < n ? keys[child * FAN] : UINT64_MAX;
}

static void fill_level(uint64_t *to, const uint64_t *keys, uint32_t n, size_t nodes, uint32_t up) {
    size_t i;
    uint32_t k;

    for (i = 0; i < nodes; i++)
        for (k = 0; k < FAN; k++) {
            if (up)
                to[i * FAN + k] = least_below(keys, n, i * (FAN + 1) + k + 1, up);
            else
                to[i * FAN + k] = i * FAN + k < n ? keys[i * FAN + k] : UINT64_MAX;
        }
}

map_peer map_stree(const uint64_t *keys, uint32_t n) {
    stree *t = bench_alloc(1, sizeof *t);
    map_peer p = { "stree", t, NULL, NULL, stree_destroy, 0 };
    size_t nodes[12], all = 0, at = 0;
    uint32_t levels = 1, l;

    nodes[0] = (n + FAN - 1) / FAN;
    while (nodes[levels - 1] > 1) {
        nodes[levels] = (nodes[levels - 1] + FAN) / (FAN + 1);
        levels++;
    }
    for (l = 0; l < levels; l++)
        all += nodes[l] * FAN;
    t->block = bench_alloc(all + 8, sizeof *keys);
    t->keys = (uint64_t *)(((uintptr_t)t->block + 63) & ~(uintptr_t)63);
    for (l = levels; l-- > 0;) {
        fill_level(t->keys + at, keys, n, nodes[l], l);
        t->level[levels - 1 - l] = t->keys + at;
        at += nodes[l] * FAN;
    }
    t->levels = levels;
    t->owners = number(n);
    p.bytes = ((double)all * 8 + n * 4.0) / n;
    choose_form(&p);
    return p;
}
