/* SPDX-License-Identifier: MIT */
/* What splits, merges, copies and nodes do to the ledger. */
#include "tiers/tiers.h"

int pshi_tiers_is_move(uint32_t kind) {
    return kind >= PSH_ACT_SPLIT_PARTITION && kind <= PSH_ACT_DROP_REPLICA;
}

int pshi_tiers_is_of_node(uint32_t kind) {
    return kind == PSH_ACT_ADD_NODE || kind == PSH_ACT_RELEASE_NODE;
}

uint64_t pshi_tiers_holder(const psh_want *w) {
    if (w->kind == PSH_ACT_REPLICATE_PARTITION || w->kind == PSH_ACT_DROP_REPLICA)
        return psh_replica_id(w->subject, w->node);
    return w->subject;
}

uint64_t pshi_tiers_partner(const psh_want *w) {
    switch (w->kind) {
    case PSH_ACT_SPLIT_PARTITION:
    case PSH_ACT_MERGE_PARTITION:
        return w->source;
    case PSH_ACT_REPLICATE_PARTITION:
    case PSH_ACT_DROP_REPLICA:
        return w->subject;
    case PSH_ACT_PROMOTE_PARTITION:
        return psh_replica_id(w->subject, w->node);
    default:
        return 0;
    }
}

uint64_t pshi_tiers_held(const pshi_holding *h) {
    return h && h->account != PSH_NONE ? h->planned + h->reserved + h->used : 0;
}

uint64_t pshi_tiers_copy_bytes(const psh_tiers *t, const psh_want *w) {
    const pshi_holding *owner = pshi_tiers_find_holding(t, w->subject);
    uint64_t step = pshi_tiers_bytes(w->resources.bytes);

    if (owner && owner->account != PSH_NONE)
        return pshi_tiers_held(owner) + owner->overflow > step ? pshi_tiers_held(owner) + owner->overflow : step;
    return pshi_tiers_bytes(w->resources.bytes * (w->steps ? w->steps : 1));
}

uint64_t pshi_tiers_merge_bytes(const psh_tiers *t, const psh_want *w) {
    const pshi_holding *h = pshi_tiers_find_holding(t, w->subject), *s = pshi_tiers_find_holding(t, w->source);

    if (!h || !s || h->account == PSH_NONE || s->account == PSH_NONE || h->account == s->account)
        return 0;
    return s->reserved + s->used + s->overflow;
}

psh_status pshi_move_check(const psh_want *w) {
    int stepped = w->kind == PSH_ACT_SPLIT_PARTITION || w->kind == PSH_ACT_REPLICATE_PARTITION;

    if (pshi_tiers_is_of_node(w->kind))
        return w->subject == psh_node_subject(w->node) ? PSH_OK : PSH_E_INVALID;
    if (!pshi_tiers_is_move(w->kind))
        return PSH_OK;
    if (stepped && (w->step < 1 || w->step > w->steps))
        return PSH_E_INVALID;
    if (w->kind <= PSH_ACT_MERGE_PARTITION)
        return w->source && w->source != w->subject ? PSH_OK : PSH_E_INVALID;
    return w->node != PSH_NONE ? PSH_OK : PSH_E_INVALID;
}

static int holds_something(const psh_tiers *t, uint32_t node) {
    size_t i;

    for (i = 0; i < t->account_count; i++)
        if (t->accounts[i].info.node == node && t->accounts[i].subjects)
            return 1;
    return 0;
}

/* The node of what a subject holds, or PSH_NONE. */
static uint32_t node_of(const psh_tiers *t, uint64_t subject) {
    const pshi_holding *h = pshi_tiers_find_holding(t, subject);

    return h && h->account != PSH_NONE ? t->accounts[h->account].info.node : PSH_NONE;
}

psh_status pshi_move_may_begin(const psh_tiers *t, const psh_want *w) {
    const pshi_holding *copy;

    if (w->kind == PSH_ACT_RELEASE_NODE)
        return holds_something(t, w->node) ? PSH_E_STATE : PSH_OK;
    if (w->kind == PSH_ACT_REPLICATE_PARTITION)
        return node_of(t, w->subject) == w->node ? PSH_E_STATE : PSH_OK;
    if (w->kind != PSH_ACT_PROMOTE_PARTITION)
        return PSH_OK;
    copy = pshi_tiers_find_holding(t, psh_replica_id(w->subject, w->node));
    return copy && copy->account != PSH_NONE && copy->copy != PSHI_COPY_READY ? PSH_E_STATE : PSH_OK;
}

static void set_copy(psh_tiers *t, pshi_holding *h, uint32_t copy) {
    t->copy_count -= h->copy == PSHI_COPY_READY;
    h->copy = copy;
    t->copy_count += copy == PSHI_COPY_READY;
}

static void release_replica(psh_tiers *t, uint64_t partition, uint32_t node) {
    pshi_holding *h = pshi_tiers_find_holding(t, psh_replica_id(partition, node));

    if (!h || h->account == PSH_NONE || !h->copy)
        return;
    pshi_tiers_give_back(t, h);
    set_copy(t, h, 0);
    if (!h->pending_id)
        pshi_tiers_remove(t, h);
}

/* Once a node, though a node has several accounts: they stand side by side. */
static int is_first_of_node(const psh_tiers *t, size_t i) {
    return i == 0 || t->accounts[i - 1].info.node != t->accounts[i].info.node;
}

