/* SPDX-License-Identifier: MIT */
/* Splits, merges, copies and nodes in a plan. */
#include "tiers_fixture.h"

#include "base/rng.h"

#define HALF (UINT64_C(1) << 63)

static psh_plan *place(fixture *f, const psh_want *w, size_t n, const psh_world *world) {
    psh_wants *wants;
    psh_plan *plan = NULL;
    size_t i;

    assert_ok(psh_wants_create(f->env, &wants));
    for (i = 0; i < n; i++)
        assert_ok(psh_wants_add(wants, &w[i], NULL));
    assert_ok(psh_tiers_place(f->tiers, wants, f->schema, world, TEST_T0, 77, &plan, NULL));
    psh_wants_destroy(wants);
    return plan;
}

static psh_action action_at(const psh_plan *p, size_t i) {
    psh_action a;

    assert_ok(psh_plan_get(p, i, &a));
    return a;
}

static psh_left_out left_out(const fixture *f) {
    psh_left_out l = { .struct_size = sizeof l };

    assert_ok(psh_tiers_left_out(f->tiers, &l));
    return l;
}

static void hold(fixture *f, uint64_t partition, double bytes, uint32_t node, uint64_t used) {
    psh_action a = test_action(PSH_ACT_CREATE_PARTITION, partition, bytes, node, 0, 0);

    assert_ok(psh_tiers_begin(f->tiers, &a));
    assert_ok(psh_tiers_complete(f->tiers, &a, PSH_OK));
    assert_ok(psh_tiers_observe_usage(f->tiers, partition, used));
}

static psh_want step_want(uint32_t kind, uint64_t subject, double bytes, uint32_t step, uint32_t steps) {
    psh_want w = test_want(kind, subject, bytes);

    w.generation = step;
    w.step = step;
    w.steps = steps;
    return w;
}

static psh_want node_want(uint32_t kind, uint32_t node) {
    psh_want w = test_want(kind, psh_node_subject(node), 0);

    w.node = node;
    return w;
}

static int waits_for(const psh_action *a, uint64_t id) {
    size_t i;

    for (i = 0; i < a->after_count; i++)
        if (a->after[i] == id)
            return 1;
    return 0;
}

static void a_split_waits_for_its_shadow_and_its_steps(void **state) {
    psh_partition p = partition_at(0, PSH_PARTITION_ACTIVE);
    uint64_t child = psh_partition_id(0, DAY0, HALF);
    psh_want w[4];
    psh_world *world;
    psh_plan *plan;
    psh_action a;
    uint32_t i;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    hold(&f, p.id, 600, 0, 500);
    world = world_of(&f, &p, 1);
    for (i = 0; i < 3; i++) { /* the last step first: order is the plan's affair */
        w[i] = step_want(PSH_ACT_SPLIT_PARTITION, child, 100, 3 - i, 3);
        w[i].source = p.id;
        w[i].arc_first = HALF;
        w[i].benefit = 9;
    }
    w[3] = test_want(PSH_ACT_CREATE_PARTITION, child, 300);
    w[3].source = p.id;
    w[3].arc_first = HALF;
    w[3].ordinal = 1;
    w[3].node = 1;
    plan = place(&f, w, 4, world);
    assert_int_equal(psh_plan_count(plan), 4);
    a = action_at(plan, 0);
    assert_true(a.want.kind == PSH_ACT_CREATE_PARTITION && a.want.node == 1 && a.want.tier == 0);
    assert_string_equal(a.name, "flights_20010101T000000_s1");
    for (i = 1; i < 4; i++) {
        a = action_at(plan, i);
        assert_true(a.want.kind == PSH_ACT_SPLIT_PARTITION && a.want.step == i);
        assert_true(a.want.node == 1 && a.want.tier == 0 && a.from_node == 0 && a.from_tier == 0);
        assert_int_equal(a.after_count, 1);
        assert_true(waits_for(&a, action_at(plan, i - 1).id));
        assert_non_null(strstr(a.reason, "in step"));
    }
    psh_plan_unref(plan);
    plan = place(&f, w, 3, world); /* without its shadow it has no place */
    assert_int_equal(psh_plan_count(plan), 0);
    assert_int_equal(left_out(&f).no_room + left_out(&f).waiting, 3);
    psh_plan_unref(plan);
    psh_world_unref(world);
    close_fixture(&f);
}

