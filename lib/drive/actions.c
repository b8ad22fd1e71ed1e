/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "drive/driver.h"

psh_status psh_driver_run(psh_driver *d, psh_plan *plan, psh_error *err) {
    pshi_tasks *t;
    psh_action a;
    size_t i, fresh = 0;

    if (!d || !plan)
        return pshi_fail(err, PSH_E_INVALID, d ? "plan" : "driver", "is NULL");
    if (d->busy)
        return pshi_fail(err, PSH_E_REENTRANT, "driver", "called from inside one of its callbacks");
    t = &d->tasks;
    for (i = 0; psh_plan_get(plan, i, &a) == PSH_OK; i++)
        fresh += !pshi_tasks_known(t, a.id);
    /* Two events an action wait to be taken at most: that bounds the queue. */
    if (t->count + fresh > d->options.max_actions ||
        t->event_count + 2 * (t->count + fresh) > 2 * (size_t)d->options.max_actions)
        return pshi_fail(err, PSH_E_LIMIT, "max_actions", "too many actions: let some end and take their events");
    if (pshi_tasks_room(d->env, t, fresh, d->options.done_memory) != PSH_OK)
        return pshi_fail(err, PSH_E_NOMEM, "plan", psh_status_text(PSH_E_NOMEM));
    for (i = 0; psh_plan_get(plan, i, &a) == PSH_OK; i++)
        if (!pshi_tasks_known(t, a.id))
            pshi_tasks_add(d->env, t, plan, &a);
    return PSH_OK;
}

/* A deadline that had passed when the work began bounds nothing: late beats never. */
static int64_t give_up_at(const psh_driver *d, const pshi_task *task) {
    int64_t deadline = task->action.want.deadline;

    if (task->submitted_at == PSH_TIME_NONE)
        return PSH_TIME_MAX;
    if (deadline != PSH_TIME_MAX && deadline > task->submitted_at)
        return deadline;
    return pshi_time_add(task->submitted_at, d->options.timeout_ns);
}

static int is_waiting(const pshi_task *task) {
    return task->state == PSHI_ACTION_WAITING;
}

/*
 * What it waits for is over: an id that is known no more has succeeded long ago, or it would have failed too.
 * With a gate, what ended within the running call still holds its followers: they begin on what it left, so its
 * end must be heard first.
 */
static int is_free(const psh_driver *d, const pshi_task *task) {
    const pshi_tasks *t = &d->tasks;
    uint32_t at;
    size_t i;

    for (i = 0; i < task->action.after_count; i++) {
        at = pshi_idmap_find(&t->index, task->action.after[i]);
        if (at != PSH_NONE && (d->gate || t->tasks[at].state != PSHI_ACTION_DONE))
            return 0;
    }
    return 1;
}

static int64_t due_at(const pshi_task *task) {
    int64_t at = task->action.want.not_before;

    return at > task->retry_at ? at : task->retry_at;
}

static void time_out(psh_driver *d, int64_t now) {
    pshi_tasks *t = &d->tasks;
    size_t i;

    for (i = 0; i < t->count; i++) {
        if (t->tasks[i].state != PSHI_ACTION_PENDING && !is_waiting(&t->tasks[i]))
            continue;
        if (now > give_up_at(d, &t->tasks[i]))
            pshi_task_end(d, &t->tasks[i], PSH_E_TIMEOUT, now);
    }
}

static int64_t pause_after(const psh_driver *d, uint32_t attempts) {
    int64_t pause = d->options.retry_ns;

    while (--attempts > 0 && pause < PSH_TIME_MAX / 2)
        pause *= 2;
    return pause;
}

/* One attempt failed: try again later, or give up. */
static void attempt_failed(psh_driver *d, pshi_task *task, psh_status status, int64_t now) {
    if (status == PSH_E_UNSUPPORTED || task->attempts >= d->options.max_attempts) {
        pshi_task_end(d, task, status, now);
        return;
    }
    if (task->state == PSHI_ACTION_PENDING)
        d->tasks.in_flight--;
    task->state = PSHI_ACTION_WAITING;
    task->retry_at = pshi_time_add(now, pause_after(d, task->attempts));
    d->stats.retried++;
}

/* The first time: the gate is asked, then the event is given. */
static psh_status announce(psh_driver *d, pshi_task *task, int64_t now) {
    psh_status st = PSH_OK;

    if (!task->announced) {
        if (d->gate)
            st = d->gate(d->gate_user, &task->action);
        if (st != PSH_OK)
            return st;
        task->announced = 1;
        task->submitted_at = now;
        task->attempts = 1;
        pshi_event_push(&d->tasks, task, PSH_PENDING, now);
        return PSH_OK;
    }
    task->attempts++;
    return PSH_OK;
}

static void set_pending(psh_driver *d, pshi_task *task) {
    task->state = PSHI_ACTION_PENDING;
    d->tasks.in_flight++;
}

