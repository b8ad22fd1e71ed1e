/* SPDX-License-Identifier: MIT */
#include "test.h"

#define HEAD 100
#define CUT (UINT64_C(1) << 63)

/* A world under construction, its view, and a route through it. */
typedef struct fixture {
    test_alloc al;
    psh_env *env;
    psh_schema *schema;
    psh_world_draft *draft;
    psh_query *definition; /* departures and delays per hour and origin */
    psh_view *view;
    psh_world *world;
    psh_router *router;
    psh_route *route;
} fixture;

static psh_query *hourly(fixture *f, const char *origin, int64_t from, int64_t to, int64_t staleness) {
    static const psh_aggregate a[] = { { PSH_AGG_COUNT, PSH_NONE }, { PSH_AGG_AVG, 4 } };
    psh_value v = test_text(origin ? origin : "");
    psh_predicate p = { 0, PSH_OP_EQ, &v, 1 };
    psh_query_spec s;
    psh_query *q = NULL;

    psh_query_spec_init(&s, sizeof s);
    s.aggregates = a;
    s.aggregate_count = 2;
    s.bucket_ns = PSH_HOUR;
    s.predicates = &p;
    s.predicate_count = origin != NULL;
    s.time_from = from;
    s.time_to = to;
    s.max_staleness_ns = staleness;
    assert_ok(psh_query_create(f->env, f->schema, &s, &q, NULL));
    return q;
}

static psh_view *add_view(fixture *f, const char *name, psh_query *definition, uint32_t retention) {
    psh_view_spec s;
    psh_view *v = NULL;

    psh_view_spec_init(&s, sizeof s);
    s.name = name;
    s.definition = definition;
    s.retention = retention;
    assert_ok(psh_view_create(f->env, &s, &v, NULL));
    assert_ok(psh_world_draft_add_view(f->draft, v));
    return v;
}

static void setup(fixture *f, uint32_t retention) {
    psh_query *q;

    memset(f, 0, sizeof *f);
    f->env = test_env(&f->al);
    f->schema = test_flights_schema(f->env);
    q = hourly(f, "ATL", PSH_TIME_MIN, PSH_TIME_MAX, 0);
    assert_ok(psh_view_generalize(f->env, q, PSH_HOUR, &f->definition, NULL));
    psh_query_unref(q);
    assert_ok(psh_world_draft_create(f->env, f->schema, 1, TEST_T0, &f->draft));
    f->view = add_view(f, "hourly", f->definition, retention);
    assert_ok(psh_router_create(f->env, NULL, &f->router, NULL));
    assert_ok(psh_route_create(f->router, &f->route));
}

static void teardown(fixture *f) {
    psh_route_destroy(f->route);
    psh_router_destroy(f->router);
    psh_world_unref(f->world);
    psh_view_unref(f->view);
    psh_query_unref(f->definition);
    psh_world_draft_destroy(f->draft);
    psh_schema_unref(f->schema);
    psh_env_destroy(f->env);
    assert_int_equal(f->al.live, 0);
}

static void add_arc(fixture *f, int64_t day, uint64_t first, uint64_t last, uint32_t state, uint64_t written) {
    psh_partition p;

    memset(&p, 0, sizeof p);
    p.id = psh_partition_id(0, day, first);
    p.state = state;
    p.tier = state == PSH_PARTITION_ARCHIVED;
    p.interval = day;
    p.time_from = day * PSH_DAY;
    p.time_to = (day + 1) * PSH_DAY;
    p.arc_first = first;
    p.arc_last = last;
    p.last_position = written;
    assert_ok(psh_world_draft_add_partition(f->draft, &p));
}

static void add_day(fixture *f, int64_t day, uint32_t state, uint64_t written) {
    add_arc(f, day, 0, CUT - 1, state, written);
    add_arc(f, day, CUT, UINT64_MAX, state, written);
}

static void add_quarantine(fixture *f, int64_t from, int64_t to, uint64_t written) {
    psh_partition p;

    memset(&p, 0, sizeof p);
    p.id = psh_quarantine_id(0);
    p.flags = PSH_PARTITION_QUARANTINE;
    p.state = PSH_PARTITION_ACTIVE;
    p.arc_last = UINT64_MAX;
    p.time_from = from;
    p.time_to = to;
    p.rows = written != 0;
    p.last_position = written;
    assert_ok(psh_world_draft_add_partition(f->draft, &p));
}

