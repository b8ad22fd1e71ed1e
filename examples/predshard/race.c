/* SPDX-License-Identifier: MIT */
#include "race.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "questions.h"

#define MAX_JOBS (MAX_RATES * POLICIES)
#define PROGRESS_NS 200000000
#define BAR_WIDTH 40

/* What the worker threads share: the queue of jobs, and three counters. */
typedef struct pool {
    race *r;
    struct {
        size_t rate;
        uint32_t policy;
    } jobs[MAX_JOBS];
    size_t job_count;
    atomic_size_t next;
    atomic_size_t finished;
    _Atomic int stop;
    _Atomic uint64_t done;
    uint64_t all;
    struct timespec began;
} pool;

int race_has(const race *r, uint32_t policy) {
    return r->options->policies >> policy & 1;
}

static int find_busiest(race *r, failure *f) {
    const flights *x = &r->flights;
    uint64_t *count = calloc(x->place_count, sizeof *count);
    size_t i, k, best;

    if (!count)
        return fail_memory(f);
    for (i = 0; i < x->count; i++)
        count[x->rows[i].origin]++;
    for (k = 0; k < FOLLOWED_ORIGINS; k++) {
        for (best = i = 0; i < x->place_count; i++)
            if (count[i] > count[best])
                best = i;
        r->setup.followed[k] = (uint16_t)best;
        count[best] = 0;
    }
    free(count);
    return EXIT_DONE;
}

static int make_directory(race *r, failure *f) {
    const char *base = getenv("TMPDIR");

    if (r->options->db) {
        if (strlen(r->options->db) >= sizeof r->directory)
            return fail(f, EXIT_USAGE, "--db: the name is too long");
        strcpy(r->directory, r->options->db);
        if (mkdir(r->directory, 0777) && errno != EEXIST)
            return fail(f, EXIT_STORAGE, "%s: %s: name a directory that can be made", r->directory, strerror(errno));
        return EXIT_DONE;
    }
    r->setup.temporary = 1;
    if (!base || !*base || strlen(base) > sizeof r->directory - 32)
        base = "/tmp";
    snprintf(r->directory, sizeof r->directory, "%s/predshard-XXXXXX", base);
    if (!mkdtemp(r->directory)) {
        r->directory[0] = 0;
        return fail(f, EXIT_STORAGE, "%s: %s: name a directory with --db", base, strerror(errno));
    }
    return EXIT_DONE;
}

int race_open(race *r, const run_options *options, failure *f) {
    size_t i;

    r->options = options;
    r->setup.options = options;
    r->setup.flights = &r->flights;
    r->setup.directory = r->directory;
    if (flights_read(options->input, options->days, &r->flights, f) || find_busiest(r, f))
        return f->code;
    for (i = 0; i < options->rate_count; i++)
        if (stream_make(&r->flights, options->seed, options->rates[i], &r->streams[i], f))
            return f->code;
    return make_directory(r, f);
}

static void *work(void *user) {
    pool *p = user;
    size_t i;

    while ((i = atomic_fetch_add(&p->next, 1)) < p->job_count) {
        stack_run(&p->r->setup, &p->r->streams[p->jobs[i].rate],
            &p->r->outcomes[p->jobs[i].rate][p->jobs[i].policy], &p->stop, &p->done);
        atomic_fetch_add(&p->finished, 1);
    }
    return NULL;
}

/* The longest first: high rates before low ones, base tables before views. */
static void make_jobs(pool *p) {
    const run_options *o = p->r->options;
    size_t rate, i, k, order[MAX_RATES];
    uint32_t policy;

    for (i = 0; i < o->rate_count; i++) {
        for (k = i; k > 0 && o->rates[order[k - 1]] < o->rates[i]; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    for (i = 0; i < o->rate_count; i++)
        for (policy = 0; policy < POLICIES; policy++) {
            rate = order[i];
            p->r->outcomes[rate][policy].rate = o->rates[rate];
            p->r->outcomes[rate][policy].policy = policy;
            if (!race_has(p->r, policy))
                continue;
            p->jobs[p->job_count].rate = rate;
            p->jobs[p->job_count++].policy = policy;
            p->all += (p->r->streams[rate].count + p->r->flights.count) * p->r->flights.day_count;
        }
}

static double seconds_since(const struct timespec *began) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - began->tv_sec) + (double)(now.tv_nsec - began->tv_nsec) * 1e-9;
}

