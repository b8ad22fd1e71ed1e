/* SPDX-License-Identifier: MIT */
/** @file predshard/answer.h  Combines what the legs of one query gave into its answer. */
#ifndef PREDSHARD_ANSWER_H
#define PREDSHARD_ANSWER_H

#include <predshard/query.h>
PSH_BEGIN_DECLS

/**
 * Combines what the legs of one query gave into its answer.
 *
 * A leg gives rows in one of two shapes. *Partial*: for an aggregate query the bucket's start, the group
 * columns, then each aggregate: COUNT one int64; SUM, MIN, MAX one value, NULL of none; AVG two values, sum
 * (NULL of none) and count. A sum of doubles may be split over several rows of its group, the other rows with
 * counts of 0, so that it travels exactly. For a detail query the output columns. *Raw*: all columns of the
 * table; rows that do not match the query are skipped.
 *
 * Threads  One user at a time.
 */
typedef struct psh_answer psh_answer;

/**
 * @param max_bytes  most memory; 0 = 256 MiB.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_LIMIT, PSH_E_NOMEM. *out is the caller's, NULL on an error.
 */
PSH_API psh_status psh_answer_create(psh_env *env, psh_query *query, size_t max_bytes, psh_answer **out);
/** NULL is allowed. */
PSH_API void psh_answer_destroy(psh_answer *a);
/** Empties it for another query, keeps the memory. @return PSH_OK, PSH_E_INVALID, PSH_E_LIMIT, PSH_E_NOMEM. */
PSH_API psh_status psh_answer_reset(psh_answer *a, psh_query *query);
/** @return values in one partial row. */
PSH_API size_t psh_answer_partial_width(const psh_answer *a);
/**
 * A failed add leaves the answer as it was.
 * @param rows  Shape [n][partial width], copied.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_LIMIT, PSH_E_NOMEM, PSH_E_STATE.
 */
PSH_API psh_status psh_answer_add_partial(psh_answer *a, const psh_value *rows, size_t n);
/** @param rows  Shape [n][columns of the table], copied. The same returns. */
PSH_API psh_status psh_answer_add_rows(psh_answer *a, const psh_value *rows, size_t n);
/**
 * Ends it: finishes averages, adds the one row of an aggregate without groups, sorts (the query's order, then
 * all outputs ascending), limits.
 * @return PSH_OK, PSH_E_RANGE (a sum does not fit its type), PSH_E_LIMIT, PSH_E_NOMEM.
 */
PSH_API psh_status psh_answer_finish(psh_answer *a);
/** @return rows of the answer; 0 before finish. */
PSH_API size_t psh_answer_row_count(const psh_answer *a);
/** @return Shape [outputs of the query], borrowed until reset; NULL past the end. */
PSH_API const psh_value *psh_answer_row(const psh_answer *a, size_t i);
/**
 * Appends a canonical encoding of all rows: equal answers have equal bytes.
 * @return PSH_OK, PSH_E_STATE (not finished), PSH_E_INVALID, PSH_E_NOMEM.
 */
PSH_API psh_status psh_answer_save(const psh_answer *a, psh_buffer *out);
/** Appends text, tab-separated. @return PSH_OK, PSH_E_STATE (not finished), PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_answer_dump(const psh_answer *a, psh_buffer *out);

PSH_END_DECLS
#endif
