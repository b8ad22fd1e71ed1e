/* SPDX-License-Identifier: MIT */
/** @file model/tails.h  Both tails of a stream of numbers in bounded memory: how surprising is the next one? */
#ifndef PSHI_MODEL_TAILS_H
#define PSHI_MODEL_TAILS_H

#include "codec/fields.h"

#define PSHI_TAILS_KEEP 81u     /* extremes kept at either end */
#define PSHI_TAILS_MIDDLE 128u  /* sample of the whole */
#define PSHI_TAILS_MOST 16384u  /* values that count; from there on the oldest half counts half, again and again */

/** Zeroed is empty. No values are forgotten at once: halving keeps every second extreme, the outermost first. */
typedef struct pshi_tails {
    uint32_t n;       /* values seen, halved now and then */
    uint32_t stride;  /* every stride-th value goes into middle; 0 when empty */
    uint32_t due;     /* values until the next one does */
    uint32_t high_count;
    uint32_t low_count;
    uint32_t middle_count;
    float high[PSHI_TAILS_KEEP];      /* the largest, descending */
    float low[PSHI_TAILS_KEEP];       /* the smallest, negated, descending */
    float middle[PSHI_TAILS_MIDDLE];  /* ascending */
} pshi_tails;

/** Finite x, |x| <= 2^110. O(1) amortised. */
void pshi_tails_add(pshi_tails *t, double x);
/** The p-quantile of the sample, p in [0, 1]; 0 when empty. */
double pshi_tails_quantile(const pshi_tails *t, double p);
/** Share of the sample that is at most x; 0 when empty. */
double pshi_tails_share(const pshi_tails *t, double x);
/**
 * -log10 of the probability of a value at least as high (up) or as low (not up) as x. In the middle by rank; beyond
 * a high quantile by a generalised Pareto tail, its parameters by moments (Hosking & Wallis 1987), as in Siffer et
 * al., "Anomaly detection in streams with extreme value theory", KDD 2017; there the rank bounds it.
 * @param grain  what is no difference: the least scale of the tail, >= 0
 * @return >= 0, finite; 0 below 20 values.
 */
double pshi_tails_surprise(const pshi_tails *t, double x, int up, double grain);
void pshi_tails_fields(pshi_fields *io, pshi_tails *t);

#endif
