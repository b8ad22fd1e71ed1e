/* SPDX-License-Identifier: MIT */
/* What the query log says is what was asked, within the errors stated. */
#include <stdlib.h>

#include "load.h"

#define COUNT 64u

typedef struct fixture {
    test_alloc a;
    psh_env *env;
    psh_schema *schema;
    psh_forecaster *f;
} fixture;

static void start(fixture *x, uint32_t max_templates) {
    psh_forecaster_options o;

    x->env = test_env(&x->a);
    x->schema = test_flights_schema(x->env);
    assert_ok(psh_forecaster_options_init(&o, sizeof o));
    o.max_templates = max_templates;
    assert_ok(psh_forecaster_create(x->env, x->schema, &o, &x->f, NULL));
}

static void shut(fixture *x) {
    psh_forecaster_destroy(x->f);
    psh_schema_unref(x->schema);
    psh_env_destroy(x->env);
    assert_int_equal(x->a.live, 0);
}

/* sum(distance) where origin = .. and seq >= .. and time >= .., by destination and hour, ordered by the sum */
static psh_query *aggregate(fixture *x, int64_t seq, int64_t from) {
    static const uint32_t groups[] = { 3 };
    psh_aggregate sum = { PSH_AGG_SUM, 5 };
    psh_value values[] = { test_text("ATL"), test_int(seq) };
    psh_predicate where[] = { { 2, PSH_OP_GE, &values[1], 1 }, { 0, PSH_OP_EQ, &values[0], 1 } };
    psh_order order = { 2, 1 };
    psh_query_spec spec;
    psh_query *q;

    psh_query_spec_init(&spec, sizeof spec);
    spec.predicates = where;
    spec.predicate_count = 2;
    spec.group_columns = groups;
    spec.group_count = 1;
    spec.aggregates = &sum;
    spec.aggregate_count = 1;
    spec.order = &order;
    spec.order_count = 1;
    spec.bucket_ns = PSH_HOUR;
    spec.time_from = from;
    assert_ok(psh_query_create(x->env, x->schema, &spec, &q, NULL));
    return q;
}

/* Details of one column, and a bucket that makes it one template of many. */
static psh_query *numbered(fixture *x, uint32_t i) {
    psh_aggregate sum = { i % 3 ? PSH_AGG_SUM : PSH_AGG_MAX, 4 + i % 2 };
    psh_query_spec spec;
    psh_query *q;

    psh_query_spec_init(&spec, sizeof spec);
    spec.aggregates = &sum;
    spec.aggregate_count = 1;
    spec.bucket_ns = (1 + (int64_t)i) * PSH_SECOND;
    assert_ok(psh_query_create(x->env, x->schema, &spec, &q, NULL));
    return q;
}

static void ask(fixture *x, psh_query *q, uint64_t tenant, double weight) {
    psh_query_record r = { sizeof r };

    r.query = q;
    r.time = TEST_T0;
    r.duration_ns = 1000;
    r.rows = 3;
    r.bytes = 40;
    r.work = 7;
    r.tenant = tenant;
    r.weight = weight;
    r.at_base = 1;
    assert_ok(psh_forecaster_observe_query(x->f, &r));
}

static size_t list(fixture *x, const psh_workload_request *r, psh_workload_item *items) {
    size_t n = COUNT, i;

    assert_ok(psh_forecaster_workload(x->f, r, items, sizeof *items, &n));
    for (i = 1; i < n; i++)
        assert_true(items[i - 1].count >= items[i].count);
    return n;
}

static const psh_workload_item *find_column(
    const psh_workload_item *items, size_t n, uint32_t role, uint32_t op, uint32_t column) {
    size_t i;

    for (i = 0; i < n; i++)
        if (items[i].role == role && items[i].op == op && items[i].column_count == 1 &&
            items[i].columns[0] == column)
            return &items[i];
    return NULL;
}

