/* SPDX-License-Identifier: MIT */
/* From a draft to a world: its partitions, as changes of the world it begins from. */
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "value/schema.h"
#include "value/world.h"

static int order_of(uint64_t a, uint64_t b) {
    return a < b ? -1 : a > b;
}

int pshi_partition_compare(const psh_partition *a, const psh_partition *b) {
    int c = order_of(a->flags & PSH_PARTITION_QUARANTINE, b->flags & PSH_PARTITION_QUARANTINE);

    c = c ? c : order_of(a->table, b->table);
    if (a->flags & b->flags & PSH_PARTITION_QUARANTINE)
        return c ? c : order_of(a->id, b->id);
    c = c ? c : order_of(pshi_interval_key(a->interval), pshi_interval_key(b->interval));
    c = c ? c : order_of(a->arc_first, b->arc_first);
    return c ? c : order_of(a->id, b->id);
}

/* One change: a partition added, or one of the base taken out. */
typedef struct change {
    const psh_partition *p;
    uint32_t removes;
    uint32_t undone; /* it removes what is added again */
} change;

/* What is removed comes before what is added in its place. */
static int compare_changes(const void *x, const void *y) {
    const change *a = x, *b = y;
    int c = pshi_partition_compare(a->p, b->p);

    return c ? c : (int)b->removes - (int)a->removes;
}

static int is_quarantine(const psh_partition *p) {
    return (p->flags & PSH_PARTITION_QUARANTINE) != 0;
}

static int same_span(const psh_partition *a, const psh_partition *b) {
    return a->table == b->table && is_quarantine(a) == is_quarantine(b) &&
           (is_quarantine(a) || a->interval == b->interval);
}

static psh_status list_changes(const pshi_making *m, change *changes, psh_error *err) {
    const pshi_world_lists *l = &m->draft->lists;
    size_t n = 0, i;
    int sorted = 1;
    psh_status st;

    for (i = 0; i < m->draft->removed_count; i++)
        changes[n++] = (change){ psh_world_find_partition(m->draft->base, m->draft->removed[i]), 1, 0 };
    for (i = 0; i < l->partition_count; i++)
        changes[n++] = (change){ &l->partitions[i], 0, 0 };
    for (i = 1; i < n && sorted; i++)
        sorted = compare_changes(&changes[i - 1], &changes[i]) <= 0;
    if (!sorted)
        qsort(changes, n, sizeof *changes, compare_changes);
    for (i = 0; i < n; i++) {
        st = changes[i].removes ? PSH_OK : pshi_partition_check(m->world->schema, changes[i].p, err);
        if (st != PSH_OK)
            return st;
    }
    return PSH_OK;
}

