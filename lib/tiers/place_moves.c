/* SPDX-License-Identifier: MIT */
/* Splits, merges, copies and nodes in a plan: where they go, and what they wait for. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "tiers/place.h"
#include "value/wants.h"

uint64_t pshi_place_step(const psh_want *w, uint32_t step) {
    return psh_action_id(w->kind, pshi_tiers_holder(w), step);
}

/* Where a partition is: the ledger hears of every move, a world is published after it. @return 0 if unknown */
static int home_of(const pshi_placing *c, uint64_t partition, uint32_t *node, uint32_t *tier) {
    psh_want w = { .kind = PSH_ACT_SEAL_PARTITION, .subject = partition, .node = PSH_NONE, .tier = PSH_NONE };
    const pshi_holding *h = pshi_tiers_find_holding(c->t, partition);

    if (!h || h->account == PSH_NONE)
        return pshi_place_home(c, &w, node, tier);
    *node = c->t->accounts[h->account].info.node;
    *tier = c->t->accounts[h->account].info.tier;
    return 1;
}

static int is_stepped(uint32_t kind) {
    return kind == PSH_ACT_SPLIT_PARTITION || kind == PSH_ACT_REPLICATE_PARTITION;
}

/* The key of the split of a source at a point. */
static uint64_t cut_key(uint64_t source, uint64_t at) {
    return psh_action_id(PSH_ACT_SPLIT_PARTITION, source, at);
}

/* The other partition of a split or merge; 0 = none. */
static uint64_t source_of(const psh_want *w) {
    return w->kind == PSH_ACT_SPLIT_PARTITION || w->kind == PSH_ACT_MERGE_PARTITION ? w->source : 0;
}

psh_status pshi_moves_read(pshi_placing *c, const psh_want *w) {
    psh_status st = PSH_OK;

    if (w->kind == PSH_ACT_RELEASE_NODE)
        return pshi_idmap_put(c->t->env, &c->leaving, w->subject, 0);
    if (is_stepped(w->kind))
        st = pshi_idmap_put(c->t->env, &c->wanted_steps, pshi_place_step(w, w->step), 0);
    if (st == PSH_OK && w->kind == PSH_ACT_SPLIT_PARTITION)
        st = pshi_idmap_put(c->t->env, &c->wanted_cuts, cut_key(w->source, w->arc_first), 0);
    if (st == PSH_OK && w->kind == PSH_ACT_REPLICATE_PARTITION)
        st = pshi_idmap_put(c->t->env, &c->copied, pshi_tiers_holder(w), w->steps);
    return st;
}

static int step_is_due(const pshi_placing *c, const psh_want *w) {
    uint64_t before = pshi_place_step(w, w->step - 1);

    return w->step <= 1 || pshi_idmap_find(&c->wanted_steps, before) == PSH_NONE ||
           pshi_idmap_find(&c->chosen_steps, before) != PSH_NONE;
}

/* A split takes the end of its source's arc: what is cut off behind it goes first. */
static int cut_is_due(const pshi_placing *c, const psh_want *w) {
    uint64_t behind = cut_key(w->source, w->arc_last + 1);

    return w->arc_last == UINT64_MAX || pshi_idmap_find(&c->wanted_cuts, behind) == PSH_NONE ||
           pshi_idmap_find(&c->chosen_cuts, behind) != PSH_NONE;
}

static int copy_is_ready(const pshi_placing *c, const psh_want *w) {
    psh_want copy = { .kind = PSH_ACT_REPLICATE_PARTITION, .subject = w->subject, .node = w->node };
    const pshi_holding *h = pshi_tiers_find_holding(c->t, pshi_tiers_holder(&copy));
    uint32_t steps = pshi_idmap_find(&c->copied, pshi_tiers_holder(&copy));

    if (steps != PSH_NONE)
        return pshi_idmap_find(&c->chosen_steps, pshi_place_step(&copy, steps)) != PSH_NONE;
    return !h || h->copy != PSHI_COPY_WARMING;
}

/* A replica where the owner is comes only of a promotion elsewhere. */
static int may_drop_replica(const pshi_placing *c, const psh_want *w) {
    uint32_t node, tier, at = pshi_idmap_find(&c->chosen[PSH_ACT_PROMOTE_PARTITION], w->subject);

    if (!home_of(c, w->subject, &node, &tier) || node != w->node)
        return 1;
    return at != PSH_NONE && c->actions[at].want.node != w->node;
}

