/* SPDX-License-Identifier: MIT */
/* A map's bytes: options, partitions in order with what is under way on them, copies, nodes, pairs, assignments. */
#include "base/env.h"
#include "base/error.h"
#include "map/map.h"
#include "value/load.h"
#include "value/world.h"

/* Bytes of the shortest: they bound counts on load. */
#define SLOT_LEAST 60u
#define COPY_LEAST 15u
#define NODE_LEAST 11u
#define PAIR_LEAST 10u
#define ASSIGNMENT_LEAST 13u

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
    pshi_put_var(w, o->max_replicas);
    pshi_put_var(w, o->max_changes);
    pshi_put_var(w, o->max_assignments);
    pshi_put_var(w, o->split_bytes);
    pshi_put_var(w, o->merge_bytes);
    pshi_put_var(w, o->max_move_bytes);
    pshi_put_var(w, o->step_bytes);
    pshi_put_var(w, o->move_bytes_per_s);
    pshi_put_int(w, o->settle_ns);
    pshi_put_int(w, o->half_life_ns);
    pshi_put_f64(w, o->latency_us);
    pshi_put_f64(w, o->tolerance);
    pshi_put_f64(w, o->busy);
    pshi_put_f64(w, o->split_above);
    pshi_put_f64(w, o->merge_below);
    pshi_put_int(w, o->create_ns);
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
    o->max_replicas = pshi_get_var32(c);
    o->max_changes = pshi_get_var32(c);
    o->max_assignments = pshi_get_var32(c);
    o->split_bytes = pshi_get_var(c);
    o->merge_bytes = pshi_get_var(c);
    o->max_move_bytes = pshi_get_var(c);
    o->step_bytes = pshi_get_var(c);
    o->move_bytes_per_s = pshi_get_var(c);
    o->settle_ns = pshi_get_int(c);
    o->half_life_ns = pshi_get_int(c);
    o->latency_us = pshi_get_f64(c);
    o->tolerance = pshi_get_f64(c);
    o->busy = pshi_get_f64(c);
    o->split_above = pshi_get_f64(c);
    o->merge_below = pshi_get_f64(c);
    o->create_ns = pshi_get_int(c);
}

static void put_slot(pshi_writer *w, const pshi_slot *s) {
    pshi_partition_put(w, &s->p);
    pshi_put_var(w, s->pending);
    pshi_put_var(w, s->owed);
    if (s->pending)
        pshi_put_u64(w, s->pending_id);
    if (s->pending || s->owed) {
        pshi_put_var(w, s->pending_generation);
        pshi_put_var(w, s->pending_step);
        pshi_put_var(w, s->pending_steps);
        pshi_put_var(w, s->pending_node);
        pshi_put_var(w, s->pending_source);
    }
    pshi_put_var(w, s->reopens);
    pshi_put_var(w, s->gone);
    pshi_put_var(w, s->broken);
    pshi_put_var(w, s->stamp);
    pshi_put_var(w, s->changes);
    pshi_put_var(w, s->source);
    pshi_put_var(w, s->partner);
    pshi_put_f64(w, s->reads);
    pshi_put_f64(w, s->writes);
    pshi_put_f64(w, s->latency_us);
    pshi_put_int(w, s->load_at);
    pshi_put_int(w, s->changed_at);
    pshi_put_var(w, s->steps_done);
    pshi_put_var(w, s->steps);
    pshi_put_var(w, s->why);
}

static void put_copy(pshi_writer *w, const pshi_copy *c) {
    pshi_put_u64(w, c->r.partition);
    pshi_put_var(w, c->r.node);
    pshi_put_var(w, c->r.tier);
    pshi_put_var(w, c->r.state);
    pshi_put_int(w, c->r.ready_at);
    pshi_put_var(w, c->purpose);
    pshi_put_var(w, c->why);
    pshi_put_var(w, c->steps_done);
    pshi_put_var(w, c->steps);
}

static void put_nodes(pshi_writer *w, const psh_map *m) {
    size_t i;

    pshi_put_var(w, m->node_count);
    for (i = 0; i < m->node_count; i++) {
        pshi_put_var(w, m->nodes[i].node);
        pshi_put_var(w, m->nodes[i].state);
        pshi_put_f64(w, m->nodes[i].capacity);
        pshi_put_var(w, m->nodes[i].free_bytes);
    }
    pshi_put_var(w, m->nodes_wanted);
    pshi_put_var(w, m->pair_count);
    for (i = 0; i < m->pair_count; i++) {
        pshi_put_var(w, m->pairs[i].table);
        pshi_put_var(w, m->pairs[i].other);
        pshi_put_f64(w, m->pairs[i].saved);
    }
}

