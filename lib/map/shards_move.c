/* SPDX-License-Identifier: MIT */
/*
 * One change of a bounded placement. The bound is that of Mirrokni, Thorup & Zadimoghaddam 2018; unlike theirs the
 * placement has a memory, so that what is within its bound stays. What must be placed goes largest first (Graham
 * 1969, longest processing time first) to the node that lacks most of its share.
 */
#include "map/shards.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"

/** A heap of nodes, the greatest key first; equal keys by index. */
typedef struct heap {
    double *key;     /* Shape [nodes] */
    uint32_t *items; /* Shape [count] */
    uint32_t *where; /* Shape [nodes]: place in items; PSH_NONE: not in it */
    uint32_t count;
} heap;

/** A shard within the list of its node. */
typedef struct entry {
    double load;
    uint32_t shard;
    uint32_t reserved;
} entry;

typedef struct work {
    pshi_placing *p;
    heap lack;        /* share less load */
    heap room;        /* bound less load */
    heap receivers;   /* as lack, of raised nodes */
    heap givers;      /* load less share, of the others */
    entry *entries;   /* Shape [shards]: by node, ascending by load once the node is sorted */
    uint32_t *starts; /* Shape [nodes + 1] */
    uint32_t *below;  /* Shape [shards + 1]: towards the next entry at or below that is still there, 1-based */
    uint32_t *above;  /* Shape [shards + 1]: the same upwards, 0-based */
    unsigned char *sorted; /* Shape [nodes] */
} work;

/* ---- heap ---- */

static int is_before(const heap *h, uint32_t a, uint32_t b) {
    return h->key[a] > h->key[b] || (!(h->key[a] < h->key[b]) && a < b);
}

static void set_item(heap *h, uint32_t place, uint32_t item) {
    h->items[place] = item;
    h->where[item] = place;
}

static void sift_up(heap *h, uint32_t place) {
    uint32_t item = h->items[place], parent;

    for (; place; place = parent) {
        parent = (place - 1) / 2;
        if (!is_before(h, item, h->items[parent]))
            break;
        set_item(h, place, h->items[parent]);
    }
    set_item(h, place, item);
}

static void sift_down(heap *h, uint32_t place) {
    uint32_t item = h->items[place], child;

    for (; place < h->count / 2; place = child) {
        child = 2 * place + 1;
        if (child + 1 < h->count && is_before(h, h->items[child + 1], h->items[child]))
            child++;
        if (!is_before(h, h->items[child], item))
            break;
        set_item(h, place, h->items[child]);
    }
    set_item(h, place, item);
}

static void set_key(heap *h, uint32_t item, double key) {
    h->key[item] = key;
    if (h->where[item] == PSH_NONE)
        return;
    sift_up(h, h->where[item]);
    sift_down(h, h->where[item]);
}

static void pop(heap *h) {
    uint32_t last = h->items[--h->count];

    h->where[h->items[0]] = PSH_NONE;
    if (!h->count)
        return;
    set_item(h, 0, last);
    sift_down(h, 0);
}

/* Those that are raised, or are not, or (-1) all. */
static void fill_heap(heap *h, const work *w, int raised) {
    uint32_t i;

    h->count = 0;
    for (i = 0; i < w->p->count; i++) {
        h->where[i] = PSH_NONE;
        if (raised < 0 || w->p->raised[i] == raised)
            set_item(h, h->count++, i);
    }
    for (i = h->count / 2; i-- > 0;)
        sift_down(h, i);
}

static psh_status take_heap(const work *w, heap *h) {
    h->key = pshi_calloc(w->p->env, w->p->count, sizeof *h->key);
    h->items = pshi_calloc(w->p->env, w->p->count, sizeof *h->items);
    h->where = pshi_calloc(w->p->env, w->p->count, sizeof *h->where);
    return h->key && h->items && h->where ? PSH_OK : PSH_E_NOMEM;
}

static void free_heap(const work *w, heap *h) {
    pshi_free(w->p->env, h->key);
    pshi_free(w->p->env, h->items);
    pshi_free(w->p->env, h->where);
}

/* ---- nodes ---- */

static double bound_of(const work *w, uint32_t node) {
    return (1 + w->p->slack) * w->p->nodes[node].fair;
}

static void rekey(work *w, uint32_t node) {
    const pshi_shard_node *n = &w->p->nodes[node];

    set_key(&w->lack, node, n->fair - n->load);
    set_key(&w->room, node, bound_of(w, node) - n->load);
    set_key(&w->receivers, node, n->fair - n->load);
    set_key(&w->givers, node, n->load - n->fair);
}

