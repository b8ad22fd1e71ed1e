/* SPDX-License-Identifier: MIT */
#include "base/sha256.h"

#include <stdint.h>
#include <string.h>

#define BLOCK 64u

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes (section 4.2.2). */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* The same of the square roots of the first eight (section 5.3.3). */
static const uint32_t initial_hash[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static uint32_t rotate_right(uint32_t x, unsigned n) {
    return x >> n | x << (32 - n);
}

static uint32_t big_endian_word(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Section 6.2.2, step 1. */
static void expand_schedule(uint32_t w[64], const unsigned char *block) {
    uint32_t s0, s1;
    size_t t;

    for (t = 0; t < 16; t++)
        w[t] = big_endian_word(block + 4 * t);
    for (; t < 64; t++) {
        s0 = rotate_right(w[t - 15], 7) ^ rotate_right(w[t - 15], 18) ^ w[t - 15] >> 3;
        s1 = rotate_right(w[t - 2], 17) ^ rotate_right(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }
}

/* Steps 2 to 4. v is a..h of the standard. */
static void hash_block(uint32_t h[8], const unsigned char *block) {
    uint32_t w[64], v[8], t1, t2;
    size_t t;

    expand_schedule(w, block);
    memcpy(v, h, sizeof v);
    for (t = 0; t < 64; t++) {
        t1 = v[7] + (rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^ rotate_right(v[4], 25)) +
             ((v[4] & v[5]) ^ (~v[4] & v[6])) + round_constants[t] + w[t];
        t2 = (rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^ rotate_right(v[0], 22)) +
             ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        v[7] = v[6];
        v[6] = v[5];
        v[5] = v[4];
        v[4] = v[3] + t1;
        v[3] = v[2];
        v[2] = v[1];
        v[1] = v[0];
        v[0] = t1 + t2;
    }
    for (t = 0; t < 8; t++)
        h[t] += v[t];
}

/* Section 5.1.1: a one bit, zeros, and the length in bits fill the last block, or the last two. */
static void hash_tail(uint32_t h[8], const unsigned char *tail, size_t left, uint64_t size) {
    unsigned char last[2 * BLOCK] = { 0 };
    size_t end = left + 9 > BLOCK ? 2 * BLOCK : BLOCK, i;

    if (left)
        memcpy(last, tail, left);
    last[left] = 0x80;
    for (i = 0; i < 8; i++)
        last[end - 1 - i] = (unsigned char)(size * 8 >> 8 * i);
    for (i = 0; i < end; i += BLOCK)
        hash_block(h, last + i);
}

void pshi_sha256(const void *data, size_t size, unsigned char out[PSHI_SHA256_BYTES]) {
    const unsigned char *p = data;
    uint32_t h[8];
    size_t left = size, i;

    memcpy(h, initial_hash, sizeof h);
    for (; left >= BLOCK; left -= BLOCK, p += BLOCK)
        hash_block(h, p);
    hash_tail(h, p, left, size);
    for (i = 0; i < PSHI_SHA256_BYTES; i++)
        out[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}
