/* SPDX-License-Identifier: MIT */
/**
 * @file arrivals.h  The stream of queries of one rate: derived, by this recipe, from the transactions.
 *
 * For day d and question t the number of arrivals is Poisson with mean rate x w(d). w(d) is the weekly rhythm:
 * the flights of the same weekday a week before over the mean of the seven days before d; 1 in the first
 * seven days. The hour of an arrival is drawn from the daily rhythm, the flights per hour of the day before
 * (of the first day: its own); within the hour it is uniform. The origin or destination asked about is drawn
 * with probability proportional to the flights of the day before (of the first day: its own). Random numbers
 * are SplitMix64, seeded by (seed, rate, day, question), so that each stream can be made again alone.
 */
#ifndef TOOL_ARRIVALS_H
#define TOOL_ARRIVALS_H

#include "flights.h"

typedef struct arrival {
    int64_t time;       /**< ns since 1970 UTC */
    uint32_t day;       /**< since the first day */
    uint16_t question;  /**< 0..QUESTIONS - 1 */
    uint16_t place;     /**< asked about; unused by questions about all */
    uint16_t hour;      /**< of yesterday, for the drill-down */
    uint16_t ordinal;   /**< of its (day, question), low bits: ties */
} arrival;

typedef struct stream {
    arrival *items; /**< Shape [count], by time */
    size_t count;
    uint32_t rate;
} stream;

/** @return EXIT_DONE, EXIT_INTERNAL. */
int stream_make(const flights *x, uint64_t seed, uint32_t rate, stream *out, failure *f);
void stream_free(stream *s);

#endif
