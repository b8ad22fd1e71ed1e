/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "load.h"

typedef struct fixture {
    psh_env *env;
    psh_schema *schema;
    psh_forecaster *f;
} fixture;

static int64_t hour(int64_t i) {
    return TEST_T0 + i * PSH_HOUR;
}

/* Small seasons, so that every byte can be tried. */
static const psh_forecaster_options small = { sizeof small, 0, PSH_HOUR, 4, 8, 6, 4, 4, 16, 0, PSH_HOUR };

static psh_status feed(fixture *x, psh_forecaster *f, int64_t from, int64_t to, uint64_t seed) {
    psh_label label = { "kind", "load" };
    psh_query *q = NULL;
    psh_status st = PSH_OK;
    int64_t i;

    for (i = from; st == PSH_OK && i < to; i++) {
        uint64_t tenant = 1 + (uint64_t)(pshi_rng_unit(&seed) * 3);

        st = test_write_label(f, hour(i), tenant, 1 + (uint64_t)(i % 5), i % 3 ? NULL : &label);
        if (st == PSH_OK)
            st = test_query(x->env, x->schema, "ATL", hour(i - 24), hour(i), &q);
        if (st == PSH_OK)
            st = test_ask(f, q, hour(i), 1);
        psh_query_unref(q);
        q = NULL;
        if (st == PSH_OK)
            st = psh_forecaster_step(f, hour(i + 1), 1);
        st = st == PSH_AGAIN ? PSH_OK : st;
    }
    return st;
}

