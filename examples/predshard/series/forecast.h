/* SPDX-License-Identifier: MIT */
/** @file forecast.h  `predshard forecast`: the series of a CSV file, forecast by one model of the library. */
#ifndef TOOL_FORECAST_H
#define TOOL_FORECAST_H

#include <stdint.h>

#include "fail.h"

#define MAX_SEASONS 3
#define MAX_LEVELS 15

/** The command line. */
typedef struct forecast_options {
    const char *input;
    const char *time_column;  /**< NULL: found out */
    const char *value_column;
    const char *key_column;
    const char *key;          /**< the series to take; NULL = the only one */
    const char *model;        /**< name of a kind; NULL = combined, or what there is */
    const char *json;         /**< "-" = stdout; NULL = none */
    const char *html;
    double levels[MAX_LEVELS];
    uint32_t level_count;
    uint32_t season[MAX_SEASONS];
    uint32_t season_count;
    int season_given;         /**< 1: also when it is 0, which means none */
    uint32_t horizon;         /**< steps; 0 = two of the shortest season, or 8 */
    int64_t step_ns;          /**< 0: found out */
    int32_t step_months;
    int all_keys;
    int absent_is_zero;
    int allow_negative;
    int sort;
} forecast_options;

/** Runs the command; argv[0] is its name. @return EXIT_*. */
int forecast_main(int argc, char **argv, failure *f);
/** The text of its help. */
const char *forecast_help(void);

#endif
