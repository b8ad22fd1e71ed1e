/* SPDX-License-Identifier: MIT */
/** @file map/balance.h  Inside of psh_balance: loads as whole numbers, nodes in heaps, steps being found. */
#ifndef PSHI_MAP_BALANCE_H
#define PSHI_MAP_BALANCE_H

#include <predshard/balance.h>

/* A node at its fair load; loads over fair loads are counted in such parts, so that order never hangs on
 * rounding. */
#define PSHI_BAL_ONE (UINT64_C(1) << 24)
/* The sum of all loads is counted as about 2^38 units: times PSHI_BAL_ONE, and a few, it still fits 64 bits. */
#define PSHI_BAL_BITS 38
/* No cost, and no leaving node's fair load, counts for more. */
#define PSHI_BAL_MOST (UINT64_C(1) << 39)

#define PSHI_BAL_PINNED 1u
#define PSHI_BAL_MOVED 2u  /* placed or moved by this plan: stays there */
#define PSHI_BAL_CUT 4u    /* parts of it went elsewhere */
#define PSHI_BAL_COPIED 8u /* got a copy: what it has stays */
#define PSHI_BAL_MERGED 16u

typedef struct pshi_bal_item {
    uint64_t id;
    uint64_t bytes;
    uint64_t writes;     /* units, as all loads here */
    uint64_t reads;      /* of owner and copies together */
    uint64_t keep;
    uint32_t node;       /* index, PSH_NONE = not placed */
    uint32_t group;      /* index, PSH_NONE = none */
    uint32_t parts;      /* it can still be cut into */
    uint32_t replicas;
    uint32_t copies;     /* first of its known copies, PSH_NONE = none */
    uint32_t flags;
} pshi_bal_item;

/* One known copy of an item; the copies of an item are a list. */
typedef struct pshi_bal_copy {
    uint32_t node;
    uint32_t next;
} pshi_bal_copy;

typedef struct pshi_bal_node {
    double capacity;
    uint64_t fair;       /* > 0 */
    uint64_t load;
    uint64_t free;
    uint32_t id;
    uint32_t flags;      /* PSH_NODE_* */
    uint32_t first;      /* of its items in `order`, most load first once `is_sorted` */
    uint32_t count;
    uint32_t heavy;      /* so many of them are looked at one by one: they may be cut or copied */
    uint8_t is_sorted;
    uint8_t is_hot;      /* was above the tolerance: brought down to half of it */
    uint8_t reserved[2];
} pshi_bal_node;

typedef struct pshi_bal_group {
    uint64_t affinity;   /* of all members together */
    uint32_t home;       /* node that held most of them at first, PSH_NONE = none placed */
    uint32_t at_home;    /* members there now */
    uint32_t first;      /* in `members` */
    uint32_t count;
} pshi_bal_group;

/* An indexed binary heap of nodes, largest key first, ties by index. */
typedef struct pshi_bal_heap {
    const uint64_t *key; /* by node */
    uint64_t flip;       /* all bits: smallest key first */
    uint32_t *at;        /* Shape [n] */
    uint32_t *place;     /* by node; PSH_NONE = not in it */
    size_t n;
} pshi_bal_heap;

struct psh_balance {
    psh_env *env;
    psh_balance_step *steps;
    size_t count;
    size_t cap;
    double before;
    double after;
};

/* What a plan is made in. Zeroed is empty. */
typedef struct pshi_bal {
    psh_env *env;
    psh_balance *out;
    psh_balance_options o;
    psh_status status;     /* first failure: no step is found after it */
    pshi_bal_item *items;  /* by id */
    uint64_t *next;        /* ids of right neighbours, by item */
    size_t item_count;
    pshi_bal_node *nodes;  /* by id */
    size_t node_count;
    size_t staying;        /* nodes that do not leave */
    uint32_t is_uniform;   /* all nodes have one capacity */
    uint32_t steps_left;
    uint64_t bytes_left;
    uint64_t most_free;    /* no node has more room for bytes */
    uint64_t total;        /* units */
    uint64_t mean;         /* units a staying node, > 0 */
    int exponent;          /* a unit is 2^exponent of the caller's load */
    uint32_t target_count;
    uint64_t trigger;      /* a node above it is too full, */
    uint64_t goal;         /* and brought down to it; in parts of PSHI_BAL_ONE */
    uint64_t least;        /* gain */
    uint64_t *over;        /* by node: load over fair load */
    uint64_t *room;        /* by node: how far below its fair load */
    pshi_bal_heap fullest;
    pshi_bal_heap emptiest;
    pshi_bal_heap roomiest; /* used unless is_uniform */
    uint32_t *order;       /* items by node */
    uint32_t *ahead;       /* by place in order: so many places behind it, too, have items that may not move */
    uint32_t *back;        /* the same before it */
    uint32_t *members;     /* items by group */
    pshi_bal_group *groups;
    size_t group_count;
    pshi_bal_copy *copies;
    size_t copy_count;
    size_t copy_cap;
    uint64_t *keys;        /* Shape [max of items and nodes], scratch of sorts */
    uint64_t *keys2;
    uint32_t *swap;
    uint32_t targets[8];   /* where a step might go */
} pshi_bal;

