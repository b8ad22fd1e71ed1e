/* SPDX-License-Identifier: MIT */
#include "model/leads.h"

static const uint32_t last_of[PSHI_LEADS_MOST] = { 1, 3, 6, 12, 24, 48, 168, UINT32_MAX };

uint32_t pshi_leads_count(uint32_t horizon) {
    uint32_t g = 0;

    while (last_of[g] < horizon)
        g++;
    return g + 1;
}

uint32_t pshi_leads_group(uint32_t count, uint32_t h) {
    uint32_t g = 0;

    while (g + 1 < count && last_of[g] < h)
        g++;
    return g;
}

uint32_t pshi_leads_pick(uint32_t group, uint32_t horizon, size_t t) {
    uint32_t first = group ? last_of[group - 1] + 1 : 1;
    uint32_t last = last_of[group] < horizon ? last_of[group] : horizon;

    /* Weyl's sequence by the golden ratio: even, and in step with no season. */
    return first + (uint32_t)((uint64_t)((uint32_t)t * UINT32_C(2654435769)) * (last - first + 1) >> 32);
}
