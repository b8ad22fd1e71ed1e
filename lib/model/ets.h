/* SPDX-License-Identifier: MIT */
/** @file model/ets.h  Exponential smoothing in state space form: one state, its steps, its fit. */
#ifndef PSHI_MODEL_ETS_H
#define PSHI_MODEL_ETS_H

#include "model/model.h"

#define PSHI_ETS_NONE 0u
#define PSHI_ETS_ADDITIVE 1u
#define PSHI_ETS_MULTIPLICATIVE 2u
#define PSHI_ETS_DAMPED 2u          /* of a trend: additive, damped */

#define PSHI_ETS_LEAST_FACTOR 1e-6  /* bounds of a multiplicative season */
#define PSHI_ETS_MOST_FACTOR 1e6
#define PSHI_ETS_MOST_FREE_SEASON 24u /* longer seasons keep their heuristic first states */

/** Error additive or multiplicative; trend NONE, ADDITIVE, DAMPED; season NONE (then m = 1), or one of the two. */
typedef struct pshi_ets_form {
    uint32_t error;
    uint32_t trend;
    uint32_t season;
    uint32_t m;
} pshi_ets_form;

typedef struct pshi_ets {
    pshi_ets_form form;
    uint32_t at;        /* phase of the next value, < m */
    uint32_t unused;
    double width;       /* of a fit: prior variance of the first season about none; 0: no prior. Not saved */
    double alpha;
    double beta;        /* of the error correction form: at most alpha */
    double gamma;
    double phi;         /* 1 without damping */
    double level;
    double slope;
    double variance;    /* of one step's error, relative to the forecast where the error is multiplicative */
    double criterion;   /* AICc; 0 where there were too few values for one */
    double season[];    /* Shape [m], by phase */
} pshi_ets;

/** @return bytes of a state of season m. */
size_t pshi_ets_bytes(uint32_t m);

/**
 * Runs the recursion (Hyndman, Koehler, Ord & Snyder 2008, table 2.2 and 2.3) over y, Shape [n], from and into the
 * state.
 * @return minus twice the log likelihood but for a constant (their equation 5.3): n log(sum of squares), and twice
 * the sum of log |forecast| if the error is multiplicative; HUGE_VAL where the form does not allow the path.
 * *squares is the sum of squared errors.
 */
double pshi_ets_run(pshi_ets *e, const double *y, size_t n, double *squares);
/** One value more. Any finite value: states stay finite and, where the form needs it, positive. */
void pshi_ets_step(pshi_ets *e, double y);

/** The states that are free at the start: level, slope, season by phase. */
uint32_t pshi_ets_free_states(const pshi_ets_form *f);
/** @return doubles of workspace that pshi_ets_newton takes. */
size_t pshi_ets_newton_work(const pshi_ets_form *f);
/**
 * One Gauss-Newton step for the first states under the parameters of e. It is exact where the error is additive and
 * the season not multiplicative, since then errors are linear in the first states.
 * The prior of the season (e->width) counts.
 * @param e     The state before y[0]; unchanged, except that its season is used as workspace and put back.
 * @param work  Shape [pshi_ets_newton_work()]
 * @param step  Shape [pshi_ets_free_states()], what to add to level, slope, season.
 * @return 1, or 0 if there is no step.
 */
int pshi_ets_newton(pshi_ets *e, const double *y, size_t n, double *work, double *step);
/** Shifts the season to sum 0 (or mean 1) and the level with it, which changes no forecast. */
void pshi_ets_normalise(pshi_ets *e);

/**
 * First states by the heuristic of Hyndman et al. 2008, section 2.6.1: season by classical decomposition, or by one
 * harmonic where there are less than three cycles; level and slope by a regression on the first values, adjusted.
 * y has at least one value, and two cycles if the form has a season.
 */
void pshi_ets_start(pshi_ets *e, const double *y, size_t n);

/** @return 1 if the parameters lie in the admissible (forecastable) region (2008, chapter 10). */
int pshi_ets_admissible(const pshi_ets *e);

/**
 * Mean and, if wanted, standard deviation of the errors (2008, chapter 6): exact without a multiplicative season
 * (classes 1 and 2), with one (class 3) exact for the first cycle and an approximation after it.
 * @return PSH_OK, PSH_E_NOMEM.
 */
psh_status pshi_ets_ahead(psh_env *env, const pshi_ets *e, const pshi_ahead *a);

/** How the fit is to choose. */
typedef struct pshi_ets_choice {
    uint32_t automatic;  /* by AICc over the admissible forms */
    uint32_t trend;      /* else this trend and an additive season, if any, with additive errors */
    uint32_t season;     /* 1: a season may be used */
} pshi_ets_choice;

/** @return PSH_OK, PSH_E_NOMEM. *out is a block of in->env. */
psh_status pshi_ets_fit(const pshi_fit *in, const pshi_ets_choice *choice, pshi_ets **out);

#endif
