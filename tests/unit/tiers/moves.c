/* SPDX-License-Identifier: MIT */
/* The ledger through splits, merges, copies and nodes. */
#include "tiers_fixture.h"

static psh_action step_action(uint64_t partition, double bytes, uint32_t node, uint32_t step, uint32_t steps) {
    psh_action a = test_action(PSH_ACT_REPLICATE_PARTITION, partition, bytes, node, 0, step);

    a.want.step = step;
    a.want.steps = steps;
    return a;
}

static psh_action pair_action(uint32_t kind, uint64_t subject, uint64_t source, uint64_t generation) {
    psh_action a = test_action(kind, subject, 0, 0, 0, generation);

    a.want.source = source;
    if (kind == PSH_ACT_SPLIT_PARTITION)
        a.want.step = a.want.steps = 1;
    return a;
}

static psh_action node_action(uint32_t kind, uint32_t node, uint64_t generation) {
    psh_action a = test_action(kind, psh_node_subject(node), 0, node, PSH_NONE, generation);

    return a;
}

static void run(psh_tiers *t, psh_action a) {
    assert_ok(psh_tiers_begin(t, &a));
    assert_ok(psh_tiers_check(t));
    assert_ok(psh_tiers_complete(t, &a, PSH_OK));
    assert_ok(psh_tiers_check(t));
}

static void hold(psh_tiers *t, uint64_t partition, double bytes, uint32_t node, uint32_t tier, uint64_t used) {
    run(t, test_action(PSH_ACT_CREATE_PARTITION, partition, bytes, node, tier, 0));
    assert_ok(psh_tiers_observe_usage(t, partition, used));
}

static void the_first_step_reserves_the_whole_copy(void **state) {
    psh_action a;
    psh_account x;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    hold(f.tiers, 7, 600, 0, 0, 250);
    a = step_action(7, 200, 1, 1, 3);
    assert_ok(psh_tiers_begin(f.tiers, &a));
    assert_int_equal(test_account(f.tiers, 1, 0).planned, 600); /* what its owner holds, and may fill yet */
    assert_ok(psh_tiers_complete(f.tiers, &a, PSH_E_HOST));
    assert_int_equal(test_account(f.tiers, 1, 0).planned, 0);
    assert_int_equal(test_account(f.tiers, 1, 0).subjects, 0);
    run(f.tiers, a);
    assert_int_equal(test_account(f.tiers, 1, 0).reserved, 600);
    run(f.tiers, step_action(7, 200, 1, 2, 3));
    assert_int_equal(test_account(f.tiers, 1, 0).reserved, 600);
    a = step_action(7, 200, 1, 3, 3);
    assert_ok(psh_tiers_begin(f.tiers, &a));
    assert_ok(psh_tiers_complete(f.tiers, &a, PSH_E_HOST)); /* what the steps before it made stays */
    assert_int_equal(test_account(f.tiers, 1, 0).reserved, 600);
    run(f.tiers, a);
    x = test_account(f.tiers, 1, 0);
    assert_true(x.used == 250 && x.reserved == 350);
    assert_ok(psh_tiers_observe_usage(f.tiers, 7, 300)); /* a ready one fills as its owner does */
    x = test_account(f.tiers, 1, 0);
    assert_true(x.used == 300 && x.reserved == 300);
    a = step_action(7, 0, 0, 1, 1);
    assert_int_equal(psh_tiers_begin(f.tiers, &a), PSH_E_STATE); /* the owner is there */
    run(f.tiers, test_action(PSH_ACT_DROP_REPLICA, 7, 0, 1, 0, 0));
    x = test_account(f.tiers, 1, 0);
    assert_true(x.used == 0 && x.reserved == 0 && x.subjects == 0);
    close_fixture(&f);
}

static void a_copy_without_room_is_refused(void **state) {
    psh_action a = step_action(7, 1, 1, 1, 2), b = step_action(9, 600, 1, 1, 2);
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    hold(f.tiers, 7, 600, 0, 0, 0);
    hold(f.tiers, 8, 500, 1, 0, 0);
    assert_int_equal(psh_tiers_begin(f.tiers, &a), PSH_E_CAPACITY);
    assert_int_equal(psh_tiers_begin(f.tiers, &b), PSH_E_CAPACITY); /* owner unknown: steps times bytes */
    a.want.step = 3;
    assert_int_equal(psh_tiers_begin(f.tiers, &a), PSH_E_INVALID);
    close_fixture(&f);
}

