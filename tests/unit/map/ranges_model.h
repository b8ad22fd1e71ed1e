/* SPDX-License-Identifier: MIT */
/** @file ranges_model.h  A range map as plain sorted arrays, and checks of the real one against it. */
#ifndef TEST_MAP_RANGES_MODEL_H
#define TEST_MAP_RANGES_MODEL_H

#include <stdlib.h>

#include "base/rng.h"
#include "map/ranges.h"
#include "test.h"

#define KEY_MOST 4096u

typedef struct model_key {
    uint64_t number;
    const unsigned char *data; /* of the test's key universe: lives as long as the model */
    size_t size;
} model_key;

typedef struct model {
    uint32_t is_bytes;
    model_key *key;
    uint32_t *owner;
    size_t n;
    size_t cap;
} model;

static inline int model_compare(uint32_t is_bytes, const model_key *a, const model_key *b) {
    size_t n = a->size < b->size ? a->size : b->size, i;

    if (!is_bytes)
        return a->number < b->number ? -1 : a->number > b->number;
    for (i = 0; i < n; i++)
        if (a->data[i] != b->data[i])
            return a->data[i] < b->data[i] ? -1 : 1;
    return a->size < b->size ? -1 : a->size > b->size;
}

static inline void model_open(model *m, uint32_t is_bytes, size_t cap, uint32_t owner) {
    m->is_bytes = is_bytes;
    m->cap = cap;
    m->key = calloc(cap, sizeof *m->key);
    m->owner = calloc(cap, sizeof *m->owner);
    m->key[0].data = (const unsigned char *)"";
    m->owner[0] = owner;
    m->n = 1;
}

static inline void model_close(model *m) {
    free(m->key);
    free(m->owner);
}

static inline void model_copy(model *to, const model *from) {
    to->n = from->n;
    memcpy(to->key, from->key, from->n * sizeof *to->key);
    memcpy(to->owner, from->owner, from->n * sizeof *to->owner);
}

