/* SPDX-License-Identifier: MIT */
/*
 * Effects are log ratios (y + 1) / (base + 1), one a place of the event's window. Each is the posterior mean of a
 * normal law with normal observations (Gelman et al., "Bayesian data analysis", 3rd ed., 2.5 and 5.4): evidence
 * from farther away - another subject, another event of the kind, another place of the window - counts with the
 * variance between such things added to its own. The sets of evidence are apart: the near is taken out of the wide.
 */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "model/calendar_state.h"

#define NOISE 0.04         /* variance of a log ratio from window to window */
#define SPREAD 0.1         /* of effects about nothing: one window counts 5/7 */
#define BETWEEN_EVENTS 0.02
#define BETWEEN_SUBJECTS 0.04
#define BETWEEN_LIKE 0.02
#define LEAST_BETWEEN_PLACES 0.02
#define MOST_FACTOR 64.0
#define POINTS 64u

typedef struct effect_guess {
    double mean;
    double variance;
} effect_guess;

static int scope_holds(const psh_subject *scope, const pshi_event_who *who) {
    switch (scope->kind) {
    case PSHI_SCOPE_ALL: return 1;
    case PSHI_SCOPE_TABLE: return scope->table == who->subject.table;
    case PSHI_SCOPE_SEGMENT: return who->segment && who->segment == scope->id;
    default:
        return scope->kind == who->subject.kind && scope->id == who->subject.id &&
               (scope->table == PSH_NONE || scope->table == who->subject.table);
    }
}

/* What comes at a whole fraction of the models' longest season is the models' own, once they could see it twice. */
static int is_handled(const pshi_calendar *c, const pshi_calendar_event *e, const pshi_event_who *who) {
    int64_t every = e->e.every == PSHI_EVERY_WEEK ? 7 * PSH_DAY : e->e.every_ns;

    if (!scope_holds(&e->e.scope, who))
        return 0;
    return every == 0 || c->o.season_ns % every != 0 || e->e.seen < 2;
}

static void count_in(effect_guess *g, double p, double s, double between) {
    double weight;

    if (p < 1e-6)
        return;
    weight = 1 / (between + 1 / p);
    g->mean += weight * (s / p); /* sums until finish */
    g->variance += weight;
}

/* What one table says about a place, and about all others together. */
typedef struct table_evidence {
    pshi_evidence at;
    pshi_evidence rest;
} table_evidence;

static void add_table_evidence(table_evidence *e, const pshi_effect_table *t, uint32_t slot, double sign) {
    pshi_evidence at = { 0, 0 };

    if (!t)
        return;
    at = slot < t->slots ? t->slot[slot] : at;
    e->at.p += sign * at.p;
    e->at.s += sign * at.s;
    e->rest.p += sign * (t->total.p - at.p);
    e->rest.s += sign * (t->total.s - at.s);
}

/* Counts what t says beyond its parts a and b, of which c is in both; the other places count as one. */
static void count_tables(
    effect_guess *g, const pshi_effect_table *const t[4], const pshi_event *e, uint32_t slot, double between,
    double places) {
    table_evidence sum = { { 0, 0 }, { 0, 0 } };
    double others = pshi_event_slots(e) > 1 ? pshi_event_slots(e) - 1.0 : 1;

    add_table_evidence(&sum, t[0], slot, 1);
    add_table_evidence(&sum, t[1], slot, -1);
    add_table_evidence(&sum, t[2], slot, -1);
    add_table_evidence(&sum, t[3], slot, 1);
    count_in(g, sum.at.p, sum.at.s, between);
    count_in(g, sum.rest.p / others, sum.rest.s / others, between + places);
}

/* Variance of effects from place to place. */
static double between_places(const pshi_effect_table *t) {
    double mean;

    if (!t || t->total.p <= 0)
        return SPREAD;
    mean = t->total.s / t->total.p;
    return fmax(t->square / t->total.p - mean * mean, LEAST_BETWEEN_PLACES);
}

