/* SPDX-License-Identifier: MIT */
/** @file predshard/materializer.h  Chooses views, builds them from scans, keeps them exact from changes. */
#ifndef PREDSHARD_MATERIALIZER_H
#define PREDSHARD_MATERIALIZER_H

#include <predshard/answer.h>
#include <predshard/change.h>
#include <predshard/plan.h>
#include <predshard/world.h>
PSH_BEGIN_DECLS

/**
 * Views are held per interval: a part of a view is its groups over the rows of one interval, true at one
 * position of the source. A view equals recomputation: integers, decimals, minima and maxima exactly, sums
 * of doubles as the correctly rounded exact sum, whatever the order of changes.
 *
 * Threads  Calls on one object must not overlap.
 * Source   Exact sums: a fixed-point accumulator over the whole range of doubles; Kulisch 2013, Neal 2015
 *          (arXiv:1505.05571).
 */
typedef struct psh_materializer psh_materializer;

typedef struct psh_materializer_options {
    uint32_t struct_size;
    uint32_t flags;            /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    uint64_t max_bytes;        /**< budget of all views; default 64 MiB */
    uint32_t max_views;        /**< 1..4096; default 64 */
    uint32_t unread_cycles;    /**< propose calls without a read or demand before a drop, >= 1; default 48 */
    double upkeep_work;        /**< work units of applying one change to one view; default 1 */
    double min_benefit;        /**< work units saved per unit spent before a view is built; default 2 */
    uint32_t node;             /**< where its blocks live; default 0 */
    uint32_t reserved;         /**< 0 */
} psh_materializer_options;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_materializer_options_init(psh_materializer_options *o, uint32_t size);
/** @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED, PSH_E_NOMEM. *out is the caller's, NULL on an error. */
PSH_API psh_status psh_materializer_create(
    psh_env *env, psh_schema *schema, const psh_materializer_options *o, psh_materializer **out, psh_error *err);
/** NULL is allowed. */
PSH_API void psh_materializer_destroy(psh_materializer *m);

/**
 * Chooses a level for every view in the demand by benefit per byte under the budget (full, partial or none; what
 * does not fit as it is asked for reaches less far back), with hysteresis for what exists, and adds BUILD_VIEW and
 * DROP_VIEW wants for the difference.
 * Only the counter of unread cycles changes. A BUILD_VIEW's generation is the times the view was begun before, a
 * DROP_VIEW's that of the life it ends.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM; on an error `out` is as it was.
 */
PSH_API psh_status psh_materializer_propose(
    psh_materializer *m, const psh_demand *demand, const psh_world *world, int64_t now, psh_wants *out,
    psh_error *err);
/**
 * Starts a BUILD_VIEW (or changes its level) or ends a view (DROP_VIEW). Repeating it does no harm: an action of
 * a generation that is over is ignored. The definition needs a bucket.
 * @return PSH_OK, PSH_E_LIMIT, PSH_E_INVALID, PSH_E_NOMEM, PSH_E_STATE (a fill is under way).
 */
PSH_API psh_status psh_materializer_begin(psh_materializer *m, const psh_action *a);
/**
 * A partition action completed: CREATE of a new interval opens empty, ready parts (pre-ingestion) when
 * `position` is where the source stood while it was still empty; DROP retires the parts of its interval
 * when it was the last partition of it. A position behind what was applied opens nothing: a fill will tell.
 * @param remaining  partitions of the interval that still hold rows; not 0: nothing is done
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (nothing opened), PSH_E_STATE (a fill is under way).
 */
PSH_API psh_status psh_materializer_partition(
    psh_materializer *m, const psh_action *a, uint64_t source, uint64_t position, int64_t commit_time,
    uint32_t remaining);

/** One interval that some view wants to be filled from its base. */
typedef struct psh_fill {
    uint64_t view;
    uint32_t table;
    uint32_t reserved;  /**< 0 */
    int64_t interval;
    int64_t time_from;
    int64_t time_to;
} psh_fill;
/**
 * The next part to fill, newest interval first, views by id: scan all partitions of the world that hold rows
 * of that time (the quarantine too), give them to fill_rows, then fill_end. Frees the parts that partial views
 * no longer reach back to.
 * @return PSH_OK, PSH_END (nothing to fill), PSH_E_STATE (one is under way), PSH_E_NOMEM.
 */
