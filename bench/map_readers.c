/* SPDX-License-Identifier: MIT */
/* What it costs to look a key up in something that a writer may replace: ours, liburcu, a lock. */
#include <predshard.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu/urcu-memb.h>
#include <urcu/urcu-qsbr.h>
#include <urcu/pointer.h>

#include "map.h"
#include "tool.h"

#define PERIOD 1000000L /* ns between two epochs */
#define SPAN 0.3        /* seconds a measurement with a writer */
#define SLICES 16u      /* turns of a guard a round, without a writer */
#define CHUNK 256u      /* lookups between two looks at the clock's flag */

/** What the peers guard: a pointer to an epoch that never goes. */
typedef struct box {
    const psh_ranges_epoch *e;
} box;

typedef struct world {
    psh_env *env;
    psh_ranges *live;  /* ours is published here */
    psh_ranges *fixed; /* what the boxes point at */
    uint64_t *boundaries;
    uint64_t *probes;
    uint32_t n;
    uint32_t probe_count;
    box *current;
    pthread_rwlock_t lock;
    atomic_int stop;
} world;

typedef struct guard {
    const char *name;
    void (*enter)(world *w, psh_ranges_reader **reader); /* in the thread that reads */
    void (*leave)(psh_ranges_reader *reader);
    uint64_t (*read)(world *w, psh_ranges_reader *reader, const uint64_t *keys, size_t n);
    void (*publish)(world *w, uint64_t *rng);
} guard;

/* ---- ours ---- */

static void ours_enter(world *w, psh_ranges_reader **reader) {
    bench_must(psh_ranges_reader_create(w->live, reader), "reader", NULL);
}

static void ours_leave(psh_ranges_reader *reader) {
    psh_ranges_reader_destroy(reader);
}

static uint64_t read_pin(world *w, psh_ranges_reader *reader, const uint64_t *keys, size_t n) {
    const psh_ranges_epoch *e;
    uint64_t sum = 0;
    size_t i;

    (void)w;
    for (i = 0; i < n; i++) {
        e = psh_ranges_pin(reader);
        sum += psh_ranges_find_u64(e, keys[i]);
        psh_ranges_unpin(reader);
    }
    return sum;
}

static uint64_t read_refresh(world *w, psh_ranges_reader *reader, const uint64_t *keys, size_t n) {
    uint64_t sum = 0;
    size_t i;

    (void)w;
    psh_ranges_pin(reader);
    for (i = 0; i < n; i++)
        sum += psh_ranges_find_u64(psh_ranges_refresh(reader), keys[i]);
    psh_ranges_unpin(reader);
    return sum;
}

static void publish_ours(world *w, uint64_t *rng) {
    psh_range_edit e = { .op = PSH_RANGE_SET };

    e.key = w->boundaries[bench_random(rng) % w->n];
    e.owner = (uint32_t)(bench_random(rng) >> 40);
    bench_must(psh_ranges_apply(w->live, &e, 1, sizeof e, NULL), "apply", NULL);
}

/* ---- no guard, liburcu, a lock ---- */

static void enter_nothing(world *w, psh_ranges_reader **reader) {
    (void)w;
    *reader = NULL;
}

static void leave_nothing(psh_ranges_reader *reader) {
    (void)reader;
}

static uint64_t read_raw(world *w, psh_ranges_reader *reader, const uint64_t *keys, size_t n) {
    const psh_ranges_epoch *e = w->current->e;
    uint64_t sum = 0;
    size_t i;

    (void)reader;
    for (i = 0; i < n; i++)
        sum += psh_ranges_find_u64(e, keys[i]);
    return sum;
}

static box *new_box(const world *w) {
    box *b = bench_alloc(1, sizeof *b);

    b->e = psh_ranges_current(w->fixed);
    return b;
}

static void qsbr_enter(world *w, psh_ranges_reader **reader) {
    (void)w;
    *reader = NULL;
    urcu_qsbr_register_thread();
}

static void qsbr_leave(psh_ranges_reader *reader) {
    (void)reader;
    urcu_qsbr_unregister_thread();
}

