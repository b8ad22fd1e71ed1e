/* SPDX-License-Identifier: MIT */
#include "forecast/hierarchy.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "math/stats.h"

#define FEW_TENANTS 1024u
#define MOST_CELLS ((uint64_t)1 << 22)
#define MOST_STRETCH 4.0
#define REST_ERROR 0.25 /* of its mean: standard deviation of a rest, which nobody scores, beside a count's own */

const double pshi_hierarchy_levels[PSHI_LEVELS] = { 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99 };

/* Buckets ahead, for all nodes: what each says alone, and what it says once all agree. */
typedef struct ahead {
    psh_forecaster *f;
    psh_hierarchy *h;
    uint32_t lead;      /* of the first bucket */
    uint32_t width;     /* buckets of a step */
    uint32_t buckets;
    double *base;       /* Shape [buckets][count] */
    double *variance;   /* Shape [buckets][count] */
    double *work;       /* Shape [2][count] */
    double *offset;     /* Shape [count][steps][PSHI_LEVELS]: quantiles less means, alone */
} ahead;

static double square(double x) {
    return x * x;
}

/* Half the distance of the 10 and 90 % quantiles tells the standard deviation. */
static void bucket_of_series(ahead *a, uint32_t i, uint32_t k) {
    const pshi_member *m = &a->h->list[i];
    pshi_outlook *o = &a->f->outlook;
    size_t cell = (size_t)k * a->h->count + i;
    double mean = pshi_series_mean(o, m->series, a->lead + k), low, high;

    a->base[cell] = m->part * mean;
    if (m->rest) {
        a->variance[cell] = square(REST_ERROR * m->part * mean) + m->part * mean;
    } else {
        low = pshi_series_quantile(o, m->series, a->lead + k, mean, 0.1);
        high = pshi_series_quantile(o, m->series, a->lead + k, mean, 0.9);
        a->variance[cell] = square((high - low) / (2 * pshi_normal_quantile(0.9)));
    }
    a->variance[cell] += 1e-6 + 1e-8 * square(a->base[cell]);
}

/* A rest's quantiles: as if all its buckets erred together. */
static void rest_offsets(const ahead *a, uint32_t i, uint32_t step, double *out) {
    double sd = 0;
    uint32_t k;

    for (k = step * a->width; k < (step + 1) * a->width; k++)
        sd += sqrt(a->variance[(size_t)k * a->h->count + i]);
    for (k = 0; k < PSHI_LEVELS; k++)
        out[k] = sd * pshi_normal_quantile(pshi_hierarchy_levels[k]);
}

/* One bucket has its quantiles; the errors of sums were learned above the median, and are mirrored below. */
static void series_offsets(ahead *a, uint32_t i, uint32_t step, double *out) {
    const pshi_series *s = a->h->list[i].series;
    pshi_outlook *o = &a->f->outlook;
    uint32_t q, k, lead = a->lead + step * a->width;
    double mean = pshi_series_mean(o, s, lead), p;
    pshi_sum sum;

    for (q = 0; q < PSHI_LEVELS; q++) {
        p = pshi_hierarchy_levels[q];
        if (a->width == 1) {
            out[q] = pshi_series_quantile(o, s, lead, mean, p) - mean;
            continue;
        }
        memset(&sum, 0, sizeof sum);
        for (k = 0; k < a->width; k++)
            pshi_sum_add(o, &sum, s, o->closed + (int64_t)(lead + k) - 1, 1, p < 0.5 ? 1 - p : p);
        out[q] = p == 0.5 ? 0 : pshi_sum_upper(o, &sum, s, p < 0.5 ? 1 - p : p) - sum.mean;
        out[q] = p < 0.5 ? -out[q] : out[q];
    }
}

