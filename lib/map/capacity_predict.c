/* SPDX-License-Identifier: MIT */
/* What a step to come will bring: points, and around each the spread of its own past errors. */
#include <math.h>

#include "map/capacity.h"

/* Below a sixteenth of a node loads differ for nobody: their logarithms should not either. */
#define SMALL 0.0625
#define BIN_FIRST (-3.0)     /* errors: what came over what was said, as logarithms */
#define BIN_WIDTH 0.025
#define CLASS_FIRST (-1.25)  /* log of the load over node_load under which the first class of levels ends */
#define CLASS_WIDTH 0.45
#define SHRINK 12.0          /* steps that the wider class counts for in the narrower */
#define PRIOR_SPREAD 0.5     /* of errors before the first was seen */
#define ENOUGH 1e-7          /* a share above that nobody expects */
#define NEAR 6u              /* steps that are recent, and many */
#define FAR 24u

double pshi_cap_log(double load) {
    return log(load + SMALL);
}

double pshi_cap_load(const psh_capacity *c, uint64_t back) {
    if (!back || back > c->steps || back > c->history_cap)
        return 0;
    return c->load[(c->steps - back) % c->history_cap];
}

/* Mean of `count` steps, the latest of them `back` before the next; `other` where not all are kept. */
static double mean_load(const psh_capacity *c, uint64_t back, uint32_t count, double other) {
    double sum = 0;
    uint32_t i;

    if (!back || back + count - 1 > c->steps || back + count - 1 > c->history_cap)
        return other;
    for (i = 0; i < count; i++)
        sum += pshi_cap_load(c, back + i);
    return sum / count;
}

/* How many steps back the same place of an earlier season is that was seen already. */
static uint64_t season_back(uint32_t season, uint32_t ahead) {
    return season ? ((uint64_t)ahead / season + 1) * season - ahead : 0;
}

/* A quarter of an hour to both sides, which holds what the week before tells of this step. */
static double week_ago(const psh_capacity *c, uint32_t ahead, double other) {
    uint32_t side = c->day_steps / 96 < 3 ? c->day_steps / 96 : 3;
    uint64_t back = season_back(c->week_steps, ahead);

    return back > side ? mean_load(c, back - side, 2 * side + 1, other) : other;
}

void pshi_cap_features(const psh_capacity *c, uint32_t ahead, const double *mean, double *x) {
    uint32_t near_steps = c->steps < NEAR ? (uint32_t)c->steps : NEAR;
    uint32_t far_steps = c->steps < FAR ? (uint32_t)c->steps : FAR;
    double recent = near_steps ? mean_load(c, 1, near_steps, 0) : 0;

    x[0] = 1;
    x[1] = pshi_cap_log(mean ? mean[ahead] : recent);
    x[2] = pshi_cap_log(mean ? mean[0] : recent);
    x[3] = pshi_cap_log(pshi_cap_load(c, 1));
    x[4] = pshi_cap_log(recent);
    x[5] = pshi_cap_log(far_steps ? mean_load(c, 1, far_steps, 0) : 0);
    x[6] = pshi_cap_log(mean_load(c, season_back(c->day_steps, ahead), 1, recent));
    x[7] = pshi_cap_log(c->day_steps ? mean_load(c, (uint64_t)c->day_steps + 1, NEAR, recent) : recent);
    x[8] = pshi_cap_log(week_ago(c, ahead, recent));
}

static uint32_t level_class(double point) {
    double k = floor((log(fmax(exp(point) - SMALL, 1e-9)) - CLASS_FIRST) / CLASS_WIDTH) + 1;

    return k < 0 ? 0 : k < PSHI_CAP_CLASSES - 1 ? (uint32_t)k : PSHI_CAP_CLASSES - 1;
}

static uint32_t day_class(const psh_capacity *c, uint32_t ahead) {
    int64_t day = c->next == PSH_TIME_NONE ? 0 : c->next % PSH_DAY, k;

    day = (day + (int64_t)ahead * (c->o.step_ns % PSH_DAY)) % PSH_DAY;
    day = day < 0 ? day + PSH_DAY : day;
    k = day / (PSH_DAY / PSHI_CAP_CLASSES);
    return k < PSHI_CAP_CLASSES ? (uint32_t)k : PSHI_CAP_CLASSES - 1;
}

/* The features that know no forecast. */
static double own_point(const pshi_cap_fit *f, const double *x) {
    double own[PSHI_CAP_FEATURES];
    uint32_t i;

    for (i = 0; i < PSHI_CAP_FEATURES; i++)
        own[i] = i == 1 || i == 2 ? 0 : x[i];
    return pshi_cap_fit_at(f, own);
}

void pshi_cap_points(
    const psh_capacity *c, uint32_t ahead, const double *x, double point[PSHI_CAP_PREDICTORS],
    uint32_t class_of[PSHI_CAP_PREDICTORS]) {
    uint32_t i;
    int by_day;

    point[PSHI_CAP_REGRESSED] = point[PSHI_CAP_BY_DAY] = pshi_cap_fit_at(&c->fit[0], x);
    point[PSHI_CAP_OWN] = point[PSHI_CAP_OWN_BY_DAY] = own_point(&c->fit[1], x);
    point[PSHI_CAP_FORECAST] = point[PSHI_CAP_QUANTILES] = x[1];
    point[PSHI_CAP_RECENT] = x[4];
    for (i = 0; i < PSHI_CAP_PREDICTORS; i++) {
        point[i] = fmin(fmax(point[i], log(SMALL)), 100);
        by_day = i == PSHI_CAP_BY_DAY || i == PSHI_CAP_OWN_BY_DAY;
        class_of[i] = by_day ? day_class(c, ahead) : level_class(point[i]);
    }
}

