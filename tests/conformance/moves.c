/* SPDX-License-Identifier: MIT */
/* Splits, merges, copies: each row is read exactly once before, during and after, and the change stream is silent. */
#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "test.h"

#define SOME_TIME (TEST_T0 + 10 * PSH_DAY)
#define TENANTS 24u
#define ROWS 2000u
#define GONE INT64_MIN

typedef struct stage {
    const conformance_host *with;
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    void *host;
    psh_storage storage;
    psh_cdc cdc;
    psh_kv kv;
    uint64_t fence;
    psh_worlds *worlds;
    psh_query *query;
    psh_answer *answer;
    int64_t delays[ROWS];    /* by seq: what the row holds now; GONE = there is none */
    uint32_t seen[ROWS];
    int64_t next;            /* seq of the next row */
    int64_t clock;
    uint64_t cursor;
    size_t changes;          /* of the application, since the last look at the stream */
    char tenants[TENANTS][4];
} stage;

static stage the_stage;
static const conformance_host *tested;

static psh_query *detail_query(stage *s) {
    static const uint32_t columns[] = { 2, 4 };
    psh_query_spec spec;
    psh_query *q = NULL;

    psh_query_spec_init(&spec, sizeof spec);
    spec.columns = columns;
    spec.column_count = 2;
    spec.time_from = SOME_TIME - PSH_DAY;
    spec.time_to = SOME_TIME + 3 * PSH_DAY;
    assert_ok(psh_query_create(s->env, s->schema, &spec, &q, NULL));
    return q;
}

static int setup(void **state) {
    stage *s = &the_stage;
    size_t i;

    memset(s, 0, sizeof *s);
    s->with = tested;
    s->env = test_env(&s->alloc);
    s->schema = test_flights_schema(s->env);
    s->host = s->with->open(s->schema);
    assert_non_null(s->host);
    s->with->tables(s->host, &s->storage, &s->cdc, &s->kv);
    s->fence = 1;
    s->clock = SOME_TIME;
    s->query = detail_query(s);
    assert_ok(psh_answer_create(s->env, s->query, 0, &s->answer));
    for (i = 0; i < ROWS; i++)
        s->delays[i] = GONE;
    for (i = 0; i < TENANTS; i++)
        snprintf(s->tenants[i], sizeof s->tenants[i], "T%02u", (unsigned)i);
    *state = s;
    return 0;
}

static int teardown(void **state) {
    stage *s = *state;

    s->with->close(s->host);
    psh_worlds_destroy(s->worlds);
    psh_answer_destroy(s->answer);
    psh_query_unref(s->query);
    psh_schema_unref(s->schema);
    psh_env_destroy(s->env);
    assert_int_equal(s->alloc.live, 0);
    return 0;
}

static uint64_t point_of(const stage *s, int64_t seq) {
    psh_value v = test_text(s->tenants[seq % TENANTS]);
    uint64_t tenant = psh_tenant_id(&v);

    if (s->worlds)
        return psh_world_point(psh_worlds_current(s->worlds), 0, tenant, SOME_TIME);
    return psh_ring_point(tenant, 0);
}

static int compare_points(const void *x, const void *y) {
    const uint64_t *a = x, *b = y;

    return *a < *b ? -1 : *a > *b;
}

/* The point of the nth tenant of the ring: an arc that begins there has those from it on. */
static uint64_t nth_point(const stage *s, size_t n) {
    uint64_t points[TENANTS];
    size_t i;

    for (i = 0; i < TENANTS; i++)
        points[i] = point_of(s, (int64_t)i);
    qsort(points, TENANTS, sizeof *points, compare_points);
    return points[n];
}

static psh_partition partition_of(const stage *s, uint64_t first, uint64_t last, uint32_t ordinal) {
    psh_partition p;

    memset(&p, 0, sizeof p);
    assert_ok(psh_schema_interval(s->schema, 0, SOME_TIME, &p.interval, &p.time_from, &p.time_to));
    p.arc_first = first;
    p.arc_last = last;
    p.ordinal = ordinal;
    p.id = psh_partition_id(0, p.interval, first);
    p.state = PSH_PARTITION_ACTIVE;
    p.first_write = PSH_TIME_NONE;
    return p;
}

