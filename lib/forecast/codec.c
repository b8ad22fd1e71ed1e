/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "forecast/series.h"
#include "math/stats.h"

/* What sums, states and errors of loads reach at most, with room for what they swing over. */
#define MOST_STATE 0x1p118
#define MOST_ROW 0x1p65    /* bytes of a mean row */
#define LEAST_ALPHA 0.009F /* the adapted miss rate */
#define MOST_ALPHA 0.2F

static void put_f32(pshi_writer *w, float x) {
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    pshi_put_u32(w, bits);
}

static float get_f32(pshi_cursor *c) {
    uint32_t bits = pshi_get_u32(c);
    float x;

    memcpy(&x, &bits, sizeof x);
    if (isfinite(x) && fabs((double)x) <= MOST_STATE)
        return x;
    pshi_read_bad(c);
    return 0;
}

static double get_state(pshi_cursor *c) {
    double x = pshi_get_f64(c);

    if (fabs(x) <= MOST_STATE)
        return x;
    pshi_read_bad(c);
    return 0;
}

/* A number that must not be negative. */
static float get_amount(pshi_cursor *c) {
    float x = get_f32(c);

    if (x < 0)
        pshi_read_bad(c);
    return x < 0 ? 0 : x;
}

/* What a bucket held, or was forecast to hold. */
static float get_load(pshi_cursor *c) {
    float x = get_amount(c);

    if ((double)x <= PSHI_MOST_LOAD)
        return x;
    pshi_read_bad(c);
    return 0;
}

/* What one model said, or -1 for nothing. */
static float get_member(pshi_cursor *c) {
    float x = get_f32(c);

    if (x == -1 || (x >= 0 && (double)x <= PSHI_MOST_LOAD))
        return x;
    pshi_read_bad(c);
    return 0;
}

static void put_residuals(pshi_writer *w, const pshi_residuals *r) {
    uint32_t i;

    pshi_put_var(w, r->count);
    pshi_put_var(w, r->head);
    put_f32(w, r->alpha);
    for (i = 0; i < r->count; i++)
        put_f32(w, r->age[i]);
}

static void get_residuals(pshi_cursor *c, pshi_residuals *r) {
    uint32_t count = pshi_get_var32(c), head = pshi_get_var32(c), i;

    r->alpha = get_amount(c);
    /* Until it is full the ring begins at 0, so that the next goes behind the last. */
    if (count > r->cap || head >= r->cap || (count < r->cap && head != count) || r->alpha < LEAST_ALPHA ||
        r->alpha > MOST_ALPHA) {
        r->alpha = (float)PSHI_MISS;
        pshi_read_bad(c);
        return;
    }
    r->count = count;
    r->head = head;
    for (i = 0; i < count; i++) {
        r->age[i] = get_f32(c);
        pshi_sorted_insert(r->sorted, i, r->age[i]);
    }
}

static void put_holt(pshi_writer *w, const pshi_holt *h) {
    put_f32(w, h->alpha);
    put_f32(w, h->beta);
    put_f32(w, h->gamma);
    pshi_put_f64(w, h->level);
    pshi_put_f64(w, h->trend);
}

static void get_holt(pshi_cursor *c, pshi_holt *h) {
    h->alpha = get_amount(c);
    h->beta = get_amount(c);
    h->gamma = get_amount(c);
    h->level = get_state(c);
    h->trend = get_state(c);
    if (h->alpha > 1 || h->beta > 1 || h->gamma > 1)
        pshi_read_bad(c);
}

static void put_total(pshi_writer *w, const pshi_total *t) {
    pshi_put_int(w, t->from);
    pshi_put_f64(w, t->mean);
    pshi_put_f64(w, t->raw);
    pshi_put_f64(w, t->shown);
    pshi_put_f64(w, t->bar);
}

static int is_chance(double raw, double shown) {
    return raw == -1 ? shown == 0 : raw >= 0 && raw <= 1 && shown >= 0 && shown <= 1;
}

static void get_total(pshi_cursor *c, pshi_total *t) {
    t->from = pshi_get_int(c);
    t->mean = get_state(c);
    t->raw = pshi_get_f64(c);
    t->shown = pshi_get_f64(c);
    t->bar = get_state(c);
    if (t->from != PSH_TIME_NONE && (t->mean < 0 || t->bar < 0 || !is_chance(t->raw, t->shown)))
        pshi_read_bad(c);
}

