/* SPDX-License-Identifier: MIT */
#include "stack.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOURS 24

#define SERIES_ROWS 0
#define SERIES_QUERIES 1
#define SERIES_ORIGINS 2

static int make_series(stack *s, size_t i, const char *name) {
    series *to = &s->out->series[i];
    size_t n = (size_t)s->setup->flights->day_count * HOURS, h;

    snprintf(to->name, sizeof to->name, "%s", name);
    to->actual = calloc(n, sizeof *to->actual);
    to->mean = calloc(n, sizeof *to->mean);
    to->bands = calloc(n, sizeof *to->bands);
    if (!to->actual || !to->mean || !to->bands)
        return fail_memory(s->f);
    for (h = 0; h < n; h++)
        to->mean[h] = (double)NAN;
    return EXIT_DONE;
}

static void fill_actual(stack *s) {
    const flights *x = s->setup->flights;
    series *to = s->out->series;
    int64_t start = (int64_t)x->first_day * PSH_DAY;
    size_t i, k, hour;

    for (i = 0; i < x->count; i++) {
        hour = (size_t)((x->rows[i].minute * PSH_MINUTE - start) / PSH_HOUR);
        to[SERIES_ROWS].actual[hour]++;
        for (k = 0; k < FOLLOWED_ORIGINS; k++)
            if (x->rows[i].origin == s->setup->followed[k])
                to[SERIES_ORIGINS + k].actual[hour]++;
    }
    for (i = 0; i < s->queries->count; i++)
        to[SERIES_QUERIES].actual[(s->queries->items[i].time - start) / PSH_HOUR]++;
}

int watch_open(stack *s) {
    const flights *x = s->setup->flights;
    size_t k;

    s->out->days = calloc(x->day_count, sizeof *s->out->days);
    s->out->queries = calloc(s->queries->count + 1, sizeof *s->out->queries);
    s->out->query_count = s->queries->count;
    if (!s->out->days || !s->out->queries)
        return fail_memory(s->f);
    if (!stack_predicts(s))
        return EXIT_DONE;
    if (make_series(s, SERIES_ROWS, "rows") || make_series(s, SERIES_QUERIES, "queries"))
        return s->f->code;
    for (k = 0; k < FOLLOWED_ORIGINS; k++)
        if (make_series(s, SERIES_ORIGINS + k, x->places[s->setup->followed[k]]))
            return s->f->code;
    fill_actual(s);
    return EXIT_DONE;
}

static psh_subject subject_of(const stack *s, size_t i) {
    psh_subject subject = { PSH_SUBJECT_TABLE, 0, 0 };

    if (i == SERIES_QUERIES)
        subject.kind = PSH_SUBJECT_QUERIES;
    if (i >= SERIES_ORIGINS) {
        subject.kind = PSH_SUBJECT_TENANT;
        subject.id = s->tenants[s->setup->followed[i - SERIES_ORIGINS]];
    }
    return subject;
}

static void copy_forecast(series *to, size_t hour, const psh_forecast_spec *f) {
    static const double wanted[BANDS] = { 0.05, 0.25, 0.5, 0.75, 0.95 };
    uint32_t h, level, b;

    for (h = 0; h < HOURS && h < f->steps; h++) {
        to->mean[hour + h] = f->mean[h];
        for (level = 0; level < f->level_count; level++)
            for (b = 0; b < BANDS; b++)
                if (fabs(f->levels[level] - wanted[b]) < 1e-9)
                    to->bands[hour + h][b] = f->quantiles[h * f->level_count + level];
    }
}

int watch_morning(stack *s, uint32_t day) {
    const flights *x = s->setup->flights;
    int64_t from = ((int64_t)x->first_day + day) * PSH_DAY;
    psh_forecast_spec spec;
    psh_forecast *forecast;
    psh_subject subject;
    psh_status st;
    size_t i;

    if (!stack_predicts(s) || day >= x->day_count)
        return EXIT_DONE;
    for (i = 0; i < SERIES; i++) {
        subject = subject_of(s, i);
        st = psh_forecaster_forecast(s->forecaster, &subject, from, HOURS, &forecast, NULL);
        if (st == PSH_E_NO_FORECAST)
            continue;
        if (st)
            return stack_fail(s, "forecasting a day", st, NULL);
        spec.struct_size = sizeof spec;
        psh_forecast_describe(forecast, &spec);
        copy_forecast(&s->out->series[i], (size_t)day * HOURS, &spec);
        psh_forecast_unref(forecast);
    }
    return EXIT_DONE;
}

