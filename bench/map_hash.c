/* SPDX-License-Identifier: MIT */
/* Consistent hashes: time of a lookup, memory, moves, balance; and shards with bounded load. */
#include <predshard.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"
#include "map_rings.h"
#include "tool.h"

#define CHANGES 8u /* removals, and additions, over which moves are summed */

static uint64_t *random_keys(uint32_t n) {
    uint64_t *keys = bench_alloc(n, sizeof *keys), rng = 77;
    uint32_t i;

    for (i = 0; i < n; i++)
        keys[i] = bench_random(&rng);
    return keys;
}

/* A fifth of the nodes, drawn without repeating: the head of a shuffle. */
static uint32_t *random_nodes(uint32_t n, uint32_t take) {
    uint32_t *x = bench_alloc(n, sizeof *x), i, k, keep;
    uint64_t rng = 8;

    for (i = 0; i < n; i++)
        x[i] = i;
    for (i = 0; i < take; i++) {
        k = i + (uint32_t)(bench_random(&rng) % (n - i));
        keep = x[i];
        x[i] = x[k];
        x[k] = keep;
    }
    return x;
}

static uint64_t ours_many(void *self, const void *keys, size_t n);

typedef struct field {
    void *self[MAP_RINGS];
    const map_ring *ring[MAP_RINGS];
    size_t count;
} field;

static field open_field(uint32_t n, uint32_t spare) {
    field f = { .count = 0 };
    size_t i;

    for (i = 0; i < MAP_RINGS; i++) {
        if (n > map_rings[i]->most) {
            bench_say("%s is left out at %u nodes", map_rings[i]->name, n);
            continue;
        }
        f.ring[f.count] = map_rings[i];
        f.self[f.count++] = map_rings[i]->create(n, spare);
    }
    return f;
}

static void close_field(field *f) {
    size_t i;

    for (i = 0; i < f->count; i++)
        f->ring[i]->destroy(f->self[i]);
}

static void race_field(const field *f, const char *prefix, const uint64_t *keys, const map_options *o) {
    map_runner r[MAP_RUNNERS];
    char name[96];
    size_t i;

    for (i = 0; i < f->count; i++)
        r[i] = (map_runner){ f->ring[i]->name, f->self[i], f->ring[i]->independent, i < 2 };
    r[i] = (map_runner){ "ours_batched", f->self[0], ours_many, 1 };
    snprintf(name, sizeof name, "%s_independent", prefix);
    map_race(name, r, f->count + 1, keys, o->probes, o->rounds, 0);
    for (i = 0; i < f->count; i++)
        r[i].run = f->ring[i]->dependent;
    snprintf(name, sizeof name, "%s_dependent", prefix);
    map_race(name, r, f->count, keys, o->probes, o->rounds, 0);
}

static void bytes_field(const field *f, const char *prefix, uint32_t nodes) {
    char name[64];
    size_t i;

    for (i = 0; i < f->count; i++) {
        snprintf(name, sizeof name, "%s_bytes", f->ring[i]->name);
        map_figure(prefix, name, f->ring[i]->bytes(f->self[i]) / nodes, "B/node", f->ring[i]->note);
    }
}

static void run_times(uint32_t n, const map_options *o) {
    uint64_t *keys = random_keys(o->probes);
    uint32_t *nodes = random_nodes(n, n / 5);
    field f = open_field(n, 0);
    char prefix[64];
    size_t i;

    snprintf(prefix, sizeof prefix, "hash_%u_fresh", n);
    race_field(&f, prefix, keys, o);
    bytes_field(&f, prefix, n);
    for (i = 0; i < f.count; i++)
        f.ring[i]->remove(f.self[i], nodes, n / 5);
    snprintf(prefix, sizeof prefix, "hash_%u_removed20", n);
    race_field(&f, prefix, keys, o);
    bytes_field(&f, prefix, n - n / 5);
    close_field(&f);
    free(nodes);
    free(keys);
}

/* ---- moves and balance ---- */

