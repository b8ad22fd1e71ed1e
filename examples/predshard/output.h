/* SPDX-License-Identifier: MIT */
/** @file output.h  Files that a command writes, and JSON values put together with one error to look at. */
#ifndef TOOL_OUTPUT_H
#define TOOL_OUTPUT_H

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "fail.h"

/** Work of minutes must not end at a file that could not be written from the start. path may be NULL or "-". */
int output_check(const char *option, const char *path, failure *f);
/** @return the file, stdout for "-", or NULL with f set. */
FILE *output_open(const char *path, failure *f);
/** Flushes and closes, stdout is kept open. @return EXIT_DONE, EXIT_NO_OUTPUT. */
int output_close(FILE *file, const char *path, failure *f);
/** Writes one line of JSON. @return EXIT_DONE, EXIT_NO_OUTPUT. */
int output_json(json_t *result, const char *path, failure *f);
/** Writes an HTML page around a result (report.h). @return EXIT_DONE, EXIT_NO_OUTPUT, EXIT_INTERNAL. */
int output_page(const char *page, json_t *result, const char *path, failure *f);

/* Each takes `value` over; one that could not be made is short memory, told in f. Not finite numbers are null. */
void put(json_t *to, const char *key, json_t *value, failure *f);
void push(json_t *to, json_t *value, failure *f);
void put_count(json_t *to, const char *key, uint64_t value, failure *f);
void put_number(json_t *to, const char *key, double value, failure *f);
/** NULL is null; bytes that are not UTF-8 become '?'. */
void put_text(json_t *to, const char *key, const char *value, failure *f);
json_t *text_value(const char *value);
json_t *number_value(double value);
/** A time as ISO 8601 in UTC, null for PSH_TIME_NONE. */
json_t *time_value(int64_t t);

#endif
