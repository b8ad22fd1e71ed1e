/* SPDX-License-Identifier: MIT */
/** @file forecast/template.h  What was learned of each query template, in bounded memory. */
#ifndef PSHI_FORECAST_TEMPLATE_H
#define PSHI_FORECAST_TEMPLATE_H

#include "ds/idmap.h"
#include "forecast/habit.h"
#include "forecast/store.h"

#define PSHI_MOST_FOLD 168u
#define PSHI_TENANT_BITS 6u /* HyperLogLog of tenants: 64 registers, standard error 13 % */

/** What is kept beside a template: its constants, its tenants, and when in a long season it is asked. */
typedef struct pshi_more {
    pshi_habit habit;
    uint8_t tenants[1u << PSHI_TENANT_BITS];
    double spread;       /* sum of weight * (weight - 1): variance that sampling adds to the count */
    uint64_t cluster;    /* 0 = none yet */
    uint64_t candidate;  /* cluster it was closer to at the last evaluation; 0 = none, UINT64_MAX = its own */
    int64_t base;        /* long season that weights of `fold` refer to */
    int64_t first;       /* season * slots + slot of the first request */
    float fold[];        /* Shape [fold]: requests by place in the long season, fading */
} pshi_more;

typedef struct pshi_template {
    uint64_t id;
    psh_query *example;  /* referenced */
    uint32_t table;
    uint32_t access;     /* PSH_ACCESS_* */
    double count;        /* weighted, all time */
    double duration;     /* weighted sums */
    double rows;
    double bytes;
    double work;         /* weighted sum of records at the base */
    double work_count;
    double span;         /* weighted sum of the same records' hours of data that they reached over */
    double span_now;     /* the same of all records, at the base or not: faded mean */
    double recent;       /* log2 of the count that halves every half life, moved to time 0, in half lives */
    int64_t align_ns;
    int64_t reach_ns;
    int64_t last_seen;
    pshi_more *more;     /* owned */
} pshi_template;

typedef struct pshi_templates {
    pshi_idmap map;
    pshi_template *list;
    size_t count;
    size_t cap;
    uint32_t *order;     /* by count, made when asked for */
    size_t order_cap;
    int ordered;
    uint32_t fold;       /* slots of each template's fold */
    uint64_t bytes;      /* of what is beside the templates */
} pshi_templates;

void pshi_templates_free(psh_env *env, pshi_templates *t);
/** @return the template or NULL. */
pshi_template *pshi_templates_find(const pshi_templates *t, uint64_t id);
/** Adds an empty template of a query, which it references. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_templates_add(psh_env *env, pshi_templates *t, psh_query *q, pshi_template **out);
/** Takes one out; the last takes its place. */
void pshi_templates_remove(psh_env *env, pshi_templates *t, size_t i);
/**
 * Index of the one least asked for lately among the first n >= 1, ties by id; where there are many, among a few
 * that the seed picks, so that a flood of new templates costs no walk over all of them each.
 */
size_t pshi_templates_least(const pshi_templates *t, size_t n, uint64_t seed);
/** One request more. @param first  time of the table's first row known; PSH_TIME_MAX if there is none */
void pshi_template_learn(pshi_template *t, const psh_query_record *r, int64_t half_life, int64_t first);
/** Makes t->order. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_templates_sort(psh_env *env, pshi_templates *t);
void pshi_template_info(const pshi_template *t, psh_template_info *out);
/** How a query reaches its rows, told by its predicates on the tenant column and its time range. */
uint32_t pshi_query_access(const psh_query *q);

#endif
