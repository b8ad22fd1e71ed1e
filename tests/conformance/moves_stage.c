/* SPDX-License-Identifier: MIT */
#include "moves_stage.h"

#include <stdio.h>
#include <stdlib.h>

static moves_stage the_stage;
static const conformance_host *tested;

void moves_test(const conformance_host *host) {
    tested = host;
}

static psh_query *detail_query(moves_stage *s) {
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

int moves_setup(void **state) {
    moves_stage *s = &the_stage;
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

int moves_teardown(void **state) {
    moves_stage *s = *state;

    s->with->close(s->host);
    psh_worlds_destroy(s->worlds);
    psh_answer_destroy(s->answer);
    psh_query_unref(s->query);
    psh_schema_unref(s->schema);
    psh_env_destroy(s->env);
    assert_int_equal(s->alloc.live, 0);
    return 0;
}

uint64_t moves_point_of(const moves_stage *s, int64_t seq) {
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
uint64_t moves_nth_point(const moves_stage *s, size_t n) {
    uint64_t points[TENANTS];
    size_t i;

    for (i = 0; i < TENANTS; i++)
        points[i] = moves_point_of(s, (int64_t)i);
    qsort(points, TENANTS, sizeof *points, compare_points);
    return points[n];
}

psh_partition moves_partition_of(const moves_stage *s, uint64_t first, uint64_t last, uint32_t ordinal) {
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

psh_want moves_want_of(uint32_t kind, const psh_partition *p) {
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

psh_status moves_submit(moves_stage *s, const psh_want *w, uint64_t generation) {
    psh_partition p = moves_partition_of(s, w->arc_first, w->arc_last, w->ordinal);
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

psh_status moves_create(moves_stage *s, const psh_partition *p, uint64_t source, uint64_t generation) {
    psh_want w = moves_want_of(PSH_ACT_CREATE_PARTITION, p);

    w.source = source;
    return moves_submit(s, &w, generation);
}

psh_status moves_split(
    moves_stage *s, const psh_partition *child, uint64_t parent, uint32_t step, uint32_t steps, double bytes,
    uint64_t generation) {
    psh_want w = moves_want_of(PSH_ACT_SPLIT_PARTITION, child);

    w.source = parent;
    w.step = step;
    w.steps = steps;
    w.resources.bytes = bytes;
    return moves_submit(s, &w, generation);
}

psh_status moves_merge(moves_stage *s, const psh_partition *left, uint64_t right, uint64_t generation) {
    psh_want w = moves_want_of(PSH_ACT_MERGE_PARTITION, left);

    w.source = right;
    return moves_submit(s, &w, generation);
}

psh_status moves_on_node(
    moves_stage *s, uint32_t kind, const psh_partition *p, uint32_t node, uint64_t generation) {
    psh_want w = moves_want_of(kind, p);

    w.node = node;
    if (kind == PSH_ACT_REPLICATE_PARTITION)
        w.step = w.steps = 1;
    return moves_submit(s, &w, generation);
}

static void flight(const moves_stage *s, int64_t seq, int64_t delay, psh_value row[6]) {
    psh_partition p = moves_partition_of(s, 0, UINT64_MAX, 0);

    test_flight(row, s->tenants[seq % TENANTS], p.time_from + seq % 24 * PSH_HOUR, seq, "LAX", delay, 100);
}

static int owns(const moves_stage *s, const psh_partition *p, int64_t seq) {
    return moves_point_of(s, seq) >= p->arc_first && moves_point_of(s, seq) <= p->arc_last;
}

/* One commit of n new rows, placed by the arcs of `ps`. */
void moves_put(moves_stage *s, const psh_partition *ps, size_t count, size_t n) {
    psh_value row[6];
    size_t i;

    assert_ok(s->with->begin(s->host, ++s->clock));
    for (; n > 0; n--, s->next++) {
        assert_true(s->next < ROWS);
        for (i = 0; !owns(s, &ps[i], s->next); i++)
            assert_true(i + 1 < count);
        flight(s, s->next, s->next, row);
        assert_ok(s->with->insert(s->host, &ps[i], row));
        s->delays[s->next] = s->next;
        s->changes++;
    }
    assert_ok(s->with->commit(s->host, NULL));
}

/* One commit that changes a row, or removes it. */
void moves_change(moves_stage *s, const psh_partition *ps, size_t count, int64_t seq, int remove) {
    psh_value row[6];
    size_t i;

    if (s->delays[seq] == GONE)
        return;
    for (i = 0; !owns(s, &ps[i], seq); i++)
        assert_true(i + 1 < count);
    s->delays[seq] = remove ? GONE : s->delays[seq] + 10000;
    flight(s, seq, s->delays[seq], row);
    assert_ok(s->with->begin(s->host, ++s->clock));
    assert_ok(s->with->change(s->host, &ps[i], row, remove));
    assert_ok(s->with->commit(s->host, NULL));
    s->changes++;
}

static psh_status see(void *user, const psh_value *rows, size_t n) {
    moves_stage *s = user;
    size_t i;

    for (i = 0; i < n; i++) {
        assert_true(rows[6 * i + 2].as.i64 >= 0 && rows[6 * i + 2].as.i64 < ROWS);
        assert_int_equal(rows[6 * i + 4].as.i64, s->delays[rows[6 * i + 2].as.i64]);
        s->seen[rows[6 * i + 2].as.i64]++;
    }
    return PSH_OK;
}

static void check_seen(moves_stage *s, const psh_partition *ps, size_t n) {
    int64_t seq;
    uint32_t owners;
    size_t i;

    for (seq = 0; seq < s->next; seq++) {
        owners = 0;
        for (i = 0; i < n; i++)
            owners += (uint32_t)owns(s, &ps[i], seq);
        if (s->seen[seq] != (s->delays[seq] == GONE ? 0 : owners))
            fail_msg("row %d is seen %u times, not %u", (int)seq, (unsigned)s->seen[seq], (unsigned)owners);
    }
}

void moves_check_scan(moves_stage *s, const psh_partition *ps, size_t n) {
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

void moves_check_leg(moves_stage *s, const psh_partition *ps, size_t n, uint32_t node) {
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
void moves_check_stream(moves_stage *s) {
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

void moves_check(moves_stage *s, const psh_partition *ps, size_t n) {
    moves_check_scan(s, ps, n);
    moves_check_leg(s, ps, n, 0);
    moves_check_stream(s);
}

void moves_restart(moves_stage *s) {
    if (!s->with->reopen)
        return;
    s->with->reopen(s->host, s->schema);
    s->with->tables(s->host, &s->storage, &s->cdc, &s->kv);
}