static void tells_roles_and_sets(void **state) {
    psh_workload_request r = { sizeof r, PSH_WORKLOAD_COLUMN, PSH_NONE };
    psh_workload_item items[COUNT];
    const psh_workload_item *i;
    psh_query *q, *p;
    fixture x;
    size_t n;

    (void)state;
    start(&x, 100);
    q = aggregate(&x, 5, TEST_T0 - PSH_DAY);
    p = numbered(&x, 1); /* sum of column 5, every other second */
    ask(&x, q, 1, 3);
    ask(&x, q, 2, 1);
    ask(&x, p, 2, 2);
    n = list(&x, &r, items);
    i = find_column(items, n, PSH_ROLE_FILTER, 0, 2);
    assert_true(i && i->count == 4 && i->error_bound == 0 && i->duration_ns == 4000 && i->rows == 12);
    assert_true(i->bytes == 160 && i->work == 28 && fabs(i->share - 4.0 / 6) < 1e-12);
    assert_true(fabs(i->sampling_error - sqrt(6)) < 1e-12); /* 3 * 2 + 1 * 0 */
    i = find_column(items, n, PSH_ROLE_FILTER, 0, 1); /* time */
    assert_true(i && i->count == 4);
    i = find_column(items, n, PSH_ROLE_GROUP, 0, 1);
    assert_true(i && i->count == 6);
    i = find_column(items, n, PSH_ROLE_GROUP, 0, 3);
    assert_true(i && i->count == 4);
    i = find_column(items, n, PSH_ROLE_ORDER, 0, 5);
    assert_true(i && i->count == 4);
    i = find_column(items, n, PSH_ROLE_AGGREGATE, 0, 5);
    assert_true(i && i->count == 6);
    assert_null(find_column(items, n, PSH_ROLE_OUTPUT, 0, 5));
    r.kind = PSH_WORKLOAD_FILTER;
    n = list(&x, &r, items);
    assert_int_equal(n, 3);
    assert_non_null(find_column(items, n, 0, PSH_OP_GE, 2));
    assert_non_null(find_column(items, n, 0, PSH_OP_EQ, 0));
    assert_non_null(find_column(items, n, 0, PSH_OP_GE, 1));
    r.kind = PSH_WORKLOAD_GROUPING;
    n = list(&x, &r, items);
    assert_int_equal(n, 2);
    assert_true(items[0].count == 4 && items[0].column_count == 2 && items[0].columns[0] == 1 &&
                items[0].columns[1] == 3);
    r.kind = PSH_WORKLOAD_COLUMN_SET;
    n = list(&x, &r, items);
    assert_int_equal(n, 2);
    assert_int_equal(items[0].column_count, 5);
    r.kind = PSH_WORKLOAD_FILTER_SET;
    n = list(&x, &r, items);
    assert_int_equal(n, 1);
    assert_int_equal(items[0].column_count, 3);
    psh_query_unref(q);
    psh_query_unref(p);
    shut(&x);
}

static void tells_tenants_apart(void **state) {
    psh_workload_request r = { sizeof r, PSH_WORKLOAD_TENANT, PSH_NONE };
    psh_template_detail d = { sizeof d };
    psh_workload_item items[COUNT];
    psh_query *q, *p;
    fixture x;
    size_t n;

    (void)state;
    start(&x, 100);
    q = aggregate(&x, 5, TEST_T0 - PSH_DAY);
    p = numbered(&x, 1);
    ask(&x, q, 1, 3);
    ask(&x, q, 2, 1);
    ask(&x, p, 2, 5);
    ask(&x, p, 0, 1);
    n = list(&x, &r, items);
    assert_int_equal(n, 2);
    assert_true(items[0].id == 2 && items[0].count == 6 && items[0].table == PSH_NONE);
    assert_true(fabs(items[0].share - 0.6) < 1e-12);
    r.id = psh_query_fingerprint(q); /* who asks this template? */
    n = list(&x, &r, items);
    assert_true(n == 2 && items[0].id == 1 && items[0].count == 3 && items[1].count == 1);
    r.id = 0;
    r.kind = PSH_WORKLOAD_TEMPLATE; /* what does tenant 2 ask? */
    r.tenant = 2;
    n = list(&x, &r, items);
    assert_true(n == 2 && items[0].id == psh_query_fingerprint(p) && items[0].count == 5);
    assert_true(items[0].error_bound == 0 && items[1].error_bound == 0);
    assert_true(fabs(items[0].share - 5.0 / 6) < 1e-12);
    r.kind = PSH_WORKLOAD_COLUMN;
    r.role = PSH_ROLE_FILTER;
    n = list(&x, &r, items);
    assert_true(n == 3 && items[0].count == 1);
    assert_ok(psh_forecaster_template_detail(x.f, 0, &d));
    assert_true(fabs(d.tenants - 1) < 0.1 && d.bytes == 40);
    r.kind = 0;
    n = COUNT;
    assert_int_equal(psh_forecaster_workload(x.f, &r, items, sizeof *items, &n), PSH_E_INVALID);
    psh_query_unref(q);
    psh_query_unref(p);
    shut(&x);
}

