/* SPDX-License-Identifier: MIT */
/** @file predshard/forecaster.h  Learns from queries and writes, and says what will be asked. */
#ifndef PREDSHARD_FORECASTER_H
#define PREDSHARD_FORECASTER_H

#include <predshard/forecast.h>
#include <predshard/host.h>
PSH_BEGIN_DECLS

/**
 * One regular series per table, queries of a table, tenant, template, label and partition; each is forecast by
 * the seasonal naive and damped additive Holt-Winters at two seasons, weighted by rolling out-of-sample error,
 * with conformal intervals from its own scored forecasts.
 *
 * Threads  Calls on one object must not overlap; observers take records from other threads.
 * Time     No clock inside. Event times may be out of order within lateness_ns; `now` never decreases.
 * Repeat   Same build, options and calls give the same saved bytes.
 * Source   Seasonal naive, damped Holt-Winters: Hyndman & Athanasopoulos, "Forecasting: Principles and
 *          Practice", 3rd ed., sections 5.2 and 8.3. Conformal: Vovk, Gammerman & Shafer 2005;
 *          its adaptive level: Gibbs & Candes 2021. doc/models.md has formulas and differences.
 */
typedef struct psh_forecaster psh_forecaster;

/** No padding; new fields go last, and 0 in them means the default. */
typedef struct psh_forecaster_options {
    uint32_t struct_size;
    uint32_t flags;          /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    int64_t bucket_ns;       /**< width of one sample, 1 ms..366 days; default 1 h */
    uint32_t season_short;   /**< buckets per short season, 2..4096; default 24 */
    uint32_t season_long;    /**< buckets per long season, a multiple of the short, <= 65536; default 168 */
    uint32_t horizon;        /**< buckets ahead that are scored, 1..season_long; default 48 */
    uint32_t max_templates;  /**< default 4096; of 64 looked at, the one least asked lately goes first */
    uint32_t max_tenants;    /**< default 65536 */
    uint32_t max_series;     /**< all kinds together; default 131072 */
    uint64_t max_bytes;      /**< heap cap, shedding is counted; default 1 GiB */
    int64_t lateness_ns;     /**< how late an event may be and still count, < 8192 buckets; default 1 h, or as
                              *   long as short buckets allow; < 0: not at all */
    uint32_t history;        /**< closed buckets kept for refits, 2 bytes each per active series; at least
                              *   2 season_long + 2, default 12 season_long + 2 */
    uint32_t max_key_sketches; /**< subjects whose keys are kept, <= 65536; default 64 */
    uint32_t max_hot;        /**< series, the busiest, that get more members; default 256 */
    uint32_t network;        /**< cells of an LSTM that hot series share, a multiple of 8 up to 256; 0: none */
    uint32_t max_events;     /**< that are known ahead, <= 65536; default 1024 */
    uint32_t max_metrics;    /**< that may lead loads, <= 64; default 8 */
    uint32_t max_alerts;     /**< held, the latest, <= 65536; default 256 */
    uint32_t max_segments;   /**< segments of tenants that a table may have, <= 32; default 8; PSH_NONE = none */
} psh_forecaster_options;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_forecaster_options_init(psh_forecaster_options *o, uint32_t size);
/**
 * @param o  Copied; NULL means defaults.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED, PSH_E_NOMEM.
 */
PSH_API psh_status psh_forecaster_create(
    psh_env *env, psh_schema *schema, const psh_forecaster_options *o, psh_forecaster **out, psh_error *err);
/** Its observers must be destroyed first. NULL is allowed. */
PSH_API void psh_forecaster_destroy(psh_forecaster *f);

/** One query that ran. Durations are recorded inputs; decisions use work, never durations. */
typedef struct psh_query_record {
    uint32_t struct_size;
    uint32_t reserved;       /**< 0 */
    psh_query *query;        /**< referenced as long as needed */
    int64_t time;            /**< when it arrived */
    int64_t duration_ns;     /**< >= 0 */
    uint64_t rows;           /**< rows of the answer */
    uint64_t bytes;          /**< bytes of the answer */
    uint64_t work;           /**< work units spent, e.g. database steps; 0 if unknown */
    uint64_t tenant;         /**< psh_tenant_id, 0 = none */
    double weight;           /**< 1, or 1 / sampling rate, > 0 */
    uint32_t at_base;        /**< 1 if the base alone answered, so that work tells what a view would save */
    uint32_t reserved2;      /**< 0 */
} psh_query_record;

/** Rows that were written. */
typedef struct psh_write_record {
    uint32_t struct_size;
    uint32_t table;
    int64_t time;            /**< event time */
    uint64_t tenant;         /**< psh_tenant_id, 0 = none */
    uint64_t partition;      /**< where they went, 0 = unknown */
    uint64_t rows;           /**< >= 1 */
    uint64_t bytes;
    const psh_label *labels; /**< Shape [label_count] */
    size_t label_count;      /**< <= 16 */
} psh_write_record;

/**
 * O(1). Where a limit refuses a series, the record counts in its others, and stats tell what was shed.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_TIME (too late, or farther ahead than two short seasons, at
 *         least 48 buckets, from the last step), PSH_E_LIMIT (no series could count it: shed), PSH_E_NOMEM.
 */
PSH_API psh_status psh_forecaster_observe_query(psh_forecaster *f, const psh_query_record *r);
/** O(1). The same returns. */
PSH_API psh_status psh_forecaster_observe_write(psh_forecaster *f, const psh_write_record *r);

/**
 * A bounded buffer that one other thread fills and the forecaster's next step drains, observers in the order
 * of their creation. A full buffer sheds the new record and counts it.
 */
