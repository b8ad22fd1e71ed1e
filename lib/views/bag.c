/* SPDX-License-Identifier: MIT */
#include "views/bag.h"

#include <string.h>

#include "base/env.h"

#define BAG_MAX (UINT32_C(1) << 30)

/* Bits of a double that order as it does: the sign flips all, or itself alone. */
static int64_t double_code(double x) {
    int64_t bits;

    x += 0.0; /* -0.0 and 0.0 are one value */
    memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? bits ^ INT64_MAX : bits;
}

int64_t pshi_bag_code(const psh_value *v) {
    return v->type == PSH_TYPE_DOUBLE ? double_code(v->as.f64) : v->as.i64;
}

psh_value pshi_bag_value(int64_t code, uint32_t type, const pshi_dict *dict) {
    psh_value v;

    if (dict)
        return dict->entries[code].value;
    memset(&v, 0, sizeof v);
    v.type = type;
    if (type == PSH_TYPE_DOUBLE && code < 0)
        code ^= INT64_MAX;
    if (type == PSH_TYPE_DOUBLE)
        memcpy(&v.as.f64, &code, sizeof code);
    else
        v.as.i64 = code;
    return v;
}

void pshi_bag_free(psh_env *env, pshi_bag *b, pshi_dict *dict) {
    uint32_t i;

    for (i = 0; dict && i < b->size; i++)
        pshi_dict_unref(env, dict, (uint32_t)b->entries[i].code);
    pshi_free(env, b->entries);
    memset(b, 0, sizeof *b);
}

static int code_less(const pshi_dict *dict, int64_t a, int64_t b) {
    if (!dict)
        return a < b;
    return a != b && psh_value_compare(&dict->entries[a].value, &dict->entries[b].value) < 0;
}

/* The first entry not below the code. */
static uint32_t bag_place(const pshi_bag *b, const pshi_dict *dict, int64_t code) {
    uint32_t low = 0, high = b->size, mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (code_less(dict, b->entries[mid].code, code))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* By half, not double: most bags are small and there are many. */
static psh_status bag_grow(psh_env *env, pshi_bag *b) {
    uint32_t cap = b->cap + b->cap / 2 + 2;
    pshi_bag_entry *entries;

    if (b->size < b->cap)
        return PSH_OK;
    if (cap > BAG_MAX)
        return PSH_E_NOMEM;
    entries = pshi_realloc(env, b->entries, cap * sizeof *entries);
    if (!entries)
        return PSH_E_NOMEM;
    b->entries = entries;
    b->cap = cap;
    return PSH_OK;
}

psh_status pshi_bag_prepare(psh_env *env, pshi_bag *b, pshi_dict *dict, int64_t code) {
    uint32_t i = bag_place(b, dict, code);

    if (i < b->size && b->entries[i].code == code)
        return PSH_OK;
    if (bag_grow(env, b) != PSH_OK)
        return PSH_E_NOMEM;
    memmove(b->entries + i + 1, b->entries + i, (b->size - i) * sizeof *b->entries);
    b->entries[i].code = code;
    b->entries[i].count = 0;
    b->size++;
    b->zeros++;
    if (dict)
        pshi_dict_ref(dict, (uint32_t)code);
    return PSH_OK;
}

int pshi_bag_add(pshi_bag *b, const pshi_dict *dict, int64_t code, int sign) {
    uint32_t i = bag_place(b, dict, code);
    pshi_bag_entry *e = b->entries + i;

    if (i == b->size || e->code != code || (sign < 0 && !e->count))
        return 0;
    if (sign > 0) {
        b->zeros -= e->count == 0;
        e->count++;
    } else {
        e->count--;
        b->zeros += e->count == 0;
    }
    return 1;
}

void pshi_bag_sweep(psh_env *env, pshi_bag *b, pshi_dict *dict) {
    uint32_t i, n = 0;

    if (!b->zeros)
        return;
    for (i = 0; i < b->size; i++) {
        if (b->entries[i].count)
            b->entries[n++] = b->entries[i];
        else if (dict)
            pshi_dict_unref(env, dict, (uint32_t)b->entries[i].code);
    }
    b->size = n;
    b->zeros = 0;
}
