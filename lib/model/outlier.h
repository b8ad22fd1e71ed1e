/* SPDX-License-Identifier: MIT */
/** @file model/outlier.h  Outliers and shifts of a series whose forecasts are at hand, in a few bytes. */
#ifndef PSHI_MODEL_OUTLIER_H
#define PSHI_MODEL_OUTLIER_H

#include "codec/fields.h"

#define PSHI_OUTLIER_MASK 1u    /* keep this value out of the fit */
#define PSHI_OUTLIER_LEVEL 2u   /* the level has shifted: what was masked before was the new level; learn quickly */
#define PSHI_OUTLIER_SPREAD 4u  /* the errors have become much larger or smaller: learn the scale anew */

/** Zeroed is the start. */
typedef struct pshi_outlier {
    float up;       /* sums of clipped errors beyond what is usual, each side */
    float down;
    float wide;     /* the same of the errors' sizes */
    float narrow;
    uint32_t run;   /* values since the last shift, this one included */
    uint32_t side;  /* length of the present run of errors of one sign, in the low bits; its sign in the top bit */
} pshi_outlier;

_Static_assert(sizeof(pshi_outlier) <= 32, "one per series");

/**
 * Two-sided CUSUM (Page, "Continuous inspection schemes", 1954) of the standardised error, winsorised so that one
 * huge value cannot sway it (as in Huber 1981), with a run of like signs as a condition: a burst that goes up and
 * down is masked, a step is accepted after 5 values far off, more if nearer.
 * @param value  the value that came
 * @param mean   its forecast
 * @param sd     standard deviation of the forecast's error; 0 or less: unknown, nothing is said
 * @return PSHI_OUTLIER_* that hold of this value. A level or spread is told once; the sums then start anew.
 */
uint32_t pshi_outlier_observe(pshi_outlier *s, double value, double mean, double sd);
void pshi_outlier_fields(pshi_fields *io, pshi_outlier *s);

#endif
