/* SPDX-License-Identifier: MIT */
/* The partition map against its peers: bench/README.md. */
#include "map.h"

#include <stdio.h>
#include <string.h>

#include "tool.h"

static const struct {
    const char *name;
    int (*run)(const map_options *o);
    const char *what;
} parts[] = {
    { "lookup", bench_map_lookup, "range maps: ns a lookup, bytes a range, save and load" },
    { "hash", bench_map_hash, "consistent hashes: ns a lookup, bytes a node, moves, balance; shards" },
    { "publish", bench_map_publish, "a change of a map of a million ranges" },
    { "readers", bench_map_readers, "what guards a lookup, with and without a writer" },
};

#define USAGE "map PART [--entries N,N,...] [--rounds N] [--probes N] [--tsv]"

static void print_usage(FILE *to) {
    size_t i;

    fputs("usage: " USAGE "; parts:\n", to);
    for (i = 0; i < sizeof parts / sizeof *parts; i++)
        fprintf(to, "  %-8s %s\n", parts[i].name, parts[i].what);
}

int main(int argc, char **argv) {
    map_options o = { NULL, 7, 262144 };
    const char *part = NULL;
    const bench_option options[] = {
        { "", BENCH_WORDS, &part, 0 },
        { "--entries", BENCH_TEXT, &o.entries, 0 },
        { "--rounds", BENCH_COUNT, &o.rounds, 0 },
        { "--probes", BENCH_COUNT, &o.probes, 0 },
    };
    size_t i;

    bench_args(argc, argv, "usage: " USAGE "\nparts: lookup hash publish readers", options, 4);
    if (o.rounds < 1 || o.rounds > 1000 || o.probes < 1 || o.probes > 1u << 26)
        bench_die(BENCH_USAGE, "--rounds is 1 to 1000, --probes 1 to 2^26");
    for (i = 0; part && i < sizeof parts / sizeof *parts; i++)
        if (strcmp(part, parts[i].name) == 0)
            return parts[i].run(&o);
    if (part)
        bench_say("map has no part '%s'", part);
    print_usage(stderr);
    return BENCH_USAGE;
}
