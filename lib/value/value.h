/* SPDX-License-Identifier: MIT */
/** @file value/value.h  Checks, copies and hashes of single values. */
#ifndef PSHI_VALUE_VALUE_H
#define PSHI_VALUE_VALUE_H

#include <predshard/schema.h>

#include "base/checked.h"

/**
 * Whether a caller's value fits a column: the type matches (or NULL where nullable), doubles are finite,
 * bools 0 or 1, a decimal's scale is the column's, a timestamp is a time, data is there where size is not 0.
 * @return PSH_OK, PSH_E_INVALID.
 */
psh_status pshi_value_check(const psh_value *v, uint32_t type, uint32_t scale, int nullable);
/** The same value with unused fields zeroed and -0.0 made 0.0, so that equal values have equal bits. */
psh_value pshi_value_normal(const psh_value *v);
/** Deep: text and bytes get a block of their own. End it with pshi_value_free. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_value_copy(psh_env *env, psh_value *to, const psh_value *from);
/** Frees what pshi_value_copy took and makes it NULL. */
void pshi_value_free(psh_env *env, psh_value *v);
/** Equal values of one column have one hash, on all machines. Decimals must be of one scale. */
uint64_t pshi_value_hash(const psh_value *v, uint64_t seed);
/** A decimal's integer. */
pshi_i128 pshi_decimal(const psh_value *v);

#endif
