/* SPDX-License-Identifier: MIT */
/* Optimizer: Adam, Kingma & Ba 2015; gradient clipped by its norm, Pascanu, Mikolov & Bengio 2013; weights averaged
 * over steps for forecasts, after Polyak & Juditsky 1992, here with exponential forgetting. */
#include "model/lstm.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/rng.h"
#include "model/lstm_net.h"

#define CLIP 1.0
#define FIRST_DECAY 0.9    /* of Adam's mean of gradients */
#define SECOND_DECAY 0.999 /* and of their squares */
#define TINY 1e-8
#define MOST_STEPS (UINT64_C(1) << 53)

struct pshi_lstm {
    psh_env *env;
    pshi_lstm_options o;
    pshi_gemm gemm;
    uint64_t rng;
    uint64_t steps;
    size_t count; /* weights */
    float *mean;  /* Shape [count] each, behind one another */
    float *first;
    float *second;
    float *weights; /* the block begins with mean: what forecasts use */
};

void pshi_lstm_defaults(pshi_lstm_options *o, const uint32_t *season, uint32_t seasons) {
    uint32_t j, m = seasons ? season[0] : 24;

    memset(o, 0, sizeof *o);
    o->shape.width = 32;
    o->shape.window = m < 6 ? 24 : m > 42 ? 168 : 4 * m;
    o->shape.outputs = m < 4 ? 4 : m > 168 ? 168 : m;
    o->shape.taught = o->shape.window / 4;
    o->shape.seasons = seasons;
    for (j = 0; j < seasons; j++)
        o->shape.season[j] = season[j];
    o->batch = 16;
    o->rate = 0.003f;
    o->average = 0.998f;
    o->bend = 0.02f;
}

static int options_ok(const pshi_lstm_options *o) {
    const pshi_lstm_shape *s = &o->shape;

    if (!pshi_lstm_shape_ok(s) || o->batch < 1 || o->batch > PSHI_LSTM_MOST_BATCH)
        return 0;
    if ((uint64_t)o->batch * s->window * s->width > PSHI_LSTM_MOST_ROOM ||
        (uint64_t)o->batch * s->taught * s->outputs > PSHI_LSTM_MOST_ROOM)
        return 0;
    return o->rate > 0 && o->rate <= 1 && o->average >= 0 && o->average < 1 && o->bend > 0 && o->bend <= 100;
}

static pshi_lstm *make_net(psh_env *env, const pshi_lstm_options *o) {
    size_t count = pshi_lstm_sizes_of(&o->shape).weights;
    pshi_lstm *net = pshi_calloc(env, 1, sizeof *net + 4 * count * sizeof(float));

    if (!net)
        return NULL;
    net->env = env;
    net->o = *o;
    net->count = count;
    net->mean = (float *)(void *)(net + 1);
    net->first = net->mean + count;
    net->second = net->first + count;
    net->weights = net->second + count;
    net->rng = o->seed;
    return net;
}

psh_status pshi_lstm_create(psh_env *env, const pshi_lstm_options *o, pshi_lstm **out) {
    pshi_lstm *net;

    if (!options_ok(o))
        return PSH_E_INVALID;
    net = make_net(env, o);
    if (!net)
        return PSH_E_NOMEM;
    pshi_lstm_draw(&o->shape, net->weights, &net->rng);
    memcpy(net->mean, net->weights, net->count * sizeof(float));
    *out = net;
    return PSH_OK;
}

void pshi_lstm_destroy(pshi_lstm *net) {
    if (net)
        pshi_free(net->env, net);
}

psh_status pshi_lstm_set_gemm(pshi_lstm *net, const psh_gemm_host *host) {
    return pshi_gemm_set(&net->gemm, host);
}

const pshi_lstm_shape *pshi_lstm_shape_of(const pshi_lstm *net) {
    return &net->o.shape;
}

uint64_t pshi_lstm_batch_cost(const pshi_lstm *net) {
    pshi_lstm_sizes n = pshi_lstm_sizes_of(&net->o.shape);

    /* Two operations a weight forward, twice that back; all that is not a product is worth about 60 a cell. */
    return net->o.batch * (6 * (n.gates * net->o.shape.window + (n.head + n.linear) * net->o.shape.taught) +
                           60 * (uint64_t)net->o.shape.width * net->o.shape.window);
}

uint64_t pshi_lstm_steps(const pshi_lstm *net) {
    return net->steps;
}

size_t pshi_lstm_bytes(const pshi_lstm *net) {
    return sizeof *net + 4 * net->count * sizeof(float);
}

/* A place where a window may end: one value before it at least, all outputs after it. */
static size_t draw_end(pshi_lstm *net, size_t n) {
    size_t last = n - 1 - net->o.shape.outputs, whole;

    whole = (size_t)pshi_lstm_sizes_of(&net->o.shape).lag + net->o.shape.window - 1;
    if (whole > last)
        whole = last / 2;
    return whole + (size_t)(pshi_rng_next(&net->rng) % (last - whole + 1));
}

static int long_enough(const pshi_lstm *net, const pshi_lstm_series *series) {
    return series->n > (size_t)net->o.shape.outputs + 1;
}

static void draw_batch(pshi_lstm *net, pshi_lstm_work *w, const pshi_lstm_series *series, size_t count) {
    uint32_t r;
    size_t i;

    for (r = 0; r < w->rows; r++) {
        i = (size_t)(pshi_rng_next(&net->rng) % count);
        while (!long_enough(net, &series[i]))
            i = i + 1 == count ? 0 : i + 1;
        pshi_lstm_place(&net->o.shape, w, r, &series[i], draw_end(net, series[i].n));
    }
}

