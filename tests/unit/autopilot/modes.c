/* SPDX-License-Identifier: MIT */
#include "compact.h"

typedef struct stage {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    memory_host *h;
    rig r;
    psh_autopilot_options o;
    uint32_t refused; /* kind that the policy vetoes */
    psh_status nested;
} stage;

static int setup(void **state) {
    static stage s;

    memset(&s, 0, sizeof s);
    s.env = test_env(&s.alloc);
    s.schema = rig_schema(s.env, COMPACT_INTERVAL);
    s.h = memory_host_create(s.schema);
    assert_ok(rig_open(&s.r, s.env, s.schema, s.h, COMPACT_INTERVAL));
    assert_ok(psh_autopilot_options_init(&s.o, sizeof s.o));
    s.o.horizon_ns = 2 * COMPACT_INTERVAL; /* as far as the rig's forecaster sees */
    *state = &s;
    return 0;
}

static int teardown(void **state) {
    stage *s = *state;

    rig_close(&s->r);
    memory_host_destroy(s->h);
    psh_schema_unref(s->schema);
    psh_env_destroy(s->env);
    assert_int_equal(s->alloc.live, 0);
    return 0;
}

/* Another autopilot, by the stage's options, over the rig's objects. */
static void replace(stage *s) {
    psh_autopilot_destroy(s->r.pilot);
    s->r.pilot = NULL;
    assert_ok(psh_autopilot_create(s->env, s->schema, &s->o, &s->r.parts, &s->r.pilot, NULL));
}

static size_t audits_of(const stage *s, uint32_t kind, psh_status status) {
    psh_audit a;
    size_t i, n = 0;

    for (i = 0; psh_autopilot_audit(s->r.pilot, i, &a) == PSH_OK; i++)
        n += a.kind == kind && a.status == status;
    return n;
}

static void recommends_by_default(void **state) {
    stage *s = *state;
    size_t n;

    replace(s);
    assert_null(psh_autopilot_plan(s->r.pilot));
    assert_ok(rig_step(&s->r, TEST_T0));
    assert_true(psh_plan_count(psh_autopilot_plan(s->r.pilot)) > 0);
    assert_non_null(psh_autopilot_demand(s->r.pilot));
    assert_int_equal(memory_host_table_count(s->h), 0);
    n = audits_of(s, PSH_ACT_CREATE_PARTITION, PSH_AGAIN);
    assert_true(n > 0);
    /* The same advice again is one record. */
    psh_autopilot_hurry(s->r.pilot);
    assert_ok(rig_step(&s->r, TEST_T0 + 1));
    assert_int_equal(audits_of(s, PSH_ACT_CREATE_PARTITION, PSH_AGAIN), n);
}

static void off_plans_nothing(void **state) {
    stage *s = *state;

    s->o.mode = PSH_MODE_OFF;
    replace(s);
    psh_autopilot_hurry(s->r.pilot);
    assert_ok(rig_step(&s->r, TEST_T0));
    assert_null(psh_autopilot_plan(s->r.pilot));
    assert_int_equal(psh_autopilot_audit_count(s->r.pilot), 0);
    assert_int_equal(memory_host_table_count(s->h), 0);
    assert_int_equal(psh_driver_pending(s->r.driver), 0);
}

static void acts_in_one_step(void **state) {
    stage *s = *state;
    psh_autopilot_stats stats = { .struct_size = sizeof stats };
    psh_audit a;

    assert_ok(rig_step(&s->r, TEST_T0));
    /* The interval that holds now is created and active: what waits for another ran behind it. */
    assert_non_null(psh_world_locate(psh_worlds_current(s->r.worlds), 0, TEST_T0, 0));
    assert_true(memory_host_table_count(s->h) >= 3); /* quarantine, this interval, the next */
    assert_true(audits_of(s, PSH_ACT_ACTIVATE_PARTITION, PSH_OK) >= 2);
    assert_ok(psh_autopilot_audit(s->r.pilot, 0, &a));
    assert_int_equal(a.decided_at, TEST_T0);
    assert_int_equal(a.ended_at, TEST_T0);
    assert_int_equal(a.attempts, 1);
    assert_true(a.name[0] != '\0');
    assert_int_equal(psh_autopilot_audit(s->r.pilot, 100000, &a), PSH_E_NOT_FOUND);
    assert_ok(psh_autopilot_get_stats(s->r.pilot, &stats));
    assert_int_equal(stats.cycles, 1);
    assert_int_equal(stats.host_errors, 0);
    assert_true(stats.actions >= 5);
}

