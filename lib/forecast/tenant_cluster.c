/* SPDX-License-Identifier: MIT */
/*
 * k-prototypes (Huang 1998, "Extensions to the k-means algorithm for clustering large data sets with categorical
 * values"): numbers by squared distance to means, categories by mismatches with modes. Begun anew by the centres of
 * last time, so that a segment stays itself; more centres by D^2 sampling (Arthur & Vassilvitskii 2007,
 * "k-means++"), kept where they pay.
 */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "forecast/tenant.h"

#define ROUNDS 12u
#define TRIES 3u        /* seeds of one new centre */
#define PAYS 0.02        /* of the cost of one cluster: what a further centre must save */
#define LEAST_SHAPE 0.25 /* of the mean part: standard deviation that a part is taken to have at least */
#define LEAST_EACH 3u   /* points per centre, at least */

static double clamp_feature(double x) {
    return x > 0x1p60 ? 0x1p60 : x < -0x1p60 ? -0x1p60 : x;
}

static void mean_and_scale(pshi_segments *g, const pshi_point *p, size_t n, uint32_t i) {
    double sum = 0, square = 0, mean, d;
    size_t k;

    for (k = 0; k < n; k++)
        sum += clamp_feature((double)p[k].x[i]);
    mean = sum / (double)n;
    for (k = 0; k < n; k++) {
        d = clamp_feature((double)p[k].x[i]) - mean;
        square += d * d;
    }
    square /= (double)n;
    g->mean[i] = (float)mean;
    g->scale[i] = (float)(square > 1e-12 * (1 + mean * mean) ? 1 / sqrt(square) : 0);
}

/* Where all tenants are nearly alike in a feature, what is left is noise: it must not be blown up. */
static void hold_back(pshi_segments *g, uint32_t i, double least_sd) {
    if (!(g->scale[i] > 0) || (double)g->scale[i] > 1 / least_sd)
        g->scale[i] = (float)(1 / least_sd);
}

void pshi_segments_scale(pshi_segments *g, const pshi_point *p, size_t n) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < PSHI_FEATURES; i++)
        mean_and_scale(g, p, n, i);
    hold_back(g, PSHI_AT_WEEKEND, 0.05);
    hold_back(g, PSHI_AT_BURST, 0.1);
    hold_back(g, PSHI_AT_LEVEL, 0.5);
    /* One scale for all parts of a shape: the quiet ones are not noise blown up. */
    for (i = 0; i < PSHI_PARTS; i++)
        sum += g->scale[i] > 0 ? 1 / ((double)g->scale[i] * (double)g->scale[i]) : 0;
    for (i = 0; i < PSHI_PARTS; i++)
        g->scale[i] = (float)(sum > LEAST_SHAPE * LEAST_SHAPE * PSHI_PARTS ? 1 / sqrt(sum / PSHI_PARTS)
                                                                          : 1 / LEAST_SHAPE);
}

static double assign(const pshi_segments *g, const pshi_point *p, size_t n, uint32_t *of) {
    double cost = 0, d;
    size_t k;

    for (k = 0; k < n; k++) {
        of[k] = pshi_point_nearest(g, &p[k], &d);
        cost += d;
    }
    return cost;
}

static void move_means(pshi_segment *s, const pshi_point *p, size_t n, const uint32_t *of, uint32_t place) {
    double sum[PSHI_FEATURES] = { 0 };
    size_t k, count = 0;
    uint32_t i;

    for (k = 0; k < n; k++) {
        if (of[k] != place)
            continue;
        count++;
        for (i = 0; i < PSHI_FEATURES; i++)
            sum[i] += (double)p[k].x[i];
    }
    for (i = 0; count && i < PSHI_FEATURES; i++)
        s->centre[i] = (float)(sum[i] / (double)count);
}

/* The majority's value (Boyer & Moore 1991) where there is one, else one of the frequent. */
static void move_modes(const pshi_segments *g, pshi_segment *s, const pshi_point *p, size_t n, const uint32_t *of,
    uint32_t place) {
    uint32_t c, votes;
    size_t k;

    for (c = 0; c < g->category_count; c++)
        for (k = 0, votes = 0; k < n; k++) {
            if (of[k] != place || !(p[k].known >> c & 1))
                continue;
            if (!votes)
                s->mode[c] = p[k].category[c];
            votes = s->mode[c] == p[k].category[c] ? votes + 1 : votes - 1;
        }
}

