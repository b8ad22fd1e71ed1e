/* SPDX-License-Identifier: MIT */
#include "test.h"

#define MIB 1048576.0

typedef struct fixture {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    psh_map *map;
    psh_wants *wants;
} fixture;

static void open_fixture(fixture *f, const psh_map_options *o) {
    f->env = test_env(&f->alloc);
    f->schema = test_flights_schema(f->env);
    assert_ok(psh_map_create(f->env, f->schema, o, &f->map, NULL));
    assert_ok(psh_wants_create(f->env, &f->wants));
}

static void close_fixture(fixture *f) {
    psh_wants_destroy(f->wants);
    psh_map_destroy(f->map);
    psh_schema_unref(f->schema);
    psh_env_destroy(f->env);
    assert_int_equal(f->alloc.live, 0);
}

static void propose(fixture *f, const psh_demand *demand, int64_t now) {
    psh_wants_clear(f->wants);
    assert_ok(psh_map_propose(f->map, demand, now, f->wants, NULL));
}

static size_t count_kind(const fixture *f, uint32_t kind, int64_t interval) {
    size_t i, n = 0;
    psh_want w;

    for (i = 0; i < psh_wants_count(f->wants); i++) {
        assert_ok(psh_wants_get(f->wants, i, &w));
        n += w.kind == kind && w.interval == interval && w.subject != psh_quarantine_id(0);
    }
    return n;
}

/* Carries out what is wanted of one kind. */
static void run_kind(fixture *f, uint32_t kind, int64_t now) {
    psh_action a;
    size_t i;

    for (i = 0; i < psh_wants_count(f->wants); i++) {
        memset(&a, 0, sizeof a);
        assert_ok(psh_wants_get(f->wants, i, &a.want));
        if (a.want.kind != kind)
            continue;
        a.want.node = a.want.tier = 0;
        a.id = psh_action_id(kind, a.want.subject, a.want.generation);
        assert_ok(psh_map_begin(f->map, &a));
        assert_ok(psh_map_complete(f->map, &a, PSH_OK, now));
    }
}

static int64_t day(int64_t t) {
    return t / PSH_DAY;
}

static psh_demand_entry interval_entry(int64_t t, double bytes_upper) {
    psh_demand_entry e;

    memset(&e, 0, sizeof e);
    e.kind = PSH_DEMAND_INTERVAL;
    e.id = (uint64_t)day(t);
    e.from = day(t) * PSH_DAY;
    e.to = e.from + PSH_DAY;
    e.bytes = e.bytes_upper = bytes_upper;
    e.count = e.upper = bytes_upper / 100;
    e.confidence = 1;
    return e;
}

static psh_demand_entry tenant_entry(uint64_t id, double rows) {
    psh_demand_entry e = interval_entry(TEST_T0, 0);

    e.kind = PSH_DEMAND_TENANT;
    e.id = id;
    e.count = e.upper = rows;
    return e;
}

static psh_demand *demand_of(psh_env *env, uint32_t source, const psh_demand_entry *e, size_t n) {
    psh_demand *d = NULL;

    assert_ok(psh_demand_create(env, TEST_T0, source, 0.9, e, n, sizeof *e, &d, NULL));
    return d;
}

static void without_demand_now_and_the_lead_are_planned(void **state) {
    fixture f;
    psh_want w;

    (void)state;
    open_fixture(&f, NULL);
    propose(&f, NULL, TEST_T0 + 1);
    assert_ok(psh_wants_get(f.wants, 0, &w));
    assert_int_equal(w.subject, psh_quarantine_id(0));
    assert_int_equal(w.kind, PSH_ACT_CREATE_PARTITION);
    assert_true(w.arc_first == 0 && w.arc_last == UINT64_MAX && w.interval == 0);
    assert_ok(psh_wants_get(f.wants, 1, &w));
    assert_int_equal(w.kind, PSH_ACT_ACTIVATE_PARTITION);
    assert_int_equal(count_kind(&f, PSH_ACT_CREATE_PARTITION, day(TEST_T0)), 1);
    assert_int_equal(count_kind(&f, PSH_ACT_ACTIVATE_PARTITION, day(TEST_T0)), 1);
    assert_int_equal(count_kind(&f, PSH_ACT_CREATE_PARTITION, day(TEST_T0) + 1), 1);
    assert_int_equal(count_kind(&f, PSH_ACT_ACTIVATE_PARTITION, day(TEST_T0) + 1), 0); /* too early */
    assert_int_equal(psh_wants_count(f.wants), 5);
    run_kind(&f, PSH_ACT_CREATE_PARTITION, TEST_T0);
    propose(&f, NULL, TEST_T0 + 1);
    assert_int_equal(psh_wants_count(f.wants), 2); /* what exists is left; two activations */
    close_fixture(&f);
}

