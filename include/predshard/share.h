/* SPDX-License-Identifier: MIT */
/** @file predshard/share.h  One map for many processes, in the host's key-value store. */
#ifndef PREDSHARD_SHARE_H
#define PREDSHARD_SHARE_H

#include <predshard/host.h>
PSH_BEGIN_DECLS

/**
 * One process's end of a shared world. The world lies in the store as immutable blobs, each named by the SHA-256 of
 * its bytes; one root key names the blobs of the current epoch and is moved by compare-and-set alone. Worlds share
 * the blobs of what did not change. One process leads: its fence goes into every root and every action, and a root
 * or an action with an older fence is refused.
 *
 * Of the store it needs that compare_and_set is linearizable, and that a key never has one version twice, not even
 * after it was removed. Keys are PREFIX/root, PREFIX/lead and PREFIX/blob/HEX; nobody else may write them.
 *
 * Threads  Calls on one object must not overlap; a call from inside one of its callbacks is PSH_E_REENTRANT.
 */
typedef struct psh_share psh_share;

typedef struct psh_share_options {
    uint32_t struct_size;
    uint32_t flags;          /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    const char *prefix;      /**< of all keys, 1..64 of [a-z0-9._-]; default "predshard" */
    const char *owner;       /**< this process's name, no other's: 1..64 of the same; default "one" */
    int64_t lease_ns;        /**< a lead not renewed for so long may be taken; default 30 s */
    uint64_t max_blob_bytes; /**< of one blob, 4096..2^30; default 64 KiB. They have a sixteenth of it on average */
    uint64_t max_bytes;      /**< of a world as it is loaded; default 1 GiB */
    uint32_t max_retries;    /**< of a lost race, 1..1000; default 16 */
    uint32_t keep_epochs;    /**< 1..1024: whose blobs are not collected, the current one included; default 16 */
} psh_share_options;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_share_options_init(psh_share_options *o, uint32_t size);
/**
 * @param kv  copied; get and compare_and_set are required, collect needs list and remove
 * @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED, PSH_E_NOMEM. *out is the caller's, NULL on an error.
 */
PSH_API psh_status psh_share_create(
    psh_env *env, psh_schema *schema, const psh_kv *kv, const psh_share_options *o, psh_share **out,
    psh_error *err);
/** NULL is allowed. */
PSH_API void psh_share_destroy(psh_share *s);

/**
 * Becomes or stays the leader: takes a lead that is free, or whose lease ran out, or that stands under this
 * owner's name from before a restart, under the next fence; or renews its own lease. Call it well within
 * lease_ns. Clocks may differ between processes: they decide when a lead changes, the fence decides who may act.
 * @param fence  receives this process's fence, for psh_driver_set_fence and psh_tiers_place; NULL is allowed
 * @return PSH_OK, PSH_E_FENCED (another leads, err names it), PSH_E_CONFLICT (races lost too often), PSH_E_HOST,
 *         PSH_E_CORRUPT, PSH_E_NEWER, PSH_E_NOMEM.
 */
PSH_API psh_status psh_share_lead(psh_share *s, int64_t now, uint64_t *fence, psh_error *err);
/** Gives the lead up, so that another need not wait for the lease. PSH_OK as well when it is lost already. */
PSH_API psh_status psh_share_resign(psh_share *s, int64_t now, psh_error *err);
/**
 * Stores a world and makes it the current one. Its epoch must be above the shared one. Blobs that the shared world
 * names already are not stored again; blobs whose root was never moved are garbage, and harmless.
 * @return PSH_OK, also when an attempt before this one had moved the root and its answer was lost; PSH_E_FENCED
 *         (not, or no longer, the leader; or its lease ran out by `now`: lead again), PSH_E_CONFLICT (the shared
 *         epoch is as high: catch up, plan again; or races lost too often), PSH_E_INVALID (a world of another
 *         schema), PSH_E_LIMIT (max_blob_bytes: one item takes more), PSH_E_CORRUPT and PSH_E_NEWER (of the
 *         root), PSH_E_HOST, PSH_E_NOMEM. On an error the shared world is as it was; only after PSH_E_HOST, when
 *         the store did what it said it had not, may it be the new one.
 */
PSH_API psh_status psh_share_publish(psh_share *s, const psh_world *world, int64_t now, psh_error *err);
/**
 * The shared world if it is newer than what this process has seen. Reads only blobs that it does not hold already.
 * @param wait_ns  with a store that can watch, up to so long for the root to move; 0 = do not wait. A new leader
 *                 moves it too: PSH_END may come early.
 * @param out      the caller's reference, NULL unless PSH_OK
 * @return PSH_OK, PSH_END (nothing newer), PSH_E_NOT_FOUND (nothing was ever published), PSH_E_CORRUPT (a blob
 *         does not have the bytes that its name says, or is gone; the root went back to an older fence),
 *         PSH_E_NEWER, PSH_E_LIMIT (max_bytes), PSH_E_UNSUPPORTED (it is of another schema), PSH_E_CONFLICT (the
 *         root moved faster than its blobs could be read), PSH_E_HOST, PSH_E_NOMEM; on an error what was seen
 *         last stands.
 */
