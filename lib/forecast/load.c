/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "codec/frame.h"
#include "forecast/save.h"
#include "forecast/segment.h"
#include "value/forecast.h"

static psh_status get_options(pshi_cursor *c, psh_forecaster_options *out, psh_error *err) {
    psh_forecaster_options o = { sizeof o };
    psh_status st;

    o.bucket_ns = pshi_get_int(c);
    o.season_short = pshi_get_u32(c);
    o.season_long = pshi_get_u32(c);
    o.horizon = pshi_get_u32(c);
    o.max_templates = pshi_get_u32(c);
    o.max_tenants = pshi_get_u32(c);
    o.max_series = pshi_get_u32(c);
    o.max_bytes = pshi_get_u64(c);
    o.lateness_ns = pshi_get_int(c);
    o.history = pshi_get_u32(c);
    o.max_segments = pshi_get_u32(c);
    if (!o.lateness_ns)
        o.lateness_ns = -1; /* in options 0 asks for the default */
    o.max_key_sketches = pshi_get_u32(c);
    o.max_hot = pshi_get_u32(c);
    o.network = pshi_get_u32(c);
    o.max_events = pshi_get_u32(c);
    o.max_metrics = pshi_get_u32(c);
    o.max_alerts = pshi_get_u32(c);
    st = pshi_read_end(c);
    if (st == PSH_OK)
        st = pshi_options_check(out, &o, err) == PSH_OK ? PSH_OK : PSH_E_CORRUPT;
    return st;
}

static void get_calibrator(pshi_cursor *c, pshi_calibrator *k) {
    uint32_t i;

    for (i = 0; i < PSHI_BINS; i++) {
        k->weight[i] = pshi_get_f64(c);
        k->raw[i] = pshi_get_f64(c);
        k->hits[i] = pshi_get_f64(c);
        if (k->weight[i] < 0 || k->weight[i] > PSHI_MOST_WEIGHT || k->raw[i] < 0 || k->raw[i] > k->weight[i] ||
            k->hits[i] < 0 || k->hits[i] > k->weight[i])
            pshi_read_bad(c);
    }
}

static void get_shown(pshi_cursor *c, pshi_shown *s) {
    uint32_t i;
    double p;

    s->count = pshi_get_var32(c);
    s->head = pshi_get_var32(c);
    s->total = pshi_get_u64(c);
    if (s->count > PSHI_DUE || s->head >= PSHI_DUE || (s->count < PSHI_DUE && s->head != s->count)) {
        pshi_read_bad(c);
        s->count = 0;
    }
    for (i = 0; i < s->count; i++) {
        p = pshi_get_f64(c);
        if (p < -1 || p > 1)
            pshi_read_bad(c);
        s->p[i] = (float)p;
    }
}

/* The network of the options is replaced by the one that learned. */
static psh_status get_network(pshi_cursor *c, psh_forecaster *f) {
    pshi_lstm *net = pshi_lstm_load(f->env, c);

    if (!net)
        return PSH_E_NOMEM;
    if (memcmp(pshi_lstm_shape_of(net), pshi_lstm_shape_of(f->outlook.net), sizeof(pshi_lstm_shape)) != 0)
        pshi_read_bad(c);
    pshi_lstm_destroy(f->outlook.net);
    f->outlook.net = net;
    return PSH_OK;
}

static psh_status get_state(pshi_cursor *c, psh_forecaster *f) {
    psh_status st = PSH_OK;
    pshi_fields io = { NULL, c };
    uint8_t flags = pshi_get_u8(c);

    f->anchored = flags & 1;
    f->stepped = flags >> 1;
    f->now = pshi_get_int(c);
    f->outlook.closed = pshi_get_int(c);
    f->cursor = (size_t)pshi_get_var32(c);
    f->observed = pshi_get_u64(c);
    f->shed = pshi_get_u64(c);
    get_calibrator(c, &f->calibration.view);
    get_calibrator(c, &f->calibration.zone);
    get_calibrator(c, &f->calibration.moment);
    get_shown(c, &f->calibration.shown);
    pshi_calibration_track_fields(&io, &f->calibration);
    pshi_field_f64(&io, &f->hot_bar, 0, 1e300);
    pshi_field_u32(&io, &f->lessons, 0, 256);
    if (f->outlook.net && c->status == PSH_OK)
        st = get_network(c, f);
    if (flags > 3 || flags == 2 || (f->stepped && f->now == PSH_TIME_NONE))
        pshi_read_bad(c);
    /* The least bucket is 1 ms: what lies outside cannot be a bucket of any time. */
    if (f->stepped && f->outlook.closed != pshi_bucket(&f->shape, pshi_time_add(f->now, -f->o.lateness_ns)))
        pshi_read_bad(c);
    if (f->outlook.closed > INT64_MAX / 1000000 + 1 || f->outlook.closed < INT64_MIN / 1000000 - PSHI_MAX_OPEN)
        pshi_read_bad(c);
    return st == PSH_OK ? pshi_read_end(c) : st;
}

