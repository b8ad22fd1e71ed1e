/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "math/minimize.h"
#include "test.h"

static double rosenbrock(void *user, const double *x) {
    double a = 1 - x[0], b = x[1] - x[0] * x[0];

    (*(int *)user)++;
    return a * a + 100 * b * b;
}

static double bowl(void *user, const double *x) {
    double sum = 0;
    int i;

    (void)user;
    for (i = 0; i < 8; i++)
        sum += (i + 1) * (x[i] - i) * (x[i] - i);
    return x[0] > 5 ? -(double)NAN : sum + 1;
}

static void valleys(void **state) {
    double x[2] = { -1.2, 1 }, step[2] = { 0.1, 0.1 }, y[8], steps[8];
    int calls = 0, i;

    (void)state;
    assert_true(pshi_minimize(rosenbrock, &calls, x, step, 2, 500, 1e-12) < 1e-8);
    assert_true(fabs(x[0] - 1) < 1e-3 && fabs(x[1] - 1) < 1e-3 && calls <= 503);
    for (i = 0; i < 8; i++) {
        y[i] = 4.9;
        steps[i] = 1;
    }
    assert_true(pshi_minimize(bowl, NULL, y, steps, 8, 4000, 1e-12) < 1 + 1e-6);
    for (i = 0; i < 8; i++)
        assert_true(fabs(y[i] - i) < 1e-2);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(valleys) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
