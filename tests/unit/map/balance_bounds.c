/* SPDX-License-Identifier: MIT */
#include <float.h>
#include <stdlib.h>

#include "balance_model.h"

#define EPS 1e-6

typedef struct fixture {
    test_alloc alloc;
    psh_env *env;
    model m;
    psh_balance_options o;
} fixture;

static int open_fixture(void **state) {
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->env = test_env(&f->alloc);
    assert_ok(psh_balance_options_init(&f->o, sizeof f->o));
    *state = f;
    return 0;
}

static int close_fixture(void **state) {
    fixture *f = *state;

    psh_env_destroy(f->env);
    assert_int_equal(f->alloc.live, 0);
    free(f);
    return 0;
}

static double real(uint64_t *seed, double most) {
    return (double)(model_random(seed) >> 11) / 9007199254740992.0 * most;
}

/* One of a few shapes of load; now and then one that is hot by far. */
static double some_load(uint64_t *seed) {
    uint64_t kind = model_random(seed) % 16;

    if (kind < 3)
        return 0;
    return kind == 3 ? real(seed, 60) : real(seed, kind < 8 ? 4 : 1);
}

static void make_nodes(model *m, uint64_t *seed, uint32_t n, int uniform, int leaving) {
    uint32_t i;

    m->nodes = n;
    for (i = 0; i < n; i++) {
        m->node[i] = (psh_heat_node){ .node = i * 7 + 3, .capacity = 100 };
        if (!uniform)
            m->node[i].capacity = 1 + real(seed, 400);
        m->node[i].free_bytes = model_random(seed) % 4 ? UINT64_MAX / 2 : 20000;
        m->node[i].flags = leaving && model_random(seed) % 4 == 0 ? PSH_NODE_LEAVING : 0;
    }
    m->node[0].flags = 0;
}

static void make_copies(model *m, uint64_t *seed, size_t i) {
    uint32_t node;

    while (m->item[i].replicas < 3 && m->item[i].replicas + 1 < m->nodes && model_random(seed) % 3 == 0) {
        node = m->node[model_random(seed) % m->nodes].node;
        if (node == m->item[i].node || (m->item[i].replicas && m->copy[i][m->item[i].replicas - 1] == node))
            break;
        if (m->item[i].replicas > 1)
            break;
        m->copy[i][m->item[i].replicas++] = node;
        m->item[i].replica_nodes = m->copy[i];
    }
}

static void make_items(model *m, uint64_t *seed, uint32_t n, int placed) {
    psh_heat *h;
    double crowd;
    uint32_t i;

    m->items = n;
    m->next_id = 100000;
    for (i = 0; i < n; i++) {
        h = &m->item[i];
        *h = (psh_heat){ .id = i + 1, .next = i + 2 <= n ? i + 2 : 0, .node = PSH_NONE };
        h->bytes = model_random(seed) % 1000;
        h->writes = some_load(seed);
        h->reads = some_load(seed);
        h->max_parts = model_random(seed) % 3 ? (uint32_t)(model_random(seed) % 9) : 0;
        m->gone[i] = 0;
        if (model_random(seed) % 3 == 0) {
            h->group = 1 + model_random(seed) % (n / 3 + 1);
            h->affinity = real(seed, 0.5);
        }
        if (model_random(seed) % 4 == 0)
            h->keep_cost = real(seed, 0.3);
        if (!placed && model_random(seed) % 8 == 0)
            continue;
        crowd = real(seed, 1); /* nodes come up as products of two uniform draws do */
        h->node = m->node[(uint32_t)(crowd * real(seed, (double)m->nodes))].node;
        h->flags = model_random(seed) % 20 == 0 ? PSH_HEAT_PINNED : 0;
        make_copies(m, seed, i);
    }
}

static void some_options(psh_balance_options *o, uint64_t *seed) {
    o->max_steps = (uint32_t)(model_random(seed) % 40);
    o->max_bytes = model_random(seed) % 2 ? UINT64_MAX : model_random(seed) % 20000;
    o->tolerance = real(seed, 0.3);
    o->least_gain = real(seed, 0.05);
    o->flags = (uint32_t)(model_random(seed) % 4 ? 0 : model_random(seed) % 16);
}

