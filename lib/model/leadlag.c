/* SPDX-License-Identifier: MIT */
/*
 * Which metric leads, and by how much: cross-correlation of prewhitened series (Box & Jenkins, "Time Series
 * Analysis", 1970, on the identification of transfer functions), here with exponential forgetting. The metric's
 * autoregression and the load's regression on it are fitted by recursive least squares with forgetting (Ljung,
 * "System Identification", 1987). A metric is taken up when the mean of the differences in squared error is
 * significantly above 0, as Diebold & Mariano 1995 test forecasts against one another, and dropped when the gain
 * has gone.
 */
#include "model/leadlag.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "math/stats.h"

#define MOST_VALUE 0x1p100
#define AR 5u      /* terms: 1, values one and two before, values a season and one more before */
#define LINK 2u    /* terms: innovations `lag` before and one more before */
#define FAR 5.0    /* innovations and residuals are cut at this many standard deviations */
#define MOST_P 1e6 /* of a covariance: beyond it starts anew */
#define FIRST_P 10.0
#define MOST_THETA 1e3
#define MOST_SUM 0x1p40   /* of anything summed with forgetting */
#define LEAST_SCORED 24.0 /* buckets scored before a metric may be used */
#define SWITCH 1.1        /* a lag must correlate this much better to replace another */
#define ENTER_GAIN 0.02
#define ENTER_T 3.5
#define LEAVE_GAIN 0.005

/* Least squares of n terms; p Shape [n][n]. */
typedef struct learner {
    double theta[AR];
    double p[AR * AR];
} learner;

/* Mean and variance with forgetting. */
typedef struct spread {
    double n;
    double mean;
    double variance;
} spread;

/* Sums with forgetting of a metric's errors with and without it, since its lag was chosen. */
typedef struct score {
    double weight;
    double squares; /* of the weights */
    double without;
    double with;
    double better;  /* sum of differences */
    double better2; /* and of their squares */
} score;

typedef struct metric {
    spread level;
    spread noise; /* of what the autoregression leaves */
    learner own;
    learner link;
    score scored;
    double power;  /* sum of squared innovations, as sums[] forget */
    uint32_t lag;  /* 0: none */
    uint32_t rank; /* 0: not used; 1: taken up first, ... */
} metric;

struct pshi_leadlag {
    psh_env *env;
    pshi_leadlag_options o;
    spread load;
    double power;  /* sum of squared residuals */
    double weight; /* sum of weights, and of their squares */
    double squares;
    double bar;         /* of the normal law, that a correlation times the root of the count must pass */
    uint32_t at;        /* where the next innovation goes in its ring */
    uint32_t season_at; /* and the next value */
    uint32_t used;      /* metrics in use */
    uint32_t ring;      /* lags + 2 */
    uint32_t kept;      /* values of a metric kept: season + 2 */
    metric *metrics;    /* Shape [metrics] */
    float *fresh;       /* Shape [metrics][ring], innovations */
    float *past;        /* Shape [metrics][kept], standardised values */
    float *sums;        /* Shape [metrics][lags], residual times innovation */
};

void pshi_leadlag_defaults(pshi_leadlag_options *o, uint32_t metrics) {
    memset(o, 0, sizeof *o);
    o->metrics = metrics;
    o->lags = 24;
    o->memory = 512;
    o->risk = 1e-4;
}

static int options_ok(const pshi_leadlag_options *o) {
    return o->metrics >= 1 && o->metrics <= PSHI_LEADLAG_MOST_METRICS && o->lags >= 1 &&
           o->lags <= PSHI_LEADLAG_MOST_LAGS && o->season != 1 && o->season <= PSHI_LEADLAG_MOST_SEASON &&
           o->memory >= 32 && o->memory <= 65536 && o->risk > 0 && o->risk <= 0.5;
}

static size_t floats_per_metric(const pshi_leadlag_options *o) {
    return (size_t)o->lags + 2 + o->season + 2 + o->lags;
}

static size_t bytes_of(const pshi_leadlag_options *o) {
    return sizeof(pshi_leadlag) + o->metrics * (sizeof(metric) + floats_per_metric(o) * sizeof(float));
}

static void restart(learner *k, uint32_t n) {
    uint32_t i;

    memset(k, 0, sizeof *k);
    for (i = 0; i < n; i++)
        k->p[i * n + i] = FIRST_P;
}

