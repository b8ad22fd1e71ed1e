/* SPDX-License-Identifier: MIT */
/** @file predshard/segments.h  Tenants by segment, and forecasts that add up over both. */
#ifndef PREDSHARD_SEGMENTS_H
#define PREDSHARD_SEGMENTS_H

#include <predshard/forecaster.h>
PSH_BEGIN_DECLS

#define PSH_SEGMENT_HOST 0x40000000u /**< ids from here on are the host's own segments */
#define PSH_SEGMENT_PARTS 24u        /**< most parts of the short season in a load shape */

/**
 * What the host knows of a tenant: at most 8 numbers and 8 categories, each under an id of the host's choice. One
 * table knows at most 8 ids of each kind.
 */
typedef struct psh_profile {
    uint32_t struct_size;
    uint32_t numeric_count;      /**< 0..8 */
    const uint32_t *numeric_ids; /**< Shape [numeric_count], distinct */
    const double *numeric;       /**< Shape [numeric_count], finite, at most 2^100 in size */
    uint32_t category_count;     /**< 0..8 */
    uint32_t reserved;           /**< 0 */
    const uint32_t *category_ids; /**< Shape [category_count], distinct */
    const uint64_t *category;    /**< Shape [category_count]: equal or not is all that counts */
} psh_profile;

/**
 * Sets the features of a tenant, seen or not yet; replaces those set before. Its segment follows at later
 * evaluations.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_LIMIT (max_tenants, max_bytes, or a ninth id in the table), PSH_E_NOMEM.
 */
PSH_API psh_status psh_forecaster_set_profile(
    psh_forecaster *f, uint32_t table, uint64_t tenant, const psh_profile *profile);
/**
 * Pins a tenant to a segment from the next interval of the table on; at once if it has none.
 * @param segment  one that is there, or PSH_SEGMENT_HOST and above for one of the host's own; 0 lets the tenant go
 *                 where its load belongs again
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOT_FOUND (no such segment), PSH_E_LIMIT, PSH_E_NOMEM.
 */
PSH_API psh_status psh_forecaster_set_segment(
    psh_forecaster *f, uint32_t table, uint64_t tenant, uint32_t segment);
/**
 * The segment a tenant is in at a time: now, after a change that is due, or before the latest one; 0 = none yet.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOT_FOUND (the tenant is not known).
 */
PSH_API psh_status psh_forecaster_segment_of(
    const psh_forecaster *f, uint32_t table, uint64_t tenant, int64_t at, uint32_t *segment);

typedef struct psh_segment_info {
    uint32_t struct_size;
    uint32_t id;          /**< never reused in its table; the series is { PSH_SUBJECT_SEGMENT, table, id } */
    uint32_t members;     /**< tenants now */
    uint32_t parts;       /**< of shape: parts of the short season */
    double level;         /**< members' mean rows per bucket, each counting as one (geometric mean) */
    double weekend;       /**< share of load on Saturday and Sunday, UTC */
    double burstiness;    /**< (sd - mean) / (sd + mean) of buckets: -1 regular, 1 bursts alone */
    double shape[PSH_SEGMENT_PARTS]; /**< share of load by part of the short season, 1 = as the mean part */
} psh_segment_info;

/** @return segments of a table. */
PSH_API size_t psh_forecaster_segment_count(const psh_forecaster *f, uint32_t table);
/** By id. @return PSH_OK, PSH_E_INVALID, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_forecaster_segment(
    const psh_forecaster *f, uint32_t table, size_t i, psh_segment_info *out);

/** What is known of one tenant. */
typedef struct psh_tenant_info {
    uint32_t struct_size;
    uint32_t segment;      /**< in force at the last step; 0 = none yet */
    uint32_t next_segment; /**< from `from` on; 0 = no change is due */
    uint32_t pinned;       /**< 1 if the host set it */
    int64_t from;          /**< PSH_TIME_NONE without a change */
    uint32_t access;       /**< PSH_ACCESS_* that most of its requests have; 0 = no request seen */
    uint32_t reserved;     /**< 0 */
    int64_t reach_ns;      /**< how far back its requests look, the most seen */
    double level;          /**< rows written per bucket, trailing mean */
    double requests;       /**< requests per long season, fading mean */
    double next_season;    /**< rows expected in the next long season */
    double reads_per_byte; /**< bytes it will read in a long season per byte it will write, as of late */
    double hot;            /**< preference for each tier: >= 0, sum 1 */
    double warm;
    double cold;
} psh_tenant_info;
/** @return PSH_OK, PSH_E_INVALID, PSH_E_NOT_FOUND (not seen yet, or forgotten). */
PSH_API psh_status psh_forecaster_tenant(
    psh_forecaster *f, uint32_t table, uint64_t tenant, psh_tenant_info *out);

