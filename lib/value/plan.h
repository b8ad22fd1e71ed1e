/* SPDX-License-Identifier: MIT */
/** @file value/plan.h  One action that owns what it points to; the order of a plan. */
#ifndef PSHI_VALUE_PLAN_H
#define PSHI_VALUE_PLAN_H

#include "value/wants.h"

/** A deep copy of an action: pub points into the rest. Zeroed is empty. */
typedef struct pshi_action {
    psh_action pub;
    uint64_t *after;
    char *name;
    char *reason;
} pshi_action;

/** @return PSH_OK, PSH_E_INVALID with the field. */
psh_status pshi_action_check(const psh_action *a, psh_error *err);
/** Copies deeply and references the definition. @return PSH_OK, PSH_E_NOMEM (out is empty). */
psh_status pshi_action_copy(psh_env *env, const psh_action *from, pshi_action *out);
/** Frees and empties it; an empty one is allowed. */
void pshi_action_free(psh_env *env, pshi_action *a);
void pshi_action_put(pshi_writer *w, const psh_action *a);
/** Reads and checks one action; on failure out is empty. */
psh_status pshi_action_get(psh_env *env, psh_schema *schema, pshi_cursor *c, pshi_action *out, psh_error *err);
/** Encoded size of the shortest action. */
#define PSHI_ACTION_LEAST (PSHI_WANT_LEAST + 16u)

/**
 * Kahn's topological order (Kahn 1962, "Topological sorting of large networks"), smallest (not_before, id)
 * first among those that are ready.
 * @param order  Shape [n]: receives indexes of actions.
 * @return PSH_OK, PSH_E_INVALID (repeated or unknown id, cycle), PSH_E_NOMEM.
 */
psh_status pshi_plan_order(psh_env *env, const pshi_action *actions, size_t n, uint32_t *order, psh_error *err);

#endif
