/* SPDX-License-Identifier: MIT */
/* One world in several processes: options, the lead, publications, catching up. */
#include "fake.h"
#include "share_three.h"

static psh_status try_options(stage *t, const psh_share_options *o, const psh_kv *kv) {
    psh_share *s = t->s[0]; /* not NULL, to see that it is set */
    psh_status st = psh_share_create(t->env, t->schema, kv, o, &s, &err);

    assert_true(st == PSH_OK || s == NULL);
    psh_share_destroy(s);
    return st;
}

#define REFUSED(change, name, status) \
    do { \
        assert_ok(psh_share_options_init(&o, sizeof o)); \
        change; \
        assert_int_equal(try_options(t, &o, &t->kv[0]), status); \
        assert_string_equal(err.field, name); \
    } while (0)

static void options_are_checked(void **state) {
    static const char sixty_five[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    stage *t = *state;
    psh_share_options o;
    psh_kv kv = t->kv[0];

    assert_ok(try_options(t, NULL, &kv));
    assert_ok(psh_share_options_init(&o, sizeof o));
    assert_ok(try_options(t, &o, &kv));
    REFUSED(o.flags = 1, "flags", PSH_E_UNSUPPORTED);
    REFUSED(o.prefix = "A", "prefix", PSH_E_INVALID);
    REFUSED(o.prefix = "a/b", "prefix", PSH_E_INVALID);
    REFUSED(o.prefix = sixty_five, "prefix", PSH_E_INVALID);
    REFUSED(o.owner = "", "owner", PSH_E_INVALID);
    REFUSED(o.owner = NULL, "owner", PSH_E_INVALID);
    REFUSED(o.lease_ns = 0, "lease_ns", PSH_E_INVALID);
    REFUSED(o.max_blob_bytes = 4095, "max_blob_bytes", PSH_E_INVALID);
    REFUSED(o.max_blob_bytes = (UINT64_C(1) << 30) + 1, "max_blob_bytes", PSH_E_INVALID);
    REFUSED(o.max_bytes = 0, "max_bytes", PSH_E_INVALID);
    REFUSED(o.max_retries = 0, "max_retries", PSH_E_INVALID);
    REFUSED(o.max_retries = 1001, "max_retries", PSH_E_INVALID);
    REFUSED(o.keep_epochs = 0, "keep_epochs", PSH_E_INVALID);
    REFUSED(o.keep_epochs = 1025, "keep_epochs", PSH_E_INVALID);
    REFUSED(o.struct_size = 3, "struct_size", PSH_E_INVALID);
    kv.get = NULL;
    assert_int_equal(try_options(t, NULL, &kv), PSH_E_INVALID);
    kv = t->kv[0];
    kv.version = 9;
    assert_int_equal(try_options(t, NULL, &kv), PSH_E_UNSUPPORTED);
    assert_int_equal(psh_share_options_init(NULL, 8), PSH_E_INVALID);
    assert_int_equal(try_options(t, NULL, NULL), PSH_E_INVALID);
    psh_share_destroy(NULL);
}

static void an_empty_store(void **state) {
    stage *t = *state;
    model m = model_start();
    psh_world *w = NULL;
    uint64_t current = 9;

    assert_int_equal(psh_share_catch_up(t->s[0], 0, &w, &err), PSH_E_NOT_FOUND);
    assert_null(w);
    assert_int_equal(psh_share_check(t->s[0], 1, &current, &err), PSH_E_NOT_FOUND);
    assert_int_equal(current, 0);
    assert_ok(psh_share_check_fence(t->s[0], 0, &err));
    assert_int_equal(publish(t, 0, &m, NOW), PSH_E_FENCED);
    assert_int_equal(psh_share_collect(t->s[0], NOW, NULL, &err), PSH_E_FENCED);
    assert_ok(psh_share_resign(t->s[0], NOW, &err));
    /* Led, but nothing published: there is still nothing to be had. */
    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    assert_int_equal(psh_share_catch_up(t->s[1], 0, &w, &err), PSH_E_NOT_FOUND);
    assert_int_equal(psh_share_catch_up(t->s[1], PSH_SECOND, &w, &err), PSH_E_NOT_FOUND);
    m.epoch = 0; /* as high as nothing */
    assert_int_equal(publish(t, 0, &m, NOW), PSH_E_CONFLICT);
    assert_int_equal(psh_share_lead(t->s[0], PSH_TIME_NONE, NULL, &err), PSH_E_INVALID);
    assert_int_equal(psh_share_publish(t->s[0], NULL, NOW, &err), PSH_E_INVALID);
    assert_int_equal(psh_share_catch_up(t->s[0], 0, NULL, &err), PSH_E_INVALID);
    assert_int_equal(psh_share_lead(NULL, NOW, NULL, &err), PSH_E_INVALID);
}

/* Random changes, two readers that follow when they please: each world they get is the one that was published. */
static void worlds_pass(void **state) {
    stage *t = *state;
    model m = model_start();
    uint64_t rng = 7, seen[3] = { 0 };
    psh_world *w;
    int i, round;

    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    for (round = 0; round < 300; round++) {
        assert_ok(publish(t, 0, &m, NOW));
        assert_int_equal(psh_share_catch_up(t->s[0], 0, &w, &err), PSH_END); /* its own is no news */
        for (i = 1; i < 3; i++) {
            if (pshi_rng_next(&rng) % 3 == 0)
                continue;
            assert_follows(t->s[i], &m, t->env, t->schema);
            assert_int_equal(psh_share_catch_up(t->s[i], 0, &w, &err), PSH_END);
            assert_ok(psh_share_check(t->s[i], m.epoch, NULL, &err));
            seen[i] = m.epoch;
            assert_int_equal(stats_of(t->s[i]).epoch, m.epoch);
        }
        if (round % 50 == 49)
            assert_ok(psh_share_collect(t->s[0], NOW, NULL, &err));
        model_change(&m, &rng);
    }
    assert_true(seen[1] && seen[2]);
    assert_true(stats_of(t->s[0]).blobs_reused > stats_of(t->s[0]).blobs_written);
}

static void leads_have_leases(void **state) {
    stage *t = *state;
    uint64_t fence = 0;
    int64_t lease = 30 * PSH_SECOND;

    assert_ok(psh_share_lead(t->s[0], NOW, &fence, &err));
    assert_int_equal(fence, 1);
    assert_int_equal(stats_of(t->s[0]).leads, 1);
    /* The taker's clock decides, whatever the leader's says. */
    assert_int_equal(psh_share_lead(t->s[1], NOW + lease - 1, &fence, &err), PSH_E_FENCED);
    assert_non_null(strstr(err.text, "anna"));
    assert_int_equal(stats_of(t->s[1]).leads, 0);
    assert_ok(psh_share_lead(t->s[0], NOW + lease / 2, &fence, &err)); /* renewed */
    assert_int_equal(fence, 1);
    assert_int_equal(psh_share_lead(t->s[1], NOW + lease, &fence, &err), PSH_E_FENCED);
    assert_ok(psh_share_lead(t->s[1], NOW + lease / 2 + lease, &fence, &err));
    assert_int_equal(fence, 2);
    assert_ok(psh_share_check_fence(t->s[2], 2, &err));
    assert_int_equal(psh_share_check_fence(t->s[2], 1, &err), PSH_E_FENCED);
    assert_int_equal(psh_share_lead(t->s[0], NOW + lease, &fence, &err), PSH_E_FENCED);
    assert_int_equal(stats_of(t->s[0]).leads, 0);
    /* A late one that still had the lead renews it; one that lost it does not get its old fence back. */
    assert_ok(psh_share_lead(t->s[1], NOW + 9 * lease, &fence, &err));
    assert_int_equal(fence, 2);
    assert_ok(psh_share_resign(t->s[1], NOW + 9 * lease, &err));
    assert_int_equal(stats_of(t->s[1]).leads, 0);
    assert_ok(psh_share_lead(t->s[1], NOW + 9 * lease, &fence, &err));
    assert_int_equal(fence, 3);
    assert_ok(psh_share_resign(t->s[1], NOW + 9 * lease, &err));
    assert_ok(psh_share_lead(t->s[0], NOW, &fence, &err)); /* free: no need to wait */
    assert_int_equal(fence, 4);
    assert_ok(psh_share_resign(t->s[1], NOW, &err)); /* not its own any more: left alone */
    assert_int_equal(psh_share_lead(t->s[1], NOW, &fence, &err), PSH_E_FENCED);
}

static void restarts_lead_at_once(void **state) {
    stage *t = *state;
    model m = model_start();
    uint64_t fence = 0;

    assert_ok(psh_share_lead(t->s[0], NOW, &fence, &err));
    psh_share_destroy(t->s[2]);
    t->s[2] = share_of(t->env, t->schema, &t->kv[2], "anna");
    assert_ok(psh_share_lead(t->s[2], NOW + 1, &fence, &err));
    assert_int_equal(fence, 2);
    assert_int_equal(publish(t, 0, &m, NOW + 2), PSH_E_FENCED); /* the one before the restart is out */
    assert_ok(publish(t, 2, &m, NOW + 2));
}

static void lost_lead_keys_do_not_turn_fences_back(void **state) {
    stage *t = *state;
    psh_buffer *b = NULL;
    uint64_t fence = 0, version = 0;
    int i;

    for (i = 0; i < 5; i++) {
        assert_ok(psh_share_lead(t->s[i % 2], NOW, &fence, &err));
        assert_ok(psh_share_resign(t->s[i % 2], NOW, &err));
    }
    assert_int_equal(fence, 5);
    assert_ok(psh_buffer_create(t->env, &b));
    assert_ok(t->kv[0].get(t->kv[0].user, "predshard/lead", b, &version));
    assert_ok(t->kv[0].remove(t->kv[0].user, "predshard/lead", version));
    psh_buffer_destroy(b);
    assert_ok(psh_share_lead(t->s[2], NOW, &fence, &err));
    assert_int_equal(fence, 6);
}

static psh_buffer *root_of(stage *t, uint64_t *version) {
    psh_buffer *b = NULL;

    assert_ok(psh_buffer_create(t->env, &b));
    assert_ok(t->stores[0].inner.get(t->stores[0].inner.user, "predshard/root", b, version));
    return b;
}

static void the_deposed_are_refused(void **state) {
    stage *t = *state;
    model m = model_start();
    uint64_t fence = 0, before, after;
    psh_buffer *x, *y;

    assert_ok(psh_share_lead(t->s[0], NOW, &fence, &err));
    assert_ok(publish(t, 0, &m, NOW));
    assert_follows(t->s[1], &m, t->env, t->schema);
    assert_int_equal(publish(t, 0, &m, NOW + PSH_HOUR), PSH_E_FENCED); /* its lease ran out: it has to renew */
    assert_ok(psh_share_lead(t->s[1], NOW + PSH_HOUR, &fence, &err));
    x = root_of(t, &before);
    m.epoch++;
    m.rows[3]++;
    assert_int_equal(publish(t, 0, &m, NOW + 1), PSH_E_FENCED);
    assert_string_equal(err.field, "root");
    assert_int_equal(psh_share_collect(t->s[0], NOW + 1, NULL, &err), PSH_E_FENCED);
    y = root_of(t, &after);
    assert_true(before == after);
    assert_int_equal(psh_buffer_size(x), psh_buffer_size(y));
    assert_memory_equal(psh_buffer_data(x), psh_buffer_data(y), psh_buffer_size(x));
    assert_ok(publish(t, 1, &m, NOW + PSH_HOUR));
    assert_follows(t->s[0], &m, t->env, t->schema);
    psh_buffer_destroy(x);
    psh_buffer_destroy(y);
}

static void epochs_only_grow(void **state) {
    stage *t = *state;
    model m = model_start(), other;
    uint64_t current = 0;

    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    m.epoch = 10;
    assert_ok(publish(t, 0, &m, NOW));
    assert_ok(publish(t, 0, &m, NOW)); /* the very same: its first answer may have been lost */
    other = m;
    other.rows[1]++;
    assert_int_equal(publish(t, 0, &other, NOW), PSH_E_CONFLICT);
    assert_string_equal(err.field, "epoch");
    other.epoch = 9;
    assert_int_equal(publish(t, 0, &other, NOW), PSH_E_CONFLICT);
    assert_int_equal(psh_share_check(t->s[1], 9, &current, &err), PSH_E_CONFLICT);
    assert_int_equal(current, 10);
    assert_ok(psh_share_check(t->s[1], 10, NULL, &err));
    assert_follows(t->s[1], &m, t->env, t->schema);
}

static void lost_races_are_retried(void **state) {
    stage *t = *state;
    model m = model_start();
    uint64_t fence;

    t->stores[0].refuse = 5;
    assert_ok(psh_share_lead(t->s[0], NOW, &fence, &err));
    assert_int_equal(stats_of(t->s[0]).races_lost, 5);
    t->stores[0].refuse = 9;
    assert_ok(publish(t, 0, &m, NOW));
    assert_follows(t->s[1], &m, t->env, t->schema);
    t->stores[0].refuse = -1; /* for ever */
    m.epoch++;
    assert_int_equal(publish(t, 0, &m, NOW), PSH_E_CONFLICT);
    assert_int_equal(psh_share_lead(t->s[0], NOW, &fence, &err), PSH_E_CONFLICT);
    assert_int_equal(psh_share_resign(t->s[0], NOW, &err), PSH_E_CONFLICT);
    t->stores[0].refuse = 0;
    assert_ok(publish(t, 0, &m, NOW));
    assert_follows(t->s[1], &m, t->env, t->schema);
}

/* What a host answers never passes for an answer of the share's. */
static void strange_answers_are_the_hosts(void **state) {
    static const psh_status answers[] = { PSH_E_FENCED, PSH_E_CORRUPT, PSH_E_TIMEOUT, PSH_AGAIN, -77, -501 };
    stage *t = *state;
    model m = model_start();
    psh_world *w;
    uint64_t fence;
    size_t i;

    assert_ok(psh_share_lead(t->s[0], NOW, &fence, &err));
    for (i = 0; i < sizeof answers / sizeof *answers; i++) {
        t->stores[0].countdown = 0;
        t->stores[0].answer = answers[i];
        assert_int_equal(publish(t, 0, &m, NOW), PSH_E_HOST);
        assert_int_equal(err.code, PSH_E_HOST);
        assert_int_equal(err.host_code, answers[i]);
        t->stores[0].countdown = 0;
        assert_int_equal(psh_share_catch_up(t->s[0], 0, &w, &err), PSH_E_HOST);
    }
    assert_ok(publish(t, 0, &m, NOW));
}

static psh_status get_without_version(void *user, const char *key, psh_buffer *out, uint64_t *version) {
    (void)user;
    (void)key;
    *version = 0;
    return psh_buffer_append(out, "x", 1);
}

static psh_status get_garbage(void *user, const char *key, psh_buffer *out, uint64_t *version) {
    (void)user;
    (void)key;
    *version = 3;
    return psh_buffer_append(out, "garbage", 7);
}

static void garbage_is_refused(void **state) {
    stage *t = *state;
    psh_world *w = NULL;
    uint64_t fence;

    t->stores[1].inner.get = get_without_version;
    assert_int_equal(psh_share_catch_up(t->s[1], 0, &w, &err), PSH_E_HOST);
    assert_string_equal(err.field, "kv.get");
    assert_int_equal(psh_share_lead(t->s[1], NOW, &fence, &err), PSH_E_HOST);
    t->stores[1].inner.get = get_garbage;
    assert_int_equal(psh_share_catch_up(t->s[1], 0, &w, &err), PSH_E_CORRUPT);
    assert_int_equal(psh_share_lead(t->s[1], NOW, &fence, &err), PSH_E_CORRUPT);
    assert_int_equal(psh_share_check(t->s[1], 1, NULL, &err), PSH_E_CORRUPT);
    assert_int_equal(psh_share_check_fence(t->s[1], 1, &err), PSH_E_CORRUPT);
    assert_null(w);
}

static void watchers_wait(void **state) {
    stage *t = *state;
    model m = model_start();
    psh_world *w = NULL;

    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    assert_ok(publish(t, 0, &m, NOW));
    assert_ok(psh_share_catch_up(t->s[1], PSH_SECOND, &w, &err));
    psh_world_unref(w);
    assert_int_equal(psh_share_catch_up(t->s[1], PSH_SECOND, &w, &err), PSH_END);
    t->stores[1].countdown = 1; /* the watch */
    assert_int_equal(psh_share_catch_up(t->s[1], PSH_SECOND, &w, &err), PSH_E_HOST);
    assert_string_equal(err.field, "kv.watch");
}

/* While one waits, the other publishes: it gets that world. */
static void publish_while_watched(void *user, const char *op, const char *key) {
    stage *t = user;
    model m = model_start();

    (void)key;
    if (strcmp(op, "watch") != 0)
        return;
    m.epoch = 5;
    t->stores[1].before = NULL;
    assert_ok(publish(t, 0, &m, NOW));
}

static void watchers_wake(void **state) {
    stage *t = *state;
    model m = model_start();
    psh_world *w = NULL;

    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    t->stores[1].before = publish_while_watched;
    t->stores[1].user = t;
    assert_ok(psh_share_catch_up(t->s[1], PSH_SECOND, &w, &err)); /* from nothing */
    assert_int_equal(psh_world_epoch(w), 5);
    psh_world_unref(w);
    m.epoch = 5;
    assert_int_equal(publish(t, 0, &m, NOW), PSH_OK);
}

typedef struct reentry {
    psh_share *s;
    psh_status st[4];
} reentry;

static void call_back(void *user, const char *op, const char *key) {
    reentry *r = user;
    psh_world *w;

    (void)op;
    (void)key;
    r->st[0] = psh_share_lead(r->s, NOW, NULL, NULL);
    r->st[1] = psh_share_catch_up(r->s, 0, &w, NULL);
    r->st[2] = psh_share_check(r->s, 1, NULL, NULL);
    r->st[3] = psh_share_collect(r->s, NOW, NULL, NULL);
}

static void calls_from_callbacks_are_refused(void **state) {
    stage *t = *state;
    reentry r = { .s = t->s[0] };
    int i;

    t->stores[0].before = call_back;
    t->stores[0].user = &r;
    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    for (i = 0; i < 4; i++)
        assert_int_equal(r.st[i], PSH_E_REENTRANT);
}

/* One lead, one fence: the driver acts under the one that the share was given. */
static void drivers_take_the_fence(void **state) {
    stage *t = *state;
    fake f = { 0 };
    psh_storage storage = fake_storage(&f);
    psh_action a = fake_action(PSH_ACT_CREATE_PARTITION, 1, NULL);
    psh_driver *own = NULL, *with = NULL;
    uint64_t fence = 0;
    psh_plan *p;

    assert_ok(psh_share_lead(t->s[0], NOW, &fence, &err));
    assert_ok(psh_share_resign(t->s[0], NOW, &err));
    assert_ok(psh_share_lead(t->s[1], NOW, &fence, &err));
    assert_ok(psh_driver_create(t->env, t->schema, NULL, &storage, NULL, NULL, &own, NULL));
    assert_ok(psh_driver_create(t->env, t->schema, NULL, &storage, NULL, &t->kv[0], &with, NULL));
    assert_int_equal(psh_driver_set_fence(own, 0, &err), PSH_E_INVALID);
    assert_ok(psh_driver_set_fence(own, fence, &err));
    assert_ok(psh_driver_set_fence(own, fence, &err)); /* renewed */
    assert_int_equal(psh_driver_fence(own), 2);
    assert_int_equal(psh_driver_set_fence(own, 1, &err), PSH_E_FENCED);
    assert_ok(psh_driver_set_fence(with, 2, &err));
    assert_ok(psh_driver_checkpoint(with, NULL, 0, NOW, &err));
    p = fake_plan(t->env, &a, 1);
    assert_ok(psh_driver_run(own, p, NULL));
    assert_ok(psh_driver_step(own, 0, 1));
    assert_int_equal(f.fences[0], 2);
    psh_plan_unref(p);
    psh_driver_destroy(own);
    /* The next leader's driver raises it for both. */
    assert_ok(psh_driver_create(t->env, t->schema, NULL, &storage, NULL, &t->kv[1], &own, NULL));
    assert_ok(psh_driver_set_fence(own, 3, &err));
    assert_int_equal(psh_driver_checkpoint(with, NULL, 0, NOW, &err), PSH_E_FENCED);
    assert_int_equal(psh_driver_set_fence(with, 2, &err), PSH_E_FENCED);
    assert_ok(psh_driver_lead(with, &fence, &err));
    assert_int_equal(fence, 4);
    psh_driver_destroy(own);
    psh_driver_destroy(with);
}

static void other_schemas_are_told(void **state) {
    static const psh_column_spec column = { "at", PSH_TYPE_TIMESTAMP, 0, 0, 0 };
    static const uint32_t key = 0;
    stage *t = *state;
    psh_table_spec table = { .name = "flights", .columns = &column, .column_count = 1,
        .column_stride = sizeof column, .key_columns = &key, .key_count = 1, .tenant_column = PSH_NONE,
        .interval_ns = PSH_DAY };
    model m = model_start();
    psh_world *w = NULL;
    psh_schema *other = NULL;
    psh_share *s;

    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    assert_ok(publish(t, 0, &m, NOW));
    assert_ok(psh_schema_create(t->env, &table, 1, sizeof table, &other, NULL));
    s = share_of(t->env, other, &t->kv[1], "other");
    assert_int_equal(psh_share_catch_up(s, 0, &w, &err), PSH_E_UNSUPPORTED);
    assert_string_equal(err.field, "schema");
    assert_ok(psh_share_resign(t->s[0], NOW, &err));
    assert_ok(psh_share_lead(s, NOW, NULL, &err));
    m.epoch++;
    assert_int_equal(model_publish(&m, s, t->env, t->schema, NOW), PSH_E_INVALID);
    psh_share_destroy(s);
    /* Another object of the same schema will do. */
    psh_schema_unref(other);
    other = test_flights_schema(t->env);
    s = share_of(t->env, other, &t->kv[1], "other");
    assert_ok(psh_share_lead(s, NOW, NULL, &err));
    assert_ok(model_publish(&m, s, t->env, t->schema, NOW));
    assert_follows(t->s[2], &m, t->env, t->schema);
    m.epoch++;
    assert_ok(model_publish(&m, s, t->env, t->schema, NOW));
    psh_share_destroy(s);
    psh_schema_unref(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(options_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_store, setup, teardown),
        cmocka_unit_test_setup_teardown(worlds_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(leads_have_leases, setup, teardown),
        cmocka_unit_test_setup_teardown(restarts_lead_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(lost_lead_keys_do_not_turn_fences_back, setup, teardown),
        cmocka_unit_test_setup_teardown(the_deposed_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(epochs_only_grow, setup, teardown),
        cmocka_unit_test_setup_teardown(lost_races_are_retried, setup, teardown),
        cmocka_unit_test_setup_teardown(strange_answers_are_the_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(watchers_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(watchers_wake, setup, teardown),
        cmocka_unit_test_setup_teardown(calls_from_callbacks_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(drivers_take_the_fence, setup, teardown),
        cmocka_unit_test_setup_teardown(other_schemas_are_told, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
