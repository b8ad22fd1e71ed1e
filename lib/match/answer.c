/* SPDX-License-Identifier: MIT */
#include "match/answer.h"

#include <string.h>

#include "base/env.h"
#include "match/match.h"
#include "value/query.h"
#include "value/value.h"

#define DEFAULT_BYTES ((size_t)256 << 20)

/* Rows of a caller, in either shape. */
typedef struct batch {
    const psh_value *rows;
    size_t n;
    int raw;
} batch;

/* Where an answer stood before an add. */
typedef struct extent {
    pshi_arena_mark mark;
    size_t chunks;
    size_t groups;
    size_t keys;
    size_t cells;
    size_t hashes;
    size_t slots;
    size_t rows;
    size_t sums;
} extent;

const psh_query *pshi_answer_query(const psh_answer *a) {
    return a->query;
}

static psh_status reserve_shape(psh_answer *a, const psh_query_spec *s) {
    size_t width = 1 + s->group_count + 2 * s->aggregate_count + s->column_count;
    void *p = a->fields;
    psh_status st = pshi_budget_reserve(&a->budget, &p, &a->field_cap, width, sizeof *a->fields);

    a->fields = p;
    if (st != PSH_OK)
        return st;
    p = a->scratch;
    st = pshi_budget_reserve(&a->budget, &p, &a->scratch_cap, width, sizeof *a->scratch);
    a->scratch = p;
    if (st != PSH_OK)
        return st;
    p = a->aggs;
    st = pshi_budget_reserve(&a->budget, &p, &a->agg_cap, s->aggregate_count, sizeof *a->aggs);
    a->aggs = p;
    return st;
}

static void add_field(psh_answer *a, uint32_t kind, uint32_t column) {
    pshi_field *f = &a->fields[a->width++];
    const psh_column_spec *c = column == PSH_NONE ? NULL : &a->table->columns[column];

    f->kind = kind;
    f->column = column;
    f->type = kind == PSHI_FIELD_COUNT ? PSH_TYPE_INT64 : c ? c->type : PSH_TYPE_NULL;
    f->scale = kind == PSHI_FIELD_VALUE && c ? c->scale : 0;
}

static void add_aggregate(psh_answer *a, size_t i) {
    const psh_aggregate *given = &a->spec->aggregates[i];
    pshi_agg *g = &a->aggs[i];

    g->fn = given->fn;
    g->at = (uint32_t)a->width;
    add_field(a, given->fn == PSH_AGG_COUNT ? PSHI_FIELD_COUNT : PSHI_FIELD_VALUE, given->column);
    g->type = a->fields[g->at].type;
    g->scale = a->fields[g->at].scale;
    if (given->fn == PSH_AGG_AVG)
        add_field(a, PSHI_FIELD_COUNT, given->column);
}

static void set_shape(psh_answer *a) {
    const psh_query_spec *s = a->spec;
    size_t i;

    a->width = 0;
    a->aggregate = s->bucket_ns || s->group_count || s->aggregate_count;
    if (s->bucket_ns)
        add_field(a, PSHI_FIELD_BUCKET, a->table->time_column);
    for (i = 0; i < s->group_count; i++)
        add_field(a, PSHI_FIELD_VALUE, s->group_columns[i]);
    for (i = 0; !a->aggregate && i < s->column_count; i++)
        add_field(a, PSHI_FIELD_VALUE, s->columns[i]);
    a->key_width = a->width;
    for (i = 0; i < s->aggregate_count; i++)
        add_aggregate(a, i);
}

static void forget_rows(psh_answer *a) {
    static const pshi_arena_mark start = { 0, 0 };

    a->groups = 0;
    if (a->slots)
        memset(a->slots, 0, a->slot_cap * sizeof *a->slots);
    pshi_arena_rewind(&a->arena, start);
    a->sum_count = 0;
    a->row_count = 0;
    a->rows = NULL;
    a->finished = 0;
}

psh_status psh_answer_reset(psh_answer *a, psh_query *query) {
    psh_status st;

    if (!a || !query)
        return PSH_E_INVALID;
    if ((st = reserve_shape(a, pshi_query_spec(query))) != PSH_OK)
        return st;
    psh_query_ref(query);
    psh_query_unref(a->query);
    a->query = query;
    a->spec = pshi_query_spec(query);
    a->table = pshi_schema_get_table(psh_query_schema(query), a->spec->table);
    forget_rows(a);
    set_shape(a);
    return PSH_OK;
}

