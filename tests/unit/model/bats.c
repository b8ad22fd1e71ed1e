/* SPDX-License-Identifier: MIT */
/* Reference figures: R 4, package forecast 8.20, function tbats. */
#include <math.h>
#include <stdlib.h>

#include "base/env.h"
#include "model/bats.h"
#include "rdata.h"
#include "test.h"

#define MOST_DIM 40u

static double uniform(uint64_t *r) {
    *r = *r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(*r >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t *r) {
    double u = uniform(r);

    return sqrt(-2 * log(u)) * cos(6.283185307179586 * uniform(r));
}

/* R: f <- tbats(USAccDeaths, use.box.cox=FALSE): parameters, seed states (level, s_j, s*_j), errors, variance. */
static void us_acc_deaths_model(pshi_bats *m, pshi_bats_state *x) {
    static const double s[] = { -999.767842410310, 279.847410140804, -193.888700970306, 143.514076807472,
        -35.592892863634 };
    static const double star[] = { -279.820360323304, -319.154092071249, -154.249812081416, -70.332380547687,
        -256.678888002359 };

    memset(m, 0, sizeof *m);
    memset(x, 0, sizeof *x);
    m->form = (pshi_bats_form){ 0, 0, 0, 1, { 12, 0, 0 }, { 5, 0, 0 } };
    m->alpha = 0.595001153315;
    m->gamma[0][0] = -0.0120720201037;
    m->gamma[0][1] = 0.0115970822757;
    assert_true(pshi_bats_turns(m));
    pshi_bats_gains(m);
    x->level = 9357.628241524264;
    memcpy(x->s, s, sizeof s);
    memcpy(x->star, star, sizeof star);
}

static void recursion_agrees_with_r(void **state) {
    static const double errors[] = { 455.259707772, 31.6091783127, -633.397954122, 313.767481159 };
    static const uint32_t at[] = { 0, 1, 12, 71 };
    double e[72], sse, mean[12];
    pshi_bats_state x;
    pshi_bats m;
    uint32_t i;

    (void)state;
    us_acc_deaths_model(&m, &x);
    sse = pshi_bats_run(&m, &x, us_acc_deaths, 72, e);
    for (i = 0; i < 4; i++)
        assert_true(fabs(e[at[i]] - errors[i]) < 1e-5);
    assert_true(fabs(sse / 72 - 64175.61617) < 1e-3);
    for (i = 0; i < 12; i++) {
        mean[i] = pshi_bats_predict(&m, &x);
        pshi_bats_advance(&m, &x, 0);
    }
    /* R: forecast(f, h=12)$mean */
    assert_true(fabs(mean[0] - 8307.5972092) < 1e-4);
    assert_true(fabs(mean[1] - 7533.68016602) < 1e-4);
    assert_true(fabs(mean[11] - 9099.34439294) < 1e-4);
}

/* Row i of F, column i of it is g: the paper's matrices, from its equations, in the order of the struct. */
static uint32_t matrices(const pshi_bats *m, double f[MOST_DIM][MOST_DIM], double *g, double *w) {
    uint32_t h = m->harmonics, d = 2 + 2 * h, e = d + 2, n = e + 2, i, k;
    double gain[MOST_DIM] = { 0 };

    memset(f, 0, MOST_DIM * sizeof *f);
    memset(w, 0, MOST_DIM * sizeof *w);
    f[0][0] = 1;
    f[0][1] = f[1][1] = m->phi;
    gain[0] = m->alpha;
    gain[1] = m->beta;
    w[0] = 1;
    w[1] = m->phi;
    for (i = 0; i < h; i++) {
        f[2 + i][2 + i] = f[2 + h + i][2 + h + i] = m->cosine[i];
        f[2 + i][2 + h + i] = m->sine[i];
        f[2 + h + i][2 + i] = -m->sine[i];
        gain[2 + i] = m->gain[i];
        gain[2 + h + i] = m->gain_star[i];
        w[2 + i] = 1;
    }
    gain[d] = 1;
    f[d + 1][d] = f[e + 1][e] = 1;
    for (k = 0; k < 2; k++) {
        w[d + k] = m->ar[k];
        w[e + k] = m->ma[k];
    }
    for (i = 0; i < d + 1; i++) {
        for (k = 0; k < 2; k++) {
            f[i][d + k] += gain[i] * m->ar[k];
            f[i][e + k] += gain[i] * m->ma[k];
        }
    }
    memcpy(g, gain, sizeof gain);
    g[e] = 1;
    return n;
}

static void pack(const pshi_bats *m, const pshi_bats_state *x, double *out) {
    uint32_t i, n = 0;

    out[n++] = x->level;
    out[n++] = x->slope;
    for (i = 0; i < m->harmonics; i++)
        out[n++] = x->s[i];
    for (i = 0; i < m->harmonics; i++)
        out[n++] = x->star[i];
    for (i = 0; i < 2; i++)
        out[n++] = x->d[i];
    for (i = 0; i < 2; i++)
        out[n++] = x->e[i];
}

static void full_model(pshi_bats *m, pshi_bats_state *x) {
    uint32_t i;

    memset(m, 0, sizeof *m);
    memset(x, 0, sizeof *x);
    m->form = (pshi_bats_form){ PSHI_BATS_TREND_DAMPED, 2, 2, 2, { 12, 30, 0 }, { 5, 4, 0 } };
    m->alpha = 0.2;
    m->beta = 0.03;
    m->phi = 0.9;
    m->gamma[0][0] = 0.01;
    m->gamma[0][1] = -0.02;
    m->gamma[1][0] = 0.005;
    m->gamma[1][1] = 0.003;
    m->ar[0] = 0.5;
    m->ar[1] = -0.2;
    m->ma[0] = 0.3;
    m->ma[1] = 0.1;
    assert_true(pshi_bats_turns(m));
    assert_int_equal(m->harmonics, 9);
    pshi_bats_gains(m);
    x->level = 10;
    x->slope = 0.5;
    for (i = 0; i < 9; i++) {
        x->s[i] = 3 - 0.5 * i;
        x->star[i] = 0.2 * i;
    }
}

/* y_t = w'x + e, x <- F x + g e: the paper's state space form, dense. And D' = (F - g w')' for the rows of the
 * seeds. */
static void steps_are_those_of_the_matrices(void **state) {
    static double f[MOST_DIM][MOST_DIM];
    double g[MOST_DIM], w[MOST_DIM], x[MOST_DIM], next[MOST_DIM], got[MOST_DIM], v[MOST_DIM], sum, gv;
    pshi_bats_state s, dual;
    pshi_bats m;
    uint64_t r = 5;
    uint32_t t, i, k, n;

    (void)state;
    full_model(&m, &s);
    n = matrices(&m, f, g, w);
    pack(&m, &s, x);
    memcpy(v, w, sizeof v);
    pshi_bats_dual(&m, &dual);
    for (t = 0; t < 50; t++) {
        double e = normal(&r);

        for (i = 0, sum = 0, gv = 0; i < n; i++) {
            sum += w[i] * x[i];
            gv += g[i] * v[i];
        }
        assert_true(fabs(pshi_bats_predict(&m, &s) - sum) < 1e-9);
        pshi_bats_advance(&m, &s, e);
        pack(&m, &s, got);
        for (i = 0; i < n; i++)
            for (k = 0, next[i] = g[i] * e; k < n; k++)
                next[i] += f[i][k] * x[k];
        memcpy(x, next, sizeof x);
        for (i = 0; i < n; i++)
            assert_true(fabs(got[i] - x[i]) < 1e-9);
        pack(&m, &dual, got);
        for (i = 0; i < n; i++)
            assert_true(fabs(got[i] - v[i]) < 1e-9);
        for (i = 0; i < n; i++)
            for (k = 0, next[i] = -w[i] * gv; k < n; k++)
                next[i] += f[k][i] * v[k];
        memcpy(v, next, sizeof v);
        pshi_bats_dual_next(&m, &dual);
    }
}

/* The harmonics of 168 leave out those that turn as harmonics of 24 do. */
static void shared_harmonics_count_once(void **state) {
    static const uint32_t season[] = { 24, 168, 0 };
    uint32_t out[12];

    (void)state;
    assert_int_equal(pshi_bats_multiples(season, 0, 12, out), 11);
    assert_int_equal(pshi_bats_multiples(season, 1, 12, out), 12);
    assert_int_equal(out[5], 6);
    assert_int_equal(out[6], 8);
    assert_int_equal(out[11], 13);
}

/* Seeds by least squares are optimal for their parameters: no seed moved a little does better. */
static void seeds_are_optimal(void **state) {
    psh_env *env = NULL;
    pshi_bats_form form = { PSHI_BATS_TREND_LINE, 0, 0, 1, { 12, 0, 0 }, { 3, 0, 0 } };
    double y[72], e[72], by[PSHI_BATS_MOST_SEEDS] = { 0 };
    pshi_bats_state x;
    pshi_bats_fit f;
    uint32_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < 72; i++)
        y[i] = us_acc_deaths[i] / 1e4;
    assert_ok(pshi_bats_fit_begin(&f, env, y, 72));
    pshi_bats_start(&f, &form, 0);
    for (i = 0; i < 16; i++) {
        by[i / 2] = i % 2 ? 1e-4 : -1e-4;
        x = f.seed;
        pshi_bats_seed_add(&f.model, &x, by);
        by[i / 2] = 0;
        assert_true(pshi_bats_run(&f.model, &x, y, 72, e) > f.sse);
    }
    pshi_free(env, f.block);
    psh_env_destroy(env);
}

