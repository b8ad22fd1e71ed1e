/* SPDX-License-Identifier: MIT */
/* Versions of a radix tree against sorted arrays. */
#include "test.h"

#include <stdlib.h>

#include "base/env.h"
#include "base/hash.h"
#include "base/rng.h"
#include "ds/radix.h"

#define MOST 1200
#define VERSIONS 6

typedef struct block {
    pshi_radix_block head;
    uint32_t number;
} block;

/* What a version should hold. */
typedef struct model {
    pshi_radix tree;
    size_t n;
    struct {
        uint64_t key;
        uint32_t number; /* of its block */
        uint32_t weight;
    } e[MOST];
} model;

static uint64_t below(uint64_t *seed, uint64_t n) {
    return (pshi_rng_next(seed) >> 33) % n;
}

/* Dense runs, keys all over, and keys that share all but their last bits. */
static uint64_t some_key(uint64_t *seed, uint32_t kind) {
    static const uint64_t bases[] = { 0, UINT64_MAX - 900, UINT64_C(1) << 63, UINT64_C(0x123456789abcdef0) };

    if (kind == 0)
        return (UINT64_C(1) << 63) + 11000 + below(seed, 900);
    if (kind == 1)
        return pshi_mix64(below(seed, 1500));
    return bases[below(seed, 4)] + below(seed, 300);
}

static size_t place_of(const model *m, uint64_t key) {
    size_t i = 0;

    while (i < m->n && m->e[i].key < key)
        i++;
    return i;
}

static psh_status put_one(psh_env *env, model *m, uint64_t key, uint32_t number, uint32_t weight) {
    block *b = pshi_alloc(env, sizeof *b);
    pshi_radix_entry e = { .key = key, .weight = weight };
    psh_status st;

    if (!b)
        return PSH_E_NOMEM;
    e.value.block = &b->head;
    pshi_ref_init(&b->head.refs);
    b->head.more = NULL;
    b->number = number;
    st = pshi_radix_put(env, &m->tree, &e);
    if (st != PSH_OK)
        pshi_free(env, b);
    return st;
}

static void model_put(model *m, uint64_t key, uint32_t number, uint32_t weight) {
    size_t i = place_of(m, key);

    if (i == m->n || m->e[i].key != key) {
        memmove(&m->e[i + 1], &m->e[i], (m->n - i) * sizeof m->e[0]);
        m->n++;
    }
    m->e[i].key = key;
    m->e[i].number = number;
    m->e[i].weight = weight;
}

static const block *block_of(const pshi_radix_entry *e) {
    return (const block *)(const void *)e->value.block;
}

static void check_entry(const pshi_radix_entry *e, const model *m, size_t i) {
    if (i >= m->n) {
        assert_null(e);
        return;
    }
    assert_non_null(e);
    assert_true(e->key == m->e[i].key && e->weight == m->e[i].weight);
    assert_int_equal(block_of(e)->number, m->e[i].number);
}

static void check_all(const model *m) {
    pshi_radix_walk w;
    size_t i, rank = 0, offset;

    assert_int_equal(pshi_radix_keys(&m->tree), m->n);
    pshi_radix_seek(&w, &m->tree, 0);
    for (i = 0; i < m->n; i++) {
        check_entry(pshi_radix_next(&w), m, i);
        check_entry(pshi_radix_find(&m->tree, m->e[i].key), m, i);
        assert_int_equal(pshi_radix_rank(&m->tree, m->e[i].key), rank);
        if (m->e[i].weight) {
            check_entry(pshi_radix_select(&m->tree, rank + m->e[i].weight - 1, &offset), m, i);
            assert_int_equal(offset, m->e[i].weight - 1);
        }
        rank += m->e[i].weight;
    }
    assert_null(pshi_radix_next(&w));
    assert_null(pshi_radix_next(&w));
    assert_int_equal(pshi_radix_weight(&m->tree), rank);
    assert_null(pshi_radix_select(&m->tree, rank, &offset));
}

static void check_near(const model *m, uint64_t key) {
    size_t i = place_of(m, key);
    int found = i < m->n && m->e[i].key == key;
    pshi_radix_walk w;

    check_entry(pshi_radix_ceil(&m->tree, key), m, i);
    check_entry(pshi_radix_floor(&m->tree, key), m, found ? i : i > 0 ? i - 1 : m->n);
    check_entry(pshi_radix_find(&m->tree, key), m, found ? i : m->n);
    pshi_radix_seek(&w, &m->tree, key);
    check_entry(pshi_radix_next(&w), m, i);
    if (i < m->n)
        check_entry(pshi_radix_next(&w), m, i + 1);
}

typedef struct differences {
    const model *before, *after;
    size_t i, k; /* all before these is dealt with */
} differences;

static int entry_is(const pshi_radix_entry *e, const model *m, size_t i) {
    return i < m->n && e->key == m->e[i].key && block_of(e)->number == m->e[i].number;
}

static void skip_alike(differences *d) {
    while (d->i < d->before->n && d->k < d->after->n && d->before->e[d->i].key == d->after->e[d->k].key &&
           d->before->e[d->i].number == d->after->e[d->k].number) {
        d->i++;
        d->k++;
    }
}

static psh_status each_difference(void *user, const pshi_radix_entry *before, const pshi_radix_entry *after) {
    differences *d = user;

    skip_alike(d);
    assert_true(before || after);
    assert_true(!before || !after || before->key == after->key);
    if (before)
        assert_true(entry_is(before, d->before, d->i++));
    if (after)
        assert_true(entry_is(after, d->after, d->k++));
    return PSH_OK;
}

