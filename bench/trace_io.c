/* SPDX-License-Identifier: MIT */
#include "trace_io.h"

#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "series_io.h"
#include "tool.h"

#define CHUNK 65536u
#define MOST_ACCESSES ((size_t)1 << 28)
#define MOST_KEY 9007199254740992.0 /* beyond it a number in text is not exact */
#define XZ_MEMORY (UINT64_C(256) << 20)

/* Keys as they come. */
typedef struct stream {
    const char *path;
    uint64_t *key;
    size_t n, cap;
} stream;

static void add(stream *s, uint64_t key) {
    if (s->n >= MOST_ACCESSES)
        bench_die(BENCH_BAD_INPUT, "%s: more than %zu accesses", s->path, MOST_ACCESSES);
    s->key = bench_grow(s->key, &s->cap, s->n, sizeof *s->key);
    s->key[s->n++] = key;
}

/* Bytes in groups of four, whichever way they are cut into chunks. */
typedef struct words {
    stream *to;
    int big;
    uint32_t held; /* bytes of the group so far */
    unsigned char byte[4];
} words;

static void add_bytes(words *w, const unsigned char *data, size_t n) {
    const unsigned char *b = w->byte;
    size_t i;

    for (i = 0; i < n; i++) {
        w->byte[w->held++] = data[i];
        if (w->held < 4)
            continue;
        w->held = 0;
        add(w->to, w->big ? (uint64_t)b[0] << 24 | (uint64_t)b[1] << 16 | (uint64_t)b[2] << 8 | b[3]
                          : (uint64_t)b[3] << 24 | (uint64_t)b[2] << 16 | (uint64_t)b[1] << 8 | b[0]);
    }
}

static void unpack(words *w, FILE *file, const unsigned char *head, size_t n) {
    lzma_stream xz = LZMA_STREAM_INIT;
    unsigned char in[CHUNK], out[CHUNK];
    lzma_ret ret;

    if (lzma_stream_decoder(&xz, XZ_MEMORY, LZMA_CONCATENATED) != LZMA_OK)
        bench_die(BENCH_INTERNAL, "%s: no memory to decode .xz", w->to->path);
    memcpy(in, head, n);
    xz.next_in = in;
    xz.avail_in = n;
    do {
        if (!xz.avail_in) {
            xz.next_in = in;
            xz.avail_in = fread(in, 1, CHUNK, file);
        }
        xz.next_out = out;
        xz.avail_out = CHUNK;
        ret = lzma_code(&xz, xz.avail_in || !feof(file) ? LZMA_RUN : LZMA_FINISH);
        add_bytes(w, out, CHUNK - xz.avail_out);
    } while (ret == LZMA_OK);
    if (ret != LZMA_STREAM_END)
        bench_die(BENCH_BAD_INPUT, "%s: the compressed file is damaged or cut short", w->to->path);
    lzma_end(&xz);
}

static void read_words(stream *s, int big) {
    static const unsigned char magic[] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
    FILE *file = fopen(s->path, "rb");
    words w = { .to = s, .big = big };
    unsigned char chunk[CHUNK];
    size_t n;

    if (!file)
        bench_die(BENCH_NO_INPUT, "%s: %s: name a file that can be read", s->path, strerror(errno));
    n = fread(chunk, 1, CHUNK, file);
    if (n >= sizeof magic && memcmp(chunk, magic, sizeof magic) == 0) {
        unpack(&w, file, chunk, n);
    } else {
        for (; n > 0; n = fread(chunk, 1, CHUNK, file))
            add_bytes(&w, chunk, n);
    }
    if (ferror(file))
        bench_die(BENCH_NO_INPUT, "%s: %s: name a file that can be read", s->path, strerror(errno));
    if (w.held)
        bench_die(BENCH_BAD_INPUT, "%s: ends within a number of four bytes", s->path);
    fclose(file);
}

static uint64_t whole(const table *t, size_t column) {
    double x = table_number(t, column);

    if (!(x >= 0 && x < MOST_KEY) || x != (double)(uint64_t)x)
        bench_die(BENCH_BAD_INPUT, "%s: line %zu: a block must be a whole number", t->path, t->line);
    return (uint64_t)x;
}

static void read_lines(stream *s, int arc) {
    uint64_t start, count, i;
    table t;

    table_open(&t, s->path, arc ? ' ' : ',');
    while (table_next(&t)) {
        start = whole(&t, 0);
        count = arc ? whole(&t, 1) : 1;
        if (count > MOST_ACCESSES)
            bench_die(BENCH_BAD_INPUT, "%s: line %zu: %.0f blocks at once", s->path, t.line, (double)count);
        for (i = 0; i < count; i++)
            add(s, start + i);
    }
    table_close(&t);
}

static int by_key(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static uint32_t place_of(const trace *t, uint64_t key) {
    size_t lo = 0, hi = t->keys, mid;

    while (hi - lo > 1) {
        mid = lo + (hi - lo) / 2;
        if (t->key[mid] <= key)
            lo = mid;
        else
            hi = mid;
    }
    return (uint32_t)lo;
}

static void number_keys(trace *t, const stream *s) {
    size_t i;

    t->key = bench_alloc(s->n, sizeof *t->key);
    memcpy(t->key, s->key, s->n * sizeof *t->key);
    qsort(t->key, s->n, sizeof *t->key, by_key);
    for (i = 0; i < s->n; i++)
        if (i == 0 || t->key[i] != t->key[t->keys - 1])
            t->key[t->keys++] = t->key[i];
    t->accesses = s->n;
    t->access = bench_alloc(s->n, sizeof *t->access);
    for (i = 0; i < s->n; i++)
        t->access[i] = i > 0 && s->key[i] == s->key[i - 1] ? t->access[i - 1] : place_of(t, s->key[i]);
}

static const char *guess(const char *path) {
    if (strstr(path, ".lis"))
        return "arc";
    return strstr(path, ".csv") ? "csv" : "u32be";
}

void trace_read(const char *path, const char *format, trace *out) {
    stream s = { .path = path };

    memset(out, 0, sizeof *out);
    if (!format)
        format = guess(path);
    if (strcmp(format, "arc") == 0 || strcmp(format, "csv") == 0)
        read_lines(&s, format[0] == 'a');
    else if (strcmp(format, "u32be") == 0 || strcmp(format, "u32le") == 0)
        read_words(&s, format[3] == 'b');
    else
        bench_die(BENCH_USAGE, "--format: arc, u32be, u32le or csv, not '%s'", format);
    if (!s.n)
        bench_die(BENCH_BAD_INPUT, "%s: holds no access", path);
    number_keys(out, &s);
    free(s.key);
}

void trace_free(trace *t) {
    free(t->key);
    free(t->access);
    memset(t, 0, sizeof *t);
}
