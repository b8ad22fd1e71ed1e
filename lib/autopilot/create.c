/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "autopilot/autopilot.h"
#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "drive/driver.h"

static const psh_autopilot_options autopilot_defaults = {
    .struct_size = sizeof autopilot_defaults,
    .mode = PSH_MODE_RECOMMEND,
    .source = PSH_DEMAND_FORECAST,
    .max_audit = 4096,
    .cycle_ns = PSH_HOUR,
    .horizon_ns = PSH_DAY,
    .poll_ns = PSH_MINUTE,
    .quantile = 0.95,
};

psh_status psh_autopilot_options_init(psh_autopilot_options *o, uint32_t size) {
    return pshi_options_out(o, size, &autopilot_defaults, sizeof autopilot_defaults);
}

static psh_status check_autopilot_options(const psh_autopilot_options *o, psh_error *err) {
    if (o->flags & ~PSH_AUTOPILOT_SEGMENTS)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "a flag that this build does not know");
    if (o->mode > PSH_MODE_OFF)
        return pshi_fail(err, PSH_E_INVALID, "mode", "must be one of PSH_MODE_*");
    if (o->act_kinds & ~((2u << PSH_ACT_MAX) - 2u))
        return pshi_fail(err, PSH_E_INVALID, "act_kinds", "has a bit that is no kind of action");
    if (o->source > PSH_DEMAND_OBSERVED)
        return pshi_fail(err, PSH_E_INVALID, "source", "must be one of PSH_DEMAND_*");
    if (!o->max_audit || o->max_audit > UINT32_C(1) << 24)
        return pshi_fail(err, PSH_E_INVALID, "max_audit", "must be 1..2^24");
    if (o->cycle_ns <= 0 || o->horizon_ns <= 0 || o->poll_ns <= 0)
        return pshi_fail(err, PSH_E_INVALID, "cycle_ns", "cycle_ns, horizon_ns and poll_ns must be > 0");
    if (o->checkpoint_ns < 0)
        return pshi_fail(err, PSH_E_INVALID, "checkpoint_ns", "must be >= 0");
    if (!isfinite(o->quantile) || o->quantile <= 0 || o->quantile >= 1)
        return pshi_fail(err, PSH_E_INVALID, "quantile", "must lie in (0, 1)");
    return PSH_OK;
}

psh_status pshi_autopilot_make(
    psh_env *env, psh_schema *schema, const psh_autopilot_options *o, psh_autopilot **out, psh_error *err) {
    psh_autopilot *a;
    psh_status st = PSH_OK;

    *out = NULL;
    if (!env || !schema)
        return pshi_fail(err, PSH_E_INVALID, env ? "schema" : "env", "is NULL");
    a = pshi_calloc(env, 1, sizeof *a);
    if (!a)
        return pshi_fail(err, PSH_E_NOMEM, "autopilot", psh_status_text(PSH_E_NOMEM));
    a->env = env;
    a->schema = psh_schema_ref(schema);
    a->options = autopilot_defaults;
    a->last = a->next_cycle = a->next_poll = a->next_checkpoint = a->fill_after = PSH_TIME_NONE;
    a->dirty = 1;
    if (o)
        st = pshi_options_copy(&a->options, sizeof a->options, o, err);
    if (st == PSH_OK)
        st = check_autopilot_options(&a->options, err);
    if (st != PSH_OK) {
        psh_autopilot_destroy(a);
        return st;
    }
    *out = a;
    return PSH_OK;
}

psh_status pshi_autopilot_attach(psh_autopilot *a, const psh_parts *parts, psh_error *err) {
    psh_parts p = { 0 };
    void *owed = a->owed;
    psh_status st = pshi_options_copy(&p, sizeof p, parts, err);

    if (st != PSH_OK)
        return st;
    if (!p.forecaster || !p.map || !p.tiers || !p.driver || !p.worlds)
        return pshi_fail(err, PSH_E_INVALID, "parts", "only materializer and bulk may be NULL");
    if (p.driver->has_cdc && !a->batch)
        st = psh_change_batch_create(a->env, a->schema, (size_t)p.driver->options.batch_bytes, &a->batch);
    if (st == PSH_OK) {
        st = pshi_reserve(a->env, &owed, &a->owed_capacity, psh_driver_pending(p.driver), sizeof *a->owed);
        a->owed = owed;
    }
    if (st != PSH_OK)
        return pshi_fail(err, st, "parts", psh_status_text(st));
    p.driver->gate = pshi_begin;
    p.driver->gate_user = a;
    a->parts = p;
    a->has_cdc = p.driver->has_cdc;
    return PSH_OK;
}

psh_status psh_autopilot_create(
    psh_env *env, psh_schema *schema, const psh_autopilot_options *o, const psh_parts *parts,
    psh_autopilot **out, psh_error *err) {
    psh_autopilot *a;
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!parts)
        return pshi_fail(err, PSH_E_INVALID, "parts", "is NULL");
    st = pshi_autopilot_make(env, schema, o, &a, err);
    if (st != PSH_OK)
        return st;
    st = pshi_autopilot_attach(a, parts, err);
    if (st != PSH_OK) {
        psh_autopilot_destroy(a);
        return st;
    }
    *out = a;
    return PSH_OK;
}

void psh_autopilot_destroy(psh_autopilot *a) {
    if (!a)
        return;
    if (a->parts.driver) {
        a->parts.driver->gate = NULL;
        a->parts.driver->gate_user = NULL;
    }
    psh_plan_unref(a->plan);
    psh_demand_unref(a->demand);
    psh_change_batch_destroy(a->batch);
    pshi_audit_free(a);
    pshi_free(a->env, a->owed);
    pshi_idmap_free(a->env, &a->unstored);
    psh_schema_unref(a->schema);
    pshi_free(a->env, a);
}

psh_plan *psh_autopilot_plan(const psh_autopilot *a) {
    return a ? a->plan : NULL;
}

psh_demand *psh_autopilot_demand(const psh_autopilot *a) {
    return a ? a->demand : NULL;
}

psh_status psh_autopilot_get_stats(const psh_autopilot *a, psh_autopilot_stats *out) {
    return a && out ? pshi_struct_out(out, &a->stats, sizeof a->stats) : PSH_E_INVALID;
}
