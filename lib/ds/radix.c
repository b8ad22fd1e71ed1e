/* SPDX-License-Identifier: MIT */
/* Changing a version. What only reads stands in radix_walk.c. */
#include "ds/radix.h"

#include <string.h>

#include "base/env.h"

#define FEW 8u /* an inner node with no more entries becomes a leaf again: far from PSHI_RADIX_LEAF, so rarely */
#define PENDING (16u * PSHI_RADIX_DEPTH)

static pshi_radix_inner *as_inner(pshi_radix_node *n) {
    return (pshi_radix_inner *)(void *)n;
}

static pshi_radix_leaf *as_leaf(pshi_radix_node *n) {
    return (pshi_radix_leaf *)(void *)n;
}

static void get_value(const pshi_radix *r, const pshi_radix_entry *e) {
    if (r->blocks)
        pshi_ref_get(&e->value.block->refs);
}

void pshi_radix_block_put(psh_env *env, pshi_radix_block *b) {
    if (!b || !pshi_ref_put(&b->refs))
        return;
    pshi_free(env, b->more);
    pshi_free(env, b);
}

static void put_value(psh_env *env, const pshi_radix *r, const pshi_radix_entry *e) {
    if (r->blocks)
        pshi_radix_block_put(env, e->value.block);
}

static void put_node(psh_env *env, const pshi_radix *r, pshi_radix_node *first) {
    pshi_radix_node *pending[PENDING], *n;
    size_t count = 0, i;

    if (first && pshi_ref_put(&first->refs))
        pending[count++] = first;
    while (count > 0) {
        n = pending[--count];
        for (i = 0; n->leaf && i < n->keys; i++)
            put_value(env, r, &as_leaf(n)->entry[i]);
        for (i = 0; !n->leaf && i < 16; i++)
            if (as_inner(n)->child[i] && pshi_ref_put(&as_inner(n)->child[i]->refs))
                pending[count++] = as_inner(n)->child[i];
        pshi_free(env, n);
    }
}

void pshi_radix_share(pshi_radix *to, const pshi_radix *from) {
    *to = *from;
    if (to->root)
        pshi_ref_get(&to->root->refs);
}

void pshi_radix_free(psh_env *env, pshi_radix *r) {
    put_node(env, r, r->root);
    r->root = NULL;
}

/* Nobody else holds it: others could only come by way of a parent that is as much ours. Acquire, so that what those
 * who let go read of it was read before we write. */
static int is_ours(const pshi_radix_node *n) {
    return atomic_load_explicit(&n->refs, memory_order_acquire) == 1;
}

static pshi_radix_leaf *new_leaf(psh_env *env, size_t n) {
    uint16_t room = n <= 4 ? 4 : n <= 8 ? 8 : n <= 16 ? 16 : PSHI_RADIX_LEAF;
    pshi_radix_leaf *leaf = pshi_alloc(env, sizeof *leaf + room * sizeof leaf->entry[0]);

    if (!leaf)
        return NULL;
    memset(leaf, 0, sizeof *leaf);
    pshi_ref_init(&leaf->head.refs);
    leaf->head.leaf = 1;
    leaf->head.room = room;
    return leaf;
}

/* Takes a reference to what it copies. */
static void append(const pshi_radix *r, pshi_radix_leaf *leaf, const pshi_radix_entry *e, size_t n) {
    size_t i;

    for (i = 0; i < n; i++) {
        get_value(r, &e[i]);
        leaf->entry[leaf->head.keys++] = e[i];
        leaf->head.weight += e[i].weight;
    }
}

static pshi_radix_inner *new_inner(psh_env *env, uint64_t a, uint64_t b) {
    pshi_radix_inner *n = pshi_calloc(env, 1, sizeof *n);

    if (!n)
        return NULL;
    pshi_ref_init(&n->head.refs);
    n->head.prefix = a;
    n->head.shift = (uint8_t)((63 - __builtin_clzll(a ^ b)) & ~3); /* of the first digit in which they differ */
    return n;
}

static size_t digit(const pshi_radix_node *n, uint64_t key) {
    return key >> n->shift & 15;
}

static void adopt(pshi_radix_inner *n, pshi_radix_node *child, uint64_t key) {
    n->child[digit(&n->head, key)] = child;
    n->weights[digit(&n->head, key)] = child->weight;
    n->head.weight += child->weight;
    n->head.keys += child->keys;
}

static pshi_radix_node *copy_inner(psh_env *env, const pshi_radix_inner *from) {
    pshi_radix_inner *to = pshi_alloc(env, sizeof *to);
    size_t i;

    if (!to)
        return NULL;
    for (i = 0; i < 16; i++)
        __builtin_prefetch(from->child[i], 1);
    memcpy(to, from, sizeof *to);
    pshi_ref_init(&to->head.refs);
    for (i = 0; i < 16; i++)
        if (to->child[i])
            pshi_ref_get(&to->child[i]->refs);
    return &to->head;
}

