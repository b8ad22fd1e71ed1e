/* SPDX-License-Identifier: MIT */
/** @file compact.h  A short day: a few origins, a row every few minutes, through every state of a partition. */
#ifndef TEST_LOOP_COMPACT_H
#define TEST_LOOP_COMPACT_H

#include "rig.h"

#define COMPACT_INTERVAL PSH_HOUR
#define COMPACT_COMMIT (15 * PSH_MINUTE)

/** Fills n flights, `every` ns apart. */
void compact_flights(rig_flight *out, size_t n, int64_t every);
/** Asks the routed answer and the base's. @return the first failure; *same is 1 if they are equal. */
psh_status compact_ask(rig *r, uint32_t template, int64_t now, int *same);
/** Rows that retention has deleted, by the audit. */
uint64_t compact_dropped_rows(const rig *r);
/** Rows that the map knows of. */
uint64_t compact_map_rows(const rig *r);

#endif
