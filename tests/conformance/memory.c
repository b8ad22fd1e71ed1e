/* SPDX-License-Identifier: MIT */
/* The memory host keeps the contract. */
#include "conformance.h"
#include "memory_host.h"

static void *open_host(psh_schema *schema) {
    return memory_host_create(schema);
}

static void host_tables(void *host, psh_storage *storage, psh_cdc *cdc, psh_kv *kv) {
    memory_host_tables(host, storage, cdc, kv);
}

static psh_status begin_commit(void *host, int64_t commit_time) {
    return memory_host_begin(host, commit_time);
}

static psh_status insert_row(void *host, const psh_partition *partition, const psh_value *row) {
    return memory_host_insert(host, partition->id, partition->table, row);
}

static psh_status end_commit(void *host, uint64_t *position) {
    return memory_host_commit(host, position);
}

static psh_status run_leg(void *host, const psh_query *query, const psh_leg *leg, psh_answer *out) {
    return memory_host_run_leg(host, query, leg, out);
}

static void close_host(void *host) {
    memory_host_destroy(host);
}

static psh_status change_row(void *host, const psh_partition *owner, const psh_value *row, int remove) {
    return remove ? memory_host_remove(host, owner->table, row) : memory_host_update(host, owner->table, row);
}

static void set_worlds(void *host, psh_worlds *worlds) {
    memory_host_set_worlds(host, worlds);
}

/* A callback is refused. */
static void arm_host(void *host, int64_t n) {
    memory_host_fail(host, n, 0);
}

static int has_fired(void *host) {
    return memory_host_failed(host);
}

int main(void) {
    static const conformance_host memory = { "memory", open_host, host_tables, begin_commit, insert_row,
                                             end_commit, run_leg, close_host, change_row, set_worlds, arm_host,
                                             has_fired, NULL };

    return conformance_run(&memory) + conformance_moves_run(&memory);
}
