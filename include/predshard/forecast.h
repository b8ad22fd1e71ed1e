/* SPDX-License-Identifier: MIT */
/** @file predshard/forecast.h  Forecasts and demand: what will be asked, and how sure that is. */
#ifndef PREDSHARD_FORECAST_H
#define PREDSHARD_FORECAST_H

#include <predshard/query.h>
PSH_BEGIN_DECLS

#define PSH_SUBJECT_TABLE 1    /**< rows written to a table, all tenants; id = 0 */
#define PSH_SUBJECT_TENANT 2   /**< rows written by one tenant; id = psh_tenant_id */
#define PSH_SUBJECT_TEMPLATE 3 /**< requests of one template; id = psh_query_fingerprint */
#define PSH_SUBJECT_LABEL 4    /**< requests and writes under one label; id = psh_label_id */
#define PSH_SUBJECT_PARTITION 5 /**< rows written to one partition; id = its id */
#define PSH_SUBJECT_QUERIES 6  /**< requests to a table, all templates; id = 0 */
#define PSH_SUBJECT_CLUSTER 7  /**< requests of the templates of one cluster, table 0; id = its id, see workload.h */
#define PSH_SUBJECT_SEGMENT 8 /**< rows written by the tenants of one segment; id = its id, see segments.h */

/** What a series is about. */
typedef struct psh_subject {
    uint32_t kind;  /**< PSH_SUBJECT_* */
    uint32_t table;
    uint64_t id;
} psh_subject;

/** @return a 64-bit hash of name and value; never 0. */
PSH_API uint64_t psh_label_id(const char *name, const char *value);

/** Why there is no forecast, or a cautious one. */
#define PSH_REASON_NONE 0
#define PSH_REASON_UNKNOWN 1   /**< the subject was never observed, was refused under a limit, or is forgotten */
#define PSH_REASON_SHORT 2     /**< less history than a season: quantiles from what there is */
#define PSH_REASON_NO_SKILL 3  /**< no better than the seasonal naive */
#define PSH_REASON_EVICTED 4   /**< dropped under a limit; the library's own forecaster, which keeps no trace of
                                *   what it drops, says UNKNOWN */

/** @return a short phrase. Static text. */
PSH_API const char *psh_reason_text(uint32_t reason);

/** One series ahead: steps of step_ns from `from` on. */
typedef struct psh_forecast_spec {
    uint32_t struct_size;
    uint32_t reason;              /**< PSH_REASON_* */
    psh_subject subject;
    int64_t made_at;
    int64_t from;                 /**< start of step 0 */
    int64_t step_ns;              /**< > 0 */
    uint32_t steps;               /**< 1..4096 */
    uint32_t level_count;         /**< 0..15 */
    const double *mean;           /**< Shape [steps], per step, >= 0 */
    const double *levels;         /**< Shape [level_count], ascending in (0, 1) */
    const double *quantiles;      /**< Shape [steps][level_count], ascending in a row */
    double skill;                 /**< 1 - error / error of the seasonal naive, rolling; 0 if unknown */
} psh_forecast_spec;

/** Immutable, shared by count. Threads  any, all calls. */
typedef struct psh_forecast psh_forecast;

/** @param spec  Copied deeply. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. *out is the caller's. */
PSH_API psh_status psh_forecast_create(
    psh_env *env, const psh_forecast_spec *spec, psh_forecast **out, psh_error *err);
/** Takes one reference more. @return its argument. */
PSH_API psh_forecast *psh_forecast_ref(psh_forecast *f);
/** Drops one reference; NULL is allowed. */
PSH_API void psh_forecast_unref(psh_forecast *f);
/** Borrowed from f. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_forecast_describe(const psh_forecast *f, psh_forecast_spec *out);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_forecast_save(const psh_forecast *f, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_forecast_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_forecast **out, psh_error *err);
/** Appends text. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_forecast_dump(const psh_forecast *f, psh_buffer *out);

#define PSH_DEMAND_INTERVAL 1 /**< rows that one interval of a table will receive; id = interval id */
#define PSH_DEMAND_TENANT 2   /**< a tenant's share of the rows of the window; id = psh_tenant_id */
#define PSH_DEMAND_VIEW 3     /**< requests that one view would answer; id = psh_query_id of definition */
#define PSH_DEMAND_ZONE 4     /**< a hot zone: a label or tenant far above its usual load; id = subject's */

#define PSH_ACCESS_POINT 1  /**< single rows of one tenant */
#define PSH_ACCESS_RANGE 2  /**< a span of time of one tenant */
#define PSH_ACCESS_SCAN 3   /**< all tenants */

/** One thing that will be asked for in [from, to). */
typedef struct psh_demand_entry {
    uint32_t kind;         /**< PSH_DEMAND_* */
    uint32_t table;
    uint64_t id;
    int64_t from;
    int64_t to;
    double count;          /**< expected: rows (INTERVAL, TENANT), requests (VIEW, ZONE) */
    double upper;          /**< the same at `quantile` of the demand */
    double bytes;          /**< expected bytes */
    double bytes_upper;
    double work;           /**< VIEW: recorded work units of one request at the base, mean */
    double confidence;     /**< probability of being asked at all (VIEW), of being hot (ZONE); else 1 */
    int64_t reach_ns;      /**< VIEW: how far back from their time requests look, the most seen */
    uint32_t access;       /**< PSH_ACCESS_*; 0 if unknown */
    uint32_t reason;       /**< PSH_REASON_* */
    psh_query *definition; /**< VIEW: its definition; else NULL */
    psh_subject subject;   /**< ZONE: whose load; else zeros */
} psh_demand_entry;

#define PSH_DEMAND_FORECAST 0 /**< source: the models */
#define PSH_DEMAND_OBSERVED 1 /**< source: what the latest whole window of the same width brought; reactive */

/**
 * A forecast's consequences, ranked: within a kind by score = confidence x upper x max(work, 1) as an integer
 * logarithm (1/1024 of a doubling), ties by id. Zones stand by confidence in steps of 1/100, then by upper.
 */
typedef struct psh_demand psh_demand;

/**
 * @param entries   Shape [n], copied and ranked; definitions are referenced.
 * @param stride    sizeof(psh_demand_entry)
 * @param source    PSH_DEMAND_FORECAST or PSH_DEMAND_OBSERVED
 * @param quantile  what `upper` means, in (0, 1)
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. *out is the caller's.
 */
PSH_API psh_status psh_demand_create(
    psh_env *env, int64_t made_at, uint32_t source, double quantile, const psh_demand_entry *entries, size_t n,
    size_t stride, psh_demand **out, psh_error *err);
/** Takes one reference more. @return its argument. */
PSH_API psh_demand *psh_demand_ref(psh_demand *d);
/** Drops one reference; NULL is allowed. */
PSH_API void psh_demand_unref(psh_demand *d);
/** @return the `now` that it was asked at. */
PSH_API int64_t psh_demand_made_at(const psh_demand *d);
/** @return PSH_DEMAND_*. */
PSH_API uint32_t psh_demand_source(const psh_demand *d);
/** @return what `upper` means. */
PSH_API double psh_demand_quantile(const psh_demand *d);
/** @return entries. */
PSH_API size_t psh_demand_count(const psh_demand *d);
/** Borrowed from d. Entries stand by kind, then rank. @return PSH_OK, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_demand_get(const psh_demand *d, size_t i, psh_demand_entry *out);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_demand_save(const psh_demand *d, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_demand_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_demand **out,
    psh_error *err);
/** Appends text. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_demand_dump(const psh_demand *d, psh_buffer *out);

PSH_END_DECLS
#endif