static int has_partition(const pshi_span *s, const psh_partition *p) {
    uint32_t low = 0, high = s->block.count, mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (pshi_partition_compare(&pshi_span_partitions(s)[mid], p) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < s->block.count && pshi_partition_compare(&pshi_span_partitions(s)[low], p) == 0;
}

/* Id and replicas of one that goes. */
static psh_status take_out(psh_world *w, const change *c) {
    psh_status st = pshi_radix_remove(w->env, &w->replicas, c->p->id);

    if (st == PSH_E_NOMEM)
        return st;
    return c->undone ? PSH_OK : pshi_radix_remove(w->env, &w->ids, c->p->id);
}

/* What is replaced has its id already. */
static psh_status bring_in(psh_world *w, const change *c, size_t place, const pshi_span *before) {
    pshi_radix_entry e = { c->p->id, { .number = (uint64_t)c->p->interval }, 0, c->p->table };
    psh_status st;

    if (before && has_partition(before, c->p))
        return PSH_OK;
    e.weight = is_quarantine(c->p) ? 0 : (uint32_t)place + 1;
    st = pshi_radix_add(w->env, &w->ids, &e);
    return st == PSH_E_CONFLICT ? PSH_E_INVALID : st;
}

static psh_status change_ids(psh_world *w, const change *changes, const pshi_touched *x, psh_error *err) {
    psh_status st = PSH_OK;
    const change *c;
    size_t i;

    for (i = x->first; st == PSH_OK && i < x->end; i++) {
        c = &changes[i];
        if (c->removes) {
            st = take_out(w, c);
            continue;
        }
        if (i > x->first && !c[-1].removes && pshi_partition_compare(c[-1].p, c->p) == 0)
            st = PSH_E_INVALID;
        else
            st = bring_in(w, c, i - x->first, x->before);
        if (st == PSH_E_INVALID)
            return pshi_fail_at(err, st, "partitions", i, "two partitions have its id");
    }
    return st;
}

/* A span as it was and its changes, merged. */
typedef struct merge {
    const pshi_span *before;
    const change *first, *end;
    const change *next;
    uint32_t at;
} merge;

static const psh_partition *merged(void *user, int again) {
    merge *m = user;
    const psh_partition *old;
    const change *c;
    int order;

    if (again) {
        m->next = m->first;
        m->at = 0;
    }
    for (;;) {
        while (m->next < m->end && m->next->undone)
            m->next++;
        old = m->before && m->at < m->before->block.count ? &pshi_span_partitions(m->before)[m->at] : NULL;
        c = m->next < m->end ? m->next : NULL;
        if (!old && !c)
            return NULL;
        order = !old ? 1 : !c ? -1 : pshi_partition_compare(old, c->p);
        m->at += order <= 0;
        m->next += order >= 0;
        if (order < 0)
            return old;
        if (!c->removes)
            return c->p;
    }
}

/* Takes the reference over, also when it fails. NULL takes the span out. */
static psh_status set_span(psh_world *w, const psh_partition *p, const pshi_span *before, pshi_span *after) {
    pshi_table_index *t = &w->tables[p->table];
    pshi_radix_entry e = { pshi_interval_key(p->interval), { NULL }, after ? after->block.count : 0, 0 };
    psh_status st;

    if (is_quarantine(p)) {
        pshi_radix_block_put(w->env, t->quarantined ? &t->quarantined->block : NULL);
        t->quarantined = after;
        return PSH_OK;
    }
    if (!after)
        return before ? pshi_radix_remove(w->env, &t->spans, e.key) : PSH_OK;
    e.value.block = &after->block;
    st = pshi_radix_put(w->env, &t->spans, &e);
    if (st != PSH_OK)
        pshi_free(w->env, after);
    return st;
}

/* What is taken out and put back is only replaced. */
static void undo_removals(change *c, const change *end) {
    for (; c + 1 < end; c++)
        c->undone = c->removes && pshi_partition_compare(c->p, c[1].p) == 0;
}

/* The span of some changes, still without partitions. */
static psh_status change_span(pshi_making *m, change *changes, size_t first, size_t end) {
    psh_world *w = m->world;
    const psh_partition *p = changes[first].p;
    const pshi_table_index *t = &w->tables[p->table];
    const pshi_span *before = is_quarantine(p) ? t->quarantined : pshi_table_span(t, p->interval);
    merge all = { before, changes + first, changes + end, NULL, 0 };
    pshi_span *after = NULL;
    psh_status st;

    undo_removals(changes + first, changes + end);
    if (merged(&all, 1)) {
        after = pshi_span_create(w->env, merged, &all);
        if (!after)
            return PSH_E_NOMEM;
    }
    st = set_span(w, p, before, after);
    if (st == PSH_OK)
        m->touched[m->touched_count++] = (pshi_touched){
            p->table, (uint32_t)is_quarantine(p), p->interval, before, after, first, end };
    return st;
}

static psh_status fill_span(psh_world *w, const change *changes, const pshi_touched *x) {
    merge all = { x->before, changes + x->first, changes + x->end, NULL, 0 };

    return x->after ? pshi_span_fill(w->env, x->after, merged, &all) : PSH_OK;
}

/* Where the numbers of each table's partitions begin. */
static void count_partitions(psh_world *w) {
    size_t quarantines = 0, i;

    w->planned = 0;
    for (i = 0; i < w->table_count; i++) {
        w->tables[i].partition_first = w->planned;
        w->tables[i].quarantine_first = quarantines;
        w->planned += pshi_radix_weight(&w->tables[i].spans);
        quarantines += w->tables[i].quarantined != NULL;
    }
    w->partition_count = w->planned + quarantines;
}

static psh_status fail_arc(
    const psh_world *w, const pshi_span *s, const psh_partition *p, psh_error *err, const char *text) {
    const pshi_table_index *t = &w->tables[s->table];
    size_t before = t->partition_first + pshi_radix_rank(&t->spans, pshi_interval_key(s->interval));

    return pshi_fail_at(err, PSH_E_INVALID, "partitions", before + (size_t)(p - pshi_span_partitions(s)), text);
}

/* The owners of one interval cover the ring once. */
static psh_status check_arcs(const psh_world *w, const pshi_span *s, psh_error *err) {
    const psh_partition *p, *before = NULL;
    uint32_t i;

    for (i = 0; i < s->owner_count; i++, before = p) {
        p = pshi_span_owner(s, i);
        if (before && p->arc_first <= before->arc_last)
            return fail_arc(w, s, p, err, "its arc overlaps that of the owner before it");
        if (before ? p->arc_first != before->arc_last + 1 : p->arc_first != 0)
            return fail_arc(w, s, p, err, "a gap on the ring before its arc");
    }
    if (before && before->arc_last != UINT64_MAX)
        return fail_arc(w, s, before, err, "a gap on the ring behind its arc");
    return PSH_OK;
}

/* One thing after the other for all spans, not all things for one: so that what a search reads lies close together
 * in memory when a whole world is made. */
static psh_status change_spans(pshi_making *m, change *changes, size_t n, psh_error *err) {
    psh_world *w = m->world;
    psh_status st = PSH_OK;
    size_t first, end, groups = 0, i;

    for (i = 0; i < n; i++)
        groups += i == 0 || !same_span(changes[i - 1].p, changes[i].p);
    m->touched = pshi_calloc(w->env, groups, sizeof *m->touched);
    if (!m->touched)
        return PSH_E_NOMEM;
    for (first = 0; st == PSH_OK && first < n; first = end) {
        for (end = first + 1; end < n && same_span(changes[first].p, changes[end].p);)
            end++;
        st = change_span(m, changes, first, end);
    }
    count_partitions(w);
    for (i = 0; st == PSH_OK && i < m->touched_count; i++)
        st = change_ids(w, changes, &m->touched[i], err);
    for (i = 0; st == PSH_OK && i < m->touched_count; i++)
        st = fill_span(w, changes, &m->touched[i]);
    for (i = 0; st == PSH_OK && i < m->touched_count; i++)
        if (m->touched[i].after && !m->touched[i].quarantine)
            st = check_arcs(w, m->touched[i].after, err);
    return st;
}

psh_status pshi_make_partitions(pshi_making *m, psh_error *err) {
    size_t n = m->draft->lists.partition_count + m->draft->removed_count;
    change *changes = pshi_calloc(m->world->env, n, sizeof *changes);
    psh_status st = changes ? list_changes(m, changes, err) : PSH_E_NOMEM;

    if (st == PSH_OK)
        st = change_spans(m, changes, n, err);
    pshi_free(m->world->env, changes);
    return st;
}

/* The tables of an empty world, or what the base knows of its own. */
static psh_status begin_tables(psh_world *w, const psh_world *base) {
    size_t n = psh_schema_table_count(w->schema), i;
    const pshi_table *table;
    pshi_table_index *t;

    w->tables = pshi_calloc(w->env, n, sizeof *w->tables);
    if (!w->tables)
        return PSH_E_NOMEM;
    w->table_count = n;
    for (i = 0; i < n; i++) {
        t = &w->tables[i];
        table = pshi_schema_get_table(w->schema, (uint32_t)i);
        if (base) {
            *t = base->tables[i];
            pshi_radix_share(&t->spans, &base->tables[i].spans);
            pshi_radix_share(&t->assignments, &base->tables[i].assignments);
            if (t->quarantined)
                pshi_ref_get(&t->quarantined->block.refs);
        }
        t->spans.blocks = t->assignments.blocks = 1;
        t->origin = table->interval_origin;
        t->width = table->interval_ns;
    }
    if (base) {
        pshi_radix_share(&w->ids, &base->ids);
        pshi_radix_share(&w->replicas, &base->replicas);
    }
    w->replicas.blocks = 1;
    return PSH_OK;
}

static psh_status make(pshi_making *m, psh_error *err) {
    psh_status st = begin_tables(m->world, m->draft->base);

    if (st == PSH_OK)
        st = pshi_make_partitions(m, err);
    if (st == PSH_OK)
        st = pshi_make_replicas(m, err);
    if (st == PSH_OK)
        st = pshi_make_assignments(m, err);
    if (st == PSH_OK)
        st = pshi_make_rest(m, err);
    if (st == PSH_OK)
        st = pshi_make_index(m);
    pshi_free(m->world->env, m->touched);
    return st;
}

static int is_too_much(const psh_world_draft *d) {
    size_t partitions = d->base ? d->base->partition_count : 0;
    size_t assignments = d->base ? d->base->assignment_count : 0;
    size_t replicas = d->base ? psh_world_replica_count(d->base) : 0;

    return partitions + d->lists.partition_count >= PSH_NONE ||
           assignments + d->lists.assignment_count >= PSH_NONE || replicas + d->lists.replica_count >= PSH_NONE;
}

psh_status psh_world_create(const psh_world_draft *d, psh_world **out, psh_error *err) {
    pshi_making m = { .draft = d };
    psh_world *w;
    psh_status st;

    if (!out || !d)
        return pshi_fail(err, PSH_E_INVALID, "draft", "draft and out are needed");
    *out = NULL;
    if (is_too_much(d))
        return pshi_fail(err, PSH_E_INVALID, "partitions", "too many");
    w = pshi_calloc(d->env, 1, sizeof *w);
    if (!w)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    pshi_ref_init(&w->refs);
    w->env = d->env;
    w->schema = psh_schema_ref(d->schema);
    w->epoch = d->epoch;
    w->time = d->now;
    m.world = w;
    st = make(&m, err);
    if (st == PSH_OK) {
        *out = w;
        return PSH_OK;
    }
    psh_world_unref(w);
    return st == PSH_E_NOMEM ? pshi_fail(err, st, "", psh_status_text(st)) : st;
}
