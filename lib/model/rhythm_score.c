/* SPDX-License-Identifier: MIT */
/* Rolling origins over the end of history: what each member would have said, and how far off that was. */
#include <math.h>
#include <string.h>

#include "model/rhythm.h"

#define ORIGINS 13u
#define POWER 3            /* weights are 1 / error^POWER */
#define TRIM 2.0           /* a member this much worse than the best has no weight */
#define WIDER 1.25         /* scales are in-sample, and from few origins: chosen by rolling origin, see models.md */
#define FEW_ORIGINS 2u
#define SEASONAL 12u          /* the members that repeat a season */

typedef struct trial {
    const pshi_rhythm_history *h;
    uint32_t steps;
    uint32_t origins;
    size_t step;           /* between origins */
    float *lagged;         /* before and after an origin */
    float *rest;
    float *out;            /* Shape [origins][MEMBERS][steps] */
} trial;

size_t pshi_rhythm_score_work(const pshi_rhythm *r, uint32_t horizon) {
    return r->ring + 2 * (size_t)r->season[0] + 1 + (2 + ORIGINS * PSHI_RHYTHM_MEMBERS) * (size_t)horizon
         + 2 * ((size_t)horizon + 1);
}

/* The last origin leaves the whole horizon behind it; a history that is short for that is tried on shorter ones. */
static void plan_trial(const pshi_rhythm *r, const pshi_rhythm_history *h, uint32_t horizon, trial *t) {
    size_t s = r->season[0] ? r->season[0] : 4, m = pshi_rhythm_longest(r), least = h->first > m ? h->first : m, room;

    t->h = h;
    t->step = s > 1 ? s / 2 : 1;
    room = h->n > least ? h->n - least : 0;
    t->steps = horizon;
    if (room < horizon + (FEW_ORIGINS - 1) * t->step)
        t->steps = (uint32_t)(room / 2);
    t->origins = t->steps ? (uint32_t)((room - t->steps) / t->step) + 1 : 0;
    t->origins = t->origins > ORIGINS ? ORIGINS : t->origins;
}

static size_t origin_of(const trial *t, uint32_t k) {
    return t->h->n - t->steps - k * t->step;
}

static void run_origin(const pshi_rhythm *r, const trial *t, uint32_t k, float *const p[2]) {
    const pshi_rhythm_history *h = t->h;
    size_t o = origin_of(t, k), before = o < r->ring ? o : r->ring, kept = 2 * (size_t)r->season[0] + 1, i;
    uint32_t j;

    kept = o < kept ? o : kept;
    memcpy(t->lagged - before, h->z + o - before, before * sizeof(float));
    memcpy(t->rest - kept, h->rest + o - kept, kept * sizeof(float));
    for (j = 0; j < 2 && r->season[j]; j++) {
        *(p[j] - 1) = h->p[j][o - 1];
        for (i = 0; i < t->steps; i++)
            p[j][i] = h->p[j][o + i % r->season[j]];
    }
    pshi_rhythm_paths(
        r, t->steps, t->lagged, t->rest, (const float *const *)p, t->out + (size_t)k * PSHI_RHYTHM_MEMBERS * t->steps);
}

/* Mean absolute errors, in units of the series, by group and member. @return how many were counted. */
static void member_errors(
    const pshi_rhythm *r, const trial *t, double error[PSHI_RHYTHM_GROUPS][PSHI_RHYTHM_MEMBERS],
    double count[PSHI_RHYTHM_GROUPS]) {
    const float *out = t->out;
    uint32_t k, j, i, g;
    size_t o;

    for (k = 0; k < t->origins; k++) {
        o = origin_of(t, k);
        for (j = 0; j < PSHI_RHYTHM_MEMBERS; j++, out += t->steps) {
            for (i = 0; i < t->steps; i++) {
                g = pshi_rhythm_group(r, i + 1);
                if (t->h->skip && t->h->skip[o + i])
                    continue;
                error[g][j] += fabs((double)t->h->y[o + i] - pshi_rhythm_value(r, (double)out[i]));
                count[g] += j == 0;
            }
        }
    }
}

/*
 * Coefficients are fitted on the values that they are tried on. Akaike's final prediction error (1969) says how much a
 * regression of k coefficients on n rows flatters itself: (n + k) / (n - k) in squares; over many steps the whole
 * ratio is taken for the amplitude.
 */
static double flattery(double rows, double k) {
    return rows > 1.2 * k ? (rows + k) / (rows - k) : 11;
}

static void correct_errors(const pshi_rhythm *r, const pshi_rhythm_history *h, double *error) {
    double rows = (double)(h->n - h->first);

    if (r->members & 1)
        error[0] *= flattery(rows, r->lag_count + 5.0);
    if (r->members & 2 && r->ar_count)
        error[1] *= flattery(rows, r->ar_count);
}

