/* SPDX-License-Identifier: MIT */
/* Range maps of byte keys: random edits against sorted arrays, keys that only a long tail tells apart. */
#include "ranges_model.h"

/* A universe of keys in one style each. */
typedef struct universe {
    unsigned char *bytes;
    model_key *key;
    size_t n;
} universe;

/* Short keys over few byte values: empty ones, zeros within, prefixes of one another, 0xff. */
static size_t short_key(uint64_t *seed, size_t i, unsigned char *out) {
    static const unsigned char letters[] = { 0, 1, 'a', 0xff };
    size_t n = pshi_rng_next(seed) % 12, j;

    (void)i;
    for (j = 0; j < n; j++)
        out[j] = letters[pshi_rng_next(seed) % 4];
    return n;
}

static size_t random_key(uint64_t *seed, size_t i, unsigned char *out) {
    size_t j;

    (void)i;
    for (j = 0; j < 32; j++)
        out[j] = (unsigned char)pshi_rng_next(seed);
    return 32;
}

/* 40 bytes alike, then few that differ in places, then a tail of any length. */
static size_t long_prefix_key(uint64_t *seed, size_t i, unsigned char *out) {
    size_t n = 40 + pshi_rng_next(seed) % 30, j;

    memset(out, 'p', n);
    out[35] = (unsigned char)(i % 3);
    for (j = 0; j < 2; j++)
        out[pshi_rng_next(seed) % n] = (unsigned char)(pshi_rng_next(seed) % 5);
    return n;
}

/* All heads alike within a page: only what follows tells. */
static size_t tied_key(uint64_t *seed, size_t i, unsigned char *out) {
    size_t n = 20 + pshi_rng_next(seed) % 3;

    memset(out, 0xff, n);
    out[0] = (unsigned char)(i % 2 ? 0xff : 0);
    out[12 + pshi_rng_next(seed) % 6] = (unsigned char)pshi_rng_next(seed);
    out[n - 1] = (unsigned char)pshi_rng_next(seed);
    return n;
}

/* As long as keys may be, so that pages have few of them. */
static size_t huge_key(uint64_t *seed, size_t i, unsigned char *out) {
    size_t n = KEY_MOST - pshi_rng_next(seed) % 50;

    (void)i;
    memset(out, 'x', n);
    out[pshi_rng_next(seed) % n] = (unsigned char)pshi_rng_next(seed);
    out[0] = (unsigned char)pshi_rng_next(seed);
    return n;
}

typedef size_t (*key_style)(uint64_t *seed, size_t i, unsigned char *out);

static void make_universe(universe *u, size_t n, key_style style, uint64_t *seed) {
    unsigned char *key = malloc(KEY_MOST);
    size_t size, at = 0, room = 0, i;

    u->bytes = NULL;
    u->key = calloc(n, sizeof *u->key);
    u->n = n;
    for (i = 0; i < n; i++) {
        size = style(seed, i, key);
        if (at + size > room)
            u->bytes = realloc(u->bytes, room = (at + size) * 2);
        memcpy(u->bytes + at, key, size);
        u->key[i] = (model_key){ at, NULL, size }; /* the offset, until all stand */
        at += size;
    }
    for (i = 0; i < n; i++)
        u->key[i] = (model_key){ 0, u->bytes + u->key[i].number, u->key[i].size };
    free(key);
}

static void free_universe(universe *u) {
    free(u->bytes);
    free(u->key);
}

static void check_many(const psh_ranges_epoch *e, const model *m, const universe *u, uint64_t *seed) {
    psh_bytes keys[100];
    uint32_t owners[100], form;
    size_t n = pshi_rng_next(seed) % 101, i;
    const pshi_range_find *f;
    model_key k;

    for (i = 0; i < n; i++) {
        k = i % 2 ? m->key[pshi_rng_next(seed) % m->n] : u->key[pshi_rng_next(seed) % u->n];
        if (i % 3 == 0 && k.size)
            k.size = pshi_rng_next(seed) % k.size; /* a prefix of a key */
        keys[i] = (psh_bytes){ k.data, k.size };
        check_find(e, m, &k);
    }
    for (form = PSHI_FIND_PLAIN; form <= PSHI_FIND_AVX512; form++) {
        f = pshi_range_find_form(form);
        if (!f)
            continue;
        f->many_bytes(&e->tree, keys, n, owners);
        for (i = 0; i < n; i++)
            assert_int_equal(owners[i], psh_ranges_find_bytes(e, keys[i].data, keys[i].size));
    }
    psh_ranges_find_many_bytes(e, keys, n, owners);
    for (i = 0; i < n; i++)
        assert_int_equal(owners[i], psh_ranges_find_bytes(e, keys[i].data, keys[i].size));
}

