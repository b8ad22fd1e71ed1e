/* SPDX-License-Identifier: MIT */
/* The order of a plan: a topological sort with a heap of what is ready. */
#include "base/env.h"
#include "base/error.h"
#include "ds/idmap.h"
#include "value/plan.h"

typedef struct graph {
    const pshi_action *actions;
    size_t n;
    pshi_idmap ids;
    uint32_t *waits;  /* Shape [n]: how many it still waits for */
    size_t *first;    /* Shape [n + 1]: where its followers begin in next */
    uint32_t *next;   /* followers of 0, then of 1, ... */
    uint32_t *heap;   /* ready, smallest on top */
    size_t ready;
} graph;

static int is_sooner(const graph *g, uint32_t a, uint32_t b) {
    const psh_action *x = &g->actions[a].pub, *y = &g->actions[b].pub;

    if (x->want.not_before != y->want.not_before)
        return x->want.not_before < y->want.not_before;
    return x->id < y->id;
}

static void push_ready(graph *g, uint32_t a) {
    size_t i = g->ready++, up;

    for (; i > 0; i = up) {
        up = (i - 1) / 2;
        if (!is_sooner(g, a, g->heap[up]))
            break;
        g->heap[i] = g->heap[up];
    }
    g->heap[i] = a;
}

static uint32_t pop_ready(graph *g) {
    uint32_t top = g->heap[0], last = g->heap[--g->ready];
    size_t i = 0, down;

    for (down = 1; down < g->ready; down = 2 * i + 1) {
        if (down + 1 < g->ready && is_sooner(g, g->heap[down + 1], g->heap[down]))
            down++;
        if (!is_sooner(g, g->heap[down], last))
            break;
        g->heap[i] = g->heap[down];
        i = down;
    }
    g->heap[i] = last;
    return top;
}

static psh_status index_ids(psh_env *env, graph *g, psh_error *err) {
    psh_status st = pshi_idmap_reserve(env, &g->ids, g->n);
    size_t i;

    for (i = 0; st == PSH_OK && i < g->n; i++) {
        if (pshi_idmap_find(&g->ids, g->actions[i].pub.id) != PSH_NONE)
            return pshi_fail_at(err, PSH_E_INVALID, "actions", i, "its id stands twice in the plan");
        st = pshi_idmap_put(env, &g->ids, g->actions[i].pub.id, (uint32_t)i);
    }
    return st;
}

/* Counts followers into first[i + 1]. */
static psh_status count_edges(graph *g, psh_error *err) {
    const psh_action *a;
    uint32_t before;
    size_t i, j;

    for (i = 0; i < g->n; i++) {
        a = &g->actions[i].pub;
        if (a->after_count > UINT32_MAX)
            return pshi_fail_at(err, PSH_E_INVALID, "actions", i, "waits for too many");
        g->waits[i] = (uint32_t)a->after_count;
        for (j = 0; j < a->after_count; j++) {
            before = pshi_idmap_find(&g->ids, a->after[j]);
            if (before == PSH_NONE)
                return pshi_fail_at(err, PSH_E_INVALID, "actions", i, "waits for an id that is not in the plan");
            g->first[before + 1]++;
        }
    }
    for (i = 0; i < g->n; i++)
        g->first[i + 1] += g->first[i];
    return PSH_OK;
}

static psh_status link_edges(psh_env *env, graph *g) {
    size_t *at = pshi_alloc(env, g->n * sizeof *at), i, j;
    const psh_action *a;

    g->next = pshi_alloc(env, g->first[g->n] * sizeof *g->next);
    if (!at || !g->next) {
        pshi_free(env, at);
        return PSH_E_NOMEM;
    }
    for (i = 0; i < g->n; i++)
        at[i] = g->first[i];
    for (i = 0; i < g->n; i++) {
        a = &g->actions[i].pub;
        for (j = 0; j < a->after_count; j++)
            g->next[at[pshi_idmap_find(&g->ids, a->after[j])]++] = (uint32_t)i;
    }
    pshi_free(env, at);
    return PSH_OK;
}

static size_t take_in_order(graph *g, uint32_t *order) {
    size_t done = 0, i;
    uint32_t a;

    for (i = 0; i < g->n; i++)
        if (!g->waits[i])
            push_ready(g, (uint32_t)i);
    while (g->ready) {
        a = pop_ready(g);
        order[done++] = a;
        for (i = g->first[a]; i < g->first[a + 1]; i++)
            if (--g->waits[g->next[i]] == 0)
                push_ready(g, g->next[i]);
    }
    return done;
}

psh_status pshi_plan_order(psh_env *env, const pshi_action *actions, size_t n, uint32_t *order, psh_error *err) {
    graph g = { .actions = actions, .n = n };
    psh_status st = PSH_E_NOMEM;

    g.waits = pshi_calloc(env, n, sizeof *g.waits);
    g.first = pshi_calloc(env, n + 1, sizeof *g.first);
    g.heap = pshi_calloc(env, n, sizeof *g.heap);
    if (!g.waits || !g.first || !g.heap)
        goto out;
    st = index_ids(env, &g, err);
    if (st == PSH_OK)
        st = count_edges(&g, err);
    if (st == PSH_OK)
        st = link_edges(env, &g);
    if (st == PSH_OK && take_in_order(&g, order) != n)
        st = pshi_fail(err, PSH_E_INVALID, "actions", "some wait for each other in a circle");
out:
    pshi_idmap_free(env, &g.ids);
    pshi_free(env, g.waits);
    pshi_free(env, g.first);
    pshi_free(env, g.next);
    pshi_free(env, g.heap);
    return st == PSH_E_NOMEM ? pshi_fail(err, st, "", psh_status_text(st)) : st;
}
