/* SPDX-License-Identifier: MIT */
/*
 * Fiorucci, Pellegrini, Louzada, Petropoulos & Koehler, "Models for optimising the theta method and their
 * relationship to state space models", International Journal of Forecasting 32, 2016: the dynamic optimised model.
 */
#include <math.h>

#include "base/env.h"
#include "math/minimize.h"
#include "model/theta.h"

#define LEAST_ALPHA 0.1
#define MOST_ALPHA 0.99
#define MOST_WEIGHT (1 - 1e-10)
#define UNSCORED 2u     /* the first errors, for which there is no line yet */
#define LEAST_VALUES 5u

double pshi_dotm_next(const pshi_theta *s) {
    double t = s->count + 1, a = s->mean - t / 2 * s->slope, x;

    x = s->power * a + (1 - s->power * (1 - s->alpha)) / s->alpha * s->slope;
    x = s->level + s->weight * x;
    return x > 0x1p300 ? 0x1p300 : x > -0x1p300 ? x : -0x1p300;
}

void pshi_dotm_step(pshi_theta *s, double y) {
    double t = s->count + 1;

    s->level = s->alpha * y + (1 - s->alpha) * s->level;
    s->slope = ((t - 2) * s->slope + 6 * (y - s->mean) / t) / (t + 1);
    s->mean = ((t - 1) * s->mean + y) / t;
    if (s->count < 1) {
        s->slope = 0;
        s->mean = y;
    }
    s->power *= 1 - s->alpha;
    s->count = t;
}

typedef struct dotm_task {
    const double *y;
    size_t n;
    double *mean, *slope; /* Shape [n]: of the first i values */
    double first, weight; /* the best for the alpha tried last */
} dotm_task;

static double limit_alpha(double a) {
    return a < LEAST_ALPHA ? LEAST_ALPHA : a > MOST_ALPHA ? MOST_ALPHA : a;
}

/*
 * Under one alpha the errors are linear in the first level and in 1 - 1 / theta: both follow from two normal
 * equations, so that only alpha is searched.
 */
static double squares_at(void *user, const double *x) {
    dotm_task *t = user;
    double alpha = limit_alpha(*x), keep = 1 - alpha, power = 1, level = 0, g, r, det;
    double gg = 0, gp = 0, pp = 0, gr = 0, pr = 0, rr = 0, value;
    size_t i;

    for (i = 0; i < t->n; i++) {
        if (i >= UNSCORED) {
            g = t->mean[i] - 0.5 * ((double)i + 1) * t->slope[i];
            g = power * g + (1 - power * keep) / alpha * t->slope[i];
            r = t->y[i] - level;
            gg += g * g;
            gp += g * power;
            pp += power * power;
            gr += g * r;
            pr += power * r;
            rr += r * r;
        }
        level = alpha * t->y[i] + keep * level;
        power *= keep;
    }
    pp = fmax(pp, 1e-300);
    det = gg * pp - gp * gp;
    t->weight = det > 1e-12 * gg * pp ? (gr * pp - pr * gp) / det : 0.5;
    t->weight = t->weight > 0 ? fmin(t->weight, MOST_WEIGHT) : 0;
    t->first = (pr - t->weight * gp) / pp;
    value = rr - 2 * t->weight * gr - 2 * t->first * pr;
    value += t->weight * t->weight * gg + 2 * t->weight * t->first * gp + t->first * t->first * pp;
    return value > 0 ? value : 0;
}

/* Line through the first i values, by the recursions of the paper's equation for A and B. */
static void lines(dotm_task *t) {
    pshi_theta s = { 0 };
    size_t i;

    for (i = 0; i < t->n; i++) {
        t->mean[i] = s.mean;
        t->slope[i] = s.slope;
        pshi_dotm_step(&s, t->y[i]);
    }
}

static double best_alpha(dotm_task *t) {
    double best = 0.5, least = HUGE_VAL, a, v, side = 0.05;
    int i;

    for (i = 0; i < 9; i++) {
        a = 0.1 + 0.11125 * i;
        v = squares_at(t, &a);
        if (v < least) {
            least = v;
            best = a;
        }
    }
    if (best > 0.9)
        side = -side;
    pshi_minimize(squares_at, t, &best, &side, 1, 30, 1e-9);
    return limit_alpha(best);
}

psh_status pshi_dotm_fit(psh_env *env, const double *y, size_t n, pshi_theta *s) {
    dotm_task t = { y, n, NULL, NULL, y[0] / 2, 0.5 };
    double squares = 0, e;
    size_t i;

    s->alpha = 0.5;
    if (n >= LEAST_VALUES) {
        t.mean = pshi_alloc(env, 2 * n * sizeof *t.mean);
        if (!t.mean)
            return PSH_E_NOMEM;
        t.slope = t.mean + n;
        lines(&t);
        s->alpha = best_alpha(&t);
        squares_at(&t, &s->alpha);
        pshi_free(env, t.mean);
    }
    s->weight = t.weight;
    s->level = t.first;
    s->power = 1;
    s->count = s->mean = s->slope = 0;
    for (i = 0; i < n; i++) {
        e = y[i] - pshi_dotm_next(s);
        squares += i >= UNSCORED ? e * e : 0;
        pshi_dotm_step(s, y[i]);
    }
    s->variance = squares / (n > UNSCORED + 4 ? (double)n - UNSCORED - 3 : 1);
    return PSH_OK;
}
