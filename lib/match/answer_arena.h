/* SPDX-License-Identifier: MIT */
/** @file match/answer_arena.h  Memory of one answer: arrays and bytes that stay where they are, under one cap. */
#ifndef PSHI_MATCH_ANSWER_ARENA_H
#define PSHI_MATCH_ANSWER_ARENA_H

#include <predshard/base.h>

/** What an answer may take in all. */
typedef struct pshi_budget {
    psh_env *env;
    size_t used;
    size_t max;
} pshi_budget;

/** As pshi_reserve, within the budget. @return PSH_OK, PSH_E_LIMIT, PSH_E_NOMEM. */
psh_status pshi_budget_reserve(pshi_budget *b, void **p, size_t *cap, size_t need, size_t elem);
/** Gives memory back down to `to` elements, as far as that is possible without more memory. */
void pshi_budget_trim(pshi_budget *b, void **p, size_t *cap, size_t to, size_t elem);
void pshi_budget_free(pshi_budget *b, void *p, size_t cap, size_t elem);

typedef struct pshi_chunk {
    unsigned char *data;
    size_t size;
    size_t used;
} pshi_chunk;

/** Zeroed is empty. */
typedef struct pshi_arena {
    pshi_chunk *chunks;
    size_t cap;
    size_t count;
    size_t current;
} pshi_arena;

typedef struct pshi_arena_mark {
    size_t current;
    size_t used;
} pshi_arena_mark;

void pshi_arena_free(pshi_budget *b, pshi_arena *a);
/** After success, takes of n bytes in all cannot fail. */
psh_status pshi_arena_room(pshi_budget *b, pshi_arena *a, size_t n);
/** n bytes of the room made before. */
void *pshi_arena_take(pshi_arena *a, size_t n);
pshi_arena_mark pshi_arena_here(const pshi_arena *a);
/** Gives back everything taken since the mark. A zeroed mark: everything; the memory is kept. */
void pshi_arena_rewind(pshi_arena *a, pshi_arena_mark mark);
/** Frees the chunks from `count` on, in which nothing is taken. */
void pshi_arena_trim(pshi_budget *b, pshi_arena *a, size_t count);

#endif
