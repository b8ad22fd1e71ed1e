/* SPDX-License-Identifier: MIT */
/* What a change of a large range map costs until readers see it. */
#include <predshard.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"
#include "tool.h"

#define SINGLES 1000u /* changes one by one, a round */

typedef struct publishing {
    psh_env *env;
    psh_ranges *map;
    map_peer lmdb;
    uint64_t *keys;
    uint32_t *owners;
    unsigned char *flat[2]; /* what readers of a flat array hold, 12 bytes a range, and the next one */
    psh_range_edit *edits; /* Shape [SINGLES] */
    uint64_t rng;
    uint32_t n;
} publishing;

static publishing open_all(uint32_t n) {
    publishing p = { .keys = map_boundaries(MAP_UNIFORM, n), .n = n, .rng = 9 };
    psh_ranges_options o;
    uint32_t i;

    p.owners = bench_alloc(n, sizeof *p.owners);
    p.edits = bench_alloc(SINGLES, sizeof *p.edits);
    p.flat[0] = bench_alloc(n + (size_t)1, 12);
    p.flat[1] = bench_alloc(n + (size_t)1, 12);
    for (i = 0; i < n; i++)
        p.owners[i] = i;
    bench_must(psh_env_create(NULL, &p.env, NULL), "env", NULL);
    bench_must(psh_ranges_options_init(&o, sizeof o), "options", NULL);
    bench_must(psh_ranges_create(p.env, &o, &p.map, NULL), "ranges", NULL);
    bench_must(psh_ranges_build_u64(p.map, p.keys, p.owners, n, NULL), "build", NULL);
    p.lmdb = map_lmdb(p.keys, n);
    return p;
}

static void close_all(publishing *p) {
    p->lmdb.destroy(p->lmdb.self);
    psh_ranges_destroy(p->map);
    psh_env_destroy(p->env);
    free(p->keys);
    free(p->owners);
    free(p->edits);
    free(p->flat[0]);
    free(p->flat[1]);
}

/* A change splits a range, or gives one another owner: half and half. */
static void draw_edits(publishing *p) {
    psh_range_edit *e;
    uint32_t i;

    for (i = 0; i < SINGLES; i++) {
        e = &p->edits[i];
        e->op = PSH_RANGE_SET;
        e->owner = (uint32_t)(bench_random(&p->rng) >> 40);
        e->key = i % 2 ? p->keys[bench_random(&p->rng) % p->n] : bench_random(&p->rng) >> 1;
    }
}

static double ours_singles(publishing *p) {
    double start = map_cpu_now();
    uint32_t i;

    for (i = 0; i < SINGLES; i++)
        bench_must(psh_ranges_apply(p->map, &p->edits[i], 1, sizeof *p->edits, NULL), "apply", NULL);
    return (map_cpu_now() - start) / SINGLES;
}

static double ours_batch(publishing *p) {
    double start = map_cpu_now();

    bench_must(psh_ranges_apply(p->map, p->edits, SINGLES, sizeof *p->edits, NULL), "apply", NULL);
    return map_cpu_now() - start;
}

static double ours_build(publishing *p) {
    double start = map_cpu_now();

    bench_must(psh_ranges_build_u64(p->map, p->keys, p->owners, p->n, NULL), "build", NULL);
    return map_cpu_now() - start;
}

static double lmdb_singles(publishing *p) {
    double start = map_cpu_now();
    uint32_t i;

    for (i = 0; i < SINGLES; i++)
        map_lmdb_put(p->lmdb.self, p->edits[i].key, p->edits[i].owner);
    return (map_cpu_now() - start) / SINGLES;
}

/* One array into the other, with one entry more in its place. */
static double flat_copy(publishing *p) {
    double start = map_cpu_now();
    size_t at = bench_random(&p->rng) % p->n * 12;
    unsigned char *from = p->flat[0], *to = p->flat[1];

    memcpy(to, from, at);
    memset(to + at, 1, 12);
    memcpy(to + at + 12, from + at, p->n * (size_t)12 - at);
    p->flat[0] = to;
    p->flat[1] = from;
    map_keep(to[at / 2]);
    return map_cpu_now() - start;
}

static void figure(const char *name, double *x, uint32_t rounds, double scale, const char *unit, const char *note) {
    bench_figure(name, map_median(x, rounds) * scale, unit, note);
}

int bench_map_publish(const map_options *o) {
    double *x[5];
    uint32_t sizes[8], k;
    publishing p;
    size_t i;

    if (map_sizes(o, "1000000", sizes) != 1)
        bench_die(BENCH_USAGE, "--entries: publish takes one size");
    p = open_all(sizes[0]);
    for (i = 0; i < 5; i++)
        x[i] = bench_alloc(o->rounds, sizeof *x[i]);
    for (k = 0; k < o->rounds; k++) {
        x[2][k] = ours_build(&p);
        draw_edits(&p);
        x[0][k] = ours_singles(&p);
        x[3][k] = lmdb_singles(&p);
        draw_edits(&p);
        x[1][k] = ours_batch(&p);
        x[4][k] = flat_copy(&p);
    }
    figure("publish_one", x[0], o->rounds, 1e6, "us", "one change, one epoch");
    figure("publish_1000", x[1], o->rounds, 1e3, "ms", "1,000 changes, one epoch");
    figure("publish_rebuild", x[2], o->rounds, 1e3, "ms", "the whole map from sorted keys");
    figure("publish_lmdb_put", x[3], o->rounds, 1e6, "us", "one put and its commit, without sync");
    figure("publish_flat_copy", x[4], o->rounds, 1e6, "us", "one entry into a second flat array");
    bench_figure("publish_ours_over_lmdb", map_median(x[0], o->rounds) / map_median(x[3], o->rounds), "ratio", "");
    bench_figure("publish_ours_over_flat", map_median(x[0], o->rounds) / map_median(x[4], o->rounds), "ratio", "");
    for (i = 0; i < 5; i++)
        free(x[i]);
    close_all(&p);
    return 0;
}
