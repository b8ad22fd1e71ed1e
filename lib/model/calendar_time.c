/* SPDX-License-Identifier: MIT */
#include "base/checked.h"
#include "base/civil.h"
#include "model/calendar_state.h"

#define YEARS_AHEAD 9 /* 29 February is missing for eight years at most */

/* Days from 1970-01-01, the inverse of pshi_civil_from. */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    int64_t y = year - (month <= 2), era = pshi_floor_div(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int64_t days_in(int64_t year, int64_t month) {
    static const int64_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

/* Start of the k-th month or year after the first. @return 1, or 0: there is none. */
static int civil_start(const pshi_event *e, const pshi_civil *first, int64_t k, int64_t *start) {
    int64_t months = first->year * 12 + first->month - 1 + (e->every == PSHI_EVERY_YEAR ? 12 * k : k);
    int64_t year = pshi_floor_div(months, 12), month = months - year * 12 + 1;
    int64_t most = days_in(year, month), days, day = first->day, in_day;

    if (day > most && e->missing_day == PSHI_SHORT_SKIP)
        return 0;
    days = days_of(year, month, day <= most ? day : most) + (day > most && e->missing_day == PSHI_SHORT_NEXT);
    in_day = e->start - pshi_floor_div(e->start, PSH_DAY) * PSH_DAY;
    return !pshi_mul_i64(days, PSH_DAY, start) && !pshi_add_i64(*start, in_day, start);
}

static int civil_window(const pshi_event *e, int64_t t, int64_t *start, int64_t *end) {
    pshi_civil first = pshi_civil_from(e->start), at = pshi_civil_from(t);
    int64_t yearly = e->every == PSHI_EVERY_YEAR, k, last;

    k = yearly ? at.year - first.year : (at.year - first.year) * 12 + at.month - first.month;
    last = k > 0 ? k + YEARS_AHEAD : YEARS_AHEAD;
    for (k = k > 2 ? k - 2 : 0; k <= last; k++)
        if (civil_start(e, &first, k, start) && !pshi_add_i64(*start, e->end - e->start, end) && *end > t)
            return 1;
    return 0;
}

static int span_window(const pshi_event *e, int64_t t, int64_t *start, int64_t *end) {
    int64_t every = e->every == PSHI_EVERY_WEEK ? 7 * PSH_DAY : e->every_ns;
    pshi_i128 k = ((pshi_i128)t - e->end) / every + 1, s;

    if (t < e->end)
        k = 0;
    s = (pshi_i128)e->start + k * every;
    if (s + (e->end - e->start) > INT64_MAX)
        return 0;
    *start = (int64_t)s;
    *end = *start + (e->end - e->start);
    return 1;
}

int pshi_event_window(const pshi_event *e, int64_t t, int64_t *start, int64_t *end) {
    if (e->every == PSHI_EVERY_MONTH || e->every == PSHI_EVERY_YEAR)
        return civil_window(e, t, start, end);
    if (e->every != PSHI_EVERY_NONE)
        return span_window(e, t, start, end);
    *start = e->start;
    *end = e->end;
    return t < e->end;
}

uint32_t pshi_event_slots(const pshi_event *e) {
    int64_t span = e->end - e->start, hours = span / PSH_HOUR + (span % PSH_HOUR > 0);

    return hours < PSHI_CALENDAR_SLOTS ? (uint32_t)hours : PSHI_CALENDAR_SLOTS;
}

int64_t pshi_event_slot_ns(const pshi_event *e) {
    int64_t span = e->end - e->start;

    return span < PSH_HOUR ? span : PSH_HOUR;
}

/* From the seventh day on the days are not told apart. */
uint32_t pshi_event_slot(const pshi_event *e, int64_t start, int64_t t) {
    int64_t hour = (t - start) / pshi_event_slot_ns(e);
    uint32_t slots = pshi_event_slots(e), slot;

    if (hour >= PSHI_CALENDAR_SLOTS)
        hour = PSHI_CALENDAR_SLOTS - 24 + hour % 24;
    slot = (uint32_t)hour;
    return slot < slots ? slot : slots - 1;
}
