/* SPDX-License-Identifier: MIT */
/* Residuals of an ARMA model: conditional (Box & Jenkins, "Time Series Analysis", chapter 7), and exact by the
 * innovations algorithm applied to a transformed series (Ansley, "An algorithm for the exact likelihood of a mixed
 * autoregressive-moving average process", Biometrika 66, 1979; Brockwell & Davis, "Time Series: Theory and
 * Methods", sections 5.3 and 8.7). It gives the likelihood that a Kalman filter gives, without a state of squared
 * size. */
#include <math.h>
#include <string.h>

#include "model/arima.h"

#define SETTLED 1e-12 /* what a one-step variance may lack to count as settled */

uint32_t pshi_arima_ar_lag(const pshi_arima_order *o) {
    return o->p + o->s * o->sp;
}

uint32_t pshi_arima_ma_lag(const pshi_arima_order *o) {
    return o->q + o->s * o->sq;
}

static double mean_of(const pshi_arima_order *o, const double *coef) {
    return o->constant ? coef[o->p + o->sp + o->q + o->sq] : 0;
}

/* phi(B) (x - mean) at t >= the longest lag. */
static double filtered(const pshi_arima_work *w, const pshi_arima_taps *ar, double mean, size_t t) {
    double u = w->x[t] - mean;
    uint32_t i;

    for (i = 0; i < ar->n; i++)
        u -= ar->by[i] * (w->x[t - ar->lag[i]] - mean);
    return u;
}

/* The innovation at t from phi(B) x and the innovations before, none before `first`. */
static double less_past(const pshi_arima_taps *ma, const double *innov, size_t t, size_t first, double u) {
    uint32_t i;

    for (i = 0; i < ma->n; i++)
        if (t >= first + ma->lag[i])
            u -= ma->by[i] * innov[t - ma->lag[i]];
    return u;
}

static void conditional(pshi_arima_work *w, const pshi_arima_order *o, const double *coef) {
    pshi_arima_taps ar, ma;
    double mean = mean_of(o, coef);
    size_t t;

    pshi_arima_ar(o, coef, 0, &ar);
    pshi_arima_ma(o, coef, &ma);
    memset(w->innov, 0, ar.most * sizeof *w->innov);
    for (t = ar.most; t < w->n; t++)
        w->innov[t] = less_past(&ma, w->innov, t, ar.most, filtered(w, &ar, mean, t));
}

/* Autocovariances and one row after another of the triangular factor, all in units of the innovations' variance. */
typedef struct factor {
    pshi_arima_work *w;
    pshi_arima_taps ar, ma;
    double mean;
    uint32_t p, q;       /* longest lags */
    size_t stride;
    double *a, *b;       /* dense ar and ma: a[i] at lag i + 1, b[i] at lag i, b[0] = 1 */
    double *gamma;       /* of x, lags 0..p-1 */
    double *cross;       /* of x_t and (phi x)_(t + h), h = 0..q */
    double *moving;      /* of phi x, lags 0..q */
    double *scratch;     /* Shape [2 width + 2] */
    uint32_t settled;    /* steps in a row of variance 1 */
} factor;

static void dense_of(factor *s) {
    uint32_t i;

    memset(s->a, 0, (s->p + 1) * sizeof *s->a);
    memset(s->b, 0, (s->q + 1) * sizeof *s->b);
    s->b[0] = 1;
    for (i = 0; i < s->ar.n; i++)
        s->a[s->ar.lag[i] - 1] += s->ar.by[i];
    for (i = 0; i < s->ma.n; i++)
        s->b[s->ma.lag[i]] += s->ma.by[i];
}

/* cross[h] = sum of b_j psi_(j - h), psi the weights of x on past innovations; moving is that with b for psi. */
static void moving_covariances(factor *s) {
    double *psi = s->scratch;
    uint32_t h, j;

    for (h = 0; h <= s->q; h++) {
        psi[h] = s->b[h];
        for (j = 0; j < s->p && j < h; j++)
            psi[h] += s->a[j] * psi[h - 1 - j];
    }
    for (h = 0; h <= s->q; h++) {
        s->cross[h] = s->moving[h] = 0;
        for (j = h; j <= s->q; j++) {
            s->cross[h] += s->b[j] * psi[j - h];
            s->moving[h] += s->b[j] * s->b[j - h];
        }
    }
}

/* Autocovariances of the pure autoregression into scratch, lags 0..p+q: Levinson's recursion with known partial
 * autocorrelations. Uses the rows as room. */