static void base_of(ahead *a, uint32_t i) {
    const pshi_member *m = &a->h->list[i];
    uint32_t k;

    for (k = 0; k < a->buckets; k++) {
        a->base[(size_t)k * a->h->count + i] = 0;
        a->variance[(size_t)k * a->h->count + i] = m->sum ? HUGE_VAL : 1e-6;
        if (m->series && pshi_series_age(m->series, a->f->outlook.closed))
            bucket_of_series(a, i, k);
    }
    for (k = 0; k < a->h->steps; k++) {
        double *out = a->offset + ((size_t)i * a->h->steps + k) * PSHI_LEVELS;

        if (m->series && !m->rest && pshi_series_age(m->series, a->f->outlook.closed))
            series_offsets(a, i, k, out);
        else if (!m->sum)
            rest_offsets(a, i, k, out);
    }
}

/* The rest of segments has no word of its own: its spread is that of its children, as if they erred together. */
static void sum_offsets(ahead *a, uint32_t i) {
    const pshi_branch *b = &a->h->tree[i];
    size_t n = (size_t)a->h->steps * PSHI_LEVELS, k;
    uint32_t c;

    for (c = 0; a->h->list[i].sum && c < b->count[0]; c++)
        for (k = 0; k < n; k++)
            a->offset[i * n + k] += a->offset[(b->first[0] + c) * n + k];
}

static void agree(ahead *a) {
    size_t n = a->h->count;
    double *out = a->work, *work = a->work + n;
    uint32_t k, i;

    for (k = 0; k < a->buckets; k++) {
        pshi_reconcile(a->h->tree, a->h->count, a->base + k * n, a->variance + k * n, out, work);
        for (i = 0; i < n; i++)
            a->h->mean[i * a->h->steps + k / a->width] += out[i];
    }
}

static double base_sum(const ahead *a, uint32_t i, uint32_t step) {
    double sum = 0;
    uint32_t k;

    for (k = step * a->width; k < (step + 1) * a->width; k++)
        sum += a->base[(size_t)k * a->h->count + i];
    return sum;
}

/* Quantiles move with the mean; where it rose they widen as counts do, with the root of it. */
static void move_quantiles(ahead *a, uint32_t i, uint32_t step) {
    size_t at = (size_t)i * a->h->steps + step;
    double mean = a->h->mean[at], alone = base_sum(a, i, step), stretch = 1, least = 0;
    double *q = a->h->quantiles + at * PSHI_LEVELS;
    uint32_t k;

    if (alone > 0 && mean > alone)
        stretch = fmin(sqrt(mean / alone), MOST_STRETCH);
    for (k = 0; k < PSHI_LEVELS; k++) {
        q[k] = mean + stretch * a->offset[at * PSHI_LEVELS + k];
        q[k] = q[k] > least ? q[k] : least;
        least = q[k];
    }
}

static psh_status make_room(ahead *a) {
    size_t n = a->h->count, cells = n * a->h->steps;

    a->base = pshi_calloc(a->f->env, 2 * n * (a->buckets + 1) + cells * PSHI_LEVELS, sizeof *a->base);
    a->h->mean = pshi_calloc(a->f->env, cells * (1 + PSHI_LEVELS), sizeof *a->h->mean);
    if (!a->base || !a->h->mean)
        return PSH_E_NOMEM;
    a->variance = a->base + n * a->buckets;
    a->work = a->variance + n * a->buckets;
    a->offset = a->work + 2 * n;
    a->h->quantiles = a->h->mean + cells;
    return PSH_OK;
}

static psh_status foretell(ahead *a) {
    psh_status st = make_room(a);
    uint32_t i, k;

    for (i = 0; st == PSH_OK && i < a->h->count; i++)
        base_of(a, i);
    for (i = 0; st == PSH_OK && i < a->h->count; i++)
        sum_offsets(a, i);
    if (st == PSH_OK)
        agree(a);
    for (i = 0; st == PSH_OK && i < a->h->count; i++)
        for (k = 0; k < a->h->steps; k++)
            move_quantiles(a, i, k);
    pshi_free(a->f->env, a->base);
    return st;
}

