/* SPDX-License-Identifier: MIT */
/** @file shim.h  SQL of MySQL and ClickHouse rewritten so that PostgreSQL's parser takes it. */
#ifndef TOOL_SHIM_H
#define TOOL_SHIM_H

#include "tokens.h"

/** Replaces *out by the statement for PostgreSQL. What cannot be rewritten stays, and the parser says so. */
void shim_rewrite(const char *sql, int dialect, strbuf *out);

#endif
