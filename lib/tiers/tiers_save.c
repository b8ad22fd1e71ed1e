/* SPDX-License-Identifier: MIT */
/* The allocator's bytes: options, accounts, holdings. Sums are not saved but made again, then checked. */
#include "base/env.h"
#include "base/error.h"
#include "tiers/tiers.h"
#include "value/load.h"

#define TIER_LEAST 29u /* bytes of the shortest account, rule and holding: bound the counts on load */
#define RULE_LEAST 4u
#define HOLDING_LEAST 18u
#define MOST_BYTES (UINT64_C(1) << 62)

static void put_account(pshi_writer *w, const pshi_account *a) {
    pshi_put_var(w, a->info.node);
    pshi_put_var(w, a->info.tier);
    pshi_put_var(w, a->info.capacity_bytes);
    pshi_put_f64(w, a->info.price);
    pshi_put_f64(w, a->info.read_cost);
    pshi_put_f64(w, a->info.latency_us);
    pshi_put_var(w, a->released);
    pshi_put_var(w, a->closed);
}

static void put_rule(pshi_writer *w, const psh_retention *r) {
    pshi_put_var(w, r->table);
    pshi_put_var(w, r->archive_tier);
    pshi_put_int(w, r->archive_after_ns);
    pshi_put_int(w, r->drop_after_ns);
}

/* An index that may be PSH_NONE, as index + 1 or 0. */
static void put_index(pshi_writer *w, uint32_t i) {
    pshi_put_var(w, i == PSH_NONE ? 0 : (uint64_t)i + 1);
}

static void put_holding(pshi_writer *w, const pshi_holding *h) {
    pshi_put_u64(w, h->subject);
    put_index(w, h->account);
    put_index(w, h->to);
    pshi_put_var(w, h->planned);
    pshi_put_var(w, h->reserved);
    pshi_put_var(w, h->used);
    pshi_put_var(w, h->overflow);
    pshi_put_var(w, h->moving);
    pshi_put_var(w, h->pending);
    pshi_put_var(w, h->fresh);
    pshi_put_var(w, h->copy);
    pshi_put_u64(w, h->pending_id);
    pshi_put_u64(w, h->done_id);
}

static void encode_tiers(pshi_writer *w, const void *value) {
    const psh_tiers *t = value;
    size_t i;

    pshi_put_var(w, t->o.max_move_bytes);
    pshi_put_var(w, t->o.max_actions);
    pshi_put_var(w, t->o.view_tier);
    pshi_put_var(w, t->account_count);
    for (i = 0; i < t->account_count; i++)
        put_account(w, &t->accounts[i]);
    pshi_put_var(w, t->retention_count);
    for (i = 0; i < t->retention_count; i++)
        put_rule(w, &t->retention[i]);
    pshi_put_var(w, t->holding_count);
    for (i = 0; i < t->holding_count; i++)
        put_holding(w, &t->holdings[i]);
}

psh_status psh_tiers_save(const psh_tiers *t, psh_buffer *out) {
    if (!t || !out)
        return PSH_E_INVALID;
    return pshi_frame_save(out, PSHI_KIND_TIERS, encode_tiers, t);
}

/* What options are made of while they are read. */
typedef struct loading {
    psh_env *env;
    psh_tiers_options o;
    psh_tier_info *tiers;
    uint64_t *released;
    uint32_t *closed;
    psh_retention *retention;
} loading;

