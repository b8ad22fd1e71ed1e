/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "model/model.h"

/* In the order of their numbers. */
static const pshi_model_class *const classes[] = {
    [PSH_MODEL_NAIVE] = &pshi_model_naive,
    [PSH_MODEL_SEASONAL_NAIVE] = &pshi_model_seasonal_naive,
    [PSH_MODEL_COMBINED] = &pshi_model_combined,
    [PSH_MODEL_RHYTHM] = &pshi_model_rhythm,
    [PSH_MODEL_SES] = &pshi_model_ses,
    [PSH_MODEL_HOLT] = &pshi_model_holt,
    [PSH_MODEL_DAMPED] = &pshi_model_damped,
    [PSH_MODEL_HOLT_WINTERS] = &pshi_model_holt_winters,
    [PSH_MODEL_ETS] = &pshi_model_ets,
    [PSH_MODEL_THETA] = &pshi_model_theta,
    [PSH_MODEL_DOTM] = &pshi_model_dotm,
    [PSH_MODEL_CROSTON] = &pshi_model_croston,
    [PSH_MODEL_SBA] = &pshi_model_sba,
    [PSH_MODEL_TSB] = &pshi_model_tsb,
    [PSH_MODEL_LAG] = &pshi_model_lag,
    [PSH_MODEL_SPAR] = &pshi_model_spar,
    [PSH_MODEL_PROFILE] = &pshi_model_profile,
    [PSH_MODEL_PROPHET] = &pshi_model_prophet,
    [PSH_MODEL_ARIMA] = &pshi_model_arima,
    [PSH_MODEL_BATS] = &pshi_model_bats,
    [PSH_MODEL_LSTM] = &pshi_model_lstm,
};

const pshi_model_class *pshi_model_class_of(uint32_t kind) {
    return kind < sizeof classes / sizeof *classes ? classes[kind] : NULL;
}

const char *psh_model_name(uint32_t kind) {
    const pshi_model_class *c = pshi_model_class_of(kind);

    return c ? c->name : "";
}

uint32_t psh_model_kind(const char *name) {
    uint32_t kind;

    for (kind = 1; name && kind < sizeof classes / sizeof *classes; kind++)
        if (classes[kind] && strcmp(classes[kind]->name, name) == 0)
            return kind;
    return 0;
}
