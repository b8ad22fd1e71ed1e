/* SPDX-License-Identifier: MIT */
/* The scorer against cases worked out by hand. */
#include <math.h>
#include <stdio.h>

#include "nab_score.h"

static const nab_profile standard = { "standard", 1, 0.11, 1 };
static const nab_profile low_fn = { "low_fn", 1, 0.11, 2 };
static int failures;

static void near(const char *what, double got, double want) {
    if (fabs(got - want) <= 1e-5)
        return;
    failures++;
    fprintf(stderr, "%s: %.7f instead of %.7f\n", what, got, want);
}

/* 100 rows, a window on rows 40..49, alarms where asked for. Rows 0..14 are probation. */
static nab_series series(double *score, const size_t *alarms, size_t count) {
    static const nab_window window = { 40, 49 };
    nab_series s = { 100, nab_probation(100), score, &window, 1 };
    size_t i;

    for (i = 0; i < 100; i++)
        score[i] = 0;
    for (i = 0; i < count; i++)
        score[alarms[i]] = 0.9 - 0.1 * (double)i;
    return s;
}

static void rows(void) {
    double score[100];
    nab_series s = series(score, NULL, 0);
    size_t k;

    /* s(y) = 2 / (1 + exp(5 y)) - 1: s(-1) = 0.9866143, s(-0.5) = 0.8482836, s(-0.1) = 0.2449187 */
    near("left edge", nab_row(&s, 40, &k), 1);
    near("middle", nab_row(&s, 45, &k), 0.8482836 / 0.9866143);
    near("right edge", nab_row(&s, 49, &k), 0.2449187 / 0.9866143);
    near("in it", (double)k, 0);
    near("before", nab_row(&s, 39, &k), -1);
    near("not in it", (double)k, 1);
    near("one after", nab_row(&s, 50, &k), -0.2708471); /* s(1/9) */
    near("nine after", nab_row(&s, 58, &k), -0.9866143); /* s(1) */
    near("long after", nab_row(&s, 76, &k), -1);         /* s(3) is cut */
}

static void sums(void) {
    static const size_t alarms[] = { 45, 20, 41, 10, 47 };
    double score[100], threshold, best;
    nab_series s = series(score, alarms, 5);

    near("probation", (double)nab_probation(100), 15);
    near("long probation", (double)nab_probation(22695), 750);
    near("nothing", nab_raw(&s, &standard, 1), -1);
    near("one found", nab_raw(&s, &standard, 0.9), 0.8597924);
    near("and one false", nab_raw(&s, &standard, 0.8), 0.8597924 - 0.11);
    near("the earlier counts", nab_raw(&s, &standard, 0.7), 0.9780261 / 0.9866143 - 0.11); /* s(-0.9) */
    near("probation is free", nab_raw(&s, &standard, 0.5), nab_raw(&s, &standard, 0.7));
    best = nab_best(&s, 1, NULL, &standard, &threshold);
    near("best of all thresholds", best, 0.9780261 / 0.9866143 - 0.11);
    near("its threshold", threshold, 0.7);
    near("normal", nab_normal(0, 1, &standard), 50);
    near("normal of nothing", nab_normal(-2, 1, &low_fn), 0);
    near("normal of all", nab_normal(3, 3, &low_fn), 100);
}

static void two_series(void) {
    static const size_t found[] = { 40 }, wrong[] = { 30 };
    double a[100], b[100], threshold;
    unsigned char use[] = { 1, 0 };
    nab_series s[2];

    s[0] = series(a, found, 1);
    s[1] = series(b, wrong, 1);
    b[30] = 0.95;
    near("over both", nab_best(s, 2, NULL, &standard, &threshold), 1 - 1 - 0.11);
    near("over one", nab_best(s, 2, use, &standard, &threshold), 1);
    near("threshold", threshold, 0.9);
    a[40] = 0;
    near("silence", nab_best(s, 2, NULL, &standard, &threshold), -2);
    near("no alarm", threshold, 1.1);
}

int main(void) {
    rows();
    sums();
    two_series();
    return failures != 0;
}
