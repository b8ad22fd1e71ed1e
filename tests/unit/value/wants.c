/* SPDX-License-Identifier: MIT */
#include "saved.h"

#include <math.h>

static psh_want partition_want(int64_t interval) {
    psh_want w = { 0 };

    w.kind = PSH_ACT_CREATE_PARTITION;
    w.why = PSH_WHY_FORECAST;
    w.interval = interval;
    w.subject = psh_partition_id(0, interval, 0);
    w.node = 1;
    w.tier = PSH_NONE;
    w.time_from = interval * PSH_DAY;
    w.time_to = w.time_from + PSH_DAY;
    w.arc_last = UINT64_MAX;
    w.resources.bytes = 4096;
    w.resources.writes_per_s = 2.5;
    w.benefit = 10;
    w.cost = 1;
    w.confidence = 0.9;
    w.not_before = PSH_TIME_MIN;
    w.deadline = w.time_from;
    return w;
}

static psh_want view_want(psh_query *q) {
    psh_want w = partition_want(0);

    w.kind = PSH_ACT_BUILD_VIEW;
    w.subject = psh_query_id(q);
    w.level = PSH_LEVEL_PARTIAL;
    w.reach_ns = 7 * PSH_DAY;
    w.definition = q;
    w.generation = 3;
    return w;
}

static psh_status load_wants(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_error *err) {
    psh_wants *w = NULL;
    psh_status st = psh_wants_load(env, schema, data, size, max_bytes, &w, err);

    assert_true((st == PSH_OK) == (w != NULL));
    psh_wants_destroy(w);
    return st;
}

static void refused(psh_wants *w, psh_want want, const char *field) {
    psh_error err = { .struct_size = sizeof err };

    assert_int_equal(psh_wants_add(w, &want, &err), PSH_E_INVALID);
    assert_string_equal(err.field, field);
    assert_int_equal(psh_wants_count(w), 0);
}

#define REFUSED(base, change, name) \
    do { \
        psh_want want = base; \
        want.change; \
        refused(w, want, name); \
    } while (0)

