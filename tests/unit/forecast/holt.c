/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "forecast/holt.h"
#include "load.h"

#define M 24u
#define N 240u

/* A noiseless season with a level is forecast exactly once it was seen. */
static void learns_a_season(void **state) {
    float y[N], season[M], scratch[M];
    pshi_holt h = { 0 };
    uint32_t i;

    (void)state;
    for (i = 0; i < N; i++)
        y[i] = (float)(100 + 50 * sin(2 * PI * i / M));
    pshi_holt_fit(&h, season, M, y, N, 0, scratch);
    for (i = 0; i < M; i++)
        assert_true(fabs(h.level + (double)season[i] - (double)y[i]) < 0.01);
    assert_true(fabs(h.trend) < 0.01);
}

/* A level that jumps calls for a faster level than one that only has noise. */
static void grid_follows_the_data(void **state) {
    float y[N], season[M], scratch[M];
    pshi_holt still = { 0 }, jumping = { 0 };
    uint64_t rng = 5;
    double level = 1000;
    uint32_t i;

    (void)state;
    for (i = 0; i < N; i++)
        y[i] = (float)(1000 + 30 * test_noise(&rng));
    pshi_holt_fit(&still, season, M, y, N, 7, scratch);
    for (i = 0; i < N; i++)
        y[i] = (float)(level += 30 * test_noise(&rng));
    pshi_holt_fit(&jumping, season, M, y, N, 7, scratch);
    assert_true(jumping.alpha > still.alpha);
}

static void one_season_only(void **state) {
    float y[M], season[M], scratch[M];
    pshi_holt h = { 0 };
    uint32_t i;

    (void)state;
    for (i = 0; i < M; i++)
        y[i] = (float)i;
    pshi_holt_fit(&h, season, M, y, M, 3, scratch);
    assert_true(h.alpha > 0);
    assert_true(fabs(h.level + (double)season[3]) < 1e-4); /* y[0] stands at phase 3 */
}

static void damping(void **state) {
    (void)state;
    assert_true(fabs(pshi_holt_damp(1) - PSHI_DAMPING) < 1e-12);
    assert_true(fabs(pshi_holt_damp(2) - PSHI_DAMPING - PSHI_DAMPING * PSHI_DAMPING) < 1e-12);
    assert_true(pshi_holt_damp(100000) < 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_a_season),
        cmocka_unit_test(grid_follows_the_data),
        cmocka_unit_test(one_season_only),
        cmocka_unit_test(damping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
