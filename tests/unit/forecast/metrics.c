/* SPDX-License-Identifier: MIT */
/* Metrics of the host that lead a load, or do not. */
#include <stdlib.h>

#include <predshard/events.h>

#include "load.h"

#define LAG 3

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

/* What moves the load LAG hours later: visits of a page, say. */
static double driver_at(int64_t h) {
    uint64_t seed = (uint64_t)(h + 1000) * 7919;

    return test_noise(&seed);
}

static double load_at(int64_t h, double strength, uint64_t *seed) {
    double x = test_rhythm(h, 200) + strength * driver_at(h - LAG) + 8 * test_noise(seed);

    return x > 1 ? x : 1;
}

static void run(psh_forecaster *f, int64_t from, int64_t to, double strength, int metrics, uint64_t *seed) {
    int64_t i;

    for (i = from; i < to; i++) {
        assert_ok(test_write(f, hour(i), 0, (uint64_t)(load_at(i, strength, seed) + 0.5)));
        if (metrics) { /* two readings an hour: their mean counts */
            assert_ok(psh_forecaster_observe_metric(f, 1, hour(i), 100 + 10 * driver_at(i) - 3));
            assert_ok(psh_forecaster_observe_metric(f, 1, hour(i) + PSH_HOUR / 2, 100 + 10 * driver_at(i) + 3));
            assert_ok(psh_forecaster_observe_metric(f, 2, hour(i), test_noise(seed)));
        }
        settle(f, hour(i + 2));
    }
}

static double mean_at(psh_forecaster *f, int64_t h) {
    psh_forecast_spec spec = { sizeof spec };
    psh_forecast *out = NULL;
    double mean;

    assert_ok(psh_forecaster_forecast(f, &table, hour(h), 1, &out, NULL));
    assert_ok(psh_forecast_describe(out, &spec));
    mean = spec.mean[0];
    psh_forecast_unref(out);
    return mean;
}

/* Mean absolute errors, `lead` hours ahead of what is closed. */
static double error_over(psh_forecaster *f, int64_t from, int64_t to, int64_t lead, int metrics, uint64_t seed) {
    uint64_t ahead;
    double sum = 0, y = 0;
    int64_t i, k;

    for (i = from; i < to; i++) {
        run(f, i, i + 1, 60, metrics, &seed);
        ahead = 99;
        for (k = 1; k <= lead; k++)
            y = load_at(i + k, 60, &ahead);
        sum += fabs(y - mean_at(f, i + lead));
    }
    return sum / (double)(to - from);
}

static void arguments(void **state) {
    psh_forecaster_options small = { sizeof small };
    psh_subject bad = { PSH_SUBJECT_TABLE, 9, 0 };
    psh_metric_info info = { sizeof info };
    fixture x;

    (void)state;
    small.max_metrics = 2;
    open_with(&x, &small);
    assert_int_equal(psh_forecaster_add_metric(x.f, 0, NULL, NULL), PSH_E_INVALID);
    assert_int_equal(psh_forecaster_add_metric(x.f, 1, &bad, NULL), PSH_E_INVALID);
    assert_int_equal(psh_forecaster_observe_metric(x.f, 1, hour(0), 1), PSH_E_NOT_FOUND);
    assert_ok(psh_forecaster_add_metric(x.f, 1, NULL, NULL));
    assert_int_equal(psh_forecaster_add_metric(x.f, 1, &table, NULL), PSH_E_EXISTS);
    assert_ok(psh_forecaster_add_metric(x.f, 2, &table, NULL));
    assert_int_equal(psh_forecaster_add_metric(x.f, 3, NULL, NULL), PSH_E_LIMIT);
    assert_int_equal(psh_forecaster_metric_count(x.f), 2);
    assert_int_equal(psh_forecaster_observe_metric(x.f, 1, hour(0), (double)NAN), PSH_E_INVALID);
    assert_ok(psh_forecaster_observe_metric(x.f, 1, hour(0), -1e30));
    assert_int_equal(psh_forecaster_observe_metric(x.f, 1, hour(-50), 1), PSH_E_TIME);
    assert_int_equal(psh_forecaster_observe_metric(x.f, 1, hour(5000), 1), PSH_E_TIME);
    assert_int_equal(psh_forecaster_metric(x.f, &table, 0, &info), PSH_E_NOT_FOUND);
    small.max_metrics = 65;
    psh_forecaster_destroy(x.f);
    assert_int_equal(psh_forecaster_create(x.env, x.schema, &small, &x.f, NULL), PSH_E_INVALID);
    shut(&x);
}

