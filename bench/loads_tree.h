/* SPDX-License-Identifier: MIT */
/** @file loads_tree.h  Forecasts of a hierarchy, each alone and all agreed, by level and horizon. */
#ifndef BENCH_LOADS_TREE_H
#define BENCH_LOADS_TREE_H

#include <predshard.h>

#include "loads_io.h"

/**
 * Feeds a forecaster of its own and scores total, segments and tenants at origins `step` hours apart from `first`
 * on: the next 24 hours, 7 days and the next week. Prints tree_LEVEL_HORIZON, mean squared error agreed over
 * alone.
 */
void loads_tree(psh_env *env, psh_schema *schema, const loads *l, size_t first, uint32_t step);

#endif
