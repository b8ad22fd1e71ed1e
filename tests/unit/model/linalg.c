/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "math/linalg.h"
#include "test.h"

static void regression_finds_the_line(void **state) {
    double gram[9] = { 0 }, rhs[3] = { 0 }, none[3] = { 0 }, x[3];
    int i;

    (void)state;
    for (i = 0; i < 50; i++) {
        x[0] = 1;
        x[1] = i;
        x[2] = sin(i);
        pshi_gram_add(gram, rhs, x, 3, 3 - 2 * x[1] + 5 * x[2], 1 + i % 3);
    }
    assert_true(pshi_ridge(gram, rhs, none, 3));
    assert_true(fabs(rhs[0] - 3) < 1e-5 && fabs(rhs[1] + 2) < 1e-6 && fabs(rhs[2] - 5) < 1e-6);
}

static void penalty_shrinks(void **state) {
    double gram[1] = { 0 }, rhs[1] = { 0 }, penalty[1] = { 10 }, x = 1;
    int i;

    (void)state;
    for (i = 0; i < 10; i++)
        pshi_gram_add(gram, rhs, &x, 1, 4, 1);
    assert_true(pshi_ridge(gram, rhs, penalty, 1));
    assert_true(fabs(rhs[0] - 2) < 1e-8);
}

static void no_solution_is_told(void **state) {
    double a[4] = { 1, 0, 2, 1 }, gram[4] = { 1, 0, 3, 1 }, rhs[2] = { 1, 1 }, none[2] = { 0 };

    (void)state;
    assert_false(pshi_cholesky(a, 2));
    assert_false(pshi_ridge(gram, rhs, none, 2));
    assert_true(rhs[0] == 0 && rhs[1] == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regression_finds_the_line),
        cmocka_unit_test(penalty_shrinks),
        cmocka_unit_test(no_solution_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
