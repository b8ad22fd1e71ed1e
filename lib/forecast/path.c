/* SPDX-License-Identifier: MIT */
/* What a series is forecast to bring: means from the rhythm or the sparse model, quantiles around them. */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "forecast/young.h"
#include "forecast/signals.h"
#include "math/stats.h"

#define FEW_LESSONS 200u /* minibatches before the network is asked */

uint64_t pshi_outlook_bytes(const pshi_shape *shape) {
    /* The rhythm's ring and profiles are no longer than these. */
    size_t work = 8 * ((size_t)shape->longest + shape->season[0]) + 64 + 10 * ((size_t)shape->max_lead + 1);

    return ((1 + PSHI_HOT_MEMBERS) * (size_t)shape->max_lead + 2 * (size_t)shape->longest) * sizeof(double)
         + work * sizeof(float);
}

psh_status pshi_outlook_init(psh_env *env, const pshi_shape *shape, pshi_calibration *c, pshi_outlook *out) {
    uint32_t k;

    out->shape = shape;
    out->calibration = c;
    out->closed = 0;
    out->of = NULL;
    out->lender = NULL;
    out->steps = out->factored = 0;
    out->base = 0;
    out->signals = NULL;
    out->env = env;
    out->mean = pshi_alloc(env, pshi_outlook_bytes(shape));
    if (!out->mean)
        return PSH_E_NOMEM;
    for (k = 0; k < PSHI_HOT_MEMBERS; k++)
        out->said[k] = out->mean + (k + 1) * (size_t)shape->max_lead;
    out->window = out->mean + (1 + PSHI_HOT_MEMBERS) * (size_t)shape->max_lead;
    out->work = (float *)(void *)(out->window + 2 * (size_t)shape->longest);
    return PSH_OK;
}

void pshi_outlook_free(psh_env *env, pshi_outlook *o) {
    pshi_free(env, o->mean);
}

static double at_most_load(double x) {
    return x < PSHI_MOST_LOAD ? x > 0 ? x : 0 : PSHI_MOST_LOAD;
}

static void say_nothing(double *said, uint32_t steps) {
    uint32_t i;

    for (i = 0; i < steps; i++)
        said[i] = -1;
}

/* A member that has no memory to work in says nothing this time. */
static void ask_lags(pshi_outlook *o, const pshi_series *s) {
    pshi_ahead a = { o->steps, NULL, o->said[1], NULL };
    uint32_t i;

    if (!s->hot->lags || pshi_model_lag.forecast(o->env, s->hot->lags, &a) != PSH_OK) {
        say_nothing(o->said[1], o->steps);
        return;
    }
    for (i = 0; i < o->steps; i++)
        o->said[1][i] = at_most_load(o->said[1][i]);
}

static void ask_net(pshi_outlook *o, const pshi_series *s) {
    uint32_t n = 2 * o->shape->longest, i;
    int64_t from = o->closed - (int64_t)n;
    pshi_lstm_series in = { o->window, n, { 0 } };

    /* It is dear: asked for whole paths only, not for the next bucket every bucket. */
    if (!o->net || o->steps == 1 || pshi_lstm_steps(o->net) < FEW_LESSONS || from < s->start) {
        say_nothing(o->said[2], o->steps);
        return;
    }
    for (i = 0; i < n; i++)
        o->window[i] = pshi_series_actual(s, o->shape, o->closed, from + (int64_t)i);
    for (i = 0; i < PSHI_SEASONS && o->shape->season[i]; i++)
        in.phase[i] = pshi_slot(from, o->shape->season[i]);
    if (pshi_lstm_forecast(o->net, &in, 1, o->steps, o->said[2]) != PSH_OK) {
        say_nothing(o->said[2], o->steps);
        return;
    }
    for (i = 0; i < o->steps; i++)
        o->said[2][i] = at_most_load(o->said[2][i]);
}

static void combine_members(pshi_outlook *o, const pshi_series *s) {
    double said[PSHI_HOT_MEMBERS];
    uint32_t i, k;

    memcpy(o->said[0], o->mean, o->steps * sizeof *o->mean);
    ask_lags(o, s);
    ask_net(o, s);
    for (i = 0; i < o->steps; i++) {
        for (k = 0; k < PSHI_HOT_MEMBERS; k++)
            said[k] = o->said[k][i];
        o->mean[i] = pshi_hot_combine(s->hot, pshi_shape_group(o->shape, i + 1), said);
    }
}

/* The next bucket alone, or as far as scores reach, or all there is. */
static void make_path(pshi_outlook *o, const pshi_series *s, uint32_t lead) {
    const pshi_shape *shape = o->shape;
    uint32_t enough = shape->lead[shape->groups - 1], i;

    enough = enough > shape->width ? enough : shape->width;
    o->of = s;
    o->steps = lead == 1 ? 1 : lead <= enough ? enough : shape->max_lead;
    if (o->steps == 1)
        o->mean[0] = pshi_rhythm_next(s->regular->rhythm);
    else
        pshi_rhythm_forecast(s->regular->rhythm, o->steps, o->work, o->mean);
    for (i = 0; i < o->steps; i++)
        o->mean[i] = at_most_load(o->mean[i]);
    if (s->hot)
        combine_members(o, s);
    o->base = o->mean[0];
    o->factored = 0;
    if (s->regular->watch.lead)
        pshi_metrics_path(o, s->regular->watch.lead);
    if (o->signals->near)
        pshi_events_path(o, &s->subject);
}

/* A mean that no path holds. */
static double with_events(const pshi_outlook *o, const pshi_series *s, uint32_t lead, double base) {
    if (!o->signals->near && lead <= o->shape->max_lead)
        return base;
    if (!o->signals->calendar)
        return base;
    return at_most_load(pshi_calendar_apply(
        base, pshi_events_factor(o, &s->subject, o->closed + (int64_t)lead - 1)));
}