/* Shadows of one parent are cut off from the end of the ring on, however their ids sort. */
static void splits_of_one_parent_go_from_the_end(void **state) {
    psh_partition p = partition_at(0, PSH_PARTITION_ACTIVE);
    uint64_t cuts[6];
    psh_want w[12];
    psh_world *world;
    psh_plan *plan;
    psh_action a;
    size_t i, n = 0;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    hold(&f, p.id, 600, 0, 500);
    world = world_of(&f, &p, 1);
    for (i = 0; i < 6; i++)
        cuts[i] = (UINT64_C(1) << 60) * (2 * i + 3);
    for (i = 0; i < 6; i++) {
        w[n] = test_want(PSH_ACT_CREATE_PARTITION, psh_partition_id(0, DAY0, cuts[i]), 10);
        w[n].source = p.id;
        w[n].arc_first = cuts[i];
        w[n].arc_last = i < 5 ? cuts[i + 1] - 1 : UINT64_MAX;
        w[n].ordinal = (uint32_t)i + 1;
        w[n + 1] = w[n];
        w[n + 1].kind = PSH_ACT_SPLIT_PARTITION;
        w[n + 1].step = w[n + 1].steps = 1;
        n += 2;
    }
    plan = place(&f, w, n, world);
    assert_int_equal(psh_plan_count(plan), 12);
    for (i = 0, n = 6; i < 12; i++) {
        a = action_at(plan, i);
        if (a.want.kind != PSH_ACT_SPLIT_PARTITION)
            continue;
        n--;
        assert_true(a.want.arc_first == cuts[n]);
        assert_int_equal(a.after_count, n < 5 ? 2 : 1); /* its shadow, and the split behind it */
    }
    assert_int_equal(n, 0);
    psh_plan_unref(plan);
    psh_world_unref(world);
    close_fixture(&f);
}

/* A move off a node that is then released, in the order that it has to happen in. */
static size_t move_wants(psh_want *w, uint64_t partition) {
    w[0] = node_want(PSH_ACT_RELEASE_NODE, 0);
    w[1] = test_want(PSH_ACT_DROP_REPLICA, partition, 0);
    w[1].node = 0;
    w[2] = test_want(PSH_ACT_PROMOTE_PARTITION, partition, 0);
    w[2].node = 1;
    w[2].benefit = 100;
    w[3] = step_want(PSH_ACT_REPLICATE_PARTITION, partition, 200, 2, 2);
    w[4] = step_want(PSH_ACT_REPLICATE_PARTITION, partition, 200, 1, 2);
    w[3].node = w[4].node = 1;
    return 5;
}

