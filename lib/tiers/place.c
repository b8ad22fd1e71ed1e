/* SPDX-License-Identifier: MIT */
/* From wants to a plan: greedy, in order of drops, deadline and benefit, on a copy of what is free. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "tiers/place.h"

#define PASSES 64u /* more than links of a chain that may come in the wrong order */

static int is_drop(uint32_t kind) {
    return kind == PSH_ACT_DROP_PARTITION || kind == PSH_ACT_DROP_VIEW;
}

static int is_of_view(uint32_t kind) {
    return kind == PSH_ACT_BUILD_VIEW || kind == PSH_ACT_DROP_VIEW;
}

/* Thousandths, so that integers decide. */
static int64_t want_score(double x) {
    return (int64_t)llround((x < 1e15 ? x : 1e15) * 1e3);
}

/* Drops make room for the rest, new nodes too; a node goes last, once nothing is on it. */
static int rank_of(uint32_t kind) {
    if (is_drop(kind))
        return 0;
    return kind == PSH_ACT_ADD_NODE ? 1 : kind == PSH_ACT_RELEASE_NODE ? 3 : 2;
}

static int compare_places(const psh_want *a, const psh_want *b) {
    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    return a->step < b->step ? -1 : a->step > b->step;
}

static int compare_wants(const void *x, const void *y) {
    const psh_want *a = x, *b = y;
    int64_t sa = want_score(a->benefit), sb = want_score(b->benefit);

    if (rank_of(a->kind) != rank_of(b->kind))
        return rank_of(a->kind) < rank_of(b->kind) ? -1 : 1;
    if (a->deadline != b->deadline)
        return a->deadline < b->deadline ? -1 : 1;
    if (sa != sb)
        return sa > sb ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->subject != b->subject)
        return a->subject < b->subject ? -1 : 1;
    if (pshi_tiers_is_move(a->kind) && compare_places(a, b))
        return compare_places(a, b);
    return a->generation < b->generation ? -1 : a->generation > b->generation;
}

static psh_status read_wants(pshi_placing *c, const psh_wants *wants) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < c->want_count; i++) {
        st = psh_wants_get(wants, i, &c->wants[i]);
        if (st == PSH_OK && c->wants[i].kind == PSH_ACT_CREATE_PARTITION)
            st = pshi_idmap_put(c->t->env, &c->wanted_new, c->wants[i].subject, 0);
        if (st == PSH_OK)
            st = pshi_moves_read(c, &c->wants[i]);
    }
    if (c->want_count)
        qsort(c->wants, c->want_count, sizeof *c->wants, compare_wants);
    return st;
}

static psh_status prepare(pshi_placing *c, const psh_wants *wants) {
    psh_env *env = c->t->env;
    size_t i;

    c->want_count = psh_wants_count(wants);
    c->max = c->want_count < c->t->o.max_actions ? c->want_count : c->t->o.max_actions;
    c->wants = pshi_calloc(env, c->want_count, sizeof *c->wants);
    c->settled = pshi_calloc(env, c->want_count, 1);
    c->actions = pshi_calloc(env, c->max, sizeof *c->actions);
    c->extra = pshi_calloc(env, c->max, sizeof *c->extra);
    c->room = pshi_calloc(env, c->t->account_count, sizeof *c->room);
    c->freed = pshi_calloc(env, c->t->account_count, sizeof *c->freed);
    if (!c->wants || !c->settled || !c->actions || !c->extra || !c->room || !c->freed)
        return PSH_E_NOMEM;
    for (i = 0; i < c->t->account_count; i++)
        c->room[i] = pshi_account_free(&c->t->accounts[i]);
    return read_wants(c, wants);
}

static void unprepare(pshi_placing *c) {
    psh_env *env = c->t->env;
    size_t i;

    pshi_free(env, c->wants);
    pshi_free(env, c->settled);
    pshi_free(env, c->actions);
    pshi_free(env, c->extra);
    pshi_free(env, c->room);
    pshi_free(env, c->freed);
    pshi_free(env, c->afters);
    pshi_moves_free(c);
    pshi_idmap_free(env, &c->wanted_new);
    for (i = 0; i <= PSH_ACT_MAX; i++)
        pshi_idmap_free(env, &c->chosen[i]);
}

