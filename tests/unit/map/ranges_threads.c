/* SPDX-License-Identifier: MIT */
/* Readers that pin, refresh and let go while a writer publishes: each epoch is whole and older than none before. */
#include "ranges_model.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 4
#define EPOCHS 12000
#define KEYS 2000

typedef struct reading {
    psh_ranges *ranges;
    atomic_int *stop;
    uint64_t seed;
    uint64_t pins;
    int bad;
} reading;

/* In epoch n the ranges at 0 and at the top have owner n; between them no owner is above n, and those of a
 * batch hold together. */
static int is_whole(const psh_ranges_epoch *e, uint64_t *seed) {
    uint64_t number = psh_ranges_number(e), keys[40];
    uint32_t owners[40];
    size_t i;

    for (i = 0; i < 40; i++)
        keys[i] = pshi_rng_next(seed) % (KEYS * 10);
    keys[3] = 0;
    keys[7] = UINT64_MAX;
    psh_ranges_find_many_u64(e, keys, 40, owners);
    if (owners[3] != number || owners[7] != number)
        return 0;
    for (i = 0; i < 40; i++)
        if (owners[i] > number || psh_ranges_find_u64(e, keys[i]) != owners[i])
            return 0;
    return 1;
}

static void *read_on(void *arg) {
    reading *x = arg;
    const psh_ranges_epoch *e;
    psh_ranges_reader *reader;
    uint64_t last = 0, i;

    if (psh_ranges_reader_create(x->ranges, &reader) != PSH_OK) {
        x->bad = 1;
        return NULL;
    }
    while (!atomic_load(x->stop) || !x->pins) {
        e = psh_ranges_pin(reader);
        for (i = 0; i < 5; i++) {
            x->bad |= psh_ranges_number(e) < last || !is_whole(e, &x->seed);
            last = psh_ranges_number(e);
            e = psh_ranges_refresh(reader);
        }
        psh_ranges_unpin(reader);
        x->pins++;
    }
    psh_ranges_reader_destroy(reader);
    return NULL;
}

static void publish(psh_ranges *r, uint32_t number, uint64_t *seed) {
    psh_range_edit x[4] = { { PSH_RANGE_SET, number, 0, NULL, 0 }, { PSH_RANGE_SET, number, UINT64_MAX, NULL, 0 } };
    psh_status st;

    x[2] = (psh_range_edit){ PSH_RANGE_SET, number, 1 + pshi_rng_next(seed) % KEYS * 10, NULL, 0 };
    x[3] = (psh_range_edit){ PSH_RANGE_REMOVE, 0, 1 + pshi_rng_next(seed) % KEYS * 10, NULL, 0 };
    st = psh_ranges_apply(r, x, 4, sizeof *x, NULL);
    assert_true(st == PSH_OK || st == PSH_E_NOT_FOUND);
    if (st != PSH_OK)
        assert_ok(psh_ranges_apply(r, x, 3, sizeof *x, NULL));
}

/* Now and then everything anew. */
static void rebuild(psh_ranges *r, uint32_t number) {
    uint64_t keys[KEYS];
    uint32_t owners[KEYS];
    size_t i;

    for (i = 0; i < KEYS; i++) {
        keys[i] = i ? 1 + i * 10 : 0;
        owners[i] = number;
    }
    keys[KEYS - 1] = UINT64_MAX;
    assert_ok(psh_ranges_build_u64(r, keys, owners, KEYS, NULL));
}

static void test_threads(void **state) {
    pthread_t threads[THREADS];
    reading readings[THREADS];
    atomic_int stop = 0;
    psh_ranges_options o;
    psh_ranges *r;
    psh_ranges_reader *stalled;
    const psh_ranges_epoch *held;
    psh_env *env;
    psh_env_stats stats = { .struct_size = sizeof stats };
    uint64_t seed = 77, i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(psh_ranges_options_init(&o, sizeof o));
    o.first_owner = 1;
    assert_ok(psh_ranges_create(env, &o, &r, NULL));
    assert_ok(psh_ranges_reader_create(r, &stalled));
    for (i = 0; i < THREADS; i++) {
        readings[i] = (reading){ r, &stop, i, 0, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &readings[i]), 0);
    }
    held = psh_ranges_pin(stalled);
    for (i = 2; i <= EPOCHS; i++) {
        if (i % 1000 == 0)
            rebuild(r, (uint32_t)i);
        else
            publish(r, (uint32_t)i, &seed);
        if (i == 500) { /* one that slept so long shows, and blocked nobody */
            assert_int_equal(stats_of(r).oldest_pinned, 1);
            assert_int_equal(stats_of(r).retired, 499);
            assert_true(stats_of(r).bytes_waiting > 0);
            assert_int_equal(psh_ranges_find_u64(held, 12345), 1);
            psh_ranges_unpin(stalled);
        }
    }
    atomic_store(&stop, 1);
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_false(readings[i].bad);
        assert_true(readings[i].pins > 0);
    }
    psh_ranges_reader_destroy(stalled);
    assert_int_equal(stats_of(r).number, EPOCHS);
    assert_int_equal(stats_of(r).retired, 0);
    assert_int_equal(stats_of(r).bytes_waiting, 0);
    assert_int_equal(stats_of(r).readers, 0);
    check_tree(psh_ranges_current(r));
    psh_ranges_destroy(r);
    assert_ok(psh_env_get_stats(env, &stats));
    assert_int_equal(stats.blocks, 0);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
