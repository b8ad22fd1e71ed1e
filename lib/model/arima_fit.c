/* SPDX-License-Identifier: MIT */
/* Fit of one order. Both criteria are sums of squares of residuals (Ansley 1979 for the exact one), so the least is
 * found by Marquardt's method ("An algorithm for least-squares estimation of nonlinear parameters", J. SIAM 11,
 * 1963), from the start of Hannan & Rissanen, "Recursive estimation of mixed autoregressive-moving average order",
 * Biometrika 69, 1982. */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "math/linalg.h"
#include "model/arima.h"

#define MOST PSHI_ARIMA_MOST_COEF
#define MOST_LONG 20u
#define STEP 1e-5      /* of the derivative */
#define ROUNDS 30
#define ENOUGH 1e-9    /* relative gain that ends the search */

/* Lags of the long autoregression: the first few, those round a season, and two seasons. */
static size_t long_lags(size_t n, uint32_t s, size_t *lag) {
    size_t most = n / 6 < 12 ? n / 6 : 12, k = 0, i;

    for (i = 1; i <= most; i++)
        lag[k++] = i;
    for (i = s; s && i < s + 4u && i < n / 3; i++)
        if (i > most)
            lag[k++] = i;
    if (s && k && 2u * s > lag[k - 1] && 2u * s < n / 3)
        lag[k++] = 2u * s;
    return k;
}

/* Regression of x_t - mean on lags; resid becomes what is left, 0 where a lag is missing. */
static void regress(pshi_arima_work *w, double mean, const size_t *lag, size_t k) {
    double gram[MOST_LONG * MOST_LONG] = { 0 }, rhs[MOST_LONG] = { 0 }, row[MOST_LONG], none[MOST_LONG] = { 0 };
    size_t first = k ? lag[k - 1] : 0, t, i;

    for (t = first; t < w->n; t++) {
        for (i = 0; i < k; i++)
            row[i] = w->x[t - lag[i]] - mean;
        pshi_gram_add(gram, rhs, row, k, w->x[t] - mean, 1);
    }
    pshi_ridge(gram, rhs, none, k);
    memset(w->long_ar, 0, first * sizeof *w->long_ar);
    for (t = first; t < w->n; t++) {
        w->long_ar[t] = w->x[t] - mean;
        for (i = 0; i < k; i++)
            w->long_ar[t] -= rhs[i] * (w->x[t - lag[i]] - mean);
    }
}

static double mean_of_x(const pshi_arima_work *w) {
    double sum = 0;
    size_t t;

    for (t = 0; t < w->n; t++)
        sum += w->x[t] / (double)w->n;
    return sum;
}

psh_status pshi_arima_prepare(pshi_arima_work *w, uint32_t s) {
    size_t lag[MOST_LONG], m = w->width + 1;

    w->block = w->jac = pshi_calloc(w->env, (MOST + 5) * w->n + 2 * m * m + 12 * m, sizeof *w->jac);
    if (!w->block)
        return PSH_E_NOMEM;
    w->long_ar = w->jac + MOST * w->n;
    w->innov = w->long_ar + w->n;
    w->var = w->innov + w->n;
    w->r = w->var + w->n;
    w->trial = w->r + w->n;
    w->rows = w->trial + w->n;
    w->small = w->rows + 2 * m * m;
    regress(w, mean_of_x(w), lag, long_lags(w->n, s, lag));
    return PSH_OK;
}

/* The regression of x on its lags and on lags of long_ar, as if the polynomials did not multiply. */
static void rough_start(pshi_arima_work *w, const pshi_arima_order *o, double *beta) {
    double gram[MOST * MOST] = { 0 }, rhs[MOST] = { 0 }, row[MOST], none[MOST] = { 0 };
    double mean = o->constant ? mean_of_x(w) : 0;
    size_t first = o->s * (o->sp > o->sq ? o->sp : o->sq), t;
    uint32_t i, k, n = pshi_arima_count(o) - o->constant;

    first = first > PSHI_ARIMA_MOST_P ? first : PSHI_ARIMA_MOST_P;
    for (t = first; t < w->n; t++) {
        for (i = 0, k = 0; i < o->p; i++)
            row[k++] = w->x[t - 1 - i] - mean;
        for (i = 0; i < o->sp; i++)
            row[k++] = w->x[t - o->s * (i + 1)] - mean;
        for (i = 0; i < o->q; i++)
            row[k++] = w->long_ar[t - 1 - i];
        for (i = 0; i < o->sq; i++)
            row[k++] = w->long_ar[t - o->s * (i + 1)];
        pshi_gram_add(gram, rhs, row, n, w->x[t] - mean, 1);
    }
    pshi_ridge(gram, rhs, none, n);
    rhs[n] = mean;
    pshi_arima_unconstrained(o, rhs, beta);
}