/* A leaf of ours with room for n entries in all. */
static psh_status own_leaf(psh_env *env, const pshi_radix *r, pshi_radix_node **at, size_t n) {
    pshi_radix_leaf *from = as_leaf(*at), *to;
    size_t i;

    if (is_ours(*at) && n <= (*at)->room)
        return PSH_OK;
    to = new_leaf(env, n);
    if (!to)
        return PSH_E_NOMEM;
    for (i = 0; r->blocks && i < from->head.keys; i++)
        __builtin_prefetch(from->entry[i].value.block, 1);
    append(r, to, from->entry, from->head.keys);
    put_node(env, r, *at);
    *at = &to->head;
    return PSH_OK;
}

static psh_status own_inner(psh_env *env, const pshi_radix *r, pshi_radix_node **at) {
    pshi_radix_node *copy;

    if (is_ours(*at))
        return PSH_OK;
    copy = copy_inner(env, as_inner(*at));
    if (!copy)
        return PSH_E_NOMEM;
    put_node(env, r, *at);
    *at = copy;
    return PSH_OK;
}

static psh_status place_leaf(psh_env *env, pshi_radix_node **at, const pshi_radix_entry *e) {
    pshi_radix_leaf *leaf = new_leaf(env, 1);

    if (!leaf)
        return PSH_E_NOMEM;
    leaf->entry[0] = *e;
    leaf->head.keys = 1;
    leaf->head.weight = e->weight;
    *at = &leaf->head;
    return PSH_OK;
}

/* The key does not share the node's prefix: a new node holds both. */
static psh_status branch(psh_env *env, pshi_radix_node **at, const pshi_radix_entry *e) {
    pshi_radix_inner *above = new_inner(env, (*at)->prefix, e->key);
    pshi_radix_node *leaf = NULL;

    if (!above || place_leaf(env, &leaf, e) != PSH_OK) {
        pshi_free(env, above);
        return PSH_E_NOMEM;
    }
    adopt(above, *at, (*at)->prefix);
    adopt(above, leaf, e->key);
    *at = &above->head;
    return PSH_OK;
}

/* A full leaf becomes an inner node of leaves. */
static psh_status split(psh_env *env, const pshi_radix *r, pshi_radix_node **at) {
    const pshi_radix_leaf *from = as_leaf(*at);
    size_t n = from->head.keys, i, end;
    pshi_radix_inner *to = new_inner(env, from->entry[0].key, from->entry[n - 1].key);
    pshi_radix_leaf *leaf;

    for (i = 0; to && i < n; i = end) {
        end = i + 1;
        while (end < n && digit(&to->head, from->entry[end].key) == digit(&to->head, from->entry[i].key))
            end++;
        leaf = new_leaf(env, end - i);
        if (!leaf) {
            put_node(env, r, &to->head);
            return PSH_E_NOMEM;
        }
        append(r, leaf, from->entry + i, end - i);
        adopt(to, &leaf->head, leaf->entry[0].key);
    }
    if (!to)
        return PSH_E_NOMEM;
    put_node(env, r, *at);
    *at = &to->head;
    return PSH_OK;
}

/* The nodes that a change passes, all ours. */
typedef struct trail {
    pshi_radix_node **at[PSHI_RADIX_DEPTH]; /* where each is held */
    uint32_t depth;
    uint32_t more; /* keys below them after the change */
} trail;

/* Where the entry stands, or is to stand, in a leaf that has room for it. */
static psh_status put_in_leaf(
    psh_env *env, const pshi_radix *r, pshi_radix_node **at, trail *t, const pshi_radix_entry *e, size_t i) {
    size_t n = (*at)->keys;
    int found = i < n && as_leaf(*at)->entry[i].key == e->key;
    pshi_radix_leaf *leaf;

    t->more = !found;
    if (own_leaf(env, r, at, found ? n : n + 1) != PSH_OK)
        return PSH_E_NOMEM;
    leaf = as_leaf(*at);
    if (found) {
        leaf->head.weight -= leaf->entry[i].weight;
        put_value(env, r, &leaf->entry[i]);
    } else {
        memmove(&leaf->entry[i + 1], &leaf->entry[i], (n - i) * sizeof leaf->entry[0]);
        leaf->head.keys++;
    }
    leaf->entry[i] = *e;
    leaf->head.weight += e->weight;
    return PSH_OK;
}

/* @return as put_step. */
static psh_status leaf_step(
    psh_env *env, const pshi_radix *r, pshi_radix_node **at, trail *t, const pshi_radix_entry *e, int replaces) {
    const pshi_radix_leaf *leaf = as_leaf(*at);
    size_t i = pshi_radix_lower(leaf, e->key);
    int found = i < leaf->head.keys && leaf->entry[i].key == e->key;

    if (found && !replaces)
        return PSH_E_CONFLICT;
    if (found || leaf->head.keys < PSHI_RADIX_LEAF)
        return put_in_leaf(env, r, at, t, e, i);
    return split(env, r, at) == PSH_OK ? PSH_AGAIN : PSH_E_NOMEM;
}