/* Whether a node takes what is placed now: it is there, or will be by this plan, and is to stay. */
static int is_open(const pshi_placing *c, const pshi_account *a) {
    uint64_t subject = psh_node_subject(a->info.node);

    if (pshi_idmap_find(&c->leaving, subject) != PSH_NONE)
        return 0;
    return !a->closed || pshi_idmap_find(&c->chosen[PSH_ACT_ADD_NODE], subject) != PSH_NONE;
}

/* Room that a want may count on. */
static uint64_t room_for(const pshi_placing *c, int may_wait, uint32_t account) {
    return c->room[account] + (may_wait ? c->freed[account] : 0);
}

/* Money for its bytes and work for reading them, in millionths. */
static int64_t cost_of(const pshi_account *a, double bytes) {
    double cost = (a->info.price * bytes * 0x1p-30 + a->info.read_cost) * 1e6;

    return cost < 9e18 ? (int64_t)llround(cost) : INT64_MAX;
}

uint32_t pshi_place_cheapest(
    const pshi_placing *c, uint64_t holder, double bytes, int may_wait, uint32_t node, uint32_t tier,
    uint32_t but_tier) {
    const pshi_holding *h = pshi_tiers_find_holding(c->t, holder);
    uint32_t best = PSH_NONE, i;
    int64_t cost, best_cost = 0;

    for (i = 0; i < c->t->account_count; i++) {
        const pshi_account *a = &c->t->accounts[i];

        if ((node != PSH_NONE && a->info.node != node) || (tier != PSH_NONE && a->info.tier != tier))
            continue;
        if (a->info.tier == but_tier || !is_open(c, a) ||
            pshi_tiers_needed(h, i, pshi_tiers_bytes(bytes)) > room_for(c, may_wait, i))
            continue;
        cost = cost_of(a, bytes);
        if (best == PSH_NONE || cost < best_cost ||
            (cost == best_cost && room_for(c, may_wait, i) > room_for(c, may_wait, best))) {
            best = i;
            best_cost = cost;
        }
    }
    return best;
}

/* An archive cannot wait for drops, since a drop may wait for it. */
static uint32_t cheapest(
    const pshi_placing *c, const psh_want *w, uint32_t node, uint32_t tier, uint32_t but_tier) {
    return pshi_place_cheapest(
        c, w->subject, w->resources.bytes, w->kind != PSH_ACT_ARCHIVE_PARTITION, node, tier, but_tier);
}

/* Where bytes go: archives and views have one tier; a creation's tier, and any node, are preferences. */
static uint32_t choose_account(const pshi_placing *c, const psh_want *w) {
    const psh_retention *r = pshi_tiers_find_retention(c->t, w->table);
    uint32_t archive = r && r->archive_after_ns ? r->archive_tier : PSH_NONE;
    uint32_t tier = w->tier, account;

    if (w->kind == PSH_ACT_ARCHIVE_PARTITION && tier == PSH_NONE)
        tier = archive;
    if (w->kind == PSH_ACT_BUILD_VIEW && tier == PSH_NONE)
        tier = c->t->o.view_tier;
    if (w->kind == PSH_ACT_ARCHIVE_PARTITION && tier == PSH_NONE)
        return PSH_NONE;
    account = cheapest(c, w, w->node, tier, tier == PSH_NONE ? archive : PSH_NONE);
    if (account == PSH_NONE && w->node != PSH_NONE)
        account = cheapest(c, w, PSH_NONE, tier, tier == PSH_NONE ? archive : PSH_NONE);
    if (account == PSH_NONE && w->kind == PSH_ACT_CREATE_PARTITION && tier != PSH_NONE)
        account = cheapest(c, w, PSH_NONE, PSH_NONE, archive);
    return account;
}

static void take_room(pshi_placing *c, const psh_want *w, pshi_placed *x) {
    const pshi_holding *h = pshi_tiers_find_holding(c->t, w->subject);
    uint64_t need = pshi_tiers_needed(h, x->account, pshi_tiers_bytes(w->resources.bytes));

    if (need > c->room[x->account]) {
        x->uses_freed = 1;
        c->freed[x->account] -= need - c->room[x->account];
        need = c->room[x->account];
    }
    c->room[x->account] -= need;
}

static const psh_partition *find_partition(const pshi_placing *c, const psh_want *w) {
    return c->world && !is_of_view(w->kind) ? psh_world_find_partition(c->world, w->subject) : NULL;
}

