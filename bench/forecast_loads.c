/* SPDX-License-Identifier: MIT */
/* Hourly loads of many keys through one forecaster, hour by hour, judged from daily origins. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast.h"
#include "loads_io.h"
#include "loads_peers.h"
#include "loads_tree.h"
#include "loads_young.h"
#include "loads_zones.h"
#include "plot.h"
#include "scores.h"
#include "series_io.h"
#include "tool.h"

#define DAYS 49u
#define DAY 24u

static const char usage[] =
    "usage: forecast loads --csv F --time-column C --key-column C [--value-column C] [--events F]\n"
    "                      [--min-active X] [--point mean|median|log] [--peer-refit D] [--no-peers]\n"
    "                      [--origin-step H] [--plot FILE.html] [--young] [--tree] [--tsv]\n"
    "  --csv F          a header line, then a row a key and hour, or a row an event without --value-column\n"
    "  --events F       columns from, to, name and perhaps key: what is known ahead\n"
    "  --min-active X   score the keys that have load in at least a share X of all hours; default 0\n"
    "                   (and each from its first load on: before that nobody can know it)\n"
    "  --point P        what of the forecast is judged: its mean (default), its median, or log: the mean\n"
    "                   of log(1+n) that its quantiles give\n"
    "  --peer-refit D   origins between fits of the peers; default 7, each hour in between is an update\n"
    "  --origin-step H  hours between origins; default 24: all at one hour of the day. 25 goes round the clock\n"
    "  --young          only: keys under two weeks, with segments and without\n"
    "  --tree           only: total, segments and tenants, each alone and made to agree";

enum { POINT_LOG, POINT_MEAN, POINT_MEDIAN, POINTS };
static const char *const point_names[POINTS] = { "log", "mean", "median" };

typedef struct replay {
    loads l;
    uint8_t *wanted;     /* Shape [keys] */
    psh_forecaster *f;
    zones *z;
    peers *p;            /* NULL: none */
    size_t first;        /* hour of the first origin */
    uint32_t step;       /* hours between origins */
    int point;
    double error[POINTS][LEADS], count[LEADS], inside[LEADS];
    double none;         /* forecasts refused: judged as 0 */
    double feed_s, ask_s;
} replay;

/* The points of one forecast at one step. @return whether y lies in the central 90 %. */
static int judge(const psh_forecast_spec *s, uint32_t step, double y, double point[POINTS]) {
    const double *q = s->quantiles + (size_t)step * s->level_count;
    double low = -HUGE_VAL, high = HUGE_VAL;
    uint32_t k;

    point[POINT_MEAN] = point[POINT_MEDIAN] = log1p(s->mean[step]);
    point[POINT_LOG] = s->level_count ? score_log_mean(s->levels, q, s->level_count) : point[POINT_MEAN];
    for (k = 0; k < s->level_count; k++) {
        if (fabs(s->levels[k] - 0.05) < 1e-9)
            low = q[k];
        if (fabs(s->levels[k] - 0.95) < 1e-9)
            high = q[k];
        if (fabs(s->levels[k] - 0.5) < 1e-9)
            point[POINT_MEDIAN] = log1p(q[k]);
    }
    return y >= low && y <= high;
}

static void score_key(replay *r, size_t key, size_t t, const psh_forecast *f) {
    psh_forecast_spec s = { sizeof s };
    double point[POINTS] = { 0 }, y, e;
    uint32_t k, i;
    int inside;

    if (f)
        bench_must(psh_forecast_describe(f, &s), "forecast", NULL);
    for (k = 0; k < LEADS && t + bench_leads[k] <= r->l.hours; k++) {
        y = loads_at(&r->l, key, t + bench_leads[k] - 1);
        inside = f ? judge(&s, bench_leads[k] - 1, y, point) : y == 0;
        for (i = 0; i < POINTS; i++) {
            e = point[i] - log1p(y);
            r->error[i][k] += e * e;
        }
        r->inside[k] += inside;
        r->count[k]++;
    }
}

static void ask_key(replay *r, size_t key, size_t t) {
    psh_subject subject = { PSH_SUBJECT_TENANT, 0, r->l.tenant[key] };
    psh_error err = { sizeof err };
    psh_forecast *f = NULL;
    psh_status st;

    st = psh_forecaster_forecast(r->f, &subject, r->l.start + (int64_t)t * PSH_HOUR, FARTHEST, &f, &err);
    if (st == PSH_E_NO_FORECAST)
        r->none++;
    else
        bench_must(st, r->l.key[key], &err);
    score_key(r, key, t, f);
    psh_forecast_unref(f);
}

