/* SPDX-License-Identifier: MIT */
/* Lookups in range maps: ours against search trees, arrays and LMDB, in one process by turns. */
#include <predshard.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"
#include "tool.h"

#define BATCH 256u /* keys a call of the batched lookup */

typedef struct ours {
    psh_env *env;
    psh_ranges *map;
    const psh_ranges_epoch *e;
} ours;

static inline uint32_t ours_find(const ours *t, uint64_t key) {
    return psh_ranges_find_u64(t->e, key);
}

static inline uint32_t ours_find_bytes(const ours *t, const char *key) {
    return psh_ranges_find_bytes(t->e, key, MAP_KEY);
}

MAP_LOOPS(ours_u64, ours, ours_find)
MAP_BYTE_LOOPS(ours_text, ours, ours_find_bytes)

static uint64_t ours_batched(void *self, const void *keys, size_t n) {
    const ours *t = self;
    const uint64_t *k = keys;
    uint32_t owners[BATCH];
    uint64_t sum = 0;
    size_t part, i;

    for (; n; n -= part, k += part) {
        part = n < BATCH ? n : BATCH;
        psh_ranges_find_many_u64(t->e, k, part, owners);
        for (i = 0; i < part; i++)
            sum += owners[i];
    }
    return sum;
}

static uint64_t ours_batched_bytes(void *self, const void *keys, size_t n) {
    const ours *t = self;
    const char *k = keys;
    uint32_t owners[BATCH];
    psh_bytes list[BATCH];
    uint64_t sum = 0;
    size_t part, i;

    for (; n; n -= part, k += part * MAP_KEY) {
        part = n < BATCH ? n : BATCH;
        for (i = 0; i < part; i++)
            list[i] = (psh_bytes){ k + i * MAP_KEY, MAP_KEY };
        psh_ranges_find_many_bytes(t->e, list, part, owners);
        for (i = 0; i < part; i++)
            sum += owners[i];
    }
    return sum;
}

static ours open_ours(uint32_t kind) {
    psh_ranges_options o;
    ours t = { 0 };

    bench_must(psh_env_create(NULL, &t.env, NULL), "env", NULL);
    bench_must(psh_ranges_options_init(&o, sizeof o), "options", NULL);
    o.kind = kind;
    bench_must(psh_ranges_create(t.env, &o, &t.map, NULL), "ranges", NULL);
    return t;
}

static void close_ours(ours *t) {
    psh_ranges_destroy(t->map);
    psh_env_destroy(t->env);
}

static uint32_t *owners_of(uint32_t n) {
    uint32_t *x = bench_alloc(n, sizeof *x), i;

    for (i = 0; i < n; i++)
        x[i] = i;
    return x;
}

static void bytes_figures(ours *t, const char *prefix, uint32_t n) {
    psh_ranges_stats stats = { .struct_size = sizeof stats };

    bench_must(psh_ranges_get_stats(t->map, &stats), "stats", NULL);
    map_figure(prefix, "ours_bytes", (double)stats.bytes / n, "B/range", "of the whole map");
}

/* Bytes a range on the wire, and how fast they are written and read. */
static void wire_figures(ours *t, const char *prefix, uint32_t n, uint32_t kind) {
    const size_t most = (size_t)1 << 31;
    psh_error err = { sizeof err };
    ours copy = open_ours(kind);
    psh_buffer *b;
    double start, save, load, size;

    bench_must(psh_buffer_create(t->env, &b), "buffer", NULL);
    bench_must(psh_ranges_save(t->e, b), "save", NULL); /* the buffer has its size then */
    psh_buffer_clear(b);
    start = map_cpu_now();
    bench_must(psh_ranges_save(t->e, b), "save", NULL);
    save = map_cpu_now() - start;
    size = (double)psh_buffer_size(b);
    start = map_cpu_now();
    bench_must(psh_ranges_load(copy.map, psh_buffer_data(b), psh_buffer_size(b), most, &err), "load", &err);
    load = map_cpu_now() - start;
    map_figure(prefix, "ours_saved_bytes", size / n, "B/range", "");
    map_figure(prefix, "ours_save", size / save / 1e6, "MB/s", "of saved bytes");
    map_figure(prefix, "ours_load", size / load / 1e6, "MB/s", "of saved bytes, checks included");
    psh_buffer_destroy(b);
    close_ours(&copy);
}

