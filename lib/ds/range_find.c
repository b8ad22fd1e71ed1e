/* SPDX-License-Identifier: MIT */
#include "ds/range_find.h"

#include <string.h>

/*
 * Which of 16 sorted words is the last one not above x: the words that are not, counted, less one. The first is
 * never above x. Words that
 * fill a group up are UINT64_MAX; x is always below that (the rest goes to pshi_range_find_slow), so they are
 * never counted, and the trip count is fixed: no branch depends on a key.
 */
#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_X86 1
#include <immintrin.h>
#endif

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)

/* Four steps of four words, then four words of a step: a few comparisons, each an addition of a carry. */
static uint32_t find_last(const pshi_range_tree *t);

static inline uint32_t count_plain(const uint64_t *w, uint64_t x) {
    uint32_t step = ((uint32_t)(w[4] <= x) + (w[8] <= x) + (w[12] <= x)) * 4;

    w += step;
    return step + 1 + (w[1] <= x) + (w[2] <= x) + (w[3] <= x);
}

static inline uint32_t count_two_plain(const uint64_t *w, uint64_t x) {
    uint32_t half = (uint32_t)(w[PSHI_GROUP] <= x) * PSHI_GROUP;

    return half + count_plain(w + half, x);
}

static inline uint64_t load_8(const unsigned char *p) {
    uint64_t x;

    memcpy(&x, p, sizeof x);
    return x;
}

/* The same as pshi_range_word, by one load where the key has 8 bytes more. */
static inline uint64_t word_of(const unsigned char *data, size_t size, size_t from) {
    uint64_t x;

    if (size - from < sizeof x)
        return pshi_range_word(data, size, from);
    x = load_8(data + from);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

static inline int are_same(const unsigned char *a, const unsigned char *b, size_t n) {
    size_t i;

    if (n >= 8) {
        for (i = 0; i + 8 < n; i += 8)
            if (load_8(a + i) != load_8(b + i))
                return 0;
        return load_8(a + n - 8) == load_8(b + n - 8);
    }
    for (i = 0; i < n; i++)
        if (a[i] != b[i])
            return 0;
    return 1;
}

/* Whether bytes from..prefix-1 of a key are those of the page's prefix. */
static inline int has_bytes(const pshi_range_page *p, const pshi_range_key *k, size_t from) {
    return k->size >= p->prefix && are_same(k->data + from, pshi_range_prefix(p, from), p->prefix - from);
}

/* The bytes of a key that are known to be what a child's keys begin with: those of its page's prefix, but for
 * the children at both ends, which have keys outside the page's own. */
static inline size_t known_below(const pshi_range_page *p, uint32_t i) {
    return i && i + 1 < p->n ? p->prefix : 0;
}

/* An entry, at an offset of the blob, has the key's word: whether it is not above the key. Mostly the key goes
 * on as it does; told: bytes known to be alike, if both have them. */
static inline int is_up_to(const pshi_range_page *p, const pshi_range_key *k, uint32_t offset, size_t told) {
    const unsigned char *at = (const unsigned char *)p + p->blob + offset;
    pshi_range_key a = { 0, at + sizeof(uint16_t), 0 };
    uint16_t size;

    memcpy(&size, at, sizeof size);
    a.size = size;
    if (a.size >= told && k->size >= a.size && are_same(a.data + told, k->data + told, a.size - told))
        return 1;
    return pshi_range_compare(1, &a, k) <= 0;
}

/* Entry g * 16 + i is above the key though its word is the key's: mostly one of the few before it is meant. */
static uint32_t entry_before(
    const pshi_range_page *p, const pshi_range_key *k, uint32_t g, uint32_t i, const uint64_t *words,
    const uint32_t *offsets) {
    uint32_t least = i > 3 ? i - 3 : 0;

    while (i-- > least)
        if (words[i] != words[i + 1] || is_up_to(p, k, offsets[i], p->prefix + sizeof *words))
            return g * PSHI_GROUP + i;
    return pshi_range_locate(p, 1, k);
}

#define FORM plain
#define TARGET
#include "ds/range_find_form.h"
#undef FORM
#undef TARGET

#ifdef HAVE_X86
#define TARGET_AVX2 __attribute__((target("avx2,popcnt")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,popcnt")))

TARGET_AVX2 static inline uint32_t count_avx2(const uint64_t *w, uint64_t x) {
    const __m256i top = _mm256_set1_epi64x(INT64_MIN); /* AVX2 compares signed numbers alone */
    const __m256i key = _mm256_xor_si256(_mm256_set1_epi64x((long long)x), top);
    const __m256i *v = (const __m256i *)(const void *)w;
    __m256i a = _mm256_cmpgt_epi64(_mm256_xor_si256(_mm256_load_si256(v), top), key);
    __m256i b = _mm256_cmpgt_epi64(_mm256_xor_si256(_mm256_load_si256(v + 1), top), key);
    __m256i c = _mm256_cmpgt_epi64(_mm256_xor_si256(_mm256_load_si256(v + 2), top), key);
    __m256i d = _mm256_cmpgt_epi64(_mm256_xor_si256(_mm256_load_si256(v + 3), top), key);
    __m256i all = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));

    /* The packs mix the order, which a count does not mind: two bits for each word above x. */
    return 16 - (uint32_t)_mm_popcnt_u32((uint32_t)_mm256_movemask_epi8(all)) / 2;
}

