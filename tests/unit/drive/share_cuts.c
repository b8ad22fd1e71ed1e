/* SPDX-License-Identifier: MIT */
/* How worlds are cut into blobs, and what becomes of those that no root names any more. */
#include "share_three.h"

#include "drive/share.h"

/* The manifest of a share that knows nothing of worlds before. */
static pshi_digest top_of_whole(stage *t, psh_share *empty, const psh_world *w) {
    pshi_holding h;
    pshi_digest top;

    (void)t;
    assert_ok(pshi_share_cut(empty, w, &h, &err));
    top = h.top;
    pshi_holding_free(empty, &h);
    return top;
}

/* Worlds made on the one before: published by what differs, to the bytes that publishing the whole would give. */
static void cuts_do_not_depend_on_history(void **state) {
    stage *t = *state;
    model m = model_start();
    uint64_t rng = 99;
    psh_world *before = NULL, *w, *got;
    pshi_digest top;
    int round, days;

    m.days = MODEL_DAYS;
    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    for (round = 0; round < 400; round++) {
        w = model_world_on(&m, before, t->env, t->schema);
        assert_ok(psh_share_publish(t->s[0], w, NOW, &err));
        top = top_of_whole(t, t->s[2], w);
        assert_memory_equal(&t->s[0]->held.top, &top, sizeof top);
        got = NULL;
        if (round % 3 == 0) {
            assert_ok(psh_share_catch_up(t->s[1], 0, &got, &err));
            assert_same_world(got, w, t->env);
        }
        psh_world_unref(got);
        psh_world_unref(before);
        before = w;
        days = (int)(pshi_rng_next(&rng) % 4);
        m.epoch++;
        m.used++;
        for (; days >= 0; days--)
            m.rows[pshi_rng_next(&rng) % MODEL_DAYS] += 1 + (uint32_t)(pshi_rng_next(&rng) % 9000);
        if (round % 7 == 6)
            m.arcs[pshi_rng_next(&rng) % MODEL_DAYS] = 1 + (uint32_t)(pshi_rng_next(&rng) % 90);
        if (round % 11 == 10) { /* as many partitions come as go */
            m.arcs[(uint64_t)m.first_day % MODEL_DAYS] = m.arcs[((uint64_t)m.first_day + m.days) % MODEL_DAYS];
            m.first_day++;
        }
        if (round % 31 == 30)
            model_change(&m, &rng);
    }
    psh_world_unref(before);
}

/* A reader that follows reads what changed, and the publisher writes no more. */
static void one_change_is_few_blobs(void **state) {
    stage *t = *state;
    model m = model_start();
    psh_share_stats a, b, c;
    psh_world *w = NULL;
    uint32_t i;

    m.days = MODEL_DAYS;
    for (i = 0; i < MODEL_DAYS; i++)
        m.arcs[i] = 8;
    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    assert_ok(publish(t, 0, &m, NOW));
    assert_follows(t->s[1], &m, t->env, t->schema);
    a = stats_of(t->s[0]);
    b = stats_of(t->s[1]);
    assert_true(a.blobs_written > 30);
    assert_int_equal(b.blobs_read, a.blobs_written);
    m.epoch++;
    m.rows[5]++;
    assert_ok(publish(t, 0, &m, NOW));
    assert_follows(t->s[1], &m, t->env, t->schema);
    assert_true(stats_of(t->s[0]).blobs_written - a.blobs_written <= 5); /* one of rows, one a level */
    c = stats_of(t->s[0]);
    assert_int_equal(stats_of(t->s[1]).blobs_read - b.blobs_read, c.blobs_written - a.blobs_written);
    /* The same world again, but for its epoch, is no blob at all. */
    a = stats_of(t->s[0]);
    m.epoch++;
    assert_ok(publish(t, 0, &m, NOW));
    c = stats_of(t->s[0]);
    assert_int_equal(c.blobs_written, a.blobs_written);
    assert_true(c.bytes_written - a.bytes_written < 400);
    assert_ok(psh_share_catch_up(t->s[1], 0, &w, &err));
    assert_int_equal(psh_world_epoch(w), m.epoch);
    psh_world_unref(w);
}

static psh_status count_key(void *user, const char *key, uint64_t version) {
    (void)key;
    (void)version;
    ++*(uint64_t *)user;
    return PSH_OK;
}

static uint64_t blobs_in_store(stage *t) {
    uint64_t n = 0;

    assert_ok(t->stores[0].inner.list(t->stores[0].inner.user, "predshard/blob/", count_key, &n));
    return n;
}

