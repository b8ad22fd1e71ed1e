/* SPDX-License-Identifier: MIT */
/* Range maps of numbers: random edits against sorted arrays, epochs, limits, refusals, failing memory. */
#include "ranges_model.h"

static uint64_t special(uint64_t *seed) {
    static const uint64_t some[] = { 0, 1, UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 63, INT64_MAX };

    return some[pshi_rng_next(seed) % 6];
}

/* Numbers in a space of 2^bits, now and then the outermost. */
static model_key random_number(uint64_t *seed, uint32_t bits) {
    uint64_t x = pshi_rng_next(seed);

    return (model_key){ x % 50 == 0 ? special(seed) : pshi_rng_next(seed) >> (64 - bits), NULL, 0 };
}

static void check_many(const psh_ranges_epoch *e, const model *m, uint64_t *seed, uint32_t bits) {
    uint64_t keys[100];
    uint32_t owners[101], form;
    size_t n = pshi_rng_next(seed) % 101, i;
    const pshi_range_find *f;
    model_key k;

    for (i = 0; i < n; i++) {
        k = i % 2 ? m->key[pshi_rng_next(seed) % m->n] : random_number(seed, bits);
        keys[i] = k.number;
        check_find(e, m, &k);
    }
    for (form = PSHI_FIND_PLAIN; form <= PSHI_FIND_AVX512; form++) {
        f = pshi_range_find_form(form);
        owners[n] = 12345;
        if (!f)
            continue;
        f->numbers(&e->tree, keys, n, owners);
        for (i = 0; i < n; i++)
            assert_int_equal(owners[i], psh_ranges_find_u64(e, keys[i]));
        assert_int_equal(owners[n], 12345);
    }
    psh_ranges_find_many_u64(e, keys, n, owners);
    for (i = 0; i < n; i++)
        assert_int_equal(owners[i], psh_ranges_find_u64(e, keys[i]));
}

/* rounds batches, each of up to `most` edits, of which sets are `sets` in 10; checks all after each. */
static void edit_at_random(
    psh_ranges *r, model *m, uint64_t *seed, uint32_t bits, size_t rounds, size_t most, uint32_t sets) {
    psh_range_edit *edits = malloc(most * sizeof *edits);
    psh_ranges_reader *reader;
    const psh_ranges_epoch *before;
    size_t n, i;
    model old;
    model_key k;

    model_open(&old, 0, m->cap, 0);
    assert_ok(psh_ranges_reader_create(r, &reader));
    for (; rounds; rounds--) {
        before = psh_ranges_pin(reader);
        model_copy(&old, m);
        for (n = 0, i = pshi_rng_next(seed) % most; n <= i; n++) {
            k = pshi_rng_next(seed) % 3 ? random_number(seed, bits) : m->key[pshi_rng_next(seed) % m->n];
            edits[n] = model_edit(PSH_RANGE_SET, &k, (uint32_t)pshi_rng_next(seed) % 20);
            if (pshi_rng_next(seed) % 10 >= sets) {
                k = m->key[pshi_rng_next(seed) % m->n];
                edits[n] = model_edit(k.number ? PSH_RANGE_REMOVE : PSH_RANGE_SET, &k, 3);
            }
            if (edits[n].op == PSH_RANGE_REMOVE)
                assert_ok(model_remove(m, &k));
            else
                model_set(m, &k, edits[n].owner);
        }
        assert_ok(psh_ranges_apply(r, edits, n, sizeof *edits, NULL));
        check_tree(psh_ranges_current(r));
        check_walk(psh_ranges_current(r), m);
        check_many(psh_ranges_current(r), m, seed, bits);
        check_walk(before, &old); /* what is pinned stays as it was */
        assert_in_range(check_diff(before, &old, psh_ranges_current(r), m), 0, n);
        psh_ranges_unpin(reader);
    }
    psh_ranges_reader_destroy(reader);
    model_close(&old);
    free(edits);
}

