/* SPDX-License-Identifier: MIT */
/** @file map_peers.h  Contestants behind one interface, for C and C++. */
#ifndef BENCH_MAP_PEERS_H
#define BENCH_MAP_PEERS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Looks n keys up. @return the sum of what was found */
typedef uint64_t (*map_run)(void *self, const void *keys, size_t n);

/** One way to look a key up, in two disciplines. */
typedef struct map_peer {
    const char *name;
    void *self;
    map_run independent;
    map_run dependent; /**< the next key is not known before the last one's result */
    void (*destroy)(void *self);
    double bytes;      /**< an entry; 0 = unknown */
} map_peer;

/**
 * The two loops over 64-bit keys round FIND(self, key) -> uint32_t, so that each lookup can be inlined.
 * Results are below 2^31: last >> 31 is 0, which only the processor finds out.
 */
#define MAP_LOOPS(NAME, TYPE, FIND) MAP_LOOPS_FOR(, NAME, TYPE, FIND)
/** The same, compiled for what the attribute TARGET names. */
#define MAP_LOOPS_FOR(TARGET, NAME, TYPE, FIND)                                                       \
    TARGET static uint64_t NAME##_independent(void *self, const void *keys, size_t n) {               \
        const TYPE *t = (const TYPE *)self;                                                           \
        const uint64_t *k = (const uint64_t *)keys;                                                   \
        uint64_t sum = 0;                                                                             \
        for (size_t i = 0; i < n; i++)                                                                \
            sum += FIND(t, k[i]);                                                                     \
        return sum;                                                                                   \
    }                                                                                                 \
    TARGET static uint64_t NAME##_dependent(void *self, const void *keys, size_t n) {                 \
        const TYPE *t = (const TYPE *)self;                                                           \
        const uint64_t *k = (const uint64_t *)keys;                                                   \
        uint64_t sum = 0;                                                                             \
        uint32_t last = 0;                                                                            \
        for (size_t i = 0; i < n; i++) {                                                              \
            last = FIND(t, k[i] ^ (last >> 31));                                                      \
            sum += last;                                                                              \
        }                                                                                             \
        return sum;                                                                                   \
    }

/** The same over byte keys of MAP_KEY bytes, FIND(self, bytes); n + 1 keys are there. */
#define MAP_KEY 32
#define MAP_BYTE_LOOPS(NAME, TYPE, FIND)                                                              \
    static uint64_t NAME##_independent(void *self, const void *keys, size_t n) {                      \
        const TYPE *t = (const TYPE *)self;                                                           \
        const char *k = (const char *)keys;                                                           \
        uint64_t sum = 0;                                                                             \
        for (size_t i = 0; i < n; i++)                                                                \
            sum += FIND(t, k + i * MAP_KEY);                                                          \
        return sum;                                                                                   \
    }                                                                                                 \
    static uint64_t NAME##_dependent(void *self, const void *keys, size_t n) {                        \
        const TYPE *t = (const TYPE *)self;                                                           \
        const char *k = (const char *)keys;                                                           \
        uint64_t sum = 0;                                                                             \
        uint32_t last = 0;                                                                            \
        for (size_t i = 0; i < n; i++) {                                                              \
            last = FIND(t, k + (i + (last >> 31)) * MAP_KEY);                                         \
            sum += last;                                                                              \
        }                                                                                             \
        return sum;                                                                                   \
    }

/** Each holds range i: keys from keys[i] on, ascending, are i's. */
map_peer map_std(const uint64_t *keys, uint32_t n);
map_peer map_absl(const uint64_t *keys, uint32_t n);
map_peer map_sorted(const uint64_t *keys, uint32_t n);
map_peer map_stree(const uint64_t *keys, uint32_t n);
map_peer map_lmdb(const uint64_t *keys, uint32_t n);
/** keys: Shape [n][MAP_KEY], ascending. */
map_peer map_std_bytes(const char *keys, uint32_t n);
map_peer map_absl_bytes(const char *keys, uint32_t n);

/** Which form of the static B+ tree this processor gets. */
const char *map_stree_form(void);
/** One put and its commit, without sync. */
void map_lmdb_put(void *self, uint64_t key, uint32_t value);

#ifdef __cplusplus
}
#endif
#endif
