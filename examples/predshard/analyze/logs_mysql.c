/* SPDX-License-Identifier: MIT */
/* MySQL and MariaDB: slow query log and general query log (MySQL manual, sections 5.4.3 and 5.4.5). */
#include "logs_inside.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <predshard.h>

#include "clock.h"

/* "261121  0:19:47", in this century, or an ISO time. */
static int64_t read_stamp(logs *l, const char *s, size_t *used) {
    int year, month, day, hour, minute, second, n = 0;
    char iso[32], copy[40];
    size_t i;

    if (sscanf(s, "%2d%2d%2d %2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second, &n) == 6 && n > 0) {
        snprintf(iso, sizeof iso, "20%02d-%02d-%02d %02d:%02d:%02d", year % 100, month % 100, day % 100, hour % 100,
            minute % 100, second % 100);
        *used = (size_t)n;
        return logs_time(l, iso);
    }
    for (i = 0; i < sizeof copy - 1 && s[i] && !isspace((unsigned char)s[i]); i++)
        copy[i] = s[i];
    copy[i] = 0;
    *used = i;
    return logs_time(l, copy);
}

static int64_t number_after(const char *line, const char *mark, double unit) {
    const char *s = strstr(line, mark);
    double x = s ? strtod(s + strlen(mark), NULL) : -1;

    return x >= 0 && x * unit < 9e18 ? (int64_t)(x * unit) : -1;
}

static void between(strbuf *to, const char *from, const char *until) {
    text_clear(to);
    if (from && until && until > from)
        text_add(to, from, (size_t)(until - from));
}

/* "# User@Host: root[root] @ localhost []" */
static void read_user(logs *l, const char *line) {
    const char *s = line + 12, *open = strchr(s, '['), *at = strstr(s, " @ ");

    while (*s == ' ')
        s++;
    between(&l->hold[0], s, open);
    if (!at)
        return;
    at += 3;
    between(&l->hold[2], at, at + strcspn(at, " ["));
    if (l->hold[2].size == 0 && (open = strchr(at, '[')) != NULL)
        between(&l->hold[2], open + 1, strchr(open, ']'));
}

static void read_schema(logs *l, const char *line) {
    const char *s = strstr(line, "Schema: ");

    if (s) {
        s += 8;
        between(&l->hold[1], s, s + strcspn(s, " "));
    }
}

static int is_header(const char *line) {
    return strncmp(line, "# Time:", 7) == 0 || strncmp(line, "# User@Host:", 12) == 0;
}

static void read_header(logs *l, const char *line, record *r) {
    size_t used;
    int64_t x;

    if (strncmp(line, "# Time:", 7) == 0) {
        for (line += 7; *line == ' '; line++)
            ;
        x = read_stamp(l, line, &used);
        l->time = x != PSH_TIME_NONE ? x : l->time;
        return;
    }
    if (strncmp(line, "# User@Host:", 12) == 0)
        read_user(l, line);
    read_schema(l, line);
    if ((x = number_after(line, "Query_time: ", 1e9)) >= 0)
        r->duration_ns = x;
    if ((x = number_after(line, "Rows_sent: ", 1)) >= 0)
        r->rows = x;
    if ((x = number_after(line, "Rows_examined: ", 1)) >= 0)
        r->examined = x;
    if ((x = number_after(line, "Rows_affected: ", 1)) > 0)
        r->rows = x;
    if ((x = number_after(line, "Bytes_sent: ", 1)) >= 0)
        r->bytes = x;
}

/* "SET timestamp=1795220387;" and "use `d`;" are the log's own. @return 1 if the line was one. */
static int own_line(logs *l, const char *line, record *r) {
    double at;
    size_t n;

    if (strncmp(line, "SET timestamp=", 14) == 0) {
        at = strtod(line + 14, NULL);
        if (at > 0 && at < 9e9)
            r->time = (int64_t)(at * 1e6) * 1000;
        return 1;
    }
    if (strncmp(line, "use ", 4) != 0)
        return 0;
    line += 4 + (line[4] == '`');
    n = strcspn(line, "`;");
    n = n < sizeof l->use ? n : sizeof l->use - 1;
    memcpy(l->use, line, n);
    l->use[n] = 0;
    return 1;
}

static int is_banner(const char *line) {
    return strncmp(line, "Tcp port:", 9) == 0 || (strncmp(line, "Time", 4) == 0 && strstr(line, "Command")) ||
        (strstr(line, ", Version: ") && strstr(line, "started with:"));
}

/* The statement up to the next header. */
static int take_statement(logs *l, record *r, failure *f) {
    char *line;

    while (logs_line(l, &line, f) == EXIT_DONE && line) {
        if (is_header(line) && l->body.size)
            return logs_back(l, line, f);
        if (line[0] == '#' && l->body.size == 0)
            read_header(l, line, r);
        else if (!is_banner(line) && (l->body.size || !own_line(l, line, r))
            && strncmp(line, "# administrator", 15) != 0) {
            text_put(&l->body, line);
            text_put(&l->body, "\n");
        }
        if (l->body.bad || l->body.size > MOST_RECORD)
            break;
    }
    return l->body.bad ? fail_memory(f) : f->code;
}

int mysql_slow_next(logs *l, record *r, int *got, failure *f) {
    record_init(r, l);
    text_clear(&l->body);
    text_clear(&l->hold[0]);
    text_clear(&l->hold[1]);
    text_clear(&l->hold[2]);
    if (take_statement(l, r, f))
        return f->code;
    *got = l->body.size > 0;
    r->line = input_number(l->in);
    if (r->time == PSH_TIME_NONE && l->time != PSH_TIME_NONE)
        r->time = r->duration_ns > 0 ? l->time - r->duration_ns : l->time;
    r->sql = text_of(&l->body);
    r->user = text_of(&l->hold[0]);
    r->client = text_of(&l->hold[2]);
    r->database = l->hold[1].size ? text_of(&l->hold[1]) : l->use;
    return EXIT_DONE;
}

/* Past the time, at "    4 Query\t..."; NULL if the line is no entry. */
static const char *entry_in(logs *l, const char *line, uint64_t *id) {
    const char *s = line;
    size_t used = 0;
    int64_t t;
    char *end;

    if (isdigit((unsigned char)*s)) {
        t = read_stamp(l, s, &used);
        if (t == PSH_TIME_NONE)
            return NULL;
        l->time = t;
        s += used;
        if (*s != '\t')
            return NULL;
    } else if (s[0] != '\t' || s[1] != '\t') {
        return NULL;
    }
    while (*s == '\t' || *s == ' ')
        s++;
    *id = strtoull(s, &end, 10);
    if (end == s || *end != ' ' || !isupper((unsigned char)end[1]))
        return NULL;
    return end + 1;
}

int mysql_general_entry(const char *line) {
    logs l = { 0 };
    uint64_t id;
    const char *s = entry_in(&l, line, &id);

    return s && (strncmp(s, "Query\t", 6) == 0 || strncmp(s, "Connect\t", 8) == 0 || strncmp(s, "Execute\t", 8) == 0
        || strncmp(s, "Quit", 4) == 0 || strncmp(s, "Prepare\t", 8) == 0 || strncmp(s, "Init DB\t", 8) == 0);
}

static void copy_word(char *to, size_t room, const char *from, size_t n) {
    n = n < room ? n : room - 1;
    memcpy(to, from, n);
    to[n] = 0;
}

/* "root@localhost on d using Socket" */
static void connect_to(session *s, uint64_t id, const char *text) {
    const char *at = strchr(text, '@'), *on = strstr(text, " on ");

    memset(s, 0, sizeof *s);
    s->id = id;
    if (!at)
        return;
    copy_word(s->user, sizeof s->user, text, (size_t)(at - text));
    copy_word(s->host, sizeof s->host, at + 1, strcspn(at + 1, " "));
    if (on)
        copy_word(s->database, sizeof s->database, on + 4, strcspn(on + 4, " "));
}

/* The lines after an entry that are none belong to it. */
static int take_lines(logs *l, const char *first, failure *f) {
    char *line;
    uint64_t id;
    int64_t time = l->time;

    text_clear(&l->body);
    text_put(&l->body, first);
    while (logs_line(l, &line, f) == EXIT_DONE && line) {
        if (entry_in(l, line, &id) || is_banner(line)) {
            l->time = time;
            return logs_back(l, line, f);
        }
        text_put(&l->body, "\n");
        text_put(&l->body, line);
        if (l->body.size > MOST_RECORD)
            break;
    }
    return l->body.bad ? fail_memory(f) : f->code;
}

int mysql_general_next(logs *l, record *r, int *got, failure *f) {
    const char *s;
    char *line;
    uint64_t id = 0;
    session *who;

    for (;;) {
        *got = 0;
        if (logs_line(l, &line, f) || !line)
            return f->code;
        s = entry_in(l, line, &id);
        if (!s)
            continue;
        who = &l->session[id % SESSIONS];
        if (strncmp(s, "Connect\t", 8) == 0)
            connect_to(who, id, s + 8);
        else if (strncmp(s, "Init DB\t", 8) == 0 && who->id == id)
            copy_word(who->database, sizeof who->database, s + 8, strlen(s + 8));
        else if (strncmp(s, "Query\t", 6) == 0 || strncmp(s, "Execute\t", 8) == 0)
            break;
    }
    if (take_lines(l, strchr(s, '\t') + 1, f))
        return f->code;
    record_init(r, l);
    *got = 1;
    r->time = l->time;
    r->sql = text_of(&l->body);
    if (who->id == id) {
        r->user = who->user;
        r->client = who->host;
        r->database = who->database;
    }
    return EXIT_DONE;
}
