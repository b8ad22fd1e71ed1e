/* SPDX-License-Identifier: MIT */
#include "base/env.h"
#include "forecast/signals.h"

#define MOST_SUM 0x1p133 /* 2^32 values of 2^100 */
#define MOST_STATE 0x1p118

static void subject_fields(pshi_fields *io, psh_subject *s) {
    pshi_field_u32(io, &s->kind, 0, PSH_SUBJECT_SEGMENT);
    pshi_field_u32(io, &s->table, 0, UINT32_MAX);
    pshi_field_u64(io, &s->id);
}

/* By age, so that the bytes do not tell where buckets stood. */
static void bucket_fields(pshi_fields *io, pshi_metric *m, const pshi_shape *shape, int64_t closed) {
    pshi_metric_bucket *b;
    uint32_t i;

    for (i = 0; i < shape->open; i++) {
        b = &m->open[pshi_slot(closed + (int64_t)i, shape->open)];
        pshi_field_u32(io, &b->count, 0, UINT32_MAX);
        if (b->count)
            pshi_field_f64(io, &b->sum, -MOST_SUM, MOST_SUM);
    }
}

static void alert_fields(pshi_fields *io, psh_alert *a) {
    pshi_field_u32(io, &a->kind, PSH_ALERT_OUTLIER, PSH_ALERT_COVERAGE_DRIFT);
    subject_fields(io, &a->subject);
    pshi_field_i64(io, &a->time, INT64_MIN, INT64_MAX);
    pshi_field_f64(io, &a->value, 0, MOST_STATE);
    pshi_field_f64(io, &a->expected, 0, MOST_STATE);
}

static uint32_t alerts_held(const pshi_signals *g) {
    return g->alerted < g->max_alerts ? (uint32_t)g->alerted : g->max_alerts;
}

void pshi_signals_put(pshi_writer *w, const pshi_signals *g, const pshi_shape *shape, int64_t closed) {
    pshi_fields io = { w, NULL };
    pshi_metric m;
    psh_alert a;
    uint32_t i, n = alerts_held(g);

    pshi_put_u8(w, g->calendar != NULL);
    if (g->calendar)
        pshi_calendar_put(g->calendar, w);
    pshi_put_var(w, g->metric_count);
    for (i = 0; i < g->metric_count; i++) {
        m = g->metrics[i]; /* buckets are borrowed, and written only */
        pshi_field_u64(&io, &m.id);
        subject_fields(&io, &m.scope);
        bucket_fields(&io, &m, shape, closed);
    }
    pshi_put_var(w, n);
    for (i = 0; i < n; i++) {
        a = g->alerts[(g->alerted - n + i) % g->max_alerts];
        alert_fields(&io, &a);
    }
}

static psh_status get_calendar(pshi_cursor *c, pshi_signals *g, const pshi_shape *shape, int64_t closed) {
    uint8_t there = pshi_get_u8(c);

    if (there > 1)
        pshi_read_bad(c);
    if (there != 1)
        return PSH_OK;
    g->calendar = pshi_calendar_take(g->env, c);
    if (!g->calendar)
        return PSH_E_NOMEM;
    if (!pshi_calendar_is(g->calendar, g->max_events, pshi_events_season(shape)))
        pshi_read_bad(c);
    if (c->status == PSH_OK)
        pshi_events_focus(g, shape, closed - 1, closed);
    return PSH_OK;
}

static psh_status get_metrics(pshi_cursor *c, pshi_signals *g, const pshi_shape *shape, int64_t closed) {
    size_t n = pshi_get_count(c, 11 + shape->open), i;
    pshi_fields io = { NULL, c };
    psh_subject scope;
    uint64_t id;

    if (n > g->max_metrics)
        pshi_read_bad(c);
    for (i = 0; i < n && c->status == PSH_OK; i++) {
        pshi_field_u64(&io, &id);
        subject_fields(&io, &scope);
        if (!id || pshi_metric_find(g, id))
            pshi_read_bad(c);
        if (pshi_metric_add(g, shape, id, &scope) != PSH_OK)
            return PSH_E_NOMEM;
        bucket_fields(&io, &g->metrics[i], shape, closed);
    }
    return PSH_OK;
}

psh_status pshi_signals_get(pshi_cursor *c, pshi_signals *g, const pshi_shape *shape, int64_t closed) {
    pshi_fields io = { NULL, c };
    psh_status st = get_calendar(c, g, shape, closed);
    size_t n, i;

    if (st == PSH_OK && c->status == PSH_OK)
        st = get_metrics(c, g, shape, closed);
    if (st != PSH_OK || c->status != PSH_OK)
        return st != PSH_OK ? st : c->status;
    n = pshi_get_count(c, 27);
    if (n > g->max_alerts)
        pshi_read_bad(c);
    for (i = 0; i < n && c->status == PSH_OK; i++)
        alert_fields(&io, &g->alerts[i]);
    g->alerted = c->status == PSH_OK ? n : 0;
    return pshi_read_end(c);
}
