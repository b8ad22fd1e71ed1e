/* SPDX-License-Identifier: MIT */
/** @file views/bag.h  The values of one column in one group, with their counts, sorted: minimum and maximum. */
#ifndef PSHI_VIEWS_BAG_H
#define PSHI_VIEWS_BAG_H

#include "views/dict.h"

/* Bytes of one distinct value. */
#define PSHI_BAG_PLACE_BYTES 16u

/**
 * Some distinct values next to each other, ascending. A code orders as its value does, or, with a dictionary, is
 * the value's id. A count of 0 is a place that is empty now, until pshi_bag_drop takes it out.
 */
typedef struct pshi_bag_run {
    int64_t *codes; /* Shape [cap], then as many counts */
    uint32_t size;
    uint32_t cap;
} pshi_bag_run;

/**
 * Runs of bounded length: a change moves the values of one run, not all. Most bags have one run, kept here.
 * Zeroed is empty.
 */
typedef struct pshi_bag {
    pshi_bag_run one;   /* while runs is NULL */
    pshi_bag_run *runs; /* Shape [run_count], none empty; room up to the next power of two */
    uint32_t run_count;
    uint32_t zeros;     /* places of count 0 */
    uint64_t size;      /* places in all */
} pshi_bag;

/** @return the code of a value of a column without dictionary: any but text, bytes and decimal. */
int64_t pshi_bag_code(const psh_value *v);
/** @return the value of a code; borrowed from the dictionary, if there is one. */
psh_value pshi_bag_value(int64_t code, uint32_t type, const pshi_dict *dict);
/** Forgets all; gives back the references to the dictionary (NULL = none). */
void pshi_bag_free(psh_env *env, pshi_bag *b, pshi_dict *dict);
/** So many more. Cannot fail where the code has a place. @return PSH_OK, PSH_E_NOMEM (unchanged). */
psh_status pshi_bag_add(psh_env *env, pshi_bag *b, pshi_dict *dict, int64_t code, uint64_t times);
/** @return how many there are. */
uint64_t pshi_bag_count(const pshi_bag *b, const pshi_dict *dict, int64_t code);
/** One less, of those there are; its place stays. */
void pshi_bag_take(pshi_bag *b, const pshi_dict *dict, int64_t code);
/** Takes the place of a code out, if it is there and its count is 0. */
void pshi_bag_drop(psh_env *env, pshi_bag *b, pshi_dict *dict, int64_t code);
/** The least and the greatest code. For reading, as below. @return 0 if it is empty. */
int pshi_bag_ends(const pshi_bag *b, int64_t *low, int64_t *high);
/** Whether a code is not below the least and not above the greatest. */
int pshi_bag_spans(const pshi_bag *b, const pshi_dict *dict, int64_t code);
/** Its runs in order; the counts of one. For reading, when no count is 0. */
const pshi_bag_run *pshi_bag_runs(const pshi_bag *b, uint32_t *count);
const uint64_t *pshi_bag_counts(const pshi_bag_run *r);

#endif
