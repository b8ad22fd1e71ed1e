/* SPDX-License-Identifier: MIT */
/** @file model/calendar_state.h  What the files of the calendar share. */
#ifndef PSHI_MODEL_CALENDAR_STATE_H
#define PSHI_MODEL_CALENDAR_STATE_H

#include "ds/idmap.h"
#include "model/calendar.h"

#define PSHI_CALENDAR_SLOTS 168u      /* places told apart in a window: 24 a day, 7 days */
#define PSHI_CALENDAR_MOST_SUM 0x1p90 /* of precisions, and of anything weighted by them */

/** Sums of precision and of precision times log ratio. */
typedef struct pshi_evidence {
    double p;
    double s;
} pshi_evidence;

/* Whose evidence a table holds. */
#define PSHI_LEVEL_KIND 0u          /* all events of a kind, all subjects; id = kind */
#define PSHI_LEVEL_KIND_SUBJECT 1u
#define PSHI_LEVEL_EVENT 2u         /* one event, all subjects; id = event */
#define PSHI_LEVEL_EVENT_SUBJECT 3u
#define PSHI_LEVELS 4u

typedef struct pshi_effect_table {
    uint32_t level;
    uint32_t slots;
    uint64_t id;
    psh_subject subject;   /* zeros where all */
    pshi_evidence total;
    double square;         /* sum of precision times log ratio squared */
    pshi_evidence *slot;   /* Shape [slots], owned */
} pshi_effect_table;

typedef struct pshi_calendar_event {
    pshi_event e;
    int64_t last;          /* start of the latest window learned from, PSH_TIME_NONE before */
} pshi_calendar_event;

struct pshi_calendar {
    psh_env *env;
    pshi_calendar_options o;
    pshi_calendar_event *events;
    size_t count;
    size_t cap;
    uint32_t *near;        /* Shape [near_count], ascending: those with a window in [near_from, near_to) */
    size_t near_count;
    size_t near_cap;
    int64_t near_from;     /* with near_to equal: none was asked for */
    int64_t near_to;
    pshi_effect_table *tables;
    size_t table_count;
    size_t table_cap;
    size_t at_level[PSHI_LEVELS]; /* of them */
    uint64_t shed;
    pshi_idmap by_id;      /* events */
    pshi_idmap by_key;     /* tables */
};

/** Places in e's window. @return 1..PSHI_CALENDAR_SLOTS. */
uint32_t pshi_event_slots(const pshi_event *e);
/** Length of a place. */
int64_t pshi_event_slot_ns(const pshi_event *e);
/** @return the place of t in a window that began at start. */
uint32_t pshi_event_slot(const pshi_event *e, int64_t start, int64_t t);
/** @return PSH_OK or PSH_E_INVALID with err. */
psh_status pshi_event_check(const pshi_event *e, psh_error *err);
/** @return the event or NULL. */
const pshi_calendar_event *pshi_calendar_find(const pshi_calendar *c, uint64_t id);
/** subject is ignored at the levels of all subjects. @return the table or NULL. */
pshi_effect_table *pshi_calendar_table(const pshi_calendar *c, uint32_t level, uint64_t id, psh_subject subject);
/**
 * Makes sure that a table with so many slots is there, unless the limits forbid it.
 * @return PSH_OK, PSH_E_LIMIT (there is none), PSH_E_NOMEM.
 */
psh_status pshi_calendar_need(
    pshi_calendar *c, uint32_t level, uint64_t id, psh_subject subject, uint32_t slots);

#endif
