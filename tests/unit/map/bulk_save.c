/* SPDX-License-Identifier: MIT */
/* What is saved is the same after a load, damage is found, memory may fail anywhere. */
#include <stdlib.h>

#include "base/crc32c.h"
#include "bulk.h"

#define HEADER 20u
#define SECTION 28u
#define EVEN (UINT64_MAX / 100)

static psh_partition the_day(int64_t day) {
    return bulk_partition(day, PSH_PARTITION_ACTIVE, 0, 0, UINT64_MAX);
}

/* Every kind: 1 with an override, 2 that migrates, 3 with a rhythm, 4 under way, 5 announced, 6 unfinished. */
static void live(bulk_fixture *f) {
    psh_partition p[2] = { the_day(DAY0), the_day(DAY0 + 1) };
    uint64_t points[100];
    int64_t times[100];
    psh_bulk_spec s = bulk_spec(1);
    size_t i;

    bulk_points(points, 100, 0, EVEN);
    s.every_ns = PSH_DAY;
    assert_ok(psh_bulk_expect(f->bulk, &s, NULL));
    (void)bulk_run(f, 1, s.at, TEST_T0, 100, 0, EVEN);
    assert_int_equal(bulk_run(f, 1, s.at + PSH_DAY, TEST_T0 + PSH_DAY, 100, 0, EVEN / 10 * 7).verdict,
                     PSH_BULK_OVERRIDE);
    s = bulk_spec(2);
    s.points = points;
    s.key_count = 100;
    assert_ok(psh_bulk_expect(f->bulk, &s, NULL));
    assert_int_equal(bulk_run(f, 2, s.at, TEST_T0, 100, 0, EVEN / 2).verdict, PSH_BULK_MIGRATE);
    for (i = 0; i < 4; i++)
        (void)bulk_run(f, 3, TEST_T0 + (int64_t)i * PSH_HOUR, TEST_T0, 100, i * EVEN, EVEN / 2);
    s = bulk_spec(6);
    assert_ok(psh_bulk_expect(f->bulk, &s, NULL));
    (void)bulk_run(f, 6, s.at, TEST_T0, 100, 0, EVEN);
    for (i = 4; i < 6; i++) {
        s = bulk_spec(i);
        s.every_ns = PSH_DAY;
        s.node = (uint32_t)i;
        assert_ok(psh_bulk_expect(f->bulk, &s, NULL));
    }
    assert_ok(psh_bulk_begin(f->bulk, 4, 0, s.at, NULL));
    for (i = 0; i < 100; i++)
        times[i] = TEST_T0 + (int64_t)i * PSH_HOUR;
    assert_int_equal(psh_bulk_batch(f->bulk, 4, points, times, 100, 1000, s.at + 1), PSH_AGAIN);
    s.id = 4;
    s.at += PSH_DAY;
    assert_ok(psh_bulk_expect(f->bulk, &s, NULL));
    bulk_propose(f, p, 2, s.at);
}

static psh_buffer *saved(const bulk_fixture *f, const psh_bulk *bulk) {
    psh_buffer *b;

    assert_ok(psh_buffer_create(f->env, &b));
    assert_ok(psh_bulk_save(bulk, b));
    return b;
}

static void assert_same(psh_buffer *a, psh_buffer *b) {
    assert_int_equal(psh_buffer_size(a), psh_buffer_size(b));
    assert_memory_equal(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a));
    psh_buffer_destroy(b);
}

static psh_bulk *reload(bulk_fixture *f) {
    psh_buffer *b = saved(f, f->bulk);
    psh_bulk *copy;

    assert_ok(psh_bulk_load(f->env, f->schema, psh_buffer_data(b), psh_buffer_size(b), 0, &copy, NULL));
    assert_same(b, saved(f, copy));
    psh_buffer_destroy(b);
    return copy;
}

