/* SPDX-License-Identifier: MIT */
#include "forecast/clock.h"

#include "base/checked.h"
#include "base/civil.h"

#define MONDAY (4 * PSH_DAY) /* 1970-01-01 was a Thursday */

static int64_t cut(int64_t t, int64_t unit, int64_t origin) {
    int64_t off;

    if (pshi_sub_i64(t, origin, &off))
        return t;
    off = pshi_floor_div(off, unit);
    return pshi_mul_i64(off, unit, &off) || pshi_add_i64(off, origin, &off) ? t : off;
}

void pshi_clock_set(pshi_clock *c, int64_t t) {
    pshi_civil civil;

    if (t >= c->from && t < c->to)
        return;
    c->from = cut(t, PSH_MINUTE, 0);
    c->to = pshi_time_add(c->from, PSH_MINUTE);
    c->hour = cut(t, PSH_HOUR, 0);
    c->day = cut(t, PSH_DAY, 0);
    c->week = cut(t, 7 * PSH_DAY, MONDAY);
    civil = pshi_civil_from(t);
    c->month = civil.year * 12 + civil.month - 1;
}

/* Start of a month, counted from year 0: base/civil.c the other way round. @return 1 if 64 bits hold it. */
static int month_start(int64_t month, int64_t *out) {
    int64_t year = pshi_floor_div(month, 12), m = month - year * 12, mp = (m + 10) % 12, era, yoe, days;

    year -= m < 2;
    era = pshi_floor_div(year, 400);
    yoe = year - era * 400;
    days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + (153 * mp + 2) / 5 - 719468;
    return !pshi_mul_i64(days, PSH_DAY, out);
}

static uint32_t months_of(uint32_t rule) {
    return rule == PSHI_RULE_MONTH ? 1 : rule == PSHI_RULE_QUARTER ? 3 : rule == PSHI_RULE_YEAR ? 12 : 0;
}

/* Bits for the place within the longest such unit: a month has 2.7e15 ns, a quarter 8e15, a year 3.2e16. */
static int bits_of(uint32_t rule) {
    return rule == PSHI_RULE_MONTH ? 52 : rule == PSHI_RULE_QUARTER ? 53 : 55;
}

static int encode_months(uint32_t rule, const pshi_clock *c, int64_t v, int64_t *out) {
    int64_t n = months_of(rule), most = INT64_C(1) << (62 - bits_of(rule)), apart, start, month;
    pshi_civil civil = pshi_civil_from(v);

    month = pshi_floor_div(civil.year * 12 + civil.month - 1, n);
    apart = month - pshi_floor_div(c->month, n);
    if (apart <= -most || apart >= most || !month_start(month * n, &start))
        return 0;
    *out = apart * (INT64_C(1) << bits_of(rule)) + (v - start);
    return 1;
}

static int decode_months(uint32_t rule, const pshi_clock *c, int64_t told, int64_t *out) {
    int64_t n = months_of(rule), unit = INT64_C(1) << bits_of(rule), apart = pshi_floor_div(told, unit), start, end;
    int64_t month = pshi_floor_div(c->month, n) + apart;

    if (!month_start(month * n, &start) || !month_start((month + 1) * n, &end))
        return 0;
    *out = start + (told - apart * unit);
    return *out < end;
}

static int64_t base_of(uint32_t rule, const pshi_clock *c, int64_t t, int64_t bucket, int64_t origin) {
    switch (rule) {
    case PSHI_RULE_DAY:
        return c->day;
    case PSHI_RULE_HOUR:
        return c->hour;
    case PSHI_RULE_WEEK:
        return c->week;
    case PSHI_RULE_MINUTE:
        return c->from;
    case PSHI_RULE_BUCKET:
        return bucket > 0 ? cut(t, bucket, origin) : t;
    case PSHI_RULE_EXACT:
        return t;
    default:
        return 0;
    }
}

int pshi_rule_encode(
    uint32_t rule, const pshi_clock *c, int64_t t, int64_t bucket, int64_t origin, int64_t v, int64_t *out) {
    if (v == PSH_TIME_MIN || v == PSH_TIME_MAX) {
        *out = v;
        return 1;
    }
    if (months_of(rule))
        return encode_months(rule, c, v, out);
    return !pshi_sub_i64(v, base_of(rule, c, t, bucket, origin), out) && *out > PSH_TIME_MIN && *out < PSH_TIME_MAX;
}

int pshi_rule_decode(
    uint32_t rule, const pshi_clock *c, int64_t t, int64_t bucket, int64_t origin, int64_t told, int64_t *out) {
    if (told == PSH_TIME_MIN || told == PSH_TIME_MAX) {
        *out = told;
        return 1;
    }
    if (months_of(rule))
        return decode_months(rule, c, told, out);
    return !pshi_add_i64(told, base_of(rule, c, t, bucket, origin), out) && *out > PSH_TIME_MIN &&
           *out < PSH_TIME_MAX;
}
