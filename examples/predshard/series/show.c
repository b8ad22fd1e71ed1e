/* SPDX-License-Identifier: MIT */
/*
 * The result, one JSON object; null stands where nothing is known.
 *
 *   format, format_version  "predshard-forecast", 1
 *   version                 of the library
 *   input, time_column, value_column, key_column
 *   levels                  of the quantiles, ascending
 *   series                  one object a key:
 *     key, model            "" without a key column; the model's own line
 *     kind                  name of the model's kind
 *     step, season, horizon
 *     values, missing       how many values there are, how many steps had none
 *     off_grid              rows moved to the nearest step
 *     backtest              {steps, scored, mae, mase, coverage, nominal} on the last steps, held out
 *     history               {time, value}: the last values (at most 5000), null where none was there
 *     held_out              {time, mean, quantiles}: what the backtest forecast
 *     forecast              {time, mean, quantiles}: quantiles is one array a level
 */
#include "show.h"

#include <inttypes.h>
#include <math.h>

#include "output.h"

#define WIDE 72u
#define MOST_HISTORY 5000u

static const char *const blocks[] = { "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587",
    "\u2588" };

/* Values as one line; several a place where there are too many, their mean. */
static void spark(const double *v, const uint8_t *missing, size_t n, size_t wide, double low, double high,
    FILE *to) {
    size_t i, k, from, until, count;
    double sum, share;

    for (i = 0; i < wide; i++) {
        from = i * n / wide;
        until = (i + 1) * n / wide;
        for (sum = 0, count = 0, k = from; k < until; k++)
            if (!missing || !missing[k]) {
                sum += v[k];
                count++;
            }
        share = count && high > low ? (sum / (double)count - low) / (high - low) : 0;
        fputs(count ? blocks[(int)(share * 7.999)] : " ", to);
    }
}

static void range_of(const double *v, const uint8_t *missing, size_t n, double *low, double *high) {
    size_t i;

    for (i = 0; i < n; i++)
        if (!missing || !missing[i]) {
            *low = v[i] < *low ? v[i] : *low;
            *high = v[i] > *high ? v[i] : *high;
        }
}

static void show_spark(const fit *x, FILE *to) {
    size_t past = x->series.count, ahead = x->horizon, from, wide, wide_ahead;
    double low = HUGE_VAL, high = -HUGE_VAL;

    if (past > 2 * ahead && past > WIDE)
        past = 2 * ahead > WIDE ? 2 * ahead : WIDE;
    from = x->series.count - past;
    wide = past < WIDE ? past : WIDE;
    wide_ahead = ahead * wide / past;
    wide_ahead = wide_ahead < 1 ? 1 : wide_ahead > ahead ? ahead : wide_ahead > WIDE ? WIDE : wide_ahead;
    range_of(x->series.value + from, x->series.missing + from, past, &low, &high);
    range_of(x->mean, NULL, ahead, &low, &high);
    fprintf(to, "\n  ");
    spark(x->series.value + from, x->series.missing + from, past, wide, low, high, to);
    fprintf(to, "|");
    spark(x->mean, NULL, ahead, wide_ahead, low, high, to);
    fprintf(to, "\n  the last %zu values | the next %zu; from %.6g to %.6g\n", past, ahead, low, high);
}

static void show_backtest(const forecast_options *o, const fit *x, FILE *to) {
    double nominal = o->levels[o->level_count - 1] - o->levels[0];

    if (!x->scored) {
        fprintf(to, "backtest: none: the series is too short to hold its end out\n");
        return;
    }
    fprintf(to, "backtest: the last %" PRIu32 " steps held out: ", x->held_out);
    if (isnan(x->mase))
        fprintf(to, "mean absolute error %.6g, MASE unknown: the history does not vary", x->mae);
    else
        fprintf(to, "MASE %.3f, mean absolute error %.6g", x->mase, x->mae);
    if (o->level_count > 1)
        fprintf(to, ", %.0f %% of %" PRIu32 " inside the %.0f %% interval", 100 * x->coverage, x->scored,
            100 * nominal);
    fprintf(to, "\n");
}

static void show_head(const fit *x, FILE *to) {
    char from[CLOCK_TEXT], until[CLOCK_TEXT], step[CLOCK_TEXT];
    uint32_t i;

    grid_time(&x->series, 0, 0, from);
    grid_time(&x->series, x->series.count - 1, 0, until);
    grid_step_text(&x->series, step);
    if (x->key[0])
        fprintf(to, "key %s: ", x->key);
    fprintf(to, "%zu values from %s to %s, step %s", x->series.count, from, until, step);
    if (x->season_count == 0)
        fprintf(to, ", no season");
    for (i = 0; i < x->season_count; i++)
        fprintf(to, "%s%" PRIu32, i ? ", " : ", season ", x->season[i]);
    if (x->series.missing_count)
        fprintf(to, "; %zu missing", x->series.missing_count);
    if (x->series.off_grid)
        fprintf(to, "; %" PRIu64 " moved to the nearest step", x->series.off_grid);
    fprintf(to, "\nmodel: %s%s\n", x->model, x->flags & PSH_MODEL_NONNEGATIVE ? "; never below 0, as the history"
        : "");
}

