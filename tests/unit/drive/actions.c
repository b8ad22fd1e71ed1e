/* SPDX-License-Identifier: MIT */
#include "fake.h"

typedef struct stage {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    psh_driver *d;
    psh_driver_options o;
    fake f;
} stage;

static void open_stage(stage *s) {
    psh_storage storage = fake_storage(&s->f);

    assert_ok(psh_driver_create(s->env, s->schema, &s->o, &storage, NULL, NULL, &s->d, NULL));
}

static int setup(void **state) {
    static stage s;

    memset(&s, 0, sizeof s);
    s.env = test_env(&s.alloc);
    s.schema = test_flights_schema(s.env);
    assert_ok(psh_driver_options_init(&s.o, sizeof s.o));
    s.o.max_attempts = 3;
    open_stage(&s);
    *state = &s;
    return 0;
}

static int teardown(void **state) {
    stage *s = *state;

    psh_driver_destroy(s->d);
    psh_schema_unref(s->schema);
    psh_env_destroy(s->env);
    assert_int_equal(s->alloc.live, 0);
    return 0;
}

static void run(stage *s, const psh_action *actions, size_t n) {
    psh_plan *p = fake_plan(s->env, actions, n);

    assert_ok(psh_driver_run(s->d, p, NULL));
    psh_plan_unref(p); /* the driver holds its own */
}

static void done_at_once(void **state) {
    stage *s = *state;
    psh_action a = fake_action(PSH_ACT_CREATE_PARTITION, 1, NULL);
    psh_completion c;

    run(s, &a, 1);
    assert_int_equal(psh_driver_pending(s->d), 1);
    assert_ok(psh_driver_step(s->d, 100, 8));
    assert_int_equal(psh_driver_pending(s->d), 0);
    assert_event(s->d, a.id, PSH_PENDING);
    assert_ok(psh_driver_take(s->d, &c));
    assert_int_equal(c.status, PSH_OK);
    assert_int_equal(c.attempts, 1);
    assert_int_equal(c.submitted_at, 100);
    assert_int_equal(c.completed_at, 100);
    assert_string_equal(c.action.reason, "because");
    assert_int_equal(psh_driver_take(s->d, &c), PSH_END);
    /* No id runs twice. */
    run(s, &a, 1);
    assert_int_equal(psh_driver_pending(s->d), 0);
    assert_ok(psh_driver_step(s->d, 200, 8));
    assert_int_equal(s->f.count, 1);
}

static void dependencies_wait(void **state) {
    stage *s = *state;
    psh_action a[2];

    a[0] = fake_action(PSH_ACT_CREATE_PARTITION, 1, NULL);
    a[1] = fake_action(PSH_ACT_ACTIVATE_PARTITION, 1, &a[0].id);
    run(s, a, 2);
    s->f.next = PSH_PENDING;
    assert_ok(psh_driver_step(s->d, 0, 8));
    assert_int_equal(s->f.count, 1);
    assert_ok(psh_driver_complete(s->d, a[0].id, PSH_OK, 5));
    assert_int_equal(psh_driver_complete(s->d, a[0].id, PSH_OK, 5), PSH_E_NOT_FOUND);
    s->f.next = PSH_OK;
    assert_ok(psh_driver_step(s->d, 6, 8));
    assert_int_equal(s->f.count, 2);
    assert_true(s->f.seen[1] == a[1].id);
    assert_event(s->d, a[0].id, PSH_PENDING);
    assert_event(s->d, a[0].id, PSH_OK);
    assert_event(s->d, a[1].id, PSH_PENDING);
    assert_event(s->d, a[1].id, PSH_OK);
}

