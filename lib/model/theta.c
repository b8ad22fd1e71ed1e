/* SPDX-License-Identifier: MIT */
/*
 * Assimakopoulos & Nikolopoulos, "The theta model", International Journal of Forecasting 16, 2000, in the form of
 * Hyndman & Billah, "Unmasking the Theta method", IJF 19, 2003: simple exponential smoothing with half the trend as
 * drift, of the seasonally adjusted series. DOTM: dotm.c.
 */
#include "model/theta.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "model/decompose.h"
#include "model/ets.h"

#define LEAST_FACTOR 1e-4
#define MOST_FACTOR 1e6
#define MOST_STATE 0x1p200
#define MOST_VARIANCE 0x1p420
#define MOST_COUNT 0x1p53

static size_t theta_bytes(uint32_t m) {
    return sizeof(pshi_theta) + m * sizeof(double);
}

static double season_off(const pshi_theta *s, uint32_t at, double y) {
    return s->times ? y / s->season[at] : y - s->season[at];
}

/* Takes the season off y: a multiplicative one, or an additive one where values or factors are not positive. */
static void adjust(pshi_theta *s, double *y, size_t n, uint32_t m) {
    double least = HUGE_VAL;
    size_t i;
    uint32_t k;

    s->times = 1;
    for (i = 0; i < n; i++)
        s->times = s->times && y[i] > 0;
    pshi_decompose(y, n, m, (int)s->times, s->season);
    for (k = 0; k < m; k++)
        least = fmin(least, s->season[k]);
    if (s->times && !(least >= LEAST_FACTOR)) {
        s->times = 0;
        pshi_decompose(y, n, m, 0, s->season);
    }
    if (s->dynamic)
        pshi_shrink_season(y, n, m, (int)s->times, s->season);
    for (i = 0; i < n; i++)
        y[i] = season_off(s, (uint32_t)(i % m), y[i]);
    s->at = (uint32_t)(n % m);
}

/* SES with drift (Hyndman & Billah, section 3). */
static psh_status fit_drift(psh_env *env, const double *y, size_t n, pshi_theta *s) {
    const pshi_ets_choice simple = { 0, PSHI_ETS_NONE, 0 };
    pshi_fit in = { 0 };
    pshi_ets *e;
    psh_status st;
    double middle = ((double)n - 1) / 2, sxy = 0, sxx = 0;
    size_t i;

    in.env = env;
    in.y = y;
    in.n = n;
    in.horizon = 1;
    st = pshi_ets_fit(&in, &simple, &e);
    if (st != PSH_OK)
        return st;
    for (i = 0; i < n; i++) {
        sxy += ((double)i - middle) * y[i];
        sxx += ((double)i - middle) * ((double)i - middle);
    }
    s->alpha = e->alpha;
    s->level = e->level;
    s->variance = e->variance;
    s->drift = sxx > 0 ? sxy / sxx / 2 : 0;
    s->count = (double)n;
    s->power = pow(1 - e->alpha, s->count);
    pshi_free(env, e);
    return PSH_OK;
}

static void scale_back(pshi_theta *s, double scale) {
    uint32_t k;

    s->level *= scale;
    s->drift *= scale;
    s->mean *= scale;
    s->slope *= scale;
    s->variance *= scale * scale;
    for (k = 0; k < s->m && !s->times; k++)
        s->season[k] *= scale;
}

static psh_status fit_either(const pshi_fit *in, uint32_t dynamic, void **state, size_t *bytes) {
    uint32_t m = pshi_first_season(in);
    size_t n = pshi_recent(in->n, m);
    double scale = pshi_scale(in->y + in->n - n, n), *y = pshi_scaled(in, n, scale);
    pshi_theta *s;
    psh_status st;

    if (!y)
        return PSH_E_NOMEM;
    /* Shrinkage takes the place of the test where there are the three cycles that it needs. */
    if (!(dynamic && m > 3 && n / 3 >= m) && !pshi_is_seasonal(y, n, m))
        m = 1;
    *bytes = theta_bytes(m);
    s = pshi_calloc(in->env, 1, *bytes);
    st = s ? PSH_OK : PSH_E_NOMEM;
    if (s) {
        s->m = m;
        s->dynamic = dynamic;
        if (m > 1)
            adjust(s, y, n, m);
        st = dynamic ? pshi_dotm_fit(in->env, y, n, s) : fit_drift(in->env, y, n, s);
        scale_back(s, scale);
    }
    pshi_free(in->env, y);
    if (st == PSH_OK)
        *state = s;
    else
        pshi_free(in->env, s);
    return st;
}

static psh_status fit_theta(const pshi_fit *in, void **state, size_t *bytes) {
    return fit_either(in, 0, state, bytes);
}

static psh_status fit_dotm(const pshi_fit *in, void **state, size_t *bytes) {
    return fit_either(in, 1, state, bytes);
}

