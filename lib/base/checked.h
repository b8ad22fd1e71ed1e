/* SPDX-License-Identifier: MIT */
/** @file base/checked.h  Arithmetic that tells when it overflows. */
#ifndef PSHI_BASE_CHECKED_H
#define PSHI_BASE_CHECKED_H

#include <stddef.h>
#include <stdint.h>

/* 128 bits: an extension that gcc and clang share on every 64-bit target. */
__extension__ typedef __int128 pshi_i128;
__extension__ typedef unsigned __int128 pshi_u128;

/* Each returns 1 and leaves *out undefined on overflow, else 0. */
static inline int pshi_add_i64(int64_t a, int64_t b, int64_t *out) {
    return __builtin_add_overflow(a, b, out);
}
static inline int pshi_sub_i64(int64_t a, int64_t b, int64_t *out) {
    return __builtin_sub_overflow(a, b, out);
}
static inline int pshi_mul_i64(int64_t a, int64_t b, int64_t *out) {
    return __builtin_mul_overflow(a, b, out);
}
static inline int pshi_mul_size(size_t a, size_t b, size_t *out) {
    return __builtin_mul_overflow(a, b, out);
}
static inline int pshi_add_size(size_t a, size_t b, size_t *out) {
    return __builtin_add_overflow(a, b, out);
}

/** Saturating sums of times, so that open bounds stay open. */
static inline int64_t pshi_time_add(int64_t t, int64_t d) {
    int64_t r;

    if (__builtin_add_overflow(t, d, &r))
        return d > 0 ? INT64_MAX : INT64_MIN + 1;
    return r == INT64_MIN ? INT64_MIN + 1 : r;
}

/** floor(a / b) for b > 0. */
static inline int64_t pshi_floor_div(int64_t a, int64_t b) {
    int64_t q = a / b;

    return a % b < 0 ? q - 1 : q;
}

#endif
