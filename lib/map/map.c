/* SPDX-License-Identifier: MIT */
#include "map/map.h"

#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "value/world.h"

static const psh_map_options DEFAULTS = {
    .struct_size = sizeof(psh_map_options),
    .target_bytes = UINT64_C(64) << 20,
    .max_arcs = 16,
    .max_partitions = 65536,
    .lead_ns = PSH_DAY,
    .activate_lead_ns = PSH_HOUR,
    .lateness_ns = PSH_HOUR,
    .horizon_ns = 32 * PSH_DAY,
    .max_bytes = UINT64_C(1) << 40,
    .default_arcs = 1,
};

psh_status psh_map_options_init(psh_map_options *o, uint32_t size) {
    return pshi_options_out(o, size, &DEFAULTS, sizeof DEFAULTS);
}

psh_status pshi_map_check_options(const psh_map_options *o, psh_error *err) {
    if (o->flags)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    if (!o->target_bytes)
        return pshi_fail(err, PSH_E_INVALID, "target_bytes", "must be > 0");
    if (o->max_arcs < 1 || o->max_arcs > PSHI_MAP_MAX_ARCS)
        return pshi_fail(err, PSH_E_INVALID, "max_arcs", "must be within 1..4096");
    if (!o->max_partitions || o->max_partitions == PSH_NONE)
        return pshi_fail(err, PSH_E_INVALID, "max_partitions", "must be within 1..2^32-2");
    if (o->horizon_ns < 0)
        return pshi_fail(err, PSH_E_INVALID, "horizon_ns", "must be >= 0");
    if (o->default_arcs < 1 || o->default_arcs > o->max_arcs)
        return pshi_fail(err, PSH_E_INVALID, "default_arcs", "must be within 1..max_arcs");
    if (o->reserved)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "reserved", "must be 0");
    return PSH_OK;
}

static int64_t at_least_zero(int64_t x) {
    return x < 0 ? 0 : x;
}

psh_status psh_map_create(
    psh_env *env, psh_schema *schema, const psh_map_options *options, psh_map **out, psh_error *err) {
    psh_map_options o = DEFAULTS;
    psh_map *m;
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env || !schema)
        return pshi_fail(err, PSH_E_INVALID, env ? "schema" : "env", "is NULL");
    if (options && (st = pshi_options_copy(&o, sizeof o, options, err)) != PSH_OK)
        return st;
    if ((st = pshi_map_check_options(&o, err)) != PSH_OK)
        return st;
    m = pshi_calloc(env, 1, sizeof *m);
    if (!m)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    o.lead_ns = at_least_zero(o.lead_ns);
    o.activate_lead_ns = at_least_zero(o.activate_lead_ns);
    o.lateness_ns = at_least_zero(o.lateness_ns);
    m->env = env;
    m->schema = psh_schema_ref(schema);
    m->o = o;
    *out = m;
    return PSH_OK;
}

void psh_map_destroy(psh_map *m) {
    if (!m)
        return;
    psh_schema_unref(m->schema);
    pshi_idmap_free(m->env, &m->ids);
    pshi_free(m->env, m->slots);
    pshi_free(m->env, m->order);
    pshi_free(m->env, m);
}

int pshi_map_compare(const psh_partition *a, const psh_partition *b) {
    uint32_t qa = a->flags & PSH_PARTITION_QUARANTINE, qb = b->flags & PSH_PARTITION_QUARANTINE;

    if (qa != qb)
        return qa < qb ? -1 : 1;
    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    if (a->interval != b->interval)
        return a->interval < b->interval ? -1 : 1;
    return a->arc_first < b->arc_first ? -1 : a->arc_first > b->arc_first;
}

pshi_slot *pshi_map_slot(const psh_map *m, size_t i) {
    return &m->slots[m->order[i]];
}

