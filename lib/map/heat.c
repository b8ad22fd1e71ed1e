/* SPDX-License-Identifier: MIT */
/*
 * Heat: what partitions are expected to carry soon, and steps that even it out over the nodes. Where a forecast has
 * skill its upper quantile counts, else the load observed alone: without skill this is a reactive policy.
 */
#include <predshard/balance.h>

#include <math.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/env.h"
#include "map/propose.h"
#include "value/world.h"

#define MOST_SLOWNESS 4.0 /* a slow partition counts at most so many times as hot */
#define COPY_SHARE 0.1    /* of a node that a copy takes while it runs */
#define MOST_LEAST 0.01   /* of the mean node's load: a step must gain as much, or half of what a partition is worth */

/* How long before its load a partition must begin to move: twice what the copy takes, for what goes wrong. */
static int64_t notice_of(const pshi_proposal *c, const pshi_slot *s) {
    double seconds = (double)s->p.bytes / (double)c->m->o.move_bytes_per_s * 2;
    int64_t ns = seconds < 0x1p62 * 1e-9 ? (int64_t)(seconds * 1e9) : INT64_MAX;

    return pshi_time_add(ns, c->m->o.activate_lead_ns);
}

/* Zones that begin within notice, of tenants whose rows of now stand here. */
static double zones_on(const pshi_proposal *c, const pshi_slot *s) {
    int64_t soon = pshi_time_add(c->now, notice_of(c, s));
    double sum = 0;
    uint64_t point;
    size_t i;

    for (i = 0; i < c->zone_count; i++) {
        if (c->zones[i].table != s->p.table || c->zones[i].from > soon || c->zones[i].to <= c->now)
            continue;
        if (c->zones[i].from >= s->p.time_to || c->zones[i].to <= s->p.time_from)
            continue;
        point = psh_map_point(c->m, s->p.table, c->zones[i].tenant, s->p.time_from);
        if (point >= s->p.arc_first && point <= s->p.arc_last)
            sum += c->zones[i].per_s;
    }
    return sum;
}

static double predicted_writes(pshi_proposal *c, const pshi_slot *s, const pshi_expected *e) {
    pshi_slice slice = { .table = s->p.table, .from = s->p.time_from };
    double seconds = ((double)s->p.time_to - (double)s->p.time_from) * 1e-9;

    pshi_find_weights(c, &slice);
    return e->rows / seconds * pshi_arcs_share(slice.weights, slice.weight_count, s->p.arc_first, s->p.arc_last);
}

void pshi_heat_of(pshi_proposal *c, const pshi_slot *s, double *writes, double *reads) {
    const pshi_expected *e = s->p.flags ? NULL : pshi_expected_of(c, s->p.table, s->p.interval);
    double slow = 1, zones;

    pshi_map_load_at(c->m, s, c->now, reads, writes);
    if (e && e->skilled && s->p.time_to > c->now) {
        *writes = predicted_writes(c, s, e);
        zones = zones_on(c, s);
        *reads = *reads > zones ? *reads : zones;
    }
    if (c->m->o.latency_us > 0 && s->latency_us > c->m->o.latency_us)
        slow = s->latency_us / c->m->o.latency_us;
    *reads *= slow < MOST_SLOWNESS ? slow : MOST_SLOWNESS;
}

/* What is handed to the balancer, and what came back. */
typedef struct evening {
    pshi_proposal *c;
    psh_heat *items; /* Shape [count] */
    size_t count;
    uint32_t *replicas; /* nodes of the items' replicas, one item's after the other's */
    size_t replica_count;
    psh_heat_node *nodes;
    size_t node_count;
    double capacity; /* mean */
} evening;

static const pshi_slot *slot_of(const evening *e, uint64_t id) {
    return pshi_map_find(e->c->m, id);
}

/* The partition of a table that holds a point at a time, or NULL. */
static const pshi_slot *owner_at(const psh_map *m, uint32_t table, int64_t time, uint64_t point) {
    psh_partition key = { .table = table };
    int64_t from, to;
    const pshi_slot *s;
    size_t i;

    if (psh_schema_interval(m->schema, table, time, &key.interval, &from, &to) != PSH_OK)
        return NULL;
    for (i = pshi_map_lower(m, &key); i < m->count; i++) {
        s = pshi_map_slot(m, i);
        if (s->p.table != table || s->p.interval != key.interval || s->p.flags)
            return NULL;
        if (!pshi_map_is_child(s) && s->p.arc_first <= point && point <= s->p.arc_last)
            return s;
    }
    return NULL;
}

