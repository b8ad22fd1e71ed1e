/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/rng.h"
#include "value/query.h"

typedef struct bench {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    psh_query_spec spec;
} bench;

static const uint32_t all_columns[] = { 0, 1, 2, 3, 4, 5 };
static const psh_aggregate aggregates[] = { { PSH_AGG_COUNT, PSH_NONE }, { PSH_AGG_AVG, 4 }, { PSH_AGG_SUM, 5 } };
static const psh_aggregate turned[] = { { PSH_AGG_SUM, 5 }, { PSH_AGG_COUNT, PSH_NONE }, { PSH_AGG_AVG, 4 } };
static const uint32_t groups[] = { 0, 3 }, groups_turned[] = { 3, 0 };

static void setup(bench *b) {
    b->env = test_env(&b->alloc);
    b->schema = test_flights_schema(b->env);
    psh_query_spec_init(&b->spec, sizeof b->spec);
}

static void teardown(bench *b) {
    psh_schema_unref(b->schema);
    psh_env_destroy(b->env);
    assert_int_equal(b->alloc.live, 0);
}

static void ask_detail(bench *b, const psh_predicate *p, size_t n) {
    b->spec.predicates = p;
    b->spec.predicate_count = n;
    b->spec.columns = all_columns;
    b->spec.column_count = 6;
}

static void ask_aggregate(bench *b, int turn) {
    b->spec.group_columns = turn ? groups_turned : groups;
    b->spec.group_count = 2;
    b->spec.aggregates = turn ? turned : aggregates;
    b->spec.aggregate_count = 3;
}

static psh_query *create(bench *b) {
    psh_query *q = NULL;

    assert_ok(psh_query_create(b->env, b->schema, &b->spec, &q, NULL));
    return q;
}

static psh_predicate pred(uint32_t column, uint32_t op, const psh_value *v, size_t n) {
    psh_predicate p = { column, op, v, n };

    return p;
}

static void predicates_become_canonical(void **state) {
    psh_value in[] = { test_text("ORD"), test_text("ATL"), test_text("ORD"), test_text("JFK") };
    psh_value one[] = { test_text("ATL"), test_text("ATL") };
    psh_value two = test_int(2), five = test_int(5), nine = test_int(9);
    psh_predicate p[9];
    const psh_query_spec *s;
    psh_query *q;
    bench b;

    (void)state;
    setup(&b);
    p[0] = pred(4, PSH_OP_LT, &nine, 1);
    p[1] = pred(3, PSH_OP_IN, one, 2);
    p[2] = pred(4, PSH_OP_GE, &two, 1);
    p[3] = pred(0, PSH_OP_IN, in, 4);
    p[4] = pred(4, PSH_OP_GT, &two, 1);
    p[5] = pred(4, PSH_OP_LE, &nine, 1);
    p[6] = pred(5, PSH_OP_NE, &five, 1);
    p[7] = pred(5, PSH_OP_NE, &five, 1);
    p[8] = pred(4, PSH_OP_NOT_NULL, NULL, 0);
    ask_detail(&b, p, 9);
    q = create(&b);
    s = pshi_query_spec(q);
    assert_int_equal(s->predicate_count, 6);
    assert_int_equal(s->predicates[0].op, PSH_OP_IN);
    assert_int_equal(s->predicates[0].value_count, 3);
    assert_memory_equal(s->predicates[0].values[0].as.data, "ATL", 3);
    assert_memory_equal(s->predicates[0].values[2].as.data, "ORD", 3);
    assert_int_equal(s->predicates[1].op, PSH_OP_EQ);
    assert_int_equal(s->predicates[2].op, PSH_OP_LT);
    assert_int_equal(s->predicates[3].op, PSH_OP_GT);
    assert_int_equal(s->predicates[3].values[0].as.i64, 2);
    assert_int_equal(s->predicates[4].op, PSH_OP_NOT_NULL);
    assert_int_equal(s->predicates[5].op, PSH_OP_NE);
    psh_query_unref(q);
    teardown(&b);
}

