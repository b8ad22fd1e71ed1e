/* SPDX-License-Identifier: MIT */
/* Days that are announced against ordinary days: day-ahead errors of a run that is told and one that is not. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast.h"
#include "series_io.h"
#include "tool.h"

#define WEEK 7u
#define MOST_STEPS 1440u    /* a day: no bucket is under a minute */
#define MOST_BUCKETS ((size_t)1 << 22)
#define MOST_PARTS 24u      /* of a day, each with an effect of its own */
#define FINE 1000.0         /* values that are not whole are counted in thousandths */

static const char usage[] =
    "usage: forecast events --csv F --time-column C [--hour-column C] --value-column C --event-column C\n"
    "                       [--model NAME] [--refit D] [--tsv]\n"
    "  --hour-column C   hour of the day, where the time column has the date alone\n"
    "  --event-column C  a day with a row that is neither empty nor 0 here is an event; texts are kinds of event\n"
    "  --model NAME      also a single model told by regressors; default prophet, where this build has it\n"
    "  --refit D         days between its fits; default 7";

typedef struct calendar {
    double *value;      /* Shape [days][steps]; absent = 0 */
    uint8_t *seen;      /* Shape [days][steps] */
    char **event;       /* Shape [days], NULL: an ordinary day */
    size_t days, cap;
    uint32_t steps;     /* of a day */
    int64_t start;      /* of day 0 */
    double unit;        /* rows that 1 counts as */
} calendar;

typedef struct row {
    int64_t at;
    double value;
    char *event;
} row;

typedef struct rows {
    row *list;
    size_t n, cap;
} rows;

/* Of one run, by kind of day. */
typedef struct errors {
    double sum[2], count[2]; /* ordinary, event */
} errors;

static int is_event(const char *text) {
    double x;
    char *end;

    if (!*text)
        return 0;
    x = strtod(text, &end);
    return *end || x != 0;
}

static void read_rows(
    const char *path, const char *time, const char *hour, const char *value, const char *event, rows *out) {
    size_t time_at, hour_at, value_at, event_at;
    table t;
    row r;

    table_open(&t, path, ',');
    table_header(&t);
    time_at = table_column(&t, time);
    hour_at = hour ? table_column(&t, hour) : 0;
    value_at = table_column(&t, value);
    event_at = table_column(&t, event);
    while (table_next(&t)) {
        r.at = table_time(&t, time_at);
        r.at += hour ? (int64_t)llround(table_number(&t, hour_at) * (double)PSH_HOUR) : 0;
        r.value = table_number(&t, value_at);
        r.event = is_event(table_text(&t, event_at)) ? bench_copy(table_text(&t, event_at)) : NULL;
        if (r.value < 0)
            bench_die(BENCH_BAD_INPUT, "%s: line %zu: a load must not be negative", path, t.line);
        if (out->n && r.at <= out->list[out->n - 1].at)
            bench_die(BENCH_BAD_INPUT, "%s: line %zu: times must ascend", path, t.line);
        out->list = bench_grow(out->list, &out->cap, out->n, sizeof *out->list);
        out->list[out->n++] = r;
    }
    table_close(&t);
    if (out->n < 2)
        bench_die(BENCH_BAD_INPUT, "%s: has less than two rows", path);
}

/* The shortest step is the bucket, and must divide a day. */
static uint32_t steps_of(const rows *r, const char *path) {
    int64_t least = INT64_MAX, step;
    size_t i;

    for (i = 1; i < r->n; i++) {
        step = r->list[i].at - r->list[i - 1].at;
        least = step < least ? step : least;
    }
    if (least < PSH_MINUTE || least > PSH_DAY / 2 || PSH_DAY % least)
        bench_die(BENCH_BAD_INPUT, "%s: rows must lie a minute to half a day apart, a divisor of a day", path);
    return (uint32_t)(PSH_DAY / least);
}

static void fill(calendar *c, rows *r, const char *path) {
    size_t i, day, at;
    int whole = 1;

    c->steps = steps_of(r, path);
    c->start = (r->list[0].at / PSH_DAY - (r->list[0].at % PSH_DAY < 0)) * PSH_DAY;
    c->days = (size_t)((r->list[r->n - 1].at - c->start) / PSH_DAY) + 1;
    if (c->days > MOST_BUCKETS / c->steps)
        bench_die(BENCH_BAD_INPUT, "%s: %zu days of %u rows are too many", path, c->days, c->steps);
    c->value = bench_alloc(c->days * c->steps, sizeof *c->value);
    c->seen = bench_alloc(c->days * c->steps, 1);
    c->event = bench_alloc(c->days, sizeof *c->event);
    for (i = 0; i < r->n; i++) {
        at = (size_t)((r->list[i].at - c->start) / (PSH_DAY / c->steps));
        day = at / c->steps;
        c->value[at] = r->list[i].value;
        c->seen[at] = 1;
        whole = whole && r->list[i].value == floor(r->list[i].value);
        if (c->event[day])
            free(r->list[i].event);
        else
            c->event[day] = r->list[i].event;
    }
    c->unit = whole ? 1 : FINE;
    free(r->list);
}