/* @return PSH_OK, PSH_E_FENCED. */
static psh_status submit_one(psh_driver *d, pshi_task *task, int64_t now) {
    psh_action a = task->action;
    psh_status st = announce(d, task, now);

    if (st == PSH_AGAIN) /* the gate asks to be asked again in the next step */
        return PSH_OK;
    if (st != PSH_OK) {
        pshi_task_end(d, task, st, now);
        return PSH_OK;
    }
    pshi_trace(d->env, PSH_TRACE_SUBMIT, now, a.id, a.want.kind, task->attempts);
    d->stats.submitted++;
    if (pshi_action_is_view(a.want.kind)) {
        set_pending(d, task);
        return PSH_OK;
    }
    /* What an earlier term planned is carried out under the present one. */
    if (d->fence > a.fence)
        a.fence = d->fence;
    task->state = PSHI_ACTION_SUBMITTED;
    st = d->storage.submit(d->storage.user, now, &a);
    if (st == PSH_OK) {
        pshi_task_end(d, task, PSH_OK, now);
    } else if (st == PSH_PENDING) {
        set_pending(d, task);
    } else if (st == PSH_E_FENCED) {
        task->state = PSHI_ACTION_WAITING;
        task->attempts--;
        d->fenced = 1;
        return PSH_E_FENCED;
    } else {
        attempt_failed(d, task, pshi_fail_host(NULL, st, "storage.submit"), now);
    }
    return PSH_OK;
}

static psh_status submit_due(psh_driver *d, int64_t now, uint32_t budget) {
    pshi_tasks *t = &d->tasks;
    pshi_task *task;
    psh_status st;
    size_t i;

    for (i = 0; i < t->count; i++) {
        task = &t->tasks[i];
        if (!is_waiting(task) || due_at(task) > now || !is_free(d, task))
            continue;
        if (t->in_flight >= d->options.max_in_flight)
            return PSH_OK;
        if (budget == 0)
            return PSH_AGAIN;
        budget--;
        st = submit_one(d, task, now);
        if (st != PSH_OK)
            return st;
    }
    return PSH_OK;
}

psh_status psh_driver_step(psh_driver *d, int64_t now, uint32_t budget) {
    psh_status st;

    if (!d || now == PSH_TIME_NONE)
        return PSH_E_INVALID;
    if (d->busy)
        return PSH_E_REENTRANT;
    pshi_event_release(&d->tasks);
    d->busy = 1;
    time_out(d, now);
    st = d->fenced ? PSH_E_FENCED : submit_due(d, now, budget);
    pshi_tasks_compact(d->env, &d->tasks);
    d->busy = 0;
    return st;
}

psh_status psh_driver_complete(psh_driver *d, uint64_t id, psh_status status, int64_t now) {
    pshi_task *task;
    uint32_t at;

    if (!d || status > PSH_OK || now == PSH_TIME_NONE)
        return PSH_E_INVALID;
    if (d->busy)
        return PSH_E_REENTRANT;
    at = pshi_idmap_find(&d->tasks.index, id);
    task = at == PSH_NONE ? NULL : &d->tasks.tasks[at];
    if (!task || task->state != PSHI_ACTION_PENDING)
        return PSH_E_NOT_FOUND;
    if (status != PSH_OK)
        status = pshi_fail_host(NULL, status, "complete");
    /* The library's own work is handed out once; trying it again is the next plan's business. */
    if (status == PSH_OK || pshi_action_is_view(task->action.want.kind))
        pshi_task_end(d, task, status, now);
    else
        attempt_failed(d, task, status, now);
    pshi_tasks_compact(d->env, &d->tasks);
    return PSH_OK;
}

psh_status psh_driver_take(psh_driver *d, psh_completion *out) {
    if (!d || !out)
        return PSH_E_INVALID;
    if (d->busy)
        return PSH_E_REENTRANT;
    if (!pshi_event_take(&d->tasks))
        return PSH_END;
    *out = d->tasks.taken.body;
    return PSH_OK;
}

size_t psh_driver_pending(const psh_driver *d) {
    return d ? d->tasks.count : 0;
}

int64_t psh_driver_next_deadline(const psh_driver *d) {
    int64_t next = PSH_TIME_MAX, at;
    const pshi_task *task;
    size_t i;

    for (i = 0; d && i < d->tasks.count; i++) {
        task = &d->tasks.tasks[i];
        at = pshi_time_add(give_up_at(d, task), task->submitted_at == PSH_TIME_NONE ? 0 : 1);
        next = at < next ? at : next;
        if (!is_waiting(task) || d->fenced || d->tasks.in_flight >= d->options.max_in_flight)
            continue;
        at = is_free(d, task) ? due_at(task) : PSH_TIME_MAX;
        next = at < next ? at : next;
    }
    return next;
}
