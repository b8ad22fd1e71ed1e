/* SPDX-License-Identifier: MIT */
/* Exponential smoothing against R's forecast package 8.20. */
#include <math.h>

#include "base/env.h"
#include "model/ets.h"
#include "series.h"
#include "test.h"

#define MOST_STEPS 24u

typedef struct reference {
    pshi_ets_form form;
    double phi, level, slope;
    double season[12];                /* by phase of the first year */
    double loglik, variance;
    double mean[5], sd[5], sd_within; /* at steps 1, 2, 12, 13, 24 */
} reference;

/*
 * e <- ets(USAccDeaths, model, damped = d, alpha = .5, beta = .1, gamma = .2, phi = .9); e$states[1, ]; e$loglik;
 * e$sigma2; f <- forecast(e, h = 24, level = 95); sd = (f$upper - f$mean) / qnorm(.975).
 * R simulates the variances of MAM and MNM from step 13 on: five in a hundred apart are allowed there.
 */
static const reference references[] = {
    { { 1, 2, 1, 12 }, 0.9, 9918.51189252, -12.5171390171,
      { -879.409922008, -1564.992130934, -759.961913151, -564.878379498, 305.932134305, 827.871011016,
        1637.824188629, 985.447629508, -87.183922126, 264.918481942, -172.796605438, 7.229427753 },
      -558.785020333, 100154.866811,
      { 8276.419694, 7523.794132, 9384.323142, 8478.200256, 9447.644020 },
      { 316.47254, 367.44901, 1006.27942, 1092.70314, 1714.05665 }, 1e-6 },
    { { 2, 1, 1, 12 }, 1, 9775.55287707, -29.9741027678,
      { -786.66975077, -1545.24260042, -740.06300501, -515.95805879, 279.56380046, 794.27276409, 1576.74887448,
        936.77794361, -103.98386524, 253.38163029, -178.02267908, 29.19494639 },
      -562.873260597, 0.00144685399184,
      { 8358.680759, 7634.817400, 9752.139887, 8934.746014, 10328.205141 },
      { 317.94360, 347.53724, 1363.96625, 1509.04745, 3173.19023 }, 1e-6 },
    { { 2, 1, 2, 12 }, 1, 9954.12928546, -43.1944092013,
      { 0.9079068725, 0.8227869779, 0.9133749491, 0.9405837370, 1.0311891433, 1.0941562825, 1.1796363545,
        1.1067726127, 0.9905770265, 1.0306450286, 0.9805291423, 1.0018418731 },
      -561.342010892, 0.0013870074141,
      { 8307.325988, 7537.994149, 9734.511651, 8808.429822, 10291.404123 },
      { 309.38599, 327.01971, 1378.06877, 1381.28612, 3168.35439 }, 0.05 },
    { { 2, 0, 2, 12 }, 1, 9871.73831766, 0,
      { 0.9088672990, 0.8240366132, 0.9136299372, 0.9399056822, 1.0326079039, 1.0940793319, 1.1816591163,
        1.1073384322, 0.9906275889, 1.0290655763, 0.9777896873, 1.0003928316 },
      -557.64846817, 0.00119909507423,
      { 8243.223076, 7451.189842, 9156.180821, 8244.211517, 9157.278734 },
      { 285.44593, 288.50910, 614.59144, 588.50071, 840.02205 }, 0.05 },
};

static pshi_ets *state_of(psh_env *env, const reference *r) {
    pshi_ets *e = pshi_calloc(env, 1, pshi_ets_bytes(r->form.m));

    e->form = r->form;
    e->alpha = 0.5;
    e->beta = r->form.trend ? 0.1 : 0;
    e->gamma = 0.2;
    e->phi = r->phi;
    e->level = r->level;
    e->slope = r->slope;
    e->variance = r->variance;
    memcpy(e->season, r->season, sizeof r->season);
    return e;
}

static int near(double x, double y, double share) {
    return fabs(x - y) <= share * fabs(y);
}

/* From R's first states under R's parameters: the same likelihood, forecasts and variances. */
static void recursions_as_in_r(void **state) {
    static const uint32_t steps[] = { 1, 2, 12, 13, 24 };
    double mean[MOST_STEPS], sd[MOST_STEPS], squares;
    pshi_ahead a = { MOST_STEPS, NULL, mean, sd };
    psh_env *env = NULL;
    pshi_ets *e;
    size_t i, k;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < COUNT(references); i++) {
        const reference *r = &references[i];

        e = state_of(env, r);
        assert_true(near(pshi_ets_run(e, us_deaths, COUNT(us_deaths), &squares), -2 * r->loglik, 1e-7));
        assert_ok(pshi_ets_ahead(env, e, &a));
        for (k = 0; k < 5; k++) {
            /* Where R simulates, its mean is not the path of the states either, but very near. */
            assert_true(near(mean[steps[k] - 1], r->mean[k], k < 3 || r->sd_within < 1e-3 ? 1e-7 : 1e-3));
            assert_true(near(sd[steps[k] - 1], r->sd[k], k < 3 ? 1e-6 : r->sd_within));
        }
        pshi_free(env, e);
    }
    psh_env_destroy(env);
}

