/* SPDX-License-Identifier: MIT */
/* From a draft to a world: copy, sort, check the invariants, index. */
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/hash.h"
#include "value/view.h"
#include "value/world.h"

static int order_of(uint64_t a, uint64_t b) {
    return a < b ? -1 : a > b;
}

static int order_of_times(int64_t a, int64_t b) {
    return a < b ? -1 : a > b;
}

static int compare_partitions(const void *x, const void *y) {
    const psh_partition *a = x, *b = y;
    int c = order_of(a->flags & PSH_PARTITION_QUARANTINE, b->flags & PSH_PARTITION_QUARANTINE);

    c = c ? c : order_of(a->table, b->table);
    c = c ? c : order_of_times(a->interval, b->interval);
    c = c ? c : order_of(a->arc_first, b->arc_first);
    return c ? c : order_of(a->id, b->id);
}

static int compare_tiers(const void *x, const void *y) {
    const psh_tier_info *a = x, *b = y;
    int c = order_of(a->node, b->node);

    return c ? c : order_of(a->tier, b->tier);
}

static int compare_views(const void *x, const void *y) {
    psh_view *const *a = x, *const *b = y;

    return order_of(psh_view_id(*a), psh_view_id(*b));
}

static int compare_parts(const void *x, const void *y) {
    const psh_view_part *a = x, *b = y;
    int c = order_of(a->view, b->view);

    c = c ? c : order_of_times(a->time_from, b->time_from);
    return c ? c : order_of(a->node, b->node);
}

static int compare_replicas(const void *x, const void *y) {
    const psh_replica *a = x, *b = y;
    int c = order_of(a->partition, b->partition);

    return c ? c : order_of(a->node, b->node);
}

static int compare_assignments(const void *x, const void *y) {
    const psh_assignment *a = x, *b = y;
    int c = order_of(a->table, b->table);

    c = c ? c : order_of(a->tenant, b->tenant);
    return c ? c : order_of_times(a->from, b->from);
}

/* @return a copy of n elements in order, or NULL. */
static void *copy_sorted(
    psh_env *env, const void *from, size_t n, size_t size, int (*compare)(const void *, const void *)) {
    void *to = pshi_calloc(env, n, size);

    if (to && n) {
        memcpy(to, from, n * size);
        qsort(to, n, size, compare);
    }
    return to;
}

static psh_status copy_lists(psh_world *w, const pshi_world_lists *from) {
    pshi_world_lists *to = &w->lists;
    size_t i;

    to->partitions = copy_sorted(
        w->env, from->partitions, from->partition_count, sizeof *to->partitions, compare_partitions);
    to->tiers = copy_sorted(w->env, from->tiers, from->tier_count, sizeof *to->tiers, compare_tiers);
    to->views = copy_sorted(w->env, from->views, from->view_count, sizeof *to->views, compare_views);
    to->parts = copy_sorted(w->env, from->parts, from->part_count, sizeof *to->parts, compare_parts);
    to->replicas = copy_sorted(
        w->env, from->replicas, from->replica_count, sizeof *to->replicas, compare_replicas);
    to->assignments = copy_sorted(
        w->env, from->assignments, from->assignment_count, sizeof *to->assignments, compare_assignments);
    if (!to->replicas || !to->assignments)
        return PSH_E_NOMEM;
    to->replica_count = from->replica_count;
    to->assignment_count = from->assignment_count;
    if (!to->partitions || !to->tiers || !to->views || !to->parts)
        return PSH_E_NOMEM;
    to->partition_count = from->partition_count;
    to->tier_count = from->tier_count;
    to->view_count = from->view_count;
    to->part_count = from->part_count;
    for (i = 0; i < to->view_count; i++)
        psh_view_ref(to->views[i]);
    return PSH_OK;
}

