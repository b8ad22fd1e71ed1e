/* SPDX-License-Identifier: MIT */
#include "rscript.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

#ifndef BENCH_R
#define BENCH_R "bench/r/forecast.R" /* from the root of the source tree */
#endif

/* A temporary file of its own; the caller unlinks it. */
static FILE *temporary(char *path, size_t size) {
    int fd;

    snprintf(path, size, "%s/bench_forecast_XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    fd = mkstemp(path);
    return fd < 0 ? NULL : fdopen(fd, "w+");
}

/* A line a task: its number, seasons, horizon, values. */
static void write_task(FILE *file, size_t i, const task *t) {
    size_t k;

    fprintf(file, "%zu %u %u %zu %zu", i, t->season[0] ? t->season[0] : 1, t->season[1], t->h, t->n);
    for (k = 0; k < t->n; k++)
        fprintf(file, " %.17g", t->train[k]);
    fputc('\n', file);
}

static int run(const char *input, const char *output, const char *methods) {
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(127);
        execlp("Rscript", "Rscript", BENCH_R, input, output, methods, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* `method task seconds mean... low... high...`; a method that failed on a series wrote no line. */
static void read_answers(
    const char *path, const task *list, size_t n, void (*take)(void *, const r_answer *), void *user) {
    r_answer a = { "" };
    size_t h, k;
    table t;

    for (table_open(&t, path, ' '); table_next(&t);) {
        a.task = (size_t)table_number(&t, 1);
        if (a.task >= n || t.fields != 3 + 3 * list[a.task].h)
            bench_die(BENCH_INTERNAL, "%s: line %zu is not what R was asked to write", path, t.line);
        h = list[a.task].h;
        snprintf(a.method, sizeof a.method, "%s", t.field[0]);
        a.seconds = table_number(&t, 2);
        a.mean = bench_alloc(3 * h, sizeof(double));
        a.low = a.mean + h;
        a.high = a.low + h;
        for (k = 0; k < 3 * h; k++)
            a.mean[k] = table_number(&t, 3 + k);
        take(user, &a);
        free(a.mean);
    }
    table_close(&t);
}

void rscript_run(
    const task *list, size_t n, const char *methods, void (*take)(void *user, const r_answer *a), void *user) {
    char input[256], output[256];
    FILE *in = temporary(input, sizeof input), *out = temporary(output, sizeof output);
    size_t i;
    int code;

    if (!in || !out)
        bench_die(BENCH_NO_OUTPUT, "no temporary file for R: set TMPDIR");
    for (i = 0; i < n; i++)
        write_task(in, i, &list[i]);
    fclose(in);
    fclose(out);
    code = run(input, output, methods);
    if (code == 0)
        read_answers(output, list, n, take, user);
    else
        bench_say("R is left out: %s",
            code == 127 ? "no Rscript (Debian: r-base-core, r-cran-forecast)"
                        : "Rscript failed (Debian: r-cran-forecast)");
    unlink(input);
    unlink(output);
}
