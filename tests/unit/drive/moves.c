/* SPDX-License-Identifier: MIT */
/*
 * A split and a move, planned by the ledger, run by the driver on the memory host, of which every callback fails,
 * once or until it heals: the plan goes on, nothing is lost, and the ledger balances at each step.
 */
#include <stdio.h>

#include "test.h"

#include "drive/driver.h"

#include <memory_host.h>

#define HALF (UINT64_C(1) << 63)
#define WANTS 8u
#define ROWS 60

typedef struct fixture {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    psh_tiers *tiers;
    psh_driver *driver;
    psh_world *world;
    memory_host *host;
    psh_storage storage;
    psh_cdc cdc;
    psh_partition split, child, moved;
    psh_want wants[WANTS];
    int done[WANTS];
    int64_t now;
} fixture;

static psh_status begin(void *user, const psh_action *action) {
    fixture *f = user;
    psh_status st = psh_tiers_begin(f->tiers, action);

    assert_ok(psh_tiers_check(f->tiers));
    return st;
}

static psh_partition day(int64_t n) {
    psh_partition p;

    memset(&p, 0, sizeof p);
    p.interval = TEST_T0 / PSH_DAY + n;
    p.id = psh_partition_id(0, p.interval, 0);
    p.state = PSH_PARTITION_ACTIVE;
    p.time_from = TEST_T0 + n * PSH_DAY;
    p.time_to = p.time_from + PSH_DAY;
    p.arc_last = UINT64_MAX;
    p.first_write = PSH_TIME_NONE;
    return p;
}

static psh_want want(uint32_t kind, const psh_partition *p, uint32_t node, uint32_t step, uint32_t steps) {
    psh_want w;

    memset(&w, 0, sizeof w);
    w.kind = kind;
    w.why = PSH_WHY_HOT;
    w.subject = p->id;
    w.node = node;
    w.tier = PSH_NONE;
    w.interval = p->interval;
    w.time_from = p->time_from;
    w.time_to = p->time_to;
    w.arc_first = p->arc_first;
    w.arc_last = p->arc_last;
    w.ordinal = p->ordinal;
    w.resources.bytes = 1000;
    w.confidence = 1;
    w.not_before = PSH_TIME_MIN;
    w.deadline = PSH_TIME_MAX;
    w.generation = step;
    w.step = step;
    w.steps = steps;
    return w;
}

static void make_wants(fixture *f) {
    uint32_t i;

    f->wants[0] = want(PSH_ACT_CREATE_PARTITION, &f->child, 1, 0, 0);
    for (i = 1; i <= 2; i++)
        f->wants[i] = want(PSH_ACT_SPLIT_PARTITION, &f->child, PSH_NONE, i, 2);
    for (i = 0; i < 3; i++)
        f->wants[i].source = f->split.id;
    for (i = 1; i <= 3; i++)
        f->wants[2 + i] = want(PSH_ACT_REPLICATE_PARTITION, &f->moved, 1, i, 3);
    f->wants[6] = want(PSH_ACT_PROMOTE_PARTITION, &f->moved, 1, 0, 0);
    f->wants[7] = want(PSH_ACT_DROP_REPLICA, &f->moved, 0, 0, 0);
}

/* A partition that is there when the plans begin. */
static void make_partition(fixture *f, const psh_partition *p) {
    psh_action a;

    memset(&a, 0, sizeof a);
    a.want = want(PSH_ACT_CREATE_PARTITION, p, 0, 0, 0);
    a.want.tier = 0;
    a.want.resources.bytes = 10000;
    a.id = psh_action_id(PSH_ACT_CREATE_PARTITION, p->id, 0);
    a.fence = 1;
    assert_ok(psh_tiers_begin(f->tiers, &a));
    assert_ok(psh_tiers_complete(f->tiers, &a, PSH_OK));
    assert_ok(f->storage.submit(f->storage.user, TEST_T0, &a));
}

static void put_rows(fixture *f, const psh_partition *p) {
    char tenant[8];
    psh_value row[6];
    int i;

    assert_ok(memory_host_begin(f->host, TEST_T0));
    for (i = 0; i < ROWS; i++) {
        snprintf(tenant, sizeof tenant, "T%d", i % 20);
        test_flight(row, tenant, p->time_from + i, i, "LAX", i, 1);
        assert_ok(memory_host_insert(f->host, p->id, 0, row));
    }
    assert_ok(memory_host_commit(f->host, NULL));
}

static void make_world(fixture *f) {
    psh_world_draft *d = NULL;

    assert_ok(psh_world_draft_create(f->env, f->schema, 1, TEST_T0, &d));
    assert_ok(psh_world_draft_add_partition(d, &f->split));
    assert_ok(psh_world_draft_add_partition(d, &f->moved));
    assert_ok(psh_world_create(d, &f->world, NULL));
    psh_world_draft_destroy(d);
}

