/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "value/query_inside.h"
#include "value/value.h"

/* How much the block of a query takes: first counted, then filled in the same order. */
typedef struct query_size {
    size_t values;
    size_t bytes; /* of text in values and labels */
    size_t total;
    int overflow;
} query_size;

static psh_query_spec spec_defaults(void) {
    psh_query_spec s;

    memset(&s, 0, sizeof s);
    s.struct_size = sizeof s;
    s.predicate_stride = sizeof(psh_predicate);
    s.aggregate_stride = sizeof(psh_aggregate);
    s.order_stride = sizeof(psh_order);
    s.label_stride = sizeof(psh_label);
    s.time_from = PSH_TIME_MIN;
    s.time_to = PSH_TIME_MAX;
    return s;
}

void psh_query_spec_init(psh_query_spec *spec, uint32_t size) {
    psh_query_spec s = spec_defaults();

    pshi_options_out(spec, size, &s, sizeof s);
}

static psh_predicate predicate_at(const psh_query_spec *s, size_t i) {
    psh_predicate p;

    pshi_element(&p, sizeof p, s->predicates, s->predicate_stride, i);
    return p;
}

static psh_label label_at(const psh_query_spec *s, size_t i) {
    psh_label l;

    pshi_element(&l, sizeof l, s->labels, s->label_stride, i);
    return l;
}

static int has_bytes(const psh_value *v) {
    return v->type == PSH_TYPE_TEXT || v->type == PSH_TYPE_BYTES;
}

static void size_add(query_size *z, size_t n, size_t elem) {
    size_t more;

    z->overflow |= pshi_mul_size(n, elem, &more) || pshi_add_size(z->total, more, &z->total);
}

static query_size measure(const psh_query_spec *s) {
    query_size z = { 0, 0, sizeof(psh_query), 0 };
    size_t i, j;

    for (i = 0; i < s->predicate_count; i++) {
        psh_predicate p = predicate_at(s, i);

        z.values += p.value_count;
        size_add(&z, p.value_count, sizeof(psh_value));
        for (j = 0; j < p.value_count; j++)
            size_add(&z, has_bytes(&p.values[j]) ? p.values[j].size : 0, 1);
    }
    for (i = 0; i < s->label_count; i++) {
        psh_label l = label_at(s, i);

        size_add(&z, strlen(l.name) + strlen(l.value) + 2, 1);
    }
    size_add(&z, s->predicate_count, sizeof(psh_predicate));
    size_add(&z, s->label_count, sizeof(psh_label));
    size_add(&z, s->aggregate_count, sizeof(psh_aggregate));
    size_add(&z, s->order_count, sizeof(psh_order));
    size_add(&z, s->group_count + s->column_count, sizeof(uint32_t));
    return z;
}

static void *carve(char **at, size_t n, size_t elem) {
    char *p = *at;

    *at += n * elem;
    return p;
}

static void fill_predicates(psh_predicate *to, psh_value *v, char **text, const psh_query_spec *s) {
    size_t i, j;

    for (i = 0; i < s->predicate_count; i++) {
        to[i] = predicate_at(s, i);
        for (j = 0; j < to[i].value_count; j++) {
            v[j] = pshi_value_normal(&to[i].values[j]);
            if (!has_bytes(&v[j]))
                continue;
            if (v[j].size)
                memcpy(*text, v[j].as.data, v[j].size);
            v[j].as.data = *text;
            *text += v[j].size;
        }
        to[i].values = to[i].value_count ? v : NULL;
        v += to[i].value_count;
    }
}

static const char *fill_text(char **text, const char *from) {
    char *at = *text;
    size_t n = strlen(from) + 1;

    memcpy(at, from, n);
    *text += n;
    return at;
}

static void fill_labels(psh_label *to, char **text, const psh_query_spec *s) {
    size_t i;

    for (i = 0; i < s->label_count; i++) {
        psh_label l = label_at(s, i);

        to[i].name = fill_text(text, l.name);
        to[i].value = fill_text(text, l.value);
    }
}

