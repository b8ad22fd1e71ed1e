/* SPDX-License-Identifier: MIT */
/** @file value/change.h  The batch of changes from inside. */
#ifndef PSHI_VALUE_CHANGE_H
#define PSHI_VALUE_CHANGE_H

#include <predshard/change.h>

#include "value/schema.h"

psh_env *pshi_change_batch_env(const psh_change_batch *b);
/** Borrowed from b. */
psh_schema *pshi_change_batch_schema(const psh_change_batch *b);

#endif
