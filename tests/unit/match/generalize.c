/* SPDX-License-Identifier: MIT */
#include "test.h"

static psh_query *sample(psh_env *env, psh_schema *s, int64_t bucket) {
    psh_value atl = test_text("ATL"), zero = test_int(0);
    psh_value two[2] = { test_text("BOS"), test_text("DEN") };
    psh_predicate p[3] = { { 0, PSH_OP_EQ, &atl, 1 }, { 3, PSH_OP_IN, two, 2 }, { 4, PSH_OP_GT, &zero, 1 } };
    psh_aggregate a[3] = { { PSH_AGG_AVG, 4 }, { PSH_AGG_COUNT, PSH_NONE }, { PSH_AGG_AVG, 4 } };
    static const uint32_t groups[] = { 5, 3 };
    psh_query_spec spec;
    psh_query *q = NULL;

    psh_query_spec_init(&spec, sizeof spec);
    spec.predicates = p;
    spec.predicate_count = 3;
    spec.group_columns = groups;
    spec.group_count = 2;
    spec.aggregates = a;
    spec.aggregate_count = 3;
    spec.bucket_ns = bucket;
    spec.time_from = TEST_T0;
    spec.limit = 5;
    spec.visibility = 9;
    spec.max_staleness_ns = PSH_HOUR;
    return psh_query_create(env, s, &spec, &q, NULL) == PSH_OK ? q : NULL;
}

static void test_generalize(void **state) {
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = test_flights_schema(env);
    psh_query *q = sample(env, s, PSH_DAY);
    psh_query *d = NULL;
    psh_query_spec spec;

    (void)state;
    spec.struct_size = sizeof spec;
    assert_ok(psh_view_generalize(env, q, PSH_HOUR, &d, NULL));
    assert_ok(psh_query_describe(d, &spec));
    assert_int_equal(spec.group_count, 3);
    assert_true(spec.group_columns[0] == 0 && spec.group_columns[1] == 3 && spec.group_columns[2] == 5);
    assert_int_equal(spec.predicate_count, 1);
    assert_int_equal(spec.predicates[0].column, 4);
    assert_int_equal(spec.aggregate_count, 2);
    assert_int_equal(spec.aggregates[0].fn, PSH_AGG_COUNT);
    assert_int_equal(spec.aggregates[1].fn, PSH_AGG_AVG);
    assert_int_equal(spec.bucket_ns, PSH_HOUR);
    assert_int_equal(spec.visibility, 9);
    assert_true(spec.time_from == PSH_TIME_MIN && spec.time_to == PSH_TIME_MAX);
    assert_true(spec.limit == 0 && spec.max_staleness_ns == 0 && spec.order_count == 0);
    psh_query_unref(d);
    psh_query_unref(q);
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

static void test_refusals(void **state) {
    static const uint32_t columns[] = { 0 };
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = test_flights_schema(env);
    psh_query *q = sample(env, s, PSH_DAY);
    psh_query *d = q;
    psh_query *detail = NULL;
    psh_query_spec spec;
    psh_error err = { .struct_size = sizeof err };

    (void)state;
    assert_int_equal(psh_view_generalize(env, q, 0, &d, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "bucket_ns");
    assert_null(d);
    assert_int_equal(psh_view_generalize(env, q, 7 * PSH_HOUR, &d, &err), PSH_E_INVALID);
    assert_int_equal(psh_view_generalize(env, NULL, PSH_HOUR, &d, &err), PSH_E_INVALID);
    psh_query_spec_init(&spec, sizeof spec);
    spec.columns = columns;
    spec.column_count = 1;
    assert_ok(psh_query_create(env, s, &spec, &detail, NULL));
    assert_int_equal(psh_view_generalize(env, detail, PSH_HOUR, &d, &err), PSH_E_UNSUPPORTED);
    psh_query_unref(detail);
    psh_query_unref(q);
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

typedef struct no_memory {
    psh_schema *schema;
} no_memory;

static psh_status generalize_once(psh_env *env, void *user) {
    no_memory *m = user;
    psh_query *d = NULL;
    psh_query *q = sample(env, m->schema, 0);
    psh_status st = PSH_E_NOMEM;

    if (q)
        st = psh_view_generalize(env, q, PSH_HOUR, &d, NULL);
    psh_query_unref(d);
    psh_query_unref(q);
    return st;
}

static void test_no_memory(void **state) {
    test_alloc al;
    psh_env *env = test_env(&al);
    no_memory m = { test_flights_schema(env) };

    (void)state;
    test_every_allocation(generalize_once, &m);
    psh_schema_unref(m.schema);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generalize),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
