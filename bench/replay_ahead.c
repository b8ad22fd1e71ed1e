/* SPDX-License-Identifier: MIT */
#include "replay_ahead.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast.h"
#include "series_io.h"
#include "tool.h"

#define FINE 1000.0       /* loads that are not whole are counted in thousandths */
#define SEED 20260101u
#define DEFAULT_EVENT (2 * PSH_HOUR)
#define PIECE (15 * PSH_MINUTE)

static ahead *make_ahead(const ahead_source *s) {
    ahead *a = bench_alloc(1, sizeof *a);

    a->n = s->r->minutes / s->step;
    a->step_ns = s->step * PSH_MINUTE;
    a->mean = bench_alloc(a->n * AHEAD_STEPS, sizeof *a->mean);
    a->quantile = bench_alloc(a->n * AHEAD_STEPS * AHEAD_LEVELS, sizeof *a->quantile);
    return a;
}

void ahead_free(ahead *a) {
    if (!a)
        return;
    free(a->mean);
    free(a->quantile);
    free(a);
}

static double load_of(const ahead_source *s, size_t t) {
    double sum = 0;
    uint32_t k;

    for (k = 0; k < s->step; k++)
        sum += s->r->count[t * s->step + k];
    return sum;
}

static double unit_of(const ahead_source *s) {
    size_t i;

    for (i = 0; i < s->r->minutes; i++)
        if (s->r->count[i] != floor(s->r->count[i]))
            return FINE;
    return 1;
}

static psh_forecaster *make_forecaster(psh_env *env, psh_schema *schema, const ahead_source *s) {
    psh_forecaster_options o;
    psh_error err = { sizeof err };
    psh_forecaster *f = NULL;

    bench_must(psh_forecaster_options_init(&o, sizeof o), "options", NULL);
    o.bucket_ns = s->step * PSH_MINUTE;
    o.season_short = 1440 / s->step;
    o.season_long = 7 * o.season_short;
    o.horizon = AHEAD_STEPS;
    o.max_events = 65536;
    o.lateness_ns = -1;
    bench_must(psh_forecaster_create(env, schema, &o, &f, &err), "forecaster", &err);
    return f;
}

static int is_name(const char *name, const char *wanted, size_t size) {
    size_t i;

    for (i = 0; i < size && tolower((unsigned char)name[i]) == wanted[i]; i++)
        ;
    return i == size && !name[i];
}

/* The column of the header with the first of these names, which blanks part; SIZE_MAX: none. */
static size_t find_column(const table *t, const char *names) {
    size_t i, size;

    for (; *names; names += size + (names[size] == ' ')) {
        size = strcspn(names, " ");
        for (i = 0; i < t->names; i++)
            if (is_name(t->name[i], names, size))
                return i;
    }
    return SIZE_MAX;
}

/* The calendar tells the hours of an event apart; what a match does lasts minutes. So a short one is told in
 * pieces, each a kind of its own. Two at once of one kind are one. */
static void announce_pieces(psh_forecaster *f, const bench_event *e, const char *path) {
    int64_t width = e->to - e->from <= PSH_DAY ? PIECE : e->to - e->from, at;
    bench_event piece = *e;
    char name[128];
    psh_status st;

    for (at = e->from; at < e->to; at += width) {
        snprintf(name, sizeof name, "%.80s %lld", e->name, (long long)((at - e->from) / width));
        piece.name = name;
        piece.from = at;
        piece.to = at + width < e->to ? at + width : e->to;
        st = bench_announce(f, &piece);
        if (st != PSH_E_EXISTS)
            bench_must(st, path, NULL);
    }
}

/* Without an end a date is its day. */
static int64_t usual_length(const char *from) {
    return strlen(from) <= 10 && strpbrk(from, "-/") ? PSH_DAY : DEFAULT_EVENT;
}

static void announce(psh_forecaster *f, const ahead_source *s) {
    size_t from, to, name;
    bench_event e;
    table t;

    table_open(&t, s->events, ',');
    table_header(&t);
    from = find_column(&t, "from start begin kickoff time minute timestamp date");
    to = find_column(&t, "to end until stop");
    name = find_column(&t, "name kind event label type");
    if (from == SIZE_MAX)
        bench_die(BENCH_BAD_INPUT, "%s: its header must name a column from", s->events);
    while (table_next(&t)) {
        e.from = requests_time(table_text(&t, from), s->events, t.line);
        e.to = e.from + usual_length(table_text(&t, from));
        e.to = to == SIZE_MAX ? e.to : requests_time(table_text(&t, to), s->events, t.line);
        if (e.from >= e.to)
            bench_die(BENCH_BAD_INPUT, "%s: line %zu: an event must end after it begins", s->events, t.line);
        e.from -= s->margin;
        e.to += s->margin;
        e.name = name == SIZE_MAX ? "event" : table_text(&t, name);
        e.key = NULL;
        announce_pieces(f, &e, s->events);
    }
    table_close(&t);
}

