/* SPDX-License-Identifier: MIT */
/* The inside of the planner of node counts, each piece against what it must be by brute force. */
#include <math.h>

#include "map/capacity.h"
#include "test.h"

#define STEPS 4u
#define MOST_NODES 6u

static uint64_t state_of_rng;

static double uniform(void) {
    state_of_rng = state_of_rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(state_of_rng >> 11) * 0x1p-53;
}

static psh_capacity *make(psh_env *env, double move_cost, uint32_t most) {
    psh_capacity_options o;
    psh_capacity *c;

    assert_ok(psh_capacity_options_init(&o, sizeof o));
    o.lead_ns = 0;
    o.horizon_steps = STEPS;
    o.max_nodes = most;
    o.move_cost = move_cost;
    o.violation_cost = 0.05;
    assert_ok(psh_capacity_create(env, &o, &c, NULL));
    return c;
}

static void fill_errors(psh_capacity *c) {
    uint32_t i, k, b;

    for (i = 0; i < PSHI_CAP_PREDICTORS; i++)
        for (k = 0; k <= PSHI_CAP_CLASSES; k++)
            for (c->errors[i].total[k] = c->errors[i].fresh[k] = 0, b = 0; b < PSHI_CAP_BINS; b++) {
                c->errors[i].bin[k][b] = uniform() < 0.2 ? uniform() : 0;
                c->errors[i].total[k] += c->errors[i].bin[k][b];
            }
    pshi_cap_refresh(c);
}

static void random_view(pshi_cap_view *v) {
    memset(v, 0, sizeof *v);
    v->predictor = (uint32_t)(uniform() * PSHI_CAP_QUANTILES);
    v->class_of = (uint32_t)(uniform() * PSHI_CAP_CLASSES);
    v->point = pshi_cap_log(uniform() * 6) - 1.5;
}

static double cost_of(const psh_capacity *c, const pshi_cap_task *t, const uint32_t *nodes) {
    double sum = 0, minutes = 60 * pshi_cap_step_hours(c);
    uint32_t i, before = t->before;

    for (i = 0; i < t->steps; i++) {
        sum += nodes[i] * pshi_cap_step_hours(c) + c->o.move_cost * fabs((double)nodes[i] - before);
        sum += t->price * c->o.violation_cost * minutes * pshi_cap_above(c, &t->view[i], nodes[i]);
        before = nodes[i];
    }
    return sum;
}

static double best_of_all(const psh_capacity *c, const pshi_cap_task *t) {
    uint32_t nodes[STEPS], code, rest, i, all = 1;
    double best = HUGE_VAL;

    for (i = 0; i < t->steps; i++)
        all *= MOST_NODES;
    for (code = 0; code < all; code++) {
        for (rest = code, i = 0; i < t->steps; i++, rest /= MOST_NODES)
            nodes[i] = 1 + rest % MOST_NODES;
        best = fmin(best, cost_of(c, t, nodes));
    }
    return best;
}

static void a_plan_is_the_cheapest_of_all(void **state) {
    static const double moves[] = { 0, 0.01, 0.05, 1 };
    pshi_cap_view view[STEPS];
    uint32_t schedule[STEPS], round, i;
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    pshi_cap_task t;
    psh_capacity *c;

    (void)state;
    state_of_rng = 1;
    for (round = 0; round < 80; round++) {
        c = make(env, moves[round % 4], MOST_NODES);
        fill_errors(c);
        for (i = 0; i < STEPS; i++)
            random_view(&view[i]);
        t = (pshi_cap_task){ view, 1 + round % STEPS, 1 + (uint32_t)(uniform() * MOST_NODES), 1 };
        pshi_cap_plan(c, &t, schedule);
        assert_true(fabs(cost_of(c, &t, schedule) - best_of_all(c, &t)) < 1e-9);
        psh_capacity_destroy(c);
    }
    psh_env_destroy(env);
}

/* Where there are more counts than a plan tells apart it takes every so manyeth, and stays within bounds. */
static void a_wide_range_is_planned_coarsely(void **state) {
    uint32_t schedule[STEPS], i, n, best = 0;
    double least = HUGE_VAL, cost;
    pshi_cap_view view[STEPS];
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_capacity *c = make(env, 0, 65536);
    pshi_cap_task t = { view, 1, 1, 1 };

    (void)state;
    state_of_rng = 2;
    fill_errors(c);
    random_view(&view[0]);
    view[0].point = pshi_cap_log(20000);
    for (i = 1; i < STEPS; i++)
        view[i] = view[0];
    pshi_cap_plan(c, &t, schedule);
    for (n = 1; n <= 65536; n++) {
        cost = cost_of(c, &t, &n);
        best = cost < least ? n : best;
        least = fmin(least, cost);
    }
    assert_in_range(schedule[0], 1, 65536);
    assert_true(cost_of(c, &t, schedule) <= 1.01 * least + 130 * pshi_cap_step_hours(c));
    psh_capacity_destroy(c);
    psh_env_destroy(env);
}

