/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/rng.h"
#include "match/answer.h"
#include "test.h"

#define COLUMNS 6
#define ROWS 400

/* 0 owner TEXT, 1 time, 2 n INT64, 3 x DOUBLE, 4 money DECIMAL(2), 5 word TEXT; 2..5 nullable. */
static psh_schema *mixed_schema(psh_env *env) {
    static const psh_column_spec columns[] = {
        { "owner", PSH_TYPE_TEXT, 0, 0, 0 },
        { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
        { "n", PSH_TYPE_INT64, 0, 0, PSH_COLUMN_NULLABLE },
        { "x", PSH_TYPE_DOUBLE, 0, 0, PSH_COLUMN_NULLABLE },
        { "money", PSH_TYPE_DECIMAL, 0, 2, PSH_COLUMN_NULLABLE },
        { "word", PSH_TYPE_TEXT, 0, 0, PSH_COLUMN_NULLABLE },
    };
    static const uint32_t key[] = { 0, 1 };
    psh_table_spec t;
    psh_schema *s = NULL;

    memset(&t, 0, sizeof t);
    t.name = "mixed";
    t.columns = columns;
    t.column_count = COLUMNS;
    t.column_stride = sizeof columns[0];
    t.key_columns = key;
    t.key_count = 2;
    t.tenant_column = 0;
    t.time_column = 1;
    t.interval_ns = PSH_DAY;
    return psh_schema_create(env, &t, 1, sizeof t, &s, NULL) == PSH_OK ? s : NULL;
}

static psh_value test_decimal(int64_t cents) {
    psh_value v = test_int(cents);

    v.type = PSH_TYPE_DECIMAL;
    v.size = 2;
    v.hi = cents < 0 ? -1 : 0;
    return v;
}

static void random_row(psh_value *row, uint64_t *seed) {
    static const char *const words[] = { "alpha", "be", "", "gamma-ray", "delta" };
    static const char *const owners[] = { "a", "b", "c" };
    uint64_t nulls = pshi_rng_next(seed);

    row[0] = test_text(owners[pshi_rng_next(seed) % 3]);
    row[1] = test_time(TEST_T0 + (int64_t)(pshi_rng_next(seed) % (uint64_t)(3 * PSH_DAY)));
    row[2] = nulls % 5 == 0 ? test_null() : test_int((int64_t)pshi_rng_next(seed) >> 20);
    row[3] = nulls % 7 == 0 ? test_null() : test_double((pshi_rng_unit(seed) - 0.5) * (nulls % 3 ? 1e17 : 1e-9));
    row[4] = nulls % 11 == 0 ? test_null() : test_decimal((int64_t)pshi_rng_next(seed) >> 3);
    row[5] = nulls % 13 == 0 ? test_null() : test_text(words[pshi_rng_next(seed) % 5]);
}

static const psh_aggregate all_aggregates[] = {
    { PSH_AGG_COUNT, PSH_NONE }, { PSH_AGG_COUNT, 2 }, { PSH_AGG_SUM, 2 }, { PSH_AGG_AVG, 2 }, { PSH_AGG_MIN, 2 },
    { PSH_AGG_MAX, 2 }, { PSH_AGG_SUM, 3 }, { PSH_AGG_AVG, 3 }, { PSH_AGG_MIN, 3 }, { PSH_AGG_SUM, 4 },
    { PSH_AGG_AVG, 4 }, { PSH_AGG_MAX, 4 }, { PSH_AGG_MIN, 5 }, { PSH_AGG_MAX, 5 }, { PSH_AGG_MAX, 1 },
};
#define ALL (sizeof all_aggregates / sizeof all_aggregates[0])

static psh_query *aggregate_query(psh_env *env, psh_schema *s, size_t groups, int64_t bucket, size_t aggregates) {
    static const uint32_t columns[] = { 0, 5 };
    psh_query_spec spec;
    psh_query *q = NULL;

    psh_query_spec_init(&spec, sizeof spec);
    spec.group_columns = columns;
    spec.group_count = groups;
    spec.aggregates = all_aggregates;
    spec.aggregate_count = aggregates;
    spec.bucket_ns = bucket;
    return psh_query_create(env, s, &spec, &q, NULL) == PSH_OK ? q : NULL;
}

/* The partial row of one raw row, by the words of the header. @return its width. */
static size_t by_hand(const psh_query *q, const psh_value *row, psh_value *out) {
    psh_query_spec s;
    size_t n = 0, i;

    s.struct_size = sizeof s;
    assert_ok(psh_query_describe(q, &s));
    if (s.bucket_ns)
        out[n++] = test_time(row[1].as.i64 - row[1].as.i64 % s.bucket_ns);
    for (i = 0; i < s.group_count; i++)
        out[n++] = row[s.group_columns[i]];
    for (i = 0; i < s.aggregate_count; i++) {
        uint32_t c = s.aggregates[i].column;

        if (s.aggregates[i].fn != PSH_AGG_COUNT)
            out[n++] = row[c];
        if (s.aggregates[i].fn == PSH_AGG_COUNT || s.aggregates[i].fn == PSH_AGG_AVG)
            out[n++] = test_int(c == PSH_NONE || row[c].type != PSH_TYPE_NULL);
    }
    return n;
}

static void assert_same_bytes(const psh_answer *a, const psh_answer *b, psh_env *env) {
    psh_buffer *x = NULL, *y = NULL;

    assert_ok(psh_buffer_create(env, &x));
    assert_ok(psh_buffer_create(env, &y));
    assert_ok(psh_answer_save(a, x));
    assert_ok(psh_answer_save(b, y));
    assert_int_equal(psh_buffer_size(x), psh_buffer_size(y));
    assert_memory_equal(psh_buffer_data(x), psh_buffer_data(y), psh_buffer_size(x));
    psh_buffer_destroy(x);
    psh_buffer_destroy(y);
}

static void shuffle(psh_value (*rows)[COLUMNS], size_t n, uint64_t *seed) {
    psh_value t[COLUMNS];
    size_t j;

    for (; n > 1; n--) {
        j = pshi_rng_next(seed) % n;
        memcpy(t, rows[j], sizeof t);
        memcpy(rows[j], rows[n - 1], sizeof t);
        memcpy(rows[n - 1], t, sizeof t);
    }
}

/* Any order, any split into legs, either shape: the same bytes. */
static void check_any_order(psh_env *env, psh_query *q, uint64_t *seed) {
    static psh_value rows[ROWS][COLUMNS];
    psh_value part[4 * ALL];
    psh_answer *a = NULL, *b = NULL;
    size_t i, n;

    for (i = 0; i < ROWS; i++)
        random_row(rows[i], seed);
    assert_ok(psh_answer_create(env, q, 0, &a));
    assert_ok(psh_answer_create(env, q, 0, &b));
    assert_ok(psh_answer_add_rows(a, rows[0], ROWS));
    assert_ok(psh_answer_finish(a));
    assert_true(psh_answer_row_count(a) > 0);
    shuffle(rows, ROWS, seed);
    for (i = 0; i < ROWS; i += n) {
        n = 1 + pshi_rng_next(seed) % 40;
        n = n > ROWS - i ? ROWS - i : n;
        if (pshi_rng_next(seed) % 2) {
            assert_ok(psh_answer_add_rows(b, rows[i], n));
            continue;
        }
        n = 1;
        assert_int_equal(by_hand(q, rows[i], part), psh_answer_partial_width(b));
        assert_ok(psh_answer_add_partial(b, part, 1));
    }
    assert_ok(psh_answer_finish(b));
    assert_same_bytes(a, b, env);
    psh_answer_destroy(a);
    psh_answer_destroy(b);
}

static void test_any_order(void **state) {
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = mixed_schema(env);
    uint64_t seed = 3;
    psh_query *q;
    int i;

    (void)state;
    for (i = 0; i < 12; i++) {
        q = aggregate_query(env, s, (size_t)i % 3, i % 2 ? PSH_HOUR * 12 : 0, i < 6 ? ALL : 3);
        check_any_order(env, q, &seed);
        psh_query_unref(q);
    }
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

static void test_values(void **state) {
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = mixed_schema(env);
    psh_query *q = aggregate_query(env, s, 0, 0, ALL);
    psh_answer *a = NULL;
    psh_value rows[3][COLUMNS];
    const psh_value *r;
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        rows[i][0] = test_text("a");
        rows[i][1] = test_time(TEST_T0 + (int64_t)i);
        rows[i][2] = i == 1 ? test_null() : test_int(i == 0 ? 7 : -2);
        rows[i][3] = test_double(i == 0 ? 1e100 : i == 1 ? 1.5 : -1e100);
        rows[i][4] = test_decimal(i == 2 ? -250 : 1000);
        rows[i][5] = test_text(i == 1 ? "zebra" : "ape");
    }
    assert_ok(psh_answer_create(env, q, 0, &a));
    assert_ok(psh_answer_finish(a));
    assert_int_equal(psh_answer_row_count(a), 1);
    r = psh_answer_row(a, 0);
    assert_true(r[0].type == PSH_TYPE_INT64 && r[0].as.i64 == 0 && r[1].as.i64 == 0);
    for (i = 2; i < ALL; i++)
        assert_int_equal(r[i].type, PSH_TYPE_NULL);
    assert_ok(psh_answer_reset(a, q));
    assert_ok(psh_answer_add_rows(a, rows[0], 3));
    assert_null(psh_answer_row(a, 0));
    assert_ok(psh_answer_finish(a));
    r = psh_answer_row(a, 0);
    assert_true(r[0].as.i64 == 3 && r[1].as.i64 == 2 && r[2].as.i64 == 5);
    assert_true(r[3].type == PSH_TYPE_DOUBLE && r[3].as.f64 == 2.5);
    assert_true(r[4].as.i64 == -2 && r[5].as.i64 == 7);
    assert_true(r[6].as.f64 == 1.5 && r[7].as.f64 == 0.5 && r[8].as.f64 == -1e100);
    assert_true(r[9].type == PSH_TYPE_DECIMAL && r[9].size == 2 && r[9].as.i64 == 1750);
    assert_true(r[10].as.f64 == 17.5 / 3);
    assert_int_equal(r[11].as.i64, 1000);
    assert_memory_equal(r[12].as.data, "ape", 3);
    assert_memory_equal(r[13].as.data, "zebra", 5);
    assert_true(r[14].type == PSH_TYPE_TIMESTAMP && r[14].as.i64 == TEST_T0 + 2);
    assert_null(psh_answer_row(a, 1));
    assert_int_equal(psh_answer_add_rows(a, rows[0], 1), PSH_E_STATE);
    psh_answer_destroy(a);
    psh_query_unref(q);
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

static psh_query *one_aggregate(psh_env *env, psh_schema *s, uint32_t fn, uint32_t column) {
    psh_aggregate a = { fn, column };
    psh_query_spec spec;
    psh_query *q = NULL;

    psh_query_spec_init(&spec, sizeof spec);
    spec.aggregates = &a;
    spec.aggregate_count = 1;
    assert_ok(psh_query_create(env, s, &spec, &q, NULL));
    return q;
}

static psh_status sum_of(psh_env *env, psh_query *q, const psh_value *v, size_t n, psh_value *out) {
    psh_answer *a = NULL;
    psh_status st;

    assert_ok(psh_answer_create(env, q, 0, &a));
    assert_ok(psh_answer_add_partial(a, v, n));
    st = psh_answer_finish(a);
    if (st == PSH_OK)
        *out = psh_answer_row(a, 0)[0];
    psh_answer_destroy(a);
    return st;
}

static void test_ranges(void **state) {
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = mixed_schema(env);
    psh_query *ints = one_aggregate(env, s, PSH_AGG_SUM, 2);
    psh_query *decimals = one_aggregate(env, s, PSH_AGG_SUM, 4);
    psh_query *doubles = one_aggregate(env, s, PSH_AGG_SUM, 3);
    psh_query *mean = one_aggregate(env, s, PSH_AGG_AVG, 3);
    psh_value i[3] = { test_int(INT64_MAX), test_int(1), test_int(-1) };
    psh_value d[3] = { test_decimal(-1), test_decimal(1), test_decimal(-1) };
    psh_value x[3] = { test_double(1.7e308), test_double(1.7e308), test_double(-1.7e308) };
    psh_value avg[4] = { test_double(1), test_int(2), test_double(0x1p-60), test_int(0) };
    psh_value out;

    (void)state;
    d[0].hi = INT64_MAX; /* the largest decimal */
    assert_int_equal(sum_of(env, ints, i, 2, &out), PSH_E_RANGE);
    assert_ok(sum_of(env, ints, i, 3, &out));
    assert_int_equal(out.as.i64, INT64_MAX);
    assert_int_equal(sum_of(env, decimals, d, 2, &out), PSH_E_RANGE);
    assert_ok(sum_of(env, decimals, d, 3, &out));
    assert_true(out.hi == INT64_MAX && out.as.i64 == -1);
    assert_int_equal(sum_of(env, doubles, x, 2, &out), PSH_E_RANGE);
    assert_ok(sum_of(env, doubles, x, 3, &out));
    assert_true(out.as.f64 == 1.7e308);
    /* One sum in two parts; the second one counts no row. */
    assert_ok(sum_of(env, mean, avg, 2, &out));
    assert_true(out.as.f64 == 0.5);
    avg[0] = test_double(0);
    avg[1] = test_int(0);
    avg[3] = test_int(1);
    assert_ok(sum_of(env, mean, avg, 2, &out));
    assert_true(out.as.f64 == 0x1p-60);
    psh_query_unref(ints);
    psh_query_unref(decimals);
    psh_query_unref(doubles);
    psh_query_unref(mean);
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

static void test_bad_rows(void **state) {
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = mixed_schema(env);
    psh_query *q = aggregate_query(env, s, 1, PSH_HOUR, 4);
    psh_value good[8], bad[8], raw[COLUMNS];
    psh_answer *a = NULL;
    uint64_t seed = 5;

    (void)state;
    assert_ok(psh_answer_create(env, q, 0, &a));
    random_row(raw, &seed);
    assert_int_equal(by_hand(q, raw, good), 7);
#define REFUSED(i, value) \
    memcpy(bad, good, sizeof bad); \
    bad[i] = (value); \
    assert_int_equal(psh_answer_add_partial(a, bad, 1), PSH_E_INVALID)
    REFUSED(0, test_null());
    REFUSED(0, test_time(TEST_T0 + 1));
    REFUSED(1, test_int(1));
    REFUSED(2, test_int(-1));
    REFUSED(2, test_null());
    REFUSED(4, test_double(1));
    memcpy(bad, good, sizeof bad);
    bad[5] = test_null();
    bad[6] = test_int(1);
    assert_int_equal(psh_answer_add_partial(a, bad, 1), PSH_E_INVALID);
    raw[1] = test_null();
    assert_int_equal(psh_answer_add_rows(a, raw, 1), PSH_E_INVALID);
    assert_int_equal(psh_answer_add_rows(a, NULL, 1), PSH_E_INVALID);
    assert_int_equal(psh_answer_add_rows(NULL, raw, 1), PSH_E_INVALID);
    assert_ok(psh_answer_add_rows(a, NULL, 0));
    assert_ok(psh_answer_finish(a));
    assert_int_equal(psh_answer_row_count(a), 0);
    psh_answer_destroy(a);
    psh_query_unref(q);
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

static void test_detail(void **state) {
    static const uint32_t columns[] = { 5, 2 };
    psh_order by_n = { 1, 1 };
    psh_value two = test_int(2);
    psh_predicate p = { 2, PSH_OP_GE, &two, 1 };
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = mixed_schema(env);
    psh_answer *a = NULL;
    psh_buffer *text = NULL;
    psh_query *q = NULL;
    psh_query_spec spec;
    psh_value row[COLUMNS];
    uint64_t seed = 1;
    int i;

    (void)state;
    psh_query_spec_init(&spec, sizeof spec);
    spec.columns = columns;
    spec.column_count = 2;
    spec.predicates = &p;
    spec.predicate_count = 1;
    spec.order = &by_n;
    spec.order_count = 1;
    spec.limit = 3;
    assert_ok(psh_query_create(env, s, &spec, &q, NULL));
    assert_ok(psh_answer_create(env, q, 0, &a));
    assert_int_equal(psh_answer_partial_width(a), 2);
    for (i = 0; i < 6; i++) {
        random_row(row, &seed);
        row[2] = test_int(i / 2 * 2);
        row[5] = test_text(i % 2 ? "a" : "b");
        assert_ok(psh_answer_add_rows(a, row, 1));
    }
    assert_ok(psh_answer_finish(a));
    assert_ok(psh_buffer_create(env, &text));
    assert_ok(psh_answer_dump(a, text));
    assert_string_equal(psh_buffer_data(text), "'a'\t4\n'b'\t4\n'a'\t2\n");
    psh_buffer_destroy(text);
    psh_answer_destroy(a);
    psh_query_unref(q);
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

/* Rows (n, x) whose n repeat, given in no order: the answer under any limit is how the whole one begins. */
static void test_first_rows(void **state) {
    static const uint32_t columns[] = { 2, 3 };
    static const uint64_t limits[] = { 0, 1, 2, 3, 20, 199, 200, 399, 400, 500 };
    psh_order by_n = { 0, 1 };
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = mixed_schema(env);
    psh_answer *a = NULL;
    psh_query *q;
    psh_query_spec spec;
    psh_value row[2], all[ROWS][2];
    size_t i, k, n;

    (void)state;
    psh_query_spec_init(&spec, sizeof spec);
    spec.columns = columns;
    spec.column_count = 2;
    spec.order = &by_n;
    spec.order_count = 1;
    for (k = 0; k < sizeof limits / sizeof limits[0]; k++) {
        spec.limit = limits[k];
        assert_ok(psh_query_create(env, s, &spec, &q, NULL));
        assert_ok(a ? psh_answer_reset(a, q) : psh_answer_create(env, q, 0, &a));
        for (i = 0; i < ROWS; i++) {
            row[0] = test_int((int64_t)(i * 7919 % ROWS / 10));
            row[1] = test_double((double)(i * 7919 % ROWS % 10));
            assert_ok(psh_answer_add_partial(a, row, 1));
        }
        assert_ok(psh_answer_finish(a));
        n = limits[k] && limits[k] < ROWS ? (size_t)limits[k] : ROWS;
        assert_int_equal(psh_answer_row_count(a), n);
        for (i = 0; i < n; i++) {
            if (k == 0)
                memcpy(all[i], psh_answer_row(a, i), sizeof all[i]);
            assert_int_equal(psh_answer_row(a, i)[0].as.i64, all[i][0].as.i64);
            assert_true(psh_value_compare(&psh_answer_row(a, i)[1], &all[i][1]) == 0);
            assert_int_equal(all[i][0].as.i64, ROWS / 10 - 1 - (int64_t)i / 10);
        }
        psh_query_unref(q);
    }
    psh_answer_destroy(a);
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

/* An add that meets the limit leaves everything as it was; later rows still find their groups. */
static void test_limit(void **state) {
    static psh_value rows[ROWS][COLUMNS];
    static char names[ROWS][80];
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = mixed_schema(env);
    psh_query *q = aggregate_query(env, s, 2, 0, 5);
    psh_answer *a = NULL, *b = NULL;
    uint64_t seed = 9;
    size_t i;

    (void)state;
    for (i = 0; i < ROWS; i++) {
        random_row(rows[i], &seed);
        memset(names[i], 'a' + (int)(i % 26), sizeof names[i] - 1);
        memcpy(names[i], &i, 2);
        rows[i][5].type = PSH_TYPE_TEXT;
        rows[i][5].size = sizeof names[i];
        rows[i][5].as.data = names[i];
    }
    assert_ok(psh_answer_create(env, q, 60000, &a));
    assert_ok(psh_answer_create(env, q, 0, &b));
    assert_ok(psh_answer_add_rows(a, rows[0], 50));
    assert_int_equal(psh_answer_add_rows(a, rows[0], ROWS), PSH_E_LIMIT);
    assert_ok(psh_answer_add_rows(a, rows[10], 40));
    assert_ok(psh_answer_finish(a));
    assert_ok(psh_answer_add_rows(b, rows[10], 40));
    assert_ok(psh_answer_add_rows(b, rows[0], 50));
    assert_ok(psh_answer_finish(b));
    assert_same_bytes(a, b, env);
    psh_answer_destroy(a);
    psh_answer_destroy(b);
    psh_query_unref(q);
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

static void test_steady_state(void **state) {
    static psh_value rows[ROWS][COLUMNS];
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = mixed_schema(env);
    psh_query *q[2] = { aggregate_query(env, s, 2, PSH_HOUR, ALL), aggregate_query(env, s, 1, 0, 5) };
    psh_answer *a = NULL;
    uint64_t seed = 4, calls = 0;
    size_t i;

    (void)state;
    for (i = 0; i < ROWS; i++)
        random_row(rows[i], &seed);
    assert_ok(psh_answer_create(env, q[0], 0, &a));
    assert_ptr_equal(pshi_answer_query(a), q[0]);
    for (i = 0; i < 8; i++) {
        assert_ok(psh_answer_reset(a, q[i % 2]));
        assert_ok(psh_answer_add_rows(a, rows[0], ROWS));
        assert_ok(psh_answer_finish(a));
        if (i == 1)
            calls = al.calls;
    }
    assert_int_equal(al.calls, calls);
    psh_answer_destroy(a);
    psh_query_unref(q[0]);
    psh_query_unref(q[1]);
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

static psh_status answer_once(psh_env *env, void *user) {
    static psh_value rows[30][COLUMNS];
    psh_schema *s = mixed_schema(env);
    psh_query *q = s ? aggregate_query(env, s, 2, PSH_HOUR, ALL) : NULL;
    psh_answer *a = NULL;
    psh_buffer *b = NULL;
    psh_status st = q ? psh_answer_create(env, q, 0, &a) : PSH_E_NOMEM;
    uint64_t seed = 2;
    int i;

    (void)user;
    for (i = 0; i < 30; i++)
        random_row(rows[i], &seed);
    for (i = 0; st == PSH_OK && i < 3; i++)
        st = psh_answer_add_rows(a, rows[i * 10], 10);
    if (st == PSH_OK)
        st = psh_answer_add_rows(a, rows[0], 30);
    if (st == PSH_OK)
        st = psh_answer_finish(a);
    if (st == PSH_OK)
        st = psh_buffer_create(env, &b);
    if (st == PSH_OK)
        st = psh_answer_save(a, b);
    psh_buffer_destroy(b);
    psh_answer_destroy(a);
    psh_query_unref(q);
    psh_schema_unref(s);
    return st;
}

static void test_no_memory(void **state) {
    (void)state;
    test_every_allocation(answer_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_any_order), cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_bad_rows), cmocka_unit_test(test_detail), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_first_rows),
        cmocka_unit_test(test_steady_state), cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
