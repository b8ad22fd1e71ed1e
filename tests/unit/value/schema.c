/* SPDX-License-Identifier: MIT */
#include "test.h"

static const psh_column_spec columns[] = {
    { "id", PSH_TYPE_INT64, 0, 0, 0 },
    { "at", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
    { "price", PSH_TYPE_DECIMAL, 0, 2, PSH_COLUMN_NULLABLE },
    { "name", PSH_TYPE_TEXT, 3, 0, PSH_COLUMN_NULLABLE },
};
static const uint32_t key[] = { 1, 0 };

static psh_table_spec good_table(void) {
    psh_table_spec t;

    memset(&t, 0, sizeof t);
    t.name = "sales";
    t.columns = columns;
    t.column_count = 4;
    t.column_stride = sizeof columns[0];
    t.key_columns = key;
    t.key_count = 2;
    t.tenant_column = PSH_NONE;
    t.time_column = 1;
    t.interval_ns = PSH_HOUR;
    t.interval_origin = 5;
    return t;
}

static psh_schema *make(psh_env *env) {
    psh_table_spec t[2];
    psh_schema *s;

    t[0] = good_table();
    t[1] = good_table();
    t[1].name = "refunds";
    assert_ok(psh_schema_create(env, t, 2, sizeof t[0], &s, NULL));
    return s;
}

static void finds_what_it_was_given(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *s = make(env);
    psh_table_spec t;

    (void)state;
    assert_int_equal(psh_schema_table_count(s), 2);
    assert_int_equal(psh_schema_find_table(s, "refunds"), 1);
    assert_int_equal(psh_schema_find_table(s, "none"), PSH_NONE);
    assert_int_equal(psh_schema_find_column(s, 1, "price"), 2);
    assert_int_equal(psh_schema_find_column(s, 2, "price"), PSH_NONE);
    assert_ok(psh_schema_table(s, 0, &t));
    assert_string_equal(t.name, "sales");
    assert_string_equal(t.columns[3].name, "name");
    assert_int_equal(t.columns[3].collation, 3);
    assert_int_equal(t.key_columns[0], 1);
    assert_int_equal(t.tenant_column, PSH_NONE);
    assert_int_equal(psh_schema_table(s, 2, &t), PSH_E_NOT_FOUND);
    psh_schema_unref(psh_schema_ref(s));
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void expect_field(psh_env *env, const psh_table_spec *t, psh_status want, const char *field) {
    psh_error err = { sizeof err, 0, 0, "", "" };
    psh_schema *s;

    assert_int_equal(psh_schema_create(env, t, 1, sizeof *t, &s, &err), want);
    assert_null(s);
    assert_string_equal(err.field, field);
}

static void expect_bad_column(psh_env *env, psh_column_spec c, psh_status want) {
    psh_column_spec mine[4];
    psh_table_spec t = good_table();

    memcpy(mine, columns, sizeof mine);
    mine[2] = c;
    t.columns = mine;
    expect_field(env, &t, want, "columns[2]");
}

static void bad_columns_are_named(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_column_spec unnamed = { "", 1, 0, 0, 0 }, null = { NULL, 1, 0, 0, 0 }, type = { "x", 8, 0, 0, 0 },
                    collation = { "x", 1, 1, 0, 0 }, scale = { "x", 3, 0, 39, 0 }, flag = { "x", 1, 0, 0, 2 };

    (void)state;
    expect_bad_column(env, unnamed, PSH_E_INVALID);
    expect_bad_column(env, null, PSH_E_INVALID);
    expect_bad_column(env, type, PSH_E_INVALID);
    expect_bad_column(env, collation, PSH_E_INVALID);
    expect_bad_column(env, scale, PSH_E_INVALID);
    expect_bad_column(env, flag, PSH_E_UNSUPPORTED);
    psh_env_destroy(env);
}

static void bad_tables_are_named(void **state) {
    static const uint32_t twice[] = { 0, 0 }, far[] = { 4 };
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_table_spec t = good_table();
    psh_column_spec same[4];

    (void)state;
    t.key_columns = twice;
    expect_field(env, &t, PSH_E_INVALID, "key_columns[1]");
    t.key_columns = far;
    t.key_count = 1;
    expect_field(env, &t, PSH_E_INVALID, "key_columns[0]");
    t = good_table();
    t.time_column = 0;
    expect_field(env, &t, PSH_E_INVALID, "time_column");
    t = good_table();
    t.tenant_column = 3;
    expect_field(env, &t, PSH_E_INVALID, "tenant_column");
    t = good_table();
    t.interval_ns = PSH_SECOND - 1;
    expect_field(env, &t, PSH_E_INVALID, "interval_ns");
    t = good_table();
    t.column_stride = 4;
    expect_field(env, &t, PSH_E_INVALID, "column_stride");
    memcpy(same, columns, sizeof same);
    same[3].name = "id";
    t = good_table();
    t.columns = same;
    expect_field(env, &t, PSH_E_INVALID, "tables[0]");
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void intervals_hold_their_times(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *s = make(env);
    int64_t id, from, to;

    (void)state;
    assert_ok(psh_schema_interval(s, 0, 5, &id, &from, &to));
    assert_int_equal(id, 0);
    assert_int_equal(from, 5);
    assert_int_equal(to, 5 + PSH_HOUR);
    assert_ok(psh_schema_interval(s, 0, 4, &id, &from, &to));
    assert_int_equal(id, -1);
    assert_int_equal(to, 5);
    assert_int_equal(psh_schema_interval(s, 0, PSH_TIME_NONE, &id, &from, &to), PSH_E_TIME);
    assert_int_equal(psh_schema_interval(s, 0, PSH_TIME_MIN, &id, &from, &to), PSH_E_TIME);
    assert_int_equal(psh_schema_interval(s, 0, PSH_TIME_MAX, &id, &from, &to), PSH_E_TIME);
    assert_int_equal(psh_schema_interval(s, 9, 0, &id, &from, &to), PSH_E_NOT_FOUND);
    psh_schema_unref(s);
    psh_env_destroy(env);
}

static void check_flips(psh_env *env, const psh_buffer *blob) {
    unsigned char copy[1024];
    size_t size = psh_buffer_size(blob), i;
    psh_schema *s;

    assert_true(size <= sizeof copy);
    memcpy(copy, psh_buffer_data(blob), size);
    for (i = 0; i < size; i++) {
        copy[i] ^= 0x55;
        assert_int_not_equal(psh_schema_load(env, copy, size, 0, &s, NULL), PSH_OK);
        assert_null(s);
        copy[i] ^= 0x55;
        assert_int_not_equal(psh_schema_load(env, copy, i, 0, &s, NULL), PSH_OK);
    }
}

static void saves_and_loads(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *s = make(env), *t;
    psh_buffer *x, *y;

    (void)state;
    assert_ok(psh_buffer_create(env, &x));
    assert_ok(psh_buffer_create(env, &y));
    assert_ok(psh_schema_save(s, x));
    assert_ok(psh_schema_load(env, psh_buffer_data(x), psh_buffer_size(x), 0, &t, NULL));
    assert_ok(psh_schema_save(t, y));
    assert_int_equal(psh_buffer_size(x), psh_buffer_size(y));
    assert_memory_equal(psh_buffer_data(x), psh_buffer_data(y), psh_buffer_size(x));
    psh_schema_unref(t);
    assert_int_equal(psh_schema_load(env, psh_buffer_data(x), psh_buffer_size(x), 300, &t, NULL), PSH_E_LIMIT);
    check_flips(env, x);
    psh_buffer_clear(y);
    assert_ok(psh_schema_dump(s, y));
    assert_non_null(strstr(psh_buffer_data(y), "column 2 price decimal scale 2 nullable\n"));
    psh_buffer_destroy(x);
    psh_buffer_destroy(y);
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status use(psh_env *env, void *user) {
    psh_table_spec t = good_table();
    psh_schema *s = NULL, *again = NULL;
    psh_buffer *b = NULL;
    psh_status st;

    (void)user;
    if ((st = psh_schema_create(env, &t, 1, sizeof t, &s, NULL)) == PSH_OK &&
        (st = psh_buffer_create(env, &b)) == PSH_OK && (st = psh_schema_save(s, b)) == PSH_OK)
        st = psh_schema_load(env, psh_buffer_data(b), psh_buffer_size(b), 0, &again, NULL);
    psh_schema_unref(again);
    psh_buffer_destroy(b);
    psh_schema_unref(s);
    return st;
}

static void survives_no_memory(void **state) {
    (void)state;
    test_every_allocation(use, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_it_was_given),    cmocka_unit_test(bad_columns_are_named),
        cmocka_unit_test(bad_tables_are_named),       cmocka_unit_test(intervals_hold_their_times),
        cmocka_unit_test(saves_and_loads),            cmocka_unit_test(survives_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
