/* SPDX-License-Identifier: MIT */
/** @file conformance.h  What any host has to do, as one test that runs against each. */
#ifndef TEST_CONFORMANCE_H
#define TEST_CONFORMANCE_H

#include <predshard.h>

/** How the test drives a host. All are required. */
typedef struct conformance_host {
    const char *name;
    void *(*open)(psh_schema *schema); /* fresh and empty */
    void (*tables)(void *host, psh_storage *storage, psh_cdc *cdc, psh_kv *kv);
    psh_status (*begin)(void *host, int64_t commit_time);
    psh_status (*insert)(void *host, const psh_partition *partition, const psh_value *row);
    psh_status (*commit)(void *host, uint64_t *position);
    psh_status (*run_leg)(void *host, const psh_query *query, const psh_leg *leg, psh_answer *out);
    void (*close)(void *host);
    /** Updates the row with this row's key, or removes it, in the partition that owns it. Inside a commit. */
    psh_status (*change)(void *host, const psh_partition *owner, const psh_value *row, int remove);
    void (*set_worlds)(void *host, psh_worlds *worlds);
    /** Something inside the nth time from now (0 = next) that it can go wrong fails, once; n < 0: nothing does. */
    void (*arm)(void *host, int64_t n);
    /** @return 1 once it did since it was armed. */
    int (*fired)(void *host);
    /** Closes it and opens it again on what it stored; then asks for its tables again. NULL = it stores nothing. */
    void (*reopen)(void *host, psh_schema *schema);
} conformance_host;

/** @return the number of tests that failed. */
int conformance_run(const conformance_host *host);
/** Splits, merges and copies. @return the number of tests that failed. */
int conformance_moves_run(const conformance_host *host);

#endif
