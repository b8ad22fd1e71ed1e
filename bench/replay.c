/* SPDX-License-Identifier: MIT */
/* What planning ahead is worth on real load, from files on the command line: bench/README.md. */
#include "replay.h"

#include <stdio.h>
#include <string.h>

#include "tool.h"

/* One line a part; its function is declared in replay.h, its file listed in meson.build. */
static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} parts[] = {
    { "requests", replay_requests, "node count over time for one load, minute by minute" },
    { "balance", replay_balance, "loads of many keys on a few nodes, a few moves an hour" },
    { "boundaries", replay_boundaries, "where ranges of keys should begin, on storage traces" },
    { "planning", replay_planning, "ms of one plan; a day of many nodes" },
    { "sizing", replay_sizing, "capacity of each key and day, sized before the day" },
};

static void print_usage(FILE *to) {
    size_t i;

    fputs("usage: replay PART [ARGS] [--tsv]; replay PART --help tells its arguments. Parts:\n", to);
    for (i = 0; i < sizeof parts / sizeof *parts; i++)
        fprintf(to, "  %-10s %s\n", parts[i].name, parts[i].what);
}

int main(int argc, char **argv) {
    char *first;
    size_t i;

    if (argc > 2 && strcmp(argv[1], "--tsv") == 0) { /* known to all parts, wherever it stands */
        first = argv[1];
        argv[1] = argv[2];
        argv[2] = first;
    }
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        print_usage(stdout);
        return 0;
    }
    for (i = 0; argc > 1 && i < sizeof parts / sizeof *parts; i++)
        if (strcmp(argv[1], parts[i].name) == 0)
            return parts[i].run(argc - 1, argv + 1);
    if (argc > 1)
        bench_say("replay has no part '%s'", argv[1]);
    print_usage(stderr);
    return BENCH_USAGE;
}
