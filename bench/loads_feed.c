/* SPDX-License-Identifier: MIT */
/* The stream of loads that several benches feed a forecaster with. */
#include <string.h>

#include "forecast.h"
#include "tool.h"

psh_schema *bench_load_schema(psh_env *env) {
    static const psh_column_spec columns[] = {
        { "tenant", PSH_TYPE_TEXT, 0, 0, 0 },
        { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
        { "amount", PSH_TYPE_INT64, 0, 0, 0 },
    };
    static const uint32_t key[] = { 0, 1 };
    psh_table_spec t = { "load", columns, 3, sizeof columns[0], key, 2, 0, 1, PSH_DAY, 0 };
    psh_error err = { sizeof err };
    psh_schema *s = NULL;

    bench_must(psh_schema_create(env, &t, 1, sizeof t, &s, &err), "schema", &err);
    return s;
}

uint64_t bench_tenant(const char *key) {
    psh_value v;

    memset(&v, 0, sizeof v);
    v.type = PSH_TYPE_TEXT;
    v.size = (uint32_t)strlen(key);
    v.as.data = key;
    return psh_tenant_id(&v);
}

void bench_step(psh_forecaster *f, int64_t now) {
    psh_status st;

    do {
        st = psh_forecaster_step(f, now, UINT32_MAX);
        bench_must(st, "step", NULL);
    } while (st == PSH_AGAIN);
}

/* The one place where events reach the library. */
psh_status bench_announce(psh_forecaster *f, const bench_event *e) {
    psh_event known = { .struct_size = sizeof known };

    known.kind = psh_event_kind(e->name);
    known.from = e->from;
    known.to = e->to;
    if (e->key && *e->key) {
        known.scope.kind = PSH_SUBJECT_TENANT;
        known.scope.table = PSH_NONE;
        known.scope.id = bench_tenant(e->key);
    }
    known.id = psh_forecaster_event_count(f) + 1;
    return psh_forecaster_add_event(f, &known, NULL);
}
