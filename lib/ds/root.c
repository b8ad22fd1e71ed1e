/* SPDX-License-Identifier: MIT */
#include "ds/root.h"

#include <stdatomic.h>

#include "base/env.h"

/*
 * Why it is safe. All operations on clock, current and the slots are sequentially consistent, so they have one
 * total order.
 *
 *   pin:      e = clock; slot = e; v = current.
 *   publish:  current = new; t = clock++ (the old value is retired at t); then look at all slots and release
 *             each retired value whose t is below every announced e.
 *
 * Say a reader holds v, retired at t. It read current = v before the writer replaced it, and announced its e
 * before that; so e was read from the clock before the clock passed t, hence e <= t, and the announcement
 * stands in the slot, before the writer looks, until unpin. The writer that looks sees e <= t and keeps v. A
 * reader that announces after the writer looked reads current later still, and gets the new value, which is
 * not retired. An e read long before it is announced is only smaller: it keeps more, never less.
 *
 * The store of 0 by unpin is read by the writer before it releases: the reader's last use comes first.
 * A reader that stalls while pinned keeps what was current then and all that came after; nobody waits.
 *
 *   refresh:  e = what the slot announces; if clock = e: the value held; else pin.
 *
 * Its load of the clock may be relaxed: nothing that it reads makes v unsafe, since the announcement e stands in
 * the slot all the while; an old clock only gives v once more. Nor is v stale when clock = e. Each publish that
 * replaces a value moves the clock. One that was over before the pin read e left its value in current, or a later
 * one, for the pin to read. One that ended after that has moved the clock beyond e, and where its end happens
 * before this refresh, coherence lets the load see no older clock. What is left is a publish under way.
 * When the clock has moved, the new announcement replaces the old one by a single store, with no 0 between: the
 * last use of v comes before it, as before that of unpin, and for what is read next the proof of pin holds. The
 * held pointer is read and written by the slot's user alone.
 */
#define FREE_SLOT 0u /* the clock begins at 1 */

/* 64 bytes apart, so that readers do not share a cache line: blocks are aligned to 16, and the fields that pins
 * touch lie within the first 16. Others write `taken` only when a reader comes or goes. */
typedef struct slot {
    _Atomic uint64_t announced;
    void *held; /* what the last pin took: the user's own */
    _Atomic uint32_t taken;
    unsigned char apart[64 - 2 * sizeof(uint64_t) - sizeof(uint32_t)];
} slot;

_Static_assert(sizeof(slot) == 64 && sizeof(void *) <= sizeof(uint64_t), "slots are 64 bytes apart");

typedef struct held {
    struct held *next; /* retired later */
    void *value;
    uint64_t number;
    uint64_t retired_at;
} held;

struct pshi_root {
    psh_env *env;
    void (*release)(void *value); /* or: */
    void (*release_with)(void *user, void *value);
    void *user;
    _Atomic(void *) current;
    _Atomic uint64_t clock;
    /* The writer's own: */
    held *now;   /* of the current value */
    held *first; /* retired, oldest first */
    held *last;
    uint64_t retired;
    uint32_t slot_count;
    slot *slots;
};

static psh_status create_root(psh_env *env, uint32_t slots, pshi_root **out) {
    pshi_root *r = pshi_calloc(env, 1, sizeof *r);
    uint32_t i;

    *out = NULL;
    if (!r)
        return PSH_E_NOMEM;
    r->slots = pshi_calloc(env, slots, sizeof *r->slots);
    if (!r->slots) {
        pshi_free(env, r);
        return PSH_E_NOMEM;
    }
    for (i = 0; i < slots; i++) {
        atomic_init(&r->slots[i].announced, FREE_SLOT);
        atomic_init(&r->slots[i].taken, 0);
    }
    atomic_init(&r->current, NULL);
    atomic_init(&r->clock, 1);
    r->env = env;
    r->slot_count = slots;
    *out = r;
    return PSH_OK;
}

psh_status pshi_root_create(psh_env *env, uint32_t slots, void (*release)(void *value), pshi_root **out) {
    psh_status st = create_root(env, slots, out);

    if (st == PSH_OK)
        (*out)->release = release;
    return st;
}

psh_status pshi_root_create_with(
    psh_env *env, uint32_t slots, void (*release)(void *user, void *value), void *user, pshi_root **out) {
    psh_status st = create_root(env, slots, out);

    if (st == PSH_OK) {
        (*out)->release_with = release;
        (*out)->user = user;
    }
    return st;
}