/* What may be asked of any object, whatever is known. @return 1 if all went as it may. */
static void use_all(bulk_fixture *f, psh_bulk *b) {
    psh_partition p[2] = { the_day(DAY0), the_day(DAY0 + 1) };
    psh_bulk_spec got = { .struct_size = sizeof got };
    psh_bulk_result r = { .struct_size = sizeof r };
    psh_world *w = bulk_world(f, p, 2, 2);
    uint64_t points[3] = { 0, UINT64_MAX / 2, UINT64_MAX };
    int64_t times[3] = { TEST_T0, TEST_T0 + PSH_DAY, PSH_TIME_MAX };
    psh_status st;
    size_t i;

    psh_wants_clear(f->wants);
    assert_ok(psh_bulk_propose(b, w, TEST_T0 + PSH_DAY + 2 * PSH_HOUR, f->wants, NULL));
    for (i = 0; i < psh_bulk_count(b); i++) {
        assert_ok(psh_bulk_get(b, i, &got));
        st = psh_bulk_begin(b, got.id, got.table, TEST_T0 + PSH_DAY + 2 * PSH_HOUR, NULL);
        assert_true(st == PSH_OK || st == PSH_E_STATE || st == PSH_E_TIME);
        st = psh_bulk_batch(b, got.id, points, times, 3, 99, TEST_T0 + PSH_DAY + 2 * PSH_HOUR);
        assert_true(st >= 0 || st == PSH_E_STATE);
        assert_ok(psh_bulk_propose(b, w, TEST_T0 + PSH_DAY + 2 * PSH_HOUR, f->wants, NULL));
        st = psh_bulk_end(b, got.id, TEST_T0 + PSH_DAY + 3 * PSH_HOUR, &r);
        assert_true(st == PSH_OK || st == PSH_E_STATE || st == PSH_E_INVALID);
        assert_true(st != PSH_OK || (r.distance >= 0 && r.distance <= 1 && r.outside >= 0 && r.outside <= 1));
    }
    assert_ok(psh_bulk_propose(b, w, TEST_T0 + 4 * PSH_DAY, f->wants, NULL));
    psh_world_unref(w);
}

static void a_load_goes_on_as_before(void **state) {
    uint64_t points[2] = { 0, UINT64_MAX };
    int64_t times[1] = { TEST_T0 };
    psh_bulk *copy;
    bulk_fixture f;
    psh_buffer *a;

    (void)state;
    bulk_open(&f, NULL);
    live(&f);
    copy = reload(&f);
    assert_ok(psh_bulk_batch(copy, 4, points, times, 1, 1, TEST_T0 + PSH_DAY)); /* what was seen is remembered */
    assert_ok(psh_bulk_batch(f.bulk, 4, points, times, 1, 1, TEST_T0 + PSH_DAY));
    assert_int_equal(psh_bulk_batch(copy, 4, points + 1, times, 1, 1, TEST_T0 + PSH_DAY), PSH_AGAIN);
    assert_int_equal(psh_bulk_batch(f.bulk, 4, points + 1, times, 1, 1, TEST_T0 + PSH_DAY), PSH_AGAIN);
    use_all(&f, f.bulk);
    use_all(&f, copy);
    a = saved(&f, f.bulk);
    assert_same(a, saved(&f, copy));
    psh_buffer_destroy(a);
    psh_bulk_destroy(copy);
    bulk_close(&f);
}

static void damage_is_found(void **state) {
    psh_bulk *copy;
    bulk_fixture f;
    psh_buffer *b;
    unsigned char *bytes;
    size_t size, i;

    (void)state;
    bulk_open(&f, NULL);
    live(&f);
    b = saved(&f, f.bulk);
    size = psh_buffer_size(b);
    bytes = test_malloc(size);
    memcpy(bytes, psh_buffer_data(b), size);
    for (i = 0; i < size; i++) {
        bytes[i] ^= (unsigned char)(1u << i % 8);
        assert_true(psh_bulk_load(f.env, f.schema, bytes, size, 0, &copy, NULL) < 0);
        assert_null(copy);
        bytes[i] ^= (unsigned char)(1u << i % 8);
        if (i % 16 == 0)
            assert_true(psh_bulk_load(f.env, f.schema, bytes, i, 0, &copy, NULL) < 0);
    }
    assert_int_equal(psh_bulk_load(f.env, f.schema, bytes, size, 8, &copy, NULL), PSH_E_LIMIT);
    assert_int_equal(psh_bulk_load(f.env, f.schema, bytes, size, 2 * size, &copy, NULL), PSH_E_LIMIT);
    assert_null(copy);
    test_free(bytes);
    psh_buffer_destroy(b);
    bulk_close(&f);
}

/* Makes the checksum of the one section right again. */
static void seal(unsigned char *p, size_t size) {
    uint32_t crc = pshi_crc32c(pshi_crc32c(0, p + HEADER, 24), p + HEADER + SECTION, size - HEADER - SECTION);
    int k;

    for (k = 0; k < 4; k++)
        p[HEADER + 24 + (size_t)k] = (unsigned char)(crc >> (8 * k));
}

