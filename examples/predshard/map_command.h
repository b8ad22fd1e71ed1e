/* SPDX-License-Identifier: MIT */
/** @file map_command.h  predshard map: the partition map that a database shares. */
#ifndef TOOL_MAP_COMMAND_H
#define TOOL_MAP_COMMAND_H

#include "fail.h"

/** Parses, runs; f tells how it ended. EXIT_FINDINGS comes without text. @return f->code */
int map_main(int argc, char **argv, failure *f);
/** Its help. */
const char *map_help(void);

#endif
