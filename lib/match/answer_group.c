/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/env.h"
#include "base/hash.h"
#include "match/answer.h"
#include "value/value.h"

static int is_bytes(const psh_value *v) {
    return v->type == PSH_TYPE_TEXT || v->type == PSH_TYPE_BYTES;
}

psh_status pshi_answer_keep(psh_answer *a, psh_value *to, const psh_value *from) {
    psh_status st;
    void *p;

    *to = pshi_value_normal(from);
    if (!is_bytes(from))
        return PSH_OK;
    to->as.data = "";
    if (!from->size)
        return PSH_OK;
    if ((st = pshi_arena_room(&a->budget, &a->arena, from->size)) != PSH_OK)
        return st;
    p = pshi_arena_take(&a->arena, from->size);
    memcpy(p, from->as.data, from->size);
    to->as.data = p;
    return PSH_OK;
}

static uint64_t hash_bytes(uint64_t h, const unsigned char *p, size_t n) {
    uint64_t word;

    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&word, p, 8);
        h = pshi_mix64(h ^ word);
    }
    word = 0;
    if (n)
        memcpy(&word, p, n);
    return pshi_mix64(h ^ word);
}

/* Of what pshi_value_normal keeps of the value. */
static uint64_t hash_value(uint64_t h, const psh_value *v) {
    uint64_t word = (uint64_t)v->as.i64;

    h += ((uint64_t)v->type << 32) * UINT64_C(0x9e3779b97f4a7c15);
    if (is_bytes(v))
        return hash_bytes(h ^ v->size, v->as.data, v->size);
    if (v->type == PSH_TYPE_NULL || (v->type == PSH_TYPE_DOUBLE && v->as.f64 == 0))
        word = 0;
    if (v->type == PSH_TYPE_DECIMAL)
        h = pshi_mix64(h ^ (uint64_t)v->hi);
    return pshi_mix64(h ^ word);
}

/* Only finds groups; the order of rows comes from sorting. */
static uint32_t hash_key(const psh_value *key, size_t n) {
    uint64_t h = n;
    size_t i;

    for (i = 0; i < n; i++)
        h = hash_value(h, &key[i]);
    return (uint32_t)(h >> 32);
}

static int same_value(const psh_value *a, const psh_value *b) {
    if (a->type != b->type)
        return 0;
    if (is_bytes(a))
        return a->size == b->size && (a->size == 0 || memcmp(a->as.data, b->as.data, a->size) == 0);
    return a->type == PSH_TYPE_NULL || psh_value_compare(a, b) == 0;
}

static int same_key(const psh_value *a, const psh_value *b, size_t n) {
    size_t i;

    for (i = 0; i < n; i++)
        if (!same_value(&a[i], &b[i]))
            return 0;
    return 1;
}

static void put_slot(psh_answer *a, uint32_t hash, uint32_t group) {
    size_t mask = a->slot_cap - 1;
    size_t i = hash & mask;

    while (a->slots[i].group)
        i = (i + 1) & mask;
    a->slots[i].hash = hash;
    a->slots[i].group = group + 1;
}

static void fill_slots(psh_answer *a) {
    size_t i;

    if (!a->slots)
        return;
    memset(a->slots, 0, a->slot_cap * sizeof *a->slots);
    for (i = 0; a->aggregate && i < a->groups; i++)
        put_slot(a, a->hashes[i], (uint32_t)i);
}

/* Keeps a third of the slots free. */
static psh_status grow_slots(psh_answer *a) {
    size_t size = a->slot_cap ? a->slot_cap : 64;
    pshi_slot *slots;

    while ((a->groups + 1) * 3 > size * 2)
        size *= 2;
    if (size == a->slot_cap)
        return PSH_OK;
    if (size - a->slot_cap > (a->budget.max - a->budget.used) / sizeof *slots)
        return PSH_E_LIMIT;
    slots = pshi_calloc(a->budget.env, size, sizeof *slots);
    if (!slots)
        return PSH_E_NOMEM;
    pshi_free(a->budget.env, a->slots);
    a->budget.used += (size - a->slot_cap) * sizeof *slots;
    a->slots = slots;
    a->slot_cap = size;
    fill_slots(a);
    return PSH_OK;
}

static psh_status grow_array(psh_answer *a, void **p, size_t *cap, size_t per_group, size_t elem) {
    return pshi_budget_reserve(&a->budget, p, cap, (a->groups + 1) * per_group, elem);
}

static psh_status grow_groups(psh_answer *a) {
    void *p = a->keys;
    psh_status st = a->groups < UINT32_MAX - 1 ? PSH_OK : PSH_E_LIMIT;

    if (st == PSH_OK)
        st = grow_array(a, &p, &a->key_cap, a->key_width, sizeof *a->keys);
    a->keys = p;
    if (!a->aggregate || st != PSH_OK)
        return st;
    p = a->cells;
    st = grow_array(a, &p, &a->cell_cap, a->spec->aggregate_count, sizeof *a->cells);
    a->cells = p;
    if (st != PSH_OK)
        return st;
    p = a->hashes;
    st = grow_array(a, &p, &a->hash_cap, 1, sizeof *a->hashes);
    a->hashes = p;
    return st == PSH_OK ? grow_slots(a) : st;
}

static psh_status new_group(psh_answer *a, const psh_value *key, uint32_t hash, uint32_t *group) {
    psh_status st = grow_groups(a);
    size_t n = a->spec->aggregate_count;
    size_t i;

    for (i = 0; st == PSH_OK && i < a->key_width; i++)
        st = pshi_answer_keep(a, &a->keys[a->groups * a->key_width + i], &key[i]);
    if (st != PSH_OK)
        return st;
    *group = (uint32_t)a->groups;
    if (a->aggregate) {
        if (n)
            memset(a->cells + a->groups * n, 0, n * sizeof *a->cells);
        a->hashes[a->groups] = hash;
        put_slot(a, hash, *group);
    }
    a->groups++;
    return PSH_OK;
}

/* Without groups there is one key, of no values. */
static int is_key_of(const psh_answer *a, uint32_t group, const psh_value *key) {
    return !a->key_width || same_key(a->keys + (size_t)group * a->key_width, key, a->key_width);
}

psh_status pshi_answer_group(psh_answer *a, const psh_value *key, uint32_t *group) {
    uint32_t hash;
    size_t i, mask;
    pshi_slot *s;

    if (!a->aggregate)
        return new_group(a, key, 0, group);
    hash = hash_key(key, a->key_width);
    mask = a->slot_cap - 1;
    for (i = hash & mask; a->slots && a->slots[i].group; i = (i + 1) & mask) {
        s = &a->slots[i];
        if (s->hash == hash && is_key_of(a, s->group - 1, key)) {
            *group = s->group - 1;
            return PSH_OK;
        }
    }
    return new_group(a, key, hash, group);
}

void pshi_answer_cut(psh_answer *a, size_t groups) {
    a->groups = groups;
    fill_slots(a);
}