static void release_held(pshi_root *r, held *h) {
    if (r->release)
        r->release(h->value);
    else
        r->release_with(r->user, h->value);
    pshi_free(r->env, h);
}

static void release_first(pshi_root *r) {
    held *h = r->first;

    r->first = h->next;
    if (!r->first)
        r->last = NULL;
    r->retired--;
    release_held(r, h);
}

void pshi_root_destroy(pshi_root *r) {
    if (!r)
        return;
    while (r->first)
        release_first(r);
    if (r->now)
        release_held(r, r->now);
    pshi_free(r->env, r->slots);
    pshi_free(r->env, r);
}

/* The smallest clock that a pinned reader announced; UINT64_MAX when none is pinned. */
static uint64_t oldest_announced(const pshi_root *r) {
    uint64_t oldest = UINT64_MAX, e;
    uint32_t i;

    for (i = 0; i < r->slot_count; i++) {
        e = atomic_load(&r->slots[i].announced);
        if (e != FREE_SLOT && e < oldest)
            oldest = e;
    }
    return oldest;
}

void pshi_root_reclaim(pshi_root *r) {
    uint64_t oldest = oldest_announced(r);

    while (r->first && r->first->retired_at < oldest)
        release_first(r);
}

static void retire(pshi_root *r, held *h) {
    h->retired_at = atomic_fetch_add(&r->clock, 1);
    h->next = NULL;
    if (r->last)
        r->last->next = h;
    else
        r->first = h;
    r->last = h;
    r->retired++;
}

psh_status pshi_root_publish(pshi_root *r, void *value, uint64_t number) {
    held *h = pshi_calloc(r->env, 1, sizeof *h), *old = r->now;

    /* The record that will one day retire the value is made with it, so that nothing fails from here on. */
    if (!h)
        return PSH_E_NOMEM;
    h->value = value;
    h->number = number;
    r->now = h;
    atomic_store(&r->current, value);
    if (old)
        retire(r, old);
    pshi_root_reclaim(r);
    return PSH_OK;
}

void *pshi_root_current(const pshi_root *r) {
    return r->now ? r->now->value : NULL;
}

uint64_t pshi_root_number(const pshi_root *r) {
    return r->now ? r->now->number : 0;
}

uint64_t pshi_root_oldest(const pshi_root *r) {
    return r->first ? r->first->number : pshi_root_number(r);
}

uint64_t pshi_root_retired(const pshi_root *r) {
    return r->retired;
}

psh_status pshi_root_take(pshi_root *r, uint32_t *slot_index) {
    uint32_t i, free_mark;

    for (i = 0; i < r->slot_count; i++) {
        free_mark = 0;
        if (atomic_compare_exchange_strong(&r->slots[i].taken, &free_mark, 1)) {
            *slot_index = i;
            return PSH_OK;
        }
    }
    return PSH_E_LIMIT;
}

void pshi_root_give_back(pshi_root *r, uint32_t slot_index) {
    atomic_store(&r->slots[slot_index].announced, FREE_SLOT);
    atomic_store(&r->slots[slot_index].taken, 0);
}

uint32_t pshi_root_taken(const pshi_root *r) {
    uint32_t n = 0, i;

    for (i = 0; i < r->slot_count; i++)
        n += atomic_load(&r->slots[i].taken);
    return n;
}

void *pshi_root_pin(pshi_root *r, uint32_t slot_index) {
    slot *s = &r->slots[slot_index];
    void *value;

    atomic_store(&s->announced, atomic_load(&r->clock));
    value = atomic_load(&r->current);
    if (!value)
        atomic_store(&s->announced, FREE_SLOT);
    s->held = value;
    return value;
}

void *pshi_root_refresh(pshi_root *r, uint32_t slot_index) {
    slot *s = &r->slots[slot_index];

    /* The clock begins at 1: a slot that announces nothing never agrees with it. */
    if (atomic_load_explicit(&r->clock, memory_order_relaxed) ==
        atomic_load_explicit(&s->announced, memory_order_relaxed))
        return s->held;
    return pshi_root_pin(r, slot_index);
}

void pshi_root_unpin(pshi_root *r, uint32_t slot_index) {
    atomic_store(&r->slots[slot_index].announced, FREE_SLOT);
}
