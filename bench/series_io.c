/* SPDX-License-Identifier: MIT */
#include "series_io.h"

#include <ctype.h>
#include <errno.h>
#include <lzma.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define CHUNK 65536u
#define MOST_TEXT ((size_t)4 << 30)
#define XZ_MEMORY (UINT64_C(256) << 20)

typedef struct bytes {
    char *data;
    size_t n;
    size_t cap;
} bytes;

static void append(bytes *b, const void *data, size_t n, const char *path) {
    if (b->n + n >= MOST_TEXT)
        bench_die(BENCH_BAD_INPUT, "%s: longer than %zu bytes", path, MOST_TEXT);
    b->data = bench_grow(b->data, &b->cap, b->n + n, 1);
    memcpy(b->data + b->n, data, n);
    b->n += n;
    b->data[b->n] = 0;
}

static bytes read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    char chunk[CHUNK];
    bytes b = { NULL, 0, 0 };
    size_t n;

    if (!file)
        bench_die(BENCH_NO_INPUT, "%s: %s: name a file that can be read", path, strerror(errno));
    append(&b, "", 0, path);
    while ((n = fread(chunk, 1, CHUNK, file)) > 0)
        append(&b, chunk, n, path);
    if (ferror(file))
        bench_die(BENCH_NO_INPUT, "%s: %s: name a file that can be read", path, strerror(errno));
    fclose(file);
    return b;
}

static bytes unpack(const bytes *packed, const char *path) {
    lzma_stream xz = LZMA_STREAM_INIT;
    uint8_t chunk[CHUNK];
    bytes b = { NULL, 0, 0 };
    lzma_ret ret;

    if (lzma_stream_decoder(&xz, XZ_MEMORY, LZMA_CONCATENATED) != LZMA_OK)
        bench_die(BENCH_INTERNAL, "%s: no memory to decode .xz", path);
    xz.next_in = (const uint8_t *)packed->data;
    xz.avail_in = packed->n;
    append(&b, "", 0, path);
    do {
        xz.next_out = chunk;
        xz.avail_out = CHUNK;
        ret = lzma_code(&xz, LZMA_FINISH);
        append(&b, chunk, CHUNK - xz.avail_out, path);
    } while (ret == LZMA_OK);
    if (ret != LZMA_STREAM_END)
        bench_die(BENCH_BAD_INPUT, "%s: the compressed file is damaged or cut short", path);
    lzma_end(&xz);
    return b;
}

void table_open(table *t, const char *path, char separator) {
    bytes b = read_file(path), plain;

    memset(t, 0, sizeof *t);
    if (b.n >= 6 && memcmp(b.data, "\xfd" "7zXZ", 6) == 0) {
        plain = unpack(&b, path);
        free(b.data);
        b = plain;
    }
    if (memchr(b.data, 0, b.n))
        bench_die(BENCH_BAD_INPUT, "%s: holds zero bytes: no text file", path);
    if (!b.n)
        bench_die(BENCH_BAD_INPUT, "%s: is empty", path);
    t->path = path;
    t->text = t->at = b.data;
    t->separator = separator;
}

void table_close(table *t) {
    free(t->text);
    free(t->field);
    free(t->name);
    memset(t, 0, sizeof *t);
}

static void add_field(table *t, char *text) {
    t->field = bench_grow(t->field, &t->field_cap, t->fields, sizeof *t->field);
    t->field[t->fields++] = text;
}

/* Takes the quotes off in place. @return what stands behind the closing one. */
static char *unquote(char *from) {
    char *to = from;
    char *p = from + 1;

    for (; *p; p++) {
        if (*p == '"' && p[1] != '"')
            break;
        p += *p == '"';
        *to++ = *p;
    }
    p += *p == '"';
    /* p is behind to, so that the end does not overwrite what is still to be read, but where they meet. */
    if (to < p)
        *to = 0;
    return p;
}

static void split_blanks(table *t, char *line) {
    char *p = line;

    while (*p) {
        while (isspace((unsigned char)*p))
            *p++ = 0;
        if (*p)
            add_field(t, p);
        while (*p && !isspace((unsigned char)*p))
            p++;
    }
}

static void split_line(table *t, char *line) {
    char *start = line, *p;

    for (;;) {
        p = *start == '"' ? unquote(start) : start;
        while (*p && *p != t->separator)
            p++;
        add_field(t, start);
        if (!*p)
            return;
        *p = 0;
        start = p + 1;
    }
}

