/* SPDX-License-Identifier: MIT */
/* Reproduces the forecaster's figures from files on the command line: bench/README.md. */
#include "forecast.h"

#include <stdio.h>
#include <string.h>

#include "tool.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} parts[] = {
    { "m4", bench_forecast_m4, "series as the M4 competition has them" },
    { "m3", bench_forecast_m3, "series as the M3 competition has them" },
    { "loads", bench_forecast_loads, "hourly loads of many keys, rolling, with hot zones" },
    { "sparse", bench_forecast_sparse, "intermittent demand" },
    { "events", bench_forecast_events, "days that are announced against ordinary days" },
    { "nab", bench_forecast_nab, "anomalies, scored as the NAB corpus is" },
    { "scale", bench_forecast_scale, "many series: time of the first fit, of an update of all, memory" },
    { "observe", bench_forecast_observe, "ns of one record or value" },
};

static void print_usage(FILE *to) {
    size_t i;

    fputs("usage: forecast PART [ARGS] [--tsv]; forecast PART --help tells its arguments. Parts:\n", to);
    for (i = 0; i < sizeof parts / sizeof *parts; i++)
        fprintf(to, "  %-8s %s\n", parts[i].name, parts[i].what);
}

uint32_t bench_kind(const char *name, const char *fallback) {
    uint32_t kind = psh_model_kind(name ? name : "combined");

    if (!kind && name)
        bench_die(BENCH_USAGE, "--model: this build knows no model '%s'", name);
    if (!kind)
        kind = psh_model_kind(fallback);
    return kind ? kind : PSH_MODEL_NAIVE;
}

int main(int argc, char **argv) {
    char *first;
    size_t i;

    if (argc > 2 && strcmp(argv[1], "--tsv") == 0) { /* known to all parts, wherever it stands */
        first = argv[1];
        argv[1] = argv[2];
        argv[2] = first;
    }
    if (argc > 2 && strcmp(argv[1], "probe") == 0) { /* `probe scale` is `scale` */
        argc--;
        argv++;
    }
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        print_usage(stdout);
        return 0;
    }
    for (i = 0; argc > 1 && i < sizeof parts / sizeof *parts; i++)
        if (strcmp(argv[1], parts[i].name) == 0)
            return parts[i].run(argc - 1, argv + 1);
    if (argc > 1)
        bench_say("forecast has no part '%s'", argv[1]);
    print_usage(stderr);
    return BENCH_USAGE;
}
