/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "model/lstm_net.h"

#define FLAT 1e-9 /* below this share of the size, variation is noise of the arithmetic */
#define TURN 6.283185307179586

/* Where value i stands, i < 0 being before the first: the same place of the earliest season there is. */
static size_t fold(const pshi_lstm_shape *s, const pshi_lstm_series *series, int64_t i) {
    uint32_t k = s->seasons;
    uint64_t back;

    if (i >= 0)
        return (size_t)i;
    while (k > 0 && s->season[k - 1] > series->n)
        k--;
    if (!k)
        return 0;
    back = (uint64_t)-i % s->season[k - 1];
    return back ? (size_t)(s->season[k - 1] - back) : 0;
}

/* Grows like log1p on both sides of 0, in units of the window's mean size. */
static double shrink(const pshi_lstm_scale *scale, double y) {
    return copysign(log1p(fabs(y) / scale->size), y);
}

static pshi_lstm_scale measure(const pshi_lstm_shape *s, const pshi_lstm_series *series, int64_t first) {
    pshi_lstm_scale scale = { 0, 0, 0 };
    double sum = 0, d;
    uint32_t t;

    for (t = 0; t < s->window; t++)
        scale.size += fabs(series->values[fold(s, series, first + t)]) / s->window;
    if (!(scale.size > 0))
        return scale;
    for (t = 0; t < s->window; t++)
        scale.mean += shrink(&scale, series->values[fold(s, series, first + t)]) / s->window;
    for (t = 0; t < s->window; t++) {
        d = shrink(&scale, series->values[fold(s, series, first + t)]) - scale.mean;
        sum += d * d;
    }
    scale.sd = sqrt(sum / s->window);
    if (!(scale.sd > FLAT))
        scale.sd = 0;
    return scale;
}

static float scaled(const pshi_lstm_scale *scale, double y) {
    double z;

    if (!(scale->size > 0) || !(scale->sd > 0))
        return 0;
    z = (shrink(scale, y) - scale->mean) / scale->sd;
    return (float)(z > PSHI_LSTM_FAR ? PSHI_LSTM_FAR : z < -PSHI_LSTM_FAR ? -PSHI_LSTM_FAR : z);
}

double pshi_lstm_unscale(const pshi_lstm_scale *scale, double z) {
    double u = scale->mean + scale->sd * z;

    return copysign(scale->size * expm1(fabs(u)), u);
}

/* Inputs of step t, whose value stands at z[at] and was number i of the series. */
static void fill_inputs(
    const pshi_lstm_shape *s, const pshi_lstm_series *series, const float *z, uint32_t at, int64_t i, float *x) {
    uint64_t m, place;
    double angle;
    uint32_t j;

    *x++ = z[at];
    for (j = 0; j < s->seasons; j++) {
        m = s->season[j];
        place = i >= 0 ? (uint64_t)i % m : m - 1 - (uint64_t)(-i - 1) % m;
        angle = TURN * (double)((place + series->phase[j]) % m) / (double)m;
        *x++ = z[at - m];
        *x++ = (float)sin(angle);
        *x++ = (float)cos(angle);
    }
}

/* Scaled values from value number `from` on, as far as a window and its outputs reach. */
static void scale_range(
    const pshi_lstm_shape *s, const pshi_lstm_scale *scale, const pshi_lstm_series *series, int64_t from,
    float *z) {
    uint32_t k;

    for (k = 0; k < s->window + s->outputs; k++)
        z[k] = from + k < (int64_t)series->n ? scaled(scale, series->values[fold(s, series, from + k)]) : 0;
}

void pshi_lstm_place(
    const pshi_lstm_shape *s, pshi_lstm_work *w, uint32_t r, const pshi_lstm_series *series, size_t end) {
    pshi_lstm_sizes n = pshi_lstm_sizes_of(s);
    int64_t first = (int64_t)end + 1 - s->window;
    float *z = w->z + r * ((size_t)n.lag + s->window + s->outputs), *a;
    uint32_t t;

    w->scale[r] = measure(s, series, first);
    for (t = 0; t < s->seasons; t++) /* what lies between the seasons is never read */
        scale_range(s, &w->scale[r], series, first - s->season[t], z + n.lag - s->season[t]);
    scale_range(s, &w->scale[r], series, first, z + n.lag);
    for (t = 0; t < s->window; t++) {
        a = w->a + ((size_t)t * w->rows + r) * n.row;
        a[0] = 1;
        fill_inputs(s, series, z, n.lag + t, first + t, a + 1 + s->width);
    }
    w->a[((size_t)s->window * w->rows + r) * n.row] = 1;
}
