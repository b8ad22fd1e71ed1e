/* SPDX-License-Identifier: MIT */
#include "test.h"

typedef struct bench {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    psh_change_batch *batch;
    psh_value row[6];
    psh_change change;
} bench;

static void setup(bench *b, size_t max_bytes) {
    b->env = test_env(&b->alloc);
    b->schema = test_flights_schema(b->env);
    assert_ok(psh_change_batch_create(b->env, b->schema, max_bytes, &b->batch));
    test_flight(b->row, "ATL", TEST_T0, 1, "ORD", 5, 600);
    memset(&b->change, 0, sizeof b->change);
    b->change.op = PSH_CHANGE_INSERT;
    b->change.position = 1;
    b->change.commit_time = TEST_T0;
    b->change.after = b->row;
    b->change.column_count = 6;
}

static void teardown(bench *b) {
    psh_change_batch_destroy(b->batch);
    psh_schema_unref(b->schema);
    psh_env_destroy(b->env);
    assert_int_equal(b->alloc.live, 0);
}

static psh_status add(bench *b) {
    return psh_change_batch_append(b->batch, &b->change, NULL);
}

static void copies_are_deep(void **state) {
    char origin[4] = "ATL";
    psh_value before[6];
    psh_change got;
    bench b;

    (void)state;
    setup(&b, 0);
    b.row[0] = test_text(origin);
    test_flight(before, "JFK", TEST_T0, 1, "", 0, 1);
    before[4] = test_null();
    b.change.op = PSH_CHANGE_UPDATE;
    b.change.before = before;
    b.change.origin = 9;
    assert_ok(add(&b));
    memcpy(origin, "QQQ", 4);
    memset(before, 0xee, sizeof before);
    assert_ok(psh_change_batch_get(b.batch, 0, &got));
    assert_memory_equal(got.after[0].as.data, "ATL", 3);
    assert_memory_equal(got.before[0].as.data, "JFK", 3);
    assert_int_equal(got.before[3].size, 0);
    assert_int_equal(got.before[4].type, PSH_TYPE_NULL);
    assert_int_equal(got.after[5].as.i64, 600);
    assert_int_equal(got.origin, 9);
    assert_int_equal(psh_change_batch_get(b.batch, 1, &got), PSH_E_NOT_FOUND);
    teardown(&b);
}

static void expect_field(bench *b, const char *field) {
    psh_error err = { sizeof err, 0, 0, "", "" };

    assert_int_equal(psh_change_batch_append(b->batch, &b->change, &err), PSH_E_INVALID);
    assert_string_equal(err.field, field);
    assert_int_equal(psh_change_batch_count(b->batch), 0);
}

static void bad_changes_are_named(void **state) {
    bench b;

    (void)state;
    setup(&b, 0);
    b.change.op = 4;
    expect_field(&b, "op");
    b.change.op = PSH_CHANGE_UPDATE;
    expect_field(&b, "before");
    b.change.op = PSH_CHANGE_INSERT;
    b.change.before = b.row;
    expect_field(&b, "before");
    b.change.before = NULL;
    b.change.table = 1;
    expect_field(&b, "table");
    b.change.table = 0;
    b.change.column_count = 5;
    expect_field(&b, "column_count");
    b.change.column_count = 6;
    b.change.position = 0;
    expect_field(&b, "position");
    b.change.position = 1;
    b.change.commit_time = PSH_TIME_NONE;
    expect_field(&b, "commit_time");
    b.change.commit_time = 0;
    b.row[5] = test_null();
    expect_field(&b, "after[5]");
    b.row[5] = test_double(1);
    expect_field(&b, "after[5]");
    teardown(&b);
}

