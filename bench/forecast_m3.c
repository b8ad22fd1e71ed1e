/* SPDX-License-Identifier: MIT */
/* The M3 competition's form: lines of `id period horizon n values...`, n to learn from, then the horizon. */
#include "contest.h"
#include "forecast.h"
#include "tool.h"

static const char usage[] =
    "usage: forecast m3 F [--model NAME] [--holdout [--origins K]] [--first N] [--r N]\n"
    "                   [--r-methods L] [--history N] [--repeat K] [--plot FILE.html] [--tsv]\n"
    "  F  lines `id period horizon n values...`; the options mean what they mean to forecast m4";

static void add(contest *c, const series *s, int holdout, uint32_t origins) {
    task t = { s->id, s->v, s->n - s->horizon, s->v + s->n - s->horizon, s->horizon, { 0 }, s->period };
    size_t n = t.n;
    uint32_t k;

    if (s->period > 1)
        t.season[0] = s->period;
    if (!holdout)
        contest_add(c, &t);
    for (k = 1; holdout && k <= origins && n >= k * t.h + 2; k++) {
        t.n = n - k * t.h;
        t.test = t.train + t.n;
        contest_add(c, &t);
    }
}

int bench_forecast_m3(int argc, char **argv) {
    contest c = { NULL };
    const char *path = NULL;
    uint32_t origins = 1, first = 0;
    int holdout = 0;
    const bench_option options[] = {
        { "", BENCH_WORDS, &path, 1 },          { "--model", BENCH_TEXT, &c.model, 0 },
        { "--holdout", BENCH_FLAG, &holdout, 0 }, { "--origins", BENCH_COUNT, &origins, 0 },
        { "--first", BENCH_COUNT, &first, 0 },  { "--r", BENCH_COUNT, &c.r, 0 },
        { "--r-methods", BENCH_TEXT, &c.r_methods, 0 },
        { "--history", BENCH_COUNT, &c.history, 0 },
        { "--repeat", BENCH_COUNT, &c.repeats, 0 }, { "--plot", BENCH_TEXT, &c.plot, 0 },
    };
    series_set set;
    size_t i;

    bench_args(argc, argv, usage, options, sizeof options / sizeof *options);
    series_read_m3(path, &set);
    for (i = 0; i < set.n && (!first || i < first); i++)
        add(&c, &set.list[i], holdout, origins);
    contest_run(&c, "M3");
    contest_free(&c);
    series_free(&set);
    return 0;
}