static psh_status get_tiers(loading *l, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    size_t n = pshi_get_count(c, TIER_LEAST), i;
    psh_status st = pshi_load_fits(max_bytes, n, sizeof *l->tiers + sizeof(pshi_account), err);

    if (st != PSH_OK)
        return st;
    l->tiers = pshi_calloc(l->env, n, sizeof *l->tiers);
    l->released = pshi_calloc(l->env, n, sizeof *l->released);
    l->closed = pshi_calloc(l->env, n, sizeof *l->closed);
    if (!l->tiers || !l->released || !l->closed)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    for (i = 0; i < n; i++) {
        l->tiers[i].node = pshi_get_var32(c);
        l->tiers[i].tier = pshi_get_var32(c);
        l->tiers[i].capacity_bytes = pshi_get_var(c);
        l->tiers[i].price = pshi_get_f64(c);
        l->tiers[i].read_cost = pshi_get_f64(c);
        l->tiers[i].latency_us = pshi_get_f64(c);
        l->released[i] = pshi_get_var(c);
        l->closed[i] = pshi_get_var32(c);
        if (l->closed[i] > 1)
            pshi_read_bad(c);
    }
    l->o.tiers = l->tiers;
    l->o.tier_count = n;
    return PSH_OK;
}

static psh_status get_retention(loading *l, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    size_t n = pshi_get_count(c, RULE_LEAST), i;
    psh_status st = pshi_load_fits(max_bytes, n, 2 * sizeof *l->retention, err);

    if (st != PSH_OK)
        return st;
    l->retention = pshi_calloc(l->env, n, sizeof *l->retention);
    if (!l->retention)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    for (i = 0; i < n; i++) {
        l->retention[i].table = pshi_get_var32(c);
        l->retention[i].archive_tier = pshi_get_var32(c);
        l->retention[i].archive_after_ns = pshi_get_int(c);
        l->retention[i].drop_after_ns = pshi_get_int(c);
    }
    l->o.retention = l->retention;
    l->o.retention_count = n;
    return PSH_OK;
}

/* Everything up to the holdings. Accounts were saved in order, so create must leave them so. */
static psh_status get_tiers_options(
    loading *l, pshi_cursor *c, size_t max_bytes, psh_tiers **out, psh_error *err) {
    psh_status st;
    size_t i;

    (void)psh_tiers_options_init(&l->o, sizeof l->o);
    l->o.max_move_bytes = pshi_get_var(c);
    l->o.max_actions = pshi_get_var32(c);
    l->o.view_tier = pshi_get_var32(c);
    if ((st = get_tiers(l, c, max_bytes, err)) != PSH_OK || (st = get_retention(l, c, max_bytes, err)) != PSH_OK)
        return st;
    if (c->status != PSH_OK || !l->o.max_actions)
        return pshi_fail(err, PSH_E_CORRUPT, "data", "damaged options");
    st = pshi_load_status(psh_tiers_create(l->env, &l->o, out, err), err);
    for (i = 0; st == PSH_OK && i < l->o.tier_count; i++) {
        (*out)->accounts[i].released = l->released[i];
        (*out)->accounts[i].closed = l->closed[i];
        if ((*out)->accounts[i].info.node != l->tiers[i].node || (*out)->accounts[i].info.tier != l->tiers[i].tier)
            st = pshi_fail(err, PSH_E_CORRUPT, "tiers", "not in order");
    }
    return st;
}

static uint32_t get_index(pshi_cursor *c, size_t n) {
    uint64_t i = pshi_get_var(c);

    if (i > n)
        pshi_read_bad(c);
    return i && i <= n ? (uint32_t)(i - 1) : PSH_NONE;
}

static void get_holding(const psh_tiers *t, pshi_cursor *c, pshi_holding *h) {
    h->subject = pshi_get_u64(c);
    h->account = get_index(c, t->account_count);
    h->to = get_index(c, t->account_count);
    h->planned = pshi_get_var(c);
    h->reserved = pshi_get_var(c);
    h->used = pshi_get_var(c);
    h->overflow = pshi_get_var(c);
    h->moving = pshi_get_var(c);
    h->pending = pshi_get_var32(c);
    h->fresh = pshi_get_var32(c);
    h->copy = pshi_get_var32(c);
    h->pending_id = pshi_get_u64(c);
    h->done_id = pshi_get_u64(c);
}

