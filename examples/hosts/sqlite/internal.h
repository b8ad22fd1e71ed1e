/* SPDX-License-Identifier: MIT */
/** @file internal.h  What the files of the SQLite host share. */
#ifndef SQLITE_HOST_INTERNAL_H
#define SQLITE_HOST_INTERNAL_H

#include <sqlite3.h>

#include "sqlite_host.h"

#define NAME_SIZE 320
#define STATEMENTS 512 /* prepared legs kept */
#define SOURCE 1u      /* the one change stream */

/* Statements of the host's own tables, prepared at the first use and kept: no partition can change them. */
#define KEPT_BEGIN 0u
#define KEPT_COMMIT 1u
#define KEPT_META 2u
#define KEPT_OUTBOX 3u
#define KEPT_POLL 4u
#define KEPT_FORGET 5u
#define KEPT_DONE 6u
#define KEPT_COUNT 7u

/** One partition table, as psh_partitions has it. */
typedef struct directory_entry {
    uint64_t id;
    uint32_t table;
    uint32_t tier; /* 0 = main, 1 = archive */
    uint32_t node; /* a label: all nodes are these two files */
    int known; /* psh_places has it; not so in files of older versions: then it holds what it is asked for */
    int holds; /* 0: a shadow that a split has not filled yet */
    int quarantine;
    int64_t interval;
    uint64_t arc_first; /* of the rows it holds */
    uint64_t arc_last;
    char name[NAME_SIZE];
    sqlite3_stmt *insert; /* made at the first insert */
} directory_entry;

/** A replica's table, as psh_replicas has it. */
typedef struct directory_replica {
    uint64_t id; /* of its partition */
    uint32_t node;
    uint32_t tier;
    int ready; /* triggers keep it as its owner is */
    char name[NAME_SIZE];
} directory_replica;

/** All tables, as psh_partitions, psh_places and psh_replicas have them. */
typedef struct directory {
    directory_entry *entries; /* by id */
    size_t count;
    size_t cap;
    size_t last; /* the entry that a changeset named last */
    directory_replica *replicas;
    size_t replica_count;
    size_t replica_cap;
} directory;

/** A table that holds rows of a partition asked for; `clip`: only those of first..last. */
typedef struct host_source {
    const directory_entry *e;
    int clip;
    uint64_t first;
    uint64_t last;
} host_source;

/** A prepared leg, found by its text. */
typedef struct leg_statement {
    char *sql;
    uint64_t hash;
    uint64_t used; /* host's leg counter at the last use */
    sqlite3_stmt *stmt;
} leg_statement;

struct sqlite_host {
    psh_schema *schema;
    psh_env *env; /* for batches and buffers that go through the library */
    sqlite3 *db;
    psh_status lost; /* why a change of the open commit could not be kept: it cannot commit */
    sqlite3_session *session; /* there is one between begin and commit */
    int recording; /* the session records, since the application ran SQL of its own in this commit */
    directory directory;
    host_source *sources; /* of the running read */
    size_t source_count;
    size_t source_cap;
    psh_worlds *worlds; /* that tell where tenants stand on the ring; or NULL */
    sqlite3_stmt *kept[KEPT_COUNT];
    leg_statement legs[STATEMENTS];
    uint64_t leg_clock;
    uint64_t position;
    int64_t commit_time; /* of the last commit, also of an empty one; PSH_TIME_MIN before the first */
    uint64_t acknowledged; /* changes at or before it are forgotten */
    int64_t pending_time;
    uint64_t fence;
    psh_change_batch *batch; /* the open commit's changes */
    psh_buffer *scratch;
    char message[512];
};

/* What is committed between them has reached the disk, and with it all of the log before. */
#define HOST_DURABLE "PRAGMA main.synchronous = FULL"
#define HOST_RELAXED "PRAGMA main.synchronous = NORMAL"

/** Keeps the connection's last error as the message. @return PSH_E_HOST, PSH_E_NOMEM or PSH_E_RANGE. */
psh_status host_error(sqlite_host *h);
/** A message of our own. @return status */
psh_status host_fail(sqlite_host *h, psh_status status, const char *message);
/** Runs statements without results. */
psh_status host_exec(sqlite_host *h, const char *sql);
/** Prepares one statement; *out is NULL on error. */
psh_status host_prepare(sqlite_host *h, const char *sql, sqlite3_stmt **out);
/** Steps a statement that gives no row, then finalizes it. */
psh_status host_finish(sqlite_host *h, sqlite3_stmt *stmt);
/** One of the kept statements, to be reset after use; *out is NULL on error. */
psh_status host_kept(sqlite_host *h, uint32_t which, sqlite3_stmt **out);
/** Steps a kept statement that gives no row, and resets it. */
psh_status host_step(sqlite_host *h, sqlite3_stmt *stmt);
/** Runs a kept statement without parameters. */
psh_status host_run(sqlite_host *h, uint32_t which);
const char *host_schema_name(uint32_t tier);
/** Binds one value. Text and bytes must stay until the statement is reset. */
psh_status host_bind(sqlite_host *h, sqlite3_stmt *stmt, int index, const psh_value *v);
/** Reads a column as a value of a type; text borrows until the next step. */
void host_column(sqlite3_stmt *stmt, int column, uint32_t type, psh_value *out);
/** Stores position and commit time with the open transaction. */
psh_status host_store_meta(sqlite_host *h, const char *key, int64_t value);