static void free_calendar(calendar *c) {
    size_t i;

    for (i = 0; i < c->days; i++)
        free(c->event[i]);
    free(c->event);
    free(c->value);
    free(c->seen);
}

static void score_day(const calendar *c, size_t day, const double *mean, errors *e) {
    size_t at = day * c->steps, kind = c->event[day] != NULL;
    uint32_t i;

    for (i = 0; i < c->steps; i++) {
        if (!c->seen[at + i])
            continue;
        e->sum[kind] += fabs(c->value[at + i] - mean[i]);
        e->count[kind]++;
    }
}

static psh_forecaster *make_forecaster(psh_env *env, psh_schema *schema, const calendar *c) {
    psh_forecaster_options o;
    psh_error err = { sizeof err };
    psh_forecaster *f = NULL;

    bench_must(psh_forecaster_options_init(&o, sizeof o), "options", NULL);
    o.bucket_ns = PSH_DAY / c->steps;
    o.season_short = c->steps;
    o.season_long = WEEK * c->steps;
    o.horizon = c->steps;
    o.lateness_ns = -1;
    bench_must(psh_forecaster_create(env, schema, &o, &f, &err), "forecaster", &err);
    return f;
}

/* All of the calendar, which is known ahead. @return 0: the library takes no events. */
static int announce(const calendar *c, psh_forecaster *f, const char *name) {
    bench_event e;
    size_t day;
    psh_status st;

    for (day = 0; day < c->days; day++) {
        if (!c->event[day])
            continue;
        e.from = c->start + (int64_t)day * PSH_DAY;
        e.to = e.from + PSH_DAY;
        e.name = strtod(c->event[day], NULL) != 0 ? name : c->event[day];
        e.key = NULL;
        st = bench_announce(f, &e);
        if (st == PSH_E_UNSUPPORTED)
            return 0;
        bench_must(st, "event", NULL);
    }
    return 1;
}

static void feed_day(const calendar *c, psh_forecaster *f, size_t day) {
    int64_t width = PSH_DAY / c->steps;
    psh_write_record w = { .struct_size = sizeof w };
    uint32_t i;

    for (i = 0; i < c->steps; i++) {
        w.time = c->start + (int64_t)day * PSH_DAY + (int64_t)i * width;
        w.rows = (uint64_t)llround(c->value[day * c->steps + i] * c->unit);
        if (w.rows)
            bench_must(psh_forecaster_observe_write(f, &w), "observe", NULL);
        bench_step(f, w.time + width);
    }
}

static void ask_day(const calendar *c, psh_forecaster *f, size_t day, errors *e) {
    psh_subject subject = { PSH_SUBJECT_TABLE, 0, 0 };
    psh_forecast_spec s = { sizeof s };
    psh_error err = { sizeof err };
    psh_forecast *made = NULL;
    double mean[MOST_STEPS];
    uint32_t i;

    bench_must(psh_forecaster_forecast(f, &subject, c->start + (int64_t)day * PSH_DAY, c->steps, &made, &err),
        "forecast", &err);
    bench_must(psh_forecast_describe(made, &s), "forecast", NULL);
    for (i = 0; i < c->steps; i++)
        mean[i] = s.mean[i] / c->unit;
    score_day(c, day, mean, e);
    psh_forecast_unref(made);
}

/* @return 0: the run was to be told and could not be. */
static int run_forecaster(psh_env *env, const calendar *c, const char *told, errors *e) {
    psh_schema *schema = bench_load_schema(env);
    psh_forecaster *f = make_forecaster(env, schema, c);
    int done = !told || announce(c, f, told);
    size_t day;

    for (day = 0; done && day < c->days; day++) {
        if (day >= c->days / 2)
            ask_day(c, f, day, e);
        feed_day(c, f, day);
    }
    psh_forecaster_destroy(f);
    psh_schema_unref(schema);
    return done;
}

/* An event has a shape over the day: a regressor a part of it, 1 on event days. */
typedef struct regressors {
    uint32_t n;
    double *x; /* Shape [days * steps][n]; NULL: none */
} regressors;

static regressors make_regressors(const calendar *c) {
    regressors r = { c->steps < MOST_PARTS ? c->steps : MOST_PARTS, NULL };
    size_t i, part;

    r.x = bench_alloc(c->days * c->steps, r.n * sizeof *r.x);
    for (i = 0; i < c->days * c->steps; i++) {
        part = i % c->steps * r.n / c->steps;
        r.x[i * r.n + part] = c->event[i / c->steps] != NULL;
    }
    return r;
}

static const double *regressors_at(const regressors *r, size_t i) {
    return r->x ? r->x + i * r->n : NULL;
}

static psh_model *fit(psh_env *env, const calendar *c, uint32_t kind, const regressors *x, size_t day) {
    psh_model_spec s = { sizeof s, kind, PSH_MODEL_NONNEGATIVE, c->steps, { c->steps, WEEK * c->steps } };
    psh_error err = { sizeof err };
    psh_model *m = NULL;

    s.regressor_count = x->x ? x->n : 0;
    s.regressors = x->x;
    bench_must(psh_model_fit(env, &s, c->value, day * c->steps, &m, &err), psh_model_name(kind), &err);
    return m;
}

