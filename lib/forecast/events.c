/* SPDX-License-Identifier: MIT */
/* Events: the host's calendar, and what it does to forecasts and to learning. */
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/options.h"
#include "forecast/forecaster.h"

#define KIND_SEED UINT64_C(0x6576656e746b696e) /* apart from hashes of other things */

_Static_assert(
    PSH_EVENT_ONCE == PSHI_EVERY_NONE && PSH_EVENT_SPAN == PSHI_EVERY_SPAN && PSH_EVENT_WEEKLY == PSHI_EVERY_WEEK &&
        PSH_EVENT_MONTHLY == PSHI_EVERY_MONTH && PSH_EVENT_YEARLY == PSHI_EVERY_YEAR &&
        PSH_EVENT_DAY_LAST == PSHI_SHORT_LAST && PSH_EVENT_DAY_NEXT == PSHI_SHORT_NEXT &&
        PSH_EVENT_DAY_SKIP == PSHI_SHORT_SKIP && PSH_EVENT_ONE_OFF == PSHI_EVENT_ONE_OFF,
    "the calendar's own numbers");

uint64_t psh_event_kind(const char *name) {
    return name ? pshi_nonzero(pshi_hash_seed(name, strlen(name), KIND_SEED)) : 1;
}

/* Series are in no segment that events know of. */
static pshi_event_who who_of(const psh_subject *subject) {
    pshi_event_who who = { *subject, 0 };

    return who;
}

void pshi_events_focus(pshi_signals *g, const pshi_shape *shape, int64_t from, int64_t to) {
    int64_t first = pshi_bucket_start(shape, from);

    g->near = g->calendar && pshi_calendar_focus(
        g->calendar, first, pshi_bucket_start(shape, to + (int64_t)shape->max_lead)) > 0;
    g->calendar_bytes = g->calendar ? pshi_calendar_bytes(g->calendar) : 0;
}

psh_status pshi_events_prepare(
    const pshi_signals *g, const pshi_shape *shape, const psh_subject *subject, int64_t from, int64_t to) {
    pshi_event_who who = who_of(subject);

    return pshi_calendar_prepare(
        g->calendar, &who, pshi_bucket_start(shape, from), pshi_bucket_start(shape, to));
}

double pshi_events_factor(const pshi_outlook *o, const psh_subject *subject, int64_t bucket) {
    pshi_event_who who = who_of(subject);

    return pshi_calendar_effect(
        o->signals->calendar, &who, pshi_bucket_start(o->shape, bucket), pshi_bucket_start(o->shape, bucket + 1));
}

int pshi_events_mask(const pshi_outlook *o, const psh_subject *subject) {
    pshi_event_who who = who_of(subject);

    return pshi_calendar_is_masked(
        o->signals->calendar, &who, pshi_bucket_start(o->shape, o->closed),
        pshi_bucket_start(o->shape, o->closed + 1));
}

/* There is memory for it: a step prepares before it closes anything. */
void pshi_events_learn(const pshi_outlook *o, const psh_subject *subject, double y, double base) {
    pshi_event_who who = who_of(subject);

    (void)pshi_calendar_learn(
        o->signals->calendar, &who, pshi_bucket_start(o->shape, o->closed),
        pshi_bucket_start(o->shape, o->closed + 1), y, base);
}

void pshi_events_path(pshi_outlook *o, const psh_subject *subject) {
    pshi_event_who who = who_of(subject);

    o->factored = (uint32_t)pshi_calendar_effects(
        o->signals->calendar, &who, pshi_bucket_start(o->shape, o->closed), o->shape->bucket_ns, o->steps,
        o->signals->factor);
}

psh_status pshi_events_skip(
    psh_env *env, const pshi_outlook *o, const psh_subject *subject, uint32_t n, uint8_t *skip) {
    pshi_event_who who = who_of(subject);
    uint8_t *mask;
    uint32_t i;

    if (!o->signals->calendar || !pshi_calendar_count(o->signals->calendar))
        return PSH_OK;
    mask = pshi_alloc(env, n);
    if (!mask)
        return PSH_E_NOMEM;
    pshi_calendar_masks(
        o->signals->calendar, &who, pshi_bucket_start(o->shape, o->closed - (int64_t)n), o->shape->bucket_ns, n,
        mask);
    for (i = 0; i < n; i++)
        skip[i] |= mask[i];
    pshi_free(env, mask);
    return PSH_OK;
}