static psh_status index_partition_ids(psh_world *w, psh_error *err) {
    psh_status st = pshi_idmap_reserve(w->env, &w->ids, w->lists.partition_count);
    size_t i;

    for (i = 0; st == PSH_OK && i < w->lists.partition_count; i++) {
        st = pshi_partition_check(w->schema, &w->lists.partitions[i], err);
        if (st != PSH_OK)
            return st;
        if (pshi_idmap_find(&w->ids, w->lists.partitions[i].id) != PSH_NONE)
            return pshi_fail_at(err, PSH_E_INVALID, "partitions", i, "two partitions have its id");
        st = pshi_idmap_put(w->env, &w->ids, w->lists.partitions[i].id, (uint32_t)i);
    }
    return st;
}

static int begins_span(const psh_world *w, size_t i) {
    const psh_partition *p = &w->lists.partitions[i];

    return i == 0 || p[-1].table != p->table || p[-1].interval != p->interval;
}

/* Groups partitions, but for quarantines, by interval and lists the owners. */
static psh_status index_spans(psh_world *w) {
    size_t n = w->lists.partition_count, i;
    const psh_partition *p = w->lists.partitions;
    uint32_t owned = 0;
    pshi_span *s = NULL;

    w->spans = pshi_calloc(w->env, n, sizeof *w->spans);
    w->owners = pshi_calloc(w->env, n, sizeof *w->owners);
    w->owner_arcs = pshi_calloc(w->env, n, sizeof *w->owner_arcs);
    if (!w->spans || !w->owners || !w->owner_arcs)
        return PSH_E_NOMEM;
    for (i = 0; i < n && !(p[i].flags & PSH_PARTITION_QUARANTINE); i++) {
        if (begins_span(w, i)) {
            s = &w->spans[w->span_count++];
            *s = (pshi_span){ p[i].time_from, p[i].time_to, p[i].table, (uint32_t)i, 0, owned, 0 };
        }
        if (pshi_partition_owns(&p[i])) {
            w->owner_arcs[owned] = p[i].arc_first;
            w->owners[owned++] = (uint32_t)i;
        }
        s->end = (uint32_t)i + 1;
        s->owner_end = owned;
    }
    return PSH_OK;
}

/* The owners of one interval cover the ring once. */
static psh_status check_arcs(const psh_world *w, const pshi_span *s, psh_error *err) {
    const psh_partition *p, *before = NULL;
    uint32_t i;

    for (i = s->owner_first; i < s->owner_end; i++, before = p) {
        p = &w->lists.partitions[w->owners[i]];
        if (before && p->arc_first <= before->arc_last)
            return pshi_fail_at(
                err, PSH_E_INVALID, "partitions", w->owners[i], "its arc overlaps that of the owner before it");
        if (before ? p->arc_first != before->arc_last + 1 : p->arc_first != 0)
            return pshi_fail_at(err, PSH_E_INVALID, "partitions", w->owners[i], "a gap on the ring before its arc");
    }
    if (before && before->arc_last != UINT64_MAX)
        return pshi_fail_at(
            err, PSH_E_INVALID, "partitions", w->owners[s->owner_end - 1], "a gap on the ring behind its arc");
    return PSH_OK;
}

static psh_status check_tiers(const psh_world *w, psh_error *err) {
    const psh_tier_info *t = w->lists.tiers;
    psh_status st;
    size_t i;

    for (i = 0; i < w->lists.tier_count; i++) {
        st = pshi_tier_info_check(&t[i], err);
        if (st != PSH_OK)
            return st;
        if (i && compare_tiers(&t[i - 1], &t[i]) == 0)
            return pshi_fail_at(err, PSH_E_INVALID, "tiers", i, "its node and tier stand twice");
    }
    return PSH_OK;
}

