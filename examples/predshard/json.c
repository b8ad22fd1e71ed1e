/* SPDX-License-Identifier: MIT */
/*
 * The result, one JSON object. Times ending in _ns are nanoseconds, dates are UTC, bytes are bytes; null
 * stands where there is nothing to say.
 *
 *   format, format_version   "predshard-run", 1
 *   version                  of the library
 *   note                     what is real and what is derived
 *   recipe                   lines: how query arrivals are derived
 *   config                   input, rows, places, first_day, days, seed, rates, policies, threads, repeats,
 *                            slot_s, cycle_s, poll_s, lead_s, checkpoint_s, archive_after_s, drop_after_s,
 *                            partition_bytes, view_bytes, tiers [{name, capacity_bytes}]
 *   questions                [{name, asks, about}]
 *   days                     dates, the x axis of everything daily; hour h of day d is at d * 24 + h
 *   seconds                  wall time of the race
 *   answers                  {compared, different}
 *   histogram_edges_ns       lower edges of the bins of every histogram; the first is 0
 *   stacks                   one object for each policy at each rate:
 *     rate, policy, queries
 *     latency                {all, after_14_days}, each {total, wait, service}, each {count, mean_ns, p50_ns,
 *                            p90_ns, p99_ns, p999_ns, max_ns, bins}
 *     questions              [{name, count, mean_ns, p50_ns, p99_ns}] of total latency
 *     coverage               {whole, part, none}, queries
 *     executed, reused       queries executed for real; those whose statement had run on unchanged tables
 *     tables                 {with_rows, ready, late_creations}: ready before their first row
 *     rows, quarantined, commits
 *     worker_ns              {query, observe, ingest, late, plan, build, upkeep, other}: CPU time by kind
 *     work                   {steps, groups, changes, fill_rows, fill_work}: recorded, decides
 *     autopilot              {cycles, plans, wants, actions, epochs, host_errors}
 *     forecaster             {series, templates, tenants, observed, shed, bytes, calibration_error, calibrated}
 *     plans                  {count, digest}: equal digests mean equal plans, byte for byte
 *     daily                  arrays with one value a day: main_bytes, archive_bytes, view_bytes, views,
 *                            bytes_planned, bytes_written, shadow, warming, active, sealed, archived, rows,
 *                            queries, whole, part, none, late_creations, quarantined, ingest_ns, late_ns,
 *                            plan_ns, build_ns, upkeep_ns, other_ns, query_ns
 *     tiers                  [{name, capacity, planned, reserved, used}], the last three arrays by day
 *     skill                  [{kind, subjects, scored, mae, mae_naive, skill, median_skill, coverage90}]:
 *                            the forecaster's own scores; skill = 1 - mae / mae_naive over all forecasts
 *     series                 predictive only: [{name, actual, mean, q05, q25, q50, q75, q95, scored,
 *                            mae, mae_naive, skill, coverage90}], hourly, forecast at the start of each day
 *                            for its 24 hours; scored against the same hour a week before
 *     views                  [{name, definition, level, reach_s, parts, parts_ready, groups, bytes, reads,
 *                            changes, filled}] at the end
 *     decisions              about views: [{kind, name, why, at, status, expected_benefit, expected_cost,
 *                            confidence, reads}]
 */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "latency.h"
#include "questions.h"
#include "recipe.h"

#define WARM_DAYS 14
#define HOURS 24
#define WEEK_HOURS (7 * HOURS)

typedef struct builder {
    const race *r;
    failure *f;
} builder;

/* Adds and takes the value; a value that could not be made is short memory. */
static void put(builder *b, json_t *to, const char *key, json_t *value) {
    if (json_object_set_new(to, key, value))
        fail_memory(b->f);
}

static void push(builder *b, json_t *to, json_t *value) {
    if (json_array_append_new(to, value))
        fail_memory(b->f);
}

static void put_int(builder *b, json_t *to, const char *key, uint64_t value) {
    put(b, to, key, json_integer((json_int_t)value));
}

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static void put_real(builder *b, json_t *to, const char *key, double value) {
    put(b, to, key, number(value));
}

