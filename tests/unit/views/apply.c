/* SPDX-License-Identifier: MIT */
/* Views against recomputation: random changes, replays, fills, saves and failing memory. */
#include "base/rng.h"
#include "fixture.h"

#define ROWS 160
#define DAYS 4
#define LOG 6000
#define VIEWS 3

typedef struct logged {
    psh_change c;
    row_of before, after;
} logged;

typedef struct model {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    psh_world *world;
    psh_materializer *m;
    psh_query *definitions[VIEWS];
    row_of rows[ROWS];
    int live[ROWS];
    logged *log;
    size_t logged, delivered;
    uint64_t position;
    int closed; /* the position was scanned or announced: nothing more is committed at it */
    uint64_t seed;
    int wild;     /* values so large that some sums fit no type */
    int compared; /* answers that came to an end */
} model;

static uint64_t dice(model *t, uint64_t n) {
    return pshi_rng_next(&t->seed) % n;
}

static row_of random_row(model *t, int64_t id) {
    static const char *const tenants[] = { "ATL", "BOS", "CLT" };
    static const char *const regions[] = { "east", "", "west" };
    static const double xs[] = { 1e306, -1e306, 1e-300, 0.1, -0.1, 3.5, -0.0, 4.9e-324 };
    row_of r = event_of(tenants[dice(t, 3)], TEST_T0 + (int64_t)dice(t, DAYS * 24 * 4) * (PSH_HOUR / 4), id,
        (int64_t)dice(t, 9) - 4, xs[dice(t, 8)]);

    if (dice(t, 4))
        r.v[3] = test_text(regions[dice(t, 3)]);
    if (!dice(t, 3))
        r.v[4] = test_null();
    else if (t->wild && !dice(t, 20))
        r.v[4] = test_int(dice(t, 2) ? INT64_MAX : INT64_MIN);
    if (!dice(t, 3))
        r.v[5] = test_null();
    if (t->wild && !dice(t, 20))
        r.v[5] = test_double(1.5e308);
    if (t->wild && !dice(t, 9))
        r.v[6] = decimal_of(-1, INT64_MAX / 2);
    return r;
}

static void log_change(model *t, uint32_t op, const row_of *before, const row_of *after) {
    logged *l = &t->log[t->logged];
    int same = t->logged && !t->closed && dice(t, 3) == 0;

    assert_true(t->logged < LOG);
    t->closed = 0;
    if (!same)
        t->position++;
    if (before)
        l->before = *before;
    if (after)
        l->after = *after;
    l->c = change_of(op, t->position, t->logged, before ? &l->before : NULL, after ? &l->after : NULL);
    t->logged++;
}

static void random_change(model *t) {
    size_t i = (size_t)dice(t, ROWS);
    row_of r = random_row(t, (int64_t)i);

    if (!t->live[i]) {
        log_change(t, PSH_CHANGE_INSERT, NULL, &r);
        t->live[i] = 1;
    } else if (dice(t, 3)) {
        log_change(t, PSH_CHANGE_UPDATE, &t->rows[i], &r);
    } else {
        log_change(t, PSH_CHANGE_DELETE, &t->rows[i], NULL);
        t->live[i] = 0;
    }
    t->rows[i] = r;
}

/* Gives what is new, sometimes with a good part of what was given before. */
static void deliver(model *t) {
    size_t back = dice(t, 2) ? (size_t)dice(t, 30) : 0, i = t->delivered > back ? t->delivered - back : 0;
    psh_change_batch *b = NULL;

    assert_ok(psh_change_batch_create(t->env, t->schema, 0, &b));
    for (; i < t->logged; i++)
        assert_ok(psh_change_batch_append(b, &t->log[i].c, NULL));
    assert_ok(psh_materializer_apply(t->m, b));
    t->delivered = t->logged;
    psh_change_batch_destroy(b);
    if (dice(t, 2))
        return;
    t->closed = 1;
    assert_ok(psh_materializer_advance(t->m, 1, t->position, TEST_T0 + (int64_t)t->position));
}

