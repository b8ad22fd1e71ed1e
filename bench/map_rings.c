/* SPDX-License-Identifier: MIT */
/*
 * Consistent hashes written from their papers.
 *   jump     Lamping & Veach 2014, "A fast, minimal memory, consistent hash algorithm"; to lose any node, a table
 *            of nodes in which the last one takes the place of the one that goes
 *   ketama   the ring of Karger et al. 1997 with 160 points a node, of 32 bits as in libketama, though not of MD5
 *   Maglev   Eisenbud et al. 2016, "Maglev: a fast and reliable software network load balancer", section 3.4
 *   anchor   Mendelson et al. 2021, with its arrays A, K, W, L and R of 4 bytes
 */
#include "map_rings.h"

#include <stdlib.h>
#include <string.h>

#include "tool.h"

static inline uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

__extension__ typedef unsigned __int128 wide;

static inline uint32_t to_range(uint64_t x, uint32_t n) {
    return (uint32_t)((wide)x * n >> 64);
}

/* The nodes there are, in some order, and where each is. */
typedef struct members {
    uint32_t *node;
    uint32_t count;
} members;

static members members_of(uint32_t n, uint32_t spare) {
    members m = { bench_alloc(n + (size_t)spare, sizeof *m.node), n };
    uint32_t i;

    for (i = 0; i < n; i++)
        m.node[i] = i;
    return m;
}

/* Takes the marked ones out; keeps the order of the others. */
static void leave(members *m, const uint32_t *nodes, uint32_t n) {
    uint32_t most = 0, i, kept = 0;
    unsigned char *gone;

    for (i = 0; i < m->count; i++)
        most = m->node[i] > most ? m->node[i] : most;
    gone = bench_alloc(most + (size_t)1, 1);
    for (i = 0; i < n; i++)
        gone[nodes[i]] = 1;
    for (i = 0; i < m->count; i++)
        if (!gone[m->node[i]])
            m->node[kept++] = m->node[i];
    m->count = kept;
    free(gone);
}

/* ---- jump ---- */

static uint32_t jump_hash(uint64_t key, uint32_t buckets) {
    int64_t b = -1, j = 0;

    while (j < (int64_t)buckets) {
        b = j;
        key = key * UINT64_C(2862933555777941757) + 1;
        j = (int64_t)((double)(b + 1) * ((double)(INT64_C(1) << 31) / (double)((key >> 33) + 1)));
    }
    return (uint32_t)b;
}

static inline uint32_t jump_find(const members *m, uint64_t key) {
    return m->node[jump_hash(key, m->count)];
}

MAP_RING_LOOPS(jump, members, jump_find)

static void *jump_create(uint32_t n, uint32_t spare) {
    members *m = bench_alloc(1, sizeof *m);

    *m = members_of(n, spare);
    return m;
}

static void jump_destroy(void *self) {
    free(((members *)self)->node);
    free(self);
}

static void jump_remove(void *self, const uint32_t *nodes, uint32_t n) {
    members *m = self;
    uint32_t *place, most = 0, i, b;

    for (i = 0; i < m->count; i++)
        most = m->node[i] > most ? m->node[i] : most;
    place = bench_alloc(most + (size_t)1, sizeof *place);
    for (i = 0; i < m->count; i++)
        place[m->node[i]] = i;
    for (i = 0; i < n; i++) {
        b = place[nodes[i]];
        m->node[b] = m->node[--m->count];
        place[m->node[b]] = b;
    }
    free(place);
}

static uint32_t jump_add(void *self, uint32_t node) {
    members *m = self;

    m->node[m->count++] = node;
    return node;
}

static double jump_bytes(const void *self) {
    return 4.0 * ((const members *)self)->count;
}

/* ---- ketama ---- */

#define POINTS 160u

typedef struct point {
    uint32_t at;
    uint32_t node;
} point;

typedef struct ketama {
    members m;
    point *points;
    size_t count;
} ketama;

