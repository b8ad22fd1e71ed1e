/* SPDX-License-Identifier: MIT */
/**
 * @file model/rhythm.h  The forecaster's own model of a series with seasons: two regressions and two naive methods,
 * combined by rolling error. Small, quick to fit, O(1) to update.
 *
 * Works on z = (sqrt(v) - mean) / sd (v itself where values are negative), so that bursts bend little and the errors of
 * counts have about one size. m is the long season, s the short one.
 *   lags     z(t) on 1, z at lags 1-3, around s, 2s, m - s, m, and profiles p_m, p_s at t and t - 1
 *   profile  p_m(t) plus an autoregression of what is left of it
 *   seasonal naive of the longest season held, and of the short one; a running level
 * p_m(t) is the mean of the same place in earlier seasons. Regressions are ridge with Huber's weights (Huber 1964,
 * iterated twice) and slow forgetting; both are iterated over the horizon. doc/models.md tells what was measured.
 */
#ifndef PSHI_MODEL_RHYTHM_H
#define PSHI_MODEL_RHYTHM_H

#include "model/model.h"

#define PSHI_RHYTHM_LAGS 16u
#define PSHI_RHYTHM_COEFS (PSHI_RHYTHM_LAGS + 5u)
#define PSHI_RHYTHM_AR 6u
#define PSHI_RHYTHM_MEMBERS 5u
#define PSHI_RHYTHM_GROUPS 4u   /* of leads, for weights */
#define PSHI_RHYTHM_SCALES 10u  /* of leads, for intervals */

/** One block; data follows. Zeroed seasons mean none. */
typedef struct pshi_rhythm {
    uint32_t room[2];      /* seasons that there is room for, as asked for */
    uint32_t season[2];    /* those in use: short, long; 0: none */
    uint32_t ring;         /* latest values kept */
    uint32_t at;           /* where the next goes */
    uint32_t place[2];     /* of the next value in each season */
    uint32_t seen;         /* values, saturating */
    uint32_t root;         /* 1: square roots are modelled */
    uint32_t lag_count;    /* 0: no regressions */
    uint32_t ar_count;     /* 0: no profile member */
    uint32_t profiles;     /* that the lag member reads: 0, the short one, or both */
    uint32_t members;      /* bit set of those that are there */
    float mean;
    float sd;
    float low;             /* z is kept inside what was seen, and a tenth more */
    float high;
    float level;           /* running mean of z */
    uint32_t lag[PSHI_RHYTHM_LAGS];
    uint32_t ar_lag[PSHI_RHYTHM_AR];
    float coef[PSHI_RHYTHM_COEFS];
    float ar[PSHI_RHYTHM_AR];
    float weight[PSHI_RHYTHM_GROUPS][PSHI_RHYTHM_MEMBERS];
    float scale[PSHI_RHYTHM_SCALES]; /* standard deviation of z's error by lead */
    int16_t data[];        /* values[ring], what is left of the profile[2 short + 1], profiles of short and long */
} pshi_rhythm;

/** How history is cut up for fitting and scoring; made by pshi_rhythm_fit. */
typedef struct pshi_rhythm_history {
    const float *y;        /* Shape [n] */
    const float *z;        /* Shape [n] */
    const float *p[2];     /* Shape [n], short and long: profile of each time, from values before it alone */
    const float *rest;     /* Shape [n], z less the longest profile */
    const uint8_t *skip;   /* Shape [n] or NULL */
    size_t n;
    size_t first;          /* from here on all lags and profiles are known */
} pshi_rhythm_history;

/** Values that the ring keeps for seasons in use. */
uint32_t pshi_rhythm_ring(const uint32_t season[2]);
/** Bytes of a state with room for these seasons. */
size_t pshi_rhythm_bytes(const uint32_t season[2]);

/**
 * Fits a state over n >= 1 values.
 * @param season  short and long, 0 = none. Those that n does not bear are left out, but have room in the state.
 * @param skip    Shape [n] or NULL: values that teach nothing
 * @param state   pshi_rhythm_bytes(season), aligned; filled on success
 * @return PSH_OK, PSH_E_NOMEM (for scratch memory).
 */
psh_status pshi_rhythm_fit(
    psh_env *env, const float *y, size_t n, const uint8_t *skip, const uint32_t season[2], uint32_t horizon,
    pshi_rhythm *state);
/** One value more. O(1). */
void pshi_rhythm_update(pshi_rhythm *r, double y);
/** Floats of scratch memory that a forecast of `steps` needs. */
size_t pshi_rhythm_work(const pshi_rhythm *r, uint32_t steps);
/** The next values. @param mean  Shape [steps] */
void pshi_rhythm_forecast(const pshi_rhythm *r, uint32_t steps, float *work, double *mean);
/** The next value alone: what a forecast of one step says, without its memory and most of its time. */
double pshi_rhythm_next(const pshi_rhythm *r);
/** Standard deviation of the error at a lead, in units of z. */
double pshi_rhythm_scale(const pshi_rhythm *r, uint32_t lead);
/** z of a value, and back. */
double pshi_rhythm_z(const pshi_rhythm *r, double y);
double pshi_rhythm_value(const pshi_rhythm *r, double z);
/** All but room. A state that is read needs room[] set and the rest zeroed. */
void pshi_rhythm_fields(pshi_fields *io, pshi_rhythm *r);

/* Between the files of the rhythm. */

/** The season that lags and the AR reach over: the longest in use, or 0. */
uint32_t pshi_rhythm_longest(const pshi_rhythm *r);
/** The group of a lead for weights (0..GROUPS-1) and for scales. */
uint32_t pshi_rhythm_group(const pshi_rhythm *r, uint32_t lead);
uint32_t pshi_rhythm_scale_group(const pshi_rhythm *r, uint32_t lead);
/**
 * All members' paths in z. lagged and rest point at the first target: what lies before is known, what follows is
 * written. p[k][i - 1] and p[k][i] must be known for target i.
 * @param out  Shape [PSHI_RHYTHM_MEMBERS][steps]
 */
void pshi_rhythm_paths(
    const pshi_rhythm *r, uint32_t steps, float *lagged, float *rest, const float *const p[2], float *out);
/** Chooses lags and fits both regressions. work: Shape [first fit's need], see rhythm_fit.c. */
void pshi_rhythm_regress(pshi_rhythm *r, const pshi_rhythm_history *h, float *work);
size_t pshi_rhythm_regress_work(size_t n);
/** Weights and scales by rolling origins over the end of history. */
void pshi_rhythm_score(pshi_rhythm *r, const pshi_rhythm_history *h, uint32_t horizon, float *work);
size_t pshi_rhythm_score_work(const pshi_rhythm *r, uint32_t horizon);

#endif
