/* SPDX-License-Identifier: MIT */
/** @file forecast/series.h  One series: open buckets, and by its activity a sparse or a regular model. */
#ifndef PSHI_FORECAST_SERIES_H
#define PSHI_FORECAST_SERIES_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "forecast/calibrate.h"
#include "forecast/history.h"
#include "forecast/hot.h"
#include "forecast/shape.h"
#include "forecast/track.h"
#include "forecast/watch.h"
#include "model/rhythm.h"

/** A bucket counts no more than this, so that sums of buckets, their errors and powers of those stay finite. */
#define PSHI_MOST_LOAD 0x1p100
#define PSHI_NEAR 4u    /* open buckets that every series has room for; the rest on demand */
#define PSHI_EVENTS 8u  /* busy buckets that a sparse series remembers */

/** A forecast of one bucket that waits for it. */
typedef struct pshi_made {
    uint32_t due;   /* low bits of the bucket */
    float mean;     /* < 0: none */
    float low;      /* central 90 % */
    float high;
    float raw;      /* probability that it is hot, < 0: not predicted */
    float shown;    /* the same calibrated */
    float bar;      /* what it must exceed for that */
} pshi_made;

/** A forecast of the total of `width` buckets that waits for its end. */
typedef struct pshi_total {
    int64_t from;  /* its first bucket; PSH_TIME_NONE: none pending */
    float mean;
    float raw;     /* probability predicted, < 0: none */
    float shown;   /* the same calibrated */
    float bar;     /* what the total must exceed for the prediction to come true */
} pshi_total;

/** Rolling sums behind psh_score. */
typedef struct pshi_tally {
    uint64_t scored;
    double weight;
    double error;
    double naive;
    double inside;
} pshi_tally;

/** What a regular series has: history, the rhythm, pending forecasts and what their scores taught. One block. */
typedef struct pshi_regular {
    int64_t fit_at;       /* closed buckets at which parameters are chosen next */
    uint32_t fitted;      /* 1 once the rhythm answers */
    uint32_t totals;      /* totals scored, saturating */
    pshi_tally tally;
    float raw_next;       /* templates: probability that the next bucket has a request, < 0: none */
    float shown_next;
    float total_error;    /* faded mean square of relative errors of totals */
    float total_weight;
    pshi_track total_track;
    pshi_track track[PSHI_GROUPS];
    pshi_total total[PSHI_TOTALS];
    pshi_made *made[PSHI_GROUPS]; /* Shape [shape.slots[g]] */
    float *spread;        /* Shape [short season]: faded mean square of the next bucket's standardised error by place */
    float all_spread;     /* the same of all places */
    uint32_t spreads;     /* errors learned, saturating */
    uint16_t *history;    /* Shape [shape.ring] */
    uint8_t *masked;      /* Shape [(ring + 7) / 8], bits: buckets that teach nothing */
    pshi_rhythm *rhythm;
    pshi_watch watch;
} pshi_regular;

/** A busy bucket of a sparse series. */
typedef struct pshi_busy {
    uint32_t at;   /* buckets since the start */
    float amount;
} pshi_busy;

typedef struct pshi_series {
    /* What an observation touches stands together, in one line of the cache. */
    psh_subject subject;
    int64_t start;           /* bucket of the first event */
    double open[PSHI_NEAR];  /* by the low bits of the bucket: those from the first open one on */
    double *far;             /* Shape [shape.open], those beyond; NULL until there are any */
    double rows;             /* faded sums: bytes / rows is the mean size */
    double bytes;
    int64_t idle;            /* closed buckets since the last that was not zero */
    float mean;              /* faded mean per bucket; plain until there is a season */
    float busy;              /* faded share of buckets that were not zero */
    float size;              /* TSB: mean of those that were not */
    float size2;             /* and of their squares */
    pshi_regular *regular;   /* NULL: sparse */
    pshi_hot *hot;           /* NULL: not hot; only with regular */
    uint32_t events;         /* of event[], the latest, saturating */
    uint32_t segment;        /* tenants: place of their segment and PSHI_PLACE_*, see tenant.h; 0: none */
    pshi_busy event[PSHI_EVENTS]; /* a ring while sparse; by events, oldest overwritten */
} pshi_series;

