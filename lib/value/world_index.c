/* SPDX-License-Identifier: MIT */
/* What routing would otherwise search for at every query: facts of tables and of view parts. */
#include <string.h>

#include "value/view.h"
#include "value/world.h"

#include "base/env.h"

static void widen(pshi_table_index *t, int64_t from, int64_t to) {
    if (from < t->from)
        t->from = from;
    if (to > t->to)
        t->to = to;
}

/* The first span after an interval that has owners, or the last before it. */
static const pshi_span *owned_beyond(const pshi_table_index *t, int64_t interval, int forward) {
    uint64_t key = pshi_interval_key(interval);
    const pshi_radix_entry *e;
    const pshi_span *s;

    for (;; key = pshi_interval_key(s->interval)) {
        if (key == (forward ? UINT64_MAX : 0))
            return NULL;
        e = forward ? pshi_radix_ceil(&t->spans, key + 1) : pshi_radix_floor(&t->spans, key - 1);
        if (!e)
            return NULL;
        s = pshi_span_of(e);
        if (s->owner_count)
            return s;
    }
}

static void move_ends(pshi_table_index *t, const pshi_touched *x) {
    const pshi_span *s = x->after;

    if (s && s->owner_count) {
        if (!t->first_owned || s->interval <= t->first_owned->interval)
            t->first_owned = s;
        if (!t->last_owned || s->interval >= t->last_owned->interval)
            t->last_owned = s;
        return;
    }
    if (x->before && x->before == t->first_owned)
        t->first_owned = owned_beyond(t, x->interval, 1);
    if (x->before && x->before == t->last_owned)
        t->last_owned = owned_beyond(t, x->interval, 0);
}

/* A quarantine counts when it can hold rows. Whole intervals, so that views without buckets are never cut. */
static void use_quarantine(const psh_schema *s, pshi_table_index *t) {
    const psh_partition *q = t->quarantined ? pshi_span_partitions(t->quarantined) : NULL;
    int64_t first, last, id, unused;

    t->quarantine = NULL;
    if (!q || !pshi_partition_owns(q) || q->time_from >= q->time_to || (!q->rows && !q->last_position))
        return;
    t->quarantine = q;
    if (psh_schema_interval(s, q->table, q->time_from, &id, &first, &unused) != PSH_OK)
        first = PSH_TIME_MIN;
    if (psh_schema_interval(s, q->table, q->time_to - 1, &id, &unused, &last) != PSH_OK)
        last = PSH_TIME_MAX;
    widen(t, first, last);
}

static void index_tables(pshi_making *m) {
    psh_world *w = m->world;
    pshi_table_index *t;
    size_t i;

    for (i = 0; i < m->touched_count; i++)
        if (!m->touched[i].quarantine)
            move_ends(&w->tables[m->touched[i].table], &m->touched[i]);
    for (i = 0; i < w->table_count; i++) {
        t = &w->tables[i];
        t->from = t->view_from;
        t->to = t->view_to;
        if (t->first_owned)
            widen(t, t->first_owned->time_from, t->last_owned->time_to);
        use_quarantine(w->schema, t);
    }
}

static int quarantine_is_later(const pshi_table_index *t, const psh_view_part *p) {
    const psh_partition *q = t->quarantine;

    return q && q->time_from < p->time_to && p->time_from < q->time_to && q->last_position > p->position;
}

/* Whether rows of the interval can still come or have come after the part: its owners, and the quarantine. */
static uint8_t facts_of(const psh_world *w, const psh_view *view, const psh_view_part *p) {
    const pshi_table_index *t = &w->tables[pshi_view_table(view)];
    const pshi_span *s = pshi_table_span(t, p->interval);
    int owned = pshi_view_spec(view)->retention == PSH_RETAIN_OUTLIVES_BASE;
    int later = quarantine_is_later(t, p);

    if (s) {
        owned |= s->owner_count > 0;
        later |= s->active || s->last_position > p->position;
    }
    return (uint8_t)((owned ? PSHI_PART_OWNED : 0) | (owned && !later ? PSHI_PART_SETTLED : 0));
}

static int goes_on(const psh_world *w, size_t part) {
    const psh_view_part *p = &w->rest->lists.parts[part];

    return w->part_facts->facts[part] & PSHI_PART_SETTLED && w->part_facts->facts[part + 1] & PSHI_PART_SETTLED &&
           p[1].time_from == p->time_to && p[1].node == p->node;
}

/* Parts [a, b) of a view changed. From behind: where a part is settled and so is the next, both end where that one
 * ends. */
