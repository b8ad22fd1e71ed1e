/* SPDX-License-Identifier: MIT */
/* From wants to a plan: greedy, in order of drops, deadline and benefit, on a copy of what is free. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "ds/idmap.h"
#include "tiers/tiers.h"

#define NAME_SIZE 320u /* a table's name, 255 at most, with interval and ordinal */
#define REASON_SIZE 224u

/* What goes with an action until the plan has copied it. */
typedef struct placed {
    char name[NAME_SIZE];
    char reason[REASON_SIZE];
    size_t after_at; /* into afters */
    uint32_t account;
    uint32_t uses_freed; /* 1: has room only once the drops of its account are done */
} placed;

typedef struct placing {
    psh_tiers *t;
    psh_schema *schema;
    const psh_world *world; /* or NULL */
    uint64_t fence;
    psh_want *wants; /* in order of choice */
    size_t want_count;
    psh_action *actions;
    placed *extra; /* beside actions */
    size_t count;
    size_t max;
    pshi_idmap wanted_new;               /* subjects that some want creates */
    pshi_idmap chosen[PSH_ACT_MAX + 1];  /* by kind: subject -> index of action */
    uint64_t *afters;
    size_t after_count;
    size_t after_cap;
    uint64_t *room;  /* by account: free now, less what was placed */
    uint64_t *freed; /* by account: to be freed by drops of this plan */
    uint64_t moved;
    psh_left_out left;
} placing;

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

static int compare_wants(const void *x, const void *y) {
    const psh_want *a = x, *b = y;
    int64_t sa = want_score(a->benefit), sb = want_score(b->benefit);

    if (is_drop(a->kind) != is_drop(b->kind))
        return is_drop(a->kind) ? -1 : 1;
    if (a->deadline != b->deadline)
        return a->deadline < b->deadline ? -1 : 1;
    if (sa != sb)
        return sa > sb ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->subject != b->subject)
        return a->subject < b->subject ? -1 : 1;
    return a->generation < b->generation ? -1 : a->generation > b->generation;
}

static psh_status read_wants(placing *c, const psh_wants *wants) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < c->want_count; i++) {
        st = psh_wants_get(wants, i, &c->wants[i]);
        if (st == PSH_OK && c->wants[i].kind == PSH_ACT_CREATE_PARTITION)
            st = pshi_idmap_put(c->t->env, &c->wanted_new, c->wants[i].subject, 0);
    }
    if (c->want_count)
        qsort(c->wants, c->want_count, sizeof *c->wants, compare_wants);
    return st;
}

static psh_status prepare(placing *c, const psh_wants *wants) {
    psh_env *env = c->t->env;
    size_t i;

    c->want_count = psh_wants_count(wants);
    c->max = c->want_count < c->t->o.max_actions ? c->want_count : c->t->o.max_actions;
    c->wants = pshi_calloc(env, c->want_count, sizeof *c->wants);
    c->actions = pshi_calloc(env, c->max, sizeof *c->actions);
    c->extra = pshi_calloc(env, c->max, sizeof *c->extra);
    c->room = pshi_calloc(env, c->t->account_count, sizeof *c->room);
    c->freed = pshi_calloc(env, c->t->account_count, sizeof *c->freed);
    if (!c->wants || !c->actions || !c->extra || !c->room || !c->freed)
        return PSH_E_NOMEM;
    for (i = 0; i < c->t->account_count; i++)
        c->room[i] = pshi_account_free(&c->t->accounts[i]);
    return read_wants(c, wants);
}

static void unprepare(placing *c) {
    psh_env *env = c->t->env;
    size_t i;

    pshi_free(env, c->wants);
    pshi_free(env, c->actions);
    pshi_free(env, c->extra);
    pshi_free(env, c->room);
    pshi_free(env, c->freed);
    pshi_free(env, c->afters);
    pshi_idmap_free(env, &c->wanted_new);
    for (i = 0; i <= PSH_ACT_MAX; i++)
        pshi_idmap_free(env, &c->chosen[i]);
}

