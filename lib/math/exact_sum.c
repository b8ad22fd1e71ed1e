/* SPDX-License-Identifier: MIT */
#include "math/exact_sum.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"

/* Bit b of limb i weighs 2^(64 i + b - BIAS). 2^0 begins a limb, so that small integers need few of them. */
#define BIAS 1088
/* The place of the smallest subnormal, 2^-1074: no bit below it is ever set. */
#define LOWEST (BIAS - 1074)

/* A finite double taken apart: (hi, lo) shifted to begin at a limb. */
typedef struct exact_term {
    uint64_t lo;
    uint64_t hi;
    uint32_t limb;  /* where lo goes */
    uint32_t top;   /* the limb of its highest bit */
    int negative;
} exact_term;

/* @return 0 for zero. Trailing zeros are cut off, so that a whole number asks for no limb of fractions. */
static int exact_term_of(double x, exact_term *t) {
    uint64_t bits, m;
    uint32_t place, zeros, e;

    memcpy(&bits, &x, sizeof bits);
    e = (uint32_t)(bits >> 52) & 0x7ff;
    m = (bits & ((UINT64_C(1) << 52) - 1)) | (e ? UINT64_C(1) << 52 : 0);
    if (!m)
        return 0;
    zeros = (uint32_t)__builtin_ctzll(m);
    m >>= zeros;
    place = (e ? e - 1 : 0) + LOWEST + zeros;
    t->limb = place / 64;
    t->lo = m << (place % 64);
    t->hi = place % 64 ? m >> (64 - place % 64) : 0;
    t->top = t->hi ? t->limb + 1 : t->limb;
    t->negative = bits >> 63 != 0;
    return 1;
}

void pshi_exact_init(pshi_exact_sum *s) {
    memset(s, 0, sizeof *s);
}

void pshi_exact_add(pshi_exact_sum *s, double x) {
    pshi_sparse_sum whole = { s->limbs, 0, PSHI_EXACT_LIMBS };

    pshi_sparse_add(&whole, x);
}

void pshi_sparse_free(psh_env *env, pshi_sparse_sum *s) {
    pshi_free(env, s->limbs);
    memset(s, 0, sizeof *s);
}

size_t pshi_sparse_bytes(const pshi_sparse_sum *s) {
    return s->count * sizeof *s->limbs;
}

static uint64_t exact_sign(const pshi_sparse_sum *s) {
    return s->count && s->limbs[s->count - 1] >> 63 ? UINT64_MAX : 0;
}

/* The limb at place i of the whole number. */
static uint64_t exact_limb(const pshi_sparse_sum *s, uint32_t i) {
    if (i < s->first)
        return 0;
    return i - s->first < s->count ? s->limbs[i - s->first] : exact_sign(s);
}

/* Makes it keep the limbs [first, end) too. */
static psh_status exact_span(psh_env *env, pshi_sparse_sum *s, uint32_t first, uint32_t end) {
    uint64_t *limbs;
    uint32_t i;

    if (s->count && s->first < first)
        first = s->first;
    if (s->count && s->first + s->count > end)
        end = s->first + s->count;
    if (s->count && first == s->first && end == s->first + s->count)
        return PSH_OK;
    limbs = pshi_alloc(env, (end - first) * sizeof *limbs);
    if (!limbs)
        return PSH_E_NOMEM;
    for (i = first; i < end; i++)
        limbs[i - first] = exact_limb(s, i);
    pshi_free(env, s->limbs);
    s->limbs = limbs;
    s->first = first;
    s->count = end - first;
    return PSH_OK;
}

psh_status pshi_sparse_reserve(psh_env *env, pshi_sparse_sum *s, double x) {
    exact_term t;

    if (!exact_term_of(x, &t))
        return PSH_OK;
    /* One limb above the highest bit takes the carries of 2^63 terms, and the sign. */
    return exact_span(env, s, t.limb, t.top + 2);
}

