/* SPDX-License-Identifier: MIT */
/** @file predshard/router.h  Sends writes to partitions and queries to views and partitions; combines answers. */
#ifndef PREDSHARD_ROUTER_H
#define PREDSHARD_ROUTER_H

#include <predshard/world.h>
PSH_BEGIN_DECLS

/**
 * Routes against a pinned world. Holds nothing but options and counters.
 *
 * Threads  One router per thread, or calls that do not overlap; worlds and queries are shared freely.
 */
typedef struct psh_router psh_router;

typedef struct psh_router_options {
    uint32_t struct_size;
    uint32_t flags;          /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    uint32_t max_legs;       /**< legs of a route, 2..4096; default 64 */
    uint32_t max_partitions; /**< partitions of a route in all; default 65536 */
} psh_router_options;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_router_options_init(psh_router_options *o, uint32_t size);
/** @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED, PSH_E_NOMEM. *out is the caller's, NULL on an error. */
PSH_API psh_status psh_router_create(
    psh_env *env, const psh_router_options *o, psh_router **out, psh_error *err);
/** NULL is allowed. */
PSH_API void psh_router_destroy(psh_router *r);

#define PSH_COVERAGE_WHOLE 1
#define PSH_COVERAGE_PART 2
#define PSH_COVERAGE_NONE 3

#define PSH_LEG_BASE 1
#define PSH_LEG_VIEW 2

/** One piece of work: read rows of [time_from, time_to). */
typedef struct psh_leg {
    uint32_t kind;            /**< PSH_LEG_* */
    uint32_t table;
    uint32_t node;            /**< to be read at: of a BASE leg's owners, or of their replicas */
    uint32_t tier;            /**< on that node */
    uint64_t view;            /**< VIEW: its id; else 0 */
    int64_t time_from;
    int64_t time_to;
    const psh_partition *const *partitions; /**< BASE: Shape [partition_count], borrowed from the world */
    size_t partition_count;
} psh_leg;

/** The result of routing one query; reused from query to query without allocation. */
typedef struct psh_route psh_route;

#define PSH_ROUTE_BASE_ONLY 1u /**< use no view: the fallback of every route */

typedef struct psh_route_request {
    uint32_t struct_size;
    uint32_t flags;          /**< PSH_ROUTE_* */
    const psh_query *query;
    int64_t now;
    uint64_t head_position;  /**< the source's last commit as the caller knows it; 0 = unknown */
} psh_route_request;

/**
 * Sized by the router's options.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. *out is the caller's, NULL on an error.
 */
PSH_API psh_status psh_route_create(psh_router *r, psh_route **out);
/** NULL is allowed. */
PSH_API void psh_route_destroy(psh_route *route);
/**
 * Coverage is whole if one view answers all of the time range, part if a view answers some of it and base
 * legs the rest, none if base legs answer all. A part of a view serves when it holds every change up to
 * head_position; or its interval is sealed and it holds the interval's last_position; or its commit_time is
 * not before now - max_staleness_ns. Base legs: the partitions that the tenant and time predicates leave,
 * one leg per (node, tier), and the quarantine where it holds rows of that time. A tenant's point is that of its
 * segment in each interval (psh_world_point). A partition is read at its owner or at one of its replicas that are
 * ready: which, the query's id decides, so that queries spread over them and each comes back to the same.
 * Among views the one that covers most time wins, then the one with the fewest groups, then the least id.
 * A head_position of 0 makes no part fresh. A view that follows its base serves no interval without an owner.
 * No allocation. The route borrows from world and query.
 * @return PSH_OK, PSH_E_LIMIT (too many legs or partitions), PSH_E_INVALID.
 */
PSH_API psh_status psh_router_route(
    psh_router *r, const psh_world *world, const psh_route_request *request, psh_route *out);
/** @return PSH_COVERAGE_*. */
PSH_API uint32_t psh_route_coverage(const psh_route *route);
/** @return legs. */
PSH_API size_t psh_route_leg_count(const psh_route *route);
/** @return PSH_OK, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_route_leg(const psh_route *route, size_t i, psh_leg *out);
/** Why not whole: the closest view's PSH_MATCH_* reason, 0 for freshness or readiness. */
PSH_API uint32_t psh_route_reason(const psh_route *route);
/** Appends text. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_route_dump(const psh_route *route, psh_buffer *out);

/** Where a row goes. */
typedef struct psh_placement {
    const psh_partition *partition; /**< NULL: there is not even a quarantine */
    uint32_t quarantined;           /**< 1: no planned partition owns the key */
    uint32_t late;                  /**< 1: its interval is sealed: publish after psh_map_observe_write */
} psh_placement;
/**
 * @param tenant  psh_tenant_id; 0 for a table without tenant column
 * @param time    event time of the row
 * The owner of psh_world_point, never a replica. No allocation.
 * @return PSH_OK, PSH_E_NOT_FOUND (table, or no partition and no quarantine).
 */
PSH_API psh_status psh_router_write(
    psh_router *r, const psh_world *world, uint32_t table, uint64_t tenant, int64_t time, psh_placement *out);

typedef struct psh_router_stats {
    uint32_t struct_size;
    uint32_t reserved;      /**< 0 */
    uint64_t queries;
    uint64_t whole;
    uint64_t part;
    uint64_t none;
    uint64_t writes;
    uint64_t quarantined;
} psh_router_stats;
/** Fills the first out->struct_size bytes. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_router_get_stats(const psh_router *r, psh_router_stats *out);

PSH_END_DECLS
#endif
