/* SPDX-License-Identifier: MIT */
/** @file forecast/segment_series.h  The series of segments: what their members wrote. */
#ifndef PSHI_FORECAST_SEGMENT_SERIES_H
#define PSHI_FORECAST_SEGMENT_SERIES_H

#include "forecast/forecaster.h"

/**
 * Gives segments with members the history of those that they have now: those without a series and, if all = 1,
 * those whose members changed. O(members x history). A limit that refuses the series leaves the segment without.
 * @return PSH_OK, PSH_E_NOMEM.
 */
psh_status pshi_segments_refresh(psh_forecaster *f, uint32_t table, pshi_segments *g, int all);

#endif
