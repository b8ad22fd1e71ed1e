/* SPDX-License-Identifier: MIT */
#include "forecast/forecaster.h"
#include "forecast/segment.h"
#include "value/forecast.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "base/options.h"

#define LEAST_BUCKET (PSH_SECOND / 1000)
#define MOST_BUCKET (366 * PSH_DAY)
#define MOST_STEPS 4096u
#define MOST_LEAD (1 << 20)

static const psh_forecaster_options defaults = {
    sizeof(psh_forecaster_options), 0, PSH_HOUR, 24, 168, 48, 4096, 65536, 131072, UINT64_C(1) << 30, PSH_HOUR,
    0, 64, 256, 0, 1024, 8, 256, 8
};

psh_status psh_forecaster_options_init(psh_forecaster_options *o, uint32_t size) {
    return pshi_options_out(o, size, &defaults, sizeof defaults);
}

/* As late as any option may be, for buckets too short for the default. */
static int64_t most_late(const psh_forecaster_options *o) {
    return o->bucket_ns < PSH_SECOND ? (PSHI_MAX_OPEN / 2 - 1) * o->bucket_ns : INT64_MAX;
}

static void fill_in(psh_forecaster_options *o) {
    if (!o->bucket_ns)
        o->bucket_ns = defaults.bucket_ns;
    if (!o->season_short)
        o->season_short = defaults.season_short;
    if (!o->season_long)
        o->season_long = 7 * o->season_short;
    if (!o->horizon)
        o->horizon = o->season_long < defaults.horizon ? o->season_long : defaults.horizon;
    if (!o->max_templates)
        o->max_templates = defaults.max_templates;
    if (!o->max_tenants)
        o->max_tenants = defaults.max_tenants;
    if (!o->max_series)
        o->max_series = defaults.max_series;
    if (!o->max_bytes)
        o->max_bytes = defaults.max_bytes;
    if (!o->history)
        o->history = 12 * o->season_long + 2;
    if (!o->lateness_ns)
        o->lateness_ns = most_late(o) < defaults.lateness_ns ? most_late(o) : defaults.lateness_ns;
    if (o->lateness_ns < 0)
        o->lateness_ns = 0;
    if (!o->max_segments)
        o->max_segments = defaults.max_segments;
    if (!o->max_hot)
        o->max_hot = defaults.max_hot;
    if (!o->max_key_sketches)
        o->max_key_sketches = defaults.max_key_sketches;
    if (!o->max_events)
        o->max_events = defaults.max_events;
    if (!o->max_metrics)
        o->max_metrics = defaults.max_metrics;
    if (!o->max_alerts)
        o->max_alerts = defaults.max_alerts;
}

static psh_status check_values(const psh_forecaster_options *o, psh_error *err) {
    if (o->flags)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    if (o->bucket_ns < LEAST_BUCKET || o->bucket_ns > MOST_BUCKET)
        return pshi_fail(err, PSH_E_INVALID, "bucket_ns", "must be 1 ms to 366 days");
    if (o->season_short < 2 || o->season_short > 4096)
        return pshi_fail(err, PSH_E_INVALID, "season_short", "must be 2 to 4096");
    if (o->season_long < o->season_short || o->season_long % o->season_short || o->season_long > PSHI_MAX_SEASON)
        return pshi_fail(err, PSH_E_INVALID, "season_long", "must be a multiple of season_short, at most 65536");
    if (o->horizon < 1 || o->horizon > o->season_long)
        return pshi_fail(err, PSH_E_INVALID, "horizon", "must be 1 to season_long");
    if (o->history < 2 * o->season_long + 2 || o->history > PSHI_MAX_HISTORY)
        return pshi_fail(err, PSH_E_INVALID, "history", "must be 2 season_long + 2 to 2^20");
    if (o->max_segments > 32 && o->max_segments != PSH_NONE)
        return pshi_fail(err, PSH_E_INVALID, "max_segments", "must be at most 32, or PSH_NONE");
    if (o->max_events > 65536 || o->max_alerts > 65536)
        return pshi_fail(err, PSH_E_INVALID, o->max_events > 65536 ? "max_events" : "max_alerts", "at most 65536");
    if (o->max_metrics > PSHI_MOST_METRICS)
        return pshi_fail(err, PSH_E_INVALID, "max_metrics", "at most 64");
    if (o->lateness_ns / o->bucket_ns >= PSHI_MAX_OPEN / 2)
        return pshi_fail(err, PSH_E_INVALID, "lateness_ns", "must be 0 to 8191 buckets");
    if (o->network % 8 || o->network > PSHI_LSTM_MOST_WIDTH)
        return pshi_fail(err, PSH_E_INVALID, "network", "must be a multiple of 8 up to 256, or 0");
    if (o->max_key_sketches > 65536)
        return pshi_fail(err, PSH_E_INVALID, "max_key_sketches", "must be at most 65536");
    return PSH_OK;
}

