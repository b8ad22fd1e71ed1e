/* SPDX-License-Identifier: MIT */
/* The built-in product against the definition, at every edge of its tiles; the host's product, and one that fails.
 */
#include <math.h>
#include <stdlib.h>

#include "math/gemm.h"
#include "test.h"

#define MOST 40u
#define DEEP 600u

static float random_part(uint64_t *r) {
    *r = *r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (float)((double)(*r >> 40) * 0x1p-24 - 0.5);
}

/* The definition, summed in double. */
static void reference(
    uint32_t flags, uint32_t m, uint32_t n, uint32_t k, const float *a, uint32_t lda, const float *b, uint32_t ldb,
    float *c, uint32_t ldc) {
    uint32_t i, j, p;
    double sum;

    for (i = 0; i < m; i++)
        for (j = 0; j < n; j++) {
            sum = 0;
            for (p = 0; p < k; p++)
                sum += (double)(flags & PSH_GEMM_A_TRANSPOSED ? a[p * lda + i] : a[i * lda + p]) *
                       (double)(flags & PSH_GEMM_B_TRANSPOSED ? b[j * ldb + p] : b[p * ldb + j]);
            c[i * ldc + j] = (float)sum;
        }
}

static void check_shape(uint32_t flags, uint32_t m, uint32_t n, uint32_t k) {
    uint32_t lda = (flags & PSH_GEMM_A_TRANSPOSED ? m : k) + 3, ldb = (flags & PSH_GEMM_B_TRANSPOSED ? k : n) + 1;
    size_t rows_a = flags & PSH_GEMM_A_TRANSPOSED ? k : m, rows_b = flags & PSH_GEMM_B_TRANSPOSED ? n : k, i;
    float *a = malloc(rows_a * lda * sizeof *a), *b = malloc(rows_b * ldb * sizeof *b);
    float c[MOST * (MOST + 2)], want[MOST * (MOST + 2)];
    uint64_t r = 1 + m * 7919 + n * 31 + k;

    for (i = 0; i < rows_a * lda; i++)
        a[i] = random_part(&r);
    for (i = 0; i < rows_b * ldb; i++)
        b[i] = random_part(&r);
    for (i = 0; i < sizeof c / sizeof *c; i++)
        c[i] = want[i] = NAN; /* what was there is not read, what lies between rows not written */
    pshi_gemm_plain(flags, m, n, k, a, lda, b, ldb, c, n + 2);
    reference(flags, m, n, k, a, lda, b, ldb, want, n + 2);
    for (i = 0; i < sizeof c / sizeof *c; i++) {
        assert_int_equal(isnan(c[i]) != 0, isnan(want[i]) != 0);
        assert_true(isnan(c[i]) || fabsf(c[i] - want[i]) <= 1e-5f * (1 + sqrtf((float)k)));
    }
    free(a);
    free(b);
}

static void every_edge(void **state) {
    static const uint32_t sides[] = { 1, 3, 4, 5, 7, 8, 9, 16, 33 }, depths[] = { 1, 2, 40, 255, 256, 257, DEEP };
    uint32_t flags, i, j, k;

    (void)state;
    for (flags = 0; flags < 4; flags++)
        for (i = 0; i < sizeof sides / sizeof *sides; i++)
            for (j = 0; j < sizeof sides / sizeof *sides; j++)
                for (k = 0; k < sizeof depths / sizeof *depths; k++)
                    check_shape(flags, sides[i], sides[j], depths[k]);
}

typedef struct host {
    uint32_t calls;
    uint32_t works; /* this many times */
} host;

static psh_status host_gemm(
    void *user, uint32_t flags, uint32_t m, uint32_t n, uint32_t k, const float *a, uint32_t lda, const float *b,
    uint32_t ldb, float *c, uint32_t ldc) {
    host *h = user;

    if (h->calls++ < h->works) {
        reference(flags, m, n, k, a, lda, b, ldb, c, ldc);
        return PSH_OK;
    }
    c[0] = NAN; /* a failure may leave anything */
    return PSH_E_HOST;
}

static void host_is_asked(void **state) {
    host h = { 0, 1 };
    psh_gemm_host table = { sizeof table, PSH_GEMM_VERSION, &h, host_gemm };
    float a[6] = { 1, 2, 3, 4, 5, 6 }, b[6] = { 1, 0, 2, 1, 0, 3 }, c[4];
    const float want[4] = { 5, 11, 14, 23 };
    pshi_gemm g = { { 0 } };

    (void)state;
    pshi_gemm_multiply(&g, 0, 2, 2, 3, a, 3, b, 2, c, 2);
    assert_memory_equal(c, want, sizeof c);
    assert_ok(pshi_gemm_set(&g, &table));
    pshi_gemm_multiply(&g, 0, 2, 2, 3, a, 3, b, 2, c, 2);
    assert_memory_equal(c, want, sizeof c);
    assert_int_equal(h.calls, 1);
    pshi_gemm_multiply(&g, 0, 2, 2, 3, a, 3, b, 2, c, 2); /* the host fails: still the product */
    assert_memory_equal(c, want, sizeof c);
    assert_int_equal(h.calls, 2);
    assert_int_equal(g.failures, 1);
    pshi_gemm_multiply(&g, 0, 2, 2, 3, a, 3, b, 2, c, 2); /* and is left alone from then on */
    assert_int_equal(h.calls, 2);
    g.off = 0;
    pshi_gemm_multiply(&g, 0, 2, 2, 3, a, 3, b, 2, c, 2);
    assert_int_equal(h.calls, 3);
    assert_memory_equal(c, want, sizeof c);
}

static void tables_are_checked(void **state) {
    host h = { 0, 9 };
    psh_gemm_host table = { sizeof table, PSH_GEMM_VERSION + 1, &h, host_gemm };
    pshi_gemm g = { { 0 } };

    (void)state;
    assert_int_equal(pshi_gemm_set(&g, &table), PSH_E_UNSUPPORTED);
    assert_null(g.host.gemm);
    table.version = PSH_GEMM_VERSION;
    table.struct_size = 0;
    assert_int_equal(pshi_gemm_set(&g, &table), PSH_E_INVALID);
    table.struct_size = sizeof table;
    assert_ok(pshi_gemm_set(&g, &table));
    assert_non_null(g.host.gemm);
    assert_ok(pshi_gemm_set(&g, NULL));
    assert_null(g.host.gemm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_edge),
        cmocka_unit_test(host_is_asked),
        cmocka_unit_test(tables_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
