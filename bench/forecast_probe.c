/* SPDX-License-Identifier: MIT */
/* Cost: many series on one core, and one record or value in cache. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast.h"
#include "tool.h"

#define DAY 24u
#define WEEK 168u
#define PROFILES 8u
#define T0 (INT64_C(978307200) * PSH_SECOND) /* a Monday: 2001-01-01 */
#define ROUNDS 5u
#define RECORDS 400000u
#define FEW 64u             /* series that stay in cache */
#define PI 3.14159265358979323846

static const char scale_usage[] =
    "usage: forecast scale [--series N] [--weeks W] [--seed S] [--tsv]\n"
    "  --series N  default 100000; a million takes some GB and minutes\n"
    "  --weeks W   of hourly counts before the first fit; default 3";
static const char observe_usage[] = "usage: forecast observe [--tsv]";

/* Expected counts of an hour of the week, by profile, mean 1. */
static void make_profiles(double shape[PROFILES][WEEK]) {
    uint32_t p, h;

    for (p = 0; p < PROFILES; p++)
        for (h = 0; h < WEEK; h++)
            shape[p][h] = (1 + 0.8 * sin(2 * PI * (h + 3.0 * p) / DAY)) * (h / DAY < 5 ? 1.15 : 0.625);
}

typedef struct field {
    psh_forecaster *f;
    uint64_t *tenant;  /* Shape [n] */
    float *rate;       /* Shape [n], counts an hour: 0.5 to 500, as many in each tenfold */
    uint32_t n;
    uint64_t seed;
    double shape[PROFILES][WEEK];
} field;

static psh_forecaster *make_forecaster(psh_env *env, psh_schema *schema, uint32_t series) {
    psh_forecaster_options o;
    psh_error err = { sizeof err };
    psh_forecaster *f = NULL;

    bench_must(psh_forecaster_options_init(&o, sizeof o), "options", NULL);
    o.max_tenants = series + 1;
    o.max_series = series + FEW;
    o.max_bytes = UINT64_C(64) << 30;
    o.lateness_ns = -1;
    bench_must(psh_forecaster_create(env, schema, &o, &f, &err), "forecaster", &err);
    return f;
}

static void make_tenants(field *w) {
    uint32_t i;

    w->tenant = bench_alloc(w->n, sizeof *w->tenant);
    w->rate = bench_alloc(w->n, sizeof *w->rate);
    for (i = 0; i < w->n; i++) {
        w->tenant[i] = bench_random(&w->seed) | 1;
        w->rate[i] = (float)(0.5 * pow(10, 3 * bench_uniform(&w->seed)));
    }
}

/* One hour of all. @return records. */
static double feed_hour(field *w, uint32_t hour) {
    psh_write_record r = { .struct_size = sizeof r, .time = T0 + (int64_t)hour * PSH_HOUR };
    double expected, fed = 0;
    uint32_t i;

    for (i = 0; i < w->n; i++) {
        expected = (double)w->rate[i] * w->shape[i % PROFILES][hour % WEEK];
        r.rows = (uint64_t)(expected * (0.7 + 0.6 * bench_uniform(&w->seed)) + bench_uniform(&w->seed));
        r.tenant = w->tenant[i];
        if (!r.rows)
            continue;
        bench_must(psh_forecaster_observe_write(w->f, &r), "observe", NULL);
        fed++;
    }
    return fed;
}

static void close_hour(field *w, uint32_t hour) {
    bench_must(psh_forecaster_step(w->f, T0 + (int64_t)(hour + 1) * PSH_HOUR, 0), "step", NULL);
}

static void run_scale(field *w, uint32_t hours) {
    psh_forecaster_stats stats = { sizeof stats };
    double begin, fed = 0, observe = 0, close = 0, fit;
    uint32_t hour;

    for (hour = 0; hour < hours; hour++) {
        begin = bench_now();
        fed += feed_hour(w, hour);
        observe += bench_now() - begin;
        close_hour(w, hour);
    }
    begin = bench_now();
    bench_step(w->f, T0 + (int64_t)hours * PSH_HOUR);
    fit = bench_now() - begin;
    for (; hour < hours + ROUNDS; hour++) {
        feed_hour(w, hour);
        begin = bench_now();
        close_hour(w, hour);
        close += bench_now() - begin;
    }
    bench_must(psh_forecaster_get_stats(w->f, &stats), "stats", NULL);
    bench_figure("series", stats.series, "count", "among them the table's and segments'");
    bench_figure("first_fit_s", fit, "s", "all series, one core");
    bench_figure("first_fit_per_series_us", fit / stats.series * 1e6, "us", "");
    bench_figure("update_all_s", close / ROUNDS, "s", "one bucket of all closed, scored and forecast, no fit");
    bench_figure("update_per_series_ns", close / ROUNDS / stats.series * 1e9, "ns", "");
    bench_figure("bytes_per_series", (double)stats.bytes / stats.series, "bytes", "heap of the forecaster");
    bench_figure("observe_ns", observe / fed * 1e9, "ns", "a record, out of cache, with the draw of its count");
    bench_figure("shed", (double)stats.shed, "count", "records or series refused: should be 0");
}

