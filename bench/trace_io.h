/* SPDX-License-Identifier: MIT */
/** @file trace_io.h  Storage traces: which block or object was asked for, one after the other. */
#ifndef BENCH_TRACE_IO_H
#define BENCH_TRACE_IO_H

#include <stddef.h>
#include <stdint.h>

typedef struct trace {
    size_t keys;
    uint64_t *key;    /**< Shape [keys], distinct, ascending */
    size_t accesses;
    uint32_t *access; /**< Shape [accesses]: index of the key */
} trace;

/**
 * @param path    plain or .xz. A bad file ends the bench.
 * @param format  "arc": lines of start block, count and more, each block of it one access; "u32be", "u32le": 4
 *                bytes an access; "csv": the first field of a line, a number. NULL: arc for names with ".lis", csv
 *                for ".csv", else u32be.
 */
void trace_read(const char *path, const char *format, trace *out);
void trace_free(trace *t);

#endif
