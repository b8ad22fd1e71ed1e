/* SPDX-License-Identifier: MIT */
/* Base legs where tenants change their segment and partitions have copies, judged by looking at everything. */
#include "base/rng.h"
#include "test.h"

#define DAYS 12
#define ARCS 4
#define NODES 6
#define TENANTS 9

typedef struct fixture {
    test_alloc al;
    psh_env *env;
    psh_schema *schema;
    psh_world *world;
    psh_router *router;
    psh_route *route;
} fixture;

static uint64_t below(uint64_t *seed, uint64_t n) {
    return (pshi_rng_next(seed) >> 33) % n;
}

static psh_value name_of(uint64_t tenant) {
    static const char *const names[TENANTS] = { "ATL", "BOS", "CLE", "DEN", "EWR", "FLL", "GRB", "HNL", "IAD" };

    return test_text(names[tenant]);
}

static uint64_t tenant_of(uint64_t i) {
    psh_value v = name_of(i);

    return psh_tenant_id(&v);
}

static void add_interval(psh_world_draft *d, int64_t day, uint64_t *seed) {
    uint64_t width = (UINT64_C(1) << 62);
    psh_partition p = { 0 };
    psh_replica r = { 0 };
    size_t i;
    uint32_t node;

    for (i = 0; i < ARCS; i++) {
        p.interval = day;
        p.arc_first = i * width;
        p.arc_last = p.arc_first + (width - 1);
        p.id = psh_partition_id(0, day, p.arc_first);
        p.state = PSH_PARTITION_ACTIVE;
        p.node = (uint32_t)below(seed, NODES);
        p.time_from = day * PSH_DAY;
        p.time_to = p.time_from + PSH_DAY;
        p.first_write = PSH_TIME_NONE;
        assert_ok(psh_world_draft_add_partition(d, &p));
        for (node = 0; node < NODES; node++) {
            if (node == p.node || below(seed, 2))
                continue;
            r = (psh_replica){ p.id, node, 1, 1 + (uint32_t)below(seed, 2), 0, PSH_TIME_NONE };
            r.ready_at = r.state == PSH_REPLICA_READY ? 1 : PSH_TIME_NONE;
            assert_ok(psh_world_draft_add_replica(d, &r));
        }
    }
}

static void setup(fixture *f, uint64_t *seed) {
    psh_world_draft *d = NULL;
    psh_assignment a = { 0 };
    int64_t day;
    uint64_t t;

    memset(f, 0, sizeof *f);
    f->env = test_env(&f->al);
    f->schema = test_flights_schema(f->env);
    assert_ok(psh_world_draft_create(f->env, f->schema, 1, 0, &d));
    for (day = 0; day < DAYS; day++)
        add_interval(d, day, seed);
    for (t = 0; t < TENANTS; t++) {
        for (day = -1; day < DAYS && t % 3; day += 1 + (int64_t)below(seed, 5)) {
            a.tenant = tenant_of(t);
            a.segment = (uint32_t)below(seed, 50);
            /* One that begins within a day holds from the next day on. */
            a.from = day < 0 ? PSH_TIME_MIN : day * PSH_DAY - (int64_t)below(seed, 2) * PSH_HOUR;
            assert_ok(psh_world_draft_add_assignment(d, &a));
        }
    }
    assert_ok(psh_world_create(d, &f->world, NULL));
    psh_world_draft_destroy(d);
    assert_ok(psh_router_create(f->env, NULL, &f->router, NULL));
    assert_ok(psh_route_create(f->router, &f->route));
}

static void teardown(fixture *f) {
    psh_route_destroy(f->route);
    psh_router_destroy(f->router);
    psh_world_unref(f->world);
    psh_schema_unref(f->schema);
    psh_env_destroy(f->env);
    assert_int_equal(f->al.live, 0);
}

/* A query of some tenants, or of all when there are none. */
static psh_query *ask(fixture *f, const uint64_t *tenants, size_t n, int64_t from, int64_t to) {
    psh_value v[TENANTS];
    psh_predicate p = { 0, PSH_OP_IN, v, n };
    psh_aggregate count = { PSH_AGG_COUNT, PSH_NONE };
    psh_query_spec s;
    psh_query *q = NULL;
    size_t i;

    for (i = 0; i < n; i++)
        v[i] = name_of(tenants[i]);
    psh_query_spec_init(&s, sizeof s);
    s.predicates = &p;
    s.predicate_count = n > 0;
    s.aggregates = &count;
    s.aggregate_count = 1;
    s.bucket_ns = PSH_HOUR;
    s.time_from = from;
    s.time_to = to;
    assert_ok(psh_query_create(f->env, f->schema, &s, &q, NULL));
    return q;
}

static void run_route(fixture *f, const psh_query *q) {
    psh_route_request r = { .struct_size = sizeof r, .query = q, .now = 5 };
    uint64_t calls = f->al.calls;

    assert_ok(psh_router_route(f->router, f->world, &r, f->route));
    assert_true(f->al.calls == calls);
}

