/* SPDX-License-Identifier: MIT */
/* Real processes share a world in one SQLite file: they race for the lead, publish and follow. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

#include <sqlite_host.h>

#define CHILDREN 3
#define ROUNDS 12
#define MOST_EPOCHS 400u

typedef struct fixture {
    char folder[64];
    char path[2][96];
} fixture;

/* One process's end. */
typedef struct end {
    psh_env *env;
    psh_schema *schema;
    sqlite_host *host;
    psh_share *share;
} end;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    strcpy(f->folder, "/tmp/predshard_share_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path[0], sizeof f->path[0], "%s/main.db", f->folder);
    snprintf(f->path[1], sizeof f->path[1], "%s/archive.db", f->folder);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
    fixture *f = *state;
    char name[128];
    size_t i;

    for (i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "%s%s", f->path[i / 4], suffixes[i % 4]);
        unlink(name);
    }
    rmdir(f->folder);
    free(f);
    return 0;
}

/* Processes open the file at the same time: one may find it locked, and tries again. */
static void open_end(end *e, const fixture *f, const char *owner) {
    static const struct timespec pause = { 0, 20000000 };
    char message[256] = "";
    psh_share_options o;
    psh_storage storage;
    psh_cdc cdc;
    psh_kv kv;
    int i;

    memset(e, 0, sizeof *e);
    assert_ok(psh_env_create(NULL, &e->env, NULL));
    e->schema = test_flights_schema(e->env);
    for (i = 0; i < 100 && !e->host; i++)
        if (sqlite_host_open(e->schema, f->path[0], f->path[1], &e->host, message, sizeof message) != PSH_OK)
            nanosleep(&pause, NULL);
    if (!e->host)
        fail_msg("%s", message);
    sqlite_host_tables(e->host, &storage, &cdc, &kv);
    assert_ok(psh_share_options_init(&o, sizeof o));
    o.owner = owner;
    o.max_blob_bytes = 4096;
    o.keep_epochs = 3;
    assert_ok(psh_share_create(e->env, e->schema, &kv, &o, &e->share, NULL));
}

static void close_end(end *e) {
    psh_share_destroy(e->share);
    sqlite_host_close(e->host);
    psh_schema_unref(e->schema);
    psh_env_destroy(e->env);
}

/* Days of one arc each; the day of the epoch has as many rows as its number, and `by` says who made it. */
static psh_world *world_of(end *e, uint64_t epoch, uint32_t by) {
    psh_world_draft *d = NULL;
    psh_world *w = NULL;
    psh_partition p;
    int64_t day;

    assert_ok(psh_world_draft_create(e->env, e->schema, epoch, TEST_T0, &d));
    for (day = 0; day < 40; day++) {
        memset(&p, 0, sizeof p);
        p.state = PSH_PARTITION_ACTIVE;
        p.interval = day;
        p.time_from = day * PSH_DAY;
        p.time_to = p.time_from + PSH_DAY;
        p.arc_last = UINT64_MAX;
        p.id = psh_partition_id(0, day, 0);
        p.rows = day == (int64_t)(epoch % 40) ? epoch : 0;
        p.node = by;
        p.first_write = PSH_TIME_NONE;
        assert_ok(psh_world_draft_add_partition(d, &p));
    }
    assert_ok(psh_world_create(d, &w, NULL));
    psh_world_draft_destroy(d);
    return w;
}

static int64_t now_ns(void) {
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * PSH_SECOND + t.tv_nsec;
}

/* One round: lead, follow, publish the next epoch. @return the epoch published, 0: none. */
static uint64_t one_round(end *e, uint32_t by, uint64_t *seen) {
    psh_world *w = NULL;
    uint64_t fence, epoch = 0;
    psh_status st = psh_share_lead(e->share, now_ns(), &fence, NULL);

    if (st == PSH_OK)
        st = psh_share_catch_up(e->share, 0, &w, NULL);
    if (st == PSH_OK) {
        *seen = psh_world_epoch(w);
        assert_int_equal(psh_world_partition(w, *seen % 40)->rows, *seen);
    }
    psh_world_unref(w);
    if (st == PSH_OK || st == PSH_END || st == PSH_E_NOT_FOUND) {
        w = world_of(e, *seen + 1, by);
        if (psh_share_publish(e->share, w, now_ns(), NULL) == PSH_OK)
            epoch = ++*seen;
        psh_world_unref(w);
        (void)psh_share_collect(e->share, now_ns(), NULL, NULL);
        (void)psh_share_resign(e->share, now_ns(), NULL);
    }
    assert_true(st != PSH_E_CORRUPT && st != PSH_E_NEWER);
    return epoch;
}