static void a_move_is_copy_promotion_and_drop(void **state) {
    static const uint32_t kinds[] = { PSH_ACT_REPLICATE_PARTITION, PSH_ACT_REPLICATE_PARTITION,
                                      PSH_ACT_PROMOTE_PARTITION, PSH_ACT_DROP_REPLICA, PSH_ACT_RELEASE_NODE };
    psh_partition p = partition_at(0, PSH_PARTITION_ACTIVE);
    psh_world *world;
    psh_plan *plan;
    psh_want w[5];
    psh_action a;
    size_t i;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    hold(&f, p.id, 400, 0, 300);
    world = world_of(&f, &p, 1);
    plan = place(&f, w, move_wants(w, p.id), world);
    assert_int_equal(psh_plan_count(plan), 5);
    for (i = 0; i < 5; i++) {
        a = action_at(plan, i);
        assert_int_equal(a.want.kind, kinds[i]);
        assert_true(i == 0 || waits_for(&a, action_at(plan, i - 1).id));
        assert_string_equal(a.name, i < 4 ? "flights_20010101T000000_s0" : "node_0");
        assert_ok(psh_tiers_begin(f.tiers, &a)); /* and so it runs: place and begin agree */
        assert_ok(psh_tiers_check(f.tiers));
        assert_ok(psh_tiers_complete(f.tiers, &a, PSH_OK));
        assert_ok(psh_tiers_check(f.tiers));
    }
    a = action_at(plan, 2);
    assert_true(a.want.node == 1 && a.want.tier == 0 && a.from_node == 0);
    assert_int_equal(test_account(f.tiers, 0, 0).subjects, 0);
    assert_int_equal(test_account(f.tiers, 1, 0).used, 300);
    psh_plan_unref(plan);
    psh_world_unref(world);
    close_fixture(&f);
}

static void what_lacks_its_predecessor_waits(void **state) {
    psh_partition p = partition_at(0, PSH_PARTITION_ACTIVE);
    psh_tiers_options o = test_tiers_options();
    psh_world *world;
    psh_plan *plan;
    psh_want w[5];
    fixture f;

    (void)state;
    o.max_move_bytes = 300;
    open_fixture(&f, &o);
    hold(&f, p.id, 400, 0, 300);
    world = world_of(&f, &p, 1);
    plan = place(&f, w, move_wants(w, p.id), world); /* one step fits the budget, what follows it has to wait */
    assert_int_equal(psh_plan_count(plan), 1);
    assert_int_equal(action_at(plan, 0).want.step, 1);
    assert_int_equal(left_out(&f).budget, 1);
    assert_int_equal(left_out(&f).waiting, 3);
    psh_plan_unref(plan);
    plan = place(&f, &w[1], 2, world); /* there is no replica to promote */
    assert_int_equal(psh_plan_count(plan), 0);
    assert_int_equal(left_out(&f).no_room, 1);
    assert_int_equal(left_out(&f).waiting, 1);
    psh_plan_unref(plan);
    psh_world_unref(world);
    close_fixture(&f);
}

static void a_copy_goes_where_there_is_room(void **state) {
    psh_partition p = partition_at(0, PSH_PARTITION_ACTIVE);
    psh_want w = step_want(PSH_ACT_REPLICATE_PARTITION, p.id, 100, 1, 1);
    psh_world *world;
    psh_plan *plan;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    hold(&f, p.id, 700, 0, 300);
    world = world_of(&f, &p, 1);
    w.node = 0;
    plan = place(&f, &w, 1, world);
    assert_int_equal(psh_plan_count(plan), 0); /* never beside its owner */
    assert_int_equal(left_out(&f).no_room, 1);
    psh_plan_unref(plan);
    w.node = 1;
    plan = place(&f, &w, 1, world);
    assert_int_equal(action_at(plan, 0).want.tier, 0); /* not where its table archives to */
    assert_true(action_at(plan, 0).from_node == 0 && action_at(plan, 0).want.node == 1);
    psh_plan_unref(plan);
    hold(&f, 99, 500, 1, 0);
    plan = place(&f, &w, 1, world);
    assert_int_equal(action_at(plan, 0).want.tier, 1); /* unless that alone has the room */
    psh_plan_unref(plan);
    w.tier = 1;
    plan = place(&f, &w, 1, world);
    assert_int_equal(action_at(plan, 0).want.tier, 1);
    psh_plan_unref(plan);
    psh_world_unref(world);
    close_fixture(&f);
}

