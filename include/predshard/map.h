/* SPDX-License-Identifier: MIT */
/** @file predshard/map.h  The partition map: states of partitions, and what to create, activate, seal. */
#ifndef PREDSHARD_MAP_H
#define PREDSHARD_MAP_H

#include <predshard/forecast.h>
#include <predshard/plan.h>
#include <predshard/world.h>
PSH_BEGIN_DECLS

/**
 * Ring arcs of tenants x intervals of time. Each interval of a table is tiled by the arcs of its partitions;
 * how many and where they are cut follows the demand known when the interval is first planned.
 *
 * Threads  Calls on one object must not overlap.
 * States   shadow -> active -> sealed -> archived -> dropped; sealed -> active by reopen; shadow, sealed and
 *          active -> dropped by retention. A transition happens when the action that makes it completes.
 * Splits   A child is a shadow within the arc of an owner; shadow -> warming while its rows are copied -> the state
 *          of its source, whose arc ends before it then. A merge is the way back. Both are one step of ownership.
 * Copies   An owner may have replicas on other nodes; a move is a copy, a promotion, and the end of what was left.
 */
typedef struct psh_map psh_map;

typedef struct psh_map_options {
    uint32_t struct_size;
    uint32_t flags;             /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    uint64_t target_bytes;      /**< size a partition should have; default 64 MiB */
    uint32_t max_arcs;          /**< most partitions of one interval, 1..4096; default 16 */
    uint32_t max_partitions;    /**< most partitions alive; default 65536 */
    int64_t lead_ns;            /**< create this long before an interval begins; default one day; < 0 = 0 */
    int64_t activate_lead_ns;   /**< activate this long before; default 1 h; < 0 = 0 */
    int64_t lateness_ns;        /**< seal this long after an interval ends; default 1 h; < 0 = 0 */
    int64_t horizon_ns;         /**< nothing is planned further ahead; default 32 days */
    uint64_t max_bytes;         /**< bytes that may be planned ahead in all; default 1 TiB */
    uint32_t default_arcs;      /**< arcs of an interval of which no forecast is known; default 1. It is
                                 *   given the room that the latest interval before now fills */
    uint32_t max_replicas;      /**< of one partition, beside its owner, 0..16; default 2 */
    uint32_t max_changes;       /**< splits, merges, moves, replicas begun by one plan; default 16; 0 = none */
    uint32_t max_assignments;   /**< tenants with a segment or preference, old ones counted; default 2^20 */
    uint64_t split_bytes;       /**< an owner larger than this is split; default 256 MiB; 0 = never by size */
    uint64_t merge_bytes;       /**< two neighbours together smaller than this are merged; default 0 = never by size */
    uint64_t max_move_bytes;    /**< that one plan may copy; default 4 GiB */
    uint64_t step_bytes;        /**< that one step of a copy may copy, > 0; default 64 MiB */
    uint64_t move_bytes_per_s;  /**< how fast copies go, > 0: they begin early enough to end before the load;
                                 *   default 32 MiB/s */
    int64_t settle_ns;          /**< what changed its arc or place stays so for this long; default 1 h; < 0 = 0 */
    int64_t half_life_ns;       /**< of the loads observed, > 0; default 15 min */
    double latency_us;          /**< partitions slower than this count as hotter than they are; 0 = not looked at */
    double tolerance;           /**< nodes within (1 + tolerance) of the mean load are left alone; default 0.2 */
    double busy;                /**< share of a node's capacity below which load is no reason to change anything; 0..1,
                                 *   default 0.3 */
    double split_above;         /**< share of a node's fair load above which a partition may be split; default 0.5 */
    double merge_below;         /**< share of it below which two neighbours may merge; default 0.02; 0 = never */
    int64_t create_ns;          /**< that the host takes to create one partition; default 0. An interval of n arcs is
                                 *   wanted 2 n create_ns before lead_ns would have it, so that all are there in time */
} psh_map_options;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_map_options_init(psh_map_options *o, uint32_t size);
/** @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED, PSH_E_NOMEM. *out is the caller's, NULL on an error. */
PSH_API psh_status psh_map_create(
    psh_env *env, psh_schema *schema, const psh_map_options *o, psh_map **out, psh_error *err);
