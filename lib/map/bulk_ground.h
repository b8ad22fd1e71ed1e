/* SPDX-License-Identifier: MIT */
/** @file map/bulk_ground.h  One interval of a world, as bulk loads plan in it. */
#ifndef PSHI_MAP_BULK_GROUND_H
#define PSHI_MAP_BULK_GROUND_H

#include <predshard/world.h>

#include "map/bulk.h"

#define PSHI_GROUND_ORDINALS 4096u /* of an interval: as many arcs as a map lets it have */

/** A partition that owns keys. */
typedef struct pshi_owner {
    const psh_partition *p;
    uint32_t is_fixed; /* 1: not active, or what stands within it is not in order: nothing is wanted of it */
    uint32_t is_busy;  /* 1: something is wanted of it in this proposal, or under way */
    uint32_t is_kept;  /* 1: a range begins where it does */
    uint32_t is_stale; /* 1: it should be merged into its left neighbour */
    uint32_t is_taken; /* 1: the wants split, merge, seal, archive or drop it already: not ours to change now */
    uint32_t reserved;
} pshi_owner;

/** What stands within an owner and owns nothing: a shadow, one being made, or one only wanted so far. */
typedef struct pshi_inner {
    uint64_t first;
    uint64_t last;
    const psh_partition *p; /* NULL: only wanted */
    double came;            /* bytes that are there already for its arc, as loads counted them */
    uint32_t is_due;        /* 1: it should become an owner */
    uint32_t is_reached;    /* 1: it will, when it is due: nothing on its right prevents it */
    uint32_t is_stale;      /* 1: it should be merged to the left, and must be an owner first */
    uint32_t reserved;
} pshi_inner;

/** A creation that stands among the wants already. */
typedef struct pshi_taken {
    uint32_t table;
    uint32_t ordinal;
    int64_t interval;
    uint64_t id;
    uint64_t first;
    uint64_t last;
} pshi_taken;

typedef struct pshi_ground {
    psh_env *env;
    const psh_world *world;
    pshi_taken *taken;    /* by (table, interval, first) */
    size_t taken_count, taken_cap;
    uint64_t *changed;    /* ascending: ids of owners that the wants change already */
    size_t changed_count, changed_cap;
    uint32_t table;
    int64_t interval;
    pshi_owner *owners;   /* by arc */
    size_t owner_count, owner_cap;
    pshi_inner *inner;    /* by arc, disjoint but within owners that are fixed */
    size_t inner_count, inner_cap;
    uint64_t ordinals[PSHI_GROUND_ORDINALS / 64]; /* bits of those in use */
} pshi_ground;

/** Takes note of the wants that others have. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_ground_take(pshi_ground *g, const psh_wants *wants);
/** Opens the interval of partitions [first, end) of the world. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_ground_open(pshi_ground *g, size_t first, size_t end);
void pshi_ground_free(pshi_ground *g);
/** The lowest ordinal that is free, now in use; PSH_NONE if there is none. */
uint32_t pshi_ground_ordinal(pshi_ground *g);
/** Those within owner i: [*first, *end). */
void pshi_ground_within(const pshi_ground *g, size_t i, size_t *first, size_t *end);
/** Puts one that is wanted at index `at`. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_ground_insert(pshi_ground *g, size_t at, uint64_t first, uint64_t last);
/** Marks what begins at a point, owner or not, as stale. */
void pshi_ground_mark_stale(pshi_ground *g, uint64_t first);
/** The owner that begins at a point, or NULL. */
pshi_owner *pshi_ground_owner_at(const pshi_ground *g, uint64_t first);
/** Whether a node is one of the world's; where the world lists no tiers, any is. */
int pshi_ground_has_node(const psh_world *w, uint32_t node);

#endif
