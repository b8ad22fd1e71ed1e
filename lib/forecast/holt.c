/* SPDX-License-Identifier: MIT */
#include "forecast/holt.h"

#include <math.h>
#include <string.h>

/* The published grid: level, trend and seasonal smoothing. Of equals the first is taken. */
static const float alphas[] = { 0.02F, 0.1F, 0.3F, 0.6F };
static const float betas[] = { 0.0F, 0.02F };
static const float gammas[] = { 0.1F, 0.02F, 0.3F };
#define CANDIDATES 24u
#define FEW_SEASONS 4u /* history of fewer does not replace a state that has seen more */

double pshi_holt_damp(uint32_t lead) {
    return PSHI_DAMPING * (1 - pow(PSHI_DAMPING, (double)lead)) / (1 - PSHI_DAMPING);
}

void pshi_holt_update(pshi_holt *h, float *season, double y, uint32_t seen) {
    double base = h->level + PSHI_DAMPING * h->trend, e = y - base - (double)*season;
    double gain = 1 / ((double)seen + 1), gamma = (double)h->gamma;

    h->level = base + (double)h->alpha * e;
    h->trend = PSHI_DAMPING * h->trend + (double)h->beta * e;
    *season = (float)((double)*season + (gain > gamma ? gain : gamma) * e);
}

/* First season: level its mean, seasonal terms the deviations, no trend. */
static void first_season(pshi_holt *h, float *season, uint32_t m, const float *y, uint32_t phase) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < m; i++)
        sum += (double)y[i];
    h->level = sum / m;
    h->trend = 0;
    for (i = 0; i < m; i++)
        season[(phase + i) % m] = (float)((double)y[i] - h->level);
}

/* Runs over the rest. Returns the sum of absolute one-step errors. */
static double run_rest(pshi_holt *h, float *season, uint32_t m, const float *y, uint32_t n, uint32_t phase) {
    double sum = 0;
    uint32_t i, at = phase;

    for (i = m; i < n; i++) {
        sum += fabs((double)y[i] - h->level - PSHI_DAMPING * h->trend - (double)season[at]);
        pshi_holt_update(h, &season[at], (double)y[i], i / m);
        at = at + 1 == m ? 0 : at + 1;
    }
    return sum;
}

static void take_candidate(pshi_holt *h, uint32_t i) {
    h->alpha = alphas[i % 4];
    h->beta = betas[i / 4 % 2];
    h->gamma = gammas[i / 8];
}

void pshi_holt_fit(
    pshi_holt *h, float *season, uint32_t m, const float *y, uint32_t n, uint32_t phase, float *scratch) {
    pshi_holt first = { 0 }, trial;
    double least = HUGE_VAL, error;
    uint32_t i, best = 1; /* alpha 0.1, no trend, gamma 0.1: where there is nothing to choose by */

    for (i = 0; n > m && i < CANDIDATES; i++) {
        trial = first;
        first_season(&trial, scratch, m, y, phase);
        take_candidate(&trial, i);
        error = run_rest(&trial, scratch, m, y, n, phase);
        if (error < least) {
            least = error;
            best = i;
        }
    }
    if (h->alpha > 0 && n / m < FEW_SEASONS) {
        take_candidate(h, best);
        return;
    }
    first_season(&first, season, m, y, phase);
    *h = first;
    take_candidate(h, best);
    (void)run_rest(h, season, m, y, n, phase);
}
