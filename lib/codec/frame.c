/* SPDX-License-Identifier: MIT */
#include "codec/frame.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/env.h"
#include "base/error.h"
#include "codec/xz.h"

/*
 * header:  "PSHD", u16 major, u16 minor, u32 kind, u32 section count, u32 CRC of the 16 bytes before.
 * section: u32 type, u32 flags, u64 stored size, u64 raw size, u32 CRC of the 24 bytes before and the payload.
 */
#define HEADER_SIZE 20u
#define SECTION_SIZE 28u
#define DEVELOPMENT 0xffffu /* major version of builds before the first release */
#define FORMAT_MAJOR (PSH_VERSION_MAJOR ? PSH_VERSION_MAJOR : DEVELOPMENT)
#define FORMAT_MINOR 1u

static void patch(pshi_frame_writer *f, size_t at, uint64_t x, size_t n) {
    unsigned char *p = pshi_buffer_bytes(f->w->out) + at;
    size_t i;

    for (i = 0; i < n; i++)
        p[i] = (unsigned char)(x >> (8 * i));
}

pshi_frame_writer pshi_frame_begin(pshi_writer *w, uint32_t kind) {
    pshi_frame_writer f = { w, psh_buffer_size(w->out), 0, 0 };

    pshi_put_bytes(w, "PSHD", 4);
    pshi_put_u32(w, FORMAT_MAJOR | FORMAT_MINOR << 16);
    pshi_put_u32(w, kind);
    pshi_put_u32(w, 0);
    pshi_put_u32(w, 0);
    return f;
}

void pshi_section_begin(pshi_frame_writer *f, uint32_t type, uint32_t flags) {
    static const unsigned char zeros[20];

    f->section = psh_buffer_size(f->w->out);
    pshi_put_u32(f->w, type);
    pshi_put_u32(f->w, flags);
    pshi_put_bytes(f->w, zeros, sizeof zeros);
    f->count++;
}

static void compress_section(pshi_frame_writer *f, size_t *raw) {
    size_t at = f->section + SECTION_SIZE;

    *raw = psh_buffer_size(f->w->out) - at;
    if (pshi_buffer_bytes(f->w->out)[f->section + 4] & PSHI_SECTION_XZ)
        f->w->status = pshi_xz_compress_tail(f->w->out, at);
}

void pshi_section_end(pshi_frame_writer *f) {
    size_t raw, stored;
    uint32_t crc;

    if (f->w->status != PSH_OK)
        return;
    compress_section(f, &raw);
    if (f->w->status != PSH_OK)
        return;
    stored = psh_buffer_size(f->w->out) - f->section - SECTION_SIZE;
    patch(f, f->section + 8, stored, 8);
    patch(f, f->section + 16, raw, 8);
    crc = pshi_crc32c(0, pshi_buffer_bytes(f->w->out) + f->section, 24);
    crc = pshi_crc32c(crc, pshi_buffer_bytes(f->w->out) + f->section + SECTION_SIZE, stored);
    patch(f, f->section + 24, crc, 4);
}

void pshi_frame_end(pshi_frame_writer *f) {
    if (f->w->status != PSH_OK)
        return;
    patch(f, f->header + 12, f->count, 4);
    patch(f, f->header + 16, pshi_crc32c(0, pshi_buffer_bytes(f->w->out) + f->header, 16), 4);
}

static psh_status check_header(pshi_cursor *c, uint32_t kind, uint32_t *count, psh_error *err) {
    const unsigned char *start = c->at;
    const unsigned char *magic = pshi_get_bytes(c, 4);
    uint32_t version = pshi_get_u32(c);
    uint32_t found = pshi_get_u32(c);
    uint32_t crc;

    *count = pshi_get_u32(c);
    crc = pshi_get_u32(c);
    if (c->status != PSH_OK || memcmp(magic, "PSHD", 4) != 0 || crc != pshi_crc32c(0, start, 16))
        return pshi_fail(err, PSH_E_CORRUPT, "data", "not a frame of this library, or its header is damaged");
    if ((version & 0xffff) != FORMAT_MAJOR)
        return pshi_fail(err, PSH_E_NEWER, "data", "written by another major version");
    if (found != kind)
        return pshi_fail(err, PSH_E_CORRUPT, "data", "a frame of another kind of value");
    if (*count > PSHI_MAX_SECTIONS)
        return pshi_fail(err, PSH_E_CORRUPT, "data", "too many sections");
    return PSH_OK;
}

static int is_known(uint32_t type, const uint32_t *known, size_t n) {
    size_t i;

    for (i = 0; i < n; i++)
        if (known[i] == type)
            return 1;
    return 0;
}