static psh_want want_of(uint32_t kind, const psh_partition *p) {
    psh_want w;

    memset(&w, 0, sizeof w);
    w.kind = kind;
    w.subject = p->id;
    w.node = p->node;
    w.tier = p->tier;
    w.interval = p->interval;
    w.time_from = p->time_from;
    w.time_to = p->time_to;
    w.arc_first = p->arc_first;
    w.arc_last = p->arc_last;
    w.ordinal = p->ordinal;
    w.not_before = PSH_TIME_MIN;
    w.deadline = PSH_TIME_MAX;
    w.confidence = 1;
    return w;
}

static psh_status submit(stage *s, const psh_want *w, uint64_t generation) {
    psh_partition p = partition_of(s, w->arc_first, w->arc_last, w->ordinal);
    psh_action a;
    char name[128];

    memset(&a, 0, sizeof a);
    assert_ok(psh_partition_name(s->schema, &p, name, sizeof name));
    a.want = *w;
    a.want.generation = generation;
    a.id = psh_action_id(w->kind, w->subject, generation);
    a.fence = s->fence;
    a.name = name;
    a.reason = "conformance";
    a.from_node = a.from_tier = PSH_NONE;
    return s->storage.submit(s->storage.user, s->clock, &a);
}

static psh_status create(stage *s, const psh_partition *p, uint64_t source, uint64_t generation) {
    psh_want w = want_of(PSH_ACT_CREATE_PARTITION, p);

    w.source = source;
    return submit(s, &w, generation);
}

static psh_status split(stage *s, const psh_partition *child, uint64_t parent, uint32_t step, uint32_t steps, double bytes,
    uint64_t generation) {
    psh_want w = want_of(PSH_ACT_SPLIT_PARTITION, child);

    w.source = parent;
    w.step = step;
    w.steps = steps;
    w.resources.bytes = bytes;
    return submit(s, &w, generation);
}

static psh_status merge(stage *s, const psh_partition *left, uint64_t right, uint64_t generation) {
    psh_want w = want_of(PSH_ACT_MERGE_PARTITION, left);

    w.source = right;
    return submit(s, &w, generation);
}

static psh_status on_node(stage *s, uint32_t kind, const psh_partition *p, uint32_t node, uint64_t generation) {
    psh_want w = want_of(kind, p);

    w.node = node;
    if (kind == PSH_ACT_REPLICATE_PARTITION)
        w.step = w.steps = 1;
    return submit(s, &w, generation);
}

static void flight(const stage *s, int64_t seq, int64_t delay, psh_value row[6]) {
    psh_partition p = partition_of(s, 0, UINT64_MAX, 0);

    test_flight(row, s->tenants[seq % TENANTS], p.time_from + seq % 24 * PSH_HOUR, seq, "LAX", delay, 100);
}

/* One commit of n new rows, placed by the arcs of `ps`. */
static void put(stage *s, const psh_partition *ps, size_t count, size_t n) {
    psh_value row[6];
    size_t i;

    assert_ok(s->with->begin(s->host, ++s->clock));
    for (; n > 0; n--, s->next++) {
        assert_true(s->next < ROWS);
        for (i = 0; point_of(s, s->next) < ps[i].arc_first || point_of(s, s->next) > ps[i].arc_last; i++)
            assert_true(i + 1 < count);
        flight(s, s->next, s->next, row);
        assert_ok(s->with->insert(s->host, &ps[i], row));
        s->delays[s->next] = s->next;
        s->changes++;
    }
    assert_ok(s->with->commit(s->host, NULL));
}

/* One commit that changes a row, or removes it. */
static void change(stage *s, const psh_partition *ps, size_t count, int64_t seq, int remove) {
    psh_value row[6];
    size_t i;

    if (s->delays[seq] == GONE)
        return;
    for (i = 0; point_of(s, seq) < ps[i].arc_first || point_of(s, seq) > ps[i].arc_last; i++)
        assert_true(i + 1 < count);
    s->delays[seq] = remove ? GONE : s->delays[seq] + 10000;
    flight(s, seq, s->delays[seq], row);
    assert_ok(s->with->begin(s->host, ++s->clock));
    assert_ok(s->with->change(s->host, &ps[i], row, remove));
    assert_ok(s->with->commit(s->host, NULL));
    s->changes++;
}

