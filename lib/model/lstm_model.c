/* SPDX-License-Identifier: MIT */
/*
 * The network of lstm.h trained on one series alone. A history that holds no three of its shortest season and the
 * outputs after them gets the seasonal naive, and without any season in it the mean.
 */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "model/lstm_net.h"
#include "model/model.h"

#define WIDTH 16u
#define MOST_OUTPUTS 48u
#define LEAST_WINDOW 24u
#define MOST_WINDOW 96u
#define LEAST_VALUES 48u /* fewer teach nothing */
#define PASSES 40u       /* times that a value is forecast from in training, about */
#define LEAST_BATCHES 8u
#define MOST_BATCHES 320u
#define CHECKS 64u /* origins at which errors are measured */

#define FORM_MEAN 0u
#define FORM_SEASONAL 1u
#define FORM_NET 2u

/* One block: this, then past, variance and weights. */
typedef struct alone {
    uint32_t form;         /* FORM_* */
    uint32_t kept;         /* values kept, 0 for the mean */
    uint32_t at;           /* where the oldest kept stands, and the next goes */
    uint32_t leads;        /* how many variances, >= 1 */
    uint64_t count;        /* values seen: places in the seasons are counted from the first */
    double mean;           /* of them all */
    pshi_lstm_shape shape; /* of FORM_NET */
    double *past;          /* Shape [kept], a ring */
    double *variance;      /* Shape [leads], of the error at each lead */
    float *weights;        /* Shape [weights of the shape] */
} alone;

static size_t weights_of(const alone *s) {
    return s->form == FORM_NET ? pshi_lstm_sizes_of(&s->shape).weights : 0;
}

/* A block for what *size says. */
static alone *make_alone(psh_env *env, const alone *size, size_t *bytes) {
    size_t doubles = (size_t)size->kept + size->leads;
    alone *s;

    *bytes = sizeof *s + doubles * sizeof(double) + weights_of(size) * sizeof(float);
    s = pshi_calloc(env, 1, *bytes);
    if (!s)
        return NULL;
    *s = *size;
    s->past = (double *)(void *)(s + 1);
    s->variance = s->past + s->kept;
    s->weights = (float *)(void *)(s->variance + s->leads);
    return s;
}

/* The seasons of which the history holds two. */
static uint32_t seasons_borne(const pshi_fit *in) {
    uint32_t k = in->seasons;

    while (k > 0 && in->season[k - 1] > in->n / 2)
        k--;
    return k;
}

static void plan_net(const pshi_fit *in, uint32_t seasons, alone *s) {
    uint32_t m = seasons ? in->season[0] : 1, j;

    s->form = FORM_NET;
    s->shape.width = WIDTH;
    s->shape.window = 4 * m < LEAST_WINDOW ? LEAST_WINDOW : m > MOST_WINDOW / 4 ? MOST_WINDOW : 4 * m;
    if (s->shape.window > in->n / 2)
        s->shape.window = (uint32_t)(in->n / 2);
    s->shape.outputs = in->horizon > MOST_OUTPUTS ? MOST_OUTPUTS : in->horizon;
    if (s->shape.outputs > in->n / 4)
        s->shape.outputs = (uint32_t)(in->n / 4);
    s->shape.taught = s->shape.window / 4;
    s->shape.seasons = seasons;
    for (j = 0; j < seasons; j++)
        s->shape.season[j] = in->season[j];
    s->kept = pshi_lstm_sizes_of(&s->shape).lag + s->shape.window;
    s->kept = s->kept > in->n ? (uint32_t)in->n : s->kept;
    s->leads = s->shape.outputs;
}

static void plan_alone(const pshi_fit *in, alone *s) {
    uint32_t seasons = seasons_borne(in);
    size_t m = seasons ? in->season[0] : 1;

    memset(s, 0, sizeof *s);
    s->leads = 1;
    if (in->n >= LEAST_VALUES && in->n / 3 >= m && in->n - 3 * m > in->horizon)
        plan_net(in, seasons, s);
    else if (seasons) {
        s->form = FORM_SEASONAL;
        s->kept = in->season[seasons - 1];
    }
}

static void measure_plain(const pshi_fit *in, alone *s) {
    size_t i, m = s->kept;
    double sum = 0, e;

    for (i = m; i < in->n; i++) {
        e = in->y[i] - (m ? in->y[i - m] : s->mean);
        sum += e * e;
    }
    s->variance[0] = in->n > m ? sum / (double)(in->n - m) : 0;
}

