/* SPDX-License-Identifier: MIT */
/** @file questions.h  What an operations desk asks: twelve query templates over the flights. */
#ifndef TOOL_QUESTIONS_H
#define TOOL_QUESTIONS_H

#include <predshard.h>

#include "arrivals.h"

#define QUESTIONS 12

#define PLACE_NONE 0        /**< about all origins */
#define PLACE_ORIGIN 1      /**< about one origin, the tenant */
#define PLACE_DESTINATION 2

/** Columns of the table, by index. */
#define COLUMN_ORIGIN 0
#define COLUMN_TIME 1
#define COLUMN_SEQ 2
#define COLUMN_DESTINATION 3
#define COLUMN_DELAY 4
#define COLUMN_DISTANCE 5
#define COLUMN_COUNT 6

#define OPEN_END 127 /**< days_to: until now and beyond */

/** Days count from the start of the arrival's day: [days_from, days_to). */
typedef struct question {
    const char *name;
    const char *asks;        /**< one line for people */
    uint8_t place;           /**< PLACE_* */
    int8_t days_from;
    int8_t days_to;
    uint8_t one_hour;        /**< 1: one hour of the first day only */
    uint8_t late_only;       /**< 1: delays of more than 15 minutes only */
    uint8_t bucket_hours;    /**< 0 = no buckets */
    uint8_t group_count;
    uint8_t aggregate_count;
    uint8_t column_count;    /**< of a detail question */
    uint8_t limit;
    uint8_t order_output;    /**< descending by this output + 1; 0 = no order */
    uint32_t groups[2];
    psh_aggregate aggregates[3];
    uint32_t columns[4];
} question;

extern const question questions[QUESTIONS];

/** The schema of the run: one table "flights", owned by origin, intervals of a day. */
psh_status make_schema(psh_env *env, psh_schema **out, psh_error *err);
/** The query that an arrival asks. */
psh_status make_query(
    psh_env *env, psh_schema *schema, const flights *x, const arrival *a, psh_query **out, psh_error *err);

#endif
