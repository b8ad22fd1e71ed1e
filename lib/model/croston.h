/* SPDX-License-Identifier: MIT */
/** @file model/croston.h  Sparse demand: the state of one series and its law. */
#ifndef PSHI_MODEL_CROSTON_H
#define PSHI_MODEL_CROSTON_H

#include "model/model.h"

#define PSHI_SPARSE_CROSTON 0u
#define PSHI_SPARSE_SBA 1u
#define PSHI_SPARSE_TSB 2u

/**
 * Essential to go on: age, count, gap, alpha, beta, size, rate, spread and two bits. As floats and small integers
 * that is less than 40 bytes.
 */
typedef struct pshi_sparse {
    uint32_t method;      /* PSHI_SPARSE_* */
    uint32_t whole;       /* all values so far are integers */
    uint32_t negative;    /* there was a value below 0: quantiles by the normal law */
    uint32_t count;       /* demands seen, at most 2^31 */
    uint32_t gap;         /* steps since the last demand, at most 2^31 */
    uint32_t age;         /* steps seen, at most 2^31 */
    double alpha;         /* smoothing of sizes; CROSTON and SBA: of intervals too */
    double beta;          /* TSB: smoothing of the probability */
    double size;          /* of a demand, smoothed */
    double rate;          /* TSB: probability of a demand; CROSTON, SBA: steps between demands; 0: none yet */
    double spread;        /* variance of sizes about the smoothed size */
} pshi_sparse;

/** Chooses parameters and states for y, Shape [n]; all but method is set. */
void pshi_sparse_fit(pshi_sparse *s, const double *y, size_t n);
/** One value more. */
void pshi_sparse_step(pshi_sparse *s, double y);
/** @return the probability of a demand at a step to come, in [0, 1]. */
double pshi_sparse_probability(const pshi_sparse *s);
/** @return the expected value of a step to come: the same for all. */
double pshi_sparse_mean(const pshi_sparse *s);
/** @return the variance of a step to come. */
double pshi_sparse_variance(const pshi_sparse *s);
/**
 * @param level  in (0, 1)
 * @return the quantile of a step to come. Of integers the one whose probability is nearest the level, so that
 *         coverage over many series is the level and not above it (the mid-distribution quantile).
 */
double pshi_sparse_quantile(const pshi_sparse *s, double level);

#endif