static uint32_t policy(void *user, int64_t now, const psh_action *a) {
    stage *s = user;

    s->nested = psh_autopilot_step(s->r.pilot, now, 1, NULL);
    return a->want.kind == s->refused ? PSH_VERDICT_VETO : PSH_VERDICT_ALLOW;
}

static void policy_vetoes(void **state) {
    stage *s = *state;
    psh_autopilot_stats stats = { .struct_size = sizeof stats };

    s->o.mode = PSH_MODE_ACT;
    s->o.policy = policy;
    s->o.policy_user = s;
    s->refused = PSH_ACT_CREATE_PARTITION;
    replace(s);
    assert_ok(rig_step(&s->r, TEST_T0));
    assert_int_equal(s->nested, PSH_E_REENTRANT);
    assert_int_equal(memory_host_table_count(s->h), 0);
    assert_true(audits_of(s, PSH_ACT_CREATE_PARTITION, PSH_E_VETOED) > 0);
    assert_int_equal(psh_driver_pending(s->r.driver), 0); /* what depended on it is not run either */
    assert_ok(psh_autopilot_get_stats(s->r.pilot, &stats));
    assert_true(stats.vetoed > 0);
    assert_int_equal(stats.actions, 0);
    assert_ok(psh_tiers_check(s->r.parts.tiers));
    assert_int_equal(psh_map_count(s->r.parts.map), 0);
    /* Allowed again, it runs. */
    s->refused = 0;
    psh_autopilot_hurry(s->r.pilot);
    assert_ok(rig_step(&s->r, TEST_T0 + 1));
    assert_true(memory_host_table_count(s->h) >= 3);
}

static void kinds_are_masked(void **state) {
    stage *s = *state;

    s->o.mode = PSH_MODE_ACT;
    s->o.act_kinds = 1u << PSH_ACT_CREATE_PARTITION;
    replace(s);
    assert_ok(rig_step(&s->r, TEST_T0));
    assert_true(memory_host_table_count(s->h) >= 3);
    assert_int_equal(audits_of(s, PSH_ACT_ACTIVATE_PARTITION, PSH_OK), 0);
    assert_null(psh_world_locate(psh_worlds_current(s->r.worlds), 0, TEST_T0, 0));
}

static void host_completes_later(void **state) {
    stage *s = *state;
    uint64_t id;
    int rounds = 0;

    memory_host_set_pending(s->h, 1);
    assert_ok(rig_step(&s->r, TEST_T0));
    assert_null(psh_world_locate(psh_worlds_current(s->r.worlds), 0, TEST_T0, 0));
    psh_autopilot_hurry(s->r.pilot); /* a plan made meanwhile asks for nothing twice */
    assert_ok(rig_step(&s->r, TEST_T0 + 1));
    while (memory_host_finish(s->h, &id) == PSH_OK && rounds++ < 100) {
        assert_ok(psh_driver_complete(s->r.driver, id, PSH_OK, TEST_T0 + 2));
        assert_ok(rig_step(&s->r, TEST_T0 + 2));
    }
    assert_int_equal(psh_driver_pending(s->r.driver), 0);
    assert_non_null(psh_world_locate(psh_worlds_current(s->r.worlds), 0, TEST_T0, 0));
    assert_ok(psh_tiers_check(s->r.parts.tiers));
}

