/* SPDX-License-Identifier: MIT */
/** @file input.h  Lines of a text file, plain or xz-compressed. */
#ifndef TOOL_INPUT_H
#define TOOL_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "fail.h"

typedef struct input input;

/** @return EXIT_DONE, EXIT_NO_INPUT, EXIT_INTERNAL. */
int input_open(const char *path, input **out, failure *f);
/** The same, with lines of up to `most` bytes. */
int input_open_long(const char *path, size_t most, input **out, failure *f);
void input_close(input *in);
/**
 * The next line without its end, NUL-terminated, valid until the next call; NULL at the end of the file.
 * @return EXIT_DONE, EXIT_NO_INPUT (cannot be read), EXIT_BAD_INPUT (damaged, or a line is too long).
 */
int input_line(input *in, char **line, failure *f);
/** The number of the line given last, from 1. */
uint64_t input_number(const input *in);
/** Share of the file's bytes that were read, 0..1; 0 if its size is unknown. */
double input_progress(const input *in);
const char *input_path(const input *in);

#endif
