/* SPDX-License-Identifier: MIT */
#include "logs_inside.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <predshard.h>

#include "clock.h"

#define LOOK_LINES 200

static const char *const format_names[FORMATS] = { "auto", "pg-csv", "pg-json", "pg-stderr", "pg-stat-statements",
    "mysql-slow", "mysql-general", "clickhouse-tsv", "clickhouse-json" };

const char *format_name(uint32_t format) {
    return format < FORMATS ? format_names[format] : "unknown";
}

uint32_t format_of(const char *name) {
    uint32_t i;

    for (i = 1; i < FORMATS; i++)
        if (strcmp(name, format_names[i]) == 0)
            return i;
    return FORMAT_AUTO;
}

int format_dialect(uint32_t format) {
    if (format == FORMAT_MYSQL_SLOW || format == FORMAT_MYSQL_GENERAL)
        return DIALECT_MYSQL;
    return format == FORMAT_CLICKHOUSE_TSV || format == FORMAT_CLICKHOUSE_JSON ? DIALECT_CLICKHOUSE
        : DIALECT_POSTGRES;
}

static int is_date(const char *s) {
    int64_t t;

    return strlen(s) >= 10 && clock_read(s, 10, &t, NULL);
}

static size_t count_of(const char *s, char c) {
    size_t n = 0;

    for (; *s; s++)
        n += *s == c;
    return n;
}

static int has_word(const char *line, const char *word, const char *marks) {
    size_t n = strlen(word);
    const char *s;

    for (s = strstr(line, word); s; s = strstr(s + 1, word))
        if ((s == line || strchr(marks, s[-1])) && (!s[n] || strchr(marks, s[n])))
            return 1;
    return 0;
}

static int is_stderr(const char *line) {
    return strstr(line, " LOG:  ") || strstr(line, " ERROR:  ") || strncmp(line, "LOG:  ", 6) == 0
        || strstr(line, " FATAL:  ");
}

static uint32_t format_of_line(const char *line, uint64_t number) {
    if (line[0] == '{')
        return strstr(line, "\"query_duration_ms\"") || strstr(line, "\"event_time\"") ? FORMAT_CLICKHOUSE_JSON
            : strstr(line, "\"error_severity\"") ? FORMAT_PG_JSON : FORMAT_AUTO;
    if (number == 1 && has_word(line, "query", "\t") && (has_word(line, "event_time", "\t")
        || has_word(line, "type", "\t")))
        return FORMAT_CLICKHOUSE_TSV;
    if (number == 1 && has_word(line, "query", ",\"") && has_word(line, "calls", ",\""))
        return FORMAT_PG_STATEMENTS;
    if (strncmp(line, "# Time:", 7) == 0 || strncmp(line, "# User@Host:", 12) == 0)
        return FORMAT_MYSQL_SLOW;
    if (is_date(line) && count_of(line, ',') >= 11 && !is_stderr(line))
        return FORMAT_PG_CSV;
    if (mysql_general_entry(line))
        return FORMAT_MYSQL_GENERAL;
    return is_stderr(line) ? FORMAT_PG_STDERR : FORMAT_AUTO;
}

/* Looks at the first lines with a reader of its own. */
static int detect(const char *path, uint32_t *out, failure *f) {
    input *in;
    char *line;
    int i;

    if (input_open_long(path, MOST_RECORD, &in, f))
        return f->code;
    *out = FORMAT_AUTO;
    for (i = 0; i < LOOK_LINES && !*out; i++) {
        if (input_line(in, &line, f) || !line)
            break;
        *out = format_of_line(line, input_number(in));
    }
    input_close(in);
    if (!*out)
        fail(f, EXIT_BAD_INPUT,
            "%s: line 1: no known query log in its first %d lines: name the format with --format", path, i);
    return f->code;
}

int logs_open(const char *path, uint32_t format, logs **out, failure *f) {
    logs *l;

    *out = NULL;
    if (!format && detect(path, &format, f))
        return f->code;
    l = calloc(1, sizeof *l);
    if (!l)
        return fail_memory(f);
    l->format = format;
    l->time = PSH_TIME_NONE;
    l->columns.most = MOST_FIELDS;
    l->session = format == FORMAT_MYSQL_GENERAL ? calloc(SESSIONS, sizeof *l->session) : NULL;
    if (format == FORMAT_MYSQL_GENERAL && !l->session)
        fail_memory(f);
    else
        input_open_long(path, MOST_RECORD, &l->in, f);
    if (f->code == EXIT_DONE)
        *out = l;
    else
        logs_close(l);
    return f->code;
}

void logs_close(logs *l) {
    size_t i;

    if (!l)
        return;
    input_close(l->in);
    free(l->kept);
    free(l->session);
    text_free(&l->body);
    text_free(&l->head);
    for (i = 0; i < sizeof l->hold / sizeof *l->hold; i++)
        text_free(&l->hold[i]);
    json_decref(l->object);
    names_free(&l->columns);
    free(l);
}

