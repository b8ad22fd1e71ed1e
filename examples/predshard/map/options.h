/* SPDX-License-Identifier: MIT */
/** @file options.h  The command line of predshard map. */
#ifndef TOOL_MAP_OPTIONS_H
#define TOOL_MAP_OPTIONS_H

#include <stdint.h>

#include "../fail.h"

typedef enum map_command { MAP_HELP, MAP_SHOW, MAP_DIFF, MAP_PLAN, MAP_CHECK, MAP_EXPLAIN } map_command;

typedef struct map_options {
    map_command command;
    const char *db;       /**< NULL: none */
    const char *archive;  /**< NULL: found by the name of db */
    const char *table;    /**< NULL: all, or the only one */
    const char *file;     /**< show: a saved world instead of the shared one */
    const char *save;
    const char *json;
    const char *nodes;
    const char *loads;
    const char *key;
    const char *inputs[2]; /**< diff: saved worlds */
    int64_t from;         /**< PSH_TIME_MIN: open */
    int64_t to;           /**< PSH_TIME_MAX: open */
    int64_t now;          /**< PSH_TIME_NONE: not given; the same in time */
    int64_t time;
    int64_t ahead;        /**< plan: window of demand */
    uint64_t epochs[2];   /**< 0: not given */
    int observed;         /**< plan: demand as observed, not as forecast */
    int partitions;
    int dump;
} map_options;

/** @return EXIT_DONE, EXIT_USAGE */
int map_parse(int argc, char **argv, map_options *o, failure *f);

#endif
