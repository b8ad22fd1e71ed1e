/* SPDX-License-Identifier: MIT */
/** @file views/part.h  The groups of one view over one interval. */
#ifndef PSHI_VIEWS_PART_H
#define PSHI_VIEWS_PART_H

#include "base/checked.h"
#include "math/exact_sum.h"
#include "views/bag.h"
#include "views/shape.h"

/** What all parts of a view share. */
typedef struct pshi_store {
    psh_env *env;
    pshi_view_shape shape;
    pshi_dict *dicts; /* Shape [shape.dict_count] */
} pshi_store;

typedef struct pshi_part {
    int64_t interval;
    int64_t time_from;
    int64_t time_to;
    uint64_t source;
    uint64_t position;  /* changes at or before it are in */
    int64_t commit_time;
    uint32_t ready;     /* 0: has no groups and waits for a fill */
    uint32_t broken;    /* a change did not fit what is held: empty it */
    uint64_t *words;    /* Shape [used][shape.words] */
    size_t cap;         /* groups there is room for */
    uint32_t used;      /* groups ever begun: indexes are below */
    uint32_t live;
    uint32_t free;      /* the first free group, or PSH_NONE */
    uint32_t mask;      /* slots - 1 */
    uint32_t *slots;    /* group + 1; 0 = empty; linear probing */
    int64_t bucket;     /* that the latest row fell in; a guess for the next one */
    uint64_t rows;
    uint64_t places;    /* of its bags */
} pshi_part;

/* Rows of a group that is free; 0 = emptied by the call under way, or not yet begun. */
#define PSHI_GROUP_FREE UINT64_MAX

void pshi_part_init(pshi_part *p, int64_t interval, int64_t time_from, int64_t time_to);
/** Forgets all groups and frees their memory. */
void pshi_part_clear(const pshi_store *s, pshi_part *p);
/** Of what it holds; room to grow is left out, so that equal contents count the same. */
uint64_t pshi_part_bytes(const pshi_store *s, const pshi_part *p);
/** The words of group i. */
uint64_t *pshi_part_group(const pshi_store *s, const pshi_part *p, uint32_t i);
/** Whether group i holds rows. */
int pshi_part_is_live(const pshi_store *s, const pshi_part *p, uint32_t i);

/*
 * A call of many changes is done whole or not at all: adding and taking away leave what is empty in its place, so
 * that each can be taken back by the other without memory. Tidying takes it out, when the call has come through.
 */

/**
 * Adds a row.
 * @param group  its group, also on an error if there is one by now: for tidying; else PSH_NONE
 * @return PSH_OK, PSH_E_NOMEM (nothing added, but what was made ready is there until tidied).
 */
psh_status pshi_part_add(const pshi_store *s, pshi_part *p, const psh_value *row, uint32_t *group);
/**
 * Takes a row away.
 * @return PSH_OK; PSH_E_NOMEM; PSH_E_NOT_FOUND: the part never held such a row, so it is wrong and must be emptied.
 *         On an error nothing is taken away.
 */
psh_status pshi_part_take(const pshi_store *s, pshi_part *p, const psh_value *row, uint32_t *group);
/** Takes out what a row left empty in its group, or the group. Repeating it does no harm. */
void pshi_part_tidy(const pshi_store *s, pshi_part *p, const psh_value *row, uint32_t group);

/** Begins an empty group of a key (ids as in the dictionaries); for loading. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_part_begin_group(
    const pshi_store *s, pshi_part *p, int64_t bucket, const uint32_t *ids, uint32_t *group);

/**
 * Adds all that group g of another part of the same store holds to the group of a key, but of its bags the least
 * and the greatest alone: for reading. @return PSH_OK, PSH_E_NOMEM (p is good for nothing but clearing).
 */
psh_status pshi_part_merge(
    const pshi_store *s, pshi_part *p, int64_t bucket, const uint32_t *ids, const uint64_t *g);

/** w += x, or w -= x with sign < 0. */
void pshi_wide_add(uint64_t w[PSHI_SUM_WORDS], pshi_i128 x, int sign);

/* Parts of a group's words. */
uint64_t pshi_group_count(const uint64_t *g, const pshi_measure *m);
pshi_sparse_sum *pshi_group_double(uint64_t *g, const pshi_measure *m);
pshi_bag *pshi_group_bag(uint64_t *g, const pshi_measure *m);
const uint32_t *pshi_group_ids(const uint64_t *g);

#endif
