/* SPDX-License-Identifier: MIT */
/* A form against the library's schema: conditions on the time column become the query's range of time. */
#include "form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "walk.h"

typedef struct binding {
    form *f;
    const catalog *c;
    psh_value value[FORM_LITERALS];
    psh_predicate predicate[FORM_FILTERS];
    uint32_t group[FORM_OUTPUTS];
    psh_aggregate aggregate[FORM_OUTPUTS];
    uint32_t column[FORM_OUTPUTS];
    psh_order order[FORM_ORDER];
    char number[FORM_LITERALS][24]; /* numbers compared with text */
    psh_query_spec spec;
} binding;

static int misfit(binding *b, const char *why) {
    snprintf(b->f->why, sizeof b->f->why, "%s", why);
    return 0;
}

/* A constant as a time: text, or a number since 1970: days below 1e8, else s, ms, us or ns by its size. */
static int time_of(const literal *x, int64_t *out) {
    double number = x->kind == LITERAL_INT ? (double)x->i : x->d;

    if (x->kind == LITERAL_TIME) {
        *out = x->i;
        return 1;
    }
    if (x->kind == LITERAL_TEXT)
        return clock_read(x->s, strlen(x->s), out, NULL);
    if (x->kind != LITERAL_INT && x->kind != LITERAL_FLOAT)
        return 0;
    if (clock_epoch(number, out))
        return 1;
    if (!(number > -100000 && number < 100000))
        return 0;
    *out = (int64_t)(number * (double)PSH_DAY);
    return 1;
}

static int text_value_of(binding *b, uint32_t i, psh_value *v) {
    const literal *x = &b->f->literals[i];
    const char *s = x->s;

    if (x->kind != LITERAL_TEXT) {
        if (x->kind == LITERAL_FLOAT)
            snprintf(b->number[i], sizeof b->number[i], "%.17g", x->d);
        else
            snprintf(b->number[i], sizeof b->number[i], "%lld", (long long)x->i);
        s = b->number[i];
    }
    v->as.data = s;
    v->size = (uint32_t)strlen(s);
    return 1;
}

static int number_of(const literal *x, double *out) {
    char *end;

    if (x->kind == LITERAL_INT || x->kind == LITERAL_BOOL || x->kind == LITERAL_TIME)
        *out = (double)x->i;
    else if (x->kind == LITERAL_FLOAT)
        *out = x->d;
    else {
        *out = strtod(x->s, &end);
        return end != x->s && !*end;
    }
    return 1;
}

/* Literal i as a value of the column's type; a value that was not logged is told apart by nothing: zero or "". */
static int value_of(binding *b, uint32_t i, uint32_t type, psh_value *v) {
    const literal *x = &b->f->literals[i];
    literal zero = { LITERAL_INT, 0, 0, "" };
    double number;

    memset(v, 0, sizeof *v);
    v->type = type;
    if (x->kind == LITERAL_UNKNOWN)
        x = &zero;
    if (type == PSH_TYPE_TEXT) {
        if (x != &zero)
            return text_value_of(b, i, v);
        v->as.data = "";
        return 1;
    }
    if (type == PSH_TYPE_TIMESTAMP)
        return time_of(x, &v->as.i64);
    if (!number_of(x, &number) || !(number < 9e18 && number > -9e18))
        return 0;
    if (type == PSH_TYPE_DOUBLE)
        v->as.f64 = number;
    else
        v->as.i64 = type == PSH_TYPE_BOOL ? number != 0 : x->kind == LITERAL_INT ? x->i : (int64_t)number;
    return type != PSH_TYPE_INT64 || x->kind == LITERAL_INT || (double)v->as.i64 == number;
}

/* A condition on the time column narrows the range. */
static int bind_time(binding *b, const form_filter *x) {
    psh_query_spec *spec = &b->spec;
    int64_t t;

    if (x->op == OP_NOT_NULL)
        return 1;
    if (x->op == OP_IN && x->count == 1 ? 0 : x->op < OP_EQ || x->op > OP_GE || x->op == OP_NE)
        return misfit(b, "a condition on time that is no range");
    if (b->f->literals[x->first].kind == LITERAL_UNKNOWN)
        return misfit(b, "a bound of time whose value was not logged");
    if (!time_of(&b->f->literals[x->first], &t) || t < PSH_TIME_MIN + 2 || t > PSH_TIME_MAX - 2)
        return misfit(b, "a bound of time that is no time");
    if ((x->op == OP_GE || x->op == OP_GT || x->op == OP_EQ || x->op == OP_IN)
        && t + (x->op == OP_GT) > spec->time_from)
        spec->time_from = t + (x->op == OP_GT);
    if ((x->op == OP_LE || x->op == OP_LT || x->op == OP_EQ || x->op == OP_IN)
        && t + (x->op != OP_LT) < spec->time_to)
        spec->time_to = t + (x->op != OP_LT);
    return 1;
}