/** How many boundaries are not above the key, less one. */
static inline size_t model_find(const model *m, const model_key *k) {
    size_t lo = 0, hi = m->n, mid;

    while (hi - lo > 1) {
        mid = (lo + hi) / 2;
        if (model_compare(m->is_bytes, &m->key[mid], k) <= 0)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static inline void model_set(model *m, const model_key *k, uint32_t owner) {
    size_t i = model_find(m, k);

    if (model_compare(m->is_bytes, &m->key[i], k)) {
        i++;
        assert_true(m->n < m->cap);
        memmove(m->key + i + 1, m->key + i, (m->n - i) * sizeof *m->key);
        memmove(m->owner + i + 1, m->owner + i, (m->n - i) * sizeof *m->owner);
        m->key[i] = *k;
        m->n++;
    }
    m->owner[i] = owner;
}

static inline psh_status model_remove(model *m, const model_key *k) {
    size_t i = model_find(m, k);

    if (m->is_bytes ? !k->size : !k->number)
        return PSH_E_STATE;
    if (model_compare(m->is_bytes, &m->key[i], k))
        return PSH_E_NOT_FOUND;
    m->n--;
    memmove(m->key + i, m->key + i + 1, (m->n - i) * sizeof *m->key);
    memmove(m->owner + i, m->owner + i + 1, (m->n - i) * sizeof *m->owner);
    return PSH_OK;
}

static inline psh_range_edit model_edit(uint32_t op, const model_key *k, uint32_t owner) {
    return (psh_range_edit){ op, owner, k->number, k->data, k->size };
}

static inline model_key key_of(uint32_t is_bytes, uint64_t number, const psh_bytes *b) {
    return is_bytes ? (model_key){ 0, b->data, b->size } : (model_key){ number, NULL, 0 };
}

/* A walk of the whole map, compared as it goes. */
typedef struct model_walk {
    const model *m;
    size_t at;
} model_walk;

static inline psh_status model_visit(void *user, const psh_range *r) {
    model_walk *w = user;
    const model *m = w->m;
    model_key first = key_of(m->is_bytes, r->first, &r->first_key), end;

    assert_true(w->at < m->n);
    assert_int_equal(model_compare(m->is_bytes, &first, &m->key[w->at]), 0);
    assert_int_equal(r->owner, m->owner[w->at]);
    assert_int_equal(r->is_last, w->at + 1 == m->n);
    if (!r->is_last) {
        end = key_of(m->is_bytes, r->last + 1, &r->end_key);
        assert_int_equal(model_compare(m->is_bytes, &end, &m->key[w->at + 1]), 0);
    } else if (!m->is_bytes) {
        assert_true(r->last == UINT64_MAX);
    }
    w->at++;
    return PSH_OK;
}

static inline void check_walk(const psh_ranges_epoch *e, const model *m) {
    model_walk w = { m, 0 };
    psh_bytes empty = { NULL, 0 };

    if (m->is_bytes)
        assert_ok(psh_ranges_walk_bytes(e, &empty, NULL, model_visit, &w));
    else
        assert_ok(psh_ranges_walk_u64(e, 0, UINT64_MAX, model_visit, &w));
    assert_int_equal(w.at, m->n);
    assert_int_equal(psh_ranges_count(e), m->n);
}

static inline uint32_t find_key(const psh_ranges_epoch *e, const model *m, const model_key *k) {
    return m->is_bytes ? psh_ranges_find_bytes(e, k->data, k->size) : psh_ranges_find_u64(e, k->number);
}

/** Every form that this processor has finds the key's owner in the epoch. */
static inline void check_find(const psh_ranges_epoch *e, const model *m, const model_key *k) {
    uint32_t owner = m->owner[model_find(m, k)], form;
    const pshi_range_find *f;

    assert_int_equal(find_key(e, m, k), owner);
    for (form = PSHI_FIND_PLAIN; form <= PSHI_FIND_AVX512; form++) {
        f = pshi_range_find_form(form);
        if (f && m->is_bytes)
            assert_int_equal(f->bytes(&e->tree, k->data, k->size), owner);
        else if (f)
            assert_int_equal(f->number(&e->tree, k->number), owner);
    }
}

/** What a page and all below it must be. */
static inline void check_page(const psh_ranges_epoch *e, const pshi_range_page *p, uint32_t level) {
    uint32_t is_bytes = e->tree.is_bytes, i;
    pshi_range_key a, b;
    const pshi_range_page *child;

    assert_int_equal(p->level, level);
    assert_in_range(p->n, 1, level ? PSHI_INNER_MOST : PSHI_LEAF_MOST);
    assert_true(p->n <= p->groups * PSHI_GROUP);
    assert_int_equal((uintptr_t)p % 64, 0);
    for (i = 0; i < p->n; i++) {
        b = pshi_range_key_at(p, is_bytes, i);
        if (i)
            assert_true(pshi_range_compare(is_bytes, &a, &b) < 0);
        a = b;
        if (!level)
            continue;
        child = pshi_range_child_at(p, is_bytes, i);
        b = pshi_range_key_at(child, is_bytes, 0);
        assert_int_equal(pshi_range_compare(is_bytes, &a, &b), 0);
        check_page(e, child, level - 1);
    }
}

static inline void check_tree(const psh_ranges_epoch *e) {
    assert_true(!e->tree.height || e->tree.root->n > 1);
    check_page(e, e->tree.root, e->tree.height);
}

/* What a diff tells makes the map before into the map after. */
typedef struct model_diff {
    model *m;
    model_key before;
    size_t told;
} model_diff;

static inline psh_status model_take_diff(void *user, uint32_t op, const psh_range *r) {
    model_diff *d = user;
    model_key k = key_of(d->m->is_bytes, r->first, &r->first_key);
    size_t i = model_find(d->m, &k);

    if (d->told)
        assert_true(model_compare(d->m->is_bytes, &d->before, &k) < 0);
    d->before = k;
    d->told++;
    if (op == PSH_RANGE_REMOVE) {
        assert_int_equal(d->m->owner[i], r->owner);
        assert_ok(model_remove(d->m, &k));
        return PSH_OK;
    }
    assert_int_equal(op, PSH_RANGE_SET);
    assert_true(model_compare(d->m->is_bytes, &d->m->key[i], &k) || d->m->owner[i] != r->owner);
    model_set(d->m, &k, r->owner);
    return PSH_OK;
}

/** before is changed into after by the diff of the two epochs. @return how many changes it told. */
static inline size_t check_diff(
    const psh_ranges_epoch *ea, model *before, const psh_ranges_epoch *eb, const model *after) {
    model_diff d = { before, { 0 }, 0 };
    size_t i;

    assert_ok(psh_ranges_diff(ea, eb, model_take_diff, &d));
    assert_int_equal(before->n, after->n);
    for (i = 0; i < after->n; i++) {
        assert_int_equal(model_compare(after->is_bytes, &before->key[i], &after->key[i]), 0);
        assert_int_equal(before->owner[i], after->owner[i]);
    }
    return d.told;
}

static inline psh_ranges *open_ranges(psh_env *env, uint32_t kind, uint32_t max_key) {
    psh_ranges_options o;
    psh_ranges *r;

    assert_ok(psh_ranges_options_init(&o, sizeof o));
    o.kind = kind;
    o.max_key_bytes = max_key;
    o.first_owner = 0;
    assert_ok(psh_ranges_create(env, &o, &r, NULL));
    return r;
}

static inline psh_ranges_stats stats_of(psh_ranges *r) {
    psh_ranges_stats s = { .struct_size = sizeof s };

    assert_ok(psh_ranges_get_stats(r, &s));
    return s;
}

#endif
