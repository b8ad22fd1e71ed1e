/* SPDX-License-Identifier: MIT */
#include "questions.h"

#include <string.h>

#define LATE_MINUTES 15

const question questions[QUESTIONS] = {
    { "departures", "departures per hour of an origin yesterday", PLACE_ORIGIN, -1, 0, .bucket_hours = 1,
        .aggregate_count = 1, .aggregates = { { PSH_AGG_COUNT, PSH_NONE } } },
    { "routes-week", "delays by route of an origin over the last 7 days", PLACE_ORIGIN, -7, 0, .group_count = 1,
        .groups = { COLUMN_DESTINATION }, .aggregate_count = 3,
        .aggregates = { { PSH_AGG_SUM, COLUMN_DELAY }, { PSH_AGG_AVG, COLUMN_DELAY }, { PSH_AGG_MAX, COLUMN_DELAY } } },
    { "rolling-delay", "mean delay of an origin by day over 7 days", PLACE_ORIGIN, -7, 0, .bucket_hours = 24,
        .aggregate_count = 2, .aggregates = { { PSH_AGG_AVG, COLUMN_DELAY }, { PSH_AGG_COUNT, PSH_NONE } } },
    { "busiest-routes", "the 20 busiest routes yesterday", PLACE_NONE, -1, 0, .group_count = 2,
        .groups = { COLUMN_ORIGIN, COLUMN_DESTINATION }, .aggregate_count = 1,
        .aggregates = { { PSH_AGG_COUNT, PSH_NONE } }, .order_output = 3, .limit = 20 },
    { "week-before", "an origin yesterday against the week before, by day", PLACE_ORIGIN, -8, 0,
        .bucket_hours = 24, .aggregate_count = 2,
        .aggregates = { { PSH_AGG_COUNT, PSH_NONE }, { PSH_AGG_AVG, COLUMN_DELAY } } },
    { "drill-down", "the flights of an origin in one hour of yesterday", PLACE_ORIGIN, -1, 0, .one_hour = 1,
        .column_count = 4, .columns = { COLUMN_TIME, COLUMN_DESTINATION, COLUMN_DELAY, COLUMN_DISTANCE } },
    { "network-today", "flights and mean delay by origin since midnight", PLACE_NONE, 0, OPEN_END,
        .group_count = 1, .groups = { COLUMN_ORIGIN }, .aggregate_count = 2,
        .aggregates = { { PSH_AGG_AVG, COLUMN_DELAY }, { PSH_AGG_COUNT, PSH_NONE } } },
    { "worst-delays", "the 20 worst delays by origin yesterday", PLACE_NONE, -1, 0, .group_count = 1,
        .groups = { COLUMN_ORIGIN }, .aggregate_count = 2,
        .aggregates = { { PSH_AGG_MAX, COLUMN_DELAY }, { PSH_AGG_MIN, COLUMN_DELAY } }, .order_output = 2,
        .limit = 20 },
    { "late-flights", "flights more than 15 minutes late by origin over 7 days", PLACE_NONE, -7, 0,
        .late_only = 1, .group_count = 1, .groups = { COLUMN_ORIGIN }, .aggregate_count = 1,
        .aggregates = { { PSH_AGG_COUNT, PSH_NONE } } },
    { "arrivals", "arrivals at a destination by hour yesterday", PLACE_DESTINATION, -1, 0, .bucket_hours = 1,
        .aggregate_count = 1, .aggregates = { { PSH_AGG_COUNT, PSH_NONE } } },
    { "miles-month", "miles flown from an origin by day over 28 days", PLACE_ORIGIN, -28, 0, .bucket_hours = 24,
        .aggregate_count = 1, .aggregates = { { PSH_AGG_SUM, COLUMN_DISTANCE } } },
    { "early", "earliest departures by destination of an origin over 3 days", PLACE_ORIGIN, -3, 0,
        .group_count = 1, .groups = { COLUMN_DESTINATION }, .aggregate_count = 1,
        .aggregates = { { PSH_AGG_MIN, COLUMN_DELAY } } },
};

