/* SPDX-License-Identifier: MIT */
/** @file latency.h  Quantiles and histograms of waits and service times. */
#ifndef TOOL_LATENCY_H
#define TOOL_LATENCY_H

#include "arrivals.h"
#include "outcome.h"

#define LATENCY_TOTAL 0   /**< wait + service */
#define LATENCY_WAIT 1
#define LATENCY_SERVICE 2

#define BINS_PER_DECADE 10
#define BIN_DECADES 8                              /**< 1 us .. 100 s */
#define BINS (BINS_PER_DECADE * BIN_DECADES + 2)   /**< the first: below, the last: above */

/** All in ns; zeros when there was no query. */
typedef struct latency {
    size_t count;
    double mean;
    int64_t p50;
    int64_t p90;
    int64_t p99;
    int64_t p999;
    int64_t max;
    uint64_t bins[BINS];
} latency;

/**
 * @param what      LATENCY_*
 * @param from_day  only queries that arrived on or after this day
 * @param question  only of this question; -1 = all
 * @return EXIT_DONE, EXIT_INTERNAL (no memory).
 */
int latency_of(
    const outcome *o, const stream *q, int what, uint32_t from_day, int question, latency *out, failure *f);
/** Lower edge of a bin, ns; of the first 0. */
double latency_edge(size_t bin);

#endif
