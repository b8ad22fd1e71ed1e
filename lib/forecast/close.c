/* SPDX-License-Identifier: MIT */
/* A bucket closes: forecasts of it are scored, it is learned, new ones are made. */
#include <math.h>

#include "base/env.h"
#include "forecast/signals.h"

#define SIZE_FADE 0.999  /* per busy bucket: how the mean size of a row forgets */
#define SCORE_SPAN 2.0   /* long seasons that the score remembers, about */
#define SPREAD_GAIN 0.04F /* how fast a place's spread is learned, a visit */
#define SPREAD_MOST 12.0F /* of the mean square: a burst counts no more */
#define LEAST_SKILL -1e6 /* where the naive has forgotten its last error */

double pshi_series_skill(const pshi_series *s) {
    const pshi_tally *t = s->regular ? &s->regular->tally : NULL;
    double skill = t && t->naive > 0 ? 1 - t->error / t->naive : 0;

    return skill > LEAST_SKILL ? skill : LEAST_SKILL;
}

int pshi_series_scored(const pshi_series *s) {
    return s->regular && s->regular->tally.scored;
}

static double closed_value(const pshi_series *s, const pshi_shape *shape, int64_t bucket) {
    return (double)pshi_history_value(s->regular->history[pshi_slot(bucket, shape->ring)]);
}

/* The seasonal naive's word, at `lead` before the bucket: the long season's once there is one; < 0: none. */
static double naive_for(const pshi_series *s, const pshi_shape *shape, int64_t bucket, uint32_t lead) {
    int64_t then = bucket - (int64_t)lead + 1, age = pshi_series_age(s, then);
    uint32_t m = age >= (int64_t)shape->longest ? shape->longest : shape->season[0];
    int64_t back = (int64_t)m * (int64_t)((lead - 1) / m + 1);

    return age < (int64_t)m ? -1 : closed_value(s, shape, bucket - back);
}

/* Forecasts farther ahead are made more seldom than the next bucket's, and count as much in all. */
static void tally_up(
    pshi_tally *t, const pshi_shape *shape, uint32_t g, const pshi_made *made, double y, double naive) {
    double weight = g ? shape->stride : 1, keep = 1 - 1 / (SCORE_SPAN * shape->longest * shape->groups);

    keep = g ? 1 - weight * (1 - keep) : keep;
    keep = keep > 0 ? keep : 0;
    t->scored++;
    t->weight = t->weight * keep + weight;
    t->error = t->error * keep + weight * fabs(y - (double)made->mean);
    t->naive = t->naive * keep + weight * fabs(y - naive);
    t->inside = t->inside * keep + (y >= (double)made->low && y <= (double)made->high ? weight : 0);
}

static pshi_made *made_at(const pshi_series *s, const pshi_shape *shape, uint32_t g, int64_t bucket) {
    uint32_t lead = shape->lead[g];
    int64_t origin = bucket - (int64_t)lead + 1;

    return &s->regular->made[g][lead == 1 ? 0 : pshi_slot(origin / (int64_t)shape->stride, shape->slots[g])];
}

/* The next bucket's error, squared and bounded, tells how hard its place is. */
static void learn_spread(pshi_regular *r, const pshi_shape *shape, int64_t bucket, double error) {
    float *here = &r->spread[pshi_slot(bucket, shape->season[0])], square = (float)(error * error);
    float gain = 1 / ((float)(r->spreads / shape->season[0]) + 2);

    square = square < SPREAD_MOST * r->all_spread ? square : SPREAD_MOST * r->all_spread;
    gain = gain > SPREAD_GAIN ? gain : SPREAD_GAIN;
    *here += gain * (square - *here);
    r->all_spread += gain / (float)shape->season[0] * (square - r->all_spread);
    r->spreads += r->spreads < UINT32_MAX;
}

static void learn_error(pshi_outlook *o, pshi_series *s, uint32_t g, double mean, double y) {
    pshi_regular *r = s->regular;
    double scale = r->fitted ? pshi_rhythm_scale(r->rhythm, o->shape->lead[g]) : 0, error, spread;

    if (!(scale > 0))
        return;
    error = (pshi_rhythm_z(r->rhythm, y) - pshi_rhythm_z(r->rhythm, mean)) / scale;
    spread = pshi_series_spread(s, o->shape, o->closed);
    if (g == 0)
        pshi_watch_error(o, s, y, mean, error / spread, scale * spread);
    pshi_track_learn(&r->track[g], &o->calibration->track[s->subject.kind][g], error / spread);
    if (g == 0)
        learn_spread(r, o->shape, o->closed, error);
}

