/* SPDX-License-Identifier: MIT */
/** @file value/wants.h  One want: its check, its bytes, its text. */
#ifndef PSHI_VALUE_WANTS_H
#define PSHI_VALUE_WANTS_H

#include <predshard/plan.h>

#include "base/buffer.h"
#include "base/cursor.h"

/** Encoded size of the shortest want: bounds counts on load. */
#define PSHI_WANT_LEAST 90u

/** Whether an action is the library's own work on a view. */
int pshi_action_is_view(uint32_t kind);
/** Whether an action changes a partition: neither a view nor a node. */
int pshi_action_is_of_partition(uint32_t kind);

/** Whether x is finite and >= 0. */
int pshi_is_amount(double x);
/** Whether x is finite and within 0..1. */
int pshi_is_share(double x);
/** A definition belongs to a table and has the id that its subject carries. @return 1 or 0. */
int pshi_definition_fits(const psh_query *definition, uint32_t table, uint64_t id);

/** @return PSH_OK, PSH_E_INVALID with the field. */
psh_status pshi_want_check(const psh_want *want, psh_error *err);
void pshi_want_put(pshi_writer *w, const psh_want *want);
/**
 * Reads and checks one want; its table must be one of the schema's. On PSH_OK out->definition is the
 * caller's reference (or NULL); else out->definition is NULL.
 */
psh_status pshi_want_get(psh_env *env, psh_schema *schema, pshi_cursor *c, psh_want *out, psh_error *err);
/** One line's worth, without its end. */
void pshi_want_text(pshi_writer *w, const psh_want *want);

/** Forgets all but the first `count` wants: a proposer that failed half way takes its own back. */
void pshi_wants_truncate(psh_wants *w, size_t count);

/** A definition that may be NULL, as a flag and a body. */
void pshi_definition_put(pshi_writer *w, const psh_query *q);
psh_status pshi_definition_get(psh_env *env, psh_schema *schema, pshi_cursor *c, psh_query **out);

#endif
