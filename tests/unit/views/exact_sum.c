/* SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>

#include "base/rng.h"
#include "math/exact_sum.h"
#include "test.h"

static void add(psh_env *env, pshi_sparse_sum *s, double x) {
    assert_ok(pshi_sparse_reserve(env, s, x));
    pshi_sparse_add(s, x);
}

static void test_order_does_not_matter(void **state) {
    static const double terms[] = { 1e308, 1e-300, 1.5, -1e308, 4.9e-324, -1.5, 3e17, 0.1, -3e17, DBL_MIN };
    test_alloc a;
    psh_env *env = test_env(&a);
    pshi_sparse_sum s;
    double want = 0.1;
    size_t n = sizeof terms / sizeof terms[0], turn, i;

    (void)state;
    for (turn = 0; turn < n; turn++) {
        memset(&s, 0, sizeof s);
        for (i = 0; i < n; i++)
            add(env, &s, terms[(i * 3 + turn) % n]);
        assert_true(pshi_sparse_read(&s) == want);
        add(env, &s, -0.1);
        assert_true(pshi_sparse_read(&s) == 1e-300 + (DBL_MIN + 4.9e-324));
        add(env, &s, -1e-300);
        assert_true(pshi_sparse_read(&s) == DBL_MIN + 4.9e-324);
        for (i = 0; i < n; i++)
            if (terms[i] != 0.1 && terms[i] != 1e-300)
                pshi_sparse_subtract(&s, terms[i]);
        assert_true(pshi_sparse_is_zero(&s));
        assert_true(pshi_sparse_read(&s) == 0);
        pshi_sparse_free(env, &s);
    }
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_rounds_half_to_even(void **state) {
    psh_env *env = NULL;
    pshi_sparse_sum s = { 0 };

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    add(env, &s, 1);
    add(env, &s, 0x1p-53);
    assert_true(pshi_sparse_read(&s) == 1);
    add(env, &s, 0x1p-1074);
    assert_true(pshi_sparse_read(&s) == 1 + 0x1p-52);
    pshi_sparse_subtract(&s, 0x1p-1074);
    add(env, &s, 0x1p-52);
    assert_true(pshi_sparse_read(&s) == 1 + 0x1p-51);
    add(env, &s, -2 * (1 + 0x1p-52));
    assert_true(pshi_sparse_read(&s) == -1);
    pshi_sparse_free(env, &s);
    psh_env_destroy(env);
}

static void test_beyond_the_largest(void **state) {
    psh_env *env = NULL;
    pshi_sparse_sum s = { 0 };
    double parts[PSHI_EXACT_PARTS];
    int i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    add(env, &s, DBL_MAX);
    add(env, &s, DBL_MAX);
    assert_true(isinf(pshi_sparse_read(&s)));
    assert_int_equal(pshi_sparse_split(&s, parts), 2);
    assert_true(parts[0] == DBL_MAX && parts[1] == DBL_MAX);
    add(env, &s, -DBL_MAX);
    assert_true(pshi_sparse_read(&s) == DBL_MAX);
    for (i = 0; i < 100; i++)
        add(env, &s, -DBL_MAX);
    assert_true(pshi_sparse_read(&s) == -HUGE_VAL);
    assert_int_equal(pshi_sparse_split(&s, parts), 0);
    pshi_sparse_free(env, &s);
    psh_env_destroy(env);
}

static double random_double(uint64_t *seed) {
    double m = pshi_rng_unit(seed) * 2 - 1;
    int e = (int)(pshi_rng_next(seed) % 2000) - 1050;

    return ldexp(m, e > 1000 ? 1000 : e);
}

/* Against the whole accumulator, splitting and saving. */
static void test_random(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    pshi_sparse_sum s, t;
    pshi_exact_sum whole;
    psh_buffer *b = NULL, *c = NULL;
    pshi_writer w;
    pshi_cursor cur;
    double parts[PSHI_EXACT_PARTS];
    uint64_t seed = 7;
    size_t n, i;
    int round;

    (void)state;
    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_buffer_create(env, &c));
    for (round = 0; round < 500; round++) {
        memset(&s, 0, sizeof s);
        memset(&t, 0, sizeof t);
        pshi_exact_init(&whole);
        for (i = 0; i < (size_t)round % 40; i++) {
            parts[0] = random_double(&seed);
            add(env, &s, parts[0]);
            pshi_exact_add(&whole, parts[0]);
        }
        assert_true(pshi_exact_value(&whole) == pshi_sparse_read(&s));
        n = pshi_sparse_split(&s, parts);
        assert_true(n >= 1 && parts[0] == pshi_sparse_read(&s));
        psh_buffer_clear(b);
        w = pshi_write(b);
        pshi_sparse_put(&w, &s);
        assert_ok(pshi_write_end(&w));
        cur = pshi_read(psh_buffer_data(b), psh_buffer_size(b));
        assert_ok(pshi_sparse_get(env, &cur, &t));
        assert_ok(pshi_read_end(&cur));
        for (i = 0; i < n; i++)
            add(env, &t, -parts[i]);
        assert_true(pshi_sparse_is_zero(&t));
        /* The same sum built another way saves to the same bytes. */
        pshi_sparse_free(env, &t);
        add(env, &t, 1e300);
        for (i = n; i-- > 0;)
            add(env, &t, parts[i]);
        pshi_sparse_subtract(&t, 1e300);
        psh_buffer_clear(c);
        w = pshi_write(c);
        pshi_sparse_put(&w, &t);
        assert_ok(pshi_write_end(&w));
        assert_int_equal(psh_buffer_size(b), psh_buffer_size(c));
        assert_memory_equal(psh_buffer_data(b), psh_buffer_data(c), psh_buffer_size(b));
        pshi_sparse_free(env, &s);
        pshi_sparse_free(env, &t);
    }
    psh_buffer_destroy(b);
    psh_buffer_destroy(c);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_no_memory_changes_nothing(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    pshi_sparse_sum s = { 0 };

    (void)state;
    add(env, &s, 1.25);
    test_alloc_fail(&a, 0, 1);
    assert_int_equal(pshi_sparse_reserve(env, &s, 1e200), PSH_E_NOMEM);
    assert_true(pshi_sparse_read(&s) == 1.25);
    assert_ok(pshi_sparse_reserve(env, &s, 7));
    pshi_sparse_free(env, &s);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* What was saved without its limb for carries gets it back: a smaller term may carry into it. */
static void test_loaded_sum_carries(void **state) {
    psh_env *env = NULL;
    psh_buffer *b = NULL;
    int sign;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(psh_buffer_create(env, &b));
    for (sign = -1; sign <= 1; sign += 2) {
        pshi_sparse_sum s = { 0 }, loaded = { 0 };
        pshi_writer w = pshi_write(b);
        pshi_cursor c;

        psh_buffer_clear(b);
        add(env, &s, sign * 0x1p63);
        add(env, &s, sign * -0.5);
        pshi_sparse_put(&w, &s);
        assert_ok(pshi_write_end(&w));
        c = pshi_read(psh_buffer_data(b), psh_buffer_size(b));
        assert_ok(pshi_sparse_get(env, &c, &loaded));
        assert_ok(pshi_read_end(&c));
        add(env, &loaded, sign * 0.5);
        assert_true(pshi_sparse_read(&loaded) == sign * 0x1p63);
        add(env, &loaded, sign * 0.5);
        add(env, &loaded, sign * -0x1p63);
        assert_true(pshi_sparse_read(&loaded) == sign * 0.5);
        pshi_sparse_free(env, &s);
        pshi_sparse_free(env, &loaded);
    }
    psh_buffer_destroy(b);
    psh_env_destroy(env);
}

static void test_damage_is_seen(void **state) {
    static const unsigned char bad[][20] = {
        { 0, 1, 1, 0, 0, 0, 0, 0, 0, 0 },             /* bits below the smallest double */
        { 40, 1, 1, 0, 0, 0, 0, 0, 0, 0 },            /* beyond the last limb */
        { 17, 1, 0, 0, 0, 0, 0, 0, 0, 0 },            /* a zero that is not empty */
        { 17, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, /* a top limb too many */
        { 3, 0 },                                     /* nothing, somewhere */
    };
    static const size_t size[] = { 10, 10, 10, 18, 2 };
    psh_env *env = NULL;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < 5; i++) {
        pshi_sparse_sum s = { 0 };
        pshi_cursor c = pshi_read(bad[i], size[i]);

        assert_ok(pshi_sparse_get(env, &c, &s));
        assert_int_equal(c.status, PSH_E_CORRUPT);
        pshi_sparse_free(env, &s);
    }
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_does_not_matter), cmocka_unit_test(test_rounds_half_to_even),
        cmocka_unit_test(test_beyond_the_largest),    cmocka_unit_test(test_random),
        cmocka_unit_test(test_no_memory_changes_nothing), cmocka_unit_test(test_damage_is_seen),
        cmocka_unit_test(test_loaded_sum_carries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
