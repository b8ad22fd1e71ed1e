/* SPDX-License-Identifier: MIT */
#include "contest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast.h"
#include "plot.h"
#include "rscript.h"
#include "tool.h"

#define UPDATES 2000u
#define PAGE_CHARTS 24u

static const double levels[] = { 0.025, 0.975 };

/* What one task gave. */
typedef struct answer {
    double *mean, *low, *high, *both; /* Shape [h], [h], [h], [h][2] */
    double fit_s, update_s;
    size_t bytes;
} answer;

void contest_add(contest *c, const task *t) {
    c->list = bench_grow(c->list, &c->cap, c->n, sizeof *c->list);
    c->list[c->n++] = *t;
}

void contest_free(contest *c) {
    free(c->list);
    c->list = NULL;
    c->n = c->cap = 0;
}

static answer make_answer(size_t h) {
    answer a = { NULL };

    a.mean = bench_alloc(5 * h, sizeof(double));
    a.low = a.mean + h;
    a.high = a.low + h;
    a.both = a.high + h;
    return a;
}

static uint32_t flags_of(const double *x, size_t n) {
    size_t i;

    for (i = 0; i < n; i++)
        if (x[i] < 0)
            return 0;
    return PSH_MODEL_NONNEGATIVE;
}

static psh_model_spec spec_of(const task *t, uint32_t kind) {
    psh_model_spec s = { sizeof s, kind };

    s.flags = flags_of(t->train, t->n);
    s.horizon = (uint32_t)t->h;
    memcpy(s.season, t->season, sizeof s.season);
    return s;
}

/* The fit with its intervals; the fastest of the repeats is its time. */
static psh_model *fit(psh_env *env, const task *t, uint32_t kind, uint32_t repeats, answer *a) {
    psh_model_spec spec = spec_of(t, kind);
    psh_error err = { sizeof err };
    psh_model *m = NULL;
    double begin, took;
    uint32_t i;

    a->fit_s = HUGE_VAL;
    for (i = 0; i < repeats; i++) {
        psh_model_destroy(m);
        begin = bench_now();
        bench_must(psh_model_fit(env, &spec, t->train, t->n, &m, &err), t->id, &err);
        bench_must(psh_model_forecast(m, (uint32_t)t->h, NULL, levels, 2, a->mean, a->both), t->id, NULL);
        took = bench_now() - begin;
        a->fit_s = took < a->fit_s ? took : a->fit_s;
    }
    return m;
}

/* What the models, ours and R's, get to see: Naive2 and the scale keep all, so that figures stay comparable. */
static task cut_history(const task *t, uint32_t history) {
    task c = *t;

    if (history && history < t->n) {
        c.train += t->n - history;
        c.n = history;
    }
    return c;
}

/* The same values again, so that the model stays where such values leave it. */
static double time_updates(psh_model *m, const task *t) {
    size_t window = t->n < 168 ? t->n : 168, k = 0;
    const double *last = t->train + t->n - window;
    double begin = bench_now();
    uint32_t i;

    for (i = 0; i < UPDATES; i++) {
        bench_must(psh_model_update(m, last[k], NULL), "update", NULL);
        k = k + 1 == window ? 0 : k + 1;
    }
    return (bench_now() - begin) / UPDATES;
}

static answer answer_task(psh_env *env, const task *whole, uint32_t kind, const contest *c) {
    const task cut = cut_history(whole, c->history), *t = &cut;
    answer a = make_answer(t->h);
    psh_model *m = fit(env, t, kind, c->repeats ? c->repeats : 1, &a);
    size_t i;

    for (i = 0; i < t->h; i++) {
        a.low[i] = a.both[2 * i];
        a.high[i] = a.both[2 * i + 1];
    }
    a.bytes = psh_model_bytes(m);
    a.update_s = time_updates(m, t);
    psh_model_destroy(m);
    return a;
}

static judged judge(const task *t, const double *mean, const double *low, const double *high) {
    judged j = { t->train, t->n, t->test, t->h, t->m, mean, low, high };

    return j;
}

static void count_in(tally *into, const task *t, const answer *a) {
    judged j = judge(t, a->mean, a->low, a->high);

    tally_add(into, &j);
    into->seconds += a->fit_s;
    into->update += a->update_s;
    into->bytes += (double)a->bytes;
}

static void print_parts(const tally *t) {
    char name[32], note[64];
    uint32_t k;

    for (k = 0; k < SCORE_PARTS && t->points_of[k] > 0; k++) {
        snprintf(name, sizeof name, "coverage95_quarter%u", k + 1);
        snprintf(note, sizeof note, "quarter %u of the horizon", k + 1);
        bench_figure(name, t->inside_of[k] / t->points_of[k], "share", note);
    }
}