static void one_partition_takes_one_change(void **state) {
    psh_partition p[] = { partition_at(0, PSH_PARTITION_ACTIVE), partition_at(1, PSH_PARTITION_ACTIVE) };
    psh_want w[3] = { test_want(PSH_ACT_SEAL_PARTITION, p[0].id, 0),
                      step_want(PSH_ACT_REPLICATE_PARTITION, p[0].id, 1, 1, 1),
                      step_want(PSH_ACT_REPLICATE_PARTITION, p[1].id, 1, 1, 1) };
    psh_world *world;
    psh_plan *plan;
    psh_action a;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    hold(&f, p[0].id, 100, 0, 0);
    hold(&f, p[1].id, 100, 0, 0);
    world = world_of(&f, p, 2);
    w[1].node = w[2].node = 1;
    plan = place(&f, w, 3, world);
    assert_int_equal(psh_plan_count(plan), 2);
    assert_int_equal(left_out(&f).under_way, 1);
    psh_plan_unref(plan);
    a = test_action(PSH_ACT_SEAL_PARTITION, p[1].id, 0, 0, 0, 0);
    assert_ok(psh_tiers_begin(f.tiers, &a));
    plan = place(&f, &w[2], 1, world); /* begun by an earlier plan */
    assert_int_equal(psh_plan_count(plan), 0);
    assert_int_equal(left_out(&f).under_way, 1);
    psh_plan_unref(plan);
    w[0] = w[1];
    plan = place(&f, w, 2, world);
    assert_int_equal(psh_plan_count(plan), 1);
    assert_int_equal(left_out(&f).repeated, 1);
    psh_plan_unref(plan);
    psh_world_unref(world);
    close_fixture(&f);
}

static void two_copies_of_one_partition_follow_each_other(void **state) {
    psh_partition p = partition_at(0, PSH_PARTITION_ACTIVE);
    psh_tier_info tiers[5];
    psh_tiers_options o = test_tiers_options();
    psh_want w[2];
    psh_world *world;
    psh_plan *plan;
    psh_action a;
    fixture f;

    (void)state;
    memcpy(tiers, TIERS, sizeof TIERS);
    tiers[4] = TIERS[1];
    tiers[4].node = 2;
    o.tiers = tiers;
    o.tier_count = 5;
    open_fixture(&f, &o);
    hold(&f, p.id, 100, 0, 0);
    world = world_of(&f, &p, 1);
    w[0] = step_want(PSH_ACT_REPLICATE_PARTITION, p.id, 1, 1, 1);
    w[1] = w[0];
    w[0].node = 2;
    w[0].generation = 7;
    w[1].node = 1;
    plan = place(&f, w, 2, world);
    assert_int_equal(psh_plan_count(plan), 2);
    a = action_at(plan, 1);
    assert_true(a.after_count == 1 && waits_for(&a, action_at(plan, 0).id));
    psh_plan_unref(plan);
    psh_world_unref(world);
    close_fixture(&f);
}

static void merges_stay_or_find_room(void **state) {
    psh_partition p[] = { partition_at(0, PSH_PARTITION_ACTIVE), partition_at(0, PSH_PARTITION_ACTIVE) };
    psh_want w = test_want(PSH_ACT_MERGE_PARTITION, 0, 120);
    psh_world *world;
    psh_plan *plan;
    psh_action a;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    p[0].arc_last = HALF - 1;
    p[1].arc_first = HALF;
    p[1].ordinal = 1;
    p[1].id = psh_partition_id(0, DAY0, HALF);
    p[1].node = 1;
    hold(&f, p[0].id, 300, 0, 100);
    hold(&f, p[1].id, 500, 1, 120);
    world = world_of(&f, p, 2);
    w.subject = p[0].id;
    w.source = p[1].id;
    plan = place(&f, &w, 1, world);
    a = action_at(plan, 0);
    assert_true(a.want.node == 0 && a.from_node == 1 && a.want.tier == 0 && a.from_tier == 0);
    assert_ok(psh_tiers_begin(f.tiers, &a));
    assert_ok(psh_tiers_complete(f.tiers, &a, PSH_E_HOST));
    psh_plan_unref(plan);
    hold(&f, 99, 300, 0, 0);
    plan = place(&f, &w, 1, world);
    assert_int_equal(psh_plan_count(plan), 0);
    assert_int_equal(left_out(&f).no_room, 1);
    psh_plan_unref(plan);
    psh_world_unref(world);
    close_fixture(&f);
}

