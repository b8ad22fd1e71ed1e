/* SPDX-License-Identifier: MIT */
/** @file json.h  The result of a race as JSON; json.c says what is in it. */
#ifndef TOOL_JSON_H
#define TOOL_JSON_H

#include <jansson.h>

#include "race.h"

/** @return the result, the caller's; NULL when memory is short (f says so). */
json_t *json_result(const race *r, failure *f);

#endif