/* balance_intake.c */

/** Reads and checks what the caller gave; counts loads in units. Frees nothing on an error. */
psh_status pshi_bal_intake(
    pshi_bal *p, const psh_heat *items, size_t item_stride, const psh_heat_node *nodes, size_t node_stride,
    psh_error *err);
/** The load of an item's owner. */
uint64_t pshi_bal_own(uint64_t writes, uint64_t reads, uint32_t replicas);

/* balance_order.c */

/** Sorts index[n] by ascending key, stably: keys[i] belongs to index[i]. The scratch of p must hold n. */
void pshi_bal_sort(pshi_bal *p, uint64_t *keys, uint32_t *index, size_t n);
void pshi_bal_heap_push(pshi_bal_heap *h, uint32_t node);
void pshi_bal_heap_remove(pshi_bal_heap *h, uint32_t node);
/** The key of a node in it has changed. */
void pshi_bal_heap_fix(pshi_bal_heap *h, uint32_t node);
/** Puts all staying nodes into the heaps. */
void pshi_bal_heaps(pshi_bal *p);
/** Fills p->targets with the staying nodes that are emptiest, and if capacities differ those with most room. */
void pshi_bal_targets(pshi_bal *p);
/** A node's load changed: sets over and room, mends the heaps. */
void pshi_bal_touch(pshi_bal *p, uint32_t node);
/** The items of a node, most load first. */
void pshi_bal_sort_node(pshi_bal *p, uint32_t node);
/** Fills p->order from where items stand now. */
void pshi_bal_bucket(pshi_bal *p);

/* balance_step.c */

/** One step that could be taken. */
typedef struct pshi_bal_try {
    uint32_t kind;      /* PSH_BALANCE_*; 0 = none */
    uint32_t item;
    uint32_t from;
    uint32_t to;
    uint32_t parts;
    uint32_t why;
    uint32_t steps;     /* that it takes; above 1: all of its item's group move */
    uint32_t reserved;
    uint64_t leaves;    /* load that `from` loses, */
    uint64_t arrives;   /* and `to` gets */
    uint64_t bytes;
    uint64_t net;       /* gain less cost, in parts of PSHI_BAL_ONE */
    uint64_t price;     /* steps and bytes used up */
    uint64_t full;      /* `to` after it: load over fair load */
} pshi_bal_try;

/** @return load over fair load of a node if it had that load. */
uint64_t pshi_bal_over(const pshi_bal_node *n, uint64_t load);
/** @return 1 if the item has a copy there. */
int pshi_bal_has_copy(const pshi_bal *p, const pshi_bal_item *it, uint32_t node);
/** @return 1 if all of the item's group, of which something is saved by that, stand on one node. */
int pshi_bal_is_whole(const pshi_bal *p, const pshi_bal_item *it);
/** Takes the step: loads, budgets, and one line of the plan. */
void pshi_bal_move(pshi_bal *p, uint32_t item, uint32_t to, uint32_t why);
void pshi_bal_split(pshi_bal *p, uint32_t item, uint32_t to, uint32_t parts);
void pshi_bal_replicate(pshi_bal *p, uint32_t item, uint32_t to, uint32_t why);
/** from: PSH_NONE where nobody knows the copies. */
void pshi_bal_unreplicate(pshi_bal *p, uint32_t item, uint32_t from, uint32_t why);
void pshi_bal_merge(pshi_bal *p, uint32_t item, uint32_t other);

/* balance_find.c */

/** The step from the node that lowers most; kind 0 if none is worth it. */
pshi_bal_try pshi_bal_find(pshi_bal *p, uint32_t node);
/** Where an item had best go, as a whole, with `load` for its new node; PSH_NONE = nowhere. */
uint32_t pshi_bal_choose(pshi_bal *p, const pshi_bal_item *it, uint64_t load);

/* balance_phases.c */

/** Places what has no node. Takes p->order as scratch, as the next does. */
void pshi_bal_place(pshi_bal *p);
/** Empties leaving nodes. */
void pshi_bal_leave(pshi_bal *p);
/** Lowers the fullest nodes. After pshi_bal_bucket. */
void pshi_bal_relieve(pshi_bal *p);

/* balance_cool.c */

/** Takes copies away, in at most so many steps. */
void pshi_bal_cool(pshi_bal *p, uint32_t most);
/** Brings groups together. */
void pshi_bal_gather(pshi_bal *p);
/** Merges neighbours. */
void pshi_bal_join(pshi_bal *p);

#endif