static int bind_filter(binding *b, const form_filter *x) {
    const column_entry *col = &b->c->columns[x->column];
    psh_predicate *p = &b->predicate[b->spec.predicate_count];
    uint32_t i;

    if (x->column == b->c->tables[b->f->table].time_column)
        return bind_time(b, x);
    for (i = x->first; i < x->first + x->count; i++)
        if (b->f->literals[i].kind == LITERAL_UNKNOWN && x->op != OP_EQ && x->op != OP_IN)
            return misfit(b, "a bound whose value was not logged");
        else if (!value_of(b, i, col->type, &b->value[i]))
            return misfit(b, "a constant of another type than the column");
    if (col->index == NAMES_NONE)
        return misfit(b, "a column that is not kept");
    *p = (psh_predicate){ col->index, x->op, x->count ? b->value + x->first : NULL, x->count };
    b->spec.predicate_count++;
    return 1;
}

static int bind_columns(binding *b, const uint32_t *from, uint32_t n, uint32_t *to, int grouped) {
    uint32_t i;

    for (i = 0; i < n; i++) {
        to[i] = b->c->columns[from[i]].index;
        if (to[i] == NAMES_NONE)
            return misfit(b, "a column that is not kept");
        if (grouped && from[i] == b->c->tables[b->f->table].time_column)
            return misfit(b, "grouped by the time itself, not by buckets of it");
    }
    return 1;
}

static int bind_aggregates(binding *b) {
    uint32_t i, type;

    for (i = 0; i < b->f->aggregate_count; i++) {
        b->aggregate[i] = b->f->aggregate[i];
        if (b->aggregate[i].column == PSH_NONE)
            continue;
        type = b->c->columns[b->aggregate[i].column].type;
        if ((b->aggregate[i].fn == PSH_AGG_SUM || b->aggregate[i].fn == PSH_AGG_AVG) && type != PSH_TYPE_INT64
            && type != PSH_TYPE_DOUBLE)
            return misfit(b, "a sum of what is no number");
        b->aggregate[i].column = b->c->columns[b->aggregate[i].column].index;
        if (b->aggregate[i].column == NAMES_NONE)
            return misfit(b, "a column that is not kept");
    }
    return 1;
}

static void bind_order(binding *b) {
    const form *f = b->f;
    uint32_t bucket = f->bucket_ns > 0, i, base;

    for (i = 0; i < f->order_count; i++) {
        base = f->order[i].by == FORM_BY_GROUP ? bucket : f->order[i].by == FORM_BY_AGGREGATE
            ? bucket + f->group_count : 0;
        b->order[i] = (psh_order){ base + f->order[i].index, f->order[i].descending };
    }
}

static int bind_all(binding *b) {
    form *f = b->f;
    psh_query_spec *spec = &b->spec;
    uint32_t i;

    for (i = 0; i < f->filter_count; i++)
        if (!bind_filter(b, &f->filter[i]))
            return 0;
    if (f->bucket_ns && f->bucket_column != b->c->tables[f->table].time_column)
        return misfit(b, "buckets of another column than the time column");
    if (!bind_columns(b, f->group, f->group_count, b->group, 1) || !bind_columns(b, f->column, f->column_count,
        b->column, 0)
        || !bind_aggregates(b))
        return 0;
    if (!f->group_count && !f->aggregate_count && !f->bucket_ns && !f->column_count)
        f->column_count = 1, b->column[0] = 0; /* SELECT 1 FROM t */
    bind_order(b);
    spec->table = b->c->tables[f->table].id;
    spec->bucket_ns = f->bucket_ns;
    spec->limit = f->limit;
    spec->predicates = b->predicate;
    spec->group_columns = f->group_count ? b->group : NULL;
    spec->group_count = f->group_count;
    spec->aggregates = f->aggregate_count ? b->aggregate : NULL;
    spec->aggregate_count = f->aggregate_count;
    spec->columns = f->column_count ? b->column : NULL;
    spec->column_count = f->column_count;
    spec->order = f->order_count ? b->order : NULL;
    spec->order_count = f->order_count;
    return spec->table != NAMES_NONE ? 1 : misfit(b, "a table that is not kept");
}

psh_query *form_bind(form *f, psh_env *env, psh_schema *schema, const catalog *c, const psh_label *labels,
    size_t label_count) {
    binding *b = calloc(1, sizeof *b);
    psh_error err = { sizeof err, 0, 0, "", "" };
    psh_query *q = NULL;

    if (!b)
        return NULL;
    b->f = f;
    b->c = c;
    psh_query_spec_init(&b->spec, sizeof b->spec);
    if (bind_all(b)) {
        b->spec.labels = labels;
        b->spec.label_count = label_count;
        if (psh_query_create(env, schema, &b->spec, &q, &err) != PSH_OK)
            snprintf(f->why, sizeof f->why, "%.20s %.70s", err.field, err.text);
    }
    free(b);
    return q;
}