/* Room that a want may count on; an archive cannot wait for drops, since a drop may wait for it. */
static uint64_t room_for(const placing *c, const psh_want *w, uint32_t account) {
    return c->room[account] + (w->kind == PSH_ACT_ARCHIVE_PARTITION ? 0 : c->freed[account]);
}

/* Money for its bytes and work for reading them, in millionths. */
static int64_t cost_of(const pshi_account *a, double bytes) {
    double cost = (a->info.price * bytes * 0x1p-30 + a->info.read_cost) * 1e6;

    return cost < 9e18 ? (int64_t)llround(cost) : INT64_MAX;
}

/* @return the cheapest account of a node and tier (PSH_NONE = any) with room, the roomiest of equals. */
static uint32_t cheapest(const placing *c, const psh_want *w, uint32_t node, uint32_t tier, uint32_t but_tier) {
    const pshi_holding *h = pshi_tiers_find_holding(c->t, w->subject);
    uint64_t bytes = pshi_tiers_bytes(w->resources.bytes);
    uint32_t best = PSH_NONE, i;
    int64_t cost, best_cost = 0;

    for (i = 0; i < c->t->account_count; i++) {
        const pshi_account *a = &c->t->accounts[i];

        if ((node != PSH_NONE && a->info.node != node) || (tier != PSH_NONE && a->info.tier != tier))
            continue;
        if (a->info.tier == but_tier || pshi_tiers_needed(h, i, bytes) > room_for(c, w, i))
            continue;
        cost = cost_of(a, w->resources.bytes);
        if (best == PSH_NONE || cost < best_cost ||
            (cost == best_cost && room_for(c, w, i) > room_for(c, w, best))) {
            best = i;
            best_cost = cost;
        }
    }
    return best;
}