int pshi_place_home(const pshi_placing *c, const psh_want *w, uint32_t *node, uint32_t *tier) {
    const pshi_holding *h = pshi_tiers_find_holding(c->t, w->subject);
    const psh_partition *p = find_partition(c, w);
    uint32_t made = pshi_idmap_find(&c->chosen[PSH_ACT_CREATE_PARTITION], w->subject);

    *node = w->node;
    *tier = w->tier;
    if (p) {
        *node = p->node;
        *tier = p->tier;
    } else if (h && h->account != PSH_NONE) {
        *node = c->t->accounts[h->account].info.node;
        *tier = c->t->accounts[h->account].info.tier;
    } else if (made != PSH_NONE) {
        *node = c->actions[made].want.node;
        *tier = c->actions[made].want.tier;
    }
    return *node != PSH_NONE && *tier != PSH_NONE;
}

/* Whether what comes before a want in its subject's life is there or in the plan. */
static int has_predecessor(const pshi_placing *c, const psh_want *w) {
    const psh_partition *p = find_partition(c, w);

    if (w->kind == PSH_ACT_ACTIVATE_PARTITION)
        return pshi_idmap_find(&c->wanted_new, w->subject) == PSH_NONE ||
               pshi_idmap_find(&c->chosen[PSH_ACT_CREATE_PARTITION], w->subject) != PSH_NONE;
    if (w->kind == PSH_ACT_ARCHIVE_PARTITION)
        return !p || p->state == PSH_PARTITION_SEALED ||
               pshi_idmap_find(&c->chosen[PSH_ACT_SEAL_PARTITION], w->subject) != PSH_NONE;
    return pshi_moves_have_predecessor(c, w);
}

static int is_under_way(const pshi_placing *c, uint64_t subject) {
    const pshi_holding *h = subject ? pshi_tiers_find_holding(c->t, subject) : NULL;

    return h && h->pending_id;
}

/* Whether a want copies bytes that the budget for moves counts. */
static int is_counted(uint32_t kind) {
    return kind == PSH_ACT_ARCHIVE_PARTITION || kind == PSH_ACT_SPLIT_PARTITION ||
           kind == PSH_ACT_MERGE_PARTITION || kind == PSH_ACT_REPLICATE_PARTITION;
}

static int is_repeated(const pshi_placing *c, const psh_want *w) {
    if (pshi_idmap_find(&c->chosen_ids, psh_action_id(w->kind, w->subject, w->generation)) != PSH_NONE)
        return 1;
    if (pshi_tiers_is_move(w->kind))
        return w->steps && pshi_idmap_find(&c->chosen_steps, pshi_place_step(w, w->step)) != PSH_NONE;
    return pshi_idmap_find(&c->chosen[w->kind], w->subject) != PSH_NONE;
}

/* @return the counter of why a want cannot be taken, or NULL. */
static uint32_t *why_left(pshi_placing *c, const psh_want *w) {
    uint64_t bytes = pshi_tiers_bytes(w->resources.bytes), limit = c->t->o.max_move_bytes;

    if (is_under_way(c, w->subject) || is_under_way(c, pshi_tiers_holder(w)) ||
        is_under_way(c, pshi_tiers_partner(w)))
        return &c->left.under_way;
    if (is_repeated(c, w))
        return &c->left.repeated;
    if (!has_predecessor(c, w))
        return &c->left.waiting;
    if (pshi_moves_conflict(c, w))
        return &c->left.under_way;
    if (c->count == c->max)
        return &c->left.budget;
    if (is_counted(w->kind) && limit && (bytes > limit || c->moved > limit - bytes))
        return &c->left.budget;
    return NULL;
}

static psh_partition named_partition(const pshi_placing *c, const psh_want *w) {
    const psh_partition *known = find_partition(c, w);
    psh_partition p = { .id = w->subject, .table = w->table, .ordinal = w->ordinal, .interval = w->interval,
                        .time_from = w->time_from, .time_to = w->time_to, .arc_first = w->arc_first,
                        .arc_last = w->arc_last, .first_write = PSH_TIME_NONE };

    if (w->subject == psh_quarantine_id(w->table))
        p.flags = PSH_PARTITION_QUARANTINE;
    return known ? *known : p;
}