static inline uint32_t ketama_find(const ketama *t, uint64_t key) {
    uint32_t at = (uint32_t)(mix(key) >> 32);
    size_t low = 0, high = t->count, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (t->points[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    return t->points[low < t->count ? low : 0].node;
}

MAP_RING_LOOPS(ketama, ketama, ketama_find)

static int by_point(const void *a, const void *b) {
    const point *x = a, *y = b;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

static void ketama_build(ketama *t) {
    size_t i, k;

    t->count = t->m.count * (size_t)POINTS;
    for (i = 0; i < t->m.count; i++)
        for (k = 0; k < POINTS; k++) {
            t->points[i * POINTS + k].at = (uint32_t)(mix(mix(t->m.node[i]) + k) >> 32);
            t->points[i * POINTS + k].node = t->m.node[i];
        }
    qsort(t->points, t->count, sizeof *t->points, by_point);
}

static void *ketama_create(uint32_t n, uint32_t spare) {
    ketama *t = bench_alloc(1, sizeof *t);

    t->m = members_of(n, spare);
    t->points = bench_alloc((n + (size_t)spare) * POINTS, sizeof *t->points);
    ketama_build(t);
    return t;
}

static void ketama_destroy(void *self) {
    ketama *t = self;

    free(t->m.node);
    free(t->points);
    free(t);
}

static void ketama_remove(void *self, const uint32_t *nodes, uint32_t n) {
    ketama *t = self;

    leave(&t->m, nodes, n);
    ketama_build(t);
}

static uint32_t ketama_add(void *self, uint32_t node) {
    ketama *t = self;

    t->m.node[t->m.count++] = node;
    ketama_build(t);
    return node;
}

static double ketama_bytes(const void *self) {
    return (double)((const ketama *)self)->count * sizeof(point);
}

/* ---- Maglev ---- */

typedef struct maglev {
    members m;
    uint32_t *table;
    uint32_t size; /* a prime */
} maglev;

static inline uint32_t maglev_find(const maglev *t, uint64_t key) {
    return t->table[key % t->size];
}

MAP_RING_LOOPS(maglev, maglev, maglev_find)

static uint32_t prime_from(uint64_t x) {
    uint64_t d;

    for (x |= 1;; x += 2) {
        for (d = 3; d * d <= x && x % d; d += 2) {
        }
        if (d * d > x)
            return (uint32_t)x;
    }
}

/* Each node in turn takes the next entry of its own permutation that is free yet. */
static void maglev_build(maglev *t) {
    uint32_t *next = bench_alloc(t->m.count, sizeof *next), *skip = bench_alloc(t->m.count, sizeof *skip), i;
    uint32_t filled = 0;

    for (i = 0; i < t->m.count; i++) {
        next[i] = (uint32_t)(mix(t->m.node[i] + UINT64_C(1)) % t->size);
        skip[i] = (uint32_t)(mix(~(uint64_t)t->m.node[i]) % (t->size - 1)) + 1;
    }
    memset(t->table, 0xff, t->size * sizeof *t->table);
    for (i = 0; filled < t->size; i = i + 1 < t->m.count ? i + 1 : 0) {
        while (t->table[next[i]] != UINT32_MAX)
            next[i] = (uint32_t)(((uint64_t)next[i] + skip[i]) % t->size);
        t->table[next[i]] = t->m.node[i];
        filled++;
    }
    free(next);
    free(skip);
}

static void *maglev_create(uint32_t n, uint32_t spare) {
    maglev *t = bench_alloc(1, sizeof *t);

    t->m = members_of(n, spare);
    t->size = prime_from(n > 100000 ? n * UINT64_C(10) : n * UINT64_C(100));
    t->table = bench_alloc(t->size, sizeof *t->table);
    maglev_build(t);
    return t;
}

static void maglev_destroy(void *self) {
    maglev *t = self;

    free(t->m.node);
    free(t->table);
    free(t);
}

static void maglev_remove(void *self, const uint32_t *nodes, uint32_t n) {
    maglev *t = self;

    leave(&t->m, nodes, n);
    maglev_build(t);
}

static uint32_t maglev_add(void *self, uint32_t node) {
    maglev *t = self;

    t->m.node[t->m.count++] = node;
    maglev_build(t);
    return node;
}

static double maglev_bytes(const void *self) {
    return 4.0 * ((const maglev *)self)->size;
}

/* ---- anchor ---- */

typedef struct anchor {
    uint32_t *a, *k, *w, *l, *r;
    uint32_t size, working, removed;
} anchor;

/* Buckets are nodes here. */
static inline uint32_t anchor_find(const anchor *t, uint64_t key) {
    uint64_t x = mix(key);
    uint32_t b = to_range(x, t->size), h;

    while (t->a[b]) {
        h = to_range(mix(x + UINT64_C(0x9e3779b97f4a7c15) * (b + UINT64_C(1))), t->a[b]);
        while (t->a[h] >= t->a[b])
            h = t->k[h];
        b = h;
    }
    return b;
}

MAP_RING_LOOPS(anchor, anchor, anchor_find)

static void anchor_drop(anchor *t, uint32_t b) {
    t->r[t->removed++] = b;
    t->a[b] = --t->working;
    t->w[t->l[b]] = t->k[b] = t->w[t->working];
    t->l[t->w[t->working]] = t->l[b];
}

static void *anchor_create(uint32_t n, uint32_t spare) {
    anchor *t = bench_alloc(1, sizeof *t);
    uint32_t b;

    t->size = n + spare;
    t->a = bench_alloc(t->size, sizeof *t->a);
    t->k = bench_alloc(t->size, sizeof *t->k);
    t->w = bench_alloc(t->size, sizeof *t->w);
    t->l = bench_alloc(t->size, sizeof *t->l);
    t->r = bench_alloc(t->size, sizeof *t->r);
    for (b = 0; b < t->size; b++)
        t->k[b] = t->l[b] = t->w[b] = b;
    t->working = t->size;
    for (b = t->size; b-- > n;)
        anchor_drop(t, b);
    return t;
}

static void anchor_destroy(void *self) {
    anchor *t = self;

    free(t->a);
    free(t->k);
    free(t->w);
    free(t->l);
    free(t->r);
    free(t);
}

static void anchor_remove(void *self, const uint32_t *nodes, uint32_t n) {
    uint32_t i;

    for (i = 0; i < n; i++)
        anchor_drop(self, nodes[i]);
}

static uint32_t anchor_add(void *self, uint32_t node) {
    anchor *t = self;
    uint32_t b = t->r[--t->removed];

    (void)node;
    t->a[b] = 0;
    t->l[t->w[t->working]] = t->working;
    t->w[t->l[b]] = t->k[b] = b;
    t->working++;
    return b;
}

static double anchor_bytes(const void *self) {
    return 20.0 * ((const anchor *)self)->size;
}

static const map_ring jump_ring = { "jump", UINT32_MAX, 0, "the last node takes the place of one that goes",
    jump_create, jump_destroy, jump_remove, jump_add, jump_bytes, jump_independent, jump_dependent, jump_all };
static const map_ring ketama_ring = { "ketama", 100000, 1, "160 points a node", ketama_create, ketama_destroy,
    ketama_remove, ketama_add, ketama_bytes, ketama_independent, ketama_dependent, ketama_all };
static const map_ring maglev_ring = { "maglev", UINT32_MAX, 1, "100 entries a node, above 100,000 nodes 10",
    maglev_create, maglev_destroy, maglev_remove, maglev_add, maglev_bytes, maglev_independent, maglev_dependent,
    maglev_all };
static const map_ring anchor_ring = { "anchor", UINT32_MAX, 0, "arrays A, K, W, L, R", anchor_create,
    anchor_destroy, anchor_remove, anchor_add, anchor_bytes, anchor_independent, anchor_dependent, anchor_all };

const map_ring *const map_rings[MAP_RINGS] = { &map_ours, &map_ours_ids, &anchor_ring, &jump_ring, &ketama_ring,
    &maglev_ring };