static void failure_spreads(void **state) {
    stage *s = *state;
    psh_action a[3];
    psh_driver_stats stats = { .struct_size = sizeof stats };

    a[0] = fake_action(PSH_ACT_CREATE_PARTITION, 1, NULL);
    a[1] = fake_action(PSH_ACT_ACTIVATE_PARTITION, 1, &a[0].id);
    a[2] = fake_action(PSH_ACT_SEAL_PARTITION, 1, &a[1].id);
    run(s, a, 3);
    s->f.next = PSH_E_UNSUPPORTED; /* no use in trying again */
    assert_ok(psh_driver_step(s->d, 0, 8));
    assert_event(s->d, a[0].id, PSH_PENDING);
    assert_event(s->d, a[0].id, PSH_E_UNSUPPORTED);
    assert_event(s->d, a[1].id, PSH_E_STATE);
    assert_event(s->d, a[2].id, PSH_E_STATE);
    assert_int_equal(psh_driver_pending(s->d), 0);
    assert_ok(psh_driver_get_stats(s->d, &stats));
    assert_int_equal(stats.failed, 3);
    /* What failed may run again in a later plan. */
    s->f.next = PSH_OK;
    run(s, a, 1);
    assert_ok(psh_driver_step(s->d, 1, 8));
    assert_event(s->d, a[0].id, PSH_PENDING);
    assert_event(s->d, a[0].id, PSH_OK);
}

static void retries_pause_longer(void **state) {
    stage *s = *state;
    psh_action a = fake_action(PSH_ACT_CREATE_PARTITION, 1, NULL);
    psh_completion c;

    run(s, &a, 1);
    s->f.next = -7777; /* none of ours */
    assert_ok(psh_driver_step(s->d, 0, 8));
    assert_int_equal(psh_driver_next_deadline(s->d), PSH_SECOND);
    assert_ok(psh_driver_step(s->d, PSH_SECOND - 1, 8));
    assert_int_equal(s->f.count, 1);
    assert_ok(psh_driver_step(s->d, PSH_SECOND, 8));
    assert_int_equal(s->f.count, 2);
    assert_int_equal(psh_driver_next_deadline(s->d), 3 * PSH_SECOND);
    assert_ok(psh_driver_step(s->d, 3 * PSH_SECOND, 8));
    assert_int_equal(s->f.count, 3);
    assert_event(s->d, a.id, PSH_PENDING); /* once, however often it was tried */
    assert_ok(psh_driver_take(s->d, &c));
    assert_int_equal(c.status, PSH_E_HOST);
    assert_int_equal(c.attempts, 3);
    assert_int_equal(psh_driver_next_deadline(s->d), PSH_TIME_MAX);
}

static void pending_times_out(void **state) {
    stage *s = *state;
    psh_action a[2];

    a[0] = fake_action(PSH_ACT_CREATE_PARTITION, 1, NULL);
    a[0].want.deadline = 50;
    a[1] = fake_action(PSH_ACT_CREATE_PARTITION, 2, NULL);
    a[1].want.deadline = 5; /* before its submit: bounds nothing */
    run(s, a, 2);
    s->f.next = PSH_PENDING;
    assert_ok(psh_driver_step(s->d, 10, 8));
    assert_int_equal(psh_driver_next_deadline(s->d), 51);
    assert_ok(psh_driver_step(s->d, 50, 8));
    assert_int_equal(psh_driver_pending(s->d), 2);
    assert_ok(psh_driver_step(s->d, 51, 8));
    assert_event(s->d, s->f.seen[0], PSH_PENDING); /* by id, where nothing else orders them */
    assert_event(s->d, s->f.seen[1], PSH_PENDING);
    assert_event(s->d, a[0].id, PSH_E_TIMEOUT);
    assert_ok(psh_driver_step(s->d, 11 + PSH_HOUR, 8));
    assert_event(s->d, a[1].id, PSH_E_TIMEOUT);
    assert_int_equal(psh_driver_complete(s->d, a[1].id, PSH_OK, 12 + PSH_HOUR), PSH_E_NOT_FOUND);
}

