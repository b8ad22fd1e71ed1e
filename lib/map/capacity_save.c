/* SPDX-License-Identifier: MIT */
/* A planner's bytes: options, then its state by one list of fields that both writes and reads it. */
#include <string.h>

#include "base/error.h"
#include "map/capacity.h"
#include "value/load.h"

#define MOST PSHI_FIELD_MOST

static void options_fields(psh_capacity_options *o, pshi_fields *io) {
    pshi_field_i64(io, &o->step_ns, 1, INT64_MAX);
    pshi_field_i64(io, &o->lead_ns, 0, INT64_MAX);
    pshi_field_f64(io, &o->node_load, 0, PSHI_CAP_MOST);
    pshi_field_f64(io, &o->violation_cost, 0, PSHI_CAP_MOST);
    pshi_field_f64(io, &o->move_cost, 0, PSHI_CAP_MOST);
    pshi_field_u32(io, &o->min_nodes, 1, UINT32_MAX);
    pshi_field_u32(io, &o->max_nodes, 1, UINT32_MAX);
    pshi_field_u32(io, &o->horizon_steps, 1, UINT32_MAX);
    pshi_field_i64(io, &o->memory_ns, 1, INT64_MAX);
}

static void slot_fields(const psh_capacity *c, pshi_cap_slot *s, pshi_fields *io) {
    uint32_t low = c->o.min_nodes, high = c->o.max_nodes, i;

    pshi_field_u32(io, &s->set, 0, 1);
    if (!s->set)
        return;
    pshi_field_u32(io, &s->chosen, low, high);
    pshi_field_u32(io, &s->reactive, low, high);
    pshi_field_u32(io, &s->predictive, low, high);
    for (i = 0; i < PSHI_CAP_POLICIES; i++)
        pshi_field_u32(io, &s->order[i], low, high);
    for (i = 0; i < PSHI_CAP_PREDICTORS; i++)
        pshi_field_u32(io, &s->class_of[i], 0, PSHI_CAP_CLASSES - 1);
    pshi_field_f64s(io, s->point, PSHI_CAP_PREDICTORS, -1000, 1000);
    pshi_field_f64s(io, s->x, PSHI_CAP_FEATURES, -1000, 1000);
}

/* Runs of bins that are not 0: most are. */
static void errors_fields(double *bin, double *total, pshi_fields *io) {
    uint32_t b = 0, from, end;

    pshi_field_f64(io, total, 0, MOST);
    for (;;) {
        for (from = b; io->w && from < PSHI_CAP_BINS && bin[from] <= 0; from++)
            ;
        for (end = from; io->w && end < PSHI_CAP_BINS && bin[end] > 0; end++)
            ;
        pshi_field_u32(io, &from, b, PSHI_CAP_BINS);
        if (from == PSHI_CAP_BINS)
            return;
        pshi_field_u32(io, &end, from + 1, PSHI_CAP_BINS);
        pshi_field_f64s(io, bin + from, end - from, 0, MOST);
        if (io->c && io->c->status != PSH_OK)
            return;
        b = end;
    }
}

static void history_fields(psh_capacity *c, pshi_fields *io) {
    uint64_t kept = c->steps < c->history_cap ? c->steps : c->history_cap, i;
    size_t at;

    for (i = c->steps - kept; i < c->steps; i++) {
        at = (size_t)(i % c->history_cap);
        pshi_field_f64(io, &c->load[at], 0, MOST);
        pshi_field_f64(io, &c->peak[at], 0, MOST);
        if (io->c && io->c->status != PSH_OK)
            return;
    }
}

static void decision_fields(psh_capacity_decision *d, pshi_fields *io) {
    if (io->c)
        d->struct_size = sizeof *d;
    pshi_field_u32(io, &d->policy, 0, PSH_CAPACITY_REACTIVE);
    pshi_field_u32(io, &d->nodes, 0, UINT32_MAX);
    pshi_field_u32(io, &d->nodes_now, 0, UINT32_MAX);
    pshi_field_i64(io, &d->effective_at, INT64_MIN, INT64_MAX);
    pshi_field_f64(io, &d->expected_load, 0, MOST);
    pshi_field_f64(io, &d->upper_load, 0, MOST);
    pshi_field_f64(io, &d->predictive_cost, 0, MOST);
    pshi_field_f64(io, &d->reactive_cost, 0, MOST);
    pshi_field_f64(io, &d->reactive_margin, 0, MOST);
    pshi_field_i64(io, &d->reactive_window, 0, INT64_MAX);
}