static void release_replicas(psh_tiers *t, uint64_t partition) {
    size_t i;

    for (i = 0; i < t->account_count; i++)
        if (is_first_of_node(t, i))
            release_replica(t, partition, t->accounts[i].info.node);
}

void pshi_move_follow(psh_tiers *t, uint64_t partition, uint64_t bytes) {
    pshi_holding *h;
    size_t i;

    for (i = 0; i < t->account_count; i++) {
        if (!is_first_of_node(t, i))
            continue;
        h = pshi_tiers_find_holding(t, psh_replica_id(partition, t->accounts[i].info.node));
        if (h && h->copy == PSHI_COPY_READY)
            pshi_tiers_fill(t, h, bytes);
    }
}

/* Everything that a holding has goes to another that has nothing, in the same account. */
static void hand_over(pshi_holding *to, pshi_holding *from) {
    to->account = from->account;
    to->planned = from->planned;
    to->reserved = from->reserved;
    to->used = from->used;
    to->overflow = from->overflow;
    from->account = PSH_NONE;
    from->planned = from->reserved = from->used = from->overflow = 0;
}

static void finish_merge(psh_tiers *t, const psh_want *w) {
    pshi_holding *h = pshi_tiers_find_holding(t, w->subject), *s = pshi_tiers_find_holding(t, w->source);
    uint64_t filled;

    if (!h || !s || s->account == PSH_NONE)
        return;
    if (h->account == PSH_NONE) {
        hand_over(h, s);
    } else if (h->account == s->account) {
        h->reserved += s->reserved;
        h->used += s->used;
        h->overflow += s->overflow;
        t->accounts[h->account].subjects--;
        s->account = PSH_NONE;
        s->reserved = s->used = s->overflow = 0;
    } else {
        filled = h->used + h->overflow + s->used + s->overflow;
        pshi_tiers_give_back(t, s);
        pshi_tiers_fill(t, h, filled);
    }
    release_replicas(t, w->source);
}

static void finish_copy(psh_tiers *t, const psh_want *w) {
    pshi_holding *h = pshi_tiers_find_holding(t, pshi_tiers_holder(w));
    const pshi_holding *owner = pshi_tiers_find_holding(t, w->subject);

    if (!h || h->account == PSH_NONE)
        return;
    if (h->copy != PSHI_COPY_READY)
        set_copy(t, h, w->step == w->steps ? PSHI_COPY_READY : PSHI_COPY_WARMING);
    if (w->step == w->steps && owner)
        pshi_tiers_fill(t, h, owner->used + owner->overflow);
}

/* Owner and replica change places; the replica is named by the node that it is on now. */
static void finish_promote(psh_tiers *t, const psh_want *w) {
    pshi_holding *h = pshi_tiers_find_holding(t, w->subject);
    pshi_holding *r = pshi_tiers_find_holding(t, psh_replica_id(w->subject, w->node));
    pshi_holding owner, copy = { .to = PSH_NONE, .copy = PSHI_COPY_READY };

    if (!h || !r || h->account == PSH_NONE || r->account == PSH_NONE)
        return;
    owner = *h;
    hand_over(h, r);
    pshi_tiers_remove(t, r);
    copy.subject = psh_replica_id(w->subject, t->accounts[owner.account].info.node);
    hand_over(&copy, &owner);
    r = pshi_tiers_find_holding(t, copy.subject); /* there is none, unless the ledger was loaded odd */
    if (!r) {
        pshi_tiers_insert(t, &copy);
        return;
    }
    pshi_tiers_give_back(t, r);
    hand_over(r, &copy);
    set_copy(t, r, PSHI_COPY_READY);
}

static void set_closed(psh_tiers *t, uint32_t node, uint32_t closed) {
    size_t i;

    for (i = 0; i < t->account_count; i++)
        if (t->accounts[i].info.node == node)
            t->accounts[i].closed = closed;
}

/* A partition that is dropped takes its replicas with it. */
static void finish_drop(psh_tiers *t, const psh_want *w) {
    pshi_holding *h = pshi_tiers_find_holding(t, w->subject);

    if (h)
        pshi_tiers_give_back(t, h);
    release_replicas(t, w->subject);
}

void pshi_move_finish(psh_tiers *t, const psh_want *w) {
    pshi_holding *h;

    switch (w->kind) {
    case PSH_ACT_DROP_PARTITION:
    case PSH_ACT_DROP_VIEW:
        finish_drop(t, w);
        break;
    case PSH_ACT_MERGE_PARTITION:
        finish_merge(t, w);
        break;
    case PSH_ACT_REPLICATE_PARTITION:
        finish_copy(t, w);
        break;
    case PSH_ACT_PROMOTE_PARTITION:
        finish_promote(t, w);
        break;
    case PSH_ACT_DROP_REPLICA:
        h = pshi_tiers_find_holding(t, pshi_tiers_holder(w));
        if (h) {
            pshi_tiers_give_back(t, h);
            set_copy(t, h, 0);
        }
        break;
    case PSH_ACT_ADD_NODE:
    case PSH_ACT_RELEASE_NODE:
        set_closed(t, w->node, w->kind == PSH_ACT_RELEASE_NODE);
        break;
    default:
        break;
    }
}