static void places_go_forward_in_each_source(void **state) {
    bench b;

    (void)state;
    setup(&b, 0);
    b.change.position = 5;
    assert_ok(add(&b));
    assert_int_equal(add(&b), PSH_E_INVALID);
    b.change.sequence = 1;
    assert_ok(add(&b));
    b.change.source = 2;
    b.change.position = 1;
    assert_ok(add(&b));
    b.change.source = 0;
    assert_int_equal(add(&b), PSH_E_INVALID);
    b.change.position = 6;
    b.change.sequence = 0;
    assert_ok(add(&b));
    psh_change_batch_truncate(b.batch, 2);
    assert_int_equal(psh_change_batch_count(b.batch), 2);
    b.change.position = 5;
    assert_int_equal(add(&b), PSH_E_INVALID);
    b.change.sequence = 2;
    assert_ok(add(&b));
    psh_change_batch_clear(b.batch);
    b.change.position = 1;
    assert_ok(add(&b));
    teardown(&b);
}

/* From the position that is set, until it is full. */
static size_t fill(bench *b) {
    psh_status st = PSH_OK;

    for (; st == PSH_OK; b->change.position++)
        st = add(b);
    assert_int_equal(st, PSH_E_LIMIT);
    return psh_change_batch_count(b->batch);
}

static uint64_t env_bytes(bench *b) {
    psh_env_stats s = { sizeof s, 0, 0, 0, 0 };

    assert_ok(psh_env_get_stats(b->env, &s));
    return s.bytes;
}

static void full_batches_are_used_again_without_allocating(void **state) {
    uint64_t calls, start;
    size_t n, i;
    bench b;

    (void)state;
    setup(&b, 1 << 20);
    start = env_bytes(&b);
    n = fill(&b);
    assert_true(n > 1500);
    assert_true(env_bytes(&b) - start < (1 << 20) + 4096);
    psh_change_batch_clear(b.batch);
    calls = b.alloc.calls;
    for (i = 0; i < n; i++) {
        b.change.position = i + 1;
        assert_ok(add(&b));
    }
    assert_int_equal(b.alloc.calls, calls);
    teardown(&b);
}

static void a_big_row_finds_room_after_small_ones(void **state) {
    char big[40001];
    psh_change got;
    size_t n;
    bench b;

    (void)state;
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    setup(&b, 65536);
    fill(&b);
    psh_change_batch_clear(b.batch);
    b.change.position = 1;
    b.row[0] = test_text(big);
    assert_ok(add(&b));
    b.row[0] = test_text("ATL");
    b.change.position = 2;
    n = fill(&b);
    assert_true(n > 20);
    assert_ok(psh_change_batch_get(b.batch, 0, &got));
    assert_memory_equal(got.after[0].as.data, big, 40000);
    psh_change_batch_truncate(b.batch, 1);
    b.change.position = 2;
    assert_int_equal(fill(&b), n);
    teardown(&b);
}

static void check_flips(bench *b, const psh_buffer *blob) {
    unsigned char copy[1024];
    size_t size = psh_buffer_size(blob), i;
    psh_change_batch *got;

    assert_true(size <= sizeof copy);
    memcpy(copy, psh_buffer_data(blob), size);
    for (i = 0; i < size; i++) {
        copy[i] ^= 0x55;
        assert_int_not_equal(psh_change_batch_load(b->env, b->schema, copy, size, 0, &got, NULL), PSH_OK);
        assert_null(got);
        copy[i] ^= 0x55;
    }
}

static void fill_ops(bench *b) {
    assert_ok(add(b));
    b->change.op = PSH_CHANGE_UPDATE;
    b->change.before = b->row;
    b->change.sequence = 1;
    assert_ok(add(b));
    b->change.op = PSH_CHANGE_DELETE;
    b->change.after = NULL;
    b->change.origin = 255;
    b->change.sequence = 2;
    assert_ok(add(b));
}

