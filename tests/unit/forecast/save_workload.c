/* SPDX-License-Identifier: MIT */
/* What the query log taught: saved, loaded, damaged, and short of memory. */
#include <stdlib.h>

#include "base/crc32c.h"
#include "load.h"

#define HEADER 20u
#define SECTION 28u
#define FIRST_SECTION 16u /* of those that this file is about */

static const psh_forecaster_options small = { sizeof small, 0, PSH_HOUR, 4, 8, 6, 3, 4, 16, 0, PSH_HOUR, 0, 2 };
static const psh_subject whole = { PSH_SUBJECT_TABLE, 0, 0 };

static int64_t hour(int64_t i) {
    return TEST_T0 + i * PSH_HOUR;
}

static psh_status ask_for(psh_env *env, psh_schema *schema, psh_forecaster *f, int64_t i) {
    psh_aggregate sum = { i % 3 ? PSH_AGG_SUM : PSH_AGG_MAX, 2 };
    psh_value value = test_text(i % 2 ? "ATL" : "BOS");
    psh_predicate where = { 0, PSH_OP_EQ, &value, 1 };
    psh_query_record r = { sizeof r };
    psh_query_spec spec;
    psh_status st;

    psh_query_spec_init(&spec, sizeof spec);
    spec.predicates = &where;
    spec.predicate_count = 1;
    spec.aggregates = &sum;
    spec.aggregate_count = 1;
    spec.bucket_ns = (1 + i / 8 % 5) * PSH_MINUTE;
    spec.time_from = hour(i - 24);
    spec.time_to = hour(i);
    st = psh_query_create(env, schema, &spec, &r.query, NULL);
    if (st != PSH_OK)
        return st;
    r.time = hour(i);
    r.tenant = 1 + (uint64_t)i % 3;
    r.weight = 2;
    r.bytes = 10;
    st = psh_forecaster_observe_query(f, &r);
    psh_query_unref(r.query);
    return st;
}

static psh_status feed(psh_env *env, psh_schema *schema, psh_forecaster *f, int64_t from, int64_t to) {
    unsigned char key[4] = { 7, 0, 0, 0 };
    psh_status st = PSH_OK;
    int64_t i;
    int k;

    for (i = from; st == PSH_OK && i < to; i++) {
        st = psh_forecaster_step(f, hour(i), 1);
        if (st >= 0)
            st = ask_for(env, schema, f, i);
        for (k = 0; st == PSH_OK && k < 20; k++) {
            key[2] = (unsigned char)i;
            key[3] = (unsigned char)(k * 13);
            st = psh_forecaster_observe_key(f, &whole, key, sizeof key, 1, hour(i));
        }
    }
    return st;
}

typedef struct fixture {
    test_alloc a;
    psh_env *env;
    psh_schema *schema;
    psh_forecaster *f;
} fixture;

static void start(fixture *x, int64_t hours) {
    x->env = test_env(&x->a);
    x->schema = test_flights_schema(x->env);
    assert_ok(psh_forecaster_create(x->env, x->schema, &small, &x->f, NULL));
    assert_ok(feed(x->env, x->schema, x->f, 0, hours));
}

static void shut(fixture *x) {
    psh_forecaster_destroy(x->f);
    psh_schema_unref(x->schema);
    psh_env_destroy(x->env);
    assert_int_equal(x->a.live, 0);
}

static psh_buffer *saved(psh_env *env, const psh_forecaster *f) {
    psh_buffer *b;

    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_forecaster_save(f, b));
    return b;
}

static void assert_same_bytes(psh_env *env, const psh_forecaster *f, const psh_forecaster *g) {
    psh_buffer *a = saved(env, f), *b = saved(env, g);

    assert_int_equal(psh_buffer_size(a), psh_buffer_size(b));
    assert_memory_equal(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a));
    psh_buffer_destroy(a);
    psh_buffer_destroy(b);
}

