/* SPDX-License-Identifier: MIT */
#include "model/model.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "codec/frame.h"
#include "math/stats.h"

#define MOST_REGRESSORS 64u
#define MOST_LEVELS 64u
#define NO_SEASON_HORIZON 8u

struct psh_model {
    psh_env *env;
    const pshi_model_class *class;
    void *state;
    size_t bytes;
    uint32_t kind;
    uint32_t flags;
    uint32_t x_count;
};

static psh_status check_seasons(const psh_model_spec *s, psh_error *err) {
    uint32_t i;

    for (i = 0; i < 3; i++) {
        if (s->season[i] && (s->season[i] < 2 || s->season[i] > PSHI_MODEL_MOST_SEASON))
            return pshi_fail_at(err, PSH_E_INVALID, "season", i, "must be 2 to 65536, or 0");
        if (i && s->season[i] && s->season[i] <= s->season[i - 1])
            return pshi_fail_at(err, PSH_E_INVALID, "season", i, "seasons must ascend");
        if (i && s->season[i] && !s->season[i - 1])
            return pshi_fail_at(err, PSH_E_INVALID, "season", i, "stands behind an empty one");
    }
    return PSH_OK;
}

static psh_status check_values(const double *x, size_t n, const char *field, psh_error *err) {
    size_t i;

    for (i = 0; i < n; i++)
        if (!(fabs(x[i]) <= PSHI_MODEL_MOST_VALUE))
            return pshi_fail_at(err, PSH_E_INVALID, field, i, "must be finite, at most 2^100");
    return PSH_OK;
}

static psh_status check_spec(
    const psh_model_spec *s, const double *values, size_t n, const pshi_model_class **class, psh_error *err) {
    psh_status st;

    *class = pshi_model_class_of(s->kind);
    if (!*class)
        return pshi_fail(err, PSH_E_INVALID, "kind", "is no PSH_MODEL_*");
    if (s->flags & ~PSH_MODEL_NONNEGATIVE)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    if (s->horizon > PSH_MODEL_MOST_STEPS)
        return pshi_fail(err, PSH_E_INVALID, "horizon", "must be 1 to 65536");
    if (n < 1 || n > PSH_MODEL_MOST_VALUES || !values)
        return pshi_fail(err, PSH_E_INVALID, "values", "there must be 1 to 2^22 of them");
    if (s->regressor_count > MOST_REGRESSORS || (s->regressor_count && !s->regressors))
        return pshi_fail(err, PSH_E_INVALID, "regressors", "at most 64, with values");
    if (s->regressor_count && !(*class)->takes_x)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "regressors", "this kind of model takes none");
    st = check_seasons(s, err);
    if (st == PSH_OK)
        st = check_values(values, n, "values", err);
    if (st == PSH_OK)
        st = check_values(s->regressors, n * s->regressor_count, "regressors", err);
    return st;
}

/* The nearest value that is no guess: a season away and farther, then a step away and farther; 0 if all are masked. */
static double unmasked_near(const double *y, const uint8_t *mask, size_t n, size_t i, size_t step) {
    size_t d;

    for (d = step; d < n; d += step) {
        if (i >= d && !mask[i - d])
            return y[i - d];
        if (i + d < n && !mask[i + d])
            return y[i + d];
    }
    return step > 1 ? unmasked_near(y, mask, n, i, 1) : 0;
}

static double *fill_masked(psh_env *env, const psh_model_spec *s, const double *values, size_t n) {
    double *y = pshi_alloc(env, n * sizeof *y);
    uint32_t k = 0;
    size_t i, m;

    if (!y)
        return NULL;
    while (k < 2 && s->season[k + 1] && s->season[k + 1] < n)
        k++;
    m = s->season[k] && s->season[k] < n ? s->season[k] : 1;
    for (i = 0; i < n; i++)
        y[i] = s->mask[i] ? unmasked_near(values, s->mask, n, i, m) : values[i];
    return y;
}

