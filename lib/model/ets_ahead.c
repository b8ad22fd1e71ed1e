/* SPDX-License-Identifier: MIT */
/*
 * Forecast variances of Hyndman, Koehler, Ord & Snyder 2008, chapter 6, by carrying the covariances of the states
 * one step at a time: the same figures as the sums over earlier steps there, but O(1) a step.
 */
#include <math.h>

#include "base/env.h"
#include "model/ets.h"

#define MOST_VARIANCE 0x1p900

/* Covariances of level and slope now, and of each season with them as they will be when its phase comes. */
typedef struct spread {
    double ll, lb, bb;
    double *ss, *sl, *sb; /* Shape [m] each, or NULL: no additive season, or none comes twice */
    double phi_ahead;     /* phi + ... + phi^(m-1) */
    double phi_power;     /* phi^(m-1) */
} spread;

static double at_most(double x) {
    return x > MOST_VARIANCE ? MOST_VARIANCE : x > -MOST_VARIANCE ? x : -MOST_VARIANCE;
}

static void start_spread(const pshi_ets *e, spread *v, double *work) {
    uint32_t k;

    v->ll = v->lb = v->bb = 0;
    v->ss = work;
    v->sl = work ? work + e->form.m : NULL;
    v->sb = work ? work + 2 * (size_t)e->form.m : NULL;
    v->phi_power = 1;
    v->phi_ahead = 0;
    for (k = 1; k < e->form.m; k++) {
        v->phi_power *= e->phi;
        v->phi_ahead += v->phi_power;
    }
}

/* Variance of level + phi slope + season of this phase. */
static double spread_here(const pshi_ets *e, const spread *v, uint32_t at) {
    double x = v->ll + 2 * e->phi * v->lb + e->phi * e->phi * v->bb;

    if (v->ss)
        x += v->ss[at] + 2 * (v->sl[at] + e->phi * v->sb[at]);
    return x > 0 ? at_most(x) : 0;
}

/* An error of variance w moves the states. */
static void step_spread(const pshi_ets *e, spread *v, uint32_t at, double w) {
    double f = e->phi, sl, sb;

    v->ll = at_most(v->ll + 2 * f * v->lb + f * f * v->bb + e->alpha * e->alpha * w);
    v->lb = at_most(f * v->lb + f * f * v->bb + e->alpha * e->beta * w);
    v->bb = at_most(f * f * v->bb + e->beta * e->beta * w);
    if (!v->ss)
        return;
    v->ss[at] = at_most(v->ss[at] + e->gamma * e->gamma * w);
    sl = v->sl[at] + f * v->sb[at] + e->alpha * e->gamma * w;
    sb = f * v->sb[at] + e->beta * e->gamma * w;
    v->sl[at] = at_most(sl + v->phi_ahead * sb);
    v->sb[at] = at_most(v->phi_power * sb);
}

static void deviations(const pshi_ets *e, const pshi_ahead *a, double *work) {
    int times = e->form.season == PSHI_ETS_MULTIPLICATIVE;
    double here, w, growth = 1, s;
    uint32_t h, at = e->at;
    spread v;

    start_spread(e, &v, work);
    for (h = 0; h < a->steps; h++) {
        s = times ? e->season[at] : 1;
        w = a->mean[h] / s;
        here = spread_here(e, &v, at);
        /* Of the class with a multiplicative season: what the season's own errors add once it is used again. */
        if (times && h && h % e->form.m == 0)
            growth = fmin(growth * (1 + e->gamma * e->gamma * e->variance), 0x1p100);
        if (e->form.error == PSHI_ETS_MULTIPLICATIVE) {
            double second = at_most(w * w + here);

            here = at_most(second * growth * (1 + e->variance) - w * w);
            w = at_most(second * e->variance);
        } else {
            here = at_most(here + e->variance);
            w = e->variance;
        }
        a->sd[h] = here > 0 ? s * sqrt(here) : 0;
        step_spread(e, &v, at, w);
        at = at + 1 >= e->form.m ? 0 : at + 1;
    }
}

psh_status pshi_ets_ahead(psh_env *env, const pshi_ets *e, const pshi_ahead *a) {
    int twice = e->form.season == PSHI_ETS_ADDITIVE && a->steps > e->form.m;
    double power = 1, sum = 0, q, *work;
    uint32_t h, at = e->at;

    for (h = 0; h < a->steps; h++) {
        power *= e->phi;
        sum += power;
        q = e->level + sum * e->slope;
        a->mean[h] = e->form.season == PSHI_ETS_MULTIPLICATIVE ? q * e->season[at] : q + e->season[at];
        at = at + 1 >= e->form.m ? 0 : at + 1;
    }
    if (!a->sd)
        return PSH_OK;
    work = twice ? pshi_calloc(env, 3 * (size_t)e->form.m, sizeof *work) : NULL;
    if (twice && !work)
        return PSH_E_NOMEM;
    deviations(e, a, work);
    pshi_free(env, work);
    return PSH_OK;
}