static void score_group(pshi_outlook *o, pshi_series *s, uint32_t g, double y) {
    const pshi_shape *shape = o->shape;
    pshi_made *made = made_at(s, shape, g, o->closed);
    double naive;

    if (made->mean < 0 || made->due != (uint32_t)o->closed)
        return;
    naive = naive_for(s, shape, o->closed, shape->lead[g]);
    if (naive >= 0)
        tally_up(&s->regular->tally, shape, g, made, y, naive);
    learn_error(o, s, g, (double)made->mean, y);
    if (s->hot && !(o->signals->near && pshi_events_mask(o, &s->subject))) /* members know of no events */
        pshi_hot_score(s->hot, g, (uint32_t)(made - s->regular->made[0]), y);
    if (made->raw >= 0)
        pshi_calibrate_learn(
            o->calibration, &o->calibration->moment, (double)made->raw, (double)made->shown, y > (double)made->bar);
    made->mean = -1;
}

static void score_all(pshi_outlook *o, pshi_series *s, double y) {
    pshi_regular *r = s->regular;
    uint32_t g;

    for (g = 0; g < o->shape->groups; g++)
        score_group(o, s, g, y);
    if (r->raw_next >= 0)
        pshi_calibrate_learn(
            o->calibration, &o->calibration->view, (double)r->raw_next, (double)r->shown_next, y > 0);
}

/* TSB (Teunter, Syntetos & Babai 2011): how often busy, and how large then. */
static void learn_activity(pshi_series *s, double part, double y) {
    s->mean += (float)(part * (y - (double)s->mean));
    s->busy += (float)(part * ((y > 0 ? 1 : 0) - (double)s->busy));
    s->idle = y > 0 ? 0 : s->idle + 1;
    if (y <= 0) /* in idle times there is nothing newer to forget for */
        return;
    s->rows *= SIZE_FADE;
    s->bytes *= SIZE_FADE;
    part = part > 0.1 ? part : 0.1;
    if (s->size <= 0)
        part = 1;
    s->size += (float)(part * (y - (double)s->size));
    s->size2 += (float)(part * (fmin(y * y, 0x1p120) - (double)s->size2));
}

static void note_event(pshi_series *s, int64_t bucket, double y) {
    int64_t at = bucket - s->start;

    if (y <= 0 || at > (int64_t)UINT32_MAX)
        return;
    s->event[s->events % PSHI_EVENTS] = (pshi_busy){ (uint32_t)at, (float)y };
    s->events = s->events < UINT32_MAX - PSHI_EVENTS ? s->events + 1 : s->events + 1 - PSHI_EVENTS;
}

static void learn(pshi_outlook *o, pshi_series *s, double y) {
    double part = 1 / (double)pshi_series_age(s, o->closed + 1);

    learn_activity(s, part > o->shape->fade ? part : o->shape->fade, y);
    if (!s->regular) {
        note_event(s, o->closed, y);
        return;
    }
    s->regular->history[pshi_slot(o->closed, o->shape->ring)] = pshi_history_code(y);
    y = pshi_watch_close(o, s, y);
    if (s->regular->fitted)
        pshi_rhythm_update(s->regular->rhythm, y);
    if (s->hot)
        pshi_hot_update(s->hot, y);
}

static int may_be_zone(const pshi_series *s) {
    return s->subject.kind == PSH_SUBJECT_TENANT || s->subject.kind == PSH_SUBJECT_LABEL;
}

/* What demand would say of that bucket as a window. */
static void predict_moment(pshi_outlook *o, const pshi_series *s, uint32_t lead, pshi_made *made) {
    double bar = pshi_series_bar(s, 1), raw;

    made->raw = -1;
    made->shown = 0;
    made->bar = (float)bar;
    if (!may_be_zone(s) || !s->regular->fitted || bar <= 0 || (double)made->mean <= bar)
        return;
    raw = pshi_series_above(o, s, lead, (double)made->mean, bar);
    made->raw = (float)raw;
    made->shown = (float)pshi_calibrate(&o->calibration->moment, raw);
}

static void note_said(const pshi_outlook *o, pshi_series *s, uint32_t lead, const pshi_made *made) {
    float *to = s->hot->made + (size_t)(made - s->regular->made[0]) * PSHI_HOT_MEMBERS;
    uint32_t k;

    for (k = 0; k < PSHI_HOT_MEMBERS; k++)
        to[k] = (float)o->said[k][lead - 1];
}

