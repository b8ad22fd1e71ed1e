/* SPDX-License-Identifier: MIT */
/* From a draft to a world: tiers, views and view parts, which worlds share as long as none of them changes. */
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "value/view.h"
#include "value/world.h"

static int order_of(uint64_t a, uint64_t b) {
    return a < b ? -1 : a > b;
}

int pshi_tier_info_compare(const void *x, const void *y) {
    const psh_tier_info *a = x, *b = y;
    int c = order_of(a->node, b->node);

    return c ? c : order_of(a->tier, b->tier);
}

int pshi_view_compare(const void *x, const void *y) {
    psh_view *const *a = x, *const *b = y;

    return order_of(psh_view_id(*a), psh_view_id(*b));
}

int pshi_view_part_compare(const void *x, const void *y) {
    const psh_view_part *a = x, *b = y;
    int c = order_of(a->view, b->view);

    c = c ? c : a->time_from < b->time_from ? -1 : a->time_from > b->time_from;
    return c ? c : order_of(a->node, b->node);
}

void pshi_world_rest_release(psh_env *env, pshi_world_rest *r) {
    if (!r || !pshi_ref_put(&r->refs))
        return;
    pshi_world_lists_free(env, &r->lists);
    pshi_free(env, r->views_by_table);
    pshi_free(env, r->part_groups);
    pshi_free(env, r->part_first);
    pshi_free(env, r);
}

/* @return the elements of two arrays in order, or NULL. */
static void *join_sorted(
    psh_env *env, const void *a, size_t n, const void *b, size_t k, size_t size,
    int (*compare)(const void *, const void *)) {
    unsigned char *to = pshi_calloc(env, n + k, size);

    if (!to)
        return NULL;
    if (n)
        memcpy(to, a, n * size);
    if (k)
        memcpy(to + n * size, b, k * size);
    qsort(to, n + k, size, compare);
    return to;
}

static psh_status join_lists(
    psh_env *env, pshi_world_lists *to, const pshi_world_lists *a, const pshi_world_lists *b) {
    size_t i;

    to->tiers = join_sorted(
        env, a->tiers, a->tier_count, b->tiers, b->tier_count, sizeof *to->tiers, pshi_tier_info_compare);
    to->views = join_sorted(
        env, a->views, a->view_count, b->views, b->view_count, sizeof(psh_view *), pshi_view_compare);
    to->parts = join_sorted(
        env, a->parts, a->part_count, b->parts, b->part_count, sizeof *to->parts, pshi_view_part_compare);
    if (!to->tiers || !to->views || !to->parts)
        return PSH_E_NOMEM;
    to->tier_count = a->tier_count + b->tier_count;
    to->part_count = a->part_count + b->part_count;
    for (i = 0; i < a->view_count + b->view_count; i++)
        psh_view_ref(to->views[i]);
    to->view_count = i;
    return PSH_OK;
}

static psh_status check_tiers(const pshi_world_lists *l, psh_error *err) {
    psh_status st;
    size_t i;

    for (i = 0; i < l->tier_count; i++) {
        st = pshi_tier_info_check(&l->tiers[i], err);
        if (st != PSH_OK)
            return st;
        if (i && pshi_tier_info_compare(&l->tiers[i - 1], &l->tiers[i]) == 0)
            return pshi_fail_at(err, PSH_E_INVALID, "tiers", i, "its node and tier stand twice");
    }
    return PSH_OK;
}

static psh_status check_views(const psh_world *w, const pshi_world_lists *l, psh_error *err) {
    psh_view_spec view = { .struct_size = sizeof view };
    psh_query_spec query = { .struct_size = sizeof query };
    size_t i;

    for (i = 0; i < l->view_count; i++) {
        if (i && pshi_view_compare(&l->views[i - 1], &l->views[i]) == 0)
            return pshi_fail_at(err, PSH_E_INVALID, "views", i, "two views have its definition");
        if (psh_view_describe(l->views[i], &view) != PSH_OK ||
            psh_query_describe(view.definition, &query) != PSH_OK || query.table >= w->table_count)
            return pshi_fail_at(err, PSH_E_INVALID, "views", i, "its table is not in the schema");
    }
    return PSH_OK;
}

/* A part is one whole interval of its view's table. */
static psh_status check_part_time(
    const psh_world *w, const psh_view *view, const psh_view_part *p, size_t i, psh_error *err) {
    int64_t id, from, to;

    if (psh_schema_interval(w->schema, pshi_view_table(view), p->time_from, &id, &from, &to) != PSH_OK ||
        id != p->interval || from != p->time_from || to != p->time_to)
        return pshi_fail_at(err, PSH_E_INVALID, "view_parts", i, "its times are not those of its interval");
    return PSH_OK;
}

