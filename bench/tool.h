/* SPDX-License-Identifier: MIT */
/** @file tool.h  What a bench with a command line needs: options, figures, and how it ends. */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <predshard.h>

#include <stddef.h>
#include <stdint.h>

/* Exit codes, as sysexits.h numbers them where it has one. */
#define BENCH_USAGE 2      /**< the command line is wrong */
#define BENCH_BAD_INPUT 65 /**< a file is not what it should be; the line is named */
#define BENCH_NO_INPUT 66  /**< a file is missing or cannot be read */
#define BENCH_INTERNAL 70  /**< the library or the memory failed */
#define BENCH_NO_OUTPUT 73 /**< the page cannot be written */

#if defined(__GNUC__)
#define BENCH_DIES(at) __attribute__((noreturn, format(printf, at, at + 1)))
#define BENCH_FORMAT(at) __attribute__((format(printf, at, at + 1)))
#else
#define BENCH_DIES(at)
#define BENCH_FORMAT(at)
#endif

/** One line on stderr, then exit(code). */
BENCH_DIES(2) void bench_die(int code, const char *format, ...);
/** One line on stderr. */
BENCH_FORMAT(1) void bench_say(const char *format, ...);
/** Ends the bench where status is an error. err may be NULL. */
void bench_must(psh_status status, const char *what, const psh_error *err);
/** @return n * size zero bytes, at least one; ends the bench where there are none. free gives them back. */
void *bench_alloc(size_t n, size_t size);
/** Doubles a list that is full: holds need + 1 elements after it. */
void *bench_grow(void *list, size_t *cap, size_t need, size_t size);
/** @return a copy, to be freed. */
char *bench_copy(const char *text);
/** @return seconds of a clock that only goes on. */
double bench_now(void);
/** One figure on stdout: aligned, or with --tsv as name, value, unit, note between tabs. */
void bench_figure(const char *name, double value, const char *unit, const char *note);
/** The same, the name made from a format of one text, e.g. "peer_%s_fit_ms"; blanks in it become '_'. */
void bench_figure_of(const char *format, const char *of, double value, const char *unit, const char *note);
/** splitmix64. @return the next of a stream that its seed alone decides. */
uint64_t bench_random(uint64_t *state);
/** @return a number in [0, 1). */
double bench_uniform(uint64_t *state);

#define BENCH_TEXT 1  /**< const char * */
#define BENCH_COUNT 2 /**< uint32_t, 0..2^32-1 */
#define BENCH_REAL 3  /**< double, finite */
#define BENCH_FLAG 4  /**< int, set to 1; takes no value */
#define BENCH_WORDS 5 /**< const char *: like TEXT, for what stands without a name, in order; "" as name */

typedef struct bench_option {
    const char *name; /**< e.g. "--train" */
    int kind;         /**< BENCH_* */
    void *to;
    int needed;       /**< 1: the command is wrong without it */
} bench_option;

/**
 * Reads argv[1..]; --tsv is known to all, --help prints usage and ends with 0. Anything unknown, a missing value or
 * a bad number ends the bench with BENCH_USAGE.
 */
void bench_args(int argc, char **argv, const char *usage, const bench_option *options, size_t n);

#endif