psh_status pshi_options_check(psh_forecaster_options *o, const psh_forecaster_options *given, psh_error *err) {
    psh_status st;

    *o = defaults;
    if (given && (st = pshi_options_copy(o, sizeof *o, given, err)) != PSH_OK)
        return st;
    fill_in(o);
    return check_values(o, err);
}

int64_t pshi_half_life(const psh_forecaster *f) {
    return f->o.bucket_ns < INT64_MAX / (int64_t)f->o.season_long ? f->o.bucket_ns * (int64_t)f->o.season_long
                                                                  : INT64_MAX;
}

psh_status pshi_forecaster_make(
    psh_env *env, psh_schema *schema, const psh_forecaster_options *o, psh_forecaster **out, psh_error *err) {
    psh_forecaster *f = pshi_calloc(env, 1, sizeof *f);

    if (!f)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the forecaster");
    f->env = env;
    f->o = *o;
    pshi_shape_init(&f->shape, o);
    pshi_calibration_init(&f->calibration);
    if (pshi_outlook_init(env, &f->shape, &f->calibration, &f->outlook) != PSH_OK ||
        pshi_signals_init(env, &f->shape, o, &f->signals) != PSH_OK) {
        pshi_outlook_free(env, &f->outlook);
        pshi_free(env, f);
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the forecaster");
    }
    f->lender.store = &f->store;
    f->lender.tenants = &f->tenants;
    f->templates.fold = o->season_long < PSHI_MOST_FOLD ? o->season_long : PSHI_MOST_FOLD;
    f->folding.latest = -PSHI_MOST_SLOT; /* before all requests */
    pshi_keys_init(&f->keys, o);
    f->hot_bar = HUGE_VAL;
    if (pshi_heat_network(f) != PSH_OK) {
        pshi_signals_free(&f->signals);
        pshi_outlook_free(env, &f->outlook);
        pshi_free(env, f);
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the forecaster");
    }
    f->outlook.signals = &f->signals;
    f->schema = psh_schema_ref(schema);
    f->now = PSH_TIME_NONE;
    *out = f;
    return PSH_OK;
}

psh_status psh_forecaster_create(
    psh_env *env, psh_schema *schema, const psh_forecaster_options *o, psh_forecaster **out, psh_error *err) {
    psh_forecaster_options checked;
    psh_status st;

    if (out)
        *out = NULL;
    if (!env || !schema || !out)
        return pshi_fail(err, PSH_E_INVALID, !env ? "env" : !schema ? "schema" : "out", "is NULL");
    st = pshi_options_check(&checked, o, err);
    return st == PSH_OK ? pshi_forecaster_make(env, schema, &checked, out, err) : st;
}

void psh_forecaster_destroy(psh_forecaster *f) {
    if (!f)
        return;
    pshi_store_free(f->env, &f->store);
    pshi_templates_free(f->env, &f->templates);
    pshi_workload_free(f->env, &f->workload);
    pshi_clusters_free(f->env, &f->clusters);
    pshi_keys_free(f->env, &f->keys);
    psh_schema_unref(f->schema);
    pshi_lstm_destroy(f->outlook.net);
    pshi_outlook_free(f->env, &f->outlook);
    pshi_tenants_free(f->env, &f->tenants);
    pshi_labels_free(f->env, &f->labels);
    pshi_lender_free(f->env, &f->lender);
    pshi_signals_free(&f->signals);
    pshi_free(f->env, f);
}

static uint64_t map_bytes(const pshi_idmap *m) {
    return m->ids ? (m->mask + 1) * (sizeof *m->ids + sizeof *m->index) : 0;
}

uint64_t pshi_forecaster_bytes(const psh_forecaster *f) {
    return sizeof *f + pshi_outlook_bytes(&f->shape) + f->observer_bytes + f->store.bytes
         + pshi_signals_bytes(&f->signals, &f->shape)
         + f->store.cap * sizeof *f->store.list + map_bytes(&f->store.map)
         + f->templates.cap * sizeof *f->templates.list + f->templates.order_cap * sizeof *f->templates.order
         + map_bytes(&f->templates.map) + f->templates.bytes + pshi_workload_bytes(&f->workload)
         + (f->clusters.list ? PSHI_MOST_CLUSTERS * sizeof *f->clusters.list : 0)
         + f->clusters.member_cap * sizeof *f->clusters.members + f->keys.bytes
         + pshi_labels_bytes(&f->labels) + pshi_tenants_bytes(&f->tenants)
         + (f->lender.path.mean ? pshi_outlook_bytes(&f->shape) + f->shape.max_lead * sizeof(double) : 0);
}