static void keep(ahead *a, size_t t, const psh_forecast_spec *s, double unit) {
    uint32_t i, k;

    if (s->level_count > AHEAD_LEVELS)
        bench_die(BENCH_INTERNAL, "a forecast of %u quantiles", s->level_count);
    a->level_count = s->level_count;
    memcpy(a->level, s->levels, s->level_count * sizeof *a->level);
    for (i = 0; i < AHEAD_STEPS; i++) {
        a->mean[t * AHEAD_STEPS + i] = (float)(s->mean[i] / unit);
        for (k = 0; k < s->level_count; k++)
            a->quantile[(t * AHEAD_STEPS + i) * AHEAD_LEVELS + k] =
                (float)(s->quantiles[(size_t)i * s->level_count + k] / unit);
    }
}

static void ask(psh_forecaster *f, ahead *a, size_t t, int64_t now, double unit) {
    psh_subject subject = { PSH_SUBJECT_TABLE, 0, 0 };
    psh_forecast_spec s = { sizeof s };
    psh_error err = { sizeof err };
    psh_forecast *made = NULL;
    psh_status st = psh_forecaster_forecast(f, &subject, now, AHEAD_STEPS, &made, &err);

    a->mean[t * AHEAD_STEPS] = -1;
    if (st == PSH_E_NO_FORECAST)
        return;
    bench_must(st, "forecast", &err);
    bench_must(psh_forecast_describe(made, &s), "forecast", NULL);
    keep(a, t, &s, unit);
    psh_forecast_unref(made);
}

ahead *ahead_forecaster(psh_env *env, const ahead_source *s) {
    psh_schema *schema = bench_load_schema(env);
    psh_forecaster *f = make_forecaster(env, schema, s);
    psh_write_record w = { .struct_size = sizeof w };
    ahead *a = make_ahead(s);
    double unit = unit_of(s);
    size_t t;

    if (s->events)
        announce(f, s);
    for (t = 0; t < a->n; t++) {
        w.time = s->r->start + (int64_t)t * a->step_ns;
        w.rows = (uint64_t)llround(load_of(s, t) * unit);
        if (w.rows)
            bench_must(psh_forecaster_observe_write(f, &w), "observe", NULL);
        bench_step(f, w.time + a->step_ns);
        ask(f, a, t, w.time + a->step_ns, unit);
    }
    psh_forecaster_destroy(f);
    psh_schema_unref(schema);
    return a;
}

ahead *ahead_naive(const ahead_source *s) {
    ahead *a = make_ahead(s);
    size_t day = 1440 / s->step, week = 7 * day, t, at;
    uint32_t i;

    for (t = 0; t < a->n; t++)
        for (i = 0; i < AHEAD_STEPS; i++) {
            at = t + 1 + i;
            at = at >= week ? at - week : at >= day ? at - day : t;
            a->mean[t * AHEAD_STEPS + i] = (float)load_of(s, at);
        }
    return a;
}

ahead *ahead_shuffled(const ahead *a) {
    size_t row = AHEAD_STEPS * AHEAD_LEVELS, t, at;
    ahead *b = bench_alloc(1, sizeof *b);
    uint64_t seed = SEED;
    size_t *from = bench_alloc(a->n, sizeof *from);

    *b = *a;
    b->mean = bench_alloc(a->n * AHEAD_STEPS, sizeof *b->mean);
    b->quantile = bench_alloc(a->n * row, sizeof *b->quantile);
    for (t = 0; t < a->n; t++) { /* Fisher and Yates, inside out */
        at = (size_t)(bench_random(&seed) % (t + 1));
        from[t] = from[at];
        from[at] = t;
    }
    for (t = 0; t < a->n; t++) {
        memcpy(b->mean + t * AHEAD_STEPS, a->mean + from[t] * AHEAD_STEPS, AHEAD_STEPS * sizeof *b->mean);
        memcpy(b->quantile + t * row, a->quantile + from[t] * row, row * sizeof *b->quantile);
    }
    free(from);
    return b;
}

psh_forecast *ahead_make(psh_env *env, const ahead *a, size_t t, int64_t from) {
    double mean[AHEAD_STEPS], q[AHEAD_STEPS * AHEAD_LEVELS];
    psh_forecast_spec s = { .struct_size = sizeof s, .subject = { PSH_SUBJECT_TABLE, 0, 0 } };
    psh_error err = { sizeof err };
    psh_forecast *f = NULL;
    uint32_t i, k;

    if (a->mean[t * AHEAD_STEPS] < 0)
        return NULL;
    for (i = 0; i < AHEAD_STEPS; i++) {
        mean[i] = (double)a->mean[t * AHEAD_STEPS + i];
        for (k = 0; k < a->level_count; k++)
            q[i * a->level_count + k] = (double)a->quantile[(t * AHEAD_STEPS + i) * AHEAD_LEVELS + k];
    }
    s.made_at = s.from = from;
    s.step_ns = a->step_ns;
    s.steps = AHEAD_STEPS;
    s.level_count = a->level_count;
    s.mean = mean;
    s.levels = a->level;
    s.quantiles = q;
    bench_must(psh_forecast_create(env, &s, &f, &err), "forecast", &err);
    return f;
}
