/* SPDX-License-Identifier: MIT */
#include "forecast/calibrate.h"
#include "load.h"

static void nothing_learned_is_identity(void **state) {
    static pshi_calibration c;
    double p;

    (void)state;
    for (p = 0; p <= 1; p += 0.05)
        assert_true(fabs(pshi_calibrate(&c.view, p) - p) < 1e-9);
    assert_true(pshi_calibration_error(&c.shown) == 0);
}

/* Raw probabilities that say twice too much are halved, stay monotone, and the error shown is small. */
static void learns_the_frequency(void **state) {
    static pshi_calibration c;
    uint64_t rng = 4;
    double raw, shown, before = -1, p;
    int i;

    (void)state;
    memset(&c, 0, sizeof c);
    for (i = 0; i < 20000; i++) {
        raw = pshi_rng_unit(&rng);
        shown = pshi_calibrate(&c.view, raw);
        pshi_calibrate_learn(&c, &c.view, raw, shown, pshi_rng_unit(&rng) < raw / 2);
    }
    assert_true(fabs(pshi_calibrate(&c.view, 0.8) - 0.4) < 0.06);
    assert_true(pshi_calibration_error(&c.shown) < 0.05);
    assert_true(pshi_calibration_error(&c.shown) > 0);
    for (p = 0; p <= 1; p += 0.01) {
        raw = pshi_calibrate(&c.view, p);
        assert_true(raw >= before && raw <= 1);
        before = raw;
    }
    assert_int_equal(c.shown.total, 20000);
}

static void error_is_measured(void **state) {
    static pshi_calibration c;
    int i;

    (void)state;
    memset(&c, 0, sizeof c);
    for (i = 0; i < 1000; i++)
        pshi_calibrate_learn(&c, &c.zone, 0.9, 0.9, i % 2);
    assert_true(fabs(pshi_calibration_error(&c.shown) - 0.4) < 0.01);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_learned_is_identity),
        cmocka_unit_test(learns_the_frequency),
        cmocka_unit_test(error_is_measured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
