/* SPDX-License-Identifier: MIT */
/** @file forecast/workload.h  Counts of the query log that outlive templates, in bounded memory. */
#ifndef PSHI_FORECAST_WORKLOAD_H
#define PSHI_FORECAST_WORKLOAD_H

#include <predshard/workload.h>

#include "ds/space_saving.h"
#include "forecast/template.h"

#define PSHI_FACETS (PSH_WORKLOAD_COLUMN_SET + 1u) /* by kind */
#define PSHI_GONE 512u
#define PSHI_TENANTS 4096u
#define PSHI_PAIRS 4096u
#define PSHI_SEEN_BITS 12u

/** Sums over requests. */
typedef struct pshi_usage {
    double count;
    double spread; /* sum of weight * (weight - 1) */
    double duration;
    double rows;
    double bytes;
    double work;
} pshi_usage;

/** Something that a query has: a column in a role, a filter, a set. */
typedef struct pshi_facet {
    uint64_t id;
    uint32_t kind;
    uint32_t table;
    uint32_t role;
    uint32_t op;
    uint32_t column_count;
    uint32_t columns[PSH_WORKLOAD_COLUMNS];
} pshi_facet;

/** Calls `found` for each facet of a kind that a query has, once each, columns ascending. */
typedef psh_status (*pshi_facet_found)(void *user, const pshi_facet *facet);
psh_status pshi_facets(const psh_query *q, uint32_t kind, pshi_facet_found found, void *user);

typedef struct pshi_pair {
    uint64_t tenant;
    uint64_t template;
} pshi_pair;

/** Zeroed is empty. */
typedef struct pshi_workload {
    pshi_usage total;
    double evicted;
    uint64_t turn;           /* items drawn for: see admit */
    pshi_space_saving tenants;
    pshi_usage *tenant;      /* Shape [PSHI_TENANTS]: since the tenant holds the slot */
    pshi_space_saving pairs; /* ids are hashes of both */
    pshi_usage *pair;
    pshi_pair *pair_key;
    pshi_space_saving gone[PSHI_FACETS]; /* what evicted templates had, by kind */
    pshi_usage *gone_usage[PSHI_FACETS];
    pshi_facet *gone_facet[PSHI_FACETS];
    uint8_t seen[1u << PSHI_SEEN_BITS];
} pshi_workload;

void pshi_workload_free(psh_env *env, pshi_workload *w);
/** Memory for tenants, or for what evicted templates leave. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_workload_ready(psh_env *env, pshi_workload *w, int tenants, int gone);
uint64_t pshi_workload_bytes(const pshi_workload *w);
/** One request; memory for tenants is there if it has one. O(1), allocates nothing. */
void pshi_workload_learn(pshi_workload *w, uint64_t template, const psh_query_record *r);
/** A template that was not known comes. */
void pshi_workload_meet(pshi_workload *w, uint64_t template);
/** A template goes: its counts stay, as far as there is room. Memory for it is there. */
void pshi_workload_evict(pshi_workload *w, const pshi_template *t);
void pshi_workload_put(pshi_writer *w, const pshi_workload *x);
/** Into an empty one. @return PSH_OK, PSH_E_CORRUPT, PSH_E_NOMEM. */
psh_status pshi_workload_get(psh_env *env, pshi_cursor *c, pshi_workload *x, size_t tables);

#endif
