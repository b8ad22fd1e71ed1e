/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "model/rhythm.h"

#define SHORT_GAIN 0.1F /* as in rhythm.c */
#define LONG_GAIN 0.1F
#define MARGIN 0.1F     /* how far beyond what was seen z may go, in its range */
#define FEW_ROWS (3u * PSHI_RHYTHM_COEFS)

/* Arrays of one fit, in one block. */
typedef struct fit_arrays {
    float *z;
    float *p[2];
    float *rest;
    float *state; /* Shape [sum of seasons]: profiles as they stand */
    float *work;
} fit_arrays;

/* Seasons that were seen once; and whether there are enough rows for lags over the long one. */
static void choose_seasons(pshi_rhythm *r, size_t n, const uint32_t season[2]) {
    r->season[0] = season[0] && n > season[0] ? season[0] : 0;
    r->season[1] = r->season[0] && season[1] && n > season[1] ? season[1] : 0;
    r->profiles = !r->season[0] ? 0 : r->season[1] && n >= (size_t)r->season[1] + 2 + FEW_ROWS ? 2 : 1;
    r->ring = pshi_rhythm_ring(r->season);
}

static void standardise(pshi_rhythm *r, const float *y, size_t n, float *z) {
    double sum = 0, squares = 0, x;
    size_t i;

    r->root = 1;
    for (i = 0; i < n && r->root; i++)
        r->root = y[i] >= 0;
    r->mean = 0;
    r->sd = 1;
    for (i = 0; i < n; i++) {
        x = pshi_rhythm_z(r, (double)y[i]);
        z[i] = (float)x;
        sum += x;
    }
    r->mean = (float)(sum / (double)n);
    for (i = 0; i < n; i++) {
        x = (double)z[i] - (double)r->mean;
        squares += x * x;
    }
    x = sqrt(squares / (double)n);
    r->sd = x > 1e-6 * fabs((double)r->mean) && x > 1e-30 ? (float)x : 1;
    for (i = 0; i < n; i++) {
        x = ((double)z[i] - (double)r->mean) / (double)r->sd;
        z[i] = (float)(x > 30 ? 30 : x < -30 ? -30 : x);
    }
}

static void bound(pshi_rhythm *r, const float *z, size_t n) {
    float low = z[0], high = z[0];
    size_t i;

    for (i = 1; i < n; i++) {
        low = z[i] < low ? z[i] : low;
        high = z[i] > high ? z[i] : high;
    }
    r->low = low - MARGIN * (high - low);
    r->high = high + MARGIN * (high - low);
}

/* p[i]: mean of the same place in earlier seasons, fading; the mean so far where there was none. */
static void make_profile(const float *z, size_t n, uint32_t m, float least, float *state, float *p) {
    float gain, level = z[0];
    uint32_t place = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        gain = 1 / ((float)(i / m) + 1);
        p[i] = i < m ? level : state[place];
        state[place] = i < m ? z[i] : state[place] + (gain > least ? gain : least) * (z[i] - state[place]);
        level += (z[i] - level) / ((float)i + 1);
        place = place + 1 == m ? 0 : place + 1;
    }
}

static void make_profiles(const pshi_rhythm *r, size_t n, fit_arrays *a) {
    uint32_t k = r->season[1] ? 1 : 0;
    size_t i;

    if (r->season[0])
        make_profile(a->z, n, r->season[0], SHORT_GAIN, a->state, a->p[0]);
    if (r->season[1])
        make_profile(a->z, n, r->season[1], LONG_GAIN, a->state, a->p[1]);
    for (i = 0; i < n; i++)
        a->rest[i] = r->season[0] ? a->z[i] - a->p[k][i] : 0;
}

/* Brings rings and profiles to where n updates would leave them. */
static void fill_state(pshi_rhythm *r, const float *y, size_t n) {
    size_t m = pshi_rhythm_longest(r), kept = n, i;

    /* Profiles forget within some twenty seasons: older values would leave no trace. */
    if (m && kept > 40 * m)
        kept = 40 * m;
    if (!m && kept > 64)
        kept = 64;
    for (i = n - kept; i < n; i++)
        pshi_rhythm_update(r, (double)y[i]);
}

static float *get_arrays(psh_env *env, const pshi_rhythm *r, size_t n, uint32_t horizon, fit_arrays *a) {
    size_t regress = pshi_rhythm_regress_work(n), score = pshi_rhythm_score_work(r, horizon);
    size_t work = regress > score ? regress : score;
    float *all = pshi_alloc(env, (4 * n + r->season[0] + r->season[1] + 1 + work) * sizeof(float));

    if (!all)
        return NULL;
    a->z = all;
    a->p[0] = all + n;
    a->p[1] = a->p[0] + n;
    a->rest = a->p[1] + n;
    a->state = a->rest + n;
    a->work = a->state + r->season[0] + r->season[1] + 1;
    return all;
}

/* The first row of which the lag member knows all. */
static size_t first_row(const pshi_rhythm *r) {
    size_t s = r->season[0], m = r->season[1];

    if (r->profiles == 2)
        return (m > 2 * s ? m : 2 * s) + 2;
    return s ? 2 * s + 1 : 1;
}

psh_status pshi_rhythm_fit(
    psh_env *env, const float *y, size_t n, const uint8_t *skip, const uint32_t season[2], uint32_t horizon,
    pshi_rhythm *state) {
    pshi_rhythm_history h = { y };
    pshi_rhythm fresh;
    fit_arrays a;
    float *all;

    memset(&fresh, 0, sizeof fresh);
    memcpy(fresh.room, season, sizeof fresh.room);
    choose_seasons(&fresh, n, season);
    all = get_arrays(env, &fresh, n, horizon, &a);
    if (!all)
        return PSH_E_NOMEM;
    memset(state, 0, pshi_rhythm_bytes(season));
    *state = fresh;
    standardise(state, y, n, a.z);
    bound(state, a.z, n);
    make_profiles(state, n, &a);
    h.z = a.z;
    h.p[0] = a.p[0];
    h.p[1] = a.p[1];
    h.rest = a.rest;
    h.skip = skip;
    h.n = n;
    h.first = first_row(state);
    pshi_rhythm_regress(state, &h, a.work);
    pshi_rhythm_score(state, &h, horizon, a.work);
    pshi_free(env, all);
    fill_state(state, y, n);
    return PSH_OK;
}
