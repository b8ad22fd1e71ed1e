/* SPDX-License-Identifier: MIT */
/* What the query log says, as it is asked for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/hash.h"
#include "base/options.h"
#include "ds/hyperloglog.h"
#include "forecast/forecaster.h"

#define MOST_ITEMS (1u << 20)

/* Items on their way, found by id. */
typedef struct listing {
    psh_forecaster *f;
    psh_workload_request r;
    pshi_idmap at;
    psh_workload_item *items;
    size_t count;
    size_t cap;
    pshi_usage now;     /* of the template whose facets come in */
    double error;       /* of its count */
    double total;       /* what the filters let through */
    double unexplained; /* most that may be missing from every item */
} listing;

static psh_status item_of(listing *l, const pshi_facet *f, psh_workload_item **out) {
    uint32_t at = pshi_idmap_find(&l->at, f->id), i;
    psh_workload_item *x;

    *out = NULL;
    if (at == PSH_NONE) {
        if (pshi_reserve(l->f->env, (void **)&l->items, &l->cap, l->count + 1, sizeof *l->items) != PSH_OK ||
            pshi_idmap_put(l->f->env, &l->at, f->id, (uint32_t)l->count) != PSH_OK)
            return PSH_E_NOMEM;
        at = (uint32_t)l->count++;
        x = &l->items[at];
        memset(x, 0, sizeof *x);
        x->kind = f->kind;
        x->table = f->table;
        x->id = f->id;
        x->role = f->role;
        x->op = f->op;
        x->column_count = f->column_count;
        for (i = 0; i < f->column_count && i < PSH_WORKLOAD_COLUMNS; i++)
            x->columns[i] = f->columns[i];
    }
    *out = &l->items[at];
    return PSH_OK;
}

/* sampling_error holds the variance until the end. */
static void add_usage(psh_workload_item *x, const pshi_usage *u, double count) {
    x->count += count;
    x->sampling_error += u->spread;
    x->duration_ns += u->duration;
    x->rows += u->rows;
    x->bytes += u->bytes;
    x->work += u->work;
}

static int is_asked_for(const listing *l, const pshi_facet *f) {
    return (l->r.table == PSH_NONE || l->r.table == f->table) && (!l->r.role || l->r.role == f->role);
}

static psh_status add_facet(void *user, const pshi_facet *f) {
    listing *l = user;
    psh_workload_item *x;
    psh_status st;

    if (!is_asked_for(l, f))
        return PSH_OK;
    st = item_of(l, f, &x);
    if (st != PSH_OK)
        return st;
    add_usage(x, &l->now, l->now.count);
    x->error_bound += l->error;
    return PSH_OK;
}

static pshi_usage usage_of(const pshi_template *t) {
    pshi_usage u = { t->count, t->more->spread, t->duration, t->rows, t->bytes, t->work };

    return u;
}

static int is_wanted(const listing *l, const pshi_template *t) {
    return (!l->r.id || l->r.id == t->id) && (l->r.table == PSH_NONE || l->r.table == t->table);
}

static psh_status list_templates(listing *l) {
    const pshi_templates *ts = &l->f->templates;
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < ts->count; i++) {
        if (!is_wanted(l, &ts->list[i]))
            continue;
        l->now = usage_of(&ts->list[i]);
        l->error = 0;
        st = pshi_facets(ts->list[i].example, l->r.kind, add_facet, l);
        l->total += l->r.id || l->r.table != PSH_NONE ? l->now.count : 0;
    }
    return st;
}

/* What templates that went had. What the summary may have missed of others is their error. */
static psh_status list_gone(listing *l) {
    const pshi_space_saving *s = &l->f->workload.gone[l->r.kind];
    double missed = pshi_space_saving_missed(s);
    psh_workload_item *x;
    const pshi_facet *f;
    psh_status st;
    uint32_t i;
    size_t k;

    for (k = 0; k < l->count; k++)
        if (pshi_space_saving_find(s, l->items[k].id) == PSH_NONE)
            l->items[k].error_bound += missed;
    for (i = 0; i < s->count; i++) {
        f = &l->f->workload.gone_facet[l->r.kind][i];
        if (!is_asked_for(l, f))
            continue;
        if ((st = item_of(l, f, &x)) != PSH_OK)
            return st;
        add_usage(x, &l->f->workload.gone_usage[l->r.kind][i], s->list[i].count);
        x->error_bound += s->list[i].error;
    }
    return PSH_OK;
}