static psh_status check_event_scope(const psh_forecaster *f, const psh_subject *s, psh_error *err) {
    if (s->kind && s->kind != PSH_SUBJECT_TABLE && s->kind != PSH_SUBJECT_TENANT && s->kind != PSH_SUBJECT_LABEL)
        return pshi_fail(err, PSH_E_INVALID, "scope.kind", "must be 0, TABLE, TENANT or LABEL");
    if (s->kind && s->table >= psh_schema_table_count(f->schema) &&
        (s->table != PSH_NONE || s->kind == PSH_SUBJECT_TABLE))
        return pshi_fail(err, PSH_E_INVALID, "scope.table", "no such table");
    return PSH_OK;
}

static pshi_event to_inner(const psh_event *e) {
    pshi_event out;

    memset(&out, 0, sizeof out);
    out.id = e->id;
    out.kind = e->kind;
    out.scope = e->scope;
    out.start = e->from;
    out.end = e->to;
    out.every = e->every;
    out.missing_day = e->missing_day;
    out.every_ns = e->every_ns;
    out.flags = e->flags;
    out.like = e->behaves_like;
    out.factor = e->prior_factor;
    out.weight = e->prior_weight;
    return out;
}

int64_t pshi_events_season(const pshi_shape *shape) {
    return shape->bucket_ns < INT64_MAX / (int64_t)shape->longest ? shape->bucket_ns * (int64_t)shape->longest
                                                                  : INT64_MAX;
}

static psh_status need_calendar(psh_forecaster *f) {
    pshi_calendar_options o = { f->o.max_events, 0, pshi_events_season(&f->shape) };

    if (f->signals.calendar)
        return PSH_OK;
    return pshi_calendar_create(f->env, &o, &f->signals.calendar);
}

/* What was forecast no longer holds. */
static void events_changed(psh_forecaster *f) {
    pshi_events_focus(&f->signals, &f->shape, f->outlook.closed - 1, f->outlook.closed);
    f->outlook.of = NULL;
    pshi_lender_reset(&f->lender);
}

psh_status psh_forecaster_add_event(psh_forecaster *f, const psh_event *e, psh_error *err) {
    psh_event read;
    pshi_event inner;
    psh_status st;
    int first;

    if (!f || !e)
        return pshi_fail(err, PSH_E_INVALID, f ? "event" : "f", "is NULL");
    memset(&read, 0, sizeof read);
    if ((st = pshi_options_copy(&read, sizeof read, e, err)) != PSH_OK)
        return st;
    if ((st = check_event_scope(f, &read.scope, err)) != PSH_OK)
        return st;
    first = !f->signals.calendar;
    if (need_calendar(f) != PSH_OK)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the calendar");
    inner = to_inner(&read);
    st = pshi_calendar_add(f->signals.calendar, &inner, err);
    if (st == PSH_OK) {
        events_changed(f);
    } else if (first) {
        pshi_calendar_destroy(f->signals.calendar);
        f->signals.calendar = NULL;
    }
    return st;
}

psh_status psh_forecaster_remove_event(psh_forecaster *f, uint64_t id) {
    psh_status st;

    if (!f)
        return PSH_E_INVALID;
    st = f->signals.calendar ? pshi_calendar_remove(f->signals.calendar, id) : PSH_E_NOT_FOUND;
    if (st == PSH_OK)
        events_changed(f);
    return st;
}

size_t psh_forecaster_event_count(const psh_forecaster *f) {
    return f && f->signals.calendar ? pshi_calendar_count(f->signals.calendar) : 0;
}

psh_status psh_forecaster_event(
    const psh_forecaster *f, size_t i, const psh_subject *subject, psh_event_info *out) {
    static const psh_subject nobody = { 0, PSH_NONE, 0 };
    pshi_event_who who = who_of(subject ? subject : &nobody);
    psh_event_info info;
    pshi_event e;

    if (!f || !out)
        return PSH_E_INVALID;
    if (i >= psh_forecaster_event_count(f) || pshi_calendar_get(f->signals.calendar, i, &e) != PSH_OK)
        return PSH_E_NOT_FOUND;
    memset(&info, 0, sizeof info);
    info.occurrences = e.seen;
    info.id = e.id;
    info.kind = e.kind;
    info.factor = pshi_calendar_factor(f->signals.calendar, i, &who);
    return pshi_struct_out(out, &info, sizeof info);
}
