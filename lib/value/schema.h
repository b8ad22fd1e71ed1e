/* SPDX-License-Identifier: MIT */
/** @file value/schema.h  The schema from inside. */
#ifndef PSHI_VALUE_SCHEMA_H
#define PSHI_VALUE_SCHEMA_H

#include <predshard/schema.h>

/** As psh_table_spec, with plain arrays. */
typedef struct pshi_table {
    const char *name;
    const psh_column_spec *columns; /* Shape [column_count] */
    size_t column_count;
    const uint32_t *key_columns; /* Shape [key_count] */
    size_t key_count;
    uint32_t tenant_column; /* or PSH_NONE */
    uint32_t time_column;
    int64_t interval_ns;
    int64_t interval_origin;
} pshi_table;

psh_env *pshi_schema_env(const psh_schema *s);
/** @return the table, borrowed, or NULL if there is none. */
const pshi_table *pshi_schema_get_table(const psh_schema *s, uint32_t table);

#endif