static void update_theta(void *state, double y, const double *x) {
    pshi_theta *s = state;

    (void)x;
    y = season_off(s, s->at, y);
    s->at = s->at + 1 >= s->m ? 0 : s->at + 1;
    if (s->dynamic) {
        pshi_dotm_step(s, y);
        return;
    }
    s->level += s->alpha * (y - s->level);
    s->power *= 1 - s->alpha;
    s->count = fmin(s->count + 1, MOST_COUNT);
}

/* The next of the adjusted series, h steps on; of the dynamic model each forecast counts as the value. */
static double next_of(pshi_theta *s, uint32_t h) {
    double x;

    if (!s->dynamic)
        return s->level + s->drift * (h + (1 - s->power) / s->alpha);
    x = pshi_dotm_next(s);
    pshi_dotm_step(s, x);
    return x;
}

static psh_status forecast_theta(psh_env *env, const void *state, const pshi_ahead *a) {
    const pshi_theta *s = state;
    pshi_theta path = *s;
    uint32_t h, at = s->at;
    double x, sd;

    (void)env;
    for (h = 0; h < a->steps; h++) {
        x = next_of(&path, h);
        a->mean[h] = s->times ? x * s->season[at] : x + s->season[at];
        if (a->sd) {
            sd = sqrt(s->variance * (1 + h * s->alpha * s->alpha));
            a->sd[h] = s->times ? sd * s->season[at] : sd;
        }
        at = at + 1 >= s->m ? 0 : at + 1;
    }
    return PSH_OK;
}

static void dump_theta(const void *state, pshi_writer *w) {
    const pshi_theta *s = state;

    pshi_text(w, s->times ? "times season " : "plus season ");
    pshi_text_u64(w, s->m);
    pshi_text(w, " alpha ");
    pshi_text_f64(w, s->alpha);
    pshi_text(w, s->dynamic ? " theta " : " drift ");
    pshi_text_f64(w, s->dynamic ? 1 / (1 - s->weight) : s->drift);
    pshi_text(w, " sigma ");
    pshi_text_f64(w, sqrt(s->variance));
}

static void theta_fields(pshi_fields *io, pshi_theta *s) {
    int times = s->times != 0;

    pshi_field_u32(io, &s->at, 0, s->m - 1);
    pshi_field_f64(io, &s->count, 1, MOST_COUNT);
    pshi_field_f64(io, &s->alpha, 1e-6, 1);
    pshi_field_f64(io, &s->weight, 0, 1 - 1e-12);
    pshi_field_f64(io, &s->level, -MOST_STATE, MOST_STATE);
    pshi_field_f64(io, &s->power, 0, 1);
    pshi_field_f64(io, &s->drift, -MOST_STATE, MOST_STATE);
    pshi_field_f64(io, &s->mean, -MOST_STATE, MOST_STATE);
    pshi_field_f64(io, &s->slope, -MOST_STATE, MOST_STATE);
    pshi_field_f64(io, &s->variance, 0, MOST_VARIANCE);
    pshi_field_f64s(io, s->season, s->m, times ? LEAST_FACTOR : -MOST_STATE, times ? MOST_FACTOR : MOST_STATE);
}

static void save_theta(const void *state, pshi_writer *w) {
    pshi_theta *s = (pshi_theta *)(uintptr_t)state; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    pshi_field_u32(&io, &s->m, 1, PSHI_MODEL_MOST_SEASON);
    pshi_field_u32(&io, &s->times, 0, 1);
    theta_fields(&io, s);
}

static void *load_either(psh_env *env, pshi_cursor *c, size_t *bytes, uint32_t dynamic) {
    pshi_fields io = { NULL, c };
    uint32_t m, times;
    pshi_theta *s;

    pshi_field_u32(&io, &m, 1, PSHI_MODEL_MOST_SEASON);
    pshi_field_u32(&io, &times, 0, 1);
    if ((uint64_t)m * sizeof(double) > pshi_read_left(c)) {
        pshi_read_bad(c);
        m = 1;
    }
    *bytes = theta_bytes(m);
    s = pshi_calloc(env, 1, *bytes);
    if (!s)
        return NULL;
    s->m = m;
    s->times = times;
    s->dynamic = dynamic;
    theta_fields(&io, s);
    return s;
}

static void *load_theta(psh_env *env, pshi_cursor *c, size_t *bytes) {
    return load_either(env, c, bytes, 0);
}

static void *load_dotm(psh_env *env, pshi_cursor *c, size_t *bytes) {
    return load_either(env, c, bytes, 1);
}

const pshi_model_class pshi_model_theta = {
    "theta", 0, fit_theta, update_theta, forecast_theta, NULL, dump_theta, save_theta, load_theta
};
const pshi_model_class pshi_model_dotm = {
    "dotm", 0, fit_dotm, update_theta, forecast_theta, NULL, dump_theta, save_theta, load_dotm
};
