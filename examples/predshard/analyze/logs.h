/* SPDX-License-Identifier: MIT */
/** @file logs.h  Query logs of several engines, read as one kind of record. */
#ifndef TOOL_LOGS_H
#define TOOL_LOGS_H

#include <stddef.h>
#include <stdint.h>

#include "fail.h"
#include "tokens.h"

#define FORMAT_AUTO 0
#define FORMAT_PG_CSV 1
#define FORMAT_PG_JSON 2
#define FORMAT_PG_STDERR 3
#define FORMAT_PG_STATEMENTS 4 /**< a CSV dump of pg_stat_statements: sums, no times */
#define FORMAT_MYSQL_SLOW 5
#define FORMAT_MYSQL_GENERAL 6
#define FORMAT_CLICKHOUSE_TSV 7
#define FORMAT_CLICKHOUSE_JSON 8
#define FORMATS 9

/** One statement that ran. Texts are borrowed until the next one; "" where unknown. */
typedef struct record {
    int64_t time;        /**< when it arrived; PSH_TIME_NONE = unknown */
    int64_t duration_ns; /**< of all calls; -1 = unknown */
    int64_t rows;        /**< of the answer, or written; -1 = unknown */
    int64_t bytes;       /**< of the answer; -1 = unknown */
    int64_t examined;    /**< rows that the engine read; -1 = unknown */
    double calls;        /**< 1, more in sums */
    uint64_t line;       /**< where it ends */
    int failed;
    const char *sql;
    const char *parameters; /**< PostgreSQL's "$1 = 'x', $2 = '7'" */
    const char *user;
    const char *database;
    const char *client;
    const char *application;
} record;

typedef struct logs logs;

/** @return the format's name as --format takes it. */
const char *format_name(uint32_t format);
/** @return the format, 0 for unknown names. */
uint32_t format_of(const char *name);
/** @return DIALECT_* of its statements. */
int format_dialect(uint32_t format);
/**
 * Opens a log and finds its format from its first lines, unless one is given.
 * @return EXIT_DONE, EXIT_NO_INPUT, EXIT_BAD_INPUT (no known format), EXIT_INTERNAL.
 */
int logs_open(const char *path, uint32_t format, logs **out, failure *f);
void logs_close(logs *l);
/** The next statement; *got = 0 at the end. @return EXIT_DONE, EXIT_NO_INPUT, EXIT_BAD_INPUT, EXIT_INTERNAL. */
int logs_next(logs *l, record *out, int *got, failure *f);
uint32_t logs_format(const logs *l);
const char *logs_path(const logs *l);
/** Share of the file that was read, 0..1. */
double logs_progress(const logs *l);
/** Lines or records that no statement could be read from although they look like one. */
uint64_t logs_skipped(const logs *l);
/** 1 if a time had a zone by name, which was read as UTC. */
int logs_odd_zone(const logs *l);

#endif
