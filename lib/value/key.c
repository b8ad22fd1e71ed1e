/* SPDX-License-Identifier: MIT */
/*
 * The order-preserving encoding. A value is one tag byte, its type number plus 1, then:
 *
 *   NULL (tag 1)       nothing
 *   int64 (2)          8 bytes, big-endian, the sign bit inverted
 *   double (3)         8 bytes, big-endian, of the IEEE 754 binary64 bits: all bits inverted when negative, else
 *                      the sign bit set; -0.0 is written as 0.0
 *   decimal (4)        1 byte scale (0..38), then 16 bytes, big-endian two's complement, the sign bit inverted
 *   bool (5)           1 byte, 0 or 1
 *   timestamp (6)      as int64
 *   text (7), bytes (8)  each byte 0x00 as 0x00 0xff, others as they are; then the end, 0x00 0x01
 *
 * No encoding is a prefix of another one, so a tuple is its values one after the other. The end of a text
 * sorts below all that may follow in a longer one: another byte is above 0x00, an escaped zero has 0xff where
 * the end has 0x01. A tuple cut short is a byte prefix, and so sorts first.
 */
#include <math.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "value/value.h"

#define SIGN (UINT64_C(1) << 63)
#define ESCAPE 0xffu
#define END 0x01u
#define SEGMENT_BITS 16 /* of a ring point that its segment decides */
#define TENANT_SEED UINT64_C(0x74656e616e740001)

static void put_be(pshi_writer *w, uint64_t x) {
    unsigned char b[8];
    int i;

    for (i = 0; i < 8; i++)
        b[i] = (unsigned char)(x >> (56 - 8 * i));
    pshi_put_bytes(w, b, 8);
}

static uint64_t double_bits(double x) {
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits & SIGN ? ~bits : bits | SIGN;
}

static void put_escaped(pshi_writer *w, const unsigned char *p, size_t n) {
    static const unsigned char zero[2] = { 0, ESCAPE }, end[2] = { 0, END };
    const unsigned char *stop = n ? p + n : p, *next;

    while (p < stop) {
        next = memchr(p, 0, (size_t)(stop - p));
        pshi_put_bytes(w, p, (size_t)((next ? next : stop) - p));
        if (next)
            pshi_put_bytes(w, zero, 2);
        p = next ? next + 1 : stop;
    }
    pshi_put_bytes(w, end, 2);
}

static void put_key(pshi_writer *w, const psh_value *v) {
    pshi_put_u8(w, (uint8_t)(v->type + 1));
    switch (v->type) {
    case PSH_TYPE_NULL:
        break;
    case PSH_TYPE_DOUBLE:
        put_be(w, double_bits(v->as.f64));
        break;
    case PSH_TYPE_DECIMAL:
        pshi_put_u8(w, (uint8_t)v->size);
        put_be(w, (uint64_t)v->hi ^ SIGN);
        put_be(w, (uint64_t)v->as.i64);
        break;
    case PSH_TYPE_BOOL:
        pshi_put_u8(w, (uint8_t)v->as.i64);
        break;
    case PSH_TYPE_TEXT:
    case PSH_TYPE_BYTES:
        put_escaped(w, v->as.data, v->size);
        break;
    default:
        put_be(w, (uint64_t)v->as.i64 ^ SIGN);
    }
}

psh_status psh_key_append(psh_buffer *out, const psh_value *v) {
    pshi_writer w;
    psh_value n;

    if (!out || !v || pshi_value_check(v, v->type, v->size, 1) != PSH_OK)
        return PSH_E_INVALID;
    n = pshi_value_normal(v);
    w = pshi_write(out);
    put_key(&w, &n);
    return pshi_write_end(&w);
}

static uint64_t get_be(pshi_cursor *c) {
    const unsigned char *p = pshi_get_bytes(c, 8);
    uint64_t x = 0;
    int i;

    for (i = 0; p && i < 8; i++)
        x = x << 8 | p[i];
    return x;
}

