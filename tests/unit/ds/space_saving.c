/* SPDX-License-Identifier: MIT */
#include "ds/space_saving.h"

#include "base/rng.h"
#include "test.h"

#define IDS 5000u
#define CAP 64u

static double truth[IDS + 1];

/* Every error bound that the header states, against exact counts. */
static void assert_bounds(const pshi_space_saving *s, double slack) {
    double missed = pshi_space_saving_missed(s);
    uint32_t id, i;

    assert_true(missed <= s->total / CAP * slack);
    for (id = 1; id <= IDS; id++) {
        i = pshi_space_saving_find(s, id);
        if (i == PSH_NONE) {
            assert_true(truth[id] <= missed * (1 + 1e-12));
            continue;
        }
        assert_true(s->list[i].error <= s->total / CAP * slack);
        assert_true(truth[id] <= s->list[i].count * (1 + 1e-12));
        assert_true(truth[id] >= (s->list[i].count - s->list[i].error) * (1 - 1e-12) - 1e-9);
    }
}

static void feed(pshi_space_saving *s, uint32_t id, double weight) {
    int fresh;

    truth[id] += weight;
    (void)pshi_space_saving_add(s, id, weight, &fresh);
}

/* Skewed, with a weight each. */
static void feed_skewed(pshi_space_saving *s, uint64_t *seed, uint32_t n) {
    double u;

    while (n--) {
        u = pshi_rng_unit(seed);
        feed(s, 1 + (uint32_t)(u * u * u * u * IDS), 0.5 + pshi_rng_unit(seed) * 3);
    }
}

static void random_stream(void **state) {
    pshi_space_saving s;
    uint64_t seed = 5;
    test_alloc a;
    psh_env *env = test_env(&a);

    (void)state;
    memset(truth, 0, sizeof truth);
    assert_ok(pshi_space_saving_init(env, &s, CAP));
    test_alloc_fail(&a, 0, 1); /* it allocates nothing from here on */
    feed_skewed(&s, &seed, 100000);
    assert_bounds(&s, 1);
    assert_true(pshi_space_saving_find(&s, 1) != PSH_NONE);
    assert_false(a.failed);
    pshi_space_saving_free(env, &s);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* A heavy item once, then items that never come again, one after the other: the worst case for what is held. */
static void adversarial_stream(void **state) {
    pshi_space_saving s;
    test_alloc a;
    psh_env *env = test_env(&a);
    uint32_t i;

    (void)state;
    memset(truth, 0, sizeof truth);
    assert_ok(pshi_space_saving_init(env, &s, CAP));
    feed(&s, 1, 100);
    for (i = 2; i <= IDS; i++)
        feed(&s, i, 1);
    assert_bounds(&s, 1);
    assert_true(pshi_space_saving_find(&s, 1) != PSH_NONE); /* 100 > 5099 / 64 */
    for (i = 0; i < 20000; i++)
        feed(&s, 2 + i * 7 % (IDS - 1), i % 3 ? 0.001 : 10);
    assert_bounds(&s, 1 + 1e-12);
    pshi_space_saving_free(env, &s);
    psh_env_destroy(env);
}

static void merge_keeps_bounds(void **state) {
    pshi_space_saving s, t;
    uint64_t seed = 9;
    test_alloc a;
    psh_env *env = test_env(&a);
    uint32_t i;

    (void)state;
    memset(truth, 0, sizeof truth);
    assert_ok(pshi_space_saving_init(env, &s, CAP));
    assert_ok(pshi_space_saving_init(env, &t, CAP));
    feed_skewed(&s, &seed, 30000);
    for (i = 0; i < 30000; i++)
        feed(&t, 1 + (uint32_t)(pshi_rng_next(&seed) % IDS), 1);
    test_alloc_fail(&a, 0, 0);
    assert_int_equal(pshi_space_saving_merge(env, &s, &t), PSH_E_NOMEM);
    assert_ok(pshi_space_saving_merge(env, &s, &t));
    assert_bounds(&s, 1 + 1e-12);
    pshi_space_saving_scale(&s, 0.25);
    for (i = 1; i <= IDS; i++)
        truth[i] *= 0.25;
    assert_bounds(&s, 1 + 1e-12);
    feed_skewed(&s, &seed, 30000);
    assert_bounds(&s, 1 + 1e-12);
    pshi_space_saving_free(env, &s);
    pshi_space_saving_free(env, &t);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_buffer *saved(psh_env *env, const pshi_space_saving *s) {
    psh_buffer *b;
    pshi_writer w;

    assert_ok(psh_buffer_create(env, &b));
    w = pshi_write(b);
    pshi_space_saving_put(&w, s);
    assert_ok(pshi_write_end(&w));
    return b;
}

/* What was loaded goes on as what was saved; damaged bytes are refused or give something sound. */
static void saves(void **state) {
    pshi_space_saving s, t;
    uint64_t seed = 3, other, i;
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_buffer *b, *d;
    pshi_cursor c;

    (void)state;
    assert_ok(pshi_space_saving_init(env, &s, CAP));
    feed_skewed(&s, &seed, 5000);
    b = saved(env, &s);
    assert_ok(pshi_space_saving_init(env, &t, CAP));
    c = pshi_read(psh_buffer_data(b), psh_buffer_size(b));
    assert_ok(pshi_space_saving_get(&c, &t));
    assert_ok(pshi_read_end(&c));
    other = seed;
    feed_skewed(&s, &seed, 5000);
    feed_skewed(&t, &other, 5000);
    d = saved(env, &s);
    psh_buffer_destroy(b);
    b = saved(env, &t);
    assert_int_equal(psh_buffer_size(b), psh_buffer_size(d));
    assert_memory_equal(psh_buffer_data(b), psh_buffer_data(d), psh_buffer_size(b));
    for (i = 0; i < psh_buffer_size(b); i++) {
        pshi_buffer_bytes(b)[i] ^= 0x55;
        pshi_space_saving_free(env, &t);
        assert_ok(pshi_space_saving_init(env, &t, CAP));
        c = pshi_read(psh_buffer_data(b), psh_buffer_size(b));
        if (pshi_space_saving_get(&c, &t) == PSH_OK)
            feed_skewed(&t, &other, 200);
        pshi_buffer_bytes(b)[i] ^= 0x55;
    }
    psh_buffer_destroy(b);
    psh_buffer_destroy(d);
    pshi_space_saving_free(env, &s);
    pshi_space_saving_free(env, &t);
    for (i = 0; i < 4; i++) {
        test_alloc_fail(&a, (int64_t)i, 0);
        assert_int_equal(pshi_space_saving_init(env, &s, CAP), PSH_E_NOMEM);
    }
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_stream),
        cmocka_unit_test(adversarial_stream),
        cmocka_unit_test(merge_keeps_bounds),
        cmocka_unit_test(saves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
