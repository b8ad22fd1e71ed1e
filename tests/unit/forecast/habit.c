/* SPDX-License-Identifier: MIT */
/* Queries that come again with other constants are named before they are asked. */
#include "load.h"

typedef struct fixture {
    test_alloc a;
    psh_env *env;
    psh_schema *schema;
    psh_forecaster *f;
} fixture;

static void start(fixture *x) {
    x->env = test_env(&x->a);
    x->schema = test_flights_schema(x->env);
    assert_ok(psh_forecaster_create(x->env, x->schema, NULL, &x->f, NULL));
}

static void shut(fixture *x) {
    psh_forecaster_destroy(x->f);
    psh_schema_unref(x->schema);
    psh_env_destroy(x->env);
    assert_int_equal(x->a.live, 0);
}

static void ask(fixture *x, psh_query *q, int64_t t) {
    assert_true(psh_forecaster_step(x->f, t, 100) >= 0);
    assert_ok(test_ask(x->f, q, t, 1));
}

/* The probability with which exactly this query was expected at a time. */
static double expected(fixture *x, const psh_query *q, int64_t at) {
    psh_expected_query list[8];
    size_t n = 8, i;
    double p = 0, sum = 0;

    if (!psh_forecaster_template_count(x->f))
        return 0;
    assert_ok(psh_forecaster_expect(x->f, 0, at, list, sizeof *list, &n));
    for (i = 0; i < n; i++) {
        p += psh_query_id(list[i].query) == psh_query_id(q) ? list[i].probability : 0;
        sum += list[i].probability;
        assert_true(!i || list[i].probability <= list[i - 1].probability);
        psh_query_unref(list[i].query);
    }
    assert_true(sum <= 1);
    return p;
}

/* 2000-01-01 and days from it: 2000 has a leap day, 2001 has none. */
#define Y2K (INT64_C(946684800) * PSH_SECOND)

static int64_t days(int64_t n) {
    return Y2K + n * PSH_DAY;
}

static const int month_length[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 28, 31, 30, 31, 30, 31, 31,
    30, 31, 30, 31, 31, 28, 31 };

/* The start of the month that is `n` from January 2000. */
static int64_t month(int n) {
    int64_t d = 0;
    int i;

    for (i = 0; i < n; i++)
        d += month_length[i];
    return days(d);
}

static int month_of(int64_t t) {
    int n = 0;

    while (month(n + 1) <= t)
        n++;
    return n;
}

static int64_t yesterday(int64_t t, int64_t *to) {
    *to = t - (t - Y2K) % PSH_DAY;
    return *to - PSH_DAY;
}

static int64_t last_week_sliding(int64_t t, int64_t *to) {
    (void)yesterday(t, to);
    return *to - 7 * PSH_DAY;
}

static int64_t this_month(int64_t t, int64_t *to) {
    *to = month(month_of(t) + 1);
    return month(month_of(t));
}

/* The 15th of the last month to its end. */
static int64_t half_month(int64_t t, int64_t *to) {
    *to = month(month_of(t));
    return month(month_of(t) - 1) + 14 * PSH_DAY;
}

static int64_t this_week(int64_t t, int64_t *to) {
    int64_t monday = Y2K + 2 * PSH_DAY; /* 2000-01-03 */

    *to = PSH_TIME_MAX;
    return t - (t - monday) % (7 * PSH_DAY);
}

static int64_t quarter(int64_t t, int64_t *to) {
    *to = month(month_of(t) / 3 * 3);
    return month(month_of(t) / 3 * 3 - 3);
}

static int64_t year_to_today(int64_t t, int64_t *to) {
    (void)yesterday(t, to);
    return month(month_of(t) / 12 * 12);
}

static int64_t last_day_hours(int64_t t, int64_t *to) {
    *to = t - (t - Y2K) % PSH_HOUR;
    return *to - PSH_DAY;
}

static int64_t last_quarter_hour(int64_t t, int64_t *to) {
    *to = t - (t - Y2K) % PSH_MINUTE;
    return *to - 15 * PSH_MINUTE;
}

static int64_t campaign(int64_t t, int64_t *to) {
    (void)t;
    *to = month(20);
    return month(7) + 3 * PSH_HOUR;
}

/* Asked at random times over two years, the share of the latter half that was expected with p > 0.5. */
static double share_expected(int64_t (*range)(int64_t t, int64_t *to), int64_t gap, double *brier) {
    int64_t t, to, from, end = days(820);
    uint64_t seed = 3;
    double right = 0, p, sum = 0, n = 0;
    psh_query *q;
    fixture x;

    start(&x);
    for (t = days(95); t < end; t += 1 + (int64_t)(2 * (double)gap * pshi_rng_unit(&seed))) {
        from = range(t, &to);
        assert_ok(test_query(x.env, x.schema, "ATL", from, to, &q));
        p = expected(&x, q, t);
        if (t > days(400)) {
            right += p > 0.5;
            sum += (1 - p) * (1 - p);
            n++;
        }
        ask(&x, q, t);
        psh_query_unref(q);
    }
    *brier = sum / n;
    shut(&x);
    return right / n;
}

