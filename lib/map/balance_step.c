/* SPDX-License-Identifier: MIT */
#include "map/balance.h"

#include <float.h>
#include <math.h>

#include <predshard/plan.h>

#include "base/env.h"

uint64_t pshi_bal_over(const pshi_bal_node *n, uint64_t load) {
    return (load << 24) / n->fair;
}

int pshi_bal_has_copy(const pshi_bal *p, const pshi_bal_item *it, uint32_t node) {
    uint32_t i;

    for (i = it->copies; i != PSH_NONE; i = p->copies[i].next)
        if (p->copies[i].node == node)
            return 1;
    return 0;
}

int pshi_bal_is_whole(const pshi_bal *p, const pshi_bal_item *it) {
    const pshi_bal_group *g = it->group == PSH_NONE ? NULL : &p->groups[it->group];

    return g && g->affinity && g->count > 1 && g->at_home == g->count && g->home == it->node;
}

/* Load over capacity, as the caller counts them. */
static double fullness(const pshi_bal *p, uint32_t node) {
    const pshi_bal_node *n = &p->nodes[node];
    double f = ldexp((double)n->load, p->exponent) / n->capacity;

    return f < DBL_MAX ? f : DBL_MAX;
}

static double fuller(const pshi_bal *p, uint32_t a, uint32_t b) {
    double fa = a == PSH_NONE ? 0 : fullness(p, a), fb = b == PSH_NONE ? 0 : fullness(p, b);

    return fa > fb ? fa : fb;
}

/* A line of the plan for a step between two nodes (indexes); NULL, and nothing goes on, without memory. */
static psh_balance_step *begin(
    pshi_bal *p, uint32_t kind, uint32_t item, uint32_t from, uint32_t to, uint32_t why) {
    void *steps = p->out->steps;
    psh_balance_step *s;

    if (p->status == PSH_OK)
        p->status = pshi_reserve(p->env, &steps, &p->out->cap, p->out->count + 1, sizeof *p->out->steps);
    p->out->steps = steps;
    if (p->status != PSH_OK) {
        p->steps_left = 0;
        return NULL;
    }
    s = &p->out->steps[p->out->count++];
    *s = (psh_balance_step){ .kind = kind, .item = p->items[item].id, .why = why };
    s->from = from == PSH_NONE ? PSH_NONE : p->nodes[from].id;
    s->to = to == PSH_NONE ? PSH_NONE : p->nodes[to].id;
    s->before = s->after = fuller(p, from, to);
    return s;
}

static void spend(pshi_bal *p, psh_balance_step *s, uint64_t bytes) {
    s->bytes = bytes;
    p->bytes_left -= bytes;
    p->steps_left--;
}

static void shift(pshi_bal *p, uint32_t from, uint32_t to, uint64_t leaves, uint64_t arrives) {
    if (from != PSH_NONE) {
        p->nodes[from].load -= leaves;
        pshi_bal_touch(p, from);
    }
    if (to == PSH_NONE)
        return;
    p->nodes[to].load += arrives;
    pshi_bal_touch(p, to);
    if (p->over[to] > p->trigger && p->fullest.place[to] == PSH_NONE && !(p->nodes[to].flags & PSH_NODE_LEAVING))
        pshi_bal_heap_push(&p->fullest, to);
}

static void regroup(pshi_bal *p, const pshi_bal_item *it, uint32_t to) {
    pshi_bal_group *g = it->group == PSH_NONE ? NULL : &p->groups[it->group];

    if (!g)
        return;
    if (g->home == PSH_NONE)
        g->home = to;
    else
        g->at_home -= it->node == g->home;
    g->at_home += to == g->home;
}

void pshi_bal_move(pshi_bal *p, uint32_t item, uint32_t to, uint32_t why) {
    pshi_bal_item *it = &p->items[item];
    uint64_t load = pshi_bal_own(it->writes, it->reads, it->replicas);
    uint32_t from = it->node;
    psh_balance_step *s = begin(p, from == PSH_NONE ? PSH_BALANCE_PLACE : PSH_BALANCE_MOVE, item, from, to, why);

    if (!s)
        return;
    if (from != PSH_NONE)
        spend(p, s, it->bytes);
    p->nodes[to].free -= it->bytes;
    regroup(p, it, to);
    it->node = to;
    it->flags |= PSHI_BAL_MOVED;
    shift(p, from, to, load, load);
    s->after = fuller(p, from, to);
}

