/* SPDX-License-Identifier: MIT */
/** @file check.h  What a check found. */
#ifndef TOOL_MAP_CHECK_H
#define TOOL_MAP_CHECK_H

#include <stdio.h>

#include <jansson.h>

#include "sight.h"

typedef struct check {
    sight *s;
    FILE *to;
    json_t *findings; /* NULL: no JSON is asked for; borrowed, as the two below */
    json_t *notes;
    json_t *fine;
    size_t finding_count;
    size_t note_count;
} check;

#if defined(__GNUC__)
#define CHECK_FORMAT(n) __attribute__((format(printf, n, n + 1)))
#else
#define CHECK_FORMAT(n)
#endif

/** Something is wrong; `advice` says what to do. */
CHECK_FORMAT(4)
void check_found(check *c, const char *area, const char *advice, const char *format, ...);
/** Not wrong, but to be known. */
CHECK_FORMAT(3)
void check_noted(check *c, const char *area, const char *format, ...);
/** This was looked at, and is as it should be. */
CHECK_FORMAT(3)
void check_fine(check *c, const char *area, const char *format, ...);

/** check_tables.c: the current world against the tables of the database. */
void check_tables(check *c);

#endif
