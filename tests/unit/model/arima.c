/* SPDX-License-Identifier: MIT */
/* Reference figures: R 4, package forecast 8.20, stats::arima underneath. */
#include <math.h>
#include <stdlib.h>

#include "base/env.h"
#include "model/arima.h"
#include "rdata.h"
#include "test.h"

#define MOST 4096u

static double uniform(uint64_t *r) {
    *r = *r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(*r >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t *r) {
    double u = uniform(r);

    return sqrt(-2 * log(u)) * cos(6.283185307179586 * uniform(r));
}

static void logs(const double *y, size_t n, double *out) {
    size_t i;

    for (i = 0; i < n; i++)
        out[i] = log(y[i]);
}

/* One order, fitted to a copy of y that is differenced and scaled as arima.c does; the result in y's units. */
static pshi_arima_result fit_fixed(psh_env *env, const double *y, size_t n, pshi_arima_order o, int exact) {
    pshi_arima_work w = { env };
    pshi_arima_result r;
    double x[MOST], scale = 0;
    size_t i, m = n;
    uint32_t k;

    memcpy(x, y, n * sizeof *x);
    for (k = 0; k < o.sd; k++, m -= o.s)
        pshi_arima_difference(x, m, o.s);
    for (k = 0; k < o.d; k++, m--)
        pshi_arima_difference(x, m, 1);
    for (i = 0; i < m; i++)
        scale = fabs(x[i]) > scale ? fabs(x[i]) : scale;
    for (i = 0; i < m; i++)
        x[i] /= scale;
    w.x = x;
    w.n = m;
    w.left = 1e12;
    w.width = 5 + 2 * (size_t)o.s;
    assert_ok(pshi_arima_prepare(&w, o.s));
    pshi_arima_fit_order(&w, &o, exact, NULL, &r);
    pshi_free(env, w.block);
    r.loglik -= (double)m * log(scale);
    r.aicc += 2 * (double)m * log(scale);
    r.variance *= scale * scale;
    if (o.constant)
        r.coef[pshi_arima_count(&o) - 1] *= scale;
    return r;
}

typedef struct reference {
    const char *call;
    const double *y;
    size_t n;
    pshi_arima_order order;
    double coef[6];
    double loglik, aicc, variance;
} reference;

static void fixed_orders_agree_with_r(void **state) {
    double air[144], air12[132];
    const reference refs[] = {
        { "Arima(Nile, c(1,0,1))", nile, 100, { 1, 0, 1, 0, 0, 0, 0, 1 },
            { 0.86107828, -0.51769541, 920.55672665 }, -637.0387892, 1282.498631, 20506.8634 },
        { "Arima(Nile, c(0,1,1), include.drift=TRUE)", nile, 100, { 0, 1, 1, 0, 0, 0, 0, 1 },
            { -0.76457573, -3.25827887 }, -632.1546317, 1270.561895, 20836.4636 },
        { "Arima(lynx, c(2,0,2))", lynx, 114, { 2, 0, 2, 0, 0, 0, 0, 1 },
            { 1.34207599, -0.67380843, -0.20274259, -0.25639676, 1544.40394641 }, -932.0837251, 1876.952497,
            761965.151 },
        { "Arima(WWWusage, c(3,1,0))", www_usage, 100, { 3, 1, 0, 0, 0, 0, 0, 0 },
            { 1.15134013, -0.66122653, 0.34071276 }, -251.996992, 512.419516, 9.65602354 },
        { "Arima(LakeHuron, c(2,0,0))", lake_huron, 98, { 2, 0, 0, 0, 0, 0, 0, 1 },
            { 1.04361357, -0.24949765, 579.04732161 }, -103.6332226, 215.6965526, 0.493941275 },
        { "Arima(log(AirPassengers), c(0,1,1), c(0,1,1))", air, 144, { 0, 1, 1, 0, 1, 1, 12, 0 },
            { -0.4018, -0.5569 }, 244.70, -483.21, 0.001371 },
        { "Arima(log(AirPassengers), c(2,1,1), c(0,1,1))", air, 144, { 2, 1, 1, 0, 1, 1, 12, 0 },
            { 0.55800165, 0.24704528, -0.96462746, -0.55740776 }, 246.1361322, -481.7922645, 0.00134993765 },
        { "Arima(diff(log(AirPassengers), 12), c(2,0,0), c(0,0,1))", air12, 132, { 2, 0, 0, 0, 0, 1, 12, 1 },
            { 0.57540911, 0.26143276, -0.55535024, 0.11853789 }, 249.647759, -488.8193276, 0.00132077383 },
        { "Arima(USAccDeaths, c(0,1,1), c(2,0,0))", us_acc_deaths, 72, { 0, 1, 1, 2, 0, 0, 12, 0 },
            { 0.61090217, 0.32434029, -0.35985614 }, -523.973896, 1056.553853, 113336.358 },
    };
    psh_env *env = NULL;
    pshi_arima_result r;
    size_t i;
    uint32_t k;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    logs(air_passengers, 144, air);
    memcpy(air12, air, sizeof air12);
    for (i = 0; i < 132; i++)
        air12[i] = air[i + 12] - air[i];
    for (i = 0; i < sizeof refs / sizeof *refs; i++) {
        r = fit_fixed(env, refs[i].y, refs[i].n, refs[i].order, 1);
        if (fabs(r.loglik - refs[i].loglik) > 0.02 || fabs(r.aicc - refs[i].aicc) > 0.04)
            fail_msg("%s: loglik %.8g, aicc %.8g", refs[i].call, r.loglik, r.aicc);
        for (k = 0; k < pshi_arima_count(&refs[i].order); k++)
            if (fabs(r.coef[k] - refs[i].coef[k]) > 0.004 * fmax(1, fabs(refs[i].coef[k])))
                fail_msg("%s: coefficient %u is %.8g", refs[i].call, k, r.coef[k]);
        if (fabs(r.variance / refs[i].variance - 1) > 0.02)
            fail_msg("%s: variance %.8g", refs[i].call, r.variance);
    }
    psh_env_destroy(env);
}

/* R: Arima(USAccDeaths, c(1,0,0), c(0,1,1), include.drift=TRUE): drift -11.69324686 a month, ours is the mean of
 * the seasonal difference: twelve times that. */
static void drift_of_a_season(void **state) {
    psh_env *env = NULL;
    pshi_arima_result r;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    r = fit_fixed(env, us_acc_deaths, 72, (pshi_arima_order){ 1, 0, 0, 0, 1, 1, 12, 1 }, 1);
    assert_true(fabs(r.coef[0] - 0.79871693) < 0.01 && fabs(r.coef[1] + 0.57662016) < 0.01);
    assert_true(fabs(r.coef[2] / 12 + 11.69324686) < 0.2);
    assert_true(fabs(r.loglik + 434.9326571) < 0.05);
    psh_env_destroy(env);
}

/* The conditional fit needs no more of a long series than the exact one, and comes close to it. */
static void conditional_is_near_exact(void **state) {
    psh_env *env = NULL;
    pshi_arima_result a, b;
    double y[1500];
    uint64_t r = 7;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < 1500; i++) {
        double e = normal(&r), last = i ? y[i - 1] : 0;

        y[i] = 0.7 * last + e + (i > 12 ? 0.4 * (y[i - 12] - 0.7 * y[i - 13]) : 0);
    }
    a = fit_fixed(env, y, 1500, (pshi_arima_order){ 1, 0, 0, 1, 0, 0, 12, 0 }, 1);
    b = fit_fixed(env, y, 1500, (pshi_arima_order){ 1, 0, 0, 1, 0, 0, 12, 0 }, 0);
    assert_true(fabs(a.coef[0] - 0.7) < 0.06 && fabs(a.coef[1] - 0.4) < 0.07);
    assert_true(fabs(a.coef[0] - b.coef[0]) < 0.01 && fabs(a.coef[1] - b.coef[1]) < 0.01);
    assert_true(fabs(a.variance - 1) < 0.1 && fabs(a.variance - b.variance) < 0.02);
    psh_env_destroy(env);
}

