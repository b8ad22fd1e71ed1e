/* SPDX-License-Identifier: MIT */
/* Hot series: their members, the network they share, the host's products, what is saved. */
#include "forecast/forecaster.h"
#include "load.h"

#define TENANTS 6

static int64_t hour(int64_t i) {
    return TEST_T0 + i * PSH_HOUR;
}

static psh_status feed(psh_forecaster *f, int64_t from, int64_t to) {
    psh_status st = PSH_OK;
    uint64_t seed = (uint64_t)from + 7, tenant;
    int64_t i;
    double x;

    for (i = from; st == PSH_OK && i < to; i++) {
        for (tenant = 1; st == PSH_OK && tenant <= TENANTS; tenant++) {
            x = test_rhythm(i, 20 * (double)tenant) * (1 + 0.05 * test_noise(&seed));
            st = test_write(f, hour(i), tenant, x > 0 ? (uint64_t)(x + 0.5) : 0);
        }
        do
            st = st >= 0 ? psh_forecaster_step(f, hour(i + 1), 64) : st;
        while (st == PSH_AGAIN);
    }
    return st;
}

static psh_forecaster_options small(void) {
    psh_forecaster_options o = { sizeof o };

    o.season_short = 6;
    o.season_long = 12;
    o.horizon = 8;
    o.max_hot = 4;
    o.network = 8;
    return o;
}

static void the_busiest_are_hot(void **state) {
    psh_forecaster_options o = small();
    psh_forecaster *f;
    psh_schema *schema;
    test_alloc a;
    psh_env *env = test_env(&a);
    size_t i, hot = 0;

    (void)state;
    schema = test_flights_schema(env);
    assert_ok(psh_forecaster_create(env, schema, &o, &f, NULL));
    assert_ok(feed(f, 0, 240));
    for (i = 0; i < f->store.count; i++) {
        const pshi_series *s = f->store.list[i];

        hot += s->hot != NULL;
        if (s->subject.kind == PSH_SUBJECT_TABLE)
            assert_non_null(s->hot);
        if (s->subject.kind == PSH_SUBJECT_TENANT && s->subject.id == 1)
            assert_null(s->hot);
        if (s->hot) {
            assert_non_null(s->hot->lags);
            assert_true(s->hot->count[1][1] > 4); /* lags were scored, */
            assert_true(s->hot->count[1][2] > 4); /* and the network */
        }
    }
    assert_true(hot >= 2 && hot <= 4);
    assert_int_equal(hot, f->store.hot);
    assert_true(pshi_lstm_steps(f->outlook.net) > 300);
    psh_forecaster_destroy(f);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void members_share_by_error(void **state) {
    psh_env *env = NULL;
    pshi_shape shape = { 0 };
    double said[PSHI_HOT_MEMBERS] = { 10, 20, -1 }, weight[PSHI_HOT_MEMBERS];
    pshi_hot *h;
    int i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    shape.pending = 2;
    shape.groups = 1;
    h = pshi_hot_create(env, &shape);
    assert_non_null(h);
    pshi_hot_weights(h, 0, said, weight);
    assert_true(weight[0] == 0.5 && weight[1] == 0.5 && weight[2] == 0);
    for (i = 0; i < 10; i++) {
        h->made[0] = 10;
        h->made[1] = 20;
        pshi_hot_score(h, 0, 0, 10);
    }
    pshi_hot_weights(h, 0, said, weight);
    assert_true(weight[0] > 0.99);
    assert_true(fabs(pshi_hot_combine(h, 0, said) - 10) < 0.1);
    pshi_hot_destroy(env, h);
    psh_env_destroy(env);
}

static psh_buffer *saved(psh_env *env, const psh_forecaster *f) {
    psh_buffer *b = NULL;

    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_forecaster_save(f, b));
    return b;
}

/* A loaded forecaster goes on exactly as the one that was saved, network and all. */
static void goes_on_after_a_load(void **state) {
    psh_forecaster_options o = small();
    psh_forecaster *f, *g;
    psh_buffer *a, *b;
    psh_schema *schema;
    psh_env *env = NULL;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    schema = test_flights_schema(env);
    assert_ok(psh_forecaster_create(env, schema, &o, &f, NULL));
    assert_ok(feed(f, 0, 120));
    assert_true(f->store.hot > 0);
    a = saved(env, f);
    assert_ok(psh_forecaster_load(env, schema, psh_buffer_data(a), psh_buffer_size(a), 0, &g, NULL));
    assert_int_equal(f->store.hot, g->store.hot);
    psh_buffer_destroy(a);
    assert_ok(feed(f, 120, 150));
    assert_ok(feed(g, 120, 150));
    a = saved(env, f);
    b = saved(env, g);
    assert_int_equal(psh_buffer_size(a), psh_buffer_size(b));
    assert_memory_equal(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a));
    psh_buffer_destroy(a);
    psh_buffer_destroy(b);
    psh_forecaster_destroy(f);
    psh_forecaster_destroy(g);
    psh_schema_unref(schema);
    psh_env_destroy(env);
}

static psh_status count_products(
    void *user, uint32_t flags, uint32_t m, uint32_t n, uint32_t k, const float *a, uint32_t lda, const float *b,
    uint32_t ldb, float *c, uint32_t ldc) {
    (void)flags, (void)m, (void)n, (void)k, (void)a, (void)lda, (void)b, (void)ldb, (void)c, (void)ldc;
    ++*(int *)user;
    return PSH_E_HOST; /* the built-in product is taken instead */
}

static void host_products(void **state) {
    psh_forecaster_options o = small();
    psh_gemm_host host = { sizeof host, PSH_GEMM_VERSION };
    psh_forecaster *f;
    psh_schema *schema;
    psh_env *env = NULL;
    int calls = 0;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    schema = test_flights_schema(env);
    host.user = &calls;
    host.gemm = count_products;
    assert_ok(psh_forecaster_create(env, schema, &o, &f, NULL));
    assert_ok(psh_forecaster_set_gemm(f, &host));
    assert_ok(feed(f, 0, 100));
    assert_true(calls > 10);
    assert_int_equal(psh_forecaster_set_gemm(NULL, &host), PSH_E_INVALID);
    psh_forecaster_destroy(f);
    o.network = 0;
    assert_ok(psh_forecaster_create(env, schema, &o, &f, NULL));
    assert_int_equal(psh_forecaster_set_gemm(f, &host), PSH_E_UNSUPPORTED);
    psh_forecaster_destroy(f);
    o.network = 9;
    assert_int_equal(psh_forecaster_create(env, schema, &o, &f, NULL), PSH_E_INVALID);
    psh_schema_unref(schema);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_busiest_are_hot),
        cmocka_unit_test(members_share_by_error),
        cmocka_unit_test(goes_on_after_a_load),
        cmocka_unit_test(host_products),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
