/* SPDX-License-Identifier: MIT */
/** @file predshard/world.h  The world: one immutable snapshot of all that routing needs; its readers. */
#ifndef PREDSHARD_WORLD_H
#define PREDSHARD_WORLD_H

#include <predshard/view.h>
PSH_BEGIN_DECLS

#define PSH_PARTITION_SHADOW 1   /**< exists, owns no key yet */
#define PSH_PARTITION_WARMING 2  /**< being filled or moved to */
#define PSH_PARTITION_ACTIVE 3   /**< takes writes */
#define PSH_PARTITION_SEALED 4   /**< its interval is over; rows change only after psh_map_reopen */
#define PSH_PARTITION_ARCHIVED 5 /**< sealed, in a slower tier */
#define PSH_PARTITION_DROPPED 6  /**< gone */

/** @return e.g. "shadow"; "unknown". Static text. */
PSH_API const char *psh_partition_state_name(uint32_t state);

#define PSH_PARTITION_QUARANTINE 1u /**< flag: takes what fits no planned range; one a table, all times */

/** A ring arc of one interval of one table. */
typedef struct psh_partition {
    uint64_t id;            /**< psh_partition_id, never 0 */
    uint32_t table;
    uint32_t state;         /**< PSH_PARTITION_* */
    uint32_t flags;         /**< PSH_PARTITION_QUARANTINE */
    uint32_t node;
    uint32_t tier;
    uint32_t ordinal;       /**< its number among the arcs of its interval */
    int64_t interval;       /**< interval id */
    int64_t time_from;      /**< [time_from, time_to): its interval; quarantine: span of the rows in it */
    int64_t time_to;
    uint64_t arc_first;     /**< ring points first..last, both within */
    uint64_t arc_last;
    uint64_t rows;          /**< written so far */
    uint64_t bytes;         /**< written so far */
    uint64_t bytes_planned; /**< predicted when it was created */
    uint64_t last_position; /**< latest write known, 0 = none */
    int64_t created_at;
    int64_t first_write;    /**< PSH_TIME_NONE = none yet */
} psh_partition;

/** The id of the partition of (table, interval, arc_first), never 0. */
PSH_API uint64_t psh_partition_id(uint32_t table, int64_t interval, uint64_t arc_first);
/** The id of a table's quarantine, never 0. */
PSH_API uint64_t psh_quarantine_id(uint32_t table);
/**
 * The host's table name of a partition: TABLE_YYYYMMDDTHHMMSS_sORDINAL (interval start, UTC) or
 * TABLE_quarantine. NUL-terminated, cut to size.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_LIMIT (it was cut).
 */
PSH_API psh_status psh_partition_name(const psh_schema *s, const psh_partition *p, char *out, size_t size);

#define PSH_REPLICA_WARMING 1 /**< being copied */
#define PSH_REPLICA_READY 2   /**< as fresh as the owner: reads may go there */

/** A copy of a partition that is read, not written. */
typedef struct psh_replica {
    uint64_t partition;     /**< that it is a copy of */
    uint32_t node;          /**< never the owner's */
    uint32_t tier;
    uint32_t state;         /**< PSH_REPLICA_* */
    uint32_t reserved;      /**< 0 */
    int64_t ready_at;       /**< PSH_TIME_NONE while warming */
} psh_replica;

/** The ledger's subject of a replica, never 0. */
PSH_API uint64_t psh_replica_id(uint64_t partition, uint32_t node);

/** From an interval on, a tenant is in a segment, and so at another point of the ring. */
typedef struct psh_assignment {
    uint64_t tenant;        /**< psh_tenant_id */
    uint32_t table;
    uint32_t segment;       /**< 0 = none */
    int64_t from;           /**< start of the first interval it holds in; PSH_TIME_MIN = from the first one on */
    uint32_t access;        /**< PSH_ACCESS_* most of its requests have; 0 = unknown */
    uint32_t tier;          /**< where its new rows should go, 0 = fastest; PSH_NONE = no preference */
} psh_assignment;

