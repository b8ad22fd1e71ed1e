/* SPDX-License-Identifier: MIT */
/** @file ds/space_saving.h  The items that weigh most in a stream, in bounded memory, with an error each. */
#ifndef PSHI_DS_SPACE_SAVING_H
#define PSHI_DS_SPACE_SAVING_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "ds/idmap.h"

/** The true weight lies in [count - error, count]. */
typedef struct pshi_heavy {
    uint64_t id;
    double count;
    double error;
    double seen; /* what `count` was when its place in the heap was set: the heap is put in order only when asked */
} pshi_heavy;

/**
 * Space-Saving (Metwally, Agrawal & El Abbadi 2005, "Efficient computation of frequent and top-k elements in data
 * streams"), weighted: an item not held takes the place of the lightest and inherits its count as error, so that no
 * error exceeds total / cap, and every item heavier than that is held. Which is the lightest is decided by (count,
 * id), never by the way there. A slot is stable while its item is held. Zeroed is empty and holds nothing.
 */
typedef struct pshi_space_saving {
    pshi_idmap map;
    pshi_heavy *list; /* Shape [cap] */
    uint32_t *heap;   /* Shape [cap]: slots, least (seen, id) first */
    uint32_t count;
    uint32_t cap;
    double total;     /* of all weights ever added */
} pshi_space_saving;

/** Room for `cap` >= 1 items: what follows allocates nothing. @return PSH_OK, PSH_E_NOMEM (left empty). */
psh_status pshi_space_saving_init(psh_env *env, pshi_space_saving *s, uint32_t cap);
void pshi_space_saving_free(psh_env *env, pshi_space_saving *s);
/**
 * Adds a weight > 0 to an id that is not 0. O(1) if held, else amortised O(log cap).
 * @param fresh  1 if the slot's item is new in it: a payload beside it must begin anew
 * @return the slot.
 */
uint32_t pshi_space_saving_add(pshi_space_saving *s, uint64_t id, double weight, int *fresh);
/** Adds a weight > 0 to the item of a slot. */
static inline void pshi_space_saving_hit(pshi_space_saving *s, uint32_t slot, double weight) {
    s->list[slot].count += weight;
    s->total += weight;
}
/** @return the slot of an id or PSH_NONE. */
uint32_t pshi_space_saving_find(const pshi_space_saving *s, uint64_t id);
/** @return the most that an item not held can weigh: the least count if all slots are taken, else 0. */
double pshi_space_saving_missed(const pshi_space_saving *s);
/**
 * Adds what another saw (Agarwal et al. 2012, "Mergeable summaries"): errors stay below the sum of totals / cap
 * when both have one cap. Slots change. @return PSH_OK, PSH_E_NOMEM (unchanged).
 */
psh_status pshi_space_saving_merge(psh_env *env, pshi_space_saving *s, const pshi_space_saving *from);
/** Multiplies all weights by factor in (0, 1]. */
void pshi_space_saving_scale(pshi_space_saving *s, double factor);
/** Bytes of its memory. */
uint64_t pshi_space_saving_bytes(const pshi_space_saving *s);
/** Items in slot order. */
void pshi_space_saving_put(pshi_writer *w, const pshi_space_saving *s);
/** Into an empty one that has its cap. @return PSH_OK, PSH_E_CORRUPT. */
psh_status pshi_space_saving_get(pshi_cursor *c, pshi_space_saving *s);

#endif
