/* SPDX-License-Identifier: MIT */
#include "map/ranges.h"

#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/options.h"

#define MAX_READERS 4096u

static const psh_ranges_options DEFAULTS = {
    .struct_size = sizeof(psh_ranges_options),
    .kind = PSH_RANGES_U64,
    .max_key_bytes = 1024,
    .max_readers = 64,
    .first_owner = PSH_NONE,
    .max_ranges = UINT64_C(1) << 24,
};

struct psh_ranges_reader {
    pshi_root *root;
    uint32_t slot;
    psh_env *env;
};

psh_status psh_ranges_options_init(psh_ranges_options *o, uint32_t size) {
    return pshi_options_out(o, size, &DEFAULTS, sizeof DEFAULTS);
}

static psh_status check_options(const psh_ranges_options *o, psh_error *err) {
    if (o->flags)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    if (o->kind != PSH_RANGES_U64 && o->kind != PSH_RANGES_BYTES)
        return pshi_fail(err, PSH_E_INVALID, "kind", "must be PSH_RANGES_U64 or PSH_RANGES_BYTES");
    if (o->max_key_bytes < 1 || o->max_key_bytes > PSHI_RANGES_MAX_KEY)
        return pshi_fail(err, PSH_E_INVALID, "max_key_bytes", "must be within 1..4096");
    if (o->max_readers < 1 || o->max_readers > MAX_READERS)
        return pshi_fail(err, PSH_E_INVALID, "max_readers", "must be within 1..4096");
    if (o->max_ranges < 1 || o->max_ranges > UINT32_MAX - 1)
        return pshi_fail(err, PSH_E_INVALID, "max_ranges", "must be within 1..2^32-2");
    return PSH_OK;
}

static uint32_t no_number(const pshi_range_tree *t, uint64_t key) {
    (void)t;
    (void)key;
    return PSH_NONE;
}

static void no_numbers(const pshi_range_tree *t, const uint64_t *keys, size_t n, uint32_t *owners) {
    (void)t;
    (void)keys;
    memset(owners, 0xff, n * sizeof *owners);
}

static uint32_t no_bytes(const pshi_range_tree *t, const unsigned char *data, size_t size) {
    (void)t;
    (void)data;
    (void)size;
    return PSH_NONE;
}

static void no_many_bytes(const pshi_range_tree *t, const psh_bytes *keys, size_t n, uint32_t *owners) {
    (void)t;
    (void)keys;
    memset(owners, 0xff, n * sizeof *owners);
}

psh_status pshi_ranges_force(psh_ranges *r, uint32_t form) {
    const pshi_range_find *f = pshi_range_find_form(form);

    if (!f)
        return PSH_E_UNSUPPORTED;
    r->find = *f;
    if (r->pool.is_bytes) {
        r->find.number = no_number;
        r->find.numbers = no_numbers;
    } else {
        r->find.bytes = no_bytes;
        r->find.many_bytes = no_many_bytes;
    }
    return PSH_OK;
}

/* The writer, or nobody else any more, gives an epoch's pages back. */
static void release_epoch(void *value) {
    psh_ranges_epoch *e = value;
    psh_ranges *r = e->map;

    r->waiting -= e->replaced_bytes;
    if (e->whole)
        pshi_range_tree_free(&r->pool, &e->tree);
    else
        pshi_range_pages_free(&r->pool, e->replaced);
    pshi_free(r->env, e);
}

/* Makes a tree current. The epoch before gets what it alone has, before any reader's leaving can free it. */
static psh_status publish(
    psh_ranges *r, const pshi_range_tree *t, pshi_range_page *replaced, uint64_t replaced_bytes, uint32_t whole) {
    psh_ranges_epoch *e = pshi_alloc(r->env, sizeof *e), *old = r->current;
    psh_status st;

    if (!e)
        return PSH_E_NOMEM;
    *e = (psh_ranges_epoch){ *t, r->find, old ? old->number + 1 : 1, r, NULL, 0, 0 };
    if (old) {
        old->replaced = replaced;
        old->replaced_bytes = replaced_bytes;
        old->whole = whole;
    }
    r->waiting += replaced_bytes;
    st = pshi_root_publish(r->root, e, e->number);
    if (st == PSH_OK) {
        r->current = e;
        return PSH_OK;
    }
    r->waiting -= replaced_bytes;
    if (old) {
        old->replaced = NULL;
        old->replaced_bytes = 0;
        old->whole = 0;
    }
    pshi_free(r->env, e);
    return st;
}