typedef struct sample {
    uint64_t *keys;
    uint32_t *before;
    uint32_t *after;
    uint32_t n;
} sample;

/* Moved keys over those that had to, of one change. */
static void count_moved(const sample *s, const uint32_t *on, uint32_t node, double *moved, double *had_to) {
    uint32_t i;

    for (i = 0; i < s->n; i++) {
        *moved += s->before[i] != s->after[i];
        *had_to += on[i] == node;
    }
}

static void next_sample(sample *s) {
    uint32_t *keep = s->before;

    s->before = s->after;
    s->after = keep;
}

static double max_over_mean(const sample *s, uint32_t nodes) {
    uint32_t *counts = bench_alloc(nodes, sizeof *counts), i, most = 0;

    for (i = 0; i < s->n; i++)
        counts[s->before[i]]++;
    for (i = 0; i < nodes; i++)
        most = counts[i] > most ? counts[i] : most;
    free(counts);
    return most / ((double)s->n / nodes);
}

static void moves_of(const map_ring *r, const char *prefix, uint32_t n, sample *s) {
    uint32_t changes = r->slow && n > 100000 ? 1 : CHANGES, i, *nodes = random_nodes(n, changes), node;
    void *self = r->create(n, changes);
    double moved = 0, had_to = 0;
    char name[64];

    r->all(self, s->keys, s->n, s->before);
    snprintf(name, sizeof name, "%s_max_over_mean", r->name);
    if (s->n / n >= 100)
        map_figure(prefix, name, max_over_mean(s, n), "ratio", "");
    for (i = 0; i < changes; i++, next_sample(s)) {
        node = r->add(self, n + i);
        r->all(self, s->keys, s->n, s->after);
        count_moved(s, s->after, node, &moved, &had_to);
    }
    snprintf(name, sizeof name, "%s_moved_on_add", r->name);
    map_figure(prefix, name, moved / had_to, "ratio", "moved keys over those of the new nodes");
    moved = had_to = 0;
    for (i = 0; i < changes; i++, next_sample(s)) {
        r->remove(self, &nodes[i], 1);
        r->all(self, s->keys, s->n, s->after);
        count_moved(s, s->before, nodes[i], &moved, &had_to);
    }
    snprintf(name, sizeof name, "%s_moved_on_remove", r->name);
    map_figure(prefix, name, moved / had_to, "ratio", "moved keys over those of the removed nodes");
    r->destroy(self);
    free(nodes);
}

static void run_moves(uint32_t n) {
    sample s = { .n = n < 125 ? 500000 : n < 4000 ? n * 4000 : 16000000 };
    char prefix[64];
    uint64_t rng = 6;
    uint32_t i;
    size_t k;

    s.keys = random_keys(s.n);
    s.before = bench_alloc(s.n, sizeof *s.before);
    s.after = bench_alloc(s.n, sizeof *s.after);
    snprintf(prefix, sizeof prefix, "hash_%u", n);
    for (k = 0; k < MAP_RINGS; k++)
        if (n <= map_rings[k]->most)
            moves_of(map_rings[k], prefix, n, &s);
    for (i = 0; i < s.n; i++)
        s.before[i] = (uint32_t)(bench_random(&rng) % n);
    if (s.n / n >= 100)
        map_figure(prefix, "dice_max_over_mean", max_over_mean(&s, n), "ratio", "as many keys thrown by dice");
    free(s.keys);
    free(s.before);
    free(s.after);
}

/* ---- ours in batches ---- */

static uint64_t ours_many(void *self, const void *keys, size_t n) {
    const psh_hashing *h = map_ours_hashing(self);
    const uint64_t *k = keys;
    uint32_t nodes[256];
    uint64_t sum = 0;
    size_t part, i;

    for (; n; n -= part, k += part) {
        part = n < 256 ? n : 256;
        psh_hashing_find_many(h, k, part, nodes);
        for (i = 0; i < part; i++)
            sum += nodes[i];
    }
    return sum;
}

/* ---- shards ---- */

