/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "forecast/signals.h"

/* What sums, states and errors of loads reach at most, with room for what they swing over. */
#define MOST_STATE 0x1p118
#define MOST_ROW 0x1p65 /* bytes of a mean row */
#define MOST_SQUARE 0x1p121

static int is_chance(float raw, float shown) {
    return raw == -1 ? shown == 0 : raw >= 0 && raw <= 1 && shown >= 0 && shown <= 1;
}

static void bad_if(pshi_fields *io, int bad) {
    if (io->c && bad)
        pshi_read_bad(io->c);
}

static void total_fields(pshi_fields *io, pshi_total *t) {
    pshi_field_i64(io, &t->from, PSH_TIME_NONE, INT64_MAX);
    pshi_field_f32(io, &t->mean, 0, MOST_STATE);
    pshi_field_f32(io, &t->raw, -1, 1);
    pshi_field_f32(io, &t->shown, 0, 1);
    pshi_field_f32(io, &t->bar, 0, MOST_STATE);
    bad_if(io, t->from != PSH_TIME_NONE && !is_chance(t->raw, t->shown));
}

static void tally_fields(pshi_fields *io, pshi_tally *t) {
    pshi_field_u64(io, &t->scored);
    pshi_field_f64(io, &t->weight, 0, MOST_STATE);
    pshi_field_f64(io, &t->error, 0, MOST_STATE);
    pshi_field_f64(io, &t->naive, 0, MOST_STATE);
    pshi_field_f64(io, &t->inside, 0, t->weight);
    bad_if(io, t->scored ? t->weight < 1 : t->weight > 0);
}

static void made_fields(pshi_fields *io, pshi_made *m) {
    pshi_field_u32(io, &m->due, 0, UINT32_MAX);
    pshi_field_f32(io, &m->mean, -1, MOST_STATE);
    pshi_field_f32(io, &m->low, 0, MOST_STATE);
    pshi_field_f32(io, &m->high, 0, MOST_STATE);
    pshi_field_f32(io, &m->raw, -1, 1);
    pshi_field_f32(io, &m->shown, 0, 1);
    pshi_field_f32(io, &m->bar, 0, MOST_STATE);
    bad_if(io, !is_chance(m->raw, m->shown));
}

static void history_fields(pshi_fields *io, pshi_regular *r, const pshi_shape *shape) {
    uint32_t i, code;

    for (i = 0; i < shape->ring; i++) {
        code = r->history[i];
        pshi_field_u32(io, &code, 0, 65535);
        r->history[i] = (uint16_t)code;
    }
    for (i = 0; i < (shape->ring + 7) / 8; i++) {
        code = r->masked[i];
        pshi_field_u32(io, &code, 0, 255);
        r->masked[i] = (uint8_t)code;
    }
}

static void regular_fields(pshi_fields *io, pshi_regular *r, const pshi_shape *shape) {
    uint32_t i;

    pshi_field_i64(io, &r->fit_at, 0, INT64_MAX);
    pshi_field_u32(io, &r->fitted, 0, 1);
    pshi_field_u32(io, &r->totals, 0, UINT32_MAX);
    tally_fields(io, &r->tally);
    pshi_field_f32(io, &r->raw_next, -1, 1);
    pshi_field_f32(io, &r->shown_next, 0, 1);
    bad_if(io, !is_chance(r->raw_next, r->shown_next));
    pshi_field_f32(io, &r->total_error, 0, MOST_STATE);
    pshi_field_f32(io, &r->total_weight, r->totals ? 1e-3 : 0, 1e6);
    pshi_track_fields(io, &r->total_track);
    for (i = 0; i < shape->groups; i++)
        pshi_track_fields(io, &r->track[i]);
    for (i = 0; i < PSHI_TOTALS; i++)
        total_fields(io, &r->total[i]);
    for (i = 0; i < shape->pending; i++)
        made_fields(io, &r->made[0][i]);
    pshi_field_f32s(io, r->spread, shape->season[0], 0, 1e12);
    pshi_field_f32(io, &r->all_spread, 0, 1e12);
    pshi_field_u32(io, &r->spreads, 0, UINT32_MAX);
    history_fields(io, r, shape);
    memcpy(r->rhythm->room, shape->season, sizeof r->rhythm->room);
    if (r->fitted)
        pshi_rhythm_fields(io, r->rhythm);
    pshi_watch_fields(io, &r->watch);
    bad_if(io, r->watch.base >= 0 && !r->fitted);
}

