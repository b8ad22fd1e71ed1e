/* SPDX-License-Identifier: MIT */
/** @file forecast/residuals.h  Conformal quantiles from the latest residuals, with an adaptive level. */
#ifndef PSHI_FORECAST_RESIDUALS_H
#define PSHI_FORECAST_RESIDUALS_H

#include <stdint.h>

#define PSHI_RESIDUALS_FEW 12u /* below this, none of its quantiles is used */

/**
 * Conformal: Vovk, Gammerman & Shafer 2005. Adaptive: Gibbs & Candes 2021, "Adaptive conformal inference
 * under distribution shift": the level asked for moves so that the coverage reached is the one wanted.
 */
typedef struct pshi_residuals {
    float *age;     /* Shape [cap], a ring */
    float *sorted;  /* Shape [cap], the same ascending */
    uint32_t cap;
    uint32_t count;
    uint32_t head;  /* where the next goes */
    float alpha;    /* asked miss rate of the central interval whose wanted rate is PSHI_MISS */
} pshi_residuals;

#define PSHI_MISS 0.1

/** Over 2 * cap floats of the caller's. */
void pshi_residuals_init(pshi_residuals *r, float *memory, uint32_t cap);
void pshi_residuals_push(pshi_residuals *r, double x);
/** Learns whether a central 90 % interval missed. */
void pshi_residuals_adapt(pshi_residuals *r, int missed);
/** The p-quantile at the adapted level; needs PSHI_RESIDUALS_FEW residuals. */
double pshi_residuals_quantile(const pshi_residuals *r, double p);

#endif
