/* SPDX-License-Identifier: MIT */
/** @file predshard/driver.h  The only caller of the host: runs plans, reads changes, scans, checkpoints. */
#ifndef PREDSHARD_DRIVER_H
#define PREDSHARD_DRIVER_H

#include <predshard/host.h>
PSH_BEGIN_DECLS

/**
 * Threads  Calls on one object must not overlap; a call from inside one of its callbacks is
 *          PSH_E_REENTRANT and changes nothing.
 */
typedef struct psh_driver psh_driver;

#define PSH_DRIVER_COMPRESS 1u /**< checkpoints as .xz; PSH_E_UNSUPPORTED in a build without liblzma */

typedef struct psh_driver_options {
    uint32_t struct_size;
    uint32_t flags;           /**< PSH_DRIVER_*; an unknown one is PSH_E_UNSUPPORTED */
    uint32_t max_attempts;    /**< tries of one action; default 5 */
    uint32_t max_in_flight;   /**< actions pending at the host at once; default 64 */
    int64_t retry_ns;         /**< pause before the second try, doubled for each further; default 1 s */
    int64_t timeout_ns;       /**< a pending action without deadline is given up after; default 1 h */
    uint32_t max_actions;     /**< actions known at once; default 65536 */
    uint32_t done_memory;     /**< ids of finished actions remembered, so that none runs twice; default 65536 */
    const char *prefix;       /**< of blob and key names, copied, [a-z0-9/._-]; default "predshard/" */
    uint64_t batch_bytes;     /**< most bytes of one CDC batch; default 8 MiB */
} psh_driver_options;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_driver_options_init(psh_driver_options *o, uint32_t size);
/**
 * @param storage  required methods checked, copied
 * @param cdc      NULL: no change capture, views cannot be kept fresh and none is built
 * @param kv       NULL: this is the only planner; its fence is 1
 * @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED, PSH_E_NOMEM. *out is the caller's, NULL on an error.
 */
PSH_API psh_status psh_driver_create(
    psh_env *env, psh_schema *schema, const psh_driver_options *o, const psh_storage *storage,
    const psh_cdc *cdc, const psh_kv *kv, psh_driver **out, psh_error *err);
/** NULL is allowed. Pending actions are forgotten; their ids keep repeats harmless. */
PSH_API void psh_driver_destroy(psh_driver *d);

/**
 * Takes the lead: raises the fence in the host's key-value store by compare-and-set.
 * @return PSH_OK, PSH_E_CONFLICT (lost the race: somebody else leads), PSH_E_HOST.
 */
PSH_API psh_status psh_driver_lead(psh_driver *d, uint64_t *fence, psh_error *err);
/**
 * Leads under a fence that was taken elsewhere, by psh_share_lead: instead of psh_driver_lead, so that there is one
 * lead and one fence. With a key-value store of its own the driver raises the fence there too, for checkpoints of
 * older leaders to be refused.
 * @param fence  1..2^64 - 2
 * @return PSH_OK, PSH_E_INVALID, PSH_E_REENTRANT, PSH_E_FENCED (a higher fence was seen), PSH_E_CONFLICT (lost the
 *         race: call again), PSH_E_CORRUPT, PSH_E_HOST, PSH_E_NOMEM.
 */
PSH_API psh_status psh_driver_set_fence(psh_driver *d, uint64_t fence, psh_error *err);
/** @return the term it leads under; 0 before the first lead with a key-value store. */
PSH_API uint64_t psh_driver_fence(const psh_driver *d);
/** Adds a plan's actions; ids already known are skipped. References the plan. @return PSH_OK, PSH_E_LIMIT,
 *  PSH_E_NOMEM. */
PSH_API psh_status psh_driver_run(psh_driver *d, psh_plan *plan, psh_error *err);
/**
 * Submits at most `budget` actions that are due: not_before reached, all they wait for done. Actions on views
 * are the library's own: they are handed out by take with PSH_PENDING. Times out what passed its deadline
 * after its first submit; a deadline that lay before it bounds nothing, timeout_ns does: late beats never.
 * An action that waits for a failed one fails with PSH_E_STATE: so a move ends with its first step that cannot be
 * done, and what it has copied waits for the next plan. Each step has its own tries and time.
 * @return PSH_OK, PSH_AGAIN (more are due now), PSH_E_INVALID, PSH_E_REENTRANT, PSH_E_FENCED (until lead succeeds).
 */
PSH_API psh_status psh_driver_step(psh_driver *d, int64_t now, uint32_t budget);
/**
 * The host (or the library, for views) ended a pending action. Repeating it does no harm.
 * @return PSH_OK, PSH_E_NOT_FOUND (unknown id: ignored), PSH_E_REENTRANT, PSH_E_INVALID.
 */