static void put_text(builder *b, json_t *to, const char *key, const char *value) {
    put(b, to, key, json_string(value));
}

static json_t *date_of(int64_t seconds, int with_time) {
    time_t t = (time_t)seconds;
    struct tm tm;
    char text[32];

    gmtime_r(&t, &tm);
    strftime(text, sizeof text, with_time ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%d", &tm);
    return json_string(text);
}

static json_t *make_config(builder *b) {
    static const char *const tier_names[TIERS] = { "main", "archive" };
    static const uint64_t capacities[TIERS] = { MAIN_CAPACITY, ARCHIVE_CAPACITY };
    const run_options *o = b->r->options;
    const flights *x = &b->r->flights;
    json_t *c = json_object(), *rates = json_array(), *policies = json_array(), *tiers = json_array();
    size_t i;

    put_text(b, c, "input", strrchr(o->input, '/') ? strrchr(o->input, '/') + 1 : o->input);
    put_int(b, c, "rows", x->count);
    put_int(b, c, "places", x->place_count);
    put(b, c, "first_day", date_of((int64_t)x->first_day * 86400, 0));
    put_int(b, c, "days", x->day_count);
    put_int(b, c, "seed", o->seed);
    for (i = 0; i < o->rate_count; i++)
        push(b, rates, json_integer(o->rates[i]));
    put(b, c, "rates", rates);
    for (i = 0; i < POLICIES; i++)
        if (race_has(b->r, (uint32_t)i))
            push(b, policies, json_string(policy_name((uint32_t)i)));
    put(b, c, "policies", policies);
    put_int(b, c, "threads", o->threads);
    put_int(b, c, "repeats", o->repeats);
    put_int(b, c, "slot_s", SLOT_NS / PSH_SECOND);
    put_int(b, c, "cycle_s", CYCLE_NS / PSH_SECOND);
    put_int(b, c, "poll_s", POLL_NS / PSH_SECOND);
    put_int(b, c, "lead_s", LEAD_NS / PSH_SECOND);
    put_int(b, c, "checkpoint_s", CHECKPOINT_NS / PSH_SECOND);
    put_int(b, c, "archive_after_s", ARCHIVE_AFTER_NS / PSH_SECOND);
    put_int(b, c, "drop_after_s", DROP_AFTER_NS / PSH_SECOND);
    put_int(b, c, "partition_bytes", PARTITION_BYTES);
    put_int(b, c, "view_bytes", o->view_bytes);
    for (i = 0; i < TIERS; i++)
        push(b, tiers, json_pack("{s:s,s:I}", "name", tier_names[i], "capacity_bytes", (json_int_t)capacities[i]));
    put(b, c, "tiers", tiers);
    return c;
}

static json_t *make_questions(builder *b) {
    static const char *const about[] = { "all origins", "one origin", "one destination" };
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < QUESTIONS; i++)
        push(b, list, json_pack("{s:s,s:s,s:s}", "name", questions[i].name, "asks", questions[i].asks, "about",
            about[questions[i].place]));
    return list;
}

static json_t *make_latency(builder *b, const outcome *o, const stream *q, int what, uint32_t from_day) {
    json_t *to = json_object(), *bins = json_array();
    latency l;
    size_t i;

    latency_of(o, q, what, from_day, -1, &l, b->f);
    put_int(b, to, "count", l.count);
    put_real(b, to, "mean_ns", l.mean);
    put_int(b, to, "p50_ns", (uint64_t)l.p50);
    put_int(b, to, "p90_ns", (uint64_t)l.p90);
    put_int(b, to, "p99_ns", (uint64_t)l.p99);
    put_int(b, to, "p999_ns", (uint64_t)l.p999);
    put_int(b, to, "max_ns", (uint64_t)l.max);
    for (i = 0; i < BINS; i++)
        push(b, bins, json_integer((json_int_t)l.bins[i]));
    put(b, to, "bins", bins);
    return to;
}

