/* SPDX-License-Identifier: MIT */
#include "autopilot/autopilot.h"
#include "base/checked.h"
#include "base/error.h"

/* Failures of the host: counted, reported, tried again. */
static int is_host_failure(psh_status st) {
    return st == PSH_E_HOST || st == PSH_E_TIMEOUT || st == PSH_E_CONFLICT || st == PSH_E_NOT_FOUND;
}

psh_status pshi_step_note(psh_autopilot *a, pshi_step *s, psh_status st) {
    if (st >= 0)
        return st;
    if (is_host_failure(st))
        a->stats.host_errors++;
    if (s->status >= 0) {
        s->status = st;
        s->err = NULL;
    } else if (st <= -500) {
        s->status = st; /* worse than what came first */
    }
    return st;
}

static int is_due(int64_t at, int64_t now) {
    return now >= at; /* PSH_TIME_NONE: at once */
}

static void step_forecaster(psh_autopilot *a, pshi_step *s) {
    psh_status st = psh_forecaster_step(a->parts.forecaster, s->now, s->budget);

    if (st == PSH_AGAIN)
        s->more = 1;
    else if (st != PSH_OK)
        pshi_step_note(a, s, pshi_fail(s->err, st, "forecaster", psh_status_text(st)));
}

static void step_cycle(psh_autopilot *a, pshi_step *s) {
    psh_status st;

    if (a->options.mode == PSH_MODE_OFF || !(a->hurry || is_due(a->next_cycle, s->now)))
        return;
    a->hurry = 0;
    st = pshi_cycle(a, s);
    if (st == PSH_OK && a->hurry) /* part of the plan found no memory */
        st = pshi_fail(s->err, PSH_E_NOMEM, "plan", psh_status_text(PSH_E_NOMEM));
    pshi_step_note(a, s, st);
    if (st == PSH_E_NOMEM)
        a->hurry = 1; /* the same again in the next step */
    else
        a->next_cycle = pshi_time_add(s->now, a->options.cycle_ns);
}

static void step_checkpoint(psh_autopilot *a, pshi_step *s) {
    psh_status st;
    int64_t pause = a->options.checkpoint_ns;

    if (!pause)
        return;
    if (a->next_checkpoint == PSH_TIME_NONE)
        a->next_checkpoint = pshi_time_add(s->now, pause);
    if (!is_due(a->next_checkpoint, s->now))
        return;
    st = pshi_step_note(a, s, pshi_checkpoint(a, s->now, s->err));
    if (st != PSH_OK && a->options.poll_ns < pause)
        pause = a->options.poll_ns;
    a->next_checkpoint = pshi_time_add(s->now, pause);
}

static void publish_if_dirty(psh_autopilot *a, pshi_step *s) {
    psh_status st = PSH_OK;

    if (!a->dirty)
        return;
    if (pshi_owes_checkpoint(a))
        st = pshi_checkpoint(a, s->now, s->err);
    if (st == PSH_OK)
        st = pshi_publish_next(a, s->now, s->err);
    pshi_step_note(a, s, st);
}

/* What the host completed since the last step is known before anything is planned or begun. */
static void hear_completions(psh_autopilot *a, pshi_step *s) {
    psh_status st = pshi_events(a, s->now);

    if (st != PSH_OK)
        pshi_step_note(a, s, pshi_fail(s->err, st, "completion", psh_status_text(st)));
}

static void run_stages(psh_autopilot *a, pshi_step *s) {
    hear_completions(a, s);
    step_forecaster(a, s);
    pshi_follow(a, s);
    step_cycle(a, s);
    pshi_drive(a, s);
    pshi_pay_owed(a, s);
    publish_if_dirty(a, s); /* fills scan what the world names */
    pshi_fill(a, s);
    publish_if_dirty(a, s);
    step_checkpoint(a, s);
}

psh_status psh_autopilot_step(psh_autopilot *a, int64_t now, uint32_t budget, psh_error *err) {
    pshi_step s = { .now = now, .budget = budget, .status = PSH_OK, .err = err };

    if (!a || !budget)
        return pshi_fail(err, PSH_E_INVALID, a ? "budget" : "autopilot", "must be >= 1");
    if (a->busy)
        return pshi_fail(err, PSH_E_REENTRANT, "autopilot", "called from inside one of its callbacks");
    if (now == PSH_TIME_NONE || now < a->last)
        return pshi_fail(err, PSH_E_TIME, "now", "went backwards");
    a->busy = 1;
    a->last = now;
    run_stages(a, &s);
    a->busy = 0;
    if (s.status < 0)
        return s.status;
    return s.more ? PSH_AGAIN : PSH_OK;
}

void psh_autopilot_hurry(psh_autopilot *a) {
    if (a)
        a->hurry = 1;
}

void psh_autopilot_refresh(psh_autopilot *a) {
    if (a)
        a->refresh = 1;
}

psh_status psh_autopilot_publish(psh_autopilot *a, int64_t now, psh_error *err) {
    psh_status st;

    if (!a)
        return pshi_fail(err, PSH_E_INVALID, "autopilot", "is NULL");
    if (a->busy)
        return pshi_fail(err, PSH_E_REENTRANT, "autopilot", "called from inside one of its callbacks");
    if (now == PSH_TIME_NONE || now < a->last)
        return pshi_fail(err, PSH_E_TIME, "now", "went backwards");
    a->last = now;
    a->dirty = 1; /* if this one fails, the next step owes it */
    a->busy = 1;
    st = pshi_owes_checkpoint(a) ? pshi_checkpoint(a, now, err) : PSH_OK;
    if (st == PSH_OK)
        st = pshi_publish_next(a, now, err);
    a->busy = 0;
    return st;
}

static int64_t sooner(int64_t x, int64_t y) {
    return x < y ? x : y;
}

int64_t psh_autopilot_next_deadline(const psh_autopilot *a) {
    int64_t next;

    if (!a)
        return PSH_TIME_MAX;
    if (a->last == PSH_TIME_NONE)
        return PSH_TIME_MIN;
    if (a->dirty || a->batch_waits || a->owed_count || a->unstored.count ||
        (a->hurry && a->options.mode != PSH_MODE_OFF) ||
        (a->refresh && a->has_cdc))
        return a->last;
    next = psh_driver_next_deadline(a->parts.driver);
    if (a->options.mode != PSH_MODE_OFF)
        next = sooner(next, a->next_cycle);
    if (a->has_cdc)
        next = sooner(next, a->next_poll);
    if (a->options.checkpoint_ns)
        next = sooner(next, a->next_checkpoint);
    if (a->filling)
        next = sooner(next, a->fill_after > a->last ? a->fill_after : a->last);
    return next > PSH_TIME_NONE ? next : a->last;
}
