/* SPDX-License-Identifier: MIT */
/* Options, life, and what each step teaches: accounts of all policies, errors of all predictions. */
#include "map/capacity.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "base/options.h"

#define LONGEST_STEP (366 * PSH_DAY)
#define MOST_NODES 65536u
#define MOST_CELLS 512u
#define MOST_WORK ((uint32_t)1 << 18) /* cells of a plan, all steps together */
#define MARGIN_STEPS 64u              /* of history beyond a week */
#define BLOCK_LEADS 8u                /* lead times over which a difference is summed, so that sums hardly depend */
#define TAKE_OVER 1.5                 /* standard errors by which predictions must be cheaper, to decide */
#define STEP_BACK 0.3                 /* and below which they do no longer */

static const psh_capacity_options DEFAULTS = {
    .struct_size = sizeof(psh_capacity_options),
    .step_ns = 5 * PSH_MINUTE,
    .lead_ns = 30 * PSH_MINUTE,
    .node_load = 1,
    .violation_cost = 1,
    .min_nodes = 1,
    .max_nodes = 1024,
    .horizon_steps = 48,
    .memory_ns = 7 * PSH_DAY,
};

psh_status psh_capacity_options_init(psh_capacity_options *o, uint32_t size) {
    return pshi_options_out(o, size, &DEFAULTS, sizeof DEFAULTS);
}

static psh_status check_times(const psh_capacity_options *o, psh_error *err) {
    if (o->step_ns <= 0 || o->step_ns > LONGEST_STEP)
        return pshi_fail(err, PSH_E_INVALID, "step_ns", "must be within 1 ns..366 days");
    if (o->lead_ns < 0 || o->lead_ns / o->step_ns > PSHI_CAP_STEPS - 1)
        return pshi_fail(err, PSH_E_INVALID, "lead_ns", "must be within 0..4095 steps");
    if (o->horizon_steps < 1 || o->horizon_steps > PSHI_CAP_STEPS)
        return pshi_fail(err, PSH_E_INVALID, "horizon_steps", "must be within 1..4096");
    if ((o->lead_ns + o->step_ns - 1) / o->step_ns >= o->horizon_steps)
        return pshi_fail(err, PSH_E_INVALID, "horizon_steps", "must reach beyond lead_ns");
    if (o->memory_ns <= 0)
        return pshi_fail(err, PSH_E_INVALID, "memory_ns", "must be > 0");
    return PSH_OK;
}

psh_status pshi_cap_check_options(const psh_capacity_options *o, psh_error *err) {
    if (o->flags)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    if (o->reserved)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "reserved", "must be 0");
    if (!(o->node_load >= 1 / PSHI_CAP_MOST && o->node_load <= PSHI_CAP_MOST))
        return pshi_fail(err, PSH_E_INVALID, "node_load", "must be within 2^-100..2^100");
    if (!(o->violation_cost > 0 && o->violation_cost <= PSHI_CAP_MOST))
        return pshi_fail(err, PSH_E_INVALID, "violation_cost", "must be > 0 and at most 2^100");
    if (!(o->move_cost >= 0 && o->move_cost <= PSHI_CAP_MOST))
        return pshi_fail(err, PSH_E_INVALID, "move_cost", "must be within 0..2^100");
    if (o->min_nodes < 1)
        return pshi_fail(err, PSH_E_INVALID, "min_nodes", "must be >= 1");
    if (o->max_nodes < o->min_nodes || o->max_nodes > MOST_NODES)
        return pshi_fail(err, PSH_E_INVALID, "max_nodes", "must be within min_nodes..65536");
    return check_times(o, err);
}

/* How many steps a span is, if whole and kept; else 0. */
static uint32_t season_steps(const psh_capacity_options *o, int64_t span) {
    int64_t n = span / o->step_ns;

    return span % o->step_ns || n + MARGIN_STEPS > PSHI_CAP_HISTORY ? 0 : (uint32_t)n;
}

