/* SPDX-License-Identifier: MIT */
/* What the map plans for partitions that are there: from load and size, on nodes that come and go. */
#include "test.h"

#define MIB 1048576.0
#define DAY0 (TEST_T0 / PSH_DAY)
#define TENANTS 40

typedef struct fixture {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    psh_map *map;
    psh_wants *wants;
    int64_t now;
} fixture;

static void run(psh_map *m, psh_action a, int64_t now) {
    assert_ok(psh_map_begin(m, &a));
    assert_ok(psh_map_complete(m, &a, PSH_OK, now));
}

static psh_action action_of(const psh_want *w) {
    psh_action a;

    memset(&a, 0, sizeof a);
    a.want = *w;
    if (a.want.node == PSH_NONE)
        a.want.node = 1;
    if (a.want.tier == PSH_NONE)
        a.want.tier = 0;
    a.id = psh_action_id(w->kind, w->subject, w->generation);
    return a;
}

/* One partition of day 0, all of the ring, active on node 1. */
static void open_fixture(fixture *f, const psh_map_options *options) {
    psh_map_options o;
    psh_action a;
    psh_want w;
    size_t i;

    f->env = test_env(&f->alloc);
    f->schema = test_flights_schema(f->env);
    f->now = TEST_T0 + PSH_HOUR;
    if (options)
        o = *options;
    else
        assert_ok(psh_map_options_init(&o, sizeof o));
    o.lead_ns = 0;
    assert_ok(psh_map_create(f->env, f->schema, &o, &f->map, NULL));
    assert_ok(psh_wants_create(f->env, &f->wants));
    assert_ok(psh_map_propose(f->map, NULL, f->now, f->wants, NULL));
    for (i = 0; i < psh_wants_count(f->wants); i++) {
        assert_ok(psh_wants_get(f->wants, i, &w));
        a = action_of(&w);
        run(f->map, a, TEST_T0);
    }
}

static void close_fixture(fixture *f) {
    psh_wants_destroy(f->wants);
    psh_map_destroy(f->map);
    psh_schema_unref(f->schema);
    psh_env_destroy(f->env);
    assert_int_equal(f->alloc.live, 0);
}

static void set_nodes(fixture *f, uint32_t up, uint32_t standby) {
    psh_map_node n[8];
    uint32_t i;

    for (i = 0; i < up + standby; i++)
        n[i] = (psh_map_node){ i + 1, i < up ? PSH_MAP_NODE_UP : PSH_MAP_NODE_STANDBY, 100, UINT64_C(1) << 40 };
    assert_ok(psh_map_set_nodes(f->map, n, up + standby, sizeof *n, NULL));
}

static const psh_partition *by_id(fixture *f, uint64_t id) {
    size_t i;

    for (i = 0; i < psh_map_count(f->map); i++)
        if (psh_map_get(f->map, i)->id == id)
            return psh_map_get(f->map, i);
    return NULL;
}

static uint64_t first_id(void) {
    return psh_partition_id(0, DAY0, 0);
}

static void load(fixture *f, uint64_t id, double reads, double writes, uint64_t bytes) {
    psh_partition_load l = { .struct_size = sizeof l, .reads_per_s = reads, .writes_per_s = writes,
                             .rows = UINT64_MAX, .bytes = bytes };

    assert_ok(psh_map_observe_load(f->map, id, &l, f->now));
}

static psh_demand_entry tenant(uint64_t id, double rows) {
    psh_demand_entry e;

    memset(&e, 0, sizeof e);
    e.kind = PSH_DEMAND_TENANT;
    e.id = id;
    e.from = TEST_T0;
    e.to = TEST_T0 + PSH_DAY;
    e.count = e.upper = rows;
    e.confidence = 1;
    return e;
}