static double get_double(pshi_cursor *c) {
    uint64_t bits = get_be(c);
    double x;

    bits = bits & SIGN ? bits & ~SIGN : ~bits;
    memcpy(&x, &bits, sizeof x);
    if (!isfinite(x) || bits == SIGN)
        pshi_read_bad(c);
    return x;
}

/* Finds the end of an escaped text; *size is its length without escapes. @return its encoded bytes. */
static const unsigned char *scan_escaped(pshi_cursor *c, size_t *size) {
    const unsigned char *start = c->at, *p;
    unsigned char mark;

    *size = 0;
    for (;;) {
        p = memchr(c->at, 0, pshi_read_left(c));
        if (!p || c->end - p < 2) {
            pshi_read_bad(c);
            return start;
        }
        *size += (size_t)(p - c->at);
        mark = p[1];
        c->at = p + 2;
        if (mark == END)
            return start;
        if (mark != ESCAPE) {
            pshi_read_bad(c);
            return start;
        }
        ++*size;
    }
}

static void get_escaped(pshi_cursor *c, psh_buffer *scratch, psh_value *v) {
    size_t size, i;
    const unsigned char *p;
    unsigned char *to;

    p = scan_escaped(c, &size);
    if (c->status != PSH_OK || size > UINT32_MAX) {
        pshi_read_bad(c);
        return;
    }
    psh_buffer_clear(scratch);
    c->status = psh_buffer_append(scratch, p, size);
    if (c->status != PSH_OK)
        return;
    to = pshi_buffer_bytes(scratch);
    for (i = 0; i < size; i++) {
        to[i] = *p;
        p += *p ? 1 : 2;
    }
    v->as.data = psh_buffer_data(scratch);
    v->size = (uint32_t)size;
}

static void get_key(pshi_cursor *c, psh_buffer *scratch, psh_value *v) {
    switch (v->type) {
    case PSH_TYPE_NULL:
        break;
    case PSH_TYPE_DOUBLE:
        v->as.f64 = get_double(c);
        break;
    case PSH_TYPE_DECIMAL:
        v->size = pshi_get_u8(c);
        v->hi = (int64_t)(get_be(c) ^ SIGN);
        v->as.i64 = (int64_t)get_be(c);
        break;
    case PSH_TYPE_BOOL:
        v->as.i64 = pshi_get_u8(c);
        break;
    case PSH_TYPE_TEXT:
    case PSH_TYPE_BYTES:
        get_escaped(c, scratch, v);
        break;
    case PSH_TYPE_INT64:
    case PSH_TYPE_TIMESTAMP:
        v->as.i64 = (int64_t)(get_be(c) ^ SIGN);
        break;
    default:
        pshi_read_bad(c);
    }
    if (c->status == PSH_OK && pshi_value_check(v, v->type, v->size, 1) != PSH_OK)
        pshi_read_bad(c);
}

psh_status psh_key_read(const void *data, size_t size, size_t *used, psh_buffer *scratch, psh_value *out) {
    psh_value v;
    pshi_cursor c;

    if ((!data && size) || !used || !scratch || !out)
        return PSH_E_INVALID;
    if (!size)
        return PSH_END;
    c = pshi_read(data, size);
    memset(&v, 0, sizeof v);
    v.type = (uint32_t)pshi_get_u8(&c) - 1;
    get_key(&c, scratch, &v);
    if (c.status != PSH_OK)
        return c.status;
    *used = (size_t)(c.at - (const unsigned char *)data);
    *out = v;
    return PSH_OK;
}

uint64_t psh_tenant_id(const psh_value *tenant) {
    return pshi_nonzero(pshi_value_hash(tenant, TENANT_SEED));
}

uint64_t psh_ring_point(uint64_t tenant_id, uint32_t segment) {
    uint64_t place = pshi_mix64((uint64_t)segment + UINT64_C(0x9e3779b97f4a7c15));
    uint64_t point = pshi_mix64(tenant_id ^ place);

    return segment ? (place & ~(UINT64_MAX >> SEGMENT_BITS)) | point >> SEGMENT_BITS : point;
}
