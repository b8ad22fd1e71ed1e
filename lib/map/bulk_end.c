/* SPDX-License-Identifier: MIT */
/* A load is over: it is judged, learned from, and expected again if it has a rhythm. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/hash.h"
#include "base/options.h"
#include "map/bulk.h"

/* What the end of a load changes, made before anything changes. */
typedef struct closing {
    double distance;
    double off_time;   /* shares of the rows */
    double off_range;
    uint32_t verdict;
    uint32_t learns;   /* 1: `learned` and `points` replace the load's */
    pshi_kll learned;
    uint64_t *points;
    uint32_t count;
    uint32_t has_edit;
    pshi_edit edit;
    int64_t from;      /* whole intervals that nearly all rows are of; both 0: none found */
    int64_t to;
} closing;

static void drop_closing(psh_env *env, closing *c) {
    pshi_kll_free(env, &c->learned);
    pshi_free(env, c->points);
    pshi_outline_free(env, &c->edit.want);
    pshi_outline_free(env, &c->edit.other);
}

/*
 * As predicted up to alert_distance. From migrate_distance on the ranges are wrong, whatever came before; between
 * the two a single deviation of a load that else comes as predicted is taken for an exception, and kept apart for
 * a while, but a second one that is more like the first than like the prediction shows that the load has changed.
 * Anything else (once, never confirmed, erratic, not foretold) gives no reason to act: it is told.
 */
static uint32_t judge(const psh_bulk *b, const pshi_load *l, const closing *c) {
    const pshi_run *r = l->run;
    int was_right = l->flags & PSHI_LOAD_JUDGED && l->last.verdict == PSH_BULK_AS_PREDICTED;

    if (!r->rows || !r->is_told)
        return PSH_BULK_ALERT;
    if (c->distance <= b->o.alert_distance) /* rows of other times are not in wrong ranges */
        return c->off_time > b->o.alert_distance ? PSH_BULK_ALERT : PSH_BULK_AS_PREDICTED;
    if (c->distance >= b->o.migrate_distance)
        return PSH_BULK_MIGRATE;
    if (l->deviant.count && pshi_kll_distance(&r->points, &l->deviant) < c->distance)
        return PSH_BULK_MIGRATE;
    return l->every && was_right ? PSH_BULK_OVERRIDE : PSH_BULK_ALERT;
}

/* Each load weighs as much as all before it together. */
static psh_status mix(psh_env *env, const pshi_load *l, pshi_kll *out) {
    const pshi_kll *now = &l->run->points, *past = &l->learned;
    double ratio = past->count && past->total > 0 ? now->total / past->total : 0;

    if (pshi_bulk_sketch(env, out) != PSH_OK)
        return PSH_E_NOMEM;
    if (ratio > 0 && pshi_kll_merge(env, out, past, fmin(1, ratio)) != PSH_OK)
        return PSH_E_NOMEM;
    return pshi_kll_merge(env, out, now, ratio > 1 ? 1 / ratio : 1);
}

static psh_status learn(psh_bulk *b, const pshi_load *l, closing *c) {
    const pshi_run *r = l->run;
    psh_status st;

    if (!r->rows || c->verdict == PSH_BULK_OVERRIDE)
        return PSH_OK;
    c->learns = 1;
    st = c->verdict == PSH_BULK_MIGRATE ? pshi_bulk_sketch(b->env, &c->learned) : mix(b->env, l, &c->learned);
    if (st == PSH_OK && c->verdict == PSH_BULK_MIGRATE)
        st = pshi_kll_merge(b->env, &c->learned, &r->points, 1);
    if (st != PSH_OK)
        return st;
    c->points = pshi_outline_quantiles(b->env, &c->learned, r->low, r->high, &c->count);
    return c->points ? PSH_OK : PSH_E_NOMEM;
}

/* One row of another century must not stretch it: a hundredth of the rows at either end are left out. */
static void find_window(const psh_bulk *b, const pshi_run *r, closing *c) {
    const pshi_kll_item *items, *low, *high;
    size_t n = pshi_kll_sorted(&r->times, &items);
    int64_t id, from, to;

    if (!n)
        return;
    low = pshi_kll_quantile(items, n, 0.01);
    high = pshi_kll_quantile(items, n, 0.99);
    if (psh_schema_interval(b->schema, r->plan.table, (int64_t)(pshi_bulk_key(low) ^ UINT64_C(1) << 63), &id,
                            &from, &to) != PSH_OK)
        return;
    c->from = from;
    if (psh_schema_interval(b->schema, r->plan.table, (int64_t)(pshi_bulk_key(high) ^ UINT64_C(1) << 63), &id,
                            &from, &to) != PSH_OK)
        c->from = 0;
    else
        c->to = to;
}

