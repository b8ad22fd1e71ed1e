/* SPDX-License-Identifier: MIT */
/** @file drive/driver.h  Inside the driver: its actions, its queue of events, what it remembers. */
#ifndef PSHI_DRIVE_DRIVER_H
#define PSHI_DRIVE_DRIVER_H

#include <predshard/driver.h>

#include "base/cursor.h"
#include "base/buffer.h"
#include "ds/idmap.h"
#include "value/wants.h"

#define PSHI_ACTION_WAITING 1u   /* not handed over yet, or to be tried again */
#define PSHI_ACTION_SUBMITTED 2u /* inside the host's submit */
#define PSHI_ACTION_PENDING 3u   /* the host (or the library) will say when it ended */
#define PSHI_ACTION_DONE 4u
#define PSHI_ACTION_FAILED 5u

/** One action that has not ended, or ended within the running call. */
typedef struct pshi_task {
    psh_plan *plan; /* referenced */
    psh_action action; /* borrowed from the plan */
    uint32_t state;
    uint32_t attempts;
    int32_t announced; /* 1: its PSH_PENDING event was given */
    int64_t submitted_at; /* first time; PSH_TIME_NONE before */
    int64_t retry_at;
} pshi_task;

typedef struct pshi_event {
    psh_plan *plan; /* referenced */
    psh_completion body;
} pshi_event;

/** The table of tasks, the events to be taken, the ids of what succeeded. */
typedef struct pshi_tasks {
    pshi_task *tasks; /* in order of arrival */
    size_t count, capacity;
    size_t in_flight;
    pshi_idmap index; /* id -> place in tasks */
    pshi_event *events; /* from event_first on */
    size_t event_first, event_count, event_capacity;
    pshi_event taken; /* what the last take lent out */
    uint64_t *done; /* ring of done_capacity ids; the oldest at done_first */
    size_t done_first, done_count, done_capacity;
    pshi_idmap done_index;
} pshi_tasks;

/**
 * Asked once before an action is handed over for the first time, when the ends of all it waits for have been given
 * out as events by an earlier step. @return PSH_OK, or the error it ends with.
 */
typedef psh_status (*pshi_gate)(void *user, const psh_action *action);

struct psh_driver {
    psh_env *env;
    psh_schema *schema;
    psh_driver_options options;
    char *prefix;
    psh_storage storage;
    psh_cdc cdc;
    psh_kv kv;
    int has_cdc;
    int has_kv;
    int busy;   /* inside a callback, or a call that makes them */
    int fenced; /* a newer planner leads */
    uint64_t fence;
    uint64_t cursor;
    uint64_t generation; /* of the last checkpoint */
    psh_change_batch *scratch; /* changes kept while echoes are taken out; made when first needed */
    pshi_tasks tasks;
    pshi_gate gate; /* NULL: all may go */
    void *gate_user;
    psh_driver_stats stats;
};

/** Room in every table for `more` tasks, so that nothing fails from then on. */
psh_status pshi_tasks_room(psh_env *env, pshi_tasks *t, size_t more, size_t done_memory);
/** Adds one task; room was made. */
void pshi_tasks_add(psh_env *env, pshi_tasks *t, psh_plan *plan, const psh_action *action);
/** Remembers a success; the oldest goes when the memory is full. Room was made. */
void pshi_tasks_remember(psh_env *env, pshi_tasks *t, uint64_t id, size_t done_memory);
/** @return 1 if this id is waiting, pending or remembered as done. */
int pshi_tasks_known(const pshi_tasks *t, uint64_t id);
void pshi_tasks_free(psh_env *env, pshi_tasks *t);
/** Appends an event; room was made with the task. */
void pshi_event_push(pshi_tasks *t, const pshi_task *task, psh_status status, int64_t now);
/** Moves the oldest event to `taken`. @return 1, or 0 when there is none. */
int pshi_event_take(pshi_tasks *t);
void pshi_event_release(pshi_tasks *t);
/** Ends a task, and with an error those that wait for it; the table is compacted by pshi_tasks_compact. */
void pshi_task_end(psh_driver *d, pshi_task *task, psh_status status, int64_t now);
void pshi_tasks_compact(psh_env *env, pshi_tasks *t);
/** The name of a blob or key: the driver's prefix and `what`, into out. @return PSH_OK, PSH_E_NOMEM. */
/** @return PSH_OK, PSH_E_FENCED (another planner has raised the fence), PSH_E_HOST, PSH_E_NOMEM. */
psh_status pshi_driver_check_fence(psh_driver *d, psh_error *err);
psh_status pshi_driver_name(const psh_driver *d, const char *what, psh_buffer **out);
/** PSH_OK stays; anything else becomes an error with its detail. */
psh_status pshi_host_status(psh_error *err, psh_status returned, const char *callback);
/** @return 1 if every byte may stand in the name of a blob, a key or a section. */
int pshi_name_is_plain(const char *name);

#endif
