/* SPDX-License-Identifier: MIT */
/* Which points of the ring a query asks for: of its tenants, each in its segment of the interval at hand. */
#include "route/route.h"
#include "value/world.h"

static void add_point(psh_route *route, uint64_t point) {
    size_t at = route->point_count++;

    for (; at > 0 && route->points[at - 1] > point; at--)
        route->points[at] = route->points[at - 1];
    route->points[at] = point;
}

/* A tenant's segment at `start`; narrows the time in which the points that are known hold. */
static uint32_t segment_at(const pshi_routing *r, uint64_t tenant, int64_t start) {
    psh_route *route = r->route;
    const psh_assignment *a;
    size_t n, next;

    a = pshi_world_assignments(r->world, r->spec->table, tenant, &n);
    next = n;
    while (next > 0 && a[next - 1].from > start)
        next--;
    if (next < n && a[next].from < route->points_to)
        route->points_to = a[next].from;
    if (next > 0 && a[next - 1].from > route->points_from)
        route->points_from = a[next - 1].from;
    return next > 0 ? a[next - 1].segment : 0;
}

void pshi_points_move(const pshi_routing *r, int64_t start) {
    psh_route *route = r->route;
    size_t i;

    route->points_from = PSH_TIME_MIN;
    route->points_to = PSH_TIME_MAX;
    route->point_count = 0;
    for (i = 0; i < route->tenant_count; i++)
        add_point(route, psh_ring_point(route->tenants[i], segment_at(r, route->tenants[i], start)));
}

static void find_tenants(const pshi_routing *r) {
    const psh_predicate *p = r->spec->predicates;
    psh_route *route = r->route;
    size_t i, k;

    route->tenant_count = 0;
    if (r->table->tenant_column == PSH_NONE) {
        route->tenants[route->tenant_count++] = 0;
        return;
    }
    for (i = 0; i < r->spec->predicate_count; i++, p++) {
        if (p->column != r->table->tenant_column || (p->op != PSH_OP_EQ && p->op != PSH_OP_IN))
            continue;
        for (k = 0; p->value_count <= PSHI_ROUTE_POINTS && k < p->value_count; k++)
            route->tenants[route->tenant_count++] = psh_tenant_id(&p->values[k]);
        return;
    }
}

void pshi_points_find(const pshi_routing *r) {
    psh_route *route = r->route;
    size_t i;

    find_tenants(r);
    if (pshi_world_has_assignments(r->world)) {
        pshi_points_move(r, r->spec->time_from);
        return;
    }
    route->points_from = PSH_TIME_MIN;
    route->points_to = PSH_TIME_MAX;
    route->point_count = 0;
    for (i = 0; i < route->tenant_count; i++)
        add_point(route, psh_ring_point(route->tenants[i], 0));
}