static void fenced_stops(void **state) {
    stage *s = *state;
    psh_action a[2];

    a[0] = fake_action(PSH_ACT_CREATE_PARTITION, 1, NULL);
    a[1] = fake_action(PSH_ACT_CREATE_PARTITION, 2, NULL);
    run(s, a, 2);
    s->f.next = PSH_E_FENCED;
    assert_int_equal(psh_driver_step(s->d, 0, 8), PSH_E_FENCED);
    assert_int_equal(s->f.count, 1);
    s->f.next = PSH_OK;
    assert_int_equal(psh_driver_step(s->d, 1, 8), PSH_E_FENCED);
    assert_int_equal(s->f.count, 1);
    assert_int_equal(psh_driver_pending(s->d), 2);
    assert_ok(psh_driver_lead(s->d, NULL, NULL));
    assert_ok(psh_driver_step(s->d, 2, 8));
    assert_int_equal(psh_driver_pending(s->d), 0);
}

static void views_are_handed_out(void **state) {
    stage *s = *state;
    psh_action a = fake_action(PSH_ACT_DROP_VIEW, 9, NULL);

    run(s, &a, 1);
    assert_ok(psh_driver_step(s->d, 0, 8));
    assert_int_equal(s->f.count, 0);
    assert_event(s->d, a.id, PSH_PENDING);
    assert_int_equal(psh_driver_pending(s->d), 1);
    assert_ok(psh_driver_complete(s->d, a.id, PSH_E_NOMEM, 1));
    assert_event(s->d, a.id, PSH_E_NOMEM);
    assert_int_equal(psh_driver_pending(s->d), 0);
}

static void budget_and_flight(void **state) {
    stage *s = *state;
    psh_action a[3];

    psh_driver_destroy(s->d);
    s->o.max_in_flight = 2;
    open_stage(s);
    a[0] = fake_action(PSH_ACT_CREATE_PARTITION, 1, NULL);
    a[1] = fake_action(PSH_ACT_CREATE_PARTITION, 2, NULL);
    a[2] = fake_action(PSH_ACT_CREATE_PARTITION, 3, NULL);
    run(s, a, 3);
    s->f.next = PSH_PENDING;
    assert_int_equal(psh_driver_step(s->d, 0, 1), PSH_AGAIN);
    assert_int_equal(s->f.count, 1);
    assert_ok(psh_driver_step(s->d, 0, 8));
    assert_int_equal(s->f.count, 2);
    assert_ok(psh_driver_complete(s->d, s->f.seen[0], PSH_OK, 1));
    assert_ok(psh_driver_step(s->d, 1, 8));
    assert_int_equal(s->f.count, 3);
}

static void not_before_waits(void **state) {
    stage *s = *state;
    psh_action a = fake_action(PSH_ACT_SEAL_PARTITION, 1, NULL);

    a.want.not_before = 1000;
    run(s, &a, 1);
    assert_ok(psh_driver_step(s->d, 999, 8));
    assert_int_equal(s->f.count, 0);
    assert_int_equal(psh_driver_next_deadline(s->d), 1000);
    assert_ok(psh_driver_step(s->d, 1000, 8));
    assert_int_equal(s->f.count, 1);
}

static void limits_hold(void **state) {
    stage *s = *state;
    psh_action a[3];
    psh_plan *p;
    psh_error err = { .struct_size = sizeof err };
    psh_completion c;
    int i;

    psh_driver_destroy(s->d);
    s->o.max_actions = 2;
    s->o.done_memory = 1;
    open_stage(s);
    for (i = 0; i < 3; i++)
        a[i] = fake_action(PSH_ACT_CREATE_PARTITION, (uint64_t)i + 1, NULL);
    p = fake_plan(s->env, a, 3);
    assert_int_equal(psh_driver_run(s->d, p, &err), PSH_E_LIMIT);
    assert_string_equal(err.field, "max_actions");
    assert_int_equal(psh_driver_pending(s->d), 0);
    psh_plan_unref(p);
    run(s, a, 2);
    assert_ok(psh_driver_step(s->d, 0, 8));
    /* Events that nobody takes bound what may be added. */
    p = fake_plan(s->env, &a[2], 1);
    assert_int_equal(psh_driver_run(s->d, p, NULL), PSH_E_LIMIT);
    while (psh_driver_take(s->d, &c) == PSH_OK)
        continue;
    assert_ok(psh_driver_run(s->d, p, NULL));
    psh_plan_unref(p);
    assert_ok(psh_driver_step(s->d, 1, 8));
    assert_int_equal(s->f.count, 3);
    /* One id is remembered: the last. The first may run again. */
    run(s, a, 1);
    assert_int_equal(psh_driver_pending(s->d), 1);
}