static void goes_on_after_a_load(void **state) {
    psh_forecaster *g;
    psh_buffer *b;
    fixture x;

    (void)state;
    start(&x, 150);
    b = saved(x.env, x.f);
    assert_ok(psh_forecaster_load(x.env, x.schema, psh_buffer_data(b), psh_buffer_size(b), 0, &g, NULL));
    psh_buffer_destroy(b);
    assert_same_bytes(x.env, x.f, g);
    assert_ok(feed(x.env, x.schema, x.f, 150, 250));
    assert_ok(feed(x.env, x.schema, g, 150, 250));
    assert_same_bytes(x.env, x.f, g);
    psh_forecaster_destroy(g);
    shut(&x);
}

/* Asks for everything; whatever was loaded, answers are numbers that mean something. */
static psh_status use_all(psh_forecaster *f) {
    psh_workload_request r = { sizeof r, 0, PSH_NONE };
    psh_template_detail d = { sizeof d };
    psh_template_cluster c = { sizeof c };
    psh_workload_total total = { sizeof total };
    psh_workload_item items[16];
    psh_expected_query list[8];
    psh_key_sketch *keys = NULL;
    psh_status st = PSH_OK;
    size_t n, i, k;
    double error;

    for (k = 0; st == PSH_OK && k < 2 * PSH_WORKLOAD_COLUMN_SET; k++) {
        r.kind = 1 + (uint32_t)k / 2;
        r.tenant = k % 2;
        n = 16;
        st = psh_forecaster_workload(f, &r, items, sizeof *items, &n);
        for (i = 0; st == PSH_OK && i < n; i++)
            assert_true(items[i].count >= 0 && items[i].error_bound >= 0 && isfinite(items[i].sampling_error) &&
                        items[i].share <= 1);
    }
    for (k = 0; st == PSH_OK && k < psh_forecaster_template_count(f); k++) {
        st = psh_forecaster_template_detail(f, k, &d);
        assert_true(d.predictable >= 0 && d.predictable <= 1);
        n = 8;
        if (st == PSH_OK)
            st = psh_forecaster_expect(f, k, hour(260), list, sizeof *list, &n);
        for (i = 0; st == PSH_OK && i < n; i++) {
            assert_true(list[i].probability > 0 && list[i].probability <= 1);
            psh_query_unref(list[i].query);
        }
    }
    for (k = 0; st == PSH_OK && k < psh_forecaster_cluster_count(f); k++) {
        st = psh_forecaster_cluster(f, k, &c);
        assert_true(isfinite(c.rate) && c.rate >= 0 && c.share >= 0);
    }
    if (st == PSH_OK)
        st = psh_forecaster_workload_total(f, &total);
    if (st == PSH_OK)
        st = psh_forecaster_keys(f, &whole, hour(260), &keys, &error);
    psh_key_sketch_destroy(keys);
    return st == PSH_E_NO_FORECAST ? PSH_OK : st;
}

static uint64_t number_at(const unsigned char *p, int n) {
    uint64_t x = 0;

    while (n--)
        x = x << 8 | p[n];
    return x;
}

/* Makes every section's checksum right again. */
static void seal(unsigned char *p, size_t size) {
    size_t at = HEADER, n;
    uint32_t crc;
    int k;

    for (; at < size; at += SECTION + n) {
        n = (size_t)number_at(p + at + 8, 8);
        crc = pshi_crc32c(pshi_crc32c(0, p + at, 24), p + at + SECTION, n);
        for (k = 0; k < 4; k++)
            p[at + 24 + (size_t)k] = (unsigned char)(crc >> (8 * k));
    }
}

/* Where the payload of the first section of interest begins, and of each that follows. */
static int is_payload(const unsigned char *p, size_t size, size_t i) {
    size_t at = HEADER, n;

    for (; at < size; at += SECTION + n) {
        n = (size_t)number_at(p + at + 8, 8);
        if (i >= at + SECTION && i < at + SECTION + n)
            return number_at(p + at, 4) >= FIRST_SECTION;
    }
    return 0;
}

static void live_on(fixture *x, psh_forecaster *g) {
    psh_forecaster *again;
    psh_buffer *b;
    psh_status st;

    assert_ok(use_all(g));
    st = feed(x->env, x->schema, g, 61, 70);
    assert_true(st == PSH_OK || st == PSH_E_TIME || st == PSH_E_LIMIT);
    assert_ok(use_all(g));
    b = saved(x->env, g);
    assert_ok(psh_forecaster_load(x->env, x->schema, psh_buffer_data(b), psh_buffer_size(b), 0, &again, NULL));
    psh_forecaster_destroy(again);
    psh_buffer_destroy(b);
}

