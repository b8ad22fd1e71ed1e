/* SPDX-License-Identifier: MIT */
#include "keys.h"

#define SOME_TIME (TEST_T0 + 10 * PSH_DAY)

static stage the_stage;
static const conformance_host *tested;

static int setup(void **state) {
    stage *s = &the_stage;

    memset(s, 0, sizeof *s);
    s->with = tested;
    s->env = test_env(&s->alloc);
    s->schema = test_flights_schema(s->env);
    s->host = s->with->open(s->schema);
    assert_non_null(s->host);
    s->with->tables(s->host, &s->storage, &s->cdc, &s->kv);
    assert_ok(psh_buffer_create(s->env, &s->bytes));
    s->fence = 1;
    *state = s;
    return 0;
}

static int teardown(void **state) {
    stage *s = *state;

    s->with->close(s->host);
    psh_buffer_destroy(s->bytes);
    psh_schema_unref(s->schema);
    psh_env_destroy(s->env);
    assert_int_equal(s->alloc.live, 0);
    return 0;
}

/* The partition of the interval that lies `day` days after SOME_TIME. */
static psh_partition partition_of(const stage *s, int64_t day) {
    psh_partition p;

    memset(&p, 0, sizeof p);
    assert_ok(psh_schema_interval(
        s->schema, 0, SOME_TIME + day * PSH_DAY, &p.interval, &p.time_from, &p.time_to));
    p.arc_last = UINT64_MAX;
    p.id = psh_partition_id(0, p.interval, 0);
    p.state = PSH_PARTITION_ACTIVE;
    p.first_write = PSH_TIME_NONE;
    return p;
}

static psh_status order(stage *s, uint32_t kind, psh_partition *p, uint32_t tier, uint64_t generation) {
    char name[128];
    psh_action a;
    psh_status st;

    memset(&a, 0, sizeof a);
    assert_ok(psh_partition_name(s->schema, p, name, sizeof name));
    a.id = psh_action_id(kind, p->id, generation);
    a.fence = s->fence;
    a.want.kind = kind;
    a.want.subject = p->id;
    a.want.interval = p->interval;
    a.want.time_from = p->time_from;
    a.want.time_to = p->time_to;
    a.want.arc_last = p->arc_last;
    a.want.tier = tier;
    a.want.generation = generation;
    a.want.not_before = PSH_TIME_MIN;
    a.want.deadline = PSH_TIME_MAX;
    a.want.confidence = 1;
    a.name = name;
    a.reason = "conformance";
    a.from_node = p->node;
    a.from_tier = p->tier;
    st = s->storage.submit(s->storage.user, SOME_TIME, &a);
    if (st == PSH_OK)
        p->tier = tier;
    return st;
}

static psh_status put(stage *s, const psh_partition *p, int64_t hour, int64_t seq, const char *to) {
    psh_value row[6];

    test_flight(row, "JFK", p->time_from + hour * PSH_HOUR, seq, to, seq % 7, 100 + seq);
    return s->with->insert(s->host, p, row);
}

static uint64_t commit_rows(stage *s, const psh_partition *p, int64_t at, int64_t first, int64_t count) {
    uint64_t position = 0;
    int64_t i;

    assert_ok(s->with->begin(s->host, at));
    for (i = 0; i < count; i++)
        assert_ok(put(s, p, (first + i) % 24, first + i, "LAX"));
    assert_ok(s->with->commit(s->host, &position));
    assert_true(position > 0);
    return position;
}

static void blobs(void **state) {
    stage *s = *state;
    psh_blob_write two[] = { { "t/a", "one", 3 }, { "t/b", "two", 3 } };
    psh_blob_write change[] = { { "t/a", NULL, 0 }, { "t/b", "again", 5 }, { "u", "", 0 } };

    assert_int_equal(s->storage.get(s->storage.user, "t/a", s->bytes), PSH_E_NOT_FOUND);
    assert_ok(s->storage.commit(s->storage.user, two, 2));
    assert_ok(psh_buffer_append(s->bytes, ">", 1));
    assert_ok(s->storage.get(s->storage.user, "t/a", s->bytes)); /* appends */
    assert_int_equal(psh_buffer_size(s->bytes), 4);
    assert_memory_equal(psh_buffer_data(s->bytes), ">one", 4);
    assert_ok(s->storage.commit(s->storage.user, change, 3));
    assert_int_equal(s->storage.get(s->storage.user, "t/a", s->bytes), PSH_E_NOT_FOUND);
    psh_buffer_clear(s->bytes);
    assert_ok(s->storage.get(s->storage.user, "t/b", s->bytes));
    assert_int_equal(psh_buffer_size(s->bytes), 5);
    psh_buffer_clear(s->bytes);
    assert_ok(s->storage.get(s->storage.user, "u", s->bytes));
    assert_int_equal(psh_buffer_size(s->bytes), 0);
}

