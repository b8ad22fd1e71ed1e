/* SPDX-License-Identifier: MIT */
#include "forecast/demand.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "math/stats.h"

#define FEW_VIEWS 64u
#define FEW_ZONES 16u
#define FEW_TENANTS 4096u
#define MOST_INTERVALS 4096u /* per table */

psh_status pshi_wish_add(pshi_wish *w, const psh_demand_entry *e) {
    if (pshi_reserve(w->f->env, (void **)&w->list, &w->cap, w->count + 1, sizeof *w->list) != PSH_OK)
        return PSH_E_NOMEM;
    w->list[w->count++] = *e;
    return PSH_OK;
}

void pshi_wish_cut(pshi_wish *w, size_t from, uint32_t most, int (*order)(const void *, const void *)) {
    if (w->count - from > 1)
        qsort(w->list + from, w->count - from, sizeof *w->list, order);
    while (w->count - from > most)
        psh_query_unref(w->list[--w->count].definition);
}

/* Reactive: bucket k after the one that holds now takes what the bucket one window before it brought; the
   open bucket takes what it has so far and, for the time left of it, its share of one window ago. */
static double seen_at(const pshi_wish *w, const pshi_series *s, int64_t bucket) {
    const pshi_shape *shape = &w->f->shape;
    int64_t phase = (bucket - w->now_bucket) % w->window;

    if (phase)
        return pshi_series_actual(s, shape, w->f->outlook.closed, w->now_bucket - w->window + phase);
    return pshi_series_actual(s, shape, w->f->outlook.closed, w->now_bucket)
         + (1 - w->elapsed) * pshi_series_actual(s, shape, w->f->outlook.closed, w->now_bucket - w->window);
}

static void add_seen(const pshi_wish *w, const pshi_series *s, int64_t bucket, double share, pshi_load *out) {
    double x = share * seen_at(w, s, bucket);

    out->sum.mean += x;
    out->sum.buckets += share;
}

/* One bucket at or after the one that holds now. */
static void add_future(const pshi_wish *w, const pshi_series *s, int64_t bucket, double share, pshi_load *out) {
    const pshi_shape *shape = &w->f->shape;
    double have;

    if (w->r.source == PSH_DEMAND_OBSERVED) {
        add_seen(w, s, bucket, share, out);
        return;
    }
    if (bucket - w->f->outlook.closed + 1 > (int64_t)shape->max_lead || !pshi_series_age(s, w->f->outlook.closed))
        return;
    have = bucket == w->now_bucket ? pshi_series_actual(s, shape, w->f->outlook.closed, bucket) : 0;
    pshi_sum_add(&w->f->outlook, &out->sum, s, bucket, share, w->r.quantile);
    if (have * share > out->known)
        out->known = have * share;
}

void pshi_wish_load(const pshi_wish *w, const pshi_series *s, int64_t from, int64_t to, pshi_load *out) {
    const pshi_shape *shape = &w->f->shape;
    int64_t b = pshi_bucket(shape, from), end = pshi_bucket(shape, to - 1), oldest, last;
    double share, expected;

    memset(out, 0, sizeof *out);
    oldest = w->f->outlook.closed - (int64_t)shape->ring;
    /* Wherever now is, what lies beyond has nothing to tell, and an interval may be longer than all history. */
    last = w->now_bucket < w->f->outlook.closed ? w->now_bucket : w->f->outlook.closed;
    last += 2 * (int64_t)shape->max_lead;
    b = b < oldest ? oldest : b;
    end = end > last ? last : end;
    for (; b <= end; b++) {
        share = pshi_bucket_share(shape, b, from, to);
        if (b < w->now_bucket)
            out->past += share * pshi_series_actual(s, shape, w->f->outlook.closed, b);
        else
            add_future(w, s, b, share, out);
    }
    /* What is here already is not less than what will have come. */
    expected = out->sum.mean > out->known ? out->sum.mean : out->known;
    out->count = out->past + expected;
    if (w->r.source == PSH_DEMAND_OBSERVED)
        out->upper = expected + w->margin * sqrt(expected);
    else
        out->upper = pshi_sum_upper(&w->f->outlook, &out->sum, s, w->r.quantile);
    out->upper = out->past + (out->upper > out->known ? out->upper : out->known);
    out->upper = out->upper < out->count && w->r.quantile >= 0.5 ? out->count : out->upper;
}

static uint32_t load_reason(const pshi_wish *w, const pshi_series *s) {
    if (w->r.source == PSH_DEMAND_OBSERVED)
        return PSH_REASON_NONE;
    if (pshi_series_age(s, w->f->outlook.closed) < (int64_t)w->f->shape.season[0])
        return PSH_REASON_SHORT;
    return pshi_series_scored(s) && pshi_series_skill(s) <= 0 ? PSH_REASON_NO_SKILL : PSH_REASON_NONE;
}