static void origin(replay *r, size_t t) {
    double begin = bench_now();
    size_t key;

    for (key = 0; key < r->l.keys; key++)
        if (r->wanted[key] && r->l.first[key] < t)
            ask_key(r, key, t);
    r->ask_s += bench_now() - begin;
    zones_origin(r->z, r->f, t);
    if (r->p)
        peers_origin(r->p, t);
}

static void feed(replay *r, size_t t) {
    psh_write_record w = { .struct_size = sizeof w, .time = r->l.start + (int64_t)t * PSH_HOUR };
    double begin = bench_now();
    size_t key;

    for (key = 0; key < r->l.keys; key++) {
        w.rows = (uint64_t)llround(loads_at(&r->l, key, t));
        w.tenant = r->l.tenant[key];
        if (w.rows)
            bench_must(psh_forecaster_observe_write(r->f, &w), r->l.key[key], NULL);
    }
    bench_step(r->f, w.time + PSH_HOUR);
    r->feed_s += bench_now() - begin;
    zones_hour(r->z, t);
    if (r->p)
        peers_hour(r->p, t);
}

static psh_forecaster *make_forecaster(psh_env *env, psh_schema *schema, size_t keys) {
    psh_forecaster_options o;
    psh_error err = { sizeof err };
    psh_forecaster *f = NULL;

    bench_must(psh_forecaster_options_init(&o, sizeof o), "options", NULL);
    o.bucket_ns = PSH_HOUR;
    o.season_short = 24;
    o.season_long = 168;
    o.horizon = FARTHEST;
    o.max_tenants = (uint32_t)keys + 1;
    o.max_series = (uint32_t)keys + 16;
    o.max_bytes = UINT64_C(8) << 30;
    o.lateness_ns = -1;
    bench_must(psh_forecaster_create(env, schema, &o, &f, &err), "forecaster", &err);
    return f;
}

static void announce_all(psh_forecaster *f, const char *path) {
    size_t from, to, name, key, i;
    bench_event e;
    table t;

    table_open(&t, path, ',');
    table_header(&t);
    from = table_column(&t, "from");
    to = table_column(&t, "to");
    name = table_column(&t, "name");
    for (key = SIZE_MAX, i = 0; i < t.names; i++)
        key = strcmp(t.name[i], "key") == 0 ? i : key;
    while (table_next(&t)) {
        e.from = table_time(&t, from);
        e.to = table_time(&t, to);
        e.name = table_text(&t, name);
        e.key = key == SIZE_MAX ? NULL : table_text(&t, key);
        if (e.from >= e.to)
            bench_die(BENCH_BAD_INPUT, "%s: line %zu: an event must end after it begins", path, t.line);
        if (bench_announce(f, &e) != PSH_E_UNSUPPORTED)
            continue;
        bench_say("%s: not used: the forecaster of this build takes no events", path);
        break;
    }
    table_close(&t);
}

/* @return keys that are scored. */
static size_t choose_keys(replay *r, double min_active) {
    size_t key, n = 0;

    r->wanted = bench_alloc(r->l.keys, 1);
    for (key = 0; key < r->l.keys; key++) {
        r->wanted[key] = loads_active(&r->l, key) >= min_active;
        n += r->wanted[key];
    }
    return n;
}

static void print(const replay *r, size_t keys, plot *page) {
    double mse[LEADS];
    char note[160];
    uint32_t k, i;

    snprintf(note, sizeof note, "of %zu; %zu hours, an origin every %u over the last %zu", r->l.keys, r->l.hours,
        r->step, r->l.hours - r->first);
    bench_figure("keys", (double)keys, "count", note);
    for (k = 0; k < LEADS; k++) {
        mse[k] = r->error[r->point][k] / r->count[k];
        snprintf(note, sizeof note, "%.0f forecasts, point: %s", r->count[k], point_names[r->point]);
        bench_figure_of("mse_log1p_%s", bench_lead_names[k], mse[k], "log^2", note);
    }
    for (k = 0; k < LEADS; k++)
        bench_figure_of(
            "coverage90_%s", bench_lead_names[k], r->inside[k] / r->count[k], "share", "of all, pooled");
    zones_print(r->z, page);
    for (i = 0; i < POINTS; i++)
        for (k = 0; k < LEADS; k++) {
            snprintf(note, sizeof note, "mse_%s_%%s", point_names[i]);
            bench_figure_of(note, bench_lead_names[k], r->error[i][k] / r->count[k], "log^2", "by point forecast");
        }
    bench_figure("no_forecast", r->none, "count", "refused, judged as 0");
    bench_figure("feed_s", r->feed_s, "s", "observe and step, fits in it, wall");
    bench_figure("ask_s", r->ask_s, "s", "forecasts of 168 steps, wall");
    if (r->p)
        peers_print(r->p, mse);
}