static uint64_t read_qsbr(world *w, psh_ranges_reader *reader, const uint64_t *keys, size_t n) {
    uint64_t sum = 0;
    size_t i;

    (void)reader;
    for (i = 0; i < n; i++) {
        urcu_qsbr_read_lock();
        sum += psh_ranges_find_u64(rcu_dereference(w->current)->e, keys[i]);
        urcu_qsbr_read_unlock();
        urcu_qsbr_quiescent_state();
    }
    return sum;
}

static void publish_qsbr(world *w, uint64_t *rng) {
    box *old = rcu_xchg_pointer(&w->current, new_box(w));

    (void)rng;
    urcu_qsbr_synchronize_rcu();
    free(old);
}

static void memb_enter(world *w, psh_ranges_reader **reader) {
    (void)w;
    *reader = NULL;
    urcu_memb_register_thread();
}

static void memb_leave(psh_ranges_reader *reader) {
    (void)reader;
    urcu_memb_unregister_thread();
}

static uint64_t read_memb(world *w, psh_ranges_reader *reader, const uint64_t *keys, size_t n) {
    uint64_t sum = 0;
    size_t i;

    (void)reader;
    for (i = 0; i < n; i++) {
        urcu_memb_read_lock();
        sum += psh_ranges_find_u64(rcu_dereference(w->current)->e, keys[i]);
        urcu_memb_read_unlock();
    }
    return sum;
}

static void publish_memb(world *w, uint64_t *rng) {
    box *old = rcu_xchg_pointer(&w->current, new_box(w));

    (void)rng;
    urcu_memb_synchronize_rcu();
    free(old);
}

static uint64_t read_lock(world *w, psh_ranges_reader *reader, const uint64_t *keys, size_t n) {
    uint64_t sum = 0;
    size_t i;

    (void)reader;
    for (i = 0; i < n; i++) {
        pthread_rwlock_rdlock(&w->lock);
        sum += psh_ranges_find_u64(w->current->e, keys[i]);
        pthread_rwlock_unlock(&w->lock);
    }
    return sum;
}

static void publish_lock(world *w, uint64_t *rng) {
    box *next = new_box(w), *old;

    (void)rng;
    pthread_rwlock_wrlock(&w->lock);
    old = w->current;
    w->current = next;
    pthread_rwlock_unlock(&w->lock);
    free(old);
}

static const guard GUARDS[] = {
    { "raw", enter_nothing, leave_nothing, read_raw, NULL },
    { "ours_pin", ours_enter, ours_leave, read_pin, publish_ours },
    { "ours_refresh", ours_enter, ours_leave, read_refresh, publish_ours },
    { "urcu_qsbr", qsbr_enter, qsbr_leave, read_qsbr, publish_qsbr },
    { "urcu_memb", memb_enter, memb_leave, read_memb, publish_memb },
    { "rwlock", enter_nothing, leave_nothing, read_lock, publish_lock },
};

#define GUARD_COUNT (sizeof GUARDS / sizeof *GUARDS)

/* ---- one thread, no writer ---- */

static double time_guard(world *w, const guard *g, const uint64_t *keys, size_t n) {
    psh_ranges_reader *reader;
    double start;

    g->enter(w, &reader);
    map_keep(g->read(w, reader, keys, n));
    start = map_cpu_now();
    map_keep(g->read(w, reader, keys, n));
    start = map_cpu_now() - start;
    g->leave(reader);
    return start * 1e9 / (double)n;
}

/* Short turns, many of them: what others on the machine do meets all guards alike. All read the same epoch. */
static void run_alone(world *w, uint32_t rounds) {
    size_t turns = rounds * (size_t)SLICES, n = w->probe_count / SLICES, i, k;
    double *ns = bench_alloc(turns * GUARD_COUNT, sizeof *ns), *x = bench_alloc(turns, sizeof *x);
    char name[64];

    w->current->e = psh_ranges_current(w->live);
    for (k = 0; k < turns; k++)
        for (i = 0; i < GUARD_COUNT; i++)
            ns[k * GUARD_COUNT + i] = time_guard(w, &GUARDS[i], w->probes + k % SLICES * n, n);
    w->current->e = psh_ranges_current(w->fixed);
    for (i = 0; i < GUARD_COUNT; i++) {
        for (k = 0; k < turns; k++)
            x[k] = ns[k * GUARD_COUNT + i];
        snprintf(name, sizeof name, "%s_ns", GUARDS[i].name);
        map_figure("readers", name, map_median(x, turns), "ns", "a lookup, one thread, no writer");
        for (k = 0; k < turns; k++)
            x[k] = ns[k * GUARD_COUNT + i] - ns[k * GUARD_COUNT];
        snprintf(name, sizeof name, "%s_over_raw", GUARDS[i].name);
        if (i)
            map_figure("readers", name, map_median(x, turns), "ns", "the median of the turns' differences");
    }
    free(ns);
    free(x);
}

