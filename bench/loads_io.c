/* SPDX-License-Identifier: MIT */
#include "loads_io.h"

#include <stdlib.h>
#include <string.h>

#include "forecast.h"
#include "series_io.h"
#include "tool.h"

#define MOST_CELLS ((size_t)1 << 30)
#define MOST_LOAD 1e15

typedef struct row {
    size_t key;
    int64_t hour;
    double value;
} row;

/* What is known while rows come in. */
typedef struct intake {
    loads *l;
    size_t key_cap, tenant_cap;
    size_t *slot; /* Shape [slots]: key index + 1, by hash of the tenant id */
    size_t slots; /* a power of two */
    row *row;
    size_t rows, row_cap;
} intake;

static size_t slot_of(const intake *in, uint64_t tenant) {
    size_t i = (size_t)tenant & (in->slots - 1);

    while (in->slot[i] && in->l->tenant[in->slot[i] - 1] != tenant)
        i = (i + 1) & (in->slots - 1);
    return i;
}

static void widen(intake *in) {
    size_t k;

    free(in->slot);
    in->slots = in->slots ? 2 * in->slots : 1024;
    in->slot = bench_alloc(in->slots, sizeof *in->slot);
    for (k = 0; k < in->l->keys; k++)
        in->slot[slot_of(in, in->l->tenant[k])] = k + 1;
}

static size_t key_index(intake *in, const char *key) {
    uint64_t tenant = bench_tenant(key);
    loads *l = in->l;
    size_t i;

    if (2 * (l->keys + 1) > in->slots)
        widen(in);
    i = slot_of(in, tenant);
    if (in->slot[i])
        return in->slot[i] - 1;
    l->key = bench_grow(l->key, &in->key_cap, l->keys, sizeof *l->key);
    l->tenant = bench_grow(l->tenant, &in->tenant_cap, l->keys, sizeof *l->tenant);
    l->key[l->keys] = bench_copy(key);
    l->tenant[l->keys] = tenant;
    in->slot[i] = ++l->keys;
    return l->keys - 1;
}

static int64_t hour_of(int64_t time) {
    return time / PSH_HOUR - (time % PSH_HOUR < 0);
}

static void read_rows(intake *in, const char *path, const char *time, const char *key, const char *value) {
    size_t time_at, key_at, value_at;
    table t;
    row r;

    table_open(&t, path, ',');
    table_header(&t);
    time_at = table_column(&t, time);
    key_at = table_column(&t, key);
    value_at = value ? table_column(&t, value) : 0;
    while (table_next(&t)) {
        r.hour = hour_of(table_time(&t, time_at));
        r.key = key_index(in, table_text(&t, key_at));
        r.value = value ? table_number(&t, value_at) : 1;
        if (!(r.value >= 0 && r.value <= MOST_LOAD))
            bench_die(BENCH_BAD_INPUT, "%s: line %zu: a load must be 0 to 10^15", path, t.line);
        in->row = bench_grow(in->row, &in->row_cap, in->rows, sizeof *in->row);
        in->row[in->rows++] = r;
    }
    table_close(&t);
    if (!in->rows)
        bench_die(BENCH_BAD_INPUT, "%s: has no row behind its header", path);
}

static void fill_cells(const intake *in, const char *path) {
    int64_t least = INT64_MAX, most = INT64_MIN;
    loads *l = in->l;
    size_t i, k;

    for (i = 0; i < in->rows; i++) {
        least = in->row[i].hour < least ? in->row[i].hour : least;
        most = in->row[i].hour > most ? in->row[i].hour : most;
    }
    l->hours = (size_t)(most - least) + 1;
    if (l->hours > MOST_CELLS / l->keys)
        bench_die(BENCH_BAD_INPUT, "%s: %zu keys times %zu hours is too much", path, l->keys, l->hours);
    l->start = least * PSH_HOUR;
    l->cell = bench_alloc(l->keys * l->hours, sizeof *l->cell);
    l->first = bench_alloc(l->keys, sizeof *l->first);
    for (k = 0; k < l->keys; k++)
        l->first[k] = l->hours;
    for (i = 0; i < in->rows; i++) {
        k = in->row[i].key;
        least = in->row[i].hour - l->start / PSH_HOUR;
        l->cell[k * l->hours + (size_t)least] += (float)in->row[i].value;
        if (in->row[i].value > 0 && (size_t)least < l->first[k])
            l->first[k] = (size_t)least;
    }
}

void loads_read(const char *path, const char *time, const char *key, const char *value, loads *out) {
    intake in = { out };

    memset(out, 0, sizeof *out);
    read_rows(&in, path, time, key, value);
    fill_cells(&in, path);
    free(in.slot);
    free(in.row);
}

void loads_free(loads *l) {
    size_t k;

    for (k = 0; k < l->keys; k++)
        free(l->key[k]);
    free(l->key);
    free(l->tenant);
    free(l->cell);
    free(l->first);
    memset(l, 0, sizeof *l);
}

double loads_at(const loads *l, size_t key, size_t hour) {
    return (double)l->cell[key * l->hours + hour];
}

double loads_active(const loads *l, size_t key) {
    size_t t, active = 0;

    for (t = 0; t < l->hours; t++)
        active += loads_at(l, key, t) > 0;
    return (double)active / (double)l->hours;
}
