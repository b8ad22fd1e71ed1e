/* SPDX-License-Identifier: MIT */
/** @file map/hashing.h  The inside of a consistent hash, for its build, its changes and its bytes. */
#ifndef PSHI_MAP_HASHING_H
#define PSHI_MAP_HASHING_H

#include <predshard/hashing.h>

#include "base/hash.h"
#include "base/ref.h"

#define PSHI_HASHING_CAPACITY (UINT32_C(1) << 27)
#define PSHI_HASHING_WEIGHT 65535u

/**
 * Buckets 0..top-1 work or are gone; those above never worked, and what the paper's arrays would hold of them is
 * known without arrays: A[b] = K[b] = b. So memory goes by what is there, not by the capacity.
 */
struct psh_hashing {
    pshi_ref refs;
    uint32_t capacity;
    uint32_t top;
    uint32_t gone_count;
    uint32_t first;     /* without owners: bucket b is of node first + b */
    uint32_t count;     /* nodes */
    uint64_t seed;
    uint64_t mixed;     /* the seed as it goes into a key */
    psh_env *env;
    uint64_t *words;    /* Shape [top / 32, up]: a bit a bucket that works; above them the gone buckets of the words
                         * before, so that one load tells both */
    uint32_t *after;    /* Shape [gone_count]: the paper's A, buckets that worked once it had gone; by bucket */
    uint32_t *next;     /* Shape [gone_count]: the paper's K, what took its place; read seldom, hence apart */
    uint32_t *owners;   /* Shape [top]: of a gone bucket its last one; NULL: see first */
    uint32_t *nodes;    /* Shape [count], ascending; NULL as owners */
    uint16_t *weights;  /* Shape [count]; NULL: all 1 */
    size_t bytes;
};

/** All that a value is made of. Nothing is owned. */
typedef struct pshi_hashing_draft {
    psh_env *env;
    uint64_t seed;
    uint32_t capacity;
    uint32_t top;               /* >= 1 more than gone_count */
    uint32_t gone_count;
    uint32_t count;
    const uint32_t *gone;       /* Shape [gone_count], distinct, < top, in order of removal */
    const uint32_t *owners;     /* Shape [top] */
    const psh_hash_node *nodes; /* Shape [count], ascending: the owners of what works, with how often */
} pshi_hashing_draft;

/** Replays the removals. @return PSH_OK, PSH_E_NOMEM. *out is the caller's, NULL on an error. */
psh_status pshi_hashing_build(const pshi_hashing_draft *d, psh_hashing **out);
/** Writes the nodes, ascending. @param nodes  Shape [count] */
void pshi_hashing_nodes(const psh_hashing *h, psh_hash_node *nodes);
/** Writes the gone buckets in order of removal. @param order  Shape [gone_count] */
void pshi_hashing_order(const psh_hashing *h, uint32_t *order);
/**
 * Checks nodes and weights least..65535 and copies them, ascending by node.
 * @param out  the caller's to free, also where a node stands there twice; NULL on another error
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM.
 */
psh_status pshi_hash_nodes_sorted(
    psh_env *env, const psh_hash_node *nodes, size_t n, uint32_t least, psh_hash_node **out, psh_error *err);

static inline int pshi_hashing_works(const psh_hashing *h, uint32_t b) {
    return b < h->top && (!h->gone_count || (h->words[b / 32] >> (b % 32) & 1));
}

/** The owner of a bucket below top, whether it works or not. */
static inline uint32_t pshi_hashing_owner(const psh_hashing *h, uint32_t b) {
    return h->owners ? h->owners[b] : h->first + b;
}

#endif
