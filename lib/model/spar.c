/* SPDX-License-Identifier: MIT */
/*
 * Sparse periodic auto-regression: Chen et al., "Energy-aware server provisioning and load dispatching for
 * connection-intensive internet services" (NSDI 2008), as used for loads of databases by Taft et al., "P-Store: An
 * elastic database system with predictive provisioning" (SIGMOD 2018):
 *   y(t + h) = sum_k a_k y(t + h - k T) + sum_j b_j dy(t - j),  dy(i) = y(i) - 1/n sum_k y(i - k T)
 * with k = 1..n, j = 0..m-1. Beyond a period ahead k starts at the first round that is known.
 */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "math/linalg.h"
#include "model/leads.h"
#include "model/model.h"

#define MOST_ROUNDS 7u  /* n: a week of days, where T is a day */
#define MOST_RECENT 30u
#define MOST_TERMS (MOST_ROUNDS + MOST_RECENT)
#define RIDGE 1e-3      /* share of the diagonal that pulls to a_k = 1/n, b_j = 0 */

typedef struct spar {
    uint32_t period;  /* T, or 1 */
    uint32_t rounds;  /* n >= 1 */
    uint32_t recent;  /* m, may be 0 */
    uint32_t groups;
    uint32_t keep;    /* values kept: n T + m */
    uint32_t at;      /* where the oldest stands, and the next goes */
    double low;       /* of what was seen; forecasts stay within one range of it */
    double high;
    double sd[PSHI_LEADS_MOST];
    double *a;        /* Shape [groups][rounds + recent] */
    float *last;      /* Shape [keep], a ring */
} spar;

static size_t spar_bytes(const spar *s) {
    return sizeof(spar) + (size_t)s->groups * (s->rounds + s->recent) * sizeof(double) + s->keep * sizeof(float);
}

/* One block: the arrays stand behind the struct. */
static spar *make_spar(psh_env *env, const spar *shape, size_t *bytes) {
    spar *s;

    *bytes = spar_bytes(shape);
    s = pshi_calloc(env, 1, *bytes);
    if (!s)
        return NULL;
    *s = *shape;
    s->a = (double *)(s + 1);
    s->last = (float *)(s->a + s->groups * (s->rounds + s->recent));
    return s;
}

/*
 * The longest season of which three rounds exist. A row needs n rounds; two more teach, where there are so many.
 * With less, nothing is regressed: the season's last round, or the last value.
 */
static void choose_shape(spar *s, const pshi_fit *in) {
    uint32_t k = in->seasons;
    size_t cycles, rows;

    while (k > 0 && in->season[k - 1] > in->n / 3)
        k--;
    s->period = k ? in->season[k - 1] : 1;
    if (!k && in->seasons && in->season[0] <= in->n)
        s->period = in->season[0];
    cycles = in->n / s->period;
    s->rounds = cycles < 4 || !k ? 1 : cycles - 2 < MOST_ROUNDS ? (uint32_t)(cycles - 2) : MOST_ROUNDS;
    rows = in->n - (size_t)s->rounds * s->period;
    s->recent = !k ? 0 : rows / 10 < MOST_RECENT ? (uint32_t)(rows / 10) : MOST_RECENT;
    s->groups = pshi_leads_count(in->horizon);
    s->keep = s->rounds * s->period + s->recent;
}

/* y[t + h] is to come; dy(t) stands before dy_end; y[t] may be followed by nothing. */
static void terms_at(const spar *s, const double *y, const double *dy, size_t t, uint32_t h, double *x) {
    size_t from = t + h - (size_t)((h + s->period - 1) / s->period) * s->period;
    uint32_t k;

    for (k = 0; k < s->rounds; k++)
        x[k] = y[from - (size_t)k * s->period];
    for (k = 0; k < s->recent; k++)
        x[s->rounds + k] = dy[t - k];
}

static void find_dy(const spar *s, const double *y, size_t n, double *dy) {
    size_t i, first = (size_t)s->rounds * s->period;
    uint32_t k;
    double sum;

    for (i = first; i < n; i++) {
        sum = 0;
        for (k = 1; k <= s->rounds; k++)
            sum += y[i - (size_t)k * s->period];
        dy[i] = y[i] - sum / s->rounds;
    }
}

