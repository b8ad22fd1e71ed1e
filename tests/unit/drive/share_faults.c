/* SPDX-License-Identifier: MIT */
/* Any callback fails, with or without effect, once or for ever; any allocation fails. Then all is well again. */
#include "share_stage.h"

#define NOW TEST_T0
#define ROUNDS 6

typedef struct stage {
    psh_env *env;
    psh_schema *schema;
    memory_host *host;
    store store;  /* of the process that fails */
    store other;
    psh_kv kv, other_kv;
} stage;

static void open_stage(stage *t, test_alloc *alloc) {
    memset(t, 0, sizeof *t);
    t->env = test_env(alloc);
    t->schema = test_flights_schema(t->env);
    t->host = memory_host_create(t->schema);
    t->kv = store_kv(&t->store, t->host);
    t->other_kv = store_kv(&t->other, t->host);
}

static void close_stage(stage *t, const test_alloc *alloc) {
    memory_host_destroy(t->host);
    psh_schema_unref(t->schema);
    psh_env_destroy(t->env);
    assert_int_equal(alloc->live, 0);
}

/* A leader's life: lead, publish changes, collect. Ends at the first failure. *done: published for sure. */
static psh_status live(stage *t, psh_share *s, model *m, model *done) {
    uint64_t rng = m->epoch;
    psh_status st = psh_share_lead(s, NOW, NULL, NULL);
    int i;

    for (i = 0; st == PSH_OK && i < ROUNDS; i++) {
        model_change(m, &rng);
        st = model_publish(m, s, t->env, t->schema, NOW);
        if (st == PSH_OK)
            *done = *m;
    }
    if (st == PSH_OK)
        st = psh_share_collect(s, NOW, NULL, NULL);
    return st == PSH_OK ? psh_share_resign(s, NOW, NULL) : st;
}

/* What a fresh reader finds: the last world published for sure, or the one whose answer was lost. */
static void check_store(stage *t, const model *done, const model *last) {
    psh_share *s = share_of(t->env, t->schema, &t->other_kv, "reader");
    psh_world *got = NULL, *want;
    psh_status st = psh_share_catch_up(s, 0, &got, NULL);

    if (st == PSH_E_NOT_FOUND) {
        assert_int_equal(done->epoch, 0);
    } else {
        assert_ok(st);
        if (psh_world_epoch(got) != last->epoch)
            assert_int_equal(psh_world_epoch(got), done->epoch);
        want = model_world(psh_world_epoch(got) == last->epoch ? last : done, t->env, t->schema);
        assert_same_world(got, want, t->env);
        psh_world_unref(want);
        psh_world_unref(got);
    }
    psh_share_destroy(s);
}

/* The same process again, or another after the lease, goes on from what is there. */
static void recover(stage *t, psh_share *s, model *m, int restart) {
    psh_share *fresh = restart ? share_of(t->env, t->schema, &t->other_kv, restart > 1 ? "bert" : "anna") : s;
    int64_t now = restart > 1 ? NOW + PSH_HOUR : NOW;
    uint64_t removed = 0;
    psh_share *reader;
    psh_world *w = NULL;
    psh_status st;

    assert_ok(psh_share_lead(fresh, now, NULL, NULL));
    st = psh_share_catch_up(fresh, 0, &w, NULL);
    assert_true(st == PSH_OK || st == PSH_END || st == PSH_E_NOT_FOUND);
    psh_world_unref(w);
    m->epoch += 2;
    m->rows[1]++;
    assert_ok(model_publish(m, fresh, t->env, t->schema, now));
    assert_ok(psh_share_collect(fresh, now, &removed, NULL));
    reader = share_of(t->env, t->schema, &t->other_kv, "reader");
    assert_follows(reader, m, t->env, t->schema);
    psh_share_destroy(reader);
    if (restart)
        psh_share_destroy(fresh);
}

/* @return 1 if the nth call was reached. */
static int crash_at(int64_t n, int applied, int forever, int restart) {
    model m = model_start(), done = { 0 };
    test_alloc alloc;
    psh_share *s;
    stage t;
    psh_status st;
    int failed;

    open_stage(&t, &alloc);
    s = share_of(t.env, t.schema, &t.kv, "anna");
    t.store.countdown = n;
    t.store.applied = applied;
    t.store.forever = forever;
    st = live(&t, s, &m, &done);
    failed = t.store.failed != 0;
    assert_int_equal(st, failed ? PSH_E_HOST : PSH_OK);
    t.store.countdown = -1;
    check_store(&t, &done, &m);
    recover(&t, s, &m, restart);
    psh_share_destroy(s);
    close_stage(&t, &alloc);
    return failed;
}

