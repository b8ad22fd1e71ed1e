/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int tsv; /* set once, by the command line */

#if defined(__GNUC__)
__attribute__((format(printf, 1, 0)))
#endif
static void say(const char *format, va_list list) {
    fputs("bench: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
}

void bench_die(int code, const char *format, ...) {
    va_list list;

    va_start(list, format);
    say(format, list);
    va_end(list);
    exit(code);
}

void bench_say(const char *format, ...) {
    va_list list;

    va_start(list, format);
    say(format, list);
    va_end(list);
}

void bench_must(psh_status status, const char *what, const psh_error *err) {
    if (status >= 0)
        return;
    bench_die(BENCH_INTERNAL, "%s: %s %s %s", what, psh_status_name(status), err ? err->field : "",
        err ? err->text : "");
}

void *bench_alloc(size_t n, size_t size) {
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        bench_die(BENCH_INTERNAL, "no memory for %zu times %zu bytes", n, size);
    return p;
}

void *bench_grow(void *list, size_t *cap, size_t need, size_t size) {
    size_t want = *cap ? *cap : 16;
    void *p;

    if (need < *cap)
        return list;
    while (want <= need)
        want *= 2;
    p = realloc(list, want * size);
    if (!p)
        bench_die(BENCH_INTERNAL, "no memory for %zu times %zu bytes", want, size);
    *cap = want;
    return p;
}

char *bench_copy(const char *text) {
    size_t n = strlen(text) + 1;

    return memcpy(bench_alloc(n, 1), text, n);
}

double bench_now(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void bench_figure(const char *name, double value, const char *unit, const char *note) {
    value = isnan(value) ? fabs(value) : value; /* 0 / 0 has a sign here, and printf shows it */
    if (tsv)
        printf("%s\t%.6g\t%s\t%s\n", name, value, unit, note);
    else
        printf("%-28s %12.6g %-9s %s\n", name, value, unit, note);
    fflush(stdout);
}

void bench_figure_of(const char *format, const char *of, double value, const char *unit, const char *note) {
    const char *at = strstr(format, "%s");
    char name[128];
    size_t i;

    snprintf(name, sizeof name, "%.*s%s%s", (int)(at - format), format, of, at + 2);
    for (i = 0; name[i]; i++)
        name[i] = name[i] == ' ' ? '_' : name[i];
    bench_figure(name, value, unit, note);
}

uint64_t bench_random(uint64_t *state) {
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

double bench_uniform(uint64_t *state) {
    return (double)(bench_random(state) >> 11) * 0x1p-53;
}

static void set_number(const bench_option *o, const char *text, const char *usage) {
    char *end;
    double x;

    errno = 0;
    x = strtod(text, &end);
    if (end == text || *end || errno || !isfinite(x))
        bench_die(BENCH_USAGE, "%s: '%s' is no number\n%s", o->name, text, usage);
    if (o->kind == BENCH_REAL) {
        *(double *)o->to = x;
        return;
    }
    if (x < 0 || x > UINT32_MAX || x != floor(x))
        bench_die(BENCH_USAGE, "%s: '%s' is no count\n%s", o->name, text, usage);
    *(uint32_t *)o->to = (uint32_t)x;
}

static void set_value(const bench_option *o, const char *text, const char *usage) {
    if (!text)
        bench_die(BENCH_USAGE, "%s needs a value\n%s", o->name, usage);
    if (o->kind == BENCH_TEXT)
        *(const char **)o->to = text;
    else
        set_number(o, text, usage);
}

static const bench_option *find_option(const bench_option *options, size_t n, const char *name) {
    size_t i;

    for (i = 0; i < n; i++)
        if (options[i].kind != BENCH_WORDS && strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

static void take_word(const bench_option *options, size_t n, const char *word, const char *usage) {
    size_t i;

    for (i = 0; i < n; i++) {
        if (options[i].kind != BENCH_WORDS || *(const char **)options[i].to)
            continue;
        *(const char **)options[i].to = word;
        return;
    }
    bench_die(BENCH_USAGE, "'%s' is one word too many\n%s", word, usage);
}

/* @return how many of argv it took. */
static int take_option(int argc, char **argv, const char *usage, const bench_option *options, size_t n) {
    const bench_option *o;

    if (strcmp(*argv, "--tsv") == 0) {
        tsv = 1;
        return 1;
    }
    if (strcmp(*argv, "--help") == 0) {
        puts(usage);
        exit(0);
    }
    if (**argv != '-') {
        take_word(options, n, *argv, usage);
        return 1;
    }
    o = find_option(options, n, *argv);
    if (!o)
        bench_die(BENCH_USAGE, "no option '%s'\n%s", *argv, usage);
    if (o->kind == BENCH_FLAG) {
        *(int *)o->to = 1;
        return 1;
    }
    set_value(o, argc > 1 ? argv[1] : NULL, usage);
    return 2;
}

void bench_args(int argc, char **argv, const char *usage, const bench_option *options, size_t n) {
    int i = 1;
    size_t k;

    while (i < argc)
        i += take_option(argc - i, argv + i, usage, options, n);
    for (k = 0; k < n; k++)
        if (options[k].needed && !*(const char **)options[k].to)
            bench_die(BENCH_USAGE, "%s is needed\n%s", *options[k].name ? options[k].name : "a file", usage);
}