static uint32_t flag_of(uint32_t kind) {
    if (kind == PSH_BALANCE_MOVE)
        return PSH_BALANCE_NO_MOVE;
    if (kind == PSH_BALANCE_SPLIT)
        return PSH_BALANCE_NO_SPLIT;
    if (kind == PSH_BALANCE_MERGE)
        return PSH_BALANCE_NO_MERGE;
    return kind == PSH_BALANCE_PLACE ? 0 : PSH_BALANCE_NO_REPLICA;
}

/* Before a step is taken: what it says of itself. */
static void check_step(
    const model *m, const psh_balance_options *o, const psh_balance_step *s, uint64_t *free_bytes) {
    const psh_heat *h = &m->item[model_find(m, s->item)];
    uint64_t expected = h->bytes;

    assert_false(o->flags & flag_of(s->kind));
    if (s->kind == PSH_BALANCE_SPLIT)
        expected = h->bytes / s->parts;
    if (s->kind == PSH_BALANCE_MERGE)
        expected = m->item[model_find(m, s->other)].bytes;
    if (s->kind == PSH_BALANCE_UNREPLICATE || s->kind == PSH_BALANCE_PLACE)
        expected = 0;
    assert_true(s->bytes == expected);
    assert_true(s->kind != PSH_BALANCE_REPLICATE || h->replicas < o->max_replicas || s->why == PSH_WHY_LEAVING);
    if (s->kind == PSH_BALANCE_MERGE || s->kind == PSH_BALANCE_UNREPLICATE)
        return;
    assert_false(m->node[model_node(m, s->to)].flags & PSH_NODE_LEAVING);
    expected = s->kind == PSH_BALANCE_PLACE ? h->bytes : s->bytes;
    assert_true(free_bytes[model_node(m, s->to)] >= expected);
    free_bytes[model_node(m, s->to)] -= expected;
}

static double fuller_of(const model *m, const psh_balance_step *s) {
    double a = s->from == PSH_NONE ? 0 : model_full(m, model_node(m, s->from));
    double b = s->to == PSH_NONE ? 0 : model_full(m, model_node(m, s->to));

    return a > b ? a : b;
}

static int is_near(double a, double b) {
    return a - b < EPS * (1 + b) && b - a < EPS * (1 + b);
}

/* Applies all steps with every check there is. @return steps but PLACEs. */
static uint32_t follow(model *m, const psh_balance_options *o, const psh_balance *b) {
    uint64_t free_bytes[MODEL_NODES], bytes = 0;
    double most = psh_balance_before(b), now;
    uint32_t steps = 0;
    psh_balance_step s;
    size_t i;

    assert_true(is_near(model_imbalance(m), psh_balance_before(b)));
    for (i = 0; i < m->nodes; i++)
        free_bytes[i] = m->node[i].free_bytes;
    for (i = 0; i < psh_balance_count(b); i++) {
        assert_ok(psh_balance_get(b, i, &s));
        check_step(m, o, &s, free_bytes);
        assert_true(is_near(s.before, fuller_of(m, &s)));
        model_apply(m, &s);
        assert_true(is_near(s.after, fuller_of(m, &s)));
        bytes += s.bytes;
        steps += s.kind != PSH_BALANCE_PLACE;
        now = model_imbalance(m);
        if (s.kind != PSH_BALANCE_PLACE && s.why != PSH_WHY_LEAVING) /* these must, even where it costs balance */
            assert_true(now <= most + EPS || now <= 1 + o->tolerance + EPS);
        most = now;
    }
    assert_true(steps <= o->max_steps && bytes <= o->max_bytes);
    assert_true(is_near(model_imbalance(m), psh_balance_after(b)));
    return steps;
}

