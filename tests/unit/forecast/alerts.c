/* SPDX-License-Identifier: MIT */
/* Odd values, shifts, drift and lost skill: told, and kept out of what is learned. */
#include <stdlib.h>

#include <predshard/events.h>

#include "load.h"

static const psh_subject table = { PSH_SUBJECT_TABLE, 0, 0 };

typedef struct fixture {
    test_alloc a;
    psh_env *env;
    psh_schema *schema;
    psh_forecaster *f;
} fixture;

static int64_t hour(int64_t i) {
    return TEST_T0 + i * PSH_HOUR;
}

static void open_with(fixture *x, const psh_forecaster_options *o) {
    x->env = test_env(&x->a);
    x->schema = test_flights_schema(x->env);
    assert_ok(psh_forecaster_create(x->env, x->schema, o, &x->f, NULL));
}

static void shut(fixture *x) {
    psh_forecaster_destroy(x->f);
    psh_schema_unref(x->schema);
    psh_env_destroy(x->env);
    assert_int_equal(x->a.live, 0);
}

static void settle(psh_forecaster *f, int64_t now) {
    while (psh_forecaster_step(f, now, 16) == PSH_AGAIN) {
    }
}

static void hour_of(psh_forecaster *f, int64_t i, double x) {
    assert_ok(test_write(f, hour(i), 0, x > 1 ? (uint64_t)(x + 0.5) : 1));
    settle(f, hour(i + 2)); /* late records are waited for an hour */
}

static void run(psh_forecaster *f, int64_t from, int64_t to, double level, double noise, uint64_t *seed) {
    int64_t i;

    for (i = from; i < to; i++)
        hour_of(f, i, test_rhythm(i, level) + noise * test_noise(seed));
}

static size_t count_kind(psh_forecaster *f, uint32_t kind, int64_t from, int64_t to) {
    psh_alert a = { .struct_size = sizeof a };
    size_t i, n = 0;

    for (i = 0; psh_forecaster_alert(f, i, &a) == PSH_OK; i++)
        n += a.kind == kind && a.time >= hour(from) && a.time < hour(to);
    return n;
}

static double day_ratio(psh_forecaster *f, int64_t from, double level) {
    psh_forecast_spec spec = { sizeof spec };
    psh_forecast *out = NULL;
    double sum = 0, plain = 0;
    uint32_t i;

    assert_ok(psh_forecaster_forecast(f, &table, hour(from), 24, &out, NULL));
    assert_ok(psh_forecast_describe(out, &spec));
    for (i = 0; i < 24; i++) {
        sum += spec.mean[i];
        plain += test_rhythm(from + (int64_t)i, level);
    }
    psh_forecast_unref(out);
    return sum / plain;
}

/* Ordinary noise is no news: of six weeks, a handful at most. */
static void quiet_when_nothing_happens(void **state) {
    uint64_t seed;
    fixture x;

    (void)state;
    for (seed = 1; seed <= 3; seed++) {
        uint64_t rng = seed;

        open_with(&x, NULL);
        run(x.f, 0, 42 * 24, 200, 20, &rng);
        print_message("%d alerts\n", (int)psh_forecaster_alert_count(x.f));
        assert_true(psh_forecaster_alert_count(x.f) <= 5);
        assert_int_equal(count_kind(x.f, PSH_ALERT_LEVEL_SHIFT, 0, 42 * 24), 0);
        assert_int_equal(count_kind(x.f, PSH_ALERT_NO_SKILL, 21 * 24, 42 * 24), 0);
        shut(&x);
    }
}

/* One huge hour is told once, and the same hour of the next day and week does not expect it. */
static void outlier_teaches_nothing(void **state) {
    psh_alert a = { .struct_size = sizeof a };
    uint64_t seed = 3;
    double next;
    fixture x;
    size_t i;

    (void)state;
    open_with(&x, NULL);
    run(x.f, 0, 25 * 24 + 7, 200, 10, &seed);
    psh_forecaster_alerts_clear(x.f);
    hour_of(x.f, 25 * 24 + 7, 20000);
    run(x.f, 25 * 24 + 8, 26 * 24, 200, 10, &seed);
    assert_int_equal(count_kind(x.f, PSH_ALERT_OUTLIER, 25 * 24 + 7, 25 * 24 + 8), 1);
    for (i = 0; psh_forecaster_alert(x.f, i, &a) == PSH_OK; i++)
        if (a.kind == PSH_ALERT_OUTLIER && a.time == hour(25 * 24 + 7)) {
            assert_true(a.value == 20000 && a.expected < 1000 && a.subject.kind == PSH_SUBJECT_TABLE);
        }
    next = day_ratio(x.f, 26 * 24, 200);
    run(x.f, 26 * 24, 31 * 24, 200, 10, &seed); /* a fit in between */
    print_message("after an outlier: %.3f, a week on %.3f\n", next, day_ratio(x.f, 32 * 24, 200));
    assert_true(next > 0.9 && next < 1.1);
    assert_true(fabs(day_ratio(x.f, 32 * 24, 200) - 1) < 0.1);
    shut(&x);
}