static void without_lead_only_now_is_planned(void **state) {
    psh_map_options o;
    fixture f;

    (void)state;
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.lead_ns = -1;
    open_fixture(&f, &o);
    propose(&f, NULL, TEST_T0);
    assert_int_equal(count_kind(&f, PSH_ACT_CREATE_PARTITION, day(TEST_T0)), 1);
    assert_int_equal(psh_wants_count(f.wants), 4);
    close_fixture(&f);
}

static void arcs_tile_and_share_the_load(void **state) {
    psh_demand_entry e[101];
    psh_demand *d;
    psh_want w;
    uint64_t next = 0;
    double sum = 0;
    size_t i, n = 0;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    for (i = 0; i < 100; i++)
        e[i] = tenant_entry(i * 7919 + 1, 10);
    e[100] = interval_entry(TEST_T0 + PSH_DAY, 200 * MIB); /* 3.1 targets: 4 arcs */
    d = demand_of(f.env, PSH_DEMAND_FORECAST, e, 101);
    propose(&f, d, TEST_T0);
    for (i = 0; i < psh_wants_count(f.wants); i++) {
        assert_ok(psh_wants_get(f.wants, i, &w));
        if (w.interval != day(TEST_T0) + 1)
            continue;
        assert_int_equal(w.arc_first, next);
        assert_int_equal(w.ordinal, n++);
        assert_int_equal(w.why, PSH_WHY_FORECAST);
        assert_int_equal(w.deadline, TEST_T0 + PSH_DAY);
        assert_int_equal(w.subject, psh_partition_id(0, w.interval, w.arc_first));
        assert_true(w.resources.bytes > 45 * MIB && w.resources.bytes < 55 * MIB);
        sum += w.resources.bytes;
        next = w.arc_last + 1;
    }
    assert_int_equal(n, 4);
    assert_int_equal(next, 0); /* the last arc ends the ring */
    assert_true(sum > 199.99 * MIB && sum < 200.01 * MIB);
    psh_demand_unref(d);
    d = demand_of(f.env, PSH_DEMAND_OBSERVED, e, 101);
    propose(&f, d, TEST_T0);
    assert_ok(psh_wants_get(f.wants, psh_wants_count(f.wants) - 1, &w));
    assert_int_equal(w.why, PSH_WHY_OBSERVED);
    psh_demand_unref(d);
    close_fixture(&f);
}

static void budgets_and_horizon_hold(void **state) {
    psh_map_options o;
    psh_demand_entry e[3];
    psh_demand *d;
    fixture f;

    (void)state;
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.lead_ns = 400 * PSH_DAY;
    o.horizon_ns = 5 * PSH_DAY;
    o.max_bytes = 100;
    open_fixture(&f, &o);
    propose(&f, NULL, TEST_T0);
    assert_int_equal(count_kind(&f, PSH_ACT_CREATE_PARTITION, day(TEST_T0) + 5), 1);
    assert_int_equal(count_kind(&f, PSH_ACT_CREATE_PARTITION, day(TEST_T0) + 6), 0);
    e[0] = interval_entry(TEST_T0, 1000); /* now: not planned ahead, so not under the budget */
    e[1] = interval_entry(TEST_T0 + PSH_DAY, 60);
    e[2] = interval_entry(TEST_T0 + 2 * PSH_DAY, 60);
    d = demand_of(f.env, PSH_DEMAND_FORECAST, e, 3);
    propose(&f, d, TEST_T0);
    assert_int_equal(count_kind(&f, PSH_ACT_CREATE_PARTITION, day(TEST_T0)), 1);
    assert_int_equal(count_kind(&f, PSH_ACT_CREATE_PARTITION, day(TEST_T0) + 1), 1);
    assert_int_equal(count_kind(&f, PSH_ACT_CREATE_PARTITION, day(TEST_T0) + 2), 0);
    run_kind(&f, PSH_ACT_CREATE_PARTITION, TEST_T0);
    propose(&f, d, TEST_T0); /* what exists counts */
    assert_int_equal(count_kind(&f, PSH_ACT_CREATE_PARTITION, day(TEST_T0) + 2), 0);
    psh_demand_unref(d);
    close_fixture(&f);
}