struct pshi_lender;

/** What all series share while they close and forecast, and the path of the series asked last. */
typedef struct pshi_outlook {
    const pshi_shape *shape;
    pshi_calibration *calibration;
    int64_t closed;          /* the first open bucket */
    const pshi_series *of;   /* whose path it is; NULL: none */
    uint32_t steps;          /* of the path */
    uint32_t factored;       /* 1 if events are in it: their factors stand in signals */
    double *mean;            /* Shape [shape.max_lead], without them */
    double *said[PSHI_HOT_MEMBERS]; /* the same, each member of a hot series; < 0: nothing */
    double *window;          /* Shape [2 long seasons]: what the network looks at */
    float *work;
    struct pshi_lender *lender; /* NULL while series close: then each stands alone */
    psh_env *env;
    pshi_lstm *net;          /* NULL: none */
    double base;             /* mean[0] without metrics either */
    struct pshi_signals *signals; /* borrowed */
} pshi_outlook;

/** @return PSH_OK, PSH_E_NOMEM. Memory goes with pshi_outlook_free. */
psh_status pshi_outlook_init(psh_env *env, const pshi_shape *shape, pshi_calibration *c, pshi_outlook *out);
void pshi_outlook_free(psh_env *env, pshi_outlook *o);
uint64_t pshi_outlook_bytes(const pshi_shape *shape);

/** Bytes that a new series of a kind takes; and that this one does. */
size_t pshi_series_bytes(const pshi_shape *shape, uint32_t kind);
size_t pshi_series_held(const pshi_shape *shape, const pshi_series *s);
/** Whether series of a kind begin, and may end, sparse. */
int pshi_kind_may_be_sparse(uint32_t kind);
/** @return a series without history, or NULL. */
pshi_series *pshi_series_create(psh_env *env, const pshi_shape *shape, const psh_subject *subject, int64_t start);
void pshi_series_destroy(psh_env *env, pshi_series *s);
/** Forgets all but the mean size of a row. */
void pshi_series_reset(pshi_series *s, const pshi_shape *shape, int64_t start);
/** Makes room for open buckets beyond the near ones. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_series_reach(psh_env *env, pshi_series *s, const pshi_shape *shape);
/** Sparse becomes regular, with the history its events tell. @return PSH_OK, PSH_E_NOMEM (nothing done). */
psh_status pshi_series_promote(psh_env *env, pshi_series *s, const pshi_shape *shape, int64_t closed);
/** Regular becomes sparse. */
void pshi_series_demote(psh_env *env, pshi_series *s);
/** Regular becomes hot at its next fit, or no longer is. @return PSH_OK, PSH_E_NOMEM (nothing done). */
psh_status pshi_series_heat(psh_env *env, pshi_series *s, const pshi_shape *shape, int hot);
/** Whether load and age ask for more members; bar is the mean load of the coolest that shall have them. */
int pshi_series_is_hot(const pshi_series *s, const pshi_shape *shape, int64_t closed, double bar);
/** What activity asks for: > 0 promote, < 0 demote, 0 stay. */
int pshi_series_wants(const pshi_series *s, const pshi_shape *shape, int64_t closed);

/** Where an open bucket is counted. */
static inline double *pshi_series_slot(pshi_series *s, const pshi_shape *shape, int64_t closed, int64_t bucket) {
    return bucket - closed < (int64_t)PSHI_NEAR ? &s->open[(uint64_t)bucket % PSHI_NEAR]
                                                : &s->far[pshi_slot(bucket, shape->open)];
}
/** Adds to an open bucket at its slot. */
static inline void pshi_series_add(pshi_series *s, int64_t bucket, double *slot, double amount, double bytes) {
    *slot += amount;
    s->rows += amount;
    s->bytes += bytes;
    if (bucket < s->start)
        s->start = bucket;
}
/** Closes the first open bucket o->closed: scores what was forecast for it, learns, forecasts anew; moves o on. */
void pshi_series_close(pshi_outlook *o, pshi_series *s);
/** @return 1 if parameters should be chosen again. */
int pshi_series_due(const pshi_series *s, int64_t closed);
/** Chooses parameters of a regular series. @return PSH_OK, PSH_E_NOMEM (nothing done). */
psh_status pshi_series_fit(psh_env *env, pshi_series *s, const pshi_outlook *o);