static void test_random_edits(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges *r = open_ranges(env, PSH_RANGES_U64, 1);
    uint64_t seed = 3;
    model m;

    (void)state;
    model_open(&m, 0, 60000, 0);
    edit_at_random(r, &m, &seed, 8, 60, 10, 5);
    edit_at_random(r, &m, &seed, 12, 60, 300, 7);
    edit_at_random(r, &m, &seed, 64, 30, 2000, 9);
    edit_at_random(r, &m, &seed, 64, 60, 2000, 2);
    edit_at_random(r, &m, &seed, 64, 30, 3000, 0); /* down to next to nothing */
    assert_true(m.n < 400);
    psh_ranges_destroy(r);
    model_close(&m);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* Three levels, then all but the first range taken out again in an order of its own. */
static void test_high_trees(void **state) {
    enum { N = 300000 };
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges *r = open_ranges(env, PSH_RANGES_U64, 1);
    psh_range_edit *edits = calloc(N, sizeof *edits);
    uint64_t *keys = calloc(N, sizeof *keys), i, step = 7919;
    uint32_t *owners = calloc(N, sizeof *owners);
    uint64_t seed = 9;
    model m;

    (void)state;
    model_open(&m, 0, N + 1000, 0);
    for (i = 0; i < N; i++) {
        keys[i] = i * 8;
        owners[i] = (uint32_t)(i % 1000);
        m.key[i] = (model_key){ keys[i], NULL, 0 };
        m.owner[i] = owners[i];
    }
    m.n = N;
    assert_ok(psh_ranges_build_u64(r, keys, owners, N, NULL));
    assert_int_equal(psh_ranges_current(r)->tree.height, 2);
    edit_at_random(r, &m, &seed, 22, 3, 500, 6);
    for (i = 1; i < N; i++)
        edits[i - 1] = (psh_range_edit){ PSH_RANGE_REMOVE, 0, i * step % N * 8, NULL, 0 };
    assert_ok(psh_ranges_build_u64(r, keys, owners, N, NULL));
    for (i = 0; i < N - 1; i += 50000) {
        assert_ok(psh_ranges_apply(r, edits + i, i + 50000 < N - 1 ? 50000 : N - 1 - i, sizeof *edits, NULL));
        check_tree(psh_ranges_current(r));
    }
    assert_int_equal(psh_ranges_count(psh_ranges_current(r)), 1);
    assert_int_equal(psh_ranges_current(r)->tree.height, 0);
    free(edits);
    free(keys);
    free(owners);
    psh_ranges_destroy(r);
    model_close(&m);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* Keys that come in order, up or down, leave pages well filled. */
static void test_sequential_edits(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges *r;
    psh_range_edit e = { PSH_RANGE_SET, 1, 0, NULL, 0 };
    uint64_t i;
    int down;

    (void)state;
    for (down = 0; down < 2; down++) {
        r = open_ranges(env, PSH_RANGES_U64, 1);
        for (i = 1; i <= 20000; i++) {
            e.key = down ? 30000 - i : i;
            e.owner = (uint32_t)i;
            assert_ok(psh_ranges_apply(r, &e, 1, sizeof e, NULL));
        }
        check_tree(psh_ranges_current(r));
        assert_int_equal(psh_ranges_number(psh_ranges_current(r)), 20001);
        for (i = 1; i <= 20000; i++)
            assert_int_equal(psh_ranges_find_u64(psh_ranges_current(r), down ? 30000 - i : i), i);
        assert_true(stats_of(r).bytes < 20000 * (down ? 17 : 14) + 40000);
        psh_ranges_destroy(r);
    }
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_builds(void **state) {
    static const size_t sizes[] = { 1, 2, 15, 16, 17, 239, 240, 241, 256, 257, 5000, 120000 };
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges *r = open_ranges(env, PSH_RANGES_U64, 1);
    uint64_t *keys = calloc(120000, sizeof *keys), seed = 1;
    uint32_t *owners = calloc(120000, sizeof *owners);
    size_t i, j;
    model m;

    (void)state;
    model_open(&m, 0, 120000, 0);
    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (j = 0; j < sizes[i]; j++) {
            keys[j] = j ? keys[j - 1] + 1 + pshi_rng_next(&seed) % 100 : 0;
            if (j && j + 1 == sizes[i])
                keys[j] = UINT64_MAX;
            owners[j] = (uint32_t)pshi_rng_next(&seed);
            m.key[j].number = keys[j];
            m.owner[j] = owners[j];
        }
        m.n = sizes[i];
        assert_ok(psh_ranges_build_u64(r, keys, owners, sizes[i], NULL));
        check_tree(psh_ranges_current(r));
        check_walk(psh_ranges_current(r), &m);
        check_many(psh_ranges_current(r), &m, &seed, 23);
        assert_int_equal(stats_of(r).bytes_waiting, 0);
    }
    assert_true(stats_of(r).bytes < 120000 * 14);
    free(keys);
    free(owners);
    psh_ranges_destroy(r);
    model_close(&m);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status count_some(void *user, const psh_range *r) {
    uint64_t *seen = user;

    (void)r;
    return ++*seen == 3 ? PSH_END : PSH_OK;
}

static psh_status take_bounds(void *user, const psh_range *r) {
    uint64_t *bounds = user;

    bounds[0] = bounds[2] ? bounds[0] : r->first;
    bounds[1] = r->last;
    bounds[2]++;
    return PSH_OK;
}

static void test_walks_of_a_part(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges *r = open_ranges(env, PSH_RANGES_U64, 1);
    const psh_ranges_epoch *e;
    psh_range_edit edit = { PSH_RANGE_SET, 1, 0, NULL, 0 };
    uint64_t bounds[3], seen = 0, i;

    (void)state;
    for (i = 1; i < 1000; i++) {
        edit.key = i * 10;
        assert_ok(psh_ranges_apply(r, &edit, 1, sizeof edit, NULL));
    }
    e = psh_ranges_current(r);
    memset(bounds, 0, sizeof bounds);
    assert_ok(psh_ranges_walk_u64(e, 15, 39, take_bounds, bounds));
    assert_true(bounds[0] == 10 && bounds[1] == 39 && bounds[2] == 3);
    memset(bounds, 0, sizeof bounds);
    assert_ok(psh_ranges_walk_u64(e, 2549, 2560, take_bounds, bounds));
    assert_true(bounds[0] == 2540 && bounds[1] == 2569 && bounds[2] == 3);
    memset(bounds, 0, sizeof bounds);
    assert_ok(psh_ranges_walk_u64(e, UINT64_MAX, UINT64_MAX, take_bounds, bounds));
    assert_true(bounds[0] == 9990 && bounds[1] == UINT64_MAX && bounds[2] == 1);
    assert_int_equal(psh_ranges_walk_u64(e, 0, 500, count_some, &seen), PSH_END);
    assert_int_equal(seen, 3);
    assert_int_equal(psh_ranges_walk_u64(e, 2, 1, count_some, &seen), PSH_E_INVALID);
    assert_int_equal(psh_ranges_walk_bytes(e, &(psh_bytes){ "", 0 }, NULL, count_some, &seen), PSH_E_INVALID);
    assert_int_equal(psh_ranges_walk_u64(e, 0, 1, NULL, NULL), PSH_E_INVALID);
    psh_ranges_destroy(r);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void expect_nothing(psh_ranges *r, const psh_range_edit *x, size_t n, psh_status st, const char *field) {
    psh_error err = { .struct_size = sizeof err };
    const psh_ranges_epoch *before = psh_ranges_current(r);
    uint64_t bytes = stats_of(r).bytes;

    assert_int_equal(psh_ranges_apply(r, x, n, sizeof *x, &err), st);
    assert_int_equal(err.code, st);
    assert_string_equal(err.field, field);
    assert_ptr_equal(psh_ranges_current(r), before);
    assert_int_equal(stats_of(r).bytes, bytes);
}

static void test_refusals(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges_options o;
    psh_error err = { .struct_size = sizeof err };
    psh_range_edit x[3] = { { PSH_RANGE_SET, 1, 10, NULL, 0 }, { PSH_RANGE_SET, 2, 20, NULL, 0 } };
    uint64_t keys[] = { 0, 5, 5, 1 };
    uint32_t owners[] = { 1, 2, 3, 4 };
    psh_ranges *r;
    model m;

    (void)state;
    assert_int_equal(psh_ranges_options_init(NULL, sizeof o), PSH_E_INVALID);
    assert_ok(psh_ranges_options_init(&o, sizeof o));
    o.max_ranges = 3;
    assert_ok(psh_ranges_create(env, &o, &r, NULL));
    assert_int_equal(psh_ranges_find_u64(psh_ranges_current(r), 7), PSH_NONE);
    assert_int_equal(psh_ranges_find_bytes(psh_ranges_current(r), "a", 1), PSH_NONE);
    psh_ranges_find_many_bytes(psh_ranges_current(r), &(psh_bytes){ "a", 1 }, 1, owners);
    assert_int_equal(owners[0], PSH_NONE);
    model_open(&m, 0, 10, PSH_NONE);
    x[2] = (psh_range_edit){ PSH_RANGE_REMOVE, 0, 15, NULL, 0 };
    expect_nothing(r, x, 3, PSH_E_NOT_FOUND, "edits[2]");
    x[2].key = 0;
    expect_nothing(r, x, 3, PSH_E_STATE, "edits[2]");
    x[2] = (psh_range_edit){ PSH_RANGE_SET, 0, 15, NULL, 0 };
    x[1].op = 3;
    expect_nothing(r, x, 3, PSH_E_INVALID, "edits[1]");
    x[1].op = PSH_RANGE_SET;
    expect_nothing(r, NULL, 1, PSH_E_INVALID, "edits");
    check_walk(psh_ranges_current(r), &m);
    assert_ok(psh_ranges_apply(r, x, 2, sizeof *x, NULL));
    expect_nothing(r, x, 3, PSH_E_LIMIT, "edits[2]");
    assert_ok(psh_ranges_apply(r, NULL, 0, 0, NULL)); /* nothing to do is an epoch too */
    assert_int_equal(psh_ranges_number(psh_ranges_current(r)), 3);
    assert_int_equal(psh_ranges_build_u64(r, keys, owners, 3, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "keys[2]");
    assert_int_equal(psh_ranges_build_u64(r, keys + 1, owners, 1, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "keys[0]");
    assert_int_equal(psh_ranges_build_u64(r, keys, owners, 4, &err), PSH_E_LIMIT);
    assert_int_equal(psh_ranges_build_u64(r, keys, owners, 0, &err), PSH_E_INVALID);
    assert_int_equal(psh_ranges_build_bytes(r, &(psh_bytes){ "", 0 }, owners, 1, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "kind");
    assert_int_equal(psh_ranges_get_stats(r, NULL), PSH_E_INVALID);
    psh_ranges_destroy(r);
    psh_ranges_destroy(NULL);
    model_close(&m);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void refuse_option(psh_env *env, psh_ranges_options o, psh_status st, const char *field) {
    psh_error err = { .struct_size = sizeof err };
    psh_ranges *r;

    assert_int_equal(psh_ranges_create(env, &o, &r, &err), st);
    assert_null(r);
    assert_string_equal(err.field, field);
}

static void test_options(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges_options o, x;

    (void)state;
    assert_ok(psh_ranges_options_init(&o, sizeof o));
    x = o;
    x.flags = 1;
    refuse_option(env, x, PSH_E_UNSUPPORTED, "flags");
    x = o;
    x.kind = 3;
    refuse_option(env, x, PSH_E_INVALID, "kind");
    x = o;
    x.max_key_bytes = 4097;
    refuse_option(env, x, PSH_E_INVALID, "max_key_bytes");
    x = o;
    x.max_readers = 4097;
    refuse_option(env, x, PSH_E_INVALID, "max_readers");
    x = o;
    x.max_ranges = UINT32_MAX;
    refuse_option(env, x, PSH_E_INVALID, "max_ranges");
    refuse_option(NULL, o, PSH_E_INVALID, "env");
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_a_stalled_reader_shows(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges_options o;
    psh_ranges *r;
    psh_ranges_reader *slow, *fast, *none;
    const psh_ranges_epoch *held, *e;
    psh_range_edit x = { PSH_RANGE_SET, 0, 10, NULL, 0 };
    uint32_t i;

    (void)state;
    assert_ok(psh_ranges_options_init(&o, sizeof o));
    o.max_readers = 2;
    assert_ok(psh_ranges_create(env, &o, &r, NULL));
    assert_ok(psh_ranges_reader_create(r, &slow));
    assert_ok(psh_ranges_reader_create(r, &fast));
    assert_int_equal(psh_ranges_reader_create(r, &none), PSH_E_LIMIT);
    assert_null(none);
    held = psh_ranges_pin(slow);
    e = psh_ranges_pin(fast);
    assert_ptr_equal(e, held);
    assert_ptr_equal(psh_ranges_refresh(fast), held);
    for (i = 1; i <= 20; i++) {
        x.owner = i;
        assert_ok(psh_ranges_apply(r, &x, 1, sizeof x, NULL));
        e = psh_ranges_refresh(fast);
        assert_ptr_equal(e, psh_ranges_current(r));
        assert_ptr_equal(psh_ranges_refresh(fast), e);
        assert_int_equal(psh_ranges_find_u64(e, 11), i);
    }
    assert_int_equal(psh_ranges_find_u64(held, 11), PSH_NONE);
    assert_int_equal(stats_of(r).readers, 2);
    assert_int_equal(stats_of(r).number, 21);
    assert_int_equal(stats_of(r).oldest_pinned, 1);
    assert_int_equal(stats_of(r).retired, 20);
    assert_true(stats_of(r).bytes_waiting > 0);
    assert_true(stats_of(r).bytes > stats_of(r).bytes_waiting);
    psh_ranges_unpin(slow);
    assert_int_equal(stats_of(r).retired, 0);
    assert_int_equal(stats_of(r).bytes_waiting, 0);
    assert_int_equal(stats_of(r).oldest_pinned, 21);
    psh_ranges_unpin(fast);
    psh_ranges_reader_destroy(slow);
    psh_ranges_reader_destroy(fast);
    psh_ranges_reader_destroy(NULL);
    psh_ranges_destroy(r);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status scenario(psh_env *env, void *user) {
    enum { N = 700 };
    psh_range_edit x[N];
    uint64_t keys[N], i;
    uint32_t owners[N];
    psh_ranges *r = NULL;
    psh_ranges_reader *reader = NULL;
    psh_status st = psh_ranges_create(env, NULL, &r, NULL);

    (void)user;
    for (i = 0; i < N; i++) {
        keys[i] = i * 5;
        owners[i] = (uint32_t)i;
        x[i] = (psh_range_edit){ PSH_RANGE_SET, 4, i * 7919 % N * 3, NULL, 0 };
    }
    if (st == PSH_OK)
        st = psh_ranges_reader_create(r, &reader);
    if (st == PSH_OK)
        st = psh_ranges_build_u64(r, keys, owners, N, NULL);
    if (st == PSH_OK) {
        st = psh_ranges_apply(r, x, N, sizeof *x, NULL);
        assert_int_equal(psh_ranges_number(psh_ranges_current(r)), st == PSH_OK ? 3 : 2);
        assert_int_equal(psh_ranges_find_u64(psh_ranges_current(r), 6), st == PSH_OK ? 4 : 1);
        check_tree(psh_ranges_current(r));
    }
    for (i = 1; st == PSH_OK && i < N; i++)
        x[i].op = x[i].key ? PSH_RANGE_REMOVE : PSH_RANGE_SET;
    if (st == PSH_OK)
        st = psh_ranges_apply(r, x, N, sizeof *x, NULL);
    psh_ranges_reader_destroy(reader);
    psh_ranges_destroy(r);
    return st;
}

static void test_memory_may_fail(void **state) {
    (void)state;
    test_every_allocation(scenario, NULL);
}

/* Edits in a struct of a later version: its stride is the caller's. */
static void test_stride(void **state) {
    struct wide {
        psh_range_edit x;
        uint64_t more;
    } wide[2] = { { { PSH_RANGE_SET, 5, 100, NULL, 0 }, 1 }, { { PSH_RANGE_SET, 6, 200, NULL, 0 }, 2 } };
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges *r = open_ranges(env, PSH_RANGES_U64, 1);

    (void)state;
    assert_ok(psh_ranges_apply(r, &wide[0].x, 2, sizeof wide[0], NULL));
    assert_int_equal(psh_ranges_find_u64(psh_ranges_current(r), 150), 5);
    assert_int_equal(psh_ranges_find_u64(psh_ranges_current(r), 200), 6);
    assert_ok(pshi_ranges_force(r, PSHI_FIND_PLAIN));
    assert_int_equal(pshi_ranges_force(r, 77), PSH_E_UNSUPPORTED);
    psh_ranges_destroy(r);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_edits),
        cmocka_unit_test(test_high_trees),
        cmocka_unit_test(test_sequential_edits),
        cmocka_unit_test(test_builds),
        cmocka_unit_test(test_walks_of_a_part),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_a_stalled_reader_shows),
        cmocka_unit_test(test_memory_may_fail),
        cmocka_unit_test(test_stride),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
