/* SPDX-License-Identifier: MIT */
/** @file ds/root.h  A pointer that one writer replaces while readers hold what it pointed to. */
#ifndef PSHI_DS_ROOT_H
#define PSHI_DS_ROOT_H

#include <predshard/base.h>

/**
 * One writer publishes values; each reader pins the current one through a slot of its own. What was replaced
 * is released when no slot can still hold it. Epoch-based reclamation (Fraser 2004, "Practical lock-freedom",
 * section 5.2.3); slots as in LMDB.
 * Threads  Publish, current, oldest and destroy: the writer. The rest: any, one user of a slot at a time.
 */
typedef struct pshi_root pshi_root;

/** @param release  called by the writer for each value that no reader holds any more */
psh_status pshi_root_create(psh_env *env, uint32_t slots, void (*release)(void *value), pshi_root **out);
/** The same, with something of the owner's handed to each release. */
psh_status pshi_root_create_with(
    psh_env *env, uint32_t slots, void (*release)(void *user, void *value), void *user, pshi_root **out);
/** Releases all. No slot may be taken. NULL is allowed. */
void pshi_root_destroy(pshi_root *r);
/** Makes value current, under a number that pshi_root_oldest tells. @return PSH_OK, PSH_E_NOMEM (unchanged). */
psh_status pshi_root_publish(pshi_root *r, void *value, uint64_t number);
/** Releases what no reader holds any more. */
void pshi_root_reclaim(pshi_root *r);
/** The writer's view of the current value; NULL before the first. */
void *pshi_root_current(const pshi_root *r);
/** @return the current number; 0 before the first. */
uint64_t pshi_root_number(const pshi_root *r);
/** @return the number of the oldest value that is not released; 0 before the first. */
uint64_t pshi_root_oldest(const pshi_root *r);
/** @return how many replaced values wait for readers. */
uint64_t pshi_root_retired(const pshi_root *r);

/** @return PSH_OK, PSH_E_LIMIT (all taken). */
psh_status pshi_root_take(pshi_root *r, uint32_t *slot);
void pshi_root_give_back(pshi_root *r, uint32_t slot);
/** @return how many slots are taken. */
uint32_t pshi_root_taken(const pshi_root *r);
/** Wait-free. The value stays whole until unpin. @return NULL before the first; then nothing is pinned. */
void *pshi_root_pin(pshi_root *r, uint32_t slot);
/**
 * While pinned: lets go of the value and takes the current one. While nothing was published since this slot last
 * announced, that is a load of the clock and no store. Wait-free. @return as pin.
 */
void *pshi_root_refresh(pshi_root *r, uint32_t slot);
/** Wait-free. */
void pshi_root_unpin(pshi_root *r, uint32_t slot);

#endif
