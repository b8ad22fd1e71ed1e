/* SPDX-License-Identifier: MIT */
#include "match/match.h"

#include "base/checked.h"
#include "value/query.h"
#include "value/schema.h"

/* One query and one definition side by side. */
typedef struct pairing {
    const psh_query_spec *d;
    const psh_query_spec *q;
    const pshi_table *table; /* of the definition's schema */
    const pshi_query_columns *has; /* the definition's columns */
    const pshi_query_columns *asks; /* the query's */
} pairing;

static int64_t clamp_time(pshi_i128 t) {
    if (t < PSH_TIME_MIN)
        return PSH_TIME_MIN;
    return t > PSH_TIME_MAX ? PSH_TIME_MAX : (int64_t)t;
}

static pshi_i128 wide_floor(pshi_i128 a, int64_t b) {
    pshi_i128 q = a / b;

    return a % b < 0 ? q - 1 : q;
}

int64_t pshi_bucket_floor(int64_t t, int64_t bucket, int64_t origin) {
    int64_t since, start;

    /* Nearly always 64 bits suffice, and divide many times faster. */
    if (!pshi_sub_i64(t, origin, &since) && !pshi_mul_i64(pshi_floor_div(since, bucket), bucket, &start) &&
        !pshi_add_i64(start, origin, &start))
        return start < PSH_TIME_MIN ? PSH_TIME_MIN : start;
    return clamp_time(wide_floor((pshi_i128)t - origin, bucket) * bucket + origin);
}

int64_t pshi_bucket_ceil(int64_t t, int64_t bucket, int64_t origin) {
    int64_t since, start, past;

    if (!pshi_sub_i64(t, origin, &since)) {
        past = since % bucket;
        if (!pshi_add_i64(t, past > 0 ? bucket - past : -past, &start))
            return start;
    }
    return clamp_time(wide_floor((pshi_i128)t - origin + bucket - 1, bucket) * bucket + origin);
}

void pshi_bucket_cut(int64_t *from, int64_t *to, int64_t bucket, int64_t origin) {
    if (*from != PSH_TIME_MIN)
        *from = pshi_bucket_ceil(*from, bucket, origin);
    if (*to != PSH_TIME_MAX)
        *to = pshi_bucket_floor(*to, bucket, origin);
    if (*to < *from)
        *to = *from;
}

static int is_listed(uint32_t op) {
    return op == PSH_OP_EQ || op == PSH_OP_IN;
}

static int is_below(uint32_t op) {
    return op == PSH_OP_LT || op == PSH_OP_LE;
}

static int is_above(uint32_t op) {
    return op == PSH_OP_GT || op == PSH_OP_GE;
}

static int same_predicate(const psh_predicate *a, const psh_predicate *b) {
    size_t i;

    if (a->op != b->op || a->value_count != b->value_count)
        return 0;
    for (i = 0; i < a->value_count; i++)
        if (psh_value_compare(&a->values[i], &b->values[i]) != 0)
            return 0;
    return 1;
}

static int list_implies(const psh_predicate *p, const psh_predicate *d) {
    size_t i;

    for (i = 0; i < p->value_count; i++)
        if (!pshi_predicate_holds(d, &p->values[i]))
            return 0;
    return 1;
}

/* x < v or x <= v gives d? Strict where one of the two bounds excludes what the other includes. */
static int below_implies(const psh_predicate *p, const psh_predicate *d) {
    int32_t order = psh_value_compare(&p->values[0], &d->values[0]);

    if (d->op == PSH_OP_LE || (d->op == PSH_OP_LT && p->op == PSH_OP_LT))
        return order <= 0;
    if (d->op == PSH_OP_LT)
        return order < 0;
    if (d->op == PSH_OP_NE)
        return p->op == PSH_OP_LT ? order <= 0 : order < 0;
    return 0;
}

static int above_implies(const psh_predicate *p, const psh_predicate *d) {
    int32_t order = psh_value_compare(&p->values[0], &d->values[0]);

    if (d->op == PSH_OP_GE || (d->op == PSH_OP_GT && p->op == PSH_OP_GT))
        return order >= 0;
    if (d->op == PSH_OP_GT)
        return order > 0;
    if (d->op == PSH_OP_NE)
        return p->op == PSH_OP_GT ? order >= 0 : order > 0;
    return 0;
}

int pshi_predicate_implies(const psh_predicate *p, const psh_predicate *d, int binary) {
    if (same_predicate(p, d))
        return 1;
    if (p->op == PSH_OP_IS_NULL || d->op == PSH_OP_IS_NULL)
        return 0;
    if (d->op == PSH_OP_NOT_NULL)
        return 1;
    if (is_listed(p->op))
        return (binary || is_listed(d->op)) && list_implies(p, d);
    if (!binary || d->value_count != 1)
        return 0;
    if (is_below(p->op))
        return below_implies(p, d);
    return is_above(p->op) && above_implies(p, d);
}

static const psh_column_spec *column_of(const pairing *m, uint32_t column) {
    return column < m->table->column_count ? &m->table->columns[column] : NULL;
}

static int has_binary_order(const pairing *m, uint32_t column) {
    const psh_column_spec *c = column_of(m, column);

    return c && (c->type != PSH_TYPE_TEXT || c->collation == PSH_COLLATION_BINARY);
}

