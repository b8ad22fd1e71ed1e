/* SPDX-License-Identifier: MIT */
#include "catalog.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <predshard.h>

#include "tree.h"

void catalog_init(catalog *c) {
    memset(c, 0, sizeof *c);
    c->table_names.most = MOST_TABLES;
    c->column_names.most = MOST_COLUMNS;
}

void catalog_free(catalog *c) {
    names_free(&c->table_names);
    names_free(&c->column_names);
    free(c->tables);
    free(c->columns);
    memset(c, 0, sizeof *c);
}

/* Room for entry i of an array. */
static int reserve(void **array, uint32_t *room, uint32_t i, size_t size) {
    uint32_t wanted = *room ? *room : 16;
    void *grown;

    if (i < *room)
        return 1;
    while (wanted <= i)
        wanted *= 2;
    grown = realloc(*array, size * wanted);
    if (!grown)
        return 0;
    *array = grown;
    *room = wanted;
    return 1;
}

uint32_t catalog_table(catalog *c, const char *schema, const char *name) {
    char full[256];
    uint32_t before = c->table_names.count, i;
    int plain = !*schema || strcmp(schema, "public") == 0 || strcmp(schema, "default") == 0
        || strcmp(schema, c->database) == 0;

    full[0] = 0;
    if (!plain) {
        strncat(full, schema, 120);
        strcat(full, ".");
    }
    strncat(full, name, 120);
    if (!*name || !reserve((void **)&c->tables, &c->table_room, before, sizeof *c->tables))
        return NAMES_NONE;
    i = names_add(&c->table_names, full);
    c->bad |= c->table_names.bad;
    if (i != NAMES_NONE && i == before) {
        memset(&c->tables[i], 0, sizeof *c->tables);
        c->tables[i].name = c->table_names.name[i];
        c->tables[i].time_column = c->tables[i].id = NAMES_NONE;
    }
    return i;
}

/* The key of a column: names may hold any character but this one, in practice. */
static int column_key(uint32_t table, const char *name, char key[300]) {
    size_t n = strlen(name), at = 0;

    if (n == 0 || n > 255)
        return 0;
    for (; table; table >>= 4)
        key[at++] = (char)('a' + (table & 15));
    key[at++] = '\1';
    memcpy(key + at, name, n + 1);
    return 1;
}

uint32_t catalog_find(const catalog *c, uint32_t table, const char *name) {
    char key[300];

    return column_key(table, name, key) ? names_find(&c->column_names, key) : NAMES_NONE;
}

uint32_t catalog_column(catalog *c, uint32_t table, const char *name) {
    char key[300];
    uint32_t before = c->column_names.count, i;

    if (table == NAMES_NONE || !column_key(table, name, key)
        || !reserve((void **)&c->columns, &c->column_room, before, sizeof *c->columns))
        return NAMES_NONE;
    i = names_add(&c->column_names, key);
    c->bad |= c->column_names.bad;
    if (i != NAMES_NONE && i == before) {
        memset(&c->columns[i], 0, sizeof *c->columns);
        c->columns[i].name = strchr(c->column_names.name[i], '\1') + 1;
        c->columns[i].table = table;
        c->columns[i].index = NAMES_NONE;
    }
    return i;
}

static int begins(const char *s, const char *const *starts) {
    for (; *starts; starts++)
        if (strncasecmp(s, *starts, strlen(*starts)) == 0)
            return 1;
    return 0;
}

static uint32_t type_of(const char *name) {
    static const char *const times[] = { "timestamp", "date", "datetime", NULL };
    static const char *const whole[] = { "int", "uint", "bigint", "smallint", "serial", "bigserial", "tinyint",
        "mediumint", NULL };
    static const char *const broken[] = { "float", "double", "real", "numeric", "decimal", NULL };

    if (begins(name, times))
        return PSH_TYPE_TIMESTAMP;
    if (begins(name, whole))
        return strncasecmp(name, "interval", 8) == 0 ? PSH_TYPE_TEXT : PSH_TYPE_INT64;
    if (begins(name, broken))
        return PSH_TYPE_DOUBLE;
    return strncasecmp(name, "bool", 4) == 0 ? PSH_TYPE_BOOL : PSH_TYPE_TEXT;
}

