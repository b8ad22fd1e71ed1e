/* SPDX-License-Identifier: MIT */
/* The ledger: every byte is taken from an account's free ones and given back to them, and counted both ways. */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/options.h"
#include "tiers/tiers.h"

uint64_t pshi_account_free(const pshi_account *a) {
    return a->info.capacity_bytes - a->planned - a->reserved - a->used;
}

uint64_t pshi_tiers_bytes(double x) {
    return x >= 0x1p63 ? UINT64_C(1) << 63 : (uint64_t)ceil(x);
}

int pshi_tiers_takes_room(uint32_t kind) {
    return kind == PSH_ACT_CREATE_PARTITION || kind == PSH_ACT_ARCHIVE_PARTITION || kind == PSH_ACT_BUILD_VIEW;
}

uint64_t pshi_tiers_needed(const pshi_holding *h, uint32_t account, uint64_t bytes) {
    uint64_t held = h && h->account == account ? h->reserved + h->used : 0;

    return bytes > held ? bytes - held : 0;
}

static size_t lower_holding(const psh_tiers *t, uint64_t subject) {
    size_t lo = 0, hi = t->holding_count, mid;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (t->holdings[mid].subject < subject)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

pshi_holding *pshi_tiers_find_holding(const psh_tiers *t, uint64_t subject) {
    size_t at = lower_holding(t, subject);

    return at < t->holding_count && t->holdings[at].subject == subject ? &t->holdings[at] : NULL;
}

/* Moves bytes out of an account's planned, reserved or used back to its free ones. */
static void give_back(pshi_account *a, uint64_t *kind_of_account, uint64_t *held, uint64_t bytes) {
    *kind_of_account -= bytes;
    *held -= bytes;
    a->released += bytes;
}

static void take(pshi_account *a, uint64_t *kind_of_account, uint64_t *held, uint64_t bytes) {
    *kind_of_account += bytes;
    *held += bytes;
    a->granted += bytes;
}

void pshi_tiers_give_back(psh_tiers *t, pshi_holding *h) {
    pshi_account *a;

    if (h->account == PSH_NONE)
        return;
    a = &t->accounts[h->account];
    give_back(a, &a->planned, &h->planned, h->planned);
    give_back(a, &a->reserved, &h->reserved, h->reserved);
    give_back(a, &a->used, &h->used, h->used);
    a->overflow -= h->overflow;
    h->overflow = 0;
    a->subjects--;
    h->account = PSH_NONE;
}

static void release_move(psh_tiers *t, pshi_holding *h) {
    pshi_account *a;

    if (h->to == PSH_NONE)
        return;
    a = &t->accounts[h->to];
    give_back(a, &a->planned, &h->moving, h->moving);
    a->subjects--;
    h->to = PSH_NONE;
}

void pshi_tiers_remove(psh_tiers *t, pshi_holding *h) {
    size_t at = (size_t)(h - t->holdings);

    t->copy_count -= h->copy == PSHI_COPY_READY;
    memmove(h, h + 1, (t->holding_count - at - 1) * sizeof *h);
    t->holding_count--;
}

void pshi_tiers_fill(psh_tiers *t, pshi_holding *h, uint64_t bytes) {
    pshi_account *a = &t->accounts[h->account];
    uint64_t grow, part;

    a->overflow -= h->overflow;
    h->overflow = 0;
    if (bytes <= h->used) {
        give_back(a, &a->used, &h->used, h->used - bytes);
        return;
    }
    grow = bytes - h->used;
    part = grow < h->reserved ? grow : h->reserved;
    a->reserved -= part;
    h->reserved -= part;
    a->used += part;
    h->used += part;
    grow -= part;
    part = grow < pshi_account_free(a) ? grow : pshi_account_free(a);
    take(a, &a->used, &h->used, part);
    h->overflow = grow - part;
    a->overflow += h->overflow;
}

void pshi_tiers_insert(psh_tiers *t, const pshi_holding *h) {
    size_t at = lower_holding(t, h->subject);

    memmove(&t->holdings[at + 1], &t->holdings[at], (t->holding_count - at) * sizeof *h);
    t->holdings[at] = *h;
    t->holding_count++;
    t->copy_count += h->copy == PSHI_COPY_READY;
}

static psh_status reserve_holdings(psh_tiers *t, size_t more) {
    void *items = t->holdings;
    psh_status st = pshi_reserve(t->env, &items, &t->holding_cap, t->holding_count + more, sizeof *t->holdings);

    t->holdings = items; /* the array may have moved */
    return st;
}

/* Marks a subject as the action's, if there is one; room was made. */
static void mark_pending(psh_tiers *t, uint64_t subject, const psh_action *a) {
    pshi_holding *h = pshi_tiers_find_holding(t, subject);
    pshi_holding fresh = { .subject = subject, .account = PSH_NONE, .to = PSH_NONE, .fresh = 1 };

    if (!subject)
        return;
    if (!h) {
        pshi_tiers_insert(t, &fresh);
        h = pshi_tiers_find_holding(t, subject);
    }
    h->pending_id = a->id;
    h->pending = a->want.kind;
}

/* Sets the action's bytes aside: beside what the subject holds there, or in the account that it moves to. */
static void plan_bytes(psh_tiers *t, pshi_holding *h, uint32_t account, uint64_t bytes) {
    pshi_account *a = &t->accounts[account];

    if (h->account == PSH_NONE) {
        h->account = account;
        a->subjects++;
    }
    if (h->account == account) {
        take(a, &a->planned, &h->planned, pshi_tiers_needed(h, account, bytes));
        return;
    }
    h->to = account;
    a->subjects++;
    take(a, &a->planned, &h->moving, bytes);
}

static psh_status check_account(const psh_tiers *t, uint32_t node, uint32_t tier, uint32_t *account) {
    *account = pshi_tiers_find_account(t, node, tier);
    if (*account == PSH_NONE)
        return PSH_E_INVALID;
    return t->accounts[*account].closed ? PSH_E_CAPACITY : PSH_OK;
}

/* Where an action's bytes go, and how many its holder has there in the end. PSH_NONE = it takes no room. */
static psh_status check_room(
    const psh_tiers *t, const pshi_holding *h, const psh_action *a, uint32_t *account, uint64_t *bytes) {
    psh_status st = PSH_OK;

    *account = PSH_NONE;
    if (pshi_tiers_takes_room(a->want.kind)) {
        st = check_account(t, a->want.node, a->want.tier, account);
        *bytes = pshi_tiers_bytes(a->want.resources.bytes);
    } else if (a->want.kind == PSH_ACT_REPLICATE_PARTITION) {
        st = check_account(t, a->want.node, a->want.tier, account);
        *bytes = pshi_tiers_copy_bytes(t, &a->want);
        if (st == PSH_OK && h && h->account != PSH_NONE && h->account != *account)
            return PSH_E_INVALID; /* a step goes where the one before it went */
    } else if (a->want.kind == PSH_ACT_MERGE_PARTITION && pshi_tiers_merge_bytes(t, &a->want)) {
        *account = h->account;
        *bytes = h->reserved + h->used + pshi_tiers_merge_bytes(t, &a->want);
    }
    if (st != PSH_OK || *account == PSH_NONE)
        return st;
    return pshi_tiers_needed(h, *account, *bytes) > pshi_account_free(&t->accounts[*account]) ? PSH_E_CAPACITY
                                                                                              : PSH_OK;
}

static psh_status check_action(const psh_action *a) {
    if (!a->id || !a->want.subject || a->want.kind < 1 || a->want.kind > PSH_ACT_MAX)
        return PSH_E_INVALID;
    if (!isfinite(a->want.resources.bytes) || a->want.resources.bytes < 0)
        return PSH_E_INVALID;
    return pshi_move_check(&a->want);
}

psh_status psh_tiers_begin(psh_tiers *t, const psh_action *a) {
    pshi_holding *h, *p;
    uint64_t bytes = 0;
    uint32_t account;
    psh_status st;

    if (!t || !a)
        return PSH_E_INVALID;
    if ((st = check_action(a)) != PSH_OK)
        return st;
    h = pshi_tiers_find_holding(t, pshi_tiers_holder(&a->want));
    p = pshi_tiers_find_holding(t, pshi_tiers_partner(&a->want));
    if (h && h->pending_id == a->id)
        return PSH_OK;
    if ((h && h->pending_id) || (p && p->pending_id))
        return PSH_E_STATE;
    if (h && h->done_id == a->id)
        return PSH_OK;
    if ((st = pshi_move_may_begin(t, &a->want)) != PSH_OK)
        return st;
    if ((st = check_room(t, h, a, &account, &bytes)) != PSH_OK || (st = reserve_holdings(t, 2)) != PSH_OK)
        return st;
    mark_pending(t, pshi_tiers_holder(&a->want), a);
    mark_pending(t, pshi_tiers_partner(&a->want), a);
    if (account != PSH_NONE)
        plan_bytes(t, pshi_tiers_find_holding(t, pshi_tiers_holder(&a->want)), account, bytes);
    return PSH_OK;
}

/* Takes the move as done: the new account holds what the old one held. */
static void finish_move(psh_tiers *t, pshi_holding *h) {
    uint64_t filled = h->used + h->overflow, planned = h->moving;
    uint32_t to = h->to;
    pshi_account *a = &t->accounts[to];

    pshi_tiers_give_back(t, h);
    h->account = to;
    h->to = PSH_NONE;
    h->moving = 0;
    a->planned -= planned;
    a->reserved += planned;
    h->reserved = planned;
    pshi_tiers_fill(t, h, filled);
}

static void finish_action(psh_tiers *t, pshi_holding *h, const psh_want *w) {
    pshi_account *a;

    if (h->account != PSH_NONE) {
        if (h->to != PSH_NONE)
            finish_move(t, h);
        a = &t->accounts[h->account];
        a->planned -= h->planned;
        a->reserved += h->planned;
        h->reserved += h->planned;
        h->planned = 0;
        if (w->kind == PSH_ACT_SEAL_PARTITION)
            give_back(a, &a->reserved, &h->reserved, h->reserved);
    }
    pshi_move_finish(t, w); /* holdings may have moved: h is good no more */
}

static void take_back_action(psh_tiers *t, pshi_holding *h) {
    pshi_account *a;

    release_move(t, h);
    if (h->account == PSH_NONE)
        return;
    a = &t->accounts[h->account];
    give_back(a, &a->planned, &h->planned, h->planned);
    if (h->fresh && !h->used && !h->overflow)
        pshi_tiers_give_back(t, h);
}

/* The action is over for one of the subjects that it worked on. */
static void unmark(psh_tiers *t, uint64_t subject, const psh_action *a, int done) {
    pshi_holding *h = pshi_tiers_find_holding(t, subject);

    if (!h || h->pending_id != a->id)
        return;
    if (done)
        h->done_id = a->id;
    h->pending_id = 0;
    h->pending = 0;
    h->fresh = 0;
    if (h->account == PSH_NONE)
        pshi_tiers_remove(t, h);
}

psh_status psh_tiers_complete(psh_tiers *t, const psh_action *a, psh_status status) {
    pshi_holding *h;
    psh_want w;

    if (!t || !a || status > 0)
        return PSH_E_INVALID;
    h = pshi_tiers_find_holding(t, pshi_tiers_holder(&a->want));
    if (!h || !h->pending_id || h->pending_id != a->id)
        return PSH_OK; /* said before, or never begun */
    w = a->want;
    w.kind = h->pending;
    if (status == PSH_OK)
        finish_action(t, h, &w);
    else
        take_back_action(t, h);
    unmark(t, pshi_tiers_holder(&w), a, status == PSH_OK);
    unmark(t, pshi_tiers_partner(&w), a, 0);
    return PSH_OK;
}

psh_status psh_tiers_observe_usage(psh_tiers *t, uint64_t subject, uint64_t bytes) {
    pshi_holding *h;

    if (!t || bytes > UINT64_C(1) << 62)
        return PSH_E_INVALID;
    h = pshi_tiers_find_holding(t, subject);
    if (!h || h->account == PSH_NONE)
        return PSH_E_NOT_FOUND;
    pshi_tiers_fill(t, h, bytes);
    if (t->copy_count)
        pshi_move_follow(t, subject, bytes);
    return PSH_OK;
}

psh_status psh_tiers_export(const psh_tiers *t, psh_world_draft *d) {
    psh_tier_info info;
    psh_status st = PSH_OK;
    size_t i;

    if (!t || !d)
        return PSH_E_INVALID;
    for (i = 0; st == PSH_OK && i < t->account_count; i++) {
        info = t->accounts[i].info;
        if (t->accounts[i].closed)
            info.capacity_bytes = 0;
        info.planned_bytes = t->accounts[i].planned;
        info.reserved_bytes = t->accounts[i].reserved;
        info.used_bytes = t->accounts[i].used;
        st = psh_world_draft_add_tier(d, &info);
    }
    return st;
}

size_t psh_tiers_account_count(const psh_tiers *t) {
    return t->account_count;
}

psh_status psh_tiers_account(const psh_tiers *t, size_t i, psh_account *out) {
    const pshi_account *a;
    psh_account x = { 0 };

    if (!t || !out)
        return PSH_E_INVALID;
    if (i >= t->account_count)
        return PSH_E_NOT_FOUND;
    a = &t->accounts[i];
    x.node = a->info.node;
    x.tier = a->info.tier;
    x.subjects = a->subjects;
    x.capacity = a->info.capacity_bytes;
    x.planned = a->planned;
    x.reserved = a->reserved;
    x.used = a->used;
    x.granted_total = a->granted;
    x.released_total = a->released;
    x.overflow = a->overflow;
    return pshi_struct_out(out, &x, sizeof x);
}

psh_status psh_tiers_left_out(const psh_tiers *t, psh_left_out *out) {
    return t && out ? pshi_struct_out(out, &t->left_out, sizeof t->left_out) : PSH_E_INVALID;
}

/* Sums what subjects hold in each account. */
static void sum_holdings(const psh_tiers *t, pshi_account *sums) {
    const pshi_holding *h;
    size_t i;

    for (i = 0; i < t->holding_count; i++) {
        h = &t->holdings[i];
        if (h->account != PSH_NONE) {
            sums[h->account].planned += h->planned;
            sums[h->account].reserved += h->reserved;
            sums[h->account].used += h->used;
            sums[h->account].overflow += h->overflow;
            sums[h->account].subjects++;
        }
        if (h->to != PSH_NONE) {
            sums[h->to].planned += h->moving;
            sums[h->to].subjects++;
        }
    }
}

static int is_balanced(const pshi_account *a, const pshi_account *sum) {
    uint64_t held = a->planned + a->reserved + a->used;

    return a->planned == sum->planned && a->reserved == sum->reserved && a->used == sum->used &&
           a->overflow == sum->overflow && a->subjects == sum->subjects && held <= a->info.capacity_bytes &&
           a->planned <= held && a->reserved <= held && a->used <= held && a->granted - a->released == held;
}

psh_status psh_tiers_check(const psh_tiers *t) {
    pshi_account *sums;
    psh_status st = PSH_OK;
    size_t i;

    if (!t)
        return PSH_E_INVALID;
    sums = pshi_calloc(t->env, t->account_count, sizeof *sums);
    if (!sums)
        return PSH_E_NOMEM;
    sum_holdings(t, sums);
    for (i = 0; i < t->account_count; i++)
        if (!is_balanced(&t->accounts[i], &sums[i]))
            st = PSH_E_INTERNAL;
    pshi_free(t->env, sums);
    return st;
}