/* Errors at origins spread evenly from value number `first` on. */
static psh_status measure_net(const pshi_fit *in, const float *weights, size_t first, alone *s) {
    size_t last = in->n - s->leads, count = last - first < CHECKS ? last - first + 1 : CHECKS, i;
    double *out = pshi_alloc(in->env, count * s->leads * sizeof *out), e;
    pshi_lstm_series series[CHECKS];
    pshi_gemm gemm = { { 0 } };
    psh_status st = PSH_E_NOMEM;
    uint32_t h;

    for (i = 0; i < count; i++) {
        memset(&series[i], 0, sizeof series[i]);
        series[i].values = in->y;
        series[i].n = count > 1 ? first + (last - first) * i / (count - 1) : last;
    }
    if (out)
        st = pshi_lstm_ask(in->env, &s->shape, weights, &gemm, series, count, s->leads, out);
    for (i = 0; st == PSH_OK && i < count; i++)
        for (h = 0; h < s->leads; h++) {
            e = in->y[series[i].n + h] - out[i * s->leads + h];
            s->variance[h] += e * e / (double)count;
        }
    pshi_free(in->env, out);
    return st;
}

static uint32_t batches_for(const pshi_fit *in, const pshi_lstm_options *o) {
    uint64_t b = (uint64_t)PASSES * in->n / ((uint64_t)o->batch * o->shape.taught);

    return b < LEAST_BATCHES ? LEAST_BATCHES : b > MOST_BATCHES ? MOST_BATCHES : (uint32_t)b;
}

/* Three quarters of the training without the last fifth of the history, where errors are then measured; then with.
 */
static psh_status train_net(const pshi_fit *in, pshi_lstm *net, uint32_t batches, alone *s) {
    size_t held = in->n / 5 > s->leads ? in->n / 5 : s->leads;
    pshi_lstm_series series = { in->y, in->n - held, { 0, 0, 0 } };
    psh_status st = pshi_lstm_train(net, &series, 1, batches - batches / 4, NULL);

    if (st == PSH_OK)
        st = measure_net(in, pshi_lstm_average(net), series.n, s);
    series.n = in->n;
    if (st == PSH_OK)
        st = pshi_lstm_train(net, &series, 1, batches / 4, NULL);
    if (st == PSH_OK)
        memcpy(s->weights, pshi_lstm_average(net), weights_of(s) * sizeof(float));
    return st;
}

static psh_status train_alone(const pshi_fit *in, alone *s) {
    pshi_lstm_options o;
    pshi_lstm *net = NULL;
    psh_status st;

    pshi_lstm_defaults(&o, s->shape.season, s->shape.seasons);
    o.shape = s->shape;
    o.batch = 8;
    o.rate = 0.01f;
    o.average = 0.95f;
    o.seed = in->seed;
    st = pshi_lstm_create(in->env, &o, &net);
    if (st == PSH_OK)
        st = train_net(in, net, batches_for(in, &o), s);
    pshi_lstm_destroy(net);
    return st;
}

static psh_status fit(const pshi_fit *in, void **state, size_t *bytes) {
    psh_status st = PSH_OK;
    alone size, *s;
    size_t i;

    plan_alone(in, &size);
    s = make_alone(in->env, &size, bytes);
    if (!s)
        return PSH_E_NOMEM;
    s->count = in->n;
    for (i = 0; i < in->n; i++)
        s->mean += (in->y[i] - s->mean) / (double)(i + 1);
    memcpy(s->past, in->y + in->n - s->kept, s->kept * sizeof(double));
    if (s->form == FORM_NET)
        st = train_alone(in, s);
    else
        measure_plain(in, s);
    if (st == PSH_OK)
        *state = s;
    else
        pshi_free(in->env, s);
    return st;
}

static void update(void *state, double y, const double *x) {
    alone *s = state;

    (void)x;
    s->count++;
    s->mean += (y - s->mean) / (double)s->count;
    if (!s->kept)
        return;
    s->past[s->at] = y;
    s->at = s->at + 1 == s->kept ? 0 : s->at + 1;
}

static psh_status forecast_net(psh_env *env, const alone *s, const pshi_ahead *a) {
    pshi_lstm_series series = { NULL, s->kept, { 0, 0, 0 } };
    double *past = pshi_alloc(env, s->kept * sizeof *past);
    pshi_gemm gemm = { { 0 } };
    psh_status st;
    uint32_t i;

    if (!past)
        return PSH_E_NOMEM;
    for (i = 0; i < s->kept; i++)
        past[i] = s->past[(s->at + i) % s->kept];
    for (i = 0; i < s->shape.seasons; i++)
        series.phase[i] = (uint32_t)((s->count - s->kept) % s->shape.season[i]);
    series.values = past;
    st = pshi_lstm_ask(env, &s->shape, s->weights, &gemm, &series, 1, a->steps, a->mean);
    pshi_free(env, past);
    return st;
}

