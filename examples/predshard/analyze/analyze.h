/* SPDX-License-Identifier: MIT */
/** @file analyze.h  `predshard analyze`: what query logs ask, and what will be asked. */
#ifndef TOOL_ANALYZE_H
#define TOOL_ANALYZE_H

#include "fail.h"

/** Runs the command; argv[0] is its name. @return EXIT_*. */
int analyze_main(int argc, char **argv, failure *f);
/** The text of its help. */
const char *analyze_help(void);

#endif
