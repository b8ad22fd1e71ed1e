/* SPDX-License-Identifier: MIT */
#include "map/bulk_ground.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "value/world.h"

static int compare_taken(const void *x, const void *y) {
    const pshi_taken *a = x, *b = y;

    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    if (a->interval != b->interval)
        return a->interval < b->interval ? -1 : 1;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static psh_status take_creation(pshi_ground *g, const psh_want *w) {
    void *taken = g->taken;
    psh_status st;

    if (w->subject == psh_quarantine_id(w->table) || psh_world_find_partition(g->world, w->subject))
        return PSH_OK;
    st = pshi_reserve(g->env, &taken, &g->taken_cap, g->taken_count + 1, sizeof *g->taken);
    g->taken = taken;
    if (st == PSH_OK)
        g->taken[g->taken_count++] =
            (pshi_taken){ w->table, w->ordinal, w->interval, w->subject, w->arc_first, w->arc_last };
    return st;
}

static psh_status take_change(pshi_ground *g, uint64_t id) {
    void *changed = g->changed;
    psh_status st = pshi_reserve(g->env, &changed, &g->changed_cap, g->changed_count + 1, sizeof *g->changed);

    g->changed = changed;
    if (st == PSH_OK)
        g->changed[g->changed_count++] = id;
    return st;
}

static psh_status take_want(pshi_ground *g, const psh_want *w) {
    psh_status st;

    switch (w->kind) {
    case PSH_ACT_CREATE_PARTITION:
        return take_creation(g, w);
    case PSH_ACT_SPLIT_PARTITION:
        return take_change(g, w->source);
    case PSH_ACT_MERGE_PARTITION:
        st = take_change(g, w->source);
        return st == PSH_OK ? take_change(g, w->subject) : st;
    case PSH_ACT_SEAL_PARTITION:
    case PSH_ACT_ARCHIVE_PARTITION:
    case PSH_ACT_DROP_PARTITION:
        return take_change(g, w->subject);
    default:
        return PSH_OK;
    }
}

static int compare_ids(const void *x, const void *y) {
    const uint64_t *a = x, *b = y;

    return *a < *b ? -1 : *a > *b;
}

psh_status pshi_ground_take(pshi_ground *g, const psh_wants *wants) {
    size_t n = psh_wants_count(wants), i;
    psh_status st = PSH_OK;
    psh_want w;

    for (i = 0; st == PSH_OK && i < n; i++)
        if (psh_wants_get(wants, i, &w) == PSH_OK)
            st = take_want(g, &w);
    if (g->taken_count)
        qsort(g->taken, g->taken_count, sizeof *g->taken, compare_taken);
    if (g->changed_count)
        qsort(g->changed, g->changed_count, sizeof *g->changed, compare_ids);
    return st;
}

static int is_changed(const pshi_ground *g, uint64_t id) {
    return g->changed_count && bsearch(&id, g->changed, g->changed_count, sizeof id, compare_ids) != NULL;
}

void pshi_ground_free(pshi_ground *g) {
    pshi_free(g->env, g->taken);
    pshi_free(g->env, g->changed);
    pshi_free(g->env, g->owners);
    pshi_free(g->env, g->inner);
}

static void use_ordinal(pshi_ground *g, uint32_t ordinal) {
    if (ordinal < PSHI_GROUND_ORDINALS)
        g->ordinals[ordinal / 64] |= UINT64_C(1) << ordinal % 64;
}

uint32_t pshi_ground_ordinal(pshi_ground *g) {
    uint32_t i = 0;

    while (i < PSHI_GROUND_ORDINALS && g->ordinals[i / 64] >> i % 64 & 1)
        i++;
    use_ordinal(g, i);
    return i < PSHI_GROUND_ORDINALS ? i : PSH_NONE;
}

psh_status pshi_ground_insert(pshi_ground *g, size_t at, uint64_t first, uint64_t last) {
    void *inner = g->inner;
    psh_status st = pshi_reserve(g->env, &inner, &g->inner_cap, g->inner_count + 1, sizeof *g->inner);

    g->inner = inner;
    if (st != PSH_OK)
        return st;
    memmove(g->inner + at + 1, g->inner + at, (g->inner_count - at) * sizeof *g->inner);
    g->inner[at] = (pshi_inner){ .first = first, .last = last };
    g->inner_count++;
    return PSH_OK;
}

static psh_status add_owner(pshi_ground *g, const psh_partition *p) {
    void *owners = g->owners;
    psh_status st = pshi_reserve(g->env, &owners, &g->owner_cap, g->owner_count + 1, sizeof *g->owners);

    g->owners = owners;
    if (st == PSH_OK)
        g->owners[g->owner_count++] = (pshi_owner){ .p = p, .is_fixed = p->state != PSH_PARTITION_ACTIVE,
                                                    .is_taken = (uint32_t)is_changed(g, p->id) };
    return st;
}

static psh_status add_partition(pshi_ground *g, const psh_partition *p) {
    psh_status st;

    use_ordinal(g, p->ordinal);
    if (pshi_partition_owns(p))
        return add_owner(g, p);
    st = pshi_ground_insert(g, g->inner_count, p->arc_first, p->arc_last);
    if (st == PSH_OK)
        g->inner[g->inner_count - 1].p = p;
    return st;
}

static int compare_inner(const void *x, const void *y) {
    const pshi_inner *a = x, *b = y;

    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->last != b->last)
        return a->last < b->last ? -1 : 1;
    return !a->p - !b->p;
}