static int subject_fits(const psh_forecaster *f, const psh_subject *s) {
    int whole = s->kind == PSH_SUBJECT_TABLE || s->kind == PSH_SUBJECT_QUERIES;

    return pshi_is_subject(s)
        && s->table < psh_schema_table_count(f->schema) && (s->id == 0) == whole;
}

/* Adds one series and notes its place. Ascending subjects are distinct ones. */
static psh_status get_one_series(pshi_cursor *c, psh_forecaster *f, uint32_t *place, size_t *left) {
    size_t most = pshi_series_bytes(&f->shape, PSH_SUBJECT_TABLE) + f->shape.open * sizeof(double);
    pshi_store *st = &f->store;
    psh_subject subject;
    pshi_series *s;
    psh_status status;
    int64_t start, b;

    subject.kind = pshi_get_u32(c);
    subject.table = pshi_get_u32(c);
    subject.id = pshi_get_u64(c);
    *place = pshi_get_var32(c);
    if (c->status != PSH_OK || !subject_fits(f, &subject))
        return PSH_E_CORRUPT;
    if (st->count && pshi_subject_compare(&st->list[st->count - 1]->subject, &subject) >= 0)
        return PSH_E_CORRUPT;
    if (most > *left)
        return PSH_E_LIMIT;
    status = pshi_store_add(f->env, st, &f->shape, &subject, 0, &s);
    if (status != PSH_OK)
        return status == PSH_E_EXISTS ? PSH_E_CORRUPT : status;
    st->bytes -= pshi_series_held(&f->shape, s);
    status = pshi_series_get(f->env, c, s, &f->shape, &f->signals);
    st->bytes += pshi_series_held(&f->shape, s);
    st->hot += s->hot != NULL;
    if (status == PSH_OK && pshi_series_held(&f->shape, s) > *left)
        status = PSH_E_LIMIT;
    if (status != PSH_OK)
        return status;
    *left -= pshi_series_held(&f->shape, s);
    start = s->start;
    if (!f->anchored || start >= f->outlook.closed + (int64_t)f->shape.open ||
        start < INT64_MIN / 1000000 - PSHI_MAX_OPEN)
        pshi_read_bad(c);
    for (b = f->outlook.closed; c->status == PSH_OK && b < start; b++)
        if (pshi_series_actual(s, &f->shape, f->outlook.closed, b) > 0)
            pshi_read_bad(c); /* an event before the first */
    return c->status;
}

/* Puts the series back where they stood: place is a permutation. */
static psh_status restore_places(psh_forecaster *f, const uint32_t *place) {
    pshi_store *st = &f->store;
    pshi_series **list = pshi_calloc(f->env, st->count + 1, sizeof *list);
    psh_status status = list ? PSH_OK : PSH_E_NOMEM;
    size_t i;

    for (i = 0; status == PSH_OK && i < st->count; i++) {
        if (place[i] >= st->count || list[place[i]])
            status = PSH_E_CORRUPT;
        else
            list[place[i]] = st->list[i];
    }
    if (status == PSH_OK) {
        memcpy(st->list, list, st->count * sizeof *list);
        status = pshi_store_reindex(f->env, st);
    }
    pshi_free(f->env, list);
    return status;
}

