/* SPDX-License-Identifier: MIT */
#include "autopilot/autopilot.h"
#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "forecast/forecaster.h"

/* No demand is known past the forecaster's horizon: a longer window is cut to it. */
static int64_t window_of(const psh_autopilot *a) {
    const psh_forecaster_options *f = &a->parts.forecaster->o;
    int64_t seen = f->bucket_ns > INT64_MAX / f->horizon ? INT64_MAX : f->bucket_ns * f->horizon;

    return a->options.horizon_ns < seen ? a->options.horizon_ns : seen;
}

static psh_status ask_demand(psh_autopilot *a, int64_t now, psh_demand **out, psh_error *err) {
    psh_demand_request r = { .struct_size = sizeof r };

    r.source = a->options.source;
    r.now = now;
    r.from = now;
    r.to = pshi_time_add(now, window_of(a));
    r.quantile = a->options.quantile;
    return psh_forecaster_demand(a->parts.forecaster, &r, out, err);
}

static psh_status propose_all(
    psh_autopilot *a, const psh_demand *demand, const psh_world *world, int64_t now, psh_wants *wants,
    psh_error *err) {
    psh_status st = psh_map_propose(a->parts.map, demand, now, wants, err);

    if (st == PSH_OK)
        st = psh_tiers_propose(a->parts.tiers, world, now, wants, err);
    if (st == PSH_OK && a->parts.materializer && a->has_cdc)
        st = psh_materializer_propose(a->parts.materializer, demand, world, now, wants, err);
    if (st == PSH_OK && a->parts.bulk) /* the last: it leaves alone what the others change */
        st = psh_bulk_propose(a->parts.bulk, world, now, wants, err);
    return st;
}

/* The tier that a tenant's reads earn most: hot, warm, cold are 0, 1, 2. */
static uint32_t preferred_tier(const psh_tenant_info *t) {
    if (!(t->hot + t->warm + t->cold > 0))
        return PSH_NONE;
    if (t->hot >= t->warm && t->hot >= t->cold)
        return 0;
    return t->warm >= t->cold ? 1 : 2;
}

/* What the forecaster says of the tenants in demand; the map takes it from their next interval on. */
static psh_status assign_tenants(psh_autopilot *a, const psh_demand *demand, int64_t now) {
    psh_tenant_info t = { .struct_size = sizeof t };
    psh_assignment x = { 0 };
    psh_demand_entry e;
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && psh_demand_get(demand, i, &e) == PSH_OK; i++) {
        if (e.kind != PSH_DEMAND_TENANT || psh_forecaster_tenant(a->parts.forecaster, e.table, e.id, &t) != PSH_OK)
            continue;
        x.tenant = e.id;
        x.table = e.table;
        x.segment = t.next_segment ? t.next_segment : t.segment;
        x.from = t.next_segment ? t.from : PSH_TIME_NONE;
        x.access = t.access;
        x.tier = preferred_tier(&t);
        st = psh_map_assign(a->parts.map, &x, now);
        if (st == PSH_E_LIMIT || st == PSH_E_TIME)
            st = PSH_OK; /* it stays where it is */
    }
    return st;
}

/* Recommended, not done: what would have been. */
static psh_status recommend(psh_autopilot *a, const psh_plan *plan, int64_t now) {
    psh_action action;
    psh_status st = pshi_audit_room(a, psh_plan_count(plan));
    size_t i;

    for (i = 0; st == PSH_OK && psh_plan_get(plan, i, &action) == PSH_OK; i++)
        pshi_audit_add(a, &action, PSH_AGAIN, now);
    return st;
}

static psh_status act(psh_autopilot *a, psh_plan *plan, int64_t now, psh_error *err) {
    psh_plan *accepted = NULL;
    psh_status st = pshi_accept(a, plan, now, &accepted, err);

    if (st != PSH_OK || !accepted)
        return st;
    st = psh_driver_run(a->parts.driver, accepted, err);
    if (st != PSH_OK)
        pshi_unbegin(a, accepted, st, now);
    else
        a->dirty = 1; /* the ledger moved */
    psh_plan_unref(accepted);
    return st;
}

static psh_status use_plan(psh_autopilot *a, psh_plan *plan, int64_t now, psh_error *err) {
    psh_status st = PSH_OK;

    if (a->options.mode == PSH_MODE_ACT) {
        st = act(a, plan, now, err);
    } else {
        st = recommend(a, plan, now);
        if (st != PSH_OK)
            pshi_fail(err, st, "audit", psh_status_text(st));
    }
    return st;
}

static void keep_results(psh_autopilot *a, psh_demand *demand, psh_plan *plan, size_t wants, int64_t now) {
    psh_demand_unref(a->demand);
    a->demand = psh_demand_ref(demand);
    psh_plan_unref(a->plan);
    a->plan = psh_plan_ref(plan);
    a->stats.cycles++;
    a->stats.wants += wants;
    a->stats.plans += psh_plan_count(plan) > 0;
    pshi_trace(a->env, PSH_TRACE_CYCLE, now, a->stats.cycles, (int64_t)wants, (int64_t)psh_plan_count(plan));
}

psh_status pshi_cycle(psh_autopilot *a, pshi_step *s) {
    psh_demand *demand = NULL;
    psh_wants *wants = NULL;
    psh_plan *plan = NULL;
    const psh_world *world;
    psh_status st = PSH_OK;

    if (!pshi_owes_checkpoint(a)) /* else the world before it must do */
        st = pshi_publish_next(a, s->now, s->err); /* plans are made against what is true now */
    if (st != PSH_OK)
        return st;
    world = psh_worlds_current(a->parts.worlds);
    st = psh_wants_create(a->env, &wants);
    if (st != PSH_OK)
        return pshi_fail(s->err, st, "wants", psh_status_text(st));
    st = ask_demand(a, s->now, &demand, s->err);
    if (st == PSH_OK && a->options.mode == PSH_MODE_ACT && a->options.flags & PSH_AUTOPILOT_SEGMENTS)
        st = assign_tenants(a, demand, s->now);
    if (st == PSH_OK)
        st = propose_all(a, demand, world, s->now, wants, s->err);
    if (st == PSH_OK)
        st = psh_tiers_place(
            a->parts.tiers, wants, a->schema, world, s->now, psh_driver_fence(a->parts.driver), &plan, s->err);
    if (st == PSH_OK) {
        keep_results(a, demand, plan, psh_wants_count(wants), s->now);
        st = use_plan(a, plan, s->now, s->err);
    }
    psh_plan_unref(plan);
    psh_demand_unref(demand);
    psh_wants_destroy(wants);
    return st;
}