/* A bar on a terminal; elsewhere a line for each stack that is done. */
static void show_progress(pool *p, int terminal, size_t *shown) {
    double share = p->all ? (double)atomic_load(&p->done) / (double)p->all : 1;
    size_t finished = atomic_load(&p->finished);
    int filled = (int)(share * BAR_WIDTH);

    if (terminal)
        fprintf(stderr, "\r[%.*s%*s] %3.0f %%, %zu of %zu stacks, %.0f s  ", filled,
            "########################################", BAR_WIDTH - filled, "", share * 100, finished,
            p->job_count, seconds_since(&p->began));
    else if (finished != *shown)
        fprintf(stderr, "%zu of %zu stacks, %.0f s\n", finished, p->job_count, seconds_since(&p->began));
    *shown = finished;
    fflush(stderr);
}

static void wait_for_all(pool *p) {
    const struct timespec pause = { 0, PROGRESS_NS };
    int terminal = isatty(STDERR_FILENO);
    size_t shown = 0;

    while (atomic_load(&p->finished) < p->job_count) {
        nanosleep(&pause, NULL);
        show_progress(p, terminal, &shown);
    }
    show_progress(p, terminal, &shown);
    if (terminal)
        fputc('\n', stderr);
}

static int first_failure(const race *r, failure *f) {
    size_t i;
    uint32_t policy;
    const failure *one;

    for (i = 0; i < r->options->rate_count; i++)
        for (policy = 0; policy < POLICIES; policy++) {
            one = &r->outcomes[i][policy].failed;
            if (one->code != EXIT_DONE && one->code != EXIT_STOPPED)
                fail(f, one->code, "%s", one->text);
        }
    return f->code;
}

int race_run(race *r, failure *f) {
    pool *p = calloc(1, sizeof *p);
    pthread_t threads[64];
    uint32_t started = 0, i;

    if (!p)
        return fail_memory(f);
    p->r = r;
    make_jobs(p);
    clock_gettime(CLOCK_MONOTONIC, &p->began);
    while (started < r->options->threads && pthread_create(&threads[started], NULL, work, p) == 0)
        started++;
    if (started == 0)
        fail(f, EXIT_INTERNAL, "no thread can be started: raise the limit of processes");
    else
        wait_for_all(p);
    for (i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    r->seconds = seconds_since(&p->began);
    free(p);
    return first_failure(r, f);
}

static void describe_difference(const race *r, size_t rate, size_t i, uint32_t a, uint32_t b, failure *f) {
    const arrival *at = &r->streams[rate].items[i];
    const question *q = &questions[at->question];
    char x[33], y[33];

    digest_text(&r->outcomes[rate][a].queries[i].answer, x);
    digest_text(&r->outcomes[rate][b].queries[i].answer, y);
    fail(f, EXIT_DIFFERENT,
        "rate %" PRIu32 ", query %zu (%s, %s, day %" PRIu32 ", hour %u, asked at second %" PRId64
        "): %s answered %s, %s answered %s: run again with --rates %" PRIu32 " --explain %zu and report it",
        r->options->rates[rate], i, q->name, q->place == PLACE_NONE ? "all places" : r->flights.places[at->place],
        at->day, at->hour, at->time / PSH_SECOND, policy_name(a), x, policy_name(b), y, r->options->rates[rate], i);
}

static void compare_rate(race *r, size_t rate, failure *f) {
    const outcome *o = r->outcomes[rate];
    uint32_t first = 0, policy;
    size_t i;

    while (!race_has(r, first))
        first++;
    for (policy = first + 1; policy < POLICIES; policy++) {
        if (!race_has(r, policy))
            continue;
        for (i = 0; i < r->streams[rate].count; i++) {
            r->compared++;
            if (digest_equal(&o[first].queries[i].answer, &o[policy].queries[i].answer))
                continue;
            r->different++;
            describe_difference(r, rate, i, first, policy, f);
        }
    }
}

int race_compare(race *r, failure *f) {
    size_t rate;

    for (rate = 0; rate < r->options->rate_count; rate++)
        compare_rate(r, rate, f);
    return f->code;
}

void race_close(race *r) {
    size_t i;
    uint32_t policy;

    for (i = 0; i < MAX_RATES; i++) {
        stream_free(&r->streams[i]);
        for (policy = 0; policy < POLICIES; policy++)
            outcome_free(&r->outcomes[i][policy]);
    }
    flights_free(&r->flights);
    if (r->setup.temporary && r->directory[0])
        rmdir(r->directory);
}
