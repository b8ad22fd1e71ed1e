/* SPDX-License-Identifier: MIT */
#include "map/arcs.h"

#include "base/rng.h"
#include "test.h"

static void no_tenants_cut_equally(void **state) {
    uint64_t first[4];

    (void)state;
    assert_int_equal(pshi_arcs_cut(NULL, 0, 4, first), 4);
    assert_int_equal(first[0], 0);
    assert_int_equal(first[1], UINT64_C(1) << 62);
    assert_int_equal(first[2], UINT64_C(1) << 63);
    assert_int_equal(first[3], UINT64_C(3) << 62);
    assert_true(pshi_arcs_share(NULL, 0, first[1], first[2] - 1) == 0.25);
    assert_true(pshi_arcs_share(NULL, 0, 0, UINT64_MAX) == 1);
}

static void cuts_follow_the_load(void **state) {
    pshi_weight w[] = { { 400, 4, 1, 0, 0 }, { 100, 1, 3, 0, 0 }, { 200, 2, 1, 0, 0 }, { 300, 3, 1, 0, 0 } };
    uint64_t first[4];

    (void)state;
    pshi_weights_sort(w, 4);
    assert_int_equal(w[0].point, 100);
    assert_true(w[3].upto == 6);
    assert_int_equal(pshi_arcs_cut(w, 4, 2, first), 2);
    assert_int_equal(first[1], 101); /* the first tenant carries half */
    assert_true(pshi_arcs_share(w, 4, 0, 100) == 0.5);
    assert_true(pshi_arcs_share(w, 4, 101, UINT64_MAX) == 0.5);
    assert_int_equal(pshi_arcs_cut(w, 4, 4, first), 3); /* it passes 1/4 and 2/4 at once */
    assert_int_equal(first[1], 101);
    assert_int_equal(first[2], 301);
}

static void fewer_tenants_make_fewer_arcs(void **state) {
    pshi_weight one = { UINT64_MAX, 1, 5, 5, 0 };
    pshi_weight same[] = { { 7, 1, 5, 0, 0 }, { 7, 2, 5, 0, 0 }, { 9, 3, 1, 0, 0 } };
    uint64_t first[16];

    (void)state;
    assert_int_equal(pshi_arcs_cut(&one, 1, 16, first), 1);
    assert_true(pshi_arcs_share(&one, 1, 0, UINT64_MAX) == 1);
    pshi_weights_sort(same, 3);
    assert_int_equal(pshi_arcs_cut(same, 3, 16, first), 2); /* one point is never parted */
    assert_int_equal(first[1], 8);
}

static void tables_are_apart(void **state) {
    pshi_weight w[] = { { 5, 1, 2, 0, 1 }, { 9, 1, 3, 0, 0 }, { 1, 2, 4, 0, 1 } };

    (void)state;
    pshi_weights_sort(w, 3);
    assert_int_equal(w[0].table, 0);
    assert_true(w[0].upto == 3 && w[1].upto == 4 && w[2].upto == 6);
}

static void random_cuts_balance(void **state) {
    pshi_weight w[300];
    uint64_t first[16], seed = 5;
    size_t n, arcs, i;
    double share, sum;

    (void)state;
    for (n = 1; n <= 300; n += 13) {
        for (i = 0; i < n; i++)
            w[i] = (pshi_weight){ pshi_rng_next(&seed), i + 1, 1, 0, 0 };
        pshi_weights_sort(w, n);
        arcs = pshi_arcs_cut(w, n, 16, first);
        assert_in_range(arcs, 1, n < 16 ? n : 16);
        for (i = 0, sum = 0; i < arcs; i++) {
            assert_true(i == 0 ? first[0] == 0 : first[i] > first[i - 1]);
            share = pshi_arcs_share(w, n, first[i], i + 1 < arcs ? first[i + 1] - 1 : UINT64_MAX);
            assert_true(share > 0 && share <= 1.0 / 16 + 1.0 / (double)n + 1e-9);
            sum += share;
        }
        assert_true(sum > 1 - 1e-9 && sum < 1 + 1e-9);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_tenants_cut_equally),
        cmocka_unit_test(cuts_follow_the_load),
        cmocka_unit_test(fewer_tenants_make_fewer_arcs),
        cmocka_unit_test(tables_are_apart),
        cmocka_unit_test(random_cuts_balance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
