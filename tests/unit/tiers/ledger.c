/* SPDX-License-Identifier: MIT */
#include "tiers_fixture.h"

#include "base/rng.h"

static void run(psh_tiers *t, psh_action a) {
    assert_ok(psh_tiers_begin(t, &a));
    assert_ok(psh_tiers_complete(t, &a, PSH_OK));
    assert_ok(psh_tiers_check(t));
}

static void bytes_go_through_the_ledger(void **state) {
    psh_action a = test_action(PSH_ACT_CREATE_PARTITION, 7, 299.5, 0, 0, 0);
    psh_account x;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    assert_int_equal(psh_tiers_observe_usage(f.tiers, 7, 1), PSH_E_NOT_FOUND);
    assert_ok(psh_tiers_begin(f.tiers, &a));
    assert_ok(psh_tiers_begin(f.tiers, &a));
    x = test_account(f.tiers, 0, 0);
    assert_true(x.planned == 300 && x.reserved == 0 && x.used == 0 && x.subjects == 1);
    assert_ok(psh_tiers_complete(f.tiers, &a, PSH_OK));
    assert_ok(psh_tiers_complete(f.tiers, &a, PSH_E_HOST)); /* late repeat: no harm */
    assert_ok(psh_tiers_begin(f.tiers, &a));                /* done: no harm */
    x = test_account(f.tiers, 0, 0);
    assert_true(x.planned == 0 && x.reserved == 300 && x.used == 0);
    assert_ok(psh_tiers_observe_usage(f.tiers, 7, 100));
    x = test_account(f.tiers, 0, 0);
    assert_true(x.reserved == 200 && x.used == 100);
    assert_ok(psh_tiers_observe_usage(f.tiers, 7, 400)); /* more than was reserved */
    x = test_account(f.tiers, 0, 0);
    assert_true(x.reserved == 0 && x.used == 400 && x.granted_total == 400);
    assert_ok(psh_tiers_observe_usage(f.tiers, 7, 1500)); /* more than there is */
    x = test_account(f.tiers, 0, 0);
    assert_true(x.used == 1000 && x.overflow == 500);
    assert_ok(psh_tiers_observe_usage(f.tiers, 7, 250));
    x = test_account(f.tiers, 0, 0);
    assert_true(x.used == 250 && x.overflow == 0 && x.released_total == 750);
    run(f.tiers, test_action(PSH_ACT_DROP_PARTITION, 7, 0, 0, 0, 0));
    x = test_account(f.tiers, 0, 0);
    assert_true(x.used == 0 && x.subjects == 0 && x.granted_total == x.released_total);
    close_fixture(&f);
}

static void an_error_gives_back(void **state) {
    psh_action a = test_action(PSH_ACT_CREATE_PARTITION, 7, 300, 0, 0, 0);
    psh_account x;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    assert_ok(psh_tiers_begin(f.tiers, &a));
    assert_ok(psh_tiers_complete(f.tiers, &a, PSH_E_HOST));
    x = test_account(f.tiers, 0, 0);
    assert_true(x.planned == 0 && x.reserved == 0 && x.subjects == 0);
    assert_true(x.granted_total == 300 && x.released_total == 300);
    run(f.tiers, a); /* tried again */
    assert_true(test_account(f.tiers, 0, 0).reserved == 300);
    close_fixture(&f);
}

static void capacity_is_a_limit(void **state) {
    psh_action a = test_action(PSH_ACT_CREATE_PARTITION, 7, 1001, 0, 0, 0);
    psh_action b = test_action(PSH_ACT_CREATE_PARTITION, 8, 600, 0, 0, 0);
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    assert_int_equal(psh_tiers_begin(f.tiers, &a), PSH_E_CAPACITY);
    assert_int_equal(test_account(f.tiers, 0, 0).subjects, 0);
    a.want.resources.bytes = 600;
    run(f.tiers, a);
    assert_int_equal(psh_tiers_begin(f.tiers, &b), PSH_E_CAPACITY);
    b.want.node = 9;
    assert_int_equal(psh_tiers_begin(f.tiers, &b), PSH_E_INVALID);
    a = test_action(PSH_ACT_SEAL_PARTITION, 7, 0, 0, 0, 0);
    assert_ok(psh_tiers_begin(f.tiers, &a));
    b = test_action(PSH_ACT_DROP_PARTITION, 7, 0, 0, 0, 0);
    assert_int_equal(psh_tiers_begin(f.tiers, &b), PSH_E_STATE);
    close_fixture(&f);
}