static void add_part(fixture *f, psh_view *v, uint32_t node, int64_t day, uint64_t position, uint64_t groups) {
    psh_view_part p;

    memset(&p, 0, sizeof p);
    p.view = psh_view_id(v);
    p.node = node;
    p.interval = day;
    p.time_from = day * PSH_DAY;
    p.time_to = (day + 1) * PSH_DAY;
    p.position = position;
    p.commit_time = (int64_t)position * PSH_MINUTE;
    p.groups = groups;
    assert_ok(psh_world_draft_add_view_part(f->draft, &p));
}

static psh_status try_route(fixture *f, const psh_query *q, int64_t now, uint64_t head, uint32_t flags) {
    psh_route_request r = { .struct_size = sizeof r, .flags = flags, .query = q, .now = now,
                            .head_position = head };
    uint64_t calls;
    psh_status st;

    if (!f->world)
        assert_ok(psh_world_create(f->draft, &f->world, NULL));
    calls = f->al.calls;
    st = psh_router_route(f->router, f->world, &r, f->route);
    assert_int_equal(f->al.calls, calls);
    return st;
}

/* Routes a query of all origins over [from, to) with a known head. */
static void route_over(fixture *f, int64_t from, int64_t to) {
    psh_query *q = hourly(f, NULL, from, to, 0);

    assert_ok(try_route(f, q, TEST_T0, HEAD, 0));
    psh_query_unref(q);
}

static void expect_leg(fixture *f, size_t i, uint32_t kind, int64_t from, int64_t to, size_t partitions) {
    psh_leg l;

    assert_ok(psh_route_leg(f->route, i, &l));
    assert_int_equal(l.kind, kind);
    assert_int_equal(l.time_from, from);
    assert_int_equal(l.time_to, to);
    assert_int_equal(l.partition_count, partitions);
    assert_true(l.view == (kind == PSH_LEG_VIEW ? psh_view_id(f->view) : 0));
}

static void expect(fixture *f, uint32_t coverage, size_t legs, uint32_t reason) {
    assert_int_equal(psh_route_coverage(f->route), coverage);
    assert_int_equal(psh_route_leg_count(f->route), legs);
    assert_int_equal(psh_route_reason(f->route), reason);
}

static void test_whole(void **state) {
    fixture f;
    psh_leg l;
    int64_t day;

    (void)state;
    setup(&f, PSH_RETAIN_FOLLOWS_BASE);
    for (day = 10; day < 13; day++) {
        add_day(&f, day, PSH_PARTITION_ACTIVE, HEAD);
        add_part(&f, f.view, 2, day, HEAD, 5);
    }
    add_arc(&f, 14, 0, UINT64_MAX, PSH_PARTITION_SHADOW, 0);
    route_over(&f, PSH_TIME_MIN, PSH_TIME_MAX);
    expect(&f, PSH_COVERAGE_WHOLE, 1, 0);
    expect_leg(&f, 0, PSH_LEG_VIEW, 10 * PSH_DAY, 13 * PSH_DAY, 0);
    assert_ok(psh_route_leg(f.route, 0, &l));
    assert_int_equal(l.node, 2);
    assert_int_equal(psh_route_leg(f.route, 1, &l), PSH_E_NOT_FOUND);
    route_over(&f, 11 * PSH_DAY + PSH_HOUR, 12 * PSH_DAY + 5 * PSH_HOUR);
    expect(&f, PSH_COVERAGE_WHOLE, 1, 0);
    expect_leg(&f, 0, PSH_LEG_VIEW, 11 * PSH_DAY + PSH_HOUR, 12 * PSH_DAY + 5 * PSH_HOUR, 0);
    /* No partition was ever there: nothing to read. */
    route_over(&f, 20 * PSH_DAY, 21 * PSH_DAY);
    expect(&f, PSH_COVERAGE_NONE, 0, 0);
    teardown(&f);
}