/* Tenants 1.. of equal weight but for the first, and so many rows on day 0. */
static psh_demand *demand(fixture *f, double rows, double first, uint32_t reason, double zone, int64_t zone_at) {
    psh_demand_entry e[TENANTS + 2];
    psh_demand *d = NULL;
    size_t i, n = 0;

    for (i = 1; i <= TENANTS; i++)
        e[n++] = tenant(i, i == 1 ? first : 1);
    e[n] = tenant(DAY0, rows);
    e[n].kind = PSH_DEMAND_INTERVAL;
    e[n].reason = reason;
    e[n++].bytes_upper = 1;
    if (zone > 0) {
        e[n] = tenant(1, zone * 3600);
        e[n].kind = PSH_DEMAND_ZONE;
        e[n].from = zone_at;
        e[n].to = zone_at + PSH_HOUR;
        e[n].confidence = 0.9;
        e[n++].subject = (psh_subject){ PSH_SUBJECT_TENANT, 0, 1 };
    }
    assert_ok(psh_demand_create(f->env, TEST_T0, PSH_DEMAND_FORECAST, 0.9, e, n, sizeof *e, &d, NULL));
    return d;
}

static size_t propose(fixture *f, const psh_demand *d) {
    psh_wants_clear(f->wants);
    assert_ok(psh_map_propose(f->map, d, f->now, f->wants, NULL));
    return psh_wants_count(f->wants);
}

static size_t count_kind(const fixture *f, uint32_t kind) {
    size_t i, n = 0;
    psh_want w;

    for (i = 0; i < psh_wants_count(f->wants); i++) {
        assert_ok(psh_wants_get(f->wants, i, &w));
        n += w.kind == kind;
    }
    return n;
}

static void world_stands(fixture *f) {
    psh_world_draft *d;
    psh_world *w = NULL;

    assert_ok(psh_world_draft_create(f->env, f->schema, 1, f->now, &d));
    assert_ok(psh_map_export(f->map, d));
    assert_ok(psh_world_create(d, &w, NULL));
    assert_non_null(psh_world_locate(w, 0, TEST_T0, 0));
    assert_non_null(psh_world_locate(w, 0, TEST_T0, UINT64_MAX));
    psh_world_unref(w);
    psh_world_draft_destroy(d);
}

/* Carries out what is wanted, in order, at most `most` actions; the world stands after each. */
static size_t carry_out(fixture *f, size_t most) {
    psh_action a;
    psh_want w;
    size_t i;

    for (i = 0; i < psh_wants_count(f->wants) && i < most; i++) {
        assert_ok(psh_wants_get(f->wants, i, &w));
        a = action_of(&w);
        run(f->map, a, f->now);
        world_stands(f);
    }
    return i;
}

static void a_hot_partition_is_cut_and_spread(void **state) {
    psh_demand *d;
    size_t i, on[4] = { 0 }, round;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    set_nodes(&f, 3, 0);
    d = demand(&f, 150.0 * 86400, 1, 0, 0, 0);
    load(&f, first_id(), 0, 20, (uint64_t)(10 * MIB)); /* so far little: the forecast says it comes */
    for (round = 0; round < 6 && propose(&f, d); round++) {
        carry_out(&f, SIZE_MAX);
        f.now += 2 * PSH_HOUR;
    }
    for (i = 0; i < psh_map_count(f.map); i++)
        on[psh_map_get(f.map, i)->node] += psh_map_get(f.map, i)->flags == 0;
    assert_true(on[1] && on[2] && on[3]);
    assert_int_equal(propose(&f, d), 0); /* and then all is still */
    psh_demand_unref(d);
    close_fixture(&f);
}

static void without_skill_only_what_was_seen_counts(void **state) {
    psh_demand *skilled, *guess;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    set_nodes(&f, 3, 0);
    skilled = demand(&f, 150.0 * 86400, 1, 0, 0, 0);
    guess = demand(&f, 150.0 * 86400, 1, PSH_REASON_NO_SKILL, 0, 0);
    assert_int_equal(propose(&f, guess), 0);
    assert_true(propose(&f, skilled) > 0);
    load(&f, first_id(), 0, 150, (uint64_t)MIB);
    assert_true(propose(&f, guess) > 0);
    psh_demand_unref(skilled);
    psh_demand_unref(guess);
    close_fixture(&f);
}

