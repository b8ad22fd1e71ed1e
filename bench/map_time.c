/* SPDX-License-Identifier: MIT */
/* Races, medians, keys to look up. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "map.h"
#include "tool.h"

static volatile uint64_t kept;

void map_keep(uint64_t x) {
    kept += x;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double map_median(double *x, size_t n) {
    qsort(x, n, sizeof *x, by_value);
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

void map_figure(const char *prefix, const char *name, double value, const char *unit, const char *note) {
    char full[128];

    snprintf(full, sizeof full, "%s_%s", prefix, name);
    bench_figure(full, value, unit, note);
}

size_t map_sizes(const map_options *o, const char *fallback, uint32_t sizes[8]) {
    const char *text = o->entries ? o->entries : fallback;
    size_t n = 0;
    char *end;
    double x;

    for (; *text; text = *end ? end + 1 : end) {
        x = strtod(text, &end);
        if (end == text || (*end && *end != ',') || !(x >= 1) || x > 1e8 || x != floor(x) || n == 8)
            bench_die(BENCH_USAGE, "--entries: '%s' is no list of up to 8 sizes", text);
        sizes[n++] = (uint32_t)x;
    }
    return n;
}

double map_cpu_now(void) {
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* One turn of each, in order: once to fetch what the one before pushed out of the caches, once by the clock. */
static void run_round(const map_runner *r, size_t count, const void *keys, size_t n, int same, double *ns) {
    uint64_t sum, first = 0;
    double start;
    size_t i;

    for (i = 0; i < count; i++) {
        map_keep(r[i].run(r[i].self, keys, n));
        start = map_cpu_now();
        sum = r[i].run(r[i].self, keys, n);
        ns[i] = (map_cpu_now() - start) * 1e9 / (double)n;
        map_keep(sum);
        first = i ? first : sum;
        if (same && sum != first)
            bench_die(BENCH_INTERNAL, "%s finds other owners than %s", r[i].name, r[0].name);
    }
}

double map_race(
    const char *prefix, const map_runner *r, size_t count, const void *keys, size_t n, uint32_t rounds, int same) {
    double *ns = bench_alloc((size_t)rounds * count, sizeof *ns), *x = bench_alloc(rounds, sizeof *x);
    double first = 0, median;
    char name[64];
    uint32_t k;
    size_t i;

    for (k = 0; k < rounds; k++)
        run_round(r, count, keys, n, same, ns + k * count);
    for (i = 0; i < count; i++) {
        for (k = 0; k < rounds; k++)
            x[k] = ns[k * count + i];
        median = map_median(x, rounds);
        first = i ? first : median;
        snprintf(name, sizeof name, "%s_ns", r[i].name);
        map_figure(prefix, name, median, "ns", "");
    }
    for (i = 1; i < count; i++) {
        if (r[i].ours)
            continue;
        for (k = 0; k < rounds; k++)
            x[k] = ns[k * count] / ns[k * count + i];
        snprintf(name, sizeof name, "ours_over_%s", r[i].name);
        map_figure(prefix, name, map_median(x, rounds), "ratio", "below 1: ours is faster");
    }
    free(ns);
    free(x);
    return first;
}

/* ---- keys ---- */

static int by_key(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static uint64_t draw_key(int layout, uint32_t i, uint64_t *rng) {
    uint64_t x = bench_random(rng);

    if (layout == MAP_SEQUENTIAL)
        return (uint64_t)i << 12;
    if (layout == MAP_CROWDED)
        return (uint64_t)(i % 16) << 60 | UINT64_C(0x123456) << 32 | (x >> 32);
    return x >> 1 | 1; /* below 2^63: the last range is no wider than the others */
}

uint64_t *map_boundaries(int layout, uint32_t n) {
    uint64_t *keys = bench_alloc(n, sizeof *keys), rng = 11 + (uint64_t)layout;
    uint32_t i, same;

    for (i = 1; i < n; i++)
        keys[i] = draw_key(layout, i, &rng);
    do { /* what was drawn twice is drawn anew */
        qsort(keys, n, sizeof *keys, by_key);
        for (i = 1, same = 0; i < n; i++)
            same += keys[i] == keys[i - 1];
        for (i = 1; same && i < n; i++)
            if (keys[i] == keys[i - 1])
                keys[i] = draw_key(layout, i, &rng);
    } while (same);
    return keys;
}

static uint32_t draw_zipf(const double *until, uint32_t count, double u) {
    uint32_t low = 0, high = count - 1, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (until[middle] < u)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint32_t *shuffled(uint32_t n, uint64_t *rng) {
    uint32_t *x = bench_alloc(n, sizeof *x), i, k, keep;

    for (i = 0; i < n; i++)
        x[i] = i;
    for (i = n; i > 1; i--) {
        k = (uint32_t)(bench_random(rng) % i);
        keep = x[i - 1];
        x[i - 1] = x[k];
        x[k] = keep;
    }
    return x;
}

uint32_t *map_draw(uint32_t count, int zipf, uint32_t n) {
    uint32_t *out = bench_alloc(n, sizeof *out), *order, i;
    double *until = bench_alloc(count, sizeof *until), sum = 0;
    uint64_t rng = 5 + (uint64_t)zipf;

    order = shuffled(count, &rng);
    for (i = 0; i < count; i++)
        until[i] = sum += pow(i + 1.0, -0.99);
    for (i = 0; i < n; i++)
        out[i] = zipf ? order[draw_zipf(until, count, bench_uniform(&rng) * sum)]
                      : (uint32_t)(bench_random(&rng) % count);
    free(until);
    free(order);
    return out;
}

uint64_t *map_probes(const uint64_t *boundaries, uint32_t count, int zipf, uint32_t n) {
    uint64_t *keys = bench_alloc(n + (size_t)1, sizeof *keys), rng = 3, width;
    uint32_t *at = map_draw(count, zipf, n), i;

    for (i = 0; i < n; i++) {
        width = at[i] + 1 < count ? boundaries[at[i] + 1] - boundaries[at[i]] : 4096;
        keys[i] = boundaries[at[i]] + bench_random(&rng) % width;
    }
    keys[n] = keys[0];
    free(at);
    return keys;
}