psh_status psh_forecaster_get_stats(const psh_forecaster *f, psh_forecaster_stats *out) {
    psh_forecaster_stats s = { 0 };

    if (!f || !out)
        return PSH_E_INVALID;
    s.series = (uint32_t)f->store.count;
    s.templates = (uint32_t)f->templates.count;
    s.tenants = f->store.tenants;
    s.observed = f->observed;
    s.shed = f->shed;
    s.bytes = pshi_forecaster_bytes(f);
    s.calibration_error = pshi_calibration_error(&f->calibration.shown);
    s.calibrated = f->calibration.shown.total;
    return pshi_struct_out(out, &s, sizeof s);
}

static int stays_forever(const pshi_series *s) {
    return s->subject.kind == PSH_SUBJECT_TABLE || s->subject.kind == PSH_SUBJECT_QUERIES;
}

/* @return 1 if the series has nothing left to tell: its whole history is zero. */
static int advance_series(psh_forecaster *f, pshi_series *s, int64_t from, int64_t target) {
    if (target - from > (int64_t)f->shape.ring + (int64_t)f->shape.open) {
        if (!stays_forever(s))
            return 1;
        pshi_series_reset(s, &f->shape, target);
        return 0;
    }
    f->outlook.closed = from;
    while (f->outlook.closed < target)
        pshi_series_close(&f->outlook, s);
    return !stays_forever(s) && s->idle >= (int64_t)f->shape.patience;
}

static void close_buckets(psh_forecaster *f, int64_t target) {
    int64_t from = f->outlook.closed;
    size_t i = 0;

    f->outlook.lender = NULL;
    while (i < f->store.count) {
        if (advance_series(f, f->store.list[i], from, target))
            pshi_store_remove(f->env, &f->store, &f->shape, i);
        else
            i++;
    }
    pshi_metrics_close(&f->signals, &f->shape, from, target);
    f->outlook.closed = target;
    f->outlook.of = NULL;
    if (pshi_floor_div(from, f->shape.season[0]) != pshi_floor_div(target, f->shape.season[0]))
        pshi_heat_measure(f);
    pshi_heat_lessons(f, target - from);
}

/* What closing buckets will need of memory for events, before anything is changed. */
static psh_status prepare_events(psh_forecaster *f, int64_t target) {
    psh_status st = PSH_OK;
    const pshi_series *s;
    size_t i;

    if (!f->signals.calendar)
        return PSH_OK;
    pshi_events_focus(&f->signals, &f->shape, f->outlook.closed - 1, target);
    for (i = 0; f->signals.near && st == PSH_OK && i < f->store.count; i++) {
        s = f->store.list[i];
        if (s->regular && s->regular->fitted)
            st = pshi_events_prepare(&f->signals, &f->shape, &s->subject, f->outlook.closed, target);
    }
    return st;
}

/* The first step tells the time: what began in its future began with wrong times. */
static void start_time(psh_forecaster *f, int64_t target) {
    while (f->store.count && f->outlook.closed > target) {
        pshi_store_remove(f->env, &f->store, &f->shape, f->store.count - 1);
        f->shed++;
    }
    pshi_lender_reset(&f->lender);
    if (f->outlook.closed > target)
        pshi_metrics_close(&f->signals, &f->shape, target, target);
    while (f->templates.count && f->outlook.closed > target)
        pshi_templates_remove(f->env, &f->templates, f->templates.count - 1);
    if (!f->anchored || f->outlook.closed > target)
        f->outlook.closed = target;
    f->anchored = 1;
    f->stepped = 1;
}

/* A change of tier costs as much as a fit: nothing but memory. A series that a limit keeps sparse goes on as it is. */
static psh_status change_tier(psh_forecaster *f, pshi_series *s, int wants) {
    uint64_t before = pshi_series_held(&f->shape, s);
    psh_status st = PSH_OK;

    if (wants < 0) {
        f->store.hot -= s->hot != NULL;
        pshi_series_demote(f->env, s);
    } else if (pshi_forecaster_bytes(f) + pshi_series_bytes(&f->shape, PSH_SUBJECT_TABLE) <= f->o.max_bytes)
        st = pshi_series_promote(f->env, s, &f->shape, f->outlook.closed);
    f->store.bytes += pshi_series_held(&f->shape, s) - before;
    return st;
}

