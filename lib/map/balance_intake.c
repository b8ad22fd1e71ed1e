/* SPDX-License-Identifier: MIT */
#include "map/balance.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "ds/idmap.h"

#define MOST_REPLICAS 1024

/* The caller's arrays, and what sums over them gave. */
typedef struct intake {
    const void *items;
    size_t item_stride;
    const void *nodes;
    size_t node_stride;
    psh_error *err;
    pshi_idmap node_of;  /* node id + 1 -> index */
    int exponent;        /* every load is below 2^exponent */
    uint32_t has_groups;
    size_t copies;       /* known ones */
} intake;

/* 2^n as two factors, each of which a double can hold. Products with powers of two are exact, but for
 * subnormals. */
typedef struct power {
    double a, b;
} power;

static power power_of(int n) {
    return (power){ ldexp(1, n / 2), ldexp(1, n - n / 2) };
}

static psh_status bad(const intake *in, const char *field, size_t i, const char *text) {
    return pshi_fail_at(in->err, PSH_E_INVALID, field, i, text);
}

static int is_load(double x) {
    return x >= 0 && !isinf(x);
}

static psh_heat heat_at(const intake *in, size_t i) {
    psh_heat h = { .replica_nodes = NULL }; /* of a caller that has no such field */

    if (in->item_stride >= sizeof h) /* of a size known when compiled: copied in place */
        memcpy(&h, (const char *)in->items + i * in->item_stride, sizeof h);
    else
        pshi_element(&h, offsetof(psh_heat, replica_nodes), in->items, in->item_stride, i);
    return h;
}

static psh_heat_node node_at(const intake *in, size_t i) {
    psh_heat_node n;

    pshi_element(&n, sizeof n, in->nodes, in->node_stride, i);
    return n;
}

static psh_status check_node(const intake *in, size_t i) {
    psh_heat_node n = node_at(in, i);

    if (n.node == PSH_NONE)
        return bad(in, "nodes.node", i, "is PSH_NONE");
    if (n.flags & ~PSH_NODE_LEAVING)
        return bad(in, "nodes.flags", i, "has an unknown bit");
    if (!(n.capacity > 0) || isinf(n.capacity))
        return bad(in, "nodes.capacity", i, "must be > 0 and finite");
    return PSH_OK;
}

static psh_status read_nodes(pshi_bal *p, intake *in) {
    psh_status st = pshi_idmap_reserve(p->env, &in->node_of, p->node_count);
    psh_heat_node n;
    uint32_t i;

    for (i = 0; st == PSH_OK && i < p->node_count; i++) {
        st = check_node(in, i);
        p->keys[i] = node_at(in, i).node;
        p->order[i] = i;
    }
    if (st != PSH_OK)
        return st;
    pshi_bal_sort(p, p->keys, p->order, p->node_count);
    for (i = 0; i < p->node_count; i++) {
        n = node_at(in, p->order[i]);
        if (i > 0 && p->nodes[i - 1].id == n.node)
            return bad(in, "nodes.node", p->order[i], "stands twice");
        p->nodes[i].id = n.node;
        p->nodes[i].flags = n.flags;
        p->nodes[i].capacity = n.capacity;
        p->nodes[i].free = n.free_bytes;
        p->staying += !(n.flags & PSH_NODE_LEAVING);
        if ((st = pshi_idmap_put(p->env, &in->node_of, (uint64_t)n.node + 1, i)) != PSH_OK)
            return st;
    }
    return PSH_OK;
}

static psh_status check_numbers(const intake *in, const psh_heat *h, size_t i) {
    if (!h->id)
        return bad(in, "items.id", i, "is 0");
    if (h->next == h->id)
        return bad(in, "items.next", i, "is the item itself");
    if (!is_load(h->writes))
        return bad(in, "items.writes", i, "must be >= 0 and finite");
    if (!is_load(h->reads))
        return bad(in, "items.reads", i, "must be >= 0 and finite");
    if (!is_load(h->affinity))
        return bad(in, "items.affinity", i, "must be >= 0 and finite");
    if (!is_load(h->keep_cost))
        return bad(in, "items.keep_cost", i, "must be >= 0 and finite");
    if (h->flags & ~PSH_HEAT_PINNED)
        return bad(in, "items.flags", i, "has an unknown bit");
    return PSH_OK;
}

