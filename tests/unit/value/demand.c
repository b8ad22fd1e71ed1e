/* SPDX-License-Identifier: MIT */
#include "saved.h"

#include <float.h>
#include <math.h>

static psh_demand_entry tenant_entry(uint64_t id, double upper) {
    psh_demand_entry e = { 0 };

    e.kind = PSH_DEMAND_TENANT;
    e.id = id;
    e.from = TEST_T0;
    e.to = TEST_T0 + PSH_DAY;
    e.count = upper / 2;
    e.upper = upper;
    e.bytes = 100;
    e.bytes_upper = 200;
    e.confidence = 1;
    return e;
}

static psh_demand_entry zone_entry(uint64_t id) {
    psh_demand_entry e = tenant_entry(id, 5);

    e.kind = PSH_DEMAND_ZONE;
    e.subject = (psh_subject){ PSH_SUBJECT_LABEL, 0, id };
    e.confidence = 0.5;
    return e;
}

static psh_demand_entry view_entry(psh_query *q, double upper, double work, double confidence) {
    psh_demand_entry e = tenant_entry(psh_query_id(q), upper);

    e.kind = PSH_DEMAND_VIEW;
    e.definition = q;
    e.work = work;
    e.confidence = confidence;
    e.reach_ns = PSH_DAY;
    e.access = PSH_ACCESS_RANGE;
    e.reason = PSH_REASON_SHORT;
    return e;
}

static psh_status load_demand(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_error *err) {
    psh_demand *d = NULL;
    psh_status st = psh_demand_load(env, schema, data, size, max_bytes, &d, err);

    assert_true((st == PSH_OK) == (d != NULL));
    psh_demand_unref(d);
    return st;
}

