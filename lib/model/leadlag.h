/* SPDX-License-Identifier: MIT */
/** @file model/leadlag.h  Host metrics that move before a load does: found, used while they help, dropped. */
#ifndef PSHI_MODEL_LEADLAG_H
#define PSHI_MODEL_LEADLAG_H

#include "codec/fields.h"

#define PSHI_LEADLAG_MOST_METRICS 64u
#define PSHI_LEADLAG_MOST_LAGS 256u
#define PSHI_LEADLAG_MOST_SEASON 65536u

typedef struct pshi_leadlag_options {
    uint32_t metrics; /* 1..64 */
    uint32_t lags;    /* longest lead looked for, in buckets, 1..256 */
    uint32_t season;  /* of the metrics, in buckets, 2..65536; 0: none */
    uint32_t memory;  /* buckets after which an observation weighs 1/e, 32..65536 */
    double risk;      /* chance that a lag of unrelated metrics looks significant at one bucket, (0, 0.5] */
} pshi_leadlag_options;

typedef struct pshi_leadlag_info {
    uint32_t lag;       /* buckets by which the metric leads, as best known; 0: none is significant */
    uint32_t used;      /* 1: corrections come from it */
    double correlation; /* at that lag, of the innovations; 0 without one */
    double gain;        /* share of the recent squared error that it took away, out of sample; below 0: it adds */
} pshi_leadlag_info;

/** One load series and its candidates. Not for two threads at once. */
typedef struct pshi_leadlag pshi_leadlag;

/** No season, 24 lags, memory 512, risk 1e-4. */
void pshi_leadlag_defaults(pshi_leadlag_options *o, uint32_t metrics);
/** @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. *out is the caller's. */
psh_status pshi_leadlag_create(psh_env *env, const pshi_leadlag_options *o, pshi_leadlag **out);
/** NULL is allowed. */
void pshi_leadlag_destroy(pshi_leadlag *l);
/** @return bytes that one with these options will hold. */
size_t pshi_leadlag_room(const pshi_leadlag_options *o);
/** What it was made with. */
void pshi_leadlag_options_of(const pshi_leadlag *l, pshi_leadlag_options *out);
/** @return bytes held; they do not grow. */
size_t pshi_leadlag_bytes(const pshi_leadlag *l);
/**
 * One bucket, complete: O(metrics * lags).
 * @param residual  the load minus its forecast of one bucket before, without any correction; not finite or beyond
 *                  2^100: not known
 * @param values    Shape [metrics], of the same bucket; likewise
 */
void pshi_leadlag_observe(pshi_leadlag *l, double residual, const double *values);
/**
 * What to add to a forecast, made after the last bucket observed, of the load `lead` buckets on.
 * @return the correction in units of the load, finite; 0 where no metric in use leads by that much.
 */
double pshi_leadlag_correct(const pshi_leadlag *l, uint32_t lead);
/** @return PSH_OK, PSH_E_INVALID (there is no such metric). */
psh_status pshi_leadlag_info_of(const pshi_leadlag *l, uint32_t metric, pshi_leadlag_info *out);
/** Everything: a loaded one goes on as the one saved. */
void pshi_leadlag_save(const pshi_leadlag *l, pshi_writer *w);
/** Marks the cursor where the bytes are bad. @return it (maybe nonsense if marked), or NULL (no memory). */
pshi_leadlag *pshi_leadlag_load(psh_env *env, pshi_cursor *c);

#endif
