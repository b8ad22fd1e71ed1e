/* SPDX-License-Identifier: MIT */
#include "flights.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "input.h"

#define COLUMNS 5
#define TIME 0
#define ORIGIN 1
#define DESTINATION 2
#define DELAY 3
#define DISTANCE 4
#define SLOTS (1u << 17)
#define DAY_MINUTES 1440

static const char *const column_names[COLUMNS] = { "time", "origin", "destination", "delay", "distance" };

/* What is known while the file is read. */
typedef struct parser {
    input *in;
    flights *out;
    failure *f;
    int order[COLUMNS]; /* field number -> column */
} parser;

static int bad_line(const parser *p, const char *what, const char *value) {
    return fail(p->f, EXIT_BAD_INPUT, "%s: line %" PRIu64 ": %s%s%.40s%s: correct or remove the line",
        input_path(p->in), input_number(p->in), what, value ? " '" : "", value ? value : "", value ? "'" : "");
}

/* Splits at commas. @return fields found, at most COLUMNS + 1. */
static int split(char *line, char *fields[COLUMNS + 1]) {
    int n = 0;

    while (n <= COLUMNS) {
        fields[n++] = line;
        line = strchr(line, ',');
        if (!line)
            break;
        *line++ = 0;
    }
    return n;
}

static int column_of(const char *name) {
    int c;

    for (c = 0; c < COLUMNS; c++)
        if (strcmp(name, column_names[c]) == 0)
            return c;
    return -1;
}

static int bad_header(parser *p, const char *what, const char *name) {
    return fail(p->f, EXIT_BAD_INPUT,
        "%s: line 1: %s '%.40s': the first line must name the columns time,origin,destination,delay,distance",
        input_path(p->in), what, name);
}

static int read_header(parser *p) {
    char *fields[COLUMNS + 1], *line;
    int seen[COLUMNS] = { 0 }, n, i, c;

    if (input_line(p->in, &line, p->f))
        return p->f->code;
    if (!line)
        return fail(p->f, EXIT_BAD_INPUT, "%s: line 1: the file is empty: name a file of flights", input_path(p->in));
    if (memcmp(line, "\xef\xbb\xbf", 3) == 0)
        line += 3;
    n = split(line, fields);
    for (i = 0; i < n; i++) {
        c = column_of(fields[i]);
        if (c < 0 || i >= COLUMNS)
            return bad_header(p, "unknown column", fields[i]);
        if (seen[c]++)
            return bad_header(p, "column named twice", fields[i]);
        p->order[i] = c;
    }
    for (c = 0; c < COLUMNS; c++)
        if (!seen[c])
            return bad_header(p, "missing column", column_names[c]);
    return EXIT_DONE;
}

/* Days from 1970-01-01 of a Gregorian date. */
static int32_t days_from_date(int year, int month, int day) {
    int y = year - (month <= 2);
    int m = month > 2 ? month - 3 : month + 9;
    int century = y / 100;

    return (int32_t)(146097 * (century / 4) + 36524 * (century % 4) + 365 * (y % 100) + (y % 100) / 4 +
        (153 * m + 2) / 5 + day - 1 - 719468);
}

static int two_digits(const char *s) {
    return isdigit((unsigned char)s[0]) && isdigit((unsigned char)s[1]) ? (s[0] - '0') * 10 + s[1] - '0' : -1;
}