static int autoregressive_covariances(factor *s) {
    double *partial = s->w->rows, *phi = partial + s->stride, *room = phi + s->stride;
    double *g = s->scratch, v = 1;
    uint32_t k, i;

    memcpy(partial, s->a, s->p * sizeof *partial);
    if (!pshi_arima_to_partial(partial, s->p, room))
        return 0;
    for (k = 0; k < s->p; k++)
        v *= 1 - partial[k] * partial[k];
    g[0] = v = 1 / v;
    for (k = 1; k <= s->p; k++) {
        g[k] = partial[k - 1] * v;
        for (i = 1; i < k; i++)
            g[k] += phi[i - 1] * g[k - i];
        for (i = 1; i < k; i++)
            room[i - 1] = phi[i - 1] - partial[k - 1] * phi[k - 1 - i];
        memcpy(phi, room, (k - 1) * sizeof *phi);
        phi[k - 1] = partial[k - 1];
        v *= 1 - partial[k - 1] * partial[k - 1];
    }
    for (; k <= s->p + s->q; k++) {
        g[k] = 0;
        for (i = 0; i < s->p; i++)
            g[k] += s->a[i] * g[k - 1 - i];
    }
    return isfinite(g[0]) != 0;
}

/* x is the autoregression seen through the moving average. */
static int covariances(factor *s) {
    double *g = s->scratch;
    uint32_t h, l;

    dense_of(s);
    moving_covariances(s);
    if (!s->p)
        return 1;
    if (!autoregressive_covariances(s))
        return 0;
    for (h = 0; h < s->p; h++) {
        s->gamma[h] = s->moving[0] * g[h];
        for (l = 1; l <= s->q; l++)
            s->gamma[h] += s->moving[l] * (g[h + l] + g[h > l ? h - l : l - h]);
    }
    return 1;
}

static double covariance(const factor *s, size_t t, size_t h) {
    if (t < s->p)
        return s->gamma[h];
    if (h > s->q)
        return 0;
    return t - h < s->p ? s->cross[h] : s->moving[h];
}

static double dot(const double *a, const double *b, size_t n) {
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    size_t i;

    for (i = 0; i + 4 <= n; i += 4) {
        s0 += a[i] * b[i];
        s1 += a[i + 1] * b[i + 1];
        s2 += a[i + 2] * b[i + 2];
        s3 += a[i + 3] * b[i + 3];
    }
    for (; i < n; i++)
        s0 += a[i] * b[i];
    return (s0 + s1) + (s2 + s3);
}

/* Row t of L, L D L' the covariance of the transformed series: its entry `back` places left of the diagonal stands
 * at [back], and, times the variance there, in the second half. @return the variance at t. */
static double next_row(factor *s, size_t t, double *var) {
    size_t wide = t < s->p ? t : s->q < t ? s->q : t, back;
    double *row = s->w->rows + (t % s->stride) * s->stride, *scaled = row + s->stride * s->stride, v, *above;

    for (back = wide; back > 0; back--) {
        above = s->w->rows + ((t - back) % s->stride) * s->stride + s->stride * s->stride;
        /* Rows that begin later than this one have zeros in their [back ..]: none below p reaches beyond t. */
        v = covariance(s, t, back) - dot(row + back + 1, above + 1, wide - back);
        row[back] = v / var[(t - back) % s->stride];
        scaled[back] = v;
    }
    v = covariance(s, t, 0);
    for (back = 1; back <= wide; back++)
        v -= row[back] * scaled[back];
    for (back = wide + 1; back < s->stride; back++)
        row[back] = scaled[back] = 0;
    var[t % s->stride] = v;
    s->settled = t >= s->p && fabs(v - 1) < SETTLED ? s->settled + 1 : 0;
    return v;
}

static double row_times(const factor *s, size_t t, const double *innov, size_t n) {
    const double *row = s->w->rows + (t % s->stride) * s->stride;
    size_t wide = t < s->p ? t : s->q < t ? s->q : t, back;
    double sum = 0;

    for (back = t >= n ? t - n + 1 : 1; back <= wide; back++)
        sum += row[back] * innov[t - back];
    return sum;
}

static int exact_begin(factor *s, pshi_arima_work *w, const pshi_arima_order *o, const double *coef) {
    size_t m = 2 * w->width + 2;

    s->w = w;
    pshi_arima_ar(o, coef, 0, &s->ar);
    pshi_arima_ma(o, coef, &s->ma);
    s->mean = mean_of(o, coef);
    s->p = pshi_arima_ar_lag(o);
    s->q = pshi_arima_ma_lag(o);
    s->stride = (s->p > s->q ? s->p : s->q) + 1;
    s->a = w->small;
    s->b = s->a + m;
    s->gamma = s->b + m;
    s->cross = s->gamma + m;
    s->moving = s->cross + m;
    s->scratch = s->moving + m;
    s->settled = 0;
    return covariances(s);
}

