/* SPDX-License-Identifier: MIT */
#include "grid.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <predshard.h>

typedef struct span {
    const forecast_options *o;
    const rows *r;
    const row *row; /* of one key */
    size_t count;
    failure *f;
} span;

static int64_t time_at(const span *s, size_t i) {
    return s->r->time_kind == TIME_NONE ? (int64_t)i : s->row[i].time;
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* The distance between rows of one key that is there most often, the shortest of such; 0 if there is none. */
static int most_usual(const span *s, int64_t *out) {
    int64_t *distance = malloc(sizeof *distance * s->count);
    size_t i, n = 0, run = 0, best = 0;

    if (!distance)
        return fail_memory(s->f);
    for (i = 1; i < s->count; i++)
        if (s->row[i].key == s->row[i - 1].key)
            distance[n++] = time_at(s, i) - time_at(s, i - 1);
    qsort(distance, n, sizeof *distance, by_size);
    *out = 0;
    for (i = 0; i < n; i++) {
        run = i && distance[i] == distance[i - 1] ? run + 1 : 1;
        if (run > best) {
            best = run;
            *out = distance[i];
        }
    }
    free(distance);
    return EXIT_DONE;
}

static int64_t month_of(int64_t t) {
    clock_date d = clock_date_of(t / PSH_DAY - (t % PSH_DAY < 0));

    return d.year * 12 + d.month - 1;
}

static int64_t common(int64_t a, int64_t b) {
    while (b) {
        int64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* Rows on one day of the month each, or each on the month's last, are calendar months apart. */
static int32_t whole_months(const span *s, int64_t usual) {
    int64_t start = time_at(s, 0), months = 0, at;
    size_t i;

    if (s->r->time_kind != TIME_CLOCK || usual < 28 * PSH_DAY)
        return 0;
    for (i = 1; i < s->count; i++) {
        if (s->row[i].key != s->row[i - 1].key) {
            start = time_at(s, i);
            continue;
        }
        at = month_of(time_at(s, i)) - month_of(start);
        if (at <= 0 || (clock_add_months(start, at) != time_at(s, i)
            && clock_add_months(start + PSH_DAY, at) - PSH_DAY != time_at(s, i)))
            return 0;
        months = common(months, at);
    }
    return months <= 1200 ? (int32_t)months : 0;
}

int grid_step(const forecast_options *o, const rows *r, grid *out, failure *f) {
    span s = { o, r, r->row, r->count, f };
    int64_t usual = 1;

    memset(out, 0, sizeof *out);
    out->time_kind = r->time_kind;
    out->months = o->step_months;
    out->step = o->step_ns;
    if (r->time_kind == TIME_NONE || (r->time_kind == TIME_INDEX && (out->months || out->step)))
        out->months = 0, out->step = 1; /* the option then says what one of the index is */
    if (out->months || out->step)
        return EXIT_DONE;
    if (most_usual(&s, &usual))
        return f->code;
    if (usual == 0 && r->time_kind == TIME_CLOCK)
        return fail(f, EXIT_BAD_INPUT,
            "%s: line %" PRIu64 ": one row alone has no step: pass --step, as in --step 1h",
            o->input, r->row[0].line);
    out->months = whole_months(&s, usual);
    out->step = out->months ? 0 : usual ? usual : 1;
    return EXIT_DONE;
}

/* The place of a time on the grid, the nearest; *off tells whether it lay beside. */
static size_t place(const grid *g, int64_t t, int *off) {
    int64_t i;

    if (g->months) {
        i = (month_of(t) - month_of(g->start)) / g->months;
        *off = clock_add_months(g->start, i * g->months) != t
            && clock_add_months(g->start + PSH_DAY, i * g->months) - PSH_DAY != t;
        return (size_t)i;
    }
    i = (t - g->start) / g->step + ((t - g->start) % g->step * 2 >= g->step);
    *off = (t - g->start) % g->step != 0;
    return (size_t)i;
}

static int too_long(const span *s, size_t count) {
    char from[CLOCK_TEXT], to[CLOCK_TEXT];

    clock_text(time_at(s, 0), from);
    clock_text(time_at(s, s->count - 1), to);
    return fail(s->f, EXIT_BAD_INPUT,
        "%s: line %" PRIu64 ": %zu steps from %s to %s, the most is %u: give a longer --step, or "
        "correct the times", s->o->input, s->row[s->count - 1].line, count, from, to, PSH_MODEL_MOST_VALUES);
}

static int fill(const span *s, grid *g) {
    size_t i, at, last = SIZE_MAX;
    char text[CLOCK_TEXT];
    int off;

    for (i = 0; i < s->count; i++) {
        at = place(g, time_at(s, i), &off);
        if (at == last) {
            grid_step_text(g, text);
            return fail(s->f, EXIT_BAD_INPUT,
                "%s: line %" PRIu64 ": a second row within one step of %s: sum the rows "
                "up to one a step, give a shorter --step, or name a --key-column", s->o->input, s->row[i].line,
                text);
        }
        last = at;
        g->off_grid += (uint64_t)off;
        if (!isnan(s->row[i].value)) {
            g->value[at] = s->row[i].value;
            g->missing[at] = 0;
        }
    }
    return EXIT_DONE;
}

/* What is missing: zero if the caller says so, else marked, and the value before stands in. */
static void fill_missing(const span *s, grid *g) {
    double before = 0;
    size_t i;

    for (i = 0; i < g->count && g->missing[i]; i++)
        ;
    if (i < g->count && !s->o->absent_is_zero)
        before = g->value[i];
    for (i = 0; i < g->count; i++) {
        if (g->missing[i])
            g->value[i] = before;
        else if (!s->o->absent_is_zero)
            before = g->value[i];
        g->missing_count += g->missing[i];
    }
    if (!s->o->absent_is_zero)
        return;
    memset(g->missing, 0, g->count);
    g->missing_count = 0;
}

int grid_make(
    const forecast_options *o, const rows *r, const grid *like, size_t from, size_t count, grid *out, failure *f) {
    span s = { o, r, r->row + from, count, f };
    int off;

    *out = *like;
    out->start = time_at(&s, 0);
    out->count = place(out, time_at(&s, count - 1), &off) + 1;
    if (out->count > PSH_MODEL_MOST_VALUES)
        return too_long(&s, out->count);
    out->value = calloc(out->count, sizeof *out->value);
    out->missing = malloc(out->count);
    if (!out->value || !out->missing)
        return fail_memory(f);
    memset(out->missing, 1, out->count);
    if (fill(&s, out) == EXIT_DONE)
        fill_missing(&s, out);
    return f->code;
}

void grid_free(grid *g) {
    free(g->value);
    free(g->missing);
    memset(g, 0, sizeof *g);
}

void grid_time(const grid *g, size_t i, int iso, char text[CLOCK_TEXT]) {
    int64_t t;

    if (g->time_kind != TIME_CLOCK) {
        snprintf(text, CLOCK_TEXT, "%" PRId64, g->start + (int64_t)i * g->step);
        return;
    }
    t = g->months ? clock_add_months(g->start, (int64_t)i * g->months) : g->start + (int64_t)i * g->step;
    if (iso)
        clock_iso(t, text);
    else
        clock_text(t, text);
}

void grid_step_text(const grid *g, char text[CLOCK_TEXT]) {
    if (g->months)
        snprintf(text, CLOCK_TEXT, "%" PRId32 " month%s", g->months, g->months > 1 ? "s" : "");
    else if (g->time_kind == TIME_CLOCK)
        clock_duration_text(g->step, text);
    else
        snprintf(text, CLOCK_TEXT, "%" PRId64, g->step);
}

static uint32_t add_season(uint32_t *season, uint32_t n, int64_t whole, int64_t step) {
    if (whole % step || whole / step < 2 || whole / step > 65536 || (n && whole / step == season[n - 1]))
        return n;
    season[n] = (uint32_t)(whole / step);
    return n + 1;
}

uint32_t grid_seasons(const grid *g, uint32_t season[MAX_SEASONS]) {
    uint32_t n = 0;

    if (g->months) {
        if (12 % g->months == 0 && g->months < 12)
            season[n++] = (uint32_t)(12 / g->months);
        return n;
    }
    if (g->time_kind != TIME_CLOCK)
        return 0;
    if (g->step == 7 * PSH_DAY)
        season[n++] = 52;
    else if (g->step == PSH_DAY)
        season[n++] = 7, season[n++] = 365;
    else if (g->step <= PSH_MINUTE) {
        n = add_season(season, n, g->step < PSH_MINUTE ? PSH_MINUTE : PSH_HOUR, g->step);
        n = add_season(season, n, g->step < PSH_MINUTE ? PSH_HOUR : PSH_DAY, g->step);
    } else if (g->step < PSH_DAY) {
        n = add_season(season, n, PSH_DAY, g->step);
        n = add_season(season, n, 7 * PSH_DAY, g->step);
    }
    return n;
}
