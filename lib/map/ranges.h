/* SPDX-License-Identifier: MIT */
/** @file map/ranges.h  The inside of a range map. */
#ifndef PSHI_MAP_RANGES_H
#define PSHI_MAP_RANGES_H

#include <predshard/ranges.h>

#include "ds/range_find.h"
#include "ds/range_walk.h"
#include "ds/root.h"

#define PSHI_RANGES_MAX_KEY 4096u

struct psh_ranges_epoch {
    pshi_range_tree tree;
    pshi_range_find find; /* what does not suit the kind of keys gives PSH_NONE */
    uint64_t number;
    psh_ranges *map;
    /* The writer's, set when the next epoch replaces this one: */
    pshi_range_page *replaced; /* pages that the next one has not */
    uint64_t replaced_bytes;
    uint32_t whole;            /* 1: instead, all of them */
};

struct psh_ranges {
    psh_env *env;
    psh_ranges_options o;
    pshi_root *root;
    pshi_range_pool pool;
    pshi_range_list *list;
    pshi_range_find find;
    psh_ranges_epoch *current;
    uint64_t stamp;
    uint64_t waiting; /* bytes of replaced pages */
};

/** From the next epoch on, lookups take this form. For tests. @return PSH_OK, PSH_E_UNSUPPORTED (no such form). */
psh_status pshi_ranges_force(psh_ranges *r, uint32_t form);
/**
 * Publishes a tree that was built whole; takes it, also on an error. bytes_before: of the pool, before the build.
 * @return PSH_OK, PSH_E_NOMEM.
 */
psh_status pshi_ranges_publish_tree(psh_ranges *r, pshi_range_tree *t, uint64_t bytes_before);
/** The range that a cursor stands at; its level is 0. Borrowed from the tree. */
void pshi_ranges_range(const pshi_range_cursor *c, psh_range *out);

#endif
