/* SPDX-License-Identifier: MIT */
/** @file forecast/habit.h  How the constants of one template depend on when it is asked. */
#ifndef PSHI_FORECAST_HABIT_H
#define PSHI_FORECAST_HABIT_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "forecast/clock.h"
#include "value/query.h"

#define PSHI_RECENT 4u     /* ways of telling a constant that are remembered, per rule */
#define PSHI_PATTERNS 8u   /* sets of constants, as told by the rules, that are remembered */
#define PSHI_MOST_PLACES 16u

/** One number or time among the constants. */
typedef struct pshi_habit_track {
    uint32_t place;        /* which constant: predicates in order, then the time bounds */
    uint32_t rule;         /* the one that tells it now */
    int64_t last;          /* its latest value */
    int64_t recent[PSHI_RULES][PSHI_RECENT]; /* told by each rule, latest first */
    uint8_t known[PSHI_RULES]; /* of `recent`, how many */
    uint8_t is_time;
    float rate[PSHI_RULES]; /* rolling share of requests told as one of `recent` */
} pshi_habit_track;

/** Constants that came together, as the rules tell them. */
typedef struct pshi_pattern {
    uint64_t hash;
    double count;          /* Space-Saving, halved now and then */
    double error;
    psh_query *query;      /* one that had it, referenced */
    int64_t time;          /* when that was */
    uint64_t tenant;       /* whose it was */
} pshi_pattern;

/**
 * What was learned. A template of too many constants has no places and is never predicted.
 * Bounded: 16 constants, 8 patterns, 4 memories a rule.
 */
typedef struct pshi_habit {
    uint32_t places;       /* predicates with values and the two time bounds, or 0: too many */
    uint32_t track_count;
    pshi_habit_track *tracks;
    uint32_t pattern_count;
    uint32_t asked;        /* requests, saturating */
    int64_t learned;       /* when the rules were last compared */
    double scored;         /* requests before which something was expected, halved now and then */
    double hits;           /* of these, those that one of the patterns told exactly */
    pshi_pattern pattern[PSHI_PATTERNS];
} pshi_habit;

/** Makes what holds the constants of q's template. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_habit_init(psh_env *env, pshi_habit *h, const psh_query *q);
void pshi_habit_free(psh_env *env, pshi_habit *h);
/** Scores what was expected, then learns. O(1), allocates nothing. @param c  set to time */
void pshi_habit_learn(pshi_habit *h, const pshi_clock *c, psh_query *q, int64_t time, uint64_t tenant);
/** Probability that the next request has constants that one of the patterns tells. */
double pshi_habit_rate(const pshi_habit *h);
/** Probability of one pattern, given a request. */
double pshi_habit_share(const pshi_habit *h, uint32_t i);
/**
 * The query of a pattern at a time. @param c  set to at
 * @return PSH_OK, PSH_E_NOT_FOUND (no such time), PSH_E_NOMEM. *out is the caller's.
 */
psh_status pshi_habit_make(
    psh_env *env, const pshi_habit *h, uint32_t i, const pshi_clock *c, int64_t at, psh_query **out);
/** The least common rule that tells the habit: PSHI_RULE_* of a place, VALUE where there is no track. */
uint32_t pshi_habit_rule(const pshi_habit *h, uint32_t place);
uint64_t pshi_habit_bytes(const pshi_habit *h);
void pshi_habit_put(pshi_writer *w, const pshi_habit *h);
/** Into one that was initialised for the template of q. @return PSH_OK, PSH_E_CORRUPT, PSH_E_LIMIT, PSH_E_NOMEM. */
psh_status pshi_habit_get(psh_env *env, pshi_cursor *c, pshi_habit *h, const psh_query *q);

#endif
