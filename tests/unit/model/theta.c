/* SPDX-License-Identifier: MIT */
/* Theta against R's forecast package 8.20; the dynamic model against its definition. */
#include <math.h>

#include "model/decompose.h"
#include "model/theta.h"
#include "series.h"
#include "test.h"

static psh_model *fit(psh_env *env, uint32_t kind, const double *y, size_t n, uint32_t season) {
    psh_model_spec s = { sizeof s, kind, 0, 12, { season, 0, 0 } };
    psh_model *m;

    assert_ok(psh_model_fit(env, &s, y, n, &m, NULL));
    return m;
}

/* thetaf(y, h = 12)$mean; the smoothing of ses() there is found to about 1e-4. */
static void as_thetaf(void **state) {
    static const double passengers[] = { 440.0782, 428.3843, 489.7071, 475.7046, 479.6704, 545.3663,
                                         602.7520, 601.1008, 523.9515, 456.6271, 397.9537, 447.6449 };
    static const double flow[] = { 799.8120, 798.4548, 797.0977, 795.7405, 794.3834, 793.0262,
                                   791.6690, 790.3119, 788.9548, 787.5976, 786.2405, 784.8833 };
    double mean[12], level = 0.975, up[12];
    psh_env *env = NULL;
    psh_model *m;
    uint32_t h;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    m = fit(env, PSH_MODEL_THETA, air_passengers, COUNT(air_passengers), 12);
    assert_ok(psh_model_forecast(m, 12, NULL, NULL, 0, mean, NULL));
    for (h = 0; h < 12; h++)
        assert_true(fabs(mean[h] - passengers[h]) < 1e-4 * passengers[h]);
    psh_model_destroy(m);
    m = fit(env, PSH_MODEL_THETA, nile, COUNT(nile), 0);
    assert_ok(psh_model_forecast(m, 12, NULL, &level, 1, mean, up));
    for (h = 0; h < 12; h++)
        assert_true(fabs(mean[h] - flow[h]) < 1e-4 * flow[h]);
    assert_true(fabs(up[0] - 1082.501) < 0.1 && fabs(up[11] - 1149.528) < 0.1); /* $upper */
    psh_model_destroy(m);
    psh_env_destroy(env);
}

/* decompose(y, "multiplicative")$figure of AirPassengers, and the test for a season. */
static void decomposition(void **state) {
    static const double figure[] = { 0.9102304, 0.8836253, 1.0073663, 0.9759060, 0.9813780, 1.1127758,
                                     1.2265555, 1.2199110, 1.0604919, 0.9217572, 0.8011781, 0.8988244 };
    double season[12];
    uint32_t k;

    (void)state;
    pshi_decompose(air_passengers, COUNT(air_passengers), 12, 1, season);
    for (k = 0; k < 12; k++)
        assert_true(fabs(season[k] - figure[k]) < 1e-6);
    assert_true(pshi_is_seasonal(air_passengers, COUNT(air_passengers), 12));
    assert_true(pshi_is_seasonal(us_deaths, COUNT(us_deaths), 12));
    assert_false(pshi_is_seasonal(nile, COUNT(nile), 12));
    pshi_decompose(us_deaths, COUNT(us_deaths), 12, 0, season);
    assert_true(fabs(season[0] + 805.892361) < 1e-5); /* decompose(USAccDeaths)$figure[1] */
}

/* A strong season is hardly touched, one of noise loses most of its size: 16 equally likely values, five cycles. */
static void shrinkage(void **state) {
    double season[12], shrunk[12], y[60], before = 0, after = 0;
    uint32_t r = 5, k;

    (void)state;
    pshi_decompose(air_passengers, COUNT(air_passengers), 12, 1, season);
    memcpy(shrunk, season, sizeof shrunk);
    pshi_shrink_season(air_passengers, COUNT(air_passengers), 12, 1, shrunk);
    for (k = 0; k < 12; k++)
        assert_true(fabs(shrunk[k] - season[k]) < 0.02 * fabs(season[k] - 1) + 1e-12);
    for (k = 0; k < 60; k++)
        y[k] = 50 + (double)((r = r * 1103515245 + 12345) >> 28);
    pshi_decompose(y, 60, 12, 0, season);
    memcpy(shrunk, season, sizeof shrunk);
    pshi_shrink_season(y, 60, 12, 0, shrunk);
    for (k = 0; k < 12; k++) {
        before += season[k] * season[k];
        after += shrunk[k] * shrunk[k];
    }
    assert_true(after < 0.3 * before);
}

