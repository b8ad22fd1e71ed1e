/* SPDX-License-Identifier: MIT */
#include "map/balance.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/options.h"

static const psh_balance_options DEFAULTS = {
    .struct_size = sizeof(psh_balance_options),
    .max_steps = 64,
    .max_replicas = 2,
    .max_bytes = UINT64_MAX,
    .tolerance = 0.10,
    .split_above = 0.5,
    .merge_below = 0.05,
    .least_gain = 0.01,
};

psh_status psh_balance_options_init(psh_balance_options *o, uint32_t size) {
    return pshi_options_out(o, size, &DEFAULTS, sizeof DEFAULTS);
}

static psh_status check_options(const psh_balance_options *o, psh_error *err) {
    const uint32_t known =
        PSH_BALANCE_NO_SPLIT | PSH_BALANCE_NO_MERGE | PSH_BALANCE_NO_REPLICA | PSH_BALANCE_NO_MOVE;

    if (o->flags & ~known)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    if (o->max_replicas > 1024)
        return pshi_fail(err, PSH_E_INVALID, "max_replicas", "must be at most 1024");
    if (!(o->tolerance >= 0 && o->tolerance <= 1000))
        return pshi_fail(err, PSH_E_INVALID, "tolerance", "must be within 0..1000");
    if (!(o->split_above > 0) || isinf(o->split_above))
        return pshi_fail(err, PSH_E_INVALID, "split_above", "must be > 0 and finite");
    if (!(o->merge_below >= 0 && o->merge_below <= o->split_above))
        return pshi_fail(err, PSH_E_INVALID, "merge_below", "must be within 0..split_above");
    if (!(o->least_gain >= 0 && o->least_gain <= 1000))
        return pshi_fail(err, PSH_E_INVALID, "least_gain", "must be within 0..1000");
    if (!(o->busy >= 0 && o->busy <= 1))
        return pshi_fail(err, PSH_E_INVALID, "busy", "must be within 0..1");
    return PSH_OK;
}

static void free_plan(pshi_bal *p) {
    pshi_free(p->env, p->items);
    pshi_free(p->env, p->next);
    pshi_free(p->env, p->nodes);
    pshi_free(p->env, p->over);
    pshi_free(p->env, p->room);
    pshi_free(p->env, p->fullest.at);
    pshi_free(p->env, p->fullest.place);
    pshi_free(p->env, p->emptiest.at);
    pshi_free(p->env, p->emptiest.place);
    pshi_free(p->env, p->roomiest.at);
    pshi_free(p->env, p->roomiest.place);
    pshi_free(p->env, p->order);
    pshi_free(p->env, p->ahead);
    pshi_free(p->env, p->back);
    pshi_free(p->env, p->members);
    pshi_free(p->env, p->groups);
    pshi_free(p->env, p->copies);
    pshi_free(p->env, p->keys);
    pshi_free(p->env, p->keys2);
    pshi_free(p->env, p->swap);
}

/* Of all nodes, those that leave too. */
static double largest_over(const pshi_bal *p) {
    uint64_t most = 0;
    size_t i;

    for (i = 0; i < p->node_count; i++)
        if (p->over[i] > most)
            most = p->over[i];
    return p->total ? (double)most / (double)PSHI_BAL_ONE : 1;
}

static void run(pshi_bal *p) {
    p->out->before = largest_over(p);
    if (p->staying) {
        pshi_bal_place(p);
        pshi_bal_leave(p);
        pshi_bal_bucket(p);
        pshi_bal_cool(p, p->steps_left / 4); /* before loads are evened out: they are not what they seem */
        pshi_bal_relieve(p);
        pshi_bal_cool(p, p->steps_left);
        pshi_bal_join(p);
        pshi_bal_gather(p);
    }
    p->out->after = largest_over(p);
}

static psh_status check_arguments(
    const psh_heat *items, size_t item_count, size_t item_stride, const psh_heat_node *nodes, size_t node_count,
    size_t node_stride, psh_error *err) {
    if (item_count && !items)
        return pshi_fail(err, PSH_E_INVALID, "items", "is NULL");
    if (node_count && !nodes)
        return pshi_fail(err, PSH_E_INVALID, "nodes", "is NULL");
    if (item_count >= PSH_NONE || (item_count && !item_stride))
        return pshi_fail(err, PSH_E_INVALID, item_stride ? "item_count" : "item_stride", "is out of range");
    if (node_count > UINT32_C(1) << 20 || (node_count && !node_stride))
        return pshi_fail(err, PSH_E_INVALID, node_stride ? "node_count" : "node_stride", "is out of range");
    return PSH_OK;
}

psh_status psh_balance_create(
    psh_env *env, const psh_balance_options *o, const psh_heat *items, size_t item_count, size_t item_stride,
    const psh_heat_node *nodes, size_t node_count, size_t node_stride, psh_balance **out, psh_error *err) {
    pshi_bal p;
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env)
        return pshi_fail(err, PSH_E_INVALID, "env", "is NULL");
    memset(&p, 0, sizeof p);
    p.env = env;
    p.o = DEFAULTS;
    if (o && (st = pshi_options_copy(&p.o, sizeof p.o, o, err)) != PSH_OK)
        return st;
    if ((st = check_options(&p.o, err)) != PSH_OK)
        return st;
    if ((st = check_arguments(items, item_count, item_stride, nodes, node_count, node_stride, err)) != PSH_OK)
        return st;
    p.item_count = item_count;
    p.node_count = node_count;
    p.out = pshi_calloc(env, 1, sizeof *p.out);
    if (!p.out)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    p.out->env = env;
    st = pshi_bal_intake(&p, items, item_stride, nodes, node_stride, err);
    if (st == PSH_OK) {
        run(&p);
        st = p.status == PSH_OK ? PSH_OK : pshi_fail(err, p.status, "", psh_status_text(p.status));
    }
    free_plan(&p);
    if (st == PSH_OK)
        *out = p.out;
    else
        psh_balance_destroy(p.out);
    return st;
}

void psh_balance_destroy(psh_balance *b) {
    if (!b)
        return;
    pshi_free(b->env, b->steps);
    pshi_free(b->env, b);
}

size_t psh_balance_count(const psh_balance *b) {
    return b ? b->count : 0;
}

psh_status psh_balance_get(const psh_balance *b, size_t i, psh_balance_step *out) {
    if (!b || !out || i >= b->count)
        return PSH_E_NOT_FOUND;
    *out = b->steps[i];
    return PSH_OK;
}

double psh_balance_before(const psh_balance *b) {
    return b ? b->before : 1;
}

double psh_balance_after(const psh_balance *b) {
    return b ? b->after : 1;
}