void show_series(const forecast_options *o, const fit *x, FILE *to) {
    char time[CLOCK_TEXT], low[24], high[24];
    uint32_t i, last = o->level_count - 1;

    show_head(x, to);
    show_backtest(o, x, to);
    show_spark(x, to);
    snprintf(low, sizeof low, "%g %%", 100 * o->levels[0]);
    snprintf(high, sizeof high, "%g %%", 100 * o->levels[last]);
    fprintf(to, "\n%-20s %14s %14s %14s\n", "time", "mean", low, high);
    for (i = 0; i < x->horizon; i++) {
        grid_time(&x->series, x->series.count + i, 0, time);
        fprintf(to, "%-20s %14.6g %14.6g %14.6g\n", time, x->mean[i], x->quantile[(size_t)i * o->level_count],
            x->quantile[(size_t)i * o->level_count + last]);
    }
}

static double sum_of(const fit *x) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < x->horizon; i++)
        sum += x->mean[i];
    return sum;
}

void show_line(const fit *x, FILE *to) {
    char mase[24] = "-", inside[24] = "-";

    if (!x) {
        fprintf(to, "%-24s %9s %8s %8s %8s %14s  %s\n", "key", "values", "missing", "MASE", "inside", "sum ahead",
            "model");
        return;
    }
    if (!isnan(x->mase))
        snprintf(mase, sizeof mase, "%.3f", x->mase);
    if (!isnan(x->coverage))
        snprintf(inside, sizeof inside, "%.0f %%", 100 * x->coverage);
    fprintf(to, "%-24.60s %9zu %8zu %8s %8s %14.6g  %.60s\n", x->key, x->series.count, x->series.missing_count,
        mase, inside,
        sum_of(x), x->model);
}

static json_t *times(const fit *x, size_t from, size_t n, failure *f) {
    json_t *to = json_array();
    char text[CLOCK_TEXT];
    size_t i;

    for (i = 0; i < n && f->code == EXIT_DONE; i++) {
        if (x->series.time_kind == TIME_CLOCK) {
            grid_time(&x->series, from + i, 1, text);
            push(to, json_string(text), f);
        } else {
            push(to, json_integer(x->series.start + (int64_t)(from + i) * x->series.step), f);
        }
    }
    return to;
}

static json_t *numbers(const double *v, const uint8_t *missing, size_t n, size_t stride, failure *f) {
    json_t *to = json_array();
    size_t i;

    for (i = 0; i < n && f->code == EXIT_DONE; i++)
        push(to, missing && missing[i] ? json_null() : number_value(v[i * stride]), f);
    return to;
}

static json_t *band(const forecast_options *o, const fit *x, size_t from, size_t n, const double *mean,
    const double *quantile, failure *f) {
    json_t *to = json_object(), *levels = json_array();
    uint32_t i;

    put(to, "time", times(x, from, n, f), f);
    put(to, "mean", numbers(mean, NULL, n, 1, f), f);
    for (i = 0; i < o->level_count; i++)
        push(levels, numbers(quantile ? quantile + i : NULL, NULL, n, o->level_count, f), f);
    put(to, "quantiles", levels, f);
    return to;
}

static json_t *backtest_json(const forecast_options *o, const fit *x, failure *f) {
    json_t *to = json_object();

    put_count(to, "steps", x->held_out, f);
    put_count(to, "scored", x->scored, f);
    put_number(to, "mae", x->mae, f);
    put_number(to, "mase", x->mase, f);
    put_number(to, "coverage", x->coverage, f);
    put_number(to, "nominal", o->levels[o->level_count - 1] - o->levels[0], f);
    return to;
}

static json_t *history_json(const fit *x, failure *f) {
    json_t *to = json_object();
    size_t n = x->series.count < MOST_HISTORY ? x->series.count : MOST_HISTORY, from = x->series.count - n;

    put(to, "time", times(x, from, n, f), f);
    put(to, "value", numbers(x->series.value + from, x->series.missing + from, n, 1, f), f);
    return to;
}

static json_t *series_json(const forecast_options *o, const fit *x, failure *f) {
    json_t *to = json_object(), *season = json_array();
    char step[CLOCK_TEXT];
    uint32_t i;

    grid_step_text(&x->series, step);
    put_text(to, "key", x->key, f);
    put_text(to, "model", x->model, f);
    put_text(to, "kind", psh_model_name(x->kind), f);
    put_text(to, "step", step, f);
    for (i = 0; i < x->season_count; i++)
        push(season, json_integer(x->season[i]), f);
    put(to, "season", season, f);
    put_count(to, "horizon", x->horizon, f);
    put_count(to, "values", x->series.count, f);
    put_count(to, "missing", x->series.missing_count, f);
    put_count(to, "off_grid", x->series.off_grid, f);
    put(to, "backtest", backtest_json(o, x, f), f);
    put(to, "history", history_json(x, f), f);
    put(to, "held_out", band(o, x, x->series.count - x->held_out, x->held_out, x->held_mean, x->held_quantile, f),
        f);
    put(to, "forecast", band(o, x, x->series.count, x->horizon, x->mean, x->quantile, f), f);
    return to;
}

json_t *show_json(const forecast_options *o, const rows *r, const fit *fits, size_t count, failure *f) {
    json_t *to = json_object(), *series = json_array();
    size_t i;

    put_text(to, "format", "predshard-forecast", f);
    put_count(to, "format_version", 1, f);
    put_text(to, "version", psh_version(), f);
    put_text(to, "input", o->input, f);
    put_text(to, "time_column", r->time_name, f);
    put_text(to, "value_column", r->value_name, f);
    put_text(to, "key_column", r->key_name, f);
    put(to, "levels", numbers(o->levels, NULL, o->level_count, 1, f), f);
    for (i = 0; i < count && f->code == EXIT_DONE; i++)
        push(series, series_json(o, &fits[i], f), f);
    put(to, "series", series, f);
    if (f->code == EXIT_DONE)
        return to;
    json_decref(to);
    return NULL;
}
