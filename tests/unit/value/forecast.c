/* SPDX-License-Identifier: MIT */
#include "saved.h"

#include <math.h>

static const double means[] = { 1, 2.5, 0 };
static const double levels[] = { 0.1, 0.9 };
static const double quantiles[] = { 0, 2, 1, 4, 0, 0 };

static psh_forecast_spec three_hours(void) {
    psh_forecast_spec s = { .struct_size = sizeof s };

    s.reason = PSH_REASON_SHORT;
    s.subject.kind = PSH_SUBJECT_TENANT;
    s.subject.id = 255;
    s.made_at = TEST_T0;
    s.from = TEST_T0 + PSH_HOUR;
    s.step_ns = PSH_HOUR;
    s.steps = 3;
    s.level_count = 2;
    s.mean = means;
    s.levels = levels;
    s.quantiles = quantiles;
    s.skill = -0.25;
    return s;
}

static psh_status load_forecast(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_error *err) {
    psh_forecast *f = NULL;
    psh_status st = psh_forecast_load(env, data, size, max_bytes, &f, err);

    (void)schema;
    assert_true((st == PSH_OK) == (f != NULL));
    psh_forecast_unref(f);
    return st;
}

static void refused(psh_env *env, psh_forecast_spec s, const char *field) {
    psh_error err = { .struct_size = sizeof err };
    psh_forecast *f;

    assert_int_equal(psh_forecast_create(env, &s, &f, &err), PSH_E_INVALID);
    assert_string_equal(err.field, field);
    assert_null(f);
}

#define REFUSED(change, name) \
    do { \
        psh_forecast_spec s = three_hours(); \
        s.change; \
        refused(env, s, name); \
    } while (0)

static void test_bad_fields_are_named(void **state) {
    static const double falling[] = { 0, 2, 4, 1, 0, 0 }, negative[] = { 0, -1, 0 };
    static const double equal[] = { 0.5, 0.5 }, whole[] = { 0.5, 1 };
    double nan_row[] = { 0, 2, 1, 4, 0, (double)NAN };
    test_alloc a;
    psh_env *env = test_env(&a);

    (void)state;
    REFUSED(struct_size = 2, "struct_size");
    REFUSED(reason = 5, "reason");
    REFUSED(subject.kind = 0, "subject");
    REFUSED(subject.kind = 9, "subject");
    REFUSED(made_at = PSH_TIME_NONE, "made_at");
    REFUSED(from = PSH_TIME_NONE, "from");
    REFUSED(from = PSH_TIME_MAX - PSH_HOUR, "steps");
    REFUSED(step_ns = 0, "step_ns");
    REFUSED(step_ns = INT64_MAX, "steps");
    REFUSED(steps = 0, "steps");
    REFUSED(steps = 4097, "steps");
    REFUSED(level_count = 16, "level_count");
    REFUSED(mean = NULL, "mean");
    REFUSED(mean = negative, "mean[1]");
    REFUSED(levels = NULL, "levels");
    REFUSED(levels = equal, "levels[1]");
    REFUSED(levels = whole, "levels[1]");
    REFUSED(quantiles = falling, "quantiles[1]");
    REFUSED(quantiles = nan_row, "quantiles[2]");
    REFUSED(skill = (double)INFINITY, "skill");
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_saved_comes_back(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_forecast_spec s = three_hours(), got = { .struct_size = sizeof got };
    psh_forecast *f, *again;
    psh_buffer *one, *two;

    (void)state;
    assert_ok(psh_forecast_create(env, &s, &f, NULL));
    assert_ok(psh_buffer_create(env, &one));
    assert_ok(psh_buffer_create(env, &two));
    assert_ok(psh_forecast_save(f, one));
    assert_ok(psh_forecast_load(env, psh_buffer_data(one), psh_buffer_size(one), 0, &again, NULL));
    assert_ok(psh_forecast_save(again, two));
    assert_true(same_bytes(one, two));
    assert_ok(psh_forecast_describe(again, &got));
    assert_int_equal(got.reason, PSH_REASON_SHORT);
    assert_int_equal(got.subject.id, 255);
    assert_true(got.skill == -0.25);
    assert_memory_equal(got.mean, means, sizeof means);
    assert_memory_equal(got.levels, levels, sizeof levels);
    assert_memory_equal(got.quantiles, quantiles, sizeof quantiles);
    check_damage(env, NULL, one, load_forecast);
    psh_buffer_clear(two);
    assert_ok(psh_forecast_dump(f, two));
    assert_non_null(strstr(psh_buffer_data(two), "forecast of tenant 0 00000000000000ff"));
    assert_non_null(strstr(psh_buffer_data(two), "2001-01-01T02:00:00Z mean 2.5"));
    psh_forecast_unref(psh_forecast_ref(f));
    psh_forecast_unref(f);
    psh_forecast_unref(again);
    psh_buffer_destroy(one);
    psh_buffer_destroy(two);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_without_quantiles(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_forecast_spec s = three_hours(), got = { .struct_size = sizeof got };
    psh_forecast *f;

    (void)state;
    s.level_count = 0;
    s.levels = s.quantiles = NULL;
    assert_ok(psh_forecast_create(env, &s, &f, NULL));
    assert_ok(psh_forecast_describe(f, &got));
    assert_true(got.mean[1] == 2.5);
    psh_forecast_unref(f);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status use_forecast(psh_env *env, void *user) {
    psh_forecast_spec s = three_hours();
    psh_forecast *f = NULL, *again = NULL;
    psh_buffer *b = NULL;
    psh_status st = psh_forecast_create(env, &s, &f, NULL);

    (void)user;
    if (st == PSH_OK)
        st = psh_buffer_create(env, &b);
    if (st == PSH_OK)
        st = psh_forecast_save(f, b);
    if (st == PSH_OK)
        st = psh_forecast_load(env, psh_buffer_data(b), psh_buffer_size(b), 0, &again, NULL);
    psh_forecast_unref(f);
    psh_forecast_unref(again);
    psh_buffer_destroy(b);
    return st;
}

static void test_memory_may_fail(void **state) {
    (void)state;
    test_every_allocation(use_forecast, NULL);
}

static void test_names(void **state) {
    (void)state;
    assert_true(psh_label_id("metric", "cpu") != psh_label_id("metric", "mem"));
    assert_true(psh_label_id("ab", "c") != psh_label_id("a", "bc"));
    assert_true(psh_label_id("a", "b") == psh_label_id("a", "b"));
    assert_string_equal(psh_reason_text(PSH_REASON_UNKNOWN), "never observed");
    assert_string_equal(psh_reason_text(99), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_fields_are_named),
        cmocka_unit_test(test_saved_comes_back),
        cmocka_unit_test(test_without_quantiles),
        cmocka_unit_test(test_memory_may_fail),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
