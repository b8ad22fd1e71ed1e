/* SPDX-License-Identifier: MIT */
/* Intermittent demand: one series a line, the last horizon of each held out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "forecast.h"
#include "plot.h"
#include "scores.h"
#include "series_io.h"
#include "tool.h"

#define LEVELS 2u
#define PAGE_CHARTS 24u

static const char usage[] =
    "usage: forecast sparse --csv F --horizon H [--model NAME] [--holdout] [--plot FILE.html] [--tsv]\n"
    "  --csv F      one series a line, values between commas; empty fields before and behind are cut off\n"
    "  --horizon H  values held out at the end of each series\n"
    "  --holdout    leave those alone and hold out the H before them";

typedef struct sums {
    double rmsse, below, points, seconds, bytes;
    size_t scaled, series, skipped;
} sums;

typedef struct sparse {
    psh_env *env;
    uint32_t kind;
    uint32_t horizon;
    int holdout;
    plot *page;
    double *mean, *both, *low, *high; /* Shape [horizon], [horizon][LEVELS], [horizon], [horizon] */
} sparse;

static void forecast(sparse *w, const double *train, size_t n, sums *s) {
    static const double levels[LEVELS] = { 0.05, 0.95 };
    psh_model_spec spec = { sizeof spec, w->kind, PSH_MODEL_NONNEGATIVE, w->horizon };
    psh_error err = { sizeof err };
    psh_model *m = NULL;
    double begin = bench_now();
    uint32_t i;

    bench_must(psh_model_fit(w->env, &spec, train, n, &m, &err), "fit", &err);
    bench_must(psh_model_forecast(m, w->horizon, NULL, levels, LEVELS, w->mean, w->both), "forecast", NULL);
    s->seconds += bench_now() - begin;
    s->bytes += (double)psh_model_bytes(m);
    psh_model_destroy(m);
    for (i = 0; i < w->horizon; i++) {
        w->low[i] = w->both[LEVELS * i];
        w->high[i] = w->both[LEVELS * i + 1];
    }
}

static void score(sparse *w, const series *x, sums *s) {
    size_t n = x->n, i;
    double rmsse;
    plot_band b;

    n = w->holdout && n > w->horizon ? n - w->horizon : n;
    if (n < (size_t)w->horizon + 2) {
        s->skipped++;
        return;
    }
    n -= w->horizon;
    forecast(w, x->v, n, s);
    rmsse = score_rmsse(x->v, n, x->v + n, w->mean, w->horizon);
    if (isfinite(rmsse)) {
        s->rmsse += rmsse;
        s->scaled++;
    }
    for (i = 0; i < w->horizon; i++)
        s->below += x->v[n + i] <= w->high[i];
    s->points += w->horizon;
    b = (plot_band){ x->id, x->v, n, x->v + n, w->mean, w->low, w->high, w->horizon };
    if (w->page && s->series < PAGE_CHARTS)
        plot_forecast(w->page, &b);
    s->series++;
}

static void print(const sparse *w, const sums *s) {
    char note[128];

    snprintf(note, sizeof note, "model %s; %zu series too short, left out", psh_model_name(w->kind), s->skipped);
    bench_figure("series", (double)s->series, "count", note);
    snprintf(note, sizeof note, "mean over the %zu series whose training part changes", s->scaled);
    bench_figure("rmsse", s->rmsse / (double)s->scaled, "ratio", note);
    bench_figure("coverage_upper95", s->below / s->points, "share", "of points at or below their 0.95 quantile");
    bench_figure("fit_ms", s->seconds / (double)s->series * 1e3, "ms", "fit and forecast with intervals, wall");
    bench_figure("state_bytes", s->bytes / (double)s->series, "bytes", "fitted model, mean");
}

int bench_forecast_sparse(int argc, char **argv) {
    const char *path = NULL, *model = NULL, *page = NULL;
    sparse w = { NULL };
    sums s = { 0 };
    const bench_option options[] = {
        { "--csv", BENCH_TEXT, &path, 1 },      { "--horizon", BENCH_COUNT, &w.horizon, 0 },
        { "--model", BENCH_TEXT, &model, 0 },   { "--holdout", BENCH_FLAG, &w.holdout, 0 },
        { "--plot", BENCH_TEXT, &page, 0 },
    };
    series_set set;
    size_t i;

    bench_args(argc, argv, usage, options, sizeof options / sizeof *options);
    if (w.horizon < 1 || w.horizon > PSH_MODEL_MOST_STEPS)
        bench_die(BENCH_USAGE, "--horizon: 1 to %u values\n%s", PSH_MODEL_MOST_STEPS, usage);
    w.kind = bench_kind(model, "tsb");
    series_read_rows(path, &set);
    w.page = page ? plot_begin(page, "Sparse series") : NULL;
    w.mean = bench_alloc(5 * (size_t)w.horizon, sizeof(double));
    w.low = w.mean + w.horizon;
    w.high = w.low + w.horizon;
    w.both = w.high + w.horizon;
    bench_must(psh_env_create(NULL, &w.env, NULL), "env", NULL);
    for (i = 0; i < set.n; i++)
        score(&w, &set.list[i], &s);
    if (!s.series)
        bench_die(BENCH_BAD_INPUT, "%s: no series is longer than the horizon", path);
    print(&w, &s);
    if (w.page)
        plot_end(w.page);
    psh_env_destroy(w.env);
    free(w.mean);
    series_free(&set);
    return 0;
}
