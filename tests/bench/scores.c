/* SPDX-License-Identifier: MIT */
#include "scores.h"

#include <math.h>

#include "test.h"

#define TRAIN 48
#define ALL 60

static int near(double a, double b) {
    return fabs(a - b) <= 1e-9 * (1 + fabs(b));
}

/* A season of 12 with a trend and a ripple, whole numbers that R makes alike: t <- 0:59;
   x <- 100 + ((t * 7) %% 12) * 3 + t %/% 3 + (t * t) %% 5; tr <- ts(x[1:48], frequency = 12); te <- x[49:60] */
static void make_series(double x[ALL]) {
    int t;

    for (t = 0; t < ALL; t++)
        x[t] = 100 + t * 7 % 12 * 3 + t / 3 + t * t % 5;
}

static void smape_by_hand(void **state) {
    const double y[] = { 1, 2, 0, 4 }, f[] = { 1, 4, 0, -4 };

    (void)state;
    /* 0, 2 * 2 / 6, both zero, 2 * 8 / 8 */
    assert_true(near(score_smape(y, f, 4), 100 * (0 + 2.0 / 3 + 0 + 2) / 4));
}

static void scale_by_hand(void **state) {
    const double x[] = { 1, 5, 2, 8, 2 }, flat[] = { 3, 3, 3 };

    (void)state;
    assert_true(near(score_scale(x, 5, 1), (4 + 3 + 6 + 6) / 4.0));
    assert_true(near(score_scale(x, 5, 2), (1 + 3 + 0) / 3.0));
    assert_true(isnan(score_scale(x, 5, 5)));
    assert_true(isnan(score_scale(flat, 3, 1)));
}

static void interval_by_hand(void **state) {
    const double y[] = { 5, 1, 9 }, low[] = { 4, 2, 4 }, high[] = { 6, 6, 8 };

    (void)state;
    /* widths 2, 4, 4; one below by 1, one above by 1: 2 / 0.05 each */
    assert_true(near(score_interval(y, low, high, 3, 0.05), (2 + 4 + 4 + 40 + 40) / 3.0));
    assert_int_equal(score_inside(y, low, high, 3), 1);
    assert_int_equal(score_inside(y, y, y, 3), 3);
}

static void rmsse_by_hand(void **state) {
    const double x[] = { 0, 2, 0, 0 }, y[] = { 1, 3 }, f[] = { 0, 1 }, flat[] = { 0, 0, 0 };

    (void)state;
    assert_true(near(score_rmsse(x, 4, y, f, 2), sqrt((1 + 4) / 2.0 / ((4 + 4 + 0) / 3.0))));
    assert_true(isnan(score_rmsse(flat, 3, y, f, 2)));
    assert_true(isnan(score_rmsse(x, 1, y, f, 2)));
}

static void season_is_found_as_in_m4(void **state) {
    double x[ALL], none[ALL];
    int t;

    (void)state;
    make_series(x);
    for (t = 0; t < ALL; t++)
        none[t] = (t * t * 3 + t * 11) % 17;
    /* |acf| 0.652775856800528 against 0.382555083116744; and 0.214672387521052 against 0.350214930613428 */
    assert_true(score_is_seasonal(x, TRAIN, 12));
    assert_false(score_is_seasonal(none, TRAIN, 12));
    assert_false(score_is_seasonal(x, 35, 12)); /* less than three seasons */
    assert_false(score_is_seasonal(x, TRAIN, 1));
}

/* The limit itself: a series of alternating sign has acf(k) = +-(n - k) / n. */
static void test_of_season_is_about_its_limit(void **state) {
    double x[30];
    int t;

    (void)state;
    for (t = 0; t < 30; t++)
        x[t] = t % 2 ? 1 : -1;
    /* acf(2) = 28/30; limit 1.645 / sqrt(30) * sqrt(1 + 2 * (29/30)^2) = 0.5086 */
    assert_true(score_is_seasonal(x, 30, 2));
    /* 6 values: 4/6 against 1.645 / sqrt(6) * sqrt(1 + 2 * (5/6)^2) = 1.038 */
    assert_false(score_is_seasonal(x, 6, 2));
}

static void indices_are_those_of_decompose(void **state) {
    /* decompose(tr, type = "multiplicative")$figure, R 4.2.2 */
    static const double want[12] = { 0.872224178170393, 1.040777862057015, 0.914526889713523, 1.083285429404785,
        0.962780587419504, 1.127045852828551, 1.012847671252125, 0.891947911060902, 1.062692525507582,
        0.942702431527941, 1.105665518725826, 0.983503142331853 };
    /* z <- ts((50 + ((t * 2) %% 5) * 4 + t)[1:33], frequency = 5): an odd season, cut inside one */
    static const double odd[5] = { 0.891974527261662, 0.999239370062380, 1.111067626131482, 0.944107373335843,
        1.053611103208633 };
    double x[ALL], z[33], index[12];
    int k;

    (void)state;
    make_series(x);
    assert_true(score_seasonal_indices(x, TRAIN, 12, index));
    for (k = 0; k < 12; k++)
        assert_true(near(index[k], want[k]));
    for (k = 0; k < 33; k++)
        z[k] = 50 + k * 2 % 5 * 4 + k;
    assert_true(score_seasonal_indices(z, 33, 5, index));
    for (k = 0; k < 5; k++)
        assert_true(near(index[k], odd[k]));
    assert_false(score_seasonal_indices(x, 23, 12, index));
}