/* One model, told or not. */
static void run_model(
    psh_env *env, const calendar *c, uint32_t kind, const regressors *x, uint32_t refit, errors *e) {
    size_t first = c->days / 2, day, at;
    psh_model *m = NULL;
    double mean[MOST_STEPS];
    uint32_t i;

    for (day = first; day < c->days; day++) {
        at = day * c->steps;
        if ((day - first) % refit == 0) {
            psh_model_destroy(m);
            m = fit(env, c, kind, x, day);
        }
        bench_must(psh_model_forecast(m, c->steps, regressors_at(x, at), NULL, 0, mean, NULL), "forecast", NULL);
        score_day(c, day, mean, e);
        for (i = 0; i < c->steps; i++)
            bench_must(psh_model_update(m, c->value[at + i], regressors_at(x, at + i)), "update", NULL);
    }
    psh_model_destroy(m);
}

static void print(const char *prefix, const char *way, const errors *e, const char *note) {
    char name[96];
    size_t kind;

    for (kind = 2; kind-- > 0;) {
        snprintf(name, sizeof name, "%serror_%s_%s", prefix, kind ? "event" : "normal", way);
        bench_figure(name, e->count[kind] > 0 ? e->sum[kind] / e->count[kind] : (double)NAN, "per step", note);
    }
}

static double error_of(const errors *e, size_t kind) {
    return e->count[kind] > 0 ? e->sum[kind] / e->count[kind] : (double)NAN;
}

static void print_pair(const char *prefix, const errors *aware, const errors *unaware, const char *note) {
    char name[96];

    print(prefix, "aware", aware, note);
    print(prefix, "unaware", unaware, note);
    snprintf(name, sizeof name, "%sevent_gain", prefix);
    bench_figure(name, 1 - error_of(aware, 1) / error_of(unaware, 1), "share", "error saved on event days");
}

/* @return 1 if this build has the model; the pair is filled in then. */
static int run_pair(
    psh_env *env, const calendar *c, const char *model, uint32_t refit, errors *aware, errors *unaware) {
    uint32_t kind = psh_model_kind(model);
    regressors none = { 0, NULL }, x;

    if (!kind) {
        bench_say("no model '%s' in this build", model);
        return 0;
    }
    x = make_regressors(c);
    run_model(env, c, kind, &x, refit, aware);
    run_model(env, c, kind, &none, refit, unaware);
    free(x.x);
    return 1;
}

static void compare(const calendar *c, const char *event, const char *model, uint32_t refit) {
    static const errors none;
    errors aware = { { 0 } }, unaware = { { 0 } }, told = { { 0 } }, plain = { { 0 } };
    psh_env *env = NULL;
    char prefix[64];
    int knows, has;

    bench_must(psh_env_create(NULL, &env, NULL), "env", NULL);
    run_forecaster(env, c, NULL, &unaware);
    knows = run_forecaster(env, c, event, &aware);
    has = run_pair(env, c, model, refit, &told, &plain);
    snprintf(prefix, sizeof prefix, "%s_", model);
    if (knows) {
        print_pair("", &aware, &unaware, "forecaster, day ahead, mean absolute error over the second half");
    } else if (has) {
        print_pair("", &told, &plain, "a single model with regressors: this forecaster takes no events");
        print("forecaster_", "unaware", &unaware, "forecaster, day ahead");
    } else {
        print("", "aware", &none, "this build takes no events");
        print("", "unaware", &unaware, "forecaster, day ahead, mean absolute error over the second half");
    }
    if (has)
        print_pair(prefix, &told, &plain, "a single model with regressors");
    bench_figure("event_steps", unaware.count[1], "count", "scored on event days");
    bench_figure("normal_steps", unaware.count[0], "count", "scored on ordinary days");
    psh_env_destroy(env);
}

int bench_forecast_events(int argc, char **argv) {
    const char *path = NULL, *time = NULL, *hour = NULL, *value = NULL, *event = NULL, *model = "prophet";
    uint32_t refit = 7;
    const bench_option options[] = {
        { "--csv", BENCH_TEXT, &path, 1 },           { "--time-column", BENCH_TEXT, &time, 1 },
        { "--hour-column", BENCH_TEXT, &hour, 0 },   { "--value-column", BENCH_TEXT, &value, 1 },
        { "--event-column", BENCH_TEXT, &event, 1 }, { "--model", BENCH_TEXT, &model, 0 },
        { "--refit", BENCH_COUNT, &refit, 0 },
    };
    calendar c = { NULL };
    rows r = { NULL };

    bench_args(argc, argv, usage, options, sizeof options / sizeof *options);
    if (!refit)
        bench_die(BENCH_USAGE, "--refit: at least 1 day\n%s", usage);
    read_rows(path, time, hour, value, event, &r);
    fill(&c, &r, path);
    if (c.days < 2)
        bench_die(BENCH_BAD_INPUT, "%s: at least two days are needed", path);
    compare(&c, event, model, refit);
    free_calendar(&c);
    return 0;
}
