/* SPDX-License-Identifier: MIT */
/** @file grid.h  Rows of one key as a regular series: the step found, gaps filled or marked. */
#ifndef TOOL_GRID_H
#define TOOL_GRID_H

#include "clock.h"
#include "rows.h"

typedef struct grid {
    double *value;     /**< Shape [count], finite; what is missing repeats the value before */
    uint8_t *missing;  /**< Shape [count]: 1 = no value was there */
    size_t count;
    size_t missing_count;
    int64_t start;     /**< time of value 0, by time_kind */
    int64_t step;      /**< ns, or of the index; 0 with months */
    int32_t months;    /**< step in calendar months; 0 = none */
    uint32_t time_kind;
    uint64_t off_grid; /**< rows moved to the nearest step */
} grid;

/** Finds the step of all series: the most usual distance, or calendar months. @return as grid_make. */
int grid_step(const forecast_options *o, const rows *r, grid *out, failure *f);
/**
 * @param like  what grid_step gave
 * @param from  first row of the key in r, count of its rows
 * @return EXIT_DONE, EXIT_BAD_INPUT, EXIT_INTERNAL.
 */
int grid_make(
    const forecast_options *o, const rows *r, const grid *like, size_t from, size_t count, grid *out, failure *f);
void grid_free(grid *g);
/** The time of value i, which may lie after the end, as text; iso = 1 for JSON. */
void grid_time(const grid *g, size_t i, int iso, char text[CLOCK_TEXT]);
/** "1 h", "1 month", "1". */
void grid_step_text(const grid *g, char text[CLOCK_TEXT]);
/** Seasons usual for the step, in steps, ascending. @return how many. */
uint32_t grid_seasons(const grid *g, uint32_t season[MAX_SEASONS]);

#endif
