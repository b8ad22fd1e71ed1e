/* SPDX-License-Identifier: MIT */
#include "map/balance.h"

#include <predshard/plan.h>

#include "base/checked.h"

/* So many items on either side of the load wanted are looked at: the best load is next to it, the best bytes may
 * not be. */
#define WINDOW 64
/* A group with more members is not moved as one. */
#define GROUP_MOST 64

/* Where the search for one node stands. */
typedef struct search {
    uint32_t from;
    uint32_t to;
    uint64_t level; /* load that would make both equally full, if it went from one to the other */
    pshi_bal_try best;
} search;

static uint64_t load_of(const pshi_bal_item *it) {
    return pshi_bal_own(it->writes, it->reads, it->replicas);
}

/* A load as a share of the mean node's, in parts of PSHI_BAL_ONE. */
static uint64_t as_gain(const pshi_bal *p, uint64_t load) {
    return (load << 24) / p->mean;
}

static uint64_t level_of(const pshi_bal *p, uint32_t from, uint32_t to) {
    const pshi_bal_node *a = &p->nodes[from], *b = &p->nodes[to];
    pshi_u128 have = (pshi_u128)a->load * b->fair, has = (pshi_u128)b->load * a->fair;

    return have <= has ? 0 : (uint64_t)((have - has) / (a->fair + b->fair));
}

/* Steps and bytes used up, as shares of what is left of each; in parts of PSHI_BAL_ONE steps. */
static uint64_t price_of(const pshi_bal *p, uint32_t steps, uint64_t bytes) {
    pshi_u128 all = (pshi_u128)bytes * p->steps_left * PSHI_BAL_ONE;

    return steps * PSHI_BAL_ONE + (p->bytes_left ? (uint64_t)(all / p->bytes_left) : 0);
}

static int is_better(const pshi_bal_try *a, const pshi_bal_try *b) {
    pshi_u128 x = (pshi_u128)a->net * b->price, y = (pshi_u128)b->net * a->price;

    if (!b->kind || x != y)
        return !b->kind || x > y;
    if (a->full != b->full)
        return a->full < b->full;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes;
    if (a->kind != b->kind)
        return a->kind < b->kind;
    return a->item != b->item ? a->item < b->item : a->to < b->to;
}

/* Takes the step as the best so far if it may be taken, gains enough and is better. */
static void consider(pshi_bal *p, search *s, pshi_bal_try *t, uint64_t cost) {
    uint64_t before = p->over[s->from], a, b, after;

    t->from = s->from;
    t->to = s->to;
    if (t->steps > p->steps_left || t->bytes > p->bytes_left || t->bytes > p->nodes[s->to].free)
        return;
    a = pshi_bal_over(&p->nodes[s->from], p->nodes[s->from].load - t->leaves);
    b = pshi_bal_over(&p->nodes[s->to], p->nodes[s->to].load + t->arrives);
    after = a > b ? a : b;
    if (after >= before || before - after < p->least || before - after - p->least < cost)
        return;
    t->full = b;
    t->net = before - after - cost;
    t->price = price_of(p, t->steps, t->bytes);
    if (is_better(t, &s->best))
        s->best = *t;
}

