/* SPDX-License-Identifier: MIT */
#include "ds/space_saving.h"

#include <stdlib.h>
#include <string.h>

#include "base/env.h"

#define MOST_TOTAL 0x1p200

psh_status pshi_space_saving_init(psh_env *env, pshi_space_saving *s, uint32_t cap) {
    memset(s, 0, sizeof *s);
    s->list = pshi_calloc(env, cap, sizeof *s->list);
    s->heap = pshi_calloc(env, cap, sizeof *s->heap);
    s->cap = cap;
    if (s->list && s->heap && pshi_idmap_reserve(env, &s->map, (size_t)cap + 1) == PSH_OK)
        return PSH_OK;
    pshi_space_saving_free(env, s);
    return PSH_E_NOMEM;
}

void pshi_space_saving_free(psh_env *env, pshi_space_saving *s) {
    pshi_free(env, s->list);
    pshi_free(env, s->heap);
    pshi_idmap_free(env, &s->map);
    memset(s, 0, sizeof *s);
}

static int is_lighter(const pshi_heavy *a, const pshi_heavy *b) {
    return a->seen != b->seen ? a->seen < b->seen : a->id < b->id;
}

static void heap_down(pshi_space_saving *s, uint32_t i) {
    uint32_t x = s->heap[i], child;

    for (; (child = 2 * i + 1) < s->count; i = child) {
        child += child + 1 < s->count && is_lighter(&s->list[s->heap[child + 1]], &s->list[s->heap[child]]);
        if (!is_lighter(&s->list[s->heap[child]], &s->list[x]))
            break;
        s->heap[i] = s->heap[child];
    }
    s->heap[i] = x;
}

static void heap_up(pshi_space_saving *s, uint32_t i) {
    uint32_t x = s->heap[i], up;

    for (; i; i = up) {
        up = (i - 1) / 2;
        if (!is_lighter(&s->list[x], &s->list[s->heap[up]]))
            break;
        s->heap[i] = s->heap[up];
    }
    s->heap[i] = x;
}

static void make_heap(pshi_space_saving *s) {
    uint32_t i;

    for (i = 0; i < s->count; i++) {
        s->heap[i] = i;
        s->list[i].seen = s->list[i].count;
    }
    for (i = s->count / 2; i-- > 0;)
        heap_down(s, i);
}

/* Weights only grow, so the heap's keys are too low at most: once the root's is right, it is the least. */
static uint32_t lightest(pshi_space_saving *s) {
    pshi_heavy *root = &s->list[s->heap[0]];

    while (root->seen < root->count) {
        root->seen = root->count;
        heap_down(s, 0);
        root = &s->list[s->heap[0]];
    }
    return s->heap[0];
}

static uint32_t add_new(pshi_space_saving *s, uint64_t id, double weight) {
    pshi_heavy *h;
    uint32_t i = s->count;

    if (i < s->cap) {
        s->list[i] = (pshi_heavy){ id, weight, 0, weight };
        s->heap[s->count++] = i;
        heap_up(s, i);
        return i;
    }
    i = lightest(s);
    h = &s->list[i];
    pshi_idmap_remove(&s->map, h->id);
    h->id = id;
    h->error = h->count;
    h->count += weight;
    h->seen = h->count;
    heap_down(s, 0);
    return i;
}

uint32_t pshi_space_saving_add(pshi_space_saving *s, uint64_t id, double weight, int *fresh) {
    uint32_t i = pshi_idmap_find(&s->map, id);

    *fresh = i == PSH_NONE;
    s->total += weight;
    if (!*fresh) {
        s->list[i].count += weight;
        return i;
    }
    i = add_new(s, id, weight);
    (void)pshi_idmap_put(NULL, &s->map, id, i); /* room was reserved: it allocates nothing */
    return i;
}

uint32_t pshi_space_saving_find(const pshi_space_saving *s, uint64_t id) {
    return pshi_idmap_find(&s->map, id);
}

double pshi_space_saving_missed(const pshi_space_saving *s) {
    double least;
    uint32_t i;

    if (!s->cap || s->count < s->cap)
        return 0;
    least = s->list[0].count;
    for (i = 1; i < s->count; i++)
        least = s->list[i].count < least ? s->list[i].count : least;
    return least;
}

