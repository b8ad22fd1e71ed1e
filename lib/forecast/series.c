/* SPDX-License-Identifier: MIT */
/* Memory and tiers of a series; what it has seen. */
#include "forecast/series.h"

#include <math.h>
#include <string.h>

#include "base/env.h"

#define FEW_EVENTS 4u      /* a series of fewer busy buckets stays sparse */
#define COOLER 0.5         /* of the load that makes a series hot */
#define DEMOTE 0.25        /* of the activity that promotes */

int pshi_kind_may_be_sparse(uint32_t kind) {
    return kind == PSH_SUBJECT_TENANT || kind == PSH_SUBJECT_PARTITION || kind == PSH_SUBJECT_LABEL;
}

static size_t round_up(size_t x) {
    return (x + 15) & ~(size_t)15;
}

static size_t mask_bytes(const pshi_shape *shape) {
    return (shape->ring + 7) / 8;
}

static size_t regular_bytes(const pshi_shape *shape) {
    return round_up(sizeof(pshi_regular)) + round_up(shape->pending * sizeof(pshi_made))
         + round_up(shape->season[0] * sizeof(float)) + round_up(pshi_rhythm_bytes(shape->season))
         + round_up(shape->ring * sizeof(uint16_t))
         + round_up(mask_bytes(shape));
}

size_t pshi_series_bytes(const pshi_shape *shape, uint32_t kind) {
    return sizeof(pshi_series) + (pshi_kind_may_be_sparse(kind) ? 0 : regular_bytes(shape));
}

size_t pshi_series_held(const pshi_shape *shape, const pshi_series *s) {
    size_t regular = s->regular ? regular_bytes(shape) + pshi_watch_held(&s->regular->watch) : 0;

    return sizeof *s + regular + (s->far ? shape->open * sizeof(double) : 0)
         + pshi_hot_bytes(shape, s->hot);
}

static pshi_regular *make_regular(psh_env *env, const pshi_shape *shape) {
    unsigned char *at = pshi_calloc(env, 1, regular_bytes(shape));
    pshi_regular *r = (pshi_regular *)(void *)at;
    uint32_t g;

    if (!r)
        return NULL;
    at += round_up(sizeof *r);
    r->made[0] = (pshi_made *)(void *)at;
    for (g = 1; g < shape->groups; g++)
        r->made[g] = r->made[g - 1] + shape->slots[g - 1];
    at += round_up(shape->pending * sizeof(pshi_made));
    r->spread = (float *)(void *)at;
    at += round_up(shape->season[0] * sizeof(float));
    r->rhythm = (pshi_rhythm *)(void *)at;
    at += round_up(pshi_rhythm_bytes(shape->season));
    r->history = (uint16_t *)(void *)at;
    at += round_up(shape->ring * sizeof(uint16_t));
    r->masked = at;
    return r;
}

static void reset_regular(pshi_regular *r, const pshi_shape *shape) {
    uint32_t i;

    r->fit_at = (int64_t)shape->season[0] + 1;
    r->fitted = 0;
    r->totals = 0;
    memset(&r->tally, 0, sizeof r->tally);
    r->raw_next = -1;
    r->shown_next = 0;
    r->total_error = r->total_weight = 0;
    pshi_track_init(&r->total_track);
    for (i = 0; i < PSHI_GROUPS; i++)
        pshi_track_init(&r->track[i]);
    memset(r->total, 0, sizeof r->total);
    for (i = 0; i < PSHI_TOTALS; i++)
        r->total[i].from = PSH_TIME_NONE;
    for (i = 0; i < shape->pending; i++)
        r->made[0][i] = (pshi_made){ 0, -1, 0, 0, -1, 0, 0 };
    r->all_spread = 1;
    r->spreads = 0;
    for (i = 0; i < shape->season[0]; i++)
        r->spread[i] = 1;
    memset(r->history, 0, shape->ring * sizeof *r->history);
    memset(r->masked, 0, mask_bytes(shape));
    memset(r->rhythm, 0, pshi_rhythm_bytes(shape->season));
    pshi_watch_reset(&r->watch);
}

void pshi_series_reset(pshi_series *s, const pshi_shape *shape, int64_t start) {
    s->start = start;
    s->idle = 0;
    s->mean = s->busy = s->size = s->size2 = 0;
    s->events = 0;
    memset(s->event, 0, sizeof s->event);
    memset(s->open, 0, sizeof s->open);
    if (s->far)
        memset(s->far, 0, shape->open * sizeof *s->far);
    if (s->regular)
        reset_regular(s->regular, shape);
    if (s->hot)
        pshi_hot_reset(s->hot, shape);
}

pshi_series *pshi_series_create(psh_env *env, const pshi_shape *shape, const psh_subject *subject, int64_t start) {
    pshi_series *s = pshi_calloc(env, 1, sizeof *s);

    if (!s)
        return NULL;
    s->subject = *subject;
    if (!pshi_kind_may_be_sparse(subject->kind) && !(s->regular = make_regular(env, shape))) {
        pshi_free(env, s);
        return NULL;
    }
    pshi_series_reset(s, shape, start);
    return s;
}