static psh_status note_name(void *user, const char *name) {
    psh_buffer *b = user;

    return psh_buffer_append(b, name, strlen(name) + 1);
}

static psh_status refuse_name(void *user, const char *name) {
    (void)user;
    (void)name;
    return PSH_E_LIMIT;
}

static void names_are_listed(void **state) {
    stage *s = *state;
    psh_blob_write all[] = {
        { "x/b", "1", 1 }, { "x", "2", 1 }, { "x/a", "3", 1 }, { "y", "4", 1 }, { "x.c", "5", 1 },
    };

    if (!s->storage.list)
        skip();
    assert_ok(s->storage.commit(s->storage.user, all, 5));
    assert_ok(s->storage.list(s->storage.user, "x/", note_name, s->bytes));
    assert_int_equal(psh_buffer_size(s->bytes), 8);
    assert_memory_equal(psh_buffer_data(s->bytes), "x/a\0x/b", 8);
    assert_int_equal(s->storage.list(s->storage.user, "x", refuse_name, NULL), PSH_E_LIMIT);
}

static void actions_run_once(void **state) {
    stage *s = *state;
    psh_partition p = partition_of(s, 0);

    assert_ok(s->with->begin(s->host, SOME_TIME));
    assert_true(put(s, &p, 0, 1, "LAX") < 0); /* there is no such table yet */
    assert_ok(s->with->commit(s->host, NULL));
    assert_ok(order(s, PSH_ACT_CREATE_PARTITION, &p, 0, 0));
    assert_ok(order(s, PSH_ACT_CREATE_PARTITION, &p, 0, 0));
    assert_ok(order(s, PSH_ACT_ACTIVATE_PARTITION, &p, 0, 0));
    commit_rows(s, &p, SOME_TIME + 1, 0, 3);
    assert_ok(order(s, PSH_ACT_CREATE_PARTITION, &p, 0, 0)); /* done again it changes nothing */
    assert_ok(order(s, PSH_ACT_SEAL_PARTITION, &p, 0, 0));
    assert_ok(order(s, PSH_ACT_DROP_PARTITION, &p, 0, 0));
    assert_ok(order(s, PSH_ACT_DROP_PARTITION, &p, 0, 0));
    assert_ok(order(s, PSH_ACT_CREATE_PARTITION, &p, 0, 0)); /* its id ran: the table stays away */
    assert_ok(s->with->begin(s->host, SOME_TIME + 2));
    assert_true(put(s, &p, 0, 9, "LAX") < 0);
    assert_ok(s->with->commit(s->host, NULL));
}

static void stale_fences_are_refused(void **state) {
    stage *s = *state;
    psh_partition p = partition_of(s, 0), q = partition_of(s, 1);

    s->fence = 7;
    assert_ok(order(s, PSH_ACT_CREATE_PARTITION, &p, 0, 0));
    s->fence = 6;
    assert_int_equal(order(s, PSH_ACT_CREATE_PARTITION, &q, 0, 0), PSH_E_FENCED);
    s->fence = 7;
    assert_ok(order(s, PSH_ACT_CREATE_PARTITION, &q, 0, 0));
}

typedef struct sum {
    uint64_t rows;
    int64_t seqs;
    psh_status answer;
} sum;

static psh_status add_up(void *user, const psh_value *rows, size_t n) {
    sum *t = user;
    size_t i;

    for (i = 0; i < n; i++) {
        assert_int_equal(rows[6 * i].type, PSH_TYPE_TEXT);
        assert_int_equal(rows[6 * i + 1].type, PSH_TYPE_TIMESTAMP);
        t->seqs += rows[6 * i + 2].as.i64;
    }
    t->rows += n;
    return t->answer;
}

