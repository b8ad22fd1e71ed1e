/* SPDX-License-Identifier: MIT */
/* A series that obeys the model's own equation is forecast by it. */
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "math/stats.h"
#include "test.h"

#define T 24u
#define N 1440u

/* y(t) = 0.7 y(t - T) + 0.3 y(t - 2T) + 0.3 dy(t - 1) + e, dy over all seven rounds, about a first round. */
static double expected_next(const double *y, size_t t) {
    double mean = 0;
    size_t k;

    for (k = 1; k <= 7; k++)
        mean += y[t - 1 - k * T] / 7;
    return 0.7 * y[t - T] + 0.3 * y[t - 2 * T] + 0.3 * (y[t - 1] - mean);
}

static void make_series(double *y, size_t n) {
    uint64_t r = 11;
    size_t i;

    for (i = 0; i < n; i++) {
        y[i] = i < 8 * T ? 100 + 40 * sin(6.283185307179586 * (double)(i % T) / T) : expected_next(y, i);
        y[i] += pshi_normal_quantile(0.001 + 0.998 * pshi_rng_unit(&r));
    }
}

static void finds_its_equation(void **state) {
    psh_model_spec s = { sizeof s, PSH_MODEL_SPAR, 0, 30, { T, 0, 0 } };
    psh_env *env = NULL;
    double *y = malloc((N + 400) * sizeof *y), mean[30], e, sum = 0, own = 0, naive = 0;
    psh_model *m;
    size_t t;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    make_series(y, N + 400);
    assert_ok(psh_model_fit(env, &s, y, N, &m, NULL));
    for (t = N; t < N + 400; t++) {
        assert_ok(psh_model_forecast(m, 30, NULL, NULL, 0, mean, NULL));
        e = mean[0] - expected_next(y, t);
        sum += e * e;
        e = mean[0] - y[t];
        own += e * e;
        e = y[t - T] - y[t];
        naive += e * e;
        assert_ok(psh_model_update(m, y[t], NULL));
    }
    assert_true(sum / 400 < 0.15); /* of a noise of variance 1 */
    assert_true(own / 400 < 1.25 && own < 0.85 * naive);
    free(y);
    psh_model_destroy(m);
    psh_env_destroy(env);
}

/* A pure season goes on, also more than a period ahead, and after an update from any place of the ring. */
static void beyond_a_period(void **state) {
    psh_model_spec s = { sizeof s, PSH_MODEL_SPAR, 0, 60, { 12, 0, 0 } };
    psh_env *env = NULL;
    double y[200], mean[60];
    psh_model *m;
    size_t i, k;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < 200; i++)
        y[i] = 10 + (double)(i % 12 * (i % 12));
    for (k = 37; k < 130; k += 13) {
        assert_ok(psh_model_fit(env, &s, y, k, &m, NULL));
        for (i = k; i < k + 7; i++)
            assert_ok(psh_model_update(m, y[i], NULL));
        assert_ok(psh_model_forecast(m, 60, NULL, NULL, 0, mean, NULL));
        for (i = 0; i < 60; i++)
            assert_true(fabs(mean[i] - y[k + 7 + i]) < 0.5);
        psh_model_destroy(m);
    }
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(finds_its_equation), cmocka_unit_test(beyond_a_period) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
