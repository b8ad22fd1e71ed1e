/* SPDX-License-Identifier: MIT */
/* What is predicted of a load: points, the ranges that they make, how far they are from what came. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "map/arcs.h"
#include "map/bulk.h"

#define RING 0x1p64

psh_status pshi_outline_copy(psh_env *env, const pshi_outline *from, pshi_outline *to) {
    pshi_outline copy = *from;

    copy.points = NULL;
    if (from->count) {
        copy.points = pshi_alloc(env, from->count * sizeof *copy.points);
        if (!copy.points)
            return PSH_E_NOMEM;
        memcpy(copy.points, from->points, from->count * sizeof *copy.points);
    }
    *to = copy;
    return PSH_OK;
}

void pshi_outline_free(psh_env *env, pshi_outline *o) {
    pshi_free(env, o->points);
    o->points = NULL;
    o->count = 0;
}

static int compare_points(const void *x, const void *y) {
    const uint64_t *a = x, *b = y;

    return *a < *b ? -1 : *a > *b;
}

uint64_t *pshi_outline_points(psh_env *env, const uint64_t *points, size_t n, uint32_t *count) {
    size_t m = n < PSHI_BULK_POINTS ? n : PSHI_BULK_POINTS, i;
    uint64_t *all, *less;

    *count = 0;
    if (!n)
        return NULL;
    all = pshi_calloc(env, n, sizeof *all);
    if (!all)
        return NULL;
    memcpy(all, points, n * sizeof *all);
    qsort(all, n, sizeof *all, compare_points);
    for (i = 1; i < m; i++) /* reads at or behind where it writes */
        all[i] = all[i * (n - 1) / (m - 1)];
    *count = (uint32_t)m;
    less = m < n ? pshi_realloc(env, all, m * sizeof *all) : NULL;
    return less ? less : all;
}

psh_status pshi_bulk_sketch(psh_env *env, pshi_kll *s) {
    pshi_kll none;

    pshi_kll_init(&none, s->k, s->key_max, 0);
    if (pshi_kll_reserve(env, s, 8) != PSH_OK)
        return PSH_E_NOMEM;
    return pshi_kll_merge(env, s, &none, 1); /* makes room for the largest there may be */
}

uint64_t pshi_bulk_key(const pshi_kll_item *item) {
    uint64_t x = 0;
    uint32_t i;

    for (i = 0; i < 8; i++)
        x = x << 8 | (i < item->size ? item->key[i] : 0);
    return x;
}

uint64_t *pshi_outline_quantiles(
    psh_env *env, const pshi_kll *s, uint64_t low, uint64_t high, uint32_t *count) {
    const pshi_kll_item *items;
    size_t n = pshi_kll_sorted(s, &items), i, k = 0;
    double mass = pshi_kll_mass(s), below = 0;
    uint64_t *points, x;

    *count = 0;
    if (!n || !(mass > 0))
        return NULL;
    points = pshi_alloc(env, PSHI_BULK_POINTS * sizeof *points);
    if (!points)
        return NULL;
    for (i = 0; i < n && k < PSHI_BULK_POINTS; i++) {
        below += items[i].weight;
        x = pshi_bulk_key(&items[i]);
        while (k < PSHI_BULK_POINTS && (i + 1 == n || (double)k + 0.5 < below / mass * PSHI_BULK_POINTS))
            points[k++] = x;
    }
    if (low < points[0])
        points[0] = low;
    if (high > points[PSHI_BULK_POINTS - 1])
        points[PSHI_BULK_POINTS - 1] = high;
    *count = PSHI_BULK_POINTS;
    return points;
}

double pshi_outline_share(const pshi_outline *o, int64_t from, int64_t to) {
    int64_t a = from > o->from ? from : o->from, b = to < o->to ? to : o->to;

    if (o->from >= o->to || a >= b)
        return 0;
    return ((double)b - (double)a) / ((double)o->to - (double)o->from);
}

uint32_t pshi_outline_parts(const pshi_outline *o, const psh_bulk_options *opt, int64_t from, int64_t to) {
    double n = ceil(o->bytes * pshi_outline_share(o, from, to) / (double)opt->target_bytes);

    return n < 1 ? 1 : n > opt->max_parts + 1 ? opt->max_parts + 1 : (uint32_t)n;
}

size_t pshi_outline_cut(psh_env *env, const pshi_outline *o, uint32_t parts, uint64_t *first) {
    pshi_weight *w = pshi_calloc(env, o->count, sizeof *w);
    size_t n = 0;
    uint32_t i;

    if (!w)
        return 0;
    for (i = 0; i < o->count; i++)
        w[i] = (pshi_weight){ o->points[i], i, 1, (double)i + 1, o->table };
    n = pshi_arcs_cut(w, o->count, parts, first);
    pshi_free(env, w);
    return n;
}

/* Points at or below x. */
static uint32_t points_to(const pshi_outline *o, uint64_t x) {
    uint32_t lo = 0, hi = o->count, mid;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (o->points[mid] <= x)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

double pshi_outline_mass(const pshi_outline *o, uint64_t first, uint64_t last) {
    if (!o->count)
        return ((double)(last - first) + 1) / RING;
    return (double)(points_to(o, last) - (first ? points_to(o, first - 1) : 0)) / o->count;
}

/* The predicted share below x (or with `with`, at or below it). */
static double predicted_share(const pshi_outline *o, uint64_t x, int with) {
    if (!o->count)
        return ((double)x + with) / RING;
    if (with)
        return (double)points_to(o, x) / o->count;
    return x ? (double)points_to(o, x - 1) / o->count : 0;
}

/*
 * The largest difference stands next to a jump of what came, or of what was predicted. Between two jumps of what
 * came its share is the same, and the predicted one grows: so the differences just below each key that came,
 * and at it, are enough.
 */
double pshi_outline_distance(const pshi_outline *o, const pshi_kll *came) {
    const pshi_kll_item *items;
    size_t n = pshi_kll_sorted(came, &items), i, end;
    double mass = pshi_kll_mass(came), below = 0, most = 0, d;
    uint64_t x;

    if (!n || !(mass > 0))
        return 1;
    for (i = 0; i < n; i = end) {
        x = pshi_bulk_key(&items[i]);
        d = fabs(below / mass - predicted_share(o, x, 0));
        most = d > most ? d : most;
        for (end = i; end < n && pshi_bulk_key(&items[end]) == x; end++)
            below += items[end].weight;
        d = fabs(below / mass - predicted_share(o, x, 1));
        most = d > most ? d : most;
    }
    return most < 1 ? most : 1;
}

uint32_t pshi_outline_intervals(const psh_schema *s, const pshi_outline *o, int64_t *first) {
    int64_t from, to, last;

    *first = 0;
    if (o->from >= o->to || psh_schema_interval(s, o->table, o->from, first, &from, &to) != PSH_OK)
        return 0;
    if (psh_schema_interval(s, o->table, o->to - 1, &last, &from, &to) != PSH_OK)
        return 0;
    return (uint64_t)last - (uint64_t)*first < PSHI_BULK_INTERVALS ? (uint32_t)(last - *first) + 1
                                                                    : PSHI_BULK_INTERVALS;
}

uint32_t pshi_range_of(const pshi_range *r, uint32_t count, uint64_t point) {
    uint32_t lo = 0, hi = count, mid;

    while (hi - lo > 1) {
        mid = lo + (hi - lo) / 2;
        if (r[mid].first <= point)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}