psh_status pshi_ranges_publish_tree(psh_ranges *r, pshi_range_tree *t, uint64_t bytes_before) {
    /* All pages that were there and do not wait are the current tree's. */
    psh_status st = publish(r, t, NULL, bytes_before - r->waiting, 1);

    if (st != PSH_OK)
        pshi_range_tree_free(&r->pool, t);
    return st;
}

static psh_status build_first(psh_ranges *r) {
    static const unsigned char nothing[1];
    psh_bytes empty = { nothing, 0 };
    uint64_t least = 0;
    pshi_range_tree t;
    psh_status st;

    st = r->pool.is_bytes ? pshi_range_build_bytes(&r->pool, r->list, &empty, &r->o.first_owner, 1, &t)
                          : pshi_range_build_numbers(&r->pool, r->list, &least, &r->o.first_owner, 1, &t);
    if (st != PSH_OK)
        return st;
    st = publish(r, &t, NULL, 0, 0);
    if (st != PSH_OK)
        pshi_range_tree_free(&r->pool, &t);
    return st;
}

static psh_status fill(psh_ranges *r) {
    psh_status st;

    r->pool = (pshi_range_pool){ r->env, r->o.kind == PSH_RANGES_BYTES, 0 };
    (void)pshi_ranges_force(r, pshi_range_find_best());
    r->list = pshi_alloc(r->env, sizeof *r->list);
    if (!r->list)
        return PSH_E_NOMEM;
    st = pshi_root_create(r->env, r->o.max_readers, release_epoch, &r->root);
    return st == PSH_OK ? build_first(r) : st;
}

psh_status psh_ranges_create(psh_env *env, const psh_ranges_options *options, psh_ranges **out, psh_error *err) {
    psh_ranges_options o = DEFAULTS;
    psh_ranges *r;
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env)
        return pshi_fail(err, PSH_E_INVALID, "env", "is NULL");
    if (options && (st = pshi_options_copy(&o, sizeof o, options, err)) != PSH_OK)
        return st;
    if ((st = check_options(&o, err)) != PSH_OK)
        return st;
    r = pshi_calloc(env, 1, sizeof *r);
    if (!r)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    r->env = env;
    r->o = o;
    st = fill(r);
    if (st != PSH_OK) {
        psh_ranges_destroy(r);
        return pshi_fail(err, st, "", psh_status_text(st));
    }
    *out = r;
    return PSH_OK;
}

void psh_ranges_destroy(psh_ranges *r) {
    if (!r)
        return;
    if (r->current)
        r->current->whole = 1;
    pshi_root_destroy(r->root);
    pshi_free(r->env, r->list);
    pshi_free(r->env, r);
}

static psh_status check_edit(const psh_ranges *r, const psh_range_edit *x, size_t i, psh_error *err) {
    if (x->op != PSH_RANGE_SET && x->op != PSH_RANGE_REMOVE)
        return pshi_fail_at(err, PSH_E_INVALID, "edits", i, "op must be PSH_RANGE_SET or PSH_RANGE_REMOVE");
    if (!r->pool.is_bytes)
        return PSH_OK;
    if (!x->data && x->size)
        return pshi_fail_at(err, PSH_E_INVALID, "edits", i, "data is NULL");
    if (x->size > r->o.max_key_bytes)
        return pshi_fail_at(err, PSH_E_LIMIT, "edits", i, "the key is longer than max_key_bytes");
    return PSH_OK;
}

