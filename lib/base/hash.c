/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#define KEY0 UINT64_C(0x7072656473686172) /* "predshar" */
#define KEY1 UINT64_C(0x6430303030303031) /* "d0000001" */

static inline uint64_t rotl(uint64_t x, int n) {
    return (x << n) | (x >> (64 - n));
}

static inline void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] = rotl(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] = rotl(v[2], 32);
}

static inline uint64_t load_le(const unsigned char *p, size_t n) {
    uint64_t x = 0;
    size_t i;

    for (i = 0; i < n; i++)
        x |= (uint64_t)p[i] << (8 * i);
    return x;
}

static inline void absorb(uint64_t v[4], uint64_t m) {
    v[3] ^= m;
    sip_round(v);
    sip_round(v);
    v[0] ^= m;
}

uint64_t pshi_hash_seed(const void *data, size_t size, uint64_t seed) {
    const unsigned char *p = data;
    uint64_t v[4] = { KEY0 ^ UINT64_C(0x736f6d6570736575), seed ^ UINT64_C(0x646f72616e646f6d),
                      KEY0 ^ UINT64_C(0x6c7967656e657261), seed ^ UINT64_C(0x7465646279746573) };
    size_t left = size;
    int i;

    for (; left >= 8; p += 8, left -= 8)
        absorb(v, load_le(p, 8));
    absorb(v, load_le(p, left) | (uint64_t)size << 56);
    v[2] ^= 0xff;
    for (i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t pshi_hash(const void *data, size_t size) {
    return pshi_hash_seed(data, size, KEY1);
}
