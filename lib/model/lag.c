/* SPDX-License-Identifier: MIT */
/*
 * Ridge regression (Hoerl & Kennard 1970) of y(t + h) on lags known at t, direct for groups of leads h (Hyndman &
 * Athanasopoulos call regressions on lags dynamic; direct against iterated: Marcellino, Stock & Watson 2006).
 * Everything stands relative to a base, the mean of the place in the season plus the slow level of the residuals,
 * so that what ridge pulls to is a sensible forecast. Counts are regressed as log(1 + y).
 */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "math/linalg.h"
#include "math/stats.h"
#include "model/leads.h"
#include "model/model.h"

#define FORGET 0.25  /* weight of a new value in its place of the season, at least */
#define RECENT 1.5    /* the oldest row weighs exp(-1.5) of the latest */
#define HELD_OUT 5u   /* one row in so many, the latest, chooses the penalty */
#define FEW_ROWS_PENALTY 2.0 /* where too few rows are left to choose by */
#define MOST_LOG 70.0 /* log1p(2^100) = 69.3 */
#define LAST_VALUES 3u
#define PER_SEASON 4u
#define MOST_X 64u
#define SHAPE_TERMS 3u
#define MOST_TERMS (1 + LAST_VALUES + 3 * PER_SEASON + 1 + SHAPE_TERMS + MOST_X)

typedef struct lag {
    uint32_t x_count;  /* first: pshi_model_class */
    uint32_t seasons;
    uint32_t season[3];
    uint32_t groups;
    uint32_t logs;     /* 1: values are log1p */
    uint32_t terms;    /* of one group */
    uint32_t keep;     /* values kept */
    uint32_t at;       /* where the next goes */
    uint32_t have;     /* how many there are, up to keep */
    uint32_t places;   /* of the longest season, or 1 */
    uint32_t place;    /* of the next value */
    uint32_t visits;   /* rounds of the longest season ended, up to 1000 */
    uint32_t short_places; /* of the shortest of several seasons, or 0 */
    uint32_t short_place;
    uint32_t short_visits;
    double scale;      /* mean size: the constant term */
    double low;        /* of what was seen; forecasts stay within one range of it */
    double high;
    double level;      /* forgetting mean of value - mean of its place: over the shortest season */
    double slow;       /* over the longest */
    double fast_rate;
    double slow_rate;
    double sd[PSHI_LEADS_MOST];
    double penalty[PSHI_LEADS_MOST]; /* chosen; -1: the base alone */
    double *b;         /* Shape [groups][terms] */
    float *last;       /* Shape [keep], a ring */
    float *mean;       /* Shape [places] */
    float *short_mean; /* Shape [short_places] */
} lag;

static size_t lag_bytes(const lag *s) {
    return sizeof(lag) + (size_t)s->groups * s->terms * sizeof(double)
         + (s->keep + s->places + s->short_places) * sizeof(float);
}

/* One block: the arrays stand behind the struct. */
static lag *make_lag(psh_env *env, const lag *shape, size_t *bytes) {
    lag *s;

    *bytes = lag_bytes(shape);
    s = pshi_calloc(env, 1, *bytes);
    if (!s)
        return NULL;
    *s = *shape;
    s->b = (double *)(s + 1);
    s->last = (float *)(s->b + (size_t)s->groups * s->terms);
    s->mean = s->last + s->keep;
    s->short_mean = s->mean + s->places;
    return s;
}

static void shape_sizes(lag *s) {
    uint32_t longest = s->seasons ? s->season[s->seasons - 1] : 1;

    s->places = longest;
    s->short_places = s->seasons > 1 ? s->season[0] : 0;
    s->keep = s->seasons ? 2 * longest + 1 : LAST_VALUES + 1;
    s->terms = 1 + LAST_VALUES + PER_SEASON * s->seasons + 1 + s->x_count;
    s->terms += s->seasons > 1 ? SHAPE_TERMS : s->seasons;
}

static void choose_shape(lag *s, const pshi_fit *in) {
    size_t i;

    while (s->seasons < in->seasons && in->season[s->seasons] <= in->n / 2) {
        s->season[s->seasons] = in->season[s->seasons];
        s->seasons++;
    }
    s->x_count = in->x_count;
    s->groups = pshi_leads_count(in->horizon);
    s->logs = in->nonnegative;
    for (i = 0; s->logs && i < in->n; i++)
        s->logs = in->y[i] >= 0;
    shape_sizes(s);
}

