/* SPDX-License-Identifier: MIT */
/** @file math/exact_sum.h  Sums of doubles without rounding, whatever the order; rounded once, on reading. */
#ifndef PSHI_MATH_EXACT_SUM_H
#define PSHI_MATH_EXACT_SUM_H

#include "base/buffer.h"
#include "base/cursor.h"

/* 64-bit limbs that hold 2^-1088 .. 2^1088: every double, and 2^63 times the largest. */
#define PSHI_EXACT_LIMBS 34u
/* Most doubles that an exact sum splits into. */
#define PSHI_EXACT_PARTS 64u

/**
 * A fixed-point number in two's complement (Kulisch 2013; Neal 2015, arXiv:1505.05571) with room for all: for
 * few sums at a time. Fewer than 2^63 terms.
 */
typedef struct pshi_exact_sum {
    uint64_t limbs[PSHI_EXACT_LIMBS];
} pshi_exact_sum;

/** Makes it 0. */
void pshi_exact_init(pshi_exact_sum *s);
/** Exact. x is finite. */
void pshi_exact_add(pshi_exact_sum *s, double x);
/** @return the nearest double, ties to even; an infinity beyond the largest. */
double pshi_exact_value(const pshi_exact_sum *s);

/**
 * The same number, of which only the limbs [first, first + count) are kept: below them all is 0, above them all
 * is the sign. For many sums held long. Zeroed is 0.
 */
typedef struct pshi_sparse_sum {
    uint64_t *limbs;
    uint32_t first;
    uint32_t count;
} pshi_sparse_sum;

void pshi_sparse_free(psh_env *env, pshi_sparse_sum *s);
/** Makes room, so that adding or subtracting x (finite) cannot fail. @return PSH_OK, PSH_E_NOMEM (unchanged). */
psh_status pshi_sparse_reserve(psh_env *env, pshi_sparse_sum *s, double x);
/** Exact. Needs pshi_sparse_reserve of x before. Fewer than 2^63 terms. */
void pshi_sparse_add(pshi_sparse_sum *s, double x);
void pshi_sparse_subtract(pshi_sparse_sum *s, double x);
/** s += from. Fewer than 2^63 terms in both. @return PSH_OK, PSH_E_NOMEM (unchanged). */
psh_status pshi_sparse_merge(psh_env *env, pshi_sparse_sum *s, const pshi_sparse_sum *from);
int pshi_sparse_is_zero(const pshi_sparse_sum *s);
/** @return the nearest double, ties to even; an infinity beyond the largest. */
double pshi_sparse_read(const pshi_sparse_sum *s);
/**
 * Doubles whose exact sum is *s, largest first, the first one pshi_sparse_read (the largest double, where
 * that is infinite): how a sum travels as doubles.
 * @return their number, at least 1; 0 if there would be too many: the sum is far beyond the largest double.
 */
size_t pshi_sparse_split(const pshi_sparse_sum *s, double out[PSHI_EXACT_PARTS]);
/** Bytes of memory beyond the struct. */
size_t pshi_sparse_bytes(const pshi_sparse_sum *s);
/** Equal sums give equal bytes. */
void pshi_sparse_put(pshi_writer *w, const pshi_sparse_sum *s);
/** Into a zeroed *s. Damage is marked in c. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_sparse_get(psh_env *env, pshi_cursor *c, pshi_sparse_sum *s);

#endif