static psh_status scan(
    stage *s, const psh_partition *ps, size_t n, int64_t from, int64_t to, sum *t, psh_scan_result *r) {
    uint64_t ids[4];
    psh_scan x;
    size_t i;

    assert_true(n <= 4);
    memset(&x, 0, sizeof x);
    memset(r, 0, sizeof *r);
    r->struct_size = sizeof *r;
    for (i = 0; i < n; i++)
        ids[i] = ps[i].id;
    x.struct_size = sizeof x;
    x.partitions = ids;
    x.infos = ps;
    x.partition_count = n;
    x.time_from = from;
    x.time_to = to;
    return s->storage.scan(s->storage.user, &x, add_up, t, r);
}

static void scans_see_one_position(void **state) {
    stage *s = *state;
    psh_partition p[2] = { partition_of(s, 0), partition_of(s, 1) };
    psh_scan_result r;
    uint64_t last;
    sum t = { 0 };

    assert_ok(order(s, PSH_ACT_CREATE_PARTITION, &p[0], 0, 0));
    assert_ok(order(s, PSH_ACT_CREATE_PARTITION, &p[1], 0, 0));
    commit_rows(s, &p[0], SOME_TIME, 0, 200); /* seq 0..199 over the hours of the day */
    last = commit_rows(s, &p[1], SOME_TIME + 5, 1000, 10);
    assert_ok(scan(s, p, 2, PSH_TIME_MIN, PSH_TIME_MAX, &t, &r));
    assert_int_equal(t.rows, 210);
    assert_int_equal(t.seqs, 199 * 100 + 10 * 1000 + 45);
    assert_int_equal(r.rows, 210);
    assert_true(r.position == last);
    assert_int_equal(r.commit_time, SOME_TIME + 5);
    assert_true(r.source != 0);
    memset(&t, 0, sizeof t);
    assert_ok(scan(s, p, 1, p[0].time_from + 2 * PSH_HOUR, p[0].time_from + 3 * PSH_HOUR, &t, &r));
    assert_int_equal(t.rows, 9); /* 2, 26, ..., 194 */
    t.answer = PSH_E_NOMEM;
    assert_int_equal(scan(s, p, 2, PSH_TIME_MIN, PSH_TIME_MAX, &t, &r), PSH_E_NOMEM);
}

static void keys_are_unique(void **state) {
    stage *s = *state;
    psh_partition p = partition_of(s, 0);

    assert_ok(order(s, PSH_ACT_CREATE_PARTITION, &p, 0, 0));
    assert_ok(s->with->begin(s->host, SOME_TIME));
    assert_ok(put(s, &p, 1, 1, "LAX"));
    assert_int_equal(put(s, &p, 1, 1, "SFO"), PSH_E_EXISTS);
    assert_ok(s->with->commit(s->host, NULL));
}

/* Polls everything into one batch a call; @return changes of the application seen, sums their seqs. */
static size_t poll_all(stage *s, size_t bytes, uint64_t *cursor, int64_t *seqs, size_t *echoes) {
    psh_change_batch *b = NULL;
    uint64_t next = *cursor, before = 0, sequence = 0;
    size_t i, n = 0;
    psh_change c;
    psh_status st;

    *echoes = 0;
    do {
        assert_ok(psh_change_batch_create(s->env, s->schema, bytes, &b));
        st = s->cdc.poll(s->cdc.user, *cursor, b, &next);
        assert_true(st == PSH_OK || st == PSH_AGAIN);
        assert_true(next >= *cursor && (st == PSH_OK || next > *cursor));
        for (i = 0; psh_change_batch_get(b, i, &c) == PSH_OK; i++) {
            assert_true(c.position > *cursor && c.position <= next);
            assert_true(c.position > before || (c.position == before && c.sequence > sequence));
            before = c.position;
            sequence = c.sequence;
            *echoes += c.origin != 0;
            n += c.origin == 0;
            if (c.origin == 0 && c.op == PSH_CHANGE_INSERT)
                *seqs += c.after[2].as.i64;
        }
        *cursor = next;
        psh_change_batch_destroy(b);
    } while (st == PSH_AGAIN);
    return n;
}

