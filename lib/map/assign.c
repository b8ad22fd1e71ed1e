/* SPDX-License-Identifier: MIT */
/* Tenants with a segment: from which interval on, so that keys written before keep their place. */
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "map/map.h"

static int compare(const psh_assignment *a, uint32_t table, uint64_t tenant, int64_t from) {
    if (a->table != table)
        return a->table < table ? -1 : 1;
    if (a->tenant != tenant)
        return a->tenant < tenant ? -1 : 1;
    return a->from < from ? -1 : a->from > from;
}

/* The first that does not stand before (table, tenant, from). */
static size_t place_of(const psh_map *m, uint32_t table, uint64_t tenant, int64_t from) {
    size_t low = 0, high = m->assignment_count, mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (compare(&m->assignments[mid], table, tenant, from) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const psh_assignment *pshi_map_assigned(const psh_map *m, uint32_t table, uint64_t tenant, int64_t from) {
    size_t after = from == INT64_MAX ? m->assignment_count : place_of(m, table, tenant, from + 1);
    const psh_assignment *a = after ? &m->assignments[after - 1] : NULL;

    return a && a->table == table && a->tenant == tenant ? a : NULL;
}

int pshi_map_has_assignments(const psh_map *m, uint32_t table) {
    size_t at = place_of(m, table, 0, INT64_MIN);

    return at < m->assignment_count && m->assignments[at].table == table;
}

static psh_status make_room(psh_map *m) {
    size_t cap = m->assignment_cap;
    void *list = m->assignments;
    psh_status st = pshi_reserve(m->env, &list, &cap, m->assignment_count + 1, sizeof *m->assignments);
    uint8_t *fresh;

    m->assignments = list;
    if (st != PSH_OK || cap == m->assignment_cap)
        return st;
    fresh = pshi_realloc(m->env, m->assignment_fresh, cap);
    if (!fresh)
        return PSH_E_NOMEM;
    m->assignment_fresh = fresh;
    m->assignment_cap = cap;
    return PSH_OK;
}

psh_status pshi_map_insert_assignment(psh_map *m, const psh_assignment *a) {
    size_t at = place_of(m, a->table, a->tenant, a->from), after = m->assignment_count - at;
    psh_status st;

    if (after && compare(&m->assignments[at], a->table, a->tenant, a->from) == 0)
        return PSH_E_STATE;
    if (m->assignment_count >= m->o.max_assignments)
        return PSH_E_LIMIT;
    st = make_room(m);
    if (st != PSH_OK)
        return st;
    memmove(m->assignments + at + 1, m->assignments + at, after * sizeof *m->assignments);
    memmove(m->assignment_fresh + at + 1, m->assignment_fresh + at, after);
    m->assignments[at] = *a;
    m->assignment_fresh[at] = 1;
    m->assignment_count++;
    return PSH_OK;
}

/* What holds in no interval that is left: one is over when its tenant's next began before every partition. */
static void forget_old(psh_map *m) {
    int64_t oldest = INT64_MAX;
    size_t i, kept = 0;

    for (i = 0; i < m->count; i++)
        if (!m->slots[i].p.flags && m->slots[i].p.time_from < oldest)
            oldest = m->slots[i].p.time_from;
    for (i = 0; i < m->assignment_count; i++) {
        const psh_assignment *a = &m->assignments[i], *next = a + 1;

        if (i + 1 < m->assignment_count && next->table == a->table && next->tenant == a->tenant &&
            next->from <= oldest)
            continue;
        m->assignment_fresh[kept] = m->assignment_fresh[i];
        m->assignments[kept++] = *a;
    }
    if (kept < m->assignment_count)
        m->touched_all = 1; /* worlds made from now on are without them */
    m->assignment_count = kept;
}

static int is_same(const psh_assignment *a, const psh_assignment *b) {
    return a->segment == b->segment && a->access == b->access && a->tier == b->tier;
}

/* Nothing but preferences may change at once: the segment decides where rows stand. */
static psh_status start_of_next(const psh_map *m, uint32_t table, int64_t now, int64_t not_before, int64_t *out) {
    int64_t id, from, to, at = not_before > now ? not_before : now;
    psh_status st = psh_schema_interval(m->schema, table, at, &id, &from, &to);

    if (st != PSH_OK)
        return st;
    *out = from >= not_before && from > now ? from : to;
    return *out > now ? PSH_OK : PSH_E_TIME;
}

psh_status psh_map_assign(psh_map *m, const psh_assignment *assignment, int64_t now) {
    const psh_assignment *current;
    psh_assignment a, none = { .tier = PSH_NONE };
    psh_status st;
    size_t at;

    if (!m || !assignment || !assignment->tenant || now == PSH_TIME_NONE || assignment->access > PSH_ACCESS_SCAN)
        return PSH_E_INVALID;
    if (assignment->table >= psh_schema_table_count(m->schema))
        return PSH_E_NOT_FOUND;
    a = *assignment;
    st = start_of_next(m, a.table, now, a.from == PSH_TIME_NONE ? now : a.from, &a.from);
    if (st != PSH_OK)
        return st;
    current = pshi_map_assigned(m, a.table, a.tenant, a.from);
    if (is_same(current ? current : &none, &a))
        return PSH_OK;
    if (current && current->from == a.from) { /* not begun yet: it may still change */
        at = (size_t)(current - m->assignments);
        m->assignments[at] = a;
        m->assignment_fresh[at] = 1;
        return PSH_OK;
    }
    if (m->assignment_count >= m->o.max_assignments)
        forget_old(m);
    return pshi_map_insert_assignment(m, &a);
}

size_t psh_map_assignment_count(const psh_map *m) {
    return m->assignment_count;
}

const psh_assignment *psh_map_assignment(const psh_map *m, size_t i) {
    return i < m->assignment_count ? &m->assignments[i] : NULL;
}

uint64_t psh_map_point(const psh_map *m, uint32_t table, uint64_t tenant, int64_t time) {
    const psh_assignment *a;
    int64_t id, from, to;

    if (!m->assignment_count || psh_schema_interval(m->schema, table, time, &id, &from, &to) != PSH_OK)
        return psh_ring_point(tenant, 0);
    a = pshi_map_assigned(m, table, tenant, from);
    return psh_ring_point(tenant, a ? a->segment : 0);
}
