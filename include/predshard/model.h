/* SPDX-License-Identifier: MIT */
/** @file predshard/model.h  One model of one regular series: fit, update, forecast. */
#ifndef PREDSHARD_MODEL_H
#define PREDSHARD_MODEL_H

#include <predshard/forecast.h>
PSH_BEGIN_DECLS

/*
 * Kinds of model. doc/models.md has formulas, sources and differences from them.
 * S is the shortest season of the spec, where there is one.
 */
#define PSH_MODEL_NAIVE 1           /**< the last value */
#define PSH_MODEL_SEASONAL_NAIVE 2  /**< the value one longest season before; without a season as NAIVE */
#define PSH_MODEL_SES 3             /**< simple exponential smoothing */
#define PSH_MODEL_HOLT 4            /**< linear trend */
#define PSH_MODEL_DAMPED 5          /**< damped trend */
#define PSH_MODEL_HOLT_WINTERS 6    /**< damped trend and one season S, additive */
#define PSH_MODEL_ETS 7             /**< error, trend, season chosen by AICc */
#define PSH_MODEL_THETA 8           /**< the standard theta method */
#define PSH_MODEL_DOTM 9            /**< the dynamic optimised theta model */
#define PSH_MODEL_ARIMA 10          /**< orders chosen by AICc, stepwise; seasonal at S */
#define PSH_MODEL_BATS 11           /**< several seasons at once: trigonometric state model (TBATS) */
#define PSH_MODEL_LAG 12            /**< regression on lags, direct per horizon group */
#define PSH_MODEL_SPAR 13           /**< sparse periodic auto-regression */
#define PSH_MODEL_PROFILE 14        /**< mean of each place in the longest season (hour of week) */
#define PSH_MODEL_PROPHET 15        /**< trend with change points, Fourier seasons, events as regressors */
#define PSH_MODEL_CROSTON 16        /**< intermittent demand */
#define PSH_MODEL_SBA 17            /**< Croston, bias approximately removed */
#define PSH_MODEL_TSB 18            /**< intermittent demand with obsolescence */
#define PSH_MODEL_LSTM 19           /**< recurrent network, here of one series alone; shared: psh_forecaster */
#define PSH_MODEL_COMBINED 20       /**< what suits the series: RHYTHM, TSB, or the median of several */
#define PSH_MODEL_RHYTHM 21         /**< lags, profile and naive methods by rolling error: what the forecaster runs */

#define PSH_MODEL_NONNEGATIVE 1u    /**< flag: forecasts and quantiles are at least 0 */

#define PSH_MODEL_MOST_VALUES (1u << 22)
#define PSH_MODEL_MOST_STEPS 65536u

/** No padding; new fields go last, and 0 in them means the default. */
typedef struct psh_model_spec {
    uint32_t struct_size;
    uint32_t kind;             /**< PSH_MODEL_* */
    uint32_t flags;            /**< PSH_MODEL_NONNEGATIVE or 0 */
    uint32_t horizon;          /**< steps ahead that matter, 1..65536; default two of the shortest season, or 8 */
    uint32_t season[3];        /**< steps per season, ascending, 2..65536; 0 = none from there on */
    uint32_t regressor_count;  /**< 0..64; PROPHET and LAG use them, others refuse */
    const double *regressors;  /**< Shape [n][regressor_count], finite; borrowed during fit */
    const uint8_t *mask;       /**< Shape [n] or NULL; not 0: the value is no guide (an anomaly, a gap) */
    uint64_t seed;             /**< of what is drawn at random; default 0 */
} psh_model_spec;

/** A model fitted to one series. Threads  calls on one object must not overlap; forecast is const. */
typedef struct psh_model psh_model;

/** @return the kind's short name, e.g. "ets"; "" for others. Static text. */
PSH_API const char *psh_model_name(uint32_t kind);
/** @return the kind with a name, or 0. */
PSH_API uint32_t psh_model_kind(const char *name);

/**
 * Fits a model. Histories too short for the kind fall back inside it (a season that was not seen twice is left out,
 * then the trend): every kind answers from one value on.
 * @param values  Shape [n], finite, |value| <= 2^100; 1 <= n <= PSH_MODEL_MOST_VALUES. Borrowed during the call.
 * @return PSH_OK, PSH_E_INVALID (err names the field), PSH_E_UNSUPPORTED, PSH_E_NOMEM. *out is the caller's.
 */
PSH_API psh_status psh_model_fit(
    psh_env *env, const psh_model_spec *spec, const double *values, size_t n, psh_model **out, psh_error *err);
/** NULL is allowed. */
PSH_API void psh_model_destroy(psh_model *m);
/**
 * One value more, parameters unchanged. O(1) in the length of history.
 * @param x  Shape [regressor_count] at that step; NULL without regressors.
 * @return PSH_OK, PSH_E_INVALID (the model is unchanged).
 */
PSH_API psh_status psh_model_update(psh_model *m, double value, const double *x);
/**
 * The next `steps` values.
 * @param x          Shape [steps][regressor_count]; NULL without regressors.
 * @param levels     Shape [level_count], ascending in (0, 1); NULL if level_count is 0.
 * @param mean       Shape [steps], finite.
 * @param quantiles  Shape [steps][level_count], ascending in a row; NULL if level_count is 0.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM.
 */
PSH_API psh_status psh_model_forecast(
    const psh_model *m, uint32_t steps, const double *x, const double *levels, uint32_t level_count, double *mean,
    double *quantiles);
/** @return PSH_MODEL_*; 0 for NULL. */
PSH_API uint32_t psh_model_kind_of(const psh_model *m);
/** @return bytes that the fitted model takes. */
PSH_API size_t psh_model_bytes(const psh_model *m);
/** Appends one line: kind, form chosen, parameters, criterion. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_model_dump(const psh_model *m, psh_buffer *out);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_model_save(const psh_model *m, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_model_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_model **out, psh_error *err);

PSH_END_DECLS
#endif