/* One part from the base as it is now, which is often ahead of what was delivered. */
static int fill_one(model *t) {
    psh_fill f;
    size_t i;

    if (psh_materializer_fill_begin(t->m, t->world, TEST_T0, &f) == PSH_END)
        return 0;
    t->closed = 1;
    for (i = 0; i < ROWS; i++)
        if (t->live[i])
            assert_ok(psh_materializer_fill_rows(t->m, t->rows[i].v, 1));
    assert_int_equal(psh_materializer_fill_end(t->m, dice(t, 5) ? PSH_OK : PSH_E_HOST, 1, t->position, TEST_T0), 0);
    return 1;
}

static void base_answer(model *t, psh_query *q, psh_answer *a) {
    size_t i;

    assert_ok(psh_answer_reset(a, q));
    for (i = 0; i < ROWS; i++)
        if (t->live[i])
            assert_ok(psh_answer_add_rows(a, t->rows[i].v, 1));
}

static void assert_same(model *t, psh_answer *a, psh_answer *b) {
    psh_buffer *x = NULL, *y = NULL;
    psh_status st = psh_answer_finish(a);

    assert_int_equal(st, psh_answer_finish(b));
    if (st != PSH_OK)
        return;
    t->compared++;
    assert_ok(psh_buffer_create(t->env, &x));
    assert_ok(psh_buffer_create(t->env, &y));
    assert_ok(psh_answer_save(a, x));
    assert_ok(psh_answer_save(b, y));
    assert_int_equal(psh_buffer_size(x), psh_buffer_size(y));
    assert_memory_equal(psh_buffer_data(x), psh_buffer_data(y), psh_buffer_size(x));
    psh_buffer_destroy(x);
    psh_buffer_destroy(y);
}

/* Written without any of the library's aggregates: rows, sum, least and greatest n of one tenant. */
static void assert_plain(model *t, uint64_t view, const char *tenant) {
    static const psh_aggregate aggs[] = {
        { PSH_AGG_COUNT, PSH_NONE }, { PSH_AGG_COUNT, 4 }, { PSH_AGG_MIN, 4 }, { PSH_AGG_MAX, 4 }
    };
    psh_value name = test_text(tenant);
    psh_predicate p = { 0, PSH_OP_EQ, &name, 1 };
    int64_t rows = 0, count = 0, least = INT64_MAX, most = INT64_MIN;
    psh_query *q = NULL;
    psh_answer *a = NULL;
    psh_query_spec s;
    size_t i;

    for (i = 0; i < ROWS; i++) {
        const psh_value *v = t->rows[i].v;

        if (!t->live[i] || v[0].size != 3 || memcmp(v[0].as.data, tenant, 3) != 0)
            continue;
        rows++;
        if (v[4].type == PSH_TYPE_NULL)
            continue;
        count++;
        least = v[4].as.i64 < least ? v[4].as.i64 : least;
        most = v[4].as.i64 > most ? v[4].as.i64 : most;
    }
    psh_query_spec_init(&s, sizeof s);
    s.predicates = &p;
    s.predicate_count = 1;
    s.aggregates = aggs;
    s.aggregate_count = 4;
    assert_ok(psh_query_create(t->env, t->schema, &s, &q, NULL));
    assert_ok(psh_answer_create(t->env, q, 0, &a));
    assert_ok(psh_materializer_read(t->m, view, TEST_T0, TEST_T0 + DAYS * PSH_DAY, a));
    assert_ok(psh_answer_finish(a));
    assert_int_equal(psh_answer_row(a, 0)[0].as.i64, rows);
    assert_int_equal(psh_answer_row(a, 0)[1].as.i64, count);
    if (count) {
        assert_true(psh_answer_row(a, 0)[2].as.i64 == least);
        assert_true(psh_answer_row(a, 0)[3].as.i64 == most);
    }
    psh_answer_destroy(a);
    psh_query_unref(q);
}

static int all_ready(model *t) {
    psh_view_info info;
    size_t i;

    for (i = 0; i < VIEWS; i++) {
        assert_ok(psh_materializer_view(t->m, i, &info));
        if (info.parts_ready != DAYS)
            return 0;
    }
    return 1;
}