static void reentry_is_refused(void **state) {
    stage *s = *state;
    psh_action a = fake_action(PSH_ACT_CREATE_PARTITION, 1, NULL);

    run(s, &a, 1);
    s->f.reenter = s->d;
    assert_ok(psh_driver_step(s->d, 0, 8));
    assert_int_equal(s->f.reentered, PSH_E_REENTRANT);
    assert_int_equal(s->f.count, 1);
}

static void bad_arguments(void **state) {
    stage *s = *state;
    psh_completion c;

    assert_int_equal(psh_driver_run(s->d, NULL, NULL), PSH_E_INVALID);
    assert_int_equal(psh_driver_step(NULL, 0, 1), PSH_E_INVALID);
    assert_int_equal(psh_driver_step(s->d, PSH_TIME_NONE, 1), PSH_E_INVALID);
    assert_int_equal(psh_driver_complete(s->d, 1, PSH_PENDING, 0), PSH_E_INVALID);
    assert_int_equal(psh_driver_complete(s->d, 1, PSH_OK, 0), PSH_E_NOT_FOUND);
    assert_int_equal(psh_driver_take(s->d, NULL), PSH_E_INVALID);
    assert_int_equal(psh_driver_take(s->d, &c), PSH_END);
}

static psh_status scenario(psh_env *env, void *user) {
    psh_schema *schema = user;
    fake f = { .next = PSH_PENDING };
    psh_storage storage = fake_storage(&f);
    psh_action a[2];
    psh_plan *p = NULL;
    psh_driver *d = NULL;
    psh_status st;

    a[0] = fake_action(PSH_ACT_CREATE_PARTITION, 1, NULL);
    a[1] = fake_action(PSH_ACT_ACTIVATE_PARTITION, 1, &a[0].id);
    st = psh_plan_create(env, 0, 1, a, 2, sizeof a[0], &p, NULL);
    if (st == PSH_OK)
        st = psh_driver_create(env, schema, NULL, &storage, NULL, NULL, &d, NULL);
    if (st == PSH_OK)
        st = psh_driver_run(d, p, NULL);
    if (st == PSH_OK)
        st = psh_driver_step(d, 0, 8);
    if (st == PSH_OK)
        st = psh_driver_complete(d, a[0].id, PSH_OK, 1);
    if (st == PSH_OK)
        st = psh_driver_step(d, 1, 8);
    psh_driver_destroy(d);
    psh_plan_unref(p);
    return st;
}

static void memory_fails(void **state) {
    stage *s = *state;

    test_every_allocation(scenario, s->schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(done_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(dependencies_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(failure_spreads, setup, teardown),
        cmocka_unit_test_setup_teardown(retries_pause_longer, setup, teardown),
        cmocka_unit_test_setup_teardown(pending_times_out, setup, teardown),
        cmocka_unit_test_setup_teardown(fenced_stops, setup, teardown),
        cmocka_unit_test_setup_teardown(views_are_handed_out, setup, teardown),
        cmocka_unit_test_setup_teardown(budget_and_flight, setup, teardown),
        cmocka_unit_test_setup_teardown(not_before_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(reentry_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_fails, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
