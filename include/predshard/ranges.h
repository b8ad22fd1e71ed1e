/* SPDX-License-Identifier: MIT */
/** @file predshard/ranges.h  A range map: where each range of keys begins, and who owns it; wait-free readers. */
#ifndef PREDSHARD_RANGES_H
#define PREDSHARD_RANGES_H

#include <predshard/base.h>
PSH_BEGIN_DECLS

/**
 * Keys from one boundary up to the next have one owner. The first boundary is the least key (0, or the empty
 * string), so that every key has an owner; PSH_NONE as owner marks a range that nobody owns.
 *
 * Each change publishes a new immutable epoch, which shares all but O(log n) of its pages with the one before.
 *
 * Threads  One writer; readers, each through a psh_ranges_reader of its own, wait-free.
 */
typedef struct psh_ranges psh_ranges;

#define PSH_RANGES_U64 1   /**< keys are 64-bit numbers */
#define PSH_RANGES_BYTES 2 /**< keys are byte strings, ordered by memcmp, a prefix before what it begins */

typedef struct psh_ranges_options {
    uint32_t struct_size;
    uint32_t flags;         /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    uint32_t kind;          /**< PSH_RANGES_*; default PSH_RANGES_U64 */
    uint32_t max_key_bytes; /**< of a byte key, 1..4096; default 1024 */
    uint32_t max_readers;   /**< 1..4096; default 64 */
    uint32_t first_owner;   /**< of all keys in the first epoch; default PSH_NONE */
    uint64_t max_ranges;    /**< 1..2^32 - 2; default 2^24 */
} psh_ranges_options;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_ranges_options_init(psh_ranges_options *o, uint32_t size);
/** Epoch 1 is one range. @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED, PSH_E_NOMEM. *out is the caller's. */
PSH_API psh_status psh_ranges_create(psh_env *env, const psh_ranges_options *o, psh_ranges **out, psh_error *err);
/** No reader may be left. NULL is allowed. */
PSH_API void psh_ranges_destroy(psh_ranges *r);

#define PSH_RANGE_SET 1    /**< a range begins at the key and has this owner: a split, or another owner */
#define PSH_RANGE_REMOVE 2 /**< the boundary at the key goes: the range before it goes on to the next boundary */

/** One change. No padding. */
typedef struct psh_range_edit {
    uint32_t op;         /**< PSH_RANGE_* */
    uint32_t owner;      /**< SET: else ignored */
    uint64_t key;        /**< PSH_RANGES_U64: else ignored */
    const void *data;    /**< PSH_RANGES_BYTES: else ignored; Shape [size] */
    uint64_t size;
} psh_range_edit;

/**
 * Makes all the changes, in order, and publishes one epoch.
 * @param edits  Shape [n]; stride = sizeof(psh_range_edit)
 * @return PSH_OK; PSH_E_NOT_FOUND (REMOVE of what is no boundary), PSH_E_STATE (REMOVE of the first),
 *         PSH_E_LIMIT (max_ranges, max_key_bytes), PSH_E_INVALID, PSH_E_NOMEM: nothing was changed or published.
 */
PSH_API psh_status psh_ranges_apply(
    psh_ranges *r, const psh_range_edit *edits, size_t n, size_t stride, psh_error *err);
/**
 * Replaces everything by n ranges of 64-bit keys, and publishes one epoch.
 * @param keys    Shape [n], strictly ascending, the first 0
 * @param owners  Shape [n]
 * @return PSH_OK, PSH_E_INVALID (order, kind), PSH_E_LIMIT, PSH_E_NOMEM; on an error nothing was changed.
 */
PSH_API psh_status psh_ranges_build_u64(
    psh_ranges *r, const uint64_t *keys, const uint32_t *owners, size_t n, psh_error *err);
/** The same for byte keys, the first of size 0. */
PSH_API psh_status psh_ranges_build_bytes(
    psh_ranges *r, const psh_bytes *keys, const uint32_t *owners, size_t n, psh_error *err);

/** One immutable state of the map. Borrowed: valid while pinned, for the writer until the next change. */
typedef struct psh_ranges_epoch psh_ranges_epoch;
/** A reader's slot. Used by one thread at a time, any thread. */
typedef struct psh_ranges_reader psh_ranges_reader;