static void follows_the_calendar(void **state) {
    static int64_t (*const ranges[])(int64_t, int64_t *) = { yesterday, last_week_sliding, this_month, half_month,
        this_week, quarter, year_to_today, last_day_hours, last_quarter_hour, campaign };
    double brier, share;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        share = share_expected(ranges[i], 7 * PSH_HOUR, &brier);
        if (share < 0.99 || brier > 0.01)
            print_message("range %zu: share %.4f brier %.4f\n", i, share, brier);
        assert_true(share >= 0.99);
        assert_true(brier <= 0.01);
    }
}

/* Asked every few minutes, a rule is compared seldom: still it is found, and holds over midnight. */
static void follows_at_high_rates(void **state) {
    int64_t t, from, to;
    uint64_t n = 0, right = 0;
    psh_query *q;
    fixture x;

    (void)state;
    start(&x);
    for (t = days(100); t < days(104); t += 3 * PSH_SECOND) {
        from = yesterday(t, &to);
        assert_ok(test_query(x.env, x.schema, "ATL", from, to, &q));
        if (t >= days(101) && t % PSH_DAY < 100 * PSH_SECOND) {
            right += expected(&x, q, t) > 0.9;
            n++;
        }
        assert_ok(test_ask(x.f, q, t, 1));
        if (t % PSH_HOUR == 0)
            assert_true(psh_forecaster_step(x.f, t, 100) >= 0);
        psh_query_unref(q);
    }
    assert_true(n > 90 && right == n);
    shut(&x);
}

/* Two tenants in turn: both are named, each with half the probability. */
static void names_each_tenant(void **state) {
    static const char *const names[] = { "ATL", "BOS", "ATL", "DEN" }; /* shares 1/2, 1/4, 1/4 */
    double sum[4] = { 0 };
    int64_t t, from, to, i;
    psh_query *q;
    fixture x;

    (void)state;
    start(&x);
    for (i = 0; i < 400; i++) {
        t = days(100) + i * 5 * PSH_HOUR;
        from = yesterday(t, &to);
        assert_ok(test_query(x.env, x.schema, names[i % 4], from, to, &q));
        if (i >= 200)
            sum[i % 4] += expected(&x, q, t) / 50;
        ask(&x, q, t);
        psh_query_unref(q);
    }
    assert_true(fabs(sum[0] - 0.5) < 0.04 && fabs(sum[2] - 0.5) < 0.04);
    assert_true(fabs(sum[1] - 0.25) < 0.04 && fabs(sum[3] - 0.25) < 0.04);
    shut(&x);
}

static void says_unpredictable(void **state) {
    psh_template_detail d = { sizeof d };
    psh_expected_query list[8];
    uint64_t seed = 6;
    int64_t i, t = 0, from;
    size_t n = 8;
    psh_query *q;
    fixture x;

    (void)state;
    start(&x);
    for (i = 0; i < 300; i++) {
        t = days(100) + i * PSH_HOUR;
        from = days(0) + (int64_t)(pshi_rng_next(&seed) % (uint64_t)(90 * PSH_DAY));
        assert_ok(test_query(x.env, x.schema, "ATL", from, from + PSH_DAY, &q));
        ask(&x, q, t);
        psh_query_unref(q);
    }
    assert_ok(psh_forecaster_expect(x.f, 0, t, list, sizeof *list, &n));
    assert_int_equal(n, 0);
    assert_ok(psh_forecaster_template_detail(x.f, 0, &d));
    assert_true(d.predictable < 0.03);
    n = 8;
    assert_int_equal(psh_forecaster_expect(x.f, 1, t, list, sizeof *list, &n), PSH_E_NOT_FOUND);
    assert_int_equal(psh_forecaster_expect(x.f, 0, PSH_TIME_NONE, list, sizeof *list, &n), PSH_E_INVALID);
    shut(&x);
}

/* A query by its sequence number and a limit. */
static psh_query *by_number(fixture *x, int64_t seq, uint64_t limit) {
    static const uint32_t columns[] = { 0, 4 };
    psh_value value = test_int(seq);
    psh_predicate where = { 2, PSH_OP_EQ, &value, 1 };
    psh_query_spec spec;
    psh_query *q;

    psh_query_spec_init(&spec, sizeof spec);
    spec.predicates = &where;
    spec.predicate_count = 1;
    spec.columns = columns;
    spec.column_count = 2;
    spec.limit = limit;
    assert_ok(psh_query_create(x->env, x->schema, &spec, &q, NULL));
    return q;
}

static void counts_on(void **state) {
    int64_t i;
    psh_query *q;
    fixture x;

    (void)state;
    start(&x);
    for (i = 0; i < 200; i++) {
        q = by_number(&x, 1000 + 3 * i, 10);
        if (i > 100)
            assert_true(expected(&x, q, days(100) + i * PSH_MINUTE) > 0.9);
        assert_ok(test_ask(x.f, q, days(100) + i * PSH_MINUTE, 1));
        psh_query_unref(q);
    }
    shut(&x);
}