/* Days without partitions between others are not missed. */
static void test_gap_without_rows(void **state) {
    fixture f;

    (void)state;
    setup(&f, PSH_RETAIN_FOLLOWS_BASE);
    add_day(&f, 10, PSH_PARTITION_ACTIVE, HEAD);
    add_part(&f, f.view, 0, 10, HEAD, 5);
    add_part(&f, f.view, 0, 11, HEAD, 5); /* its base was dropped */
    add_day(&f, 12, PSH_PARTITION_ACTIVE, HEAD);
    add_part(&f, f.view, 0, 12, HEAD, 5);
    route_over(&f, PSH_TIME_MIN, PSH_TIME_MAX);
    expect(&f, PSH_COVERAGE_WHOLE, 2, 0);
    expect_leg(&f, 0, PSH_LEG_VIEW, 10 * PSH_DAY, 11 * PSH_DAY, 0);
    expect_leg(&f, 1, PSH_LEG_VIEW, 12 * PSH_DAY, 13 * PSH_DAY, 0);
    teardown(&f);
}

static void test_part(void **state) {
    fixture f;

    (void)state;
    setup(&f, PSH_RETAIN_FOLLOWS_BASE);
    add_day(&f, 10, PSH_PARTITION_ARCHIVED, 40);
    add_day(&f, 11, PSH_PARTITION_SEALED, 60);
    add_day(&f, 12, PSH_PARTITION_SEALED, 80);
    add_day(&f, 13, PSH_PARTITION_ACTIVE, HEAD);
    add_part(&f, f.view, 0, 10, 40, 5); /* sealed, and holds its last position */
    add_part(&f, f.view, 0, 11, 59, 5); /* misses one */
    add_part(&f, f.view, 0, 12, 80, 5);
    add_part(&f, f.view, 0, 13, HEAD - 1, 5);
    route_over(&f, PSH_TIME_MIN, PSH_TIME_MAX);
    expect(&f, PSH_COVERAGE_PART, 4, 0);
    expect_leg(&f, 0, PSH_LEG_VIEW, 10 * PSH_DAY, 11 * PSH_DAY, 0);
    expect_leg(&f, 1, PSH_LEG_BASE, 11 * PSH_DAY, 12 * PSH_DAY, 2);
    expect_leg(&f, 2, PSH_LEG_VIEW, 12 * PSH_DAY, 13 * PSH_DAY, 0);
    expect_leg(&f, 3, PSH_LEG_BASE, 13 * PSH_DAY, 14 * PSH_DAY, 2);
    /* Bounds inside a bucket: the view serves whole buckets, the base the two ends. */
    route_over(&f, 10 * PSH_DAY + 1, 10 * PSH_DAY + 3 * PSH_HOUR + 1);
    expect(&f, PSH_COVERAGE_PART, 3, PSH_MATCH_BUCKET);
    expect_leg(&f, 0, PSH_LEG_BASE, 10 * PSH_DAY + 1, 10 * PSH_DAY + PSH_HOUR, 2);
    expect_leg(&f, 1, PSH_LEG_VIEW, 10 * PSH_DAY + PSH_HOUR, 10 * PSH_DAY + 3 * PSH_HOUR, 0);
    expect_leg(&f, 2, PSH_LEG_BASE, 10 * PSH_DAY + 3 * PSH_HOUR, 10 * PSH_DAY + 3 * PSH_HOUR + 1, 2);
    teardown(&f);
}

static void test_freshness(void **state) {
    fixture f;
    psh_query *now = NULL, *relaxed = NULL;

    (void)state;
    setup(&f, PSH_RETAIN_FOLLOWS_BASE);
    add_day(&f, 10, PSH_PARTITION_ACTIVE, 90);
    add_part(&f, f.view, 0, 10, 90, 5); /* committed at minute 90 */
    now = hourly(&f, NULL, PSH_TIME_MIN, PSH_TIME_MAX, 0);
    relaxed = hourly(&f, NULL, PSH_TIME_MIN, PSH_TIME_MAX, 10 * PSH_MINUTE);
    assert_ok(try_route(&f, now, 0, 90, 0));
    expect(&f, PSH_COVERAGE_WHOLE, 1, 0);
    assert_ok(try_route(&f, now, 0, 91, 0));
    expect(&f, PSH_COVERAGE_NONE, 1, 0);
    assert_ok(try_route(&f, now, 0, 0, 0)); /* head unknown: an active interval is never current */
    expect(&f, PSH_COVERAGE_NONE, 1, 0);
    assert_ok(try_route(&f, relaxed, 100 * PSH_MINUTE, 0, 0));
    expect(&f, PSH_COVERAGE_WHOLE, 1, 0);
    assert_ok(try_route(&f, relaxed, 100 * PSH_MINUTE + 1, 99, 0));
    expect(&f, PSH_COVERAGE_NONE, 1, 0);
    assert_ok(try_route(&f, now, 0, 90, PSH_ROUTE_BASE_ONLY));
    expect(&f, PSH_COVERAGE_NONE, 1, 0);
    expect_leg(&f, 0, PSH_LEG_BASE, 10 * PSH_DAY, 11 * PSH_DAY, 2);
    psh_query_unref(now);
    psh_query_unref(relaxed);
    teardown(&f);
}