static void race(const char *prefix, map_peer *peers, size_t count, ours *t, map_run batched, const void *keys,
    const map_options *o) {
    map_runner r[MAP_RUNNERS];
    char name[96];
    size_t i;

    for (i = 0; i < count; i++)
        r[i] = (map_runner){ peers[i].name, peers[i].self, peers[i].independent, !i };
    r[count] = (map_runner){ "ours_batched", t, batched, 1 };
    snprintf(name, sizeof name, "%s_independent", prefix);
    map_race(name, r, count + 1, keys, o->probes, o->rounds, 1);
    for (i = 0; i < count; i++)
        r[i].run = peers[i].dependent;
    snprintf(name, sizeof name, "%s_dependent", prefix);
    map_race(name, r, count, keys, o->probes, o->rounds, 1);
}

static const char *const LAYOUTS[] = { "uniform", "crowded", "sequential" };

static void run_u64(uint32_t n, int layout, const map_options *o) {
    uint64_t *keys = map_boundaries(layout, n), *probes;
    uint32_t *owners = owners_of(n);
    ours t = open_ours(PSH_RANGES_U64);
    map_peer peers[6];
    char prefix[64];
    size_t i;
    int zipf;

    bench_must(psh_ranges_build_u64(t.map, keys, owners, n, NULL), "build", NULL);
    t.e = psh_ranges_current(t.map);
    peers[0] = (map_peer){ "ours", &t, ours_u64_independent, ours_u64_dependent, NULL, 0 };
    peers[1] = map_std(keys, n);
    peers[2] = map_absl(keys, n);
    peers[3] = map_sorted(keys, n);
    peers[4] = map_stree(keys, n);
    peers[5] = map_lmdb(keys, n);
    for (zipf = 0; zipf < 2; zipf++) {
        probes = map_probes(keys, n, zipf, o->probes);
        snprintf(prefix, sizeof prefix, "u64_%u_%s_%s", n, LAYOUTS[layout], zipf ? "zipf" : "even");
        race(prefix, peers, 6, &t, ours_batched, probes, o);
        free(probes);
    }
    snprintf(prefix, sizeof prefix, "u64_%u_%s", n, LAYOUTS[layout]);
    bytes_figures(&t, prefix, n);
    wire_figures(&t, prefix, n, PSH_RANGES_U64);
    for (i = 1; i < 6; i++)
        peers[i].destroy(peers[i].self);
    close_ours(&t);
    free(owners);
    free(keys);
}

/* Where the map is too large for the peers' patience: ours alone, batched. */
static void run_large(uint32_t n, const map_options *o) {
    uint64_t *keys = map_boundaries(MAP_UNIFORM, n), *probes = map_probes(keys, n, 0, o->probes);
    uint32_t *owners = owners_of(n);
    ours t = open_ours(PSH_RANGES_U64);
    map_runner r[2] = { { "ours_batched", &t, ours_batched, 1 }, { "ours", &t, ours_u64_independent, 1 } };
    char prefix[64];

    bench_must(psh_ranges_build_u64(t.map, keys, owners, n, NULL), "build", NULL);
    t.e = psh_ranges_current(t.map);
    snprintf(prefix, sizeof prefix, "u64_%u_uniform_even_independent", n);
    map_race(prefix, r, 2, probes, o->probes, o->rounds, 1);
    close_ours(&t);
    free(owners);
    free(probes);
    free(keys);
}

/* ---- byte keys ---- */

