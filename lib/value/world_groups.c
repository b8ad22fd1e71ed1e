/* SPDX-License-Identifier: MIT */
/* From a draft to a world: replicas by partition, assignments by tenant. */
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "value/world.h"

static int order_of(uint64_t a, uint64_t b) {
    return a < b ? -1 : a > b;
}

int pshi_replica_compare(const void *x, const void *y) {
    const psh_replica *a = x, *b = y;
    int c = order_of(a->partition, b->partition);

    return c ? c : order_of(a->node, b->node);
}

/* One change: a replica added, or one of the base lifted. */
typedef struct change {
    psh_replica r;
    uint32_t lifts;
    uint32_t reserved;
} change;

static int compare_changes(const void *x, const void *y) {
    const change *a = x, *b = y;
    int c = pshi_replica_compare(&a->r, &b->r);

    return c ? c : (int)b->lifts - (int)a->lifts;
}

/* What stands in the world's order: how many before this partition's, and how many of its own before this one. */
static psh_status fail_replica(
    const psh_world *w, uint64_t partition, size_t at, psh_error *err, const char *text) {
    return pshi_fail_at(err, PSH_E_INVALID, "replicas", pshi_radix_rank(&w->replicas, partition) + at, text);
}

static psh_status check_copies(const psh_world *w, const psh_replica *r, size_t n, psh_error *err) {
    const psh_partition *p = psh_world_find_partition(w, r->partition);
    psh_status st;
    size_t i;

    for (i = 0; i < n; i++) {
        st = pshi_replica_check(&r[i], err);
        if (st != PSH_OK)
            return st;
        if (i && r[i - 1].node == r[i].node)
            return fail_replica(w, r->partition, i, err, "its partition and node stand twice");
        if (!p || !pshi_partition_owns(p))
            return fail_replica(w, r->partition, i, err, "its partition is not there, or owns no key");
        if (p->node == r[i].node)
            return fail_replica(w, r->partition, i, err, "is on the node of its owner");
    }
    return PSH_OK;
}

/* What the base had and what is added, by node; added twice stands twice. @return how many. */
static size_t merge_copies(
    const psh_replica *old, size_t count, const change *c, const change *end, psh_replica *to) {
    size_t n = 0, i = 0;

    while (i < count || c < end) {
        if (c == end || (i < count && old[i].node < c->r.node)) {
            to[n++] = old[i++];
            continue;
        }
        i += i < count && old[i].node == c->r.node;
        if (!c->lifts)
            to[n++] = c->r;
        c++;
    }
    return n;
}

static psh_status change_copies(psh_world *w, const change *first, const change *end, psh_error *err) {
    const psh_replica *old;
    size_t count;
    pshi_copies *to;
    pshi_radix_entry e = { first->r.partition, { NULL }, 0, 0 };
    psh_status st = PSH_OK;

    old = psh_world_replicas(w, e.key, &count);
    to = pshi_alloc(w->env, sizeof *to + (count + (size_t)(end - first)) * sizeof to->copies[0]);
    if (!to)
        return PSH_E_NOMEM;
    pshi_ref_init(&to->block.refs);
    to->block.more = NULL;
    to->block.count = e.weight = (uint32_t)merge_copies(old, count, first, end, to->copies);
    e.value.block = &to->block;
    if (e.weight)
        st = check_copies(w, to->copies, e.weight, err);
    if (st == PSH_OK && e.weight && (st = pshi_radix_put(w->env, &w->replicas, &e)) == PSH_OK)
        return PSH_OK;
    if (st == PSH_OK && count)
        st = pshi_radix_remove(w->env, &w->replicas, e.key);
    pshi_free(w->env, to);
    return st;
}

/* A partition that changed may have lost what its replicas need. */
static psh_status check_touched(const pshi_making *m, psh_error *err) {
    const psh_world *w = m->world;
    const psh_replica *r;
    psh_status st = PSH_OK;
    const pshi_span *s;
    size_t i, n;
    uint32_t k;

    for (i = 0; i < m->touched_count && pshi_radix_keys(&w->replicas); i++) {
        s = m->touched[i].after;
        for (k = 0; st == PSH_OK && s && k < s->block.count; k++) {
            r = psh_world_replicas(w, pshi_span_partitions(s)[k].id, &n);
            if (n)
                st = check_copies(w, r, n, err);
        }
    }
    return st;
}