static void test_quarantine(void **state) {
    fixture f;
    psh_leg l;

    (void)state;
    setup(&f, PSH_RETAIN_FOLLOWS_BASE);
    add_day(&f, 10, PSH_PARTITION_SEALED, 40);
    add_day(&f, 11, PSH_PARTITION_SEALED, 40);
    add_part(&f, f.view, 0, 10, 50, 5);
    add_part(&f, f.view, 0, 11, 50, 5);
    /* A late row of day 11, after the part was built. */
    add_quarantine(&f, 11 * PSH_DAY + 5, 11 * PSH_DAY + 6, 60);
    route_over(&f, PSH_TIME_MIN, PSH_TIME_MAX);
    expect(&f, PSH_COVERAGE_PART, 2, 0);
    expect_leg(&f, 0, PSH_LEG_VIEW, 10 * PSH_DAY, 11 * PSH_DAY, 0);
    expect_leg(&f, 1, PSH_LEG_BASE, 11 * PSH_DAY, 12 * PSH_DAY, 3);
    assert_ok(psh_route_leg(f.route, 1, &l));
    assert_true(l.partitions[2]->flags == PSH_PARTITION_QUARANTINE);
    route_over(&f, 10 * PSH_DAY, 11 * PSH_DAY);
    expect(&f, PSH_COVERAGE_WHOLE, 1, 0);
    teardown(&f);
}

/* Rows of no planned interval are found, too. */
static void test_quarantine_alone(void **state) {
    fixture f;

    (void)state;
    setup(&f, PSH_RETAIN_FOLLOWS_BASE);
    add_arc(&f, 30, 0, UINT64_MAX, PSH_PARTITION_SHADOW, 0);
    add_quarantine(&f, 30 * PSH_DAY + 5, 30 * PSH_DAY + 6, 60);
    route_over(&f, PSH_TIME_MIN, PSH_TIME_MAX);
    expect(&f, PSH_COVERAGE_NONE, 1, 0);
    expect_leg(&f, 0, PSH_LEG_BASE, 30 * PSH_DAY, 31 * PSH_DAY, 1);
    route_over(&f, 30 * PSH_DAY + 6, PSH_TIME_MAX);
    expect(&f, PSH_COVERAGE_NONE, 0, 0);
    teardown(&f);
}

static void test_pruning(void **state) {
    static const char *const names[] = { "ATL", "BOS", "CLE", "DEN", "EWR", "FLL" };
    fixture f;
    psh_query *q;
    psh_value v;
    psh_leg l;
    uint64_t point;
    size_t i;

    (void)state;
    setup(&f, PSH_RETAIN_FOLLOWS_BASE);
    add_day(&f, 10, PSH_PARTITION_ARCHIVED, 40);
    add_day(&f, 11, PSH_PARTITION_ACTIVE, 40);
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        v = test_text(names[i]);
        point = psh_ring_point(psh_tenant_id(&v), 0);
        q = hourly(&f, names[i], PSH_TIME_MIN, PSH_TIME_MAX, 0);
        assert_ok(try_route(&f, q, 0, 0, 0));
        expect(&f, PSH_COVERAGE_NONE, 2, 0); /* one leg for each tier */
        expect_leg(&f, 0, PSH_LEG_BASE, 10 * PSH_DAY, 12 * PSH_DAY, 1);
        assert_ok(psh_route_leg(f.route, 0, &l));
        assert_int_equal(l.tier, 0);
        assert_true(l.partitions[0]->arc_first <= point && point <= l.partitions[0]->arc_last);
        assert_true(l.partitions[0]->interval == 11);
        assert_ok(psh_route_leg(f.route, 1, &l));
        assert_int_equal(l.tier, 1);
        assert_true(l.partitions[0]->arc_first <= point && point <= l.partitions[0]->arc_last);
        psh_query_unref(q);
    }
    route_over(&f, 10 * PSH_DAY, 11 * PSH_DAY);
    expect(&f, PSH_COVERAGE_NONE, 1, 0);
    expect_leg(&f, 0, PSH_LEG_BASE, 10 * PSH_DAY, 11 * PSH_DAY, 2);
    teardown(&f);
}

