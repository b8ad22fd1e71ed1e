/* SPDX-License-Identifier: MIT */
/** @file memory_host.h  The reference host: tables, changes, blobs and keys in memory; libc only. */
#ifndef MEMORY_HOST_H
#define MEMORY_HOST_H

#include <predshard.h>

typedef struct memory_host memory_host;

/** @param schema  referenced. @return NULL if memory is short. */
memory_host *memory_host_create(psh_schema *schema);
void memory_host_destroy(memory_host *h);
/**
 * Worlds that tell where tenants stand on the ring, for splits; borrowed. NULL (as at first): at psh_ring_point of
 * segment 0, which is right while no tenant has a segment.
 */
void memory_host_set_worlds(memory_host *h, psh_worlds *worlds);
/** Fills the callback tables; kv may be NULL. They stay valid until destroy. */
void memory_host_tables(memory_host *h, psh_storage *storage, psh_cdc *cdc, psh_kv *kv);

/** One commit: begin, insert/update/remove rows, commit gives the position. */
psh_status memory_host_begin(memory_host *h, int64_t commit_time);
/** A row whose key a split or merge has given to another partition since goes there. */
psh_status memory_host_insert(memory_host *h, uint64_t partition, uint32_t table, const psh_value *row);
/** Finds the row by its key columns among all partitions of the table. @return PSH_OK, PSH_E_NOT_FOUND. */
psh_status memory_host_update(memory_host *h, uint32_t table, const psh_value *row);
psh_status memory_host_remove(memory_host *h, uint32_t table, const psh_value *row);
psh_status memory_host_commit(memory_host *h, uint64_t *position);
/** The last commit's position. */
uint64_t memory_host_position(const memory_host *h);

/**
 * Runs one base leg: gives the rows of its partitions and time range to the answer, raw; from replicas, where its
 * node has them. A leg of an older epoch gives the same rows, wherever splits and merges have put them since.
 */
psh_status memory_host_run_leg(memory_host *h, const psh_query *query, const psh_leg *leg, psh_answer *out);

/** The nth callback from now (0 = the next) fails with PSH_E_HOST: once, or it and all after. n < 0: none. */
void memory_host_fail(memory_host *h, int64_t n, int forever);
/** @return 1 once a callback was made to fail. */
int memory_host_failed(const memory_host *h);
/** 1: submit answers PSH_PENDING and the action waits for memory_host_finish. */
void memory_host_set_pending(memory_host *h, int pending);
/** Carries out the oldest waiting action. @return PSH_OK (*id set), PSH_END. */
psh_status memory_host_finish(memory_host *h, uint64_t *id);
/** Tables (partitions) that exist now; rows in all of them. */
size_t memory_host_table_count(const memory_host *h);
uint64_t memory_host_row_count(const memory_host *h);
/** Rows that went with dropped tables. */
uint64_t memory_host_dropped_rows(const memory_host *h);

#endif