typedef struct spar_work {
    double gram[MOST_TERMS * MOST_TERMS];
    double rhs[MOST_TERMS];
    double penalty[MOST_TERMS];
    double x[MOST_TERMS];
} spar_work;

static double prior_of(const spar *s, const double *x) {
    double sum = 0;
    uint32_t k;

    for (k = 0; k < s->rounds; k++)
        sum += x[k];
    return sum / s->rounds;
}

/* What the prior, the plain mean of the rounds, leaves is regressed; so ridge pulls to it. */
static void fit_group(spar *s, uint32_t g, const pshi_fit *in, const double *y, const double *dy, spar_work *w) {
    uint32_t p = s->rounds + s->recent, h, k;
    double sum = 0, e, left, *a = s->a + g * p;
    size_t t, first = (size_t)s->rounds * s->period + (s->recent ? s->recent - 1 : 0), rows = 0;

    memset(w, 0, sizeof *w);
    for (t = first; t + 1 < in->n; t++) {
        h = pshi_leads_pick(g, in->horizon, t);
        if (t + h >= in->n)
            continue;
        terms_at(s, y, dy, t, h, w->x);
        e = y[t + h] - prior_of(s, w->x);
        pshi_gram_add(w->gram, w->rhs, w->x, p, e, 1);
        sum += e * e;
        rows++;
    }
    for (k = 0; k < p; k++) {
        w->penalty[k] = RIDGE * w->gram[k * p + k];
        w->x[k] = w->rhs[k];
    }
    if (!s->recent || rows < 2 * (size_t)p || !pshi_ridge(w->gram, w->rhs, w->penalty, p))
        memset(w->rhs, 0, p * sizeof *w->rhs);
    left = sum;
    for (k = 0; k < p; k++) {
        a[k] = fmin(fmax(w->rhs[k], -1e6), 1e6) + (k < s->rounds ? 1.0 / s->rounds : 0);
        left -= w->rhs[k] * w->x[k]; /* RSS = y'y - b'X'y - b'Pb: at most this */
    }
    left = fmin(fmax(left, 1e-9 * sum), sum);
    s->sd[g] = rows > p ? sqrt(left / (double)(rows - p)) : rows ? sqrt(sum / (double)rows) : -1;
}

static void keep_values(spar *s, const pshi_fit *in) {
    size_t i;

    for (i = 0; i < s->keep; i++)
        s->last[i] = (float)in->y[in->n - s->keep + i];
    s->low = s->high = in->y[0];
    for (i = 0; i < in->n; i++) {
        s->low = fmin(s->low, in->y[i]);
        s->high = fmax(s->high, in->y[i]);
    }
}

static psh_status fit(const pshi_fit *in, void **state, size_t *bytes) {
    spar shape = { 0 }, *s;
    spar_work *w = pshi_alloc(in->env, sizeof *w);
    double *y = pshi_calloc(in->env, 2 * in->n, sizeof *y), scale;
    uint32_t g;
    size_t i;

    choose_shape(&shape, in);
    s = make_spar(in->env, &shape, bytes);
    if (s && w && y) {
        keep_values(s, in);
        scale = fmax(fabs(s->low), fabs(s->high));
        for (i = 0; i < in->n; i++)
            y[i] = scale > 0 ? in->y[i] / scale : 0;
        find_dy(s, y, in->n, y + in->n);
        for (g = 0; g < s->groups; g++) {
            fit_group(s, g, in, y, y + in->n, w);
            s->sd[g] = s->sd[g] < 0 ? (s->high - s->low) / 4 : s->sd[g] * scale; /* no row: from the range */
            s->sd[g] = g ? fmax(s->sd[g], s->sd[g - 1]) : s->sd[g];
        }
    }
    pshi_free(in->env, w);
    pshi_free(in->env, y);
    if (w && y && s) {
        *state = s;
        return PSH_OK;
    }
    pshi_free(in->env, s);
    return PSH_E_NOMEM;
}

static void update(void *state, double y, const double *x) {
    spar *s = state;

    (void)x;
    s->last[s->at] = (float)y;
    s->at = s->at + 1 == s->keep ? 0 : s->at + 1;
    s->low = fmin(s->low, y);
    s->high = fmax(s->high, y);
}