/* Whether an action of the plan takes what a subject holds off its node. */
static int leaves_node(const pshi_placing *c, uint64_t subject, uint32_t node) {
    uint64_t copy = psh_replica_id(subject, node);
    uint32_t at;

    if (pshi_idmap_find(&c->chosen_gone, subject) != PSH_NONE || pshi_idmap_find(&c->chosen_gone, copy) != PSH_NONE)
        return 1;
    if (pshi_idmap_find(&c->chosen[PSH_ACT_DROP_PARTITION], subject) != PSH_NONE ||
        pshi_idmap_find(&c->chosen[PSH_ACT_DROP_VIEW], subject) != PSH_NONE)
        return 1;
    at = pshi_idmap_find(&c->chosen[PSH_ACT_ARCHIVE_PARTITION], subject);
    if (at != PSH_NONE && c->actions[at].want.node != node)
        return 1;
    at = pshi_idmap_find(&c->touched, subject);
    return at != PSH_NONE && source_of(&c->actions[at].want) == subject &&
           c->actions[at].want.kind == PSH_ACT_MERGE_PARTITION && c->actions[at].want.node != node;
}

static int is_on(const pshi_placing *c, uint32_t account, uint32_t node) {
    return account != PSH_NONE && c->t->accounts[account].info.node == node;
}

/* Whether a node holds nothing once this plan is done. */
static int becomes_empty(const pshi_placing *c, uint32_t node) {
    const pshi_holding *h;
    size_t i;

    for (i = 0; i < c->t->holding_count; i++) {
        h = &c->t->holdings[i];
        if (is_on(c, h->to, node) || (is_on(c, h->account, node) && !leaves_node(c, h->subject, node)))
            return 0;
    }
    for (i = 0; i < c->count; i++)
        if (!pshi_tiers_is_of_node(c->actions[i].want.kind) && is_on(c, c->extra[i].account, node) &&
            c->actions[i].want.node == node && c->actions[i].from_node != node)
            return 0;
    return 1;
}

int pshi_moves_have_predecessor(const pshi_placing *c, const psh_want *w) {
    switch (w->kind) {
    case PSH_ACT_SPLIT_PARTITION:
        if (pshi_idmap_find(&c->wanted_new, w->subject) != PSH_NONE &&
            pshi_idmap_find(&c->chosen[PSH_ACT_CREATE_PARTITION], w->subject) == PSH_NONE)
            return 0;
        return step_is_due(c, w) && cut_is_due(c, w);
    case PSH_ACT_REPLICATE_PARTITION:
        return step_is_due(c, w);
    case PSH_ACT_PROMOTE_PARTITION:
        return copy_is_ready(c, w);
    case PSH_ACT_DROP_REPLICA:
        return may_drop_replica(c, w);
    case PSH_ACT_RELEASE_NODE:
        return becomes_empty(c, w->node);
    default:
        return 1;
    }
}

/* Whether `w` may be done on a partition after `before`, of the same plan. */
static int may_follow(const psh_want *before, const psh_want *w) {
    int same = before->subject == w->subject;

    switch (w->kind) {
    case PSH_ACT_SPLIT_PARTITION:
        if (!same)
            return before->kind == PSH_ACT_SPLIT_PARTITION && before->source == w->source &&
                   before->step == before->steps && before->arc_first - 1 == w->arc_last;
        if (before->kind == PSH_ACT_CREATE_PARTITION)
            return 1;
        return before->kind == PSH_ACT_SPLIT_PARTITION && before->source == w->source && before->step < w->step;
    case PSH_ACT_MERGE_PARTITION:
        return before->kind == PSH_ACT_DROP_REPLICA;
    case PSH_ACT_REPLICATE_PARTITION:
        if (before->kind != PSH_ACT_REPLICATE_PARTITION)
            return 0;
        return before->node == w->node ? before->step < w->step : before->step == before->steps;
    case PSH_ACT_PROMOTE_PARTITION:
        return before->kind == PSH_ACT_REPLICATE_PARTITION && before->step == before->steps;
    case PSH_ACT_DROP_REPLICA:
        return (before->kind == PSH_ACT_PROMOTE_PARTITION || before->kind == PSH_ACT_DROP_REPLICA) &&
               before->node != w->node;
    default:
        return !pshi_tiers_is_move(before->kind);
    }
}

static int conflicts_on(const pshi_placing *c, uint64_t partition, const psh_want *w) {
    uint32_t at = partition ? pshi_idmap_find(&c->touched, partition) : PSH_NONE;

    return at != PSH_NONE && !may_follow(&c->actions[at].want, w);
}

int pshi_moves_conflict(const pshi_placing *c, const psh_want *w) {
    return conflicts_on(c, w->subject, w) || conflicts_on(c, source_of(w), w);
}

/* The action of this plan that is the step before; PSH_NONE if there is none. */
static uint32_t step_before(const pshi_placing *c, const psh_want *w) {
    return w->step > 1 ? pshi_idmap_find(&c->chosen_steps, pshi_place_step(w, w->step - 1)) : PSH_NONE;
}

