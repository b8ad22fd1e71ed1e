/* SPDX-License-Identifier: MIT */
#include "math/dot.h"

#include <string.h>

/* Four lanes: an extension that gcc and clang lower to whatever the target has. */
typedef float lanes __attribute__((vector_size(16)));

static lanes load(const float *p) {
    lanes v;

    memcpy(&v, p, sizeof v);
    return v;
}

static float sum(lanes v) {
    return (v[0] + v[2]) + (v[1] + v[3]);
}

float pshi_dot(const float *a, const float *b, size_t n) {
    lanes x = { 0 }, y = { 0 };
    float rest = 0;
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        x += load(a + i) * load(b + i);
        y += load(a + i + 4) * load(b + i + 4);
    }
    for (; i < n; i++)
        rest += a[i] * b[i];
    return sum(x + y) + rest;
}

void pshi_dot4(const float *a, const float *const b[4], size_t n, float out[4]) {
    lanes s0 = { 0 }, s1 = { 0 }, s2 = { 0 }, s3 = { 0 }, v;
    size_t i;
    int k;

    for (i = 0; i + 4 <= n; i += 4) {
        v = load(a + i);
        s0 += v * load(b[0] + i);
        s1 += v * load(b[1] + i);
        s2 += v * load(b[2] + i);
        s3 += v * load(b[3] + i);
    }
    out[0] = sum(s0);
    out[1] = sum(s1);
    out[2] = sum(s2);
    out[3] = sum(s3);
    for (; i < n; i++)
        for (k = 0; k < 4; k++)
            out[k] += a[i] * b[k][i];
}

void pshi_axpy(float *y, float a, const float *x, size_t n) {
    size_t i;
    lanes v;

    for (i = 0; i + 4 <= n; i += 4) {
        v = load(y + i) + a * load(x + i);
        memcpy(y + i, &v, sizeof v);
    }
    for (; i < n; i++)
        y[i] += a * x[i];
}