/* Whether one of the predicates of `by` implies d. */
static int is_implied(const pairing *m, const psh_query_spec *by, const psh_predicate *d) {
    int binary = has_binary_order(m, d->column);
    size_t i;

    for (i = 0; i < by->predicate_count; i++)
        if (by->predicates[i].column == d->column && pshi_predicate_implies(&by->predicates[i], d, binary))
            return 1;
    return 0;
}

static int has_group(const psh_query_spec *d, uint32_t column) {
    size_t i;

    for (i = 0; i < d->group_count; i++)
        if (d->group_columns[i] == column)
            return 1;
    return 0;
}

static int view_holds_rows(const pairing *m) {
    size_t i;

    if (m->d->time_from != PSH_TIME_MIN || m->d->time_to != PSH_TIME_MAX || m->d->limit)
        return 0;
    if (m->has->predicates & ~m->asks->predicates)
        return 0;
    for (i = 0; i < m->d->predicate_count; i++)
        if (!is_implied(m, m->q, &m->d->predicates[i]))
            return 0;
    return 1;
}

static int view_keeps_columns(const pairing *m) {
    size_t i;

    if (m->asks->groups & ~m->has->groups)
        return 0;
    for (i = 0; i < m->q->predicate_count; i++)
        if (!has_group(m->d, m->q->predicates[i].column) && !is_implied(m, m->d, &m->q->predicates[i]))
            return 0;
    for (i = 0; i < m->q->group_count; i++)
        if (!has_group(m->d, m->q->group_columns[i]))
            return 0;
    return 1;
}

static int view_has(const pairing *m, uint32_t fn, uint32_t column) {
    size_t i;

    for (i = 0; i < m->d->aggregate_count; i++)
        if (m->d->aggregates[i].fn == fn && m->d->aggregates[i].column == column)
            return 1;
    return 0;
}

static int view_measures(const pairing *m, uint32_t column) {
    size_t i;

    for (i = 0; i < m->d->aggregate_count; i++)
        if (m->d->aggregates[i].column == column)
            return 1;
    return 0;
}

/*
 * The number of values that are not NULL: kept by COUNT and AVG, and equal to the rows where the column is never
 * NULL. Even then the view must know the column, so that whoever reads it need not know the schema.
 */
static int view_counts(const pairing *m, uint32_t column) {
    const psh_column_spec *c = column_of(m, column);

    if (column == PSH_NONE || (c && !(c->flags & PSH_COLUMN_NULLABLE) && view_measures(m, column)))
        return 1;
    return view_has(m, PSH_AGG_COUNT, column) || view_has(m, PSH_AGG_AVG, column);
}

static int view_sums(const pairing *m, uint32_t column) {
    return view_has(m, PSH_AGG_SUM, column) || view_has(m, PSH_AGG_AVG, column);
}

static int view_derives(const pairing *m, const psh_aggregate *a) {
    switch (a->fn) {
    case PSH_AGG_COUNT:
        return view_counts(m, a->column);
    case PSH_AGG_SUM:
        return view_sums(m, a->column);
    case PSH_AGG_AVG:
        return view_sums(m, a->column) && view_counts(m, a->column);
    default:
        return view_has(m, a->fn, a->column);
    }
}

static int view_derives_all(const pairing *m) {
    size_t i;

    if ((m->asks->measures & ~m->has->measures) || (m->asks->extremes & ~m->has->extremes))
        return 0;
    for (i = 0; i < m->q->aggregate_count; i++)
        if (!view_derives(m, &m->q->aggregates[i]))
            return 0;
    return 1;
}

static int view_fits_time(const pairing *m) {
    if (m->d->bucket_ns == 0)
        return m->q->bucket_ns == 0 && m->q->time_from == PSH_TIME_MIN && m->q->time_to == PSH_TIME_MAX;
    return m->q->bucket_ns % m->d->bucket_ns == 0;
}

static int is_aggregate(const psh_query_spec *s) {
    return s->group_count || s->aggregate_count || s->bucket_ns;
}

static uint32_t match_reason(const pairing *m) {
    if (!is_aggregate(m->q))
        return PSH_MATCH_DETAIL;
    if (!view_holds_rows(m))
        return PSH_MATCH_FILTER;
    if (!view_keeps_columns(m))
        return PSH_MATCH_COLUMN;
    if (!is_aggregate(m->d) || !view_derives_all(m))
        return PSH_MATCH_AGGREGATE;
    return view_fits_time(m) ? PSH_MATCH_YES : PSH_MATCH_BUCKET;
}

uint32_t psh_view_match(
    const psh_query *definition, const psh_query *q, int64_t *aligned_from, int64_t *aligned_to) {
    pairing m;
    uint32_t reason;
    int64_t from = 0;
    int64_t to = 0;

    if (!definition || !q)
        return PSH_MATCH_TABLE;
    m.d = pshi_query_spec(definition);
    m.q = pshi_query_spec(q);
    m.has = pshi_query_column_sets(definition);
    m.asks = pshi_query_column_sets(q);
    m.table = pshi_schema_get_table(psh_query_schema(definition), m.d->table);
    if (!m.table || m.d->table != m.q->table)
        reason = PSH_MATCH_TABLE;
    else
        reason = m.d->visibility != m.q->visibility ? PSH_MATCH_VISIBILITY : match_reason(&m);
    if (reason == PSH_MATCH_YES) {
        from = m.q->time_from;
        to = m.q->time_to;
        if (m.d->bucket_ns)
            pshi_bucket_cut(&from, &to, m.d->bucket_ns, m.table->interval_origin);
    }
    if (aligned_from)
        *aligned_from = from;
    if (aligned_to)
        *aligned_to = to;
    return reason;
}
