/* SPDX-License-Identifier: MIT */
/** @file model/signals.h  Many views of one series, and how surprising each finds its newest value. */
#ifndef PSHI_MODEL_SIGNALS_H
#define PSHI_MODEL_SIGNALS_H

#include "model/tails.h"

#define PSHI_SIGNAL_COUNT 24u
#define PSHI_SIGNAL_SPAN 512u    /* values looked back at, a power of two */
#define PSHI_SIGNAL_RESIDUALS 64u
#define PSHI_SIGNAL_SLOTS 96u    /* places in the first season */
#define PSHI_SIGNAL_PLACES 168u  /* places in the second */

/** The mean of each place in a season, an exponential one once it is old enough. */
typedef struct pshi_place {
    double mean;
    uint32_t n;       /* values seen, as far as that matters */
    uint32_t unused;  /* 0 */
} pshi_place;

/** Zeroed, but for season, is empty. */
typedef struct pshi_signals {
    int64_t season[2];  /* ns; 0: none */
    int64_t start;      /* time of the first value */
    double origin;      /* the first value: all others are kept as differences from it */
    uint64_t count;     /* values seen */
    uint64_t big_at;    /* count at the last value in the top twentieth; 0: none yet */
    uint64_t flat_at;   /* count at the last change of value; 0: none yet */
    double level[2];    /* exponential means, quick and slow */
    double error[2];    /* mean absolute error of the quick mean and of the place in the first season */
    double size;        /* the same of what is expected, slowly */
    double fresh;       /* and quickly */
    uint32_t size_n;    /* values in it, as far as that matters */
    uint32_t unused;    /* 0 */
    pshi_place slot[PSHI_SIGNAL_SLOTS];
    pshi_place place[PSHI_SIGNAL_PLACES];
    double value[PSHI_SIGNAL_SPAN];          /* rings by count */
    double residual[PSHI_SIGNAL_RESIDUALS];
    float near[2][304];                      /* the last 100 and 300 values, ascending */
    pshi_tails tails[PSHI_SIGNAL_COUNT];
} pshi_signals;

typedef struct pshi_signals_out {
    double expected;   /* of the value, before it was seen */
    double surprise;   /* all signals together, >= 0 */
    uint32_t most;     /* the signal most surprised */
    uint32_t slot;     /* place in the first season */
    double deviation;  /* from what was expected, in robust standard deviations; 0 while they are unknown */
} pshi_signals_out;

/** The signal's short name. Static text; "" beyond the last. */
const char *pshi_signal_name(uint32_t signal);
/** One value more, |value| <= 2^100; time does not decrease. O(1), no allocation. */
void pshi_signals_observe(pshi_signals *s, int64_t time, double value, pshi_signals_out *out);
/** The errors have become larger or smaller for good: what they were before is forgotten. */
void pshi_signals_resize(pshi_signals *s);
void pshi_signals_fields(pshi_fields *io, pshi_signals *s);

#endif