static int can_be_read_at(const psh_world *w, const psh_partition *p, uint32_t node, uint32_t tier) {
    const psh_replica *r;
    size_t n, i;

    if (p->node == node)
        return p->tier == tier;
    r = psh_world_replicas(w, p->id, &n);
    for (i = 0; i < n; i++)
        if (r[i].node == node)
            return r[i].state == PSH_REPLICA_READY && r[i].tier == tier;
    return 0;
}

/* How often the route reads a partition; every source must be one that may be read. */
static size_t times_read(fixture *f, const psh_partition *p) {
    size_t i, k, n = 0;
    psh_leg l;

    for (i = 0; psh_route_leg(f->route, i, &l) == PSH_OK; i++) {
        for (k = 0; k < l.partition_count; k++) {
            if (l.partitions[k] != p)
                continue;
            assert_true(can_be_read_at(f->world, p, l.node, l.tier));
            n++;
        }
    }
    return n;
}

static int is_asked_for(
    fixture *f, const psh_partition *p, const uint64_t *tenants, size_t n, int64_t from, int64_t to) {
    uint64_t point;
    size_t i;

    if (p->time_from >= to || p->time_to <= from)
        return 0;
    for (i = 0; i < n; i++) {
        point = psh_world_point(f->world, 0, tenant_of(tenants[i]), p->time_from);
        if (p->arc_first <= point && point <= p->arc_last)
            return 1;
    }
    return n == 0;
}

static void test_legs_follow_segments_and_copies(void **state) {
    uint64_t seed = 3, tenants[TENANTS];
    size_t world, round, n, i;
    const psh_partition *p;
    int64_t from, to;
    psh_query *q;
    fixture f;

    (void)state;
    for (world = 0; world < 40; world++) {
        setup(&f, &seed);
        for (round = 0; round < 40; round++) {
            n = below(&seed, 4);
            for (i = 0; i < n; i++)
                tenants[i] = below(&seed, TENANTS);
            from = (int64_t)below(&seed, DAYS * 24) * PSH_HOUR;
            to = from + (int64_t)(1 + below(&seed, DAYS * 24)) * PSH_HOUR;
            q = ask(&f, tenants, n, from, to);
            run_route(&f, q);
            for (i = 0; i < psh_world_partition_count(f.world); i++) {
                p = psh_world_partition(f.world, i);
                assert_int_equal(times_read(&f, p), is_asked_for(&f, p, tenants, n, from, to));
            }
            psh_query_unref(q);
        }
        teardown(&f);
    }
}

/* Different queries spread over owner and ready copies alike; the same one comes back to the same. */
static void test_queries_spread(void **state) {
    size_t counts[NODES] = { 0 }, queries = 2000, round, node, sources = 0;
    const psh_partition *p;
    uint64_t seed = 9;
    psh_query *q;
    fixture f;
    psh_leg l, again;

    (void)state;
    setup(&f, &seed);
    p = psh_world_partition(f.world, 5);
    for (round = 0; round < queries; round++) {
        uint64_t tenant = 0;

        q = ask(&f, &tenant, 1, p->time_from, p->time_from + (int64_t)(1 + round) * PSH_SECOND);
        run_route(&f, q);
        assert_int_equal(psh_route_leg_count(f.route), 1);
        assert_ok(psh_route_leg(f.route, 0, &l));
        run_route(&f, q);
        assert_ok(psh_route_leg(f.route, 0, &again));
        assert_true(l.node == again.node && l.tier == again.tier);
        p = l.partitions[0];
        counts[l.node]++;
        psh_query_unref(q);
    }
    for (node = 0; node < NODES; node++)
        sources += can_be_read_at(f.world, p, (uint32_t)node, node == p->node ? p->tier : 1);
    assert_true(sources > 1);
    for (node = 0; node < NODES; node++) {
        if (!can_be_read_at(f.world, p, (uint32_t)node, node == p->node ? p->tier : 1))
            assert_int_equal(counts[node], 0);
        else
            assert_in_range(counts[node], queries / sources * 4 / 5, queries / sources * 6 / 5);
    }
    teardown(&f);
}

static void test_writes_go_to_the_owner(void **state) {
    uint64_t seed = 21, tenant;
    psh_placement at;
    fixture f;
    int64_t time;
    size_t i;

    (void)state;
    setup(&f, &seed);
    for (i = 0; i < 4000; i++) {
        tenant = tenant_of(below(&seed, TENANTS));
        time = (int64_t)below(&seed, DAYS * 24 * 3600) * PSH_SECOND;
        assert_ok(psh_router_write(f.router, f.world, 0, tenant, time, &at));
        assert_ptr_equal(at.partition,
            psh_world_locate(f.world, 0, time, psh_world_point(f.world, 0, tenant, time)));
        assert_false(at.quarantined);
    }
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_legs_follow_segments_and_copies),
        cmocka_unit_test(test_queries_spread),
        cmocka_unit_test(test_writes_go_to_the_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
