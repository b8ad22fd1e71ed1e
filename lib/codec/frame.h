/* SPDX-License-Identifier: MIT */
/** @file codec/frame.h  The frame of everything persisted: magic, version, kind, sections with CRC-32C. */
#ifndef PSHI_CODEC_FRAME_H
#define PSHI_CODEC_FRAME_H

#include "base/buffer.h"
#include "base/cursor.h"

/* Kinds of frame; numbers are never reused. */
#define PSHI_KIND_SCHEMA 1u
#define PSHI_KIND_QUERY 2u
#define PSHI_KIND_CHANGES 3u
#define PSHI_KIND_VIEW 4u
#define PSHI_KIND_FORECAST 5u
#define PSHI_KIND_DEMAND 6u
#define PSHI_KIND_WANTS 7u
#define PSHI_KIND_PLAN 8u
#define PSHI_KIND_WORLD 9u
#define PSHI_KIND_FORECASTER 10u
#define PSHI_KIND_MAP 11u
#define PSHI_KIND_TIERS 12u
#define PSHI_KIND_MATERIALIZER 13u
#define PSHI_KIND_CHECKPOINT 14u
#define PSHI_KIND_AUTOPILOT 15u
#define PSHI_KIND_MODEL 16u
#define PSHI_KIND_DETECTOR 17u
#define PSHI_KIND_KEYS 18u
#define PSHI_KIND_RANGES 19u
#define PSHI_KIND_HASHING 20u
#define PSHI_KIND_SHARDS 21u
#define PSHI_KIND_CAPACITY 22u
#define PSHI_KIND_BULK 23u
#define PSHI_KIND_SHARE 24u

#define PSHI_SECTION_OPTIONAL 1u /* a reader that does not know the type skips it */
#define PSHI_SECTION_XZ 2u       /* the payload is an .xz stream; needs liblzma */

#define PSHI_MAX_SECTIONS 64u

/** Writes a frame: begin, sections one after the other, end. Failures stay in w. */
typedef struct pshi_frame_writer {
    pshi_writer *w;
    size_t header;   /* offset of the frame in the buffer */
    size_t section;  /* offset of the open section */
    uint32_t count;
} pshi_frame_writer;

pshi_frame_writer pshi_frame_begin(pshi_writer *w, uint32_t kind);
void pshi_section_begin(pshi_frame_writer *f, uint32_t type, uint32_t flags);
void pshi_section_end(pshi_frame_writer *f);
void pshi_frame_end(pshi_frame_writer *f);

/** A frame that was validated whole. Borrows the bytes, but for what was decompressed. */
typedef struct pshi_frame {
    psh_env *env;
    uint32_t count;
    uint32_t type[PSHI_MAX_SECTIONS];
    const unsigned char *data[PSHI_MAX_SECTIONS];
    size_t size[PSHI_MAX_SECTIONS];
    void *owned[PSHI_MAX_SECTIONS];
} pshi_frame;

/** A load's memory cap where the caller gave 0. */
#define PSHI_LOAD_BYTES ((size_t)64 << 20)

/**
 * Checks magic, version, kind, every length and CRC, under a memory cap; `known` are the types that the
 * caller reads: another that is not optional is PSH_E_NEWER. Each type stands at most once.
 * @return PSH_OK (then close it), PSH_E_CORRUPT, PSH_E_NEWER, PSH_E_UNSUPPORTED (xz), PSH_E_LIMIT, PSH_E_NOMEM.
 */
psh_status pshi_frame_open(
    psh_env *env, const void *data, size_t size, uint32_t kind, const uint32_t *known, size_t known_count,
    size_t max_bytes, pshi_frame *out, psh_error *err);
/** A cursor over the payload; absent: corrupt from the start. */
pshi_cursor pshi_frame_section(const pshi_frame *f, uint32_t type);
/** @return 1 if the section is there. */
int pshi_frame_has(const pshi_frame *f, uint32_t type);
void pshi_frame_close(pshi_frame *f);

/** Saves one value as a frame of one section of type 1. */
psh_status pshi_frame_save(
    psh_buffer *out, uint32_t kind, void (*encode)(pshi_writer *w, const void *value), const void *value);
/** Opens a frame of one section of type 1. Close *frame after use of *body. */
psh_status pshi_frame_load(
    psh_env *env, const void *data, size_t size, uint32_t kind, size_t max_bytes, pshi_frame *frame,
    pshi_cursor *body, psh_error *err);

#endif
