/* SPDX-License-Identifier: MIT */
/* TBATS: De Livera, Hyndman & Snyder, "Forecasting time series with complex seasonal patterns using exponential
 * smoothing", J. American Statistical Association 106, 2011. Box & Cox's power is 1, 1/2 or 0. */
#include "model/bats.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "math/stats.h"

#define MOST_GAIN 64.0
#define MOST_LOG 138.0 /* e^138 is about 2^199 */

typedef struct bats {
    pshi_bats model;
    pshi_bats_state x;  /* of the transformed series by 1 / scale */
    uint32_t power;     /* half of it is the exponent: 0, 1, 2 */
    double scale;
    double least;       /* transformed values are taken to be at least this; > 0 unless power is 2 */
    double variance;    /* of innovations */
    double aic;
} bats;

static double transform(uint32_t power, double y, double least) {
    y = power == 2 || y > least ? y : least;
    return power == 2 ? y : power == 1 ? 2 * (sqrt(y) - 1) : log(y);
}

static double back(uint32_t power, double z) {
    if (power == 2)
        return z;
    if (power == 0)
        return exp(z < MOST_LOG ? z : MOST_LOG);
    z = 1 + z / 2 > 0 ? 1 + z / 2 : 0;
    return z < 0x1p100 ? z * z : PSHI_BATS_MOST_STATE;
}

/* The series to work on. */
typedef struct prepared {
    const double *y;
    size_t n;
    double *z;          /* Shape [n] */
    double scale;
    double least, mean_log; /* of y, if all are positive; else least is 0 */
    uint32_t power;
    pshi_bats_form form;
} prepared;

static void choose_span(const pshi_fit *in, prepared *p) {
    size_t most = PSHI_BATS_POINTS, i;

    for (i = 0; i < in->seasons; i++) {
        if (in->season[i] > PSHI_BATS_MOST_S || in->n <= 2 * (size_t)in->season[i])
            break;
        p->form.season[p->form.seasons++] = in->season[i];
        most = most < 3 * (size_t)in->season[i] ? 3 * (size_t)in->season[i] : most;
    }
    p->n = in->n < most ? in->n : most;
    p->y = in->y + (in->n - p->n);
    p->least = p->y[0];
    for (i = 0; i < p->n; i++)
        p->least = p->y[i] < p->least ? p->y[i] : p->least;
    p->least = p->least > 0 ? p->least : 0;
    for (i = 0; i < p->n && p->least > 0; i++)
        p->mean_log += log(p->y[i]) / (double)p->n;
}

static void transform_all(prepared *p, uint32_t power) {
    double most = 0;
    size_t i;

    for (i = 0; i < p->n; i++) {
        p->z[i] = transform(power, p->y[i], p->least);
        most = fabs(p->z[i]) > most ? fabs(p->z[i]) : most;
    }
    p->power = power;
    p->scale = most > 1e-290 ? most : 1;
    for (i = 0; i < p->n; i++)
        p->z[i] /= p->scale;
}

/* The power of the least n log(SSE) - 2 n (power - 1) mean(log y), which makes powers comparable. */
static psh_status choose_power(psh_env *env, prepared *p) {
    pshi_bats_form base = p->form, form, best_form = base;
    double best = HUGE_VAL, log_sse, criterion;
    uint32_t power = 3, best_power = 2;
    psh_status st;

    while (power-- > 0) {
        if (power < 2 && !(p->least > 0))
            break;
        transform_all(p, power);
        form = base;
        st = pshi_bats_harmonics(env, p->z, p->n, &form, &log_sse);
        if (st != PSH_OK)
            return st;
        criterion = (double)p->n * (log_sse + 2 * log(p->scale) - 2 * (0.5 * power - 1) * p->mean_log);
        criterion += power < 2 ? 2 : 0;
        if (criterion < best) {
            best = criterion;
            best_power = power;
            best_form = form;
        }
    }
    transform_all(p, best_power);
    p->form = best_form;
    return PSH_OK;
}

static psh_status make_state(
    const pshi_fit *in, const prepared *p, const pshi_bats_fit *f, void **state, size_t *bytes) {
    bats *s = pshi_calloc(in->env, 1, sizeof *s);
    double n = (double)p->n, used, sse;

    *bytes = sizeof *s;
    if (!s)
        return PSH_E_NOMEM;
    s->model = f->model;
    s->x = f->seed;
    sse = pshi_bats_run(&s->model, &s->x, p->z, p->n, f->e);
    used = (double)pshi_bats_seed_count(&s->model) + pshi_bats_params(&s->model.form);
    s->variance = (sse < 1e100 ? sse : 1e100) / fmax(n - used, n / 2);
    s->power = p->power;
    s->scale = p->scale;
    s->least = p->power == 2 ? 0 : p->least;
    s->aic = (f->aic < HUGE_VAL ? f->aic : 0) + n * (2 * log(p->scale) - 2 * (0.5 * p->power - 1) * p->mean_log);
    *state = s;
    return PSH_OK;
}