directory_entry *directory_find(sqlite_host *h, uint64_t id);
psh_status directory_load(sqlite_host *h);
/** CREATE TABLE of a table of the schema, unless it exists. */
psh_status directory_create_table(sqlite_host *h, uint32_t tier, uint32_t table, const char *name);
/** Drops tables of the archive that the directory does not name: what a crash, or a switch, left there. */
psh_status directory_drop_orphans(sqlite_host *h);
/** Runs one statement with an id as ?1. */
psh_status directory_exec_id(sqlite_host *h, const char *sql, uint64_t id);
/** Forgets the entries and their statements. */
void directory_clear(directory *d);

/** @return the replica or NULL. */
directory_replica *directory_find_replica(sqlite_host *h, uint64_t id, uint32_t node);

/* sources.c */
/** Registers psh_within(table, first, last, tenant, time). */
psh_status sources_open(sqlite_host *h);
/** Adds the tables that hold a partition's rows now, each row in one. @return PSH_OK, PSH_E_NOT_FOUND, ... */
psh_status sources_of(sqlite_host *h, const psh_partition *p);
/** " AND psh_within(...)" where a source is clipped. */
void sources_append_clip(sqlite3_str *s, const psh_table_spec *t, const host_source *from);
/** " AND psh_within(...)" for an arc; with `out`: rows that are not within. */
void sources_append_arc(
    sqlite3_str *s, const psh_table_spec *t, uint32_t table, uint64_t first, uint64_t last, int out);
/** Schema and name of the table to read at a node (PSH_NONE: the owner's): a ready replica's, else the owner's. */
void sources_append_table(sqlite3_str *s, sqlite_host *h, const directory_entry *e, uint32_t node);
/** Where a row placed in a partition goes: there, or to what owns its key by now. NULL if nothing does. */
directory_entry *sources_for_row(sqlite_host *h, const psh_partition *p, const psh_value *row);

/* moves.c */
/** What a split or merge has to have in the archive before it may switch; or one step of a copy. */
psh_status moves_prepare(sqlite_host *h, const psh_action *a);
/** The move itself, inside the open transaction of main. */
psh_status moves_switch(sqlite_host *h, const psh_action *a);
/** Whether an action is one of these. */
int moves_is_move(uint32_t kind);
/** Drops the replicas of a partition, inside the open transaction of main; the archive's tables become orphans. */
psh_status moves_drop_replicas(sqlite_host *h, uint64_t id);
/** Makes the triggers that keep ready replicas fresh, anew. */
psh_status moves_follow(sqlite_host *h);
/** Brings replicas up to their owners where the two files may not have been committed as one. */
psh_status moves_repair(sqlite_host *h);

/** A value of a statement or changeset as one of a type; borrows. */
void host_value(const sqlite3_value *cv, uint32_t type, psh_value *out);
/** Adds the session's changes to h->batch. */
psh_status changes_collect(sqlite_host *h);
/** Finalizes every kept leg. */
void legs_clear(sqlite_host *h);

psh_status storage_submit(void *user, int64_t now, const psh_action *action);
psh_status storage_scan(
    void *user, const psh_scan *scan, psh_row_sink sink, void *sink_user, psh_scan_result *result);
psh_status storage_get(void *user, const char *name, psh_buffer *out);
psh_status storage_commit(void *user, const psh_blob_write *writes, size_t n);
psh_status storage_list(
    void *user, const char *prefix, psh_status (*each)(void *each_user, const char *name), void *each_user);
psh_status storage_health(void *user, uint32_t node, uint32_t tier, psh_health *out);
psh_status cdc_state(void *user, psh_cdc_state *out);
psh_status cdc_poll(void *user, uint64_t cursor, psh_change_batch *out, uint64_t *next);
psh_status cdc_acknowledge(void *user, uint64_t position);
psh_status kv_get(void *user, const char *key, psh_buffer *out, uint64_t *version);
psh_status kv_compare_and_set(
    void *user, const char *key, uint64_t expected, const void *data, size_t size, uint64_t *version);
psh_status kv_remove(void *user, const char *key, uint64_t expected);
psh_status kv_list(
    void *user, const char *prefix, psh_status (*each)(void *each_user, const char *key, uint64_t version),
    void *each_user);
psh_status kv_watch(void *user, const char *key, uint64_t version, int64_t wait_ns);

#endif
