/* SPDX-License-Identifier: MIT */
/* Sparse demand: recursions, the law of a step to come, and what each does when demand ends. */
#include <math.h>

#include "model/croston.h"
#include "series.h"
#include "test.h"

static const double demand[] = { 0, 0, 3, 0, 1, 0, 0, 5, 2, 0, 0, 0, 4, 0, 0, 1, 0, 2 };

static pshi_sparse run(uint32_t method, double alpha, double beta) {
    pshi_sparse s = { method, 1, 0, 0, 0, 0, alpha, beta, 0, 0, 0 };
    size_t i;

    for (i = 0; i < COUNT(demand); i++)
        pshi_sparse_step(&s, demand[i]);
    return s;
}

/* R's forecast 8.20: croston(demand, h = 1, alpha = .1)$mean, and .3. */
static void as_croston(void **state) {
    pshi_sparse s = run(PSHI_SPARSE_CROSTON, 0.1, 0.1);

    (void)state;
    assert_true(fabs(pshi_sparse_mean(&s) - 0.98741819159) < 1e-10);
    s = run(PSHI_SPARSE_CROSTON, 0.3, 0.3);
    assert_true(fabs(pshi_sparse_mean(&s) - 0.913747563957) < 1e-10);
    s = run(PSHI_SPARSE_SBA, 0.3, 0.3);
    assert_true(fabs(pshi_sparse_mean(&s) - 0.85 * 0.913747563957) < 1e-10);
}

/* Teunter, Syntetos & Babai 2011: the probability moves at every step, the size with each demand. */
static void tsb_recursion(void **state) {
    pshi_sparse s = run(PSHI_SPARSE_TSB, 0.2, 0.1);
    double p = 0, z = 0, memory;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(demand); i++) {
        p += 0.1 * ((demand[i] > 0) - p);
        if (demand[i] > 0)
            z = z > 0 ? z + 0.2 * (demand[i] - z) : demand[i];
    }
    assert_true(fabs(s.rate - p) < 1e-12 && fabs(s.size - z) < 1e-12);
    memory = (1 - pow(0.9, COUNT(demand))) / 0.1;
    assert_true(fabs(pshi_sparse_mean(&s) - z * p * memory / (memory + 2 * (1 - p))) < 1e-12);
}

static double rest(uint64_t *r) {
    *r = *r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*r >> 11) * 0x1p-53;
}

/* After demand ends, TSB forgets; Croston and SBA, which learn from demands alone, do not. */
static void obsolescence(void **state) {
    double y[60], mean;
    psh_env *env = NULL;
    psh_model *m;
    uint32_t kind, i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < 60; i++)
        y[i] = i < 40 && i % 3 == 0 ? 4 + i % 2 : 0;
    for (kind = PSH_MODEL_CROSTON; kind <= PSH_MODEL_TSB; kind++) {
        psh_model_spec s = { sizeof s, kind, 0, 6, { 0, 0, 0 } };

        assert_ok(psh_model_fit(env, &s, y, 60, &m, NULL));
        for (i = 0; i < 40; i++)
            assert_ok(psh_model_update(m, 0, NULL));
        assert_ok(psh_model_forecast(m, 1, NULL, NULL, 0, &mean, NULL));
        assert_true(kind == PSH_MODEL_TSB ? mean < 0.1 : mean > 1);
        psh_model_destroy(m);
    }
    psh_env_destroy(env);
}

/* Random demand in many series: quantiles hold what they say, on average, and means are near the truth. */
static void coverage(void **state) {
    static const double levels[] = { 0.9, 0.95 };
    double y[61], mean, q[2], truth, total = 0, expected = 0;
    uint32_t below[2] = { 0, 0 }, series, i, k;
    psh_env *env = NULL;
    psh_model *m;
    uint64_t r = 7;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (series = 0; series < 2000; series++) {
        psh_model_spec s = { sizeof s, PSH_MODEL_TSB, 0, 1, { 0, 0, 0 } };

        truth = 0.1 + 0.6 * rest(&r);
        for (i = 0; i < 61; i++)
            y[i] = rest(&r) < truth ? 1 + floor(-2.5 * log(rest(&r))) : 0;
        assert_ok(psh_model_fit(env, &s, y, 60, &m, NULL));
        assert_ok(psh_model_forecast(m, 1, NULL, levels, 2, &mean, q));
        for (k = 0; k < 2; k++)
            below[k] += y[60] <= q[k];
        total += mean;
        expected += truth * 3.03; /* 1 + 1 / (e^0.4 - 1) */
        assert_true(q[0] == floor(q[0]) && q[1] >= q[0]);
        psh_model_destroy(m);
    }
    /* Sixty steps tell little of each series, and the prior of absence costs some. */
    assert_true(fabs(below[0] / 2000.0 - 0.9) < 0.045);
    assert_true(fabs(below[1] / 2000.0 - 0.95) < 0.035);
    assert_true(total < expected && total > 0.85 * expected);
    psh_env_destroy(env);
}

/* Sizes that are no integers: no rounding; no demand ever: nothing; one always: itself. */
static void laws(void **state) {
    pshi_sparse s = run(PSHI_SPARSE_TSB, 0.2, 0.1);
    double p = pshi_sparse_probability(&s), q;

    (void)state;
    assert_true(sizeof s <= 64); /* what the forecaster may keep of a sparse series has to be small */
    assert_true(p > 0 && p < 1);
    assert_true(pshi_sparse_quantile(&s, (1 - p) * 0.9) == 0);
    s.whole = 0;
    q = pshi_sparse_quantile(&s, 0.95);
    assert_true(q > s.size && q != floor(q));
    assert_true(pshi_sparse_quantile(&s, 0.9) < q && pshi_sparse_quantile(&s, 0.99) > q);
    s.count = 0;
    assert_true(pshi_sparse_mean(&s) == 0 && pshi_sparse_quantile(&s, 0.99) == 0);
    s = (pshi_sparse){ PSHI_SPARSE_TSB, 1, 0, 9, 0, 9, 0.2, 0.1, 7, 1, 0 };
    assert_true(fabs(pshi_sparse_mean(&s) - 7) < 1e-9 && pshi_sparse_quantile(&s, 0.05) == 7);
    assert_true(pshi_sparse_quantile(&s, 0.95) == 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_croston), cmocka_unit_test(tsb_recursion), cmocka_unit_test(obsolescence),
        cmocka_unit_test(coverage),   cmocka_unit_test(laws),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
