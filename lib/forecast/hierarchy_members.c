/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/env.h"
#include "forecast/hierarchy.h"

#define LEAST_REST 0.005 /* of the table's rows: less without a tenant, or a partition, is rounding of history */

/* Members are gathered, ordered, then linked. */
typedef struct gathering {
    psh_forecaster *f;
    uint32_t table;
    int64_t at;
    pshi_member *list;
    size_t count, cap;
    psh_status st;
} gathering;

static pshi_member *add(gathering *g, uint32_t kind, uint64_t id, uint32_t parent, const pshi_series *s) {
    pshi_member *m;

    if (g->st == PSH_OK && pshi_reserve(g->f->env, (void **)&g->list, &g->cap, g->count + 1, sizeof *m) != PSH_OK)
        g->st = PSH_E_NOMEM;
    if (g->st != PSH_OK)
        return NULL;
    m = &g->list[g->count++];
    *m = (pshi_member){ kind, parent, 0, 0, id, 0, 1, s };
    if (s)
        m->level = s->regular ? (double)s->mean : (double)s->busy * (double)s->size;
    return m;
}

/* Largest first within a kind, ties by id. */
static int by_level(const void *x, const void *y) {
    const pshi_member *a = x, *b = y;

    if (a->level != b->level)
        return a->level > b->level ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static int by_parent(const void *x, const void *y) {
    const pshi_member *a = x, *b = y;

    if (a->parent != b->parent)
        return a->parent < b->parent ? -1 : 1;
    if (a->rest != b->rest)
        return a->rest < b->rest ? -1 : 1;
    return by_level(x, y);
}

/* Rows of the latest short season. */
static double recent(const gathering *g, const pshi_series *s) {
    int64_t closed = g->f->outlook.closed, b;
    double sum = 0;

    for (b = closed - (int64_t)g->f->shape.season[0]; s && b < closed; b++)
        sum += pshi_series_actual(s, &g->f->shape, closed, b);
    return sum;
}

static const pshi_series *find(const gathering *g, uint32_t kind, uint64_t id) {
    psh_subject subject = { kind, g->table, id };

    return pshi_store_find(&g->f->store, &subject);
}

/* Node 0 and the segments; the last of these is the rest, which has no segment. */
static void add_segments(gathering *g) {
    const pshi_segments *all = pshi_segments_find(&g->f->tenants, g->table);
    pshi_member *m;
    uint32_t i;

    for (i = 0; all && i < PSHI_MOST_SEGMENTS; i++) {
        if (!all->list[i].id || !all->list[i].members)
            continue;
        m = add(g, PSH_NODE_SEGMENT, all->list[i].id, 0, find(g, PSH_SUBJECT_SEGMENT, all->list[i].id));
        if (m)
            m->sum = !m->series;
    }
    m = add(g, PSH_NODE_SEGMENT, 0, 0, NULL);
    if (m)
        m->rest = m->sum = 1;
}

static uint32_t segment_node(const gathering *g, uint64_t tenant, uint32_t segments) {
    const pshi_tenant *r = pshi_tenants_find(&g->f->tenants, g->table, tenant);
    uint32_t id = r ? pshi_tenant_segment_at(r, g->at) : 0, i;

    for (i = 1; i < segments; i++)
        if (id && g->list[i].id == id)
            return i;
    return segments; /* the rest */
}

/* @return how many rows of the latest season they tell of. */
static double add_kind(gathering *g, uint32_t subject, uint32_t kind, uint32_t segments) {
    const pshi_series *s;
    double sum = 0;
    size_t i;

    for (i = 0; g->st == PSH_OK && i < g->f->store.count; i++) {
        s = g->f->store.list[i];
        if (s->subject.kind != subject || s->subject.table != g->table || !pshi_series_age(s, g->f->outlook.closed))
            continue;
        (void)add(g, kind, s->subject.id,
            kind == PSH_NODE_TENANT ? segment_node(g, s->subject.id, segments) : 0, s);
        sum += recent(g, s);
    }
    return sum;
}

/* Those beyond the largest: one rest under each parent, which shares the path of parent or table. */
static void cut(gathering *g, size_t from, size_t most, double *rest) {
    const pshi_member *m;
    size_t i;

    if (g->st != PSH_OK || g->count - from <= most)
        return;
    qsort(g->list + from, g->count - from, sizeof *g->list, by_level);
    for (i = from + most; i < g->count; i++) {
        m = &g->list[i];
        rest[m->parent] += m->level;
    }
    g->count = from + most;
}

static void add_rest(gathering *g, uint32_t kind, uint32_t parent, double level) {
    const pshi_series *lead = g->st == PSH_OK ? g->list[parent].series : NULL;
    pshi_member *m;
    double of;

    if (!(level > 0) || g->st != PSH_OK)
        return;
    lead = lead ? lead : g->list[0].series;
    of = (double)lead->mean;
    m = add(g, kind, 0, parent, lead);
    if (!m)
        return;
    m->rest = 1;
    m->level = level;
    m->part = of > 0 ? level / of : 0;
}

/* Rows that no series of the kind tells of, per bucket. */
static double untold(const gathering *g, double told) {
    double all = recent(g, g->list[0].series);

    return all > 0 && told < (1 - LEAST_REST) * all ? (double)g->list[0].series->mean * (1 - told / all) : 0;
}

static void add_partitions(gathering *g, size_t most, double *rest) {
    size_t from = g->count;
    double told = add_kind(g, PSH_SUBJECT_PARTITION, PSH_NODE_PARTITION, 0);

    if (g->st != PSH_OK || g->count == from)
        return;
    rest[0] = untold(g, told);
    cut(g, from, most, rest);
    add_rest(g, PSH_NODE_PARTITION, 0, rest[0]);
}

static void add_tenants(gathering *g, uint32_t segments, size_t most, double *rest) {
    size_t from = g->count;
    double told = add_kind(g, PSH_SUBJECT_TENANT, PSH_NODE_TENANT, segments);
    uint32_t i;

    if (g->st != PSH_OK)
        return;
    cut(g, from, most, rest);
    rest[segments] += untold(g, told);
    for (i = 1; i <= segments; i++)
        add_rest(g, PSH_NODE_TENANT, i, rest[i]);
    if (g->st == PSH_OK && g->count > from)
        qsort(g->list + from, g->count - from, sizeof *g->list, by_parent);
}

static void link(psh_hierarchy *h) {
    pshi_branch *b;
    uint32_t i, split;

    for (i = 1; i < h->count; i++) {
        b = &h->tree[h->list[i].parent];
        split = h->list[i].kind == PSH_NODE_PARTITION;
        if (!b->count[split]++)
            b->first[split] = i;
    }
    for (i = 0; i < h->count; i++)
        if (h->list[i].sum && !h->tree[i].count[0])
            h->list[i].sum = 0; /* the rest segment is empty: 0 */
}

psh_status pshi_hierarchy_members(
    psh_forecaster *f, uint32_t table, int64_t at, uint32_t max_tenants, psh_hierarchy *h) {
    gathering g = { f, table, at, NULL, 0, 0, PSH_OK };
    const pshi_series *total = find(&g, PSH_SUBJECT_TABLE, 0);
    double rest[PSHI_MOST_SEGMENTS + 2] = { 0 };
    uint32_t segments;

    if (!total || !pshi_series_age(total, f->outlook.closed))
        return PSH_E_NO_FORECAST;
    (void)add(&g, PSH_NODE_TOTAL, 0, PSH_NONE, total);
    add_segments(&g);
    segments = (uint32_t)g.count - 1;
    if (g.st == PSH_OK)
        add_partitions(&g, max_tenants, rest);
    rest[0] = 0;
    if (g.st == PSH_OK)
        add_tenants(&g, segments, max_tenants, rest);
    h->list = g.list;
    h->count = (uint32_t)g.count;
    if (g.st != PSH_OK)
        return g.st;
    h->tree = pshi_calloc(f->env, h->count, sizeof *h->tree);
    if (!h->tree)
        return PSH_E_NOMEM;
    link(h);
    return PSH_OK;
}