static void index_solid(psh_world *w, size_t view, size_t a, size_t b) {
    size_t first = w->rest->part_first[view], end = w->rest->part_first[view + 1], k, now;

    /* The part before the first that changed may go on where it did not, and so may those before it. */
    for (k = b; k-- > first;) {
        now = k + 1 < end && goes_on(w, k) ? w->part_facts->solid[k + 1] : k + 1;
        if (k < a && now == w->part_facts->solid[k])
            return;
        w->part_facts->solid[k] = now;
    }
}

static void find_facts(psh_world *w, size_t view, size_t a, size_t b) {
    size_t k;

    for (k = a; k < b; k++)
        w->part_facts->facts[k] = facts_of(w, w->rest->lists.views[view], &w->rest->lists.parts[k]);
    index_solid(w, view, a, b);
}

/* The first part of a view that begins at or after a time. */
static size_t part_from(const psh_world *w, size_t view, int64_t time) {
    size_t low = w->rest->part_first[view], high = w->rest->part_first[view + 1], mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (w->rest->lists.parts[mid].time_from < time)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void find_facts_of(psh_world *w, uint32_t table, int64_t from, int64_t to) {
    const pshi_table_index *t = &w->tables[table];
    size_t i, view;

    for (i = t->view_first; i < t->view_end; i++) {
        view = w->rest->views_by_table[i].view;
        find_facts(w, view, part_from(w, view, from), part_from(w, view, to));
    }
}

/* Whether view parts would be told otherwise. */
static int says_the_same(const pshi_touched *x) {
    const pshi_span *a = x->before, *b = x->after;

    if (!a || !b)
        return !a && !b;
    if (x->quarantine)
        return pshi_span_partitions(a)->state == pshi_span_partitions(b)->state && a->time_from == b->time_from &&
               a->time_to == b->time_to && a->last_position == b->last_position &&
               !pshi_span_partitions(a)->rows == !pshi_span_partitions(b)->rows;
    return !a->owner_count == !b->owner_count && a->active == b->active && a->last_position == b->last_position;
}

static int concerns_views(const psh_world *w, const pshi_touched *x) {
    return w->tables[x->table].view_first < w->tables[x->table].view_end && !says_the_same(x);
}

static void patch_facts(psh_world *w, const pshi_touched *x) {
    const pshi_span *s = x->after ? x->after : x->before;

    if (!concerns_views(w, x))
        return;
    if (x->quarantine)
        find_facts_of(w, x->table, PSH_TIME_MIN, PSH_TIME_MAX);
    else
        find_facts_of(w, x->table, s->time_from, s->time_to);
}

void pshi_part_facts_release(psh_env *env, pshi_part_facts *f) {
    if (f && pshi_ref_put(&f->refs))
        pshi_free(env, f);
}

static pshi_part_facts *new_facts(psh_env *env, size_t n) {
    pshi_part_facts *f = pshi_alloc(env, sizeof *f + n * (sizeof *f->solid + sizeof *f->facts));

    if (!f)
        return NULL;
    pshi_ref_init(&f->refs);
    f->reserved = 0;
    f->solid = (size_t *)(void *)(f + 1);
    f->facts = (uint8_t *)(f->solid + n);
    return f;
}

/* The base's, as far as nothing that it was made of has changed. */
static psh_status share_facts(pshi_making *m) {
    psh_world *w = m->world;
    const pshi_part_facts *old = m->draft->base->part_facts;
    size_t n = w->rest->lists.part_count, i = 0;

    while (i < m->touched_count && !concerns_views(w, &m->touched[i]))
        i++;
    if (i == m->touched_count || !n) {
        w->part_facts = m->draft->base->part_facts;
        pshi_ref_get(&w->part_facts->refs);
        return PSH_OK;
    }
    w->part_facts = new_facts(w->env, n);
    if (!w->part_facts)
        return PSH_E_NOMEM;
    memcpy(w->part_facts->solid, old->solid, n * sizeof *old->solid);
    memcpy(w->part_facts->facts, old->facts, n * sizeof *old->facts);
    for (; i < m->touched_count; i++)
        patch_facts(w, &m->touched[i]);
    return PSH_OK;
}

psh_status pshi_make_index(pshi_making *m) {
    psh_world *w = m->world;
    size_t i;

    index_tables(m);
    if (m->same_parts)
        return share_facts(m);
    w->part_facts = new_facts(w->env, w->rest->lists.part_count);
    if (!w->part_facts)
        return PSH_E_NOMEM;
    for (i = 0; i < w->rest->lists.view_count; i++)
        find_facts(w, i, w->rest->part_first[i], w->rest->part_first[i + 1]);
    return PSH_OK;
}
