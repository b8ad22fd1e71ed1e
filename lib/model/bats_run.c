/* SPDX-License-Identifier: MIT */
/* The recursion of De Livera, Hyndman & Snyder, "Forecasting time series with complex seasonal patterns using
 * exponential smoothing", J. American Statistical Association 106, 2011, without its matrices. */
#include <math.h>
#include <string.h>

#include "model/bats.h"

#define MOST_FULL 8u /* seasons up to here may have all their harmonics, the one of half a season too */

static double cut(double x) {
    return x > PSHI_BATS_MOST_STATE ? PSHI_BATS_MOST_STATE : x > -PSHI_BATS_MOST_STATE ? x : -PSHI_BATS_MOST_STATE;
}

/* The harmonic j of one season turns as a harmonic of another. */
static int is_shared(const uint32_t *season, uint32_t which, uint32_t j) {
    uint32_t i;

    for (i = 0; i < which; i++)
        if ((uint64_t)j * season[i] % season[which] == 0)
            return 1;
    return 0;
}

uint32_t pshi_bats_multiples(const uint32_t *season, uint32_t which, uint32_t most, uint32_t *out) {
    uint32_t j, n = 0;

    for (j = 1; n < most && 2 * j < season[which] + (season[which] <= MOST_FULL); j++) {
        if (is_shared(season, which, j))
            continue;
        if (out)
            out[n] = j;
        n++;
    }
    return n;
}

int pshi_bats_turns(pshi_bats *m) {
    uint32_t multiple[PSHI_BATS_MOST_EACH], i, j, n = 0;
    double angle;

    for (i = 0; i < m->form.seasons; i++) {
        if (m->form.count[i] > PSHI_BATS_MOST_EACH || n + m->form.count[i] > PSHI_BATS_MOST_HARMONICS ||
            pshi_bats_multiples(m->form.season, i, m->form.count[i], multiple) < m->form.count[i])
            return 0;
        for (j = 0; j < m->form.count[i]; j++, n++) {
            angle = 6.283185307179586 * multiple[j] / m->form.season[i];
            m->cosine[n] = cos(angle);
            m->sine[n] = 2 * multiple[j] == m->form.season[i] ? 0 : sin(angle);
        }
    }
    m->harmonics = n;
    return 1;
}

void pshi_bats_gains(pshi_bats *m) {
    uint32_t i, j, n = 0;

    for (i = 0; i < m->form.seasons; i++) {
        for (j = 0; j < m->form.count[i]; j++, n++) {
            m->gain[n] = m->gamma[i][0];
            m->gain_star[n] = m->gamma[i][1];
        }
    }
}

/* What the ARMA part expects of the error. */
static double expected_error(const pshi_bats *m, const pshi_bats_state *x) {
    return m->ar[0] * x->d[0] + m->ar[1] * x->d[1] + m->ma[0] * x->e[0] + m->ma[1] * x->e[1];
}

double pshi_bats_predict(const pshi_bats *m, const pshi_bats_state *x) {
    double sum = x->level + m->phi * x->slope + expected_error(m, x);
    uint32_t i;

    for (i = 0; i < m->harmonics; i++)
        sum += x->s[i];
    return sum;
}

/* Turning does not grow, and d is bounded: the seasons' states need no cut. */
void pshi_bats_advance(const pshi_bats *m, pshi_bats_state *x, double e) {
    double d = cut(expected_error(m, x) + e), s;
    uint32_t i;

    x->level = cut(x->level + m->phi * x->slope + m->alpha * d);
    x->slope = cut(m->phi * x->slope + m->beta * d);
    for (i = 0; i < m->harmonics; i++) {
        s = x->s[i];
        x->s[i] = m->cosine[i] * s + m->sine[i] * x->star[i] + m->gain[i] * d;
        x->star[i] = m->cosine[i] * x->star[i] - m->sine[i] * s + m->gain_star[i] * d;
    }
    x->d[1] = x->d[0];
    x->d[0] = d;
    x->e[1] = x->e[0];
    x->e[0] = cut(e);
}

double pshi_bats_run(const pshi_bats *m, pshi_bats_state *x, const double *y, size_t n, double *e) {
    double sum = 0;
    size_t t;

    for (t = 0; t < n; t++) {
        e[t] = y[t] - pshi_bats_predict(m, x);
        if (!(fabs(e[t]) < 1e30))
            return HUGE_VAL;
        pshi_bats_advance(m, x, e[t]);
        sum += e[t] * e[t];
    }
    return sum;
}

void pshi_bats_dual(const pshi_bats *m, pshi_bats_state *v) {
    uint32_t i;

    memset(v, 0, sizeof *v);
    v->level = 1;
    v->slope = m->phi;
    for (i = 0; i < m->harmonics; i++)
        v->s[i] = 1;
    memcpy(v->d, m->ar, sizeof v->d);
    memcpy(v->e, m->ma, sizeof v->e);
}

/* D' v with D = F - g w': with u the state's part of a prediction, D x takes the error -u everywhere. */
void pshi_bats_dual_next(const pshi_bats *m, pshi_bats_state *v) {
    double k = m->alpha * v->level + m->beta * v->slope + v->d[0] + v->e[0], s, e = v->e[0];
    uint32_t i;

    for (i = 0; i < m->harmonics; i++)
        k += m->gain[i] * v->s[i] + m->gain_star[i] * v->star[i];
    v->slope = m->phi * (v->level + v->slope - k);
    v->level -= k;
    for (i = 0; i < m->harmonics; i++) {
        s = v->s[i];
        v->s[i] = m->cosine[i] * s - m->sine[i] * v->star[i] - k;
        v->star[i] = m->sine[i] * s + m->cosine[i] * v->star[i];
    }
    v->d[0] = v->d[1] - m->ar[0] * e;
    v->d[1] = -m->ar[1] * e;
    v->e[0] = v->e[1] - m->ma[0] * e;
    v->e[1] = -m->ma[1] * e;
}

uint32_t pshi_bats_seed_count(const pshi_bats *m) {
    uint32_t i, n = 1 + (m->form.trend != 0) + 2 * m->harmonics;

    for (i = 0; i < m->harmonics; i++)
        n -= m->sine[i] == 0; /* half a season: its star is never seen */
    return n;
}

uint32_t pshi_bats_seeds(const pshi_bats *m, const pshi_bats_state *x, double *out) {
    uint32_t i, n = 0;

    out[n++] = x->level;
    if (m->form.trend)
        out[n++] = x->slope;
    for (i = 0; i < m->harmonics; i++) {
        out[n++] = x->s[i];
        out[n++] = x->star[i];
    }
    return n;
}

void pshi_bats_seed_add(const pshi_bats *m, pshi_bats_state *x, const double *by) {
    uint32_t i, n = 0;

    x->level += by[n++];
    if (m->form.trend)
        x->slope += by[n++];
    for (i = 0; i < m->harmonics; i++) {
        x->s[i] += by[n++];
        x->star[i] += by[n++];
    }
}
