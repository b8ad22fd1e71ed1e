/* SPDX-License-Identifier: MIT */
/** @file model/model.h  What a kind of model is made of. */
#ifndef PSHI_MODEL_MODEL_H
#define PSHI_MODEL_MODEL_H

#include <predshard/model.h>

#include "codec/fields.h"

#define PSHI_MODEL_MOST_SEASON 65536u
#define PSHI_MODEL_MOST_VALUE 0x1p100

/** One series to fit, checked. Masked values have been filled in from their neighbours a season away. */
typedef struct pshi_fit {
    psh_env *env;
    const double *y;      /* Shape [n] */
    size_t n;             /* >= 1 */
    const uint8_t *mask;  /* Shape [n] or NULL: values that were filled in */
    uint32_t horizon;     /* >= 1 */
    uint32_t seasons;     /* how many of season[] are set */
    uint32_t season[3];   /* ascending; as asked for, whether or not n holds two of them */
    uint32_t x_count;
    const double *x;      /* Shape [n][x_count] */
    uint64_t seed;
    uint32_t nonnegative;
} pshi_fit;

/** Steps 1..steps after the last value. */
typedef struct pshi_ahead {
    uint32_t steps;
    const double *x;      /* Shape [steps][x_count] */
    double *mean;         /* Shape [steps] */
    double *sd;           /* Shape [steps], standard deviation of the forecast's error; NULL: not wanted */
} pshi_ahead;

/**
 * A kind of model. Its state, most often one block of the env, holds what it needs to go on: nothing of the fit is
 * borrowed. Of spec.season only those that the history bears may be used.
 */
typedef struct pshi_model_class {
    const char *name;
    uint32_t takes_x; /* 1: regressors; the state then begins with a uint32_t, how many */
    /** @return PSH_OK, PSH_E_NOMEM; *bytes is the size of the block. */
    psh_status (*fit)(const pshi_fit *in, void **state, size_t *bytes);
    /** One value more. */
    void (*update)(void *state, double y, const double *x);
    /** Finite for any state that load accepts. @return PSH_OK, PSH_E_NOMEM. */
    psh_status (*forecast)(psh_env *env, const void *state, const pshi_ahead *a);
    /** NULL: mean + sd times the normal quantile. Shape of out as psh_model_forecast's. a->mean is filled. */
    psh_status (*quantiles)(
        psh_env *env, const void *state, const pshi_ahead *a, const double *levels, uint32_t level_count, double *out);
    /** Appends form and parameters, e.g. "MAdM alpha 0.2 ... aicc 812.3". */
    void (*dump)(const void *state, pshi_writer *w);
    void (*save)(const void *state, pshi_writer *w);
    /** Marks the cursor where the bytes are bad. @return the state (maybe nonsense if marked), or NULL (no memory). */
    void *(*load)(psh_env *env, pshi_cursor *c, size_t *bytes);
    /** Frees the state; NULL: it is one block. */
    void (*release)(psh_env *env, void *state);
} pshi_model_class;

/** Frees the state of a class; NULL is allowed. */
void pshi_model_release(psh_env *env, const pshi_model_class *class, void *state);

/** By kind. */
extern const pshi_model_class pshi_model_naive;
extern const pshi_model_class pshi_model_seasonal_naive;
extern const pshi_model_class pshi_model_combined;
extern const pshi_model_class pshi_model_rhythm;
extern const pshi_model_class pshi_model_ses;
extern const pshi_model_class pshi_model_holt;
extern const pshi_model_class pshi_model_damped;
extern const pshi_model_class pshi_model_holt_winters;
extern const pshi_model_class pshi_model_ets;
extern const pshi_model_class pshi_model_theta;
extern const pshi_model_class pshi_model_dotm;
extern const pshi_model_class pshi_model_croston;
extern const pshi_model_class pshi_model_sba;
extern const pshi_model_class pshi_model_tsb;
extern const pshi_model_class pshi_model_profile;
extern const pshi_model_class pshi_model_lag;
extern const pshi_model_class pshi_model_spar;
extern const pshi_model_class pshi_model_prophet;
extern const pshi_model_class pshi_model_arima;
extern const pshi_model_class pshi_model_bats;
extern const pshi_model_class pshi_model_lstm;

/** @return the class or NULL. */
const pshi_model_class *pshi_model_class_of(uint32_t kind);

#endif
