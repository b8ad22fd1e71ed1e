/* SPDX-License-Identifier: MIT */
/* ClickHouse: system.query_log as TabSeparatedWithNames (with types or not) and JSONEachRow. */
#include "logs_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <predshard.h>

/* A field by name in either form; numbers of JSON as text in a buffer of the caller. */
static const char *value_of(const logs *l, const char *name, char number[32]) {
    json_t *v;

    if (l->format == FORMAT_CLICKHOUSE_TSV)
        return logs_named(l, name);
    v = json_object_get(l->object, name);
    if (json_is_string(v))
        return json_string_value(v);
    number[0] = 0;
    if (json_is_number(v))
        snprintf(number, 32, "%.17g", json_number_value(v));
    return number;
}

static int64_t count_in(const logs *l, const char *name) {
    char number[32];
    const char *s = value_of(l, name, number);
    char *end;
    double x = strtod(s, &end);

    return end != s && x >= 0 && x < 9e18 ? (int64_t)x : -1;
}

static const char *text_in(const logs *l, const char *name) {
    char number[32];
    const char *s = value_of(l, name, number);

    return s == number ? "" : s;
}

/* The kind of event: starts are told again at their end. @return 0: no execution; 1: ran; 2: failed. */
static int event_of(const logs *l) {
    char number[32];
    const char *type = value_of(l, "type", number);

    if (strcmp(type, "2") == 0 || strcmp(type, "QueryFinish") == 0)
        return 1;
    if (strcmp(type, "3") == 0 || strcmp(type, "4") == 0 || strncmp(type, "Exception", 9) == 0)
        return 2;
    return !*type;
}

static int64_t time_of(logs *l) {
    static const char *const columns[] = { "query_start_time_microseconds", "query_start_time", "event_time" };
    size_t i;
    int64_t t;

    for (i = 0; i < sizeof columns / sizeof *columns; i++)
        if ((t = logs_time(l, text_in(l, columns[i]))) != PSH_TIME_NONE)
            return t;
    return PSH_TIME_NONE;
}

/* @return 1 if it is a statement that a client sent and that ended. */
static int read_event(logs *l, record *r) {
    int event = event_of(l);
    int64_t ms = count_in(l, "query_duration_ms"), written;

    record_init(r, l);
    if (!event || count_in(l, "is_initial_query") == 0)
        return 0;
    r->failed = event == 2;
    r->time = time_of(l);
    r->duration_ns = ms < 0 || ms > INT64_C(9000000000000) ? -1 : ms * 1000000;
    r->rows = count_in(l, "result_rows");
    written = count_in(l, "written_rows");
    if (written > 0)
        r->rows = written;
    r->bytes = count_in(l, "result_bytes");
    r->examined = count_in(l, "read_rows");
    r->sql = text_in(l, "query");
    r->user = text_in(l, "user");
    r->database = text_in(l, "current_database");
    r->client = text_in(l, "client_hostname");
    r->application = text_in(l, "client_name");
    return 1;
}

int clickhouse_json_next(logs *l, record *r, int *got, failure *f) {
    char *line;

    for (;;) {
        *got = 0;
        if (logs_line(l, &line, f) || !line)
            return f->code;
        if (!logs_object(l, line))
            continue;
        *got = 1;
        if (read_event(l, r))
            return EXIT_DONE;
    }
}

/* \t, \n, \\, \' and the like; \N alone is NULL. */
static void unescape(char *s) {
    char *to = s;

    if (strcmp(s, "\\N") == 0)
        s = to + 2;
    for (; *s; s++) {
        if (*s == '\\' && s[1]) {
            s++;
            *to++ = (char)(*s == 'n' ? '\n' : *s == 't' ? '\t' : *s == 'r' ? '\r' : strchr("bf0", *s) ? ' ' : *s);
        } else {
            *to++ = *s;
        }
    }
    *to = 0;
}

static int cut_tabs(logs *l, const char *line, failure *f) {
    char *s, *next;

    text_clear(&l->body);
    text_put(&l->body, line);
    if (l->body.bad)
        return fail_memory(f);
    for (l->fields = 0, s = l->body.data; s && l->fields < MOST_FIELDS; s = next) {
        next = strchr(s, '\t');
        if (next)
            *next++ = 0;
        unescape(s);
        l->field[l->fields++] = s;
    }
    return EXIT_DONE;
}

int clickhouse_tsv_next(logs *l, record *r, int *got, failure *f) {
    char *line;

    for (;;) {
        *got = 0;
        if (logs_line(l, &line, f) || !line || cut_tabs(l, line, f))
            return f->code;
        if (l->columns.count == 0) {
            if (logs_columns(l, f))
                return f->code;
            continue;
        }
        if (l->fields != l->columns.count) {
            l->skipped++;
            continue;
        }
        if (strcmp(logs_named(l, "query"), "String") == 0)
            continue; /* the line of types */
        *got = 1;
        if (read_event(l, r))
            return EXIT_DONE;
    }
}
