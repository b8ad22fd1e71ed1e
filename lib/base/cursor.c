/* SPDX-License-Identifier: MIT */
#include "base/cursor.h"

#include <math.h>
#include <string.h>

pshi_cursor pshi_read(const void *data, size_t size) {
    pshi_cursor c = { data, (const unsigned char *)data + size, PSH_OK };

    return c;
}

size_t pshi_read_left(const pshi_cursor *c) {
    return c->status == PSH_OK ? (size_t)(c->end - c->at) : 0;
}

psh_status pshi_read_end(const pshi_cursor *c) {
    if (c->status != PSH_OK)
        return c->status;
    return c->at == c->end ? PSH_OK : PSH_E_CORRUPT;
}

void pshi_read_bad(pshi_cursor *c) {
    c->status = PSH_E_CORRUPT;
}

const unsigned char *pshi_get_bytes(pshi_cursor *c, size_t size) {
    const unsigned char *p = c->at;

    if (c->status != PSH_OK || size > (size_t)(c->end - c->at)) {
        c->status = PSH_E_CORRUPT;
        return NULL;
    }
    c->at += size;
    return p;
}

static uint64_t get_le(pshi_cursor *c, size_t n) {
    const unsigned char *p = pshi_get_bytes(c, n);
    uint64_t x = 0;
    size_t i;

    for (i = 0; p && i < n; i++)
        x |= (uint64_t)p[i] << (8 * i);
    return x;
}

uint8_t pshi_get_u8(pshi_cursor *c) {
    return (uint8_t)get_le(c, 1);
}

uint32_t pshi_get_u32(pshi_cursor *c) {
    return (uint32_t)get_le(c, 4);
}

uint64_t pshi_get_u64(pshi_cursor *c) {
    return get_le(c, 8);
}

double pshi_get_f64(pshi_cursor *c) {
    uint64_t bits = get_le(c, 8);
    double x;

    memcpy(&x, &bits, sizeof x);
    if (!isfinite(x)) {
        c->status = PSH_E_CORRUPT;
        return 0;
    }
    return x;
}

uint64_t pshi_get_var(pshi_cursor *c) {
    uint64_t x = 0;
    int shift = 0;

    for (;;) {
        uint8_t b = pshi_get_u8(c);

        if (c->status != PSH_OK)
            return 0;
        if ((shift == 63 && b > 1) || (shift && !b)) {
            c->status = PSH_E_CORRUPT;
            return 0;
        }
        x |= (uint64_t)(b & 127) << shift;
        if (!(b & 128))
            return x;
        shift += 7;
        if (shift > 63) {
            c->status = PSH_E_CORRUPT;
            return 0;
        }
    }
}

int64_t pshi_get_int(pshi_cursor *c) {
    uint64_t x = pshi_get_var(c);

    return (int64_t)((x >> 1) ^ (0 - (x & 1)));
}

uint32_t pshi_get_var32(pshi_cursor *c) {
    uint64_t x = pshi_get_var(c);

    if (x > UINT32_MAX) {
        c->status = PSH_E_CORRUPT;
        return 0;
    }
    return (uint32_t)x;
}

size_t pshi_get_count(pshi_cursor *c, size_t least) {
    uint64_t n = pshi_get_var(c);

    if (least && n > pshi_read_left(c) / least) {
        c->status = PSH_E_CORRUPT;
        return 0;
    }
    return (size_t)n;
}

psh_bytes pshi_get_blob(pshi_cursor *c) {
    psh_bytes b = { NULL, 0 };
    size_t n = pshi_get_count(c, 1);

    b.data = pshi_get_bytes(c, n);
    b.size = b.data ? n : 0;
    return b;
}

void pshi_get_name(pshi_cursor *c, char out[256]) {
    psh_bytes b = pshi_get_blob(c);

    out[0] = '\0';
    if (c->status != PSH_OK || !b.size || b.size > 255 || memchr(b.data, 0, b.size)) {
        c->status = PSH_E_CORRUPT;
        return;
    }
    memcpy(out, b.data, b.size);
    out[b.size] = '\0';
}

static void get_decimal(pshi_cursor *c, psh_value *out) {
    out->size = pshi_get_var32(c);
    out->as.i64 = (int64_t)pshi_get_u64(c);
    out->hi = (int64_t)pshi_get_u64(c);
    if (out->size > 38)
        pshi_read_bad(c);
}

static void get_text(pshi_cursor *c, psh_value *out) {
    psh_bytes b = pshi_get_blob(c);

    if (b.size > UINT32_MAX)
        pshi_read_bad(c);
    out->as.data = b.data;
    out->size = (uint32_t)b.size;
}

void pshi_get_value(pshi_cursor *c, psh_value *out) {
    memset(out, 0, sizeof *out);
    out->type = pshi_get_u8(c);
    switch (out->type) {
    case PSH_TYPE_NULL:
        break;
    case PSH_TYPE_DOUBLE:
        out->as.f64 = pshi_get_f64(c);
        break;
    case PSH_TYPE_DECIMAL:
        get_decimal(c, out);
        break;
    case PSH_TYPE_TEXT:
    case PSH_TYPE_BYTES:
        get_text(c, out);
        break;
    case PSH_TYPE_INT64:
    case PSH_TYPE_BOOL:
    case PSH_TYPE_TIMESTAMP:
        out->as.i64 = pshi_get_int(c);
        if (out->type == PSH_TYPE_BOOL && (uint64_t)out->as.i64 > 1)
            pshi_read_bad(c);
        if (out->type == PSH_TYPE_TIMESTAMP && out->as.i64 == PSH_TIME_NONE)
            pshi_read_bad(c);
        break;
    default:
        pshi_read_bad(c);
    }
    if (c->status != PSH_OK)
        memset(out, 0, sizeof *out);
}
