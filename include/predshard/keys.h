/* SPDX-License-Identifier: MIT */
/** @file predshard/keys.h  The distribution of keys: quantiles, shares, cuts of equal mass. */
#ifndef PREDSHARD_KEYS_H
#define PREDSHARD_KEYS_H

#include <predshard/base.h>
PSH_BEGIN_DECLS

/**
 * A weighted distribution of byte-string keys, ordered by memcmp (psh_key_append makes such keys), in bounded
 * memory: about 3 k keys of max_key_bytes at most.
 *
 * Threads  Calls on one sketch must not overlap, also those that are const.
 * Repeat   Same seed, same calls, same bytes.
 * Source   Karnin, Lang & Liberty 2016, "Optimal quantile approximation in streams".
 */
typedef struct psh_key_sketch psh_key_sketch;

/** No padding; new fields go last, and 0 in them means the default. */
typedef struct psh_key_sketch_options {
    uint32_t struct_size;
    uint32_t k;             /**< 8..4096; default 256. Error of a share at most 10 / k, with probability 0.99 */
    uint32_t max_key_bytes; /**< of a key, 1..1024, the rest is cut off; default 64 */
    uint32_t flags;         /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    uint64_t seed;
    int64_t half_life_ns;   /**< after which a key weighs half; 0 = never, else > 0 */
    double error;           /**< in place of k where k is 0: 10 / k, 0.0025..1; 0 = by k */
} psh_key_sketch_options;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_key_sketch_options_init(psh_key_sketch_options *o, uint32_t size);
/** @param o  Copied; NULL means defaults. @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED, PSH_E_NOMEM. */
PSH_API psh_status psh_key_sketch_create(
    psh_env *env, const psh_key_sketch_options *o, psh_key_sketch **out, psh_error *err);
/** NULL is allowed. */
PSH_API void psh_key_sketch_destroy(psh_key_sketch *s);
/**
 * One key. Amortised O(log k).
 * @param size    bytes of the key; 0 is the empty key, least of all
 * @param weight  2^-100..2^100, e.g. its bytes or its requests
 * @param time    when; earlier than the latest is allowed and weighs less; ignored without a half-life
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (unchanged).
 */
PSH_API psh_status psh_key_sketch_observe(
    psh_key_sketch *s, const void *key, size_t size, double weight, int64_t time);
/** Adds what another holds, decayed to the later of their times. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_key_sketch_merge(psh_key_sketch *s, const psh_key_sketch *from);
/** Lets weights decay to `now` if that is later than all times so far. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_key_sketch_decay(psh_key_sketch *s, int64_t now);
/** Sum of weights, decayed. */
PSH_API double psh_key_sketch_weight(const psh_key_sketch *s);
/** How far a share may be off, with probability 0.99, for a key chosen in advance; 1 if empty. */
PSH_API double psh_key_sketch_error(const psh_key_sketch *s);
/**
 * The key where the share p of the weight is reached.
 * @param out  borrowed until the next call on s. @return PSH_OK, PSH_E_INVALID (p outside 0..1), PSH_E_NOT_FOUND.
 */
PSH_API psh_status psh_key_sketch_quantile(const psh_key_sketch *s, double p, psh_bytes *out);
/** @return the share of the weight at or below a key, 0..1; 0 if empty. */
PSH_API double psh_key_sketch_rank(const psh_key_sketch *s, const void *key, size_t size);
/**
 * The n - 1 keys that cut the weight into n parts as equal as they can be, ascending and distinct: where one key
 * holds more than a part, there are fewer.
 * @param n    parts, 1..65536
 * @param cut  called for each cut: keys at or above it belong to the next part; borrowed during the call
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOT_FOUND (empty).
 */
PSH_API psh_status psh_key_sketch_split(
    const psh_key_sketch *s, uint32_t n, void (*cut)(void *user, psh_bytes key, double share_below), void *user);
/**
 * How far two distributions are apart: the largest difference of their shares at or below any key (the
 * Kolmogorov-Smirnov distance). 0 same, 1 if disjoint or one of them is empty.
 */
PSH_API double psh_key_sketch_distance(const psh_key_sketch *a, const psh_key_sketch *b);
/** @return bytes that it takes. */
PSH_API size_t psh_key_sketch_bytes(const psh_key_sketch *s);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_key_sketch_save(const psh_key_sketch *s, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_key_sketch_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_key_sketch **out, psh_error *err);
/** Appends text: weight, error, nine quantiles in hex. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_key_sketch_dump(const psh_key_sketch *s, psh_buffer *out);

PSH_END_DECLS
#endif
