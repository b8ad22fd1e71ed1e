/* SPDX-License-Identifier: MIT */
/* How long a plan takes, and a day of ten thousand nodes in seconds. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"
#include "tool.h"

static const char usage[] =
    "usage: replay planning [--items N] [--hosts N] [--steps N] [--simulate] [--nodes N] [--ticks N] [--tsv]\n"
    "  --items N --hosts N  ms of one plan at that size; default 4,096 on 64, 65,536 on 256, 1,048,576 on 1,000\n"
    "  --steps N            most steps of a plan; default 64\n"
    "  --simulate           instead: loads of --nodes nodes (default 10,000) drift for --ticks seconds (default\n"
    "                       86,400), with a plan when the fullest node is above the tolerance and the last plan\n"
    "                       is 5 s old; done twice, digests compared";

/* Seconds between plans, at least: what was planned takes time to be done. */
#define PAUSE 5u

/* A long tail of loads: 1 / (u + 1/100), u uniform, so that the busiest are a hundred times as busy as the
 * least. */
static double tail(uint64_t *seed) {
    return 1 / (bench_uniform(seed) + 0.01);
}

static psh_heat *make_items(size_t n, uint32_t hosts, uint64_t *seed) {
    psh_heat *h = bench_alloc(n, sizeof *h);
    size_t i;

    for (i = 0; i < n; i++) {
        h[i].id = i + 1;
        h[i].next = i + 2 <= n ? i + 2 : 0;
        h[i].bytes = 1 + bench_random(seed) % 1000000;
        h[i].writes = tail(seed);
        h[i].reads = tail(seed);
        h[i].max_parts = 16;
        h[i].node = hosts ? (uint32_t)(bench_random(seed) % hosts) : PSH_NONE;
    }
    return h;
}

static psh_heat_node *make_nodes(uint32_t hosts) {
    psh_heat_node *n = bench_alloc(hosts, sizeof *n);
    uint32_t i;

    for (i = 0; i < hosts; i++)
        n[i] = (psh_heat_node){ .node = i, .capacity = 1, .free_bytes = UINT64_MAX / 2 };
    return n;
}

static psh_balance_options options_of(uint32_t steps) {
    psh_balance_options o;

    bench_must(psh_balance_options_init(&o, sizeof o), "options", NULL);
    o.max_steps = steps;
    return o;
}

static void one_size(psh_env *env, size_t items, uint32_t hosts, uint32_t steps, int placed) {
    psh_balance_options o = options_of(steps);
    uint64_t seed = 1;
    psh_heat *h = make_items(items, placed ? hosts : 0, &seed);
    psh_heat_node *n = make_nodes(hosts);
    psh_balance *b = NULL;
    double best = 0, start;
    char name[96], note[160];
    int round;

    for (round = 0; round < 5; round++) {
        psh_balance_destroy(b);
        start = bench_now();
        bench_must(psh_balance_create(env, &o, h, items, sizeof *h, n, hosts, sizeof *n, &b, NULL), "plan", NULL);
        start = bench_now() - start;
        best = round == 0 || start < best ? start : best;
    }
    snprintf(name, sizeof name, "plan_ms_%zu_%" PRIu32 "%s", items, hosts, placed ? "" : "_all_new");
    snprintf(note, sizeof note, "%zu steps of at most %" PRIu32 ", fullest node %.3f -> %.3f of the mean",
        psh_balance_count(b), steps, psh_balance_before(b), psh_balance_after(b));
    bench_figure(name, best * 1e3, "ms", note);
    psh_balance_destroy(b);
    free(h);
    free(n);
}

/* One day. */
typedef struct day {
    psh_env *env;
    psh_heat *item;
    size_t items;
    psh_heat_node *node;
    uint32_t nodes;
    double *load;      /* by node */
    double *pull;      /* what an item's load is drawn back to */
    uint64_t seed;
    uint64_t digest;
    uint64_t plans;
    uint64_t steps;
    uint64_t busy;     /* ticks on which some node was above the tolerance */
} day;

static void mix(day *d, uint64_t x) {
    d->digest = (d->digest ^ x) * UINT64_C(0x9e3779b97f4a7c15);
    d->digest ^= d->digest >> 29;
}

/* A load goes up or down by up to 2 %, and a little back to where it came from: a random walk that stays. */
static void drift(day *d, size_t i, uint64_t r) {
    double step = (double)(r & 1023) / 512 - 1, was = d->item[i].writes;

    d->item[i].writes += 0.02 * was * step + 0.002 * (d->pull[i] - was);
    d->load[d->item[i].node] += d->item[i].writes - was;
}

/* One in 16 items changes in a second, another sixteenth each time. */
static void tick(day *d, uint64_t t) {
    uint64_t r = 0;
    size_t i, n = 0;

    for (i = t % 16; i < d->items; i += 16, n++) {
        r = n % 6 ? r >> 10 : bench_random(&d->seed);
        drift(d, i, r);
    }
}

static double fullest(const day *d) {
    double most = 0, sum = 0;
    uint32_t i;

    for (i = 0; i < d->nodes; i++) {
        most = d->load[i] > most ? d->load[i] : most;
        sum += d->load[i];
    }
    return most * d->nodes / sum;
}