static pshi_leadlag *make(psh_env *env, const pshi_leadlag_options *o) {
    pshi_leadlag *l = pshi_calloc(env, 1, bytes_of(o));
    uint32_t k;

    if (!l)
        return NULL;
    l->env = env;
    l->o = *o;
    l->ring = o->lags + 2;
    l->kept = o->season + 2;
    l->bar = -pshi_normal_quantile(o->risk / (2.0 * o->metrics * o->lags));
    l->metrics = (metric *)(void *)(l + 1);
    l->fresh = (float *)(void *)(l->metrics + o->metrics);
    l->past = l->fresh + (size_t)o->metrics * l->ring;
    l->sums = l->past + (size_t)o->metrics * l->kept;
    for (k = 0; k < o->metrics; k++) {
        restart(&l->metrics[k].own, AR);
        restart(&l->metrics[k].link, LINK);
    }
    return l;
}

psh_status pshi_leadlag_create(psh_env *env, const pshi_leadlag_options *o, pshi_leadlag **out) {
    if (!options_ok(o))
        return PSH_E_INVALID;
    *out = make(env, o);
    return *out ? PSH_OK : PSH_E_NOMEM;
}

void pshi_leadlag_destroy(pshi_leadlag *l) {
    if (l)
        pshi_free(l->env, l);
}

size_t pshi_leadlag_room(const pshi_leadlag_options *o) {
    return bytes_of(o);
}

void pshi_leadlag_options_of(const pshi_leadlag *l, pshi_leadlag_options *out) {
    *out = l->o;
}

size_t pshi_leadlag_bytes(const pshi_leadlag *l) {
    return bytes_of(&l->o);
}

static double cut(double x, double most) {
    return x > most ? most : x >= -most ? x : -most;
}

static double dot(const double *a, const double *x, uint32_t n) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < n; i++)
        sum += a[i] * x[i];
    return sum;
}

/* One step of recursive least squares; a covariance that has degenerated, or was loaded so, starts anew. */
static void learn(learner *k, const double *x, uint32_t n, double error, double keep) {
    double px[AR], below = keep;
    uint32_t i, j, bad = 0;

    for (i = 0; i < n; i++) {
        px[i] = dot(k->p + i * n, x, n);
        below += x[i] * px[i];
    }
    if (!(below >= keep)) {
        restart(k, n);
        return;
    }
    for (i = 0; i < n; i++)
        k->theta[i] = cut(k->theta[i] + px[i] / below * error, MOST_THETA);
    for (i = 0; i < n; i++)
        for (j = 0; j < n; j++) {
            k->p[i * n + j] = (k->p[i * n + j] - px[i] * px[j] / below) / keep;
            bad |= !(fabs(k->p[i * n + j]) <= MOST_P);
        }
    for (i = 0; bad && i < n * n; i++)
        k->p[i] = i % (n + 1) ? 0 : FIRST_P;
}

/* Values far out count as less far ones, so that one spike does not hide what follows. */
static void follow(spread *s, double x, double memory) {
    double a, d = x - s->mean;

    if (s->n >= 8 && s->variance > 0)
        d = cut(d, FAR * sqrt(s->variance));
    s->n = s->n + 1 < memory ? s->n + 1 : memory;
    a = 1 / s->n;
    s->mean += a * d;
    s->variance = (1 - a) * (s->variance + a * d * d);
}

static double standard(const spread *s, double x, double most) {
    return s->variance > 0 ? cut((x - s->mean) / sqrt(s->variance), most) : 0;
}

static int known(double x) {
    return fabs(x) <= MOST_VALUE;
}

static float *past_at(const pshi_leadlag *l, uint32_t k, uint32_t back) {
    return &l->past[(size_t)k * l->kept + (l->season_at + l->kept - back) % l->kept];
}

static float *fresh_at(const pshi_leadlag *l, uint32_t k, uint32_t back) {
    return &l->fresh[(size_t)k * l->ring + (l->at + l->ring - back) % l->ring];
}

