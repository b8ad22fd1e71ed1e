/* SPDX-License-Identifier: MIT */
/* The SQLite host keeps the contract, in a folder of its own. */
#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>
#include <sqlite_host.h>

typedef struct sqlite_files {
    sqlite_host *host;
    psh_schema *schema;
    psh_worlds *worlds;
    char folder[64];
    char path[2][96];
} sqlite_files;

static void *open_host(psh_schema *schema) {
    sqlite_files *f = calloc(1, sizeof *f);
    char message[256] = "";

    if (!f)
        return NULL;
    strcpy(f->folder, "/tmp/predshard_conformance_XXXXXX");
    if (!mkdtemp(f->folder)) {
        free(f);
        return NULL;
    }
    snprintf(f->path[0], sizeof f->path[0], "%s/main.db", f->folder);
    snprintf(f->path[1], sizeof f->path[1], "%s/archive.db", f->folder);
    f->schema = schema;
    if (sqlite_host_open(schema, f->path[0], f->path[1], &f->host, message, sizeof message) == PSH_OK)
        return f;
    fprintf(stderr, "%s\n", message);
    rmdir(f->folder);
    free(f);
    return NULL;
}

static void host_tables(void *host, psh_storage *storage, psh_cdc *cdc, psh_kv *kv) {
    sqlite_host_tables(((sqlite_files *)host)->host, storage, cdc, kv);
}

static psh_status begin_commit(void *host, int64_t commit_time) {
    return sqlite_host_begin(((sqlite_files *)host)->host, commit_time);
}

static psh_status insert_row(void *host, const psh_partition *partition, const psh_value *row) {
    return sqlite_host_insert(((sqlite_files *)host)->host, partition, row);
}

static psh_status end_commit(void *host, uint64_t *position) {
    return sqlite_host_commit(((sqlite_files *)host)->host, position);
}

static psh_status run_leg(void *host, const psh_query *query, const psh_leg *leg, psh_answer *out) {
    sqlite_cost cost;

    return sqlite_host_run_leg(((sqlite_files *)host)->host, query, leg, out, &cost);
}

/* The application's own SQL, as it names a partition's table. */
static psh_status change_row(void *host, const psh_partition *owner, const psh_value *row, int remove) {
    sqlite_files *f = host;
    char sql[512], set[64], name[128];

    if (psh_partition_name(f->schema, owner, name, sizeof name) != PSH_OK)
        return PSH_E_INVALID;
    snprintf(set, sizeof set, "SET delay = %lld", (long long)row[4].as.i64);
    snprintf(
        sql, sizeof sql, "%s \"%s\" %s WHERE origin = '%.*s' AND time = %lld AND seq = %lld",
        remove ? "DELETE FROM" : "UPDATE", name, remove ? "" : set, (int)row[0].size, (const char *)row[0].as.data,
        (long long)row[1].as.i64, (long long)row[2].as.i64);
    return sqlite_host_exec(f->host, sql);
}

static void set_worlds(void *host, psh_worlds *worlds) {
    sqlite_files *f = host;

    f->worlds = worlds;
    sqlite_host_set_worlds(f->host, worlds);
}

static void reopen_host(void *host, psh_schema *schema) {
    sqlite_files *f = host;
    char message[256] = "";

    sqlite_host_close(f->host);
    if (sqlite_host_open(schema, f->path[0], f->path[1], &f->host, message, sizeof message) != PSH_OK) {
        fprintf(stderr, "%s\n", message);
        abort();
    }
    sqlite_host_set_worlds(f->host, f->worlds);
}

static void close_host(void *host) {
    static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
    sqlite_files *f = host;
    char name[128];
    size_t i;

    sqlite_host_close(f->host);
    for (i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "%s%s", f->path[i / 4], suffixes[i % 4]);
        unlink(name);
    }
    rmdir(f->folder);
    free(f);
}

/* SQLite's allocator, of which one call fails: it gives methods no pointer of their own. */
static sqlite3_mem_methods real_memory;
static int64_t countdown = -1;
static int fired;

static int must_fail(void) {
    if (countdown < 0 || countdown-- > 0)
        return 0;
    fired = 1;
    return 1;
}

static void *take_memory(int size) {
    return must_fail() ? NULL : real_memory.xMalloc(size);
}

static void *resize_memory(void *p, int size) {
    return must_fail() ? NULL : real_memory.xRealloc(p, size);
}

static void arm_host(void *host, int64_t n) {
    (void)host;
    countdown = n;
    fired = n < 0 ? fired : 0;
}

static int has_fired(void *host) {
    (void)host;
    return fired;
}

static void watch_memory(void) {
    sqlite3_mem_methods mine;

    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory);
    mine = real_memory;
    mine.xMalloc = take_memory;
    mine.xRealloc = resize_memory;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &mine);
}

int main(void) {
    static const conformance_host sqlite = { "sqlite", open_host, host_tables, begin_commit, insert_row,
                                             end_commit, run_leg, close_host, change_row, set_worlds, arm_host,
                                             has_fired, reopen_host };

    watch_memory();
    return conformance_run(&sqlite) + conformance_moves_run(&sqlite);
}