static void describe_fit(psh_env *env, const psh_model_spec *s, const double *y, size_t n, pshi_fit *in) {
    memset(in, 0, sizeof *in);
    in->env = env;
    in->y = y;
    in->n = n;
    in->mask = s->mask;
    memcpy(in->season, s->season, sizeof in->season);
    while (in->seasons < 3 && in->season[in->seasons])
        in->seasons++;
    in->horizon = s->horizon ? s->horizon : in->seasons ? 2 * in->season[0] : NO_SEASON_HORIZON;
    if (in->horizon > PSH_MODEL_MOST_STEPS)
        in->horizon = PSH_MODEL_MOST_STEPS;
    in->x_count = s->regressor_count;
    in->x = s->regressors;
    in->seed = s->seed;
    in->nonnegative = s->flags & PSH_MODEL_NONNEGATIVE ? 1 : 0;
}

static psh_status make_model(
    psh_env *env, const psh_model_spec *s, const pshi_model_class *class, const double *y, size_t n, psh_model **out) {
    psh_model *m = pshi_calloc(env, 1, sizeof *m);
    pshi_fit in;
    psh_status st;

    if (!m)
        return PSH_E_NOMEM;
    describe_fit(env, s, y, n, &in);
    m->env = env;
    m->class = class;
    m->kind = s->kind;
    m->flags = s->flags;
    m->x_count = s->regressor_count;
    st = class->fit(&in, &m->state, &m->bytes);
    if (st == PSH_OK)
        *out = m;
    else
        pshi_free(env, m);
    return st;
}

psh_status psh_model_fit(
    psh_env *env, const psh_model_spec *spec, const double *values, size_t n, psh_model **out, psh_error *err) {
    const pshi_model_class *class;
    psh_model_spec s;
    double *filled = NULL;
    psh_status st;

    if (out)
        *out = NULL;
    if (!env || !spec || !out)
        return pshi_fail(err, PSH_E_INVALID, !env ? "env" : !spec ? "spec" : "out", "is NULL");
    memset(&s, 0, sizeof s);
    if ((st = pshi_options_copy(&s, sizeof s, spec, err)) != PSH_OK)
        return st;
    if ((st = check_spec(&s, values, n, &class, err)) != PSH_OK)
        return st;
    if (s.mask && !(filled = fill_masked(env, &s, values, n)))
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the model");
    st = make_model(env, &s, class, filled ? filled : values, n, out);
    pshi_free(env, filled);
    return st == PSH_OK ? st : pshi_fail(err, st, "", "no memory for the model");
}

void pshi_model_release(psh_env *env, const pshi_model_class *class, void *state) {
    if (state && class->release)
        class->release(env, state);
    else
        pshi_free(env, state);
}

void psh_model_destroy(psh_model *m) {
    if (!m)
        return;
    if (m->class)
        pshi_model_release(m->env, m->class, m->state);
    pshi_free(m->env, m);
}

psh_status psh_model_update(psh_model *m, double value, const double *x) {
    if (!m || !(fabs(value) <= PSHI_MODEL_MOST_VALUE) || (m->x_count && !x))
        return PSH_E_INVALID;
    if (check_values(x, m->x_count, "x", NULL) != PSH_OK)
        return PSH_E_INVALID;
    m->class->update(m->state, value, x);
    return PSH_OK;
}

static void normal_quantiles(const pshi_ahead *a, const double *levels, uint32_t level_count, double *out) {
    double z[MOST_LEVELS];
    uint32_t h, k;

    for (k = 0; k < level_count; k++)
        z[k] = pshi_normal_quantile(levels[k]);
    for (h = 0; h < a->steps; h++)
        for (k = 0; k < level_count; k++)
            *out++ = a->mean[h] + z[k] * a->sd[h];
}

static void keep_nonnegative(double *x, size_t n) {
    size_t i;

    for (i = 0; i < n; i++)
        x[i] = x[i] > 0 ? x[i] : 0;
}

static psh_status forecast_quantiles(
    const psh_model *m, pshi_ahead *a, const double *levels, uint32_t level_count, double *out) {
    psh_status st;

    a->sd = pshi_alloc(m->env, a->steps * sizeof(double));
    if (!a->sd)
        return PSH_E_NOMEM;
    st = m->class->forecast(m->env, m->state, a);
    if (st == PSH_OK && m->class->quantiles)
        st = m->class->quantiles(m->env, m->state, a, levels, level_count, out);
    else if (st == PSH_OK)
        normal_quantiles(a, levels, level_count, out);
    pshi_free(m->env, a->sd);
    return st;
}

