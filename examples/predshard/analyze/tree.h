/* SPDX-License-Identifier: MIT */
/** @file tree.h  PostgreSQL's parse tree as libpg_query gives it: JSON objects with one key, the node's kind. */
#ifndef TOOL_TREE_H
#define TOOL_TREE_H

#include <jansson.h>

#include "text.h"

/** @return the fields of a node of this kind, or NULL. */
json_t *tree_node(json_t *node, const char *kind);
/** @return a member of an object or NULL; NULL-safe. */
json_t *tree_get(json_t *fields, const char *name);
/** @return a string member or "". */
const char *tree_text(json_t *fields, const char *name);
/** @return 1 if a member is true. */
int tree_true(json_t *fields, const char *name);
/** @return the last name in a list of String nodes, as the names of functions and types; "". */
const char *tree_last_name(json_t *list);
/** @return the last part of a ColumnRef's name and in *table the part before it; "" where there is none. */
const char *tree_column(json_t *column_ref, const char **table);
/** @return the name of a function called with these many arguments (SIZE_MAX = any), or NULL. */
const char *tree_call(json_t *node, size_t arguments);
/** @return argument i of a FuncCall node or NULL. */
json_t *tree_argument(json_t *node, size_t i);
/**
 * Writes an expression of columns, constants, operators and calls as text, columns by their last name.
 * @param column  gets the first ColumnRef in it
 * @return 1 if it is one and not longer than 200 bytes.
 */
int tree_expression(json_t *node, strbuf *out, json_t **column);
/**
 * Parses the first statement of the SQL.
 * @param why  gets the parser's message on failure
 * @return its node, the caller's; NULL on failure or without memory.
 */
json_t *tree_parse(const char *sql, strbuf *why);
/** The statement inside PREPARE, EXPLAIN, COPY, DECLARE, CREATE TABLE AS, CREATE VIEW. */
json_t *tree_unwrap(json_t *statement);

#endif
