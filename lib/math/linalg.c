/* SPDX-License-Identifier: MIT */
#include "math/linalg.h"

#include <math.h>
#include <string.h>

#define HAIR 1e-10 /* share of a diagonal element that keeps equal columns apart */

void pshi_gram_add(double *gram, double *rhs, const double *x, size_t n, double y, double weight) {
    size_t i, j;
    double wx;

    for (i = 0; i < n; i++) {
        wx = weight * x[i];
        rhs[i] += wx * y;
        if (wx != 0)
            for (j = 0; j <= i; j++)
                gram[i * n + j] += wx * x[j];
    }
}

int pshi_cholesky(double *a, size_t n) {
    size_t i, j, k;
    double sum;

    for (i = 0; i < n; i++) {
        for (j = 0; j <= i; j++) {
            sum = a[i * n + j];
            for (k = 0; k < j; k++)
                sum -= a[i * n + k] * a[j * n + k];
            if (j < i)
                a[i * n + j] = sum / a[j * n + j];
            else if (sum > 0)
                a[i * n + i] = sqrt(sum);
            else
                return 0;
        }
    }
    return 1;
}

void pshi_cholesky_solve(const double *l, size_t n, double *b) {
    size_t i, k;

    for (i = 0; i < n; i++) {
        for (k = 0; k < i; k++)
            b[i] -= l[i * n + k] * b[k];
        b[i] /= l[i * n + i];
    }
    for (i = n; i-- > 0;) {
        for (k = i + 1; k < n; k++)
            b[i] -= l[k * n + i] * b[k];
        b[i] /= l[i * n + i];
    }
}

int pshi_ridge(double *gram, double *rhs, const double *penalty, size_t n) {
    size_t i;
    int good;

    for (i = 0; i < n; i++)
        gram[i * n + i] += penalty[i] + HAIR * gram[i * n + i] + 1e-300;
    good = pshi_cholesky(gram, n);
    if (good)
        pshi_cholesky_solve(gram, n, rhs);
    for (i = 0; good && i < n; i++)
        good = isfinite(rhs[i]) != 0;
    if (!good)
        memset(rhs, 0, n * sizeof *rhs);
    return good;
}
