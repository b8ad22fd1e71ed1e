/* SPDX-License-Identifier: MIT */
/* The allocator's making: options checked and copied. */
#include "tiers/tiers.h"

#include <math.h>
#include <stdlib.h>

#include "base/env.h"
#include "base/error.h"
#include "base/options.h"

#define MAX_ACCOUNTS 4096u
#define MAX_RETENTION 1024u
#define DEFAULT_ACTIONS 4096u

psh_status psh_tiers_options_init(psh_tiers_options *o, uint32_t size) {
    psh_tiers_options defaults = { .struct_size = sizeof defaults, .tier_stride = sizeof(psh_tier_info),
                                   .retention_stride = sizeof(psh_retention) };

    return pshi_options_out(o, size, &defaults, sizeof defaults);
}

static int is_amount(double x) {
    return isfinite(x) && x >= 0;
}

static psh_status check_tier(const psh_tier_info *i, size_t n, psh_error *err) {
    if (i->node == PSH_NONE || i->tier == PSH_NONE)
        return pshi_fail_at(err, PSH_E_INVALID, "tiers", n, "node and tier must be numbers");
    if (!is_amount(i->price) || !is_amount(i->read_cost) || !is_amount(i->latency_us))
        return pshi_fail_at(err, PSH_E_INVALID, "tiers", n, "prices and latencies must be finite and >= 0");
    if (i->planned_bytes || i->reserved_bytes || i->used_bytes)
        return pshi_fail_at(err, PSH_E_INVALID, "tiers", n, "ledger bytes must be 0: the allocator counts them");
    if (i->capacity_bytes > UINT64_C(1) << 62)
        return pshi_fail_at(err, PSH_E_INVALID, "tiers", n, "capacity_bytes must be <= 2^62");
    return PSH_OK;
}

static int compare_accounts(const void *x, const void *y) {
    const pshi_account *a = x, *b = y;

    if (a->info.node != b->info.node)
        return a->info.node < b->info.node ? -1 : 1;
    return a->info.tier < b->info.tier ? -1 : a->info.tier > b->info.tier;
}

static psh_status copy_tiers(psh_tiers *t, psh_error *err) {
    psh_tier_info info;
    psh_status st;
    size_t i;

    for (i = 0; i < t->account_count; i++) {
        pshi_element(&info, sizeof info, t->o.tiers, t->o.tier_stride, i);
        if ((st = check_tier(&info, i, err)) != PSH_OK)
            return st;
        t->accounts[i].info = info;
    }
    qsort(t->accounts, t->account_count, sizeof *t->accounts, compare_accounts);
    for (i = 1; i < t->account_count; i++)
        if (compare_accounts(&t->accounts[i - 1], &t->accounts[i]) == 0)
            return pshi_fail(err, PSH_E_INVALID, "tiers", "a node has the same tier twice");
    return PSH_OK;
}

static int has_tier(const psh_tiers *t, uint32_t tier) {
    size_t i;

    for (i = 0; i < t->account_count; i++)
        if (t->accounts[i].info.tier == tier)
            return 1;
    return 0;
}

static psh_status check_retention(const psh_tiers *t, const psh_retention *r, size_t i, psh_error *err) {
    if (r->archive_after_ns < 0 || r->drop_after_ns < 0)
        return pshi_fail_at(err, PSH_E_INVALID, "retention", i, "ages must be >= 0");
    if (r->archive_after_ns && r->drop_after_ns && r->archive_after_ns >= r->drop_after_ns)
        return pshi_fail_at(err, PSH_E_INVALID, "retention", i, "archive_after_ns must be < drop_after_ns");
    if (r->archive_after_ns && !has_tier(t, r->archive_tier))
        return pshi_fail_at(err, PSH_E_INVALID, "retention", i, "archive_tier is not among the tiers");
    return PSH_OK;
}

static int compare_retention(const void *x, const void *y) {
    const psh_retention *a = x, *b = y;

    return a->table < b->table ? -1 : a->table > b->table;
}

static psh_status copy_retention(psh_tiers *t, psh_error *err) {
    psh_status st;
    size_t i;

    for (i = 0; i < t->retention_count; i++) {
        pshi_element(&t->retention[i], sizeof *t->retention, t->o.retention, t->o.retention_stride, i);
        if ((st = check_retention(t, &t->retention[i], i, err)) != PSH_OK)
            return st;
    }
    if (t->retention_count)
        qsort(t->retention, t->retention_count, sizeof *t->retention, compare_retention);
    for (i = 1; i < t->retention_count; i++)
        if (t->retention[i - 1].table == t->retention[i].table)
            return pshi_fail(err, PSH_E_INVALID, "retention", "a table has two rules");
    return PSH_OK;
}

