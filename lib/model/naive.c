/* SPDX-License-Identifier: MIT */
/* The naive methods of Hyndman & Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., section 5.2. */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "model/model.h"

typedef struct naive {
    uint32_t m;       /* values kept: the season, or 1 */
    uint32_t at;      /* where the oldest kept stands, and the next goes */
    double variance;  /* of one step's error, m steps apart */
    double last[];    /* Shape [m], a ring */
} naive;

static size_t naive_bytes(uint32_t m) {
    return sizeof(naive) + m * sizeof(double);
}

static psh_status fit_naive_at(const pshi_fit *in, uint32_t m, void **state, size_t *bytes) {
    naive *s;
    size_t i;
    double sum = 0, e;

    *bytes = naive_bytes(m);
    s = pshi_calloc(in->env, 1, *bytes);
    if (!s)
        return PSH_E_NOMEM;
    s->m = m;
    memcpy(s->last, in->y + in->n - m, m * sizeof(double));
    for (i = m; i < in->n; i++) {
        e = in->y[i] - in->y[i - m];
        sum += e * e;
    }
    s->variance = in->n > m ? sum / (double)(in->n - m) : 0;
    *state = s;
    return PSH_OK;
}

static psh_status fit_naive(const pshi_fit *in, void **state, size_t *bytes) {
    return fit_naive_at(in, 1, state, bytes);
}

static psh_status fit_seasonal(const pshi_fit *in, void **state, size_t *bytes) {
    uint32_t k = in->seasons;

    while (k > 0 && in->season[k - 1] > in->n)
        k--;
    return fit_naive_at(in, k ? in->season[k - 1] : 1, state, bytes);
}

static void update(void *state, double y, const double *x) {
    naive *s = state;

    (void)x;
    s->last[s->at] = y;
    s->at = s->at + 1 == s->m ? 0 : s->at + 1;
}

static psh_status forecast(psh_env *env, const void *state, const pshi_ahead *a) {
    const naive *s = state;
    uint32_t h;

    (void)env;
    for (h = 0; h < a->steps; h++) {
        a->mean[h] = s->last[(s->at + h % s->m) % s->m];
        if (a->sd)
            a->sd[h] = sqrt(s->variance * (1 + (double)(h / s->m)));
    }
    return PSH_OK;
}

static void dump(const void *state, pshi_writer *w) {
    const naive *s = state;

    pshi_text(w, "season ");
    pshi_text_u64(w, s->m);
    pshi_text(w, " sigma ");
    pshi_text_f64(w, sqrt(s->variance));
}

static void fields(pshi_fields *io, naive *s) {
    pshi_field_u32(io, &s->at, 0, s->m - 1);
    pshi_field_f64(io, &s->variance, 0, PSHI_FIELD_MOST);
    pshi_field_f64s(io, s->last, s->m, -PSHI_MODEL_MOST_VALUE, PSHI_MODEL_MOST_VALUE);
}

static void save(const void *state, pshi_writer *w) {
    naive *s = (naive *)(uintptr_t)state; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    pshi_field_u32(&io, &s->m, 1, PSHI_MODEL_MOST_SEASON);
    fields(&io, s);
}

static void *load(psh_env *env, pshi_cursor *c, size_t *bytes) {
    pshi_fields io = { NULL, c };
    uint32_t m;
    naive *s;

    pshi_field_u32(&io, &m, 1, PSHI_MODEL_MOST_SEASON);
    if ((uint64_t)m * sizeof(double) > pshi_read_left(c)) {
        pshi_read_bad(c);
        m = 1;
    }
    *bytes = naive_bytes(m);
    s = pshi_calloc(env, 1, *bytes);
    if (!s)
        return NULL;
    s->m = m;
    fields(&io, s);
    return s;
}

const pshi_model_class pshi_model_naive = {
    "naive", 0, fit_naive, update, forecast, NULL, dump, save, load
};
const pshi_model_class pshi_model_seasonal_naive = {
    "seasonal naive", 0, fit_seasonal, update, forecast, NULL, dump, save, load
};