static json_t *make_latencies(builder *b, const outcome *o, const stream *q, uint32_t from_day) {
    json_t *to = json_object();

    put(b, to, "total", make_latency(b, o, q, LATENCY_TOTAL, from_day));
    put(b, to, "wait", make_latency(b, o, q, LATENCY_WAIT, from_day));
    put(b, to, "service", make_latency(b, o, q, LATENCY_SERVICE, from_day));
    return to;
}

static json_t *make_by_question(builder *b, const outcome *o, const stream *q) {
    json_t *list = json_array(), *one;
    latency l;
    int i;

    for (i = 0; i < QUESTIONS; i++) {
        latency_of(o, q, LATENCY_TOTAL, 0, i, &l, b->f);
        one = json_object();
        put_text(b, one, "name", questions[i].name);
        put_int(b, one, "count", l.count);
        put_real(b, one, "mean_ns", l.mean);
        put_int(b, one, "p50_ns", (uint64_t)l.p50);
        put_int(b, one, "p99_ns", (uint64_t)l.p99);
        push(b, list, one);
    }
    return list;
}

static void put_spent(builder *b, json_t *to, const spent *t) {
    put_int(b, to, "query", (uint64_t)t->query_ns);
    put_int(b, to, "observe", (uint64_t)t->observe_ns);
    put_int(b, to, "ingest", (uint64_t)t->ingest_ns);
    put_int(b, to, "late", (uint64_t)t->late_ns);
    put_int(b, to, "plan", (uint64_t)t->plan_ns);
    put_int(b, to, "build", (uint64_t)t->build_ns);
    put_int(b, to, "upkeep", (uint64_t)t->upkeep_ns);
    put_int(b, to, "other", (uint64_t)t->other_ns);
}

static void put_totals(builder *b, json_t *to, const outcome *o) {
    const counts *c = &o->total;
    json_t *coverage = json_object(), *tables = json_object(), *worker = json_object(), *work = json_object();

    put_int(b, coverage, "whole", c->coverage[PSH_COVERAGE_WHOLE]);
    put_int(b, coverage, "part", c->coverage[PSH_COVERAGE_PART]);
    put_int(b, coverage, "none", c->coverage[PSH_COVERAGE_NONE]);
    put(b, to, "coverage", coverage);
    put_int(b, to, "executed", c->executed);
    put_int(b, to, "reused", c->reused);
    put_int(b, tables, "with_rows", c->tables);
    put_int(b, tables, "ready", c->tables_ready);
    put_int(b, tables, "late_creations", c->late_creations);
    put(b, to, "tables", tables);
    put_int(b, to, "rows", c->rows);
    put_int(b, to, "quarantined", c->quarantined);
    put_int(b, to, "commits", c->commits);
    put_spent(b, worker, &c->time);
    put(b, to, "worker_ns", worker);
    put_int(b, work, "steps", c->steps);
    put_int(b, work, "groups", c->groups);
    put_int(b, work, "changes", o->pilot.changes);
    put_int(b, work, "fill_rows", o->pilot.filled_rows);
    put_int(b, work, "fill_work", o->pilot.fill_work);
    put(b, to, "work", work);
}

static void put_objects(builder *b, json_t *to, const outcome *o) {
    json_t *pilot = json_object(), *forecaster = json_object(), *plans = json_object();
    char text[33];

    put_int(b, pilot, "cycles", o->pilot.cycles);
    put_int(b, pilot, "plans", o->pilot.plans);
    put_int(b, pilot, "wants", o->pilot.wants);
    put_int(b, pilot, "actions", o->pilot.actions);
    put_int(b, pilot, "epochs", o->pilot.epochs);
    put_int(b, pilot, "host_errors", o->pilot.host_errors);
    put(b, to, "autopilot", pilot);
    put_int(b, forecaster, "series", o->forecaster.series);
    put_int(b, forecaster, "templates", o->forecaster.templates);
    put_int(b, forecaster, "tenants", o->forecaster.tenants);
    put_int(b, forecaster, "observed", o->forecaster.observed);
    put_int(b, forecaster, "shed", o->forecaster.shed);
    put_int(b, forecaster, "bytes", o->forecaster.bytes);
    put_real(b, forecaster, "calibration_error", o->forecaster.calibration_error);
    put_int(b, forecaster, "calibrated", o->forecaster.calibrated);
    put(b, to, "forecaster", forecaster);
    digest_text(&o->plan_digest, text);
    put_int(b, plans, "count", o->plans);
    put_text(b, plans, "digest", text);
    put(b, to, "plans", plans);
}