/* The lag is found, errors fall at leads up to it, and not beyond. */
static void known_lead(void **state) {
    psh_metric_info info = { sizeof info };
    double with[2], without[2];
    uint64_t seed = 5, same = 5;
    fixture x, y;

    (void)state;
    open_with(&x, NULL);
    open_with(&y, NULL);
    assert_ok(psh_forecaster_add_metric(x.f, 1, NULL, NULL));
    assert_ok(psh_forecaster_add_metric(x.f, 2, NULL, NULL));
    run(x.f, 0, 40 * 24, 60, 1, &seed);
    run(y.f, 0, 40 * 24, 60, 0, &same);
    assert_ok(psh_forecaster_metric(x.f, &table, 0, &info));
    print_message("lag %u correlation %.3f gain %.3f\n", info.lag, info.correlation, info.gain);
    assert_int_equal(info.lag, LAG);
    assert_true(info.used && info.correlation > 0.5 && info.gain > 0.3);
    assert_ok(psh_forecaster_metric(x.f, &table, 1, &info));
    assert_false(info.used);
    assert_int_equal(psh_forecaster_metric(x.f, &table, 2, &info), PSH_E_NOT_FOUND);
    /* Closing waits an hour for late records: the second hour of a forecast is the first after now. */
    with[0] = error_over(x.f, 40 * 24, 44 * 24, 2, 1, 77);
    without[0] = error_over(y.f, 40 * 24, 44 * 24, 2, 0, 77);
    with[1] = error_over(x.f, 44 * 24, 48 * 24, LAG + 3, 1, 78);
    without[1] = error_over(y.f, 44 * 24, 48 * 24, LAG + 3, 0, 78);
    print_message("errors %.2f against %.2f; beyond %.2f against %.2f\n", with[0], without[0], with[1], without[1]);
    assert_true(with[0] < 0.7 * without[0]);
    assert_true(with[1] < 1.1 * without[1]);
    shut(&y);
    shut(&x);
}

/* What stops leading is dropped. */
static void dropped_when_it_no_longer_helps(void **state) {
    psh_metric_info info = { sizeof info };
    uint64_t seed = 9;
    fixture x;

    (void)state;
    open_with(&x, NULL);
    assert_ok(psh_forecaster_add_metric(x.f, 1, &table, NULL));
    assert_ok(psh_forecaster_add_metric(x.f, 2, &table, NULL));
    run(x.f, 0, 30 * 24, 60, 1, &seed);
    assert_ok(psh_forecaster_metric(x.f, &table, 0, &info));
    assert_int_equal(info.used, 1);
    run(x.f, 30 * 24, 60 * 24, 0, 1, &seed);
    assert_ok(psh_forecaster_metric(x.f, &table, 0, &info));
    assert_int_equal(info.used, 0);
    shut(&x);
}

/* The forecaster is the same, to the byte, with a metric that has nothing to say, but for what the metric keeps. */
static void useless_metric_changes_nothing(void **state) {
    uint64_t seed = 3, same = 3, noise = 4;
    fixture x, y;
    int64_t i;

    (void)state;
    open_with(&x, NULL);
    open_with(&y, NULL);
    assert_ok(psh_forecaster_add_metric(x.f, 2, NULL, NULL));
    for (i = 0; i < 20 * 24; i++) {
        assert_ok(psh_forecaster_observe_metric(x.f, 2, hour(i), test_noise(&noise)));
        run(x.f, i, i + 1, 60, 0, &seed);
        run(y.f, i, i + 1, 60, 0, &same);
        if (i > 48)
            assert_true(mean_at(x.f, i + 2) == mean_at(y.f, i + 2));
    }
    shut(&y);
    shut(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments),
        cmocka_unit_test(known_lead),
        cmocka_unit_test(dropped_when_it_no_longer_helps),
        cmocka_unit_test(useless_metric_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
