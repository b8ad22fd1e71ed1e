/* SPDX-License-Identifier: MIT */
/** @file outcome.h  What one stack (one policy at one rate) brought; all that is reported of it. */
#ifndef TOOL_OUTCOME_H
#define TOOL_OUTCOME_H

#include <predshard.h>

#include "args.h"
#include "digest.h"
#include "fail.h"

#define TIERS 2
#define FOLLOWED_ORIGINS 3
#define SERIES (2 + FOLLOWED_ORIGINS) /**< rows of the table, queries, the busiest origins */
#define BANDS 5                       /**< quantiles kept of a forecast: 0.05, 0.25, 0.5, 0.75, 0.95 */
#define SCORE_KINDS 4                 /**< table, tenants, templates, queries */

/** One query as it went. */
typedef struct asked {
    digest answer;
    int64_t wait_ns;
    int64_t service_ns;
    uint32_t coverage; /**< PSH_COVERAGE_* */
    uint32_t reused;   /**< 1: service time and answer of an identical statement on unchanged tables */
} asked;

/** Work of the one worker, by kind; thread CPU time. */
typedef struct spent {
    int64_t query_ns;
    int64_t observe_ns;  /**< records for the forecaster */
    int64_t ingest_ns;
    int64_t late_ns;     /**< creating tables while rows wait for them */
    int64_t plan_ns;     /**< steps that made a plan */
    int64_t build_ns;    /**< steps that filled a view from its base */
    int64_t upkeep_ns;   /**< steps that applied changes to views */
    int64_t other_ns;    /**< steps that did neither: scoring, actions, checkpoints */
} spent;

/** Counters; of the whole run, or of a day as differences. */
typedef struct counts {
    uint64_t queries;
    uint64_t coverage[4];   /**< by PSH_COVERAGE_* */
    uint64_t executed;      /**< queries really executed */
    uint64_t reused;
    uint64_t steps;         /**< SQLite's, of base legs, reused ones counted too */
    uint64_t groups;        /**< read from views */
    uint64_t rows;          /**< ingested */
    uint64_t quarantined;
    uint64_t late_creations;
    uint64_t tables;        /**< that received a row */
    uint64_t tables_ready;  /**< of these: were there before their first row */
    uint64_t commits;
    spent time;
} counts;

/** Taken at the end of each day of data time. */
typedef struct day_sample {
    counts so_far;
    uint64_t main_bytes;
    uint64_t archive_bytes;
    uint64_t view_bytes;
    uint32_t views;
    uint32_t states[PSH_PARTITION_DROPPED + 1]; /**< partitions by PSH_PARTITION_* */
    uint64_t bytes_planned;                     /**< of the partitions of this day, when they were created */
    uint64_t bytes_written;                     /**< to them */
    psh_account tiers[TIERS];
} day_sample;

/** One series: what came, and what was forecast for it at the start of each day, 24 hours ahead. */
typedef struct series {
    char name[32];
    double *actual;              /**< Shape [days * 24] */
    double *mean;                /**< Shape [days * 24]; NAN = no forecast */
    double (*bands)[BANDS];      /**< Shape [days * 24][BANDS] */
} series;

/** The forecaster's own scores of one kind of subject, summed over subjects. */
typedef struct score_line {
    const char *kind;
    uint32_t subjects;
    uint64_t scored;
    double mae;        /**< mean over forecasts */
    double mae_naive;
    double coverage90;
    double median_skill;
} score_line;

typedef struct view_line {
    char name[64];
    char *definition;
    psh_view_info info; /**< view is not valid any more */
    uint32_t level;
    int64_t reach_ns;
} view_line;

typedef struct outcome {
    uint32_t rate;
    uint32_t policy;        /**< POLICY_* */
    asked *queries;         /**< Shape [query_count] */
    size_t query_count;
    counts total;
    day_sample *days;       /**< Shape [day_count] */
    size_t day_count;
    series series[SERIES];  /**< of the predictive policy only, else all NULL */
    score_line scores[SCORE_KINDS];
    view_line *views;       /**< at the end */
    size_t view_count;
    psh_audit *decisions;   /**< about views, oldest first */
    size_t decision_count;
    psh_autopilot_stats pilot;
    psh_forecaster_stats forecaster;
    psh_driver_stats driver;
    uint64_t plans;         /**< made, empty ones too */
    digest plan_digest;     /**< of all plans' bytes in order */
    char *plan_text;        /**< with --plan */
    char *explained;        /**< with --explain */
    failure failed;
} outcome;

void outcome_free(outcome *o);

#endif