static void a_move_holds_both_places(void **state) {
    psh_action a = test_action(PSH_ACT_ARCHIVE_PARTITION, 7, 120, 1, 1, 0);
    psh_account from, to;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    run(f.tiers, test_action(PSH_ACT_CREATE_PARTITION, 7, 300, 0, 0, 0));
    assert_ok(psh_tiers_observe_usage(f.tiers, 7, 120));
    run(f.tiers, test_action(PSH_ACT_SEAL_PARTITION, 7, 0, 0, 0, 0));
    from = test_account(f.tiers, 0, 0);
    assert_true(from.used == 120 && from.reserved == 0); /* sealed: no more will come */
    assert_ok(psh_tiers_begin(f.tiers, &a));
    assert_ok(psh_tiers_check(f.tiers));
    from = test_account(f.tiers, 0, 0);
    to = test_account(f.tiers, 1, 1);
    assert_true(from.used == 120 && to.planned == 120 && to.subjects == 1);
    assert_ok(psh_tiers_complete(f.tiers, &a, PSH_E_HOST));
    assert_true(test_account(f.tiers, 1, 1).planned == 0);
    run(f.tiers, a);
    from = test_account(f.tiers, 0, 0);
    to = test_account(f.tiers, 1, 1);
    assert_true(from.used == 0 && from.subjects == 0 && to.used == 120 && to.planned == 0);
    close_fixture(&f);
}

static void a_view_built_again_needs_the_rest_only(void **state) {
    psh_action a = test_action(PSH_ACT_BUILD_VIEW, 7, 500, 0, 0, 1);
    psh_account x;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    run(f.tiers, test_action(PSH_ACT_BUILD_VIEW, 7, 300, 0, 0, 0));
    assert_ok(psh_tiers_begin(f.tiers, &a));
    x = test_account(f.tiers, 0, 0);
    assert_true(x.reserved == 300 && x.planned == 200 && x.subjects == 1);
    assert_ok(psh_tiers_complete(f.tiers, &a, PSH_E_HOST));
    assert_true(test_account(f.tiers, 0, 0).reserved == 300); /* the old one stays */
    run(f.tiers, test_action(PSH_ACT_DROP_VIEW, 7, 0, 0, 0, 0));
    assert_true(test_account(f.tiers, 0, 0).reserved == 0);
    close_fixture(&f);
}

/* One random call; what the ledger refuses, it refuses whole. */
static void random_step(psh_tiers *t, uint64_t *seed, psh_action *begun, size_t *count) {
    uint64_t subject = 1 + pshi_rng_next(seed) % 40;
    uint32_t kind = 1 + (uint32_t)(pshi_rng_next(seed) % PSH_ACT_MAX);
    psh_action a = test_action(
        kind, subject, (double)(pshi_rng_next(seed) % 400), (uint32_t)(pshi_rng_next(seed) % 2),
        (uint32_t)(pshi_rng_next(seed) % 2), pshi_rng_next(seed) % 3);
    size_t i;

    a.want.source = 1 + pshi_rng_next(seed) % 40;
    a.want.steps = 3;
    a.want.step = 1 + (uint32_t)(pshi_rng_next(seed) % 3);
    if (kind == PSH_ACT_ADD_NODE || kind == PSH_ACT_RELEASE_NODE)
        a.want.subject = psh_node_subject(a.want.node);
    a.id = psh_action_id(kind, a.want.subject, a.want.generation * 8 + a.want.step);
    switch (pshi_rng_next(seed) % 3) {
    case 0:
        if (*count < 64 && psh_tiers_begin(t, &a) == PSH_OK)
            begun[(*count)++] = a;
        break;
    case 1:
        if (!*count)
            break;
        i = pshi_rng_next(seed) % *count;
        assert_ok(psh_tiers_complete(t, &begun[i], pshi_rng_unit(seed) < 0.8 ? PSH_OK : PSH_E_HOST));
        begun[i] = begun[--*count];
        break;
    default:
        psh_tiers_observe_usage(t, subject, pshi_rng_next(seed) % 600);
    }
}

static void reload(fixture *f) {
    psh_buffer *a, *b;
    psh_tiers *copy;

    assert_ok(psh_buffer_create(f->env, &a));
    assert_ok(psh_buffer_create(f->env, &b));
    assert_ok(psh_tiers_save(f->tiers, a));
    assert_ok(psh_tiers_load(f->env, psh_buffer_data(a), psh_buffer_size(a), 0, &copy, NULL));
    assert_ok(psh_tiers_save(copy, b));
    assert_int_equal(psh_buffer_size(a), psh_buffer_size(b));
    assert_memory_equal(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a));
    psh_tiers_destroy(f->tiers);
    f->tiers = copy;
    psh_buffer_destroy(a);
    psh_buffer_destroy(b);
}

static void a_random_walk_balances(void **state) {
    psh_action begun[64];
    size_t count = 0, i, overflows = 0;
    uint64_t seed = 42;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    for (i = 0; i < 20000; i++) {
        random_step(f.tiers, &seed, begun, &count);
        assert_ok(psh_tiers_check(f.tiers));
        overflows += test_account(f.tiers, 0, 0).overflow > 0;
        if (i % 500 == 0)
            reload(&f);
    }
    assert_true(test_account(f.tiers, 0, 0).granted_total > 10000);
    assert_true(overflows > 100);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_through_the_ledger),
        cmocka_unit_test(an_error_gives_back),
        cmocka_unit_test(capacity_is_a_limit),
        cmocka_unit_test(a_move_holds_both_places),
        cmocka_unit_test(a_view_built_again_needs_the_rest_only),
        cmocka_unit_test(a_random_walk_balances),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
