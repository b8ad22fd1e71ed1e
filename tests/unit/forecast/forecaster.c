/* SPDX-License-Identifier: MIT */
#include "load.h"

static const psh_subject table = { PSH_SUBJECT_TABLE, 0, 0 };

typedef struct fixture {
    test_alloc a;
    psh_env *env;
    psh_schema *schema;
    psh_forecaster *f;
} fixture;

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

static int64_t hour(int64_t i) {
    return TEST_T0 + i * PSH_HOUR;
}

static void settle(psh_forecaster *f, int64_t now) {
    while (psh_forecaster_step(f, now, 16) == PSH_AGAIN) {
    }
}

static void run_rhythm(psh_forecaster *f, int64_t hours, double level, double noise, uint64_t seed) {
    double x;
    int64_t i;

    for (i = 0; i < hours; i++) {
        x = test_rhythm(i, level) + noise * test_noise(&seed);
        assert_ok(test_write(f, hour(i), 0, x > 0 ? (uint64_t)(x + 0.5) : 0));
        settle(f, hour(i + 1));
    }
}

static psh_score score_of(psh_forecaster *f, const psh_subject *s) {
    psh_score score = { sizeof score };

    assert_ok(psh_forecaster_score(f, s, &score));
    return score;
}

static void options(void **state) {
    psh_forecaster_options o;
    psh_error err = { sizeof err };
    fixture x;

    (void)state;
    assert_ok(psh_forecaster_options_init(&o, sizeof o));
    assert_int_equal(o.season_long, 168);
    open_with(&x, NULL);
    psh_forecaster_destroy(x.f);
    o.season_long = 100;
    assert_int_equal(psh_forecaster_create(x.env, x.schema, &o, &x.f, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "season_long");
    o.season_long = 168;
    o.horizon = 169;
    assert_int_equal(psh_forecaster_create(x.env, x.schema, &o, &x.f, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "horizon");
    o.flags = 1;
    assert_int_equal(psh_forecaster_create(x.env, x.schema, &o, &x.f, &err), PSH_E_UNSUPPORTED);
    assert_null(x.f);
    shut(&x);
}

/* Better than the seasonal naive by far more than chance, and intervals that hold. */
static void accuracy_and_coverage(void **state) {
    psh_score score;
    fixture x;
    uint64_t seed;

    (void)state;
    for (seed = 1; seed <= 4; seed++) {
        open_with(&x, NULL);
        run_rhythm(x.f, 42 * 24, 200, 20, seed);
        score = score_of(x.f, &table);
        print_message("seed %d skill %.3f coverage %.3f\n", (int)seed, score.skill, score.coverage90);
        assert_true(score.skill > 0.1);
        assert_true(score.coverage90 > 0.84 && score.coverage90 < 0.96);
        assert_true(score.scored > 1400);
        shut(&x);
    }
}

static void check_forecast(psh_forecaster *f, int64_t from, uint32_t steps, psh_forecast_spec *spec) {
    psh_forecast *out = NULL;
    uint32_t i, k;

    assert_ok(psh_forecaster_forecast(f, &table, from, steps, &out, NULL));
    spec->struct_size = sizeof *spec;
    assert_ok(psh_forecast_describe(out, spec));
    assert_int_equal(spec->steps, steps);
    for (i = 0; i < steps; i++) {
        assert_true(isfinite(spec->mean[i]) && spec->mean[i] >= 0);
        for (k = 0; k < spec->level_count; k++) {
            double q = spec->quantiles[i * spec->level_count + k];

            assert_true(isfinite(q) && q >= 0);
            assert_true(!k || q >= spec->quantiles[i * spec->level_count + k - 1]);
        }
    }
    psh_forecast_unref(out);
}

static void forecast_follows_the_rhythm(void **state) {
    psh_forecast_spec spec;
    psh_forecast *out = NULL;
    fixture x;
    uint32_t i;

    (void)state;
    open_with(&x, NULL);
    run_rhythm(x.f, 35 * 24, 200, 5, 1);
    assert_ok(psh_forecaster_forecast(x.f, &table, hour(840), 48, &out, NULL));
    memset(&spec, 0, sizeof spec);
    spec.struct_size = sizeof spec;
    assert_ok(psh_forecast_describe(out, &spec));
    for (i = 0; i < 48; i++)
        assert_true(fabs(spec.mean[i] - test_rhythm(840 + i, 200)) < 15);
    assert_int_equal(spec.reason, PSH_REASON_NONE);
    psh_forecast_unref(out);
    check_forecast(x.f, hour(840), 4096, &spec);
    assert_int_equal(psh_forecaster_forecast(x.f, &table, hour(5), 4, &out, NULL), PSH_E_INVALID);
    assert_int_equal(psh_forecaster_forecast(x.f, &table, hour(840), 4097, &out, NULL), PSH_E_INVALID);
    shut(&x);
}

static void constant_series(void **state) {
    psh_forecast_spec spec;
    fixture x;
    int64_t i;

    (void)state;
    open_with(&x, NULL);
    for (i = 0; i < 500; i++) {
        assert_ok(test_write(x.f, hour(i), 0, 50));
        settle(x.f, hour(i + 1));
        if (i > 1)
            check_forecast(x.f, hour(i + 1), 3, &spec);
    }
    assert_true(fabs(score_of(x.f, &table).mae) < 1e-3);
    shut(&x);
}

static void no_history(void **state) {
    psh_subject tenant = { PSH_SUBJECT_TENANT, 0, 7 };
    psh_error err = { sizeof err };
    psh_score score = { sizeof score };
    psh_forecast *out;
    fixture x;

    (void)state;
    open_with(&x, NULL);
    assert_int_equal(psh_forecaster_forecast(x.f, &table, hour(0), 1, &out, &err), PSH_E_NO_FORECAST);
    assert_string_equal(err.text, psh_reason_text(PSH_REASON_UNKNOWN));
    assert_int_equal(psh_forecaster_score(x.f, &tenant, &score), PSH_E_NOT_FOUND);
    assert_ok(test_write(x.f, hour(0), 7, 1));
    assert_int_equal(psh_forecaster_forecast(x.f, &tenant, hour(0), 1, &out, &err), PSH_E_NO_FORECAST);
    settle(x.f, hour(5));
    assert_ok(psh_forecaster_forecast(x.f, &tenant, hour(5), 1, &out, NULL));
    psh_forecast_unref(out);
    tenant.table = 9;
    assert_int_equal(psh_forecaster_forecast(x.f, &tenant, hour(5), 1, &out, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "subject.table");
    shut(&x);
}

static psh_forecaster_stats stats_of(const psh_forecaster *f) {
    psh_forecaster_stats s = { sizeof s };

    assert_ok(psh_forecaster_get_stats(f, &s));
    return s;
}

static void late_early_and_backwards(void **state) {
    fixture x;

    (void)state;
    open_with(&x, NULL);
    assert_ok(psh_forecaster_step(x.f, hour(10), 1));
    assert_ok(test_write(x.f, hour(10), 0, 1));
    assert_ok(test_write(x.f, hour(9), 0, 1));
    assert_int_equal(test_write(x.f, hour(8), 0, 1), PSH_E_TIME);
    assert_int_equal(test_write(x.f, INT64_C(4102444800) * PSH_SECOND, 0, 1), PSH_E_TIME); /* 2100 */
    assert_int_equal(test_write(x.f, PSH_TIME_MAX, 0, 1), PSH_E_TIME);
    assert_int_equal(test_write(x.f, PSH_TIME_NONE, 0, 1), PSH_E_INVALID);
    assert_int_equal(stats_of(x.f).shed, 3);
    assert_int_equal(stats_of(x.f).observed, 2);
    assert_int_equal(psh_forecaster_step(x.f, hour(9), 1), PSH_E_TIME);
    assert_ok(psh_forecaster_step(x.f, hour(10), 1));
    shut(&x);
}

/* Years without a step: history is forgotten at once, and learning goes on. */
static void gaps(void **state) {
    psh_forecast_spec spec;
    fixture x;
    int64_t later = hour(24 * 365 * 30);

    (void)state;
    open_with(&x, NULL);
    run_rhythm(x.f, 400, 100, 5, 2);
    assert_ok(test_write(x.f, hour(400), 3, 1));
    settle(x.f, later);
    assert_int_equal(stats_of(x.f).series, 1); /* the tenant is forgotten, the table is not */
    assert_ok(test_write(x.f, later, 0, 10));
    settle(x.f, later + 3 * PSH_HOUR);
    check_forecast(x.f, later + 3 * PSH_HOUR, 5, &spec);
    assert_int_equal(spec.reason, PSH_REASON_SHORT);
    settle(x.f, PSH_TIME_MAX);
    shut(&x);
}

/* A first row of the year 2100 does not shut out the true ones. */
static void wrong_first_time(void **state) {
    psh_query *q;
    fixture x;

    (void)state;
    open_with(&x, NULL);
    assert_ok(test_write(x.f, INT64_C(4102444800) * PSH_SECOND, 0, 1));
    assert_ok(test_query(x.env, x.schema, "ATL", hour(0), hour(1), &q));
    assert_ok(test_ask(x.f, q, INT64_C(4102444800) * PSH_SECOND, 1));
    psh_query_unref(q);
    settle(x.f, hour(1));
    assert_int_equal(stats_of(x.f).series, 0);
    assert_int_equal(stats_of(x.f).templates, 0); /* its time would outrank all others for ever */
    assert_ok(test_write(x.f, hour(1), 0, 1));
    shut(&x);
}

static void limits(void **state) {
    psh_forecaster_options o = { sizeof o };
    uint64_t i, bytes;
    fixture x;

    (void)state;
    o.max_tenants = 10;
    o.lateness_ns = PSH_HOUR;
    open_with(&x, &o);
    for (i = 1; i <= 15; i++)
        assert_ok(test_write(x.f, hour(0), i, 1)); /* the table still counts it */
    assert_int_equal(stats_of(x.f).tenants, 10);
    assert_int_equal(stats_of(x.f).shed, 5);
    assert_int_equal(stats_of(x.f).observed, 15);
    bytes = stats_of(x.f).bytes;
    shut(&x);
    o.max_bytes = bytes;
    o.max_tenants = 0;
    open_with(&x, &o);
    for (i = 1; i <= 30; i++)
        assert_ok(test_write(x.f, hour(0), i, 1));
    assert_true(stats_of(x.f).bytes <= bytes);
    assert_true(stats_of(x.f).bytes > bytes / 2);
    shut(&x);
    o.max_bytes = 1;
    open_with(&x, &o);
    assert_int_equal(test_write(x.f, hour(0), 1, 1), PSH_E_LIMIT);
    assert_int_equal(stats_of(x.f).shed, 1);
    shut(&x);
}

static void idle_series_go(void **state) {
    fixture x;
    int64_t i;

    (void)state;
    open_with(&x, NULL);
    assert_ok(test_write(x.f, hour(0), 5, 1));
    for (i = 0; i < 400; i++)
        settle(x.f, hour(i));
    assert_int_equal(stats_of(x.f).tenants, 0);
    assert_int_equal(stats_of(x.f).series, 1);
    assert_ok(test_write(x.f, hour(400), 5, 1));
    assert_int_equal(stats_of(x.f).tenants, 1);
    shut(&x);
}

static void budget(void **state) {
    fixture x;
    uint64_t tenant;
    int64_t i;

    (void)state;
    open_with(&x, NULL);
    for (i = 0; i < 30; i++)
        for (tenant = 1; tenant <= 5; tenant++)
            assert_ok(test_write(x.f, hour(i), tenant, 3));
    assert_int_equal(psh_forecaster_step(x.f, hour(31), 0), PSH_AGAIN);
    assert_int_equal(psh_forecaster_step(x.f, hour(31), 3), PSH_AGAIN);
    assert_int_equal(psh_forecaster_step(x.f, hour(31), 3), PSH_OK);
    shut(&x);
}

/* 0 is the default, as in every option; less is none. */
static void lateness(void **state) {
    psh_forecaster_options o = { sizeof o };
    fixture x;

    (void)state;
    open_with(&x, &o);
    assert_ok(test_write(x.f, hour(10), 0, 1));
    settle(x.f, hour(11));
    assert_ok(test_write(x.f, hour(10) + 1, 0, 1));
    shut(&x);
    o.lateness_ns = -1;
    open_with(&x, &o);
    assert_ok(test_write(x.f, hour(10), 0, 1));
    settle(x.f, hour(11));
    assert_int_equal(test_write(x.f, hour(10) + 1, 0, 1), PSH_E_TIME);
    shut(&x);
    o.lateness_ns = 0;
    o.bucket_ns = PSH_SECOND / 1000; /* the default would be more buckets than are held open */
    open_with(&x, &o);
    shut(&x);
}

/* The heaviest rows there can be: forecasts stay finite, and what is saved loads. */
static void huge_loads(void **state) {
    psh_forecast_spec spec = { sizeof spec };
    psh_forecast *fc;
    psh_forecaster *g;
    psh_buffer *b;
    fixture x;
    int64_t i;

    (void)state;
    open_with(&x, NULL);
    for (i = 0; i < 400; i++) {
        assert_ok(test_write(x.f, hour(i), 1, i % 50 ? 1 : UINT64_MAX));
        settle(x.f, hour(i + 1));
    }
    assert_ok(psh_forecaster_forecast(x.f, &table, hour(400), 48, &fc, NULL));
    assert_ok(psh_forecast_describe(fc, &spec));
    for (i = 0; i < 48 * (int64_t)spec.level_count; i++)
        assert_true(isfinite(spec.quantiles[i]) && spec.quantiles[i] >= 0);
    psh_forecast_unref(fc);
    assert_ok(psh_buffer_create(x.env, &b));
    assert_ok(psh_forecaster_save(x.f, b));
    assert_ok(psh_forecaster_load(x.env, x.schema, psh_buffer_data(b), psh_buffer_size(b), 0, &g, NULL));
    psh_forecaster_destroy(g);
    psh_buffer_destroy(b);
    shut(&x);
}

/* Buckets at both ends of time, where their bounds are clamped, are told apart from their neighbours. */
static void ends_of_time(void **state) {
    static const int64_t far[] = { PSH_TIME_MAX, PSH_TIME_MIN, PSH_TIME_MAX - PSH_HOUR, PSH_TIME_MIN + PSH_HOUR };
    psh_subject tenant = { PSH_SUBJECT_TENANT, 0, 1 };
    psh_forecast *fc;
    fixture x;
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        open_with(&x, NULL);
        assert_ok(test_write(x.f, far[i], 1, 1));
        assert_ok(test_write(x.f, far[i], 1, 1));
        assert_int_equal(test_write(x.f, hour(0), 1, 1), PSH_E_TIME);
        assert_int_equal(test_write(x.f, far[i ^ 1], 1, 1), PSH_E_TIME);
        assert_ok(test_write(x.f, far[i], 1, 1));
        settle(x.f, far[i]);
        settle(x.f, PSH_TIME_MAX);
        assert_int_not_equal(psh_forecaster_forecast(x.f, &tenant, PSH_TIME_MAX, 48, &fc, NULL), PSH_E_INTERNAL);
        psh_forecast_unref(fc);
        shut(&x);
    }
}

/* A row's size is not forgotten while nothing comes, however short the buckets. */
static void row_size_outlives_idleness(void **state) {
    psh_forecaster_options o = { sizeof o, 0, PSH_SECOND };
    psh_demand_request r = { sizeof r };
    psh_demand_entry e;
    psh_demand *d;
    int64_t i, now = TEST_T0;
    fixture x;

    (void)state;
    o.season_short = 2;
    o.season_long = 2;
    open_with(&x, &o);
    assert_ok(test_write(x.f, now, 0, 1000)); /* of 100 bytes */
    for (i = 0; i < 800000; i += 3000) {
        now = TEST_T0 + i * PSH_SECOND;
        settle(x.f, now);
    }
    assert_ok(test_write(x.f, now, 0, 1));
    settle(x.f, now + PSH_HOUR + 3 * PSH_SECOND);
    r.now = r.from = now + PSH_HOUR + 3 * PSH_SECOND;
    r.to = r.from + 2 * PSH_SECOND;
    assert_ok(psh_forecaster_demand(x.f, &r, &d, NULL));
    assert_ok(psh_demand_get(d, 0, &e));
    assert_true(e.count > 0);
    assert_true(fabs(e.bytes / e.count - 100) < 1);
    psh_demand_unref(d);
    shut(&x);
}

static void labels_count_once(void **state) {
    psh_label twice[2] = { { "kind", "load" }, { "kind", "load" } };
    psh_subject subject = { PSH_SUBJECT_LABEL, 0, 0 };
    psh_write_record r = { sizeof r };
    psh_forecast_spec spec = { sizeof spec };
    psh_forecast *fc;
    fixture x;
    int64_t i;

    (void)state;
    subject.id = psh_label_id("kind", "load");
    r.rows = 10;
    r.labels = twice;
    r.label_count = 2;
    open_with(&x, NULL);
    for (i = 0; i < 30; i++) {
        r.time = hour(i);
        assert_ok(psh_forecaster_observe_write(x.f, &r));
        settle(x.f, hour(i + 1));
    }
    assert_ok(psh_forecaster_forecast(x.f, &subject, hour(30), 1, &fc, NULL));
    assert_ok(psh_forecast_describe(fc, &spec));
    assert_true(fabs(spec.mean[0] - 10) < 0.1);
    psh_forecast_unref(fc);
    shut(&x);
}

/* A table counted in short buckets with intervals of centuries: demand looks no farther than there is history. */
static void long_intervals(void **state) {
    uint32_t key[] = { 0 };
    psh_column_spec column = { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 };
    psh_table_spec t = { "ages", &column, 1, sizeof column, key, 1, PSH_NONE, 0, 250 * 366 * PSH_DAY, 0 };
    psh_forecaster_options o = { sizeof o, 0, PSH_SECOND / 1000 };
    psh_demand_request r = { sizeof r, PSH_DEMAND_OBSERVED };
    psh_demand *d;
    fixture x;

    (void)state;
    x.env = test_env(&x.a);
    assert_ok(psh_schema_create(x.env, &t, 1, sizeof t, &x.schema, NULL));
    assert_ok(psh_forecaster_create(x.env, x.schema, &o, &x.f, NULL));
    assert_ok(test_write(x.f, TEST_T0, 0, 1));
    settle(x.f, TEST_T0);
    r.from = TEST_T0;
    r.to = TEST_T0 + PSH_SECOND / 100;
    r.now = TEST_T0 + 150 * 366 * PSH_DAY; /* years of buckets lie between */
    assert_ok(psh_forecaster_demand(x.f, &r, &d, NULL));
    psh_demand_unref(d);
    shut(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options),
        cmocka_unit_test(accuracy_and_coverage),
        cmocka_unit_test(forecast_follows_the_rhythm),
        cmocka_unit_test(constant_series),
        cmocka_unit_test(no_history),
        cmocka_unit_test(late_early_and_backwards),
        cmocka_unit_test(gaps),
        cmocka_unit_test(wrong_first_time),
        cmocka_unit_test(limits),
        cmocka_unit_test(idle_series_go),
        cmocka_unit_test(budget),
        cmocka_unit_test(lateness),
        cmocka_unit_test(huge_loads),
        cmocka_unit_test(ends_of_time),
        cmocka_unit_test(row_size_outlives_idleness),
        cmocka_unit_test(labels_count_once),
        cmocka_unit_test(long_intervals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
