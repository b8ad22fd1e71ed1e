/* SPDX-License-Identifier: MIT */
/** @file predshard/query.h  The query descriptor: canonical form, fingerprint, what it accepts. */
#ifndef PREDSHARD_QUERY_H
#define PREDSHARD_QUERY_H

#include <predshard/schema.h>
PSH_BEGIN_DECLS

#define PSH_OP_EQ 1
#define PSH_OP_NE 2
#define PSH_OP_LT 3
#define PSH_OP_LE 4
#define PSH_OP_GT 5
#define PSH_OP_GE 6
#define PSH_OP_IN 7       /**< 1 or more values */
#define PSH_OP_IS_NULL 8  /**< no value */
#define PSH_OP_NOT_NULL 9 /**< no value */

/** SQL's meaning: a comparison with NULL on either side does not hold. Predicates are joined by AND. */
typedef struct psh_predicate {
    uint32_t column;
    uint32_t op;             /**< PSH_OP_* */
    const psh_value *values; /**< Shape [value_count], of the column's type, not NULL */
    size_t value_count;      /**< EQ..GE: 1; IN: >= 1; else 0 */
} psh_predicate;

#define PSH_AGG_COUNT 1 /**< of rows (column PSH_NONE) or of values that are not NULL; int64 */
#define PSH_AGG_SUM 2   /**< int64, double, decimal; NULL of no value; int64 overflow is PSH_E_RANGE */
#define PSH_AGG_AVG 3   /**< int64, double, decimal: double(sum) / double(count); NULL of no value */
#define PSH_AGG_MIN 4   /**< any type but text of a non-binary collation */
#define PSH_AGG_MAX 5

typedef struct psh_aggregate {
    uint32_t fn;     /**< PSH_AGG_* */
    uint32_t column; /**< PSH_NONE only with COUNT */
} psh_aggregate;

typedef struct psh_order {
    uint32_t output;     /**< index of an output column */
    uint32_t descending; /**< 0 or 1; NULL sorts lowest */
} psh_order;

/** name=value, both NUL-terminated, 1..255 bytes. */
typedef struct psh_label {
    const char *name;
    const char *value;
} psh_label;

/**
 * One SELECT over one table. With groups, bucket or aggregates it is an aggregate query, whose outputs are
 * the bucket's start (if bucket_ns > 0), the group columns, the aggregates, in this order. Else it is a
 * detail query, whose outputs are `columns`.
 */
typedef struct psh_query_spec {
    uint32_t struct_size;
    uint32_t flags;                  /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    uint32_t table;
    uint32_t reserved;               /**< 0 */
    const psh_predicate *predicates; /**< Shape [predicate_count]; none on the time column */
    size_t predicate_count;          /**< <= 256 */
    size_t predicate_stride;         /**< sizeof(psh_predicate) */
    const uint32_t *group_columns;   /**< Shape [group_count], distinct; not the time column */
    size_t group_count;              /**< <= 64 */
    const psh_aggregate *aggregates; /**< Shape [aggregate_count] */
    size_t aggregate_count;          /**< <= 64 */
    size_t aggregate_stride;         /**< sizeof(psh_aggregate) */
    const uint32_t *columns;         /**< Shape [column_count]: detail outputs; NULL for aggregates */
    size_t column_count;             /**< <= 4096 */
    const psh_order *order;          /**< Shape [order_count]; ties by all outputs ascending */
    size_t order_count;              /**< <= 64 */
    size_t order_stride;             /**< sizeof(psh_order) */
    const psh_label *labels;         /**< Shape [label_count]: dimension load; not part of the answer */
    size_t label_count;              /**< <= 16 */
    size_t label_stride;             /**< sizeof(psh_label) */
    int64_t time_from;               /**< rows at or after; PSH_TIME_MIN = open */
    int64_t time_to;                 /**< rows before; PSH_TIME_MAX = open */
    int64_t bucket_ns;               /**< 0 = none; buckets start at the interval origin */
    uint64_t limit;                  /**< most rows of the answer; 0 = all */
    int64_t max_staleness_ns;        /**< oldest data accepted, >= 0; 0 = must be current */
    uint64_t visibility;             /**< who may see which rows, as an id of the host; 0 = everybody */
} psh_query_spec;

#define PSH_OUTPUT_BUCKET 1
#define PSH_OUTPUT_GROUP 2
#define PSH_OUTPUT_AGGREGATE 3
#define PSH_OUTPUT_COLUMN 4

typedef struct psh_output {
    uint32_t kind;  /**< PSH_OUTPUT_* */
    uint32_t index; /**< into group_columns, aggregates or columns; 0 for the bucket */
    uint32_t type;  /**< PSH_TYPE_* of its values (they may be NULL too) */
    uint32_t scale; /**< decimal's */
} psh_output;

/** Immutable, shared by count. Threads  any, all calls. */
typedef struct psh_query psh_query;

/** Zeroes *spec, opens the time range, sets struct_size and this build's strides. */
PSH_API void psh_query_spec_init(psh_query_spec *spec, uint32_t size);

/**
 * Checks a spec against the schema and brings it into canonical form: predicates sorted and merged (IN of
 * one value becomes EQ, IN lists sorted and deduplicated, ranges on one column narrowed, duplicates gone).
 * @param spec  Copied deeply.
 * @return PSH_OK, PSH_E_INVALID (field names it), PSH_E_UNSUPPORTED, PSH_E_NOMEM.
 */
PSH_API psh_status psh_query_create(
    psh_env *env, psh_schema *schema, const psh_query_spec *spec, psh_query **out, psh_error *err);
/** Takes one reference more. @return its argument. */
PSH_API psh_query *psh_query_ref(psh_query *q);
/** Drops one reference; NULL is allowed. */
PSH_API void psh_query_unref(psh_query *q);
/** The canonical form, borrowed from q. Fills the first out->struct_size bytes. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_query_describe(const psh_query *q, psh_query_spec *out);
/** @return the schema that it was made against, borrowed. */
PSH_API psh_schema *psh_query_schema(const psh_query *q);
/**
 * The template's id: a 64-bit hash of the canonical form with constants, time bounds, limit, staleness and
 * labels taken out, independent of the order of predicates, groups and aggregates. Never 0.
 */
PSH_API uint64_t psh_query_fingerprint(const psh_query *q);
/** A 64-bit hash of the canonical form with all its constants and time bounds. Never 0. */
PSH_API uint64_t psh_query_id(const psh_query *q);
/** @return columns of the answer. */
PSH_API size_t psh_query_output_count(const psh_query *q);
/** @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_INVALID. */
PSH_API psh_status psh_query_output(const psh_query *q, size_t i, psh_output *out);
/**
 * Whether one row of the table is among those asked for (predicates and time range; not visibility).
 * @param row  Shape [columns of the table]
 * @return 1 or 0.
 */
PSH_API int32_t psh_query_matches_row(const psh_query *q, const psh_value *row);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_query_save(const psh_query *q, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_query_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_query **out,
    psh_error *err);
/** Appends one line that reads like SQL. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_query_dump(const psh_query *q, psh_buffer *out);

PSH_END_DECLS
#endif
