/* SPDX-License-Identifier: MIT */
/* The mean of each place in the season, and the level over it. */
#include <math.h>

#include "test.h"

static psh_model *fit_profile(psh_env *env, const double *y, size_t n, uint32_t flags) {
    psh_model_spec s = { sizeof s, PSH_MODEL_PROFILE, flags, 48, { 24, 168, 0 } };
    psh_model *m = NULL;

    assert_ok(psh_model_fit(env, &s, y, n, &m, NULL));
    return m;
}

static double shape(size_t i) {
    return 100 + 50 * sin(6.283185307179586 * (double)(i % 24) / 24) + (i / 24 % 7 >= 5 ? -40 : 0);
}

/* The place in the week is found, both days of the week and hours. */
static void place_in_week(void **state) {
    psh_env *env = NULL;
    double y[840], mean[200];
    psh_model *m;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < 840; i++)
        y[i] = shape(i);
    m = fit_profile(env, y, 840, 0);
    assert_ok(psh_model_forecast(m, 200, NULL, NULL, 0, mean, NULL));
    for (i = 0; i < 200; i++)
        assert_true(fabs(mean[i] - shape(840 + i)) < 1e-4);
    assert_true(psh_model_bytes(m) < 1024);
    psh_model_destroy(m);
    /* Less than two weeks: places in the day; less than two days: the mean. */
    m = fit_profile(env, y, 72, 0);
    assert_ok(psh_model_forecast(m, 24, NULL, NULL, 0, mean, NULL));
    for (i = 0; i < 24; i++)
        assert_true(fabs(mean[i] - shape(i)) < 1e-4);
    psh_model_destroy(m);
    m = fit_profile(env, y, 40, 0);
    assert_ok(psh_model_forecast(m, 24, NULL, NULL, 0, mean, NULL));
    assert_true(mean[0] == mean[23]);
    psh_model_destroy(m);
    psh_env_destroy(env);
}

/* Load that moves up is followed: by a factor where counts are told, else by a shift. */
static void level_follows(void **state) {
    psh_env *env = NULL;
    double y[840], mean[48], low, high;
    psh_model *m;
    uint32_t flags;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (flags = 0; flags < 2; flags++) {
        for (i = 0; i < 840; i++)
            y[i] = shape(i) * (i % 400 < 200 ? 1 : 2);
        m = fit_profile(env, y, 840, flags * PSH_MODEL_NONNEGATIVE);
        for (i = 840; i < 940; i++)
            assert_ok(psh_model_update(m, shape(i) * 3, NULL));
        assert_ok(psh_model_forecast(m, 24, NULL, NULL, 0, mean, NULL));
        low = high = mean[0] / shape(940);
        for (i = 0; i < 24; i++) {
            low = fmin(low, mean[i] / shape(940 + i));
            high = fmax(high, mean[i] / shape(940 + i));
        }
        assert_true(low > (flags ? 2.3 : 1.5) && high < (flags ? 3.4 : 6));
        psh_model_destroy(m);
    }
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(place_in_week), cmocka_unit_test(level_follows) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