static void a_leader_crashes_at_any_call(void **state) {
    int64_t n;
    int way;

    (void)state;
    for (way = 0; way < 12; way++)
        for (n = 0; crash_at(n, way & 1, way >> 1 & 1, way >> 2); n++)
            ;
    assert_true(n > 40); /* there were as many calls to fail */
}

/* A reader whose nth call fails keeps what it has, and follows when the store is back. */
static void a_reader_fails_at_any_call(void **state) {
    model m = model_start();
    test_alloc alloc;
    psh_share *leader, *reader;
    psh_world *w = NULL;
    uint64_t rng = 5, epoch;
    psh_share_stats x = { .struct_size = sizeof x };
    stage t;
    int64_t n;
    psh_status st;
    int failed = 1;

    (void)state;
    open_stage(&t, &alloc);
    leader = share_of(t.env, t.schema, &t.other_kv, "anna");
    reader = share_of(t.env, t.schema, &t.kv, "reader");
    assert_ok(psh_share_lead(leader, NOW, NULL, NULL));
    assert_ok(model_publish(&m, leader, t.env, t.schema, NOW));
    assert_follows(reader, &m, t.env, t.schema);
    for (n = 0; failed; n++) {
        epoch = m.epoch;
        model_change(&m, &rng);
        assert_ok(model_publish(&m, leader, t.env, t.schema, NOW));
        t.store.countdown = n;
        t.store.failed = 0;
        st = psh_share_catch_up(reader, 0, &w, NULL);
        failed = t.store.failed;
        t.store.countdown = -1;
        assert_ok(psh_share_get_stats(reader, &x));
        if (failed) {
            assert_int_equal(st, PSH_E_HOST);
            assert_null(w);
            assert_int_equal(x.epoch, epoch);
            assert_follows(reader, &m, t.env, t.schema);
        } else {
            assert_ok(st);
            psh_world_unref(w);
        }
    }
    assert_true(n > 2);
    psh_share_destroy(leader);
    psh_share_destroy(reader);
    close_stage(&t, &alloc);
}

/* Two processes with any allocation failing: each call says so, and nothing half done is ever seen. */
static psh_status short_of_memory(psh_env *env, void *user) {
    model m = model_start();
    psh_schema *schema = user;
    memory_host *h = memory_host_create(schema);
    psh_share *a = NULL, *b = NULL;
    psh_share_options o;
    psh_world *got = NULL, *want = NULL;
    store s;
    psh_kv kv = store_kv(&s, h);
    uint64_t removed, rng = 2;
    psh_status st;
    int i;

    m.days = 6;
    m.with_view = 1;
    m.copies[(m.first_day + 1) % MODEL_DAYS] = 1;
    assert_ok(psh_share_options_init(&o, sizeof o));
    o.max_blob_bytes = 4096;
    o.keep_epochs = 1;
    st = psh_share_create(env, schema, &kv, &o, &a, NULL);
    if (st == PSH_OK)
        st = psh_share_create(env, schema, &kv, &o, &b, NULL);
    if (st == PSH_OK)
        st = psh_share_lead(a, NOW, NULL, NULL);
    for (i = 0; st == PSH_OK && i < 2; i++) {
        m.epoch++;
        m.rows[pshi_rng_next(&rng) % MODEL_DAYS]++;
        want = model_world(&m, env, schema);
        st = want ? psh_share_publish(a, want, NOW, NULL) : PSH_E_NOMEM;
        if (st == PSH_OK)
            st = psh_share_catch_up(b, 0, &got, NULL);
        if (st == PSH_OK)
            assert_int_equal(psh_world_epoch(got), m.epoch);
        psh_world_unref(want);
        psh_world_unref(got);
        got = NULL;
    }
    if (st == PSH_OK)
        st = psh_share_collect(a, NOW, &removed, NULL);
    if (st == PSH_OK)
        st = psh_share_resign(a, NOW, NULL);
    if (st == PSH_OK)
        st = psh_share_check_fence(b, 1, NULL);
    psh_share_destroy(a);
    psh_share_destroy(b);
    memory_host_destroy(h);
    return st;
}

static void memory_fails_anywhere(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_schema *schema = test_flights_schema(env);

    (void)state;
    test_every_allocation(short_of_memory, schema);
    psh_schema_unref(schema);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_crashes_at_any_call),
        cmocka_unit_test(a_reader_fails_at_any_call),
        cmocka_unit_test(memory_fails_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
