/* SPDX-License-Identifier: MIT */
/** @file forecast/save.h  Sections of a saved forecaster. */
#ifndef PSHI_FORECAST_SAVE_H
#define PSHI_FORECAST_SAVE_H

#include "forecast/forecaster.h"

#define PSHI_FORECASTER_OPTIONS 1u
#define PSHI_FORECASTER_STATE 2u
#define PSHI_FORECASTER_SERIES 3u
#define PSHI_FORECASTER_TEMPLATES 4u
#define PSHI_FORECASTER_SEGMENTS 32u

#endif
