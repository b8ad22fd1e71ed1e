/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/rng.h"
#include "value/value.h"

#define MOST 3

typedef struct tuple {
    psh_value v[MOST];
    unsigned char text[MOST][8];
} tuple;

static uint64_t below(uint64_t *rng, uint64_t n) {
    return pshi_rng_next(rng) % n;
}

static int64_t some_int(uint64_t *rng) {
    static const int64_t edges[] = { INT64_MIN + 1, -1, 0, 1, 255, 256, INT64_MAX };

    return below(rng, 2) ? edges[below(rng, 7)] : (int64_t)pshi_rng_next(rng) / 2;
}

static double some_double(uint64_t *rng) {
    static const double edges[] = { -1e308, -1, -5e-324, -0.0, 0.0, 5e-324, 1, 1e308 };

    return below(rng, 2) ? edges[below(rng, 8)] : (pshi_rng_unit(rng) - 0.5) * 1e6;
}

/* Few distinct bytes, zeros and 0xff among them, so that prefixes and ties are common. */
static void some_text(uint64_t *rng, psh_value *v, unsigned char text[8]) {
    static const unsigned char alphabet[] = { 0, 1, 0xff, 'a' };
    uint32_t i;

    v->size = (uint32_t)below(rng, 5);
    for (i = 0; i < v->size; i++)
        text[i] = alphabet[below(rng, 4)];
    v->as.data = text;
}

static void some_value(uint64_t *rng, uint32_t type, psh_value *v, unsigned char text[8]) {
    *v = test_null();
    if (!below(rng, 8))
        return;
    v->type = type;
    switch (type) {
    case PSH_TYPE_DOUBLE:
        v->as.f64 = some_double(rng);
        break;
    case PSH_TYPE_DECIMAL:
        v->size = 4;
        v->as.i64 = some_int(rng);
        v->hi = some_int(rng);
        break;
    case PSH_TYPE_BOOL:
        v->as.i64 = (int64_t)below(rng, 2);
        break;
    case PSH_TYPE_TEXT:
    case PSH_TYPE_BYTES:
        some_text(rng, v, text);
        break;
    default:
        v->as.i64 = some_int(rng);
    }
}

static int32_t compare_tuples(const tuple *a, const tuple *b) {
    int32_t r;
    size_t i;

    for (i = 0; i < MOST; i++)
        if ((r = psh_value_compare(&a->v[i], &b->v[i])) != 0)
            return r;
    return 0;
}

static int32_t compare_keys(const psh_buffer *a, const psh_buffer *b) {
    size_t x = psh_buffer_size(a), y = psh_buffer_size(b), n = x < y ? x : y;
    int r = memcmp(psh_buffer_data(a), psh_buffer_data(b), n);

    return r ? r : x < y ? -1 : x > y;
}

static int sign(int32_t x) {
    return (x > 0) - (x < 0);
}

static void fill_tuple(uint64_t *rng, const uint32_t *types, tuple *t, psh_buffer *key) {
    size_t i;

    psh_buffer_clear(key);
    for (i = 0; i < MOST; i++) {
        some_value(rng, types[i], &t->v[i], t->text[i]);
        assert_ok(psh_key_append(key, &t->v[i]));
    }
}

static void check_read_back(const tuple *t, const psh_buffer *key, psh_buffer *scratch) {
    const unsigned char *p = psh_buffer_data(key);
    size_t left = psh_buffer_size(key), used, i;
    psh_value v;

    for (i = 0; i < MOST; i++) {
        assert_ok(psh_key_read(p, left, &used, scratch, &v));
        assert_int_equal(psh_value_compare(&v, &t->v[i]), 0);
        p += used;
        left -= used;
    }
    assert_int_equal(psh_key_read(p, left, &used, scratch, &v), PSH_END);
}

static void key_order_is_value_order(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_buffer *ka, *kb, *scratch;
    uint64_t rng = 42;
    uint32_t types[MOST];
    tuple a, b;
    int i, j;

    (void)state;
    assert_ok(psh_buffer_create(env, &ka));
    assert_ok(psh_buffer_create(env, &kb));
    assert_ok(psh_buffer_create(env, &scratch));
    for (i = 0; i < 50000; i++) {
        for (j = 0; j < MOST; j++)
            types[j] = 1 + (uint32_t)below(&rng, 7);
        fill_tuple(&rng, types, &a, ka);
        fill_tuple(&rng, types, &b, kb);
        assert_int_equal(sign(compare_keys(ka, kb)), sign(compare_tuples(&a, &b)));
        check_read_back(&a, ka, scratch);
    }
    psh_buffer_destroy(ka);
    psh_buffer_destroy(kb);
    psh_buffer_destroy(scratch);
    psh_env_destroy(env);
    assert_int_equal(alloc.live, 0);
}