static void put_shard(work *w, uint32_t shard, uint32_t node) {
    w->p->at[shard] = node;
    w->p->nodes[node].load += w->p->loads[shard];
    rekey(w, node);
}

/* The node that lacks most of its share, or the one with the most room where that has not enough. */
static uint32_t best_node(const work *w, double load) {
    uint32_t node = w->lack.items[0];

    return w->room.key[node] >= load ? node : w->room.items[0];
}

void pshi_shards_sum(
    pshi_shard_node *nodes, uint32_t count, const uint32_t *at, const double *loads, uint32_t shards) {
    double total = 0, weight = 0;
    uint32_t i;

    for (i = 0; i < count; i++) {
        nodes[i].load = 0;
        weight += nodes[i].weight;
    }
    for (i = 0; i < shards; i++) {
        total += loads[i];
        if (at[i] != PSH_NONE)
            nodes[at[i]].load += loads[i];
    }
    for (i = 0; i < count; i++)
        nodes[i].fair = total * (nodes[i].weight / weight);
}

/* ---- lists of shards ---- */

static int by_load(const void *a, const void *b) {
    const entry *x = a, *y = b;

    if (x->load < y->load || x->load > y->load)
        return x->load < y->load ? -1 : 1;
    return (x->shard > y->shard) - (x->shard < y->shard);
}

static void sort_entries(entry *e, size_t n) {
    size_t i;

    for (i = 1; i < n && by_load(&e[i - 1], &e[i]) < 0; i++) {
    }
    if (i < n)
        qsort(e, n, sizeof *e, by_load);
}

/* Sorted by node, in the order of their ids within; the order of load comes when a node must give. */
static void list_shards(work *w) {
    uint32_t i, node, at = 0, n = w->p->shards;

    memset(w->starts, 0, (w->p->count + (size_t)1) * sizeof *w->starts);
    memset(w->sorted, 0, w->p->count);
    for (i = 0; i < n; i++)
        w->starts[w->p->at[i]]++;
    for (i = 0; i <= w->p->count; i++) {
        node = w->starts[i];
        w->starts[i] = at;
        at += node;
    }
    for (i = 0; i < n; i++)
        w->entries[w->starts[w->p->at[i]]++] = (entry){ w->p->loads[i], i, 0 };
    for (i = w->p->count; i; i--)
        w->starts[i] = w->starts[i - 1];
    w->starts[0] = 0;
    for (i = 0; i <= n; i++)
        w->below[i] = w->above[i] = i;
}

static void sort_node(work *w, uint32_t node) {
    if (!w->sorted[node])
        sort_entries(w->entries + w->starts[node], w->starts[node + 1] - w->starts[node]);
    w->sorted[node] = 1;
}

/* Follows links to what is still there, and shortens them for the next time. */
static uint32_t follow(uint32_t *link, uint32_t i) {
    while (link[i] != i) {
        link[i] = link[link[i]];
        i = link[i];
    }
    return i;
}

