/* SPDX-License-Identifier: MIT */
#include "test.h"

#include <predshard/hashing.h>

static psh_shards *make(psh_env *env, uint32_t shards, double slack) {
    psh_shards_options o;
    psh_shards *s = NULL;

    assert_ok(psh_shards_options_init(&o, sizeof o));
    o.shards = shards;
    o.slack = slack;
    assert_ok(psh_shards_create(env, &o, &s, NULL));
    return s;
}

static psh_shards *sample(psh_env *env, int kind) {
    const psh_hash_node c[] = { { 9, 3 }, { 4, 1 }, { 300, 2 } }, gone = { 4, 0 };
    const uint32_t shards[] = { 0, 7 };
    const double loads[] = { 2.5, 0 };
    psh_shards *s = make(env, 40, 0.1);

    if (kind > 0)
        assert_ok(psh_shards_set_nodes(s, c, 3, NULL, NULL));
    if (kind > 1) {
        assert_ok(psh_shards_set_loads(s, shards, loads, 2, NULL, NULL));
        assert_ok(psh_shards_set_nodes(s, &gone, 1, NULL, NULL));
    }
    return s;
}

static void a_load_gives_the_same_shards(void **state) {
    const psh_hash_node next[] = { { 9, 0 }, { 17, 2 } };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_shards *s, *copy;
    psh_buffer *a, *b;
    psh_status st;
    uint32_t i;
    int kind;

    (void)state;
    assert_ok(psh_buffer_create(env, &a));
    assert_ok(psh_buffer_create(env, &b));
    for (kind = 0; kind < 3; kind++) {
        psh_buffer_clear(a);
        psh_buffer_clear(b);
        s = sample(env, kind);
        assert_ok(psh_shards_save(s, a));
        st = psh_shards_load(env, psh_buffer_data(a), psh_buffer_size(a), 100, &copy, NULL);
        assert_int_equal(st, PSH_E_LIMIT);
        assert_ok(psh_shards_load(env, psh_buffer_data(a), psh_buffer_size(a), 0, &copy, NULL));
        for (i = 0; i < 40; i++)
            assert_int_equal(psh_shards_node(copy, i), psh_shards_node(s, i));
        assert_true(psh_shards_imbalance(copy) <= psh_shards_imbalance(s));
        assert_true(psh_shards_imbalance(copy) >= psh_shards_imbalance(s));
        assert_ok(psh_shards_set_nodes(s, next, 2, NULL, NULL));
        assert_ok(psh_shards_set_nodes(copy, next, 2, NULL, NULL));
        psh_buffer_clear(a);
        assert_ok(psh_shards_save(s, a));
        assert_ok(psh_shards_save(copy, b));
        assert_int_equal(psh_buffer_size(a), psh_buffer_size(b));
        assert_memory_equal(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a));
        psh_shards_destroy(s);
        psh_shards_destroy(copy);
    }
    psh_buffer_destroy(a);
    psh_buffer_destroy(b);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static void damage_is_found(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_shards *s, *copy;
    unsigned char *bytes;
    psh_buffer *b;
    size_t size, i;
    int kind;

    (void)state;
    assert_ok(psh_buffer_create(env, &b));
    for (kind = 0; kind < 3; kind++) {
        psh_buffer_clear(b);
        s = sample(env, kind);
        assert_ok(psh_shards_save(s, b));
        size = psh_buffer_size(b);
        bytes = test_malloc(size);
        memcpy(bytes, psh_buffer_data(b), size);
        for (i = 0; i < size * 8; i++) {
            bytes[i / 8] ^= (unsigned char)(1 << i % 8);
            assert_true(psh_shards_load(env, bytes, size, 0, &copy, NULL) < 0);
            assert_null(copy);
            bytes[i / 8] ^= (unsigned char)(1 << i % 8);
            assert_true(psh_shards_load(env, bytes, i / 8, 0, &copy, NULL) < 0);
        }
        test_free(bytes);
        psh_shards_destroy(s);
    }
    psh_buffer_destroy(b);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static psh_status use_shards(psh_env *env, void *user) {
    const psh_hash_node c[] = { { 5, 2 }, { 1, 1 }, { 2, 3 } }, d[] = { { 2, 0 }, { 8, 1 } };
    const uint32_t shard = 1;
    const double load = 4;
    psh_shards_options o;
    psh_shards *s = NULL, *copy = NULL;
    psh_buffer *bytes = NULL;
    uint32_t node = PSH_NONE;
    psh_status st = psh_buffer_create(env, &bytes);

    (void)user;
    assert_ok(psh_shards_options_init(&o, sizeof o));
    o.shards = 60;
    if (st == PSH_OK)
        st = psh_shards_create(env, &o, &s, NULL);
    if (st == PSH_OK)
        st = psh_shards_set_nodes(s, c, 3, NULL, NULL);
    node = psh_shards_node(s, 0);
    assert_true(st != PSH_OK || node != PSH_NONE);
    if (st == PSH_OK && (st = psh_shards_set_loads(s, &shard, &load, 1, NULL, NULL)) != PSH_OK)
        assert_int_equal(psh_shards_node(s, 0), node);
    node = psh_shards_node(s, 0);
    if (st == PSH_OK && (st = psh_shards_set_nodes(s, d, 2, NULL, NULL)) != PSH_OK)
        assert_int_equal(psh_shards_node(s, 0), node);
    if (st == PSH_OK)
        st = psh_shards_save(s, bytes);
    if (st == PSH_OK)
        st = psh_shards_load(env, psh_buffer_data(bytes), psh_buffer_size(bytes), 0, &copy, NULL);
    psh_shards_destroy(s);
    psh_shards_destroy(copy);
    psh_buffer_destroy(bytes);
    return st;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    test_every_allocation(use_shards, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_gives_the_same_shards),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
