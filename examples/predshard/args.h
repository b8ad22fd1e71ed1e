/* SPDX-License-Identifier: MIT */
/** @file args.h  The command line. */
#ifndef TOOL_ARGS_H
#define TOOL_ARGS_H

#include <stddef.h>
#include <stdint.h>

#include "fail.h"

#define MAX_RATES 16

#define POLICIES 3
#define POLICY_BASE 0       /**< base tables only */
#define POLICY_REACTIVE 1   /**< decides by what the last window brought */
#define POLICY_PREDICTIVE 2 /**< decides by forecasts, a day ahead */

#define COMMAND_RUN 1
#define COMMAND_HELP 2
#define COMMAND_VERSION 3

typedef struct run_options {
    int command;
    const char *topic;       /**< COMMAND_HELP: the text to print */
    const char *input;
    const char *db;          /**< NULL: a temporary directory, removed at the end */
    const char *json;        /**< "-" = stdout; NULL = none */
    const char *report;
    const char *plan;
    uint64_t seed;
    uint64_t view_bytes;     /**< budget of views of one stack */
    int64_t explain;         /**< query whose answers are printed; -1 = none */
    uint32_t rates[MAX_RATES];
    size_t rate_count;
    uint32_t policies;       /**< bit (1 << POLICY_*) */
    uint32_t days;           /**< 0 = all */
    uint32_t threads;
    uint32_t repeats;        /**< times that one statement on unchanged tables is really executed */
} run_options;

/** @return "base", "reactive", "predictive". */
const char *policy_name(uint32_t policy);
/** @return EXIT_DONE, EXIT_USAGE. */
int args_parse(int argc, char **argv, run_options *out, failure *f);
/** The text of --help: what the commands are, and how they end. */
const char *args_help(void);

#endif
