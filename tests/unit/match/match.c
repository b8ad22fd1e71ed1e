/* SPDX-License-Identifier: MIT */
#include "base/rng.h"
#include "match/match.h"
#include "test.h"

#define MAX_PREDICATES 4

/* A random query over small domains; its arrays live here. */
typedef struct random_query {
    psh_predicate predicates[MAX_PREDICATES];
    psh_value values[MAX_PREDICATES][3];
    uint32_t groups[3];
    psh_aggregate aggregates[3];
    psh_query_spec spec;
} random_query;

static const char *const airports[] = { "ATL", "BOS", "CLE", "DEN" };

static psh_value small_value(uint32_t column, uint64_t x) {
    return column == 0 || column == 3 ? test_text(airports[x % 4]) : test_int((int64_t)(x % 5));
}

static void random_predicate(random_query *r, size_t i, uint64_t *seed) {
    static const uint32_t columns[] = { 0, 2, 3, 4, 5 };
    psh_predicate *p = &r->predicates[i];
    size_t k;

    p->column = columns[pshi_rng_next(seed) % 5];
    p->op = 1 + (uint32_t)(pshi_rng_next(seed) % 9);
    if (p->column != 4 && p->op >= PSH_OP_IS_NULL)
        p->op = PSH_OP_EQ;
    p->value_count = p->op >= PSH_OP_IS_NULL ? 0 : p->op == PSH_OP_IN ? 3 : 1;
    p->values = p->value_count ? r->values[i] : NULL;
    for (k = 0; k < p->value_count; k++)
        r->values[i][k] = small_value(p->column, pshi_rng_next(seed));
}

static psh_query *random_aggregate(psh_env *env, psh_schema *s, uint64_t *seed) {
    random_query r;
    psh_query *q = NULL;
    size_t i;

    psh_query_spec_init(&r.spec, sizeof r.spec);
    r.spec.predicate_count = pshi_rng_next(seed) % (MAX_PREDICATES + 1);
    for (i = 0; i < r.spec.predicate_count; i++)
        random_predicate(&r, i, seed);
    r.spec.group_count = pshi_rng_next(seed) % 3;
    r.groups[0] = 5;
    r.groups[1] = pshi_rng_next(seed) % 2 ? 0 : 3;
    r.aggregates[0] = (psh_aggregate){ PSH_AGG_COUNT, PSH_NONE };
    r.aggregates[1] = (psh_aggregate){ 1 + (uint32_t)(pshi_rng_next(seed) % 5), 4 };
    r.aggregates[2] = (psh_aggregate){ 1 + (uint32_t)(pshi_rng_next(seed) % 5), 5 };
    r.spec.aggregate_count = 1 + pshi_rng_next(seed) % 3;
    r.spec.predicates = r.predicates;
    r.spec.group_columns = r.groups;
    r.spec.aggregates = r.aggregates;
    r.spec.bucket_ns = pshi_rng_next(seed) % 2 ? PSH_DAY : 0;
    if (pshi_rng_next(seed) % 2)
        r.spec.time_from = TEST_T0 + (int64_t)(pshi_rng_next(seed) % (uint64_t)PSH_DAY);
    if (pshi_rng_next(seed) % 2)
        r.spec.time_to = TEST_T0 + PSH_DAY + (int64_t)(pshi_rng_next(seed) % (uint64_t)PSH_DAY);
    assert_ok(psh_query_create(env, s, &r.spec, &q, NULL));
    return q;
}

static void fill_row(psh_value row[6], uint64_t x, int64_t time) {
    test_flight(row, airports[x % 4], time, (int64_t)(x / 4 % 5), airports[x / 20 % 4], (int64_t)(x / 80 % 5),
                (int64_t)(x / 400 % 5));
    if (x / 2000 % 4 == 0)
        row[4] = test_null();
}

static int same_group(const psh_query_spec *d, const psh_value *a, const psh_value *b) {
    size_t i;

    for (i = 0; i < d->group_count; i++)
        if (psh_value_compare(&a[d->group_columns[i]], &b[d->group_columns[i]]) != 0)
            return 0;
    return 1;
}