static psh_status make_edit(
    const psh_ranges *r, pshi_range_batch *b, const psh_range_edit *x, size_t i, psh_error *err) {
    pshi_range_key k = { x->key, x->data, (size_t)x->size };
    psh_status st = check_edit(r, x, i, err);

    if (st != PSH_OK)
        return st;
    if (x->op == PSH_RANGE_REMOVE)
        st = pshi_range_remove(b, &k);
    else
        st = pshi_range_set(b, &k, x->owner);
    if (st == PSH_OK && b->tree.count > r->o.max_ranges)
        return pshi_fail_at(err, PSH_E_LIMIT, "edits", i, "more ranges than max_ranges");
    if (st == PSH_E_NOT_FOUND)
        return pshi_fail_at(err, st, "edits", i, "no range begins at the key");
    if (st == PSH_E_STATE)
        return pshi_fail_at(err, st, "edits", i, "the first range can not go");
    return st == PSH_OK ? st : pshi_fail_at(err, st, "edits", i, psh_status_text(st));
}

psh_status psh_ranges_apply(
    psh_ranges *r, const psh_range_edit *edits, size_t n, size_t stride, psh_error *err) {
    pshi_range_batch b;
    psh_range_edit x;
    psh_status st = PSH_OK;
    size_t i;

    if (!r || (n && (!edits || !stride)))
        return pshi_fail(err, PSH_E_INVALID, r ? "edits" : "r", "is NULL, or without stride");
    pshi_range_begin(&b, &r->pool, r->list, &r->current->tree, ++r->stamp);
    for (i = 0; st == PSH_OK && i < n; i++) {
        pshi_element(&x, sizeof x, edits, stride, i);
        st = make_edit(r, &b, &x, i, err);
    }
    if (st == PSH_OK) {
        st = publish(r, &b.tree, b.replaced, b.replaced_bytes, 0);
        if (st != PSH_OK)
            pshi_fail(err, st, "", psh_status_text(st));
    }
    if (st != PSH_OK)
        pshi_range_abort(&b);
    return st;
}

static psh_status check_build(
    const psh_ranges *r, const void *keys, const uint32_t *owners, size_t n, uint32_t kind, psh_error *err) {
    if (!r || !keys || !owners || !n)
        return pshi_fail(err, PSH_E_INVALID, "keys", "a map, keys and owners are needed");
    if (r->o.kind != kind)
        return pshi_fail(err, PSH_E_INVALID, "kind", "the map has keys of the other kind");
    if (n > r->o.max_ranges)
        return pshi_fail(err, PSH_E_LIMIT, "n", "more ranges than max_ranges");
    return PSH_OK;
}

static size_t count_ascending(const uint64_t *keys, size_t n) {
    size_t i;

    for (i = 1; i < n && keys[i - 1] < keys[i]; i++) {
    }
    return i;
}

psh_status psh_ranges_build_u64(
    psh_ranges *r, const uint64_t *keys, const uint32_t *owners, size_t n, psh_error *err) {
    psh_status st = check_build(r, keys, owners, n, PSH_RANGES_U64, err);
    pshi_range_tree t;
    uint64_t bytes;
    size_t i;

    if (st != PSH_OK)
        return st;
    if (keys[0])
        return pshi_fail_at(err, PSH_E_INVALID, "keys", 0, "the first key must be 0");
    i = count_ascending(keys, n);
    if (i < n)
        return pshi_fail_at(err, PSH_E_INVALID, "keys", i, "must be above the key before");
    bytes = r->pool.bytes;
    st = pshi_range_build_numbers(&r->pool, r->list, keys, owners, n, &t);
    if (st == PSH_OK)
        st = pshi_ranges_publish_tree(r, &t, bytes);
    return st == PSH_OK ? st : pshi_fail(err, st, "", psh_status_text(st));
}

static psh_status check_bytes(const psh_ranges *r, const psh_bytes *keys, size_t n, psh_error *err) {
    pshi_range_key a = { 0 }, b;
    size_t i;

    for (i = 0; i < n; i++) {
        if (!keys[i].data && keys[i].size)
            return pshi_fail_at(err, PSH_E_INVALID, "keys", i, "data is NULL");
        if (keys[i].size > r->o.max_key_bytes)
            return pshi_fail_at(err, PSH_E_LIMIT, "keys", i, "longer than max_key_bytes");
        b = (pshi_range_key){ 0, keys[i].data, keys[i].size };
        if (i ? pshi_range_compare(1, &a, &b) >= 0 : b.size != 0)
            return pshi_fail_at(err, PSH_E_INVALID, "keys", i, "must be above the key before, the first empty");
        a = b;
    }
    return PSH_OK;
}

