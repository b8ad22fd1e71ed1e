/* SPDX-License-Identifier: MIT */
/* predshard: replays transactions under three policies, analyzes query logs, forecasts series, shows maps. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "analyze/analyze.h"
#include "map_command.h"
#include "series/forecast.h"
#include "json.h"
#include "output.h"
#include "race.h"
#include "report.h"
#include "table.h"

static int check_outputs(const run_options *o, failure *f) {
    if (output_check("json", o->json, f) || output_check("report", o->report, f))
        return f->code;
    return output_check("plan", o->plan, f);
}

static int write_plans(const race *r, const char *path, failure *f) {
    FILE *file = output_open(path, f);
    size_t rate;
    uint32_t policy;

    if (!file)
        return f->code;
    for (rate = 0; rate < r->options->rate_count; rate++)
        for (policy = 0; policy < POLICIES; policy++)
            if (r->outcomes[rate][policy].plan_text)
                fputs(r->outcomes[rate][policy].plan_text, file);
    return output_close(file, path, f);
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
        output_json(result, o->json, f);
    if (o->report && f->code == EXIT_DONE)
        output_page(embedded_page, result, o->report, f);
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

/* The commands that have options of their own; `run` is the rest. */
static int other_command(int argc, char **argv, failure *f) {
    if (argc > 1 && strcmp(argv[1], "analyze") == 0)
        analyze_main(argc - 1, argv + 1, f);
    else if (argc > 1 && strcmp(argv[1], "forecast") == 0)
        forecast_main(argc - 1, argv + 1, f);
    else if (argc > 1 && strcmp(argv[1], "map") == 0)
        map_main(argc - 1, argv + 1, f);
    else
        return 0;
    return 1;
}

static void run_main(int argc, char **argv, failure *f) {
    run_options o;

    if (args_parse(argc, argv, &o, f) != EXIT_DONE)
        return;
    if (o.command == COMMAND_HELP)
        fputs(o.topic, stdout);
    else if (o.command == COMMAND_VERSION)
        printf("predshard %s\n", psh_version());
    else
        run(&o, f);
}

int main(int argc, char **argv) {
    failure f = { EXIT_DONE, "" };

    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* else all threads share one lock for its counters */
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is then an error of the database, reported as one */
    signal(SIGPIPE, SIG_IGN);
    if (!other_command(argc, argv, &f))
        run_main(argc, argv, &f);
    if (f.code != EXIT_DONE && f.text[0])
        fprintf(stderr, "predshard: %s\n", f.text);
    return f.code;
}