/* A later step goes where the ledger, or the step before it in this plan, has put the first. */
static uint32_t account_so_far(const pshi_placing *c, const psh_want *w) {
    const pshi_holding *h = pshi_tiers_find_holding(c->t, pshi_tiers_holder(w));
    uint32_t before = step_before(c, w);

    if (h && h->account != PSH_NONE)
        return h->account;
    return before == PSH_NONE ? PSH_NONE : c->extra[before].account;
}

static uint32_t choose_copy_account(const pshi_placing *c, const psh_want *w, double bytes) {
    const psh_retention *r = pshi_tiers_find_retention(c->t, w->table);
    uint32_t archive = r && r->archive_after_ns ? r->archive_tier : PSH_NONE, account = PSH_NONE;
    uint64_t holder = pshi_tiers_holder(w);

    if (w->tier != PSH_NONE)
        account = pshi_place_cheapest(c, holder, bytes, 0, w->node, w->tier, PSH_NONE);
    if (account == PSH_NONE)
        account = pshi_place_cheapest(c, holder, bytes, 0, w->node, PSH_NONE, archive);
    if (account == PSH_NONE && archive != PSH_NONE)
        account = pshi_place_cheapest(c, holder, bytes, 0, w->node, PSH_NONE, PSH_NONE);
    return account;
}

/* Bytes that the copy needs in all: the ledger's word for the owner, and the world's where that says more. */
static uint64_t whole_copy(const pshi_placing *c, const psh_want *w) {
    const psh_partition *p = c->world ? psh_world_find_partition(c->world, w->subject) : NULL;
    uint64_t bytes = pshi_tiers_copy_bytes(c->t, w), world = p ? p->bytes : 0;

    if (p && p->state < PSH_PARTITION_SEALED && p->bytes_planned > world)
        world = p->bytes_planned;
    return bytes > world ? bytes : world;
}

static int settle_copy(pshi_placing *c, psh_action *a, pshi_placed *x) {
    uint64_t bytes = whole_copy(c, &a->want), need;
    uint32_t so_far = account_so_far(c, &a->want);

    if (a->from_node == a->want.node)
        return 0;
    x->account = so_far == PSH_NONE ? choose_copy_account(c, &a->want, (double)bytes) : so_far;
    if (x->account == PSH_NONE)
        return 0;
    need = pshi_tiers_needed(pshi_tiers_find_holding(c->t, pshi_tiers_holder(&a->want)), x->account, bytes);
    if (step_before(c, &a->want) != PSH_NONE)
        need = 0; /* the first of them took it */
    if (need > c->room[x->account])
        return 0;
    c->room[x->account] -= need;
    a->want.tier = c->t->accounts[x->account].info.tier;
    return 1;
}

static int settle_merge(pshi_placing *c, psh_action *a, pshi_placed *x) {
    uint64_t bytes = pshi_tiers_merge_bytes(c->t, &a->want);
    uint32_t account = pshi_tiers_find_account(c->t, a->want.node, a->want.tier);

    if (!bytes)
        return 1;
    if (account == PSH_NONE || bytes > c->room[account])
        return 0;
    c->room[account] -= bytes;
    x->account = account;
    return 1;
}

/* The tier of a replica: by the ledger, or by the plan that makes it. */
static uint32_t replica_tier(const pshi_placing *c, const psh_want *w) {
    const pshi_holding *h = pshi_tiers_find_holding(c->t, psh_replica_id(w->subject, w->node));
    uint32_t at = pshi_idmap_find(&c->chosen[PSH_ACT_REPLICATE_PARTITION], w->subject);

    if (h && h->account != PSH_NONE)
        return c->t->accounts[h->account].info.tier;
    if (at != PSH_NONE && c->actions[at].want.node == w->node)
        return c->actions[at].want.tier;
    return PSH_NONE;
}

int pshi_moves_settle(pshi_placing *c, psh_action *a, pshi_placed *x) {
    uint64_t source = source_of(&a->want);
    uint32_t node, tier;

    x->account = PSH_NONE;
    if (pshi_tiers_is_of_node(a->want.kind))
        return 1;
    if (source) {
        if (!home_of(c, a->want.subject, &node, &tier) || !home_of(c, source, &a->from_node, &a->from_tier))
            return 0;
        a->want.node = node;
        a->want.tier = tier;
        return a->want.kind == PSH_ACT_SPLIT_PARTITION || settle_merge(c, a, x);
    }
    if (!home_of(c, a->want.subject, &a->from_node, &a->from_tier))
        return 0;
    if (a->want.kind == PSH_ACT_REPLICATE_PARTITION)
        return settle_copy(c, a, x);
    tier = replica_tier(c, &a->want);
    if (a->want.kind == PSH_ACT_PROMOTE_PARTITION) {
        a->want.tier = tier;
        return tier != PSH_NONE && a->from_node != a->want.node;
    }
    if (tier != PSH_NONE)
        a->want.tier = tier;
    else if (a->from_node == a->want.node)
        a->want.tier = a->from_tier; /* the owner that is a replica by then */
    a->from_node = a->want.node;
    a->from_tier = a->want.tier;
    return 1;
}

