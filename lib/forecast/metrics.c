/* SPDX-License-Identifier: MIT */
/* Metrics of the host: their buckets, and who they may lead. */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "forecast/forecaster.h"

#define MOST_VALUE 0x1p100
#define MOST_LAGS 64u
#define MOST_SEASON 1024u /* of a metric: longer ones are not taken out */

static int may_lead(const pshi_metric *m, const psh_subject *s) {
    int whole = s->kind == PSH_SUBJECT_TABLE || s->kind == PSH_SUBJECT_QUERIES;

    if (!m->scope.kind)
        return whole;
    if (m->scope.kind == PSH_SUBJECT_TABLE)
        return whole && m->scope.table == s->table;
    return pshi_subject_compare(&m->scope, s) == 0;
}

int pshi_metrics_any(const pshi_signals *g, const psh_subject *subject) {
    uint32_t i;

    for (i = 0; i < g->metric_count; i++)
        if (may_lead(&g->metrics[i], subject))
            return 1;
    return 0;
}

/* How far ahead a metric may lead: a short season, where scores reach as far. */
static pshi_leadlag_options options_for(const pshi_signals *g, const pshi_shape *shape) {
    uint32_t far = shape->lead[shape->groups - 1];
    pshi_leadlag_options o;

    pshi_leadlag_defaults(&o, g->max_metrics);
    o.lags = shape->season[0] < far ? shape->season[0] : far;
    o.lags = o.lags < MOST_LAGS ? o.lags : MOST_LAGS;
    o.season = shape->season[0] <= MOST_SEASON ? shape->season[0] : 0;
    return o;
}

uint64_t pshi_metrics_bytes(const pshi_signals *g, const pshi_shape *shape) {
    pshi_leadlag_options o = options_for(g, shape);

    return pshi_leadlag_room(&o);
}

psh_status pshi_metrics_begin(const pshi_signals *g, const pshi_shape *shape, pshi_watch *w) {
    pshi_leadlag_options o = options_for(g, shape);

    return pshi_leadlag_create(g->env, &o, &w->lead);
}

void pshi_metrics_observe(const pshi_outlook *o, const psh_subject *subject, pshi_leadlag *lead, double residual) {
    const pshi_signals *g = o->signals;
    const pshi_metric_bucket *b;
    double value[PSHI_MOST_METRICS];
    uint32_t i, slot = pshi_slot(o->closed, o->shape->open);

    for (i = 0; i < g->max_metrics; i++) {
        value[i] = (double)NAN;
        if (i >= g->metric_count || !may_lead(&g->metrics[i], subject))
            continue;
        b = &g->metrics[i].open[slot];
        value[i] = b->count ? b->sum / b->count : (double)NAN;
    }
    pshi_leadlag_observe(lead, residual, value);
}

void pshi_metrics_path(pshi_outlook *o, const pshi_leadlag *lead) {
    pshi_leadlag_options of = options_for(o->signals, o->shape);
    uint32_t n = of.lags < o->steps ? of.lags : o->steps, i;
    double x;

    for (i = 0; i < n; i++) {
        x = o->mean[i] + pshi_leadlag_correct(lead, i + 1);
        o->mean[i] = x > 0 ? x < PSHI_MOST_LOAD ? x : PSHI_MOST_LOAD : 0;
    }
}

void pshi_metrics_close(pshi_signals *g, const pshi_shape *shape, int64_t from, int64_t to) {
    int64_t end = to - from >= (int64_t)shape->open || to == from ? from + (int64_t)shape->open : to, b;
    uint32_t i;

    for (i = 0; i < g->metric_count; i++)
        for (b = from; b < end; b++)
            g->metrics[i].open[pshi_slot(b, shape->open)] = (pshi_metric_bucket){ 0, 0, 0 };
}

psh_status pshi_metrics_load(const pshi_signals *g, const pshi_shape *shape, pshi_cursor *c, pshi_leadlag **out) {
    pshi_leadlag_options want = options_for(g, shape), got;

    *out = pshi_leadlag_load(g->env, c);
    if (!*out)
        return PSH_E_NOMEM;
    pshi_leadlag_options_of(*out, &got);
    if (c->status == PSH_OK && got.metrics == want.metrics && got.lags == want.lags && got.season == want.season)
        return PSH_OK;
    pshi_read_bad(c);
    pshi_leadlag_destroy(*out);
    *out = NULL;
    return PSH_OK;
}

