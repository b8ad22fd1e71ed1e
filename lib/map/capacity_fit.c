/* SPDX-License-Identifier: MIT */
/* Recursive least squares with exponential forgetting: Ljung & Soderstrom 1983, chapter 2. */
#include <math.h>
#include <string.h>

#include "map/capacity.h"

#define N PSHI_CAP_FEATURES
#define START 10.0   /* variance of weights about which nothing is known */
#define MOST 1e4     /* forgetting without news would let it grow without end */

void pshi_cap_fit_start(pshi_cap_fit *f, uint32_t first) {
    uint32_t i;

    memset(f, 0, sizeof *f);
    for (i = 0; i < N; i++)
        f->p[i * N + i] = START;
    f->w[first] = 1;
}

double pshi_cap_fit_at(const pshi_cap_fit *f, const double *x) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < N; i++)
        sum += f->w[i] * x[i];
    return sum;
}

/* p x, and forget + x' p x. */
static double gain(const pshi_cap_fit *f, const double *x, double keep, double *k) {
    double sum = keep;
    uint32_t i, j;

    for (i = 0; i < N; i++) {
        k[i] = 0;
        for (j = 0; j < N; j++)
            k[i] += f->p[i * N + j] * x[j];
        sum += x[i] * k[i];
    }
    return sum;
}

static void forget(pshi_cap_fit *f, const double *k, double sum, double keep) {
    double most = 0;
    uint32_t i, j;

    for (i = 0; i < N; i++)
        for (j = 0; j < N; j++)
            f->p[i * N + j] = (f->p[i * N + j] - k[i] * k[j] / sum) / keep;
    for (i = 0; i < N; i++)
        most = fmax(most, f->p[i * N + i]);
    for (i = 0; most > MOST && i < N * N; i++)
        f->p[i] *= MOST / most;
}

static int is_sound(const pshi_cap_fit *f) {
    uint32_t i;

    for (i = 0; i < N; i++)
        if (!(fabs(f->w[i]) <= MOST && f->p[i * N + i] >= 0))
            return 0;
    return 1;
}

void pshi_cap_fit_learn(pshi_cap_fit *f, const double *x, double y, double keep) {
    double k[N], sum = gain(f, x, keep, k), error = y - pshi_cap_fit_at(f, x);
    uint32_t i;

    for (i = 0; sum > 0 && i < N; i++)
        f->w[i] += k[i] / sum * error;
    if (sum > 0)
        forget(f, k, sum, keep);
    if (!(sum > 0) || !is_sound(f)) /* rounding ate it: begin anew */
        pshi_cap_fit_start(f, 1);
}