static void one_tenant_that_is_read_much_gets_replicas_for_a_time(void **state) {
    psh_demand *d;
    size_t round;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    set_nodes(&f, 3, 0);
    d = demand(&f, 1, 1e9, PSH_REASON_NO_SKILL, 0, 0); /* the first tenant is all there is */
    load(&f, first_id(), 280, 1, (uint64_t)MIB);
    for (round = 0; round < 4 && propose(&f, d); round++) {
        carry_out(&f, SIZE_MAX);
        f.now += 2 * PSH_HOUR;
        load(&f, first_id(), 280, 1, (uint64_t)MIB);
    }
    assert_int_equal(psh_map_replica_count(f.map), 2);
    f.now += PSH_DAY / 4; /* the load fades */
    load(&f, first_id(), 0, 1, (uint64_t)MIB);
    for (round = 0; round < 4 && propose(&f, d); round++) {
        carry_out(&f, SIZE_MAX);
        f.now += 2 * PSH_HOUR;
    }
    assert_int_equal(psh_map_replica_count(f.map), 0);
    psh_demand_unref(d);
    close_fixture(&f);
}

static void a_leaving_node_is_emptied_and_released(void **state) {
    size_t round, i, released = 0;
    psh_map_node n;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    set_nodes(&f, 2, 0);
    load(&f, first_id(), 1, 1, (uint64_t)(200 * MIB));
    assert_ok(psh_map_set_nodes(f.map, (psh_map_node[2]){ { 1, PSH_MAP_NODE_LEAVING, 100, 0 },
                                                          { 2, PSH_MAP_NODE_UP, 100, UINT64_C(1) << 40 } },
        2, sizeof n, NULL));
    for (round = 0; round < 6 && propose(&f, NULL); round++) {
        released += count_kind(&f, PSH_ACT_RELEASE_NODE);
        carry_out(&f, SIZE_MAX);
        f.now += 2 * PSH_HOUR;
    }
    for (i = 0; i < psh_map_count(f.map); i++)
        assert_int_equal(psh_map_get(f.map, i)->node, 2);
    assert_int_equal(released, 1);
    assert_ok(psh_map_node_at(f.map, 0, &n));
    assert_int_equal(n.state, PSH_MAP_NODE_STANDBY);
    assert_int_equal(psh_map_replica_count(f.map), 0);
    close_fixture(&f);
}

static void a_copy_goes_in_bounded_steps_and_resumes(void **state) {
    psh_buffer *b;
    psh_map *copy;
    psh_want w;
    size_t i, steps = 0;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    load(&f, first_id(), 1, 1, (uint64_t)(200 * MIB));
    assert_ok(psh_map_set_nodes(f.map, (psh_map_node[2]){ { 1, PSH_MAP_NODE_LEAVING, 100, 0 },
                                                          { 2, PSH_MAP_NODE_UP, 100, UINT64_C(1) << 40 } },
        2, sizeof(psh_map_node), NULL));
    assert_true(propose(&f, NULL) > 6);
    for (i = 0; i < psh_wants_count(f.wants); i++) {
        assert_ok(psh_wants_get(f.wants, i, &w));
        if (w.kind != PSH_ACT_REPLICATE_PARTITION || w.subject != first_id())
            continue;
        steps++;
        assert_int_equal(w.steps, 4); /* 200 MiB by 64 */
        assert_true(w.resources.bytes <= 64 * MIB);
    }
    assert_int_equal(steps, 4);
    for (i = 0; i < psh_wants_count(f.wants); i++) { /* two steps, then the process dies */
        psh_action a;

        assert_ok(psh_wants_get(f.wants, i, &w));
        a = action_of(&w);
        if (w.subject == first_id() && w.kind == PSH_ACT_REPLICATE_PARTITION && w.step <= 2)
            run(f.map, a, f.now);
    }
    assert_ok(psh_buffer_create(f.env, &b));
    assert_ok(psh_map_save(f.map, b));
    assert_ok(psh_map_load(f.env, f.schema, psh_buffer_data(b), psh_buffer_size(b), 0, &copy, NULL));
    psh_map_destroy(f.map);
    f.map = copy;
    propose(&f, NULL);
    for (i = 0, steps = 0; i < psh_wants_count(f.wants); i++) {
        assert_ok(psh_wants_get(f.wants, i, &w));
        steps += w.subject == first_id() && w.kind == PSH_ACT_REPLICATE_PARTITION;
    }
    assert_int_equal(steps, 2);
    carry_out(&f, SIZE_MAX);
    assert_int_equal(by_id(&f, first_id())->node, 2);
    psh_buffer_destroy(b);
    close_fixture(&f);
}