/* Where bytes go: archives and views have one tier; a creation's tier, and any node, are preferences. */
static uint32_t choose_account(const placing *c, const psh_want *w) {
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

static void take_room(placing *c, const psh_want *w, placed *x) {
    const pshi_holding *h = pshi_tiers_find_holding(c->t, w->subject);
    uint64_t need = pshi_tiers_needed(h, x->account, pshi_tiers_bytes(w->resources.bytes));

    if (need > c->room[x->account]) {
        x->uses_freed = 1;
        c->freed[x->account] -= need - c->room[x->account];
        need = c->room[x->account];
    }
    c->room[x->account] -= need;
}

static const psh_partition *find_partition(const placing *c, const psh_want *w) {
    return c->world && !is_of_view(w->kind) ? psh_world_find_partition(c->world, w->subject) : NULL;
}

/* Where a subject is: by the ledger, the world, this plan, or the want itself. @return 0 if unknown. */
static int find_home(const placing *c, const psh_want *w, uint32_t *node, uint32_t *tier) {
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
static int has_predecessor(const placing *c, const psh_want *w) {
    const psh_partition *p = find_partition(c, w);

    if (w->kind == PSH_ACT_ACTIVATE_PARTITION)
        return pshi_idmap_find(&c->wanted_new, w->subject) == PSH_NONE ||
               pshi_idmap_find(&c->chosen[PSH_ACT_CREATE_PARTITION], w->subject) != PSH_NONE;
    if (w->kind == PSH_ACT_ARCHIVE_PARTITION)
        return !p || p->state == PSH_PARTITION_SEALED ||
               pshi_idmap_find(&c->chosen[PSH_ACT_SEAL_PARTITION], w->subject) != PSH_NONE;
    return 1;
}

/* @return the counter of why a want cannot be taken, or NULL. */
static uint32_t *why_left(placing *c, const psh_want *w) {
    const pshi_holding *h = pshi_tiers_find_holding(c->t, w->subject);
    uint64_t bytes = pshi_tiers_bytes(w->resources.bytes);

    if (h && h->pending_id)
        return &c->left.under_way;
    if (pshi_idmap_find(&c->chosen[w->kind], w->subject) != PSH_NONE)
        return &c->left.repeated;
    if (!has_predecessor(c, w))
        return &c->left.waiting;
    if (c->count == c->max)
        return &c->left.budget;
    if (w->kind == PSH_ACT_ARCHIVE_PARTITION && c->t->o.max_move_bytes &&
        (bytes > c->t->o.max_move_bytes || c->moved > c->t->o.max_move_bytes - bytes))
        return &c->left.budget;
    return NULL;
}

static psh_partition named_partition(const placing *c, const psh_want *w) {
    const psh_partition *known = find_partition(c, w);
    psh_partition p = { .id = w->subject, .table = w->table, .ordinal = w->ordinal, .interval = w->interval,
                        .time_from = w->time_from, .time_to = w->time_to, .arc_first = w->arc_first,
                        .arc_last = w->arc_last, .first_write = PSH_TIME_NONE };

    if (w->subject == psh_quarantine_id(w->table))
        p.flags = PSH_PARTITION_QUARANTINE;
    return known ? *known : p;
}

static psh_status name_action(const placing *c, const psh_want *w, placed *x, psh_error *err) {
    psh_partition p;
    psh_status st;

    if (is_of_view(w->kind)) {
        snprintf(x->name, sizeof x->name, "view_%016" PRIx64, w->subject);
        return PSH_OK;
    }
    p = named_partition(c, w);
    st = psh_partition_name(c->schema, &p, x->name, sizeof x->name);
    return st == PSH_OK ? st : pshi_fail(err, st, "wants", "a partition that the schema cannot name");
}

static void explain(const placing *c, const psh_want *w, placed *x) {
    const pshi_holding *h = pshi_tiers_find_holding(c->t, w->subject);
    uint64_t bytes = pshi_tiers_bytes(w->resources.bytes);
    const char *verb = "stays";

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
static int settle_action(placing *c, psh_action *a, placed *x) {
    const pshi_holding *h = pshi_tiers_find_holding(c->t, a->want.subject);
    uint32_t node, tier;
    int is_known = find_home(c, &a->want, &node, &tier);

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

static psh_status place_want(placing *c, const psh_want *w, psh_error *err) {
    uint32_t *left = why_left(c, w);
    psh_action *a = &c->actions[c->count];
    placed *x = &c->extra[c->count];
    psh_status st;

    if (left) {
        ++*left;
        return PSH_OK;
    }
    memset(a, 0, sizeof *a);
    memset(x, 0, sizeof *x);
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
    explain(c, &a->want, x);
    if (w->kind == PSH_ACT_ARCHIVE_PARTITION)
        c->moved += pshi_tiers_bytes(w->resources.bytes);
    st = pshi_idmap_put(c->t->env, &c->chosen[w->kind], w->subject, (uint32_t)c->count);
    c->count += st == PSH_OK;
    return st;
}

static psh_status add_after(placing *c, uint64_t id) {
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

static psh_status link_action(placing *c, size_t i) {
    psh_action *a = &c->actions[i];
    uint32_t kind = kind_before(a->want.kind), first;
    psh_status st = PSH_OK;
    size_t k;

    c->extra[i].after_at = c->after_count;
    first = kind ? pshi_idmap_find(&c->chosen[kind], a->want.subject) : PSH_NONE;
    if (first != PSH_NONE)
        st = add_after(c, c->actions[first].id);
    /* Drops stand first among the chosen. */
    for (k = 0; st == PSH_OK && c->extra[i].uses_freed && k < c->count && is_drop(c->actions[k].want.kind); k++)
        if (c->extra[k].account == c->extra[i].account)
            st = add_after(c, c->actions[k].id);
    a->after_count = c->after_count - c->extra[i].after_at;
    return st;
}

static psh_status place_all(placing *c, psh_error *err) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < c->want_count; i++)
        st = place_want(c, &c->wants[i], err);
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
    placing c = { .t = t, .schema = schema, .world = world, .fence = fence };
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