static double value_back(const lag *s, uint32_t back) {
    uint32_t known = s->have < s->keep ? s->have : s->keep;

    back = back < known ? back : known - 1;
    return (double)s->last[pshi_ring_back(s->at, s->keep, back)];
}

/* Mean of the place that lies `ahead` steps after the latest value (or before, if negative). */
static double place_at(const lag *s, int64_t ahead) {
    int64_t places = s->places, p = (int64_t)s->place - 1 + ahead;

    p = p < 0 ? p + places : p >= places ? p - places : p;
    if (p < 0 || p >= places) { /* rare: the remainder is what a fit would spend most of its time on */
        p %= places;
        p = p < 0 ? p + places : p;
    }
    return (double)s->mean[p];
}

/* What the value `back` steps ago has over its place and the level. */
static double over_base(const lag *s, uint32_t back) {
    return value_back(s, back) - place_at(s, -(int64_t)back) - s->slow;
}

static double base_at(const lag *s, uint32_t h) {
    return place_at(s, h) + s->slow;
}

/* The season's term group: about the target one season before, and two. */
static double *season_terms(const lag *s, uint32_t m, uint32_t h, double *x) {
    uint32_t back = (h + m - 1) / m * m - h; /* 0..m-1 steps before the latest */

    *x++ = over_base(s, back);
    *x++ = over_base(s, back + 1) + over_base(s, back > 0 ? back - 1 : 0);
    *x++ = over_base(s, back + m < s->have ? back + m : back);
    *x++ = place_at(s, -(int64_t)back) - place_at(s, h); /* 0 for the longest */
    return x;
}

/* The shape about the target: what its neighbours in time, and it on other days, would have it be. */
static double *shape_terms(const lag *s, uint32_t h, double *x) {
    double at = place_at(s, h);
    int64_t ahead = h, day = s->season[0];

    if (!s->seasons)
        return x;
    *x++ = place_at(s, ahead - 1) + place_at(s, ahead + 1) - 2 * at;
    if (s->seasons < 2)
        return x;
    *x++ = place_at(s, ahead - day) + place_at(s, ahead + day) - 2 * at;
    *x++ = (double)s->short_mean[(s->short_place + h - 1) % s->short_places] - at;
    return x;
}

static void terms_at(const lag *s, uint32_t h, const double *regressors, double *x) {
    uint32_t k;

    *x++ = s->scale;
    for (k = 0; k < LAST_VALUES; k++)
        *x++ = over_base(s, k);
    for (k = 0; k < s->seasons; k++)
        x = season_terms(s, s->season[k], h, x);
    *x++ = s->level - s->slow;
    x = shape_terms(s, h, x);
    for (k = 0; k < s->x_count; k++)
        *x++ = regressors[k];
}

static void push_short(lag *s, double y) {
    float *mean = &s->short_mean[s->short_place];
    double old = s->short_visits ? (double)*mean : y;
    double weight = fmax(FORGET * s->short_places / s->places, 1 / ((double)s->short_visits + 1));

    *mean = (float)(old + weight * (y - old));
    s->short_place = s->short_place + 1 == s->short_places ? 0 : s->short_place + 1;
    s->short_visits += !s->short_place && s->short_visits < 1000 ? 1 : 0;
}

/* One value more, as it is regressed. */
static void push(lag *s, double y) {
    float *mean = &s->mean[s->place];
    double old = s->visits ? (double)*mean : y, weight, over;

    weight = fmax(FORGET, 1.0 / ((double)s->visits + 1));
    *mean = (float)(old + weight * (y - old));
    over = y - (double)*mean;
    s->level += s->fast_rate * (over - s->level);
    s->slow += s->slow_rate * (over - s->slow);
    s->last[s->at] = (float)y;
    s->at = s->at + 1 == s->keep ? 0 : s->at + 1;
    s->place = s->place + 1 == s->places ? 0 : s->place + 1;
    s->visits += !s->place && s->visits < 1000 ? 1 : 0;
    s->have += s->have < s->keep ? 1 : 0;
    s->low = fmin(s->low, y);
    s->high = fmax(s->high, y);
    if (s->short_places)
        push_short(s, y);
}

