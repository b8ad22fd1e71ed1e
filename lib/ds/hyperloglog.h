/* SPDX-License-Identifier: MIT */
/** @file ds/hyperloglog.h  How many distinct items a stream had. */
#ifndef PSHI_DS_HYPERLOGLOG_H
#define PSHI_DS_HYPERLOGLOG_H

#include "base/buffer.h"
#include "base/cursor.h"

/*
 * HyperLogLog (Flajolet, Fusy, Gandouet & Meunier 2007): 2^bits registers of a byte each in the caller's memory,
 * zeroed at first, bits 4..16. Relative standard error 1.04 / sqrt(2^bits). With hashes of 64 bits no correction
 * for large counts is needed; small ones are counted by the empty registers (the paper's linear counting).
 */

/** One item, by a hash whose bits are all good. */
void pshi_hll_add(uint8_t *registers, uint32_t bits, uint64_t hash);
/** @return the estimate. */
double pshi_hll_count(const uint8_t *registers, uint32_t bits);
/** Counts what another of the same size saw too. */
void pshi_hll_merge(uint8_t *registers, const uint8_t *from, uint32_t bits);
/** Writes runs of zeros, and what stands between them. */
void pshi_hll_put(pshi_writer *w, const uint8_t *registers, uint32_t bits);
/** Reads what that wrote. Registers that no hash sets are corrupt. */
void pshi_hll_get(pshi_cursor *c, uint8_t *registers, uint32_t bits);

#endif