/* The metric's innovation of this bucket: what its own past did not tell. @return it, standardised. */
static double innovation(pshi_leadlag *l, uint32_t k, double value) {
    metric *m = &l->metrics[k];
    double keep = 1 - 1.0 / l->o.memory, x[AR], expected, now, fresh;

    x[0] = 1;
    x[1] = (double)*past_at(l, k, 1);
    x[2] = (double)*past_at(l, k, 2);
    x[3] = l->o.season ? (double)*past_at(l, k, l->o.season) : 0;
    x[4] = l->o.season ? (double)*past_at(l, k, l->o.season + 1) : 0;
    expected = cut(dot(m->own.theta, x, AR), 2 * FAR);
    if (!known(value)) {
        *past_at(l, k, 0) = (float)expected;
        return 0;
    }
    follow(&m->level, value, l->o.memory);
    now = standard(&m->level, value, 2 * FAR);
    learn(&m->own, x, AR, now - expected, keep);
    follow(&m->noise, now - expected, l->o.memory);
    fresh = m->noise.n >= 8 ? standard(&m->noise, now - expected, FAR) : 0;
    *past_at(l, k, 0) = (float)now;
    return fresh;
}

static void correlate(pshi_leadlag *l, uint32_t k, double z) {
    double keep = 1 - 1.0 / l->o.memory, e = (double)*fresh_at(l, k, 1);
    float *sum = l->sums + (size_t)k * l->o.lags, slow = (float)keep;
    uint32_t lag;

    l->metrics[k].power = keep * l->metrics[k].power + e * e;
    for (lag = 1; lag <= l->o.lags; lag++, sum++)
        *sum = slow * *sum + (float)z * *fresh_at(l, k, lag);
}

/* At lag 1 and more; innovations enter their ring after the correlation, so `back` 1 is one bucket before. */
static double correlation(const pshi_leadlag *l, uint32_t k, uint32_t lag) {
    double base = sqrt(l->power * l->metrics[k].power);

    return base > 0 ? cut((double)l->sums[(size_t)k * l->o.lags + lag - 1] / base, 1) : 0;
}

static double effective(double weight, double squares) {
    return squares > 0 ? weight * weight / squares : 0;
}

static void choose_lag(pshi_leadlag *l, uint32_t k) {
    metric *m = &l->metrics[k];
    double best = 0, r, now = m->lag ? fabs(correlation(l, k, m->lag)) : 0;
    uint32_t lag, at = 0;

    for (lag = 1; lag <= l->o.lags; lag++) {
        r = fabs(correlation(l, k, lag));
        if (r > best) {
            best = r;
            at = lag;
        }
    }
    if (best * sqrt(effective(l->weight, l->squares)) <= l->bar)
        at = 0;
    if (at == m->lag || (m->lag && at && best < SWITCH * now))
        return;
    m->lag = at;
    memset(&m->scored, 0, sizeof m->scored);
    restart(&m->link, LINK);
}

static void linked(const pshi_leadlag *l, uint32_t k, uint32_t back, double x[LINK]) {
    x[0] = (double)*fresh_at(l, k, back);
    x[1] = (double)*fresh_at(l, k, back + 1);
}

/* Scores and teaches one metric on what is left of the residual. @return what it says of it, from before. */
static double judge(pshi_leadlag *l, uint32_t k, double left) {
    metric *m = &l->metrics[k];
    double memory = l->o.memory > 128 ? l->o.memory / 4.0 : 32, keep = 1 - 1 / memory, x[LINK], said, d;
    score *s = &m->scored;

    linked(l, k, m->lag, x);
    said = cut(dot(m->link.theta, x, LINK), FAR);
    d = left * left - (left - said) * (left - said);
    s->weight = keep * s->weight + 1;
    s->squares = keep * keep * s->squares + 1;
    s->without = keep * s->without + left * left;
    s->with = keep * s->with + (left - said) * (left - said);
    s->better = keep * s->better + d;
    s->better2 = keep * s->better2 + d * d;
    learn(&m->link, x, LINK, left - dot(m->link.theta, x, LINK), 1 - 1.0 / l->o.memory);
    return said;
}

static double gain_of(const score *s) {
    return s->without > 0 ? cut(1 - s->with / s->without, 1e6) : 0;
}

/* How many standard errors the mean difference lies above 0. */
static double surely(const score *s) {
    double n = effective(s->weight, s->squares), mean, variance;

    if (!(s->weight > 0) || n < LEAST_SCORED)
        return 0;
    mean = s->better / s->weight;
    variance = s->better2 / s->weight - mean * mean;
    return variance > 0 ? mean / sqrt(variance / n) : 0;
}