PSH_API psh_status psh_materializer_fill_begin(
    psh_materializer *m, const psh_world *world, int64_t now, psh_fill *out);
/**
 * @param rows  Shape [n][columns of the table]; rows of other times are skipped.
 * @return PSH_OK, PSH_E_INVALID (a value does not fit its column), PSH_E_STATE (no fill), PSH_E_NOMEM; on an error
 *         none of the rows is taken.
 */
PSH_API psh_status psh_materializer_fill_rows(psh_materializer *m, const psh_value *rows, size_t n);
/**
 * The scan ended: PSH_OK makes the part ready at that position; an error throws it away, to be tried again.
 * Changes at or before the position are skipped for this part from now on.
 * @return PSH_OK, PSH_E_STATE (no fill), PSH_E_STALE (changes after the position were applied already: thrown
 *         away, scan again).
 */
PSH_API psh_status psh_materializer_fill_end(
    psh_materializer *m, psh_status status, uint64_t source, uint64_t position, int64_t commit_time);

/**
 * Applies changes to every part they concern; those already applied are skipped by (source, position,
 * sequence). A change that cannot be applied (a delete of what was never there) marks the part for a new
 * fill instead of giving a wrong answer; so does one from another source than the part's.
 * @return PSH_OK, PSH_E_NOMEM (nothing applied), PSH_E_STATE (a fill is under way), PSH_E_LIMIT (too many sources),
 *         PSH_E_INVALID (changes of another schema).
 */
PSH_API psh_status psh_materializer_apply(psh_materializer *m, const psh_change_batch *b);
/**
 * Every change at or before (source, position) has been applied: parts are fresh up to then.
 * @return PSH_OK, PSH_E_NOMEM, PSH_E_LIMIT (too many sources), PSH_E_STATE (a fill is under way).
 */
PSH_API psh_status psh_materializer_advance(
    psh_materializer *m, uint64_t source, uint64_t position, int64_t commit_time);
/**
 * Changes were lost, e.g. the source forgot them before they were polled: every part is emptied and waits for a
 * fill; until then psh_materializer_read says PSH_E_STALE and the next world names none of them. Levels, reads
 * and definitions stay. Follow it with psh_materializer_advance to where the changes go on.
 * @return PSH_OK, PSH_E_STATE (a fill is under way).
 */
PSH_API psh_status psh_materializer_refill(psh_materializer *m);
/**
 * Adds the rows of a view leg to an answer, as partial aggregates. A sum that does not fit one value comes as
 * several rows, which the answer adds exactly.
 * @param time_from  on a bucket of the view, as time_to
 * @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_STALE (a part of the range is gone: route again), PSH_E_NOMEM,
 *         PSH_E_LIMIT, PSH_E_INVALID (off the view's buckets, or it does not answer this query), PSH_E_RANGE; on an
 *         error the answer is as it was.
 */
PSH_API psh_status psh_materializer_read(
    psh_materializer *m, uint64_t view, int64_t time_from, int64_t time_to, psh_answer *out);
/** Adds views and their ready parts. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_materializer_export(const psh_materializer *m, psh_world_draft *d);

typedef struct psh_view_info {
    uint64_t id;
    psh_view *view;       /**< borrowed */
    uint32_t parts;
    uint32_t parts_ready;
    uint64_t groups;
    uint64_t bytes;       /**< of what it holds, without room to grow: the same after a load */
    uint64_t reads;
    uint64_t applied;     /**< changes applied */
    uint64_t skipped;     /**< changes seen before */
    uint64_t filled;      /**< rows taken from scans */
} psh_view_info;
/** @return views begun and not ended. */
PSH_API size_t psh_materializer_view_count(const psh_materializer *m);
/** By id. @return PSH_OK, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_materializer_view(const psh_materializer *m, size_t i, psh_view_info *out);
/** @return PSH_OK, PSH_E_STATE (a fill is under way), PSH_E_NOMEM. */
PSH_API psh_status psh_materializer_save(const psh_materializer *m, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_materializer_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_materializer **out,
    psh_error *err);

PSH_END_DECLS
#endif