/* A repeated output adds nothing to an order. */
static size_t fill_order(psh_order *to, const psh_query_spec *s) {
    size_t i, j, n = 0;

    for (i = 0; i < s->order_count; i++) {
        pshi_element(&to[n], sizeof to[n], s->order, s->order_stride, i);
        for (j = 0; j < n && to[j].output != to[n].output; j++) {
        }
        n += j == n;
    }
    return n;
}

static const uint32_t *fill_u32(uint32_t *to, const uint32_t *from, size_t n) {
    if (!n)
        return NULL;
    memcpy(to, from, n * sizeof *to);
    return to;
}

/* Arrays from the widest alignment down, then text. */
static void fill(psh_query *q, const psh_query_spec *s, const query_size *z) {
    char *at = (char *)(q + 1);
    psh_value *values = carve(&at, z->values, sizeof *values);
    psh_predicate *predicates = carve(&at, s->predicate_count, sizeof *predicates);
    psh_label *labels = carve(&at, s->label_count, sizeof *labels);
    psh_aggregate *aggregates = carve(&at, s->aggregate_count, sizeof *aggregates);
    psh_order *order = carve(&at, s->order_count, sizeof *order);
    uint32_t *groups = carve(&at, s->group_count, sizeof *groups);
    uint32_t *columns = carve(&at, s->column_count, sizeof *columns);
    psh_query_spec *c = &q->spec;
    size_t i;

    fill_predicates(predicates, values, &at, s);
    fill_labels(labels, &at, s);
    for (i = 0; i < s->aggregate_count; i++)
        pshi_element(&aggregates[i], sizeof *aggregates, s->aggregates, s->aggregate_stride, i);
    *c = *s;
    c->predicate_count = pshi_predicates_canonical(predicates, s->predicate_count);
    c->predicates = c->predicate_count ? predicates : NULL;
    c->labels = s->label_count ? labels : NULL;
    c->aggregates = s->aggregate_count ? aggregates : NULL;
    c->order_count = fill_order(order, s);
    c->order = c->order_count ? order : NULL;
    c->group_columns = fill_u32(groups, s->group_columns, s->group_count);
    c->columns = fill_u32(columns, s->columns, s->column_count);
    c->predicate_stride = sizeof *predicates;
    c->aggregate_stride = sizeof *aggregates;
    c->order_stride = sizeof *order;
    c->label_stride = sizeof *labels;
}

static uint64_t column_bit(uint32_t column) {
    return UINT64_C(1) << column % 64;
}

static pshi_query_columns columns_of(const psh_query_spec *s) {
    pshi_query_columns c = { 0, 0, 0, 0 };
    const psh_aggregate *a;
    size_t i;

    for (i = 0; i < s->predicate_count; i++)
        c.predicates |= column_bit(s->predicates[i].column);
    for (i = 0; i < s->group_count; i++)
        c.groups |= column_bit(s->group_columns[i]);
    for (i = 0; i < s->aggregate_count; i++) {
        a = &s->aggregates[i];
        if (a->column != PSH_NONE)
            c.measures |= column_bit(a->column);
        if (a->fn == PSH_AGG_MIN || a->fn == PSH_AGG_MAX)
            c.extremes |= column_bit(a->column % 32 * 2 + (a->fn == PSH_AGG_MAX));
    }
    return c;
}

static psh_status build(psh_env *env, psh_schema *schema, const psh_query_spec *s, psh_query **out) {
    query_size z = measure(s);
    psh_query *q;

    if (z.overflow)
        return PSH_E_NOMEM;
    q = pshi_calloc(env, 1, z.total);
    if (!q)
        return PSH_E_NOMEM;
    pshi_ref_init(&q->refs);
    q->env = env;
    q->table = pshi_schema_get_table(schema, s->table);
    q->bytes = z.total;
    fill(q, s, &z);
    q->columns = columns_of(&q->spec);
    if (pshi_query_identify(q) != PSH_OK) {
        pshi_free(env, q);
        return PSH_E_NOMEM;
    }
    q->schema = psh_schema_ref(schema);
    *out = q;
    return PSH_OK;
}

