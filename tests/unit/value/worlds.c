/* SPDX-License-Identifier: MIT */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>

/* A world whose every partition has `epoch` rows, so that a torn or freed one shows. */
static psh_world *epoch_world(psh_env *env, psh_schema *schema, uint64_t epoch) {
    psh_partition p = { 0 };
    psh_world_draft *d = NULL;
    psh_world *w = NULL;

    p.id = psh_partition_id(0, 0, 0);
    p.state = PSH_PARTITION_ACTIVE;
    p.time_to = PSH_DAY;
    p.arc_last = UINT64_MAX;
    p.rows = epoch;
    p.first_write = PSH_TIME_NONE;
    if (psh_world_draft_create(env, schema, epoch, 0, &d) == PSH_OK &&
        psh_world_draft_add_partition(d, &p) == PSH_OK)
        (void)psh_world_create(d, &w, NULL);
    psh_world_draft_destroy(d);
    return w;
}

static psh_status publish_epoch(psh_worlds *ws, psh_env *env, psh_schema *schema, uint64_t epoch) {
    psh_world *w = epoch_world(env, schema, epoch);
    psh_status st = w ? psh_worlds_publish(ws, w) : PSH_E_NOMEM;

    psh_world_unref(w);
    return st;
}

static psh_worlds_stats stats_of(psh_worlds *ws) {
    psh_worlds_stats s = { .struct_size = sizeof s };

    assert_ok(psh_worlds_get_stats(ws, &s));
    return s;
}

