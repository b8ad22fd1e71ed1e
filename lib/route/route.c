/* SPDX-License-Identifier: MIT */
#include "route/route.h"

#include <string.h>

#include "base/env.h"
#include "base/options.h"
#include "value/query.h"
#include "value/world.h"

/* How well a view serves one query. */
typedef struct candidate {
    size_t view;
    uint64_t covered; /* ns */
    uint64_t groups;
    uint64_t range; /* ns between its aligned bounds: what it could cover */
} candidate;

psh_status psh_route_create(psh_router *r, psh_route **out) {
    psh_route *route;

    if (!out)
        return PSH_E_INVALID;
    *out = NULL;
    if (!r)
        return PSH_E_INVALID;
    route = pshi_calloc(r->env, 1, sizeof *route);
    if (!route)
        return PSH_E_NOMEM;
    route->env = r->env;
    route->max_legs = r->o.max_legs;
    route->max_partitions = r->o.max_partitions;
    route->coverage = PSH_COVERAGE_NONE;
    route->legs = pshi_calloc(r->env, route->max_legs, sizeof *route->legs);
    route->partitions = pshi_calloc(r->env, route->max_partitions, sizeof *route->partitions);
    if (!route->legs || !route->partitions) {
        psh_route_destroy(route);
        return PSH_E_NOMEM;
    }
    *out = route;
    return PSH_OK;
}

void psh_route_destroy(psh_route *route) {
    psh_env *env;

    if (!route)
        return;
    env = route->env;
    pshi_free(env, route->legs);
    pshi_free(env, route->partitions);
    pshi_free(env, route);
}

static void empty_route(psh_route *route) {
    route->leg_count = 0;
    route->partition_count = 0;
    route->coverage = PSH_COVERAGE_NONE;
    route->reason = 0;
}

static psh_status routing_begin(
    const psh_world *world, const psh_route_request *request, psh_route *route, pshi_routing *r) {
    const pshi_table_index *t;

    r->world = world;
    r->request = request;
    r->route = route;
    r->spec = pshi_query_spec(request->query);
    r->table = pshi_schema_get_table(psh_world_schema(world), r->spec->table);
    if (!r->table)
        return PSH_E_INVALID;
    t = &world->tables[r->spec->table];
    r->quarantine = t->quarantine;
    r->has_replicas = psh_world_replica_count(world) > 0;
    pshi_points_find(r);
    /* The query's time, cut to where there can be rows. */
    r->from = t->from > r->spec->time_from ? t->from : r->spec->time_from;
    r->to = t->to < r->spec->time_to ? t->to : r->spec->time_to;
    return PSH_OK;
}

static void weigh(pshi_walk *w, candidate *c) {
    pshi_run run;

    c->covered = 0;
    c->groups = 0;
    c->range = w->from < w->to ? (uint64_t)w->to - (uint64_t)w->from : 0;
    while (pshi_walk_next(w, &run)) {
        c->covered += (uint64_t)run.to - (uint64_t)run.from;
        c->groups += run.groups;
    }
}

static int is_better_view(const candidate *c, const candidate *best) {
    if (c->covered != best->covered)
        return c->covered > best->covered;
    return c->covered && c->groups < best->groups;
}

/* Cheap, and never refuses a view that matches. */
static int may_match(const pshi_routing *r, const pshi_view_index *v) {
    const pshi_query_columns *asks = pshi_query_column_sets(r->request->query);
    uint64_t lacks = (v->columns.predicates & ~asks->predicates) | (asks->groups & ~v->columns.groups) |
                     (asks->measures & ~v->columns.measures) | (asks->extremes & ~v->columns.extremes);

    if (lacks || v->visibility != r->spec->visibility)
        return 0;
    return v->bucket ? r->spec->bucket_ns % v->bucket == 0 : r->spec->bucket_ns == 0;
}

/* @return 1 if a view matches; best->covered stays 0 if none serves any time. */
static int choose_view(const pshi_routing *r, candidate *best) {
    const pshi_table_index *t = &r->world->tables[r->spec->table];
    const pshi_view_index *views = r->world->rest->views_by_table;
    candidate c = { 0, 0, 0, 0 };
    int matches = 0;
    pshi_walk w;
    size_t i;

    memset(best, 0, sizeof *best);
    for (i = t->view_first; i < t->view_end; i++) {
        c.view = views[i].view;
        if (!may_match(r, &views[i]) || pshi_walk_begin(r, c.view, &w) != PSH_MATCH_YES)
            continue;
        matches = 1;
        weigh(&w, &c);
        if (is_better_view(&c, best))
            *best = c;
    }
    return matches;
}