int bench_forecast_scale(int argc, char **argv) {
    uint32_t weeks = 3, seed = 1;
    field w = { NULL };
    const bench_option options[] = {
        { "--series", BENCH_COUNT, &w.n, 0 },
        { "--weeks", BENCH_COUNT, &weeks, 0 },
        { "--seed", BENCH_COUNT, &seed, 0 },
    };
    psh_env *env = NULL;
    psh_schema *schema;

    w.n = 100000;
    bench_args(argc, argv, scale_usage, options, sizeof options / sizeof *options);
    if (w.n < 1 || w.n > 50000000 || weeks < 1 || weeks > 520)
        bench_die(BENCH_USAGE, "1 to 50,000,000 series, 1 to 520 weeks\n%s", scale_usage);
    w.seed = seed;
    make_profiles(w.shape);
    make_tenants(&w);
    bench_must(psh_env_create(NULL, &env, NULL), "env", NULL);
    schema = bench_load_schema(env);
    w.f = make_forecaster(env, schema, w.n);
    run_scale(&w, weeks * WEEK);
    psh_forecaster_destroy(w.f);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    free(w.tenant);
    free(w.rate);
    return 0;
}

/* Calls that a record is made for in a loop: what the loop alone takes is measured with one that does nothing. */
typedef psh_status (*one)(void *to, uint32_t i);

static psh_status nothing(void *to, uint32_t i) {
    *(volatile uint32_t *)to = i;
    return PSH_OK;
}

/* @return ns of one call, the fastest of some rounds. */
static double time_calls(one call, void *to) {
    double best = HUGE_VAL, begin, took;
    uint32_t round, i;

    for (round = 0; round < ROUNDS; round++) {
        begin = bench_now();
        for (i = 0; i < RECORDS; i++)
            bench_must(call(to, i), "observe", NULL);
        took = (bench_now() - begin) / RECORDS * 1e9;
        best = took < best ? took : best;
    }
    return best;
}

typedef struct writer {
    psh_forecaster *f;
    psh_write_record r;
    const uint64_t *tenant; /* Shape [n], n a power of two */
    uint32_t n;
} writer;

static psh_status write_one(void *to, uint32_t i) {
    writer *w = to;

    w->r.tenant = w->tenant[i & (w->n - 1)];
    return psh_forecaster_observe_write(w->f, &w->r);
}

typedef struct asker {
    psh_forecaster *f;
    psh_query_record r;
} asker;

static psh_status ask_one(void *to, uint32_t i) {
    asker *a = to;

    (void)i;
    return psh_forecaster_observe_query(a->f, &a->r);
}

typedef struct updated {
    psh_model *m;
    const double *value; /* Shape [WEEK] */
} updated;

static psh_status update_one(void *to, uint32_t i) {
    updated *u = to;

    return psh_model_update(u->m, u->value[i % WEEK], NULL);
}

static psh_query *make_query(psh_env *env, psh_schema *schema) {
    psh_value tenant = { PSH_TYPE_TEXT, 1, { 0 }, 0 };
    psh_predicate p = { 0, PSH_OP_EQ, &tenant, 1 };
    psh_aggregate a[] = { { PSH_AGG_COUNT, PSH_NONE }, { PSH_AGG_SUM, 2 } };
    psh_error err = { sizeof err };
    psh_query *q = NULL;
    psh_query_spec s;

    tenant.as.data = "7";
    psh_query_spec_init(&s, sizeof s);
    s.predicates = &p;
    s.predicate_count = 1;
    s.aggregates = a;
    s.aggregate_count = 2;
    s.bucket_ns = PSH_HOUR;
    s.time_from = T0;
    s.time_to = T0 + PSH_DAY;
    bench_must(psh_query_create(env, schema, &s, &q, &err), "query", &err);
    return q;
}

