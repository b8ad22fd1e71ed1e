/* SPDX-License-Identifier: MIT */
/** @file map/map.h  The inside of a partition map. */
#ifndef PSHI_MAP_MAP_H
#define PSHI_MAP_MAP_H

#include <predshard/map.h>

#include "ds/idmap.h"

/** Ordinals of an interval's arcs are 0..this - 1: as many as options may ask for. */
#define PSHI_MAP_MAX_ARCS 4096u
#define PSHI_MAP_MAX_COPIES 16u
#define PSHI_MAP_MAX_NODES 65536u
#define PSHI_MAP_MAX_PAIRS 256u
/** Intervals and copies that changed since the last export, at most: beyond it all is exported. */
#define PSHI_MAP_MAX_TOUCHED 4096u

/** A partition and what is under way on it. While it is being created its state is warming. */
typedef struct pshi_slot {
    psh_partition p;
    uint64_t pending_id; /* of the action begun; 0 = none */
    uint64_t pending_source; /* of a change that is pending or owed, as what follows */
    uint64_t pending_generation;
    uint64_t reopens;    /* tells one seal from the next */
    uint64_t stamp;      /* of a child: its creation's generation; tells actions on one id, made twice, apart */
    uint64_t changes;    /* of arc and place, that ended: the same for one partition */
    uint64_t source;     /* of a child that owns nothing yet: the owner it will be cut from; else 0 */
    uint64_t partner;    /* of an owner: the child that is filled from it, or the one it merges into; else 0 */
    double reads;        /* observed a second, faded to load_at */
    double writes;
    double latency_us;
    int64_t load_at;     /* PSH_TIME_NONE: no load was observed */
    int64_t changed_at;  /* its arc or place; PSH_TIME_NONE: never */
    uint32_t pending;    /* PSH_ACT_* of it; 0 = none */
    uint32_t pending_step; /* of a split or copy: step and steps; which node; the other side of a merge or split */
    uint32_t pending_steps;
    uint32_t pending_node;
    uint32_t owed;       /* a change of owner that was handed out, of which nobody knows whether it was made: it is
                          * wanted again until it is. PSH_ACT_*, 0 = none */
    uint32_t broken;     /* 1: a child that cannot be filled: to be dropped */
    uint32_t gone;       /* 1: another arc of its interval was dropped, so that the interval is gone as a whole */
    uint32_t steps_done; /* of a child's copy */
    uint32_t steps;      /* of it in all; 0 before the first */
    uint32_t why;        /* it was created for: PSH_WHY_* */
    uint32_t touched;    /* 1: stands in the map's list of what changed since the last export */
} pshi_slot;

#define PSHI_COPY_READ 0u /* a replica to be read */
#define PSHI_COPY_MOVE 1u /* the next owner */
#define PSHI_COPY_LEFT 2u /* the owner before: to be dropped */

/** A replica and how far it is. */
typedef struct pshi_copy {
    psh_replica r;
    uint32_t purpose; /* PSHI_COPY_* */
    uint32_t why;     /* PSH_WHY_* */
    uint32_t steps_done;
    uint32_t steps;
} pshi_copy;

/** Two tables that are asked for together. */
typedef struct pshi_pair {
    uint32_t table; /* < other */
    uint32_t other;
    double saved;
} pshi_pair;

/** What changed: an interval of a table, a partition that is gone, or a replica that is. */
typedef struct pshi_mark {
    uint64_t partition; /* gone; 0: an interval */
    int64_t interval;
    uint32_t table;
    uint32_t node;      /* of a replica that is gone; PSH_NONE: of a partition */
    uint32_t flags;     /* of its partitions */
} pshi_mark;

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
    uint64_t stamp;   /* changes of structure so far */
    uint64_t node_stamp; /* nodes added and released so far */
    pshi_copy *copies; /* by (partition, node) */
    size_t copy_count, copy_cap;
    psh_map_node *nodes; /* by node */
    size_t node_count;
    uint32_t nodes_wanted; /* 0: as many as are up */
    pshi_pair *pairs;
    size_t pair_count, pair_cap;
    psh_assignment *assignments; /* by (table, tenant, from) */
    size_t assignment_count, assignment_cap;
    uint8_t *assignment_fresh; /* Shape [assignment_cap]: 1 since the last export */
    pshi_mark *touched;
    size_t touched_count, touched_cap;
    int touched_all;  /* 1: the list does not hold all */
};