/* The innovations algorithm against the textbook density of an MA(1) and an AR(1) with known autocovariances. */
static void likelihood_of_two_values(void **state) {
    psh_env *env = NULL;
    pshi_arima_work w = { 0 };
    double x[2] = { 1, -0.5 }, r[2], theta = 0.6, beta, g0, g1, det, q, got, want;
    size_t count;
    pshi_arima_order o = { 0 };
    int ar;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    w.env = env;
    w.x = x;
    w.n = 2;
    w.width = 5;
    assert_ok(pshi_arima_prepare(&w, 0));
    for (ar = 0; ar < 2; ar++) {
        o.p = ar ? 1 : 0;
        o.q = ar ? 0 : 1;
        beta = atanh(ar ? theta : -theta);
        g0 = ar ? 1 / (1 - theta * theta) : 1 + theta * theta;
        g1 = ar ? theta * g0 : theta;
        det = g0 * g0 - g1 * g1;
        q = (g0 * (x[0] * x[0] + x[1] * x[1]) - 2 * g1 * x[0] * x[1]) / det;
        want = q * sqrt(det);
        got = pshi_arima_residuals(&w, &o, 1, &beta, r, &count);
        assert_int_equal(count, 2);
        assert_true(fabs(got - want) < 1e-12);
    }
    pshi_free(env, w.block);
    psh_env_destroy(env);
}

