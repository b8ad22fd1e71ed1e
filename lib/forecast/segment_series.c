/* SPDX-License-Identifier: MIT */
#include "forecast/segment_series.h"

#include "base/env.h"

/* Sums of all members by place of segment, so that each member is read once. */
typedef struct sums {
    uint32_t span;      /* closed buckets, then open ones */
    uint32_t closed;
    double *sum[PSHI_MOST_SEGMENTS]; /* Shape [span], NULL: not wanted */
    int64_t start[PSHI_MOST_SEGMENTS];
    double rows[PSHI_MOST_SEGMENTS], bytes[PSHI_MOST_SEGMENTS];
} sums;

static void add_member(psh_forecaster *f, const pshi_series *s, sums *all, uint32_t place) {
    int64_t b = f->outlook.closed - (int64_t)all->closed;
    uint32_t i;

    for (i = b < s->start && s->start - b < (int64_t)all->span ? (uint32_t)(s->start - b) : 0; i < all->span; i++)
        all->sum[place][i] += pshi_series_actual(s, &f->shape, f->outlook.closed, b + (int64_t)i);
    if (s->start < all->start[place])
        all->start[place] = s->start;
    all->rows[place] += s->rows;
    all->bytes[place] += s->bytes;
}

static void add_members(psh_forecaster *f, uint32_t table, const pshi_segments *g, sums *all) {
    psh_subject subject = { PSH_SUBJECT_TENANT, table, 0 };
    const pshi_tenant *r;
    const pshi_series *s;
    uint32_t place;
    size_t i;

    for (i = 0; i < f->tenants.count; i++) {
        r = &f->tenants.list[i];
        place = r->table == table ? pshi_segments_place(g, r->segment) : PSH_NONE;
        if (place == PSH_NONE || !all->sum[place])
            continue;
        subject.id = r->id;
        s = pshi_store_find(&f->store, &subject);
        if (s)
            add_member(f, s, all, place);
    }
}

/* The fit comes with the next refits; what was scored and learned about errors stays. */
static psh_status fill(psh_forecaster *f, pshi_series *s, const sums *all, uint32_t place, int fresh) {
    int64_t b = f->outlook.closed - (int64_t)all->closed, age;
    double at;
    uint32_t i;

    s->start = all->start[place];
    s->rows = all->rows[place] < PSHI_MOST_LOAD ? all->rows[place] : 0;
    s->bytes = s->rows > 0 ? all->bytes[place] : 0;
    s->mean = 0;
    s->idle = 0;
    for (i = 0; i < all->closed; i++)
        if (b + (int64_t)i >= s->start)
            pshi_series_recall(s, &f->shape, b + (int64_t)i, all->sum[place][i]);
    for (; fresh && i < all->span; i++) {
        at = all->sum[place][i];
        if (at > 0 && i - all->closed >= PSHI_NEAR && pshi_series_reach(f->env, s, &f->shape) != PSH_OK)
            return PSH_E_NOMEM;
        if (at > 0)
            *pshi_series_slot(s, &f->shape, f->outlook.closed, b + (int64_t)i) = at;
    }
    age = pshi_series_age(s, f->outlook.closed);
    s->regular->fit_at = age > (int64_t)f->shape.season[0] ? age : (int64_t)f->shape.season[0] + 1;
    return PSH_OK;
}

static int has_room(const psh_forecaster *f) {
    return f->store.count < f->o.max_series
        && pshi_forecaster_bytes(f) + pshi_series_bytes(&f->shape, PSH_SUBJECT_SEGMENT) <= f->o.max_bytes;
}

static psh_status write_one(psh_forecaster *f, uint32_t table, pshi_segment *seg, const sums *all, uint32_t place) {
    psh_subject subject = { PSH_SUBJECT_SEGMENT, table, seg->id };
    pshi_series *s = pshi_store_find(&f->store, &subject);
    uint64_t before;
    int fresh = !s;
    psh_status st;

    if (all->start[place] == INT64_MAX || (!s && !has_room(f)))
        seg->dirty = 0;
    if (!seg->dirty)
        return PSH_OK;
    if (!s) {
        st = pshi_store_add(f->env, &f->store, &f->shape, &subject, all->start[place], &s);
        if (st != PSH_OK)
            return st == PSH_E_EXISTS ? PSH_OK : st;
    }
    before = pshi_series_held(&f->shape, s);
    st = fill(f, s, all, place, fresh);
    f->store.bytes += pshi_series_held(&f->shape, s) - before;
    seg->dirty = st != PSH_OK;
    return st;
}

/* @return segments whose members are to be added up. */
static uint32_t choose(psh_forecaster *f, uint32_t table, const pshi_segments *g, int all, uint8_t *want) {
    psh_subject subject = { PSH_SUBJECT_SEGMENT, table, 0 };
    uint32_t i, n = 0;

    for (i = 0; i < PSHI_MOST_SEGMENTS; i++) {
        subject.id = g->list[i].id;
        want[i] = g->list[i].id && g->list[i].members && g->list[i].dirty
               && (all || (has_room(f) && !pshi_store_find(&f->store, &subject)));
        n += want[i];
    }
    return n;
}

psh_status pshi_segments_refresh(psh_forecaster *f, uint32_t table, pshi_segments *g, int all) {
    uint8_t want[PSHI_MOST_SEGMENTS];
    uint32_t n = choose(f, table, g, all, want), i, k;
    psh_status st = PSH_OK;
    double *block;
    sums s;

    if (!n)
        return PSH_OK;
    s.closed = f->shape.ring;
    s.span = f->shape.ring + f->shape.open;
    block = pshi_calloc(f->env, (size_t)n * s.span, sizeof *block);
    if (!block)
        return PSH_E_NOMEM;
    for (i = k = 0; i < PSHI_MOST_SEGMENTS; i++) {
        s.sum[i] = want[i] ? block + (size_t)k++ * s.span : NULL;
        s.start[i] = INT64_MAX;
        s.rows[i] = s.bytes[i] = 0;
    }
    add_members(f, table, g, &s);
    for (i = 0; st == PSH_OK && i < PSHI_MOST_SEGMENTS; i++)
        if (want[i])
            st = write_one(f, table, &g->list[i], &s, i);
    pshi_free(f->env, block);
    return st;
}