static void resealed_bytes_do_no_harm(void **state) {
    static const unsigned char tries[] = { 0x01, 0x40, 0xff };
    size_t i, k, size, loaded = 0, step;
    unsigned char *p, *q;
    psh_forecaster *g;
    psh_buffer *b;
    fixture x;

    (void)state;
    start(&x, 60);
    b = saved(x.env, x.f);
    size = psh_buffer_size(b);
    p = malloc(size);
    q = malloc(size);
    assert_true(p && q);
    memcpy(p, psh_buffer_data(b), size);
    step = 1 + size / 3000;
    for (i = HEADER; i < size; i += step) {
        for (k = 0; k < sizeof tries && is_payload(p, size, i); k++) {
            memcpy(q, p, size);
            q[i] ^= tries[k];
            seal(q, size);
            if (psh_forecaster_load(x.env, x.schema, q, size, 0, &g, NULL) != PSH_OK)
                continue;
            loaded++;
            live_on(&x, g);
            psh_forecaster_destroy(g);
        }
    }
    assert_true(loaded > 100);
    free(p);
    free(q);
    psh_buffer_destroy(b);
    shut(&x);
}

static psh_status scenario(psh_env *env, void *user) {
    uint32_t key[] = { 0, 1, 2 };
    psh_column_spec columns[] = { { "origin", PSH_TYPE_TEXT, 0, 0, 0 }, { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
                                  { "seq", PSH_TYPE_INT64, 0, 0, 0 } };
    psh_table_spec table = { "flights", columns, 3, sizeof *columns, key, 3, 0, 1, PSH_DAY, 0 };
    psh_forecaster *f = NULL, *g = NULL;
    psh_schema *schema = NULL;
    psh_buffer *b = NULL;
    psh_status st = psh_schema_create(env, &table, 1, sizeof table, &schema, NULL);

    (void)user;
    if (st == PSH_OK)
        st = psh_forecaster_create(env, schema, &small, &f, NULL);
    if (st == PSH_OK)
        st = feed(env, schema, f, 0, 34);
    if (st == PSH_OK)
        st = use_all(f);
    if (st == PSH_OK)
        st = psh_buffer_create(env, &b);
    if (st == PSH_OK)
        st = psh_forecaster_save(f, b);
    if (st == PSH_OK)
        st = psh_forecaster_load(env, schema, psh_buffer_data(b), psh_buffer_size(b), 0, &g, NULL);
    psh_forecaster_destroy(g);
    psh_buffer_destroy(b);
    psh_forecaster_destroy(f);
    psh_schema_unref(schema);
    return st;
}

static void out_of_memory(void **state) {
    (void)state;
    test_every_allocation(scenario, NULL);
}

/* A query or a key that fails for lack of memory leaves the state as it was. */
static void nothing_changes_on_failure(void **state) {
    unsigned char key[64] = { 9 };
    psh_buffer *before, *after;
    psh_status st;
    int64_t n, i;
    fixture x;

    (void)state;
    start(&x, 30);
    for (i = 0; i < 2; i++) {
        before = saved(x.env, x.f);
        for (n = 0, st = PSH_E_NOMEM; st == PSH_E_NOMEM; n++) {
            test_alloc_fail(&x.a, n, 1);
            st = i ? psh_forecaster_observe_key(x.f, &whole, key, sizeof key, 1, hour(34))
                   : ask_for(x.env, x.schema, x.f, 32);
            test_alloc_fail(&x.a, -1, 0);
            if (st != PSH_E_NOMEM)
                break;
            after = saved(x.env, x.f);
            assert_int_equal(psh_buffer_size(before), psh_buffer_size(after));
            assert_memory_equal(psh_buffer_data(before), psh_buffer_data(after), psh_buffer_size(after));
            psh_buffer_destroy(after);
        }
        assert_ok(st);
        assert_true(n > 2);
        psh_buffer_destroy(before);
    }
    shut(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_after_a_load),
        cmocka_unit_test(resealed_bytes_do_no_harm),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(nothing_changes_on_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
