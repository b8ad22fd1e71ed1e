/* SPDX-License-Identifier: MIT */
/** @file match/answer.h  The insides of an answer: groups found by hash, one cell per group and aggregate. */
#ifndef PSHI_MATCH_ANSWER_H
#define PSHI_MATCH_ANSWER_H

#include <predshard/answer.h>

#include "match/answer_arena.h"
#include "math/exact_sum.h"
#include "value/schema.h"

#define PSHI_FIELD_VALUE 0u
#define PSHI_FIELD_BUCKET 1u /* timestamp, never NULL, the start of a bucket */
#define PSHI_FIELD_COUNT 2u  /* int64, never NULL, >= 0 */

/** One value of a partial row. */
typedef struct pshi_field {
    uint32_t type;
    uint32_t scale;
    uint32_t column;  /* of the table that it is made from; PSH_NONE: rows themselves are counted */
    uint32_t kind;    /* PSHI_FIELD_* */
} pshi_field;

typedef struct pshi_agg {
    uint32_t fn;
    uint32_t type;  /* of what is summed or compared */
    uint32_t scale;
    uint32_t at;    /* its first field in a partial row */
} pshi_agg;

/**
 * What is known of one aggregate of one group. Sums of integers and decimals are 192 bits wide, two's
 * complement: no number of 128-bit values that memory can hold overflows them, so order does not matter.
 * One double is kept as it is; the second opens an exact sum.
 */
typedef struct pshi_cell {
    uint64_t count; /* saturates */
    union {
        uint64_t wide[3];
        struct {
            double first;
            uint32_t exact;   /* 1 + index of its exact sum; 0 = none */
            uint16_t held;    /* 1: first is there */
            uint16_t pending; /* values of the batch under way, at most 2 */
        } f;
        psh_value best; /* minimum or maximum; NULL = none */
    } as;
} pshi_cell;

typedef struct pshi_slot {
    uint32_t hash;
    uint32_t group; /* 1 + index; 0 = free */
} pshi_slot;

struct psh_answer {
    pshi_budget budget;
    psh_query *query;
    const psh_query_spec *spec;
    const pshi_table *table;
    int finished;
    int aggregate;    /* 0: detail rows, never merged */
    size_t key_width; /* bucket and groups; detail: all outputs */
    size_t width;     /* of a partial row */
    pshi_field *fields;
    size_t field_cap;
    pshi_agg *aggs;
    size_t agg_cap;
    psh_value *scratch; /* one partial row */
    size_t scratch_cap;

    size_t groups;
    psh_value *keys; /* Shape [groups][key_width] */
    size_t key_cap;
    pshi_cell *cells; /* Shape [groups][aggregates] */
    size_t cell_cap;
    uint32_t *hashes;
    size_t hash_cap;
    pshi_slot *slots; /* a power of two */
    size_t slot_cap;
    uint32_t *row_group; /* of each row of the batch under way */
    size_t row_cap;
    pshi_exact_sum *sums;
    size_t sum_cap;
    size_t sum_count;
    pshi_arena arena;

    size_t row_count;
    const psh_value *rows; /* finished: keys or outputs; Shape [..][outputs] */
    psh_value *outputs;
    size_t output_cap;
    uint32_t *order; /* finished: sorted indexes into rows, then as many for sorting */
    size_t order_cap;
};

/** @return the query, borrowed. */
const psh_query *pshi_answer_query(const psh_answer *a);

/* answer_group.c */

/** Copies a value into memory of the answer; -0.0 becomes 0.0, so that equal values have equal bytes. */
psh_status pshi_answer_keep(psh_answer *a, psh_value *to, const psh_value *from);
/** The group of a key, new if there is none; for a detail query a new row. */
psh_status pshi_answer_group(psh_answer *a, const psh_value *key, uint32_t *group);
/** Forgets the groups from `groups` on. */
void pshi_answer_cut(psh_answer *a, size_t groups);

/* answer_cell.c */

/** Makes room for a partial row in its group, so that pshi_cells_add cannot fail; adds to *bytes and *sums. */
void pshi_cells_plan(psh_answer *a, uint32_t group, const psh_value *row, size_t *bytes, size_t *sums);
/** Takes the plan of a row back. */
void pshi_cells_unplan(psh_answer *a, uint32_t group);
void pshi_cells_add(psh_answer *a, uint32_t group, const psh_value *row);
/** The finished value. @return PSH_OK, PSH_E_RANGE. */
psh_status pshi_cell_value(const psh_answer *a, const pshi_agg *g, const pshi_cell *c, psh_value *out);

#endif