psh_status psh_answer_create(psh_env *env, psh_query *query, size_t max_bytes, psh_answer **out) {
    psh_answer *a;
    psh_status st;

    if (!out)
        return PSH_E_INVALID;
    *out = NULL;
    if (!env || !query)
        return PSH_E_INVALID;
    a = pshi_calloc(env, 1, sizeof *a);
    if (!a)
        return PSH_E_NOMEM;
    a->budget.env = env;
    a->budget.max = max_bytes ? max_bytes : DEFAULT_BYTES;
    if ((st = psh_answer_reset(a, query)) != PSH_OK) {
        psh_answer_destroy(a);
        return st;
    }
    *out = a;
    return PSH_OK;
}

void psh_answer_destroy(psh_answer *a) {
    psh_env *env;

    if (!a)
        return;
    env = a->budget.env;
    psh_query_unref(a->query);
    pshi_arena_free(&a->budget, &a->arena);
    pshi_free(env, a->fields);
    pshi_free(env, a->aggs);
    pshi_free(env, a->scratch);
    pshi_free(env, a->keys);
    pshi_free(env, a->cells);
    pshi_free(env, a->hashes);
    pshi_free(env, a->slots);
    pshi_free(env, a->row_group);
    pshi_free(env, a->sums);
    pshi_free(env, a->outputs);
    pshi_free(env, a->order);
    pshi_free(env, a);
}

size_t psh_answer_partial_width(const psh_answer *a) {
    return a ? a->width : 0;
}

static int is_bucket_start(const psh_answer *a, const psh_value *v) {
    return v->as.i64 == pshi_bucket_floor(v->as.i64, a->spec->bucket_ns, a->table->interval_origin);
}

static psh_status check_partial(const psh_answer *a, const psh_value *row) {
    const pshi_agg *g = a->aggs;
    size_t i;

    for (i = 0; i < a->width; i++) {
        const pshi_field *f = &a->fields[i];

        if (pshi_value_check(&row[i], f->type, f->scale, f->kind == PSHI_FIELD_VALUE) != PSH_OK)
            return PSH_E_INVALID;
        if (f->kind == PSHI_FIELD_COUNT && row[i].as.i64 < 0)
            return PSH_E_INVALID;
        if (f->kind == PSHI_FIELD_BUCKET && !is_bucket_start(a, &row[i]))
            return PSH_E_INVALID;
    }
    /* A sum without count may come: one more part of a sum of doubles whose first part was counted. */
    for (i = 0; i < a->spec->aggregate_count; i++, g++)
        if (g->fn == PSH_AGG_AVG && row[g->at].type == PSH_TYPE_NULL && row[g->at + 1].as.i64 != 0)
            return PSH_E_INVALID;
    return PSH_OK;
}

/* NULL is let pass in columns that are never NULL: a host may leave out what the query does not read. */
static psh_status check_raw(const psh_answer *a, const psh_value *row) {
    const psh_column_spec *c = a->table->columns;
    size_t i;

    for (i = 0; i < a->table->column_count; i++)
        if (pshi_value_check(&row[i], c[i].type, c[i].scale, i != a->table->time_column) != PSH_OK)
            return PSH_E_INVALID;
    return PSH_OK;
}

static psh_status check_batch(const psh_answer *a, const batch *b) {
    size_t width = b->raw ? a->table->column_count : a->width;
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < b->n; i++)
        st = b->raw ? check_raw(a, b->rows + i * width) : check_partial(a, b->rows + i * width);
    return st;
}

static void make_partial(psh_answer *a, const psh_value *raw) {
    psh_value *to = a->scratch;
    const pshi_field *f = a->fields;
    size_t i;

    for (i = 0; i < a->width; i++, f++, to++) {
        if (f->kind == PSHI_FIELD_COUNT) {
            memset(to, 0, sizeof *to);
            to->type = PSH_TYPE_INT64;
            to->as.i64 = f->column == PSH_NONE || raw[f->column].type != PSH_TYPE_NULL;
            continue;
        }
        *to = raw[f->column];
        if (f->kind == PSHI_FIELD_BUCKET)
            to->as.i64 = pshi_bucket_floor(to->as.i64, a->spec->bucket_ns, a->table->interval_origin);
    }
}

/* Row i of the batch as a partial row, NULL if the query does not ask for it. */
static const psh_value *partial_row(psh_answer *a, const batch *b, size_t i) {
    const psh_value *raw;

    if (!b->raw)
        return b->rows + i * a->width;
    raw = b->rows + i * a->table->column_count;
    if (!psh_query_matches_row(a->query, raw))
        return NULL;
    make_partial(a, raw);
    return a->scratch;
}