/* ---- threads ---- */

typedef struct task {
    world *w;
    const guard *g;
    uint64_t lookups;
    uint32_t from; /* where in the probes it begins */
    double cpu;    /* seconds that the thread had */
} task;

static void *read_on(void *user) {
    task *t = user;
    psh_ranges_reader *reader;
    uint32_t at = t->from;

    t->g->enter(t->w, &reader);
    while (!atomic_load_explicit(&t->w->stop, memory_order_relaxed)) {
        map_keep(t->g->read(t->w, reader, t->w->probes + at, CHUNK));
        t->lookups += CHUNK;
        at = at + 2 * CHUNK <= t->w->probe_count ? at + CHUNK : 0;
    }
    t->cpu = map_cpu_now();
    t->g->leave(reader);
    return NULL;
}

static void *write_on(void *user) {
    task *t = user;
    struct timespec pause = { 0, PERIOD };
    uint64_t rng = 2;

    while (!atomic_load_explicit(&t->w->stop, memory_order_relaxed)) {
        nanosleep(&pause, NULL);
        t->g->publish(t->w, &rng);
        t->lookups++;
    }
    return NULL;
}

static void start_thread(pthread_t *thread, void *(*run)(void *), task *t) {
    if (pthread_create(thread, NULL, run, t))
        bench_die(BENCH_INTERNAL, "no thread");
}

/** What one measurement gave, a second. */
typedef struct rates {
    double wall;   /* lookups of all readers */
    double cpu;    /* the same, of seconds in which each had a processor: others on the machine count less */
    double epochs;
} rates;

static rates run_threads(world *w, const guard *g, uint32_t readers) {
    task tasks[3] = { { w, g, 0, 0, 1 }, { w, g, 0, w->probe_count / 2, 1 }, { w, g, 0, 0, 1 } };
    struct timespec span = { 0, (long)(SPAN * 1e9) };
    pthread_t threads[3];
    double start = bench_now();
    uint32_t i;

    atomic_store(&w->stop, 0);
    for (i = 0; i < readers; i++)
        start_thread(&threads[i], read_on, &tasks[i]);
    start_thread(&threads[2], write_on, &tasks[2]);
    nanosleep(&span, NULL);
    atomic_store(&w->stop, 1);
    for (i = 0; i < readers; i++)
        pthread_join(threads[i], NULL);
    pthread_join(threads[2], NULL);
    start = bench_now() - start;
    return (rates){ (double)(tasks[0].lookups + tasks[1].lookups) / start,
        (double)tasks[0].lookups / tasks[0].cpu + (double)tasks[1].lookups / tasks[1].cpu,
        (double)tasks[2].lookups / start };
}

/* Figures of one guard from pairs: one reader, two readers. */
static void guard_figures(const guard *g, const rates (*r)[2], uint32_t rounds) {
    double *x = bench_alloc(rounds, sizeof *x);
    char name[64];
    uint32_t k;

    for (k = 0; k < rounds; k++)
        x[k] = r[k][1].wall / r[k][0].wall;
    snprintf(name, sizeof name, "%s_two_over_one", g->name);
    map_figure("readers", name, map_median(x, rounds), "ratio", "lookups/s of 2 threads over 1");
    for (k = 0; k < rounds; k++)
        x[k] = r[k][1].cpu / r[k][0].cpu;
    snprintf(name, sizeof name, "%s_two_over_one_cpu", g->name);
    map_figure("readers", name, map_median(x, rounds), "ratio", "the same by CPU time");
    for (k = 0; k < rounds; k++)
        x[k] = r[k][1].wall / 1e6;
    snprintf(name, sizeof name, "%s_two_rate", g->name);
    map_figure("readers", name, map_median(x, rounds), "M/s", "lookups of 2 threads");
    for (k = 0; k < rounds; k++)
        x[k] = r[k][1].epochs;
    snprintf(name, sizeof name, "%s_epochs", g->name);
    map_figure("readers", name, map_median(x, rounds), "1/s", "published meanwhile");
    free(x);
}

