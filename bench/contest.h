/* SPDX-License-Identifier: MIT */
/** @file contest.h  One kind of model over a set of series, scored as the M competitions score. */
#ifndef BENCH_CONTEST_H
#define BENCH_CONTEST_H

#include <predshard.h>

#include "scores.h"
#include "series_io.h"

/** One series from one origin. */
typedef struct task {
    const char *id;
    const double *train; /**< Shape [n], borrowed */
    size_t n;
    const double *test;  /**< Shape [h], borrowed */
    size_t h;
    uint32_t season[3];  /**< as in psh_model_spec */
    uint32_t m;          /**< the season of MASE and Naive2; 1 = none */
} task;

typedef struct contest {
    task *list;
    size_t n;
    size_t cap;
    const char *model;   /**< NULL: the default */
    const char *plot;    /**< NULL: no page */
    uint32_t history;    /**< models see the last so many values; 0 = all. Naive2 and the scales see all */
    uint32_t repeats;    /**< fits of each series; the fastest counts */
    uint32_t r;          /**< the first so many series go to R too */
    const char *r_methods; /**< as rscript_run's */
} contest;

void contest_add(contest *c, const task *t);
/** Fits, forecasts, scores, prints. */
void contest_run(contest *c, const char *title);
void contest_free(contest *c);

#endif