static psh_status get_series(pshi_cursor *c, psh_forecaster *f, size_t max_bytes) {
    size_t n = pshi_get_count(c, 17), i, left = max_bytes ? max_bytes : PSHI_LOAD_BYTES;
    uint32_t *place = pshi_calloc(f->env, n + 1, sizeof *place);
    psh_status st = place ? c->status : PSH_E_NOMEM;

    for (i = 0; st == PSH_OK && i < n; i++)
        st = get_one_series(c, f, &place[i], &left);
    if (st == PSH_OK)
        st = pshi_read_end(c);
    if (st == PSH_OK && (n > f->o.max_series || f->store.tenants > f->o.max_tenants))
        st = PSH_E_CORRUPT;
    if (st == PSH_OK)
        st = n ? restore_places(f, place) : PSH_OK;
    pshi_free(f->env, place);
    return st;
}

/* A weighted sum of 64-bit numbers has a mean that is one too, within rounding. */
static int is_sum(double sum, double count) {
    return sum >= 0 && sum <= count * 0x1p65;
}

static void get_numbers(pshi_cursor *c, pshi_template *t) {
    t->count = pshi_get_f64(c);
    t->duration = pshi_get_f64(c);
    t->rows = pshi_get_f64(c);
    t->bytes = pshi_get_f64(c);
    t->work = pshi_get_f64(c);
    t->work_count = pshi_get_f64(c);
    t->span = pshi_get_f64(c);
    t->span_now = pshi_get_f64(c);
    t->recent = pshi_get_f64(c);
    t->align_ns = pshi_get_int(c);
    t->reach_ns = pshi_get_int(c);
    t->last_seen = pshi_get_int(c);
    if (!(t->count > 0) || t->count > PSHI_MOST_LOAD || t->work_count < 0 || t->work_count > t->count)
        pshi_read_bad(c);
    if (!is_sum(t->duration, t->count) || !is_sum(t->rows, t->count) || !is_sum(t->bytes, t->count) ||
        !is_sum(t->work, t->work_count) || !is_sum(t->span, t->work_count) || !is_sum(t->span_now, 1))
        pshi_read_bad(c);
    if (fabs(t->recent) > PSHI_MOST_LOAD)
        pshi_read_bad(c);
    if (t->align_ns < 0 || t->reach_ns < 0)
        pshi_read_bad(c);
}

static psh_status get_one_template(pshi_cursor *c, psh_forecaster *f, size_t max_bytes) {
    psh_bytes blob = pshi_get_blob(c);
    psh_query *q = NULL;
    pshi_template *t;
    psh_status st;

    if (c->status != PSH_OK)
        return c->status;
    st = psh_query_load(f->env, f->schema, blob.data, blob.size, max_bytes, &q, NULL);
    if (st == PSH_OK && pshi_templates_find(&f->templates, psh_query_fingerprint(q)))
        st = PSH_E_CORRUPT;
    if (st == PSH_OK)
        st = pshi_templates_add(f->env, &f->templates, q, &t);
    psh_query_unref(q);
    if (st != PSH_OK)
        return st == PSH_E_INVALID ? PSH_E_CORRUPT : st;
    get_numbers(c, t);
    return c->status;
}

static psh_status get_templates(pshi_cursor *c, psh_forecaster *f, size_t max_bytes) {
    size_t n = pshi_get_count(c, 60), i;
    psh_status st = n > f->o.max_templates ? PSH_E_CORRUPT : c->status;

    for (i = 0; st == PSH_OK && i < n; i++)
        st = get_one_template(c, f, max_bytes);
    return st == PSH_OK ? pshi_read_end(c) : st;
}

/* Series learn their segments from the tenants' records; who borrowed may borrow again. */
static psh_status get_segments(pshi_cursor *c, psh_forecaster *f, size_t max_bytes) {
    psh_status st = pshi_tenants_get(
        f->env, c, &f->tenants, (uint32_t)psh_schema_table_count(f->schema), f->o.max_tenants,
        max_bytes ? max_bytes : PSHI_LOAD_BYTES);
    size_t i;

    if (st == PSH_OK)
        st = pshi_read_end(c);
    for (i = 0; st == PSH_OK && i < f->tenants.count; i++)
        pshi_tenant_tell(f, &f->tenants.list[i]);
    if (st != PSH_OK || !f->stepped || !pshi_segments_on(f))
        return st;
    f->outlook.lender = &f->lender;
    return pshi_lender_ready(f->env, &f->lender, &f->shape, &f->calibration);
}

