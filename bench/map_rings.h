/* SPDX-License-Identifier: MIT */
/** @file map_rings.h  Consistent hashes behind one interface: ours, and peers written from their papers. */
#ifndef BENCH_MAP_RINGS_H
#define BENCH_MAP_RINGS_H

#include <stddef.h>
#include <stdint.h>

#include "map_peers.h"

/** Nodes are 0..n-1 at first. Keys are random 64-bit numbers. */
typedef struct map_ring {
    const char *name;
    uint32_t most;  /**< more nodes than this are not tried: time or memory */
    int slow;       /**< 1: a change builds all anew */
    const char *note;
    void *(*create)(uint32_t n, uint32_t spare); /**< room for `spare` nodes more */
    void (*destroy)(void *self);
    void (*remove)(void *self, const uint32_t *nodes, uint32_t n);
    uint32_t (*add)(void *self, uint32_t node); /**< @return the number under which it is found */
    double (*bytes)(const void *self); /**< in all */
    map_run independent;
    map_run dependent;
    void (*all)(const void *self, const uint64_t *keys, size_t n, uint32_t *nodes);
} map_ring;

#define MAP_RINGS 6
/** Ours, ours with random node ids, anchor, jump, ketama, Maglev. */
extern const map_ring *const map_rings[MAP_RINGS];

#define MAP_RING_LOOPS(NAME, TYPE, FIND)                                                       \
    MAP_LOOPS(NAME, TYPE, FIND)                                                                \
    static void NAME##_all(const void *self, const uint64_t *keys, size_t n, uint32_t *nodes) { \
        for (size_t i = 0; i < n; i++)                                                         \
            nodes[i] = FIND((const TYPE *)self, keys[i]);                                      \
    }

extern const map_ring map_ours, map_ours_ids; /* map_rings_ours.c */
struct psh_hashing;
/** The hash within a contestant that map_ours created. */
const struct psh_hashing *map_ours_hashing(const void *self);

#endif