/* Of six constants drawn at random each is named as often as it comes: probabilities are calibrated. */
static void probabilities_are_frequencies(void **state) {
    static const double share[] = { 0.4, 0.2, 0.15, 0.1, 0.1, 0.05 };
    double sum[10] = { 0 }, hits[10] = { 0 }, n[10] = { 0 }, u, p, error = 0, total = 0;
    psh_expected_query list[8];
    uint64_t seed = 12;
    int64_t i, at;
    size_t count, k, bin, pick;
    psh_query *q;
    fixture x;

    (void)state;
    start(&x);
    for (i = 0; i < 3000; i++) {
        u = pshi_rng_unit(&seed);
        for (pick = 0; pick < 5 && u >= share[pick]; pick++)
            u -= share[pick];
        q = by_number(&x, 7 * (int64_t)(pick * pick), 5);
        at = days(100) + i * PSH_MINUTE;
        count = 8;
        if (i > 100) {
            assert_ok(psh_forecaster_expect(x.f, 0, at, list, sizeof *list, &count));
            for (k = 0; k < count; k++) {
                p = list[k].probability;
                bin = (size_t)(p * 9.99);
                sum[bin] += p;
                n[bin]++;
                hits[bin] += psh_query_id(list[k].query) == psh_query_id(q);
                psh_query_unref(list[k].query);
            }
        }
        ask(&x, q, at);
        psh_query_unref(q);
    }
    for (bin = 0; bin < 10; bin++) {
        error += fabs(sum[bin] - hits[bin]);
        total += n[bin];
    }
    assert_true(total > 10000);
    assert_true(error / total < 0.03); /* expected calibration error */
    shut(&x);
}

/* A list of values, longer than is hashed value by value, and a limit: constants like others. */
static psh_query *of_list(fixture *x, int64_t first, size_t n) {
    static const uint32_t columns[] = { 0 };
    psh_value values[12];
    psh_predicate where = { 2, PSH_OP_IN, values, n };
    psh_query_spec spec;
    psh_query *q;
    size_t i;

    for (i = 0; i < n; i++)
        values[i] = test_int(first + (int64_t)i);
    psh_query_spec_init(&spec, sizeof spec);
    spec.predicates = &where;
    spec.predicate_count = 1;
    spec.columns = columns;
    spec.column_count = 1;
    assert_ok(psh_query_create(x->env, x->schema, &spec, &q, NULL));
    return q;
}

static void knows_lists(void **state) {
    double last = 0;
    psh_query *q;
    int64_t i;
    fixture x;

    (void)state;
    start(&x);
    for (i = 0; i < 100; i++) {
        q = of_list(&x, i % 4 ? 100 : 200, i % 4 ? 12 : 4);
        last = expected(&x, q, days(100) + i * PSH_MINUTE);
        ask(&x, q, days(100) + i * PSH_MINUTE);
        psh_query_unref(q);
    }
    assert_true(fabs(last - 0.75) < 0.1);
    shut(&x);
}

/* More constants than are followed: never predicted, and nothing breaks. */
static void too_many_constants(void **state) {
    static const uint32_t columns[] = { 0 };
    psh_value values[20];
    psh_predicate where[20];
    psh_query_spec spec;
    psh_buffer *b;
    psh_forecaster *g;
    psh_query *q;
    fixture x;
    int i;

    (void)state;
    start(&x);
    for (i = 0; i < 20; i++) {
        values[i] = test_int(i);
        where[i] = (psh_predicate){ 2, PSH_OP_NE, &values[i], 1 };
    }
    psh_query_spec_init(&spec, sizeof spec);
    spec.predicates = where;
    spec.predicate_count = 20;
    spec.columns = columns;
    spec.column_count = 1;
    assert_ok(psh_query_create(x.env, x.schema, &spec, &q, NULL));
    for (i = 0; i < 50; i++)
        ask(&x, q, days(100) + i);
    assert_true(expected(&x, q, days(100)) == 0);
    psh_query_unref(q);
    assert_ok(psh_buffer_create(x.env, &b));
    assert_ok(psh_forecaster_save(x.f, b));
    assert_ok(psh_forecaster_load(x.env, x.schema, psh_buffer_data(b), psh_buffer_size(b), 0, &g, NULL));
    psh_forecaster_destroy(g);
    psh_buffer_destroy(b);
    shut(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_calendar),
        cmocka_unit_test(follows_at_high_rates),
        cmocka_unit_test(names_each_tenant),
        cmocka_unit_test(says_unpredictable),
        cmocka_unit_test(counts_on),
        cmocka_unit_test(knows_lists),
        cmocka_unit_test(too_many_constants),
        cmocka_unit_test(probabilities_are_frequencies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
