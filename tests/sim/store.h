/* SPDX-License-Identifier: MIT */
/** @file store.h  A key-value store in memory that fails when it is told to. Versions never come twice. */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include <predshard.h>

#define SIM_KEYS 512

#define SIM_WELL 0u
#define SIM_REFUSED 1u /* the call fails, and nothing was done */
#define SIM_UNHEARD 2u /* it was done, but the caller is told that it failed */

typedef struct sim_entry {
    char key[200];
    void *data;
    size_t size;
    uint64_t version;
} sim_entry;

typedef struct sim_store {
    sim_entry entries[SIM_KEYS];
    size_t count;
    uint64_t versions;
    uint32_t (*fate)(void *user, int writes); /* asked at each call: SIM_* */
    void *user;
} sim_store;

/** Fills the table; the store must outlive it. */
void sim_store_kv(sim_store *s, psh_kv *kv);
void sim_store_free(sim_store *s);

#endif
