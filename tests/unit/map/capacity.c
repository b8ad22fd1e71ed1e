/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "test.h"

#define STEP (5 * PSH_MINUTE)
#define LEAD 6u
#define DAY_STEPS 288u
#define AHEAD 12u
#define PI 3.14159265358979

typedef double (*load_at)(uint32_t step, uint64_t *rng);

static double uniform(uint64_t *rng) {
    *rng = *rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*rng >> 11) * 0x1p-53;
}

/* A steep day: within the lead it can rise threefold. */
static double daily(uint32_t step, uint64_t *rng) {
    double at = (double)(step % DAY_STEPS) / DAY_STEPS;

    return (at > 0.35 && at < 0.7 ? 6.5 : 1.2) + 0.2 * uniform(rng) + 0.3 * sin(2 * PI * at);
}

static double walk_value;
static double walk(uint32_t step, uint64_t *rng) {
    (void)step;
    walk_value = fmin(fmax(walk_value + 0.1 * (uniform(rng) - 0.5), 0.2), 2.2);
    return exp(walk_value);
}

static uint32_t burst_until;
static double bursts(uint32_t step, uint64_t *rng) {
    if (uniform(rng) < 0.004)
        burst_until = step + (uint32_t)(uniform(rng) * 12);
    return step < burst_until ? 5 : 1.1 + 0.1 * uniform(rng);
}

static double idle(uint32_t step, uint64_t *rng) {
    (void)step;
    (void)rng;
    return 0;
}

enum { NONE, TRUE_FUTURE, NOISE };

static psh_forecast *foresee(psh_env *env, const double *load, uint32_t n, uint32_t from, int how, uint64_t *rng) {
    double mean[AHEAD];
    psh_forecast_spec s = { .struct_size = sizeof s, .subject = { PSH_SUBJECT_TABLE, 0, 0 }, .steps = AHEAD };
    psh_forecast *f;
    uint32_t i;

    if (how == NONE)
        return NULL;
    for (i = 0; i < AHEAD; i++)
        mean[i] = how == NOISE ? 10 * uniform(rng) : load[from + i < n ? from + i : n - 1];
    s.from = s.made_at = TEST_T0 + (int64_t)from * STEP;
    s.step_ns = STEP;
    s.mean = mean;
    assert_ok(psh_forecast_create(env, &s, &f, NULL));
    return f;
}

static double bill(double load, double nodes, double price) {
    return nodes / 12 + (load > nodes ? 5 * price : 0);
}

/* Cost of one run, its first quarter not counted. @param predicted  share of steps, out */
static double run(psh_env *env, const double *load, uint32_t n, double price, int how, double *predicted) {
    psh_capacity_decision d = { .struct_size = sizeof d };
    uint64_t rng = 99;
    uint32_t nodes[LEAD + 1], i;
    psh_capacity_options o;
    double cost = 0, hits = 0;
    psh_capacity *c;
    psh_forecast *f;

    assert_ok(psh_capacity_options_init(&o, sizeof o));
    o.violation_cost = price;
    o.horizon_steps = AHEAD;
    assert_ok(psh_capacity_create(env, &o, &c, NULL));
    for (i = 0; i <= LEAD; i++)
        nodes[i] = 1;
    for (i = 0; i < n; i++) {
        cost += i >= n / 4 ? bill(load[i], nodes[i % (LEAD + 1)], price) : 0;
        assert_ok(psh_capacity_observe(c, TEST_T0 + (int64_t)i * STEP, load[i]));
        f = foresee(env, load, n, i + 1, how, &rng);
        assert_ok(psh_capacity_decide(c, TEST_T0 + (int64_t)(i + 1) * STEP, f, &d, NULL, NULL));
        psh_forecast_unref(f);
        assert_int_equal(d.effective_at, TEST_T0 + (int64_t)(i + 1) * STEP + 30 * PSH_MINUTE);
        assert_int_equal(d.nodes_now, nodes[(i + 1) % (LEAD + 1)]);
        hits += d.policy == PSH_CAPACITY_PREDICTIVE;
        nodes[i % (LEAD + 1)] = d.nodes; /* of step i + 1 + LEAD */
    }
    *predicted = hits / n;
    psh_capacity_destroy(c);
    return cost;
}

static void make_load(load_at law, double *load, uint32_t n) {
    uint64_t rng = 7;
    uint32_t i;

    walk_value = 1;
    burst_until = 0;
    for (i = 0; i < n; i++)
        load[i] = law(i, &rng);
}