static psh_model *fit(psh_env *env, const double *y, size_t n, uint32_t s1, uint32_t s2) {
    psh_model_spec s = { sizeof s, PSH_MODEL_BATS, 0, 0, { s1, s2, 0 } };
    psh_model *m = NULL;

    assert_ok(psh_model_fit(env, &s, y, n, &m, NULL));
    return m;
}

/* What stands behind a word in the dump. */
static double dumped(psh_env *env, const psh_model *m, const char *word) {
    psh_buffer *b = NULL;
    char text[900] = { 0 };
    double x;

    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_model_dump(m, b));
    assert_true(psh_buffer_size(b) < sizeof text);
    memcpy(text, psh_buffer_data(b), psh_buffer_size(b));
    assert_non_null(strstr(text, word));
    x = strtod(strstr(text, word) + strlen(word), NULL);
    psh_buffer_destroy(b);
    return x;
}

/* R: tbats(USAccDeaths, use.box.cox=FALSE)$AIC is 1132.915; tbats(log(AirPassengers), use.box.cox=FALSE)$AIC
 * -199.48; tbats(msts(taylor[1:1008], c(48, 336)), use.box.cox=FALSE, use.trend=FALSE, use.arma.errors=FALSE)$AIC
 * 18432.94. Same criterion, other search: hardly worse. */
