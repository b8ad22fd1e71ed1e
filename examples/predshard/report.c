/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <stdio.h>
#include <string.h>

#include "fail.h"

/* Made from Debian's chart.min.js when the tool is built. */
extern const char embedded_chart[];

/* Where the page names them, the plotting library and the result go in. */
static const char chart_mark[] = "/*CHART*/";
static const char result_mark[] = "/*RESULT*/";

/* "</script" inside the result would end its element: JSON lets a slash be escaped. */
static int write_result(FILE *out, json_t *result) {
    return json_dumpf(result, out, JSON_COMPACT | JSON_ESCAPE_SLASH | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6));
}

static int write_page(FILE *out, const char *page, json_t *result) {
    const char *chart = strstr(page, chart_mark), *data;

    if (!chart || !(data = strstr(chart, result_mark)))
        return EXIT_INTERNAL;
    fwrite(page, 1, (size_t)(chart - page), out);
    fputs(embedded_chart, out);
    chart += sizeof chart_mark - 1;
    fwrite(chart, 1, (size_t)(data - chart), out);
    if (write_result(out, result))
        return ferror(out) ? EXIT_NO_OUTPUT : EXIT_INTERNAL;
    fputs(data + sizeof result_mark - 1, out);
    return ferror(out) ? EXIT_NO_OUTPUT : EXIT_DONE;
}

int report_write_page(const char *path, const char *page, json_t *result) {
    FILE *out = fopen(path, "w");
    int code;

    if (!out)
        return EXIT_NO_OUTPUT;
    code = write_page(out, page, result);
    if (fclose(out) && code == EXIT_DONE)
        code = EXIT_NO_OUTPUT;
    return code;
}
