/* SPDX-License-Identifier: MIT */
/** @file predshard/bulk.h  Bulk loads: expected, prepared as shadows, activated stage by stage, judged. */
#ifndef PREDSHARD_BULK_H
#define PREDSHARD_BULK_H

#include <predshard/keys.h>
#include <predshard/plan.h>
#include <predshard/world.h>
PSH_BEGIN_DECLS

/**
 * Knows the bulk loads to come: announced ones, and recurring ones by their rhythm. Before one begins it wants
 * shadow partitions with the predicted ranges and room on the predicted nodes; while rows come it activates them
 * stage by stage, readers going on; afterwards it compares what came with what was predicted, and says what to do.
 * Works by values: it reads worlds and adds wants, as the map does.
 *
 * Threads  Calls on one object must not overlap.
 * Repeat   Same seed, same calls, same bytes.
 * Source   Karnin, Lang & Liberty 2016 for the keys that came; the distance of Kolmogorov and Smirnov; Laplace's
 *          rule of succession for a rhythm's confidence. The rule of the verdicts is our own.
 */
typedef struct psh_bulk psh_bulk;

typedef struct psh_bulk_options {
    uint32_t struct_size;
    uint32_t flags;          /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    uint32_t max_loads;      /**< known at once, 1..65536; default 256 */
    uint32_t max_parts;      /**< shadows of one load in one interval, 1..256; default 16 */
    uint64_t target_bytes;   /**< of one shadow; default 64 MiB */
    int64_t lead_ns;         /**< shadows are there this long before the load; default 1 h */
    int64_t horizon_ns;      /**< nothing is prepared further ahead; default 7 days */
    int64_t override_ns;     /**< a temporary override ends after it; default 1 day */
    double alert_distance;   /**< predicted and actual keys further apart: alert or override; default 0.2 */
    double migrate_distance; /**< further apart than this: migrate; default 0.4 */
    uint64_t max_bytes;      /**< reserved for all loads; default 1 TiB */
    uint64_t seed;
} psh_bulk_options;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_bulk_options_init(psh_bulk_options *o, uint32_t size);
/** @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED, PSH_E_NOMEM. *out is the caller's, NULL on an error. */
PSH_API psh_status psh_bulk_create(
    psh_env *env, psh_schema *schema, const psh_bulk_options *o, psh_bulk **out, psh_error *err);
/** NULL is allowed. */
PSH_API void psh_bulk_destroy(psh_bulk *b);

/** One load to come. */
typedef struct psh_bulk_spec {
    uint32_t struct_size;
    uint32_t table;
    uint64_t id;            /**< the host's, not 0: a load that recurs keeps it */
    int64_t at;             /**< when it begins */
    int64_t every_ns;       /**< it recurs after so long; 0 = once */
    int64_t time_from;      /**< event times of its rows [time_from, time_to), moved on by every_ns as it recurs */
    int64_t time_to;
    double rows;            /**< expected; 0 = as the last one of this id */
    double bytes;
    double confidence;      /**< that it comes, (0, 1] */
    uint32_t node;          /**< preferred; PSH_NONE = any */
    uint32_t key_count;
    const uint64_t *points; /**< Shape [key_count]: predicted ring points (psh_world_point), a sample or all; may be
                             *   empty: as the last load of this id, else evenly over the ring */
} psh_bulk_spec;

/**
 * Announces a load, or says anew what is known of one; it replaces what was said before. A load that came before
 * without being announced is expected again by its own rhythm once its last three gaps agree within 10 %. While
 * one of this id is under way it is the one after it that is announced.
 * @return PSH_OK, PSH_E_INVALID (the field is named), PSH_E_TIME (outside what 64 bits hold), PSH_E_LIMIT,
 *         PSH_E_NOMEM.
 */