static psh_status check_copies(const intake *in, const psh_heat *h, size_t i) {
    uint32_t k, j;

    if (h->replicas > MOST_REPLICAS)
        return bad(in, "items.replicas", i, "must be at most 1024");
    if (h->replicas && h->node == PSH_NONE)
        return bad(in, "items.replicas", i, "of an item without a node");
    for (k = 0; h->replica_nodes && k < h->replicas; k++) {
        if (pshi_idmap_find(&in->node_of, (uint64_t)h->replica_nodes[k] + 1) == PSH_NONE)
            return bad(in, "items.replica_nodes", i, "names a node that is not among the nodes");
        if (h->replica_nodes[k] == h->node)
            return bad(in, "items.replica_nodes", i, "names the owner");
        for (j = 0; j < k; j++)
            if (h->replica_nodes[j] == h->replica_nodes[k])
                return bad(in, "items.replica_nodes", i, "names a node twice");
    }
    return PSH_OK;
}

static psh_status check_item(const intake *in, const psh_heat *h, size_t i) {
    psh_status st = check_numbers(in, h, i);

    if (st != PSH_OK)
        return st;
    if (h->node != PSH_NONE && pshi_idmap_find(&in->node_of, (uint64_t)h->node + 1) == PSH_NONE)
        return bad(in, "items.node", i, "is not among the nodes");
    if (h->node == PSH_NONE && h->flags)
        return bad(in, "items.flags", i, "pinned to no node");
    return check_copies(in, h, i);
}

/* Checks all, finds the largest load and the order by id. */
static psh_status survey_items(pshi_bal *p, intake *in) {
    double most = 0;
    psh_status st;
    psh_heat h;
    uint32_t i;

    for (i = 0; i < p->item_count; i++) {
        h = heat_at(in, i);
        if ((st = check_item(in, &h, i)) != PSH_OK)
            return st;
        most = h.writes > most ? h.writes : most;
        most = h.reads > most ? h.reads : most;
        in->has_groups |= h.group != 0;
        in->copies += h.replica_nodes ? h.replicas : 0;
        p->keys[i] = h.id;
        p->order[i] = i;
    }
    for (i = 0; i < p->node_count; i++)
        most = p->o.busy * p->nodes[i].capacity > most ? p->o.busy * p->nodes[i].capacity : most;
    (void)frexp(most, &in->exponent);
    pshi_bal_sort(p, p->keys, p->order, p->item_count);
    for (i = 1; i < p->item_count; i++)
        if (p->keys[i] == p->keys[i - 1])
            return bad(in, "items.id", p->order[i], "stands twice");
    return PSH_OK;
}

/* A unit is such that all loads together, and what keeps the nodes busy, are at most 2^PSHI_BAL_BITS, and rarely
 * below half of it. The sum is one of whole numbers, rounded up, so that the order of the items does not count. */
static void choose_unit(pshi_bal *p, const intake *in) {
    power of = power_of(30 - in->exponent);
    uint64_t sum = 0;
    int bits;
    psh_heat h;
    size_t i;

    for (i = 0; i < p->item_count; i++) {
        h = heat_at(in, i);
        sum += (uint64_t)(h.writes * of.a * of.b) + (uint64_t)(h.reads * of.a * of.b) + 2;
    }
    for (i = 0; i < p->node_count; i++)
        sum += (uint64_t)(p->o.busy * p->nodes[i].capacity * of.a * of.b);
    (void)frexp((double)sum, &bits);
    p->exponent = in->exponent - 30 + bits - PSHI_BAL_BITS;
}

static uint64_t units(power of, double x) {
    double u = x * of.a * of.b;

    return u >= (double)PSHI_BAL_MOST ? PSHI_BAL_MOST : (uint64_t)(u + 0.5);
}

static void add_copies(pshi_bal *p, const intake *in, pshi_bal_item *it, const psh_heat *h) {
    uint64_t each = it->reads / (it->replicas + 1);
    uint32_t k, node;

    for (k = 0; h->replica_nodes && k < h->replicas; k++) {
        node = pshi_idmap_find(&in->node_of, (uint64_t)h->replica_nodes[k] + 1);
        p->copies[p->copy_count] = (pshi_bal_copy){ .node = node, .next = it->copies };
        it->copies = (uint32_t)p->copy_count++;
        p->nodes[node].load += each;
    }
}

uint64_t pshi_bal_own(uint64_t writes, uint64_t reads, uint32_t replicas) {
    return replicas ? writes + reads - replicas * (reads / (replicas + 1)) : writes + reads;
}

