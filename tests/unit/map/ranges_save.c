/* SPDX-License-Identifier: MIT */
/* Saved range maps: as they were, damaged, hostile; the dump. */
#include "codec/frame.h"
#include "ranges_model.h"

static int same_bytes(const psh_buffer *a, const psh_buffer *b) {
    return psh_buffer_size(a) == psh_buffer_size(b) &&
           memcmp(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a)) == 0;
}

static psh_status try_load(psh_env *env, uint32_t kind, const void *data, size_t size, size_t max_bytes) {
    psh_ranges *r = open_ranges(env, kind, 64);
    psh_error err = { .struct_size = sizeof err };
    const psh_ranges_epoch *before = psh_ranges_current(r);
    psh_status st = psh_ranges_load(r, data, size, max_bytes, &err);

    if (st != PSH_OK) {
        assert_int_equal(err.code, st);
        assert_ptr_equal(psh_ranges_current(r), before);
        assert_int_equal(psh_ranges_count(before), 1);
    }
    psh_ranges_destroy(r);
    return st;
}

/* Saved, loaded into another map, saved again: the same ranges and the same bytes. */
static size_t check_round(psh_env *env, psh_ranges *r, uint32_t kind, const model *m) {
    psh_ranges *copy = open_ranges(env, kind, 1024);
    psh_buffer *a, *b;
    size_t size;

    assert_ok(psh_buffer_create(env, &a));
    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_ranges_save(psh_ranges_current(r), a));
    assert_ok(psh_ranges_load(copy, psh_buffer_data(a), psh_buffer_size(a), 0, NULL));
    assert_int_equal(psh_ranges_number(psh_ranges_current(copy)), 2);
    check_tree(psh_ranges_current(copy));
    check_walk(psh_ranges_current(copy), m);
    assert_ok(psh_ranges_save(psh_ranges_current(copy), b));
    assert_true(same_bytes(a, b));
    size = psh_buffer_size(a);
    psh_buffer_destroy(a);
    psh_buffer_destroy(b);
    psh_ranges_destroy(copy);
    return size;
}

