/* SPDX-License-Identifier: MIT */
/* What is asked of a world. It is made in world_build.c. */
#include "value/world.h"

#include "base/checked.h"
#include "base/env.h"

psh_world *psh_world_ref(psh_world *w) {
    pshi_ref_get(&w->refs);
    return w;
}

static void release_table(psh_env *env, pshi_table_index *t) {
    pshi_radix_free(env, &t->spans);
    pshi_radix_free(env, &t->assignments);
    pshi_radix_block_put(env, t->quarantined ? &t->quarantined->block : NULL);
}

void psh_world_unref(psh_world *w) {
    size_t i;

    if (!w || !pshi_ref_put(&w->refs))
        return;
    for (i = 0; i < w->table_count; i++)
        release_table(w->env, &w->tables[i]);
    pshi_free(w->env, w->tables);
    pshi_radix_free(w->env, &w->ids);
    pshi_radix_free(w->env, &w->replicas);
    pshi_part_facts_release(w->env, w->part_facts);
    pshi_world_rest_release(w->env, w->rest);
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
    return w->partition_count;
}

int64_t pshi_table_interval(const pshi_table_index *t, int64_t time) {
    int64_t past;
    pshi_i128 far, n;

    if (!pshi_sub_i64(time, t->origin, &past))
        return pshi_floor_div(past, t->width);
    far = (pshi_i128)time - t->origin;
    n = far / t->width - (far % t->width < 0);
    return n > INT64_MAX ? INT64_MAX : n < INT64_MIN ? INT64_MIN : (int64_t)n;
}

void pshi_spans_seek(const pshi_table_index *t, int64_t from, pshi_radix_walk *walk) {
    pshi_radix_seek(walk, &t->spans, pshi_interval_key(pshi_table_interval(t, from)));
}

const pshi_span *pshi_spans_next(pshi_radix_walk *walk, int64_t to) {
    const pshi_radix_entry *e = pshi_radix_next(walk);
    const pshi_span *s = e ? pshi_span_of(e) : NULL;

    return s && s->time_from < to ? s : NULL;
}

/* The last table whose counter, at `field`, is not above i: the one that holds number i. */
#define TABLE_OF(w, field, i, out) \
    do { \
        size_t low_ = 0, high_ = (w)->table_count - 1, mid_; \
        while (low_ < high_) { \
            mid_ = low_ + (high_ - low_ + 1) / 2; \
            if ((w)->tables[mid_].field <= (i)) \
                low_ = mid_; \
            else \
                high_ = mid_ - 1; \
        } \
        (out) = &(w)->tables[low_]; \
    } while (0)

const psh_partition *psh_world_partition(const psh_world *w, size_t i) {
    const pshi_radix_entry *e;
    const pshi_table_index *t;
    size_t at = 0;

    if (i >= w->partition_count)
        return NULL;
    if (i >= w->planned) {
        TABLE_OF(w, quarantine_first, i - w->planned, t);
        return pshi_span_partitions(t->quarantined);
    }
    TABLE_OF(w, partition_first, i, t);
    e = pshi_radix_select(&t->spans, i - t->partition_first, &at);
    return e ? &pshi_span_partitions(pshi_span_of(e))[at] : NULL;
}

const psh_partition *psh_world_find_partition(const psh_world *w, uint64_t id) {
    const pshi_radix_entry *e = pshi_radix_find(&w->ids, id);
    const pshi_span *s;
    uint32_t i, k;

    if (!e)
        return NULL;
    if (!e->weight)
        return pshi_span_partitions(w->tables[e->extra].quarantined);
    s = pshi_table_span(&w->tables[e->extra], (int64_t)e->value.number);
    k = e->weight - 1 < s->block.count ? e->weight - 1 : 0;
    for (i = 0; i < s->block.count && pshi_span_partitions(s)[k].id != id; i++)
        k = k + 1 < s->block.count ? k + 1 : 0;
    return &pshi_span_partitions(s)[k];
}

const psh_partition *psh_world_locate(const psh_world *w, uint32_t table, int64_t time, uint64_t point) {
    const pshi_span *s;

    if (table >= w->table_count)
        return NULL;
    s = pshi_table_span(&w->tables[table], pshi_table_interval(&w->tables[table], time));
    return s ? pshi_span_locate(s, point) : NULL;
}