static void damaged_keys_are_refused(void **state) {
    static const unsigned char bad[][12] = {
        { 0 }, { 9 }, { 7, 'a' }, { 7, 0 }, { 7, 0, 2 }, { 5, 2 }, { 4, 39 }, { 2, 1 },
        { 3, 0xff, 0xf0, 0, 0, 0, 0, 0, 0 }, { 3, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
        { 6, 0, 0, 0, 0, 0, 0, 0, 0 },
    };
    static const size_t sizes[] = { 1, 1, 2, 2, 3, 2, 2, 2, 9, 9, 9 };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_buffer *scratch;
    psh_value v;
    size_t used, i;

    (void)state;
    assert_ok(psh_buffer_create(env, &scratch));
    for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_int_equal(psh_key_read(bad[i], sizes[i], &used, scratch, &v), PSH_E_CORRUPT);
    psh_buffer_destroy(scratch);
    psh_env_destroy(env);
}

static void bad_values_have_no_key(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_buffer *key;
    psh_value v = test_double(0);

    (void)state;
    assert_ok(psh_buffer_create(env, &key));
    v.as.i64 = 0x7ff0000000000000;
    assert_int_equal(psh_key_append(key, &v), PSH_E_INVALID);
    v = test_time(PSH_TIME_NONE);
    assert_int_equal(psh_key_append(key, &v), PSH_E_INVALID);
    v = test_int(1);
    v.type = 8;
    assert_int_equal(psh_key_append(key, &v), PSH_E_INVALID);
    v = test_text("x");
    v.as.data = NULL;
    assert_int_equal(psh_key_append(key, &v), PSH_E_INVALID);
    assert_int_equal(psh_buffer_size(key), 0);
    psh_buffer_destroy(key);
    psh_env_destroy(env);
}

static psh_value decimal(int64_t x, uint32_t scale) {
    psh_value v = test_int(x);

    v.type = PSH_TYPE_DECIMAL;
    v.size = scale;
    v.hi = x < 0 ? -1 : 0;
    return v;
}

static void decimals_compare_by_number(void **state) {
    psh_value a = decimal(150, 2), b = decimal(15, 1), c = decimal(-1, 38), d = decimal(1, 0);

    (void)state;
    assert_int_equal(psh_value_compare(&a, &b), 0);
    assert_true(psh_value_compare(&c, &d) < 0);
    assert_true(psh_value_compare(&d, &a) < 0);
    d.hi = INT64_MAX;
    assert_true(psh_value_compare(&d, &a) > 0);
    c.hi = INT64_MIN;
    assert_true(psh_value_compare(&c, &a) < 0);
    assert_true(psh_value_compare(&d, &c) > 0);
}

static void equal_values_have_one_hash(void **state) {
    psh_value zero = test_double(0.0), minus = test_double(-0.0), text = test_text("1"), i = test_int(1),
              t = test_time(1);

    (void)state;
    assert_int_equal(pshi_value_hash(&zero, 7), pshi_value_hash(&minus, 7));
    assert_int_not_equal(pshi_value_hash(&i, 7), pshi_value_hash(&t, 7));
    assert_int_not_equal(pshi_value_hash(&i, 7), pshi_value_hash(&i, 8));
    assert_int_not_equal(psh_tenant_id(&text), psh_tenant_id(&i));
    text.size = 0;
    text.as.data = NULL;
    assert_int_not_equal(psh_tenant_id(&text), 0);
}

/* Ids are saved, so they must never change: pinned. */
static void tenant_ids_are_pinned(void **state) {
    psh_value atl = test_text("ATL"), one = test_int(1);

    (void)state;
    assert_int_equal(psh_tenant_id(&atl), UINT64_C(0x9d4f531df35976e2));
    assert_int_equal(psh_tenant_id(&one), UINT64_C(0xf2107b7b80aeb486));
    assert_int_equal(psh_ring_point(1, 0), UINT64_C(0x9e0160293a33aaf7));
}

static void ring_points_spread(void **state) {
    int buckets[16] = { 0 }, i;

    (void)state;
    for (i = 1; i <= 16000; i++)
        buckets[psh_ring_point((uint64_t)i, 0) >> 60]++;
    for (i = 0; i < 16; i++)
        assert_in_range(buckets[i], 850, 1150);
    assert_int_not_equal(psh_ring_point(5, 0), psh_ring_point(5, 1));
    for (i = 0; i < 100; i++) /* a segment stands together, and not where another does */
        assert_int_equal(psh_ring_point((uint64_t)i, 7) >> 48, psh_ring_point(1, 7) >> 48);
    assert_int_not_equal(psh_ring_point(1, 7) >> 48, psh_ring_point(1, 8) >> 48);
    assert_int_not_equal(psh_ring_point(1, 7), psh_ring_point(2, 7));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_order_is_value_order), cmocka_unit_test(damaged_keys_are_refused),
        cmocka_unit_test(bad_values_have_no_key),   cmocka_unit_test(decimals_compare_by_number),
        cmocka_unit_test(equal_values_have_one_hash), cmocka_unit_test(tenant_ids_are_pinned),
        cmocka_unit_test(ring_points_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
