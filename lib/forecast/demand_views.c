/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include <predshard/view.h>

#include "base/env.h"
#include "forecast/demand.h"
#include "math/stats.h"

#define LEAST_VIEW_BUCKET PSH_MINUTE

/* The widest bucket whose edges all bounds seen, the query's own buckets and the intervals keep to. */
static int64_t view_bucket(const psh_forecaster *f, const pshi_template *t) {
    psh_query_spec spec = { sizeof spec };
    psh_table_spec table;
    uint64_t g;

    (void)psh_query_describe(t->example, &spec);
    if (psh_schema_table(f->schema, t->table, &table) != PSH_OK)
        return 0;
    g = pshi_gcd((uint64_t)t->align_ns, (uint64_t)spec.bucket_ns);
    return (int64_t)pshi_gcd(g, (uint64_t)table.interval_ns);
}

/* Templates whose definitions are equal are one view: it is asked for if any of them is. */
static void merge_view(psh_demand_entry *a, const psh_demand_entry *b) {
    double all = a->count + b->count;

    if (all > 0)
        a->work = (a->work * a->count + b->work * b->count) / all;
    a->count = all;
    a->upper += b->upper;
    a->bytes += b->bytes;
    a->bytes_upper += b->bytes_upper;
    a->confidence = 1 - (1 - a->confidence) * (1 - b->confidence);
    a->reach_ns = a->reach_ns > b->reach_ns ? a->reach_ns : b->reach_ns;
    a->access = a->access > b->access ? a->access : b->access;
    a->reason = a->reason < b->reason ? a->reason : b->reason;
}

static psh_status keep_view(pshi_wish *w, pshi_idmap *seen, const psh_demand_entry *e) {
    uint32_t at = pshi_idmap_find(seen, e->id);

    if (at != PSH_NONE) {
        merge_view(&w->list[at], e);
        return PSH_OK;
    }
    if (pshi_idmap_put(w->f->env, seen, e->id, (uint32_t)w->count) != PSH_OK)
        return PSH_E_NOMEM;
    if (pshi_wish_add(w, e) != PSH_OK)
        return PSH_E_NOMEM;
    psh_query_ref(e->definition);
    return PSH_OK;
}

static psh_demand_entry view_entry(
    const pshi_wish *w, const pshi_template *t, const pshi_series *s, psh_query *definition) {
    psh_template_info info;
    psh_demand_entry e;
    pshi_load load;

    pshi_wish_load(w, s, w->r.from, w->r.to, &load);
    e = pshi_wish_entry(w, s, PSH_DEMAND_VIEW, psh_query_id(definition), &load);
    pshi_template_info(t, &info);
    e.work = info.work;
    e.reach_ns = t->reach_ns;
    e.access = t->access;
    e.definition = definition;
    if (w->r.source == PSH_DEMAND_FORECAST)
        e.confidence = pshi_calibrate(&w->f->calibration.view, 1 - exp(-load.count));
    return e;
}

static psh_status wish_view(pshi_wish *w, pshi_idmap *seen, const pshi_template *t) {
    psh_subject subject = { PSH_SUBJECT_TEMPLATE, t->table, t->id };
    const pshi_series *s = pshi_store_find(&w->f->store, &subject);
    int64_t bucket = view_bucket(w->f, t);
    psh_query *definition = NULL;
    psh_demand_entry e;
    psh_status st;

    if (!s || bucket < LEAST_VIEW_BUCKET)
        return PSH_OK;
    st = psh_view_generalize(w->f->env, t->example, bucket, &definition, NULL);
    if (st != PSH_OK)
        return st == PSH_E_NOMEM ? st : PSH_OK; /* no view answers this template */
    e = view_entry(w, t, s, definition);
    if (e.count > 0)
        st = keep_view(w, seen, &e);
    psh_query_unref(definition);
    return st;
}

static int by_gain(const void *x, const void *y) {
    const psh_demand_entry *a = x, *b = y;
    double p = a->confidence * a->upper * (a->work > 1 ? a->work : 1);
    double q = b->confidence * b->upper * (b->work > 1 ? b->work : 1);

    if (p != q)
        return p > q ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

psh_status pshi_wish_views(pshi_wish *w) {
    pshi_idmap seen = { 0 };
    size_t first = w->count, i;
    psh_status st;

    st = pshi_templates_sort(w->f->env, &w->f->templates);
    for (i = 0; st == PSH_OK && i < w->f->templates.count; i++)
        st = wish_view(w, &seen, &w->f->templates.list[w->f->templates.order[i]]);
    pshi_idmap_free(w->f->env, &seen);
    pshi_wish_cut(w, first, w->r.max_views, by_gain);
    return st;
}
