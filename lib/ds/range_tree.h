/* SPDX-License-Identifier: MIT */
/** @file ds/range_tree.h  Immutable states of a range map: a B+-tree of pages, changed by copying paths. */
#ifndef PSHI_DS_RANGE_TREE_H
#define PSHI_DS_RANGE_TREE_H

#include "ds/range_page.h"

/**
 * One state. Each page belongs to the states from the one whose change made it to the last one before the
 * change that replaced it; a change puts what it replaced on a list, to be freed once no reader can hold a
 * state before it (path copying: Driscoll, Sarnak, Sleator & Tarjan 1989, "Making data structures
 * persistent"; pages without counts of references: epochs free them).
 */
typedef struct pshi_range_tree {
    pshi_range_page *root;
    uint64_t count;  /* ranges, >= 1 */
    uint32_t height; /* levels above the leaves */
    uint32_t is_bytes;
} pshi_range_tree;

/** Far beyond what 2^32 ranges need: pages next to one another are half full together. */
#define PSHI_RANGE_HEIGHT 24u

typedef struct pshi_range_step {
    pshi_range_page *page;
    uint32_t index;
} pshi_range_step;

/** A change under way: begin, any number of edits, then keep the result or abort. The writer's. */
typedef struct pshi_range_batch {
    pshi_range_pool *pool;
    pshi_range_list *list;     /* scratch */
    pshi_range_tree tree;      /* as changed so far */
    uint64_t stamp;            /* of pages that this change made, and so may write */
    pshi_range_page *made;     /* the pages that it made and that are in use */
    pshi_range_page *replaced; /* pages of the state before that are not in use any more */
    uint64_t replaced_bytes;
    pshi_range_step path[PSHI_RANGE_HEIGHT + 1]; /* by level */
} pshi_range_batch;

/** Frees every page. */
void pshi_range_tree_free(pshi_range_pool *pool, pshi_range_tree *t);
/** Frees a list of pages. */
void pshi_range_pages_free(pshi_range_pool *pool, pshi_range_page *first);

/** stamp: another one for each change, never 0. list: scratch of the caller's for as long as the batch. */
void pshi_range_begin(
    pshi_range_batch *b, pshi_range_pool *pool, pshi_range_list *list, const pshi_range_tree *t, uint64_t stamp);
/** A range begins at the key and has this owner. @return PSH_OK; PSH_E_NOMEM, PSH_E_LIMIT: then abort. */
psh_status pshi_range_set(pshi_range_batch *b, const pshi_range_key *key, uint32_t owner);
/** @return PSH_OK; PSH_E_NOT_FOUND, PSH_E_STATE (the first) with nothing changed; PSH_E_NOMEM: then abort. */
psh_status pshi_range_remove(pshi_range_batch *b, const pshi_range_key *key);
/** Frees the pages made. The state before is as it was. */
void pshi_range_abort(pshi_range_batch *b);

/**
 * A tree of n >= 1 ascending numbers, the first 0. list: scratch. Leaves room for some changes in each page.
 * @return PSH_OK; PSH_E_NOMEM with nothing left behind.
 */
psh_status pshi_range_build_numbers(
    pshi_range_pool *pool, pshi_range_list *list, const uint64_t *keys, const uint32_t *owners, size_t n,
    pshi_range_tree *out);
/** The same for byte keys, the first empty. */
psh_status pshi_range_build_bytes(
    pshi_range_pool *pool, pshi_range_list *list, const psh_bytes *keys, const uint32_t *owners, size_t n,
    pshi_range_tree *out);

#endif
