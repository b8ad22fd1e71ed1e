/* SPDX-License-Identifier: MIT */
#include "value/value.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/hash.h"

#define MAX_SCALE 38u

static int is_binary(uint32_t type) {
    return type == PSH_TYPE_TEXT || type == PSH_TYPE_BYTES;
}

psh_status pshi_value_check(const psh_value *v, uint32_t type, uint32_t scale, int nullable) {
    int good = v->type == type;

    if (v->type == PSH_TYPE_NULL)
        return nullable ? PSH_OK : PSH_E_INVALID;
    switch (v->type) {
    case PSH_TYPE_INT64:
        break;
    case PSH_TYPE_DOUBLE:
        good = good && isfinite(v->as.f64);
        break;
    case PSH_TYPE_DECIMAL:
        good = good && v->size == scale && scale <= MAX_SCALE;
        break;
    case PSH_TYPE_BOOL:
        good = good && (v->as.i64 == 0 || v->as.i64 == 1);
        break;
    case PSH_TYPE_TIMESTAMP:
        good = good && v->as.i64 != PSH_TIME_NONE;
        break;
    case PSH_TYPE_TEXT:
    case PSH_TYPE_BYTES:
        good = good && (v->as.data || !v->size);
        break;
    default:
        good = 0;
    }
    return good ? PSH_OK : PSH_E_INVALID;
}

psh_value pshi_value_normal(const psh_value *v) {
    psh_value n = { v->type, 0, { v->as.i64 }, 0 };

    switch (v->type) {
    case PSH_TYPE_NULL:
        n.as.i64 = 0;
        break;
    case PSH_TYPE_DOUBLE:
        n.as.f64 = v->as.f64 == 0 ? 0.0 : v->as.f64;
        break;
    case PSH_TYPE_DECIMAL:
        n.hi = v->hi;
        n.size = v->size;
        break;
    case PSH_TYPE_TEXT:
    case PSH_TYPE_BYTES:
        n.as.data = v->as.data;
        n.size = v->size;
        break;
    default:
        break;
    }
    return n;
}

psh_status pshi_value_copy(psh_env *env, psh_value *to, const psh_value *from) {
    psh_value v = pshi_value_normal(from);
    void *copy;

    if (is_binary(v.type)) {
        copy = pshi_alloc(env, v.size);
        if (!copy)
            return PSH_E_NOMEM;
        if (v.size)
            memcpy(copy, v.as.data, v.size);
        v.as.data = copy;
    }
    *to = v;
    return PSH_OK;
}

void pshi_value_free(psh_env *env, psh_value *v) {
    void *data = NULL;

    if (is_binary(v->type))
        memcpy(&data, &v->as.data, sizeof data);
    pshi_free(env, data);
    memset(v, 0, sizeof *v);
}

pshi_i128 pshi_decimal(const psh_value *v) {
    return (pshi_i128)(((pshi_u128)(uint64_t)v->hi << 64) | (uint64_t)v->as.i64);
}

uint64_t pshi_value_hash(const psh_value *v, uint64_t seed) {
    psh_value n = pshi_value_normal(v);
    uint64_t domain = seed ^ pshi_mix64((uint64_t)n.type << 32 | (is_binary(n.type) ? 0 : n.size));
    unsigned char b[16];
    uint64_t word = (uint64_t)n.as.i64;
    size_t i;

    if (is_binary(n.type))
        return pshi_hash_seed(n.as.data, n.size, domain);
    memcpy(&word, &n.as, sizeof word);
    for (i = 0; i < 8; i++) {
        b[i] = (unsigned char)(word >> (8 * i));
        b[8 + i] = (unsigned char)((uint64_t)n.hi >> (8 * i));
    }
    return pshi_hash_seed(b, n.type == PSH_TYPE_DECIMAL ? 16 : n.type == PSH_TYPE_NULL ? 0 : 8, domain);
}

static int32_t compare_i128(pshi_i128 a, pshi_i128 b) {
    return a < b ? -1 : a > b;
}

static pshi_i128 power10(uint32_t n) {
    pshi_i128 p = 1;

    while (n--)
        p *= 10;
    return p;
}

/* Whole parts first; then both fractions, brought to the larger scale: less than 10^38, so nothing overflows. */
static int32_t compare_decimal(const psh_value *a, const psh_value *b) {
    pshi_i128 x = pshi_decimal(a), y = pshi_decimal(b), px, py;
    uint32_t scale = a->size > b->size ? a->size : b->size;

    if (a->size == b->size)
        return compare_i128(x, y);
    px = power10(a->size);
    py = power10(b->size);
    if (x / px != y / py)
        return compare_i128(x / px, y / py);
    return compare_i128(x % px * power10(scale - a->size), y % py * power10(scale - b->size));
}

static int32_t compare_bytes(const psh_value *a, const psh_value *b) {
    uint32_t n = a->size < b->size ? a->size : b->size;
    int r = n ? memcmp(a->as.data, b->as.data, n) : 0;

    if (r)
        return r < 0 ? -1 : 1;
    return a->size < b->size ? -1 : a->size > b->size;
}

int32_t psh_value_compare(const psh_value *a, const psh_value *b) {
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    switch (a->type) {
    case PSH_TYPE_NULL:
        return 0;
    case PSH_TYPE_DOUBLE:
        return a->as.f64 < b->as.f64 ? -1 : a->as.f64 > b->as.f64;
    case PSH_TYPE_DECIMAL:
        return compare_decimal(a, b);
    case PSH_TYPE_TEXT:
    case PSH_TYPE_BYTES:
        return compare_bytes(a, b);
    default:
        return a->as.i64 < b->as.i64 ? -1 : a->as.i64 > b->as.i64;
    }
}
