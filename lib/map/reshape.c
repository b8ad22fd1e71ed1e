/* SPDX-License-Identifier: MIT */
/*
 * Splits, merges and copies. Ownership of keys changes in one step each time: when the last step of a split
 * completes, when a merge completes, when a promotion completes. Until then the owner before goes on, and what
 * failed half way is taken up again or dropped.
 *
 * A change of owner that was handed out is carried through. Where the host failed or never answered, it may have been
 * made or be made yet: to do anything else instead could leave keys to two owners, or rows in a table that is
 * dropped. So the change is owed, nothing else begins on what it touches, and it is wanted again under its old id,
 * until the host says that it is done, or that it cannot be.
 */
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "map/map.h"
#include "value/world.h"

int pshi_map_is_reshape(uint32_t kind) {
    return kind >= PSH_ACT_SPLIT_PARTITION && kind <= PSH_ACT_DROP_REPLICA;
}

/* Copies: sorted by (partition, node). */

static size_t copy_place(const psh_map *m, uint64_t partition, uint32_t node) {
    size_t low = 0, high = m->copy_count, mid;
    const psh_replica *r;

    while (low < high) {
        mid = low + (high - low) / 2;
        r = &m->copies[mid].r;
        if (r->partition < partition || (r->partition == partition && r->node < node))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void pshi_map_copies(const psh_map *m, uint64_t partition, size_t *first, size_t *end) {
    *first = *end = copy_place(m, partition, 0);
    while (*end < m->copy_count && m->copies[*end].r.partition == partition)
        ++*end;
}

pshi_copy *pshi_map_copy(const psh_map *m, uint64_t partition, uint32_t node) {
    size_t at = copy_place(m, partition, node);

    if (at == m->copy_count || m->copies[at].r.partition != partition || m->copies[at].r.node != node)
        return NULL;
    return &m->copies[at];
}

psh_status pshi_map_add_copy(psh_map *m, const pshi_copy *copy) {
    size_t at = copy_place(m, copy->r.partition, copy->r.node);
    void *copies = m->copies;
    psh_status st;

    if (pshi_map_copy(m, copy->r.partition, copy->r.node))
        return PSH_E_STATE;
    st = pshi_reserve(m->env, &copies, &m->copy_cap, m->copy_count + 1, sizeof *m->copies);
    m->copies = copies;
    if (st != PSH_OK)
        return st;
    memmove(m->copies + at + 1, m->copies + at, (m->copy_count - at) * sizeof *m->copies);
    m->copies[at] = *copy;
    m->copy_count++;
    return PSH_OK;
}

static void remove_copy(psh_map *m, uint64_t partition, uint32_t node) {
    size_t at = copy_place(m, partition, node);

    if (!pshi_map_copy(m, partition, node))
        return;
    memmove(m->copies + at, m->copies + at + 1, (m->copy_count - at - 1) * sizeof *m->copies);
    m->copy_count--;
    pshi_map_touch_gone(m, partition, node);
}

void pshi_map_remove_copies(psh_map *m, uint64_t partition) {
    size_t first, end;

    pshi_map_copies(m, partition, &first, &end);
    if (first < end)
        memmove(m->copies + first, m->copies + end, (m->copy_count - end) * sizeof *m->copies);
    m->copy_count -= end - first;
}

static int has_copies(const psh_map *m, uint64_t partition) {
    size_t first, end;

    pshi_map_copies(m, partition, &first, &end);
    return first < end;
}

/* What takes part in a change of arcs: an owner on which nothing else is under way. */
static int is_free_owner(const pshi_slot *s) {
    if (s->gone || s->p.flags || s->pending || s->partner || s->owed)
        return 0;
    return s->p.state == PSH_PARTITION_ACTIVE || s->p.state == PSH_PARTITION_SEALED;
}

/* Whether a child waits to be cut from a partition. */
static int has_children(const psh_map *m, const pshi_slot *s) {
    size_t i = pshi_map_lower(m, &s->p), end = pshi_map_group_end(m, i);

    for (; i < end; i++)
        if (pshi_map_slot(m, i)->source == s->p.id)
            return 1;
    return 0;
}

psh_status pshi_reshape_check_child(const psh_map *m, const psh_want *w) {
    const pshi_slot *source = pshi_map_find(m, w->source);
    const psh_partition *p;

    if (!source || source->gone || source->p.flags || pshi_map_is_child(source))
        return PSH_E_STATE;
    p = &source->p;
    if (p->state != PSH_PARTITION_ACTIVE && p->state != PSH_PARTITION_SEALED)
        return PSH_E_STATE;
    if (p->table != w->table || p->interval != w->interval || source->pending == PSH_ACT_MERGE_PARTITION)
        return PSH_E_STATE;
    return w->arc_first > p->arc_first && w->arc_last <= p->arc_last ? PSH_OK : PSH_E_INVALID;
}

void pshi_reshape_forget_child(psh_map *m, const pshi_slot *child) {
    pshi_slot *source = child->source ? pshi_map_find(m, child->source) : NULL;

    if (source && source->partner == child->p.id)
        source->partner = 0;
}

static void set_pending(pshi_slot *s, const psh_action *a) {
    s->pending = a->want.kind;
    s->pending_id = a->id;
    s->pending_step = a->want.step;
    s->pending_steps = a->want.steps;
    s->pending_node = a->want.node;
    s->pending_source = a->want.source;
    s->pending_generation = a->want.generation;
}

static void clear_pending(pshi_slot *s) {
    s->owed = s->pending = s->pending_step = s->pending_steps = s->pending_node = 0;
    s->pending_id = s->pending_source = s->pending_generation = 0;
}

/* What is owed begins again as it was; everything that it needs was kept for it. */
static psh_status begin_owed(pshi_slot *s, const psh_action *a) {
    const psh_want *w = &a->want;

    if (w->kind != s->owed || w->source != s->pending_source || w->step != s->pending_step ||
        w->steps != s->pending_steps || w->generation != s->pending_generation ||
        (w->kind == PSH_ACT_PROMOTE_PARTITION && w->node != s->pending_node))
        return PSH_E_STATE;
    s->pending = w->kind;
    s->pending_id = a->id;
    return PSH_OK;
}

/* Splits. */

static int is_child_ready(const pshi_slot *child) {
    return child->p.state == PSH_PARTITION_SHADOW || (child->p.state == PSH_PARTITION_WARMING && child->steps_done);
}

static psh_status begin_split(psh_map *m, pshi_slot *child, const psh_action *a) {
    const psh_want *w = &a->want;
    pshi_slot *source;

    if (!pshi_map_is_child(child)) /* it was split: nothing is left to do */
        return pshi_partition_owns(&child->p) ? PSH_OK : PSH_E_STATE;
    if (w->step <= child->steps_done)
        return PSH_OK;
    source = pshi_map_find(m, child->source);
    if (!source || child->source != w->source || child->gone || child->broken || !is_child_ready(child))
        return PSH_E_STATE;
    if (w->step != child->steps_done + 1 || (child->steps && w->steps != child->steps))
        return PSH_E_STATE;
    if (source->partner ? source->partner != child->p.id || source->pending || source->owed : !is_free_owner(source))
        return PSH_E_STATE;
    if (source->p.arc_last != child->p.arc_last || source->p.arc_first >= child->p.arc_first ||
        has_copies(m, source->p.id))
        return PSH_E_STATE;
    source->partner = child->p.id;
    set_pending(child, a);
    return PSH_OK;
}

/* The child's part of its source: as it was planned; of a bulk load's child, which was planned for rows to come, as
   long as its arc is. */
static double share_of(const pshi_slot *child, const pshi_slot *source) {
    const psh_partition *c = &child->p, *s = &source->p;
    double all = (double)(s->bytes > s->bytes_planned ? s->bytes : s->bytes_planned), share = 0;

    if (child->why == PSH_WHY_BULK)
        share = ((double)(c->arc_last - c->arc_first) + 1) / ((double)(s->arc_last - s->arc_first) + 1);
    else if (all > 0)
        share = (double)c->bytes_planned / all;
    return share < 1 ? share : 1;
}

/* What the host said of the source is shared out; it may tell more exactly later (psh_map_observe_load). */
static void share_contents(pshi_slot *child, pshi_slot *source) {
    psh_partition *c = &child->p, *s = &source->p;
    double share = share_of(child, source);

    c->bytes = (uint64_t)((double)s->bytes * share);
    c->rows = (uint64_t)((double)s->rows * share);
    c->bytes = c->bytes < s->bytes ? c->bytes : s->bytes;
    c->rows = c->rows < s->rows ? c->rows : s->rows;
    s->bytes -= c->bytes;
    s->rows -= c->rows;
    if (child->why != PSH_WHY_BULK)
        s->bytes_planned -= c->bytes_planned < s->bytes_planned ? c->bytes_planned : s->bytes_planned;
    child->reads = source->reads * share;
    child->writes = source->writes * share;
    source->reads -= child->reads;
    source->writes -= child->writes;
    child->load_at = source->load_at;
    child->latency_us = source->latency_us;
    c->last_position = s->last_position;
    c->first_write = s->first_write;
}

static void split_done(psh_map *m, pshi_slot *child, int64_t now) {
    pshi_slot *source = pshi_map_find(m, child->source);

    child->steps_done = child->pending_step;
    child->steps = child->pending_steps;
    child->p.state = PSH_PARTITION_WARMING;
    if (child->steps_done < child->steps)
        return;
    pshi_map_touch(m, source);
    child->p.state = source->p.state;
    child->source = 0;
    child->steps = child->steps_done = 0;
    share_contents(child, source);
    source->p.arc_last = child->p.arc_first - 1;
    source->partner = 0;
    source->changes++;
    child->changes++;
    child->changed_at = source->changed_at = now;
    m->stamp++;
}

/* Merges. */

static psh_status begin_merge(psh_map *m, pshi_slot *left, const psh_action *a) {
    pshi_slot *right = pshi_map_find(m, a->want.source);

    if (!right)
        return left->p.arc_last == a->want.arc_last ? PSH_OK : PSH_E_STATE;
    if (!is_free_owner(left) || !is_free_owner(right) || left->p.state != right->p.state)
        return PSH_E_STATE;
    if (left->p.table != right->p.table || left->p.interval != right->p.interval ||
        right->p.arc_first == 0 || left->p.arc_last != right->p.arc_first - 1)
        return PSH_E_STATE;
    if (left->p.node != right->p.node || left->p.tier != right->p.tier)
        return PSH_E_STATE;
    if (has_copies(m, left->p.id) || has_copies(m, right->p.id) || has_children(m, left) || has_children(m, right))
        return PSH_E_STATE;
    right->partner = left->p.id;
    set_pending(left, a);
    return PSH_OK;
}

static uint64_t add_capped(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void merge_done(psh_map *m, pshi_slot *left, int64_t now) {
    pshi_slot *right = pshi_map_find(m, left->pending_source);
    psh_partition *l = &left->p, *r = &right->p;
    uint64_t id = l->id;

    l->arc_last = r->arc_last;
    l->rows = add_capped(l->rows, r->rows);
    l->bytes = add_capped(l->bytes, r->bytes);
    l->bytes_planned = add_capped(l->bytes_planned, r->bytes_planned);
    if (r->last_position > l->last_position)
        l->last_position = r->last_position;
    if (r->first_write != PSH_TIME_NONE && (l->first_write == PSH_TIME_NONE || r->first_write < l->first_write))
        l->first_write = r->first_write;
    left->reads += right->reads;
    left->writes += right->writes;
    left->changes++;
    left->changed_at = now;
    m->stamp++;
    clear_pending(left);
    pshi_map_remove(m, right);
    pshi_map_touch(m, pshi_map_find(m, id)); /* removal moved it */
}

/* Copies. */

static uint32_t purpose_of(const psh_want *w) {
    return w->why == PSH_WHY_HOT || w->why == PSH_WHY_LATENCY ? PSHI_COPY_READ : PSHI_COPY_MOVE;
}

static size_t copies_of(const psh_map *m, uint64_t partition) {
    size_t first, end;

    pshi_map_copies(m, partition, &first, &end);
    return end - first;
}

/* A partition may be copied for as long as its rows are its own. */
static int may_copy(const pshi_slot *s) {
    return pshi_partition_owns(&s->p) && !s->gone && !s->partner && !s->owed && !pshi_map_is_child(s);
}

static psh_status begin_replicate(psh_map *m, pshi_slot *s, const psh_action *a) {
    const psh_want *w = &a->want;
    pshi_copy *c = pshi_map_copy(m, s->p.id, w->node), fresh = { .purpose = purpose_of(w), .why = w->why };
    psh_status st;

    if (s->p.node == w->node)
        return PSH_E_STATE;
    if (c && c->purpose == PSHI_COPY_LEFT)
        return PSH_E_STATE;
    if (c && (c->r.state == PSH_REPLICA_READY || w->step <= c->steps_done))
        return PSH_OK;
    if (!may_copy(s) || w->tier == PSH_NONE)
        return PSH_E_STATE;
    if (w->step != (c ? c->steps_done : 0) + 1 || (c && c->steps && w->steps != c->steps))
        return PSH_E_STATE;
    if (!c) {
        if (copies_of(m, s->p.id) > m->o.max_replicas) /* one more than that while it moves */
            return PSH_E_LIMIT;
        fresh.r = (psh_replica){ s->p.id, w->node, w->tier, PSH_REPLICA_WARMING, 0, PSH_TIME_NONE };
        st = pshi_map_add_copy(m, &fresh);
        if (st != PSH_OK)
            return st;
        pshi_map_touch(m, s);
    }
    set_pending(s, a);
    return PSH_OK;
}

static void replicate_done(psh_map *m, pshi_slot *s, int64_t now) {
    pshi_copy *c = pshi_map_copy(m, s->p.id, s->pending_node);

    c->steps_done = s->pending_step;
    c->steps = s->pending_steps;
    if (c->steps_done < c->steps)
        return;
    c->r.state = PSH_REPLICA_READY;
    c->r.ready_at = now;
    c->steps = c->steps_done = 0;
}

static psh_status begin_promote(psh_map *m, pshi_slot *s, const psh_action *a) {
    const pshi_copy *c = pshi_map_copy(m, s->p.id, a->want.node);

    if (s->p.node == a->want.node)
        return PSH_OK;
    if (!may_copy(s) || !c || c->purpose == PSHI_COPY_LEFT || c->r.state != PSH_REPLICA_READY)
        return PSH_E_STATE;
    set_pending(s, a);
    return PSH_OK;
}

/* Owner and copy change places: no memory is needed. */
static void promote_done(psh_map *m, pshi_slot *s, int64_t now) {
    pshi_copy c = *pshi_map_copy(m, s->p.id, s->pending_node);
    uint32_t node = s->p.node, tier = s->p.tier;

    remove_copy(m, s->p.id, s->pending_node);
    s->p.node = c.r.node;
    s->p.tier = c.r.tier;
    s->changed_at = now;
    c.r.node = node;
    c.r.tier = tier;
    c.r.ready_at = now;
    c.purpose = c.purpose == PSHI_COPY_READ ? PSHI_COPY_READ : PSHI_COPY_LEFT;
    (void)pshi_map_add_copy(m, &c); /* one was just taken out: there is room, and none on that node */
}

/* From now on it is nobody's to read, and wanted away until it is. */
static psh_status begin_drop_replica(psh_map *m, pshi_slot *s, const psh_action *a) {
    pshi_copy *c = pshi_map_copy(m, s->p.id, a->want.node);

    if (!c)
        return PSH_OK;
    c->purpose = PSHI_COPY_LEFT;
    pshi_map_touch_gone(m, s->p.id, a->want.node);
    set_pending(s, a);
    return PSH_OK;
}

/* Dispatch. */

psh_status pshi_reshape_begin(psh_map *m, pshi_slot *s, const psh_action *a) {
    if (a->want.kind != PSH_ACT_SPLIT_PARTITION && pshi_map_is_child(s))
        return PSH_E_STATE;
    if (s->owed)
        return begin_owed(s, a);
    switch (a->want.kind) {
    case PSH_ACT_SPLIT_PARTITION:
        return begin_split(m, s, a);
    case PSH_ACT_MERGE_PARTITION:
        return begin_merge(m, s, a);
    case PSH_ACT_REPLICATE_PARTITION:
        return begin_replicate(m, s, a);
    case PSH_ACT_PROMOTE_PARTITION:
        return begin_promote(m, s, a);
    default:
        return begin_drop_replica(m, s, a);
    }
}

void pshi_reshape_done(psh_map *m, pshi_slot *s, int64_t now) {
    uint64_t id = s->p.id;

    pshi_trace(m->env, PSH_TRACE_STATE, now, id, s->pending, s->pending_step);
    pshi_map_touch(m, s);
    switch (s->pending) {
    case PSH_ACT_SPLIT_PARTITION:
        split_done(m, s, now);
        break;
    case PSH_ACT_MERGE_PARTITION:
        merge_done(m, s, now);
        break;
    case PSH_ACT_REPLICATE_PARTITION:
        replicate_done(m, s, now);
        break;
    case PSH_ACT_PROMOTE_PARTITION:
        promote_done(m, s, now);
        break;
    default:
        remove_copy(m, id, s->pending_node);
        s->changes++;
    }
    clear_pending(pshi_map_find(m, id)); /* a merge moved it */
}

static int changes_owner(const pshi_slot *s) {
    return s->pending == PSH_ACT_MERGE_PARTITION || s->pending == PSH_ACT_PROMOTE_PARTITION ||
           (s->pending == PSH_ACT_SPLIT_PARTITION && s->pending_step == s->pending_steps);
}

/* The host said that it cannot be done, and so that it was not. */
static int is_refusal(psh_status st) {
    return st == PSH_E_NOT_FOUND || st == PSH_E_UNSUPPORTED || st == PSH_E_INVALID || st == PSH_E_STATE;
}

static int may_have_been_done(const pshi_slot *s, psh_status st) {
    return changes_owner(s) && !is_refusal(st) && (s->owed || st == PSH_E_HOST || st == PSH_E_TIMEOUT);
}

static void free_partner(psh_map *m, pshi_slot *s) {
    pshi_slot *other;

    if (s->pending == PSH_ACT_SPLIT_PARTITION && !s->steps_done)
        pshi_reshape_forget_child(m, s);
    if (s->pending == PSH_ACT_MERGE_PARTITION) {
        other = pshi_map_find(m, s->pending_source);
        if (other)
            other->partner = 0;
    }
}

void pshi_reshape_failed(psh_map *m, pshi_slot *s, psh_status status) {
    const pshi_copy *c;

    if (may_have_been_done(s, status)) {
        s->owed = s->pending;
        s->pending = 0;
        s->pending_id = 0;
        return;
    }
    if (s->pending == PSH_ACT_SPLIT_PARTITION && is_refusal(status))
        s->broken = 1;
    free_partner(m, s);
    if (s->pending == PSH_ACT_REPLICATE_PARTITION) {
        c = pshi_map_copy(m, s->p.id, s->pending_node);
        if (c && c->r.state == PSH_REPLICA_WARMING && !c->steps_done)
            remove_copy(m, s->p.id, s->pending_node);
    }
    clear_pending(s);
}

static uint32_t under_way(const pshi_slot *s) {
    return s->pending ? s->pending : s->owed;
}

static int is_split_possible(const psh_map *m, const pshi_slot *child) {
    const pshi_slot *source = child->source ? pshi_map_find(m, child->source) : NULL;
    const psh_partition *p = &child->p;

    if (!source || source->partner != p->id || source->pending || source->owed || !pshi_partition_owns(&source->p))
        return 0;
    if (source->p.table != p->table || source->p.interval != p->interval || source->p.arc_last != p->arc_last ||
        source->p.arc_first >= p->arc_first)
        return 0;
    return !(child->pending || child->owed) ||
           (child->pending_source == child->source && child->pending_step == child->steps_done + 1 &&
            child->pending_step <= child->pending_steps && child->pending_steps <= 65535 &&
            (!child->steps || child->pending_steps == child->steps));
}

static int is_merge_possible(const psh_map *m, const pshi_slot *left) {
    const pshi_slot *right = pshi_map_find(m, left->pending_source);

    return right && right->partner == left->p.id && !right->pending && !right->owed &&
           right->p.state == left->p.state && right->p.table == left->p.table &&
           right->p.interval == left->p.interval &&
           left->p.arc_last < right->p.arc_first && left->p.arc_last + 1 == right->p.arc_first;
}

/* The one whose partner this is says so too. */
static int is_partner_possible(const psh_map *m, const pshi_slot *s) {
    const pshi_slot *p = pshi_map_find(m, s->partner);

    if (!p || s->pending || s->owed)
        return 0;
    if (p->source == s->p.id)
        return p->steps_done || under_way(p) == PSH_ACT_SPLIT_PARTITION;
    return under_way(p) == PSH_ACT_MERGE_PARTITION && p->pending_source == s->p.id;
}

int pshi_reshape_is_possible(const psh_map *m, const pshi_slot *s) {
    const pshi_copy *c = pshi_map_copy(m, s->p.id, s->pending_node);

    if (s->partner && !is_partner_possible(m, s))
        return 0;
    if (s->owed && s->pending && s->owed != s->pending)
        return 0;
    switch (under_way(s)) {
    case PSH_ACT_MERGE_PARTITION:
        return is_merge_possible(m, s);
    case PSH_ACT_REPLICATE_PARTITION:
        return c && c->r.state == PSH_REPLICA_WARMING && s->pending_step == c->steps_done + 1 &&
               s->pending_step <= s->pending_steps && s->pending_steps <= 65535 &&
               (!c->steps || c->steps == s->pending_steps);
    case PSH_ACT_PROMOTE_PARTITION:
        return c && c->r.state == PSH_REPLICA_READY;
    case PSH_ACT_DROP_REPLICA:
        return c != NULL;
    default:
        return s->steps_done || under_way(s) == PSH_ACT_SPLIT_PARTITION ? is_split_possible(m, s) : 1;
    }
}
