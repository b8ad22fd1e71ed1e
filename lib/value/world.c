/* SPDX-License-Identifier: MIT */
/* The draft, and what is asked of a world. It is built in world_build.c. */
#include "value/world.h"

#include "base/checked.h"
#include "base/env.h"

psh_status psh_world_draft_create(
    psh_env *env, psh_schema *schema, uint64_t epoch, int64_t now, psh_world_draft **out) {
    psh_world_draft *d;

    if (!out)
        return PSH_E_INVALID;
    *out = NULL;
    if (!env || !schema || now == PSH_TIME_NONE)
        return PSH_E_INVALID;
    d = pshi_calloc(env, 1, sizeof *d);
    if (!d)
        return PSH_E_NOMEM;
    d->env = env;
    d->schema = psh_schema_ref(schema);
    d->epoch = epoch;
    d->now = now;
    *out = d;
    return PSH_OK;
}

void pshi_world_lists_free(psh_env *env, pshi_world_lists *l) {
    size_t i;

    for (i = 0; i < l->view_count; i++)
        psh_view_unref(l->views[i]);
    pshi_free(env, l->partitions);
    pshi_free(env, l->tiers);
    pshi_free(env, l->views);
    pshi_free(env, l->parts);
    pshi_free(env, l->replicas);
    pshi_free(env, l->assignments);
}

void psh_world_draft_destroy(psh_world_draft *d) {
    if (!d)
        return;
    pshi_world_lists_free(d->env, &d->lists);
    psh_schema_unref(d->schema);
    pshi_free(d->env, d);
}

psh_status psh_world_draft_add_partition(psh_world_draft *d, const psh_partition *p) {
    pshi_world_lists *l;
    void *items;
    psh_status st;

    if (!d || !p)
        return PSH_E_INVALID;
    l = &d->lists;
    items = l->partitions;
    st = pshi_reserve(d->env, &items, &l->partition_cap, l->partition_count + 1, sizeof *p);
    l->partitions = items;
    if (st == PSH_OK)
        l->partitions[l->partition_count++] = *p;
    return st;
}

psh_status psh_world_draft_add_tier(psh_world_draft *d, const psh_tier_info *t) {
    pshi_world_lists *l;
    void *items;
    psh_status st;

    if (!d || !t)
        return PSH_E_INVALID;
    l = &d->lists;
    items = l->tiers;
    st = pshi_reserve(d->env, &items, &l->tier_cap, l->tier_count + 1, sizeof *t);
    l->tiers = items;
    if (st == PSH_OK)
        l->tiers[l->tier_count++] = *t;
    return st;
}

psh_status psh_world_draft_add_view(psh_world_draft *d, psh_view *v) {
    pshi_world_lists *l;
    void *items;
    psh_status st;

    if (!d || !v)
        return PSH_E_INVALID;
    l = &d->lists;
    items = l->views;
    st = pshi_reserve(d->env, &items, &l->view_cap, l->view_count + 1, sizeof *l->views);
    l->views = items;
    if (st == PSH_OK)
        l->views[l->view_count++] = psh_view_ref(v);
    return st;
}

psh_status psh_world_draft_add_view_part(psh_world_draft *d, const psh_view_part *p) {
    pshi_world_lists *l;
    void *items;
    psh_status st;

    if (!d || !p)
        return PSH_E_INVALID;
    l = &d->lists;
    items = l->parts;
    st = pshi_reserve(d->env, &items, &l->part_cap, l->part_count + 1, sizeof *p);
    l->parts = items;
    if (st == PSH_OK)
        l->parts[l->part_count++] = *p;
    return st;
}

psh_status psh_world_draft_add_replica(psh_world_draft *d, const psh_replica *r) {
    pshi_world_lists *l;
    void *items;
    psh_status st;

    if (!d || !r)
        return PSH_E_INVALID;
    l = &d->lists;
    items = l->replicas;
    st = pshi_reserve(d->env, &items, &l->replica_cap, l->replica_count + 1, sizeof *r);
    l->replicas = items;
    if (st == PSH_OK)
        l->replicas[l->replica_count++] = *r;
    return st;
}

psh_status psh_world_draft_add_assignment(psh_world_draft *d, const psh_assignment *a) {
    pshi_world_lists *l;
    void *items;
    psh_status st;

    if (!d || !a)
        return PSH_E_INVALID;
    l = &d->lists;
    items = l->assignments;
    st = pshi_reserve(d->env, &items, &l->assignment_cap, l->assignment_count + 1, sizeof *a);
    l->assignments = items;
    if (st == PSH_OK)
        l->assignments[l->assignment_count++] = *a;
    return st;
}

psh_world *psh_world_ref(psh_world *w) {
    pshi_ref_get(&w->refs);
    return w;
}

void psh_world_unref(psh_world *w) {
    if (!w || !pshi_ref_put(&w->refs))
        return;
    pshi_world_lists_free(w->env, &w->lists);
    pshi_free(w->env, w->spans);
    pshi_free(w->env, w->owners);
    pshi_free(w->env, w->owner_arcs);
    pshi_free(w->env, w->tables);
    pshi_free(w->env, w->views_by_table);
    pshi_free(w->env, w->part_facts);
    pshi_free(w->env, w->part_solid);
    pshi_free(w->env, w->part_groups);
    pshi_free(w->env, w->part_first);
    pshi_idmap_free(w->env, &w->ids);
    pshi_free(w->env, w->tenants);
    psh_schema_unref(w->schema);
    pshi_free(w->env, w);
}