static void plans_keep_to_their_budgets_and_never_worsen_the_fullest(void **state) {
    fixture *f = *state;
    uint64_t seed;
    psh_balance *b;
    uint32_t n;

    for (n = 0; n < 1500; n++) {
        seed = n;
        make_nodes(&f->m, &seed, 1 + n % 13, n % 2, n % 3 == 0);
        make_items(&f->m, &seed, n % 97, n % 5 != 0);
        some_options(&f->o, &seed);
        b = model_plan(f->env, &f->m, &f->o);
        (void)follow(&f->m, &f->o, b);
        psh_balance_destroy(b);
    }
}

static uint32_t merges_of(const psh_balance *b) {
    psh_balance_step s;
    uint32_t n = 0;
    size_t i;

    for (i = 0; i < psh_balance_count(b); i++) {
        assert_ok(psh_balance_get(b, i, &s));
        n += s.kind == PSH_BALANCE_MERGE;
    }
    return n;
}

/* A plan again, after all of the last one was done, until nothing is found. @param at steps but merges of the
 * first plan and of the second. @return plans. */
static uint32_t settle(fixture *f, uint32_t at[2]) {
    psh_balance *b;
    uint32_t round, steps, merges;

    at[0] = at[1] = 0;
    for (round = 0; round < 200; round++) {
        b = model_plan(f->env, &f->m, &f->o);
        steps = follow(&f->m, &f->o, b);
        merges = merges_of(b);
        psh_balance_destroy(b);
        model_pack(&f->m);
        if (round < 2)
            at[round] = steps - merges;
        if (!steps)
            break;
    }
    return round;
}

static void plans_made_again_soon_find_nothing(void **state) {
    fixture *f = *state;
    uint32_t n, at[2], first = 0, late = 0, rounds, most = 0;
    uint64_t seed;

    f->o.max_steps = 500;
    for (n = 0; n < 300; n++) {
        seed = 5000 + n;
        make_nodes(&f->m, &seed, 2 + n % 11, n % 2, n % 3 == 0);
        make_items(&f->m, &seed, 100, 1);
        rounds = settle(f, at);
        most = rounds > most ? rounds : most;
        first += at[0];
        late += at[1];
    }
    /* Merges go on in pairs, so that log2(100) plans may follow; without bound they would show an oscillation.
     * Other steps are few: what moved may not move twice in a plan, nor may parts, so that something is left to do.
     * */
    assert_true(most <= 12);
    assert_true(late * 10 <= first);
}

static void balanced_loads_are_left_alone(void **state) {
    fixture *f = *state;
    psh_balance *b;
    uint64_t seed = 3;
    uint32_t i;

    f->m.nodes = 8;
    f->m.items = 80;
    for (i = 0; i < 8; i++)
        f->m.node[i] = (psh_heat_node){ .node = i, .capacity = 10, .free_bytes = 1000 };
    for (i = 0; i < 80; i++)
        f->m.item[i] = (psh_heat){ .id = i + 1, .node = i % 8, .writes = 1 + real(&seed, 0.1), .max_parts = 4 };
    b = model_plan(f->env, &f->m, NULL);
    assert_true(psh_balance_before(b) <= 1.1 && psh_balance_before(b) >= 1);
    assert_int_equal(psh_balance_count(b), 0);
    assert_true(psh_balance_before(b) == psh_balance_after(b));
    psh_balance_destroy(b);
}

static void leaving_nodes_empty_out(void **state) {
    fixture *f = *state;
    uint32_t n, at[2], i;
    uint64_t seed;

    f->o.max_steps = 7; /* several plans are needed */
    for (n = 0; n < 100; n++) {
        seed = 900 + n;
        make_nodes(&f->m, &seed, 3 + n % 9, n % 2, 1);
        make_items(&f->m, &seed, 60, 1);
        for (i = 0; i < f->m.nodes; i++)
            f->m.node[i].free_bytes = UINT64_MAX / 2;
        for (i = 0; i < f->m.items; i++)
            f->m.item[i].flags = 0;
        (void)settle(f, at);
        for (i = 0; i < f->m.nodes; i++)
            assert_true(!(f->m.node[i].flags & PSH_NODE_LEAVING) || model_full(&f->m, i) < EPS);
    }
}