/* A view answers a query only if rows of one group of the view are all asked for, or none of them. */
static void check_sound(const psh_query *d, const psh_query *q, int64_t time, uint64_t *seed) {
    psh_query_spec s;
    psh_value a[6], b[6];
    int i;

    s.struct_size = sizeof s;
    assert_ok(psh_query_describe(d, &s));
    for (i = 0; i < 300; i++) {
        fill_row(a, pshi_rng_next(seed) >> 8, time);
        fill_row(b, pshi_rng_next(seed) >> 8, time);
        if (psh_query_matches_row(q, a))
            assert_true(psh_query_matches_row(d, a));
        if (psh_query_matches_row(d, a) && psh_query_matches_row(d, b) && same_group(&s, a, b))
            assert_int_equal(psh_query_matches_row(q, a), psh_query_matches_row(q, b));
    }
}

static void test_yes_is_never_wrong(void **state) {
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = test_flights_schema(env);
    uint64_t seed = 7;
    int64_t from, to;
    int i, yes = 0;

    (void)state;
    for (i = 0; i < 20000; i++) {
        psh_query *d = random_aggregate(env, s, &seed);
        psh_query *q = random_aggregate(env, s, &seed);
        psh_query *wide = NULL;
        psh_query *view = d;

        if (i % 2) {
            assert_ok(psh_view_generalize(env, d, PSH_DAY, &wide, NULL));
            view = wide;
        }
        if (psh_view_match(view, q, &from, &to) == PSH_MATCH_YES && from < to) {
            yes++;
            check_sound(view, q, from == PSH_TIME_MIN ? to == PSH_TIME_MAX ? TEST_T0 : to - 1 : from, &seed);
        }
        psh_query_unref(wide);
        psh_query_unref(d);
        psh_query_unref(q);
    }
    assert_true(yes > 100);
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

static void test_generalized_always_matches(void **state) {
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = test_flights_schema(env);
    uint64_t seed = 11;
    int64_t from, to;
    int i;

    (void)state;
    for (i = 0; i < 5000; i++) {
        psh_query *q = random_aggregate(env, s, &seed);
        psh_query *d = NULL;
        psh_query_spec qs, ds;

        qs.struct_size = ds.struct_size = sizeof qs;
        assert_ok(psh_view_generalize(env, q, i % 2 ? PSH_HOUR : PSH_DAY, &d, NULL));
        assert_int_equal(psh_view_match(d, q, &from, &to), PSH_MATCH_YES);
        assert_ok(psh_query_describe(q, &qs));
        assert_ok(psh_query_describe(d, &ds));
        assert_true(from >= qs.time_from && to <= qs.time_to && from <= to);
        if (from < to && from != PSH_TIME_MIN)
            assert_int_equal(from % ds.bucket_ns, 0);
        if (from < to && from != PSH_TIME_MIN)
            assert_true(from - qs.time_from < ds.bucket_ns);
        if (from < to && to != PSH_TIME_MAX)
            assert_true(to % ds.bucket_ns == 0 && qs.time_to - to < ds.bucket_ns);
        psh_query_unref(d);
        psh_query_unref(q);
    }
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

static psh_predicate one(uint32_t op, const psh_value *v, size_t n) {
    psh_predicate p = { 2, op, v, n };

    return p;
}

static void test_implication(void **state) {
    psh_value v[3] = { test_int(1), test_int(2), test_int(3) };
    psh_predicate lt2 = one(PSH_OP_LT, &v[1], 1), le2 = one(PSH_OP_LE, &v[1], 1), ge2 = one(PSH_OP_GE, &v[1], 1);
    psh_predicate gt2 = one(PSH_OP_GT, &v[1], 1), eq2 = one(PSH_OP_EQ, &v[1], 1), ne2 = one(PSH_OP_NE, &v[1], 1);
    psh_predicate in12 = one(PSH_OP_IN, v, 2), in123 = one(PSH_OP_IN, v, 3), le3 = one(PSH_OP_LE, &v[2], 1);
    psh_predicate null = one(PSH_OP_IS_NULL, NULL, 0), some = one(PSH_OP_NOT_NULL, NULL, 0);

    (void)state;
    assert_true(pshi_predicate_implies(&lt2, &le2, 1));
    assert_false(pshi_predicate_implies(&le2, &lt2, 1));
    assert_true(pshi_predicate_implies(&lt2, &ne2, 1));
    assert_false(pshi_predicate_implies(&le2, &ne2, 1));
    assert_true(pshi_predicate_implies(&gt2, &ge2, 1));
    assert_true(pshi_predicate_implies(&gt2, &ne2, 1));
    assert_false(pshi_predicate_implies(&ge2, &gt2, 1));
    assert_false(pshi_predicate_implies(&ge2, &le3, 1));
    assert_true(pshi_predicate_implies(&in12, &in123, 1));
    assert_false(pshi_predicate_implies(&in123, &in12, 1));
    assert_true(pshi_predicate_implies(&in123, &le3, 1));
    assert_true(pshi_predicate_implies(&eq2, &ge2, 1));
    assert_false(pshi_predicate_implies(&eq2, &gt2, 1));
    assert_true(pshi_predicate_implies(&lt2, &some, 1));
    assert_false(pshi_predicate_implies(&null, &some, 1));
    assert_true(pshi_predicate_implies(&null, &null, 1));
    assert_false(pshi_predicate_implies(&ne2, &null, 1));
    assert_true(pshi_predicate_implies(&ne2, &ne2, 0));
    /* A collation of the host: equality of bytes, and nothing else. */
    assert_true(pshi_predicate_implies(&eq2, &in12, 0));
    assert_false(pshi_predicate_implies(&eq2, &ge2, 0));
    assert_false(pshi_predicate_implies(&lt2, &le3, 0));
}

static void test_bucket_cut(void **state) {
    int64_t from = -1, to = 25;

    (void)state;
    pshi_bucket_cut(&from, &to, 10, 3);
    assert_int_equal(from, 3);
    assert_int_equal(to, 23);
    from = 4;
    to = 12;
    pshi_bucket_cut(&from, &to, 10, 3);
    assert_int_equal(from, to);
    from = PSH_TIME_MIN;
    to = PSH_TIME_MAX;
    pshi_bucket_cut(&from, &to, PSH_DAY, 5);
    assert_true(from == PSH_TIME_MIN && to == PSH_TIME_MAX);
    assert_int_equal(pshi_bucket_floor(-1, 10, 0), -10);
    assert_int_equal(pshi_bucket_floor(PSH_TIME_MIN + 1, PSH_DAY, PSH_TIME_MAX), PSH_TIME_MIN);
    assert_int_equal(pshi_bucket_ceil(PSH_TIME_MAX - 1, PSH_DAY, 0), PSH_TIME_MAX);
}

typedef struct reason_case {
    psh_aggregate kept[2];
    size_t kept_count;
    psh_aggregate asked;
    uint32_t reason;
} reason_case;

static psh_query *with_aggregates(
    psh_env *env, psh_schema *s, const psh_aggregate *a, size_t n, int64_t bucket, uint64_t visibility) {
    psh_query_spec spec;
    psh_query *q = NULL;

    psh_query_spec_init(&spec, sizeof spec);
    spec.aggregates = a;
    spec.aggregate_count = n;
    spec.bucket_ns = bucket;
    spec.visibility = visibility;
    assert_ok(psh_query_create(env, s, &spec, &q, NULL));
    return q;
}

static void test_aggregates(void **state) {
    static const reason_case cases[] = {
        { { { PSH_AGG_SUM, 4 } }, 1, { PSH_AGG_COUNT, PSH_NONE }, PSH_MATCH_YES },
        { { { PSH_AGG_SUM, 4 } }, 1, { PSH_AGG_COUNT, 4 }, PSH_MATCH_AGGREGATE },
        { { { PSH_AGG_SUM, 4 } }, 1, { PSH_AGG_COUNT, 5 }, PSH_MATCH_AGGREGATE },
        { { { PSH_AGG_MIN, 5 } }, 1, { PSH_AGG_COUNT, 5 }, PSH_MATCH_YES },
        { { { PSH_AGG_SUM, 4 } }, 1, { PSH_AGG_AVG, 4 }, PSH_MATCH_AGGREGATE },
        { { { PSH_AGG_SUM, 5 } }, 1, { PSH_AGG_AVG, 5 }, PSH_MATCH_YES },
        { { { PSH_AGG_SUM, 4 }, { PSH_AGG_COUNT, 4 } }, 2, { PSH_AGG_AVG, 4 }, PSH_MATCH_YES },
        { { { PSH_AGG_AVG, 4 } }, 1, { PSH_AGG_SUM, 4 }, PSH_MATCH_YES },
        { { { PSH_AGG_AVG, 4 } }, 1, { PSH_AGG_COUNT, 4 }, PSH_MATCH_YES },
        { { { PSH_AGG_MIN, 4 } }, 1, { PSH_AGG_MIN, 4 }, PSH_MATCH_YES },
        { { { PSH_AGG_MIN, 4 } }, 1, { PSH_AGG_MAX, 4 }, PSH_MATCH_AGGREGATE },
        { { { PSH_AGG_MIN, 4 } }, 1, { PSH_AGG_MIN, 5 }, PSH_MATCH_AGGREGATE },
    };
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = test_flights_schema(env);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        psh_query *d = with_aggregates(env, s, cases[i].kept, cases[i].kept_count, PSH_HOUR, 0);
        psh_query *q = with_aggregates(env, s, &cases[i].asked, 1, 0, 0);

        assert_int_equal(psh_view_match(d, q, NULL, NULL), cases[i].reason);
        psh_query_unref(d);
        psh_query_unref(q);
    }
    psh_schema_unref(s);
    psh_env_destroy(env);
}

static void test_reasons(void **state) {
    static const psh_aggregate count = { PSH_AGG_COUNT, PSH_NONE };
    static const uint32_t columns[] = { 0 };
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = test_flights_schema(env);
    psh_query *d = with_aggregates(env, s, &count, 1, PSH_HOUR, 0);
    psh_query *whole = with_aggregates(env, s, &count, 1, 0, 0);
    psh_query *hidden = with_aggregates(env, s, &count, 1, PSH_HOUR, 5);
    psh_query *minute = with_aggregates(env, s, &count, 1, PSH_MINUTE, 0);
    psh_query *bounded = NULL;
    psh_query *detail = NULL;
    psh_query_spec spec;

    (void)state;
    psh_query_spec_init(&spec, sizeof spec);
    spec.columns = columns;
    spec.column_count = 1;
    assert_ok(psh_query_create(env, s, &spec, &detail, NULL));
    spec.columns = NULL;
    spec.column_count = 0;
    spec.aggregates = &count;
    spec.aggregate_count = 1;
    spec.time_from = TEST_T0;
    assert_ok(psh_query_create(env, s, &spec, &bounded, NULL));
    assert_int_equal(psh_view_match(d, hidden, NULL, NULL), PSH_MATCH_VISIBILITY);
    assert_int_equal(psh_view_match(hidden, whole, NULL, NULL), PSH_MATCH_VISIBILITY);
    assert_int_equal(psh_view_match(d, detail, NULL, NULL), PSH_MATCH_DETAIL);
    assert_int_equal(psh_view_match(d, minute, NULL, NULL), PSH_MATCH_BUCKET);
    assert_int_equal(psh_view_match(whole, d, NULL, NULL), PSH_MATCH_BUCKET);
    assert_int_equal(psh_view_match(whole, bounded, NULL, NULL), PSH_MATCH_BUCKET);
    assert_int_equal(psh_view_match(whole, whole, NULL, NULL), PSH_MATCH_YES);
    assert_int_equal(psh_view_match(d, whole, NULL, NULL), PSH_MATCH_YES);
    /* A definition that is itself cut off in time lacks rows. */
    assert_int_equal(psh_view_match(bounded, whole, NULL, NULL), PSH_MATCH_FILTER);
    assert_int_equal(psh_view_match(NULL, whole, NULL, NULL), PSH_MATCH_TABLE);
    psh_query_unref(d);
    psh_query_unref(whole);
    psh_query_unref(hidden);
    psh_query_unref(minute);
    psh_query_unref(bounded);
    psh_query_unref(detail);
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_implication),
        cmocka_unit_test(test_bucket_cut),
        cmocka_unit_test(test_aggregates),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_generalized_always_matches),
        cmocka_unit_test(test_yes_is_never_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
