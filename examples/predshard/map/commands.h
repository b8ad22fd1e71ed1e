/* SPDX-License-Identifier: MIT */
/** @file commands.h  The commands of predshard map. `to` takes the text; JSON goes where --json says. */
#ifndef TOOL_MAP_COMMANDS_H
#define TOOL_MAP_COMMANDS_H

#include <stdio.h>

#include <jansson.h>

#include "sight.h"

/* Each @return EXIT_*, also kept in s->f. */
int map_show(sight *s, FILE *to);
int map_diff(sight *s, FILE *to);   /**< EXIT_FINDINGS: they differ */
int map_plan(sight *s, FILE *to);
int map_check(sight *s, FILE *to);  /**< EXIT_FINDINGS */
int map_explain(sight *s, FILE *to);

/** Writes a result, if --json asks for it, and lets go of it. NULL: nothing. */
int map_write(sight *s, json_t *result);
/** An object with the head of every result: format, database or file. NULL with f set. */
json_t *map_result(sight *s, const char *what);
/** Prints a buffer that is empty or text. */
void map_print(const psh_buffer *b, FILE *to);

#endif