/* Many sources at once: each has its place, found without looking at all others. */
static void many_sources_keep_their_places(void **state) {
    const uint64_t many = 60000;
    uint64_t i;
    bench b;

    (void)state;
    setup(&b, 0);
    for (i = 0; i < many; i++) {
        b.change.source = i;
        b.change.position = i + 2;
        assert_ok(add(&b));
    }
    for (i = 0; i < many; i += 997) {
        b.change.source = i;
        b.change.position = i + 1;
        assert_int_equal(add(&b), PSH_E_INVALID);
    }
    psh_change_batch_truncate(b.batch, (size_t)many / 2);
    b.change.position = 1;
    b.change.source = 0;
    assert_int_equal(add(&b), PSH_E_INVALID);
    b.change.source = many / 2 - 1;
    assert_int_equal(add(&b), PSH_E_INVALID);
    b.change.source = many / 2; /* forgotten */
    assert_ok(add(&b));
    psh_change_batch_clear(b.batch);
    b.change.source = 0;
    assert_ok(add(&b));
    assert_int_equal(add(&b), PSH_E_INVALID);
    teardown(&b);
}

static void saves_and_loads(void **state) {
    psh_change_batch *again;
    psh_buffer *x, *y;
    bench b;

    (void)state;
    setup(&b, 0);
    assert_ok(psh_buffer_create(b.env, &x));
    assert_ok(psh_buffer_create(b.env, &y));
    fill_ops(&b);
    assert_ok(psh_change_batch_save(b.batch, x));
    assert_ok(psh_change_batch_load(b.env, b.schema, psh_buffer_data(x), psh_buffer_size(x), 0, &again, NULL));
    assert_int_equal(psh_change_batch_count(again), 3);
    assert_ok(psh_change_batch_save(again, y));
    assert_int_equal(psh_buffer_size(x), psh_buffer_size(y));
    assert_memory_equal(psh_buffer_data(x), psh_buffer_data(y), psh_buffer_size(x));
    psh_change_batch_destroy(again);
    check_flips(&b, x);
    assert_int_equal(
        psh_change_batch_load(b.env, b.schema, psh_buffer_data(x), psh_buffer_size(x), 600, &again, NULL),
        PSH_E_LIMIT);
    psh_buffer_clear(y);
    assert_ok(psh_change_batch_dump(b.batch, y));
    assert_non_null(strstr(psh_buffer_data(y), "delete flights source 0 position 1 sequence 2 at "
                                               "2001-01-01T00:00:00Z origin 00000000000000ff before ('ATL', "));
    psh_buffer_destroy(x);
    psh_buffer_destroy(y);
    teardown(&b);
}

static psh_status append_some(psh_change_batch *b) {
    psh_status st = PSH_OK;
    psh_value row[6];
    psh_change c;
    int i;

    memset(&c, 0, sizeof c);
    c.op = PSH_CHANGE_INSERT;
    c.column_count = 6;
    c.after = row;
    test_flight(row, "ATL", TEST_T0, 1, "ORD", 5, 600);
    for (i = 1; st == PSH_OK && i < 400; i++) {
        c.position = (uint64_t)i;
        st = psh_change_batch_append(b, &c, NULL);
        if (st != PSH_OK)
            assert_int_equal(psh_change_batch_count(b), i - 1);
    }
    return st;
}

static psh_status use(psh_env *env, void *user) {
    psh_change_batch *b = NULL, *again = NULL;
    psh_buffer *x = NULL;
    psh_status st;

    if ((st = psh_change_batch_create(env, user, 0, &b)) == PSH_OK && (st = append_some(b)) == PSH_OK &&
        (st = psh_buffer_create(env, &x)) == PSH_OK && (st = psh_change_batch_save(b, x)) == PSH_OK)
        st = psh_change_batch_load(env, user, psh_buffer_data(x), psh_buffer_size(x), 0, &again, NULL);
    psh_change_batch_destroy(again);
    psh_buffer_destroy(x);
    psh_change_batch_destroy(b);
    return st;
}

static void survives_no_memory(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *s = test_flights_schema(env);

    (void)state;
    test_every_allocation(use, s);
    psh_schema_unref(s);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_deep),
        cmocka_unit_test(bad_changes_are_named),
        cmocka_unit_test(places_go_forward_in_each_source),
        cmocka_unit_test(full_batches_are_used_again_without_allocating),
        cmocka_unit_test(a_big_row_finds_room_after_small_ones),
        cmocka_unit_test(many_sources_keep_their_places),
        cmocka_unit_test(saves_and_loads),
        cmocka_unit_test(survives_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
