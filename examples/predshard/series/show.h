/* SPDX-License-Identifier: MIT */
/** @file show.h  A fitted series as text, and all of them as JSON. */
#ifndef TOOL_SHOW_H
#define TOOL_SHOW_H

#include <stdio.h>

#include <jansson.h>

#include "fit.h"

/** One series: what it is, backtest, sparkline, table. */
void show_series(const forecast_options *o, const fit *x, FILE *to);
/** The header (x NULL) or the line of one among many series. */
void show_line(const fit *x, FILE *to);
/** One object with the fields that show.c documents, or NULL with f set. */
json_t *show_json(const forecast_options *o, const rows *r, const fit *fits, size_t count, failure *f);

#endif