static void test_outlives_base(void **state) {
    fixture f;

    (void)state;
    setup(&f, PSH_RETAIN_OUTLIVES_BASE);
    add_part(&f, f.view, 0, 8, 20, 5); /* its base is gone */
    add_day(&f, 10, PSH_PARTITION_SEALED, 40);
    add_part(&f, f.view, 0, 10, 40, 5);
    route_over(&f, PSH_TIME_MIN, PSH_TIME_MAX);
    expect(&f, PSH_COVERAGE_WHOLE, 2, 0);
    expect_leg(&f, 0, PSH_LEG_VIEW, 8 * PSH_DAY, 9 * PSH_DAY, 0);
    expect_leg(&f, 1, PSH_LEG_VIEW, 10 * PSH_DAY, 11 * PSH_DAY, 0);
    teardown(&f);
}

static void test_nodes(void **state) {
    fixture f;
    psh_leg l;

    (void)state;
    setup(&f, PSH_RETAIN_FOLLOWS_BASE);
    add_day(&f, 10, PSH_PARTITION_ACTIVE, HEAD);
    add_day(&f, 11, PSH_PARTITION_ACTIVE, HEAD);
    add_part(&f, f.view, 0, 10, HEAD - 1, 5); /* not ready */
    add_part(&f, f.view, 1, 10, HEAD, 5);
    add_part(&f, f.view, 0, 11, HEAD, 5);
    add_part(&f, f.view, 1, 11, HEAD, 5);
    route_over(&f, PSH_TIME_MIN, PSH_TIME_MAX);
    expect(&f, PSH_COVERAGE_WHOLE, 1, 0);
    expect_leg(&f, 0, PSH_LEG_VIEW, 10 * PSH_DAY, 12 * PSH_DAY, 0);
    assert_ok(psh_route_leg(f.route, 0, &l));
    assert_int_equal(l.node, 1);
    teardown(&f);
}

static void test_choice(void **state) {
    static const psh_aggregate count = { PSH_AGG_COUNT, PSH_NONE };
    fixture f;
    psh_query *q, *d = NULL;
    psh_query_spec s;
    psh_view *small;
    psh_leg l;

    (void)state;
    setup(&f, PSH_RETAIN_FOLLOWS_BASE);
    psh_query_spec_init(&s, sizeof s);
    s.aggregates = &count;
    s.aggregate_count = 1;
    s.bucket_ns = PSH_HOUR;
    assert_ok(psh_query_create(f.env, f.schema, &s, &d, NULL));
    small = add_view(&f, "small", d, PSH_RETAIN_FOLLOWS_BASE);
    add_day(&f, 10, PSH_PARTITION_ACTIVE, HEAD);
    add_day(&f, 11, PSH_PARTITION_ACTIVE, HEAD);
    add_part(&f, f.view, 0, 10, HEAD, 50);
    add_part(&f, f.view, 0, 11, HEAD, 50);
    add_part(&f, small, 0, 10, HEAD, 5);
    s.time_from = 10 * PSH_DAY;
    s.time_to = 11 * PSH_DAY;
    assert_ok(psh_query_create(f.env, f.schema, &s, &q, NULL));
    assert_ok(try_route(&f, q, 0, HEAD, 0));
    assert_ok(psh_route_leg(f.route, 0, &l));
    assert_true(l.view == psh_view_id(small)); /* both cover it, this one with fewer groups */
    psh_query_unref(q);
    s.time_to = PSH_TIME_MAX;
    assert_ok(psh_query_create(f.env, f.schema, &s, &q, NULL));
    assert_ok(try_route(&f, q, 0, HEAD, 0));
    expect(&f, PSH_COVERAGE_WHOLE, 1, 0);
    expect_leg(&f, 0, PSH_LEG_VIEW, 10 * PSH_DAY, 12 * PSH_DAY, 0); /* covers more */
    psh_query_unref(q);
    psh_query_unref(d);
    psh_view_unref(small);
    teardown(&f);
}