static void polynomials(void **state) {
    pshi_arima_order o = { 3, 1, 2, 1, 1, 1, 4, 1 };
    double beta[PSHI_ARIMA_MOST_COEF] = { 0.3, -1.2, 0.5, 0.9, 2, -0.4, 1.1, 3.5 }, coef[PSHI_ARIMA_MOST_COEF];
    double back[PSHI_ARIMA_MOST_COEF], edge[1] = { 0.995 };
    pshi_arima_taps taps;
    uint32_t i;
    double sum = 1;

    (void)state;
    pshi_arima_natural(&o, beta, coef);
    pshi_arima_unconstrained(&o, coef, back);
    for (i = 0; i < pshi_arima_count(&o); i++)
        assert_true(fabs(back[i] - beta[i]) < 1e-9);
    assert_true(pshi_arima_roots_beyond(&o, coef, 1));
    o = (pshi_arima_order){ 1, 0, 0, 0, 0, 0, 0, 0 };
    assert_true(pshi_arima_roots_beyond(&o, edge, 1.001));
    assert_false(pshi_arima_roots_beyond(&o, edge, 1.01));
    /* (1 - B) (1 - B^4) is 0 at B = 1. */
    o = (pshi_arima_order){ 0, 1, 0, 0, 1, 0, 4, 0 };
    pshi_arima_ar(&o, coef, 1, &taps);
    assert_int_equal(taps.n, 3);
    assert_int_equal(taps.most, 5);
    for (i = 0; i < taps.n; i++)
        sum -= taps.by[i];
    assert_true(sum == 0);
}

/* R: urca::ur.kpss(x, type="mu", use.lag=trunc(3*sqrt(length(x))/13))@teststat */
static void kpss_agrees_with_r(void **state) {
    (void)state;
    assert_true(fabs(pshi_arima_kpss(nile, 100) - 1.31522646) < 1e-6);
    assert_true(fabs(pshi_arima_kpss(lynx, 114) - 0.0694650821) < 1e-6);
    assert_true(fabs(pshi_arima_kpss(www_usage, 100) - 0.721974318) < 1e-6);
    assert_true(fabs(pshi_arima_kpss(lake_huron, 98) - 1.22121857) < 1e-6);
}

/* R: m <- mstl(x); 1 - var(remainder) / var(remainder + seasonal) */
static void strength_agrees_with_r(void **state) {
    psh_env *env = NULL;
    double air[144], s;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    logs(air_passengers, 144, air);
    assert_ok(pshi_arima_strength(env, air, 144, 12, &s));
    assert_true(fabs(s - 0.96445397) < 0.01);
    assert_ok(pshi_arima_strength(env, us_acc_deaths, 72, 12, &s));
    assert_true(fabs(s - 0.944794465) < 0.01);
    assert_ok(pshi_arima_strength(env, lynx, 114, 12, &s));
    assert_true(fabs(s - 0.0756238783) < 0.03);
    psh_env_destroy(env);
}

static psh_model *fit(psh_env *env, const double *y, size_t n, uint32_t season) {
    psh_model_spec s = { sizeof s, PSH_MODEL_ARIMA, 0, 0, { season, 0, 0 } };
    psh_model *m = NULL;

    assert_ok(psh_model_fit(env, &s, y, n, &m, NULL));
    return m;
}