static void changes_follow_commits(void **state) {
    stage *s = *state;
    psh_partition p = partition_of(s, 0);
    psh_cdc_state at = { .struct_size = sizeof at };
    uint64_t cursor = 0, last = 0;
    int64_t seqs = 0;
    size_t echoes;
    int i;

    assert_ok(order(s, PSH_ACT_CREATE_PARTITION, &p, 0, 0));
    for (i = 0; i < 40; i++)
        last = commit_rows(s, &p, SOME_TIME + i, 5 * i, 5);
    assert_ok(s->cdc.state(s->cdc.user, &at));
    assert_true(at.position == last);
    assert_int_equal(at.commit_time, SOME_TIME + 39);
    assert_int_equal(poll_all(s, 8192, &cursor, &seqs, &echoes), 200); /* in several batches */
    assert_int_equal(seqs, 199 * 100);
    assert_int_equal(echoes, 0);
    assert_true(cursor == last);
    assert_int_equal(poll_all(s, 0, &cursor, &seqs, &echoes), 0);
    if (s->cdc.acknowledge)
        assert_ok(s->cdc.acknowledge(s->cdc.user, cursor));
    last = commit_rows(s, &p, SOME_TIME + 50, 500, 1);
    assert_int_equal(poll_all(s, 0, &cursor, &seqs, &echoes), 1);
    assert_true(cursor == last);
}

/* What was acknowledged is gone: a cursor before it has a gap behind it, and is told so. */
static void old_cursors_are_told(void **state) {
    stage *s = *state;
    psh_partition p = partition_of(s, 0);
    psh_change_batch *b = NULL;
    uint64_t cursor = 0, next = 0;
    int64_t i, seqs = 0;
    size_t echoes;

    if (!s->cdc.acknowledge)
        skip();
    assert_ok(order(s, PSH_ACT_CREATE_PARTITION, &p, 0, 0));
    for (i = 0; i < 4; i++)
        commit_rows(s, &p, SOME_TIME + i, i, 1);
    assert_int_equal(poll_all(s, 0, &cursor, &seqs, &echoes), 4);
    assert_ok(s->cdc.acknowledge(s->cdc.user, cursor - 1));
    assert_ok(psh_change_batch_create(s->env, s->schema, 0, &b));
    assert_int_equal(s->cdc.poll(s->cdc.user, cursor - 2, b, &next), PSH_E_NOT_FOUND);
    assert_int_equal(psh_change_batch_count(b), 0);
    assert_ok(s->cdc.poll(s->cdc.user, cursor - 1, b, &next));
    assert_int_equal(psh_change_batch_count(b), 1);
    psh_change_batch_destroy(b);
}

static void moves_are_no_news(void **state) {
    stage *s = *state;
    psh_partition p = partition_of(s, 0);
    psh_scan_result r;
    uint64_t cursor = 0;
    int64_t seqs = 0;
    size_t echoes;
    sum t = { 0 };

    assert_ok(order(s, PSH_ACT_CREATE_PARTITION, &p, 0, 0));
    commit_rows(s, &p, SOME_TIME, 0, 50);
    assert_int_equal(poll_all(s, 0, &cursor, &seqs, &echoes), 50);
    assert_ok(order(s, PSH_ACT_SEAL_PARTITION, &p, 0, 0));
    assert_ok(order(s, PSH_ACT_ARCHIVE_PARTITION, &p, 1, 0));
    p.state = PSH_PARTITION_ARCHIVED;
    assert_ok(scan(s, &p, 1, PSH_TIME_MIN, PSH_TIME_MAX, &t, &r));
    assert_int_equal(t.rows, 50);
    assert_int_equal(poll_all(s, 0, &cursor, &seqs, &echoes), 0); /* each echo says whose it is */
    assert_ok(order(s, PSH_ACT_DROP_PARTITION, &p, 1, 0));
    assert_int_equal(poll_all(s, 0, &cursor, &seqs, &echoes), 0);
}

