/* SPDX-License-Identifier: MIT */
/** @file model/decompose.h  Classical decomposition, a test for a season, and how much history a fit looks at. */
#ifndef PSHI_MODEL_DECOMPOSE_H
#define PSHI_MODEL_DECOMPOSE_H

#include "model/model.h"

/** @return how many of the last values a fit looks at: n, at most 4096 or 8 seasons of m. */
size_t pshi_recent(size_t n, uint32_t m);
/** @return the shortest season asked for if n holds two cycles of it, else 1. */
uint32_t pshi_first_season(const pshi_fit *in);
/** @return the largest magnitude in y, or 1 if all are 0. */
double pshi_scale(const double *y, size_t n);
/** @return the last n values of in->y over scale, a block of in->env, or NULL. */
double *pshi_scaled(const pshi_fit *in, size_t n, double scale);
/**
 * Classical decomposition by a centred moving average (FPP3, 3.4).
 * @param season  Shape [m]: by phase i % m, sum 0, or mean 1 if multiplicative.
 * @param multiplicative  all of y must be > 0
 * @param y  Shape [n], n >= 2 m, m >= 2
 */
void pshi_decompose(const double *y, size_t n, uint32_t m, int multiplicative, double *season);
/**
 * How much of the factors that pshi_decompose gave for the same y is noise, by James and Stein's estimator: their
 * sampling variance against their variance about none (Miller & Williams, "Shrinkage estimators of time series
 * seasonal factors and their effect on forecasting accuracy", International Journal of Forecasting 19, 2003).
 * @return a share in [0, 1]; 0 if n < 3 m or m < 4.
 */
double pshi_season_noise(const double *y, size_t n, uint32_t m, int multiplicative, const double *season);
/** Takes that share off the factors: a season that is mere noise all but vanishes. */
void pshi_shrink_season(const double *y, size_t n, uint32_t m, int multiplicative, double *season);
/**
 * Is there a season of m: |r(m)| > 1.645 sqrt((1 + 2 (r(1)^2 + ... + r(m-1)^2)) / n), r the autocorrelations: the
 * test of the theta method and of the M competitions' Naive2. Beyond 512 lags the sum is estimated from lags that
 * are evenly spaced.
 */
int pshi_is_seasonal(const double *y, size_t n, uint32_t m);

#endif
