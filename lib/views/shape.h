/* SPDX-License-Identifier: MIT */
/** @file views/shape.h  What a view keeps for each of its groups, and where in the group's words it stands. */
#ifndef PSHI_VIEWS_SHAPE_H
#define PSHI_VIEWS_SHAPE_H

#include <predshard/query.h>

/**
 * What is kept of one column that is aggregated. Offsets are in words of the group; 0 = not kept.
 * A count is kept of columns that may be NULL; the group's rows serve for the others.
 * Sums: 192 bits, two's complement, of integers and decimals (no number of terms overflows them); a
 * pshi_sparse_sum of doubles.
 */
typedef struct pshi_measure {
    uint32_t column;
    uint32_t type;
    uint32_t scale;
    uint32_t nullable;
    uint32_t count_at;
    uint32_t sum_at;
    uint32_t bag_at;
    uint32_t dict; /* of the bag's codes, or PSH_NONE */
} pshi_measure;

/* Words of a group: bucket's start, rows, ids of the group values (two a word), then the measures. */
#define PSHI_GROUP_BUCKET 0u
#define PSHI_GROUP_ROWS 1u
#define PSHI_GROUP_IDS 2u
#define PSHI_SUM_WORDS 3u

typedef struct pshi_view_shape {
    uint32_t table;
    uint32_t column_count;
    uint32_t time_column;
    uint32_t group_count;
    int64_t interval_origin;
    int64_t interval_ns;
    int64_t bucket_ns;
    const uint32_t *group_columns; /* borrowed from the definition */
    pshi_measure *measures;
    uint32_t measure_count;
    uint32_t words;      /* of one group */
    uint32_t dict_count; /* one a group column, then those of the bags */
    uint32_t group_bytes; /* of one group without the values of its bags, on average */
} pshi_view_shape;

/** @return PSH_OK, PSH_E_INVALID (not what a view may be), PSH_E_NOMEM. End it with pshi_view_shape_free. */
psh_status pshi_view_shape_init(psh_env *env, pshi_view_shape *s, const psh_query *definition);
void pshi_view_shape_free(psh_env *env, pshi_view_shape *s);
/** @return the measure of a column, or NULL. */
const pshi_measure *pshi_view_shape_measure(const pshi_view_shape *s, uint32_t column);
/** @return the place of a column among the group columns, or PSH_NONE. */
uint32_t pshi_view_shape_group(const pshi_view_shape *s, uint32_t column);

#endif
