/* SPDX-License-Identifier: MIT */
/* What a query has, as items that can be counted. */
#include <string.h>

#include "base/hash.h"
#include "forecast/workload.h"
#include "value/schema.h"

#define WORDS 64u /* bits for the 4096 columns that a table may have */

typedef struct column_set {
    uint64_t bits[WORDS];
} column_set;

static void set_add(column_set *s, uint32_t column) {
    if (column < 64 * WORDS)
        s->bits[column / 64] |= UINT64_C(1) << column % 64;
}

static int time_ops(const psh_query_spec *s, uint32_t ops[2]) {
    int n = 0;

    if (s->time_from != PSH_TIME_MIN)
        ops[n++] = PSH_OP_GE;
    if (s->time_to != PSH_TIME_MAX)
        ops[n++] = PSH_OP_LT;
    return n;
}

static void add_filters(column_set *set, const psh_query_spec *s, const pshi_table *t) {
    uint32_t ops[2];
    size_t i;

    for (i = 0; i < s->predicate_count; i++)
        set_add(set, s->predicates[i].column);
    if (time_ops(s, ops))
        set_add(set, t->time_column);
}

static void add_groups(column_set *set, const psh_query_spec *s, const pshi_table *t) {
    size_t i;

    for (i = 0; i < s->group_count; i++)
        set_add(set, s->group_columns[i]);
    if (s->bucket_ns)
        set_add(set, t->time_column);
}

/* The column that an output shows or is made of; none for counts of rows. */
static uint32_t output_column(const psh_query_spec *s, const pshi_table *t, size_t i) {
    if (s->column_count)
        return s->columns[i];
    if (s->bucket_ns && i == 0)
        return t->time_column;
    i -= s->bucket_ns > 0;
    return i < s->group_count ? s->group_columns[i] : s->aggregates[i - s->group_count].column;
}

static void add_role(column_set *set, const psh_query_spec *s, const pshi_table *t, uint32_t role) {
    size_t i;

    switch (role) {
    case PSH_ROLE_OUTPUT:
        for (i = 0; i < s->column_count; i++)
            set_add(set, s->columns[i]);
        break;
    case PSH_ROLE_FILTER:
        add_filters(set, s, t);
        break;
    case PSH_ROLE_GROUP:
        add_groups(set, s, t);
        break;
    case PSH_ROLE_ORDER:
        for (i = 0; i < s->order_count; i++)
            set_add(set, output_column(s, t, s->order[i].output));
        break;
    default:
        for (i = 0; i < s->aggregate_count; i++)
            set_add(set, s->aggregates[i].column);
    }
}

static uint64_t mix(uint64_t h, uint64_t x) {
    return pshi_mix64(h + x * UINT64_C(0x9e3779b97f4a7c15));
}

static pshi_facet facet_of(uint32_t kind, uint32_t table, uint32_t role, uint32_t op) {
    pshi_facet f;

    memset(&f, 0, sizeof f);
    f.kind = kind;
    f.table = table;
    f.role = role;
    f.op = op;
    f.id = pshi_nonzero(mix(mix(kind, table), (uint64_t)role << 32 | op));
    return f;
}

static void facet_add(pshi_facet *f, uint32_t column) {
    if (f->column_count < PSH_WORKLOAD_COLUMNS)
        f->columns[f->column_count] = column;
    f->column_count++;
    f->id = pshi_nonzero(mix(f->id, column + UINT64_C(1)));
}

/* @return the least column of the set that is at least `from`, or PSH_NONE. */
static uint32_t set_next(const column_set *s, uint32_t from) {
    uint64_t word;
    uint32_t i;

    for (i = from / 64; i < WORDS; i++, from = i * 64) {
        word = s->bits[i] >> from % 64;
        if (word)
            return from + (uint32_t)__builtin_ctzll(word);
    }
    return PSH_NONE;
}

static psh_status columns_in_role(
    const psh_query_spec *s, const pshi_table *t, uint32_t role, pshi_facet_found found, void *user) {
    column_set set;
    pshi_facet f;
    psh_status st = PSH_OK;
    uint32_t c;

    memset(&set, 0, sizeof set);
    add_role(&set, s, t, role);
    for (c = set_next(&set, 0); st == PSH_OK && c != PSH_NONE; c = set_next(&set, c + 1)) {
        f = facet_of(PSH_WORKLOAD_COLUMN, s->table, role, 0);
        facet_add(&f, c);
        st = found(user, &f);
    }
    return st;
}

static psh_status one_filter(
    uint32_t table, uint32_t column, uint32_t op, pshi_facet_found found, void *user) {
    pshi_facet f = facet_of(PSH_WORKLOAD_FILTER, table, 0, op);

    facet_add(&f, column);
    return found(user, &f);
}

/* Predicates stand by column and operator: equals are neighbours. None is on the time column. */
static psh_status filters(const psh_query_spec *s, const pshi_table *t, pshi_facet_found found, void *user) {
    const psh_predicate *p = s->predicates;
    psh_status st = PSH_OK;
    uint32_t ops[2];
    size_t i;
    int n = time_ops(s, ops), k;

    for (i = 0; st == PSH_OK && i < s->predicate_count; i++)
        if (!i || p[i].column != p[i - 1].column || p[i].op != p[i - 1].op)
            st = one_filter(s->table, p[i].column, p[i].op, found, user);
    for (k = 0; st == PSH_OK && k < n; k++)
        st = one_filter(s->table, t->time_column, ops[k], found, user);
    return st;
}

static psh_status one_set(
    const psh_query_spec *s, uint32_t kind, const column_set *set, pshi_facet_found found, void *user) {
    pshi_facet f = facet_of(kind, s->table, 0, 0);
    uint32_t c;

    for (c = set_next(set, 0); c != PSH_NONE; c = set_next(set, c + 1))
        facet_add(&f, c);
    return f.column_count ? found(user, &f) : PSH_OK;
}

psh_status pshi_facets(const psh_query *q, uint32_t kind, pshi_facet_found found, void *user) {
    const psh_query_spec *s = pshi_query_spec(q);
    const pshi_table *t = pshi_schema_get_table(psh_query_schema(q), s->table);
    psh_status st = PSH_OK;
    column_set set;
    pshi_facet f;
    uint32_t role;

    memset(&set, 0, sizeof set);
    switch (kind) {
    case PSH_WORKLOAD_TABLE:
        f = facet_of(kind, s->table, 0, 0);
        return found(user, &f);
    case PSH_WORKLOAD_TEMPLATE:
        f = facet_of(kind, s->table, 0, 0);
        f.id = psh_query_fingerprint(q);
        return found(user, &f);
    case PSH_WORKLOAD_COLUMN:
        for (role = PSH_ROLE_OUTPUT; st == PSH_OK && role <= PSH_ROLE_AGGREGATE; role++)
            st = columns_in_role(s, t, role, found, user);
        return st;
    case PSH_WORKLOAD_FILTER:
        return filters(s, t, found, user);
    case PSH_WORKLOAD_GROUPING:
        add_groups(&set, s, t);
        break;
    case PSH_WORKLOAD_FILTER_SET:
        add_filters(&set, s, t);
        break;
    case PSH_WORKLOAD_COLUMN_SET:
        for (role = PSH_ROLE_OUTPUT; role <= PSH_ROLE_AGGREGATE; role++)
            add_role(&set, s, t, role);
        break;
    default:
        return PSH_OK;
    }
    return one_set(s, kind, &set, found, user);
}