static int read_point(const char *name) {
    int i;

    for (i = 0; name && i < POINTS; i++)
        if (strcmp(name, point_names[i]) == 0)
            return i;
    if (name)
        bench_die(BENCH_USAGE, "--point: log, mean or median\n%s", usage);
    return POINT_MEAN;
}

/* The last 49 days, or half of what there is, in whole days. */
static size_t first_origin(size_t hours, const char *path) {
    size_t span = hours / 2 < DAYS * DAY ? hours / 2 / DAY * DAY : DAYS * DAY;

    if (!span)
        bench_die(BENCH_BAD_INPUT, "%s: holds %zu hours: at least two days are needed", path, hours);
    return hours - span;
}

static void run(replay *r) {
    size_t t;

    for (t = 0; t < r->l.hours; t++) {
        if (t >= r->first && (t - r->first) % r->step == 0)
            origin(r, t);
        feed(r, t);
    }
}

static void run_part(replay *r, int tree) {
    psh_env *env = NULL;
    psh_schema *schema;

    bench_must(psh_env_create(NULL, &env, NULL), "env", NULL);
    schema = bench_load_schema(env);
    if (tree)
        loads_tree(env, schema, &r->l, r->first, r->step);
    else
        loads_young(env, schema, &r->l, r->wanted, r->first, r->step);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    free(r->wanted);
    loads_free(&r->l);
}

int bench_forecast_loads(int argc, char **argv) {
    const char *path = NULL, *time = NULL, *key = NULL, *value = NULL, *events = NULL, *point = NULL, *page = NULL;
    double min_active = 0;
    uint32_t refit = 7;
    int no_peers = 0, only_young = 0, only_tree = 0;
    replay r = { { 0 } };
    const bench_option options[] = {
        { "--csv", BENCH_TEXT, &path, 1 },           { "--time-column", BENCH_TEXT, &time, 1 },
        { "--key-column", BENCH_TEXT, &key, 1 },     { "--value-column", BENCH_TEXT, &value, 0 },
        { "--events", BENCH_TEXT, &events, 0 },      { "--min-active", BENCH_REAL, &min_active, 0 },
        { "--point", BENCH_TEXT, &point, 0 },        { "--peer-refit", BENCH_COUNT, &refit, 0 },
        { "--no-peers", BENCH_FLAG, &no_peers, 0 },  { "--origin-step", BENCH_COUNT, &r.step, 0 },
        { "--plot", BENCH_TEXT, &page, 0 },          { "--young", BENCH_FLAG, &only_young, 0 },
        { "--tree", BENCH_FLAG, &only_tree, 0 },
    };
    psh_env *env = NULL;
    psh_schema *schema;
    plot *drawn;
    size_t keys;

    r.step = DAY;
    bench_args(argc, argv, usage, options, sizeof options / sizeof *options);
    if (!r.step)
        bench_die(BENCH_USAGE, "--origin-step: at least 1 hour\n%s", usage);
    r.point = read_point(point);
    loads_read(path, time, key, value, &r.l);
    r.first = first_origin(r.l.hours, path);
    keys = choose_keys(&r, min_active);
    if (!keys)
        bench_die(BENCH_USAGE, "--min-active: no key is active in a share of %g of the hours", min_active);
    if (only_young || only_tree) {
        run_part(&r, only_tree);
        return 0;
    }
    drawn = page ? plot_begin(page, "Hourly loads") : NULL;
    bench_must(psh_env_create(NULL, &env, NULL), "env", NULL);
    schema = bench_load_schema(env);
    r.f = make_forecaster(env, schema, r.l.keys);
    r.z = zones_create(&r.l);
    r.p = no_peers ? NULL : peers_create(env, &r.l, r.wanted, refit);
    if (events)
        announce_all(r.f, events);
    run(&r);
    print(&r, keys, drawn);
    if (drawn)
        plot_end(drawn);
    zones_destroy(r.z);
    if (r.p)
        peers_destroy(r.p);
    psh_forecaster_destroy(r.f);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    free(r.wanted);
    loads_free(&r.l);
    return 0;
}