static double settle(pshi_segments *g, const pshi_point *p, size_t n, uint32_t *of) {
    double cost = assign(g, p, n, of), next;
    uint32_t round, i;

    for (round = 0; round < ROUNDS; round++) {
        for (i = 0; i < PSHI_MOST_SEGMENTS; i++)
            if (g->list[i].id && !g->list[i].host) {
                move_means(&g->list[i], p, n, of, i);
                move_modes(g, &g->list[i], p, n, of, i);
            }
        next = assign(g, p, n, of);
        if (!(next < cost))
            break;
        cost = next;
    }
    return next;
}

static uint32_t centres(const pshi_segments *g) {
    uint32_t i, n = 0;

    for (i = 0; i < PSHI_MOST_SEGMENTS; i++)
        n += g->list[i].id && !g->list[i].host;
    return n;
}

static double cost_of_one(const pshi_segments *g, const pshi_point *p, size_t n) {
    uint64_t mode[PSHI_GIVEN] = { 0 };
    double sum = 0;
    size_t k;

    for (k = 0; k < n; k++)
        sum += pshi_point_distance(g, &p[k], g->mean, mode);
    return sum;
}

/* A point, by chance as its squared distance to the nearest centre; any, where there is no centre. */
static size_t draw(const pshi_segments *g, const pshi_point *p, size_t n, uint64_t *rng) {
    double sum = 0, d, at;
    size_t k;

    if (!centres(g))
        return (size_t)(pshi_rng_unit(rng) * (double)n);
    for (k = 0; k < n; k++) {
        (void)pshi_point_nearest(g, &p[k], &d);
        sum += d;
    }
    at = pshi_rng_unit(rng) * sum;
    for (k = 0; k + 1 < n; k++) {
        (void)pshi_point_nearest(g, &p[k], &d);
        at -= d;
        if (at < 0)
            break;
    }
    return k;
}

static void begin_at(pshi_segments *g, uint32_t place, const pshi_point *p) {
    pshi_segment *s = &g->list[place];

    memset(s, 0, sizeof *s);
    s->id = g->next_id;
    memcpy(s->centre, p->x, sizeof s->centre);
    memcpy(s->mode, p->category, sizeof s->mode);
}

/* The best of a few seeds. @return the cost with it. */
static double add_centre(
    pshi_segments *g, uint32_t place, const pshi_point *p, size_t n, uint32_t *of, uint64_t *rng) {
    double least = HUGE_VAL, cost;
    size_t best = 0, k;
    uint32_t i;

    for (i = 0; i < TRIES; i++) {
        g->list[place].id = 0;
        k = draw(g, p, n, rng);
        begin_at(g, place, &p[k]);
        cost = assign(g, p, n, of);
        best = cost < least ? k : best;
        least = cost < least ? cost : least;
    }
    begin_at(g, place, &p[best]);
    return settle(g, p, n, of);
}

void pshi_segments_cluster(pshi_segments *g, const pshi_point *p, size_t n, uint32_t most, uint32_t *work) {
    double whole = cost_of_one(g, p, n), cost, next;
    pshi_segment kept[PSHI_MOST_SEGMENTS];
    uint64_t rng = pshi_mix64(n ^ (uint64_t)g->next_id << 32);
    uint32_t place;

    cost = centres(g) ? settle(g, p, n, work) : HUGE_VAL;
    while (centres(g) < most && (centres(g) + 1) * LEAST_EACH <= n + LEAST_EACH - 1) {
        place = pshi_segments_free_place(g);
        if (place == PSH_NONE)
            break;
        memcpy(kept, g->list, sizeof kept);
        next = add_centre(g, place, p, n, work, &rng);
        if (cost < HUGE_VAL && cost - next < PAYS * whole) {
            memcpy(g->list, kept, sizeof kept);
            break;
        }
        g->next_id++;
        cost = next;
    }
    g->made = 1;
}