typedef struct lag_rows {
    double *gram;    /* Shape [2][terms][terms]: rows that fit, rows held out */
    double *rhs;     /* Shape [2][terms] */
    double yy[2];
    double weight[2];
    size_t count[2];
} lag_rows;

typedef struct lag_work {
    lag_rows *rows;  /* Shape [groups] */
    double *x;       /* Shape [terms] */
    double *trial;   /* Shape [terms][terms + 2] */
} lag_work;

static double seen(const lag *s, double y) {
    return !s->logs ? y : y > 0 ? log1p(y) : 0;
}

static void add_row(const lag *s, const pshi_fit *in, size_t t, uint32_t g, lag_work *w) {
    uint32_t h = pshi_leads_pick(g, in->horizon, t);
    lag_rows *r = &w->rows[g];
    size_t held = t + in->n / HELD_OUT >= in->n, p = s->terms;
    double e, weight = exp(-RECENT * (double)(in->n - t) / (double)in->n);

    if (t + h >= in->n || (in->mask && in->mask[t + h]))
        return;
    terms_at(s, h, in->x ? in->x + (t + h) * in->x_count : NULL, w->x);
    e = seen(s, in->y[t + h]) - base_at(s, h);
    pshi_gram_add(r->gram + held * p * p, r->rhs + held * p, w->x, p, e, weight);
    r->yy[held] += weight * e * e;
    r->weight[held] += weight;
    r->count[held]++;
}

static double held_out_error(const lag_rows *r, const double *b, size_t p) {
    const double *gram = r->gram + p * p, *rhs = r->rhs + p;
    double sum = r->yy[1];
    size_t i, j;

    for (i = 0; i < p; i++) {
        sum -= 2 * b[i] * rhs[i];
        for (j = 0; j <= i; j++)
            sum += (j < i ? 2 : 1) * b[i] * b[j] * gram[i * p + j];
    }
    return sum > 0 ? sum : 0;
}

/* Coefficients at a penalty, a share of the diagonal; the constant is as free as the rest. */
static int solve(const lag_rows *r, size_t p, double share, double *trial, double **b) {
    double *penalty = trial + p * p + p;
    size_t i;

    *b = trial + p * p;
    memcpy(trial, r->gram, p * p * sizeof *trial);
    memcpy(*b, r->rhs, p * sizeof **b);
    for (i = 0; i < p; i++)
        penalty[i] = share * trial[i * p + i];
    return pshi_ridge(trial, *b, penalty, p);
}

static double choose_penalty(const lag_rows *r, size_t p, double *trial) {
    static const double shares[] = { 1e-3, 1e-2, 0.1, 0.5, 2, 10 };
    double best = r->yy[1], share = HUGE_VAL, v, *b;
    size_t i;

    if (r->count[1] < 24 || r->count[0] < 4 * p)
        return r->count[0] + r->count[1] > 3 * p ? FEW_ROWS_PENALTY : HUGE_VAL;
    for (i = 0; i < sizeof shares / sizeof *shares; i++) {
        if (!solve(r, p, shares[i], trial, &b))
            continue;
        v = held_out_error(r, b, p);
        if (v < best) {
            best = v;
            share = shares[i];
        }
    }
    return share;
}

static void fit_group(lag *s, uint32_t g, lag_work *w) {
    lag_rows *r = &w->rows[g];
    size_t p = s->terms, i, rows;
    double share = choose_penalty(r, p, w->trial), *b, *out = s->b + g * p, left, widen;

    for (i = 0; i < p * p; i++)
        r->gram[i] += r->gram[p * p + i];
    for (i = 0; i < p; i++)
        r->rhs[i] += r->rhs[p + i];
    r->yy[0] += r->yy[1];
    rows = r->count[0] + r->count[1];
    left = r->yy[0];
    if (share < HUGE_VAL && solve(r, p, share, w->trial, &b)) {
        for (i = 0; i < p; i++) {
            out[i] = fmin(fmax(b[i], -1e6), 1e6);
            left -= b[i] * r->rhs[i];
        }
    }
    widen = rows > 2 * p ? 1 + 2 * (double)p / (double)(rows - p) : 1; /* as Akaike's final prediction error */
    left = fmin(fmax(left, 1e-9 * r->yy[0]) * widen, r->yy[0]);
    s->sd[g] = rows ? sqrt(left / (r->weight[0] + r->weight[1])) : (s->high - s->low) / 4;
    s->sd[g] = g ? fmax(s->sd[g], s->sd[g - 1]) : s->sd[g];
    s->penalty[g] = share < HUGE_VAL ? share : -1;
}

