/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "autopilot/autopilot.h"
#include "base/env.h"
#include "base/error.h"
#include "drive/driver.h"
#include "map/map.h"

#define FATE_RUN 1u     /* carried out */
#define FATE_RUNNING 2u /* the driver has it from an earlier plan */
#define FATE_DONE 3u    /* ran already: nothing waits for it */
#define FATE_DROPPED 4u /* not carried out, nor what depends on it */

/* A plan being filtered. */
typedef struct filter {
    psh_autopilot *a;
    psh_action *kept; /* Shape [count] */
    size_t count;
    uint64_t *after; /* ids waited for, of all kept actions */
    size_t edges;
    pshi_idmap fates;
    int64_t now;
    psh_status status; /* PSH_E_NOMEM: an action was dropped for want of memory */
} filter;

/* Taking back what was never begun does no harm. */
static void begin_failed(psh_autopilot *a, const psh_action *x, psh_status why, int64_t now) {
    if (!pshi_action_is_view(x->want.kind))
        psh_map_complete(a->parts.map, x, why, now);
    psh_tiers_complete(a->parts.tiers, x, why);
}

/*
 * After it the host holds rows, or none, where a map from before it does not look. So that it was begun is stored
 * before it is handed out, and a planner that takes over carries it through.
 */
static int needs_storing(const psh_autopilot *a, const psh_action *x) {
    const psh_want *w = &x->want;
    int changes = (w->kind == PSH_ACT_SPLIT_PARTITION && w->step == w->steps) ||
                  w->kind == PSH_ACT_MERGE_PARTITION || w->kind == PSH_ACT_PROMOTE_PARTITION ||
                  w->kind == PSH_ACT_DROP_REPLICA;

    return changes && a->options.checkpoint_ns > 0 && !pshi_map_is_begun(a->parts.map, x);
}

static psh_status begin_on_map(psh_autopilot *a, const psh_action *x) {
    int fresh = needs_storing(a, x);
    psh_status st = psh_map_begin(a->parts.map, x);

    if (st != PSH_OK)
        return st;
    if (fresh && pshi_map_is_begun(a->parts.map, x)) /* else there is nothing left to do */
        st = pshi_idmap_put(a->env, &a->unstored, x->id, 1);
    if (st != PSH_OK)
        psh_map_complete(a->parts.map, x, st, a->last);
    else if (pshi_idmap_find(&a->unstored, x->id) != PSH_NONE)
        st = PSH_AGAIN;
    return st;
}

psh_status pshi_begin(void *user, const psh_action *action) {
    psh_autopilot *a = user;
    psh_status st = psh_tiers_begin(a->parts.tiers, action);

    if (st != PSH_OK || pshi_action_is_view(action->want.kind))
        return st;
    st = begin_on_map(a, action);
    if (st < 0)
        psh_tiers_complete(a->parts.tiers, action, st);
    return st;
}

static int is_acted_on(const psh_autopilot *a, uint32_t kind) {
    return a->options.act_kinds == 0 || (a->options.act_kinds >> kind & 1u);
}

static int waits_for_dropped(const filter *f, const psh_action *x) {
    size_t i;

    for (i = 0; i < x->after_count; i++)
        if (pshi_idmap_find(&f->fates, x->after[i]) == FATE_DROPPED)
            return 1;
    return 0;
}

/* An action that waits for another begins when that has ended: until then its subject is not free. */
static int waits(const filter *f, const psh_action *x) {
    uint32_t fate;
    size_t i;

    for (i = 0; i < x->after_count; i++) {
        fate = pshi_idmap_find(&f->fates, x->after[i]);
        if (fate == FATE_RUN || fate == FATE_RUNNING)
            return 1;
    }
    return 0;
}

static uint32_t decide(filter *f, const psh_action *x) {
    psh_autopilot *a = f->a;
    psh_status st = PSH_OK;

    if (pshi_idmap_find(&a->parts.driver->tasks.index, x->id) != PSH_NONE)
        return FATE_RUNNING;
    if (pshi_tasks_known(&a->parts.driver->tasks, x->id))
        return FATE_DONE;
    if (!is_acted_on(a, x->want.kind) || waits_for_dropped(f, x))
        return FATE_DROPPED;
    if (a->options.policy && a->options.policy(a->options.policy_user, f->now, x) != PSH_VERDICT_ALLOW) {
        a->stats.vetoed++;
        pshi_audit_add(a, x, PSH_E_VETOED, f->now);
        return FATE_DROPPED;
    }
    if (!waits(f, x))
        st = pshi_begin(a, x);
    if (st == PSH_AGAIN) /* begun: handed out after the next checkpoint */
        st = PSH_OK;
    if (st == PSH_E_NOMEM)
        f->status = st;
    pshi_audit_add(a, x, st == PSH_OK ? PSH_PENDING : st, f->now);
    return st == PSH_OK ? FATE_RUN : FATE_DROPPED;
}