static void a_row_dated_2100_creates_nothing(void **state) {
    psh_demand_entry e = interval_entry(TEST_T0 + 36160 * PSH_DAY, 1e15);
    psh_demand *d;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    d = demand_of(f.env, PSH_DEMAND_FORECAST, &e, 1);
    propose(&f, d, TEST_T0);
    assert_int_equal(psh_wants_count(f.wants), 5); /* as without demand */
    psh_demand_unref(d);
    close_fixture(&f);
}

static void max_partitions_hold(void **state) {
    psh_map_options o;
    fixture f;

    (void)state;
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.max_partitions = 3;
    o.lead_ns = 10 * PSH_DAY;
    open_fixture(&f, &o);
    propose(&f, NULL, TEST_T0);
    run_kind(&f, PSH_ACT_CREATE_PARTITION, TEST_T0);
    assert_int_equal(psh_map_count(f.map), 3);
    close_fixture(&f);
}

static void holes_are_filled(void **state) {
    psh_map_options o;
    psh_action a;
    size_t i;
    uint64_t next = 0;
    const psh_partition *p;
    fixture f;

    (void)state;
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.default_arcs = 8;
    o.lead_ns = 0;
    open_fixture(&f, &o);
    propose(&f, NULL, TEST_T0);
    for (i = 0; i < psh_wants_count(f.wants); i++) {
        memset(&a, 0, sizeof a);
        assert_ok(psh_wants_get(f.wants, i, &a.want));
        if (a.want.kind != PSH_ACT_CREATE_PARTITION || a.want.ordinal % 3 != 1)
            continue;
        a.want.node = a.want.tier = 0;
        a.id = psh_action_id(a.want.kind, a.want.subject, 0);
        assert_ok(psh_map_begin(f.map, &a)); /* 1, 4 and 7 of 8 */
        assert_ok(psh_map_complete(f.map, &a, PSH_OK, TEST_T0));
    }
    assert_int_equal(psh_map_count(f.map), 3);
    propose(&f, NULL, TEST_T0);
    run_kind(&f, PSH_ACT_CREATE_PARTITION, TEST_T0); /* would be refused if any ordinal were taken */
    for (i = 0; (p = psh_map_get(f.map, i)) != NULL && !p->flags; i++) {
        assert_int_equal(p->arc_first, next);
        next = p->arc_last + 1;
    }
    assert_int_equal(i, 8);
    assert_int_equal(next, 0);
    close_fixture(&f);
}

