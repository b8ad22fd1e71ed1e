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

/* Means over the cycles of what the moving average leaves. */
static void seasonal_means(const double *y, size_t n, uint32_t m, int multiplicative, double *season) {
    size_t half = m / 2, i;
    double sum = 0, end = m % 2 ? 0 : 0.5, trend;
    uint32_t k;

    for (i = 0; i <= 2 * half; i++)
        sum += y[i];
    for (k = 0; k < m; k++)
        season[k] = 0;
    for (i = half; i + half < n; i++) {
        trend = (sum - end * (y[i - half] + y[i + half])) / m;
        season[i % m] += multiplicative ? y[i] / trend : y[i] - trend;
        if (i + half + 1 < n)
            sum += y[i + half + 1] - y[i - half];
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
