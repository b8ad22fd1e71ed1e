/* SPDX-License-Identifier: MIT */
/** @file loads_io.h  Hourly loads of many keys out of a table with a row a key and hour, or a row an event. */
#ifndef BENCH_LOADS_IO_H
#define BENCH_LOADS_IO_H

#include <stddef.h>
#include <stdint.h>

typedef struct loads {
    size_t keys;
    size_t hours;
    int64_t start;    /**< of hour 0, ns since 1970 */
    char **key;       /**< Shape [keys], in the order of their first rows */
    uint64_t *tenant; /**< Shape [keys], bench_tenant of them */
    float *cell;      /**< Shape [keys][hours]; a row's value counts in the hour of its time; absent = 0 */
    size_t *first;    /**< Shape [keys], the first hour that is not 0; hours where there is none */
} loads;

/**
 * @param value  NULL: each row counts 1. Else its values, >= 0, add up.
 */
void loads_read(const char *path, const char *time, const char *key, const char *value, loads *out);
void loads_free(loads *l);
/** @return its load in an hour. */
double loads_at(const loads *l, size_t key, size_t hour);
/** @return share of hours in which the key had any load. */
double loads_active(const loads *l, size_t key);

#endif