void catalog_declare(catalog *c, json_t *create) {
    json_t *relation = tree_get(create, "relation"), *item, *definition;
    uint32_t table = catalog_table(c, tree_text(relation, "schemaname"), tree_text(relation, "relname")), i;
    size_t k;

    json_array_foreach(tree_get(create, "tableElts"), k, item) {
        definition = tree_node(item, "ColumnDef");
        i = definition ? catalog_column(c, table, tree_text(definition, "colname")) : NAMES_NONE;
        if (i != NAMES_NONE)
            c->columns[i].declared = type_of(tree_last_name(tree_get(tree_get(definition, "typeName"), "names")));
    }
}

/* Words that hardly name anything else; total_time and the like are durations. */
static int named_as_time(const char *name) {
    static const char *const words[] = { "ts", "time", "day", "created", "updated", "event_time", "start_time",
        "end_time", NULL };
    static const char *const ends[] = { "timestamp", "datetime", "_at", "_ts", "date", NULL };
    size_t n = strlen(name), k, i;

    for (i = 0; words[i]; i++)
        if (strcasecmp(name, words[i]) == 0)
            return 1;
    for (i = 0; ends[i]; i++) {
        k = strlen(ends[i]);
        if (n >= k && strcasecmp(name + n - k, ends[i]) == 0)
            return 1;
    }
    return 0;
}

static uint32_t settle(const column_entry *x) {
    if (x->declared)
        return x->declared;
    if ((x->seen & SEEN_TIME) && !(x->seen & (SEEN_INT | SEEN_FLOAT | SEEN_BOOL)))
        return PSH_TYPE_TIMESTAMP;
    if (x->seen & SEEN_TEXT)
        return PSH_TYPE_TEXT;
    if (x->seen & SEEN_FLOAT)
        return PSH_TYPE_DOUBLE;
    if (x->seen & SEEN_INT)
        return PSH_TYPE_INT64;
    if (x->seen & SEEN_SUMMED)
        return PSH_TYPE_DOUBLE;
    if (x->seen & SEEN_BOOL)
        return PSH_TYPE_BOOL;
    return !x->seen && !x->derived && named_as_time(x->name) ? PSH_TYPE_TIMESTAMP : PSH_TYPE_TEXT;
}

/* Of two columns that hold times: the one that statements cut by, the one with a usual name, the first. */
static int better(const column_entry *x, const column_entry *than) {
    if (x->ranged != than->ranged)
        return x->ranged > than->ranged;
    return named_as_time(x->name) > named_as_time(than->name);
}

static int choose(catalog *c, const char *text, failure *f) {
    const char *dot = strrchr(text, '.');
    char table_name[256];
    uint32_t t = NAMES_NONE, i = NAMES_NONE;

    if (dot && (size_t)(dot - text) < sizeof table_name) {
        memcpy(table_name, text, (size_t)(dot - text));
        table_name[dot - text] = 0;
        t = names_find(&c->table_names, table_name);
        i = t == NAMES_NONE ? NAMES_NONE : catalog_find(c, t, dot + 1);
    }
    if (i == NAMES_NONE)
        return fail(f, EXIT_USAGE,
            "--time-column %.100s: no statement names it: write TABLE.COLUMN as the list of columns "
            "shows it", text);
    c->columns[i].type = PSH_TYPE_TIMESTAMP;
    c->tables[t].time_column = i;
    return EXIT_DONE;
}

int catalog_types(catalog *c, char *const *chosen, size_t chosen_count, failure *f) {
    uint32_t i, *at;
    size_t k;

    for (i = 0; i < c->column_names.count; i++)
        c->columns[i].type = settle(&c->columns[i]);
    for (k = 0; k < chosen_count; k++)
        if (choose(c, chosen[k], f))
            return f->code;
    for (i = 0; i < c->column_names.count; i++) {
        if (c->columns[i].type != PSH_TYPE_TIMESTAMP || c->columns[i].derived)
            continue;
        at = &c->tables[c->columns[i].table].time_column;
        for (k = 0; k < chosen_count && *at != NAMES_NONE; k++)
            if (strncmp(chosen[k], c->tables[c->columns[i].table].name,
                strlen(c->tables[c->columns[i].table].name)) == 0)
                break;
        if (k < chosen_count && *at != NAMES_NONE)
            continue;
        if (*at == NAMES_NONE || better(&c->columns[i], &c->columns[*at]))
            *at = i;
    }
    return EXIT_DONE;
}

const char *catalog_type_name(uint32_t type) {
    static const char *const type_names[] = { "unknown", "int64", "double", "decimal", "bool", "timestamp", "text",
        "bytes" };

    return type < sizeof type_names / sizeof *type_names ? type_names[type] : "unknown";
}
