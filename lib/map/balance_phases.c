/* SPDX-License-Identifier: MIT */
#include "map/balance.h"

#include <predshard/plan.h>

#include "base/env.h"

static uint64_t load_of(const pshi_bal_item *it) {
    return pshi_bal_own(it->writes, it->reads, it->replicas);
}

/* Fills p->order with the items that `wanted` names, most load first. @return how many. */
static size_t list(pshi_bal *p, int (*wanted)(const pshi_bal *p, const pshi_bal_item *it)) {
    size_t n = 0;
    uint32_t i;

    for (i = 0; i < p->item_count; i++) {
        if (!wanted(p, &p->items[i]))
            continue;
        p->order[n] = i;
        p->keys[n++] = ~load_of(&p->items[i]);
    }
    pshi_bal_sort(p, p->keys, p->order, n);
    return n;
}

static int is_unplaced(const pshi_bal *p, const pshi_bal_item *it) {
    (void)p;
    return it->node == PSH_NONE;
}

void pshi_bal_place(pshi_bal *p) {
    size_t n = list(p, is_unplaced), i;
    uint32_t to;

    for (i = 0; i < n && p->status == PSH_OK; i++) {
        to = pshi_bal_choose(p, &p->items[p->order[i]], load_of(&p->items[p->order[i]]));
        if (to != PSH_NONE)
            pshi_bal_move(p, p->order[i], to, PSH_WHY_FORECAST);
    }
}

static int stands_on_leaving(const pshi_bal *p, const pshi_bal_item *it) {
    return it->node != PSH_NONE && !it->flags && p->nodes[it->node].flags & PSH_NODE_LEAVING;
}

/* The copy on the emptiest node that stays. */
static uint32_t emptiest_copy(const pshi_bal *p, const pshi_bal_item *it) {
    uint32_t best = PSH_NONE, i, node;

    for (i = it->copies; i != PSH_NONE; i = p->copies[i].next) {
        node = p->copies[i].node;
        if (p->nodes[node].flags & PSH_NODE_LEAVING || it->bytes > p->nodes[node].free)
            continue;
        if (best == PSH_NONE || p->over[node] < p->over[best] || (p->over[node] == p->over[best] && node < best))
            best = node;
    }
    return best;
}

static void move_owner(pshi_bal *p, uint32_t item) {
    const pshi_bal_item *it = &p->items[item];
    uint32_t to;

    if (it->bytes > p->bytes_left)
        return;
    to = pshi_bal_choose(p, it, load_of(it));
    if (to == PSH_NONE && p->steps_left > 1 && !(p->o.flags & PSH_BALANCE_NO_REPLICA)) {
        to = emptiest_copy(p, it); /* copies of its own stand everywhere else: it takes the place of one */
        if (to != PSH_NONE)
            pshi_bal_unreplicate(p, item, to, PSH_WHY_LEAVING);
    }
    if (to != PSH_NONE)
        pshi_bal_move(p, item, to, PSH_WHY_LEAVING);
}

static void move_owners(pshi_bal *p) {
    size_t n = list(p, stands_on_leaving), i;

    for (i = 0; i < n && p->steps_left; i++)
        move_owner(p, p->order[i]);
}

static uint32_t leaving_copy(const pshi_bal *p, const pshi_bal_item *it) {
    uint32_t i;

    for (i = it->copies; i != PSH_NONE; i = p->copies[i].next)
        if (p->nodes[p->copies[i].node].flags & PSH_NODE_LEAVING)
            return p->copies[i].node;
    return PSH_NONE;
}

static int has_leaving_copy(const pshi_bal *p, const pshi_bal_item *it) {
    return it->copies != PSH_NONE && leaving_copy(p, it) != PSH_NONE;
}

/* First the new copy, then the old one goes: reads never lack one, unless there is nowhere for it. */
static int move_copy(pshi_bal *p, uint32_t item) {
    pshi_bal_item *it = &p->items[item];
    uint32_t to = pshi_bal_choose(p, it, it->reads / (it->replicas + 1));

    if (to != PSH_NONE && (p->steps_left < 2 || it->bytes > p->bytes_left))
        return 0;
    if (to != PSH_NONE)
        pshi_bal_replicate(p, item, to, PSH_WHY_LEAVING);
    if (p->status == PSH_OK)
        pshi_bal_unreplicate(p, item, leaving_copy(p, it), PSH_WHY_LEAVING);
    return p->status == PSH_OK;
}

static void move_copies(pshi_bal *p) {
    size_t n = list(p, has_leaving_copy), i;

    for (i = 0; i < n && p->steps_left; i++)
        while (has_leaving_copy(p, &p->items[p->order[i]]) && p->steps_left && move_copy(p, p->order[i]))
            continue;
}

/* Before pshi_bal_bucket: it takes p->order as scratch. */
void pshi_bal_leave(pshi_bal *p) {
    if (p->staying == p->node_count)
        return;
    if (!(p->o.flags & PSH_BALANCE_NO_MOVE))
        move_owners(p);
    if (!(p->o.flags & PSH_BALANCE_NO_REPLICA))
        move_copies(p);
}

static void move_group(pshi_bal *p, const pshi_bal_try *t) {
    const pshi_bal_group *g = &p->groups[p->items[t->item].group];
    uint32_t i;

    for (i = g->first; i < g->first + g->count; i++)
        pshi_bal_move(p, p->members[i], t->to, t->why);
}

static void take(pshi_bal *p, const pshi_bal_try *t) {
    if (t->kind == PSH_BALANCE_SPLIT)
        pshi_bal_split(p, t->item, t->to, t->parts);
    else if (t->kind == PSH_BALANCE_REPLICATE)
        pshi_bal_replicate(p, t->item, t->to, t->why);
    else if (t->steps > 1)
        move_group(p, t);
    else
        pshi_bal_move(p, t->item, t->to, t->why);
}

void pshi_bal_relieve(pshi_bal *p) {
    pshi_bal_node *n;
    pshi_bal_try t;
    uint32_t node;

    while (p->steps_left && p->fullest.n && p->status == PSH_OK) {
        node = p->fullest.at[0];
        n = &p->nodes[node];
        if (p->over[node] <= p->goal)
            return;
        n->is_hot |= p->over[node] > p->trigger;
        t.kind = 0;
        if (n->is_hot)
            t = pshi_bal_find(p, node);
        if (t.kind)
            take(p, &t);
        else
            pshi_bal_heap_remove(&p->fullest, node); /* left alone, or nothing helps */
    }
}
