/* SPDX-License-Identifier: MIT */
#include "views/shape.h"

#include <string.h>

#include "base/env.h"
#include "math/exact_sum.h"
#include "value/query.h"
#include "value/schema.h"
#include "views/bag.h"

/* Bytes beside a group's own words: its slots. */
#define GROUP_EXTRA 12u
/* Bytes of the block of a bag beside its values. */
#define BLOCK_EXTRA 24u
/* Bytes of the block of a sum of doubles of like size. */
#define SUM_EXTRA 48u
#define WORDS_OF(type) ((uint32_t)((sizeof(type) + 7) / 8))

static pshi_measure *shape_measure_of(pshi_view_shape *s, const pshi_table *t, uint32_t column) {
    const psh_column_spec *c = &t->columns[column];
    pshi_measure *m;
    uint32_t i;

    for (i = 0; i < s->measure_count; i++)
        if (s->measures[i].column == column)
            return &s->measures[i];
    m = &s->measures[s->measure_count++];
    m->column = column;
    m->type = c->type;
    m->scale = c->scale;
    m->nullable = c->flags & PSH_COLUMN_NULLABLE ? 1 : 0;
    m->dict = PSH_NONE;
    if (m->nullable) {
        m->count_at = s->words;
        s->words++;
    }
    return m;
}

static void shape_add(pshi_view_shape *s, const pshi_table *t, const psh_aggregate *a) {
    pshi_measure *m;

    if (a->column == PSH_NONE)
        return; /* COUNT(*): the group's rows */
    m = shape_measure_of(s, t, a->column);
    if ((a->fn == PSH_AGG_SUM || a->fn == PSH_AGG_AVG) && !m->sum_at) {
        m->sum_at = s->words;
        s->words += m->type == PSH_TYPE_DOUBLE ? WORDS_OF(pshi_sparse_sum) : PSHI_SUM_WORDS;
    }
    if ((a->fn == PSH_AGG_MIN || a->fn == PSH_AGG_MAX) && !m->bag_at) {
        m->bag_at = s->words;
        s->words += WORDS_OF(pshi_bag);
        if (m->type == PSH_TYPE_TEXT || m->type == PSH_TYPE_BYTES || m->type == PSH_TYPE_DECIMAL)
            m->dict = s->dict_count++;
    }
}

static void shape_weigh(pshi_view_shape *s) {
    uint32_t i;

    s->group_bytes = s->words * 8 + GROUP_EXTRA;
    for (i = 0; i < s->measure_count; i++) {
        s->group_bytes += s->measures[i].bag_at ? BLOCK_EXTRA : 0;
        s->group_bytes += s->measures[i].sum_at && s->measures[i].type == PSH_TYPE_DOUBLE ? SUM_EXTRA : 0;
    }
}

psh_status pshi_view_shape_init(psh_env *env, pshi_view_shape *s, const psh_query *definition) {
    const psh_query_spec *q = pshi_query_spec(definition);
    const pshi_table *t = pshi_schema_get_table(psh_query_schema(definition), q->table);
    size_t i;

    memset(s, 0, sizeof *s);
    if (!t || q->column_count || q->bucket_ns <= 0)
        return PSH_E_INVALID;
    s->measures = pshi_calloc(env, q->aggregate_count + 1, sizeof *s->measures);
    if (!s->measures)
        return PSH_E_NOMEM;
    s->table = q->table;
    s->column_count = (uint32_t)t->column_count;
    s->time_column = t->time_column;
    s->interval_origin = t->interval_origin;
    s->interval_ns = t->interval_ns;
    s->bucket_ns = q->bucket_ns;
    s->group_columns = q->group_columns;
    s->group_count = (uint32_t)q->group_count;
    s->dict_count = s->group_count;
    s->words = PSHI_GROUP_IDS + (s->group_count + 1) / 2;
    for (i = 0; i < q->aggregate_count; i++)
        shape_add(s, t, &q->aggregates[i]);
    shape_weigh(s);
    return PSH_OK;
}

void pshi_view_shape_free(psh_env *env, pshi_view_shape *s) {
    pshi_free(env, s->measures);
    memset(s, 0, sizeof *s);
}

const pshi_measure *pshi_view_shape_measure(const pshi_view_shape *s, uint32_t column) {
    uint32_t i;

    for (i = 0; i < s->measure_count; i++)
        if (s->measures[i].column == column)
            return &s->measures[i];
    return NULL;
}

uint32_t pshi_view_shape_group(const pshi_view_shape *s, uint32_t column) {
    uint32_t i;

    for (i = 0; i < s->group_count; i++)
        if (s->group_columns[i] == column)
            return i;
    return PSH_NONE;
}
