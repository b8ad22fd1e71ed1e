/* SPDX-License-Identifier: MIT */
/* Life of views, what is chosen, and what is saved. */
#include "base/crc32c.h"
#include "base/rng.h"
#include "fixture.h"

typedef struct ground {
    psh_env *env;
    psh_schema *schema;
    psh_world *world;
    psh_materializer *m;
    psh_query *by_tenant, *by_day;
    psh_wants *wants;
} ground;

static void set_up(ground *g, const psh_materializer_options *o) {
    memset(g, 0, sizeof *g);
    assert_ok(psh_env_create(NULL, &g->env, NULL));
    g->schema = events_schema(g->env);
    g->world = days_world(g->env, g->schema, 10, PSH_PARTITION_SEALED, 1000);
    g->by_tenant = full_query(g->env, g->schema, PSH_HOUR, 2);
    g->by_day = full_query(g->env, g->schema, PSH_DAY, 0);
    assert_ok(psh_wants_create(g->env, &g->wants));
    assert_ok(psh_materializer_create(g->env, g->schema, o, &g->m, NULL));
}

static void tear_down(ground *g) {
    psh_env_stats s = { sizeof s };

    psh_materializer_destroy(g->m);
    psh_wants_destroy(g->wants);
    psh_query_unref(g->by_tenant);
    psh_query_unref(g->by_day);
    psh_world_unref(g->world);
    psh_schema_unref(g->schema);
    assert_ok(psh_env_get_stats(g->env, &s));
    assert_int_equal(s.blocks, 0);
    psh_env_destroy(g->env);
}