/* o->closed is the bucket after the one that closed. */
static void forecast_group(pshi_outlook *o, pshi_series *s, uint32_t g) {
    uint32_t lead = o->shape->lead[g];
    int64_t bucket = o->closed + (int64_t)lead - 1;
    pshi_made *made = made_at(s, o->shape, g, bucket);
    double mean = pshi_series_mean(o, s, lead);

    made->due = (uint32_t)bucket;
    made->mean = (float)mean;
    made->low = (float)pshi_series_quantile(o, s, lead, mean, 0.05);
    made->high = (float)pshi_series_quantile(o, s, lead, mean, 0.95);
    predict_moment(o, s, lead, made);
    if (s->hot && o->of == s)
        note_said(o, s, lead, made);
}

static void forecast_next(pshi_outlook *o, pshi_series *s) {
    pshi_regular *r = s->regular;

    forecast_group(o, s, 0);
    r->watch.base = r->fitted ? (float)o->base : -1;
    if (s->subject.kind != PSH_SUBJECT_TEMPLATE)
        return;
    r->raw_next = (float)(1 - exp(-(double)made_at(s, o->shape, 0, o->closed)->mean));
    r->shown_next = (float)pshi_calibrate(&o->calibration->view, (double)r->raw_next);
}

/* Series take turns, so that no bucket's end has all the work. */
static int is_turn(const pshi_outlook *o, const pshi_series *s) {
    return pshi_slot(o->closed, o->shape->stride) == (uint32_t)(s->subject.id % o->shape->stride);
}

void pshi_series_close(pshi_outlook *o, pshi_series *s) {
    const pshi_shape *shape = o->shape;
    double *open = &s->open[(uint64_t)o->closed % PSHI_NEAR], y = *open < PSHI_MOST_LOAD ? *open : PSHI_MOST_LOAD;
    int64_t entering = o->closed + (int64_t)PSHI_NEAR;
    uint32_t g;

    if (o->closed < s->start) {
        o->closed++;
        return;
    }
    *open = 0;
    if (s->far) {
        *open = s->far[pshi_slot(entering, shape->open)];
        s->far[pshi_slot(entering, shape->open)] = 0;
    }
    o->of = NULL;
    if (s->regular)
        score_all(o, s, y);
    learn(o, s, y);
    o->closed++;
    if (!s->regular)
        return;
    pshi_totals_score(o, s);
    if (is_turn(o, s)) {
        for (g = 1; g < shape->groups; g++)
            forecast_group(o, s, g);
        pshi_totals_make(o, s);
    }
    forecast_next(o, s);
}

int pshi_series_due(const pshi_series *s, int64_t closed) {
    return s->regular && pshi_series_age(s, closed) >= s->regular->fit_at;
}

/* Soon while history is young, once a long season later; and as soon as there is a long season. */
static int64_t next_fit(const pshi_shape *shape, int64_t age) {
    int64_t wait = age / 4, most = shape->longest, least = shape->season[0];

    wait = wait < least ? least : wait > most ? most : wait;
    return age <= most && age + wait > most ? most + 1 : age + wait;
}

static int is_masked(const pshi_regular *r, uint32_t slot) {
    return r->masked[slot / 8] >> slot % 8 & 1;
}

psh_status pshi_series_fit(psh_env *env, pshi_series *s, const pshi_outlook *o) {
    const pshi_shape *shape = o->shape;
    int64_t closed = o->closed, age = pshi_series_age(s, closed);
    uint32_t n = age < (int64_t)shape->ring ? (uint32_t)age : shape->ring, i, slot;
    float *y = pshi_alloc(env, n * (sizeof *y + 1));
    uint8_t *skip;
    psh_status st;

    if (!y)
        return PSH_E_NOMEM;
    skip = (uint8_t *)(y + n);
    for (i = 0; i < n; i++) {
        slot = pshi_slot(closed - (int64_t)n + (int64_t)i, shape->ring);
        y[i] = pshi_history_value(s->regular->history[slot]);
        skip[i] = (uint8_t)is_masked(s->regular, slot);
    }
    st = pshi_events_skip(env, o, &s->subject, n, skip);
    if (st == PSH_OK)
        pshi_watch_clean(s, shape, closed, n, y, skip);
    if (st == PSH_OK && s->hot)
        st = pshi_hot_fit(env, s->hot, shape, y, skip, n);
    if (st == PSH_OK)
        st = pshi_rhythm_fit(env, y, n, skip, shape->season, shape->lead[shape->groups - 1], s->regular->rhythm);
    pshi_free(env, y);
    if (st != PSH_OK)
        return st;
    s->regular->fitted = 1;
    s->regular->fit_at = next_fit(shape, age);
    return PSH_OK;
}