void psh_world_partitions_between(
    const psh_world *w, uint32_t table, int64_t from, int64_t to, size_t *first, size_t *end) {
    const pshi_table_index *t;
    uint64_t last;

    *first = *end = 0;
    if (from >= to || table >= w->table_count)
        return;
    t = &w->tables[table];
    last = pshi_interval_key(pshi_table_interval(t, to - 1));
    *first = pshi_radix_rank(&t->spans, pshi_interval_key(pshi_table_interval(t, from)));
    *end = last < UINT64_MAX ? pshi_radix_rank(&t->spans, last + 1) : pshi_radix_weight(&t->spans);
    if (*first == *end) {
        *first = *end = 0;
        return;
    }
    *first += t->partition_first;
    *end += t->partition_first;
}

void pshi_partitions_begin(const psh_world *w, pshi_partition_walk *walk) {
    *walk = (pshi_partition_walk){ .world = w };
}

/* The next span; quarantines come when all tables are through. */
static const pshi_span *next_span(pshi_partition_walk *walk) {
    const psh_world *w = walk->world;
    const pshi_radix_entry *e;

    for (;;) {
        e = pshi_radix_next(&walk->spans);
        if (e)
            return pshi_span_of(e);
        if (walk->table == w->table_count)
            return NULL;
        pshi_radix_seek(&walk->spans, &w->tables[walk->table++].spans, 0);
    }
}

const psh_partition *pshi_partitions_next(pshi_partition_walk *walk) {
    const psh_world *w = walk->world;

    if (walk->span && walk->at < walk->span->block.count)
        return &pshi_span_partitions(walk->span)[walk->at++];
    walk->at = 0;
    walk->span = walk->quarantines ? NULL : next_span(walk);
    if (!walk->span && !walk->quarantines) {
        walk->quarantines = 1;
        walk->table = 0;
    }
    while (!walk->span && walk->table < w->table_count)
        walk->span = w->tables[walk->table++].quarantined;
    return walk->span ? &pshi_span_partitions(walk->span)[walk->at++] : NULL;
}

size_t psh_world_tier_count(const psh_world *w) {
    return w->rest->lists.tier_count;
}

const psh_tier_info *psh_world_tier(const psh_world *w, size_t i) {
    return i < w->rest->lists.tier_count ? &w->rest->lists.tiers[i] : NULL;
}

size_t psh_world_view_count(const psh_world *w) {
    return w->rest->lists.view_count;
}

psh_view *psh_world_view(const psh_world *w, size_t i) {
    return i < w->rest->lists.view_count ? w->rest->lists.views[i] : NULL;
}

const psh_view_part *psh_world_view_parts(const psh_world *w, size_t i, size_t *count) {
    const pshi_world_rest *r = w->rest;

    *count = 0;
    if (i >= r->lists.view_count)
        return NULL;
    *count = r->part_first[i + 1] - r->part_first[i];
    return r->lists.parts + r->part_first[i];
}

size_t psh_world_replica_count(const psh_world *w) {
    return pshi_radix_weight(&w->replicas);
}

const psh_replica *psh_world_replica(const psh_world *w, size_t i) {
    size_t at = 0;
    const pshi_radix_entry *e = pshi_radix_select(&w->replicas, i, &at);

    return e ? &pshi_copies_of(e)->copies[at] : NULL;
}

const psh_replica *psh_world_replicas(const psh_world *w, uint64_t partition, size_t *count) {
    const pshi_radix_entry *e = pshi_radix_find(&w->replicas, partition);

    *count = e ? e->weight : 0;
    return e ? pshi_copies_of(e)->copies : NULL;
}

size_t psh_world_assignment_count(const psh_world *w) {
    return w->assignment_count;
}

const psh_assignment *psh_world_assignment(const psh_world *w, size_t i) {
    const pshi_radix_entry *e;
    const pshi_table_index *t;
    size_t at = 0;

    if (i >= w->assignment_count)
        return NULL;
    TABLE_OF(w, assignment_first, i, t);
    e = pshi_radix_select(&t->assignments, i - t->assignment_first, &at);
    return e ? &pshi_moves_of(e)->moves[at] : NULL;
}

const psh_assignment *pshi_world_assignments(
    const psh_world *w, uint32_t table, uint64_t tenant, size_t *count) {
    const pshi_radix_entry *e = NULL;

    if (table < w->table_count)
        e = pshi_radix_find(&w->tables[table].assignments, tenant);
    *count = e ? e->weight : 0;
    return e ? pshi_moves_of(e)->moves : NULL;
}