static void sets_intersect(void **state) {
    psh_value low[] = { test_int(1), test_int(2), test_int(3) }, high[] = { test_int(3), test_int(4) };
    psh_value far = test_int(7);
    psh_predicate p[2];
    psh_query *q;
    bench b;

    (void)state;
    setup(&b);
    p[0] = pred(2, PSH_OP_IN, low, 3);
    p[1] = pred(2, PSH_OP_IN, high, 2);
    ask_detail(&b, p, 2);
    q = create(&b);
    assert_int_equal(pshi_query_spec(q)->predicate_count, 1);
    assert_int_equal(pshi_query_spec(q)->predicates[0].op, PSH_OP_EQ);
    assert_int_equal(pshi_query_spec(q)->predicates[0].values[0].as.i64, 3);
    psh_query_unref(q);
    p[1] = pred(2, PSH_OP_EQ, &far, 1);
    q = create(&b);
    assert_int_equal(pshi_query_spec(q)->predicate_count, 2);
    psh_query_unref(q);
    teardown(&b);
}

/* Any predicates: the canonical form must let through the same rows, and be its own canonical form. */
static void one_random_query(bench *b, uint64_t *rng) {
    psh_value v[6][3], row[6];
    psh_predicate p[6];
    psh_query *q, *again;
    size_t n = 1 + pshi_rng_next(rng) % 6, i, j;
    int want;

    for (i = 0; i < n; i++) {
        for (j = 0; j < 3; j++)
            v[i][j] = test_int((int64_t)(pshi_rng_next(rng) % 6));
        p[i] = pred(pshi_rng_next(rng) % 2 ? 4 : 5, 1 + (uint32_t)(pshi_rng_next(rng) % 9), v[i], 1);
        p[i].value_count = p[i].op == PSH_OP_IN ? 1 + pshi_rng_next(rng) % 3 : p[i].op > PSH_OP_IN ? 0 : 1;
    }
    ask_detail(b, p, n);
    q = create(b);
    assert_ok(psh_query_create(b->env, b->schema, pshi_query_spec(q), &again, NULL));
    assert_int_equal(psh_query_id(q), psh_query_id(again));
    for (i = 0; i < 49; i++) {
        test_flight(row, "ATL", TEST_T0, 1, "ORD", (int64_t)(i % 7) - 1, (int64_t)(i / 7));
        if (i % 7 == 0)
            row[4] = test_null();
        for (want = 1, j = 0; j < n; j++) {
            psh_value *list = v[j];
            psh_predicate single = p[j];
            size_t k;
            int holds = 0;

            single.op = p[j].op == PSH_OP_IN ? PSH_OP_EQ : p[j].op;
            for (k = 0; k < (p[j].value_count ? p[j].value_count : 1); k++) {
                single.values = &list[k];
                holds |= pshi_predicate_holds(&single, &row[p[j].column]);
            }
            want &= holds;
        }
        assert_int_equal(psh_query_matches_row(q, row), want);
    }
    psh_query_unref(q);
    psh_query_unref(again);
}

static void canonical_form_keeps_the_rows(void **state) {
    uint64_t rng = 7;
    bench b;
    int i;

    (void)state;
    setup(&b);
    for (i = 0; i < 3000; i++)
        one_random_query(&b, &rng);
    teardown(&b);
}

static void nulls_and_times_match_as_in_sql(void **state) {
    psh_value five = test_int(5), row[6];
    psh_predicate p = pred(4, PSH_OP_NE, &five, 1);
    psh_query *q;
    bench b;

    (void)state;
    setup(&b);
    ask_detail(&b, &p, 1);
    b.spec.time_from = TEST_T0;
    b.spec.time_to = TEST_T0 + 10;
    q = create(&b);
    test_flight(row, "ATL", TEST_T0, 1, "ORD", 6, 600);
    assert_int_equal(psh_query_matches_row(q, row), 1);
    row[1] = test_time(TEST_T0 - 1);
    assert_int_equal(psh_query_matches_row(q, row), 0);
    row[1] = test_time(TEST_T0 + 10);
    assert_int_equal(psh_query_matches_row(q, row), 0);
    row[1] = test_time(TEST_T0 + 9);
    row[4] = test_null();
    assert_int_equal(psh_query_matches_row(q, row), 0);
    psh_query_unref(q);
    teardown(&b);
}