/* The first entry of a node with at least this load, gone or not. */
static uint32_t first_from(const work *w, uint32_t node, double load) {
    uint32_t low = w->starts[node], high = w->starts[node + 1], middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (w->entries[middle].load < load)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first entry of a node with more than this load, gone or not. */
static uint32_t first_above(const work *w, uint32_t node, double load) {
    uint32_t low = w->starts[node], high = w->starts[node + 1], middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (w->entries[middle].load <= load)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The largest shard of a node with a load of at most `most` and above 0; PSH_NONE without one. */
static uint32_t largest_within(work *w, uint32_t node, double most) {
    uint32_t i = follow(w->below, first_above(w, node, most));

    return i > w->starts[node] && w->entries[i - 1].load > 0 ? i - 1 : PSH_NONE;
}

/* The smallest with a load of at least `least`, if that is at most `most`. */
static uint32_t smallest_within(work *w, uint32_t node, double least, double most) {
    uint32_t i = follow(w->above, first_from(w, node, least));

    return i < w->starts[node + 1] && w->entries[i].load <= most ? i : PSH_NONE;
}

static void move_entry(work *w, uint32_t i, uint32_t from, uint32_t to) {
    w->below[i + 1] = i;
    w->above[i] = i + 1;
    w->p->nodes[from].load -= w->entries[i].load;
    rekey(w, from);
    put_shard(w, w->entries[i].shard, to);
}

/* ---- phases ---- */

/* What has no node, largest first. The list of entries is free until then. */
static void place_homeless(work *w) {
    uint32_t i, k, n = 0;

    for (i = 0; i < w->p->shards; i++)
        if (w->p->at[i] == PSH_NONE)
            w->entries[n++] = (entry){ -w->p->loads[i], i, 0 };
    sort_entries(w->entries, n);
    for (k = 0; k < n && w->entries[k].load < 0; k++)
        put_shard(w, w->entries[k].shard, best_node(w, -w->entries[k].load));
    for (; k < n; k++) /* no load tells them apart: by turns, for the day when they have some */
        put_shard(w, w->entries[k].shard, k % w->p->count);
}

/* The one shard that brings the node under its bound with the least load; else the largest that fits anywhere. */
static void shed_node(work *w, uint32_t node) {
    double over = w->p->nodes[node].load - bound_of(w, node), most;
    uint32_t i;

    for (; over > 0; over = w->p->nodes[node].load - bound_of(w, node)) {
        most = w->room.key[w->room.items[0]];
        i = smallest_within(w, node, over, most);
        if (i == PSH_NONE)
            i = largest_within(w, node, most);
        if (i == PSH_NONE)
            return;
        move_entry(w, i, node, best_node(w, w->entries[i].load));
    }
}

static void shed_all(work *w) {
    uint32_t i;

    for (i = 0; i < w->p->count; i++) {
        if (w->p->nodes[i].load <= bound_of(w, i))
            continue;
        sort_node(w, i);
        shed_node(w, i);
    }
}

/* Raised nodes take from the fullest others as long as that brings both nearer to their shares. */
static void fill_raised(work *w) {
    uint32_t to, from, i;
    double most;

    fill_heap(&w->receivers, w, 1);
    fill_heap(&w->givers, w, 0);
    while (w->receivers.count && w->givers.count) {
        to = w->receivers.items[0];
        from = w->givers.items[0];
        most = (w->receivers.key[to] + w->givers.key[from]) / 2;
        most = most < w->receivers.key[to] ? most : w->receivers.key[to];
        sort_node(w, from);
        i = largest_within(w, from, most);
        if (i == PSH_NONE)
            pop(&w->givers); /* no other receiver lacks more: it has nothing for any */
        else
            move_entry(w, i, from, to);
    }
}

static psh_status take_work(work *w) {
    const pshi_placing *p = w->p;

    if (take_heap(w, &w->lack) != PSH_OK || take_heap(w, &w->room) != PSH_OK ||
        take_heap(w, &w->receivers) != PSH_OK || take_heap(w, &w->givers) != PSH_OK)
        return PSH_E_NOMEM;
    w->entries = pshi_calloc(p->env, p->shards, sizeof *w->entries);
    w->starts = pshi_calloc(p->env, p->count + (size_t)1, sizeof *w->starts);
    w->below = pshi_calloc(p->env, p->shards + (size_t)1, sizeof *w->below);
    w->above = pshi_calloc(p->env, p->shards + (size_t)1, sizeof *w->above);
    w->sorted = pshi_calloc(p->env, p->count, 1);
    return w->entries && w->starts && w->below && w->above && w->sorted ? PSH_OK : PSH_E_NOMEM;
}

static void free_work(work *w) {
    free_heap(w, &w->lack);
    free_heap(w, &w->room);
    free_heap(w, &w->receivers);
    free_heap(w, &w->givers);
    pshi_free(w->p->env, w->entries);
    pshi_free(w->p->env, w->starts);
    pshi_free(w->p->env, w->below);
    pshi_free(w->p->env, w->above);
    pshi_free(w->p->env, w->sorted);
}

static void start_keys(work *w) {
    uint32_t i;

    pshi_shards_sum(w->p->nodes, w->p->count, w->p->at, w->p->loads, w->p->shards);
    for (i = 0; i < w->p->count; i++)
        w->lack.where[i] = w->room.where[i] = w->receivers.where[i] = w->givers.where[i] = PSH_NONE;
    for (i = 0; i < w->p->count; i++)
        rekey(w, i);
    fill_heap(&w->lack, w, -1);
    fill_heap(&w->room, w, -1);
}

psh_status pshi_shards_place(pshi_placing *p) {
    work w = { .p = p };
    psh_status st = take_work(&w);

    if (st == PSH_OK) {
        start_keys(&w);
        place_homeless(&w);
        list_shards(&w);
        shed_all(&w);
        fill_raised(&w);
        pshi_shards_sum(p->nodes, p->count, p->at, p->loads, p->shards);
    }
    free_work(&w);
    return st;
}