static double own_mean(pshi_outlook *o, const pshi_series *s, uint32_t lead) {
    uint32_t most = o->shape->max_lead, m = o->shape->longest, asked = lead;

    if (!s->regular || !s->regular->fitted)
        return with_events(
            o, s, lead,
            at_most_load(s->regular ? (double)s->mean : pshi_sparse_chance(o, s) * (double)s->size));
    if (lead > most) /* beyond all paths the last season repeats */
        lead = most - m + 1 + (lead - most - 1) % m;
    if (o->of != s || lead > o->steps)
        make_path(o, s, lead);
    if (asked > most)
        return with_events(o, s, asked, o->mean[lead - 1]);
    if (o->factored)
        return at_most_load(pshi_calendar_apply(o->mean[lead - 1], o->signals->factor[lead - 1]));
    return o->mean[lead - 1];
}

double pshi_series_mean(pshi_outlook *o, const pshi_series *s, uint32_t lead) {
    double own = own_mean(o, s, lead);

    return o->lender && s->segment ? pshi_lent_mean(o, s, lead, own) : own;
}

/*
 * The BG/NBD model of Fader, Hardie & Lee 2005: busy at a rate of its own, until one day it stops for good. x busy
 * buckets, the last at t, of T: P(still there) = 1 / (1 + a / (b + x - 1) ((A + T) / (A + t))^(r + x)), and then
 * (r + x) / (A + T). r = a = b = 1 and A a short season: a weak prior of once a short season, and half stop at once.
 */
double pshi_sparse_alive(const pshi_outlook *o, const pshi_series *s) {
    double age = (double)pshi_series_age(s, o->closed), last = age - (double)s->idle, x = s->events;
    double season = (double)o->shape->season[0];

    if (x < 1 || age < 1)
        return 1;
    return 1 / (1 + exp((1 + x) * (log(season + age) - log(season + (last > 0 ? last : 0)))) / x);
}

double pshi_sparse_chance(const pshi_outlook *o, const pshi_series *s) {
    double age = (double)pshi_series_age(s, o->closed), rate = (1 + (double)s->events);

    if (!s->events)
        return (double)s->busy;
    rate /= (double)o->shape->season[0] + age;
    return pshi_sparse_alive(o, s) * (rate < 1 ? rate : 1);
}

double pshi_series_variance(const pshi_outlook *o, const pshi_series *s) {
    double chance = pshi_sparse_chance(o, s), mean = chance * (double)s->size;
    double all = chance * (double)s->size2 - mean * mean;

    return all > 0 ? all : 0;
}

/* Busy with some probability, then of a size that is taken as normal. */
static double sparse_quantile(const pshi_outlook *o, const pshi_series *s, double mean, double p) {
    double busy = pshi_sparse_chance(o, s), size = (double)s->size, own = busy * size, q;
    double var = (double)s->size2 - size * size;

    if (own > 0 && mean != own) { /* a segment's word: busy more often, then with more */
        busy *= mean / own;
        size *= busy > 1 ? busy : 1;
        busy = busy > 1 ? 1 : busy;
    }
    if (p <= 1 - busy || busy <= 0)
        return 0;
    q = size + sqrt(var > 0 ? var : 0) * pshi_normal_quantile((p - 1 + busy) / busy);
    return at_most_load(q);
}

/* Nothing fitted yet: a count's own noise, doubled. */
static double wide_quantile(double mean, double p) {
    return at_most_load(mean + 2 * sqrt(1 + mean) * pshi_normal_quantile(p));
}

#define SPREAD_SHRINK 0.2 /* weight of all places in one */

double pshi_series_spread(const pshi_series *s, const pshi_shape *shape, int64_t bucket) {
    const pshi_regular *r = s->regular;
    double all = (double)r->all_spread, here = (double)r->spread[pshi_slot(bucket, shape->season[0])];

    if (r->spreads < 3 * shape->season[0] || all <= 0)
        return 1;
    return sqrt((here + SPREAD_SHRINK * all) / ((1 + SPREAD_SHRINK) * all));
}

double pshi_series_quantile(const pshi_outlook *o, const pshi_series *s, uint32_t lead, double mean, double p) {
    const pshi_regular *r = s->regular;
    uint32_t g = pshi_shape_group(o->shape, lead);
    double z;

    if (!r)
        return sparse_quantile(o, s, mean, p);
    if (!r->fitted)
        return wide_quantile(mean, p);
    z = pshi_track_quantile(&r->track[g], &o->calibration->track[s->subject.kind][g], p);
    z *= pshi_rhythm_scale(r->rhythm, lead) * pshi_series_spread(s, o->shape, o->closed + (int64_t)lead - 1);
    return at_most_load(pshi_rhythm_value(r->rhythm, pshi_rhythm_z(r->rhythm, mean) + z));
}

double pshi_series_above(const pshi_outlook *o, const pshi_series *s, uint32_t lead, double mean, double bar) {
    const pshi_regular *r = s->regular;
    uint32_t g = pshi_shape_group(o->shape, lead);
    double scale = pshi_rhythm_scale(r->rhythm, lead), z;

    scale *= pshi_series_spread(s, o->shape, o->closed + (int64_t)lead - 1);
    z = pshi_rhythm_z(r->rhythm, bar) - pshi_rhythm_z(r->rhythm, mean);
    if (!(scale > 0))
        return z < 0 ? 1 : 0;
    return pshi_track_above(&r->track[g], &o->calibration->track[s->subject.kind][g], z / scale);
}
