/* SPDX-License-Identifier: MIT */
/** @file catalog.h  The tables and columns that statements name, and what their use says about types. */
#ifndef TOOL_CATALOG_H
#define TOOL_CATALOG_H

#include <jansson.h>

#include "fail.h"
#include "text.h"

#define MOST_TABLES 1000   /**< the library takes 1024 */
#define MOST_COLUMNS 16384

/* What was seen of a column's type. */
#define SEEN_INT 1u
#define SEEN_FLOAT 2u
#define SEEN_TEXT 4u
#define SEEN_TIME 8u    /**< compared with a time, or cut into hours, days */
#define SEEN_BOOL 16u
#define SEEN_SUMMED 32u
#define SEEN_NULL 64u
#define SEEN_WHOLE 128u /**< declared as a whole number, which no time is */

typedef struct column_entry {
    const char *name;   /**< borrowed */
    uint32_t table;
    uint32_t seen;      /**< SEEN_* */
    uint32_t type;      /**< PSH_TYPE_*, once catalog_types ran */
    uint32_t declared;  /**< PSH_TYPE_* by CREATE TABLE; 0 = none */
    uint32_t ranged;    /**< statements that compare it with a time */
    uint32_t index;     /**< in the library's table; NAMES_NONE = not there */
    int derived;        /**< 1: an expression over columns */
    double output, filter, group, order, join; /**< calls by role */
} column_entry;

typedef struct table_entry {
    const char *name;   /**< borrowed */
    uint32_t time_column; /**< index of a column or NAMES_NONE */
    uint32_t id;        /**< the library's; NAMES_NONE = not there */
    double reads;       /**< calls */
    double writes;
    double total_ns;
} table_entry;

typedef struct catalog {
    names table_names;
    names column_names; /**< "table\1column" */
    table_entry *tables;      /**< Shape [table_names.count] */
    column_entry *columns;    /**< Shape [column_names.count] */
    uint32_t table_room;
    uint32_t column_room;
    int bad;            /**< memory was short */
    char database[128]; /**< the current one: its name before a table says nothing */
} catalog;

void catalog_init(catalog *c);
void catalog_free(catalog *c);
/** @return the table's number or NAMES_NONE. */
uint32_t catalog_table(catalog *c, const char *schema, const char *name);
/** @return the column's number, made if need be, or NAMES_NONE. */
uint32_t catalog_column(catalog *c, uint32_t table, const char *name);
/** @return the column's number or NAMES_NONE. */
uint32_t catalog_find(const catalog *c, uint32_t table, const char *name);
/** Takes the types of a CreateStmt. */
void catalog_declare(catalog *c, json_t *create);
/**
 * Settles every column's type and every table's time column.
 * @param chosen  "TABLE.COLUMN" for tables whose time column is said, Shape [chosen_count]
 * @return EXIT_DONE, EXIT_USAGE (no such column).
 */
int catalog_types(catalog *c, char *const *chosen, size_t chosen_count, failure *f);
/** @return "int64", "timestamp"... of PSH_TYPE_*. */
const char *catalog_type_name(uint32_t type);

#endif