static void a_new_node_is_ready_before_it_is_filled(void **state) {
    psh_want w[2] = { test_want(PSH_ACT_CREATE_PARTITION, psh_partition_id(0, DAY0, 0), 900),
                      node_want(PSH_ACT_ADD_NODE, 1) };
    psh_action release = test_action(PSH_ACT_RELEASE_NODE, psh_node_subject(1), 0, 1, PSH_NONE, 0);
    psh_plan *plan;
    psh_action a;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    hold(&f, 99, 500, 0, 0);
    assert_ok(psh_tiers_begin(f.tiers, &release));
    assert_ok(psh_tiers_complete(f.tiers, &release, PSH_OK));
    plan = place(&f, w, 1, NULL);
    assert_int_equal(psh_plan_count(plan), 0); /* the other node is full, this one is released */
    psh_plan_unref(plan);
    plan = place(&f, w, 2, NULL);
    assert_int_equal(psh_plan_count(plan), 2);
    assert_int_equal(action_at(plan, 0).want.kind, PSH_ACT_ADD_NODE);
    a = action_at(plan, 1);
    assert_true(a.want.node == 1 && waits_for(&a, action_at(plan, 0).id));
    psh_plan_unref(plan);
    w[1].kind = PSH_ACT_RELEASE_NODE; /* and what is to leave takes nothing */
    w[1].node = 0;
    w[1].subject = psh_node_subject(0);
    w[0].resources.bytes = 100;
    plan = place(&f, w, 2, NULL);
    assert_int_equal(psh_plan_count(plan), 0);
    assert_int_equal(left_out(&f).waiting, 1);
    psh_plan_unref(plan);
    close_fixture(&f);
}

/* Whatever is wanted, in whatever order: a plan that is made can be begun, action by action, and balances. */
static psh_want random_want(uint64_t *seed, const psh_partition *p, size_t n) {
    static const uint32_t kinds[] = { PSH_ACT_CREATE_PARTITION, PSH_ACT_SEAL_PARTITION, PSH_ACT_DROP_PARTITION,
                                      PSH_ACT_SPLIT_PARTITION, PSH_ACT_MERGE_PARTITION,
                                      PSH_ACT_REPLICATE_PARTITION, PSH_ACT_PROMOTE_PARTITION, PSH_ACT_DROP_REPLICA,
                                      PSH_ACT_ADD_NODE, PSH_ACT_RELEASE_NODE };
    size_t i = pshi_rng_next(seed) % n, k = (i + 1 + pshi_rng_next(seed) % (n - 1)) % n;
    uint32_t kind = kinds[pshi_rng_next(seed) % 10];
    psh_want w = test_want(kind, p[i].id, (double)(pshi_rng_next(seed) % 300));

    w.node = (uint32_t)(pshi_rng_next(seed) % 2);
    w.generation = pshi_rng_next(seed) % 4;
    w.benefit = (double)(pshi_rng_next(seed) % 4);
    if (kind == PSH_ACT_SPLIT_PARTITION || kind == PSH_ACT_REPLICATE_PARTITION) {
        w.steps = 3;
        w.step = 1 + (uint32_t)(w.generation % 3);
    }
    if (kind == PSH_ACT_SPLIT_PARTITION || kind == PSH_ACT_MERGE_PARTITION)
        w.source = p[k].id;
    if (kind == PSH_ACT_ADD_NODE || kind == PSH_ACT_RELEASE_NODE)
        w.subject = psh_node_subject(w.node);
    return w;
}

