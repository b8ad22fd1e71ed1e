/* SPDX-License-Identifier: MIT */
/** @file rscript.h  The same series through R's forecast package, where that is installed. */
#ifndef BENCH_RSCRIPT_H
#define BENCH_RSCRIPT_H

#include "contest.h"

/** What one method of R said of one task. */
typedef struct r_answer {
    char method[48];
    size_t task;
    double seconds;                 /**< fit and forecast, wall */
    double *mean, *low, *high;      /**< Shape [h]; the central 95 % interval */
} r_answer;

/**
 * Runs methods over list[0..n), method by method. Without R it says so on stderr and returns.
 * @param methods  names with commas between, NULL = all: snaive, ets, thetaf, auto.arima, mstl+arima, tbats.
 */
void rscript_run(
    const task *list, size_t n, const char *methods, void (*take)(void *user, const r_answer *a), void *user);

#endif