static void activation_and_seal_fall_due(void **state) {
    int64_t end = TEST_T0 + PSH_DAY;
    psh_want w;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    propose(&f, NULL, TEST_T0);
    run_kind(&f, PSH_ACT_CREATE_PARTITION, TEST_T0);
    run_kind(&f, PSH_ACT_ACTIVATE_PARTITION, TEST_T0);
    propose(&f, NULL, end - PSH_HOUR - 1);
    assert_int_equal(count_kind(&f, PSH_ACT_ACTIVATE_PARTITION, day(end)), 0);
    propose(&f, NULL, end - PSH_HOUR);
    assert_int_equal(count_kind(&f, PSH_ACT_ACTIVATE_PARTITION, day(end)), 1);
    propose(&f, NULL, end + PSH_HOUR - 1);
    assert_int_equal(count_kind(&f, PSH_ACT_SEAL_PARTITION, day(TEST_T0)), 0);
    propose(&f, NULL, end + PSH_HOUR);
    assert_int_equal(count_kind(&f, PSH_ACT_SEAL_PARTITION, day(TEST_T0)), 1);
    run_kind(&f, PSH_ACT_SEAL_PARTITION, end);
    assert_ok(psh_map_reopen(f.map, psh_partition_id(0, day(TEST_T0), 0)));
    psh_wants_clear(f.wants);
    assert_ok(psh_map_propose(f.map, NULL, end + PSH_HOUR, f.wants, NULL));
    assert_int_equal(count_kind(&f, PSH_ACT_SEAL_PARTITION, day(TEST_T0)), 1);
    for (size_t i = 0; i < psh_wants_count(f.wants); i++) {
        assert_ok(psh_wants_get(f.wants, i, &w));
        assert_true(w.kind != PSH_ACT_SEAL_PARTITION || w.generation == 1);
    }
    close_fixture(&f);
}

static void what_is_begun_is_not_wanted(void **state) {
    psh_action a;
    size_t i;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    propose(&f, NULL, TEST_T0);
    for (i = 0; i < psh_wants_count(f.wants); i++) {
        memset(&a, 0, sizeof a);
        assert_ok(psh_wants_get(f.wants, i, &a.want));
        a.want.node = a.want.tier = 0;
        a.id = psh_action_id(a.want.kind, a.want.subject, 0);
        if (a.want.kind == PSH_ACT_CREATE_PARTITION)
            assert_ok(psh_map_begin(f.map, &a));
    }
    propose(&f, NULL, TEST_T0);
    assert_int_equal(psh_wants_count(f.wants), 0);
    close_fixture(&f);
}

static psh_status scenario(psh_env *env, void *user) {
    psh_schema *schema = user;
    psh_demand_entry e[2] = { interval_entry(TEST_T0, 300 * MIB), tenant_entry(5, 1) };
    psh_map *map = NULL;
    psh_wants *wants = NULL;
    psh_demand *d = NULL;
    psh_buffer *b = NULL;
    psh_action a;
    size_t i;
    psh_status st = psh_map_create(env, schema, NULL, &map, NULL);

    if (st == PSH_OK)
        st = psh_wants_create(env, &wants);
    if (st == PSH_OK)
        st = psh_buffer_create(env, &b);
    if (st == PSH_OK)
        st = psh_demand_create(env, TEST_T0, PSH_DEMAND_FORECAST, 0.9, e, 2, sizeof e[0], &d, NULL);
    if (st == PSH_OK) {
        st = psh_map_propose(map, d, TEST_T0, wants, NULL);
        assert_true(st == PSH_OK || psh_wants_count(wants) == 0); /* a failure adds nothing */
    }
    for (i = 0; st == PSH_OK && i < psh_wants_count(wants); i++) {
        memset(&a, 0, sizeof a);
        assert_ok(psh_wants_get(wants, i, &a.want));
        a.want.node = a.want.tier = 0;
        a.id = psh_action_id(a.want.kind, a.want.subject, 0);
        st = psh_map_begin(map, &a);
        if (st == PSH_OK)
            assert_ok(psh_map_complete(map, &a, PSH_OK, TEST_T0));
    }
    if (st == PSH_OK)
        st = psh_map_save(map, b);
    psh_map_destroy(map);
    map = NULL;
    if (st == PSH_OK)
        st = psh_map_load(env, schema, psh_buffer_data(b), psh_buffer_size(b), 0, &map, NULL);
    psh_map_destroy(map);
    psh_demand_unref(d);
    psh_buffer_destroy(b);
    psh_wants_destroy(wants);
    return st;
}

static void out_of_memory_is_survived(void **state) {
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    test_every_allocation(scenario, f.schema);
    close_fixture(&f);
}