/* What stands behind a word in the dump. */
static double dumped(psh_env *env, const psh_model *m, const char *word) {
    psh_buffer *b = NULL;
    char text[600] = { 0 };
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

/* R: auto.arima(x)$aicc, where d and D are the same; here the search may find another order, but hardly a worse
 * one. */
static void chosen_orders_are_as_good_as_r(void **state) {
    static const struct {
        const double *y;
        size_t n;
        uint32_t season;
        double aicc;
    } refs[] = {
        { nile, 100, 0, 1267.51 },      { www_usage, 100, 0, 514.55 }, { lynx, 114, 0, 1876.95 },
        { lake_huron, 98, 0, 220.26 },  { us_acc_deaths, 72, 12, 857.32 },
    };
    psh_env *env = NULL;
    psh_model *m;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < sizeof refs / sizeof *refs; i++) {
        m = fit(env, refs[i].y, refs[i].n, refs[i].season);
        if (dumped(env, m, " aicc ") > refs[i].aicc + 0.1)
            fail_msg("series %zu: aicc %g, in R %g", i, dumped(env, m, " aicc "), refs[i].aicc);
        psh_model_destroy(m);
    }
    psh_env_destroy(env);
}

static void check_ahead(const psh_model *m, const double *mean24, const double *sd24) {
    static const uint32_t at[] = { 1, 2, 12, 24 };
    static const double level[] = { 0.975 };
    double mean[24], q[24];
    uint32_t i;

    assert_ok(psh_model_forecast(m, 24, NULL, level, 1, mean, q));
    for (i = 0; i < 4; i++) {
        assert_true(fabs(mean[at[i] - 1] - mean24[i]) < 2e-4);
        assert_true(fabs((q[at[i] - 1] - mean[at[i] - 1]) / 1.959963985 / sd24[i] - 1) < 0.01);
    }
}

/* R: f <- auto.arima(log(AirPassengers)); p <- forecast(f, h=24, level=95), sd (p$upper - p$mean) / qnorm(.975) */
static void forecasts_agree_with_r(void **state) {
    static const double mean[] = { 6.11018574, 6.05377527, 6.16802488, 6.26427413 };
    static const double sd[] = { 0.037030557, 0.043149885, 0.082270389, 0.139621492 };
    psh_env *env = NULL;
    double air[144];
    psh_model *m;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    logs(air_passengers, 144, air);
    m = fit(env, air, 144, 12);
    check_ahead(m, mean, sd);
    psh_model_destroy(m);
    psh_env_destroy(env);
}

/* R: f <- auto.arima(window(A, end=c(1959, 12))); forecast(Arima(A, model=f), h=12): 1960 comes in by update. */
static void updates_agree_with_r(void **state) {
    psh_env *env = NULL;
    double air[144], mean[12], q[12], level = 0.975;
    psh_model *m;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    logs(air_passengers, 144, air);
    m = fit(env, air, 132, 12);
    for (i = 132; i < 144; i++)
        assert_ok(psh_model_update(m, air[i], NULL));
    assert_ok(psh_model_forecast(m, 12, NULL, &level, 1, mean, q));
    assert_true(fabs(mean[0] - 6.10900962) < 2e-4);
    assert_true(fabs(mean[1] - 6.05278083) < 2e-4);
    assert_true(fabs(mean[11] - 6.16703708) < 2e-4);
    assert_true(fabs((q[0] - mean[0]) / 1.959963985 / 0.036572902 - 1) < 0.01);
    assert_true(fabs((q[11] - mean[11]) / 1.959963985 / 0.087084322 - 1) < 0.01);
    psh_model_destroy(m);
    psh_env_destroy(env);
}

/* A random walk with drift: half of the paths end above the median, and 80 % intervals hold about 80 % of them. */
static void intervals_hold_what_they_say(void **state) {
    static const double levels[] = { 0.1, 0.5, 0.9 };
    psh_env *env = NULL;
    double y[210], mean[10], q[30], hits = 0, above = 0, all = 0;
    uint64_t r = 11;
    psh_model *m;
    uint32_t series, h;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (series = 0; series < 60; series++) {
        double level = 0, e = 0, last;

        for (h = 0; h < 210; h++) {
            last = e;
            e = normal(&r);
            y[h] = level += 0.3 + e + 0.5 * last;
        }
        m = fit(env, y, 200, 0);
        assert_ok(psh_model_forecast(m, 10, NULL, levels, 3, mean, q));
        for (h = 0; h < 10; h++, all++) {
            hits += y[200 + h] >= q[3 * h] && y[200 + h] <= q[3 * h + 2];
            above += y[200 + h] > q[3 * h + 1];
        }
        psh_model_destroy(m);
    }
    assert_true(hits / all > 0.7 && hits / all < 0.88);
    assert_true(above / all > 0.35 && above / all < 0.65);
    psh_env_destroy(env);
}

