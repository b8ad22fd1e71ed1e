/* SPDX-License-Identifier: MIT */
/* What is SQLite's own about the SQLite host; the rest is the conformance test's. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#include <sqlite3.h>
#include <sqlite_host.h>

typedef struct fixture {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    sqlite_host *host;
    psh_storage storage;
    psh_cdc cdc;
    psh_kv kv;
    char folder[64];
    char path[2][96];
} fixture;

static void open_host(fixture *f) {
    char message[256] = "";

    if (sqlite_host_open(f->schema, f->path[0], f->path[1], &f->host, message, sizeof message) != PSH_OK)
        fail_msg("%s", message);
    sqlite_host_tables(f->host, &f->storage, &f->cdc, &f->kv);
}

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->env = test_env(&f->alloc);
    f->schema = test_flights_schema(f->env);
    strcpy(f->folder, "/tmp/predshard_test_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path[0], sizeof f->path[0], "%s/main.db", f->folder);
    snprintf(f->path[1], sizeof f->path[1], "%s/archive.db", f->folder);
    open_host(f);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
    fixture *f = *state;
    char name[128];
    size_t i;

    sqlite_host_close(f->host);
    for (i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "%s%s", f->path[i / 4], suffixes[i % 4]);
        unlink(name);
    }
    rmdir(f->folder);
    psh_schema_unref(f->schema);
    psh_env_destroy(f->env);
    assert_int_equal(f->alloc.live, 0);
    free(f);
    return 0;
}

static psh_partition day_partition(int64_t day) {
    psh_partition p;

    memset(&p, 0, sizeof p);
    p.interval = TEST_T0 / PSH_DAY + day;
    p.time_from = TEST_T0 + day * PSH_DAY;
    p.time_to = p.time_from + PSH_DAY;
    p.arc_last = UINT64_MAX;
    p.id = psh_partition_id(0, p.interval, 0);
    p.state = PSH_PARTITION_ACTIVE;
    return p;
}

static psh_status act(fixture *f, uint32_t kind, const psh_partition *p, uint32_t tier, uint64_t fence) {
    psh_action a;
    char name[300];

    memset(&a, 0, sizeof a);
    assert_ok(psh_partition_name(f->schema, p, name, sizeof name));
    a.want.kind = kind;
    a.want.subject = p->id;
    a.want.tier = tier;
    a.name = name;
    a.reason = "";
    a.fence = fence;
    a.id = psh_action_id(kind, p->id, 0);
    return f->storage.submit(f->storage.user, 0, &a);
}

static psh_status insert_at(fixture *f, const psh_partition *p, int64_t hour, int64_t seq, int64_t delay) {
    psh_value row[6];

    test_flight(row, "ATL", p->time_from + hour * PSH_HOUR, seq, "SAV", delay, 215);
    return sqlite_host_insert(f->host, p, row);
}

static void commit_one(fixture *f, const psh_partition *p, int64_t seq, int64_t delay) {
    uint64_t position;

    assert_ok(sqlite_host_begin(f->host, p->time_from + seq));
    assert_ok(insert_at(f, p, 1, seq, delay));
    assert_ok(sqlite_host_commit(f->host, &position));
}

static psh_change_batch *poll_all(fixture *f, uint64_t cursor) {
    psh_change_batch *b = NULL;
    uint64_t next = 0;

    assert_ok(psh_change_batch_create(f->env, f->schema, 0, &b));
    assert_ok(f->cdc.poll(f->cdc.user, cursor, b, &next));
    assert_int_equal(next, sqlite_host_position(f->host));
    return b;
}

/* Another statement on the host's own connection would need a handle that it does not give: so through a
   second connection, as an application's tool would look. */
