/* SPDX-License-Identifier: MIT */
#include "forecast/residuals.h"

#include <math.h>

#include "math/stats.h"

#define RATE 0.01     /* gamma of the adaptive update */
#define LEAST 0.01    /* the asked miss rate stays within these */
#define MOST 0.19

void pshi_residuals_init(pshi_residuals *r, float *memory, uint32_t cap) {
    r->age = memory;
    r->sorted = memory + cap;
    r->cap = cap;
    r->count = 0;
    r->head = 0;
    r->alpha = (float)PSHI_MISS;
}

void pshi_residuals_push(pshi_residuals *r, double x) {
    if (r->count == r->cap) {
        pshi_sorted_remove(r->sorted, r->count, r->age[r->head]);
        r->count--;
    }
    pshi_sorted_insert(r->sorted, r->count, (float)x);
    r->age[r->head] = (float)x;
    r->count++;
    r->head = r->head + 1 == r->cap ? 0 : r->head + 1;
}

void pshi_residuals_adapt(pshi_residuals *r, int missed) {
    double alpha = (double)r->alpha + RATE * (PSHI_MISS - (missed ? 1 : 0));

    r->alpha = (float)(alpha < LEAST ? LEAST : alpha > MOST ? MOST : alpha);
}

/* What to ask for on one side, tail in (0, 1/2]: half the missed share becomes half the adapted one, the median
   stays the median, and between them powers keep the order. */
static double asked_tail(const pshi_residuals *r, double tail) {
    if (fabs(tail - PSHI_MISS / 2) < 1e-12) /* nearly always */
        return (double)r->alpha / 2;
    return 0.5 * pow(2 * tail, log((double)r->alpha) / log(PSHI_MISS));
}

double pshi_residuals_quantile(const pshi_residuals *r, double p) {
    p = p < 0.5 ? asked_tail(r, p) : 1 - asked_tail(r, 1 - p);
    return pshi_sorted_quantile(r->sorted, r->count, p);
}
