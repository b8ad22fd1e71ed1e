/* SPDX-License-Identifier: MIT */
/** @file forecast/clock.h  Constants of queries told by the civil time they are asked at. */
#ifndef PSHI_FORECAST_CLOCK_H
#define PSHI_FORECAST_CLOCK_H

#include <predshard/base.h>

/* How a constant is told: as it is, or from where the query's own time lies. UTC; weeks begin on Monday. */
#define PSHI_RULE_VALUE 0u
#define PSHI_RULE_DAY 1u
#define PSHI_RULE_HOUR 2u
#define PSHI_RULE_MONTH 3u
#define PSHI_RULE_WEEK 4u
#define PSHI_RULE_QUARTER 5u
#define PSHI_RULE_YEAR 6u
#define PSHI_RULE_MINUTE 7u
#define PSHI_RULE_BUCKET 8u /* the query's own */
#define PSHI_RULE_EXACT 9u  /* from the very time */
#define PSHI_RULE_STEP 10u  /* from the constant of the request before */
#define PSHI_RULES 11u

/** Where a time lies: the units that hold it. Zeroed holds none. */
typedef struct pshi_clock {
    int64_t from; /* the minute */
    int64_t to;
    int64_t hour;
    int64_t day;
    int64_t week;
    int64_t month; /* months since year 0 */
} pshi_clock;

/** Sets the clock to a time; cheap within the same minute. */
void pshi_clock_set(pshi_clock *c, int64_t t);
/**
 * A time as told by a rule (not STEP) at time t: units apart, and where in its unit. Open bounds stay open.
 * @param c       set to t
 * @param bucket  > 0 for BUCKET
 * @param origin  where buckets begin
 * @return 1, or 0 if the rule cannot tell it (centuries apart).
 */
int pshi_rule_encode(
    uint32_t rule, const pshi_clock *c, int64_t t, int64_t bucket, int64_t origin, int64_t v, int64_t *out);
/** The reverse at another time. @return 1, or 0 if there is no such time, as 31 February. */
int pshi_rule_decode(
    uint32_t rule, const pshi_clock *c, int64_t t, int64_t bucket, int64_t origin, int64_t told, int64_t *out);

#endif
