/* SPDX-License-Identifier: MIT */
/** @file ds/kll.h  A weighted distribution of byte-string keys in bounded memory. */
#ifndef PSHI_DS_KLL_H
#define PSHI_DS_KLL_H

#include "base/buffer.h"
#include "base/cursor.h"

#define PSHI_KLL_LEVELS 61u
#define PSHI_KLL_LEAST_K 8u
#define PSHI_KLL_MOST_K 4096u
#define PSHI_KLL_MOST_KEY 1024u
#define PSHI_KLL_MOST_WEIGHT 0x1p100 /* of one key; least is its inverse */

/**
 * KLL (Karnin, Lang & Liberty 2016, "Optimal quantile approximation in streams"): a level's key weighs twice that
 * of the level below; a full level is sorted and every other key, by a coin, goes up. Level sizes shrink by 2/3
 * downwards from k at the top. Weighted keys enter at the levels of their weight's leading 8 bits (weighted
 * streams: Ivkin et al. 2019, "Streaming quantiles algorithms with small space and update time"), which rounds by at
 * most 1/512. Keys order by memcmp, a prefix first; only the first key_max bytes are kept. What the coins can
 * have done is added up in `variance`, so that an error is known afterwards, by Hoeffding's inequality, not only in
 * advance. Deterministic by its seed.
 */
typedef struct pshi_kll {
    uint32_t k;
    uint32_t key_max;     /* bytes of a key that count */
    uint32_t stride;      /* bytes of a slot: the longest key so far */
    uint32_t cap;         /* slots there are */
    uint32_t used;        /* slots ever used; freed ones are in a list */
    uint32_t spare;       /* first of that list, or PSH_NONE */
    uint32_t count;       /* keys held */
    uint32_t top;         /* levels in use */
    uint32_t head[PSHI_KLL_LEVELS]; /* first slot of each level, or PSH_NONE */
    uint32_t held[PSHI_KLL_LEVELS];
    uint32_t *next;       /* Shape [cap] */
    uint16_t *size;       /* Shape [cap]: of keys */
    unsigned char *bytes; /* Shape [cap][stride] */
    void *scratch;        /* for sorting one level or all */
    double unit;          /* weight of a key of level 0 */
    double total;         /* weights added, decayed */
    double variance;      /* sum of squared weights that coins decided on */
    uint64_t rng;
} pshi_kll;

/** A key of a sorted sketch. */
typedef struct pshi_kll_item {
    const unsigned char *key;
    uint32_t size;
    uint32_t slot;
    double weight;
} pshi_kll_item;

/** k and key_max within the limits above. Allocates nothing: adding does. */
void pshi_kll_init(pshi_kll *s, uint32_t k, uint32_t key_max, uint64_t seed);
void pshi_kll_free(psh_env *env, pshi_kll *s);
/** Forgets all keys, keeps memory and coins. */
void pshi_kll_clear(pshi_kll *s);
/** k whose error bound (below) stays under `error` for keys of one weight: 10 / error, within the limits. */
uint32_t pshi_kll_k_for(double error);
/** One key of any size; weight within the limit above. @return PSH_OK, PSH_E_NOMEM (unchanged). */
psh_status pshi_kll_add(psh_env *env, pshi_kll *s, const void *key, size_t size, double weight);
/** Memory for one key of that size: the next addition of it cannot fail. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_kll_reserve(psh_env *env, pshi_kll *s, size_t size);
/** A number as its 8 bytes, big-endian: bytes order as numbers do. */
psh_status pshi_kll_add_u64(psh_env *env, pshi_kll *s, uint64_t key, double weight);
/** Multiplies all weights by factor in (0, 1]. */
void pshi_kll_decay(pshi_kll *s, double factor);
/** Adds what another holds, times factor in (0, 1]. @return PSH_OK, PSH_E_NOMEM (unchanged). */
psh_status pshi_kll_merge(psh_env *env, pshi_kll *s, const pshi_kll *from, double factor);
/** Sum of the weights of the keys held: near `total`. */
double pshi_kll_mass(const pshi_kll *s);
/** Share of the mass at or below a key; 0 if empty. */
double pshi_kll_rank(const pshi_kll *s, const void *key, size_t size);
/**
 * With probability 0.99 the rank of a key chosen in advance is this near its true share: sqrt(2 ln 200 variance) /
 * mass + 1/512. At most 1.
 */
double pshi_kll_error(const pshi_kll *s);
/** All keys in order, in memory that the sketch owns until its next call that is not const. @return count. */
size_t pshi_kll_sorted(const pshi_kll *s, const pshi_kll_item **out);
/** The key where the share p in [0, 1] of the mass is reached; NULL if empty. Of sorted items. */
const pshi_kll_item *pshi_kll_quantile(const pshi_kll_item *items, size_t n, double p);
/** Largest difference of two distributions' shares at or below any key (Kolmogorov-Smirnov); 1 if one is empty. */
double pshi_kll_distance(const pshi_kll *a, const pshi_kll *b);
uint64_t pshi_kll_bytes(const pshi_kll *s);
void pshi_kll_put(pshi_writer *w, const pshi_kll *s);
/** Into one that was initialised; k and key_max come with the bytes. @return PSH_OK, PSH_E_CORRUPT, PSH_E_NOMEM. */
psh_status pshi_kll_get(psh_env *env, pshi_cursor *c, pshi_kll *s);

#endif