/* One step down. @return PSH_AGAIN to go on, else the result of the put. */
static psh_status put_step(
    psh_env *env, pshi_radix *r, pshi_radix_node ***at, trail *t, const pshi_radix_entry *e, int replaces) {
    pshi_radix_node *n = **at;

    if (!n)
        return place_leaf(env, *at, e);
    if (n->leaf)
        return leaf_step(env, r, *at, t, e, replaces);
    if ((e->key ^ n->prefix) >> n->shift > 15)
        return branch(env, *at, e);
    if (own_inner(env, r, *at) != PSH_OK)
        return PSH_E_NOMEM;
    t->at[t->depth++] = *at;
    n = **at;
    *at = &as_inner(n)->child[digit(n, e->key)];
    return PSH_AGAIN;
}

/* What the child at a key's digit became, on the way up. */
static void recount(pshi_radix_inner *n, uint64_t key, uint32_t keys_more) {
    size_t d = digit(&n->head, key);
    uint32_t now = n->child[d] ? n->child[d]->weight : 0;

    n->head.keys += keys_more;
    n->head.weight += now - n->weights[d];
    n->weights[d] = now;
}

static psh_status put_entry(psh_env *env, pshi_radix *r, const pshi_radix_entry *e, int replaces) {
    pshi_radix_node **at = &r->root;
    psh_status st = PSH_AGAIN;
    trail t = { .more = 1 };

    while (st == PSH_AGAIN)
        st = put_step(env, r, &at, &t, e, replaces);
    while (st == PSH_OK && t.depth > 0)
        recount(as_inner(*t.at[--t.depth]), e->key, t.more);
    return st;
}

psh_status pshi_radix_put(psh_env *env, pshi_radix *r, const pshi_radix_entry *e) {
    return put_entry(env, r, e, 1);
}

psh_status pshi_radix_add(psh_env *env, pshi_radix *r, const pshi_radix_entry *e) {
    return put_entry(env, r, e, 0);
}

/* Only leaves below, and few entries: one leaf instead. Where there is no memory it stays as it is. */
static void gather(psh_env *env, const pshi_radix *r, pshi_radix_node **at) {
    pshi_radix_inner *n = as_inner(*at);
    pshi_radix_leaf *leaf;
    size_t i;

    for (i = 0; i < 16; i++)
        if (n->child[i] && !n->child[i]->leaf)
            return;
    leaf = new_leaf(env, n->head.keys);
    if (!leaf)
        return;
    for (i = 0; i < 16; i++)
        if (n->child[i])
            append(r, leaf, as_leaf(n->child[i])->entry, n->child[i]->keys);
    put_node(env, r, *at);
    *at = &leaf->head;
}

/* After a removal below: an inner node has two children at least. */
static void tidy(psh_env *env, const pshi_radix *r, pshi_radix_node **at) {
    pshi_radix_node *n = *at, *only = NULL;
    size_t children = 0, i;

    for (i = 0; i < 16; i++) {
        if (!as_inner(n)->child[i])
            continue;
        children++;
        only = as_inner(n)->child[i];
    }
    if (children == 1) {
        *at = only;
        pshi_free(env, n);
    } else if (n->keys <= FEW) {
        gather(env, r, at);
    }
}

static void take_from_leaf(psh_env *env, const pshi_radix *r, pshi_radix_node **at, uint64_t key) {
    pshi_radix_leaf *leaf = as_leaf(*at);
    size_t i = pshi_radix_lower(leaf, key);

    leaf->head.keys--;
    leaf->head.weight -= leaf->entry[i].weight;
    put_value(env, r, &leaf->entry[i]);
    memmove(&leaf->entry[i], &leaf->entry[i + 1], (leaf->head.keys - i) * sizeof leaf->entry[0]);
    if (leaf->head.keys == 0) {
        pshi_free(env, leaf);
        *at = NULL;
    }
}

psh_status pshi_radix_remove(psh_env *env, pshi_radix *r, uint64_t key) {
    pshi_radix_node **at = &r->root;
    trail t = { .more = UINT32_MAX }; /* one less */

    if (!pshi_radix_find(r, key))
        return PSH_E_NOT_FOUND;
    for (; !(*at)->leaf; at = &as_inner(*at)->child[digit(*at, key)]) {
        if (own_inner(env, r, at) != PSH_OK)
            return PSH_E_NOMEM;
        t.at[t.depth++] = at;
    }
    if (own_leaf(env, r, at, (*at)->keys) != PSH_OK)
        return PSH_E_NOMEM;
    take_from_leaf(env, r, at, key);
    while (t.depth > 0) {
        recount(as_inner(*t.at[--t.depth]), key, t.more);
        tidy(env, r, t.at[t.depth]);
    }
    return PSH_OK;
}
