/* SPDX-License-Identifier: MIT */
/*
 * Taylor & Letham, "Forecasting at scale" (The American Statistician 72, 2018): y = g + s + events, with g a
 * piecewise linear trend whose changes of slope have a Laplace prior (3.1), s Fourier series with a normal prior
 * (3.2), events as regressors (3.3). The mode of the posterior is found by ridge regressions with the weights of
 * the normal laws that bound the Laplace law from below (Hunter & Li 2005), the noise's variance between them.
 */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "math/linalg.h"
#include "model/model.h"

#define MOST_CHANGES 25u
#define CHANGE_RANGE 0.8    /* of history holds change points */
#define CHANGE_SCALE 0.05   /* tau */
#define TREND_SD 5.0        /* of slope and offset */
#define SEASON_SD 10.0
#define X_SD 10.0
#define MOST_ORDER 24u
#define SHORT_ORDER 12u     /* of the shortest season; 24 of the others */
#define MOST_X 64u
#define MOST_TERMS (2 + MOST_CHANGES + 2 * (SHORT_ORDER + 2 * MOST_ORDER) + MOST_X)
#define ROUNDS 8u           /* of reweighting */
#define SHORT_HISTORY 8u    /* below: the mean alone */
#define TAU 6.283185307179586
#define MOST_COEFFICIENT 1e9
#define MOST_NEXT (UINT64_C(1) << 40)

typedef struct prophet {
    uint32_t x_count;    /* first: pshi_model_class */
    uint32_t changes;
    uint32_t seasons;
    uint32_t season[3];
    uint32_t order[3];   /* harmonics; those that a shorter season has too are left out */
    uint32_t product;    /* 1: season and events are factors of the trend */
    uint32_t terms;
    uint32_t n;          /* values fitted */
    uint64_t next;       /* index of the next value, from the first one fitted */
    double scale;        /* of values: the largest in size */
    double low;
    double high;
    double variance;     /* of noise, scaled */
    double b[];          /* Shape [terms]: offset, slope, changes, sines and cosines, regressors */
} prophet;

static uint32_t is_shared(const prophet *s, uint32_t k, uint32_t j) {
    uint32_t i;

    for (i = 0; i < k; i++)
        if (j * (uint64_t)s->season[i] % s->season[k] == 0)
            return 1;
    return 0;
}

static void count_terms(prophet *s) {
    uint32_t k, j;

    s->terms = 2 + s->changes + s->x_count;
    for (k = 0; k < s->seasons; k++)
        for (j = 1; j <= s->order[k]; j++)
            s->terms += is_shared(s, k, j) ? 0 : 2;
}

static void choose_shape(prophet *s, const pshi_fit *in, uint32_t short_order, uint32_t order) {
    uint32_t k, m, most;

    memset(s, 0, sizeof *s);
    s->n = (uint32_t)in->n;
    s->next = in->n;
    s->x_count = in->x_count;
    if (s->n >= SHORT_HISTORY)
        s->changes = s->n / 4 < MOST_CHANGES ? s->n / 4 : MOST_CHANGES;
    for (k = 0; k < in->seasons && in->season[k] <= in->n / 2; k++) {
        m = in->season[k];
        most = k ? order : short_order;
        s->season[k] = m;
        s->order[k] = (m - 1) / 2 < most ? (m - 1) / 2 : most;
        s->order[k] = s->order[k] ? s->order[k] : 1;
    }
    s->seasons = k;
    count_terms(s);
}

/* Where change point j lies; time runs from 0 to 1 over history. */
static double change_at(const prophet *s, uint32_t j) {
    return CHANGE_RANGE * (j + 1) / s->changes;
}

static double time_of(const prophet *s, uint64_t i) {
    return (double)i / (double)(s->n > 1 ? s->n - 1 : 1);
}

static double *season_terms(const prophet *s, uint32_t k, uint64_t i, double *x) {
    double angle = TAU * (double)(i % s->season[k]) / s->season[k];
    double s1 = sin(angle), c1 = cos(angle), sj = s1, cj = c1, t;
    uint32_t j;

    for (j = 1; j <= s->order[k]; j++) {
        if (!is_shared(s, k, j)) {
            *x++ = sj;
            *x++ = cj;
        }
        t = sj * c1 + cj * s1;
        cj = cj * c1 - sj * s1;
        sj = t;
    }
    return x;
}