static void time_and_arguments(void **state) {
    stage *s = *state;
    psh_error err = { .struct_size = sizeof err };
    psh_autopilot *a = NULL;
    psh_parts parts;

    assert_ok(rig_step(&s->r, TEST_T0));
    assert_int_equal(psh_autopilot_step(s->r.pilot, TEST_T0 - 1, 1, &err), PSH_E_TIME);
    assert_string_equal(err.field, "now");
    assert_int_equal(psh_autopilot_step(s->r.pilot, TEST_T0, 0, NULL), PSH_E_INVALID);
    assert_int_equal(psh_autopilot_publish(s->r.pilot, TEST_T0 - 1, NULL), PSH_E_TIME);
    assert_true(psh_autopilot_next_deadline(s->r.pilot) > TEST_T0);
    assert_true(psh_autopilot_next_deadline(s->r.pilot) <= TEST_T0 + PSH_MINUTE); /* the next poll */
    psh_autopilot_refresh(s->r.pilot);
    assert_int_equal(psh_autopilot_next_deadline(s->r.pilot), TEST_T0);
    parts = s->r.parts;
    parts.map = NULL;
    assert_int_equal(psh_autopilot_create(s->env, s->schema, NULL, &parts, &a, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "parts");
    s->o.quantile = 1;
    assert_int_equal(psh_autopilot_create(s->env, s->schema, &s->o, &s->r.parts, &a, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "quantile");
    assert_ok(psh_autopilot_options_init(&s->o, sizeof s->o));
    s->o.act_kinds = 1;
    assert_int_equal(psh_autopilot_create(s->env, s->schema, &s->o, &s->r.parts, &a, &err), PSH_E_INVALID);
    assert_null(a);
}

static void fenced_stops_acting(void **state) {
    stage *s = *state;
    psh_driver *other = NULL;
    psh_action x;
    psh_plan *p = NULL;

    assert_ok(rig_step(&s->r, TEST_T0));
    assert_ok(psh_driver_create(s->env, s->schema, NULL, &s->r.storage, NULL, &s->r.kv, &other, NULL));
    assert_ok(psh_driver_lead(other, NULL, NULL));
    memset(&x, 0, sizeof x);
    assert_ok(psh_plan_get(psh_autopilot_plan(s->r.pilot), 0, &x));
    x.after_count = 0;
    x.fence = psh_driver_fence(other);
    assert_ok(psh_plan_create(s->env, TEST_T0, 1, &x, 1, sizeof x, &p, NULL));
    assert_ok(psh_driver_run(other, p, NULL));
    assert_ok(psh_driver_step(other, TEST_T0, 1)); /* the host has seen the newer fence */
    psh_plan_unref(p);
    psh_driver_destroy(other);
    assert_int_equal(rig_step(&s->r, TEST_T0 + PSH_HOUR), PSH_E_FENCED);
    assert_int_equal(rig_step(&s->r, TEST_T0 + 2 * PSH_HOUR), PSH_E_FENCED);
    assert_ok(psh_driver_lead(s->r.driver, NULL, NULL));
    assert_ok(rig_step(&s->r, TEST_T0 + 3 * PSH_HOUR));
}

/* A window that reaches past the forecaster's is cut to it: no cycle fails for it. */
static void a_long_horizon_is_cut(void **state) {
    stage *s = *state;
    psh_autopilot_stats stats = { .struct_size = sizeof stats };

    s->o.mode = PSH_MODE_ACT;
    s->o.horizon_ns = INT64_MAX;
    replace(s);
    assert_ok(rig_step(&s->r, TEST_T0));
    assert_ok(psh_autopilot_get_stats(s->r.pilot, &stats));
    assert_int_equal(stats.cycles, 1);
    assert_true(memory_host_table_count(s->h) >= 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(recommends_by_default, setup, teardown),
        cmocka_unit_test_setup_teardown(off_plans_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(acts_in_one_step, setup, teardown),
        cmocka_unit_test_setup_teardown(policy_vetoes, setup, teardown),
        cmocka_unit_test_setup_teardown(kinds_are_masked, setup, teardown),
        cmocka_unit_test_setup_teardown(host_completes_later, setup, teardown),
        cmocka_unit_test_setup_teardown(time_and_arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(fenced_stops_acting, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_horizon_is_cut, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
