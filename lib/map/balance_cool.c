/* SPDX-License-Identifier: MIT */
#include "map/balance.h"

#include <predshard/plan.h>

#include "base/checked.h"

static uint64_t load_of(const pshi_bal_item *it) {
    return pshi_bal_own(it->writes, it->reads, it->replicas);
}

/* The copy on the fullest node; PSH_NONE where nobody knows them. */
static uint32_t fullest_copy(const pshi_bal *p, const pshi_bal_item *it) {
    uint32_t best = PSH_NONE, i, node;

    for (i = it->copies; i != PSH_NONE; i = p->copies[i].next) {
        node = p->copies[i].node;
        if (best == PSH_NONE || p->over[node] > p->over[best] || (p->over[node] == p->over[best] && node < best))
            best = node;
    }
    return best;
}

/* One copy less: neither the item nor a node that it stands on becomes what would ask for a copy again. */
static int is_cool(const pshi_bal *p, const pshi_bal_item *it, uint32_t but) {
    uint64_t after = pshi_bal_own(it->writes, it->reads, it->replicas - 1), more = after - load_of(it), each;
    const pshi_bal_node *n = &p->nodes[it->node];
    uint32_t i;

    if ((double)after > p->o.split_above / 2 * (double)n->fair || pshi_bal_over(n, n->load + more) > p->trigger)
        return 0;
    each = it->reads / it->replicas - it->reads / (it->replicas + 1);
    for (i = it->copies; i != PSH_NONE; i = p->copies[i].next) {
        n = &p->nodes[p->copies[i].node];
        if (p->copies[i].node != but && pshi_bal_over(n, n->load + each) > p->trigger)
            return 0;
    }
    return 1;
}

void pshi_bal_cool(pshi_bal *p, uint32_t most) {
    uint32_t until = most < p->steps_left ? p->steps_left - most : 0, i, from;
    pshi_bal_item *it;

    for (i = 0; i < p->item_count && !(p->o.flags & PSH_BALANCE_NO_REPLICA); i++) {
        it = &p->items[i];
        if (!it->replicas || it->flags & (PSHI_BAL_CUT | PSHI_BAL_COPIED))
            continue;
        while (it->replicas && p->steps_left > until) {
            from = fullest_copy(p, it);
            if (!is_cool(p, it, from))
                break;
            pshi_bal_unreplicate(p, i, from, PSH_WHY_COOLED);
        }
    }
}

/* The item with that id; PSH_NONE if there is none. Neighbours often have ids side by side. */
static uint32_t find_item(const pshi_bal *p, uint64_t id, uint32_t near) {
    size_t lo = 0, hi = p->item_count, mid;

    if (near + 1 < p->item_count && p->items[near + 1].id == id)
        return near + 1;
    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (p->items[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < p->item_count && p->items[lo].id == id ? (uint32_t)lo : PSH_NONE;
}

static int may_join(const pshi_bal *p, const pshi_bal_item *a) {
    return a->node != PSH_NONE && !a->flags && !a->replicas && !(p->nodes[a->node].flags & PSH_NODE_LEAVING);
}

/* The right neighbour that an item may take; PSH_NONE = none. */
static uint32_t partner(const pshi_bal *p, uint32_t i) {
    const pshi_bal_item *a = &p->items[i], *b;
    double most = may_join(p, a) ? p->o.merge_below * (double)p->nodes[a->node].fair : 0;
    uint32_t j;

    if (!p->next[i] || (double)load_of(a) >= most)
        return PSH_NONE;
    j = find_item(p, p->next[i], i);
    if (j == PSH_NONE || j == i)
        return PSH_NONE;
    b = &p->items[j];
    return b->node == a->node && may_join(p, b) && (double)(load_of(a) + load_of(b)) < most ? j : PSH_NONE;
}

/* The coldest pairs first; each item is merged once in a plan. */
void pshi_bal_join(pshi_bal *p) {
    size_t n = 0, k;
    uint32_t i, j;

    if (p->o.flags & PSH_BALANCE_NO_MERGE || !p->steps_left)
        return;
    for (i = 0; i < p->item_count; i++) {
        j = partner(p, i);
        if (j == PSH_NONE)
            continue;
        p->order[n] = i;
        p->keys[n++] = load_of(&p->items[i]) + load_of(&p->items[j]);
    }
    pshi_bal_sort(p, p->keys, p->order, n);
    for (k = 0; k < n && p->steps_left; k++) {
        j = partner(p, p->order[k]);
        if (j != PSH_NONE && p->items[j].bytes <= p->bytes_left)
            pshi_bal_merge(p, p->order[k], j);
    }
}

/* What bringing a group together takes: load that it saves, less what the moves cost, 0 if it is not worth it. */
static uint64_t worth(const pshi_bal *p, const pshi_bal_group *g) {
    uint64_t cost = 0, load = 0, bytes = 0;
    const pshi_bal_item *it;
    uint32_t i, steps = 0;

    if (!g->affinity || g->home == PSH_NONE || g->at_home == g->count)
        return 0;
    for (i = g->first; i < g->first + g->count; i++) {
        it = &p->items[p->members[i]];
        if (it->node == g->home)
            continue;
        if (it->node == PSH_NONE || it->flags || pshi_bal_has_copy(p, it, g->home))
            return 0;
        if (it->bytes > p->bytes_left - bytes || it->bytes > p->nodes[g->home].free - bytes)
            return 0;
        bytes += it->bytes;
        cost += it->keep;
        load += load_of(it);
        if (++steps > p->steps_left || cost >= g->affinity)
            return 0;
    }
    if (pshi_bal_over(&p->nodes[g->home], p->nodes[g->home].load + load) > p->goal)
        return 0;
    return g->affinity - cost > (uint64_t)((pshi_u128)p->mean * p->least >> 24) ? g->affinity - cost : 0;
}

static void bring_home(pshi_bal *p, const pshi_bal_group *g) {
    uint32_t i;

    for (i = g->first; i < g->first + g->count && p->status == PSH_OK; i++)
        if (p->items[p->members[i]].node != g->home)
            pshi_bal_move(p, p->members[i], g->home, PSH_WHY_TOGETHER);
}

void pshi_bal_gather(pshi_bal *p) {
    size_t n = 0, k;
    uint32_t i;
    uint64_t w;

    if (p->o.flags & PSH_BALANCE_NO_MOVE)
        return;
    for (i = 0; i < p->group_count; i++) {
        w = worth(p, &p->groups[i]);
        if (!w)
            continue;
        p->order[n] = i;
        p->keys[n++] = ~w;
    }
    pshi_bal_sort(p, p->keys, p->order, n);
    for (k = 0; k < n && p->status == PSH_OK; k++)
        if (worth(p, &p->groups[p->order[k]]))
            bring_home(p, &p->groups[p->order[k]]);
}