static void terms_at(const prophet *s, uint64_t i, const double *regressors, double *x) {
    double t = time_of(s, i);
    uint32_t j;

    *x++ = 1;
    *x++ = s->n < SHORT_HISTORY ? 0 : t;
    for (j = 0; j < s->changes; j++)
        *x++ = fmax(t - change_at(s, j), 0);
    for (j = 0; j < s->seasons; j++)
        x = season_terms(s, j, i, x);
    for (j = 0; j < s->x_count; j++)
        *x++ = regressors[j];
}

static double trend_of(const prophet *s, const double *x) {
    double sum = 0;
    uint32_t j;

    for (j = 0; j < 2 + s->changes; j++)
        sum += s->b[j] * x[j];
    return sum;
}

typedef struct prophet_work {
    double *gram;    /* Shape [terms][terms] */
    double *factor;  /* the same */
    double *rhs;     /* Shape [terms] */
    double *b;
    double *penalty;
    double *x;
    double yy;
} prophet_work;

static int make_prophet_work(psh_env *env, uint32_t terms, prophet_work *w) {
    size_t p = terms;
    double *at = pshi_alloc(env, (2 * p * p + 4 * p) * sizeof *at);

    memset(w, 0, sizeof *w);
    w->gram = at;
    if (!at)
        return 0;
    w->factor = at + p * p;
    w->rhs = w->factor + p * p;
    w->b = w->rhs + p;
    w->penalty = w->b + p;
    w->x = w->penalty + p;
    return 1;
}

/* Sums over the series; as factors, season and events are multiplied by the trend found so far. */
static void sum_up(const prophet *s, const pshi_fit *in, prophet_work *w) {
    size_t i, p = s->terms, j;
    double y, g;

    memset(w->gram, 0, p * p * sizeof *w->gram);
    memset(w->rhs, 0, p * sizeof *w->rhs);
    w->yy = 0;
    for (i = 0; i < in->n; i++) {
        if (in->mask && in->mask[i])
            continue;
        terms_at(s, i, in->x ? in->x + i * s->x_count : NULL, w->x);
        g = s->product ? trend_of(s, w->x) : 1;
        for (j = 2 + s->changes; s->product && j < p; j++)
            w->x[j] *= g;
        y = in->y[i] / s->scale;
        pshi_gram_add(w->gram, w->rhs, w->x, p, y, 1);
        w->yy += y * y;
    }
}

static double left_over(const double *gram, const double *rhs, double yy, const double *b, size_t p) {
    double sum = yy, row;
    size_t i, j;

    for (i = 0; i < p; i++) {
        row = 0;
        for (j = 0; j < i; j++)
            row += b[j] * gram[i * p + j];
        sum += b[i] * (2 * row + b[i] * gram[i * p + i] - 2 * rhs[i]);
    }
    return sum;
}

static void set_penalties(const prophet *s, double *penalty) {
    double v = s->variance;
    uint32_t j;

    for (j = 0; j < s->terms; j++)
        penalty[j] = v / (j < s->terms - s->x_count ? SEASON_SD * SEASON_SD : X_SD * X_SD);
    penalty[0] = penalty[1] = v / (TREND_SD * TREND_SD);
    for (j = 2; j < 2 + s->changes; j++)
        penalty[j] = v / (CHANGE_SCALE * fmax(fabs(s->b[j]), 1e-4));
}

/* One ridge regression at the present weights. @return 1, or 0 with nothing changed. */
static int solve_once(prophet *s, prophet_work *w, double rows) {
    size_t p = s->terms, i;
    double left;

    set_penalties(s, w->penalty);
    memcpy(w->factor, w->gram, p * p * sizeof *w->gram);
    memcpy(w->b, w->rhs, p * sizeof *w->b);
    if (!pshi_ridge(w->factor, w->b, w->penalty, p))
        return 0;
    for (i = 0; i < p; i++)
        s->b[i] = fmin(fmax(w->b[i], -MOST_COEFFICIENT), MOST_COEFFICIENT);
    left = left_over(w->gram, w->rhs, w->yy, s->b, p);
    s->variance = fmax(left / rows, 1e-8 * w->yy / rows + 1e-12);
    return 1;
}

static void find_mode(prophet *s, prophet_work *w, uint32_t rounds, double rows) {
    uint32_t k;
    double old;

    for (k = 0; k < rounds; k++) {
        old = s->variance;
        if (!solve_once(s, w, rows) || fabs(s->variance - old) <= 1e-4 * old)
            break;
    }
}

