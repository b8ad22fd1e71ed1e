/* SPDX-License-Identifier: MIT */
/** @file base/error.h  Filling the caller's psh_error. */
#ifndef PSHI_BASE_ERROR_H
#define PSHI_BASE_ERROR_H

#include <predshard/base.h>

/**
 * Writes the detail of a failure, where the caller gave memory for it, and gives the status back.
 * field and text are copied and cut to fit; neither is ever taken as a format.
 */
psh_status pshi_fail(psh_error *err, psh_status status, const char *field, const char *text);
/** The same, with "field[index]" as the field. */
psh_status pshi_fail_at(psh_error *err, psh_status status, const char *field, size_t index, const char *text);
/** A host callback failed: sets host_code. @return status if it is one of ours below 0, else PSH_E_HOST. */
psh_status pshi_fail_host(psh_error *err, psh_status returned, const char *callback);

#endif
