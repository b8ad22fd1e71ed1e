/* SPDX-License-Identifier: MIT */
#include "tiers_fixture.h"

static void ages_decide(void **state) {
    psh_partition p[] = {
        partition_at(0, PSH_PARTITION_SEALED), partition_at(1, PSH_PARTITION_ARCHIVED),
        partition_at(2, PSH_PARTITION_SEALED), partition_at(3, PSH_PARTITION_ACTIVE),
        partition_at(4, PSH_PARTITION_SEALED), partition_at(0, PSH_PARTITION_ACTIVE),
    };
    psh_action begun;
    psh_world *world;
    psh_wants *wants;
    psh_want w;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    p[5].id = psh_quarantine_id(0);
    p[5].flags = PSH_PARTITION_QUARANTINE;
    p[5].interval = p[5].time_from = p[5].time_to = 0;
    world = world_of(&f, p, 6);
    assert_ok(psh_wants_create(f.env, &wants));
    /* Five days after day 0 ended: it is dropped; day 1 is archived already; day 2 is; 3 is active; 4 too young. */
    assert_ok(psh_tiers_propose(f.tiers, world, TEST_T0 + 6 * PSH_DAY, wants, NULL));
    assert_int_equal(psh_wants_count(wants), 2);
    assert_ok(psh_wants_get(wants, 0, &w));
    assert_true(w.kind == PSH_ACT_DROP_PARTITION && w.subject == p[0].id && w.why == PSH_WHY_RETENTION);
    assert_ok(psh_wants_get(wants, 1, &w));
    assert_true(w.kind == PSH_ACT_ARCHIVE_PARTITION && w.subject == p[2].id && w.tier == 1);
    assert_true(w.resources.bytes == 100);
    psh_wants_clear(wants);
    assert_ok(psh_tiers_propose(f.tiers, world, TEST_T0 + 3 * PSH_DAY - 1, wants, NULL));
    assert_int_equal(psh_wants_count(wants), 0); /* a nanosecond too young */
    assert_ok(psh_tiers_propose(f.tiers, world, TEST_T0 + 3 * PSH_DAY, wants, NULL));
    assert_int_equal(psh_wants_count(wants), 1);
    begun = test_action(PSH_ACT_ARCHIVE_PARTITION, p[0].id, 100, 0, 1, 0);
    assert_ok(psh_tiers_begin(f.tiers, &begun));
    psh_wants_clear(wants);
    assert_ok(psh_tiers_propose(f.tiers, world, TEST_T0 + 3 * PSH_DAY, wants, NULL));
    assert_int_equal(psh_wants_count(wants), 0); /* under way */
    psh_wants_destroy(wants);
    psh_world_unref(world);
    close_fixture(&f);
}

static psh_status scenario(psh_env *env, void *user) {
    psh_tiers_options o = test_tiers_options();
    psh_wants *wants = NULL;
    psh_tiers *t = NULL;
    psh_status st = psh_tiers_create(env, &o, &t, NULL);

    if (st == PSH_OK)
        st = psh_wants_create(env, &wants);
    if (st == PSH_OK) {
        st = psh_tiers_propose(t, user, TEST_T0 + 30 * PSH_DAY, wants, NULL);
        assert_int_equal(psh_wants_count(wants), st == PSH_OK ? 9 : 0); /* all or nothing */
    }
    psh_wants_destroy(wants);
    psh_tiers_destroy(t);
    return st;
}

static void out_of_memory_adds_nothing(void **state) {
    psh_partition p[9];
    psh_world *world;
    size_t i;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    for (i = 0; i < 9; i++)
        p[i] = partition_at((int64_t)i, PSH_PARTITION_SEALED);
    world = world_of(&f, p, 9);
    test_every_allocation(scenario, world);
    psh_world_unref(world);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ages_decide),
        cmocka_unit_test(out_of_memory_adds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
