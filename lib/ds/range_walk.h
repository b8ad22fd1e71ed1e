/* SPDX-License-Identifier: MIT */
/** @file ds/range_walk.h  A place in a range map's tree that moves along the keys. */
#ifndef PSHI_DS_RANGE_WALK_H
#define PSHI_DS_RANGE_WALK_H

#include "ds/range_tree.h"

/**
 * A place: an entry of a page at some level. Above the leaves it stands for a whole child that was not looked
 * into, so that a walk over two trees can pass what they share unread.
 */
typedef struct pshi_range_cursor {
    const pshi_range_tree *tree;
    uint32_t level;
    uint32_t is_done; /* 1: behind the last range */
    pshi_range_step path[PSHI_RANGE_HEIGHT + 1]; /* by level, from `level` up */
} pshi_range_cursor;

/** The first entry of the root. */
void pshi_range_cursor_first(pshi_range_cursor *c, const pshi_range_tree *t);
/** The range that holds a key. */
void pshi_range_cursor_seek(pshi_range_cursor *c, const pshi_range_tree *t, const pshi_range_key *key);
/** Where the place begins. Borrowed from the tree. */
pshi_range_key pshi_range_cursor_key(const pshi_range_cursor *c);
/** The child that the place stands for; level > 0. */
pshi_range_page *pshi_range_cursor_child(const pshi_range_cursor *c);
/** The owner of the range that it is; level 0. */
uint32_t pshi_range_cursor_owner(const pshi_range_cursor *c);
/** From a child to its first entry; level > 0. */
void pshi_range_cursor_enter(pshi_range_cursor *c);
/** Behind the entry: the next one of its page, or of a page above. */
void pshi_range_cursor_next(pshi_range_cursor *c);
/** Where the place ends, from what stands above it. @return 1; 0: it goes on to the end. */
int pshi_range_cursor_end(const pshi_range_cursor *c, pshi_range_key *end);

#endif