static void any_plan_can_be_begun(void **state) {
    psh_partition p[6];
    psh_want w[12];
    uint64_t seed = 7;
    size_t begun = 0, refused = 0, i;
    psh_action a;
    psh_plan *plan;
    psh_status st;
    fixture f;
    int round;

    (void)state;
    open_fixture(&f, NULL);
    for (i = 0; i < 6; i++)
        p[i] = partition_at((int64_t)i, PSH_PARTITION_ACTIVE);
    for (round = 0; round < 2000; round++) {
        for (i = 0; i < 12; i++)
            w[i] = random_want(&seed, p, 6);
        plan = place(&f, w, 12, NULL);
        for (i = 0; i < psh_plan_count(plan); i++) {
            a = action_at(plan, i);
            a.id ^= (uint64_t)round << 32; /* the ledger remembers what it has done */
            st = psh_tiers_begin(f.tiers, &a);
            begun += st == PSH_OK;
            refused += st != PSH_OK;
            if (st == PSH_OK)
                assert_ok(psh_tiers_complete(f.tiers, &a, pshi_rng_next(&seed) % 8 ? PSH_OK : PSH_E_HOST));
            assert_ok(psh_tiers_check(f.tiers));
        }
        psh_plan_unref(plan);
        psh_tiers_observe_usage(f.tiers, p[pshi_rng_next(&seed) % 6].id, pshi_rng_next(&seed) % 300);
    }
    assert_true(begun > 4000);
    assert_true(refused < begun / 8); /* of what waited for an action that was made to fail */
    close_fixture(&f);
}

static psh_status scenario(psh_env *env, void *user) {
    psh_tiers_options o = test_tiers_options();
    psh_partition p = partition_at(0, PSH_PARTITION_ACTIVE);
    psh_action a = test_action(PSH_ACT_CREATE_PARTITION, p.id, 300, 0, 0, 0);
    psh_tiers *t = NULL;
    psh_wants *wants = NULL;
    psh_plan *plan = NULL;
    psh_want w[5];
    size_t n = move_wants(w, p.id), i;
    psh_status st = psh_tiers_create(env, &o, &t, NULL);

    if (st == PSH_OK)
        st = psh_wants_create(env, &wants);
    for (i = 0; st == PSH_OK && i < n; i++)
        st = psh_wants_add(wants, &w[i], NULL);
    if (st == PSH_OK)
        st = psh_tiers_begin(t, &a);
    if (st == PSH_OK)
        st = psh_tiers_complete(t, &a, PSH_OK);
    if (st == PSH_OK)
        st = psh_tiers_place(t, wants, user, NULL, TEST_T0, 1, &plan, NULL);
    if (st == PSH_OK)
        assert_int_equal(psh_plan_count(plan), 5);
    for (i = 0; st == PSH_OK && i < psh_plan_count(plan); i++) {
        a = action_at(plan, i);
        st = psh_tiers_begin(t, &a);
        if (st == PSH_OK)
            st = psh_tiers_complete(t, &a, PSH_OK);
        assert_true(psh_tiers_check(t) != PSH_E_INTERNAL);
    }
    psh_plan_unref(plan);
    psh_wants_destroy(wants);
    psh_tiers_destroy(t);
    return st;
}

static void out_of_memory_is_survived(void **state) {
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    test_every_allocation(scenario, f.schema);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_split_waits_for_its_shadow_and_its_steps),
        cmocka_unit_test(splits_of_one_parent_go_from_the_end),
        cmocka_unit_test(a_move_is_copy_promotion_and_drop),
        cmocka_unit_test(what_lacks_its_predecessor_waits),
        cmocka_unit_test(a_copy_goes_where_there_is_room),
        cmocka_unit_test(one_partition_takes_one_change),
        cmocka_unit_test(two_copies_of_one_partition_follow_each_other),
        cmocka_unit_test(merges_stay_or_find_room),
        cmocka_unit_test(a_new_node_is_ready_before_it_is_filled),
        cmocka_unit_test(any_plan_can_be_begun),
        cmocka_unit_test(out_of_memory_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
