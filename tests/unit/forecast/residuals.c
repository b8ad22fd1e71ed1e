/* SPDX-License-Identifier: MIT */
#include "load.h"
#include "forecast/residuals.h"

/* Noise that doubles half way: the adaptive level and the ring bring coverage back. */
static void coverage_under_drift(void **state) {
    float memory[2 * 64];
    pshi_residuals r;
    uint64_t rng = 11;
    int i, inside = 0, counted = 0;
    double x;

    (void)state;
    pshi_residuals_init(&r, memory, 64);
    for (i = 0; i < 4000; i++) {
        x = (i < 2000 ? 1 : 2) * test_noise(&rng);
        if (r.count >= PSHI_RESIDUALS_FEW) {
            int in = x >= pshi_residuals_quantile(&r, 0.05) && x <= pshi_residuals_quantile(&r, 0.95);

            pshi_residuals_adapt(&r, !in);
            inside += in;
            counted++;
        }
        pshi_residuals_push(&r, x);
    }
    assert_true(inside > counted * 88 / 100);
    assert_true(inside < counted * 92 / 100);
}

static void misses_widen(void **state) {
    float memory[2 * 32];
    pshi_residuals r;
    double before;
    int i;

    (void)state;
    pshi_residuals_init(&r, memory, 32);
    for (i = 0; i < 40; i++)
        pshi_residuals_push(&r, i % 20);
    assert_int_equal(r.count, 32);
    before = pshi_residuals_quantile(&r, 0.9);
    for (i = 0; i < 5; i++)
        pshi_residuals_adapt(&r, 1);
    assert_true(pshi_residuals_quantile(&r, 0.9) > before);
    for (i = 0; i < 1000; i++)
        pshi_residuals_adapt(&r, 1);
    assert_true(isfinite(pshi_residuals_quantile(&r, 0.99)));
}

/* However far the level moved, the median stays, and quantiles ascend. */
static void the_median_stays(void **state) {
    static const double levels[] = { 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99 };
    float memory[2 * 101];
    pshi_residuals r;
    int missed, i;

    (void)state;
    for (missed = 0; missed < 2; missed++) {
        pshi_residuals_init(&r, memory, 101);
        for (i = 0; i <= 100; i++)
            pshi_residuals_push(&r, i);
        for (i = 0; i < 500; i++)
            pshi_residuals_adapt(&r, missed);
        assert_true(fabs(pshi_residuals_quantile(&r, 0.5) - 50) < 1e-3);
        for (i = 1; i < 7; i++)
            assert_true(pshi_residuals_quantile(&r, levels[i - 1]) < pshi_residuals_quantile(&r, levels[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coverage_under_drift),
        cmocka_unit_test(misses_widen),
        cmocka_unit_test(the_median_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
