/* SPDX-License-Identifier: MIT */
/** @file forecast/hierarchy.h  The tree of a table: who is in it, and what each forecasts alone. */
#ifndef PSHI_FORECAST_HIERARCHY_H
#define PSHI_FORECAST_HIERARCHY_H

#include "forecast/forecaster.h"
#include "forecast/reconcile.h"

#define PSHI_LEVELS 7u /* quantiles of a hierarchy */

typedef struct pshi_member {
    uint32_t kind;       /* PSH_NODE_* */
    uint32_t parent;
    uint32_t rest;
    uint32_t sum;        /* 1: no forecast of its own, it is what its children say */
    uint64_t id;
    double level;        /* rows per bucket, trailing */
    double part;         /* a rest's share of the model's path */
    const pshi_series *series; /* its own, or for a rest the one whose path it shares; NULL: none */
} pshi_member;

struct psh_hierarchy {
    psh_env *env;
    uint32_t count;
    uint32_t steps;
    pshi_member *list;   /* Shape [count] */
    pshi_branch *tree;   /* Shape [count] */
    double *mean;        /* Shape [count][steps] */
    double *quantiles;   /* Shape [count][steps][PSHI_LEVELS] */
};

extern const double pshi_hierarchy_levels[PSHI_LEVELS];

/**
 * Fills list and tree: total; segments; partitions; tenants by segment.
 * @return PSH_OK, PSH_E_NOMEM, PSH_E_NO_FORECAST (no history of the table).
 */
psh_status pshi_hierarchy_members(
    psh_forecaster *f, uint32_t table, int64_t at, uint32_t max_tenants, psh_hierarchy *h);

#endif