static psh_status see(void *user, const psh_value *rows, size_t n) {
    stage *s = user;
    size_t i;

    for (i = 0; i < n; i++) {
        assert_true(rows[6 * i + 2].as.i64 >= 0 && rows[6 * i + 2].as.i64 < ROWS);
        assert_int_equal(rows[6 * i + 4].as.i64, s->delays[rows[6 * i + 2].as.i64]);
        s->seen[rows[6 * i + 2].as.i64]++;
    }
    return PSH_OK;
}

static void check_seen(stage *s, const psh_partition *ps, size_t n) {
    int64_t seq;
    uint32_t owners;
    size_t i;

    for (seq = 0; seq < s->next; seq++) {
        owners = 0;
        for (i = 0; i < n; i++)
            owners += point_of(s, seq) >= ps[i].arc_first && point_of(s, seq) <= ps[i].arc_last;
        if (s->seen[seq] != (s->delays[seq] == GONE ? 0 : owners))
            fail_msg("row %d is seen %u times, not %u", (int)seq, (unsigned)s->seen[seq], (unsigned)owners);
    }
}

static void check_scan(stage *s, const psh_partition *ps, size_t n) {
    psh_scan_result r = { .struct_size = sizeof r };
    psh_scan x = { .struct_size = sizeof x, .infos = ps, .partition_count = n, .time_from = PSH_TIME_MIN,
                   .time_to = PSH_TIME_MAX };
    uint64_t ids[16];
    size_t i;

    assert_true(n <= 16);
    for (i = 0; i < n; i++)
        ids[i] = ps[i].id;
    x.partitions = ids;
    memset(s->seen, 0, sizeof s->seen);
    assert_ok(s->storage.scan(s->storage.user, &x, see, s, &r));
    check_seen(s, ps, n);
}

static void check_leg(stage *s, const psh_partition *ps, size_t n, uint32_t node) {
    const psh_partition *pointers[16];
    psh_leg leg = { .kind = PSH_LEG_BASE, .node = node, .partitions = pointers, .partition_count = n };
    const psh_value *row;
    size_t i;

    assert_true(n <= 16);
    for (i = 0; i < n; i++)
        pointers[i] = &ps[i];
    leg.time_from = SOME_TIME - PSH_DAY;
    leg.time_to = SOME_TIME + 3 * PSH_DAY;
    assert_ok(psh_answer_reset(s->answer, s->query));
    assert_ok(s->with->run_leg(s->host, s->query, &leg, s->answer));
    assert_ok(psh_answer_finish(s->answer));
    memset(s->seen, 0, sizeof s->seen);
    for (i = 0; (row = psh_answer_row(s->answer, i)) != NULL; i++) {
        assert_int_equal(row[1].as.i64, s->delays[row[0].as.i64]);
        s->seen[row[0].as.i64]++;
    }
    check_seen(s, ps, n);
}

/* The stream has what the application did, and nothing else. */
static void check_stream(stage *s) {
    psh_change_batch *b = NULL;
    uint64_t next = s->cursor;
    psh_status st;
    size_t n = 0, i;
    psh_change c;

    do {
        assert_ok(psh_change_batch_create(s->env, s->schema, 0, &b));
        st = s->cdc.poll(s->cdc.user, s->cursor, b, &next);
        assert_true(st == PSH_OK || st == PSH_AGAIN);
        for (i = 0; psh_change_batch_get(b, i, &c) == PSH_OK; i++) {
            assert_true(c.origin == 0);
            n++;
        }
        s->cursor = next;
        psh_change_batch_destroy(b);
    } while (st == PSH_AGAIN);
    assert_int_equal(n, s->changes);
    s->changes = 0;
}

static void check(stage *s, const psh_partition *ps, size_t n) {
    check_scan(s, ps, n);
    check_leg(s, ps, n, 0);
    check_stream(s);
}

static void restart(stage *s) {
    if (!s->with->reopen)
        return;
    s->with->reopen(s->host, s->schema);
    s->with->tables(s->host, &s->storage, &s->cdc, &s->kv);
}

