/* SPDX-License-Identifier: MIT */
#include <predshard/view.h>

#include "load.h"

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

static void ask_window(fixture *x, const char *origin, int64_t at, int64_t from, int64_t to, double weight) {
    psh_query *q;

    assert_ok(test_query(x->env, x->schema, origin, from, to, &q));
    assert_ok(test_ask(x->f, q, at, weight));
    psh_query_unref(q);
}

static void what_is_learned(void **state) {
    psh_template_info info;
    psh_query_spec spec = { sizeof spec };
    fixture x;

    (void)state;
    open_with(&x, NULL);
    ask_window(&x, "ATL", hour(48), hour(0), hour(48), 1);
    ask_window(&x, "ORD", hour(49), hour(36), hour(48), 3);
    ask_window(&x, "ORD", hour(49), PSH_TIME_MIN, PSH_TIME_MAX, 1);
    assert_int_equal(psh_forecaster_template_count(x.f), 1); /* constants and bounds are taken out */
    assert_ok(psh_forecaster_template(x.f, 0, &info));
    assert_true(info.count == 5);
    assert_true(info.work == 5000 && info.rows == 24 && info.duration_ns == 1000);
    assert_int_equal(info.align_ns, 12 * PSH_HOUR);
    assert_int_equal(info.reach_ns, 48 * PSH_HOUR);
    assert_int_equal(info.last_seen, hour(49));
    assert_ok(psh_query_describe(info.example, &spec));
    assert_int_equal(spec.time_from, PSH_TIME_MIN); /* the latest */
    assert_int_equal(psh_forecaster_template(x.f, 1, &info), PSH_E_NOT_FOUND);
    shut(&x);
}

static void ask_answered_by_view(fixture *x, int64_t at) {
    psh_query_record r = { sizeof r };

    assert_ok(test_query(x->env, x->schema, "ATL", PSH_TIME_MIN, PSH_TIME_MAX, &r.query));
    r.time = at;
    r.weight = 1;
    r.work = 1;
    assert_ok(psh_forecaster_observe_query(x->f, &r));
    psh_query_unref(r.query);
}

/* Recorded over two days of data, then answered by a view until there are twenty. */
static void work_grows_with_data(void **state) {
    psh_template_info info;
    fixture x;
    int64_t i;

    (void)state;
    open_with(&x, NULL);
    assert_ok(test_write(x.f, hour(0), 7, 100));
    ask_window(&x, "ATL", hour(48), PSH_TIME_MIN, PSH_TIME_MAX, 1);
    assert_ok(psh_forecaster_template(x.f, 0, &info));
    assert_true(info.work == 5000);
    for (i = 49; i < 480; i++) {
        while (psh_forecaster_step(x.f, hour(i), 1000) == PSH_AGAIN) {
        }
        ask_answered_by_view(&x, hour(i));
    }
    assert_ok(psh_forecaster_template(x.f, 0, &info));
    assert_true(info.work > 5000 * 450 / 48.0 && info.work < 5000 * 480 / 48.0);
    shut(&x);
}

/* A template of its own for each predicate column. */
static void ask_column(fixture *x, uint32_t column, int64_t at, double weight) {
    psh_predicate where = { column, PSH_OP_NOT_NULL, NULL, 0 };
    psh_aggregate count = { PSH_AGG_COUNT, PSH_NONE };
    psh_query_spec spec;
    psh_query *q;

    psh_query_spec_init(&spec, sizeof spec);
    spec.predicates = &where;
    spec.predicate_count = column == 1 ? 0 : 1;
    spec.aggregates = &count;
    spec.aggregate_count = 1;
    assert_ok(psh_query_create(x->env, x->schema, &spec, &q, NULL));
    assert_ok(test_ask(x->f, q, at, weight));
    psh_query_unref(q);
}

static void least_asked_goes(void **state) {
    psh_forecaster_options o = { sizeof o };
    psh_template_info info;
    psh_forecaster_stats s = { sizeof s };
    fixture x;

    (void)state;
    o.max_templates = 2;
    open_with(&x, &o);
    ask_column(&x, 1, hour(0), 10);
    ask_column(&x, 2, hour(0), 1);
    ask_column(&x, 4, hour(0), 5); /* column 2's goes */
    assert_int_equal(psh_forecaster_template_count(x.f), 2);
    assert_ok(psh_forecaster_template(x.f, 0, &info));
    assert_true(info.count == 10);
    assert_ok(psh_forecaster_template(x.f, 1, &info));
    assert_true(info.count == 5);
    assert_int_equal(psh_forecaster_template(x.f, 2, &info), PSH_E_NOT_FOUND);
    assert_ok(psh_forecaster_get_stats(x.f, &s));
    assert_int_equal(s.series, 3); /* all queries, and the two templates */
    assert_int_equal(s.shed, 1);
    shut(&x);
}