/** Forecasts of a table, its segments, tenants and partitions that add up. Immutable. */
typedef struct psh_hierarchy psh_hierarchy;

#define PSH_NODE_TOTAL 1u
#define PSH_NODE_SEGMENT 2u
#define PSH_NODE_TENANT 3u
#define PSH_NODE_PARTITION 4u

/** A node stands after its parent. Children of one parent and one kind sum to it at each step. */
typedef struct psh_hierarchy_node {
    uint32_t struct_size;
    uint32_t kind;        /**< PSH_NODE_* */
    uint64_t id;          /**< as in psh_subject; 0 where `rest` */
    uint32_t parent;      /**< index; PSH_NONE for the total */
    uint32_t rest;        /**< 1: all of its kind under the parent that has no node of its own */
    const double *mean;   /**< Shape [steps] */
    const double *quantiles; /**< Shape [steps][level_count], ascending in a row */
} psh_hierarchy_node;

/**
 * @param from         in the first bucket asked about, open or later
 * @param steps        1..4096
 * @param step_buckets buckets per step, e.g. with buckets of an hour 1 = hourly, 24 = daily, 168 = weekly; all
 *                     three agree, as each is a sum of buckets
 * @param max_tenants  tenants with a node of their own, largest first, of 1..65536; 0 = 1024; the others are a rest
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NO_FORECAST (the table has no history), PSH_E_LIMIT (nodes x steps x
 *         step_buckets beyond 2^22), PSH_E_NOMEM. *out is the caller's.
 */
PSH_API psh_status psh_forecaster_hierarchy(
    psh_forecaster *f, uint32_t table, int64_t from, uint32_t steps, uint32_t step_buckets, uint32_t max_tenants,
    psh_hierarchy **out, psh_error *err);
/** NULL is allowed. */
PSH_API void psh_hierarchy_destroy(psh_hierarchy *h);
/** @return nodes. */
PSH_API size_t psh_hierarchy_count(const psh_hierarchy *h);
/** @return the levels of the quantiles, Shape [*count]. Borrowed from h. */
PSH_API const double *psh_hierarchy_levels(const psh_hierarchy *h, uint32_t *count);
/** Borrowed from h. @return PSH_OK, PSH_E_INVALID, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_hierarchy_get(const psh_hierarchy *h, size_t i, psh_hierarchy_node *out);

/** What a ZONE of the demand, or a series of kind LABEL, is a zone of: labels that all hold, and where to look. */
typedef struct psh_zone {
    uint32_t struct_size;
    uint32_t label_count;   /**< 1..4 */
    uint64_t label_ids[4];  /**< psh_label_id of each, ascending */
    psh_label labels[4];    /**< NULL where a name is not known; borrowed until the next call that is not const */
    psh_subject keys;       /**< whose keys it lies in, for psh_forecaster_keys: of the tenant or the partition that
                             *   has most of its records, else of the table */
} psh_zone;
/**
 * Labels of writes given directly are known by name, those through observers by id alone. Sets of two, and of all
 * of a record's first four labels, become zones of their own once frequent (64 records and 1/200 of all sets').
 * @param id  of the entry: of a label, or of a set of labels
 * @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_INVALID.
 */
PSH_API psh_status psh_forecaster_zone(const psh_forecaster *f, uint32_t table, uint64_t id, psh_zone *out);

PSH_END_DECLS
#endif