/* Innovations and their variances; `ahead` (or NULL) is what they add to values n, n + 1, ... @return 1, or 0. */
static int exact_run(factor *s, double *ahead) {
    pshi_arima_work *w = s->w;
    double *var = s->scratch;
    size_t t, end = w->n + (ahead ? s->q : 0);
    double u;

    for (t = 0; t < end; t++) {
        int steady = s->settled > s->q;
        double v = steady ? 1 : next_row(s, t, var);

        if (!(v > 0) || !isfinite(v))
            return 0;
        if (t >= w->n) {
            ahead[t - w->n] = steady ? 0 : row_times(s, t, w->innov, w->n);
            for (uint32_t i = 0; steady && i < s->ma.n; i++)
                if (t - s->ma.lag[i] < w->n)
                    ahead[t - w->n] += s->ma.by[i] * w->innov[t - s->ma.lag[i]];
            continue;
        }
        u = t < s->p ? w->x[t] - s->mean : filtered(w, &s->ar, s->mean, t);
        w->innov[t] = steady ? less_past(&s->ma, w->innov, t, 0, u) : u - row_times(s, t, w->innov, w->n);
        w->var[t] = v;
    }
    return 1;
}

static double log_of_all(const double *v, size_t n) {
    double sum = 0, product = 1;
    size_t i;

    for (i = 0; i < n; i++) {
        product *= v[i];
        if (i % 4 == 3 || i + 1 == n) {
            sum += product == 1 ? 0 : log(product);
            product = 1;
        }
    }
    return sum;
}

static double exact_residuals(pshi_arima_work *w, const pshi_arima_order *o, const double *coef, double *r) {
    factor s;
    double by, sum = 0;
    size_t t;

    if (!exact_begin(&s, w, o, coef) || !exact_run(&s, NULL))
        return HUGE_VAL;
    by = exp(0.5 * log_of_all(w->var, w->n) / (double)w->n);
    for (t = 0; t < w->n; t++) {
        r[t] = w->innov[t] / sqrt(w->var[t]) * by;
        sum += r[t] * r[t];
    }
    return isfinite(sum) ? sum : HUGE_VAL;
}

double pshi_arima_residuals(
    pshi_arima_work *w, const pshi_arima_order *o, int exact, const double *beta, double *r, size_t *count) {
    double coef[PSHI_ARIMA_MOST_COEF], sum = 0;
    size_t t, first = pshi_arima_ar_lag(o);

    w->left -= pshi_arima_cost(w, o, exact);
    pshi_arima_natural(o, beta, coef);
    *count = exact ? w->n : w->n - first;
    if (exact)
        return exact_residuals(w, o, coef, r);
    conditional(w, o, coef);
    memcpy(r, w->innov + first, *count * sizeof *r);
    for (t = 0; t < *count; t++)
        sum += r[t] * r[t];
    return isfinite(sum) ? sum : HUGE_VAL;
}

void pshi_arima_past(pshi_arima_work *w, const pshi_arima_result *f, double *ahead) {
    uint32_t i, h, q = pshi_arima_ma_lag(&f->order);
    pshi_arima_taps ma;
    factor s;

    memset(ahead, 0, q * sizeof *ahead);
    if (f->exact && exact_begin(&s, w, &f->order, f->coef) && exact_run(&s, ahead))
        return;
    conditional(w, &f->order, f->coef);
    pshi_arima_ma(&f->order, f->coef, &ma);
    for (h = 0; h < q; h++) {
        ahead[h] = 0;
        for (i = 0; i < ma.n; i++)
            if (ma.lag[i] > h && ma.lag[i] - h <= w->n)
                ahead[h] += ma.by[i] * w->innov[w->n + h - ma.lag[i]];
    }
}

double pshi_arima_cost(const pshi_arima_work *w, const pshi_arima_order *o, int exact) {
    double n = (double)w->n, p = pshi_arima_ar_lag(o), q = pshi_arima_ma_lag(o);
    double taps = (o->p + 1) * (o->sp + 1) + (o->q + 1) * (o->sq + 1) + 2;

    return n * taps + (exact ? p * p * p / 6 + 4 * p * p + n * (q * q / 2 + 8) : 0);
}