/* Any finite demand can be planned for. */
static void huge_demand_is_planned(void **state) {
    psh_demand_entry e[4];
    psh_demand *d;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    e[0] = interval_entry(TEST_T0, 1e308);
    e[0].upper = 1e308;
    e[1] = tenant_entry(1, 1e308);
    e[2] = tenant_entry(2, 1e308);
    e[3] = tenant_entry(3, 5e-324);
    d = demand_of(f.env, PSH_DEMAND_FORECAST, e, 4);
    propose(&f, d, TEST_T0);
    assert_true(count_kind(&f, PSH_ACT_CREATE_PARTITION, day(TEST_T0)) >= 2);
    psh_demand_unref(d);
    close_fixture(&f);
}

/* Without a forecast an interval has the room that the latest one filled. */
static void room_as_the_latest_interval_filled(void **state) {
    int64_t next = TEST_T0 + PSH_DAY;
    uint64_t id = psh_partition_id(0, day(TEST_T0), 0);
    fixture f;
    psh_want w;
    size_t i, seen = 0;

    (void)state;
    open_fixture(&f, NULL);
    propose(&f, NULL, TEST_T0);
    run_kind(&f, PSH_ACT_CREATE_PARTITION, TEST_T0);
    assert_ok(psh_map_observe_write(f.map, id, 10, 12345, TEST_T0, TEST_T0, 0));
    propose(&f, NULL, next);
    for (i = 0; i < psh_wants_count(f.wants); i++) {
        assert_ok(psh_wants_get(f.wants, i, &w));
        if (w.kind != PSH_ACT_CREATE_PARTITION || w.interval != day(next) + 1)
            continue;
        assert_true(w.resources.bytes == 12345);
        assert_true(w.confidence == 0);
        seen++;
    }
    assert_int_equal(seen, 1);
    close_fixture(&f);
}

static void what_takes_long_to_create_is_wanted_sooner(void **state) {
    int64_t next = (day(TEST_T0) + 1) * PSH_DAY;
    psh_demand_entry e = interval_entry(next, 4 * 64 * MIB);
    psh_map_options o;
    psh_demand *d;
    fixture f;

    (void)state;
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.lead_ns = PSH_HOUR;
    o.create_ns = -1;
    assert_int_equal(psh_map_create(NULL, NULL, &o, &f.map, NULL), PSH_E_INVALID);
    o.create_ns = 10 * PSH_MINUTE; /* four arcs: 80 minutes sooner */
    open_fixture(&f, &o);
    d = demand_of(f.env, PSH_DEMAND_FORECAST, &e, 1);
    propose(&f, d, next - PSH_HOUR - 81 * PSH_MINUTE);
    assert_int_equal(count_kind(&f, PSH_ACT_CREATE_PARTITION, day(next)), 0);
    propose(&f, d, next - PSH_HOUR - 79 * PSH_MINUTE);
    assert_int_equal(count_kind(&f, PSH_ACT_CREATE_PARTITION, day(next)), 4);
    propose(&f, NULL, next - PSH_HOUR - 79 * PSH_MINUTE); /* one arc, for all that is known */
    assert_int_equal(count_kind(&f, PSH_ACT_CREATE_PARTITION, day(next)), 0);
    psh_demand_unref(d);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_demand_now_and_the_lead_are_planned),
        cmocka_unit_test(without_lead_only_now_is_planned),
        cmocka_unit_test(what_takes_long_to_create_is_wanted_sooner),
        cmocka_unit_test(arcs_tile_and_share_the_load),
        cmocka_unit_test(budgets_and_horizon_hold),
        cmocka_unit_test(a_row_dated_2100_creates_nothing),
        cmocka_unit_test(max_partitions_hold),
        cmocka_unit_test(holes_are_filled),
        cmocka_unit_test(activation_and_seal_fall_due),
        cmocka_unit_test(what_is_begun_is_not_wanted),
        cmocka_unit_test(out_of_memory_is_survived),
        cmocka_unit_test(huge_demand_is_planned),
        cmocka_unit_test(room_as_the_latest_interval_filled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
