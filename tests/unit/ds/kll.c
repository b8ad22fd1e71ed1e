/* SPDX-License-Identifier: MIT */
#include "ds/kll.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "test.h"

#define N 40000u

typedef struct drawn {
    uint64_t key;
    double weight;
} drawn;

static int by_key(const void *x, const void *y) {
    const drawn *a = x, *b = y;

    return a->key < b->key ? -1 : a->key > b->key;
}

static void bytes_of(uint64_t key, unsigned char out[8]) {
    int i;

    for (i = 0; i < 8; i++)
        out[i] = (unsigned char)(key >> (56 - 8 * i));
}

/* Of 99 keys at even ranks, those whose rank is off by more than the error stated. */
static int misses(const pshi_kll *s, drawn *all, size_t n, double *worst) {
    double sum = 0, below = 0, off, bound = pshi_kll_error(s);
    unsigned char key[8];
    int missed = 0, next = 1;
    size_t i;

    qsort(all, n, sizeof *all, by_key);
    for (i = 0; i < n; i++)
        sum += all[i].weight;
    for (i = 0; i < n; i++) {
        below += all[i].weight;
        if (below < sum * next / 100 || (i + 1 < n && all[i + 1].key == all[i].key))
            continue;
        bytes_of(all[i].key, key);
        off = fabs(pshi_kll_rank(s, key, 8) - below / sum);
        *worst = off > *worst ? off : *worst;
        missed += off > bound;
        while (next < 100 && below >= sum * next / 100)
            next++;
    }
    return missed;
}

static uint64_t draw_key(int kind, uint64_t i, uint64_t *seed) {
    switch (kind) {
    case 0: return pshi_rng_next(seed);
    case 1: return i;                                  /* ascending */
    case 2: return N - i;                              /* descending */
    case 3: return i % 2 ? i : UINT64_MAX - i;         /* from both ends inwards */
    case 4: return i / 100 % 2 * 1000 + i % 100;       /* few, in runs */
    default: return (uint64_t)(exp(20 * pshi_rng_unit(seed)));
    }
}

static double draw_weight(int kind, uint64_t i, uint64_t *seed) {
    switch (kind) {
    case 0: return 1;
    case 1: return 0.1 + 5 * pshi_rng_unit(seed);
    case 2: return exp(0.0005 * (double)i);            /* as forward decay makes them */
    default: return i % 1000 ? 1e-4 : 1000;
    }
}

