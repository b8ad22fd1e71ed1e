/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "forecast/series.h"
#include "math/stats.h"

void pshi_sum_add(
    pshi_sum *sum, const pshi_series *s, const pshi_shape *shape, int64_t closed, int64_t bucket, double share,
    double p) {
    uint32_t lead = (uint32_t)(bucket - closed + 1);
    double mean = pshi_series_mean(s, shape, closed, lead, NULL);

    sum->mean += share * mean;
    sum->upper += share * pshi_series_quantile(s, shape, lead, mean, p);
    sum->buckets += share;
    sum->lead = lead;
}

static double error_at(const pshi_series *s, const pshi_shape *shape, uint32_t lead) {
    const pshi_error *e = &s->error[pshi_shape_group(shape, lead)][PSHI_COMBINED];

    return e->weight > 0 ? (double)e->sum / (double)e->weight : 0;
}

/*
 * How much wider, relatively, a total errs than those whose residuals are kept, which start at once and span
 * `width` buckets: fewer buckets average out less (as the square root), farther ones err more (as their scores
 * tell). More buckets are taken to err together.
 */
static double widening(const pshi_sum *sum, const pshi_series *s, const pshi_shape *shape) {
    double near = error_at(s, shape, shape->width), far = error_at(s, shape, sum->lead), by = 1;

    if (sum->buckets > 0 && sum->buckets < shape->width)
        by = sqrt(shape->width / sum->buckets);
    return near > 0 && far > near ? by * far / near : by;
}

double pshi_sum_upper(const pshi_sum *sum, const pshi_series *s, const pshi_shape *shape, double p) {
    const pshi_residuals *r = &s->total_residual;
    double upper = sum->upper, q;

    if (r->count >= PSHI_RESIDUALS_FEW) {
        q = sum->mean + (1 + sum->mean) * widening(sum, s, shape) * pshi_sorted_quantile(r->sorted, r->count, p);
        upper = q < upper ? q : upper;
    }
    return p > 0.5 && upper < sum->mean ? sum->mean : upper > 0 ? upper : 0;
}

double pshi_sum_above(const pshi_sum *sum, const pshi_series *s, const pshi_shape *shape, double bar) {
    const pshi_residuals *r = &s->total_residual;

    if (r->count < PSHI_RESIDUALS_FEW)
        return pshi_normal_cdf((sum->mean - bar) / (2 * sqrt(1 + sum->mean)));
    return pshi_sorted_above(r->sorted, r->count, (bar - sum->mean) / ((1 + sum->mean) * widening(sum, s, shape)));
}

double pshi_series_bar(const pshi_series *s, double buckets) {
    return PSHI_HOT * s->mean * buckets;
}

static void score_total(pshi_series *s, const pshi_shape *shape, const pshi_total *t, pshi_calibration *c) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < shape->width; i++)
        sum += (double)s->ring[pshi_slot(t->from + (int64_t)i, shape->ring)];
    pshi_residuals_push(&s->total_residual, (sum - t->mean) / (1 + t->mean));
    if (t->raw < 0)
        return;
    pshi_calibrate_learn(
        c, s->subject.kind == PSH_SUBJECT_TEMPLATE ? &c->view : &c->zone, t->raw, t->shown, sum > t->bar);
}

/* What demand would say of the window that starts now. */
static void predict_window(
    const pshi_series *s, const pshi_shape *shape, const pshi_sum *sum, pshi_total *t, const pshi_calibration *c) {
    t->raw = -1;
    t->shown = 0;
    t->bar = 0;
    if (s->subject.kind == PSH_SUBJECT_TEMPLATE) {
        t->raw = 1 - exp(-sum->mean);
        t->shown = pshi_calibrate(&c->view, t->raw);
    } else if (s->subject.kind == PSH_SUBJECT_TENANT || s->subject.kind == PSH_SUBJECT_LABEL) {
        t->bar = pshi_series_bar(s, shape->width);
        if (sum->mean <= t->bar)
            return;
        t->raw = pshi_sum_above(sum, s, shape, t->bar);
        t->shown = pshi_calibrate(&c->zone, t->raw);
    }
}

void pshi_totals_close(pshi_series *s, const pshi_shape *shape, int64_t bucket, pshi_calibration *c) {
    int64_t next = bucket + 1;
    pshi_total *t;
    pshi_sum sum = { 0 };
    uint32_t i;

    if (pshi_slot(next, shape->stride) != 0)
        return;
    t = &s->total[pshi_slot(next / (int64_t)shape->stride, PSHI_TOTALS)];
    if (t->from == next - (int64_t)shape->width)
        score_total(s, shape, t, c);
    for (i = 0; i < shape->width; i++)
        sum.mean += pshi_series_mean(s, shape, next, i + 1, NULL);
    sum.buckets = shape->width;
    sum.lead = shape->width;
    t->from = next;
    t->mean = sum.mean;
    predict_window(s, shape, &sum, t, c);
}