static int is_behind(const pshi_run *r) {
    uint32_t i, n = r->interval_count ? r->offsets[r->interval_count] : 0;

    for (i = 0; i < n; i++)
        if (r->ranges[i].rows && r->ranges[i].waiting)
            return 1;
    return 0;
}

/* The ranges that came. */
static psh_status outline_came(psh_bulk *b, const pshi_run *r, const closing *c, pshi_outline *o) {
    o->table = r->plan.table;
    o->from = r->plan.from < r->plan.to ? r->plan.from : c->from;
    o->to = r->plan.from < r->plan.to ? r->plan.to : c->to;
    o->rows = (double)r->rows * (1 - c->off_time);
    o->bytes = o->room = (double)r->bytes * (1 - c->off_time);
    o->points = pshi_outline_quantiles(b->env, &r->points, r->low, r->high, &o->count);
    return o->points ? PSH_OK : PSH_E_NOMEM;
}

static psh_status make_edit(psh_bulk *b, const pshi_load *l, closing *c, int64_t now) {
    const pshi_run *r = l->run;
    void *edits = b->edits;
    psh_status st = PSH_OK;

    c->edit.load = l->id;
    c->edit.expires = pshi_time_add(now, b->o.override_ns);
    if (c->verdict == PSH_BULK_AS_PREDICTED && is_behind(r)) {
        c->edit.kind = PSHI_EDIT_FINISH;
        st = pshi_outline_copy(b->env, &r->plan, &c->edit.want);
    } else if (c->verdict == PSH_BULK_OVERRIDE || c->verdict == PSH_BULK_MIGRATE) {
        c->edit.kind = c->verdict == PSH_BULK_OVERRIDE ? PSHI_EDIT_OVERRIDE : PSHI_EDIT_MIGRATE;
        st = outline_came(b, r, c, &c->edit.want);
        if (st == PSH_OK)
            st = pshi_outline_copy(b->env, &r->plan, &c->edit.other);
    }
    if (st != PSH_OK || !c->edit.kind)
        return st;
    c->has_edit = c->edit.want.from < c->edit.want.to;
    st = pshi_reserve(b->env, &edits, &b->edit_cap, b->edit_count + 1, sizeof *b->edits);
    b->edits = edits;
    return st;
}

static void push_recent(double *recent, uint32_t count, double x) {
    if (count == PSHI_BULK_RECENT)
        memmove(recent, recent + 1, --count * sizeof *recent);
    recent[count] = x;
}

static void remember_sizes(pshi_load *l, int64_t now) {
    const pshi_run *r = l->run;

    if (!r->rows)
        return;
    push_recent(l->recent_rows, l->recent_count, (double)r->rows);
    push_recent(l->recent_bytes, l->recent_count, (double)r->bytes);
    l->recent_count += l->recent_count < PSHI_BULK_RECENT;
    l->seconds = ((double)now - (double)r->begun) * 1e-9;
    l->low = r->low;
    l->high = r->high;
    if (!(l->flags & PSHI_LOAD_RENEWED))
        l->told_rows = l->told_bytes = 0;
}

/* The middle one of the last three gaps if the longest is at most a tenth longer than the shortest; else 0. */
static int64_t rhythm_of(const pshi_load *l) {
    pshi_i128 gap, least = 0, most = 0, sum = 0;
    uint32_t i;

    if (l->start_count < PSHI_BULK_STARTS)
        return 0;
    for (i = 1; i < PSHI_BULK_STARTS; i++) {
        gap = (pshi_i128)l->starts[i] - l->starts[i - 1];
        least = i == 1 || gap < least ? gap : least;
        most = gap > most ? gap : most;
        sum += gap;
    }
    if (least <= 0 || most * 10 > least * 11 || sum - least - most > PSH_TIME_MAX)
        return 0;
    return (int64_t)(sum - least - most);
}

static void expect_nothing(pshi_load *l) {
    l->flags &= ~(PSHI_LOAD_EXPECTED | PSHI_LOAD_RHYTHM);
    l->at = PSH_TIME_NONE;
    l->every = 0;
    l->next.from = l->next.to = 0;
}

/* Laplace's rule of succession: after three that came in time and none that did not, (3 + 1) / (3 + 2). */
static void expect_by_rhythm(pshi_load *l, const closing *c) {
    int64_t every = rhythm_of(l), last = l->starts[l->start_count - 1];

    expect_nothing(l);
    if (!every || c->from >= c->to || last > PSH_TIME_MAX - every || c->to > PSH_TIME_MAX - every)
        return;
    l->flags |= PSHI_LOAD_EXPECTED | PSHI_LOAD_RHYTHM;
    l->every = every;
    l->at = last + every;
    l->confidence = 0.8;
    l->next.from = c->from + every;
    l->next.to = c->to + every;
}

