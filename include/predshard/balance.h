/* SPDX-License-Identifier: MIT */
/** @file predshard/balance.h  Evens out predicted heat over nodes: moves, splits, merges, replicas. */
#ifndef PREDSHARD_BALANCE_H
#define PREDSHARD_BALANCE_H

#include <predshard/base.h>
PSH_BEGIN_DECLS

#define PSH_HEAT_PINNED 1u /**< must stay where it is: not moved, split or merged; it may get replicas */

/** What carries load and can be placed: a partition, a shard, a tenant. */
typedef struct psh_heat {
    uint64_t id;        /**< unique, not 0 */
    uint64_t group;     /**< items of one group are asked for together; 0 = none */
    uint64_t next;      /**< id of its right neighbour, with which it could merge; 0, or no item's = none */
    uint64_t bytes;     /**< that a move copies; a split copies its share of them */
    double writes;      /**< predicted load that only its owner can take, >= 0 */
    double reads;       /**< predicted load that replicas can share, >= 0, of owner and replicas together */
    double affinity;    /**< load saved where all of its group stand on one node, >= 0 */
    double keep_cost;   /**< load that moving it costs while it moves, spread over the horizon; >= 0 */
    uint32_t node;      /**< owner; one of the nodes, or PSH_NONE: not placed yet */
    uint32_t max_parts; /**< cuts at predicted quantiles can make that many parts; 0 or 1 = it cannot be split */
    uint32_t replicas;  /**< it has now for its load, beside the owner, <= 1024; copies for safety are not told */
    uint32_t flags;     /**< PSH_HEAT_* */
    const uint32_t *replica_nodes; /**< Shape [replicas], distinct nodes, not the owner. NULL = nobody knows: what
                                    *   they carry counts nowhere, and a copy may be planned where one stands */
} psh_heat;

#define PSH_NODE_LEAVING 1u /**< everything on it moves away; it takes nothing */

typedef struct psh_heat_node {
    uint32_t node;      /**< its id, not PSH_NONE */
    uint32_t flags;     /**< PSH_NODE_* */
    double capacity;    /**< load it can carry, > 0 */
    uint64_t free_bytes; /**< room for what comes; room that a plan's steps make is not used by the same plan */
} psh_heat_node;

#define PSH_BALANCE_NO_SPLIT 1u
#define PSH_BALANCE_NO_MERGE 2u
#define PSH_BALANCE_NO_REPLICA 4u
#define PSH_BALANCE_NO_MOVE 8u

typedef struct psh_balance_options {
    uint32_t struct_size;
    uint32_t flags;         /**< PSH_BALANCE_NO_* : kinds of steps that are not wanted */
    uint32_t max_steps;     /**< moves, splits, merges, replicas in all; default 64 */
    uint32_t max_replicas;  /**< of one item, beside its owner, <= 1024; default 2 */
    uint64_t max_bytes;     /**< copied by all steps; default UINT64_MAX */
    double tolerance;       /**< nodes within (1 + tolerance) of the mean are left alone, fuller ones brought down
                             *   to half of it: hysteresis; 0..1000, default 0.10 */
    double split_above;     /**< an item above this share of its node's fair load may be split; > 0, default 0.5 */
    double merge_below;     /**< two neighbours together below it may merge; 0..split_above, default 0.05 */
    double least_gain;      /**< a step must lower the fuller node's load by this share of the mean, what it costs
                             *   taken off; 0..1000, default 0.01 */
    double busy;            /**< a node's fair load is at least this share of its capacity: below it nothing is hot, and
                             *   little is worth a place of its own; 0..1, default 0 = loads count relatively alone */
} psh_balance_options;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_balance_options_init(psh_balance_options *o, uint32_t size);