static void keep_action(filter *f, const psh_action *x) {
    uint64_t *after = f->after + f->edges;
    size_t i, n = 0;

    for (i = 0; i < x->after_count; i++)
        if (pshi_idmap_find(&f->fates, x->after[i]) != FATE_DONE)
            after[n++] = x->after[i];
    f->kept[f->count] = *x;
    f->kept[f->count].after = after;
    f->kept[f->count].after_count = n;
    f->count++;
    f->edges += n;
}

static psh_status make_room(filter *f, const psh_plan *plan) {
    psh_autopilot *a = f->a;
    size_t n = psh_plan_count(plan), edges = 0, i;
    void *owed = a->owed;
    psh_action x;
    psh_status st;

    for (i = 0; psh_plan_get(plan, i, &x) == PSH_OK; i++)
        edges += x.after_count;
    f->kept = pshi_calloc(a->env, n, sizeof *f->kept);
    f->after = pshi_calloc(a->env, edges, sizeof *f->after);
    if (!f->kept || !f->after || pshi_idmap_reserve(a->env, &f->fates, n) != PSH_OK)
        return PSH_E_NOMEM;
    /* Each action may leave one thing owed to the materializer; that must find room whatever happens. */
    st = pshi_reserve(a->env, &owed, &a->owed_capacity, a->owed_count + psh_driver_pending(a->parts.driver) + n,
        sizeof *a->owed);
    a->owed = owed;
    return st == PSH_OK ? pshi_audit_room(a, n) : st;
}

void pshi_unbegin(psh_autopilot *a, psh_plan *plan, psh_status why, int64_t now) {
    psh_completion c = { .status = why, .completed_at = now };
    size_t i = psh_plan_count(plan);

    while (i > 0 && psh_plan_get(plan, --i, &c.action) == PSH_OK) {
        if (pshi_tasks_known(&a->parts.driver->tasks, c.action.id))
            continue;
        begin_failed(a, &c.action, why, now);
        pshi_audit_end(a, &c);
    }
}

static void filter_free(filter *f) {
    pshi_free(f->a->env, f->kept);
    pshi_free(f->a->env, f->after);
    pshi_idmap_free(f->a->env, &f->fates);
}

/* The filtered plan could not be made: everything that was begun is taken back. */
static void take_back(filter *f, psh_status why) {
    psh_completion c = { .status = why, .completed_at = f->now };

    while (f->count > 0) {
        c.action = f->kept[--f->count];
        if (pshi_idmap_find(&f->fates, c.action.id) != FATE_RUN)
            continue;
        begin_failed(f->a, &c.action, why, f->now);
        pshi_audit_end(f->a, &c);
    }
}

psh_status pshi_accept(psh_autopilot *a, psh_plan *plan, int64_t now, psh_plan **out, psh_error *err) {
    filter f = { .a = a, .now = now, .status = PSH_OK };
    psh_status st = make_room(&f, plan);
    uint32_t fate;
    psh_action x;
    size_t i;

    *out = NULL;
    for (i = 0; st == PSH_OK && psh_plan_get(plan, i, &x) == PSH_OK; i++) {
        fate = decide(&f, &x);
        pshi_idmap_put(a->env, &f.fates, x.id, fate);
        if (fate == FATE_RUN || fate == FATE_RUNNING)
            keep_action(&f, &x);
        a->stats.actions += fate == FATE_RUN;
    }
    if (st != PSH_OK) {
        pshi_fail(err, st, "plan", psh_status_text(st));
    } else if (f.count) {
        st = psh_plan_create(
            a->env, now, psh_plan_epoch(plan), f.kept, f.count, sizeof *f.kept, out, err);
        if (st != PSH_OK)
            take_back(&f, st);
    }
    if (st == PSH_OK && f.status != PSH_OK)
        a->hurry = 1;
    filter_free(&f);
    return st;
}