static void bad_records(void **state) {
    psh_query_record r = { sizeof r };
    fixture x;

    (void)state;
    open_with(&x, NULL);
    assert_int_equal(psh_forecaster_observe_query(x.f, &r), PSH_E_INVALID);
    assert_ok(test_query(x.env, x.schema, "ATL", hour(0), hour(1), &r.query));
    r.time = hour(0);
    assert_int_equal(psh_forecaster_observe_query(x.f, &r), PSH_E_INVALID); /* no weight */
    r.weight = (double)NAN;
    assert_int_equal(psh_forecaster_observe_query(x.f, &r), PSH_E_INVALID);
    r.weight = 1;
    r.duration_ns = -1;
    assert_int_equal(psh_forecaster_observe_query(x.f, &r), PSH_E_INVALID);
    r.duration_ns = 0;
    assert_ok(psh_forecaster_observe_query(x.f, &r));
    psh_query_unref(r.query);
    shut(&x);
}

static psh_demand *demand_of(psh_forecaster *f, uint32_t source, int64_t now, int64_t from, int64_t to) {
    psh_demand_request r = { sizeof r };
    psh_demand *d = NULL;

    r.source = source;
    r.now = now;
    r.from = from;
    r.to = to;
    assert_ok(psh_forecaster_demand(f, &r, &d, NULL));
    return d;
}

/* The i-th entry of a kind. @return 1 if there is one. */
static int entry_of(const psh_demand *d, uint32_t kind, size_t i, psh_demand_entry *e) {
    size_t at;

    for (at = 0; at < psh_demand_count(d); at++) {
        assert_ok(psh_demand_get(d, at, e));
        if (e->kind == kind && !i--)
            return 1;
    }
    return 0;
}

/* Two tenants, one twice the other; 20 requests a day. */
static void learn_weeks(fixture *x, int64_t hours) {
    int64_t i;

    for (i = 0; i < hours; i++) {
        assert_ok(test_write(x->f, hour(i), 1, (uint64_t)test_rhythm(i, 100)));
        assert_ok(test_write(x->f, hour(i), 2, (uint64_t)test_rhythm(i, 50)));
        if (i > 48 && i % 24 >= 4)
            ask_window(x, i % 2 ? "ATL" : "ORD", hour(i), hour(i - i % 24 - 24), hour(i - i % 24), 1);
        while (psh_forecaster_step(x->f, hour(i + 1), 8) == PSH_AGAIN) {
        }
    }
}

static double true_day(int64_t first) {
    double sum = 0;
    int64_t i;

    for (i = first; i < first + 24; i++)
        sum += floor(test_rhythm(i, 100)) + floor(test_rhythm(i, 50));
    return sum;
}

static void check_view(const psh_demand *d, double count) {
    psh_query_spec spec = { sizeof spec };
    psh_demand_entry e;

    assert_true(entry_of(d, PSH_DEMAND_VIEW, 0, &e));
    assert_true(fabs(e.count - count) < 2);
    assert_true(e.upper >= e.count && e.confidence > 0.9);
    assert_true(e.work == 5000);
    assert_int_equal(e.access, PSH_ACCESS_RANGE);
    assert_true(e.reach_ns >= 24 * PSH_HOUR && e.reach_ns <= 48 * PSH_HOUR);
    assert_ok(psh_query_describe(e.definition, &spec));
    assert_int_equal(spec.bucket_ns, PSH_HOUR);
    assert_int_equal(spec.predicate_count, 0);
    assert_false(entry_of(d, PSH_DEMAND_VIEW, 1, &e));
}

static void both_sources(void **state) {
    uint32_t source;
    psh_demand_entry e;
    psh_demand *d;
    fixture x;

    (void)state;
    open_with(&x, NULL);
    learn_weeks(&x, 28 * 24);
    for (source = 0; source <= 1; source++) {
        d = demand_of(x.f, source, hour(672), hour(672), hour(696));
        assert_true(entry_of(d, PSH_DEMAND_INTERVAL, 0, &e));
        assert_int_equal(e.from, hour(672));
        assert_int_equal(e.to, hour(696));
        /* A Monday after a Sunday: only the forecast knows of the week. */
        assert_true(source ? fabs(e.count - true_day(648)) < 1e-6 : fabs(e.count / true_day(672) - 1) < 0.05);
        assert_true(e.upper >= e.count);
        assert_true(fabs(e.bytes - 100 * e.count) < 1e-3 * e.bytes);
        assert_false(entry_of(d, PSH_DEMAND_INTERVAL, 1, &e));
        assert_true(entry_of(d, PSH_DEMAND_TENANT, 0, &e));
        assert_int_equal(e.id, 1);
        assert_true(entry_of(d, PSH_DEMAND_TENANT, 1, &e));
        assert_false(entry_of(d, PSH_DEMAND_TENANT, 2, &e));
        check_view(d, 20);
        psh_demand_unref(d);
    }
    shut(&x);
}

