/* SPDX-License-Identifier: MIT */
/** @file report_data.h  All that `analyze` knows at its end, and how it is shown. */
#ifndef TOOL_REPORT_DATA_H
#define TOOL_REPORT_DATA_H

#include <stdio.h>

#include <jansson.h>

#include "templates.h"

#define MOST_SETS 65536
#define MOST_BINS 600
#define MOST_SHOWN 1000

/** The command line. */
typedef struct analyze_options {
    char **inputs;
    size_t input_count;
    uint32_t format;    /**< FORMAT_AUTO: by content */
    double sample_rate; /**< 0 < rate <= 1 */
    char *time_column[16];
    size_t time_column_count;
    const char *json;   /**< "-" = stdout; NULL = none */
    const char *html;
    uint32_t top;
    int64_t now;        /**< PSH_TIME_NONE: the end of the last bucket */
    int64_t window_ns;  /**< 0: one short season */
    int64_t bucket_ns;  /**< 0: by the span of the logs */
} analyze_options;

typedef struct source {
    const char *path;
    uint32_t format;
    uint64_t statements;
    uint64_t skipped;
    int odd_zone;
} source;

/** Columns that statements use together, of one table. */
typedef struct column_set {
    const char *name;  /**< "table(a, b)"; borrowed */
    double calls;
    double total_ns;
} column_set;

typedef struct history {
    double *count;     /**< Shape [bins] */
} history;

typedef struct analysis {
    analyze_options options;
    source *sources;
    templates templates;
    catalog catalog;
    uint32_t *rank;    /**< templates, Shape [templates.ids.count] */
    names set_names;
    column_set *sets;  /**< Shape [set_count], most calls first */
    uint32_t set_count;
    /* What is ahead. */
    psh_env *env;
    psh_schema *schema;
    psh_forecaster *forecaster;
    psh_demand *demand; /**< NULL: nothing was forecast, and why_not says why */
    char why_not[160];
    uint32_t statements_table; /**< the library's table for statements that fit no form */
    names labels;      /**< "name=value" */
    uint64_t *label_id; /**< Shape [labels.count] */
    uint32_t label_room;
    int64_t now;
    int64_t bucket_ns;
    int64_t window_ns;
    uint32_t season[2];
    double observed;   /**< statements that the forecaster took */
    double fitting;    /**< of them those in its own form */
    double refused;
    psh_forecaster_stats stats;
    double later;      /**< at or after now: left out */
    int64_t bins_from; /**< start of bin 0 of the histories */
    uint32_t bins;
    double *total;     /**< Shape [bins] */
    double *by_template; /**< Shape [shown][bins], by rank */
    uint32_t shown;
    double *ahead;     /**< Shape [shown][steps][3]: mean, 5 %, 95 % */
    uint32_t steps;
} analysis;

/** Reads all logs a second time into the library's forecaster and asks it. @return EXIT_*. */
int ahead_run(analysis *a, failure *f);
void ahead_free(analysis *a);
/** "name=value" of a label that the forecaster knows by its id; NULL for others. */
const char *ahead_label(const analysis *a, uint64_t id);
/** A progress bar on stderr, where that is a terminal; share < 0 ends it. */
void progress(const char *what, double share);
void print_analysis(const analysis *a, FILE *to);
/** One object with the fields that result.c documents, or NULL with f set. */
json_t *analysis_json(const analysis *a, failure *f);
/** @return "point", "range", "scan", "unknown" of PSH_ACCESS_*. */
const char *access_name(uint32_t access);

#endif
