/* SPDX-License-Identifier: MIT */
/* Older epochs are loaded as they were published; who leads can be read without leading. */
#include "share_three.h"

#define KEPT 4u /* as share_of has it */
#define ROUNDS 60

static void older_epochs_are_as_they_were(void **state) {
    stage *t = *state;
    model m = model_start(), past[ROUNDS];
    uint64_t rng = 3, epochs[KEPT + 1];
    psh_world *w, *want;
    size_t count, kept, i;
    int round;

    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    for (round = 0; round < ROUNDS; round++) {
        assert_ok(publish(t, 0, &m, NOW));
        past[round] = m;
        if (round == 5)
            assert_follows(t->s[1], &m, t->env, t->schema); /* this one begins from a world that it holds */
        kept = (size_t)round + 1 < KEPT ? (size_t)round + 1 : KEPT;
        assert_ok(psh_share_epochs(t->s[2], epochs, KEPT + 1, &count, &err));
        assert_int_equal(count, kept);
        for (i = 0; i < kept; i++) {
            assert_int_equal(epochs[i], past[(size_t)round - i].epoch);
            assert_ok(psh_share_load_epoch(t->s[1 + round % 2], epochs[i], &w, &err));
            want = model_world(&past[(size_t)round - i], t->env, t->schema);
            assert_same_world(w, want, t->env);
            psh_world_unref(want);
            psh_world_unref(w);
        }
        if (round >= (int)KEPT)
            assert_int_equal(
                psh_share_load_epoch(t->s[1], past[round - (int)KEPT].epoch, &w, &err), PSH_E_NOT_FOUND);
        if (round % 20 == 19)
            assert_ok(psh_share_collect(t->s[0], NOW, NULL, &err));
        model_change(&m, &rng);
    }
    assert_int_equal(stats_of(t->s[1]).epoch, past[5].epoch); /* loading is no catching up */
    assert_int_equal(stats_of(t->s[2]).epoch, 0);
    assert_follows(t->s[2], &past[ROUNDS - 1], t->env, t->schema);
}

static void nothing_is_kept_of_nothing(void **state) {
    stage *t = *state;
    psh_world *w = NULL;
    size_t count = 7;

    assert_int_equal(psh_share_load_epoch(t->s[0], 1, &w, &err), PSH_E_NOT_FOUND);
    assert_int_equal(psh_share_load_epoch(t->s[0], 0, &w, &err), PSH_E_NOT_FOUND);
    assert_ok(psh_share_epochs(t->s[0], NULL, 0, &count, &err));
    assert_int_equal(count, 0);
    assert_int_equal(psh_share_load_epoch(t->s[0], 1, NULL, &err), PSH_E_INVALID);
    assert_int_equal(psh_share_load_epoch(NULL, 1, &w, &err), PSH_E_INVALID);
    assert_null(w);
    assert_int_equal(psh_share_epochs(t->s[0], NULL, 1, &count, &err), PSH_E_INVALID);
    assert_int_equal(psh_share_epochs(t->s[0], NULL, 0, NULL, &err), PSH_E_INVALID);
    assert_int_equal(psh_share_read_state(t->s[0], NULL, &err), PSH_E_INVALID);
}

static psh_share_state state_of(psh_share *s) {
    psh_share_state x = { .struct_size = sizeof x };

    assert_ok(psh_share_read_state(s, &x, &err));
    return x;
}

static void the_state_is_told(void **state) {
    stage *t = *state;
    model m = model_start();
    psh_share_state x = state_of(t->s[2]);

    assert_int_equal(x.epoch, 0);
    assert_int_equal(x.fence, 0);
    assert_true(x.time == PSH_TIME_NONE && x.lease_end == PSH_TIME_NONE);
    assert_string_equal(x.owner, "");
    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    assert_ok(publish(t, 0, &m, NOW));
    x = state_of(t->s[2]);
    assert_int_equal(x.epoch, m.epoch);
    assert_true(x.time == TEST_T0 + (int64_t)m.epoch);
    assert_int_equal(x.fence, 1);
    assert_int_equal(x.lead_fence, 1);
    assert_true(x.lease_end == NOW + 30 * PSH_SECOND);
    assert_string_equal(x.owner, "anna");
    assert_int_equal(stats_of(t->s[2]).leads, 0);
    assert_ok(psh_share_resign(t->s[0], NOW, &err));
    x = state_of(t->s[2]);
    assert_string_equal(x.owner, "");
    assert_int_equal(x.lead_fence, 1);
    assert_true(x.lease_end == PSH_TIME_NONE);
}

typedef struct damage {
    psh_kv kv;
    int remove; /* else a bit flips */
    uint64_t done;
} damage;

