/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/env.h"
#include "drive/driver.h"

static psh_status room_done(psh_env *env, pshi_tasks *t, size_t more, size_t done_memory) {
    size_t need = t->done_count + t->count + more, i;
    uint64_t *ring;

    need = need < done_memory ? need : done_memory;
    if (pshi_idmap_reserve(env, &t->done_index, need) != PSH_OK)
        return PSH_E_NOMEM;
    if (need <= t->done_capacity)
        return PSH_OK;
    need = need * 2 < done_memory ? need * 2 : done_memory;
    ring = pshi_calloc(env, need, sizeof *ring);
    if (!ring)
        return PSH_E_NOMEM;
    for (i = 0; i < t->done_count; i++)
        ring[i] = t->done[(t->done_first + i) % t->done_capacity];
    pshi_free(env, t->done);
    t->done = ring;
    t->done_first = 0;
    t->done_capacity = need;
    return PSH_OK;
}

psh_status pshi_tasks_room(psh_env *env, pshi_tasks *t, size_t more, size_t done_memory) {
    size_t events = t->event_first + t->event_count + 2 * (t->count + more);
    void *p = t->tasks;
    psh_status st;

    st = pshi_reserve(env, &p, &t->capacity, t->count + more, sizeof *t->tasks);
    t->tasks = p;
    if (st != PSH_OK)
        return st;
    p = t->events;
    st = pshi_reserve(env, &p, &t->event_capacity, events, sizeof *t->events);
    t->events = p;
    if (st == PSH_OK)
        st = pshi_idmap_reserve(env, &t->index, t->count + more);
    return st == PSH_OK ? room_done(env, t, more, done_memory) : st;
}

void pshi_tasks_add(psh_env *env, pshi_tasks *t, psh_plan *plan, const psh_action *action) {
    pshi_task *task = &t->tasks[t->count];

    memset(task, 0, sizeof *task);
    task->plan = psh_plan_ref(plan);
    task->action = *action;
    task->state = PSHI_ACTION_WAITING;
    task->submitted_at = PSH_TIME_NONE;
    task->retry_at = PSH_TIME_MIN;
    pshi_idmap_put(env, &t->index, action->id, (uint32_t)t->count);
    t->count++;
}

void pshi_tasks_remember(psh_env *env, pshi_tasks *t, uint64_t id, size_t done_memory) {
    if (pshi_idmap_find(&t->done_index, id) != PSH_NONE)
        return;
    if (t->done_count == done_memory) {
        pshi_idmap_remove(&t->done_index, t->done[t->done_first]);
        t->done_first = (t->done_first + 1) % t->done_capacity;
        t->done_count--;
    }
    t->done[(t->done_first + t->done_count) % t->done_capacity] = id;
    t->done_count++;
    pshi_idmap_put(env, &t->done_index, id, 1);
}

int pshi_tasks_known(const pshi_tasks *t, uint64_t id) {
    return pshi_idmap_find(&t->index, id) != PSH_NONE || pshi_idmap_find(&t->done_index, id) != PSH_NONE;
}

void pshi_tasks_free(psh_env *env, pshi_tasks *t) {
    size_t i;

    pshi_event_release(t);
    for (i = 0; i < t->event_count; i++)
        psh_plan_unref(t->events[t->event_first + i].plan);
    for (i = 0; i < t->count; i++)
        psh_plan_unref(t->tasks[i].plan);
    pshi_free(env, t->tasks);
    pshi_free(env, t->events);
    pshi_free(env, t->done);
    pshi_idmap_free(env, &t->index);
    pshi_idmap_free(env, &t->done_index);
    memset(t, 0, sizeof *t);
}

void pshi_event_push(pshi_tasks *t, const pshi_task *task, psh_status status, int64_t now) {
    pshi_event *e = &t->events[t->event_first + t->event_count++];

    e->plan = psh_plan_ref(task->plan);
    e->body.action = task->action;
    e->body.status = status;
    e->body.attempts = task->attempts;
    e->body.submitted_at = task->submitted_at;
    e->body.completed_at = status == PSH_PENDING ? PSH_TIME_NONE : now;
}

void pshi_event_release(pshi_tasks *t) {
    psh_plan_unref(t->taken.plan);
    t->taken.plan = NULL;
}

int pshi_event_take(pshi_tasks *t) {
    pshi_event_release(t);
    if (!t->event_count)
        return 0;
    t->taken = t->events[t->event_first++];
    if (--t->event_count == 0)
        t->event_first = 0;
    return 1;
}

static int waits_for(const pshi_task *task, uint64_t id) {
    size_t i;

    for (i = 0; i < task->action.after_count; i++)
        if (task->action.after[i] == id)
            return 1;
    return 0;
}

static void end_one(psh_driver *d, pshi_task *task, psh_status status, int64_t now) {
    if (task->state == PSHI_ACTION_PENDING)
        d->tasks.in_flight--;
    task->state = status == PSH_OK ? PSHI_ACTION_DONE : PSHI_ACTION_FAILED;
    if (status == PSH_OK) {
        d->stats.succeeded++;
        pshi_tasks_remember(d->env, &d->tasks, task->action.id, d->options.done_memory);
    } else {
        d->stats.failed++;
    }
    pshi_event_push(&d->tasks, task, status, now);
    pshi_trace(d->env, PSH_TRACE_COMPLETE, now, task->action.id, status, 0);
}

void pshi_task_end(psh_driver *d, pshi_task *task, psh_status status, int64_t now) {
    pshi_tasks *t = &d->tasks;
    size_t i, j;

    end_one(d, task, status, now);
    if (status == PSH_OK)
        return;
    /* Actions stand behind those they wait for, so one pass over the rest finds all that failed with it. */
    for (i = (size_t)(task - t->tasks); i < t->count; i++) {
        if (t->tasks[i].state != PSHI_ACTION_FAILED)
            continue;
        for (j = i + 1; j < t->count; j++)
            if (t->tasks[j].state == PSHI_ACTION_WAITING && waits_for(&t->tasks[j], t->tasks[i].action.id))
                end_one(d, &t->tasks[j], PSH_E_STATE, now);
    }
}

void pshi_tasks_compact(psh_env *env, pshi_tasks *t) {
    size_t i, kept = 0;

    for (i = 0; i < t->count; i++) {
        if (t->tasks[i].state == PSHI_ACTION_DONE || t->tasks[i].state == PSHI_ACTION_FAILED) {
            pshi_idmap_remove(&t->index, t->tasks[i].action.id);
            psh_plan_unref(t->tasks[i].plan);
            continue;
        }
        if (kept != i) {
            t->tasks[kept] = t->tasks[i];
            pshi_idmap_put(env, &t->index, t->tasks[kept].action.id, (uint32_t)kept);
        }
        kept++;
    }
    t->count = kept;
}
