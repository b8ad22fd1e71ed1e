/* SPDX-License-Identifier: MIT */
#include "forecast/segment.h"

#include <math.h>

#include "base/checked.h"
#include "base/env.h"
#include "forecast/segment_series.h"

#define CLEARLY 0.8       /* of the distance to its own segment: nearer than that is clearly nearer */
#define SAMPLE 4096u      /* tenants that centres are made of, at most */
#define FIRST_PART 24     /* of a short season that a tenant is watched before it gets a segment */
#define FIRST_SEASONS 2   /* short seasons before the first clustering */

int pshi_segments_on(const psh_forecaster *f) {
    return f->o.max_segments != PSH_NONE;
}

psh_status pshi_tenant_need(psh_forecaster *f, uint32_t table, uint64_t id, pshi_tenant **out) {
    *out = pshi_tenants_find(&f->tenants, table, id);
    if (*out)
        return PSH_OK;
    if (f->tenants.count >= f->o.max_tenants)
        return PSH_E_LIMIT;
    if (pshi_forecaster_bytes(f) + sizeof **out + sizeof(pshi_segments) > f->o.max_bytes)
        return PSH_E_LIMIT;
    if (!pshi_segments_need(f->env, &f->tenants, table, (uint32_t)psh_schema_table_count(f->schema)))
        return PSH_E_NOMEM;
    return pshi_tenants_add(f->env, &f->tenants, table, id, out);
}

static pshi_series *series_of(const psh_forecaster *f, const pshi_tenant *r) {
    psh_subject subject = { PSH_SUBJECT_TENANT, r->table, r->id };

    return pshi_store_find(&f->store, &subject);
}

void pshi_tenant_tell(psh_forecaster *f, const pshi_tenant *r) {
    pshi_series *s = series_of(f, r);

    pshi_lender_reset(&f->lender);
    if (s)
        s->segment = pshi_tenant_mark(&f->tenants, r);
}

static void count_member(pshi_segments *g, uint32_t id, int by) {
    uint32_t place = pshi_segments_place(g, id);

    if (place == PSH_NONE)
        return;
    g->list[place].members += (uint32_t)by;
    g->list[place].dirty = 1;
}

static void enter(psh_forecaster *f, pshi_tenant *r, uint32_t segment, int64_t since) {
    pshi_segments *g = pshi_segments_find(&f->tenants, r->table);

    count_member(g, r->segment, -1);
    count_member(g, segment, 1);
    r->before = r->segment;
    r->segment = segment;
    r->since = since;
    r->next = 0;
    r->change_at = PSH_TIME_NONE;
    pshi_tenant_tell(f, r);
}

void pshi_tenant_move(psh_forecaster *f, pshi_tenant *r, uint32_t segment) {
    int64_t id, from, to;

    r->rival = 0;
    if (!r->segment) {
        enter(f, r, segment, PSH_TIME_NONE);
        return;
    }
    if (segment == r->segment) {
        r->next = 0;
        r->change_at = PSH_TIME_NONE;
        pshi_tenant_tell(f, r);
        return;
    }
    if (!f->stepped) {
        enter(f, r, segment, PSH_TIME_NONE);
        return;
    }
    if (psh_schema_interval(f->schema, r->table, f->now, &id, &from, &to) != PSH_OK)
        return;
    r->next = segment;
    r->change_at = to;
    pshi_tenant_tell(f, r);
}

uint32_t pshi_segment_for(const psh_forecaster *f, const pshi_series *s, int64_t time, uint32_t *place) {
    const pshi_segments *g = pshi_segments_find(&f->tenants, s->subject.table);
    const pshi_tenant *r;

    if (!g)
        return 0;
    *place = (s->segment & PSHI_PLACE_MASK) - 1;
    if (!(s->segment & PSHI_PLACE_DUE))
        return g->list[*place].id;
    r = pshi_tenants_find(&f->tenants, s->subject.table, s->subject.id);
    *place = r ? pshi_segments_place(g, pshi_tenant_segment_at(r, time)) : PSH_NONE;
    return *place == PSH_NONE ? 0 : g->list[*place].id;
}

/* A few hours tell nothing, unless the host told something. */
static int is_clear(const psh_forecaster *f, const pshi_tenant *r) {
    const pshi_series *s = series_of(f, r);

    return r->given || (s && pshi_series_age(s, f->outlook.closed) >= (int64_t)f->shape.season[0] / FIRST_PART);
}