static psh_status change_replicas(pshi_making *m, change *c, size_t n, psh_error *err) {
    const psh_world_draft *d = m->draft;
    psh_status st = PSH_OK;
    size_t i, first, end;

    for (i = 0; i < d->lifted_count; i++)
        c[i] = (change){ d->lifted[i], 1, 0 };
    for (i = 0; i < d->lists.replica_count; i++)
        c[d->lifted_count + i] = (change){ d->lists.replicas[i], 0, 0 };
    qsort(c, n, sizeof *c, compare_changes);
    for (first = 0; st == PSH_OK && first < n; first = end) {
        for (end = first + 1; end < n && c[end].r.partition == c[first].r.partition;)
            end++;
        st = change_copies(m->world, c + first, c + end, err);
    }
    return st;
}

psh_status pshi_make_replicas(pshi_making *m, psh_error *err) {
    size_t n = m->draft->lists.replica_count + m->draft->lifted_count;
    psh_status st = PSH_OK;
    change *c;

    if (n) {
        c = pshi_calloc(m->world->env, n, sizeof *c);
        st = c ? change_replicas(m, c, n, err) : PSH_E_NOMEM;
        pshi_free(m->world->env, c);
    }
    return st == PSH_OK ? check_touched(m, err) : st;
}

static int compare_assignments(const void *x, const void *y) {
    const psh_assignment *a = x, *b = y;
    int c = order_of(a->table, b->table);

    c = c ? c : order_of(a->tenant, b->tenant);
    return c ? c : a->from < b->from ? -1 : a->from > b->from;
}

static int same_tenant(const psh_assignment *a, const psh_assignment *b) {
    return a->table == b->table && a->tenant == b->tenant;
}

static size_t merge_moves(
    const psh_assignment *old, size_t count, const psh_assignment *a, const psh_assignment *end,
    psh_assignment *to) {
    size_t n = 0, i = 0;

    while (i < count || a < end) {
        if (a == end || (i < count && old[i].from < a->from)) {
            to[n++] = old[i++];
            continue;
        }
        i += i < count && old[i].from == a->from;
        to[n++] = *a++;
    }
    return n;
}

static psh_status change_moves(psh_world *w, const psh_assignment *first, const psh_assignment *end) {
    pshi_table_index *t = &w->tables[first->table];
    pshi_radix_entry e = { first->tenant, { NULL }, 0, 0 };
    const psh_assignment *old;
    pshi_moves *to;
    size_t count;

    old = pshi_world_assignments(w, first->table, first->tenant, &count);
    to = pshi_alloc(w->env, sizeof *to + (count + (size_t)(end - first)) * sizeof to->moves[0]);
    if (!to)
        return PSH_E_NOMEM;
    pshi_ref_init(&to->block.refs);
    to->block.more = NULL;
    to->block.count = e.weight = (uint32_t)merge_moves(old, count, first, end, to->moves);
    e.value.block = &to->block;
    if (pshi_radix_put(w->env, &t->assignments, &e) == PSH_OK)
        return PSH_OK;
    pshi_free(w->env, to);
    return PSH_E_NOMEM;
}

static psh_status check_assignments(const psh_world *w, const psh_assignment *a, size_t n, psh_error *err) {
    psh_status st;
    size_t i;

    for (i = 0; i < n; i++) {
        st = pshi_assignment_check(w->schema, &a[i], err);
        if (st != PSH_OK)
            return st;
        if (i && compare_assignments(&a[i - 1], &a[i]) == 0)
            return pshi_fail_at(
                err, PSH_E_INVALID, "assignments", i, "its table, tenant and time stand twice");
    }
    return PSH_OK;
}

static psh_status change_assignments(psh_world *w, psh_assignment *a, size_t n, psh_error *err) {
    psh_status st;
    size_t first, end;

    qsort(a, n, sizeof *a, compare_assignments);
    st = check_assignments(w, a, n, err);
    for (first = 0; st == PSH_OK && first < n; first = end) {
        for (end = first + 1; end < n && same_tenant(&a[first], &a[end]);)
            end++;
        st = change_moves(w, a + first, a + end);
    }
    return st;
}

psh_status pshi_make_assignments(pshi_making *m, psh_error *err) {
    size_t n = m->draft->lists.assignment_count, i;
    psh_world *w = m->world;
    psh_status st = PSH_OK;
    psh_assignment *a;

    if (n) {
        a = pshi_calloc(w->env, n, sizeof *a);
        if (!a)
            return PSH_E_NOMEM;
        memcpy(a, m->draft->lists.assignments, n * sizeof *a);
        st = change_assignments(w, a, n, err);
        pshi_free(w->env, a);
    }
    for (i = 0; i < w->table_count; i++) {
        w->tables[i].assignment_first = w->assignment_count;
        w->assignment_count += pshi_radix_weight(&w->tables[i].assignments);
    }
    return st;
}
