/* SPDX-License-Identifier: MIT */
#include "fake.h"
#include "memory_host.h"

static psh_error err;

static psh_status make(psh_env *env, psh_schema *schema, const psh_driver_options *o, const psh_storage *s) {
    psh_driver *d = NULL;
    psh_status st;

    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    st = psh_driver_create(env, schema, o, s, NULL, NULL, &d, &err);
    psh_driver_destroy(d);
    return st;
}

static void options_are_checked(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_schema *schema = test_flights_schema(env);
    fake f = { 0 };
    psh_storage storage = fake_storage(&f);
    psh_driver_options o;

    (void)state;
    assert_ok(psh_driver_options_init(&o, sizeof o));
    assert_ok(make(env, schema, &o, &storage));
    o.flags = 2;
    assert_int_equal(make(env, schema, &o, &storage), PSH_E_UNSUPPORTED);
    assert_string_equal(err.field, "flags");
    assert_ok(psh_driver_options_init(&o, sizeof o));
    o.prefix = "Not plain";
    assert_int_equal(make(env, schema, &o, &storage), PSH_E_INVALID);
    assert_string_equal(err.field, "prefix");
    assert_ok(psh_driver_options_init(&o, sizeof o));
    o.max_attempts = 0;
    assert_int_equal(make(env, schema, &o, &storage), PSH_E_INVALID);
    assert_int_equal(make(env, schema, NULL, NULL), PSH_E_INVALID);
    storage.submit = NULL;
    assert_int_equal(make(env, schema, NULL, &storage), PSH_E_INVALID);
    assert_string_equal(err.field, "storage");
    storage = fake_storage(&f);
    storage.version = 2;
    assert_int_equal(make(env, schema, NULL, &storage), PSH_E_UNSUPPORTED);
    /* An older host's shorter table lacks the methods that it did not know. */
    storage = fake_storage(&f);
    storage.struct_size = offsetof(psh_storage, health);
    assert_ok(make(env, schema, NULL, &storage));
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static void absent_methods(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_schema *schema = test_flights_schema(env);
    fake f = { 0 };
    psh_storage storage = fake_storage(&f);
    psh_health health = { .struct_size = sizeof health };
    psh_cdc_state cdc = { .struct_size = sizeof cdc };
    psh_driver *d = NULL;
    uint64_t fence = 0;

    (void)state;
    assert_ok(psh_driver_create(env, schema, NULL, &storage, NULL, NULL, &d, NULL));
    assert_int_equal(psh_driver_health(d, 0, 0, &health, NULL), PSH_E_UNSUPPORTED);
    assert_int_equal(psh_driver_source_state(d, &cdc, NULL), PSH_E_UNSUPPORTED);
    assert_ok(psh_driver_lead(d, &fence, NULL));
    assert_int_equal(fence, 1);
    psh_driver_destroy(d);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static void leaders_raise_the_fence(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_schema *schema = test_flights_schema(env);
    memory_host *h = memory_host_create(schema);
    psh_storage storage;
    psh_cdc cdc;
    psh_kv kv;
    psh_driver *first = NULL, *second = NULL;
    psh_action a = fake_action(PSH_ACT_CREATE_PARTITION, 1, NULL);
    psh_plan *p;
    uint64_t fence = 0;

    (void)state;
    memory_host_tables(h, &storage, &cdc, &kv);
    assert_ok(psh_driver_create(env, schema, NULL, &storage, &cdc, &kv, &first, NULL));
    assert_ok(psh_driver_create(env, schema, NULL, &storage, &cdc, &kv, &second, NULL));
    assert_int_equal(psh_driver_fence(first), 0);
    assert_ok(psh_driver_lead(first, &fence, NULL));
    assert_int_equal(fence, 1);
    assert_ok(psh_driver_lead(second, &fence, NULL));
    assert_int_equal(fence, 2);
    a.fence = 2;
    p = fake_plan(env, &a, 1);
    assert_ok(psh_driver_run(second, p, NULL));
    assert_ok(psh_driver_step(second, 0, 1));
    psh_plan_unref(p);
    assert_int_equal(memory_host_table_count(h), 1);
    /* The first leads no more: its checkpoint would undo the other's, its order is refused. */
    assert_int_equal(psh_driver_checkpoint(first, NULL, 0, 0, NULL), PSH_E_FENCED);
    a = fake_action(PSH_ACT_CREATE_PARTITION, 2, NULL);
    p = fake_plan(env, &a, 1);
    assert_ok(psh_driver_run(first, p, NULL));
    assert_int_equal(psh_driver_step(first, 0, 1), PSH_E_FENCED);
    psh_plan_unref(p);
    assert_int_equal(memory_host_table_count(h), 1);
    /* It leads again: the same order goes out under the new fence. */
    assert_ok(psh_driver_lead(first, &fence, NULL));
    assert_int_equal(fence, 3);
    assert_ok(psh_driver_step(first, 1, 1));
    assert_int_equal(memory_host_table_count(h), 2);
    memory_host_fail(h, 0, 0);
    err.struct_size = sizeof err;
    assert_int_equal(psh_driver_lead(first, &fence, &err), PSH_E_HOST);
    assert_string_equal(err.field, "kv.get");
    assert_int_equal(psh_driver_fence(first), 3);
    psh_driver_destroy(first);
    psh_driver_destroy(second);
    memory_host_destroy(h);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(absent_methods),
        cmocka_unit_test(leaders_raise_the_fence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
