/* SPDX-License-Identifier: MIT */
/* Creation, activation, seal, archive and drop: what an action changes when it begins and ends. */
#include "base/env.h"
#include "map/map.h"

static psh_partition new_partition(const psh_want *w) {
    psh_partition p = { .id = w->subject, .table = w->table, .state = PSH_PARTITION_WARMING, .node = w->node,
                        .tier = w->tier, .ordinal = w->ordinal, .interval = w->interval,
                        .time_from = w->time_from, .time_to = w->time_to, .arc_first = w->arc_first,
                        .arc_last = w->arc_last, .bytes_planned = pshi_map_whole(w->resources.bytes),
                        .created_at = PSH_TIME_NONE, .first_write = PSH_TIME_NONE };

    if (w->subject == psh_quarantine_id(w->table))
        p.flags = PSH_PARTITION_QUARANTINE;
    return p;
}

static psh_status begin_create(psh_map *m, const psh_action *a) {
    pshi_slot s = { .pending_id = a->id, .pending = a->want.kind, .source = a->want.source, .why = a->want.why,
                    .load_at = PSH_TIME_NONE, .changed_at = PSH_TIME_NONE };
    psh_status st;

    if (!(a->want.resources.bytes >= 0)) /* a NaN too */
        return PSH_E_INVALID;
    s.p = new_partition(&a->want);
    if (pshi_map_check_partition(m, &s.p) != PSH_OK)
        return PSH_E_INVALID;
    if (s.source) {
        st = pshi_reshape_check_child(m, &a->want);
        if (st != PSH_OK)
            return st;
        s.stamp = a->want.generation;
    }
    st = pshi_map_insert(m, &s);
    if (st == PSH_OK && s.source)
        m->stamp++;
    return st;
}

static uint32_t state_after(uint32_t kind) {
    static const uint32_t states[] = { 0, PSH_PARTITION_SHADOW, PSH_PARTITION_ACTIVE, PSH_PARTITION_SEALED,
                                       PSH_PARTITION_ARCHIVED, PSH_PARTITION_DROPPED };

    return states[kind];
}

/* An action that comes again after it was completed asks for nothing more. */
static int is_done(const pshi_slot *s, const psh_want *w) {
    if (w->kind == PSH_ACT_CREATE_PARTITION)
        return w->source ? s->stamp == w->generation : s->p.arc_last == w->arc_last && !s->stamp;
    if (w->kind == PSH_ACT_ARCHIVE_PARTITION && (s->p.node != w->node || s->p.tier != w->tier))
        return 0;
    return s->p.state == state_after(w->kind);
}

static int may_archive(const psh_map *m, const pshi_slot *s, const psh_want *w) {
    return s->p.state == PSH_PARTITION_SEALED && !s->gone && !pshi_map_copy(m, s->p.id, w->node);
}

static int may_begin(const psh_map *m, const pshi_slot *s, const psh_want *w) {
    uint32_t state = s->p.state;

    if (s->partner || s->owed) /* its rows are being copied, or merged */
        return 0;
    if (w->kind == PSH_ACT_ACTIVATE_PARTITION)
        return state == PSH_PARTITION_SHADOW && !s->gone && !pshi_map_is_child(s);
    if (s->p.flags & PSH_PARTITION_QUARANTINE)
        return 0;
    if (w->kind == PSH_ACT_SEAL_PARTITION)
        return state == PSH_PARTITION_ACTIVE && !s->gone;
    if (w->kind == PSH_ACT_ARCHIVE_PARTITION)
        return may_archive(m, s, w);
    return w->kind == PSH_ACT_DROP_PARTITION;
}

static psh_status begin_on_slot(psh_map *m, pshi_slot *s, const psh_action *a) {
    if (s->pending)
        return s->pending_id == a->id ? PSH_OK : PSH_E_STATE;
    if (pshi_map_is_reshape(a->want.kind))
        return pshi_reshape_begin(m, s, a);
    if (is_done(s, &a->want))
        return PSH_OK;
    if (!may_begin(m, s, &a->want))
        return PSH_E_STATE;
    if (a->want.kind == PSH_ACT_ARCHIVE_PARTITION && (a->want.node == PSH_NONE || a->want.tier == PSH_NONE))
        return PSH_E_INVALID;
    s->pending = a->want.kind;
    s->pending_id = a->id;
    return PSH_OK;
}