PSH_API psh_status psh_share_catch_up(psh_share *s, int64_t wait_ns, psh_world **out, psh_error *err);
/**
 * An epoch that is kept still: the shared one, or one of the keep_epochs - 1 before it. What this process has
 * caught up with stays as it is.
 * @param out  the caller's reference, NULL unless PSH_OK
 * @return PSH_OK, PSH_E_NOT_FOUND (not kept, or never published), and as psh_share_catch_up but for PSH_END.
 */
PSH_API psh_status psh_share_load_epoch(psh_share *s, uint64_t epoch, psh_world **out, psh_error *err);
/**
 * The epochs kept, newest first.
 * @param out    Shape [capacity]: receives the first ones; NULL is allowed with capacity 0
 * @param count  receives how many there are, also when that is more; 0 = nothing was ever published
 * @return PSH_OK, PSH_E_CORRUPT, PSH_E_NEWER, PSH_E_HOST, PSH_E_NOMEM.
 */
PSH_API psh_status psh_share_epochs(
    psh_share *s, uint64_t *out, size_t capacity, size_t *count, psh_error *err);

/** What root and lead say. */
typedef struct psh_share_state {
    uint32_t struct_size;
    uint32_t reserved;       /**< 0 */
    uint64_t epoch;          /**< shared now; 0 = nothing was ever published */
    int64_t time;            /**< of its world; PSH_TIME_NONE without one */
    uint64_t fence;          /**< of the root; 0 = there is none */
    uint64_t lead_fence;     /**< given to the last leader; 0 = nobody ever led */
    int64_t lease_end;       /**< on the leader's clock; PSH_TIME_NONE = nobody leads */
    char owner[72];          /**< who leads, NUL-terminated; empty = nobody */
} psh_share_state;
/**
 * Reads root and lead, for people and checks; leads nothing and changes nothing. Fills the first out->struct_size
 * bytes.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_CORRUPT, PSH_E_NEWER, PSH_E_HOST, PSH_E_NOMEM; on an error *out is as it
 *         was.
 */
PSH_API psh_status psh_share_read_state(psh_share *s, psh_share_state *out, psh_error *err);
/**
 * Whether a reader that works with `epoch` is too old: the root has moved on. Reads the root.
 * @param current  receives the shared epoch; NULL is allowed
 * @return PSH_OK (it is current), PSH_E_CONFLICT (older than the shared one), PSH_E_NOT_FOUND (nothing was ever
 *         published), PSH_E_CORRUPT, PSH_E_NEWER, PSH_E_HOST, PSH_E_NOMEM.
 */
PSH_API psh_status psh_share_check(psh_share *s, uint64_t epoch, uint64_t *current, psh_error *err);
/**
 * Whether an action with this fence may run: for hosts on other machines, before they act. Reads the root and the
 * lead.
 * @return PSH_OK, PSH_E_FENCED, PSH_E_CORRUPT, PSH_E_NEWER, PSH_E_HOST, PSH_E_NOMEM.
 */
PSH_API psh_status psh_share_check_fence(psh_share *s, uint64_t fence, psh_error *err);
/**
 * Removes blobs that none of the last keep_epochs epochs names. Needs kv.list and kv.remove. A blob of a
 * publication under way is never removed: names are listed before the roots are read, and the collector holds the
 * lead.
 * @param removed  receives how many, also on an error; NULL is allowed
 * @return PSH_OK, PSH_E_UNSUPPORTED, PSH_E_FENCED, PSH_E_CORRUPT and PSH_E_NEWER (the current manifest cannot be
 *         read: nothing is removed), PSH_E_HOST, PSH_E_NOMEM.
 */
PSH_API psh_status psh_share_collect(psh_share *s, int64_t now, uint64_t *removed, psh_error *err);

typedef struct psh_share_stats {
    uint32_t struct_size;
    uint32_t leads;          /**< 1: this process led at its last call */
    uint64_t epoch;          /**< last seen */
    uint64_t fence;          /**< of the last root or lead seen */
    uint64_t blobs_written;
    uint64_t blobs_reused;   /**< named anew without being written */
    uint64_t blobs_read;
    uint64_t bytes_written;  /**< of blobs, roots and leads */
    uint64_t bytes_read;     /**< of blobs, roots and leads */
    uint64_t races_lost;     /**< compare-and-set refused */
} psh_share_stats;
/** Fills the first out->struct_size bytes. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_share_get_stats(const psh_share *s, psh_share_stats *out);

PSH_END_DECLS
#endif