psh_demand_entry pshi_wish_entry(
    const pshi_wish *w, const pshi_series *s, uint32_t kind, uint64_t id, const pshi_load *load) {
    double size = pshi_series_row_bytes(s);
    psh_demand_entry e;

    memset(&e, 0, sizeof e);
    e.kind = kind;
    e.table = s->subject.table;
    e.id = id;
    e.from = w->r.from;
    e.to = w->r.to;
    e.count = load->count;
    e.upper = load->upper;
    e.bytes = load->count * size;
    e.bytes_upper = load->upper * size;
    e.confidence = 1;
    e.reason = load_reason(w, s);
    return e;
}

static psh_status add_intervals(pshi_wish *w, const pshi_series *s) {
    int64_t at = w->r.from, id, from, to;
    psh_demand_entry e;
    psh_status st = PSH_OK;
    pshi_load load;
    uint32_t n;

    for (n = 0; st == PSH_OK && at < w->r.to && n < MOST_INTERVALS; n++, at = to) {
        if (psh_schema_interval(w->f->schema, s->subject.table, at, &id, &from, &to) != PSH_OK)
            return PSH_OK;
        pshi_wish_load(w, s, from, to, &load);
        e = pshi_wish_entry(w, s, PSH_DEMAND_INTERVAL, (uint64_t)id, &load);
        e.from = from;
        e.to = to;
        st = pshi_wish_add(w, &e);
    }
    return st;
}

static psh_status add_tables(pshi_wish *w) {
    psh_subject subject = { PSH_SUBJECT_TABLE, 0, 0 };
    psh_status st = PSH_OK;
    const pshi_series *s;
    size_t n = psh_schema_table_count(w->f->schema);

    for (; st == PSH_OK && subject.table < n; subject.table++) {
        s = pshi_store_find(&w->f->store, &subject);
        if (s)
            st = add_intervals(w, s);
    }
    return st;
}

static int by_count(const void *x, const void *y) {
    const psh_demand_entry *a = x, *b = y;

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return a->table < b->table ? -1 : a->table > b->table;
}

static psh_status add_tenants(pshi_wish *w) {
    size_t first = w->count, i;
    psh_status st = PSH_OK;
    psh_demand_entry e;
    const pshi_tenant *r;
    const pshi_series *s;
    pshi_load load;

    for (i = 0; st == PSH_OK && i < w->f->store.count; i++) {
        s = w->f->store.list[i];
        if (s->subject.kind != PSH_SUBJECT_TENANT)
            continue;
        pshi_wish_load(w, s, w->r.from, w->r.to, &load);
        e = pshi_wish_entry(w, s, PSH_DEMAND_TENANT, s->subject.id, &load);
        r = pshi_tenants_find(&w->f->tenants, s->subject.table, s->subject.id);
        e.access = r ? pshi_tenant_access(r) : 0;
        if (e.count > 0)
            st = pshi_wish_add(w, &e);
    }
    pshi_wish_cut(w, first, w->r.max_tenants, by_count);
    return st;
}

/* As psh_demand ranks zones: by how sure they are, then by size. */
static int by_heat(const void *x, const void *y) {
    const psh_demand_entry *a = x, *b = y;

    if (floor(100 * a->confidence) != floor(100 * b->confidence))
        return a->confidence > b->confidence ? -1 : 1;
    if (a->upper != b->upper)
        return a->upper > b->upper ? -1 : 1;
    return pshi_subject_compare(&a->subject, &b->subject);
}

/* Hot: more than PSHI_HOT times the series' own trailing mean is expected over the window. */
static psh_status add_zone(pshi_wish *w, const pshi_series *s) {
    double buckets = (double)(w->r.to - w->r.from) / (double)w->f->o.bucket_ns, bar;
    psh_demand_entry e;
    pshi_load load;

    bar = pshi_series_bar(s, buckets);
    if (!pshi_series_age(s, w->f->outlook.closed) || bar <= 0)
        return PSH_OK;
    pshi_wish_load(w, s, w->r.from, w->r.to, &load);
    if (load.count <= bar)
        return PSH_OK;
    e = pshi_wish_entry(w, s, PSH_DEMAND_ZONE, s->subject.id, &load);
    e.subject = s->subject;
    if (w->r.source == PSH_DEMAND_FORECAST)
        e.confidence = pshi_calibrate(
            load.sum.buckets <= 1 ? &w->f->calibration.moment : &w->f->calibration.zone,
            pshi_sum_above(&w->f->outlook, &load.sum, s, bar));
    return pshi_wish_add(w, &e);
}

