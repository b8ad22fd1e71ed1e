/* SPDX-License-Identifier: MIT */
/** @file model/leads.h  What the direct regressions share: groups of leads, a ring of the latest values. */
#ifndef PSHI_MODEL_LEADS_H
#define PSHI_MODEL_LEADS_H

#include "model/model.h"

/** Steps ahead are grouped, one set of coefficients a group: 1, 2-3, 4-6, 7-12, 13-24, 25-48, 49-168, the rest. */
#define PSHI_LEADS_MOST 8u

/** @return how many groups reach `horizon`: 1..PSHI_LEADS_MOST. */
uint32_t pshi_leads_count(uint32_t horizon);
/** @return the group of lead h >= 1, below count: leads beyond the last group's belong to it. */
uint32_t pshi_leads_group(uint32_t count, uint32_t h);
/**
 * The lead that row t of a group teaches: each row takes one, in turn through the group up to the horizon, so that
 * a fit costs as much for a wide group as for a narrow one.
 * @return 1..horizon
 */
uint32_t pshi_leads_pick(uint32_t group, uint32_t horizon, size_t t);

/** Offset into a ring of `size` values whose latest stands before `at`: `back` < size steps before the latest. */
static inline uint32_t pshi_ring_back(uint32_t at, uint32_t size, uint32_t back) {
    return at > back ? at - 1 - back : at + size - 1 - back;
}

#endif