/* Tables that are asked for together: partitions of the lower one name the group. */
static void join_groups(const evening *e, const pshi_slot *s, psh_heat *h) {
    const psh_map *m = e->c->m;
    const pshi_slot *other;
    size_t i;

    for (i = 0; i < m->pair_count; i++) {
        if (m->pairs[i].table == s->p.table) {
            h->group = s->p.id;
        } else if (m->pairs[i].other == s->p.table) {
            other = owner_at(m, m->pairs[i].table, s->p.time_from, s->p.arc_first);
            h->group = other ? other->p.id : 0;
        } else {
            continue;
        }
        h->affinity = m->pairs[i].saved * (h->reads + h->writes);
        return;
    }
}

static uint32_t read_replicas(const psh_map *m, uint64_t partition) {
    uint32_t n = 0;
    size_t i, end;

    for (pshi_map_copies(m, partition, &i, &end); i < end; i++)
        n += m->copies[i].purpose == PSHI_COPY_READ;
    return n;
}

/* Replicas on nodes that nobody told of are not told of either. */
static void add_replicas(evening *e, psh_heat *h) {
    const psh_map *m = e->c->m;
    size_t i, end;

    h->replica_nodes = e->replicas + e->replica_count;
    for (pshi_map_copies(m, h->id, &i, &end); i < end; i++) {
        const psh_map_node *n = pshi_map_node(m, m->copies[i].r.node);

        if (m->copies[i].purpose != PSHI_COPY_READ || !n || n->state == PSH_MAP_NODE_STANDBY)
            continue;
        e->replicas[e->replica_count++] = m->copies[i].r.node;
        h->replicas++;
    }
}

static int is_changing(const psh_map *m, uint64_t partition) {
    size_t i, end;

    for (pshi_map_copies(m, partition, &i, &end); i < end; i++)
        if (m->copies[i].purpose != PSHI_COPY_READ || m->copies[i].r.state != PSH_REPLICA_READY)
            return 1;
    return 0;
}

static double size_of(const pshi_slot *s) {
    return (double)(s->p.bytes > s->p.bytes_planned ? s->p.bytes : s->p.bytes_planned);
}

/* The right neighbour with which it could be one: as they stand, and no larger than a partition should be. */
static uint64_t neighbour_of(const pshi_proposal *c, size_t i) {
    const pshi_slot *s = pshi_map_slot(c->m, i), *next;

    if (i + 1 == c->m->count)
        return 0;
    next = pshi_map_slot(c->m, i + 1);
    if (next->p.table != s->p.table || next->p.interval != s->p.interval || next->p.state != s->p.state ||
        next->p.node != s->p.node || next->p.tier != s->p.tier || next->p.arc_first != s->p.arc_last + 1 ||
        !pshi_is_idle(c, next) || !pshi_is_settled(c, next) || next->p.flags || is_changing(c->m, next->p.id))
        return 0;
    if (size_of(s) + size_of(next) > (double)c->m->o.target_bytes)
        return 0;
    return read_replicas(c->m, next->p.id) || read_replicas(c->m, s->p.id) ? 0 : next->p.id;
}

/* A copy takes a share of a node for as long as it runs, seen over the time that what it made stays. */
static double keep_cost(const evening *e, const pshi_slot *s) {
    double copying = (double)s->p.bytes / (double)e->c->m->o.move_bytes_per_s;
    double settled = (double)e->c->m->o.settle_ns * 1e-9;

    return COPY_SHARE * e->capacity * (copying < settled ? copying / settled : 1);
}

static void add_item(evening *e, size_t i) {
    pshi_proposal *c = e->c;
    const pshi_slot *s = pshi_map_slot(c->m, i);
    const psh_map_node *n = pshi_map_node(c->m, s->p.node);
    psh_heat *h = &e->items[e->count];
    int free = pshi_is_idle(c, s) && pshi_is_settled(c, s) && !is_changing(c->m, s->p.id);

    if (!n || n->state == PSH_MAP_NODE_STANDBY || !pshi_map_exists(s) || pshi_map_is_child(s) || s->gone ||
        !pshi_partition_owns(&s->p))
        return;
    *h = (psh_heat){ .id = s->p.id, .bytes = s->p.bytes, .node = s->p.node };
    pshi_heat_of(c, s, &h->writes, &h->reads);
    add_replicas(e, h);
    h->keep_cost = keep_cost(e, s);
    h->flags = free ? 0 : PSH_HEAT_PINNED;
    if (free && !s->p.flags && s->p.state <= PSH_PARTITION_SEALED && !h->replicas)
        h->max_parts = pshi_most_parts(c, s);
    h->next = free && !s->p.flags ? neighbour_of(c, i) : 0;
    join_groups(e, s, h);
    e->count++;
}

