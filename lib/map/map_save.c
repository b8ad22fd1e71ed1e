/* SPDX-License-Identifier: MIT */
/* A map's bytes: options, then its partitions in order, each with what is under way on it. */
#include "base/env.h"
#include "base/error.h"
#include "map/map.h"
#include "value/load.h"
#include "value/world.h"

#define SLOT_LEAST 24u /* bytes of the shortest slot: bounds the count on load */

static void put_map_options(pshi_writer *w, const psh_map_options *o) {
    pshi_put_var(w, o->target_bytes);
    pshi_put_var(w, o->max_arcs);
    pshi_put_var(w, o->max_partitions);
    pshi_put_int(w, o->lead_ns);
    pshi_put_int(w, o->activate_lead_ns);
    pshi_put_int(w, o->lateness_ns);
    pshi_put_int(w, o->horizon_ns);
    pshi_put_var(w, o->max_bytes);
    pshi_put_var(w, o->default_arcs);
}

static void get_map_options(pshi_cursor *c, psh_map_options *o) {
    o->target_bytes = pshi_get_var(c);
    o->max_arcs = pshi_get_var32(c);
    o->max_partitions = pshi_get_var32(c);
    o->lead_ns = pshi_get_int(c);
    o->activate_lead_ns = pshi_get_int(c);
    o->lateness_ns = pshi_get_int(c);
    o->horizon_ns = pshi_get_int(c);
    o->max_bytes = pshi_get_var(c);
    o->default_arcs = pshi_get_var32(c);
}

static void encode_map(pshi_writer *w, const void *value) {
    const psh_map *m = value;
    const pshi_slot *s;
    size_t i;

    put_map_options(w, &m->o);
    pshi_put_var(w, m->count);
    for (i = 0; i < m->count; i++) {
        s = pshi_map_slot(m, i);
        pshi_partition_put(w, &s->p);
        pshi_put_var(w, s->pending);
        if (s->pending)
            pshi_put_u64(w, s->pending_id);
        pshi_put_var(w, s->reopens);
        pshi_put_var(w, s->gone);
    }
}

psh_status psh_map_save(const psh_map *m, psh_buffer *out) {
    if (!m || !out)
        return PSH_E_INVALID;
    return pshi_frame_save(out, PSHI_KIND_MAP, encode_map, m);
}

/* What may be under way in each state. */
static int is_pending_possible(const pshi_slot *s) {
    uint32_t state = s->p.state;

    switch (s->pending) {
    case 0:
        return state != PSH_PARTITION_WARMING;
    case PSH_ACT_CREATE_PARTITION:
        return state == PSH_PARTITION_WARMING;
    case PSH_ACT_ACTIVATE_PARTITION:
        return state == PSH_PARTITION_SHADOW;
    case PSH_ACT_SEAL_PARTITION:
        return state == PSH_PARTITION_ACTIVE && !s->p.flags;
    case PSH_ACT_ARCHIVE_PARTITION:
        return state == PSH_PARTITION_SEALED;
    default:
        return s->pending == PSH_ACT_DROP_PARTITION && state != PSH_PARTITION_WARMING && !s->p.flags;
    }
}

static int is_state_possible(const pshi_slot *s) {
    if (s->p.state < PSH_PARTITION_SHADOW || s->p.state > PSH_PARTITION_ARCHIVED || s->gone > 1)
        return 0;
    if (s->p.flags && (s->gone || s->p.state > PSH_PARTITION_ACTIVE))
        return 0;
    if ((s->p.created_at == PSH_TIME_NONE) != (s->p.state == PSH_PARTITION_WARMING))
        return 0;
    return is_pending_possible(s);
}

static psh_status get_slot(const psh_map *m, pshi_cursor *c, pshi_slot *s) {
    pshi_partition_get(c, &s->p);
    s->pending = pshi_get_var32(c);
    if (s->pending)
        s->pending_id = pshi_get_u64(c);
    s->reopens = pshi_get_var(c);
    s->gone = pshi_get_var32(c);
    if (c->status != PSH_OK || !s->pending != !s->pending_id || !is_state_possible(s))
        return PSH_E_CORRUPT;
    return pshi_map_check_partition(m, &s->p) == PSH_OK ? PSH_OK : PSH_E_CORRUPT;
}

static int is_in_order(const psh_map *m, const pshi_slot *s) {
    return !m->count || pshi_map_compare(&pshi_map_slot(m, m->count - 1)->p, &s->p) < 0;
}

static psh_status get_slots(psh_map *m, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    size_t n = pshi_get_count(c, SLOT_LEAST), i;
    psh_status st = pshi_load_fits(max_bytes, n, 2 * sizeof(pshi_slot), err);
    pshi_slot s;

    if (st != PSH_OK)
        return st;
    for (i = 0; st == PSH_OK && i < n; i++) {
        s = (pshi_slot){ 0 };
        st = get_slot(m, c, &s);
        if (st == PSH_OK)
            st = is_in_order(m, &s) ? pshi_map_insert(m, &s) : PSH_E_CORRUPT;
        if (st == PSH_E_STATE || st == PSH_E_LIMIT)
            st = PSH_E_CORRUPT;
        if (st != PSH_OK)
            return pshi_fail_at(err, st, "partition", i, "damaged, or breaks an invariant of the map");
    }
    return st;
}

psh_status psh_map_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_map **out,
    psh_error *err) {
    psh_map_options o = { .struct_size = sizeof o };
    psh_map *m = NULL;
    pshi_frame frame;
    pshi_cursor c;
    psh_status st;

    if (!env || !schema || !out)
        return pshi_fail(err, PSH_E_INVALID, "out", "env, schema and out are needed");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_MAP, max_bytes, &frame, &c, err);
    if (st != PSH_OK)
        return st;
    get_map_options(&c, &o);
    st = c.status != PSH_OK ? pshi_fail(err, PSH_E_CORRUPT, "data", "damaged options")
                            : pshi_load_status(psh_map_create(env, schema, &o, &m, err), err);
    if (st == PSH_OK)
        st = get_slots(m, &c, max_bytes, err);
    if (st == PSH_OK && pshi_read_end(&c) != PSH_OK)
        st = pshi_fail(err, PSH_E_CORRUPT, "data", "bytes follow the last partition");
    pshi_frame_close(&frame);
    if (st == PSH_OK)
        *out = m;
    else
        psh_map_destroy(m);
    return st;
}