static uint32_t bin_of(double error) {
    double k = floor((error - BIN_FIRST) / BIN_WIDTH);

    return k < 0 ? 0 : k < PSHI_CAP_BINS - 1 ? (uint32_t)k : PSHI_CAP_BINS - 1;
}

static void fade(double *bin, double *total, double keep) {
    uint32_t b;

    for (b = 0; b < PSHI_CAP_BINS; b++)
        bin[b] = bin[b] * keep < 1e-12 ? 0 : bin[b] * keep;
    *total *= keep;
}

static void count(pshi_cap_errors *e, uint32_t class_of, uint32_t bin, double weight) {
    e->bin[class_of][bin] += weight;
    e->total[class_of] += weight;
}

/* A class fades as samples come into it, so that what is rare is not forgotten between. */
static void count_step(
    const psh_capacity *c, pshi_cap_errors *e, const pshi_cap_slot *s, uint32_t i, const double *part, size_t n) {
    uint32_t bin;
    size_t k;

    e->fresh[s->class_of[i]] = e->fresh[PSHI_CAP_CLASSES] = 0;
    fade(e->bin[s->class_of[i]], &e->total[s->class_of[i]], c->keep_fit);
    fade(e->bin[PSHI_CAP_CLASSES], &e->total[PSHI_CAP_CLASSES], c->keep_fit);
    for (k = 0; k < n; k++) {
        bin = bin_of(pshi_cap_log(part[k]) - s->point[i]);
        count(e, s->class_of[i], bin, 1.0 / (double)n);
        count(e, PSHI_CAP_CLASSES, bin, 1.0 / (double)n);
    }
}

void pshi_cap_learn(psh_capacity *c, const pshi_cap_slot *s, const double *part, size_t n) {
    double own[PSHI_CAP_FEATURES], y = 0;
    uint32_t i;
    size_t k;

    for (k = 0; k < n; k++)
        y += part[k] / (double)n;
    y = pshi_cap_log(y);
    for (i = 0; i < PSHI_CAP_FEATURES; i++)
        own[i] = i == 1 || i == 2 ? 0 : s->x[i];
    pshi_cap_fit_learn(&c->fit[0], s->x, y, c->keep_fit);
    pshi_cap_fit_learn(&c->fit[1], own, y, c->keep_fit);
    for (i = 0; i < PSHI_CAP_QUANTILES; i++)
        count_step(c, &c->errors[i], s, i, part, n);
}

/* Share above x of quantiles, straight between levels; beyond the last it falls by 1/e each distance of two. */
static double quantiles_above(const pshi_cap_view *v, double x) {
    const double *q = v->quantiles, *level = v->levels;
    uint32_t k, last = v->level_count - 1;
    double width;

    if (x < q[0])
        return 1 - level[0] * x / fmax(q[0], SMALL);
    for (k = 1; k <= last; k++)
        if (x < q[k])
            return 1 - level[k - 1] - (level[k] - level[k - 1]) * (x - q[k - 1]) / (q[k] - q[k - 1]);
    width = last ? fmax(q[last] - q[last - 1], q[last] / 64) : q[last];
    return (1 - level[last]) * exp(-(x - q[last]) / fmax(width, SMALL));
}

void pshi_cap_prior(psh_capacity *c) {
    uint32_t b;

    for (b = 0; b <= PSHI_CAP_BINS; b++)
        c->prior[b] = 0.5 * erfc((BIN_FIRST + b * BIN_WIDTH) / (PRIOR_SPREAD * sqrt(2.0)));
}

/* Before errors were seen: the quantiles where there are some, else a normal law of the logarithm. */
static double prior_above(const psh_capacity *c, const pshi_cap_view *v, double x, uint32_t from) {
    if (v->quantiles && v->level_count)
        return fmin(fmax(quantiles_above(v, x), 0), 1);
    return c->prior[from];
}

void pshi_cap_refresh(psh_capacity *c) {
    uint32_t i, k, b;
    pshi_cap_errors *e;

    for (i = 0; i < PSHI_CAP_QUANTILES; i++) {
        e = &c->errors[i];
        for (k = 0; k <= PSHI_CAP_CLASSES; k++) {
            for (b = e->fresh[k] ? 0 : PSHI_CAP_BINS; b-- > 0;)
                e->tail[k][b] = e->tail[k][b + 1] + e->bin[k][b];
            e->fresh[k] = 1;
        }
    }
}

double pshi_cap_above(const psh_capacity *c, const pshi_cap_view *v, uint32_t nodes) {
    uint32_t from = bin_of(pshi_cap_log(nodes) - v->point) + 1;
    const pshi_cap_errors *e;
    double all;

    if (v->predictor == PSHI_CAP_QUANTILES)
        return prior_above(c, v, nodes, from);
    e = &c->errors[v->predictor];
    all = e->tail[PSHI_CAP_CLASSES][from] + SHRINK * prior_above(c, v, nodes, from);
    all /= e->total[PSHI_CAP_CLASSES] + SHRINK;
    return (e->tail[v->class_of][from] + SHRINK * all) / (e->total[v->class_of] + SHRINK);
}

uint32_t pshi_cap_enough(const psh_capacity *c, const pshi_cap_view *v) {
    uint32_t lo = c->o.min_nodes, hi = c->o.max_nodes, mid;

    while (lo < hi) { /* the share above falls with nodes */
        mid = lo + (hi - lo) / 2;
        if (pshi_cap_above(c, v, mid) < ENOUGH)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}
