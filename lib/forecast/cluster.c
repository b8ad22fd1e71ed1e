/* SPDX-License-Identifier: MIT */
#include "forecast/cluster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"

#define ALIKE 0.8       /* cosine from which on a template belongs to a cluster */
#define SAME 0.9        /* two clusters are one */
#define CLOSER 0.05     /* by which another cluster must be closer than one's own */
#define LEAST_TOTAL 16.0
#define MOST_AGE 16     /* seasons after which a fold's weights are scaled down */
#define OLDEST 64       /* seasons that still weigh anything */
#define ALONE UINT64_MAX

void pshi_clusters_free(psh_env *env, pshi_clusters *c) {
    pshi_free(env, c->list);
    pshi_free(env, c->members);
    memset(c, 0, sizeof *c);
}

psh_status pshi_clusters_ready(psh_env *env, pshi_clusters *c) {
    if (!c->list)
        c->list = pshi_calloc(env, PSHI_MOST_CLUSTERS, sizeof *c->list);
    return c->list ? PSH_OK : PSH_E_NOMEM;
}

/* Requests weigh twice as much two seasons later: so the older ones fade without being touched. */
static double growth(int64_t seasons) {
    return seasons < -200 ? 0 : exp2(0.5 * (double)(seasons < 200 ? seasons : 200));
}

static void rebase(pshi_more *m, uint32_t fold, int64_t season) {
    float by = (float)growth(m->base - season);
    uint32_t i;

    for (i = 0; i < fold; i++)
        m->fold[i] = m->fold[i] * by > 1e-30F ? m->fold[i] * by : 0;
    m->base = season;
}

static void find_fold(pshi_folding *f, uint32_t fold, uint32_t season, int64_t bucket) {
    if (f->known && f->bucket == bucket)
        return;
    f->bucket = bucket;
    f->season = pshi_floor_div(bucket, season);
    f->slot = (uint32_t)((uint64_t)(bucket - f->season * season) * fold / season);
    f->known = 1;
}

void pshi_fold_add(pshi_folding *f, pshi_more *m, uint32_t fold, uint32_t season, int64_t bucket, double weight) {
    double sum;
    int64_t at;

    find_fold(f, fold, season, bucket);
    at = f->season * (int64_t)fold + f->slot;
    f->latest = at > f->latest ? at : f->latest;
    if (m->base == INT64_MIN) {
        m->base = f->season;
        m->first = at;
    }
    if (f->season - m->base >= MOST_AGE)
        rebase(m, fold, f->season);
    if (f->season != m->base)
        weight *= growth(f->season - m->base);
    sum = (double)m->fold[f->slot] + weight;
    m->fold[f->slot] = (float)(sum < 0x1p90 ? sum : 0x1p90);
}

double pshi_fold_total(const pshi_more *m, uint32_t fold, int64_t season) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < fold; i++)
        sum += (double)m->fold[i];
    return sum * growth(m->base - season);
}

int64_t pshi_fold_season(int64_t at, uint32_t fold) {
    return pshi_floor_div(at, fold);
}

double pshi_fold_exposure(int64_t first, int64_t latest, uint32_t fold) {
    int64_t last = pshi_fold_season(latest, fold), s, from, to;
    double sum = 0;

    for (s = last; s > last - OLDEST && (s + 1) * (int64_t)fold > first; s--) {
        from = s * (int64_t)fold > first ? s * (int64_t)fold : first;
        to = s == last ? latest + 1 : (s + 1) * (int64_t)fold;
        sum += to > from ? growth(s - last) * (double)(to - from) / fold : 0;
    }
    return sum > 0 ? sum : 1.0 / fold;
}

static void find_norm(pshi_cluster *c, uint32_t fold) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < fold; i++)
        sum += (double)c->centre[i] * (double)c->centre[i];
    c->norm = sqrt(sum);
}

static uint32_t find_cluster(const pshi_clusters *c, uint64_t id) {
    uint32_t i;

    for (i = 0; i < c->count && c->list[i].id != id; i++) {
    }
    return i;
}

static void add_member(pshi_cluster *c, const pshi_more *m, uint32_t fold, int64_t season) {
    float by = (float)growth(m->base - season);
    uint32_t i;

    for (i = 0; i < fold; i++)
        c->centre[i] += m->fold[i] * by;
    c->members++;
    c->total += pshi_fold_total(m, fold, season);
    find_norm(c, fold);
}

void pshi_clusters_recount(pshi_clusters *c, const pshi_templates *t, int64_t season) {
    uint32_t i, at;
    size_t k;

    for (i = 0; i < c->count; i++) {
        c->list[i].members = 0;
        c->list[i].total = c->list[i].norm = 0;
        memset(c->list[i].centre, 0, sizeof c->list[i].centre);
    }
    for (k = 0; k < t->count; k++) {
        at = find_cluster(c, t->list[k].more->cluster);
        if (at < c->count)
            add_member(&c->list[at], t->list[k].more, t->fold, season);
    }
}