/* A parent of the whole ring, with rows, and its shadow of the upper half. */
static void make_pair(stage *s, psh_partition *whole, psh_partition halves[2], uint32_t tier, size_t rows) {
    uint64_t middle = nth_point(s, TENANTS / 2);

    *whole = partition_of(s, 0, UINT64_MAX, 0);
    whole->tier = tier;
    halves[0] = partition_of(s, 0, middle - 1, 0);
    halves[1] = partition_of(s, middle, UINT64_MAX, 1);
    halves[0].tier = halves[1].tier = tier;
    assert_ok(create(s, whole, 0, 0));
    put(s, whole, 1, rows);
    assert_ok(create(s, &halves[1], whole->id, 0));
}

static void a_split_gives_each_row_one_owner(void **state) {
    stage *s = *state;
    psh_partition whole, half[2];
    uint32_t step;

    make_pair(s, &whole, half, 0, 200);
    check(s, &whole, 1);
    for (step = 1; step < 4; step++) { /* the copy is not seen, and what changes meanwhile is not lost */
        assert_ok(split(s, &half[1], whole.id, step, 4, 2000, step));
        check(s, &whole, 1);
        put(s, &whole, 1, 30);
        change(s, &whole, 1, 7 * step, 0);
        change(s, &whole, 1, 7 * step + 100, 1);
        change(s, &whole, 1, 12 * step, 0);
        change(s, &whole, 1, 11 * step + 1, 1);
        check(s, &whole, 1);
        restart(s);
    }
    assert_ok(split(s, &half[1], whole.id, 4, 4, 2000, 4));
    check(s, half, 2);
    check_scan(s, &half[0], 1);
    check_scan(s, &half[1], 1);
    check_leg(s, &half[1], 1, 0);
    check(s, &whole, 1); /* a reader of the epoch before */
    put(s, half, 2, 50);
    change(s, half, 2, 90, 0);
    change(s, half, 2, 91, 1);
    put(s, &whole, 1, 50); /* and a writer */
    restart(s);
    check(s, half, 2);
    check(s, &whole, 1);
}

static void a_split_in_one_step_without_limit(void **state) {
    stage *s = *state;
    psh_partition whole, half[2];

    make_pair(s, &whole, half, 0, 100);
    assert_ok(split(s, &half[1], whole.id, 1, 1, 0, 0));
    check(s, half, 2);
    check(s, &whole, 1);
}

static void splits_done_again_change_nothing(void **state) {
    stage *s = *state;
    psh_partition whole, half[2], none;

    make_pair(s, &whole, half, 0, 100);
    none = partition_of(s, nth_point(s, 20), UINT64_MAX, 5);
    assert_true(split(s, &none, whole.id, 1, 1, 0, 0) < 0); /* there is no such shadow */
    assert_true(split(s, &half[1], none.id, 1, 1, 0, 9) < 0);
    check(s, &whole, 1);
    assert_ok(split(s, &half[1], whole.id, 1, 2, 1e6, 1));
    assert_ok(split(s, &half[1], whole.id, 1, 2, 1e6, 1));
    assert_ok(split(s, &half[1], whole.id, 2, 2, 1e6, 2));
    assert_ok(split(s, &half[1], whole.id, 2, 2, 1e6, 2));
    put(s, half, 2, 20);
    assert_ok(split(s, &half[1], whole.id, 1, 2, 1e6, 3)); /* under other ids, after a crash */
    assert_ok(split(s, &half[1], whole.id, 2, 2, 1e6, 4));
    assert_ok(create(s, &half[1], whole.id, 0));
    check(s, half, 2);
}

static void a_merge_takes_every_row(void **state) {
    stage *s = *state;
    psh_partition whole, half[2];

    make_pair(s, &whole, half, 0, 100);
    assert_true(merge(s, &half[0], half[1].id, 8) < 0); /* a shadow has nothing to give */
    assert_ok(split(s, &half[1], whole.id, 1, 1, 0, 0));
    put(s, half, 2, 60);
    check_stream(s);
    assert_true(merge(s, &half[1], half[0].id, 9) < 0); /* the left one takes */
    check(s, half, 2);
    assert_ok(merge(s, &half[0], half[1].id, 0));
    check(s, &whole, 1);
    check(s, half, 2); /* an epoch before */
    check_scan(s, &half[1], 1);
    check_leg(s, &half[0], 1, 0);
    assert_ok(merge(s, &half[0], half[1].id, 0));
    assert_ok(merge(s, &half[0], half[1].id, 1));
    put(s, half, 2, 40); /* written by that epoch */
    put(s, &whole, 1, 40);
    restart(s);
    check(s, &whole, 1);
    check(s, half, 2);
    assert_true(merge(s, &half[1], half[0].id, 2) < 0);
}

