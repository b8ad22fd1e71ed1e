/* SPDX-License-Identifier: MIT */
/** @file predshard/workload.h  What the query log says: columns, filters, tenants, clusters, queries to come. */
#ifndef PREDSHARD_WORKLOAD_H
#define PREDSHARD_WORKLOAD_H

#include <predshard/forecaster.h>
#include <predshard/keys.h>
PSH_BEGIN_DECLS

#define PSH_WORKLOAD_TABLE 1      /**< tables */
#define PSH_WORKLOAD_TEMPLATE 2   /**< query templates; id = psh_query_fingerprint */
#define PSH_WORKLOAD_TENANT 3     /**< who asked; id = psh_tenant_id */
#define PSH_WORKLOAD_COLUMN 4     /**< one column in one role */
#define PSH_WORKLOAD_FILTER 5     /**< one column with one operator; time bounds are GE and LT of the time column */
#define PSH_WORKLOAD_GROUPING 6   /**< all columns that one query groups by */
#define PSH_WORKLOAD_FILTER_SET 7 /**< all columns that one query filters by */
#define PSH_WORKLOAD_COLUMN_SET 8 /**< all columns that one query uses in any role */

#define PSH_ROLE_OUTPUT 1    /**< of a detail query */
#define PSH_ROLE_FILTER 2
#define PSH_ROLE_GROUP 3     /**< also the time column of a query with buckets */
#define PSH_ROLE_ORDER 4
#define PSH_ROLE_AGGREGATE 5

/** Zeros mean all. */
typedef struct psh_workload_request {
    uint32_t struct_size;
    uint32_t kind;     /**< PSH_WORKLOAD_* */
    uint32_t table;    /**< PSH_NONE = all */
    uint32_t role;     /**< COLUMN: PSH_ROLE_* or 0 */
    uint64_t tenant;   /**< only what this tenant asked; 0 = all */
    uint64_t id;       /**< only requests of this template; 0 = all */
} psh_workload_request;

#define PSH_WORKLOAD_COLUMNS 16u

/** Weighted by psh_query_record.weight: estimates of the whole log where that was sampled. */
typedef struct psh_workload_item {
    uint32_t kind;         /**< PSH_WORKLOAD_* */
    uint32_t table;        /**< PSH_NONE for a tenant */
    uint64_t id;           /**< of the template or tenant, else of this item: equal on all machines */
    uint32_t role;         /**< COLUMN: PSH_ROLE_*; else 0 */
    uint32_t op;           /**< FILTER: PSH_OP_*; else 0 */
    uint32_t column_count; /**< columns in the set */
    uint32_t reserved;     /**< 0 */
    uint32_t columns[PSH_WORKLOAD_COLUMNS]; /**< ascending, the first 16 */
    double count;          /**< requests */
    double error_bound;    /**< the recorded weights differ from count by at most this; 0 = exact */
    double sampling_error; /**< one standard error that independent sampling adds; 0 if not sampled */
    double share;          /**< of the requests that the filters of the request let through */
    double duration_ns;    /**< sums over requests: those counted for sure */
    double rows;
    double bytes;
    double work;           /**< of those that the base alone answered */
} psh_workload_item;

/**
 * Ranked by count, ties by id. Templates in memory are counted exactly; what was evicted under max_templates is
 * kept in Space-Saving summaries of 512 items a kind, tenants and (tenant, template) pairs in such of 4096: no error
 * exceeds what went through a summary divided by its size. Of what a full summary does not hold one in 16 goes in,
 * for 16: sampling_error says what that adds.
 * @param items   Shape [*count], filled
 * @param stride  sizeof(psh_workload_item)
 * @param count   in: room, 1..2^20; out: items written
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM.
 */
PSH_API psh_status psh_forecaster_workload(
    psh_forecaster *f, const psh_workload_request *r, psh_workload_item *items, size_t stride, size_t *count);

