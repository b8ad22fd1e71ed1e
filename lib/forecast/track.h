/* SPDX-License-Identifier: MIT */
/** @file forecast/track.h  Quantiles that keep the coverage they promise. */
#ifndef PSHI_FORECAST_TRACK_H
#define PSHI_FORECAST_TRACK_H

#include <stdint.h>

#include "codec/fields.h"

#define PSHI_TRACK_LEVELS 3u

/**
 * How much wider than the normal law says an error spreads, per side and tail (25, 5, 1 %), in units of the model's own
 * standard deviation. Each score moves each factor so that in the long run the promised share lies outside, whatever
 * the errors do: quantile tracking of Angelopoulos, Candes & Tibshirani, "Conformal PID Control for Time Series
 * Prediction", 2023, in logarithms; with Gibbs & Candes 2021 its ancestor. One factor is shared by all series of a
 * kind and learns fast, one is the series' own.
 */
typedef struct pshi_track {
    float up[PSHI_TRACK_LEVELS];
    float low[PSHI_TRACK_LEVELS];
} pshi_track;

void pshi_track_init(pshi_track *t);
/** Learns a standardised error. */
void pshi_track_learn(pshi_track *own, pshi_track *pool, double error);
/** The error that stays below with probability p. */
double pshi_track_quantile(const pshi_track *own, const pshi_track *pool, double p);
/** P(error > x). */
double pshi_track_above(const pshi_track *own, const pshi_track *pool, double x);
void pshi_track_fields(pshi_fields *io, pshi_track *t);

#endif