static void errors_are_as_stated(void **state) {
    drawn *all = malloc(N * sizeof *all);
    test_alloc a;
    psh_env *env = test_env(&a);
    int kind, weigh, missed = 0, asked = 0, one;
    uint64_t i, seed = 11;
    double worst;
    pshi_kll s;

    (void)state;
    assert_non_null(all);
    for (kind = 0; kind < 6; kind++) {
        for (weigh = 0; weigh < 4; weigh++) {
            pshi_kll_init(&s, 200, 8, seed);
            for (i = 0; i < N; i++) {
                all[i] = (drawn){ draw_key(kind, i, &seed), draw_weight(weigh, i, &seed) };
                assert_ok(pshi_kll_add_u64(env, &s, all[i].key, all[i].weight));
            }
            worst = 0;
            one = misses(&s, all, N, &worst);
            if (getenv("PSH_TEST_FIGURES"))
                printf("kind %d weights %d: k 200, bytes %u, error stated %.4f, worst %.4f\n", kind, weigh,
                       (unsigned)pshi_kll_bytes(&s), pshi_kll_error(&s), worst);
            missed += one;
            asked += 99;
            if (weigh == 0)
                assert_true(pshi_kll_error(&s) < 10.0 / 200 + 1.0 / 512);
            assert_true(s.count <= 3 * 200 + 122);
            assert_true(fabs(pshi_kll_mass(&s) / s.total - 1) < 0.02);
            pshi_kll_free(env, &s);
        }
    }
    assert_true(missed * 100 <= asked);
    free(all);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* Parts merged know as much as one sketch of all, and say how much. */
static void merges(void **state) {
    drawn *all = malloc(N * sizeof *all);
    pshi_kll parts[8], sum;
    test_alloc a;
    psh_env *env = test_env(&a);
    uint64_t i, seed = 21;
    double worst = 0;

    (void)state;
    assert_non_null(all);
    for (i = 0; i < 8; i++)
        pshi_kll_init(&parts[i], 128, 8, i);
    for (i = 0; i < N; i++) {
        all[i] = (drawn){ draw_key(5, i, &seed) + i, 1 };
        assert_ok(pshi_kll_add_u64(env, &parts[i * i % 8], all[i].key, 1));
    }
    pshi_kll_init(&sum, 128, 8, 99);
    for (i = 0; i < 8; i++)
        assert_ok(pshi_kll_merge(env, &sum, &parts[i], 1));
    assert_true(misses(&sum, all, N, &worst) <= 1);
    assert_true(sum.total == N);
    assert_true(pshi_kll_error(&sum) < 10.0 / 128);
    for (i = 0; i < 8; i++)
        pshi_kll_free(env, &parts[i]);
    pshi_kll_free(env, &sum);
    free(all);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* What decayed weighs less; after a long time nothing is left of it. */
static void decays(void **state) {
    const pshi_kll_item *items;
    test_alloc a;
    psh_env *env = test_env(&a);
    unsigned char key[8];
    uint64_t i;
    pshi_kll s;
    size_t n;

    (void)state;
    pshi_kll_init(&s, 64, 8, 1);
    for (i = 0; i < 1000; i++)
        assert_ok(pshi_kll_add_u64(env, &s, i, 1));
    pshi_kll_decay(&s, 1.0 / 3);
    for (i = 1000; i < 2000; i++)
        assert_ok(pshi_kll_add_u64(env, &s, i, 1));
    bytes_of(999, key);
    assert_true(fabs(pshi_kll_rank(&s, key, 8) - 0.25) < pshi_kll_error(&s));
    for (i = 0; i < 2000; i++) {
        pshi_kll_decay(&s, 0.5);
        assert_true(pshi_kll_mass(&s) >= 0);
        if (i % 100 == 0)
            assert_ok(pshi_kll_add_u64(env, &s, 5000 + i, 1));
    }
    assert_ok(pshi_kll_add_u64(env, &s, 1000000, 1));
    n = pshi_kll_sorted(&s, &items);
    bytes_of(1000000, key);
    assert_true(n >= 1 && memcmp(pshi_kll_quantile(items, n, 0.5)->key, key, 8) == 0);
    pshi_kll_free(env, &s);
    psh_env_destroy(env);
}

static void orders_strings(void **state) {
    static const char *const words[] = { "b", "", "abc", "ab", "a", "abcd", "ba" };
    const pshi_kll_item *items;
    test_alloc a;
    psh_env *env = test_env(&a);
    pshi_kll s, t;
    size_t i, n;

    (void)state;
    pshi_kll_init(&s, 64, 3, 1);
    pshi_kll_init(&t, 64, 3, 1);
    for (i = 0; i < 7; i++) {
        assert_ok(pshi_kll_add(env, &s, words[i], strlen(words[i]), 1));
        assert_ok(pshi_kll_add(env, &t, words[i], strlen(words[i]), i == 0 ? 8 : 1));
    }
    n = pshi_kll_sorted(&s, &items);
    assert_int_equal(n, 7);
    for (i = 1; i < n; i++)
        assert_true(!items[i - 1].size || memcmp(items[i - 1].key, items[i].key, 1) <= 0);
    assert_int_equal(items[0].size, 0);
    assert_true(fabs(pshi_kll_rank(&s, "abc", 3) - 5.0 / 7) < 1e-12); /* "abcd" is cut to "abc" */
    assert_true(fabs(pshi_kll_rank(&s, "", 0) - 1.0 / 7) < 1e-12);
    assert_true(pshi_kll_distance(&s, &s) == 0);
    assert_true(fabs(pshi_kll_distance(&s, &t) - (5.0 / 7 - 5.0 / 14)) < 1e-12);
    assert_true(pshi_kll_distance(&t, &s) == pshi_kll_distance(&s, &t));
    pshi_kll_clear(&t);
    assert_true(pshi_kll_distance(&s, &t) == 1);
    assert_null(pshi_kll_quantile(items, 0, 0.5));
    pshi_kll_free(env, &s);
    pshi_kll_free(env, &t);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_buffer *saved(psh_env *env, const pshi_kll *s) {
    psh_buffer *b;
    pshi_writer w;

    assert_ok(psh_buffer_create(env, &b));
    w = pshi_write(b);
    pshi_kll_put(&w, s);
    assert_ok(pshi_write_end(&w));
    return b;
}

static void feed(psh_env *env, pshi_kll *s, uint64_t seed) {
    uint64_t i;

    for (i = 0; i < 600; i++)
        assert_ok(pshi_kll_add_u64(env, s, pshi_rng_next(&seed), 0.3 + pshi_rng_unit(&seed)));
}

static void saves(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_buffer *b, *d;
    pshi_kll s, t;
    pshi_cursor c;
    size_t i, k, loaded = 0;

    (void)state;
    pshi_kll_init(&s, 16, 12, 7);
    pshi_kll_init(&t, 16, 12, 8);
    feed(env, &s, 1);
    b = saved(env, &s);
    c = pshi_read(psh_buffer_data(b), psh_buffer_size(b));
    assert_ok(pshi_kll_get(env, &c, &t));
    assert_ok(pshi_read_end(&c));
    feed(env, &s, 2);
    feed(env, &t, 2);
    d = saved(env, &t);
    psh_buffer_destroy(b);
    b = saved(env, &s);
    assert_int_equal(psh_buffer_size(b), psh_buffer_size(d));
    assert_memory_equal(psh_buffer_data(b), psh_buffer_data(d), psh_buffer_size(b));
    for (i = 0; i < psh_buffer_size(b); i++) {
        for (k = 1; k < 256; k *= 3) {
            pshi_buffer_bytes(b)[i] ^= (unsigned char)k;
            c = pshi_read(psh_buffer_data(b), psh_buffer_size(b));
            if (pshi_kll_get(env, &c, &t) == PSH_OK && pshi_read_end(&c) == PSH_OK) {
                feed(env, &t, i);
                assert_true(isfinite(pshi_kll_mass(&t)) && isfinite(pshi_kll_error(&t)));
                loaded++;
            }
            pshi_buffer_bytes(b)[i] ^= (unsigned char)k;
        }
    }
    assert_true(loaded > 100);
    psh_buffer_destroy(b);
    psh_buffer_destroy(d);
    pshi_kll_free(env, &s);
    pshi_kll_free(env, &t);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* An addition that fails for lack of memory leaves the sketch as it was. */
static void out_of_memory(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_buffer *b, *d;
    pshi_kll s, t;
    int64_t n;

    (void)state;
    pshi_kll_init(&s, 16, 12, 7);
    pshi_kll_init(&t, 16, 64, 7);
    feed(env, &s, 1);
    b = saved(env, &t);
    for (n = 0; n < 4; n++) {
        test_alloc_fail(&a, n, 0);
        assert_int_equal(pshi_kll_merge(env, &t, &s, 0.5), PSH_E_NOMEM);
        test_alloc_fail(&a, n, 0);
        assert_int_equal(pshi_kll_add_u64(env, &t, 1, 1), PSH_E_NOMEM);
    }
    test_alloc_fail(&a, -1, 0);
    d = saved(env, &t);
    assert_int_equal(psh_buffer_size(b), psh_buffer_size(d));
    assert_memory_equal(psh_buffer_data(b), psh_buffer_data(d), psh_buffer_size(b));
    assert_ok(pshi_kll_merge(env, &t, &s, 0.5));
    psh_buffer_destroy(b);
    psh_buffer_destroy(d);
    pshi_kll_free(env, &s);
    pshi_kll_free(env, &t);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_as_stated),
        cmocka_unit_test(merges),
        cmocka_unit_test(decays),
        cmocka_unit_test(orders_strings),
        cmocka_unit_test(saves),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