static psh_status fit_prepared(const pshi_fit *in, prepared *p, void **state, size_t *bytes) {
    psh_status st = choose_power(in->env, p);
    pshi_bats_fit f;

    if (st == PSH_OK)
        st = pshi_bats_fit_begin(&f, in->env, p->z, p->n);
    if (st != PSH_OK)
        return st;
    pshi_bats_choose(&f, &p->form);
    st = make_state(in, p, &f, state, bytes);
    pshi_free(in->env, f.block);
    return st;
}

static psh_status fit_bats(const pshi_fit *in, void **state, size_t *bytes) {
    prepared p = { 0 };
    psh_status st;

    choose_span(in, &p);
    p.z = pshi_alloc(in->env, p.n * sizeof *p.z);
    if (!p.z)
        return PSH_E_NOMEM;
    st = fit_prepared(in, &p, state, bytes);
    pshi_free(in->env, p.z);
    return st;
}

static void update_bats(void *state, double y, const double *x) {
    bats *s = state;

    (void)x;
    y = transform(s->power, y, s->least) / s->scale;
    pshi_bats_advance(&s->model, &s->x, y - pshi_bats_predict(&s->model, &s->x));
}

/* Means and standard deviations of the transformed series: var_h = variance (1 + c_1^2 + ... + c_(h-1)^2), c_j what
 * a unit innovation adds j steps later. Either may be NULL. */
static void forecast_transformed(const bats *s, uint32_t steps, double *mean, double *sd) {
    pshi_bats_state x = s->x, unit;
    double sum = 1, c;
    uint32_t h;

    memset(&unit, 0, sizeof unit);
    pshi_bats_advance(&s->model, &unit, 1);
    for (h = 0; h < steps; h++) {
        if (mean) {
            mean[h] = s->scale * pshi_bats_predict(&s->model, &x);
            pshi_bats_advance(&s->model, &x, 0);
        }
        if (sd) {
            sd[h] = s->scale * sqrt(s->variance * sum);
            c = pshi_bats_predict(&s->model, &unit);
            sum = sum + c * c < 1e100 ? sum + c * c : 1e100;
            pshi_bats_advance(&s->model, &unit, 0);
        }
    }
}

static psh_status forecast_bats(psh_env *env, const void *state, const pshi_ahead *a) {
    const bats *s = state;
    uint32_t h;

    (void)env;
    forecast_transformed(s, a->steps, a->mean, a->sd);
    for (h = 0; h < a->steps && s->power < 2; h++) {
        if (a->sd)
            a->sd[h] = (back(s->power, a->mean[h] + a->sd[h]) - back(s->power, a->mean[h] - a->sd[h])) / 2;
        a->mean[h] = back(s->power, a->mean[h]);
    }
    return PSH_OK;
}

/* Quantiles go through a monotone transformation as they are. */
static psh_status quantiles_bats(
    psh_env *env, const void *state, const pshi_ahead *a, const double *levels, uint32_t level_count, double *out) {
    const bats *s = state;
    double *mean = pshi_alloc(env, 2 * a->steps * sizeof *mean), *sd;
    uint32_t h, k;

    if (!mean)
        return PSH_E_NOMEM;
    sd = mean + a->steps;
    forecast_transformed(s, a->steps, mean, sd);
    for (k = 0; k < level_count; k++) {
        double z = pshi_normal_quantile(levels[k]);

        for (h = 0; h < a->steps; h++)
            out[(size_t)h * level_count + k] = back(s->power, mean[h] + z * sd[h]);
    }
    pshi_free(env, mean);
    return PSH_OK;
}

static void dump_pair(pshi_writer *w, const char *name, double a, double b) {
    pshi_text(w, name);
    pshi_text_f64(w, a);
    pshi_text(w, " ");
    pshi_text_f64(w, b);
}

