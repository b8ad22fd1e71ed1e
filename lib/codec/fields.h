/* SPDX-License-Identifier: MIT */
/** @file codec/fields.h  One list of fields, with their bounds, that both writes and reads a struct. */
#ifndef PSHI_CODEC_FIELDS_H
#define PSHI_CODEC_FIELDS_H

#include "base/buffer.h"
#include "base/cursor.h"

/** Exactly one of the two is set. Reading a field outside its bounds marks the cursor and leaves `least`. */
typedef struct pshi_fields {
    pshi_writer *w;
    pshi_cursor *c;
} pshi_fields;

/** Anything that a model may hold: far from where squares and sums stop being finite. */
#define PSHI_FIELD_MOST 0x1p300

void pshi_field_u32(pshi_fields *io, uint32_t *x, uint32_t least, uint32_t most); /* var */
void pshi_field_u64(pshi_fields *io, uint64_t *x);                                /* u64 */
void pshi_field_i64(pshi_fields *io, int64_t *x, int64_t least, int64_t most);    /* int */
void pshi_field_f64(pshi_fields *io, double *x, double least, double most);
void pshi_field_f32(pshi_fields *io, float *x, double least, double most);
void pshi_field_f64s(pshi_fields *io, double *x, size_t n, double least, double most);
void pshi_field_f32s(pshi_fields *io, float *x, size_t n, double least, double most);

#endif