static void count_evidence(
    const pshi_calendar *c, const pshi_event *e, const psh_subject *subject, uint32_t slot, effect_guess *g) {
    const pshi_effect_table *own = pshi_calendar_table(c, PSHI_LEVEL_EVENT_SUBJECT, e->id, *subject);
    const pshi_effect_table *event = pshi_calendar_table(c, PSHI_LEVEL_EVENT, e->id, *subject);
    const pshi_effect_table *kin = pshi_calendar_table(c, PSHI_LEVEL_KIND_SUBJECT, e->kind, *subject);
    const pshi_effect_table *kind = pshi_calendar_table(c, PSHI_LEVEL_KIND, e->kind, *subject);
    int taught = !(e->flags & PSHI_EVENT_ONE_OFF);
    const pshi_effect_table *taught_own = taught ? own : NULL, *taught_event = taught ? event : NULL;
    double places = between_places(event ? event : kind);

    count_tables(g, (const pshi_effect_table *[]){ own, NULL, NULL, NULL }, e, slot, 0, places);
    count_tables(g, (const pshi_effect_table *[]){ event, own, NULL, NULL }, e, slot, BETWEEN_SUBJECTS, places);
    count_tables(g, (const pshi_effect_table *[]){ kin, taught_own, NULL, NULL }, e, slot, BETWEEN_EVENTS, places);
    count_tables(g, (const pshi_effect_table *[]){ kind, kin, taught_event, taught_own }, e, slot,
                 BETWEEN_EVENTS + BETWEEN_SUBJECTS, places);
}

static void finish(effect_guess *g) {
    g->variance = 1 / g->variance;
    g->mean *= g->variance;
}

static void start_from(effect_guess *g, double mean, double variance) {
    g->mean = mean / variance;
    g->variance = 1 / variance;
}

static void host_prior(const pshi_event *e, effect_guess *g) {
    if (e->factor > 0)
        start_from(g, log(e->factor), fmin(NOISE / e->weight, SPREAD));
    else
        start_from(g, 0, SPREAD);
}

static double effect_at(const pshi_calendar *c, const pshi_event *e, const psh_subject *subject, uint32_t slot) {
    const pshi_calendar_event *like = pshi_calendar_find(c, e->like);
    effect_guess g, of_like;

    host_prior(e, &g);
    if (like) {
        host_prior(&like->e, &of_like);
        count_evidence(c, &like->e, subject, slot, &of_like);
        finish(&of_like);
        if (e->factor > 0)
            count_in(&g, 1 / of_like.variance, of_like.mean / of_like.variance, BETWEEN_LIKE);
        else
            start_from(&g, of_like.mean, of_like.variance + BETWEEN_LIKE);
    }
    count_evidence(c, e, subject, slot, &g);
    finish(&g);
    return fmin(fmax(g.mean, -log(MOST_FACTOR)), log(MOST_FACTOR));
}

/* How a bucket lies to an event: looked at in points, evenly apart. */
typedef struct bucket_view {
    uint32_t points;
    uint32_t inside;
    uint32_t slot[POINTS]; /* of the points inside, ascending within a window */
    double share;          /* of a place that one point stands for, at most 1 */
    int64_t window;        /* start of the first window met */
} bucket_view;

static int look_at(const pshi_event *e, int64_t from, int64_t to, bucket_view *v) {
    int64_t start, end, width, t, slot_ns = pshi_event_slot_ns(e);
    uint32_t i;

    v->inside = 0;
    if (!pshi_event_window(e, from, &start, &end) || start >= to || pshi_sub_i64(to, from, &width))
        return 0;
    v->window = start;
    v->points = width / slot_ns >= POINTS / 2 ? POINTS : width / slot_ns < 2 ? 4 : 2 * (uint32_t)(width / slot_ns);
    v->share = fmin((double)width / v->points / (double)slot_ns, 1);
    for (i = 0; i < v->points; i++) {
        t = from + (int64_t)(((pshi_i128)width * (2 * i + 1)) / (2 * v->points));
        if (t >= end && (!pshi_event_window(e, t, &start, &end)))
            break;
        if (t >= start)
            v->slot[v->inside++] = pshi_event_slot(e, start, t);
    }
    return v->inside > 0;
}

static double factor_in(
    const pshi_calendar *c, const pshi_event *e, const psh_subject *subject, const bucket_view *v) {
    double sum = v->points - v->inside, effect = 0;
    uint32_t i;

    for (i = 0; i < v->inside; i++) {
        if (!i || v->slot[i] != v->slot[i - 1])
            effect = exp(effect_at(c, e, subject, v->slot[i]));
        sum += effect;
    }
    return sum / v->points;
}

/* Bounds of bucket i. @return 1, or 0: beyond the end of time. */
static int bucket_at(int64_t from, int64_t step_ns, uint32_t i, int64_t *a, int64_t *b) {
    return !pshi_mul_i64(step_ns, i, a) && !pshi_add_i64(from, *a, a) && !pshi_add_i64(*a, step_ns, b);
}

