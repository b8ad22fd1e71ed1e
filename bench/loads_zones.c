/* SPDX-License-Identifier: MIT */
#include "loads_zones.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scores.h"
#include "tool.h"

#define HOT 2.0            /* doc/models.md, section 5: hot is more than twice the own trailing mean */
#define FADE (2.0 / 169)   /* and section 2: that mean fades by max(1 / age, 2 / (L + 1)), L = 168 */
#define TOP 10u
#define BINS 10u
#define DAY 24u

/* One width of window. */
typedef struct widths {
    double *p;         /* Shape [n]: confidence shown */
    uint8_t *happened; /* Shape [n] */
    size_t n, p_cap, happened_cap;
    double hits, best;       /* of the first ten of the forecast, and in hindsight */
    double reactive;         /* of the first ten of the reactive demand */
    double hot, asked;       /* keys that were hot, keys that could be */
} widths;

struct zones {
    const loads *l;
    double *mean;   /* Shape [keys], trailing */
    uint8_t *hot;   /* Shape [keys], in the window at hand */
    size_t *order;  /* Shape [keys], by tenant id */
    widths day, hour;
};

/* For qsort, which takes no context: pairs of id and index. */
typedef struct pair {
    uint64_t tenant;
    size_t key;
} pair;

static int by_tenant(const void *x, const void *y) {
    const pair *a = x, *b = y;

    return a->tenant < b->tenant ? -1 : a->tenant > b->tenant;
}

zones *zones_create(const loads *l) {
    pair *list = bench_alloc(l->keys, sizeof *list);
    zones *z = bench_alloc(1, sizeof *z);
    size_t k;

    z->l = l;
    z->mean = bench_alloc(l->keys, sizeof *z->mean);
    z->hot = bench_alloc(l->keys, sizeof *z->hot);
    z->order = bench_alloc(l->keys, sizeof *z->order);
    for (k = 0; k < l->keys; k++)
        list[k] = (pair){ l->tenant[k], k };
    qsort(list, l->keys, sizeof *list, by_tenant);
    for (k = 0; k < l->keys; k++)
        z->order[k] = list[k].key;
    free(list);
    return z;
}

static size_t find(const zones *z, uint64_t tenant) {
    size_t low = 0, high = z->l->keys, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (z->l->tenant[z->order[middle]] < tenant)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < z->l->keys && z->l->tenant[z->order[low]] == tenant)
        return z->order[low];
    return SIZE_MAX;
}

void zones_hour(zones *z, size_t t) {
    double part;
    size_t k;

    for (k = 0; k < z->l->keys; k++) {
        if (t < z->l->first[k])
            continue;
        part = 1 / (double)(t - z->l->first[k] + 1);
        z->mean[k] += (part > FADE ? part : FADE) * (loads_at(z->l, k, t) - z->mean[k]);
    }
}

/* Which keys were hot in the `width` hours from hour `from` on. @return how many. */
static uint32_t look_back(zones *z, widths *w, size_t from, uint32_t width) {
    uint32_t hot = 0, h;
    double sum;
    size_t k;

    for (k = 0; k < z->l->keys; k++) {
        for (sum = 0, h = 0; h < width; h++)
            sum += loads_at(z->l, k, from + h);
        z->hot[k] = z->mean[k] > 0 && sum > HOT * z->mean[k] * width;
        hot += z->hot[k];
        w->asked += z->mean[k] > 0;
    }
    w->hot += hot;
    return hot;
}

static void add_event(widths *w, double p, uint8_t happened) {
    w->p = bench_grow(w->p, &w->p_cap, w->n, sizeof *w->p);
    w->happened = bench_grow(w->happened, &w->happened_cap, w->n, sizeof *w->happened);
    w->p[w->n] = p;
    w->happened[w->n++] = happened;
}

/* @return how many of the first ten zones were hot. events: keep their confidence too. */
static double count_hits(const zones *z, widths *w, const psh_demand *d, int events) {
    size_t i, key, n = psh_demand_count(d), rank = 0;
    psh_demand_entry e;
    double hits = 0;

    for (i = 0; i < n; i++) {
        bench_must(psh_demand_get(d, i, &e), "demand entry", NULL);
        if (e.kind != PSH_DEMAND_ZONE || e.subject.kind != PSH_SUBJECT_TENANT)
            continue;
        key = find(z, e.subject.id);
        if (key == SIZE_MAX)
            continue;
        hits += rank++ < TOP && z->hot[key];
        if (events)
            add_event(w, e.confidence, z->hot[key]);
    }
    return hits;
}

