/* SPDX-License-Identifier: MIT */
/** @file map.h  What the parts of the bench of the partition map share: runners, races, keys. */
#ifndef BENCH_MAP_H
#define BENCH_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "map_peers.h"

/** The command line of all parts. */
typedef struct map_options {
    const char *entries; /**< sizes, with commas between; NULL: the part's own */
    uint32_t rounds;
    uint32_t probes;     /**< lookups a round */
} map_options;

int bench_map_lookup(const map_options *o);
int bench_map_hash(const map_options *o);
int bench_map_publish(const map_options *o);
int bench_map_readers(const map_options *o);

/**
 * The sizes asked for. Bad text ends the bench.
 * @param sizes  Shape [8]
 * @return how many
 */
size_t map_sizes(const map_options *o, const char *fallback, uint32_t sizes[8]);

/** One contestant in one discipline. */
typedef struct map_runner {
    const char *name;
    void *self;
    map_run run;
    int ours;            /**< 1: no ratio is printed against it */
} map_runner;

#define MAP_RUNNERS 16 /* at most in one race */

/**
 * Runs all in turn, `rounds` times, and prints `PREFIX_NAME_ns` for each, CPU time a key, the median of the rounds,
 * and `PREFIX_ours_over_NAME`, the median of the rounds' ratios of the first to this one. Where `same` is set,
 * all must return the same sum, or the bench ends.
 * @return ns of the first, the median
 */
double map_race(
    const char *prefix, const map_runner *r, size_t count, const void *keys, size_t n, uint32_t rounds, int same);
/** @return seconds of CPU that the thread has had: what others on the machine do counts less. */
double map_cpu_now(void);
/** The middle of n values, which are put in order. */
double map_median(double *x, size_t n);
/** A figure whose name is made from a format; value printed where finite. */
void map_figure(const char *prefix, const char *name, double value, const char *unit, const char *note);
/** Keeps a result alive. */
void map_keep(uint64_t x);

#define MAP_UNIFORM 0    /**< boundaries are random numbers */
#define MAP_CROWDED 1    /**< in 16 clusters of 2^32 keys */
#define MAP_SEQUENTIAL 2 /**< every 4,096th number */

/** n ascending boundaries, the first 0; to be freed. */
uint64_t *map_boundaries(int layout, uint32_t n);
/**
 * n + 1 keys, each within a range drawn evenly, or by Zipf's law (exponent 0.99) over shuffled ranges; to be freed.
 */
uint64_t *map_probes(const uint64_t *boundaries, uint32_t count, int zipf, uint32_t n);
/** Draws ranges as map_probes does. @return Shape [n], to be freed */
uint32_t *map_draw(uint32_t count, int zipf, uint32_t n);

#endif
