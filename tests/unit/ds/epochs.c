/* SPDX-License-Identifier: MIT */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <predshard/epochs.h>

/* A value that says when it was freed: what readers hold must never be. */
typedef struct thing {
    uint64_t number;
    uint64_t twice;
} thing;

static void release(void *user, void *value) {
    thing *t = value;

    t->number = t->twice = UINT64_MAX;
    free(t);
    (*(uint64_t *)user)++;
}

static thing *make(uint64_t number) {
    thing *t = malloc(sizeof *t);

    t->number = number;
    t->twice = 2 * number;
    return t;
}

static psh_epochs_stats stats_of(psh_epochs *s) {
    psh_epochs_stats now = { .struct_size = sizeof now };

    assert_ok(psh_epochs_get_stats(s, &now));
    return now;
}

static void test_refresh_follows_and_lets_go(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_epochs_reader *slow, *fast;
    psh_epochs *s;
    thing *held = NULL;
    uint64_t released = 0, n;

    (void)state;
    assert_ok(psh_epochs_create(env, 2, release, &released, &s));
    assert_ok(psh_epochs_reader_create(s, &slow));
    assert_ok(psh_epochs_reader_create(s, &fast));
    assert_null(psh_epochs_current(s));
    assert_null(psh_epochs_pin(fast));
    assert_null(psh_epochs_refresh(fast)); /* nothing was pinned: looks again */
    assert_ok(psh_epochs_publish(s, make(1)));
    held = psh_epochs_refresh(fast);
    assert_int_equal(held->number, 1);
    assert_ptr_equal(psh_epochs_refresh(fast), held);
    held = psh_epochs_pin(slow);
    for (n = 2; n <= 9; n++) {
        assert_ok(psh_epochs_publish(s, make(n)));
        assert_int_equal(((thing *)psh_epochs_refresh(fast))->number, n);
        assert_int_equal(((thing *)psh_epochs_refresh(fast))->number, n);
    }
    assert_int_equal(held->number, 1); /* the stalled reader's */
    assert_true(stats_of(s).number == 9 && stats_of(s).oldest_pinned == 1);
    assert_true(stats_of(s).retired == 8 && stats_of(s).readers == 2 && released == 0);
    assert_int_equal(((thing *)psh_epochs_refresh(slow))->number, 9);
    assert_true(stats_of(s).retired == 0 && stats_of(s).oldest_pinned == 9 && released == 8);
    psh_epochs_unpin(slow);
    psh_epochs_unpin(fast);
    assert_int_equal(((thing *)psh_epochs_current(s))->number, 9);
    psh_epochs_reader_destroy(slow);
    psh_epochs_reader_destroy(fast);
    psh_epochs_destroy(s);
    assert_int_equal(released, 9);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_refusals(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_epochs_reader *one, *two;
    psh_epochs *s;
    uint64_t released = 0;
    thing *t = make(1);

    (void)state;
    assert_int_equal(psh_epochs_create(env, 4097, release, &released, &s), PSH_E_INVALID);
    assert_int_equal(psh_epochs_create(NULL, 1, release, &released, &s), PSH_E_INVALID);
    assert_int_equal(psh_epochs_create(env, 1, NULL, NULL, &s), PSH_E_INVALID);
    assert_ok(psh_epochs_create(env, 1, release, &released, &s));
    assert_int_equal(psh_epochs_publish(s, NULL), PSH_E_INVALID);
    assert_int_equal(psh_epochs_get_stats(s, NULL), PSH_E_INVALID);
    assert_ok(psh_epochs_reader_create(s, &one));
    assert_int_equal(psh_epochs_reader_create(s, &two), PSH_E_LIMIT);
    assert_null(two);
    psh_epochs_reader_destroy(one);
    psh_epochs_reader_destroy(NULL);
    test_alloc_fail(&a, 0, 1);
    assert_int_equal(psh_epochs_publish(s, t), PSH_E_NOMEM);
    test_alloc_fail(&a, -1, 0);
    assert_null(psh_epochs_current(s));
    assert_ok(psh_epochs_publish(s, t));
    psh_epochs_destroy(s);
    psh_epochs_destroy(NULL);
    assert_int_equal(released, 1);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status use_epochs(psh_env *env, void *user) {
    psh_epochs_reader *r = NULL;
    psh_epochs *s = NULL;
    psh_status st = psh_epochs_create(env, 0, release, user, &s);
    thing *t;

    if (st == PSH_OK)
        st = psh_epochs_reader_create(s, &r);
    if (st == PSH_OK) {
        t = make(3);
        st = psh_epochs_publish(s, t);
        if (st != PSH_OK)
            free(t);
    }
    psh_epochs_reader_destroy(r);
    psh_epochs_destroy(s);
    return st;
}

static void test_memory_may_fail(void **state) {
    uint64_t released = 0;

    (void)state;
    test_every_allocation(use_epochs, &released);
}

#define THREADS 3
#define EPOCHS 4000

typedef struct reading {
    psh_epochs *s;
    atomic_int *stop;
    _Atomic uint64_t *published; /* the writer has come so far */
    uint64_t reads;
    uint64_t numbers; /* different values seen */
    int bad;
} reading;

static void read_once(reading *r, psh_epochs_reader *reader, uint64_t *last) {
    uint64_t least = atomic_load(r->published);
    const thing *t = psh_epochs_refresh(reader);

    if (!t)
        return;
    r->bad |= t->twice != 2 * t->number || t->number < *last || t->number < least;
    r->numbers += t->number != *last;
    *last = t->number;
    /* Now and then it lets go altogether. */
    if (++r->reads % 97 == 0)
        psh_epochs_unpin(reader);
}

static void *read_on(void *arg) {
    reading *r = arg;
    psh_epochs_reader *reader;
    uint64_t last = 0;

    if (psh_epochs_reader_create(r->s, &reader) != PSH_OK) {
        r->bad = 1;
        return NULL;
    }
    while (!atomic_load(r->stop) || r->reads == 0)
        read_once(r, reader, &last);
    psh_epochs_unpin(reader);
    psh_epochs_reader_destroy(reader);
    return NULL;
}

/* Readers refresh under a publishing writer: whole values, none older than what was published before they asked.
 * One reader stalls meanwhile: its lag shows, its value stays whole, and nobody waits for it. */
static void test_threads(void **state) {
    pthread_t threads[THREADS];
    reading readings[THREADS];
    atomic_int stop = 0;
    _Atomic uint64_t published = 0;
    uint64_t released = 0, n;
    psh_epochs_reader *stalled;
    psh_epochs *s;
    psh_env *env;
    thing *held = NULL;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(psh_epochs_create(env, THREADS + 1, release, &released, &s));
    assert_ok(psh_epochs_reader_create(s, &stalled));
    for (i = 0; i < THREADS; i++) {
        readings[i] = (reading){ s, &stop, &published, 0, 0, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &readings[i]), 0);
    }
    for (n = 1; n <= EPOCHS; n++) {
        assert_ok(psh_epochs_publish(s, make(n)));
        atomic_store(&published, n);
        if (n == EPOCHS / 2)
            held = psh_epochs_pin(stalled);
        if (n % 500 == 0)
            sched_yield();
    }
    assert_int_equal(held->number, EPOCHS / 2);
    assert_true(stats_of(s).oldest_pinned <= EPOCHS / 2);
    assert_true(stats_of(s).retired >= EPOCHS / 2);
    atomic_store(&stop, 1);
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_false(readings[i].bad);
        assert_true(readings[i].numbers > 0);
    }
    assert_int_equal(stats_of(s).oldest_pinned, EPOCHS / 2);
    assert_int_equal(((thing *)psh_epochs_refresh(stalled))->number, EPOCHS);
    assert_true(stats_of(s).retired == 0 && released == EPOCHS - 1);
    psh_epochs_unpin(stalled);
    psh_epochs_reader_destroy(stalled);
    assert_int_equal(stats_of(s).readers, 0);
    psh_epochs_destroy(s);
    assert_int_equal(released, EPOCHS);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refresh_follows_and_lets_go),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory_may_fail),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