static double count_rows(const pshi_fit *in) {
    size_t i, n = 0;

    for (i = 0; i < in->n; i++)
        n += !in->mask || !in->mask[i];
    return n ? (double)n : 1;
}

/* A fit of one shape from scratch; w has room for it. */
static void fit_shape(prophet *s, const pshi_fit *in, prophet_work *w, uint32_t rounds) {
    double rows = count_rows(in);
    uint32_t j;

    memset(s->b, 0, s->terms * sizeof *s->b);
    for (j = 2; j < 2 + s->changes; j++)
        s->b[j] = CHANGE_SCALE;
    sum_up(s, in, w);
    s->variance = fmax(1e-3 * w->yy / rows, 1e-12); /* low: from above, the changes may never come up */
    find_mode(s, w, rounds, rows);
}

/* Is the trend positive and does it grow or fall by a fifth or more? Then factors may explain better than terms. */
static int trend_moves(const prophet *s) {
    double x[MOST_TERMS], least = HUGE_VAL, most = 0, g;
    uint32_t i;

    for (i = 0; i <= 20; i++) {
        terms_at(s, (uint64_t)i * (s->n - 1) / 20, NULL, x);
        g = trend_of(s, x);
        least = fmin(least, g);
        most = fmax(most, g);
    }
    return least > 0.02 && most > 1.2 * least;
}

static void try_factors(prophet *s, const pshi_fit *in, prophet_work *w, double *saved) {
    uint32_t round, x_count = s->x_count;
    double variance = s->variance;
    int moves;

    s->x_count = 0; /* the trend alone is looked at */
    moves = in->nonnegative && s->seasons && trend_moves(s);
    s->x_count = x_count;
    if (!moves)
        return;
    memcpy(saved, s->b, s->terms * sizeof *saved);
    s->product = 1;
    for (round = 0; round < 2; round++) {
        sum_up(s, in, w);
        find_mode(s, w, ROUNDS, count_rows(in));
    }
    if (s->variance < variance)
        return;
    s->product = 0;
    s->variance = variance;
    memcpy(s->b, saved, s->terms * sizeof *saved);
}

static void set_scale(prophet *s, const pshi_fit *in) {
    size_t i;

    s->low = s->high = in->y[0];
    for (i = 0; i < in->n; i++) {
        s->low = fmin(s->low, in->y[i]);
        s->high = fmax(s->high, in->y[i]);
    }
    s->scale = fmax(fmax(fabs(s->low), fabs(s->high)), 0x1p-900);
}

static psh_status fit(const pshi_fit *in, void **state, size_t *bytes) {
    prophet shape, *s;
    prophet_work w;
    double *saved;

    choose_shape(&shape, in, SHORT_ORDER, MOST_ORDER);
    *bytes = sizeof *s + shape.terms * sizeof(double);
    s = pshi_alloc(in->env, *bytes);
    saved = pshi_alloc(in->env, shape.terms * sizeof *saved);
    if (make_prophet_work(in->env, shape.terms, &w) && s && saved) {
        *s = shape;
        set_scale(s, in);
        fit_shape(s, in, &w, ROUNDS);
        try_factors(s, in, &w, saved);
        *state = s;
    }
    pshi_free(in->env, w.gram);
    pshi_free(in->env, saved);
    if (s && saved && w.gram)
        return PSH_OK;
    pshi_free(in->env, s);
    return PSH_E_NOMEM;
}

static void update(void *state, double y, const double *x) {
    prophet *s = state;

    (void)y;
    (void)x;
    s->next += s->next < MOST_NEXT ? 1 : 0;
}

/*
 * Variance of the trend `ahead` steps after the fit, of 3.1.4: changes go on at the past rate c / n a step, with
 * Laplace sizes of mean |delta|: c / n times 2 mean^2 times the integral of (ahead - u)^2.
 */
static double trend_variance(const prophet *s, double ahead) {
    double mean = 0, step = time_of(s, 1);
    uint32_t j;

    for (j = 0; j < s->changes; j++)
        mean += fabs(s->b[2 + j]) * step / s->changes;
    return s->changes / (double)s->n * 2 * mean * mean * ahead * ahead * ahead / 3;
}