PSH_API psh_status psh_driver_complete(psh_driver *d, uint64_t id, psh_status status, int64_t now);

/** Something that happened to an action. */
typedef struct psh_completion {
    psh_action action;     /**< borrowed until the next call of take or step */
    psh_status status;     /**< PSH_OK, an error, or PSH_PENDING: submitted (views: do it now, then complete) */
    uint32_t attempts;
    int64_t submitted_at;
    int64_t completed_at;
} psh_completion;
/** The next event in order: every action gives one PSH_PENDING before its submit, then one end. @return
 *  PSH_OK, PSH_END. */
PSH_API psh_status psh_driver_take(psh_driver *d, psh_completion *out);
/** @return actions not ended yet. */
PSH_API size_t psh_driver_pending(const psh_driver *d);
/** When step has to be called again at the latest; PSH_TIME_MAX if nothing waits for time. */
PSH_API int64_t psh_driver_next_deadline(const psh_driver *d);

/**
 * Polls changes after the cursor into `out` (cleared first), own echoes taken out, and moves the cursor.
 * @param state  where the source stood before the poll; when PSH_OK comes back everything up to it is in
 * @return PSH_OK (all there was), PSH_AGAIN (more), PSH_E_UNSUPPORTED (no CDC), PSH_E_NOT_FOUND, PSH_E_HOST.
 */
PSH_API psh_status psh_driver_poll(
    psh_driver *d, psh_change_batch *out, psh_cdc_state *state, psh_error *err);
/** Where the source stands. @return PSH_OK, PSH_E_UNSUPPORTED, PSH_E_HOST. */
PSH_API psh_status psh_driver_source_state(psh_driver *d, psh_cdc_state *out, psh_error *err);
/** @return the position up to which changes were polled. */
PSH_API uint64_t psh_driver_cursor(const psh_driver *d);
/**
 * Moves the cursor: the next poll gives what comes after `position`. For a poll that said PSH_E_NOT_FOUND: what
 * derives from changes has to be made anew from scans at or after that position.
 * @return PSH_OK, PSH_E_UNSUPPORTED (no CDC), PSH_E_REENTRANT.
 */
PSH_API psh_status psh_driver_seek(psh_driver *d, uint64_t position);
/**
 * Scans for a view.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_REENTRANT, PSH_E_UNSUPPORTED, PSH_E_HOST, the sink's error.
 */
PSH_API psh_status psh_driver_scan(
    psh_driver *d, const psh_scan *scan, psh_row_sink sink, void *sink_user, psh_scan_result *result,
    psh_error *err);
/** Health of one tier. @return PSH_OK, PSH_E_UNSUPPORTED, PSH_E_HOST. */
PSH_API psh_status psh_driver_health(psh_driver *d, uint32_t node, uint32_t tier, psh_health *out, psh_error *err);

/** One named part of a checkpoint. */
typedef struct psh_section {
    const char *name; /**< NUL-terminated, [a-z0-9._-], at most 31 bytes */
    const void *data;
    size_t size;
} psh_section;
/**
 * Stores all sections and the driver's own state (cursor, fence, actions) in one atomic commit; then lets the
 * source forget what was applied. A failed checkpoint leaves the one before it.
 * @param sections  Shape [n], at most 63, names distinct
 * @return PSH_OK, PSH_E_STATE (events wait to be taken, and would be lost), PSH_E_FENCED (another planner leads),
 *         PSH_E_INVALID, PSH_E_NOMEM, PSH_E_HOST.
 */
PSH_API psh_status psh_driver_checkpoint(
    psh_driver *d, const psh_section *sections, size_t n, int64_t now, psh_error *err);
/**
 * Reads the last checkpoint back, validated whole, and restores the driver's own state from it.
 * @param each  called once a section; an error ends it and leaves the driver as it was
 * @return PSH_OK, PSH_E_NOT_FOUND (there is none), PSH_E_CORRUPT, PSH_E_NEWER, PSH_E_HOST, each's error.
 */
PSH_API psh_status psh_driver_restore(
    psh_driver *d, psh_status (*each)(void *user, const psh_section *section), void *user, psh_error *err);

typedef struct psh_driver_stats {
    uint32_t struct_size;
    uint32_t reserved;    /**< 0 */
    uint64_t submitted;
    uint64_t succeeded;
    uint64_t failed;
    uint64_t retried;
    uint64_t changes;     /**< polled */
    uint64_t echoes;      /**< taken out as our own */
    uint64_t checkpoints;
} psh_driver_stats;
/** Fills the first out->struct_size bytes. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_driver_get_stats(const psh_driver *d, psh_driver_stats *out);

PSH_END_DECLS
#endif
