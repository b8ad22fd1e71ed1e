/* SPDX-License-Identifier: MIT */
/** @file predshard/autopilot.h  The cycle: collect, predict, propose, place, act, publish, learn. */
#ifndef PREDSHARD_AUTOPILOT_H
#define PREDSHARD_AUTOPILOT_H

#include <predshard/bulk.h>
#include <predshard/driver.h>
#include <predshard/forecaster.h>
#include <predshard/map.h>
#include <predshard/materializer.h>
#include <predshard/tiers.h>
PSH_BEGIN_DECLS

/** Threads  Calls on it and on the objects it works with must not overlap. */
typedef struct psh_autopilot psh_autopilot;

#define PSH_MODE_RECOMMEND 0 /**< plans are made and shown, nothing is done */
#define PSH_MODE_ACT 1
#define PSH_MODE_OFF 2

#define PSH_AUTOPILOT_SEGMENTS 1u /**< in mode act each cycle tells the map segment, access and tier of tenants */

#define PSH_VERDICT_ALLOW 0
#define PSH_VERDICT_VETO 1

typedef struct psh_autopilot_options {
    uint32_t struct_size;
    uint32_t flags;            /**< PSH_AUTOPILOT_* */
    uint32_t mode;             /**< PSH_MODE_*; default recommend */
    uint32_t act_kinds;        /**< bit (1 << PSH_ACT_*): kinds done in mode act; 0 = all */
    uint32_t source;           /**< PSH_DEMAND_FORECAST (default) or PSH_DEMAND_OBSERVED */
    uint32_t max_audit;        /**< audit records kept; default 4096 */
    int64_t cycle_ns;          /**< time between plans; default 1 h */
    int64_t horizon_ns;        /**< window of demand, from now, cut to what the forecaster sees; default 1 day */
    int64_t poll_ns;           /**< time between polls of changes; default 1 min */
    int64_t checkpoint_ns;     /**< time between checkpoints; 0 = only when asked */
    double quantile;           /**< demand's upper quantile; default 0.95 */
    void *policy_user;
    /** May refuse an action before it is run. NULL = allow all. @return PSH_VERDICT_*. */
    uint32_t (*policy)(void *policy_user, int64_t now, const psh_action *action);
} psh_autopilot_options;

/**
 * The objects it works with: borrowed, they must outlive it. materializer may be NULL: no views; bulk may be NULL: no
 * bulk loads are prepared.
 */
typedef struct psh_parts {
    uint32_t struct_size;
    uint32_t reserved; /**< 0 */
    psh_forecaster *forecaster;
    psh_map *map;
    psh_tiers *tiers;
    psh_materializer *materializer;
    psh_driver *driver;
    psh_worlds *worlds;
    psh_bulk *bulk;
} psh_parts;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_autopilot_options_init(psh_autopilot_options *o, uint32_t size);
/** @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED, PSH_E_NOMEM. *out is the caller's, NULL on an error. */
PSH_API psh_status psh_autopilot_create(
    psh_env *env, psh_schema *schema, const psh_autopilot_options *o, const psh_parts *parts,
    psh_autopilot **out, psh_error *err);
/** NULL is allowed. */
PSH_API void psh_autopilot_destroy(psh_autopilot *a);

/**
 * One bounded step: drains and scores, plans when a cycle is due, submits, polls one batch of changes,
 * fills view parts, publishes a new world when something changed. A host error is reported and tried again;
 * it never stops the cycle for good.
 * @param budget  units of bounded work (series refitted, actions submitted, parts filled), >= 1
 * @return PSH_OK (nothing more to do now), PSH_AGAIN, PSH_E_TIME (now went back), PSH_E_FENCED,
 *         PSH_E_HOST, PSH_E_NOMEM.
 */