static void add_nodes(evening *e) {
    const psh_map *m = e->c->m;
    size_t i, up = 0;

    for (i = 0; i < m->node_count; i++) {
        if (m->nodes[i].state == PSH_MAP_NODE_STANDBY)
            continue;
        e->nodes[e->node_count++] =
            (psh_heat_node){ m->nodes[i].node, m->nodes[i].state == PSH_MAP_NODE_LEAVING ? PSH_NODE_LEAVING : 0,
                             m->nodes[i].capacity, m->nodes[i].free_bytes };
        up += m->nodes[i].state == PSH_MAP_NODE_UP;
        e->capacity += m->nodes[i].state == PSH_MAP_NODE_UP ? m->nodes[i].capacity : 0;
    }
    e->capacity = up ? e->capacity / (double)up : 0;
}

static psh_status take_step(evening *e, const psh_balance_step *b) {
    const pshi_slot *s = slot_of(e, b->item);
    pshi_proposal *c = e->c;
    int slow = c->m->o.latency_us > 0 && s->latency_us > c->m->o.latency_us;
    uint32_t why = slow && b->why == PSH_WHY_HOT ? PSH_WHY_LATENCY : b->why;

    if (!pshi_is_idle(c, s)) /* pinned: something is under way on it */
        return PSH_OK;
    switch (b->kind) {
    case PSH_BALANCE_MOVE:
        return pshi_want_move(c, s, b->to, b->why == PSH_WHY_HOT ? PSH_WHY_BALANCE : b->why);
    case PSH_BALANCE_SPLIT:
        return pshi_want_split(c, s, 1.0 / b->parts, b->to, why);
    case PSH_BALANCE_MERGE:
        return pshi_want_merge(c, s, slot_of(e, b->other), why);
    case PSH_BALANCE_REPLICATE:
        return pshi_want_replica(c, s, b->to, why == PSH_WHY_LATENCY ? why : PSH_WHY_HOT);
    case PSH_BALANCE_UNREPLICATE:
        return pshi_want_drop_replica(c, s, b->from, why);
    default:
        return PSH_OK;
    }
}

static psh_status balance(evening *e) {
    const pshi_proposal *c = e->c;
    psh_balance_options o;
    psh_balance *b = NULL;
    psh_balance_step step;
    psh_status st;
    size_t i;

    (void)psh_balance_options_init(&o, sizeof o);
    o.max_steps = c->m->o.max_changes - c->changes;
    o.max_bytes = c->m->o.max_move_bytes - c->moved;
    o.max_replicas = c->m->o.max_replicas;
    o.tolerance = c->m->o.tolerance;
    o.busy = c->m->o.busy;
    o.least_gain = 0.5 * (double)e->node_count / (double)e->count;
    o.least_gain = o.least_gain < MOST_LEAST ? o.least_gain : MOST_LEAST;
    o.split_above = c->m->o.split_above;
    o.merge_below = c->m->o.merge_below;
    o.flags |= c->m->o.max_replicas ? 0 : PSH_BALANCE_NO_REPLICA;
    o.flags |= c->m->o.merge_below > 0 ? 0 : PSH_BALANCE_NO_MERGE;
    st = psh_balance_create(c->m->env, &o, e->items, e->count, sizeof *e->items, e->nodes, e->node_count,
        sizeof *e->nodes, &b, c->err);
    for (i = 0; st == PSH_OK && psh_balance_get(b, i, &step) == PSH_OK; i++)
        st = take_step(e, &step);
    psh_balance_destroy(b);
    return st;
}

psh_status pshi_heat_propose(pshi_proposal *c) {
    const psh_map *m = c->m;
    evening e = { .c = c };
    psh_status st = PSH_E_NOMEM;
    size_t i;

    if (!m->node_count || !m->count || c->changes >= m->o.max_changes || c->moved >= m->o.max_move_bytes)
        return PSH_OK;
    e.items = pshi_calloc(m->env, m->count, sizeof *e.items);
    e.replicas = pshi_calloc(m->env, m->copy_count, sizeof *e.replicas);
    e.nodes = pshi_calloc(m->env, m->node_count, sizeof *e.nodes);
    if (e.items && e.replicas && e.nodes) {
        add_nodes(&e);
        for (i = 0; i < m->count; i++)
            add_item(&e, i);
        st = e.count && e.capacity > 0 ? balance(&e) : PSH_OK;
    }
    pshi_free(m->env, e.items);
    pshi_free(m->env, e.replicas);
    pshi_free(m->env, e.nodes);
    return st;
}
