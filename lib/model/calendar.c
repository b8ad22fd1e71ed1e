/* SPDX-License-Identifier: MIT */
#include "model/calendar.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "base/hash.h"
#include "model/calendar_state.h"

#define MOST_EVENTS 65536u
#define MOST_TABLES (1u << 20)
#define MANY_TABLES 4096u
#define MOST_FACTOR 64.0
#define MOST_WEIGHT 1000.0

psh_status pshi_calendar_create(psh_env *env, const pshi_calendar_options *o, pshi_calendar **out) {
    pshi_calendar *c;

    *out = NULL;
    if (o && (o->most_events > MOST_EVENTS || o->most_tables > MOST_TABLES || o->season_ns < 0))
        return PSH_E_INVALID;
    c = pshi_calloc(env, 1, sizeof *c);
    if (!c)
        return PSH_E_NOMEM;
    c->env = env;
    if (o)
        c->o = *o;
    c->o.most_events = c->o.most_events ? c->o.most_events : 1024;
    c->o.most_tables = c->o.most_tables ? c->o.most_tables : MANY_TABLES;
    c->o.season_ns = c->o.season_ns ? c->o.season_ns : 7 * PSH_DAY;
    *out = c;
    return PSH_OK;
}

void pshi_calendar_destroy(pshi_calendar *c) {
    size_t i;

    if (!c)
        return;
    for (i = 0; i < c->table_count; i++)
        pshi_free(c->env, c->tables[i].slot);
    pshi_free(c->env, c->tables);
    pshi_free(c->env, c->events);
    pshi_free(c->env, c->near);
    pshi_idmap_free(c->env, &c->by_id);
    pshi_idmap_free(c->env, &c->by_key);
    pshi_free(c->env, c);
}

static int64_t longest_of(const pshi_event *e) {
    switch (e->every) {
    case PSHI_EVERY_SPAN: return e->every_ns;
    case PSHI_EVERY_WEEK: return 7 * PSH_DAY;
    case PSHI_EVERY_MONTH: return 28 * PSH_DAY;
    case PSHI_EVERY_YEAR: return 365 * PSH_DAY;
    default: return INT64_MAX;
    }
}

static psh_status check_times(const pshi_event *e, psh_error *err) {
    int64_t span;

    if (e->start == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "start", "must be set");
    if (e->end <= e->start || pshi_sub_i64(e->end, e->start, &span))
        return pshi_fail(err, PSH_E_INVALID, "end", "must lie after start");
    if (e->every > PSHI_EVERY_YEAR)
        return pshi_fail(err, PSH_E_INVALID, "every", "is no PSHI_EVERY_*");
    if ((e->every == PSHI_EVERY_SPAN) != (e->every_ns > 0) || e->every_ns < 0)
        return pshi_fail(err, PSH_E_INVALID, "every_ns", "must be over 0 for PSHI_EVERY_SPAN, else 0");
    if (span > longest_of(e))
        return pshi_fail(err, PSH_E_INVALID, "end", "the window is longer than until the next");
    if (e->missing_day > PSHI_SHORT_SKIP)
        return pshi_fail(err, PSH_E_INVALID, "missing_day", "is no PSHI_SHORT_*");
    return PSH_OK;
}

static int is_scope(uint32_t kind) {
    return kind == PSHI_SCOPE_ALL || kind == PSHI_SCOPE_TABLE || kind == PSHI_SCOPE_TENANT ||
           kind == PSHI_SCOPE_LABEL || kind == PSHI_SCOPE_SEGMENT;
}

psh_status pshi_event_check(const pshi_event *e, psh_error *err) {
    if (!e->id)
        return pshi_fail(err, PSH_E_INVALID, "id", "must not be 0");
    if (!e->kind)
        return pshi_fail(err, PSH_E_INVALID, "kind", "must not be 0");
    if (!is_scope(e->scope.kind))
        return pshi_fail(err, PSH_E_INVALID, "scope", "is no PSHI_SCOPE_*");
    if (e->flags & ~PSHI_EVENT_ONE_OFF || (e->flags && e->every != PSHI_EVERY_NONE))
        return pshi_fail(err, PSH_E_INVALID, "flags", "only PSHI_EVENT_ONE_OFF, and that does not recur");
    if (e->like == e->id)
        return pshi_fail(err, PSH_E_INVALID, "like", "must be another event");
    if (e->factor != 0 && !(e->factor >= 1 / MOST_FACTOR && e->factor <= MOST_FACTOR))
        return pshi_fail(err, PSH_E_INVALID, "factor", "must be 1/64 to 64, or 0");
    if (e->factor != 0 ? !(e->weight > 0 && e->weight <= MOST_WEIGHT) : e->weight != 0)
        return pshi_fail(err, PSH_E_INVALID, "weight", "must be over 0, at most 1000, with a factor; else 0");
    return check_times(e, err);
}

