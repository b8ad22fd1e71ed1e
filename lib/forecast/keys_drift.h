/* SPDX-License-Identifier: MIT */
/** @file forecast/keys_drift.h  Distributions of keys that move on. */
#ifndef PSHI_FORECAST_KEYS_DRIFT_H
#define PSHI_FORECAST_KEYS_DRIFT_H

#include "forecast/keys.h"

/**
 * The distribution of a slice to come: the last one's keys, each moved by the least-squares slope of its quantile
 * over the slices given. Keys count as numbers of 8 bytes, from one byte before where they begin to differ.
 * @param slices  Shape [n], n >= 2, none empty
 * @param number  Shape [n], ascending
 * @return PSH_OK, PSH_E_NOMEM (out as far as it came).
 */
psh_status pshi_keys_drift(
    psh_env *env, const pshi_kll *const *slices, const int64_t *number, uint32_t n, int64_t target, pshi_kll *out);

#endif
