/* SPDX-License-Identifier: MIT */
/* Templates that are asked at the same times are one cluster, whatever their volume. */
#include "load.h"

#define TEMPLATES 12u

typedef struct fixture {
    test_alloc a;
    psh_env *env;
    psh_schema *schema;
    psh_forecaster *f;
    psh_query *q[TEMPLATES];
} fixture;

static void start(fixture *x) {
    psh_aggregate sum = { PSH_AGG_SUM, 5 };
    psh_query_spec spec;
    uint32_t i;

    x->env = test_env(&x->a);
    x->schema = test_flights_schema(x->env);
    assert_ok(psh_forecaster_create(x->env, x->schema, NULL, &x->f, NULL));
    for (i = 0; i < TEMPLATES; i++) {
        psh_query_spec_init(&spec, sizeof spec);
        spec.aggregates = &sum;
        spec.aggregate_count = 1;
        spec.bucket_ns = (1 + (int64_t)i) * PSH_MINUTE;
        assert_ok(psh_query_create(x->env, x->schema, &spec, &x->q[i], NULL));
    }
}

static void shut(fixture *x) {
    uint32_t i;

    for (i = 0; i < TEMPLATES; i++)
        psh_query_unref(x->q[i]);
    psh_forecaster_destroy(x->f);
    psh_schema_unref(x->schema);
    psh_env_destroy(x->env);
    assert_int_equal(x->a.live, 0);
}

/* Three shapes: office hours, nights, and weekends at noon. */
static double rate_of(uint32_t shape, int64_t hour) {
    int64_t h = hour % 24, day = hour / 24 % 7;

    if (shape == 0)
        return day < 5 && h >= 8 && h < 18 ? 1 : 0.02;
    if (shape == 1)
        return h < 6 || h >= 22 ? 1 : 0.02;
    return day >= 5 && h >= 10 && h < 16 ? 2 : 0.02;
}

/* One hour of requests: template i has shape i % 3, or as `shape` says, and its own volume. */
static void run_hour(fixture *x, int64_t hour, uint64_t *seed, const uint32_t *shape) {
    double volume, n;
    uint32_t i;

    assert_true(psh_forecaster_step(x->f, TEST_T0 + hour * PSH_HOUR, 4) >= 0);
    for (i = 0; i < TEMPLATES; i++) {
        volume = 4 + 3 * (double)(i * i);
        n = volume * rate_of(shape ? shape[i] : i % 3, hour);
        n += test_noise(seed) * sqrt(n); /* nearly as of a Poisson stream */
        if (n > 0)
            assert_ok(test_ask(x->f, x->q[i], TEST_T0 + hour * PSH_HOUR + i, n));
    }
}

static uint64_t cluster_of(fixture *x, uint32_t t) {
    psh_template_detail d = { sizeof d };
    psh_template_info info;
    size_t i;

    for (i = 0; psh_forecaster_template(x->f, i, &info) == PSH_OK; i++) {
        if (info.id != psh_query_fingerprint(x->q[t]))
            continue;
        assert_ok(psh_forecaster_template_detail(x->f, i, &d));
        return d.cluster;
    }
    return 0;
}

/* The next day's requests of a subject, as forecast. */
static double day_ahead(fixture *x, const psh_subject *s, int64_t hour) {
    psh_forecast_spec spec = { sizeof spec };
    psh_forecast *forecast = NULL;
    double sum = 0;
    uint32_t i;

    assert_ok(psh_forecaster_forecast(x->f, s, TEST_T0 + hour * PSH_HOUR, 24, &forecast, NULL));
    assert_ok(psh_forecast_describe(forecast, &spec));
    for (i = 0; i < spec.steps; i++)
        sum += spec.mean[i];
    psh_forecast_unref(forecast);
    return sum;
}

