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
    uint8_t r[16] = { 0 }, bad[16] = { 0 };
    pshi_cursor c;

    (void)state;
    pshi_hll_add(r, 4, 0);
    pshi_hll_add(r, 4, UINT64_MAX);
    assert_int_equal(r[0], 61);
    assert_int_equal(r[15], 1);
    c = pshi_read(r, sizeof r);
    pshi_hll_get(&c, bad, 4);
    assert_ok(pshi_read_end(&c));
    assert_memory_equal(r, bad, sizeof r);
    r[3] = 62;
    c = pshi_read(r, sizeof r);
    pshi_hll_get(&c, bad, 4);
    assert_int_equal(pshi_read_end(&c), PSH_E_CORRUPT);
    c = pshi_read(r, 15);
    pshi_hll_get(&c, bad, 4);
    assert_int_equal(pshi_read_end(&c), PSH_E_CORRUPT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_is_as_stated),
        cmocka_unit_test(counts_distinct_ones_only),
        cmocka_unit_test(extremes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