static int is_holding_possible(const pshi_holding *h) {
    if (!h->subject || h->fresh > 1 || h->copy > PSHI_COPY_READY)
        return 0;
    if (h->pending > PSH_ACT_MAX || !h->pending != !h->pending_id)
        return 0;
    if (h->planned > MOST_BYTES || h->reserved > MOST_BYTES || h->used > MOST_BYTES || h->overflow > MOST_BYTES ||
        h->moving > MOST_BYTES)
        return 0;
    if (!h->pending && (h->account == PSH_NONE || h->to != PSH_NONE || h->planned || h->fresh))
        return 0;
    if (h->account == PSH_NONE && (h->planned || h->reserved || h->used || h->overflow || h->to != PSH_NONE))
        return 0;
    if (h->to != PSH_NONE && !pshi_tiers_takes_room(h->pending))
        return 0; /* bytes are planned for what takes room alone */
    if (h->planned && !pshi_tiers_takes_room(h->pending) && h->pending != PSH_ACT_REPLICATE_PARTITION &&
        h->pending != PSH_ACT_MERGE_PARTITION)
        return 0;
    if (h->copy && h->account == PSH_NONE)
        return 0;
    return h->to == PSH_NONE ? !h->moving : h->to != h->account;
}

/* Adds bytes to an account; more than its capacity is damage. */
static int add_bytes(pshi_account *a, uint64_t *sum, uint64_t bytes) {
    if (bytes > pshi_account_free(a))
        return 0;
    *sum += bytes;
    a->granted += bytes;
    return 1;
}

static int add_holding(psh_tiers *t, const pshi_holding *h) {
    pshi_account *a;

    if (h->to != PSH_NONE) {
        a = &t->accounts[h->to];
        a->subjects++;
        if (!add_bytes(a, &a->planned, h->moving))
            return 0;
    }
    if (h->account == PSH_NONE)
        return 1;
    a = &t->accounts[h->account];
    a->subjects++;
    a->overflow += h->overflow;
    return add_bytes(a, &a->planned, h->planned) && add_bytes(a, &a->reserved, h->reserved) &&
           add_bytes(a, &a->used, h->used);
}

static psh_status get_holdings(psh_tiers *t, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    size_t n = pshi_get_count(c, HOLDING_LEAST), i;
    psh_status st = pshi_load_fits(max_bytes, n, sizeof *t->holdings, err);
    pshi_holding *h;

    if (st != PSH_OK)
        return st;
    t->holdings = pshi_calloc(t->env, n, sizeof *t->holdings);
    if (!t->holdings)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    t->holding_cap = n;
    for (i = 0; i < t->account_count; i++)
        t->accounts[i].granted = t->accounts[i].released;
    for (i = 0; i < n; i++) {
        h = &t->holdings[i];
        get_holding(t, c, h);
        if (c->status != PSH_OK || !is_holding_possible(h) || (i && h[-1].subject >= h->subject) ||
            !add_holding(t, h))
            return pshi_fail_at(err, PSH_E_CORRUPT, "holding", i, "damaged, or the ledger does not balance");
        t->holding_count = i + 1;
        t->copy_count += h->copy == PSHI_COPY_READY;
    }
    return PSH_OK;
}

psh_status psh_tiers_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_tiers **out, psh_error *err) {
    loading l = { .env = env };
    psh_tiers *t = NULL;
    pshi_frame frame;
    pshi_cursor c;
    psh_status st;

    if (!env || !out)
        return pshi_fail(err, PSH_E_INVALID, "out", "env and out are needed");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_TIERS, max_bytes, &frame, &c, err);
    if (st != PSH_OK)
        return st;
    st = get_tiers_options(&l, &c, max_bytes, &t, err);
    if (st == PSH_OK)
        st = get_holdings(t, &c, max_bytes, err);
    if (st == PSH_OK && pshi_read_end(&c) != PSH_OK)
        st = pshi_fail(err, PSH_E_CORRUPT, "data", "damaged, or bytes follow the last holding");
    pshi_frame_close(&frame);
    pshi_free(env, l.tiers);
    pshi_free(env, l.released);
    pshi_free(env, l.closed);
    pshi_free(env, l.retention);
    if (st == PSH_OK)
        *out = t;
    else
        psh_tiers_destroy(t);
    return st;
}
