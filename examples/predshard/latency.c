/* SPDX-License-Identifier: MIT */
#include "latency.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_EDGE 1000.0

double latency_edge(size_t bin) {
    return bin == 0 ? 0 : FIRST_EDGE * pow(10, (double)(bin - 1) / BINS_PER_DECADE);
}

static size_t bin_of(int64_t ns) {
    double at;

    if (ns < (int64_t)FIRST_EDGE)
        return 0;
    at = log10((double)ns / FIRST_EDGE) * BINS_PER_DECADE;
    return at >= BINS - 2 ? BINS - 1 : 1 + (size_t)at;
}

static int by_time(const void *x, const void *y) {
    int64_t a, b;

    memcpy(&a, x, sizeof a);
    memcpy(&b, y, sizeof b);
    return (a > b) - (a < b);
}

/* Nearest rank. */
static int64_t quantile(const int64_t *x, size_t n, double q) {
    size_t rank = (size_t)ceil(q * (double)n);

    return x[rank ? rank - 1 : 0];
}

static int64_t value_of(const asked *a, int what) {
    if (what == LATENCY_WAIT)
        return a->wait_ns;
    return what == LATENCY_SERVICE ? a->service_ns : a->wait_ns + a->service_ns;
}

static void summarize(int64_t *x, size_t n, latency *out) {
    double sum = 0;
    size_t i;

    qsort(x, n, sizeof *x, by_time);
    for (i = 0; i < n; i++) {
        sum += (double)x[i];
        out->bins[bin_of(x[i])]++;
    }
    out->count = n;
    out->mean = sum / (double)n;
    out->p50 = quantile(x, n, 0.5);
    out->p90 = quantile(x, n, 0.9);
    out->p99 = quantile(x, n, 0.99);
    out->p999 = quantile(x, n, 0.999);
    out->max = x[n - 1];
}

int latency_of(
    const outcome *o, const stream *q, int what, uint32_t from_day, int question, latency *out, failure *f) {
    int64_t *x = malloc((o->query_count + 1) * sizeof *x);
    size_t i, n = 0;

    memset(out, 0, sizeof *out);
    if (!x)
        return fail_memory(f);
    for (i = 0; i < o->query_count; i++)
        if (q->items[i].day >= from_day && (question < 0 || q->items[i].question == question))
            x[n++] = value_of(&o->queries[i], what);
    if (n)
        summarize(x, n, out);
    free(x);
    return EXIT_DONE;
}