static psh_status add_section(
    pshi_frame *f, uint32_t type, uint32_t flags, const unsigned char *p, size_t stored, size_t raw) {
    uint32_t i = f->count;
    psh_status st;

    if (pshi_frame_has(f, type))
        return PSH_E_CORRUPT;
    f->type[i] = type;
    f->data[i] = p;
    f->size[i] = raw;
    if (flags & PSHI_SECTION_XZ) {
        st = pshi_xz_expand(f->env, p, stored, raw, &f->owned[i]);
        if (st != PSH_OK)
            return st;
        f->data[i] = f->owned[i];
    } else if (stored != raw) {
        return PSH_E_CORRUPT;
    }
    f->count++;
    return PSH_OK;
}

static psh_status read_section(
    pshi_frame *f, pshi_cursor *c, const uint32_t *known, size_t known_count, size_t *left) {
    const unsigned char *start = c->at, *payload;
    uint32_t type = pshi_get_u32(c), flags = pshi_get_u32(c), crc;
    uint64_t stored = pshi_get_u64(c), raw = pshi_get_u64(c);

    crc = pshi_get_u32(c);
    payload = stored > SIZE_MAX ? NULL : pshi_get_bytes(c, (size_t)stored);
    if (!payload || c->status != PSH_OK)
        return PSH_E_CORRUPT;
    if (crc != pshi_crc32c(pshi_crc32c(0, start, 24), payload, (size_t)stored))
        return PSH_E_CORRUPT;
    if (!is_known(type, known, known_count))
        return flags & PSHI_SECTION_OPTIONAL ? PSH_OK : PSH_E_NEWER;
    if (flags & ~(PSHI_SECTION_OPTIONAL | PSHI_SECTION_XZ))
        return PSH_E_NEWER;
    if (raw > *left)
        return PSH_E_LIMIT;
    *left -= (size_t)raw;
    return add_section(f, type, flags, payload, (size_t)stored, (size_t)raw);
}

psh_status pshi_frame_open(
    psh_env *env, const void *data, size_t size, uint32_t kind, const uint32_t *known, size_t known_count,
    size_t max_bytes, pshi_frame *out, psh_error *err) {
    pshi_cursor c;
    size_t left = max_bytes ? max_bytes : PSHI_LOAD_BYTES;
    uint32_t count, i;
    psh_status st;

    memset(out, 0, sizeof *out);
    out->env = env;
    if (!data)
        return pshi_fail(err, PSH_E_INVALID, "data", "is NULL");
    c = pshi_read(data, size);
    st = check_header(&c, kind, &count, err);
    for (i = 0; st == PSH_OK && i < count; i++) {
        st = read_section(out, &c, known, known_count, &left);
        if (st != PSH_OK)
            pshi_fail_at(err, st, "section", i, psh_status_text(st));
    }
    if (st == PSH_OK && pshi_read_end(&c) != PSH_OK)
        st = pshi_fail(err, PSH_E_CORRUPT, "data", "bytes follow the last section");
    if (st != PSH_OK)
        pshi_frame_close(out);
    return st;
}

static uint32_t find_section(const pshi_frame *f, uint32_t type) {
    uint32_t i;

    for (i = 0; i < f->count; i++)
        if (f->type[i] == type)
            return i;
    return PSH_NONE;
}

pshi_cursor pshi_frame_section(const pshi_frame *f, uint32_t type) {
    uint32_t i = find_section(f, type);
    pshi_cursor c = pshi_read("", 0);

    if (i == PSH_NONE) {
        pshi_read_bad(&c);
        return c;
    }
    return pshi_read(f->data[i], f->size[i]);
}

int pshi_frame_has(const pshi_frame *f, uint32_t type) {
    return find_section(f, type) != PSH_NONE;
}

void pshi_frame_close(pshi_frame *f) {
    uint32_t i;

    for (i = 0; i < PSHI_MAX_SECTIONS; i++)
        pshi_free(f->env, f->owned[i]);
    memset(f, 0, sizeof *f);
}

psh_status pshi_frame_save(
    psh_buffer *out, uint32_t kind, void (*encode)(pshi_writer *w, const void *value), const void *value) {
    pshi_writer w = pshi_write(out);
    pshi_frame_writer f;

    if (w.status != PSH_OK || !value)
        return PSH_E_INVALID;
    f = pshi_frame_begin(&w, kind);
    pshi_section_begin(&f, 1, 0);
    encode(&w, value);
    pshi_section_end(&f);
    pshi_frame_end(&f);
    return pshi_write_end(&w);
}

psh_status pshi_frame_load(
    psh_env *env, const void *data, size_t size, uint32_t kind, size_t max_bytes, pshi_frame *frame,
    pshi_cursor *body, psh_error *err) {
    static const uint32_t known[] = { 1 };
    psh_status st = pshi_frame_open(env, data, size, kind, known, 1, max_bytes, frame, err);

    if (st == PSH_OK)
        *body = pshi_frame_section(frame, 1);
    return st;
}