static void a_replica_is_as_its_owner(void **state) {
    stage *s = *state;
    psh_partition p = partition_of(s, 0, UINT64_MAX, 0);
    psh_want w;
    uint32_t step;

    assert_ok(create(s, &p, 0, 0));
    put(s, &p, 1, 150);
    w = want_of(PSH_ACT_REPLICATE_PARTITION, &p);
    w.node = 3;
    w.steps = 3;
    w.resources.bytes = 3000;
    for (step = 1; step <= 3; step++) {
        w.step = step;
        assert_ok(submit(s, &w, step));
        check(s, &p, 1);
        check_leg(s, &p, 1, 3);
        put(s, &p, 1, 20);
        change(s, &p, 1, 3 * step, 0);
        change(s, &p, 1, 3 * step + 1, 1);
        check_leg(s, &p, 1, 3);
        restart(s);
    }
    check(s, &p, 1);
    assert_ok(submit(s, &w, 3));
    assert_ok(submit(s, &w, 4)); /* again, under another id */
    check_leg(s, &p, 1, 3);
    assert_int_equal(on_node(s, PSH_ACT_DROP_REPLICA, &p, 0, 0), PSH_E_STATE); /* never the owner */
    assert_ok(on_node(s, PSH_ACT_DROP_REPLICA, &p, 3, 1));
    assert_ok(on_node(s, PSH_ACT_DROP_REPLICA, &p, 3, 2));
    check_leg(s, &p, 1, 3); /* the owner answers */
    check(s, &p, 1);
}

static void a_move_keeps_reading_and_writing(void **state) {
    stage *s = *state;
    psh_partition p = partition_of(s, 0, UINT64_MAX, 0);

    assert_ok(create(s, &p, 0, 0));
    put(s, &p, 1, 100);
    assert_int_equal(on_node(s, PSH_ACT_PROMOTE_PARTITION, &p, 2, 9), PSH_E_STATE); /* nothing is there yet */
    assert_ok(on_node(s, PSH_ACT_REPLICATE_PARTITION, &p, 2, 0));
    put(s, &p, 1, 20);
    assert_ok(on_node(s, PSH_ACT_PROMOTE_PARTITION, &p, 2, 0));
    assert_ok(on_node(s, PSH_ACT_PROMOTE_PARTITION, &p, 2, 1));
    put(s, &p, 1, 20);
    change(s, &p, 1, 5, 0);
    change(s, &p, 1, 6, 1);
    restart(s);
    change(s, &p, 1, 8, 0);
    check_leg(s, &p, 1, 0); /* what was the owner is a replica, and fresh */
    check_leg(s, &p, 1, 2);
    check(s, &p, 1);
    assert_ok(on_node(s, PSH_ACT_DROP_REPLICA, &p, 0, 0));
    assert_ok(on_node(s, PSH_ACT_REPLICATE_PARTITION, &p, 2, 5)); /* the goal is reached: the owner is there */
    put(s, &p, 1, 20);
    check(s, &p, 1);
    assert_ok(on_node(s, PSH_ACT_REPLICATE_PARTITION, &p, 0, 6)); /* and back */
    assert_ok(on_node(s, PSH_ACT_PROMOTE_PARTITION, &p, 0, 2));
    change(s, &p, 1, 9, 0);
    check_leg(s, &p, 1, 2);
    assert_ok(on_node(s, PSH_ACT_DROP_REPLICA, &p, 2, 3));
    put(s, &p, 1, 20);
    restart(s);
    check(s, &p, 1);
}