static void put_scores(pshi_writer *w, const pshi_series *s, const pshi_shape *shape) {
    uint32_t g, i;

    pshi_put_u64(w, s->tally.scored);
    pshi_put_f64(w, s->tally.weight);
    pshi_put_f64(w, s->tally.error);
    pshi_put_f64(w, s->tally.naive);
    pshi_put_f64(w, s->tally.inside);
    for (g = 0; g < shape->groups; g++) {
        for (i = 0; i <= PSHI_MEMBERS; i++) {
            put_f32(w, s->error[g][i].sum);
            put_f32(w, s->error[g][i].weight);
        }
        put_residuals(w, &s->residual[g]);
    }
    put_residuals(w, &s->total_residual);
}

static void get_scores(pshi_cursor *c, pshi_series *s, const pshi_shape *shape) {
    uint32_t g, i;

    s->tally.scored = pshi_get_u64(c);
    s->tally.weight = get_state(c);
    s->tally.error = get_state(c);
    s->tally.naive = get_state(c);
    s->tally.inside = get_state(c);
    if (s->tally.error < 0 || s->tally.naive < 0 || s->tally.inside < 0 || s->tally.inside > s->tally.weight)
        pshi_read_bad(c);
    if (s->tally.scored ? s->tally.weight < 1 : s->tally.weight > 0)
        pshi_read_bad(c);
    for (g = 0; g < shape->groups && c->status == PSH_OK; g++) {
        for (i = 0; i <= PSHI_MEMBERS; i++) {
            s->error[g][i].sum = get_amount(c);
            s->error[g][i].weight = get_amount(c);
        }
        get_residuals(c, &s->residual[g]);
    }
    get_residuals(c, &s->total_residual);
}

static void put_arrays(pshi_writer *w, const pshi_series *s, const pshi_shape *shape) {
    const float *made = (const float *)(const void *)s->made[0];
    uint32_t i, k;

    for (i = 0; i < shape->open; i++)
        pshi_put_f64(w, s->open[i]);
    for (i = 0; i < shape->ring; i++)
        put_f32(w, s->ring[i]);
    for (k = 0; k < PSHI_SEASONS; k++)
        for (i = 0; i < shape->season[k]; i++)
            put_f32(w, s->season[k][i]);
    for (i = 0; i < shape->pending * (sizeof(pshi_made) / sizeof(float)); i++)
        put_f32(w, made[i]);
}

static void get_arrays(pshi_cursor *c, pshi_series *s, const pshi_shape *shape) {
    uint32_t i, k;

    for (i = 0; i < shape->open; i++) {
        s->open[i] = get_state(c);
        if (s->open[i] < 0)
            pshi_read_bad(c);
    }
    for (i = 0; i < shape->ring; i++)
        s->ring[i] = get_load(c);
    for (k = 0; k < PSHI_SEASONS; k++)
        for (i = 0; i < shape->season[k]; i++)
            s->season[k][i] = get_f32(c);
    for (i = 0; i < shape->pending; i++) {
        s->made[0][i].mean = get_load(c);
        s->made[0][i].low = get_load(c);
        s->made[0][i].high = get_load(c);
        s->made[0][i].hw[0] = get_member(c);
        s->made[0][i].hw[1] = get_member(c);
    }
}

void pshi_series_put(pshi_writer *w, const pshi_series *s, const pshi_shape *shape) {
    uint32_t i;

    pshi_put_int(w, s->start);
    pshi_put_int(w, s->fit_at);
    pshi_put_int(w, s->idle);
    pshi_put_f64(w, s->mean);
    pshi_put_f64(w, s->rows);
    pshi_put_f64(w, s->bytes);
    pshi_put_f64(w, s->raw_next);
    pshi_put_f64(w, s->shown_next);
    for (i = 0; i < PSHI_SEASONS; i++)
        put_holt(w, &s->holt[i]);
    for (i = 0; i < PSHI_TOTALS; i++)
        put_total(w, &s->total[i]);
    put_scores(w, s, shape);
    put_arrays(w, s, shape);
}

void pshi_series_get(pshi_cursor *c, pshi_series *s, const pshi_shape *shape) {
    uint32_t i;

    s->start = pshi_get_int(c);
    s->fit_at = pshi_get_int(c);
    s->idle = pshi_get_int(c);
    s->mean = get_state(c);
    s->rows = get_state(c);
    s->bytes = get_state(c);
    s->raw_next = pshi_get_f64(c);
    s->shown_next = pshi_get_f64(c);
    if (s->fit_at < 0 || s->idle < 0 || s->mean < 0 || s->rows < 0 || s->bytes < 0 ||
        s->bytes > s->rows * MOST_ROW)
        pshi_read_bad(c);
    if (!is_chance(s->raw_next, s->shown_next))
        pshi_read_bad(c);
    for (i = 0; i < PSHI_SEASONS; i++)
        get_holt(c, &s->holt[i]);
    for (i = 0; i < PSHI_TOTALS; i++)
        get_total(c, &s->total[i]);
    get_scores(c, s, shape);
    get_arrays(c, s, shape);
}
