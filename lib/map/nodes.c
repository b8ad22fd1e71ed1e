/* SPDX-License-Identifier: MIT */
/* The nodes that a map may use, how many of them, and the tables that are asked for together. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "map/map.h"

static int by_node(const void *x, const void *y) {
    const psh_map_node *a = x, *b = y;

    return a->node < b->node ? -1 : a->node > b->node;
}

psh_status pshi_map_check_nodes(const psh_map_node *nodes, size_t n, psh_error *err) {
    size_t i;

    for (i = 0; i < n; i++) {
        if (nodes[i].node == PSH_NONE)
            return pshi_fail_at(err, PSH_E_INVALID, "nodes.node", i, "must be a node");
        if (nodes[i].state < PSH_MAP_NODE_UP || nodes[i].state > PSH_MAP_NODE_LEAVING)
            return pshi_fail_at(err, PSH_E_INVALID, "nodes.state", i, "must be one of PSH_MAP_NODE_*");
        if (!(nodes[i].capacity > 0) || nodes[i].capacity > 0x1p100)
            return pshi_fail_at(err, PSH_E_INVALID, "nodes.capacity", i, "must be > 0 and finite");
        if (i && nodes[i].node == nodes[i - 1].node)
            return pshi_fail_at(err, PSH_E_INVALID, "nodes.node", i, "stands twice");
    }
    return PSH_OK;
}

psh_status psh_map_set_nodes(psh_map *m, const psh_map_node *nodes, size_t n, size_t stride, psh_error *err) {
    psh_map_node *copy;
    psh_status st;
    size_t i;

    if (!m || (n && !nodes))
        return pshi_fail(err, PSH_E_INVALID, m ? "nodes" : "m", "is NULL");
    if (n > PSHI_MAP_MAX_NODES)
        return pshi_fail(err, PSH_E_INVALID, "n", "must be at most 65536");
    copy = pshi_calloc(m->env, n, sizeof *copy);
    if (!copy)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    for (i = 0; i < n; i++)
        pshi_element(&copy[i], sizeof *copy, nodes, stride, i);
    st = pshi_map_check_nodes(copy, n, err); /* in the caller's order, for the index that it names */
    if (n)
        qsort(copy, n, sizeof *copy, by_node);
    if (st == PSH_OK)
        st = pshi_map_check_nodes(copy, n, err); /* now those told twice stand together */
    if (st != PSH_OK) {
        pshi_free(m->env, copy);
        return st;
    }
    pshi_free(m->env, m->nodes);
    m->nodes = copy;
    m->node_count = n;
    m->nodes_wanted = 0;
    return PSH_OK;
}

size_t psh_map_node_count(const psh_map *m) {
    return m->node_count;
}

psh_status psh_map_node_at(const psh_map *m, size_t i, psh_map_node *out) {
    if (i >= m->node_count)
        return PSH_E_NOT_FOUND;
    *out = m->nodes[i];
    return PSH_OK;
}

psh_map_node *pshi_map_node(const psh_map *m, uint32_t node) {
    psh_map_node key = { .node = node };

    return m->node_count ? bsearch(&key, m->nodes, m->node_count, sizeof key, by_node) : NULL;
}

void pshi_map_node_done(psh_map *m, const psh_want *w) {
    psh_map_node *n = pshi_map_node(m, w->node);

    m->node_stamp++;
    if (n && w->kind == PSH_ACT_ADD_NODE && n->state == PSH_MAP_NODE_STANDBY)
        n->state = PSH_MAP_NODE_UP;
    if (n && w->kind == PSH_ACT_RELEASE_NODE && n->state == PSH_MAP_NODE_LEAVING)
        n->state = PSH_MAP_NODE_STANDBY;
}

/* Observed load on a node, at the time of each observation: enough to tell which has least to move. */
static double load_on(const psh_map *m, uint32_t node) {
    double sum = 0;
    size_t i;

    for (i = 0; i < m->count; i++)
        if (m->slots[i].p.node == node)
            sum += m->slots[i].reads + m->slots[i].writes + (double)m->slots[i].p.bytes * 0x1p-60;
    return sum;
}

static size_t count_up(const psh_map *m) {
    size_t i, n = 0;

    for (i = 0; i < m->node_count; i++)
        n += m->nodes[i].state == PSH_MAP_NODE_UP;
    return n;
}

static psh_map_node *least_loaded(const psh_map *m) {
    psh_map_node *best = NULL;
    double least = HUGE_VAL, load;
    size_t i = m->node_count;

    while (i-- > 0) { /* of equal ones the last told leaves first */
        if (m->nodes[i].state != PSH_MAP_NODE_UP)
            continue;
        load = load_on(m, m->nodes[i].node);
        if (load < least || !best) {
            best = &m->nodes[i];
            least = load;
        }
    }
    return best;
}

/* Nodes that are leaving stay before standby ones are added: nothing has to be moved for that. */
static size_t call_back(psh_map *m, size_t n) {
    size_t i;

    for (i = 0; i < m->node_count && n; i++) {
        if (m->nodes[i].state != PSH_MAP_NODE_LEAVING)
            continue;
        m->nodes[i].state = PSH_MAP_NODE_UP;
        n--;
    }
    return n;
}

psh_status psh_map_resize(psh_map *m, uint32_t nodes) {
    size_t up;

    if (!m || !nodes)
        return PSH_E_INVALID;
    if (nodes > m->node_count)
        return PSH_E_CAPACITY;
    up = count_up(m);
    if (nodes > up)
        (void)call_back(m, nodes - up);
    for (; up > nodes; up--)
        least_loaded(m)->state = PSH_MAP_NODE_LEAVING;
    m->nodes_wanted = nodes;
    return PSH_OK;
}

psh_status psh_map_set_together(psh_map *m, uint32_t table, uint32_t other, double saved) {
    uint32_t low = table < other ? table : other, high = table < other ? other : table;
    void *pairs;
    psh_status st;
    size_t i;

    if (!m || table == other || !(saved >= 0) || saved > 1)
        return PSH_E_INVALID;
    if (high >= psh_schema_table_count(m->schema))
        return PSH_E_NOT_FOUND;
    for (i = 0; i < m->pair_count; i++)
        if (m->pairs[i].table == low && m->pairs[i].other == high)
            break;
    if (i < m->pair_count && saved > 0) {
        m->pairs[i].saved = saved;
    } else if (i < m->pair_count) {
        m->pairs[i] = m->pairs[--m->pair_count];
    } else if (saved > 0) {
        if (m->pair_count >= PSHI_MAP_MAX_PAIRS)
            return PSH_E_LIMIT;
        pairs = m->pairs;
        st = pshi_reserve(m->env, &pairs, &m->pair_cap, m->pair_count + 1, sizeof *m->pairs);
        m->pairs = pairs;
        if (st != PSH_OK)
            return st;
        m->pairs[m->pair_count++] = (pshi_pair){ low, high, saved };
    }
    return PSH_OK;
}
