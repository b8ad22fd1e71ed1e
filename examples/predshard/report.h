/* SPDX-License-Identifier: MIT */
/** @file report.h  The HTML report: one self-contained file with plots, made from the JSON result. */
#ifndef TOOL_REPORT_H
#define TOOL_REPORT_H

#include <jansson.h>

/**
 * @param result  as json.h documents it
 * @return EXIT_DONE, EXIT_NO_OUTPUT (errno says why), EXIT_INTERNAL (no memory, or the result lacks something).
 */
int report_write(const char *path, json_t *result);

#endif
