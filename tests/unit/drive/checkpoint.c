/* SPDX-License-Identifier: MIT */
#include "codec/xz.h"
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
} stage;

static int setup(void **state) {
    static stage s;

    memset(&s, 0, sizeof s);
    s.env = test_env(&s.alloc);
    s.schema = test_flights_schema(s.env);
    s.h = memory_host_create(s.schema);
    memory_host_tables(s.h, &s.storage, &s.cdc, &s.kv);
    assert_ok(psh_driver_create(s.env, s.schema, NULL, &s.storage, &s.cdc, NULL, &s.d, NULL));
    *state = &s;
    return 0;
}

static int teardown(void **state) {
    stage *s = *state;

    psh_driver_destroy(s->d);
    memory_host_destroy(s->h);
    psh_schema_unref(s->schema);
    psh_env_destroy(s->env);
    assert_int_equal(s->alloc.live, 0);
    return 0;
}

static void take_all(psh_driver *d) {
    psh_completion c;

    while (psh_driver_take(d, &c) == PSH_OK)
        continue;
}

/* One action done, one pending with one that waits for it; changes polled. */
static void fill(stage *s) {
    psh_action a[3];
    psh_plan *p;
    psh_change_batch *b = NULL;
    psh_cdc_state at = { .struct_size = sizeof at };
    psh_value row[6];

    a[0] = fake_action(PSH_ACT_CREATE_PARTITION, 1, NULL);
    a[1] = fake_action(PSH_ACT_ACTIVATE_PARTITION, 1, &a[0].id);
    a[2] = fake_action(PSH_ACT_SEAL_PARTITION, 1, &a[1].id);
    p = fake_plan(s->env, a, 3);
    assert_ok(psh_driver_run(s->d, p, NULL));
    psh_plan_unref(p);
    assert_int_equal(psh_driver_step(s->d, 0, 1), PSH_AGAIN);
    memory_host_set_pending(s->h, 1);
    assert_ok(psh_driver_step(s->d, 1, 1));
    take_all(s->d);
    assert_int_equal(psh_driver_pending(s->d), 2);
    assert_ok(memory_host_begin(s->h, 5));
    test_flight(row, "JFK", PSH_DAY, 1, "LAX", 0, 1);
    assert_ok(memory_host_insert(s->h, 1, 0, row));
    assert_ok(memory_host_commit(s->h, NULL));
    assert_ok(psh_change_batch_create(s->env, s->schema, 0, &b));
    assert_ok(psh_driver_poll(s->d, b, &at, NULL));
    psh_change_batch_destroy(b);
}

typedef struct taken {
    char names[4][32];
    unsigned char first[4];
    size_t count;
    psh_status answer;
} taken;

static psh_status take_section(void *user, const psh_section *s) {
    taken *t = user;

    assert_true(t->count < 4);
    strcpy(t->names[t->count], s->name);
    t->first[t->count] = s->size ? *(const unsigned char *)s->data : 0;
    t->count++;
    return t->answer;
}

static const psh_section two[] = { { "map", "abc", 3 }, { "tiers", "xyz", 3 } };

static void round_trip(stage *s, uint32_t flags) {
    taken t = { .answer = PSH_OK };
    psh_driver_options o;
    psh_driver *again = NULL;
    uint64_t id = 0;

    assert_ok(psh_driver_options_init(&o, sizeof o));
    o.flags = flags;
    fill(s);
    assert_ok(psh_driver_checkpoint(s->d, two, 2, 9, NULL));
    assert_ok(psh_driver_create(s->env, s->schema, &o, &s->storage, &s->cdc, NULL, &again, NULL));
    assert_ok(psh_driver_restore(again, take_section, &t, NULL));
    assert_int_equal(t.count, 2);
    assert_string_equal(t.names[0], "map");
    assert_string_equal(t.names[1], "tiers");
    assert_int_equal(t.first[1], 'x');
    assert_int_equal(psh_driver_cursor(again), 1);
    assert_int_equal(psh_driver_pending(again), 2);
    /* What was under way is submitted again, which its id makes harmless. */
    assert_ok(psh_driver_step(again, 10, 8));
    assert_ok(memory_host_finish(s->h, &id));
    assert_ok(psh_driver_complete(again, id, PSH_OK, 11));
    memory_host_set_pending(s->h, 0);
    assert_ok(psh_driver_step(again, 12, 8));
    assert_int_equal(psh_driver_pending(again), 0);
    assert_event(again, psh_action_id(PSH_ACT_ACTIVATE_PARTITION, 1, 0), PSH_PENDING);
    assert_event(again, psh_action_id(PSH_ACT_ACTIVATE_PARTITION, 1, 0), PSH_OK);
    assert_event(again, psh_action_id(PSH_ACT_SEAL_PARTITION, 1, 0), PSH_PENDING);
    assert_event(again, psh_action_id(PSH_ACT_SEAL_PARTITION, 1, 0), PSH_OK);
    psh_driver_destroy(again);
}

static void plain(void **state) {
    round_trip(*state, 0);
}

static void compressed(void **state) {
    stage *s = *state;
    psh_driver_options o;

    if (!pshi_xz_available())
        skip();
    psh_driver_destroy(s->d);
    assert_ok(psh_driver_options_init(&o, sizeof o));
    o.flags = PSH_DRIVER_COMPRESS;
    assert_ok(psh_driver_create(s->env, s->schema, &o, &s->storage, &s->cdc, NULL, &s->d, NULL));
    round_trip(s, PSH_DRIVER_COMPRESS);
}

