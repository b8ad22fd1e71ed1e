/* SPDX-License-Identifier: MIT */
/* The rhythm (rhythm.h) as a kind of its own. */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "math/stats.h"
#include "model/rhythm.h"

#define LEAST_HISTORY 4096u /* values that a fit looks at, at least; else SEASONS of the longest season */
#define SEASONS 12u

/* Of three seasons the shortest and the longest count. */
static void pick_seasons(const pshi_fit *in, uint32_t season[2]) {
    season[0] = in->seasons ? in->season[0] : 0;
    season[1] = in->seasons > 1 ? in->season[in->seasons - 1] : 0;
}

static psh_status fit(const pshi_fit *in, void **state, size_t *bytes) {
    uint32_t season[2];
    size_t most, n = in->n, i;
    pshi_rhythm *s;
    float *y;
    psh_status st;

    pick_seasons(in, season);
    most = SEASONS * (size_t)(season[1] ? season[1] : season[0]);
    most = most > LEAST_HISTORY ? most : LEAST_HISTORY;
    n = n > most ? most : n;
    *bytes = pshi_rhythm_bytes(season);
    s = pshi_calloc(in->env, 1, *bytes);
    y = pshi_alloc(in->env, n * sizeof *y);
    if (!s || !y) {
        pshi_free(in->env, s);
        pshi_free(in->env, y);
        return PSH_E_NOMEM;
    }
    for (i = 0; i < n; i++)
        y[i] = (float)in->y[in->n - n + i];
    st = pshi_rhythm_fit(
        in->env, y, n, in->mask ? in->mask + (in->n - n) : NULL, season, in->horizon, s);
    pshi_free(in->env, y);
    if (st == PSH_OK)
        *state = s;
    else
        pshi_free(in->env, s);
    return st;
}

static void update(void *state, double y, const double *x) {
    (void)x;
    pshi_rhythm_update(state, y);
}

/* The error's standard deviation beside the mean: half of what one of z's to both sides makes. */
static double deviation(const pshi_rhythm *r, double mean, uint32_t lead) {
    double z = pshi_rhythm_z(r, mean), scale = pshi_rhythm_scale(r, lead);

    return 0.5 * (pshi_rhythm_value(r, z + scale) - pshi_rhythm_value(r, z - scale));
}

static psh_status forecast(psh_env *env, const void *state, const pshi_ahead *a) {
    const pshi_rhythm *s = state;
    float *work = pshi_alloc(env, pshi_rhythm_work(s, a->steps) * sizeof *work);
    uint32_t h;

    if (!work)
        return PSH_E_NOMEM;
    pshi_rhythm_forecast(s, a->steps, work, a->mean);
    for (h = 0; a->sd && h < a->steps; h++)
        a->sd[h] = deviation(s, a->mean[h], h + 1);
    pshi_free(env, work);
    return PSH_OK;
}

static psh_status quantiles(
    psh_env *env, const void *state, const pshi_ahead *a, const double *levels, uint32_t level_count, double *out) {
    const pshi_rhythm *s = state;
    double normal[64], z;
    uint32_t h, k;

    (void)env;
    for (k = 0; k < level_count; k++)
        normal[k] = pshi_normal_quantile(levels[k]);
    for (h = 0; h < a->steps; h++) {
        z = pshi_rhythm_z(s, a->mean[h]);
        for (k = 0; k < level_count; k++)
            *out++ = pshi_rhythm_value(s, z + normal[k] * pshi_rhythm_scale(s, h + 1));
    }
    return PSH_OK;
}

static void dump(const void *state, pshi_writer *w) {
    static const char *const names[] = { " lags ", " profile ", " season ", " short season ", " level " };
    const pshi_rhythm *r = state;
    uint32_t k;

    pshi_text(w, "seasons ");
    pshi_text_u64(w, r->season[0]);
    pshi_text(w, ",");
    pshi_text_u64(w, r->season[1]);
    pshi_text(w, r->root ? " square root, weights" : " plain, weights");
    for (k = 0; k < PSHI_RHYTHM_MEMBERS; k++) {
        if (r->weight[1][k] > 0) {
            pshi_text(w, names[k]);
            pshi_text_u64(w, (uint64_t)(100 * (double)r->weight[1][k] + 0.5));
            pshi_text(w, " %");
        }
    }
}

static void save(const void *state, pshi_writer *w) {
    pshi_rhythm *s = (pshi_rhythm *)(uintptr_t)state; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    pshi_field_u32(&io, &s->room[0], 0, PSHI_MODEL_MOST_SEASON);
    pshi_field_u32(&io, &s->room[1], 0, PSHI_MODEL_MOST_SEASON);
    pshi_rhythm_fields(&io, s);
}

static void *load(psh_env *env, pshi_cursor *c, size_t *bytes) {
    pshi_fields io = { NULL, c };
    uint32_t room[2];
    pshi_rhythm *s;

    pshi_field_u32(&io, &room[0], 0, PSHI_MODEL_MOST_SEASON);
    pshi_field_u32(&io, &room[1], 0, PSHI_MODEL_MOST_SEASON);
    if (room[1] && room[1] <= room[0]) {
        pshi_read_bad(c);
        room[1] = 0;
    }
    *bytes = pshi_rhythm_bytes(room);
    s = pshi_calloc(env, 1, *bytes);
    if (!s)
        return NULL;
    memcpy(s->room, room, sizeof room);
    pshi_rhythm_fields(&io, s);
    return s;
}

const pshi_model_class pshi_model_rhythm = {
    "rhythm", 0, fit, update, forecast, quantiles, dump, save, load
};
