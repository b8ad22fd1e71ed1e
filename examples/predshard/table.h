/* SPDX-License-Identifier: MIT */
/** @file table.h  The result of a race as text for people. */
#ifndef TOOL_TABLE_H
#define TOOL_TABLE_H

#include <stdio.h>

#include "race.h"

/** @return EXIT_DONE, EXIT_INTERNAL (no memory). */
int table_print(const race *r, FILE *to, failure *f);

#endif
