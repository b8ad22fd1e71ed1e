/* SPDX-License-Identifier: MIT */
#include "saved.h"

static psh_action seal_action(uint64_t subject, int64_t not_before, const uint64_t *after, size_t n) {
    psh_action a = { 0 };

    a.want.kind = PSH_ACT_SEAL_PARTITION;
    a.want.why = PSH_WHY_INTERVAL_OVER;
    a.want.subject = subject;
    a.want.arc_last = UINT64_MAX;
    a.want.not_before = not_before;
    a.want.deadline = PSH_TIME_MAX;
    a.id = psh_action_id(a.want.kind, subject, 0);
    a.fence = 7;
    a.after = after;
    a.after_count = n;
    a.name = "flights_s0";
    a.reason = "its interval is over";
    a.from_node = a.from_tier = PSH_NONE;
    return a;
}

static uint64_t id_of(uint64_t subject) {
    return psh_action_id(PSH_ACT_SEAL_PARTITION, subject, 0);
}

static psh_status load_plan(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_error *err) {
    psh_plan *p = NULL;
    psh_status st = psh_plan_load(env, schema, data, size, max_bytes, &p, err);

    assert_true((st == PSH_OK) == (p != NULL));
    psh_plan_unref(p);
    return st;
}

static void test_order(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    uint64_t after4[2], after1[1];
    psh_action list[5], got;
    uint64_t subjects[5];
    psh_plan *p;
    size_t i;

    (void)state;
    after4[0] = id_of(2);
    after4[1] = id_of(3);
    after1[0] = id_of(4);
    list[0] = seal_action(1, 0, after1, 1); /* soonest, but it must wait */
    list[1] = seal_action(4, 10, after4, 2);
    list[2] = seal_action(3, 30, NULL, 0);
    list[3] = seal_action(2, 20, NULL, 0);
    list[4] = seal_action(5, 25, NULL, 0);
    assert_ok(psh_plan_create(env, 5, 9, list, 5, sizeof *list, &p, NULL));
    assert_int_equal(psh_plan_count(p), 5);
    assert_int_equal(psh_plan_made_at(p), 5);
    assert_int_equal(psh_plan_epoch(p), 9);
    for (i = 0; i < 5; i++) {
        assert_ok(psh_plan_get(p, i, &got));
        subjects[i] = got.want.subject;
    }
    assert_int_equal(psh_plan_get(p, 5, &got), PSH_E_NOT_FOUND);
    assert_int_equal(subjects[0], 2);
    assert_int_equal(subjects[1], 5);
    assert_int_equal(subjects[2], 3);
    assert_int_equal(subjects[3], 4);
    assert_int_equal(subjects[4], 1);
    assert_ok(psh_plan_get(p, 3, &got));
    assert_int_equal(got.after_count, 2);
    assert_true(got.after != after4 && got.after[1] == id_of(3));
    psh_plan_unref(psh_plan_ref(p));
    psh_plan_unref(p);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* A chain given backwards, long enough to break a recursion, comes out forwards whatever the ids. */
static void test_long_chain(void **state) {
    enum { N = 20000 };
    psh_env *env = NULL;
    psh_action *list = malloc(N * sizeof *list), got;
    uint64_t *before = malloc(N * sizeof *before);
    psh_plan *p;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < N; i++) {
        before[i] = id_of(i);
        list[N - 1 - i] = seal_action(i + 1, 0, i ? &before[i] : NULL, i > 0);
    }
    assert_ok(psh_plan_create(env, 0, 1, list, N, sizeof *list, &p, NULL));
    for (i = 0; i < N; i++) {
        assert_ok(psh_plan_get(p, i, &got));
        assert_int_equal(got.want.subject, i + 1);
    }
    psh_plan_unref(p);
    free(list);
    free(before);
    psh_env_destroy(env);
}