/* Stepping one by one leads where running over all leads. */
static void steps_are_the_run(void **state) {
    psh_env *env = NULL;
    pshi_ets *a, *b;
    double squares;
    size_t i, k;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < COUNT(references); i++) {
        a = state_of(env, &references[i]);
        b = state_of(env, &references[i]);
        pshi_ets_run(a, us_deaths, COUNT(us_deaths), &squares);
        for (k = 0; k < COUNT(us_deaths); k++)
            pshi_ets_step(b, us_deaths[k]);
        assert_true(near(b->level, a->level, 1e-12) && b->at == a->at);
        for (k = 0; k < 12; k++)
            assert_true(fabs(b->season[k] - a->season[k]) <= 1e-9 * fabs(a->season[k]) + 1e-9);
        pshi_free(env, a);
        pshi_free(env, b);
    }
    psh_env_destroy(env);
}

static pshi_ets *fit(psh_env *env, const double *y, size_t n, uint32_t season, pshi_ets_choice c) {
    pshi_fit in = { 0 };
    pshi_ets *e;

    in.env = env;
    in.y = y;
    in.n = n;
    in.horizon = 12;
    in.seasons = season ? 1 : 0;
    in.season[0] = season;
    assert_ok(pshi_ets_fit(&in, &c, &e));
    return e;
}

typedef struct fitted {
    const double *y;
    size_t n;
    uint32_t season;
    pshi_ets_choice choice;
    double aicc;      /* R's */
    double beyond;    /* by how much ours may be worse: what the prior costs */
    double mean[3];   /* R's, at steps 1 to 3; 0: R stopped far from the optimum, nothing to compare with */
} fitted;

/* ses(y)$model$aicc, holt(y), holt(y, damped = TRUE), hw(y, damped = TRUE), ets(y); $mean. */
static const fitted fits[] = {
    { nile, COUNT(nile), 0, { 0, 0, 0 }, 1459.031037, 0.01, { 805.3363, 805.3363, 805.3363 } },
    { nile, COUNT(nile), 0, { 0, 1, 0 }, 1462.550415, 0.01, { 802.9133, 799.7514, 796.5895 } },
    { nile, COUNT(nile), 0, { 0, 2, 0 }, 1465.907308, 0.01, { 0, 0, 0 } },
    { nile, COUNT(nile), 0, { 1, 0, 1 }, 1458.551916, 0.01, { 838.8752, 838.8752, 838.8752 } },
    { us_deaths, COUNT(us_deaths), 0, { 0, 0, 0 }, 1262.695700, 0.01, { 9239.9, 9239.9, 9239.9 } },
    { us_deaths, COUNT(us_deaths), 12, { 0, 2, 1 }, 1153.910701, 0.01, { 0, 0, 0 } },
    { us_deaths, COUNT(us_deaths), 12, { 1, 0, 1 }, 1148.716099, 0.01, { 8397.497, 7599.221, 8396.595 } },
    { air_passengers, COUNT(air_passengers), 0, { 0, 0, 0 }, 1733.958161, 0.01, { 431.9958, 431.9958, 431.9958 } },
    { air_passengers, COUNT(air_passengers), 0, { 0, 1, 0 }, 1737.729382, 0.01, { 433.6004, 435.2049, 436.8093 } },
    { air_passengers, COUNT(air_passengers), 0, { 0, 2, 0 }, 1740.205236, 0.01, { 432.1066, 432.2151, 432.3215 } },
    { air_passengers, COUNT(air_passengers), 12, { 0, 2, 1 }, 1576.702891, 0.01, { 434.1266, 424.9792, 458.7771 } },
    { air_passengers, COUNT(air_passengers), 12, { 1, 0, 1 }, 1400.638432, 0.01, { 441.8018, 434.1186, 496.6300 } },
    { www_usage, COUNT(www_usage), 0, { 0, 0, 0 }, 817.3414892, 0.01, { 220.0002, 220.0002, 220.0002 } },
    { www_usage, COUNT(www_usage), 0, { 0, 1, 0 }, 729.3320364, 3, { 217.9994, 215.9990, 213.9986 } },
    { www_usage, COUNT(www_usage), 0, { 1, 0, 0 }, 718.6342062, 6, { 0, 0, 0 } },
};

/* The fit is at least as likely as R's, and forecasts the same within 1 %. */
static void fits_as_good_as_r(void **state) {
    double mean[3];
    pshi_ahead a = { 3, NULL, mean, NULL };
    psh_env *env = NULL;
    pshi_ets *e;
    size_t i, k;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < COUNT(fits); i++) {
        e = fit(env, fits[i].y, fits[i].n, fits[i].season, fits[i].choice);
        assert_true(e->criterion <= fits[i].aicc + fits[i].beyond);
        assert_ok(pshi_ets_ahead(env, e, &a));
        for (k = 0; k < 3 && fits[i].mean[0] != 0; k++)
            assert_true(near(mean[k], fits[i].mean[k], 0.01));
        pshi_free(env, e);
    }
    psh_env_destroy(env);
}

