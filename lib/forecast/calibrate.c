/* SPDX-License-Identifier: MIT */
#include "forecast/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHRINK 10.0   /* a bin's own mean counts as this many predictions */
#define MEMORY 2000.0 /* predictions that a bin remembers, about */
#define MASSES 10u
#define LEAST_DUE 100u

void pshi_calibration_init(pshi_calibration *c) {
    uint32_t k, g;

    memset(c, 0, sizeof *c);
    for (k = 0; k < PSHI_KINDS; k++) {
        pshi_track_init(&c->total[k]);
        for (g = 0; g < PSHI_GROUPS; g++)
            pshi_track_init(&c->track[k][g]);
    }
}

void pshi_calibration_track_fields(pshi_fields *io, pshi_calibration *c) {
    uint32_t k, g;

    for (k = 0; k < PSHI_KINDS; k++) {
        pshi_track_fields(io, &c->total[k]);
        for (g = 0; g < PSHI_GROUPS; g++)
            pshi_track_fields(io, &c->track[k][g]);
    }
}

static uint32_t bin_of(double raw) {
    uint32_t i = (uint32_t)(raw * PSHI_BINS);

    return i < PSHI_BINS ? i : PSHI_BINS - 1;
}

/* Points of the map: where a bin stands and what it maps to, before it is made monotone. */
static void bin_points(const pshi_calibrator *c, double at[PSHI_BINS], double to[PSHI_BINS]) {
    uint32_t i;

    for (i = 0; i < PSHI_BINS; i++) {
        at[i] = c->weight[i] > 0 ? c->raw[i] / c->weight[i] : (i + 0.5) / PSHI_BINS;
        to[i] = (c->hits[i] + SHRINK * at[i]) / (c->weight[i] + SHRINK);
    }
}

/* Pool adjacent violators, weighted (Barlow et al. 1972). */
static void make_monotone(const pshi_calibrator *c, double to[PSHI_BINS]) {
    double value[PSHI_BINS], mass[PSHI_BINS];
    uint32_t size[PSHI_BINS], n = 0, i, j, k = 0;

    for (i = 0; i < PSHI_BINS; i++) {
        value[n] = to[i];
        mass[n] = c->weight[i] + SHRINK;
        size[n++] = 1;
        while (n > 1 && value[n - 2] > value[n - 1]) {
            value[n - 2] = (value[n - 2] * mass[n - 2] + value[n - 1] * mass[n - 1]) / (mass[n - 2] + mass[n - 1]);
            mass[n - 2] += mass[n - 1];
            size[n - 2] += size[n - 1];
            n--;
        }
    }
    for (i = 0; i < n; i++)
        for (j = 0; j < size[i]; j++)
            to[k++] = value[i];
}

double pshi_calibrate(const pshi_calibrator *c, double raw) {
    double at[PSHI_BINS + 2], to[PSHI_BINS + 2], p;
    uint32_t i = 1;

    bin_points(c, at + 1, to + 1);
    make_monotone(c, to + 1);
    /* Outside the outermost points the ends 0 and 1 draw, but never against the frequencies seen there. */
    at[0] = 0;
    to[0] = to[1] < at[1] ? 0 : to[1] - at[1];
    at[PSHI_BINS + 1] = 1;
    p = to[PSHI_BINS] + (1 - at[PSHI_BINS]);
    to[PSHI_BINS + 1] = p > 1 ? 1 : p;
    while (i < PSHI_BINS + 1 && at[i] < raw)
        i++;
    p = at[i] > at[i - 1] ? (raw - at[i - 1]) / (at[i] - at[i - 1]) : 1;
    p = to[i - 1] + p * (to[i] - to[i - 1]);
    return p < 0 ? 0 : p > 1 ? 1 : p;
}

static void note_shown(pshi_shown *s, double shown, int outcome) {
    s->p[s->head] = (float)(outcome ? -shown : shown);
    s->head = (s->head + 1) % PSHI_DUE;
    s->count += s->count < PSHI_DUE;
    s->total++;
}

void pshi_calibrate_learn(pshi_calibration *all, pshi_calibrator *c, double raw, double shown, int outcome) {
    uint32_t i = bin_of(raw);
    double keep = c->weight[i] < MEMORY ? 1 : 1 - 1 / MEMORY;

    c->weight[i] = c->weight[i] * keep + 1;
    c->raw[i] = c->raw[i] * keep + raw;
    c->hits[i] = c->hits[i] * keep + (outcome ? 1 : 0);
    note_shown(&all->shown, shown, outcome);
}

static double shown_of(float p) {
    return fabs((double)p);
}

static int by_shown(const void *a, const void *b) {
    double p = shown_of(*(const float *)a), q = shown_of(*(const float *)b);

    return p < q ? -1 : p > q;
}

/* Outcomes of equal probabilities stand in no order of their own: each counts as their mean. */
static double run_mean(const float *p, uint32_t at, uint32_t n, uint32_t *end) {
    uint32_t i = at, hits = 0;

    while (i < n && shown_of(p[i]) == shown_of(p[at])) {
        hits += signbit(p[i]) ? 1 : 0; /* -0 is a hit too */
        i++;
    }
    *end = i;
    return (double)hits / (i - at);
}

double pshi_calibration_error(const pshi_shown *s) {
    float p[PSHI_DUE];
    double error = 0, sum, mean = 0;
    uint32_t i, j, to, end = 0;

    if (s->count < LEAST_DUE)
        return 0;
    memcpy(p, s->p, s->count * sizeof *p);
    qsort(p, s->count, sizeof *p, by_shown);
    for (i = 0, j = 0; i < MASSES; i++) {
        sum = 0;
        for (to = (uint32_t)((uint64_t)s->count * (i + 1) / MASSES); j < to; j++) {
            if (j == end)
                mean = run_mean(p, j, s->count, &end);
            sum += mean - shown_of(p[j]);
        }
        error += fabs(sum);
    }
    return error / s->count;
}
