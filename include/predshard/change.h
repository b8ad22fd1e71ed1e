/* SPDX-License-Identifier: MIT */
/** @file predshard/change.h  Change records (CDC) and batches of them. */
#ifndef PREDSHARD_CHANGE_H
#define PREDSHARD_CHANGE_H

#include <predshard/schema.h>
PSH_BEGIN_DECLS

#define PSH_CHANGE_INSERT 1
#define PSH_CHANGE_UPDATE 2
#define PSH_CHANGE_DELETE 3

/**
 * One row changed. (source, position, sequence) names it for ever: a change seen twice counts once.
 * Positions never decrease within a source, sequences increase within a position.
 */
typedef struct psh_change {
    uint32_t op;             /**< PSH_CHANGE_* */
    uint32_t table;
    uint64_t source;         /**< the stream it came from */
    uint64_t position;       /**< commit position in the source, > 0 */
    uint64_t sequence;       /**< order within the position */
    int64_t commit_time;
    uint64_t origin;         /**< the action that caused it; 0 = the application */
    const psh_value *before; /**< Shape [column_count]; UPDATE, DELETE; NULL for INSERT */
    const psh_value *after;  /**< Shape [column_count]; INSERT, UPDATE; NULL for DELETE */
    size_t column_count;     /**< the table's */
} psh_change;

/** Changes in the order of their source, copied deeply. Threads  one user at a time. */
typedef struct psh_change_batch psh_change_batch;

/**
 * @param max_bytes  most memory it may hold; 0 = 64 MiB.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. *out is the caller's, NULL on an error.
 */
PSH_API psh_status psh_change_batch_create(
    psh_env *env, psh_schema *schema, size_t max_bytes, psh_change_batch **out);
/** Cannot fail; NULL is allowed. */
PSH_API void psh_change_batch_destroy(psh_change_batch *b);
/** Forgets the changes, keeps the memory. */
PSH_API void psh_change_batch_clear(psh_change_batch *b);
/**
 * Adds one change, checked against the schema (columns, types, not-null, position order per batch).
 * @return PSH_OK, PSH_E_INVALID, PSH_E_LIMIT (full: apply it, clear, go on), PSH_E_NOMEM; b unchanged on error.
 */
PSH_API psh_status psh_change_batch_append(psh_change_batch *b, const psh_change *c, psh_error *err);
/** Forgets all but the first `count` changes: a host backs out of a position that did not fit whole. */
PSH_API void psh_change_batch_truncate(psh_change_batch *b, size_t count);
/** @return changes in it. */
PSH_API size_t psh_change_batch_count(const psh_change_batch *b);
/** Borrows from b until it changes. @return PSH_OK, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_change_batch_get(const psh_change_batch *b, size_t i, psh_change *out);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_change_batch_save(const psh_change_batch *b, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_change_batch_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes,
    psh_change_batch **out, psh_error *err);
/** Appends text. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_change_batch_dump(const psh_change_batch *b, psh_buffer *out);

PSH_END_DECLS
#endif