static psh_status forecast(psh_env *env, const void *state, const pshi_ahead *a) {
    const prophet *s = state;
    double x[MOST_TERMS], g, rest, v, range = 4 * (s->high - s->low);
    uint32_t h, j;

    (void)env;
    for (h = 0; h < a->steps; h++) {
        terms_at(s, s->next + h, a->x ? a->x + (size_t)h * s->x_count : NULL, x);
        g = trend_of(s, x);
        rest = 0;
        for (j = 2 + s->changes; j < s->terms; j++)
            rest += s->b[j] * x[j];
        v = s->scale * (s->product ? g * (1 + rest) : g + rest);
        a->mean[h] = fmin(fmax(v, s->low - range), s->high + range);
        v = s->variance + trend_variance(s, (double)(s->next + h + 1 - s->n));
        if (a->sd)
            a->sd[h] = fmin(s->scale * sqrt(v), 0x1p200);
    }
    return PSH_OK;
}

static void dump(const void *state, pshi_writer *w) {
    const prophet *s = state;
    uint32_t k;

    pshi_text(w, s->product ? "factors" : "terms");
    for (k = 0; k < s->seasons; k++) {
        pshi_text(w, " season ");
        pshi_text_u64(w, s->season[k]);
        pshi_text(w, " order ");
        pshi_text_u64(w, s->order[k]);
    }
    pshi_text(w, " offset ");
    pshi_text_f64(w, s->b[0] * s->scale);
    pshi_text(w, " slope ");
    pshi_text_f64(w, s->b[1] * s->scale * time_of(s, 1));
    for (k = 0; k < s->changes; k++) {
        pshi_text(w, k ? " " : " changes ");
        pshi_text_f64(w, s->b[2 + k] * s->scale * time_of(s, 1));
    }
    pshi_text(w, " sigma ");
    pshi_text_f64(w, s->scale * sqrt(s->variance));
}

static void shape_fields(pshi_fields *io, prophet *s) {
    uint32_t k;

    pshi_field_u32(io, &s->n, 1, PSH_MODEL_MOST_VALUES);
    pshi_field_u32(io, &s->changes, 0, MOST_CHANGES);
    pshi_field_u32(io, &s->seasons, 0, 3);
    for (k = 0; k < s->seasons; k++) {
        pshi_field_u32(io, &s->season[k], k ? s->season[k - 1] + 1 : 2, PSHI_MODEL_MOST_SEASON + k);
        pshi_field_u32(io, &s->order[k], 1, k ? MOST_ORDER : SHORT_ORDER);
    }
    pshi_field_u32(io, &s->x_count, 0, MOST_X);
    pshi_field_u32(io, &s->product, 0, 1);
}

static void fields(pshi_fields *io, prophet *s) {
    int64_t next = (int64_t)s->next;

    pshi_field_i64(io, &next, s->n, (int64_t)MOST_NEXT);
    s->next = (uint64_t)next;
    pshi_field_f64(io, &s->scale, 0, PSHI_MODEL_MOST_VALUE);
    pshi_field_f64(io, &s->low, -PSHI_MODEL_MOST_VALUE, PSHI_MODEL_MOST_VALUE);
    pshi_field_f64(io, &s->high, s->low, PSHI_MODEL_MOST_VALUE);
    pshi_field_f64(io, &s->variance, 0, PSHI_FIELD_MOST);
    pshi_field_f64s(io, s->b, s->terms, -MOST_COEFFICIENT, MOST_COEFFICIENT);
}

static void save(const void *state, pshi_writer *w) {
    prophet *s = (prophet *)(uintptr_t)state; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    shape_fields(&io, s);
    fields(&io, s);
}

static void *load(psh_env *env, pshi_cursor *c, size_t *bytes) {
    pshi_fields io = { NULL, c };
    prophet shape, *s;

    memset(&shape, 0, sizeof shape);
    shape_fields(&io, &shape);
    count_terms(&shape);
    if (shape.terms * sizeof(double) > pshi_read_left(c)) {
        pshi_read_bad(c);
        memset(&shape, 0, sizeof shape);
        shape.n = 1;
        count_terms(&shape);
    }
    *bytes = sizeof *s + shape.terms * sizeof(double);
    s = pshi_alloc(env, *bytes);
    if (!s)
        return NULL;
    *s = shape;
    fields(&io, s);
    return s;
}

const pshi_model_class pshi_model_prophet = {
    "prophet", 1, fit, update, forecast, NULL, dump, save, load
};
