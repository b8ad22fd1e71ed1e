/* SPDX-License-Identifier: MIT */
#include "nodes.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "saved.h"

#define MOST_NODES 65536u
#define COLUMNS 4

static int bad_node(const char *path, size_t i, const char *what, failure *f) {
    return fail(f, EXIT_BAD_INPUT, "%s: node %zu of the array: %s: write {\"node\":0,\"capacity\":100,"
        "\"free_bytes\":1e9,\"state\":\"up\"}", path, i, what);
}

static int state_of(const json_t *value, uint32_t *out) {
    static const char *const names[] = { "up", "standby", "leaving" };
    const char *text = value ? json_string_value(value) : "up";
    uint32_t i;

    for (i = 0; text && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = PSH_MAP_NODE_UP + i;
            return 1;
        }
    return 0;
}

static int take_node(const json_t *from, psh_map_node *to, const char *path, size_t i, failure *f) {
    const json_t *id = json_object_get(from, "node"), *room = json_object_get(from, "free_bytes");
    double bytes = room ? json_number_value(room) : 0;

    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= PSH_NONE)
        return bad_node(path, i, "node must be a whole number from 0", f);
    if (!json_is_number(json_object_get(from, "capacity")))
        return bad_node(path, i, "capacity must be a number", f);
    if ((room && !json_is_number(room)) || !(bytes >= 0 && bytes <= 9e18))
        return bad_node(path, i, "free_bytes must be a number from 0", f);
    if (!state_of(json_object_get(from, "state"), &to->state))
        return bad_node(path, i, "state must be up, standby or leaving", f);
    to->node = (uint32_t)json_integer_value(id);
    to->capacity = json_number_value(json_object_get(from, "capacity"));
    to->free_bytes = room ? (uint64_t)bytes : UINT64_MAX / 2;
    return EXIT_DONE;
}

static int tell_nodes(psh_map *map, const json_t *list, const char *path, failure *f) {
    psh_error err = { .struct_size = sizeof err };
    size_t n = json_array_size(list), i;
    psh_map_node *nodes;
    psh_status st;

    if (!json_is_array(list) || n > MOST_NODES)
        return fail(f, EXIT_BAD_INPUT, "%s: it must be an array of at most %u nodes", path, MOST_NODES);
    nodes = calloc(n + 1, sizeof *nodes);
    if (!nodes)
        return fail_memory(f);
    for (i = 0; i < n && take_node(json_array_get(list, i), &nodes[i], path, i, f) == EXIT_DONE; i++)
        ;
    st = f->code == EXIT_DONE ? psh_map_set_nodes(map, nodes, n, sizeof *nodes, &err) : PSH_OK;
    free(nodes);
    if (st == PSH_E_NOMEM)
        return fail_memory(f);
    return st == PSH_OK ? f->code : fail(f, EXIT_BAD_INPUT, "%s: %s: %s", path, err.field, err.text);
}

int nodes_read(psh_map *map, const char *path, failure *f) {
    json_error_t where;
    json_t *list;
    char *text;
    size_t size;

    if (saved_read(path, &text, &size, f)) {
        free(text);
        return f->code;
    }
    list = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    free(text);
    if (!list)
        return fail(f, EXIT_BAD_INPUT, "%s: line %d: no JSON: %s", path, where.line, where.text);
    tell_nodes(map, list, path, f);
    json_decref(list);
    return f->code;
}

static const char *const column_names[COLUMNS] = { "partition", "reads_per_s", "writes_per_s", "latency_us" };

/* Cuts the next cell of a line out. @return NULL behind the last. */
static char *next_cell(char **line) {
    char *cell = *line, *comma;

    if (!cell)
        return NULL;
    comma = strchr(cell, ',');
    *line = comma ? comma + 1 : NULL;
    if (comma)
        *comma = 0;
    return cell;
}

/* Which cell of a line is which column; -1: there is none. */
static int take_header(char *line, int at[COLUMNS], const char *path, failure *f) {
    char *cell;
    int i, c;

    for (c = 0; c < COLUMNS; c++)
        at[c] = -1;
    for (i = 0; (cell = next_cell(&line)) != NULL; i++) {
        for (c = 0; c < COLUMNS && strcmp(cell, column_names[c]) != 0; c++)
            ;
        if (c == COLUMNS || at[c] >= 0)
            return fail(f, EXIT_BAD_INPUT, "%s: line 1: column '%.40s' is unknown or there twice: the columns are "
                "partition,reads_per_s,writes_per_s and perhaps latency_us", path, cell);
        at[c] = i;
    }
    for (c = 0; c + 1 < COLUMNS; c++)
        if (at[c] < 0)
            return fail(f, EXIT_BAD_INPUT, "%s: line 1: column %s is missing", path, column_names[c]);
    return EXIT_DONE;
}

static int take_number(const char *cell, double *out) {
    char *end;

    *out = strtod(cell, &end);
    return end != cell && !*end && isfinite(*out) && *out >= 0;
}

static int take_load(
    psh_map *map, char *line, const int at[COLUMNS], size_t number, const char *path, int64_t now, failure *f) {
    psh_partition_load load = { .struct_size = sizeof load, .rows = UINT64_MAX, .bytes = UINT64_MAX };
    double *values[COLUMNS] = { NULL, &load.reads_per_s, &load.writes_per_s, &load.latency_us };
    uint64_t id = 0;
    char *cell, *end;
    int i, c;

    for (i = 0; (cell = next_cell(&line)) != NULL; i++)
        for (c = 0; c < COLUMNS; c++) {
            if (at[c] != i)
                continue;
            errno = 0;
            end = cell;
            if (c == 0)
                id = strtoull(cell, &end, 0);
            if (c == 0 ? errno || end == cell || *end : !take_number(cell, values[c]))
                return fail(f, EXIT_BAD_INPUT, "%s: line %zu: %s: '%.40s' is no %s", path, number, column_names[c],
                    cell, c ? "number from 0" : "id: predshard map show --partitions lists them");
        }
    if (psh_map_observe_load(map, id, &load, now) == PSH_OK)
        return EXIT_DONE;
    return fail(f, EXIT_BAD_INPUT, "%s: line %zu: the map has no such partition: predshard map show --partitions "
        "lists them", path, number);
}

int loads_read(psh_map *map, const char *path, int64_t now, failure *f) {
    size_t size, number = 0, n;
    char *text, *line, *next;
    int at[COLUMNS];

    saved_read(path, &text, &size, f);
    for (line = text; line && *line && f->code == EXIT_DONE; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        n = strlen(line);
        if (n && line[n - 1] == '\r')
            line[n - 1] = 0;
        if (number++ == 0)
            take_header(line, at, path, f);
        else if (*line)
            take_load(map, line, at, number, path, now, f);
    }
    if (!number && f->code == EXIT_DONE)
        fail(f, EXIT_BAD_INPUT, "%s: it is empty: it takes a header and lines", path);
    free(text);
    return f->code;
}