static psh_status check_views(const psh_world *w, psh_error *err) {
    psh_view_spec view = { .struct_size = sizeof view };
    psh_query_spec query = { .struct_size = sizeof query };
    size_t i;

    for (i = 0; i < w->lists.view_count; i++) {
        if (i && compare_views(&w->lists.views[i - 1], &w->lists.views[i]) == 0)
            return pshi_fail_at(err, PSH_E_INVALID, "views", i, "two views have its definition");
        if (psh_view_describe(w->lists.views[i], &view) != PSH_OK ||
            psh_query_describe(view.definition, &query) != PSH_OK ||
            query.table >= psh_schema_table_count(w->schema))
            return pshi_fail_at(err, PSH_E_INVALID, "views", i, "its table is not in the schema");
    }
    return PSH_OK;
}

/* A part is one whole interval of its view's table. */
static psh_status check_part_time(const psh_world *w, size_t view, size_t part, psh_error *err) {
    const psh_view_part *p = &w->lists.parts[part];
    int64_t id, from, to;

    if (psh_schema_interval(w->schema, pshi_view_table(w->lists.views[view]), p->time_from, &id, &from, &to) !=
            PSH_OK ||
        id != p->interval || from != p->time_from || to != p->time_to)
        return pshi_fail_at(err, PSH_E_INVALID, "view_parts", part, "its times are not those of its interval");
    return PSH_OK;
}

/* Parts and views are both sorted by view: one walk over both. */
static psh_status index_parts(psh_world *w, psh_error *err) {
    const psh_view_part *p = w->lists.parts;
    psh_status st;
    size_t i, v = 0;

    w->part_first = pshi_calloc(w->env, w->lists.view_count + 1, sizeof *w->part_first);
    if (!w->part_first)
        return PSH_E_NOMEM;
    for (i = 0; i < w->lists.part_count; i++) {
        st = pshi_view_part_check(&p[i], err);
        if (st != PSH_OK)
            return st;
        while (v < w->lists.view_count && psh_view_id(w->lists.views[v]) < p[i].view)
            w->part_first[++v] = i;
        if (v == w->lists.view_count || psh_view_id(w->lists.views[v]) != p[i].view)
            return pshi_fail_at(err, PSH_E_INVALID, "view_parts", i, "names a view that is not in the world");
        if (i && compare_parts(&p[i - 1], &p[i]) == 0)
            return pshi_fail_at(err, PSH_E_INVALID, "view_parts", i, "its view, time and node stand twice");
        st = check_part_time(w, v, i, err);
        if (st != PSH_OK)
            return st;
    }
    while (v < w->lists.view_count)
        w->part_first[++v] = w->lists.part_count;
    return PSH_OK;
}

psh_status pshi_world_check_replicas(const psh_world *w, psh_error *err) {
    const psh_replica *r = w->lists.replicas;
    const psh_partition *p;
    psh_status st;
    size_t i;

    for (i = 0; i < w->lists.replica_count; i++) {
        st = pshi_replica_check(&r[i], err);
        if (st != PSH_OK)
            return st;
        if (i && compare_replicas(&r[i - 1], &r[i]) == 0)
            return pshi_fail_at(err, PSH_E_INVALID, "replicas", i, "its partition and node stand twice");
        p = psh_world_find_partition(w, r[i].partition);
        if (!p || !pshi_partition_owns(p))
            return pshi_fail_at(err, PSH_E_INVALID, "replicas", i, "its partition is not there, or owns no key");
        if (p->node == r[i].node)
            return pshi_fail_at(err, PSH_E_INVALID, "replicas", i, "is on the node of its owner");
    }
    return PSH_OK;
}

static size_t tenant_slot(const psh_world *w, uint32_t table, uint64_t tenant) {
    const psh_assignment *a;
    size_t i = (size_t)pshi_mix64(tenant + table) & w->tenant_mask;

    for (; w->tenants[i] != PSH_NONE; i = (i + 1) & w->tenant_mask) {
        a = &w->lists.assignments[w->tenants[i]];
        if (a->table == table && a->tenant == tenant)
            break;
    }
    return i;
}