static int heaviest_first(const void *x, const void *y) {
    const pshi_heavy *a = x, *b = y;

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* Each counts what the other may have missed of it, in count and in error. */
static uint32_t combine(const pshi_space_saving *s, const pshi_space_saving *from, pshi_heavy *all) {
    double missed = pshi_space_saving_missed(from), missed_here = pshi_space_saving_missed(s);
    uint32_t n = 0, i, at;

    for (i = 0; i < s->count; i++, n++) {
        at = pshi_space_saving_find(from, s->list[i].id);
        all[n] = s->list[i];
        all[n].count += at == PSH_NONE ? missed : from->list[at].count;
        all[n].error += at == PSH_NONE ? missed : from->list[at].error;
    }
    for (i = 0; i < from->count; i++) {
        if (pshi_space_saving_find(s, from->list[i].id) != PSH_NONE)
            continue;
        all[n] = from->list[i];
        all[n].count += missed_here;
        all[n++].error += missed_here;
    }
    return n;
}

psh_status pshi_space_saving_merge(psh_env *env, pshi_space_saving *s, const pshi_space_saving *from) {
    pshi_heavy *all = pshi_calloc(env, (size_t)s->count + from->count + 1, sizeof *all);
    uint32_t n, i;

    if (!all)
        return PSH_E_NOMEM;
    n = combine(s, from, all);
    if (n)
        qsort(all, n, sizeof *all, heaviest_first);
    s->total += from->total;
    s->count = n < s->cap ? n : s->cap;
    pshi_idmap_clear(&s->map);
    for (i = 0; i < s->count; i++) {
        s->list[i] = all[i];
        (void)pshi_idmap_put(env, &s->map, all[i].id, i); /* reserved */
    }
    make_heap(s);
    pshi_free(env, all);
    return PSH_OK;
}

void pshi_space_saving_scale(pshi_space_saving *s, double factor) {
    uint32_t i;

    s->total *= factor;
    for (i = 0; i < s->count; i++) {
        s->list[i].count *= factor;
        s->list[i].error *= factor;
    }
    make_heap(s); /* rounding may have made unequals equal */
}

uint64_t pshi_space_saving_bytes(const pshi_space_saving *s) {
    uint64_t map = s->map.ids ? (s->map.mask + 1) * (sizeof *s->map.ids + sizeof *s->map.index) : 0;

    return map + (uint64_t)s->cap * (sizeof *s->list + sizeof *s->heap);
}

void pshi_space_saving_put(pshi_writer *w, const pshi_space_saving *s) {
    uint32_t i;

    pshi_put_f64(w, s->total);
    pshi_put_var(w, s->count);
    for (i = 0; i < s->count; i++) {
        pshi_put_u64(w, s->list[i].id);
        pshi_put_f64(w, s->list[i].count);
        pshi_put_f64(w, s->list[i].error);
    }
}

static void get_item(pshi_cursor *c, pshi_space_saving *s, uint32_t i) {
    pshi_heavy *h = &s->list[i];

    h->id = pshi_get_u64(c);
    h->count = pshi_get_f64(c);
    h->error = pshi_get_f64(c);
    if (!h->id || pshi_space_saving_find(s, h->id) != PSH_NONE)
        pshi_read_bad(c);
    if (!(h->count > 0) || h->error < 0 || h->error > h->count || h->count > s->total * (1 + 1e-9))
        pshi_read_bad(c);
    if (c->status == PSH_OK)
        (void)pshi_idmap_put(NULL, &s->map, h->id, i); /* reserved */
}

psh_status pshi_space_saving_get(pshi_cursor *c, pshi_space_saving *s) {
    size_t n, i;

    s->total = pshi_get_f64(c);
    n = pshi_get_count(c, 24);
    if (s->total < 0 || s->total > MOST_TOTAL || n > s->cap)
        pshi_read_bad(c);
    for (i = 0; c->status == PSH_OK && i < n; i++)
        get_item(c, s, (uint32_t)i);
    s->count = c->status == PSH_OK ? (uint32_t)n : 0;
    make_heap(s);
    return c->status;
}