static void far_fields(pshi_fields *io, pshi_series *s, const pshi_shape *shape) {
    pshi_field_f64s(io, s->far, shape->open, 0, MOST_STATE);
}

static void core_fields(pshi_fields *io, pshi_series *s) {
    uint32_t i;

    pshi_field_i64(io, &s->start, INT64_MIN, INT64_MAX);
    pshi_field_f64s(io, s->open, PSHI_NEAR, 0, MOST_STATE);
    pshi_field_f64(io, &s->rows, 0, MOST_STATE);
    pshi_field_f64(io, &s->bytes, 0, MOST_STATE * MOST_ROW);
    bad_if(io, s->bytes > s->rows * MOST_ROW);
    pshi_field_i64(io, &s->idle, 0, INT64_MAX);
    pshi_field_f32(io, &s->mean, 0, MOST_STATE);
    pshi_field_f32(io, &s->busy, 0, 1.001);
    pshi_field_f32(io, &s->size, 0, MOST_STATE);
    pshi_field_f32(io, &s->size2, 0, MOST_SQUARE);
    pshi_field_u32(io, &s->events, 0, UINT32_MAX);
    for (i = 0; i < PSHI_EVENTS; i++) {
        pshi_field_u32(io, &s->event[i].at, 0, UINT32_MAX);
        pshi_field_f32(io, &s->event[i].amount, 0, MOST_STATE);
    }
}

/* Room beyond the near buckets that holds nothing is not told: it may be of a record that was given up. */
static int has_far(const pshi_series *s, const pshi_shape *shape) {
    uint32_t i;

    for (i = 0; s->far && i < shape->open; i++)
        if (s->far[i] > 0)
            return 1;
    return 0;
}

void pshi_series_put(pshi_writer *w, const pshi_series *series, const pshi_shape *shape) {
    pshi_series *s = (pshi_series *)(uintptr_t)series; /* fields writes from it only */
    pshi_fields io = { w, NULL };
    uint32_t parts = (s->regular ? 1u : 0) | (has_far(s, shape) ? 2u : 0) | (s->hot ? 4u : 0);

    parts |= s->regular && s->regular->watch.lead ? 8u : 0;
    pshi_field_u32(&io, &parts, 0, 15);
    core_fields(&io, s);
    if (parts & 2)
        far_fields(&io, s, shape);
    if (s->regular)
        regular_fields(&io, s->regular, shape);
    if (s->hot)
        pshi_hot_put(w, s->hot, shape);
    if (s->regular && s->regular->watch.lead)
        pshi_leadlag_save(s->regular->watch.lead, w);
}

psh_status pshi_series_get(
    psh_env *env, pshi_cursor *c, pshi_series *s, const pshi_shape *shape, const struct pshi_signals *g) {
    pshi_fields io = { NULL, c };
    uint32_t parts;

    pshi_field_u32(&io, &parts, 0, 15);
    core_fields(&io, s);
    if ((parts & 5) == 4) /* hot is regular, too */
        pshi_read_bad(c);
    if (parts & 8 && (!(parts & 1) || !pshi_metrics_any(g, &s->subject)))
        pshi_read_bad(c);
    if (!(parts & 1) && !pshi_kind_may_be_sparse(s->subject.kind))
        pshi_read_bad(c);
    if (c->status != PSH_OK)
        return c->status;
    if (parts & 2 && pshi_series_reach(env, s, shape) != PSH_OK)
        return PSH_E_NOMEM;
    if (parts & 2)
        far_fields(&io, s, shape);
    if (parts & 1 && !s->regular && pshi_series_promote(env, s, shape, s->start) != PSH_OK)
        return PSH_E_NOMEM;
    if (parts & 1)
        regular_fields(&io, s->regular, shape);
    if (parts & 4 && c->status == PSH_OK) {
        s->hot = pshi_hot_create(env, shape);
        if (!s->hot || pshi_hot_get(env, c, s->hot, shape) == PSH_E_NOMEM)
            return PSH_E_NOMEM;
    }
    if (parts & 8 && c->status == PSH_OK && pshi_metrics_load(g, shape, c, &s->regular->watch.lead) != PSH_OK)
        return PSH_E_NOMEM;
    return c->status;
}