static double ask(zones *z, widths *w, psh_forecaster *f, size_t t, size_t from, uint32_t width, uint32_t source) {
    psh_demand_request r = { sizeof r, source };
    psh_error err = { sizeof err };
    psh_demand *d = NULL;
    double hits;

    r.now = z->l->start + (int64_t)t * PSH_HOUR;
    r.from = z->l->start + (int64_t)from * PSH_HOUR;
    r.to = r.from + (int64_t)width * PSH_HOUR;
    r.max_views = 1;
    r.max_tenants = 1;
    r.max_zones = (uint32_t)z->l->keys;
    bench_must(psh_forecaster_demand(f, &r, &d, &err), "demand", &err);
    hits = count_hits(z, w, d, source == PSH_DEMAND_FORECAST);
    psh_demand_unref(d);
    return hits;
}

static void score_window(zones *z, widths *w, psh_forecaster *f, size_t t, size_t from, uint32_t width) {
    uint32_t hot = look_back(z, w, from, width);

    w->best += hot < TOP ? hot : TOP;
    w->hits += ask(z, w, f, t, from, width, PSH_DEMAND_FORECAST);
    w->reactive += ask(z, w, f, t, from, width, PSH_DEMAND_OBSERVED);
}

void zones_origin(zones *z, psh_forecaster *f, size_t t) {
    uint32_t h;

    if (t + DAY > z->l->hours)
        return;
    score_window(z, &z->day, f, t, t, DAY);
    for (h = 0; h < DAY; h++)
        score_window(z, &z->hour, f, t, t + h, 1);
}

static void print_widths(const widths *w, const char *tail, const char *what) {
    char name[64], note[160];

    snprintf(name, sizeof name, "hot10_precision%s", tail);
    snprintf(note, sizeof note, "hits %.0f of %.0f possible in the first ten, %s", w->hits, w->best, what);
    bench_figure(name, w->best > 0 ? w->hits / w->best : (double)NAN, "ratio", note);
    snprintf(name, sizeof name, "hot10_reactive%s", tail);
    snprintf(note, sizeof note, "hits %.0f by demand of source OBSERVED", w->reactive);
    bench_figure(name, w->best > 0 ? w->reactive / w->best : (double)NAN, "ratio", note);
    snprintf(name, sizeof name, "hot_ece%s", tail);
    bench_figure(name, score_ece(w->p, w->happened, w->n, BINS), "share", "10 bins of equal mass over the events");
    snprintf(name, sizeof name, "hot_events%s", tail);
    snprintf(note, sizeof note, "zones foretold; %.0f of %.0f keys and windows were hot", w->hot, w->asked);
    bench_figure(name, (double)w->n, "count", note);
}

/* Mean confidence against share, of ten bins of equal width: for the eye. */
static void draw(const widths *w, plot *page) {
    double x[BINS] = { 0 }, y[BINS] = { 0 }, n[BINS] = { 0 };
    size_t i, b, used = 0;

    for (i = 0; i < w->n; i++) {
        b = (size_t)(w->p[i] * BINS);
        b = b < BINS ? b : BINS - 1;
        x[b] += w->p[i];
        y[b] += w->happened[i];
        n[b]++;
    }
    for (b = 0; b < BINS; b++) {
        if (!(n[b] > 0))
            continue;
        x[used] = x[b] / n[b];
        y[used++] = y[b] / n[b];
    }
    plot_reliability(page, "hot zones by the hour: confidence (across) against share that was hot", x, y, used);
}

void zones_print(const zones *z, plot *page) {
    print_widths(&z->hour, "", "windows of 1 h, the next 24 of them");
    print_widths(&z->day, "_24h", "windows of 24 h");
    if (page)
        draw(&z->hour, page);
}

void zones_destroy(zones *z) {
    free(z->day.p);
    free(z->day.happened);
    free(z->hour.p);
    free(z->hour.happened);
    free(z->mean);
    free(z->hot);
    free(z->order);
    free(z);
}
