/* SPDX-License-Identifier: MIT */
/*
 * Croston, "Forecasting and stock control for intermittent demands", 1972; Syntetos & Boylan, "The accuracy of
 * intermittent demand estimates", 2005; Teunter, Syntetos & Babai, "Intermittent demand: linking forecasting to
 * inventory obsolescence", 2011.
 */
#include <math.h>

#include "math/minimize.h"
#include "math/stats.h"
#include "model/croston.h"

#define MOST_COUNT 0x80000000u
#define LEAST_SMOOTHING 0.01
#define MOST_SMOOTHING 0.7
#define PRIOR_ALPHA 0.2    /* where the parameters lie if the series says nothing, */
#define PRIOR_BETA 0.12
#define PRIOR_WEIGHT 2     /* and how firmly: of squared logarithms against the log likelihood */
#define PRIOR_ABSENT 2     /* steps without demand, seen before the first */
#define PRIOR_SIZES 2      /* sizes seen before the first, of a geometric law's variance */
#define MEMORY_SIZES 30    /* sizes that the spread remembers */
#define LEAST_MASS 1e-6    /* below it a value is not possible at all */
#define MOST_WHOLE 0x1p20  /* above it integers are as good as continuous */

static void grow(uint32_t *x) {
    *x += *x < MOST_COUNT;
}

static void step_rate(pshi_sparse *s, int demand) {
    if (s->method == PSHI_SPARSE_TSB)
        s->rate += s->beta * ((demand ? 1 : 0) - s->rate);
    else if (demand)
        s->rate = s->count ? s->rate + s->alpha * ((double)s->gap + 1 - s->rate) : (double)s->gap + 1;
}

void pshi_sparse_step(pshi_sparse *s, double y) {
    int demand = y != 0;
    double e;

    step_rate(s, demand);
    s->whole = s->whole && y == floor(y);
    s->negative = s->negative || y < 0;
    grow(&s->age);
    grow(&s->gap);
    if (!demand)
        return;
    s->gap = 0;
    if (!s->count) {
        s->size = y;
        s->spread = fabs(y) * fmax(fabs(y) - 1, 0);
    }
    e = y - s->size;
    s->spread += (e * e - s->spread) / (PRIOR_SIZES + 1 + (s->count < MEMORY_SIZES ? s->count : MEMORY_SIZES));
    s->size += s->alpha * e;
    grow(&s->count);
}

/*
 * TSB's probability with a Beta prior: PRIOR_ABSENT steps without demand against the 1 / beta steps that smoothing
 * remembers. A series without gaps gives no reason to doubt, hence the last factor.
 */
double pshi_sparse_probability(const pshi_sparse *s) {
    double memory, p;

    if (!s->count)
        return 0;
    if (s->method != PSHI_SPARSE_TSB)
        return s->rate > 1 ? 1 / s->rate : 1;
    p = s->rate > 0 ? fmin(s->rate, 1) : 0;
    memory = (1 - pow(1 - s->beta, (double)s->age)) / s->beta;
    return memory > 0 ? p * memory / (memory + PRIOR_ABSENT * (1 - p)) : 0;
}

double pshi_sparse_mean(const pshi_sparse *s) {
    double mean = pshi_sparse_probability(s) * s->size;

    return s->method == PSHI_SPARSE_SBA ? mean * (1 - s->alpha / 2) : mean;
}

double pshi_sparse_variance(const pshi_sparse *s) {
    double p = pshi_sparse_probability(s);

    return p * s->spread + p * (1 - p) * s->size * s->size;
}

/* Sizes are log-normal with the mean and variance that were smoothed: P(size <= x). */
typedef struct size_law {
    double middle, width;
} size_law;

static size_law law_of(const pshi_sparse *s) {
    double ratio = s->spread / (s->size * s->size);
    size_law l;

    l.width = sqrt(log1p(fmin(ratio, 1e6)));
    l.middle = log(s->size) - l.width * l.width / 2;
    return l;
}

static double law_below(const size_law *l, double x) {
    double d = log(x) - l->middle;

    return l->width > 1e-9 ? pshi_normal_cdf(d / l->width) : d >= 0 ? 1 : 0;
}