psh_status pshi_sparse_merge(psh_env *env, pshi_sparse_sum *s, const pshi_sparse_sum *from) {
    unsigned carry = 0;
    uint32_t i;

    if (!from->count)
        return PSH_OK;
    if (exact_span(env, s, from->first, from->first + from->count) != PSH_OK)
        return PSH_E_NOMEM;
    for (i = from->first - s->first; i < s->count; i++) {
        unsigned over = __builtin_add_overflow(s->limbs[i], exact_limb(from, s->first + i), &s->limbs[i]);

        carry = over | __builtin_add_overflow(s->limbs[i], (uint64_t)carry, &s->limbs[i]);
    }
    return PSH_OK;
}

static void exact_accumulate(pshi_sparse_sum *s, const exact_term *t, int negative) {
    uint64_t part[2] = { t->lo, t->hi }, d;
    uint32_t i, at = t->limb - s->first;
    unsigned carry = 0;

    for (i = 0; at + i < s->count && (i < 2 || carry); i++) {
        uint64_t *limb = &s->limbs[at + i];

        d = i < 2 ? part[i] : 0;
        if (negative) {
            unsigned borrow = __builtin_sub_overflow(*limb, d, limb);

            carry = borrow | __builtin_sub_overflow(*limb, (uint64_t)carry, limb);
        } else {
            unsigned over = __builtin_add_overflow(*limb, d, limb);

            carry = over | __builtin_add_overflow(*limb, (uint64_t)carry, limb);
        }
    }
}

void pshi_sparse_add(pshi_sparse_sum *s, double x) {
    exact_term t;

    if (exact_term_of(x, &t))
        exact_accumulate(s, &t, t.negative);
}

void pshi_sparse_subtract(pshi_sparse_sum *s, double x) {
    pshi_sparse_add(s, -x);
}

int pshi_sparse_is_zero(const pshi_sparse_sum *s) {
    uint32_t i;

    for (i = 0; i < s->count; i++)
        if (s->limbs[i])
            return 0;
    return 1;
}

/* |s| over all places. @return 1 if s is negative. */
static int exact_magnitude(const pshi_sparse_sum *s, uint64_t mag[PSHI_EXACT_LIMBS]) {
    int negative = exact_sign(s) != 0;
    uint32_t i;
    unsigned carry = 1;

    for (i = 0; i < PSHI_EXACT_LIMBS; i++) {
        mag[i] = exact_limb(s, i);
        if (negative)
            carry = __builtin_add_overflow(~mag[i], (uint64_t)carry, &mag[i]);
    }
    return negative;
}

/* `bits` bits of mag from place `at` on; at most 64. */
static uint64_t exact_bits(const uint64_t *mag, uint32_t at, uint32_t bits) {
    uint32_t i = at / 64, shift = at % 64;
    uint64_t x = mag[i] >> shift;

    if (shift && i + 1 < PSHI_EXACT_LIMBS)
        x |= mag[i + 1] << (64 - shift);
    return bits < 64 ? x & ((UINT64_C(1) << bits) - 1) : x;
}

static int exact_any_below(const uint64_t *mag, uint32_t place) {
    uint32_t i;

    for (i = 0; i < place / 64; i++)
        if (mag[i])
            return 1;
    return place % 64 && (mag[place / 64] & ((UINT64_C(1) << (place % 64)) - 1));
}

double pshi_sparse_read(const pshi_sparse_sum *s) {
    uint64_t mag[PSHI_EXACT_LIMBS], m;
    uint32_t top = PSHI_EXACT_LIMBS, low;
    int negative = exact_magnitude(s, mag);
    double x;

    while (top && !mag[top - 1])
        top--;
    if (!top)
        return 0;
    top = top * 64 - 1 - (uint32_t)__builtin_clzll(mag[top - 1]);
    low = top > LOWEST + 52 ? top - 52 : LOWEST;
    m = exact_bits(mag, low, 53);
    /* Half even: up when the rest is more than a half, or is a half and m is odd. */
    if (low > LOWEST && exact_bits(mag, low - 1, 1) && ((m & 1) || exact_any_below(mag, low - 1)))
        m++;
    x = ldexp((double)m, (int)low - BIAS);
    return negative ? -x : x;
}