/** Puts a closed bucket of a regular series into its history after the event: nothing is scored. */
void pshi_series_recall(pshi_series *s, const pshi_shape *shape, int64_t bucket, double y);

/** Closed buckets since its start. */
int64_t pshi_series_age(const pshi_series *s, int64_t closed);
/** What a bucket, open or closed, has received so far; 0 beyond what is kept. */
double pshi_series_actual(const pshi_series *s, const pshi_shape *shape, int64_t closed, int64_t bucket);
/** The forecast, lead 1 being the first open bucket. */
double pshi_series_mean(pshi_outlook *o, const pshi_series *s, uint32_t lead);
/** A quantile around a forecast. */
double pshi_series_quantile(const pshi_outlook *o, const pshi_series *s, uint32_t lead, double mean, double p);
/** How much more, or less, than on average the series errs at the place of a bucket. */
double pshi_series_spread(const pshi_series *s, const pshi_shape *shape, int64_t bucket);
/** Variance of one bucket of a sparse series. */
double pshi_series_variance(const pshi_outlook *o, const pshi_series *s);
/** Of a sparse series: the probability that it has not stopped for good, and that a bucket to come is busy. */
double pshi_sparse_alive(const pshi_outlook *o, const pshi_series *s);
double pshi_sparse_chance(const pshi_outlook *o, const pshi_series *s);
/** Mean bytes of a row. */
double pshi_series_row_bytes(const pshi_series *s);
/** 1 - error / error of the seasonal naive, at least -1e6; 0 if unknown. */
double pshi_series_skill(const pshi_series *s);
/** 1 if forecasts were scored. */
int pshi_series_scored(const pshi_series *s);

/* totals.c */

/** Sum of forecasts of buckets [closed + lead - 1, ... + count). */
typedef struct pshi_sum {
    double mean;
    double upper;   /* the sum of the buckets' own quantiles: as if all erred together */
    double buckets; /* how many, with their shares */
    uint32_t lead;  /* of the last */
} pshi_sum;

/** Adds the share of one future bucket. p is the quantile for `upper`. */
void pshi_sum_add(pshi_outlook *o, pshi_sum *sum, const pshi_series *s, int64_t bucket, double share, double p);
/** The p-quantile of the whole: from errors of totals where there are enough, at most the sum of quantiles. */
double pshi_sum_upper(const pshi_outlook *o, const pshi_sum *sum, const pshi_series *s, double p);
/** P(total > bar). */
double pshi_sum_above(const pshi_outlook *o, const pshi_sum *sum, const pshi_series *s, double bar);
/** P(value > bar) of one bucket at a lead of a series that is fitted. */
double pshi_series_above(const pshi_outlook *o, const pshi_series *s, uint32_t lead, double mean, double bar);
/** Scores the total that ends before o->closed. */
void pshi_totals_score(pshi_outlook *o, pshi_series *s);
/** Makes the next total. */
void pshi_totals_make(pshi_outlook *o, pshi_series *s);
/** The load above which a series is hot: PSHI_HOT times its own mean over as many buckets. */
double pshi_series_bar(const pshi_series *s, double buckets);

#define PSHI_HOT 2.0

/* codec.c */
void pshi_series_put(pshi_writer *w, const pshi_series *s, const pshi_shape *shape);
/** Fills a series made by create with its subject. @return PSH_OK, PSH_E_NOMEM, PSH_E_CORRUPT (c is marked). */
psh_status pshi_series_get(
    psh_env *env, pshi_cursor *c, pshi_series *s, const pshi_shape *shape, const struct pshi_signals *g);

#endif