static void size_alone_splits_and_merges(void **state) {
    psh_map_options o;
    size_t round, n;
    fixture f;

    (void)state;
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.split_bytes = (uint64_t)(100 * MIB);
    o.merge_bytes = (uint64_t)(10 * MIB);
    open_fixture(&f, &o);
    load(&f, first_id(), 0, 0, (uint64_t)(350 * MIB));
    for (round = 0; round < 8 && propose(&f, NULL); round++) {
        carry_out(&f, SIZE_MAX);
        f.now += 90 * PSH_MINUTE;
    }
    n = psh_map_count(f.map) - 1; /* a quarantine */
    assert_true(n >= 4 && n <= 6);
    while (n-- > 0)
        load(&f, psh_map_get(f.map, n)->id, 0, 0, (uint64_t)MIB);
    f.now = TEST_T0 + 2 * PSH_DAY; /* what was planned for it counts no more */
    for (round = 0; round < 12 && propose(&f, NULL); round++) {
        carry_out(&f, SIZE_MAX);
        f.now += 2 * PSH_HOUR;
    }
    for (round = 0, n = 0; round < psh_map_count(f.map); round++)
        n += psh_map_get(f.map, round)->interval == DAY0 && !psh_map_get(f.map, round)->flags;
    assert_int_equal(n, 1);
    assert_true(by_id(&f, first_id())->arc_last == UINT64_MAX);
    close_fixture(&f);
}

static void budgets_hold(void **state) {
    psh_map_options o;
    psh_demand *d;
    fixture f;

    (void)state;
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.max_move_bytes = (uint64_t)MIB;
    open_fixture(&f, &o);
    set_nodes(&f, 3, 0);
    d = demand(&f, 150.0 * 86400, 1, 0, 0, 0);
    load(&f, first_id(), 0, 20, (uint64_t)(100 * MIB));
    assert_int_equal(propose(&f, d), 0); /* nothing so small would help */
    psh_demand_unref(d);
    close_fixture(&f);
    o.max_move_bytes = UINT64_MAX;
    o.max_changes = 0;
    open_fixture(&f, &o);
    set_nodes(&f, 3, 0);
    load(&f, first_id(), 0, 200, (uint64_t)(1000 * MIB));
    assert_int_equal(propose(&f, NULL), 0);
    close_fixture(&f);
}

static void what_comes_later_is_moved_in_time_not_before(void **state) {
    int64_t at = TEST_T0 + 20 * PSH_HOUR;
    psh_demand *d;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    set_nodes(&f, 3, 0);
    d = demand(&f, 1, 1, 0, 250, at);
    load(&f, first_id(), 0, 1, (uint64_t)(192 * MIB)); /* 6 s to copy: nothing is due hours before */
    assert_int_equal(propose(&f, d), 0);
    f.now = at - PSH_HOUR - 11 * PSH_SECOND; /* twice that, and activate_lead_ns */
    assert_true(propose(&f, d) > 0);
    psh_demand_unref(d);
    close_fixture(&f);
}

