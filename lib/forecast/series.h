/* SPDX-License-Identifier: MIT */
/** @file forecast/series.h  One regular series: history, models, pending forecasts and their scores. */
#ifndef PSHI_FORECAST_SERIES_H
#define PSHI_FORECAST_SERIES_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "forecast/calibrate.h"
#include "forecast/holt.h"
#include "forecast/residuals.h"
#include "forecast/shape.h"

/* Members of the combination: seasonal naive short, long; Holt-Winters short, long. The mean serves where
   there is none of them. */
#define PSHI_MEMBERS 4u
#define PSHI_COMBINED 4u /* index of the combination's own error */

/** A bucket counts no more than this, so that sums of buckets, their errors and powers of those stay finite. */
#define PSHI_MOST_LOAD 0x1p100

/** A forecast of one bucket that waits for it. hw < 0: there was none. */
typedef struct pshi_made {
    float mean;
    float low;  /* central 90 % */
    float high;
    float hw[PSHI_SEASONS];
} pshi_made;

/** Exponentially decayed mean absolute error. */
typedef struct pshi_error {
    float sum;
    float weight;
} pshi_error;

/** A forecast of the total of `width` buckets that waits for its end. */
typedef struct pshi_total {
    int64_t from;  /* its first bucket; PSH_TIME_NONE: none pending */
    double mean;
    double raw;    /* probability predicted, < 0: none */
    double shown;  /* the same calibrated */
    double bar;    /* what the total must exceed for the prediction to come true */
} pshi_total;

/** Rolling sums behind psh_score. */
typedef struct pshi_tally {
    uint64_t scored;
    double weight;
    double error;
    double naive;
    double inside;
} pshi_tally;

typedef struct pshi_series {
    /* What an observation touches stands together, in one line of the cache. */
    psh_subject subject;
    int64_t start;      /* bucket of the first event */
    double *open;       /* Shape [shape.open] */
    double rows;        /* faded sums: bytes / rows is the mean size */
    double bytes;
    int64_t fit_at;     /* closed buckets at which parameters are chosen next */
    int64_t idle;       /* closed buckets since the last that was not zero */
    double mean;        /* faded mean per bucket; plain until there is a season */
    double raw_next;    /* templates: probability that the next bucket has a request, < 0: none */
    double shown_next;
    pshi_tally tally;
    pshi_holt holt[PSHI_SEASONS];
    pshi_error error[PSHI_GROUPS][PSHI_MEMBERS + 1];
    pshi_residuals residual[PSHI_GROUPS];
    pshi_residuals total_residual;
    pshi_total total[PSHI_TOTALS];
    float *ring;                  /* Shape [shape.ring] */
    float *season[PSHI_SEASONS];  /* Shape [shape.season[k]] */
    pshi_made *made[PSHI_GROUPS]; /* Shape [shape.lead[g]] */
} pshi_series;

/** Bytes that one series takes. */
size_t pshi_series_bytes(const pshi_shape *shape, uint32_t kind);
/** @return a series without history, or NULL. */
pshi_series *pshi_series_create(psh_env *env, const pshi_shape *shape, const psh_subject *subject, int64_t start);
/** Forgets all but the mean size of a row. */
void pshi_series_reset(pshi_series *s, const pshi_shape *shape, int64_t start);

/** Adds to an open bucket; slot is its place among the open ones. */
static inline void pshi_series_add(pshi_series *s, int64_t bucket, uint32_t slot, double amount, double bytes) {
    s->open[slot] += amount;
    s->rows += amount;
    s->bytes += bytes;
    if (bucket < s->start)
        s->start = bucket;
}
/** Closes `bucket`, the first open one: scores what was forecast for it, learns, forecasts anew. */
void pshi_series_close(pshi_series *s, const pshi_shape *shape, int64_t bucket, pshi_calibration *c);
/** @return 1 if parameters should be chosen again; `closed` is the first open bucket. */
int pshi_series_due(const pshi_series *s, int64_t closed);
/** Chooses parameters. @param scratch  Shape [ring + long season] */
void pshi_series_fit(pshi_series *s, const pshi_shape *shape, int64_t closed, float *scratch);

/** Closed buckets since its start. */
int64_t pshi_series_age(const pshi_series *s, int64_t closed);
/** What a bucket, open or closed, has received so far; 0 beyond what is kept. */
double pshi_series_actual(const pshi_series *s, const pshi_shape *shape, int64_t closed, int64_t bucket);
/** The combined forecast, lead 1 being the first open bucket; hw (may be NULL) receives the members. */
double pshi_series_mean(
    const pshi_series *s, const pshi_shape *shape, int64_t closed, uint32_t lead, float hw[PSHI_SEASONS]);
/** A quantile around a combined forecast. */
double pshi_series_quantile(const pshi_series *s, const pshi_shape *shape, uint32_t lead, double mean, double p);
/** Mean bytes of a row. */
double pshi_series_row_bytes(const pshi_series *s);
/** 1 - error / error of the seasonal naive, at least -1e6; 0 if unknown. */
double pshi_series_skill(const pshi_series *s);

/* totals.c */

/** Sum of forecasts of buckets [closed + lead - 1, ... + count). */
typedef struct pshi_sum {
    double mean;
    double upper;   /* the sum of the buckets' own quantiles: as if all erred together */
    double buckets; /* how many, with their shares */
    uint32_t lead;  /* of the last */
} pshi_sum;

/** Adds the share of one future bucket. p is the quantile for `upper`. */
void pshi_sum_add(
    pshi_sum *sum, const pshi_series *s, const pshi_shape *shape, int64_t closed, int64_t bucket, double share,
    double p);
/** The p-quantile of the whole: from residuals of totals where there are enough, at most the sum of quantiles. */
double pshi_sum_upper(const pshi_sum *sum, const pshi_series *s, const pshi_shape *shape, double p);
/** P(total > bar). */
double pshi_sum_above(const pshi_sum *sum, const pshi_series *s, const pshi_shape *shape, double bar);
/** Scores the total that ends with `bucket`, just closed, and makes the next one where it is time. */
void pshi_totals_close(pshi_series *s, const pshi_shape *shape, int64_t bucket, pshi_calibration *c);
/** The load above which a series is hot: PSHI_HOT times its own mean over as many buckets. */
double pshi_series_bar(const pshi_series *s, double buckets);

#define PSHI_HOT 2.0

/* codec.c */
void pshi_series_put(pshi_writer *w, const pshi_series *s, const pshi_shape *shape);
/** Fills a series made by create with its subject; marks the cursor on bad bytes. */
void pshi_series_get(pshi_cursor *c, pshi_series *s, const pshi_shape *shape);

#endif
