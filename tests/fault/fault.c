/* SPDX-License-Identifier: MIT */
/* Every host callback fails, once, or it and all after it until the host heals: nothing is lost. */
#include "compact.h"

#define FLIGHTS 80u
#define EVERY (8 * PSH_MINUTE)

typedef struct tally {
    uint64_t steps, refused, whole, dropped;
    int failed;
} tally;

static psh_env *env;
static psh_schema *schema;
static test_alloc alloc;
static rig_flight flights[FLIGHTS];

static int setup(void **state) {
    (void)state;
    env = test_env(&alloc);
    schema = rig_schema(env, COMPACT_INTERVAL);
    compact_flights(flights, FLIGHTS, EVERY);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
    return 0;
}

/* What a failing host may make a call return. */
static void tolerate(psh_status st) {
    assert_true(st == PSH_OK || st == PSH_E_HOST || st == PSH_E_NOT_FOUND);
}

static void check(rig *r, int64_t now) {
    uint32_t t;
    int same = 0;

    assert_ok(psh_tiers_check(r->parts.tiers));
    assert_true(compact_map_rows(r) == memory_host_row_count(r->host));
    assert_true(compact_dropped_rows(r) + memory_host_row_count(r->host) == r->counts.rows);
    for (t = 0; t < RIG_TEMPLATES; t++) {
        assert_ok(compact_ask(r, t, now, &same));
        assert_int_equal(same, 1);
    }
}

/* One commit of what came before now; rows that nothing takes yet come again. */
static void tick(rig *r, int64_t now, size_t *next, tally *out) {
    size_t n = 0;
    psh_status st;

    while (*next + n < FLIGHTS && flights[*next + n].time < now)
        n++;
    st = rig_commit(r, flights + *next, n, now);
    tolerate(st);
    out->refused += st != PSH_OK;
    *next += st == PSH_OK ? n : 0;
    psh_autopilot_refresh(r->pilot);
    tolerate(rig_step(r, now));
    out->steps++;
    if (psh_worlds_current(r->worlds))
        check(r, now);
}

static void run_day(memory_host *h, int64_t fail_at, int forever, tally *out) {
    int64_t now = TEST_T0, heal = TEST_T0 + 8 * PSH_HOUR;
    size_t next = 0;
    rig r;

    memset(out, 0, sizeof *out);
    assert_ok(rig_open(&r, env, schema, h, COMPACT_INTERVAL));
    memory_host_fail(h, fail_at, forever);
    tolerate(rig_step(&r, now));
    for (now += COMPACT_COMMIT; now <= TEST_T0 + 16 * PSH_HOUR; now += COMPACT_COMMIT) {
        if (now == heal && forever) {
            out->failed = memory_host_failed(h);
            memory_host_fail(h, -1, 0);
        }
        tick(&r, now, &next, out);
        if (now % (2 * PSH_HOUR) == 0)
            tolerate(psh_autopilot_checkpoint(r.pilot, now, NULL));
    }
    assert_int_equal(next, FLIGHTS);
    assert_int_equal(r.counts.rows, FLIGHTS);
    if (!forever)
        out->failed = memory_host_failed(h);
    memory_host_fail(h, -1, 0);
    assert_ok(rig_step(&r, now + PSH_HOUR)); /* all is well again, and nothing is left over */
    assert_int_equal(psh_driver_pending(r.driver), 0);
    out->whole = r.counts.whole;
    out->dropped = compact_dropped_rows(&r);
    assert_true(out->whole > 0);
    assert_true(out->dropped > 0);
    rig_close(&r);
}

static int run_failing(int64_t n, int forever) {
    memory_host *h = memory_host_create(schema);
    tally got;

    run_day(h, n, forever, &got);
    memory_host_destroy(h);
    return got.failed;
}

static void all_is_well(void **state) {
    (void)state;
    run_failing(-1, 0);
}

static void each_fails_once(void **state) {
    int64_t n = 0;

    (void)state;
    while (run_failing(n, 0))
        n++;
    print_message("%d callbacks failed, one at a time\n", (int)n);
    assert_true(n > 100);
}

static void each_fails_until_healed(void **state) {
    int64_t n = 0;

    (void)state;
    while (run_failing(n, 1))
        n++;
    print_message("%d callbacks failed, with all after them for hours\n", (int)n);
    assert_true(n > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_well),
        cmocka_unit_test(each_fails_once),
        cmocka_unit_test(each_fails_until_healed),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
