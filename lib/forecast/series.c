/* SPDX-License-Identifier: MIT */
#include "forecast/series.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "math/stats.h"

#define FEW_SCORED 3.0F  /* a member with fewer scores at a lead has no weight there yet */
#define SIZE_FADE 0.999  /* per busy bucket: how the mean size of a row forgets */
#define SCORE_SPAN 8.0   /* long seasons that the score remembers, about */
#define LEAST_SKILL -1e6 /* where the naive has forgotten its last error */

static size_t float_count(const pshi_shape *shape, uint32_t kind) {
    size_t residuals = (size_t)pshi_shape_residuals(kind) * shape->groups + 32;

    return (size_t)shape->ring + shape->season[0] + shape->season[1] + 2 * residuals;
}

size_t pshi_series_bytes(const pshi_shape *shape, uint32_t kind) {
    return sizeof(pshi_series) + shape->open * sizeof(double) + shape->pending * sizeof(pshi_made)
         + float_count(shape, kind) * sizeof(float);
}

void pshi_series_reset(pshi_series *s, const pshi_shape *shape, int64_t start) {
    uint32_t i;

    s->start = start;
    s->fit_at = shape->season[0];
    s->idle = 0;
    s->mean = 0;
    s->raw_next = -1;
    s->shown_next = 0;
    memset(&s->tally, 0, sizeof s->tally);
    memset(s->holt, 0, sizeof s->holt);
    memset(s->error, 0, sizeof s->error);
    memset(s->open, 0, shape->open * sizeof *s->open);
    memset(s->ring, 0, shape->ring * sizeof *s->ring);
    memset(s->season[0], 0, shape->season[0] * sizeof(float));
    memset(s->season[1], 0, shape->season[1] * sizeof(float));
    memset(s->made[0], 0, shape->pending * sizeof(pshi_made));
    for (i = 0; i < shape->groups; i++)
        pshi_residuals_init(&s->residual[i], s->residual[i].age, s->residual[i].cap);
    pshi_residuals_init(&s->total_residual, s->total_residual.age, s->total_residual.cap);
    for (i = 0; i < PSHI_TOTALS; i++)
        s->total[i].from = PSH_TIME_NONE;
}

pshi_series *pshi_series_create(psh_env *env, const pshi_shape *shape, const psh_subject *subject, int64_t start) {
    pshi_series *s = pshi_calloc(env, 1, pshi_series_bytes(shape, subject->kind));
    uint32_t cap = pshi_shape_residuals(subject->kind), g;
    float *at;

    if (!s)
        return NULL;
    s->subject = *subject;
    s->open = (double *)(void *)(s + 1);
    s->made[0] = (pshi_made *)(void *)(s->open + shape->open);
    for (g = 1; g < shape->groups; g++)
        s->made[g] = s->made[0] + shape->first[g];
    s->ring = (float *)(void *)(s->made[0] + shape->pending);
    s->season[0] = s->ring + shape->ring;
    s->season[1] = s->season[0] + shape->season[0];
    at = s->season[1] + shape->season[1];
    for (g = 0; g < shape->groups; g++, at += 2 * (size_t)cap)
        pshi_residuals_init(&s->residual[g], at, cap);
    pshi_residuals_init(&s->total_residual, at, 32);
    pshi_series_reset(s, shape, start);
    return s;
}

static double at_most_load(double x) {
    return x < PSHI_MOST_LOAD ? x : PSHI_MOST_LOAD;
}

int64_t pshi_series_age(const pshi_series *s, int64_t closed) {
    return closed > s->start ? closed - s->start : 0;
}

double pshi_series_actual(const pshi_series *s, const pshi_shape *shape, int64_t closed, int64_t bucket) {
    if (bucket >= closed)
        return bucket - closed < (int64_t)shape->open ? at_most_load(s->open[pshi_slot(bucket, shape->open)]) : 0;
    if (bucket < s->start || closed - bucket > (int64_t)shape->ring)
        return 0;
    return (double)s->ring[pshi_slot(bucket, shape->ring)];
}

/* The value whole seasons before the bucket that is `lead` ahead; < 0 if history does not reach. */
static double season_before(
    const pshi_series *s, const pshi_shape *shape, int64_t closed, uint32_t lead, uint32_t k) {
    uint32_t m = shape->season[k], back = lead <= m ? m : m * ((lead - 1) / m + 1);

    if (pshi_series_age(s, closed) < (int64_t)m)
        return -1;
    return (double)s->ring[pshi_slot(closed - 1 + (int64_t)lead - (int64_t)back, shape->ring)];
}

