/* SPDX-License-Identifier: MIT */
#include "views/dict.h"

#include <string.h>

#include "base/env.h"
#include "base/hash.h"
#include "value/value.h"

/* Keeps ids and the doubling of slots within 32 bits. */
#define DICT_MAX (UINT32_C(1) << 30)

void pshi_dict_init(pshi_dict *d) {
    memset(d, 0, sizeof *d);
    d->free = PSH_NONE;
}

void pshi_dict_free(psh_env *env, pshi_dict *d) {
    uint32_t i;

    for (i = 0; i < d->used; i++)
        if (d->entries[i].live)
            pshi_value_free(env, &d->entries[i].value);
    pshi_free(env, d->entries);
    pshi_free(env, d->slots);
    pshi_dict_init(d);
}

static int is_bytes(uint32_t type) {
    return type == PSH_TYPE_TEXT || type == PSH_TYPE_BYTES;
}

/* The bits that tell values apart, of all but text and bytes; both zeros are one value. */
static uint64_t dict_word(const psh_value *v) {
    double x;
    uint64_t word;

    if (v->type == PSH_TYPE_NULL)
        return 0;
    if (v->type != PSH_TYPE_DOUBLE)
        return (uint64_t)v->as.i64;
    x = v->as.f64 + 0.0;
    memcpy(&word, &x, sizeof word);
    return word;
}

static uint64_t dict_high(const psh_value *v) {
    return v->type == PSH_TYPE_DECIMAL ? (uint64_t)v->hi : 0;
}

static uint32_t dict_home(const pshi_dict *d, const psh_value *v) {
    uint64_t high = dict_high(v);

    if (is_bytes(v->type))
        return (uint32_t)pshi_value_hash(v, 0) & d->mask;
    return (uint32_t)pshi_mix64(dict_word(v) + v->type + (high ? pshi_mix64(high) : 0)) & d->mask;
}

static int dict_equal(const psh_value *a, const psh_value *b) {
    if (a->type != b->type)
        return 0;
    if (is_bytes(a->type))
        return a->size == b->size && (!a->size || memcmp(a->as.data, b->as.data, a->size) == 0);
    return dict_word(a) == dict_word(b) && dict_high(a) == dict_high(b);
}

/* The same for whole numbers, the most frequent, in one look each. */
static uint32_t dict_int_slot(const pshi_dict *d, const psh_value *v) {
    uint32_t i = (uint32_t)pshi_mix64((uint64_t)v->as.i64 + v->type) & d->mask;
    const psh_value *e;

    for (; d->slots[i]; i = (i + 1) & d->mask) {
        e = &d->entries[d->slots[i] - 1].value;
        if (e->as.i64 == v->as.i64 && e->type == v->type)
            break;
    }
    return i;
}

/* The slot of a value, or the empty one where it would go. */
static uint32_t dict_slot(const pshi_dict *d, const psh_value *v) {
    uint32_t i;

    if (v->type == PSH_TYPE_INT64)
        return dict_int_slot(d, v);
    i = dict_home(d, v);
    while (d->slots[i] && !dict_equal(&d->entries[d->slots[i] - 1].value, v))
        i = (i + 1) & d->mask;
    return i;
}

uint32_t pshi_dict_find(const pshi_dict *d, const psh_value *v) {
    return d->slots ? d->slots[dict_slot(d, v)] - 1 : PSH_NONE;
}

static psh_status dict_grow_slots(psh_env *env, pshi_dict *d) {
    uint32_t n = d->slots ? (d->mask + 1) * 2 : 16, i, at;
    uint32_t *slots;

    if (d->slots && (uint64_t)(d->count + 1) * 3 <= ((uint64_t)d->mask + 1) * 2)
        return PSH_OK;
    slots = pshi_calloc(env, n, sizeof *slots);
    if (!slots)
        return PSH_E_NOMEM;
    pshi_free(env, d->slots);
    d->slots = slots;
    d->mask = n - 1;
    for (i = 0; i < d->used; i++) {
        if (!d->entries[i].live)
            continue;
        at = dict_home(d, &d->entries[i].value);
        while (slots[at])
            at = (at + 1) & d->mask;
        slots[at] = i + 1;
    }
    return PSH_OK;
}

static size_t value_heap(const psh_value *v) {
    return is_bytes(v->type) ? v->size : 0;
}

static psh_status dict_add(psh_env *env, pshi_dict *d, const psh_value *v, uint32_t *id) {
    uint32_t i = d->free != PSH_NONE ? d->free : d->used;
    pshi_dict_entry *e;

    if (i >= DICT_MAX)
        return PSH_E_NOMEM;
    if (pshi_reserve(env, (void **)&d->entries, &d->cap, (size_t)i + 1, sizeof *d->entries) != PSH_OK ||
        dict_grow_slots(env, d) != PSH_OK)
        return PSH_E_NOMEM;
    e = &d->entries[i];
    if (i == d->used)
        e->next = PSH_NONE;
    if (pshi_value_copy(env, &e->value, v) != PSH_OK)
        return PSH_E_NOMEM;
    if (i == d->used)
        d->used++;
    else
        d->free = e->next;
    e->refs = 0;
    e->live = 1;
    d->count++;
    d->heap += value_heap(v);
    d->slots[dict_slot(d, v)] = i + 1;
    *id = i;
    return PSH_OK;
}

psh_status pshi_dict_intern(psh_env *env, pshi_dict *d, const psh_value *v, uint32_t *id) {
    *id = pshi_dict_find(d, v);
    return *id != PSH_NONE ? PSH_OK : dict_add(env, d, v, id);
}

void pshi_dict_ref(pshi_dict *d, uint32_t id) {
    d->entries[id].refs++;
}

/* Closes the gap at slot i: what follows in the run moves back unless its home lies behind the gap. */
static void dict_close_gap(pshi_dict *d, uint32_t i) {
    uint32_t j, home;

    for (j = (i + 1) & d->mask; d->slots[j]; j = (j + 1) & d->mask) {
        home = dict_home(d, &d->entries[d->slots[j] - 1].value);
        if (((j - home) & d->mask) < ((j - i) & d->mask))
            continue;
        d->slots[i] = d->slots[j];
        i = j;
    }
    d->slots[i] = 0;
}

void pshi_dict_drop_unused(psh_env *env, pshi_dict *d, uint32_t id) {
    pshi_dict_entry *e = &d->entries[id];

    if (!e->live || e->refs)
        return;
    dict_close_gap(d, dict_slot(d, &e->value));
    d->heap -= value_heap(&e->value);
    pshi_value_free(env, &e->value);
    e->live = 0;
    e->next = d->free;
    d->free = id;
    d->count--;
}

void pshi_dict_unref(psh_env *env, pshi_dict *d, uint32_t id) {
    d->entries[id].refs--;
    pshi_dict_drop_unused(env, d, id);
}

uint64_t pshi_dict_bytes(const pshi_dict *d) {
    return (uint64_t)d->count * (sizeof *d->entries + 2 * sizeof *d->slots) + d->heap;
}
