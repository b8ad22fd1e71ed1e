/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "match/answer.h"

static int is_bytes_type(uint32_t type) {
    return type == PSH_TYPE_TEXT || type == PSH_TYPE_BYTES;
}

static int adds_doubles(const pshi_agg *g) {
    return g->type == PSH_TYPE_DOUBLE && (g->fn == PSH_AGG_SUM || g->fn == PSH_AGG_AVG);
}

static int is_extreme(const pshi_agg *g) {
    return g->fn == PSH_AGG_MIN || g->fn == PSH_AGG_MAX;
}

static pshi_cell *cells_of(psh_answer *a, uint32_t group) {
    return a->cells + (size_t)group * a->spec->aggregate_count;
}

static void add_count(pshi_cell *c, uint64_t n) {
    c->count = c->count > UINT64_MAX - n ? UINT64_MAX : c->count + n;
}

static int is_better(const pshi_agg *g, const pshi_cell *c, const psh_value *v) {
    int32_t order;

    if (v->type == PSH_TYPE_NULL || c->as.best.type == PSH_TYPE_NULL)
        return v->type != PSH_TYPE_NULL;
    order = psh_value_compare(v, &c->as.best);
    return g->fn == PSH_AGG_MIN ? order < 0 : order > 0;
}

void pshi_cells_plan(psh_answer *a, uint32_t group, const psh_value *row, size_t *bytes, size_t *sums) {
    pshi_cell *c = cells_of(a, group);
    const psh_value *v;
    size_t i;

    for (i = 0; i < a->spec->aggregate_count; i++, c++) {
        v = &row[a->aggs[i].at];
        if (is_extreme(&a->aggs[i]) && is_bytes_type(v->type) && is_better(&a->aggs[i], c, v))
            *bytes += v->size;
        if (!adds_doubles(&a->aggs[i]) || v->type == PSH_TYPE_NULL || c->as.f.exact || c->as.f.pending == 2)
            continue;
        c->as.f.pending = c->as.f.held || c->as.f.pending ? 2 : 1;
        *sums += c->as.f.pending == 2;
    }
}

void pshi_cells_unplan(psh_answer *a, uint32_t group) {
    pshi_cell *c = cells_of(a, group);
    size_t i;

    for (i = 0; i < a->spec->aggregate_count; i++)
        if (adds_doubles(&a->aggs[i]))
            c[i].as.f.pending = 0;
}

static void add_wide(pshi_cell *c, int64_t high, uint64_t low) {
    uint64_t add[3] = { low, (uint64_t)high, high < 0 ? UINT64_MAX : 0 };
    pshi_u128 carry = 0;
    size_t i;

    for (i = 0; i < 3; i++) {
        carry += (pshi_u128)c->as.wide[i] + add[i];
        c->as.wide[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

static void add_double(psh_answer *a, pshi_cell *c, double x) {
    c->as.f.pending = 0;
    if (!c->as.f.held) {
        c->as.f.first = x;
        c->as.f.held = 1;
        return;
    }
    if (!c->as.f.exact) {
        pshi_exact_init(&a->sums[a->sum_count]);
        pshi_exact_add(&a->sums[a->sum_count], c->as.f.first);
        c->as.f.exact = (uint32_t)++a->sum_count;
    }
    pshi_exact_add(&a->sums[c->as.f.exact - 1], x);
}

static void add_value(psh_answer *a, const pshi_agg *g, pshi_cell *c, const psh_value *v) {
    if (g->type == PSH_TYPE_DOUBLE)
        add_double(a, c, v->as.f64);
    else if (g->type == PSH_TYPE_DECIMAL)
        add_wide(c, v->hi, (uint64_t)v->as.i64);
    else
        add_wide(c, v->as.i64 < 0 ? -1 : 0, (uint64_t)v->as.i64);
}

void pshi_cells_add(psh_answer *a, uint32_t group, const psh_value *row) {
    pshi_cell *c = cells_of(a, group);
    const pshi_agg *g = a->aggs;
    const psh_value *v;
    size_t i;

    for (i = 0; i < a->spec->aggregate_count; i++, c++, g++) {
        v = &row[g->at];
        if (is_extreme(g)) {
            if (is_better(g, c, v))
                (void)pshi_answer_keep(a, &c->as.best, v); /* its room was planned */
            continue;
        }
        if (g->fn != PSH_AGG_COUNT && v->type == PSH_TYPE_NULL)
            continue;
        if (g->fn != PSH_AGG_COUNT)
            add_value(a, g, c, v);
        if (g->fn == PSH_AGG_AVG)
            v++; /* its count follows its sum */
        add_count(c, g->fn == PSH_AGG_SUM ? 1 : (uint64_t)v->as.i64);
    }
}

/* @return 1 when the sum fits 128 bits. */
static int wide_value(const pshi_cell *c, pshi_i128 *out) {
    uint64_t sign = (int64_t)c->as.wide[1] < 0 ? UINT64_MAX : 0;

    *out = (pshi_i128)((pshi_u128)c->as.wide[1] << 64 | c->as.wide[0]);
    return c->as.wide[2] == sign;
}

static psh_status double_sum(const psh_answer *a, const pshi_cell *c, double *out) {
    *out = (c->as.f.exact ? pshi_exact_value(&a->sums[c->as.f.exact - 1]) : c->as.f.first) + 0.0;
    return isfinite(*out) ? PSH_OK : PSH_E_RANGE;
}

static psh_status sum_value(const psh_answer *a, const pshi_agg *g, const pshi_cell *c, psh_value *out) {
    pshi_i128 sum;

    out->type = g->type;
    if (g->type == PSH_TYPE_DOUBLE)
        return double_sum(a, c, &out->as.f64);
    if (!wide_value(c, &sum))
        return PSH_E_RANGE;
    out->as.i64 = (int64_t)(uint64_t)sum;
    if (g->type == PSH_TYPE_DECIMAL) {
        out->size = g->scale;
        out->hi = (int64_t)(sum >> 64);
        return PSH_OK;
    }
    return sum == out->as.i64 ? PSH_OK : PSH_E_RANGE;
}

static psh_status avg_value(const psh_answer *a, const pshi_agg *g, const pshi_cell *c, psh_value *out) {
    psh_status st = PSH_OK;
    double value = 0;
    double unit = 1;
    pshi_i128 sum;
    uint32_t i;

    if (g->type == PSH_TYPE_DOUBLE)
        st = double_sum(a, c, &value);
    else if (wide_value(c, &sum))
        value = (double)sum;
    else
        st = PSH_E_RANGE;
    for (i = 0; i < g->scale; i++)
        unit *= 10;
    out->type = PSH_TYPE_DOUBLE;
    out->as.f64 = value / unit / (double)c->count;
    return st;
}

psh_status pshi_cell_value(const psh_answer *a, const pshi_agg *g, const pshi_cell *c, psh_value *out) {
    memset(out, 0, sizeof *out);
    if (is_extreme(g)) {
        *out = c->as.best;
        return PSH_OK;
    }
    if (g->fn == PSH_AGG_COUNT) {
        out->type = PSH_TYPE_INT64;
        out->as.i64 = (int64_t)c->count;
        return c->count > INT64_MAX ? PSH_E_RANGE : PSH_OK;
    }
    if (!c->count)
        return PSH_OK;
    return g->fn == PSH_AGG_SUM ? sum_value(a, g, c, out) : avg_value(a, g, c, out);
}
