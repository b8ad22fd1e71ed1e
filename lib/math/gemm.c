/* SPDX-License-Identifier: MIT */
#include "math/gemm.h"

#include <string.h>

#include "base/options.h"

#define DEEP 256u /* terms of the sum taken at once */
#define WIDE 8u   /* columns of a strip of B, and of a tile of C */
#define HIGH 4u   /* rows of a tile of C */

/* A as the tile sees it: element (i, p) stands at at[i * row + p * column]. */
typedef struct left {
    const float *at;
    size_t row;
    size_t column;
} left;

/* Strip [k][WIDE] of op(B) from (p, j), columns beyond n as zeros. */
static void pack_strip(
    float *strip, uint32_t flags, const float *b, uint32_t ldb, uint32_t k, uint32_t p, uint32_t j, uint32_t wide) {
    uint32_t q, x;

    if (wide < WIDE)
        memset(strip, 0, (size_t)k * WIDE * sizeof *strip);
    if (flags & PSH_GEMM_B_TRANSPOSED) {
        for (x = 0; x < wide; x++)
            for (q = 0; q < k; q++)
                strip[(size_t)q * WIDE + x] = b[(size_t)(j + x) * ldb + p + q];
        return;
    }
    for (q = 0; q < k; q++)
        memcpy(strip + (size_t)q * WIDE, b + (size_t)(p + q) * ldb + j, wide * sizeof *strip);
}

/* s += r * strip, one row of a tile. */
static inline void add_row(float s[WIDE], float r, const float *strip) {
    uint32_t x;

    for (x = 0; x < WIDE; x++)
        s[x] += r * strip[x];
}

/* HIGH rows at once: HIGH times WIDE sums that a compiler can hold in registers. */
static void tile_high(const left *a, const float *strip, uint32_t k, float out[HIGH * WIDE]) {
    float s[HIGH][WIDE] = { { 0 } };
    const float *r = a->at;
    uint32_t q;

    for (q = 0; q < k; q++, r += a->column, strip += WIDE) {
        add_row(s[0], r[0], strip);
        add_row(s[1], r[a->row], strip);
        add_row(s[2], r[2 * a->row], strip);
        add_row(s[3], r[3 * a->row], strip);
    }
    memcpy(out, s, sizeof s);
}

static void tile_one(const left *a, const float *strip, uint32_t k, float out[WIDE]) {
    float s[WIDE] = { 0 };
    const float *r = a->at;
    uint32_t q;

    for (q = 0; q < k; q++, r += a->column, strip += WIDE)
        add_row(s, r[0], strip);
    memcpy(out, s, sizeof s);
}

static void store_row(float *c, const float *tile, uint32_t wide, int add) {
    uint32_t x;

    for (x = 0; x < wide; x++)
        c[x] = add ? c[x] + tile[x] : tile[x];
}

/* All rows of C under one strip. */
static void multiply_strip(
    left a, const float *strip, uint32_t m, uint32_t k, uint32_t wide, float *c, uint32_t ldc, int add) {
    float tile[HIGH * WIDE];
    uint32_t i, r, high;

    for (i = 0; i < m; i += high, a.at += high * a.row) {
        high = m - i >= HIGH ? HIGH : 1;
        if (high == HIGH)
            tile_high(&a, strip, k, tile);
        else
            tile_one(&a, strip, k, tile);
        for (r = 0; r < high; r++)
            store_row(c + (size_t)(i + r) * ldc, tile + r * WIDE, wide, add);
    }
}

void pshi_gemm_plain(
    uint32_t flags, uint32_t m, uint32_t n, uint32_t k, const float *a, uint32_t lda, const float *b, uint32_t ldb,
    float *c, uint32_t ldc) {
    float strip[DEEP * WIDE];
    uint32_t p, j, deep, wide;
    left at = { a, lda, 1 };

    if (flags & PSH_GEMM_A_TRANSPOSED) {
        at.row = 1;
        at.column = lda;
    }
    for (p = 0; p < k; p += deep) {
        deep = k - p < DEEP ? k - p : DEEP;
        at.at = a + p * at.column;
        for (j = 0; j < n; j += wide) {
            wide = n - j < WIDE ? n - j : WIDE;
            pack_strip(strip, flags, b, ldb, deep, p, j, wide);
            multiply_strip(at, strip, m, deep, wide, c + j, ldc, p > 0);
        }
    }
}

psh_status pshi_gemm_set(pshi_gemm *g, const psh_gemm_host *host) {
    psh_gemm_host h;
    psh_status st = PSH_OK;

    memset(&h, 0, sizeof h);
    if (host)
        st = pshi_options_copy(&h, sizeof h, host, NULL);
    if (st == PSH_OK && host && h.version != PSH_GEMM_VERSION)
        st = PSH_E_UNSUPPORTED;
    if (st != PSH_OK)
        return st;
    memset(g, 0, sizeof *g);
    g->host = h;
    return PSH_OK;
}

void pshi_gemm_give_up(pshi_gemm *g) {
    g->off = 1;
    g->failures += g->failures < UINT32_MAX;
}

void pshi_gemm_multiply(
    pshi_gemm *g, uint32_t flags, uint32_t m, uint32_t n, uint32_t k, const float *a, uint32_t lda, const float *b,
    uint32_t ldb, float *c, uint32_t ldc) {
    if (g->host.gemm && !g->off) {
        if (g->host.gemm(g->host.user, flags, m, n, k, a, lda, b, ldb, c, ldc) == PSH_OK)
            return;
        pshi_gemm_give_up(g);
    }
    pshi_gemm_plain(flags, m, n, k, a, lda, b, ldb, c, ldc);
}
