/* SPDX-License-Identifier: MIT */
/* Polynomials of the backshift. Stationarity is kept as Jones, "Maximum likelihood fitting of ARMA models to time
 * series with missing observations", Technometrics 22, 1980: partial autocorrelations in (-1, 1) give every
 * stationary AR polynomial, and only those. */
#include <math.h>
#include <string.h>

#include "model/arima.h"

#define MOST_BETA 6.0 /* tanh of it is 1 - 1.2e-5 */

void pshi_arima_from_partial(double *a, uint32_t n) {
    uint32_t k, i;
    double r, low, high;

    for (k = 1; k < n; k++) {
        r = a[k];
        for (i = 0; i < (k + 1) / 2; i++) {
            low = a[i];
            high = a[k - 1 - i];
            a[i] = low - r * high;
            a[k - 1 - i] = high - r * low;
        }
    }
}

int pshi_arima_to_partial(double *a, uint32_t n, double *scratch) {
    uint32_t k, i;
    double r, by;

    for (k = n; k-- > 0;) {
        r = a[k];
        if (!(fabs(r) < 1))
            return 0;
        by = 1 / (1 - r * r);
        for (i = 0; i < k; i++)
            scratch[i] = (a[i] + r * a[k - 1 - i]) * by;
        memcpy(a, scratch, k * sizeof *a);
    }
    return 1;
}

uint32_t pshi_arima_count(const pshi_arima_order *o) {
    return o->p + o->sp + o->q + o->sq + o->constant;
}

static void natural_part(const double *beta, double *coef, uint32_t n, double sign) {
    uint32_t i;

    for (i = 0; i < n; i++)
        coef[i] = tanh(beta[i] > MOST_BETA ? MOST_BETA : beta[i] < -MOST_BETA ? -MOST_BETA : beta[i]);
    pshi_arima_from_partial(coef, n);
    for (i = 0; i < n; i++)
        coef[i] *= sign;
}

void pshi_arima_natural(const pshi_arima_order *o, const double *beta, double *coef) {
    uint32_t at = o->p + o->sp;

    natural_part(beta, coef, o->p, 1);
    natural_part(beta + o->p, coef + o->p, o->sp, 1);
    natural_part(beta + at, coef + at, o->q, -1);
    natural_part(beta + at + o->q, coef + at + o->q, o->sq, -1);
    if (o->constant)
        coef[at + o->q + o->sq] = beta[at + o->q + o->sq];
}

/* Where the polynomial is not stationary its roots are drawn outwards until it is. */
static void unconstrained_part(const double *coef, double *beta, uint32_t n, double sign) {
    double a[PSHI_ARIMA_MOST_P], scratch[PSHI_ARIMA_MOST_P], by, power;
    uint32_t i, tries;

    memset(beta, 0, n * sizeof *beta);
    for (tries = 0, by = 1; n && tries < 40; tries++, by *= 0.95) {
        for (i = 0, power = by; i < n; i++, power *= by)
            a[i] = sign * coef[i] * power;
        if (!pshi_arima_to_partial(a, n, scratch))
            continue;
        for (i = 0; i < n; i++)
            beta[i] = atanh(a[i] > 0.99 ? 0.99 : a[i] < -0.99 ? -0.99 : a[i]);
        return;
    }
}

void pshi_arima_unconstrained(const pshi_arima_order *o, const double *coef, double *beta) {
    uint32_t at = o->p + o->sp;

    unconstrained_part(coef, beta, o->p, 1);
    unconstrained_part(coef + o->p, beta + o->p, o->sp, 1);
    unconstrained_part(coef + at, beta + at, o->q, -1);
    unconstrained_part(coef + at + o->q, beta + at + o->q, o->sq, -1);
    if (o->constant)
        beta[at + o->q + o->sq] = coef[at + o->q + o->sq];
}

/* Roots of a(z) lie beyond the radius where those of a(radius z) lie beyond 1. */
static int part_beyond(const double *coef, uint32_t n, double sign, double radius) {
    double a[PSHI_ARIMA_MOST_P], scratch[PSHI_ARIMA_MOST_P], power = radius;
    uint32_t i;

    for (i = 0; i < n; i++, power *= radius)
        a[i] = sign * coef[i] * power;
    return pshi_arima_to_partial(a, n, scratch);
}

int pshi_arima_roots_beyond(const pshi_arima_order *o, const double *coef, double radius) {
    uint32_t at = o->p + o->sp;

    return part_beyond(coef, o->p, 1, radius) && part_beyond(coef + o->p, o->sp, 1, radius) &&
        part_beyond(coef + at, o->q, -1, radius) && part_beyond(coef + at + o->q, o->sq, -1, radius);
}

/* a(B) (1 - B): one degree more. */
static uint32_t difference_once(double *a, uint32_t degree) {
    uint32_t i;

    a[degree + 1] = 0;
    for (i = degree + 1; i > 0; i--)
        a[i] -= a[i - 1];
    return degree + 1;
}

/* Taps of regular(B) seasonal(B^s), both with their 1, times sign. */
static void multiply(
    const double *regular, uint32_t degree, const double *seasonal, uint32_t s_degree, uint32_t s, double sign,
    pshi_arima_taps *out) {
    uint32_t i, k;

    out->n = 0;
    out->most = degree + s * s_degree;
    for (k = 0; k <= s_degree; k++) {
        for (i = 0; i <= degree; i++) {
            if (i + k == 0)
                continue;
            out->lag[out->n] = i + s * k;
            out->by[out->n++] = sign * regular[i] * seasonal[k];
        }
    }
}

void pshi_arima_ar(const pshi_arima_order *o, const double *coef, int differences, pshi_arima_taps *out) {
    double regular[PSHI_ARIMA_MOST_P + 3] = { 1 }, seasonal[PSHI_ARIMA_MOST_SP + 2] = { 1 };
    uint32_t i, degree = o->p, s_degree = o->sp;

    for (i = 0; i < o->p; i++)
        regular[i + 1] = -coef[i];
    for (i = 0; i < o->sp; i++)
        seasonal[i + 1] = -coef[o->p + i];
    for (i = 0; differences && i < o->d; i++)
        degree = difference_once(regular, degree);
    if (differences && o->sd)
        s_degree = difference_once(seasonal, s_degree);
    multiply(regular, degree, seasonal, s_degree, o->s, -1, out);
}

void pshi_arima_ma(const pshi_arima_order *o, const double *coef, pshi_arima_taps *out) {
    double regular[PSHI_ARIMA_MOST_P + 1] = { 1 }, seasonal[PSHI_ARIMA_MOST_SP + 1] = { 1 };
    uint32_t at = o->p + o->sp;

    memcpy(regular + 1, coef + at, o->q * sizeof *coef);
    memcpy(seasonal + 1, coef + at + o->q, o->sq * sizeof *coef);
    multiply(regular, o->q, seasonal, o->sq, o->s, 1, out);
}
