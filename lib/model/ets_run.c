/* SPDX-License-Identifier: MIT */
/* The recursions of Hyndman, Koehler, Ord & Snyder, "Forecasting with Exponential Smoothing", 2008, chapter 2. */
#include <math.h>
#include <string.h>

#include "math/linalg.h"
#include "model/ets.h"

#define LEAST_FORECAST 1e-10 /* of a multiplicative form, in units of the largest value */
#define LEAST_SQUARES 1e-24  /* mean square that counts as an exact fit, in the same units */
#define MOST_STATE 0x1p200

size_t pshi_ets_bytes(uint32_t m) {
    return sizeof(pshi_ets) + m * sizeof(double);
}

/*
 * Error and multiplicative error have the same recursion of states (the error times the forecast is the additive
 * one); they differ in the likelihood. Always called with constants, so that each form gets a loop of its own.
 */
static inline double run_form(
    pshi_ets *e, const double *y, size_t n, uint32_t trend, uint32_t season, int relative, double *squares) {
    double l = e->level, b = e->slope, sum = 0, product = 1, logs = 0, q, mu, r, u;
    const double alpha = e->alpha, beta = e->beta, gamma = e->gamma, phi = e->phi;
    uint32_t at = e->at, m = e->form.m;
    size_t i;

    for (i = 0; i < n; i++) {
        q = trend ? l + phi * b : l;
        mu = season == PSHI_ETS_ADDITIVE ? q + e->season[at] : season ? q * e->season[at] : q;
        r = y[i] - mu;
        if ((relative && !(mu > LEAST_FORECAST)) || (season == PSHI_ETS_MULTIPLICATIVE && !(q > LEAST_FORECAST)))
            return HUGE_VAL;
        u = relative ? r / mu : r;
        sum += u * u;
        if (relative && (product *= mu, i % 16 == 15)) {
            logs += log(product);
            product = 1;
        }
        u = season == PSHI_ETS_MULTIPLICATIVE ? y[i] / e->season[at] - q : r;
        l = q + alpha * u;
        b = trend ? phi * b + beta * u : 0;
        if (season) {
            e->season[at] += gamma * (season == PSHI_ETS_MULTIPLICATIVE ? r / q : r);
            at = at + 1 == m ? 0 : at + 1;
        }
    }
    e->level = l;
    e->slope = b;
    e->at = at;
    *squares = sum;
    sum = sum > LEAST_SQUARES * (double)n ? sum : LEAST_SQUARES * (double)n;
    return (double)n * log(sum) + 2 * (logs + log(product));
}

static double run_additive(pshi_ets *e, const double *y, size_t n, double *squares) {
    const uint32_t add = PSHI_ETS_ADDITIVE;

    if (e->form.season)
        return e->form.trend ? run_form(e, y, n, 1, add, 0, squares) : run_form(e, y, n, 0, add, 0, squares);
    return e->form.trend ? run_form(e, y, n, 1, 0, 0, squares) : run_form(e, y, n, 0, 0, 0, squares);
}

static double run_relative(pshi_ets *e, const double *y, size_t n, double *squares) {
    const uint32_t add = PSHI_ETS_ADDITIVE, mul = PSHI_ETS_MULTIPLICATIVE;

    if (e->form.season == mul)
        return e->form.trend ? run_form(e, y, n, 1, mul, 1, squares) : run_form(e, y, n, 0, mul, 1, squares);
    if (e->form.season)
        return e->form.trend ? run_form(e, y, n, 1, add, 1, squares) : run_form(e, y, n, 0, add, 1, squares);
    return e->form.trend ? run_form(e, y, n, 1, 0, 1, squares) : run_form(e, y, n, 0, 0, 1, squares);
}

double pshi_ets_run(pshi_ets *e, const double *y, size_t n, double *squares) {
    double v;

    *squares = HUGE_VAL;
    v = e->form.error == PSHI_ETS_MULTIPLICATIVE ? run_relative(e, y, n, squares) : run_additive(e, y, n, squares);
    return isfinite(v) ? v : HUGE_VAL;
}

static double within(double x, double least, double most) {
    return x > most ? most : x > least ? x : least;
}

static void step_multiplicative(pshi_ets *e, double y, double q) {
    double s = e->season[e->at], r;

    /* The form knows positive values only: another counts as a thousandth of what was expected. */
    q = within(q, 0x1p-200, MOST_STATE);
    y = within(y, 1e-3 * q * s, MOST_STATE);
    r = y - q * s;
    e->level = within(q + e->alpha * (r / s), -MOST_STATE, MOST_STATE);
    e->slope = within(e->phi * e->slope + e->beta * (r / s), -MOST_STATE, MOST_STATE);
    e->season[e->at] = within(s + e->gamma * (r / q), PSHI_ETS_LEAST_FACTOR, PSHI_ETS_MOST_FACTOR);
}

void pshi_ets_step(pshi_ets *e, double y) {
    double q = e->level + e->phi * e->slope, r;

    if (e->form.season == PSHI_ETS_MULTIPLICATIVE) {
        step_multiplicative(e, y, q);
    } else {
        r = y - q - e->season[e->at];
        e->level = within(q + e->alpha * r, -MOST_STATE, MOST_STATE);
        e->slope = within(e->phi * e->slope + e->beta * r, -MOST_STATE, MOST_STATE);
        e->season[e->at] = within(e->season[e->at] + e->gamma * r, -MOST_STATE, MOST_STATE);
    }
    if (!e->form.trend)
        e->slope = 0;
    if (!e->form.season)
        e->season[0] = 0;
    e->at = e->at + 1 >= e->form.m ? 0 : e->at + 1;
}

