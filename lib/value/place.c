/* SPDX-License-Identifier: MIT */
/* Where a tenant is: its segment at a time, its point of the ring, the owners of its keys. */
#include <string.h>

#include "base/checked.h"
#include "value/world.h"

/* Of a tenant's assignments, the latest that begins at or before a time; a few, so from behind. */
const psh_assignment *psh_world_assignment_at(
    const psh_world *w, uint32_t table, uint64_t tenant, int64_t time) {
    const psh_assignment *a;
    size_t n;

    a = pshi_world_assignments(w, table, tenant, &n);
    while (n > 0 && a[n - 1].from > time)
        n--;
    return n ? &a[n - 1] : NULL;
}

/* Segments change with intervals: what begins within one holds from the next one on. */
static const psh_assignment *assignment_of(
    const psh_world *w, uint32_t table, uint64_t tenant, int64_t time) {
    int64_t id, from, to;

    if (!pshi_world_has_assignments(w))
        return NULL;
    if (psh_schema_interval(psh_world_schema(w), table, time, &id, &from, &to) != PSH_OK)
        return NULL;
    return psh_world_assignment_at(w, table, tenant, from);
}

uint64_t psh_world_point(const psh_world *w, uint32_t table, uint64_t tenant, int64_t time) {
    const psh_assignment *a = assignment_of(w, table, tenant, time);

    return psh_ring_point(tenant, a ? a->segment : 0);
}

static uint32_t count_ready(const psh_world *w, const psh_partition *p) {
    const psh_replica *r;
    uint32_t ready = 0;
    size_t n, i;

    r = psh_world_replicas(w, p->id, &n);
    for (i = 0; i < n; i++)
        ready += r[i].state == PSH_REPLICA_READY;
    return ready;
}

psh_status psh_world_locate_tenant(
    const psh_world *w, uint32_t table, uint64_t tenant, int64_t time, psh_place *out) {
    const psh_assignment *a;

    if (!w || !out || time == PSH_TIME_NONE)
        return PSH_E_INVALID;
    memset(out, 0, sizeof *out);
    out->tier = PSH_NONE;
    a = assignment_of(w, table, tenant, time);
    if (a) {
        out->segment = a->segment;
        out->access = a->access;
        out->tier = a->tier;
    }
    out->point = psh_ring_point(tenant, out->segment);
    out->partition = psh_world_locate(w, table, time, out->point);
    if (!out->partition)
        return PSH_E_NOT_FOUND;
    out->replicas = count_ready(w, out->partition);
    return PSH_OK;
}

psh_status psh_world_tenant_partitions(
    const psh_world *w, uint32_t table, uint64_t tenant, int64_t from, int64_t to, psh_partition_visitor visit,
    void *user) {
    const psh_partition *p, *owner;
    psh_status st = PSH_OK;
    size_t i, end;

    if (!w || !visit)
        return PSH_E_INVALID;
    if (table >= psh_schema_table_count(psh_world_schema(w)))
        return PSH_E_NOT_FOUND;
    psh_world_partitions_between(w, table, from, to, &i, &end);
    for (p = NULL; st == PSH_OK && i < end; i++) {
        if (p && psh_world_partition(w, i)->interval == p->interval)
            continue;
        p = psh_world_partition(w, i);
        owner = psh_world_locate(w, table, p->time_from, psh_world_point(w, table, tenant, p->time_from));
        if (owner)
            st = visit(user, owner);
    }
    return st;
}
