/* SPDX-License-Identifier: MIT */
/** @file nab_data.h  The benchmark's files: `timestamp,value` tables, plain or .xz, and windows as JSON. */
#ifndef BENCH_NAB_DATA_H
#define BENCH_NAB_DATA_H

#include <stdint.h>

#include "nab_score.h"

typedef struct nab_file {
    char *name;      /**< category/file.csv */
    int64_t *time;   /**< Shape [n], seconds since 1970 */
    double *value;   /**< Shape [n] */
    double *score;   /**< Shape [n], zeroed */
    nab_window *windows;
    nab_series series; /**< points into the above */
} nab_file;

typedef struct nab_set {
    nab_file *files; /**< by name */
    size_t count;
    size_t absent;   /**< named among the windows, but not in the folder */
} nab_set;

/**
 * Every file of the windows that is in dir, or in its subfolder data.
 * @return 1, or 0 with a message on stderr. Free it in both cases.
 */
int nab_load(const char *dir, const char *windows, nab_set *out);
void nab_free(nab_set *s);
/** Standard, low FP, low FN from a file of the benchmark's profiles. @return 1, or 0 with a message. */
int nab_load_profiles(const char *path, nab_profile out[3]);

#endif