static void plan(day *d, const psh_balance_options *o) {
    psh_balance_step s;
    psh_balance *b = NULL;
    double load;
    size_t i;

    bench_must(psh_balance_create(
        d->env, o, d->item, d->items, sizeof *d->item, d->node, d->nodes, sizeof *d->node, &b, NULL), "plan", NULL);
    d->plans++;
    d->steps += psh_balance_count(b);
    for (i = 0; i < psh_balance_count(b); i++) {
        bench_must(psh_balance_get(b, i, &s), "step", NULL);
        load = d->item[s.item - 1].writes;
        d->item[s.item - 1].node = s.to;
        d->load[s.from] -= load;
        d->load[s.to] += load;
        mix(d, s.item);
        mix(d, s.to);
    }
    psh_balance_destroy(b);
}

/* Sums drift by rounding: made anew now and then. */
static void sum_up(day *d) {
    size_t i;

    memset(d->load, 0, d->nodes * sizeof *d->load);
    for (i = 0; i < d->items; i++)
        d->load[d->item[i].node] += d->item[i].writes;
}

static uint64_t one_day(psh_env *env, uint32_t nodes, uint32_t ticks, uint32_t steps, day *d) {
    psh_balance_options o = options_of(steps);
    uint64_t t, bits, due = 0;
    size_t i;

    memset(d, 0, sizeof *d);
    *d = (day){ .env = env, .items = (size_t)nodes * 10, .nodes = nodes, .seed = 7 };
    d->item = make_items(d->items, nodes, &d->seed);
    d->node = make_nodes(nodes);
    d->load = bench_alloc(nodes, sizeof *d->load);
    d->pull = bench_alloc(d->items, sizeof *d->pull);
    o.flags = PSH_BALANCE_NO_SPLIT | PSH_BALANCE_NO_MERGE | PSH_BALANCE_NO_REPLICA;
    o.tolerance = 0.25;
    for (i = 0; i < d->items; i++) {
        d->item[i].writes = d->pull[i] = 1 + 9 * bench_uniform(&d->seed);
        d->item[i].reads = 0;
    }
    for (t = 0; t < ticks; t++) {
        if (t % 600 == 0)
            sum_up(d);
        tick(d, t);
        if (fullest(d) <= 1 + o.tolerance)
            continue;
        d->busy++;
        if (t < due)
            continue;
        plan(d, &o);
        due = t + PAUSE;
    }
    for (i = 0; i < d->items; i++) {
        memcpy(&bits, &d->item[i].writes, sizeof bits);
        mix(d, bits ^ d->item[i].node);
    }
    free(d->item);
    free(d->node);
    free(d->load);
    free(d->pull);
    return d->digest;
}

static int simulate(psh_env *env, uint32_t nodes, uint32_t ticks, uint32_t steps) {
    double start = bench_now(), took;
    uint64_t first, second;
    char note[160];
    day d;

    first = one_day(env, nodes, ticks, steps, &d);
    took = bench_now() - start;
    snprintf(note, sizeof note, "%" PRIu32 " nodes, %zu items, %" PRIu32 " ticks, %" PRIu64 " plans, %" PRIu64
        " moves", nodes, d.items, ticks, d.plans, d.steps);
    bench_figure("simulate_s", took, "s", note);
    bench_figure("simulate_busy", (double)d.busy / (ticks ? ticks : 1), "share", "of ticks with a node too full");
    second = one_day(env, nodes, ticks, steps, &d);
    snprintf(note, sizeof note, "digest %016" PRIx64, second);
    bench_figure("simulate_identical", first == second, "bool", note);
    return first == second ? 0 : BENCH_INTERNAL;
}

int replay_planning(int argc, char **argv) {
    uint32_t items = 0, hosts = 0, steps = 64, nodes = 10000, ticks = 86400;
    int only_simulate = 0, code = 0;
    const bench_option options[] = {
        { "--items", BENCH_COUNT, &items, 0 },           { "--hosts", BENCH_COUNT, &hosts, 0 },
        { "--steps", BENCH_COUNT, &steps, 0 },           { "--nodes", BENCH_COUNT, &nodes, 0 },
        { "--simulate", BENCH_FLAG, &only_simulate, 0 }, { "--ticks", BENCH_COUNT, &ticks, 0 },
    };
    psh_env *env = NULL;

    bench_args(argc, argv, usage, options, sizeof options / sizeof *options);
    if (!items != !hosts)
        bench_die(BENCH_USAGE, "--items and --hosts go together\n%s", usage);
    if (!nodes)
        bench_die(BENCH_USAGE, "--nodes: at least 1\n%s", usage);
    bench_must(psh_env_create(NULL, &env, NULL), "env", NULL);
    if (only_simulate) {
        code = simulate(env, nodes, ticks, steps);
    } else if (items) {
        one_size(env, items, hosts, steps, 1);
        one_size(env, items, hosts, steps, 0);
    } else {
        one_size(env, 4096, 64, steps, 1);
        one_size(env, 65536, 256, steps, 1);
        one_size(env, 1048576, 1000, steps, 1);
        one_size(env, 1048576, 1000, steps, 0);
    }
    psh_env_destroy(env);
    return code;
}
