/* SPDX-License-Identifier: MIT */
/** @file predshard/plan.h  Wants (proposals) and plans (accepted, placed, ordered actions). */
#ifndef PREDSHARD_PLAN_H
#define PREDSHARD_PLAN_H

#include <predshard/forecast.h>
PSH_BEGIN_DECLS

#define PSH_ACT_CREATE_PARTITION 1  /**< make an empty shadow with room for resources.bytes */
#define PSH_ACT_ACTIVATE_PARTITION 2 /**< shadow owns its keys from now on */
#define PSH_ACT_SEAL_PARTITION 3    /**< its interval is over: no more ordinary writes */
#define PSH_ACT_ARCHIVE_PARTITION 4 /**< copy to `tier`, switch, free the old copy */
#define PSH_ACT_DROP_PARTITION 5    /**< delete for good: retention */
#define PSH_ACT_BUILD_VIEW 6        /**< materialize `definition` at `level` */
#define PSH_ACT_DROP_VIEW 7         /**< release a view */
#define PSH_ACT_SPLIT_PARTITION 8   /**< the rows of subject's arc leave `source`; both own what they hold then */
#define PSH_ACT_MERGE_PARTITION 9   /**< subject takes all rows of `source`, its right neighbour, which then is gone */
#define PSH_ACT_REPLICATE_PARTITION 10 /**< copy subject to `node`, `tier`, and keep the copy as fresh as the owner */
#define PSH_ACT_PROMOTE_PARTITION 11 /**< the replica on `node` becomes the owner, the owner a replica */
#define PSH_ACT_DROP_REPLICA 12     /**< delete the replica of subject on `node` */
#define PSH_ACT_ADD_NODE 13         /**< make node `subject` ready to hold partitions */
#define PSH_ACT_RELEASE_NODE 14     /**< node `subject` holds nothing any more: give it back */
#define PSH_ACT_MAX 14

/** @return e.g. "create-partition"; "unknown". Static text. */
PSH_API const char *psh_action_kind_name(uint32_t kind);

/** Why something is proposed. */
#define PSH_WHY_FORECAST 1     /**< the forecast expects load there */
#define PSH_WHY_INTERVAL_BEGINS 2
#define PSH_WHY_INTERVAL_OVER 3
#define PSH_WHY_RETENTION 4    /**< its age passed the rule */
#define PSH_WHY_COLD 5         /**< predicted access no longer earns its tier */
#define PSH_WHY_UNREAD 6       /**< nobody asks for the view any more */
#define PSH_WHY_BUDGET 7       /**< pushed out by something with more benefit per byte */
#define PSH_WHY_OBSERVED 8     /**< asked for already: the reactive source */
#define PSH_WHY_HOT 9          /**< more load is expected than its node should carry */
#define PSH_WHY_COOLED 10      /**< load no longer earns partitions or replicas of their own */
#define PSH_WHY_BALANCE 11     /**< its node is fuller than others */
#define PSH_WHY_TOGETHER 12    /**< asked for together with what stands there */
#define PSH_WHY_BULK 13        /**< a bulk load is expected, or under way */
#define PSH_WHY_SIZE 14        /**< larger than a partition should be */
#define PSH_WHY_LATENCY 15     /**< its queries are slower than they should be */
#define PSH_WHY_LEAVING 16     /**< its node is to be released */
/** @return a short phrase. Static text. */
PSH_API const char *psh_why_text(uint32_t why);

/**
 * One proposal. `subject` is the partition's or view's id: ids of partitions to create come from
 * psh_partition_id, of views from psh_view_id; of nodes psh_node_subject.
 *
 * Splits   CREATE with `source` makes a shadow of an interval that has owners: its arc is the end of source's arc,
 *          arc_first above source's, arc_last the same. SPLIT of that shadow moves the rows and makes it an owner.
 * Moves    REPLICATE, then PROMOTE, then DROP_REPLICA of where it was: it is read and written throughout.
 * Steps    A copy may be wanted in `steps` steps, each an action of its own that copies at most resources.bytes;
 *          `step` counts 1..steps, the last ends with everything there and makes the transition.
 */