int logs_line(logs *l, char **line, failure *f) {
    if (l->line) {
        *line = l->line;
        l->line = NULL;
        return EXIT_DONE;
    }
    return input_line(l->in, line, f);
}

int logs_back(logs *l, const char *line, failure *f) {
    size_t size = strlen(line) + 1;

    if (line != l->kept && size > l->kept_room) {
        char *kept = realloc(l->kept, 2 * size);

        if (!kept)
            return fail_memory(f);
        l->kept = kept;
        l->kept_room = 2 * size;
    }
    if (line != l->kept)
        memcpy(l->kept, line, size);
    l->line = l->kept;
    return EXIT_DONE;
}

void record_init(record *r, const logs *l) {
    memset(r, 0, sizeof *r);
    r->time = PSH_TIME_NONE;
    r->duration_ns = r->rows = r->bytes = r->examined = -1;
    r->calls = 1;
    r->line = input_number(l->in);
    r->sql = r->parameters = r->user = r->database = r->client = r->application = "";
}

int64_t logs_time(logs *l, const char *s) {
    int64_t t;
    int zone;

    if (!clock_read(s, strlen(s), &t, &zone))
        return PSH_TIME_NONE;
    l->odd_zone |= zone;
    return t;
}

static int too_long(const logs *l, failure *f) {
    return fail(f, EXIT_BAD_INPUT,
        "%s: line %" PRIu64 ": a record of more than %zu bytes begins before it: a quote is "
        "missing, or --format is wrong", input_path(l->in), input_number(l->in), MOST_RECORD);
}

static void cut_csv(logs *l) {
    char *from = l->body.data, *to;

    for (l->fields = 0; l->fields < MOST_FIELDS && from; l->fields++) {
        l->field[l->fields] = to = from;
        if (*from == '"') {
            for (from++; *from && (*from != '"' || from[1] == '"'); from++) {
                from += *from == '"';
                *to++ = *from;
            }
            from = strchr(from, ',');
            *to = 0;
        } else {
            from = strchr(from, ',');
        }
        if (from)
            *from++ = 0;
    }
}

int logs_csv(logs *l, int *got, failure *f) {
    size_t quotes = 0;
    char *line;

    text_clear(&l->body);
    for (*got = 0;;) {
        if (logs_line(l, &line, f) || !line)
            break;
        quotes += count_of(line, '"');
        text_put(&l->body, line);
        *got = 1;
        if (quotes % 2 == 0)
            break;
        text_put(&l->body, "\n");
        if (l->body.size > MOST_RECORD)
            return too_long(l, f);
    }
    if (l->body.bad)
        return fail_memory(f);
    if (*got)
        cut_csv(l);
    return f->code;
}

int logs_columns(logs *l, failure *f) {
    size_t i;

    for (i = 0; i < l->fields; i++)
        names_add(&l->columns, l->field[i]);
    if (l->columns.bad)
        return fail_memory(f);
    if (names_find(&l->columns, "query") == NAMES_NONE || l->columns.count != l->fields)
        return fail(f, EXIT_BAD_INPUT,
            "%s: line 1: no header that names each column once, with a column query: write the "
            "dump with a header", input_path(l->in));
    return EXIT_DONE;
}

const char *logs_named(const logs *l, const char *column) {
    uint32_t i = names_find(&l->columns, column);

    return i < l->fields ? l->field[i] : "";
}

int logs_object(logs *l, char *line) {
    char *s;

    json_decref(l->object);
    l->object = json_loads(line, JSON_ALLOW_NUL, NULL);
    if (!l->object) { /* ClickHouse writes addresses as they are */
        for (s = line; *s; s++)
            if ((unsigned char)*s >= 0x80)
                *s = '?';
        l->object = json_loads(line, JSON_ALLOW_NUL, NULL);
    }
    if (json_is_object(l->object))
        return 1;
    l->skipped += *line != 0;
    return 0;
}

int logs_next(logs *l, record *out, int *got, failure *f) {
    static int (*const next[FORMATS])(logs *, record *, int *, failure *) = { NULL, pg_csv_next, pg_json_next,
        pg_stderr_next, pg_statements_next, mysql_slow_next, mysql_general_next, clickhouse_tsv_next,
        clickhouse_json_next };
    const char *s;

    do {
        if (next[l->format](l, out, got, f) || !*got)
            return f->code;
        for (s = out->sql; isspace((unsigned char)*s) || *s == ';'; s++)
            ;
    } while (!*s); /* an empty statement asks nothing */
    return EXIT_DONE;
}

uint32_t logs_format(const logs *l) {
    return l->format;
}

const char *logs_path(const logs *l) {
    return input_path(l->in);
}

double logs_progress(const logs *l) {
    return input_progress(l->in);
}

uint64_t logs_skipped(const logs *l) {
    return l->skipped;
}

int logs_odd_zone(const logs *l) {
    return l->odd_zone;
}
