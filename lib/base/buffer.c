/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <string.h>

#include "base/env.h"

struct psh_buffer {
    psh_env *env;
    unsigned char *data;
    size_t size;
    size_t cap;
};

psh_status psh_buffer_create(psh_env *env, psh_buffer **out) {
    psh_buffer *b;

    if (!env || !out)
        return PSH_E_INVALID;
    b = pshi_calloc(env, 1, sizeof *b);
    *out = b;
    if (!b)
        return PSH_E_NOMEM;
    b->env = env;
    return PSH_OK;
}

void psh_buffer_destroy(psh_buffer *b) {
    if (!b)
        return;
    pshi_free(b->env, b->data);
    pshi_free(b->env, b);
}

const void *psh_buffer_data(const psh_buffer *b) {
    return b->data ? (const void *)b->data : "";
}

size_t psh_buffer_size(const psh_buffer *b) {
    return b->size;
}

void pshi_buffer_truncate(psh_buffer *b, size_t size) {
    b->size = size;
    if (b->data)
        b->data[size] = 0;
}

void psh_buffer_clear(psh_buffer *b) {
    pshi_buffer_truncate(b, 0);
}

psh_status psh_buffer_append(psh_buffer *b, const void *data, size_t size) {
    if (!b || (!data && size))
        return PSH_E_INVALID;
    if (size > SIZE_MAX / 4 - b->size)
        return PSH_E_NOMEM;
    if (pshi_reserve(b->env, (void **)&b->data, &b->cap, b->size + size + 1, 1) != PSH_OK)
        return PSH_E_NOMEM;
    if (size)
        memcpy(b->data + b->size, data, size);
    pshi_buffer_truncate(b, b->size + size);
    return PSH_OK;
}

psh_env *pshi_buffer_env(const psh_buffer *b) {
    return b->env;
}

unsigned char *pshi_buffer_bytes(psh_buffer *b) {
    return b->data;
}

pshi_writer pshi_write(psh_buffer *out) {
    pshi_writer w = { out, out ? out->size : 0, out ? PSH_OK : PSH_E_INVALID };

    return w;
}

psh_status pshi_write_end(pshi_writer *w) {
    if (w->status != PSH_OK && w->out)
        pshi_buffer_truncate(w->out, w->start);
    return w->status;
}

void pshi_put_bytes(pshi_writer *w, const void *data, size_t size) {
    if (w->status == PSH_OK)
        w->status = psh_buffer_append(w->out, data, size);
}

void pshi_put_u8(pshi_writer *w, uint8_t x) {
    pshi_put_bytes(w, &x, 1);
}

static void put_le(pshi_writer *w, uint64_t x, size_t n) {
    unsigned char b[8];
    size_t i;

    for (i = 0; i < n; i++)
        b[i] = (unsigned char)(x >> (8 * i));
    pshi_put_bytes(w, b, n);
}

void pshi_put_u32(pshi_writer *w, uint32_t x) {
    put_le(w, x, 4);
}

void pshi_put_u64(pshi_writer *w, uint64_t x) {
    put_le(w, x, 8);
}

void pshi_put_f64(pshi_writer *w, double x) {
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    put_le(w, bits, 8);
}

void pshi_put_var(pshi_writer *w, uint64_t x) {
    unsigned char b[10];
    size_t n = 0;

    do {
        b[n] = (unsigned char)(x & 127);
        x >>= 7;
        if (x)
            b[n] |= 128;
        n++;
    } while (x);
    pshi_put_bytes(w, b, n);
}

void pshi_put_int(pshi_writer *w, int64_t x) {
    pshi_put_var(w, ((uint64_t)x << 1) ^ (uint64_t)(x >> 63));
}

void pshi_put_blob(pshi_writer *w, const void *data, size_t size) {
    pshi_put_var(w, size);
    pshi_put_bytes(w, data, size);
}

void pshi_put_str(pshi_writer *w, const char *text) {
    pshi_put_blob(w, text, strlen(text));
}

void pshi_put_value(pshi_writer *w, const psh_value *v) {
    pshi_put_u8(w, (uint8_t)v->type);
    switch (v->type) {
    case PSH_TYPE_NULL:
        break;
    case PSH_TYPE_DOUBLE:
        pshi_put_f64(w, v->as.f64);
        break;
    case PSH_TYPE_DECIMAL:
        pshi_put_var(w, v->size);
        pshi_put_u64(w, (uint64_t)v->as.i64);
        pshi_put_u64(w, (uint64_t)v->hi);
        break;
    case PSH_TYPE_TEXT:
    case PSH_TYPE_BYTES:
        pshi_put_blob(w, v->as.data, v->size);
        break;
    default:
        pshi_put_int(w, v->as.i64);
    }
}
