/* SPDX-License-Identifier: MIT */
/** @file base/civil.h  Nanoseconds since 1970 UTC as a date of the proleptic Gregorian calendar. */
#ifndef PSHI_BASE_CIVIL_H
#define PSHI_BASE_CIVIL_H

#include <stdint.h>

typedef struct pshi_civil {
    int64_t year;
    int month; /* 1..12 */
    int day;   /* 1..31 */
    int hour;
    int minute;
    int second;
    int nano;
} pshi_civil;

pshi_civil pshi_civil_from(int64_t t);

#endif