static void a_promotion_swaps_the_holdings(void **state) {
    psh_action a = test_action(PSH_ACT_PROMOTE_PARTITION, 7, 0, 1, 0, 0), seal;
    psh_account from, to;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    hold(f.tiers, 7, 600, 0, 0, 250);
    run(f.tiers, step_action(7, 300, 1, 1, 2));
    assert_int_equal(psh_tiers_begin(f.tiers, &a), PSH_E_STATE); /* half a copy */
    run(f.tiers, step_action(7, 300, 1, 2, 2));
    assert_ok(psh_tiers_begin(f.tiers, &a));
    seal = test_action(PSH_ACT_SEAL_PARTITION, 7, 0, 1, 0, 0);
    assert_int_equal(psh_tiers_begin(f.tiers, &seal), PSH_E_STATE);
    seal = test_action(PSH_ACT_DROP_REPLICA, 7, 0, 1, 0, 0);
    assert_int_equal(psh_tiers_begin(f.tiers, &seal), PSH_E_STATE);
    assert_ok(psh_tiers_complete(f.tiers, &a, PSH_OK));
    assert_ok(psh_tiers_begin(f.tiers, &a)); /* done */
    run(f.tiers, test_action(PSH_ACT_SEAL_PARTITION, 7, 0, 1, 0, 0)); /* of the new owner */
    from = test_account(f.tiers, 0, 0);
    to = test_account(f.tiers, 1, 0);
    assert_true(from.used == 250 && from.reserved == 350);
    assert_true(to.used == 250 && to.reserved == 0);
    run(f.tiers, test_action(PSH_ACT_DROP_REPLICA, 7, 0, 0, 0, 0));
    from = test_account(f.tiers, 0, 0);
    assert_true(from.used == 0 && from.reserved == 0 && from.subjects == 0);
    run(f.tiers, step_action(7, 300, 0, 1, 1));
    run(f.tiers, test_action(PSH_ACT_DROP_PARTITION, 7, 0, 1, 0, 0)); /* takes its replicas along */
    assert_int_equal(test_account(f.tiers, 0, 0).subjects, 0);
    assert_int_equal(test_account(f.tiers, 1, 0).subjects, 0);
    close_fixture(&f);
}

static void a_merge_hands_over(void **state) {
    psh_action a = pair_action(PSH_ACT_MERGE_PARTITION, 7, 8, 0);
    psh_account x;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    hold(f.tiers, 7, 400, 0, 0, 100);
    hold(f.tiers, 8, 300, 0, 0, 50);
    x = test_account(f.tiers, 0, 0);
    run(f.tiers, a);
    assert_int_equal(test_account(f.tiers, 0, 0).granted_total, x.granted_total); /* nothing was taken or given */
    x = test_account(f.tiers, 0, 0);
    assert_true(x.used == 150 && x.reserved == 550 && x.subjects == 1);
    assert_int_equal(psh_tiers_observe_usage(f.tiers, 8, 1), PSH_E_NOT_FOUND);
    hold(f.tiers, 9, 400, 1, 0, 350); /* on another node: it needs room where the left one is */
    a = pair_action(PSH_ACT_MERGE_PARTITION, 7, 9, 1);
    assert_int_equal(psh_tiers_begin(f.tiers, &a), PSH_E_CAPACITY);
    run(f.tiers, test_action(PSH_ACT_SEAL_PARTITION, 7, 0, 0, 0, 0));
    run(f.tiers, test_action(PSH_ACT_SEAL_PARTITION, 9, 0, 0, 0, 0));
    run(f.tiers, step_action(9, 100, 0, 1, 1));
    assert_ok(psh_tiers_begin(f.tiers, &a));
    x = test_account(f.tiers, 0, 0);
    assert_true(x.planned == 350 && x.used == 500);
    assert_ok(psh_tiers_complete(f.tiers, &a, PSH_E_HOST));
    assert_int_equal(test_account(f.tiers, 0, 0).planned, 0);
    run(f.tiers, a);
    x = test_account(f.tiers, 0, 0);
    assert_true(x.used == 500 && x.reserved == 0 && x.planned == 0 && x.subjects == 1);
    assert_int_equal(test_account(f.tiers, 1, 0).subjects, 0);
    close_fixture(&f);
}

static void a_split_takes_no_room_and_holds_both(void **state) {
    psh_action a = pair_action(PSH_ACT_SPLIT_PARTITION, 8, 7, 0), b;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    hold(f.tiers, 7, 600, 0, 0, 500);
    hold(f.tiers, 8, 300, 0, 0, 0);
    assert_ok(psh_tiers_begin(f.tiers, &a));
    b = test_action(PSH_ACT_DROP_PARTITION, 7, 0, 0, 0, 0);
    assert_int_equal(psh_tiers_begin(f.tiers, &b), PSH_E_STATE);
    b = test_action(PSH_ACT_SEAL_PARTITION, 8, 0, 0, 0, 0);
    assert_int_equal(psh_tiers_begin(f.tiers, &b), PSH_E_STATE);
    assert_ok(psh_tiers_complete(f.tiers, &a, PSH_OK));
    assert_int_equal(test_account(f.tiers, 0, 0).reserved, 400);
    assert_ok(psh_tiers_observe_usage(f.tiers, 7, 250)); /* the rows have moved */
    assert_ok(psh_tiers_observe_usage(f.tiers, 8, 250));
    assert_int_equal(test_account(f.tiers, 0, 0).used, 500);
    a.want.source = 8;
    a.id = psh_action_id(a.want.kind, 8, 3);
    assert_int_equal(psh_tiers_begin(f.tiers, &a), PSH_E_INVALID);
    close_fixture(&f);
}

