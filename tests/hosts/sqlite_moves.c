/* SPDX-License-Identifier: MIT */
/* The SQLite host dies amid splits, merges and copies: opened again, it gives each row once, from any table. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#include <sqlite_host.h>

#define TENANTS 24
#define ROWS 400
#define MIDDLE (UINT64_C(1) << 63)

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
    psh_partition whole, half[2];
    uint32_t tier;      /* of what is made next */
    uint64_t generation;
    int64_t next;       /* seq of the next row */
} fixture;

static void open_host(fixture *f) {
    char message[256] = "";

    if (sqlite_host_open(f->schema, f->path[0], f->path[1], &f->host, message, sizeof message) != PSH_OK)
        fail_msg("%s", message);
    sqlite_host_tables(f->host, &f->storage, &f->cdc, &f->kv);
}

static psh_partition partition_of(const fixture *f, uint64_t first, uint64_t last, uint32_t ordinal) {
    psh_partition p;

    memset(&p, 0, sizeof p);
    assert_ok(psh_schema_interval(f->schema, 0, TEST_T0, &p.interval, &p.time_from, &p.time_to));
    p.arc_first = first;
    p.arc_last = last;
    p.ordinal = ordinal;
    p.id = psh_partition_id(0, p.interval, first);
    p.state = PSH_PARTITION_ACTIVE;
    return p;
}

