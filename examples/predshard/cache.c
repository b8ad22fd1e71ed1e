/* SPDX-License-Identifier: MIT */
#include "cache.h"

#include <stdlib.h>
#include <string.h>

static cache_entry *slot_for(cache_entry *entries, size_t capacity, const digest *key) {
    size_t i = key->a & (capacity - 1);

    while (entries[i].executed && !digest_equal(&entries[i].key, key))
        i = (i + 1) & (capacity - 1);
    return &entries[i];
}

cache_entry *cache_find(cache *c, const digest *key) {
    cache_entry *e;

    if (c->capacity == 0)
        return NULL;
    e = slot_for(c->entries, c->capacity, key);
    return e->executed ? e : NULL;
}

static int cache_grow(cache *c) {
    size_t capacity = c->capacity ? c->capacity * 2 : 1024, i;
    cache_entry *entries;

    if (capacity > 2 * (size_t)CACHE_MAX_ENTRIES)
        return 0;
    entries = calloc(capacity, sizeof *entries);
    if (!entries)
        return 0;
    for (i = 0; i < c->capacity; i++)
        if (c->entries[i].executed)
            *slot_for(entries, capacity, &c->entries[i].key) = c->entries[i];
    free(c->entries);
    c->entries = entries;
    c->capacity = capacity;
    return 1;
}

cache_entry *cache_add(cache *c, const digest *key) {
    cache_entry *e;

    if (c->count >= c->capacity / 2 && !cache_grow(c))
        return NULL;
    e = slot_for(c->entries, c->capacity, key);
    memset(e, 0, sizeof *e);
    e->key = *key;
    c->count++;
    return e;
}

void cache_clear(cache *c) {
    if (c->entries)
        memset(c->entries, 0, c->capacity * sizeof *c->entries);
    c->count = 0;
}

void cache_free(cache *c) {
    free(c->entries);
    memset(c, 0, sizeof *c);
}

void cache_sample(cache_entry *e, int64_t service_ns) {
    e->service_ns[e->executed % CACHE_SAMPLES] = service_ns;
    e->executed++;
}

int64_t cache_median(const cache_entry *e) {
    const int64_t *x = e->service_ns;
    int64_t low, high;

    if (e->executed < CACHE_SAMPLES)
        return x[0];
    low = x[0] < x[1] ? x[0] : x[1];
    high = x[0] < x[1] ? x[1] : x[0];
    return x[2] < low ? low : x[2] > high ? high : x[2];
}

static size_t position(const versions *v, uint64_t id) {
    size_t low = 0, high = v->count, middle;

    while (low < high) {
        middle = (low + high) / 2;
        if (v->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t versions_get(const versions *v, uint64_t id) {
    size_t i = position(v, id);

    return i < v->count && v->ids[i] == id ? v->numbers[i] : 0;
}

static int versions_grow(versions *v) {
    size_t capacity = v->capacity ? v->capacity * 2 : 64;
    uint64_t *ids = realloc(v->ids, capacity * sizeof *ids);
    uint64_t *numbers;

    if (!ids)
        return 0;
    v->ids = ids;
    numbers = realloc(v->numbers, capacity * sizeof *numbers);
    if (!numbers)
        return 0;
    v->numbers = numbers;
    v->capacity = capacity;
    return 1;
}

int versions_set(versions *v, uint64_t id, uint64_t number) {
    size_t i = position(v, id);

    if (i < v->count && v->ids[i] == id) {
        v->numbers[i] = number;
        return 1;
    }
    if (v->count == v->capacity && !versions_grow(v))
        return 0;
    memmove(v->ids + i + 1, v->ids + i, (v->count - i) * sizeof *v->ids);
    memmove(v->numbers + i + 1, v->numbers + i, (v->count - i) * sizeof *v->numbers);
    v->ids[i] = id;
    v->numbers[i] = number;
    v->count++;
    return 1;
}

void versions_free(versions *v) {
    free(v->ids);
    free(v->numbers);
    memset(v, 0, sizeof *v);
}
