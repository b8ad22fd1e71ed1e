/* SPDX-License-Identifier: MIT */
/* Which series are hot, and the network that they share. */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "forecast/forecaster.h"

#define BINS 256u        /* of the logarithm of mean loads */
#define PER_DOUBLING 2.0
#define LESSONS 2u       /* minibatches due per closed bucket */
#define MOST_LESSONS 256u

static uint32_t bin_of(double mean) {
    double bin = PER_DOUBLING * log2(mean) + BINS / 4.0;

    return bin < 1 ? 0 : bin >= BINS ? BINS - 1 : (uint32_t)bin;
}

/* The mean load above which there are no more than max_hot series, by a histogram of loads. */
void pshi_heat_measure(psh_forecaster *f) {
    uint32_t count[BINS] = { 0 }, bin = BINS, sum = 0;
    size_t i;

    for (i = 0; i < f->store.count; i++)
        if (f->store.list[i]->regular && f->store.list[i]->mean > 0)
            count[bin_of((double)f->store.list[i]->mean)]++;
    while (bin > 1 && sum + count[bin - 1] <= f->o.max_hot)
        sum += count[--bin];
    f->hot_bar = bin < BINS ? exp2((bin - BINS / 4.0) / PER_DOUBLING) : HUGE_VAL;
}

psh_status pshi_heat_apply(psh_forecaster *f, pshi_series *s) {
    int hot = pshi_series_is_hot(s, &f->shape, f->outlook.closed, f->hot_bar);
    uint64_t before;
    psh_status st;

    if (hot == (s->hot != NULL) || (hot && f->store.hot >= f->o.max_hot))
        return PSH_OK;
    if (hot && pshi_forecaster_bytes(f) + pshi_series_bytes(&f->shape, PSH_SUBJECT_TABLE) > f->o.max_bytes)
        return PSH_OK;
    before = pshi_series_held(&f->shape, s);
    st = pshi_series_heat(f->env, s, &f->shape, hot);
    f->store.bytes += pshi_series_held(&f->shape, s) - before;
    if (st == PSH_OK)
        f->store.hot += hot ? 1u : UINT32_MAX;
    return st;
}

void pshi_heat_lessons(psh_forecaster *f, int64_t buckets) {
    if (!f->outlook.net)
        return;
    f->lessons += buckets < MOST_LESSONS ? (uint32_t)buckets * LESSONS : MOST_LESSONS;
    f->lessons = f->lessons < MOST_LESSONS ? f->lessons : MOST_LESSONS;
}

/* All hot series' histories, decoded. @return how many. */
static size_t gather(const psh_forecaster *f, pshi_lstm_series *list, double *values) {
    size_t n = 0, i;
    int64_t from, b;

    for (i = 0; i < f->store.count && n < f->store.hot; i++) {
        const pshi_series *s = f->store.list[i];

        if (!s->hot)
            continue;
        from = f->outlook.closed - (int64_t)f->shape.ring;
        from = from < s->start ? s->start : from;
        list[n] = (pshi_lstm_series){ values, (size_t)(f->outlook.closed - from), { 0 } };
        list[n].phase[0] = pshi_slot(from, f->shape.season[0]);
        list[n].phase[1] = f->shape.season[1] ? pshi_slot(from, f->shape.season[1]) : 0;
        for (b = from; b < f->outlook.closed; b++)
            *values++ = pshi_series_actual(s, &f->shape, f->outlook.closed, b);
        n++;
    }
    return n;
}

psh_status pshi_heat_train(psh_forecaster *f, uint32_t *budget) {
    pshi_lstm_series *list;
    double *values;
    psh_status st = PSH_E_NOMEM;
    uint32_t batches;

    if (!f->outlook.net || !f->lessons || !f->store.hot)
        return PSH_OK;
    if (!*budget)
        return PSH_AGAIN;
    batches = *budget < f->lessons / LESSONS ? *budget * LESSONS : f->lessons;
    list = pshi_calloc(f->env, f->store.hot, sizeof *list);
    values = pshi_calloc(f->env, f->store.hot, f->shape.ring * sizeof *values);
    if (list && values)
        st = pshi_lstm_train(f->outlook.net, list, gather(f, list, values), batches, NULL);
    pshi_free(f->env, list);
    pshi_free(f->env, values);
    if (st != PSH_OK)
        return st;
    *budget -= (batches + LESSONS - 1) / LESSONS;
    f->lessons -= batches;
    f->outlook.of = NULL;
    pshi_lender_reset(&f->lender);
    return PSH_OK;
}

psh_status psh_forecaster_set_gemm(psh_forecaster *f, const psh_gemm_host *host) {
    if (!f)
        return PSH_E_INVALID;
    return f->outlook.net ? pshi_lstm_set_gemm(f->outlook.net, host) : PSH_E_UNSUPPORTED;
}

psh_status pshi_heat_network(psh_forecaster *f) {
    pshi_lstm_options o;

    if (!f->o.network)
        return PSH_OK;
    pshi_lstm_defaults(&o, f->shape.season, f->shape.season[1] ? 2 : 1);
    o.shape.width = f->o.network;
    o.seed = f->o.network;
    return pshi_lstm_create(f->env, &o, &f->outlook.net);
}
