/* SPDX-License-Identifier: MIT */
/**
 * @file sqlite_host.h  SQLite as the engine: one table a partition, an attached archive, changes by sessions.
 *
 * Partition tables are WITHOUT ROWID with the schema's primary key, named by psh_partition_name, in database
 * "main" (tier 0) or the attached "archive" (tier 1). Each commit's changes are recorded by the session
 * extension and written to an outbox table in the same transaction, so that no crash parts rows from changes.
 *
 * Nodes are labels: all are these two files. A replica is a second table, NAME_rNODE, which triggers on the owner's
 * table keep as it is. The application's SQL finds the owner's rows under the partition's name as long as they are
 * in main.
 */
#ifndef SQLITE_HOST_H
#define SQLITE_HOST_H

#include <predshard.h>

typedef struct sqlite_host sqlite_host;

/** What one leg cost. Steps are SQLite's virtual machine instructions: the same for the same plan and data. */
typedef struct sqlite_cost {
    uint64_t steps;
    uint64_t rows;  /**< rows given */
} sqlite_cost;

/**
 * Opens (or makes) both files, journal WAL. Rows are committed with synchronous NORMAL: a loss of power may take
 * the last commits, rows and changes together, and never damages a file. Blobs and keys are durable on return, as
 * the contract asks, and so is the copy in the archive before the rows in main go.
 * @param message  takes one line on failure, NUL-terminated
 * @return PSH_OK, PSH_E_HOST, PSH_E_NOMEM.
 */
psh_status sqlite_host_open(
    psh_schema *schema, const char *path, const char *archive_path, sqlite_host **out, char *message, size_t size);
void sqlite_host_close(sqlite_host *h);
/**
 * Worlds that tell where tenants stand on the ring, for splits; borrowed. NULL (as at first): at psh_ring_point of
 * segment 0, which is right while no tenant has a segment.
 */
void sqlite_host_set_worlds(sqlite_host *h, psh_worlds *worlds);
/** Fills the callback tables; valid until close. */
void sqlite_host_tables(sqlite_host *h, psh_storage *storage, psh_cdc *cdc, psh_kv *kv);
/** The last error of SQLite, one line; valid until the next call. */
const char *sqlite_host_message(sqlite_host *h);

/** One commit of rows. commit_time must not decrease. A failed commit is rolled back. */
psh_status sqlite_host_begin(sqlite_host *h, int64_t commit_time);
/** @param partition  where the router placed it; where a split or merge has given its key to another one since, it
 *  goes there. @return PSH_OK, PSH_E_NOT_FOUND (no such table),
 *  PSH_E_EXISTS (key), PSH_E_HOST. */
psh_status sqlite_host_insert(sqlite_host *h, const psh_partition *partition, const psh_value *row);
psh_status sqlite_host_commit(sqlite_host *h, uint64_t *position);
void sqlite_host_rollback(sqlite_host *h);
/** Runs the application's own SQL: inside an open commit what it changes in partition tables is recorded. */
psh_status sqlite_host_exec(sqlite_host *h, const char *sql);
uint64_t sqlite_host_position(const sqlite_host *h);

/**
 * Runs one base leg as one SQL statement over its partitions (joined by UNION ALL, filter and GROUP BY in
 * each) and adds the partial rows to the answer. Statements are prepared once and kept. At a node that has a ready
 * replica it reads that one. A leg of an older epoch gives the same rows, wherever splits and merges have put them.
 */
psh_status sqlite_host_run_leg(
    sqlite_host *h, const psh_query *query, const psh_leg *leg, psh_answer *out, sqlite_cost *cost);
/** Bytes of the two files, by pages in use. */
psh_status sqlite_host_sizes(sqlite_host *h, uint64_t *main_bytes, uint64_t *archive_bytes);

#endif
