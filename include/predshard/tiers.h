/* SPDX-License-Identifier: MIT */
/** @file predshard/tiers.h  The tier allocator: one ledger of capacity, placement, retention. */
#ifndef PREDSHARD_TIERS_H
#define PREDSHARD_TIERS_H

#include <predshard/plan.h>
#include <predshard/world.h>
PSH_BEGIN_DECLS

/**
 * Owns capacity. Each account (node, tier) holds planned, reserved and used bytes, and
 * planned + reserved + used <= capacity at all times; what leaves is counted as released.
 *
 * Threads  Calls on one object must not overlap.
 */
typedef struct psh_tiers psh_tiers;

/** Age rules of one table; 0 = never. Ages count from the end of a partition's interval. */
typedef struct psh_retention {
    uint32_t table;
    uint32_t archive_tier;    /**< where archived partitions go */
    int64_t archive_after_ns; /**< < drop_after_ns where both are set */
    int64_t drop_after_ns;
} psh_retention;

typedef struct psh_tiers_options {
    uint32_t struct_size;
    uint32_t flags;                 /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    const psh_tier_info *tiers;     /**< Shape [tier_count], 1..4096: capacities, prices; bytes 0 */
    size_t tier_count;
    size_t tier_stride;             /**< sizeof(psh_tier_info) */
    const psh_retention *retention; /**< Shape [retention_count]; one a table at most */
    size_t retention_count;
    size_t retention_stride;        /**< sizeof(psh_retention) */
    uint64_t max_move_bytes;        /**< bytes that a plan's archives, splits, merges and copies move; 0 = no limit;
                                     *   never exceeded, so what is wanted in one larger step stays undone */
    uint32_t max_actions;           /**< actions a plan; 0 = 4096 */
    uint32_t view_tier;             /**< tier that holds views; default 0 */
    const uint32_t *standby;        /**< Shape [standby_count]: nodes that take nothing until they are added */
    size_t standby_count;           /**< 0..4096; each is a node of the tiers */
} psh_tiers_options;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_tiers_options_init(psh_tiers_options *o, uint32_t size);
/**
 * @param o  Copied deeply.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED, PSH_E_NOMEM. *out is the caller's, NULL on an error.
 */
PSH_API psh_status psh_tiers_create(psh_env *env, const psh_tiers_options *o, psh_tiers **out, psh_error *err);
/** NULL is allowed. */
PSH_API void psh_tiers_destroy(psh_tiers *t);
/**
 * Adds wants: archive and drop what its age asks for, oldest first. Pure.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM; on an error `out` is as it was.
 */
PSH_API psh_status psh_tiers_propose(
    psh_tiers *t, const psh_world *world, int64_t now, psh_wants *out, psh_error *err);
/**
 * Makes the plan: drops and new nodes first, then by deadline, benefit and id, releases of nodes last; each want
 * gets the cheapest account with room; what finds none, passes a budget, or has an action under way on its subject
 * is left out: the plan then counts fewer actions than there are wants, and psh_tiers_left_out tells why. A want's
 * node is a preference; its tier is too for creations and copies, which do not start in the tier their table
 * archives to, unless they ask for it; a copy also where nothing else has room. Pure: the ledger moves in begin.
 *
 * Room      A SPLIT, PROMOTE or DROP_REPLICA takes none. The first step of a REPLICATE reserves the whole copy on
 *           its node, where the owner is not, under psh_replica_id: what the owner holds in the ledger, or the
 *           world says it will. A MERGE takes room where its two partitions are in different accounts. A node that
 *           a want releases takes nothing; nor does a released one, unless the plan adds it again.
 * Steps     resources.bytes of a SPLIT, REPLICATE or MERGE are what this one action copies: max_move_bytes counts
 *           them, and a step that does not fit leaves those behind it to a later plan. Steps of one move differ in
 *           their generation, since ids do not tell them apart otherwise.
 * Order     Activate after create; archive after seal; drop after archive; building a view after the drops that
 *           make room for it; a split after the creation of its subject; a step after the one before it; promote
 *           after the last step of its copy; drop of a replica after the promotion that made it one; what is placed
 *           on a new node after its addition; the release of a node after all that takes something off it, and only
 *           when the ledger then has nothing there. Wants may come in any order. Other changes of one partition, or
 *           of the two that a split or merge is of, do not stand in one plan: the first is taken.
 * @param schema  names the partitions
 * @param world  NULL before the first epoch
 * @param fence  goes into each action
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM.
 */
