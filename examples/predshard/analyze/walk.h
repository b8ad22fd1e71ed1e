/* SPDX-License-Identifier: MIT */
/** @file walk.h  What a parsed statement touches: tables, and columns by role. */
#ifndef TOOL_WALK_H
#define TOOL_WALK_H

#include "catalog.h"

#define STATEMENT_SELECT 0
#define STATEMENT_INSERT 1
#define STATEMENT_UPDATE 2
#define STATEMENT_DELETE 3
#define STATEMENT_DDL 4
#define STATEMENT_OTHER 5
#define STATEMENTS 6

#define ROLE_OUTPUT 0
#define ROLE_FILTER 1
#define ROLE_GROUP 2
#define ROLE_ORDER 3
#define ROLE_JOIN 4
#define ROLES 5

#define OP_NONE 0
#define OP_EQ 1
#define OP_NE 2
#define OP_LT 3
#define OP_LE 4
#define OP_GT 5
#define OP_GE 6
#define OP_IN 7
#define OP_NULL 8
#define OP_NOT_NULL 9
#define OP_BETWEEN 10
#define OP_LIKE 11
#define OP_SUBQUERY 12
#define OP_OTHER 13
#define OPS 14

#define MOST_USES 256    /* of one statement; more are left out */
#define MOST_TOUCHED 64  /* tables of one statement */

typedef struct use {
    uint32_t column;
    uint16_t role;
    uint16_t op;
} use;

typedef struct footprint {
    uint32_t kind;      /**< STATEMENT_* */
    use uses[MOST_USES];
    uint32_t use_count;
    uint32_t tables[MOST_TOUCHED];
    uint32_t table_count;
    int64_t limit;      /**< -1: none; -2: not a constant */
} footprint;

/** @return "select", "insert"... */
const char *statement_name(uint32_t kind);
const char *role_name(uint32_t role);
/** @return "=", "in"... "" for OP_NONE. */
const char *op_name(uint32_t op);
/** @return OP_* of a comparison sign, OP_OTHER for others. */
uint32_t op_of(const char *sign);
/** Reads a statement's tree into *out and the catalog. */
void walk_statement(json_t *statement, catalog *c, footprint *out);
/** The kind of a statement that does not parse, by its first word. */
uint32_t statement_kind_of_text(const char *sql);

#endif