static void expect_again(pshi_load *l, const closing *c, int64_t now) {
    int is_told = l->flags & PSHI_LOAD_EXPECTED && l->every && !(l->flags & PSHI_LOAD_RHYTHM);
    int64_t at, from, to;

    if (l->flags & PSHI_LOAD_RENEWED) {
        l->flags &= ~PSHI_LOAD_RENEWED;
        return;
    }
    if (!is_told) {
        expect_by_rhythm(l, c);
        return;
    }
    pshi_load_aligned(l, l->run->begun, &at, &from, &to);
    if (at > PSH_TIME_MAX - l->every || to > PSH_TIME_MAX - l->every) {
        expect_nothing(l); /* time ends first */
        return;
    }
    l->at = at + l->every;
    l->next.from = from + l->every;
    l->next.to = to + l->every;
    pshi_load_aligned(l, now, &l->at, &l->next.from, &l->next.to);
}

static psh_bulk_result result_of(const pshi_load *l, const closing *c) {
    const pshi_run *r = l->run;
    psh_bulk_result out = { .struct_size = sizeof out, .verdict = c->verdict, .id = l->id,
                            .rows = (double)r->rows, .bytes = (double)r->bytes, .rows_predicted = r->plan.rows,
                            .bytes_predicted = r->plan.bytes, .distance = c->distance,
                            .outside = fmin(1, c->off_time + c->off_range), .expires = PSH_TIME_NONE,
                            .next_at = PSH_TIME_NONE };

    if (c->verdict == PSH_BULK_OVERRIDE && c->has_edit)
        out.expires = c->edit.expires;
    return out;
}

static void take_learned(psh_bulk *b, pshi_load *l, closing *c) {
    int deviates = l->run->rows && l->run->is_told && c->distance > b->o.alert_distance;

    pshi_kll_clear(&l->deviant);
    if (deviates && c->verdict != PSH_BULK_MIGRATE) {
        pshi_kll_free(b->env, &l->deviant);
        l->deviant = l->run->points;
        pshi_kll_init(&l->run->points, PSHI_BULK_KEY_K, 8, 0);
    }
    if (!c->learns)
        return;
    pshi_kll_free(b->env, &l->learned);
    l->learned = c->learned;
    pshi_kll_init(&c->learned, PSHI_BULK_KEY_K, 8, 0);
    if (l->flags & PSHI_LOAD_RENEWED)
        return;
    pshi_outline_free(b->env, &l->next);
    l->next.points = c->points;
    l->next.count = c->count;
    c->points = NULL;
}

static void close_load(psh_bulk *b, pshi_load *l, closing *c, int64_t now) {
    l->last = result_of(l, c);
    l->flags |= PSHI_LOAD_JUDGED;
    remember_sizes(l, now);
    take_learned(b, l, c);
    expect_again(l, c, now);
    pshi_load_amounts(l);
    l->last.next_at = l->flags & PSHI_LOAD_EXPECTED ? l->at : PSH_TIME_NONE;
    if (c->has_edit) {
        pshi_bulk_push_edit(b, &c->edit);
        c->edit.want.points = c->edit.other.points = NULL;
    }
    pshi_run_destroy(b->env, l->run);
    l->run = NULL;
}

psh_status psh_bulk_end(psh_bulk *b, uint64_t id, int64_t now, psh_bulk_result *out) {
    closing c = { .verdict = PSH_BULK_ALERT };
    pshi_load *l;
    psh_status st;
    size_t at;

    if (!b || now == PSH_TIME_NONE || (out && out->struct_size < sizeof out->struct_size))
        return PSH_E_INVALID;
    l = pshi_bulk_find(b, id, &at);
    if (!l)
        return PSH_E_NOT_FOUND;
    if (!l->run)
        return PSH_E_STATE;
    if (now < l->run->begun)
        return PSH_E_INVALID;
    if (l->run->rows) {
        c.off_time = (double)l->run->off_time / (double)l->run->rows;
        c.off_range = (double)l->run->off_range / (double)l->run->rows;
    }
    pshi_kll_init(&c.learned, PSHI_BULK_KEY_K, 8, pshi_mix64(l->learned.rng));
    c.distance = pshi_outline_distance(&l->run->plan, &l->run->points);
    c.verdict = judge(b, l, &c);
    find_window(b, l->run, &c);
    st = learn(b, l, &c);
    if (st == PSH_OK)
        st = make_edit(b, l, &c, now);
    if (st == PSH_OK) {
        close_load(b, l, &c, now);
        st = out ? pshi_struct_out(out, &l->last, sizeof l->last) : PSH_OK;
    }
    drop_closing(b->env, &c);
    return st;
}