psh_status psh_ranges_build_bytes(
    psh_ranges *r, const psh_bytes *keys, const uint32_t *owners, size_t n, psh_error *err) {
    psh_status st = check_build(r, keys, owners, n, PSH_RANGES_BYTES, err);
    pshi_range_tree t;
    uint64_t bytes;

    if (st == PSH_OK)
        st = check_bytes(r, keys, n, err);
    if (st != PSH_OK)
        return st;
    bytes = r->pool.bytes;
    st = pshi_range_build_bytes(&r->pool, r->list, keys, owners, n, &t);
    if (st == PSH_OK)
        st = pshi_ranges_publish_tree(r, &t, bytes);
    return st == PSH_OK ? st : pshi_fail(err, st, "", psh_status_text(st));
}

const psh_ranges_epoch *psh_ranges_current(const psh_ranges *r) {
    return r->current;
}

psh_status psh_ranges_get_stats(psh_ranges *r, psh_ranges_stats *out) {
    psh_ranges_stats s = { 0 };

    if (!r || !out)
        return PSH_E_INVALID;
    pshi_root_reclaim(r->root);
    s.readers = pshi_root_taken(r->root);
    s.number = r->current->number;
    s.oldest_pinned = pshi_root_oldest(r->root);
    s.retired = pshi_root_retired(r->root);
    s.ranges = r->current->tree.count;
    s.bytes_waiting = r->waiting;
    s.bytes = r->pool.bytes + sizeof *r + sizeof *r->list + (s.retired + 1) * sizeof *r->current +
              s.readers * sizeof(psh_ranges_reader);
    return pshi_struct_out(out, &s, sizeof s);
}

psh_status psh_ranges_reader_create(psh_ranges *r, psh_ranges_reader **out) {
    psh_ranges_reader *x;
    psh_status st;

    if (!r || !out)
        return PSH_E_INVALID;
    *out = NULL;
    x = pshi_alloc(r->env, sizeof *x);
    if (!x)
        return PSH_E_NOMEM;
    x->root = r->root;
    x->env = r->env;
    st = pshi_root_take(r->root, &x->slot);
    if (st != PSH_OK) {
        pshi_free(r->env, x);
        return st;
    }
    *out = x;
    return PSH_OK;
}

void psh_ranges_reader_destroy(psh_ranges_reader *x) {
    if (!x)
        return;
    pshi_root_give_back(x->root, x->slot);
    pshi_free(x->env, x);
}

const psh_ranges_epoch *psh_ranges_pin(psh_ranges_reader *x) {
    return pshi_root_pin(x->root, x->slot);
}

const psh_ranges_epoch *psh_ranges_refresh(psh_ranges_reader *x) {
    return pshi_root_refresh(x->root, x->slot);
}

void psh_ranges_unpin(psh_ranges_reader *x) {
    pshi_root_unpin(x->root, x->slot);
}

uint64_t psh_ranges_number(const psh_ranges_epoch *e) {
    return e->number;
}

uint64_t psh_ranges_count(const psh_ranges_epoch *e) {
    return e->tree.count;
}

uint32_t psh_ranges_find_u64(const psh_ranges_epoch *e, uint64_t key) {
    return e->find.number(&e->tree, key);
}

void psh_ranges_find_many_u64(const psh_ranges_epoch *e, const uint64_t *keys, size_t n, uint32_t *owners) {
    e->find.numbers(&e->tree, keys, n, owners);
}

uint32_t psh_ranges_find_bytes(const psh_ranges_epoch *e, const void *data, size_t size) {
    return e->find.bytes(&e->tree, data, size);
}

void psh_ranges_find_many_bytes(
    const psh_ranges_epoch *e, const psh_bytes *keys, size_t n, uint32_t *owners) {
    e->find.many_bytes(&e->tree, keys, n, owners);
}
