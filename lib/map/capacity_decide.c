/* SPDX-License-Identifier: MIT */
/* One decision: what every policy orders for the step lead_ns ahead, and which of them is followed. */
#include <string.h>

#include "base/buffer.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/options.h"
#include "map/capacity.h"

/* A forecast cut to the steps from the next one on, over node_load. */
typedef struct ahead {
    const double *mean;      /* Shape [horizon_steps]; NULL: no forecast */
    const double *quantiles; /* Shape [horizon_steps][level_count] */
    const double *levels;
    uint32_t level_count;
} ahead;

static pshi_cap_slot *slot_of(const psh_capacity *c, uint64_t step) {
    return &c->slot[step % ((uint64_t)c->lead_steps + 1)];
}

/* What was decided for a step from the next one on, before the one that is decided now; NULL: nothing yet. */
static const pshi_cap_slot *decided(const psh_capacity *c, uint32_t k) {
    uint32_t i;

    for (i = k + 1; i-- > 0;)
        if (i < c->lead_steps && slot_of(c, c->steps + i)->set)
            return slot_of(c, c->steps + i);
    return c->now.set ? &c->now : NULL;
}

static psh_status cut_forecast(
    psh_capacity *c, int64_t now, const psh_forecast *f, psh_forecast_spec *s, uint32_t *first, psh_error *err) {
    int64_t base = c->next == PSH_TIME_NONE ? now : c->next, behind;

    s->struct_size = sizeof *s;
    *first = UINT32_MAX;
    if (psh_forecast_describe(f, s) != PSH_OK)
        return pshi_fail(err, PSH_E_INVALID, "forecast", "cannot be read");
    if (s->step_ns != c->o.step_ns)
        return pshi_fail(err, PSH_E_INVALID, "forecast", "its steps must be as long as the options' step_ns");
    if (s->from > base || pshi_sub_i64(base, s->from, &behind))
        return pshi_fail(err, PSH_E_INVALID, "forecast", "must begin with the next step at the latest");
    behind /= c->o.step_ns;
    if (behind + c->lead_steps < s->steps)
        *first = (uint32_t)behind;
    return PSH_OK;
}

static double scaled(const psh_capacity *c, double load) {
    double x = load / c->o.node_load;

    return x < PSHI_CAP_MOST ? x : PSHI_CAP_MOST;
}

/* The last step of a shorter forecast stands for those behind it. */
static void scale_forecast(psh_capacity *c, const psh_forecast_spec *s, uint32_t first, ahead *out) {
    double *mean = c->scaled, *q = c->scaled + c->o.horizon_steps;
    uint32_t i, k, at;

    for (i = 0; i < c->o.horizon_steps; i++) {
        at = first + i < s->steps ? first + i : s->steps - 1;
        mean[i] = scaled(c, s->mean[at]);
        for (k = 0; k < s->level_count; k++)
            q[(size_t)i * s->level_count + k] = scaled(c, s->quantiles[(size_t)at * s->level_count + k]);
    }
    out->mean = mean;
    out->quantiles = s->level_count ? q : NULL;
    out->levels = s->levels;
    out->level_count = s->level_count;
}

/* What one predictor says of steps from the target on. */
static void make_views(psh_capacity *c, const ahead *a, uint32_t predictor, uint32_t steps) {
    double x[PSHI_CAP_FEATURES], point[PSHI_CAP_PREDICTORS];
    uint32_t class_of[PSHI_CAP_PREDICTORS], i, at;
    pshi_cap_view *v;

    for (i = 0; i < steps; i++) {
        v = &c->view[i];
        at = c->lead_steps + i;
        pshi_cap_features(c, at, a->mean, x);
        pshi_cap_points(c, at, x, point, class_of);
        memset(v, 0, sizeof *v);
        v->predictor = predictor;
        v->point = point[predictor];
        v->class_of = class_of[predictor];
        if (a->quantiles && (predictor == PSHI_CAP_QUANTILES || predictor == PSHI_CAP_FORECAST)) {
            v->levels = a->levels;
            v->quantiles = a->quantiles + (size_t)at * a->level_count;
            v->level_count = a->level_count;
        }
    }
}

