/* SPDX-License-Identifier: MIT */
/** @file route/route.h  What the files of the router share. */
#ifndef PSHI_ROUTE_ROUTE_H
#define PSHI_ROUTE_ROUTE_H

#include <predshard/router.h>

#include "value/schema.h"

/* Longer lists of tenants prune nothing: they touch most arcs anyway. */
#define PSHI_ROUTE_POINTS 256u

struct psh_router {
    psh_env *env;
    psh_router_options o;
    psh_router_stats stats;
};

struct psh_route {
    psh_env *env;
    psh_leg *legs; /* Shape [max_legs], in order of time */
    size_t max_legs;
    size_t leg_count;
    const psh_partition **partitions; /* Shape [max_partitions] */
    size_t max_partitions;
    size_t partition_count;
    uint32_t coverage;
    uint32_t reason;
    uint64_t tenants[PSHI_ROUTE_POINTS]; /* asked for */
    size_t tenant_count;                 /* 0 = all */
    uint64_t points[PSHI_ROUTE_POINTS]; /* of the tenants asked for, ascending, */
    size_t point_count;                 /* 0 = all tenants, */
    int64_t points_from;                /* in intervals that begin within [points_from, points_to) */
    int64_t points_to;
};

/** One query being routed. */
typedef struct pshi_routing {
    const psh_world *world;
    const psh_route_request *request;
    const psh_query_spec *spec;
    const pshi_table *table;
    const psh_partition *quarantine; /* NULL: none, or it holds no rows */
    psh_route *route;
    int64_t from; /* the part of the query's time in which there can be rows */
    int64_t to;
    int has_replicas;
} pshi_routing;

/** A run of parts of one view on one node, that can be served. */
typedef struct pshi_run {
    uint32_t node;
    int64_t from;
    int64_t to;
    uint64_t groups;
} pshi_run;

/** Walks the runs of one view in order of time. */
typedef struct pshi_walk {
    const pshi_routing *r;
    const psh_view_part *parts;
    const uint8_t *facts; /* of each part: PSHI_PART_* */
    const size_t *solid;  /* of each part: the end of its settled run, as an index of the world's parts */
    const uint64_t *groups; /* of all parts before */
    size_t first;         /* the index of the first part */
    size_t count;
    size_t next;
    uint64_t view;
    int has_piece; /* read ahead, belongs to the next run */
    int64_t done;  /* end of the last interval taken: none is taken twice */
    int64_t bucket;
    int64_t from;
    int64_t to;
    pshi_run piece;
} pshi_walk;

/** @return PSH_MATCH_*; YES: *w is at the first run. */
uint32_t pshi_walk_begin(const pshi_routing *r, size_t view, pshi_walk *w);
/** @return 1, or 0 when there are no more. */
int pshi_walk_next(pshi_walk *w, pshi_run *out);
/** Finds the tenants that the query asks for, and their points when its time begins. */
void pshi_points_find(const pshi_routing *r);
/** Finds the points again for intervals that begin at `start`. */
void pshi_points_move(const pshi_routing *r, int64_t start);
/** Adds the base legs of [from, to). @return PSH_OK, PSH_E_LIMIT. */
psh_status pshi_base_legs(const pshi_routing *r, int64_t from, int64_t to);

#endif
