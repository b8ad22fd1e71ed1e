/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "test.h"

#include "base/buffer.h"
#include "base/checked.h"
#include "base/civil.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/hash.h"

static void hashes_match_the_reference(void **state) {
    unsigned char counting[64];
    int i;

    (void)state;
    for (i = 0; i < 64; i++)
        counting[i] = (unsigned char)i;
    /* Values of an independent SipHash-2-4 that gives the paper's test vector. */
    assert_true(pshi_hash("", 0) == UINT64_C(0x0a9d66d488092d7d));
    assert_true(pshi_hash("a", 1) == UINT64_C(0xe5f40a61ca2d1950));
    assert_true(pshi_hash("predshard", 9) == UINT64_C(0x07ba36ae03e7f880));
    assert_true(pshi_hash(counting, 64) == UINT64_C(0x7eddd1dd098c4347));
    assert_true(pshi_hash_seed("a", 1, 1) != pshi_hash("a", 1));
    assert_int_equal(pshi_crc32c(0, "123456789", 9), 0xe3069283); /* RFC 3720 check value */
    assert_int_equal(pshi_crc32c(pshi_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
    assert_int_equal(pshi_nonzero(0), 1);
}

static void what_is_put_is_got(void **state) {
    static const int64_t ints[] = { 0, 1, -1, 63, -64, 64, INT64_MAX, INT64_MIN, 1234567890123 };
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_buffer *b = NULL;
    pshi_writer w;
    pshi_cursor c;
    char name[256];
    size_t i;

    (void)state;
    assert_ok(psh_buffer_create(env, &b));
    w = pshi_write(b);
    for (i = 0; i < sizeof ints / sizeof ints[0]; i++) {
        pshi_put_int(&w, ints[i]);
        pshi_put_var(&w, (uint64_t)ints[i]);
    }
    pshi_put_f64(&w, -0.1);
    pshi_put_str(&w, "name");
    pshi_put_u32(&w, 0xdeadbeef);
    assert_ok(pshi_write_end(&w));
    c = pshi_read(psh_buffer_data(b), psh_buffer_size(b));
    for (i = 0; i < sizeof ints / sizeof ints[0]; i++) {
        assert_true(pshi_get_int(&c) == ints[i]);
        assert_true(pshi_get_var(&c) == (uint64_t)ints[i]);
    }
    assert_true(pshi_get_f64(&c) == -0.1);
    pshi_get_name(&c, name);
    assert_string_equal(name, "name");
    assert_true(pshi_get_u32(&c) == 0xdeadbeef);
    assert_ok(pshi_read_end(&c));
    assert_int_equal(pshi_get_u8(&c), 0);
    assert_int_equal(pshi_read_end(&c), PSH_E_CORRUPT);
    psh_buffer_destroy(b);
    psh_env_destroy(env);
}

static psh_status read_var(const char *bytes, size_t n) {
    pshi_cursor c = pshi_read(bytes, n);

    pshi_get_var(&c);
    return pshi_read_end(&c);
}

static void damaged_bytes_are_refused(void **state) {
    static const unsigned char nan_bits[8] = { 0, 0, 0, 0, 0, 0, 0xf8, 0x7f };
    pshi_cursor c = pshi_read(nan_bits, 8);
    psh_value v;

    (void)state;
    assert_int_equal(read_var("\x80\x00", 2), PSH_E_CORRUPT); /* not shortest */
    assert_int_equal(read_var("\x80", 1), PSH_E_CORRUPT);
    assert_int_equal(read_var("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10), PSH_E_CORRUPT);
    assert_int_equal(read_var("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10), PSH_OK);
    pshi_get_f64(&c);
    assert_int_equal(pshi_read_end(&c), PSH_E_CORRUPT);
    c = pshi_read("\xff\xff\x03", 3);
    assert_int_equal(pshi_get_count(&c, 1), 0);
    assert_int_equal(c.status, PSH_E_CORRUPT);
    c = pshi_read("\x04\x04", 2); /* a bool of 2 */
    pshi_get_value(&c, &v);
    assert_int_equal(c.status, PSH_E_CORRUPT);
    assert_int_equal(v.type, PSH_TYPE_NULL);
    c = pshi_read("\x63", 1);
    pshi_get_value(&c, &v);
    assert_int_equal(c.status, PSH_E_CORRUPT);
}

static void a_failed_write_takes_everything_back(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_buffer *b = NULL;
    pshi_writer w;
    int i;

    (void)state;
    assert_ok(psh_buffer_create(env, &b));
    assert_string_equal(psh_buffer_data(b), "");
    assert_ok(psh_buffer_append(b, "keep", 4));
    w = pshi_write(b);
    test_alloc_fail(&a, 0, 0);
    for (i = 0; i < 1000; i++)
        pshi_put_u64(&w, 1);
    assert_int_equal(pshi_write_end(&w), PSH_E_NOMEM);
    assert_int_equal(psh_buffer_size(b), 4);
    assert_string_equal(psh_buffer_data(b), "keep");
    psh_buffer_clear(b);
    assert_int_equal(psh_buffer_size(b), 0);
    psh_buffer_destroy(b);
    psh_buffer_destroy(NULL);
    psh_env_destroy(env);
}

static const char *text_of(psh_buffer *b, void (*put)(pshi_writer *, int64_t), int64_t x) {
    pshi_writer w;

    psh_buffer_clear(b);
    w = pshi_write(b);
    put(&w, x);
    assert_ok(pshi_write_end(&w));
    return psh_buffer_data(b);
}

static const char *value_text(psh_buffer *b, psh_value v) {
    pshi_writer w;

    psh_buffer_clear(b);
    w = pshi_write(b);
    pshi_text_value(&w, &v);
    assert_ok(pshi_write_end(&w));
    return psh_buffer_data(b);
}

static psh_value decimal(int64_t x, uint32_t scale) {
    psh_value v = test_int(x);

    v.type = PSH_TYPE_DECIMAL;
    v.size = scale;
    v.hi = x < 0 ? -1 : 0;
    return v;
}

static void text_is_readable(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_buffer *b = NULL;

    (void)state;
    assert_ok(psh_buffer_create(env, &b));
    assert_string_equal(text_of(b, pshi_text_time, TEST_T0), "2001-01-01T00:00:00Z");
    assert_string_equal(text_of(b, pshi_text_time, -1), "1969-12-31T23:59:59.999999999Z");
    assert_string_equal(text_of(b, pshi_text_time, INT64_C(951782400) * PSH_SECOND), "2000-02-29T00:00:00Z");
    assert_string_equal(text_of(b, pshi_text_time, PSH_TIME_MAX), "+inf");
    assert_string_equal(text_of(b, pshi_text_time, PSH_TIME_MIN), "-inf");
    assert_string_equal(text_of(b, pshi_text_time, PSH_TIME_NONE), "none");
    assert_string_equal(value_text(b, decimal(-5, 2)), "-0.05");
    assert_string_equal(value_text(b, decimal(12345, 2)), "123.45");
    assert_string_equal(value_text(b, decimal(7, 0)), "7");
    assert_string_equal(value_text(b, test_text("it's\n")), "'it''s\\x0a'");
    assert_string_equal(value_text(b, test_null()), "NULL");
    assert_string_equal(value_text(b, test_double(0.1)), "0.10000000000000001");
    psh_buffer_destroy(b);
    psh_env_destroy(env);
}

static void arithmetic_saturates_and_floors(void **state) {
    (void)state;
    assert_true(pshi_time_add(PSH_TIME_MAX, 1) == PSH_TIME_MAX);
    assert_true(pshi_time_add(PSH_TIME_MIN, -5) == PSH_TIME_MIN);
    assert_true(pshi_time_add(5, 6) == 11);
    assert_true(pshi_floor_div(-1, 10) == -1);
    assert_true(pshi_floor_div(-10, 10) == -1);
    assert_true(pshi_floor_div(19, 10) == 1);
    assert_int_equal(pshi_civil_from(INT64_MIN + 1).year, 1677);
    assert_int_equal(pshi_civil_from(INT64_MAX).year, 2262);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_match_the_reference),
        cmocka_unit_test(what_is_put_is_got),
        cmocka_unit_test(damaged_bytes_are_refused),
        cmocka_unit_test(a_failed_write_takes_everything_back),
        cmocka_unit_test(text_is_readable),
        cmocka_unit_test(arithmetic_saturates_and_floors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