typedef struct psh_tier_info {
    uint32_t node;          /**< its node */
    uint32_t tier;          /**< 0 = fastest */
    uint64_t capacity_bytes;
    double price;           /**< money per GiB and month */
    double read_cost;       /**< work units per row read, relative */
    double latency_us;      /**< of one request */
    uint64_t planned_bytes; /**< the ledger: wanted by plans not begun, */
    uint64_t reserved_bytes; /**< set aside, not yet filled, */
    uint64_t used_bytes;    /**< filled */
} psh_tier_info;

/** One interval of a view on one node. */
typedef struct psh_view_part {
    uint64_t view;
    uint32_t node;
    uint32_t flags;         /**< 0 */
    int64_t interval;
    int64_t time_from;
    int64_t time_to;
    uint64_t position;      /**< holds every change at or before it */
    int64_t commit_time;    /**< of that position, or of a later heartbeat that brought nothing */
    uint64_t groups;
    uint64_t bytes;
} psh_view_part;

/** Immutable, shared by count. Threads  any, all calls. */
typedef struct psh_world psh_world;

/** A world under construction: objects export their state into it. Threads  one user at a time. */
typedef struct psh_world_draft psh_world_draft;

/** @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. *out is the caller's, NULL on an error. */
PSH_API psh_status psh_world_draft_create(
    psh_env *env, psh_schema *schema, uint64_t epoch, int64_t now, psh_world_draft **out);
/** Cannot fail; NULL is allowed. */
PSH_API void psh_world_draft_destroy(psh_world_draft *d);
/** Copies. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (the draft unchanged). The same in each add. */
PSH_API psh_status psh_world_draft_add_partition(psh_world_draft *d, const psh_partition *p);
/** Copies. Its partition must be in the world, and own keys. */
PSH_API psh_status psh_world_draft_add_replica(psh_world_draft *d, const psh_replica *r);
/** Copies. One of a table, tenant and `from`. */
PSH_API psh_status psh_world_draft_add_assignment(psh_world_draft *d, const psh_assignment *a);
/** Copies. */
PSH_API psh_status psh_world_draft_add_tier(psh_world_draft *d, const psh_tier_info *t);
/** Takes a reference of its own. */
PSH_API psh_status psh_world_draft_add_view(psh_world_draft *d, psh_view *v);
/** Copies. */
PSH_API psh_status psh_world_draft_add_view_part(psh_world_draft *d, const psh_view_part *p);
/**
 * Begins from a world instead of from nothing: its partitions, replicas, assignments, tiers and views. A partition,
 * replica or assignment that is added then replaces what has its id, its partition and node, or its table, tenant
 * and from; the rest is shared with `base`, so that the world made of it costs O(tables + changes x (partitions of
 * an interval + log n)), and a change below views what their parts take. Tiers, views and parts are added to those
 * of the base: one that stands there already is refused, unless psh_world_draft_forget_rest was called.
 * Takes a reference to `base`. On an empty draft only.
 * @return PSH_OK, PSH_E_INVALID (another schema or env), PSH_E_STATE (not empty), PSH_E_NOMEM.
 */
PSH_API psh_status psh_world_draft_base(psh_world_draft *d, psh_world *base);
/**
 * Takes a partition of the base, and its replicas, out; one that is added with its id, before or after, stays.
 * @return PSH_OK, PSH_E_NOT_FOUND (not in the base, or taken out already), PSH_E_NOMEM.
 */
PSH_API psh_status psh_world_draft_remove_partition(psh_world_draft *d, uint64_t id);
/** Takes a replica of the base out. The same returns, and the same of one that is added. */
PSH_API psh_status psh_world_draft_remove_replica(psh_world_draft *d, uint64_t partition, uint32_t node);
/** Forgets tiers, views and view parts that came with the base, to be added anew. */
PSH_API void psh_world_draft_forget_rest(psh_world_draft *d);
/**
 * Checks the invariants and freezes: in each interval the arcs of the partitions that own keys (active,
 * sealed, archived) do not overlap; an interval that has any has no gap; ids are unique; replicas name owners;
 * parts name views, and are whole intervals of their tables.
 * @return PSH_OK, PSH_E_INVALID (err says which), PSH_E_NOMEM. The draft stays the caller's.
 */