#define PSH_BALANCE_MOVE 1    /**< item from -> to */
#define PSH_BALANCE_SPLIT 2   /**< `share` of the item's load becomes an item of its own on `to` */
#define PSH_BALANCE_MERGE 3   /**< item takes `other`, its right neighbour, on the same node */
#define PSH_BALANCE_REPLICATE 4 /**< a copy more, on `to` */
#define PSH_BALANCE_UNREPLICATE 5 /**< the copy on `from` goes; PSH_NONE: any, nobody said where they stand */
#define PSH_BALANCE_PLACE 6   /**< an item without a node goes to `to` */

typedef struct psh_balance_step {
    uint32_t kind;      /**< PSH_BALANCE_* */
    uint32_t from;      /**< node; PSH_NONE for PLACE */
    uint32_t to;        /**< node; UNREPLICATE: the owner */
    uint32_t parts;     /**< SPLIT: what is left of the item by then is cut into so many equal parts, of which one
                         *   goes to `to`; else 0 */
    uint64_t item;
    uint64_t other;     /**< MERGE: the neighbour; else 0 */
    uint64_t bytes;     /**< copied by it */
    double share;       /**< SPLIT, REPLICATE: of the item's load that leaves its owner, (0, 1); else 0 */
    double before;      /**< load over capacity of the fuller of the two nodes before, */
    double after;       /**< and after it */
    uint32_t why;       /**< PSH_WHY_* of plan.h: HOT, COOLED, BALANCE, TOGETHER, LEAVING, FORECAST (of a PLACE) */
    uint32_t reserved;  /**< 0 */
} psh_balance_step;

/**
 * A plan: steps in the order in which they were found: what is not placed, what leaves, then the most gain first
 * for its price; what cooled comes last. Each step is good without those behind it, so that a plan may be cut
 * short.
 *
 * A node's fair load is its share of all load by capacity, leaving nodes left out. While the fullest node is above
 * its fair load by more than the tolerance, the best move, part or replica from it to one of the emptiest is taken:
 * that which lowers the larger of the two by most, less keep_cost and the affinity lost, for the steps and bytes it
 * uses up. An item moves once in a plan. Neither affinity nor keep_cost counts as load of a node.
 *
 * Repeat   Loads are counted in units of 2^-38 of their sum; ties go by id: same input, in any order, same plan.
 * Threads  Immutable once made: any.
 * Source   Adya et al. 2016, "Slicer: auto-sharding for datacenter applications" (weighted moves: gain over churn);
 *          steps against bytes: Toyoda 1975, "A simplified algorithm for obtaining approximate solutions to
 *          zero-one programming problems"; placing, longest first: Graham 1969, "Bounds on multiprocessing timing
 *          anomalies".
 */
typedef struct psh_balance psh_balance;
/**
 * Plans. Near-linear in items and nodes.
 * @param items  Shape [item_count]; nodes Shape [node_count], distinct
 * @return PSH_OK, PSH_E_INVALID (the field and index are named), PSH_E_UNSUPPORTED, PSH_E_NOMEM. *out is the
 *         caller's.
 */
PSH_API psh_status psh_balance_create(
    psh_env *env, const psh_balance_options *o, const psh_heat *items, size_t item_count, size_t item_stride,
    const psh_heat_node *nodes, size_t node_count, size_t node_stride, psh_balance **out, psh_error *err);
/** NULL is allowed. */
PSH_API void psh_balance_destroy(psh_balance *b);
/** @return steps. */
PSH_API size_t psh_balance_count(const psh_balance *b);
/** @return PSH_OK, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_balance_get(const psh_balance *b, size_t i, psh_balance_step *out);
/** Largest load of a node over its fair load: before the plan; after all its steps. 1 = even. */
PSH_API double psh_balance_before(const psh_balance *b);
/** See psh_balance_before. */
PSH_API double psh_balance_after(const psh_balance *b);
/** Appends text: one step a line, with its reason. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_balance_dump(const psh_balance *b, psh_buffer *out);

PSH_END_DECLS
#endif
