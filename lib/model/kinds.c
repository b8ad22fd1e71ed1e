/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "model/model.h"

/* In the order of their numbers. */
static const pshi_model_class *const classes[] = {
    [PSH_MODEL_NAIVE] = &pshi_model_naive,
    [PSH_MODEL_SEASONAL_NAIVE] = &pshi_model_seasonal_naive,
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
