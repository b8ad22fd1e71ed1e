/* SPDX-License-Identifier: MIT */
/** @file race.h  The fair race: every policy at every rate over the same rows and the same queries. */
#ifndef TOOL_RACE_H
#define TOOL_RACE_H

#include "stack.h"

typedef struct race {
    const run_options *options;
    flights flights;
    stream streams[MAX_RATES];
    outcome outcomes[MAX_RATES][POLICIES]; /**< by rate, policy; those not run are zeros */
    setup setup;
    char directory[400];
    uint64_t compared;  /**< answers of a query compared with another policy's */
    uint64_t different;
    double seconds;     /**< wall time of the race */
} race;

/** Reads the rows, makes the streams and the directory. Zero *r before. @return EXIT_* */
int race_open(race *r, const run_options *options, failure *f);
/** Runs all stacks on options->threads threads, the longest first. @return EXIT_* */
int race_run(race *r, failure *f);
/** Compares every answer across the policies. @return EXIT_DONE, EXIT_DIFFERENT. */
int race_compare(race *r, failure *f);
void race_close(race *r);
/** 1 if this policy takes part. */
int race_has(const race *r, uint32_t policy);

#endif