PSH_API psh_status psh_autopilot_step(psh_autopilot *a, int64_t now, uint32_t budget, psh_error *err);
/** Makes the next step plan at once, whatever the cycle. */
PSH_API void psh_autopilot_hurry(psh_autopilot *a);
/** Makes the next step poll changes at once. */
PSH_API void psh_autopilot_refresh(psh_autopilot *a);
/**
 * Publishes a new world now, e.g. after psh_map_observe_write said PSH_AGAIN.
 * @return PSH_OK, PSH_E_TIME, PSH_E_REENTRANT, PSH_E_INVALID, PSH_E_NOMEM; on an error the next step owes it.
 */
PSH_API psh_status psh_autopilot_publish(psh_autopilot *a, int64_t now, psh_error *err);
/** When step should be called again at the latest. */
PSH_API int64_t psh_autopilot_next_deadline(const psh_autopilot *a);
/** The latest plan, borrowed until the next step; NULL before the first. */
PSH_API psh_plan *psh_autopilot_plan(const psh_autopilot *a);
/** The latest demand, borrowed until the next step; NULL before the first. */
PSH_API psh_demand *psh_autopilot_demand(const psh_autopilot *a);

/**
 * Stores everything in one atomic checkpoint. With checkpoint_ns > 0 a step takes one by itself, also before the
 * first world that sends rows to partitions just activated, split, merged or promoted; with 0 the host does so:
 * after a restart without it, rows in partitions that no checkpoint knows are in no route.
 * @return PSH_OK, PSH_E_TIME, PSH_E_STATE (a fill is under way), PSH_E_REENTRANT, PSH_E_HOST, PSH_E_NOMEM.
 */
PSH_API psh_status psh_autopilot_checkpoint(psh_autopilot *a, int64_t now, psh_error *err);
/**
 * Makes the objects again from the driver's last checkpoint; where the source went on since, quarantines are
 * scanned and partitions count as written at its position. *parts names driver and worlds; on success the
 * others are new objects of the caller's, and the world is published. Actions that were under way are
 * submitted again, which their ids make harmless.
 * @return PSH_OK, PSH_E_NOT_FOUND (no checkpoint: nothing made), PSH_E_CORRUPT, PSH_E_NEWER, PSH_E_NOMEM,
 *         PSH_E_HOST.
 */
PSH_API psh_status psh_autopilot_restore(
    psh_env *env, psh_schema *schema, const psh_autopilot_options *o, psh_parts *parts, int64_t now,
    psh_autopilot **out, psh_error *err);

/** One decision. Texts are NUL-terminated. */
typedef struct psh_audit {
    uint64_t action;
    uint64_t subject;
    uint32_t kind;          /**< PSH_ACT_* */
    uint32_t why;           /**< PSH_WHY_* */
    psh_status status;      /**< PSH_PENDING until it ended; PSH_E_VETOED; PSH_AGAIN = only recommended */
    uint32_t attempts;
    int64_t decided_at;
    int64_t ended_at;       /**< PSH_TIME_NONE until then */
    double expected_benefit; /**< work units a day */
    double expected_cost;
    double outcome;         /**< views: reads served since it was built; partitions: rows written; else 0. So far,
                                 while the subject lives; as it was in the end, once it was dropped. Regret of a
                                 view: what the reads saved, held against expected_cost */
    double confidence;
    char name[64];
} psh_audit;
/** @return records kept. */
PSH_API size_t psh_autopilot_audit_count(const psh_autopilot *a);
/** Oldest first. @return PSH_OK, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_autopilot_audit(const psh_autopilot *a, size_t i, psh_audit *out);

typedef struct psh_autopilot_stats {
    uint32_t struct_size;
    uint32_t reserved;     /**< 0 */
    uint64_t cycles;
    uint64_t plans;        /**< with at least one action */
    uint64_t wants;
    uint64_t actions;
    uint64_t vetoed;
    uint64_t epochs;       /**< worlds published */
    uint64_t filled_rows;  /**< rows scanned to fill views */
    uint64_t fill_work;    /**< recorded work of those scans */
    uint64_t changes;      /**< applied */
    uint64_t host_errors;
} psh_autopilot_stats;
/** Fills the first out->struct_size bytes. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_autopilot_get_stats(const psh_autopilot *a, psh_autopilot_stats *out);

PSH_END_DECLS
#endif