static void weigh_group(uint32_t members, const double *error, float *weight) {
    double best = -1, sum = 0, w, e;
    uint32_t j;

    memset(weight, 0, PSHI_RHYTHM_MEMBERS * sizeof *weight);
    for (j = 0; j < PSHI_RHYTHM_MEMBERS; j++)
        if (members >> j & 1 && (best < 0 || error[j] < best))
            best = error[j];
    for (j = 0; j < PSHI_RHYTHM_MEMBERS; j++) {
        e = error[j] / (best > 0 ? best : 1);
        if (!(members >> j & 1) || (best > 0 && e > TRIM) || (best <= 0 && e > 0))
            continue;
        w = best > 0 ? pow(e, -POWER) : 1;
        weight[j] = (float)w;
        sum += w;
    }
    for (j = 0; j < PSHI_RHYTHM_MEMBERS; j++)
        weight[j] = (float)((double)weight[j] / sum);
}

/* Nothing to go by: the season before, both where two were seen, or the last level. */
static void default_weights(pshi_rhythm *r, const pshi_rhythm_history *h) {
    uint32_t g, best = r->season[0] && h->n >= r->season[0] ? 3 : 4;

    if (h->n == 1)
        best = 4;
    memset(r->weight, 0, sizeof r->weight);
    for (g = 0; g < PSHI_RHYTHM_GROUPS; g++) {
        r->weight[g][best] = r->season[1] ? 0.5F : 1;
        if (r->season[1])
            r->weight[g][2] = 0.5F;
    }
}

/* As far off as the season before was, or anything where there was none. */
static void default_scales(pshi_rhythm *r, const pshi_rhythm_history *h) {
    size_t s = r->season[0] ? r->season[0] : 1, i;
    double sum = 0, e;

    for (i = s; i < h->n; i++) {
        e = (double)h->z[i] - (double)h->z[i - s];
        sum += e * e;
    }
    for (i = 0; i < PSHI_RHYTHM_SCALES; i++)
        r->scale[i] = h->n > s ? (float)(WIDER * sqrt(sum / (double)(h->n - s))) : 1;
}

/* Leads that no origin reached go as the last that was. */
static void choose_weights(pshi_rhythm *r, const trial *t, uint32_t members) {
    double error[PSHI_RHYTHM_GROUPS][PSHI_RHYTHM_MEMBERS] = { { 0 } }, count[PSHI_RHYTHM_GROUPS] = { 0 };
    uint32_t g;

    member_errors(r, t, error, count);
    for (g = 0; g < PSHI_RHYTHM_GROUPS; g++) {
        correct_errors(r, t->h, error[g]);
        if (count[g] > 0)
            weigh_group(members, error[g], r->weight[g]);
        else if (g)
            memcpy(r->weight[g], r->weight[g - 1], sizeof r->weight[g]);
    }
}

static double combined(const pshi_rhythm *r, const trial *t, uint32_t k, uint32_t i) {
    const float *out = t->out + (size_t)k * PSHI_RHYTHM_MEMBERS * t->steps + i;
    const float *weight = r->weight[pshi_rhythm_group(r, i + 1)];
    double sum = 0;
    uint32_t j;

    for (j = 0; j < PSHI_RHYTHM_MEMBERS; j++)
        if (weight[j] > 0)
            sum += (double)weight[j] * pshi_rhythm_value(r, (double)out[j * (size_t)t->steps]);
    return sum;
}

/* Root mean squares of z's errors; a group without any takes that of the one before. */
static void choose_scales(pshi_rhythm *r, const trial *t) {
    double sum[PSHI_RHYTHM_SCALES] = { 0 }, count[PSHI_RHYTHM_SCALES] = { 0 }, e;
    double wider = WIDER * (r->members & 1 ? flattery((double)(t->h->n - t->h->first), r->lag_count + 5.0) : 1);
    uint32_t k, i, g;
    size_t at;

    for (k = 0; k < t->origins; k++) {
        for (i = 0; i < t->steps; i++) {
            at = origin_of(t, k) + i;
            if (t->h->skip && t->h->skip[at])
                continue;
            e = (double)t->h->z[at] - pshi_rhythm_z(r, combined(r, t, k, i));
            g = pshi_rhythm_scale_group(r, i + 1);
            sum[g] += e * e;
            count[g]++;
        }
    }
    for (g = 0; g < PSHI_RHYTHM_SCALES; g++) {
        if (count[g] > 0)
            r->scale[g] = (float)(wider * sqrt(sum[g] / count[g]));
        else if (g)
            r->scale[g] = r->scale[g - 1];
        if (g && r->scale[g] < r->scale[g - 1])
            r->scale[g] = r->scale[g - 1]; /* a farther lead is not surer */
    }
}

void pshi_rhythm_score(pshi_rhythm *r, const pshi_rhythm_history *h, uint32_t horizon, float *work) {
    float *p[2];
    trial t = { 0 };
    uint32_t k;

    default_weights(r, h);
    default_scales(r, h);
    plan_trial(r, h, horizon, &t);
    if (t.origins < FEW_ORIGINS)
        return;
    t.lagged = work + r->ring;
    t.rest = t.lagged + t.steps + 2 * (size_t)r->season[0] + 1;
    p[0] = t.rest + t.steps + 1;
    p[1] = p[0] + t.steps + 1;
    t.out = p[1] + t.steps;
    for (k = 0; k < t.origins; k++)
        run_origin(r, &t, k, p);
    /* What cannot be tried over the whole horizon is not trusted, but for what happened once already. */
    if (t.steps == horizon || r->season[1])
        choose_weights(r, &t, t.steps == horizon ? r->members : SEASONAL);
    choose_scales(r, &t);
}