static uint64_t set_node(psh_shards *s, uint32_t node, uint32_t weight, double *ms) {
    psh_hash_node c = { node, weight };
    psh_error err = { sizeof err };
    double start = map_cpu_now();
    uint64_t moves;

    bench_must(psh_shards_set_nodes(s, &c, 1, &moves, &err), "shards", &err);
    *ms += (map_cpu_now() - start) * 1e3;
    return moves;
}

static uint32_t held_by(const psh_shards *s, uint32_t shards, uint32_t node) {
    uint32_t n = 0, i;

    for (i = 0; i < shards; i++)
        n += psh_shards_node(s, i) == node;
    return n;
}

/* One node goes, one comes, by turns. */
static void change_shards(psh_shards *s, const char *prefix, uint32_t nodes, uint32_t shards) {
    double moved[2] = { 0 }, least[2] = { 0 }, ms = 0, worst = psh_shards_imbalance(s), now;
    uint32_t *gone = random_nodes(nodes, 20), i, held;

    for (i = 0; i < 40; i++) {
        held = i % 2 ? 0 : held_by(s, shards, gone[i / 2]);
        moved[i % 2] += (double)set_node(s, i % 2 ? nodes + i : gone[i / 2], i % 2, &ms);
        least[i % 2] += i % 2 ? floor((double)shards / nodes) : held;
        now = psh_shards_imbalance(s);
        worst = now > worst ? now : worst;
    }
    map_figure(prefix, "max_over_mean", worst, "ratio", "the worst of 40 changes; the bound is 1.05");
    map_figure(prefix, "moved_on_remove", moved[0] / least[0], "ratio", "moves over shards of the removed");
    map_figure(prefix, "moved_on_add", moved[1] / least[1], "ratio", "moves over the fair share of the new");
    map_figure(prefix, "change_ms", ms / 40, "ms", "");
    free(gone);
}

static void run_shards(uint32_t nodes, uint32_t shards, int uneven) {
    uint32_t *ids = bench_alloc(shards, sizeof *ids), i;
    psh_hash_node *list = bench_alloc(nodes, sizeof *list);
    double *loads = bench_alloc(shards, sizeof *loads);
    psh_shards_options o;
    uint64_t rng = 4;
    psh_shards *s;
    psh_env *env;
    char prefix[64];

    bench_must(psh_env_create(NULL, &env, NULL), "env", NULL);
    bench_must(psh_shards_options_init(&o, sizeof o), "options", NULL);
    o.shards = shards;
    bench_must(psh_shards_create(env, &o, &s, NULL), "shards", NULL);
    for (i = 0; i < nodes; i++)
        list[i] = (psh_hash_node){ i, 1 };
    for (i = 0; i < shards; i++) {
        ids[i] = i;
        loads[i] = uneven ? -log(1 - bench_uniform(&rng)) : 1; /* exponential */
    }
    bench_must(psh_shards_set_loads(s, ids, loads, shards, NULL, NULL), "loads", NULL);
    bench_must(psh_shards_set_nodes(s, list, nodes, NULL, NULL), "nodes", NULL);
    snprintf(prefix, sizeof prefix, "shards_%u_on_%u%s", shards, nodes, uneven ? "_uneven" : "");
    map_figure(prefix, "fresh_max_over_mean", psh_shards_imbalance(s), "ratio", "");
    change_shards(s, prefix, nodes, shards);
    psh_shards_destroy(s);
    psh_env_destroy(env);
    free(ids);
    free(list);
    free(loads);
}

int bench_map_hash(const map_options *o) {
    uint32_t sizes[8];
    size_t n = map_sizes(o, "1000,1000000", sizes), i;

    for (i = 0; i < n; i++) {
        if (sizes[i] < 100)
            bench_die(BENCH_USAGE, "--entries: at least 100 nodes");
        run_times(sizes[i], o);
        run_moves(sizes[i]);
    }
    for (i = 0; i < 4; i++)
        run_shards(i % 2 ? 1000 : 100, i % 2 ? 100000 : 10000, i >= 2);
    return 0;
}
