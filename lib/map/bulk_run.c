/* SPDX-License-Identifier: MIT */
/* A load under way: it begins, and its rows are counted. */
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "base/hash.h"
#include "map/bulk.h"

#define TIMES_A_BATCH 32u /* rows of a batch whose times are taken, each for its share of the others */
#define ALL_UP_TO 65536u  /* so many points are taken before some stand for others */

static psh_status count_ranges(psh_bulk *b, pshi_run *r, size_t *sum) {
    int64_t id, from, to = r->plan.from;
    uint32_t n = pshi_outline_intervals(b->schema, &r->plan, &r->interval), i;

    *sum = 0;
    if (r->plan.room > (double)b->o.max_bytes)
        n = 0;
    r->offsets = pshi_calloc(b->env, (size_t)n + 1, sizeof *r->offsets);
    if (!r->offsets)
        return PSH_E_NOMEM;
    for (i = 0; i < n && psh_schema_interval(b->schema, r->plan.table, to, &id, &from, &to) == PSH_OK; i++) {
        *sum += pshi_outline_parts(&r->plan, &b->o, from, to);
        r->offsets[i + 1] = (uint32_t)*sum;
    }
    r->interval_count = i;
    return PSH_OK;
}

/* Of the ranges but the first of an interval shadows are expected, until a world says otherwise. */
static psh_status plan_run(psh_bulk *b, pshi_run *r) {
    uint64_t first[PSHI_BULK_PARTS];
    size_t sum, n, k;
    uint32_t i;

    if (count_ranges(b, r, &sum) != PSH_OK)
        return PSH_E_NOMEM;
    r->ranges = pshi_calloc(b->env, sum, sizeof *r->ranges);
    if (!r->ranges)
        return PSH_E_NOMEM;
    for (i = 0, sum = 0; i < r->interval_count; i++) {
        n = pshi_outline_cut(b->env, &r->plan, r->offsets[i + 1] - r->offsets[i], first);
        if (!n)
            return PSH_E_NOMEM;
        r->offsets[i] = (uint32_t)sum; /* few points make fewer ranges */
        for (k = 0; k < n; k++)
            r->ranges[sum++] = (pshi_range){ .first = first[k], .waiting = k > 0 };
        if (i + 1 == r->interval_count)
            r->offsets[i + 1] = (uint32_t)sum;
    }
    return PSH_OK;
}

static psh_status fill_run(psh_bulk *b, const pshi_load *l, pshi_run *r, int64_t now) {
    uint64_t seed = pshi_mix64(b->o.seed ^ pshi_mix64(l->id) ^ (uint64_t)now);
    int64_t at;

    r->begun = r->latest = now;
    r->low = UINT64_MAX;
    r->is_told = l->flags & PSHI_LOAD_EXPECTED || l->recent_count;
    pshi_kll_init(&r->points, PSHI_BULK_KEY_K, 8, seed);
    pshi_kll_init(&r->times, PSHI_BULK_TIME_K, 8, seed);
    if (pshi_outline_copy(b->env, &l->next, &r->plan) != PSH_OK)
        return PSH_E_NOMEM;
    pshi_load_aligned(l, now, &at, &r->plan.from, &r->plan.to);
    if (pshi_bulk_sketch(b->env, &r->points) != PSH_OK || pshi_bulk_sketch(b->env, &r->times) != PSH_OK)
        return PSH_E_NOMEM;
    return plan_run(b, r);
}

static void push_start(pshi_load *l, int64_t now) {
    if (l->start_count == PSHI_BULK_STARTS)
        memmove(l->starts, l->starts + 1, --l->start_count * sizeof *l->starts);
    l->starts[l->start_count++] = now;
}

static psh_status check_begin(const psh_bulk *b, const pshi_load *l, uint32_t table, int64_t now, psh_error *err) {
    if (table >= psh_schema_table_count(b->schema))
        return pshi_fail(err, PSH_E_INVALID, "table", "is not in the schema");
    if (now == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "now", "must be a time");
    if (!l)
        return PSH_OK;
    if (l->next.table != table)
        return pshi_fail(err, PSH_E_INVALID, "table", "is not that of the load known by this id");
    if (l->run)
        return pshi_fail(err, PSH_E_STATE, "id", "the load is under way");
    if (l->start_count && now < l->starts[l->start_count - 1])
        return pshi_fail(err, PSH_E_TIME, "now", "is before the load of this id that came before");
    return PSH_OK;
}

