/* SPDX-License-Identifier: MIT */
#include "forecast/store.h"

#include "base/env.h"
#include "base/hash.h"

/* A bijection of the id for each kind and table: two subjects share a hash only across those, hardly ever. */
static uint64_t subject_hash(const psh_subject *s) {
    return pshi_nonzero(pshi_mix64(s->id ^ pshi_mix64((uint64_t)s->kind << 32 | s->table)));
}

int pshi_subject_compare(const psh_subject *a, const psh_subject *b) {
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

void pshi_store_free(psh_env *env, pshi_store *st) {
    size_t i;

    for (i = 0; i < st->count; i++)
        pshi_series_destroy(env, st->list[i]);
    pshi_free(env, st->list);
    pshi_idmap_free(env, &st->map);
}

uint32_t pshi_store_index(const pshi_store *st, const psh_subject *subject) {
    uint32_t i = pshi_idmap_find(&st->map, subject_hash(subject));

    return i == PSH_NONE || pshi_subject_compare(&st->list[i]->subject, subject) != 0 ? PSH_NONE : i;
}

pshi_series *pshi_store_find(const pshi_store *st, const psh_subject *subject) {
    uint32_t i = pshi_store_index(st, subject);

    return i == PSH_NONE ? NULL : st->list[i];
}

psh_status pshi_store_add(
    psh_env *env, pshi_store *st, const pshi_shape *shape, const psh_subject *subject, int64_t start,
    pshi_series **out) {
    uint64_t hash = subject_hash(subject);
    pshi_series *s;

    *out = NULL;
    if (pshi_idmap_find(&st->map, hash) != PSH_NONE)
        return PSH_E_EXISTS;
    if (pshi_reserve(env, (void **)&st->list, &st->cap, st->count + 1, sizeof(pshi_series *)) != PSH_OK)
        return PSH_E_NOMEM;
    s = pshi_series_create(env, shape, subject, start);
    if (!s)
        return PSH_E_NOMEM;
    if (pshi_idmap_put(env, &st->map, hash, (uint32_t)st->count) != PSH_OK) {
        pshi_series_destroy(env, s);
        return PSH_E_NOMEM;
    }
    st->list[st->count++] = s;
    st->bytes += pshi_series_held(shape, s);
    st->tenants += subject->kind == PSH_SUBJECT_TENANT;
    *out = s;
    return PSH_OK;
}

void pshi_store_remove(psh_env *env, pshi_store *st, const pshi_shape *shape, size_t i) {
    pshi_series *s = st->list[i], *last = st->list[st->count - 1];

    st->list[i] = last;
    st->count--;
    pshi_idmap_remove(&st->map, subject_hash(&s->subject));
    /* There is one id less than there was, so this put allocates nothing. */
    if (last != s)
        (void)pshi_idmap_put(env, &st->map, subject_hash(&last->subject), (uint32_t)i);
    st->bytes -= pshi_series_held(shape, s);
    st->tenants -= s->subject.kind == PSH_SUBJECT_TENANT;
    st->hot -= s->hot != NULL;
    pshi_series_destroy(env, s);
}

void pshi_store_drop(psh_env *env, pshi_store *st, const pshi_shape *shape, const psh_subject *subject) {
    uint32_t i = pshi_store_index(st, subject);

    if (i != PSH_NONE)
        pshi_store_remove(env, st, shape, i);
}

psh_status pshi_store_reindex(psh_env *env, pshi_store *st) {
    size_t i;

    if (pshi_idmap_reserve(env, &st->map, st->count + 1) != PSH_OK)
        return PSH_E_NOMEM;
    for (i = 0; i < st->count; i++)
        (void)pshi_idmap_put(env, &st->map, subject_hash(&st->list[i]->subject), (uint32_t)i);
    return PSH_OK;
}