static void start(fixture *x, psh_env *env, const psh_forecaster_options *o) {
    x->env = env;
    x->schema = test_flights_schema(env);
    assert_ok(psh_forecaster_create(env, x->schema, o, &x->f, NULL));
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

static void round_trip(fixture *x) {
    psh_buffer *b = saved(x->env, x->f);
    psh_forecaster *g;

    assert_ok(psh_forecaster_load(
        x->env, x->schema, psh_buffer_data(b), psh_buffer_size(b), 0, &g, NULL));
    psh_buffer_destroy(b);
    assert_same_bytes(x->env, x->f, g);
    assert_ok(feed(x, x->f, 200, 230, 9));
    assert_ok(feed(x, g, 200, 230, 9));
    assert_same_bytes(x->env, x->f, g); /* it goes on as if nothing had happened */
    psh_forecaster_destroy(g);
}

static void shut(fixture *x, test_alloc *a) {
    psh_forecaster_destroy(x->f);
    psh_schema_unref(x->schema);
    psh_env_destroy(x->env);
    assert_int_equal(a->live, 0);
}

static void loads_what_it_saved(void **state) {
    test_alloc a;
    fixture x;

    (void)state;
    start(&x, test_env(&a), NULL);
    round_trip(&x); /* empty, then a first 30 hours from 200 on */
    shut(&x, &a);
    start(&x, test_env(&a), &small);
    assert_ok(feed(&x, x.f, 0, 200, 3));
    round_trip(&x);
    shut(&x, &a);
}

static void same_calls_same_bytes(void **state) {
    test_alloc a, b;
    fixture x, y;

    (void)state;
    start(&x, test_env(&a), &small);
    start(&y, test_env(&b), &small);
    assert_ok(feed(&x, x.f, 0, 60, 3));
    assert_ok(feed(&y, y.f, 0, 60, 3));
    assert_same_bytes(x.env, x.f, y.f);
    shut(&y, &b);
    shut(&x, &a);
}

static void every_flip_is_found(void **state) {
    psh_forecaster *g;
    unsigned char *p;
    psh_buffer *b;
    test_alloc a;
    fixture x;
    size_t i, n;

    (void)state;
    start(&x, test_env(&a), &small);
    assert_ok(feed(&x, x.f, 0, 30, 3));
    b = saved(x.env, x.f);
    n = psh_buffer_size(b);
    p = malloc(n);
    assert_non_null(p);
    memcpy(p, psh_buffer_data(b), n);
    for (i = 0; i < n; i++) {
        p[i] ^= 0x41;
        assert_true(psh_forecaster_load(x.env, x.schema, p, n, 0, &g, NULL) < 0);
        assert_null(g);
        p[i] ^= 0x41;
    }
    for (i = 0; i < n; i += 97)
        assert_true(psh_forecaster_load(x.env, x.schema, p, i, 0, &g, NULL) < 0);
    assert_int_equal(psh_forecaster_load(x.env, x.schema, p, n, 100, &g, NULL), PSH_E_LIMIT);
    free(p);
    psh_buffer_destroy(b);
    shut(&x, &a);
}

static psh_status use_all(fixture *x) {
    psh_subject subject = { PSH_SUBJECT_TABLE, 0, 0 };
    psh_demand_request r = { sizeof r };
    psh_template_info info;
    psh_observer *o = NULL;
    psh_forecast *fc = NULL;
    psh_demand *d = NULL;
    psh_forecaster *g = NULL;
    psh_buffer *b = NULL;
    psh_status st;

    r.now = r.from = hour(9);
    r.to = hour(12);
    st = psh_forecaster_create(x->env, x->schema, &small, &x->f, NULL);
    if (st == PSH_OK)
        st = psh_observer_create(x->f, 4, &o);
    if (st == PSH_OK)
        st = feed(x, x->f, 0, 9, 3);
    if (st == PSH_OK)
        st = psh_forecaster_forecast(x->f, &subject, hour(9), 3, &fc, NULL);
    if (st == PSH_OK)
        st = psh_forecaster_demand(x->f, &r, &d, NULL);
    if (st == PSH_OK)
        st = psh_forecaster_template(x->f, 0, &info);
    if (st == PSH_OK)
        st = psh_buffer_create(x->env, &b);
    if (st == PSH_OK)
        st = psh_forecaster_save(x->f, b);
    if (st == PSH_OK)
        st = psh_forecaster_load(x->env, x->schema, psh_buffer_data(b), psh_buffer_size(b), 0, &g, NULL);
    psh_forecaster_destroy(g);
    psh_buffer_destroy(b);
    psh_demand_unref(d);
    psh_forecast_unref(fc);
    psh_observer_destroy(o);
    psh_forecaster_destroy(x->f);
    return st;
}

static psh_status scenario(psh_env *env, void *user) {
    uint32_t key[] = { 0, 1, 2 };
    psh_column_spec columns[] = { { "origin", PSH_TYPE_TEXT, 0, 0, 0 }, { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
                                  { "seq", PSH_TYPE_INT64, 0, 0, 0 } };
    psh_table_spec table = { "flights", columns, 3, sizeof *columns, key, 3, 0, 1, PSH_DAY, 0 };
    fixture x = { env, NULL, NULL };
    psh_status st = psh_schema_create(env, &table, 1, sizeof table, &x.schema, NULL);

    (void)user;
    if (st == PSH_OK)
        st = use_all(&x);
    psh_schema_unref(x.schema);
    return st;
}

static void out_of_memory(void **state) {
    (void)state;
    test_every_allocation(scenario, NULL);
}

/* A record that fails for lack of memory leaves nothing behind, and counts when it comes again. */
static void nothing_changes_on_failure(void **state) {
    psh_forecaster_stats s = { sizeof s };
    psh_buffer *before, *after;
    psh_status st = PSH_E_NOMEM;
    test_alloc a;
    fixture x;
    int64_t n;

    (void)state;
    start(&x, test_env(&a), &small);
    before = saved(x.env, x.f);
    for (n = 0; st == PSH_E_NOMEM; n++) {
        test_alloc_fail(&a, n, 1);
        st = test_write(x.f, hour(0), 1, 5);
        test_alloc_fail(&a, -1, 0);
        if (st != PSH_E_NOMEM)
            break;
        after = saved(x.env, x.f);
        assert_int_equal(psh_buffer_size(before), psh_buffer_size(after));
        assert_memory_equal(psh_buffer_data(before), psh_buffer_data(after), psh_buffer_size(after));
        psh_buffer_destroy(after);
    }
    assert_ok(st);
    assert_true(n > 2);
    assert_ok(psh_forecaster_get_stats(x.f, &s));
    assert_int_equal(s.observed, 1);
    assert_int_equal(s.series, 2);
    psh_buffer_destroy(before);
    shut(&x, &a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_what_it_saved),
        cmocka_unit_test(same_calls_same_bytes),
        cmocka_unit_test(every_flip_is_found),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(nothing_changes_on_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
