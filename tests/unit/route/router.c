/* SPDX-License-Identifier: MIT */
#include "test.h"

static psh_partition partition(int64_t day, uint64_t first, uint64_t last, uint32_t state) {
    psh_partition p;

    memset(&p, 0, sizeof p);
    p.id = psh_partition_id(0, day, first);
    p.state = state;
    p.interval = day;
    p.time_from = day * PSH_DAY;
    p.time_to = (day + 1) * PSH_DAY;
    p.arc_first = first;
    p.arc_last = last;
    p.first_write = PSH_TIME_NONE;
    return p;
}

static psh_partition quarantine(uint32_t state) {
    psh_partition p = partition(0, 0, UINT64_MAX, state);

    p.id = psh_quarantine_id(0);
    p.flags = PSH_PARTITION_QUARANTINE;
    p.time_to = p.time_from;
    return p;
}

static psh_world *world_of(psh_env *env, psh_schema *s, const psh_partition *p, size_t n) {
    psh_world_draft *d = NULL;
    psh_world *w = NULL;
    size_t i;

    assert_ok(psh_world_draft_create(env, s, 1, TEST_T0, &d));
    for (i = 0; i < n; i++)
        assert_ok(psh_world_draft_add_partition(d, &p[i]));
    assert_ok(psh_world_create(d, &w, NULL));
    psh_world_draft_destroy(d);
    return w;
}

static void test_write(void **state) {
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = test_flights_schema(env);
    psh_value name = test_text("ATL");
    uint64_t tenant = psh_tenant_id(&name);
    uint64_t point = psh_ring_point(tenant, 0);
    uint64_t cut = UINT64_C(1) << 63;
    psh_partition p[] = {
        partition(0, 0, cut - 1, PSH_PARTITION_ACTIVE), partition(0, cut, UINT64_MAX, PSH_PARTITION_ACTIVE),
        partition(1, 0, UINT64_MAX, PSH_PARTITION_SEALED), partition(2, 0, UINT64_MAX, PSH_PARTITION_ARCHIVED),
        partition(3, 0, UINT64_MAX, PSH_PARTITION_SHADOW), quarantine(PSH_PARTITION_ACTIVE),
    };
    psh_world *w = world_of(env, s, p, 6);
    psh_router *r = NULL;
    psh_router_stats stats = { .struct_size = sizeof stats };
    psh_placement at;
    uint64_t calls;
    int64_t day;

    (void)state;
    assert_ok(psh_router_create(env, NULL, &r, NULL));
    calls = al.calls;
    assert_ok(psh_router_write(r, w, 0, tenant, 5, &at));
    assert_true(at.partition->id == psh_partition_id(0, 0, point < cut ? 0 : cut));
    assert_true(!at.quarantined && !at.late);
    for (day = 1; day <= 3; day++) {
        assert_ok(psh_router_write(r, w, 0, tenant, day * PSH_DAY, &at));
        assert_true(at.partition->id == psh_quarantine_id(0));
        assert_true(at.quarantined == 1 && at.late == (day < 3));
    }
    assert_ok(psh_router_write(r, w, 0, tenant, INT64_C(4102444800) * PSH_SECOND, &at)); /* the year 2100 */
    assert_true(at.quarantined == 1 && at.late == 0);
    assert_int_equal(psh_router_write(r, w, 1, tenant, 5, &at), PSH_E_NOT_FOUND);
    assert_int_equal(psh_router_write(r, w, 0, tenant, PSH_TIME_NONE, &at), PSH_E_INVALID);
    assert_int_equal(psh_router_write(r, NULL, 0, tenant, 5, &at), PSH_E_INVALID);
    assert_int_equal(al.calls, calls);
    assert_ok(psh_router_get_stats(r, &stats));
    assert_true(stats.writes == 5 && stats.quarantined == 4 && stats.queries == 0);
    psh_router_destroy(r);
    psh_world_unref(w);
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

static void test_no_quarantine(void **state) {
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *s = test_flights_schema(env);
    psh_partition p[] = { partition(1, 0, UINT64_MAX, PSH_PARTITION_SEALED), quarantine(PSH_PARTITION_WARMING) };
    psh_world *none = world_of(env, s, p, 1);
    psh_world *unready = world_of(env, s, p, 2);
    psh_router *r = NULL;
    psh_placement at;

    (void)state;
    assert_ok(psh_router_create(env, NULL, &r, NULL));
    assert_int_equal(psh_router_write(r, none, 0, 1, PSH_DAY, &at), PSH_E_NOT_FOUND);
    assert_null(at.partition);
    assert_int_equal(psh_router_write(r, unready, 0, 1, PSH_DAY, &at), PSH_E_NOT_FOUND);
    assert_null(at.partition);
    psh_router_destroy(r);
    psh_world_unref(none);
    psh_world_unref(unready);
    psh_schema_unref(s);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

static void test_options(void **state) {
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_error err = { .struct_size = sizeof err };
    psh_router_options o;
    psh_router *r = NULL;

    (void)state;
    assert_ok(psh_router_options_init(&o, sizeof o));
    assert_true(o.max_legs == 64 && o.max_partitions == 65536);
    o.max_legs = 1;
    assert_int_equal(psh_router_create(env, &o, &r, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "max_legs");
    o.max_legs = 4097;
    assert_int_equal(psh_router_create(env, &o, &r, &err), PSH_E_INVALID);
    o.max_legs = 2;
    o.max_partitions = 0;
    assert_int_equal(psh_router_create(env, &o, &r, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "max_partitions");
    o.max_partitions = 1;
    o.flags = 1;
    assert_int_equal(psh_router_create(env, &o, &r, &err), PSH_E_UNSUPPORTED);
    assert_null(r);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_no_quarantine),
        cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
