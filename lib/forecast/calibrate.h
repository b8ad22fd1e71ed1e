/* SPDX-License-Identifier: MIT */
/** @file forecast/calibrate.h  From raw probabilities to observed frequencies. */
#ifndef PSHI_FORECAST_CALIBRATE_H
#define PSHI_FORECAST_CALIBRATE_H

#include <stdint.h>

#include "forecast/shape.h"
#include "forecast/track.h"

#define PSHI_BINS 20u
#define PSHI_DUE 2048u
#define PSHI_MOST_WEIGHT 2001.0 /* of a bin */

/** Predictions that came due, by raw probability. Zeroed is empty. */
typedef struct pshi_calibrator {
    double weight[PSHI_BINS];
    double raw[PSHI_BINS];  /* weighted sum of raw probabilities */
    double hits[PSHI_BINS]; /* weighted sum of outcomes */
} pshi_calibrator;

/** The latest predictions as they were shown, with their outcomes. Zeroed is empty. */
typedef struct pshi_shown {
    float p[PSHI_DUE];      /* the probability shown, its sign set if it came true */
    uint32_t head;
    uint32_t count;
    uint64_t total;
} pshi_shown;

typedef struct pshi_calibration {
    pshi_calibrator view;
    pshi_calibrator zone;   /* windows of a short season */
    pshi_calibrator moment; /* of a bucket */
    pshi_shown shown;
    pshi_track track[PSHI_KINDS][PSHI_GROUPS]; /* shared by all series of a kind */
    pshi_track total[PSHI_KINDS];
} pshi_calibration;

/** Nothing learned yet. */
void pshi_calibration_init(pshi_calibration *c);

/** The shared tracks. */
void pshi_calibration_track_fields(pshi_fields *io, pshi_calibration *c);
/** Maps a raw probability: each bin's frequency, shrunk to the bin's own mean, made monotone. */
double pshi_calibrate(const pshi_calibrator *c, double raw);
/** A prediction came due. */
void pshi_calibrate_learn(pshi_calibration *all, pshi_calibrator *c, double raw, double shown, int outcome);
/** Expected calibration error over 10 bins of equal mass; 0 with fewer than 100 predictions. */
double pshi_calibration_error(const pshi_shown *s);

#endif
