/* SPDX-License-Identifier: MIT */
/** @file ds/range_find.h  Lookups in a range map's tree, in the form that suits the processor. */
#ifndef PSHI_DS_RANGE_FIND_H
#define PSHI_DS_RANGE_FIND_H

#include "ds/range_tree.h"

#define PSHI_FIND_PLAIN 0u  /* C11 alone */
#define PSHI_FIND_AVX2 1u
#define PSHI_FIND_AVX512 2u

/** One form; all give the same results. Keys of the other kind than the tree's: undefined. Threads  any. */
typedef struct pshi_range_find {
    uint32_t (*number)(const pshi_range_tree *t, uint64_t key);
    void (*numbers)(const pshi_range_tree *t, const uint64_t *keys, size_t n, uint32_t *owners);
    uint32_t (*bytes)(const pshi_range_tree *t, const unsigned char *data, size_t size);
    void (*many_bytes)(const pshi_range_tree *t, const psh_bytes *keys, size_t n, uint32_t *owners);
} pshi_range_find;

/** @return the best form that compiler and processor have. */
uint32_t pshi_range_find_best(void);
/** @return a form, static; NULL where compiler or processor lacks it. */
const pshi_range_find *pshi_range_find_form(uint32_t form);
/** Any key, by the writer's way down; the rare cases of all forms end here. */
uint32_t pshi_range_find_slow(const pshi_range_tree *t, const pshi_range_key *key);

#endif
