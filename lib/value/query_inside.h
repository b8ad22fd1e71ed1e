/* SPDX-License-Identifier: MIT */
/** @file value/query_inside.h  What the query's own files share. */
#ifndef PSHI_VALUE_QUERY_INSIDE_H
#define PSHI_VALUE_QUERY_INSIDE_H

#include "base/ref.h"
#include "value/query.h"
#include "value/schema.h"

#define PSHI_MAX_PREDICATES 256u
#define PSHI_MAX_GROUPS 64u
#define PSHI_MAX_AGGREGATES 64u
#define PSHI_MAX_OUTPUTS 4096u
#define PSHI_MAX_ORDER 64u
#define PSHI_MAX_LABELS 16u

/* One block: this, then the arrays of the spec, then their bytes. */
struct psh_query {
    pshi_ref refs;
    psh_env *env;
    psh_schema *schema;
    const pshi_table *table;
    psh_query_spec spec; /* canonical */
    uint64_t id;
    uint64_t fingerprint;
    pshi_query_columns columns;
    size_t bytes; /* of the block */
};

/** Checks a spec of this build's size whose arrays have the caller's strides. */
psh_status pshi_query_check(const psh_schema *schema, const psh_query_spec *spec, psh_error *err);
/**
 * Brings predicates (normalised values, IN lists in memory that may be changed) into canonical form in place.
 * @return how many are left.
 */
size_t pshi_predicates_canonical(psh_predicate *p, size_t n);
/** Fills q->id and q->fingerprint. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_query_identify(psh_query *q);
/** The value that a predicate's list begins with, to be changed. */
psh_value *pshi_predicate_values(const psh_predicate *p);

#endif
