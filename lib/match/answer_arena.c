/* SPDX-License-Identifier: MIT */
#include "match/answer_arena.h"

#include "base/checked.h"
#include "base/env.h"

#define LEAST_CHUNK ((size_t)16 << 10)
#define MOST_CHUNK ((size_t)1 << 20)

/* The size to grow to: twice the old one where the budget has it, else what is needed; 0 = beyond the budget. */
static size_t grown(const pshi_budget *b, size_t old, size_t need, size_t elem) {
    size_t left = b->max - b->used;
    size_t more = old < 8 ? 16 - old : old;

    if (need - old > more)
        more = need - old;
    if (more <= left / elem)
        return old + more;
    return need - old <= left / elem ? need : 0;
}

psh_status pshi_budget_reserve(pshi_budget *b, void **p, size_t *cap, size_t need, size_t elem) {
    size_t size;
    void *q;

    if (need <= *cap)
        return PSH_OK;
    size = grown(b, *cap, need, elem);
    if (!size)
        return PSH_E_LIMIT;
    q = pshi_realloc(b->env, *p, size * elem);
    if (!q)
        return PSH_E_NOMEM;
    b->used += (size - *cap) * elem;
    *p = q;
    *cap = size;
    return PSH_OK;
}

void pshi_budget_trim(pshi_budget *b, void **p, size_t *cap, size_t to, size_t elem) {
    void *q = NULL;

    if (*cap <= to)
        return;
    if (to == 0)
        pshi_free(b->env, *p);
    else if (!(q = pshi_realloc(b->env, *p, to * elem)))
        return;
    b->used -= (*cap - to) * elem;
    *p = q;
    *cap = to;
}

void pshi_budget_free(pshi_budget *b, void *p, size_t cap, size_t elem) {
    pshi_free(b->env, p);
    b->used -= cap * elem;
}

void pshi_arena_free(pshi_budget *b, pshi_arena *a) {
    size_t i;

    for (i = 0; i < a->count; i++)
        pshi_budget_free(b, a->chunks[i].data, a->chunks[i].size, 1);
    pshi_budget_free(b, a->chunks, a->cap, sizeof *a->chunks);
}

/* Chunks double, so that their number stays small. */
static psh_status add_chunk(pshi_budget *b, pshi_arena *a, size_t n) {
    pshi_chunk c = { NULL, 0, 0 };
    size_t size = LEAST_CHUNK << (a->count < 6 ? a->count : 6);
    void *chunks = a->chunks;
    void *data = NULL;
    psh_status st = pshi_budget_reserve(b, &chunks, &a->cap, a->count + 1, sizeof *a->chunks);

    a->chunks = chunks;
    if (st != PSH_OK)
        return st;
    if (size > MOST_CHUNK)
        size = MOST_CHUNK;
    if (size > (b->max - b->used) / 2 || size < n)
        size = n;
    st = pshi_budget_reserve(b, &data, &c.size, size, 1);
    if (st != PSH_OK)
        return st;
    c.data = data;
    a->current = a->count;
    a->chunks[a->count++] = c;
    return PSH_OK;
}

static int has_room(const pshi_arena *a, size_t i, size_t n) {
    return a->chunks[i].size - a->chunks[i].used >= n;
}

psh_status pshi_arena_room(pshi_budget *b, pshi_arena *a, size_t n) {
    size_t i;

    if (n == 0)
        return PSH_OK;
    for (i = a->current; i < a->count; i++) {
        if (has_room(a, i, n)) {
            a->current = i;
            return PSH_OK;
        }
    }
    return add_chunk(b, a, n);
}

void *pshi_arena_take(pshi_arena *a, size_t n) {
    pshi_chunk *c = &a->chunks[a->current];
    void *p = c->data + c->used;

    c->used += n;
    return p;
}

pshi_arena_mark pshi_arena_here(const pshi_arena *a) {
    pshi_arena_mark m = { a->current, 0 };

    if (a->count)
        m.used = a->chunks[a->current].used;
    return m;
}

void pshi_arena_rewind(pshi_arena *a, pshi_arena_mark mark) {
    size_t i;

    for (i = mark.current; i < a->count; i++)
        a->chunks[i].used = i == mark.current ? mark.used : 0;
    a->current = mark.current;
}

void pshi_arena_trim(pshi_budget *b, pshi_arena *a, size_t count) {
    pshi_chunk *c;

    while (a->count > count) {
        c = &a->chunks[--a->count];
        pshi_budget_free(b, c->data, c->size, 1);
    }
    if (a->current > a->count)
        a->current = a->count;
}