pshi_metric *pshi_metric_find(const pshi_signals *g, uint64_t id) {
    uint32_t i;

    for (i = 0; i < g->metric_count; i++)
        if (g->metrics[i].id == id)
            return &g->metrics[i];
    return NULL;
}

static psh_status check_metric_scope(const psh_forecaster *f, const psh_subject *s, psh_error *err) {
    if (s->kind > PSH_SUBJECT_QUERIES)
        return pshi_fail(err, PSH_E_INVALID, "scope.kind", "is no PSH_SUBJECT_*, nor 0");
    if (s->kind && s->table >= psh_schema_table_count(f->schema))
        return pshi_fail(err, PSH_E_INVALID, "scope.table", "no such table");
    return PSH_OK;
}

psh_status pshi_metric_add(pshi_signals *g, const pshi_shape *shape, uint64_t id, const psh_subject *scope) {
    pshi_metric *m;

    if (!g->metrics)
        g->metrics = pshi_calloc(g->env, g->max_metrics, sizeof *g->metrics);
    if (!g->metrics)
        return PSH_E_NOMEM;
    m = &g->metrics[g->metric_count];
    m->open = pshi_calloc(g->env, shape->open, sizeof *m->open);
    if (!m->open)
        return PSH_E_NOMEM;
    m->id = id;
    m->scope = *scope;
    g->metric_count++;
    return PSH_OK;
}

psh_status psh_forecaster_add_metric(psh_forecaster *f, uint64_t id, const psh_subject *scope, psh_error *err) {
    static const psh_subject all = { 0, 0, 0 };
    psh_status st;

    if (!f || !id)
        return pshi_fail(err, PSH_E_INVALID, f ? "id" : "f", f ? "must not be 0" : "is NULL");
    if ((st = check_metric_scope(f, scope ? scope : &all, err)) != PSH_OK)
        return st;
    if (pshi_metric_find(&f->signals, id))
        return pshi_fail(err, PSH_E_EXISTS, "id", "a metric has this id");
    if (f->signals.metric_count >= f->signals.max_metrics)
        return pshi_fail(err, PSH_E_LIMIT, "max_metrics", "so many metrics are there");
    st = pshi_metric_add(&f->signals, &f->shape, id, scope ? scope : &all);
    return st == PSH_OK ? st : pshi_fail(err, st, "", "no memory for the metric");
}

psh_status psh_forecaster_observe_metric(psh_forecaster *f, uint64_t id, int64_t time, double value) {
    pshi_metric_bucket *b;
    pshi_metric *m;
    int64_t bucket;

    if (!f || time == PSH_TIME_NONE || !(fabs(value) <= MOST_VALUE))
        return PSH_E_INVALID;
    m = pshi_metric_find(&f->signals, id);
    if (!m)
        return PSH_E_NOT_FOUND;
    bucket = pshi_bucket(&f->shape, time);
    if (!f->anchored) { /* as the first record does */
        f->outlook.closed = bucket - (int64_t)f->shape.late - 2;
        f->anchored = 1;
    }
    if (bucket < f->outlook.closed || bucket - f->outlook.closed >= (int64_t)f->shape.open)
        return PSH_E_TIME;
    b = &m->open[pshi_slot(bucket, f->shape.open)];
    if (b->count == UINT32_MAX)
        return PSH_OK;
    b->sum += value;
    b->count++;
    return PSH_OK;
}

size_t psh_forecaster_metric_count(const psh_forecaster *f) {
    return f ? f->signals.metric_count : 0;
}

psh_status psh_forecaster_metric(
    const psh_forecaster *f, const psh_subject *subject, size_t i, psh_metric_info *out) {
    pshi_leadlag_info found;
    psh_metric_info info;
    const pshi_series *s;

    if (!f || !subject || !out)
        return PSH_E_INVALID;
    s = pshi_store_find(&f->store, subject);
    if (!s || !s->regular || !s->regular->watch.lead || i >= f->signals.metric_count ||
        !may_lead(&f->signals.metrics[i], subject))
        return PSH_E_NOT_FOUND;
    (void)pshi_leadlag_info_of(s->regular->watch.lead, (uint32_t)i, &found);
    memset(&info, 0, sizeof info);
    info.lag = found.lag;
    info.id = f->signals.metrics[i].id;
    info.correlation = found.correlation;
    info.gain = found.gain;
    info.used = found.used;
    return pshi_struct_out(out, &info, sizeof info);
}
