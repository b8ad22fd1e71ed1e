/* SPDX-License-Identifier: MIT */
/** @file form.h  A statement in the form that the library's queries have: one table, conditions joined by AND. */
#ifndef TOOL_FORM_H
#define TOOL_FORM_H

#include <predshard.h>

#include "catalog.h"

#define LITERAL_INT 1
#define LITERAL_FLOAT 2
#define LITERAL_TEXT 3
#define LITERAL_BOOL 4
#define LITERAL_TIME 5
#define LITERAL_UNKNOWN 6 /**< a parameter whose value was not logged */

#define FORM_FILTERS 64
#define FORM_LITERALS 1024
#define FORM_OUTPUTS 64
#define FORM_ORDER 16

typedef struct literal {
    uint32_t kind;
    int64_t i;
    double d;
    const char *s; /**< borrowed from the tree */
} literal;

typedef struct form_filter {
    uint32_t column; /**< of the catalog */
    uint32_t op;     /**< PSH_OP_* */
    uint32_t first;  /**< into literals */
    uint32_t count;
} form_filter;

#define FORM_BY_BUCKET 1
#define FORM_BY_GROUP 2
#define FORM_BY_AGGREGATE 3
#define FORM_BY_COLUMN 4

typedef struct form_order {
    uint32_t by; /**< FORM_BY_* */
    uint32_t index;
    uint32_t descending;
} form_order;

typedef struct form {
    uint32_t table;
    uint32_t filter_count;
    form_filter filter[FORM_FILTERS];
    literal literals[FORM_LITERALS];
    uint32_t literal_count;
    uint32_t group[FORM_OUTPUTS];
    uint32_t group_count;
    psh_aggregate aggregate[FORM_OUTPUTS]; /**< column: of the catalog */
    uint32_t aggregate_count;
    uint32_t column[FORM_OUTPUTS];         /**< of a detail query */
    uint32_t column_count;
    uint32_t bucket_column;
    int64_t bucket_ns;
    form_order order[FORM_ORDER];
    uint32_t order_count;
    uint64_t limit;
    int64_t at;             /**< what now() means; PSH_TIME_NONE = unknown */
    int relative;           /**< 1: now() is in it */
    const char *parameters; /**< values of $1, $2, as PostgreSQL logs them; "" = none */
    strbuf hold;              /**< values of parameters */
    char why[96];           /**< what does not fit */
} form;

/**
 * Reads a statement's tree. Columns and expressions over columns are made in the catalog.
 * Set at and parameters before. @return 1 if it has the form, else 0 and why.
 */
int form_read(form *f, json_t *statement, catalog *c);
/**
 * The query against a schema that ahead.c made from the catalog.
 * @return the query, or NULL with f->why.
 */
psh_query *form_bind(form *f, psh_env *env, psh_schema *schema, const catalog *c, const psh_label *labels,
    size_t label_count);

#endif