static psh_status close_standby(psh_tiers *t, psh_error *err) {
    size_t i, k, found;

    for (i = 0; i < t->o.standby_count; i++) {
        found = 0;
        for (k = 0; k < t->account_count; k++) {
            if (t->accounts[k].info.node != t->o.standby[i])
                continue;
            t->accounts[k].closed = 1;
            found = 1;
        }
        if (!found)
            return pshi_fail_at(err, PSH_E_INVALID, "standby", i, "is no node of the tiers");
    }
    t->o.standby = NULL;
    t->o.standby_count = 0;
    return PSH_OK;
}

static psh_status check_tiers_options(const psh_tiers_options *o, psh_error *err) {
    if (o->flags)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    if (!o->tiers || o->tier_count < 1 || o->tier_count > MAX_ACCOUNTS)
        return pshi_fail(err, PSH_E_INVALID, "tiers", "1..4096 of them are needed");
    if (o->tier_stride < sizeof(psh_tier_info) || o->tier_stride > 4096)
        return pshi_fail(err, PSH_E_INVALID, "tier_stride", "must be sizeof(psh_tier_info)");
    if (o->standby_count > MAX_ACCOUNTS || (o->standby_count && !o->standby))
        return pshi_fail(err, PSH_E_INVALID, "standby", "is NULL, or more than 4096 nodes");
    if (o->retention_count > MAX_RETENTION || (o->retention_count && !o->retention))
        return pshi_fail(err, PSH_E_INVALID, "retention", "is NULL, or more than 1024 rules");
    if (o->retention_count && (o->retention_stride < sizeof(psh_retention) || o->retention_stride > 4096))
        return pshi_fail(err, PSH_E_INVALID, "retention_stride", "must be sizeof(psh_retention)");
    return PSH_OK;
}

/* Both arrays into memory of our own; then the options point nowhere. */
static psh_status copy_arrays(psh_tiers *t, psh_error *err) {
    psh_status st;

    t->account_count = t->o.tier_count;
    t->retention_count = t->o.retention_count;
    t->accounts = pshi_calloc(t->env, t->account_count, sizeof *t->accounts);
    t->retention = pshi_calloc(t->env, t->retention_count, sizeof *t->retention);
    if (!t->accounts || !t->retention)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    if ((st = copy_tiers(t, err)) != PSH_OK || (st = copy_retention(t, err)) != PSH_OK)
        return st;
    t->o.tiers = NULL;
    t->o.retention = NULL;
    if ((st = close_standby(t, err)) != PSH_OK)
        return st;
    if (!has_tier(t, t->o.view_tier))
        return pshi_fail(err, PSH_E_INVALID, "view_tier", "is not among the tiers");
    return PSH_OK;
}

psh_status psh_tiers_create(psh_env *env, const psh_tiers_options *options, psh_tiers **out, psh_error *err) {
    psh_tiers_options o;
    psh_tiers *t;
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env || !options)
        return pshi_fail(err, PSH_E_INVALID, env ? "o" : "env", "is NULL");
    (void)psh_tiers_options_init(&o, sizeof o);
    if ((st = pshi_options_copy(&o, sizeof o, options, err)) != PSH_OK)
        return st;
    if ((st = check_tiers_options(&o, err)) != PSH_OK)
        return st;
    if (!o.max_actions)
        o.max_actions = DEFAULT_ACTIONS;
    t = pshi_calloc(env, 1, sizeof *t);
    if (!t)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    t->env = env;
    t->o = o;
    t->left_out.struct_size = sizeof t->left_out;
    st = copy_arrays(t, err);
    if (st == PSH_OK)
        *out = t;
    else
        psh_tiers_destroy(t);
    return st;
}

void psh_tiers_destroy(psh_tiers *t) {
    if (!t)
        return;
    pshi_free(t->env, t->accounts);
    pshi_free(t->env, t->retention);
    pshi_free(t->env, t->holdings);
    pshi_free(t->env, t);
}

const psh_retention *pshi_tiers_find_retention(const psh_tiers *t, uint32_t table) {
    size_t i;

    for (i = 0; i < t->retention_count; i++)
        if (t->retention[i].table == table)
            return &t->retention[i];
    return NULL;
}

uint32_t pshi_tiers_find_account(const psh_tiers *t, uint32_t node, uint32_t tier) {
    size_t lo = 0, hi = t->account_count, mid;
    pshi_account key = { .info = { .node = node, .tier = tier } };

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (compare_accounts(&t->accounts[mid], &key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < t->account_count && compare_accounts(&t->accounts[lo], &key) == 0 ? (uint32_t)lo : PSH_NONE;
}