static int make_work(psh_env *env, const lag *s, lag_work *w) {
    size_t p = s->terms, per = 2 * p * p + 2 * p;
    double *at;
    uint32_t g;

    w->rows = pshi_calloc(env, s->groups, sizeof *w->rows);
    at = pshi_calloc(env, s->groups * per + p + p * (p + 2), sizeof *at);
    w->x = at;
    if (!w->rows || !at)
        return 0;
    w->trial = at + p;
    at = w->trial + p * (p + 2);
    for (g = 0; g < s->groups; g++) {
        w->rows[g].gram = at + g * per;
        w->rows[g].rhs = w->rows[g].gram + 2 * p * p;
    }
    return 1;
}

/* Goes through the series once; from the second round of the longest season on every value teaches each group. */
static void learn(lag *s, const pshi_fit *in, lag_work *w) {
    size_t t, first = s->seasons ? s->places : LAST_VALUES;
    uint32_t g;

    for (t = 0; t < in->n; t++) {
        push(s, seen(s, in->y[t]));
        for (g = 0; t >= first && g < s->groups; g++)
            add_row(s, in, t, g, w);
    }
    for (g = 0; g < s->groups; g++)
        fit_group(s, g, w);
}

static void start(lag *s, const pshi_fit *in) {
    double sum = 0;
    size_t i;

    for (i = 0; i < in->n; i++)
        sum += fabs(seen(s, in->y[i])) / (double)in->n;
    s->scale = sum;
    s->low = s->high = seen(s, in->y[0]);
    s->fast_rate = s->seasons ? 2.0 / (s->season[0] + 1.0) : 0.3;
    s->slow_rate = s->seasons ? 2.0 / (s->places + 1.0) : 0.05;
}

static psh_status fit(const pshi_fit *in, void **state, size_t *bytes) {
    lag shape = { 0 }, *s;
    lag_work w = { 0 };
    int good;

    choose_shape(&shape, in);
    s = make_lag(in->env, &shape, bytes);
    good = s && make_work(in->env, s, &w);
    if (good) {
        start(s, in);
        learn(s, in, &w);
        *state = s;
    } else {
        pshi_free(in->env, s);
    }
    pshi_free(in->env, w.rows);
    pshi_free(in->env, w.x);
    return good ? PSH_OK : PSH_E_NOMEM;
}

static void update(void *state, double y, const double *x) {
    lag *s = state;

    (void)x;
    push(s, seen(s, y));
}

static double regressed_at(const lag *s, uint32_t h, const double *regressors, double *x) {
    const double *b = s->b + pshi_leads_group(s->groups, h) * s->terms;
    double sum = base_at(s, h), range = s->high - s->low;
    uint32_t k;

    terms_at(s, h, regressors, x);
    for (k = 0; k < s->terms; k++)
        sum += b[k] * x[k];
    sum = fmin(fmax(sum, s->low - range), s->high + range);
    return s->logs ? fmin(fmax(sum, 0), MOST_LOG) : sum;
}

static psh_status forecast(psh_env *env, const void *state, const pshi_ahead *a) {
    const lag *s = state;
    double x[MOST_TERMS], sd;
    uint32_t h;

    (void)env;
    for (h = 1; h <= a->steps; h++) {
        a->mean[h - 1] = regressed_at(s, h, a->x ? a->x + (size_t)(h - 1) * s->x_count : NULL, x);
        if (s->logs)
            a->mean[h - 1] = expm1(a->mean[h - 1]);
        sd = s->sd[pshi_leads_group(s->groups, h)];
        if (a->sd)
            a->sd[h - 1] = s->logs ? sd * (1 + a->mean[h - 1]) : sd;
    }
    return PSH_OK;
}

