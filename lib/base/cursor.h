/* SPDX-License-Identifier: MIT */
/** @file base/cursor.h  The one bounded reader of untrusted bytes. */
#ifndef PSHI_BASE_CURSOR_H
#define PSHI_BASE_CURSOR_H

#include <predshard/schema.h>

/** Gets give zeros after a failure; check status, or end, before what was read is used. */
typedef struct pshi_cursor {
    const unsigned char *at;
    const unsigned char *end;
    psh_status status; /* PSH_OK or PSH_E_CORRUPT */
} pshi_cursor;

pshi_cursor pshi_read(const void *data, size_t size);
size_t pshi_read_left(const pshi_cursor *c);
/** @return the status; PSH_E_CORRUPT also when bytes are left over. */
psh_status pshi_read_end(const pshi_cursor *c);
/** Marks it corrupt: a check of the caller failed. */
void pshi_read_bad(pshi_cursor *c);

const unsigned char *pshi_get_bytes(pshi_cursor *c, size_t size); /* NULL on failure */
uint8_t pshi_get_u8(pshi_cursor *c);
uint32_t pshi_get_u32(pshi_cursor *c);
uint64_t pshi_get_u64(pshi_cursor *c);
double pshi_get_f64(pshi_cursor *c);           /* any bits; NaN and infinities are corrupt */
uint64_t pshi_get_var(pshi_cursor *c);         /* longer than shortest form is corrupt */
int64_t pshi_get_int(pshi_cursor *c);
uint32_t pshi_get_var32(pshi_cursor *c);       /* beyond 32 bits is corrupt */
/** A count of things that take at least `least` bytes each in what is left; more is corrupt. */
size_t pshi_get_count(pshi_cursor *c, size_t least);
psh_bytes pshi_get_blob(pshi_cursor *c);
/** A text of 1..255 bytes without NUL, copied into out[256]. */
void pshi_get_name(pshi_cursor *c, char out[256]);
/** Borrows text and bytes. Types, scales and bools are checked. */
void pshi_get_value(pshi_cursor *c, psh_value *out);

#endif
