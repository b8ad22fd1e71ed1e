/* SPDX-License-Identifier: MIT */
/** @file math/minimize.h  Minimum of a function of a few variables, without derivatives. */
#ifndef PSHI_MATH_MINIMIZE_H
#define PSHI_MATH_MINIMIZE_H

#include <stddef.h>
#include <stdint.h>

#define PSHI_MINIMIZE_MOST 24u

/** What is minimized; infinite or NaN where x is not allowed. */
typedef double (*pshi_target)(void *user, const double *x);

/**
 * Nelder & Mead, "A simplex method for function minimization", 1965, with the adaptive coefficients of Gao & Han 2012
 * above two dimensions. Deterministic, no allocation.
 * @param x     Shape [n], the start, becomes the best point; n <= PSHI_MINIMIZE_MOST
 * @param step  Shape [n], sides of the first simplex, not 0
 * @param most  evaluations at most, about
 * @param tolerance  stops when best and worst differ by less than this share of the best
 * @return the value at x.
 */
double pshi_minimize(
    pshi_target f, void *user, double *x, const double *step, size_t n, uint32_t most, double tolerance);

#endif