static int by_bytes(const void *a, const void *b) {
    return memcmp(a, b, MAP_KEY);
}

/* "tenants/" and 24 random hexadecimal digits. The first key of all, the empty one, stands for n = 0. */
static char *byte_keys(uint32_t n) {
    char *keys = bench_alloc(n, MAP_KEY), text[MAP_KEY + 1];
    uint64_t rng = 21;
    uint32_t i;

    for (i = 0; i < n; i++) {
        snprintf(text, sizeof text, "tenants/%016llx%08x", (unsigned long long)bench_random(&rng),
            (unsigned)(bench_random(&rng) >> 32));
        memcpy(keys + (size_t)i * MAP_KEY, text, MAP_KEY);
    }
    memset(keys, 0, MAP_KEY); /* the least key, so that all maps hold the same ranges */
    qsort(keys, n, MAP_KEY, by_bytes);
    return keys;
}

/* Within the drawn range: the last digit goes up past all digits. */
static char *byte_probes(const char *keys, uint32_t count, int zipf, uint32_t n) {
    char *probes = bench_alloc(n + (size_t)1, MAP_KEY);
    uint32_t *at = map_draw(count, zipf, n), i;

    for (i = 0; i < n; i++) {
        memcpy(probes + (size_t)i * MAP_KEY, keys + (size_t)at[i] * MAP_KEY, MAP_KEY);
        probes[(size_t)i * MAP_KEY + MAP_KEY - 1] = '~';
    }
    memcpy(probes + (size_t)n * MAP_KEY, probes, MAP_KEY);
    free(at);
    return probes;
}

static void build_bytes(ours *t, const char *keys, const uint32_t *owners, uint32_t n) {
    psh_bytes *list = bench_alloc(n, sizeof *list);
    psh_error err = { sizeof err };
    uint32_t i;

    for (i = 1; i < n; i++)
        list[i] = (psh_bytes){ keys + (size_t)i * MAP_KEY, MAP_KEY };
    bench_must(psh_ranges_build_bytes(t->map, list, owners, n, &err), "build", &err);
    t->e = psh_ranges_current(t->map);
    free(list);
}

static void run_bytes(uint32_t n, const map_options *o) {
    char *keys = byte_keys(n), *probes, prefix[64];
    uint32_t *owners = owners_of(n);
    ours t = open_ours(PSH_RANGES_BYTES);
    map_peer peers[3];
    size_t i;
    int zipf;

    build_bytes(&t, keys, owners, n);
    peers[0] = (map_peer){ "ours", &t, ours_text_independent, ours_text_dependent, NULL, 0 };
    peers[1] = map_std_bytes(keys, n);
    peers[2] = map_absl_bytes(keys, n);
    for (zipf = 0; zipf < 2; zipf++) {
        probes = byte_probes(keys, n, zipf, o->probes);
        snprintf(prefix, sizeof prefix, "bytes_%u_%s", n, zipf ? "zipf" : "even");
        race(prefix, peers, 3, &t, ours_batched_bytes, probes, o);
        free(probes);
    }
    snprintf(prefix, sizeof prefix, "bytes_%u", n);
    bytes_figures(&t, prefix, n);
    wire_figures(&t, prefix, n, PSH_RANGES_BYTES);
    for (i = 1; i < 3; i++)
        peers[i].destroy(peers[i].self);
    close_ours(&t);
    free(owners);
    free(keys);
}

int bench_map_lookup(const map_options *o) {
    uint32_t sizes[8];
    size_t n = map_sizes(o, "1000,100000,1000000,10000000", sizes), i;
    int layout;

    bench_say("the static B+ tree of 16 keys runs as %s", map_stree_form());
    for (i = 0; i < n; i++) {
        if (sizes[i] > 2000000) {
            run_large(sizes[i], o);
            continue;
        }
        for (layout = 0; layout < 3; layout++)
            run_u64(sizes[i], layout, o);
        run_bytes(sizes[i], o);
    }
    return 0;
}
