/* SPDX-License-Identifier: MIT */
/** @file rows.h  The rows of a CSV file: time, value, key. */
#ifndef TOOL_ROWS_H
#define TOOL_ROWS_H

#include <stddef.h>

#include "forecast.h"

#define TIME_NONE 0  /**< no time column: rows are one step apart */
#define TIME_INDEX 1 /**< whole numbers that count steps */
#define TIME_CLOCK 2 /**< times */

typedef struct row {
    int64_t time;  /**< by time_kind: row number, number, ns since 1970 */
    double value;  /**< NaN: an empty cell */
    uint64_t line; /**< of the file, from 1 */
    uint32_t key;  /**< index into keys */
} row;

typedef struct rows {
    row *row;       /**< Shape [count]: by key, then time */
    size_t count;
    char **key;     /**< Shape [key_count]; one "" where there is no key column */
    uint32_t key_count;
    uint32_t time_kind;
    char *time_name; /**< of the columns taken; NULL where there is none */
    char *value_name;
    char *key_name;
    uint64_t empty;      /**< cells without a value */
    uint64_t empty_line; /**< the first of them */
    uint64_t odd_zone;   /**< first line with a zone that is read as UTC; 0 = none */
} rows;

/**
 * Reads the file and checks that in each series time goes forward.
 * @return EXIT_DONE, EXIT_USAGE (columns must be named), EXIT_NO_INPUT, EXIT_BAD_INPUT, EXIT_INTERNAL.
 */
int rows_read(const forecast_options *o, rows *out, failure *f);
void rows_free(rows *r);

#endif
