/* SPDX-License-Identifier: MIT */
/** @file base/hash.h  SipHash-2-4 and a 64-bit mixer. */
#ifndef PSHI_BASE_HASH_H
#define PSHI_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/**
 * SipHash-2-4 (Aumasson & Bernstein 2012, "SipHash: a fast short-input PRF") under a fixed key: the same on
 * all machines and in all versions, since ids are made of it.
 */
uint64_t pshi_hash(const void *data, size_t size);
/** The same with the key's second half replaced, to tell domains apart. */
uint64_t pshi_hash_seed(const void *data, size_t size, uint64_t seed);

/** The finaliser of SplitMix64 (Steele, Lea & Flood 2014): a bijection of 64 bits. */
static inline uint64_t pshi_mix64(uint64_t x) {
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/** Ids are never 0. */
static inline uint64_t pshi_nonzero(uint64_t h) {
    return h ? h : 1;
}

#endif
