/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "codec/frame.h"
#include "forecast/save.h"

static void put_options(pshi_writer *w, const psh_forecaster *f) {
    const psh_forecaster_options *o = &f->o;

    pshi_put_int(w, o->bucket_ns);
    pshi_put_u32(w, o->season_short);
    pshi_put_u32(w, o->season_long);
    pshi_put_u32(w, o->horizon);
    pshi_put_u32(w, o->max_templates);
    pshi_put_u32(w, o->max_tenants);
    pshi_put_u32(w, o->max_series);
    pshi_put_u64(w, o->max_bytes);
    pshi_put_int(w, o->lateness_ns);
    pshi_put_u32(w, o->history);
    pshi_put_u32(w, o->max_segments);
    pshi_put_u32(w, o->max_key_sketches);
    pshi_put_u32(w, o->max_hot);
    pshi_put_u32(w, o->network);
    pshi_put_u32(w, o->max_events);
    pshi_put_u32(w, o->max_metrics);
    pshi_put_u32(w, o->max_alerts);
}

static void put_calibrator(pshi_writer *w, const pshi_calibrator *c) {
    uint32_t i;

    for (i = 0; i < PSHI_BINS; i++) {
        pshi_put_f64(w, c->weight[i]);
        pshi_put_f64(w, c->raw[i]);
        pshi_put_f64(w, c->hits[i]);
    }
}

static void put_tracks(pshi_writer *w, const pshi_calibration *c) {
    pshi_calibration *tracks = (pshi_calibration *)(uintptr_t)c; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    pshi_calibration_track_fields(&io, tracks);
}

static void put_state(pshi_writer *w, const psh_forecaster *f) {
    const pshi_shown *s = &f->calibration.shown;
    uint32_t i;

    pshi_put_u8(w, (uint8_t)(f->anchored | f->stepped << 1));
    pshi_put_int(w, f->now);
    pshi_put_int(w, f->outlook.closed);
    pshi_put_var(w, f->cursor);
    pshi_put_u64(w, f->observed);
    pshi_put_u64(w, f->shed);
    put_calibrator(w, &f->calibration.view);
    put_calibrator(w, &f->calibration.zone);
    put_calibrator(w, &f->calibration.moment);
    pshi_put_var(w, s->count);
    pshi_put_var(w, s->head);
    pshi_put_u64(w, s->total);
    for (i = 0; i < s->count; i++)
        pshi_put_f64(w, (double)s->p[i]);
    put_tracks(w, &f->calibration);
    pshi_put_f64(w, f->hot_bar < 1e300 ? f->hot_bar : 1e300);
    pshi_put_var(w, f->lessons);
    if (f->outlook.net)
        pshi_lstm_save(f->outlook.net, w);
}

/* A series and its place, which later calls depend on. */
typedef struct placed {
    const pshi_series *series;
    size_t at;
} placed;

static int by_subject(const void *x, const void *y) {
    const placed *a = x, *b = y;

    return pshi_subject_compare(&a->series->subject, &b->series->subject);
}

static void put_series(pshi_writer *w, const psh_forecaster *f) {
    placed *order = pshi_alloc(f->env, f->store.count * sizeof *order);
    size_t i;

    if (!order) {
        w->status = w->status == PSH_OK ? PSH_E_NOMEM : w->status;
        return;
    }
    for (i = 0; i < f->store.count; i++)
        order[i] = (placed){ f->store.list[i], i };
    if (f->store.count)
        qsort(order, f->store.count, sizeof *order, by_subject);
    pshi_put_var(w, f->store.count);
    for (i = 0; i < f->store.count; i++) {
        pshi_put_u32(w, order[i].series->subject.kind);
        pshi_put_u32(w, order[i].series->subject.table);
        pshi_put_u64(w, order[i].series->subject.id);
        pshi_put_var(w, order[i].at);
        pshi_series_put(w, order[i].series, &f->shape);
    }
    pshi_free(f->env, order);
}

static void put_example(pshi_writer *w, const psh_forecaster *f, const psh_query *q) {
    psh_buffer *b = NULL;
    psh_status st = psh_buffer_create(f->env, &b);

    if (st == PSH_OK)
        st = psh_query_save(q, b);
    if (st == PSH_OK)
        pshi_put_blob(w, psh_buffer_data(b), psh_buffer_size(b));
    else if (w->status == PSH_OK)
        w->status = st;
    psh_buffer_destroy(b);
}

/* In the order they are held, which is that of their first requests but for those that were dropped. */
static void put_templates(pshi_writer *w, const psh_forecaster *f) {
    const pshi_template *t;
    size_t i;

    pshi_put_var(w, f->templates.count);
    for (i = 0; i < f->templates.count; i++) {
        t = &f->templates.list[i];
        put_example(w, f, t->example);
        pshi_put_f64(w, t->count);
        pshi_put_f64(w, t->duration);
        pshi_put_f64(w, t->rows);
        pshi_put_f64(w, t->bytes);
        pshi_put_f64(w, t->work);
        pshi_put_f64(w, t->work_count);
        pshi_put_f64(w, t->span);
        pshi_put_f64(w, t->span_now);
        pshi_put_f64(w, t->recent);
        pshi_put_int(w, t->align_ns);
        pshi_put_int(w, t->reach_ns);
        pshi_put_int(w, t->last_seen);
    }
}

static void put_segments(pshi_writer *w, const psh_forecaster *f) {
    pshi_tenants_put(w, &f->tenants);
}

static void put_signals(pshi_writer *w, const psh_forecaster *f) {
    pshi_signals_put(w, &f->signals, &f->shape, f->outlook.closed);
}

static void put_workload(pshi_writer *w, const psh_forecaster *f) {
    pshi_workload_put(w, &f->workload);
}

static void put_keys(pshi_writer *w, const psh_forecaster *f) {
    pshi_keys_put(w, &f->keys);
}

static void put_labels(pshi_writer *w, const psh_forecaster *f) {
    pshi_labels_put(w, &f->labels);
}

static void put_section(
    pshi_frame_writer *fw, uint32_t type, void (*put)(pshi_writer *, const psh_forecaster *),
    const psh_forecaster *f) {
    pshi_section_begin(fw, type, 0);
    put(fw->w, f);
    pshi_section_end(fw);
}

psh_status psh_forecaster_save(const psh_forecaster *f, psh_buffer *out) {
    pshi_frame_writer fw;
    pshi_writer w;

    if (!f || !out)
        return PSH_E_INVALID;
    w = pshi_write(out);
    fw = pshi_frame_begin(&w, PSHI_KIND_FORECASTER);
    put_section(&fw, PSHI_FORECASTER_OPTIONS, put_options, f);
    put_section(&fw, PSHI_FORECASTER_STATE, put_state, f);
    put_section(&fw, PSHI_FORECASTER_SIGNALS, put_signals, f);
    put_section(&fw, PSHI_FORECASTER_SERIES, put_series, f);
    put_section(&fw, PSHI_FORECASTER_TEMPLATES, put_templates, f);
    put_section(&fw, PSHI_FORECASTER_SEGMENTS, put_segments, f);
    put_section(&fw, PSHI_FORECASTER_LABELS, put_labels, f);
    put_section(&fw, PSHI_FORECASTER_WORKLOAD, put_workload, f);
    put_section(&fw, PSHI_FORECASTER_MORE, pshi_put_more, f);
    put_section(&fw, PSHI_FORECASTER_KEYS, put_keys, f);
    pshi_frame_end(&fw);
    return pshi_write_end(&w);
}
