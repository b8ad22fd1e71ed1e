/* SPDX-License-Identifier: MIT */
/** @file plot.h  One page of charts: HTML with SVG inside, needing nothing from elsewhere. */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include <stddef.h>

typedef struct plot plot;

/** Ends the bench if the file cannot be written. title is escaped. */
plot *plot_begin(const char *path, const char *title);
/** Writes the table of values, closes and frees. */
void plot_end(plot *p);
/** One row of the table at the end. */
void plot_value(plot *p, const char *name, double value);

/** A series's end, what came, and what was said. */
typedef struct plot_band {
    const char *title;
    const double *past;   /**< Shape [n]; the last four horizons of it are drawn */
    size_t n;
    const double *came;   /**< Shape [h] */
    const double *mean;   /**< Shape [h] */
    const double *low;    /**< Shape [h] */
    const double *high;   /**< Shape [h] */
    size_t h;
} plot_band;
void plot_forecast(plot *p, const plot_band *b);

/** Points (x, y) joined in order, against the diagonal: a reliability diagram. Both in [0, 1]. */
void plot_reliability(plot *p, const char *title, const double *x, const double *y, size_t n);

#endif