static void print(const tally *t, const char *model, uint32_t repeats) {
    double n = (double)t->series, scaled = (double)t->scaled;
    char note[128];

    snprintf(note, sizeof note, "model %s; each series from each origin", model);
    bench_figure("series", n, "count", note);
    snprintf(note, sizeof note, "Naive2: smape %.4g, mase %.4g", t->smape2 / n, t->mase2 / scaled);
    bench_figure("owa", tally_owa(t), "ratio", note);
    bench_figure("smape", t->smape / n, "percent", "mean over series");
    snprintf(note, sizeof note, "mean over the %zu series with a scale", t->scaled);
    bench_figure("mase", t->mase / scaled, "ratio", note);
    bench_figure("msis", t->msis / scaled, "ratio", "95 % interval, mean over series");
    bench_figure("coverage95", t->inside / t->points, "share", "of all points, pooled");
    print_parts(t);
    snprintf(note, sizeof note, "fit and forecast with intervals, wall, fastest of %u", repeats);
    bench_figure("fit_ms", t->seconds / n * 1e3, "ms", note);
    bench_figure("update_ns", t->update / n * 1e9, "ns", "one value more, in cache, with the loop around it");
    bench_figure("state_bytes", t->bytes / n, "bytes", "fitted model, mean");
}

/* One method on the series that R had, so that its figures can be laid beside the others. */
static void print_short(const char *method, const tally *t) {
    const char *note = "on the series that R had";

    bench_figure_of("%s_series", method, (double)t->series, "count", note);
    bench_figure_of("%s_owa", method, tally_owa(t), "ratio", note);
    bench_figure_of("%s_msis", method, t->msis / (double)t->scaled, "ratio", note);
    bench_figure_of("%s_coverage95", method, t->inside / t->points, "share", note);
    bench_figure_of("%s_fit_ms", method, t->seconds / (double)t->series * 1e3, "ms", note);
}

typedef struct r_scores {
    const contest *c;
    char method[64];
    tally t;
} r_scores;

static void r_flush(r_scores *s) {
    char name[80];

    snprintf(name, sizeof name, "r_%s", s->method);
    if (s->t.series)
        print_short(name, &s->t);
    memset(&s->t, 0, sizeof s->t);
}

static void r_take(void *user, const r_answer *a) {
    r_scores *s = user;
    const task *t = &s->c->list[a->task];
    judged j = judge(t, a->mean, a->low, a->high);

    if (strcmp(s->method, a->method) != 0) {
        r_flush(s);
        snprintf(s->method, sizeof s->method, "%s", a->method);
    }
    tally_add(&s->t, &j);
    s->t.seconds += a->seconds;
}

static void run_r(const contest *c, const tally *ours) {
    r_scores s = { c, "", { 0 } };
    size_t n = c->r < c->n ? c->r : c->n, i;
    task *list;

    if (!n)
        return;
    print_short("ours", ours);
    list = bench_alloc(n, sizeof *list);
    for (i = 0; i < n; i++)
        list[i] = cut_history(&c->list[i], c->history);
    rscript_run(list, n, c->r_methods, r_take, &s);
    r_flush(&s);
    free(list);
}

static void draw(plot *p, const task *t, const answer *a) {
    plot_band b = { t->id, t->train, t->n, t->test, a->mean, a->low, a->high, t->h };

    plot_forecast(p, &b);
}

static void draw_figures(plot *p, const tally *t) {
    plot_value(p, "OWA", tally_owa(t));
    plot_value(p, "sMAPE, percent", t->smape / (double)t->series);
    plot_value(p, "MASE", t->mase / (double)t->scaled);
    plot_value(p, "MSIS", t->msis / (double)t->scaled);
    plot_value(p, "coverage of the 95 % interval", t->inside / t->points);
    plot_value(p, "fit, ms", t->seconds / (double)t->series * 1e3);
}

void contest_run(contest *c, const char *title) {
    uint32_t kind = bench_kind(c->model, "seasonal naive");
    plot *page = c->plot ? plot_begin(c->plot, title) : NULL;
    tally all = { 0 }, first = { 0 };
    psh_env *env = NULL;
    answer a;
    size_t i;

    if (!c->n)
        bench_die(BENCH_BAD_INPUT, "no series is long enough to hold out its horizon");
    bench_must(psh_env_create(NULL, &env, NULL), "env", NULL);
    for (i = 0; i < c->n; i++) {
        a = answer_task(env, &c->list[i], kind, c);
        count_in(&all, &c->list[i], &a);
        if (i < c->r)
            count_in(&first, &c->list[i], &a);
        if (page && i < PAGE_CHARTS)
            draw(page, &c->list[i], &a);
        free(a.mean);
    }
    psh_env_destroy(env);
    print(&all, psh_model_name(kind), c->repeats ? c->repeats : 1);
    run_r(c, &first);
    if (page) {
        draw_figures(page, &all);
        plot_end(page);
    }
}
