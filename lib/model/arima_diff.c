/* SPDX-License-Identifier: MIT */
/* How often to difference: the test of Kwiatkowski, Phillips, Schmidt & Shin (J. Econometrics 54, 1992), and the
 * strength of the season (Wang, Smith & Hyndman, "Characteristic-based clustering for time series data", 2006)
 * after STL (Cleveland, Cleveland, McRae & Terpenning, J. Official Statistics 6, 1990) with R's default windows. */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "model/arima.h"

#define SEASON_WINDOW 11u /* cycles */
#define PASSES 2

double pshi_arima_kpss(const double *x, size_t n) {
    size_t lags = (size_t)(3 * sqrt((double)n) / 13), t, l;
    double mean = 0, sum = 0, partial = 0, spread = 0, cross;

    for (t = 0; t < n; t++)
        mean += x[t];
    mean /= (double)n;
    for (t = 0; t < n; t++) {
        sum += x[t] - mean;
        partial += sum * sum;
        spread += (x[t] - mean) * (x[t] - mean);
    }
    for (l = 1; l <= lags; l++) {
        for (t = l, cross = 0; t < n; t++)
            cross += (x[t] - mean) * (x[t - l] - mean);
        spread += 2 * (1 - (double)l / (double)(lags + 1)) * cross;
    }
    return spread > 0 ? partial / ((double)n * spread) : 0;
}

void pshi_arima_difference(double *x, size_t n, uint32_t lag) {
    size_t t;

    for (t = lag; t < n; t++)
        x[t - lag] = x[t] - x[t - lag];
}

/* Local polynomial of degree 0 or 1 at `at` among n values, tricube weights over `window` neighbours. */
static double loess_at(const double *y, size_t n, size_t window, double at, int line) {
    size_t least = window < n ? window : n, from, i;
    double half, far, wide, w, d, s0 = 0, s1 = 0, s2 = 0, t0 = 0, t1 = 0;

    half = floor(at) - (double)((least - 1) / 2);
    from = half < 0 ? 0 : (size_t)half;
    from = from + least > n ? n - least : from;
    wide = fmax(at - (double)from, (double)(from + least - 1) - at);
    wide += window > n ? (double)((window - n) / 2) : 0;
    for (i = from; i < from + least; i++) {
        d = (double)i - at;
        far = fabs(d) / (wide * 1.001 + 1e-9);
        w = 1 - far * far * far;
        w = w * w * w;
        s0 += w;
        s1 += w * d;
        s2 += w * d * d;
        t0 += w * y[i];
        t1 += w * d * y[i];
    }
    d = s0 * s2 - s1 * s1;
    return line && d > 1e-9 * s0 * s2 ? (s2 * t0 - s1 * t1) / d : t0 / s0;
}

/* Every `jump`th value by loess, straight lines between. */
static void loess(const double *y, size_t n, size_t window, int line, double *out) {
    size_t jump = (window + 9) / 10, at = 0, next, i;

    out[0] = loess_at(y, n, window, 0, line);
    for (; at + 1 < n; at = next) {
        next = at + jump < n ? at + jump : n - 1;
        out[next] = loess_at(y, n, window, (double)next, line);
        for (i = at + 1; i < next; i++)
            out[i] = out[at] + (out[next] - out[at]) * (double)(i - at) / (double)(next - at);
    }
}

/* n values become n - k + 1. */
static size_t moving_average(double *x, size_t n, size_t k) {
    double sum = 0;
    size_t i;

    for (i = 0; i < k; i++)
        sum += x[i];
    for (i = 0; i + k < n; i++) {
        double first = x[i];

        x[i] = sum / (double)k;
        sum += x[i + k] - first;
    }
    x[i] = sum / (double)k;
    return n - k + 1;
}

/* Smooths every cycle-subseries of y (Shape [n]) one cycle beyond both ends: out is Shape [n + 2 s]. */
static void cycles(const double *y, size_t n, size_t s, double *room, double *out) {
    size_t phase, i, count;

    for (phase = 0; phase < s; phase++) {
        for (i = phase, count = 0; i < n; i += s)
            room[count++] = y[i];
        loess(room, count, SEASON_WINDOW, 0, room + count);
        out[phase] = loess_at(room, count, SEASON_WINDOW, -1, 0);
        for (i = 0; i < count; i++)
            out[phase + (i + 1) * s] = room[count + i];
        out[phase + (count + 1) * s] = loess_at(room, count, SEASON_WINDOW, (double)count, 0);
    }
}

/* room is Shape [2 n + 4 s]. */
static void decompose(const double *y, size_t n, size_t s, double *trend, double *season, double *room) {
    size_t window = (size_t)ceil(1.5 * (double)s / (1 - 1.5 / SEASON_WINDOW)) | 1u, i, m;
    double *smooth = room, *low = room + n + 2 * s;
    int pass;

    memset(trend, 0, n * sizeof *trend);
    for (pass = 0; pass < PASSES; pass++) {
        for (i = 0; i < n; i++)
            season[i] = y[i] - trend[i];
        cycles(season, n, s, low, smooth);
        memcpy(low, smooth, (n + 2 * s) * sizeof *low);
        m = moving_average(low, n + 2 * s, s);
        m = moving_average(low, m, s);
        m = moving_average(low, m, 3);
        loess(low, m, s | 1u, 1, trend);
        for (i = 0; i < n; i++)
            season[i] = smooth[i + s] - trend[i];
        for (i = 0; i < n; i++)
            low[i] = y[i] - season[i];
        loess(low, n, window, 1, trend);
    }
}

static double variance_of(const double *x, size_t n) {
    double mean = 0, sum = 0;
    size_t i;

    for (i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sum;
}

psh_status pshi_arima_strength(psh_env *env, const double *y, size_t n, uint32_t s, double *out) {
    double *trend = pshi_calloc(env, 4 * n + 4 * (size_t)s, sizeof *trend), *season, whole, rest;
    size_t i;

    *out = 0;
    if (!trend)
        return PSH_E_NOMEM;
    season = trend + n;
    decompose(y, n, s, trend, season, season + n);
    for (i = 0; i < n; i++)
        trend[i] = y[i] - trend[i];
    whole = variance_of(trend, n);
    for (i = 0; i < n; i++)
        trend[i] -= season[i];
    rest = variance_of(trend, n);
    if (whole > 0 && rest < whole)
        *out = 1 - rest / whole;
    pshi_free(env, trend);
    return PSH_OK;
}
