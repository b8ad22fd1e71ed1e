/* SPDX-License-Identifier: MIT */
/* PostgreSQL: csvlog, jsonlog, stderr log and pg_stat_statements (its manual, sections 20.8 and F.32). */
#include "logs_inside.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <predshard.h>

#define CSV_LEAST_FIELDS 20

/* One entry of the log, whatever form it was written in. */
typedef struct entry {
    const char *time;
    const char *severity;
    const char *message;
    const char *detail;
    const char *query; /* of an error */
} entry;

static const char *after(const char *s, const char *start) {
    size_t n = strlen(start);

    return strncmp(s, start, n) == 0 ? s + n : NULL;
}

/* "statement: SQL" or "execute NAME: SQL"; parse, bind and plans are not executions. */
static const char *statement_in(const char *s) {
    const char *sql = after(s, "statement: "), *name;

    if (sql)
        return sql;
    name = after(s, "execute ");
    sql = name ? strstr(name, ": ") : NULL;
    return sql ? sql + 2 : NULL;
}

/* @return 1 if the entry is a statement that ran, or failed. */
static int read_entry(logs *l, const entry *e, record *r) {
    const char *s = after(e->message, "duration: "), *sql;
    char *end;
    double ms;

    r->time = logs_time(l, e->time);
    if (s) {
        ms = strtod(s, &end);
        if (end == s || !(ms >= 0 && ms < 1e12) || strncmp(end, " ms  ", 5) != 0)
            return 0;
        sql = statement_in(end + 5);
        r->duration_ns = (int64_t)(ms * 1e6);
        if (r->time != PSH_TIME_NONE)
            r->time -= r->duration_ns; /* it is logged when it has ended */
    } else if (strcmp(e->severity, "ERROR") == 0 || strcmp(e->severity, "FATAL") == 0) {
        sql = e->query && *e->query ? e->query : NULL;
        r->failed = 1;
    } else {
        sql = statement_in(e->message);
    }
    if (!sql)
        return 0;
    r->sql = sql;
    s = e->detail ? strstr(e->detail, "arameters: ") : NULL; /* "Parameters: " from version 16 on */
    if (s)
        r->parameters = s + 11;
    return 1;
}

int pg_csv_next(logs *l, record *r, int *got, failure *f) {
    entry e;

    for (;;) {
        if (logs_csv(l, got, f) || !*got)
            return f->code;
        record_init(r, l);
        if (l->fields < CSV_LEAST_FIELDS) {
            l->skipped++;
            continue;
        }
        e = (entry){ l->field[0], l->field[11], l->field[13], l->field[14], l->field[19] };
        r->user = l->field[1];
        r->database = l->field[2];
        l->field[4][strcspn(l->field[4], ":")] = 0; /* the port is another one each time */
        r->client = l->field[4];
        r->application = l->fields > 22 ? l->field[22] : "";
        if (read_entry(l, &e, r))
            return EXIT_DONE;
    }
}

static const char *member(const logs *l, const char *name) {
    const char *s = json_string_value(json_object_get(l->object, name));

    return s ? s : "";
}

int pg_json_next(logs *l, record *r, int *got, failure *f) {
    char *line;
    entry e;

    for (;;) {
        *got = 0;
        if (logs_line(l, &line, f) || !line)
            return f->code;
        if (!logs_object(l, line))
            continue;
        record_init(r, l);
        e = (entry){ member(l, "timestamp"), member(l, "error_severity"), member(l, "message"), member(l, "detail"),
            member(l, "statement") };
        r->user = member(l, "user");
        r->database = member(l, "dbname");
        r->client = member(l, "remote_host");
        r->application = member(l, "application_name");
        *got = 1;
        if (read_entry(l, &e, r))
            return EXIT_DONE;
    }
}

/* Where "LOG:  " and the like stands, outside of the prefix. */
static char *severity_in(char *line, const char **severity) {
    static const char *const words[] = { "LOG", "ERROR", "FATAL", "DETAIL", "STATEMENT", "HINT", "CONTEXT",
        "WARNING",
        "NOTICE", "PANIC" };
    char mark[16], *found, *first = NULL;
    size_t i;

    for (i = 0; i < sizeof words / sizeof *words; i++) {
        strcpy(mark, words[i]);
        strcat(mark, ":  ");
        found = strstr(line, mark);
        if (found && (found == line || found[-1] == ' ' || found[-1] == ']') && (!first || found < first)) {
            first = found;
            *severity = words[i];
        }
    }
    return first;
}

static void keep(strbuf *to, const char *from, size_t n) {
    text_clear(to);
    text_add(to, from, n);
}