static void put_assignments(pshi_writer *w, const psh_map *m) {
    const psh_assignment *a;
    size_t i;

    pshi_put_var(w, m->assignment_count);
    for (i = 0; i < m->assignment_count; i++) {
        a = &m->assignments[i];
        pshi_put_u64(w, a->tenant);
        pshi_put_var(w, a->table);
        pshi_put_var(w, a->segment);
        pshi_put_int(w, a->from);
        pshi_put_var(w, a->access);
        pshi_put_var(w, a->tier);
    }
}

static void encode_map(pshi_writer *w, const void *value) {
    const psh_map *m = value;
    size_t i;

    put_map_options(w, &m->o);
    pshi_put_var(w, m->stamp);
    pshi_put_var(w, m->node_stamp);
    pshi_put_var(w, m->count);
    for (i = 0; i < m->count; i++)
        put_slot(w, pshi_map_slot(m, i));
    pshi_put_var(w, m->copy_count);
    for (i = 0; i < m->copy_count; i++)
        put_copy(w, &m->copies[i]);
    put_nodes(w, m);
    put_assignments(w, m);
}

psh_status psh_map_save(const psh_map *m, psh_buffer *out) {
    if (!m || !out)
        return PSH_E_INVALID;
    return pshi_frame_save(out, PSHI_KIND_MAP, encode_map, m);
}

static int is_copied_child(const pshi_slot *s) {
    return s->source && s->steps_done;
}

/* What may be under way in each state. */
static int is_pending_possible(const pshi_slot *s) {
    uint32_t state = s->p.state;

    switch (s->pending) {
    case 0:
        return state != PSH_PARTITION_WARMING || is_copied_child(s);
    case PSH_ACT_CREATE_PARTITION:
        return state == PSH_PARTITION_WARMING && !s->steps_done;
    case PSH_ACT_ACTIVATE_PARTITION:
        return state == PSH_PARTITION_SHADOW && !s->source;
    case PSH_ACT_SEAL_PARTITION:
        return state == PSH_PARTITION_ACTIVE && !s->p.flags;
    case PSH_ACT_ARCHIVE_PARTITION:
        return state == PSH_PARTITION_SEALED;
    case PSH_ACT_SPLIT_PARTITION:
        return s->source && (state == PSH_PARTITION_SHADOW || is_copied_child(s)) && s->pending_step > s->steps_done;
    case PSH_ACT_MERGE_PARTITION:
        return (state == PSH_PARTITION_ACTIVE || state == PSH_PARTITION_SEALED) && !s->p.flags;
    case PSH_ACT_REPLICATE_PARTITION:
    case PSH_ACT_PROMOTE_PARTITION:
    case PSH_ACT_DROP_REPLICA:
        return pshi_partition_owns(&s->p) && !s->source;
    default:
        return s->pending == PSH_ACT_DROP_PARTITION && !s->p.flags &&
               (state != PSH_PARTITION_WARMING || is_copied_child(s));
    }
}

static int is_owed_possible(const pshi_slot *s) {
    pshi_slot pending = *s;

    pending.pending = s->owed;
    return is_pending_possible(&pending);
}

static int is_state_possible(const pshi_slot *s) {
    int uncreated = s->pending == PSH_ACT_CREATE_PARTITION;

    if (s->p.state < PSH_PARTITION_SHADOW || s->p.state > PSH_PARTITION_ARCHIVED || s->gone > 1)
        return 0;
    if (s->broken > 1 || (s->broken && !s->source))
        return 0;
    if (s->owed && s->owed != PSH_ACT_SPLIT_PARTITION && s->owed != PSH_ACT_MERGE_PARTITION &&
        s->owed != PSH_ACT_PROMOTE_PARTITION)
        return 0;
    if (s->owed && !s->pending && !is_owed_possible(s))
        return 0;
    if (s->p.flags && (s->gone || s->p.state > PSH_PARTITION_ACTIVE || s->source || s->partner))
        return 0;
    if ((s->p.created_at == PSH_TIME_NONE) != uncreated)
        return 0;
    if (s->source && s->p.state > PSH_PARTITION_WARMING)
        return 0;
    if (s->steps_done ? !s->source || s->steps_done >= s->steps || s->steps > 65535 : s->steps)
        return 0;
    return is_pending_possible(s);
}