static void fits_are_as_good_as_r(void **state) {
    psh_env *env = NULL;
    double air[144];
    psh_model *m;
    uint32_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < 144; i++)
        air[i] = log(air_passengers[i]);
    m = fit(env, us_acc_deaths, 72, 12, 0);
    assert_true(dumped(env, m, " aic ") < 1132.915 + 1);
    psh_model_destroy(m);
    m = fit(env, air, 144, 12, 0);
    assert_true(dumped(env, m, " aic ") < -199.48 + 1);
    psh_model_destroy(m);
    m = fit(env, taylor, 1008, 48, 336);
    assert_true(dumped(env, m, " aic ") < 18432.94 + 1);
    psh_model_destroy(m);
    psh_env_destroy(env);
}

/* R: forecast(tbats(USAccDeaths, use.box.cox=FALSE), h=12)$mean[c(1, 2, 12)]: another form may win by a hair of
 * AIC, so means agree to half of R's own standard deviations there, 253, 287 and 564. */
static void forecasts_are_near_those_of_r(void **state) {
    psh_env *env = NULL;
    double mean[12];
    psh_model *m;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    m = fit(env, us_acc_deaths, 72, 12, 0);
    assert_ok(psh_model_forecast(m, 12, NULL, NULL, 0, mean, NULL));
    assert_true(fabs(mean[0] - 8307.597) < 253 / 2.0);
    assert_true(fabs(mean[1] - 7533.680) < 287 / 2.0);
    assert_true(fabs(mean[11] - 9099.344) < 564 / 2.0);
    psh_model_destroy(m);
    psh_env_destroy(env);
}

/* Two seasons and a line, known exactly: the forecast follows both. */
static void two_seasons_go_on(void **state) {
    psh_env *env = NULL;
    double y[500], mean[60];
    uint64_t r = 9;
    psh_model *m;
    uint32_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < 500; i++)
        y[i] = 200 + 0.1 * i + 20 * sin(6.283185307179586 * i / 12) + 9 * cos(6.283185307179586 * i / 84)
             + normal(&r);
    m = fit(env, y, 440, 12, 84);
    assert_true(dumped(env, m, " season 84 harmonics ") >= 1);
    assert_ok(psh_model_forecast(m, 60, NULL, NULL, 0, mean, NULL));
    for (i = 0; i < 60; i++)
        assert_true(fabs(mean[i] - y[440 + i]) < 5);
    psh_model_destroy(m);
    psh_env_destroy(env);
}

