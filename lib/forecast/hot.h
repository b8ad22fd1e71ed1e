/* SPDX-License-Identifier: MIT */
/**
 * @file forecast/hot.h  The busiest series get more members: regression on lags, and a network shared by all of them.
 *
 * Each member, the rhythm among them, weighs 1 / error^4 by its own rolling error at each group of leads, in
 * logarithms of 1 + load; members are combined in those logarithms.
 */
#ifndef PSHI_FORECAST_HOT_H
#define PSHI_FORECAST_HOT_H

#include "forecast/shape.h"
#include "model/lstm.h"
#include "model/model.h"

#define PSHI_HOT_MEMBERS 3u /* the rhythm, lags, the network */

/** What a hot series has beyond a regular one. */
typedef struct pshi_hot {
    void *lags;         /* state of PSH_MODEL_LAG; NULL until fitted */
    size_t lags_bytes;
    float error[PSHI_GROUPS][PSHI_HOT_MEMBERS]; /* faded sums of absolute errors */
    float count[PSHI_GROUPS][PSHI_HOT_MEMBERS]; /* and of how many */
    float made[];       /* Shape [shape.pending][PSHI_HOT_MEMBERS]: what each said; < 0: nothing */
} pshi_hot;

pshi_hot *pshi_hot_create(psh_env *env, const pshi_shape *shape);
void pshi_hot_destroy(psh_env *env, pshi_hot *h);
/** Forgets scores and what was said. */
void pshi_hot_reset(pshi_hot *h, const pshi_shape *shape);
size_t pshi_hot_bytes(const pshi_shape *shape, const pshi_hot *h);
/** Fits the lags. @param y  Shape [n], with skip (or NULL) as psh_model_spec.mask. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_hot_fit(
    psh_env *env, pshi_hot *h, const pshi_shape *shape, const float *y, const uint8_t *skip, uint32_t n);
void pshi_hot_update(pshi_hot *h, double y);
/** Learns how far off each member was. @param at  place in made[] */
void pshi_hot_score(pshi_hot *h, uint32_t group, uint32_t at, double y);
/** Weights of the members that say something: >= 0; they sum to 1. */
void pshi_hot_weights(const pshi_hot *h, uint32_t group, const double said[PSHI_HOT_MEMBERS], double *weight);
/** Combines what members said (< 0: nothing). */
double pshi_hot_combine(const pshi_hot *h, uint32_t group, const double said[PSHI_HOT_MEMBERS]);
void pshi_hot_put(pshi_writer *w, const pshi_hot *h, const pshi_shape *shape);
/** @return PSH_OK, PSH_E_NOMEM; bad bytes mark the cursor. */
psh_status pshi_hot_get(psh_env *env, pshi_cursor *c, pshi_hot *h, const pshi_shape *shape);

#endif