TARGET_AVX2 static inline uint32_t count_two_avx2(const uint64_t *w, uint64_t x) {
    return count_avx2(w, x) + count_avx2(w + PSHI_GROUP, x);
}

#define FORM avx2
#define TARGET TARGET_AVX2
#include "ds/range_find_form.h"
#undef FORM
#undef TARGET

TARGET_AVX512 static inline uint32_t count_avx512(const uint64_t *w, uint64_t x) {
    const __m512i key = _mm512_set1_epi64((long long)x);
    __mmask8 a = _mm512_cmple_epu64_mask(_mm512_load_si512(w), key);
    __mmask8 b = _mm512_cmple_epu64_mask(_mm512_load_si512(w + 8), key);

    return (uint32_t)_mm_popcnt_u32(_mm512_kunpackb(b, a));
}

TARGET_AVX512 static inline uint32_t count_two_avx512(const uint64_t *w, uint64_t x) {
    return count_avx512(w, x) + count_avx512(w + PSHI_GROUP, x);
}

#define FORM avx512
#define TARGET TARGET_AVX512
#include "ds/range_find_form.h"
#undef FORM
#undef TARGET
#endif

__attribute__((noinline)) static uint32_t find_last(const pshi_range_tree *t) {
    pshi_range_key k = { UINT64_MAX, NULL, 0 };

    return pshi_range_find_slow(t, &k);
}

uint32_t pshi_range_find_slow(const pshi_range_tree *t, const pshi_range_key *key) {
    const pshi_range_page *p = t->root;
    uint32_t level, i;

    for (level = t->height;; level--) {
        i = pshi_range_locate(p, t->is_bytes, key);
        if (!level)
            return pshi_range_owner_at(p, t->is_bytes, i);
        p = pshi_range_child_at(p, t->is_bytes, i);
    }
}

uint32_t pshi_range_find_best(void) {
    uint32_t form = PSHI_FIND_AVX512;

    while (!pshi_range_find_form(form))
        form--;
    return form;
}

const pshi_range_find *pshi_range_find_form(uint32_t form) {
#ifdef HAVE_X86
    if (form == PSHI_FIND_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt"))
        return &find_avx2;
    if (form == PSHI_FIND_AVX512 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("popcnt"))
        return &find_avx512;
#endif
    return form == PSHI_FIND_PLAIN ? &find_plain : NULL;
}