static psh_status forecast(psh_env *env, const void *state, const pshi_ahead *a) {
    const alone *s = state;
    uint32_t h, cycle = s->form == FORM_SEASONAL ? s->kept : s->leads;
    psh_status st = s->form == FORM_NET ? forecast_net(env, s, a) : PSH_OK;

    for (h = 0; st == PSH_OK && h < a->steps; h++) {
        if (s->form == FORM_SEASONAL)
            a->mean[h] = s->past[(s->at + h % s->kept) % s->kept];
        else if (s->form == FORM_MEAN)
            a->mean[h] = s->mean;
        if (a->sd && s->form == FORM_MEAN)
            a->sd[h] = sqrt(s->variance[0] * (1 + 1 / (double)s->count));
        else if (a->sd) /* beyond the leads measured, as if each round added what the first did */
            a->sd[h] = sqrt(s->variance[h % cycle % s->leads] * (1 + (double)(h / cycle)));
    }
    return st;
}

static void dump(const void *state, pshi_writer *w) {
    static const char *const forms[] = { "mean", "seasonal naive", "net" };
    const alone *s = state;

    pshi_text(w, forms[s->form]);
    if (s->form == FORM_NET) {
        pshi_text(w, " width ");
        pshi_text_u64(w, s->shape.width);
        pshi_text(w, " window ");
        pshi_text_u64(w, s->shape.window);
        pshi_text(w, " outputs ");
        pshi_text_u64(w, s->shape.outputs);
        pshi_text(w, " seasons ");
        pshi_text_u64(w, s->shape.seasons);
    }
    pshi_text(w, " sigma ");
    pshi_text_f64(w, sqrt(s->variance[0]));
}

static void size_fields(pshi_fields *io, alone *s) {
    pshi_field_u32(io, &s->form, 0, FORM_NET);
    pshi_field_u32(io, &s->kept, 0, PSHI_MODEL_MOST_SEASON + PSHI_LSTM_MOST_WINDOW);
    pshi_field_u32(io, &s->leads, 1, PSHI_LSTM_MOST_OUTPUTS);
    if (s->form == FORM_NET)
        pshi_lstm_shape_fields(io, &s->shape);
}

static void fields(pshi_fields *io, alone *s) {
    pshi_field_u32(io, &s->at, 0, s->kept ? s->kept - 1 : 0);
    pshi_field_u64(io, &s->count);
    pshi_field_f64(io, &s->mean, -PSHI_MODEL_MOST_VALUE, PSHI_MODEL_MOST_VALUE);
    pshi_field_f64s(io, s->past, s->kept, -PSHI_MODEL_MOST_VALUE, PSHI_MODEL_MOST_VALUE);
    pshi_field_f64s(io, s->variance, s->leads, 0, PSHI_FIELD_MOST);
    pshi_field_f32s(io, s->weights, weights_of(s), -PSHI_LSTM_MOST_WEIGHT, PSHI_LSTM_MOST_WEIGHT);
}

static void save(const void *state, pshi_writer *w) {
    alone *s = (alone *)(uintptr_t)state; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    size_fields(&io, s);
    fields(&io, s);
}

static int sizes_ok(const alone *s, size_t left) {
    if (s->form == FORM_MEAN)
        return !s->kept && s->leads == 1;
    if (s->form == FORM_SEASONAL)
        return s->kept >= 1 && s->leads == 1 && s->kept <= left / sizeof(double);
    return pshi_lstm_shape_ok(&s->shape) && s->kept >= 1 && s->kept <= left / sizeof(double) &&
           s->leads == s->shape.outputs && weights_of(s) <= left / sizeof(float);
}

static void *load(psh_env *env, pshi_cursor *c, size_t *bytes) {
    pshi_fields io = { NULL, c };
    alone size, *s;

    memset(&size, 0, sizeof size);
    size_fields(&io, &size);
    if (!sizes_ok(&size, pshi_read_left(c))) {
        pshi_read_bad(c);
        memset(&size, 0, sizeof size);
        size.leads = 1;
    }
    s = make_alone(env, &size, bytes);
    if (!s)
        return NULL;
    fields(&io, s);
    if (s->count < 1 || s->count < s->kept || s->count > UINT64_C(1) << 53)
        pshi_read_bad(c);
    return s;
}

const pshi_model_class pshi_model_lstm = { "lstm", 0, fit, update, forecast, NULL, dump, save, load };