static int is_rate(double x) {
    return x >= 0 && x <= 0x1p101;
}

static psh_status get_slot(const psh_map *m, pshi_cursor *c, pshi_slot *s) {
    pshi_partition_get(c, &s->p);
    s->pending = pshi_get_var32(c);
    s->owed = pshi_get_var32(c);
    if (s->pending)
        s->pending_id = pshi_get_u64(c);
    if (s->pending || s->owed) {
        s->pending_generation = pshi_get_var(c);
        s->pending_step = pshi_get_var32(c);
        s->pending_steps = pshi_get_var32(c);
        s->pending_node = pshi_get_var32(c);
        s->pending_source = pshi_get_var(c);
    }
    s->reopens = pshi_get_var(c);
    s->gone = pshi_get_var32(c);
    s->broken = pshi_get_var32(c);
    s->stamp = pshi_get_var(c);
    s->changes = pshi_get_var(c);
    s->source = pshi_get_var(c);
    s->partner = pshi_get_var(c);
    s->reads = pshi_get_f64(c);
    s->writes = pshi_get_f64(c);
    s->latency_us = pshi_get_f64(c);
    s->load_at = pshi_get_int(c);
    s->changed_at = pshi_get_int(c);
    s->steps_done = pshi_get_var32(c);
    s->steps = pshi_get_var32(c);
    s->why = pshi_get_var32(c);
    if (c->status != PSH_OK || !s->pending != !s->pending_id || !is_state_possible(s))
        return PSH_E_CORRUPT;
    if (!is_rate(s->reads) || !is_rate(s->writes) || !is_rate(s->latency_us) || s->why > PSH_WHY_LEAVING)
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

static psh_status check_slots(const psh_map *m, psh_error *err) {
    size_t i;

    for (i = 0; i < m->count; i++)
        if (!pshi_reshape_is_possible(m, pshi_map_slot(m, i)))
            return pshi_fail_at(err, PSH_E_CORRUPT, "partition", i, "does not fit what is said of others");
    return PSH_OK;
}

static int is_copy_possible(const psh_map *m, const pshi_copy *c) {
    const pshi_slot *s = pshi_map_find(m, c->r.partition);
    int ready = c->r.state == PSH_REPLICA_READY;

    if (!s || !pshi_map_exists(s) || s->source || !pshi_partition_owns(&s->p) || s->p.node == c->r.node)
        return 0;
    if (c->r.node == PSH_NONE || c->r.tier == PSH_NONE || (!ready && c->r.state != PSH_REPLICA_WARMING))
        return 0;
    if (ready != (c->r.ready_at != PSH_TIME_NONE) || c->purpose > PSHI_COPY_LEFT)
        return 0;
    if (c->why < 1 || c->why > PSH_WHY_LEAVING)
        return 0;
    return ready ? !c->steps && !c->steps_done
                 : c->steps <= 65535 && (c->steps_done ? c->steps_done < c->steps : !c->steps);
}

static psh_status get_copies(psh_map *m, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    size_t n = pshi_get_count(c, COPY_LEAST), i;
    psh_status st = pshi_load_fits(max_bytes, n, 2 * sizeof(pshi_copy), err);

    for (i = 0; st == PSH_OK && i < n; i++) {
        pshi_copy x = { 0 };

        x.r.partition = pshi_get_u64(c);
        x.r.node = pshi_get_var32(c);
        x.r.tier = pshi_get_var32(c);
        x.r.state = pshi_get_var32(c);
        x.r.ready_at = pshi_get_int(c);
        x.purpose = pshi_get_var32(c);
        x.why = pshi_get_var32(c);
        x.steps_done = pshi_get_var32(c);
        x.steps = pshi_get_var32(c);
        st = c->status == PSH_OK && is_copy_possible(m, &x) ? pshi_map_add_copy(m, &x) : PSH_E_CORRUPT;
        if (st != PSH_OK)
            return pshi_fail_at(err, st == PSH_E_STATE ? PSH_E_CORRUPT : st, "replica", i, "damaged, or twice");
    }
    return st;
}

static psh_status get_nodes(psh_map *m, pshi_cursor *c, psh_error *err) {
    size_t n = pshi_get_count(c, NODE_LEAST), i;

    if (c->status != PSH_OK || n > PSHI_MAP_MAX_NODES)
        return pshi_fail(err, PSH_E_CORRUPT, "nodes", "damaged");
    m->nodes = pshi_calloc(m->env, n, sizeof *m->nodes);
    if (!m->nodes)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    for (i = 0; i < n; i++) {
        m->nodes[i].node = pshi_get_var32(c);
        m->nodes[i].state = pshi_get_var32(c);
        m->nodes[i].capacity = pshi_get_f64(c);
        m->nodes[i].free_bytes = pshi_get_var(c);
        if (i && m->nodes[i].node <= m->nodes[i - 1].node)
            return pshi_fail_at(err, PSH_E_CORRUPT, "nodes", i, "not in order");
    }
    m->node_count = n;
    m->nodes_wanted = pshi_get_var32(c);
    if (c->status != PSH_OK || m->nodes_wanted > n)
        return pshi_fail(err, PSH_E_CORRUPT, "nodes", "damaged");
    return pshi_load_status(pshi_map_check_nodes(m->nodes, n, err), err);
}

static psh_status get_pairs(psh_map *m, pshi_cursor *c, psh_error *err) {
    size_t n = pshi_get_count(c, PAIR_LEAST), i;
    psh_status st = PSH_OK;
    uint32_t table, other;
    double saved;

    for (i = 0; st == PSH_OK && i < n; i++) {
        table = pshi_get_var32(c);
        other = pshi_get_var32(c);
        saved = pshi_get_f64(c);
        st = c->status == PSH_OK && saved > 0 && table < other && m->pair_count == i
                 ? psh_map_set_together(m, table, other, saved)
                 : PSH_E_CORRUPT;
        if (st != PSH_OK)
            return pshi_fail_at(err, st == PSH_E_NOMEM ? st : PSH_E_CORRUPT, "together", i, "damaged");
    }
    return m->pair_count == n ? st : pshi_fail(err, PSH_E_CORRUPT, "together", "a pair stands twice");
}

static psh_status get_assignments(psh_map *m, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    size_t n = pshi_get_count(c, ASSIGNMENT_LEAST), i;
    psh_status st = pshi_load_fits(max_bytes, n, 2 * sizeof(psh_assignment), err);

    for (i = 0; st == PSH_OK && i < n; i++) {
        psh_assignment a = { 0 };

        a.tenant = pshi_get_u64(c);
        a.table = pshi_get_var32(c);
        a.segment = pshi_get_var32(c);
        a.from = pshi_get_int(c);
        a.access = pshi_get_var32(c);
        a.tier = pshi_get_var32(c);
        st = PSH_E_CORRUPT;
        if (c->status == PSH_OK && a.tenant && a.access <= PSH_ACCESS_SCAN && a.from != PSH_TIME_NONE &&
            a.table < psh_schema_table_count(m->schema))
            st = pshi_map_insert_assignment(m, &a);
        if (st != PSH_OK)
            return pshi_fail_at(err, st == PSH_E_NOMEM ? st : PSH_E_CORRUPT, "assignment", i, "damaged");
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
    if (st == PSH_OK) {
        m->stamp = pshi_get_var(&c);
        m->node_stamp = pshi_get_var(&c);
        st = get_slots(m, &c, max_bytes, err);
    }
    if (st == PSH_OK)
        st = get_copies(m, &c, max_bytes, err);
    if (st == PSH_OK)
        st = check_slots(m, err);
    if (st == PSH_OK)
        st = get_nodes(m, &c, err);
    if (st == PSH_OK)
        st = get_pairs(m, &c, err);
    if (st == PSH_OK)
        st = get_assignments(m, &c, max_bytes, err);
    if (st == PSH_OK && pshi_read_end(&c) != PSH_OK)
        st = pshi_fail(err, PSH_E_CORRUPT, "data", "bytes follow the last partition");
    pshi_frame_close(&frame);
    if (st == PSH_OK)
        *out = m;
    else
        psh_map_destroy(m);
    return st;
}
