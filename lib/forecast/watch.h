/* SPDX-License-Identifier: MIT */
/** @file forecast/watch.h  What a regular series keeps to tell odd values, shifts and drift from what is usual. */
#ifndef PSHI_FORECAST_WATCH_H
#define PSHI_FORECAST_WATCH_H

#include "model/leadlag.h"
#include "model/outlier.h"

#define PSHI_SHIFTS 4u /* of the level, remembered */

typedef struct pshi_watch {
    pshi_leadlag *lead;      /* NULL until a metric may lead the series; owned */
    pshi_outlier outlier;
    float base;              /* forecast of the next bucket without events and metrics, < 0: none */
    float error;             /* of the bucket that closes, in deviations of its forecast */
    float unit;              /* that deviation, in z of the rhythm; 0: not forecast */
    float expected;          /* its forecast */
    float size;              /* of the error, in the model's deviations */
    float drift;             /* one-sided CUSUM of sizes of errors, in their own deviations */
    float usual;             /* mean size of an error, and of its square */
    float usual2;
    uint32_t errors;         /* learned, saturating */
    uint32_t state;          /* bits 1 << PSH_ALERT_*: what holds now */
    uint32_t told;           /* the same: alerts of `day` */
    uint32_t day;            /* low bits */
    uint32_t inside;         /* buckets in a row that events were in, saturating */
    uint32_t shifts;         /* of shift[], ascending */
    uint32_t up;             /* 1 if the latest shift went up */
    int64_t shift[PSHI_SHIFTS]; /* first buckets of new levels */
} pshi_watch;

/** As after zeroing; `lead` stays. */
void pshi_watch_reset(pshi_watch *w);
/** Bytes beside it. */
size_t pshi_watch_held(const pshi_watch *w);
void pshi_watch_fields(pshi_fields *io, pshi_watch *w);

#endif
