/* SPDX-License-Identifier: MIT */
/* What a tenant's load looks like, in a few bytes, and how far two looks are from one another. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "forecast/tenant.h"

#define BUSY_HALF 12.0     /* busy buckets at which a shape counts as much as the table's */
#define WEIGHT_SHAPE 2.0   /* of all parts together; one other feature counts 1 */
#define WEIGHT_LEVEL 0.5
#define LEAST_SHARE 0.05   /* of a mean part: less than that tells nothing of the whole */
#define MISMATCH 0.5       /* gamma of Huang 1998: half of a mean feature's standard deviation, which is 1 */

static int is_weekend(const pshi_shape *shape, int64_t bucket) {
    int64_t day = pshi_floor_div(pshi_bucket_start(shape, bucket), PSH_DAY), week = (day + 4) % 7;

    week = week < 0 ? week + 7 : week; /* 1970-01-01 was a Thursday; 0 is Sunday */
    return week == 0 || week == 6;
}

typedef struct look {
    double part[PSHI_PARTS], visits[PSHI_PARTS];
    double sum, square, weekend, count, busy;
} look;

static void look_at(look *l, const pshi_shape *shape, int64_t bucket, double y) {
    uint32_t m = shape->season[0], at = (uint32_t)((uint64_t)pshi_slot(bucket, m) * PSHI_PARTS / m);

    if (m < PSHI_PARTS)
        at = pshi_slot(bucket, m);
    l->part[at] += y;
    l->visits[at]++;
    l->sum += y;
    l->square += y * y;
    l->weekend += is_weekend(shape, bucket) ? y : 0;
    l->count++;
    l->busy += y > 0;
}

/* A part that no bucket fell into. */
#define UNSEEN 255u

static uint8_t byte_of(double x) {
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x + 0.5);
}

static uint8_t below(uint8_t x) {
    return x < UNSEEN ? x : UNSEEN - 1;
}

static void keep_shape(pshi_tenant *r, const look *l, uint32_t parts) {
    double mean = l->sum / l->count, sd = l->square / l->count - mean * mean;
    uint32_t i;

    sd = sqrt(sd > 0 ? sd : 0);
    memset(r->shape, (int)PSHI_SHAPE_ONE, sizeof r->shape); /* a season of fewer parts is flat beyond them */
    for (i = 0; i < parts && i < PSHI_PARTS; i++)
        r->shape[i] = l->visits[i] > 0 ? below(byte_of(PSHI_SHAPE_ONE * l->part[i] / l->visits[i] / mean)) : UNSEEN;
    r->weekend = byte_of(255 * l->weekend / l->sum);
    r->burst = byte_of(127.5 * ((sd - mean) / (sd + mean) + 1)); /* form of Goh & Barabasi 2008, of bucket loads */
}

double pshi_tenant_part(const pshi_tenant *r, uint32_t part) {
    return r->shape[part] == UNSEEN ? 1 : (double)r->shape[part] / PSHI_SHAPE_ONE;
}

void pshi_tenant_look(pshi_tenant *r, const pshi_series *s, const pshi_shape *shape, int64_t closed) {
    int64_t age = pshi_series_age(s, closed), n = 2 * (int64_t)shape->longest, b;
    double mean = s->regular ? (double)s->mean : (double)s->busy * (double)s->size;
    look l;

    memset(&l, 0, sizeof l);
    n = age < n ? age : n;
    for (b = closed - n; b < closed; b++)
        look_at(&l, shape, b, pshi_series_actual(s, shape, closed, b));
    r->level = (float)fmin(log2(1 + mean), 128);
    r->busy = (uint16_t)(l.busy < 65535 ? l.busy : 65535);
    if (l.sum > 0)
        keep_shape(r, &l, shape->season[0]);
}

static float shrunk(double own, float all, double trust) {
    return (float)(trust * own + (1 - trust) * (double)all);
}

static void given_point(const pshi_given *given, pshi_point *out) {
    uint32_t i;

    for (i = 0; i < PSHI_GIVEN; i++) {
        if (given->numeric_set >> i & 1)
            out->x[PSHI_AT_GIVEN + i] = given->numeric[i];
        out->category[i] = given->category[i];
    }
    out->known = given->category_set;
}

