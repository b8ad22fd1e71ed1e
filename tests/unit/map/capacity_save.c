/* SPDX-License-Identifier: MIT */
#include "test.h"

#define STEP (5 * PSH_MINUTE)

static double load_of(uint32_t i) {
    return (double)(i * 7919 % 101) / 20 + (i % 288 > 100 ? 3 : 0);
}

static psh_status advance(psh_env *env, psh_capacity *c, uint32_t from, uint32_t to, psh_capacity_decision *d) {
    double mean[12], levels[2] = { 0.5, 0.9 }, q[24];
    psh_forecast_spec s = { .struct_size = sizeof s, .subject = { PSH_SUBJECT_TABLE, 0, 0 }, .steps = 12 };
    psh_forecast *f;
    psh_status st = PSH_OK;
    uint32_t i, k;

    s.step_ns = STEP;
    s.mean = mean;
    s.levels = levels;
    s.level_count = 2;
    s.quantiles = q;
    for (i = from; st == PSH_OK && i < to; i++) {
        for (k = 0; k < 12; k++) {
            q[2 * k] = mean[k] = load_of(i + 1 + k);
            q[2 * k + 1] = mean[k] + 1;
        }
        s.from = s.made_at = TEST_T0 + (int64_t)(i + 1) * STEP;
        st = psh_forecast_create(env, &s, &f, NULL);
        if (st != PSH_OK)
            return st;
        st = psh_capacity_observe(c, TEST_T0 + (int64_t)i * STEP, load_of(i));
        if (st == PSH_OK)
            st = psh_capacity_decide(c, s.from, f, d, NULL, NULL);
        psh_forecast_unref(f);
    }
    return st;
}

static psh_capacity *sample(psh_env *env, double move_cost, uint32_t steps) {
    psh_capacity_decision d = { .struct_size = sizeof d };
    psh_capacity_options o;
    psh_capacity *c;

    assert_ok(psh_capacity_options_init(&o, sizeof o));
    o.horizon_steps = 12;
    o.lead_ns = 10 * PSH_MINUTE;
    o.move_cost = move_cost;
    assert_ok(psh_capacity_create(env, &o, &c, NULL));
    assert_ok(advance(env, c, 0, steps, &d));
    return c;
}

static void assert_same_bytes(psh_env *env, const psh_capacity *x, const psh_capacity *y) {
    psh_buffer *a, *b;

    assert_ok(psh_buffer_create(env, &a));
    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_capacity_save(x, a));
    assert_ok(psh_capacity_save(y, b));
    assert_int_equal(psh_buffer_size(a), psh_buffer_size(b));
    assert_memory_equal(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a));
    psh_buffer_destroy(a);
    psh_buffer_destroy(b);
}

static void a_loaded_planner_goes_on_alike(void **state) {
    static const uint32_t lengths[] = { 0, 1, 5, 700, 2500 }; /* the last: older loads than are kept */
    psh_capacity_decision d = { .struct_size = sizeof d }, e = { .struct_size = sizeof e };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_capacity *c, *copy;
    psh_buffer *b;
    size_t i;

    (void)state;
    assert_ok(psh_buffer_create(env, &b));
    for (i = 0; i < 5; i++) {
        c = sample(env, i % 2 ? 0.02 : 0, lengths[i]);
        psh_buffer_clear(b);
        assert_ok(psh_capacity_save(c, b));
        assert_ok(psh_capacity_load(env, psh_buffer_data(b), psh_buffer_size(b), 0, &copy, NULL));
        assert_same_bytes(env, c, copy);
        assert_ok(advance(env, c, lengths[i], lengths[i] + 60, &d));
        assert_ok(advance(env, copy, lengths[i], lengths[i] + 60, &e));
        assert_memory_equal(&d, &e, sizeof d);
        assert_same_bytes(env, c, copy);
        psh_capacity_destroy(copy);
        psh_capacity_destroy(c);
    }
    assert_int_equal(
        psh_capacity_load(env, psh_buffer_data(b), psh_buffer_size(b), 4096, &copy, NULL), PSH_E_LIMIT);
    assert_null(copy);
    psh_buffer_destroy(b);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static void damage_is_found(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_capacity *c = sample(env, 0, 12), *copy;
    unsigned char *bytes;
    psh_buffer *b;
    size_t size, i;

    (void)state;
    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_capacity_save(c, b));
    size = psh_buffer_size(b);
    bytes = test_malloc(size);
    memcpy(bytes, psh_buffer_data(b), size);
    for (i = 0; i < size; i++) {
        bytes[i] ^= 0x20;
        assert_true(psh_capacity_load(env, bytes, size, 0, &copy, NULL) < 0);
        assert_null(copy);
        bytes[i] ^= 0x20;
        assert_true(psh_capacity_load(env, bytes, i, 0, &copy, NULL) < 0);
    }
    test_free(bytes);
    psh_capacity_destroy(c);
    psh_buffer_destroy(b);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static psh_status life(psh_env *env, void *user) {
    psh_capacity_decision d = { .struct_size = sizeof d };
    psh_capacity_options o;
    psh_capacity *c = NULL, *copy = NULL;
    psh_buffer *b = NULL;
    psh_status st;

    (void)user;
    assert_ok(psh_capacity_options_init(&o, sizeof o));
    o.horizon_steps = 12;
    st = psh_capacity_create(env, &o, &c, NULL);
    if (st == PSH_OK)
        st = advance(env, c, 0, 10, &d);
    if (st == PSH_OK)
        st = psh_buffer_create(env, &b);
    if (st == PSH_OK)
        st = psh_capacity_explain(c, b);
    if (st == PSH_OK)
        psh_buffer_clear(b);
    if (st == PSH_OK)
        st = psh_capacity_save(c, b);
    if (st == PSH_OK)
        st = psh_capacity_load(env, psh_buffer_data(b), psh_buffer_size(b), 0, &copy, NULL);
    psh_capacity_destroy(copy);
    psh_capacity_destroy(c);
    psh_buffer_destroy(b);
    return st;
}

static void memory_may_fail_anywhere(void **state) {
    (void)state;
    test_every_allocation(life, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_planner_goes_on_alike),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(memory_may_fail_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
