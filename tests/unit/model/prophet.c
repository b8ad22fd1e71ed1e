/* SPDX-License-Identifier: MIT */
/* What made a synthetic series is found again: changes of slope, seasons, effects of events. */
#include <math.h>

#include "base/rng.h"
#include "math/stats.h"
#include "test.h"

#define N 800u
#define TAU 6.283185307179586

static double noise(uint64_t *r) {
    return pshi_normal_quantile(0.001 + 0.998 * pshi_rng_unit(r));
}

static double trend(size_t i) {
    double t = (double)i;

    return i < 300 ? 200 + 0.5 * t : i < 500 ? 350 - 0.4 * (t - 300) : 270 + 0.2 * (t - 500);
}

static double season(size_t i) {
    return 20 * sin(TAU * (double)i / 24) + 8 * cos(TAU * 2 * (double)i / 24) + 12 * cos(TAU * (double)i / 168);
}

static void parts_are_found(void **state) {
    psh_model_spec s = { sizeof s, PSH_MODEL_PROPHET, 0, 48, { 24, 168, 0 }, 1 };
    psh_env *env = NULL;
    double y[N], x[N], ahead[48] = { 0 }, with[48], without[48], e, sum = 0;
    uint64_t r = 21;
    psh_model *m;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < N; i++) {
        x[i] = i % 97 < 5;
        y[i] = trend(i) + season(i) + 35 * x[i] + 2 * noise(&r);
    }
    s.regressors = x;
    assert_ok(psh_model_fit(env, &s, y, N, &m, NULL));
    assert_ok(psh_model_forecast(m, 48, ahead, NULL, 0, without, NULL));
    for (i = 0; i < 48; i++)
        ahead[i] = 1;
    assert_ok(psh_model_forecast(m, 48, ahead, NULL, 0, with, NULL));
    for (i = 0; i < 48; i++) {
        assert_true(fabs(with[i] - without[i] - 35) < 2);
        e = without[i] - trend(N + i) - season(N + i);
        sum += e * e / 48;
        assert_true(fabs(e) < 12);
    }
    assert_true(sum < 16);
    psh_model_destroy(m);
    psh_env_destroy(env);
}

static double swing(size_t i) {
    return (100 + 0.5 * (double)i) * (1 + 0.3 * sin(TAU * (double)i / 24));
}

/* Swings that grow with the load are factors of it. */
static void factors_are_found(void **state) {
    psh_model_spec s = { sizeof s, PSH_MODEL_PROPHET, PSH_MODEL_NONNEGATIVE, 48, { 24, 0, 0 } };
    psh_env *env = NULL;
    double y[N], mean[48], worst = 0;
    psh_model *m;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < N; i++)
        y[i] = swing(i);
    assert_ok(psh_model_fit(env, &s, y, N, &m, NULL));
    assert_ok(psh_model_forecast(m, 48, NULL, NULL, 0, mean, NULL));
    for (i = 0; i < 48; i++)
        worst = fmax(worst, fabs(mean[i] / swing(N + i) - 1));
    assert_true(worst < 0.02); /* as terms the swing would lag by a third */
    psh_model_destroy(m);
    psh_env_destroy(env);
}

/* A trend that changed often may do so again: intervals widen with the lead; those of a straight line hardly. */
static void trend_is_uncertain(void **state) {
    psh_model_spec s = { sizeof s, PSH_MODEL_PROPHET, 0, 100, { 24, 0, 0 } };
    static const double levels[] = { 0.1, 0.9 };
    psh_env *env = NULL;
    double y[N], mean[100], q[200], ratio[2], t, slope;
    uint64_t r;
    psh_model *m;
    size_t i, wild;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (wild = 0; wild < 2; wild++) {
        r = 4;
        t = 300;
        slope = 0.3;
        for (i = 0; i < N; i++) {
            if (wild && i % 80 == 79)
                slope = -slope;
            t += slope;
            y[i] = t + noise(&r);
        }
        assert_ok(psh_model_fit(env, &s, y, N, &m, NULL));
        assert_ok(psh_model_forecast(m, 100, NULL, levels, 2, mean, q));
        ratio[wild] = (q[199] - q[198]) / (q[1] - q[0]);
        psh_model_destroy(m);
    }
    assert_true(ratio[0] >= 1 && ratio[0] < 1.5);
    assert_true(ratio[1] > 3);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_found),
        cmocka_unit_test(factors_are_found),
        cmocka_unit_test(trend_is_uncertain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