static void test_numbers(void **state) {
    static const uint32_t bits[] = { 10, 17, 32, 45, 64 };
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges *r = open_ranges(env, PSH_RANGES_U64, 1);
    psh_range_edit x[700];
    uint64_t seed = 4;
    size_t i, j;
    model m;

    (void)state;
    model_open(&m, 0, 5000, 0);
    check_round(env, r, PSH_RANGES_U64, &m);
    for (i = 0; i < 5; i++) {
        for (j = 0; j < 700; j++) {
            x[j] = (psh_range_edit){ PSH_RANGE_SET, (uint32_t)pshi_rng_next(&seed) >> 20,
                                     pshi_rng_next(&seed) >> (64 - bits[i]), NULL, 0 };
            if (j % 60 == 0)
                x[j].owner = j % 120 ? PSH_NONE : UINT32_MAX - 1;
            model_set(&m, &(model_key){ x[j].key, NULL, 0 }, x[j].owner);
        }
        assert_ok(psh_ranges_apply(r, x, 700, sizeof *x, NULL));
        check_round(env, r, PSH_RANGES_U64, &m);
    }
    x[0] = (psh_range_edit){ PSH_RANGE_SET, 9, UINT64_MAX, NULL, 0 };
    model_set(&m, &(model_key){ UINT64_MAX, NULL, 0 }, 9);
    assert_ok(psh_ranges_apply(r, x, 1, sizeof *x, NULL));
    check_round(env, r, PSH_RANGES_U64, &m);
    psh_ranges_destroy(r);
    model_close(&m);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* 2^16 owners over numbers as far apart as 64 bits let them be: 8 bytes a range and less. */
static void test_size(void **state) {
    enum { N = 100000 };
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges *r = open_ranges(env, PSH_RANGES_U64, 1);
    uint64_t *keys = calloc(N, sizeof *keys), seed = 2, step = UINT64_C(1) << 44;
    uint32_t *owners = calloc(N, sizeof *owners);
    size_t i;
    model m;

    (void)state;
    model_open(&m, 0, N, 0);
    for (i = 0; i < N; i++) {
        keys[i] = i ? keys[i - 1] + 1 + pshi_rng_next(&seed) % (2 * step) : 0;
        owners[i] = (uint32_t)(pshi_rng_next(&seed) >> 48);
        m.key[i].number = keys[i];
        m.owner[i] = owners[i];
    }
    m.n = N;
    assert_ok(psh_ranges_build_u64(r, keys, owners, N, NULL));
    assert_in_range(check_round(env, r, PSH_RANGES_U64, &m), N * 6, N * 8);
    free(keys);
    free(owners);
    psh_ranges_destroy(r);
    model_close(&m);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_byte_keys(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_ranges *r = open_ranges(env, PSH_RANGES_BYTES, 64);
    unsigned char bytes[900][20];
    psh_range_edit x[900];
    uint64_t seed = 4;
    size_t i, j;
    model m;

    (void)state;
    model_open(&m, 1, 1000, 0);
    check_round(env, r, PSH_RANGES_BYTES, &m);
    for (i = 0; i < 900; i++) {
        for (j = 0; j < 20; j++)
            bytes[i][j] = (unsigned char)(j < 9 ? pshi_rng_next(&seed) % 2 * 255 : pshi_rng_next(&seed));
        x[i] = (psh_range_edit){ PSH_RANGE_SET, (uint32_t)(i % 7 ? i : PSH_NONE), 0, bytes[i],
                                 pshi_rng_next(&seed) % 21 };
        model_set(&m, &(model_key){ 0, bytes[i], (size_t)x[i].size }, x[i].owner);
    }
    assert_ok(psh_ranges_apply(r, x, 900, sizeof *x, NULL));
    check_round(env, r, PSH_RANGES_BYTES, &m);
    psh_ranges_destroy(r);
    model_close(&m);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* A small map of either kind, saved. */
static psh_buffer *saved_map(psh_env *env, uint32_t kind) {
    psh_ranges *r = open_ranges(env, kind, 64);
    psh_range_edit x[70];
    psh_buffer *b;
    size_t i;

    for (i = 0; i < 70; i++)
        x[i] = (psh_range_edit){ PSH_RANGE_SET, (uint32_t)i, i * i * 1000, &"abcdefg"[i % 5], 1 + i % 3 };
    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_ranges_apply(r, x, 70, sizeof *x, NULL));
    assert_ok(psh_ranges_save(psh_ranges_current(r), b));
    psh_ranges_destroy(r);
    return b;
}

static void test_damage(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    uint32_t kind;
    psh_buffer *b;
    unsigned char *copy;
    size_t size, i;

    (void)state;
    for (kind = PSH_RANGES_U64; kind <= PSH_RANGES_BYTES; kind++) {
        b = saved_map(env, kind);
        size = psh_buffer_size(b);
        copy = malloc(size + 1);
        memcpy(copy, psh_buffer_data(b), size + 1);
        assert_ok(try_load(env, kind, copy, size, 0));
        assert_int_equal(try_load(env, 3 - kind, copy, size, 0), PSH_E_INVALID);
        for (i = 0; i < size * 8; i++) {
            copy[i / 8] ^= (unsigned char)(1u << (i % 8));
            assert_true(try_load(env, kind, copy, size, 0) < 0);
            copy[i / 8] ^= (unsigned char)(1u << (i % 8));
        }
        for (i = 0; i < size; i++)
            assert_int_equal(try_load(env, kind, copy, i, 0), PSH_E_CORRUPT);
        assert_int_equal(try_load(env, kind, copy, size + 1, 0), PSH_E_CORRUPT);
        assert_int_equal(try_load(env, kind, copy, size, 8), PSH_E_LIMIT);
        assert_int_equal(try_load(env, kind, copy, size, size), PSH_E_LIMIT);
        assert_int_equal(try_load(env, kind, NULL, size, 0), PSH_E_INVALID);
        free(copy);
        psh_buffer_destroy(b);
    }
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* A body with whole checksums, as somebody hostile would write it. */
typedef struct body {
    const unsigned char *data;
    size_t size;
} body;

static void put_body(pshi_writer *w, const void *value) {
    const body *b = value;

    pshi_put_bytes(w, b->data, b->size);
}

static psh_status load_body(psh_env *env, uint32_t kind, const unsigned char *data, size_t size, size_t max_bytes) {
    body in = { data, size };
    psh_buffer *b;
    psh_status st;

    assert_ok(psh_buffer_create(env, &b));
    assert_ok(pshi_frame_save(b, PSHI_KIND_RANGES, put_body, &in));
    st = try_load(env, kind, psh_buffer_data(b), psh_buffer_size(b), max_bytes);
    psh_buffer_destroy(b);
    return st;
}

static void test_hostile_numbers(void **state) {
    static const struct {
        size_t size;
        unsigned char data[16];
    } bad[] = {
        { 2, { 1, 0 } },                            /* no range */
        { 3, { 1, 0xff, 0x7f } },                   /* more than there are bytes for */
        { 12, { 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 1, 0, 0, 1 } }, /* 2^32 - 1 */
        { 2, { 3, 1 } },                            /* a kind there is not */
        { 5, { 1, 1, 65, 0, 1 } },                  /* steps of 65 bits */
        { 5, { 1, 1, 0, 33, 1 } },                  /* owners of 33 bits */
        { 6, { 1, 1, 1, 0, 1, 0 } },                /* a step wider than its bits */
        { 6, { 1, 1, 1, 0, 1, 1 } },                /* the first is not 0 */
        { 6, { 1, 1, 0, 1, 1, 1 } },                /* the least owner is not the least */
        { 6, { 1, 2, 0, 1, 1, 6 } },                /* bits that nobody reads */
        { 6, { 1, 1, 0, 0, 1, 0 } },                /* a byte more */
        { 14, { 1, 3, 64, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff } }, /* cut */
    };
    test_alloc a;
    psh_env *env = test_env(&a);
    unsigned char wrap[40] = { 1, 3, 64, 0, 1 };
    size_t i;

    (void)state;
    assert_ok(load_body(env, PSH_RANGES_U64, (const unsigned char[]){ 1, 2, 0, 1, 1, 2 }, 6, 0));
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(load_body(env, PSH_RANGES_U64, bad[i].data, bad[i].size, 0),
                         i == 2 ? PSH_E_LIMIT : PSH_E_CORRUPT);
    memset(wrap + 13, 0xff, 8); /* 0, then a step to the last key and beyond */
    assert_int_equal(load_body(env, PSH_RANGES_U64, wrap, 29, 0), PSH_E_CORRUPT);
    wrap[13] = 0xfe; /* the last key, then a step of 0 */
    assert_int_equal(load_body(env, PSH_RANGES_U64, wrap, 29, 0), PSH_E_CORRUPT);
    wrap[1] = 2;
    assert_ok(load_body(env, PSH_RANGES_U64, wrap, 21, 0));
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_hostile_bytes(void **state) {
    static const struct {
        size_t size;
        psh_status st;
        unsigned char data[16];
    } bodies[] = {
        { 5, PSH_OK, { 2, 1, 0, 0, 1 } },
        { 9, PSH_OK, { 2, 2, 0, 0, 1, 0, 1, 'a', 0 } },
        { 2, PSH_E_CORRUPT, { 2, 0 } },
        { 5, PSH_E_CORRUPT, { 2, 9, 0, 0, 1 } },                              /* more than bytes for them */
        { 6, PSH_E_CORRUPT, { 2, 1, 0, 1, 'a', 1 } },                         /* the first is not empty */
        { 8, PSH_E_CORRUPT, { 2, 2, 0, 0, 1, 0, 0, 1 } },                     /* twice the same */
        { 9, PSH_E_CORRUPT, { 2, 2, 0, 0, 1, 1, 1, 'a', 1 } },                /* shares what there is not */
        { 13, PSH_E_CORRUPT, { 2, 3, 0, 0, 1, 0, 1, 'b', 0, 0, 1, 'a', 0 } }, /* order */
        { 14, PSH_E_CORRUPT, { 2, 3, 0, 0, 1, 0, 1, 'b', 0, 0, 2, 'b', 'c', 0 } }, /* not the shortest form */
        { 13, PSH_OK, { 2, 3, 0, 0, 1, 0, 1, 'b', 0, 1, 1, 'c', 0 } },
        { 14, PSH_E_CORRUPT, { 2, 3, 0, 0, 1, 0, 1, 'b', 0, 1, 1, 'c', 0, 0 } }, /* a byte more */
        { 8, PSH_E_CORRUPT, { 2, 2, 0, 0, 1, 0, 99, 'a' } },                  /* a blob beyond the end */
    };
    unsigned char long_key[100] = { 2, 2, 0, 0, 1, 0, 65 };
    test_alloc a;
    psh_env *env = test_env(&a);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        assert_int_equal(load_body(env, PSH_RANGES_BYTES, bodies[i].data, bodies[i].size, 0), bodies[i].st);
    assert_int_equal(load_body(env, PSH_RANGES_BYTES, long_key, 73, 0), PSH_E_LIMIT); /* max_key_bytes is 64 */
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status scenario(psh_env *env, void *user) {
    const uint32_t *kind = user;
    psh_ranges_options o;
    psh_ranges *r = NULL;
    psh_buffer *b = NULL;
    psh_range_edit x = { PSH_RANGE_SET, 5, 7, "seven", 5 };
    psh_status st;

    assert_ok(psh_ranges_options_init(&o, sizeof o));
    o.kind = *kind;
    st = psh_ranges_create(env, &o, &r, NULL);
    if (st == PSH_OK)
        st = psh_ranges_apply(r, &x, 1, sizeof x, NULL);
    if (st == PSH_OK)
        st = psh_buffer_create(env, &b);
    if (st == PSH_OK) {
        st = psh_ranges_save(psh_ranges_current(r), b);
        assert_true(st == PSH_OK || !psh_buffer_size(b));
    }
    if (st == PSH_OK) {
        st = psh_ranges_load(r, psh_buffer_data(b), psh_buffer_size(b), 0, NULL);
        assert_int_equal(psh_ranges_number(psh_ranges_current(r)), st == PSH_OK ? 3 : 2);
    }
    if (st == PSH_OK) {
        psh_buffer_clear(b);
        st = psh_ranges_dump(psh_ranges_current(r), b);
        assert_true(st == PSH_OK || !psh_buffer_size(b));
    }
    psh_buffer_destroy(b);
    psh_ranges_destroy(r);
    return st;
}

static void test_memory_may_fail(void **state) {
    uint32_t kind;

    (void)state;
    for (kind = PSH_RANGES_U64; kind <= PSH_RANGES_BYTES; kind++)
        test_every_allocation(scenario, &kind);
}

static void check_dump(psh_env *env, uint32_t kind, const char *text) {
    psh_ranges *r = open_ranges(env, kind, 64);
    psh_range_edit x[2] = { { PSH_RANGE_SET, PSH_NONE, 7, "a\0", 2 }, { PSH_RANGE_SET, 8, UINT64_MAX, "b", 1 } };
    psh_buffer *b;

    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_ranges_apply(r, x, 2, sizeof *x, NULL));
    assert_ok(psh_ranges_dump(psh_ranges_current(r), b));
    assert_string_equal(psh_buffer_data(b), text);
    assert_int_equal(psh_ranges_dump(psh_ranges_current(r), NULL), PSH_E_INVALID);
    assert_int_equal(psh_ranges_save(NULL, b), PSH_E_INVALID);
    assert_int_equal(psh_ranges_load(NULL, text, 1, 0, NULL), PSH_E_INVALID);
    psh_buffer_destroy(b);
    psh_ranges_destroy(r);
}

static void test_dump(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);

    (void)state;
    check_dump(env, PSH_RANGES_U64, "0 owner 0\n7 owner none\n18446744073709551615 owner 8\n");
    check_dump(env, PSH_RANGES_BYTES, "x'' owner 0\nx'6100' owner none\nx'62' owner 8\n");
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_byte_keys),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_hostile_numbers),
        cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_memory_may_fail),
        cmocka_unit_test(test_dump),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