static size_t first_taken(const pshi_ground *g) {
    pshi_taken key = { .table = g->table, .interval = g->interval };
    size_t lo = 0, hi = g->taken_count, mid;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (compare_taken(&g->taken[mid], &key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static psh_status add_taken(pshi_ground *g) {
    size_t i = first_taken(g);
    psh_status st = PSH_OK;
    const pshi_taken *t;

    for (; st == PSH_OK && i < g->taken_count; i++) {
        t = &g->taken[i];
        if (t->table != g->table || t->interval != g->interval)
            break;
        use_ordinal(g, t->ordinal);
        st = pshi_ground_insert(g, g->inner_count, t->first, t->last);
    }
    return st;
}

/* Owners tile the ring: there is always one. */
static size_t owner_of(const pshi_ground *g, uint64_t point) {
    size_t lo = 0, hi = g->owner_count, mid;

    while (hi - lo > 1) {
        mid = lo + (hi - lo) / 2;
        if (g->owners[mid].p->arc_first <= point)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* Where shadows overlap, or reach beyond an owner's end, no chain of splits leads through them. */
static void fix_disorder(pshi_ground *g) {
    const pshi_inner *s;
    size_t i, k, end;
    int overlaps;

    for (i = 0; i < g->inner_count; i++) {
        s = &g->inner[i];
        k = owner_of(g, s->first);
        end = owner_of(g, s->last);
        overlaps = i + 1 < g->inner_count && g->inner[i + 1].first <= s->last;
        if (k < end || overlaps || s->first == g->owners[k].p->arc_first)
            for (; k <= end; k++)
                g->owners[k].is_fixed = 1;
    }
}

psh_status pshi_ground_open(pshi_ground *g, size_t first, size_t end) {
    psh_status st = PSH_OK;
    size_t i;

    g->table = psh_world_partition(g->world, first)->table;
    g->interval = psh_world_partition(g->world, first)->interval;
    g->owner_count = g->inner_count = 0;
    memset(g->ordinals, 0, sizeof g->ordinals);
    for (i = first; st == PSH_OK && i < end; i++)
        st = add_partition(g, psh_world_partition(g->world, i));
    if (st == PSH_OK)
        st = add_taken(g);
    if (st != PSH_OK)
        return st;
    if (g->inner_count)
        qsort(g->inner, g->inner_count, sizeof *g->inner, compare_inner);
    if (g->owner_count)
        fix_disorder(g);
    return PSH_OK;
}

/* The first inner at or above a point. */
static size_t first_inner(const pshi_ground *g, uint64_t point) {
    size_t lo = 0, hi = g->inner_count, mid;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (g->inner[mid].first < point)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void pshi_ground_within(const pshi_ground *g, size_t i, size_t *first, size_t *end) {
    const psh_partition *p = g->owners[i].p;

    *first = first_inner(g, p->arc_first);
    *end = p->arc_last == UINT64_MAX ? g->inner_count : first_inner(g, p->arc_last + 1);
}

pshi_owner *pshi_ground_owner_at(const pshi_ground *g, uint64_t first) {
    pshi_owner *o = &g->owners[owner_of(g, first)];

    return o->p->arc_first == first ? o : NULL;
}

void pshi_ground_mark_stale(pshi_ground *g, uint64_t first) {
    pshi_owner *o = &g->owners[owner_of(g, first)];
    size_t i = first_inner(g, first);
    pshi_inner *s = i < g->inner_count ? &g->inner[i] : NULL;

    if (o->p->arc_first == first)
        o->is_stale = 1;
    else if (s && s->first == first && s->p)
        s->is_stale = s->p->node == o->p->node && s->p->tier == o->p->tier; /* else it could not be merged */
}

int pshi_ground_has_node(const psh_world *w, uint32_t node) {
    size_t n = psh_world_tier_count(w), lo = 0, hi = n, mid;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (psh_world_tier(w, mid)->node < node)
            lo = mid + 1;
        else
            hi = mid;
    }
    return !n || (lo < n && psh_world_tier(w, lo)->node == node);
}