static void set_total(listing *l) {
    const pshi_workload *w = &l->f->workload;
    uint32_t i;

    if (l->r.table == PSH_NONE)
        l->total = w->total.count;
    for (i = 0; l->r.table != PSH_NONE && i < w->gone[PSH_WORKLOAD_TABLE].count; i++)
        if (w->gone_facet[PSH_WORKLOAD_TABLE][i].table == l->r.table)
            l->total += w->gone[PSH_WORKLOAD_TABLE].list[i].count;
}

/*
 * One tenant's requests, by the pairs held: an item's count is too high by its pairs' errors at most, and too low
 * by what no pair explains of the tenant's requests.
 */
static psh_status list_pairs(listing *l, uint64_t tenant) {
    const pshi_workload *w = &l->f->workload;
    uint32_t at = pshi_space_saving_find(&w->tenants, tenant), i;
    const pshi_template *t;
    double known = 0;
    psh_status st = PSH_OK;

    for (i = 0; st == PSH_OK && i < w->pairs.count; i++) {
        if (w->pair_key[i].tenant != tenant)
            continue;
        t = pshi_templates_find(&l->f->templates, w->pair_key[i].template);
        if (!t)
            continue;
        known += w->pairs.list[i].count - w->pairs.list[i].error;
        if (!is_wanted(l, t))
            continue;
        l->now = w->pair[i];
        l->now.count = w->pairs.list[i].count;
        l->error = w->pairs.list[i].error;
        st = pshi_facets(t->example, l->r.kind, add_facet, l);
        l->total += l->r.id || l->r.table != PSH_NONE ? l->now.count : 0;
    }
    l->unexplained = at == PSH_NONE ? pshi_space_saving_missed(&w->tenants) : w->tenants.list[at].count;
    if (!l->r.id && l->r.table == PSH_NONE)
        l->total = l->unexplained;
    l->unexplained = l->unexplained > known ? l->unexplained - known : 0;
    l->unexplained = l->unexplained > 1e-9 * known ? l->unexplained : 0; /* rounding explains that */
    return st;
}

static psh_status add_tenant(listing *l, uint64_t tenant, const pshi_usage *u, double count, double error) {
    pshi_facet f;
    psh_workload_item *x;
    psh_status st;

    memset(&f, 0, sizeof f);
    f.kind = PSH_WORKLOAD_TENANT;
    f.table = PSH_NONE;
    f.id = tenant;
    st = item_of(l, &f, &x);
    if (st != PSH_OK)
        return st;
    add_usage(x, u, count);
    x->error_bound += error;
    return PSH_OK;
}

/* Of all requests, by tenant; of a table's or template's, by the pairs held. */
static psh_status list_tenants(listing *l) {
    const pshi_workload *w = &l->f->workload;
    int whole = !l->r.id && l->r.table == PSH_NONE;
    const pshi_space_saving *s = whole ? &w->tenants : &w->pairs;
    const pshi_usage *u = whole ? w->tenant : w->pair;
    const pshi_template *t;
    psh_status st = PSH_OK;
    uint64_t tenant;
    uint32_t i;

    for (i = 0; st == PSH_OK && i < s->count; i++) {
        tenant = whole ? s->list[i].id : w->pair_key[i].tenant;
        t = whole ? NULL : pshi_templates_find(&l->f->templates, w->pair_key[i].template);
        if ((l->r.tenant && l->r.tenant != tenant) || (!whole && (!t || !is_wanted(l, t))))
            continue;
        st = add_tenant(l, tenant, &u[i], s->list[i].count, s->list[i].error);
        l->total += s->list[i].count;
    }
    /* What the summary misses of a pair may be of any template there is. */
    l->unexplained = whole ? 0 : pshi_space_saving_missed(s) * (double)(l->r.id ? 1 : l->f->templates.count);
    l->total = whole ? w->total.count : l->total;
    return st;
}

static psh_status fill_listing(listing *l) {
    psh_status st;

    if (l->r.kind == PSH_WORKLOAD_TENANT)
        return list_tenants(l);
    if (l->r.tenant)
        return list_pairs(l, l->r.tenant);
    st = list_templates(l);
    if (st != PSH_OK || l->r.id)
        return st;
    set_total(l);
    return list_gone(l);
}