psh_status make_schema(psh_env *env, psh_schema **out, psh_error *err) {
    static const psh_column_spec columns[COLUMN_COUNT] = {
        { "origin", PSH_TYPE_TEXT, PSH_COLLATION_BINARY, 0, 0 },
        { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
        { "seq", PSH_TYPE_INT64, 0, 0, 0 },
        { "destination", PSH_TYPE_TEXT, PSH_COLLATION_BINARY, 0, 0 },
        { "delay", PSH_TYPE_INT64, 0, 0, PSH_COLUMN_NULLABLE },
        { "distance", PSH_TYPE_INT64, 0, 0, 0 },
    };
    static const uint32_t key[] = { COLUMN_ORIGIN, COLUMN_TIME, COLUMN_SEQ };
    psh_table_spec table;

    memset(&table, 0, sizeof table);
    table.name = "flights";
    table.columns = columns;
    table.column_count = COLUMN_COUNT;
    table.column_stride = sizeof columns[0];
    table.key_columns = key;
    table.key_count = 3;
    table.tenant_column = COLUMN_ORIGIN;
    table.time_column = COLUMN_TIME;
    table.interval_ns = PSH_DAY;
    return psh_schema_create(env, &table, 1, sizeof table, out, err);
}

static void set_times(psh_query_spec *spec, const question *q, const flights *x, const arrival *a) {
    int64_t today = ((int64_t)x->first_day + a->day) * PSH_DAY;

    spec->time_from = today + q->days_from * PSH_DAY;
    spec->time_to = q->days_to == OPEN_END ? PSH_TIME_MAX : today + q->days_to * PSH_DAY;
    if (q->one_hour) {
        spec->time_from += a->hour * PSH_HOUR;
        spec->time_to = spec->time_from + PSH_HOUR;
    }
}

/* @return predicates set. */
static size_t set_predicates(psh_predicate out[2], psh_value values[2], const question *q, const char *place) {
    size_t n = 0;

    memset(values, 0, 2 * sizeof *values);
    if (q->place != PLACE_NONE) {
        values[n].type = PSH_TYPE_TEXT;
        values[n].size = (uint32_t)strlen(place);
        values[n].as.data = place;
        out[n] = (psh_predicate){ q->place == PLACE_ORIGIN ? COLUMN_ORIGIN : COLUMN_DESTINATION, PSH_OP_EQ,
            &values[n], 1 };
        n++;
    }
    if (q->late_only) {
        values[n].type = PSH_TYPE_INT64;
        values[n].as.i64 = LATE_MINUTES;
        out[n] = (psh_predicate){ COLUMN_DELAY, PSH_OP_GT, &values[n], 1 };
        n++;
    }
    return n;
}

psh_status make_query(
    psh_env *env, psh_schema *schema, const flights *x, const arrival *a, psh_query **out, psh_error *err) {
    const question *q = &questions[a->question];
    psh_query_spec spec;
    psh_predicate predicates[2];
    psh_value values[2];
    psh_order order = { 0, 1 };

    psh_query_spec_init(&spec, sizeof spec);
    set_times(&spec, q, x, a);
    spec.predicates = predicates;
    spec.predicate_count = set_predicates(predicates, values, q, x->places[a->place]);
    spec.group_columns = q->groups;
    spec.group_count = q->group_count;
    spec.aggregates = q->aggregates;
    spec.aggregate_count = q->aggregate_count;
    spec.columns = q->columns;
    spec.column_count = q->column_count;
    spec.bucket_ns = q->bucket_hours * PSH_HOUR;
    spec.limit = q->limit;
    if (q->order_output) {
        order.output = q->order_output - 1u;
        spec.order = &order;
        spec.order_count = 1;
    }
    return psh_query_create(env, schema, &spec, out, err);
}