/* A flood of templates evicts most: what is told of columns stays within the error bounds, memory within limits. */
static void eviction_loses_no_mass(void **state) {
    psh_workload_request r = { sizeof r, PSH_WORKLOAD_COLUMN, PSH_NONE, PSH_ROLE_AGGREGATE };
    psh_forecaster_stats s = { sizeof s };
    psh_workload_total total = { sizeof total };
    psh_workload_item items[COUNT];
    double heavy = 0, sum = 0;
    uint64_t seed = 5, bytes = 0;
    psh_query *q, *often;
    uint32_t i;
    fixture x;
    size_t n, k;

    (void)state;
    start(&x, 50);
    often = numbered(&x, 100000);
    for (i = 0; i < 20000; i++) {
        q = numbered(&x, i < 10000 ? i : (uint32_t)(pshi_rng_next(&seed) % 3000));
        ask(&x, q, 0, 1);
        psh_query_unref(q);
        if (i % 10 == 0) {
            ask(&x, often, 0, 1);
            heavy++;
        }
        if (i == 2000) {
            assert_ok(psh_forecaster_get_stats(x.f, &s));
            bytes = s.bytes;
        }
    }
    assert_ok(psh_forecaster_get_stats(x.f, &s));
    assert_int_equal(s.templates, 50);
    assert_true(s.bytes <= bytes + bytes / 10);
    n = list(&x, &r, items);
    assert_int_equal(n, 2);
    for (k = 0; k < n; k++) {
        assert_true(items[k].error_bound == 0); /* few columns: held from the first on */
        sum += items[k].count;
    }
    assert_true(sum == 20000 + heavy);
    assert_ok(psh_forecaster_workload_total(x.f, &total));
    assert_true(total.count == 20000 + heavy);
    assert_true(fabs(total.templates_seen / 10001 - 1) < 0.06);
    assert_true(total.evicted > 15000);
    r.kind = PSH_WORKLOAD_TEMPLATE;
    r.role = 0;
    n = list(&x, &r, items);
    assert_true(items[0].id == psh_query_fingerprint(often));
    assert_true(fabs(items[0].count - heavy) <= items[0].error_bound);
    assert_true(items[0].error_bound <= total.evicted / 512 * 1.5);
    psh_query_unref(often);
    shut(&x);
}

/* More tenants than are held: errors stay within what is stated. */
static void many_tenants(void **state) {
    psh_workload_request r = { sizeof r, PSH_WORKLOAD_TENANT, PSH_NONE };
    psh_workload_item items[COUNT];
    uint64_t seed = 8, tenant;
    double *truth = calloc(40001, sizeof *truth), u, off;
    psh_query *q;
    fixture x;
    size_t n, k, inside = 0;
    int i;

    (void)state;
    assert_non_null(truth);
    start(&x, 50);
    q = numbered(&x, 1);
    for (i = 0; i < 200000; i++) {
        u = pshi_rng_unit(&seed);
        tenant = 1 + (uint64_t)(u * u * u * 40000);
        truth[tenant]++;
        ask(&x, q, tenant, 1);
    }
    n = list(&x, &r, items);
    assert_int_equal(n, COUNT);
    for (k = 0; k < n; k++) {
        off = fabs(items[k].count - truth[items[k].id]);
        assert_true(items[k].error_bound <= 200000.0 / 4096 * 1.5);
        inside += off <= items[k].error_bound + 3 * items[k].sampling_error;
    }
    assert_true(inside == n);
    assert_true(items[0].id <= 2);
    psh_query_unref(q);
    shut(&x);
    free(truth);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_roles_and_sets),
        cmocka_unit_test(tells_tenants_apart),
        cmocka_unit_test(eviction_loses_no_mass),
        cmocka_unit_test(many_tenants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
