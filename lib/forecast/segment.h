/* SPDX-License-Identifier: MIT */
/** @file forecast/segment.h  Segments at work in a forecaster: evaluation, changes, their series. */
#ifndef PSHI_FORECAST_SEGMENT_H
#define PSHI_FORECAST_SEGMENT_H

#include "forecast/forecaster.h"

/** @return 1 unless the options forbid segments. */
int pshi_segments_on(const psh_forecaster *f);
/** The record of a tenant, made where there is none. @return PSH_OK, PSH_E_LIMIT, PSH_E_NOMEM. */
psh_status pshi_tenant_need(psh_forecaster *f, uint32_t table, uint64_t id, pshi_tenant **out);
/** Lets the series of a tenant know its record's segment. */
void pshi_tenant_tell(psh_forecaster *f, const pshi_tenant *r);
/** Changes to a segment: at once where there is none yet, else from the table's next interval on. */
void pshi_tenant_move(psh_forecaster *f, pshi_tenant *r, uint32_t segment);
/** The segment whose series a write of a tenant counts in; 0: none. *place is where it stands. */
uint32_t pshi_segment_for(const psh_forecaster *f, const pshi_series *s, int64_t time, uint32_t *place);
/**
 * After buckets from `from` on were closed: tenants whose turn it is are looked at and may change, changes that are
 * due are made, and once per long season each table's segments are clustered anew, at a cost of 1 of budget.
 * @return PSH_OK, PSH_AGAIN (no budget left), PSH_E_NOMEM.
 */
psh_status pshi_tenants_step(psh_forecaster *f, int64_t from, uint32_t *budget);

#endif