static void sample_partitions(stack *s, uint32_t day, day_sample *to) {
    int64_t start = ((int64_t)s->setup->flights->first_day + day) * PSH_DAY;
    const psh_partition *p;
    size_t i;

    for (i = 0; (p = psh_map_get(s->map, i)); i++) {
        if (p->flags & PSH_PARTITION_QUARANTINE)
            continue;
        if (p->state <= PSH_PARTITION_DROPPED)
            to->states[p->state]++;
        if (p->time_from != start || p->state == PSH_PARTITION_DROPPED)
            continue;
        to->bytes_planned += p->bytes_planned;
        to->bytes_written += p->bytes;
    }
}

static void sample_views(stack *s, day_sample *to) {
    psh_view_info info;
    size_t i;

    if (!s->materializer)
        return;
    to->views = (uint32_t)psh_materializer_view_count(s->materializer);
    for (i = 0; i < to->views; i++)
        if (psh_materializer_view(s->materializer, i, &info) == PSH_OK)
            to->view_bytes += info.bytes;
}

int watch_evening(stack *s, uint32_t day) {
    day_sample *to = &s->out->days[day];
    psh_status st;
    size_t i;

    to->so_far = s->out->total;
    st = sqlite_host_sizes(s->host, &to->main_bytes, &to->archive_bytes);
    if (st)
        return stack_fail(s, "measuring storage", st, NULL);
    sample_partitions(s, day, to);
    sample_views(s, to);
    for (i = 0; i < TIERS; i++) {
        to->tiers[i].struct_size = sizeof to->tiers[i];
        psh_tiers_account(s->tiers, i, &to->tiers[i]);
    }
    st = psh_tiers_check(s->tiers);
    if (st)
        return stack_fail(s, "balancing the ledger", st, NULL);
    s->out->day_count = day + 1;
    cache_clear(&s->cache);
    return EXIT_DONE;
}

/* Sums the scores of one kind; medians need all of them. */
typedef struct score_sum {
    score_line *line;
    double *skills;
    double error;
    double error_naive;
    double covered;
} score_sum;

static void add_score(stack *s, score_sum *sum, uint32_t kind, uint64_t id) {
    psh_subject subject = { kind, 0, id };
    psh_score score;

    memset(&score, 0, sizeof score);
    score.struct_size = sizeof score;
    if (psh_forecaster_score(s->forecaster, &subject, &score) != PSH_OK || score.scored == 0)
        return;
    sum->skills[sum->line->subjects++] = score.skill;
    sum->line->scored += score.scored;
    sum->error += score.mae * (double)score.scored;
    sum->error_naive += score.mae_naive * (double)score.scored;
    sum->covered += score.coverage90 * (double)score.scored;
}

static int by_value(const void *x, const void *y) {
    double a, b;

    memcpy(&a, x, sizeof a);
    memcpy(&b, y, sizeof b);
    return (a > b) - (a < b);
}

static void finish_score(score_sum *sum) {
    score_line *line = sum->line;

    if (line->subjects == 0)
        return;
    line->mae = sum->error / (double)line->scored;
    line->mae_naive = sum->error_naive / (double)line->scored;
    line->coverage90 = sum->covered / (double)line->scored;
    qsort(sum->skills, line->subjects, sizeof *sum->skills, by_value);
    line->median_skill = sum->skills[line->subjects / 2];
}