typedef struct psh_want {
    uint32_t kind;             /**< PSH_ACT_* */
    uint32_t why;              /**< PSH_WHY_* */
    uint64_t subject;
    uint32_t table;
    uint32_t level;            /**< views: PSH_LEVEL_* */
    uint32_t node;             /**< preferred node; PSH_NONE = any */
    uint32_t tier;             /**< preferred tier; PSH_NONE = any */
    int64_t interval;          /**< partitions: interval id */
    int64_t time_from;         /**< partitions: its interval */
    int64_t time_to;
    uint64_t arc_first;        /**< partitions: ring points first..last, both within */
    uint64_t arc_last;
    int64_t reach_ns;          /**< partial views */
    psh_resources resources;   /**< to be reserved, at the demand's upper quantile */
    double benefit;            /**< work units saved per day */
    double cost;               /**< work units spent per day, upkeep and building */
    double confidence;         /**< 0..1 */
    int64_t not_before;        /**< earliest start; PSH_TIME_MIN = now */
    int64_t deadline;          /**< must be done by; PSH_TIME_MAX = none */
    psh_query *definition;     /**< views: else NULL */
    uint64_t generation;       /**< tells a kind repeated on one subject apart (built, sealed again); else 0 */
    uint32_t ordinal;          /**< partitions: number among the arcs of the interval, part of the table's name */
    uint32_t reserved;         /**< 0 */
    uint64_t source;           /**< CREATE of a split, SPLIT, MERGE: the other partition; else 0 */
    uint32_t step;             /**< SPLIT, REPLICATE: 1..steps; else 0 */
    uint32_t steps;            /**< SPLIT, REPLICATE: 1..65535; else 0 */
} psh_want;

/** The subject of actions on a node, never 0. */
PSH_API uint64_t psh_node_subject(uint32_t node);

/** A set of wants under construction, then handed to the tier allocator. Threads  one user at a time. */
typedef struct psh_wants psh_wants;

/** @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. *out is the caller's, NULL on an error. */
PSH_API psh_status psh_wants_create(psh_env *env, psh_wants **out);
/** Cannot fail; NULL is allowed. */
PSH_API void psh_wants_destroy(psh_wants *w);
/** Forgets the wants, keeps the memory. */
PSH_API void psh_wants_clear(psh_wants *w);
/** Copies; references the definition. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (w unchanged). */
PSH_API psh_status psh_wants_add(psh_wants *w, const psh_want *want, psh_error *err);
/** @return wants in it. */
PSH_API size_t psh_wants_count(const psh_wants *w);
/** Borrowed from w. @return PSH_OK, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_wants_get(const psh_wants *w, size_t i, psh_want *out);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_wants_save(const psh_wants *w, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_wants_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_wants **out,
    psh_error *err);
/** Appends text. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_wants_dump(const psh_wants *w, psh_buffer *out);

/**
 * One action: idempotent by id, refused by the host when its fence is older than one it has seen.
 * The id is psh_action_id(want.kind, want.subject, want.generation), so that a plan made again
 * names the same action again.
 */
typedef struct psh_action {
    uint64_t id;              /**< never 0 */
    uint64_t fence;           /**< the planner's term */
    psh_want want;            /**< what is done, with node and tier now placed */
    const uint64_t *after;    /**< Shape [after_count]: actions that must be done first */
    size_t after_count;
    const char *name;         /**< partitions: the host's table name; views: the view's name */
    const char *reason;       /**< one line for people */
    uint32_t from_node;       /**< moves: where it is now; else PSH_NONE */
    uint32_t from_tier;
} psh_action;

/** A hash of its arguments, never 0. */
PSH_API uint64_t psh_action_id(uint32_t kind, uint64_t subject, uint64_t generation);

/** A DAG of actions, in an order that respects it. Immutable, shared by count. Threads  any, all calls. */
typedef struct psh_plan psh_plan;

/**
 * @param actions  Shape [n], copied deeply; definitions are referenced. Sorted so that each action stands
 *                 after those it waits for, else by (not_before, id).
 * @param stride   sizeof(psh_action)
 * @return PSH_OK, PSH_E_INVALID (cycle, unknown or repeated id, ...), PSH_E_NOMEM.
 */
PSH_API psh_status psh_plan_create(
    psh_env *env, int64_t made_at, uint64_t epoch, const psh_action *actions, size_t n, size_t stride,
    psh_plan **out, psh_error *err);
/** Takes one reference more. @return its argument. */
PSH_API psh_plan *psh_plan_ref(psh_plan *p);
/** Drops one reference; NULL is allowed. */
PSH_API void psh_plan_unref(psh_plan *p);
/** @return the `now` that it was made at. */
PSH_API int64_t psh_plan_made_at(const psh_plan *p);
/** @return the epoch of the world it was planned against. */
PSH_API uint64_t psh_plan_epoch(const psh_plan *p);
/** @return actions. */
PSH_API size_t psh_plan_count(const psh_plan *p);
/** Borrowed from p. @return PSH_OK, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_plan_get(const psh_plan *p, size_t i, psh_action *out);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_plan_save(const psh_plan *p, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_plan_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_plan **out,
    psh_error *err);
/** Appends text: one action a line, with its reason. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_plan_dump(const psh_plan *p, psh_buffer *out);

PSH_END_DECLS
#endif