static psh_query *count_by_destination(stage *s) {
    static const uint32_t groups[] = { 3 };
    static const psh_aggregate counts[] = { { PSH_AGG_COUNT, PSH_NONE }, { PSH_AGG_SUM, 5 }, { PSH_AGG_AVG, 4 } };
    psh_query_spec spec;
    psh_query *q = NULL;

    psh_query_spec_init(&spec, sizeof spec);
    spec.group_columns = groups;
    spec.group_count = 1;
    spec.aggregates = counts;
    spec.aggregate_count = 3;
    spec.time_from = SOME_TIME - PSH_DAY;
    spec.time_to = SOME_TIME + 3 * PSH_DAY;
    assert_ok(psh_query_create(s->env, s->schema, &spec, &q, NULL));
    return q;
}

static psh_status into_answer(void *user, const psh_value *rows, size_t n) {
    return psh_answer_add_rows(user, rows, n);
}

static void legs_answer_as_scans_do(void **state) {
    stage *s = *state;
    psh_partition p[2] = { partition_of(s, 0), partition_of(s, 1) };
    const psh_partition *pointers[2] = { &p[0], &p[1] };
    uint64_t ids[2] = { p[0].id, p[1].id };
    psh_leg leg = { .kind = PSH_LEG_BASE, .partitions = pointers, .partition_count = 2 };
    psh_scan x = { .struct_size = sizeof x, .partitions = ids, .infos = p, .partition_count = 2 };
    psh_scan_result r = { .struct_size = sizeof r };
    psh_query *q = count_by_destination(s);
    psh_answer *answer = NULL;
    psh_buffer *other = NULL;

    assert_ok(order(s, PSH_ACT_CREATE_PARTITION, &p[0], 0, 0));
    assert_ok(order(s, PSH_ACT_CREATE_PARTITION, &p[1], 0, 0));
    commit_rows(s, &p[0], SOME_TIME, 0, 100);
    assert_ok(s->with->begin(s->host, SOME_TIME + 1));
    assert_ok(put(s, &p[1], 3, 1, "SFO"));
    assert_ok(put(s, &p[1], 4, 2, "LAX"));
    assert_ok(s->with->commit(s->host, NULL));
    leg.time_from = x.time_from = SOME_TIME - PSH_DAY;
    leg.time_to = x.time_to = SOME_TIME + 3 * PSH_DAY;
    assert_ok(psh_answer_create(s->env, q, 0, &answer));
    assert_ok(s->with->run_leg(s->host, q, &leg, answer));
    assert_ok(psh_answer_finish(answer));
    assert_int_equal(psh_answer_row_count(answer), 2);
    assert_ok(psh_answer_save(answer, s->bytes));
    assert_ok(psh_answer_reset(answer, q));
    assert_ok(s->storage.scan(s->storage.user, &x, into_answer, answer, &r));
    assert_ok(psh_answer_finish(answer));
    assert_ok(psh_buffer_create(s->env, &other));
    assert_ok(psh_answer_save(answer, other));
    assert_int_equal(psh_buffer_size(other), psh_buffer_size(s->bytes));
    assert_memory_equal(psh_buffer_data(other), psh_buffer_data(s->bytes), psh_buffer_size(other));
    psh_buffer_destroy(other);
    psh_answer_destroy(answer);
    psh_query_unref(q);
}

static void commits_do_not_go_back(void **state) {
    stage *s = *state;

    assert_ok(s->with->begin(s->host, SOME_TIME));
    assert_ok(s->with->commit(s->host, NULL));
    assert_true(s->with->begin(s->host, SOME_TIME - 1) < 0);
}

int conformance_run(const conformance_host *host) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blobs, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(conformance_keys_compare_and_set, setup, teardown),
        cmocka_unit_test_setup_teardown(conformance_removed_keys_begin_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(conformance_keys_are_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(conformance_keys_are_watched, setup, teardown),
        cmocka_unit_test_setup_teardown(actions_run_once, setup, teardown),
        cmocka_unit_test_setup_teardown(stale_fences_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(scans_see_one_position, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_are_unique, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_follow_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(old_cursors_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(moves_are_no_news, setup, teardown),
        cmocka_unit_test_setup_teardown(legs_answer_as_scans_do, setup, teardown),
        cmocka_unit_test_setup_teardown(commits_do_not_go_back, setup, teardown),
    };

    tested = host;
    return cmocka_run_group_tests_name(host->name, tests, NULL, NULL);
}