static void test_a_stalled_reader_delays_freeing(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_worlds *ws;
    psh_reader *slow, *fast;
    const psh_world *held;
    uint64_t epoch;

    (void)state;
    assert_ok(psh_worlds_create(env, 2, &ws));
    assert_ok(psh_reader_create(ws, &slow));
    assert_ok(psh_reader_create(ws, &fast));
    assert_null(psh_worlds_current(ws));
    assert_null(psh_reader_pin(slow));
    assert_int_equal(stats_of(ws).epoch, 0);
    assert_ok(publish_epoch(ws, env, schema, 1));
    held = psh_reader_pin(slow);
    assert_int_equal(psh_world_epoch(held), 1);
    for (epoch = 2; epoch <= 9; epoch++) {
        assert_ok(publish_epoch(ws, env, schema, epoch));
        assert_int_equal(psh_world_epoch(psh_reader_pin(fast)), epoch);
        psh_reader_unpin(fast);
    }
    assert_int_equal(stats_of(ws).readers, 2);
    assert_int_equal(stats_of(ws).epoch, 9);
    assert_int_equal(stats_of(ws).oldest_pinned, 1);
    assert_int_equal(stats_of(ws).retired, 8);
    assert_int_equal(psh_world_locate(held, 0, 5, 5)->rows, 1);
    assert_int_equal(psh_world_epoch(psh_reader_refresh(slow)), 9);
    assert_int_equal(stats_of(ws).retired, 0);
    psh_reader_unpin(slow);
    assert_int_equal(stats_of(ws).retired, 0);
    assert_int_equal(stats_of(ws).oldest_pinned, 9);
    assert_int_equal(psh_world_epoch(psh_worlds_current(ws)), 9);
    psh_reader_destroy(slow);
    psh_reader_destroy(fast);
    psh_worlds_destroy(ws);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_refusals(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_worlds *ws;
    psh_reader *one, *two;

    (void)state;
    assert_int_equal(psh_worlds_create(env, 4097, &ws), PSH_E_INVALID);
    assert_ok(psh_worlds_create(env, 1, &ws));
    assert_int_equal(psh_worlds_publish(ws, NULL), PSH_E_INVALID);
    assert_ok(publish_epoch(ws, env, schema, 5));
    assert_int_equal(publish_epoch(ws, env, schema, 5), PSH_E_CONFLICT);
    assert_int_equal(publish_epoch(ws, env, schema, 4), PSH_E_CONFLICT);
    assert_ok(psh_reader_create(ws, &one));
    assert_int_equal(psh_reader_create(ws, &two), PSH_E_LIMIT);
    assert_null(two);
    psh_reader_destroy(one);
    assert_ok(psh_reader_create(ws, &two)); /* the slot is free again */
    psh_reader_destroy(two);
    psh_reader_destroy(NULL);
    psh_worlds_destroy(ws);
    psh_worlds_destroy(NULL);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_failed_publish_changes_nothing(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_world *w;
    psh_worlds *ws;

    (void)state;
    assert_ok(psh_worlds_create(env, 1, &ws));
    assert_ok(publish_epoch(ws, env, schema, 1));
    w = epoch_world(env, schema, 2);
    test_alloc_fail(&a, 0, 1);
    assert_int_equal(psh_worlds_publish(ws, w), PSH_E_NOMEM);
    test_alloc_fail(&a, -1, 0);
    assert_int_equal(psh_world_epoch(psh_worlds_current(ws)), 1);
    assert_ok(psh_worlds_publish(ws, w));
    psh_world_unref(w);
    psh_worlds_destroy(ws);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status use_worlds(psh_env *env, void *user) {
    psh_worlds *ws = NULL;
    psh_reader *r = NULL;
    psh_status st = psh_worlds_create(env, 0, &ws);

    if (st == PSH_OK)
        st = psh_reader_create(ws, &r);
    if (st == PSH_OK)
        st = publish_epoch(ws, env, user, 1);
    if (st == PSH_OK)
        st = publish_epoch(ws, env, user, 2);
    psh_reader_destroy(r);
    psh_worlds_destroy(ws);
    return st;
}

static void test_memory_may_fail(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);

    (void)state;
    test_every_allocation(use_worlds, schema);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

#define THREADS 4
#define EPOCHS 3000

typedef struct reading {
    psh_worlds *ws;
    atomic_int *stop;
    uint64_t pins;
    int bad;
    int refresh;
} reading;

/* Half of the readers refresh what they hold, the others pin anew each time. */
static void *read_on(void *arg) {
    reading *r = arg;
    const psh_partition *p;
    const psh_world *w;
    psh_reader *reader;
    uint64_t last = 0;

    if (psh_reader_create(r->ws, &reader) != PSH_OK) {
        r->bad = 1;
        return NULL;
    }
    while (!atomic_load(r->stop) || r->pins == 0) {
        w = r->refresh ? psh_reader_refresh(reader) : psh_reader_pin(reader);
        if (w) {
            p = psh_world_locate(w, 0, 1, r->pins);
            r->bad |= !p || p->rows != psh_world_epoch(w) || psh_world_epoch(w) < last;
            last = psh_world_epoch(w);
            r->pins++;
        }
        if (!r->refresh)
            psh_reader_unpin(reader);
    }
    psh_reader_unpin(reader);
    psh_reader_destroy(reader);
    return NULL;
}

/* Readers see whole worlds, each no older than the one before, while a writer publishes. */
static void test_threads(void **state) {
    pthread_t threads[THREADS];
    reading readings[THREADS] = { { 0 } };
    atomic_int stop = 0;
    psh_env *env;
    psh_schema *schema;
    psh_worlds *ws;
    psh_env_stats stats = { .struct_size = sizeof stats };
    uint64_t epoch;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    schema = test_flights_schema(env);
    assert_ok(psh_worlds_create(env, THREADS, &ws));
    for (i = 0; i < THREADS; i++) {
        readings[i] = (reading){ ws, &stop, 0, 0, i % 2 == 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &readings[i]), 0);
    }
    for (epoch = 1; epoch <= EPOCHS; epoch++)
        assert_ok(publish_epoch(ws, env, schema, epoch));
    atomic_store(&stop, 1);
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_false(readings[i].bad);
        assert_true(readings[i].pins > 0);
    }
    assert_int_equal(stats_of(ws).retired, 0);
    assert_int_equal(stats_of(ws).readers, 0);
    psh_worlds_destroy(ws);
    psh_schema_unref(schema);
    assert_ok(psh_env_get_stats(env, &stats));
    assert_int_equal(stats.blocks, 0);
    psh_env_destroy(env);
}

#define INTERVALS 300

/* Of worlds made one of the other: in epoch e, the partition of interval e % INTERVALS has e rows, none more. */
static psh_partition interval_of_epoch(uint64_t epoch) {
    psh_partition p = { 0 };

    p.interval = (int64_t)(epoch % INTERVALS);
    p.id = psh_partition_id(0, p.interval, 0);
    p.state = PSH_PARTITION_ACTIVE;
    p.time_from = p.interval * PSH_DAY;
    p.time_to = p.time_from + PSH_DAY;
    p.arc_last = UINT64_MAX;
    p.rows = epoch;
    p.first_write = PSH_TIME_NONE;
    return p;
}

static void publish_next(psh_worlds *ws, psh_env *env, psh_schema *schema, uint64_t epoch) {
    psh_partition p = interval_of_epoch(epoch);
    psh_world_draft *d;
    psh_world *w;

    assert_ok(psh_world_draft_create(env, schema, epoch, 0, &d));
    if (psh_worlds_current(ws))
        assert_ok(psh_world_draft_base(d, psh_worlds_current(ws)));
    assert_ok(psh_world_draft_add_partition(d, &p));
    assert_ok(psh_world_create(d, &w, NULL));
    psh_world_draft_destroy(d);
    assert_ok(psh_worlds_publish(ws, w));
    psh_world_unref(w);
}

static int is_epoch(const psh_world *w, uint64_t at) {
    uint64_t epoch = psh_world_epoch(w);
    const psh_partition *p = psh_world_locate(w, 0, (int64_t)(epoch % INTERVALS) * PSH_DAY, at);
    const psh_partition *q = psh_world_locate(w, 0, (int64_t)(at % INTERVALS) * PSH_DAY, at);

    return p && p->rows == epoch && (!q || q->rows <= epoch) && psh_world_find_partition(w, p->id) == p;
}

/* Keeps worlds by reference beyond their pin, and lets them go while others are made of them. */
static void *hold_on(void *arg) {
    psh_world *held[7] = { NULL };
    reading *r = arg;
    const psh_world *w;
    psh_reader *reader;
    size_t i;

    if (psh_reader_create(r->ws, &reader) != PSH_OK) {
        r->bad = 1;
        return NULL;
    }
    while (!atomic_load(r->stop) || r->pins == 0) {
        w = psh_reader_refresh(reader);
        if (!w)
            continue;
        i = r->pins++ % 7;
        r->bad |= !is_epoch(w, r->pins) || (held[i] && !is_epoch(held[i], r->pins));
        psh_world_unref(held[i]);
        held[i] = psh_world_ref((psh_world *)(uintptr_t)w);
    }
    psh_reader_unpin(reader);
    psh_reader_destroy(reader);
    for (i = 0; i < 7; i++)
        psh_world_unref(held[i]);
    return NULL;
}

static void test_threads_share(void **state) {
    pthread_t threads[THREADS];
    reading readings[THREADS];
    psh_env_stats stats = { .struct_size = sizeof stats };
    atomic_int stop = 0;
    psh_env *env;
    psh_schema *schema;
    psh_worlds *ws;
    uint64_t epoch;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    schema = test_flights_schema(env);
    assert_ok(psh_worlds_create(env, THREADS, &ws));
    for (i = 0; i < THREADS; i++) {
        readings[i] = (reading){ ws, &stop, 0, 0, 1 };
        assert_int_equal(pthread_create(&threads[i], NULL, hold_on, &readings[i]), 0);
    }
    for (epoch = 1; epoch <= EPOCHS; epoch++)
        publish_next(ws, env, schema, epoch);
    atomic_store(&stop, 1);
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_false(readings[i].bad);
    }
    psh_worlds_destroy(ws);
    psh_schema_unref(schema);
    assert_ok(psh_env_get_stats(env, &stats));
    assert_int_equal(stats.blocks, 0);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stalled_reader_delays_freeing),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_failed_publish_changes_nothing),
        cmocka_unit_test(test_memory_may_fail),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_threads_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