static void drop(pshi_leadlag *l, uint32_t k) {
    uint32_t i, rank = l->metrics[k].rank;

    for (i = 0; i < l->o.metrics; i++)
        l->metrics[i].rank -= l->metrics[i].rank > rank;
    l->metrics[k].rank = 0;
    l->metrics[k].lag = 0;
    memset(&l->metrics[k].scored, 0, sizeof(score));
    restart(&l->metrics[k].link, LINK);
    l->used--;
}

/* Drops what no longer helps; else takes up the best of those that would. One change a bucket. */
static void decide(pshi_leadlag *l) {
    uint32_t k, best = l->o.metrics;
    double gain, most = ENTER_GAIN;

    for (k = 0; k < l->o.metrics; k++) {
        gain = gain_of(&l->metrics[k].scored);
        if (l->metrics[k].rank && gain < LEAVE_GAIN) {
            drop(l, k);
            return;
        }
        if (!l->metrics[k].rank && l->metrics[k].lag && gain >= most && surely(&l->metrics[k].scored) >= ENTER_T) {
            most = gain;
            best = k;
        }
    }
    if (best < l->o.metrics)
        l->metrics[best].rank = ++l->used;
}

static void judge_all(pshi_leadlag *l, double z) {
    double left = z;
    uint32_t k, rank;

    for (rank = 1; rank <= l->used; rank++)
        for (k = 0; k < l->o.metrics; k++)
            if (l->metrics[k].rank == rank)
                left = cut(left - judge(l, k, left), 2 * FAR);
    for (k = 0; k < l->o.metrics; k++) {
        if (l->metrics[k].rank)
            continue;
        choose_lag(l, k);
        if (l->metrics[k].lag)
            judge(l, k, left);
    }
    decide(l);
}

void pshi_leadlag_observe(pshi_leadlag *l, double residual, const double *values) {
    double keep = 1 - 1.0 / l->o.memory, z;
    uint32_t k;

    if (known(residual)) {
        follow(&l->load, residual, l->o.memory);
        z = l->load.n >= 8 ? standard(&l->load, residual, FAR) : 0;
        l->power = keep * l->power + z * z;
        l->weight = keep * l->weight + 1;
        l->squares = keep * keep * l->squares + 1;
        for (k = 0; k < l->o.metrics; k++)
            correlate(l, k, z);
        judge_all(l, z);
    }
    for (k = 0; k < l->o.metrics; k++)
        *fresh_at(l, k, 0) = (float)innovation(l, k, values[k]);
    l->at = l->at + 1 == l->ring ? 0 : l->at + 1;
    l->season_at = l->season_at + 1 == l->kept ? 0 : l->season_at + 1;
}

double pshi_leadlag_correct(const pshi_leadlag *l, uint32_t lead) {
    double sum = 0, x[LINK];
    uint32_t k;

    for (k = 0; lead && k < l->o.metrics; k++) {
        if (!l->metrics[k].rank || l->metrics[k].lag < lead)
            continue;
        linked(l, k, l->metrics[k].lag - lead + 1, x);
        sum += cut(dot(l->metrics[k].link.theta, x, LINK), FAR);
    }
    return cut(sum, 2 * FAR) * sqrt(l->load.variance);
}

psh_status pshi_leadlag_info_of(const pshi_leadlag *l, uint32_t k, pshi_leadlag_info *out) {
    if (k >= l->o.metrics)
        return PSH_E_INVALID;
    out->lag = l->metrics[k].lag;
    out->used = l->metrics[k].rank ? 1 : 0;
    out->correlation = out->lag ? correlation(l, k, out->lag) : 0;
    out->gain = gain_of(&l->metrics[k].scored);
    return PSH_OK;
}

static void spread_fields(pshi_fields *io, spread *s) {
    pshi_field_f64(io, &s->n, 0, 65536);
    pshi_field_f64(io, &s->mean, -2 * MOST_VALUE, 2 * MOST_VALUE);
    pshi_field_f64(io, &s->variance, 0, PSHI_FIELD_MOST);
}