/* One value of a day; `so_far` counters become differences. */
typedef struct daily_field {
    const char *name;
    size_t offset; /* into day_sample */
    int size;      /* bytes of the number */
    int growing;   /* 1: a running total */
} daily_field;

#define AT(member) offsetof(day_sample, member)
#define STATE(state) offsetof(day_sample, states) + (state) * sizeof(uint32_t), 4, 0

static const daily_field daily_fields[] = {
    { "main_bytes", AT(main_bytes), 8, 0 },
    { "archive_bytes", AT(archive_bytes), 8, 0 },
    { "view_bytes", AT(view_bytes), 8, 0 },
    { "views", AT(views), 4, 0 },
    { "bytes_planned", AT(bytes_planned), 8, 0 },
    { "bytes_written", AT(bytes_written), 8, 0 },
    { "shadow", STATE(PSH_PARTITION_SHADOW) },
    { "warming", STATE(PSH_PARTITION_WARMING) },
    { "active", STATE(PSH_PARTITION_ACTIVE) },
    { "sealed", STATE(PSH_PARTITION_SEALED) },
    { "archived", STATE(PSH_PARTITION_ARCHIVED) },
    { "rows", AT(so_far.rows), 8, 1 },
    { "queries", AT(so_far.queries), 8, 1 },
    { "whole", AT(so_far.coverage) + PSH_COVERAGE_WHOLE * sizeof(uint64_t), 8, 1 },
    { "part", AT(so_far.coverage) + PSH_COVERAGE_PART * sizeof(uint64_t), 8, 1 },
    { "none", AT(so_far.coverage) + PSH_COVERAGE_NONE * sizeof(uint64_t), 8, 1 },
    { "late_creations", AT(so_far.late_creations), 8, 1 },
    { "quarantined", AT(so_far.quarantined), 8, 1 },
    { "ingest_ns", AT(so_far.time.ingest_ns), 8, 1 },
    { "late_ns", AT(so_far.time.late_ns), 8, 1 },
    { "plan_ns", AT(so_far.time.plan_ns), 8, 1 },
    { "build_ns", AT(so_far.time.build_ns), 8, 1 },
    { "upkeep_ns", AT(so_far.time.upkeep_ns), 8, 1 },
    { "other_ns", AT(so_far.time.other_ns), 8, 1 },
    { "query_ns", AT(so_far.time.query_ns), 8, 1 },
};

static uint64_t field_of(const day_sample *d, const daily_field *field) {
    const char *at = (const char *)d + field->offset;
    uint64_t wide;
    uint32_t narrow;

    memcpy(&narrow, at, sizeof narrow);
    if (field->size == 4)
        return narrow;
    memcpy(&wide, at, sizeof wide);
    return wide;
}

static json_t *make_daily(builder *b, const outcome *o) {
    json_t *to = json_object(), *list;
    uint64_t value, before;
    size_t i, d;

    for (i = 0; i < sizeof daily_fields / sizeof daily_fields[0]; i++) {
        list = json_array();
        for (d = 0; d < o->day_count; d++) {
            value = field_of(&o->days[d], &daily_fields[i]);
            before = d && daily_fields[i].growing ? field_of(&o->days[d - 1], &daily_fields[i]) : 0;
            push(b, list, json_integer((json_int_t)(value - before)));
        }
        put(b, to, daily_fields[i].name, list);
    }
    return to;
}

