/* SPDX-License-Identifier: MIT */
/* Events that are announced: what they teach, and what they must not. */
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

static psh_event event_of(uint64_t id, uint64_t kind, int64_t from, int64_t hours) {
    psh_event e = { .struct_size = sizeof e };

    e.id = id;
    e.kind = kind;
    e.from = hour(from);
    e.to = hour(from + hours);
    return e;
}

/* Hours [from, to) of a rhythm; on the days told it is multiplied. */
typedef struct days {
    const int64_t *day;
    size_t n;
    double factor;
} days;

static double factor_at(const days *d, int64_t h) {
    size_t i;

    for (i = 0; d && i < d->n; i++)
        if (h / 24 == d->day[i])
            return d->factor;
    return 1;
}

static void run(psh_forecaster *f, int64_t from, int64_t to, const days *d, uint64_t tenant, uint64_t *seed) {
    double x;
    int64_t i;

    for (i = from; i < to; i++) {
        x = test_rhythm(i, 200) * factor_at(d, i) + 10 * test_noise(seed);
        assert_ok(test_write(f, hour(i), tenant, x > 1 ? (uint64_t)(x + 0.5) : 1));
        settle(f, hour(i + 1));
    }
}

/* The forecast of a day from its first hour, summed over the day, over what the rhythm alone brings. */
static double forecast_ratio(psh_forecaster *f, const psh_subject *s, int64_t from) {
    psh_forecast_spec spec = { sizeof spec };
    psh_forecast *out = NULL;
    double sum = 0, plain = 0;
    uint32_t i;

    assert_ok(psh_forecaster_forecast(f, s, hour(from), 24, &out, NULL));
    assert_ok(psh_forecast_describe(out, &spec));
    for (i = 0; i < 24; i++) {
        sum += spec.mean[i];
        plain += test_rhythm(from + (int64_t)i, 200);
    }
    psh_forecast_unref(out);
    return sum / plain;
}