static psh_status add_zones(pshi_wish *w) {
    size_t first = w->count, i;
    psh_status st = PSH_OK;
    const pshi_series *s;

    for (i = 0; st == PSH_OK && i < w->f->store.count; i++) {
        s = w->f->store.list[i];
        if (s->subject.kind == PSH_SUBJECT_TENANT || s->subject.kind == PSH_SUBJECT_LABEL)
            st = add_zone(w, s);
    }
    pshi_wish_cut(w, first, w->r.max_zones, by_heat);
    return st;
}

static psh_status check_window(const psh_forecaster *f, const psh_demand_request *r, psh_error *err) {
    double most = (double)f->o.horizon * (double)f->o.bucket_ns;
    int64_t first = pshi_bucket(&f->shape, r->from), width;

    if (r->now == PSH_TIME_NONE || (f->stepped && r->now < f->now))
        return pshi_fail(err, PSH_E_INVALID, "now", "is not set or went back");
    if (r->from == PSH_TIME_NONE || r->from >= r->to)
        return pshi_fail(err, PSH_E_INVALID, "from", "must be a time before to");
    if (r->source == PSH_DEMAND_FORECAST && r->from < r->now)
        return pshi_fail(err, PSH_E_INVALID, "from", "must not lie before now");
    if (pshi_sub_i64(r->to, r->from, &width) || (double)width > most)
        return pshi_fail(err, PSH_E_INVALID, "to", "lies beyond from + horizon buckets");
    first -= f->outlook.closed;
    if (f->stepped && (first > (int64_t)f->shape.max_lead || first < -(int64_t)f->shape.ring))
        return pshi_fail(err, PSH_E_INVALID, "from", "is too far from the last step");
    return PSH_OK;
}

static psh_status read_request(
    const psh_forecaster *f, const psh_demand_request *given, psh_demand_request *r, psh_error *err) {
    psh_status st;

    memset(r, 0, sizeof *r);
    if ((st = pshi_options_copy(r, sizeof *r, given, err)) != PSH_OK)
        return st;
    if (r->source > PSH_DEMAND_OBSERVED || r->reserved)
        return pshi_fail(err, PSH_E_INVALID, r->reserved ? "reserved" : "source", "is out of range");
    if (r->quantile == 0)
        r->quantile = 0.95;
    if (!isfinite(r->quantile) || r->quantile <= 0 || r->quantile >= 1)
        return pshi_fail(err, PSH_E_INVALID, "quantile", "must lie in (0, 1)");
    r->max_views = r->max_views ? r->max_views : FEW_VIEWS;
    r->max_zones = r->max_zones ? r->max_zones : FEW_ZONES;
    r->max_tenants = r->max_tenants ? r->max_tenants : FEW_TENANTS;
    return check_window(f, r, err);
}

static void place_window(pshi_wish *w) {
    const pshi_shape *shape = &w->f->shape;
    int64_t start;

    w->now_bucket = pshi_bucket(shape, w->r.now);
    start = pshi_bucket_start(shape, w->now_bucket);
    w->elapsed = (double)(w->r.now - start) / (double)shape->bucket_ns;
    w->window = (w->r.to - w->r.from) / shape->bucket_ns;
    w->window += w->window * shape->bucket_ns < w->r.to - w->r.from;
    w->margin = w->r.source == PSH_DEMAND_OBSERVED ? pshi_normal_quantile(w->r.quantile) : 0;
}

psh_status psh_forecaster_demand(
    psh_forecaster *f, const psh_demand_request *r, psh_demand **out, psh_error *err) {
    pshi_wish w = { f };
    psh_status st;

    if (out)
        *out = NULL;
    if (!f || !r || !out)
        return pshi_fail(err, PSH_E_INVALID, !f ? "f" : !r ? "request" : "out", "is NULL");
    if ((st = read_request(f, r, &w.r, err)) != PSH_OK)
        return st;
    place_window(&w);
    st = add_tables(&w);
    if (st == PSH_OK)
        st = add_tenants(&w);
    if (st == PSH_OK)
        st = pshi_wish_views(&w);
    if (st == PSH_OK)
        st = add_zones(&w);
    if (st == PSH_OK)
        st = psh_demand_create(
            f->env, w.r.now, w.r.source, w.r.quantile, w.list, w.count, sizeof *w.list, out, err);
    else
        pshi_fail(err, st, "", "no memory for the demand");
    pshi_wish_cut(&w, 0, 0, by_count);
    pshi_free(f->env, w.list);
    return st;
}
