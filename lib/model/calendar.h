/* SPDX-License-Identifier: MIT */
/** @file model/calendar.h  Events known ahead, what they did to loads so far, and what they will do. */
#ifndef PSHI_MODEL_CALENDAR_H
#define PSHI_MODEL_CALENDAR_H

#include <predshard/forecast.h>

#include "codec/fields.h"

/* Kinds of event; any other number but 0 is a kind of the host's, e.g. a hash of its name. */
#define PSHI_EVENT_HOLIDAY 1u
#define PSHI_EVENT_PROMOTION 2u
#define PSHI_EVENT_CAMPAIGN 3u
#define PSHI_EVENT_DEPLOYMENT 4u

/* Scopes: whose load an event moves. Subjects carry PSH_SUBJECT_*; a segment is not a subject. */
#define PSHI_SCOPE_ALL 0u
#define PSHI_SCOPE_TABLE PSH_SUBJECT_TABLE    /* all of a table, whatever the subject's kind */
#define PSHI_SCOPE_TENANT PSH_SUBJECT_TENANT  /* id; table too, unless PSH_NONE */
#define PSHI_SCOPE_LABEL PSH_SUBJECT_LABEL    /* id; table too, unless PSH_NONE */
#define PSHI_SCOPE_SEGMENT 32u                /* id of the segment that the subject is in */

#define PSHI_EVERY_NONE 0u
#define PSHI_EVERY_SPAN 1u   /* every_ns after the last start */
#define PSHI_EVERY_WEEK 2u
#define PSHI_EVERY_MONTH 3u  /* the same day of the month, UTC */
#define PSHI_EVERY_YEAR 4u   /* the same civil date, UTC */

/* What a monthly or yearly event does where its day is missing (31st, 29 February). */
#define PSHI_SHORT_LAST 0u   /* the last day of the month */
#define PSHI_SHORT_NEXT 1u   /* the first day of the next */
#define PSHI_SHORT_SKIP 2u   /* nothing */

#define PSHI_EVENT_ONE_OFF 1u /* flag: never to come again: teaches nothing but its own rest */

/** An event: one window, or one that recurs. */
typedef struct pshi_event {
    uint64_t id;           /* not 0, one event each */
    uint64_t kind;         /* not 0 */
    psh_subject scope;     /* kind is PSHI_SCOPE_* */
    int64_t start;         /* of the first window */
    int64_t end;           /* > start; no longer than from one start to the next (28 days monthly, 365 yearly) */
    uint32_t every;        /* PSHI_EVERY_* */
    uint32_t missing_day;  /* PSHI_SHORT_* */
    int64_t every_ns;      /* PSHI_EVERY_SPAN only, else 0 */
    uint32_t flags;        /* PSHI_EVENT_ONE_OFF */
    uint32_t seen;         /* out: windows that were learned from, at most 2^31 */
    uint64_t like;         /* an event that it behaves like, or 0; need not be there */
    double factor;         /* expected by the host, in [1/64, 64]: 1.5 is half as much again; 0: no idea */
    double weight;         /* how many observed windows that idea is worth, (0, 1000]; 0 without factor */
} pshi_event;

/** Whose load is asked about. */
typedef struct pshi_event_who {
    psh_subject subject;
    uint64_t segment;      /* 0: in none */
} pshi_event_who;

typedef struct pshi_calendar_options {
    uint32_t most_events;  /* 0 = 1024; at most 65536 */
    uint32_t most_tables;  /* effects learned of one subject, kind or event; 0 = 4096; at most 2^20 */
    int64_t season_ns;     /* the longest season that models learn; 0 = a week */
} pshi_calendar_options;

/** Events and their effects. Threads  calls on one object must not overlap; effect, masks, get are const. */
typedef struct pshi_calendar pshi_calendar;

/** @param o  copied; NULL: defaults. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. *out is the caller's. */
psh_status pshi_calendar_create(psh_env *env, const pshi_calendar_options *o, pshi_calendar **out);
/** NULL is allowed. */
void pshi_calendar_destroy(pshi_calendar *c);
/**
 * @param e  copied; e->seen must be 0
 * @return PSH_OK, PSH_E_INVALID (err names the field), PSH_E_EXISTS (the id, or all else the same), PSH_E_LIMIT,
 *         PSH_E_NOMEM. On error nothing is added.
 */
