/* SPDX-License-Identifier: MIT */
/*
 * The members that suit a series: the rhythm where seasons were seen often; TSB where most values are 0; otherwise the
 * median of a few classical models, as in Petropoulos & Svetunkov, "A simple combination of univariate models", 2020.
 */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "math/stats.h"
#include "model/decompose.h"
#include "model/model.h"

#define MOST_MEMBERS 5u
#define PSHI_COMBINED_LOOK_MOST 100000u /* values beyond which none is looked for */
#define OFTEN 25u          /* seasons that make a rhythm of a single one */
#define LOOK_FROM 80u      /* values from which a season is looked for where none was given */
#define MANY_PLACES 24u    /* a season of more places than this is left to fewer members */
#define ZEROS 0.5          /* share of zeros that makes a series sparse */
#define WIDER 1.2          /* members' own deviations take their parameters for known; chosen by rolling origin */

typedef struct combined {
    uint32_t count;
    uint32_t looked;       /* the season that was found, 0: none or given */
    uint32_t kind[MOST_MEMBERS];
    uint32_t reserved;
    void *state[MOST_MEMBERS];
    size_t bytes[MOST_MEMBERS];
} combined;

static void release(psh_env *env, void *state) {
    combined *s = state;
    uint32_t k;

    for (k = 0; k < s->count; k++)
        if (s->state[k])
            pshi_model_release(env, pshi_model_class_of(s->kind[k]), s->state[k]);
    pshi_free(env, s);
}

static int is_sparse(const pshi_fit *in) {
    size_t zeros = 0, i;

    for (i = 0; i < in->n; i++) {
        if (in->y[i] < 0)
            return 0;
        zeros += in->y[i] == 0;
    }
    return (double)zeros >= ZEROS * (double)in->n && zeros < in->n;
}

static int is_rhythm(const pshi_fit *in) {
    if (!in->seasons)
        return 0;
    return in->seasons > 1 || in->n >= (size_t)OFTEN * in->season[0];
}

static void choose_members(const pshi_fit *in, combined *s) {
    static const uint32_t few[] = { PSH_MODEL_DAMPED, PSH_MODEL_HOLT_WINTERS, PSH_MODEL_ETS, PSH_MODEL_DOTM };
    static const uint32_t many[] = {
        PSH_MODEL_HOLT_WINTERS, PSH_MODEL_THETA, PSH_MODEL_DOTM, PSH_MODEL_ETS, PSH_MODEL_ARIMA };

    s->count = 1;
    if (is_rhythm(in)) {
        s->kind[0] = PSH_MODEL_RHYTHM;
    } else if (is_sparse(in)) {
        s->kind[0] = PSH_MODEL_TSB;
    } else if (in->seasons && in->season[0] > MANY_PLACES) {
        s->count = 4;
        memcpy(s->kind, few, sizeof few);
    } else {
        s->count = 5;
        memcpy(s->kind, many, sizeof many);
    }
}

static double autocorrelation(const double *y, size_t n, size_t lag, double mean) {
    double sum = 0, squares = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        squares += (y[i] - mean) * (y[i] - mean);
        if (i >= lag)
            sum += (y[i] - mean) * (y[i - lag] - mean);
    }
    return squares > 0 ? sum / squares : 0;
}

/* Of the usual ones the strongest in first differences, if it passes the test and was seen three times. */
static uint32_t look_for_season(const pshi_fit *in, const double *difference) {
    static const uint32_t usual[] = { 4, 7, 12, 24, 52 };
    size_t n = in->n - 1, i;
    double mean = (in->y[in->n - 1] - in->y[0]) / (double)n, best = 0, r;
    uint32_t found = 0;

    for (i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (n < 3 * (size_t)usual[i] || !pshi_is_seasonal(difference, n, usual[i]))
            continue;
        r = autocorrelation(difference, n, usual[i], mean);
        if (r > best) {
            best = r;
            found = usual[i];
        }
    }
    return found;
}

static psh_status find_season(const pshi_fit *in, uint32_t *season) {
    double *difference;
    size_t i;

    *season = 0;
    if (in->seasons || in->n < LOOK_FROM || in->n > PSHI_COMBINED_LOOK_MOST)
        return PSH_OK;
    difference = pshi_alloc(in->env, in->n * sizeof *difference);
    if (!difference)
        return PSH_E_NOMEM;
    for (i = 1; i < in->n; i++)
        difference[i - 1] = in->y[i] - in->y[i - 1];
    *season = look_for_season(in, difference);
    pshi_free(in->env, difference);
    return PSH_OK;
}

static psh_status fit(const pshi_fit *given, void **state, size_t *bytes) {
    pshi_fit in = *given;
    combined *s = pshi_calloc(in.env, 1, sizeof *s);
    psh_status st = s ? PSH_OK : PSH_E_NOMEM;
    uint32_t k;

    if (st == PSH_OK)
        st = find_season(&in, &s->looked);
    if (st == PSH_OK && s->looked) {
        in.season[0] = s->looked;
        in.seasons = 1;
    }
    if (st == PSH_OK)
        choose_members(&in, s);
    *bytes = sizeof *s;
    for (k = 0; st == PSH_OK && k < s->count; k++) {
        st = pshi_model_class_of(s->kind[k])->fit(&in, &s->state[k], &s->bytes[k]);
        *bytes += s->bytes[k];
    }
    if (st == PSH_OK)
        *state = s;
    else if (s)
        release(in.env, s);
    return st;
}