static void free_regular(psh_env *env, pshi_regular *r) {
    if (!r)
        return;
    pshi_leadlag_destroy(r->watch.lead);
    pshi_free(env, r);
}

void pshi_series_destroy(psh_env *env, pshi_series *s) {
    if (!s)
        return;
    pshi_free(env, s->far);
    pshi_hot_destroy(env, s->hot);
    free_regular(env, s->regular);
    pshi_free(env, s);
}

psh_status pshi_series_reach(psh_env *env, pshi_series *s, const pshi_shape *shape) {
    if (!s->far)
        s->far = pshi_calloc(env, shape->open, sizeof *s->far);
    return s->far ? PSH_OK : PSH_E_NOMEM;
}

int64_t pshi_series_age(const pshi_series *s, int64_t closed) {
    return closed > s->start ? closed - s->start : 0;
}

int pshi_series_wants(const pshi_series *s, const pshi_shape *shape, int64_t closed) {
    double often = 1 / (double)shape->season[0];

    if (!pshi_kind_may_be_sparse(s->subject.kind))
        return 0;
    if (!s->regular)
        return s->events >= FEW_EVENTS && (double)s->busy >= often;
    return pshi_series_age(s, closed) >= (int64_t)shape->longest && (double)s->busy < DEMOTE * often ? -1 : 0;
}

psh_status pshi_series_promote(psh_env *env, pshi_series *s, const pshi_shape *shape, int64_t closed) {
    pshi_regular *r = make_regular(env, shape);
    uint32_t i, n = s->events < PSHI_EVENTS ? s->events : PSHI_EVENTS;
    int64_t bucket;

    if (!r)
        return PSH_E_NOMEM;
    reset_regular(r, shape);
    for (i = 0; i < n; i++) {
        bucket = s->start + (int64_t)s->event[i].at;
        if (closed - bucket <= (int64_t)shape->ring)
            r->history[pshi_slot(bucket, shape->ring)] = pshi_history_code((double)s->event[i].amount);
    }
    s->regular = r;
    return PSH_OK;
}

psh_status pshi_series_heat(psh_env *env, pshi_series *s, const pshi_shape *shape, int hot) {
    if (!hot) {
        pshi_hot_destroy(env, s->hot);
        s->hot = NULL;
        return PSH_OK;
    }
    s->hot = pshi_hot_create(env, shape);
    if (!s->hot)
        return PSH_E_NOMEM;
    s->regular->fit_at = 0;
    return PSH_OK;
}

int pshi_series_is_hot(const pshi_series *s, const pshi_shape *shape, int64_t closed, double bar) {
    if (!s->regular || pshi_series_age(s, closed) < 2 * (int64_t)shape->longest)
        return 0;
    return (double)s->mean >= (s->hot ? COOLER * bar : bar);
}

void pshi_series_demote(psh_env *env, pshi_series *s) {
    pshi_hot_destroy(env, s->hot);
    s->hot = NULL;
    free_regular(env, s->regular);
    s->regular = NULL;
    s->events = 0;
}

static double at_most_load(double x) {
    return x < PSHI_MOST_LOAD ? x : PSHI_MOST_LOAD;
}

static double remembered(const pshi_series *s, int64_t bucket) {
    uint32_t i, n = s->events < PSHI_EVENTS ? s->events : PSHI_EVENTS;

    for (i = 0; i < n; i++)
        if (s->start + (int64_t)s->event[i].at == bucket)
            return (double)s->event[i].amount;
    return 0;
}

double pshi_series_actual(const pshi_series *s, const pshi_shape *shape, int64_t closed, int64_t bucket) {
    if (bucket >= closed + (int64_t)PSHI_NEAR)
        return s->far && bucket - closed < (int64_t)shape->open ? at_most_load(
            s->far[pshi_slot(bucket, shape->open)]) : 0;
    if (bucket >= closed)
        return at_most_load(s->open[(uint64_t)bucket % PSHI_NEAR]);
    if (bucket < s->start || closed - bucket > (int64_t)shape->ring)
        return 0;
    return s->regular ? (double)pshi_history_value(s->regular->history[pshi_slot(bucket, shape->ring)])
                      : remembered(s, bucket);
}

void pshi_series_recall(pshi_series *s, const pshi_shape *shape, int64_t bucket, double y) {
    double part = 1 / (double)(bucket - s->start + 1);

    part = part > shape->fade ? part : shape->fade;
    y = at_most_load(y);
    s->mean += (float)(part * (y - (double)s->mean));
    s->idle = y > 0 ? 0 : s->idle + 1;
    s->regular->history[pshi_slot(bucket, shape->ring)] = pshi_history_code(y);
}

double pshi_series_row_bytes(const pshi_series *s) {
    return s->rows > 0 ? s->bytes / s->rows : 0;
}
