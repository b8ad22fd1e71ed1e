/* SPDX-License-Identifier: MIT */
/** @file fail.h  How the tool ends: exit codes, and the one line that says why. */
#ifndef TOOL_FAIL_H
#define TOOL_FAIL_H

#include <stddef.h>

#define EXIT_DONE 0
#define EXIT_FINDINGS 1  /**< map: worlds differ, or a check found something; comes without text */
#define EXIT_USAGE 2     /**< the command line is wrong */
#define EXIT_NO_INPUT 3  /**< the input file is missing or cannot be read */
#define EXIT_BAD_INPUT 4 /**< a line of the input is wrong; the line is named */
#define EXIT_DIFFERENT 5 /**< two policies gave different answers to one query */
#define EXIT_STORAGE 6   /**< the database failed: disk full, no permission, ... */
#define EXIT_NO_OUTPUT 7 /**< the JSON, report or plan file cannot be written */
#define EXIT_INTERNAL 8  /**< out of memory, or a broken invariant: report it */

#define EXIT_STOPPED 100 /**< inside only: gave up because another stack failed */

/** Zero it before use. */
typedef struct failure {
    int code;       /**< EXIT_*; EXIT_DONE = nothing failed */
    char text[640]; /**< one line: what happened and what to do */
} failure;

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
/** Keeps the first failure only. @return code. */
int fail(failure *f, int code, const char *format, ...);
/** Out of memory. @return EXIT_INTERNAL. */
int fail_memory(failure *f);

#endif
