/* SPDX-License-Identifier: MIT */
#include "base/env.h"
#include "base/error.h"
#include "model/calendar_state.h"

#define LEAST_EVENT 50u /* bytes saved of one */
#define LEAST_TABLE 40u

static void subject_fields(pshi_fields *io, psh_subject *s) {
    pshi_field_u32(io, &s->kind, 0, UINT32_MAX);
    pshi_field_u32(io, &s->table, 0, UINT32_MAX);
    pshi_field_u64(io, &s->id);
}

static void event_fields(pshi_fields *io, pshi_calendar_event *x) {
    pshi_event *e = &x->e;

    pshi_field_u64(io, &e->id);
    pshi_field_u64(io, &e->kind);
    subject_fields(io, &e->scope);
    pshi_field_i64(io, &e->start, INT64_MIN + 1, INT64_MAX);
    pshi_field_i64(io, &e->end, INT64_MIN + 1, INT64_MAX);
    pshi_field_u32(io, &e->every, 0, PSHI_EVERY_YEAR);
    pshi_field_u32(io, &e->missing_day, 0, PSHI_SHORT_SKIP);
    pshi_field_i64(io, &e->every_ns, 0, INT64_MAX);
    pshi_field_u32(io, &e->flags, 0, PSHI_EVENT_ONE_OFF);
    pshi_field_u32(io, &e->seen, 0, INT32_MAX);
    pshi_field_u64(io, &e->like);
    pshi_field_f64(io, &e->factor, 0, 64);
    pshi_field_f64(io, &e->weight, 0, 1000);
    pshi_field_i64(io, &x->last, INT64_MIN, INT64_MAX);
}

static void option_fields(pshi_fields *io, pshi_calendar_options *o) {
    pshi_field_u32(io, &o->most_events, 1, 65536);
    pshi_field_u32(io, &o->most_tables, 1, 1u << 20);
    pshi_field_i64(io, &o->season_ns, 1, INT64_MAX);
}

static void evidence_fields(pshi_fields *io, pshi_evidence *e) {
    pshi_field_f64(io, &e->p, 0, PSHI_CALENDAR_MOST_SUM);
    pshi_field_f64(io, &e->s, -4.2 * e->p, 4.2 * e->p); /* no log ratio is beyond log(64) */
}

static void table_fields(pshi_fields *io, pshi_effect_table *t) {
    uint32_t i;

    evidence_fields(io, &t->total);
    pshi_field_f64(io, &t->square, 0, 18 * t->total.p);
    for (i = 0; i < t->slots; i++)
        evidence_fields(io, &t->slot[i]);
}

static void table_key(pshi_fields *io, pshi_effect_table *t) {
    pshi_field_u32(io, &t->level, 0, PSHI_LEVELS - 1);
    pshi_field_u64(io, &t->id);
    subject_fields(io, &t->subject);
    pshi_field_u32(io, &t->slots, 1, PSHI_CALENDAR_SLOTS);
}

/* Tables without evidence were made by calls that failed: they are not there. */
void pshi_calendar_put(const pshi_calendar *c, pshi_writer *w) {
    pshi_fields io = { w, NULL };
    pshi_calendar_options o = c->o;
    pshi_effect_table t;
    pshi_calendar_event e;
    size_t i, n = 0;

    option_fields(&io, &o);
    pshi_put_var(w, c->shed);
    pshi_put_var(w, c->count);
    for (i = 0; i < c->count; i++) {
        e = c->events[i];
        event_fields(&io, &e);
    }
    for (i = 0; i < c->table_count; i++)
        n += c->tables[i].total.p > 0;
    pshi_put_var(w, n);
    for (i = 0; i < c->table_count; i++) {
        t = c->tables[i]; /* slots are borrowed, and written only */
        if (t.total.p > 0) {
            table_key(&io, &t);
            table_fields(&io, &t);
        }
    }
}

/* @return PSH_OK, PSH_E_NOMEM; bad bytes are marked. */
static psh_status take_event(pshi_calendar *c, pshi_cursor *in) {
    pshi_fields io = { NULL, in };
    pshi_calendar_event e = { 0 };
    uint32_t seen;
    psh_status st;

    event_fields(&io, &e);
    seen = e.e.seen;
    e.e.seen = 0;
    st = pshi_calendar_add(c, &e.e, NULL);
    if (st == PSH_OK) {
        c->events[c->count - 1].e.seen = seen;
        c->events[c->count - 1].last = e.last;
    } else if (st != PSH_E_NOMEM) {
        pshi_read_bad(in);
        st = PSH_OK;
    }
    return st;
}

static psh_status take_table(pshi_calendar *c, pshi_cursor *in) {
    static const psh_subject all = { 0, 0, 0 };
    pshi_fields io = { NULL, in };
    pshi_effect_table key = { 0 };
    psh_status st;

    table_key(&io, &key);
    if (key.slots * 16u > pshi_read_left(in) || pshi_calendar_table(c, key.level, key.id, key.subject)) {
        pshi_read_bad(in);
        return PSH_OK;
    }
    if (key.level == PSHI_LEVEL_KIND || key.level == PSHI_LEVEL_EVENT)
        key.subject = all;
    st = pshi_calendar_need(c, key.level, key.id, key.subject, key.slots);
    if (st == PSH_OK)
        table_fields(&io, pshi_calendar_table(c, key.level, key.id, key.subject));
    else if (st == PSH_E_LIMIT)
        pshi_read_bad(in);
    return st == PSH_E_NOMEM ? st : PSH_OK;
}

static psh_status take_all(pshi_calendar *c, pshi_cursor *in) {
    psh_status st = PSH_OK;
    size_t i, n;

    c->shed = pshi_get_var(in);
    n = pshi_get_count(in, LEAST_EVENT);
    for (i = 0; i < n && st == PSH_OK && in->status == PSH_OK; i++)
        st = take_event(c, in);
    n = pshi_get_count(in, LEAST_TABLE);
    for (i = 0; i < n && st == PSH_OK && in->status == PSH_OK; i++)
        st = take_table(c, in);
    return st;
}

pshi_calendar *pshi_calendar_take(psh_env *env, pshi_cursor *in) {
    pshi_fields io = { NULL, in };
    pshi_calendar_options o = { 0 };
    pshi_calendar *c;

    option_fields(&io, &o);
    if (pshi_calendar_create(env, &o, &c) != PSH_OK)
        return NULL;
    if (take_all(c, in) == PSH_OK)
        return c;
    pshi_calendar_destroy(c);
    return NULL;
}
