/* SPDX-License-Identifier: MIT */
/* Options, and the bytes of an allocator. */
#include "tiers/tiers.h"
#include "tiers_fixture.h"

static void refused(fixture *f, const psh_tiers_options *o, psh_status expected, const char *field) {
    psh_error err = { .struct_size = sizeof err };
    psh_tiers *t;

    assert_int_equal(psh_tiers_create(f->env, o, &t, &err), expected);
    assert_null(t);
    assert_string_equal(err.field, field);
}

static void options_are_checked(void **state) {
    psh_tier_info tiers[2] = { TIERS[0], TIERS[0] };
    psh_retention rules[2] = { RULES[0], RULES[0] };
    psh_tiers_options o = test_tiers_options();
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    o.tier_count = 0;
    refused(&f, &o, PSH_E_INVALID, "tiers");
    o = test_tiers_options();
    o.flags = 1;
    refused(&f, &o, PSH_E_UNSUPPORTED, "flags");
    o = test_tiers_options();
    o.view_tier = 7;
    refused(&f, &o, PSH_E_INVALID, "view_tier");
    o = test_tiers_options();
    o.tiers = tiers;
    o.tier_count = 2;
    refused(&f, &o, PSH_E_INVALID, "tiers"); /* the same twice */
    tiers[1].price = -1;
    refused(&f, &o, PSH_E_INVALID, "tiers[1]");
    o = test_tiers_options();
    o.retention = rules;
    o.retention_count = 2;
    refused(&f, &o, PSH_E_INVALID, "retention");
    rules[1].archive_after_ns = rules[1].drop_after_ns;
    refused(&f, &o, PSH_E_INVALID, "retention[1]");
    rules[1].archive_after_ns = 1;
    rules[1].archive_tier = 9;
    refused(&f, &o, PSH_E_INVALID, "retention[1]");
    close_fixture(&f);
}

static void accounts_are_in_order_and_exported(void **state) {
    psh_account a = { .struct_size = sizeof a };
    psh_world_draft *d;
    psh_world *w;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    assert_int_equal(psh_tiers_account_count(f.tiers), 4);
    assert_ok(psh_tiers_account(f.tiers, 2, &a));
    assert_true(a.node == 1 && a.tier == 0 && a.capacity == 1000);
    assert_int_equal(psh_tiers_account(f.tiers, 4, &a), PSH_E_NOT_FOUND);
    psh_action c = test_action(PSH_ACT_CREATE_PARTITION, 7, 300, 1, 0, 0);
    assert_ok(psh_tiers_begin(f.tiers, &c));
    assert_ok(psh_world_draft_create(f.env, f.schema, 1, TEST_T0, &d));
    assert_ok(psh_tiers_export(f.tiers, d));
    assert_ok(psh_world_create(d, &w, NULL));
    assert_int_equal(psh_world_tier_count(w), 4);
    assert_int_equal(psh_world_tier(w, 2)->planned_bytes, 300);
    psh_world_unref(w);
    psh_world_draft_destroy(d);
    close_fixture(&f);
}

static void damage_is_found(void **state) {
    psh_action a = test_action(PSH_ACT_CREATE_PARTITION, 7, 300, 0, 0, 0);
    psh_action b = test_action(PSH_ACT_ARCHIVE_PARTITION, 7, 100, 1, 1, 0);
    unsigned char *bytes;
    psh_buffer *buffer;
    psh_tiers *copy;
    size_t size, i;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    assert_ok(psh_tiers_begin(f.tiers, &a));
    assert_ok(psh_tiers_complete(f.tiers, &a, PSH_OK));
    assert_ok(psh_tiers_begin(f.tiers, &b));
    assert_ok(psh_buffer_create(f.env, &buffer));
    assert_ok(psh_tiers_save(f.tiers, buffer));
    size = psh_buffer_size(buffer);
    bytes = test_malloc(size);
    memcpy(bytes, psh_buffer_data(buffer), size);
    for (i = 0; i < size; i++) {
        bytes[i] ^= 0x20;
        assert_true(psh_tiers_load(f.env, bytes, size, 0, &copy, NULL) < 0);
        assert_null(copy);
        bytes[i] ^= 0x20;
        assert_true(psh_tiers_load(f.env, bytes, i, 0, &copy, NULL) < 0);
    }
    assert_int_equal(psh_tiers_load(f.env, bytes, size, 16, &copy, NULL), PSH_E_LIMIT);
    assert_ok(psh_tiers_load(f.env, bytes, size, 0, &copy, NULL));
    assert_ok(psh_tiers_check(copy));
    assert_true(test_account(copy, 1, 1).planned == 100); /* still under way */
    assert_ok(psh_tiers_complete(copy, &b, PSH_OK));
    assert_true(test_account(copy, 0, 0).subjects == 0);
    psh_tiers_destroy(copy);
    test_free(bytes);
    psh_buffer_destroy(buffer);
    close_fixture(&f);
}

/* Right checksums, but bytes planned for an action that plans none. */
static void inconsistent_holdings_are_refused(void **state) {
    psh_action a = test_action(PSH_ACT_CREATE_PARTITION, 9, 100, 0, 0, 0);
    psh_buffer *buffer;
    psh_tiers *copy;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    assert_ok(psh_tiers_begin(f.tiers, &a));
    f.tiers->holdings[0].pending = PSH_ACT_SEAL_PARTITION;
    assert_ok(psh_buffer_create(f.env, &buffer));
    assert_ok(psh_tiers_save(f.tiers, buffer));
    assert_int_equal(
        psh_tiers_load(f.env, psh_buffer_data(buffer), psh_buffer_size(buffer), 0, &copy, NULL), PSH_E_CORRUPT);
    psh_buffer_destroy(buffer);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(accounts_are_in_order_and_exported),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(inconsistent_holdings_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
