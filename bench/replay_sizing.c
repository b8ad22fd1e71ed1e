/* SPDX-License-Identifier: MIT */
/* Capacity for each key and day, or hour, sized before the day: what is ready, and how much lies idle for it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast.h"
#include "loads_io.h"
#include "replay.h"
#include "tool.h"

#define DAY 24u
#define WEEKS 4u         /* that peers look back */
#define DAYS 49u         /* judged: the last, or half of what there is */
#define PRACTICE 28u     /* days before, on which the first level is chosen */
#define MARGIN 1.15
#define LEVELS 26u
#define SAMPLES 8u
#define MARGINS 31u
#define WANTED 0.99
#define MISSES 0.0033    /* aimed at: a third of what WANTED allows, for what the next day changes */
#define RATE 0.25        /* a day with twice those misses multiplies the chance above the level by exp(-RATE) */

enum { UP, NEAREST, ROUNDINGS };
static const char *const rounding_names[ROUNDINGS] = { "up", "nearest" };

static const char usage[] =
    "usage: replay sizing --csv F --time-column C --key-column C [--value-column C] [--frontier] [--tsv]\n"
    "  --frontier  also every quantile and every margin\n"
    "  --csv F     a header line, then a row a key and hour, or a row an event without --value-column";

/* Sums over keys and spans. */
typedef struct account {
    double load, over;
    double spans, ready; /* counts; ready: the load was within the capacity */
} account;

typedef struct sizing {
    const loads *l;
    uint32_t span;                 /* hours that one reservation holds for: 24 or 1 */
    size_t days, first;            /* first: day from which is judged */
    psh_forecaster *f;
    account level[ROUNDINGS][LEVELS]; /* by the mean of the forecast's quantile and of eight weeks' */
    account alone[ROUNDINGS][LEVELS]; /* by the forecast's quantile alone */
    account chosen, today;            /* the level that the past asked for: as judged, and on this day */
    account mean, weekday;            /* peers: mean of the latest 28 days, of the latest 4 same weekdays */
    account most[ROUNDINGS][MARGINS]; /* the largest of 4 weeks at this hour, times a margin */
    double chance;                    /* left above the level now */
    int judged;
    double none;
} sizing;

static double level_at(uint32_t i) {
    return i < LEVELS - 1 ? 0.5 + 0.02 * i : 0.99;
}

static double margin_at(uint32_t i) {
    return 1 + 0.1 * i;
}

/* Load of a span that begins `back` hours before hour `at`. */
static double load_at(const sizing *z, size_t key, size_t at) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < z->span; i++)
        sum += loads_at(z->l, key, at + i);
    return sum;
}

/* What is reserved is whole. A quantile drawn through counts lies half a one above them, a multiple does not: each
 * contestant has both ways of rounding. */
static double whole(double capacity, int rounding) {
    return rounding == UP ? ceil(capacity - 1e-6) : floor(capacity + 0.5);
}

static void charge(account *a, double load, double capacity) {
    a->spans++;
    a->ready += load <= capacity;
    a->load += load;
    a->over += fmax(capacity - load, 0);
}

static double ready(const account *a) {
    return a->spans > 0 ? a->ready / a->spans : 1;
}

static double over(const account *a) {
    return a->load > 0 ? a->over / a->load : 0;
}

/* Straight between levels, and beyond them the last. */
static double quantile_at(const psh_forecast_spec *s, uint32_t step, double level) {
    const double *q = s->quantiles + (size_t)step * s->level_count;
    uint32_t k = 0;

    while (k < s->level_count && s->levels[k] < level)
        k++;
    if (k == 0 || k == s->level_count)
        return q[k ? k - 1 : 0];
    return q[k - 1] + (q[k] - q[k - 1]) * (level - s->levels[k - 1]) / (s->levels[k] - s->levels[k - 1]);
}

static double largest(const sizing *z, size_t key, size_t at) {
    double most = 0;
    uint32_t i;

    for (i = 1; i <= WEEKS; i++)
        most = fmax(most, load_at(z, key, at - (size_t)i * 7 * DAY));
    return most;
}

