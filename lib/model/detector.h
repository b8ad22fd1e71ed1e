/* SPDX-License-Identifier: MIT */
/** @file model/detector.h  From surprise to alarm: what has just been told, or is usual, surprises less. */
#ifndef PSHI_MODEL_DETECTOR_H
#define PSHI_MODEL_DETECTOR_H

#include <predshard/detector.h>

#include "model/outlier.h"
#include "model/signals.h"

#define PSHI_ALARM_BLOCKS 60u

/** Zeroed is the start. */
typedef struct pshi_alarm {
    double told;                          /* the surprise of late, fading */
    double usual[PSHI_SIGNAL_SLOTS];      /* the surprise at each place of the season, fading by season */
    double here;                          /* the most at the present place */
    double block_most;
    double height;                        /* 0.9 quantile of the blocks' maxima */
    uint32_t slot;                        /* the present place */
    uint32_t block_at;                    /* values in the present block */
    uint32_t blocks;                      /* how many there are below */
    uint32_t next;                        /* where the next goes in the ring */
    float ring[PSHI_ALARM_BLOCKS];        /* maxima of the latest blocks, by age */
    float sorted[PSHI_ALARM_BLOCKS + 1];  /* the same, ascending */
    pshi_tails past;                      /* of what remained of surprise */
} pshi_alarm;

/**
 * @param raw      surprise of the newest value, >= 0
 * @param slot     its place in the season
 * @param quiet    values in which what was told fades to 1/e
 * @return how alarming it is, >= 0, comparable among series.
 */
double pshi_alarm_observe(pshi_alarm *a, double raw, uint32_t slot, uint32_t quiet);
void pshi_alarm_fields(pshi_fields *io, pshi_alarm *a);

#endif