static double holt_ahead(const pshi_series *s, const pshi_shape *shape, int64_t closed, uint32_t lead, uint32_t k) {
    const pshi_holt *h = &s->holt[k];
    double y;

    if (h->alpha <= 0)
        return -1;
    y = h->level + (double)s->season[k][pshi_slot(closed - 1 + (int64_t)lead, shape->season[k])];
    if (h->trend != 0)
        y += h->trend * pshi_holt_damp(lead);
    return y > 0 ? at_most_load(y) : 0;
}

static void members_at(
    const pshi_series *s, const pshi_shape *shape, int64_t closed, uint32_t lead, double y[PSHI_MEMBERS]) {
    uint32_t k;

    for (k = 0; k < PSHI_SEASONS; k++) {
        y[k] = season_before(s, shape, closed, lead, k);
        y[PSHI_SEASONS + k] = holt_ahead(s, shape, closed, lead, k);
    }
}

/* Weights by 1 / error^4, so that members that err alike share and one that errs twice as much hardly counts;
   equal where nothing was scored yet; the mean where there is no member. */
static double combine(const pshi_series *s, const pshi_error *error, const double y[PSHI_MEMBERS]) {
    double sum = 0, weight = 0, plain = 0, w;
    uint32_t i, n = 0;

    for (i = 0; i < PSHI_MEMBERS; i++) {
        if (y[i] < 0)
            continue;
        plain += y[i];
        n++;
        if (error[i].weight < FEW_SCORED)
            continue;
        w = (double)error[i].sum / (double)error[i].weight + 1e-6;
        w = 1 / (w * w * w * w);
        sum += w * y[i];
        weight += w;
    }
    if (weight > 0)
        return at_most_load(sum / weight);
    return at_most_load(n ? plain / n : s->mean);
}

double pshi_series_mean(
    const pshi_series *s, const pshi_shape *shape, int64_t closed, uint32_t lead, float hw[PSHI_SEASONS]) {
    double y[PSHI_MEMBERS];

    members_at(s, shape, closed, lead, y);
    if (hw) {
        hw[0] = (float)y[PSHI_SEASONS];
        hw[1] = (float)y[PSHI_SEASONS + 1];
    }
    return combine(s, s->error[pshi_shape_group(shape, lead)], y);
}

/* Residuals are taken in units that a count's noise has. */
static double noise_of(double mean) {
    return sqrt(1 + mean);
}

/* Too few residuals: a count's own noise, doubled. 1.6448 and so on for the levels asked most. */
static double wide_quantile(double mean, double p) {
    double z = p == 0.05 ? -1.6448536269514722 : p == 0.95 ? 1.6448536269514722 : pshi_normal_quantile(p);

    return mean + 2 * noise_of(mean) * z;
}

double pshi_series_quantile(const pshi_series *s, const pshi_shape *shape, uint32_t lead, double mean, double p) {
    const pshi_residuals *r = &s->residual[pshi_shape_group(shape, lead)];
    double q;

    if (r->count < PSHI_RESIDUALS_FEW)
        q = wide_quantile(mean, p);
    else
        q = mean + noise_of(mean) * pshi_residuals_quantile(r, p);
    return q > 0 ? at_most_load(q) : 0;
}

double pshi_series_row_bytes(const pshi_series *s) {
    return s->rows > 0 ? s->bytes / s->rows : 0;
}

double pshi_series_skill(const pshi_series *s) {
    double skill = s->tally.naive > 0 ? 1 - s->tally.error / s->tally.naive : 0;

    return skill > LEAST_SKILL ? skill : LEAST_SKILL;
}

static void note_error(pshi_error *e, double keep, double error) {
    e->sum = (float)((double)e->sum * keep + error);
    e->weight = (float)((double)e->weight * keep + 1);
}

/* The long naive is the yardstick once there is one, the short before. */
static void tally_up(pshi_tally *t, const pshi_shape *shape, const pshi_made *made, double y, double naive) {
    double keep = 1 - 1 / (SCORE_SPAN * shape->season[1] * shape->groups);

    t->scored++;
    t->weight = t->weight * keep + 1;
    t->error = t->error * keep + fabs(y - (double)made->mean);
    t->naive = t->naive * keep + fabs(y - naive);
    t->inside = t->inside * keep + (y >= (double)made->low && y <= (double)made->high ? 1 : 0);
}

