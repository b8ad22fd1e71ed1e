/* SPDX-License-Identifier: MIT */
/* The classes of sparse demand; what they compute is in sparse.c. */
#include "model/croston.h"

#include <math.h>

#include "base/env.h"
#include "model/decompose.h"

#define MOST_COUNT 0x80000000u
#define MOST_STATE 0x1p120
#define MOST_VARIANCE 0x1p240

static psh_status fit_sparse(const pshi_fit *in, uint32_t method, void **state, size_t *bytes) {
    pshi_sparse *s = pshi_calloc(in->env, 1, sizeof *s);
    size_t n = pshi_recent(in->n, 1);

    if (!s)
        return PSH_E_NOMEM;
    s->method = method;
    pshi_sparse_fit(s, in->y + in->n - n, n);
    *state = s;
    *bytes = sizeof *s;
    return PSH_OK;
}

static psh_status fit_croston(const pshi_fit *in, void **state, size_t *bytes) {
    return fit_sparse(in, PSHI_SPARSE_CROSTON, state, bytes);
}

static psh_status fit_sba(const pshi_fit *in, void **state, size_t *bytes) {
    return fit_sparse(in, PSHI_SPARSE_SBA, state, bytes);
}

static psh_status fit_tsb(const pshi_fit *in, void **state, size_t *bytes) {
    return fit_sparse(in, PSHI_SPARSE_TSB, state, bytes);
}

static void update_sparse(void *state, double y, const double *x) {
    (void)x;
    pshi_sparse_step(state, y);
}

static psh_status forecast_sparse(psh_env *env, const void *state, const pshi_ahead *a) {
    double mean = pshi_sparse_mean(state), sd = sqrt(pshi_sparse_variance(state));
    uint32_t h;

    (void)env;
    for (h = 0; h < a->steps; h++) {
        a->mean[h] = mean;
        if (a->sd)
            a->sd[h] = sd;
    }
    return PSH_OK;
}

static psh_status quantiles_sparse(
    psh_env *env, const void *state, const pshi_ahead *a, const double *levels, uint32_t level_count, double *out) {
    uint32_t h, k;

    (void)env;
    for (k = 0; k < level_count; k++)
        out[k] = pshi_sparse_quantile(state, levels[k]);
    for (h = 1; h < a->steps; h++)
        for (k = 0; k < level_count; k++)
            out[(size_t)h * level_count + k] = out[k];
    return PSH_OK;
}

static void dump_one(pshi_writer *w, const char *name, double x) {
    pshi_text(w, name);
    pshi_text_f64(w, x);
}

static void dump_sparse(const void *state, pshi_writer *w) {
    const pshi_sparse *s = state;

    dump_one(w, "alpha ", s->alpha);
    if (s->method == PSHI_SPARSE_TSB)
        dump_one(w, " beta ", s->beta);
    dump_one(w, " size ", s->size);
    dump_one(w, s->method == PSHI_SPARSE_TSB ? " probability " : " interval ", s->rate);
    dump_one(w, " sigma ", sqrt(s->spread));
}

static void sparse_fields(pshi_fields *io, pshi_sparse *s) {
    pshi_field_u32(io, &s->whole, 0, 1);
    pshi_field_u32(io, &s->negative, 0, 1);
    pshi_field_u32(io, &s->count, 0, MOST_COUNT);
    pshi_field_u32(io, &s->gap, 0, MOST_COUNT);
    pshi_field_u32(io, &s->age, 0, MOST_COUNT);
    pshi_field_f64(io, &s->alpha, 0.001, 1);
    pshi_field_f64(io, &s->beta, 0.001, 1);
    pshi_field_f64(io, &s->size, -MOST_STATE, MOST_STATE);
    pshi_field_f64(io, &s->rate, 0, s->method == PSHI_SPARSE_TSB ? 1 : MOST_COUNT);
    pshi_field_f64(io, &s->spread, 0, MOST_VARIANCE);
}

static void save_sparse(const void *state, pshi_writer *w) {
    pshi_sparse *s = (pshi_sparse *)(uintptr_t)state; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    sparse_fields(&io, s);
}

static void *load_sparse(psh_env *env, pshi_cursor *c, size_t *bytes, uint32_t method) {
    pshi_fields io = { NULL, c };
    pshi_sparse *s = pshi_calloc(env, 1, sizeof *s);

    if (!s)
        return NULL;
    s->method = method;
    sparse_fields(&io, s);
    *bytes = sizeof *s;
    return s;
}

static void *load_croston(psh_env *env, pshi_cursor *c, size_t *bytes) {
    return load_sparse(env, c, bytes, PSHI_SPARSE_CROSTON);
}

static void *load_sba(psh_env *env, pshi_cursor *c, size_t *bytes) {
    return load_sparse(env, c, bytes, PSHI_SPARSE_SBA);
}

static void *load_tsb(psh_env *env, pshi_cursor *c, size_t *bytes) {
    return load_sparse(env, c, bytes, PSHI_SPARSE_TSB);
}

const pshi_model_class pshi_model_croston = {
    "croston", 0, fit_croston, update_sparse, forecast_sparse, quantiles_sparse, dump_sparse, save_sparse,
    load_croston
};
const pshi_model_class pshi_model_sba = {
    "sba", 0, fit_sba, update_sparse, forecast_sparse, quantiles_sparse, dump_sparse, save_sparse, load_sba
};
const pshi_model_class pshi_model_tsb = {
    "tsb", 0, fit_tsb, update_sparse, forecast_sparse, quantiles_sparse, dump_sparse, save_sparse, load_tsb
};
