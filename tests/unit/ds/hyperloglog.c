/* SPDX-License-Identifier: MIT */
#include "ds/hyperloglog.h"

#include <math.h>

#include "base/hash.h"
#include "test.h"

/* The root of the mean squared relative error over streams, against 1.04 / sqrt(m). */
static double relative_error(uint32_t bits, uint64_t n) {
    uint8_t r[4096];
    uint64_t i, stream;
    double sum = 0, e;

    for (stream = 1; stream <= 60; stream++) {
        memset(r, 0, sizeof r);
        for (i = 1; i <= n; i++)
            pshi_hll_add(r, bits, pshi_mix64(stream << 40 ^ i));
        e = pshi_hll_count(r, bits) / (double)n - 1;
        sum += e * e;
    }
    return sqrt(sum / 60);
}

static void error_is_as_stated(void **state) {
    static const uint32_t bits[] = { 4, 6, 8, 12 };
    static const uint64_t sizes[] = { 3, 40, 1000, 5000, 50000 };
    size_t i, j;

    (void)state;
    for (i = 0; i < 4; i++)
        for (j = 0; j < 5; j++)
            assert_true(relative_error(bits[i], sizes[j]) < 1.3 * 1.04 / sqrt((double)(1u << bits[i])));
}

static void counts_distinct_ones_only(void **state) {
    uint8_t a[64] = { 0 }, b[64] = { 0 }, whole[64] = { 0 };
    uint64_t i;

    (void)state;
    assert_true(pshi_hll_count(a, 6) == 0);
    for (i = 0; i < 10000; i++) {
        pshi_hll_add(i % 2 ? a : b, 6, pshi_mix64(i % 500));
        pshi_hll_add(whole, 6, pshi_mix64(i % 500));
    }
    pshi_hll_merge(a, b, 6);
    assert_memory_equal(a, whole, sizeof a);
    assert_true(fabs(pshi_hll_count(a, 6) - 500) < 200);
}

/* The extreme hashes set the extreme registers, and loads refuse more. */
static void extremes(void **state) {
    uint8_t r[16] = { 0 }, back[16] = { 0 }, bytes[64];
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_buffer *b;
    pshi_writer w;
    pshi_cursor c;
    size_t i, n;

    (void)state;
    pshi_hll_add(r, 4, 0);
    pshi_hll_add(r, 4, UINT64_MAX);
    pshi_hll_add(r, 4, UINT64_C(5) << 60);
    assert_int_equal(r[0], 61);
    assert_int_equal(r[15], 1);
    assert_ok(psh_buffer_create(env, &b));
    w = pshi_write(b);
    pshi_hll_put(&w, r, 4);
    assert_ok(pshi_write_end(&w));
    n = psh_buffer_size(b);
    memcpy(bytes, psh_buffer_data(b), n);
    c = pshi_read(bytes, n);
    pshi_hll_get(&c, back, 4);
    assert_ok(pshi_read_end(&c));
    assert_memory_equal(r, back, sizeof r);
    assert_int_equal(bytes[1], 61);
    bytes[1] = 62;
    c = pshi_read(bytes, n);
    pshi_hll_get(&c, back, 4);
    assert_int_equal(pshi_read_end(&c), PSH_E_CORRUPT);
    bytes[1] = 61;
    bytes[2] = 17;
    c = pshi_read(bytes, n);
    pshi_hll_get(&c, back, 4);
    assert_int_equal(pshi_read_end(&c), PSH_E_CORRUPT);
    for (i = 0; i < n; i++) {
        c = pshi_read(psh_buffer_data(b), i);
        pshi_hll_get(&c, back, 4);
        assert_int_equal(pshi_read_end(&c), PSH_E_CORRUPT);
    }
    psh_buffer_destroy(b);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_is_as_stated),
        cmocka_unit_test(counts_distinct_ones_only),
        cmocka_unit_test(extremes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
