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

static double ratio(const double top[8], const double bottom[8], double x) {
    double p = top[7], q = bottom[7];
    int i;

    for (i = 6; i >= 0; i--) {
        p = p * x + top[i];
        q = q * x + bottom[i];
    }
    return p / q;
}

/* Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution", 1988, PPND16. */
double pshi_normal_quantile(double p) {
    static const double a[8] = {
        3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
        4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3 };
    static const double b[8] = {
        1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
        2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3 };
    static const double c[8] = {
        1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
        1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4 };
    static const double d[8] = {
        1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
        1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9 };
    static const double e[8] = {
        6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
        2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7 };
    static const double f[8] = {
        1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
        7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15 };
    double q = p - 0.5, r, z;

    if (fabs(q) <= 0.425)
        return q * ratio(a, b, 0.180625 - q * q);
    r = sqrt(-log(q < 0 ? p : 1 - p));
    z = r <= 5 ? ratio(c, d, r - 1.6) : ratio(e, f, r - 5);
    return q < 0 ? -z : z;
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