void pshi_tenant_point(const pshi_tenant *r, const pshi_segments *g, pshi_point *out) {
    double trust = (double)r->busy / ((double)r->busy + BUSY_HALF);
    uint32_t i;

    memset(out, 0, sizeof *out);
    memcpy(out->x, g->mean, sizeof out->x);
    if (r->busy) {
        out->trust = (float)trust;
        for (i = 0; i < PSHI_PARTS; i++)
            out->unseen |= r->shape[i] == UNSEEN ? 1u << i : 0;
        for (i = 0; i < PSHI_PARTS; i++)
            if (out->unseen)
                out->x[i] = (float)pshi_tenant_part(r, i);
            else
                out->x[i] = shrunk(pshi_tenant_part(r, i), g->mean[i], trust);
        out->x[PSHI_AT_WEEKEND] = shrunk((double)r->weekend / 255, g->mean[PSHI_AT_WEEKEND], trust);
        out->x[PSHI_AT_BURST] = shrunk((double)r->burst / 127.5 - 1, g->mean[PSHI_AT_BURST], trust);
        out->x[PSHI_AT_LEVEL] = r->level;
    }
    if (r->given)
        given_point(r->given, out);
}

static double square_of(const pshi_segments *g, const pshi_point *p, const float *centre, uint32_t i) {
    double d = ((double)p->x[i] - (double)centre[i]) * (double)g->scale[i];

    return d * d;
}

/*
 * A day not seen whole: its parts are held against the same of the centre, and its level is what it would be over
 * the whole of a day of the centre's shape.
 */
static double partial_distance(const pshi_segments *g, const pshi_point *p, const float *centre) {
    double share = 0, sum = 0, d, level;
    uint32_t i, n = 0;

    for (i = 0; i < PSHI_PARTS; i++)
        if (!(p->unseen >> i & 1)) {
            share += (double)centre[i];
            n++;
        }
    share = n && share > LEAST_SHARE * n ? share / n : LEAST_SHARE;
    for (i = 0; i < PSHI_PARTS; i++) {
        d = p->unseen >> i & 1 ? 0 : (double)p->trust * ((double)p->x[i] * share - (double)centre[i]);
        sum += d * d * (double)g->scale[i] * (double)g->scale[i];
    }
    level = log2(1 + (exp2((double)p->x[PSHI_AT_LEVEL]) - 1) / share) - (double)centre[PSHI_AT_LEVEL];
    level *= (double)g->scale[PSHI_AT_LEVEL];
    return sum * WEIGHT_SHAPE / PSHI_PARTS + WEIGHT_LEVEL * level * level;
}

static double whole_distance(const pshi_segments *g, const pshi_point *p, const float *centre) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < PSHI_PARTS; i++)
        sum += square_of(g, p, centre, i);
    return sum * WEIGHT_SHAPE / PSHI_PARTS + WEIGHT_LEVEL * square_of(g, p, centre, PSHI_AT_LEVEL);
}

double pshi_point_distance(const pshi_segments *g, const pshi_point *p, const float *centre, const uint64_t *mode) {
    double sum = p->unseen ? partial_distance(g, p, centre) : whole_distance(g, p, centre);
    uint32_t i;

    sum += square_of(g, p, centre, PSHI_AT_WEEKEND) + square_of(g, p, centre, PSHI_AT_BURST);
    for (i = PSHI_AT_GIVEN; i < PSHI_AT_GIVEN + g->numeric_count; i++)
        sum += square_of(g, p, centre, i);
    for (i = 0; i < g->category_count; i++)
        if (p->known >> i & 1 && p->category[i] != mode[i])
            sum += MISMATCH;
    return sum;
}

uint32_t pshi_point_nearest(const pshi_segments *g, const pshi_point *p, double *distance) {
    uint32_t i, best = PSH_NONE;
    double d;

    *distance = HUGE_VAL;
    for (i = 0; i < PSHI_MOST_SEGMENTS; i++) {
        if (!g->list[i].id || g->list[i].host)
            continue;
        d = pshi_point_distance(g, p, g->list[i].centre, g->list[i].mode);
        if (best == PSH_NONE || d < *distance) {
            best = i;
            *distance = d;
        }
    }
    return best;
}
