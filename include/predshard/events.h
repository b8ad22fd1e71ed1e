/* SPDX-License-Identifier: MIT */
/** @file predshard/events.h  Events known ahead, metrics that lead a load, and alerts. */
#ifndef PREDSHARD_EVENTS_H
#define PREDSHARD_EVENTS_H

#include <predshard/forecaster.h>
PSH_BEGIN_DECLS

#define PSH_EVENT_HOLIDAY 1    /**< kinds; any other number but 0 is the host's, e.g. psh_event_kind */
#define PSH_EVENT_PROMOTION 2
#define PSH_EVENT_CAMPAIGN 3
#define PSH_EVENT_DEPLOYMENT 4

#define PSH_EVENT_ONCE 0       /**< how it recurs */
#define PSH_EVENT_SPAN 1       /**< every_ns after the last start */
#define PSH_EVENT_WEEKLY 2
#define PSH_EVENT_MONTHLY 3    /**< the same day of the month, UTC */
#define PSH_EVENT_YEARLY 4     /**< the same civil date, UTC */

#define PSH_EVENT_DAY_LAST 0   /**< where a month lacks the day: its last day */
#define PSH_EVENT_DAY_NEXT 1   /**< the first day of the next */
#define PSH_EVENT_DAY_SKIP 2   /**< not at all */

#define PSH_EVENT_ONE_OFF 1u   /**< flag: never to come again; it teaches other events nothing */

/** A window of time in which loads are not what they would be. No padding. */
typedef struct psh_event {
    uint32_t struct_size;
    uint32_t every;          /**< PSH_EVENT_ONCE and so on */
    uint64_t id;             /**< not 0, one event each */
    uint64_t kind;           /**< not 0: events of one kind are alike */
    psh_subject scope;       /**< kind 0: all; TABLE: all of it; TENANT, LABEL: that one, table PSH_NONE = in all */
    int64_t from;            /**< of the first window */
    int64_t to;              /**< > from, at most until the next window (28 days monthly, 365 yearly) */
    int64_t every_ns;        /**< PSH_EVENT_SPAN only, else 0 */
    uint32_t missing_day;    /**< PSH_EVENT_DAY_* */
    uint32_t flags;          /**< PSH_EVENT_ONE_OFF */
    uint64_t behaves_like;   /**< id of another event, or 0 */
    double prior_factor;     /**< expected: 1.5 is half as much again; 1/64 to 64, 0 = no idea */
    double prior_weight;     /**< windows seen that this is worth, (0, 1000]; 0 without a factor */
} psh_event;

/** @return a 64-bit hash of a kind's name; never 0. */
PSH_API uint64_t psh_event_kind(const char *name);
/**
 * From now on forecasts reckon with it. Its buckets, past or to come, teach effects and not seasons.
 * @param e  copied
 * @return PSH_OK, PSH_E_INVALID, PSH_E_EXISTS (the id, or all but it), PSH_E_LIMIT (max_events), PSH_E_NOMEM.
 */
PSH_API psh_status psh_forecaster_add_event(psh_forecaster *f, const psh_event *e, psh_error *err);
/** What it taught about its kind stays. @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_INVALID. */
PSH_API psh_status psh_forecaster_remove_event(psh_forecaster *f, uint64_t id);
/** @return events held. */
PSH_API size_t psh_forecaster_event_count(const psh_forecaster *f);

/** What is known of an event. */
typedef struct psh_event_info {
    uint32_t struct_size;
    uint32_t occurrences;    /**< windows learned from */
    uint64_t id;
    uint64_t kind;
    double factor;           /**< mean over a window of what it is taken to multiply a load by */
} psh_event_info;
/**
 * By index, in the order of adding.
 * @param subject  whose load; NULL: one of which nothing was seen yet
 * @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_INVALID.
 */
PSH_API psh_status psh_forecaster_event(
    const psh_forecaster *f, size_t i, const psh_subject *subject, psh_event_info *out);

/**
 * A number of the host that may move before a load does, e.g. visits of a page. Where it lowers the rolling error
 * it corrects forecasts, up to as far ahead as it leads.
 * @param scope  kind 0: all tables; TABLE: writes and queries of one; else one series
 * @return PSH_OK, PSH_E_INVALID, PSH_E_EXISTS, PSH_E_LIMIT (max_metrics), PSH_E_NOMEM.
 */
PSH_API psh_status psh_forecaster_add_metric(
    psh_forecaster *f, uint64_t id, const psh_subject *scope, psh_error *err);
/**
 * O(metrics). Values of one bucket are averaged; a bucket without a value is unknown.
 * @param value  finite, at most 2^100 in size
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOT_FOUND, PSH_E_TIME (as psh_forecaster_observe_write).
 */
PSH_API psh_status psh_forecaster_observe_metric(psh_forecaster *f, uint64_t id, int64_t time, double value);
/** @return metrics held. */
PSH_API size_t psh_forecaster_metric_count(const psh_forecaster *f);

/** What a metric is to one series. */
typedef struct psh_metric_info {
    uint32_t struct_size;
    uint32_t lag;            /**< buckets by which it leads; 0: none is significant */
    uint64_t id;
    double correlation;      /**< at that lag, of what neither's own past tells */
    double gain;             /**< share of the recent squared error of the next bucket that it takes away */
    uint32_t used;           /**< 1: forecasts are corrected by it */
    uint32_t reserved;
} psh_metric_info;
/** By index, in the order of adding. @return PSH_OK, PSH_E_NOT_FOUND (or not looked at yet), PSH_E_INVALID. */
PSH_API psh_status psh_forecaster_metric(
    const psh_forecaster *f, const psh_subject *subject, size_t i, psh_metric_info *out);

#define PSH_ALERT_OUTLIER 1        /**< one value far from its forecast; it teaches nothing */
#define PSH_ALERT_LEVEL_SHIFT 2    /**< several: it is the new level, and is learned */
#define PSH_ALERT_ERROR_DRIFT 3    /**< errors grow; value, expected: the last size and the usual, in deviations */
#define PSH_ALERT_NO_SKILL 4       /**< no better than the seasonal naive; value, expected: mean errors of both */
#define PSH_ALERT_SKILL_BACK 5     /**< better again */
#define PSH_ALERT_COVERAGE_DRIFT 6 /**< fewer values inside the central 90 % than 80 %; value: the share */

/** At most one of a kind per series and day (UTC). */
typedef struct psh_alert {
    uint32_t struct_size;
    uint32_t kind;           /**< PSH_ALERT_* */
    psh_subject subject;
    int64_t time;            /**< start of the bucket */
    double value;
    double expected;
} psh_alert;
/** @return alerts held: the latest, at most max_alerts. */
PSH_API size_t psh_forecaster_alert_count(const psh_forecaster *f);
/** The oldest first. @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_INVALID. */
PSH_API psh_status psh_forecaster_alert(const psh_forecaster *f, size_t i, psh_alert *out);
/** NULL is allowed. */
PSH_API void psh_forecaster_alerts_clear(psh_forecaster *f);

PSH_END_DECLS
#endif