psh_status psh_bulk_begin(psh_bulk *b, uint64_t id, uint32_t table, int64_t now, psh_error *err) {
    pshi_load *l, *fresh = NULL;
    pshi_run *r;
    psh_status st;
    size_t at;

    if (!b || !id)
        return pshi_fail(err, PSH_E_INVALID, b ? "id" : "b", b ? "must not be 0" : "is NULL");
    l = pshi_bulk_find(b, id, &at);
    st = check_begin(b, l, table, now, err);
    if (st != PSH_OK)
        return st;
    if (!l)
        l = fresh = pshi_load_create(b, id, table);
    r = pshi_calloc(b->env, 1, sizeof *r);
    st = l && r ? fill_run(b, l, r, now) : PSH_E_NOMEM;
    if (st == PSH_OK && fresh)
        st = pshi_bulk_insert(b, fresh);
    if (st != PSH_OK) {
        pshi_run_destroy(b->env, r);
        pshi_load_destroy(b->env, fresh);
        return pshi_fail(err, st, st == PSH_E_LIMIT ? "max_loads" : "", psh_status_text(st));
    }
    l->run = r;
    push_start(l, now);
    return PSH_OK;
}

/* Where nothing says when its rows are from, no time is a wrong one. */
static int is_time_planned(const pshi_run *r, int64_t time) {
    return r->plan.from < r->plan.to ? time >= r->plan.from && time < r->plan.to : (int)r->is_told;
}

static int is_point_planned(const pshi_run *r, uint64_t point) {
    const pshi_outline *o = &r->plan;

    return !o->count || (point >= o->points[0] && point <= o->points[o->count - 1]);
}

/* @return 1 if a shadow should be activated for it. */
static int count_row(const psh_bulk *b, pshi_run *r, uint64_t point, int64_t time) {
    pshi_range *ranges, *range;
    uint64_t i = UINT64_MAX;
    int64_t id, from, to;

    if (psh_schema_interval(b->schema, r->plan.table, time, &id, &from, &to) == PSH_OK && id >= r->interval)
        i = (uint64_t)id - (uint64_t)r->interval;
    if (i >= r->interval_count && !is_time_planned(r, time)) {
        r->off_time++;
        return 0;
    }
    r->off_range += !is_point_planned(r, point);
    if (i >= r->interval_count)
        return 0;
    ranges = r->ranges + r->offsets[i];
    range = &ranges[pshi_range_of(ranges, r->offsets[i + 1] - r->offsets[i], point)];
    range->rows++;
    return range->waiting != 0;
}

/*
 * Of a long load one row in `step`, drawn from each `step` in a row, stands for them. Shares of at least ALL_UP_TO
 * rows drawn are off by 1.63 / sqrt(ALL_UP_TO) = 0.006 with probability 0.01 (Kolmogorov's limit law), far less
 * than by the sketch. Room is there: adding cannot fail.
 */
static void sketch_points(psh_bulk *b, pshi_run *r, const uint64_t *points, size_t n) {
    size_t step = 1, i, stands;

    while (step <= r->rows / ALL_UP_TO / 2) /* a power of two is one key of the sketch */
        step *= 2;
    for (i = 0; i < n; i++) {
        r->low = points[i] < r->low ? points[i] : r->low;
        r->high = points[i] > r->high ? points[i] : r->high;
    }
    for (i = 0; i < n; i += stands) {
        stands = n - i < step ? n - i : step;
        (void)pshi_kll_add_u64(b->env, &r->points, points[i + pshi_mix64(r->rows + i) % stands], (double)stands);
    }
}

static void sketch_times(psh_bulk *b, pshi_run *r, const int64_t *times, size_t n) {
    size_t step = n / TIMES_A_BATCH + 1, i, stands;
    uint64_t time;

    for (i = 0; i < n; i += stands) {
        stands = n - i < step ? n - i : step;
        time = (uint64_t)times[i + pshi_mix64(r->rows + i) % stands] ^ UINT64_C(1) << 63;
        (void)pshi_kll_add_u64(b->env, &r->times, time, (double)stands);
    }
}

psh_status psh_bulk_batch(
    psh_bulk *b, uint64_t id, const uint64_t *points, const int64_t *times, size_t n, uint64_t bytes, int64_t now) {
    int is_waited = 0;
    pshi_load *l;
    pshi_run *r;
    size_t at, i;

    if (!b || (n && (!points || !times)) || now == PSH_TIME_NONE)
        return PSH_E_INVALID;
    l = pshi_bulk_find(b, id, &at);
    if (!l)
        return PSH_E_NOT_FOUND;
    r = l->run;
    if (!r)
        return PSH_E_STATE;
    for (i = 0; i < n; i++)
        if (times[i] == PSH_TIME_NONE)
            return PSH_E_INVALID;
    sketch_points(b, r, points, n);
    sketch_times(b, r, times, n);
    for (i = 0; i < n; i++)
        is_waited |= count_row(b, r, points[i], times[i]);
    r->rows += n;
    r->bytes = bytes > UINT64_MAX - r->bytes ? UINT64_MAX : r->bytes + bytes;
    r->latest = now > r->latest ? now : r->latest;
    return is_waited ? PSH_AGAIN : PSH_OK;
}
