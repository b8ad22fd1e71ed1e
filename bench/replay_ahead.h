/* SPDX-License-Identifier: MIT */
/** @file replay_ahead.h  Forecasts made at the end of each step of a trace, kept to be planned on. */
#ifndef BENCH_REPLAY_AHEAD_H
#define BENCH_REPLAY_AHEAD_H

#include <predshard.h>

#include "requests_io.h"

#define AHEAD_STEPS 12u /* of each forecast */
#define AHEAD_LEVELS 7u /* most quantiles */

typedef struct ahead {
    size_t n;                  /* steps of the trace */
    int64_t step_ns;
    uint32_t level_count;
    double level[AHEAD_LEVELS];
    float *mean;               /* Shape [n][AHEAD_STEPS]; the first < 0: no forecast */
    float *quantile;           /* Shape [n][AHEAD_STEPS][AHEAD_LEVELS] */
} ahead;

typedef struct ahead_source {
    const requests *r;
    uint32_t step;             /* minutes */
    const char *events;        /* file of events known ahead, or NULL */
    int64_t margin;            /* added to each before and behind */
} ahead_source;

/** One psh_forecaster fed step by step, asked at the end of each. */
ahead *ahead_forecaster(psh_env *env, const ahead_source *s);
/** The load of the same step a week before; of a day before, or the last, while there is none. */
ahead *ahead_naive(const ahead_source *s);
/** The same forecasts, each made at another time: a permutation by a fixed seed. */
ahead *ahead_shuffled(const ahead *a);
/** NULL is allowed. */
void ahead_free(ahead *a);
/** @return the forecast made at the end of step t, as if from `from` on; NULL: none. To be given back. */
psh_forecast *ahead_make(psh_env *env, const ahead *a, size_t t, int64_t from);

#endif