static void read_items(pshi_bal *p, const intake *in) {
    power of = power_of(-p->exponent);
    pshi_bal_item *it;
    psh_heat h;
    uint32_t i;

    for (i = 0; i < p->item_count; i++) {
        h = heat_at(in, p->order[i]);
        it = &p->items[i];
        *it = (pshi_bal_item){ .id = h.id, .bytes = h.bytes, .node = PSH_NONE, .group = PSH_NONE,
                               .parts = h.max_parts, .replicas = h.replicas, .copies = PSH_NONE };
        it->writes = units(of, h.writes);
        it->reads = units(of, h.reads);
        it->keep = units(of, h.keep_cost);
        it->flags = h.flags & PSH_HEAT_PINNED ? PSHI_BAL_PINNED : 0;
        p->next[i] = h.next;
        p->total += it->writes + it->reads;
        if (h.node == PSH_NONE)
            continue;
        it->node = pshi_idmap_find(&in->node_of, (uint64_t)h.node + 1);
        p->nodes[it->node].load += pshi_bal_own(it->writes, it->reads, it->replicas);
        add_copies(p, in, it, &h);
    }
}

/* A node's part of all load by capacity, of the `sum` of those that stay; at least the share that keeps it busy. */
static uint64_t fair_load(const pshi_bal *p, const pshi_bal_node *n, double sum, int exponent) {
    double fair = sum > 0 ? (double)p->total * (ldexp(n->capacity, -exponent) / sum) : 1;
    uint64_t busy = units(power_of(-p->exponent), p->o.busy * n->capacity);
    uint64_t whole = fair >= (double)PSHI_BAL_MOST ? PSHI_BAL_MOST : (uint64_t)(fair + 0.5);

    whole += !whole;
    return whole > busy ? whole : busy;
}

/* Fair loads: of the capacity that stays. */
static void share_out(pshi_bal *p) {
    double largest = 0, sum = 0;
    uint64_t busiest = 0;
    int exponent;
    size_t i;

    p->is_uniform = 1;
    for (i = 0; i < p->node_count; i++) {
        if (p->nodes[i].capacity > largest)
            largest = p->nodes[i].capacity;
        p->is_uniform &= p->nodes[i].capacity == p->nodes[0].capacity;
    }
    (void)frexp(largest, &exponent); /* so that no sum overflows */
    for (i = 0; i < p->node_count; i++)
        if (!(p->nodes[i].flags & PSH_NODE_LEAVING))
            sum += ldexp(p->nodes[i].capacity, -exponent);
    p->mean = p->staying ? p->total / p->staying : 1;
    p->mean += !p->mean;
    for (i = 0; i < p->node_count; i++) {
        p->nodes[i].fair = fair_load(p, &p->nodes[i], sum, exponent);
        if (!(p->nodes[i].flags & PSH_NODE_LEAVING) && p->nodes[i].fair > busiest)
            busiest = p->nodes[i].fair;
    }
    if (p->o.busy > 0 && p->is_uniform && busiest > p->mean)
        p->mean = busiest; /* nodes are not busy: a gain is measured against what would keep them so */
}

static uint64_t add_capped(uint64_t a, uint64_t b) {
    return a + b > PSHI_BAL_MOST ? PSHI_BAL_MOST : a + b;
}

/* The node with most members of members[first..end), which stand by node; those without one do not count. */
static void find_home(pshi_bal *p, pshi_bal_group *g) {
    uint32_t i, run = 0, node;

    g->home = PSH_NONE;
    for (i = g->first; i < g->first + g->count; i++) {
        node = p->items[p->members[i]].node;
        run = i > g->first && node == p->items[p->members[i - 1]].node ? run + 1 : 1;
        if (node == PSH_NONE || p->nodes[node].flags & PSH_NODE_LEAVING || run <= g->at_home)
            continue;
        g->home = node;
        g->at_home = run;
    }
}

static void sort_members(pshi_bal *p, const intake *in, uint32_t n) {
    uint32_t i;

    for (i = 0; i < n; i++)
        p->keys[i] = p->items[p->members[i]].node;
    pshi_bal_sort(p, p->keys, p->members, n);
    for (i = 0; i < n; i++)
        p->keys[i] = heat_at(in, p->order[p->members[i]]).group;
    pshi_bal_sort(p, p->keys, p->members, n);
}

