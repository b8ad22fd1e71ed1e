/* SPDX-License-Identifier: MIT */
#include "tiers_fixture.h"

static psh_want partition_want(uint32_t kind, int64_t day, double bytes) {
    psh_want w = test_want(kind, psh_partition_id(0, DAY0 + day, 0), bytes);

    w.interval += day;
    w.time_from += day * PSH_DAY;
    w.time_to += day * PSH_DAY;
    return w;
}

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

/* The action of a kind on a subject; fails when it is not there. */
static psh_action action_of(const psh_plan *p, uint32_t kind, uint64_t subject) {
    size_t i;

    for (i = 0; i < psh_plan_count(p); i++)
        if (action_at(p, i).want.kind == kind && action_at(p, i).want.subject == subject)
            return action_at(p, i);
    fail_msg("no such action");
    return action_at(p, 0);
}

static psh_left_out left_out(const fixture *f) {
    psh_left_out l = { .struct_size = sizeof l };

    assert_ok(psh_tiers_left_out(f->tiers, &l));
    return l;
}

static void a_creation_gets_the_cheapest_room(void **state) {
    psh_want w[4] = { partition_want(PSH_ACT_CREATE_PARTITION, 0, 700),
                      partition_want(PSH_ACT_CREATE_PARTITION, 1, 700),
                      partition_want(PSH_ACT_CREATE_PARTITION, 2, 700),
                      partition_want(PSH_ACT_ACTIVATE_PARTITION, 0, 0) };
    psh_plan *plan;
    psh_action a;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    w[0].deadline = TEST_T0;
    w[1].benefit = 5;
    w[2].ordinal = 3;
    plan = place(&f, w, 4, NULL);
    assert_int_equal(psh_plan_count(plan), 3);
    assert_int_equal(left_out(&f).no_room, 1); /* never in the tier that archives */
    a = action_of(plan, PSH_ACT_CREATE_PARTITION, w[0].subject); /* by deadline first */
    assert_true(a.want.node == 0 && a.want.tier == 0 && a.fence == 77 && a.after_count == 0);
    assert_true(a.from_node == PSH_NONE && a.from_tier == PSH_NONE);
    assert_string_equal(a.name, "flights_20010101T000000_s0");
    assert_non_null(strstr(a.reason, "700 bytes"));
    a = action_of(plan, PSH_ACT_CREATE_PARTITION, w[1].subject); /* then by benefit */
    assert_true(a.want.node == 1 && a.want.tier == 0);
    a = action_of(plan, PSH_ACT_ACTIVATE_PARTITION, w[0].subject);
    assert_int_equal(a.after_count, 1);
    assert_int_equal(a.after[0], psh_action_id(PSH_ACT_CREATE_PARTITION, w[0].subject, 0));
    assert_true(a.want.node == 0 && a.want.tier == 0);
    assert_int_equal(test_account(f.tiers, 0, 0).planned, 0); /* pure */
    psh_plan_unref(plan);
    w[0].node = 1;
    plan = place(&f, w, 1, NULL);
    assert_int_equal(action_at(plan, 0).want.node, 1); /* preferred though dearer */
    psh_plan_unref(plan);
    close_fixture(&f);
}

static void what_depends_on_a_want_left_out_waits(void **state) {
    psh_want w[3] = { partition_want(PSH_ACT_CREATE_PARTITION, 0, 7000),
                      partition_want(PSH_ACT_ACTIVATE_PARTITION, 0, 0),
                      partition_want(PSH_ACT_CREATE_PARTITION, 1, 1) };
    psh_plan *plan;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    plan = place(&f, w, 3, NULL);
    assert_int_equal(psh_plan_count(plan), 1);
    assert_int_equal(left_out(&f).no_room, 1);
    assert_int_equal(left_out(&f).waiting, 1);
    psh_plan_unref(plan);
    close_fixture(&f);
}

