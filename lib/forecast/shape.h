/* SPDX-License-Identifier: MIT */
/** @file forecast/shape.h  Sizes and rates that follow from the options; one for all series of a forecaster. */
#ifndef PSHI_FORECAST_SHAPE_H
#define PSHI_FORECAST_SHAPE_H

#include <predshard/forecaster.h>

#define PSHI_GROUPS 4u  /* at most: leads that are scored */
#define PSHI_SEASONS 2u
#define PSHI_KINDS 9u   /* PSH_SUBJECT_* and 0 */
#define PSHI_TOTALS 8u  /* totals that are pending at once, at most */
#define PSHI_MAX_SEASON 65536u
#define PSHI_MAX_OPEN 16384u
#define PSHI_MAX_HISTORY (1u << 20)

typedef struct pshi_shape {
    int64_t bucket_ns;
    uint32_t season[PSHI_SEASONS]; /* short, long; long is 0 where it is the short */
    uint32_t longest;           /* the long season, whichever */
    uint32_t ring;              /* closed buckets kept */
    uint32_t patience;          /* idle buckets after which a series is forgotten */
    uint32_t open;              /* buckets that may be open at once */
    uint32_t late;              /* buckets that lateness_ns reaches over */
    uint32_t groups;
    uint32_t lead[PSHI_GROUPS]; /* ascending; the last is the horizon */
    uint32_t slots[PSHI_GROUPS]; /* forecasts that are pending at once */
    uint32_t pending;           /* the same, all groups */
    uint32_t stride;            /* buckets between forecasts of more than the next; no divisor of the seasons */
    uint32_t width;             /* buckets that one total spans: a short season */
    uint32_t max_lead;          /* how far ahead anything is forecast */
    double fade;                /* weight of a new value in means over about one long season */
} pshi_shape;

/** From checked options. */
void pshi_shape_init(pshi_shape *s, const psh_forecaster_options *o);
/** The group whose lead stands for `lead`. */
uint32_t pshi_shape_group(const pshi_shape *s, uint32_t lead);

/** The bucket that holds a time. */
int64_t pshi_bucket(const pshi_shape *s, int64_t time);
/** Where a bucket starts, kept inside the range of times. */
int64_t pshi_bucket_start(const pshi_shape *s, int64_t bucket);
/** The share of a bucket that lies in [from, to). */
double pshi_bucket_share(const pshi_shape *s, int64_t bucket, int64_t from, int64_t to);

/** bucket modulo size, never negative. */
static inline uint32_t pshi_slot(int64_t bucket, uint32_t size) {
    int64_t r;

    if ((uint64_t)bucket <= UINT32_MAX) /* nearly always, and a division of 32 bits is several times cheaper */
        return (uint32_t)bucket % size;
    r = bucket % (int64_t)size;
    return (uint32_t)(r < 0 ? r + (int64_t)size : r);
}

#endif