#define DAYS 16u
static double loads[DAYS * DAY_STEPS];

static void a_true_forecast_is_followed_and_pays(void **state) {
    double reactive, ours, share, none;
    test_alloc alloc;
    psh_env *env = test_env(&alloc);

    (void)state;
    make_load(daily, loads, DAYS * DAY_STEPS);
    reactive = run(env, loads, DAYS * DAY_STEPS, 1, NONE, &none);
    ours = run(env, loads, DAYS * DAY_STEPS, 1, TRUE_FUTURE, &share);
    assert_true(none <= 0);
    assert_true(share > 0.9);
    assert_true(ours < 0.75 * reactive);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

/* Forecasts of nothing, on loads without any law: never worse than reacting by more than a hundredth. */
static void noise_costs_little(void **state) {
    static const load_at laws[] = { walk, bursts, idle };
    static const double prices[] = { 0.2, 1, 5 };
    double reactive, ours, share;
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    uint32_t i, k;

    (void)state;
    for (i = 0; i < 3; i++) {
        make_load(laws[i], loads, DAYS * DAY_STEPS);
        for (k = 0; k < 3; k++) {
            reactive = run(env, loads, DAYS * DAY_STEPS, prices[k], NONE, &share);
            ours = run(env, loads, DAYS * DAY_STEPS, prices[k], NOISE, &share);
            assert_true(ours <= 1.01 * reactive);
        }
    }
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static psh_capacity *make(psh_env *env, double move_cost) {
    psh_capacity_options o;
    psh_capacity *c;

    assert_ok(psh_capacity_options_init(&o, sizeof o));
    o.move_cost = move_cost;
    o.horizon_steps = AHEAD;
    assert_ok(psh_capacity_create(env, &o, &c, NULL));
    return c;
}

/* What a schedule says of steps in flight is what was ordered for them. */
static void a_schedule_begins_with_what_was_ordered(void **state) {
    psh_capacity_decision d = { .struct_size = sizeof d };
    uint32_t schedule[AHEAD], ordered[600], i, k, moves;
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_capacity *c;
    psh_forecast *f;
    uint64_t rng = 3;

    (void)state;
    make_load(daily, loads, 600);
    for (moves = 0; moves < 2; moves++) {
        c = make(env, moves ? 0.05 : 0);
        for (i = 0; i < 500; i++) {
            assert_ok(psh_capacity_observe(c, TEST_T0 + (int64_t)i * STEP, loads[i]));
            f = foresee(env, loads, 600, i + 1, i % 50 ? TRUE_FUTURE : NONE, &rng);
            assert_ok(psh_capacity_decide(c, TEST_T0 + (int64_t)(i + 1) * STEP, f, &d, schedule, NULL));
            psh_forecast_unref(f);
            ordered[i + 1 + LEAD] = d.nodes;
            assert_int_equal(schedule[LEAD], d.nodes);
            for (k = 0; k < LEAD; k++)
                assert_int_equal(schedule[k], i + 1 + k > LEAD ? ordered[i + 1 + k] : 1);
            for (k = LEAD; k < AHEAD; k++)
                assert_in_range(schedule[k], 1, 1024);
        }
        psh_capacity_destroy(c);
    }
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static uint32_t count_moves(psh_env *env, double move_cost) {
    psh_capacity_decision d = { .struct_size = sizeof d };
    psh_capacity *c = make(env, move_cost);
    uint32_t i, before = 1, moves = 0;
    psh_forecast *f;
    uint64_t rng = 3;

    for (i = 0; i < 6 * DAY_STEPS; i++) {
        assert_ok(psh_capacity_observe(c, TEST_T0 + (int64_t)i * STEP, loads[i]));
        f = foresee(env, loads, 6 * DAY_STEPS, i + 1, TRUE_FUTURE, &rng);
        assert_ok(psh_capacity_decide(c, TEST_T0 + (int64_t)(i + 1) * STEP, f, &d, NULL, NULL));
        psh_forecast_unref(f);
        moves += d.nodes > before ? d.nodes - before : before - d.nodes;
        before = d.nodes;
    }
    psh_capacity_destroy(c);
    return moves;
}

static void dear_moves_are_fewer(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    uint32_t free_moves, dear_moves;

    (void)state;
    make_load(walk, loads, 6 * DAY_STEPS);
    free_moves = count_moves(env, 0);
    dear_moves = count_moves(env, 0.5);
    assert_true(dear_moves > 0);
    assert_true(dear_moves < free_moves);
    psh_env_destroy(env);
}

static void a_gap_is_steps_without_load(void **state) {
    psh_capacity_decision a = { .struct_size = sizeof a }, b = { .struct_size = sizeof b };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_capacity *gap = make(env, 0), *zeros = make(env, 0);
    uint32_t i;

    (void)state;
    for (i = 0; i < 100; i++) {
        if (i < 40 || i >= 70)
            assert_ok(psh_capacity_observe(gap, TEST_T0 + (int64_t)i * STEP, 3));
        assert_ok(psh_capacity_observe(zeros, TEST_T0 + (int64_t)i * STEP, i < 40 || i >= 70 ? 3 : 0));
    }
    assert_ok(psh_capacity_decide(gap, TEST_T0 + 100 * STEP, NULL, &a, NULL, NULL));
    assert_ok(psh_capacity_decide(zeros, TEST_T0 + 100 * STEP, NULL, &b, NULL, NULL));
    assert_memory_equal(&a, &b, sizeof a);
    assert_ok(psh_capacity_observe(gap, TEST_T0 + 400 * PSH_DAY, 3)); /* longer than is filled */
    psh_capacity_destroy(gap);
    psh_capacity_destroy(zeros);
    psh_env_destroy(env);
}

static void check_refused(psh_env *env, const psh_capacity_options *o, psh_status st, const char *field) {
    psh_error err = { .struct_size = sizeof err };
    psh_capacity *c;

    assert_int_equal(psh_capacity_create(env, o, &c, &err), st);
    assert_null(c);
    assert_string_equal(err.field, field);
}

#define REFUSED(field, value, status) \
    do { \
        assert_ok(psh_capacity_options_init(&o, sizeof o)); \
        o.field = (value); \
        check_refused(env, &o, status, #field); \
    } while (0)

static void options_out_of_range_are_named(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_capacity_options o;

    (void)state;
    REFUSED(flags, 1, PSH_E_UNSUPPORTED);
    REFUSED(reserved, 1, PSH_E_UNSUPPORTED);
    REFUSED(step_ns, 0, PSH_E_INVALID);
    REFUSED(lead_ns, -1, PSH_E_INVALID);
    REFUSED(lead_ns, PSH_DAY * 400, PSH_E_INVALID);
    REFUSED(node_load, 0, PSH_E_INVALID);
    REFUSED(node_load, (double)NAN, PSH_E_INVALID);
    REFUSED(violation_cost, 0, PSH_E_INVALID);
    REFUSED(violation_cost, HUGE_VAL, PSH_E_INVALID);
    REFUSED(move_cost, -1, PSH_E_INVALID);
    REFUSED(min_nodes, 0, PSH_E_INVALID);
    REFUSED(max_nodes, 0, PSH_E_INVALID);
    REFUSED(max_nodes, 65537, PSH_E_INVALID);
    REFUSED(horizon_steps, 0, PSH_E_INVALID);
    REFUSED(horizon_steps, LEAD, PSH_E_INVALID);
    REFUSED(memory_ns, 0, PSH_E_INVALID);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static void bad_calls_change_nothing(void **state) {
    psh_capacity_decision d = { .struct_size = sizeof d };
    const double bad[] = { -1, (double)NAN, HUGE_VAL, 0x1p101 };
    psh_error err = { .struct_size = sizeof err };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_capacity *c = make(env, 0);
    psh_forecast_spec s = { .struct_size = sizeof s, .subject = { PSH_SUBJECT_TABLE, 0, 0 }, .steps = 1 };
    psh_buffer *before, *after;
    double one = 1;
    psh_forecast *f;
    size_t i;

    (void)state;
    assert_ok(psh_buffer_create(env, &before));
    assert_ok(psh_buffer_create(env, &after));
    assert_ok(psh_capacity_observe(c, TEST_T0, 2));
    assert_ok(psh_capacity_save(c, before));
    for (i = 0; i < 4; i++)
        assert_int_equal(psh_capacity_observe(c, TEST_T0 + STEP, bad[i]), PSH_E_INVALID);
    assert_int_equal(psh_capacity_observe(c, TEST_T0, 1), PSH_E_TIME);
    assert_int_equal(psh_capacity_observe(c, PSH_TIME_NONE, 1), PSH_E_TIME);
    assert_int_equal(psh_capacity_observe(c, PSH_TIME_MAX, 1), PSH_E_TIME);
    assert_int_equal(psh_capacity_observe_parts(c, TEST_T0 + STEP, &one, 0), PSH_E_INVALID);
    assert_int_equal(psh_capacity_decide(c, TEST_T0, NULL, &d, NULL, &err), PSH_E_TIME);
    assert_int_equal(psh_capacity_decide(c, TEST_T0 + STEP, NULL, NULL, NULL, &err), PSH_E_INVALID);
    s.from = s.made_at = TEST_T0 + STEP;
    s.step_ns = PSH_MINUTE;
    s.mean = &one;
    assert_ok(psh_forecast_create(env, &s, &f, NULL));
    assert_int_equal(psh_capacity_decide(c, TEST_T0 + STEP, f, &d, NULL, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "forecast");
    psh_forecast_unref(f);
    s.from = TEST_T0 + 2 * STEP;
    s.step_ns = STEP;
    assert_ok(psh_forecast_create(env, &s, &f, NULL));
    assert_int_equal(psh_capacity_decide(c, TEST_T0 + STEP, f, &d, NULL, &err), PSH_E_INVALID);
    psh_forecast_unref(f);
    assert_ok(psh_capacity_save(c, after));
    assert_int_equal(psh_buffer_size(before), psh_buffer_size(after));
    assert_memory_equal(psh_buffer_data(before), psh_buffer_data(after), psh_buffer_size(before));
    psh_buffer_destroy(before);
    psh_buffer_destroy(after);
    psh_capacity_destroy(c);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

/* The widest loads and units, and a planner asked before it saw anything. */
static void extremes_stay_finite(void **state) {
    static const double units[] = { 0x1p-100, 1, 0x1p100 };
    static const double steps[] = { 0, 0x1p100, 0x1p-100, 1 };
    psh_capacity_decision d = { .struct_size = sizeof d };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_capacity_options o;
    psh_capacity *c;
    uint32_t i, k;

    (void)state;
    for (k = 0; k < 3; k++) {
        assert_ok(psh_capacity_options_init(&o, sizeof o));
        o.node_load = units[k];
        o.violation_cost = units[k];
        o.move_cost = k == 1 ? 0x1p100 : 0;
        assert_ok(psh_capacity_create(env, &o, &c, NULL));
        assert_ok(psh_capacity_decide(c, TEST_T0, NULL, &d, NULL, NULL));
        assert_int_equal(d.nodes, 1);
        for (i = 0; i < 60; i++) {
            assert_ok(psh_capacity_observe(c, TEST_T0 + (int64_t)i * STEP, steps[i * 7 / 5 % 4]));
            assert_ok(psh_capacity_decide(c, TEST_T0 + (int64_t)(i + 1) * STEP, NULL, &d, NULL, NULL));
            assert_in_range(d.nodes, 1, 1024);
            assert_true(isfinite(d.reactive_cost) && isfinite(d.predictive_cost));
            assert_true(isfinite(d.expected_load) && isfinite(d.upper_load));
        }
        psh_capacity_destroy(c);
    }
    psh_env_destroy(env);
}

static void it_explains_itself(void **state) {
    psh_capacity_decision d = { .struct_size = sizeof d };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_capacity *c = make(env, 0);
    psh_buffer *b;

    (void)state;
    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_capacity_explain(c, b));
    assert_string_equal(psh_buffer_data(b), "nothing decided yet");
    psh_buffer_clear(b);
    assert_ok(psh_capacity_observe(c, TEST_T0, 2.5));
    assert_ok(psh_capacity_decide(c, TEST_T0 + STEP, NULL, &d, NULL, NULL));
    assert_int_equal(d.policy, PSH_CAPACITY_REACTIVE);
    assert_ok(psh_capacity_explain(c, b));
    assert_string_equal(
        psh_buffer_data(b),
        "2 nodes at 2001-01-01T00:35:00Z, now 1: reactive, load 2.50, for up to 2.00; following predictions cost "
        "0.00 node-hours, the best reactive policy (0.80 times the largest load of 300 s) 0.00");
    psh_buffer_destroy(b);
    psh_capacity_destroy(c);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_true_forecast_is_followed_and_pays),
        cmocka_unit_test(noise_costs_little),
        cmocka_unit_test(a_schedule_begins_with_what_was_ordered),
        cmocka_unit_test(dear_moves_are_fewer),
        cmocka_unit_test(a_gap_is_steps_without_load),
        cmocka_unit_test(options_out_of_range_are_named),
        cmocka_unit_test(bad_calls_change_nothing),
        cmocka_unit_test(extremes_stay_finite),
        cmocka_unit_test(it_explains_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
