/* SPDX-License-Identifier: MIT */
#include "test.h"


#include <predshard/hashing.h>

#include "base/hash.h"
#include "base/rng.h"

#define KEYS 20000u
#define NODES 400u

static uint64_t key_of(uint32_t i) {
    return pshi_mix64(i + UINT64_C(77));
}

static psh_hashing *make(psh_env *env, uint32_t capacity, const psh_hash_node *nodes, size_t n) {
    psh_hashing *h = NULL;

    assert_ok(psh_hashing_create(env, 5, capacity, nodes, n, &h, NULL));
    return h;
}

static psh_hashing *change(psh_hashing *h, const psh_hash_node *changes, size_t n) {
    psh_hashing *next = NULL;

    assert_ok(psh_hashing_change(h, changes, n, &next, NULL));
    psh_hashing_unref(h);
    return next;
}

static void number_nodes(psh_hash_node *nodes, uint32_t n, uint32_t first, uint32_t weight) {
    uint32_t i;

    for (i = 0; i < n; i++)
        nodes[i] = (psh_hash_node){ first + i, weight };
}

/* ---- the paper's algorithm, word for word, as the reference ---- */

#define ANCHOR 500u

typedef struct paper {
    uint32_t a[ANCHOR], k[ANCHOR], w[ANCHOR], l[ANCHOR], r[ANCHOR];
    uint32_t working, removed;
} paper;

static void paper_remove(paper *p, uint32_t b) {
    p->r[p->removed++] = b;
    p->working--;
    p->a[b] = p->working;
    p->w[p->l[b]] = p->k[b] = p->w[p->working];
    p->l[p->w[p->working]] = p->l[b];
}

static void paper_add(paper *p) {
    uint32_t b = p->r[--p->removed];

    p->a[b] = 0;
    p->l[p->w[p->working]] = p->working;
    p->w[p->l[b]] = p->k[b] = b;
    p->working++;
}

static void paper_init(paper *p, uint32_t working) {
    uint32_t b;

    memset(p, 0, sizeof *p);
    for (b = 0; b < ANCHOR; b++)
        p->k[b] = p->l[b] = p->w[b] = b;
    p->working = ANCHOR;
    for (b = ANCHOR; b-- > working;)
        paper_remove(p, b);
}

static uint32_t upper(uint64_t x, uint32_t n) { /* x n / 2^64 by halves: no 128 bits here */
    return (uint32_t)(((x >> 32) * n + ((x & UINT32_MAX) * n >> 32)) >> 32);
}

static uint32_t paper_find(const paper *p, uint64_t seed, uint64_t key) {
    uint64_t x = pshi_mix64(key ^ pshi_mix64(seed + UINT64_C(0x9e3779b97f4a7c15)));
    uint32_t b = upper(x, ANCHOR), h;

    while (p->a[b]) {
        h = upper(pshi_mix64(x + UINT64_C(0x9e3779b97f4a7c15) * (b + UINT64_C(1))), p->a[b]);
        while (p->a[h] >= p->a[b])
            h = p->k[h];
        b = h;
    }
    return b;
}

