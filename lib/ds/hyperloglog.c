/* SPDX-License-Identifier: MIT */
#include "ds/hyperloglog.h"

#include <math.h>
#include <string.h>

void pshi_hll_add(uint8_t *registers, uint32_t bits, uint64_t hash) {
    uint64_t rest = hash << bits | UINT64_C(1) << (bits - 1); /* the mark bounds the rank */
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    uint8_t *r = &registers[hash >> (64 - bits)];

    *r = rank > *r ? rank : *r;
}

static double alpha(uint32_t m) {
    return m == 16 ? 0.673 : m == 32 ? 0.697 : m == 64 ? 0.709 : 0.7213 / (1 + 1.079 / m);
}

double pshi_hll_count(const uint8_t *registers, uint32_t bits) {
    uint32_t m = UINT32_C(1) << bits, i, empty = 0;
    double sum = 0, raw;

    for (i = 0; i < m; i++) {
        sum += ldexp(1, -(int)registers[i]);
        empty += registers[i] == 0;
    }
    raw = alpha(m) * m * m / sum;
    return raw <= 2.5 * m && empty ? m * log((double)m / empty) : raw;
}

void pshi_hll_merge(uint8_t *registers, const uint8_t *from, uint32_t bits) {
    uint32_t m = UINT32_C(1) << bits, i;

    for (i = 0; i < m; i++)
        registers[i] = from[i] > registers[i] ? from[i] : registers[i];
}

void pshi_hll_put(pshi_writer *w, const uint8_t *registers, uint32_t bits) {
    uint32_t m = UINT32_C(1) << bits, i, zeros = 0;

    for (i = 0; i < m; i++) {
        if (!registers[i]) {
            zeros++;
            continue;
        }
        pshi_put_var(w, zeros);
        pshi_put_u8(w, registers[i]);
        zeros = 0;
    }
    pshi_put_var(w, zeros);
}

void pshi_hll_get(pshi_cursor *c, uint8_t *registers, uint32_t bits) {
    uint32_t m = UINT32_C(1) << bits, i = 0, zeros;
    uint8_t rank;

    memset(registers, 0, m);
    while (c->status == PSH_OK) {
        zeros = pshi_get_var32(c);
        if (zeros > m - i)
            pshi_read_bad(c);
        if (zeros >= m - i)
            break;
        i += zeros;
        rank = pshi_get_u8(c);
        if (!rank || rank > 65 - bits)
            pshi_read_bad(c);
        registers[i++] = rank;
    }
}
