/* SPDX-License-Identifier: MIT */
#include "digest.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t mix64(uint64_t x) {
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void digest_init(digest *d) {
    d->a = UINT64_C(0x243f6a8885a308d3);
    d->b = UINT64_C(0x13198a2e03707344);
}

void digest_word(digest *d, uint64_t word) {
    d->a = mix64(d->a ^ word);
    d->b = mix64((d->b << 23 | d->b >> 41) + word * UINT64_C(0xd6e8feb86659fd93));
}

/* Little-endian by hand, so that the printed digests are the same on every machine. */
static uint64_t word_at(const uint8_t *p, size_t n) {
    uint64_t word = 0;
    size_t i;

    for (i = 0; i < n; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

void digest_bytes(digest *d, const void *data, size_t size) {
    const uint8_t *p = data;
    size_t i;

    for (i = 0; i + 8 <= size; i += 8)
        digest_word(d, word_at(p + i, 8));
    if (i < size)
        digest_word(d, word_at(p + i, size - i));
    digest_word(d, size);
}

int digest_equal(const digest *x, const digest *y) {
    return x->a == y->a && x->b == y->b;
}

void digest_text(const digest *d, char out[33]) {
    snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, d->a, d->b);
}