static void plan_policy(
    psh_capacity *c, uint32_t i, const pshi_cap_slot *before, uint32_t steps, uint32_t *schedule) {
    pshi_cap_task t = { c->view, steps, c->o.min_nodes, pshi_cap_price(i % PSHI_CAP_PRICES) };

    if (before)
        t.before = before->order[PSHI_CAP_REACTIVE + i];
    pshi_cap_plan(c, &t, schedule);
}

/* Without moves to pay for, steps do not depend on each other, and the target's alone is needed. */
static void order_all(psh_capacity *c, const ahead *a, const pshi_cap_slot *before, pshi_cap_slot *s) {
    uint32_t steps = c->o.move_cost > 0 ? c->o.horizon_steps - c->lead_steps : 1, i, k;

    pshi_cap_features(c, c->lead_steps, a->mean, s->x);
    pshi_cap_points(c, c->lead_steps, s->x, s->point, s->class_of);
    pshi_cap_react(c, s->order);
    pshi_cap_refresh(c);
    for (i = 0; i < PSHI_CAP_PREDICTORS; i++) {
        make_views(c, a, i, steps);
        for (k = 0; k < PSHI_CAP_PRICES; k++) {
            plan_policy(c, i * PSHI_CAP_PRICES + k, before, steps, c->schedule);
            s->order[PSHI_CAP_REACTIVE + i * PSHI_CAP_PRICES + k] = c->schedule[0];
        }
    }
}

/* The policy of the lowest account; of equals the first. */
static uint32_t leader(const psh_capacity *c, uint32_t first, uint32_t end) {
    uint32_t i, best = first;

    for (i = first; i < end; i++)
        if (c->cost[i] < c->cost[best])
            best = i;
    return best;
}

static void describe(
    psh_capacity *c, int64_t now, const ahead *a, const pshi_cap_slot *s, uint32_t reactive, uint32_t policy) {
    psh_capacity_decision *d = &c->last;
    const pshi_cap_slot *running = decided(c, 0);
    uint32_t window;
    int of_parts;

    memset(d, 0, sizeof *d);
    d->struct_size = sizeof *d;
    d->policy = policy;
    d->nodes = s->chosen;
    d->nodes_now = c->lead_steps == 0 ? s->chosen : running ? running->chosen : c->o.min_nodes;
    d->effective_at = pshi_time_add(now, c->o.lead_ns);
    d->expected_load = (a->mean ? a->mean[c->lead_steps] : pshi_cap_load(c, 1)) * c->o.node_load;
    d->upper_load = policy == PSH_CAPACITY_PREDICTIVE ? s->chosen : pshi_cap_reactive_load(c, reactive);
    d->upper_load *= c->o.node_load;
    d->predictive_cost = c->predictive_cost;
    d->reactive_cost = c->reactive_cost;
    pshi_cap_reactive_policy(reactive, &d->reactive_margin, &window, &of_parts);
    d->reactive_window = (int64_t)window * c->o.step_ns;
}

/* In flight as ordered; then the plan, or for good what was decided. */
static void fill_schedule(
    psh_capacity *c, const ahead *a, const pshi_cap_slot *before, uint32_t policy, uint32_t *out) {
    const pshi_cap_slot *s, *target = slot_of(c, c->steps + c->lead_steps);
    uint32_t rest = c->o.horizon_steps - c->lead_steps, i;

    for (i = 0; i < c->lead_steps; i++) {
        s = decided(c, i);
        out[i] = s ? s->chosen : c->o.min_nodes;
    }
    if (c->last.policy == PSH_CAPACITY_PREDICTIVE) {
        make_views(c, a, policy / PSHI_CAP_PRICES, rest);
        plan_policy(c, policy, before, rest, out + c->lead_steps);
    }
    for (i = 0; i < rest && c->last.policy == PSH_CAPACITY_REACTIVE; i++)
        out[c->lead_steps + i] = target->chosen;
    out[c->lead_steps] = target->chosen;
}