static int month_days(int year, int month) {
    static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* YYYY-MM-DD HH:MM. @return 1 if it is one of the years 1970 to 2261, which 64 bits of ns hold. */
static int parse_time(const char *s, int32_t *minute) {
    int high, low, month, day, hour, min, year;

    if (strlen(s) != 16 || s[4] != '-' || s[7] != '-' || s[10] != ' ' || s[13] != ':')
        return 0;
    high = two_digits(s);
    low = two_digits(s + 2);
    month = two_digits(s + 5);
    day = two_digits(s + 8);
    hour = two_digits(s + 11);
    min = two_digits(s + 14);
    year = high * 100 + low;
    if (high < 0 || low < 0 || year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1)
        return 0;
    if (day > month_days(year, month) || hour < 0 || hour > 23 || min < 0 || min > 59)
        return 0;
    *minute = days_from_date(year, month, day) * DAY_MINUTES + hour * 60 + min;
    return 1;
}

static int parse_int(const char *s, int32_t low, int32_t high, int32_t *out) {
    char *end;
    long x;

    if (!isdigit((unsigned char)s[0]) && s[0] != '-')
        return 0;
    errno = 0;
    x = strtol(s, &end, 10);
    if (errno || *end || end == s || x < low || x > high)
        return 0;
    *out = (int32_t)x;
    return 1;
}

static int valid_place(const char *s) {
    size_t i;

    for (i = 0; s[i]; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != '-')
            return 0;
    return i > 0 && i < PLACE_BYTES;
}

static int find_place(flights *x, const char *name, uint16_t *out, failure *f) {
    digest d;
    uint32_t slot;

    digest_init(&d);
    digest_bytes(&d, name, strlen(name));
    for (slot = d.a & (SLOTS - 1); x->place_slots[slot]; slot = (slot + 1) & (SLOTS - 1)) {
        *out = (uint16_t)(x->place_slots[slot] - 1);
        if (strcmp(x->places[*out], name) == 0)
            return EXIT_DONE;
    }
    if (x->place_count == MAX_PLACES)
        return fail(f, EXIT_BAD_INPUT, "more than %d places: this tool holds no more", MAX_PLACES);
    *out = (uint16_t)x->place_count++;
    memcpy(x->places[*out], name, strlen(name) + 1);
    x->place_slots[slot] = *out + 1u;
    return EXIT_DONE;
}

static int parse_place(parser *p, int column, const char *s, uint16_t *out) {
    if (!valid_place(s))
        return bad_line(p, column == ORIGIN ? "origin is not a place of 1 to 15 letters and digits"
                                            : "destination is not a place of 1 to 15 letters and digits", s);
    return find_place(p->out, s, out, p->f);
}

static int parse_field(parser *p, int column, const char *s, flight *row) {
    switch (column) {
    case TIME:
        return parse_time(s, &row->minute) ? EXIT_DONE : bad_line(p, "time is not YYYY-MM-DD HH:MM (UTC)", s);
    case ORIGIN:
        return parse_place(p, column, s, &row->origin);
    case DESTINATION:
        return parse_place(p, column, s, &row->destination);
    case DELAY:
        row->delay = NO_DELAY;
        return !*s || parse_int(s, -100000, 1000000, &row->delay)
            ? EXIT_DONE : bad_line(p, "delay is not a whole number of minutes", s);
    default:
        return parse_int(s, 0, 1000000, &row->distance)
            ? EXIT_DONE : bad_line(p, "distance is not a whole number of miles", s);
    }
}

/* Time may not go back, nor jump: a typing error would make every partition up to it. */
static int check_order(parser *p, const flight *row, const char *time) {
    const flights *x = p->out;
    int32_t before;

    if (x->count == 0)
        return EXIT_DONE;
    before = x->rows[x->count - 1].minute;
    if (row->minute < before)
        return bad_line(p, "time goes back to", time);
    if (row->minute - before > MAX_JUMP_DAYS * DAY_MINUTES)
        return bad_line(p, "more than 31 days after the row before it: time", time);
    return EXIT_DONE;
}

static int append(parser *p, const flight *row) {
    flights *x = p->out;
    flight *rows;

    if (x->count == x->capacity) {
        rows = realloc(x->rows, (x->capacity ? x->capacity * 2 : 65536) * sizeof *rows);
        if (!rows)
            return fail_memory(p->f);
        x->capacity = x->capacity ? x->capacity * 2 : 65536;
        x->rows = rows;
    }
    x->rows[x->count++] = *row;
    return EXIT_DONE;
}

static int read_row(parser *p, char *line, uint32_t days, int *past) {
    char *fields[COLUMNS + 1], *time = NULL;
    flight row;
    int i, n = split(line, fields);

    if (n != COLUMNS)
        return bad_line(p, n < COLUMNS ? "has fewer than 5 fields" : "has more than 5 fields", NULL);
    for (i = 0; i < COLUMNS; i++) {
        if (parse_field(p, p->order[i], fields[i], &row))
            return p->f->code;
        if (p->order[i] == TIME)
            time = fields[i];
    }
    if (check_order(p, &row, time))
        return p->f->code;
    *past = days && p->out->count && row.minute / DAY_MINUTES - p->out->rows[0].minute / DAY_MINUTES >= (int)days;
    return *past ? EXIT_DONE : append(p, &row);
}

static int read_rows(parser *p, uint32_t days) {
    char *line;
    int past = 0;

    while (!past) {
        if (input_line(p->in, &line, p->f))
            return p->f->code;
        if (!line)
            break;
        if (read_row(p, line, days, &past))
            return p->f->code;
    }
    if (p->out->count == 0)
        return fail(p->f, EXIT_BAD_INPUT, "%s: line 2: no row after the header: name a file of flights",
            input_path(p->in));
    return EXIT_DONE;
}

static int index_days(flights *x, failure *f) {
    size_t i;
    uint32_t d, minute;

    x->first_day = x->rows[0].minute / DAY_MINUTES;
    x->day_count = (uint32_t)(x->rows[x->count - 1].minute / DAY_MINUTES - x->first_day + 1);
    x->day_start = calloc(x->day_count + 1, sizeof *x->day_start);
    x->hourly = calloc((size_t)x->day_count * 24, sizeof *x->hourly);
    if (!x->day_start || !x->hourly)
        return fail_memory(f);
    for (i = 0; i < x->count; i++) {
        minute = (uint32_t)(x->rows[i].minute - x->first_day * DAY_MINUTES);
        x->hourly[minute / 60]++;
        x->day_start[minute / DAY_MINUTES + 1] = i + 1;
    }
    for (d = 1; d <= x->day_count; d++)
        if (x->day_start[d] == 0)
            x->day_start[d] = x->day_start[d - 1];
    return EXIT_DONE;
}

int flights_read(const char *path, uint32_t days, flights *out, failure *f) {
    parser p = { NULL, out, f, { 0 } };

    out->places = calloc(MAX_PLACES, sizeof *out->places);
    out->place_slots = calloc(SLOTS, sizeof *out->place_slots);
    if (!out->places || !out->place_slots)
        return fail_memory(f);
    if (input_open(path, &p.in, f))
        return f->code;
    if (read_header(&p) == EXIT_DONE && read_rows(&p, days) == EXIT_DONE)
        index_days(out, f);
    input_close(p.in);
    return f->code;
}

void flights_free(flights *x) {
    free(x->rows);
    free(x->places);
    free(x->place_slots);
    free(x->day_start);
    free(x->hourly);
    memset(x, 0, sizeof *x);
}
