/* SPDX-License-Identifier: MIT */
/** @file predshard/hashing.h  Consistent hashing: keys and shards to nodes, with weights and bounded load. */
#ifndef PREDSHARD_HASHING_H
#define PREDSHARD_HASHING_H

#include <predshard/base.h>
PSH_BEGIN_DECLS

/** SipHash-2-4 of a key's bytes under a fixed key: the same on all machines, for good (doc/format.md). */
PSH_API uint64_t psh_key_hash(const void *data, size_t size);

/**
 * From a key's hash to a node. Any node may be removed and come back; only keys of the node that goes, or that the
 * node that comes wins, change their node: the theoretical minimum. A node of weight w gets w of the sum of
 * weights. What goes and what comes in one change trade places; nodes that come back together after nothing else
 * changed get the keys that they had. The order of the changes matters, not that of the nodes in one: who shares a
 * hash shares its bytes.
 *
 * Immutable, shared by count: a change makes a new value. Threads  any, all calls.
 * Source   Mendelson, Vargaftik, Barabash, Lorenz, Keslassy & Orda 2021, "AnchorHash: a scalable consistent hash".
 */
typedef struct psh_hashing psh_hashing;

/** A node and its weight. */
typedef struct psh_hash_node {
    uint32_t node;   /**< any id but PSH_NONE */
    uint32_t weight; /**< 1..65535 */
} psh_hash_node;

/**
 * @param capacity  the most weight there will ever be at once, sum over nodes, 1..2^27; 0 = twice what the nodes
 *                  have. It costs no memory, and a lookup about ln(capacity / weight) probes more
 * @param nodes     Shape [n], n >= 1, distinct
 * @return PSH_OK, PSH_E_INVALID, PSH_E_LIMIT (capacity), PSH_E_NOMEM. *out is the caller's, NULL on an error.
 */
PSH_API psh_status psh_hashing_create(
    psh_env *env, uint64_t seed, uint32_t capacity, const psh_hash_node *nodes, size_t n, psh_hashing **out,
    psh_error *err);
/** Takes one reference more. @return its argument. */
PSH_API psh_hashing *psh_hashing_ref(psh_hashing *h);
/** Drops one reference; NULL is allowed. */
PSH_API void psh_hashing_unref(psh_hashing *h);
/**
 * The same with other weights: 0 removes a node, a node that is not there is added.
 * @param changes  Shape [n]; weight 0..65535
 * @return PSH_OK, PSH_E_INVALID, PSH_E_LIMIT (capacity), PSH_E_STATE (no node would be left), PSH_E_NOMEM.
 */
PSH_API psh_status psh_hashing_change(
    const psh_hashing *h, const psh_hash_node *changes, size_t n, psh_hashing **out, psh_error *err);
/** The node of a key, whose hash is mixed again. No allocation; 1 + ln(capacity / weight) probes expected. */
PSH_API uint32_t psh_hashing_find(const psh_hashing *h, uint64_t key_hash);
/** The nodes of n keys. @param nodes  Shape [n], written */
PSH_API void psh_hashing_find_many(const psh_hashing *h, const uint64_t *key_hashes, size_t n, uint32_t *nodes);
/** @return nodes. */
PSH_API size_t psh_hashing_count(const psh_hashing *h);
/** By node. @return PSH_OK, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_hashing_node(const psh_hashing *h, size_t i, psh_hash_node *out);
/**
 * @return bytes that it takes: 2 bits a bucket that ever worked, 8 bytes one of them that was removed, and 4 bytes
 * a bucket and 4 to 6 a node unless nodes are numbered in a row and weigh 1.
 */
PSH_API size_t psh_hashing_bytes(const psh_hashing *h);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_hashing_save(const psh_hashing *h, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_hashing_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_hashing **out, psh_error *err);
/** Appends text. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_hashing_dump(const psh_hashing *h, psh_buffer *out);

/**
 * Shards 0..n-1 on nodes, each node at most (1 + slack) of its weighted share of the shards' load, and as few moves
 * as that allows when nodes come, go or change their weight, or shards their load. A node that comes, or whose
 * share rises, is filled up to its share from the fullest others. Where shards are too large to fit, the imbalance
 * says so.
 *
 * Threads  Calls on one object must not overlap.
 * Source   the bound of Mirrokni, Thorup & Zadimoghaddam 2018, "Consistent hashing with bounded loads", but with a
 *          memory: what was placed stays where it is unless its node is over the bound. What must be placed goes
 *          largest first to the node that lacks most (Graham 1969, "Bounds on multiprocessing timing anomalies").
 */
typedef struct psh_shards psh_shards;

typedef struct psh_shards_options {
    uint32_t struct_size;
    uint32_t flags;      /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    uint32_t shards;     /**< 1..2^24; default 4096 */
    uint32_t reserved;   /**< 0 */
    uint64_t seed;
    double slack;        /**< above 0, at most 1e6; default 0.05 */
} psh_shards_options;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_shards_options_init(psh_shards_options *o, uint32_t size);
/** Every shard has load 1 and no node. @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED, PSH_E_NOMEM. */
PSH_API psh_status psh_shards_create(psh_env *env, const psh_shards_options *o, psh_shards **out, psh_error *err);
/** NULL is allowed. */
PSH_API void psh_shards_destroy(psh_shards *s);
/**
 * Sets weights (0 removes a node) and places shards anew where that asks for it.
 * @param moves  shards that had a node and have another now; NULL is allowed
 * @return PSH_OK, PSH_E_INVALID, PSH_E_LIMIT (more than 2^20 nodes), PSH_E_STATE (no node left), PSH_E_NOMEM;
 *         on an error nothing was changed.
 */
PSH_API psh_status psh_shards_set_nodes(
    psh_shards *s, const psh_hash_node *changes, size_t n, uint64_t *moves, psh_error *err);
/**
 * Sets loads of some shards, 0..1e290, and moves shards away from nodes that are over their bound.
 * @param shards, loads  Shape [n]
 */
PSH_API psh_status psh_shards_set_loads(
    psh_shards *s, const uint32_t *shards, const double *loads, size_t n, uint64_t *moves, psh_error *err);
/** @return the node of a shard; PSH_NONE before any node, or past the end. */
PSH_API uint32_t psh_shards_node(const psh_shards *s, uint32_t shard);
/** The shard of a key. */
PSH_API uint32_t psh_shards_shard(const psh_shards *s, uint64_t key_hash);
/** @return the load of the fullest node over its weighted share: 1 = even, or no load or node. */
PSH_API double psh_shards_imbalance(const psh_shards *s);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_shards_save(const psh_shards *s, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_shards_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_shards **out, psh_error *err);

PSH_END_DECLS
#endif