static void drops_make_room(void **state) {
    psh_partition p[] = { partition_at(0, PSH_PARTITION_SEALED), partition_at(1, PSH_PARTITION_SEALED) };
    psh_action held[2] = { test_action(PSH_ACT_CREATE_PARTITION, p[0].id, 900, 0, 0, 0),
                           test_action(PSH_ACT_CREATE_PARTITION, p[1].id, 950, 1, 0, 0) };
    psh_want w[3] = { partition_want(PSH_ACT_CREATE_PARTITION, 4, 800),
                      partition_want(PSH_ACT_DROP_PARTITION, 0, 0),
                      partition_want(PSH_ACT_ARCHIVE_PARTITION, 1, 100) };
    psh_world *world;
    psh_plan *plan;
    psh_action a;
    size_t i;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    for (i = 0; i < 2; i++) {
        assert_ok(psh_tiers_begin(f.tiers, &held[i]));
        assert_ok(psh_tiers_complete(f.tiers, &held[i], PSH_OK));
    }
    world = world_of(&f, p, 2);
    plan = place(&f, w, 3, world);
    assert_int_equal(psh_plan_count(plan), 3);
    assert_int_equal(psh_plan_epoch(plan), 5);
    a = action_of(plan, PSH_ACT_CREATE_PARTITION, w[0].subject);
    assert_true(a.want.node == 0 && a.after_count == 1);
    assert_int_equal(a.after[0], psh_action_id(PSH_ACT_DROP_PARTITION, p[0].id, 0));
    a = action_of(plan, PSH_ACT_DROP_PARTITION, p[0].id);
    assert_true(a.from_node == 0 && a.from_tier == 0 && a.want.tier == 0);
    a = action_of(plan, PSH_ACT_ARCHIVE_PARTITION, p[1].id);
    assert_true(a.want.tier == 1 && a.from_tier == 0 && a.after_count == 0);
    psh_plan_unref(plan);
    psh_world_unref(world);
    close_fixture(&f);
}

static void a_life_in_one_plan_is_ordered(void **state) {
    psh_partition p = partition_at(0, PSH_PARTITION_ACTIVE);
    psh_want w[3] = { partition_want(PSH_ACT_DROP_PARTITION, 0, 0),
                      partition_want(PSH_ACT_ARCHIVE_PARTITION, 0, 10),
                      partition_want(PSH_ACT_SEAL_PARTITION, 0, 0) };
    psh_world *world;
    psh_plan *plan;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    world = world_of(&f, &p, 1);
    plan = place(&f, w, 3, world);
    assert_int_equal(psh_plan_count(plan), 3);
    assert_int_equal(action_at(plan, 0).want.kind, PSH_ACT_SEAL_PARTITION);
    assert_int_equal(action_at(plan, 1).want.kind, PSH_ACT_ARCHIVE_PARTITION);
    assert_int_equal(action_at(plan, 2).want.kind, PSH_ACT_DROP_PARTITION);
    psh_plan_unref(plan);
    plan = place(&f, &w[1], 1, world); /* an active one cannot be archived unless it is sealed first */
    assert_int_equal(psh_plan_count(plan), 0);
    assert_int_equal(left_out(&f).waiting, 1);
    psh_plan_unref(plan);
    psh_world_unref(world);
    close_fixture(&f);
}

static void budgets_hold(void **state) {
    psh_partition p[] = { partition_at(0, PSH_PARTITION_SEALED), partition_at(1, PSH_PARTITION_SEALED) };
    psh_want w[3] = { partition_want(PSH_ACT_ARCHIVE_PARTITION, 0, 100),
                      partition_want(PSH_ACT_ARCHIVE_PARTITION, 1, 100),
                      partition_want(PSH_ACT_ARCHIVE_PARTITION, 0, 100) };
    psh_tiers_options o = test_tiers_options();
    psh_world *world;
    psh_plan *plan;
    fixture f;

    (void)state;
    o.max_move_bytes = 150;
    w[0].deadline = w[2].deadline = TEST_T0 + 9 * PSH_DAY;
    open_fixture(&f, &o);
    world = world_of(&f, p, 2);
    plan = place(&f, w, 3, world);
    assert_int_equal(psh_plan_count(plan), 1);
    assert_int_equal(left_out(&f).budget, 1);
    assert_int_equal(left_out(&f).repeated, 1);
    psh_plan_unref(plan);
    psh_tiers_destroy(f.tiers);
    o.max_move_bytes = 0;
    o.max_actions = 1;
    assert_ok(psh_tiers_create(f.env, &o, &f.tiers, NULL));
    plan = place(&f, w, 2, world);
    assert_int_equal(psh_plan_count(plan), 1);
    assert_int_equal(left_out(&f).budget, 1);
    psh_plan_unref(plan);
    psh_world_unref(world);
    close_fixture(&f);
}

