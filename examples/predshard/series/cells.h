/* SPDX-License-Identifier: MIT */
/** @file cells.h  A line of CSV cut into cells, and which cells hold time, value and key. */
#ifndef TOOL_CELLS_H
#define TOOL_CELLS_H

#include <stddef.h>

#include "forecast.h"

#define MAX_CELLS 1024
#define NO_CELL SIZE_MAX

typedef struct cells {
    char *cell[MAX_CELLS]; /**< borrowed from the line, which is changed */
    size_t count;
} cells;

typedef struct columns {
    size_t time; /**< NO_CELL = none */
    size_t value;
    size_t key;
    size_t count;
    char mark; /**< between cells */
    int header; /**< 1: the first line names the columns */
} columns;

/** The character between cells, by the first line: a comma, semicolon or tab. */
char cells_mark(const char *line);
/** Cuts at mark; "quoted ""cells""" lose their quotes, all cells the blanks around them. @return 0: too many. */
int cells_cut(char *line, char mark, cells *out);
/** @return 1 if the cell is a number, finite or not. */
int cell_number(const char *s, double *out);
/** @return 1 if the cell is empty, or says that there is no value: NaN, NA, null, -. */
int cell_absent(const char *s);
/**
 * Which columns to take, from the first line and the first row after it.
 * @param first   the first line; it may be a row itself
 * @param second  the row after a header; NULL if there is none
 * @return EXIT_DONE, EXIT_USAGE, EXIT_BAD_INPUT.
 */
int columns_find(const forecast_options *o, const cells *first, const cells *second, columns *out, failure *f);

#endif