static void nodes_on_standby_are_added(void **state) {
    psh_map_node n;
    psh_want w;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    set_nodes(&f, 1, 2);
    assert_int_equal(propose(&f, NULL), 0);
    assert_ok(psh_map_resize(f.map, 2));
    assert_int_equal(propose(&f, NULL), 1);
    assert_ok(psh_wants_get(f.wants, 0, &w));
    assert_int_equal(w.kind, PSH_ACT_ADD_NODE);
    assert_true(w.node == 2 && w.subject == psh_node_subject(2));
    carry_out(&f, 1);
    assert_ok(psh_map_node_at(f.map, 1, &n));
    assert_int_equal(n.state, PSH_MAP_NODE_UP);
    assert_int_equal(propose(&f, NULL), 0);
    close_fixture(&f);
}

static void a_plan_made_again_names_the_same_actions(void **state) {
    psh_want a[16], b;
    psh_demand *d;
    size_t n, i;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    set_nodes(&f, 3, 0);
    d = demand(&f, 150.0 * 86400, 1, 0, 0, 0);
    load(&f, first_id(), 0, 20, (uint64_t)(10 * MIB));
    n = propose(&f, d);
    assert_true(n > 1 && n <= 16);
    for (i = 0; i < n; i++)
        assert_ok(psh_wants_get(f.wants, i, &a[i]));
    assert_int_equal(propose(&f, d), n);
    for (i = 0; i < n; i++) {
        assert_ok(psh_wants_get(f.wants, i, &b));
        assert_true(a[i].kind == b.kind && a[i].subject == b.subject && a[i].generation == b.generation);
    }
    carry_out(&f, 1); /* the child is there; its split has the id that the first plan gave it */
    propose(&f, d);
    assert_ok(psh_wants_get(f.wants, 0, &b));
    assert_int_equal(b.kind, PSH_ACT_SPLIT_PARTITION);
    assert_true(b.subject == a[1].subject && b.generation == a[1].generation);
    psh_demand_unref(d);
    close_fixture(&f);
}

static void what_is_slow_counts_as_hotter(void **state) {
    psh_partition_load l = { .struct_size = sizeof l, .reads_per_s = 60, .latency_us = 9000, .rows = UINT64_MAX,
                             .bytes = (uint64_t)MIB };
    psh_map_options o;
    psh_demand *d;
    psh_want w;
    fixture f;

    (void)state;
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.tolerance = 0.5;
    o.busy = 0.9; /* 60 of 100 are no reason to change anything */
    open_fixture(&f, &o);
    set_nodes(&f, 3, 0);
    d = demand(&f, 1, 1e9, PSH_REASON_NO_SKILL, 0, 0); /* one tenant: it can only be copied */
    assert_ok(psh_map_observe_load(f.map, first_id(), &l, f.now));
    assert_int_equal(propose(&f, d), 0);
    psh_demand_unref(d);
    close_fixture(&f);
    o.latency_us = 3000; /* three times too slow */
    open_fixture(&f, &o);
    set_nodes(&f, 3, 0);
    d = demand(&f, 1, 1e9, PSH_REASON_NO_SKILL, 0, 0);
    assert_ok(psh_map_observe_load(f.map, first_id(), &l, f.now));
    assert_true(propose(&f, d) > 0);
    assert_ok(psh_wants_get(f.wants, 0, &w));
    assert_int_equal(w.kind, PSH_ACT_REPLICATE_PARTITION);
    assert_int_equal(w.why, PSH_WHY_LATENCY);
    psh_demand_unref(d);
    close_fixture(&f);
}

static psh_schema *two_tables(psh_env *env, const psh_schema *one) {
    psh_table_spec t[2];
    psh_schema *s = NULL;

    assert_ok(psh_schema_table(one, 0, &t[0]));
    t[1] = t[0];
    t[1].name = "bags";
    assert_ok(psh_schema_create(env, t, 2, sizeof t[0], &s, NULL));
    return s;
}

