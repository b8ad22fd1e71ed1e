/* SPDX-License-Identifier: MIT */
/** @file loads_peers.h  The models that others put to hourly loads, on the same keys and origins. */
#ifndef BENCH_LOADS_PEERS_H
#define BENCH_LOADS_PEERS_H

#include <predshard.h>

#include "loads_io.h"

#define LEADS 3u
#define FARTHEST 168u

/** Hours ahead that are scored: 1, 24, 168. */
extern const uint32_t bench_leads[LEADS];
extern const char *const bench_lead_names[LEADS];

typedef struct peers peers;

/**
 * All kinds of spar, lag, profile and seasonal naive that this build has, one model a key on log(1 + load), which
 * the error is measured in.
 * @param wanted  Shape [keys], borrowed: 1 = scored.
 * @param refit   origins between fits, >= 1; in between each hour is an update.
 */
peers *peers_create(psh_env *env, const loads *l, const uint8_t *wanted, uint32_t refit);
/** Forecasts from hour t on, and scores what the data reach. */
void peers_origin(peers *p, size_t t);
/** Hour t has come. */
void peers_hour(peers *p, size_t t);
/** Prints each, and the ratio of ours to the best of spar, lag and profile. mse is ours, Shape [LEADS]. */
void peers_print(const peers *p, const double mse[LEADS]);
void peers_destroy(peers *p);

#endif
