/* SPDX-License-Identifier: MIT */
/**
 * @file saved.h  A world in a file: the frame of its schema, then its own (doc/format.md).
 */
#ifndef TOOL_MAP_SAVED_H
#define TOOL_MAP_SAVED_H

#include <predshard.h>

#include "../fail.h"

/** @return EXIT_DONE, EXIT_NO_OUTPUT, EXIT_INTERNAL */
int saved_write(psh_env *env, const psh_world *world, const char *path, failure *f);
/**
 * @param schema  NULL: receives the file's; else the file's must be the same, and the world gets this one
 * @return EXIT_DONE, EXIT_NO_INPUT, EXIT_BAD_INPUT, EXIT_INTERNAL. Both are the caller's.
 */
int saved_load(psh_env *env, const char *path, psh_schema **schema, psh_world **out, failure *f);
/** All bytes of a file, as text with a NUL behind them; free them. @return EXIT_DONE, EXIT_NO_INPUT, ... */
int saved_read(const char *path, char **out, size_t *size, failure *f);

#endif
