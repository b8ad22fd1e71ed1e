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
            assert_ok(pshi_bag_add(env, &b, &d, id, 1));
            counts[i]++;
        } else if (pshi_dict_find(&d, &v) != PSH_NONE) {
            id = pshi_dict_find(&d, &v);
            assert_int_equal(pshi_bag_count(&b, &d, id), counts[i]);
            pshi_bag_take(&b, &d, id);
            counts[i]--;
            pshi_bag_drop(env, &b, &d, id);
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
        got = pshi_bag_value(b.one.codes[0], PSH_TYPE_TEXT, &d);
        assert_true(got.size == strlen(words[least]) && memcmp(got.as.data, words[least], got.size) == 0);
        got = pshi_bag_value(b.one.codes[b.size - 1], PSH_TYPE_TEXT, &d);
        assert_true(got.size == strlen(words[most]) && memcmp(got.as.data, words[most], got.size) == 0);
    }
    pshi_bag_free(env, &b, &d);
    assert_int_equal(d.count, 0);
    pshi_dict_free(env, &d);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

#define SPREAD 4000

/* Every place in order, with its count, and nothing else. */
static void assert_counts(const pshi_bag *b, const uint64_t *counts) {
    uint32_t n, i, k;
    const pshi_bag_run *runs = pshi_bag_runs(b, &n);
    int64_t next = 0;
    uint64_t places = 0;

    for (i = 0; i < n; i++) {
        assert_true(runs[i].size <= runs[i].cap && (runs[i].size || n == 1));
        for (k = 0; k < runs[i].size; k++, places++) {
            for (; next < runs[i].codes[k]; next++)
                assert_int_equal(counts[next], 0);
            assert_int_equal(pshi_bag_counts(&runs[i])[k], counts[next]);
            next++;
        }
    }
    for (; next < SPREAD; next++)
        assert_int_equal(counts[next], 0);
    assert_int_equal(places, b->size);
}

/* Grows to many runs and shrinks to none, in three orders, with memory failing now and then. */
static void test_many_values(void **state) {
    static uint64_t counts[SPREAD];
    uint64_t seed = 3, total;
    test_alloc a;
    psh_env *env = test_env(&a);
    pshi_bag b = { 0 };
    psh_status st;
    uint32_t n;
    int order, step;
    int64_t x;

    (void)state;
    for (order = 0; order < 3; order++) {
        memset(counts, 0, sizeof counts);
        for (step = 0, total = 0; step < 4 * SPREAD; step++) {
            x = order == 2 ? (int64_t)(pshi_rng_next(&seed) % SPREAD) : step / 4;
            x = order == 1 ? SPREAD - 1 - x : x;
            test_alloc_fail(&a, step % 7 ? -1 : 0, 0);
            st = pshi_bag_add(env, &b, NULL, x, 1);
            test_alloc_fail(&a, -1, 0);
            counts[x] += st == PSH_OK;
            total += st == PSH_OK;
        }
        assert_counts(&b, counts);
        pshi_bag_runs(&b, &n);
        assert_true(n > 20 && n < 70);
        while (total) {
            x = (int64_t)(pshi_rng_next(&seed) % SPREAD);
            assert_int_equal(pshi_bag_count(&b, NULL, x), counts[x]);
            if (!counts[x])
                continue;
            pshi_bag_take(&b, NULL, x);
            counts[x]--;
            total--;
            if (!counts[x])
                pshi_bag_drop(env, &b, NULL, x);
            if (total % 1000 == 7)
                assert_counts(&b, counts);
        }
        assert_true(b.size == 0 && b.zeros == 0 && !b.runs);
    }
    pshi_bag_free(env, &b, NULL);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* A place stays when its count falls to 0, and memory is not asked for when it rises again. */
static void test_empty_place_waits(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    pshi_bag b = { 0 };

    (void)state;
    assert_int_equal(pshi_bag_count(&b, NULL, 7), 0);
    assert_ok(pshi_bag_add(env, &b, NULL, 7, 1));
    pshi_bag_drop(env, &b, NULL, 7);
    assert_int_equal(pshi_bag_count(&b, NULL, 7), 1);
    pshi_bag_take(&b, NULL, 7);
    assert_true(b.size == 1 && b.zeros == 1);
    test_alloc_fail(&a, 0, 1);
    assert_ok(pshi_bag_add(env, &b, NULL, 7, 1));
    assert_int_equal(b.zeros, 0);
    pshi_bag_take(&b, NULL, 7);
    pshi_bag_drop(env, &b, NULL, 8);
    pshi_bag_drop(env, &b, NULL, 7);
    assert_true(b.size == 0 && b.zeros == 0);
    test_alloc_fail(&a, -1, 0);
    pshi_bag_free(env, &b, NULL);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_order_as_doubles),
        cmocka_unit_test(test_least_and_greatest_after_deletes),
        cmocka_unit_test(test_many_values),
        cmocka_unit_test(test_empty_place_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
