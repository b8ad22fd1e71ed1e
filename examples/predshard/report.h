/* SPDX-License-Identifier: MIT */
/** @file report.h  Self-contained HTML pages with plots. */
#ifndef TOOL_REPORT_H
#define TOOL_REPORT_H

#include <jansson.h>

/* Made from report.html, series/page.html and analyze/page.html when the tool is built. */
extern const char embedded_page[];
extern const char embedded_forecast[];
extern const char embedded_analyze[];

/**
 * Writes a page: template, plotting library and result in one file that needs nothing from the network.
 * @param page    one of the above: it names where library and result go
 * @param result  as the file that makes it documents it
 * @return EXIT_DONE, EXIT_NO_OUTPUT (errno says why), EXIT_INTERNAL (no memory, or the page lost its marks).
 */
int report_write_page(const char *path, const char *page, json_t *result);

#endif
