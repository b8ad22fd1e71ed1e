/* SPDX-License-Identifier: MIT */
/** @file forecast/history.h  Closed buckets in 16 bits each. */
#ifndef PSHI_FORECAST_HISTORY_H
#define PSHI_FORECAST_HISTORY_H

#include <stdint.h>
#include <string.h>

#define PSHI_CODE_BASE (100u << 9) /* exponent -27 of a float, above 9 bits of mantissa */

/**
 * Seven bits of exponent, nine of mantissa: whole numbers below 1024 exactly, the rest within a thousandth, 2^-26 to
 * 2^100; less becomes 0.
 */
static inline uint16_t pshi_history_code(double x) {
    float f = (float)x;
    uint32_t bits;

    memcpy(&bits, &f, sizeof bits);
    bits = (bits + 0x2000u) >> 14;
    if (x <= 0 || bits <= PSHI_CODE_BASE)
        return 0;
    bits -= PSHI_CODE_BASE;
    return bits > 65535u ? (uint16_t)65535 : (uint16_t)bits;
}

static inline float pshi_history_value(uint16_t code) {
    uint32_t bits = ((uint32_t)code + PSHI_CODE_BASE) << 14;
    float f;

    memcpy(&f, &bits, sizeof f);
    return code ? f : 0;
}

#endif
