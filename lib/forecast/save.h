/* SPDX-License-Identifier: MIT */
/** @file forecast/save.h  Sections of a saved forecaster. */
#ifndef PSHI_FORECAST_SAVE_H
#define PSHI_FORECAST_SAVE_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "forecast/forecaster.h"

#define PSHI_FORECASTER_OPTIONS 1u
#define PSHI_FORECASTER_STATE 2u
#define PSHI_FORECASTER_SERIES 3u
#define PSHI_FORECASTER_TEMPLATES 4u
#define PSHI_FORECASTER_SEGMENTS 32u
#define PSHI_FORECASTER_LABELS 33u
#define PSHI_FORECASTER_SIGNALS 5u
#define PSHI_FORECASTER_WORKLOAD 16u
#define PSHI_FORECASTER_MORE 17u
#define PSHI_FORECASTER_KEYS 18u

/** What is kept beside templates, in their order, and their clusters. */
void pshi_put_more(pshi_writer *w, const psh_forecaster *f);
/** Into a forecaster whose templates are loaded. @return PSH_OK, PSH_E_CORRUPT, PSH_E_LIMIT, PSH_E_NOMEM. */
psh_status pshi_get_more(pshi_cursor *c, psh_forecaster *f);

#endif
