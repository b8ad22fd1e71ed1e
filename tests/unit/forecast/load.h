/* SPDX-License-Identifier: MIT */
/** @file forecast/load.h  Seeded loads that the forecaster's tests observe. */
#ifndef TEST_FORECAST_LOAD_H
#define TEST_FORECAST_LOAD_H

#include <math.h>

#include "base/rng.h"
#include "test.h"

#define PI 3.14159265358979323846

/* Sum of 12 uniforms less 6: normal enough for noise. */
static inline double test_noise(uint64_t *rng) {
    double sum = -6;
    int i;

    for (i = 0; i < 12; i++)
        sum += pshi_rng_unit(rng);
    return sum;
}

/* Rows of an hour: a daily and a weekly rhythm about a level. */
static inline double test_rhythm(int64_t hour, double level) {
    double day = 1 + 0.6 * sin(2 * PI * (double)(hour % 24) / 24);

    return level * day * (hour / 24 % 7 >= 5 ? 0.6 : 1);
}

static inline psh_status test_write_label(
    psh_forecaster *f, int64_t time, uint64_t tenant, uint64_t rows, const psh_label *label) {
    psh_write_record r = { sizeof r };

    if (!rows)
        return PSH_OK;
    r.time = time;
    r.tenant = tenant;
    r.rows = rows;
    r.bytes = 100 * rows;
    r.labels = label;
    r.label_count = label ? 1 : 0;
    return psh_forecaster_observe_write(f, &r);
}

static inline psh_status test_write(psh_forecaster *f, int64_t time, uint64_t tenant, uint64_t rows) {
    return test_write_label(f, time, tenant, rows, NULL);
}

/* Delays per hour of one origin over [from, to). */
static inline psh_status test_query(
    psh_env *env, psh_schema *schema, const char *origin, int64_t from, int64_t to, psh_query **out) {
    psh_value value = test_text(origin);
    psh_predicate where = { 0, PSH_OP_EQ, &value, 1 };
    psh_aggregate count = { PSH_AGG_COUNT, PSH_NONE };
    psh_query_spec spec;

    psh_query_spec_init(&spec, sizeof spec);
    spec.predicates = &where;
    spec.predicate_count = 1;
    spec.aggregates = &count;
    spec.aggregate_count = 1;
    spec.time_from = from;
    spec.time_to = to;
    spec.bucket_ns = PSH_HOUR;
    return psh_query_create(env, schema, &spec, out, NULL);
}

static inline psh_status test_ask(psh_forecaster *f, psh_query *q, int64_t time, double weight) {
    psh_query_record r = { sizeof r };

    r.query = q;
    r.time = time;
    r.duration_ns = 1000;
    r.rows = 24;
    r.bytes = 480;
    r.work = 5000;
    r.weight = weight;
    r.at_base = 1;
    return psh_forecaster_observe_query(f, &r);
}

#endif
