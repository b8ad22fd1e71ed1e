/* SPDX-License-Identifier: MIT */
/** @file map/arcs.h  Cutting the ring so that each arc carries about the same predicted load. */
#ifndef PSHI_MAP_ARCS_H
#define PSHI_MAP_ARCS_H

#include <stddef.h>
#include <stdint.h>

/** One tenant's place on the ring and predicted rows, > 0. */
typedef struct pshi_weight {
    uint64_t point;
    uint64_t tenant;
    double rows;
    double upto; /* sum of rows to here, this one with it */
    uint32_t table;
} pshi_weight;

/** Sorts by (table, point, tenant) and fills the sums, which begin anew in each table. */
void pshi_weights_sort(pshi_weight *w, size_t n);
/**
 * Cuts 0..2^64-1 into at most `arcs` arcs: after the tenant that reaches k / arcs of the load, for each k.
 * Tenants of one point stay together, and no arc is left without a tenant, so that fewer tenants make fewer
 * arcs; without any tenant the arcs are equal.
 * @param w      Shape [n], one table's, sorted
 * @param first  Shape [arcs]: receives where each arc begins, ascending, the first at 0
 * @return how many.
 */
size_t pshi_arcs_cut(const pshi_weight *w, size_t n, size_t arcs, uint64_t *first);
/** @return the share of the load that points first..last carry, 0..1; without tenants their share of the ring. */
double pshi_arcs_share(const pshi_weight *w, size_t n, uint64_t first, uint64_t last);

#endif