static void test_options_are_checked(void **state) {
    psh_materializer_options o;
    psh_materializer *m = NULL;
    psh_error err = { sizeof err };
    ground g;

    (void)state;
    set_up(&g, NULL);
    assert_ok(psh_materializer_options_init(&o, sizeof o));
    o.max_views = 0;
    assert_int_equal(psh_materializer_create(g.env, g.schema, &o, &m, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "max_views");
    assert_ok(psh_materializer_options_init(&o, sizeof o));
    o.upkeep_work = -1;
    assert_int_equal(psh_materializer_create(g.env, g.schema, &o, &m, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "upkeep_work");
    assert_ok(psh_materializer_options_init(&o, sizeof o));
    o.flags = 1;
    assert_int_equal(psh_materializer_create(g.env, g.schema, &o, &m, &err), PSH_E_UNSUPPORTED);
    assert_null(m);
    tear_down(&g);
}

static uint32_t fill_all(ground *g, int64_t now) {
    psh_fill f;
    uint32_t n = 0;
    int64_t last = INT64_MAX;

    while (psh_materializer_fill_begin(g->m, g->world, now, &f) == PSH_OK) {
        assert_true(f.time_to <= last);
        last = f.time_to;
        assert_ok(psh_materializer_fill_end(g->m, PSH_OK, 1, 1, now));
        n++;
    }
    return n;
}

static void test_begin_repeat_and_drop(void **state) {
    psh_view_info info;
    psh_action a, d;
    ground g;

    (void)state;
    set_up(&g, NULL);
    a = build_action(g.by_tenant, PSH_LEVEL_FULL, 0);
    assert_ok(psh_materializer_begin(g.m, &a));
    assert_ok(psh_materializer_begin(g.m, &a));
    assert_int_equal(psh_materializer_view_count(g.m), 1);
    assert_int_equal(fill_all(&g, TEST_T0), 10);
    d = drop_action(a.want.subject, 0);
    assert_ok(psh_materializer_begin(g.m, &d));
    assert_ok(psh_materializer_begin(g.m, &d));
    assert_int_equal(psh_materializer_view_count(g.m), 0);
    assert_ok(psh_materializer_begin(g.m, &a)); /* an echo of its first life */
    assert_int_equal(psh_materializer_view_count(g.m), 0);
    a.want.generation = 1;
    assert_ok(psh_materializer_begin(g.m, &a));
    assert_ok(psh_materializer_begin(g.m, &d)); /* the drop of the first life once more */
    assert_int_equal(psh_materializer_view_count(g.m), 1);
    a.want.subject++;
    assert_int_equal(psh_materializer_begin(g.m, &a), PSH_E_INVALID);
    a = build_action(g.by_tenant, PSH_LEVEL_NONE, 0);
    assert_int_equal(psh_materializer_begin(g.m, &a), PSH_E_INVALID);
    assert_int_equal(psh_materializer_view(g.m, 1, &info), PSH_E_NOT_FOUND);
    tear_down(&g);
}

static void test_partial_reaches_back_so_far(void **state) {
    int64_t now = TEST_T0 + 10 * PSH_DAY;
    psh_view_info info;
    psh_action a;
    ground g;

    (void)state;
    set_up(&g, NULL);
    a = build_action(g.by_tenant, PSH_LEVEL_PARTIAL, 3 * PSH_DAY);
    assert_ok(psh_materializer_begin(g.m, &a));
    assert_int_equal(fill_all(&g, now), 3);
    /* A day later, one part is out of reach. */
    assert_int_equal(fill_all(&g, now + PSH_DAY), 0);
    assert_ok(psh_materializer_view(g.m, 0, &info));
    assert_int_equal(info.parts, 2);
    a = build_action(g.by_tenant, PSH_LEVEL_FULL, 0);
    a.want.generation = 1;
    assert_ok(psh_materializer_begin(g.m, &a));
    assert_int_equal(fill_all(&g, now), 8);
    tear_down(&g);
}

static void test_partitions_open_and_retire_parts(void **state) {
    psh_world_draft *d = NULL;
    psh_world *w = NULL;
    psh_view_info info;
    const psh_view_part *parts;
    psh_action a;
    size_t n;
    ground g;

    (void)state;
    set_up(&g, NULL);
    a = build_action(g.by_tenant, PSH_LEVEL_FULL, 0);
    assert_ok(psh_materializer_begin(g.m, &a));
    a = partition_action(PSH_ACT_CREATE_PARTITION, 20);
    assert_ok(psh_materializer_partition(g.m, &a, 1, 7, TEST_T0, 0));
    assert_ok(psh_materializer_partition(g.m, &a, 1, 8, TEST_T0, 0)); /* its second arc */
    assert_ok(psh_materializer_advance(g.m, 1, 9, TEST_T0 + 1));
    a = partition_action(PSH_ACT_CREATE_PARTITION, 21);
    assert_ok(psh_materializer_partition(g.m, &a, 1, 8, TEST_T0, 0)); /* too late to know that it is empty */
    assert_ok(psh_materializer_partition(g.m, &a, 1, 9, TEST_T0, 3)); /* it is not */
    a.want.interval++;
    assert_int_equal(psh_materializer_partition(g.m, &a, 1, 9, TEST_T0, 0), PSH_E_INVALID);
    assert_ok(psh_materializer_view(g.m, 0, &info));
    assert_int_equal(info.parts_ready, 1);
    assert_ok(psh_world_draft_create(g.env, g.schema, 1, TEST_T0, &d));
    assert_ok(psh_materializer_export(g.m, d));
    assert_ok(psh_world_create(d, &w, NULL));
    parts = psh_world_view_parts(w, 0, &n);
    assert_int_equal(n, 1);
    assert_int_equal(parts[0].position, 9);
    assert_int_equal(parts[0].commit_time, TEST_T0 + 1);
    assert_int_equal(parts[0].interval, TEST_T0 / PSH_DAY + 20);
    psh_world_unref(w);
    psh_world_draft_destroy(d);
    a = partition_action(PSH_ACT_DROP_PARTITION, 20);
    assert_ok(psh_materializer_partition(g.m, &a, 1, 9, TEST_T0, 1));
    assert_ok(psh_materializer_view(g.m, 0, &info));
    assert_int_equal(info.parts, 1);
    assert_ok(psh_materializer_partition(g.m, &a, 1, 9, TEST_T0, 0));
    assert_ok(psh_materializer_view(g.m, 0, &info));
    assert_int_equal(info.parts, 0);
    tear_down(&g);
}

static psh_demand *demand_of(ground *g, psh_query *q, double count, double work, int64_t reach, psh_query *other) {
    psh_demand_entry e[2];
    psh_demand *d = NULL;
    size_t i;

    memset(e, 0, sizeof e);
    for (i = 0; i < 2; i++) {
        e[i].kind = PSH_DEMAND_VIEW;
        e[i].definition = i ? other : q;
        e[i].id = e[i].definition ? psh_query_id(e[i].definition) : 0;
        e[i].from = TEST_T0;
        e[i].to = TEST_T0 + PSH_DAY;
        e[i].count = e[i].upper = i ? 1e6 : count;
        e[i].work = work;
        e[i].confidence = 1;
        e[i].reach_ns = reach;
    }
    assert_ok(psh_demand_create(
        g->env, TEST_T0, PSH_DEMAND_FORECAST, 0.9, e, q ? (other ? 2 : 1) : 0, sizeof e[0], &d, NULL));
    return d;
}

static size_t propose(ground *g, psh_query *q, double count, double work, int64_t reach, psh_query *other) {
    psh_demand *d = demand_of(g, q, count, work, reach, other);

    psh_wants_clear(g->wants);
    assert_ok(psh_materializer_propose(g->m, d, g->world, TEST_T0 + 10 * PSH_DAY, g->wants, NULL));
    psh_demand_unref(d);
    return psh_wants_count(g->wants);
}

/* Does what the wants say. */
static void obey(ground *g) {
    psh_action a;
    size_t i;

    memset(&a, 0, sizeof a);
    for (i = 0; psh_wants_get(g->wants, i, &a.want) == PSH_OK; i++)
        assert_ok(psh_materializer_begin(g->m, &a));
    fill_all(g, TEST_T0 + 10 * PSH_DAY);
}

static void test_proposes_what_pays(void **state) {
    psh_materializer_options o;
    psh_want w;
    ground g;
    int i;

    (void)state;
    assert_ok(psh_materializer_options_init(&o, sizeof o));
    o.unread_cycles = 3;
    set_up(&g, &o);
    assert_int_equal(propose(&g, g.by_day, 1, 1000, 9 * PSH_DAY, NULL), 0); /* upkeep costs more */
    assert_int_equal(propose(&g, g.by_day, 1000, 1, 9 * PSH_DAY, NULL), 0); /* the base is as quick */
    assert_int_equal(propose(&g, g.by_day, 1000, 100000, 2 * PSH_DAY, NULL), 1);
    assert_ok(psh_wants_get(g.wants, 0, &w));
    assert_int_equal(w.kind, PSH_ACT_BUILD_VIEW);
    assert_int_equal(w.why, PSH_WHY_FORECAST);
    assert_int_equal(w.level, PSH_LEVEL_PARTIAL);
    assert_true(w.reach_ns == 2 * PSH_DAY && w.benefit > w.cost && w.resources.bytes > 0);
    assert_int_equal(w.generation, 0);
    obey(&g);
    assert_int_equal(propose(&g, g.by_day, 1000, 100000, 2 * PSH_DAY, NULL), 0); /* it is there */
    assert_int_equal(propose(&g, g.by_day, 1000, 100000, 12 * PSH_DAY, NULL), 1); /* more of it */
    assert_ok(psh_wants_get(g.wants, 0, &w));
    assert_int_equal(w.level, PSH_LEVEL_FULL);
    assert_int_equal(w.generation, 1);
    obey(&g);
    for (i = 0; i < 2; i++)
        assert_int_equal(propose(&g, NULL, 0, 0, 0, NULL), 0);
    assert_int_equal(propose(&g, NULL, 0, 0, 0, NULL), 1);
    assert_ok(psh_wants_get(g.wants, 0, &w));
    assert_int_equal(w.kind, PSH_ACT_DROP_VIEW);
    assert_int_equal(w.why, PSH_WHY_UNREAD);
    obey(&g);
    assert_int_equal(psh_materializer_view_count(g.m), 0);
    assert_int_equal(propose(&g, g.by_day, 1000, 100000, 12 * PSH_DAY, NULL), 1);
    assert_ok(psh_wants_get(g.wants, 0, &w));
    assert_int_equal(w.generation, 2);
    tear_down(&g);
}

static void test_budget_keeps_the_best(void **state) {
    psh_materializer_options o;
    psh_want w;
    ground g;

    (void)state;
    assert_ok(psh_materializer_options_init(&o, sizeof o));
    o.max_views = 1;
    set_up(&g, &o);
    assert_int_equal(propose(&g, g.by_day, 1000, 1e6, 2 * PSH_DAY, NULL), 1);
    obey(&g);
    /* Asked for a thousand times as often: the other one takes its place. */
    assert_int_equal(propose(&g, g.by_day, 1000, 1e6, 2 * PSH_DAY, g.by_tenant), 2);
    assert_ok(psh_wants_get(g.wants, 0, &w));
    assert_int_equal(w.kind, PSH_ACT_BUILD_VIEW);
    assert_true(w.subject == psh_query_id(g.by_tenant));
    assert_ok(psh_wants_get(g.wants, 1, &w));
    assert_int_equal(w.kind, PSH_ACT_DROP_VIEW);
    assert_int_equal(w.why, PSH_WHY_BUDGET);
    tear_down(&g);
    o.max_views = 64;
    o.max_bytes = 10;
    set_up(&g, &o);
    assert_int_equal(propose(&g, g.by_day, 1000, 1e6, 2 * PSH_DAY, g.by_tenant), 0);
    tear_down(&g);
}

/* What does not fit whole is built for the latest intervals, and stays though more is asked for. */
static void test_budget_shrinks_the_reach(void **state) {
    psh_materializer_options o;
    psh_want w;
    int64_t reach;
    ground g;

    (void)state;
    set_up(&g, NULL);
    assert_int_equal(propose(&g, g.by_day, 1000, 1e6, 12 * PSH_DAY, NULL), 1);
    assert_ok(psh_wants_get(g.wants, 0, &w));
    assert_int_equal(w.level, PSH_LEVEL_FULL);
    tear_down(&g);
    assert_ok(psh_materializer_options_init(&o, sizeof o));
    o.max_bytes = (uint64_t)(w.resources.bytes / 2);
    set_up(&g, &o);
    assert_int_equal(propose(&g, g.by_day, 1000, 1e6, 12 * PSH_DAY, NULL), 1);
    assert_ok(psh_wants_get(g.wants, 0, &w));
    assert_int_equal(w.level, PSH_LEVEL_PARTIAL);
    reach = w.reach_ns;
    assert_true(reach >= PSH_DAY && reach < 9 * PSH_DAY && reach % PSH_DAY == 0);
    assert_true(w.resources.bytes > 0 && w.resources.bytes <= (double)o.max_bytes);
    obey(&g);
    assert_int_equal(propose(&g, g.by_day, 1000, 1e6, 12 * PSH_DAY, NULL), 0);
    assert_int_equal(propose(&g, g.by_day, 1000, 1e6, 12 * PSH_DAY, NULL), 0);
    tear_down(&g);
}

/* A view of rows that have other columns than those here would read past their end. */
static void test_other_schema_is_refused(void **state) {
    static const psh_column_spec columns[] = {
        { "tenant", PSH_TYPE_TEXT, 0, 0, 0 }, { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 }
    };
    static const uint32_t key[] = { 1 };
    psh_table_spec t = { "events", columns, 2, sizeof columns[0], key, 1, 0, 1, PSH_DAY, 0 };
    psh_schema *other = NULL, *same;
    psh_change_batch *b = NULL;
    psh_materializer *m = NULL;
    psh_action a;
    ground g;

    (void)state;
    set_up(&g, NULL);
    assert_ok(psh_schema_create(g.env, &t, 1, sizeof t, &other, NULL));
    assert_ok(psh_materializer_create(g.env, other, NULL, &m, NULL));
    a = build_action(g.by_tenant, PSH_LEVEL_FULL, 0);
    assert_int_equal(psh_materializer_begin(m, &a), PSH_E_INVALID);
    assert_ok(psh_change_batch_create(g.env, g.schema, 0, &b));
    assert_int_equal(psh_materializer_apply(m, b), PSH_E_INVALID);
    psh_materializer_destroy(m);
    psh_schema_unref(other);
    same = events_schema(g.env);
    assert_ok(psh_materializer_create(g.env, same, NULL, &m, NULL));
    assert_ok(psh_materializer_begin(m, &a));
    assert_ok(psh_materializer_apply(m, b));
    psh_materializer_destroy(m);
    psh_schema_unref(same);
    psh_change_batch_destroy(b);
    tear_down(&g);
}

/* Builds, opens, fills, changes, reads, proposes, saves and loads. */
static psh_status whole_life(psh_env *env, void *user) {
    psh_schema *s = events_schema(env);
    psh_world *w = s ? days_world(env, s, 2, PSH_PARTITION_ACTIVE, 10) : NULL;
    psh_query *q = w ? full_query(env, s, PSH_HOUR, 2) : NULL, *coarse = NULL;
    row_of r = event_of("ATL", TEST_T0 + PSH_HOUR, 1, 7, 0.5), r2 = event_of("BOS", TEST_T0 + 5, 2, -7, 1e100);
    psh_materializer *m = NULL, *m2 = NULL;
    psh_buffer *b = user;
    psh_answer *answer = NULL;
    psh_buffer *out = NULL;
    psh_action a;
    psh_change c;
    psh_fill f;
    psh_status st = q ? psh_materializer_create(env, s, NULL, &m, NULL) : PSH_E_NOMEM;

    if (st == PSH_OK) {
        a = build_action(q, PSH_LEVEL_FULL, 0);
        st = psh_materializer_begin(m, &a);
    }
    if (st == PSH_OK) {
        a = partition_action(PSH_ACT_CREATE_PARTITION, 1);
        st = psh_materializer_partition(m, &a, 1, 0, TEST_T0, 0);
    }
    if (st == PSH_OK)
        st = psh_materializer_fill_begin(m, w, TEST_T0, &f);
    if (st == PSH_OK)
        st = psh_materializer_fill_rows(m, r.v, 1);
    if (st == PSH_OK)
        st = psh_materializer_fill_end(m, PSH_OK, 1, 1, TEST_T0);
    c = change_of(PSH_CHANGE_UPDATE, 2, 0, &r, &r2);
    if (st == PSH_OK)
        st = apply_one(env, m, s, &c);
    c = change_of(PSH_CHANGE_INSERT, 2, 1, NULL, &r);
    if (st == PSH_OK)
        st = apply_one(env, m, s, &c);
    if (st == PSH_OK)
        st = psh_answer_create(env, q, 0, &answer);
    if (st == PSH_OK)
        st = psh_materializer_read(m, psh_query_id(q), TEST_T0, TEST_T0 + 2 * PSH_DAY, answer);
    if (st == PSH_OK)
        st = psh_answer_finish(answer);
    if (st == PSH_OK)
        assert_int_equal(psh_answer_row_count(answer), 2);
    /* The same rows, folded into one, of all columns. */
    coarse = st == PSH_OK ? full_query(env, s, 0, 0) : NULL;
    if (st == PSH_OK)
        st = coarse ? psh_answer_reset(answer, coarse) : PSH_E_NOMEM;
    if (st == PSH_OK)
        st = psh_materializer_read(m, psh_query_id(q), TEST_T0, TEST_T0 + 2 * PSH_DAY, answer);
    if (st == PSH_OK)
        st = psh_answer_finish(answer);
    if (st == PSH_OK)
        assert_int_equal(psh_answer_row(answer, 0)[0].as.i64, 2);
    if (st == PSH_OK)
        st = psh_buffer_create(env, &out);
    if (st == PSH_OK)
        st = psh_materializer_save(m, out);
    if (st == PSH_OK)
        st = psh_materializer_load(env, s, psh_buffer_data(out), psh_buffer_size(out), 0, &m2, NULL);
    if (st == PSH_OK && b)
        st = psh_buffer_append(b, psh_buffer_data(out), psh_buffer_size(out));
    psh_buffer_destroy(out);
    psh_answer_destroy(answer);
    psh_materializer_destroy(m);
    psh_materializer_destroy(m2);
    psh_query_unref(coarse);
    psh_query_unref(q);
    psh_world_unref(w);
    psh_schema_unref(s);
    return st;
}

static void test_out_of_memory(void **state) {
    (void)state;
    test_every_allocation(whole_life, NULL);
}

static void test_every_flip_is_seen(void **state) {
    psh_materializer *m = NULL;
    psh_buffer *b = NULL;
    unsigned char *bytes;
    size_t size, i;
    ground g;

    (void)state;
    set_up(&g, NULL);
    assert_ok(psh_buffer_create(g.env, &b));
    assert_ok(whole_life(g.env, b));
    size = psh_buffer_size(b);
    bytes = test_malloc(size);
    memcpy(bytes, psh_buffer_data(b), size);
    for (i = 0; i < size; i++) {
        bytes[i] ^= (unsigned char)(1u << (i % 8));
        assert_int_not_equal(psh_materializer_load(g.env, g.schema, bytes, size, 0, &m, NULL), PSH_OK);
        assert_null(m);
        bytes[i] ^= (unsigned char)(1u << (i % 8));
        assert_int_not_equal(psh_materializer_load(g.env, g.schema, bytes, i, 0, &m, NULL), PSH_OK);
    }
    assert_int_equal(psh_materializer_load(g.env, g.schema, bytes, size, size / 2, &m, NULL), PSH_E_LIMIT);
    assert_ok(psh_materializer_load(g.env, g.schema, bytes, size, 0, &m, NULL));
    psh_materializer_destroy(m);
    test_free(bytes);
    psh_buffer_destroy(b);
    tear_down(&g);
}

/* Damage under a right checksum: refused, or a state that works; never a crash. */
static void test_hostile_bytes(void **state) {
    static const size_t section = 20, payload = 48;
    uint64_t seed = 3;
    psh_materializer *m;
    psh_buffer *b = NULL, *again = NULL;
    unsigned char *bytes;
    size_t size, at, k, refused = 0;
    uint32_t crc;
    psh_status st;
    int round;
    ground g;

    (void)state;
    set_up(&g, NULL);
    assert_ok(psh_buffer_create(g.env, &b));
    assert_ok(psh_buffer_create(g.env, &again));
    assert_ok(whole_life(g.env, b));
    size = psh_buffer_size(b);
    bytes = test_malloc(size);
    for (round = 0; round < 4000; round++) {
        memcpy(bytes, psh_buffer_data(b), size);
        at = payload + (size_t)(pshi_rng_next(&seed) % (size - payload));
        bytes[at] = (unsigned char)pshi_rng_next(&seed);
        crc = pshi_crc32c(pshi_crc32c(0, bytes + section, 24), bytes + payload, size - payload);
        for (k = 0; k < 4; k++)
            bytes[section + 24 + k] = (unsigned char)(crc >> (8 * k));
        st = psh_materializer_load(g.env, g.schema, bytes, size, 0, &m, NULL);
        assert_true(st == PSH_OK || st == PSH_E_CORRUPT || st == PSH_E_LIMIT || st == PSH_E_UNSUPPORTED);
        refused += st != PSH_OK;
        psh_buffer_clear(again);
        if (st == PSH_OK)
            assert_ok(psh_materializer_save(m, again));
        assert_true(st != PSH_OK || memcmp(psh_buffer_data(again), bytes, size) == 0);
        psh_materializer_destroy(m);
    }
    assert_true(refused > 1000);
    test_free(bytes);
    psh_buffer_destroy(b);
    psh_buffer_destroy(again);
    tear_down(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_are_checked),
        cmocka_unit_test(test_begin_repeat_and_drop),
        cmocka_unit_test(test_partial_reaches_back_so_far),
        cmocka_unit_test(test_partitions_open_and_retire_parts),
        cmocka_unit_test(test_proposes_what_pays),
        cmocka_unit_test(test_budget_keeps_the_best),
        cmocka_unit_test(test_budget_shrinks_the_reach),
        cmocka_unit_test(test_other_schema_is_refused),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_every_flip_is_seen),
        cmocka_unit_test(test_hostile_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
