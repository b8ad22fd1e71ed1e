/* SPDX-License-Identifier: MIT */
#include "forecast/reconcile.h"

#include <math.h>

#define ROUNDS 32u /* of leaving children out; what then still is negative is 0 and the rest scaled */

static void add_up(const pshi_branch *b, uint32_t split, const double *mean, const double *var, double sum[2]) {
    uint32_t i, at = b->first[split];

    sum[0] = sum[1] = 0;
    for (i = 0; i < b->count[split]; i++) {
        sum[0] += mean[at + i];
        sum[1] += var[at + i];
    }
}

/* Its own word and the sum of each split, by precision. */
static void meet(const pshi_branch *b, uint32_t i, const double *base, const double *variance, double *mean,
    double *var) {
    double precision = variance[i] < HUGE_VAL ? 1 / variance[i] : 0, said = precision * base[i], sum[2];
    uint32_t s;

    for (s = 0; s < PSHI_SPLITS; s++) {
        if (!b->count[s])
            continue;
        add_up(b, s, mean, var, sum);
        precision += 1 / sum[1];
        said += sum[0] / sum[1];
    }
    mean[i] = precision > 0 ? said / precision : 0;
    var[i] = precision > 0 ? 1 / precision : 1;
}

/* Shares out what is missing among those that stay above 0. @return how many more became 0. */
static uint32_t share_out(double *x, const double *var, uint32_t n, double total) {
    double sum = 0, weight = 0, by;
    uint32_t i, gone = 0;

    for (i = 0; i < n; i++)
        if (x[i] >= 0) {
            sum += x[i];
            weight += var[i];
        }
    by = weight > 0 ? (total - sum) / weight : 0;
    for (i = 0; i < n; i++) {
        if (x[i] >= 0 && x[i] + by * var[i] < 0) {
            x[i] = -1; /* out, for good */
            gone++;
        }
    }
    if (gone)
        return gone;
    for (i = 0; i < n; i++)
        x[i] = x[i] < 0 ? -1 : x[i] + by * var[i];
    return 0;
}

/* What rounding, or giving up, left: to scale, or in equal parts where all are 0. */
static void finish(double *x, uint32_t n, double total) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < n; i++) {
        x[i] = x[i] > 0 ? x[i] : 0;
        sum += x[i];
    }
    for (i = 0; i < n; i++)
        x[i] = sum > 0 ? x[i] * (total / sum) : total / n;
}

static void distribute(double *x, const double *var, uint32_t n, double total) {
    uint32_t i, round;

    if (total <= 0) {
        for (i = 0; i < n; i++)
            x[i] = 0;
        return;
    }
    for (i = 0; i < n; i++)
        x[i] = x[i] > 0 ? x[i] : 0;
    for (round = 0; round < ROUNDS && share_out(x, var, n, total); round++) {
    }
    finish(x, n, total);
}

void pshi_reconcile(
    const pshi_branch *tree, uint32_t n, const double *base, const double *variance, double *out, double *work) {
    uint32_t i, s;

    for (i = n; i-- > 0;)
        meet(&tree[i], i, base, variance, out, work);
    out[0] = out[0] > 0 ? out[0] : 0;
    for (i = 0; i < n; i++)
        for (s = 0; s < PSHI_SPLITS; s++)
            if (tree[i].count[s])
                distribute(out + tree[i].first[s], work + tree[i].first[s], tree[i].count[s], out[i]);
}
