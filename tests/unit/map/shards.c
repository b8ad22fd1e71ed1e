/* SPDX-License-Identifier: MIT */
#include "test.h"

#include <math.h>

#include <predshard/hashing.h>

#include "base/hash.h"
#include "base/rng.h"

#define NODES 32u /* ids 0..31 */
#define SHARDS 6400u

static psh_shards *make(psh_env *env, uint32_t shards, double slack) {
    psh_shards_options o;
    psh_shards *s = NULL;

    assert_ok(psh_shards_options_init(&o, sizeof o));
    o.shards = shards;
    o.slack = slack;
    assert_ok(psh_shards_create(env, &o, &s, NULL));
    return s;
}

/** What the test knows of a placement, worked out by itself. */
typedef struct view {
    uint32_t weight[NODES];
    uint32_t node[SHARDS];
    double load[SHARDS];
    double sum[NODES];
    double total;
    uint32_t weights;
    uint32_t shards;
} view;

static void look(const psh_shards *s, view *v) {
    uint32_t i;

    memset(v->sum, 0, sizeof v->sum);
    v->total = v->weights = 0;
    for (i = 0; i < v->shards; i++) {
        v->node[i] = psh_shards_node(s, i);
        assert_true(v->node[i] < NODES && v->weight[v->node[i]]);
        v->sum[v->node[i]] += v->load[i];
        v->total += v->load[i];
    }
    for (i = 0; i < NODES; i++)
        v->weights += v->weight[i];
}

static double fair_of(const view *v, uint32_t node) {
    return v->total * v->weight[node] / v->weights;
}

static double imbalance_of(const view *v) {
    double most = 0;
    uint32_t i;

    for (i = 0; i < NODES; i++)
        if (v->weight[i] && v->sum[i] / fair_of(v, i) > most)
            most = v->sum[i] / fair_of(v, i);
    return most;
}

static void start(view *v, uint32_t shards) {
    uint32_t i;

    memset(v, 0, sizeof *v);
    v->shards = shards;
    for (i = 0; i < shards; i++)
        v->load[i] = 1;
}

static uint64_t set_nodes(psh_shards *s, view *v, const psh_hash_node *c, size_t n) {
    uint64_t moves = 99;
    size_t i;

    assert_ok(psh_shards_set_nodes(s, c, n, &moves, NULL));
    for (i = 0; i < n; i++)
        v->weight[c[i].node] = c[i].weight;
    look(s, v);
    assert_true(imbalance_of(v) < psh_shards_imbalance(s) + 1e-9);
    assert_true(imbalance_of(v) > psh_shards_imbalance(s) - 1e-9);
    return moves;
}

static uint64_t count_moves(const view *before, const view *after) {
    uint64_t n = 0;
    uint32_t i;

    for (i = 0; i < before->shards; i++)
        n += before->node[i] != after->node[i];
    return n;
}