/** NULL is allowed. */
PSH_API void psh_map_destroy(psh_map *m);

/**
 * Adds wants: quarantines, partitions of the interval that holds now and of those that begin within
 * lead_ns, activations and seals that are due; splits, merges, moves and replicas where predicted or observed load
 * or size asks for them (where the demand has no skill, observed load alone), the rest of those that are under way;
 * nodes to add and release. Intervals that exist are left as they are, but for holes that
 * failed creations left, and for arcs whose drop failed after another of their interval was dropped.
 * Pure: the map changes only through begin and complete.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_TIME, PSH_E_NOMEM; on an error `out` is as it was.
 */
PSH_API psh_status psh_map_propose(
    psh_map *m, const psh_demand *demand, int64_t now, psh_wants *out, psh_error *err);
/**
 * An action on a partition was handed to the host. Repeating it does no harm, before or after it completed.
 * One at a time on a partition; a quarantine is only created, activated and moved.
 * @return PSH_OK, PSH_E_STATE (illegal transition), PSH_E_LIMIT, PSH_E_INVALID, PSH_E_NOMEM.
 */
PSH_API psh_status psh_map_begin(psh_map *m, const psh_action *a);
/**
 * It ended: PSH_OK makes the transition, an error takes it back. Repeating it does no harm.
 * @return PSH_OK, also for what was never begun; PSH_E_INVALID.
 */
PSH_API psh_status psh_map_complete(psh_map *m, const psh_action *a, psh_status status, int64_t now);

/**
 * Rows were written to a partition.
 * @param time_min, time_max  event times of the rows, both within
 * @param position            of the commit in the change source; 0 if unknown
 * @return PSH_OK; PSH_AGAIN (quarantine, or late for a sealed interval: publish a new world before the write
 *         is acknowledged, so that no view answers without it); PSH_E_NOT_FOUND; PSH_E_STATE (its interval is
 *         being dropped: route the rows again in the current world).
 */
PSH_API psh_status psh_map_observe_write(
    psh_map *m, uint64_t partition, uint64_t rows, uint64_t bytes, int64_t time_min, int64_t time_max,
    uint64_t position);
/**
 * After a load whose host went on after the save: writes since then are not known, so every partition that may
 * have taken some counts as last written at `position`, and no view part answers for it that is older. Its rows
 * and bytes stay as they were saved. NULL is allowed.
 */
PSH_API void psh_map_recover(psh_map *m, uint64_t position);
/** sealed -> active, so that rows of it may be changed. @return PSH_OK, PSH_E_STATE, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_map_reopen(psh_map *m, uint64_t partition);
/**
 * Adds every partition that exists and is not dropped. An interval's arcs own their keys all together or not at
 * all: until its arcs tile the ring and the last of them is active, active ones are shown as warming; once one
 * of them is dropped, the others are shown no more. On failure the draft is good for nothing.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM.
 */
PSH_API psh_status psh_map_export(const psh_map *m, psh_world_draft *d);
/**
 * The same for a draft that begins with the world exported last (psh_world_draft_base): only what changed since the
 * last psh_map_exported. @return as psh_map_export; PSH_E_STATE (too much changed: export all).
 */
PSH_API psh_status psh_map_export_changes(psh_map *m, psh_world_draft *d);
/** The world of the last export is published: changes count from here on. Cannot fail. */
PSH_API void psh_map_exported(psh_map *m);

/** A node that the map may use. */
typedef struct psh_map_node {
    uint32_t node;          /**< its id, not PSH_NONE */
    uint32_t state;         /**< PSH_MAP_NODE_* */
    double capacity;        /**< load it carries, in units of psh_partition_load, > 0 */
    uint64_t free_bytes;
} psh_map_node;

#define PSH_MAP_NODE_UP 1      /**< holds partitions */
#define PSH_MAP_NODE_STANDBY 2 /**< may be added: psh_map_resize; closed in the ledger: psh_tiers_options.standby */
#define PSH_MAP_NODE_LEAVING 3 /**< everything moves away, then it is released */