static int same_event(const pshi_event *a, const pshi_event *b) {
    return a->kind == b->kind && a->scope.kind == b->scope.kind && a->scope.table == b->scope.table &&
           a->scope.id == b->scope.id && a->start == b->start && a->end == b->end && a->every == b->every &&
           a->every_ns == b->every_ns && a->missing_day == b->missing_day;
}

psh_status pshi_calendar_add(pshi_calendar *c, const pshi_event *e, psh_error *err) {
    psh_status st = pshi_event_check(e, err);
    size_t i;

    if (st != PSH_OK)
        return st;
    if (e->seen)
        return pshi_fail(err, PSH_E_INVALID, "seen", "must be 0");
    if (pshi_calendar_find(c, e->id))
        return pshi_fail(err, PSH_E_EXISTS, "id", "an event has this id");
    for (i = 0; i < c->count; i++)
        if (same_event(&c->events[i].e, e))
            return pshi_fail(err, PSH_E_EXISTS, "", "an event of this kind, scope and time is there");
    if (c->count >= c->o.most_events)
        return pshi_fail(err, PSH_E_LIMIT, "most_events", "so many events are there");
    if (pshi_reserve(c->env, (void **)&c->events, &c->cap, c->count + 1, sizeof *c->events) != PSH_OK ||
        pshi_reserve(c->env, (void **)&c->near, &c->near_cap, c->count + 1, sizeof *c->near) != PSH_OK ||
        pshi_idmap_put(c->env, &c->by_id, e->id, (uint32_t)c->count) != PSH_OK)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the event");
    c->events[c->count].e = *e;
    c->events[c->count++].last = PSH_TIME_NONE;
    c->near_to = c->near_from;
    return PSH_OK;
}

static uint64_t key_of(uint32_t level, uint64_t id, psh_subject s) {
    uint64_t h = pshi_mix64(id + level * UINT64_C(0x9e3779b97f4a7c15));

    if (level == PSHI_LEVEL_KIND || level == PSHI_LEVEL_EVENT)
        return pshi_nonzero(h);
    h = pshi_mix64(h ^ pshi_mix64(s.id + 1));
    return pshi_nonzero(pshi_mix64(h ^ ((uint64_t)s.kind << 32 | s.table)));
}

static void drop_table(pshi_calendar *c, size_t i) {
    pshi_effect_table *t = &c->tables[i], *last = &c->tables[--c->table_count];

    pshi_idmap_remove(&c->by_key, key_of(t->level, t->id, t->subject));
    c->at_level[t->level]--;
    pshi_free(c->env, t->slot);
    if (t == last)
        return;
    *t = *last;
    pshi_idmap_put(c->env, &c->by_key, key_of(t->level, t->id, t->subject), (uint32_t)i); /* replaces: no memory */
}

psh_status pshi_calendar_remove(pshi_calendar *c, uint64_t id) {
    const pshi_calendar_event *found = pshi_calendar_find(c, id);
    size_t i, at;

    if (!found)
        return PSH_E_NOT_FOUND;
    at = (size_t)(found - c->events);
    for (i = c->table_count; i-- > 0;)
        if (c->tables[i].level >= PSHI_LEVEL_EVENT && c->tables[i].id == id)
            drop_table(c, i);
    pshi_idmap_remove(&c->by_id, id);
    c->near_to = c->near_from;
    memmove(c->events + at, c->events + at + 1, (--c->count - at) * sizeof *c->events);
    for (i = at; i < c->count; i++)
        pshi_idmap_put(c->env, &c->by_id, c->events[i].e.id, (uint32_t)i); /* replaces: no memory */
    return PSH_OK;
}

