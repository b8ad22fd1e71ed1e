/* SPDX-License-Identifier: MIT */
/** @file model/theta.h  The theta method and the dynamic optimised theta model: one state for both. */
#ifndef PSHI_MODEL_THETA_H
#define PSHI_MODEL_THETA_H

#include "model/model.h"

typedef struct pshi_theta {
    uint32_t m;           /* season, 1 without one */
    uint32_t at;          /* phase of the next value */
    uint32_t times;       /* the season multiplies */
    uint32_t dynamic;     /* DOTM */
    double count;         /* values seen: t */
    double alpha;
    double weight;        /* DOTM: 1 - 1 / theta, in [0, 1]; THETA: unused */
    double level;
    double power;         /* (1 - alpha)^t */
    double drift;         /* THETA: half the slope of the line through all values */
    double mean;          /* DOTM: of all values */
    double slope;         /* DOTM: B of the line through all values */
    double variance;      /* of one step's error, of the adjusted series */
    double season[];      /* Shape [m], by phase */
} pshi_theta;

/** Fits the DOTM to an adjusted series: sets all but m, at, times and season. y: Shape [n]. @return status. */
psh_status pshi_dotm_fit(psh_env *env, const double *y, size_t n, pshi_theta *s);
/** The next forecast of the adjusted series. */
double pshi_dotm_next(const pshi_theta *s);
/** One value of the adjusted series more. */
void pshi_dotm_step(pshi_theta *s, double y);

#endif