/* @return where table 1's partition stands after three plans; table 0's is on node 1, its own on node 2. */
static uint32_t node_of_other(double saved) {
    psh_schema *schema;
    psh_map_options o;
    psh_action a;
    uint32_t node;
    size_t i, round;
    psh_want w;
    fixture f;

    memset(&f, 0, sizeof f);
    f.env = test_env(&f.alloc);
    schema = test_flights_schema(f.env);
    f.schema = two_tables(f.env, schema);
    psh_schema_unref(schema);
    f.now = TEST_T0 + PSH_HOUR;
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.lead_ns = 0;
    assert_ok(psh_map_create(f.env, f.schema, &o, &f.map, NULL));
    assert_ok(psh_wants_create(f.env, &f.wants));
    propose(&f, NULL);
    for (i = 0; i < psh_wants_count(f.wants); i++) {
        assert_ok(psh_wants_get(f.wants, i, &w));
        a = action_of(&w);
        a.want.node = w.table + 1;
        run(f.map, a, TEST_T0);
    }
    set_nodes(&f, 2, 0);
    assert_ok(psh_map_set_together(f.map, 1, 0, saved));
    for (round = 0; round < 3; round++) {
        load(&f, first_id(), 10, 1, (uint64_t)MIB);
        load(&f, psh_partition_id(1, DAY0, 0), 10, 1, (uint64_t)MIB);
        propose(&f, NULL);
        carry_out(&f, SIZE_MAX);
        f.now += 2 * PSH_HOUR;
    }
    node = by_id(&f, psh_partition_id(1, DAY0, 0))->node == by_id(&f, first_id())->node ? 1 : 2;
    close_fixture(&f);
    return node;
}

static void what_is_asked_for_together_comes_together(void **state) {
    (void)state;
    assert_int_equal(node_of_other(0), 2);
    assert_int_equal(node_of_other(0.9), 1);
}

typedef struct memory {
    psh_schema *schema;
    psh_buffer *saved;
    psh_demand *demand;
    int64_t now;
} memory;

static psh_status propose_again(psh_env *env, void *user) {
    memory *x = user;
    psh_map *m = NULL;
    psh_wants *w = NULL;
    psh_status st = psh_map_load(env, x->schema, psh_buffer_data(x->saved), psh_buffer_size(x->saved), 0, &m, NULL);

    if (st == PSH_OK)
        st = psh_wants_create(env, &w);
    if (st == PSH_OK) {
        st = psh_map_propose(m, x->demand, x->now, w, NULL);
        assert_true(st == PSH_OK || psh_wants_count(w) == 0);
    }
    psh_wants_destroy(w);
    psh_map_destroy(m);
    return st;
}

static void memory_may_be_short(void **state) {
    memory x;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    set_nodes(&f, 3, 0);
    load(&f, first_id(), 0, 20, (uint64_t)(10 * MIB));
    assert_ok(psh_buffer_create(f.env, &x.saved));
    assert_ok(psh_map_save(f.map, x.saved));
    x.schema = f.schema;
    x.demand = demand(&f, 150.0 * 86400, 1, 0, 0, 0);
    x.now = f.now;
    test_every_allocation(propose_again, &x);
    psh_demand_unref(x.demand);
    psh_buffer_destroy(x.saved);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hot_partition_is_cut_and_spread),
        cmocka_unit_test(without_skill_only_what_was_seen_counts),
        cmocka_unit_test(one_tenant_that_is_read_much_gets_replicas_for_a_time),
        cmocka_unit_test(a_leaving_node_is_emptied_and_released),
        cmocka_unit_test(a_copy_goes_in_bounded_steps_and_resumes),
        cmocka_unit_test(size_alone_splits_and_merges),
        cmocka_unit_test(budgets_hold),
        cmocka_unit_test(what_comes_later_is_moved_in_time_not_before),
        cmocka_unit_test(nodes_on_standby_are_added),
        cmocka_unit_test(a_plan_made_again_names_the_same_actions),
        cmocka_unit_test(what_is_slow_counts_as_hotter),
        cmocka_unit_test(what_is_asked_for_together_comes_together),
        cmocka_unit_test(memory_may_be_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