static psh_status find_groups(psh_answer *a, const batch *b) {
    void *p = a->row_group;
    psh_status st = pshi_budget_reserve(&a->budget, &p, &a->row_cap, b->n, sizeof *a->row_group);
    const psh_value *row;
    size_t i;

    a->row_group = p;
    for (i = 0; st == PSH_OK && i < b->n; i++) {
        a->row_group[i] = PSH_NONE;
        row = partial_row(a, b, i);
        if (row)
            st = pshi_answer_group(a, row, &a->row_group[i]);
    }
    return st;
}

static void unplan_cells(psh_answer *a, const batch *b) {
    size_t i;

    for (i = 0; i < b->n; i++)
        if (a->row_group[i] != PSH_NONE)
            pshi_cells_unplan(a, a->row_group[i]);
}

/* Makes all room that adding takes, so that it cannot fail half way. */
static psh_status plan_cells(psh_answer *a, const batch *b) {
    size_t bytes = 0;
    size_t sums = 0;
    void *p = a->sums;
    psh_status st;
    size_t i;

    for (i = 0; i < b->n; i++)
        if (a->row_group[i] != PSH_NONE)
            pshi_cells_plan(a, a->row_group[i], partial_row(a, b, i), &bytes, &sums);
    st = pshi_arena_room(&a->budget, &a->arena, bytes);
    if (st == PSH_OK)
        st = pshi_budget_reserve(&a->budget, &p, &a->sum_cap, a->sum_count + sums, sizeof *a->sums);
    a->sums = p;
    if (st != PSH_OK)
        unplan_cells(a, b);
    return st;
}

static extent extent_of(const psh_answer *a) {
    extent e = { pshi_arena_here(&a->arena), a->arena.count, a->groups, a->key_cap, a->cell_cap,
                 a->hash_cap, a->slot_cap, a->row_cap, a->sum_cap };

    return e;
}

/* Memory too goes back: else one add that is too big would leave no room to finish. */
static void restore(psh_answer *a, const extent *e) {
    void *p[6] = { a->keys, a->cells, a->hashes, a->slots, a->row_group, a->sums };

    pshi_budget_trim(&a->budget, &p[0], &a->key_cap, e->keys, sizeof *a->keys);
    pshi_budget_trim(&a->budget, &p[1], &a->cell_cap, e->cells, sizeof *a->cells);
    pshi_budget_trim(&a->budget, &p[2], &a->hash_cap, e->hashes, sizeof *a->hashes);
    pshi_budget_trim(&a->budget, &p[3], &a->slot_cap, e->slots, sizeof *a->slots);
    pshi_budget_trim(&a->budget, &p[4], &a->row_cap, e->rows, sizeof *a->row_group);
    pshi_budget_trim(&a->budget, &p[5], &a->sum_cap, e->sums, sizeof *a->sums);
    a->keys = p[0];
    a->cells = p[1];
    a->hashes = p[2];
    a->slots = p[3];
    a->row_group = p[4];
    a->sums = p[5];
    pshi_answer_cut(a, e->groups);
    pshi_arena_rewind(&a->arena, e->mark);
    pshi_arena_trim(&a->budget, &a->arena, e->chunks);
}

static psh_status add_batch(psh_answer *a, const batch *b) {
    extent before = extent_of(a);
    psh_status st = find_groups(a, b);
    size_t i;

    if (st == PSH_OK && a->spec->aggregate_count)
        st = plan_cells(a, b);
    if (st != PSH_OK) {
        restore(a, &before);
        return st;
    }
    for (i = 0; a->spec->aggregate_count && i < b->n; i++)
        if (a->row_group[i] != PSH_NONE)
            pshi_cells_add(a, a->row_group[i], partial_row(a, b, i));
    return PSH_OK;
}

static psh_status add_checked(psh_answer *a, const psh_value *rows, size_t n, int raw) {
    batch b = { rows, n, raw };
    psh_status st;

    if (!a || (n && !rows))
        return PSH_E_INVALID;
    if (a->finished)
        return PSH_E_STATE;
    st = check_batch(a, &b);
    return st == PSH_OK && n ? add_batch(a, &b) : st;
}

psh_status psh_answer_add_partial(psh_answer *a, const psh_value *rows, size_t n) {
    return add_checked(a, rows, n, 0);
}

psh_status psh_answer_add_rows(psh_answer *a, const psh_value *rows, size_t n) {
    return add_checked(a, rows, n, 1);
}
