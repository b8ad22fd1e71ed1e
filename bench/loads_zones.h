/* SPDX-License-Identifier: MIT */
/** @file loads_zones.h  Hot zones foretold against those that came. */
#ifndef BENCH_LOADS_ZONES_H
#define BENCH_LOADS_ZONES_H

#include <predshard.h>

#include "loads_io.h"
#include "plot.h"

typedef struct zones zones;

zones *zones_create(const loads *l);
/** Asks for the zones of the 24 hours from hour t on, whole and hour by hour, and scores them. */
void zones_origin(zones *z, psh_forecaster *f, size_t t);
/** Hour t has come: the trailing means go on. */
void zones_hour(zones *z, size_t t);
/** page may be NULL. */
void zones_print(const zones *z, plot *page);
void zones_destroy(zones *z);

#endif