static psh_status name_action(const pshi_placing *c, const psh_want *w, pshi_placed *x, psh_error *err) {
    psh_partition p;
    psh_status st;

    if (is_of_view(w->kind)) {
        snprintf(x->name, sizeof x->name, "view_%016" PRIx64, w->subject);
        return PSH_OK;
    }
    if (pshi_tiers_is_of_node(w->kind)) {
        snprintf(x->name, sizeof x->name, "node_%u", (unsigned)w->node);
        return PSH_OK;
    }
    p = named_partition(c, w);
    st = psh_partition_name(c->schema, &p, x->name, sizeof x->name);
    return st == PSH_OK ? st : pshi_fail(err, st, "wants", "a partition that the schema cannot name");
}

static void explain(const pshi_placing *c, const psh_action *a, pshi_placed *x) {
    const psh_want *w = &a->want;
    const pshi_holding *h = pshi_tiers_find_holding(c->t, w->subject);
    uint64_t bytes = pshi_tiers_bytes(w->resources.bytes);
    const char *verb = "stays";

    if (pshi_tiers_is_move(w->kind) || pshi_tiers_is_of_node(w->kind)) {
        pshi_moves_explain(a, x);
        return;
    }
    if (pshi_tiers_takes_room(w->kind))
        verb = "goes";
    if (is_drop(w->kind)) {
        bytes = h ? h->reserved + h->used : 0;
        verb = "is freed";
    }
    snprintf(
        x->reason, sizeof x->reason,
        "%s: %" PRIu64 " bytes, %s on node %u tier %u; benefit %" PRId64 ", cost %" PRId64 " work units a day",
        psh_why_text(w->why), bytes, verb, (unsigned)w->node, (unsigned)w->tier, want_score(w->benefit) / 1000,
        want_score(w->cost) / 1000);
}

/* Settles where it is done, and takes or promises the room. @return 0 if there is no place. */
static int settle_action(pshi_placing *c, psh_action *a, pshi_placed *x) {
    const pshi_holding *h = pshi_tiers_find_holding(c->t, a->want.subject);
    uint32_t node, tier;
    int is_known;

    if (pshi_tiers_is_move(a->want.kind) || pshi_tiers_is_of_node(a->want.kind))
        return pshi_moves_settle(c, a, x);
    is_known = pshi_place_home(c, &a->want, &node, &tier);
    x->account = PSH_NONE;
    if (is_known && (find_partition(c, &a->want) || (h && h->account != PSH_NONE))) {
        a->from_node = node;
        a->from_tier = tier;
    }
    if (pshi_tiers_takes_room(a->want.kind)) {
        x->account = choose_account(c, &a->want);
        if (x->account == PSH_NONE)
            return 0;
        take_room(c, &a->want, x);
        node = c->t->accounts[x->account].info.node;
        tier = c->t->accounts[x->account].info.tier;
    } else if (!is_known) {
        return 0;
    }
    if (is_drop(a->want.kind) && h && h->account != PSH_NONE) {
        x->account = h->account;
        c->freed[h->account] += h->planned + h->reserved + h->used;
    }
    a->want.node = node;
    a->want.tier = tier;
    return 1;
}

static psh_status choose_action(pshi_placing *c, const psh_action *a) {
    psh_status st = pshi_moves_chosen(c, a);

    if (st == PSH_OK)
        st = pshi_idmap_put(c->t->env, &c->chosen_ids, a->id, (uint32_t)c->count);
    if (st == PSH_OK)
        st = pshi_idmap_put(c->t->env, &c->chosen[a->want.kind], a->want.subject, (uint32_t)c->count);
    if (st == PSH_OK && is_counted(a->want.kind))
        c->moved += pshi_tiers_bytes(a->want.resources.bytes);
    c->count += st == PSH_OK;
    return st;
}

/* @param last  0: what waits for another want may be tried once more */
static psh_status place_want(pshi_placing *c, size_t i, int last, psh_error *err) {
    const psh_want *w = &c->wants[i];
    uint32_t *left = why_left(c, w);
    psh_action *a = &c->actions[c->count];
    pshi_placed *x = &c->extra[c->count];
    psh_status st;

    if (left == &c->left.waiting && !last)
        return PSH_OK;
    c->settled[i] = 1;
    if (left) {
        ++*left;
        return PSH_OK;
    }
    memset(a, 0, sizeof *a);
    memset(x, 0, sizeof *x);
    x->behind[0] = x->behind[1] = PSH_NONE;
    a->id = psh_action_id(w->kind, w->subject, w->generation);
    a->fence = c->fence;
    a->want = *w;
    a->from_node = PSH_NONE;
    a->from_tier = PSH_NONE;
    if (!settle_action(c, a, x)) {
        c->left.no_room++;
        return PSH_OK;
    }
    if ((st = name_action(c, &a->want, x, err)) != PSH_OK)
        return st;
    explain(c, a, x);
    return choose_action(c, a);
}