static void test_bad_fields_are_named(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_status st;
    psh_query *q = day_query(env, schema, 0, &st);
    psh_wants *w;

    (void)state;
    assert_ok(st);
    assert_ok(psh_wants_create(env, &w));
    REFUSED(partition_want(1), kind = 0, "kind");
    REFUSED(partition_want(1), kind = PSH_ACT_MAX + 1, "kind");
    REFUSED(partition_want(1), why = PSH_WHY_LEAVING + 1, "why");
    REFUSED(partition_want(1), kind = PSH_ACT_SPLIT_PARTITION, "source");
    REFUSED(partition_want(1), kind = PSH_ACT_MERGE_PARTITION; want.source = want.subject, "source");
    REFUSED(partition_want(1), kind = PSH_ACT_SEAL_PARTITION; want.source = 7, "source");
    REFUSED(partition_want(1), kind = PSH_ACT_SPLIT_PARTITION; want.source = 7, "step");
    REFUSED(partition_want(1), kind = PSH_ACT_REPLICATE_PARTITION; want.step = 3; want.steps = 2, "step");
    REFUSED(partition_want(1), step = 1; want.steps = 1, "step");
    REFUSED(partition_want(1), kind = PSH_ACT_PROMOTE_PARTITION; want.node = PSH_NONE, "node");
    REFUSED(partition_want(1), subject = 0, "subject");
    REFUSED(partition_want(1), level = 4, "level");
    REFUSED(partition_want(1), arc_last = 0; want.arc_first = 1, "arc_first");
    REFUSED(partition_want(1), resources.bytes = -1, "resources");
    REFUSED(partition_want(1), resources.cpu_us_per_s = (double)NAN, "resources");
    REFUSED(partition_want(1), benefit = (double)INFINITY, "benefit");
    REFUSED(partition_want(1), cost = -1, "cost");
    REFUSED(partition_want(1), confidence = 1.5, "confidence");
    REFUSED(partition_want(1), time_from = PSH_TIME_MAX, "time_from");
    REFUSED(partition_want(1), not_before = PSH_TIME_MAX, "deadline");
    REFUSED(partition_want(1), not_before = PSH_TIME_NONE, "not_before");
    REFUSED(partition_want(1), definition = q, "definition");
    REFUSED(view_want(q), definition = NULL, "definition");
    REFUSED(view_want(q), level = PSH_LEVEL_NONE, "level");
    REFUSED(view_want(q), reach_ns = 0, "reach_ns");
    REFUSED(view_want(q), subject = 1, "subject");
    REFUSED(view_want(q), table = 1, "subject");
    psh_wants_destroy(w);
    psh_query_unref(q);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_saved_comes_back(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_status st;
    psh_query *q = day_query(env, schema, 3, &st);
    psh_want got, view = view_want(q), part = partition_want(-4);
    psh_wants *w, *again;
    psh_buffer *one, *two;

    (void)state;
    assert_ok(psh_wants_create(env, &w));
    assert_ok(psh_wants_add(w, &part, NULL));
    assert_ok(psh_wants_add(w, &view, NULL));
    assert_int_equal(psh_wants_get(w, 2, &got), PSH_E_NOT_FOUND);
    assert_ok(psh_buffer_create(env, &one));
    assert_ok(psh_buffer_create(env, &two));
    assert_ok(psh_wants_save(w, one));
    assert_ok(psh_wants_load(
        env, schema, psh_buffer_data(one), psh_buffer_size(one), 0, &again, NULL));
    assert_ok(psh_wants_save(again, two));
    assert_true(same_bytes(one, two));
    assert_ok(psh_wants_get(again, 0, &got));
    assert_int_equal(got.interval, -4);
    assert_int_equal(got.tier, PSH_NONE);
    assert_true(got.resources.writes_per_s == 2.5);
    assert_ok(psh_wants_get(again, 1, &got));
    assert_int_equal(got.generation, 3);
    assert_true(psh_query_id(got.definition) == psh_query_id(q));
    check_damage(env, schema, one, load_wants);
    psh_buffer_clear(two);
    assert_ok(psh_wants_dump(w, two));
    assert_non_null(strstr(psh_buffer_data(two), "create-partition"));
    assert_non_null(strstr(psh_buffer_data(two), "build-view"));
    psh_wants_clear(w);
    assert_int_equal(psh_wants_count(w), 0);
    psh_wants_destroy(w);
    psh_wants_destroy(again);
    psh_buffer_destroy(one);
    psh_buffer_destroy(two);
    psh_query_unref(q);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status use_wants(psh_env *env, void *user) {
    psh_schema *schema = user;
    psh_wants *w = NULL, *again = NULL;
    psh_query *q = NULL;
    psh_buffer *b = NULL;
    psh_status st;
    psh_want want;

    q = day_query(env, schema, 0, &st);
    if (st == PSH_OK)
        st = psh_wants_create(env, &w);
    if (st == PSH_OK) {
        want = view_want(q);
        st = psh_wants_add(w, &want, NULL);
    }
    if (st == PSH_OK)
        st = psh_buffer_create(env, &b);
    if (st == PSH_OK)
        st = psh_wants_save(w, b);
    if (st == PSH_OK)
        st = psh_wants_load(env, schema, psh_buffer_data(b), psh_buffer_size(b), 0, &again, NULL);
    psh_wants_destroy(again);
    psh_wants_destroy(w);
    psh_buffer_destroy(b);
    psh_query_unref(q);
    return st;
}

static void test_memory_may_fail(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);

    (void)state;
    test_every_allocation(use_wants, schema);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_names(void **state) {
    (void)state;
    assert_string_equal(psh_action_kind_name(PSH_ACT_DROP_VIEW), "drop-view");
    assert_string_equal(psh_action_kind_name(0), "unknown");
    assert_string_equal(psh_action_kind_name(99), "unknown");
    assert_string_equal(psh_why_text(99), "unknown");
    assert_string_equal(psh_why_text(PSH_WHY_RETENTION), "its age passed the rule");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_fields_are_named),
        cmocka_unit_test(test_saved_comes_back),
        cmocka_unit_test(test_memory_may_fail),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