psh_status psh_capacity_decide(
    psh_capacity *c, int64_t now, const psh_forecast *forecast, psh_capacity_decision *out, uint32_t *schedule,
    psh_error *err) {
    psh_forecast_spec spec = { .struct_size = sizeof spec };
    uint32_t first = UINT32_MAX, reactive, predictive, policy;
    const pshi_cap_slot *before;
    ahead a = { NULL };
    pshi_cap_slot *s;
    psh_status st = PSH_OK;

    if (!c || !out || out->struct_size < sizeof out->struct_size)
        return pshi_fail(err, PSH_E_INVALID, c ? "out" : "c", "is NULL or its struct_size is not set");
    if (now == PSH_TIME_NONE || (c->next != PSH_TIME_NONE && now < c->next))
        return pshi_fail(err, PSH_E_TIME, "now", "must not lie before the end of the step observed last");
    if (forecast)
        st = cut_forecast(c, now, forecast, &spec, &first, err);
    if (st != PSH_OK)
        return st;
    if (first != UINT32_MAX)
        scale_forecast(c, &spec, first, &a);
    before = c->lead_steps ? decided(c, c->lead_steps - 1) : decided(c, 0);
    s = slot_of(c, c->steps + c->lead_steps);
    order_all(c, &a, before, s);
    reactive = leader(c, 0, PSHI_CAP_REACTIVE);
    predictive = leader(c, PSHI_CAP_REACTIVE, PSHI_CAP_POLICIES);
    policy = a.mean && c->is_predictive ? PSH_CAPACITY_PREDICTIVE : PSH_CAPACITY_REACTIVE;
    s->set = 1;
    s->reactive = s->order[reactive];
    s->predictive = s->order[predictive];
    s->chosen = policy == PSH_CAPACITY_PREDICTIVE ? s->predictive : s->reactive;
    describe(c, now, &a, s, reactive, policy);
    if (schedule)
        fill_schedule(c, &a, before, predictive - PSHI_CAP_REACTIVE, schedule);
    return pshi_struct_out(out, &c->last, sizeof c->last);
}

/* For people: two digits behind the point. */
static void text_hundredths(pshi_writer *w, double x) {
    uint64_t whole;

    if (!(x < 1e15)) {
        pshi_text_f64(w, x);
        return;
    }
    whole = (uint64_t)(x * 100 + 0.5);
    pshi_text_u64(w, whole / 100);
    pshi_text(w, whole % 100 < 10 ? ".0" : ".");
    pshi_text_u64(w, whole % 100);
}

psh_status psh_capacity_explain(const psh_capacity *c, psh_buffer *out) {
    const psh_capacity_decision *d;
    pshi_writer w;

    if (!c || !out)
        return PSH_E_INVALID;
    d = &c->last;
    w = pshi_write(out);
    if (!d->policy) {
        pshi_text(&w, "nothing decided yet");
        return pshi_write_end(&w);
    }
    pshi_text_u64(&w, d->nodes);
    pshi_text(&w, d->nodes == 1 ? " node at " : " nodes at ");
    pshi_text_time(&w, d->effective_at);
    pshi_text(&w, ", now ");
    pshi_text_u64(&w, d->nodes_now);
    pshi_text(&w, d->policy == PSH_CAPACITY_PREDICTIVE ? ": predicted load " : ": reactive, load ");
    text_hundredths(&w, d->expected_load);
    pshi_text(&w, ", for up to ");
    text_hundredths(&w, d->upper_load);
    pshi_text(&w, "; following predictions cost ");
    text_hundredths(&w, d->predictive_cost);
    pshi_text(&w, " node-hours, the best reactive policy (");
    text_hundredths(&w, d->reactive_margin);
    pshi_text(&w, " times the largest load of ");
    pshi_text_u64(&w, (uint64_t)(d->reactive_window / PSH_SECOND));
    pshi_text(&w, " s) ");
    text_hundredths(&w, d->reactive_cost);
    return pshi_write_end(&w);
}
