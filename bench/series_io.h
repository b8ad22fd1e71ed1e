/* SPDX-License-Identifier: MIT */
/** @file series_io.h  Series and tables out of text files, .xz or plain. A bad file ends the bench. */
#ifndef BENCH_SERIES_IO_H
#define BENCH_SERIES_IO_H

#include <stddef.h>
#include <stdint.h>

/** One file, whole, cut into lines and fields in place. */
typedef struct table {
    const char *path;
    char *text;
    char *at;        /**< where the next line begins */
    size_t line;     /**< number of the line last read, from 1 */
    char separator;
    char **field;    /**< Shape [fields], of the line last read; quotes are taken off */
    size_t fields;
    size_t field_cap;
    char **name;     /**< Shape [names], of the header */
    size_t names;
} table;

/** Opens a file, decoding .xz by its first bytes. separator ' ' means any run of blanks. */
void table_open(table *t, const char *path, char separator);
void table_close(table *t);
/** The next line that is neither empty nor begins with #. @return 0 at the end. */
int table_next(table *t);
/** Reads the first line as names. */
void table_header(table *t);
/** @return the column's index; ends the bench if it is not there. */
size_t table_column(const table *t, const char *name);
/** @return the text of a field; ends the bench if the line has not as many. */
const char *table_text(const table *t, size_t column);
/** @return the number in a field, finite; ends the bench if it is none. */
double table_number(const table *t, size_t column);
/** @return the time in a field, as time_read; ends the bench if it is none. */
int64_t table_time(const table *t, size_t column);

/**
 * 2001-01-31, 2001-01-31 07, 2001-01-31 07:30, 2001-01-31T07:30:15.5Z, 1/31/2001 (month first), 1/31/2001 7:30, or
 * a whole number: seconds since 1970, from 10^11 on milliseconds. No time zones.
 * @param out  ns since 1970. @return 1, or 0 if it is no time.
 */
int time_read(const char *text, int64_t *out);

typedef struct series {
    char *id;
    uint32_t period;  /**< 0 = not said */
    uint32_t horizon; /**< 0 = not said */
    size_t n;
    double *v;        /**< Shape [n] */
} series;

typedef struct series_set {
    series *list;
    size_t n;
    size_t cap;
} series_set;

/** Lines `id,v1,v2,...`; empty fields end a series; a first line without numbers is a header. */
void series_read_csv(const char *path, series_set *out);
/** Lines `id period horizon n values...`: n of training, then horizon more. */
void series_read_m3(const char *path, series_set *out);
/** One series a line, an id before it or none; empty fields before and behind are cut, inside they are 0. */
void series_read_rows(const char *path, series_set *out);
/** @return the series of that id, or NULL. */
const series *series_find(const series_set *set, const char *id);
void series_free(series_set *set);

#endif
