/* SPDX-License-Identifier: MIT */
/** @file clock.h  Times and durations as text. All times are ns since 1970 UTC, all durations ns. */
#ifndef TOOL_CLOCK_H
#define TOOL_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_TEXT 40 /**< bytes that hold any text made here */

typedef struct clock_date {
    int64_t year;
    uint32_t month; /**< 1..12 */
    uint32_t day;   /**< 1..31 */
} clock_date;

/** Days since 1970-01-01 of a date, proleptic Gregorian. */
int64_t clock_days(clock_date d);
/** The date of a day since 1970-01-01. */
clock_date clock_date_of(int64_t days);
/** t moved by whole months; the day is cut to the month's last. */
int64_t clock_add_months(int64_t t, int64_t months);
/**
 * Reads YYYY-MM-DD, or that and [T ]HH:MM[:SS[.digits]] with an optional zone: Z, UTC, GMT, +HH, +HHMM, +HH:MM.
 * Also with / for - and one-digit months and days. Without a zone the time is UTC.
 * @param zone  NULL, or gets 1 if another zone's name was there, which is read as UTC
 * @return 1 if all n bytes are such a time, within the years 1678 to 2261.
 */
int clock_read(const char *s, size_t n, int64_t *out, int *zone);
/** A number of s, ms, us or ns since 1970, told apart by size (>= 1e8 s). @return 1 if it is one. */
int clock_epoch(double x, int64_t *out);
/** "2026-11-21 00:19:33", with a fraction only where there is one. */
void clock_text(int64_t t, char out[CLOCK_TEXT]);
/** "2026-11-21T00:19:33Z". */
void clock_iso(int64_t t, char out[CLOCK_TEXT]);
/** Reads a number and ns, us, ms, s, m, h, d or w: "90s", "1h". @return 1 if all of it is a duration > 0. */
int clock_duration(const char *s, int64_t *out);
/** "90 s", "1 h", "250 ms": the largest unit that keeps it exact or three digits. */
void clock_duration_text(int64_t ns, char out[CLOCK_TEXT]);

#endif
