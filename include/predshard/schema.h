/* SPDX-License-Identifier: MIT */
/** @file predshard/schema.h  Types, tables, order-preserving keys, intervals. */
#ifndef PREDSHARD_SCHEMA_H
#define PREDSHARD_SCHEMA_H

#include <predshard/base.h>
PSH_BEGIN_DECLS

#define PSH_TYPE_NULL 0
#define PSH_TYPE_INT64 1
#define PSH_TYPE_DOUBLE 2    /**< finite only */
#define PSH_TYPE_DECIMAL 3   /**< 128-bit two's complement integer x 10^-scale, scale 0..38 */
#define PSH_TYPE_BOOL 4      /**< i64 is 0 or 1 */
#define PSH_TYPE_TIMESTAMP 5 /**< ns since 1970 UTC; never PSH_TIME_NONE */
#define PSH_TYPE_TEXT 6      /**< UTF-8 expected, any bytes accepted */
#define PSH_TYPE_BYTES 7

/** Order and equality by bytes. The only collation that may order, range or prefix. */
#define PSH_COLLATION_BINARY 0
/* Collation ids >= 1 are the host's; they must be deterministic; only equality of bytes is used. */

/** One typed value; text and bytes are borrowed. Plain data: copy it freely. */
typedef struct psh_value {
    uint32_t type; /**< PSH_TYPE_* */
    uint32_t size; /**< text and bytes: their length; decimal: its scale; else 0 */
    union {
        int64_t i64;      /**< int64, bool, timestamp; decimal: low 64 bits */
        double f64;       /**< double */
        const void *data; /**< text, bytes */
    } as;
    int64_t hi; /**< decimal: high 64 bits; else 0 */
} psh_value;

/**
 * Total order: NULL first, then by type number, then by value (binary for text and bytes; decimals of
 * different scales by numeric value). Never fails on valid values.
 * @return < 0, 0 or > 0.
 */
PSH_API int32_t psh_value_compare(const psh_value *a, const psh_value *b);

#define PSH_COLUMN_NULLABLE 1u

typedef struct psh_column_spec {
    const char *name;   /**< NUL-terminated, 1..255 bytes, unique in its table */
    uint32_t type;      /**< PSH_TYPE_*, not NULL */
    uint32_t collation; /**< text only, else 0 */
    uint32_t scale;     /**< decimal only, 0..38, else 0 */
    uint32_t flags;     /**< PSH_COLUMN_* */
} psh_column_spec;

typedef struct psh_table_spec {
    const char *name;               /**< NUL-terminated, 1..255 bytes, unique in the schema */
    const psh_column_spec *columns; /**< Shape [column_count] */
    size_t column_count;            /**< 1..4096 */
    size_t column_stride;           /**< sizeof(psh_column_spec) */
    const uint32_t *key_columns;    /**< Shape [key_count]: the primary key, in order */
    size_t key_count;               /**< 1..16 */
    uint32_t tenant_column;         /**< owner of a row, not nullable; PSH_NONE = one tenant */
    uint32_t time_column;           /**< TIMESTAMP, not nullable: event time */
    int64_t interval_ns;            /**< width of an interval, >= 1 s */
    int64_t interval_origin;        /**< start of interval 0 */
} psh_table_spec;

/** Immutable, shared by count. Threads  any, all calls. */
typedef struct psh_schema psh_schema;

/**
 * @param tables  Shape [n], 1..1024, copied. Table i has id i, its column j has index j.
 * @param stride  sizeof(psh_table_spec)
 * @return PSH_OK, PSH_E_INVALID (field names it), PSH_E_NOMEM.
 */
PSH_API psh_status psh_schema_create(
    psh_env *env, const psh_table_spec *tables, size_t n, size_t stride, psh_schema **out, psh_error *err);
/** Takes one reference more. @return its argument. */
PSH_API psh_schema *psh_schema_ref(psh_schema *s);
/** Drops one reference; NULL is allowed. */
PSH_API void psh_schema_unref(psh_schema *s);
/** @return tables; their ids are below it. */
PSH_API size_t psh_schema_table_count(const psh_schema *s);
/** Borrows into s; strides are those of this build. @return PSH_OK, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_schema_table(const psh_schema *s, uint32_t table, psh_table_spec *out);
/** @return the table's id or PSH_NONE. */
PSH_API uint32_t psh_schema_find_table(const psh_schema *s, const char *name);
/** @return the column's index or PSH_NONE. */
PSH_API uint32_t psh_schema_find_column(const psh_schema *s, uint32_t table, const char *name);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_schema_save(const psh_schema *s, psh_buffer *out);
/**
 * @param max_bytes  most memory the loaded value may take; 0 = 64 MiB. The same in every load.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_CORRUPT, PSH_E_NEWER, PSH_E_UNSUPPORTED (.xz without liblzma), PSH_E_LIMIT,
 *         PSH_E_NOMEM. *out is the caller's, NULL on an error.
 */
PSH_API psh_status psh_schema_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_schema **out, psh_error *err);
/** Appends text, one fact a line. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_schema_dump(const psh_schema *s, psh_buffer *out);

/**
 * The interval that holds a time: [*from, *to), with its id = floor((time - origin) / width).
 * @return PSH_OK, PSH_E_NOT_FOUND (table), PSH_E_TIME (outside what 64 bits hold).
 */
PSH_API psh_status psh_schema_interval(
    const psh_schema *s, uint32_t table, int64_t time, int64_t *id, int64_t *from, int64_t *to);

/**
 * Appends the order-preserving encoding of one value: memcmp of encodings orders as psh_value_compare
 * does. A tuple is its values one after the other; a prefix of a tuple sorts before the tuple.
 * Layout in doc/format.md. Decimals compare only within one scale here.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged).
 */
PSH_API psh_status psh_key_append(psh_buffer *out, const psh_value *v);
/**
 * Reads one value back from the front of a key.
 * @param used     bytes consumed
 * @param scratch  takes the bytes of text; *out borrows from it until it changes
 * @return PSH_OK, PSH_END (size 0), PSH_E_CORRUPT, PSH_E_NOMEM.
 */
PSH_API psh_status psh_key_read(
    const void *data, size_t size, size_t *used, psh_buffer *scratch, psh_value *out);

/** A tenant's id everywhere: 64 bits from its type and value, never 0, equal on all machines (doc/format.md). */
PSH_API uint64_t psh_tenant_id(const psh_value *tenant);
/**
 * A tenant's place on the ring 0..2^64-1. Tenants of one segment stand together, in an arc of 2^48 points; those of
 * segment 0, which is none, all over the ring.
 */
PSH_API uint64_t psh_ring_point(uint64_t tenant_id, uint32_t segment);

PSH_END_DECLS
#endif
