/* SPDX-License-Identifier: MIT */
/* Regression on lags: what depends on lags, seasons and regressors is found; logs; state and regressors agree. */
#include <math.h>
#include <stdlib.h>

#include "base/env.h"
#include "base/rng.h"
#include "codec/frame.h"
#include "math/stats.h"
#include "model/model.h"
#include "test.h"

#define N 1200u

static double noise(uint64_t *r) {
    double u = pshi_rng_unit(r);

    return pshi_normal_quantile(u < 1e-9 ? 1e-9 : u);
}

static double season(size_t i) {
    return 100 + 30 * sin(6.283185307179586 * (double)(i % 24) / 24);
}

/* Season plus AR(1) with 0.9: the next value hangs on the last one, one a day ahead hardly. */
static void recent_values_count(void **state) {
    psh_model_spec s = { sizeof s, PSH_MODEL_LAG, 0, 24, { 24, 0, 0 } };
    psh_env *env = NULL;
    double y[N + 1], a = 0, mean[24], q[48], sum = 0, base = 0, e;
    static const double levels[] = { 0.1, 0.9 };
    uint64_t r = 5;
    psh_model *m;
    size_t i, in = 0;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i <= N; i++) {
        a = 0.9 * a + noise(&r);
        y[i] = season(i) + a;
    }
    assert_ok(psh_model_fit(env, &s, y, N / 2, &m, NULL));
    for (i = N / 2; i < N; i++) {
        assert_ok(psh_model_forecast(m, 24, NULL, levels, 2, mean, q));
        in += y[i] >= q[0] && y[i] <= q[1];
        e = y[i] - mean[0];
        sum += e * e;
        e = y[i] - season(i);
        base += e * e;
        assert_ok(psh_model_update(m, y[i], NULL));
    }
    /* The noise has variance 1, the series about its season 1 / (1 - 0.81) = 5.3. */
    assert_true(sum / (N / 2) < 1.35 && sum < 0.4 * base);
    assert_true(in > 0.74 * (N / 2) && in < 0.88 * (N / 2)); /* 80 % asked for */
    assert_true(q[47] - q[46] > 1.5 * (q[1] - q[0]));
    psh_model_destroy(m);
    psh_env_destroy(env);
}

static void regressors_count(void **state) {
    psh_model_spec s = { sizeof s, PSH_MODEL_LAG, 0, 48, { 24, 0, 0 }, 2 };
    psh_env *env = NULL;
    double y[N], x[2 * N], ahead[2 * 48] = { 0 }, with[48], without[48];
    uint64_t r = 9;
    psh_model *m;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < N; i++) {
        x[2 * i] = i % 41 < 6;
        x[2 * i + 1] = noise(&r);
        y[i] = season(i) + 40 * x[2 * i] + noise(&r);
    }
    s.regressors = x;
    assert_ok(psh_model_fit(env, &s, y, N, &m, NULL));
    assert_ok(psh_model_forecast(m, 48, ahead, NULL, 0, without, NULL));
    for (i = 0; i < 48; i++)
        ahead[2 * i] = 1;
    assert_ok(psh_model_forecast(m, 48, ahead, NULL, 0, with, NULL));
    for (i = 0; i < 48; i++)
        assert_true(with[i] - without[i] > 30 && with[i] - without[i] < 50); /* lags carry some of it */
    assert_int_equal(psh_model_forecast(m, 48, NULL, NULL, 0, with, NULL), PSH_E_INVALID);
    psh_model_destroy(m);
    psh_env_destroy(env);
}

/* Counts of a lognormal law about a season: forecasts are its median, quantiles are of the law. */
static void counts_in_logs(void **state) {
    psh_model_spec s = { sizeof s, PSH_MODEL_LAG, PSH_MODEL_NONNEGATIVE, 24, { 24, 0, 0 } };
    psh_env *env = NULL;
    double y[N], mean[24], q[48], share = 0;
    static const double levels[] = { 0.05, 0.95 };
    uint64_t r = 3;
    psh_model *m;
    size_t i, k;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (k = 0; k < 20; k++) {
        for (i = 0; i < N; i++)
            y[i] = season(i) * exp(0.5 * noise(&r));
        assert_ok(psh_model_fit(env, &s, y, N, &m, NULL));
        assert_ok(psh_model_forecast(m, 24, NULL, levels, 2, mean, q));
        for (i = 0; i < 24; i++) {
            share += log(mean[i] / season(N + i)) / 24 / 20;
            assert_true(q[2 * i] > 0.2 * mean[i] && q[2 * i] < 0.65 * mean[i]);
            assert_true(q[2 * i + 1] > 1.7 * mean[i] && q[2 * i + 1] < 3.5 * mean[i]);
        }
        psh_model_destroy(m);
    }
    assert_true(fabs(share) < 0.06); /* the law's mean is 0.125 above */
    psh_env_destroy(env);
}

typedef struct other_count {
    void *state;
    uint32_t x_count;
} other_count;

static void encode_model(pshi_writer *w, const void *user) {
    const other_count *o = user;

    pshi_put_var(w, PSH_MODEL_LAG);
    pshi_put_var(w, 0);
    pshi_put_var(w, o->x_count);
    pshi_model_lag.save(o->state, w);
}

/* A state of three regressors under a model that says two would read past the caller's. */
static void counts_must_agree(void **state) {
    psh_env *env = NULL;
    double y[50], x[150] = { 0 };
    pshi_fit in = { 0 };
    other_count o = { NULL, 3 };
    psh_model *m = NULL;
    psh_buffer *out = NULL;
    size_t i, bytes;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < 50; i++)
        y[i] = (double)i;
    in.env = env;
    in.y = y;
    in.n = 50;
    in.horizon = 4;
    in.x_count = 3;
    in.x = x;
    assert_ok(pshi_model_lag.fit(&in, &o.state, &bytes));
    assert_ok(psh_buffer_create(env, &out));
    assert_ok(pshi_frame_save(out, PSHI_KIND_MODEL, encode_model, &o));
    assert_ok(psh_model_load(env, psh_buffer_data(out), psh_buffer_size(out), 0, &m, NULL));
    psh_model_destroy(m);
    psh_buffer_clear(out);
    o.x_count = 2;
    assert_ok(pshi_frame_save(out, PSHI_KIND_MODEL, encode_model, &o));
    assert_int_equal(
        psh_model_load(env, psh_buffer_data(out), psh_buffer_size(out), 0, &m, NULL), PSH_E_CORRUPT);
    pshi_free(env, o.state);
    psh_buffer_destroy(out);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recent_values_count), cmocka_unit_test(regressors_count),
        cmocka_unit_test(counts_in_logs),      cmocka_unit_test(counts_must_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
