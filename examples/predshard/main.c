/* SPDX-License-Identifier: MIT */
/* predshard: replays real transactions under three policies and reports what acting ahead brings. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "json.h"
#include "race.h"
#include "report.h"
#include "table.h"

/* A run of minutes must not end at a file that could not be written from the start. */
static int check_writable(const char *option, const char *path, failure *f) {
    int was_there;
    FILE *file;

    if (!path || strcmp(path, "-") == 0)
        return EXIT_DONE;
    was_there = access(path, F_OK) == 0;
    file = fopen(path, "ab");
    if (!file)
        return fail(f, EXIT_NO_OUTPUT, "--%s %s: %s: name a file that can be written", option, path, strerror(errno));
    fclose(file);
    if (!was_there)
        remove(path);
    return EXIT_DONE;
}

static int check_outputs(const run_options *o, failure *f) {
    if (check_writable("json", o->json, f) || check_writable("report", o->report, f))
        return f->code;
    return check_writable("plan", o->plan, f);
}

static int close_output(FILE *file, const char *path, failure *f) {
    int bad = ferror(file);

    bad |= file == stdout ? fflush(file) : fclose(file);
    return bad ? fail(f, EXIT_NO_OUTPUT, "%s: %s: free some space or name another file", path, strerror(errno))
               : EXIT_DONE;
}

static FILE *open_output(const char *path, failure *f) {
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");

    if (!file)
        fail(f, EXIT_NO_OUTPUT, "%s: %s: name a file that can be written", path, strerror(errno));
    return file;
}

static int write_plans(const race *r, const char *path, failure *f) {
    FILE *file = open_output(path, f);
    size_t rate;
    uint32_t policy;

    if (!file)
        return f->code;
    for (rate = 0; rate < r->options->rate_count; rate++)
        for (policy = 0; policy < POLICIES; policy++)
            if (r->outcomes[rate][policy].plan_text)
                fputs(r->outcomes[rate][policy].plan_text, file);
    return close_output(file, path, f);
}

static int write_json(json_t *result, const char *path, failure *f) {
    FILE *file = open_output(path, f);

    if (!file)
        return f->code;
    json_dumpf(result, file, JSON_COMPACT | JSON_REAL_PRECISION(12));
    fputc('\n', file);
    return close_output(file, path, f);
}

static int write_report(json_t *result, const char *path, failure *f) {
    int code;

    errno = 0;
    code = report_write(path, result);
    if (code == EXIT_NO_OUTPUT)
        fail(f, code, "%s: %s: free some space or name another file", path, strerror(errno));
    else if (code != EXIT_DONE)
        fail(f, code, "%s: the report cannot be made: out of memory, or the tool was built wrong", path);
    return f->code;
}

static int write_result(const race *r, failure *f) {
    const run_options *o = r->options;
    json_t *result;

    if (o->plan && write_plans(r, o->plan, f))
        return f->code;
    if (!o->json && !o->report)
        return EXIT_DONE;
    result = json_result(r, f);
    if (!result)
        return f->code;
    if (o->json)
        write_json(result, o->json, f);
    if (o->report && f->code == EXIT_DONE)
        write_report(result, o->report, f);
    json_decref(result);
    return f->code;
}

static int run(const run_options *o, failure *f) {
    race *r;
    failure different = { EXIT_DONE, "" };
    FILE *to = o->json && strcmp(o->json, "-") == 0 ? stderr : stdout;

    if (check_outputs(o, f))
        return f->code;
    r = calloc(1, sizeof *r);
    if (!r)
        return fail_memory(f);
    if (race_open(r, o, f) == EXIT_DONE && race_run(r, f) == EXIT_DONE) {
        race_compare(r, &different);
        if (table_print(r, to, f) == EXIT_DONE)
            write_result(r, f);
        if (different.code != EXIT_DONE)
            fail(f, different.code, "%s", different.text);
    }
    race_close(r);
    free(r);
    return f->code;
}

int main(int argc, char **argv) {
    failure f = { EXIT_DONE, "" };
    run_options o;

    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* else all threads share one lock for its counters */
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is then an error of the database, reported as one */
    signal(SIGPIPE, SIG_IGN);
    if (args_parse(argc, argv, &o, &f) == EXIT_DONE) {
        if (o.command == COMMAND_HELP)
            fputs(args_help(), stdout);
        else if (o.command == COMMAND_VERSION)
            printf("predshard %s\n", psh_version());
        else
            run(&o, &f);
    }
    if (f.code != EXIT_DONE)
        fprintf(stderr, "predshard: %s\n", f.text);
    return f.code;
}
