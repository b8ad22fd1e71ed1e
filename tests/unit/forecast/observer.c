/* SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "load.h"

static void bounded_and_drained(void **state) {
    psh_forecaster_stats s = { sizeof s };
    psh_write_record w = { sizeof w };
    psh_query_record r = { sizeof r };
    psh_observer *one, *two;
    psh_forecaster *f;
    psh_schema *schema;
    psh_query *q;
    test_alloc a;
    psh_env *env = test_env(&a);

    (void)state;
    schema = test_flights_schema(env);
    assert_ok(psh_forecaster_create(env, schema, NULL, &f, NULL));
    assert_int_equal(psh_observer_create(f, (1u << 20) + 1, &one), PSH_E_INVALID);
    assert_ok(psh_observer_create(f, 2, &one));
    assert_ok(psh_observer_create(f, 0, &two));
    w.time = TEST_T0;
    w.rows = 3;
    w.tenant = 4;
    assert_ok(psh_observer_write(one, &w));
    assert_ok(test_query(env, schema, "ATL", TEST_T0, TEST_T0 + PSH_DAY, &q));
    r.query = q;
    r.time = TEST_T0;
    r.weight = 1;
    assert_ok(psh_observer_query(one, &r));
    assert_int_equal(psh_observer_write(one, &w), PSH_E_LIMIT);
    assert_int_equal(psh_observer_shed(one), 1);
    w.rows = 0;
    assert_int_equal(psh_observer_write(one, &w), PSH_E_INVALID);
    psh_query_unref(q);
    assert_ok(psh_forecaster_step(f, TEST_T0, 1));
    assert_ok(psh_forecaster_get_stats(f, &s));
    assert_int_equal(s.observed, 2);
    assert_int_equal(s.tenants, 1);
    assert_int_equal(psh_forecaster_template_count(f), 1);
    w.rows = 1;
    assert_ok(psh_observer_write(one, &w)); /* lost with its observer */
    psh_observer_destroy(one);
    psh_observer_destroy(two);
    psh_forecaster_destroy(f);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

#define RECORDS 20000

typedef struct producer {
    psh_observer *o;
    psh_query *q;
    uint64_t taken;
} producer;

static void *produce(void *arg) {
    producer *p = arg;
    psh_write_record w = { sizeof w };
    psh_query_record r = { sizeof r };
    int i;

    w.time = TEST_T0;
    w.rows = 1;
    r.query = p->q;
    r.time = TEST_T0;
    r.weight = 1;
    for (i = 0; i < RECORDS; i++)
        p->taken += (i % 4 ? psh_observer_write(p->o, &w) : psh_observer_query(p->o, &r)) == PSH_OK;
    return NULL;
}

/* Two threads observe while the third drains: all that was taken is counted, once. */
static void threads(void **state) {
    psh_forecaster_stats s = { sizeof s };
    producer p[2] = { { 0 } };
    psh_forecaster *f;
    psh_schema *schema;
    pthread_t t[2];
    psh_env *env;
    int i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    schema = test_flights_schema(env);
    assert_ok(psh_forecaster_create(env, schema, NULL, &f, NULL));
    for (i = 0; i < 2; i++) {
        assert_ok(psh_observer_create(f, 64, &p[i].o));
        assert_ok(test_query(env, schema, "ATL", TEST_T0, TEST_T0 + PSH_DAY, &p[i].q));
        assert_int_equal(pthread_create(&t[i], NULL, produce, &p[i]), 0);
    }
    for (i = 0; i < 2000; i++)
        assert_ok(psh_forecaster_step(f, TEST_T0, 1));
    for (i = 0; i < 2; i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
    assert_ok(psh_forecaster_step(f, TEST_T0, 1));
    assert_ok(psh_forecaster_get_stats(f, &s));
    assert_int_equal(s.observed, p[0].taken + p[1].taken);
    for (i = 0; i < 2; i++) {
        assert_int_equal(psh_observer_shed(p[i].o), RECORDS - p[i].taken);
        psh_observer_destroy(p[i].o);
        psh_query_unref(p[i].q);
    }
    psh_forecaster_destroy(f);
    psh_schema_unref(schema);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounded_and_drained),
        cmocka_unit_test(threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
