/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <predshard.h>

#define MOST_NS 9.2e18

/* Both after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": eras of 400 years, March first. */
int64_t clock_days(clock_date d) {
    int64_t y = d.year - (d.month <= 2), era = (y >= 0 ? y : y - 399) / 400;
    int64_t in_era = y - era * 400, in_year = (153 * ((int64_t)d.month + (d.month > 2 ? -3
        : 9)) + 2) / 5 + d.day - 1;

    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

clock_date clock_date_of(int64_t days) {
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, in_era = z - era * 146097;
    int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * y + y / 4 - y / 100), m = (5 * in_year + 2) / 153;
    clock_date d;

    d.day = (uint32_t)(in_year - (153 * m + 2) / 5 + 1);
    d.month = (uint32_t)(m < 10 ? m + 3 : m - 9);
    d.year = y + era * 400 + (d.month <= 2);
    return d;
}

static int64_t floor_days(int64_t t) {
    return t / PSH_DAY - (t % PSH_DAY < 0);
}

static uint32_t month_days(int64_t year, uint32_t month) {
    static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

int64_t clock_add_months(int64_t t, int64_t months) {
    int64_t days = floor_days(t), count;
    clock_date d = clock_date_of(days);

    count = d.year * 12 + d.month - 1 + months;
    d.year = count / 12 - (count % 12 < 0);
    d.month = (uint32_t)(count - d.year * 12 + 1);
    if (d.day > month_days(d.year, d.month))
        d.day = month_days(d.year, d.month);
    return clock_days(d) * PSH_DAY + (t - days * PSH_DAY);
}

typedef struct reader {
    const char *at;
    const char *end;
} reader;

/* A number of least..most digits. */
static int digits(reader *r, int least, int most, int64_t *out) {
    int n = 0;

    for (*out = 0; n < most && r->at < r->end && isdigit((unsigned char)*r->at); n++)
        *out = *out * 10 + (*r->at++ - '0');
    return n >= least;
}

static int one_of(reader *r, const char *set) {
    if (r->at < r->end && *r->at && strchr(set, *r->at))
        return *r->at++;
    return 0;
}

static int read_date(reader *r, int64_t *days) {
    int64_t y, m, d;
    clock_date date;
    int mark;

    if (!digits(r, 4, 4, &y) || !(mark = one_of(r, "-/")) || !digits(r, 1, 2, &m) || one_of(r, "-/") != mark
        || !digits(r, 1, 2, &d) || y < 1678 || y > 2261 || m < 1 || m > 12 || d < 1
        || d > month_days(y, (uint32_t)m))
        return 0;
    date = (clock_date){ y, (uint32_t)m, (uint32_t)d };
    *days = clock_days(date);
    return 1;
}

static int64_t read_fraction(reader *r) {
    int64_t ns = 0, unit = PSH_SECOND / 10;

    for (; r->at < r->end && isdigit((unsigned char)*r->at); r->at++, unit /= 10)
        ns += (*r->at - '0') * unit;
    return ns;
}

static int read_time(reader *r, int64_t *ns) {
    int64_t h, m, s = 0, fraction = 0;

    if (!digits(r, 1, 2, &h) || !one_of(r, ":") || !digits(r, 2, 2, &m))
        return 0;
    if (one_of(r, ":")) {
        if (!digits(r, 2, 2, &s))
            return 0;
        if (one_of(r, ".,"))
            fraction = read_fraction(r);
    }
    *ns = ((h * 60 + m) * 60 + s) * PSH_SECOND + fraction;
    return h <= 24 && m < 60 && s <= 60;
}

/* What is left: nothing, or a zone. */
static int read_zone(reader *r, int64_t *offset, int *unknown) {
    int64_t h, m = 0;
    int sign;

    *offset = 0;
    while (one_of(r, " "))
        ;
    if (r->at == r->end)
        return 1;
    if ((sign = one_of(r, "+-"))) {
        if (!digits(r, 2, 2, &h))
            return 0;
        one_of(r, ":");
        if (r->at < r->end && !digits(r, 2, 2, &m))
            return 0;
        *offset = (h * 60 + m) * PSH_MINUTE * (sign == '-' ? -1 : 1);
        return r->at == r->end && h < 24 && m < 60;
    }
    if (r->end - r->at > 5)
        return 0;
    *unknown = !(r->end - r->at == 1 && *r->at == 'Z') && strncmp(r->at, "UTC", 3) != 0
        && strncmp(r->at, "GMT", 3) != 0;
    for (; r->at < r->end; r->at++)
        if (!isupper((unsigned char)*r->at))
            return 0;
    return 1;
}

int clock_read(const char *s, size_t n, int64_t *out, int *zone) {
    reader r = { s, s + n };
    int64_t days, ns = 0, offset = 0;
    int unknown = 0;

    if (zone)
        *zone = 0;
    if (!read_date(&r, &days))
        return 0;
    if (r.at < r.end) {
        if (!one_of(&r, "T ") || !read_time(&r, &ns) || !read_zone(&r, &offset, &unknown))
            return 0;
    }
    if (zone)
        *zone = unknown;
    *out = days * PSH_DAY + ns - offset;
    return 1;
}

int clock_epoch(double x, int64_t *out) {
    double size = fabs(x), unit = size >= 1e17 ? 1 : size >= 1e14 ? 1e3 : size >= 1e11 ? 1e6 : 1e9;

    if (!(size >= 1e8) || size * unit > MOST_NS)
        return 0;
    *out = (int64_t)(unit == 1e9 ? floor(x) * 1e9 + floor((x - floor(x)) * 1e9 + 0.5) : x * unit);
    return 1;
}

void clock_text(int64_t t, char out[CLOCK_TEXT]) {
    int64_t days = floor_days(t), in_day = t - days * PSH_DAY, seconds = in_day / PSH_SECOND;
    clock_date d = clock_date_of(days);
    int n = snprintf(out, CLOCK_TEXT,
        "%04" PRId64 "-%02" PRIu32 "-%02" PRIu32 " %02" PRId64 ":%02" PRId64 ":%02" PRId64,
        d.year, d.month, d.day, seconds / 3600, seconds / 60 % 60, seconds % 60);

    if (in_day % PSH_SECOND && n > 0 && n < CLOCK_TEXT) {
        n += snprintf(out + n, CLOCK_TEXT - (size_t)n, ".%09" PRId64, in_day % PSH_SECOND);
        while (out[n - 1] == '0')
            out[--n] = 0;
    }
}

void clock_iso(int64_t t, char out[CLOCK_TEXT]) {
    clock_text(t, out);
    out[10] = 'T';
    strcat(out, "Z");
}

typedef struct unit {
    const char *name;
    int64_t ns;
} unit;

static const unit units[] = {
    { "w", 7 * PSH_DAY }, { "d", PSH_DAY }, { "h", PSH_HOUR }, { "m", PSH_MINUTE }, { "min", PSH_MINUTE },
    { "s", PSH_SECOND }, { "ms", 1000000 }, { "us", 1000 }, { "ns", 1 },
};

int clock_duration(const char *s, int64_t *out) {
    char *end;
    double x;
    size_t i;

    if (!isdigit((unsigned char)s[0]))
        return 0;
    x = strtod(s, &end);
    while (*end == ' ')
        end++;
    for (i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].name) == 0) {
            x *= (double)units[i].ns;
            *out = x < MOST_NS ? (int64_t)x : 0;
            return *out > 0;
        }
    return 0;
}

void clock_duration_text(int64_t ns, char out[CLOCK_TEXT]) {
    size_t i, n = sizeof units / sizeof *units;

    for (i = 1; i < n - 1; i++) /* weeks are said in days */
        if (units[i].name[0] != 'm' || units[i].name[1] != 'i')
            if (ns >= units[i].ns && (ns % units[i].ns == 0 || ns / units[i].ns >= 10))
                break;
    snprintf(out, CLOCK_TEXT, "%.6g %s", (double)ns / (double)units[i].ns, strcmp(units[i].name, "m")
        ? units[i].name : "min");
}