static void expect(bench *b, psh_status want, const char *field) {
    psh_error err = { sizeof err, 0, 0, "", "" };
    psh_query *q;

    assert_int_equal(psh_query_create(b->env, b->schema, &b->spec, &q, &err), want);
    assert_null(q);
    assert_string_equal(err.field, field);
}

static void expect_predicate(bench *b, psh_predicate p) {
    ask_detail(b, &p, 1);
    expect(b, PSH_E_INVALID, "predicates[0]");
}

static void bad_predicates_are_named(void **state) {
    psh_value i = test_int(1), t = test_time(1), null = test_null(), x = test_text("x");
    bench b;

    (void)state;
    setup(&b);
    expect_predicate(&b, pred(6, PSH_OP_EQ, &i, 1));
    expect_predicate(&b, pred(1, PSH_OP_EQ, &t, 1));
    expect_predicate(&b, pred(2, 0, &i, 1));
    expect_predicate(&b, pred(2, 10, &i, 1));
    expect_predicate(&b, pred(2, PSH_OP_EQ, &i, 0));
    expect_predicate(&b, pred(2, PSH_OP_EQ, NULL, 1));
    expect_predicate(&b, pred(2, PSH_OP_IN, &i, 0));
    expect_predicate(&b, pred(2, PSH_OP_IS_NULL, &i, 1));
    expect_predicate(&b, pred(2, PSH_OP_EQ, &x, 1));
    expect_predicate(&b, pred(4, PSH_OP_EQ, &null, 1));
    teardown(&b);
}

static void bad_specs_are_named(void **state) {
    static const uint32_t twice[] = { 0, 0 }, time[] = { 1 };
    static const psh_aggregate sum_text = { PSH_AGG_SUM, 0 }, none = { PSH_AGG_MIN, PSH_NONE };
    static const psh_order far = { 6, 0 };
    static const psh_label empty = { "", "x" };
    bench b;

    (void)state;
    setup(&b);
    expect(&b, PSH_E_INVALID, "columns");
    ask_detail(&b, NULL, 0);
    b.spec.flags = 1;
    expect(&b, PSH_E_UNSUPPORTED, "flags");
    b.spec.flags = 0;
    b.spec.table = 1;
    expect(&b, PSH_E_INVALID, "table");
    b.spec.table = 0;
    b.spec.time_to = 0;
    b.spec.time_from = 1;
    expect(&b, PSH_E_INVALID, "time_to");
    b.spec.time_to = PSH_TIME_MAX;
    b.spec.bucket_ns = 1;
    expect(&b, PSH_E_INVALID, "columns");
    b.spec.bucket_ns = 0;
    b.spec.order = &far;
    b.spec.order_count = 1;
    expect(&b, PSH_E_INVALID, "order[0]");
    b.spec.order_count = 0;
    b.spec.labels = &empty;
    b.spec.label_count = 1;
    expect(&b, PSH_E_INVALID, "labels[0]");
    b.spec.label_count = 0;
    b.spec.column_count = 0;
    b.spec.group_columns = twice;
    b.spec.group_count = 2;
    expect(&b, PSH_E_INVALID, "group_columns[1]");
    b.spec.group_columns = time;
    b.spec.group_count = 1;
    expect(&b, PSH_E_INVALID, "group_columns[0]");
    b.spec.group_count = 0;
    b.spec.aggregates = &sum_text;
    b.spec.aggregate_count = 1;
    expect(&b, PSH_E_INVALID, "aggregates[0]");
    b.spec.aggregates = &none;
    expect(&b, PSH_E_INVALID, "aggregates[0]");
    teardown(&b);
}