/* Metrics are looked at for series that one may lead, where there is memory left. */
static psh_status look_at_metrics(psh_forecaster *f, pshi_series *s) {
    uint64_t need;
    psh_status st;

    if (!f->signals.metric_count || !s->regular || s->regular->watch.lead ||
        !pshi_metrics_any(&f->signals, &s->subject))
        return PSH_OK;
    need = pshi_metrics_bytes(&f->signals, &f->shape);
    if (pshi_forecaster_bytes(f) + need > f->o.max_bytes)
        return PSH_OK;
    st = pshi_metrics_begin(&f->signals, &f->shape, &s->regular->watch);
    f->store.bytes += st == PSH_OK ? need : 0;
    return st;
}

static psh_status attend(psh_forecaster *f, pshi_series *s, uint32_t *budget) {
    int wants = pshi_series_wants(s, &f->shape, f->outlook.closed);
    psh_status st = PSH_OK;

    if (wants)
        st = change_tier(f, s, wants);
    if (st == PSH_OK)
        st = pshi_heat_apply(f, s);
    if (st == PSH_OK)
        st = look_at_metrics(f, s);
    if (st != PSH_OK || !pshi_series_due(s, f->outlook.closed))
        return st;
    if (!*budget)
        return PSH_AGAIN;
    --*budget;
    f->outlook.of = NULL;
    pshi_lender_reset(&f->lender);
    return pshi_series_fit(f->env, s, &f->outlook);
}

static psh_status refit(psh_forecaster *f, uint32_t budget) {
    size_t n = f->store.count, i;
    psh_status st;

    for (i = 0; i < n; i++) {
        f->cursor = f->cursor < n ? f->cursor : 0;
        st = attend(f, f->store.list[f->cursor], &budget);
        if (st != PSH_OK)
            return st;
        f->cursor++;
    }
    return pshi_heat_train(f, &budget);
}

psh_status psh_forecaster_step(psh_forecaster *f, int64_t now, uint32_t budget) {
    int64_t target, from;
    psh_status st;

    if (!f)
        return PSH_E_INVALID;
    if (now == PSH_TIME_NONE || (f->stepped && now < f->now))
        return PSH_E_TIME;
    st = pshi_clusters_ready(f->env, &f->clusters);
    if (st == PSH_OK)
        st = pshi_observers_drain(f);
    if (st != PSH_OK)
        return st;
    target = pshi_bucket(&f->shape, pshi_time_add(now, -f->o.lateness_ns));
    if (!f->stepped)
        start_time(f, target);
    st = target > f->outlook.closed ? prepare_events(f, target) : PSH_OK;
    if (st != PSH_OK)
        return st;
    f->now = now;
    from = f->outlook.closed;
    if (target > from)
        close_buckets(f, target);
    pshi_clusters_due(&f->clusters, &f->templates, f->folding.latest, target, f->shape.season[0]);
    if (pshi_floor_div(f->outlook.closed, f->shape.longest) != pshi_floor_div(from, f->shape.longest))
        pshi_labels_fade(&f->labels);
    st = pshi_clusters_series(f);
    if (st == PSH_OK)
        st = pshi_tenants_step(f, from, &budget);
    if (st == PSH_OK)
        st = refit(f, budget);
    pshi_lender_reset(&f->lender); /* what was made out on the way is out of date */
    return st;
}

static psh_status check_subject(const psh_forecaster *f, const psh_subject *s, psh_error *err) {
    if (!s)
        return pshi_fail(err, PSH_E_INVALID, "subject", "is NULL");
    if (!pshi_is_subject(s))
        return pshi_fail(err, PSH_E_INVALID, "subject.kind", "is no PSH_SUBJECT_*");
    if (s->table >= psh_schema_table_count(f->schema))
        return pshi_fail(err, PSH_E_INVALID, "subject.table", "no such table");
    return PSH_OK;
}

static uint32_t reason_of(const psh_forecaster *f, const pshi_series *s) {
    if (pshi_series_age(s, f->outlook.closed) < (int64_t)f->shape.season[0])
        return PSH_REASON_SHORT;
    return pshi_series_scored(s) && pshi_series_skill(s) <= 0 ? PSH_REASON_NO_SKILL : PSH_REASON_NONE;
}

