/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "value/query_inside.h"
#include "value/value.h"

static psh_status check_array(
    const void *p, size_t n, size_t most, size_t stride, size_t size, const char *field, psh_error *err) {
    if (n > most)
        return pshi_fail(err, PSH_E_INVALID, field, "too many");
    if (n && !p)
        return pshi_fail(err, PSH_E_INVALID, field, "is NULL");
    if (n && stride < size)
        return pshi_fail(err, PSH_E_INVALID, field, "the stride is less than the struct");
    return PSH_OK;
}

static psh_status check_arrays(const psh_query_spec *s, psh_error *err) {
    psh_status st;

    st = check_array(s->predicates, s->predicate_count, PSHI_MAX_PREDICATES, s->predicate_stride,
                     sizeof(psh_predicate), "predicates", err);
    if (st == PSH_OK)
        st = check_array(s->group_columns, s->group_count, PSHI_MAX_GROUPS, 4, 4, "group_columns", err);
    if (st == PSH_OK)
        st = check_array(s->aggregates, s->aggregate_count, PSHI_MAX_AGGREGATES, s->aggregate_stride,
                         sizeof(psh_aggregate), "aggregates", err);
    if (st == PSH_OK)
        st = check_array(s->columns, s->column_count, PSHI_MAX_OUTPUTS, 4, 4, "columns", err);
    if (st == PSH_OK)
        st = check_array(s->order, s->order_count, PSHI_MAX_ORDER, s->order_stride, sizeof(psh_order), "order",
                         err);
    if (st == PSH_OK)
        st = check_array(s->labels, s->label_count, PSHI_MAX_LABELS, s->label_stride, sizeof(psh_label),
                         "labels", err);
    return st;
}

static psh_status check_scalars(const psh_query_spec *s, psh_error *err) {
    if (s->flags)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    if (s->reserved)
        return pshi_fail(err, PSH_E_INVALID, "reserved", "must be 0");
    if (s->time_from == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "time_from", "is not a time");
    if (s->time_to == PSH_TIME_NONE || s->time_to < s->time_from)
        return pshi_fail(err, PSH_E_INVALID, "time_to", "must not lie before time_from");
    if (s->bucket_ns < 0)
        return pshi_fail(err, PSH_E_INVALID, "bucket_ns", "must be 0 or more");
    if (s->max_staleness_ns < 0)
        return pshi_fail(err, PSH_E_INVALID, "max_staleness_ns", "must be 0 or more");
    return PSH_OK;
}

/* 1 if the column's order is not that of its bytes. */
static int is_foreign(const psh_column_spec *c) {
    return c->type == PSH_TYPE_TEXT && c->collation != PSH_COLLATION_BINARY;
}

static psh_status check_predicate(const pshi_table *t, const psh_predicate *p, size_t at, psh_error *err) {
    size_t least = p->op == PSH_OP_IS_NULL || p->op == PSH_OP_NOT_NULL ? 0 : 1, i;
    const psh_column_spec *c;

    if (p->column >= t->column_count || p->column == t->time_column)
        return pshi_fail_at(err, PSH_E_INVALID, "predicates", at, "no such column, or it is the time column");
    if (p->op < PSH_OP_EQ || p->op > PSH_OP_NOT_NULL)
        return pshi_fail_at(err, PSH_E_INVALID, "predicates", at, "op is not a PSH_OP_*");
    c = &t->columns[p->column];
    if (p->value_count < least || (p->value_count > least && p->op != PSH_OP_IN) ||
        (p->value_count && !p->values))
        return pshi_fail_at(err, PSH_E_INVALID, "predicates", at, "the number of values does not fit the op");
    if (is_foreign(c) && p->op >= PSH_OP_LT && p->op <= PSH_OP_GE)
        return pshi_fail_at(err, PSH_E_UNSUPPORTED, "predicates", at, "only binary collation has ranges");
    for (i = 0; i < p->value_count; i++)
        if (pshi_value_check(&p->values[i], c->type, c->scale, 0) != PSH_OK)
            return pshi_fail_at(err, PSH_E_INVALID, "predicates", at, "a value does not fit the column");
    return PSH_OK;
}

static psh_status check_predicates(const pshi_table *t, const psh_query_spec *s, psh_error *err) {
    psh_predicate p;
    psh_status st;
    size_t i;

    for (i = 0; i < s->predicate_count; i++) {
        pshi_element(&p, sizeof p, s->predicates, s->predicate_stride, i);
        if ((st = check_predicate(t, &p, i, err)) != PSH_OK)
            return st;
    }
    return PSH_OK;
}

static psh_status check_groups(const pshi_table *t, const psh_query_spec *s, psh_error *err) {
    size_t i, j;

    for (i = 0; i < s->group_count; i++) {
        if (s->group_columns[i] >= t->column_count || s->group_columns[i] == t->time_column)
            return pshi_fail_at(
                err, PSH_E_INVALID, "group_columns", i, "no such column, or it is the time column");
        for (j = 0; j < i; j++)
            if (s->group_columns[i] == s->group_columns[j])
                return pshi_fail_at(err, PSH_E_INVALID, "group_columns", i, "the column is there twice");
    }
    return PSH_OK;
}