static void test_reasons(void **state) {
    static const psh_aggregate sum = { PSH_AGG_SUM, 5 };
    static const uint32_t columns[] = { 2 };
    fixture f;
    psh_query_spec s;
    psh_query *q = NULL;

    (void)state;
    setup(&f, PSH_RETAIN_FOLLOWS_BASE);
    add_day(&f, 10, PSH_PARTITION_ACTIVE, HEAD);
    add_part(&f, f.view, 0, 10, HEAD, 50);
    psh_query_spec_init(&s, sizeof s);
    s.aggregates = &sum;
    s.aggregate_count = 1;
    assert_ok(psh_query_create(f.env, f.schema, &s, &q, NULL));
    assert_ok(try_route(&f, q, 0, HEAD, 0));
    expect(&f, PSH_COVERAGE_NONE, 1, PSH_MATCH_AGGREGATE);
    psh_query_unref(q);
    s.aggregate_count = 0;
    s.columns = columns;
    s.column_count = 1;
    assert_ok(psh_query_create(f.env, f.schema, &s, &q, NULL));
    assert_ok(try_route(&f, q, 0, HEAD, 0));
    expect(&f, PSH_COVERAGE_NONE, 1, PSH_MATCH_DETAIL);
    psh_query_unref(q);
    teardown(&f);
}

static void test_limits(void **state) {
    psh_router_options o;
    psh_router_stats stats = { .struct_size = sizeof stats };
    psh_route_request r = { .struct_size = sizeof r };
    fixture f;
    psh_buffer *text = NULL;
    int64_t day;

    (void)state;
    setup(&f, PSH_RETAIN_FOLLOWS_BASE);
    psh_route_destroy(f.route);
    psh_router_destroy(f.router);
    assert_ok(psh_router_options_init(&o, sizeof o));
    o.max_legs = 2;
    o.max_partitions = 7;
    assert_ok(psh_router_create(f.env, &o, &f.router, NULL));
    assert_ok(psh_route_create(f.router, &f.route));
    for (day = 10; day < 14; day++) {
        add_day(&f, day, PSH_PARTITION_ACTIVE, HEAD);
        if (day % 2)
            add_part(&f, f.view, 0, day, HEAD, 5);
    }
    /* base, view, base are three legs: the base alone answers in one. */
    route_over(&f, 10 * PSH_DAY, 13 * PSH_DAY);
    expect(&f, PSH_COVERAGE_NONE, 1, 0);
    assert_ok(psh_buffer_create(f.env, &text));
    assert_ok(psh_route_dump(f.route, text));
    assert_non_null(strstr(psh_buffer_data(text), "coverage none"));
    psh_buffer_destroy(text);
    r.query = hourly(&f, NULL, PSH_TIME_MIN, PSH_TIME_MAX, 0);
    assert_int_equal(try_route(&f, r.query, 0, HEAD, 0), PSH_E_LIMIT); /* eight partitions */
    expect(&f, PSH_COVERAGE_NONE, 0, 0);
    assert_int_equal(try_route(&f, r.query, 0, HEAD, 2), PSH_E_UNSUPPORTED);
    assert_int_equal(try_route(&f, NULL, 0, HEAD, 0), PSH_E_INVALID);
    assert_int_equal(try_route(&f, r.query, PSH_TIME_NONE, HEAD, 0), PSH_E_INVALID);
    assert_int_equal(psh_router_route(f.router, NULL, &r, f.route), PSH_E_INVALID);
    assert_ok(psh_router_get_stats(f.router, &stats));
    assert_true(stats.queries == 1 && stats.none == 1 && stats.whole == 0 && stats.part == 0);
    psh_query_unref((psh_query *)(uintptr_t)r.query);
    teardown(&f);
}

static psh_status create_once(psh_env *env, void *user) {
    psh_router *r = NULL;
    psh_route *route = NULL;
    psh_status st = psh_router_create(env, NULL, &r, NULL);

    (void)user;
    if (st == PSH_OK)
        st = psh_route_create(r, &route);
    psh_route_destroy(route);
    psh_router_destroy(r);
    return st;
}

static void test_no_memory(void **state) {
    (void)state;
    test_every_allocation(create_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole), cmocka_unit_test(test_gap_without_rows), cmocka_unit_test(test_part),
        cmocka_unit_test(test_freshness), cmocka_unit_test(test_quarantine),
        cmocka_unit_test(test_quarantine_alone),
        cmocka_unit_test(test_pruning),
        cmocka_unit_test(test_outlives_base),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_choice), cmocka_unit_test(test_reasons), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
