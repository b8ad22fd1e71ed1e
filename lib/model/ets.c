/* SPDX-License-Identifier: MIT */
/*
 * SES, Holt, damped trend, Holt-Winters and ETS: one state space (Hyndman, Koehler, Ord & Snyder, "Forecasting with
 * Exponential Smoothing: The State Space Approach", 2008; Hyndman & Athanasopoulos, FPP3, chapter 8).
 */
#include "model/ets.h"

#include <math.h>

#include "base/env.h"

#define MOST_STATE 0x1p200
#define MOST_VARIANCE 0x1p250

static psh_status fit_as(const pshi_fit *in, pshi_ets_choice choice, void **state, size_t *bytes) {
    pshi_ets *e;
    psh_status st = pshi_ets_fit(in, &choice, &e);

    if (st != PSH_OK)
        return st;
    *state = e;
    *bytes = pshi_ets_bytes(e->form.m);
    return PSH_OK;
}

static psh_status fit_ses(const pshi_fit *in, void **state, size_t *bytes) {
    return fit_as(in, (pshi_ets_choice){ 0, PSHI_ETS_NONE, 0 }, state, bytes);
}

static psh_status fit_holt(const pshi_fit *in, void **state, size_t *bytes) {
    return fit_as(in, (pshi_ets_choice){ 0, PSHI_ETS_ADDITIVE, 0 }, state, bytes);
}

static psh_status fit_damped(const pshi_fit *in, void **state, size_t *bytes) {
    return fit_as(in, (pshi_ets_choice){ 0, PSHI_ETS_DAMPED, 0 }, state, bytes);
}

static psh_status fit_holt_winters(const pshi_fit *in, void **state, size_t *bytes) {
    return fit_as(in, (pshi_ets_choice){ 0, PSHI_ETS_DAMPED, 1 }, state, bytes);
}

static psh_status fit_ets(const pshi_fit *in, void **state, size_t *bytes) {
    return fit_as(in, (pshi_ets_choice){ 1, PSHI_ETS_NONE, 1 }, state, bytes);
}

static void update_ets(void *state, double y, const double *x) {
    (void)x;
    pshi_ets_step(state, y);
}

static psh_status forecast_ets(psh_env *env, const void *state, const pshi_ahead *a) {
    return pshi_ets_ahead(env, state, a);
}

static void dump_number(pshi_writer *w, const char *name, double x) {
    pshi_text(w, name);
    pshi_text_f64(w, x);
}

static void dump_ets(const void *state, pshi_writer *w) {
    static const char *const kinds[] = { "N", "A", "M" }, *const trends[] = { "N", "A", "Ad" };
    const pshi_ets *e = state;

    pshi_text(w, kinds[e->form.error]);
    pshi_text(w, trends[e->form.trend]);
    pshi_text(w, kinds[e->form.season]);
    pshi_text(w, " season ");
    pshi_text_u64(w, e->form.m);
    dump_number(w, " alpha ", e->alpha);
    dump_number(w, " beta ", e->beta);
    dump_number(w, " gamma ", e->gamma);
    dump_number(w, " phi ", e->phi);
    dump_number(w, " sigma ", sqrt(e->variance));
    dump_number(w, " aicc ", e->criterion);
}

static void form_fields(pshi_fields *io, pshi_ets_form *f) {
    pshi_field_u32(io, &f->error, PSHI_ETS_ADDITIVE, PSHI_ETS_MULTIPLICATIVE);
    pshi_field_u32(io, &f->trend, PSHI_ETS_NONE, PSHI_ETS_DAMPED);
    pshi_field_u32(io, &f->season, PSHI_ETS_NONE, PSHI_ETS_MULTIPLICATIVE);
    pshi_field_u32(io, &f->m, 1, PSHI_MODEL_MOST_SEASON);
}

static void ets_fields(pshi_fields *io, pshi_ets *e) {
    int times = e->form.season == PSHI_ETS_MULTIPLICATIVE;

    pshi_field_u32(io, &e->at, 0, e->form.m - 1);
    pshi_field_f64(io, &e->alpha, 0, 1);
    pshi_field_f64(io, &e->beta, 0, e->alpha);
    pshi_field_f64(io, &e->gamma, 0, 1);
    pshi_field_f64(io, &e->phi, 0, 1);
    pshi_field_f64(io, &e->level, -MOST_STATE, MOST_STATE);
    pshi_field_f64(io, &e->slope, -MOST_STATE, MOST_STATE);
    pshi_field_f64(io, &e->variance, 0, MOST_VARIANCE);
    pshi_field_f64(io, &e->criterion, -PSHI_FIELD_MOST, PSHI_FIELD_MOST);
    pshi_field_f64s(io, e->season, e->form.m, times ? PSHI_ETS_LEAST_FACTOR : -MOST_STATE,
        times ? PSHI_ETS_MOST_FACTOR : MOST_STATE);
}

static void save_ets(const void *state, pshi_writer *w) {
    pshi_ets *e = (pshi_ets *)(uintptr_t)state; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    form_fields(&io, &e->form);
    ets_fields(&io, e);
}

static void *load_ets(psh_env *env, pshi_cursor *c, size_t *bytes) {
    pshi_fields io = { NULL, c };
    pshi_ets_form f;
    pshi_ets *e;

    form_fields(&io, &f);
    if ((f.m > 1) != (f.season > 0) || (f.season == PSHI_ETS_MULTIPLICATIVE && f.error != f.season) ||
        (uint64_t)f.m * sizeof(double) > pshi_read_left(c)) {
        pshi_read_bad(c);
        f.m = 1;
        f.season = PSHI_ETS_NONE;
    }
    *bytes = pshi_ets_bytes(f.m);
    e = pshi_calloc(env, 1, *bytes);
    if (!e)
        return NULL;
    e->form = f;
    ets_fields(&io, e);
    return e;
}

const pshi_model_class pshi_model_ses = {
    "ses", 0, fit_ses, update_ets, forecast_ets, NULL, dump_ets, save_ets, load_ets
};
const pshi_model_class pshi_model_holt = {
    "holt", 0, fit_holt, update_ets, forecast_ets, NULL, dump_ets, save_ets, load_ets
};
const pshi_model_class pshi_model_damped = {
    "damped", 0, fit_damped, update_ets, forecast_ets, NULL, dump_ets, save_ets, load_ets
};
const pshi_model_class pshi_model_holt_winters = {
    "holt-winters", 0, fit_holt_winters, update_ets, forecast_ets, NULL, dump_ets, save_ets, load_ets
};
const pshi_model_class pshi_model_ets = {
    "ets", 0, fit_ets, update_ets, forecast_ets, NULL, dump_ets, save_ets, load_ets
};
