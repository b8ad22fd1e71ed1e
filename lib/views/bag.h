/* SPDX-License-Identifier: MIT */
/** @file views/bag.h  The values of one column in one group, with their counts, sorted: minimum and maximum. */
#ifndef PSHI_VIEWS_BAG_H
#define PSHI_VIEWS_BAG_H

#include "views/dict.h"

/**
 * One distinct value. A code orders as its value does, or, with a dictionary, is the value's id.
 * A count of 0 is a place made ready, or one that is empty now; pshi_bag_sweep takes those out.
 */
typedef struct pshi_bag_entry {
    int64_t code;
    uint64_t count;
} pshi_bag_entry;

/** Zeroed is empty. */
typedef struct pshi_bag {
    pshi_bag_entry *entries; /* Shape [size], ascending */
    uint32_t size;
    uint32_t cap;
    uint32_t zeros; /* entries of count 0 */
    uint32_t reserved;
} pshi_bag;

/** @return the code of a value of a column without dictionary: any but text, bytes and decimal. */
int64_t pshi_bag_code(const psh_value *v);
/** @return the value of a code; borrowed from the dictionary, if there is one. */
psh_value pshi_bag_value(int64_t code, uint32_t type, const pshi_dict *dict);
/** Forgets all; gives back the references to the dictionary (NULL = none). */
void pshi_bag_free(psh_env *env, pshi_bag *b, pshi_dict *dict);
/** Makes a place for a code, so that adding it cannot fail. @return PSH_OK, PSH_E_NOMEM (unchanged). */
psh_status pshi_bag_prepare(psh_env *env, pshi_bag *b, pshi_dict *dict, int64_t code);
/** One more, or one less. @return 1, or 0 if there is no place or nothing to take away. */
int pshi_bag_add(pshi_bag *b, const pshi_dict *dict, int64_t code, int sign);
/** Takes out what has count 0. */
void pshi_bag_sweep(psh_env *env, pshi_bag *b, pshi_dict *dict);

#endif
