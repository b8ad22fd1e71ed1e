/* SPDX-License-Identifier: MIT */
/** @file math/linalg.h  Small dense least squares by normal equations. Matrices are row-major. */
#ifndef PSHI_MATH_LINALG_H
#define PSHI_MATH_LINALG_H

#include <stddef.h>

/** Adds one observation to the lower triangle of X'WX (Shape [n][n]) and to X'Wy (Shape [n]). */
void pshi_gram_add(double *gram, double *rhs, const double *x, size_t n, double y, double weight);
/** A = L L' of the lower triangle in place (Golub & Van Loan, 4.2). @return 1, or 0 if A is not positive definite. */
int pshi_cholesky(double *a, size_t n);
/** Solves L L' x = b in place. */
void pshi_cholesky_solve(const double *l, size_t n, double *b);
/**
 * Ridge regression: adds penalty[i] (at least a hair of the diagonal) to the diagonal of gram, factors it in place
 * and turns rhs into the coefficients. @return 1, or 0 with rhs zeroed if it has no solution.
 */
int pshi_ridge(double *gram, double *rhs, const double *penalty, size_t n);

#endif