static json_t *make_tiers(builder *b, const outcome *o) {
    static const char *const names[TIERS] = { "main", "archive" };
    json_t *list = json_array(), *one, *planned, *reserved, *used;
    const psh_account *a;
    size_t i, d;

    for (i = 0; i < TIERS; i++) {
        one = json_object();
        planned = json_array();
        reserved = json_array();
        used = json_array();
        for (d = 0; d < o->day_count; d++) {
            a = &o->days[d].tiers[i];
            push(b, planned, json_integer((json_int_t)a->planned));
            push(b, reserved, json_integer((json_int_t)a->reserved));
            push(b, used, json_integer((json_int_t)a->used));
        }
        put_text(b, one, "name", names[i]);
        put_int(b, one, "capacity", o->day_count ? o->days[0].tiers[i].capacity : 0);
        put(b, one, "planned", planned);
        put(b, one, "reserved", reserved);
        put(b, one, "used", used);
        push(b, list, one);
    }
    return list;
}

static json_t *make_skill(builder *b, const outcome *o) {
    json_t *list = json_array(), *one;
    const score_line *s;
    size_t i;

    for (i = 0; i < SCORE_KINDS; i++) {
        s = &o->scores[i];
        one = json_object();
        put_text(b, one, "kind", s->kind ? s->kind : "");
        put_int(b, one, "subjects", s->subjects);
        put_int(b, one, "scored", s->scored);
        put_real(b, one, "mae", s->mae);
        put_real(b, one, "mae_naive", s->mae_naive);
        put_real(b, one, "skill", s->mae_naive > 0 ? 1 - s->mae / s->mae_naive : 0);
        put_real(b, one, "median_skill", s->median_skill);
        put_real(b, one, "coverage90", s->coverage90);
        push(b, list, one);
    }
    return list;
}

static void put_band(builder *b, json_t *to, const char *key, const series *s, size_t hours, int band) {
    json_t *list = json_array();
    size_t h;

    for (h = 0; h < hours; h++)
        push(b, list, isnan(s->mean[h]) ? json_null() : number(band < 0 ? s->mean[h] : s->bands[h][band]));
    put(b, to, key, list);
}

/* Day-ahead forecasts against the seasonal naive of a week, from the second week on. */
static void put_day_ahead(builder *b, json_t *to, const series *s, size_t hours) {
    double error = 0, naive = 0;
    size_t h, n = 0, inside = 0;

    for (h = WEEK_HOURS; h < hours; h++) {
        if (isnan(s->mean[h]))
            continue;
        n++;
        error += fabs(s->actual[h] - s->mean[h]);
        naive += fabs(s->actual[h] - s->actual[h - WEEK_HOURS]);
        inside += s->actual[h] >= s->bands[h][0] && s->actual[h] <= s->bands[h][BANDS - 1];
    }
    put_int(b, to, "scored", n);
    put_real(b, to, "mae", n ? error / (double)n : (double)NAN);
    put_real(b, to, "mae_naive", n ? naive / (double)n : (double)NAN);
    put_real(b, to, "skill", naive > 0 ? 1 - error / naive : (double)NAN);
    put_real(b, to, "coverage90", n ? (double)inside / (double)n : (double)NAN);
}

static json_t *make_series(builder *b, const outcome *o) {
    static const char *const names[BANDS] = { "q05", "q25", "q50", "q75", "q95" };
    size_t hours = (size_t)b->r->flights.day_count * HOURS, i, h;
    json_t *list = json_array(), *one, *actual;
    const series *s;
    int band;

    for (i = 0; i < SERIES; i++) {
        s = &o->series[i];
        if (!s->mean)
            continue;
        one = json_object();
        actual = json_array();
        put_text(b, one, "name", s->name);
        for (h = 0; h < hours; h++)
            push(b, actual, number(s->actual[h]));
        put(b, one, "actual", actual);
        put_band(b, one, "mean", s, hours, -1);
        for (band = 0; band < BANDS; band++)
            put_band(b, one, names[band], s, hours, band);
        put_day_ahead(b, one, s, hours);
        push(b, list, one);
    }
    return list;
}