/* Clearly nearer elsewhere, and to the same segment, at two evaluations in a row. */
static void evaluate(psh_forecaster *f, pshi_tenant *r) {
    const pshi_segments *g = pshi_segments_find(&f->tenants, r->table);
    uint32_t best, own;
    double least, mine;
    pshi_point p;

    if (r->pinned || r->next || !g || !g->made)
        return;
    pshi_tenant_point(r, g, &p);
    best = pshi_point_nearest(g, &p, &least);
    if (best == PSH_NONE)
        return;
    own = pshi_segments_place(g, r->segment);
    if (own == PSH_NONE && !is_clear(f, r))
        return;
    if (own == PSH_NONE || g->list[own].host) {
        pshi_tenant_move(f, r, g->list[best].id);
        return;
    }
    mine = pshi_point_distance(g, &p, g->list[own].centre, g->list[own].mode);
    if (best == own || !(least < CLEARLY * mine))
        r->rival = 0;
    else if (r->rival == g->list[best].id)
        pshi_tenant_move(f, r, g->list[best].id);
    else
        r->rival = g->list[best].id;
}

/* Requests fade as means do, over a long season. */
static void fade_requests(const pshi_shape *shape, pshi_tenant *r, int64_t buckets) {
    double keep = exp(-(double)buckets / (double)shape->longest);
    uint32_t i;

    for (i = 0; i < 4; i++)
        r->asked[i] = (float)(keep * (double)r->asked[i]);
    r->asked_bytes = (float)(keep * (double)r->asked_bytes);
    r->asked_age = (float)(keep * (double)r->asked_age + (double)buckets);
}

/* The turn of each tenant comes once per short season. @return whether it came in (from, closed]. */
static int is_turn(const psh_forecaster *f, uint64_t id, int64_t from) {
    uint32_t m = f->shape.season[0];
    int64_t n = f->outlook.closed - from;

    if (n >= (int64_t)m)
        return 1;
    return pshi_slot(f->outlook.closed - (int64_t)(id % m), m) < (uint32_t)n;
}

static psh_status look_at_series(psh_forecaster *f, const pshi_series *s) {
    pshi_tenant *r;
    psh_status st = pshi_tenant_need(f, s->subject.table, s->subject.id, &r);

    if (st != PSH_OK)
        return st == PSH_E_LIMIT ? PSH_OK : st;
    pshi_tenant_look(r, s, &f->shape, f->outlook.closed);
    return PSH_OK;
}

/* New ones need not wait for their turn. */
static int is_new(const psh_forecaster *f, const pshi_series *s) {
    const pshi_segments *g = pshi_segments_find(&f->tenants, s->subject.table);

    return g && g->made && !s->segment;
}

static psh_status look_around(psh_forecaster *f, int64_t from) {
    const pshi_series *s;
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < f->store.count; i++) {
        s = f->store.list[i];
        if (s->subject.kind == PSH_SUBJECT_TENANT && pshi_series_age(s, f->outlook.closed) &&
            (is_turn(f, s->subject.id, from) || is_new(f, s)))
            st = look_at_series(f, s);
    }
    return st;
}

static void forget(psh_forecaster *f, size_t i) {
    pshi_tenant *r = &f->tenants.list[i];

    count_member(pshi_segments_find(&f->tenants, r->table), r->segment, -1);
    pshi_tenants_remove(f->env, &f->tenants, i);
}

/* Changes that are due; evaluations; and what is left of tenants that nobody heard of for long goes. */
static void tend(psh_forecaster *f, int64_t from) {
    int64_t start = pshi_bucket_start(&f->shape, f->outlook.closed);
    pshi_tenant *r;
    size_t i = 0;

    while (i < f->tenants.count) {
        r = &f->tenants.list[i];
        if (r->next && start >= r->change_at)
            enter(f, r, r->next, r->change_at);
        if (!r->segment)
            evaluate(f, r);
        if (!is_turn(f, r->id, from)) {
            i++;
            continue;
        }
        if (!r->pinned && !r->given && !series_of(f, r)) {
            forget(f, i);
            continue;
        }
        fade_requests(&f->shape, r, f->outlook.closed - from < (int64_t)f->shape.season[0]
                ? (int64_t)f->shape.season[0] : f->outlook.closed - from);
        evaluate(f, r);
        i++;
    }
}

static int is_ripe(const psh_forecaster *f, uint32_t table) {
    psh_subject subject = { PSH_SUBJECT_TABLE, table, 0 };
    const pshi_series *s = pshi_store_find(&f->store, &subject);

    return s && pshi_series_age(s, f->outlook.closed) >= FIRST_SEASONS * (int64_t)f->shape.season[0];
}

/* Places of segments that had no members for two clusterings are free again. */
static void retire(psh_forecaster *f, uint32_t table, pshi_segments *g) {
    psh_subject subject = { PSH_SUBJECT_SEGMENT, table, 0 };
    pshi_segment *s;
    uint32_t i;

    for (i = 0; i < PSHI_MOST_SEGMENTS; i++) {
        s = &g->list[i];
        s->idle = s->id && !s->members ? s->idle + 1 : 0;
        if (s->idle < 2)
            continue;
        subject.id = s->id;
        pshi_store_drop(f->env, &f->store, &f->shape, &subject);
        *s = (pshi_segment){ 0 };
    }
}