psh_status pshi_moves_chosen(pshi_placing *c, const psh_action *a) {
    psh_env *env = c->t->env;
    uint32_t at = (uint32_t)c->count;
    psh_status st = PSH_OK;

    if (!pshi_action_is_of_partition(a->want.kind))
        return PSH_OK;
    c->extra[at].behind[0] = pshi_idmap_find(&c->touched, a->want.subject);
    if (source_of(&a->want))
        c->extra[at].behind[1] = pshi_idmap_find(&c->touched, a->want.source);
    st = pshi_idmap_put(env, &c->touched, a->want.subject, at);
    if (st == PSH_OK && source_of(&a->want))
        st = pshi_idmap_put(env, &c->touched, a->want.source, at);
    if (st == PSH_OK && is_stepped(a->want.kind))
        st = pshi_idmap_put(env, &c->chosen_steps, pshi_place_step(&a->want, a->want.step), at);
    if (st == PSH_OK && a->want.kind == PSH_ACT_SPLIT_PARTITION && a->want.step == a->want.steps)
        st = pshi_idmap_put(env, &c->chosen_cuts, cut_key(a->want.source, a->want.arc_first), at);
    if (st == PSH_OK && a->want.kind == PSH_ACT_DROP_REPLICA)
        st = pshi_idmap_put(env, &c->chosen_gone, pshi_tiers_holder(&a->want), at);
    return st;
}

/* What takes something off a node comes before its release. */
static psh_status link_release(pshi_placing *c, uint32_t node) {
    const psh_action *a;
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < c->count; i++) {
        a = &c->actions[i];
        if (!pshi_tiers_is_of_node(a->want.kind) && a->from_node == node)
            st = pshi_place_after(c, a->id);
    }
    return st;
}

psh_status pshi_moves_link(pshi_placing *c, size_t i) {
    const psh_action *a = &c->actions[i];
    const pshi_placed *x = &c->extra[i];
    psh_status st = PSH_OK;
    uint32_t at = PSH_NONE;

    if (a->want.kind == PSH_ACT_RELEASE_NODE)
        return link_release(c, a->want.node);
    if (x->account != PSH_NONE && !pshi_tiers_is_of_node(a->want.kind))
        at = pshi_idmap_find(
            &c->chosen[PSH_ACT_ADD_NODE], psh_node_subject(c->t->accounts[x->account].info.node));
    if (at != PSH_NONE)
        st = pshi_place_after(c, c->actions[at].id);
    if (!pshi_tiers_is_move(a->want.kind))
        return st;
    if (st == PSH_OK && x->behind[0] != PSH_NONE)
        st = pshi_place_after(c, c->actions[x->behind[0]].id);
    if (st == PSH_OK && x->behind[1] != PSH_NONE && x->behind[1] != x->behind[0])
        st = pshi_place_after(c, c->actions[x->behind[1]].id);
    return st;
}

void pshi_moves_explain(const psh_action *a, pshi_placed *x) {
    const psh_want *w = &a->want;
    char step[32] = "";

    if (w->steps)
        snprintf(step, sizeof step, " in step %u of %u", (unsigned)w->step, (unsigned)w->steps);
    if (pshi_tiers_is_of_node(w->kind))
        snprintf(
            x->reason, sizeof x->reason, "%s: node %u %s", psh_why_text(w->why), (unsigned)w->node,
            w->kind == PSH_ACT_ADD_NODE ? "is added" : "is released");
    else
        snprintf(
            x->reason, sizeof x->reason,
            "%s: %" PRIu64 " bytes%s, from node %u tier %u to node %u tier %u; benefit %" PRId64 ", cost %" PRId64
            " work units a day",
            psh_why_text(w->why), pshi_tiers_bytes(w->resources.bytes), step, (unsigned)a->from_node,
            (unsigned)a->from_tier, (unsigned)w->node, (unsigned)w->tier,
            (int64_t)llround(w->benefit < 1e15 ? w->benefit : 1e15),
            (int64_t)llround(w->cost < 1e15 ? w->cost : 1e15));
}

void pshi_moves_free(pshi_placing *c) {
    psh_env *env = c->t->env;

    pshi_idmap_free(env, &c->wanted_steps);
    pshi_idmap_free(env, &c->leaving);
    pshi_idmap_free(env, &c->wanted_cuts);
    pshi_idmap_free(env, &c->chosen_cuts);
    pshi_idmap_free(env, &c->copied);
    pshi_idmap_free(env, &c->chosen_ids);
    pshi_idmap_free(env, &c->chosen_steps);
    pshi_idmap_free(env, &c->chosen_gone);
    pshi_idmap_free(env, &c->touched);
}