static double mean_at(const spar *s, const double *y, const double *dy, uint32_t h) {
    uint32_t p = s->rounds + s->recent, k;
    const double *a = s->a + pshi_leads_group(s->groups, h) * p;
    double x[MOST_TERMS], sum = 0, range = s->high - s->low;

    terms_at(s, y, dy, s->keep - 1, h, x);
    for (k = 0; k < p; k++)
        sum += a[k] * x[k];
    return fmin(fmax(sum, s->low - range), s->high + range);
}

static psh_status forecast(psh_env *env, const void *state, const pshi_ahead *a) {
    const spar *s = state;
    double *y = pshi_calloc(env, 2 * (size_t)s->keep, sizeof *y);
    uint32_t h, i;

    if (!y)
        return PSH_E_NOMEM;
    for (i = 0; i < s->keep; i++)
        y[i] = (double)s->last[(s->at + i) % s->keep];
    find_dy(s, y, s->keep, y + s->keep);
    for (h = 1; h <= a->steps; h++) {
        a->mean[h - 1] = mean_at(s, y, y + s->keep, h);
        if (a->sd)
            a->sd[h - 1] = s->sd[pshi_leads_group(s->groups, h)];
    }
    pshi_free(env, y);
    return PSH_OK;
}

static void dump(const void *state, pshi_writer *w) {
    const spar *s = state;
    uint32_t k;

    pshi_text(w, "period ");
    pshi_text_u64(w, s->period);
    pshi_text(w, " n ");
    pshi_text_u64(w, s->rounds);
    pshi_text(w, " m ");
    pshi_text_u64(w, s->recent);
    pshi_text(w, " groups ");
    pshi_text_u64(w, s->groups);
    pshi_text(w, " a(1)");
    for (k = 0; k < s->rounds; k++) {
        pshi_text(w, " ");
        pshi_text_f64(w, s->a[k]);
    }
    pshi_text(w, " sigma ");
    pshi_text_f64(w, s->sd[0]);
}

static void shape_fields(pshi_fields *io, spar *s) {
    pshi_field_u32(io, &s->period, 1, PSHI_MODEL_MOST_SEASON);
    pshi_field_u32(io, &s->rounds, 1, MOST_ROUNDS);
    pshi_field_u32(io, &s->recent, 0, MOST_RECENT);
    pshi_field_u32(io, &s->groups, 1, PSHI_LEADS_MOST);
}

static void fields(pshi_fields *io, spar *s) {
    pshi_field_u32(io, &s->at, 0, s->keep - 1);
    pshi_field_f64(io, &s->low, -PSHI_MODEL_MOST_VALUE, PSHI_MODEL_MOST_VALUE);
    pshi_field_f64(io, &s->high, s->low, PSHI_MODEL_MOST_VALUE);
    pshi_field_f64s(io, s->sd, s->groups, 0, PSHI_FIELD_MOST);
    pshi_field_f64s(io, s->a, (size_t)s->groups * (s->rounds + s->recent), -2e6, 2e6);
    pshi_field_f32s(io, s->last, s->keep, -PSHI_MODEL_MOST_VALUE, PSHI_MODEL_MOST_VALUE);
}

static void save(const void *state, pshi_writer *w) {
    spar *s = (spar *)(uintptr_t)state; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    shape_fields(&io, s);
    fields(&io, s);
}

static void *load(psh_env *env, pshi_cursor *c, size_t *bytes) {
    pshi_fields io = { NULL, c };
    spar shape = { 0 }, *s;

    shape_fields(&io, &shape);
    shape.keep = shape.rounds * shape.period + shape.recent;
    if ((uint64_t)shape.keep * sizeof(float) > pshi_read_left(c)) {
        pshi_read_bad(c);
        shape.period = shape.rounds = shape.groups = shape.keep = 1;
        shape.recent = 0;
    }
    s = make_spar(env, &shape, bytes);
    if (s)
        fields(&io, s);
    return s;
}

const pshi_model_class pshi_model_spar = {
    "spar", 0, fit, update, forecast, NULL, dump, save, load
};
