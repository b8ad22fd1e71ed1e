/* SPDX-License-Identifier: MIT */
/*
 * Every host callback fails, once, or it and all after it until the host heals, or the process dies in it and
 * another goes on from the last checkpoint: nothing is lost.
 */
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

/* What the first n rows answer, without any of the library's routing. */
static psh_answer *recompute(psh_query *q, size_t n) {
    psh_answer *out = NULL;
    psh_value row[6];
    size_t i;

    assert_ok(psh_answer_create(env, q, 0, &out));
    for (i = 0; i < n; i++) {
        test_flight(row, flights[i].origin, flights[i].time, flights[i].seq, flights[i].destination,
            flights[i].delay, flights[i].distance);
        assert_ok(psh_answer_add_rows(out, row, 1));
    }
    assert_ok(psh_answer_finish(out));
    return out;
}

static void save_answer(psh_answer *a, psh_buffer **out) {
    assert_ok(psh_buffer_create(env, out));
    assert_ok(psh_answer_save(a, *out));
    psh_answer_destroy(a);
}

static void check_truth(rig *r, int64_t now, size_t n) {
    int64_t to = now - now % (10 * PSH_MINUTE);
    psh_buffer *x = NULL, *y = NULL;
    psh_answer *routed = NULL;
    psh_query *q = NULL;
    uint32_t coverage, t;

    for (t = 0; t < RIG_TEMPLATES; t++) {
        assert_ok(rig_query(r, t, "ORD", to - 3 * PSH_HOUR, to, &q));
        assert_ok(psh_answer_create(env, q, 0, &routed));
        assert_ok(rig_answer(r, q, now, 0, routed, &coverage));
        save_answer(routed, &x);
        save_answer(recompute(q, n), &y);
        assert_int_equal(psh_buffer_size(x), psh_buffer_size(y));
        assert_memory_equal(psh_buffer_data(x), psh_buffer_data(y), psh_buffer_size(x));
        psh_buffer_destroy(x);
        psh_buffer_destroy(y);
        psh_query_unref(q);
    }
}

/* The process is gone; a new one goes on from what the host has. */
static void begin_again(rig *r, memory_host *h, int64_t now) {
    rig_close(r);
    memory_host_fail(h, -1, 0);
    assert_ok(rig_reopen(r, env, schema, h, now));
    assert_ok(psh_driver_lead(r->driver, NULL, NULL));
    psh_autopilot_hurry(r->pilot); /* what the lost plans made is found again by its names */
    psh_autopilot_refresh(r->pilot);
    assert_ok(rig_step(r, now));
}

static void commit_ahead(rig *r, int64_t now, size_t *next) {
    size_t n = 0;

    while (*next + n < FLIGHTS && flights[*next + n].time < now)
        n++;
    if (rig_commit(r, flights + *next, n, now) == PSH_OK)
        *next += n;
}

/* @return 1 if there was a callback `die_at` to die in. */
static int run_dying(int64_t die_at) {
    memory_host *h = memory_host_create(schema);
    int64_t now = TEST_T0;
    size_t next = 0;
    int died = 0;
    rig r;

    assert_ok(rig_open(&r, env, schema, h, COMPACT_INTERVAL));
    assert_ok(rig_step(&r, now));
    assert_ok(psh_autopilot_checkpoint(r.pilot, now, NULL));
    memory_host_fail(h, die_at, 1);
    for (now += COMPACT_COMMIT; now <= TEST_T0 + 16 * PSH_HOUR; now += COMPACT_COMMIT) {
        commit_ahead(&r, now, &next);
        psh_autopilot_refresh(r.pilot);
        tolerate(rig_step(&r, now));
        if (now % (2 * PSH_HOUR) == 0)
            tolerate(psh_autopilot_checkpoint(r.pilot, now, NULL));
        if (!died && memory_host_failed(h)) {
            died = 1;
            begin_again(&r, h, now);
        }
        assert_ok(psh_tiers_check(r.parts.tiers));
        assert_int_equal(memory_host_row_count(h) + memory_host_dropped_rows(h), next);
        check_truth(&r, now, next);
    }
    assert_int_equal(next, FLIGHTS);
    assert_true(memory_host_dropped_rows(h) > 0);
    memory_host_fail(h, -1, 0); /* dying was to be done by now */
    assert_ok(rig_step(&r, now + PSH_HOUR));
    assert_int_equal(psh_driver_pending(r.driver), 0);
    rig_close(&r);
    memory_host_destroy(h);
    return died;
}

static void each_is_the_last(void **state) {
    int64_t n = 0;

    (void)state;
    while (run_dying(n))
        n++;
    print_message("the process died in %d callbacks, one at a time\n", (int)n);
    assert_true(n > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_well),
        cmocka_unit_test(each_fails_once),
        cmocka_unit_test(each_fails_until_healed),
        cmocka_unit_test(each_is_the_last),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
