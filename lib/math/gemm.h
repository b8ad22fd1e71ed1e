/* SPDX-License-Identifier: MIT */
/** @file math/gemm.h  Products of dense float matrices, by the host where it offers one. */
#ifndef PSHI_MATH_GEMM_H
#define PSHI_MATH_GEMM_H

#include <predshard/host.h>

/** Who multiplies. Zeroed: the built-in product. */
typedef struct pshi_gemm {
    psh_gemm_host host; /* host.gemm NULL: there is none */
    uint32_t off;       /* not 0: the host's failed, the built-in serves until somebody clears this */
    uint32_t failures;  /* of the host's, counted to UINT32_MAX */
} pshi_gemm;

/** Takes the host's table over; NULL: none. @return PSH_OK, PSH_E_INVALID or PSH_E_UNSUPPORTED (g unchanged). */
psh_status pshi_gemm_set(pshi_gemm *g, const psh_gemm_host *host);
/** The built-in product from now on, until `off` is cleared: the host's failed, or gave what cannot be. */
void pshi_gemm_give_up(pshi_gemm *g);
/**
 * C = op(A) op(B), row-major; flags and shapes as psh_gemm_host says. m, n, k >= 1. The host's product, and where
 * that fails the built-in one: C is the product in any case.
 */
void pshi_gemm_multiply(
    pshi_gemm *g, uint32_t flags, uint32_t m, uint32_t n, uint32_t k, const float *a, uint32_t lda, const float *b,
    uint32_t ldb, float *c, uint32_t ldc);
/**
 * The built-in product, whatever the host has: blocked so that a strip of B stays in the first cache and a tile of
 * C in registers (Goto & van de Geijn, "Anatomy of high-performance matrix multiplication", 2008, in the small).
 * The order in which terms are added depends on the shape alone.
 */
void pshi_gemm_plain(
    uint32_t flags, uint32_t m, uint32_t n, uint32_t k, const float *a, uint32_t lda, const float *b, uint32_t ldb,
    float *c, uint32_t ldc);

#endif