/* Parts and views are both sorted by view: one walk over both. */
static psh_status index_parts(const psh_world *w, pshi_world_rest *r, psh_error *err) {
    const pshi_world_lists *l = &r->lists;
    const psh_view_part *p = l->parts;
    psh_status st;
    size_t i, v = 0;

    for (i = 0; i < l->part_count; i++) {
        st = pshi_view_part_check(&p[i], err);
        if (st != PSH_OK)
            return st;
        while (v < l->view_count && psh_view_id(l->views[v]) < p[i].view)
            r->part_first[++v] = i;
        if (v == l->view_count || psh_view_id(l->views[v]) != p[i].view)
            return pshi_fail_at(err, PSH_E_INVALID, "view_parts", i, "names a view that is not in the world");
        if (i && pshi_view_part_compare(&p[i - 1], &p[i]) == 0)
            return pshi_fail_at(err, PSH_E_INVALID, "view_parts", i, "its view, time and node stand twice");
        st = check_part_time(w, l->views[v], &p[i], i, err);
        if (st != PSH_OK)
            return st;
        r->part_groups[i + 1] = r->part_groups[i] + p[i].groups;
    }
    while (v < l->view_count)
        r->part_first[++v] = l->part_count;
    return PSH_OK;
}

static void index_view(pshi_view_index *to, const psh_view *v, size_t i) {
    const psh_query *definition = pshi_view_spec(v)->definition;

    to->columns = *pshi_query_column_sets(definition);
    to->visibility = pshi_query_spec(definition)->visibility;
    to->bucket = pshi_query_spec(definition)->bucket_ns;
    to->view = i;
}

/* A view that outlives its base answers where there is no partition any more. */
static void widen_by_view(pshi_table_index *t, const pshi_world_rest *r, size_t view) {
    size_t first = r->part_first[view], end = r->part_first[view + 1];

    if (pshi_view_spec(r->lists.views[view])->retention != PSH_RETAIN_OUTLIVES_BASE || first == end)
        return;
    if (r->lists.parts[first].time_from < t->view_from)
        t->view_from = r->lists.parts[first].time_from;
    if (r->lists.parts[end - 1].time_to > t->view_to)
        t->view_to = r->lists.parts[end - 1].time_to;
}

/* Counting sort: views of one table stay in the order of their ids. */
static void index_views(psh_world *w, pshi_world_rest *r) {
    const pshi_world_lists *l = &r->lists;
    size_t first = 0, i;
    pshi_table_index *t;

    for (i = 0; i < w->table_count; i++) {
        w->tables[i].view_end = 0;
        w->tables[i].view_from = PSH_TIME_MAX;
        w->tables[i].view_to = PSH_TIME_MIN;
    }
    for (i = 0; i < l->view_count; i++)
        w->tables[pshi_view_table(l->views[i])].view_end++;
    for (i = 0; i < w->table_count; i++) {
        t = &w->tables[i];
        t->view_first = first;
        first += t->view_end;
        t->view_end = t->view_first;
    }
    for (i = 0; i < l->view_count; i++) {
        t = &w->tables[pshi_view_table(l->views[i])];
        index_view(&r->views_by_table[t->view_end++], l->views[i], i);
        widen_by_view(t, r, i);
    }
}

static psh_status fill_rest(pshi_making *m, pshi_world_rest *r, psh_error *err) {
    static const pshi_world_lists none = { 0 };
    const psh_world *base = m->draft->forgets ? NULL : m->draft->base;
    psh_world *w = m->world;
    psh_status st = join_lists(w->env, &r->lists, base ? &base->rest->lists : &none, &m->draft->lists);

    if (st != PSH_OK)
        return st;
    r->views_by_table = pshi_calloc(w->env, r->lists.view_count, sizeof *r->views_by_table);
    r->part_groups = pshi_calloc(w->env, r->lists.part_count + 1, sizeof *r->part_groups);
    r->part_first = pshi_calloc(w->env, r->lists.view_count + 1, sizeof *r->part_first);
    if (!r->views_by_table || !r->part_groups || !r->part_first)
        return PSH_E_NOMEM;
    st = check_tiers(&r->lists, err);
    if (st == PSH_OK)
        st = check_views(w, &r->lists, err);
    if (st == PSH_OK)
        st = index_parts(w, r, err);
    if (st == PSH_OK)
        index_views(w, r);
    return st;
}

/* Objects export what they have, changed or not: what is as it was keeps the facts of its parts. */
static int has_same_parts(const pshi_world_lists *a, const pshi_world_lists *b) {
    return a->view_count == b->view_count && a->part_count == b->part_count &&
           memcmp(a->views, b->views, a->view_count * sizeof(psh_view *)) == 0 &&
           memcmp(a->parts, b->parts, a->part_count * sizeof *a->parts) == 0;
}

psh_status pshi_make_rest(pshi_making *m, psh_error *err) {
    const psh_world_draft *d = m->draft;
    pshi_world_rest *r;
    psh_status st;

    if (d->base && !d->forgets && !d->lists.tier_count && !d->lists.view_count && !d->lists.part_count) {
        m->world->rest = d->base->rest;
        m->same_parts = 1;
        pshi_ref_get(&m->world->rest->refs);
        return PSH_OK;
    }
    r = pshi_calloc(m->world->env, 1, sizeof *r);
    if (!r)
        return PSH_E_NOMEM;
    pshi_ref_init(&r->refs);
    m->world->rest = r; /* the world releases it, also when it is not whole */
    st = fill_rest(m, r, err);
    if (st == PSH_OK && d->base)
        m->same_parts = has_same_parts(&r->lists, &d->base->rest->lists);
    return st;
}
