/* SPDX-License-Identifier: MIT */
/* What one change costs in large maps of several shapes: bytes and calls of publishing and of catching up. */
#include "share_stage.h"

#include <time.h>

#define NOW TEST_T0
#define CHANGES 100u

/* The largest map is of the bound's; the others show how the cost grows. */
static const struct shape {
    uint32_t days, arcs;
} shapes[] = { { 100, 10 }, { 100, 100 }, { 625, 16 }, { 6250, 16 }, { 100000, 1 }, { 2, 50000 } };

typedef struct cost {
    uint64_t calls, bytes, blobs;
} cost;

typedef struct stage {
    psh_env *env;
    psh_schema *schema;
    memory_host *host;
    store out, in;
    psh_kv out_kv, in_kv;
    psh_share *leader, *reader;
} stage;

static psh_partition partition_at(const struct shape *s, uint32_t day, uint32_t arc) {
    uint64_t width = UINT64_MAX / s->arcs + (s->arcs > 1);
    psh_partition p;

    memset(&p, 0, sizeof p);
    p.state = PSH_PARTITION_ACTIVE;
    p.ordinal = arc;
    p.interval = (int64_t)day - 20000;
    p.time_from = p.interval * PSH_DAY;
    p.time_to = p.time_from + PSH_DAY;
    p.arc_first = arc * width;
    p.arc_last = arc + 1 == s->arcs ? UINT64_MAX : (arc + 1) * width - 1;
    p.id = psh_partition_id(0, p.interval, p.arc_first);
    p.node = arc % 8;
    p.rows = 1000000 + day * 31 + arc;
    p.bytes = p.rows * 120;
    p.bytes_planned = UINT64_C(64) << 20;
    p.last_position = 5000000 + day;
    p.created_at = p.time_from - PSH_DAY;
    p.first_write = p.time_from + 5;
    return p;
}

static psh_world *large_world(stage *t, const struct shape *s) {
    psh_world_draft *d = NULL;
    psh_world *w = NULL;
    psh_partition p;
    uint32_t i, j;

    assert_ok(psh_world_draft_create(t->env, t->schema, 1, NOW, &d));
    for (i = 0; i < s->days; i++)
        for (j = 0; j < s->arcs; j++) {
            p = partition_at(s, i, j);
            assert_ok(psh_world_draft_add_partition(d, &p));
        }
    assert_ok(psh_world_create(d, &w, NULL));
    psh_world_draft_destroy(d);
    return w;
}

/* The next epoch: one partition took rows. */
static psh_world *next_world(stage *t, psh_world *before, size_t changed) {
    psh_partition p = *psh_world_partition(before, changed);
    psh_world_draft *d = NULL;
    psh_world *w = NULL;

    assert_ok(psh_world_draft_create(t->env, t->schema, psh_world_epoch(before) + 1, NOW, &d));
    assert_ok(psh_world_draft_base(d, before));
    p.rows++;
    assert_ok(psh_world_draft_add_partition(d, &p));
    assert_ok(psh_world_create(d, &w, NULL));
    psh_world_draft_destroy(d);
    psh_world_unref(before);
    return w;
}

static cost spent(const psh_share *s, const store *way) {
    psh_share_stats x = { .struct_size = sizeof x };
    cost c = { 0 };

    assert_ok(psh_share_get_stats(s, &x));
    c.calls = way->calls;
    c.bytes = x.bytes_written + x.bytes_read;
    c.blobs = x.blobs_written + x.blobs_read;
    return c;
}

static void open_stage(stage *t, test_alloc *alloc) {
    memset(t, 0, sizeof *t);
    t->env = test_env(alloc);
    t->schema = test_flights_schema(t->env);
    t->host = memory_host_create(t->schema);
    t->out_kv = store_kv(&t->out, t->host);
    t->in_kv = store_kv(&t->in, t->host);
    assert_ok(psh_share_create(t->env, t->schema, &t->out_kv, NULL, &t->leader, NULL));
    assert_ok(psh_share_create(t->env, t->schema, &t->in_kv, NULL, &t->reader, NULL));
    assert_ok(psh_share_lead(t->leader, NOW, NULL, NULL));
}

static void close_stage(stage *t, const test_alloc *alloc) {
    psh_share_destroy(t->leader);
    psh_share_destroy(t->reader);
    memory_host_destroy(t->host);
    psh_schema_unref(t->schema);
    psh_env_destroy(t->env);
    assert_int_equal(alloc->live, 0);
}

static double pass_world(stage *t, psh_world *w, double *follow) {
    clock_t a = clock(), b, c;
    psh_world *got = NULL;

    assert_ok(psh_share_publish(t->leader, w, NOW, NULL));
    b = clock();
    assert_ok(psh_share_catch_up(t->reader, 0, &got, NULL));
    c = clock();
    assert_int_equal(psh_world_epoch(got), psh_world_epoch(w));
    psh_world_unref(got);
    *follow += (double)(c - b) / CLOCKS_PER_SEC;
    return (double)(b - a) / CLOCKS_PER_SEC;
}

static void measure(const struct shape *s) {
    stage t;
    test_alloc alloc;
    psh_world *w;
    cost first, read_first, before, read_before, after, read_after;
    uint64_t taken;
    uint64_t rng = 11, most = 0;
    double publish = 0, follow = 0, full, full_read = 0;
    uint32_t i, n = s->days * s->arcs;

    open_stage(&t, &alloc);
    w = large_world(&t, s);
    full = pass_world(&t, w, &full_read);
    first = spent(t.leader, &t.out);
    read_first = spent(t.reader, &t.in);
    before = first;
    read_before = read_first;
    taken = alloc.calls;
    for (i = 0; i < CHANGES; i++) {
        w = next_world(&t, w, pshi_rng_next(&rng) % n);
        publish += pass_world(&t, w, &follow);
        after = spent(t.leader, &t.out);
        most = after.bytes - before.bytes > most ? after.bytes - before.bytes : most;
        before = after;
    }
    read_after = spent(t.reader, &t.in);
    print_message("%u x %u: whole %.1f ms, %llu bytes, %llu calls; read %.1f ms, %llu calls; one change: "
        "%.1f ms, %llu bytes on average, %llu at most, %.1f calls; read %.1f ms, %llu bytes, %.1f calls\n",
        s->days, s->arcs, full * 1e3, (unsigned long long)first.bytes, (unsigned long long)first.calls,
        full_read * 1e3, (unsigned long long)read_first.calls, publish * 1e3 / CHANGES,
        (unsigned long long)((before.bytes - first.bytes) / CHANGES), (unsigned long long)most,
        (double)(before.calls - first.calls) / CHANGES, follow * 1e3 / CHANGES,
        (unsigned long long)((read_after.bytes - read_before.bytes) / CHANGES),
        (double)(read_after.calls - read_before.calls) / CHANGES);
    /* Neither end made the world, or its blobs, anew: both are thousands of blocks. */
    assert_true(alloc.calls - taken < 600 * CHANGES);
    /* One blob, the pages above it, the root read and written. */
    assert_true((before.bytes - first.bytes) / CHANGES < (32 << 10));
    assert_true(before.calls - first.calls <= 8 * CHANGES);
    psh_world_unref(w);
    close_stage(&t, &alloc);
}

static void one_change_in_a_large_map(void **state) {
    size_t i;

    (void)state;
    for (i = 0; i < sizeof shapes / sizeof *shapes; i++)
        measure(&shapes[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_change_in_a_large_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
