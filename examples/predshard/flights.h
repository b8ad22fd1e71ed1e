/* SPDX-License-Identifier: MIT */
/** @file flights.h  The transactions of the run, read once and shared read-only by all stacks. */
#ifndef TOOL_FLIGHTS_H
#define TOOL_FLIGHTS_H

#include <stdint.h>

#include "fail.h"

#define NO_DELAY INT32_MIN /**< the delay is not known: NULL */
#define PLACE_BYTES 16     /**< of a place's name with its zero */
#define MAX_PLACES 65535
#define MAX_JUMP_DAYS 31   /**< further ahead of the row before, a row is taken for an error */

typedef struct flight {
    int32_t minute;       /**< since 1970 UTC */
    int32_t delay;        /**< minutes, or NO_DELAY */
    int32_t distance;     /**< miles */
    uint16_t origin;      /**< into places */
    uint16_t destination;
} flight;

typedef struct flights {
    flight *rows;             /**< Shape [count], by time */
    size_t count;
    size_t capacity;
    char (*places)[PLACE_BYTES]; /**< Shape [place_count], in order of appearance */
    uint32_t place_count;
    uint32_t *place_slots;    /**< hash table of place + 1, 0 = free */
    int32_t first_day;        /**< days since 1970 */
    uint32_t day_count;       /**< from the first row's day to the last's */
    size_t *day_start;        /**< Shape [day_count + 1]: the first row of each day */
    uint32_t *hourly;         /**< Shape [day_count][24]: rows of each hour */
} flights;

/**
 * Reads a file of columns time, origin, destination, delay, distance, in any order, named by its first line.
 * @param days  only so many days from the first row's; 0 = all
 * @param out   zeroed by the caller; freed by flights_free also after a failure
 * @return EXIT_DONE, EXIT_NO_INPUT, EXIT_BAD_INPUT, EXIT_INTERNAL.
 */
int flights_read(const char *path, uint32_t days, flights *out, failure *f);
void flights_free(flights *x);

#endif