/* A new level is told, believed, and after two days the older one is forgotten. */
static void shift_is_accepted(void **state) {
    uint64_t seed = 5;
    double ratio;
    fixture x;

    (void)state;
    open_with(&x, NULL);
    run(x.f, 0, 30 * 24, 200, 10, &seed);
    psh_forecaster_alerts_clear(x.f);
    run(x.f, 30 * 24, 32 * 24 + 2, 600, 15, &seed);
    assert_int_equal(count_kind(x.f, PSH_ALERT_LEVEL_SHIFT, 30 * 24, 31 * 24), 1);
    ratio = day_ratio(x.f, 32 * 24 + 4, 600);
    print_message("two days after a shift the next is forecast at %.3f of its level\n", ratio);
    assert_true(ratio > 0.85 && ratio < 1.15);
    run(x.f, 32 * 24 + 2, 36 * 24, 600, 15, &seed);
    ratio = day_ratio(x.f, 36 * 24, 600);
    assert_true(ratio > 0.9 && ratio < 1.1);
    shut(&x);
}

/* Errors that grow for days are told, once until they have calmed down. */
static void drift_of_errors(void **state) {
    uint64_t seed = 7;
    size_t n;
    fixture x;

    (void)state;
    open_with(&x, NULL);
    run(x.f, 0, 30 * 24, 400, 10, &seed);
    assert_int_equal(count_kind(x.f, PSH_ALERT_ERROR_DRIFT, 0, 30 * 24), 0);
    run(x.f, 30 * 24, 33 * 24, 400, 60, &seed);
    n = count_kind(x.f, PSH_ALERT_ERROR_DRIFT, 30 * 24, 33 * 24);
    assert_int_equal(n, 1);
    shut(&x);
}

/* A load that repeats last week's exactly and is then noise: skill is lost with its reason, and comes back. */
static void skill_goes_and_comes(void **state) {
    psh_forecast_spec spec = { sizeof spec };
    psh_alert a = { .struct_size = sizeof a };
    psh_forecast *out = NULL;
    uint64_t seed = 9;
    double week[168];
    fixture x;
    int64_t i;

    (void)state;
    open_with(&x, NULL);
    for (i = 0; i < 168; i++)
        week[i] = 50 + 400 * pshi_rng_unit(&seed);
    for (i = 0; i < 28 * 24; i++) /* the naive is never wrong */
        hour_of(x.f, i, week[i % 168]);
    assert_true(count_kind(x.f, PSH_ALERT_NO_SKILL, 0, 28 * 24) >= 1);
    assert_ok(psh_forecaster_forecast(x.f, &table, hour(28 * 24), 1, &out, NULL));
    assert_ok(psh_forecast_describe(out, &spec));
    assert_int_equal(spec.reason, PSH_REASON_NO_SKILL);
    psh_forecast_unref(out);
    for (; i < 90 * 24; i++)
        hour_of(x.f, i, test_rhythm(i, 300) + 60 * test_noise(&seed));
    assert_true(count_kind(x.f, PSH_ALERT_SKILL_BACK, 28 * 24, 90 * 24) >= 1);
    for (i = 0; psh_forecaster_alert(x.f, (size_t)i, &a) == PSH_OK; i++)
        if (a.kind == PSH_ALERT_NO_SKILL) {
            assert_true(a.value > a.expected);
        } else if (a.kind == PSH_ALERT_SKILL_BACK) {
            assert_true(a.value < a.expected);
        }
    shut(&x);
}

/* The ring holds the latest; a kind is told once a day and series. */
static void bounded_and_sparing(void **state) {
    psh_forecaster_options o = { sizeof o };
    psh_alert a = { .struct_size = sizeof a };
    int64_t last = INT64_MIN, i;
    uint64_t seed = 11;
    fixture x;
    size_t k;

    (void)state;
    o.max_alerts = 3;
    open_with(&x, &o);
    run(x.f, 0, 20 * 24, 200, 5, &seed);
    for (i = 20 * 24; i < 30 * 24; i++)
        hour_of(x.f, i, i % 6 == 0 ? 5000 : test_rhythm(i, 200) + 5 * test_noise(&seed));
    assert_int_equal(psh_forecaster_alert_count(x.f), 3);
    assert_int_equal(psh_forecaster_alert(x.f, 3, &a), PSH_E_NOT_FOUND);
    for (k = 0; k < 3; k++) {
        assert_ok(psh_forecaster_alert(x.f, k, &a));
        assert_true(a.time >= last);
        last = a.time;
    }
    for (i = 20; i < 30; i++)
        assert_true(count_kind(x.f, PSH_ALERT_OUTLIER, i * 24, (i + 1) * 24) <= 1);
    psh_forecaster_alerts_clear(x.f);
    assert_int_equal(psh_forecaster_alert_count(x.f), 0);
    assert_int_equal(psh_forecaster_alert(NULL, 0, &a), PSH_E_INVALID);
    shut(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_when_nothing_happens),
        cmocka_unit_test(outlier_teaches_nothing),
        cmocka_unit_test(shift_is_accepted),
        cmocka_unit_test(drift_of_errors),
        cmocka_unit_test(skill_goes_and_comes),
        cmocka_unit_test(bounded_and_sparing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