static void check_all(model *t) {
    psh_answer *a = NULL, *b = NULL;
    psh_query *q;
    size_t i, groups;

    for (i = 0; i < VIEWS; i++) {
        for (groups = 0; groups <= (i == 2 ? 0 : 2); groups++) {
            q = full_query(t->env, t->schema, groups == 1 ? 8 * PSH_HOUR : 0, groups);
            assert_ok(psh_answer_create(t->env, q, 0, &a));
            assert_ok(psh_answer_create(t->env, q, 0, &b));
            base_answer(t, q, a);
            assert_ok(psh_materializer_read(
                t->m, psh_query_id(t->definitions[i]), TEST_T0, TEST_T0 + DAYS * PSH_DAY, b));
            assert_same(t, a, b);
            psh_answer_destroy(a);
            psh_answer_destroy(b);
            psh_query_unref(q);
        }
    }
    assert_plain(t, psh_query_id(t->definitions[0]), "BOS");
}

/* Saved, loaded, saved again: equal bytes; the run goes on with what was loaded. */
static void reload(model *t) {
    psh_buffer *x = NULL, *y = NULL;
    psh_materializer *m = NULL;
    psh_view_info before, after;
    size_t i;

    assert_ok(psh_buffer_create(t->env, &x));
    assert_ok(psh_buffer_create(t->env, &y));
    assert_ok(psh_materializer_save(t->m, x));
    assert_ok(psh_materializer_load(
        t->env, t->schema, psh_buffer_data(x), psh_buffer_size(x), 0, &m, NULL));
    assert_ok(psh_materializer_save(m, y));
    assert_int_equal(psh_buffer_size(x), psh_buffer_size(y));
    assert_memory_equal(psh_buffer_data(x), psh_buffer_data(y), psh_buffer_size(x));
    for (i = 0; i < VIEWS; i++) {
        assert_ok(psh_materializer_view(t->m, i, &before));
        assert_ok(psh_materializer_view(m, i, &after));
        assert_true(before.bytes == after.bytes); /* or a restart would choose otherwise */
    }
    psh_materializer_destroy(t->m);
    t->m = m;
    psh_buffer_destroy(x);
    psh_buffer_destroy(y);
}

static void start(model *t, uint64_t seed) {
    psh_action a;
    size_t i;

    memset(t, 0, sizeof *t);
    t->seed = seed;
    t->env = test_env(&t->alloc);
    t->schema = events_schema(t->env);
    t->world = days_world(t->env, t->schema, DAYS, PSH_PARTITION_ACTIVE, 100);
    assert_non_null(t->world);
    t->log = test_calloc(LOG, sizeof *t->log);
    assert_ok(psh_materializer_create(t->env, t->schema, NULL, &t->m, NULL));
    t->definitions[0] = full_query(t->env, t->schema, PSH_HOUR, 2);
    t->definitions[1] = full_query(t->env, t->schema, 2 * PSH_HOUR, 2);
    t->definitions[2] = full_query(t->env, t->schema, PSH_DAY, 0);
    for (i = 0; i < VIEWS; i++) {
        a = build_action(t->definitions[i], PSH_LEVEL_FULL, 0);
        assert_ok(psh_materializer_begin(t->m, &a));
    }
    a = partition_action(PSH_ACT_CREATE_PARTITION, 3);
    assert_ok(psh_materializer_partition(t->m, &a, 1, 0, TEST_T0, 0));
}

static void stop(model *t) {
    size_t i;

    psh_materializer_destroy(t->m);
    for (i = 0; i < VIEWS; i++)
        psh_query_unref(t->definitions[i]);
    psh_world_unref(t->world);
    psh_schema_unref(t->schema);
    test_free(t->log);
    psh_env_destroy(t->env);
    assert_int_equal(t->alloc.live, 0);
}