/* Scores the forecast that was made `lead` buckets before. */
static void score_group(pshi_series *s, const pshi_shape *shape, int64_t bucket, uint32_t g, double y) {
    const pshi_made *made = &s->made[g][pshi_slot(bucket, shape->lead[g])];
    int64_t then = bucket - (int64_t)shape->lead[g] + 1; /* first open bucket when it was made */
    double naive = -1, keep = 1 - shape->fade, before;
    uint32_t k;

    for (k = 0; k < PSHI_SEASONS; k++) {
        before = season_before(s, shape, then, shape->lead[g], k);
        if (before >= 0) {
            naive = before;
            note_error(&s->error[g][k], keep, fabs(y - before));
        }
        if (made->hw[k] >= 0)
            note_error(&s->error[g][PSHI_SEASONS + k], keep, fabs(y - (double)made->hw[k]));
    }
    note_error(&s->error[g][PSHI_COMBINED], keep, fabs(y - (double)made->mean));
    if (s->residual[g].count >= PSHI_RESIDUALS_FEW)
        pshi_residuals_adapt(&s->residual[g], y < (double)made->low || y > (double)made->high);
    pshi_residuals_push(&s->residual[g], (y - (double)made->mean) / noise_of((double)made->mean));
    if (naive >= 0)
        tally_up(&s->tally, shape, made, y, naive);
}

static void score_all(pshi_series *s, const pshi_shape *shape, int64_t bucket, double y, pshi_calibration *c) {
    int64_t age = pshi_series_age(s, bucket);
    uint32_t g;

    for (g = 0; g < shape->groups; g++)
        if (age >= (int64_t)shape->lead[g])
            score_group(s, shape, bucket, g, y);
    if (s->raw_next >= 0)
        pshi_calibrate_learn(c, &c->view, s->raw_next, s->shown_next, y > 0);
}

static void learn(pshi_series *s, const pshi_shape *shape, int64_t bucket, double y) {
    int64_t age = pshi_series_age(s, bucket + 1);
    double part = 1 / (double)age;
    uint32_t k, m;

    s->ring[pshi_slot(bucket, shape->ring)] = (float)y;
    s->mean += (part > shape->fade ? part : shape->fade) * (y - s->mean);
    if (y > 0) { /* in idle times there is nothing newer to forget for */
        s->rows *= SIZE_FADE;
        s->bytes *= SIZE_FADE;
    }
    s->idle = y > 0 ? 0 : s->idle + 1;
    for (k = 0; k < PSHI_SEASONS; k++) {
        m = shape->season[k];
        if (s->holt[k].alpha > 0)
            pshi_holt_update(
                &s->holt[k], &s->season[k][pshi_slot(bucket, m)], y, (uint32_t)((age - 1) / (int64_t)m));
    }
}

static void forecast_all(pshi_series *s, const pshi_shape *shape, int64_t bucket, pshi_calibration *c) {
    pshi_made *made;
    double mean;
    uint32_t g;

    for (g = 0; g < shape->groups; g++) {
        made = &s->made[g][pshi_slot(bucket, shape->lead[g])];
        mean = pshi_series_mean(s, shape, bucket + 1, shape->lead[g], made->hw);
        made->mean = (float)mean;
        made->low = (float)pshi_series_quantile(s, shape, shape->lead[g], mean, 0.05);
        made->high = (float)pshi_series_quantile(s, shape, shape->lead[g], mean, 0.95);
    }
    if (s->subject.kind != PSH_SUBJECT_TEMPLATE)
        return;
    s->raw_next = 1 - exp(-(double)s->made[0][pshi_slot(bucket, shape->lead[0])].mean);
    s->shown_next = pshi_calibrate(&c->view, s->raw_next);
}

void pshi_series_close(pshi_series *s, const pshi_shape *shape, int64_t bucket, pshi_calibration *c) {
    double *open = &s->open[pshi_slot(bucket, shape->open)], y = at_most_load(*open);

    if (bucket < s->start)
        return;
    *open = 0;
    score_all(s, shape, bucket, y, c);
    learn(s, shape, bucket, y);
    forecast_all(s, shape, bucket, c);
    pshi_totals_close(s, shape, bucket, c);
}

int pshi_series_due(const pshi_series *s, int64_t closed) {
    return pshi_series_age(s, closed) >= s->fit_at;
}

/* Soon while history is young, once a long season later; and as soon as there is a long season. */
static int64_t next_fit(const pshi_shape *shape, int64_t age) {
    int64_t wait = age / 2, most = shape->season[1], least = shape->season[0];

    wait = wait < least ? least : wait > most ? most : wait;
    return age < most && age + wait > most ? most : age + wait;
}

void pshi_series_fit(pshi_series *s, const pshi_shape *shape, int64_t closed, float *scratch) {
    int64_t age = pshi_series_age(s, closed), from;
    float *y = scratch + shape->season[1];
    uint32_t n = age < (int64_t)shape->ring ? (uint32_t)age : shape->ring, i, k, m;

    from = closed - (int64_t)n;
    for (i = 0; i < n; i++)
        y[i] = s->ring[pshi_slot(from + (int64_t)i, shape->ring)];
    for (k = 0; k < PSHI_SEASONS; k++) {
        m = shape->season[k];
        if (n >= m)
            pshi_holt_fit(&s->holt[k], s->season[k], m, y, n, pshi_slot(from, m), scratch);
    }
    s->fit_at = next_fit(shape, age);
}