/* Equal weights, 100 shards a node and more: the bound holds, and removals move the removed's shards alone. */
static void equal_nodes_come_and_go(void **state) {
    static view v, was;
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_shards *s = make(env, NODES * 100, 0.05);
    psh_hash_node c[16];
    uint64_t rng = 1, moves;
    uint32_t i, round, alive = 16, node, held;

    (void)state;
    start(&v, NODES * 100);
    assert_int_equal(psh_shards_node(s, 0), PSH_NONE);
    for (i = 0; i < 16; i++)
        c[i] = (psh_hash_node){ i, 1 };
    assert_int_equal(set_nodes(s, &v, c, 16), 0);
    for (round = 0; round < 1000; round++) {
        was = v;
        node = (uint32_t)(pshi_rng_next(&rng) % NODES);
        if (was.weight[node] && alive == 1)
            continue;
        c[0] = (psh_hash_node){ node, !was.weight[node] };
        alive += c[0].weight ? 1 : -1u;
        moves = set_nodes(s, &v, c, 1);
        assert_int_equal(moves, count_moves(&was, &v));
        assert_true(imbalance_of(&v) <= 1.05 + 1e-9);
        for (i = held = 0; i < v.shards; i++) {
            held += c[0].weight ? v.node[i] == node : was.node[i] == node;
            assert_true(was.node[i] == v.node[i] || (c[0].weight ? v.node[i] : was.node[i]) == node);
        }
        assert_int_equal(moves, held);
        if (c[0].weight) {
            assert_true(moves <= fair_of(&v, node));
            assert_true(held >= 0.95 * fair_of(&v, node));
        }
    }
    psh_shards_destroy(s);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

/* Load that a change of weights forces to move: of removed nodes, and over the new bound of the others. */
static double forced_load(const view *was, const view *now) {
    double over, sum = 0;
    uint32_t i;

    for (i = 0; i < NODES; i++) {
        over = was->sum[i] - (now->weight[i] ? 1.05 * fair_of(now, i) : 0);
        sum += was->weight[i] && over > 0 ? over : 0;
    }
    return sum;
}

/* What nodes whose share rose lack of it. */
static double lacked_load(const view *was, const view *now) {
    double lack, sum = 0;
    uint32_t i;

    for (i = 0; i < NODES; i++) {
        lack = fair_of(now, i) - was->sum[i];
        sum += now->weight[i] > was->weight[i] && lack > 0 ? lack : 0;
    }
    return sum;
}

static uint32_t alive_of(const view *v) {
    uint32_t n = 0, i;

    for (i = 0; i < NODES; i++)
        n += v->weight[i] > 0;
    return n;
}

static void random_weights(uint64_t *rng, const view *v, psh_hash_node *c, size_t n) {
    size_t i;

    for (i = 0; i < n; i++) {
        c[i].node = (uint32_t)(i * 8 + pshi_rng_next(rng) % 8);
        c[i].weight = (uint32_t)(pshi_rng_next(rng) % 3 ? 4 + pshi_rng_next(rng) % 9 : 0);
    }
    if (alive_of(v) < 10)
        c[0].weight = 8;
}

/* One random sequence of weights: within the bound, and not more moved than forced or lacked, or a shard a node. */
static void run_weights(psh_env *env, uint64_t seed, view *v, view *was) {
    psh_shards *s = make(env, SHARDS, 0.05);
    psh_hash_node c[NODES];
    uint64_t rng = seed;
    double least, forced, lacked;
    uint32_t i, round;

    start(v, SHARDS);
    for (i = 0; i < 20; i++)
        c[i] = (psh_hash_node){ i, 4 + (uint32_t)(pshi_rng_next(&rng) % 9) };
    set_nodes(s, v, c, 20);
    for (round = 0; round < 10; round++) {
        *was = *v;
        i = 1 + (uint32_t)(pshi_rng_next(&rng) % 4);
        random_weights(&rng, v, c, i);
        least = (double)set_nodes(s, v, c, i);
        assert_true(imbalance_of(v) <= 1.05 + 1e-9);
        forced = forced_load(was, v);
        lacked = lacked_load(was, v);
        assert_true(least <= 1.1 * (forced > lacked ? forced : lacked) + NODES);
        assert_int_equal((uint64_t)least, count_moves(was, v));
    }
    psh_shards_destroy(s);
}

static void weights_hold_the_bound(void **state) {
    static view v, was;
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    uint64_t seed;

    (void)state;
    for (seed = 1; seed <= 500; seed++)
        run_weights(env, seed, &v, &was);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

/* ---- loads ---- */

static uint64_t set_loads(psh_shards *s, view *v, const uint32_t *shards, const double *loads, size_t n) {
    uint64_t moves = 99;
    size_t i;

    assert_ok(psh_shards_set_loads(s, shards, loads, n, &moves, NULL));
    for (i = 0; i < n; i++)
        v->load[shards[i]] = loads[i];
    look(s, v);
    return moves;
}

/* A load of up to 1/40 of the mean share: half of what the bound leaves. */
static double random_load(uint64_t *rng) {
    double u = pshi_rng_unit(rng);

    return u < 0.1 ? 0 : u * u * u * 8;
}

static double over_bounds(const view *was, const view *now, int *nodes) {
    double over, sum = 0, load[NODES] = { 0 };
    uint32_t i;

    for (i = 0; i < now->shards; i++)
        load[was->node[i]] += now->load[i];
    for (i = 0; i < NODES; i++) {
        over = now->weight[i] ? load[i] - 1.05 * fair_of(now, i) : 0;
        sum += over > 0 ? over : 0;
        *nodes += over > 0;
    }
    return sum;
}

static double moved_load(const view *was, const view *now) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < now->shards; i++)
        sum += was->node[i] != now->node[i] ? now->load[i] : 0;
    return sum;
}