static void resealed_bytes_do_no_harm(void **state) {
    static const unsigned char tries[] = { 0x01, 0x40, 0x7f, 0xff };
    size_t i, k, size, loaded = 0;
    unsigned char *p, *q;
    psh_bulk *copy;
    bulk_fixture f;
    psh_buffer *b;

    (void)state;
    bulk_open(&f, NULL);
    live(&f);
    b = saved(&f, f.bulk);
    size = psh_buffer_size(b);
    p = malloc(size);
    q = malloc(size);
    assert_true(p && q);
    memcpy(p, psh_buffer_data(b), size);
    for (i = HEADER + SECTION; i < size; i += i < 200 ? 1 : 23)
        for (k = 0; k < sizeof tries; k++) {
            memcpy(q, p, size);
            q[i] ^= tries[k];
            seal(q, size);
            if (psh_bulk_load(f.env, f.schema, q, size, 0, &copy, NULL) != PSH_OK)
                continue;
            loaded++;
            use_all(&f, copy);
            psh_bulk_destroy(copy);
        }
    assert_true(loaded > 100);
    free(p);
    free(q);
    psh_buffer_destroy(b);
    bulk_close(&f);
}

/* One call under test, and what it is given. */
typedef struct call {
    bulk_fixture *f;
    psh_world *world;
    psh_buffer *bytes;
} call;

static psh_status call_expect(call *c) {
    uint64_t points[5] = { 5, 4, 3, 2, 1 };
    psh_bulk_spec s = bulk_spec(77);

    s.points = points;
    s.key_count = 5;
    return psh_bulk_expect(c->f->bulk, &s, NULL);
}

static psh_status call_expect_learned(call *c) {
    psh_bulk_spec s = bulk_spec(3);

    return psh_bulk_expect(c->f->bulk, &s, NULL);
}

static psh_status call_begin(call *c) {
    return psh_bulk_begin(c->f->bulk, 1, 0, TEST_T0 + 4 * PSH_DAY, NULL);
}

static psh_status call_begin_unknown(call *c) {
    return psh_bulk_begin(c->f->bulk, 88, 0, TEST_T0 + 4 * PSH_DAY, NULL);
}

static psh_status call_end(call *c) {
    return psh_bulk_end(c->f->bulk, 4, TEST_T0 + PSH_DAY, NULL);
}

static psh_status call_propose(call *c) {
    psh_wants_clear(c->f->wants);
    return psh_bulk_propose(c->f->bulk, c->world, TEST_T0 + PSH_DAY + 2 * PSH_HOUR, c->f->wants, NULL);
}

static psh_status call_load(call *c) {
    psh_bulk *copy;
    psh_status st = psh_bulk_load(c->f->env, c->f->schema, psh_buffer_data(c->bytes),
                                  psh_buffer_size(c->bytes), 0, &copy, NULL);

    psh_bulk_destroy(copy);
    return st;
}

static void try_failing(psh_status (*run)(call *c), int forever) {
    psh_partition p[2] = { the_day(DAY0), the_day(DAY0 + 1) };
    bulk_fixture f;
    call c = { .f = &f };
    psh_status st;
    int64_t n;

    bulk_open(&f, NULL);
    live(&f);
    c.world = bulk_world(&f, p, 2, 0);
    c.bytes = saved(&f, f.bulk);
    for (n = 0;; n++) {
        test_alloc_fail(&f.alloc, n, forever);
        st = run(&c);
        test_alloc_fail(&f.alloc, -1, 0);
        if (st == PSH_OK)
            break;
        assert_int_equal(st, PSH_E_NOMEM);
        if (run == call_propose)
            assert_int_equal(psh_wants_count(f.wants), 0);
        assert_same(c.bytes, saved(&f, f.bulk)); /* as it was */
    }
    assert_true(n > 0);
    psh_buffer_destroy(c.bytes);
    psh_world_unref(c.world);
    bulk_close(&f);
}

static void what_finds_no_memory_changes_nothing(void **state) {
    static psh_status (*const calls[])(call *c) = { call_expect, call_expect_learned, call_begin,
                                                    call_begin_unknown, call_end, call_propose, call_load };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof calls / sizeof *calls; i++) {
        try_failing(calls[i], 0);
        try_failing(calls[i], 1);
    }
}

static psh_status make_and_save(psh_env *env, void *user) {
    psh_schema *schema = user;
    psh_bulk *b = NULL;
    psh_buffer *out = NULL;
    psh_status st = psh_bulk_create(env, schema, NULL, &b, NULL);

    if (st == PSH_OK)
        st = psh_bulk_begin(b, 1, 0, TEST_T0, NULL);
    if (st == PSH_OK)
        st = psh_buffer_create(env, &out);
    if (st == PSH_OK)
        st = psh_bulk_save(b, out);
    psh_buffer_destroy(out);
    psh_bulk_destroy(b);
    return st;
}

static void creation_survives_failing_memory(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_schema *schema = test_flights_schema(env);

    (void)state;
    test_every_allocation(make_and_save, schema);
    psh_schema_unref(schema);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_goes_on_as_before),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(resealed_bytes_do_no_harm),
        cmocka_unit_test(what_finds_no_memory_changes_nothing),
        cmocka_unit_test(creation_survives_failing_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
