/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "test.h"

static psh_query *definition(psh_env *env, psh_schema *schema, int64_t from) {
    static const uint32_t groups[] = { 0 };
    static const psh_aggregate count = { PSH_AGG_COUNT, PSH_NONE };
    psh_query_spec s;
    psh_query *q = NULL;

    psh_query_spec_init(&s, sizeof s);
    s.group_columns = groups;
    s.group_count = 1;
    s.aggregates = &count;
    s.aggregate_count = 1;
    s.bucket_ns = PSH_HOUR;
    s.time_from = from;
    psh_query_create(env, schema, &s, &q, NULL);
    return q;
}

static void expect_field(psh_env *env, const psh_view_spec *s, psh_status want, const char *field) {
    psh_error err = { sizeof err, 0, 0, "", "" };
    psh_view *v;

    assert_int_equal(psh_view_create(env, s, &v, &err), want);
    assert_null(v);
    assert_string_equal(err.field, field);
}

static psh_query *detail(psh_env *env, psh_schema *schema) {
    static const uint32_t columns[] = { 0, 1 };
    psh_query_spec s;
    psh_query *q;

    psh_query_spec_init(&s, sizeof s);
    s.columns = columns;
    s.column_count = 2;
    assert_ok(psh_query_create(env, schema, &s, &q, NULL));
    return q;
}

static void bad_specs_are_named(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_query *q = definition(env, schema, PSH_TIME_MIN), *bounded = definition(env, schema, 0),
              *rows = detail(env, schema);
    psh_view_spec s;

    (void)state;
    psh_view_spec_init(&s, sizeof s);
    expect_field(env, &s, PSH_E_INVALID, "name");
    s.name = "v";
    expect_field(env, &s, PSH_E_INVALID, "definition");
    s.definition = bounded;
    expect_field(env, &s, PSH_E_INVALID, "definition");
    s.definition = rows;
    expect_field(env, &s, PSH_E_UNSUPPORTED, "definition");
    s.definition = q;
    s.level = 4;
    expect_field(env, &s, PSH_E_INVALID, "level");
    s.level = PSH_LEVEL_PARTIAL;
    expect_field(env, &s, PSH_E_INVALID, "reach_ns");
    s.level = PSH_LEVEL_FULL;
    s.reach_ns = 1;
    expect_field(env, &s, PSH_E_INVALID, "reach_ns");
    s.reach_ns = 0;
    s.store = 2;
    expect_field(env, &s, PSH_E_UNSUPPORTED, "store");
    s.store = PSH_STORE_BLOCKS;
    s.retention = 0;
    expect_field(env, &s, PSH_E_INVALID, "retention");
    s.retention = PSH_RETAIN_OUTLIVES_BASE;
    s.confidence = (double)NAN;
    expect_field(env, &s, PSH_E_INVALID, "confidence");
    psh_query_unref(q);
    psh_query_unref(bounded);
    psh_query_unref(rows);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status make(psh_env *env, psh_schema *schema, const char *name, psh_view **out) {
    psh_query *q = definition(env, schema, PSH_TIME_MIN);
    psh_view_spec s;
    psh_status st;

    *out = NULL;
    if (!q)
        return PSH_E_NOMEM;
    psh_view_spec_init(&s, sizeof s);
    s.name = name;
    s.definition = q;
    s.level = PSH_LEVEL_PARTIAL;
    s.reach_ns = PSH_DAY;
    s.confidence = 0.5;
    st = psh_view_create(env, &s, out, NULL);
    psh_query_unref(q);
    return st;
}

static void check_flips(psh_env *env, psh_schema *schema, const psh_buffer *blob) {
    unsigned char copy[512];
    size_t size = psh_buffer_size(blob), i;
    psh_view *v;

    assert_true(size <= sizeof copy);
    memcpy(copy, psh_buffer_data(blob), size);
    for (i = 0; i < size; i++) {
        copy[i] ^= 0x55;
        assert_int_not_equal(psh_view_load(env, schema, copy, size, 0, &v, NULL), PSH_OK);
        assert_null(v);
        copy[i] ^= 0x55;
    }
}

static void saves_and_loads(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_view *v, *w, *other;
    psh_view_spec s;
    psh_buffer *x;

    (void)state;
    assert_ok(make(env, schema, "busy %s", &v));
    assert_ok(make(env, schema, "other", &other));
    assert_int_equal(psh_view_id(v), psh_view_id(other));
    assert_ok(psh_buffer_create(env, &x));
    assert_ok(psh_view_save(v, x));
    assert_ok(psh_view_load(env, schema, psh_buffer_data(x), psh_buffer_size(x), 0, &w, NULL));
    s.struct_size = sizeof s;
    assert_ok(psh_view_describe(w, &s));
    assert_string_equal(s.name, "busy %s");
    assert_int_equal(s.level, PSH_LEVEL_PARTIAL);
    assert_int_equal(s.reach_ns, PSH_DAY);
    assert_true(s.confidence == 0.5);
    assert_int_equal(psh_view_id(w), psh_view_id(v));
    check_flips(env, schema, x);
    psh_buffer_clear(x);
    assert_ok(psh_view_dump(w, x));
    assert_non_null(strstr(psh_buffer_data(x), "view busy %s id "));
    assert_non_null(strstr(psh_buffer_data(x), "confidence 0.5 as select bucket("));
    psh_view_unref(psh_view_ref(w));
    psh_view_unref(w);
    psh_view_unref(v);
    psh_view_unref(other);
    psh_buffer_destroy(x);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status use(psh_env *env, void *user) {
    psh_view *v = NULL, *again = NULL;
    psh_buffer *x = NULL;
    psh_status st;

    if ((st = make(env, user, "v", &v)) == PSH_OK && (st = psh_buffer_create(env, &x)) == PSH_OK &&
        (st = psh_view_save(v, x)) == PSH_OK)
        st = psh_view_load(env, user, psh_buffer_data(x), psh_buffer_size(x), 0, &again, NULL);
    psh_view_unref(again);
    psh_buffer_destroy(x);
    psh_view_unref(v);
    return st;
}

static void survives_no_memory(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);

    (void)state;
    test_every_allocation(use, schema);
    psh_schema_unref(schema);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_specs_are_named),
        cmocka_unit_test(saves_and_loads),
        cmocka_unit_test(survives_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
