/* SPDX-License-Identifier: MIT */
/** @file loads_young.h  Tenants with less than two weeks of history, with segments and without. */
#ifndef BENCH_LOADS_YOUNG_H
#define BENCH_LOADS_YOUNG_H

#include <predshard.h>

#include "loads_io.h"

/**
 * Every second wanted key is made young: its load before a start of its own, days apart from `first` on, is
 * withheld. Two forecasters are fed the same, one of which has no segments; at an origin every `step` hours the
 * young keys are forecast until they are two weeks old. Prints young_* figures.
 * @param wanted  Shape [keys]
 */
void loads_young(
    psh_env *env, psh_schema *schema, const loads *l, const uint8_t *wanted, size_t first, uint32_t step);

#endif