/**
 * Tells the nodes; replaces what was told before. Without nodes nothing is moved or replicated. Partitions may stand
 * on nodes that are not told: those are left alone.
 * @param nodes  Shape [n], 0..65536, distinct; copied
 * @return PSH_OK, PSH_E_INVALID (capacity not > 0, a node twice, ...), PSH_E_NOMEM; on an error nothing changed.
 */
PSH_API psh_status psh_map_set_nodes(
    psh_map *m, const psh_map_node *nodes, size_t n, size_t stride, psh_error *err);
/** @return nodes told. */
PSH_API size_t psh_map_node_count(const psh_map *m);
/** By node. @return PSH_OK, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_map_node_at(const psh_map *m, size_t i, psh_map_node *out);
/**
 * How many nodes should hold partitions, as psh_capacity_decide says: more makes standby nodes wanted
 * (PSH_ACT_ADD_NODE; UP once that completes), fewer makes the least loaded ones leave (PSH_ACT_RELEASE_NODE once
 * they hold nothing; STANDBY once that completes). At least one stays.
 * @return PSH_OK, PSH_E_CAPACITY (not so many are known; all are used), PSH_E_INVALID (0).
 */
PSH_API psh_status psh_map_resize(psh_map *m, uint32_t nodes);

/** What a partition was seen to carry over some time. */
typedef struct psh_partition_load {
    uint32_t struct_size;
    uint32_t reserved;      /**< 0 */
    double reads_per_s;     /**< >= 0 */
    double writes_per_s;    /**< >= 0 */
    double latency_us;      /**< of its queries, mean; 0 = unknown */
    uint64_t rows;          /**< stored now; UINT64_MAX = as counted by psh_map_observe_write */
    uint64_t bytes;         /**< stored now; UINT64_MAX = the same */
} psh_partition_load;
/**
 * Real signals. Loads fade with half_life_ns.
 * @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_INVALID.
 */
PSH_API psh_status psh_map_observe_load(
    psh_map *m, uint64_t partition, const psh_partition_load *load, int64_t now);
/**
 * Partitions of `table` and `other` that hold the same tenants at the same time are asked for together: placed on
 * one node where that saves more than the move costs.
 * @param saved  load saved while they stand together, as a share of what each carries, 0..1; 0 forgets it
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOT_FOUND (table), PSH_E_LIMIT (256 pairs), PSH_E_NOMEM.
 */
PSH_API psh_status psh_map_set_together(psh_map *m, uint32_t table, uint32_t other, double saved);

/**
 * A tenant's segment, access pattern and tier from the next interval of the table on (or from the interval at or
 * after a->from, if that is later), so that no key that was written is renamed. The same again changes nothing.
 * @param now  a->from may be PSH_TIME_NONE: as soon as may be
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOT_FOUND (table), PSH_E_TIME, PSH_E_LIMIT (max_assignments), PSH_E_NOMEM.
 */
PSH_API psh_status psh_map_assign(psh_map *m, const psh_assignment *a, int64_t now);
/** @return assignments kept; what no partition's interval needs any more is forgotten. */
PSH_API size_t psh_map_assignment_count(const psh_map *m);
/** By (table, tenant, from). @return NULL past the end. Borrowed. */
PSH_API const psh_assignment *psh_map_assignment(const psh_map *m, size_t i);
/** A tenant's ring point at a time, as psh_world_point in a world exported now. */
PSH_API uint64_t psh_map_point(const psh_map *m, uint32_t table, uint64_t tenant, int64_t time);

/** @return replicas, those being made among them. */
PSH_API size_t psh_map_replica_count(const psh_map *m);
/** By (partition, node). @return NULL past the end. Borrowed. */
PSH_API const psh_replica *psh_map_replica(const psh_map *m, size_t i);
/** @return partitions, those being created among them. */
PSH_API size_t psh_map_count(const psh_map *m);
/**
 * By (table, interval, arc_first); quarantines last; one being created is warming. Borrowed.
 * @return NULL past the end.
 */
PSH_API const psh_partition *psh_map_get(const psh_map *m, size_t i);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_map_save(const psh_map *m, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_map_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_map **out,
    psh_error *err);

PSH_END_DECLS
#endif