typedef struct psh_workload_total {
    uint32_t struct_size;
    uint32_t clusters;        /**< of templates, by arrival shape */
    double count;             /**< weighted requests, all time */
    double evicted;           /**< of these, of templates evicted since */
    double templates_seen;    /**< distinct templates ever, HyperLogLog: standard error 1.6 % */
    double sampling_error;    /**< one standard error of count */
} psh_workload_total;
/** Fills the first out->struct_size bytes. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_forecaster_workload_total(const psh_forecaster *f, psh_workload_total *out);

/** What is known of one template beyond psh_template_info. */
typedef struct psh_template_detail {
    uint32_t struct_size;
    uint32_t reserved;        /**< 0 */
    uint64_t cluster;         /**< id of its cluster; 0 = none yet */
    double tenants;           /**< distinct tenants, HyperLogLog: standard error 13 % */
    double predictable;       /**< probability that the next request is among psh_forecaster_expect's, rolling */
    double bytes;             /**< mean bytes of an answer */
} psh_template_detail;
/** @param i  as in psh_forecaster_template. @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_forecaster_template_detail(psh_forecaster *f, size_t i, psh_template_detail *out);

/** Templates that are asked at the same times of the long season. */
typedef struct psh_template_cluster {
    uint32_t struct_size;
    uint32_t slots;           /**< places in the long season */
    uint64_t id;              /**< stable while the cluster lives, never 0, never used again */
    const uint64_t *members;  /**< Shape [member_count]: template ids, borrowed until the next call */
    size_t member_count;
    const float *centre;      /**< Shape [slots]: requests of all members by place, fading; borrowed */
    double rate;              /**< requests a second of all members: mean of the long seasons, recent ones more */
    double share;             /**< of the requests of all templates known */
} psh_template_cluster;
/** @return clusters as of the last step that closed a short season. */
PSH_API size_t psh_forecaster_cluster_count(const psh_forecaster *f);
/** Largest first when last evaluated. @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_forecaster_cluster(psh_forecaster *f, size_t i, psh_template_cluster *out);

/** One concrete query that may be asked. */
typedef struct psh_expected_query {
    psh_query *query;         /**< the caller's reference */
    uint64_t tenant;          /**< who asked the like of it last; 0 = unknown */
    double probability;       /**< that a request of the template at that time is exactly this one (limit and labels
                               *   as its like had them) */
} psh_expected_query;
/**
 * What a template's next request will ask, constants and all: each constant is the same as before, or lies where it
 * did relative to the minute, hour, day, week (from Monday), month, quarter or year (UTC) or bucket of the request,
 * or one step further than the last. Likeliest first; what is less likely than 0.01 is left out.
 * @param i       as in psh_forecaster_template
 * @param at      when it is asked
 * @param out     Shape [*count]
 * @param stride  sizeof(psh_expected_query)
 * @param count   in: room; out: queries written, at most 8; 0 = unpredictable
 * @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_INVALID, PSH_E_NOMEM (nothing given).
 */
PSH_API psh_status psh_forecaster_expect(
    psh_forecaster *f, size_t i, int64_t at, psh_expected_query *out, size_t stride, size_t *count);

/**
 * One key of rows or requests of a subject: PSH_SUBJECT_TABLE, TENANT or PARTITION. Beyond max_key_sketches
 * subjects the one seen longest ago goes. O(log k) amortised.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_TIME (before what is kept), PSH_E_LIMIT (max_bytes: shed), PSH_E_NOMEM.
 */
PSH_API psh_status psh_forecaster_observe_key(
    psh_forecaster *f, const psh_subject *subject, const void *key, size_t size, double weight, int64_t time);
/**
 * The key distribution expected at a time: the recent keys, those of the same phase one long season before, or the
 * recent ones moved on as their quantiles moved (keys as numbers behind their common prefix): whichever was nearest
 * to what came (Kolmogorov-Smirnov distance, rolling).
 * @param error  NULL, or where the rolling distance of that choice goes; 1 if it was never scored
 * @param out    the caller's
 * @return PSH_OK, PSH_E_NO_FORECAST (nothing known of the subject), PSH_E_INVALID, PSH_E_NOMEM.
 */
PSH_API psh_status psh_forecaster_keys(
    psh_forecaster *f, const psh_subject *subject, int64_t at, psh_key_sketch **out, double *error);

PSH_END_DECLS
#endif
