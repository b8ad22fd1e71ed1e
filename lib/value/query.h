/* SPDX-License-Identifier: MIT */
/** @file value/query.h  The query from inside. */
#ifndef PSHI_VALUE_QUERY_H
#define PSHI_VALUE_QUERY_H

#include <predshard/query.h>

#include "base/buffer.h"
#include "base/cursor.h"

/** Writes the body, for embedding in other values. */
void pshi_query_put(pshi_writer *w, const psh_query *q);
/**
 * Reads what pshi_query_put wrote and checks it as psh_query_create does; then the cursor stands behind it.
 * @return PSH_OK, PSH_E_CORRUPT, PSH_E_LIMIT (its constants take more than PSHI_LOAD_BYTES), PSH_E_NOMEM.
 */
psh_status pshi_query_get(psh_env *env, psh_schema *schema, pshi_cursor *c, psh_query **out);
/** The canonical form, borrowed; its strides are this build's, so plain indexing serves. */
const psh_query_spec *pshi_query_spec(const psh_query *q);
psh_env *pshi_query_env(const psh_query *q);

/** Sets of columns, column c as bit c % 64: what is missing here is missing, what is there may be. */
typedef struct pshi_query_columns {
    uint64_t predicates;
    uint64_t groups;
    uint64_t measures; /* of aggregates */
    uint64_t extremes; /* of minima, column c as bit 2 * c % 64, and of maxima, as the next bit */
} pshi_query_columns;
const pshi_query_columns *pshi_query_column_sets(const psh_query *q);
/**
 * SQL's meaning: NULL never holds but for IS_NULL.
 * @param p  of a canonical form: IN lists are sorted
 */
int pshi_predicate_holds(const psh_predicate *p, const psh_value *v);

#endif