static psh_tiers *reloaded(fixture *f) {
    psh_tiers *t = NULL;
    psh_buffer *b = NULL;

    assert_ok(psh_buffer_create(f->env, &b));
    assert_ok(psh_tiers_save(f->tiers, b));
    assert_ok(psh_tiers_load(f->env, psh_buffer_data(b), psh_buffer_size(b), 0, &t, NULL));
    psh_buffer_destroy(b);
    psh_tiers_destroy(f->tiers);
    return t;
}

static void a_node_that_was_released_takes_nothing(void **state) {
    psh_action release = node_action(PSH_ACT_RELEASE_NODE, 1, 0), a;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    hold(f.tiers, 7, 100, 1, 1, 0);
    assert_int_equal(psh_tiers_begin(f.tiers, &release), PSH_E_STATE); /* it holds something */
    run(f.tiers, test_action(PSH_ACT_DROP_PARTITION, 7, 0, 1, 1, 0));
    run(f.tiers, release);
    f.tiers = reloaded(&f);
    a = test_action(PSH_ACT_CREATE_PARTITION, 8, 100, 1, 0, 0);
    assert_int_equal(psh_tiers_begin(f.tiers, &a), PSH_E_CAPACITY);
    run(f.tiers, node_action(PSH_ACT_ADD_NODE, 1, 0));
    run(f.tiers, a);
    release.want.node = 0;
    release.id++;
    assert_int_equal(psh_tiers_begin(f.tiers, &release), PSH_E_INVALID);
    close_fixture(&f);
}

static void a_standby_node_waits_to_be_added(void **state) {
    static const uint32_t standby[] = { 1 }, wrong[] = { 5 };
    psh_tiers_options o = test_tiers_options();
    psh_action a = test_action(PSH_ACT_CREATE_PARTITION, 8, 100, 1, 0, 0);
    psh_error err = { .struct_size = sizeof err };
    psh_tiers *t = NULL;
    fixture f;

    (void)state;
    o.standby = standby;
    o.standby_count = 1;
    open_fixture(&f, &o);
    assert_int_equal(psh_tiers_begin(f.tiers, &a), PSH_E_CAPACITY);
    f.tiers = reloaded(&f);
    assert_int_equal(psh_tiers_begin(f.tiers, &a), PSH_E_CAPACITY);
    run(f.tiers, node_action(PSH_ACT_ADD_NODE, 1, 0));
    run(f.tiers, a);
    o.standby = wrong;
    assert_int_equal(psh_tiers_create(f.env, &o, &t, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "standby[0]");
    close_fixture(&f);
}

static void copies_are_saved(void **state) {
    psh_action a = test_action(PSH_ACT_PROMOTE_PARTITION, 7, 0, 1, 0, 0);
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    hold(f.tiers, 7, 600, 0, 0, 250);
    run(f.tiers, step_action(7, 300, 1, 1, 2));
    f.tiers = reloaded(&f);
    assert_int_equal(psh_tiers_begin(f.tiers, &a), PSH_E_STATE);
    run(f.tiers, step_action(7, 300, 1, 2, 2));
    f.tiers = reloaded(&f);
    assert_ok(psh_tiers_observe_usage(f.tiers, 7, 260));
    assert_int_equal(test_account(f.tiers, 1, 0).used, 260);
    assert_ok(psh_tiers_begin(f.tiers, &a));
    f.tiers = reloaded(&f); /* in the middle of it */
    assert_ok(psh_tiers_complete(f.tiers, &a, PSH_OK));
    assert_ok(psh_tiers_check(f.tiers));
    assert_ok(psh_tiers_observe_usage(f.tiers, 7, 270));
    assert_int_equal(test_account(f.tiers, 0, 0).used, 270);
    assert_int_equal(test_account(f.tiers, 1, 0).used, 270);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_step_reserves_the_whole_copy),
        cmocka_unit_test(a_copy_without_room_is_refused),
        cmocka_unit_test(a_promotion_swaps_the_holdings),
        cmocka_unit_test(a_merge_hands_over),
        cmocka_unit_test(a_split_takes_no_room_and_holds_both),
        cmocka_unit_test(a_node_that_was_released_takes_nothing),
        cmocka_unit_test(a_standby_node_waits_to_be_added),
        cmocka_unit_test(copies_are_saved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