static psh_schema *foreign_schema(psh_env *env) {
    static const psh_column_spec columns[] = { { "t", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
                                               { "name", PSH_TYPE_TEXT, 1, 0, 0 } };
    static const uint32_t key[] = { 0 };
    psh_table_spec t = { "t", columns, 2, sizeof columns[0], key, 1, PSH_NONE, 0, PSH_DAY, 0 };
    psh_schema *s;

    assert_ok(psh_schema_create(env, &t, 1, sizeof t, &s, NULL));
    return s;
}

static void other_collations_only_test_equality(void **state) {
    static const uint32_t columns[] = { 1 };
    static const psh_order order = { 0, 0 };
    static const psh_aggregate min = { PSH_AGG_MIN, 1 };
    psh_value x = test_text("x");
    psh_predicate p = pred(1, PSH_OP_LT, &x, 1);
    psh_query *q;
    bench b;

    (void)state;
    setup(&b);
    psh_schema_unref(b.schema);
    b.schema = foreign_schema(b.env);
    ask_detail(&b, &p, 1);
    b.spec.columns = columns;
    b.spec.column_count = 1;
    expect(&b, PSH_E_UNSUPPORTED, "predicates[0]");
    p.op = PSH_OP_NE;
    q = create(&b);
    psh_query_unref(q);
    b.spec.order = &order;
    b.spec.order_count = 1;
    expect(&b, PSH_E_UNSUPPORTED, "order[0]");
    b.spec.order_count = 0;
    b.spec.column_count = 0;
    b.spec.aggregates = &min;
    b.spec.aggregate_count = 1;
    expect(&b, PSH_E_UNSUPPORTED, "aggregates[0]");
    teardown(&b);
}

static uint64_t template_of(bench *b) {
    psh_query *q = create(b);
    uint64_t id = psh_query_fingerprint(q);

    psh_query_unref(q);
    return id;
}

static uint64_t id_of(bench *b) {
    psh_query *q = create(b);
    uint64_t id = psh_query_id(q);

    psh_query_unref(q);
    return id;
}

static void fingerprints_forget_constants_and_order(void **state) {
    static const psh_order by_count = { 2, 1 }, by_count_turned = { 3, 1 };
    static const psh_label label = { "desk", "ops" };
    psh_value atl[] = { test_text("ATL"), test_text("BOS"), test_text("JFK") }, two = test_int(2);
    psh_predicate p[] = { pred(0, PSH_OP_IN, atl, 2), pred(4, PSH_OP_GT, &two, 1) };
    psh_predicate r[] = { pred(4, PSH_OP_GT, &two, 1), pred(0, PSH_OP_IN, atl, 3) };
    uint64_t fingerprint, id;
    bench b;

    (void)state;
    setup(&b);
    ask_aggregate(&b, 0);
    b.spec.predicates = p;
    b.spec.predicate_count = 2;
    b.spec.order = &by_count;
    b.spec.order_count = 1;
    fingerprint = template_of(&b);
    id = id_of(&b);
    b.spec.max_staleness_ns = 5;
    b.spec.labels = &label;
    b.spec.label_count = 1;
    assert_int_equal(template_of(&b), fingerprint);
    assert_int_equal(id_of(&b), id);
    b.spec.limit = 3;
    b.spec.time_from = 0;
    assert_int_equal(template_of(&b), fingerprint);
    assert_int_not_equal(id_of(&b), id);
    b.spec.predicates = r;
    ask_aggregate(&b, 1);
    b.spec.order = &by_count_turned;
    assert_int_equal(template_of(&b), fingerprint);
    b.spec.visibility = 1;
    assert_int_not_equal(template_of(&b), fingerprint);
    b.spec.visibility = 0;
    b.spec.bucket_ns = PSH_HOUR;
    assert_int_not_equal(template_of(&b), fingerprint);
    teardown(&b);
}

static void expect_output(const psh_query *q, size_t i, uint32_t kind, uint32_t index, uint32_t type) {
    psh_output o;

    assert_ok(psh_query_output(q, i, &o));
    assert_int_equal(o.kind, kind);
    assert_int_equal(o.index, index);
    assert_int_equal(o.type, type);
}

static void outputs_are_bucket_groups_aggregates(void **state) {
    psh_output o;
    psh_query *q;
    bench b;

    (void)state;
    setup(&b);
    ask_aggregate(&b, 0);
    b.spec.bucket_ns = PSH_HOUR;
    q = create(&b);
    assert_int_equal(psh_query_output_count(q), 6);
    expect_output(q, 0, PSH_OUTPUT_BUCKET, 0, PSH_TYPE_TIMESTAMP);
    expect_output(q, 2, PSH_OUTPUT_GROUP, 1, PSH_TYPE_TEXT);
    expect_output(q, 3, PSH_OUTPUT_AGGREGATE, 0, PSH_TYPE_INT64);
    expect_output(q, 4, PSH_OUTPUT_AGGREGATE, 1, PSH_TYPE_DOUBLE);
    expect_output(q, 5, PSH_OUTPUT_AGGREGATE, 2, PSH_TYPE_INT64);
    assert_int_equal(psh_query_output(q, 6, &o), PSH_E_NOT_FOUND);
    psh_query_unref(q);
    teardown(&b);
}

static void fill_rich(bench *b, psh_predicate p[2], psh_value v[3]) {
    static const psh_order order[] = { { 3, 1 }, { 0, 0 }, { 3, 0 } };
    static const psh_label label = { "desk", "100%s" };

    v[0] = test_text("ATL");
    v[1] = test_text("it's");
    v[2] = test_int(-5);
    p[0] = pred(0, PSH_OP_IN, v, 2);
    p[1] = pred(4, PSH_OP_GE, &v[2], 1);
    ask_aggregate(b, 0);
    b->spec.predicates = p;
    b->spec.predicate_count = 2;
    b->spec.bucket_ns = PSH_HOUR;
    b->spec.order = order;
    b->spec.order_count = 3;
    b->spec.order_stride = sizeof order[0];
    b->spec.labels = &label;
    b->spec.label_count = 1;
    b->spec.time_from = TEST_T0;
    b->spec.limit = 10;
    b->spec.max_staleness_ns = PSH_MINUTE;
    b->spec.visibility = 77;
}

static void check_flips(bench *b, const psh_buffer *blob) {
    unsigned char copy[512];
    size_t size = psh_buffer_size(blob), i;
    psh_query *q;

    assert_true(size <= sizeof copy);
    memcpy(copy, psh_buffer_data(blob), size);
    for (i = 0; i < size; i++) {
        copy[i] ^= 0x55;
        assert_int_not_equal(psh_query_load(b->env, b->schema, copy, size, 0, &q, NULL), PSH_OK);
        assert_null(q);
        copy[i] ^= 0x55;
    }
}

static void saves_and_loads(void **state) {
    psh_predicate p[2];
    psh_value v[3];
    psh_query *q, *again;
    psh_buffer *x, *y;
    bench b;

    (void)state;
    setup(&b);
    fill_rich(&b, p, v);
    q = create(&b);
    assert_ok(psh_buffer_create(b.env, &x));
    assert_ok(psh_buffer_create(b.env, &y));
    assert_ok(psh_query_save(q, x));
    assert_ok(psh_query_load(b.env, b.schema, psh_buffer_data(x), psh_buffer_size(x), 0, &again, NULL));
    assert_int_equal(psh_query_id(q), psh_query_id(again));
    assert_int_equal(psh_query_fingerprint(q), psh_query_fingerprint(again));
    assert_ok(psh_query_save(again, y));
    assert_int_equal(psh_buffer_size(x), psh_buffer_size(y));
    assert_memory_equal(psh_buffer_data(x), psh_buffer_data(y), psh_buffer_size(x));
    psh_query_unref(again);
    assert_int_equal(
        psh_query_load(b.env, b.schema, psh_buffer_data(x), psh_buffer_size(x), 300, &again, NULL), PSH_E_LIMIT);
    check_flips(&b, x);
    psh_buffer_destroy(x);
    psh_buffer_destroy(y);
    psh_query_unref(q);
    teardown(&b);
}

/* The body alone has no CRC: whatever its bytes, reading ends in a status and leaves nothing behind. */
static void any_body_is_survived(void **state) {
    unsigned char copy[512];
    psh_predicate p[2];
    psh_value v[3];
    psh_query *q, *got;
    psh_buffer *x;
    pshi_writer w;
    size_t size, i;
    int bit;
    bench b;

    (void)state;
    setup(&b);
    fill_rich(&b, p, v);
    q = create(&b);
    assert_ok(psh_buffer_create(b.env, &x));
    w = pshi_write(x);
    pshi_query_put(&w, q);
    assert_ok(pshi_write_end(&w));
    size = psh_buffer_size(x);
    assert_true(size <= sizeof copy);
    memcpy(copy, psh_buffer_data(x), size);
    for (i = 0; i < size; i++)
        for (bit = 0; bit < 8; bit++) {
            pshi_cursor c = pshi_read(copy, size);

            copy[i] ^= (unsigned char)(1 << bit);
            if (pshi_query_get(b.env, b.schema, &c, &got) != PSH_OK)
                assert_null(got);
            psh_query_unref(got);
            copy[i] ^= (unsigned char)(1 << bit);
        }
    psh_buffer_destroy(x);
    psh_query_unref(q);
    teardown(&b);
}

static void dumps_like_sql(void **state) {
    psh_predicate p[2];
    psh_value v[3];
    psh_query *q;
    psh_buffer *x;
    bench b;

    (void)state;
    setup(&b);
    fill_rich(&b, p, v);
    q = create(&b);
    assert_ok(psh_buffer_create(b.env, &x));
    assert_ok(psh_query_dump(q, x));
    assert_string_equal(
        psh_buffer_data(x),
        "select bucket(1h), origin, destination, count(*), avg(delay), sum(distance) from flights "
        "where origin in ('ATL', 'it''s') and delay >= -5 and time >= 2001-01-01T00:00:00Z "
        "group by bucket(1h), origin, destination "
        "order by count(*) desc, bucket(1h) limit 10 staleness 1m "
        "visibility 000000000000004d labels desk=100%s\n");
    psh_buffer_destroy(x);
    psh_query_unref(q);
    teardown(&b);
}

static psh_status use(psh_env *env, void *user) {
    psh_query *q = NULL, *again = NULL;
    psh_buffer *x = NULL;
    psh_predicate p[2];
    psh_value v[3];
    psh_status st;
    bench b;

    psh_query_spec_init(&b.spec, sizeof b.spec);
    fill_rich(&b, p, v);
    if ((st = psh_query_create(env, user, &b.spec, &q, NULL)) == PSH_OK &&
        (st = psh_buffer_create(env, &x)) == PSH_OK && (st = psh_query_save(q, x)) == PSH_OK)
        st = psh_query_load(env, user, psh_buffer_data(x), psh_buffer_size(x), 0, &again, NULL);
    psh_query_unref(again);
    psh_buffer_destroy(x);
    psh_query_unref(q);
    return st;
}

static void survives_no_memory(void **state) {
    bench b;

    (void)state;
    setup(&b);
    test_every_allocation(use, b.schema);
    teardown(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predicates_become_canonical),
        cmocka_unit_test(sets_intersect),
        cmocka_unit_test(canonical_form_keeps_the_rows),
        cmocka_unit_test(nulls_and_times_match_as_in_sql),
        cmocka_unit_test(bad_predicates_are_named),
        cmocka_unit_test(bad_specs_are_named),
        cmocka_unit_test(other_collations_only_test_equality),
        cmocka_unit_test(fingerprints_forget_constants_and_order),
        cmocka_unit_test(outputs_are_bucket_groups_aggregates),
        cmocka_unit_test(saves_and_loads),
        cmocka_unit_test(any_body_is_survived),
        cmocka_unit_test(dumps_like_sql),
        cmocka_unit_test(survives_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