/* The least that the fullest of n equal nodes can carry, by trying all placements. */
static double optimum(const psh_heat *item, size_t items, size_t nodes) {
    double load[4] = { 0 }, best = 1e300, most;
    uint32_t place[8] = { 0 };
    size_t i, k, tries = 1;

    for (i = 0; i < items; i++)
        tries *= nodes;
    for (k = 0; k < tries; k++) {
        memset(load, 0, sizeof load);
        for (i = 0; i < items; i++)
            load[place[i]] += item[i].writes;
        for (most = 0, i = 0; i < nodes; i++)
            most = load[i] > most ? load[i] : most;
        best = most < best ? most : best;
        for (i = 0; i < items && ++place[i] == nodes; i++)
            place[i] = 0;
    }
    return best;
}

/* No single move helps in the end, so that the fullest is within 2 - 2 / (nodes + 1) of the best there is: Finn &
 * Horowitz 1979, "A linear time approximation algorithm for multiprocessor scheduling". */
static void settled_plans_are_within_the_bound_of_the_best(void **state) {
    fixture *f = *state;
    double best, got, sum = 0;
    uint32_t n, i, at[2];
    uint64_t seed;
    size_t k;

    f->o.tolerance = f->o.least_gain = 0;
    f->o.flags = PSH_BALANCE_NO_SPLIT | PSH_BALANCE_NO_MERGE | PSH_BALANCE_NO_REPLICA;
    for (n = 0; n < 600; n++) {
        seed = 77 + n;
        f->m.nodes = 2 + n % 3;
        f->m.items = 3 + n % 6;
        for (i = 0; i < f->m.nodes; i++)
            f->m.node[i] = (psh_heat_node){ .node = i, .capacity = 1, .free_bytes = 1000 };
        for (i = 0; i < f->m.items; i++) {
            f->m.item[i] = (psh_heat){ .id = i + 1 };
            f->m.item[i].writes = 1 + (double)(model_random(&seed) % (n % 4 ? 10 : 1000));
            f->m.item[i].node = (uint32_t)(model_random(&seed) % (n % 2 ? 1 : f->m.nodes));
        }
        best = optimum(f->m.item, f->m.items, f->m.nodes);
        (void)settle(f, at);
        for (got = 0, k = 0; k < f->m.nodes; k++)
            got = model_full(&f->m, k) > got ? model_full(&f->m, k) : got;
        assert_true(got >= best - EPS);
        assert_true(got <= best * (2 - 2.0 / ((double)f->m.nodes + 1)) + EPS);
        sum += got / best;
    }
    assert_true(sum > 600 && sum <= 600 * 1.05); /* it is a heuristic, but on the whole a good one */
}

static int same_steps(const psh_balance *a, const psh_balance *b) {
    psh_balance_step x, y;
    size_t i;

    if (psh_balance_count(a) != psh_balance_count(b))
        return 0;
    for (i = 0; i < psh_balance_count(a); i++) {
        assert_ok(psh_balance_get(a, i, &x));
        assert_ok(psh_balance_get(b, i, &y));
        if (memcmp(&x, &y, sizeof x) != 0)
            return 0;
    }
    return psh_balance_after(a) == psh_balance_after(b);
}

static void the_order_of_the_input_does_not_count(void **state) {
    fixture *f = *state;
    psh_balance *a, *b;
    psh_heat_node node;
    psh_heat item;
    uint64_t seed;
    size_t i, j;
    uint32_t n;

    for (n = 0; n < 200; n++) {
        seed = 40 + n;
        make_nodes(&f->m, &seed, 2 + n % 11, n % 2, n % 3 == 0);
        make_items(&f->m, &seed, 200, 0);
        a = model_plan(f->env, &f->m, NULL);
        for (i = f->m.items; i > 1; i--) {
            j = model_random(&seed) % i;
            item = f->m.item[j];
            f->m.item[j] = f->m.item[i - 1];
            f->m.item[i - 1] = item;
        }
        for (i = f->m.nodes; i > 1; i--) {
            j = model_random(&seed) % i;
            node = f->m.node[j];
            f->m.node[j] = f->m.node[i - 1];
            f->m.node[i - 1] = node;
        }
        b = model_plan(f->env, &f->m, NULL);
        assert_true(same_steps(a, b));
        psh_balance_destroy(a);
        psh_balance_destroy(b);
    }
}

