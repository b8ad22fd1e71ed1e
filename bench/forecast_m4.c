/* SPDX-License-Identifier: MIT */
/* The M4 competition's form: training and test files, lines of `id,v1,v2,...`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contest.h"
#include "forecast.h"
#include "tool.h"

#define HOURS 24u
#define WEEK 168u

static const char usage[] =
    "usage: forecast m4 --train F --test F --period P [--model NAME] [--holdout [--origins K]] [--first N] [--r N\n"
    "                   [--r-methods L]] [--history N] [--repeat K]\n"
    "                   [--plot FILE.html] [--tsv]\n"
    "  --period P    1, 4, 12, 24, ... values a season; several as 24,168. 24 alone means 24,168: hours have\n"
    "                weeks; 24,0 means 24 and nothing else\n"
    "  --model NAME  kind of model; default combined\n"
    "  --holdout     leave the test values alone: hold out the last horizon of each training series instead\n"
    "  --origins K   with --holdout: from K origins, a horizon apart; default 1\n"
    "  --first N     only the first N series\n"
    "  --r N         R's forecast package on the first N series too; --r-methods L: which of snaive,ets,thetaf,\n"
    "                auto.arima,mstl+arima,tbats, with commas; default all\n"
    "  --history N   models see the last N values of each training series, Naive2 and the scales all of it\n"
    "  --repeat K    fit each series K times, the fastest counts";

typedef struct m4_options {
    const char *train, *test, *period;
    int holdout;
    uint32_t origins, first;
} m4_options;

/* `24,168` into an ascending list; a 0 ends it. @return the first: the season of MASE and Naive2. */
static uint32_t read_period(const char *text, uint32_t season[3]) {
    unsigned long x = 0, before = 0;
    char *end;
    size_t n = 0;

    memset(season, 0, 3 * sizeof *season);
    for (;; text = end + 1) {
        x = strtoul(text, &end, 10);
        if (end == text || x > 65536 || (x <= before && (x || !n)) || n == 3 || (*end && (!x || *end != ',')))
            bench_die(BENCH_USAGE, "--period: one to three ascending counts, e.g. 24 or 24,168\n%s", usage);
        season[n] = (uint32_t)x;
        n += x > 0;
        before = x;
        if (!*end)
            break;
    }
    if (n == 1 && x == HOURS)
        season[1] = WEEK;
    if (season[0] > 1)
        return season[0];
    memmove(season, season + 1, 2 * sizeof *season);
    season[2] = 0;
    return 1;
}

static const series *test_of(const series_set *test, const series_set *train, size_t i, const char *path) {
    const series *s = i < test->n ? &test->list[i] : NULL;

    if (!s || strcmp(s->id, train->list[i].id) != 0)
        s = series_find(test, train->list[i].id);
    if (!s)
        bench_die(BENCH_BAD_INPUT, "%s: no series '%s', which the training file has", path, train->list[i].id);
    return s;
}

/* A series is left out where less than two values would be left to learn from. */
static void add_origins(contest *c, task t, size_t horizon, uint32_t origins) {
    size_t n = t.n;
    uint32_t k;

    for (k = 1; k <= origins && n >= k * horizon + 2; k++) {
        t.n = n - k * horizon;
        t.test = t.train + t.n;
        t.h = horizon;
        contest_add(c, &t);
    }
}

static void add_all(contest *c, const m4_options *o, const series_set *train, const series_set *test) {
    size_t n = o->first && o->first < train->n ? o->first : train->n, i;
    const series *s;
    task t = { NULL };

    t.m = read_period(o->period, t.season);
    for (i = 0; i < n; i++) {
        s = test_of(test, train, i, o->test);
        t.id = train->list[i].id;
        t.train = train->list[i].v;
        t.n = train->list[i].n;
        t.test = s->v;
        t.h = s->n;
        if (o->holdout)
            add_origins(c, t, s->n, o->origins ? o->origins : 1);
        else
            contest_add(c, &t);
    }
}

int bench_forecast_m4(int argc, char **argv) {
    m4_options o = { NULL };
    contest c = { NULL };
    const bench_option options[] = {
        { "--train", BENCH_TEXT, &o.train, 1 },   { "--test", BENCH_TEXT, &o.test, 1 },
        { "--period", BENCH_TEXT, &o.period, 1 }, { "--model", BENCH_TEXT, &c.model, 0 },
        { "--holdout", BENCH_FLAG, &o.holdout, 0 }, { "--origins", BENCH_COUNT, &o.origins, 0 },
        { "--first", BENCH_COUNT, &o.first, 0 },  { "--r", BENCH_COUNT, &c.r, 0 },
        { "--r-methods", BENCH_TEXT, &c.r_methods, 0 },
        { "--history", BENCH_COUNT, &c.history, 0 },
        { "--repeat", BENCH_COUNT, &c.repeats, 0 }, { "--plot", BENCH_TEXT, &c.plot, 0 },
    };
    series_set train, test;

    bench_args(argc, argv, usage, options, sizeof options / sizeof *options);
    series_read_csv(o.train, &train);
    series_read_csv(o.test, &test);
    add_all(&c, &o, &train, &test);
    contest_run(&c, "M4");
    contest_free(&c);
    series_free(&train);
    series_free(&test);
    return 0;
}