/* The forms chosen: multiplicative where the swing grows with the level, never for values that are not positive. */
static void chooses_forms(void **state) {
    double y[COUNT(air_passengers)];
    psh_env *env = NULL;
    pshi_ets *e;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    e = fit(env, air_passengers, COUNT(air_passengers), 12, (pshi_ets_choice){ 1, 0, 1 });
    assert_true(e->form.error == 2 && e->form.season == 2 && e->form.trend != 0 && e->form.m == 12);
    pshi_free(env, e);
    for (i = 0; i < COUNT(y); i++)
        y[i] = air_passengers[i] - 300;
    e = fit(env, y, COUNT(y), 12, (pshi_ets_choice){ 1, 0, 1 });
    assert_true(e->form.error == 1 && e->form.season == 1);
    pshi_free(env, e);
    e = fit(env, nile, COUNT(nile), 0, (pshi_ets_choice){ 1, 0, 1 });
    assert_true(e->form.season == 0 && e->form.trend == 0 && e->form.m == 1);
    pshi_free(env, e);
    psh_env_destroy(env);
}

/* A season longer than can be optimised is still followed; parameters stay in the region where forecasts settle. */
static void long_season(void **state) {
    double y[400], mean[100];
    pshi_ahead a = { 100, NULL, mean, NULL };
    psh_env *env = NULL;
    pshi_ets *e;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < 400; i++)
        y[i] = 100 + 30 * sin(6.283185307179586 * (double)i / 100) + (double)(i * 7919 % 11) / 5;
    e = fit(env, y, 400, 100, (pshi_ets_choice){ 1, 0, 1 });
    assert_int_equal(e->form.m, 100);
    assert_true(pshi_ets_admissible(e));
    assert_ok(pshi_ets_ahead(env, e, &a));
    for (i = 0; i < 100; i++)
        assert_true(fabs(mean[i] - 101 - 30 * sin(6.283185307179586 * (double)i / 100)) < 4);
    pshi_free(env, e);
    psh_env_destroy(env);
}

/* Whatever a load accepts: states at their bounds, forecast as far as anyone may ask, stay finite. */
static void extreme_states(void **state) {
    static double mean[PSH_MODEL_MOST_STEPS], sd[PSH_MODEL_MOST_STEPS];
    pshi_ahead a = { PSH_MODEL_MOST_STEPS, NULL, mean, sd };
    _Alignas(pshi_ets) unsigned char block[sizeof(pshi_ets) + 4 * sizeof(double)];
    pshi_ets *e = (pshi_ets *)(void *)block;
    psh_env *env = NULL;
    uint32_t i, h, k;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 0; i < 18; i++) {
        memset(block, 0, sizeof block);
        e->form = (pshi_ets_form){ i % 3 == 2 ? 2 : 1 + i / 9, i / 3 % 3, i % 3, i % 3 ? 4 : 1 };
        e->alpha = e->beta = e->gamma = e->phi = 1;
        e->level = -0x1p200;
        e->slope = e->form.trend ? 0x1p200 : 0;
        e->variance = 0x1p250;
        for (k = 0; k < e->form.m; k++)
            e->season[k] = e->form.season == 2 ? (k % 2 ? PSHI_ETS_LEAST_FACTOR : PSHI_ETS_MOST_FACTOR)
                         : e->form.season ? 0x1p200 : 0;
        assert_ok(pshi_ets_ahead(env, e, &a));
        for (h = 0; h < PSH_MODEL_MOST_STEPS; h++)
            assert_true(isfinite(mean[h]) && isfinite(sd[h]) && sd[h] >= 0);
        for (h = 0; h < 50; h++)
            pshi_ets_step(e, h % 2 ? 0x1p100 : -0x1p100);
        assert_true(isfinite(e->level) && isfinite(e->slope) && isfinite(e->season[0]));
    }
    psh_env_destroy(env);
}

/* 2008, chapter 10: a Holt-Winters point outside the region, and ones inside. */
static void admissible_region(void **state) {
    _Alignas(pshi_ets) unsigned char block[sizeof(pshi_ets) + 12 * sizeof(double)] = { 0 };
    pshi_ets *e = (pshi_ets *)(void *)block;

    (void)state;
    e->form = (pshi_ets_form){ 1, 1, 1, 12 };
    e->phi = 1;
    e->alpha = 0.3;
    e->beta = 0.05;
    e->gamma = 0.2;
    assert_true(pshi_ets_admissible(e));
    e->beta = 3;
    assert_false(pshi_ets_admissible(e));
    e->beta = 0;
    e->form.trend = 0;
    assert_true(pshi_ets_admissible(e));
    e->gamma = 1.9;
    assert_false(pshi_ets_admissible(e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recursions_as_in_r), cmocka_unit_test(steps_are_the_run),
        cmocka_unit_test(fits_as_good_as_r),  cmocka_unit_test(chooses_forms),
        cmocka_unit_test(long_season),        cmocka_unit_test(admissible_region),
        cmocka_unit_test(extreme_states),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
