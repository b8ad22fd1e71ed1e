/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/env.h"
#include "model/lstm_net.h"

#define ASK_ROWS 16u /* series forecast at once */

/* A series with its forecasts behind it, and the range that these are kept to. */
typedef struct ask {
    pshi_lstm_series tail; /* values: borrowed from `all` */
    double least;
    double most;
} ask;

static void begin_ask(const pshi_lstm_shape *shape, const pshi_lstm_series *s, double *all, ask *a) {
    size_t need = (size_t)pshi_lstm_sizes_of(shape).lag + shape->window, from, i;
    double half;
    uint32_t j;

    from = s->n > need ? s->n - need : 0;
    a->tail.values = all;
    a->tail.n = s->n - from;
    memcpy(all, s->values + from, a->tail.n * sizeof *all);
    for (j = 0; j < shape->seasons; j++)
        a->tail.phase[j] = (uint32_t)((s->phase[j] + (uint64_t)from) % shape->season[j]);
    a->least = a->most = all[0];
    for (i = 1; i < a->tail.n; i++) {
        a->least = all[i] < a->least ? all[i] : a->least;
        a->most = all[i] > a->most ? all[i] : a->most;
    }
    half = (a->most - a->least) / 2;
    a->least -= half;
    a->most += half;
}

static void take_outputs(
    const pshi_lstm_shape *s, const pshi_lstm_work *w, uint32_t r, uint32_t take, ask *a, double *all) {
    double z, y;
    uint32_t h;

    for (h = 0; h < take; h++) {
        z = (double)w->out[(size_t)r * s->outputs + h];
        z = z > PSHI_LSTM_FAR ? PSHI_LSTM_FAR : z > -PSHI_LSTM_FAR ? z : -PSHI_LSTM_FAR;
        y = pshi_lstm_unscale(&w->scale[r], z);
        all[a->tail.n + h] = y < a->least ? a->least : y > a->most ? a->most : y;
    }
    a->tail.n += take;
}

/* What is asked: room for rows, and per row the past and the steps. */
typedef struct asking {
    const pshi_lstm_shape *shape;
    const float *weights;
    pshi_gemm *gemm;
    pshi_lstm_work *w;
    ask a[ASK_ROWS];
    double *all;
    size_t stride;
    uint32_t steps;
} asking;

static void ask_rows(asking *k, const pshi_lstm_series *series, uint32_t rows, double *out) {
    const pshi_lstm_shape *s = k->shape;
    uint32_t done, take, r;

    k->w->rows = rows;
    for (r = 0; r < rows; r++)
        begin_ask(s, &series[r], k->all + r * k->stride, &k->a[r]);
    for (done = 0; done < k->steps; done += take) {
        take = k->steps - done < s->outputs ? k->steps - done : s->outputs;
        for (r = 0; r < rows; r++)
            pshi_lstm_place(s, k->w, r, &k->a[r].tail, k->a[r].tail.n - 1);
        pshi_lstm_forward(s, k->weights, k->gemm, k->w);
        for (r = 0; r < rows; r++)
            take_outputs(s, k->w, r, take, &k->a[r], k->all + r * k->stride);
    }
    for (r = 0; r < rows; r++)
        memcpy(
            out + (size_t)r * k->steps, k->all + r * k->stride + k->a[r].tail.n - k->steps, k->steps * sizeof *out);
}

psh_status pshi_lstm_ask(
    psh_env *env, const pshi_lstm_shape *s, const float *weights, pshi_gemm *g, const pshi_lstm_series *series,
    size_t count, uint32_t steps, double *out) {
    uint32_t rows = count < ASK_ROWS ? (uint32_t)count : ASK_ROWS, m;
    asking k = { s, weights, g, NULL, { { { 0 } } }, NULL, 0, steps };
    psh_status st = PSH_OK;
    size_t i;

    if (!steps || steps > PSHI_LSTM_MOST_STEPS)
        return PSH_E_INVALID;
    if (!count)
        return PSH_OK;
    k.stride = (size_t)pshi_lstm_sizes_of(s).lag + s->window + steps;
    k.w = pshi_lstm_work_create(env, s, rows, 0);
    k.all = pshi_alloc(env, rows * k.stride * sizeof(double));
    if (!k.w || !k.all)
        st = PSH_E_NOMEM;
    for (i = 0; st == PSH_OK && i < count; i += m) {
        m = count - i < rows ? (uint32_t)(count - i) : rows;
        ask_rows(&k, series + i, m, out + i * steps);
    }
    pshi_free(env, k.w);
    pshi_free(env, k.all);
    return st;
}