uint64_t psh_world_epoch(const psh_world *w) {
    return w->epoch;
}

int64_t psh_world_time(const psh_world *w) {
    return w->time;
}

psh_schema *psh_world_schema(const psh_world *w) {
    return w->schema;
}

size_t psh_world_partition_count(const psh_world *w) {
    return w->lists.partition_count;
}

const psh_partition *psh_world_partition(const psh_world *w, size_t i) {
    return i < w->lists.partition_count ? &w->lists.partitions[i] : NULL;
}

const psh_partition *psh_world_find_partition(const psh_world *w, uint64_t id) {
    uint32_t i = id ? pshi_idmap_find(&w->ids, id) : PSH_NONE;

    return i == PSH_NONE ? NULL : &w->lists.partitions[i];
}

size_t pshi_world_first_span(const psh_world *w, uint32_t table, int64_t time) {
    size_t low = 0, high = w->span_count, mid;
    const pshi_span *s;

    while (low < high) {
        mid = low + (high - low) / 2;
        s = &w->spans[mid];
        if (s->table < table || (s->table == table && s->time_from < time))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The span that holds a time, or NULL. Spans of a table do not overlap. */
static const pshi_span *span_of(const psh_world *w, uint32_t table, int64_t time) {
    const pshi_table_index *t;
    const pshi_span *s;
    size_t i;

    if (table >= psh_schema_table_count(w->schema))
        return NULL;
    t = &w->tables[table];
    if (t->span_first == t->span_end || time < w->spans[t->span_first].time_from)
        return NULL;
    /* Where no interval is missing, the time tells the span. */
    i = (size_t)(((uint64_t)time - (uint64_t)w->spans[t->span_first].time_from) / (uint64_t)t->width);
    if (i < t->span_end - t->span_first) {
        s = &w->spans[t->span_first + i];
        if (s->time_from <= time && time < s->time_to)
            return s;
    }
    i = pshi_world_first_span(w, table, pshi_time_add(time, 1));
    s = &w->spans[i - 1]; /* the first begins at or before the time */
    return time < s->time_to ? s : NULL;
}

const psh_partition *psh_world_locate(const psh_world *w, uint32_t table, int64_t time, uint64_t point) {
    const pshi_span *s = span_of(w, table, time);
    size_t low, high, mid;

    if (!s || s->owner_first == s->owner_end)
        return NULL;
    /* Owners leave no gap and do not overlap: the last that begins at or before the point holds it. */
    low = s->owner_first;
    high = s->owner_end - 1;
    while (low < high) {
        mid = low + (high - low + 1) / 2;
        if (w->owner_arcs[mid] <= point)
            low = mid;
        else
            high = mid - 1;
    }
    return &w->lists.partitions[w->owners[low]];
}

void psh_world_partitions_between(
    const psh_world *w, uint32_t table, int64_t from, int64_t to, size_t *first, size_t *end) {
    size_t a = pshi_world_first_span(w, table, from), b = pshi_world_first_span(w, table, to);

    *first = *end = 0;
    if (from >= to)
        return;
    if (a > 0 && w->spans[a - 1].table == table && w->spans[a - 1].time_to > from)
        a--;
    if (a >= b)
        return;
    *first = w->spans[a].first;
    *end = w->spans[b - 1].end;
}

size_t psh_world_tier_count(const psh_world *w) {
    return w->lists.tier_count;
}

const psh_tier_info *psh_world_tier(const psh_world *w, size_t i) {
    return i < w->lists.tier_count ? &w->lists.tiers[i] : NULL;
}

size_t psh_world_view_count(const psh_world *w) {
    return w->lists.view_count;
}

psh_view *psh_world_view(const psh_world *w, size_t i) {
    return i < w->lists.view_count ? w->lists.views[i] : NULL;
}

const psh_view_part *psh_world_view_parts(const psh_world *w, size_t i, size_t *count) {
    *count = 0;
    if (i >= w->lists.view_count)
        return NULL;
    *count = w->part_first[i + 1] - w->part_first[i];
    return w->lists.parts + w->part_first[i];
}

size_t psh_world_replica_count(const psh_world *w) {
    return w->lists.replica_count;
}

const psh_replica *psh_world_replica(const psh_world *w, size_t i) {
    return i < w->lists.replica_count ? &w->lists.replicas[i] : NULL;
}

/* The first replica of this partition or of a later one. */
static size_t first_replica(const psh_world *w, uint64_t partition) {
    size_t low = 0, high = w->lists.replica_count, mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (w->lists.replicas[mid].partition < partition)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const psh_replica *psh_world_replicas(const psh_world *w, uint64_t partition, size_t *count) {
    size_t first = first_replica(w, partition), end = first;

    while (end < w->lists.replica_count && w->lists.replicas[end].partition == partition)
        end++;
    *count = end - first;
    return *count ? &w->lists.replicas[first] : NULL;
}

size_t psh_world_assignment_count(const psh_world *w) {
    return w->lists.assignment_count;
}

const psh_assignment *psh_world_assignment(const psh_world *w, size_t i) {
    return i < w->lists.assignment_count ? &w->lists.assignments[i] : NULL;
}

int pshi_world_has_assignments(const psh_world *w) {
    return w->lists.assignment_count > 0;
}