uint32_t pshi_ets_free_states(const pshi_ets_form *f) {
    return 1 + (f->trend ? 1 : 0) + (f->season ? f->m : 0);
}

size_t pshi_ets_newton_work(const pshi_ets_form *f) {
    size_t c = pshi_ets_free_states(f);

    /* Derivatives of level, slope, forecast and each season; the Gram matrix; penalties; the season itself. */
    return c * (3 + (f->season ? f->m : 0)) + c * c + c + f->m;
}

/* Where things lie in the workspace, and the path so far. */
typedef struct newton {
    size_t c;
    double *dl, *db, *dmu, *ds, *gram, *penalty, *kept;
    double l, b;
    double squares;
} newton;

static void lay_out(newton *w, const pshi_ets *e, double *work) {
    size_t i, k;

    w->c = pshi_ets_free_states(&e->form);
    w->dl = work;
    w->db = w->dl + w->c;
    w->dmu = w->db + w->c;
    w->ds = w->dmu + w->c;
    w->gram = w->ds + w->c * (e->form.season ? e->form.m : 0);
    w->penalty = w->gram + w->c * w->c;
    w->kept = w->penalty + w->c;
    w->l = e->level;
    w->b = e->slope;
    w->squares = 0;
    memset(work, 0, (size_t)(w->kept - work) * sizeof *work);
    memcpy(w->kept, e->season, e->form.m * sizeof *work);
    i = 0;
    w->dl[i++] = 1;
    if (e->form.trend)
        w->db[i++] = 1;
    for (k = 0; e->form.season && k < e->form.m; k++)
        w->ds[k * w->c + i + k] = 1;
}

/* One value: the derivatives of its error go into the normal equations, then states and derivatives move on. */
static void newton_value(newton *w, pshi_ets *e, uint32_t at, double y, double *rhs) {
    double *ds = e->form.season ? w->ds + at * w->c : NULL, s = e->season[at];
    double q = w->l + e->phi * w->b, mu, r, dq, du;
    int times = e->form.season == PSHI_ETS_MULTIPLICATIVE, relative = e->form.error == PSHI_ETS_MULTIPLICATIVE;
    double by;
    size_t i;

    mu = times ? q * s : q + s;
    r = y - mu;
    by = relative ? y / (mu * mu) : 1;
    for (i = 0; i < w->c; i++) {
        dq = w->dl[i] + e->phi * w->db[i];
        w->dmu[i] = times ? dq * s + q * ds[i] : ds ? dq + ds[i] : dq;
        du = times ? -y / (s * s) * ds[i] - dq : -w->dmu[i];
        w->dl[i] = dq + e->alpha * du;
        w->db[i] = e->phi * w->db[i] + e->beta * du;
        if (ds)
            ds[i] += e->gamma * (times ? -y / (q * q) * dq - ds[i] : -w->dmu[i]);
        w->dmu[i] *= by;
    }
    pshi_gram_add(w->gram, rhs, w->dmu, w->c, relative ? r / mu : r, 1);
    w->squares += relative ? r / mu * (r / mu) : r * r;
    w->l = q + e->alpha * (times ? y / s - q : r);
    w->b = e->phi * w->b + e->beta * (times ? y / s - q : r);
    if (ds)
        e->season[at] += e->gamma * (times ? r / q : r);
}

/* The prior of the season, as squares of its distance from none beside the squared errors. */
static void add_prior(const newton *w, const pshi_ets *e, double mean_square, double *rhs) {
    size_t from = w->c - e->form.m, k;
    double none = e->form.season == PSHI_ETS_MULTIPLICATIVE ? 1 : 0;

    for (k = 0; e->form.season && e->width > 0 && k < e->form.m; k++) {
        w->penalty[from + k] += mean_square / e->width;
        rhs[from + k] -= mean_square / e->width * (e->season[k] - none);
    }
}

int pshi_ets_newton(pshi_ets *e, const double *y, size_t n, double *work, double *step) {
    newton w;
    uint32_t at = e->at;
    size_t i;
    int done;

    lay_out(&w, e, work);
    memset(step, 0, w.c * sizeof *step);
    for (i = 0; i < n; i++) {
        newton_value(&w, e, at, y[i], step);
        at = at + 1 >= e->form.m ? 0 : at + 1;
    }
    memcpy(e->season, w.kept, e->form.m * sizeof *e->season);
    if (!isfinite(w.squares))
        return 0;
    /* Level and season can shift against each other, so the matrix is singular but for a hair of ridge. */
    for (i = 0; i < w.c; i++)
        w.penalty[i] = 1e-9 * w.gram[i * w.c + i];
    add_prior(&w, e, w.squares / (double)n, step);
    done = pshi_ridge(w.gram, step, w.penalty, w.c);
    for (i = 0; i < w.c; i++)
        done = done && isfinite(step[i]);
    return done;
}

void pshi_ets_normalise(pshi_ets *e) {
    double mean = 0;
    uint32_t k;

    for (k = 0; k < e->form.m; k++)
        mean += e->season[k] / e->form.m;
    if (e->form.season == PSHI_ETS_ADDITIVE) {
        for (k = 0; k < e->form.m; k++)
            e->season[k] -= mean;
        e->level += mean;
    } else if (e->form.season && mean > 0) {
        for (k = 0; k < e->form.m; k++)
            e->season[k] /= mean;
        e->level *= mean;
        e->slope *= mean;
    }
}