/* A season too long for seasonal orders is differenced; one beyond every bound, or seen less than twice, is not
 * used. */
static void long_seasons(void **state) {
    psh_env *env = NULL;
    double *y = malloc(MOST * sizeof *y), mean[300];
    uint64_t r = 3;
    psh_model *m;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < MOST; i++)
        y[i] = 100 + 30 * sin(6.283185307179586 * (double)i / 300) + normal(&r);
    m = fit(env, y, 3000, 300);
    assert_true(dumped(env, m, "(0,1,0)[") == 300);
    assert_ok(psh_model_forecast(m, 300, NULL, NULL, 0, mean, NULL));
    for (i = 0; i < 300; i++)
        assert_true(fabs(mean[i] - y[3000 + i]) < 9);
    psh_model_destroy(m);
    m = fit(env, y, 500, 300);
    assert_ok(psh_model_forecast(m, 300, NULL, NULL, 0, mean, NULL));
    psh_model_destroy(m);
    free(y);
    psh_env_destroy(env);
}

/* A straight line goes on, with no doubt; so does a season that repeats. */
static void exact_shapes_go_on(void **state) {
    psh_env *env = NULL;
    double line[60], wave[60], mean[12];
    psh_model *m;
    uint32_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < 60; i++) {
        line[i] = 5 + 3.0 * i;
        wave[i] = 10 + (i % 12) * (i % 12);
    }
    m = fit(env, line, 60, 0);
    assert_ok(psh_model_forecast(m, 12, NULL, NULL, 0, mean, NULL));
    for (i = 0; i < 12; i++)
        assert_true(fabs(mean[i] - (5 + 3.0 * (60 + i))) < 1e-6);
    psh_model_destroy(m);
    m = fit(env, wave, 60, 12);
    assert_ok(psh_model_forecast(m, 12, NULL, NULL, 0, mean, NULL));
    for (i = 0; i < 12; i++)
        assert_true(fabs(mean[i] - wave[i]) < 1e-6);
    psh_model_destroy(m);
    psh_env_destroy(env);
}

/* Bytes that load accepts give finite answers, whatever they are. */
static void accepted_bytes_are_safe(void **state) {
    psh_env *env = NULL;
    pshi_fit in = { NULL, air_passengers, 144, NULL, 24, 1, { 12, 0, 0 }, 0, NULL, 0, 0 };
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
    assert_ok(pshi_model_arima.fit(&in, &s, &size));
    w = pshi_write(b);
    pshi_model_arima.save(s, &w);
    assert_ok(pshi_write_end(&w));
    pshi_free(env, s);
    assert_true(psh_buffer_size(b) < sizeof bytes);
    for (i = 0; i < 20000; i++) {
        memcpy(bytes, psh_buffer_data(b), psh_buffer_size(b));
        for (k = 0; k <= i % 4; k++)
            bytes[(size_t)(uniform(&r) * (double)psh_buffer_size(b))] = (unsigned char)(256 * uniform(&r));
        c = pshi_read(bytes, psh_buffer_size(b));
        s = pshi_model_arima.load(env, &c, &size);
        assert_non_null(s);
        if (pshi_read_end(&c) == PSH_OK) {
            accepted++;
            pshi_model_arima.update(s, -0x1p100, NULL);
            pshi_model_arima.update(s, 0x1p100, NULL);
            assert_ok(pshi_model_arima.forecast(env, s, &ahead));
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
        cmocka_unit_test(fixed_orders_agree_with_r),
        cmocka_unit_test(drift_of_a_season),
        cmocka_unit_test(conditional_is_near_exact),
        cmocka_unit_test(likelihood_of_two_values),
        cmocka_unit_test(polynomials),
        cmocka_unit_test(kpss_agrees_with_r),
        cmocka_unit_test(strength_agrees_with_r),
        cmocka_unit_test(chosen_orders_are_as_good_as_r),
        cmocka_unit_test(forecasts_agree_with_r),
        cmocka_unit_test(updates_agree_with_r),
        cmocka_unit_test(intervals_hold_what_they_say),
        cmocka_unit_test(long_seasons),
        cmocka_unit_test(exact_shapes_go_on),
        cmocka_unit_test(accepted_bytes_are_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