static void derive(psh_capacity *c) {
    double memory = fmax((double)c->o.memory_ns / (double)c->o.step_ns, 1);
    uint32_t most = MOST_WORK / c->o.horizon_steps;

    c->lead_steps = (uint32_t)((c->o.lead_ns + c->o.step_ns - 1) / c->o.step_ns);
    c->day_steps = season_steps(&c->o, PSH_DAY);
    c->week_steps = season_steps(&c->o, 7 * PSH_DAY);
    c->history_cap = c->week_steps > c->day_steps ? c->week_steps : c->day_steps;
    c->history_cap = (c->history_cap > 288 ? c->history_cap : 288) + MARGIN_STEPS;
    c->cells = most < MOST_CELLS ? most : MOST_CELLS;
    c->keep = exp(-1 / memory);
    c->keep_fit = exp(-0.5 / memory); /* spreads need more samples than means: twice the memory */
}

static psh_status reserve_all(psh_capacity *c) {
    c->load = pshi_calloc(c->env, c->history_cap, sizeof *c->load);
    c->peak = pshi_calloc(c->env, c->history_cap, sizeof *c->peak);
    c->slot = pshi_calloc(c->env, (size_t)c->lead_steps + 1, sizeof *c->slot);
    c->errors = pshi_calloc(c->env, PSHI_CAP_PREDICTORS, sizeof *c->errors);
    c->work = pshi_calloc(c->env, ((size_t)c->o.horizon_steps + 2) * c->cells, sizeof *c->work);
    c->view = pshi_calloc(c->env, c->o.horizon_steps, sizeof *c->view);
    c->scaled = pshi_calloc(c->env, (size_t)c->o.horizon_steps * (PSHI_CAP_LEVELS + 1), sizeof *c->scaled);
    c->schedule = pshi_calloc(c->env, c->o.horizon_steps, sizeof *c->schedule);
    if (!c->load || !c->peak || !c->slot || !c->errors || !c->work || !c->view || !c->scaled || !c->schedule)
        return PSH_E_NOMEM;
    return PSH_OK;
}

psh_status psh_capacity_create(
    psh_env *env, const psh_capacity_options *options, psh_capacity **out, psh_error *err) {
    psh_capacity_options o = DEFAULTS;
    psh_capacity *c;
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env)
        return pshi_fail(err, PSH_E_INVALID, "env", "is NULL");
    if (options && (st = pshi_options_copy(&o, sizeof o, options, err)) != PSH_OK)
        return st;
    if ((st = pshi_cap_check_options(&o, err)) != PSH_OK)
        return st;
    c = pshi_calloc(env, 1, sizeof *c);
    if (!c)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    c->env = env;
    c->o = o;
    c->next = PSH_TIME_NONE;
    derive(c);
    if (reserve_all(c) != PSH_OK) {
        psh_capacity_destroy(c);
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    }
    pshi_cap_prior(c);
    pshi_cap_fit_start(&c->fit[0], 1);
    pshi_cap_fit_start(&c->fit[1], 4);
    *out = c;
    return PSH_OK;
}

void psh_capacity_destroy(psh_capacity *c) {
    if (!c)
        return;
    pshi_free(c->env, c->load);
    pshi_free(c->env, c->peak);
    pshi_free(c->env, c->slot);
    pshi_free(c->env, c->errors);
    pshi_free(c->env, c->work);
    pshi_free(c->env, c->view);
    pshi_free(c->env, c->scaled);
    pshi_free(c->env, c->schedule);
    pshi_free(c->env, c);
}

/* What a step cost with so many nodes. @param part  Shape [n], n times their loads over node_load */
static double step_cost(const psh_capacity *c, uint32_t nodes, const double *part, size_t n) {
    double hours = pshi_cap_step_hours(c);
    size_t k, above = 0;

    for (k = 0; k < n; k++)
        above += part[k] > nodes;
    return nodes * hours + c->o.violation_cost * 60 * hours * ((double)above / (double)n);
}

static double move_cost(const psh_capacity *c, uint32_t from, uint32_t to) {
    return c->o.move_cost * (from < to ? to - from : from - to);
}

/* A test of the mean of differences: hysteresis keeps a tie from going to and fro. Squares of what is under the
 * resolution of the costs are no evidence. */
