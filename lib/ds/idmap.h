/* SPDX-License-Identifier: MIT */
/** @file ds/idmap.h  From 64-bit ids to 32-bit indexes: open addressing, linear probing, no tombstones. */
#ifndef PSHI_DS_IDMAP_H
#define PSHI_DS_IDMAP_H

#include <predshard/base.h>

/** Zeroed is empty. Ids are not 0. */
typedef struct pshi_idmap {
    uint64_t *ids;
    uint32_t *index;
    size_t mask; /* slots - 1, where ids is not NULL */
    size_t count;
} pshi_idmap;

void pshi_idmap_free(psh_env *env, pshi_idmap *m);
/** @return the index or PSH_NONE. */
uint32_t pshi_idmap_find(const pshi_idmap *m, uint64_t id);
/** Sets or replaces. @return PSH_OK, PSH_E_NOMEM (unchanged). */
psh_status pshi_idmap_put(psh_env *env, pshi_idmap *m, uint64_t id, uint32_t index);
/** Room for n ids in all, so that puts up to there cannot fail. */
psh_status pshi_idmap_reserve(psh_env *env, pshi_idmap *m, size_t n);
/** Takes an id out, if it is there. */
void pshi_idmap_remove(pshi_idmap *m, uint64_t id);
void pshi_idmap_clear(pshi_idmap *m);

#endif