/* One random sequence of loads, and of nodes between: shards small against the shares always fit. */
static void run_loads(psh_env *env, uint64_t seed, view *v, view *was) {
    uint32_t shards[200], i, round;
    psh_shards *s = make(env, 4000, 0.05);
    psh_hash_node c[12];
    uint64_t rng = seed, moves;
    double loads[200];
    int over;

    start(v, 4000);
    for (i = 0; i < 12; i++)
        c[i] = (psh_hash_node){ i, 3 + (uint32_t)(pshi_rng_next(&rng) % 3) };
    set_nodes(s, v, c, 12);
    for (round = 0; round < 12; round++) {
        *was = *v;
        for (i = 0; i < 200; i++) {
            shards[i] = i * 20 + (uint32_t)(pshi_rng_next(&rng) % 20);
            loads[i] = random_load(&rng);
        }
        moves = set_loads(s, v, shards, loads, 200);
        assert_int_equal(moves, count_moves(was, v));
        assert_true(imbalance_of(v) <= 1.05 + 1e-9);
        over = 0;
        /* each node over its bound gives what is over, and less than one shard more */
        assert_true(moved_load(was, v) <= over_bounds(was, v, &over) + over * 8.0);
        c[0] = (psh_hash_node){ round, round % 2 ? 0 : 5 };
        set_nodes(s, v, c, 1);
        assert_true(imbalance_of(v) <= 1.05 + 1e-9);
    }
    psh_shards_destroy(s);
}

