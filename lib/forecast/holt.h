/* SPDX-License-Identifier: MIT */
/** @file forecast/holt.h  Damped additive Holt-Winters: Hyndman & Athanasopoulos, FPP3, section 8.3. */
#ifndef PSHI_FORECAST_HOLT_H
#define PSHI_FORECAST_HOLT_H

#include <stdint.h>

/** How the trend is damped, per bucket; FPP3 section 8.2 advises 0.8 to 0.98. */
#define PSHI_DAMPING 0.95

typedef struct pshi_holt {
    float alpha; /* 0 until fitted */
    float beta;
    float gamma;
    float reserved;
    double level;
    double trend;
} pshi_holt;

/** The sum of the damping's first `lead` powers: what a trend of 1 adds by then. */
double pshi_holt_damp(uint32_t lead);
/**
 * Moves the state over one value; `season` is the seasonal term of its bucket, `seen` how many whole seasons
 * came before: a term is their plain mean until gamma weighs more, as one season alone is mostly noise.
 */
void pshi_holt_update(pshi_holt *h, float *season, double y, uint32_t seen);
/**
 * Chooses the smoothing parameters from the grid by mean absolute one-step error over y[0..n), n >= m. The
 * state is then that after y[n - 1]; but one that was fitted before stays where y holds few seasons, since it
 * remembers more of them. y[0] stands at phase `phase` of the season of m buckets.
 * @param scratch  Shape [m]
 */
void pshi_holt_fit(
    pshi_holt *h, float *season, uint32_t m, const float *y, uint32_t n, uint32_t phase, float *scratch);

#endif