psh_status psh_query_create(
    psh_env *env, psh_schema *schema, const psh_query_spec *spec, psh_query **out, psh_error *err) {
    psh_query_spec s = spec_defaults();
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env || !schema || !spec)
        return pshi_fail(err, PSH_E_INVALID, "spec", "env, schema or spec is NULL");
    if ((st = pshi_options_copy(&s, sizeof s, spec, err)) != PSH_OK ||
        (st = pshi_query_check(schema, &s, err)) != PSH_OK)
        return st;
    st = build(env, schema, &s, out);
    return st == PSH_OK ? st : pshi_fail(err, st, "", "no memory for the query");
}

psh_query *psh_query_ref(psh_query *q) {
    pshi_ref_get(&q->refs);
    return q;
}

void psh_query_unref(psh_query *q) {
    if (!q || !pshi_ref_put(&q->refs))
        return;
    psh_schema_unref(q->schema);
    pshi_free(q->env, q);
}

psh_status psh_query_describe(const psh_query *q, psh_query_spec *out) {
    return q && out ? pshi_struct_out(out, &q->spec, sizeof q->spec) : PSH_E_INVALID;
}

psh_schema *psh_query_schema(const psh_query *q) {
    return q->schema;
}

uint64_t psh_query_fingerprint(const psh_query *q) {
    return q->fingerprint;
}

uint64_t psh_query_id(const psh_query *q) {
    return q->id;
}

const psh_query_spec *pshi_query_spec(const psh_query *q) {
    return &q->spec;
}

const pshi_query_columns *pshi_query_column_sets(const psh_query *q) {
    return &q->columns;
}

psh_env *pshi_query_env(const psh_query *q) {
    return q->env;
}

size_t psh_query_output_count(const psh_query *q) {
    const psh_query_spec *s = &q->spec;

    return s->column_count + (s->bucket_ns > 0) + s->group_count + s->aggregate_count;
}

static void set_output(psh_output *o, uint32_t kind, size_t index, const psh_column_spec *c) {
    o->kind = kind;
    o->index = (uint32_t)index;
    o->type = c ? c->type : PSH_TYPE_INT64;
    o->scale = c ? c->scale : 0;
}

static void set_aggregate(psh_output *o, const psh_query *q, size_t i) {
    const psh_aggregate *a = &q->spec.aggregates[i];

    set_output(o, PSH_OUTPUT_AGGREGATE, i,
               a->fn == PSH_AGG_COUNT ? NULL : &q->table->columns[a->column]);
    if (a->fn != PSH_AGG_AVG)
        return;
    o->type = PSH_TYPE_DOUBLE;
    o->scale = 0;
}

psh_status psh_query_output(const psh_query *q, size_t i, psh_output *out) {
    const psh_query_spec *s;
    size_t buckets;

    if (!q || !out)
        return PSH_E_INVALID;
    if (i >= psh_query_output_count(q))
        return PSH_E_NOT_FOUND;
    s = &q->spec;
    buckets = s->bucket_ns > 0;
    if (s->column_count)
        set_output(out, PSH_OUTPUT_COLUMN, i, &q->table->columns[s->columns[i]]);
    else if (i < buckets)
        set_output(out, PSH_OUTPUT_BUCKET, 0, &q->table->columns[q->table->time_column]);
    else if (i < buckets + s->group_count)
        set_output(out, PSH_OUTPUT_GROUP, i - buckets, &q->table->columns[s->group_columns[i - buckets]]);
    else
        set_aggregate(out, q, i - buckets - s->group_count);
    return PSH_OK;
}

int32_t psh_query_matches_row(const psh_query *q, const psh_value *row) {
    const psh_query_spec *s = &q->spec;
    const psh_value *time = &row[q->table->time_column];
    size_t i;

    if (time->type != PSH_TYPE_TIMESTAMP || time->as.i64 < s->time_from)
        return 0;
    if (time->as.i64 >= s->time_to && s->time_to != PSH_TIME_MAX)
        return 0;
    for (i = 0; i < s->predicate_count; i++)
        if (!pshi_predicate_holds(&s->predicates[i], &row[s->predicates[i].column]))
            return 0;
    return 1;
}
