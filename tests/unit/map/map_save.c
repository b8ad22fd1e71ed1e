/* SPDX-License-Identifier: MIT */
#include "test.h"

static psh_map *sample(psh_env *env, psh_schema *schema) {
    psh_map_options o;
    psh_wants *wants;
    psh_action a;
    psh_map *m;
    size_t i;

    assert_ok(psh_map_options_init(&o, sizeof o));
    o.default_arcs = 2;
    o.max_bytes = 12345;
    assert_ok(psh_map_create(env, schema, &o, &m, NULL));
    assert_ok(psh_wants_create(env, &wants));
    assert_ok(psh_map_propose(m, NULL, TEST_T0, wants, NULL));
    for (i = 0; i < psh_wants_count(wants); i++) {
        memset(&a, 0, sizeof a);
        assert_ok(psh_wants_get(wants, i, &a.want));
        a.want.node = a.want.tier = 0;
        a.id = psh_action_id(a.want.kind, a.want.subject, 0);
        assert_ok(psh_map_begin(m, &a));
        if (i + 1 < psh_wants_count(wants)) /* the last stays under way */
            assert_ok(psh_map_complete(m, &a, PSH_OK, TEST_T0));
    }
    assert_int_equal(psh_map_observe_write(m, psh_quarantine_id(0), 3, 99, 5, 6, 7), PSH_AGAIN);
    psh_wants_destroy(wants);
    return m;
}

static void a_load_gives_the_same_map(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_schema *schema = test_flights_schema(env);
    psh_map *m = sample(env, schema), *copy;
    psh_buffer *a, *b;
    size_t i;

    (void)state;
    assert_ok(psh_buffer_create(env, &a));
    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_map_save(m, a));
    assert_ok(psh_map_load(env, schema, psh_buffer_data(a), psh_buffer_size(a), 0, &copy, NULL));
    assert_int_equal(psh_map_count(copy), psh_map_count(m));
    for (i = 0; i < psh_map_count(m); i++)
        assert_memory_equal(psh_map_get(copy, i), psh_map_get(m, i), sizeof(psh_partition));
    assert_ok(psh_map_save(copy, b));
    assert_int_equal(psh_buffer_size(a), psh_buffer_size(b));
    assert_memory_equal(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a));
    psh_map_destroy(copy);
    i = psh_buffer_size(a);
    assert_int_equal(psh_map_load(env, schema, psh_buffer_data(a), i, 8, &copy, NULL), PSH_E_LIMIT);
    psh_map_destroy(m);
    psh_buffer_destroy(a);
    psh_buffer_destroy(b);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static void damage_is_found(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_schema *schema = test_flights_schema(env);
    psh_map *m = sample(env, schema), *copy;
    psh_buffer *b;
    unsigned char *bytes;
    size_t size, i;

    (void)state;
    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_map_save(m, b));
    size = psh_buffer_size(b);
    bytes = test_malloc(size);
    memcpy(bytes, psh_buffer_data(b), size);
    for (i = 0; i < size; i++) {
        bytes[i] ^= 0x20;
        assert_true(psh_map_load(env, schema, bytes, size, 0, &copy, NULL) < 0);
        assert_null(copy);
        bytes[i] ^= 0x20;
        assert_true(psh_map_load(env, schema, bytes, i, 0, &copy, NULL) < 0);
    }
    test_free(bytes);
    psh_map_destroy(m);
    psh_buffer_destroy(b);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_gives_the_same_map),
        cmocka_unit_test(damage_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