psh_status pshi_calendar_add(pshi_calendar *c, const pshi_event *e, psh_error *err);
/** The event goes, what it taught about its kind stays. @return PSH_OK, PSH_E_NOT_FOUND. */
psh_status pshi_calendar_remove(pshi_calendar *c, uint64_t id);
size_t pshi_calendar_count(const pshi_calendar *c);
/** By index, in the order of adding. @return PSH_OK, PSH_E_NOT_FOUND. */
psh_status pshi_calendar_get(const pshi_calendar *c, size_t i, pshi_event *out);
/** The first start of a window of e at or after t, or the window that holds t. @return 1, or 0: none any more. */
int pshi_event_window(const pshi_event *e, int64_t t, int64_t *start, int64_t *end);

/**
 * What the events do to whole buckets: bucket i is [from + i step_ns, + step_ns).
 * @param factor  Shape [n], out, in [1/64, 64]: the forecast of a bucket is (base + 1) factor - 1, at least 0. Base
 *                is what a model says that was fitted without the masked buckets.
 * @return 1 if an event reaches into any, else 0: all are 1.
 */
int pshi_calendar_effects(
    const pshi_calendar *c, const pshi_event_who *who, int64_t from, int64_t step_ns, uint32_t n, double *factor);
/** The same of one bucket [from, to). 1 where from >= to. */
double pshi_calendar_effect(const pshi_calendar *c, const pshi_event_who *who, int64_t from, int64_t to);
/** (base + 1) factor - 1, at least 0; base >= 0. */
double pshi_calendar_apply(double base, double factor);
/** The inverse: what a value would have been without its events, to go on with where a gap would lose the level. */
double pshi_calendar_clean(double y, double factor);
/**
 * Which buckets must not teach a season: an event that the calendar handles reaches into them.
 * @param mask  Shape [n], out: 1 or 0
 */
void pshi_calendar_masks(
    const pshi_calendar *c, const pshi_event_who *who, int64_t from, int64_t step_ns, uint32_t n, uint8_t *mask);
/** The same of one bucket [from, to). @return 1 or 0. */
int pshi_calendar_is_masked(const pshi_calendar *c, const pshi_event_who *who, int64_t from, int64_t to);
/**
 * What was seen in a bucket, once each, against the forecast that knew nothing of events. Buckets without event
 * change nothing.
 * @param y, base  finite, >= 0
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (nothing learned).
 */
psh_status pshi_calendar_learn(
    pshi_calendar *c, const pshi_event_who *who, int64_t from, int64_t to, double y, double base);
/** Makes room for what pshi_calendar_learn will learn in buckets of [from, to). @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_calendar_prepare(pshi_calendar *c, const pshi_event_who *who, int64_t from, int64_t to);
/**
 * Calls about times inside [from, to) look from now on only at the events that have a window there, until an event
 * is added or removed.
 * @return how many there are.
 */
size_t pshi_calendar_focus(pshi_calendar *c, int64_t from, int64_t to);
/** The mean factor of the i-th event alone over its window, i < count. */
double pshi_calendar_factor(const pshi_calendar *c, size_t i, const pshi_event_who *who);
/** @return subjects whose effects are not told apart, for want of tables: they share those of event and kind. */
uint64_t pshi_calendar_shed(const pshi_calendar *c);
/** @return 1 if it was made with these options. */
int pshi_calendar_is(const pshi_calendar *c, uint32_t most_events, int64_t season_ns);
/** @return bytes that it takes. */
size_t pshi_calendar_bytes(const pshi_calendar *c);

/** Appends all of it. */
void pshi_calendar_put(const pshi_calendar *c, pshi_writer *w);
/** Marks the cursor where bytes are bad. @return the calendar (maybe nonsense if marked), or NULL (no memory). */
pshi_calendar *pshi_calendar_take(psh_env *env, pshi_cursor *in);

#endif