static int levels_ascend(const double *levels, uint32_t n) {
    uint32_t i;

    for (i = 0; i < n; i++)
        if (!(levels[i] > (i ? levels[i - 1] : 0) && levels[i] < 1))
            return 0;
    return 1;
}

psh_status psh_model_forecast(
    const psh_model *m, uint32_t steps, const double *x, const double *levels, uint32_t level_count, double *mean,
    double *quantiles) {
    pshi_ahead a = { steps, x, mean, NULL };
    psh_status st;

    if (!m || !mean || steps < 1 || steps > PSH_MODEL_MOST_STEPS || level_count > MOST_LEVELS)
        return PSH_E_INVALID;
    if (level_count && (!levels || !quantiles || !levels_ascend(levels, level_count)))
        return PSH_E_INVALID;
    if (m->x_count && (!x || check_values(x, (size_t)steps * m->x_count, "x", NULL) != PSH_OK))
        return PSH_E_INVALID;
    st = level_count ? forecast_quantiles(m, &a, levels, level_count, quantiles)
                     : m->class->forecast(m->env, m->state, &a);
    if (st == PSH_OK && m->flags & PSH_MODEL_NONNEGATIVE) {
        keep_nonnegative(mean, steps);
        keep_nonnegative(quantiles, (size_t)steps * level_count);
    }
    return st;
}

uint32_t psh_model_kind_of(const psh_model *m) {
    return m ? m->kind : 0;
}

size_t psh_model_bytes(const psh_model *m) {
    return m ? sizeof *m + m->bytes : 0;
}

psh_status psh_model_dump(const psh_model *m, psh_buffer *out) {
    pshi_writer w;

    if (!m || !out)
        return PSH_E_INVALID;
    w = pshi_write(out);
    pshi_text(&w, m->class->name);
    pshi_text(&w, " ");
    m->class->dump(m->state, &w);
    pshi_text(&w, "\n");
    return pshi_write_end(&w);
}

static void encode(pshi_writer *w, const void *value) {
    const psh_model *m = value;

    pshi_put_var(w, m->kind);
    pshi_put_var(w, m->flags);
    pshi_put_var(w, m->x_count);
    m->class->save(m->state, w);
}

psh_status psh_model_save(const psh_model *m, psh_buffer *out) {
    return m && out ? pshi_frame_save(out, PSHI_KIND_MODEL, encode, m) : PSH_E_INVALID;
}

static psh_model *decode(psh_env *env, pshi_cursor *c) {
    psh_model *m = pshi_calloc(env, 1, sizeof *m);

    if (!m)
        return NULL;
    m->env = env;
    m->kind = pshi_get_var32(c);
    m->flags = pshi_get_var32(c);
    m->x_count = pshi_get_var32(c);
    m->class = pshi_model_class_of(m->kind);
    if (!m->class || m->flags & ~PSH_MODEL_NONNEGATIVE || m->x_count > MOST_REGRESSORS ||
        (m->x_count && !m->class->takes_x)) {
        pshi_read_bad(c);
        return m;
    }
    m->state = m->class->load(env, c, &m->bytes);
    if (m->state && m->class->takes_x && *(const uint32_t *)m->state != m->x_count)
        pshi_read_bad(c); /* or forecasts would read past the caller's regressors */
    if (m->state)
        return m;
    pshi_free(env, m);
    return NULL;
}

psh_status psh_model_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_model **out, psh_error *err) {
    pshi_frame frame;
    pshi_cursor body;
    psh_model *m;
    psh_status st;

    if (out)
        *out = NULL;
    if (!env || !data || !out)
        return pshi_fail(err, PSH_E_INVALID, !env ? "env" : !data ? "data" : "out", "is NULL");
    st = pshi_frame_load(env, data, size, PSHI_KIND_MODEL, max_bytes, &frame, &body, err);
    if (st != PSH_OK)
        return st;
    m = decode(env, &body);
    st = !m ? pshi_fail(err, PSH_E_NOMEM, "", "no memory for the model") : pshi_read_end(&body);
    pshi_frame_close(&frame);
    if (st == PSH_OK) {
        *out = m;
        return PSH_OK;
    }
    psh_model_destroy(m);
    return st == PSH_E_NOMEM ? st : pshi_fail(err, st, "data", "not a model that this build can have saved");
}
