/* SPDX-License-Identifier: MIT */
#include "math/stats.h"

#include <math.h>
#include <string.h>

uint64_t pshi_gcd(uint64_t a, uint64_t b) {
    uint64_t t;

    while (b) {
        t = a % b;
        a = b;
        b = t;
    }
    return a;
}

double pshi_normal_cdf(double z) {
    return 0.5 * erfc(-z * 0.70710678118654752440);
}

double pshi_normal_quantile(double p) {
    double low = -39, high = 39, mid;
    int i;

    /* Bisection: slow beside a rational approximation, but plainly right, and asked for rarely. */
    for (i = 0; i < 60; i++) {
        mid = 0.5 * (low + high);
        if (pshi_normal_cdf(mid) < p)
            low = mid;
        else
            high = mid;
    }
    return 0.5 * (low + high);
}

/* The first index whose value is not below x. */
static size_t lower_bound(const float *sorted, size_t n, float x) {
    size_t low = 0, mid;

    while (n > low) {
        mid = low + (n - low) / 2;
        if (sorted[mid] < x)
            low = mid + 1;
        else
            n = mid;
    }
    return low;
}

void pshi_sorted_insert(float *sorted, size_t n, float x) {
    size_t i = lower_bound(sorted, n, x);

    memmove(sorted + i + 1, sorted + i, (n - i) * sizeof *sorted);
    sorted[i] = x;
}

void pshi_sorted_remove(float *sorted, size_t n, float x) {
    size_t i = lower_bound(sorted, n, x);

    if (i < n)
        memmove(sorted + i, sorted + i + 1, (n - i - 1) * sizeof *sorted);
}

static double position(const float *sorted, size_t n, double at) {
    size_t i = (size_t)at;

    if (i + 1 >= n)
        return (double)sorted[n - 1];
    return (double)sorted[i] + (at - (double)i) * ((double)sorted[i + 1] - (double)sorted[i]);
}

double pshi_sorted_quantile(const float *sorted, size_t n, double p) {
    double at = ((double)n + 1) * p - 1, median = position(sorted, n, ((double)n - 1) / 2), grow;

    if (at >= 0 && at <= (double)n - 1)
        return position(sorted, n, at);
    /* The outermost value stands at probability 1/(n+1); an exponential tail grows with the logarithm. */
    grow = log(2 * (at < 0 ? p : 1 - p)) / log(2 / ((double)n + 1));
    if (n < 2)
        grow = 1;
    return median + grow * ((double)(at < 0 ? sorted[0] : sorted[n - 1]) - median);
}

double pshi_sorted_above(const float *sorted, size_t n, double x) {
    size_t i = lower_bound(sorted, n, (float)x);

    return ((double)(n - i) + 0.5) / ((double)n + 1);
}