static double norm_of(const float *x, size_t n) {
    double sum = 0;
    size_t i;

    for (i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

static float limit(float x) {
    const float most = (float)PSHI_LSTM_MOST_WEIGHT;

    return x > most ? most : x < -most ? -most : x;
}

/* Kingma & Ba 2015, algorithm 1; epsilon beside the root that is not corrected, as their section 2 allows. */
static void adam(pshi_lstm *net, const float *gradient, double norm) {
    double t = (double)(net->steps += net->steps < MOST_STEPS);
    double keep = fmin((double)net->o.average, (1 + t) / (10 + t));
    float rate = (float)((double)net->o.rate * sqrt(1 - pow(SECOND_DECAY, t)) / (1 - pow(FIRST_DECAY, t)));
    float shorten = (float)(norm > CLIP ? CLIP / norm : 1), slow = (float)keep, g, *m, *v;
    size_t i;

    for (i = 0; i < net->count; i++) {
        g = gradient[i] * shorten;
        m = &net->first[i];
        v = &net->second[i];
        *m = (float)FIRST_DECAY * *m + (float)(1 - FIRST_DECAY) * g;
        *v = (float)SECOND_DECAY * *v + (float)(1 - SECOND_DECAY) * g * g;
        net->weights[i] = limit(net->weights[i] - rate * *m / (sqrtf(*v) + (float)TINY));
        net->mean[i] = slow * net->mean[i] + (1 - slow) * net->weights[i];
    }
}

static double train_batch(pshi_lstm *net, pshi_lstm_work *w) {
    double loss, norm;

    pshi_lstm_forward(&net->o.shape, net->weights, &net->gemm, w);
    loss = pshi_lstm_loss(&net->o.shape, w, (double)net->o.bend);
    pshi_lstm_backward(&net->o.shape, net->weights, &net->gemm, w);
    norm = norm_of(w->gradient, net->count);
    if (!isfinite(norm) && net->gemm.host.gemm && !net->gemm.off) {
        pshi_gemm_give_up(&net->gemm);
        pshi_lstm_backward(&net->o.shape, net->weights, &net->gemm, w);
        norm = norm_of(w->gradient, net->count);
    }
    if (isfinite(norm))
        adam(net, w->gradient, norm);
    return loss;
}

psh_status pshi_lstm_train(
    pshi_lstm *net, const pshi_lstm_series *series, size_t count, uint32_t batches, double *loss) {
    pshi_lstm_work *w;
    double sum = 0;
    uint32_t b;
    size_t i;

    if (loss)
        *loss = 0;
    for (i = 0; i < count && !long_enough(net, &series[i]);)
        i++;
    if (i == count || !batches)
        return PSH_OK;
    w = pshi_lstm_work_create(net->env, &net->o.shape, net->o.batch, 1);
    if (!w)
        return PSH_E_NOMEM;
    net->gemm.off = 0;
    for (b = 0; b < batches; b++) {
        draw_batch(net, w, series, count);
        sum += train_batch(net, w);
    }
    pshi_free(net->env, w);
    if (loss)
        *loss = sum / batches;
    return PSH_OK;
}

psh_status pshi_lstm_forecast(
    pshi_lstm *net, const pshi_lstm_series *series, size_t count, uint32_t steps, double *out) {
    net->gemm.off = 0;
    return pshi_lstm_ask(net->env, &net->o.shape, net->mean, &net->gemm, series, count, steps, out);
}

const float *pshi_lstm_average(const pshi_lstm *net) {
    return net->mean;
}

static void option_fields(pshi_fields *io, pshi_lstm_options *o) {
    pshi_lstm_shape_fields(io, &o->shape);
    pshi_field_u32(io, &o->batch, 1, PSHI_LSTM_MOST_BATCH);
    pshi_field_f32(io, &o->rate, 0, 1);
    pshi_field_f32(io, &o->average, 0, 1);
    pshi_field_f32(io, &o->bend, 0, 100);
    pshi_field_u64(io, &o->seed);
}

static void net_fields(pshi_fields *io, pshi_lstm *net) {
    pshi_field_u64(io, &net->rng);
    pshi_field_u64(io, &net->steps);
    if (io->c && net->steps > MOST_STEPS)
        pshi_read_bad(io->c);
    pshi_field_f32s(io, net->mean, net->count, -PSHI_LSTM_MOST_WEIGHT, PSHI_LSTM_MOST_WEIGHT);
    pshi_field_f32s(io, net->first, net->count, -PSHI_LSTM_MOST_WEIGHT, PSHI_LSTM_MOST_WEIGHT);
    pshi_field_f32s(io, net->second, net->count, 0, PSHI_LSTM_MOST_WEIGHT);
    pshi_field_f32s(io, net->weights, net->count, -PSHI_LSTM_MOST_WEIGHT, PSHI_LSTM_MOST_WEIGHT);
}

void pshi_lstm_save(const pshi_lstm *net, pshi_writer *w) {
    pshi_lstm *from = (pshi_lstm *)(uintptr_t)net; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    option_fields(&io, &from->o);
    net_fields(&io, from);
}

pshi_lstm *pshi_lstm_load(psh_env *env, pshi_cursor *c) {
    pshi_fields io = { NULL, c };
    pshi_lstm_options o;
    pshi_lstm *net;

    memset(&o, 0, sizeof o);
    option_fields(&io, &o);
    if (!options_ok(&o) || pshi_lstm_sizes_of(&o.shape).weights > pshi_read_left(c) / (4 * sizeof(float))) {
        pshi_read_bad(c);
        memset(&o, 0, sizeof o);
        o.shape = pshi_lstm_least;
    }
    net = make_net(env, &o);
    if (net)
        net_fields(&io, net);
    return net;
}