int table_next(table *t) {
    char *line, *end;

    do {
        line = t->at;
        if (!*line)
            return 0;
        end = strchr(line, '\n');
        t->at = end ? end + 1 : line + strlen(line);
        end = end ? end : t->at;
        if (end > line && end[-1] == '\r')
            end--;
        *end = 0;
        t->line++;
    } while (end == line || *line == '#');
    t->fields = 0;
    if (t->separator == ' ')
        split_blanks(t, line);
    else
        split_line(t, line);
    return 1;
}

void table_header(table *t) {
    if (!table_next(t))
        bench_die(BENCH_BAD_INPUT, "%s: has no header line", t->path);
    t->name = t->field;
    t->names = t->fields;
    t->field = NULL;
    t->fields = t->field_cap = 0;
}

size_t table_column(const table *t, const char *name) {
    size_t i;

    for (i = 0; i < t->names; i++)
        if (strcmp(t->name[i], name) == 0)
            return i;
    bench_die(BENCH_BAD_INPUT, "%s: no column '%s' in its first line", t->path, name);
}

const char *table_text(const table *t, size_t column) {
    if (column >= t->fields)
        bench_die(BENCH_BAD_INPUT, "%s: line %zu: has %zu fields, %zu are needed", t->path, t->line, t->fields,
            column + 1);
    return t->field[column];
}

/* @return 1 if the text is one finite number and nothing else. */
static int number_read(const char *text, double *out) {
    char *end;

    *out = strtod(text, &end);
    if (end == text)
        return 0;
    while (isspace((unsigned char)*end))
        end++;
    return !*end && isfinite(*out) && fabs(*out) <= 0x1p100;
}

double table_number(const table *t, size_t column) {
    const char *text = table_text(t, column);
    double x;

    if (!number_read(text, &x))
        bench_die(BENCH_BAD_INPUT, "%s: line %zu: field %zu: '%.40s' is no number", t->path, t->line, column + 1,
            text);
    return x;
}