void pshi_bal_split(pshi_bal *p, uint32_t item, uint32_t to, uint32_t cut) {
    pshi_bal_item *it = &p->items[item];
    uint64_t before = pshi_bal_own(it->writes, it->reads, it->replicas), leaves;
    psh_balance_step *s = begin(p, PSH_BALANCE_SPLIT, item, it->node, to, PSH_WHY_HOT);

    if (!s)
        return;
    spend(p, s, it->bytes / cut);
    p->nodes[to].free -= it->bytes / cut;
    it->bytes -= it->bytes / cut;
    it->writes -= it->writes / cut;
    it->reads -= it->reads / cut;
    it->parts -= (it->parts + cut - 1) / cut;
    it->flags |= PSHI_BAL_CUT;
    leaves = before - pshi_bal_own(it->writes, it->reads, it->replicas);
    s->parts = cut;
    s->share = 1.0 / cut;
    shift(p, it->node, to, leaves, leaves);
    s->after = fuller(p, it->node, to);
}

/* The copies that are known carry `each` now, where they carried `was`. */
static void share_anew(pshi_bal *p, const pshi_bal_item *it, uint64_t was, uint64_t each) {
    uint32_t i;

    for (i = it->copies; i != PSH_NONE; i = p->copies[i].next)
        shift(p, PSH_NONE, p->copies[i].node, 0, each - was); /* wraps where each is less, as it should */
}

void pshi_bal_replicate(pshi_bal *p, uint32_t item, uint32_t to, uint32_t why) {
    pshi_bal_item *it = &p->items[item];
    uint64_t before = pshi_bal_own(it->writes, it->reads, it->replicas), after;
    uint64_t was = it->reads / (it->replicas + 1);
    psh_balance_step *s = begin(p, PSH_BALANCE_REPLICATE, item, it->node, to, why);
    void *copies = p->copies;

    if (!s)
        return;
    p->status = pshi_reserve(p->env, &copies, &p->copy_cap, p->copy_count + 1, sizeof *p->copies);
    p->copies = copies;
    if (p->status != PSH_OK) {
        p->steps_left = 0;
        return;
    }
    spend(p, s, it->bytes);
    p->nodes[to].free -= it->bytes;
    it->replicas++;
    it->flags |= PSHI_BAL_COPIED;
    after = pshi_bal_own(it->writes, it->reads, it->replicas);
    share_anew(p, it, was, it->reads / (it->replicas + 1));
    p->copies[p->copy_count] = (pshi_bal_copy){ .node = to, .next = it->copies };
    it->copies = (uint32_t)p->copy_count++;
    shift(p, it->node, to, before - after, it->reads / (it->replicas + 1));
    s->share = before ? (double)(before - after) / (double)before : 0;
    s->after = fuller(p, it->node, to);
}

static void forget_copy(pshi_bal *p, pshi_bal_item *it, uint32_t node) {
    uint32_t *at = &it->copies;

    while (*at != PSH_NONE && p->copies[*at].node != node)
        at = &p->copies[*at].next;
    if (*at != PSH_NONE)
        *at = p->copies[*at].next;
}

void pshi_bal_unreplicate(pshi_bal *p, uint32_t item, uint32_t from, uint32_t why) {
    pshi_bal_item *it = &p->items[item];
    uint64_t before = pshi_bal_own(it->writes, it->reads, it->replicas), after;
    uint64_t was = it->reads / (it->replicas + 1);
    psh_balance_step *s = begin(p, PSH_BALANCE_UNREPLICATE, item, from, it->node, why);

    if (!s)
        return;
    spend(p, s, 0);
    it->replicas--;
    after = pshi_bal_own(it->writes, it->reads, it->replicas);
    if (from != PSH_NONE)
        forget_copy(p, it, from);
    share_anew(p, it, was, it->reads / (it->replicas + 1));
    shift(p, from, it->node, was, after - before);
    s->after = fuller(p, from, it->node);
}

void pshi_bal_merge(pshi_bal *p, uint32_t item, uint32_t other) {
    pshi_bal_item *it = &p->items[item], *gone = &p->items[other];
    psh_balance_step *s = begin(p, PSH_BALANCE_MERGE, item, it->node, it->node, PSH_WHY_COOLED);

    if (!s)
        return;
    spend(p, s, gone->bytes);
    s->other = gone->id;
    it->flags |= PSHI_BAL_MERGED;
    gone->flags |= PSHI_BAL_MERGED;
}