const psh_assignment *pshi_world_assignments(
    const psh_world *w, uint32_t table, uint64_t tenant, size_t *count) {
    const psh_assignment *first, *a, *end = w->lists.assignments + w->lists.assignment_count;
    uint32_t i;

    *count = 0;
    if (!w->lists.assignment_count)
        return NULL;
    i = w->tenants[tenant_slot(w, table, tenant)];
    if (i == PSH_NONE)
        return NULL;
    first = &w->lists.assignments[i];
    for (a = first; a < end && a->table == table && a->tenant == tenant; a++)
        (*count)++;
    return first;
}

static psh_status check_assignments(const psh_world *w, psh_error *err) {
    const psh_assignment *a = w->lists.assignments;
    psh_status st;
    size_t i;

    for (i = 0; i < w->lists.assignment_count; i++) {
        st = pshi_assignment_check(w->schema, &a[i], err);
        if (st != PSH_OK)
            return st;
        if (i && compare_assignments(&a[i - 1], &a[i]) == 0)
            return pshi_fail_at(
                err, PSH_E_INVALID, "assignments", i, "its table, tenant and time stand twice");
    }
    return PSH_OK;
}

psh_status pshi_world_index_assignments(psh_world *w, psh_error *err) {
    const psh_assignment *a = w->lists.assignments;
    size_t n = w->lists.assignment_count, slots = 16, i;
    psh_status st = check_assignments(w, err);

    if (st != PSH_OK || !n)
        return st;
    while (slots < 2 * n)
        slots *= 2;
    w->tenants = pshi_calloc(w->env, slots, sizeof *w->tenants);
    if (!w->tenants)
        return PSH_E_NOMEM;
    memset(w->tenants, 0xff, slots * sizeof *w->tenants);
    w->tenant_mask = slots - 1;
    for (i = 0; i < n; i++)
        if (i == 0 || a[i].table != a[i - 1].table || a[i].tenant != a[i - 1].tenant)
            w->tenants[tenant_slot(w, a[i].table, a[i].tenant)] = (uint32_t)i;
    return PSH_OK;
}

static psh_status fill_world(psh_world *w, const psh_world_draft *d, psh_error *err) {
    psh_status st = copy_lists(w, &d->lists);
    size_t i;

    if (st == PSH_OK)
        st = index_partition_ids(w, err);
    if (st == PSH_OK)
        st = index_spans(w);
    for (i = 0; st == PSH_OK && i < w->span_count; i++)
        st = check_arcs(w, &w->spans[i], err);
    if (st == PSH_OK)
        st = pshi_world_check_replicas(w, err);
    if (st == PSH_OK)
        st = pshi_world_index_assignments(w, err);
    if (st == PSH_OK)
        st = check_tiers(w, err);
    if (st == PSH_OK)
        st = check_views(w, err);
    if (st == PSH_OK)
        st = index_parts(w, err);
    if (st == PSH_OK)
        st = pshi_world_index(w);
    return st;
}

psh_status psh_world_create(const psh_world_draft *d, psh_world **out, psh_error *err) {
    psh_world *w;
    psh_status st;

    if (!out || !d)
        return pshi_fail(err, PSH_E_INVALID, "draft", "draft and out are needed");
    *out = NULL;
    if (d->lists.partition_count >= PSH_NONE || d->lists.assignment_count >= PSH_NONE)
        return pshi_fail(err, PSH_E_INVALID, "partitions", "too many");
    w = pshi_calloc(d->env, 1, sizeof *w);
    if (!w)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    pshi_ref_init(&w->refs);
    w->env = d->env;
    w->schema = psh_schema_ref(d->schema);
    w->epoch = d->epoch;
    w->time = d->now;
    st = fill_world(w, d, err);
    if (st == PSH_OK) {
        *out = w;
        return PSH_OK;
    }
    psh_world_unref(w);
    return st == PSH_E_NOMEM ? pshi_fail(err, st, "", psh_status_text(st)) : st;
}
