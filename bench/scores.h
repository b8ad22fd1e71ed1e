/* SPDX-License-Identifier: MIT */
/** @file scores.h  How forecasts are scored. bench/README.md has the formulas; NaN means: not defined here. */
#ifndef BENCH_SCORES_H
#define BENCH_SCORES_H

#include <stddef.h>
#include <stdint.h>

/** @return mean of 2 |y - f| / (|y| + |f|) in percent; a point where both are 0 counts 0. */
double score_smape(const double *y, const double *f, size_t h);
/** @return mean of |y - f|. */
double score_mae(const double *y, const double *f, size_t h);
/** @return mean of |x[t] - x[t - m]| over a training part; NaN where there is none or it is 0. */
double score_scale(const double *train, size_t n, uint32_t m);
/**
 * The interval score of Gneiting & Raftery 2007, section 6.2, over the horizon, not scaled.
 * @param alpha  what the interval should miss, e.g. 0.05.
 */
double score_interval(const double *y, const double *low, const double *high, size_t h, double alpha);
/** @return how many y lie in [low, high]. */
size_t score_inside(const double *y, const double *low, const double *high, size_t h);
/** @return sqrt(mean (y - f)^2 / mean (x[t] - x[t - 1])^2 of the training part); NaN where that is 0 or n < 2. */
double score_rmsse(const double *train, size_t n, const double *y, const double *f, size_t h);

/**
 * M4's test of season: is |ACF(m)| above its 90 % limit? As the organisers' code: at least 3 m values, and m within
 * the 10 log10(n) lags that R's acf gives.
 */
int score_is_seasonal(const double *train, size_t n, uint32_t m);
/** Classical multiplicative indices, as R's decompose. @param index  Shape [m], mean 1. @return 0: not defined. */
int score_seasonal_indices(const double *train, size_t n, uint32_t m, double *index);
/** Naive2: the last value of the seasonally adjusted series, put back into season. @param f  Shape [h]. */
void score_naive2(const double *train, size_t n, uint32_t m, double *f, size_t h);

/**
 * Expected calibration error: events sorted by p, cut into bins of equal count; the mean over events of
 * |mean p - share that happened| of their bin. @return NaN without events.
 */
double score_ece(const double *p, const uint8_t *happened, size_t n, uint32_t bins);

/**
 * Mean of log(1 + x) for x with these quantiles (trapezoids between the levels, constant beyond the outermost): the
 * point forecast that a squared error of log(1 + x) asks for.
 * @param levels  Shape [n], ascending in (0, 1).
 * @param q       Shape [n], > -1.
 */
double score_log_mean(const double *levels, const double *q, size_t n);

#define SCORE_PARTS 4u

/** What M4 averages, over series. Zero it first. */
typedef struct tally {
    double smape, smape2;        /**< sums over series, of the method and of Naive2 */
    double mase, mase2, msis;    /**< sums over the series that have a scale */
    double inside, points;
    double inside_of[SCORE_PARTS], points_of[SCORE_PARTS]; /**< by quarter of the horizon */
    double seconds, update, bytes;
    size_t series, scaled;
} tally;

/** One series's forecasts and its training part. */
typedef struct judged {
    const double *train;
    size_t n;
    const double *test;
    size_t h;
    uint32_t m;
    const double *mean, *low, *high;  /**< Shape [h]; the central 95 % interval */
} judged;

/** Counts one series in. */
void tally_add(tally *t, const judged *j);
/** @return (sMAPE / sMAPE of Naive2 + MASE / MASE of Naive2) / 2, of the averages over series. */
double tally_owa(const tally *t);

#endif
