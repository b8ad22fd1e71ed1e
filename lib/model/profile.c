/* SPDX-License-Identifier: MIT */
/*
 * The mean of each place in a season with exponential forgetting (the "hour of week" forecast of capacity planning)
 * scaled or shifted by how the latest values stand to it.
 */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "model/model.h"

#define LEADS 3u
#define MOST_SCALE 16.0

typedef struct profile {
    uint32_t m;        /* places: the season, or 1 */
    uint32_t at;       /* place of the next value */
    uint32_t scaled;   /* 1: level is a factor, else a shift */
    uint32_t visits;   /* rounds begun, up to the one where forget takes over */
    double forget;     /* weight of a new value in its place, at least */
    double follow;     /* weight of a new value in the level; 0: no level */
    double got;        /* forgetting mean of the values (scaled) or of value - mean (shifted) */
    double expected;   /* scaled: the same of the means */
    double sd[LEADS];  /* of errors at the leads below */
    uint32_t lead[LEADS];
    float mean[];      /* Shape [m] */
} profile;

static size_t profile_bytes(uint32_t m) {
    return sizeof(profile) + m * sizeof(float);
}

static double level_of(const profile *s) {
    double r;

    if (!s->scaled)
        return s->got;
    r = s->expected > 0 ? s->got / s->expected : 1;
    return s->follow > 0 ? fmin(r, MOST_SCALE) : 1;
}

static double ahead_at(const profile *s, uint32_t h) {
    double mean = (double)s->mean[(s->at + (h - 1) % s->m) % s->m];

    return s->scaled ? mean * level_of(s) : mean + level_of(s);
}

static void update(void *state, double y, const double *x) {
    profile *s = state;
    float *mean = &s->mean[s->at];
    double old, weight;

    (void)x;
    y = s->scaled && y < 0 ? 0 : y;
    weight = fmax(s->forget, 1.0 / (s->visits + 1.0));
    old = s->visits ? (double)*mean : y;
    if (s->scaled) {
        s->got += s->follow * (y - s->got);
        s->expected += s->follow * (old - s->expected);
    } else {
        s->got += s->follow * (y - old - s->got);
    }
    *mean = (float)(old + weight * (y - old));
    s->at = s->at + 1 == s->m ? 0 : s->at + 1;
    if (!s->at && s->visits < 1000)
        s->visits++;
}

static void start(profile *s, double forget, double follow) {
    memset(s->mean, 0, s->m * sizeof *s->mean);
    s->at = s->visits = 0;
    s->got = s->expected = 0;
    s->forget = forget;
    s->follow = follow;
}

/* Runs over the series; from the second round on each forecast at the three leads is scored. @return their sum. */
static double run(profile *s, const pshi_fit *in, double forget, double follow) {
    double sum[LEADS] = { 0 }, e, total = 0;
    uint32_t count[LEADS] = { 0 }, k;
    size_t i;

    start(s, forget, follow);
    for (i = 0; i < in->n; i++) {
        for (k = 0; i >= s->m && k < LEADS; k++) {
            if (i - 1 + s->lead[k] >= in->n)
                continue;
            e = in->y[i - 1 + s->lead[k]] - ahead_at(s, s->lead[k]);
            sum[k] += e * e;
            count[k]++;
        }
        update(s, in->y[i], NULL);
    }
    for (k = 0; k < LEADS; k++) {
        s->sd[k] = count[k] ? sqrt(sum[k] / count[k]) : k ? s->sd[k - 1] : 0;
        s->sd[k] = k ? fmax(s->sd[k], s->sd[k - 1]) : s->sd[k];
        total += count[k] ? sum[k] / count[k] : 0;
    }
    return total;
}

static void choose(profile *s, const pshi_fit *in) {
    static const double forgets[] = { 0.1, 0.2, 0.4 };
    double follows[4] = { 0, 0.5 / s->m, 2.0 / s->m, 0 };
    double best = HUGE_VAL, v, forget = 0, follow = 0;
    size_t i, j;

    follows[3] = in->seasons ? 2.0 / (in->season[0] + 1.0) : 0.2;
    for (i = 0; i < 3; i++) {
        for (j = 0; j < 4; j++) {
            v = run(s, in, forgets[i], fmin(follows[j], 0.5));
            if (v < best) {
                best = v;
                forget = forgets[i];
                follow = fmin(follows[j], 0.5);
            }
        }
    }
    run(s, in, forget, follow);
}

