/* SPDX-License-Identifier: MIT */
/** @file base/buffer.h  Writing bytes and text into a psh_buffer, with one check at the end. */
#ifndef PSHI_BASE_BUFFER_H
#define PSHI_BASE_BUFFER_H

#include <predshard/schema.h>

/** Begin, put, put, ..., end: after a failure puts do nothing, and end takes everything back. */
typedef struct pshi_writer {
    psh_buffer *out;
    size_t start;
    psh_status status;
} pshi_writer;

psh_env *pshi_buffer_env(const psh_buffer *b);
/** Bytes that may be changed in place. */
unsigned char *pshi_buffer_bytes(psh_buffer *b);
/** Forgets all but the first `size` bytes. */
void pshi_buffer_truncate(psh_buffer *b, size_t size);

pshi_writer pshi_write(psh_buffer *out);
/** @return PSH_OK, or the first failure, with the buffer as it was at pshi_write. */
psh_status pshi_write_end(pshi_writer *w);

void pshi_put_bytes(pshi_writer *w, const void *data, size_t size);
void pshi_put_u8(pshi_writer *w, uint8_t x);
void pshi_put_u32(pshi_writer *w, uint32_t x); /* 4 bytes, little-endian */
void pshi_put_u64(pshi_writer *w, uint64_t x); /* 8 bytes, little-endian */
void pshi_put_f64(pshi_writer *w, double x);   /* 8 bytes, IEEE 754 binary64, little-endian */
void pshi_put_var(pshi_writer *w, uint64_t x); /* LEB128, shortest form */
void pshi_put_int(pshi_writer *w, int64_t x);  /* zigzag, then LEB128 */
void pshi_put_blob(pshi_writer *w, const void *data, size_t size); /* var length, then bytes */
void pshi_put_str(pshi_writer *w, const char *text);               /* as blob, without its NUL */
void pshi_put_value(pshi_writer *w, const psh_value *v);

/* Text for dumps. No format comes from data. */
void pshi_text(pshi_writer *w, const char *text);
void pshi_text_u64(pshi_writer *w, uint64_t x);
void pshi_text_i64(pshi_writer *w, int64_t x);
void pshi_text_hex(pshi_writer *w, uint64_t x); /* 16 digits */
void pshi_text_f64(pshi_writer *w, double x);   /* 17 significant digits at most, round-trip */
void pshi_text_time(pshi_writer *w, int64_t t); /* 2001-01-31T12:00:00Z, fraction if any; -inf, +inf for open */
void pshi_text_value(pshi_writer *w, const psh_value *v); /* text quoted, control bytes escaped */

#endif
