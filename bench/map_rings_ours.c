/* SPDX-License-Identifier: MIT */
/* psh_hashing as a contestant: nodes in a row, and nodes with any ids. */
#include <predshard.h>

#include <stdlib.h>

#include "map_rings.h"
#include "tool.h"

typedef struct ours {
    psh_env *env;
    psh_hashing *h;
    uint32_t factor; /* the id of node i: i, or i times an odd number, below 2^31 */
} ours;

static inline uint32_t ours_find(const ours *t, uint64_t key) {
    return psh_hashing_find(t->h, key);
}

MAP_RING_LOOPS(ours, ours, ours_find)

const psh_hashing *map_ours_hashing(const void *self) {
    return ((const ours *)self)->h;
}

static uint32_t id_of(const ours *t, uint32_t node) {
    return node * t->factor & 0x7fffffff;
}

static void *create(uint32_t n, uint32_t spare, uint32_t factor) {
    psh_hash_node *nodes = bench_alloc(n, sizeof *nodes);
    ours *t = bench_alloc(1, sizeof *t);
    psh_error err = { sizeof err };
    uint32_t i;

    t->factor = factor;
    for (i = 0; i < n; i++)
        nodes[i] = (psh_hash_node){ id_of(t, i), 1 };
    bench_must(psh_env_create(NULL, &t->env, NULL), "env", NULL);
    bench_must(psh_hashing_create(t->env, 1, n + spare, nodes, n, &t->h, &err), "hashing", &err);
    free(nodes);
    return t;
}

static void *ours_create(uint32_t n, uint32_t spare) {
    return create(n, spare, 1);
}

static void *ids_create(uint32_t n, uint32_t spare) {
    return create(n, spare, 2654435761u);
}

static void ours_destroy(void *self) {
    ours *t = self;

    psh_hashing_unref(t->h);
    psh_env_destroy(t->env);
    free(t);
}

static void change(ours *t, const psh_hash_node *changes, uint32_t n) {
    psh_error err = { sizeof err };
    psh_hashing *next;

    bench_must(psh_hashing_change(t->h, changes, n, &next, &err), "change", &err);
    psh_hashing_unref(t->h);
    t->h = next;
}

static void ours_remove(void *self, const uint32_t *nodes, uint32_t n) {
    psh_hash_node *changes = bench_alloc(n, sizeof *changes);
    uint32_t i;

    for (i = 0; i < n; i++)
        changes[i] = (psh_hash_node){ id_of(self, nodes[i]), 0 };
    change(self, changes, n);
    free(changes);
}

static uint32_t ours_add(void *self, uint32_t node) {
    psh_hash_node c = { id_of(self, node), 1 };

    change(self, &c, 1);
    return node;
}

static double ours_bytes(const void *self) {
    return (double)psh_hashing_bytes(((const ours *)self)->h);
}

/* Back from ids to numbers: the factor's inverse modulo 2^31. */
static void ids_all(const void *self, const uint64_t *keys, size_t n, uint32_t *nodes) {
    size_t i;

    ours_all(self, keys, n, nodes);
    for (i = 0; i < n; i++)
        nodes[i] = nodes[i] * 244002641u & 0x7fffffff;
}

const map_ring map_ours = { "ours", UINT32_MAX, 0, "nodes 0..n-1", ours_create, ours_destroy, ours_remove, ours_add,
    ours_bytes, ours_independent, ours_dependent, ours_all };
const map_ring map_ours_ids = { "ours_any_ids", UINT32_MAX, 0, "random node ids: a table of owners", ids_create,
    ours_destroy, ours_remove, ours_add, ours_bytes, ours_independent, ours_dependent, ids_all };