static void score_kind(stack *s, score_line *line, double *skills, const char *kind, uint32_t number) {
    score_sum sum = { line, skills, 0, 0, 0 };
    psh_template_info info;
    size_t i;

    line->kind = kind;
    if (number == PSH_SUBJECT_TENANT) {
        for (i = 0; i < s->setup->flights->place_count; i++)
            add_score(s, &sum, number, s->tenants[i]);
    } else if (number == PSH_SUBJECT_TEMPLATE) {
        for (i = 0; i < psh_forecaster_template_count(s->forecaster); i++)
            if (psh_forecaster_template(s->forecaster, i, &info) == PSH_OK)
                add_score(s, &sum, number, info.id);
    } else {
        add_score(s, &sum, number, 0);
    }
    finish_score(&sum);
}

static int close_scores(stack *s) {
    size_t n = s->setup->flights->place_count + psh_forecaster_template_count(s->forecaster) + 1;
    double *skills = calloc(n, sizeof *skills);

    if (!skills)
        return fail_memory(s->f);
    score_kind(s, &s->out->scores[0], skills, "table", PSH_SUBJECT_TABLE);
    score_kind(s, &s->out->scores[1], skills, "tenants", PSH_SUBJECT_TENANT);
    score_kind(s, &s->out->scores[2], skills, "templates", PSH_SUBJECT_TEMPLATE);
    score_kind(s, &s->out->scores[3], skills, "queries", PSH_SUBJECT_QUERIES);
    free(skills);
    return EXIT_DONE;
}

static int close_view(stack *s, size_t i) {
    view_line *to = &s->out->views[i];
    psh_view_spec spec;
    psh_status st;

    if ((st = psh_materializer_view(s->materializer, i, &to->info)))
        return stack_fail(s, "listing views", st, NULL);
    psh_view_spec_init(&spec, sizeof spec);
    psh_buffer_clear(s->scratch);
    if ((st = psh_view_describe(to->info.view, &spec)) || (st = psh_query_dump(spec.definition, s->scratch)))
        return stack_fail(s, "listing views", st, NULL);
    snprintf(to->name, sizeof to->name, "%s", spec.name);
    to->level = spec.level;
    to->reach_ns = spec.reach_ns;
    to->info.view = NULL;
    to->definition = strdup(psh_buffer_data(s->scratch));
    s->out->view_count = i + 1;
    return to->definition ? EXIT_DONE : fail_memory(s->f);
}

static int close_views(stack *s) {
    size_t i, n = s->materializer ? psh_materializer_view_count(s->materializer) : 0;

    s->out->views = calloc(n + 1, sizeof *s->out->views);
    if (!s->out->views)
        return fail_memory(s->f);
    for (i = 0; i < n; i++)
        if (close_view(s, i))
            return s->f->code;
    return EXIT_DONE;
}

static int close_decisions(stack *s) {
    size_t i, n = psh_autopilot_audit_count(s->autopilot);
    psh_audit audit;

    s->out->decisions = calloc(n + 1, sizeof *s->out->decisions);
    if (!s->out->decisions)
        return fail_memory(s->f);
    for (i = 0; i < n; i++)
        if (psh_autopilot_audit(s->autopilot, i, &audit) == PSH_OK &&
            (audit.kind == PSH_ACT_BUILD_VIEW || audit.kind == PSH_ACT_DROP_VIEW))
            s->out->decisions[s->out->decision_count++] = audit;
    return EXIT_DONE;
}

static int keep_text(stack *s, psh_buffer *from, char **to) {
    if (psh_buffer_size(from) == 0)
        return EXIT_DONE;
    *to = strdup(psh_buffer_data(from));
    return *to ? EXIT_DONE : fail_memory(s->f);
}

int watch_close(stack *s) {
    outcome *o = s->out;

    o->pilot.struct_size = sizeof o->pilot;
    o->forecaster.struct_size = sizeof o->forecaster;
    o->driver.struct_size = sizeof o->driver;
    psh_autopilot_get_stats(s->autopilot, &o->pilot);
    psh_forecaster_get_stats(s->forecaster, &o->forecaster);
    psh_driver_get_stats(s->driver, &o->driver);
    if (close_scores(s) || close_views(s) || close_decisions(s))
        return s->f->code;
    if (keep_text(s, s->plan_text, &o->plan_text))
        return s->f->code;
    return keep_text(s, s->explained, &o->explained);
}
