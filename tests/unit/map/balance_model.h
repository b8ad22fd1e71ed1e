/* SPDX-License-Identifier: MIT */
/** @file balance_model.h  What a plan's steps do, told a second time and slowly: loads from who stands where. */
#ifndef TEST_BALANCE_MODEL_H
#define TEST_BALANCE_MODEL_H

#include <predshard/plan.h>

#include "test.h"

#define MODEL_ITEMS 1024
#define MODEL_NODES 64
#define MODEL_COPIES 8

typedef struct model {
    psh_heat item[MODEL_ITEMS];
    uint32_t copy[MODEL_ITEMS][MODEL_COPIES];
    int gone[MODEL_ITEMS]; /* merged */
    size_t items;
    psh_heat_node node[MODEL_NODES];
    size_t nodes;
    uint64_t next_id;      /* of parts */
} model;

static inline uint64_t model_random(uint64_t *state) {
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline size_t model_find(const model *m, uint64_t id) {
    size_t i;

    for (i = 0; i < m->items && (m->item[i].id != id || m->gone[i]); i++)
        continue;
    assert_true(i < m->items);
    return i;
}

static inline size_t model_node(const model *m, uint32_t id) {
    size_t i;

    for (i = 0; i < m->nodes && m->node[i].node != id; i++)
        continue;
    assert_true(i < m->nodes);
    return i;
}

static inline double model_owner(const psh_heat *h) {
    return h->writes + h->reads / (1 + h->replicas);
}

/* Load over capacity of a node. */
static inline double model_full(const model *m, size_t node) {
    double load = 0;
    size_t i, k;

    for (i = 0; i < m->items; i++) {
        if (m->gone[i])
            continue;
        if (m->item[i].node == m->node[node].node)
            load += model_owner(&m->item[i]);
        for (k = 0; m->item[i].replica_nodes && k < m->item[i].replicas; k++)
            if (m->copy[i][k] == m->node[node].node)
                load += m->item[i].reads / (1 + m->item[i].replicas);
    }
    return load / m->node[node].capacity;
}

/* The fullest node over the mean of what stays; what is not placed counts in the mean. */
static inline double model_imbalance(const model *m) {
    double total = 0, capacity = 0, most = 0, f;
    size_t i;

    for (i = 0; i < m->items; i++)
        total += m->gone[i] ? 0 : m->item[i].writes + m->item[i].reads;
    for (i = 0; i < m->nodes; i++) {
        capacity += m->node[i].flags & PSH_NODE_LEAVING ? 0 : m->node[i].capacity;
        f = model_full(m, i);
        most = f > most ? f : most;
    }
    return total > 0 ? most * capacity / total : 1;
}

static inline void model_split(model *m, psh_heat *h, const psh_balance_step *s) {
    psh_heat *part = &m->item[m->items];

    assert_true(m->items < MODEL_ITEMS && s->parts >= 2 && s->parts <= h->max_parts);
    assert_true(s->share > 1.0 / s->parts - 1e-12 && s->share < 1.0 / s->parts + 1e-12);
    *part = *h;
    part->id = m->next_id++;
    part->next = 0;
    part->node = s->to;
    part->max_parts = 0;
    part->writes /= s->parts;
    part->reads /= s->parts;
    part->bytes /= s->parts;
    part->replica_nodes = m->copy[m->items];
    memcpy(m->copy[m->items], m->copy[h - m->item], sizeof *m->copy);
    m->gone[m->items++] = 0;
    h->writes -= part->writes;
    h->reads -= part->reads;
    h->bytes -= part->bytes;
    h->max_parts -= (h->max_parts + s->parts - 1) / s->parts;
}

static inline void model_drop_copy(model *m, size_t i, uint32_t node) {
    size_t k = 0;

    while (k < m->item[i].replicas && m->copy[i][k] != node)
        k++;
    assert_true(k < m->item[i].replicas);
    m->copy[i][k] = m->copy[i][--m->item[i].replicas];
}

static inline void model_apply(model *m, const psh_balance_step *s) {
    size_t i = model_find(m, s->item);
    psh_heat *h = &m->item[i], *other;

    if (s->kind == PSH_BALANCE_MOVE || s->kind == PSH_BALANCE_PLACE) {
        assert_int_equal(h->node, s->from);
        assert_false(h->flags & PSH_HEAT_PINNED);
        h->node = s->to;
    } else if (s->kind == PSH_BALANCE_SPLIT) {
        assert_false(h->flags & PSH_HEAT_PINNED);
        assert_int_equal(h->node, s->from);
        model_split(m, h, s);
    } else if (s->kind == PSH_BALANCE_REPLICATE) {
        assert_true(h->replicas < MODEL_COPIES && h->node == s->from && s->from != s->to);
        m->copy[i][h->replicas++] = s->to;
        h->replica_nodes = m->copy[i];
    } else if (s->kind == PSH_BALANCE_UNREPLICATE) {
        assert_int_equal(h->node, s->to);
        model_drop_copy(m, i, s->from);
    } else {
        assert_int_equal(s->kind, PSH_BALANCE_MERGE);
        other = &m->item[model_find(m, s->other)];
        assert_true(h->next == s->other && h->node == other->node && h->node == s->from);
        h->writes += other->writes;
        h->reads += other->reads;
        h->bytes += other->bytes;
        h->next = other->next;
        m->gone[other - m->item] = 1;
    }
}

/* Lets go of what was merged away, so that the items can be planned again. */
static inline void model_pack(model *m) {
    size_t i, n = 0;

    for (i = 0; i < m->items; i++) {
        if (m->gone[i])
            continue;
        m->item[n] = m->item[i];
        if (n != i)
            memcpy(m->copy[n], m->copy[i], sizeof *m->copy);
        m->item[n].replica_nodes = m->item[n].replicas ? m->copy[n] : NULL;
        m->gone[n++] = 0;
    }
    m->items = n;
}

static inline psh_balance *model_plan(psh_env *env, const model *m, const psh_balance_options *o) {
    psh_balance *b = NULL;
    psh_error err = { .struct_size = sizeof err };
    psh_status st = psh_balance_create(
        env, o, m->item, m->items, sizeof *m->item, m->node, m->nodes, sizeof *m->node, &b, &err);

    if (st != PSH_OK)
        print_error("%s: %s\n", err.field, err.text);
    assert_ok(st);
    return b;
}

#endif
