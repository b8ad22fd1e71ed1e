/* SPDX-License-Identifier: MIT */
/** @file value/load.h  What the loads of all values share. */
#ifndef PSHI_VALUE_LOAD_H
#define PSHI_VALUE_LOAD_H

#include "base/error.h"
#include "codec/frame.h"

/** Whether n elements of `elem` bytes stay under a load's memory cap. @return PSH_OK, PSH_E_LIMIT. */
static inline psh_status pshi_load_fits(size_t max_bytes, size_t n, size_t elem, psh_error *err) {
    size_t cap = max_bytes ? max_bytes : PSHI_LOAD_BYTES;

    return n > cap / elem ? pshi_fail(err, PSH_E_LIMIT, "max_bytes", "the value takes more memory") : PSH_OK;
}

/** What a create refuses as invalid is damage when it comes from a load; the field named stays. */
static inline psh_status pshi_load_status(psh_status st, psh_error *err) {
    if (st != PSH_E_INVALID)
        return st;
    if (err && err->struct_size >= 8)
        err->code = PSH_E_CORRUPT;
    return PSH_E_CORRUPT;
}

#endif