static json_t *make_views(builder *b, const outcome *o) {
    json_t *list = json_array(), *one;
    const view_line *v;
    size_t i;

    for (i = 0; i < o->view_count; i++) {
        v = &o->views[i];
        one = json_object();
        put_text(b, one, "name", v->name);
        put_text(b, one, "definition", v->definition);
        put_int(b, one, "level", v->level);
        put_int(b, one, "reach_s", (uint64_t)(v->reach_ns / PSH_SECOND));
        put_int(b, one, "parts", v->info.parts);
        put_int(b, one, "parts_ready", v->info.parts_ready);
        put_int(b, one, "groups", v->info.groups);
        put_int(b, one, "bytes", v->info.bytes);
        put_int(b, one, "reads", v->info.reads);
        put_int(b, one, "changes", v->info.applied);
        put_int(b, one, "filled", v->info.filled);
        push(b, list, one);
    }
    return list;
}

static json_t *make_decisions(builder *b, const outcome *o) {
    json_t *list = json_array(), *one;
    const psh_audit *a;
    size_t i;

    for (i = 0; i < o->decision_count; i++) {
        a = &o->decisions[i];
        one = json_object();
        put_text(b, one, "kind", psh_action_kind_name(a->kind));
        put_text(b, one, "name", a->name);
        put_text(b, one, "why", psh_why_text(a->why));
        put(b, one, "at", date_of(a->decided_at / PSH_SECOND, 1));
        put_text(b, one, "status", psh_status_name(a->status));
        put_real(b, one, "expected_benefit", a->expected_benefit);
        put_real(b, one, "expected_cost", a->expected_cost);
        put_real(b, one, "confidence", a->confidence);
        put_real(b, one, "reads", a->outcome);
        push(b, list, one);
    }
    return list;
}

static json_t *make_stack(builder *b, const outcome *o, const stream *q) {
    json_t *to = json_object(), *latencies = json_object();

    put_int(b, to, "rate", o->rate);
    put_text(b, to, "policy", policy_name(o->policy));
    put_int(b, to, "queries", o->total.queries);
    put(b, latencies, "all", make_latencies(b, o, q, 0));
    put(b, latencies, "after_14_days", make_latencies(b, o, q, WARM_DAYS));
    put(b, to, "latency", latencies);
    put(b, to, "questions", make_by_question(b, o, q));
    put_totals(b, to, o);
    put_objects(b, to, o);
    put(b, to, "daily", make_daily(b, o));
    put(b, to, "tiers", make_tiers(b, o));
    put(b, to, "skill", make_skill(b, o));
    put(b, to, "series", make_series(b, o));
    put(b, to, "views", make_views(b, o));
    put(b, to, "decisions", make_decisions(b, o));
    return to;
}

static void put_axes(builder *b, json_t *to) {
    json_t *days = json_array(), *edges = json_array(), *recipe = json_array();
    uint32_t d;
    size_t i;

    for (d = 0; d < b->r->flights.day_count; d++)
        push(b, days, date_of(((int64_t)b->r->flights.first_day + d) * 86400, 0));
    for (i = 0; i < BINS; i++)
        push(b, edges, json_real(latency_edge(i)));
    for (i = 0; recipe_lines[i]; i++)
        push(b, recipe, json_string(recipe_lines[i]));
    put(b, to, "days", days);
    put(b, to, "histogram_edges_ns", edges);
    put(b, to, "recipe", recipe);
}

json_t *json_result(const race *r, failure *f) {
    builder b = { r, f };
    json_t *to = json_object(), *stacks = json_array();
    size_t rate;
    uint32_t policy;

    put_text(&b, to, "format", "predshard-run");
    put_int(&b, to, "format_version", 1);
    put_text(&b, to, "version", psh_version());
    put_text(&b, to, "note", recipe_note);
    put(&b, to, "config", make_config(&b));
    put(&b, to, "questions", make_questions(&b));
    put_axes(&b, to);
    put_real(&b, to, "seconds", r->seconds);
    put(&b, to, "answers", json_pack("{s:I,s:I}", "compared", (json_int_t)r->compared, "different",
        (json_int_t)r->different));
    for (rate = 0; rate < r->options->rate_count; rate++)
        for (policy = 0; policy < POLICIES; policy++)
            if (race_has(r, policy))
                push(&b, stacks, make_stack(&b, &r->outcomes[rate][policy], &r->streams[rate]));
    put(&b, to, "stacks", stacks);
    if (f->code != EXIT_DONE) {
        json_decref(to);
        return NULL;
    }
    return to;
}