static const char *const owners[CHILDREN] = { "anna", "bert", "cleo" };

/* Publishes ROUNDS epochs, and writes each into the pipe. */
static void run_child(const fixture *f, uint32_t by, int out) {
    static const struct timespec pause = { 0, 3000000 };
    uint64_t seen = 0, made[2] = { 0, by };
    int done = 0, tries;
    end e;

    open_end(&e, f, owners[by]);
    for (tries = 0; done < ROUNDS && tries < 3000; tries++) {
        made[0] = one_round(&e, by, &seen);
        if (made[0]) {
            done++;
            assert_int_equal(write(out, made, sizeof made), sizeof made);
        } else {
            nanosleep(&pause, NULL);
        }
    }
    close_end(&e);
    _exit(done == ROUNDS ? 0 : 1);
}

static void processes_race_for_the_lead(void **state) {
    const fixture *f = *state;
    uint32_t by[MOST_EPOCHS] = { 0 };
    uint64_t made[2], last = 0, count = 0;
    pid_t child[CHILDREN];
    int ends[2], status, i;
    psh_world *w = NULL;
    end e;

    assert_int_equal(pipe(ends), 0);
    for (i = 0; i < CHILDREN; i++) {
        child[i] = fork();
        assert_true(child[i] >= 0);
        if (!child[i])
            run_child(f, (uint32_t)i, ends[1]);
    }
    close(ends[1]);
    while (read(ends[0], made, sizeof made) == (ssize_t)sizeof made) {
        assert_true(made[0] < MOST_EPOCHS);
        assert_int_equal(by[made[0]], 0); /* no epoch was published twice */
        by[made[0]] = (uint32_t)made[1] + 1;
        last = made[0] > last ? made[0] : last;
        count++;
    }
    close(ends[0]);
    for (i = 0; i < CHILDREN; i++) {
        assert_true(waitpid(child[i], &status, 0) == child[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(count, CHILDREN * ROUNDS);
    open_end(&e, f, "reader");
    assert_ok(psh_share_catch_up(e.share, 0, &w, NULL));
    assert_int_equal(psh_world_epoch(w), last);
    assert_int_equal(psh_world_partition(w, 0)->node, by[last] - 1);
    psh_world_unref(w);
    close_end(&e);
}

/* A wait ends when the root moves: a new leader moves it too. */
static psh_world *wait_for_world(end *e) {
    psh_world *w = NULL;
    int i;

    for (i = 0; i < 8 && !w; i++)
        (void)psh_share_catch_up(e->share, 20 * PSH_SECOND, &w, NULL);
    assert_non_null(w);
    return w;
}

/* The child waits for the second world; the parent publishes it once the child has the first. */
static void processes_wake_each_other(void **state) {
    const fixture *f = *state;
    uint64_t fence;
    int ends[2], status;
    char byte = 0;
    pid_t child;
    psh_world *w = NULL;
    end e;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (!child) {
        open_end(&e, f, "child");
        w = wait_for_world(&e);
        psh_world_unref(w);
        assert_int_equal(write(ends[1], "x", 1), 1);
        w = wait_for_world(&e);
        status = psh_world_epoch(w) == 2 ? 0 : 1;
        psh_world_unref(w);
        close_end(&e);
        _exit(status);
    }
    close(ends[1]);
    open_end(&e, f, "parent");
    assert_ok(psh_share_lead(e.share, TEST_T0, &fence, NULL));
    w = world_of(&e, 1, 0);
    assert_ok(psh_share_publish(e.share, w, TEST_T0, NULL));
    psh_world_unref(w);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    w = world_of(&e, 2, 0);
    assert_ok(psh_share_publish(e.share, w, TEST_T0, NULL));
    psh_world_unref(w);
    assert_true(waitpid(child, &status, 0) == child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(ends[0]);
    close_end(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(processes_race_for_the_lead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(processes_wake_each_other, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