static void test_equals_recomputation(void **state) {
    psh_view_info info;
    model t;
    uint64_t seed;
    int step, checked;

    (void)state;
    for (seed = 1; seed <= 4; seed++) {
        start(&t, seed);
        t.wild = seed % 2 == 0;
        for (step = 0, checked = 0; step < 1200; step++) {
            random_change(&t);
            if (!dice(&t, 20))
                fill_one(&t);
            if (!dice(&t, 6))
                deliver(&t);
            if (!dice(&t, 150))
                reload(&t);
            if (dice(&t, 30))
                continue;
            deliver(&t);
            if (all_ready(&t)) {
                check_all(&t);
                checked++;
            }
        }
        assert_true(checked > 10 && (t.wild || t.compared == checked * 7));
        assert_ok(psh_materializer_view(t.m, 0, &info));
        assert_true(info.applied > 100 && info.skipped > 100 && info.filled > 0 && info.reads > 0);
        stop(&t);
    }
}

static void save_to(model *t, psh_buffer *b) {
    psh_buffer_clear(b);
    assert_ok(psh_materializer_save(t->m, b));
}

/* With any allocation failing, apply changes nothing; then it works. */
static void test_no_memory_applies_nothing(void **state) {
    psh_buffer *before = NULL, *after = NULL;
    psh_change_batch *b = NULL;
    model t;
    int64_t n;
    psh_status st;
    int i;

    (void)state;
    start(&t, 9);
    for (i = 0; i < 60; i++)
        random_change(&t);
    while (fill_one(&t)) {
    }
    deliver(&t);
    assert_ok(psh_buffer_create(t.env, &before));
    assert_ok(psh_buffer_create(t.env, &after));
    for (i = 0; i < 120; i++)
        random_change(&t);
    assert_ok(psh_change_batch_create(t.env, t.schema, 0, &b));
    for (; t.delivered < t.logged; t.delivered++) {
        t.log[t.delivered].c.source = 1;
        assert_ok(psh_change_batch_append(b, &t.log[t.delivered].c, NULL));
    }
    save_to(&t, before);
    for (n = 0, st = PSH_E_NOMEM; st != PSH_OK; n++) {
        test_alloc_fail(&t.alloc, n, 0);
        st = psh_materializer_apply(t.m, b);
        test_alloc_fail(&t.alloc, -1, 0);
        if (st == PSH_OK)
            break;
        assert_int_equal(st, PSH_E_NOMEM);
        save_to(&t, after);
        assert_int_equal(psh_buffer_size(before), psh_buffer_size(after));
        assert_memory_equal(psh_buffer_data(before), psh_buffer_data(after), psh_buffer_size(before));
    }
    assert_true(n > 50);
    check_all(&t);
    psh_change_batch_destroy(b);
    psh_buffer_destroy(before);
    psh_buffer_destroy(after);
    stop(&t);
}

static void test_unknown_row_asks_for_a_fill(void **state) {
    psh_view_info info;
    psh_change c;
    psh_answer *a = NULL;
    psh_query *q;
    psh_fill f;
    row_of r;
    model t;

    (void)state;
    start(&t, 1);
    while (fill_one(&t)) {
    }
    assert_true(all_ready(&t));
    r = event_of("ATL", TEST_T0 + PSH_DAY + 5, 1, 7, 0.5);
    c = change_of(PSH_CHANGE_DELETE, 5, 0, &r, NULL);
    assert_ok(apply_one(t.env, t.m, t.schema, &c));
    assert_ok(psh_materializer_view(t.m, 0, &info));
    assert_int_equal(info.parts_ready, DAYS - 1);
    q = full_query(t.env, t.schema, 0, 0);
    assert_ok(psh_answer_create(t.env, q, 0, &a));
    assert_int_equal(psh_materializer_read(t.m, info.id, TEST_T0, TEST_T0 + DAYS * PSH_DAY, a), PSH_E_STALE);
    assert_ok(psh_materializer_read(t.m, info.id, TEST_T0, TEST_T0 + PSH_DAY, a));
    assert_int_equal(psh_materializer_read(t.m, info.id, TEST_T0 + 1, TEST_T0 + PSH_DAY, a), PSH_E_INVALID);
    assert_int_equal(psh_materializer_read(t.m, 1, TEST_T0, TEST_T0 + PSH_DAY, a), PSH_E_NOT_FOUND);
    assert_ok(psh_materializer_fill_begin(t.m, t.world, TEST_T0, &f));
    assert_int_equal(f.interval, TEST_T0 / PSH_DAY + 1);
    /* A scan older than what was applied would lose the changes between. */
    assert_int_equal(psh_materializer_fill_end(t.m, PSH_OK, 1, 4, TEST_T0), PSH_E_STALE);
    assert_ok(psh_materializer_fill_begin(t.m, t.world, TEST_T0, &f));
    assert_ok(psh_materializer_fill_end(t.m, PSH_OK, 1, 5, TEST_T0));
    /* A row that differs from the one held is as unknown. */
    r.v[4] = test_int(8);
    c = change_of(PSH_CHANGE_INSERT, 6, 0, NULL, &r);
    assert_ok(apply_one(t.env, t.m, t.schema, &c));
    r.v[5] = test_double(1e200);
    c = change_of(PSH_CHANGE_DELETE, 7, 0, &r, NULL);
    assert_ok(apply_one(t.env, t.m, t.schema, &c));
    assert_ok(psh_materializer_view(t.m, 0, &info));
    assert_int_equal(info.groups, 0);
    psh_answer_destroy(a);
    psh_query_unref(q);
    stop(&t);
}