/* Of the view that comes closest, when none matches. */
static uint32_t closest_reason(const pshi_routing *r) {
    const pshi_table_index *t = &r->world->tables[r->spec->table];
    uint32_t closest = PSH_MATCH_TABLE;
    uint32_t reason;
    pshi_walk w;
    size_t i;

    for (i = t->view_first; i < t->view_end; i++) {
        reason = pshi_walk_begin(r, r->world->rest->views_by_table[i].view, &w);
        closest = reason > closest ? reason : closest;
    }
    return closest;
}

static psh_status view_leg(const pshi_routing *r, const pshi_walk *w, const pshi_run *run) {
    psh_route *route = r->route;
    psh_leg *l;

    if (route->leg_count == route->max_legs)
        return PSH_E_LIMIT;
    l = &route->legs[route->leg_count++];
    memset(l, 0, sizeof *l);
    l->kind = PSH_LEG_VIEW;
    l->table = r->spec->table;
    l->node = run->node;
    l->view = w->view;
    l->time_from = run->from;
    l->time_to = run->to;
    return PSH_OK;
}

static psh_status base_route(const pshi_routing *r) {
    empty_route(r->route);
    return r->from < r->to ? pshi_base_legs(r, r->from, r->to) : PSH_OK;
}

/* The view's runs, and base legs for what lies between them. */
static psh_status view_route(const pshi_routing *r, size_t view) {
    int64_t at = r->from;
    psh_status st = PSH_OK;
    size_t views = 0;
    pshi_run run;
    pshi_walk w;

    empty_route(r->route);
    if (pshi_walk_begin(r, view, &w) != PSH_MATCH_YES)
        return PSH_E_INTERNAL;
    while (st == PSH_OK && pshi_walk_next(&w, &run)) {
        if (at < run.from)
            st = pshi_base_legs(r, at, run.from);
        if (st == PSH_OK)
            st = view_leg(r, &w, &run);
        at = run.to;
        views++;
    }
    if (st == PSH_OK && at < r->to)
        st = pshi_base_legs(r, at, r->to);
    r->route->coverage = r->route->leg_count == views ? PSH_COVERAGE_WHOLE : PSH_COVERAGE_PART;
    return st;
}

static psh_status build_route(const pshi_routing *r) {
    psh_status st = PSH_E_LIMIT;
    candidate best;
    uint32_t reason;

    if (r->request->flags & PSH_ROUTE_BASE_ONLY)
        return base_route(r);
    reason = choose_view(r, &best) ? PSH_MATCH_YES : closest_reason(r);
    /* All that the view could give is there, and yet the query wants more: its bounds cut buckets. */
    if (best.covered && best.covered == best.range)
        reason = PSH_MATCH_BUCKET;
    if (best.covered)
        st = view_route(r, best.view);
    if (st == PSH_E_LIMIT) /* a view in many pieces must not keep a query from being answered */
        st = base_route(r);
    r->route->reason = r->route->coverage == PSH_COVERAGE_WHOLE ? 0 : reason;
    return st;
}

static void count_route(psh_router *r, const psh_route *route) {
    r->stats.queries++;
    r->stats.whole += route->coverage == PSH_COVERAGE_WHOLE;
    r->stats.part += route->coverage == PSH_COVERAGE_PART;
    r->stats.none += route->coverage == PSH_COVERAGE_NONE;
}

psh_status psh_router_route(
    psh_router *r, const psh_world *world, const psh_route_request *request, psh_route *out) {
    psh_route_request q;
    pshi_routing routing;
    psh_status st;

    if (!r || !world || !request || !out)
        return PSH_E_INVALID;
    memset(&q, 0, sizeof q);
    if ((st = pshi_options_copy(&q, sizeof q, request, NULL)) != PSH_OK)
        return st;
    if (q.flags & ~PSH_ROUTE_BASE_ONLY)
        return PSH_E_UNSUPPORTED;
    if (!q.query || q.now == PSH_TIME_NONE)
        return PSH_E_INVALID;
    empty_route(out);
    st = routing_begin(world, &q, out, &routing);
    if (st == PSH_OK)
        st = build_route(&routing);
    if (st != PSH_OK) {
        empty_route(out);
        return st;
    }
    count_route(r, out);
    return PSH_OK;
}

uint32_t psh_route_coverage(const psh_route *route) {
    return route ? route->coverage : PSH_COVERAGE_NONE;
}

size_t psh_route_leg_count(const psh_route *route) {
    return route ? route->leg_count : 0;
}

psh_status psh_route_leg(const psh_route *route, size_t i, psh_leg *out) {
    if (!route || !out || i >= route->leg_count)
        return PSH_E_NOT_FOUND;
    *out = route->legs[i];
    return PSH_OK;
}

uint32_t psh_route_reason(const psh_route *route) {
    return route ? route->reason : 0;
}