static void garbage_is_collected(void **state) {
    stage *t = *state;
    model m = model_start(), first = m;
    uint64_t removed = 0, all, rng = 3;
    psh_share *late = NULL;
    psh_world *w = NULL;
    int i;

    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    assert_ok(publish(t, 0, &m, NOW));
    assert_follows(t->s[2], &first, t->env, t->schema);
    for (i = 0; i < 40; i++) {
        model_change(&m, &rng);
        assert_ok(publish(t, 0, &m, NOW));
    }
    all = blobs_in_store(t);
    assert_ok(psh_share_collect(t->s[0], NOW, &removed, &err));
    assert_true(removed > 0);
    assert_int_equal(blobs_in_store(t), all - removed);
    assert_ok(psh_share_collect(t->s[0], NOW, &removed, &err));
    assert_int_equal(removed, 0);
    late = share_of(t->env, t->schema, &t->kv[1], "late");
    assert_follows(late, &m, t->env, t->schema); /* all of the current world is there */
    psh_share_destroy(late);
    assert_follows(t->s[2], &m, t->env, t->schema); /* from an epoch that is gone long since */
    /* What was removed is written again when a world needs it. */
    first.epoch = m.epoch + 1;
    assert_ok(publish(t, 0, &first, NOW));
    assert_ok(psh_share_collect(t->s[0], NOW, &removed, &err));
    assert_ok(psh_share_catch_up(t->s[1], 0, &w, &err));
    psh_world_unref(w);
    t->kv[0].remove = NULL;
    psh_share_destroy(t->s[0]);
    t->s[0] = share_of(t->env, t->schema, &t->kv[0], "anna");
    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    assert_int_equal(psh_share_collect(t->s[0], NOW, &removed, &err), PSH_E_UNSUPPORTED);
}

/* A store that lists what is no blob, what is gone, and blobs under versions that they do not have. */
static psh_status list_garbage(
    void *user, const char *prefix, psh_status (*each)(void *each_user, const char *key, uint64_t version),
    void *each_user) {
    static const char gone[] = "predshard/blob/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const char *const keys[] = { NULL, "", "predshard/blob/", "predshard/blob/zz", "x", gone,
        "predshard/blob/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
        "predshard/blob/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0", "predshard/root" };
    psh_status st = PSH_OK;
    size_t i;

    (void)user;
    (void)prefix;
    for (i = 0; st == PSH_OK && i < sizeof keys / sizeof *keys; i++)
        st = each(each_user, keys[i], 1);
    return st == PSH_OK ? each(each_user, gone, 0) : st;
}

static void garbage_in_lists_does_no_harm(void **state) {
    stage *t = *state;
    model m = model_start();
    uint64_t removed = 1;

    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    assert_ok(publish(t, 0, &m, NOW));
    t->stores[0].inner.list = list_garbage;
    assert_ok(psh_share_collect(t->s[0], NOW, &removed, &err));
    assert_int_equal(removed, 0);
    assert_follows(t->s[1], &m, t->env, t->schema);
}

/* A view whose definition alone is longer than any blob may be. */
static psh_world *world_of_a_long_view(stage *t) {
    static const uint32_t groups[] = { 3 };
    static const psh_aggregate counts[] = { { PSH_AGG_COUNT, PSH_NONE } };
    static char text[5000];
    psh_value value;
    psh_predicate p = { 3, PSH_OP_EQ, &value, 1 };
    psh_world_draft *d = NULL;
    psh_query_spec query;
    psh_view_spec spec;
    psh_query *q = NULL;
    psh_view *v = NULL;
    psh_world *w = NULL;

    memset(text, 'a', sizeof text - 1);
    value = test_text(text);
    psh_query_spec_init(&query, sizeof query);
    query.predicates = &p;
    query.predicate_count = 1;
    query.group_columns = groups;
    query.group_count = 1;
    query.aggregates = counts;
    query.aggregate_count = 1;
    assert_ok(psh_query_create(t->env, t->schema, &query, &q, &err));
    psh_view_spec_init(&spec, sizeof spec);
    spec.name = "long";
    spec.definition = q;
    assert_ok(psh_view_create(t->env, &spec, &v, &err));
    assert_ok(psh_world_draft_create(t->env, t->schema, 9, NOW, &d));
    assert_ok(psh_world_draft_add_view(d, v));
    assert_ok(psh_world_create(d, &w, &err));
    psh_world_draft_destroy(d);
    psh_view_unref(v);
    psh_query_unref(q);
    return w;
}

static void things_longer_than_a_blob_are_refused(void **state) {
    stage *t = *state;
    psh_world *w = world_of_a_long_view(t), *got = NULL;
    psh_share_options o;
    psh_share *wide = NULL;

    assert_ok(psh_share_lead(t->s[0], NOW, NULL, &err));
    assert_int_equal(psh_share_publish(t->s[0], w, NOW, &err), PSH_E_LIMIT);
    assert_string_equal(err.field, "max_blob_bytes");
    assert_int_equal(psh_share_catch_up(t->s[1], 0, &got, &err), PSH_E_NOT_FOUND);
    /* The bound is the writer's: a reader whose own is lower reads it all the same. */
    assert_ok(psh_share_options_init(&o, sizeof o));
    o.owner = "anna";
    assert_ok(psh_share_create(t->env, t->schema, &t->kv[2], &o, &wide, &err));
    assert_ok(psh_share_lead(wide, NOW, NULL, &err));
    assert_ok(psh_share_publish(wide, w, NOW, &err));
    assert_ok(psh_share_catch_up(t->s[1], 0, &got, &err));
    assert_same_world(got, w, t->env);
    psh_world_unref(got);
    psh_world_unref(w);
    psh_share_destroy(wide);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cuts_do_not_depend_on_history, setup, teardown),
        cmocka_unit_test_setup_teardown(one_change_is_few_blobs, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage_is_collected, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage_in_lists_does_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(things_longer_than_a_blob_are_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