/* The cluster has a series of its own, with its members' history, and is forecast as they are together. */
static void clusters_are_forecast(void **state) {
    psh_template_cluster c = { sizeof c };
    psh_subject cluster = { PSH_SUBJECT_CLUSTER, 0, 0 }, one = { PSH_SUBJECT_TEMPLATE, 0, 0 };
    psh_score score = { sizeof score };
    uint64_t seed = 5;
    double sum, whole;
    int64_t h;
    size_t i, k, skilled = 0;
    fixture x;

    (void)state;
    start(&x);
    for (h = 0; h < 24 * 35; h++)
        run_hour(&x, h, &seed, NULL);
    for (i = 0; i < psh_forecaster_cluster_count(x.f); i++) {
        assert_ok(psh_forecaster_cluster(x.f, i, &c));
        cluster.id = c.id;
        whole = day_ahead(&x, &cluster, h);
        for (k = 0, sum = 0; k < c.member_count; k++) {
            one.id = c.members[k];
            sum += day_ahead(&x, &one, h);
        }
        assert_true(fabs(whole / sum - 1) < 0.1);
        assert_ok(psh_forecaster_score(x.f, &cluster, &score));
        assert_true(score.scored > 100); /* the naive is hard to beat on shapes as plain as these */
        skilled += score.skill > 0;
    }
    assert_true(skilled > 0);
    shut(&x);
}

static void same_shape_same_cluster(void **state) {
    uint64_t seed = 1, id[3];
    psh_template_cluster c = { sizeof c };
    double share = 0;
    size_t i, members = 0;
    int64_t h;
    uint32_t t;
    fixture x;

    (void)state;
    start(&x);
    for (h = 0; h < 24 * 21; h++)
        run_hour(&x, h, &seed, NULL);
    assert_int_equal(psh_forecaster_cluster_count(x.f), 3);
    for (t = 0; t < TEMPLATES; t++) {
        id[t % 3] = t < 3 ? cluster_of(&x, t) : id[t % 3];
        assert_true(cluster_of(&x, t) != 0);
        assert_true(cluster_of(&x, t) == id[t % 3]);
    }
    assert_true(id[0] != id[1] && id[1] != id[2] && id[0] != id[2]);
    for (i = 0; i < 3; i++) {
        assert_ok(psh_forecaster_cluster(x.f, i, &c));
        assert_int_equal(c.member_count, 4);
        assert_int_equal(c.slots, 168);
        members += c.member_count;
        share += c.share;
        assert_true(c.rate > 0);
    }
    assert_int_equal(members, TEMPLATES);
    assert_true(fabs(share - 1) < 1e-6);
    assert_int_equal(psh_forecaster_cluster(x.f, 3, &c), PSH_E_NOT_FOUND);
    for (; h < 24 * 42; h++) { /* ids stay under noise */
        run_hour(&x, h, &seed, NULL);
        for (t = 0; t < TEMPLATES; t++)
            assert_true(cluster_of(&x, t) == id[t % 3]);
    }
    shut(&x);
}

/* Rates are those of the requests: all templates of the office's hours together. */
static void rates_are_those_observed(void **state) {
    psh_template_cluster c = { sizeof c };
    double real = 0, sum = 0;
    uint64_t seed = 2;
    int64_t h;
    uint32_t t;
    size_t i;
    fixture x;

    (void)state;
    start(&x);
    for (h = 0; h < 24 * 28; h++) /* whole weeks */
        run_hour(&x, h, &seed, NULL);
    for (t = 0; t < TEMPLATES; t++)
        for (h = 0; h < 168; h++)
            real += (4 + 3 * (double)(t * t)) * rate_of(t % 3, h) / (168 * 3600.0);
    for (i = 0; psh_forecaster_cluster(x.f, i, &c) == PSH_OK; i++)
        sum += c.rate;
    assert_true(fabs(sum / real - 1) < 0.05);
    shut(&x);
}

/* Who changes its hours changes its cluster, after two evaluations; one odd day changes nothing. */
static void moves_when_it_changed(void **state) {
    uint32_t shape[TEMPLATES], t;
    uint64_t seed = 3, office, night;
    int64_t h, moved = 0;
    fixture x;

    (void)state;
    start(&x);
    for (t = 0; t < TEMPLATES; t++)
        shape[t] = t % 3;
    for (h = 0; h < 24 * 21; h++)
        run_hour(&x, h, &seed, shape);
    office = cluster_of(&x, 3);
    night = cluster_of(&x, 4);
    shape[3] = 1;
    for (; h < 24 * 22; h++)
        run_hour(&x, h, &seed, shape);
    assert_true(cluster_of(&x, 3) == office);
    for (; h < 24 * 84 && !moved; h++) {
        run_hour(&x, h, &seed, shape);
        moved = cluster_of(&x, 3) == night;
    }
    assert_true(moved);
    assert_true(cluster_of(&x, 6) == office);
    shut(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_shape_same_cluster),
        cmocka_unit_test(clusters_are_forecast),
        cmocka_unit_test(rates_are_those_observed),
        cmocka_unit_test(moves_when_it_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
