/* SPDX-License-Identifier: MIT */
/** @file math/dot.h  Inner products of floats, several lanes at once; the order of addition is fixed. */
#ifndef PSHI_MATH_DOT_H
#define PSHI_MATH_DOT_H

#include <stddef.h>

/** Sum of a[i] b[i]. */
float pshi_dot(const float *a, const float *b, size_t n);
/** out[k] = sum of a[i] b[k][i] for four b at once: each element of a is read once. */
void pshi_dot4(const float *a, const float *const b[4], size_t n, float out[4]);
/** y[i] += a x[i]. */
void pshi_axpy(float *y, float a, const float *x, size_t n);

#endif