/* J'J (lower triangle) and J'r at beta with residuals w->r. @return 1, or 0 if a derivative does not exist. */
static int derive(
    pshi_arima_work *w, const pshi_arima_order *o, int exact, double *beta, size_t n, double *gram, double *rhs) {
    uint32_t k = pshi_arima_count(o), i, j;
    size_t t, count;
    double keep, sum;

    for (i = 0; i < k; i++) {
        keep = beta[i];
        beta[i] += STEP;
        sum = pshi_arima_residuals(w, o, exact, beta, w->jac + i * w->n, &count);
        beta[i] = keep;
        if (sum == HUGE_VAL)
            return 0;
        for (t = 0; t < n; t++)
            w->jac[i * w->n + t] = (w->jac[i * w->n + t] - w->r[t]) / STEP;
    }
    for (i = 0; i < k; i++) {
        for (j = 0; j <= i; j++)
            for (t = 0, gram[i * k + j] = 0; t < n; t++)
                gram[i * k + j] += w->jac[i * w->n + t] * w->jac[j * w->n + t];
        for (t = 0, rhs[i] = 0; t < n; t++)
            rhs[i] -= w->jac[i * w->n + t] * w->r[t];
    }
    w->left -= (double)n * k * (k + 1) / 2;
    return 1;
}

/* One step with damping that grows until it helps. @return the new sum, or the old one if nothing helps. */
static double step_down(
    pshi_arima_work *w, const pshi_arima_order *o, int exact, double *beta, const double *gram, const double *rhs,
    double sum, double *damping) {
    double a[MOST * MOST], b[MOST], penalty[MOST], to[MOST], s, *swap;
    uint32_t k = pshi_arima_count(o), i, tries;
    size_t count;

    for (tries = 0; tries < 8; tries++, *damping *= 8) {
        memcpy(a, gram, k * k * sizeof *a);
        memcpy(b, rhs, k * sizeof *b);
        for (i = 0; i < k; i++)
            penalty[i] = *damping * gram[i * k + i] + 1e-9 * sum;
        if (!pshi_ridge(a, b, penalty, k))
            continue;
        for (i = 0; i < k; i++)
            to[i] = beta[i] + (b[i] > 1 ? 1 : b[i] < -1 ? -1 : b[i]);
        s = pshi_arima_residuals(w, o, exact, to, w->trial, &count);
        if (!(s < sum))
            continue;
        memcpy(beta, to, k * sizeof *to);
        swap = w->r;
        w->r = w->trial;
        w->trial = swap;
        *damping = *damping > 1e-7 ? *damping / 8 : *damping;
        return s;
    }
    return sum;
}

static double minimize(pshi_arima_work *w, const pshi_arima_order *o, int exact, double *beta, size_t *count) {
    double gram[MOST * MOST], rhs[MOST], damping = 1e-3, sum, next;
    int round;

    sum = pshi_arima_residuals(w, o, exact, beta, w->r, count);
    for (round = 0; round < ROUNDS && sum > 0 && sum < HUGE_VAL && w->left > 0; round++) {
        if (!derive(w, o, exact, beta, *count, gram, rhs))
            break;
        next = step_down(w, o, exact, beta, gram, rhs, sum, &damping);
        if (!(sum - next > ENOUGH * sum)) {
            sum = next;
            break;
        }
        sum = next;
    }
    return sum;
}

/* The better of the rough start and of all zeros. */
static void choose_start(pshi_arima_work *w, const pshi_arima_order *o, int exact, double *beta) {
    double zero[MOST] = { 0 }, a, b;
    uint32_t k = pshi_arima_count(o);
    size_t count;

    rough_start(w, o, beta);
    if (o->constant)
        zero[k - 1] = beta[k - 1];
    a = pshi_arima_residuals(w, o, exact, beta, w->trial, &count);
    b = pshi_arima_residuals(w, o, exact, zero, w->trial, &count);
    if (!(a <= b))
        memcpy(beta, zero, sizeof zero);
}

static void judge(pshi_arima_work *w, pshi_arima_result *out, double sum, size_t count) {
    double n = (double)w->n, k = pshi_arima_count(&out->order) + 1, rest = n - k - 1, share;

    share = sum / (double)count;
    out->variance = sum / fmax(1, (double)count - k + 1);
    out->aicc = out->loglik = HUGE_VAL;
    if (!(share >= 0) || share == HUGE_VAL)
        return;
    out->loglik = -0.5 * n * (log(6.283185307179586 * (share > 1e-300 ? share : 1e-300)) + 1);
    if (rest > 0 && (double)count > k)
        out->aicc = -2 * out->loglik + 2 * k + 2 * k * (k + 1) / rest;
}

void pshi_arima_fit_order(
    pshi_arima_work *w, const pshi_arima_order *o, int exact, const double *start, pshi_arima_result *out) {
    size_t count, t;
    double sum;

    memset(out, 0, sizeof *out);
    out->order = *o;
    out->exact = exact ? 1 : 0;
    if (start)
        memcpy(out->beta, start, sizeof out->beta);
    else
        choose_start(w, o, exact, out->beta);
    sum = minimize(w, o, exact, out->beta, &count);
    pshi_arima_natural(o, out->beta, out->coef);
    judge(w, out, sum, count);
    if (!exact)
        return;
    /* The innovations' own variance: without the factor that makes the likelihood a sum of squares. */
    if (pshi_arima_residuals(w, o, 1, out->beta, w->r, &count) == HUGE_VAL)
        return;
    for (t = 0, sum = 0; t < count; t++)
        sum += w->innov[t] * w->innov[t] / w->var[t];
    out->variance = sum / fmax(1, (double)w->n - pshi_arima_count(o));
}
