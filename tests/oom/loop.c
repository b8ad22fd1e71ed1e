/* SPDX-License-Identifier: MIT */
/* Every allocation of the whole loop fails, once or from then on: no crash, no leak, no wrong answer. */
#include "compact.h"

#define FLIGHTS 24u
#define EVERY (10 * PSH_MINUTE)

static rig_flight flights[FLIGHTS];

/* What lacked memory is tried once more; if it still lacks it, that is the outcome. */
static psh_status step_again(rig *r, int64_t now) {
    psh_status st = rig_step(r, now);

    return st == PSH_E_NOMEM ? rig_step(r, now) : st;
}

static psh_status ask_again(rig *r, uint32_t template, int64_t now) {
    int same = 1;
    psh_status st = compact_ask(r, template, now, &same);

    if (st == PSH_E_NOMEM)
        st = compact_ask(r, template, now, &same);
    if (st == PSH_OK)
        assert_int_equal(same, 1);
    return st;
}

static psh_status commit_rows(rig *r, int64_t now, size_t *next) {
    psh_status st;
    size_t n = 0;

    while (*next + n < FLIGHTS && flights[*next + n].time < now)
        n++;
    st = rig_commit(r, flights + *next, n, now);
    *next += n;
    return st == PSH_E_NOMEM ? psh_autopilot_publish(r->pilot, now, NULL) : st;
}

static psh_status run_hours(rig *r) {
    int64_t now = TEST_T0;
    size_t next = 0;
    psh_status st = step_again(r, now);
    uint32_t t;

    for (now += COMPACT_COMMIT; st == PSH_OK && next < FLIGHTS; now += 2 * COMPACT_COMMIT) {
        st = commit_rows(r, now, &next);
        psh_autopilot_refresh(r->pilot);
        if (st == PSH_OK)
            st = step_again(r, now);
        for (t = 0; st == PSH_OK && t < 2; t++)
            st = ask_again(r, t, now);
        assert_int_not_equal(psh_tiers_check(r->parts.tiers), PSH_E_INTERNAL); /* it needs memory itself */
        assert_true(compact_map_rows(r) == memory_host_row_count(r->host));
    }
    return st == PSH_OK ? psh_autopilot_checkpoint(r->pilot, now, NULL) : st;
}

static psh_status reopen(psh_env *env, psh_schema *schema, memory_host *h) {
    psh_status st;
    rig r;

    st = rig_reopen(&r, env, schema, h, TEST_T0 + PSH_DAY);
    if (st == PSH_OK)
        st = step_again(&r, TEST_T0 + PSH_DAY);
    rig_close(&r);
    return st;
}

static psh_status scenario(psh_env *env, void *user) {
    psh_schema *schema = user;
    memory_host *h = memory_host_create(schema);
    psh_status st;
    rig r;

    st = rig_open(&r, env, schema, h, COMPACT_INTERVAL);
    if (st == PSH_OK)
        st = run_hours(&r);
    rig_close(&r);
    if (st == PSH_OK)
        st = reopen(env, schema, h);
    memory_host_destroy(h);
    return st;
}

static void memory_fails(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_schema *schema = rig_schema(env, COMPACT_INTERVAL);

    (void)state;
    compact_flights(flights, FLIGHTS, EVERY);
    test_every_allocation(scenario, schema);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(memory_fails) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