/* Equal times stand by id, in whatever order they were given. */
static void test_ties_stand_by_id(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_action list[64], got;
    uint64_t last = 0;
    psh_plan *p;
    size_t i;

    (void)state;
    for (i = 0; i < 64; i++)
        list[i] = seal_action(1 + (i * 37) % 64, 0, NULL, 0);
    assert_ok(psh_plan_create(env, 0, 1, list, 64, sizeof *list, &p, NULL));
    for (i = 0; i < 64; i++) {
        assert_ok(psh_plan_get(p, i, &got));
        assert_true(got.id > last);
        last = got.id;
    }
    psh_plan_unref(p);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void refused(psh_env *env, const psh_action *list, size_t n, const char *field) {
    psh_error err = { .struct_size = sizeof err };
    psh_plan *p;

    assert_int_equal(psh_plan_create(env, 0, 1, list, n, sizeof *list, &p, &err), PSH_E_INVALID);
    assert_string_equal(err.field, field);
    assert_null(p);
}

static void test_bad_plans(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    uint64_t one = id_of(1), two = id_of(2), unknown = id_of(77);
    psh_action list[2] = { seal_action(1, 0, &two, 1), seal_action(2, 0, &one, 1) };
    psh_plan *p;

    (void)state;
    refused(env, list, 2, "actions"); /* a circle */
    list[1] = seal_action(2, 0, &two, 1);
    refused(env, list, 2, "actions"); /* waits for itself */
    list[1] = seal_action(2, 0, &unknown, 1);
    refused(env, list, 2, "actions[1]");
    list[1] = seal_action(1, 5, NULL, 0);
    refused(env, list, 2, "actions[1]"); /* twice */
    list[1] = seal_action(2, 0, NULL, 1);
    refused(env, list, 2, "after");
    list[1] = seal_action(2, 0, NULL, 0);
    list[1].id++;
    refused(env, list, 2, "id");
    list[1] = seal_action(2, 0, NULL, 0);
    list[1].want.confidence = 2;
    refused(env, list, 2, "confidence");
    assert_int_equal(psh_plan_create(env, PSH_TIME_NONE, 1, NULL, 0, 0, &p, NULL), PSH_E_INVALID);
    assert_int_equal(psh_plan_create(env, 0, 1, list, 1, 8, &p, NULL), PSH_E_INVALID);
    assert_ok(psh_plan_create(env, 0, 1, NULL, 0, 0, &p, NULL));
    assert_int_equal(psh_plan_count(p), 0);
    psh_plan_unref(p);
    psh_plan_unref(NULL);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_plan *view_plan(psh_env *env, psh_query *q, psh_status *st) {
    static uint64_t seal;
    psh_action list[2];
    psh_plan *p = NULL;

    seal = id_of(8);
    list[0] = seal_action(psh_query_id(q), 0, &seal, 1);
    list[0].want.kind = PSH_ACT_BUILD_VIEW;
    list[0].want.level = PSH_LEVEL_FULL;
    list[0].want.definition = q;
    list[0].want.generation = 2;
    list[0].id = psh_action_id(PSH_ACT_BUILD_VIEW, psh_query_id(q), 2);
    list[0].name = NULL;
    list[0].reason = "it's asked";
    list[1] = seal_action(8, 3, NULL, 0);
    list[1].from_node = 2;
    list[1].from_tier = 0;
    *st = psh_plan_create(env, 11, 3, list, 2, sizeof *list, &p, NULL);
    return p;
}

static void test_saved_comes_back(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_status st;
    psh_query *q = day_query(env, schema, 0, &st);
    psh_plan *p = view_plan(env, q, &st), *again;
    psh_buffer *one, *two;
    psh_action got;

    (void)state;
    assert_ok(st);
    assert_ok(psh_buffer_create(env, &one));
    assert_ok(psh_buffer_create(env, &two));
    assert_ok(psh_plan_save(p, one));
    assert_ok(psh_plan_load(env, schema, psh_buffer_data(one), psh_buffer_size(one), 0, &again, NULL));
    assert_ok(psh_plan_save(again, two));
    assert_true(same_bytes(one, two));
    assert_ok(psh_plan_get(again, 1, &got));
    assert_string_equal(got.name, "");
    assert_string_equal(got.reason, "it's asked");
    assert_true(got.after_count == 1 && got.after[0] == id_of(8));
    assert_true(psh_query_id(got.want.definition) == psh_query_id(q));
    check_damage(env, schema, one, load_plan);
    psh_buffer_clear(two);
    assert_ok(psh_plan_dump(again, two));
    assert_non_null(strstr(psh_buffer_data(two), "seal-partition 0000000000000008"));
    assert_non_null(strstr(psh_buffer_data(two), "reason 'it''s asked'"));
    psh_plan_unref(p);
    psh_plan_unref(again);
    psh_buffer_destroy(one);
    psh_buffer_destroy(two);
    psh_query_unref(q);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status use_plan(psh_env *env, void *user) {
    psh_schema *schema = user;
    psh_plan *p = NULL, *again = NULL;
    psh_query *q;
    psh_buffer *b = NULL;
    psh_status st;

    q = day_query(env, schema, 0, &st);
    if (st == PSH_OK)
        p = view_plan(env, q, &st);
    if (st == PSH_OK)
        st = psh_buffer_create(env, &b);
    if (st == PSH_OK)
        st = psh_plan_save(p, b);
    if (st == PSH_OK)
        st = psh_plan_load(env, schema, psh_buffer_data(b), psh_buffer_size(b), 0, &again, NULL);
    psh_plan_unref(p);
    psh_plan_unref(again);
    psh_buffer_destroy(b);
    psh_query_unref(q);
    return st;
}

static void test_memory_may_fail(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);

    (void)state;
    test_every_allocation(use_plan, schema);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_ids(void **state) {
    (void)state;
    assert_true(psh_action_id(1, 2, 0) != psh_action_id(1, 2, 1));
    assert_true(psh_action_id(1, 2, 0) != psh_action_id(2, 1, 0));
    assert_true(psh_action_id(1, 2, 0) == psh_action_id(1, 2, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_long_chain),
        cmocka_unit_test(test_ties_stand_by_id),
        cmocka_unit_test(test_bad_plans),
        cmocka_unit_test(test_saved_comes_back),
        cmocka_unit_test(test_memory_may_fail),
        cmocka_unit_test(test_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
