/* SPDX-License-Identifier: MIT */
/** @file logs_inside.h  What the readers of the formats share. */
#ifndef TOOL_LOGS_INSIDE_H
#define TOOL_LOGS_INSIDE_H

#include <jansson.h>

#include "input.h"
#include "logs.h"
#include "text.h"

#define MOST_RECORD ((size_t)16 << 20) /* bytes of one record */
#define MOST_FIELDS 256
#define SESSIONS 1024

typedef struct session {
    uint64_t id;
    char user[64];
    char host[64];
    char database[64];
} session;

struct logs {
    input *in;
    uint32_t format;
    char *line;      /* read but not used yet; NULL = none */
    char *kept;      /* memory of that line */
    size_t kept_room;
    strbuf body;       /* the record, its texts */
    strbuf head;       /* what stands beside the statement */
    strbuf hold[6];    /* user, database, client, application, parameters, one more */
    json_t *object;
    char *field[MOST_FIELDS];
    size_t fields;
    names columns;   /* of files with a header */
    int64_t time;    /* of the last line that had one */
    session *session; /* MySQL's general log: Shape [SESSIONS], by id */
    char use[64];    /* MySQL's slow log: the last `use` */
    uint64_t skipped;
    int odd_zone;
};

/** The next line, or the one put back; NULL at the end. */
int logs_line(logs *l, char **line, failure *f);
/** Gives the line once more to the next call. */
int logs_back(logs *l, const char *line, failure *f);
/** Sets all of the record to unknown. */
void record_init(record *r, const logs *l);
/** Reads a time; PSH_TIME_NONE if it is none. */
int64_t logs_time(logs *l, const char *s);
/** Cuts one CSV record, of one line or several, into fields. *got = 0 at the end. */
int logs_csv(logs *l, int *got, failure *f);
/** Reads a line of JSON into l->object; bytes that are no UTF-8 become '?'. @return 0 if it is none: skipped. */
int logs_object(logs *l, char *line);
/** @return the field of a named column, "" if there is none. */
const char *logs_named(const logs *l, const char *column);
/** Takes the first line, already cut into fields, as names of columns. */
int logs_columns(logs *l, failure *f);

int pg_csv_next(logs *l, record *r, int *got, failure *f);
int pg_json_next(logs *l, record *r, int *got, failure *f);
int pg_stderr_next(logs *l, record *r, int *got, failure *f);
int pg_statements_next(logs *l, record *r, int *got, failure *f);
int mysql_slow_next(logs *l, record *r, int *got, failure *f);
int mysql_general_next(logs *l, record *r, int *got, failure *f);
int clickhouse_tsv_next(logs *l, record *r, int *got, failure *f);
int clickhouse_json_next(logs *l, record *r, int *got, failure *f);
/** @return 1 if the line begins an entry of MySQL's general log. */
int mysql_general_entry(const char *line);

#endif