static psh_status check_aggregate(const pshi_table *t, const psh_aggregate *a, size_t at, psh_error *err) {
    const psh_column_spec *c;

    if (a->fn < PSH_AGG_COUNT || a->fn > PSH_AGG_MAX)
        return pshi_fail_at(err, PSH_E_INVALID, "aggregates", at, "fn is not a PSH_AGG_*");
    if (a->column == PSH_NONE && a->fn == PSH_AGG_COUNT)
        return PSH_OK;
    if (a->column >= t->column_count)
        return pshi_fail_at(err, PSH_E_INVALID, "aggregates", at, "no such column");
    c = &t->columns[a->column];
    if ((a->fn == PSH_AGG_SUM || a->fn == PSH_AGG_AVG) &&
        (c->type < PSH_TYPE_INT64 || c->type > PSH_TYPE_DECIMAL))
        return pshi_fail_at(err, PSH_E_INVALID, "aggregates", at, "sums are of int64, double and decimal");
    if ((a->fn == PSH_AGG_MIN || a->fn == PSH_AGG_MAX) && is_foreign(c))
        return pshi_fail_at(err, PSH_E_UNSUPPORTED, "aggregates", at, "only binary collation has an order");
    return PSH_OK;
}

static psh_status check_aggregates(const pshi_table *t, const psh_query_spec *s, psh_error *err) {
    psh_aggregate a;
    psh_status st;
    size_t i;

    for (i = 0; i < s->aggregate_count; i++) {
        pshi_element(&a, sizeof a, s->aggregates, s->aggregate_stride, i);
        if ((st = check_aggregate(t, &a, i, err)) != PSH_OK)
            return st;
    }
    return PSH_OK;
}

static psh_status check_columns_out(const pshi_table *t, const psh_query_spec *s, psh_error *err) {
    int aggregate = s->group_count || s->aggregate_count || s->bucket_ns;
    size_t i;

    if (aggregate && s->column_count)
        return pshi_fail(err, PSH_E_INVALID, "columns", "an aggregate query has none");
    if (!aggregate && !s->column_count)
        return pshi_fail(err, PSH_E_INVALID, "columns", "the query asks for nothing");
    for (i = 0; i < s->column_count; i++)
        if (s->columns[i] >= t->column_count)
            return pshi_fail_at(err, PSH_E_INVALID, "columns", i, "no such column");
    return PSH_OK;
}

/* The table's column that an output repeats, or PSH_NONE for buckets and aggregates. */
static uint32_t output_column(const psh_query_spec *s, size_t output) {
    size_t buckets = s->bucket_ns > 0;

    if (s->column_count)
        return s->columns[output];
    if (output < buckets || output >= buckets + s->group_count)
        return PSH_NONE;
    return s->group_columns[output - buckets];
}

static psh_status check_order(const pshi_table *t, const psh_query_spec *s, psh_error *err) {
    size_t outputs = s->column_count + (s->bucket_ns > 0) + s->group_count + s->aggregate_count, i;
    psh_order o;
    uint32_t column;

    for (i = 0; i < s->order_count; i++) {
        pshi_element(&o, sizeof o, s->order, s->order_stride, i);
        if (o.output >= outputs || o.descending > 1)
            return pshi_fail_at(err, PSH_E_INVALID, "order", i, "no such output, or descending is not 0 or 1");
        column = output_column(s, o.output);
        if (column != PSH_NONE && is_foreign(&t->columns[column]))
            return pshi_fail_at(err, PSH_E_UNSUPPORTED, "order", i, "only binary collation has an order");
    }
    return PSH_OK;
}

static int label_text_ok(const char *s) {
    return s && s[0] && memchr(s, 0, 256);
}

static psh_status check_labels(const psh_query_spec *s, psh_error *err) {
    psh_label l;
    size_t i;

    for (i = 0; i < s->label_count; i++) {
        pshi_element(&l, sizeof l, s->labels, s->label_stride, i);
        if (!label_text_ok(l.name) || !label_text_ok(l.value))
            return pshi_fail_at(err, PSH_E_INVALID, "labels", i, "name and value have 1 to 255 bytes");
    }
    return PSH_OK;
}

psh_status pshi_query_check(const psh_schema *schema, const psh_query_spec *s, psh_error *err) {
    const pshi_table *t = pshi_schema_get_table(schema, s->table);
    psh_status st;

    if (!t)
        return pshi_fail(err, PSH_E_INVALID, "table", "no such table");
    if ((st = check_scalars(s, err)) != PSH_OK || (st = check_arrays(s, err)) != PSH_OK ||
        (st = check_predicates(t, s, err)) != PSH_OK || (st = check_groups(t, s, err)) != PSH_OK ||
        (st = check_aggregates(t, s, err)) != PSH_OK || (st = check_columns_out(t, s, err)) != PSH_OK ||
        (st = check_order(t, s, err)) != PSH_OK)
        return st;
    return check_labels(s, err);
}