static double alike(const pshi_cluster *c, const float *x, double norm, uint32_t fold) {
    double dot = 0;
    uint32_t i;

    for (i = 0; i < fold; i++)
        dot += (double)c->centre[i] * (double)x[i];
    return c->norm > 0 && norm > 0 ? dot / (c->norm * norm) : 0;
}

static double norm_of(const float *x, uint32_t fold) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < fold; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* What one evaluation found for a template. */
typedef struct closest {
    uint32_t own;        /* index, or count of clusters */
    uint32_t other;      /* the closest but one's own */
    double own_alike;
    double other_alike;
} closest;

static closest find_closest(const pshi_clusters *c, const pshi_more *m, uint32_t fold) {
    closest r = { find_cluster(c, m->cluster), c->count, 0, 0 };
    double norm = norm_of(m->fold, fold), s;
    uint32_t i;

    for (i = 0; i < c->count; i++) {
        s = alike(&c->list[i], m->fold, norm, fold);
        if (i == r.own) {
            r.own_alike = s;
        } else if (s > r.other_alike) {
            r.other_alike = s;
            r.other = i;
        }
    }
    return r;
}

static uint64_t new_cluster(pshi_clusters *c) {
    pshi_cluster *made;

    if (c->count == PSHI_MOST_CLUSTERS)
        return 0;
    made = &c->list[c->count++];
    memset(made, 0, sizeof *made);
    made->id = ++c->last_id;
    return made->id;
}

/* Where it should be: 0 = where it is. */
static uint64_t wanted(const pshi_clusters *c, const closest *r) {
    int fits = r->own < c->count && r->own_alike >= ALIKE;

    if (r->other < c->count && r->other_alike >= ALIKE && (!fits || r->other_alike > r->own_alike + CLOSER))
        return c->list[r->other].id;
    return fits ? 0 : ALONE;
}

static void place(pshi_clusters *c, pshi_more *m, uint32_t fold, int64_t season) {
    closest r = find_closest(c, m, fold);
    uint64_t to = wanted(c, &r);

    if (to == 0 || (to == ALONE && r.own < c->count && c->list[r.own].members == 1)) {
        m->candidate = 0; /* alone already */
        return;
    }
    if (r.own < c->count && m->candidate != to) {
        m->candidate = to;
        return;
    }
    if (to == ALONE)
        to = new_cluster(c);
    m->candidate = 0;
    if (!to)
        return;
    if (r.own < c->count)
        c->list[r.own].members--;
    m->cluster = to;
    add_member(&c->list[find_cluster(c, to)], m, fold, season);
}

static void move_all(pshi_templates *t, uint64_t from, uint64_t to) {
    size_t i;

    for (i = 0; i < t->count; i++)
        if (t->list[i].more->cluster == from)
            t->list[i].more->cluster = to;
}

/* The younger goes into the older. @return 1 if two were merged. */
static int merge_some(pshi_clusters *c, pshi_templates *t) {
    uint32_t i, j, young, old;

    for (i = 0; i < c->count; i++) {
        for (j = i + 1; j < c->count; j++) {
            if (alike(&c->list[i], c->list[j].centre, c->list[j].norm, t->fold) < SAME)
                continue;
            young = c->list[i].id > c->list[j].id ? i : j;
            old = i + j - young;
            move_all(t, c->list[young].id, c->list[old].id);
            c->list[young] = c->list[--c->count];
            return 1;
        }
    }
    return 0;
}

static void drop_empty(pshi_clusters *c) {
    uint32_t i = 0;

    while (i < c->count) {
        if (c->list[i].members)
            i++;
        else
            c->list[i] = c->list[--c->count];
    }
}

static int largest_first(const void *x, const void *y) {
    const pshi_cluster *a = x, *b = y;

    if (a->total != b->total)
        return a->total > b->total ? -1 : 1;
    return a->id < b->id ? -1 : 1;
}

void pshi_clusters_evaluate(pshi_clusters *c, pshi_templates *t, int64_t season) {
    size_t i;

    pshi_clusters_recount(c, t, season);
    drop_empty(c);
    for (i = 0; i < t->count; i++)
        if (pshi_fold_total(t->list[i].more, t->fold, season) >= LEAST_TOTAL)
            place(c, t->list[i].more, t->fold, season);
    pshi_clusters_recount(c, t, season);
    while (merge_some(c, t))
        pshi_clusters_recount(c, t, season);
    drop_empty(c);
    if (c->count > 1)
        qsort(c->list, c->count, sizeof *c->list, largest_first);
}

void pshi_clusters_due(pshi_clusters *c, pshi_templates *t, int64_t latest, int64_t closed, uint32_t season) {
    if (c->evaluated && closed < c->next)
        return;
    c->next = (pshi_floor_div(closed, season) + 1) * season;
    c->evaluated = 1;
    pshi_clusters_evaluate(c, t, pshi_fold_season(latest, t->fold));
}