static void test_ranking(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_status st;
    psh_query *cheap = day_query(env, schema, 0, &st), *costly = day_query(env, schema, 3, &st);
    psh_demand_entry list[7], got;
    uint64_t ids[7];
    psh_demand *d;
    size_t i;

    (void)state;
    list[0] = zone_entry(9);
    list[1] = view_entry(cheap, 100, 10, 0.5);
    list[2] = view_entry(costly, 20, 1000, 0.5); /* asked less, but each answer costs more */
    list[3] = tenant_entry(3, 50);
    list[4] = tenant_entry(2, DBL_MAX);
    list[5] = tenant_entry(1, 50 * (1 + 1e-15)); /* the same but for the last bits: by id */
    list[6] = tenant_entry(4, 0);
    assert_ok(psh_demand_create(
        env, 3, PSH_DEMAND_OBSERVED, 0.9, list, 7, sizeof *list, &d, NULL));
    assert_int_equal(psh_demand_count(d), 7);
    assert_int_equal(psh_demand_made_at(d), 3);
    assert_int_equal(psh_demand_source(d), PSH_DEMAND_OBSERVED);
    assert_true(psh_demand_quantile(d) == 0.9);
    for (i = 0; i < 7; i++) {
        assert_ok(psh_demand_get(d, i, &got));
        ids[i] = got.id;
    }
    assert_int_equal(psh_demand_get(d, 7, &got), PSH_E_NOT_FOUND);
    assert_true(ids[0] == 2 && ids[1] == 1 && ids[2] == 3 && ids[3] == 4);
    assert_true(ids[4] == psh_query_id(costly) && ids[5] == psh_query_id(cheap) && ids[6] == 9);
    psh_demand_unref(psh_demand_ref(d));
    psh_demand_unref(d);
    psh_query_unref(cheap);
    psh_query_unref(costly);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void refused(psh_env *env, psh_demand_entry e) {
    psh_demand_entry list[2] = { tenant_entry(1, 1), e };
    psh_error err = { .struct_size = sizeof err };
    psh_demand *d;

    assert_int_equal(psh_demand_create(env, 0, 0, 0.5, list, 2, sizeof e, &d, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "entries[1]");
    assert_null(d);
}

#define REFUSED(base, change) \
    do { \
        psh_demand_entry e = base; \
        e.change; \
        refused(env, e); \
    } while (0)

static void test_bad_entries(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_status st;
    psh_query *q = day_query(env, schema, 0, &st);
    psh_error err = { .struct_size = sizeof err };
    psh_demand *d;

    (void)state;
    REFUSED(tenant_entry(1, 1), kind = 0);
    REFUSED(tenant_entry(1, 1), kind = 5);
    REFUSED(tenant_entry(1, 1), to = e.from);
    REFUSED(tenant_entry(1, 1), from = PSH_TIME_NONE);
    REFUSED(tenant_entry(1, 1), count = -1);
    REFUSED(tenant_entry(1, 1), upper = (double)NAN);
    REFUSED(tenant_entry(1, 1), bytes = (double)INFINITY);
    REFUSED(tenant_entry(1, 1), bytes_upper = -1);
    REFUSED(tenant_entry(1, 1), work = -1);
    REFUSED(tenant_entry(1, 1), confidence = 1.1);
    REFUSED(tenant_entry(1, 1), reach_ns = -1);
    REFUSED(tenant_entry(1, 1), access = 4);
    REFUSED(tenant_entry(1, 1), reason = 5);
    REFUSED(tenant_entry(1, 1), definition = q);
    REFUSED(tenant_entry(1, 1), subject.id = 1);
    REFUSED(view_entry(q, 1, 1, 1), definition = NULL);
    REFUSED(view_entry(q, 1, 1, 1), id = 1);
    REFUSED(view_entry(q, 1, 1, 1), table = 2);
    REFUSED(zone_entry(4), subject.kind = 0);
    REFUSED(zone_entry(4), subject.id = 5);
    assert_int_equal(psh_demand_create(env, PSH_TIME_NONE, 0, 0.5, NULL, 0, 0, &d, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "made_at");
    assert_int_equal(psh_demand_create(env, 0, 2, 0.5, NULL, 0, 0, &d, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "source");
    assert_int_equal(psh_demand_create(env, 0, 0, 1, NULL, 0, 0, &d, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "quantile");
    assert_ok(psh_demand_create(env, 0, 0, 0.5, NULL, 0, 0, &d, &err));
    psh_demand_unref(d);
    psh_query_unref(q);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_demand *mixed_demand(psh_env *env, psh_query *q, psh_status *st) {
    psh_demand_entry list[4];
    psh_demand *d = NULL;

    list[0] = zone_entry(77);
    list[1] = view_entry(q, 12, 30, 0.75);
    list[2] = tenant_entry(5, 8);
    list[3] = tenant_entry((uint64_t)INT64_C(-3), 8);
    list[3].kind = PSH_DEMAND_INTERVAL;
    *st = psh_demand_create(env, TEST_T0, PSH_DEMAND_FORECAST, 0.95, list, 4, sizeof *list, &d, NULL);
    return d;
}

static void test_saved_comes_back(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_status st;
    psh_query *q = day_query(env, schema, 0, &st);
    psh_demand *d = mixed_demand(env, q, &st), *again;
    psh_buffer *one, *two;
    psh_demand_entry got;

    (void)state;
    assert_ok(st);
    assert_ok(psh_buffer_create(env, &one));
    assert_ok(psh_buffer_create(env, &two));
    assert_ok(psh_demand_save(d, one));
    assert_ok(psh_demand_load(env, schema, psh_buffer_data(one), psh_buffer_size(one), 0, &again, NULL));
    assert_ok(psh_demand_save(again, two));
    assert_true(same_bytes(one, two));
    assert_ok(psh_demand_get(again, 2, &got));
    assert_int_equal(got.kind, PSH_DEMAND_VIEW);
    assert_int_equal(got.access, PSH_ACCESS_RANGE);
    assert_true(got.work == 30 && got.confidence == 0.75 && got.reach_ns == PSH_DAY);
    assert_true(psh_query_id(got.definition) == psh_query_id(q));
    assert_ok(psh_demand_get(again, 3, &got));
    assert_int_equal(got.subject.kind, PSH_SUBJECT_LABEL);
    check_damage(env, schema, one, load_demand);
    psh_buffer_clear(two);
    assert_ok(psh_demand_dump(d, two));
    assert_non_null(strstr(psh_buffer_data(two), "interval -3 table 0"));
    assert_non_null(strstr(psh_buffer_data(two), "of label 0 000000000000004d"));
    psh_demand_unref(d);
    psh_demand_unref(again);
    psh_buffer_destroy(one);
    psh_buffer_destroy(two);
    psh_query_unref(q);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status use_demand(psh_env *env, void *user) {
    psh_status st;
    psh_query *q = day_query(env, user, 0, &st);
    psh_demand *d = NULL, *again = NULL;
    psh_buffer *b = NULL;

    if (st == PSH_OK)
        d = mixed_demand(env, q, &st);
    if (st == PSH_OK)
        st = psh_buffer_create(env, &b);
    if (st == PSH_OK)
        st = psh_demand_save(d, b);
    if (st == PSH_OK)
        st = psh_demand_load(env, user, psh_buffer_data(b), psh_buffer_size(b), 0, &again, NULL);
    psh_demand_unref(d);
    psh_demand_unref(again);
    psh_buffer_destroy(b);
    psh_query_unref(q);
    return st;
}

static void test_memory_may_fail(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);

    (void)state;
    test_every_allocation(use_demand, schema);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranking),
        cmocka_unit_test(test_bad_entries),
        cmocka_unit_test(test_saved_comes_back),
        cmocka_unit_test(test_memory_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
