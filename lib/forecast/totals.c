/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "forecast/series.h"
#include "math/stats.h"

#define FEW_TOTALS 12u    /* fewer say nothing about how totals err */
#define TOTAL_FADE 0.03   /* how the mean square of their errors forgets */

void pshi_sum_add(pshi_outlook *o, pshi_sum *sum, const pshi_series *s, int64_t bucket, double share, double p) {
    uint32_t lead = (uint32_t)(bucket - o->closed + 1);
    double mean = pshi_series_mean(o, s, lead);

    sum->mean += share * mean;
    sum->upper += share * pshi_series_quantile(o, s, lead, mean, p);
    sum->buckets += share;
    sum->lead = lead;
}

static double error_at(const pshi_series *s, uint32_t lead) {
    return s->regular->fitted ? pshi_rhythm_scale(s->regular->rhythm, lead) : 0;
}

/*
 * How much wider, relatively, a total errs than those whose errors are kept, which start at once and span `width`
 * buckets: fewer buckets average out less (as the square root), farther ones err more (as the model's scales tell).
 * More buckets are taken to err together.
 */
static double widening(const pshi_shape *shape, const pshi_sum *sum, const pshi_series *s) {
    double near = error_at(s, shape->width), far = error_at(s, sum->lead), by = 1;

    if (sum->buckets > 0 && sum->buckets < shape->width)
        by = sqrt(shape->width / sum->buckets);
    return near > 0 && far > near ? by * far / near : by;
}

/* Relative standard deviation of a total; 0: unknown. */
static double total_scale(const pshi_series *s) {
    const pshi_regular *r = s->regular;

    return r && r->totals >= FEW_TOTALS ? sqrt((double)r->total_error / (double)r->total_weight) : 0;
}

double pshi_sum_upper(const pshi_outlook *o, const pshi_sum *sum, const pshi_series *s, double p) {
    double upper = sum->upper, scale = total_scale(s), q;

    if (!s->regular)
        upper = sum->mean + sqrt(sum->buckets * pshi_series_variance(o, s)) * pshi_normal_quantile(p);
    if (scale > 0) {
        q = scale * pshi_track_quantile(&s->regular->total_track, &o->calibration->total[s->subject.kind], p);
        q = sum->mean + (1 + sum->mean) * widening(o->shape, sum, s) * q;
        upper = q < upper ? q : upper;
    }
    return p > 0.5 && upper < sum->mean ? sum->mean : upper > 0 ? upper : 0;
}

double pshi_sum_above(const pshi_outlook *o, const pshi_sum *sum, const pshi_series *s, double bar) {
    double scale = total_scale(s), wide;

    if (s->regular && s->regular->fitted && sum->buckets <= 1)
        return pshi_series_above(o, s, sum->lead, sum->mean, bar);
    if (!s->regular)
        wide = sqrt(sum->buckets * pshi_series_variance(o, s)) + 1e-9;
    else if (scale > 0)
        wide = (1 + sum->mean) * widening(o->shape, sum, s) * scale;
    else
        wide = 2 * sqrt(1 + sum->mean);
    return pshi_normal_cdf((sum->mean - bar) / wide);
}

double pshi_series_bar(const pshi_series *s, double buckets) {
    return PSHI_HOT * (double)s->mean * buckets;
}

static void learn_total(pshi_outlook *o, pshi_series *s, const pshi_total *t, double sum) {
    pshi_regular *r = s->regular;
    double error = (sum - (double)t->mean) / (1 + (double)t->mean), scale = total_scale(s);

    error = error > 1e9 ? 1e9 : error;
    if (scale > 0)
        pshi_track_learn(&r->total_track, &o->calibration->total[s->subject.kind], error / scale);
    r->total_error = (float)((1 - TOTAL_FADE) * (double)r->total_error + error * error);
    r->total_weight = (float)((1 - TOTAL_FADE) * (double)r->total_weight + 1);
    r->totals += r->totals < UINT32_MAX;
    if (t->raw >= 0)
        pshi_calibrate_learn(
            o->calibration, s->subject.kind == PSH_SUBJECT_TEMPLATE ? &o->calibration->view : &o->calibration->zone,
            (double)t->raw, (double)t->shown, sum > (double)t->bar);
}

void pshi_totals_score(pshi_outlook *o, pshi_series *s) {
    const pshi_shape *shape = o->shape;
    pshi_total *t;
    double sum = 0;
    uint32_t i, k;

    for (k = 0; k < PSHI_TOTALS; k++) {
        t = &s->regular->total[k];
        if (t->from == PSH_TIME_NONE || t->from + (int64_t)shape->width != o->closed)
            continue;
        for (i = 0; i < shape->width; i++)
            sum += pshi_series_actual(s, shape, o->closed, t->from + (int64_t)i);
        learn_total(o, s, t, sum);
        t->from = PSH_TIME_NONE;
        return;
    }
}

/* What demand would say of the window that starts now. */
static void predict_window(pshi_outlook *o, const pshi_series *s, const pshi_sum *sum, pshi_total *t) {
    pshi_calibration *c = o->calibration;
    double raw, bar;

    t->raw = -1;
    t->shown = 0;
    t->bar = 0;
    if (s->subject.kind == PSH_SUBJECT_TEMPLATE) {
        raw = 1 - exp(-sum->mean);
        t->raw = (float)raw;
        t->shown = (float)pshi_calibrate(&c->view, raw);
    } else if (s->subject.kind == PSH_SUBJECT_TENANT || s->subject.kind == PSH_SUBJECT_LABEL) {
        bar = pshi_series_bar(s, o->shape->width);
        t->bar = (float)bar;
        if (sum->mean <= bar)
            return;
        raw = pshi_sum_above(o, sum, s, bar);
        t->raw = (float)raw;
        t->shown = (float)pshi_calibrate(&c->zone, raw);
    }
}

void pshi_totals_make(pshi_outlook *o, pshi_series *s) {
    const pshi_shape *shape = o->shape;
    pshi_total *t = &s->regular->total[pshi_slot(o->closed / (int64_t)shape->stride, PSHI_TOTALS)];
    pshi_sum sum = { 0 };
    uint32_t i;

    for (i = 0; i < shape->width; i++)
        sum.mean += pshi_series_mean(o, s, i + 1);
    sum.buckets = shape->width;
    sum.lead = shape->width;
    t->from = o->closed;
    t->mean = (float)sum.mean;
    predict_window(o, s, &sum, t);
}
