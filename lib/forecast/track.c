/* SPDX-License-Identifier: MIT */
#include "forecast/track.h"

#include <math.h>

#include "math/stats.h"

#define OWN_RATE 0.04
#define POOL_RATE 0.004
#define LEAST 0.1F
#define MOST 12.0F

static const double tails[PSHI_TRACK_LEVELS] = { 0.25, 0.05, 0.01 };
/* Normal quantiles of 1 - tails. */
static const double normal[PSHI_TRACK_LEVELS] = { 0.6744897501960817, 1.6448536269514722, 2.3263478740408408 };

void pshi_track_init(pshi_track *t) {
    uint32_t k;

    for (k = 0; k < PSHI_TRACK_LEVELS; k++)
        t->up[k] = t->low[k] = 1;
}

static void move(float *own, float *pool, int missed, double tail) {
    double by = (missed ? 1 : 0) - tail;
    float x = *own * (float)exp(OWN_RATE * by), y = *pool * (float)exp(POOL_RATE * by);

    *own = x < LEAST ? LEAST : x > MOST ? MOST : x;
    *pool = y < LEAST ? LEAST : y > MOST ? MOST : y;
}

/* Where tail k begins; a farther tail not nearer than a near one. */
static double edge(const float *own, const float *pool, uint32_t k) {
    double at = 0, x;
    uint32_t i;

    for (i = 0; i <= k; i++) {
        x = normal[i] * (double)own[i] * (double)pool[i];
        at = x > at ? x : at;
    }
    return at;
}

void pshi_track_learn(pshi_track *own, pshi_track *pool, double error) {
    uint32_t k;

    for (k = PSHI_TRACK_LEVELS; k-- > 0;) {
        move(&own->up[k], &pool->up[k], error > edge(own->up, pool->up, k), tails[k]);
        move(&own->low[k], &pool->low[k], -error > edge(own->low, pool->low, k), tails[k]);
    }
}

/* Straight between the middle and the edges, and on beyond the last with its slope from the middle. */
static double spread(const float *own, const float *pool, double z) {
    double x0 = 0, y0 = 0, x1, y1;
    uint32_t k;

    for (k = 0; k < PSHI_TRACK_LEVELS; k++, x0 = x1, y0 = y1) {
        x1 = normal[k];
        y1 = edge(own, pool, k);
        if (z <= x1)
            return y0 + (y1 - y0) * (z - x0) / (x1 - x0);
    }
    return y0 * z / x0;
}

double pshi_track_quantile(const pshi_track *own, const pshi_track *pool, double p) {
    double z;

    if (p == 0.95) /* asked most */
        return edge(own->up, pool->up, 1);
    if (p == 0.05)
        return -edge(own->low, pool->low, 1);
    if (p == 0.99)
        return edge(own->up, pool->up, 2);
    if (p == 0.01)
        return -edge(own->low, pool->low, 2);
    z = pshi_normal_quantile(p);
    return z >= 0 ? spread(own->up, pool->up, z) : -spread(own->low, pool->low, -z);
}

/* The normal z whose spread is y. */
static double unspread(const float *own, const float *pool, double y) {
    double x0 = 0, y0 = 0, x1, y1;
    uint32_t k;

    for (k = 0; k < PSHI_TRACK_LEVELS; k++, x0 = x1, y0 = y1) {
        x1 = normal[k];
        y1 = edge(own, pool, k);
        if (y <= y1)
            return y1 > y0 ? x0 + (x1 - x0) * (y - y0) / (y1 - y0) : x1;
    }
    return x0 * y / y0;
}

double pshi_track_above(const pshi_track *own, const pshi_track *pool, double x) {
    double z = x >= 0 ? unspread(own->up, pool->up, x) : -unspread(own->low, pool->low, -x);

    return pshi_normal_cdf(-z);
}

void pshi_track_fields(pshi_fields *io, pshi_track *t) {
    pshi_field_f32s(io, t->up, PSHI_TRACK_LEVELS, (double)LEAST, (double)MOST);
    pshi_field_f32s(io, t->low, PSHI_TRACK_LEVELS, (double)LEAST, (double)MOST);
}