/* What came out when this was written, with gcc and clang, without optimisation and with -O3: a compiler, or an
 * option, that lets rounding decide shows here. What plans say changes with the planner: then so does this number.
 * */
#define DIGEST UINT64_C(0xb933ca3bb6e45106)

static uint64_t mixed(uint64_t digest, uint64_t x) {
    digest = (digest ^ x) * UINT64_C(0x9e3779b97f4a7c15);
    return digest ^ digest >> 29;
}

static uint64_t digest_of(uint64_t digest, const psh_balance *b) {
    psh_balance_step s;
    size_t i;

    for (i = 0; i < psh_balance_count(b); i++) {
        assert_ok(psh_balance_get(b, i, &s));
        digest = mixed(mixed(digest, s.item), (uint64_t)s.kind << 32 | s.parts);
        digest = mixed(digest, (uint64_t)s.from << 32 | s.to);
    }
    return digest;
}

static void every_compiler_makes_the_same_plans(void **state) {
    fixture *f = *state;
    uint64_t seed, digest = 1;
    psh_balance *b;
    uint32_t n;

    for (n = 0; n < 400; n++) {
        seed = 9000 + n;
        make_nodes(&f->m, &seed, 2 + n % 40, n % 2, n % 3 == 0);
        make_items(&f->m, &seed, 20 + n, n % 4 == 0);
        some_options(&f->o, &seed);
        b = model_plan(f->env, &f->m, &f->o);
        digest = digest_of(digest, b);
        psh_balance_destroy(b);
    }
    if (digest != DIGEST)
        print_error("digest 0x%016llx\n", (unsigned long long)digest);
    assert_true(digest == DIGEST);
}

/* The whole scale of numbers: nothing but finite figures comes out. */
static void extreme_loads_give_finite_plans(void **state) {
    static const double scale[] = { 0, 5e-324, 1e-300, 1, 1e300, 1.7e308 };
    fixture *f = *state;
    psh_balance_step s;
    psh_balance *b;
    uint64_t seed;
    uint32_t n, i;

    for (n = 0; n < 400; n++) {
        seed = 600 + n;
        make_nodes(&f->m, &seed, 1 + n % 7, 0, n % 3 == 0);
        make_items(&f->m, &seed, 40, 0);
        for (i = 0; i < f->m.nodes; i++)
            f->m.node[i].capacity = scale[1 + model_random(&seed) % 5];
        for (i = 0; i < f->m.items; i++) {
            f->m.item[i].writes = scale[model_random(&seed) % 6];
            f->m.item[i].reads = scale[model_random(&seed) % 6];
            f->m.item[i].affinity = scale[model_random(&seed) % 6];
            f->m.item[i].keep_cost = model_random(&seed) % 2 ? 0 : scale[model_random(&seed) % 6];
            f->m.item[i].bytes = model_random(&seed) % 4 ? 1 : UINT64_MAX;
        }
        b = model_plan(f->env, &f->m, NULL);
        assert_true(psh_balance_before(b) >= 0 && psh_balance_after(b) < 1e300);
        for (i = 0; i < psh_balance_count(b); i++) {
            assert_ok(psh_balance_get(b, i, &s));
            assert_true(s.before >= 0 && s.before <= DBL_MAX && s.after >= 0 && s.after <= DBL_MAX && s.share < 1);
        }
        psh_balance_destroy(b);
    }
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(plans_keep_to_their_budgets_and_never_worsen_the_fullest),
        WITH(plans_made_again_soon_find_nothing),
        WITH(balanced_loads_are_left_alone),
        WITH(leaving_nodes_empty_out),
        WITH(settled_plans_are_within_the_bound_of_the_best),
        WITH(the_order_of_the_input_does_not_count),
        WITH(every_compiler_makes_the_same_plans),
        WITH(extreme_loads_give_finite_plans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
