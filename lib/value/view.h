/* SPDX-License-Identifier: MIT */
/** @file value/view.h  The view from inside. */
#ifndef PSHI_VALUE_VIEW_H
#define PSHI_VALUE_VIEW_H

#include <predshard/view.h>

#include "base/buffer.h"
#include "base/cursor.h"

/** Writes the body, the definition embedded, for use in other values. */
void pshi_view_put(pshi_writer *w, const psh_view *v);
/** Reads what pshi_view_put wrote and checks it. @return PSH_OK, PSH_E_CORRUPT, PSH_E_NOMEM. */
psh_status pshi_view_get(psh_env *env, psh_schema *schema, pshi_cursor *c, psh_view **out);

/** What it was made of, borrowed. */
const psh_view_spec *pshi_view_spec(const psh_view *v);
/** The table of its definition. */
uint32_t pshi_view_table(const psh_view *v);

#endif
