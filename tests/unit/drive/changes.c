/* SPDX-License-Identifier: MIT */
#include "fake.h"
#include "memory_host.h"

typedef struct stage {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    memory_host *h;
    psh_storage storage;
    psh_cdc cdc;
    psh_kv kv;
    psh_driver *d;
    psh_change_batch *b;
    psh_cdc_state at;
} stage;

static int setup(void **state) {
    static stage s;

    memset(&s, 0, sizeof s);
    s.env = test_env(&s.alloc);
    s.schema = test_flights_schema(s.env);
    s.h = memory_host_create(s.schema);
    memory_host_tables(s.h, &s.storage, &s.cdc, &s.kv);
    assert_ok(psh_driver_create(s.env, s.schema, NULL, &s.storage, &s.cdc, NULL, &s.d, NULL));
    assert_ok(psh_change_batch_create(s.env, s.schema, 0, &s.b));
    s.at.struct_size = sizeof s.at;
    *state = &s;
    return 0;
}

static int teardown(void **state) {
    stage *s = *state;

    psh_change_batch_destroy(s->b);
    psh_driver_destroy(s->d);
    memory_host_destroy(s->h);
    psh_schema_unref(s->schema);
    psh_env_destroy(s->env);
    assert_int_equal(s->alloc.live, 0);
    return 0;
}

static void act(stage *s, uint32_t kind, uint64_t n, uint32_t tier) {
    psh_action a = fake_action(kind, n, NULL);
    psh_plan *p;
    psh_completion c;

    a.want.tier = tier;
    p = fake_plan(s->env, &a, 1);
    assert_ok(psh_driver_run(s->d, p, NULL));
    assert_ok(psh_driver_step(s->d, 0, 1));
    while (psh_driver_take(s->d, &c) == PSH_OK)
        continue;
    psh_plan_unref(p);
}

static void put(stage *s, uint64_t partition, int64_t seq) {
    psh_value row[6];

    test_flight(row, "JFK", PSH_DAY, seq, "LAX", 5, 100);
    assert_ok(memory_host_insert(s->h, partition, 0, row));
}

static void echoes_are_taken_out(void **state) {
    stage *s = *state;
    psh_driver_stats stats = { .struct_size = sizeof stats };
    psh_change c;
    uint64_t position = 0;

    act(s, PSH_ACT_CREATE_PARTITION, 1, 0);
    assert_ok(memory_host_begin(s->h, 10));
    put(s, 1, 1);
    put(s, 1, 2);
    assert_ok(memory_host_commit(s->h, &position));
    act(s, PSH_ACT_ARCHIVE_PARTITION, 1, 1); /* two deletes of our own */
    assert_ok(memory_host_begin(s->h, 20));
    put(s, 1, 3);
    assert_ok(memory_host_commit(s->h, &position));
    assert_int_equal(position, 3);
    assert_ok(psh_driver_poll(s->d, s->b, &s->at, NULL));
    assert_int_equal(psh_change_batch_count(s->b), 3);
    assert_ok(psh_change_batch_get(s->b, 2, &c));
    assert_int_equal(c.op, PSH_CHANGE_INSERT);
    assert_int_equal(c.after[2].as.i64, 3);
    assert_int_equal(s->at.position, 3);
    assert_int_equal(s->at.commit_time, 20);
    assert_int_equal(psh_driver_cursor(s->d), 3);
    assert_ok(psh_driver_get_stats(s->d, &stats));
    assert_int_equal(stats.changes, 5);
    assert_int_equal(stats.echoes, 2);
    assert_ok(psh_driver_poll(s->d, s->b, &s->at, NULL));
    assert_int_equal(psh_change_batch_count(s->b), 0);
    act(s, PSH_ACT_DROP_PARTITION, 1, 0); /* nothing but echoes */
    assert_int_equal(memory_host_row_count(s->h), 0);
    assert_ok(psh_driver_poll(s->d, s->b, &s->at, NULL));
    assert_int_equal(psh_change_batch_count(s->b), 0);
    assert_int_equal(psh_driver_cursor(s->d), 4);
}

static void full_batches_end_at_whole_positions(void **state) {
    stage *s = *state;
    psh_change_batch *small = NULL;
    size_t got = 0, rounds = 0;
    psh_status st;
    int64_t i;

    act(s, PSH_ACT_CREATE_PARTITION, 1, 0);
    for (i = 0; i < 64; i++) {
        assert_ok(memory_host_begin(s->h, i));
        put(s, 1, 2 * i);
        put(s, 1, 2 * i + 1);
        assert_ok(memory_host_commit(s->h, NULL));
    }
    assert_ok(psh_change_batch_create(s->env, s->schema, 8192, &small));
    do {
        st = psh_driver_poll(s->d, small, &s->at, NULL);
        assert_true(st == PSH_OK || st == PSH_AGAIN);
        assert_int_equal(psh_change_batch_count(small) % 2, 0);
        got += psh_change_batch_count(small);
        rounds++;
    } while (st == PSH_AGAIN);
    psh_change_batch_destroy(small);
    assert_int_equal(got, 128);
    assert_true(rounds > 1);
}

static void failures_move_nothing(void **state) {
    stage *s = *state;
    psh_error err = { .struct_size = sizeof err };
    int i;

    act(s, PSH_ACT_CREATE_PARTITION, 1, 0);
    assert_ok(memory_host_begin(s->h, 1));
    put(s, 1, 1);
    assert_ok(memory_host_commit(s->h, NULL));
    for (i = 0; i < 2; i++) {
        memory_host_fail(s->h, i, 0);
        assert_int_equal(psh_driver_poll(s->d, s->b, &s->at, &err), PSH_E_HOST);
        assert_string_equal(err.field, i ? "cdc.poll" : "cdc.state");
        assert_int_equal(psh_driver_cursor(s->d), 0);
        assert_int_equal(psh_change_batch_count(s->b), 0);
    }
    assert_ok(psh_driver_poll(s->d, s->b, &s->at, NULL));
    assert_int_equal(psh_change_batch_count(s->b), 1);
    assert_int_equal(psh_driver_poll(s->d, NULL, &s->at, NULL), PSH_E_INVALID);
}

static psh_status scenario(psh_env *env, void *user) {
    stage *s = user;
    psh_change_batch *b = NULL;
    psh_driver *d = NULL;
    psh_status st = psh_driver_create(env, s->schema, NULL, &s->storage, &s->cdc, NULL, &d, NULL);

    if (st == PSH_OK)
        st = psh_change_batch_create(env, s->schema, 0, &b);
    if (st == PSH_OK)
        st = psh_driver_poll(d, b, &s->at, NULL);
    if (st == PSH_OK && psh_change_batch_count(b) != 2)
        st = PSH_E_INTERNAL;
    psh_change_batch_destroy(b);
    psh_driver_destroy(d);
    return st;
}

static void memory_fails(void **state) {
    stage *s = *state;

    act(s, PSH_ACT_CREATE_PARTITION, 1, 0);
    assert_ok(memory_host_begin(s->h, 1));
    put(s, 1, 1);
    assert_ok(memory_host_commit(s->h, NULL));
    act(s, PSH_ACT_ARCHIVE_PARTITION, 1, 1);
    assert_ok(memory_host_begin(s->h, 2));
    put(s, 1, 2);
    assert_ok(memory_host_commit(s->h, NULL));
    test_every_allocation(scenario, s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(echoes_are_taken_out, setup, teardown),
        cmocka_unit_test_setup_teardown(full_batches_end_at_whole_positions, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_move_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_fails, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