typedef struct psh_observer psh_observer;
/**
 * @param capacity  records, 1..2^20; 0 = 1024.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. Threads  the forecaster's.
 */
PSH_API psh_status psh_observer_create(psh_forecaster *f, uint32_t capacity, psh_observer **out);
/** Drains nothing: what was not drained is lost. Threads  the forecaster's. NULL is allowed. */
PSH_API void psh_observer_destroy(psh_observer *o);
/** Wait-free, no allocation. Labels are kept as ids. @return PSH_OK, PSH_E_INVALID, PSH_E_LIMIT (full: shed). */
PSH_API psh_status psh_observer_query(psh_observer *o, const psh_query_record *r);
/** The same. */
PSH_API psh_status psh_observer_write(psh_observer *o, const psh_write_record *r);
/** @return records shed since creation. */
PSH_API uint64_t psh_observer_shed(const psh_observer *o);

/**
 * Drains observers, closes buckets that ended before now - lateness_ns, scores the forecasts made for them,
 * refits at most `budget` series; where a short season ended, places templates in clusters (all of them at once).
 * @return PSH_OK, PSH_AGAIN (more series are due), PSH_E_TIME (now went back), PSH_E_NOMEM.
 */
PSH_API psh_status psh_forecaster_step(psh_forecaster *f, int64_t now, uint32_t budget);

/**
 * The next `steps` buckets of one series from the bucket that holds `from`, quantiles at 0.05, 0.25, 0.5,
 * 0.75, 0.9, 0.95, 0.99.
 * @return PSH_OK, PSH_E_NO_FORECAST (err->text gives the reason), PSH_E_INVALID, PSH_E_NOMEM.
 */
PSH_API psh_status psh_forecaster_forecast(
    psh_forecaster *f, const psh_subject *subject, int64_t from, uint32_t steps, psh_forecast **out,
    psh_error *err);

/**
 * The host's matrix products for the network that hot series share (options.network); NULL: the built-in ones again.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED (no network, or a table that this build does not know).
 */
PSH_API psh_status psh_forecaster_set_gemm(psh_forecaster *f, const psh_gemm_host *host);

typedef struct psh_demand_request {
    uint32_t struct_size;
    uint32_t source;      /**< PSH_DEMAND_FORECAST or PSH_DEMAND_OBSERVED */
    int64_t now;
    int64_t from;         /**< window asked about; from >= now for forecasts */
    int64_t to;           /**< <= from + horizon */
    double quantile;      /**< of `upper`, in (0, 1); default 0.95 */
    uint32_t max_views;   /**< most VIEW entries; 0 = 64 */
    uint32_t max_zones;   /**< most ZONE entries; 0 = 16 */
    uint32_t max_tenants; /**< most TENANT entries; 0 = 4096 */
    uint32_t reserved;    /**< 0 */
} psh_demand_request;

/**
 * Demand in a window: rows per interval and table (the first 4096 intervals of each), tenants' shares, views
 * ranked, hot zones ranked.
 * @return PSH_OK (perhaps with no entry), PSH_E_INVALID, PSH_E_NOMEM.
 */
PSH_API psh_status psh_forecaster_demand(
    psh_forecaster *f, const psh_demand_request *r, psh_demand **out, psh_error *err);

/** How well one series was forecast, one bucket to `horizon` ahead, rolling. */
typedef struct psh_score {
    uint32_t struct_size;
    uint32_t reserved;    /**< 0 */
    uint64_t scored;      /**< forecasts that came due */
    double mae;           /**< mean absolute error, per bucket */
    double mae_naive;     /**< of the seasonal naive on the same buckets */
    double coverage90;    /**< share of values inside the central 90 % interval */
    double skill;         /**< 1 - mae / mae_naive; 0 if unknown */
} psh_score;
/** @return PSH_OK, PSH_E_NOT_FOUND. */
PSH_API psh_status psh_forecaster_score(psh_forecaster *f, const psh_subject *subject, psh_score *out);

typedef struct psh_forecaster_stats {
    uint32_t struct_size;
    uint32_t series;
    uint32_t templates;
    uint32_t tenants;
    uint64_t observed;    /**< records taken in */
    uint64_t shed;        /**< records or series refused under a limit, or too late */
    uint64_t bytes;       /**< heap in use */
    double calibration_error; /**< of VIEW and ZONE confidence, 10 equal-mass bins; 0 if too few */
    uint64_t calibrated;  /**< predictions of VIEW and ZONE that came due */
} psh_forecaster_stats;
/** Fills the first out->struct_size bytes. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_forecaster_get_stats(const psh_forecaster *f, psh_forecaster_stats *out);

/** What was learned of one template. */
typedef struct psh_template_info {
    uint64_t id;
    psh_query *example;    /**< the latest query of it, borrowed */
    double count;          /**< weighted, all time */
    double work;           /**< mean at the base, scaled to the span of data that requests reach over now */
    double duration_ns;    /**< mean */
    double rows;           /**< mean */
    int64_t align_ns;      /**< what the time bounds seen are multiples of; 0 = none */
    int64_t reach_ns;      /**< how far back it looks, the most seen */
    int64_t last_seen;
} psh_template_info;
/** @return templates known. */
PSH_API size_t psh_forecaster_template_count(const psh_forecaster *f);
/**
 * By count, most first; ties by id. Borrowed until the next call that is not const.
 * @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_INVALID, PSH_E_NOMEM.
 */
PSH_API psh_status psh_forecaster_template(psh_forecaster *f, size_t i, psh_template_info *out);

/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_forecaster_save(const psh_forecaster *f, psh_buffer *out);
/** Options come with the bytes. @return as psh_schema_load. */
PSH_API psh_status psh_forecaster_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_forecaster **out,
    psh_error *err);

PSH_END_DECLS
#endif
