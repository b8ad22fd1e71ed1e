/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/hash.h"
#include "route/route.h"
#include "value/world.h"

/* Where one partition is read. */
typedef struct source {
    const psh_partition *partition;
    uint32_t node;
    uint32_t tier;
} source;

/* Whether the arc holds one of the points: the first point at or after its beginning tells. */
static int holds_point(const psh_route *route, const psh_partition *p) {
    size_t low = 0;
    size_t high = route->point_count;
    size_t mid;

    if (!high)
        return 1;
    while (low < high) {
        mid = low + (high - low) / 2;
        if (route->points[mid] < p->arc_first)
            low = mid + 1;
        else
            high = mid;
    }
    return low < route->point_count && route->points[low] <= p->arc_last;
}

/* Partitions come in order of time, so that the points move rarely. */
static int is_wanted(const pshi_routing *r, const psh_partition *p, int64_t from, int64_t to) {
    if (!pshi_partition_owns(p) || p->time_from >= to || from >= p->time_to)
        return 0;
    if (p->time_from < r->route->points_from || p->time_from >= r->route->points_to)
        pshi_points_move(r, p->time_from);
    return holds_point(r->route, p);
}

/*
 * The owner, or one of the replicas that are ready: the node that hashes highest together with the query, so that
 * queries spread evenly, each finds what it read before still warm, and takes as few nodes as it can (rendezvous
 * hashing, Thaler & Ravishankar 1998).
 */
static source source_of(const pshi_routing *r, const psh_partition *p) {
    source s = { p, p->node, p->tier };
    uint64_t id = psh_query_id(r->request->query), best, weight;
    const psh_replica *copies;
    size_t n = 0, i;

    copies = r->has_replicas ? psh_world_replicas(r->world, p->id, &n) : NULL;
    best = n ? pshi_mix64(id ^ pshi_mix64((uint64_t)p->node + 1)) : 0;
    for (i = 0; i < n; i++) {
        weight = pshi_mix64(id ^ pshi_mix64((uint64_t)copies[i].node + 1));
        if (copies[i].state != PSH_REPLICA_READY || weight <= best)
            continue;
        best = weight;
        s.node = copies[i].node;
        s.tier = copies[i].tier;
    }
    return s;
}

static int leg_compare(const psh_leg *l, const source *p) {
    if (l->node != p->node)
        return l->node < p->node ? -1 : 1;
    return l->tier == p->tier ? 0 : l->tier < p->tier ? -1 : 1;
}

/* Counts p into its leg among those from `first` on, which stand by (node, tier). */
static psh_status count_partition(psh_route *route, size_t first, const source *p) {
    size_t at = route->leg_count;
    psh_leg *l;

    if (route->partition_count == route->max_partitions)
        return PSH_E_LIMIT;
    while (at > first && leg_compare(&route->legs[at - 1], p) > 0)
        at--;
    if (at > first && leg_compare(&route->legs[at - 1], p) == 0) {
        route->legs[at - 1].partition_count++;
        route->partition_count++;
        return PSH_OK;
    }
    if (route->leg_count == route->max_legs)
        return PSH_E_LIMIT;
    l = &route->legs[at];
    memmove(l + 1, l, (route->leg_count - at) * sizeof *l);
    memset(l, 0, sizeof *l);
    l->kind = PSH_LEG_BASE;
    l->node = p->node;
    l->tier = p->tier;
    l->partition_count = 1;
    route->leg_count++;
    route->partition_count++;
    return PSH_OK;
}

static void place_partition(psh_route *route, size_t first, const source *p) {
    psh_leg *l = &route->legs[first];

    while (leg_compare(l, p) != 0)
        l++;
    route->partitions[(size_t)(l->partitions - route->partitions) + l->partition_count++] = p->partition;
}

/* Gives each leg its stretch of the array, still empty. */
static void lay_out(psh_route *route, size_t first, size_t used, int64_t from, int64_t to, uint32_t table) {
    psh_leg *l;
    size_t i;

    for (i = first; i < route->leg_count; i++) {
        l = &route->legs[i];
        l->table = table;
        l->time_from = from;
        l->time_to = to;
        l->partitions = route->partitions + used;
        used += l->partition_count;
        l->partition_count = 0;
    }
}

static int quarantine_touches(const pshi_routing *r, int64_t from, int64_t to) {
    return r->quarantine && r->quarantine->time_from < to && from < r->quarantine->time_to;
}

psh_status pshi_base_legs(const pshi_routing *r, int64_t from, int64_t to) {
    psh_route *route = r->route;
    size_t first_leg = route->leg_count;
    size_t used = route->partition_count;
    const psh_partition *p;
    psh_status st = PSH_OK;
    size_t first, end, i;
    source s;

    psh_world_partitions_between(r->world, r->spec->table, from, to, &first, &end);
    for (i = first; st == PSH_OK && i < end; i++) {
        p = psh_world_partition(r->world, i);
        if (!is_wanted(r, p, from, to))
            continue;
        s = source_of(r, p);
        st = count_partition(route, first_leg, &s);
    }
    if (st == PSH_OK && quarantine_touches(r, from, to)) {
        s = source_of(r, r->quarantine);
        st = count_partition(route, first_leg, &s);
    }
    if (st != PSH_OK)
        return st;
    lay_out(route, first_leg, used, from, to, r->spec->table);
    for (i = first; i < end; i++) {
        p = psh_world_partition(r->world, i);
        if (!is_wanted(r, p, from, to))
            continue;
        s = source_of(r, p);
        place_partition(route, first_leg, &s);
    }
    if (quarantine_touches(r, from, to)) {
        s = source_of(r, r->quarantine);
        place_partition(route, first_leg, &s);
    }
    return PSH_OK;
}
