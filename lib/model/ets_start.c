/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "math/linalg.h"
#include "model/decompose.h"
#include "model/ets.h"

#define LEAST_FACTOR 1e-2
#define LEAST_WIDTH 1e-8 /* in units of the largest value, squared */
#define MOST_JURY_SEASON 48u

/* One harmonic and a line, where a moving average would leave too little: the season is the harmonic. */
static void harmonic_season(const pshi_ets *e, const double *y, size_t n, double *season) {
    double gram[16] = { 0 }, c[4] = { 0 }, penalty[4] = { 0 }, x[4], turn = 6.283185307179586 / e->form.m, sum = 0;
    size_t i;
    uint32_t k;

    for (i = 0; i < n; i++) {
        x[0] = 1;
        x[1] = ((double)i + 1) / (double)n;
        x[2] = sin(turn * (double)(i % e->form.m));
        x[3] = cos(turn * (double)(i % e->form.m));
        pshi_gram_add(gram, c, x, 4, y[i], 1);
    }
    pshi_ridge(gram, c, penalty, 4);
    for (k = 0; k < e->form.m; k++) {
        season[k] = c[2] * sin(turn * k) + c[3] * cos(turn * k);
        if (e->form.season == PSHI_ETS_MULTIPLICATIVE)
            season[k] = fmax(1 + season[k] / fmax(c[0] + c[1] / 2, LEAST_FACTOR), LEAST_FACTOR);
        sum += season[k];
    }
    sum /= e->form.m;
    for (k = 0; k < e->form.m; k++)
        season[k] = e->form.season == PSHI_ETS_MULTIPLICATIVE ? season[k] / sum : season[k] - sum;
}

/* Empirical Bayes: the variance of the factors about none, less what is noise. */
static void start_width(pshi_ets *e, const double *y, size_t n) {
    int times = e->form.season == PSHI_ETS_MULTIPLICATIVE;
    double keep = 1 - pshi_season_noise(y, n, e->form.m, times, e->season), sum = 0;
    uint32_t k;

    for (k = 0; k < e->form.m; k++)
        sum += (e->season[k] - times) * (e->season[k] - times);
    e->width = keep * keep * sum / e->form.m + LEAST_WIDTH;
}

static void start_season(pshi_ets *e, const double *y, size_t n) {
    int times = e->form.season == PSHI_ETS_MULTIPLICATIVE;
    uint32_t k;

    e->season[0] = 0;
    e->width = 0;
    if (!e->form.season)
        return;
    if (n < 3 * (size_t)e->form.m)
        harmonic_season(e, y, n, e->season);
    else
        pshi_decompose(y, n, e->form.m, times, e->season);
    start_width(e, y, n);
    for (k = 0; times && k < e->form.m; k++)
        e->season[k] = fmax(e->season[k], LEAST_FACTOR);
}

void pshi_ets_start(pshi_ets *e, const double *y, size_t n) {
    size_t most = 2 * (size_t)e->form.m > 10 ? 2 * (size_t)e->form.m : 10, i;
    double sx = 0, sy = 0, sxx = 0, sxy = 0, t, v;

    start_season(e, y, n);
    e->at = 0;
    most = most < n ? most : n;
    for (i = 0; i < most; i++) {
        t = (double)i + 1;
        v = e->season[i % e->form.m];
        v = e->form.season == PSHI_ETS_MULTIPLICATIVE ? y[i] / v : y[i] - v;
        sx += t;
        sy += v;
        sxx += t * t;
        sxy += t * v;
    }
    t = (double)most;
    e->slope = e->form.trend && most > 1 ? (t * sxy - sx * sy) / (t * sxx - sx * sx) : 0;
    e->level = (sy - e->slope * sx) / t;
}

/*
 * Are all roots of p[0] + p[1] z + ... + p[n] z^n within a hair of the unit circle: Schur and Cohn's reduction. The
 * hair is needed because a season without a trend has a root at 1 itself.
 */
static int roots_inside(double *p, size_t n) {
    double q[MOST_JURY_SEASON + 2], scale = 1, k;
    size_t i;

    for (i = n + 1; i-- > 0; scale /= 1.0001)
        p[i] *= scale;
    for (; n > 0; n--) {
        k = p[0] / p[n];
        if (!(fabs(k) < 1))
            return 0;
        /* p[i] - k p[n - i], shifted down by one. */
        memcpy(q, p, (n + 1) * sizeof *q);
        for (i = 1; i <= n; i++)
            p[i - 1] = q[i] - k * q[n - i];
    }
    return 1;
}

int pshi_ets_admissible(const pshi_ets *e) {
    double a = e->alpha, b = e->beta, g = e->gamma, f = e->phi, p[MOST_JURY_SEASON + 2];
    uint32_t m = e->form.m, i;

    if (!e->form.season)
        return a >= 1 - 1 / f && a <= 1 + 1 / f && b >= a * (f - 1) && b <= (1 + f) * (2 - a);
    if (g < fmax(1 - 1 / f - a, 0) || g > 1 + 1 / f - a || b < -(1 - f) * (g / m + a))
        return 0;
    if (a < 1 - 1 / f - g * (1 - m + f + f * m) / (2 * f * m))
        return 0;
    if (m > MOST_JURY_SEASON || m < 2)
        return 1;
    p[0] = f * (1 - a - g);
    p[1] = a + b - a * f + g - 1;
    for (i = 2; i < m; i++)
        p[i] = a + b - a * f;
    p[m] = a + b - f;
    p[m + 1] = 1;
    return roots_inside(p, m + 1);
}