static int64_t query_one(fixture *f, const char *sql) {
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    int64_t x;

    assert_int_equal(sqlite3_open(f->path[0], &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    x = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return x;
}

static void changes_survive_a_reopen(void **state) {
    fixture *f = *state;
    psh_partition p = day_partition(0);
    psh_change_batch *b;
    psh_change c;

    assert_ok(act(f, PSH_ACT_CREATE_PARTITION, &p, 0, 1));
    assert_ok(act(f, PSH_ACT_CREATE_PARTITION, &p, 0, 1));
    commit_one(f, &p, 1, 10);
    commit_one(f, &p, 2, -3);
    sqlite_host_close(f->host);
    open_host(f);
    assert_int_equal(sqlite_host_position(f->host), 2);
    b = poll_all(f, 1);
    assert_int_equal(psh_change_batch_count(b), 1);
    assert_ok(psh_change_batch_get(b, 0, &c));
    assert_int_equal(c.op, PSH_CHANGE_INSERT);
    assert_int_equal(c.position, 2);
    assert_int_equal(c.after[4].as.i64, -3);
    assert_int_equal(c.after[0].size, 3);
    assert_memory_equal(c.after[0].as.data, "ATL", 3);
    psh_change_batch_destroy(b);
    assert_ok(f->cdc.acknowledge(f->cdc.user, 1));
    assert_int_equal(query_one(f, "SELECT count(*) FROM psh_outbox"), 1);
}

static void a_rolled_back_commit_leaves_nothing(void **state) {
    fixture *f = *state;
    psh_partition p = day_partition(0);

    assert_ok(act(f, PSH_ACT_CREATE_PARTITION, &p, 0, 1));
    commit_one(f, &p, 1, 10);
    assert_ok(sqlite_host_begin(f->host, p.time_to));
    assert_ok(insert_at(f, &p, 2, 2, 5));
    assert_int_equal(insert_at(f, &p, 2, 2, 6), PSH_E_EXISTS);
    assert_int_equal(sqlite_host_begin(f->host, p.time_to), PSH_E_STATE);
    assert_int_equal(act(f, PSH_ACT_DROP_PARTITION, &p, 0, 1), PSH_E_STATE);
    sqlite_host_rollback(f->host);
    assert_int_equal(sqlite_host_position(f->host), 1);
    assert_int_equal(query_one(f, "SELECT count(*) FROM \"flights_20010101T000000_s0\""), 1);
    assert_int_equal(insert_at(f, &p, 2, 2, 5), PSH_E_STATE);
    assert_int_equal(sqlite_host_begin(f->host, 0), PSH_E_TIME);
}

static void archive_moves_rows_and_is_no_change(void **state) {
    fixture *f = *state;
    psh_partition p = day_partition(0);
    psh_change_batch *b;
    uint64_t main_bytes, archive_bytes;

    assert_ok(act(f, PSH_ACT_CREATE_PARTITION, &p, 0, 1));
    commit_one(f, &p, 1, 10);
    commit_one(f, &p, 2, 20);
    assert_ok(act(f, PSH_ACT_SEAL_PARTITION, &p, 0, 1));
    assert_ok(act(f, PSH_ACT_ARCHIVE_PARTITION, &p, 1, 1));
    assert_ok(act(f, PSH_ACT_ARCHIVE_PARTITION, &p, 1, 1));
    assert_int_equal(sqlite_host_position(f->host), 2);
    b = poll_all(f, 2);
    assert_int_equal(psh_change_batch_count(b), 0);
    psh_change_batch_destroy(b);
    assert_int_equal(query_one(f, "SELECT count(*) FROM sqlite_master WHERE name LIKE 'flights%'"), 0);
    assert_ok(sqlite_host_sizes(f->host, &main_bytes, &archive_bytes));
    assert_true(archive_bytes > 0);
    assert_ok(act(f, PSH_ACT_DROP_PARTITION, &p, 1, 1));
    assert_int_equal(query_one(f, "SELECT count(*) FROM psh_partitions"), 0);
}

/* A crash after the copy was committed in the archive, before the directory switched. */
static void an_orphan_in_the_archive_goes_at_open(void **state) {
    fixture *f = *state;
    psh_partition p = day_partition(0);
    sqlite3 *db = NULL;

    assert_ok(act(f, PSH_ACT_CREATE_PARTITION, &p, 0, 1));
    commit_one(f, &p, 1, 10);
    sqlite_host_close(f->host);
    assert_int_equal(sqlite3_open(f->path[1], &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "CREATE TABLE \"flights_20010101T000000_s0\"(a PRIMARY KEY)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    open_host(f);
    assert_ok(act(f, PSH_ACT_ARCHIVE_PARTITION, &p, 1, 1));
    sqlite_host_close(f->host);
    open_host(f);
    assert_ok(act(f, PSH_ACT_DROP_PARTITION, &p, 1, 1));
}

static void an_old_fence_is_refused(void **state) {
    fixture *f = *state;
    psh_partition p = day_partition(0), q = day_partition(1);
    psh_buffer *b = NULL;
    uint64_t version = 0;

    assert_ok(act(f, PSH_ACT_CREATE_PARTITION, &p, 0, 5));
    assert_int_equal(act(f, PSH_ACT_CREATE_PARTITION, &q, 0, 4), PSH_E_FENCED);
    sqlite_host_close(f->host);
    open_host(f);
    assert_int_equal(act(f, PSH_ACT_CREATE_PARTITION, &q, 0, 4), PSH_E_FENCED);
    assert_ok(act(f, PSH_ACT_CREATE_PARTITION, &q, 0, 6));
    assert_ok(psh_buffer_create(f->env, &b));
    assert_int_equal(f->kv.get(f->kv.user, "k", b, &version), PSH_E_NOT_FOUND);
    assert_ok(f->kv.compare_and_set(f->kv.user, "k", 0, "a", 1, &version));
    assert_int_equal(version, 1);
    assert_int_equal(f->kv.compare_and_set(f->kv.user, "k", 0, "b", 1, &version), PSH_E_CONFLICT);
    assert_ok(f->kv.compare_and_set(f->kv.user, "k", 1, "c", 1, &version));
    assert_ok(f->kv.get(f->kv.user, "k", b, &version));
    assert_int_equal(version, 2);
    assert_string_equal(psh_buffer_data(b), "c");
    psh_buffer_destroy(b);
}

/* Updates and deletes by the application inside a commit: sessions give changed columns only, the host the
   whole row, before and after. */
static void updates_carry_whole_rows(void **state) {
    fixture *f = *state;
    psh_partition p = day_partition(0);
    psh_change_batch *b;
    psh_change c;
    uint64_t position;

    assert_ok(act(f, PSH_ACT_CREATE_PARTITION, &p, 0, 1));
    commit_one(f, &p, 1, 10);
    commit_one(f, &p, 2, 20);
    assert_ok(sqlite_host_begin(f->host, p.time_to));
    assert_ok(sqlite_host_exec(f->host, "UPDATE flights_20010101T000000_s0 SET delay = NULL WHERE seq = 1"));
    assert_ok(sqlite_host_exec(f->host, "DELETE FROM flights_20010101T000000_s0 WHERE seq = 2"));
    assert_ok(sqlite_host_commit(f->host, &position));
    b = poll_all(f, 2);
    assert_int_equal(psh_change_batch_count(b), 2);
    assert_ok(psh_change_batch_get(b, 0, &c));
    if (c.op != PSH_CHANGE_UPDATE)
        assert_ok(psh_change_batch_get(b, 1, &c));
    assert_int_equal(c.op, PSH_CHANGE_UPDATE);
    assert_int_equal(c.before[4].as.i64, 10);
    assert_int_equal(c.after[4].type, PSH_TYPE_NULL);
    assert_int_equal(c.before[5].as.i64, 215);
    assert_int_equal(c.after[5].as.i64, 215);
    assert_memory_equal(c.before[3].as.data, "SAV", 3);
    psh_change_batch_destroy(b);
}

static void a_full_disk_fails_the_commit_whole(void **state) {
    fixture *f = *state;
    psh_partition p = day_partition(0);
    uint64_t position = 0;
    int64_t i;
    psh_status st = PSH_OK;

    assert_ok(act(f, PSH_ACT_CREATE_PARTITION, &p, 0, 1));
    commit_one(f, &p, 1, 10);
    assert_ok(sqlite_host_exec(f->host, "PRAGMA main.max_page_count = 20"));
    assert_ok(sqlite_host_begin(f->host, p.time_to));
    for (i = 2; st == PSH_OK && i < 100000; i++)
        st = insert_at(f, &p, 2, i, 5);
    if (st == PSH_OK)
        st = sqlite_host_commit(f->host, &position);
    assert_int_equal(st, PSH_E_HOST);
    assert_non_null(strstr(sqlite_host_message(f->host), "full"));
    sqlite_host_rollback(f->host);
    assert_int_equal(sqlite_host_position(f->host), 1);
    assert_int_equal(query_one(f, "SELECT count(*) FROM \"flights_20010101T000000_s0\""), 1);
    assert_int_equal(query_one(f, "SELECT count(*) FROM psh_outbox"), 1);
}

/* Rows by the call and by SQL in one commit: applied in order, the changes give what the table holds. */
static void sql_amid_inserts_is_recorded_in_order(void **state) {
    fixture *f = *state;
    psh_partition p = day_partition(0);
    psh_change_batch *b = NULL;
    uint64_t next = 0, sequence = 0;
    int64_t sum = 0;
    psh_change c;
    size_t i;

    assert_ok(act(f, PSH_ACT_CREATE_PARTITION, &p, 0, 1));
    assert_ok(sqlite_host_begin(f->host, 1));
    assert_ok(insert_at(f, &p, 1, 1, 10));
    assert_ok(insert_at(f, &p, 1, 2, 20));
    assert_ok(sqlite_host_exec(f->host, "UPDATE flights_20010101T000000_s0 SET delay = delay + 5 WHERE seq = 1"));
    assert_ok(sqlite_host_exec(f->host, "DELETE FROM flights_20010101T000000_s0 WHERE seq = 2"));
    assert_ok(insert_at(f, &p, 1, 2, 300));
    assert_ok(insert_at(f, &p, 1, 3, 1000));
    assert_ok(sqlite_host_commit(f->host, NULL));
    assert_ok(psh_change_batch_create(f->env, f->schema, 0, &b));
    assert_ok(f->cdc.poll(f->cdc.user, 0, b, &next));
    for (i = 0; psh_change_batch_get(b, i, &c) == PSH_OK; i++) {
        assert_true(i == 0 || c.sequence > sequence);
        sequence = c.sequence;
        sum += (c.after ? c.after[4].as.i64 : 0) - (c.before ? c.before[4].as.i64 : 0);
    }
    assert_int_equal(sum, 15 + 300 + 1000);
    psh_change_batch_destroy(b);
}

/* The child: rows into two partitions, which are archived, made anew and dropped, until it is killed. */
static void work_forever(fixture *f, int told) {
    psh_partition p[2];
    int64_t n;

    open_host(f);
    for (n = 0;; n++) {
        p[0] = day_partition(n / 40);
        p[1] = day_partition(n / 40 - 2);
        if (n % 40 == 0 && act(f, PSH_ACT_CREATE_PARTITION, &p[0], 0, 1) != PSH_OK)
            _exit(3);
        if (n % 40 == 20 && n >= 80 && act(f, PSH_ACT_ARCHIVE_PARTITION, &p[1], 1, 1) != PSH_OK)
            _exit(4);
        if (sqlite_host_begin(f->host, n) != PSH_OK || insert_at(f, &p[0], n % 24, 3 * n, 1) != PSH_OK ||
            insert_at(f, &p[0], n % 24, 3 * n + 1, 2) != PSH_OK ||
            insert_at(f, &p[0], n % 24, 3 * n + 2, 3) != PSH_OK || sqlite_host_commit(f->host, NULL) != PSH_OK)
            _exit(5);
        if (write(told, "x", 1) != 1)
            _exit(6);
    }
}

static int64_t number(const fixture *f, const char *sql) {
    char attach[160];
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    int64_t value;

    snprintf(attach, sizeof attach, "ATTACH '%s' AS archive", f->path[1]);
    assert_int_equal(sqlite3_open(f->path[0], &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, attach, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    value = sqlite3_column_type(stmt, 0) == SQLITE_TEXT ?
        strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0 : sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return value;
}

static psh_status count_rows(void *user, const psh_value *rows, size_t n) {
    (void)rows;
    *(uint64_t *)user += n;
    return PSH_OK;
}

/* Rows of every partition of the directory, by the host's own scan; none is named that has no table. */
static uint64_t rows_in_host(fixture *f) {
    uint64_t rows = 0;
    int64_t day;

    for (day = 0; day < 200; day++) {
        psh_partition p = day_partition(day);
        psh_scan_result r = { .struct_size = sizeof r };
        psh_scan x = { .struct_size = sizeof x, .partitions = &p.id, .infos = &p, .partition_count = 1,
                       .time_from = PSH_TIME_MIN, .time_to = PSH_TIME_MAX };
        psh_status st = f->storage.scan(f->storage.user, &x, count_rows, &rows, &r);

        assert_true(st == PSH_OK || st == PSH_E_NOT_FOUND);
    }
    return rows;
}

static void check_after_kill(fixture *f, uint64_t commits_told) {
    psh_change_batch *b = NULL;
    uint64_t next = 0, position, rows;

    assert_int_equal(number(f, "PRAGMA main.integrity_check"), 1);
    assert_int_equal(number(f, "PRAGMA archive.integrity_check"), 1);
    open_host(f);
    position = sqlite_host_position(f->host);
    assert_true(position >= commits_told); /* what was told as committed is there */
    assert_ok(psh_change_batch_create(f->env, f->schema, 0, &b));
    assert_ok(f->cdc.poll(f->cdc.user, 0, b, &next));
    rows = rows_in_host(f);
    assert_true(next == position);
    assert_int_equal(psh_change_batch_count(b), 3 * position);
    assert_int_equal(rows, 3 * position); /* moves change no row */
    psh_change_batch_destroy(b);
    assert_int_equal(number(f, "SELECT count(*) FROM archive.sqlite_master WHERE type = 'table' AND name NOT IN"
                               " (SELECT name FROM psh_partitions WHERE tier = 1)"), 0);
    assert_int_equal(number(f, "SELECT count(*) FROM psh_partitions WHERE tier = 0 AND name NOT IN"
                               " (SELECT name FROM main.sqlite_master)"), 0);
}

static void kill_once(unsigned moment) {
    void *state = NULL;
    fixture *f;
    char told[64];
    uint64_t commits = 0;
    int ends[2], how;
    ssize_t n;
    pid_t child;

    set_up(&state);
    f = state;
    sqlite_host_close(f->host);
    f->host = NULL;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (!child)
        work_forever(f, ends[1]);
    close(ends[1]);
    /* A seeded number of commits, then somewhere inside what follows. */
    while (commits < 100 + moment * 37 % 200 && (n = read(ends[0], told, 1)) > 0)
        commits += (uint64_t)n;
    usleep(moment * 211 % 1500);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    while ((n = read(ends[0], told, sizeof told)) > 0)
        commits += (uint64_t)n;
    close(ends[0]);
    check_after_kill(f, commits);
    tear_down(&state);
}

static void killed_at_any_moment(void **state) {
    unsigned i;

    (void)state;
    for (i = 0; i < 20; i++)
        kill_once(i);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sql_amid_inserts_is_recorded_in_order, set_up, tear_down),
        cmocka_unit_test(killed_at_any_moment),
        cmocka_unit_test_setup_teardown(changes_survive_a_reopen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_rolled_back_commit_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(archive_moves_rows_and_is_no_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_orphan_in_the_archive_goes_at_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_old_fence_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(updates_carry_whole_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_fails_the_commit_whole, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
