/* SPDX-License-Identifier: MIT */
/** @file model/arima.h  The parts of the seasonal ARIMA model: order, polynomials, likelihood, search. */
#ifndef PSHI_MODEL_ARIMA_H
#define PSHI_MODEL_ARIMA_H

#include "model/model.h"

#define PSHI_ARIMA_MOST_P 5u      /* p and q */
#define PSHI_ARIMA_MOST_SP 2u     /* P and Q */
#define PSHI_ARIMA_MOST_COEF 15u  /* 5 + 2 + 5 + 2 and the mean */
#define PSHI_ARIMA_MOST_TAPS 32u  /* (p + d + 1) (P + D + 1), less the one at lag 0 */
#define PSHI_ARIMA_MOST_S 2048u   /* longer seasons are not used */
#define PSHI_ARIMA_MOST_SPQ 192u  /* seasons above it are differenced, but get no P and Q */
#define PSHI_ARIMA_POINTS 2000u   /* of a longer history the last ones are used; at least three seasons */

/** ARIMA(p,d,q)(P,D,Q)[s]; s = 0: not seasonal, P = D = Q = 0. */
typedef struct pshi_arima_order {
    uint32_t p, d, q;
    uint32_t sp, sd, sq;  /* P, D, Q */
    uint32_t s;
    uint32_t constant;    /* 0 or 1: the mean of the differenced series */
} pshi_arima_order;

/** A polynomial in the backshift without its 1: sum of by[i] B^lag[i]; a lag may stand in it twice. */
typedef struct pshi_arima_taps {
    uint32_t n;
    uint32_t most;  /* greatest lag */
    uint32_t lag[PSHI_ARIMA_MOST_TAPS];
    double by[PSHI_ARIMA_MOST_TAPS];
} pshi_arima_taps;

/** How well an order fits. */
typedef struct pshi_arima_result {
    pshi_arima_order order;
    uint32_t exact;                     /* 1: exact likelihood, 0: conditional sum of squares */
    double coef[PSHI_ARIMA_MOST_COEF];  /* ar, seasonal ar, ma, seasonal ma, mean: natural, in the units of x */
    double beta[PSHI_ARIMA_MOST_COEF];  /* the same, unconstrained */
    double variance;                    /* of the innovations, in the units of x, squared */
    double loglik;
    double aicc;                        /* HUGE_VAL: not to be used */
} pshi_arima_result;

/** Memory and budget of one search. */
typedef struct pshi_arima_work {
    psh_env *env;
    const double *x;  /* Shape [n], differenced, greatest magnitude 1 */
    size_t n;
    double *block;    /* all of the arrays below */
    double left;      /* multiplications that may still be spent */
    size_t width;     /* greatest lag of an exact likelihood that rows has room for */
    double *rows;     /* Shape [2][width + 1][width + 1] */
    double *small;    /* Shape [6][2 width + 2] */
    double *long_ar;  /* Shape [n], residuals of a long autoregression */
    double *innov;    /* Shape [n] */
    double *var;      /* Shape [n] */
    double *r;        /* Shape [n] */
    double *trial;    /* Shape [n] */
    double *jac;      /* Shape [MOST_COEF][n] */
} pshi_arima_work;

/* arima_poly.c */

/** Coefficients of a stationary AR(n) from partial autocorrelations (Durbin-Levinson), in place. */
void pshi_arima_from_partial(double *a, uint32_t n);
/** The inverse, in place, with scratch of Shape [n]. @return 1, or 0 if the polynomial is not stationary. */
int pshi_arima_to_partial(double *a, uint32_t n, double *scratch);
/** @return how many coefficients the order has, with the mean. */
uint32_t pshi_arima_count(const pshi_arima_order *o);
/** Natural coefficients from unconstrained ones (tanh, then as partial autocorrelations: Jones 1980) and back. */
void pshi_arima_natural(const pshi_arima_order *o, const double *beta, double *coef);
void pshi_arima_unconstrained(const pshi_arima_order *o, const double *coef, double *beta);
/** @return 1 if all roots of all four polynomials lie outside the circle of this radius. */
int pshi_arima_roots_beyond(const pshi_arima_order *o, const double *coef, double radius);
/** x_t = sum by x_(t - lag) + ...: phi(B) Phi(B^s), with (1 - B)^d (1 - B^s)^D if `differences`. */
void pshi_arima_ar(const pshi_arima_order *o, const double *coef, int differences, pshi_arima_taps *out);
/** ... + e_t + sum by e_(t - lag): theta(B) Theta(B^s). */
void pshi_arima_ma(const pshi_arima_order *o, const double *coef, pshi_arima_taps *out);

/* arima_like.c */

/** Longest lags of AR and MA part, without differences. */
uint32_t pshi_arima_ar_lag(const pshi_arima_order *o);
uint32_t pshi_arima_ma_lag(const pshi_arima_order *o);
/**
 * Residuals whose sum of squares is to be least, at unconstrained coefficients. Conditional: the innovations after
 * the first p + s P. Exact: innovations, standardized and scaled so that n (log(2 pi S / n) + 1) is -2 log L.
 * @param r  Shape [n]; *count of them are filled
 * @return S, or HUGE_VAL.
 */
double pshi_arima_residuals(
    pshi_arima_work *w, const pshi_arima_order *o, int exact, const double *beta, double *r, size_t *count);
/** What the past adds to the next values through the MA part: ahead[h], h = 0.., Shape [ma lag]. */
void pshi_arima_past(pshi_arima_work *w, const pshi_arima_result *f, double *ahead);
/** @return multiplications of one call of residuals, about. */
double pshi_arima_cost(const pshi_arima_work *w, const pshi_arima_order *o, int exact);

/* arima_fit.c */

/** Least squares by Levenberg and Marquardt from Hannan and Rissanen's start, or from `start` if not NULL. */
void pshi_arima_fit_order(
    pshi_arima_work *w, const pshi_arima_order *o, int exact, const double *start, pshi_arima_result *out);
/** Fills long_ar: needed once before fits. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_arima_prepare(pshi_arima_work *w, uint32_t s);

/* arima_diff.c */

/** Strength of the season in [0, 1] (Wang, Smith & Hyndman 2006) after STL. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_arima_strength(psh_env *env, const double *y, size_t n, uint32_t s, double *out);
/** @return the KPSS statistic of level stationarity; 0 for a constant. */
double pshi_arima_kpss(const double *x, size_t n);
/** Differences at a lag in place: n - lag values remain, at the front. */
void pshi_arima_difference(double *x, size_t n, uint32_t lag);

/* arima_search.c */

/**
 * The order by stepwise search, and its fit.
 * @param base  d, D and s set; constant: whether one is allowed
 * @param n_y   length of the series before differencing; it bounds the orders
 * @return PSH_OK, PSH_E_NOMEM.
 */
psh_status pshi_arima_search(
    pshi_arima_work *w, const pshi_arima_order *base, size_t n_y, pshi_arima_result *out);

#endif