/* P(value <= k) of integers: a size is rounded, and at least 1. */
static double whole_below(const size_law *l, double p, double k) {
    return k < 1 ? 1 - p : 1 - p + p * law_below(l, k + 0.5);
}

double pshi_sparse_quantile(const pshi_sparse *s, double level) {
    double p = pshi_sparse_probability(s), share, q, k;
    size_law l;
    int i;

    if (s->negative || !(s->size > 0))
        return pshi_sparse_mean(s) + pshi_normal_quantile(level) * sqrt(pshi_sparse_variance(s));
    l = law_of(s);
    share = p > 0 ? (level - (1 - p)) / p : 0;
    q = share > 0 ? exp(l.middle + l.width * pshi_normal_quantile(fmin(share, 1 - 1e-15))) : 0;
    if (!s->whole || s->size > MOST_WHOLE || q > MOST_WHOLE)
        return q;
    k = fmax(floor(q) - 2, 0);
    for (i = 0; i < 5; i++, k++) {
        share = whole_below(&l, p, k);
        if (share > LEAST_MASS && share + whole_below(&l, p, k + 1) >= 2 * level)
            break;
    }
    return k;
}

typedef struct sparse_task {
    const pshi_sparse *start;
    const double *y;
    size_t n;
    double scale;
    pshi_sparse end;
} sparse_task;

static double limit_smoothing(double logarithm, double *outside) {
    double x = exp(logarithm < -9 ? -9 : logarithm > 9 ? 9 : logarithm), y;

    y = x < LEAST_SMOOTHING ? LEAST_SMOOTHING : x > MOST_SMOOTHING ? MOST_SMOOTHING : x;
    *outside += fabs(log(x / y));
    return y;
}

/* Mean squared error of one step and, as a likelihood would have it, how far the parameters are from the usual. */
static double target(void *user, const double *x) {
    sparse_task *t = user;
    pshi_sparse *s = &t->end;
    double outside = 0, squares = 0, far = 0, e;
    size_t i;

    *s = *t->start;
    s->alpha = limit_smoothing(x[0], &outside);
    s->beta = s->method == PSHI_SPARSE_TSB ? limit_smoothing(x[1], &outside) : s->alpha;
    for (i = 0; i < t->n; i++) {
        e = t->y[i] - (s->method == PSHI_SPARSE_TSB ? s->rate * s->size : pshi_sparse_mean(s));
        squares += e / t->scale * (e / t->scale);
        pshi_sparse_step(s, t->y[i]);
    }
    if (s->method == PSHI_SPARSE_TSB)
        far = pow(log(s->alpha / PRIOR_ALPHA), 2) + pow(log(s->beta / PRIOR_BETA), 2);
    squares = squares / (double)t->n + 1e-12;
    return squares * exp(2 * PRIOR_WEIGHT * far / (double)t->n) * (1 + outside);
}

/* Before the first value: the means over the history, as its first forecasts. */
static void start_tsb(pshi_sparse *s, const double *y, size_t n) {
    size_t i, demands = 0;
    double sum = 0;

    for (i = 0; i < n; i++) {
        demands += y[i] != 0;
        sum += y[i] / (double)n;
    }
    s->rate = (double)demands / (double)n;
    s->size = demands ? sum * ((double)n / (double)demands) : 0;
    s->spread = fabs(s->size) * fmax(fabs(s->size) - 1, 0);
    s->count = demands ? 1 : 0;
}

void pshi_sparse_fit(pshi_sparse *s, const double *y, size_t n) {
    pshi_sparse start = { s->method, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    sparse_task t = { &start, y, n, 0, start };
    double x[2] = { log(PRIOR_ALPHA), log(PRIOR_BETA) }, side[2] = { 0.5, 0.5 };
    size_t i;

    for (i = 0; i < n; i++)
        t.scale = fmax(t.scale, fabs(y[i]));
    t.scale = t.scale > 0 ? t.scale : 1;
    if (s->method == PSHI_SPARSE_TSB)
        start_tsb(&start, y, n);
    pshi_minimize(target, &t, x, side, s->method == PSHI_SPARSE_TSB ? 2 : 1, 60, 1e-5);
    target(&t, x);
    *s = t.end;
}