static void test_another_source_asks_for_a_fill(void **state) {
    row_of r = event_of("ATL", TEST_T0 + 3 * PSH_DAY, 1, 7, 0.5);
    psh_view_info info;
    psh_change c;
    model t;

    (void)state;
    start(&t, 1);
    c = change_of(PSH_CHANGE_INSERT, 1, 0, NULL, &r);
    assert_ok(apply_one(t.env, t.m, t.schema, &c));
    assert_ok(psh_materializer_view(t.m, 0, &info));
    assert_int_equal(info.groups, 1);
    c.source = 2;
    assert_ok(apply_one(t.env, t.m, t.schema, &c));
    assert_ok(psh_materializer_view(t.m, 0, &info));
    assert_int_equal(info.parts_ready, 0);
    stop(&t);
}

static void test_fill_is_exclusive_and_checked(void **state) {
    row_of r = event_of("ATL", TEST_T0, 1, 7, 0.5);
    psh_change_batch *b = NULL;
    psh_buffer *out = NULL;
    psh_fill f;
    model t;

    (void)state;
    start(&t, 1);
    assert_ok(psh_change_batch_create(t.env, t.schema, 0, &b));
    assert_ok(psh_buffer_create(t.env, &out));
    assert_int_equal(psh_materializer_fill_rows(t.m, r.v, 1), PSH_E_STATE);
    assert_int_equal(psh_materializer_fill_end(t.m, PSH_OK, 1, 1, 0), PSH_E_STATE);
    assert_ok(psh_materializer_fill_begin(t.m, t.world, TEST_T0, &f));
    assert_int_equal(f.interval, TEST_T0 / PSH_DAY + 2); /* day 3 was opened empty */
    assert_int_equal(psh_materializer_fill_begin(t.m, t.world, TEST_T0, &f), PSH_E_STATE);
    assert_int_equal(psh_materializer_apply(t.m, b), PSH_E_STATE);
    assert_int_equal(psh_materializer_advance(t.m, 1, 1, 0), PSH_E_STATE);
    assert_int_equal(psh_materializer_save(t.m, out), PSH_E_STATE);
    r.v[2] = test_text("no number");
    assert_int_equal(psh_materializer_fill_rows(t.m, r.v, 1), PSH_E_INVALID);
    psh_change_batch_destroy(b);
    psh_buffer_destroy(out);
    stop(&t); /* with the fill open */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_recomputation),
        cmocka_unit_test(test_no_memory_applies_nothing),
        cmocka_unit_test(test_unknown_row_asks_for_a_fill),
        cmocka_unit_test(test_another_source_asks_for_a_fill),
        cmocka_unit_test(test_fill_is_exclusive_and_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
