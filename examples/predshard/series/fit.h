/* SPDX-License-Identifier: MIT */
/** @file fit.h  One series through one model of the library: forecast, and a backtest on its end. */
#ifndef TOOL_FIT_H
#define TOOL_FIT_H

#include <predshard.h>

#include "grid.h"

typedef struct fit {
    grid series;
    char *key;            /**< borrowed */
    uint32_t kind;        /**< PSH_MODEL_* */
    uint32_t flags;
    uint32_t horizon;
    uint32_t season[MAX_SEASONS];
    uint32_t season_count;
    char *model;          /**< the line of psh_model_dump */
    double *mean;         /**< Shape [horizon] */
    double *quantile;     /**< Shape [horizon][levels] */
    uint32_t held_out;    /**< steps of the backtest; 0 = too short for one */
    uint32_t scored;      /**< of them those with a value */
    double *held_mean;    /**< Shape [held_out]: what was forecast for the end of the series */
    double *held_quantile; /**< Shape [held_out][levels] */
    double mase;          /**< mean absolute error over the seasonal naive's inside the history; NaN unknown */
    double mae;
    double coverage;      /**< share inside the outer levels; NaN unknown */
} fit;

/** Fits and forecasts; series is set. @return EXIT_DONE, EXIT_USAGE, EXIT_INTERNAL. */
int fit_run(psh_env *env, const forecast_options *o, fit *x, failure *f);
void fit_free(fit *x);

#endif
