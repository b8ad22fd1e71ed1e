/* SPDX-License-Identifier: MIT */
/*
 * YES of psh_view_match is never wrong: over small random tables, queries are answered from the rows of a random
 * view, and from the base for the time that the view leaves, and must equal the answer from the base alone.
 * Predicates are judged here by their own simple code on the specs as given, before any canonical form.
 */
#include "base/rng.h"
#include "test.h"

#define COLUMNS 8
#define ROWS 24
#define TABLES 1500
#define PAIRS 60
#define ORIGIN (TEST_T0 + 37 * PSH_MINUTE)
#define OTHER_COLLATION 7

/* A query as it is given. */
typedef struct sketch {
    psh_predicate predicates[5];
    psh_value values[5][3];
    size_t predicate_count;
    uint32_t groups[3];
    size_t group_count;
    psh_aggregate aggregates[4];
    size_t aggregate_count;
    int64_t bucket, from, to;
} sketch;

static size_t below(uint64_t *seed, size_t n) {
    return (size_t)(pshi_rng_next(seed) >> 33) % n;
}

static psh_schema *small_schema(psh_env *env) {
    static const psh_column_spec columns[COLUMNS] = {
        { "owner", PSH_TYPE_TEXT, 0, 0, 0 },
        { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
        { "n", PSH_TYPE_INT64, 0, 0, PSH_COLUMN_NULLABLE },
        { "x", PSH_TYPE_DOUBLE, 0, 0, PSH_COLUMN_NULLABLE },
        { "money", PSH_TYPE_DECIMAL, 0, 2, PSH_COLUMN_NULLABLE },
        { "word", PSH_TYPE_TEXT, OTHER_COLLATION, 0, PSH_COLUMN_NULLABLE },
        { "k", PSH_TYPE_INT64, 0, 0, 0 },
        { "flag", PSH_TYPE_BOOL, 0, 0, PSH_COLUMN_NULLABLE },
    };
    static const uint32_t key[] = { 0, 1 };
    psh_table_spec t;
    psh_schema *s = NULL;

    memset(&t, 0, sizeof t);
    t.name = "small";
    t.columns = columns;
    t.column_count = COLUMNS;
    t.column_stride = sizeof columns[0];
    t.key_columns = key;
    t.key_count = 2;
    t.tenant_column = 0;
    t.time_column = 1;
    t.interval_ns = PSH_DAY;
    t.interval_origin = ORIGIN;
    assert_ok(psh_schema_create(env, &t, 1, sizeof t, &s, NULL));
    return s;
}

/* From a domain of four, so that everything meets everything; both zeros are there. */
static psh_value random_value(uint64_t *seed, uint32_t column) {
    static const char *const words[] = { "", "a", "ab", "b" };
    static const double numbers[] = { -0.0, 0.0, 0.25, -1.5 };
    size_t i = below(seed, 4);
    psh_value v = test_int((int64_t)i - 1);

    switch (column) {
    case 0:
    case 5:
        return test_text(words[i]);
    case 3:
        return test_double(numbers[i]);
    case 4:
        v.type = PSH_TYPE_DECIMAL;
        v.size = 2;
        v.hi = v.as.i64 < 0 ? -1 : 0;
        return v;
    case 7:
        v.type = PSH_TYPE_BOOL;
        v.as.i64 = (int64_t)(i & 1);
        return v;
    default:
        return v;
    }
}

static int is_nullable(uint32_t column) {
    return column != 0 && column != 1 && column != 6;
}

static void random_rows(psh_value rows[ROWS][COLUMNS], uint64_t *seed) {
    uint32_t c;
    size_t i;

    for (i = 0; i < ROWS; i++) {
        for (c = 0; c < COLUMNS; c++)
            rows[i][c] = is_nullable(c) && below(seed, 4) == 0 ? test_null() : random_value(seed, c);
        rows[i][1] = test_time(ORIGIN - PSH_DAY + (int64_t)below(seed, 60) * PSH_HOUR + (int64_t)below(seed, 2));
    }
}

static uint32_t random_column(uint64_t *seed) {
    uint32_t c = (uint32_t)below(seed, COLUMNS - 1);

    return c ? c + 1 : 0; /* not the time */
}

static void set_predicate(sketch *s, size_t at, uint32_t column, uint64_t *seed) {
    static const uint32_t binary[] = { PSH_OP_EQ, PSH_OP_NE, PSH_OP_LT, PSH_OP_LE, PSH_OP_GT, PSH_OP_GE, PSH_OP_IN,
                                       PSH_OP_IS_NULL, PSH_OP_NOT_NULL };
    static const uint32_t foreign[] = { PSH_OP_EQ, PSH_OP_NE, PSH_OP_IN, PSH_OP_IS_NULL, PSH_OP_NOT_NULL };
    psh_predicate *p = &s->predicates[at];
    size_t i;

    p->column = column;
    p->op = column == 5 ? foreign[below(seed, 5)] : binary[below(seed, 9)];
    p->value_count = p->op >= PSH_OP_IS_NULL ? 0 : p->op == PSH_OP_IN ? 1 + below(seed, 3) : 1;
    for (i = 0; i < p->value_count; i++)
        s->values[at][i] = random_value(seed, column);
}

static void add_predicate(sketch *s, uint32_t column, uint64_t *seed) {
    if (s->predicate_count < 5)
        set_predicate(s, s->predicate_count++, column, seed);
}

static void add_group(sketch *s, uint32_t column) {
    size_t i;

    for (i = 0; i < s->group_count; i++)
        if (s->groups[i] == column)
            return;
    if (s->group_count < 3)
        s->groups[s->group_count++] = column;
}

static void add_measure(sketch *s, uint64_t *seed) {
    static const uint32_t all[] = { 0, 1, 2, 3, 4, 6, 7 };
    static const uint32_t sums[] = { 2, 3, 4, 6 };
    psh_aggregate *a = &s->aggregates[s->aggregate_count++];

    a->fn = (uint32_t)below(seed, 5) + 1;
    if (a->fn == PSH_AGG_SUM || a->fn == PSH_AGG_AVG)
        a->column = sums[below(seed, 4)];
    else
        a->column = a->fn == PSH_AGG_COUNT && below(seed, 2) ? PSH_NONE : all[below(seed, 7)];
}

static void random_view(sketch *s, uint64_t *seed) {
    static const int64_t buckets[] = { 0, PSH_HOUR, 2 * PSH_HOUR, 7 * PSH_HOUR, PSH_DAY };
    size_t i, n;

    memset(s, 0, sizeof *s);
    s->from = PSH_TIME_MIN;
    s->to = PSH_TIME_MAX;
    s->bucket = buckets[below(seed, 5)];
    for (i = 0, n = below(seed, 4); i < n; i++)
        add_group(s, random_column(seed));
    for (i = 0, n = below(seed, 3); i < n; i++)
        add_predicate(s, random_column(seed), seed);
    for (i = 0, n = below(seed, 4); i < n; i++)
        add_measure(s, seed);
    if (!s->bucket && !s->group_count && !s->aggregate_count)
        add_measure(s, seed);
}

static void ask_aggregate(sketch *q, const sketch *d, uint64_t *seed) {
    psh_aggregate *a;

    if (!d->aggregate_count || below(seed, 8) == 0) {
        add_measure(q, seed);
        return;
    }
    a = &q->aggregates[q->aggregate_count++];
    *a = d->aggregates[below(seed, d->aggregate_count)];
    if (a->fn <= PSH_AGG_AVG && below(seed, 2)) /* what an average may give */
        a->fn = PSH_AGG_COUNT;
    else if (a->fn == PSH_AGG_AVG && below(seed, 2))
        a->fn = PSH_AGG_SUM;
}

static int64_t random_time(uint64_t *seed) {
    return ORIGIN - PSH_DAY + (int64_t)below(seed, 60) * PSH_HOUR + (int64_t)below(seed, 3) - 1;
}

/* Near to the view, so that it often matches; now and then far from it. */
static void random_query(sketch *q, const sketch *d, uint64_t *seed) {
    size_t i, n;

    memset(q, 0, sizeof *q);
    for (i = 0; i < d->predicate_count; i++) {
        add_predicate(q, d->predicates[i].column, seed);
        if (below(seed, 2)) {
            q->predicates[i] = d->predicates[i];
            memcpy(q->values[i], d->values[i], sizeof q->values[i]);
        }
    }
    for (i = 0, n = below(seed, 3); i < n; i++)
        add_predicate(
            q, d->group_count && below(seed, 8) ? d->groups[below(seed, d->group_count)] : random_column(seed),
            seed);
    for (i = 0; i < d->group_count; i++)
        if (below(seed, 2))
            add_group(q, d->groups[i]);
    for (i = 0, n = below(seed, 4); i < n; i++)
        ask_aggregate(q, d, seed);
    q->bucket = below(seed, 2) ? d->bucket * (int64_t)(1 + below(seed, 3)) : 0;
    if (!q->bucket && !q->group_count && !q->aggregate_count)
        ask_aggregate(q, d, seed);
    q->from = below(seed, 2) ? PSH_TIME_MIN : random_time(seed);
    q->to = below(seed, 2) ? PSH_TIME_MAX : random_time(seed);
    if (q->to < q->from)
        q->to = q->from;
}

static psh_query *make_query(psh_env *env, psh_schema *schema, sketch *s) {
    psh_query *q = NULL;
    psh_query_spec spec;
    size_t i;

    psh_query_spec_init(&spec, sizeof spec);
    for (i = 0; i < s->predicate_count; i++)
        s->predicates[i].values = s->predicates[i].value_count ? s->values[i] : NULL;
    spec.predicates = s->predicates;
    spec.predicate_count = s->predicate_count;
    spec.group_columns = s->groups;
    spec.group_count = s->group_count;
    spec.aggregates = s->aggregates;
    spec.aggregate_count = s->aggregate_count;
    spec.bucket_ns = s->bucket;
    spec.time_from = s->from;
    spec.time_to = s->to;
    assert_ok(psh_query_create(env, schema, &spec, &q, NULL));
    return q;
}

static int compares(uint32_t op, int32_t order) {
    switch (op) {
    case PSH_OP_NE:
        return order != 0;
    case PSH_OP_LT:
        return order < 0;
    case PSH_OP_LE:
        return order <= 0;
    case PSH_OP_GT:
        return order > 0;
    case PSH_OP_GE:
        return order >= 0;
    default:
        return order == 0;
    }
}

static int holds(const psh_predicate *p, const psh_value *values, const psh_value *v) {
    size_t i;

    if (p->op >= PSH_OP_IS_NULL)
        return (v->type == PSH_TYPE_NULL) == (p->op == PSH_OP_IS_NULL);
    for (i = 0; i < p->value_count; i++)
        if (v->type != PSH_TYPE_NULL && compares(p->op, psh_value_compare(v, &values[i])))
            return 1;
    return 0;
}

static int all_hold(const sketch *s, const psh_value *row) {
    size_t i;

    for (i = 0; i < s->predicate_count; i++)
        if (!holds(&s->predicates[i], s->values[i], &row[s->predicates[i].column]))
            return 0;
    return 1;
}

static int is_within(int64_t t, int64_t from, int64_t to) {
    return t >= from && (t < to || to == PSH_TIME_MAX);
}

static int64_t start_of(int64_t t, int64_t bucket) {
    int64_t past = (t - ORIGIN) % bucket;

    return t - (past < 0 ? past + bucket : past);
}

static int has_view_group(const sketch *d, uint32_t column) {
    size_t i;

    for (i = 0; i < d->group_count; i++)
        if (d->groups[i] == column)
            return 1;
    return 0;
}

/* One group of the view: the base rows that it holds. Only what the view knows of them is used. */
typedef struct group {
    const psh_value *first;
    const psh_value *rows[ROWS];
    size_t count;
    int64_t bucket;
} group;

static int same_group(const sketch *d, const group *g, const psh_value *row) {
    size_t i;

    if (d->bucket && g->bucket != start_of(row[1].as.i64, d->bucket))
        return 0;
    for (i = 0; i < d->group_count; i++)
        if (psh_value_compare(&g->first[d->groups[i]], &row[d->groups[i]]) != 0)
            return 0;
    return 1;
}

static size_t build_view(const sketch *d, psh_value rows[ROWS][COLUMNS], group *groups) {
    size_t n = 0, i, k;

    for (i = 0; i < ROWS; i++) {
        if (!all_hold(d, rows[i]))
            continue;
        for (k = 0; k < n && !same_group(d, &groups[k], rows[i]); k++) {
        }
        if (k == n) {
            memset(&groups[n], 0, sizeof groups[n]);
            groups[n].first = rows[i];
            groups[n++].bucket = d->bucket ? start_of(rows[i][1].as.i64, d->bucket) : 0;
        }
        groups[k].rows[groups[k].count++] = rows[i];
    }
    return n;
}

static int view_keeps(const sketch *d, uint32_t fn, uint32_t column) {
    size_t i;

    for (i = 0; i < d->aggregate_count; i++)
        if (d->aggregates[i].column == column &&
            (d->aggregates[i].fn == fn || (d->aggregates[i].fn == PSH_AGG_AVG && fn <= PSH_AGG_AVG)))
            return 1;
    return 0;
}

static psh_value count_of(const sketch *d, const group *g, uint32_t column) {
    int64_t n = 0;
    size_t i;

    if (column == PSH_NONE || !is_nullable(column))
        return test_int((int64_t)g->count);
    assert_true(view_keeps(d, PSH_AGG_COUNT, column));
    for (i = 0; i < g->count; i++)
        n += g->rows[i][column].type != PSH_TYPE_NULL;
    return test_int(n);
}

static psh_value sum_of(const sketch *d, const group *g, uint32_t column) {
    psh_value sum = test_null();
    size_t i;

    assert_true(view_keeps(d, PSH_AGG_SUM, column));
    for (i = 0; i < g->count; i++) {
        const psh_value *v = &g->rows[i][column];

        if (v->type == PSH_TYPE_NULL)
            continue;
        if (sum.type == PSH_TYPE_NULL) {
            sum = *v;
        } else if (v->type == PSH_TYPE_DOUBLE) {
            sum.as.f64 += v->as.f64;
        } else {
            sum.as.i64 += v->as.i64;
        }
    }
    if (sum.type == PSH_TYPE_DECIMAL)
        sum.hi = sum.as.i64 < 0 ? -1 : 0;
    return sum;
}

static psh_value extreme_of(const sketch *d, const group *g, const psh_aggregate *a) {
    psh_value best = test_null();
    size_t i;

    assert_true(view_keeps(d, a->fn, a->column));
    for (i = 0; i < g->count; i++) {
        const psh_value *v = &g->rows[i][a->column];
        int32_t order = psh_value_compare(v, &best);

        if (v->type != PSH_TYPE_NULL &&
            (best.type == PSH_TYPE_NULL || (a->fn == PSH_AGG_MIN ? order < 0 : order > 0)))
            best = *v;
    }
    return best;
}

static size_t partial_of(const sketch *d, const sketch *q, const group *g, psh_value *out) {
    size_t n = 0, i;

    if (q->bucket)
        out[n++] = test_time(start_of(g->bucket, q->bucket));
    for (i = 0; i < q->group_count; i++) {
        assert_true(has_view_group(d, q->groups[i]));
        out[n++] = g->first[q->groups[i]];
    }
    for (i = 0; i < q->aggregate_count; i++) {
        const psh_aggregate *a = &q->aggregates[i];

        if (a->fn == PSH_AGG_COUNT)
            out[n++] = count_of(d, g, a->column);
        else if (a->fn == PSH_AGG_SUM || a->fn == PSH_AGG_AVG)
            out[n++] = sum_of(d, g, a->column);
        else
            out[n++] = extreme_of(d, g, a);
        if (a->fn == PSH_AGG_AVG)
            out[n++] = count_of(d, g, a->column);
    }
    return n;
}

/* What can be decided on the view's rows: the rest must be true of them all. */
static int group_holds(const sketch *d, const sketch *q, const group *g) {
    size_t i;

    for (i = 0; i < q->predicate_count; i++)
        if (has_view_group(d, q->predicates[i].column) &&
            !holds(&q->predicates[i], q->values[i], &g->first[q->predicates[i].column]))
            return 0;
    return 1;
}

static void add_from_view(
    psh_answer *a, const sketch *d, const sketch *q, psh_value rows[ROWS][COLUMNS], int64_t from, int64_t to) {
    group groups[ROWS];
    psh_value partial[16];
    size_t n = build_view(d, rows, groups), i;

    for (i = 0; i < n; i++) {
        if ((d->bucket && !is_within(groups[i].bucket, from, to)) || !group_holds(d, q, &groups[i]))
            continue;
        assert_int_equal(partial_of(d, q, &groups[i], partial), psh_answer_partial_width(a));
        assert_ok(psh_answer_add_partial(a, partial, 1));
    }
}

static void finish_into(psh_answer *a, psh_buffer *out) {
    psh_buffer_clear(out);
    assert_ok(psh_answer_finish(a));
    assert_ok(psh_answer_save(a, out));
    psh_buffer_append(out, "\n", 1);
    assert_ok(psh_answer_dump(a, out));
}

/* What one table, one after the other, is tried with. */
typedef struct trial {
    psh_env *env;
    psh_schema *schema;
    psh_value rows[ROWS][COLUMNS];
    psh_buffer *seen;
    psh_buffer *right;
    size_t yes;
    size_t partly;
} trial;

static void compare_answers(
    trial *t, const sketch *d, const sketch *q, psh_query *query, int64_t from, int64_t to) {
    psh_answer *a = NULL;
    size_t i;

    assert_ok(psh_answer_create(t->env, query, 0, &a));
    add_from_view(a, d, q, t->rows, from, to);
    for (i = 0; i < ROWS; i++)
        if (!is_within(t->rows[i][1].as.i64, from, to))
            assert_ok(psh_answer_add_rows(a, t->rows[i], 1));
    finish_into(a, t->seen);
    assert_ok(psh_answer_reset(a, query));
    assert_ok(psh_answer_add_rows(a, t->rows[0], ROWS));
    finish_into(a, t->right);
    if (psh_buffer_size(t->seen) != psh_buffer_size(t->right) ||
        memcmp(psh_buffer_data(t->seen), psh_buffer_data(t->right), psh_buffer_size(t->right)) != 0) {
        print_error("from the view:\n%s\nfrom the base:\n%s\n", (const char *)psh_buffer_data(t->seen),
            (const char *)psh_buffer_data(t->right));
        fail();
    }
    psh_answer_destroy(a);
}

static void try_pair(trial *t, uint64_t *seed) {
    psh_query *definition, *query;
    int64_t from, to;
    sketch d, q;
    size_t i;

    random_view(&d, seed);
    random_query(&q, &d, seed);
    definition = make_query(t->env, t->schema, &d);
    query = make_query(t->env, t->schema, &q);
    for (i = 0; i < ROWS; i++)
        assert_int_equal(psh_query_matches_row(query, t->rows[i]),
            all_hold(&q, t->rows[i]) && is_within(t->rows[i][1].as.i64, q.from, q.to));
    if (psh_view_match(definition, query, &from, &to) == PSH_MATCH_YES) {
        assert_true(from <= to && (from >= q.from || from == to) && (to <= q.to || from == to));
        compare_answers(t, &d, &q, query, from, to);
        t->yes++;
        t->partly += from != q.from || to != q.to;
    }
    psh_query_unref(definition);
    psh_query_unref(query);
}

static void test_yes_is_never_wrong(void **state) {
    uint64_t seed = 20261121;
    test_alloc al;
    trial t;
    size_t i, k;

    (void)state;
    memset(&t, 0, sizeof t);
    t.env = test_env(&al);
    t.schema = small_schema(t.env);
    assert_ok(psh_buffer_create(t.env, &t.seen));
    assert_ok(psh_buffer_create(t.env, &t.right));
    for (i = 0; i < TABLES; i++) {
        random_rows(t.rows, &seed);
        for (k = 0; k < PAIRS; k++)
            try_pair(&t, &seed);
    }
    assert_true(t.yes > TABLES * PAIRS / 20 && t.partly > TABLES * PAIRS / 100); /* it was tried often */
    print_message("%zu of %d pairs matched, %zu for a part of the time\n", t.yes, TABLES * PAIRS, t.partly);
    psh_buffer_destroy(t.seen);
    psh_buffer_destroy(t.right);
    psh_schema_unref(t.schema);
    psh_env_destroy(t.env);
    assert_int_equal(al.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yes_is_never_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