/* p->order still holds where in the caller's array each item stands. */
static psh_status read_groups(pshi_bal *p, const intake *in) {
    power of = power_of(-p->exponent);
    pshi_bal_group *g = NULL;
    uint32_t n = 0, i;

    if (!in->has_groups)
        return PSH_OK;
    p->members = pshi_calloc(p->env, p->item_count, sizeof *p->members);
    p->groups = pshi_calloc(p->env, p->item_count, sizeof *p->groups);
    if (!p->members || !p->groups)
        return pshi_fail(in->err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    for (i = 0; i < p->item_count; i++)
        if (heat_at(in, p->order[i]).group)
            p->members[n++] = i;
    sort_members(p, in, n);
    for (i = 0; i < n; i++) {
        if (i == 0 || p->keys[i] != p->keys[i - 1]) {
            g = &p->groups[p->group_count++];
            g->first = i;
        }
        g->count++;
        g->affinity = add_capped(g->affinity, units(of, heat_at(in, p->order[p->members[i]]).affinity));
        p->items[p->members[i]].group = (uint32_t)(p->group_count - 1);
    }
    for (i = 0; i < p->group_count; i++)
        find_home(p, &p->groups[i]);
    return PSH_OK;
}

static psh_status take_memory(pshi_bal *p) {
    size_t n = p->item_count, m = p->node_count, most = n > m ? n : m;

    p->items = pshi_calloc(p->env, n, sizeof *p->items);
    p->next = pshi_calloc(p->env, n, sizeof *p->next);
    p->nodes = pshi_calloc(p->env, m, sizeof *p->nodes);
    p->over = pshi_calloc(p->env, m, sizeof *p->over);
    p->room = pshi_calloc(p->env, m, sizeof *p->room);
    p->fullest.at = pshi_calloc(p->env, m, sizeof(uint32_t));
    p->fullest.place = pshi_calloc(p->env, m, sizeof(uint32_t));
    p->emptiest.at = pshi_calloc(p->env, m, sizeof(uint32_t));
    p->emptiest.place = pshi_calloc(p->env, m, sizeof(uint32_t));
    p->roomiest.at = pshi_calloc(p->env, m, sizeof(uint32_t));
    p->roomiest.place = pshi_calloc(p->env, m, sizeof(uint32_t));
    p->order = pshi_calloc(p->env, most, sizeof *p->order);
    p->ahead = pshi_calloc(p->env, n, sizeof *p->ahead);
    p->back = pshi_calloc(p->env, n, sizeof *p->back);
    p->keys = pshi_calloc(p->env, most, sizeof *p->keys);
    p->keys2 = pshi_calloc(p->env, most, sizeof *p->keys2);
    p->swap = pshi_calloc(p->env, most, sizeof *p->swap);
    if (!p->items || !p->next || !p->nodes || !p->over || !p->room || !p->fullest.at || !p->fullest.place)
        return PSH_E_NOMEM;
    if (!p->emptiest.at || !p->emptiest.place || !p->roomiest.at || !p->roomiest.place)
        return PSH_E_NOMEM;
    return p->order && p->ahead && p->back && p->keys && p->keys2 && p->swap ? PSH_OK : PSH_E_NOMEM;
}

static uint64_t parts(double x) {
    return (uint64_t)(x * (double)PSHI_BAL_ONE + 0.5);
}

psh_status pshi_bal_intake(
    pshi_bal *p, const psh_heat *items, size_t item_stride, const psh_heat_node *nodes, size_t node_stride,
    psh_error *err) {
    intake in = { .items = items, .item_stride = item_stride, .nodes = nodes, .node_stride = node_stride,
                  .err = err };
    psh_status st = take_memory(p);

    if (st == PSH_OK && (st = read_nodes(p, &in)) == PSH_OK)
        st = survey_items(p, &in);
    if (st == PSH_OK && in.copies) {
        p->copies = pshi_calloc(p->env, in.copies, sizeof *p->copies);
        p->copy_cap = p->copies ? in.copies : 0;
        st = p->copies && in.copies < PSH_NONE ? PSH_OK : PSH_E_NOMEM;
    }
    if (st == PSH_OK) {
        choose_unit(p, &in);
        read_items(p, &in);
        share_out(p);
        st = read_groups(p, &in);
    }
    pshi_idmap_free(p->env, &in.node_of);
    if (st == PSH_E_NOMEM)
        return pshi_fail(err, st, "", psh_status_text(st));
    if (st != PSH_OK)
        return st;
    p->trigger = PSHI_BAL_ONE + parts(p->o.tolerance);
    p->goal = PSHI_BAL_ONE + parts(p->o.tolerance / 2);
    p->least = parts(p->o.least_gain);
    p->least += !p->least; /* a step that lowers nothing is none */
    p->steps_left = p->o.max_steps;
    p->bytes_left = p->o.max_bytes;
    p->most_free = UINT64_MAX;
    pshi_bal_heaps(p);
    return PSH_OK;
}
