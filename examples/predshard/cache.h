/* SPDX-License-Identifier: MIT */
/**
 * @file cache.h  Statements that ran on tables unchanged since: what they answered and took.
 *
 * A quarter of a million queries ask the same few thousand statements. One that only reads base tables and
 * finds all of them as they were is executed --repeats times for real, then its answer's digest is taken from
 * here and its service time is the median of the real ones. Views are never cached.
 */
#ifndef TOOL_CACHE_H
#define TOOL_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "digest.h"

#define CACHE_SAMPLES 3
#define CACHE_MAX_ENTRIES (1u << 19)

typedef struct cache_entry {
    digest key;        /**< of the statement and the versions of its tables */
    digest answer;
    uint64_t rows;     /**< of the answer */
    uint64_t bytes;
    uint64_t steps;
    int64_t service_ns[CACHE_SAMPLES];
    uint32_t executed; /**< times really executed; 0 = free slot */
    uint32_t reserved;
} cache_entry;

/** Zero it before use. Cleared at the end of each day: what was asked then is not asked again. */
typedef struct cache {
    cache_entry *entries;
    size_t capacity;   /**< a power of two, or 0 */
    size_t count;
} cache;

/** @return the entry or NULL. */
cache_entry *cache_find(cache *c, const digest *key);
/** An empty entry for the key, which must not be there. @return NULL when full or short of memory: do without. */
cache_entry *cache_add(cache *c, const digest *key);
void cache_clear(cache *c);
void cache_free(cache *c);
/** Adds one real execution. */
void cache_sample(cache_entry *e, int64_t service_ns);
int64_t cache_median(const cache_entry *e);

/** Last change of each partition's table, by a counter. Zero it before use. */
typedef struct versions {
    uint64_t *ids;     /**< ascending */
    uint64_t *numbers;
    size_t count;
    size_t capacity;
} versions;

uint64_t versions_get(const versions *v, uint64_t id);
/** @return 1, or 0 when memory is short. */
int versions_set(versions *v, uint64_t id, uint64_t number);
void versions_free(versions *v);

#endif