static void open_fixture(fixture *f) {
    static const psh_tier_info tiers[] = { { 0, 0, 100000, 1, 1, 1, 0, 0, 0 }, { 1, 0, 100000, 1, 1, 1, 0, 0, 0 } };
    psh_tiers_options o;
    psh_driver_options d;

    memset(f, 0, sizeof *f);
    f->env = test_env(&f->alloc);
    f->schema = test_flights_schema(f->env);
    assert_ok(psh_tiers_options_init(&o, sizeof o));
    o.tiers = tiers;
    o.tier_count = 2;
    assert_ok(psh_tiers_create(f->env, &o, &f->tiers, NULL));
    f->host = memory_host_create(f->schema);
    assert_non_null(f->host);
    memory_host_tables(f->host, &f->storage, &f->cdc, NULL);
    assert_ok(psh_driver_options_init(&d, sizeof d));
    d.max_attempts = 2;
    assert_ok(psh_driver_create(f->env, f->schema, &d, &f->storage, &f->cdc, NULL, &f->driver, NULL));
    f->driver->gate = begin;
    f->driver->gate_user = f;
    f->split = day(0);
    f->moved = day(1);
    f->child = f->split;
    f->child.arc_first = HALF;
    f->child.ordinal = 1;
    f->child.id = psh_partition_id(0, f->split.interval, HALF);
    make_partition(f, &f->split);
    make_partition(f, &f->moved);
    put_rows(f, &f->split);
    put_rows(f, &f->moved);
    make_world(f);
    make_wants(f);
    f->now = TEST_T0;
}

static void close_fixture(fixture *f) {
    psh_world_unref(f->world);
    psh_driver_destroy(f->driver);
    memory_host_destroy(f->host);
    psh_tiers_destroy(f->tiers);
    psh_schema_unref(f->schema);
    psh_env_destroy(f->env);
    assert_int_equal(f->alloc.live, 0);
}

static void hear(fixture *f) {
    psh_completion c;
    uint32_t i;

    while (psh_driver_take(f->driver, &c) == PSH_OK) {
        if (c.status == PSH_PENDING)
            continue;
        assert_ok(psh_tiers_complete(f->tiers, &c.action, c.status));
        assert_ok(psh_tiers_check(f->tiers));
        for (i = 0; i < WANTS; i++)
            if (c.action.want.kind == f->wants[i].kind && c.action.want.subject == f->wants[i].subject &&
                c.action.want.step == f->wants[i].step)
                f->done[i] |= c.status == PSH_OK;
    }
}

/* Plans what is not done yet, and runs it to its end. */
static void plan_and_run(fixture *f) {
    psh_wants *wants = NULL;
    psh_plan *plan = NULL;
    uint32_t i;

    assert_ok(psh_wants_create(f->env, &wants));
    for (i = 0; i < WANTS; i++)
        if (!f->done[i])
            assert_ok(psh_wants_add(wants, &f->wants[i], NULL));
    assert_ok(psh_tiers_place(f->tiers, wants, f->schema, f->world, f->now, 1, &plan, NULL));
    assert_int_equal(psh_plan_count(plan), psh_wants_count(wants));
    assert_ok(psh_driver_run(f->driver, plan, NULL));
    psh_plan_unref(plan);
    psh_wants_destroy(wants);
    while (psh_driver_pending(f->driver)) {
        psh_driver_step(f->driver, f->now, 100);
        hear(f);
        f->now += 10 * PSH_SECOND;
    }
    hear(f);
}

static psh_status count(void *user, const psh_value *rows, size_t n) {
    size_t i;

    for (i = 0; i < n; i++)
        ((int *)user)[rows[6 * i + 2].as.i64]++;
    return PSH_OK;
}

/* Each row once, by the world before it all, which names partitions as they were. */
static void check_rows(fixture *f, const psh_partition *p) {
    psh_scan x = { .struct_size = sizeof x, .partitions = &p->id, .infos = p, .partition_count = 1,
                   .time_from = PSH_TIME_MIN, .time_to = PSH_TIME_MAX };
    psh_scan_result r = { .struct_size = sizeof r };
    int seen[ROWS] = { 0 }, i;

    assert_ok(f->storage.scan(f->storage.user, &x, count, seen, &r));
    for (i = 0; i < ROWS; i++)
        assert_int_equal(seen[i], 1);
}

static void check_end(fixture *f) {
    uint64_t bytes = 0;
    psh_health health = { .struct_size = sizeof health };
    uint32_t i;

    for (i = 0; i < WANTS; i++)
        assert_int_equal(f->done[i], 1);
    check_rows(f, &f->split);
    check_rows(f, &f->moved);
    assert_int_equal(memory_host_row_count(f->host), 2 * ROWS);
    assert_int_equal(memory_host_table_count(f->host), 3);
    assert_int_equal(memory_host_position(f->host), 2);
    assert_ok(f->storage.health(f->storage.user, 1, 0, &health));
    bytes = health.used_bytes;
    assert_true(bytes > ROWS * 48); /* what moved, and the child */
}

/* @return whether the host was made to fail */
static int run_failing(int64_t n, int forever) {
    fixture f;
    int failed, rounds = 0;

    open_fixture(&f);
    memory_host_fail(f.host, n, forever);
    plan_and_run(&f);
    failed = memory_host_failed(f.host);
    memory_host_fail(f.host, -1, 0);
    check_rows(&f, &f.split); /* also of a plan that stands half way */
    check_rows(&f, &f.moved);
    while (rounds++ < 2 && !(f.done[2] && f.done[7]))
        plan_and_run(&f);
    check_end(&f);
    close_fixture(&f);
    return failed;
}

static void a_plan_of_moves_runs(void **state) {
    (void)state;
    assert_int_equal(run_failing(-1, 0), 0);
}

static void each_callback_fails_once(void **state) {
    int64_t n = 0;

    (void)state;
    while (run_failing(n, 0))
        n++;
    assert_true(n >= WANTS);
}

static void the_host_fails_until_it_heals(void **state) {
    int64_t n = 0;

    (void)state;
    while (run_failing(n, 1))
        n++;
    assert_true(n >= WANTS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_of_moves_runs),
        cmocka_unit_test(each_callback_fails_once),
        cmocka_unit_test(the_host_fails_until_it_heals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