static psh_status begin_on_node(const psh_map *m, const psh_want *w) {
    if (w->subject != psh_node_subject(w->node))
        return PSH_E_INVALID;
    return pshi_map_node(m, w->node) ? PSH_OK : PSH_E_NOT_FOUND;
}

int pshi_map_is_begun(const psh_map *m, const psh_action *a) {
    const pshi_slot *s = pshi_map_find(m, a->want.subject);

    return s && s->pending && s->pending_id == a->id;
}

psh_status psh_map_begin(psh_map *m, const psh_action *a) {
    uint32_t kind;
    pshi_slot *s;

    if (!m || !a || !a->id || !a->want.subject)
        return PSH_E_INVALID;
    kind = a->want.kind;
    if (kind == PSH_ACT_ADD_NODE || kind == PSH_ACT_RELEASE_NODE)
        return begin_on_node(m, &a->want);
    if ((kind < PSH_ACT_CREATE_PARTITION || kind > PSH_ACT_DROP_PARTITION) && !pshi_map_is_reshape(kind))
        return PSH_E_INVALID;
    s = pshi_map_find(m, a->want.subject);
    if (s)
        return begin_on_slot(m, s, a);
    if (kind == PSH_ACT_CREATE_PARTITION)
        return begin_create(m, a);
    return kind == PSH_ACT_DROP_PARTITION || kind == PSH_ACT_DROP_REPLICA ? PSH_OK : PSH_E_STATE;
}

/* One arc less: the rest of the interval is logically gone too, since no epoch may show a gap. */
static void drop_slot(psh_map *m, pshi_slot *s) {
    psh_partition p = s->p;
    int owned = !pshi_map_is_child(s);
    pshi_slot *x;
    size_t i;

    pshi_reshape_forget_child(m, s);
    pshi_map_remove(m, s);
    p.arc_first = 0;
    for (i = pshi_map_lower(m, &p); owned && i < m->count; i++) {
        x = pshi_map_slot(m, i);
        if (x->p.table != p.table || x->p.interval != p.interval || x->p.flags != p.flags)
            break;
        x->gone = 1;
        pshi_map_touch(m, x);
    }
}

static void make_transition(psh_map *m, pshi_slot *s, const psh_want *w, int64_t now) {
    pshi_trace(m->env, PSH_TRACE_STATE, now, s->p.id, s->p.state, state_after(w->kind));
    pshi_map_touch(m, s);
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

static void take_back(psh_map *m, pshi_slot *s, psh_status status) {
    if (pshi_map_is_reshape(s->pending)) {
        pshi_reshape_failed(m, s, status);
    } else if (!pshi_map_exists(s)) {
        pshi_map_remove(m, s);
    } else {
        s->pending = 0;
        s->pending_id = 0;
    }
}

psh_status psh_map_complete(psh_map *m, const psh_action *a, psh_status status, int64_t now) {
    pshi_slot *s;

    if (!m || !a || status > 0 || now == PSH_TIME_NONE)
        return PSH_E_INVALID;
    if (a->want.kind == PSH_ACT_ADD_NODE || a->want.kind == PSH_ACT_RELEASE_NODE) {
        if (status == PSH_OK)
            pshi_map_node_done(m, &a->want);
        return PSH_OK;
    }
    s = pshi_map_find(m, a->want.subject);
    if (!s || !s->pending || s->pending_id != a->id || s->pending != a->want.kind)
        return PSH_OK; /* said before, or never begun: nothing to do */
    if (status != PSH_OK)
        take_back(m, s, status);
    else if (pshi_map_is_reshape(a->want.kind))
        pshi_reshape_done(m, s, now);
    else
        make_transition(m, s, &a->want, now);
    return PSH_OK;
}