/* The first bucket from i on that a window of e reaches into. @return its index, with its bounds, or n: none. */
static uint32_t next_touched(
    const pshi_event *e, int64_t from, int64_t step_ns, uint32_t i, uint32_t n, int64_t *a, int64_t *b) {
    int64_t start, end, ahead;

    while (i < n && bucket_at(from, step_ns, i, a, b) && pshi_event_window(e, *a, &start, &end)) {
        if (start < *b)
            return i;
        if (pshi_sub_i64(start, from, &ahead) || ahead / step_ns >= n)
            return n;
        i = (uint32_t)(ahead / step_ns);
    }
    return n;
}

/* The events that may matter to [from, to): those in focus if it is, else all. */
typedef struct event_list {
    const uint32_t *near; /* NULL: all */
    size_t n;
} event_list;

static event_list events_for(const pshi_calendar *c, int64_t from, int64_t to) {
    event_list all = { NULL, c->count }, near = { c->near, c->near_count };

    return from >= c->near_from && from < to && to <= c->near_to ? near : all;
}

static event_list events_of(const pshi_calendar *c, int64_t from, int64_t step_ns, uint32_t n) {
    int64_t span, to;

    if (pshi_mul_i64(step_ns, n, &span) || pshi_add_i64(from, span, &to))
        to = INT64_MIN;
    return events_for(c, from, to);
}

static size_t nth_event(const event_list *l, size_t k) {
    return l->near ? l->near[k] : k;
}

static int multiply_event(
    const pshi_calendar *c, const pshi_event *e, const pshi_event_who *who, int64_t from, int64_t step_ns,
    uint32_t n, double *factor) {
    int64_t a, b;
    bucket_view v;
    uint32_t i;
    int any = 0;

    for (i = next_touched(e, from, step_ns, 0, n, &a, &b); i < n;
         i = next_touched(e, from, step_ns, i + 1, n, &a, &b))
        if (look_at(e, a, b, &v)) {
            factor[i] *= factor_in(c, e, &who->subject, &v);
            any = 1;
        }
    return any;
}

int pshi_calendar_effects(
    const pshi_calendar *c, const pshi_event_who *who, int64_t from, int64_t step_ns, uint32_t n, double *factor) {
    event_list l = events_of(c, from, step_ns, n);
    const pshi_calendar_event *e;
    uint32_t i;
    size_t k;
    int any = 0;

    for (i = 0; i < n; i++)
        factor[i] = 1;
    for (k = 0; step_ns > 0 && k < l.n; k++) {
        e = &c->events[nth_event(&l, k)];
        if (!is_handled(c, e, who) || !multiply_event(c, &e->e, who, from, step_ns, n, factor))
            continue;
        any = 1;
        for (i = 0; i < n; i++)
            factor[i] = fmin(fmax(factor[i], 1 / MOST_FACTOR), MOST_FACTOR);
    }
    return any;
}

double pshi_calendar_factor(const pshi_calendar *c, size_t i, const pshi_event_who *who) {
    const pshi_event *e = &c->events[i].e;
    uint32_t slots = pshi_event_slots(e), k;
    double sum = 0;

    for (k = 0; k < slots; k++)
        sum += exp(effect_at(c, e, &who->subject, k));
    return sum / slots;
}

double pshi_calendar_effect(const pshi_calendar *c, const pshi_event_who *who, int64_t from, int64_t to) {
    int64_t width;
    double factor = 1;

    if (to > from && !pshi_sub_i64(to, from, &width))
        (void)pshi_calendar_effects(c, who, from, width, 1, &factor);
    return factor;
}

double pshi_calendar_apply(double base, double factor) {
    double v = (base + 1) * factor - 1;

    return v > 0 ? v : 0;
}

double pshi_calendar_clean(double y, double factor) {
    return pshi_calendar_apply(y, 1 / factor);
}

void pshi_calendar_masks(
    const pshi_calendar *c, const pshi_event_who *who, int64_t from, int64_t step_ns, uint32_t n, uint8_t *mask) {
    event_list l = events_of(c, from, step_ns, n);
    const pshi_calendar_event *e;
    int64_t a, b;
    uint32_t i;
    size_t k;

    memset(mask, 0, n);
    for (k = 0; step_ns > 0 && k < l.n; k++) {
        e = &c->events[nth_event(&l, k)];
        if (!is_handled(c, e, who))
            continue;
        for (i = next_touched(&e->e, from, step_ns, 0, n, &a, &b); i < n;
             i = next_touched(&e->e, from, step_ns, i + 1, n, &a, &b))
            mask[i] = 1;
    }
}

int pshi_calendar_is_masked(const pshi_calendar *c, const pshi_event_who *who, int64_t from, int64_t to) {
    int64_t width;
    uint8_t mask = 0;

    if (to > from && !pshi_sub_i64(to, from, &width))
        pshi_calendar_masks(c, who, from, width, 1, &mask);
    return mask;
}

