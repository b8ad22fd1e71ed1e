/* SPDX-License-Identifier: MIT */
#include "requests_io.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "series_io.h"
#include "tool.h"

#define MOST_MINUTES ((int64_t)1 << 26)
#define MOST_COUNT 1e15
#define MINUTE_NUMBERS 1e8 /* below: minutes since 1970, which is until the year 2160 */
#define DAY_MINUTES 1440u

typedef struct row {
    int64_t minute;
    double count;
} row;

typedef struct rows {
    row *list;
    size_t n, cap;
} rows;

static int is_number(const char *text, double *x) {
    char *end;

    *x = strtod(text, &end);
    return end != text && !*end && isfinite(*x);
}

int64_t requests_time(const char *text, const char *path, size_t line) {
    double x;
    int64_t t;

    if (is_number(text, &x) && fabs(x) < MINUTE_NUMBERS && x == floor(x))
        return (int64_t)x * PSH_MINUTE;
    if (!time_read(text, &t))
        bench_die(BENCH_BAD_INPUT, "%s: line %zu: '%s' is neither a minute nor a time", path, line, text);
    return t;
}

static int64_t minute_of(int64_t time) {
    return time / PSH_MINUTE - (time % PSH_MINUTE < 0);
}

static void read_rows(const char *path, rows *out) {
    int first = 1;
    double x;
    table t;
    row r;

    for (table_open(&t, path, ','); table_next(&t); first = 0) {
        if (first && (t.fields < 2 || !is_number(t.field[1], &x)))
            continue; /* the header */
        r.minute = minute_of(requests_time(table_text(&t, 0), path, t.line));
        r.count = table_number(&t, 1);
        if (!(r.count >= 0 && r.count <= MOST_COUNT))
            bench_die(BENCH_BAD_INPUT, "%s: line %zu: a count must be 0 to 10^15", path, t.line);
        out->list = bench_grow(out->list, &out->cap, out->n, sizeof *out->list);
        out->list[out->n++] = r;
    }
    table_close(&t);
    if (!out->n)
        bench_die(BENCH_BAD_INPUT, "%s: holds no row of a minute and a count", path);
}

static int by_minute(const void *a, const void *b) {
    const row *x = a, *y = b;

    return x->minute < y->minute ? -1 : x->minute > y->minute;
}

static uint32_t spacing_of(const rows *r) {
    int64_t a = 0, b, rest;
    size_t i;

    for (i = 1; i < r->n && a != 1; i++)
        for (b = r->list[i].minute - r->list[i - 1].minute; b; b = rest) {
            rest = a % b;
            a = b;
        }
    return a > 0 && a <= DAY_MINUTES ? (uint32_t)a : 1;
}

void requests_read(const char *path, uint32_t step, requests *out) {
    rows r = { NULL };
    int64_t first, end;
    size_t i, k, at;

    memset(out, 0, sizeof *out);
    read_rows(path, &r);
    qsort(r.list, r.n, sizeof *r.list, by_minute);
    out->spacing = spacing_of(&r);
    first = r.list[0].minute;
    first -= (first % step + step) % step;
    end = r.list[r.n - 1].minute + out->spacing;
    if (end - first > MOST_MINUTES)
        bench_die(BENCH_BAD_INPUT, "%s: spans more than %lld minutes", path, (long long)MOST_MINUTES);
    out->start = first * PSH_MINUTE;
    out->minutes = (size_t)(end - first) / step * step;
    out->count = bench_alloc(out->minutes + out->spacing + step, sizeof *out->count);
    for (i = 0; i < r.n; i++)
        for (k = 0, at = (size_t)(r.list[i].minute - first); k < out->spacing; k++)
            out->count[at + k] += r.list[i].count / out->spacing;
    free(r.list);
}

void requests_free(requests *r) {
    free(r->count);
    memset(r, 0, sizeof *r);
}