static void set_up(fixture *f) {
    memset(f, 0, sizeof *f);
    f->env = test_env(&f->alloc);
    f->schema = test_flights_schema(f->env);
    strcpy(f->folder, "/tmp/predshard_test_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path[0], sizeof f->path[0], "%s/main.db", f->folder);
    snprintf(f->path[1], sizeof f->path[1], "%s/archive.db", f->folder);
    f->whole = partition_of(f, 0, UINT64_MAX, 0);
    f->half[0] = partition_of(f, 0, MIDDLE - 1, 0);
    f->half[1] = partition_of(f, MIDDLE, UINT64_MAX, 1);
    open_host(f);
}

static void tear_down(fixture *f) {
    static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
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
}

/* One action under an id of its own. */
static psh_status act(
    fixture *f, uint32_t kind, const psh_partition *p, uint64_t source, uint32_t node, uint32_t step,
    uint32_t steps) {
    psh_action a;
    char name[128];

    memset(&a, 0, sizeof a);
    assert_ok(psh_partition_name(f->schema, p, name, sizeof name));
    a.want.kind = kind;
    a.want.subject = p->id;
    a.want.source = source;
    a.want.node = node;
    a.want.tier = f->tier;
    a.want.interval = p->interval;
    a.want.arc_first = p->arc_first;
    a.want.arc_last = p->arc_last;
    a.want.step = step;
    a.want.steps = steps;
    a.want.resources.bytes = 4000;
    a.name = name;
    a.reason = "";
    a.fence = 1;
    a.id = psh_action_id(kind, p->id, ++f->generation);
    return f->storage.submit(f->storage.user, 0, &a);
}

static void put(fixture *f, int n) {
    char tenant[8];
    psh_value row[6];

    assert_ok(sqlite_host_begin(f->host, TEST_T0));
    for (; n > 0; n--, f->next++) {
        snprintf(tenant, sizeof tenant, "T%02d", (int)(f->next % TENANTS));
        test_flight(row, tenant, f->whole.time_from + f->next, f->next, "SAV", 1, 215);
        assert_ok(sqlite_host_insert(f->host, &f->whole, row)); /* whoever owns its key by now */
    }
    assert_ok(sqlite_host_commit(f->host, NULL));
}

/* Splits, copies, swaps and merges, over and over, from wherever the last life ended. */
static void move_forever(fixture *f, uint32_t tier) {
    uint32_t i;

    open_host(f);
    f->generation = (uint64_t)getpid() << 32;
    for (i = 0;; i++) {
        (void)act(f, PSH_ACT_MERGE_PARTITION, &f->whole, f->half[1].id, 0, 0, 0); /* or there is nothing to merge */
        if (act(f, PSH_ACT_DROP_PARTITION, &f->half[1], 0, 0, 0, 0) != PSH_OK)
            _exit(1); /* a shadow that never was filled */
        f->tier = (tier + i) % 2;
        if (act(f, PSH_ACT_CREATE_PARTITION, &f->half[1], f->whole.id, 0, 0, 0) != PSH_OK ||
            act(f, PSH_ACT_SPLIT_PARTITION, &f->half[1], f->whole.id, 0, 1, 2) != PSH_OK ||
            act(f, PSH_ACT_REPLICATE_PARTITION, &f->whole, 0, i % 2 ? 0 : 7, 1, 1) != PSH_OK ||
            act(f, PSH_ACT_SPLIT_PARTITION, &f->half[1], f->whole.id, 0, 2, 2) != PSH_OK ||
            act(f, PSH_ACT_PROMOTE_PARTITION, &f->whole, 0, i % 2 ? 0 : 7, 0, 0) != PSH_OK ||
            act(f, PSH_ACT_DROP_REPLICA, &f->whole, 0, i % 2 ? 7 : 0, 0, 0) != PSH_OK ||
            act(f, PSH_ACT_REPLICATE_PARTITION, &f->half[1], 0, 7, 1, 1) != PSH_OK) {
            fprintf(stderr, "%s\n", sqlite_host_message(f->host));
            _exit(2);
        }
    }
}

typedef struct tally {
    int seen[ROWS + 64];
    uint64_t rows;
} tally;

static psh_status count(void *user, const psh_value *rows, size_t n) {
    tally *t = user;
    size_t i;

    for (i = 0; i < n; i++)
        t->seen[rows[6 * i + 2].as.i64]++;
    t->rows += n;
    return PSH_OK;
}

static void check_scan(fixture *f, const psh_partition *ps, size_t n) {
    uint64_t ids[2] = { ps[0].id, n > 1 ? ps[1].id : 0 };
    psh_scan x = { .struct_size = sizeof x, .partitions = ids, .infos = ps, .partition_count = n,
                   .time_from = PSH_TIME_MIN, .time_to = PSH_TIME_MAX };
    psh_scan_result r = { .struct_size = sizeof r };
    tally t = { .rows = 0 };
    int64_t i;

    assert_ok(f->storage.scan(f->storage.user, &x, count, &t, &r));
    assert_int_equal(t.rows, (uint64_t)f->next);
    for (i = 0; i < f->next; i++)
        assert_int_equal(t.seen[i], 1);
}

static void check_leg(fixture *f, uint32_t node) {
    static const psh_aggregate counts[] = { { PSH_AGG_COUNT, PSH_NONE }, { PSH_AGG_SUM, 2 } };
    const psh_partition *p = &f->whole;
    psh_leg leg = { .kind = PSH_LEG_BASE, .node = node, .partitions = &p, .partition_count = 1,
                    .time_from = TEST_T0 - PSH_DAY, .time_to = TEST_T0 + 2 * PSH_DAY };
    psh_query_spec spec;
    psh_query *q = NULL;
    psh_answer *answer = NULL;
    sqlite_cost cost;

    psh_query_spec_init(&spec, sizeof spec);
    spec.aggregates = counts;
    spec.aggregate_count = 2;
    spec.time_from = leg.time_from;
    spec.time_to = leg.time_to;
    assert_ok(psh_query_create(f->env, f->schema, &spec, &q, NULL));
    assert_ok(psh_answer_create(f->env, q, 0, &answer));
    assert_ok(sqlite_host_run_leg(f->host, q, &leg, answer, &cost));
    assert_ok(psh_answer_finish(answer));
    assert_int_equal(psh_answer_row(answer, 0)[0].as.i64, f->next);
    assert_int_equal(psh_answer_row(answer, 0)[1].as.i64, f->next * (f->next - 1) / 2);
    psh_answer_destroy(answer);
    psh_query_unref(q);
}

/* Rows that were written, once each, and nothing of the moves. What went straight to the archive is not in it. */
static void check_stream(fixture *f) {
    psh_change_batch *b = NULL;
    tally t = { .rows = 0 };
    uint64_t next = 0;
    psh_change c;
    size_t i;

    assert_ok(psh_change_batch_create(f->env, f->schema, 0, &b));
    assert_ok(f->cdc.poll(f->cdc.user, 0, b, &next));
    for (i = 0; psh_change_batch_get(b, i, &c) == PSH_OK; i++) {
        assert_int_equal(c.op, PSH_CHANGE_INSERT);
        assert_int_equal(t.seen[c.after[2].as.i64]++, 0);
    }
    assert_true(i >= ROWS && i <= (size_t)f->next);
    psh_change_batch_destroy(b);
}

static void live_once(fixture *f, unsigned moment) {
    pid_t child;
    int how;

    sqlite_host_close(f->host);
    f->host = NULL;
    child = fork();
    assert_true(child >= 0);
    if (!child)
        move_forever(f, moment);
    usleep(3000 + moment * 4211 % 40000);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how)); /* not that an action was refused */
    open_host(f);
    check_scan(f, &f->whole, 1);
    check_scan(f, f->half, 2);
    check_leg(f, 0);
    check_leg(f, 7);
    check_stream(f);
    put(f, 1);
    check_scan(f, f->half, 2);
    check_leg(f, 7);
}

static void lives(fixture *f) {
    unsigned moment;

    for (moment = 0; moment < 25; moment++)
        live_once(f, moment);
    tear_down(f);
}

static void begin(fixture *f) {
    set_up(f);
    assert_ok(act(f, PSH_ACT_CREATE_PARTITION, &f->whole, 0, 0, 0, 0));
    put(f, ROWS);
}

static void killed_amid_moves(void **state) {
    fixture f;

    (void)state;
    begin(&f);
    lives(&f);
}

static void killed_amid_moves_of_the_archive(void **state) {
    fixture f;

    (void)state;
    begin(&f);
    f.tier = 1;
    assert_ok(act(&f, PSH_ACT_ARCHIVE_PARTITION, &f.whole, 0, 0, 0, 0));
    lives(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_amid_moves),
        cmocka_unit_test(killed_amid_moves_of_the_archive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