int64_t table_time(const table *t, size_t column) {
    const char *text = table_text(t, column);
    int64_t at;

    if (!time_read(text, &at))
        bench_die(BENCH_BAD_INPUT, "%s: line %zu: field %zu: '%.40s' is no time", t->path, t->line, column + 1,
            text);
    return at;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar: whole 400-year cycles from a March on. */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in(int year, int month) {
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return month == 2 && year % 4 == 0 && (year % 100 || year % 400 == 0) ? 29 : days[month - 1];
}

/* The time of day behind a date. @return 1 or 0. */
static int clock_read(const char *text, int64_t *ns) {
    int hour = 0, minute = 0, used = 0;
    double second = 0;

    *ns = 0;
    if (!*text)
        return 1;
    if (*text != ' ' && *text != 'T')
        return 0;
    if (sscanf(text + 1, "%2d%n", &hour, &used) != 1)
        return 0;
    text += 1 + used;
    used = 0;
    if (sscanf(text, ":%2d%n", &minute, &used) == 1)
        text += used;
    used = 0;
    if (sscanf(text, ":%lf%n", &second, &used) == 1)
        text += used;
    if ((*text && strcmp(text, "Z") != 0) || hour < 0 || hour > 24 || minute < 0 || minute > 59)
        return 0;
    if (!(second >= 0 && second < 61))
        return 0;
    *ns = hour * PSH_HOUR + minute * PSH_MINUTE + (int64_t)(second * (double)PSH_SECOND);
    return 1;
}

static int epoch_read(const char *text, int64_t *out) {
    char *end;
    long long x;

    errno = 0;
    x = strtoll(text, &end, 10);
    if (end == text || *end || errno || x < 0 || x > 100000000000000)
        return 0;
    *out = x >= 100000000000 ? (int64_t)x * (PSH_SECOND / 1000) : (int64_t)x * PSH_SECOND;
    return *out <= INT64_C(9000000000) * PSH_SECOND;
}

int time_read(const char *text, int64_t *out) {
    int a = 0, b = 0, c = 0, used = 0;
    int64_t clock;

    if (sscanf(text, "%4d-%2d-%2d%n", &a, &b, &c, &used) != 3
        && sscanf(text, "%2d/%2d/%4d%n", &b, &c, &a, &used) != 3)
        return epoch_read(text, out);
    if (a < 1700 || a > 2250 || b < 1 || b > 12 || c < 1 || c > days_in(a, b))
        return 0;
    if (!clock_read(text + used, &clock))
        return 0;
    *out = days_of(a, b, c) * PSH_DAY + clock;
    return 1;
}

static series *add_series(series_set *set, const char *id, size_t n) {
    series *s;

    set->list = bench_grow(set->list, &set->cap, set->n, sizeof *set->list);
    s = &set->list[set->n++];
    memset(s, 0, sizeof *s);
    s->id = bench_copy(id);
    s->v = bench_alloc(n, sizeof *s->v);
    return s;
}

static int is_number(const char *text) {
    double x;

    return number_read(text, &x);
}

void series_read_csv(const char *path, series_set *out) {
    table t;
    series *s;
    size_t i;

    memset(out, 0, sizeof *out);
    for (table_open(&t, path, ','); table_next(&t);) {
        if (t.line == 1 && (t.fields < 2 || !is_number(t.field[1])))
            continue;
        if (t.fields < 2 || !*t.field[1])
            bench_die(BENCH_BAD_INPUT, "%s: line %zu: an id and at least one value are needed", path, t.line);
        s = add_series(out, t.field[0], t.fields);
        for (i = 1; i < t.fields && *t.field[i]; i++)
            s->v[s->n++] = table_number(&t, i);
    }
    table_close(&t);
    if (!out->n)
        bench_die(BENCH_BAD_INPUT, "%s: holds no series `id,v1,v2,...`", path);
}

static uint32_t small_count(const table *t, size_t column, uint32_t least, uint32_t most) {
    double x = table_number(t, column);

    if (x < least || x > most || x != floor(x))
        bench_die(BENCH_BAD_INPUT, "%s: line %zu: field %zu must be a count of %u to %u", t->path, t->line,
            column + 1, least, most);
    return (uint32_t)x;
}

void series_read_m3(const char *path, series_set *out) {
    table t;
    series *s;
    size_t i, n;

    memset(out, 0, sizeof *out);
    for (table_open(&t, path, ' '); table_next(&t);) {
        n = (size_t)small_count(&t, 2, 1, 65536) + small_count(&t, 3, 1, 1u << 22);
        if (t.fields != 4 + n)
            bench_die(BENCH_BAD_INPUT, "%s: line %zu: %zu values, not n + horizon", path, t.line, t.fields - 4);
        s = add_series(out, t.field[0], n);
        s->period = small_count(&t, 1, 1, 65536);
        s->horizon = small_count(&t, 2, 1, 65536);
        for (i = 0; i < n; i++)
            s->v[s->n++] = table_number(&t, 4 + i);
    }
    table_close(&t);
    if (!out->n)
        bench_die(BENCH_BAD_INPUT, "%s: holds no series `id period horizon n values...`", path);
}

static void add_row(const table *t, series_set *out) {
    size_t from = 0, to = t->fields, i;
    char number[32];
    series *s;

    snprintf(number, sizeof number, "%zu", t->line);
    if (*t->field[0] && !is_number(t->field[0]))
        from = 1;
    s = add_series(out, from ? t->field[0] : number, t->fields);
    while (from < to && !*t->field[from])
        from++;
    while (to > from && !*t->field[to - 1])
        to--;
    for (i = from; i < to; i++)
        s->v[s->n++] = *t->field[i] ? table_number(t, i) : 0;
}

void series_read_rows(const char *path, series_set *out) {
    table t;

    memset(out, 0, sizeof *out);
    for (table_open(&t, path, ','); table_next(&t);)
        if (t.line > 1 || is_number(t.field[t.fields - 1]) || !*t.field[t.fields - 1])
            add_row(&t, out);
    table_close(&t);
    if (!out->n)
        bench_die(BENCH_BAD_INPUT, "%s: holds no series", path);
}

const series *series_find(const series_set *set, const char *id) {
    size_t i;

    for (i = 0; i < set->n; i++)
        if (strcmp(set->list[i].id, id) == 0)
            return &set->list[i];
    return NULL;
}

void series_free(series_set *set) {
    size_t i;

    for (i = 0; i < set->n; i++) {
        free(set->list[i].id);
        free(set->list[i].v);
    }
    free(set->list);
    memset(set, 0, sizeof *set);
}