static void dump_bats(const void *state, pshi_writer *w) {
    static const char *const trends[] = { "no trend", "trend", "damped trend" };
    static const char *const powers[] = { "0", "0.5", "1" };
    const bats *s = state;
    const pshi_bats *m = &s->model;
    uint32_t i;

    pshi_text(w, trends[m->form.trend]);
    pshi_text(w, " power ");
    pshi_text(w, powers[s->power]);
    for (i = 0; i < m->form.seasons; i++) {
        pshi_text(w, " season ");
        pshi_text_u64(w, m->form.season[i]);
        pshi_text(w, " harmonics ");
        pshi_text_u64(w, m->form.count[i]);
        dump_pair(w, " gamma ", m->gamma[i][0], m->gamma[i][1]);
    }
    dump_pair(w, " alpha, beta ", m->alpha, m->beta);
    pshi_text(w, " phi ");
    pshi_text_f64(w, m->phi);
    if (m->form.p)
        dump_pair(w, " ar ", m->ar[0], m->ar[1]);
    if (m->form.q)
        dump_pair(w, " ma ", m->ma[0], m->ma[1]);
    pshi_text(w, " variance ");
    pshi_text_f64(w, s->variance * s->scale * s->scale);
    pshi_text(w, " aic ");
    pshi_text_f64(w, s->aic);
}

static void form_fields(pshi_fields *io, pshi_bats_form *f) {
    uint32_t i;

    pshi_field_u32(io, &f->trend, 0, PSHI_BATS_TREND_DAMPED);
    pshi_field_u32(io, &f->p, 0, PSHI_BATS_MOST_ARMA);
    pshi_field_u32(io, &f->q, 0, PSHI_BATS_MOST_ARMA);
    pshi_field_u32(io, &f->seasons, 0, 3);
    for (i = 0; i < f->seasons; i++) {
        pshi_field_u32(io, &f->season[i], i ? f->season[i - 1] + 1 : 2, PSHI_BATS_MOST_S + i);
        pshi_field_u32(io, &f->count[i], 1, PSHI_BATS_MOST_EACH);
    }
}

static void number_fields(pshi_fields *io, bats *s) {
    pshi_bats *m = &s->model;
    pshi_bats_state *x = &s->x;

    pshi_field_f64(io, &m->alpha, -MOST_GAIN, MOST_GAIN);
    pshi_field_f64(io, &m->beta, -MOST_GAIN, MOST_GAIN);
    pshi_field_f64(io, &m->phi, 0, 1);
    pshi_field_f64s(io, m->gamma[0], 2 * (size_t)m->form.seasons, -MOST_GAIN, MOST_GAIN);
    pshi_field_f64s(io, m->ar, m->form.p, -2, 2);
    pshi_field_f64s(io, m->ma, m->form.q, -2, 2);
    pshi_field_f64(io, &x->level, -PSHI_BATS_MOST_STATE, PSHI_BATS_MOST_STATE);
    pshi_field_f64(io, &x->slope, -PSHI_BATS_MOST_STATE, PSHI_BATS_MOST_STATE);
    pshi_field_f64s(io, x->s, m->harmonics, -PSHI_FIELD_MOST, PSHI_FIELD_MOST);
    pshi_field_f64s(io, x->star, m->harmonics, -PSHI_FIELD_MOST, PSHI_FIELD_MOST);
    pshi_field_f64s(io, x->d, m->form.p, -PSHI_BATS_MOST_STATE, PSHI_BATS_MOST_STATE);
    pshi_field_f64s(io, x->e, m->form.q, -PSHI_BATS_MOST_STATE, PSHI_BATS_MOST_STATE);
    pshi_field_u32(io, &s->power, 0, 2);
    pshi_field_f64(io, &s->scale, 0, PSHI_MODEL_MOST_VALUE);
    pshi_field_f64(io, &s->least, 0, PSHI_MODEL_MOST_VALUE);
    pshi_field_f64(io, &s->variance, 0, PSHI_FIELD_MOST);
    pshi_field_f64(io, &s->aic, -1e308, 1e308);
}

static void save_bats(const void *state, pshi_writer *w) {
    bats *s = (bats *)(uintptr_t)state; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    form_fields(&io, &s->model.form);
    number_fields(&io, s);
}

static void *load_bats(psh_env *env, pshi_cursor *c, size_t *bytes) {
    pshi_fields io = { NULL, c };
    bats *s = pshi_calloc(env, 1, sizeof *s);

    *bytes = sizeof *s;
    if (!s)
        return NULL;
    form_fields(&io, &s->model.form);
    if (!pshi_bats_turns(&s->model)) {
        pshi_read_bad(c);
        return s;
    }
    number_fields(&io, s);
    if (!(s->scale > 0) || (s->power < 2 && !(s->least > 0)))
        pshi_read_bad(c);
    pshi_bats_gains(&s->model);
    return s;
}

const pshi_model_class pshi_model_bats = {
    "bats", 0, fit_bats, update_bats, forecast_bats, quantiles_bats, dump_bats, save_bats, load_bats
};