static void the_share_above_falls_with_nodes(void **state) {
    static const double levels[] = { 0.05, 0.5, 0.9, 0.99 };
    double q[4], before, now;
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_capacity *c = make(env, 0, 1000);
    pshi_cap_view v;
    uint32_t round, n, k;

    (void)state;
    state_of_rng = 3;
    fill_errors(c);
    for (round = 0; round < 200; round++) {
        random_view(&v);
        for (k = 0; k < 4; k++)
            q[k] = (k ? q[k - 1] : 0) + (round % 3 ? uniform() * 4 : 0);
        if (round % 2) {
            v.predictor = PSHI_CAP_QUANTILES;
            v.levels = levels;
            v.quantiles = q;
            v.level_count = 1 + round % 4;
        }
        for (before = 1, n = 1; n < 60; n++, before = now) {
            now = pshi_cap_above(c, &v, n);
            assert_true(now >= 0 && now <= before + 1e-12);
        }
        n = pshi_cap_enough(c, &v);
        assert_true(n == 1000 || pshi_cap_above(c, &v, n) < 1e-6);
        assert_true(n == 1 || pshi_cap_above(c, &v, n - 1) > 1e-8);
    }
    psh_capacity_destroy(c);
    psh_env_destroy(env);
}

static void a_fit_finds_a_linear_law(void **state) {
    static const double law[PSHI_CAP_FEATURES] = { 0.5, 1, -0.25, 0, 0, 0.125, 0, 2, -1 };
    double x[PSHI_CAP_FEATURES], y;
    pshi_cap_fit f;
    uint32_t round, i;

    (void)state;
    state_of_rng = 4;
    pshi_cap_fit_start(&f, 1);
    for (round = 0; round < 2000; round++) {
        for (y = 0, i = 0; i < PSHI_CAP_FEATURES; i++) {
            x[i] = i ? uniform() * 4 - 2 : 1;
            y += law[i] * x[i];
        }
        pshi_cap_fit_learn(&f, x, y, 0.999);
    }
    for (i = 0; i < PSHI_CAP_FEATURES; i++)
        assert_true(fabs(f.w[i] - law[i]) < 1e-3);
}

/* A feature that never moves must not make forgetting blow up. */
static void a_fit_survives_monotony(void **state) {
    double x[PSHI_CAP_FEATURES] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    pshi_cap_fit f;
    uint32_t round;

    (void)state;
    pshi_cap_fit_start(&f, 1);
    for (round = 0; round < 200000; round++)
        pshi_cap_fit_learn(&f, x, 3, 0.99);
    assert_true(fabs(pshi_cap_fit_at(&f, x) - 3) < 1e-6);
    for (round = 0; round < PSHI_CAP_FEATURES * PSHI_CAP_FEATURES; round++)
        assert_true(isfinite(f.p[round]));
}

static void reactive_policies_take_the_largest_of_their_window(void **state) {
    double parts[600][2], most[2], margin;
    uint32_t order[PSHI_CAP_REACTIVE], window, i, t, k;
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_capacity *c = make(env, 0, 50);
    int of_parts;

    (void)state;
    state_of_rng = 5;
    for (t = 0; t < 600; t++) {
        parts[t][0] = uniform() * 4;
        parts[t][1] = uniform() * 4;
        assert_ok(psh_capacity_observe_parts(c, (int64_t)t * 5 * PSH_MINUTE, parts[t], 2));
    }
    pshi_cap_react(c, order);
    for (i = 0; i < PSHI_CAP_REACTIVE; i++) {
        pshi_cap_reactive_policy(i, &margin, &window, &of_parts);
        most[0] = most[1] = 0;
        for (k = 0; k < window; k++) {
            t = 599 - k;
            most[0] = fmax(most[0], parts[t][0] + parts[t][1]);
            most[1] = fmax(most[1], 2 * fmax(parts[t][0], parts[t][1]));
        }
        assert_int_equal(order[i], fmin(fmax(ceil(margin * most[of_parts] - 1e-9), 1), 50));
        assert_true(fabs(pshi_cap_reactive_load(c, i) - margin * most[of_parts]) < 1e-9);
    }
    psh_capacity_destroy(c);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_is_the_cheapest_of_all),
        cmocka_unit_test(a_wide_range_is_planned_coarsely),
        cmocka_unit_test(the_share_above_falls_with_nodes),
        cmocka_unit_test(a_fit_finds_a_linear_law),
        cmocka_unit_test(a_fit_survives_monotony),
        cmocka_unit_test(reactive_policies_take_the_largest_of_their_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
