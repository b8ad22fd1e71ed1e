/* SPDX-License-Identifier: MIT */
/** @file digest.h  128-bit fingerprints of answers, plans and statements. Not cryptographic. */
#ifndef TOOL_DIGEST_H
#define TOOL_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/** Two 64-bit lanes, each with its own seed and mixing. */
typedef struct digest {
    uint64_t a;
    uint64_t b;
} digest;

/** One bijective step of SplitMix64 (Steele, Lea, Flood 2014) applied to x. */
uint64_t mix64(uint64_t x);
void digest_init(digest *d);
void digest_word(digest *d, uint64_t word);
/** Takes the bytes and their number. */
void digest_bytes(digest *d, const void *data, size_t size);
/** @return 1 if equal. */
int digest_equal(const digest *x, const digest *y);
/** Writes 32 hex digits and a zero. */
void digest_text(const digest *d, char out[33]);

#endif