static void dump(const void *state, pshi_writer *w) {
    const lag *s = state;
    uint32_t g;

    pshi_text(w, s->logs ? "log seasons" : "plain seasons");
    for (g = 0; g < s->seasons; g++) {
        pshi_text(w, " ");
        pshi_text_u64(w, s->season[g]);
    }
    pshi_text(w, " terms ");
    pshi_text_u64(w, s->terms);
    for (g = 0; g < s->groups; g++) {
        pshi_text(w, g ? ", penalty " : " penalty ");
        pshi_text_f64(w, s->penalty[g]);
        pshi_text(w, " sigma ");
        pshi_text_f64(w, s->sd[g]);
    }
}

static void shape_fields(pshi_fields *io, lag *s) {
    uint32_t k;

    pshi_field_u32(io, &s->seasons, 0, 3);
    for (k = 0; k < s->seasons; k++)
        pshi_field_u32(io, &s->season[k], k ? s->season[k - 1] + 1 : 2, PSHI_MODEL_MOST_SEASON + k);
    pshi_field_u32(io, &s->x_count, 0, MOST_X);
    pshi_field_u32(io, &s->groups, 1, PSHI_LEADS_MOST);
    pshi_field_u32(io, &s->logs, 0, 1);
}

static void fields(pshi_fields *io, lag *s) {
    double most = s->logs ? MOST_LOG : PSHI_MODEL_MOST_VALUE;

    pshi_field_u32(io, &s->at, 0, s->keep - 1);
    pshi_field_u32(io, &s->have, 1, s->keep);
    pshi_field_u32(io, &s->place, 0, s->places - 1);
    pshi_field_u32(io, &s->visits, 0, 1000);
    pshi_field_u32(io, &s->short_place, 0, s->short_places ? s->short_places - 1 : 0);
    pshi_field_u32(io, &s->short_visits, 0, 1000);
    pshi_field_f64(io, &s->scale, 0, most);
    pshi_field_f64(io, &s->low, -most, most);
    pshi_field_f64(io, &s->high, s->low, most);
    pshi_field_f64(io, &s->level, -4 * most, 4 * most);
    pshi_field_f64(io, &s->slow, -4 * most, 4 * most);
    pshi_field_f64(io, &s->fast_rate, 0, 1);
    pshi_field_f64(io, &s->slow_rate, 0, 1);
    pshi_field_f64s(io, s->sd, s->groups, 0, PSHI_FIELD_MOST);
    pshi_field_f64s(io, s->penalty, s->groups, -1, 100);
    pshi_field_f64s(io, s->b, (size_t)s->groups * s->terms, -1e6, 1e6);
    pshi_field_f32s(io, s->last, s->keep, -1.01 * most, 1.01 * most);
    pshi_field_f32s(io, s->mean, s->places, -1.01 * most, 1.01 * most);
    pshi_field_f32s(io, s->short_mean, s->short_places, -1.01 * most, 1.01 * most);
}

static void save(const void *state, pshi_writer *w) {
    lag *s = (lag *)(uintptr_t)state; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    shape_fields(&io, s);
    fields(&io, s);
}

static void *load(psh_env *env, pshi_cursor *c, size_t *bytes) {
    pshi_fields io = { NULL, c };
    lag shape = { 0 }, *s;

    shape_fields(&io, &shape);
    shape_sizes(&shape);
    if (lag_bytes(&shape) - sizeof shape > pshi_read_left(c)) {
        pshi_read_bad(c);
        memset(&shape, 0, sizeof shape);
        shape.groups = 1;
        shape_sizes(&shape);
    }
    s = make_lag(env, &shape, bytes);
    if (s)
        fields(&io, s);
    return s;
}

/* In logs the law is normal there: the mean is its median, the deviation is read back from it. */
static psh_status quantiles(
    psh_env *env, const void *state, const pshi_ahead *a, const double *levels, uint32_t level_count, double *out) {
    const lag *s = state;
    uint32_t h, k;
    double z, sd;

    (void)env;
    for (h = 0; h < a->steps; h++) {
        sd = s->sd[pshi_leads_group(s->groups, h + 1)];
        for (k = 0; k < level_count; k++) {
            z = sd * pshi_normal_quantile(levels[k]);
            *out++ = s->logs ? expm1(fmin(log1p(a->mean[h]) + z, MOST_LOG + 10)) : a->mean[h] + z;
        }
    }
    return PSH_OK;
}

const pshi_model_class pshi_model_lag = {
    "lag", 1, fit, update, forecast, quantiles, dump, save, load
};