/* In the middle of a day, its interval counts what came and what is to come. */
static void interval_under_way(void **state) {
    psh_demand_entry e;
    psh_demand *d;
    fixture x;

    (void)state;
    open_with(&x, NULL);
    learn_weeks(&x, 28 * 24 + 12);
    d = demand_of(x.f, PSH_DEMAND_FORECAST, hour(684), hour(684), hour(690));
    assert_true(entry_of(d, PSH_DEMAND_INTERVAL, 0, &e));
    assert_int_equal(e.from, hour(672));
    assert_true(fabs(e.count / true_day(672) - 1) < 0.05);
    psh_demand_unref(d);
    shut(&x);
}

/* The open bucket counts at once for the reactive source. */
static void reactive_sees_the_open_bucket(void **state) {
    psh_demand_entry e;
    psh_demand *d;
    fixture x;

    (void)state;
    open_with(&x, NULL);
    assert_ok(psh_forecaster_step(x.f, hour(100), 1));
    assert_ok(test_write(x.f, hour(100), 9, 70));
    d = demand_of(x.f, PSH_DEMAND_OBSERVED, hour(100) + PSH_HOUR / 2, hour(101), hour(102));
    assert_true(entry_of(d, PSH_DEMAND_TENANT, 0, &e));
    assert_true(fabs(e.count - 70) < 1e-9);
    assert_true(e.confidence == 1);
    psh_demand_unref(d);
    shut(&x);
}

/* A label that is quiet but for one day of the week is hot on that day. */
static void zones(void **state) {
    psh_label label = { "region", "west" };
    psh_forecaster_stats s = { sizeof s };
    psh_demand_entry e;
    psh_demand *d;
    fixture x;
    int64_t i;

    (void)state;
    open_with(&x, NULL);
    for (i = 0; i < 35 * 24; i++) {
        assert_ok(test_write_label(x.f, hour(i), 0, i / 24 % 7 == 0 ? 100 : 5, &label));
        while (psh_forecaster_step(x.f, hour(i + 1), 8) == PSH_AGAIN) {
        }
    }
    d = demand_of(x.f, PSH_DEMAND_FORECAST, hour(840), hour(840), hour(864));
    assert_true(entry_of(d, PSH_DEMAND_ZONE, 0, &e));
    assert_int_equal(e.subject.kind, PSH_SUBJECT_LABEL);
    assert_true(e.id == psh_label_id("region", "west"));
    assert_true(fabs(e.count / 2400 - 1) < 0.1);
    assert_true(e.confidence > 0.5 && e.confidence <= 1);
    psh_demand_unref(d);
    d = demand_of(x.f, PSH_DEMAND_FORECAST, hour(840), hour(865), hour(888));
    assert_false(entry_of(d, PSH_DEMAND_ZONE, 0, &e));
    psh_demand_unref(d);
    assert_ok(psh_forecaster_get_stats(x.f, &s));
    assert_true(s.calibrated > 0);
    shut(&x);
}

static void bad_requests(void **state) {
    psh_demand_request r = { sizeof r };
    psh_error err = { sizeof err };
    psh_demand *d;
    fixture x;

    (void)state;
    open_with(&x, NULL);
    assert_ok(psh_forecaster_step(x.f, hour(1), 1));
    r.now = hour(1);
    r.from = hour(1);
    r.to = hour(50);
    assert_int_equal(psh_forecaster_demand(x.f, &r, &d, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "to");
    r.to = hour(49);
    assert_ok(psh_forecaster_demand(x.f, &r, &d, &err));
    assert_int_equal(psh_demand_count(d), 0);
    psh_demand_unref(d);
    r.from = hour(0);
    assert_int_equal(psh_forecaster_demand(x.f, &r, &d, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "from");
    r.from = hour(1);
    r.now = hour(0);
    assert_int_equal(psh_forecaster_demand(x.f, &r, &d, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "now");
    r.now = hour(1);
    r.quantile = 1;
    assert_int_equal(psh_forecaster_demand(x.f, &r, &d, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "quantile");
    r.quantile = 0;
    r.source = 2;
    assert_int_equal(psh_forecaster_demand(x.f, &r, &d, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "source");
    r.source = 0;
    r.from = PSH_TIME_MIN;
    r.to = PSH_TIME_MAX;
    assert_int_equal(psh_forecaster_demand(x.f, &r, &d, &err), PSH_E_INVALID);
    shut(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_learned),
        cmocka_unit_test(work_grows_with_data),
        cmocka_unit_test(least_asked_goes),
        cmocka_unit_test(bad_records),
        cmocka_unit_test(both_sources),
        cmocka_unit_test(interval_under_way),
        cmocka_unit_test(reactive_sees_the_open_bucket),
        cmocka_unit_test(zones),
        cmocka_unit_test(bad_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