static void run_guarded(world *w, uint32_t rounds) {
    rates (*r)[2] = bench_alloc(rounds * GUARD_COUNT, sizeof *r);
    uint32_t k, readers;
    size_t i;

    for (k = 0; k < rounds; k++)
        for (i = 1; i < GUARD_COUNT; i++)
            for (readers = 1; readers <= 2; readers++)
                r[i * rounds + k][readers - 1] = run_threads(w, &GUARDS[i], readers);
    for (i = 1; i < GUARD_COUNT; i++)
        guard_figures(&GUARDS[i], (const rates (*)[2])(r + i * rounds), rounds);
    free(r);
}

/* ---- a reader that stalls ---- */

static double publish_thousand(world *w, uint64_t *rng) {
    double start = map_cpu_now();
    uint32_t i;

    for (i = 0; i < 1000; i++)
        publish_ours(w, rng);
    return (map_cpu_now() - start) * 1e6 / 1000;
}

static void run_stalled(world *w) {
    psh_ranges_stats stats = { .struct_size = sizeof stats };
    psh_ranges_reader *reader;
    uint64_t rng = 1;
    double free_us = publish_thousand(w, &rng), stalled_us;

    bench_must(psh_ranges_reader_create(w->live, &reader), "reader", NULL);
    psh_ranges_pin(reader);
    stalled_us = publish_thousand(w, &rng);
    bench_must(psh_ranges_get_stats(w->live, &stats), "stats", NULL);
    bench_figure("stalled_retired", (double)stats.retired, "epochs", "1,000 epochs after a reader stalled");
    bench_figure("stalled_lag", (double)(stats.number - stats.oldest_pinned), "epochs", "current less pinned");
    bench_figure("stalled_waiting", (double)stats.bytes_waiting / 1e6, "MB", "of pages that wait for it");
    bench_figure("stalled_publish", stalled_us, "us", "one change meanwhile");
    bench_figure("free_publish", free_us, "us", "one change without it");
    psh_ranges_unpin(reader);
    bench_must(psh_ranges_get_stats(w->live, &stats), "stats", NULL);
    bench_figure("stalled_retired_after", (double)stats.retired, "epochs", "once it has let go");
    psh_ranges_reader_destroy(reader);
}

static psh_ranges *open_map(const world *w, const uint32_t *owners) {
    psh_ranges_options o;
    psh_ranges *map;

    bench_must(psh_ranges_options_init(&o, sizeof o), "options", NULL);
    bench_must(psh_ranges_create(w->env, &o, &map, NULL), "ranges", NULL);
    bench_must(psh_ranges_build_u64(map, w->boundaries, owners, w->n, NULL), "build", NULL);
    return map;
}

int bench_map_readers(const map_options *o) {
    uint32_t sizes[8], *owners, i;
    world w = { .probe_count = o->probes < 2 * CHUNK ? 2 * CHUNK : o->probes };

    if (map_sizes(o, "100000", sizes) != 1)
        bench_die(BENCH_USAGE, "--entries: readers takes one size");
    w.n = sizes[0];
    w.boundaries = map_boundaries(MAP_UNIFORM, w.n);
    w.probes = map_probes(w.boundaries, w.n, 0, w.probe_count);
    owners = bench_alloc(w.n, sizeof *owners);
    for (i = 0; i < w.n; i++)
        owners[i] = i;
    bench_must(psh_env_create(NULL, &w.env, NULL), "env", NULL);
    w.live = open_map(&w, owners);
    w.fixed = open_map(&w, owners);
    w.current = new_box(&w);
    pthread_rwlock_init(&w.lock, NULL);
    run_alone(&w, o->rounds);
    run_guarded(&w, o->rounds);
    run_stalled(&w);
    pthread_rwlock_destroy(&w.lock);
    free(w.current);
    psh_ranges_destroy(w.live);
    psh_ranges_destroy(w.fixed);
    psh_env_destroy(w.env);
    free(owners);
    free(w.probes);
    free(w.boundaries);
    return 0;
}
