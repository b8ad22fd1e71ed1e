/* SPDX-License-Identifier: MIT */
/** @file requests_io.h  One load, minute by minute, out of a table. A bad file ends the bench. */
#ifndef BENCH_REQUESTS_IO_H
#define BENCH_REQUESTS_IO_H

#include <stddef.h>
#include <stdint.h>

typedef struct requests {
    int64_t start;    /**< of minute 0, ns since 1970, a multiple of the step asked for */
    size_t minutes;   /**< whole steps: a last one that is cut short is left out */
    double *count;    /**< Shape [minutes]; absent = 0; a row of a longer spacing is spread over its minutes */
    uint32_t spacing; /**< minutes between rows: the greatest that divides all their distances, at most a day */
} requests;

/**
 * Two columns, time and count, a header or none. A time is a text as time_read takes it, or a whole number: minutes
 * since 1970 below 10^8, else as time_read.
 * @param step  minutes of a step, > 0
 */
void requests_read(const char *path, uint32_t step, requests *out);
void requests_free(requests *r);
/** A time as in the first column, of any field of a table; ends the bench if it is none. */
int64_t requests_time(const char *text, const char *path, size_t line);

#endif