static void ids_done_stay_done(void **state) {
    stage *s = *state;
    psh_action a = fake_action(PSH_ACT_CREATE_PARTITION, 1, NULL);
    psh_plan *p = fake_plan(s->env, &a, 1);
    psh_driver *again = NULL;

    fill(s);
    assert_ok(psh_driver_checkpoint(s->d, NULL, 0, 9, NULL));
    assert_ok(psh_driver_create(s->env, s->schema, NULL, &s->storage, &s->cdc, NULL, &again, NULL));
    assert_ok(psh_driver_restore(again, NULL, NULL, NULL));
    assert_ok(psh_driver_run(again, p, NULL));
    assert_int_equal(psh_driver_pending(again), 2);
    psh_plan_unref(p);
    psh_driver_destroy(again);
}

static void failures_leave_the_old(void **state) {
    stage *s = *state;
    taken t = { .answer = PSH_OK };
    psh_section bad[] = { { "map", "a", 1 }, { "map", "b", 1 } };
    psh_error err = { .struct_size = sizeof err };
    psh_action a = fake_action(PSH_ACT_DROP_VIEW, 5, NULL);
    psh_plan *p;

    assert_int_equal(psh_driver_restore(s->d, take_section, &t, NULL), PSH_E_NOT_FOUND);
    assert_ok(psh_driver_checkpoint(s->d, two, 2, 1, NULL));
    assert_int_equal(psh_driver_checkpoint(s->d, bad, 2, 1, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "sections[1]");
    bad[0].name = "Map";
    assert_int_equal(psh_driver_checkpoint(s->d, bad, 1, 1, NULL), PSH_E_INVALID);
    memory_host_fail(s->h, 0, 0);
    assert_int_equal(psh_driver_checkpoint(s->d, two, 1, 2, &err), PSH_E_HOST);
    assert_string_equal(err.field, "storage.commit");
    assert_ok(psh_driver_restore(s->d, take_section, &t, NULL));
    assert_int_equal(t.count, 2);
    /* A section that its owner refuses leaves the driver as it was. */
    p = fake_plan(s->env, &a, 1);
    assert_ok(psh_driver_run(s->d, p, NULL));
    psh_plan_unref(p);
    t.count = 0;
    t.answer = PSH_E_CORRUPT;
    assert_int_equal(psh_driver_restore(s->d, take_section, &t, NULL), PSH_E_CORRUPT);
    assert_int_equal(t.count, 1);
    assert_int_equal(psh_driver_pending(s->d), 1);
    /* Events that wait would be lost. */
    assert_ok(psh_driver_step(s->d, 3, 8));
    assert_int_equal(psh_driver_checkpoint(s->d, two, 2, 3, NULL), PSH_E_STATE);
}

static void flip_every_byte(stage *s) {
    psh_buffer *blob = NULL;
    psh_blob_write write = { "predshard/checkpoint", NULL, 0 };
    unsigned char *bytes;
    size_t i;
    psh_status st;

    fill(s);
    assert_ok(psh_driver_checkpoint(s->d, two, 2, 9, NULL));
    assert_ok(psh_buffer_create(s->env, &blob));
    assert_ok(s->storage.get(s->h, write.name, blob));
    bytes = test_malloc(psh_buffer_size(blob));
    memcpy(bytes, psh_buffer_data(blob), psh_buffer_size(blob));
    write.data = bytes;
    write.size = psh_buffer_size(blob);
    for (i = 0; i < write.size; i++) {
        bytes[i] ^= 0x20;
        assert_ok(s->storage.commit(s->h, &write, 1));
        st = psh_driver_restore(s->d, NULL, NULL, NULL);
        assert_true(st == PSH_E_CORRUPT || st == PSH_E_NEWER);
        bytes[i] ^= 0x20;
    }
    for (i = 0; i < write.size; i++) {
        psh_blob_write cut = { write.name, bytes, i };

        assert_ok(s->storage.commit(s->h, &cut, 1));
        assert_true(psh_driver_restore(s->d, NULL, NULL, NULL) < 0);
    }
    assert_ok(s->storage.commit(s->h, &write, 1));
    assert_ok(psh_driver_restore(s->d, NULL, NULL, NULL));
    test_free(bytes);
    psh_buffer_destroy(blob);
}

static void every_flip_is_noticed(void **state) {
    flip_every_byte(*state);
}

static void every_flip_of_compressed_is_noticed(void **state) {
    stage *s = *state;
    psh_driver_options o;
    psh_driver *d = NULL;

    assert_ok(psh_driver_options_init(&o, sizeof o));
    o.flags = PSH_DRIVER_COMPRESS;
    if (psh_driver_create(s->env, s->schema, &o, &s->storage, &s->cdc, NULL, &d, NULL) == PSH_E_UNSUPPORTED)
        skip();
    psh_driver_destroy(s->d);
    s->d = d;
    flip_every_byte(s);
}

static psh_status scenario(psh_env *env, void *user) {
    stage *s = user;
    psh_driver *d = NULL;
    psh_status st = psh_driver_create(env, s->schema, NULL, &s->storage, &s->cdc, NULL, &d, NULL);

    if (st == PSH_OK)
        st = psh_driver_restore(d, NULL, NULL, NULL);
    if (st == PSH_OK)
        st = psh_driver_checkpoint(d, two, 2, 20, NULL);
    psh_driver_destroy(d);
    return st;
}

static void memory_fails(void **state) {
    stage *s = *state;

    fill(s);
    assert_ok(psh_driver_checkpoint(s->d, two, 2, 9, NULL));
    test_every_allocation(scenario, s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(plain, setup, teardown),
        cmocka_unit_test_setup_teardown(compressed, setup, teardown),
        cmocka_unit_test_setup_teardown(ids_done_stay_done, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_leave_the_old, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flip_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flip_of_compressed_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_fails, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
