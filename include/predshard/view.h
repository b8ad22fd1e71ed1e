/* SPDX-License-Identifier: MIT */
/** @file predshard/view.h  Predicted snapshot views, and which queries they answer. */
#ifndef PREDSHARD_VIEW_H
#define PREDSHARD_VIEW_H

#include <predshard/query.h>
PSH_BEGIN_DECLS

#define PSH_LEVEL_FULL 1    /**< every interval of the table */
#define PSH_LEVEL_PARTIAL 2 /**< the latest intervals only, see `reach_ns` */
#define PSH_LEVEL_NONE 3    /**< not materialized */

#define PSH_STORE_BLOCKS 1 /**< in the library's own memory and blobs */

#define PSH_RETAIN_FOLLOWS_BASE 1 /**< an interval goes when its base rows go */
#define PSH_RETAIN_OUTLIVES_BASE 2 /**< sealed intervals stay after their base rows are dropped */

typedef struct psh_view_spec {
    uint32_t struct_size;
    uint32_t level;        /**< PSH_LEVEL_*; default full */
    uint32_t store;        /**< PSH_STORE_*; default blocks */
    uint32_t retention;    /**< PSH_RETAIN_*; default follows base */
    const char *name;      /**< NUL-terminated, 1..255 bytes */
    psh_query *definition; /**< aggregate query, open time range, no order, no limit */
    int64_t reach_ns;      /**< partial: how far back it reaches, > 0; else 0 */
    double confidence;     /**< probability that it will be asked in its window, 0..1 */
} psh_view_spec;

/** Immutable, shared by count. Threads  any, all calls. */
typedef struct psh_view psh_view;

/** Zeroes *spec, sets struct_size and the defaults. */
PSH_API void psh_view_spec_init(psh_view_spec *spec, uint32_t size);
/** @param spec  Copied; the definition is referenced. @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED,
 *  PSH_E_NOMEM. */
PSH_API psh_status psh_view_create(psh_env *env, const psh_view_spec *spec, psh_view **out, psh_error *err);
/** Takes one reference more. @return its argument. */
PSH_API psh_view *psh_view_ref(psh_view *v);
/** Drops one reference; NULL is allowed. */
PSH_API void psh_view_unref(psh_view *v);
/** Borrowed from v. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_view_describe(const psh_view *v, psh_view_spec *out);
/** The definition's psh_query_id: equal definitions have one id, whatever their names. Never 0. */
PSH_API uint64_t psh_view_id(const psh_view *v);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_view_save(const psh_view *v, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_view_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_view **out,
    psh_error *err);
/** Appends text. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_view_dump(const psh_view *v, psh_buffer *out);

/**
 * The definition of a view that answers this query and its likes: EQ and IN predicates become group
 * columns, other predicates stay, the time range, order and limit go, AVG is kept as AVG (held as sum and
 * count). Groups and aggregates are sorted: queries that differ in their order alone ask for one view.
 * @param bucket_ns  the view's bucket, > 0; must divide q's bucket where q has one
 * @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED (a detail query), PSH_E_NOMEM.
 */
PSH_API psh_status psh_view_generalize(
    psh_env *env, const psh_query *q, int64_t bucket_ns, psh_query **definition, psh_error *err);

#define PSH_MATCH_YES 0
#define PSH_MATCH_TABLE 1      /**< another table */
#define PSH_MATCH_VISIBILITY 2 /**< shows rows that the query may not see, or the other way round */
#define PSH_MATCH_DETAIL 3     /**< the query asks for single rows */
#define PSH_MATCH_FILTER 4     /**< the view lacks rows: its predicates are not implied by the query's */
#define PSH_MATCH_COLUMN 5     /**< a predicate or group needs a column the view has lost */
#define PSH_MATCH_AGGREGATE 6  /**< an aggregate cannot be derived */
#define PSH_MATCH_BUCKET 7     /**< buckets or time bounds do not fall on the view's buckets */

/**
 * Whether rows of the view's definition, taken alone and for the time they cover, give the query's answer
 * exactly. Sound: PSH_MATCH_YES is never wrong; another answer may be overcautious.
 * Time bounds of the query may lie anywhere: *aligned_from and *aligned_to (may be NULL) receive the part of
 * its range, cut to whole buckets of the view; they are equal when nothing is left.
 * @return PSH_MATCH_*.
 */
PSH_API uint32_t psh_view_match(
    const psh_query *definition, const psh_query *q, int64_t *aligned_from, int64_t *aligned_to);

PSH_END_DECLS
#endif