/** For the writer's own use. */
PSH_API const psh_ranges_epoch *psh_ranges_current(const psh_ranges *r);
/** @return PSH_OK, PSH_E_LIMIT (no slot free), PSH_E_NOMEM. Threads  any. */
PSH_API psh_status psh_ranges_reader_create(psh_ranges *r, psh_ranges_reader **out);
/** Must not be pinned. NULL is allowed. */
PSH_API void psh_ranges_reader_destroy(psh_ranges_reader *x);
/** Wait-free. Pins may not nest. */
PSH_API const psh_ranges_epoch *psh_ranges_pin(psh_ranges_reader *x);
/** Wait-free. */
PSH_API void psh_ranges_unpin(psh_ranges_reader *x);
/**
 * While pinned: lets go of the pinned epoch, takes the current one. Costs one read of shared memory while nothing
 * was published, so that a loop that calls it for each lookup pays next to nothing. Wait-free.
 */
PSH_API const psh_ranges_epoch *psh_ranges_refresh(psh_ranges_reader *x);

/** @return its number, 1 for the first. */
PSH_API uint64_t psh_ranges_number(const psh_ranges_epoch *e);
/** @return ranges. */
PSH_API uint64_t psh_ranges_count(const psh_ranges_epoch *e);
/** The owner of a key. O(log n), no allocation. */
PSH_API uint32_t psh_ranges_find_u64(const psh_ranges_epoch *e, uint64_t key);
/** The owners of n keys, many lookups in flight at once. @param owners  Shape [n], written */
PSH_API void psh_ranges_find_many_u64(const psh_ranges_epoch *e, const uint64_t *keys, size_t n, uint32_t *owners);
/** The owner of a byte key. */
PSH_API uint32_t psh_ranges_find_bytes(const psh_ranges_epoch *e, const void *data, size_t size);
/** The owners of n byte keys. */
PSH_API void psh_ranges_find_many_bytes(
    const psh_ranges_epoch *e, const psh_bytes *keys, size_t n, uint32_t *owners);

/** One range: keys at or above `first`, below `end`. */
typedef struct psh_range {
    uint64_t first;        /**< PSH_RANGES_U64 */
    uint64_t last;         /**< PSH_RANGES_U64: the last key within */
    psh_bytes first_key;   /**< PSH_RANGES_BYTES; borrowed from the epoch, or from the walk during its callback */
    psh_bytes end_key;     /**< PSH_RANGES_BYTES: not within; ignored where is_last */
    uint32_t owner;
    uint32_t is_last;      /**< 1: no range follows */
} psh_range;

/** Takes one range of a walk. @return PSH_OK to go on; anything else ends the walk and is its result. */
typedef psh_status (*psh_range_visitor)(void *user, const psh_range *range);
/**
 * The ranges that hold keys of from..last, both within, ascending. @return PSH_OK, what the visitor ended it with,
 * PSH_E_INVALID (from > last, or the other kind of keys).
 */
PSH_API psh_status psh_ranges_walk_u64(
    const psh_ranges_epoch *e, uint64_t from, uint64_t last, psh_range_visitor visit, void *user);
/** The ranges that hold keys of [from, to); to = NULL means without end. */
PSH_API psh_status psh_ranges_walk_bytes(
    const psh_ranges_epoch *e, const psh_bytes *from, const psh_bytes *to, psh_range_visitor visit, void *user);

typedef struct psh_ranges_stats {
    uint32_t struct_size;
    uint32_t readers;       /**< registered */
    uint64_t number;        /**< current epoch */
    uint64_t oldest_pinned; /**< the oldest epoch that a reader holds; the current one when none is */
    uint64_t retired;       /**< epochs whose pages wait for readers */
    uint64_t ranges;
    uint64_t bytes;         /**< taken in all, what waits for readers among them */
    uint64_t bytes_waiting; /**< of pages that wait for readers */
} psh_ranges_stats;
/** Frees first what no reader holds any more. Threads  the writer. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_ranges_get_stats(psh_ranges *r, psh_ranges_stats *out);

/** Takes one difference of two epochs: kind of change and the range as it is (removed: was). */
typedef psh_status (*psh_range_diff)(void *user, uint32_t op, const psh_range *range);
/**
 * What was set and removed from `before` to `after`, ascending by key; shared pages are skipped unread, so that it
 * costs O(changes x log n). @return as psh_ranges_walk_u64.
 */
PSH_API psh_status psh_ranges_diff(
    const psh_ranges_epoch *before, const psh_ranges_epoch *after, psh_range_diff each, void *user);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_ranges_save(const psh_ranges_epoch *e, psh_buffer *out);
/** Replaces everything by what was saved and publishes one epoch. Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_ranges_load(
    psh_ranges *r, const void *data, size_t size, size_t max_bytes, psh_error *err);
/** Appends text: one range a line. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_ranges_dump(const psh_ranges_epoch *e, psh_buffer *out);

PSH_END_DECLS
#endif