PSH_API psh_status psh_world_create(const psh_world_draft *d, psh_world **out, psh_error *err);
/** Takes one reference more. @return its argument. */
PSH_API psh_world *psh_world_ref(psh_world *w);
/** Drops one reference; NULL is allowed. */
PSH_API void psh_world_unref(psh_world *w);
/** @return its number, higher than that of worlds before. */
PSH_API uint64_t psh_world_epoch(const psh_world *w);
/** @return the time it was made at. */
PSH_API int64_t psh_world_time(const psh_world *w);
/** @return the schema, borrowed. */
PSH_API psh_schema *psh_world_schema(const psh_world *w);
/** @return partitions, shadows and quarantines too. */
PSH_API size_t psh_world_partition_count(const psh_world *w);
/** By (table, interval, arc_first); quarantines last. O(log n). @return NULL past the end. Borrowed. */
PSH_API const psh_partition *psh_world_partition(const psh_world *w, size_t i);
/** @return the partition or NULL. Borrowed. */
PSH_API const psh_partition *psh_world_find_partition(const psh_world *w, uint64_t id);
/**
 * The owner of a key: the partition that owns keys and holds (table, time, point), else NULL.
 * O(log intervals + log arcs), where no interval is missing with nothing to search; no allocation.
 */
PSH_API const psh_partition *psh_world_locate(const psh_world *w, uint32_t table, int64_t time, uint64_t point);
/**
 * The index range [*first, *end) of partitions of a table whose interval touches [from, to), quarantine
 * aside. O(log n), no allocation.
 */
PSH_API void psh_world_partitions_between(
    const psh_world *w, uint32_t table, int64_t from, int64_t to, size_t *first, size_t *end);
/** The replicas of a partition, by node. Borrowed; NULL and *count = 0 if it has none. */
PSH_API const psh_replica *psh_world_replicas(const psh_world *w, uint64_t partition, size_t *count);
/** @return replicas, of all partitions. */
PSH_API size_t psh_world_replica_count(const psh_world *w);
/** By (partition, node). Borrowed; NULL past the end. */
PSH_API const psh_replica *psh_world_replica(const psh_world *w, size_t i);
/** @return assignments. */
PSH_API size_t psh_world_assignment_count(const psh_world *w);
/** By (table, tenant, from). Borrowed; NULL past the end. */
PSH_API const psh_assignment *psh_world_assignment(const psh_world *w, size_t i);
/** Of a tenant at a time: the latest whose `from` is not after it; NULL if none. Borrowed. */
PSH_API const psh_assignment *psh_world_assignment_at(
    const psh_world *w, uint32_t table, uint64_t tenant, int64_t time);
/** Where a tenant's rows of a time stand on the ring: psh_ring_point of its segment when the interval begins. */
PSH_API uint64_t psh_world_point(const psh_world *w, uint32_t table, uint64_t tenant, int64_t time);

/** Where a tenant's rows are, and how they are asked for. */
typedef struct psh_place {
    const psh_partition *partition; /**< owner; NULL: none planned */
    uint64_t point;
    uint32_t segment;       /**< 0 = none */
    uint32_t access;        /**< PSH_ACCESS_*; 0 = unknown */
    uint32_t tier;          /**< preferred; PSH_NONE = none */
    uint32_t replicas;      /**< ready to be read */
} psh_place;
/**
 * No allocation.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOT_FOUND (table; or no owner: *out is filled all the same).
 */
PSH_API psh_status psh_world_locate_tenant(
    const psh_world *w, uint32_t table, uint64_t tenant, int64_t time, psh_place *out);
/** Takes one partition. @return PSH_OK to go on; anything else ends the walk and is its result. */
typedef psh_status (*psh_partition_visitor)(void *user, const psh_partition *p);
/** The owners of a tenant's keys between two times, [from, to), in order of time. No allocation. */
PSH_API psh_status psh_world_tenant_partitions(
    const psh_world *w, uint32_t table, uint64_t tenant, int64_t from, int64_t to, psh_partition_visitor visit,
    void *user);