static psh_status get_workload(const pshi_frame *frame, psh_forecaster *f, size_t max_bytes) {
    size_t tables = psh_schema_table_count(f->schema);
    pshi_cursor c = pshi_frame_section(frame, PSHI_FORECASTER_WORKLOAD);
    psh_status st = pshi_workload_get(f->env, &c, &f->workload, tables);

    if (st == PSH_OK)
        st = pshi_read_end(&c);
    if (st == PSH_OK) {
        c = pshi_frame_section(frame, PSHI_FORECASTER_MORE);
        st = pshi_get_more(&c, f);
    }
    if (st == PSH_OK) {
        c = pshi_frame_section(frame, PSHI_FORECASTER_KEYS);
        st = pshi_keys_get(f->env, &c, &f->keys, tables, max_bytes ? max_bytes : PSHI_LOAD_BYTES);
    }
    return st == PSH_OK ? pshi_read_end(&c) : st;
}

static psh_status get_all(const pshi_frame *frame, psh_forecaster *f, size_t max_bytes) {
    pshi_cursor c = pshi_frame_section(frame, PSHI_FORECASTER_STATE);
    psh_status st = get_state(&c, f);

    if (st == PSH_OK) {
        c = pshi_frame_section(frame, PSHI_FORECASTER_SIGNALS);
        st = pshi_signals_get(&c, &f->signals, &f->shape, f->outlook.closed);
    }
    if (st == PSH_OK) {
        c = pshi_frame_section(frame, PSHI_FORECASTER_SERIES);
        st = get_series(&c, f, max_bytes);
    }
    if (st == PSH_OK) {
        c = pshi_frame_section(frame, PSHI_FORECASTER_TEMPLATES);
        st = get_templates(&c, f, max_bytes);
    }
    if (st == PSH_OK)
        st = get_workload(frame, f, max_bytes);
    if (st == PSH_OK) {
        c = pshi_frame_section(frame, PSHI_FORECASTER_SEGMENTS);
        st = get_segments(&c, f, max_bytes);
    }
    if (st == PSH_OK) {
        c = pshi_frame_section(frame, PSHI_FORECASTER_LABELS);
        st = pshi_labels_get(f->env, &c, &f->labels, (uint32_t)psh_schema_table_count(f->schema));
    }
    if (st == PSH_OK)
        st = pshi_read_end(&c);
    return st;
}

psh_status psh_forecaster_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_forecaster **out,
    psh_error *err) {
    static const uint32_t known[] = { PSHI_FORECASTER_OPTIONS, PSHI_FORECASTER_STATE, PSHI_FORECASTER_SERIES,
                                      PSHI_FORECASTER_TEMPLATES, PSHI_FORECASTER_WORKLOAD, PSHI_FORECASTER_MORE,
                                      PSHI_FORECASTER_KEYS, PSHI_FORECASTER_SIGNALS, PSHI_FORECASTER_SEGMENTS,
                                      PSHI_FORECASTER_LABELS };
    psh_forecaster_options o;
    psh_forecaster *f = NULL;
    pshi_frame frame;
    pshi_cursor c;
    psh_status st;

    if (out)
        *out = NULL;
    if (!env || !schema || !out)
        return pshi_fail(err, PSH_E_INVALID, !env ? "env" : !schema ? "schema" : "out", "is NULL");
    st = pshi_frame_open(env, data, size, PSHI_KIND_FORECASTER, known, sizeof known / sizeof *known,
                         max_bytes, &frame, err);
    if (st != PSH_OK)
        return st;
    c = pshi_frame_section(&frame, PSHI_FORECASTER_OPTIONS);
    st = get_options(&c, &o, NULL);
    if (st == PSH_OK)
        st = pshi_forecaster_make(env, schema, &o, &f, NULL);
    if (st == PSH_OK)
        st = get_all(&frame, f, max_bytes);
    pshi_frame_close(&frame);
    if (st == PSH_OK) {
        *out = f;
        return PSH_OK;
    }
    psh_forecaster_destroy(f);
    return pshi_fail(err, st, "data", psh_status_text(st));
}
