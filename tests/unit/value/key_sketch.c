/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "test.h"

static psh_key_sketch *make(psh_env *env, uint32_t k, int64_t half_life) {
    psh_key_sketch_options o;
    psh_key_sketch *s;

    assert_ok(psh_key_sketch_options_init(&o, sizeof o));
    o.k = k;
    o.half_life_ns = half_life;
    assert_ok(psh_key_sketch_create(env, &o, &s, NULL));
    return s;
}

static psh_status add(psh_key_sketch *s, uint64_t key, double weight, int64_t time) {
    unsigned char bytes[8];
    int i;

    for (i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(key >> (56 - 8 * i));
    return psh_key_sketch_observe(s, bytes, 8, weight, time);
}

static uint64_t number(psh_bytes b) {
    const unsigned char *p = b.data;
    uint64_t x = 0;
    size_t i;

    for (i = 0; i < 8; i++)
        x = x << 8 | (i < b.size ? p[i] : 0);
    return x;
}

typedef struct cuts {
    uint64_t at[16];
    double below[16];
    uint32_t count;
} cuts;

static void note(void *user, psh_bytes key, double share_below) {
    cuts *c = user;

    assert_true(c->count < 16);
    c->below[c->count] = share_below;
    c->at[c->count++] = number(key);
}

static void cuts_have_equal_mass(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_key_sketch *s = make(env, 512, 0);
    cuts c = { .count = 0 };
    uint64_t i, seed = 4;
    uint32_t k;

    (void)state;
    assert_int_equal(psh_key_sketch_split(s, 4, note, &c), PSH_E_NOT_FOUND);
    for (i = 0; i < 50000; i++)
        assert_ok(add(s, (uint64_t)(1e6 * pow(pshi_rng_unit(&seed), 3)), 2, 0));
    assert_ok(psh_key_sketch_split(s, 8, note, &c));
    assert_int_equal(c.count, 7);
    for (k = 0; k < 7; k++) {
        assert_true(fabs(c.below[k] - (k + 1) / 8.0) < 0.005);
        /* a cube's quantile is known; the draws themselves are off by 0.0022, one sigma */
        assert_true(fabs(cbrt((double)c.at[k] / 1e6) - (k + 1) / 8.0) < psh_key_sketch_error(s) + 0.007);
    }
    assert_true(psh_key_sketch_weight(s) == 100000);
    psh_key_sketch_destroy(s);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* A key that holds two parts is cut off on both sides, and no cut is made inside it. */
static void heavy_keys_are_not_cut(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_key_sketch *s = make(env, 512, 0);
    cuts c = { .count = 0 };
    uint64_t i;

    (void)state;
    for (i = 0; i < 100; i++) {
        assert_ok(add(s, i, 1, 0));
        assert_ok(add(s, 50, 1, 0));
    }
    assert_ok(psh_key_sketch_split(s, 4, note, &c));
    assert_int_equal(c.count, 2);
    assert_int_equal(c.at[0], 50);
    assert_int_equal(c.at[1], 51);
    c.count = 0;
    assert_ok(psh_key_sketch_split(s, 1, note, &c));
    assert_int_equal(c.count, 0);
    psh_key_sketch_destroy(s);
    psh_env_destroy(env);
}

static void old_keys_weigh_less(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_key_sketch *s = make(env, 128, PSH_DAY), *t = make(env, 128, PSH_DAY);
    unsigned char nine[8] = { 0, 0, 0, 0, 0, 0, 0, 99 };
    uint64_t i;

    (void)state;
    for (i = 0; i < 100; i++)
        assert_ok(add(s, i, 1, 0));
    for (i = 100; i < 200; i++)
        assert_ok(add(s, i, 1, 2 * PSH_DAY));
    assert_true(fabs(psh_key_sketch_rank(s, nine, 8) - 0.2) < psh_key_sketch_error(s));
    assert_true(fabs(psh_key_sketch_weight(s) - 125) < 1e-6);
    for (i = 0; i < 100; i++)
        assert_ok(add(t, i, 1, 0)); /* late ones weigh as if they had been in time */
    assert_ok(psh_key_sketch_merge(s, t));
    assert_true(fabs(psh_key_sketch_weight(s) - 150) < 1e-6);
    assert_ok(psh_key_sketch_merge(t, s));
    assert_true(fabs(psh_key_sketch_weight(t) - 175) < 1e-6);
    assert_ok(psh_key_sketch_decay(t, PSH_TIME_MAX));
    assert_ok(add(t, 7, 1, PSH_TIME_MAX));
    assert_true(fabs(psh_key_sketch_weight(t) - 1) < 1e-6);
    psh_key_sketch_destroy(s);
    psh_key_sketch_destroy(t);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void distance_tells_a_shift(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_key_sketch *s = make(env, 256, 0), *t = make(env, 256, 0), *u = make(env, 256, 0);
    uint64_t i, seed = 8;

    (void)state;
    for (i = 0; i < 20000; i++) {
        assert_ok(add(s, pshi_rng_next(&seed) % 1000, 1, 0));
        assert_ok(add(t, pshi_rng_next(&seed) % 1000 + 250, 1, 0));
        assert_ok(add(u, pshi_rng_next(&seed) % 1000, 3, 0));
    }
    assert_true(fabs(psh_key_sketch_distance(s, t) - 0.25) < 0.03);
    assert_true(psh_key_sketch_distance(s, u) < 0.03);
    assert_true(psh_key_sketch_distance(s, NULL) == 1);
    psh_key_sketch_destroy(s);
    psh_key_sketch_destroy(t);
    psh_key_sketch_destroy(u);
    psh_env_destroy(env);
}

static void refuses_nonsense(void **state) {
    psh_key_sketch_options o;
    psh_key_sketch *s;
    psh_bytes key;
    test_alloc a;
    psh_env *env = test_env(&a);

    (void)state;
    assert_ok(psh_key_sketch_options_init(&o, sizeof o));
    o.k = 7;
    assert_int_equal(psh_key_sketch_create(env, &o, &s, NULL), PSH_E_INVALID);
    o.k = 0;
    o.error = 0.001;
    assert_int_equal(psh_key_sketch_create(env, &o, &s, NULL), PSH_E_INVALID);
    o.error = 0.05;
    o.flags = 1;
    assert_int_equal(psh_key_sketch_create(env, &o, &s, NULL), PSH_E_UNSUPPORTED);
    o.flags = 0;
    o.max_key_bytes = 1025;
    assert_int_equal(psh_key_sketch_create(env, &o, &s, NULL), PSH_E_INVALID);
    o.max_key_bytes = 0;
    assert_ok(psh_key_sketch_create(env, &o, &s, NULL));
    assert_int_equal(psh_key_sketch_quantile(s, 0.5, &key), PSH_E_NOT_FOUND);
    assert_int_equal(psh_key_sketch_observe(s, NULL, 1, 1, 0), PSH_E_INVALID);
    assert_int_equal(psh_key_sketch_observe(s, "a", 1, 0, 0), PSH_E_INVALID);
    assert_int_equal(psh_key_sketch_observe(s, "a", 1, (double)NAN, 0), PSH_E_INVALID);
    assert_ok(psh_key_sketch_observe(s, NULL, 0, 1, 0));
    assert_ok(psh_key_sketch_quantile(s, 0.5, &key));
    assert_int_equal(key.size, 0);
    assert_int_equal(psh_key_sketch_quantile(s, (double)NAN, &key), PSH_E_INVALID);
    psh_key_sketch_destroy(s);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status scenario(psh_env *env, void *user) {
    psh_key_sketch *s = NULL, *t = NULL;
    psh_buffer *b = NULL;
    psh_status st = psh_key_sketch_create(env, NULL, &s, NULL);
    uint64_t i;

    (void)user;
    for (i = 0; st == PSH_OK && i < 300; i++)
        st = add(s, i * 77, 1, 0);
    if (st == PSH_OK)
        st = psh_buffer_create(env, &b);
    if (st == PSH_OK)
        st = psh_key_sketch_dump(s, b);
    if (st == PSH_OK)
        psh_buffer_clear(b);
    if (st == PSH_OK)
        st = psh_key_sketch_save(s, b);
    if (st == PSH_OK)
        st = psh_key_sketch_load(env, psh_buffer_data(b), psh_buffer_size(b), 0, &t, NULL);
    if (st == PSH_OK)
        st = psh_key_sketch_merge(t, s);
    psh_buffer_destroy(b);
    psh_key_sketch_destroy(s);
    psh_key_sketch_destroy(t);
    return st;
}

static void out_of_memory(void **state) {
    (void)state;
    test_every_allocation(scenario, NULL);
}

static void saves(void **state) {
    psh_key_sketch *s, *t;
    psh_buffer *b, *d;
    test_alloc a;
    psh_env *env = test_env(&a);
    unsigned char *p;
    size_t i, n;

    (void)state;
    s = make(env, 32, PSH_HOUR);
    for (i = 0; i < 500; i++)
        assert_ok(add(s, i * i, 1 + (double)(i % 3), (int64_t)i * PSH_MINUTE));
    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_buffer_create(env, &d));
    assert_ok(psh_key_sketch_save(s, b));
    n = psh_buffer_size(b);
    assert_ok(psh_key_sketch_load(env, psh_buffer_data(b), n, 0, &t, NULL));
    for (i = 0; i < 500; i++) {
        assert_ok(add(s, i * 3, 1, PSH_DAY));
        assert_ok(add(t, i * 3, 1, PSH_DAY));
    }
    assert_ok(psh_key_sketch_save(t, d));
    psh_buffer_clear(b);
    assert_ok(psh_key_sketch_save(s, b));
    n = psh_buffer_size(b);
    assert_int_equal(n, psh_buffer_size(d));
    assert_memory_equal(psh_buffer_data(b), psh_buffer_data(d), n);
    psh_key_sketch_destroy(t);
    p = malloc(n);
    assert_non_null(p);
    memcpy(p, psh_buffer_data(b), n);
    for (i = 0; i < n; i++) {
        p[i] ^= 0x41;
        assert_true(psh_key_sketch_load(env, p, n, 0, &t, NULL) < 0);
        assert_null(t);
        p[i] ^= 0x41;
        assert_true(psh_key_sketch_load(env, p, i, 0, &t, NULL) < 0);
    }
    assert_int_equal(psh_key_sketch_load(env, p, n, 50, &t, NULL), PSH_E_LIMIT);
    free(p);
    psh_buffer_destroy(b);
    psh_buffer_destroy(d);
    psh_key_sketch_destroy(s);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_have_equal_mass),
        cmocka_unit_test(heavy_keys_are_not_cut),
        cmocka_unit_test(old_keys_weigh_less),
        cmocka_unit_test(distance_tells_a_shift),
        cmocka_unit_test(refuses_nonsense),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(saves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