static void edit_at_random(
    psh_ranges *r, model *m, const universe *u, uint64_t *seed, size_t rounds, size_t most, uint32_t sets) {
    psh_range_edit *edits = malloc(most * sizeof *edits);
    psh_ranges_reader *reader;
    const psh_ranges_epoch *before;
    size_t n, i;
    model old;
    model_key k;

    model_open(&old, 1, m->cap, 0);
    assert_ok(psh_ranges_reader_create(r, &reader));
    for (; rounds; rounds--) {
        before = psh_ranges_pin(reader);
        model_copy(&old, m);
        for (n = 0, i = pshi_rng_next(seed) % most; n <= i; n++) {
            k = u->key[pshi_rng_next(seed) % u->n];
            edits[n] = model_edit(PSH_RANGE_SET, &k, (uint32_t)pshi_rng_next(seed) % 20);
            if (pshi_rng_next(seed) % 10 >= sets) {
                k = m->key[pshi_rng_next(seed) % m->n];
                edits[n] = model_edit(k.size ? PSH_RANGE_REMOVE : PSH_RANGE_SET, &k, 3);
            }
            if (edits[n].op == PSH_RANGE_REMOVE)
                assert_ok(model_remove(m, &k));
            else
                model_set(m, &k, edits[n].owner);
        }
        assert_ok(psh_ranges_apply(r, edits, n, sizeof *edits, NULL));
        check_tree(psh_ranges_current(r));
        check_walk(psh_ranges_current(r), m);
        check_many(psh_ranges_current(r), m, u, seed);
        check_walk(before, &old);
        assert_in_range(check_diff(before, &old, psh_ranges_current(r), m), 0, n);
        psh_ranges_unpin(reader);
    }
    psh_ranges_reader_destroy(reader);
    model_close(&old);
    free(edits);
}

static void run_style(key_style style, size_t keys, size_t rounds, size_t most, uint64_t seed) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges *r = open_ranges(env, PSH_RANGES_BYTES, KEY_MOST);
    universe u;
    model m;

    make_universe(&u, keys, style, &seed);
    model_open(&m, 1, keys + 2, 0);
    edit_at_random(r, &m, &u, &seed, rounds, most, 9);
    edit_at_random(r, &m, &u, &seed, rounds, most, 5);
    edit_at_random(r, &m, &u, &seed, rounds * 2, most, 1);
    edit_at_random(r, &m, &u, &seed, rounds, most, 0);
    psh_ranges_destroy(r);
    model_close(&m);
    free_universe(&u);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_short_keys(void **state) {
    (void)state;
    run_style(short_key, 3000, 25, 300, 1);
}

static void test_random_keys(void **state) {
    (void)state;
    run_style(random_key, 12000, 7, 2000, 2);
}

static void test_long_prefixes(void **state) {
    (void)state;
    run_style(long_prefix_key, 12000, 7, 2000, 3);
}

static void test_ties(void **state) {
    (void)state;
    run_style(tied_key, 12000, 7, 2000, 4);
}

static void test_huge_keys(void **state) {
    (void)state;
    run_style(huge_key, 2000, 8, 400, 5);
}

static int by_bytes(const void *a, const void *b) {
    return model_compare(1, a, b);
}