/* The line through the first t values by least squares: intercept at 0 and slope. */
static void line_through(const double *y, size_t t, double *a, double *b) {
    double sx = 0, sy = 0, sxx = 0, sxy = 0, n = (double)t;
    size_t i;

    for (i = 1; i <= t; i++) {
        sx += (double)i;
        sy += y[i - 1];
        sxx += (double)i * (double)i;
        sxy += (double)i * y[i - 1];
    }
    *b = t > 1 ? (n * sxy - sx * sy) / (n * sxx - sx * sx) : 0;
    *a = (sy - *b * sx) / n;
}

/* The forecast of value t + 1 as the paper defines it: from level and from the line through the first t values. */
static double defined(const double *y, size_t t, double first, double alpha, double theta) {
    double level = first, a, b, power = pow(1 - alpha, (double)t);
    size_t i;

    for (i = 0; i < t; i++)
        level = alpha * y[i] + (1 - alpha) * level;
    line_through(y, t, &a, &b);
    return level + (1 - 1 / theta) * (power * a + (1 - power * (1 - alpha)) / alpha * b);
}

static void recursion_is_the_definition(void **state) {
    pshi_theta s = { 1, 0, 0, 1, 0, 0.3, 0.5, 600, 1, 0, 0, 0, 0 };
    size_t t;

    (void)state;
    for (t = 0; t < COUNT(nile); t++) {
        if (t > 0)
            assert_true(fabs(pshi_dotm_next(&s) - defined(nile, t, 600, 0.3, 2)) < 1e-6);
        pshi_dotm_step(&s, nile[t]);
    }
}

static double squares(const double *y, size_t n, double first, double alpha, double theta) {
    double sum = 0, e;
    size_t t;

    for (t = 2; t < n; t++) {
        e = y[t] - defined(y, t, first, alpha, theta);
        sum += e * e;
    }
    return sum;
}

/* No other first level, alpha and theta within the bounds fit better. */
static void least_squares(void **state) {
    pshi_theta s = { 1 };
    psh_env *env = NULL;
    double best, first, alpha, theta, n = 60;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(pshi_dotm_fit(env, www_usage, (size_t)n, &s));
    best = s.variance * (n - 5);
    assert_true(s.alpha >= 0.1 && s.alpha <= 0.99 && s.weight >= 0 && s.weight < 1);
    for (first = 0; first <= 150; first += 15)
        for (alpha = 0.1; alpha < 1; alpha += 0.0889)
            for (theta = 1; theta < 300; theta *= 2)
                assert_true(squares(www_usage, (size_t)n, first, alpha, theta) >= best * (1 - 1e-9));
    psh_env_destroy(env);
}

/* Both follow a trend; a season that the test finds is in the forecast, one that is not there is not. */
static void trends_and_seasons(void **state) {
    double y[120], mean[12];
    psh_env *env = NULL;
    psh_model *m;
    uint32_t kind, h, r = 5;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (kind = PSH_MODEL_THETA; kind <= PSH_MODEL_DOTM; kind++) {
        for (i = 0; i < 120; i++)
            y[i] = 100 + (double)i + (i % 12 < 6 ? 20 : -20) - (double)(i * 31 % 7);
        m = fit(env, kind, y, 120, 12);
        assert_ok(psh_model_forecast(m, 12, NULL, NULL, 0, mean, NULL));
        assert_true(mean[0] - mean[6] > 20 && mean[11] > 190 && mean[11] < 235);
        for (i = 0; i < 6; i++)
            assert_ok(psh_model_update(m, 100 + 120 + (double)i + 20 - 3, NULL));
        assert_ok(psh_model_forecast(m, 1, NULL, NULL, 0, mean, NULL));
        assert_true(fabs(mean[0] - 203) < 20);
        psh_model_destroy(m);
        for (i = 0; i < 120; i++)
            y[i] = 50 + (double)((r = r * 1103515245 + 12345) >> 28);
        assert_false(pshi_is_seasonal(y, 120, 12));
        m = fit(env, kind, y, 120, 12);
        assert_ok(psh_model_forecast(m, 12, NULL, NULL, 0, mean, NULL));
        for (h = 1; h < 11; h++)
            assert_true(fabs(mean[h + 1] - 2 * mean[h] + mean[h - 1]) < (kind == PSH_MODEL_THETA ? 0.05 : 4));
        psh_model_destroy(m);
    }
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_thetaf),     cmocka_unit_test(decomposition),
        cmocka_unit_test(least_squares), cmocka_unit_test(recursion_is_the_definition),
        cmocka_unit_test(trends_and_seasons), cmocka_unit_test(shrinkage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