static void loads_hold_the_bound(void **state) {
    static view v, was;
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    uint64_t seed;

    (void)state;
    for (seed = 1; seed <= 500; seed++)
        run_loads(env, seed, &v, &was);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

/* A shard heavier than any node's bound: it stands alone, the others share the rest. */
static void one_shard_may_be_too_much(void **state) {
    static view v;
    const uint32_t heavy = 123, light[] = { 0, 1 };
    const double load = 9000, zero[] = { 0, 0 };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_shards *s = make(env, 1000, 0.05);
    psh_hash_node c[10];
    uint32_t i, with = 0;
    uint64_t moves;

    (void)state;
    start(&v, 1000);
    for (i = 0; i < 10; i++)
        c[i] = (psh_hash_node){ i, 1 };
    set_nodes(s, &v, c, 10);
    moves = set_loads(s, &v, &heavy, &load, 1);
    for (i = 0; i < 1000; i++)
        with += v.node[i] == v.node[heavy];
    assert_int_equal(with, 1);
    assert_int_equal(moves, 99);
    assert_true(psh_shards_imbalance(s) > 9000 / (9999 / 10.0) - 1e-9);
    assert_true(psh_shards_imbalance(s) < 9000 / (9999 / 10.0) + 1e-9);
    set_loads(s, &v, light, zero, 2);
    c[0] = (psh_hash_node){ v.node[heavy], 0 }; /* its node goes: another clears for it */
    set_nodes(s, &v, c, 1);
    for (i = with = 0; i < 1000; i++)
        with += v.node[i] == v.node[heavy] && v.load[i] > 0;
    assert_int_equal(with, 1);
    psh_shards_destroy(s);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static void no_load_is_even(void **state) {
    const psh_hash_node c[] = { { 1, 1 }, { 2, 1 } }, d[] = { { 3, 1 } };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_shards *s = make(env, 10, 0.05);
    double loads[10] = { 0 };
    uint32_t shards[10], i, on[4] = { 0 };
    uint64_t moves;

    (void)state;
    for (i = 0; i < 10; i++)
        shards[i] = i;
    assert_true(psh_shards_imbalance(s) >= 1 && psh_shards_imbalance(s) <= 1);
    assert_ok(psh_shards_set_loads(s, shards, loads, 10, &moves, NULL));
    assert_int_equal(moves, 0);
    assert_ok(psh_shards_set_nodes(s, c, 2, &moves, NULL));
    for (i = 0; i < 10; i++)
        on[psh_shards_node(s, i)]++;
    assert_int_equal(on[1], 5);
    assert_true(psh_shards_imbalance(s) >= 1 && psh_shards_imbalance(s) <= 1);
    assert_ok(psh_shards_set_nodes(s, d, 1, &moves, NULL));
    assert_int_equal(moves, 0);
    psh_shards_destroy(s);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static void keys_spread_over_shards(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_shards *s = make(env, 100, 0.05);
    uint32_t counts[100] = { 0 }, i;
    double chi = 0;

    (void)state;
    for (i = 0; i < 100000; i++) {
        assert_true(psh_shards_shard(s, i) < 100);
        counts[psh_shards_shard(s, i)]++;
    }
    for (i = 0; i < 100; i++)
        chi += (counts[i] - 1000.0) * (counts[i] - 1000.0) / 1000;
    assert_true(chi > 99 - 6 * 14.1 && chi < 99 + 6 * 14.1);
    psh_shards_destroy(s);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

/* ---- arguments ---- */

static void bad_options_are_named(void **state) {
    psh_error err = { sizeof err };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_shards_options o;
    psh_shards *s;

    (void)state;
    assert_ok(psh_shards_options_init(&o, sizeof o));
    assert_true(o.slack > 0.049 && o.slack < 0.051);
    o.flags = 1;
    assert_int_equal(psh_shards_create(env, &o, &s, &err), PSH_E_UNSUPPORTED);
    assert_string_equal(err.field, "flags");
    o.flags = 0;
    o.shards = 0;
    assert_int_equal(psh_shards_create(env, &o, &s, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "shards");
    o.shards = (1u << 24) + 1;
    assert_int_equal(psh_shards_create(env, &o, &s, &err), PSH_E_INVALID);
    o.shards = 5;
    o.slack = 0;
    assert_int_equal(psh_shards_create(env, &o, &s, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "slack");
    o.slack = (double)NAN;
    assert_int_equal(psh_shards_create(env, &o, &s, &err), PSH_E_INVALID);
    o.slack = 1;
    o.reserved = 1;
    assert_int_equal(psh_shards_create(env, &o, &s, &err), PSH_E_UNSUPPORTED);
    assert_null(s);
    assert_int_equal(psh_shards_create(NULL, NULL, &s, &err), PSH_E_INVALID);
    assert_int_equal(psh_shards_create(env, NULL, NULL, &err), PSH_E_INVALID);
    assert_ok(psh_shards_create(env, NULL, &s, NULL));
    psh_shards_destroy(s);
    psh_shards_destroy(NULL);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static void an_error_changes_nothing(void **state) {
    const psh_hash_node two[] = { { 1, 1 }, { 2, 3 } }, none[] = { { 1, 0 }, { 2, 0 } };
    const psh_hash_node twice[] = { { 5, 1 }, { 5, 2 } };
    const double bad[] = { -1, 1e300, (double)NAN };
    const uint32_t ids[] = { 3, 99, 5 };
    psh_error err = { sizeof err };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_shards *s = make(env, 50, 0.05);
    uint32_t before[50], i;

    (void)state;
    assert_int_equal(psh_shards_set_nodes(s, none, 2, NULL, &err), PSH_E_STATE);
    assert_int_equal(psh_shards_set_nodes(s, NULL, 0, NULL, &err), PSH_E_STATE);
    assert_ok(psh_shards_set_nodes(s, two, 2, NULL, NULL));
    for (i = 0; i < 50; i++)
        before[i] = psh_shards_node(s, i);
    assert_int_equal(psh_shards_set_nodes(s, none, 2, NULL, &err), PSH_E_STATE);
    assert_int_equal(psh_shards_set_nodes(s, twice, 2, NULL, &err), PSH_E_INVALID);
    assert_int_equal(psh_shards_set_nodes(s, NULL, 2, NULL, &err), PSH_E_INVALID);
    assert_int_equal(psh_shards_set_nodes(NULL, two, 2, NULL, &err), PSH_E_INVALID);
    for (i = 0; i < 3; i++) {
        assert_int_equal(psh_shards_set_loads(s, ids, &bad[i], 1, NULL, &err), PSH_E_INVALID);
        assert_string_equal(err.field, "loads[0]");
    }
    assert_int_equal(psh_shards_set_loads(s, ids + 1, bad, 1, NULL, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "shards[0]");
    assert_int_equal(psh_shards_set_loads(s, ids, NULL, 1, NULL, &err), PSH_E_INVALID);
    for (i = 0; i < 50; i++)
        assert_int_equal(psh_shards_node(s, i), before[i]);
    assert_int_equal(psh_shards_node(s, 50), PSH_NONE);
    assert_int_equal(psh_shards_node(NULL, 0), PSH_NONE);
    psh_shards_destroy(s);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_nodes_come_and_go),
        cmocka_unit_test(weights_hold_the_bound),
        cmocka_unit_test(loads_hold_the_bound),
        cmocka_unit_test(one_shard_may_be_too_much),
        cmocka_unit_test(no_load_is_even),
        cmocka_unit_test(keys_spread_over_shards),
        cmocka_unit_test(bad_options_are_named),
        cmocka_unit_test(an_error_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