static void arguments(void **state) {
    psh_forecaster_options small = { sizeof small };
    psh_event e = event_of(1, PSH_EVENT_HOLIDAY, 24, 24);
    psh_event_info info = { sizeof info };
    psh_error err = { sizeof err };
    fixture x;

    (void)state;
    small.max_events = 2;
    open_with(&x, &small);
    assert_int_equal(psh_forecaster_event_count(x.f), 0);
    assert_int_equal(psh_forecaster_remove_event(x.f, 1), PSH_E_NOT_FOUND);
    e.scope.kind = PSH_SUBJECT_PARTITION;
    assert_int_equal(psh_forecaster_add_event(x.f, &e, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "scope.kind");
    e.scope.kind = PSH_SUBJECT_TABLE;
    e.scope.table = 7;
    assert_int_equal(psh_forecaster_add_event(x.f, &e, &err), PSH_E_INVALID);
    memset(&e.scope, 0, sizeof e.scope);
    e.prior_factor = 100;
    assert_int_equal(psh_forecaster_add_event(x.f, &e, &err), PSH_E_INVALID);
    e.prior_factor = 0;
    assert_ok(psh_forecaster_add_event(x.f, &e, &err));
    assert_int_equal(psh_forecaster_add_event(x.f, &e, &err), PSH_E_EXISTS);
    e = event_of(2, psh_event_kind("launch"), 72, 24);
    assert_ok(psh_forecaster_add_event(x.f, &e, &err));
    e = event_of(3, psh_event_kind("launch"), 96, 24);
    assert_int_equal(psh_forecaster_add_event(x.f, &e, &err), PSH_E_LIMIT);
    assert_int_equal(psh_forecaster_event_count(x.f), 2);
    assert_ok(psh_forecaster_event(x.f, 1, NULL, &info));
    assert_true(info.id == 2 && info.kind == psh_event_kind("launch") && info.occurrences == 0);
    assert_true(fabs(info.factor - 1) < 1e-9);
    assert_int_equal(psh_forecaster_event(x.f, 2, NULL, &info), PSH_E_NOT_FOUND);
    assert_ok(psh_forecaster_remove_event(x.f, 1));
    assert_ok(psh_forecaster_add_event(x.f, &e, &err));
    assert_true(psh_event_kind("launch") != psh_event_kind("lunch"));
    shut(&x);
}

/* A campaign that no data show yet raises the forecast, of its scope alone. */
static void announced_before_data(void **state) {
    psh_subject one = { PSH_SUBJECT_TENANT, 0, 1 }, two = { PSH_SUBJECT_TENANT, 0, 2 };
    psh_event e = event_of(9, PSH_EVENT_CAMPAIGN, 15 * 24, 24);
    uint64_t seed = 5;
    double before;
    fixture x;
    int64_t i;

    (void)state;
    open_with(&x, NULL);
    for (i = 0; i < 15 * 24; i++) {
        assert_ok(test_write(x.f, hour(i), 1, (uint64_t)test_rhythm(i, 200)));
        assert_ok(test_write(x.f, hour(i), 2, (uint64_t)(test_rhythm(i, 200) + 5 * (test_noise(&seed) + 6))));
        settle(x.f, hour(i + 1));
    }
    before = forecast_ratio(x.f, &one, 15 * 24);
    assert_true(before > 0.9 && before < 1.1);
    e.scope = one;
    e.scope.table = PSH_NONE;
    e.prior_factor = 3;
    e.prior_weight = 4;
    assert_ok(psh_forecaster_add_event(x.f, &e, NULL));
    assert_true(forecast_ratio(x.f, &one, 15 * 24) > 2.8 * before);
    assert_true(forecast_ratio(x.f, &one, 16 * 24) < 1.2); /* the day after is not in it */
    assert_true(forecast_ratio(x.f, &two, 15 * 24) < 1.5);
    assert_ok(psh_forecaster_remove_event(x.f, 9));
    assert_true(fabs(forecast_ratio(x.f, &one, 15 * 24) - before) < 1e-9);
    shut(&x);
}

/* Three holidays teach the fourth, and leave the ordinary days alone. */
static void learned_from_like_days(void **state) {
    static const int64_t told[] = { 17, 25, 36, 44 };
    days d = { told, 4, 0.4 };
    psh_event_info info = { sizeof info };
    uint64_t seed = 3;
    double ratio, next;
    fixture x;
    psh_event e;
    size_t i;

    (void)state;
    open_with(&x, NULL);
    for (i = 0; i < 4; i++) {
        e = event_of(i + 1, PSH_EVENT_HOLIDAY, told[i] * 24, 24);
        assert_ok(psh_forecaster_add_event(x.f, &e, NULL));
    }
    run(x.f, 0, 44 * 24 - 12, &d, 0, &seed); /* asked half a day ahead */
    ratio = forecast_ratio(x.f, &table, 44 * 24);
    next = forecast_ratio(x.f, &table, 45 * 24);
    print_message("holiday %.3f of a day, the day after %.3f\n", ratio, next);
    assert_true(ratio > 0.35 && ratio < 0.6);
    assert_true(next > 0.9 && next < 1.1);
    assert_ok(psh_forecaster_event(x.f, 0, &table, &info));
    assert_int_equal(info.occurrences, 1);
    assert_true(info.factor < 0.6);
    assert_ok(psh_forecaster_event(x.f, 3, &table, &info));
    assert_int_equal(info.occurrences, 0);
    assert_true(info.factor < 0.65);
    shut(&x);
}

/* A one-off is masked, and nothing like it is expected again: not a week later, not of its kind. */
static void one_off_is_never_repeated(void **state) {
    static const int64_t told[] = { 24 };
    days d = { told, 1, 5 };
    psh_event e = event_of(1, PSH_EVENT_PROMOTION, 24 * 24, 24);
    uint64_t seed = 7, same = 7;
    double told_week, untold_week;
    fixture x, y;

    (void)state;
    open_with(&x, NULL);
    open_with(&y, NULL);
    e.flags = PSH_EVENT_ONE_OFF;
    assert_ok(psh_forecaster_add_event(x.f, &e, NULL));
    e = event_of(2, PSH_EVENT_PROMOTION, 33 * 24, 24);
    assert_ok(psh_forecaster_add_event(x.f, &e, NULL));
    run(x.f, 0, 31 * 24, &d, 0, &seed);
    run(y.f, 0, 31 * 24, &d, 0, &same);
    told_week = forecast_ratio(x.f, &table, 31 * 24);
    untold_week = forecast_ratio(y.f, &table, 31 * 24);
    print_message("a week after: told %.3f, untold %.3f\n", told_week, untold_week);
    assert_true(fabs(told_week - 1) < 0.1);
    assert_true(fabs(untold_week - 1) < 0.15); /* nor by those that were not told: an excursion is masked */
    assert_true(fabs(forecast_ratio(x.f, &table, 33 * 24) - 1) < 0.15); /* of its kind, and knows nothing */
    shut(&y);
    shut(&x);
}

/* "Behaves like" lends what another event taught; learned windows outweigh the hint. */
static void behaves_like_another(void **state) {
    static const int64_t told[] = { 17, 25, 33 };
    days d = { told, 3, 2.5 };
    psh_event e = event_of(1, psh_event_kind("match"), 17 * 24, 24);
    uint64_t seed = 11;
    double with, without;
    fixture x;

    (void)state;
    open_with(&x, NULL);
    e.every = PSH_EVENT_SPAN;
    e.every_ns = 8 * PSH_DAY;
    assert_ok(psh_forecaster_add_event(x.f, &e, NULL));
    run(x.f, 0, 36 * 24, &d, 0, &seed);
    e = event_of(2, psh_event_kind("concert"), 36 * 24, 24);
    assert_ok(psh_forecaster_add_event(x.f, &e, NULL));
    without = forecast_ratio(x.f, &table, 36 * 24);
    assert_ok(psh_forecaster_remove_event(x.f, 2));
    e.behaves_like = 1;
    assert_ok(psh_forecaster_add_event(x.f, &e, NULL));
    with = forecast_ratio(x.f, &table, 36 * 24);
    print_message("like a match %.3f, unlike %.3f\n", with, without);
    assert_true(fabs(without - 1) < 0.1);
    assert_true(with > 1.8);
    shut(&x);
}

/* Told after it happened, it is still kept out of the next fit. */
static void told_afterwards(void **state) {
    static const int64_t told[] = { 24 };
    days d = { told, 1, 4 };
    psh_event e = event_of(1, PSH_EVENT_PROMOTION, 24 * 24, 24);
    uint64_t seed = 13;
    fixture x;

    (void)state;
    open_with(&x, NULL);
    run(x.f, 0, 26 * 24, &d, 0, &seed);
    assert_ok(psh_forecaster_add_event(x.f, &e, NULL));
    run(x.f, 26 * 24, 37 * 24, &d, 0, &seed); /* there is a fit in it */
    assert_true(fabs(forecast_ratio(x.f, &table, 38 * 24) - 1) < 0.1);
    shut(&x);
}

/* A sparse series and an unfitted one too follow what is announced. */
static void young_and_sparse(void **state) {
    psh_subject tenant = { PSH_SUBJECT_TENANT, 0, 5 };
    psh_event e = event_of(1, PSH_EVENT_DEPLOYMENT, 30, 24);
    psh_forecast_spec spec = { sizeof spec };
    psh_forecast *out;
    double before;
    fixture x;
    int64_t i;

    (void)state;
    open_with(&x, NULL);
    for (i = 0; i < 8; i++) {
        assert_ok(test_write(x.f, hour(i), i % 4 ? 0 : 5, 20));
        settle(x.f, hour(i + 1));
    }
    assert_ok(psh_forecaster_forecast(x.f, &tenant, hour(31), 1, &out, NULL));
    assert_ok(psh_forecast_describe(out, &spec));
    before = spec.mean[0];
    psh_forecast_unref(out);
    e.prior_factor = 2;
    e.prior_weight = 1000;
    assert_ok(psh_forecaster_add_event(x.f, &e, NULL));
    assert_ok(psh_forecaster_forecast(x.f, &tenant, hour(31), 1, &out, NULL));
    assert_ok(psh_forecast_describe(out, &spec));
    assert_true(fabs(spec.mean[0] - ((before + 1) * 2 - 1)) < 1e-6);
    psh_forecast_unref(out);
    shut(&x);
}

/* Far beyond all paths, where seasons repeat, events do not. */
static void beyond_paths(void **state) {
    psh_event e = event_of(1, PSH_EVENT_CAMPAIGN, 70 * 24, 24);
    uint64_t seed = 17;
    fixture x;

    (void)state;
    open_with(&x, NULL);
    run(x.f, 0, 15 * 24, NULL, 0, &seed);
    e.prior_factor = 3;
    e.prior_weight = 1000;
    assert_ok(psh_forecaster_add_event(x.f, &e, NULL));
    assert_true(forecast_ratio(x.f, &table, 70 * 24) > 2.5);
    assert_true(forecast_ratio(x.f, &table, 63 * 24) < 1.2);
    assert_true(forecast_ratio(x.f, &table, 77 * 24) < 1.2);
    shut(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments),
        cmocka_unit_test(announced_before_data),
        cmocka_unit_test(learned_from_like_days),
        cmocka_unit_test(one_off_is_never_repeated),
        cmocka_unit_test(behaves_like_another),
        cmocka_unit_test(told_afterwards),
        cmocka_unit_test(young_and_sparse),
        cmocka_unit_test(beyond_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