PSH_API psh_status psh_tiers_place(
    psh_tiers *t, const psh_wants *wants, psh_schema *schema, const psh_world *world, int64_t now, uint64_t fence,
    psh_plan **out, psh_error *err);
/** Wants that the last place on this object left out, by cause. */
typedef struct psh_left_out {
    uint32_t struct_size;
    uint32_t no_room;   /**< no account had room, or the place of the subject is not known */
    uint32_t budget;    /**< max_actions or max_move_bytes was reached */
    uint32_t under_way; /**< an action on the subject has begun and not completed, or another stands in the plan */
    uint32_t waiting;   /**< what it depends on was left out */
    uint32_t repeated;  /**< the same action was wanted twice */
} psh_left_out;
/** Fills the first out->struct_size bytes. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_tiers_left_out(const psh_tiers *t, psh_left_out *out);
/**
 * An action starts: its bytes become planned; a move holds both places until it completes. Repeating it does
 * no harm. One at a time on a subject: a split or merge holds both partitions, a copy its owner too.
 * @return PSH_OK, PSH_E_CAPACITY (also: the node was released), PSH_E_INVALID (no such account), PSH_E_STATE
 *         (another action is under way on the subject; a copy to the owner's node; the promotion of half a copy;
 *         the release of a node that holds something), PSH_E_NOMEM.
 */
PSH_API psh_status psh_tiers_begin(psh_tiers *t, const psh_action *a);
/**
 * It ended: planned becomes reserved and stays set aside for the subject, or is given back on an error, drop
 * or move. What a sealed partition did not fill is given back, since its interval is over. A merge gives the
 * source's holding to its subject; a promotion swaps owner's and replica's; a partition that goes takes its
 * replicas along.
 */
PSH_API psh_status psh_tiers_complete(psh_tiers *t, const psh_action *a, psh_status status);
/**
 * A subject (partition or view) now fills this many bytes: reserved becomes used, beyond it used grows while
 * the account has room; the rest is its overflow until it shrinks, moves or is reported again. What shrinks is
 * given back. Ready replicas of a partition fill what it fills.
 * @return PSH_OK, PSH_E_NOT_FOUND.
 */
PSH_API psh_status psh_tiers_observe_usage(psh_tiers *t, uint64_t subject, uint64_t bytes);
/** Adds the accounts; a released node's have capacity 0. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_tiers_export(const psh_tiers *t, psh_world_draft *d);

typedef struct psh_account {
    uint32_t struct_size;
    uint32_t node;
    uint32_t tier;
    uint32_t subjects;       /**< holding bytes here */
    uint64_t capacity;
    uint64_t planned;
    uint64_t reserved;
    uint64_t used;
    uint64_t granted_total;  /**< bytes ever taken from free */
    uint64_t released_total; /**< bytes ever given back; granted - released = planned + reserved + used */
    uint64_t overflow;       /**< bytes filled now for which the capacity has no room; not in used */
} psh_account;
/** @return accounts. */
PSH_API size_t psh_tiers_account_count(const psh_tiers *t);
/** By (node, tier). @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_INVALID. */
PSH_API psh_status psh_tiers_account(const psh_tiers *t, size_t i, psh_account *out);
/** Checks that every account balances. @return PSH_OK, PSH_E_INTERNAL. */
PSH_API psh_status psh_tiers_check(const psh_tiers *t);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_tiers_save(const psh_tiers *t, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_tiers_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_tiers **out, psh_error *err);

PSH_END_DECLS
#endif