/* Four weeks of hours: a regular series, one with a row at any time, one with a row now and then. */
static void warm_up(field *w) {
    psh_write_record r = { .struct_size = sizeof r };
    uint32_t hour, i;

    for (hour = 0; hour < 4 * WEEK; hour++) {
        r.time = T0 + (int64_t)hour * PSH_HOUR;
        feed_hour(w, hour);
        for (i = 0; i < FEW; i++) { /* hot: its id is that of no other */
            r.tenant = 2;
            r.rows = 1000 + bench_random(&w->seed) % 100;
            bench_must(psh_forecaster_observe_write(w->f, &r), "observe", NULL);
        }
        r.tenant = 4;
        r.rows = 1;
        if (bench_random(&w->seed) % 50 == 0)
            bench_must(psh_forecaster_observe_write(w->f, &r), "observe", NULL);
        bench_step(w->f, r.time + PSH_HOUR);
    }
}

static void time_writes(const field *w, int64_t now) {
    static const uint64_t hot[] = { 2 }, sparse[] = { 4 };
    writer regular = { w->f, { .struct_size = sizeof(psh_write_record), .time = now, .rows = 1 }, w->tenant, FEW };
    writer busy = regular, rare = regular;

    busy.tenant = hot;
    rare.tenant = sparse;
    busy.n = rare.n = 1;
    bench_figure("observe_regular_ns", time_calls(write_one, &regular), "ns", "a write record, 64 tenants in turn");
    bench_figure("observe_hot_ns", time_calls(write_one, &busy), "ns", "a write record, always the same tenant");
    bench_figure("observe_sparse_ns", time_calls(write_one, &rare), "ns", "a write record, a tenant mostly idle");
}

static void time_query(const field *w, psh_query *q, int64_t now) {
    asker a = { w->f, { .struct_size = sizeof(psh_query_record), .query = q, .time = now, .weight = 1 } };

    a.r.work = 10;
    a.r.tenant = w->tenant[0];
    bench_figure("observe_query_ns", time_calls(ask_one, &a), "ns", "a query record of a known template");
}

static void time_model(psh_env *env, const field *w, const char *name, const char *kind, const char *fallback) {
    psh_model_spec s = { sizeof s };
    double value[4 * WEEK];
    psh_error err = { sizeof err };
    updated u = { NULL, value + 3 * WEEK };
    char note[96];
    uint32_t i;

    s.kind = bench_kind(psh_model_kind(kind) ? kind : NULL, fallback);
    s.flags = PSH_MODEL_NONNEGATIVE;
    s.horizon = 48;
    s.season[0] = DAY;
    s.season[1] = WEEK;
    for (i = 0; i < 4 * WEEK; i++)
        value[i] = floor(40 * w->shape[0][i % WEEK] + 3 * sin(i * 12.9898));
    bench_must(psh_model_fit(env, &s, value, 4 * WEEK, &u.m, &err), "fit", &err);
    snprintf(note, sizeof note, "model %s, seasons 24 and 168", psh_model_name(s.kind));
    bench_figure(name, time_calls(update_one, &u), "ns", note);
    psh_model_destroy(u.m);
}

int bench_forecast_observe(int argc, char **argv) {
    uint32_t sink = 0;
    int64_t now = T0 + (int64_t)(4 * WEEK) * PSH_HOUR;
    field w = { NULL };
    psh_env *env = NULL;
    psh_schema *schema;
    psh_query *q;

    bench_args(argc, argv, observe_usage, NULL, 0);
    w.n = FEW;
    w.seed = 1;
    make_profiles(w.shape);
    make_tenants(&w);
    bench_must(psh_env_create(NULL, &env, NULL), "env", NULL);
    schema = bench_load_schema(env);
    w.f = make_forecaster(env, schema, FEW + 2);
    warm_up(&w);
    bench_figure("loop_ns", time_calls(nothing, &sink), "ns", "the loop and the call alone, inside all below");
    time_writes(&w, now);
    q = make_query(env, schema);
    time_query(&w, q, now);
    time_model(env, &w, "update_combined_ns", "combined", "seasonal naive");
    time_model(env, &w, "update_sparse_ns", "tsb", "naive");
    psh_query_unref(q);
    psh_forecaster_destroy(w.f);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    free(w.tenant);
    free(w.rate);
    return 0;
}
