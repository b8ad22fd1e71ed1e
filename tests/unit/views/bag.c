/* SPDX-License-Identifier: MIT */
/* Bags and the dictionaries behind them, against plain counting. */
#include "base/rng.h"
#include "test.h"
#include "views/bag.h"

static void test_codes_order_as_doubles(void **state) {
    static const double up[] = { -1.7e308, -1, -4.9e-324, 0.0, 4.9e-324, 0.5, 1.7e308 };
    psh_value v;
    size_t i;

    (void)state;
    for (i = 0; i < 7; i++) {
        v = test_double(up[i]);
        assert_true(pshi_bag_value(pshi_bag_code(&v), PSH_TYPE_DOUBLE, NULL).as.f64 == up[i]);
        if (i) {
            psh_value w = test_double(up[i - 1]);

            assert_true(pshi_bag_code(&w) < pshi_bag_code(&v));
        }
    }
    v = test_double(-0.0);
    assert_int_equal(pshi_bag_code(&v), 0);
}

/* Texts come and go; the bag's ends are always the least and the greatest of those there. */
static void test_least_and_greatest_after_deletes(void **state) {
    static const char *const words[] = { "m", "a", "z", "", "mm", "b", "y", "zz", "k" };
    uint32_t counts[9] = { 0 }, least, most, i;
    test_alloc a;
    psh_env *env = test_env(&a);
    pshi_dict d;
    pshi_bag b = { 0 };
    uint64_t seed = 5;
    psh_value v, got;
    uint32_t id;
    int step;

    (void)state;
    pshi_dict_init(&d);
    for (step = 0; step < 3000; step++) {
        i = (uint32_t)(pshi_rng_next(&seed) % 9);
        v = test_text(words[i]);
        if (pshi_rng_next(&seed) % 2) {
            assert_ok(pshi_dict_intern(env, &d, &v, &id));
            assert_ok(pshi_bag_prepare(env, &b, &d, id));
            assert_int_equal(pshi_bag_add(&b, &d, id, 1), 1);
            counts[i]++;
        } else if (pshi_dict_find(&d, &v) != PSH_NONE) {
            assert_int_equal(pshi_bag_add(&b, &d, pshi_dict_find(&d, &v), -1), 1);
            counts[i]--;
            pshi_bag_sweep(env, &b, &d);
        } else {
            assert_int_equal(counts[i], 0);
        }
        for (i = 0, least = most = PSH_NONE; i < 9; i++) {
            if (!counts[i])
                continue;
            least = least == PSH_NONE || strcmp(words[i], words[least]) < 0 ? i : least;
            most = most == PSH_NONE || strcmp(words[i], words[most]) > 0 ? i : most;
        }
        assert_int_equal(b.size == 0, least == PSH_NONE);
        assert_int_equal(d.count, b.size);
        if (!b.size)
            continue;
        got = pshi_bag_value(b.entries[0].code, PSH_TYPE_TEXT, &d);
        assert_true(got.size == strlen(words[least]) && memcmp(got.as.data, words[least], got.size) == 0);
        got = pshi_bag_value(b.entries[b.size - 1].code, PSH_TYPE_TEXT, &d);
        assert_true(got.size == strlen(words[most]) && memcmp(got.as.data, words[most], got.size) == 0);
    }
    pshi_bag_free(env, &b, &d);
    assert_int_equal(d.count, 0);
    pshi_dict_free(env, &d);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_takes_nothing_that_is_not_there(void **state) {
    psh_env *env = NULL;
    pshi_bag b = { 0 };

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_int_equal(pshi_bag_add(&b, NULL, 7, -1), 0);
    assert_ok(pshi_bag_prepare(env, &b, NULL, 7));
    assert_int_equal(pshi_bag_add(&b, NULL, 7, -1), 0);
    assert_int_equal(pshi_bag_add(&b, NULL, 8, 1), 0);
    pshi_bag_sweep(env, &b, NULL);
    assert_int_equal(b.size, 0);
    pshi_bag_free(env, &b, NULL);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_order_as_doubles),
        cmocka_unit_test(test_least_and_greatest_after_deletes),
        cmocka_unit_test(test_takes_nothing_that_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
