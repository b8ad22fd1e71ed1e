/* SPDX-License-Identifier: MIT */
#include "forecast/hot.h"

#include <math.h>
#include <string.h>

#include "base/env.h"

#define FADE 0.97F       /* of errors, per score */
#define FEW_SCORES 4.0F  /* before these, members share alike */
#define LEAST_ERROR 1e-3 /* errors below this are all the same */
#define MOST_SAID 0x1p100

void pshi_hot_reset(pshi_hot *h, const pshi_shape *shape) {
    size_t made = (size_t)shape->pending * PSHI_HOT_MEMBERS, i;

    memset(h->error, 0, sizeof h->error);
    memset(h->count, 0, sizeof h->count);
    for (i = 0; i < made; i++)
        h->made[i] = -1;
}

pshi_hot *pshi_hot_create(psh_env *env, const pshi_shape *shape) {
    pshi_hot *h = pshi_calloc(env, 1, sizeof *h + (size_t)shape->pending * PSHI_HOT_MEMBERS * sizeof(float));

    if (h)
        pshi_hot_reset(h, shape);
    return h;
}

void pshi_hot_destroy(psh_env *env, pshi_hot *h) {
    if (!h)
        return;
    pshi_free(env, h->lags);
    pshi_free(env, h);
}

size_t pshi_hot_bytes(const pshi_shape *shape, const pshi_hot *h) {
    return h ? sizeof *h + (size_t)shape->pending * PSHI_HOT_MEMBERS * sizeof(float) + h->lags_bytes : 0;
}

psh_status pshi_hot_fit(
    psh_env *env, pshi_hot *h, const pshi_shape *shape, const float *y, const uint8_t *skip, uint32_t n) {
    pshi_fit in = { env, NULL, n, skip, shape->lead[shape->groups - 1] };
    double *values = pshi_alloc(env, n * sizeof *values);
    void *state = NULL;
    size_t bytes = 0;
    psh_status st;
    uint32_t i;

    if (!values)
        return PSH_E_NOMEM;
    for (i = 0; i < n; i++)
        values[i] = (double)y[i];
    in.y = values;
    in.season[0] = shape->season[0];
    in.season[1] = shape->season[1];
    in.seasons = shape->season[1] ? 2 : 1;
    in.nonnegative = 1;
    st = pshi_model_lag.fit(&in, &state, &bytes);
    pshi_free(env, values);
    if (st != PSH_OK)
        return st;
    pshi_free(env, h->lags);
    h->lags = state;
    h->lags_bytes = bytes;
    return PSH_OK;
}

void pshi_hot_update(pshi_hot *h, double y) {
    if (h->lags)
        pshi_model_lag.update(h->lags, y, NULL);
}

void pshi_hot_score(pshi_hot *h, uint32_t group, uint32_t at, double y) {
    float *made = h->made + (size_t)at * PSHI_HOT_MEMBERS;
    uint32_t k;

    for (k = 0; k < PSHI_HOT_MEMBERS; k++) {
        if (made[k] < 0)
            continue;
        h->error[group][k] = FADE * h->error[group][k] + (float)fabs(log1p(y) - log1p((double)made[k]));
        h->count[group][k] = FADE * h->count[group][k] + 1;
        made[k] = -1;
    }
}

void pshi_hot_weights(const pshi_hot *h, uint32_t group, const double said[PSHI_HOT_MEMBERS], double *weight) {
    double sum = 0, e;
    uint32_t k, known = 1;

    for (k = 0; k < PSHI_HOT_MEMBERS; k++)
        known &= said[k] < 0 || h->count[group][k] >= FEW_SCORES;
    for (k = 0; k < PSHI_HOT_MEMBERS; k++) {
        weight[k] = said[k] >= 0;
        if (known && said[k] >= 0) {
            e = (double)h->error[group][k] / (double)h->count[group][k] + LEAST_ERROR;
            weight[k] = 1 / (e * e * e * e);
        }
        sum += weight[k];
    }
    for (k = 0; k < PSHI_HOT_MEMBERS; k++)
        weight[k] = sum > 0 ? weight[k] / sum : 0;
}

double pshi_hot_combine(const pshi_hot *h, uint32_t group, const double said[PSHI_HOT_MEMBERS]) {
    double weight[PSHI_HOT_MEMBERS], sum = 0;
    uint32_t k;

    pshi_hot_weights(h, group, said, weight);
    for (k = 0; k < PSHI_HOT_MEMBERS; k++)
        if (weight[k] > 0)
            sum += weight[k] * log1p(said[k]);
    return expm1(sum);
}

static void hot_fields(pshi_fields *io, pshi_hot *h, const pshi_shape *shape) {
    size_t made = (size_t)shape->pending * PSHI_HOT_MEMBERS;
    uint32_t g;

    for (g = 0; g < shape->groups; g++) {
        pshi_field_f32s(io, h->error[g], PSHI_HOT_MEMBERS, 0, 1e6);
        pshi_field_f32s(io, h->count[g], PSHI_HOT_MEMBERS, 0, 1e3);
    }
    pshi_field_f32s(io, h->made, made, -1, MOST_SAID);
}

void pshi_hot_put(pshi_writer *w, const pshi_hot *h, const pshi_shape *shape) {
    pshi_fields io = { w, NULL };

    hot_fields(&io, (pshi_hot *)(uintptr_t)h, shape); /* writes from it only */
    pshi_put_u8(w, h->lags != NULL);
    if (h->lags)
        pshi_model_lag.save(h->lags, w);
}

psh_status pshi_hot_get(psh_env *env, pshi_cursor *c, pshi_hot *h, const pshi_shape *shape) {
    pshi_fields io = { NULL, c };
    uint8_t has;

    hot_fields(&io, h, shape);
    has = pshi_get_u8(c);
    if (has > 1)
        pshi_read_bad(c);
    if (c->status != PSH_OK || !has)
        return c->status;
    h->lags = pshi_model_lag.load(env, c, &h->lags_bytes);
    if (!h->lags)
        return PSH_E_NOMEM;
    if (*(const uint32_t *)h->lags != 0) /* it would ask for regressors */
        pshi_read_bad(c);
    return c->status;
}