static void naive2_is_that_of_m4(void **state) {
    /* naive(tr / d$seasonal, h = 12)$mean * d$seasonal[37:48], d as above */
    static const double want[12] = { 118.838501723257, 141.803546438067, 124.602147107591, 147.595102946058,
        131.176600420746, 153.557358160496, 137.998123347113, 121.525814141051, 144.789368014004, 128.440998699037,
        150.644337706924, 134 };
    double x[ALL], f[12];
    int k;

    (void)state;
    make_series(x);
    score_naive2(x, TRAIN, 12, f, 12);
    for (k = 0; k < 12; k++)
        assert_true(near(f[k], want[k]));
    assert_true(near(score_smape(x + TRAIN, f, 12), 1.38959039967501));
    score_naive2(x, TRAIN, 1, f, 12); /* no season: the last value */
    for (k = 0; k < 12; k++)
        assert_true(f[k] == x[TRAIN - 1]);
}

/* snaive(tr, h = 12): accuracy gives MAE 4 and MASE 4 / 4.111..; the interval here is its mean - 1, + 2. */
static void tally_is_the_mean_over_series(void **state) {
    double x[ALL], mean[12], low[12], high[12], naive2[12], smape2, mase2, scale;
    judged j = { x, TRAIN, x + TRAIN, 12, 12, mean, low, high };
    tally t = { 0 };
    int k;

    (void)state;
    make_series(x);
    for (k = 0; k < 12; k++) {
        mean[k] = x[36 + k];
        low[k] = mean[k] - 1;
        high[k] = mean[k] + 2;
    }
    tally_add(&t, &j);
    scale = score_scale(x, TRAIN, 12);
    assert_true(near(scale, 4.11111111111111));
    assert_true(near(t.mase, 4 / scale));
    assert_true(near(t.msis, 25.8648648648649));
    score_naive2(x, TRAIN, 12, naive2, 12);
    smape2 = score_smape(x + TRAIN, naive2, 12);
    mase2 = score_mae(x + TRAIN, naive2, 12) / scale;
    assert_true(near(tally_owa(&t), (t.smape / smape2 + t.mase / mase2) / 2));
    tally_add(&t, &j);
    assert_int_equal(t.series, 2);
    assert_true(near(tally_owa(&t), (t.smape / (2 * smape2) + t.mase / (2 * mase2)) / 2));
    assert_true(near(t.inside / t.points, (double)score_inside(x + TRAIN, low, high, 12) / 12));
    for (k = 0; k < 4; k++) {
        assert_true(t.points_of[k] == 6);
        assert_true(t.inside_of[k] == 2 * (double)score_inside(x + TRAIN + 3 * k, low + 3 * k, high + 3 * k, 3));
    }
}

static void naive2_against_itself_is_one(void **state) {
    double x[ALL], f[12];
    judged j = { x, TRAIN, x + TRAIN, 12, 12, f, f, f };
    tally t = { 0 };

    (void)state;
    make_series(x);
    score_naive2(x, TRAIN, 12, f, 12);
    tally_add(&t, &j);
    assert_true(near(tally_owa(&t), 1));
}

static void calibration_error_by_hand(void **state) {
    /* Sorted: .1 .2 | .6 .9, of which none | one happened: bins gap .3 and .5 over 4 events. */
    const double p[] = { 0.9, 0.1, 0.6, 0.2 };
    const uint8_t happened[] = { 1, 0, 0, 0 };

    (void)state;
    assert_true(near(score_ece(p, happened, 4, 2), (0.3 + 0.5) / 4));
    assert_true(near(score_ece(p, happened, 4, 1), 0.8 / 4));
    assert_true(isnan(score_ece(p, happened, 0, 10)));
}

static void log_mean_of_quantiles(void **state) {
    const double levels[] = { 0.25, 0.75 }, same[] = { 3, 3 }, q[] = { 0, 1 };

    (void)state;
    assert_true(near(score_log_mean(levels, same, 2), log(4)));
    assert_true(near(score_log_mean(levels, q, 2), 0.25 * log(2) + 0.5 * log(2) / 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smape_by_hand),
        cmocka_unit_test(scale_by_hand),
        cmocka_unit_test(interval_by_hand),
        cmocka_unit_test(rmsse_by_hand),
        cmocka_unit_test(season_is_found_as_in_m4),
        cmocka_unit_test(test_of_season_is_about_its_limit),
        cmocka_unit_test(indices_are_those_of_decompose),
        cmocka_unit_test(naive2_is_that_of_m4),
        cmocka_unit_test(tally_is_the_mean_over_series),
        cmocka_unit_test(naive2_against_itself_is_one),
        cmocka_unit_test(calibration_error_by_hand),
        cmocka_unit_test(log_mean_of_quantiles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
