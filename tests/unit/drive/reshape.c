/* SPDX-License-Identifier: MIT */
/*
 * What the map plans, the ledger places, both begin and the memory host does: over random loads, on nodes that come
 * and go, with a host that fails at times, each row is read once by each world, and the ledger balances.
 */
#include <stdio.h>

#include "test.h"

#include "base/rng.h"

#include <memory_host.h>

#define MIB 1048576.0
#define NODES 4u
#define ROWS 400
#define FAILED 64u

typedef struct fixture {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    psh_map *map;
    psh_tiers *tiers;
    psh_wants *wants;
    psh_world *world;
    psh_worlds *worlds;
    memory_host *host;
    psh_storage storage;
    psh_cdc cdc;
    int64_t now;
    uint64_t epoch;
    uint64_t seed;
    uint64_t rows;
    size_t done[PSH_ACT_MAX + 1];
    size_t refused;       /* actions that ledger, map or host would not begin */
    uint64_t failed[FAILED]; /* of the running plan */
    size_t failed_count;
} fixture;

static void publish(fixture *f) {
    psh_world_draft *d = NULL;
    psh_error err = { .struct_size = sizeof err };

    assert_ok(psh_world_draft_create(f->env, f->schema, ++f->epoch, f->now, &d));
    assert_ok(psh_map_export(f->map, d));
    assert_ok(psh_tiers_export(f->tiers, d));
    psh_world_unref(f->world);
    f->world = NULL;
    if (psh_world_create(d, &f->world, &err) != PSH_OK)
        fail_msg("%s: %s", err.field, err.text);
    assert_ok(psh_worlds_publish(f->worlds, f->world));
    psh_world_draft_destroy(d);
}

static void open_fixture(fixture *f, uint64_t seed) {
    psh_tier_info tiers[NODES];
    static const uint32_t standby[] = { NODES };
    psh_tiers_options t;
    psh_map_options o;
    psh_map_node n[NODES];
    uint32_t i;

    memset(f, 0, sizeof *f);
    f->env = test_env(&f->alloc);
    f->schema = test_flights_schema(f->env);
    f->now = TEST_T0 + PSH_HOUR;
    f->seed = seed;
    memset(tiers, 0, sizeof tiers);
    for (i = 0; i < NODES; i++) {
        tiers[i].node = i + 1;
        tiers[i].capacity_bytes = UINT64_C(1) << 36;
        n[i] = (psh_map_node){ i + 1, PSH_MAP_NODE_UP, 100, UINT64_C(1) << 40 };
    }
    n[NODES - 1].state = PSH_MAP_NODE_STANDBY;
    assert_ok(psh_tiers_options_init(&t, sizeof t));
    t.tiers = tiers;
    t.tier_count = NODES;
    t.standby = standby;
    t.standby_count = 1;
    assert_ok(psh_tiers_create(f->env, &t, &f->tiers, NULL));
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.lead_ns = 0;
    o.busy = 0; /* so that small loads make it split, move and merge */
    o.target_bytes = UINT64_C(1) << 30;
    assert_ok(psh_map_create(f->env, f->schema, &o, &f->map, NULL));
    assert_ok(psh_map_set_nodes(f->map, n, NODES, sizeof *n, NULL));
    assert_ok(psh_wants_create(f->env, &f->wants));
    assert_ok(psh_worlds_create(f->env, 0, &f->worlds));
    f->host = memory_host_create(f->schema);
    memory_host_tables(f->host, &f->storage, &f->cdc, NULL);
    memory_host_set_worlds(f->host, f->worlds);
    publish(f);
}

static void close_fixture(fixture *f) {
    memory_host_destroy(f->host);
    psh_world_unref(f->world);
    psh_worlds_destroy(f->worlds);
    psh_wants_destroy(f->wants);
    psh_map_destroy(f->map);
    psh_tiers_destroy(f->tiers);
    psh_schema_unref(f->schema);
    psh_env_destroy(f->env);
    assert_int_equal(f->alloc.live, 0);
}

static psh_status count(void *user, const psh_value *rows, size_t n) {
    size_t i;

    for (i = 0; i < n; i++)
        ((int *)user)[rows[6 * i + 2].as.i64]++;
    return PSH_OK;
}

static void check_rows(fixture *f, const psh_world *w) {
    int seen[ROWS] = { 0 };
    psh_scan x = { .struct_size = sizeof x, .partition_count = 1, .time_from = PSH_TIME_MIN,
                   .time_to = PSH_TIME_MAX };
    psh_scan_result r = { .struct_size = sizeof r };
    const psh_partition *p;
    size_t i;

    for (i = 0; (p = psh_world_partition(w, i)) != NULL; i++) {
        if (p->state != PSH_PARTITION_ACTIVE && p->state != PSH_PARTITION_SEALED)
            continue;
        x.partitions = &p->id;
        x.infos = p;
        assert_ok(f->storage.scan(f->storage.user, &x, count, seen, &r));
    }
    for (i = 0; i < f->rows; i++)
        if (seen[i] != 1)
            fail_msg("row %d seen %d times", (int)i, seen[i]);
}

static void fill(fixture *f, int n) {
    psh_value row[6];
    char tenant[8];
    const psh_partition *p;

    assert_ok(memory_host_begin(f->host, f->now));
    for (; n > 0 && f->rows < ROWS; n--, f->rows++) {
        snprintf(tenant, sizeof tenant, "T%d", (int)(f->rows % 40));
        test_flight(row, tenant, TEST_T0 + (int64_t)f->rows, (int64_t)f->rows, "LAX", 1, 1);
        p = psh_world_locate(f->world, 0, TEST_T0, psh_world_point(f->world, 0, psh_tenant_id(&row[0]), TEST_T0));
        assert_non_null(p);
        assert_ok(memory_host_insert(f->host, p->id, 0, row));
    }
    assert_ok(memory_host_commit(f->host, NULL));
}

