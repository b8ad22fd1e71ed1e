/* SPDX-License-Identifier: MIT */
/**
 * @file nab_score.h  Scores of the Numenta anomaly benchmark: Lavin & Ahmad, "Evaluating real-time anomaly
 * detection algorithms", ICMLA 2015, section II, and the benchmark's sweeper for what the paper leaves open.
 */
#ifndef BENCH_NAB_SCORE_H
#define BENCH_NAB_SCORE_H

#include <stddef.h>

typedef struct nab_profile {
    const char *name;
    double tp;
    double fp;
    double fn;
} nab_profile;

/** Rows [first, last] in which an anomaly is to be found. */
typedef struct nab_window {
    size_t first;
    size_t last;
} nab_window;

typedef struct nab_series {
    size_t n;
    size_t probation;           /**< rows that are not scored: nab_probation(n) */
    const double *score;        /**< Shape [n], the detector's, in [0, 1] */
    const nab_window *windows;  /**< Shape [window_count], ascending, apart */
    size_t window_count;
} nab_series;

/** 15 % of the rows, 750 at most. */
size_t nab_probation(size_t n);
/**
 * What an alarm at a row is worth before weights: in a window 1 at its left edge, falling to about 0; outside
 * -1, or less of it shortly after a window.
 * @param window  becomes the row's window, or window_count
 */
double nab_row(const nab_series *s, size_t row, size_t *window);
/** Raw score of one series at a threshold: an alarm is a score >= threshold, the best of a window counts. */
double nab_raw(const nab_series *s, const nab_profile *p, double threshold);
/**
 * The best sum of raw scores that one threshold gives over the series with use[i] != 0 (NULL: all).
 * @param threshold  becomes it; 1.1, i.e. no alarm, where that is best
 * @return the sum; NAN without memory.
 */
double nab_best(
    const nab_series *s, size_t count, const unsigned char *use, const nab_profile *p, double *threshold);
/** 0 for a detector that says nothing, 100 for a perfect one; NAN without windows. */
double nab_normal(double raw, size_t windows, const nab_profile *p);

#endif