static void update(void *state, double y, const double *x) {
    combined *s = state;
    uint32_t k;

    for (k = 0; k < s->count; k++)
        pshi_model_class_of(s->kind[k])->update(s->state[k], y, x);
}

static double median_of(double *x, uint32_t n) {
    uint32_t i, j;
    double v;

    for (i = 1; i < n; i++) {
        v = x[i];
        for (j = i; j > 0 && x[j - 1] > v; j--)
            x[j] = x[j - 1];
        x[j] = v;
    }
    return n % 2 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
}

/* Mean: the median of the members'. Deviation: the members' root mean square and how far they are apart, widened. */
static void merge(const combined *s, const pshi_ahead *a, const double *mean, const double *sd) {
    double sorted[MOST_MEMBERS], square, apart;
    uint32_t h, k;

    for (h = 0; h < a->steps; h++) {
        for (k = 0; k < s->count; k++)
            sorted[k] = mean[(size_t)k * a->steps + h];
        a->mean[h] = median_of(sorted, s->count);
        if (!a->sd)
            continue;
        for (k = 0, square = 0; k < s->count; k++) {
            apart = mean[(size_t)k * a->steps + h] - a->mean[h];
            square += sd[(size_t)k * a->steps + h] * sd[(size_t)k * a->steps + h] + apart * apart;
        }
        a->sd[h] = WIDER * sqrt(square / s->count);
    }
}

static psh_status forecast(psh_env *env, const void *state, const pshi_ahead *a) {
    const combined *s = state;
    pshi_ahead one = *a;
    psh_status st = PSH_OK;
    double *all;
    uint32_t k;

    if (s->count == 1)
        return pshi_model_class_of(s->kind[0])->forecast(env, s->state[0], a);
    all = pshi_alloc(env, 2 * (size_t)s->count * a->steps * sizeof *all);
    if (!all)
        return PSH_E_NOMEM;
    for (k = 0; st == PSH_OK && k < s->count; k++) {
        one.mean = all + (size_t)k * a->steps;
        one.sd = a->sd ? all + (size_t)(s->count + k) * a->steps : NULL;
        st = pshi_model_class_of(s->kind[k])->forecast(env, s->state[k], &one);
    }
    if (st == PSH_OK)
        merge(s, a, all, all + (size_t)s->count * a->steps);
    pshi_free(env, all);
    return st;
}

static psh_status quantiles(
    psh_env *env, const void *state, const pshi_ahead *a, const double *levels, uint32_t level_count, double *out) {
    const combined *s = state;
    const pshi_model_class *only = s->count == 1 ? pshi_model_class_of(s->kind[0]) : NULL;
    uint32_t h, k;

    if (only && only->quantiles)
        return only->quantiles(env, s->state[0], a, levels, level_count, out);
    for (h = 0; h < a->steps; h++)
        for (k = 0; k < level_count; k++)
            *out++ = a->mean[h] + pshi_normal_quantile(levels[k]) * a->sd[h];
    return PSH_OK;
}

static void dump(const void *state, pshi_writer *w) {
    const combined *s = state;
    uint32_t k;

    if (s->looked) {
        pshi_text(w, "found season ");
        pshi_text_u64(w, s->looked);
        pshi_text(w, "; ");
    }
    pshi_text(w, s->count > 1 ? "median of" : "is");
    for (k = 0; k < s->count; k++) {
        pshi_text(w, k ? "; " : " ");
        pshi_text(w, pshi_model_class_of(s->kind[k])->name);
        pshi_text(w, " ");
        pshi_model_class_of(s->kind[k])->dump(s->state[k], w);
    }
}

static void save(const void *state, pshi_writer *w) {
    const combined *s = state;
    uint32_t k;

    pshi_put_var(w, s->looked);
    pshi_put_var(w, s->count);
    for (k = 0; k < s->count; k++) {
        pshi_put_var(w, s->kind[k]);
        pshi_model_class_of(s->kind[k])->save(s->state[k], w);
    }
}

static int may_be_member(uint32_t kind) {
    return kind == PSH_MODEL_RHYTHM || kind == PSH_MODEL_TSB || kind == PSH_MODEL_DAMPED || kind == PSH_MODEL_ETS ||
           kind == PSH_MODEL_HOLT_WINTERS || kind == PSH_MODEL_DOTM || kind == PSH_MODEL_THETA ||
           kind == PSH_MODEL_ARIMA;
}

static void *load(psh_env *env, pshi_cursor *c, size_t *bytes) {
    combined *s = pshi_calloc(env, 1, sizeof *s);
    uint32_t count, kind;

    if (!s)
        return NULL;
    *bytes = sizeof *s;
    s->looked = pshi_get_var32(c);
    count = pshi_get_var32(c);
    if (count < 1 || count > MOST_MEMBERS || s->looked > PSHI_MODEL_MOST_SEASON)
        pshi_read_bad(c);
    while (c->status == PSH_OK && s->count < count) {
        kind = pshi_get_var32(c);
        if (!may_be_member(kind)) {
            pshi_read_bad(c);
            break;
        }
        s->kind[s->count] = kind;
        s->state[s->count] = pshi_model_class_of(kind)->load(env, c, &s->bytes[s->count]);
        if (!s->state[s->count]) {
            release(env, s);
            return NULL;
        }
        *bytes += s->bytes[s->count++];
    }
    return s;
}

const pshi_model_class pshi_model_combined = {
    "combined", 0, fit, update, forecast, quantiles, dump, save, load, release
};
