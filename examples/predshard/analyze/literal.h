/* SPDX-License-Identifier: MIT */
/** @file literal.h  Constants, times relative to now, and time buckets in a parse tree. */
#ifndef TOOL_LITERAL_H
#define TOOL_LITERAL_H

#include "form.h"

/** Reads a constant, a parameter or a time like now() - interval '1 day'. @return 1 if the node is one. */
int literal_read(form *f, json_t *node, literal *out);
/** "1 day", "15 minutes": ns, a month as 30 days. @return 0 if it is none. */
int64_t interval_ns(const char *s);
/**
 * A call or cast that cuts a column into hours, days and the like.
 * @param column  gets the ColumnRef node
 * @param ns      gets the width; 0 for calendar months and longer
 * @return 1 if it is one.
 */
int bucket_read(json_t *node, json_t **column, int64_t *ns);

#endif