void pshi_cap_state(psh_capacity *c, pshi_fields *io) {
    uint32_t i, k;

    pshi_field_i64(io, &c->next, INT64_MIN, INT64_MAX);
    pshi_field_u64(io, &c->steps);
    if ((c->next == PSH_TIME_NONE) != (c->steps == 0) && io->c)
        pshi_read_bad(io->c);
    history_fields(c, io);
    slot_fields(c, &c->now, io);
    for (i = 0; i <= c->lead_steps; i++)
        slot_fields(c, &c->slot[i], io);
    for (i = 0; i < 2; i++) {
        pshi_field_f64s(io, c->fit[i].w, PSHI_CAP_FEATURES, -MOST, MOST);
        pshi_field_f64s(io, c->fit[i].p, PSHI_CAP_FEATURES * PSHI_CAP_FEATURES, -MOST, MOST);
    }
    for (i = 0; i < PSHI_CAP_QUANTILES; i++)
        for (k = 0; k <= PSHI_CAP_CLASSES; k++)
            errors_fields(c->errors[i].bin[k], &c->errors[i].total[k], io);
    pshi_field_f64s(io, c->cost, PSHI_CAP_POLICIES, 0, MOST);
    pshi_field_f64(io, &c->reactive_cost, 0, MOST);
    pshi_field_f64(io, &c->predictive_cost, 0, MOST);
    pshi_field_f64(io, &c->saved, -MOST, MOST);
    pshi_field_f64(io, &c->saved_square, 0, MOST);
    pshi_field_f64(io, &c->block, -MOST, MOST);
    pshi_field_u32(io, &c->block_steps, 0, UINT32_MAX);
    pshi_field_u32(io, &c->is_predictive, 0, 1);
    decision_fields(&c->last, io);
}

/* Writing reads state only; the list of fields is one for both ways. */
static void encode_capacity(pshi_writer *w, const void *value) {
    union {
        const void *from;
        psh_capacity *c;
    } same = { value };
    pshi_fields io = { w, NULL };

    options_fields(&same.c->o, &io);
    pshi_cap_state(same.c, &io);
}

psh_status psh_capacity_save(const psh_capacity *c, psh_buffer *out) {
    if (!c || !out)
        return PSH_E_INVALID;
    return pshi_frame_save(out, PSHI_KIND_CAPACITY, encode_capacity, c);
}

/* Bytes that these options make a planner take, about. */
static psh_status check_size(const psh_capacity_options *o, size_t max_bytes, psh_error *err) {
    uint64_t lead = (uint64_t)(o->lead_ns / o->step_ns) + 2;
    size_t n = PSHI_CAP_HISTORY * 2 * sizeof(double) + sizeof(psh_capacity)
             + PSHI_CAP_PREDICTORS * sizeof(pshi_cap_errors) + ((size_t)2 << 20);

    n += (size_t)lead * sizeof(pshi_cap_slot) + o->horizon_steps * (sizeof(pshi_cap_view) + 160);
    return pshi_load_fits(max_bytes, n, 1, err);
}

static psh_status read_capacity(
    psh_env *env, pshi_cursor *in, size_t max_bytes, psh_capacity **out, psh_error *err) {
    psh_capacity_options o = { .struct_size = sizeof o };
    pshi_fields io = { NULL, in };
    psh_status st;

    options_fields(&o, &io);
    if (in->status != PSH_OK)
        return pshi_fail(err, PSH_E_CORRUPT, "data", "damaged options");
    st = pshi_load_status(pshi_cap_check_options(&o, err), err);
    if (st == PSH_OK)
        st = check_size(&o, max_bytes, err);
    if (st == PSH_OK)
        st = psh_capacity_create(env, &o, out, err);
    if (st != PSH_OK)
        return st;
    pshi_cap_state(*out, &io);
    if (pshi_read_end(in) != PSH_OK)
        return pshi_fail(err, PSH_E_CORRUPT, "data", "damaged, or bytes follow the end");
    return PSH_OK;
}

psh_status psh_capacity_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_capacity **out, psh_error *err) {
    psh_capacity *c = NULL;
    pshi_frame frame;
    pshi_cursor in;
    psh_status st;

    if (!env || !out)
        return pshi_fail(err, PSH_E_INVALID, "out", "env and out are needed");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_CAPACITY, max_bytes, &frame, &in, err);
    if (st != PSH_OK)
        return st;
    st = read_capacity(env, &in, max_bytes, &c, err);
    pshi_frame_close(&frame);
    if (st == PSH_OK)
        *out = c;
    else
        psh_capacity_destroy(c);
    return st;
}
