/* SPDX-License-Identifier: MIT */
#include "forecast/signals.h"

#include <string.h>

#include "base/env.h"

psh_status pshi_signals_init(
    psh_env *env, const pshi_shape *shape, const psh_forecaster_options *o, pshi_signals *out) {
    memset(out, 0, sizeof *out);
    out->env = env;
    out->max_events = o->max_events;
    out->max_metrics = o->max_metrics;
    out->max_alerts = o->max_alerts;
    out->alerts = pshi_calloc(env, o->max_alerts, sizeof *out->alerts);
    out->factor = pshi_calloc(env, shape->max_lead, sizeof *out->factor);
    if (out->alerts && out->factor)
        return PSH_OK;
    pshi_signals_free(out);
    return PSH_E_NOMEM;
}

void pshi_signals_free(pshi_signals *g) {
    uint32_t i;

    if (!g->env)
        return;
    for (i = 0; i < g->metric_count; i++)
        pshi_free(g->env, g->metrics[i].open);
    pshi_free(g->env, g->metrics);
    pshi_free(g->env, g->factor);
    pshi_free(g->env, g->alerts);
    pshi_calendar_destroy(g->calendar);
    memset(g, 0, sizeof *g);
}

uint64_t pshi_signals_bytes(const pshi_signals *g, const pshi_shape *shape) {
    uint64_t metrics = g->metrics ? g->max_metrics * sizeof *g->metrics : 0;

    metrics += (uint64_t)g->metric_count * shape->open * sizeof(pshi_metric_bucket);
    return g->calendar_bytes + metrics + shape->max_lead * sizeof *g->factor + g->max_alerts * sizeof *g->alerts;
}
