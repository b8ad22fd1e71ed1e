/* SPDX-License-Identifier: MIT */
/** @file forecast/young.h  What a young tenant borrows from its segment. */
#ifndef PSHI_FORECAST_YOUNG_H
#define PSHI_FORECAST_YOUNG_H

#include "forecast/signals.h"
#include "forecast/store.h"
#include "forecast/tenant.h"

/** The segment's path, and what the tenant asked about last takes of it. */
typedef struct pshi_lender {
    const pshi_store *store;
    const pshi_tenants *tenants;
    pshi_outlook path;     /* of segments; its own memory, made when first needed */
    pshi_signals signals;  /* the forecaster's, but with factors of its own */
    double *factor;         /* Shape [shape.max_lead] */
    const pshi_series *to; /* NULL: nobody yet */
    const pshi_series *segment; /* NULL: it lends nothing */
    uint64_t id;
    uint32_t mark;         /* of the tenant when that was made out */
    uint32_t reserved;
    double ratio;          /* the tenant's level over the segment's */
    double weight;         /* of the segment's word, 0..1 */
} pshi_lender;

/** Forgets what was made out: series closed, were fitted, or went. */
void pshi_lender_reset(pshi_lender *l);
void pshi_lender_free(psh_env *env, pshi_lender *l);
/** Makes room for paths, once. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_lender_ready(psh_env *env, pshi_lender *l, const pshi_shape *shape, pshi_calibration *c);
/** The mean of a tenant with a segment, `own` being what its own model says. */
double pshi_lent_mean(const pshi_outlook *o, const pshi_series *s, uint32_t lead, double own);

#endif
