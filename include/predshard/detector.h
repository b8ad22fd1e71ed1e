/* SPDX-License-Identifier: MIT */
/** @file predshard/detector.h  Anomalies and change points of one series, as its values come. */
#ifndef PREDSHARD_DETECTOR_H
#define PREDSHARD_DETECTOR_H

#include <predshard/schema.h>
PSH_BEGIN_DECLS

/**
 * Watches one series without looking ahead. 24 signals (the value, means, sizes of changes, seasonal and local
 * residuals, waits, entropy) are each ranked against their own past with Pareto tails; their surprises are summed,
 * discounted by alarms just told and by alarms usual at that time of the season, and ranked again against the past.
 * State is one block of fixed size (psh_detector_bytes), allocated at creation.
 *
 * Threads  Calls on one object must not overlap.
 * Repeat   Same build, options and values give the same verdicts and the same saved bytes.
 * Source   Tails: Siffer et al. 2017. Changes: Page 1954. doc/models.md has formulas and differences.
 */
typedef struct psh_detector psh_detector;

/** No padding; new fields go last, and 0 in them means the default. */
typedef struct psh_detector_options {
    uint32_t struct_size;
    uint32_t flags;       /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    int64_t season[2];    /**< ns, ascending; 0: one day, one week; < 0: none. Not 0 below 96 ns and 168 ns */
    uint32_t probation;   /**< values before the first alarm, 20..100000; default 300 */
    uint32_t quiet;       /**< values in which an alarm fades, so that it is told once; default probation / 6 */
    double threshold;     /**< a score from here on is an anomaly, in (0, 1); default 0.5 */
} psh_detector_options;

#define PSH_VERDICT_ANOMALOUS 1u  /**< flag: the score reaches the threshold */
#define PSH_VERDICT_LEVEL 2u      /**< flag: a change point: a new level is accepted from here on */
#define PSH_VERDICT_SPREAD 4u     /**< flag: a change point: a new variance is accepted from here on */
#define PSH_VERDICT_OUTLIER 8u    /**< flag: this value alone is no guide to the next: mask it */

/** No padding. Set struct_size before the call. */
typedef struct psh_verdict {
    uint32_t struct_size;
    uint32_t flags;       /**< PSH_VERDICT_* */
    double score;         /**< in [0, 1]; 0 in probation */
    double expected;      /**< of the value, before it was seen */
    uint64_t run_length;  /**< values since the last change point or the start, this one included */
    uint32_t signal;      /**< the signal most surprised, see psh_detector_signal_name */
    uint32_t reserved;    /**< 0 */
} psh_verdict;

/** @return the signal's short name, e.g. "mean 24"; "" for others. Static text. */
PSH_API const char *psh_detector_signal_name(uint32_t signal);

/**
 * @param o  Copied; NULL means defaults.
 * @return PSH_OK, PSH_E_INVALID (err names the field), PSH_E_UNSUPPORTED, PSH_E_NOMEM. *out is the caller's.
 */
PSH_API psh_status psh_detector_create(
    psh_env *env, const psh_detector_options *o, psh_detector **out, psh_error *err);
/** NULL is allowed. */
PSH_API void psh_detector_destroy(psh_detector *d);
/**
 * One value. O(1), no allocation. Gaps in time are fine; most signals count values, not time.
 * @param time   ns, not before the last one's; PSH_TIME_NONE is refused
 * @param value  finite, |value| <= 2^100
 * @return PSH_OK, PSH_E_INVALID, PSH_E_TIME (time went back). After an error nothing has changed.
 */
PSH_API psh_status psh_detector_observe(psh_detector *d, int64_t time, double value, psh_verdict *out);
/** @return bytes that one detector takes; 0 for NULL. */
PSH_API size_t psh_detector_bytes(const psh_detector *d);
/** Appends one line: options and where it stands. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_detector_dump(const psh_detector *d, psh_buffer *out);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_detector_save(const psh_detector *d, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_detector_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_detector **out, psh_error *err);

PSH_END_DECLS
#endif