static psh_status fill_forecast(
    psh_forecaster *f, const pshi_series *s, uint32_t lead, psh_forecast_spec *spec, psh_forecast **out,
    psh_error *err) {
    double *mean = pshi_alloc(f->env, sizeof *mean * spec->steps * (1 + spec->level_count)), *q, least;
    uint32_t i, k;
    psh_status st;

    if (!mean)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the forecast");
    q = mean + spec->steps;
    for (i = 0; i < spec->steps; i++) {
        mean[i] = pshi_series_mean(&f->outlook, s, lead + i);
        for (k = 0, least = 0; k < spec->level_count; k++, q++) {
            *q = pshi_series_quantile(&f->outlook, s, lead + i, mean[i], spec->levels[k]);
            *q = *q > least ? *q : least;
            least = *q;
        }
    }
    spec->mean = mean;
    spec->quantiles = mean + spec->steps;
    st = psh_forecast_create(f->env, spec, out, err);
    pshi_free(f->env, mean);
    return st;
}

psh_status psh_forecaster_forecast(
    psh_forecaster *f, const psh_subject *subject, int64_t from, uint32_t steps, psh_forecast **out,
    psh_error *err) {
    static const double levels[] = { 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99 };
    psh_forecast_spec spec = { sizeof spec };
    const pshi_series *s;
    int64_t first;
    psh_status st;

    if (out)
        *out = NULL;
    if (!f || !out)
        return pshi_fail(err, PSH_E_INVALID, f ? "out" : "f", "is NULL");
    if ((st = check_subject(f, subject, err)) != PSH_OK)
        return st;
    if (steps < 1 || steps > MOST_STEPS)
        return pshi_fail(err, PSH_E_INVALID, "steps", "must be 1 to 4096");
    s = pshi_store_find(&f->store, subject);
    if (!s)
        return pshi_fail(err, PSH_E_NO_FORECAST, "subject", psh_reason_text(PSH_REASON_UNKNOWN));
    if (!pshi_series_age(s, f->outlook.closed))
        return pshi_fail(err, PSH_E_NO_FORECAST, "subject", psh_reason_text(PSH_REASON_SHORT));
    first = from == PSH_TIME_NONE ? f->outlook.closed - 1 : pshi_bucket(&f->shape, from);
    if (first < f->outlook.closed || first - f->outlook.closed > MOST_LEAD)
        return pshi_fail(err, PSH_E_INVALID, "from", "lies in closed buckets, or too far ahead");
    spec.reason = reason_of(f, s);
    spec.subject = *subject;
    spec.made_at = f->now;
    spec.from = pshi_bucket_start(&f->shape, first);
    spec.step_ns = f->o.bucket_ns;
    spec.steps = steps;
    spec.level_count = sizeof levels / sizeof *levels;
    spec.levels = levels;
    spec.skill = pshi_series_skill(s);
    return fill_forecast(f, s, (uint32_t)(first - f->outlook.closed + 1), &spec, out, err);
}

static void fill_score(const pshi_series *s, psh_score *out) {
    const pshi_tally *t = s->regular ? &s->regular->tally : NULL;

    if (!t || !(t->weight > 0))
        return;
    out->scored = t->scored;
    out->mae = t->error / t->weight;
    out->mae_naive = t->naive / t->weight;
    out->coverage90 = t->inside / t->weight;
}

psh_status psh_forecaster_score(psh_forecaster *f, const psh_subject *subject, psh_score *out) {
    psh_score score = { 0 };
    const pshi_series *s;

    if (!f || !out || check_subject(f, subject, NULL) != PSH_OK)
        return f && out && subject ? PSH_E_NOT_FOUND : PSH_E_INVALID;
    s = pshi_store_find(&f->store, subject);
    if (!s)
        return PSH_E_NOT_FOUND;
    fill_score(s, &score);
    score.skill = pshi_series_skill(s);
    return pshi_struct_out(out, &score, sizeof score);
}

size_t psh_forecaster_template_count(const psh_forecaster *f) {
    return f ? f->templates.count : 0;
}

psh_status psh_forecaster_template(psh_forecaster *f, size_t i, psh_template_info *out) {
    psh_status st;

    if (!f || !out)
        return PSH_E_INVALID;
    if (i >= f->templates.count)
        return PSH_E_NOT_FOUND;
    st = pshi_templates_sort(f->env, &f->templates);
    if (st == PSH_OK)
        pshi_template_info(&f->templates.list[f->templates.order[i]], out);
    return st;
}