static psh_status need_all(pshi_calendar *c, const pshi_event *e, const psh_subject *subject) {
    uint32_t slots = pshi_event_slots(e), level, first = e->flags & PSHI_EVENT_ONE_OFF ? PSHI_LEVEL_EVENT : 0;
    psh_status st;

    for (level = first; level < PSHI_LEVELS; level++) {
        st = pshi_calendar_need(c, level, level < PSHI_LEVEL_EVENT ? e->kind : e->id, *subject, slots);
        if (st == PSH_E_NOMEM)
            return st;
    }
    return PSH_OK;
}

static void add_evidence(pshi_effect_table *t, const bucket_view *v, double p, double r) {
    pshi_evidence *e;
    uint32_t i;

    if (t->total.p >= PSHI_CALENDAR_MOST_SUM / 0x1p10)
        return;
    for (i = 0; i < v->inside; i++) {
        e = &t->slot[v->slot[i]];
        e->p += p * v->share;
        e->s += p * v->share * r;
        t->total.p += p * v->share;
        t->total.s += p * v->share * r;
        t->square += p * v->share * r * r;
    }
}

static void learn_event(
    pshi_calendar *c, pshi_calendar_event *e, const psh_subject *subject, const bucket_view *v, double p,
    double r) {
    uint32_t level, first = e->e.flags & PSHI_EVENT_ONE_OFF ? PSHI_LEVEL_EVENT : 0;
    pshi_effect_table *t;

    for (level = first; level < PSHI_LEVELS; level++) {
        t = pshi_calendar_table(c, level, level < PSHI_LEVEL_EVENT ? e->e.kind : e->e.id, *subject);
        if (t)
            add_evidence(t, v, p, r);
        else
            c->shed++;
    }
    if (v->window > e->last) {
        e->last = v->window;
        e->e.seen += e->e.seen < INT32_MAX;
    }
}

/* What is left of a bucket's ratio for one event: without the others, and as if the event filled the bucket. */
static double own_log(double ratio, double others, const bucket_view *v) {
    double share = (double)v->inside / v->points, r = (ratio / others - (1 - share)) / share;

    return log(fmin(fmax(r, 1 / MOST_FACTOR), MOST_FACTOR));
}

/* Does a bucket lie in an event for a half or more? */
static int teaches(
    const pshi_calendar *c, const pshi_calendar_event *e, const pshi_event_who *who, int64_t from, int64_t to,
    bucket_view *v) {
    return is_handled(c, e, who) && look_at(&e->e, from, to, v) && 2 * v->inside >= v->points;
}

psh_status pshi_calendar_prepare(pshi_calendar *c, const pshi_event_who *who, int64_t from, int64_t to) {
    event_list l = events_for(c, from, to);
    int64_t start, end;
    const pshi_calendar_event *e;
    size_t k;

    for (k = 0; k < l.n; k++) {
        e = &c->events[nth_event(&l, k)];
        if (!is_handled(c, e, who) || !pshi_event_window(&e->e, from, &start, &end) || start >= to)
            continue;
        if (need_all(c, &e->e, &who->subject) != PSH_OK)
            return PSH_E_NOMEM;
    }
    return PSH_OK;
}

psh_status pshi_calendar_learn(
    pshi_calendar *c, const pshi_event_who *who, int64_t from, int64_t to, double y, double base) {
    double ratio, all, own;
    pshi_calendar_event *e;
    event_list l = events_for(c, from, to);
    bucket_view v;
    size_t k;

    if (!(y >= 0 && base >= 0 && isfinite(y) && isfinite(base)) || from >= to)
        return PSH_E_INVALID;
    for (k = 0; k < l.n; k++) {
        e = &c->events[nth_event(&l, k)];
        if (teaches(c, e, who, from, to, &v) && need_all(c, &e->e, &who->subject) != PSH_OK)
            return PSH_E_NOMEM;
    }
    ratio = (y + 1) / (base + 1);
    all = pshi_calendar_effect(c, who, from, to);
    for (k = 0; k < l.n; k++) {
        e = &c->events[nth_event(&l, k)];
        if (!teaches(c, e, who, from, to, &v))
            continue;
        own = factor_in(c, &e->e, &who->subject, &v);
        learn_event(c, e, &who->subject, &v, 1 / (NOISE + 1 / (base + 1)),
                    own_log(ratio, fmax(all / own, 1 / MOST_FACTOR), &v));
    }
    return PSH_OK;
}
