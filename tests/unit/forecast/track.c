/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "forecast/history.h"
#include "forecast/track.h"
#include "load.h"

/* Errors of any law, here one-sided and heavy, are covered as promised in the long run, also after they change. */
static void coverage_is_kept(void **state) {
    pshi_track own, pool;
    uint64_t seed = 3;
    int i, above[3] = { 0 }, below = 0, n = 0;
    double e;

    (void)state;
    pshi_track_init(&own);
    pshi_track_init(&pool);
    for (i = 0; i < 40000; i++) {
        e = -log(1 - pshi_rng_unit(&seed)) - 0.5;
        e *= i < 20000 ? 1 : 4;
        if (i % 20000 > 4000) {
            above[0] += e > pshi_track_quantile(&own, &pool, 0.75);
            above[1] += e > pshi_track_quantile(&own, &pool, 0.95);
            above[2] += e > pshi_track_quantile(&own, &pool, 0.99);
            below += e < pshi_track_quantile(&own, &pool, 0.05);
            n++;
        }
        pshi_track_learn(&own, &pool, e);
    }
    assert_true(fabs((double)above[0] / n - 0.25) < 0.01);
    assert_true(fabs((double)above[1] / n - 0.05) < 0.01);
    assert_true(fabs((double)above[2] / n - 0.01) < 0.005);
    assert_true(fabs((double)below / n - 0.05) < 0.02);
}

static void quantiles_and_probabilities_agree(void **state) {
    static const double p[] = { 0.001, 0.01, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95, 0.99, 0.999 };
    pshi_track own = { { 1.5F, 0.7F, 2 }, { 0.5F, 1, 1.2F } }, pool = { { 1, 1.1F, 1 }, { 1, 2, 1 } };
    double last = -1e9, q;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof p / sizeof *p; i++) {
        q = pshi_track_quantile(&own, &pool, p[i]);
        assert_true(q >= last);
        if (q > last + 1e-6 && p[i] != 0.95)
            assert_true(fabs(pshi_track_above(&own, &pool, q) - (1 - p[i])) < 0.08);
        last = q;
    }
    pshi_track_init(&own);
    pshi_track_init(&pool);
    assert_true(fabs(pshi_track_quantile(&own, &pool, 0.975) - 1.96) < 0.01);
    assert_true(fabs(pshi_track_above(&own, &pool, 1.96) - 0.025) < 0.001);
}

static void history_in_16_bits(void **state) {
    double x;
    int i;

    (void)state;
    for (i = 0; i < 1024; i++)
        assert_true((double)pshi_history_value(pshi_history_code(i)) == i);
    for (x = 1e-7; x < 0x1p99; x *= 1.37)
        assert_true(fabs((double)pshi_history_value(pshi_history_code(x)) / x - 1) < 1.0 / 1000);
    assert_true((double)pshi_history_value(pshi_history_code(1e-12)) == 0);
    assert_true((double)pshi_history_value(pshi_history_code(0x1p100)) <= 0x1p100);
    assert_true(pshi_history_code(-5) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coverage_is_kept),
        cmocka_unit_test(quantiles_and_probabilities_agree),
        cmocka_unit_test(history_in_16_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
