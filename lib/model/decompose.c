/* SPDX-License-Identifier: MIT */
#include "model/decompose.h"

#include <math.h>

#include "base/env.h"

#define RECENT_VALUES 4096u
#define RECENT_SEASONS 8u
#define MOST_LAGS 512u

size_t pshi_recent(size_t n, uint32_t m) {
    size_t most = (size_t)m * RECENT_SEASONS;

    if (most < RECENT_VALUES)
        most = RECENT_VALUES;
    return n < most ? n : most;
}

uint32_t pshi_first_season(const pshi_fit *in) {
    return in->seasons && in->n / 2 >= in->season[0] ? in->season[0] : 1;
}

double pshi_scale(const double *y, size_t n) {
    double most = 0;
    size_t i;

    for (i = 0; i < n; i++)
        most = fmax(most, fabs(y[i]));
    return most > 0 ? most : 1;
}

double *pshi_scaled(const pshi_fit *in, size_t n, double scale) {
    double *y = pshi_alloc(in->env, n * sizeof *y);
    size_t i;

    for (i = 0; y && i < n; i++)
        y[i] = in->y[in->n - n + i] / scale;
    return y;
}

/* A centred moving average that walks along y. */
typedef struct walk {
    const double *y;
    size_t n, at, half;
    double sum, end;
    uint32_t m;
    int multiplicative;
} walk;

static walk start_walk(const double *y, size_t n, uint32_t m, int multiplicative) {
    walk w = { y, n, m / 2, m / 2, 0, m % 2 ? 0 : 0.5, m, multiplicative };
    size_t i;

    for (i = 0; i <= 2 * w.half; i++)
        w.sum += y[i];
    return w;
}

/* What the moving average leaves of the value at w->at; then one step on. */
static double detrended(walk *w) {
    double trend = (w->sum - w->end * (w->y[w->at - w->half] + w->y[w->at + w->half])) / w->m;
    double left = w->multiplicative ? w->y[w->at] / trend : w->y[w->at] - trend;

    if (w->at + w->half + 1 < w->n)
        w->sum += w->y[w->at + w->half + 1] - w->y[w->at - w->half];
    w->at++;
    return left;
}

/* Means over the cycles of what the moving average leaves. */
static void seasonal_means(const double *y, size_t n, uint32_t m, int multiplicative, double *season) {
    walk w = start_walk(y, n, m, multiplicative);
    size_t half = w.half;
    uint32_t k;

    for (k = 0; k < m; k++)
        season[k] = 0;
    while (w.at + half < n) {
        k = (uint32_t)(w.at % m);
        season[k] += detrended(&w);
    }
    for (k = 0; k < m; k++) {
        size_t first = half + (k + m - half % m) % m;

        season[k] /= (double)((n - half - 1 - first) / m + 1);
    }
}

void pshi_decompose(const double *y, size_t n, uint32_t m, int multiplicative, double *season) {
    double sum = 0;
    uint32_t k;

    seasonal_means(y, n, m, multiplicative, season);
    for (k = 0; k < m; k++)
        sum += season[k];
    for (k = 0; k < m; k++)
        season[k] = multiplicative ? season[k] * m / sum : season[k] - sum / m;
}

double pshi_season_noise(const double *y, size_t n, uint32_t m, int multiplicative, const double *season) {
    walk w = start_walk(y, n, m, multiplicative);
    double none = multiplicative ? 1 : 0, noise = 0, spread = 0, e, count = (double)(n - 2 * w.half);
    uint32_t k;

    if (n / 3 < m || m < 4)
        return 0;
    while (w.at + w.half < n) {
        k = (uint32_t)(w.at % m);
        e = detrended(&w) - season[k];
        noise += e * e;
    }
    noise /= (count - m) * (count / m);
    for (k = 0; k < m; k++)
        spread += (season[k] - none) * (season[k] - none) / (m - 1);
    return spread > 0 ? fmin((m - 3.0) / (m - 1.0) * noise / spread, 1) : 0;
}

void pshi_shrink_season(const double *y, size_t n, uint32_t m, int multiplicative, double *season) {
    double none = multiplicative ? 1 : 0, share = pshi_season_noise(y, n, m, multiplicative, season);
    uint32_t k;

    for (k = 0; k < m; k++)
        season[k] -= share * (season[k] - none);
}

static double covariance_at(const double *y, size_t n, double mean, size_t lag) {
    double sum = 0;
    size_t i;

    for (i = lag; i < n; i++)
        sum += (y[i] - mean) * (y[i - lag] - mean);
    return sum;
}

int pshi_is_seasonal(const double *y, size_t n, uint32_t m) {
    uint32_t stride = (m - 1) / MOST_LAGS + 1, k;
    double mean = 0, variance, r, sum = 0;
    size_t i;

    if (m < 2 || n <= m)
        return 0;
    for (i = 0; i < n; i++)
        mean += y[i] / (double)n;
    variance = covariance_at(y, n, mean, 0);
    if (!(variance > 0))
        return 0;
    for (k = 1; k < m; k += stride) {
        r = covariance_at(y, n, mean, k) / variance;
        sum += stride * r * r;
    }
    r = covariance_at(y, n, mean, m) / variance;
    return fabs(r) > 1.645 * sqrt((1 + 2 * sum) / (double)n);
}