static void finds_what_the_paper_finds(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_hash_node nodes[300], one;
    uint64_t rng = 1;
    uint32_t i, round, alive = 300;
    psh_hashing *h;
    paper p;

    (void)state;
    number_nodes(nodes, 300, 0, 1);
    h = make(env, ANCHOR, nodes, 300);
    paper_init(&p, 300);
    for (round = 0; round < 600; round++) {
        if (alive > 1 && (alive == ANCHOR || pshi_rng_next(&rng) % 2)) {
            do {
                one = (psh_hash_node){ (uint32_t)(pshi_rng_next(&rng) % ANCHOR), 0 };
            } while (p.a[one.node]);
            paper_remove(&p, one.node);
            alive--;
        } else {
            one = (psh_hash_node){ p.r[p.removed - 1], 1 };
            paper_add(&p);
            alive++;
        }
        h = change(h, &one, 1);
        assert_int_equal(psh_hashing_count(h), alive);
        for (i = 0; i < 300; i++)
            assert_int_equal(psh_hashing_find(h, key_of(i)), paper_find(&p, 5, key_of(i)));
    }
    psh_hashing_unref(h);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

/* ---- moves ---- */

static uint32_t weight_of(const psh_hashing *h, uint32_t node) {
    psh_hash_node x;
    size_t i;

    for (i = 0; psh_hashing_node(h, i, &x) == PSH_OK; i++)
        if (x.node == node)
            return x.weight;
    return 0;
}

static void find_all(const psh_hashing *h, uint32_t *found) {
    uint32_t i;

    for (i = 0; i < KEYS; i++)
        found[i] = psh_hashing_find(h, key_of(i));
}

/* A key moves only from a node that gives weight, or to one that gets some; if nothing is given, only to. */
static void check_moves(
    const uint32_t *before, const uint32_t *after, const uint32_t *was, const uint32_t *is, int gave, int got) {
    uint32_t i, from, to;

    for (i = 0; i < KEYS; i++) {
        from = before[i];
        to = after[i];
        assert_true(to < NODES && is[to]);
        if (from == to)
            continue;
        if (gave && got)
            assert_true(was[from] > is[from] || is[to] > was[to]);
        else
            assert_true(gave ? was[from] > is[from] : is[to] > was[to]);
    }
}

static void weights_of_all(const psh_hashing *h, uint32_t *weights) {
    psh_hash_node x;
    size_t i;

    memset(weights, 0, NODES * sizeof *weights);
    for (i = 0; psh_hashing_node(h, i, &x) == PSH_OK; i++)
        weights[x.node] = x.weight;
}

static int sum_of(const uint32_t *weights) {
    int sum = 0;
    uint32_t i;

    for (i = 0; i < NODES; i++)
        sum += (int)weights[i];
    return sum;
}

static void only_what_must_move_moves(void **state) {
    static uint32_t before[KEYS], after[KEYS], was[NODES], is[NODES];
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_hash_node nodes[100], c[8];
    uint32_t round, i, n;
    uint64_t rng = 3;
    psh_hashing *h, *next;
    int gave, got;

    (void)state;
    number_nodes(nodes, 100, 0, 3);
    h = make(env, 1500, nodes, 100);
    find_all(h, before);
    weights_of_all(h, was);
    for (round = 0; round < 150; round++) {
        n = 1 + (uint32_t)(pshi_rng_next(&rng) % 8);
        for (i = 0; i < n; i++)
            c[i].node = i * 50 + (uint32_t)(pshi_rng_next(&rng) % 50);
        for (i = 0; i < n; i++)
            c[i].weight = (uint32_t)(pshi_rng_next(&rng) % 7);
        if (psh_hashing_change(h, c, n, &next, NULL) == PSH_E_LIMIT) {
            assert_true(sum_of(was) > 1300);
            continue;
        }
        assert_non_null(next);
        psh_hashing_unref(h);
        h = next;
        weights_of_all(h, is);
        gave = got = 0;
        for (i = 0; i < n; i++) {
            assert_int_equal(is[c[i].node], c[i].weight);
            gave |= was[c[i].node] > c[i].weight;
            got |= was[c[i].node] < c[i].weight;
        }
        find_all(h, after);
        check_moves(before, after, was, is, gave, got);
        memcpy(before, after, sizeof before);
        memcpy(was, is, sizeof was);
    }
    psh_hashing_unref(h);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static void a_node_in_place_of_another_takes_its_keys(void **state) {
    static uint32_t before[KEYS], after[KEYS];
    const psh_hash_node swap[] = { { 17, 0 }, { 900, 4 } };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_hash_node nodes[40];
    psh_hashing *h;
    uint32_t i;

    (void)state;
    number_nodes(nodes, 40, 0, 4);
    h = make(env, 0, nodes, 40);
    find_all(h, before);
    h = change(h, swap, 2);
    find_all(h, after);
    for (i = 0; i < KEYS; i++)
        assert_int_equal(after[i], before[i] == 17 ? 900 : before[i]);
    psh_hashing_unref(h);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

/* A rack goes node by node and comes back in another order, at once: all is as it was. */
static void what_comes_back_gets_its_keys(void **state) {
    static uint32_t before[KEYS], after[KEYS];
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_hash_node nodes[60], one;
    psh_hashing *h;
    uint32_t i;

    (void)state;
    number_nodes(nodes, 60, 1000, 2);
    nodes[9].weight = 5;
    h = make(env, 200, nodes, 60);
    find_all(h, before);
    for (i = 0; i < 20; i++) {
        one = (psh_hash_node){ nodes[(i * 7) % 20].node, 0 };
        h = change(h, &one, 1);
        assert_int_equal(weight_of(h, one.node), 0);
    }
    find_all(h, after);
    assert_memory_not_equal(before, after, sizeof before);
    h = change(h, nodes, 20);
    find_all(h, after);
    assert_memory_equal(before, after, sizeof before);
    psh_hashing_unref(h);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

/* ---- balance ---- */

/* Pearson's statistic has mean n - 1 and variance 2 (n - 1): six deviations are never reached by chance. */
static void check_balance(const psh_hashing *h, uint32_t keys) {
    size_t n = psh_hashing_count(h), i;
    uint32_t *counts = test_calloc(2048, sizeof *counts);
    double chi = 0, sum = 0, want, d;
    psh_hash_node x;
    uint32_t k;

    for (k = 0; k < keys; k++)
        counts[psh_hashing_find(h, k)]++; /* numbers in a row: the mixing is the library's */
    for (i = 0; i < n; i++) {
        assert_ok(psh_hashing_node(h, i, &x));
        sum += x.weight;
    }
    for (i = 0; i < n; i++) {
        assert_ok(psh_hashing_node(h, i, &x));
        want = keys * (x.weight / sum);
        d = counts[x.node] - want;
        chi += d * d / want;
    }
    test_free(counts);
    d = (double)(n - 1);
    assert_true((chi - d) * (chi - d) < 36 * 2 * d);
}

static void keys_spread_by_weight(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_hash_node nodes[NODES], one;
    psh_hashing *h;
    uint64_t rng = 9;
    uint32_t i;

    (void)state;
    number_nodes(nodes, NODES, 0, 1);
    h = make(env, NODES, nodes, NODES);
    check_balance(h, 400000);
    for (i = 0; i < NODES; i++)
        nodes[i].weight = 1 + (i * 7) % 10;
    h = change(h, nodes + 1, 0);
    psh_hashing_unref(h);
    h = make(env, 5000, nodes, NODES);
    check_balance(h, 400000);
    for (i = 0; i < 160; i++) {
        one = (psh_hash_node){ (uint32_t)(pshi_rng_next(&rng) % NODES), i % 5 ? 0 : 12 };
        h = change(h, &one, 1);
    }
    assert_true(psh_hashing_count(h) < 320);
    check_balance(h, 400000);
    psh_hashing_unref(h);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static void many_find_what_one_finds(void **state) {
    static uint64_t keys[500];
    static uint32_t found[501];
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_hash_node nodes[70];
    psh_hashing *h;
    uint32_t i, n, kind;

    (void)state;
    for (kind = 0; kind < 4; kind++) {
        number_nodes(nodes, 70, 5, kind == 1 ? 3 : 1);
        h = make(env, kind == 2 ? 70 : 400, nodes, 70);
        for (i = 0; i < 20; i++)
            nodes[i].weight = 0;
        if (kind)
            h = change(h, nodes, 20);
        for (i = 0; i < 500; i++)
            keys[i] = key_of(i);
        for (n = 0; n <= 500; n = n * 2 + 1) {
            memset(found, 0xee, sizeof found);
            psh_hashing_find_many(h, keys, n, found);
            for (i = 0; i < n; i++)
                assert_int_equal(found[i], psh_hashing_find(h, keys[i]));
            assert_int_equal(found[n], 0xeeeeeeee);
        }
        psh_hashing_unref(h);
    }
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

/* Memory goes by what is there: 1M nodes stay under 12 bytes each, with any ids and a fifth of them gone. */
static void memory_is_small(void **state) {
    const uint32_t n = 1000000, go = 200000;
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_hash_node *nodes = test_malloc(n * sizeof *nodes), x;
    psh_env_stats stats = { .struct_size = sizeof stats };
    psh_hashing *h;
    uint32_t i;

    (void)state;
    for (i = 0; i < n; i++)
        nodes[i] = (psh_hash_node){ 3 * i + i % 3, 1 };
    h = make(env, n, nodes, n);
    assert_true(psh_hashing_bytes(h) < (size_t)9 * n);
    for (i = 0; i < go; i++)
        nodes[i] = (psh_hash_node){ nodes[(uint64_t)i * 5].node, 0 };
    h = change(h, nodes, go);
    assert_int_equal(psh_hashing_count(h), n - go);
    assert_true(psh_hashing_bytes(h) <= (size_t)12 * (n - go));
    assert_ok(psh_env_get_stats(env, &stats));
    assert_true(stats.bytes >= psh_hashing_bytes(h) && stats.bytes < psh_hashing_bytes(h) + 256);
    assert_ok(psh_hashing_node(h, n - go - 1, &x));
    assert_int_equal(x.node, 3 * (n - 1) + (n - 1) % 3);
    psh_hashing_unref(h);
    test_free(nodes);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

/* In line (nodes first + bucket) or not, listing and hashing do not differ. */
static void nodes_are_listed(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_hash_node nodes[200], x;
    uint64_t rng = 4;
    psh_hashing *h;
    uint32_t round, i, at, kind;

    (void)state;
    for (kind = 0; kind < 2; kind++) {
        number_nodes(nodes, 200, 50, 1);
        nodes[199].node += kind * 7;
        h = make(env, 300, nodes, 200);
        for (round = 0; round < 150; round++) {
            do {
                at = (uint32_t)(pshi_rng_next(&rng) % 200);
            } while (!nodes[at].weight);
            nodes[at].weight = 0;
            h = change(h, &nodes[at], 1);
            for (i = at = 0; i < 200; i++) {
                if (!nodes[i].weight)
                    continue;
                assert_ok(psh_hashing_node(h, at++, &x));
                assert_memory_equal(&x, &nodes[i], sizeof x);
            }
            assert_int_equal(psh_hashing_count(h), at);
            assert_int_equal(psh_hashing_node(h, at, &x), PSH_E_NOT_FOUND);
        }
        psh_hashing_unref(h);
    }
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

/* ---- arguments ---- */

static void hashes_are_for_good(void **state) {
    (void)state;
    assert_true(psh_key_hash("", 0) == psh_key_hash(NULL, 0));
    assert_true(psh_key_hash("tenant", 6) == pshi_hash("tenant", 6));
    assert_true(psh_key_hash("tenant", 6) == UINT64_C(0xac766caa1b1667c8)); /* SipHash-2-4 by another program */
    assert_true(psh_key_hash("tenant", 6) != psh_key_hash("tenant", 5));
}

static void refused(
    psh_env *env, uint32_t capacity, const psh_hash_node *nodes, size_t n, psh_status why, const char *field) {
    psh_error err = { sizeof err };
    psh_hashing *h = (void *)&err;

    assert_int_equal(psh_hashing_create(env, 0, capacity, nodes, n, &h, &err), why);
    assert_null(h);
    assert_string_equal(err.field, field);
}

static void bad_arguments_are_named(void **state) {
    const psh_hash_node twice[] = { { 1, 1 }, { 2, 1 }, { 1, 1 } }, none[] = { { 1, 1 }, { PSH_NONE, 1 } };
    const psh_hash_node light[] = { { 1, 0 } }, heavy[] = { { 1, 65536 } }, good[] = { { 1, 3 }, { 2, 4 } };
    const psh_hash_node all[] = { { 1, 0 }, { 2, 0 } }, more[] = { { 3, 3 } }, absent[] = { { 9, 0 } };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_hashing *h, *next = NULL;
    psh_hash_node x;

    (void)state;
    refused(NULL, 9, good, 2, PSH_E_INVALID, "env");
    refused(env, 9, NULL, 2, PSH_E_INVALID, "nodes");
    refused(env, 9, good, 0, PSH_E_INVALID, "nodes");
    refused(env, 9, twice, 3, PSH_E_INVALID, "nodes");
    refused(env, 9, none, 2, PSH_E_INVALID, "nodes[1]");
    refused(env, 9, light, 1, PSH_E_INVALID, "nodes[0]");
    refused(env, 9, heavy, 1, PSH_E_INVALID, "nodes[0]");
    refused(env, 6, good, 2, PSH_E_LIMIT, "capacity");
    refused(env, (UINT32_C(1) << 27) + 1, good, 2, PSH_E_INVALID, "capacity");
    assert_int_equal(psh_hashing_create(env, 0, 9, good, 2, NULL, NULL), PSH_E_INVALID);
    h = make(env, 9, good, 2);
    assert_int_equal(psh_hashing_change(h, all, 2, &next, NULL), PSH_E_STATE);
    assert_int_equal(psh_hashing_change(h, more, 1, &next, NULL), PSH_E_LIMIT);
    assert_int_equal(psh_hashing_change(h, twice, 3, &next, NULL), PSH_E_INVALID);
    assert_int_equal(psh_hashing_change(h, NULL, 3, &next, NULL), PSH_E_INVALID);
    assert_int_equal(psh_hashing_change(NULL, more, 1, &next, NULL), PSH_E_INVALID);
    assert_null(next);
    assert_ok(psh_hashing_change(h, absent, 1, &next, NULL)); /* what is not there is gone already */
    assert_int_equal(psh_hashing_count(next), 2);
    psh_hashing_unref(next);
    assert_int_equal(psh_hashing_node(h, 2, &x), PSH_E_NOT_FOUND);
    assert_int_equal(psh_hashing_find(NULL, 1), PSH_NONE);
    assert_int_equal(psh_hashing_count(NULL), 0);
    psh_hashing_unref(psh_hashing_ref(h));
    psh_hashing_unref(h);
    psh_hashing_unref(NULL);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_the_paper_finds),
        cmocka_unit_test(only_what_must_move_moves),
        cmocka_unit_test(a_node_in_place_of_another_takes_its_keys),
        cmocka_unit_test(what_comes_back_gets_its_keys),
        cmocka_unit_test(keys_spread_by_weight),
        cmocka_unit_test(many_find_what_one_finds),
        cmocka_unit_test(memory_is_small),
        cmocka_unit_test(nodes_are_listed),
        cmocka_unit_test(hashes_are_for_good),
        cmocka_unit_test(bad_arguments_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
