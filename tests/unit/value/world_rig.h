/* SPDX-License-Identifier: MIT */
/** @file world_rig.h  A world and a plain list of what it should hold, edited at random side by side. */
#ifndef TEST_VALUE_WORLD_RIG_H
#define TEST_VALUE_WORLD_RIG_H

#include <stdio.h>

#include "base/rng.h"
#include "saved.h"

#define TABLES 3
#define MOST 4000

/* What the world should hold, unsorted. */
typedef struct model {
    psh_partition partitions[MOST];
    psh_replica replicas[MOST];
    psh_assignment assignments[MOST];
    psh_view_part parts[MOST];
    psh_tier_info tier;
    size_t partition_count, replica_count, assignment_count, part_count;
} model;

typedef struct rig {
    psh_env *env;
    psh_schema *schema;
    psh_view *views[2];
    uint64_t seed;
    uint64_t epoch;
    model m;
    psh_world *now;
    psh_world_draft *draft;
} rig;

static uint64_t below(uint64_t *seed, uint64_t n) {
    return (pshi_rng_next(seed) >> 33) % n;
}

/* Intervals of days from 1970, of hours from before, and of a week from some odd time. */
static psh_schema *three_tables(psh_env *env) {
    static const psh_column_spec columns[] = {
        { "origin", PSH_TYPE_TEXT, PSH_COLLATION_BINARY, 0, 0 }, { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
        { "seq", PSH_TYPE_INT64, 0, 0, 0 },
    };
    static const uint32_t key[] = { 0, 1, 2 };
    static const int64_t widths[TABLES] = { PSH_DAY, PSH_HOUR, 7 * PSH_DAY };
    static const int64_t origins[TABLES] = { 0, -100 * PSH_DAY, 12345 };
    psh_table_spec t[TABLES];
    char names[TABLES][8];
    psh_schema *s = NULL;
    size_t i;

    memset(t, 0, sizeof t);
    for (i = 0; i < TABLES; i++) {
        (void)snprintf(names[i], sizeof names[i], "t%d", (int)i);
        t[i].name = names[i];
        t[i].columns = columns;
        t[i].column_count = 3;
        t[i].column_stride = sizeof columns[0];
        t[i].key_columns = key;
        t[i].key_count = 3;
        t[i].time_column = 1;
        t[i].interval_ns = widths[i];
        t[i].interval_origin = origins[i];
    }
    if (psh_schema_create(env, t, TABLES, sizeof t[0], &s, NULL) != PSH_OK)
        return NULL;
    return s;
}

static psh_view *view_of(psh_env *env, psh_schema *schema, uint32_t table, uint32_t retention) {
    psh_aggregate count = { PSH_AGG_COUNT, PSH_NONE };
    psh_query_spec q;
    psh_view_spec s;
    psh_query *definition = NULL;
    psh_view *v = NULL;

    psh_query_spec_init(&q, sizeof q);
    q.table = table;
    q.aggregates = &count;
    q.aggregate_count = 1;
    q.bucket_ns = PSH_HOUR;
    if (psh_query_create(env, schema, &q, &definition, NULL) != PSH_OK)
        return NULL;
    psh_view_spec_init(&s, sizeof s);
    s.name = "v";
    s.definition = definition;
    s.retention = retention;
    (void)psh_view_create(env, &s, &v, NULL);
    psh_query_unref(definition);
    return v;
}

static int64_t width_of(const rig *r, uint32_t table, int64_t *origin) {
    psh_table_spec t = { 0 };

    (void)psh_schema_table(r->schema, table, &t);
    *origin = t.interval_origin;
    return t.interval_ns;
}

static psh_partition arc_of(
    rig *r, uint32_t table, int64_t interval, uint64_t first, uint64_t last, uint32_t state) {
    psh_partition p = { 0 };
    int64_t origin, width = width_of(r, table, &origin);

    p.id = psh_partition_id(table, interval, first);
    p.table = table;
    p.state = state;
    p.node = (uint32_t)(p.id % 7);
    p.interval = interval;
    p.time_from = origin + interval * width;
    p.time_to = p.time_from + width;
    p.arc_first = first;
    p.arc_last = last;
    p.rows = below(&r->seed, 9);
    p.last_position = below(&r->seed, 9);
    p.first_write = PSH_TIME_NONE;
    return p;
}

static int owns(const psh_partition *p) {
    return p->state >= PSH_PARTITION_ACTIVE && p->state <= PSH_PARTITION_ARCHIVED;
}

static size_t find(const model *m, uint64_t id) {
    size_t i = 0;

    while (i < m->partition_count && m->partitions[i].id != id)
        i++;
    return i;
}

static psh_status drop_replicas(rig *r, uint64_t id, int tell) {
    psh_status st = PSH_OK;
    size_t i, n = 0;

    for (i = 0; i < r->m.replica_count; i++) {
        if (r->m.replicas[i].partition != id)
            r->m.replicas[n++] = r->m.replicas[i];
        else if (tell && st == PSH_OK)
            st = psh_world_draft_remove_replica(r->draft, id, r->m.replicas[i].node);
    }
    r->m.replica_count = n;
    return st;
}

static psh_status set_partition(rig *r, const psh_partition *p) {
    size_t i = find(&r->m, p->id);
    psh_status st = owns(p) ? PSH_OK : drop_replicas(r, p->id, 1);

    r->m.partitions[i] = *p;
    r->m.partition_count += i == r->m.partition_count;
    return st == PSH_OK ? psh_world_draft_add_partition(r->draft, p) : st;
}

static psh_status unset_partition(rig *r, size_t i) {
    uint64_t id = r->m.partitions[i].id;

    (void)drop_replicas(r, id, 0); /* they go with it */
    r->m.partitions[i] = r->m.partitions[--r->m.partition_count];
    return psh_world_draft_remove_partition(r->draft, id);
}

static psh_status clear_interval(rig *r, uint32_t table, int64_t interval) {
    psh_status st = PSH_OK;
    const psh_partition *p;
    size_t i = 0;

    while (st == PSH_OK && i < r->m.partition_count) {
        p = &r->m.partitions[i];
        if (p->table == table && p->interval == interval && !(p->flags & PSH_PARTITION_QUARANTINE))
            st = unset_partition(r, i);
        else
            i++;
    }
    return st;
}

/* Cuts the ring anew; what stood there goes, or is replaced where it begins at the same point. */
static psh_status tile(rig *r, uint32_t table, int64_t interval) {
    static const uint32_t states[] = { PSH_PARTITION_SHADOW, PSH_PARTITION_WARMING, PSH_PARTITION_ACTIVE,
                                       PSH_PARTITION_SEALED, PSH_PARTITION_ARCHIVED };
    uint64_t n = 1 + below(&r->seed, below(&r->seed, 8) ? 6 : 60), width = UINT64_MAX / n, i;
    uint32_t state = states[below(&r->seed, 5)];
    psh_status st = clear_interval(r, table, interval);
    psh_partition p;

    for (i = 0; st == PSH_OK && i < n; i++) {
        p = arc_of(r, table, interval, i * width, i + 1 < n ? (i + 1) * width - 1 : UINT64_MAX, state);
        st = set_partition(r, &p);
    }
    /* A shadow beside its owners may overlap. */
    if (st == PSH_OK && below(&r->seed, 3) == 0) {
        p = arc_of(r, table, interval, 12345, UINT64_MAX / 2, PSH_PARTITION_SHADOW);
        st = set_partition(r, &p);
    }
    return st;
}

static psh_status write_one(rig *r) {
    psh_partition p;

    if (!r->m.partition_count)
        return PSH_OK;
    p = r->m.partitions[below(&r->seed, r->m.partition_count)];
    p.rows += below(&r->seed, 3);
    p.last_position += below(&r->seed, 3);
    if (p.state == PSH_PARTITION_ACTIVE && below(&r->seed, 2))
        p.state = PSH_PARTITION_SEALED;
    return set_partition(r, &p);
}

static psh_status change_quarantine(rig *r) {
    uint32_t table = (uint32_t)below(&r->seed, TABLES);
    psh_partition q = arc_of(r, table, (int64_t)below(&r->seed, 20), 0, UINT64_MAX, PSH_PARTITION_ACTIVE);
    size_t i;

    q.id = psh_quarantine_id(table);
    q.node = 3; /* not another one each time: copies stand elsewhere */
    q.flags = PSH_PARTITION_QUARANTINE;
    q.interval = 0;
    i = find(&r->m, q.id);
    if (i < r->m.partition_count && below(&r->seed, 3) == 0)
        return unset_partition(r, i);
    return set_partition(r, &q);
}

static psh_status lift_replica(rig *r) {
    size_t i = below(&r->seed, r->m.replica_count);
    psh_replica c = r->m.replicas[i];
    psh_status st = psh_world_draft_remove_replica(r->draft, c.partition, c.node);

    if (st == PSH_OK)
        r->m.replicas[i] = r->m.replicas[--r->m.replica_count];
    return st;
}

static psh_status set_replica(rig *r, const psh_partition *p) {
    psh_replica c = { p->id, p->node + 1 + (uint32_t)below(&r->seed, 4), 0, 1 + (uint32_t)below(&r->seed, 2), 0,
                      0 };
    size_t i = 0;

    c.ready_at = c.state == PSH_REPLICA_READY ? 9 : PSH_TIME_NONE;
    while (i < r->m.replica_count &&
           (r->m.replicas[i].partition != c.partition || r->m.replicas[i].node != c.node))
        i++;
    r->m.replicas[i] = c;
    r->m.replica_count += i == r->m.replica_count;
    return psh_world_draft_add_replica(r->draft, &c);
}

/* Takes one away, or sets one at some of the partitions. */
static psh_status change_replicas(rig *r) {
    size_t i = below(&r->seed, r->m.partition_count + 1);
    psh_status st = PSH_OK;

    if (r->m.replica_count && below(&r->seed, 3) == 0)
        return lift_replica(r);
    for (; st == PSH_OK && i < r->m.partition_count; i += 40)
        if (owns(&r->m.partitions[i]))
            st = set_replica(r, &r->m.partitions[i]);
    return st;
}

static psh_status change_assignment(rig *r) {
    psh_assignment a = { below(&r->seed, 40), (uint32_t)below(&r->seed, TABLES), (uint32_t)below(&r->seed, 9),
                         (int64_t)below(&r->seed, 9) * PSH_DAY, (uint32_t)below(&r->seed, 4), PSH_NONE };
    size_t i = 0;

    while (i < r->m.assignment_count && (r->m.assignments[i].tenant != a.tenant ||
           r->m.assignments[i].table != a.table || r->m.assignments[i].from != a.from))
        i++;
    r->m.assignments[i] = a;
    r->m.assignment_count += i == r->m.assignment_count;
    return psh_world_draft_add_assignment(r->draft, &a);
}

static psh_status add_rest(rig *r, psh_world_draft *d) {
    psh_status st = psh_world_draft_add_tier(d, &r->m.tier);
    size_t i;

    for (i = 0; st == PSH_OK && i < 2; i++)
        st = psh_world_draft_add_view(d, r->views[i]);
    for (i = 0; st == PSH_OK && i < r->m.part_count; i++)
        st = psh_world_draft_add_view_part(d, &r->m.parts[i]);
    return st;
}

/* Tells it all again, but for the tier as it was. */
static psh_status repeat_rest(rig *r) {
    r->m.tier.used_bytes++;
    psh_world_draft_forget_rest(r->draft);
    return add_rest(r, r->draft);
}

static psh_status change_rest(rig *r) {
    psh_view_part *p;
    int64_t origin;
    uint32_t i, day;

    r->m.tier.used_bytes++;
    r->m.part_count = 0;
    for (i = 0; i < 2; i++) {
        for (day = 0; day < 24; day++) {
            if (below(&r->seed, 5) == 0)
                continue;
            p = &r->m.parts[r->m.part_count++];
            memset(p, 0, sizeof *p);
            p->view = psh_view_id(r->views[i]);
            p->interval = day;
            p->time_to = width_of(r, i, &origin);
            p->time_from = origin + day * p->time_to;
            p->time_to += p->time_from;
            p->node = (uint32_t)below(&r->seed, 2);
            p->position = below(&r->seed, 12);
            p->groups = 1 + below(&r->seed, 4);
        }
    }
    psh_world_draft_forget_rest(r->draft);
    return add_rest(r, r->draft);
}

/* One edit, of the model and of the draft alike. */
static psh_status edit(rig *r) {
    uint32_t table = (uint32_t)below(&r->seed, TABLES);
    int64_t interval = (int64_t)below(&r->seed, below(&r->seed, 6) ? 24 : 3000) - (below(&r->seed, 9) ? 0 : 1500);

    switch (below(&r->seed, 12)) {
    case 0: case 1: return tile(r, table, interval);
    case 2: return clear_interval(r, table, interval);
    case 3: return change_quarantine(r);
    case 4: case 5: case 6: return change_replicas(r);
    case 7: return change_assignment(r);
    default: return write_one(r);
    }
}

/* The same world from nothing. */
static psh_status from_nothing(rig *r, psh_world **out) {
    psh_world_draft *d = NULL;
    psh_status st = psh_world_draft_create(r->env, r->schema, r->epoch, 7, &d);
    size_t i;

    for (i = 0; st == PSH_OK && i < r->m.partition_count; i++)
        st = psh_world_draft_add_partition(d, &r->m.partitions[i]);
    for (i = 0; st == PSH_OK && i < r->m.replica_count; i++)
        st = psh_world_draft_add_replica(d, &r->m.replicas[i]);
    for (i = 0; st == PSH_OK && i < r->m.assignment_count; i++)
        st = psh_world_draft_add_assignment(d, &r->m.assignments[i]);
    if (st == PSH_OK)
        st = add_rest(r, d);
    if (st == PSH_OK)
        st = psh_world_create(d, out, NULL);
    psh_world_draft_destroy(d);
    return st;
}

static psh_status begin(rig *r, psh_env *env, uint64_t seed) {
    psh_status st = PSH_E_NOMEM;

    memset(r, 0, sizeof *r);
    r->env = env;
    r->seed = seed;
    r->epoch = 1;
    r->m.tier.capacity_bytes = 900;
    r->schema = three_tables(env);
    if (r->schema)
        r->views[0] = view_of(env, r->schema, 0, PSH_RETAIN_FOLLOWS_BASE);
    if (r->views[0])
        r->views[1] = view_of(env, r->schema, 1, PSH_RETAIN_OUTLIVES_BASE);
    if (r->views[1])
        st = from_nothing(r, &r->now);
    return st;
}

static void end(rig *r) {
    psh_world_draft_destroy(r->draft);
    psh_world_unref(r->now);
    psh_view_unref(r->views[0]);
    psh_view_unref(r->views[1]);
    psh_schema_unref(r->schema);
}

static psh_status begin_draft(rig *r) {
    psh_status st = psh_world_draft_create(r->env, r->schema, ++r->epoch, 7, &r->draft);

    return st == PSH_OK ? psh_world_draft_base(r->draft, r->now) : st;
}

/* Several edits of one draft are of different tables: none is changed twice. */
static psh_status edits(rig *r) {
    psh_status st = PSH_OK;
    uint32_t table;

    if (below(&r->seed, 20) == 0)
        return change_rest(r);
    if (below(&r->seed, 10) == 0)
        st = repeat_rest(r);
    if (st == PSH_OK && below(&r->seed, 4))
        return edit(r);
    for (table = 0; st == PSH_OK && table < TABLES; table++)
        st = below(&r->seed, 3) ? tile(r, table, (int64_t)below(&r->seed, 24)) :
                                  clear_interval(r, table, (int64_t)below(&r->seed, 24));
    return st;
}

#endif
