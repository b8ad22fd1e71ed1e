/* SPDX-License-Identifier: MIT */
/** @file value/forecast.h  Subjects: their check, bytes and text. */
#ifndef PSHI_VALUE_FORECAST_H
#define PSHI_VALUE_FORECAST_H

#include <predshard/forecast.h>

#include "base/buffer.h"
#include "base/cursor.h"

/** Whether its kind is one of PSH_SUBJECT_*. */
int pshi_is_subject(const psh_subject *s);
void pshi_subject_put(pshi_writer *w, const psh_subject *s);
void pshi_subject_get(pshi_cursor *c, psh_subject *out);
/** E.g. "tenant 0 00000000000000ff": kind, table, id. */
void pshi_subject_text(pshi_writer *w, const psh_subject *s);

#endif