static void charge_peers(sizing *z, size_t key, size_t at, double load) {
    double sum = 0, most = largest(z, key, at), all = 0;
    uint32_t i;

    for (i = 1; i <= WEEKS; i++)
        sum += load_at(z, key, at - (size_t)i * 7 * DAY);
    for (i = 1; i <= 7 * WEEKS; i++)
        all += load_at(z, key, at - (size_t)i * DAY);
    charge(&z->weekday, load, whole(MARGIN * sum / WEEKS, UP));
    charge(&z->mean, load, whole(MARGIN * all / (7 * WEEKS), UP));
    for (i = 0; i < MARGINS; i++) {
        charge(&z->most[UP][i], load, whole(margin_at(i) * most, UP));
        charge(&z->most[NEAREST][i], load, whole(margin_at(i) * most, NEAREST));
    }
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Loads of the latest weeks at this hour of the week, ascending. */
static uint32_t look_back(const sizing *z, size_t key, size_t at, double past[SAMPLES]) {
    uint32_t n = 0;

    while (n < SAMPLES && (size_t)(n + 1) * 7 * DAY <= at) {
        past[n] = load_at(z, key, at - (size_t)(n + 1) * 7 * DAY);
        n++;
    }
    qsort(past, n, sizeof *past, by_size);
    return n;
}

/* Straight between order statistics. */
static double sample_at(const double *past, uint32_t n, double level) {
    double at = level * (n - 1);
    uint32_t i = (uint32_t)at;

    return i + 1 < n ? past[i] + (past[i + 1] - past[i]) * (at - i) : past[n - 1];
}

/* What is known of one key and span before its day. */
typedef struct evidence {
    const psh_forecast_spec *s; /* NULL: no forecast, e.g. of a key just met: as large as ever in four weeks */
    uint32_t step;
    double past[SAMPLES];
    uint32_t n;
    double fallback;
} evidence;

static double forecast_at(const evidence *e, double level) {
    return e->s ? quantile_at(e->s, e->step, level) : e->fallback;
}

/* The mean of both quantiles: Lichtendahl, Grushka-Cockayne & Winkler 2013, "Is it better to average probabilities or
 * quantiles?" */
static double pooled_at(const evidence *e, double level) {
    return e->n ? 0.5 * (forecast_at(e, level) + sample_at(e->past, e->n, level)) : forecast_at(e, level);
}

static void charge_levels(sizing *z, const evidence *e, double load) {
    double capacity = whole(pooled_at(e, 1 - z->chance), UP);
    uint32_t i;
    int k;

    charge(&z->today, load, capacity);
    if (!z->judged)
        return;
    charge(&z->chosen, load, capacity);
    for (i = 0; i < LEVELS; i++)
        for (k = 0; k < ROUNDINGS; k++) {
            charge(&z->level[k][i], load, whole(pooled_at(e, level_at(i)), k));
            charge(&z->alone[k][i], load, whole(forecast_at(e, level_at(i)), k));
        }
}

static void judge_key(sizing *z, size_t key, size_t day) {
    psh_subject subject = { PSH_SUBJECT_TENANT, 0, z->l->tenant[key] };
    uint32_t steps = DAY / z->span, step;
    psh_forecast_spec s = { sizeof s };
    psh_error err = { sizeof err };
    psh_forecast *f = NULL;
    psh_status st;
    evidence e;
    double load;
    size_t at;

    st = psh_forecaster_forecast(z->f, &subject, z->l->start + (int64_t)(day * DAY) * PSH_HOUR, steps, &f, &err);
    if (st == PSH_E_NO_FORECAST)
        z->none++;
    else
        bench_must(st, z->l->key[key], &err);
    if (f)
        bench_must(psh_forecast_describe(f, &s), "forecast", NULL);
    for (step = 0; step < steps; step++) {
        at = day * DAY + (size_t)step * z->span;
        load = load_at(z, key, at);
        e.s = f && s.level_count ? &s : NULL;
        e.step = step;
        e.n = look_back(z, key, at, e.past);
        e.fallback = largest(z, key, at);
        charge_levels(z, &e, load);
        if (z->judged)
            charge_peers(z, key, at, load);
    }
    psh_forecast_unref(f);
}

/* After each day, by its misses: Gibbs & Candes 2021, on the logarithm of the chance. */
static void adapt(sizing *z) {
    double misses = 1 - ready(&z->today);

    z->chance *= exp(RATE * fmax(1 - misses / MISSES, -4));
    z->chance = fmin(fmax(z->chance, 0.001), 0.5);
    memset(&z->today, 0, sizeof z->today);
}

static void feed_day(sizing *z, size_t day) {
    psh_write_record w = { .struct_size = sizeof w };
    size_t at, key;

    for (at = day * DAY; at < (day + 1) * DAY; at += z->span) {
        w.time = z->l->start + (int64_t)at * PSH_HOUR;
        for (key = 0; key < z->l->keys; key++) {
            w.rows = (uint64_t)llround(load_at(z, key, at));
            w.tenant = z->l->tenant[key];
            if (w.rows)
                bench_must(psh_forecaster_observe_write(z->f, &w), z->l->key[key], NULL);
        }
        bench_step(z->f, w.time + (int64_t)z->span * PSH_HOUR);
    }
}

static psh_forecaster *make_forecaster(psh_env *env, psh_schema *schema, const sizing *z) {
    psh_forecaster_options o;
    psh_error err = { sizeof err };
    psh_forecaster *f = NULL;

    bench_must(psh_forecaster_options_init(&o, sizeof o), "options", NULL);
    o.bucket_ns = (int64_t)z->span * PSH_HOUR;
    o.season_short = z->span == 1 ? 24 : 7;
    o.season_long = z->span == 1 ? 168 : 28;
    o.horizon = z->span == 1 ? 24 : 7;
    o.max_tenants = (uint32_t)z->l->keys + 1;
    o.max_series = (uint32_t)z->l->keys + 16;
    o.max_bytes = UINT64_C(8) << 30;
    o.lateness_ns = -1;
    bench_must(psh_forecaster_create(env, schema, &o, &f, &err), "forecaster", &err);
    return f;
}

static void run(psh_env *env, sizing *z) {
    psh_schema *schema = bench_load_schema(env);
    size_t day, key;

    z->f = make_forecaster(env, schema, z);
    for (day = 0; day < z->days; day++) {
        z->judged = day >= z->first;
        for (key = 0; day + PRACTICE >= z->first && key < z->l->keys; key++)
            if (z->l->first[key] < day * DAY)
                judge_key(z, key, day);
        if (day + PRACTICE >= z->first)
            adapt(z);
        feed_day(z, day);
    }
    psh_forecaster_destroy(z->f);
    psh_schema_unref(schema);
}

static void print_account(const char *name, const account *a, const char *note) {
    bench_figure_of("%s_ready", name, ready(a), "share", note);
    bench_figure_of("%s_over", name, over(a), "share", note);
}

/* The least that lies idle at a readiness, straight between neighbours of a frontier; NaN: never reached. */
static double over_at(const account *a, uint32_t n, double wanted) {
    double low, high;
    uint32_t i;

    for (i = 0; i < n && ready(&a[i]) < wanted; i++)
        ;
    if (i == n)
        return (double)NAN;
    if (i == 0)
        return over(&a[0]);
    low = ready(&a[i - 1]);
    high = ready(&a[i]);
    return over(&a[i - 1]) + (over(&a[i]) - over(&a[i - 1])) * (wanted - low) / (high - low);
}

static double better(const account a[ROUNDINGS][LEVELS], double wanted) {
    return fmin(over_at(a[UP], LEVELS, wanted), over_at(a[NEAREST], LEVELS, wanted));
}

/* A figure that no point of its frontier reaches is left out. */
static void print_equal(const sizing *z, const char *what, double wanted) {
    double peer = fmin(over_at(z->most[UP], MARGINS, wanted), over_at(z->most[NEAREST], MARGINS, wanted));
    double ours = better(z->level, wanted), alone = better(z->alone, wanted);
    char name[64];

    snprintf(name, sizeof name, "%s_ready%g", what, 100 * wanted);
    if (!isnan(ours))
        bench_figure_of("%s_over", name, ours, "share", "idle over load at this readiness, by quantile");
    if (!isnan(alone))
        bench_figure_of("%s_alone_over", name, alone, "share", "by the forecast's quantile alone");
    if (!isnan(peer))
        bench_figure_of("%s_peer_over", name, peer, "share", "four-week maximum with the margin that gives it");
    if (!isnan(peer) && !isnan(ours))
        bench_figure_of("%s_ratio", name, ours / peer, "ratio", "ours over the peer's");
}

static void print_frontier(const sizing *z, const char *what) {
    char name[64], note[64];
    uint32_t i, k;

    for (k = 0; k < ROUNDINGS; k++) {
        snprintf(note, sizeof note, "rounded %s", rounding_names[k]);
        for (i = 0; i < LEVELS; i++) {
            snprintf(name, sizeof name, "%s_q%g_%s", what, level_at(i), rounding_names[k]);
            print_account(name, &z->level[k][i], note);
        }
        for (i = 0; i < MARGINS; i++) {
            snprintf(name, sizeof name, "%s_max%g_%s", what, margin_at(i), rounding_names[k]);
            print_account(name, &z->most[k][i], note);
        }
    }
}

static void print_sizing(const sizing *z, const char *what, int frontier) {
    static const double wanted[] = { 0.95, 0.97, 0.98, WANTED };
    char name[64];
    uint32_t i;

    print_account(what, &z->chosen, "the quantile moves day by day with the misses, rounded up");
    if (z->span == DAY) {
        print_account("day_peer_mean", &z->mean, "mean of 28 days x 1.15, rounded up");
        print_account("day_peer_weekday", &z->weekday, "mean of 4 same weekdays x 1.15, rounded up");
    }
    for (i = 0; i < sizeof wanted / sizeof *wanted; i++)
        print_equal(z, what, wanted[i]);
    snprintf(name, sizeof name, "%s_peer_best_ready", what);
    bench_figure(name, fmax(ready(&z->most[UP][MARGINS - 1]), ready(&z->most[NEAREST][MARGINS - 1])), "share",
        "four times the four-week maximum");
    snprintf(name, sizeof name, "%s_no_forecast", what);
    bench_figure(name, z->none, "count", "refused, sized by the four-week maximum");
    if (frontier)
        print_frontier(z, what);
}

static void size_spans(psh_env *env, const loads *l, uint32_t span, const char *what, int frontier) {
    sizing *z = bench_alloc(1, sizeof *z);

    z->l = l;
    z->span = span;
    z->days = l->hours / DAY;
    z->chance = 1 - WANTED;
    z->first = z->days / 2 < DAYS ? z->days - z->days / 2 : z->days - DAYS;
    run(env, z);
    print_sizing(z, what, frontier);
    free(z);
}

int replay_sizing(int argc, char **argv) {
    const char *path = NULL, *time = NULL, *key = NULL, *value = NULL;
    int frontier = 0;
    const bench_option options[] = {
        { "--csv", BENCH_TEXT, &path, 1 },
        { "--time-column", BENCH_TEXT, &time, 1 },
        { "--key-column", BENCH_TEXT, &key, 1 },
        { "--value-column", BENCH_TEXT, &value, 0 },
        { "--frontier", BENCH_FLAG, &frontier, 0 },
    };
    psh_env *env = NULL;
    loads l;

    bench_args(argc, argv, usage, options, sizeof options / sizeof *options);
    loads_read(path, time, key, value, &l);
    if (l.hours / DAY < 2 * 7 * WEEKS)
        bench_die(BENCH_BAD_INPUT, "%s: holds %zu hours: at least eight weeks are needed", path, l.hours);
    bench_must(psh_env_create(NULL, &env, NULL), "env", NULL);
    size_spans(env, &l, DAY, "day", frontier);
    size_spans(env, &l, 1, "hour", frontier);
    psh_env_destroy(env);
    loads_free(&l);
    return 0;
}
