/* SPDX-License-Identifier: MIT */
/** @file memory_keys.h  Inside the memory host: the key-value store. */
#ifndef MEMORY_KEYS_H
#define MEMORY_KEYS_H

#include "memory_blobs.h"

typedef struct memory_keys {
    memory_blobs blobs;
    uint64_t version;             /* the last one given to a key: none comes twice */
    int (*must_fail)(void *host); /* asked by each callback: 1 = fail now */
    void *host;
} memory_keys;

/** Fills the callback table. It stays valid as long as the keys. */
void memory_keys_table(memory_keys *k, psh_kv *kv);

#endif
