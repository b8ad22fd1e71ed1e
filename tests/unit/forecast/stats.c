/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/rng.h"
#include "math/stats.h"
#include "test.h"

static void divisors(void **state) {
    (void)state;
    assert_int_equal(pshi_gcd(0, 7), 7);
    assert_int_equal(pshi_gcd(12, 18), 6);
    assert_int_equal(pshi_gcd(0, 0), 0);
}

static void normal_law(void **state) {
    (void)state;
    assert_true(fabs(pshi_normal_quantile(0.975) - 1.959963984540054) < 1e-9);
    assert_true(fabs(pshi_normal_quantile(0.5)) < 1e-9);
    assert_true(fabs(pshi_normal_cdf(pshi_normal_quantile(0.01)) - 0.01) < 1e-9);
}

static void sorted_stays_sorted(void **state) {
    float sorted[64], kept[64];
    uint64_t rng = 3;
    size_t i, j;

    (void)state;
    for (i = 0; i < 500; i++) {
        if (i >= 64)
            pshi_sorted_remove(sorted, 64, kept[i % 64]);
        kept[i % 64] = (float)(pshi_rng_next(&rng) % 20);
        pshi_sorted_insert(sorted, i < 64 ? i : 63, kept[i % 64]);
        for (j = 1; j < (i < 64 ? i + 1 : 64); j++)
            assert_true(sorted[j - 1] <= sorted[j]);
    }
}

static void quantiles(void **state) {
    float x[9] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    double p, before = -HUGE_VAL, q;

    (void)state;
    assert_true(fabs(pshi_sorted_quantile(x, 9, 0.5) - 5) < 1e-9);
    assert_true(fabs(pshi_sorted_quantile(x, 9, 0.9) - 9) < 1e-9);
    assert_true(pshi_sorted_quantile(x, 9, 0.99) > 9);
    assert_true(pshi_sorted_quantile(x, 9, 0.01) < 1);
    for (p = 0.005; p < 1; p += 0.005, before = q) {
        q = pshi_sorted_quantile(x, 9, p);
        assert_true(q >= before);
    }
    assert_true(pshi_sorted_quantile(x, 1, 0.9) == 1);
    assert_true(fabs(pshi_sorted_above(x, 9, 4.5) - 0.55) < 1e-9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(divisors),
        cmocka_unit_test(normal_law),
        cmocka_unit_test(sorted_stays_sorted),
        cmocka_unit_test(quantiles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
