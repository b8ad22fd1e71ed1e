/* SPDX-License-Identifier: MIT */
/** @file math/stats.h  Small statistics: quantiles of a sorted sample and of the normal law, a common divisor. */
#ifndef PSHI_MATH_STATS_H
#define PSHI_MATH_STATS_H

#include <stddef.h>
#include <stdint.h>

/** Greatest common divisor; gcd(0, x) = x. */
uint64_t pshi_gcd(uint64_t a, uint64_t b);
/** P(Z <= z) of the standard normal law. */
double pshi_normal_cdf(double z);
/** Its inverse for p in (0, 1), to about 1e-12. */
double pshi_normal_quantile(double p);

/** Puts x into its place among n ascending values; there is room for one more. */
void pshi_sorted_insert(float *sorted, size_t n, float x);
/** Takes one value equal to x out of n ascending values that hold it. */
void pshi_sorted_remove(float *sorted, size_t n, float x);
/**
 * The p-quantile of n >= 1 ascending values at position (n + 1) p, so that a new exchangeable value lies below
 * it with probability p; beyond the ends the tail goes on as an exponential one that starts at the median.
 */
double pshi_sorted_quantile(const float *sorted, size_t n, double p);
/** Share of the sample above x, never quite 0 or 1: (above + 1/2) / (n + 1). */
double pshi_sorted_above(const float *sorted, size_t n, double x);

#endif
