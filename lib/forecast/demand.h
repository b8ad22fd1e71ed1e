/* SPDX-License-Identifier: MIT */
/** @file forecast/demand.h  Making a demand: entries as they are found. */
#ifndef PSHI_FORECAST_DEMAND_H
#define PSHI_FORECAST_DEMAND_H

#include "forecast/forecaster.h"

typedef struct pshi_wish {
    psh_forecaster *f;
    psh_demand_request r;
    int64_t now_bucket;
    int64_t window;         /* buckets that [from, to) spans, rounded up */
    double elapsed;         /* share of the bucket of now that has passed */
    double margin;          /* reactive: noise of a count, in its square roots, at the quantile */
    psh_demand_entry *list; /* each holds a reference of its definition */
    size_t count;
    size_t cap;
} pshi_wish;

/** One series' load in a slice of time. */
typedef struct pshi_load {
    double count;  /* past + expected */
    double upper;
    double past;   /* what buckets before that of now received */
    double known;  /* what the bucket of now has already */
    pshi_sum sum;
} pshi_load;

void pshi_wish_load(const pshi_wish *w, const pshi_series *s, int64_t from, int64_t to, pshi_load *out);
/** An entry of a series over the whole window. */
psh_demand_entry pshi_wish_entry(
    const pshi_wish *w, const pshi_series *s, uint32_t kind, uint64_t id, const pshi_load *load);
/** @return PSH_OK, PSH_E_NOMEM (the caller keeps the entry's reference). */
psh_status pshi_wish_add(pshi_wish *w, const psh_demand_entry *e);
/** Sorts the entries from `from` on and drops all after the first `most`. */
void pshi_wish_cut(pshi_wish *w, size_t from, uint32_t most, int (*order)(const void *, const void *));
/** Adds what views would be asked for. */
psh_status pshi_wish_views(pshi_wish *w);

#endif
