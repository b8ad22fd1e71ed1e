/* SPDX-License-Identifier: MIT */
/** @file base/crc32c.h  CRC-32C (Castagnoli), as in RFC 3720, appendix B.4. */
#ifndef PSHI_BASE_CRC32C_H
#define PSHI_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/** @param crc  0, or the CRC of the bytes before. */
uint32_t pshi_crc32c(uint32_t crc, const void *data, size_t size);

#endif