double pshi_exact_value(const pshi_exact_sum *s) {
    pshi_exact_sum copy = *s;
    pshi_sparse_sum whole = { copy.limbs, 0, PSHI_EXACT_LIMBS };

    return pshi_sparse_read(&whole);
}

size_t pshi_sparse_split(const pshi_sparse_sum *s, double out[PSHI_EXACT_PARTS]) {
    uint64_t limbs[PSHI_EXACT_LIMBS];
    pshi_sparse_sum rest = { limbs, 0, PSHI_EXACT_LIMBS };
    size_t n = 0;
    uint32_t i;

    for (i = 0; i < PSHI_EXACT_LIMBS; i++)
        limbs[i] = exact_limb(s, i);
    do {
        out[n] = pshi_sparse_read(&rest);
        if (!isfinite(out[n]))
            out[n] = copysign(DBL_MAX, out[n]);
        pshi_sparse_subtract(&rest, out[n++]);
    } while (n < PSHI_EXACT_PARTS && !pshi_sparse_is_zero(&rest));
    return pshi_sparse_is_zero(&rest) ? n : 0;
}

void pshi_sparse_put(pshi_writer *w, const pshi_sparse_sum *s) {
    uint32_t a = 0, b = s->count;
    uint64_t sign = exact_sign(s);

    while (a < b && !s->limbs[a])
        a++;
    /* A top limb goes when the one below it says the same sign. */
    while (b > a && s->limbs[b - 1] == sign && (b - 1 == a ? sign == 0 : s->limbs[b - 2] >> 63 == (sign & 1)))
        b--;
    pshi_put_var(w, b > a ? s->first + a : 0);
    pshi_put_var(w, b - a);
    for (; a < b; a++)
        pshi_put_u64(w, s->limbs[a]);
}

static int exact_is_canonical(const pshi_sparse_sum *s) {
    uint32_t n = s->count;
    uint64_t top = n ? s->limbs[n - 1] : 0;

    if (!n)
        return s->first == 0;
    if (s->first == 0 && (s->limbs[0] & ((UINT64_C(1) << LOWEST) - 1)))
        return 0;
    if (n > 1 && ((top == 0 && !(s->limbs[n - 2] >> 63)) || (top == UINT64_MAX && s->limbs[n - 2] >> 63)))
        return 0;
    return s->limbs[0] != 0;
}

psh_status pshi_sparse_get(psh_env *env, pshi_cursor *c, pshi_sparse_sum *s) {
    uint32_t first = pshi_get_var32(c), count = (uint32_t)pshi_get_count(c, 8), i;

    if (c->status != PSH_OK || count > PSHI_EXACT_LIMBS || first > PSHI_EXACT_LIMBS - count) {
        pshi_read_bad(c);
        return PSH_OK;
    }
    s->first = first;
    if (!count) {
        if (first)
            pshi_read_bad(c);
        return PSH_OK;
    }
    s->limbs = pshi_alloc(env, (count + 1) * sizeof *s->limbs);
    if (!s->limbs)
        return PSH_E_NOMEM;
    s->count = count;
    for (i = 0; i < count; i++)
        s->limbs[i] = pshi_get_u64(c);
    if (!exact_is_canonical(s))
        pshi_read_bad(c);
    /* The limb for carries again, which saving left out: smaller terms do not ask for it. */
    if (first + count < PSHI_EXACT_LIMBS) {
        s->limbs[count] = exact_sign(s);
        s->count++;
    }
    return PSH_OK;
}
