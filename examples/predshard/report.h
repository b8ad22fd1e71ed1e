/* SPDX-License-Identifier: MIT */
/** @file report.h  One self-contained HTML page with plots from the result of a run. */
#ifndef TOOL_REPORT_H
#define TOOL_REPORT_H

#include <jansson.h>

/**
 * Writes the page: template, plotting library and result in one file that needs nothing from the network.
 * @param result  as json.c documents it
 * @return EXIT_DONE, EXIT_NO_OUTPUT (errno says why), EXIT_INTERNAL (no memory, or the page lost its marks).
 */
int report_write(const char *path, json_t *result);

#endif
