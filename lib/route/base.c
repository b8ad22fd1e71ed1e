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

/* Owners of the base that a leg may ask, in order of time; the quarantine comes last. */
typedef struct owners {
    const pshi_routing *r;
    int64_t from, to;
    pshi_radix_walk spans;
    const pshi_span *span;
    uint32_t at; /* the next of the span */
    int ended;
} owners;

static void begin_owners(owners *o, const pshi_routing *r, int64_t from, int64_t to) {
    o->r = r;
    o->from = from;
    o->to = to;
    o->span = NULL;
    o->at = 0;
    o->ended = 0;
    pshi_spans_seek(&r->world->tables[r->spec->table], from, &o->spans);
}

static int quarantine_touches(const owners *o) {
    const psh_partition *q = o->r->quarantine;

    return q && q->time_from < o->to && o->from < q->time_to;
}

/* Points move rarely, since spans come in order of time. */
static int next_span(owners *o) {
    o->span = pshi_spans_next(&o->spans, o->to);
    o->at = 0;
    if (!o->span)
        return 0;
    if (o->span->time_from < o->r->route->points_from || o->span->time_from >= o->r->route->points_to)
        pshi_points_move(o->r, o->span->time_from);
    return 1;
}

static const psh_partition *next_owner(owners *o) {
    const psh_partition *p;

    while (!o->ended) {
        while (o->span && o->at < o->span->owner_count) {
            p = pshi_span_owner(o->span, o->at++);
            if (holds_point(o->r->route, p))
                return p;
        }
        if (next_span(o))
            continue;
        o->ended = 1;
        if (quarantine_touches(o))
            return o->r->quarantine;
    }
    return NULL;
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

psh_status pshi_base_legs(const pshi_routing *r, int64_t from, int64_t to) {
    psh_route *route = r->route;
    size_t first_leg = route->leg_count;
    size_t used = route->partition_count;
    const psh_partition *p;
    psh_status st = PSH_OK;
    owners o;
    source s;

    begin_owners(&o, r, from, to);
    while (st == PSH_OK && (p = next_owner(&o))) {
        s = source_of(r, p);
        st = count_partition(route, first_leg, &s);
    }
    if (st != PSH_OK)
        return st;
    lay_out(route, first_leg, used, from, to, r->spec->table);
    begin_owners(&o, r, from, to);
    while ((p = next_owner(&o))) {
        s = source_of(r, p);
        place_partition(route, first_leg, &s);
    }
    return PSH_OK;
}
