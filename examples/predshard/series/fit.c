/* SPDX-License-Identifier: MIT */
#include "fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int failed(failure *f, psh_status st, const psh_error *err) {
    if (st == PSH_E_NOMEM)
        return fail_memory(f);
    return fail(f, st == PSH_E_INVALID || st == PSH_E_UNSUPPORTED ? EXIT_USAGE : EXIT_INTERNAL,
        "the model: %s %s: pass other options",
        err->field, err->text[0] ? err->text : psh_status_text(st));
}

static psh_model_spec spec_of(const fit *x) {
    psh_model_spec spec = { 0 };
    uint32_t i;

    spec.struct_size = sizeof spec;
    spec.kind = x->kind;
    spec.flags = x->flags;
    spec.horizon = x->horizon;
    for (i = 0; i < x->season_count; i++)
        spec.season[i] = x->season[i];
    spec.mask = x->series.missing_count ? x->series.missing : NULL;
    return spec;
}

static int fit_to(psh_env *env, const fit *x, size_t n, psh_model **out, failure *f) {
    psh_error err = { sizeof err, 0, 0, "", "" };
    psh_model_spec spec = spec_of(x);
    psh_status st = psh_model_fit(env, &spec, x->series.value, n, out, &err);

    return st == PSH_OK ? EXIT_DONE : failed(f, st, &err);
}

static int ahead(const psh_model *m, const forecast_options *o, uint32_t steps, double **mean, double **quantile,
    failure *f) {
    psh_status st;

    *mean = malloc(sizeof **mean * steps);
    *quantile = malloc(sizeof **quantile * steps * o->level_count);
    if (!*mean || !*quantile)
        return fail_memory(f);
    st = psh_model_forecast(m, steps, NULL, o->levels, o->level_count, *mean, *quantile);
    return st == PSH_OK ? EXIT_DONE : st == PSH_E_NOMEM ? fail_memory(f)
        : fail(f, EXIT_INTERNAL, "the forecast: %s", psh_status_text(st));
}

static int keep_line(psh_env *env, const psh_model *m, fit *x, failure *f) {
    psh_buffer *text;
    size_t n;

    if (psh_buffer_create(env, &text) != PSH_OK)
        return fail_memory(f);
    if (psh_model_dump(m, text) == PSH_OK)
        x->model = strdup(psh_buffer_data(text));
    psh_buffer_destroy(text);
    if (!x->model)
        return fail_memory(f);
    for (n = strlen(x->model); n && x->model[n - 1] == '\n'; n--)
        x->model[n - 1] = 0;
    return EXIT_DONE;
}

/* Mean absolute difference of one season inside the first n values; Hyndman & Koehler 2006. */
static double scale_of(const fit *x, size_t n) {
    size_t m = x->season_count && x->season[0] < n ? x->season[0] : 1, i, count = 0;
    double sum = 0;

    for (i = m; i < n; i++)
        if (!x->series.missing[i] && !x->series.missing[i - m]) {
            sum += fabs(x->series.value[i] - x->series.value[i - m]);
            count++;
        }
    return count ? sum / (double)count : 0;
}

static void score(const forecast_options *o, fit *x, size_t n) {
    const double *q = x->held_quantile;
    uint32_t i, inside = 0, last = o->level_count - 1;
    double sum = 0, scale = scale_of(x, n), y;

    for (i = 0; i < x->held_out; i++, q += o->level_count) {
        if (x->series.missing[n + i])
            continue;
        y = x->series.value[n + i];
        sum += fabs(y - x->held_mean[i]);
        inside += y >= q[0] && y <= q[last];
        x->scored++;
    }
    if (!x->scored)
        return;
    x->mae = sum / x->scored;
    x->coverage = (double)inside / x->scored;
    if (scale > 0)
        x->mase = x->mae / scale;
}

/* The last horizon held out, or the last third where the series is short. */
static int backtest(psh_env *env, const forecast_options *o, fit *x, failure *f) {
    size_t held = x->horizon, n = x->series.count;
    psh_model *m = NULL;

    if (held > n / 3)
        held = n / 3;
    if (held == 0)
        return EXIT_DONE;
    x->held_out = (uint32_t)held;
    if (fit_to(env, x, n - held, &m, f) == EXIT_DONE
        && ahead(m, o, x->held_out, &x->held_mean, &x->held_quantile, f) == EXIT_DONE)
        score(o, x, n - held);
    psh_model_destroy(m);
    return f->code;
}

static void set_shape(const forecast_options *o, fit *x) {
    size_t i;

    x->season_count = o->season_given ? o->season_count : grid_seasons(&x->series, x->season);
    if (o->season_given)
        memcpy(x->season, o->season, sizeof x->season);
    x->horizon = o->horizon ? o->horizon : x->season_count ? 2 * x->season[0] : 8;
    if (x->horizon > PSH_MODEL_MOST_STEPS)
        x->horizon = PSH_MODEL_MOST_STEPS;
    x->flags = o->allow_negative ? 0 : PSH_MODEL_NONNEGATIVE;
    for (i = 0; i < x->series.count; i++)
        if (x->series.value[i] < 0)
            x->flags = 0;
}

int fit_run(psh_env *env, const forecast_options *o, fit *x, failure *f) {
    psh_model *m = NULL;

    x->mase = x->mae = x->coverage = (double)NAN;
    set_shape(o, x);
    if (fit_to(env, x, x->series.count, &m, f) == EXIT_DONE && keep_line(env, m, x, f) == EXIT_DONE
        && ahead(m, o, x->horizon, &x->mean, &x->quantile, f) == EXIT_DONE)
        backtest(env, o, x, f);
    psh_model_destroy(m);
    return f->code;
}

void fit_free(fit *x) {
    grid_free(&x->series);
    free(x->model);
    free(x->mean);
    free(x->quantile);
    free(x->held_mean);
    free(x->held_quantile);
    memset(x, 0, sizeof *x);
}