static void learner_fields(pshi_fields *io, learner *k, uint32_t n) {
    pshi_field_f64s(io, k->theta, n, -MOST_THETA, MOST_THETA);
    pshi_field_f64s(io, k->p, (size_t)n * n, -MOST_P, MOST_P);
}

static void metric_fields(pshi_fields *io, pshi_leadlag *l, metric *m) {
    spread_fields(io, &m->level);
    spread_fields(io, &m->noise);
    learner_fields(io, &m->own, AR);
    learner_fields(io, &m->link, LINK);
    pshi_field_f64(io, &m->scored.weight, 0, MOST_SUM);
    pshi_field_f64(io, &m->scored.squares, 0, MOST_SUM);
    pshi_field_f64(io, &m->scored.without, 0, MOST_SUM);
    pshi_field_f64(io, &m->scored.with, 0, MOST_SUM);
    pshi_field_f64(io, &m->scored.better, -MOST_SUM, MOST_SUM);
    pshi_field_f64(io, &m->scored.better2, 0, MOST_SUM);
    pshi_field_f64(io, &m->power, 0, MOST_SUM);
    pshi_field_u32(io, &m->lag, 0, l->o.lags);
    pshi_field_u32(io, &m->rank, 0, l->o.metrics);
}

static void fields(pshi_fields *io, pshi_leadlag *l) {
    uint32_t k;

    spread_fields(io, &l->load);
    pshi_field_f64(io, &l->power, 0, MOST_SUM);
    pshi_field_f64(io, &l->weight, 0, MOST_SUM);
    pshi_field_f64(io, &l->squares, 0, MOST_SUM);
    pshi_field_u32(io, &l->at, 0, l->ring - 1);
    pshi_field_u32(io, &l->season_at, 0, l->kept - 1);
    pshi_field_u32(io, &l->used, 0, l->o.metrics);
    for (k = 0; k < l->o.metrics; k++)
        metric_fields(io, l, &l->metrics[k]);
    pshi_field_f32s(io, l->fresh, (size_t)l->o.metrics * l->ring, -FAR, FAR);
    pshi_field_f32s(io, l->past, (size_t)l->o.metrics * l->kept, -2 * FAR, 2 * FAR);
    pshi_field_f32s(io, l->sums, (size_t)l->o.metrics * l->o.lags, -MOST_SUM, MOST_SUM);
}

static void option_fields(pshi_fields *io, pshi_leadlag_options *o) {
    pshi_field_u32(io, &o->metrics, 1, PSHI_LEADLAG_MOST_METRICS);
    pshi_field_u32(io, &o->lags, 1, PSHI_LEADLAG_MOST_LAGS);
    pshi_field_u32(io, &o->season, 0, PSHI_LEADLAG_MOST_SEASON);
    pshi_field_u32(io, &o->memory, 32, 65536);
    pshi_field_f64(io, &o->risk, 0, 0.5);
}

void pshi_leadlag_save(const pshi_leadlag *l, pshi_writer *w) {
    pshi_leadlag *from = (pshi_leadlag *)(uintptr_t)l; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    option_fields(&io, &from->o);
    fields(&io, from);
}

/* Each rank from 1 to `used` once, and only where there is a lag. */
static int ranks_ok(const pshi_leadlag *l) {
    uint8_t seen[PSHI_LEADLAG_MOST_METRICS + 1] = { 0 };
    uint32_t k, rank, found = 0;

    for (k = 0; k < l->o.metrics; k++) {
        rank = l->metrics[k].rank;
        if (!rank)
            continue;
        if (rank > l->used || seen[rank] || !l->metrics[k].lag)
            return 0;
        seen[rank] = 1;
        found++;
    }
    return found == l->used;
}

pshi_leadlag *pshi_leadlag_load(psh_env *env, pshi_cursor *c) {
    pshi_fields io = { NULL, c };
    pshi_leadlag_options o;
    pshi_leadlag *l;

    memset(&o, 0, sizeof o);
    option_fields(&io, &o);
    if (!options_ok(&o) || o.metrics * floats_per_metric(&o) > pshi_read_left(c) / sizeof(float)) {
        pshi_read_bad(c);
        pshi_leadlag_defaults(&o, 1);
    }
    l = make(env, &o);
    if (!l)
        return NULL;
    fields(&io, l);
    if (!ranks_ok(l))
        pshi_read_bad(c);
    return l;
}