static int is_due_for(const pshi_tenant *r, uint32_t id) {
    return r->next == id || r->segment == id;
}

/* A change that is due keeps its segment from retiring. */
static void keep_awaited(const psh_forecaster *f, uint32_t table, pshi_segments *g) {
    const pshi_tenant *r;
    uint32_t place;
    size_t i;

    for (i = 0; i < f->tenants.count; i++) {
        r = &f->tenants.list[i];
        if (r->table != table || !r->next || !is_due_for(r, r->next))
            continue;
        place = pshi_segments_place(g, r->next);
        if (place != PSH_NONE)
            g->list[place].idle = 0;
    }
}

static size_t take_sample(
    const psh_forecaster *f, uint32_t table, const pshi_segments *g, size_t step, pshi_point *p) {
    const pshi_tenant *r;
    size_t i, n = 0, seen = 0;

    for (i = 0; i < f->tenants.count; i++) {
        r = &f->tenants.list[i];
        if (r->table != table || (!r->busy && !r->given) || seen++ % step)
            continue;
        pshi_tenant_point(r, g, &p[n]);
        n += !p[n].unseen;
    }
    return n;
}

static size_t members_of(const psh_forecaster *f, uint32_t table) {
    size_t i, n = 0;

    for (i = 0; i < f->tenants.count; i++)
        n += f->tenants.list[i].table == table && (f->tenants.list[i].busy || f->tenants.list[i].given);
    return n;
}

/* What is unknown of a tenant is the table's mean, which in turn is of those that are known: two passes. */
static void cluster_points(psh_forecaster *f, uint32_t table, pshi_segments *g, size_t step, pshi_point *p,
    uint32_t *work) {
    size_t n = take_sample(f, table, g, step, p);

    if (n < 2)
        return;
    pshi_segments_scale(g, p, n);
    n = take_sample(f, table, g, step, p);
    pshi_segments_scale(g, p, n);
    pshi_segments_cluster(g, p, n, f->o.max_segments, work);
}

static psh_status cluster_table(psh_forecaster *f, uint32_t table, pshi_segments *g) {
    size_t all = members_of(f, table), step = (all + SAMPLE - 1) / SAMPLE, n, i;
    pshi_point *p;

    g->cluster_at = f->outlook.closed + (int64_t)f->shape.longest;
    n = step ? (all + step - 1) / step : 0;
    if (n < 2)
        return PSH_OK;
    p = pshi_alloc(f->env, n * (sizeof *p + sizeof(uint32_t)));
    if (!p) {
        g->cluster_at = f->outlook.closed; /* again at the next step */
        return PSH_E_NOMEM;
    }
    keep_awaited(f, table, g);
    retire(f, table, g);
    cluster_points(f, table, g, step, p, (uint32_t *)(void *)(p + n));
    pshi_free(f->env, p);
    for (i = 0; i < f->tenants.count; i++)
        if (f->tenants.list[i].table == table && !f->tenants.list[i].segment)
            evaluate(f, &f->tenants.list[i]);
    return PSH_OK;
}

static psh_status cluster(psh_forecaster *f, uint32_t *budget) {
    pshi_segments *g;
    psh_status st = PSH_OK;
    uint32_t t;

    for (t = 0; st == PSH_OK && t < f->tenants.table_count; t++) {
        g = f->tenants.tables[t];
        if (!g || !is_ripe(f, t) || (g->cluster_at != PSH_TIME_NONE && f->outlook.closed < g->cluster_at))
            continue;
        if (!*budget)
            return PSH_AGAIN;
        --*budget;
        st = cluster_table(f, t, g);
        if (st == PSH_OK)
            st = pshi_segments_refresh(f, t, g, 1);
    }
    return st;
}

/* Segments whose members changed are added up anew once per short season, those without a series at once. */
static psh_status refresh(psh_forecaster *f, int64_t from) {
    int64_t m = f->shape.season[0];
    int all = pshi_floor_div(f->outlook.closed, m) != pshi_floor_div(from, m);
    psh_status st = PSH_OK;
    uint32_t t;

    for (t = 0; st == PSH_OK && t < f->tenants.table_count; t++)
        if (f->tenants.tables[t])
            st = pshi_segments_refresh(f, t, f->tenants.tables[t], all);
    return st;
}

psh_status pshi_tenants_step(psh_forecaster *f, int64_t from, uint32_t *budget) {
    psh_status st = PSH_OK;

    if (!pshi_segments_on(f))
        return PSH_OK;
    st = pshi_lender_ready(f->env, &f->lender, &f->shape, &f->calibration);
    if (st != PSH_OK)
        return st;
    pshi_lender_reset(&f->lender);
    f->outlook.lender = &f->lender;
    if (f->outlook.closed > from) {
        st = look_around(f, from);
        if (st != PSH_OK)
            return st;
        tend(f, from);
        st = refresh(f, from);
    }
    return st == PSH_OK ? cluster(f, budget) : st;
}