PSH_API psh_status psh_bulk_expect(psh_bulk *b, const psh_bulk_spec *spec, psh_error *err);
/**
 * Adds wants: shadows (CREATE with source: their parent) of loads that begin within lead_ns, and activations
 * (SPLIT) of shadows whose rows are on their way. Where an interval has no owners yet nothing is wanted: the map
 * makes them, and a load gets its shadows once they are active. Creations that `out` holds already are left room,
 * partitions that it splits, merges, seals, archives or drops already are neither split nor merged.
 *
 * Order    All shadows of an owner are wanted at once with their final arcs, and are activated from the right
 *          end: SPLITs of one source stand in `out` in the order in which they must be done, so that the arc of
 *          each ends where its source ends when it is due. A shadow is due once rows came for its arc, or for one
 *          on its left within the same owner. A split's generation is its shadow's created_at, a merge's that of
 *          its source.
 * Repairs  After PSH_BULK_MIGRATE: splits where the quantiles of what came are, merges of ranges that were planned
 *          otherwise; after PSH_BULK_OVERRIDE: such splits, and from `expires` on merges of what they made, where
 *          both neighbours are on one node and tier. Repairs not done within override_ns are given up.
 * Budget   Loads under way come first, then those to come by time; one whose bytes no longer fit gets nothing.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM; on an error `out` is as it was.
 */
PSH_API psh_status psh_bulk_propose(
    psh_bulk *b, const psh_world *world, int64_t now, psh_wants *out, psh_error *err);
/**
 * The load begins. One not expected is known from now on.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_STATE (under way), PSH_E_TIME (before the one before), PSH_E_LIMIT,
 *         PSH_E_NOMEM.
 */
PSH_API psh_status psh_bulk_begin(psh_bulk *b, uint64_t id, uint32_t table, int64_t now, psh_error *err);
/**
 * Rows of it are about to be written, or were. Takes no memory.
 * @param points  Shape [n]: ring points; times Shape [n] event times; bytes of all of them together
 * @return PSH_OK; PSH_AGAIN (they are counted, and a shadow should be activated now: propose, plan and act before
 *         the rest comes; a host that cannot goes on, nothing is lost); PSH_E_NOT_FOUND, PSH_E_STATE (not begun),
 *         PSH_E_INVALID.
 */
PSH_API psh_status psh_bulk_batch(
    psh_bulk *b, uint64_t id, const uint64_t *points, const int64_t *times, size_t n, uint64_t bytes, int64_t now);

#define PSH_BULK_AS_PREDICTED 0
#define PSH_BULK_ALERT 1    /**< further off than alert_distance, of other times, or not foretold: nothing done */
#define PSH_BULK_OVERRIDE 2 /**< the ranges that came instead are kept apart until the override expires */
#define PSH_BULK_MIGRATE 3  /**< the planned ranges are wrong for good: split and merge to what came */

typedef struct psh_bulk_result {
    uint32_t struct_size;
    uint32_t verdict;       /**< PSH_BULK_* */
    uint64_t id;
    double rows;            /**< that came */
    double bytes;
    double rows_predicted;
    double bytes_predicted;
    double distance;        /**< Kolmogorov-Smirnov distance of predicted and actual ring points, 0..1 */
    double outside;         /**< share of the rows outside every planned interval or, from the lowest to the highest
                             *   predicted point, outside every planned range; 1 if nothing was foretold */
    int64_t expires;        /**< of an override; PSH_TIME_NONE without */
    int64_t next_at;        /**< when it is expected again; PSH_TIME_NONE if not */
} psh_bulk_result;
/**
 * The load is over: judges it, learns from it.
 * @param out  NULL is allowed
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOT_FOUND, PSH_E_STATE (not under way), PSH_E_NOMEM.
 */
PSH_API psh_status psh_bulk_end(psh_bulk *b, uint64_t id, int64_t now, psh_bulk_result *out);
/** The last verdict on a load. @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_STATE (none yet). */
PSH_API psh_status psh_bulk_last(const psh_bulk *b, uint64_t id, psh_bulk_result *out);
/** @return loads known. */
PSH_API size_t psh_bulk_count(const psh_bulk *b);
/**
 * By id: what is expected of it next. `at` is PSH_TIME_NONE if nothing is, and in the past if it is late. Points,
 * at most 1,024 that stand for all, are borrowed until the next call.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOT_FOUND.
 */
PSH_API psh_status psh_bulk_get(const psh_bulk *b, size_t i, psh_bulk_spec *out);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_bulk_save(const psh_bulk *b, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_bulk_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_bulk **out,
    psh_error *err);

PSH_END_DECLS
#endif