static void check_diff(const model *before, const model *after) {
    differences d = { before, after, 0, 0 };

    assert_ok(pshi_radix_diff(&before->tree, &after->tree, each_difference, &d));
    skip_alike(&d);
    assert_true(d.i == before->n && d.k == after->n);
}

static void change(psh_env *env, model *m, uint64_t *seed, uint32_t kind, int grows) {
    uint64_t key = some_key(seed, kind);
    uint32_t weight = (uint32_t)below(seed, 5), number = (uint32_t)pshi_rng_next(seed);
    size_t i = place_of(m, key);
    int found = i < m->n && m->e[i].key == key;

    if (below(seed, 4) < (grows ? 3u : 1u)) {
        if (m->n == MOST)
            return;
        assert_ok(put_one(env, m, key, number, weight));
        model_put(m, key, number, weight);
        return;
    }
    if (!found && m->n && below(seed, 2)) {
        i = (size_t)below(seed, m->n);
        key = m->e[i].key;
        found = 1;
    }
    assert_int_equal(pshi_radix_remove(env, &m->tree, key), found ? PSH_OK : PSH_E_NOT_FOUND);
    if (found) {
        m->n--;
        memmove(&m->e[i], &m->e[i + 1], (m->n - i) * sizeof m->e[0]);
    }
}

/* One version is made of another; the other stays what it was. */
static void test_versions(void **state) {
    static model versions[VERSIONS];
    test_alloc a;
    psh_env *env = test_env(&a);
    uint64_t seed = 5;
    size_t round, i, from, to;
    uint32_t kind;

    (void)state;
    for (kind = 0; kind < 4; kind++) {
        memset(versions, 0, sizeof versions);
        for (i = 0; i < VERSIONS; i++)
            versions[i].tree.blocks = 1;
        for (round = 0; round < 200; round++) {
            from = below(&seed, VERSIONS);
            to = below(&seed, VERSIONS);
            if (from != to) {
                pshi_radix_free(env, &versions[to].tree);
                versions[to] = versions[from];
                pshi_radix_share(&versions[to].tree, &versions[from].tree);
            }
            for (i = below(&seed, 60); i > 0; i--)
                change(env, &versions[to], &seed, kind < 3 ? kind : (uint32_t)below(&seed, 3), round % 80 < 50);
            check_diff(&versions[from], &versions[to]);
            check_diff(&versions[to], &versions[below(&seed, VERSIONS)]);
            for (i = 0; i < 20; i++)
                check_near(&versions[to], some_key(&seed, (uint32_t)below(&seed, 3)) + below(&seed, 3) - 1);
            if (round % 8 == 0)
                for (i = 0; i < VERSIONS; i++)
                    check_all(&versions[i]);
        }
        for (i = 0; i < VERSIONS; i++)
            pshi_radix_free(env, &versions[i].tree);
        assert_int_equal(a.live, 1); /* the env's own */
    }
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* A change of one key leaves all but a path to the other version. */
static void test_sharing(void **state) {
    pshi_radix one = { NULL, 0 }, two = { NULL, 0 };
    pshi_radix_entry e = { 0 };
    test_alloc a;
    psh_env *env = test_env(&a);
    uint64_t calls;
    uint32_t i;

    (void)state;
    for (i = 0; i < 100000; i++) {
        e.key = i;
        e.value.number = i;
        e.weight = 1;
        assert_ok(i % 2 ? pshi_radix_put(env, &one, &e) : pshi_radix_add(env, &one, &e));
    }
    assert_int_equal(pshi_radix_add(env, &one, &e), PSH_E_CONFLICT);
    assert_int_equal(pshi_radix_keys(&one), 100000);
    pshi_radix_share(&two, &one);
    calls = a.calls;
    e.key = 54321;
    e.value.number = 1;
    assert_ok(pshi_radix_put(env, &two, &e));
    assert_in_range(a.calls - calls, 1, 6);
    calls = a.calls;
    assert_ok(pshi_radix_put(env, &two, &e)); /* its own by now */
    assert_true(a.calls == calls);
    assert_int_equal(pshi_radix_find(&one, 54321)->value.number, 54321);
    assert_int_equal(pshi_radix_find(&two, 54321)->value.number, 1);
    pshi_radix_free(env, &one);
    assert_int_equal(pshi_radix_find(&two, 99999)->value.number, 99999);
    pshi_radix_free(env, &two);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* Random changes; where one fails for want of memory, the content is as before. */
static psh_status use_radix(psh_env *env, void *user) {
    static model m, old;
    uint64_t seed = 77, key;
    psh_status st = PSH_OK, last = PSH_OK;
    uint32_t number;
    size_t i, at;

    (void)user;
    memset(&m, 0, sizeof m);
    m.tree.blocks = 1;
    for (i = 0; i < 160; i++) {
        key = some_key(&seed, 2);
        number = (uint32_t)i;
        at = place_of(&m, key);
        if (i == 80) {
            old = m;
            pshi_radix_share(&old.tree, &m.tree);
        }
        if (at < m.n && m.e[at].key == key) {
            st = pshi_radix_remove(env, &m.tree, key);
            if (st == PSH_OK) {
                m.n--;
                memmove(&m.e[at], &m.e[at + 1], (m.n - at) * sizeof m.e[0]);
            }
        } else {
            st = put_one(env, &m, key, number, 1);
            if (st == PSH_OK)
                model_put(&m, key, number, 1);
        }
        last = st == PSH_OK ? last : st;
        check_all(&m);
    }
    check_all(&old);
    pshi_radix_free(env, &m.tree);
    pshi_radix_free(env, &old.tree);
    return last;
}

static void test_memory_may_fail(void **state) {
    (void)state;
    test_every_allocation(use_radix, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_memory_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
