/* SPDX-License-Identifier: MIT */
/** @file map/shards.h  Shards on nodes with bounded load, and one change of where they are. */
#ifndef PSHI_MAP_SHARDS_H
#define PSHI_MAP_SHARDS_H

#include <predshard/hashing.h>

#define PSHI_SHARDS_MOST (UINT32_C(1) << 24)
#define PSHI_SHARDS_NODES (UINT32_C(1) << 20)
#define PSHI_SHARDS_LOAD 1e290 /* sums and products of them stay finite */
#define PSHI_SHARDS_SLACK 1e6

typedef struct pshi_shard_node {
    uint32_t node;
    uint32_t weight; /* 1..65535 */
    double load;     /* of its shards */
    double fair;     /* its weighted share of all load */
} pshi_shard_node;

struct psh_shards {
    psh_env *env;
    psh_shards_options o;
    uint32_t count;
    uint32_t *at;           /* Shape [o.shards]: index of a node, PSH_NONE before there is one */
    double *loads;          /* Shape [o.shards] */
    pshi_shard_node *nodes; /* Shape [count], ascending by node */
};

/** A state to be reached. The caller owns the arrays. */
typedef struct pshi_placing {
    psh_env *env;
    double slack;
    uint32_t shards;
    uint32_t count;              /* nodes, >= 1 */
    uint32_t *at;                /* Shape [shards]: in: where they are, PSH_NONE: to be placed; out: a node each */
    const double *loads;         /* Shape [shards] */
    pshi_shard_node *nodes;      /* Shape [count]; load and fair are written */
    const unsigned char *raised; /* Shape [count]: 1: to be filled up to its share */
} pshi_placing;

/**
 * Places what has no node, takes shards from nodes over their bound, fills nodes that were raised, with no move
 * beyond that. @return PSH_OK, PSH_E_NOMEM.
 */
psh_status pshi_shards_place(pshi_placing *p);
/** Works load and fair of the nodes out, in one order, so that they depend on the placement only. */
void pshi_shards_sum(
    pshi_shard_node *nodes, uint32_t count, const uint32_t *at, const double *loads, uint32_t shards);

#endif