size_t pshi_calendar_focus(pshi_calendar *c, int64_t from, int64_t to) {
    int64_t start, end;
    uint32_t i;

    c->near_count = 0;
    for (i = 0; i < c->count; i++)
        if (pshi_event_window(&c->events[i].e, from, &start, &end) && start < to)
            c->near[c->near_count++] = i;
    c->near_from = from;
    c->near_to = to > from ? to : from;
    return c->near_count;
}

size_t pshi_calendar_count(const pshi_calendar *c) {
    return c->count;
}

psh_status pshi_calendar_get(const pshi_calendar *c, size_t i, pshi_event *out) {
    if (i >= c->count)
        return PSH_E_NOT_FOUND;
    *out = c->events[i].e;
    return PSH_OK;
}

uint64_t pshi_calendar_shed(const pshi_calendar *c) {
    return c->shed;
}

int pshi_calendar_is(const pshi_calendar *c, uint32_t most_events, int64_t season_ns) {
    return c->o.most_events == most_events && c->o.most_tables == MANY_TABLES && c->o.season_ns == season_ns;
}

size_t pshi_calendar_bytes(const pshi_calendar *c) {
    size_t i, n = sizeof *c + c->cap * sizeof *c->events + c->table_cap * sizeof *c->tables;

    n += c->near_cap * sizeof *c->near;

    for (i = 0; i < c->table_count; i++)
        n += c->tables[i].slots * sizeof *c->tables[i].slot;
    return n + (c->by_id.count + c->by_key.count) * 2 * (sizeof(uint64_t) + sizeof(uint32_t));
}

const pshi_calendar_event *pshi_calendar_find(const pshi_calendar *c, uint64_t id) {
    uint32_t i = id ? pshi_idmap_find(&c->by_id, id) : PSH_NONE;

    return i == PSH_NONE ? NULL : &c->events[i];
}

pshi_effect_table *pshi_calendar_table(const pshi_calendar *c, uint32_t level, uint64_t id, psh_subject subject) {
    uint32_t i = pshi_idmap_find(&c->by_key, key_of(level, id, subject));

    return i == PSH_NONE ? NULL : &c->tables[i];
}

static int has_room(const pshi_calendar *c, uint32_t level) {
    if (level == PSHI_LEVEL_KIND || level == PSHI_LEVEL_EVENT)
        return c->at_level[level] < c->o.most_events;
    return c->at_level[PSHI_LEVEL_KIND_SUBJECT] + c->at_level[PSHI_LEVEL_EVENT_SUBJECT] < c->o.most_tables;
}

static psh_status add_table(pshi_calendar *c, uint32_t level, uint64_t id, psh_subject subject) {
    pshi_effect_table *t;

    if (!has_room(c, level))
        return PSH_E_LIMIT;
    if (pshi_reserve(c->env, (void **)&c->tables, &c->table_cap, c->table_count + 1, sizeof *c->tables) != PSH_OK ||
        pshi_idmap_put(c->env, &c->by_key, key_of(level, id, subject), (uint32_t)c->table_count) != PSH_OK)
        return PSH_E_NOMEM;
    t = &c->tables[c->table_count++];
    memset(t, 0, sizeof *t);
    t->level = level;
    t->id = id;
    if (level == PSHI_LEVEL_KIND_SUBJECT || level == PSHI_LEVEL_EVENT_SUBJECT)
        t->subject = subject;
    c->at_level[level]++;
    return PSH_OK;
}

psh_status pshi_calendar_need(
    pshi_calendar *c, uint32_t level, uint64_t id, psh_subject subject, uint32_t slots) {
    pshi_effect_table *t = pshi_calendar_table(c, level, id, subject);
    pshi_evidence *more;
    psh_status st;

    if (!t && (st = add_table(c, level, id, subject)) != PSH_OK)
        return st;
    t = pshi_calendar_table(c, level, id, subject);
    if (t->slots >= slots)
        return PSH_OK;
    more = pshi_realloc(c->env, t->slot, slots * sizeof *more);
    if (!more)
        return PSH_E_NOMEM;
    memset(more + t->slots, 0, (slots - t->slots) * sizeof *more);
    t->slot = more;
    t->slots = slots;
    return PSH_OK;
}