/* Builds of all styles of keys; three levels of pages where the keys are huge. */
static void test_builds(void **state) {
    static const key_style styles[] = { short_key, random_key, long_prefix_key, tied_key, huge_key };
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges *r = open_ranges(env, PSH_RANGES_BYTES, KEY_MOST);
    uint64_t seed = 8;
    psh_bytes keys[4000];
    size_t style, i;
    universe u;
    model m;

    (void)state;
    for (style = 0; style < 5; style++) {
        make_universe(&u, 3999, styles[style], &seed);
        model_open(&m, 1, 4000, 0);
        qsort(u.key, u.n, sizeof *u.key, by_bytes);
        for (i = 0; i < u.n; i++)
            if (u.key[i].size)
                model_set(&m, &u.key[i], (uint32_t)i);
        for (i = 0; i < m.n; i++)
            keys[i] = (psh_bytes){ m.key[i].data, m.key[i].size };
        assert_ok(psh_ranges_build_bytes(r, keys, m.owner, m.n, NULL));
        check_tree(psh_ranges_current(r));
        check_walk(psh_ranges_current(r), &m);
        check_many(psh_ranges_current(r), &m, &u, &seed);
        if (style == 4)
            assert_int_equal(psh_ranges_current(r)->tree.height, 2);
        model_close(&m);
        free_universe(&u);
    }
    psh_ranges_destroy(r);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* 20 bytes alike, then a number. */
static psh_bytes clustered_key(unsigned char *out, unsigned char letter, uint32_t number) {
    memset(out, letter, 20);
    out[20] = out[21] = 0;
    out[22] = (unsigned char)(number >> 8);
    out[23] = (unsigned char)number;
    return (psh_bytes){ out, 24 };
}

/* Children at both ends of a page hold keys that lack its prefix: what was found of the prefix in a key on the
 * way says nothing about those. */
static void test_other_prefixes_at_the_ends(void **state) {
    enum { N = 1061, Z = 240, A = 960 }; /* leaves of a build: 240 each; the last one begins with one 'A' */
    static const unsigned char letters[] = { 'A' - 1, 'A', 'A' + 1 };
    static unsigned char bytes[N][24];
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges *r = open_ranges(env, PSH_RANGES_BYTES, 64);
    unsigned char key[24];
    psh_bytes keys[N] = { { "", 0 } };
    size_t i, j;
    model_key k;
    model m;

    (void)state;
    model_open(&m, 1, N, 0);
    for (i = 1; i < N; i++) {
        j = i < Z ? 0 : i <= A ? 1 : 2;
        keys[i] = clustered_key(bytes[i], letters[j], (uint32_t)(1000 + 4 * i));
        m.key[i] = (model_key){ 0, keys[i].data, keys[i].size };
        m.owner[i] = (uint32_t)i;
    }
    m.n = N;
    assert_ok(psh_ranges_build_bytes(r, keys, m.owner, N, NULL));
    assert_int_equal(psh_ranges_current(r)->tree.height, 1);
    assert_int_equal(psh_ranges_current(r)->tree.root->prefix, 22);
    for (j = 0; j < 3; j++) {
        for (i = 0; i < 12000; i += 3) {
            clustered_key(key, letters[j], (uint32_t)i);
            k = (model_key){ 0, key, 24 };
            check_find(psh_ranges_current(r), &m, &k);
            psh_ranges_find_many_bytes(psh_ranges_current(r), &(psh_bytes){ key, 24 }, 1, m.owner + N - 1);
            assert_int_equal(m.owner[N - 1], psh_ranges_find_bytes(psh_ranges_current(r), key, 24));
            m.owner[N - 1] = N - 1;
        }
    }
    psh_ranges_destroy(r);
    model_close(&m);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status count_visits(void *user, const psh_range *r) {
    (void)r;
    ++*(size_t *)user;
    return PSH_OK;
}

static size_t visits(const psh_ranges_epoch *e, const char *from, const char *to, psh_status expected) {
    psh_bytes a = { from, strlen(from) }, b = { to, to ? strlen(to) : 0 };
    size_t n = 0;

    assert_int_equal(psh_ranges_walk_bytes(e, &a, to ? &b : NULL, count_visits, &n), expected);
    return n;
}

static void test_refusals_and_walks(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges *r = open_ranges(env, PSH_RANGES_BYTES, 4);
    psh_error err = { .struct_size = sizeof err };
    psh_range_edit x[2] = { { PSH_RANGE_SET, 1, 0, "b", 1 }, { PSH_RANGE_SET, 2, 0, "d", 1 } };
    psh_range_edit bad = { PSH_RANGE_SET, 1, 0, "abcde", 5 };
    psh_bytes keys[2] = { { "", 0 }, { "abcde", 5 } };
    uint32_t owners[2] = { 1, 2 };
    const psh_ranges_epoch *e;
    size_t n = 0;

    (void)state;
    assert_ok(psh_ranges_apply(r, x, 2, sizeof *x, NULL));
    assert_int_equal(psh_ranges_apply(r, &bad, 1, sizeof bad, &err), PSH_E_LIMIT);
    assert_string_equal(err.field, "edits[0]");
    bad = (psh_range_edit){ PSH_RANGE_SET, 1, 0, NULL, 1 };
    assert_int_equal(psh_ranges_apply(r, &bad, 1, sizeof bad, &err), PSH_E_INVALID);
    bad = (psh_range_edit){ PSH_RANGE_REMOVE, 1, 0, "", 0 };
    assert_int_equal(psh_ranges_apply(r, &bad, 1, sizeof bad, &err), PSH_E_STATE);
    bad = (psh_range_edit){ PSH_RANGE_REMOVE, 1, 0, "b\0", 2 };
    assert_int_equal(psh_ranges_apply(r, &bad, 1, sizeof bad, &err), PSH_E_NOT_FOUND);
    assert_int_equal(psh_ranges_build_bytes(r, keys, owners, 2, &err), PSH_E_LIMIT);
    keys[1].size = 0;
    assert_int_equal(psh_ranges_build_bytes(r, keys, owners, 2, &err), PSH_E_INVALID);
    assert_int_equal(psh_ranges_build_bytes(r, keys, owners, 0, &err), PSH_E_INVALID);
    assert_int_equal(psh_ranges_build_u64(r, &x[0].key, owners, 1, &err), PSH_E_INVALID);
    e = psh_ranges_current(r);
    assert_int_equal(psh_ranges_find_u64(e, 1), PSH_NONE);
    assert_int_equal(visits(e, "", NULL, PSH_OK), 3);
    assert_int_equal(visits(e, "b", "c", PSH_OK), 1);
    assert_int_equal(visits(e, "a", "bb", PSH_OK), 2);
    assert_int_equal(visits(e, "a", "a", PSH_OK), 0);
    assert_int_equal(visits(e, "a", "b", PSH_OK), 1);
    assert_int_equal(visits(e, "e", NULL, PSH_OK), 1);
    assert_int_equal(visits(e, "b", "a", PSH_E_INVALID), 0);
    assert_int_equal(psh_ranges_walk_u64(e, 0, 1, count_visits, &n), PSH_E_INVALID);
    assert_int_equal(psh_ranges_walk_bytes(e, NULL, NULL, count_visits, &n), PSH_E_INVALID);
    assert_int_equal(n, 0);
    psh_ranges_destroy(r);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status scenario(psh_env *env, void *user) {
    const universe *u = user;
    psh_ranges_options o;
    psh_range_edit x[600];
    psh_ranges *r = NULL;
    psh_status st;
    size_t i;

    assert_ok(psh_ranges_options_init(&o, sizeof o));
    o.kind = PSH_RANGES_BYTES;
    for (i = 0; i < 600; i++)
        x[i] = model_edit(PSH_RANGE_SET, &u->key[i], (uint32_t)i);
    st = psh_ranges_create(env, &o, &r, NULL);
    if (st == PSH_OK) {
        st = psh_ranges_apply(r, x, 600, sizeof *x, NULL);
        assert_int_equal(psh_ranges_number(psh_ranges_current(r)), st == PSH_OK ? 2 : 1);
        assert_int_equal(psh_ranges_count(psh_ranges_current(r)), st == PSH_OK ? 601 : 1);
    }
    psh_ranges_destroy(r);
    return st;
}

static void test_memory_may_fail(void **state) {
    uint64_t seed = 6;
    universe u;

    (void)state;
    make_universe(&u, 600, random_key, &seed);
    test_every_allocation(scenario, &u);
    free_universe(&u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_keys),
        cmocka_unit_test(test_random_keys),
        cmocka_unit_test(test_long_prefixes),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_huge_keys),
        cmocka_unit_test(test_builds),
        cmocka_unit_test(test_other_prefixes_at_the_ends),
        cmocka_unit_test(test_refusals_and_walks),
        cmocka_unit_test(test_memory_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
