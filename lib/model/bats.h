/* SPDX-License-Identifier: MIT */
/** @file model/bats.h  The parts of TBATS: form, recursion, fit, choice. */
#ifndef PSHI_MODEL_BATS_H
#define PSHI_MODEL_BATS_H

#include "model/model.h"

#define PSHI_BATS_MOST_HARMONICS 36u /* of all seasons */
#define PSHI_BATS_MOST_EACH 12u      /* of one */
#define PSHI_BATS_MOST_ARMA 2u
#define PSHI_BATS_MOST_PARAMS 13u    /* alpha, beta, phi, gammas of three seasons, ar, ma */
#define PSHI_BATS_MOST_SEEDS (2 + 2 * PSHI_BATS_MOST_HARMONICS)
#define PSHI_BATS_MOST_S 2048u       /* longer seasons are not used */
#define PSHI_BATS_POINTS 2000u       /* of a longer history the last ones are used; at least three seasons */
#define PSHI_BATS_MOST_STATE 0x1p200

#define PSHI_BATS_TREND_NONE 0u
#define PSHI_BATS_TREND_LINE 1u
#define PSHI_BATS_TREND_DAMPED 2u

typedef struct pshi_bats_form {
    uint32_t trend;      /* PSHI_BATS_TREND_* */
    uint32_t p, q;       /* orders of the errors' ARMA */
    uint32_t seasons;
    uint32_t season[3];  /* steps */
    uint32_t count[3];   /* harmonics of each, >= 1 */
} pshi_bats_form;

/** A form with its parameters; the arrays by harmonic follow from them. */
typedef struct pshi_bats {
    pshi_bats_form form;
    double alpha, beta, phi;
    double gamma[3][2];
    double ar[PSHI_BATS_MOST_ARMA], ma[PSHI_BATS_MOST_ARMA];
    uint32_t harmonics;
    double cosine[PSHI_BATS_MOST_HARMONICS], sine[PSHI_BATS_MOST_HARMONICS];
    double gain[PSHI_BATS_MOST_HARMONICS], gain_star[PSHI_BATS_MOST_HARMONICS];
} pshi_bats;

/** x_t of the paper. */
typedef struct pshi_bats_state {
    double level, slope;
    double s[PSHI_BATS_MOST_HARMONICS], star[PSHI_BATS_MOST_HARMONICS];
    double d[PSHI_BATS_MOST_ARMA], e[PSHI_BATS_MOST_ARMA]; /* latest first */
} pshi_bats_state;

/* bats_run.c */

/**
 * Harmonics of a season that are none of an earlier one, ascending.
 * @param out  Shape [most] or NULL
 * @return how many there are, at most `most`.
 */
uint32_t pshi_bats_multiples(const uint32_t *season, uint32_t which, uint32_t most, uint32_t *out);
/** Fills harmonics, cosine, sine. @return 1, or 0 if the form has too many harmonics. */
int pshi_bats_turns(pshi_bats *m);
/** Fills the gains by harmonic from gamma. */
void pshi_bats_gains(pshi_bats *m);
/** What the next value is expected to be. */
double pshi_bats_predict(const pshi_bats *m, const pshi_bats_state *x);
/** One step, the innovation e. */
void pshi_bats_advance(const pshi_bats *m, pshi_bats_state *x, double e);
/** All innovations from *x on, which ends behind the last value. @return their sum of squares, or HUGE_VAL. */
double pshi_bats_run(const pshi_bats *m, pshi_bats_state *x, const double *y, size_t n, double *e);
/** The row by which an innovation falls with the seed: w at first; pshi_bats_dual_next gives the next one's. */
void pshi_bats_dual(const pshi_bats *m, pshi_bats_state *v);
void pshi_bats_dual_next(const pshi_bats *m, pshi_bats_state *v);
/** @return seeds that matter. */
uint32_t pshi_bats_seed_count(const pshi_bats *m);
/** Seeds as a vector: level, slope if there is a trend, then s and star by harmonic. @return how many. */
uint32_t pshi_bats_seeds(const pshi_bats *m, const pshi_bats_state *x, double *out);
void pshi_bats_seed_add(const pshi_bats *m, pshi_bats_state *x, const double *by);

/* bats_fit.c */

/** A fit, and room for it. */
typedef struct pshi_bats_fit {
    psh_env *env;
    const double *y;      /* Shape [n], about 1 in size */
    size_t n;
    double *block, *e, *trial, *jac, *gram;
    pshi_bats model;
    pshi_bats_state seed;
    double beta[PSHI_BATS_MOST_PARAMS]; /* unconstrained parameters */
    double sse, aic, aicc;
} pshi_bats_fit;

/** @return PSH_OK, PSH_E_NOMEM. f->block is to be freed. */
psh_status pshi_bats_fit_begin(pshi_bats_fit *f, psh_env *env, const double *y, size_t n);
/** Starts a form, seeds by least squares: a level that moves, or, if `moving`, seasons that do. */
void pshi_bats_start(pshi_bats_fit *f, const pshi_bats_form *form, int moving);
/** The form of f->model, from its parameters and seeds on, or from others set so; at most `rounds` steps. */
void pshi_bats_improve(pshi_bats_fit *f, int rounds);
/** @return parameters of the form. */
uint32_t pshi_bats_params(const pshi_bats_form *form);

/* bats_choose.c */

/**
 * Harmonics of each season by Mallows' C_p in a regression on all of them, after a filter (1 - rho B).
 * @param form  seasons and their steps are set; count is filled, and seasons without harmonics taken out
 * @param log_sse  log of the sum of squares that remains
 * @return PSH_OK, PSH_E_NOMEM.
 */
psh_status pshi_bats_harmonics(psh_env *env, const double *y, size_t n, pshi_bats_form *form, double *log_sse);
/** Trend and ARMA orders by AICc. The best fit is in *f. */
void pshi_bats_choose(pshi_bats_fit *f, const pshi_bats_form *base);

#endif