static psh_status place_once(pshi_placing *c, int last, psh_error *err) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < c->want_count; i++)
        if (!c->settled[i])
            st = place_want(c, i, last, err);
    return st;
}

/* A want may stand before what it waits for: then another pass takes it. Most need one or two. */
static psh_status place_wants(pshi_placing *c, psh_error *err) {
    psh_status st = PSH_OK;
    size_t before, pass = 0;

    do {
        before = c->count;
        st = place_once(c, 0, err);
    } while (st == PSH_OK && c->count > before && ++pass < PASSES);
    return st == PSH_OK ? place_once(c, 1, err) : st;
}

psh_status pshi_place_after(pshi_placing *c, uint64_t id) {
    void *items = c->afters;
    psh_status st = pshi_reserve(c->t->env, &items, &c->after_cap, c->after_count + 1, sizeof *c->afters);

    c->afters = items;
    if (st == PSH_OK)
        c->afters[c->after_count++] = id;
    return st;
}

/* What must be done first on the same subject; 0 = nothing. */
static uint32_t kind_before(uint32_t kind) {
    if (kind == PSH_ACT_ACTIVATE_PARTITION)
        return PSH_ACT_CREATE_PARTITION;
    if (kind == PSH_ACT_ARCHIVE_PARTITION)
        return PSH_ACT_SEAL_PARTITION;
    return kind == PSH_ACT_DROP_PARTITION ? PSH_ACT_ARCHIVE_PARTITION : 0;
}

static psh_status link_action(pshi_placing *c, size_t i) {
    psh_action *a = &c->actions[i];
    uint32_t kind = kind_before(a->want.kind), first;
    psh_status st = PSH_OK;
    size_t k;

    c->extra[i].after_at = c->after_count;
    first = kind ? pshi_idmap_find(&c->chosen[kind], a->want.subject) : PSH_NONE;
    if (first != PSH_NONE)
        st = pshi_place_after(c, c->actions[first].id);
    /* Drops stand first among the chosen. */
    for (k = 0; st == PSH_OK && c->extra[i].uses_freed && k < c->count && is_drop(c->actions[k].want.kind); k++)
        if (c->extra[k].account == c->extra[i].account)
            st = pshi_place_after(c, c->actions[k].id);
    if (st == PSH_OK)
        st = pshi_moves_link(c, i);
    a->after_count = c->after_count - c->extra[i].after_at;
    return st;
}

static psh_status place_all(pshi_placing *c, psh_error *err) {
    psh_status st = place_wants(c, err);
    size_t i;

    for (i = 0; st == PSH_OK && i < c->count; i++)
        st = link_action(c, i);
    for (i = 0; st == PSH_OK && i < c->count; i++) {
        c->actions[i].name = c->extra[i].name;
        c->actions[i].reason = c->extra[i].reason;
        c->actions[i].after = c->actions[i].after_count ? c->afters + c->extra[i].after_at : NULL;
    }
    return st;
}

psh_status psh_tiers_place(
    psh_tiers *t, const psh_wants *wants, psh_schema *schema, const psh_world *world, int64_t now, uint64_t fence,
    psh_plan **out, psh_error *err) {
    pshi_placing c = { .t = t, .schema = schema, .world = world, .fence = fence };
    psh_status st;

    c.left.struct_size = sizeof c.left;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!t || !wants || !schema)
        return pshi_fail(err, PSH_E_INVALID, "wants", "t, wants and schema are needed");
    st = prepare(&c, wants);
    if (st == PSH_OK)
        st = place_all(&c, err);
    if (st == PSH_E_NOMEM)
        pshi_fail(err, st, "", psh_status_text(st));
    if (st == PSH_OK)
        st = psh_plan_create(
            t->env, now, world ? psh_world_epoch(world) : 0, c.actions, c.count, sizeof *c.actions, out, err);
    if (st == PSH_OK)
        t->left_out = c.left;
    unprepare(&c);
    return st;
}