static void replicas_follow_splits_and_merges(void **state) {
    stage *s = *state;
    psh_partition whole, half[2];

    make_pair(s, &whole, half, 0, 120);
    assert_ok(on_node(s, PSH_ACT_REPLICATE_PARTITION, &whole, 4, 0));
    assert_ok(split(s, &half[1], whole.id, 1, 1, 0, 0));
    check_leg(s, half, 2, 4);
    check_leg(s, &half[0], 1, 4);
    assert_ok(on_node(s, PSH_ACT_REPLICATE_PARTITION, &half[1], 5, 0));
    put(s, half, 2, 40);
    check_leg(s, half, 2, 4);
    check_leg(s, half, 2, 5);
    assert_ok(merge(s, &half[0], half[1].id, 0));
    check_leg(s, &whole, 1, 4);
    put(s, &whole, 1, 40);
    change(s, &whole, 1, 3, 1);
    check_leg(s, &whole, 1, 4);
    check(s, &whole, 1);
}

static void the_archive_splits_merges_and_copies_too(void **state) {
    stage *s = *state;
    psh_partition whole, half[2];
    uint32_t tier;

    for (tier = 0; tier < 2; tier++) { /* of the shadow */
        make_pair(s, &whole, half, 1, 100);
        half[1].tier = tier;
        check_scan(s, &whole, 1);
        assert_ok(split(s, &half[1], whole.id, 1, 2, 3000, 1));
        check_scan(s, &whole, 1);
        assert_ok(split(s, &half[1], whole.id, 2, 2, 0, 2));
        check_scan(s, half, 2);
        restart(s);
        check_scan(s, half, 2);
        check_scan(s, &whole, 1);
        assert_ok(on_node(s, PSH_ACT_REPLICATE_PARTITION, &half[0], 7, 0));
        assert_ok(merge(s, &half[0], half[1].id, 0));
        check_leg(s, &whole, 1, 7);
        restart(s);
        check_leg(s, &whole, 1, 7);
        check_scan(s, half, 2);
        s->with->close(s->host);
        s->host = s->with->open(s->schema);
        s->with->tables(s->host, &s->storage, &s->cdc, &s->kv);
        memset(s->seen, 0, sizeof s->seen);
        while (s->next > 0)
            s->delays[--s->next] = GONE;
    }
}

static void fences_hold_for_moves(void **state) {
    stage *s = *state;
    psh_partition whole, half[2];

    s->fence = 5;
    make_pair(s, &whole, half, 0, 50);
    s->fence = 4;
    assert_int_equal(split(s, &half[1], whole.id, 1, 1, 0, 0), PSH_E_FENCED);
    assert_int_equal(merge(s, &half[0], half[1].id, 0), PSH_E_FENCED);
    assert_int_equal(on_node(s, PSH_ACT_REPLICATE_PARTITION, &whole, 2, 0), PSH_E_FENCED);
    check(s, &whole, 1);
    s->fence = 6;
    assert_ok(split(s, &half[1], whole.id, 1, 1, 0, 0));
    check(s, half, 2);
}

static void nodes_are_released_when_empty(void **state) {
    stage *s = *state;
    psh_partition p = partition_of(s, 0, UINT64_MAX, 0);
    psh_want w = want_of(PSH_ACT_ADD_NODE, &p);

    w.node = 9;
    w.subject = psh_node_subject(9);
    assert_ok(submit(s, &w, 0));
    assert_ok(create(s, &p, 0, 0));
    put(s, &p, 1, 10);
    assert_ok(on_node(s, PSH_ACT_REPLICATE_PARTITION, &p, 9, 0));
    w.kind = PSH_ACT_RELEASE_NODE;
    assert_int_equal(submit(s, &w, 0), PSH_E_STATE);
    assert_ok(on_node(s, PSH_ACT_PROMOTE_PARTITION, &p, 9, 0));
    assert_int_equal(submit(s, &w, 0), PSH_E_STATE);
    w.node = 0;
    w.subject = psh_node_subject(0);
    assert_int_equal(submit(s, &w, 0), PSH_E_STATE);
    assert_ok(on_node(s, PSH_ACT_DROP_REPLICA, &p, 0, 0));
    assert_ok(submit(s, &w, 0));
    check(s, &p, 1);
}