/* map.c */
/** By (table, interval, arc_first), quarantines last. */
int pshi_map_compare(const psh_partition *a, const psh_partition *b);
/** Slot i of the order. */
pshi_slot *pshi_map_slot(const psh_map *m, size_t i);
/** The slot of an id, or NULL. */
pshi_slot *pshi_map_find(const psh_map *m, uint64_t id);
/** The first place in the order that does not stand before p. */
size_t pshi_map_lower(const psh_map *m, const psh_partition *p);
/** The end of the run of slots that share the table and interval of slot i. */
size_t pshi_map_group_end(const psh_map *m, size_t i);
/** @return 1 if it is there: not merely being created. */
int pshi_map_exists(const pshi_slot *s);
/** @return 1 if this very action was begun and did not end. */
int pshi_map_is_begun(const psh_map *m, const psh_action *a);
/** @return 1 if it is a child that owns nothing yet. */
int pshi_map_is_child(const pshi_slot *s);

psh_status pshi_map_check_options(const psh_map_options *o, psh_error *err);
/** Whether a partition is what its map may hold: ids, bounds, interval. @return PSH_OK, PSH_E_INVALID. */
psh_status pshi_map_check_partition(const psh_map *m, const psh_partition *p);
/**
 * Puts a slot in its place.
 * @return PSH_OK, PSH_E_STATE (overlaps another of its kind, or its ordinal is taken), PSH_E_LIMIT, PSH_E_NOMEM.
 */
psh_status pshi_map_insert(psh_map *m, const pshi_slot *slot);
/** Takes a slot and its copies out. Slots move: pointers to them are good no more. */
void pshi_map_remove(psh_map *m, const pshi_slot *slot);
/** Amounts as whole numbers, rounded up. */
uint64_t pshi_map_whole(double x);

/* reshape.c: splits, merges, copies. */
int pshi_map_is_reshape(uint32_t kind);
/** As psh_map_begin, for these kinds, s the slot of the subject. */
psh_status pshi_reshape_begin(psh_map *m, pshi_slot *s, const psh_action *a);
/** Makes the transition of what is pending on s; slots may move. */
void pshi_reshape_done(psh_map *m, pshi_slot *s, int64_t now);
/** Takes back what is pending on s; where it may have been done all the same, it is owed from then on. */
void pshi_reshape_failed(psh_map *m, pshi_slot *s, psh_status status);
/** Whether what is pending on a slot that was loaded has all that it needs to end. */
int pshi_reshape_is_possible(const psh_map *m, const pshi_slot *s);
/** A child is created: whether its source may have it. @return PSH_OK, PSH_E_STATE, PSH_E_INVALID. */
psh_status pshi_reshape_check_child(const psh_map *m, const psh_want *w);
/** A child goes without having owned anything: its source is free again. */
void pshi_reshape_forget_child(psh_map *m, const pshi_slot *child);
/** The copies of a partition: *first..*end - 1. */
void pshi_map_copies(const psh_map *m, uint64_t partition, size_t *first, size_t *end);
/** @return the copy or NULL. */
pshi_copy *pshi_map_copy(const psh_map *m, uint64_t partition, uint32_t node);
/** Puts a copy in its place. @return PSH_OK, PSH_E_STATE (there is one), PSH_E_NOMEM. */
psh_status pshi_map_add_copy(psh_map *m, const pshi_copy *copy);
void pshi_map_remove_copies(psh_map *m, uint64_t partition);

/* export.c */
/** Notes that the interval of a slot, or its load, changed. Cannot fail. */
void pshi_map_touch(psh_map *m, pshi_slot *s);
/** Notes that a partition (node = PSH_NONE) or a replica is gone. */
void pshi_map_touch_gone(psh_map *m, uint64_t partition, uint32_t node);

/* assign.c */
/** The assignment of a tenant that holds at the start of an interval, or NULL. */
const psh_assignment *pshi_map_assigned(const psh_map *m, uint32_t table, uint64_t tenant, int64_t from);
/** Whether a table has any. */
int pshi_map_has_assignments(const psh_map *m, uint32_t table);
/** Inserts in order; all but `fresh`. @return PSH_OK, PSH_E_STATE (there is one), PSH_E_LIMIT, PSH_E_NOMEM. */
psh_status pshi_map_insert_assignment(psh_map *m, const psh_assignment *a);

/* nodes.c */
/** The node told under an id, or NULL. */
psh_map_node *pshi_map_node(const psh_map *m, uint32_t node);
/** The driver's word on ADD_NODE and RELEASE_NODE. */
void pshi_map_node_done(psh_map *m, const psh_want *w);
psh_status pshi_map_check_nodes(const psh_map_node *nodes, size_t n, psh_error *err);

/* observe.c */
/** Observed load at a time: reads and writes a second. */
void pshi_map_load_at(const psh_map *m, const pshi_slot *s, int64_t now, double *reads, double *writes);

#endif