static uint64_t add_capped(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* All of its group at once, where that is whole. */
static void consider_group(pshi_bal *p, search *s, uint32_t item) {
    const pshi_bal_group *g = &p->groups[p->items[item].group];
    pshi_bal_try t = { .kind = PSH_BALANCE_MOVE, .item = item, .why = PSH_WHY_BALANCE, .steps = g->count };
    const pshi_bal_item *it;
    uint64_t keep = 0;
    uint32_t i;

    if (g->count > GROUP_MOST)
        return;
    for (i = g->first; i < g->first + g->count; i++) {
        it = &p->items[p->members[i]];
        if (it->flags || pshi_bal_has_copy(p, it, s->to))
            return;
        t.leaves += load_of(it);
        t.bytes = add_capped(t.bytes, it->bytes);
        keep += it->keep;
    }
    t.arrives = t.leaves;
    consider(p, s, &t, as_gain(p, keep < PSHI_BAL_MOST ? keep : PSHI_BAL_MOST));
}

static void consider_move(pshi_bal *p, search *s, uint32_t item) {
    const pshi_bal_item *it = &p->items[item];
    pshi_bal_try t = { .kind = PSH_BALANCE_MOVE, .item = item, .why = PSH_WHY_BALANCE, .steps = 1 };
    uint64_t cost;

    if (p->o.flags & PSH_BALANCE_NO_MOVE || it->flags || pshi_bal_has_copy(p, it, s->to))
        return;
    t.bytes = it->bytes;
    t.leaves = t.arrives = load_of(it);
    cost = as_gain(p, it->keep);
    if (pshi_bal_is_whole(p, it)) {
        consider_group(p, s, item);
        cost += as_gain(p, p->groups[it->group].affinity);
    }
    consider(p, s, &t, cost);
}

static void consider_parts(pshi_bal *p, search *s, uint32_t item, uint64_t parts) {
    const pshi_bal_item *it = &p->items[item];
    pshi_bal_try t = { .kind = PSH_BALANCE_SPLIT, .item = item, .why = PSH_WHY_HOT, .steps = 1 };
    uint64_t rest;

    if (parts < 2)
        parts = 2;
    if (parts > it->parts)
        parts = it->parts;
    t.parts = (uint32_t)parts;
    t.bytes = it->bytes / parts;
    rest = pshi_bal_own(it->writes - it->writes / parts, it->reads - it->reads / parts, it->replicas);
    t.leaves = t.arrives = load_of(it) - rest;
    consider(p, s, &t, as_gain(p, it->keep / parts));
}

/* Parts such that one of them makes both nodes equally full, and one part less; but where the other node is
 * below its fair load it is not filled beyond that, since a part stays where this plan puts it. */
static void consider_split(pshi_bal *p, search *s, uint32_t item) {
    const pshi_bal_item *it = &p->items[item];
    const pshi_bal_node *to = &p->nodes[s->to];
    uint64_t room = to->fair > to->load ? to->fair - to->load : s->level, parts;

    if (p->o.flags & PSH_BALANCE_NO_SPLIT || it->parts < 2 || !s->level)
        return;
    if (it->flags & ~PSHI_BAL_CUT & ~PSHI_BAL_MOVED || pshi_bal_has_copy(p, it, s->to))
        return;
    parts = (load_of(it) + s->level - 1) / s->level;
    if (room < s->level)
        parts = (load_of(it) + room - 1) / room;
    consider_parts(p, s, item, parts);
    if (room >= s->level && parts > 2 && parts <= it->parts)
        consider_parts(p, s, item, parts - 1);
}

static void consider_copy(pshi_bal *p, search *s, uint32_t item) {
    const pshi_bal_item *it = &p->items[item];
    pshi_bal_try t = { .kind = PSH_BALANCE_REPLICATE, .item = item, .why = PSH_WHY_HOT, .steps = 1 };

    if (p->o.flags & PSH_BALANCE_NO_REPLICA || it->replicas >= p->o.max_replicas || !it->reads)
        return;
    if (it->parts > 1 && !(p->o.flags & PSH_BALANCE_NO_SPLIT) && !(it->flags & PSHI_BAL_PINNED))
        return; /* parts cost less to keep than copies */
    if (pshi_bal_has_copy(p, it, s->to))
        return;
    t.bytes = it->bytes;
    t.leaves = load_of(it) - pshi_bal_own(it->writes, it->reads, it->replicas + 1);
    t.arrives = it->reads / (it->replicas + 2);
    consider(p, s, &t, as_gain(p, it->keep));
}

static int is_too_hot(const pshi_bal *p, const pshi_bal_item *it) {
    return (double)load_of(it) > p->o.split_above * (double)p->nodes[it->node].fair;
}

/* The first item behind the heavy ones that has the load wanted, or less. */
static uint32_t lower(const pshi_bal *p, const pshi_bal_node *n, uint64_t load) {
    const uint32_t *index = p->order + n->first;
    uint32_t lo = n->heavy, hi = n->count, mid;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (load_of(&p->items[index[mid]]) > load)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The first place at or behind `i` whose item may still move; `end` if there is none. Runs of those that may not
 * are walked once: each place of the run then knows how far its end is. */
static uint32_t skip_ahead(pshi_bal *p, uint32_t i, uint32_t end) {
    uint32_t at = i, next;

    while (at < end && p->items[p->order[at]].flags)
        at += p->ahead[at] + 1;
    at = at < end ? at : end;
    for (; i < at; i = next) {
        next = i + p->ahead[i] + 1;
        p->ahead[i] = at - i - 1;
    }
    return at;
}

/* The same towards the front: the place behind the first one before `i`, or `end`. */
static uint32_t skip_back(pshi_bal *p, uint32_t i, uint32_t end) {
    uint32_t at = i, next;

    while (at > end && p->items[p->order[at - 1]].flags)
        at = at > end + p->back[at - 1] + 1 ? at - p->back[at - 1] - 1 : end;
    for (; i > at; i = next) {
        next = i > at + p->back[i - 1] + 1 ? i - p->back[i - 1] - 1 : at;
        p->back[i - 1] = i - at - 1;
    }
    return at;
}

static void look_around(pshi_bal *p, search *s) {
    const pshi_bal_node *n = &p->nodes[s->from];
    uint32_t first = n->first + n->heavy, end = n->first + n->count, at = n->first + lower(p, n, s->level), i, seen;

    for (i = skip_ahead(p, at, end), seen = 0; i < end && seen < WINDOW; i = skip_ahead(p, i + 1, end), seen++)
        consider_move(p, s, p->order[i]);
    for (i = skip_back(p, at, first), seen = 0; i > first && seen < WINDOW; i = skip_back(p, i - 1, first), seen++)
        consider_move(p, s, p->order[i - 1]);
}

static void look_at_heavy(pshi_bal *p, search *s) {
    const pshi_bal_node *n = &p->nodes[s->from];
    uint32_t i, item;

    for (i = 0; i < n->heavy; i++) {
        item = p->order[n->first + i];
        if (p->items[item].node != s->from)
            continue;
        consider_move(p, s, item);
        if (!is_too_hot(p, &p->items[item]))
            continue;
        consider_split(p, s, item);
        consider_copy(p, s, item);
    }
}

pshi_bal_try pshi_bal_find(pshi_bal *p, uint32_t node) {
    search s = { .from = node };
    uint32_t i;

    pshi_bal_sort_node(p, node);
    pshi_bal_targets(p);
    for (i = 0; i < p->target_count; i++) {
        s.to = p->targets[i];
        if (s.to == node)
            continue;
        s.level = level_of(p, node, s.to);
        look_at_heavy(p, &s);
        look_around(p, &s);
    }
    return s.best;
}

/* Whether it would be better there than at the best so far. */
static int is_less_full(const pshi_bal *p, const pshi_bal_item *it, uint64_t load, uint32_t node, uint32_t best) {
    uint64_t a, b;

    if (it->bytes > p->nodes[node].free || node == it->node || pshi_bal_has_copy(p, it, node))
        return 0;
    if (best == PSH_NONE)
        return 1;
    a = pshi_bal_over(&p->nodes[node], p->nodes[node].load + load);
    b = pshi_bal_over(&p->nodes[best], p->nodes[best].load + load);
    return a != b ? a < b : node < best;
}

/* With most of its group, where that is not too full for it. */
static uint32_t home_of(const pshi_bal *p, const pshi_bal_item *it, uint64_t load) {
    const pshi_bal_group *g = it->group == PSH_NONE ? NULL : &p->groups[it->group];

    if (!g || !g->affinity || g->home == PSH_NONE || p->nodes[g->home].flags & PSH_NODE_LEAVING)
        return PSH_NONE;
    if (!is_less_full(p, it, load, g->home, PSH_NONE))
        return PSH_NONE;
    return pshi_bal_over(&p->nodes[g->home], p->nodes[g->home].load + load) <= p->goal ? g->home : PSH_NONE;
}

/* Any node that has room for the bytes. Where none has, what is that large is not looked for again. */
static uint32_t choose_of_all(pshi_bal *p, const pshi_bal_item *it, uint64_t load) {
    uint32_t best = PSH_NONE, i;
    uint64_t most = 0;

    if (it->bytes > p->most_free)
        return PSH_NONE;
    for (i = 0; i < p->node_count; i++) {
        if (p->nodes[i].flags & PSH_NODE_LEAVING)
            continue;
        most = p->nodes[i].free > most ? p->nodes[i].free : most;
        if (is_less_full(p, it, load, i, best))
            best = i;
    }
    p->most_free = most;
    return best;
}

uint32_t pshi_bal_choose(pshi_bal *p, const pshi_bal_item *it, uint64_t load) {
    uint32_t best = home_of(p, it, load), i;

    if (best != PSH_NONE)
        return best;
    pshi_bal_targets(p);
    for (i = 0; i < p->target_count; i++)
        if (is_less_full(p, it, load, p->targets[i], best))
            best = p->targets[i];
    return best == PSH_NONE ? choose_of_all(p, it, load) : best;
}