static int most_first(const void *x, const void *y) {
    const psh_workload_item *a = x, *b = y;

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static void hand_out(listing *l, psh_workload_item *items, size_t stride, size_t *count) {
    size_t size = stride < sizeof *items ? stride : sizeof *items, i;
    psh_workload_item *x;

    if (l->count > 1)
        qsort(l->items, l->count, sizeof *l->items, most_first);
    *count = l->count < *count ? l->count : *count;
    for (i = 0; i < *count; i++) {
        x = &l->items[i];
        x->error_bound = x->error_bound > l->unexplained ? x->error_bound : l->unexplained;
        x->sampling_error = sqrt(x->sampling_error);
        x->share = l->total > 0 ? x->count / l->total : 0;
        x->share = x->share < 1 ? x->share : 1;
        memcpy((char *)items + i * stride, x, size);
    }
}

psh_status psh_forecaster_workload(
    psh_forecaster *f, const psh_workload_request *r, psh_workload_item *items, size_t stride, size_t *count) {
    listing l;
    psh_status st;

    memset(&l, 0, sizeof l);
    if (!f || !r || !items || !count || *count < 1 || *count > MOST_ITEMS || stride < sizeof(uint32_t))
        return PSH_E_INVALID;
    if ((st = pshi_options_copy(&l.r, sizeof l.r, r, NULL)) != PSH_OK)
        return st;
    if (l.r.kind < PSH_WORKLOAD_TABLE || l.r.kind > PSH_WORKLOAD_COLUMN_SET || l.r.role > PSH_ROLE_AGGREGATE ||
        (l.r.table != PSH_NONE && l.r.table >= psh_schema_table_count(f->schema)))
        return PSH_E_INVALID;
    l.f = f;
    st = fill_listing(&l);
    if (st == PSH_OK)
        hand_out(&l, items, stride, count);
    pshi_idmap_free(f->env, &l.at);
    pshi_free(f->env, l.items);
    return st;
}

psh_status psh_forecaster_workload_total(const psh_forecaster *f, psh_workload_total *out) {
    psh_workload_total t = { 0 };

    if (!f || !out)
        return PSH_E_INVALID;
    t.clusters = f->clusters.count;
    t.count = f->workload.total.count;
    t.evicted = f->workload.evicted;
    t.templates_seen = pshi_hll_count(f->workload.seen, PSHI_SEEN_BITS);
    t.sampling_error = sqrt(f->workload.total.spread);
    return pshi_struct_out(out, &t, sizeof t);
}

/* The template that stands at a place of the ranking. */
static psh_status ranked(psh_forecaster *f, size_t i, pshi_template **out) {
    psh_status st = pshi_templates_sort(f->env, &f->templates);

    if (st != PSH_OK)
        return st;
    if (i >= f->templates.count)
        return PSH_E_NOT_FOUND;
    *out = &f->templates.list[f->templates.order[i]];
    return PSH_OK;
}

psh_status psh_forecaster_template_detail(psh_forecaster *f, size_t i, psh_template_detail *out) {
    psh_template_detail d = { 0 };
    pshi_template *t;
    psh_status st;

    if (!f || !out)
        return PSH_E_INVALID;
    if ((st = ranked(f, i, &t)) != PSH_OK)
        return st;
    d.cluster = t->more->cluster;
    d.tenants = pshi_hll_count(t->more->tenants, PSHI_TENANT_BITS);
    d.predictable = pshi_habit_rate(&t->more->habit);
    d.bytes = t->count > 0 ? t->bytes / t->count : 0;
    return pshi_struct_out(out, &d, sizeof d);
}

size_t psh_forecaster_cluster_count(const psh_forecaster *f) {
    return f ? f->clusters.count : 0;
}

static double all_folds(const pshi_templates *t, int64_t season) {
    double sum = 0;
    size_t i;

    for (i = 0; i < t->count; i++)
        sum += pshi_fold_total(t->list[i].more, t->fold, season);
    return sum;
}

static psh_status list_members(psh_forecaster *f, uint64_t id, double *rate, size_t *count) {
    pshi_clusters *c = &f->clusters;
    int64_t season = pshi_fold_season(f->folding.latest, f->templates.fold);
    double width = (double)f->o.bucket_ns * f->o.season_long / (double)PSH_SECOND;
    const pshi_more *m;
    size_t i, n = 0;

    if (pshi_reserve(f->env, (void **)&c->members, &c->member_cap, f->templates.count + 1, sizeof *c->members) !=
        PSH_OK)
        return PSH_E_NOMEM;
    for (i = 0; i < f->templates.count; i++) {
        m = f->templates.list[i].more;
        if (m->cluster != id)
            continue;
        c->members[n++] = f->templates.list[i].id;
        *rate += pshi_fold_total(m, f->templates.fold, season) /
               pshi_fold_exposure(m->first, f->folding.latest, f->templates.fold) / width;
    }
    *count = n;
    return PSH_OK;
}

psh_status psh_forecaster_cluster(psh_forecaster *f, size_t i, psh_template_cluster *out) {
    psh_template_cluster x = { 0 };
    int64_t season;
    double all;
    psh_status st;

    if (!f || !out)
        return PSH_E_INVALID;
    if (i >= f->clusters.count)
        return PSH_E_NOT_FOUND;
    st = list_members(f, f->clusters.list[i].id, &x.rate, &x.member_count);
    if (st != PSH_OK)
        return st;
    season = pshi_fold_season(f->folding.latest, f->templates.fold);
    pshi_clusters_recount(&f->clusters, &f->templates, season);
    all = all_folds(&f->templates, season);
    x.slots = f->templates.fold;
    x.id = f->clusters.list[i].id;
    x.members = f->clusters.members;
    x.centre = f->clusters.list[i].centre;
    x.share = all > 0 ? f->clusters.list[i].total / all : 0;
    return pshi_struct_out(out, &x, sizeof x);
}

static int likelier(const pshi_habit *h, uint32_t a, uint32_t b) {
    double p = pshi_habit_share(h, a), q = pshi_habit_share(h, b);

    return p != q ? p > q : h->pattern[a].hash < h->pattern[b].hash;
}

static void rank_patterns(const pshi_habit *h, uint32_t order[PSHI_PATTERNS]) {
    uint32_t i, j, x;

    for (i = 0; i < h->pattern_count; i++) {
        for (j = i, x = i; j && likelier(h, x, order[j - 1]); j--)
            order[j] = order[j - 1];
        order[j] = x;
    }
}

static int is_given(const psh_expected_query *list, size_t n, const psh_query *q) {
    size_t i;

    for (i = 0; i < n && psh_query_id(list[i].query) != psh_query_id(q); i++) {
    }
    return i < n;
}

/* Fills list[0..*n). On a failure it gives nothing. */
static psh_status expect(psh_forecaster *f, const pshi_habit *h, int64_t at, psh_expected_query *list, size_t *n) {
    uint32_t order[PSHI_PATTERNS], i;
    pshi_clock clock = { 0 };
    psh_query *q;
    psh_status st = PSH_OK;
    double p;

    pshi_clock_set(&clock, at);
    rank_patterns(h, order);
    for (i = 0, *n = 0; st != PSH_E_NOMEM && i < h->pattern_count; i++) {
        p = pshi_habit_share(h, order[i]);
        if (p < 0.01)
            break;
        st = pshi_habit_make(f->env, h, order[i], &clock, at, &q);
        if (st != PSH_OK)
            continue;
        if (is_given(list, *n, q))
            psh_query_unref(q);
        else
            list[(*n)++] = (psh_expected_query){ q, h->pattern[order[i]].tenant, p };
    }
    while (st == PSH_E_NOMEM && *n)
        psh_query_unref(list[--*n].query);
    return st == PSH_E_NOMEM ? st : PSH_OK;
}

psh_status psh_forecaster_expect(
    psh_forecaster *f, size_t i, int64_t at, psh_expected_query *out, size_t stride, size_t *count) {
    psh_expected_query list[PSHI_PATTERNS];
    size_t n = 0, k;
    pshi_template *t;
    psh_status st;

    if (!f || !out || !count || at == PSH_TIME_NONE || stride < sizeof *out)
        return PSH_E_INVALID;
    if ((st = ranked(f, i, &t)) != PSH_OK)
        return st;
    if ((st = expect(f, &t->more->habit, at, list, &n)) != PSH_OK)
        return st;
    for (k = 0; k < n; k++) {
        if (k < *count)
            memcpy((char *)out + k * stride, &list[k], sizeof list[k]);
        else
            psh_query_unref(list[k].query);
    }
    *count = n < *count ? n : *count;
    return PSH_OK;
}
