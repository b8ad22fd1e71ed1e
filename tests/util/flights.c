/* SPDX-License-Identifier: MIT */
#include "test.h"

psh_schema *test_flights_schema(psh_env *env) {
    static const psh_column_spec columns[] = {
        { "origin", PSH_TYPE_TEXT, PSH_COLLATION_BINARY, 0, 0 },
        { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
        { "seq", PSH_TYPE_INT64, 0, 0, 0 },
        { "destination", PSH_TYPE_TEXT, PSH_COLLATION_BINARY, 0, 0 },
        { "delay", PSH_TYPE_INT64, 0, 0, PSH_COLUMN_NULLABLE },
        { "distance", PSH_TYPE_INT64, 0, 0, 0 },
    };
    static const uint32_t key[] = { 0, 1, 2 };
    psh_table_spec table;
    psh_schema *s = NULL;

    memset(&table, 0, sizeof table);
    table.name = "flights";
    table.columns = columns;
    table.column_count = 6;
    table.column_stride = sizeof columns[0];
    table.key_columns = key;
    table.key_count = 3;
    table.tenant_column = 0;
    table.time_column = 1;
    table.interval_ns = PSH_DAY;
    assert_ok(psh_schema_create(env, &table, 1, sizeof table, &s, NULL));
    return s;
}

psh_value test_null(void) {
    psh_value v;

    memset(&v, 0, sizeof v);
    return v;
}

psh_value test_int(int64_t x) {
    psh_value v = test_null();

    v.type = PSH_TYPE_INT64;
    v.as.i64 = x;
    return v;
}

psh_value test_time(int64_t t) {
    psh_value v = test_int(t);

    v.type = PSH_TYPE_TIMESTAMP;
    return v;
}

psh_value test_double(double x) {
    psh_value v = test_null();

    v.type = PSH_TYPE_DOUBLE;
    v.as.f64 = x;
    return v;
}

psh_value test_text(const char *s) {
    psh_value v = test_null();

    v.type = PSH_TYPE_TEXT;
    v.size = (uint32_t)strlen(s);
    v.as.data = s;
    return v;
}

void test_flight(
    psh_value row[6], const char *origin, int64_t time, int64_t seq, const char *destination, int64_t delay,
    int64_t distance) {
    row[0] = test_text(origin);
    row[1] = test_time(time);
    row[2] = test_int(seq);
    row[3] = test_text(destination);
    row[4] = test_int(delay);
    row[5] = test_int(distance);
}
