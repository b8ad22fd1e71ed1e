/* SPDX-License-Identifier: MIT */
#include "loads_young.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "forecast.h"
#include "loads_peers.h"
#include "tool.h"

#define SPAN 336u  /* hours that a key is young */
#define RUNS 2u    /* with segments, and without */

typedef struct young {
    const loads *l;
    psh_forecaster *f[RUNS];
    size_t *start;   /* Shape [keys], 0: not one of the young */
    double error[RUNS][LEADS], week[RUNS][2][LEADS], n[LEADS], in_week[2][LEADS];
} young;

static psh_forecaster *forecaster(psh_env *env, psh_schema *schema, size_t keys, uint32_t segments) {
    psh_forecaster_options o;
    psh_forecaster *f = NULL;

    bench_must(psh_forecaster_options_init(&o, sizeof o), "options", NULL);
    o.bucket_ns = PSH_HOUR;
    o.season_short = 24;
    o.season_long = 168;
    o.horizon = FARTHEST;
    o.max_tenants = (uint32_t)keys + 1;
    o.max_series = (uint32_t)keys + 64;
    o.max_bytes = UINT64_C(8) << 30;
    o.lateness_ns = -1;
    o.max_segments = segments;
    bench_must(psh_forecaster_create(env, schema, &o, &f, NULL), "forecaster", NULL);
    return f;
}

static void choose_young(young *y, const uint8_t *wanted, size_t first) {
    size_t key, nth = 0, days = (y->l->hours - first) / 24;

    days = days > 7 ? days - 7 : 1; /* a week at least of each is left to score */
    for (key = 0; key < y->l->keys; key++)
        if (wanted[key] && nth++ % 2)
            y->start[key] = first + nth / 2 * 5 % days * 24 + nth % 24;
}

static void feed(young *y, uint32_t run, size_t t) {
    psh_write_record w = { .struct_size = sizeof w, .time = y->l->start + (int64_t)t * PSH_HOUR };
    size_t key;

    for (key = 0; key < y->l->keys; key++) {
        if (t < y->start[key])
            continue;
        w.rows = (uint64_t)llround(loads_at(y->l, key, t));
        w.tenant = y->l->tenant[key];
        if (w.rows)
            bench_must(psh_forecaster_observe_write(y->f[run], &w), y->l->key[key], NULL);
    }
    bench_step(y->f[run], w.time + PSH_HOUR);
}

static void score(young *y, uint32_t run, size_t key, size_t t) {
    psh_subject subject = { PSH_SUBJECT_TENANT, 0, y->l->tenant[key] };
    psh_forecast_spec s = { sizeof s };
    psh_forecast *fc = NULL;
    uint32_t k, week = t - y->start[key] > 168;
    double e;

    if (psh_forecaster_forecast(y->f[run], &subject, y->l->start + (int64_t)t * PSH_HOUR, FARTHEST, &fc, NULL)
        == PSH_OK)
        bench_must(psh_forecast_describe(fc, &s), "forecast", NULL);
    for (k = 0; k < LEADS && t + bench_leads[k] <= y->l->hours; k++) {
        e = (fc ? log1p(s.mean[bench_leads[k] - 1]) : 0) - log1p(loads_at(y->l, key, t + bench_leads[k] - 1));
        y->error[run][k] += e * e;
        y->week[run][week][k] += e * e;
        y->n[k] += run == 0;
        y->in_week[week][k] += run == 0;
    }
    psh_forecast_unref(fc);
}

static void print(const young *y) {
    static const char *const what[RUNS] = { "young_mse_%s", "young_alone_mse_%s" };
    char note[120], name[40];
    uint32_t k, run, week;

    for (run = 0; run < RUNS; run++)
        for (k = 0; k < LEADS; k++) {
            snprintf(note, sizeof note, "log1p, mean; %.0f forecasts of keys under two weeks", y->n[k]);
            bench_figure_of(what[run], bench_lead_names[k], y->error[run][k] / y->n[k], "log^2", note);
        }
    for (k = 0; k < LEADS; k++)
        bench_figure_of("young_ratio_%s", bench_lead_names[k], y->error[0][k] / y->error[1][k], "ratio",
            "with segments / tenant alone");
    for (week = 0; week < 2; week++)
        for (k = 0; k < LEADS; k++) {
            snprintf(name, sizeof name, "young_ratio_week%u_%%s", week + 1);
            bench_figure_of(name, bench_lead_names[k], y->week[0][week][k] / y->week[1][week][k], "ratio",
                "of the keys in that week of their lives");
        }
    bench_figure("young_segments", (double)psh_forecaster_segment_count(y->f[0], 0), "count", "at the end");
}

void loads_young(
    psh_env *env, psh_schema *schema, const loads *l, const uint8_t *wanted, size_t first, uint32_t step) {
    young y = { .l = l };
    uint32_t run;
    size_t t, key;

    y.start = bench_alloc(l->keys, sizeof *y.start);
    choose_young(&y, wanted, first);
    for (run = 0; run < RUNS; run++)
        y.f[run] = forecaster(env, schema, l->keys, run ? PSH_NONE : 0);
    for (t = 0; t < l->hours; t++)
        for (run = 0; run < RUNS; run++) {
            for (key = 0; t >= first && (t - first) % step == 0 && key < l->keys; key++)
                if (y.start[key] && t > y.start[key] && t - y.start[key] < SPAN)
                    score(&y, run, key, t);
            feed(&y, run, t);
        }
    print(&y);
    for (run = 0; run < RUNS; run++)
        psh_forecaster_destroy(y.f[run]);
    free(y.start);
}