static psh_status fit(const pshi_fit *in, void **state, size_t *bytes) {
    uint32_t k = in->seasons;
    profile *s;
    size_t i;

    while (k > 0 && in->season[k - 1] > in->n / 2)
        k--;
    *bytes = profile_bytes(k ? in->season[k - 1] : 1);
    s = pshi_calloc(in->env, 1, *bytes);
    if (!s)
        return PSH_E_NOMEM;
    s->m = k ? in->season[k - 1] : 1;
    s->lead[0] = 1;
    s->lead[1] = in->horizon / 2 + 1 > 2 ? in->horizon / 2 + 1 : 2;
    s->lead[2] = in->horizon > s->lead[1] ? in->horizon : s->lead[1] + 1;
    s->scaled = in->nonnegative;
    for (i = 0; s->scaled && i < in->n; i++)
        s->scaled = in->y[i] >= 0;
    choose(s, in);
    *state = s;
    return PSH_OK;
}

static double sd_at(const profile *s, uint32_t h) {
    uint32_t k = h < s->lead[1] ? 0 : 1;
    double share;

    if (h >= s->lead[2])
        return s->sd[2];
    share = (double)(h - s->lead[k]) / (double)(s->lead[k + 1] - s->lead[k]);
    return s->sd[k] + share * (s->sd[k + 1] - s->sd[k]);
}

static psh_status forecast(psh_env *env, const void *state, const pshi_ahead *a) {
    uint32_t h;

    (void)env;
    for (h = 1; h <= a->steps; h++) {
        a->mean[h - 1] = ahead_at(state, h);
        if (a->sd)
            a->sd[h - 1] = sd_at(state, h);
    }
    return PSH_OK;
}

static void dump(const void *state, pshi_writer *w) {
    const profile *s = state;

    pshi_text(w, s->scaled ? "scaled season " : "shifted season ");
    pshi_text_u64(w, s->m);
    pshi_text(w, " forget ");
    pshi_text_f64(w, s->forget);
    pshi_text(w, " follow ");
    pshi_text_f64(w, s->follow);
    pshi_text(w, " level ");
    pshi_text_f64(w, level_of(s));
    pshi_text(w, " sigma ");
    pshi_text_f64(w, s->sd[0]);
}

static void fields(pshi_fields *io, profile *s) {
    uint32_t k;

    pshi_field_u32(io, &s->at, 0, s->m - 1);
    pshi_field_u32(io, &s->scaled, 0, 1);
    pshi_field_u32(io, &s->visits, 0, 1000);
    pshi_field_f64(io, &s->forget, 0, 1);
    pshi_field_f64(io, &s->follow, 0, 1);
    pshi_field_f64(io, &s->got, s->scaled ? 0 : -0x1p102, 0x1p102);
    pshi_field_f64(io, &s->expected, 0, 0x1p102);
    for (k = 0; k < LEADS; k++) {
        pshi_field_u32(io, &s->lead[k], k ? s->lead[k - 1] + 1 : 1, k ? PSH_MODEL_MOST_STEPS + 2 : 1);
        pshi_field_f64(io, &s->sd[k], 0, PSHI_FIELD_MOST);
    }
    pshi_field_f32s(io, s->mean, s->m, s->scaled ? 0 : -0x1p101, 0x1p101);
}

static void save(const void *state, pshi_writer *w) {
    profile *s = (profile *)(uintptr_t)state; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    pshi_field_u32(&io, &s->m, 1, PSHI_MODEL_MOST_SEASON);
    fields(&io, s);
}

static void *load(psh_env *env, pshi_cursor *c, size_t *bytes) {
    pshi_fields io = { NULL, c };
    uint32_t m;
    profile *s;

    pshi_field_u32(&io, &m, 1, PSHI_MODEL_MOST_SEASON);
    if ((uint64_t)m * sizeof(float) > pshi_read_left(c)) {
        pshi_read_bad(c);
        m = 1;
    }
    *bytes = profile_bytes(m);
    s = pshi_calloc(env, 1, *bytes);
    if (!s)
        return NULL;
    s->m = m;
    fields(&io, s);
    return s;
}

const pshi_model_class pshi_model_profile = {
    "profile", 0, fit, update, forecast, NULL, dump, save, load
};
