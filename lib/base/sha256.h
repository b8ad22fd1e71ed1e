/* SPDX-License-Identifier: MIT */
/** @file base/sha256.h  SHA-256: names that depend on content alone. */
#ifndef PSHI_BASE_SHA256_H
#define PSHI_BASE_SHA256_H

#include <stddef.h>

#define PSHI_SHA256_BYTES 32u

/**
 * SHA-256 of `size` bytes (FIPS 180-4, section 6.2), most significant byte of each word first, as the standard
 * writes it. data may be NULL when size is 0. No allocation; cannot fail; any thread.
 */
void pshi_sha256(const void *data, size_t size, unsigned char out[PSHI_SHA256_BYTES]);

#endif
