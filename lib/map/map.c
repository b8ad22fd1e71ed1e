/* SPDX-License-Identifier: MIT */
#include "map/map.h"

#include <math.h>
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
    .max_replicas = 2,
    .max_changes = 16,
    .max_assignments = 1u << 20,
    .split_bytes = UINT64_C(256) << 20,
    .max_move_bytes = UINT64_C(4) << 30,
    .step_bytes = UINT64_C(64) << 20,
    .move_bytes_per_s = UINT64_C(32) << 20,
    .settle_ns = PSH_HOUR,
    .half_life_ns = 15 * PSH_MINUTE,
    .tolerance = 0.2,
    .busy = 0.3,
    .split_above = 0.5,
    .merge_below = 0.02,
};

psh_status psh_map_options_init(psh_map_options *o, uint32_t size) {
    return pshi_options_out(o, size, &DEFAULTS, sizeof DEFAULTS);
}

/* Of what changes partitions that are there. */
static psh_status check_change_options(const psh_map_options *o, psh_error *err) {
    if (o->max_replicas > PSHI_MAP_MAX_COPIES)
        return pshi_fail(err, PSH_E_INVALID, "max_replicas", "must be within 0..16");
    if (o->max_changes > 65536)
        return pshi_fail(err, PSH_E_INVALID, "max_changes", "must be at most 65536");
    if (o->split_bytes && o->merge_bytes > o->split_bytes / 2)
        return pshi_fail(err, PSH_E_INVALID, "merge_bytes", "must be at most half of split_bytes");
    if (o->create_ns < 0)
        return pshi_fail(err, PSH_E_INVALID, "create_ns", "must be >= 0");
    if (!o->step_bytes)
        return pshi_fail(err, PSH_E_INVALID, "step_bytes", "must be > 0");
    if (!o->move_bytes_per_s)
        return pshi_fail(err, PSH_E_INVALID, "move_bytes_per_s", "must be > 0");
    if (o->half_life_ns <= 0)
        return pshi_fail(err, PSH_E_INVALID, "half_life_ns", "must be > 0");
    if (!isfinite(o->latency_us) || o->latency_us < 0)
        return pshi_fail(err, PSH_E_INVALID, "latency_us", "must be finite and >= 0");
    if (!isfinite(o->tolerance) || o->tolerance < 0)
        return pshi_fail(err, PSH_E_INVALID, "tolerance", "must be finite and >= 0");
    if (!(o->busy >= 0 && o->busy <= 1))
        return pshi_fail(err, PSH_E_INVALID, "busy", "must be within 0..1");
    if (!isfinite(o->split_above) || o->split_above <= 0)
        return pshi_fail(err, PSH_E_INVALID, "split_above", "must be finite and > 0");
    if (!isfinite(o->merge_below) || o->merge_below < 0 || o->merge_below > o->split_above / 2)
        return pshi_fail(err, PSH_E_INVALID, "merge_below", "must be within 0..split_above / 2");
    return PSH_OK;
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
    return check_change_options(o, err);
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
    o.settle_ns = at_least_zero(o.settle_ns);
    m->env = env;
    m->schema = psh_schema_ref(schema);
    m->o = o;
    m->touched_all = 1; /* nothing was exported yet */
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
    pshi_free(m->env, m->copies);
    pshi_free(m->env, m->nodes);
    pshi_free(m->env, m->pairs);
    pshi_free(m->env, m->assignments);
    pshi_free(m->env, m->assignment_fresh);
    pshi_free(m->env, m->touched);
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

int pshi_map_is_child(const pshi_slot *s) {
    return s->source != 0;
}

pshi_slot *pshi_map_find(const psh_map *m, uint64_t id) {
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

/* Whether two slots of one interval may stand side by side. Children lie within the arcs of owners. */
static int is_apart(const pshi_slot *x, const pshi_slot *y) {
    if (x->p.ordinal == y->p.ordinal || x->gone != y->gone || x->p.arc_first == y->p.arc_first)
        return 0;
    if (pshi_map_is_child(x) != pshi_map_is_child(y))
        return 1;
    return x->p.arc_last < y->p.arc_first || y->p.arc_last < x->p.arc_first;
}

/* Whether a slot may stand beside those of its interval, of which all are gone or none; `at` is its place. */
static int has_place(const psh_map *m, const pshi_slot *slot, size_t at) {
    size_t i;

    for (i = at; i > 0 && is_sibling(&pshi_map_slot(m, i - 1)->p, &slot->p); i--)
        if (!is_apart(pshi_map_slot(m, i - 1), slot))
            return 0;
    for (i = at; i < m->count && is_sibling(&pshi_map_slot(m, i)->p, &slot->p); i++)
        if (!is_apart(pshi_map_slot(m, i), slot))
            return 0;
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
void pshi_map_remove(psh_map *m, const pshi_slot *slot) {
    size_t at = pshi_map_lower(m, &slot->p), last = m->count - 1;
    uint32_t hole = m->order[at];
    size_t last_at = pshi_map_lower(m, &m->slots[last].p);

    pshi_map_touch_gone(m, slot->p.id, PSH_NONE);
    pshi_map_remove_copies(m, slot->p.id);
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

uint64_t pshi_map_whole(double x) {
    return x >= 0x1p63 ? UINT64_C(1) << 63 : (uint64_t)x + (x > (double)(uint64_t)x);
}

size_t psh_map_count(const psh_map *m) {
    return m->count;
}

const psh_partition *psh_map_get(const psh_map *m, size_t i) {
    return i < m->count ? &pshi_map_slot(m, i)->p : NULL;
}

size_t psh_map_replica_count(const psh_map *m) {
    return m->copy_count;
}

const psh_replica *psh_map_replica(const psh_map *m, size_t i) {
    return i < m->copy_count ? &m->copies[i].r : NULL;
}