/* A call that failed did nothing; the same one again goes on. */
static void failures_between_steps_lose_nothing(void **state) {
    stage *s = *state;
    psh_partition whole, half[2];
    uint32_t step;

    if (!s->with->fail_next)
        skip();
    make_pair(s, &whole, half, 0, 100);
    for (step = 1; step <= 3; step++) {
        s->with->fail_next(s->host);
        assert_int_equal(split(s, &half[1], whole.id, step, 3, 1500, step), PSH_E_HOST);
        check(s, &whole, 1);
        assert_ok(split(s, &half[1], whole.id, step, 3, 1500, step));
        put(s, step < 3 ? &whole : half, step < 3 ? 1 : 2, 10);
    }
    check(s, half, 2);
    s->with->fail_next(s->host);
    assert_int_equal(merge(s, &half[0], half[1].id, 0), PSH_E_HOST);
    check(s, half, 2);
    assert_ok(merge(s, &half[0], half[1].id, 0));
    check(s, &whole, 1);
}

static void publish_segments(stage *s) {
    psh_world_draft *d = NULL;
    psh_world *w = NULL;
    psh_assignment a;
    psh_value v;
    size_t i;

    memset(&a, 0, sizeof a);
    assert_ok(psh_worlds_create(s->env, 0, &s->worlds));
    assert_ok(psh_world_draft_create(s->env, s->schema, 1, SOME_TIME, &d));
    for (i = 0; i < TENANTS; i += 2) {
        v = test_text(s->tenants[i]);
        a.tenant = psh_tenant_id(&v);
        a.segment = 3;
        a.from = PSH_TIME_MIN;
        a.tier = PSH_NONE;
        assert_ok(psh_world_draft_add_assignment(d, &a));
    }
    assert_ok(psh_world_create(d, &w, NULL));
    assert_ok(psh_worlds_publish(s->worlds, w));
    psh_world_unref(w);
    psh_world_draft_destroy(d);
    s->with->set_worlds(s->host, s->worlds);
}

static void segments_decide_where_rows_stand(void **state) {
    stage *s = *state;
    psh_partition whole, half[2];

    publish_segments(s);
    make_pair(s, &whole, half, 0, 100);
    assert_ok(split(s, &half[1], whole.id, 1, 1, 0, 0));
    check(s, half, 2);
    check_scan(s, &half[0], 1);
    put(s, &whole, 1, 50);
    assert_ok(merge(s, &half[0], half[1].id, 0));
    check(s, half, 2);
    check_scan(s, &half[1], 1);
}

/* ---- everything at random, against a model ---- */

typedef struct model {
    psh_partition parts[16]; /* by arc */
    uint32_t copies[16];     /* bit per node 0..3: a replica is there, ready */
    size_t count;
    uint64_t generation;
    uint32_t ordinal;
} model;

static void random_split(stage *s, model *m, uint64_t *seed) {
    size_t i = pshi_rng_next(seed) % m->count;
    uint64_t cut = nth_point(s, pshi_rng_next(seed) % TENANTS);
    psh_partition child, *p = &m->parts[i];
    uint32_t step, steps = 1 + (uint32_t)(pshi_rng_next(seed) % 3);

    if (m->count == 16 || cut <= p->arc_first || cut > p->arc_last)
        return;
    child = partition_of(s, cut, p->arc_last, ++m->ordinal);
    child.node = (uint32_t)(pshi_rng_next(seed) % 4);
    assert_ok(create(s, &child, p->id, ++m->generation)); /* its id may have lived before */
    for (step = 1; step <= steps; step++) {
        assert_ok(split(s, &child, p->id, step, steps, 700, ++m->generation));
        if (step < steps)
            put(s, m->parts, m->count, 3);
        if (step < steps)
            change(s, m->parts, m->count, (int64_t)(pshi_rng_next(seed) % (uint64_t)s->next), 0);
    }
    p->arc_last = cut - 1;
    memmove(p + 2, p + 1, (m->count - i - 1) * sizeof *p);
    memmove(&m->copies[i + 2], &m->copies[i + 1], (m->count - i - 1) * sizeof *m->copies);
    m->parts[i + 1] = child;
    m->copies[i + 1] = 0;
    m->count++;
}