/* A season that grows with the level takes a power below 1; its quantiles stay positive and ascend. */
static void growing_season_is_transformed(void **state) {
    static const double levels[] = { 0.01, 0.5, 0.99 };
    psh_env *env = NULL;
    double mean[36], q[108];
    psh_model *m;
    uint32_t h;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    m = fit(env, air_passengers, 144, 12, 0);
    assert_true(dumped(env, m, " power ") < 1);
    assert_ok(psh_model_forecast(m, 36, NULL, levels, 3, mean, q));
    for (h = 0; h < 36; h++) {
        assert_true(q[3 * h] > 0 && q[3 * h] < q[3 * h + 1] && q[3 * h + 1] < q[3 * h + 2]);
        assert_true(fabs(q[3 * h + 1] / mean[h] - 1) < 1e-9);
        /* Wider above than below. */
        assert_true(q[3 * h + 2] - mean[h] > mean[h] - q[3 * h]);
    }
    assert_ok(psh_model_update(m, -5, NULL));
    assert_ok(psh_model_forecast(m, 36, NULL, NULL, 0, mean, NULL));
    for (h = 0; h < 36; h++)
        assert_true(isfinite(mean[h]) && mean[h] > 0);
    psh_model_destroy(m);
    psh_env_destroy(env);
}

/* 80 % intervals of a simulated model of the same kind. */
static void intervals_hold_what_they_say(void **state) {
    static const double levels[] = { 0.1, 0.9 };
    psh_env *env = NULL;
    double y[212], mean[12], q[24], hits = 0, all = 0;
    pshi_bats_state x;
    uint64_t r = 21;
    pshi_bats m;
    uint32_t series, h;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (series = 0; series < 60; series++) {
        psh_model *fitted;

        us_acc_deaths_model(&m, &x);
        m.alpha = 0.3;
        for (h = 0; h < 212; h++) {
            double e = 250 * normal(&r);

            y[h] = pshi_bats_predict(&m, &x) + e;
            pshi_bats_advance(&m, &x, e);
        }
        fitted = fit(env, y, 200, 12, 0);
        assert_ok(psh_model_forecast(fitted, 12, NULL, levels, 2, mean, q));
        for (h = 0; h < 12; h++, all++)
            hits += y[200 + h] >= q[2 * h] && y[200 + h] <= q[2 * h + 1];
        psh_model_destroy(fitted);
    }
    assert_true(hits / all > 0.7 && hits / all < 0.88);
    psh_env_destroy(env);
}

/* Bytes that load accepts give finite answers, whatever they are. */
static void accepted_bytes_are_safe(void **state) {
    psh_env *env = NULL;
    pshi_fit in = { NULL, air_passengers, 144, NULL, 24, 2, { 12, 36, 0 }, 0, NULL, 0, 0 };
    double mean[50], sd[50];
    pshi_ahead ahead = { 50, NULL, mean, sd };
    unsigned char bytes[4096];
    psh_buffer *b = NULL;
    uint64_t r = 77;
    uint32_t i, k, accepted = 0;
    pshi_cursor c;
    pshi_writer w;
    size_t size;
    void *s;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(psh_buffer_create(env, &b));
    in.env = env;
    assert_ok(pshi_model_bats.fit(&in, &s, &size));
    w = pshi_write(b);
    pshi_model_bats.save(s, &w);
    assert_ok(pshi_write_end(&w));
    pshi_free(env, s);
    assert_true(psh_buffer_size(b) < sizeof bytes);
    for (i = 0; i < 20000; i++) {
        memcpy(bytes, psh_buffer_data(b), psh_buffer_size(b));
        for (k = 0; k <= i % 4; k++)
            bytes[(size_t)(uniform(&r) * (double)psh_buffer_size(b))] = (unsigned char)(256 * uniform(&r));
        c = pshi_read(bytes, psh_buffer_size(b));
        s = pshi_model_bats.load(env, &c, &size);
        assert_non_null(s);
        if (pshi_read_end(&c) == PSH_OK) {
            accepted++;
            pshi_model_bats.update(s, -0x1p100, NULL);
            pshi_model_bats.update(s, 0x1p100, NULL);
            assert_ok(pshi_model_bats.forecast(env, s, &ahead));
            for (k = 0; k < 50; k++)
                assert_true(isfinite(mean[k]) && isfinite(sd[k]) && sd[k] >= 0);
        }
        pshi_free(env, s);
    }
    assert_true(accepted > 1000 && accepted < 20000);
    psh_buffer_destroy(b);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recursion_agrees_with_r),
        cmocka_unit_test(steps_are_those_of_the_matrices),
        cmocka_unit_test(shared_harmonics_count_once),
        cmocka_unit_test(seeds_are_optimal),
        cmocka_unit_test(fits_are_as_good_as_r),
        cmocka_unit_test(forecasts_are_near_those_of_r),
        cmocka_unit_test(two_seasons_go_on),
        cmocka_unit_test(growing_season_is_transformed),
        cmocka_unit_test(intervals_hold_what_they_say),
        cmocka_unit_test(accepted_bytes_are_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