/* One action, as the autopilot does it; the host may be made to fail in it. */
static psh_status run(fixture *f, const psh_action *a, int may_fail) {
    psh_status st = psh_tiers_begin(f->tiers, a);

    if (st != PSH_OK)
        return st;
    st = psh_map_begin(f->map, a);
    if (st == PSH_OK) {
        if (may_fail && pshi_rng_next(&f->seed) % 12 == 0)
            memory_host_fail(f->host, 0, 0);
        st = f->storage.submit(f->storage.user, f->now, a);
        memory_host_fail(f->host, -1, 0);
    }
    assert_ok(psh_map_complete(f->map, a, st, f->now));
    assert_ok(psh_tiers_complete(f->tiers, a, st));
    assert_ok(psh_tiers_check(f->tiers));
    return st;
}

static int waits_for_failed(const fixture *f, const psh_action *a) {
    size_t i, k;

    for (i = 0; i < a->after_count; i++)
        for (k = 0; k < f->failed_count; k++)
            if (a->after[i] == f->failed[k])
                return 1;
    return 0;
}

/* Each row is read once by the world that the plan was made for, and by the one after each action. */
static void run_plan(fixture *f, const psh_plan *plan, const psh_world *before, int may_fail) {
    psh_action a;
    psh_status st;
    size_t i;

    for (i = 0; psh_plan_get(plan, i, &a) == PSH_OK; i++) {
        st = waits_for_failed(f, &a) ? PSH_E_HOST : run(f, &a, may_fail);
        if (st != PSH_OK && f->failed_count < FAILED)
            f->failed[f->failed_count++] = a.id;
        f->done[a.want.kind] += st == PSH_OK;
        f->refused += st != PSH_OK && st != PSH_E_HOST;
        check_rows(f, before);
        publish(f);
        check_rows(f, f->world);
    }
}

static void cycle(fixture *f, int may_fail) {
    psh_world *before = psh_world_ref(f->world);
    psh_plan *plan = NULL;

    f->failed_count = 0;
    psh_wants_clear(f->wants);
    assert_ok(psh_map_propose(f->map, NULL, f->now, f->wants, NULL));
    assert_ok(psh_tiers_place(f->tiers, f->wants, f->schema, f->world, f->now, 1, &plan, NULL));
    run_plan(f, plan, before, may_fail);
    psh_plan_unref(plan);
    psh_world_unref(before);
}

static void random_loads(fixture *f) {
    psh_partition_load l = { .struct_size = sizeof l, .rows = UINT64_MAX };
    const psh_partition *p;
    size_t i;

    for (i = 0; (p = psh_map_get(f->map, i)) != NULL; i++) {
        if (p->state != PSH_PARTITION_ACTIVE || p->flags)
            continue;
        l.reads_per_s = (double)(pshi_rng_next(&f->seed) % 100) * (pshi_rng_next(&f->seed) % 3 == 0);
        l.writes_per_s = (double)(pshi_rng_next(&f->seed) % 60) * (pshi_rng_next(&f->seed) % 3 == 0);
        l.bytes = (uint64_t)(MIB * (double)(1 + pshi_rng_next(&f->seed) % 300));
        assert_ok(psh_map_observe_load(f->map, p->id, &l, f->now));
        psh_tiers_observe_usage(f->tiers, p->id, l.bytes);
    }
}

static size_t live(uint64_t seed, size_t total[PSH_ACT_MAX + 1], int may_fail) {
    fixture f;
    int round;
    size_t i;

    open_fixture(&f, seed);
    cycle(&f, 0);
    cycle(&f, 0);
    for (round = 0; round < 40; round++) {
        fill(&f, 10);
        random_loads(&f);
        if (round % 10 == 9)
            assert_ok(psh_map_resize(f.map, 2 + (uint32_t)(pshi_rng_next(&f.seed) % 3)));
        cycle(&f, may_fail);
        f.now += 2 * PSH_HOUR;
        if (f.now >= TEST_T0 + 22 * PSH_HOUR) /* its interval is never over */
            f.now = TEST_T0 + 22 * PSH_HOUR + round * PSH_MINUTE;
    }
    for (i = 0; i <= PSH_ACT_MAX; i++)
        total[i] += f.done[i];
    i = f.refused;
    close_fixture(&f);
    return i;
}

static void every_kind_was_done(const size_t total[PSH_ACT_MAX + 1]) {
    uint32_t kind;

    for (kind = PSH_ACT_SPLIT_PARTITION; kind <= PSH_ACT_RELEASE_NODE; kind++)
        assert_true(total[kind] > 0);
}

static void what_is_planned_is_done(void **state) {
    size_t total[PSH_ACT_MAX + 1] = { 0 };
    uint64_t seed;

    (void)state;
    for (seed = 1; seed <= 20; seed++)
        assert_int_equal(live(seed, total, 0), 0);
    every_kind_was_done(total);
}

/* A host that fails in one action of twelve: no row is lost, none is read twice, and nothing is planned in vain. */
static void what_fails_harms_nothing(void **state) {
    size_t total[PSH_ACT_MAX + 1] = { 0 };
    uint64_t seed;

    (void)state;
    for (seed = 1; seed <= 20; seed++)
        assert_int_equal(live(seed, total, 1), 0);
    every_kind_was_done(total);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_planned_is_done),
        cmocka_unit_test(what_fails_harms_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