static void guard(psh_capacity *c, double saved) {
    uint32_t steps = BLOCK_LEADS * (c->lead_steps > 2 ? c->lead_steps : 2);
    double keep, error;

    c->block += saved;
    if (++c->block_steps < steps)
        return;
    keep = pow(c->keep, steps);
    c->saved = c->saved * keep + c->block;
    c->saved_square = c->saved_square * keep + c->block * c->block;
    c->block = 0;
    c->block_steps = 0;
    error = sqrt(c->saved_square) + 1e-9 * c->reactive_cost;
    if (c->saved > TAKE_OVER * error)
        c->is_predictive = 1;
    else if (c->saved < STEP_BACK * error)
        c->is_predictive = 0;
}

/* Adds the step to all accounts: each policy pays for its own nodes and moves. */
static void judge(psh_capacity *c, const pshi_cap_slot *s, const double *part, size_t n) {
    const pshi_cap_slot *was = c->now.set ? &c->now : s;
    double paid[2];
    uint32_t i;

    for (i = 0; i < PSHI_CAP_POLICIES; i++)
        c->cost[i] = c->cost[i] * c->keep + step_cost(c, s->order[i], part, n) +
                     move_cost(c, was->order[i], s->order[i]);
    paid[0] = step_cost(c, s->reactive, part, n) + move_cost(c, was->reactive, s->reactive);
    paid[1] = step_cost(c, s->predictive, part, n) + move_cost(c, was->predictive, s->predictive);
    c->reactive_cost = c->reactive_cost * c->keep + paid[0];
    c->predictive_cost = c->predictive_cost * c->keep + paid[1];
    guard(c, paid[0] - paid[1]);
}

/* One step: whole and largest are its load and n times its largest part, over node_load. */
static void take_step(psh_capacity *c, const double *part, size_t n) {
    pshi_cap_slot *s = &c->slot[c->steps % ((uint64_t)c->lead_steps + 1)];
    double whole = 0, peak = 0;
    size_t k;

    for (k = 0; k < n; k++) {
        whole += part[k] / (double)n;
        peak = fmax(peak, part[k]);
    }
    if (s->set) {
        judge(c, s, part, n);
        pshi_cap_learn(c, s, part, n);
        c->now = *s;
    } else if (c->now.set) { /* nobody decided for this step: all stays as it is */
        judge(c, &c->now, part, n);
    }
    s->set = 0;
    c->load[c->steps % c->history_cap] = whole;
    c->peak[c->steps % c->history_cap] = peak;
    c->steps++;
}

static int is_load(double x) {
    return x >= 0 && x <= PSHI_CAP_MOST;
}

static psh_status check_time(const psh_capacity *c, int64_t time, int64_t *skipped) {
    int64_t ahead, end;

    *skipped = 0;
    if (time == PSH_TIME_NONE || pshi_add_i64(time, c->o.step_ns, &end) || pshi_add_i64(end, c->o.lead_ns, &end))
        return PSH_E_TIME;
    if (c->next == PSH_TIME_NONE)
        return PSH_OK;
    if (time < c->next || pshi_sub_i64(time, c->next, &ahead))
        return PSH_E_TIME;
    *skipped = ahead / c->o.step_ns;
    return PSH_OK;
}

psh_status psh_capacity_observe_parts(psh_capacity *c, int64_t time, const double *load, size_t n) {
    double part[PSHI_CAP_PARTS], zero = 0;
    int64_t skipped, i;
    psh_status st;
    size_t k;

    if (!c || !load || !n || n > PSHI_CAP_PARTS)
        return PSH_E_INVALID;
    for (k = 0; k < n; k++) {
        if (!is_load(load[k]))
            return PSH_E_INVALID;
        part[k] = load[k] * (double)n / c->o.node_load;
    }
    st = check_time(c, time, &skipped);
    if (st != PSH_OK)
        return st;
    for (i = 0; i < skipped && i < PSHI_CAP_STEPS; i++)
        take_step(c, &zero, 1);
    take_step(c, part, n);
    c->next = c->next == PSH_TIME_NONE ? time + c->o.step_ns : c->next + (skipped + 1) * c->o.step_ns;
    return PSH_OK;
}

psh_status psh_capacity_observe(psh_capacity *c, int64_t time, double load) {
    return psh_capacity_observe_parts(c, time, &load, 1);
}