static void views_go_to_their_tier(void **state) {
    psh_tiers_options o = test_tiers_options();
    psh_query_spec spec;
    psh_query *q;
    psh_want w;
    psh_plan *plan;
    psh_action a;
    fixture f;

    (void)state;
    o.view_tier = 1;
    open_fixture(&f, &o);
    psh_query_spec_init(&spec, sizeof spec);
    spec.group_columns = (const uint32_t[]){ 0 };
    spec.group_count = 1;
    assert_ok(psh_query_create(f.env, f.schema, &spec, &q, NULL));
    w = test_want(PSH_ACT_BUILD_VIEW, psh_query_id(q), 50);
    w.level = PSH_LEVEL_FULL;
    w.definition = q;
    plan = place(&f, &w, 1, NULL);
    assert_int_equal(psh_plan_count(plan), 1);
    a = action_at(plan, 0);
    assert_int_equal(a.want.tier, 1);
    assert_int_equal(strlen(a.name), 21);
    assert_memory_equal(a.name, "view_", 5);
    assert_ok(psh_tiers_begin(f.tiers, &a));
    psh_plan_unref(plan);
    plan = place(&f, &w, 1, NULL);
    assert_int_equal(psh_plan_count(plan), 0);
    assert_int_equal(left_out(&f).under_way, 1);
    psh_plan_unref(plan);
    psh_query_unref(q);
    close_fixture(&f);
}

static psh_status scenario(psh_env *env, void *user) {
    psh_tiers_options o = test_tiers_options();
    psh_want w[3] = { partition_want(PSH_ACT_CREATE_PARTITION, 0, 100),
                      partition_want(PSH_ACT_ACTIVATE_PARTITION, 0, 0),
                      partition_want(PSH_ACT_CREATE_PARTITION, 1, 100) };
    psh_wants *wants = NULL;
    psh_tiers *t = NULL;
    psh_plan *plan = NULL;
    psh_buffer *b = NULL;
    psh_action a;
    size_t i;
    psh_status st = psh_tiers_create(env, &o, &t, NULL);

    if (st == PSH_OK)
        st = psh_wants_create(env, &wants);
    if (st == PSH_OK)
        st = psh_buffer_create(env, &b);
    for (i = 0; st == PSH_OK && i < 3; i++)
        st = psh_wants_add(wants, &w[i], NULL);
    if (st == PSH_OK)
        st = psh_tiers_place(t, wants, user, NULL, TEST_T0, 1, &plan, NULL);
    for (i = 0; st == PSH_OK && i < psh_plan_count(plan); i++) {
        a = action_at(plan, i);
        st = psh_tiers_begin(t, &a);
        if (st == PSH_OK)
            st = psh_tiers_complete(t, &a, PSH_OK);
    }
    if (st == PSH_OK)
        st = psh_tiers_check(t);
    if (st == PSH_OK)
        st = psh_tiers_save(t, b);
    psh_tiers_destroy(t);
    t = NULL;
    if (st == PSH_OK)
        st = psh_tiers_load(env, psh_buffer_data(b), psh_buffer_size(b), 0, &t, NULL);
    psh_tiers_destroy(t);
    psh_plan_unref(plan);
    psh_wants_destroy(wants);
    psh_buffer_destroy(b);
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
        cmocka_unit_test(a_creation_gets_the_cheapest_room),
        cmocka_unit_test(what_depends_on_a_want_left_out_waits),
        cmocka_unit_test(drops_make_room),
        cmocka_unit_test(a_life_in_one_plan_is_ordered),
        cmocka_unit_test(budgets_hold),
        cmocka_unit_test(views_go_to_their_tier),
        cmocka_unit_test(out_of_memory_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
