/* SPDX-License-Identifier: MIT */
/** @file map/map.h  The inside of a partition map. */
#ifndef PSHI_MAP_MAP_H
#define PSHI_MAP_MAP_H

#include <predshard/map.h>

#include "ds/idmap.h"

/** Ordinals of an interval's arcs are 0..this - 1: as many as options may ask for. */
#define PSHI_MAP_MAX_ARCS 4096u

/** A partition and what is under way on it. While it is being created its state is warming. */
typedef struct pshi_slot {
    psh_partition p;
    uint64_t pending_id; /* of the action begun; 0 = none */
    uint64_t reopens;    /* tells one seal from the next */
    uint32_t pending;    /* PSH_ACT_* of it; 0 = none */
    uint32_t gone;       /* 1: another arc of its interval was dropped, so that the interval is gone as a whole */
} pshi_slot;

struct psh_map {
    psh_env *env;
    psh_schema *schema;
    psh_map_options o;
    pshi_slot *slots; /* in no order, packed */
    size_t slot_cap;
    uint32_t *order;  /* indexes of slots, as pshi_map_compare sorts */
    size_t order_cap;
    size_t count;
    pshi_idmap ids;   /* partition id -> index of slot */
};

/** By (table, interval, arc_first), quarantines last. */
int pshi_map_compare(const psh_partition *a, const psh_partition *b);
/** Slot i of the order. */
pshi_slot *pshi_map_slot(const psh_map *m, size_t i);
/** The first place in the order that does not stand before p. */
size_t pshi_map_lower(const psh_map *m, const psh_partition *p);
/** The end of the run of slots that share the table and interval of slot i. */
size_t pshi_map_group_end(const psh_map *m, size_t i);
/** @return 1 if it is there: not merely being created. */
int pshi_map_exists(const pshi_slot *s);

psh_status pshi_map_check_options(const psh_map_options *o, psh_error *err);
/** Whether a partition is what its map may hold: ids, bounds, interval. @return PSH_OK, PSH_E_INVALID. */
psh_status pshi_map_check_partition(const psh_map *m, const psh_partition *p);
/**
 * Puts a slot in its place.
 * @return PSH_OK, PSH_E_STATE (overlaps another, or its ordinal is taken), PSH_E_LIMIT, PSH_E_NOMEM.
 */
psh_status pshi_map_insert(psh_map *m, const pshi_slot *slot);

#endif
