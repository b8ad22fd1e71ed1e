/* SPDX-License-Identifier: MIT */
#include "cells.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"

char cells_mark(const char *line) {
    static const char marks[] = { '\t', ';', ',' };
    size_t i;

    for (i = 0; i < sizeof marks; i++)
        if (strchr(line, marks[i]))
            return marks[i];
    return ',';
}

static char *trimmed(char *s) {
    char *end = s + strlen(s);

    while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = 0;
    while (*s == ' ' || *s == '\t')
        s++;
    return s;
}

/* Takes the quotes off in place. @return what follows the closing one. */
static char *unquote(char *s) {
    char *to = s, *from = s + 1;

    for (; *from; from++) {
        if (*from == '"' && from[1] != '"') {
            *to = 0;
            return from + 1;
        }
        if (*from == '"')
            from++;
        *to++ = *from;
    }
    *to = 0;
    return from;
}

int cells_cut(char *line, char mark, cells *out) {
    char *end;

    if ((unsigned char)line[0] == 0xef && (unsigned char)line[1] == 0xbb && (unsigned char)line[2] == 0xbf)
        line += 3; /* the byte order mark that some spreadsheets write */
    for (out->count = 0; line; line = end) {
        if (out->count == MAX_CELLS)
            return 0;
        out->cell[out->count] = line;
        end = line[0] == '"' ? unquote(line) : line;
        end = strchr(end, mark);
        if (end)
            *end++ = 0;
        out->cell[out->count] = trimmed(line);
        out->count++;
    }
    return 1;
}

int cell_number(const char *s, double *out) {
    char *end;

    if (!*s || isalpha((unsigned char)*s))
        return 0;
    *out = strtod(s, &end);
    return end != s && !*end;
}

int cell_absent(const char *s) {
    static const char *const words[] = { "", "nan", "na", "n/a", "null", "none", "-", "\\N" };
    size_t i;

    for (i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(s, words[i]) == 0)
            return 1;
    return 0;
}

static int is_time(const char *s) {
    int64_t t;

    return clock_read(s, strlen(s), &t, NULL);
}

static int is_named(const char *s, const char *const *names) {
    for (; *names; names++)
        if (strcasecmp(s, *names) == 0)
            return 1;
    return 0;
}

static const char *const time_names[] = { "time", "timestamp", "datetime", "date", "ds", "ts", "t", "epoch",
    "index",
    "second", "minute", "hour", "day", "week", "month", "quarter", "year", "period", "step", NULL };
static const char *const value_names[] = { "value", "y", "count", "cnt", "total", "requests", "load", "demand",
    NULL };
static const char *const key_names[] = { "key", "id", "unique_id", "series", "name", "item", "tenant", "metric",
    NULL };

static int find_named(const forecast_options *o, const char *option, const char *name, const cells *head,
    size_t *out,
    failure *f) {
    char *end;
    unsigned long number;
    size_t i;

    for (i = 0; i < head->count; i++)
        if (strcmp(head->cell[i], name) == 0) {
            *out = i;
            return EXIT_DONE;
        }
    number = strtoul(name, &end, 10);
    if (!*end && number >= 1 && number <= head->count) {
        *out = number - 1;
        return EXIT_DONE;
    }
    return fail(f, EXIT_USAGE,
        "--%s: %s has no column '%.60s': its first line has %zu columns, the first is '%.60s'", option,
        o->input, name, head->count, head->cell[0]);
}

/* A first line of words alone names the columns; empty cells say nothing. */
static int is_header(const cells *first) {
    double x;
    size_t i, words = 0;

    for (i = 0; i < first->count; i++) {
        if (cell_number(first->cell[i], &x) || is_time(first->cell[i]))
            return 0;
        words += !cell_absent(first->cell[i]);
    }
    return words > 0;
}

static size_t guess_time(const cells *head, const cells *sample, int header) {
    size_t i;

    for (i = 0; i < sample->count; i++)
        if (is_time(sample->cell[i]))
            return i;
    for (i = 0; header && i < head->count; i++)
        if (is_named(head->cell[i], time_names))
            return i;
    return NO_CELL;
}

/* The only column of numbers that is left, or the only one with a usual name. @return how many could be it. */
static size_t guess_value(const cells *head, const cells *sample, columns *c) {
    size_t i, numbers = 0, named = 0, number_at = NO_CELL, named_at = NO_CELL;
    double x;

    for (i = 0; i < sample->count && i < head->count; i++) {
        if (i == c->time || i == c->key || !(cell_number(sample->cell[i], &x) || cell_absent(sample->cell[i])))
            continue;
        numbers++;
        number_at = i;
        if (c->header && is_named(head->cell[i], value_names)) {
            named++;
            named_at = i;
        }
    }
    c->value = named == 1 ? named_at : number_at;
    return named == 1 ? 1 : numbers;
}

/* A column with a usual name, or the only one of words that is left. */
static size_t guess_key(const cells *head, const cells *sample, const columns *c) {
    size_t i, words = 0, at = NO_CELL;
    double x;

    for (i = 0; c->header && i < head->count; i++)
        if (i != c->time && i != c->value && is_named(head->cell[i], key_names))
            return i;
    for (i = 0; i < sample->count && i < head->count; i++)
        if (i != c->time && i != c->value && !cell_number(sample->cell[i], &x) && !cell_absent(sample->cell[i])) {
            words++;
            at = i;
        }
    return words == 1 ? at : NO_CELL;
}

static int take_named(const forecast_options *o, const cells *head, columns *out, failure *f) {
    if (o->time_column && find_named(o, "time-column", o->time_column, head, &out->time, f))
        return f->code;
    if (o->value_column && find_named(o, "value-column", o->value_column, head, &out->value, f))
        return f->code;
    if (o->key_column)
        find_named(o, "key-column", o->key_column, head, &out->key, f);
    return f->code;
}

int columns_find(const forecast_options *o, const cells *first, const cells *second, columns *out, failure *f) {
    const cells *sample;
    size_t found;

    out->time = out->value = out->key = NO_CELL;
    out->count = first->count;
    out->header = is_header(first);
    sample = out->header ? second : first;
    if (!sample)
        return fail(f, EXIT_BAD_INPUT, "%s: line 2: no row after the header: name a file with rows", o->input);
    if (take_named(o, first, out, f))
        return f->code;
    if (out->time == NO_CELL && first->count > 1)
        out->time = guess_time(first, sample, out->header);
    if (out->key == NO_CELL && out->header && !o->key_column)
        out->key = guess_key(first, sample, out);
    if (out->value != NO_CELL)
        return EXIT_DONE;
    found = guess_value(first, sample, out);
    if (found == 1)
        return EXIT_DONE;
    return fail(f, EXIT_USAGE, "%s: %s: name one with --value-column NAME (or its number from 1)", o->input,
        found ? "several columns could be the value" : "no column holds numbers");
}
