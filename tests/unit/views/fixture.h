/* SPDX-License-Identifier: MIT */
/** @file views/fixture.h  A small table with every kind of column, worlds of its days, and views over it. */
#ifndef TEST_VIEWS_FIXTURE_H
#define TEST_VIEWS_FIXTURE_H

#include "test.h"

#define COLUMNS 7u /* tenant, time, id, region, n, x, d */

typedef struct row_of {
    psh_value v[COLUMNS];
} row_of;

static inline psh_schema *events_schema(psh_env *env) {
    static const psh_column_spec columns[] = {
        { "tenant", PSH_TYPE_TEXT, 0, 0, 0 },
        { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
        { "id", PSH_TYPE_INT64, 0, 0, 0 },
        { "region", PSH_TYPE_TEXT, 0, 0, PSH_COLUMN_NULLABLE },
        { "n", PSH_TYPE_INT64, 0, 0, PSH_COLUMN_NULLABLE },
        { "x", PSH_TYPE_DOUBLE, 0, 0, PSH_COLUMN_NULLABLE },
        { "d", PSH_TYPE_DECIMAL, 0, 2, 0 },
    };
    static const uint32_t key[] = { 2 };
    psh_table_spec t = { "events", columns, COLUMNS, sizeof columns[0], key, 1, 0, 1, PSH_DAY, 0 };
    psh_schema *s = NULL;

    psh_schema_create(env, &t, 1, sizeof t, &s, NULL);
    return s;
}

static inline psh_value decimal_of(int64_t low, int64_t high) {
    psh_value v = test_int(low);

    v.type = PSH_TYPE_DECIMAL;
    v.size = 2;
    v.hi = high;
    return v;
}

static inline row_of event_of(const char *tenant, int64_t time, int64_t id, int64_t n, double x) {
    row_of r;

    r.v[0] = test_text(tenant);
    r.v[1] = test_time(time);
    r.v[2] = test_int(id);
    r.v[3] = test_null();
    r.v[4] = test_int(n);
    r.v[5] = test_double(x);
    r.v[6] = decimal_of(n, n < 0 ? -1 : 0);
    return r;
}

/* All aggregates of all columns, by tenant and region. */
static inline psh_query *full_query(psh_env *env, psh_schema *s, int64_t bucket, size_t groups) {
    static const psh_aggregate aggs[] = {
        { PSH_AGG_COUNT, PSH_NONE }, { PSH_AGG_COUNT, 4 }, { PSH_AGG_SUM, 4 }, { PSH_AGG_AVG, 4 },
        { PSH_AGG_MIN, 4 },          { PSH_AGG_MAX, 4 },   { PSH_AGG_SUM, 5 }, { PSH_AGG_AVG, 5 },
        { PSH_AGG_MIN, 5 },          { PSH_AGG_MAX, 5 },   { PSH_AGG_SUM, 6 }, { PSH_AGG_AVG, 6 },
        { PSH_AGG_MIN, 6 },          { PSH_AGG_MAX, 6 },   { PSH_AGG_MIN, 3 }, { PSH_AGG_MAX, 0 },
    };
    static const uint32_t columns[] = { 0, 3 };
    psh_query_spec q;
    psh_query *out = NULL;

    psh_query_spec_init(&q, sizeof q);
    q.aggregates = aggs;
    q.aggregate_count = sizeof aggs / sizeof aggs[0];
    q.group_columns = columns;
    q.group_count = groups;
    q.bucket_ns = bucket;
    psh_query_create(env, s, &q, &out, NULL);
    return out;
}

/* `count` days from day 0 on, one partition each, in one state. */
static inline psh_world *days_world(psh_env *env, psh_schema *s, int64_t count, uint32_t state, uint64_t rows) {
    psh_world_draft *d = NULL;
    psh_world *w = NULL;
    psh_partition p;
    psh_status st;
    int64_t i;

    if (psh_world_draft_create(env, s, 1, TEST_T0, &d) != PSH_OK)
        return NULL;
    st = PSH_OK;
    for (i = 0; st == PSH_OK && i < count; i++) {
        memset(&p, 0, sizeof p);
        p.state = state;
        p.interval = TEST_T0 / PSH_DAY + i;
        p.time_from = TEST_T0 + i * PSH_DAY;
        p.time_to = p.time_from + PSH_DAY;
        p.arc_last = UINT64_MAX;
        p.id = psh_partition_id(0, p.interval, 0);
        p.rows = rows;
        p.created_at = TEST_T0;
        p.first_write = state == PSH_PARTITION_SHADOW ? PSH_TIME_NONE : TEST_T0;
        st = psh_world_draft_add_partition(d, &p);
    }
    if (st == PSH_OK)
        psh_world_create(d, &w, NULL);
    psh_world_draft_destroy(d);
    return w;
}

static inline psh_action build_action(psh_query *definition, uint32_t level, int64_t reach) {
    psh_action a;

    memset(&a, 0, sizeof a);
    a.want.kind = PSH_ACT_BUILD_VIEW;
    a.want.subject = psh_query_id(definition);
    a.want.level = level;
    a.want.reach_ns = reach;
    a.want.definition = definition;
    a.name = "by_tenant";
    return a;
}

static inline psh_action drop_action(uint64_t id, uint64_t generation) {
    psh_action a;

    memset(&a, 0, sizeof a);
    a.want.kind = PSH_ACT_DROP_VIEW;
    a.want.subject = id;
    a.want.generation = generation;
    return a;
}

static inline psh_action partition_action(uint32_t kind, int64_t day) {
    psh_action a;

    memset(&a, 0, sizeof a);
    a.want.kind = kind;
    a.want.interval = TEST_T0 / PSH_DAY + day;
    a.want.time_from = TEST_T0 + day * PSH_DAY;
    a.want.time_to = a.want.time_from + PSH_DAY;
    a.want.arc_last = UINT64_MAX;
    a.want.subject = psh_partition_id(0, a.want.interval, 0);
    return a;
}

static inline psh_change change_of(
    uint32_t op, uint64_t position, uint64_t sequence, const row_of *before, const row_of *after) {
    psh_change c;

    memset(&c, 0, sizeof c);
    c.op = op;
    c.source = 1;
    c.position = position;
    c.sequence = sequence;
    c.commit_time = TEST_T0;
    c.before = before ? before->v : NULL;
    c.after = after ? after->v : NULL;
    c.column_count = COLUMNS;
    return c;
}

static inline psh_status apply_one(psh_env *env, psh_materializer *m, psh_schema *s, const psh_change *c) {
    psh_change_batch *b = NULL;
    psh_status st = psh_change_batch_create(env, s, 0, &b);

    if (st == PSH_OK)
        st = psh_change_batch_append(b, c, NULL);
    if (st == PSH_OK)
        st = psh_materializer_apply(m, b);
    psh_change_batch_destroy(b);
    return st;
}

#endif
