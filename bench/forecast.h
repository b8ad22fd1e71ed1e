/* SPDX-License-Identifier: MIT */
/** @file forecast.h  The parts of bench_forecast. Each takes its own argv, [0] its name. @return the exit code. */
#ifndef BENCH_FORECAST_H
#define BENCH_FORECAST_H

#include <predshard.h>

int bench_forecast_m4(int argc, char **argv);
int bench_forecast_m3(int argc, char **argv);
int bench_forecast_sparse(int argc, char **argv);
int bench_forecast_loads(int argc, char **argv);
int bench_forecast_events(int argc, char **argv);
int bench_forecast_nab(int argc, char **argv);
int bench_forecast_scale(int argc, char **argv);
int bench_forecast_observe(int argc, char **argv);

/**
 * @param name  as psh_model_name gives it; NULL: "combined", or the first of fallback that this build has.
 * @return PSH_MODEL_*; ends the bench where a name given is unknown.
 */
uint32_t bench_kind(const char *name, const char *fallback);

/** One table "load" of (tenant text, time), which forecasters of loads are made with. */
psh_schema *bench_load_schema(psh_env *env);
/** @return psh_tenant_id of a text. */
uint64_t bench_tenant(const char *key);
/** Closes all buckets that ended by now and makes every fit that is due. */
void bench_step(psh_forecaster *f, int64_t now);

/** Something that is known ahead. */
typedef struct bench_event {
    int64_t from;
    int64_t to;
    const char *name; /**< events of one name are alike, e.g. "holiday" */
    const char *key;  /**< whose, NULL or "" = everybody's */
} bench_event;
/** Tells a forecaster. @return PSH_OK; PSH_E_UNSUPPORTED: the library takes no events yet. */
psh_status bench_announce(psh_forecaster *f, const bench_event *e);

#endif