static psh_status check(const psh_forecaster *f, uint32_t table, int64_t from, uint32_t steps, uint32_t width,
    uint32_t max_tenants, psh_error *err) {
    int64_t first = from == PSH_TIME_NONE ? f->outlook.closed - 1 : pshi_bucket(&f->shape, from);

    if (table >= psh_schema_table_count(f->schema))
        return pshi_fail(err, PSH_E_INVALID, "table", "no such table");
    if (steps < 1 || steps > 4096)
        return pshi_fail(err, PSH_E_INVALID, "steps", "must be 1 to 4096");
    if (width < 1 || width > 65536)
        return pshi_fail(err, PSH_E_INVALID, "step_buckets", "must be 1 to 65536");
    if (max_tenants > 65536)
        return pshi_fail(err, PSH_E_INVALID, "max_tenants", "must be at most 65536");
    if (first < f->outlook.closed || first - f->outlook.closed > (1 << 20))
        return pshi_fail(err, PSH_E_INVALID, "from", "lies in closed buckets, or too far ahead");
    return PSH_OK;
}

static psh_status fill(psh_forecaster *f, uint32_t table, int64_t from, uint32_t width, uint32_t max_tenants,
    psh_hierarchy *h, psh_error *err) {
    ahead a = { .f = f, .h = h, .width = width };
    psh_status st = pshi_hierarchy_members(f, table, from, max_tenants ? max_tenants : FEW_TENANTS, h);

    if (st == PSH_E_NO_FORECAST)
        return pshi_fail(err, st, "table", psh_reason_text(PSH_REASON_UNKNOWN));
    if (st == PSH_OK && (uint64_t)h->count * h->steps * width > MOST_CELLS)
        return pshi_fail(err, PSH_E_LIMIT, "steps", "more nodes x steps x buckets of a step than 2^22");
    a.lead = (uint32_t)(pshi_bucket(&f->shape, from) - f->outlook.closed + 1);
    a.buckets = h->steps * width;
    if (st == PSH_OK)
        st = foretell(&a);
    return st == PSH_OK ? st : pshi_fail(err, st, "", "no memory for the hierarchy");
}

psh_status psh_forecaster_hierarchy(
    psh_forecaster *f, uint32_t table, int64_t from, uint32_t steps, uint32_t step_buckets, uint32_t max_tenants,
    psh_hierarchy **out, psh_error *err) {
    psh_hierarchy *h;
    psh_status st;

    if (out)
        *out = NULL;
    if (!f || !out)
        return pshi_fail(err, PSH_E_INVALID, f ? "out" : "f", "is NULL");
    st = check(f, table, from, steps, step_buckets, max_tenants, err);
    if (st != PSH_OK)
        return st;
    h = pshi_calloc(f->env, 1, sizeof *h);
    if (!h)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the hierarchy");
    h->env = f->env;
    h->steps = steps;
    st = fill(f, table, from, step_buckets, max_tenants, h, err);
    if (st == PSH_OK)
        *out = h;
    else
        psh_hierarchy_destroy(h);
    return st;
}

void psh_hierarchy_destroy(psh_hierarchy *h) {
    if (!h)
        return;
    pshi_free(h->env, h->mean);
    pshi_free(h->env, h->tree);
    pshi_free(h->env, h->list);
    pshi_free(h->env, h);
}

size_t psh_hierarchy_count(const psh_hierarchy *h) {
    return h ? h->count : 0;
}

const double *psh_hierarchy_levels(const psh_hierarchy *h, uint32_t *count) {
    if (count)
        *count = h ? PSHI_LEVELS : 0;
    return h ? pshi_hierarchy_levels : NULL;
}

psh_status psh_hierarchy_get(const psh_hierarchy *h, size_t i, psh_hierarchy_node *out) {
    psh_hierarchy_node node = { 0 };
    const pshi_member *m;

    if (!h || !out)
        return PSH_E_INVALID;
    if (i >= h->count)
        return PSH_E_NOT_FOUND;
    m = &h->list[i];
    node.kind = m->kind;
    node.id = m->id;
    node.parent = m->parent;
    node.rest = m->rest;
    node.mean = h->mean + i * h->steps;
    node.quantiles = h->quantiles + i * h->steps * PSHI_LEVELS;
    return pshi_struct_out(out, &node, sizeof node);
}
