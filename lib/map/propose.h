/* SPDX-License-Identifier: MIT */
/** @file map/propose.h  One call of psh_map_propose: what it read from the demand, what it has planned so far. */
#ifndef PSHI_MAP_PROPOSE_H
#define PSHI_MAP_PROPOSE_H

#include "map/arcs.h"
#include "map/map.h"

/** What the demand expects of one interval. */
typedef struct pshi_expected {
    uint32_t table;
    uint32_t skilled; /* 0: the forecast is no better than the seasonal naive, or there is none */
    int64_t interval;
    double rows;
    double bytes;
} pshi_expected;

/** A tenant's hot time. */
typedef struct pshi_zone {
    uint32_t table;
    uint64_t tenant;
    int64_t from;
    int64_t to;
    double per_s; /* requests and rows a second while it lasts, at the upper quantile */
} pshi_zone;

/** An arc to be created. */
typedef struct pshi_piece {
    uint64_t first;
    uint64_t last;
    uint32_t ordinal;
    double bytes;
} pshi_piece;

/** One interval while it is planned. */
typedef struct pshi_slice {
    uint32_t table;
    int64_t interval;
    int64_t from;
    int64_t to;
    const pshi_expected *known; /* NULL: no forecast */
    double bytes;               /* expected of it; without a forecast what the interval before now holds */
    double before;              /* bytes of the latest interval that is over */
    const pshi_weight *weights; /* of the table's tenants, where they stand in this interval */
    size_t weight_count;
} pshi_slice;

typedef struct pshi_proposal {
    const psh_map *m;
    const psh_demand *demand;
    psh_wants *out;
    psh_error *err;
    int64_t now;
    pshi_expected *intervals; /* by (table, interval) */
    size_t interval_count;
    pshi_weight *weights; /* by (table, point), of tenants without a segment */
    size_t weight_count;
    pshi_weight *placed;  /* Shape [weight_count]: the same of one interval, by their segments */
    uint32_t placed_table; /* of that interval; PSH_NONE: of none yet */
    int64_t placed_from;
    pshi_zone *zones;
    size_t zone_count;
    pshi_piece *pieces; /* of one interval */
    size_t piece_count;
    double *node_load;  /* Shape [nodes told]: planned for creations on each */
    size_t alive;  /* partitions there or proposed */
    uint64_t *used;  /* Shape [used_cap]: partitions that this plan changes; a source again for each cut */
    uint64_t *cuts;  /* Shape [used_cap]: where the leftmost of its new children begins; 0: it is not cut */
    size_t used_count, used_cap;
    uint32_t changes; /* of arcs and places, under way or proposed */
    uint64_t moved; /* bytes that those proposed copy */
    double ahead;  /* bytes planned for intervals that have not begun */
    uint64_t first[PSHI_MAP_MAX_ARCS]; /* where the arcs of one interval would begin */
} pshi_proposal;

/* propose.c */
/** What is expected of an interval, or NULL. */
const pshi_expected *pshi_expected_of(const pshi_proposal *c, uint32_t table, int64_t interval);
/** Fills weights of a slice whose table and from are set: good until the next call. */
void pshi_find_weights(pshi_proposal *c, pshi_slice *s);
/** A want on a partition, to be done at any time. */
psh_want pshi_want_of(const psh_partition *p, uint32_t kind, uint32_t why);
/** The lowest free ordinal among `used`, which it marks; PSHI_MAP_MAX_ARCS if there is none. */
uint32_t pshi_free_ordinal(uint64_t used[PSHI_MAP_MAX_ARCS / 64]);

/* reshard.c: splits, merges, moves and replicas, new and under way; nodes. */
psh_status pshi_reshard_propose(pshi_proposal *c);
/** Whether `bytes` more may be copied and one more change made by this plan. */
int pshi_reshard_affords(const pshi_proposal *c, double bytes);
/** `share` of what is left of it by then goes to a child on `node`; several in one plan, from the right. */
psh_status pshi_want_split(pshi_proposal *c, const pshi_slot *s, double share, uint32_t node, uint32_t why);
psh_status pshi_want_merge(pshi_proposal *c, const pshi_slot *left, const pshi_slot *right, uint32_t why);
psh_status pshi_want_move(pshi_proposal *c, const pshi_slot *s, uint32_t node, uint32_t why);
psh_status pshi_want_replica(pshi_proposal *c, const pshi_slot *s, uint32_t node, uint32_t why);
psh_status pshi_want_drop_replica(pshi_proposal *c, const pshi_slot *s, uint32_t node, uint32_t why);
/** An owner on which nothing is under way. */
int pshi_is_idle(const pshi_proposal *c, const pshi_slot *s);
/** How many parts of about equal load tenants allow to cut it into; 1: it cannot be cut. */
uint32_t pshi_most_parts(pshi_proposal *c, const pshi_slot *s);
/** Whether what it was last changed by is settled. */
int pshi_is_settled(const pshi_proposal *c, const pshi_slot *s);

/* heat.c: what nodes and partitions are expected to carry, evened out. */
psh_status pshi_heat_propose(pshi_proposal *c);
/** Load of a partition in its time to come: rows written, requests read, a second. */
void pshi_heat_of(pshi_proposal *c, const pshi_slot *s, double *writes, double *reads);

#endif