size_t pshi_map_lower(const psh_map *m, const psh_partition *p) {
    size_t lo = 0, hi = m->count, mid;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (pshi_map_compare(&pshi_map_slot(m, mid)->p, p) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int is_sibling(const psh_partition *a, const psh_partition *b) {
    return a->table == b->table && a->interval == b->interval && a->flags == b->flags;
}

size_t pshi_map_group_end(const psh_map *m, size_t i) {
    size_t end = i + 1;

    while (end < m->count && is_sibling(&pshi_map_slot(m, i)->p, &pshi_map_slot(m, end)->p))
        end++;
    return end;
}

int pshi_map_exists(const pshi_slot *s) {
    return s->pending != PSH_ACT_CREATE_PARTITION;
}

static pshi_slot *find_slot(const psh_map *m, uint64_t id) {
    uint32_t i = id ? pshi_idmap_find(&m->ids, id) : PSH_NONE;

    return i == PSH_NONE ? NULL : &m->slots[i];
}

static psh_status check_quarantine(const psh_partition *p) {
    if (p->id != psh_quarantine_id(p->table) || p->interval || p->arc_first || p->arc_last != UINT64_MAX)
        return PSH_E_INVALID;
    return p->time_from <= p->time_to && p->time_from != PSH_TIME_NONE ? PSH_OK : PSH_E_INVALID;
}

psh_status pshi_map_check_partition(const psh_map *m, const psh_partition *p) {
    int64_t id, from, to;

    if (p->table >= psh_schema_table_count(m->schema) || p->node == PSH_NONE || p->tier == PSH_NONE)
        return PSH_E_INVALID;
    if (p->flags & ~PSH_PARTITION_QUARANTINE || p->ordinal >= PSHI_MAP_MAX_ARCS || p->arc_first > p->arc_last)
        return PSH_E_INVALID;
    if (p->flags)
        return check_quarantine(p);
    if (psh_schema_interval(m->schema, p->table, p->time_from, &id, &from, &to) != PSH_OK)
        return PSH_E_INVALID;
    if (id != p->interval || from != p->time_from || to != p->time_to)
        return PSH_E_INVALID;
    return p->id == psh_partition_id(p->table, p->interval, p->arc_first) ? PSH_OK : PSH_E_INVALID;
}

/* Whether a slot may stand beside those of its interval, of which all are gone or none; `at` is its place. */
static int has_place(const psh_map *m, const pshi_slot *slot, size_t at) {
    const psh_partition *p = &slot->p;
    const pshi_slot *s;
    size_t i;

    for (i = at; i > 0 && is_sibling(&pshi_map_slot(m, i - 1)->p, p); i--) {
        s = pshi_map_slot(m, i - 1);
        if (s->p.arc_last >= p->arc_first || s->p.ordinal == p->ordinal || s->gone != slot->gone)
            return 0;
    }
    for (i = at; i < m->count && is_sibling(&pshi_map_slot(m, i)->p, p); i++) {
        s = pshi_map_slot(m, i);
        if (s->p.arc_first <= p->arc_last || s->p.ordinal == p->ordinal || s->gone != slot->gone)
            return 0;
    }
    return 1;
}

psh_status pshi_map_insert(psh_map *m, const pshi_slot *slot) {
    size_t at = pshi_map_lower(m, &slot->p);
    void *slots = m->slots, *order = m->order;
    psh_status st;

    if (!has_place(m, slot, at))
        return PSH_E_STATE;
    if (m->count >= m->o.max_partitions)
        return PSH_E_LIMIT;
    st = pshi_reserve(m->env, &slots, &m->slot_cap, m->count + 1, sizeof *m->slots);
    m->slots = slots;
    if (st == PSH_OK)
        st = pshi_reserve(m->env, &order, &m->order_cap, m->count + 1, sizeof *m->order);
    m->order = order;
    if (st == PSH_OK)
        st = pshi_idmap_put(m->env, &m->ids, slot->p.id, (uint32_t)m->count);
    if (st != PSH_OK)
        return st;
    memmove(m->order + at + 1, m->order + at, (m->count - at) * sizeof *m->order);
    m->order[at] = (uint32_t)m->count;
    m->slots[m->count++] = *slot;
    return PSH_OK;
}

/* The last slot moves into the hole, so that slots stay packed. */
static void remove_slot(psh_map *m, const pshi_slot *slot) {
    size_t at = pshi_map_lower(m, &slot->p), last = m->count - 1;
    uint32_t hole = m->order[at];
    size_t last_at = pshi_map_lower(m, &m->slots[last].p);

    pshi_idmap_remove(&m->ids, slot->p.id);
    m->order[last_at] = hole;
    memmove(m->order + at, m->order + at + 1, (last - at) * sizeof *m->order);
    if (hole != last) {
        m->slots[hole] = m->slots[last];
        /* Replaces the entry that is there: takes no memory. */
        (void)pshi_idmap_put(m->env, &m->ids, m->slots[hole].p.id, hole);
    }
    m->count--;
}

static uint64_t whole_bytes(double x) {
    return x >= 0x1p63 ? UINT64_C(1) << 63 : (uint64_t)x + (x > (double)(uint64_t)x);
}

static psh_partition new_partition(const psh_want *w) {
    psh_partition p = { .id = w->subject, .table = w->table, .state = PSH_PARTITION_WARMING, .node = w->node,
                        .tier = w->tier, .ordinal = w->ordinal, .interval = w->interval,
                        .time_from = w->time_from, .time_to = w->time_to, .arc_first = w->arc_first,
                        .arc_last = w->arc_last, .bytes_planned = whole_bytes(w->resources.bytes),
                        .created_at = PSH_TIME_NONE, .first_write = PSH_TIME_NONE };

    if (w->subject == psh_quarantine_id(w->table))
        p.flags = PSH_PARTITION_QUARANTINE;
    return p;
}

static psh_status begin_create(psh_map *m, const psh_action *a) {
    pshi_slot s = { .pending_id = a->id, .pending = a->want.kind };

    if (!(a->want.resources.bytes >= 0)) /* a NaN too */
        return PSH_E_INVALID;
    s.p = new_partition(&a->want);
    if (pshi_map_check_partition(m, &s.p) != PSH_OK)
        return PSH_E_INVALID;
    return pshi_map_insert(m, &s);
}

static uint32_t state_after(uint32_t kind) {
    static const uint32_t states[] = { 0, PSH_PARTITION_SHADOW, PSH_PARTITION_ACTIVE, PSH_PARTITION_SEALED,
                                       PSH_PARTITION_ARCHIVED, PSH_PARTITION_DROPPED };

    return states[kind];
}

/* An action that comes again after it was completed asks for nothing more. */
static int is_done(const pshi_slot *s, const psh_want *w) {
    if (w->kind == PSH_ACT_CREATE_PARTITION)
        return s->p.arc_last == w->arc_last;
    if (w->kind == PSH_ACT_ARCHIVE_PARTITION && (s->p.node != w->node || s->p.tier != w->tier))
        return 0;
    return s->p.state == state_after(w->kind);
}

static int may_begin(const pshi_slot *s, const psh_want *w) {
    uint32_t state = s->p.state;

    if (w->kind == PSH_ACT_ACTIVATE_PARTITION)
        return state == PSH_PARTITION_SHADOW && !s->gone;
    if (s->p.flags & PSH_PARTITION_QUARANTINE)
        return 0;
    if (w->kind == PSH_ACT_SEAL_PARTITION)
        return state == PSH_PARTITION_ACTIVE && !s->gone;
    if (w->kind == PSH_ACT_ARCHIVE_PARTITION)
        return state == PSH_PARTITION_SEALED && !s->gone;
    return w->kind == PSH_ACT_DROP_PARTITION;
}

psh_status psh_map_begin(psh_map *m, const psh_action *a) {
    pshi_slot *s;

    if (!m || !a || !a->id || !a->want.subject)
        return PSH_E_INVALID;
    if (a->want.kind < PSH_ACT_CREATE_PARTITION || a->want.kind > PSH_ACT_DROP_PARTITION)
        return PSH_E_INVALID;
    s = find_slot(m, a->want.subject);
    if (!s && a->want.kind == PSH_ACT_CREATE_PARTITION)
        return begin_create(m, a);
    if (!s)
        return a->want.kind == PSH_ACT_DROP_PARTITION ? PSH_OK : PSH_E_STATE;
    if (s->pending)
        return s->pending_id == a->id ? PSH_OK : PSH_E_STATE;
    if (is_done(s, &a->want))
        return PSH_OK;
    if (!may_begin(s, &a->want))
        return PSH_E_STATE;
    if (a->want.kind == PSH_ACT_ARCHIVE_PARTITION && (a->want.node == PSH_NONE || a->want.tier == PSH_NONE))
        return PSH_E_INVALID;
    s->pending = a->want.kind;
    s->pending_id = a->id;
    return PSH_OK;
}

/* One arc less: the rest of the interval is logically gone too, since no epoch may show a gap. */
static void drop_slot(psh_map *m, pshi_slot *s) {
    psh_partition p = s->p;
    size_t i;

    remove_slot(m, s);
    p.arc_first = 0;
    for (i = pshi_map_lower(m, &p); i < m->count && is_sibling(&pshi_map_slot(m, i)->p, &p); i++)
        pshi_map_slot(m, i)->gone = 1;
}

static void make_transition(psh_map *m, pshi_slot *s, const psh_want *w, int64_t now) {
    pshi_trace(m->env, PSH_TRACE_STATE, now, s->p.id, s->p.state, state_after(w->kind));
    s->pending = 0;
    s->pending_id = 0;
    if (w->kind == PSH_ACT_DROP_PARTITION) {
        drop_slot(m, s);
        return;
    }
    s->p.state = state_after(w->kind);
    if (w->kind == PSH_ACT_CREATE_PARTITION)
        s->p.created_at = now;
    if (w->kind == PSH_ACT_ARCHIVE_PARTITION) {
        s->p.node = w->node;
        s->p.tier = w->tier;
    }
}

psh_status psh_map_complete(psh_map *m, const psh_action *a, psh_status status, int64_t now) {
    pshi_slot *s;

    if (!m || !a || status > 0 || now == PSH_TIME_NONE)
        return PSH_E_INVALID;
    s = find_slot(m, a->want.subject);
    if (!s || !s->pending || s->pending_id != a->id || s->pending != a->want.kind)
        return PSH_OK; /* said before, or never begun: nothing to do */
    if (status == PSH_OK) {
        make_transition(m, s, &a->want, now);
    } else if (!pshi_map_exists(s)) {
        remove_slot(m, s);
    } else {
        s->pending = 0;
        s->pending_id = 0;
    }
    return PSH_OK;
}

static uint64_t add_capped(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void widen_quarantine(psh_partition *p, int64_t time_min, int64_t time_max) {
    int64_t end = pshi_time_add(time_max, 1);
    int is_empty = p->time_from == p->time_to;

    if (is_empty || time_min < p->time_from)
        p->time_from = time_min;
    if (is_empty || end > p->time_to)
        p->time_to = end;
}

psh_status psh_map_observe_write(
    psh_map *m, uint64_t partition, uint64_t rows, uint64_t bytes, int64_t time_min, int64_t time_max,
    uint64_t position) {
    pshi_slot *s;
    psh_partition *p;

    if (!m || time_min == PSH_TIME_NONE || time_min > time_max)
        return PSH_E_INVALID;
    s = find_slot(m, partition);
    if (!s || !pshi_map_exists(s))
        return PSH_E_NOT_FOUND;
    if (s->gone)
        return PSH_E_STATE;
    p = &s->p;
    if (!p->flags && (time_min < p->time_from || time_max >= p->time_to))
        return PSH_E_INVALID;
    if (p->flags)
        widen_quarantine(p, time_min, time_max);
    p->rows = add_capped(p->rows, rows);
    p->bytes = add_capped(p->bytes, bytes);
    if (position > p->last_position)
        p->last_position = position;
    if (p->first_write == PSH_TIME_NONE)
        p->first_write = time_min;
    return p->flags || p->state == PSH_PARTITION_SEALED || p->state == PSH_PARTITION_ARCHIVED ? PSH_AGAIN : PSH_OK;
}

void psh_map_recover(psh_map *m, uint64_t position) {
    size_t i;

    for (i = 0; m && i < m->count; i++) {
        psh_partition *p = &m->slots[i].p;

        if (p->state >= PSH_PARTITION_ACTIVE && p->state <= PSH_PARTITION_ARCHIVED && p->last_position < position)
            p->last_position = position;
    }
}

psh_status psh_map_reopen(psh_map *m, uint64_t partition) {
    pshi_slot *s = m ? find_slot(m, partition) : NULL;

    if (!m)
        return PSH_E_INVALID;
    if (!s)
        return PSH_E_NOT_FOUND;
    if (s->p.state != PSH_PARTITION_SEALED || s->pending || s->gone)
        return PSH_E_STATE;
    s->p.state = PSH_PARTITION_ACTIVE;
    s->reopens++;
    return PSH_OK;
}

/* Whether slots first..end-1 tile the ring and own their keys, each of them. */
static int is_whole(const psh_map *m, size_t first, size_t end) {
    uint64_t next = 0;
    const pshi_slot *s;
    size_t i;

    for (i = first; i < end; i++) {
        s = pshi_map_slot(m, i);
        if (s->p.arc_first != next || !pshi_partition_owns(&s->p))
            return 0;
        next = s->p.arc_last + 1; /* 0 after the last point */
    }
    return next == 0;
}

/*
 * An epoch shows an interval's arcs as owners all together or not at all: active ones count as warming until
 * the last arc is active, and none is shown once one was dropped.
 */
static psh_status export_group(const psh_map *m, psh_world_draft *d, size_t first, size_t end) {
    int whole = is_whole(m, first, end);
    const pshi_slot *s;
    psh_partition p;
    psh_status st;
    size_t i;

    for (i = first; i < end; i++) {
        s = pshi_map_slot(m, i);
        if (!pshi_map_exists(s) || s->gone)
            continue;
        p = s->p;
        if (!whole && pshi_partition_owns(&p))
            p.state = PSH_PARTITION_WARMING;
        st = psh_world_draft_add_partition(d, &p);
        if (st != PSH_OK)
            return st;
    }
    return PSH_OK;
}

psh_status psh_map_export(const psh_map *m, psh_world_draft *d) {
    psh_status st = PSH_OK;
    size_t i, end;

    if (!m || !d)
        return PSH_E_INVALID;
    for (i = 0; st == PSH_OK && i < m->count; i = end) {
        end = pshi_map_group_end(m, i);
        st = export_group(m, d, i, end);
    }
    return st;
}

size_t psh_map_count(const psh_map *m) {
    return m->count;
}

const psh_partition *psh_map_get(const psh_map *m, size_t i) {
    return i < m->count ? &pshi_map_slot(m, i)->p : NULL;
}
