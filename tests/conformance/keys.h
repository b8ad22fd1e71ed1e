/* SPDX-License-Identifier: MIT */
/** @file keys.h  The tests of the key-value store, and the stage that they share with conformance.c. */
#ifndef TEST_CONFORMANCE_KEYS_H
#define TEST_CONFORMANCE_KEYS_H

#include "conformance.h"

#include "test.h"

typedef struct stage {
    const conformance_host *with;
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    void *host;
    psh_storage storage;
    psh_cdc cdc;
    psh_kv kv;
    psh_buffer *bytes;
    uint64_t fence;
} stage;

void conformance_keys_compare_and_set(void **state);
void conformance_removed_keys_begin_anew(void **state);
void conformance_keys_are_listed(void **state);
void conformance_keys_are_watched(void **state);

#endif