/* "user@database application" somewhere in the prefix, as log_line_prefix often has it. */
static void read_prefix(logs *l, const char *prefix, size_t n) {
    const char *at = memchr(prefix, '@', n), *from, *until, *end = prefix + n;
    size_t i;

    for (i = 0; i < 4; i++)
        text_clear(&l->hold[i]);
    for (i = n < 40 ? n : 40; i >= 10; i--) {
        keep(&l->hold[5], prefix, i);
        l->time = logs_time(l, text_of(&l->hold[5]));
        if (l->time != PSH_TIME_NONE)
            break;
    }
    if (!at)
        return;
    for (from = at; from > prefix && !strchr(" [,=", from[-1]); from--)
        ;
    for (until = at + 1; until < end && !strchr(" ],", *until); until++)
        ;
    keep(&l->hold[0], from, (size_t)(at - from));
    keep(&l->hold[1], at + 1, (size_t)(until - at - 1));
    while (until < end && *until == ' ')
        until++;
    while (end > until && end[-1] == ' ')
        end--;
    keep(&l->hold[3], until, (size_t)(end - until));
}

/* The message after its mark and the lines after it, which begin with a tab. */
static int take_message(logs *l, const char *message, strbuf *to, failure *f) {
    char *line;

    text_clear(to);
    text_put(to, message);
    while (logs_line(l, &line, f) == EXIT_DONE && line && line[0] == '\t') {
        text_put(to, "\n");
        text_put(to, line + 1);
        if (to->size > MOST_RECORD)
            break;
    }
    if (line && f->code == EXIT_DONE)
        logs_back(l, line, f);
    return to->bad ? fail_memory(f) : f->code;
}

/* What follows an entry and belongs to it: its detail, the statement of an error. */
static int take_rest(logs *l, failure *f) {
    const char *severity;
    char *line, *mark;

    text_clear(&l->hold[4]);
    text_clear(&l->head);
    while (logs_line(l, &line, f) == EXIT_DONE && line) {
        mark = severity_in(line, &severity);
        if (mark && strcmp(severity, "DETAIL") == 0)
            take_message(l, mark + 9, &l->hold[4], f);
        else if (mark && strcmp(severity, "STATEMENT") == 0)
            take_message(l, mark + 12, &l->head, f);
        else if (!mark || (strcmp(severity, "HINT") != 0 && strcmp(severity, "CONTEXT") != 0))
            return logs_back(l, line, f);
        if (f->code != EXIT_DONE)
            break;
    }
    return f->code;
}

int pg_stderr_next(logs *l, record *r, int *got, failure *f) {
    const char *severity = "";
    char *line, *mark;
    entry e;

    for (;;) {
        *got = 0;
        if (logs_line(l, &line, f) || !line)
            return f->code;
        mark = severity_in(line, &severity);
        if (!mark)
            continue;
        read_prefix(l, line, (size_t)(mark - line));
        if (take_message(l, mark + strlen(severity) + 3, &l->body, f) || take_rest(l, f))
            return f->code;
        record_init(r, l);
        e = (entry){ text_of(&l->hold[5]), severity, text_of(&l->body), text_of(&l->hold[4]), text_of(&l->head) };
        r->user = text_of(&l->hold[0]);
        r->database = text_of(&l->hold[1]);
        r->application = text_of(&l->hold[3]);
        *got = 1;
        if (read_entry(l, &e, r))
            return EXIT_DONE;
    }
}

static double named_number(const logs *l, const char *name, const char *other) {
    const char *s = logs_named(l, name);
    char *end;
    double x;

    if (!*s)
        s = logs_named(l, other);
    x = strtod(s, &end);
    return end != s && x >= 0 && x < 1e15 ? x : -1;
}

int pg_statements_next(logs *l, record *r, int *got, failure *f) {
    double ms;

    if (l->columns.count == 0 && (logs_csv(l, got, f) || logs_columns(l, f)))
        return f->code;
    for (;;) {
        if (logs_csv(l, got, f) || !*got)
            return f->code;
        record_init(r, l);
        r->calls = named_number(l, "calls", "calls");
        if (l->fields == l->columns.count && r->calls > 0)
            break;
        l->skipped++;
    }
    ms = named_number(l, "total_exec_time", "total_time"); /* its name up to version 12 */
    r->duration_ns = ms < 0 || ms > 9e12 ? -1 : (int64_t)(ms * 1e6);
    r->rows = (int64_t)named_number(l, "rows", "rows");
    r->user = logs_named(l, "usename");
    r->database = logs_named(l, "datname");
    r->sql = logs_named(l, "query");
    return EXIT_DONE;
}
