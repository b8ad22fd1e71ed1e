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
    uint32_t reserved;          /**< 0 */
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
 * lead_ns, activations and seals that are due. Intervals that exist are left as they are, but for holes that
 * failed creations left, and for arcs whose drop failed after another of their interval was dropped.
 * Pure: the map changes only through begin and complete.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_TIME, PSH_E_NOMEM; on an error `out` is as it was.
 */
PSH_API psh_status psh_map_propose(
    psh_map *m, const psh_demand *demand, int64_t now, psh_wants *out, psh_error *err);
/**
 * An action on a partition was handed to the host. Repeating it does no harm, before or after it completed.
 * One at a time on a partition; a quarantine is only created and activated.
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
