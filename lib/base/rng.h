/* SPDX-License-Identifier: MIT */
/** @file base/rng.h  SplitMix64 (Steele, Lea & Flood 2014): one word of state, seeded by an option. */
#ifndef PSHI_BASE_RNG_H
#define PSHI_BASE_RNG_H

#include "base/hash.h"

static inline uint64_t pshi_rng_next(uint64_t *state) {
    return pshi_mix64(*state += UINT64_C(0x9e3779b97f4a7c15));
}

/** Uniform in [0, 1). */
static inline double pshi_rng_unit(uint64_t *state) {
    return (double)(pshi_rng_next(state) >> 11) * 0x1p-53;
}

#endif
