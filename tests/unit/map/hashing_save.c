/* SPDX-License-Identifier: MIT */
#include "test.h"

#include <predshard/hashing.h>

#include "base/hash.h"

static uint64_t key_of(uint32_t i) {
    return pshi_mix64(i + UINT64_C(77));
}

static psh_hashing *make(psh_env *env, uint32_t capacity, const psh_hash_node *nodes, size_t n) {
    psh_hashing *h = NULL;

    assert_ok(psh_hashing_create(env, 5, capacity, nodes, n, &h, NULL));
    return h;
}

static psh_hashing *change(psh_hashing *h, const psh_hash_node *changes, size_t n) {
    psh_hashing *next = NULL;

    assert_ok(psh_hashing_change(h, changes, n, &next, NULL));
    psh_hashing_unref(h);
    return next;
}

static void number_nodes(psh_hash_node *nodes, uint32_t n, uint32_t first, uint32_t weight) {
    uint32_t i;

    for (i = 0; i < n; i++)
        nodes[i] = (psh_hash_node){ first + i, weight };
}

static psh_hashing *sample(psh_env *env, int kind) {
    psh_hash_node nodes[30];
    psh_hashing *h;

    number_nodes(nodes, 30, 7, kind ? 3 : 1);
    nodes[4].node += kind * 100;
    h = make(env, 120, nodes, 30);
    nodes[3].weight = nodes[20].weight = nodes[8].weight = 0;
    h = change(h, &nodes[20], 1);
    h = change(h, &nodes[3], 1);
    return change(h, &nodes[8], 1);
}

static void a_load_gives_the_same_hash(void **state) {
    const psh_hash_node back[] = { { 10, 1 }, { 12, 0 } };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_buffer *a, *b;
    psh_hashing *h, *copy;
    psh_status st;
    uint32_t i;
    int kind;

    (void)state;
    assert_ok(psh_buffer_create(env, &a));
    assert_ok(psh_buffer_create(env, &b));
    for (kind = 0; kind < 2; kind++) {
        psh_buffer_clear(a);
        psh_buffer_clear(b);
        h = sample(env, kind);
        assert_ok(psh_hashing_save(h, a));
        st = psh_hashing_load(env, psh_buffer_data(a), psh_buffer_size(a), 900, &copy, NULL);
        assert_int_equal(st, PSH_E_LIMIT);
        assert_ok(psh_hashing_load(env, psh_buffer_data(a), psh_buffer_size(a), 0, &copy, NULL));
        assert_int_equal(psh_hashing_bytes(copy), psh_hashing_bytes(h));
        h = change(h, back, 2);
        copy = change(copy, back, 2);
        for (i = 0; i < 3000; i++)
            assert_int_equal(psh_hashing_find(copy, key_of(i)), psh_hashing_find(h, key_of(i)));
        psh_buffer_clear(a);
        assert_ok(psh_hashing_save(h, a));
        assert_ok(psh_hashing_save(copy, b));
        assert_int_equal(psh_buffer_size(a), psh_buffer_size(b));
        assert_memory_equal(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a));
        psh_hashing_unref(h);
        psh_hashing_unref(copy);
    }
    psh_buffer_destroy(a);
    psh_buffer_destroy(b);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static void damage_is_found(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_hashing *h, *copy;
    unsigned char *bytes;
    psh_buffer *b;
    size_t size, i;
    int kind;

    (void)state;
    assert_ok(psh_buffer_create(env, &b));
    for (kind = 0; kind < 2; kind++) {
        psh_buffer_clear(b);
        h = sample(env, kind);
        assert_ok(psh_hashing_save(h, b));
        size = psh_buffer_size(b);
        bytes = test_malloc(size);
        memcpy(bytes, psh_buffer_data(b), size);
        for (i = 0; i < size * 8; i++) {
            bytes[i / 8] ^= (unsigned char)(1 << i % 8);
            assert_true(psh_hashing_load(env, bytes, size, 0, &copy, NULL) < 0);
            assert_null(copy);
            bytes[i / 8] ^= (unsigned char)(1 << i % 8);
            assert_true(psh_hashing_load(env, bytes, i / 8, 0, &copy, NULL) < 0);
        }
        test_free(bytes);
        psh_hashing_unref(h);
    }
    psh_buffer_destroy(b);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static void a_dump_tells_the_nodes(void **state) {
    const psh_hash_node nodes[] = { { 8, 2 }, { 3, 1 } };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_hashing *h = make(env, 9, nodes, 2);
    psh_buffer *b;

    (void)state;
    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_hashing_dump(h, b));
    assert_string_equal(psh_buffer_data(b),
        "hashing seed 0000000000000005 capacity 9 nodes 2 removed 0\n  node 3 weight 1\n  node 8 weight 2\n");
    assert_int_equal(psh_hashing_dump(NULL, b), PSH_E_INVALID);
    psh_buffer_destroy(b);
    psh_hashing_unref(h);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static psh_status use_hashing(psh_env *env, void *user) {
    const psh_hash_node nodes[] = { { 5, 2 }, { 1, 1 }, { 2, 3 } }, out[] = { { 2, 0 } };
    const psh_hash_node in[] = { { 9, 4 }, { 5, 1 } };
    psh_hashing *h = NULL, *a = NULL, *b = NULL, *c = NULL;
    psh_buffer *bytes = NULL;
    psh_status st = psh_hashing_create(env, 1, 12, nodes, 3, &h, NULL);

    (void)user;
    if (st == PSH_OK)
        st = psh_buffer_create(env, &bytes);
    if (st == PSH_OK)
        st = psh_hashing_change(h, out, 1, &a, NULL);
    if (st == PSH_OK)
        st = psh_hashing_change(a, in, 2, &b, NULL);
    if (st == PSH_OK)
        st = psh_hashing_save(b, bytes);
    if (st == PSH_OK)
        st = psh_hashing_load(env, psh_buffer_data(bytes), psh_buffer_size(bytes), 0, &c, NULL);
    if (st == PSH_OK)
        st = psh_hashing_dump(c, bytes);
    assert_true(!h || psh_hashing_count(h) == 3);
    assert_true(!a || psh_hashing_count(a) == 2);
    psh_hashing_unref(h);
    psh_hashing_unref(a);
    psh_hashing_unref(b);
    psh_hashing_unref(c);
    psh_buffer_destroy(bytes);
    return st;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    test_every_allocation(use_hashing, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_gives_the_same_hash),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(a_dump_tells_the_nodes),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