#define PSH_DIFF_ADDED 1
#define PSH_DIFF_REMOVED 2
#define PSH_DIFF_CHANGED 3
/** Takes one difference; before is NULL where it was added, after where it was removed. */
typedef psh_status (*psh_partition_diff)(
    void *user, uint32_t op, const psh_partition *before, const psh_partition *after);
/** Partitions that differ in two worlds of one schema, in their order; what the two share is skipped unread. */
PSH_API psh_status psh_world_diff(
    const psh_world *before, const psh_world *after, psh_partition_diff each, void *user);
/** Appends text: one difference a line, replicas, assignments, views and tiers too. */
PSH_API psh_status psh_world_diff_dump(const psh_world *before, const psh_world *after, psh_buffer *out);
/** @return tiers. */
PSH_API size_t psh_world_tier_count(const psh_world *w);
/** By (node, tier). Borrowed; NULL past the end. */
PSH_API const psh_tier_info *psh_world_tier(const psh_world *w, size_t i);
/** @return views. */
PSH_API size_t psh_world_view_count(const psh_world *w);
/** By id. Borrowed; NULL past the end. */
PSH_API psh_view *psh_world_view(const psh_world *w, size_t i);
/** The parts of view i, by (time_from, node). Borrowed. */
PSH_API const psh_view_part *psh_world_view_parts(const psh_world *w, size_t i, size_t *count);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_world_save(const psh_world *w, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_world_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_world **out,
    psh_error *err);
/** Appends text. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_world_dump(const psh_world *w, psh_buffer *out);

/**
 * The root that holds the current world. One writer publishes; readers pin.
 * A pinned world stays whole until it is unpinned; a stalled reader delays freeing, nothing else.
 */
typedef struct psh_worlds psh_worlds;
/** A reader's slot. Used by one thread at a time, any thread. */
typedef struct psh_reader psh_reader;

typedef struct psh_worlds_stats {
    uint32_t struct_size;
    uint32_t readers;      /**< registered */
    uint64_t epoch;        /**< current; 0 = nothing published */
    uint64_t oldest_pinned; /**< epoch of the oldest pinned world; the current one when none is */
    uint64_t retired;      /**< worlds waiting for readers */
} psh_worlds_stats;

/**
 * @param max_readers  1..4096; 0 = 64.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. *out is the caller's, NULL on an error.
 */
PSH_API psh_status psh_worlds_create(psh_env *env, uint32_t max_readers, psh_worlds **out);
/** No reader may be left. NULL is allowed. */
PSH_API void psh_worlds_destroy(psh_worlds *ws);
/**
 * Makes w current; its epoch must be higher than the one before. Takes a reference of its own.
 * Threads  the one writer.
 * @return PSH_OK, PSH_E_INVALID (NULL), PSH_E_CONFLICT (epoch not higher), PSH_E_NOMEM.
 */
PSH_API psh_status psh_worlds_publish(psh_worlds *ws, psh_world *w);
/** The current world for the writer's own use, borrowed until the next publish; NULL before the first. */
PSH_API psh_world *psh_worlds_current(psh_worlds *ws);
/** Frees first what no reader holds any more. Threads  the one writer. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_worlds_get_stats(psh_worlds *ws, psh_worlds_stats *out);
/** @return PSH_OK, PSH_E_LIMIT (no slot free), PSH_E_NOMEM. Threads  any. */
PSH_API psh_status psh_reader_create(psh_worlds *ws, psh_reader **out);
/** Must not be pinned. NULL is allowed. */
PSH_API void psh_reader_destroy(psh_reader *r);
/** Wait-free, no allocation. Pins may not nest. @return the current world, NULL when none was published. */
PSH_API const psh_world *psh_reader_pin(psh_reader *r);
/**
 * While pinned: lets go of that world and takes the current one. One read of shared memory while nothing was
 * published, so that a loop may call it for each query. Wait-free.
 */
PSH_API const psh_world *psh_reader_refresh(psh_reader *r);
/** Wait-free. */
PSH_API void psh_reader_unpin(psh_reader *r);

PSH_END_DECLS
#endif