static psh_status damage_one(void *user, const char *key, uint64_t version) {
    damage *d = user;
    unsigned char bytes[8192];
    psh_buffer *b = NULL;
    psh_env *env;
    size_t size;

    if (d->done)
        return PSH_OK;
    d->done = 1;
    if (d->remove)
        return d->kv.remove(d->kv.user, key, version);
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(psh_buffer_create(env, &b));
    assert_ok(d->kv.get(d->kv.user, key, b, &version));
    size = psh_buffer_size(b);
    assert_true(size && size <= sizeof bytes);
    memcpy(bytes, psh_buffer_data(b), size);
    bytes[size / 2] ^= 4;
    assert_ok(d->kv.compare_and_set(d->kv.user, key, version, bytes, size, &version));
    psh_buffer_destroy(b);
    psh_env_destroy(env);
    return PSH_OK;
}

static void damage_is_found(void **state) {
    stage *t = *state;
    model m = model_start();
    damage d = { t->kv[0], 0, 0 };
    psh_world *w = NULL;
    int i;

    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    assert_ok(publish(t, 0, &m, NOW));
    for (i = 0; i < 2; i++) {
        d.remove = i;
        d.done = 0;
        assert_ok(d.kv.list(d.kv.user, "predshard/blob/", damage_one, &d));
        assert_true(d.done);
        assert_int_equal(psh_share_load_epoch(t->s[1], m.epoch, &w, &err), PSH_E_CORRUPT);
        assert_null(w);
    }
}

typedef struct asked {
    stage *t;
    int calls;
} asked;

static void ask_again(void *user, const char *op, const char *key) {
    asked *a = user;
    psh_share_state x = { .struct_size = sizeof x };
    psh_world *w = NULL;
    size_t count;

    (void)op;
    (void)key;
    a->calls++;
    assert_int_equal(psh_share_load_epoch(a->t->s[0], 1, &w, NULL), PSH_E_REENTRANT);
    assert_int_equal(psh_share_epochs(a->t->s[0], NULL, 0, &count, NULL), PSH_E_REENTRANT);
    assert_int_equal(psh_share_read_state(a->t->s[0], &x, NULL), PSH_E_REENTRANT);
}

static void failing_stores_are_told(void **state) {
    stage *t = *state;
    model m = model_start();
    psh_share_state x = { .struct_size = sizeof x };
    psh_world *w = NULL;
    asked a = { t, 0 };
    size_t count;
    int64_t n;

    assert_ok(psh_share_lead(t->s[1], NOW, NULL, &err));
    assert_ok(publish(t, 1, &m, NOW));
    for (n = 0;; n++) {
        t->stores[0].failed = 0;
        t->stores[0].countdown = n;
        if (psh_share_load_epoch(t->s[0], m.epoch, &w, &err) == PSH_OK)
            break;
        assert_int_equal(err.code, PSH_E_HOST);
        assert_null(w);
    }
    assert_true(n > 3);
    psh_world_unref(w);
    for (n = 0; n < 2; n++) {
        t->stores[0].countdown = n;
        x.epoch = 77;
        assert_int_equal(psh_share_read_state(t->s[0], &x, &err), PSH_E_HOST);
        assert_int_equal(x.epoch, 77);
    }
    t->stores[0].countdown = 0;
    assert_int_equal(psh_share_epochs(t->s[0], NULL, 0, &count, &err), PSH_E_HOST);
    t->stores[0].countdown = -1;
    t->stores[0].before = ask_again;
    t->stores[0].user = &a;
    assert_ok(psh_share_epochs(t->s[0], NULL, 0, &count, &err));
    assert_true(a.calls > 0);
}

/* Publishes two epochs and loads the older one. The schema is not of this env: it may fail anywhere. */
static psh_status load_older(psh_env *env, void *user) {
    psh_schema *schema = user;
    memory_host *host = memory_host_create(schema);
    model m = model_start();
    psh_share_options o;
    psh_share *s = NULL;
    psh_world *w = NULL;
    store calls;
    psh_kv kv = store_kv(&calls, host);
    psh_status st;

    assert_ok(psh_share_options_init(&o, sizeof o));
    st = psh_share_create(env, schema, &kv, &o, &s, NULL);
    if (st == PSH_OK)
        st = psh_share_lead(s, NOW, NULL, NULL);
    if (st == PSH_OK)
        st = model_publish(&m, s, env, schema, NOW);
    m.epoch = 2;
    m.rows[3]++;
    if (st == PSH_OK)
        st = model_publish(&m, s, env, schema, NOW);
    if (st == PSH_OK)
        st = psh_share_load_epoch(s, 1, &w, NULL);
    if (st == PSH_OK)
        assert_int_equal(psh_world_epoch(w), 1);
    psh_world_unref(w);
    psh_share_destroy(s);
    memory_host_destroy(host);
    return st;
}

static void memory_fails(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_schema *schema = test_flights_schema(env);

    (void)state;
    test_every_allocation(load_older, schema);
    psh_schema_unref(schema);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(older_epochs_are_as_they_were, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_kept_of_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_state_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(failing_stores_are_told, setup, teardown),
        cmocka_unit_test(memory_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