static void random_merge(stage *s, model *m, uint64_t *seed) {
    size_t i;
    psh_partition *p;

    if (m->count < 2)
        return;
    i = pshi_rng_next(seed) % (m->count - 1);
    p = &m->parts[i];
    assert_ok(merge(s, p, p[1].id, ++m->generation));
    p->arc_last = p[1].arc_last;
    memmove(p + 1, p + 2, (m->count - i - 2) * sizeof *p);
    memmove(&m->copies[i + 1], &m->copies[i + 2], (m->count - i - 2) * sizeof *m->copies);
    m->count--;
}

static void random_copy(stage *s, model *m, uint64_t *seed) {
    size_t i = pshi_rng_next(seed) % m->count;
    uint32_t node = (uint32_t)(pshi_rng_next(seed) % 4), was = m->parts[i].node;

    if (node == was)
        return;
    if (!(m->copies[i] >> node & 1u)) {
        assert_ok(on_node(s, PSH_ACT_REPLICATE_PARTITION, &m->parts[i], node, ++m->generation));
        m->copies[i] |= 1u << node;
    } else if (pshi_rng_next(seed) % 2) {
        assert_ok(on_node(s, PSH_ACT_DROP_REPLICA, &m->parts[i], node, ++m->generation));
        m->copies[i] &= ~(1u << node);
    } else {
        assert_ok(on_node(s, PSH_ACT_PROMOTE_PARTITION, &m->parts[i], node, ++m->generation));
        m->parts[i].node = node;
        m->copies[i] = (m->copies[i] & ~(1u << node)) | 1u << was;
    }
}

static void random_life(stage *s, uint64_t seed, int steps) {
    psh_partition whole = partition_of(s, 0, UINT64_MAX, 0);
    model m = { .count = 1, .parts = { whole } }, old;
    int i;

    assert_ok(create(s, &whole, 0, 0));
    put(s, &whole, 1, 60);
    old = m;
    for (i = 0; i < steps; i++) {
        if (i % 5 == 0)
            old = m;
        switch (pshi_rng_next(&seed) % 6) {
        case 0:
        case 1:
            random_split(s, &m, &seed);
            break;
        case 2:
            random_merge(s, &m, &seed);
            break;
        case 3:
        case 4:
            random_copy(s, &m, &seed);
            break;
        default:
            restart(s);
        }
        put(s, m.parts, m.count, 2);
        put(s, old.parts, old.count, 1);
        change(s, m.parts, m.count, (int64_t)(pshi_rng_next(&seed) % (uint64_t)s->next), 0);
        change(s, m.parts, m.count, (int64_t)(pshi_rng_next(&seed) % (uint64_t)s->next), 1);
        check(s, m.parts, m.count);
        check_leg(s, m.parts, m.count, 1 + (uint32_t)(i % 3));
        check_leg(s, old.parts, old.count, (uint32_t)(i % 4));
        check_scan(s, &m.parts[i % (int)m.count], 1);
    }
}

static void a_random_life_keeps_every_row(void **state) {
    random_life(*state, 11, 150);
}

static void another_random_life_keeps_every_row(void **state) {
    random_life(*state, 2026, 150);
}

int conformance_moves_run(const conformance_host *host) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_split_gives_each_row_one_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(a_split_in_one_step_without_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(splits_done_again_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_merge_takes_every_row, setup, teardown),
        cmocka_unit_test_setup_teardown(a_replica_is_as_its_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(a_move_keeps_reading_and_writing, setup, teardown),
        cmocka_unit_test_setup_teardown(replicas_follow_splits_and_merges, setup, teardown),
        cmocka_unit_test_setup_teardown(the_archive_splits_merges_and_copies_too, setup, teardown),
        cmocka_unit_test_setup_teardown(fences_hold_for_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(nodes_are_released_when_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_between_steps_lose_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(segments_decide_where_rows_stand, setup, teardown),
        cmocka_unit_test_setup_teardown(a_random_life_keeps_every_row, setup, teardown),
        cmocka_unit_test_setup_teardown(another_random_life_keeps_every_row, setup, teardown),
    };

    tested = host;
    return cmocka_run_group_tests_name(host->name, tests, NULL, NULL);
}
